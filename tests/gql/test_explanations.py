"""Why an order is short and when it can be had, over the API; and who is told when a supply slips."""

import asyncio
from typing import Any

import pytest

from tests.gql.serving import SECONDS_MAX, Served
from tests.gql.test_sourcing import place, save_channel

EXPLANATION = """
query ($by: OrderBy!) { order(by: $by) { allocationExplanation { lines {
  line { sku } needed allocated short expectedAt
  candidates { location { code } available taken reason message }
  heldBy { total orders { number } }
  expected { quantity expectedAt location { code } }
} } } }"""
EVENTS = """query ($orders: [ID!]) { events(filter: {types: ["ExpectedAtChanged"], orders: $orders}) { nodes {
  ... on ExpectedAtChanged { orderNumber channelCode skus supplyReference before after order { number } } } } }"""
MAY, JUNE, JULY = (f"2031-0{month}-01T00:00:00Z" for month in (5, 6, 7))


@pytest.fixture
async def shop(served: Served) -> Served:
    locations = [{"code": code, "name": code.title(), "rank": rank} for rank, code in enumerate(("LEEDS", "YORK"))]
    await served.mutate("saveLocations", locations=locations)
    await served.mutate("saveItems", items=[{"sku": sku, "name": sku} for sku in ("CHAIR", "TABLE")])
    return served


async def receive(api: Served, sku: str, units: int, at: str = "LEEDS") -> None:
    await api.mutate("receiveStock", location=at, lines=[{"sku": sku, "quantity": units}])


async def expect(api: Served, reference: str, at: str, units: int, location: str = "LEEDS") -> None:
    lines = [{"sku": "CHAIR", "quantity": units}]
    told = await api.mutate("expectSupply", reference=reference, location=location, expectedAt=at, lines=lines)
    assert told["__typename"] == "ExpectSupplySuccess", told


async def run(api: Served, *orders: dict[str, Any], **fields: Any) -> None:
    told = await api.mutate("allocateOrders", orders=list(orders), **fields)
    assert told["__typename"] == "AllocateOrdersSuccess", told


async def explained(api: Served, order: dict[str, Any]) -> Any:
    """The explanation of the first line."""
    found = (await api(EXPLANATION, by=order["order"]))["order"]["allocationExplanation"]
    return found and found["lines"][0]


