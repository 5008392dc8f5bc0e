"""A carrier that is only named: somebody has arranged it elsewhere, and says so here. Nobody is asked."""

from collections.abc import Sequence
from itertools import zip_longest

from domain.carriers import Bought, BoughtParcel, Shipment
from services.ports.carriers import CarrierRefused


class ManualCarrier:
    """Takes the shipment under the tracking numbers that a person gives, one for each parcel in its sequence."""

    def __init__(self, name: str, tracking_numbers: Sequence[str], tracking_urls: Sequence[str] = ()) -> None:
        self._name = name
        self._numbers = tuple(tracking_numbers)
        self._urls = tuple(tracking_urls)

    async def buy(self, shipment: Shipment) -> Bought:
        """The same answer however often it is asked. Raises CarrierRefused."""
        parcels = len(shipment.parcels)
        if len(self._numbers) != parcels or not all(self._numbers):
            raise CarrierRefused(f"Each of the {parcels} parcels needs a tracking number.")
        if len(self._urls) > parcels:
            raise CarrierRefused("There are more tracking URLs than parcels.")
        return Bought(
            carrier=self._name,
            service=shipment.service,
            parcels=tuple(
                BoughtParcel(tracking_number=number, tracking_url=url or None)
                for number, url in zip_longest(self._numbers, self._urls)
            ),
        )
