"""One order from the shop to the doorstep: everything that can go wrong on the way does, and every step is heard of."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gql.serving import Served, Socket, serving
from tests.gql.test_documents import MADE, money
from tests.gql.test_fulfillments import HOME, Shop
from tests.gql.test_returns import FOLLOWED, Counter

EVENTS = """
    subscription ($order: [ID!]!, $after: String) { events(filter: {orders: $order}, after: $after) {
      __typename cursor
      ... on OrderChanged { orderId orderVersion changes }
      ... on AllocationStatusChanged { orderVersion was: before now: after cause }
      ... on FulfillmentChanged { fulfillmentId fulfillmentVersion from: before to: after actor }
      ... on ReturnChanged { returnVersion back: after resold discarded by: actor }
    } }"""
ORDER = """
    query ($id: ID!) { order(by: {id: $id}) {
      status allocationStatus fulfillmentStatus paymentStatus version
      lines { sku open shipped } invoices { number partial totals { total } }
      fulfillments { id state location { code } } } }"""


@pytest.fixture
async def shop(served: Served) -> Shop:
    await served.mutate(
        "saveLocations",
        locations=[
            {"code": "LEEDS", "name": "Leeds", "requiresQualityCheck": True},
            {"code": "YORK", "name": "York", "rank": 200},
        ],
    )
    await served.mutate("saveMerchant", "... on SaveMerchantSuccess { merchant { taxId } }", taxId="GB1")
    return Shop(served)


async def test_from_placed_to_delivered_with_a_short_pick_a_failed_check_and_a_partial_shipment(
    shop: Shop, served: Served
):
    chair, lamp = await shop.sku(leeds=3, york=4), await shop.sku(leeds=5)
    start = (await served("{ eventCursor }"))["eventCursor"]

    order = await place(shop, chair, lamp)
    assert (await now(served, order))["status"] == "DRAFT"
    await served.mutate("finalizeOrder", "... on FinalizeOrderSuccess { order { id } }", order={"id": order})
    allocating = "... on AllocateOrdersSuccess { __typename }"
    await served.mutate("allocateOrders", allocating, orders=[{"order": {"id": order}}])
    (leeds,) = await released_after_what_was_in_the_way(shop, order)

    tasks = {task["sku"]: task for task in leeds["pickTasks"]}
    (short, rest) = await shop.record(
        {"task": tasks[chair]["id"], "quantity": 2, "short": {"reason": "DAMAGED"}},
        {"task": tasks[lamp]["id"], "quantity": 2},
    )
    (york,) = short["fulfillments"]  # the third chair
    assert (york["location"]["code"], rest["outcome"]) == ("YORK", "APPLIED")

    lamps = next(line["line"]["id"] for line in leeds["lines"] if line["line"]["sku"] == lamp)
    failed = [{"line": lamps, "quantity": 1, "reason": "DEFECTIVE"}]
    checked = await shop.move("checkFulfillment", leeds, failed=failed)
    await shop.pick(checked["fulfillment"])
    await shop.move("checkFulfillment", leeds)
    await shop.move("packFulfillment", leeds, parcels=[{"weightGrams": 900}])
    shipped = await shop.move("shipFulfillment", leeds, carrier="Royal Mail", trackingNumber="RM1")
    assert shipped["fulfillment"]["order"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    first = (await served.mutate("createInvoice", MADE, order={"id": order}))["invoice"]
    await shop.move("deliverFulfillment", leeds)

    await shop.pick(york)
    await shop.move("packFulfillment", york, parcels=[{"weightGrams": 400}])
    await shop.move("shipFulfillment", york, carrier="Royal Mail", trackingNumber="RM2")
    second = (await served.mutate("createInvoice", MADE, order={"id": order}))["invoice"]
    await shop.move("deliverFulfillment", york)

    done = await now(served, order)
    assert (done["status"], done["fulfillmentStatus"], done["allocationStatus"]) == ("FULFILLED", "DELIVERED", None)
    assert [one["shipped"] for one in done["lines"]] == [3, 2]
    assert (first["partial"], second["partial"]) == (True, False)
    assert (await shop.level(chair))["damaged"] == 1
    assert (await shop.level(lamp))["qualityControl"] == 1
    await every_step_was_heard_of_in_order(served, order, start, done["version"])


async def place(shop: Shop, chair: str, lamp: str) -> str:
    placed = await shop.api.mutate(
        "placeOrder",
        "... on PlaceOrderSuccess { order { id } }",
        channel="PHONE",
        number="1001",
        draft=True,
        customer={"name": "Ada King", "email": "ada@example.com"},
        shipTo=HOME,
        lines=[
            {"sku": chair, "quantity": 3, "unitPrice": money("20.00")},
            {"sku": lamp, "quantity": 2, "unitPrice": money("10.00")},
        ],
    )
    return str(placed["order"]["id"])


async def released_after_what_was_in_the_way(shop: Shop, order: str) -> list[Any]:
    """It is not paid at first, and somebody wants to look at it."""
    holding = "... on HoldOrdersSuccess { results { index } }"
    await shop.api.mutate("holdOrders", holding, orders=[{"id": order}], reason="MANUAL_REVIEW", note="New customer")
    (refused,) = await shop.release(order)
    assert [one["code"] for one in refused["refusal"]["obstacles"]] == ["ON_HOLD", "PAYMENT_NOT_VERIFIED"]
    paying = "... on RecordPaymentSuccess { order { paymentStatus } }"
    await shop.api.mutate("recordPayment", paying, order={"id": order}, amount=money("80.00"), method="card")
    ending = "... on ReleaseHoldsSuccess { results { index } }"
    await shop.api.mutate("releaseHolds", ending, orders=[{"id": order}], reasons=["MANUAL_REVIEW"])
    return await shop.released(order)


async def now(served: Served, order: str) -> Any:
    return (await served(ORDER, id=order))["order"]


async def every_step_was_heard_of_in_order(served: Served, order: str, start: str, version: int) -> None:
    """Every version of the order, every step of its fulfillments, each once and in order."""
    async with served.socket() as socket:
        await socket.subscribe("1", EVENTS, order=[order], after=start)
        events = await heard(socket, version)
    versions = [one["orderVersion"] for one in events if one["__typename"] == "OrderChanged"]
    assert versions == list(range(1, version + 1))
    steps: dict[str, list[str]] = {}
    for one in events:
        if one["__typename"] == "FulfillmentChanged":
            steps.setdefault(one["fulfillmentId"], []).append(one["to"])
    first, second = ([step for at, step in enumerate(one) if one[at - 1 : at] != [step]] for one in steps.values())
    checked_twice = ["PICKING", "CHECKED"]
    assert [step for step in first if step != "PICKED"] == [
        "RELEASED", *checked_twice, "PACKED", "SHIPPED", "DELIVERED"
    ]  # fmt: skip
    assert [step for step in second if step != "PICKING"] == ["RELEASED", "PICKED", "PACKED", "SHIPPED", "DELIVERED"]
    assert events[-1]["__typename"] == "FulfillmentChanged" or "FULFILLED" in events[-1].get("changes", [])


async def heard(socket: Socket, version: int) -> list[Any]:
    """What is told up to the order's last version, and what is told of it beside."""
    events: list[Any] = []
    while not any(one.get("orderVersion") == version and "changes" in one for one in events):
        events.append((await socket.next("1"))["events"])
    return events


