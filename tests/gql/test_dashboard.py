"""The dashboard: orders counted by every axis at one moment, and delivered against promised."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.kinds import HoldReason
from tests.gql.serving import Served
from tests.gql.test_fulfillments import HOME, Shop
from tests.statements import statements

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTS = """query ($filter: OrderFilter) { orderCounts(filter: $filter) {
  total onHold late deliveredOnTime deliveredLate
  byStatus { status count } byAllocationStatus { status count } byFulfillmentStatus { status count }
  byPaymentStatus { status count } byNeed { need count } byHoldReason { reason count } } }"""
ORDERS = """query ($filter: OrderFilter) { orders(filter: $filter, first: 100) { nodes {
  number status allocationStatus fulfillmentStatus paymentStatus need late deliveredOnTime deliveredAt
  promisedDeliveryAt holds { reason } } } }"""
AXES = {
    "byStatus": "status",
    "byAllocationStatus": "allocationStatus",
    "byFulfillmentStatus": "fulfillmentStatus",
    "byPaymentStatus": "paymentStatus",
    "byNeed": "need",
}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"
OURS = {"tags": ["all"]}
"""Orders that no test changes."""


async def counts(api: Served, **condition: Any) -> Any:
    return (await api(COUNTS, filter=condition))["orderCounts"]


async def found(api: Served, **condition: Any) -> list[Any]:
    nodes: list[Any] = (await api(ORDERS, filter=condition))["orders"]["nodes"]
    return nodes


async def numbers(api: Served, **condition: Any) -> set[str]:
    return {one["number"] for one in await found(api, **condition)}


def some(told: Any, axis: str) -> dict[str, int]:
    """What is not 0."""
    pairs = (tuple(one.values()) for one in told[axis])
    return {str(name): count for name, count in pairs if count}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(api: Served) -> Shop:
    """Orders in every state that there is."""
    served = api
    await served.mutate(
        "saveLocations",
        locations=[
            {"code": "LEEDS", "name": "Leeds"},
            {"code": "SUPPLIER", "name": "Supplier", "kind": "DROPSHIP", "rank": 900},
        ],
    )
    shop = Shop(served)
    sku, rare = await shop.sku(leeds=100), await shop.sku(leeds=1)
    priced = {"lines": [{"sku": sku, "quantity": 1, "unitPrice": {"amount": "5", "currencyCode": "GBP"}}]}

    async def place(number: str, *, allocate: bool = True, **more: Any) -> str:
        wanted = (
            {"channel": "WEB", "shipTo": HOME, "number": number, "lines": [{"sku": sku, "quantity": 2}]} | OURS | more
        )
        placed = await served.mutate("placeOrder", "... on PlaceOrderSuccess { order { id } }", **wanted)
        order = str(placed["order"]["id"])
        if allocate:
            await served.mutate("allocateOrders", orders=[{"order": {"id": order}}])
        return order

    await place("draft", allocate=False, draft=True, promisedDeliveryAt=PAST)
    await place("new", allocate=False, promisedDeliveryAt=FUTURE, tags=["all", "some"])
    await place("ready", tags=["all", "some"], promisedDeliveryAt=PAST)
    await place("unpaid", **priced)
    held = await place("held")
    await served.mutate("holdOrders", orders=[{"id": held}], reason="CUSTOMIZATION")
    await served.mutate("holdOrders", orders=[{"id": held}], reason="MANUAL_REVIEW")
    await served.mutate("holdOrders", orders=[{"id": await place("eased")}], reason="MANUAL_REVIEW")
    await served.mutate(
        "releaseHolds", orders=[{"number": {"channel": "WEB", "number": "eased"}}], reasons=["MANUAL_REVIEW"]
    )
    await place("short", lines=[{"sku": rare, "quantity": 2}])
    void = await place("void", promisedDeliveryAt=PAST)
    await served.mutate("voidOrder", order={"id": void}, reason="a test")
    await shop.released(await place("released"))
    stages = {}
    for number, promised in (("packed", None), ("shipped", PAST), ("in time", FUTURE), ("too late", PAST)):
        more = {"promisedDeliveryAt": promised} if promised else {}
        (stages[number],) = await shop.released(await place(number, **more))
        await shop.pick(stages[number])
        await shop.move("packFulfillment", stages[number], parcels=[{}])
    for number in ("shipped", "in time", "too late"):
        await shop.move("shipFulfillment", stages[number])
    for number in ("in time", "too late"):
        await shop.move("deliverFulfillment", stages[number])
    supplied = await place("supplied", allocate=False)
    await served.mutate("dropshipOrder", order={"id": supplied}, supplier="SUPPLIER")
    return shop


async def test_c1_c7_orders_are_counted_by_every_axis(shop: Shop):
    told = await counts(shop.api, **OURS)

    assert told["total"] == 14
    assert some(told, "byStatus") == {"DRAFT": 1, "FINALIZED": 10, "FULFILLED": 2, "VOID": 1}
    assert some(told, "byFulfillmentStatus") == {
        "NOT_RELEASED": 8,
        "RELEASED": 2,
        "PACKED": 1,
        "SHIPPED": 1,
        "DELIVERED": 2,
    }
    assert some(told, "byPaymentStatus") == {"PAID": 13, "UNPAID": 1}
    assert some(told, "byNeed") == {"PICK_AND_PACK": 3, "SHIP": 1}
    assert some(told, "byHoldReason") == {"CUSTOMIZATION": 1, "MANUAL_REVIEW": 1}
    assert [told[name] for name in ("onHold", "late", "deliveredOnTime", "deliveredLate")] == [1, 3, 1, 1]
    assert len(told["byHoldReason"]) == len(HoldReason), "also where it is 0"
    assert len(told["byNeed"]) == 2


async def test_c1_c7_counts_are_those_of_the_lists_whatever_the_filter(shop: Shop):
    conditions: list[dict[str, Any]] = [
        {},
        {"tags": ["some"]},
        {"late": True},
        {"late": False},
        {"needs": ["PICK_AND_PACK"]},
        {"needs": ["SHIP"]},
        {"needs": []},
        {"onHold": True},
        {"holdReasons": ["CUSTOMIZATION"]},
        {"statuses": ["FULFILLED"], "late": True},
        {"search": "nobody"},
    ]
    for condition in conditions:
        condition = OURS | condition
        told, orders = await counts(shop.api, **condition), await found(shop.api, **condition)

        assert told["total"] == len(orders), condition
        for axis, field in AXES.items():
            listed = [one[field] for one in orders if one[field]]
            assert some(told, axis) == {value: listed.count(value) for value in listed}, (condition, axis)
        assert told["onHold"] == sum(bool(one["holds"]) for one in orders)
        assert told["late"] == sum(one["late"] for one in orders)
        assert told["deliveredOnTime"] == sum(one["deliveredOnTime"] is True for one in orders)
        assert told["deliveredLate"] == sum(one["deliveredOnTime"] is False for one in orders)


async def test_c1_the_dashboard_is_one_statement(shop: Shop):
    with statements(shop.api.running.engine) as sent:
        await counts(shop.api)

    asked = [statement for statement, _ in sent if "grouping" in statement.lower()]
    assert len(asked) == 1
    assert len([statement for statement, _ in sent if " orders" in statement]) == 1


async def test_c7_staff_find_what_to_pick_and_what_to_ship(shop: Shop):
    assert await numbers(shop.api, needs=["PICK_AND_PACK"], **OURS) == {"ready", "eased", "released"}
    assert await numbers(shop.api, needs=["SHIP"], **OURS) == {"packed"}


async def test_l9_what_is_late_is_found_and_what_came_in_time_is_known(shop: Shop):
    orders = {one["number"]: one for one in await found(shop.api, **OURS)}

    assert await numbers(shop.api, late=True, **OURS) == {"ready", "shipped", "too late"}
    assert {name: one["deliveredOnTime"] for name, one in orders.items() if one["deliveredAt"]} == {
        "in time": True,
        "too late": False,
    }
    assert orders["shipped"]["deliveredOnTime"] is None
    assert orders["in time"]["promisedDeliveryAt"] == FUTURE


async def another(shop: Shop, **more: Any) -> dict[str, str]:
    """An order of the test's own."""
    return {"id": await shop.order((await shop.sku(leeds=5), 2), **more)}


