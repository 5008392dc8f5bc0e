"""A carrier that a person names: the numbers that were given are the answer."""

import pytest

from carriers.manual import ManualCarrier
from services.ports.carriers import Carrier, CarrierRefused
from tests.carriers.shipments import a_shipment


async def test_l8_a_tracking_number_is_given_by_hand_for_each_parcel():
    carrier: Carrier = ManualCarrier("Van of a friend", ["A1", "A2"], ["https://track.example/A1"])

    bought = await carrier.buy(a_shipment())

    assert (bought.carrier, bought.cost) == ("Van of a friend", None)
    assert [(one.tracking_number, one.tracking_url, one.label) for one in bought.parcels] == [
        ("A1", "https://track.example/A1", None),
        ("A2", None, None),
    ]
    assert await carrier.buy(a_shipment()) == bought


@pytest.mark.parametrize(
    ("numbers", "urls"), [(["A1"], []), (["A1", "A2", "A3"], []), (["A1", ""], []), (["A1", "A2"], ["u"] * 3)]
)
async def test_a_parcel_without_its_number_is_refused(numbers: list[str], urls: list[str]):
    with pytest.raises(CarrierRefused):
        await ManualCarrier("Van", numbers, urls).buy(a_shipment())