async def slips(api: Served, number: int, orders: list[str] | None = None) -> list[Any]:
    """The events, once so many have their place in the log."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = (await api(EVENTS, orders=orders))["events"]["nodes"]
            if len(found) >= number:
                return list(found)
            await asyncio.sleep(0.05)


def reasons(line: Any) -> list[tuple[str, int, str | None]]:
    return [(one["location"]["code"], one["taken"], one["reason"]) for one in line["candidates"]]


async def test_only_an_order_that_a_run_has_looked_at_has_an_explanation(shop: Served):
    await receive(shop, "CHAIR", 1)
    order = await place(shop, "web", "1", {"CHAIR": 2})

    assert await explained(shop, order) is None
    await run(shop, order)
    line = await explained(shop, order)
    assert (line["needed"], line["allocated"], line["short"]) == (2, 1, 1)
    await shop.mutate("deallocateOrders", orders=[order["order"]])
    assert await explained(shop, order) is None


async def test_o11_a_short_line_says_who_holds_the_stock_the_strongest_first(shop: Served):
    await receive(shop, "CHAIR", 3)
    first = await place(shop, "web", "first", {"CHAIR": 1})
    strong = await place(shop, "web", "strong", {"CHAIR": 1}, priority=5)
    weak = await place(shop, "web", "weak", {"CHAIR": 1}, priority=-5)
    late = await place(shop, "web", "late", {"CHAIR": 2})
    await run(shop, weak, first, strong, late)

    line = await explained(shop, late)

    assert [order["number"] for order in line["heldBy"]["orders"]] == ["strong", "first"]
    assert line["heldBy"]["total"] == 2
    assert reasons(line) == [("LEEDS", 0, "HELD_BY_STRONGER_CLAIM")]
    assert line["candidates"][0]["message"] == "2 units of 3 on hand set aside for stronger claims."
    assert line["expectedAt"] is None


async def test_a_run_over_some_locations_explains_that_the_others_were_not_asked(shop: Served):
    await receive(shop, "CHAIR", 9, "YORK")
    await receive(shop, "CHAIR", 1, "LEEDS")
    order = await place(shop, "web", "1", {"CHAIR": 3})

    await run(shop, order, locations=["LEEDS"])

    assert reasons(await explained(shop, order)) == [
        ("LEEDS", 1, "INSUFFICIENT_AVAILABLE"),
        ("YORK", 0, "LOCATION_NOT_ASKED_FOR"),
    ]
    await run(shop, order)
    assert reasons(await explained(shop, order)) == [("LEEDS", 1, None), ("YORK", 2, None)]


async def test_a_location_that_does_not_serve_the_channel_says_so(shop: Served):
    await receive(shop, "CHAIR", 9, "YORK")
    await save_channel(shop, code="web", name="Web", locations=["LEEDS"])
    order = await place(shop, "web", "1", {"CHAIR": 3})
    await run(shop, order)

    assert reasons(await explained(shop, order)) == [("YORK", 0, "LOCATION_NOT_IN_CHANNEL")]


async def test_the_date_of_a_line_takes_the_orders_before_it_into_account(shop: Served):
    await expect(shop, "PO-1", MAY, 3)
    await expect(shop, "PO-2", JUNE, 2)
    old, urgent, new = [
        await place(shop, "web", number, {"CHAIR": 2}, priority=priority)
        for number, priority in (("old", 0), ("urgent", 9), ("new", 0))
    ]
    await run(shop, old, urgent, new)

    dates = [(await explained(shop, order))["expectedAt"] for order in (urgent, old, new)]
    assert dates == [MAY, JUNE, None], "new lacks a unit that nobody expects"
    assert (await explained(shop, old))["expected"] == [
        {"quantity": 1, "expectedAt": MAY, "location": {"code": "LEEDS"}},
        {"quantity": 1, "expectedAt": JUNE, "location": {"code": "LEEDS"}},
    ]


async def test_orders_that_rest_on_a_supply_are_told_when_it_slips_and_nobody_else(shop: Served):
    await expect(shop, "PO-1", MAY, 2)
    await expect(shop, "PO-2", JUNE, 2)
    orders = [await place(shop, "web", number, {"CHAIR": 2}) for number in ("1", "2", "3")]
    await run(shop, *orders)

    await shop.mutate("rescheduleSupply", supply={"reference": "PO-1"}, expectedAt=JULY)

    assert await slips(shop, 2) == [
        {
            "orderNumber": number,
            "channelCode": "web",
            "skus": ["CHAIR"],
            "supplyReference": "PO-1",
            "before": before,
            "after": after,
            "order": {"number": number},
        }
        for number, before, after in (("1", MAY, JUNE), ("2", JUNE, JULY))
    ]
    assert (await explained(shop, orders[0]))["expectedAt"] == JUNE


async def test_orders_that_rest_on_a_supply_are_told_when_it_is_called_off(shop: Served):
    await expect(shop, "PO-1", MAY, 2)
    order = await place(shop, "web", "1", {"CHAIR": 2})
    await run(shop, order)

    await shop.mutate("cancelSupply", supply={"reference": "PO-1"}, reason="The supplier has none.")

    (event,) = await slips(shop, 1)
    assert (event["before"], event["after"]) == (MAY, None)
    assert (await explained(shop, order))["expectedAt"] is None


async def test_what_happens_to_the_date_of_an_order_is_found_by_the_order(shop: Served):
    await expect(shop, "PO-1", MAY, 4)
    orders = [await place(shop, "web", number, {"CHAIR": 2}) for number in ("1", "2")]
    await run(shop, *orders)
    await shop.mutate("rescheduleSupply", supply={"reference": "PO-1"}, expectedAt=JULY)
    (wanted,) = (await shop('{ orders(filter: {search: "2"}) { nodes { id } } }'))["orders"]["nodes"]

    assert [event["orderNumber"] for event in await slips(shop, 1, [wanted["id"]])] == ["2"]


async def test_an_order_that_ships_complete_can_be_had_when_its_last_line_can(shop: Served):
    await expect(shop, "PO-1", MAY, 2)
    order = await place(shop, "web", "1", {"CHAIR": 2, "TABLE": 1}, shippingPolicy="SHIP_COMPLETE")
    await run(shop, order)

    assert (await explained(shop, order))["expectedAt"] is None, "nobody expects the table"
    lines = [{"sku": "TABLE", "quantity": 1}]
    await shop.mutate("expectSupply", reference="PO-2", location="LEEDS", expectedAt=JULY, lines=lines)
    assert (await explained(shop, order))["expectedAt"] == JULY
    assert [one["expectedAt"] for one in (await explained(shop, order))["expected"]] == [MAY]


async def test_more_that_is_expected_than_an_int_holds_is_told_as_the_most_that_one_holds(shop: Served):
    for number in range(3):
        await expect(shop, f"PO-{number}", MAY, 1_000_000_000)
    select = "... on StockSuccess { levels { onHand incoming } }"

    told = await shop.mutate("receiveStock", select, location="LEEDS", lines=[{"sku": "CHAIR", "quantity": 1}])

    assert told["levels"] == [{"onHand": 1, "incoming": 2_147_483_647}]
