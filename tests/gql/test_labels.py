"""Labels of a carrier, bought through the API of Dibs from a server in the shape of EasyPost's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.builders import a_key
from tests.carriers.shipments import KEY, Api, an_api, refusing, saying
from tests.gql.serving import Served, serving
from tests.gql.test_fulfillments import FULFILLMENT, STATE, Shop
from tests.receiver import answering

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUGHT = f"""... on FulfillmentSuccess {{ fulfillment {{ {FULFILLMENT} service trackingUrl
    postage {{ amount currencyCode }} parcels {{ carrierLabelUrl }} }} }} {STATE} ... on ShippingRefused {{ words }}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def carrier() -> AsyncIterator[Api]:
    async with an_api() as (api, _):
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_database_url: str, carrier: Api) -> AsyncIterator[Served]:
    url = f"http://127.0.0.1:{carrier.receiver.port}/v2"
    more: dict[str, Any] = {"carrier_easypost_key": SecretStr(KEY), "carrier_easypost_url": url}
    async with serving(shared_database_url, carrier_allow_loopback=True, **more) as served:
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        yield served


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


async def packed(shop: Shop, **parcel: Any) -> Any:
    """A fulfillment of two parcels."""
    sku = await shop.sku(leeds=2)
    (fulfillment,) = await shop.released(await shop.order((sku, 2)))
    await shop.pick(fulfillment)
    line = fulfillment["lines"][0]["line"]["id"]
    inside = {"contents": [{"line": line, "quantity": 1}]}
    await shop.move("packFulfillment", fulfillment, parcels=[parcel | inside, parcel | inside])
    return fulfillment


async def buy(shop: Shop, fulfillment: Any, **more: Any) -> Any:
    return await shop.api.mutate("buyShippingLabel", BOUGHT, fulfillment=fulfillment["id"], **more)


async def test_c8_r5_l8_parcels_get_their_numbers_and_labels_from_the_carrier_and_are_bought_once(
    shop: Shop, carrier: Api
):
    fulfillment, key = await packed(shop, weightGrams=500), a_key()

    first = await buy(shop, fulfillment, carrier="USPS", service="Priority", idempotencyKey=key)
    again = await buy(shop, fulfillment, carrier="USPS", service="Priority", idempotencyKey=key)
    other = await buy(shop, fulfillment, carrier="USPS", service="Priority")

    sent = first["fulfillment"]
    assert (sent["carrier"], sent["service"], sent["state"]) == ("USPS", "Priority", "PACKED")
    assert sent["postage"] == {"amount": "15.64", "currencyCode": "USD"}
    assert [one["trackingNumber"] for one in sent["parcels"]] == ["9400100109361115908911", "9400100109361115908912"]
    assert sent["parcels"][0]["carrierLabelUrl"] == "https://files.example/label-1.png"
    assert again == first
    assert other["fulfillment"]["trackingNumber"] == sent["trackingNumber"]
    assert len(carrier.bought) == 1
    shipped = await shop.move("shipFulfillment", fulfillment)
    assert shipped["fulfillment"]["trackingNumber"] == "9400100109361115908911"  # nobody had to type it


async def test_a_carrier_that_refuses_is_told_plainly_and_nothing_changes(shop: Shop, carrier: Api):
    fulfillment = await packed(shop, weightGrams=500)
    carrier.before = refusing(422, code="ADDRESS.VERIFY.FAILURE", message="Unable to verify address.")
    try:
        refused = await buy(shop, fulfillment)
    finally:
        carrier.before = None

    assert refused["__typename"] == "ShippingRefused"
    assert "Unable to verify address." in refused["words"]
    unweighed = await buy(shop, await packed(shop))
    assert "weight" in unweighed["words"]


async def test_a_carrier_that_cannot_be_asked_is_no_mistake_of_ours(shop: Shop, carrier: Api):
    fulfillment = await packed(shop, weightGrams=500)
    carrier.before = saying(answering(503, "retry-after: 7\r\n", b""))
    try:
        answer = await shop.api.answer(
            "mutation ($input: BuyShippingLabelInput!) { buyShippingLabel(input: $input) { __typename } }",
            input={"fulfillment": fulfillment["id"], "idempotencyKey": a_key()},
        )
    finally:
        carrier.before = None

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "CARRIER_UNAVAILABLE"


async def test_only_what_is_packed_is_taken(shop: Shop):
    sku = await shop.sku(leeds=2)
    (fulfillment,) = await shop.released(await shop.order((sku, 2)))

    refused = await buy(shop, fulfillment)

    assert (refused["__typename"], refused["states"]) == ("FulfillmentNotInState", ["PACKED"])