async def test_l9_a_promise_is_made_changed_and_taken_back(shop: Shop):
    order = await another(shop, tags=["promise"], promisedDeliveryAt=FUTURE)

    async def edited(**fields: Any) -> Any:
        success = "... on EditOrderSuccess { order { late promisedDeliveryAt } }"
        return (await shop.api.mutate("editOrder", success, order=order, **fields))["order"]

    assert await edited(promisedDeliveryAt=PAST) == {"late": True, "promisedDeliveryAt": PAST}
    assert await edited(priority=3) == {"late": True, "promisedDeliveryAt": PAST}, "what is not named stays"
    assert len(await numbers(shop.api, late=True, tags=["promise"])) == 1
    assert await edited(promisedDeliveryAt=None) == {"late": False, "promisedDeliveryAt": None}
    refused = await shop.api.mutate("editOrder", order=order, promisedDeliveryAt="1066-10-14T09:00:00Z")
    assert [(one["path"], one["code"]) for one in refused["problems"]] == [
        (["input", "promisedDeliveryAt"], "OUT_OF_RANGE")
    ]


async def test_a_part_that_is_split_off_is_promised_for_the_same_time(shop: Shop):
    order = await another(shop, promisedDeliveryAt=FUTURE)
    lines = (await shop.now(order["id"]))["lines"]

    split = await shop.api.mutate(
        "splitOrder",
        "... on SplitOrderSuccess { split { promisedDeliveryAt } }",
        order=order,
        by={"lines": [{"line": lines[0]["id"], "quantity": 1}]},
    )

    assert split["split"]["promisedDeliveryAt"] == FUTURE


async def test_l9_an_order_becomes_late_by_the_clock_alone(shop: Shop):
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await another(shop, tags=["soon"], promisedDeliveryAt=soon)
    before = await numbers(shop.api, tags=["soon"])

    async with shop.api.running.engine.connect() as connection:
        await connection.exec_driver_sql("SELECT pg_sleep(2.1)")

    assert await numbers(shop.api, late=True, tags=["soon"]) == before
