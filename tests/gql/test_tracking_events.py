"""What carriers say, over the API: by parcel, fulfillment or tracking number, in any sequence, however often."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.gql.serving import Served
from tests.gql.test_fulfillments import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENT = "id status occurredAt message place recordedBy"
RECORD = f"""mutation ($input: RecordTrackingEventsInput!) {{ recordTrackingEvents(input: $input) {{ __typename
  ... on InvalidInput {{ problems {{ path code }} }}
  ... on RecordTrackingEventsSuccess {{ results {{ index outcome
    fulfillments {{ id state trackingStatus deliveredAt version order {{ status }} trackingEvents {{ {EVENT} }}
      parcels {{ id trackingStatus deliveredAt trackingEvents {{ {EVENT} }} }} }}
    refusal {{ __typename message ... on NotFound {{ references }} ... on InvalidInput {{ problems {{ path code }} }} }}
  }} }} }} }}"""
FOUND = """query ($statuses: [TrackingStatus!]) { fulfillments(first: 100, filter: {trackingStatuses: $statuses}) {
  nodes { id } } }"""
DAYS_AGO = datetime.now(UTC) - timedelta(days=9)


def moment(hours: int) -> str:
    return (DAYS_AGO + timedelta(hours=hours)).isoformat()


def says(about: dict[str, str], status: str, hours: int = 0, **more: Any) -> dict[str, Any]:
    return {"about": about, "status": status, "occurredAt": moment(hours)} | more


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def locations(api: Served) -> None:
    supplier = {"code": "SUPPLIER", "name": "Supplier", "kind": "DROPSHIP", "rank": 900}
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}, supplier])


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


async def recorded(api: Served, *events: dict[str, Any]) -> list[Any]:
    answer = (await api(RECORD, input={"events": list(events)}))["recordTrackingEvents"]
    assert answer["__typename"] == "RecordTrackingEventsSuccess", answer
    results: list[Any] = answer["results"]
    return results


async def packed(shop: Shop, parcels: int = 1) -> tuple[str, Any, list[str]]:
    """An order that is packed: itself, its fulfillment and its parcels."""
    order = await shop.order((await shop.sku(leeds=9), parcels))
    (one,) = await shop.released(order)
    await shop.pick(one)
    line = one["lines"][0]["line"]["id"]
    inside = [{"contents": [{"line": line, "quantity": 1}]}] * parcels
    done = await shop.move("packFulfillment", one, parcels=inside)
    return order, one, [parcel["id"] for parcel in done["fulfillment"]["parcels"]]


async def shipped(shop: Shop, parcels: int = 1) -> tuple[str, Any, list[str], list[str]]:
    """The same, with the tracking numbers of the parcels."""
    order, one, ids = await packed(shop, parcels)
    numbers = [shop.api.unique("TN") for _ in ids]
    leaving = [{"parcel": parcel, "trackingNumber": number} for parcel, number in zip(ids, numbers, strict=True)]
    await shop.move("shipFulfillment", one, carrier="DPD", parcels=leaving)
    return order, one, ids, numbers


async def test_l8_l9_c5_what_carriers_say_is_known_and_the_last_delivery_fulfills_the_order(shop: Shop, api: Served):
    order, _, parcels, numbers = await shipped(shop, 2)

    results = await recorded(
        api,
        says({"trackingNumber": numbers[0]}, "IN_TRANSIT", 1, message="Arrived at hub", place="Leeds"),
        says({"parcel": parcels[0]}, "DELIVERED", 5, message="Left with neighbour"),
        says({"trackingNumber": numbers[1]}, "OUT_FOR_DELIVERY", 4),
    )
    (one,) = results[-1]["fulfillments"]
    assert [result["outcome"] for result in results] == ["RECORDED"] * 3
    assert (one["state"], one["order"]["status"], one["trackingStatus"]) == ("SHIPPED", "FINALIZED", "DELIVERED")
    assert [parcel["trackingStatus"] for parcel in one["parcels"]] == ["DELIVERED", "OUT_FOR_DELIVERY"]
    told = one["parcels"][0]["trackingEvents"]
    assert [(event["status"], event["message"], event["place"]) for event in told] == [
        ("DELIVERED", "Left with neighbour", None),
        ("IN_TRANSIT", "Arrived at hub", "Leeds"),
    ]
    assert len(one["trackingEvents"]) == 3

    (last,) = await recorded(api, says({"trackingNumber": numbers[1]}, "DELIVERED", 7))

    (one,) = last["fulfillments"]
    assert (one["state"], one["order"]["status"]) == ("DELIVERED", "FULFILLED")
    assert datetime.fromisoformat(one["deliveredAt"]) == DAYS_AGO + timedelta(hours=7)
    assert (await shop.now(order))["fulfillmentStatus"] == "DELIVERED"


async def test_an_event_that_is_told_again_is_recorded_once(shop: Shop, api: Served):
    _, _, parcels, numbers = await shipped(shop)
    event = says({"trackingNumber": numbers[0]}, "IN_TRANSIT", 1)
    (first,) = await recorded(api, event)

    again = await recorded(api, event, event, says({"parcel": parcels[0]}, "IN_TRANSIT", 1))

    assert first["outcome"] == "RECORDED"
    assert {one["outcome"] for one in again} <= {"ALREADY_RECORDED", "RECORDED"}
    assert again[0]["outcome"] == "ALREADY_RECORDED"
    (one,) = again[-1]["fulfillments"]
    assert len(one["trackingEvents"]) == 1
    assert one["version"] == first["fulfillments"][0]["version"], "nothing has moved"


async def test_events_out_of_sequence_are_kept_and_the_latest_counts(shop: Shop, api: Served):
    _, _, _, numbers = await shipped(shop)
    about = {"trackingNumber": numbers[0]}

    results = await recorded(
        api, says(about, "OUT_FOR_DELIVERY", 9), says(about, "PRE_TRANSIT", 1), says(about, "IN_TRANSIT", 5)
    )

    (one,) = results[-1]["fulfillments"]
    assert one["trackingStatus"] == "OUT_FOR_DELIVERY"
    assert [event["status"] for event in one["trackingEvents"]] == ["OUT_FOR_DELIVERY", "IN_TRANSIT", "PRE_TRANSIT"]


async def test_fifty_deliveries_at_a_time_deliver_once_whichever_parcel_comes_last(shop: Shop, api: Served):
    order, one, _, numbers = await shipped(shop, 5)
    events = [says({"trackingNumber": number}, "DELIVERED", 3) for number in numbers] * 10

    await asyncio.gather(*(recorded(api, event) for event in events))

    now = await shop.now(order)
    assert (now["status"], now["fulfillmentStatus"]) == ("FULFILLED", "DELIVERED")
    assert now["fulfillments"][0]["state"] == "DELIVERED"
    assert one["id"] == now["fulfillments"][0]["id"]


async def test_what_arrived_before_it_was_shipped_here_is_delivered_when_it_is(shop: Shop, api: Served):
    order, one, parcels = await packed(shop)
    (told,) = await recorded(api, says({"parcel": parcels[0]}, "DELIVERED", 3))
    assert told["fulfillments"][0]["state"] == "PACKED"

    done = await shop.move("shipFulfillment", one, carrier="DPD", trackingNumber=api.unique("TN"))

    assert done["fulfillment"]["state"] == "DELIVERED"
    assert done["fulfillment"]["shippedAt"] <= done["fulfillment"]["deliveredAt"]
    assert (await shop.now(order))["status"] == "FULFILLED"


async def test_a_suppliers_goods_are_tracked_without_a_parcel(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(), 2), allocate=False)
    success = "... on FulfillmentSuccess { fulfillment { id } }"
    sent = (await api.mutate("dropshipOrder", success, order={"id": order}, supplier="SUPPLIER"))["fulfillment"]
    number = api.unique("TN")
    await shop.move("shipFulfillment", sent, carrier="DHL", trackingNumber=number)

    results = await recorded(
        api, says({"trackingNumber": number}, "IN_TRANSIT", 1), says({"fulfillment": sent["id"]}, "DELIVERED", 2)
    )

    (one,) = results[-1]["fulfillments"]
    assert (one["state"], one["order"]["status"]) == ("DELIVERED", "FULFILLED")
    assert [event["status"] for event in one["trackingEvents"]] == ["DELIVERED", "IN_TRANSIT"]


async def test_a_number_that_carriers_use_again_means_the_newest(shop: Shop, api: Served):
    number = api.unique("TN")
    ones = []
    for _ in range(2):
        _, one, _ = await packed(shop)
        await shop.move("shipFulfillment", one, carrier="DPD", trackingNumber=number)
        ones.append(one["id"])

    (told,) = await recorded(api, says({"trackingNumber": number}, "IN_TRANSIT", 1))

    assert [one["id"] for one in told["fulfillments"]] == ones[1:]


async def test_each_event_has_its_own_answer(shop: Shop, api: Served):
    _, _, parcels, numbers = await shipped(shop)
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    results = await recorded(
        api,
        says({"trackingNumber": "nobody-has-this"}, "IN_TRANSIT"),
        says({"parcel": "garbage"}, "IN_TRANSIT"),
        says({"fulfillment": parcels[0]}, "IN_TRANSIT"),
        says({"trackingNumber": numbers[0]}, "DELIVERED") | {"occurredAt": soon},
        says({"trackingNumber": numbers[0]}, "IN_TRANSIT"),
    )

    assert [one["outcome"] for one in results] == ["REFUSED"] * 4 + ["RECORDED"]
    assert [one["refusal"] and one["refusal"]["__typename"] for one in results] == [
        *(["NotFound"] * 3),
        "InvalidInput",
        None,
    ]
    assert results[0]["refusal"]["references"] == ["nobody-has-this"]
    assert results[1]["refusal"]["references"] == ["garbage"]
    assert results[3]["refusal"]["problems"] == [
        {"path": ["input", "events", "3", "occurredAt"], "code": "OUT_OF_RANGE"}
    ]


@pytest.mark.parametrize(
    ("events", "path", "code"),
    [
        ([], ["input", "events"], "REQUIRED"),
        (
            [says({"trackingNumber": " "}, "IN_TRANSIT")],
            ["input", "events", "0", "about", "trackingNumber"],
            "REQUIRED",
        ),
        (
            [says({"trackingNumber": "x"}, "IN_TRANSIT", message="x" * 2_001)],
            ["input", "events", "0", "message"],
            "TOO_LONG",
        ),
        ([says({"trackingNumber": "x"}, "IN_TRANSIT")] * 201, ["input", "events"], "TOO_MANY"),
        (
            [says({"trackingNumber": "x"}, "IN_TRANSIT", place="\u0000")],
            ["input", "events", "0", "place"],
            "INVALID_CHARACTER",
        ),
    ],
    ids=["nothing", "no number", "too long", "too many", "NUL"],
)
async def test_what_makes_no_sense_is_refused_as_a_whole(api: Served, events: list[Any], path: list[str], code: str):
    refused = (await api(RECORD, input={"events": events}))["recordTrackingEvents"]

    assert refused["__typename"] == "InvalidInput"
    assert {"path": path, "code": code} in refused["problems"]


async def test_r11_what_failed_or_comes_back_is_found(shop: Shop, api: Served):
    _, one, _, numbers = await shipped(shop)
    await recorded(api, says({"trackingNumber": numbers[0]}, "RETURN_TO_SENDER", 3))

    found = (await api(FOUND, statuses=["FAILURE", "RETURN_TO_SENDER"]))["fulfillments"]["nodes"]

    assert one["id"] in {node["id"] for node in found}
    assert (await api(FOUND, statuses=[]))["fulfillments"]["nodes"] == []


async def test_a8_r11_what_a_carrier_says_is_pushed(shop: Shop, api: Served):
    order, _, _, numbers = await shipped(shop)
    query = """subscription ($after: String) { fulfillmentChanged(after: $after) {
      orderNumber before after trackingStatus actor } }"""
    number = (await api("query ($id: ID!) { order(by: {id: $id}) { number } }", id=order))["order"]["number"]
    async with api.socket() as socket:
        await socket.subscribe("1", query, after=(await api("{ eventCursor }"))["eventCursor"])
        await recorded(api, says({"trackingNumber": numbers[0]}, "OUT_FOR_DELIVERY", 3))
        while True:
            told = (await socket.next("1"))["fulfillmentChanged"]
            if told["orderNumber"] == number and told["trackingStatus"]:
                break

    assert (told["before"], told["after"], told["trackingStatus"]) == ("SHIPPED", "SHIPPED", "OUT_FOR_DELIVERY")
    assert told["actor"]