# ---------------------------------------------------------------- and back


async def test_l10_l11_what_comes_back_from_the_doorstep_serves_who_waits_and_every_step_is_heard_of_in_order(
    database_url: str,
):
    """The only lamp is sold twice. The first customer sends it back; the second gets it without anyone asking."""
    async with serving(database_url, run_waiting=True) as served:
        shop = Counter(served)
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        lamp = await shop.sku(leeds=2)
        first = await shop.sent((lamp, 2))
        waiting = await shop.order((lamp, 1))
        assert (await now(served, waiting))["allocationStatus"] == "COULD_NOT_ALLOCATE"
        start = (await served("{ eventCursor }"))["eventCursor"]
        async with served.socket() as socket:
            await socket.subscribe("1", EVENTS, order=[first["id"], waiting], after=start)

            said = {"outcome": "ISSUE_FOUND", "note": "One does not light."}
            await served.mutate("recordFollowUp", FOLLOWED, order={"id": first["id"]}, **said)
            one = await shop.asked(first, 2)
            await shop.receive(one)
            await shop.inspect(one, (1, "DISCARD"))
            await shop.inspect(one, (1, "RESELL"))
            events = await heard_until(socket, lambda event: event.get("now") == "ALLOCATED")

        steps = [(one["back"], one["resold"], one["discarded"]) for one in of(events, "ReturnChanged")]
        assert steps == [("REQUESTED", 0, 0), ("RECEIVED", 0, 0), ("RECEIVED", 0, 1), ("INSPECTED", 1, 1)]
        assert {one["by"] for one in of(events, "ReturnChanged")} == {one["requestedBy"]}
        changes = [(one["orderVersion"] - first["version"], *one["changes"]) for one in of_order(events, first)]
        assert changes == [(1, "FOLLOWED_UP"), *((at, "RETURN_CHANGED") for at in range(2, 6))]
        # The order that waited had it after the lamp was for sale again, and not before.
        assert [one["cause"] for one in of(events, "AllocationStatusChanged")] == ["RUN"]
        assert events.index(of(events, "AllocationStatusChanged")[0]) > events.index(of(events, "ReturnChanged")[-1])

        (fulfillment,) = await shop.released(waiting)
        await shop.pick(fulfillment)
        await shop.move("packFulfillment", fulfillment, parcels=[{}])
        await shop.move("shipFulfillment", fulfillment)
        await shop.move("deliverFulfillment", fulfillment)
        assert (await now(served, waiting))["status"] == "FULFILLED"
        level = await shop.level(lamp)
        assert (level["onHand"], level["committed"], level["unavailable"]) == (0, 0, 0)


async def heard_until(socket: Socket, is_last: Callable[[Any], bool]) -> list[Any]:
    events: list[Any] = []
    while not events or not is_last(events[-1]):
        events.append((await socket.next("1"))["events"])
    return events


def of(events: list[Any], kind: str) -> list[Any]:
    return [event for event in events if event["__typename"] == kind]


def of_order(events: list[Any], order: Any) -> list[Any]:
    return [event for event in of(events, "OrderChanged") if event["orderId"] == order["id"]]
