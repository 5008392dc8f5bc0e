"""The timeline of an order over the API: who did what and when, page by page, also after the log was cut."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from dibs.opening import opened
from services.credentials import create_key
from tests.gql.serving import Served, all_numbered, cut_after, serving
from tests.gql.test_fulfillments import Shop

TIMELINE = """query ($id: ID!, $first: Int! = 100, $after: String) { order(by: {id: $id}) {
  timeline(first: $first, after: $after) {
    edges { cursor node { words } } forgottenBefore pageInfo { hasNextPage endCursor }
    nodes { kind words actor occurredAt event { __typename id cursor occurredAt } } } } }"""


PENNY = {"amount": "0.01", "currencyCode": "GBP"}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, event_retention_days=1) as served:
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        yield served


@pytest.fixture
def shop(served: Served) -> Shop:
    return Shop(served)


async def timeline(served: Served, order: str, **more: Any) -> Any:
    await all_numbered(served.database)
    return (await served(TIMELINE, id=order, **more))["order"]["timeline"]


async def words(served: Served, order: str) -> list[str]:
    return [one["words"] for one in (await timeline(served, order))["nodes"]]


async def as_somebody(served: Served, name: str) -> Served:
    """The same API, asked with a key of this name."""
    async with opened(served.database_url) as database:
        _, key = await create_key(database, name)
    return Served(served.app, served.server, served.running, served.port, key, served.client, served.database_url)


async def test_l1_a5_c16_the_timeline_tells_who_did_what_from_placement_to_delivery(served: Served, shop: Shop):
    sku = await shop.sku(leeds=5)
    ann, bob = await as_somebody(served, "ann"), await as_somebody(served, "bob")
    order = await Shop(ann).order((sku, 2), allocate=False)
    await bob.mutate("holdOrders", orders=[{"id": order}], reason="MANUAL_REVIEW")
    await bob.mutate("releaseHolds", orders=[{"id": order}])
    await ann.mutate("allocateOrders", orders=[{"order": {"id": order}}])
    await bob.mutate("editOrder", order={"id": order}, priority=5)
    (one,) = await Shop(bob).released(order)
    await Shop(ann).pick(one)
    await Shop(ann).move("packFulfillment", one, parcels=[{}])
    await Shop(bob).move("shipFulfillment", one, carrier="DPD", trackingNumber="N-1")
    await Shop(ann).move("deliverFulfillment", one)

    told = await timeline(served, order)

    assert [(one["kind"], one["words"], one["actor"]) for one in told["nodes"]] == [
        ("ORDER", "Placed the order.", "ann"),
        ("HOLD", "Held the order: manual review.", "bob"),
        ("HOLD", "Ended a hold: manual review.", "bob"),
        ("ALLOCATION", "Everything is set aside: a run.", "ann"),
        ("ORDER", "Edited the order.", "bob"),
        ("FULFILLMENT", "LEEDS has the go-ahead.", "bob"),
        ("ORDER", "Released the order.", "bob"),
        ("FULFILLMENT", "Everything is picked at LEEDS.", "ann"),
        ("FULFILLMENT", "Packed at LEEDS.", "ann"),
        ("FULFILLMENT", "Shipped from LEEDS with DPD, tracking number N-1.", "bob"),
        ("ALLOCATION", "Nothing is open any more: goods were shipped.", "bob"),
        ("FULFILLMENT", "Delivered what LEEDS had sent.", "ann"),
        ("ORDER", "Everything has arrived: the order is fulfilled.", "ann"),
    ]
    assert told["forgottenBefore"] is None
    times = [one["occurredAt"] for one in told["nodes"]]
    assert times == sorted(times)
    assert all(one["event"]["occurredAt"] == one["occurredAt"] for one in told["nodes"])


async def test_o13_who_took_the_stock_from_under_an_order_stands_in_its_timeline(served: Served, shop: Shop):
    sku = await shop.sku(leeds=2)
    order = await shop.order((sku, 2))
    counting = await as_somebody(served, "counting")
    lines = [{"sku": sku, "change": {"counted": 1}}]
    await counting.mutate("adjustStock", location="LEEDS", reason="COUNT", lines=lines)

    last = (await timeline(served, order))["nodes"][-1]

    assert (last["words"], last["actor"]) == ("Stock that was set aside is gone: stock was corrected.", "counting")


async def test_of_several_who_change_an_order_at_a_time_each_is_named_for_their_own_change(served: Served, shop: Shop):
    """They share one transaction, where they come together."""
    order = await shop.order((await shop.sku(leeds=50), 2), allocate=False, shippingPrice=PENNY)
    people = {name: await as_somebody(served, name) for name in ("ann", "bob", "eve")}
    deeds = {
        "ann": ("holdOrders", {"orders": [{"id": order}], "reason": "CUSTOMIZATION"}),
        "bob": ("recordPayment", {"order": {"id": order}, "amount": PENNY, "method": "cash"}),
        "eve": ("editOrder", {"order": {"id": order}, "priority": 3}),
    }

    await asyncio.gather(*(people[name].mutate(deed, **fields) for name, (deed, fields) in deeds.items()))

    told = {one["words"]: one["actor"] for one in (await timeline(served, order))["nodes"]}
    assert told["Held the order: customization."] == "ann"
    assert told["Recorded a payment."] == "bob"
    assert told["Edited the order."] == "eve"


async def test_what_dibs_does_by_itself_is_told_as_its_own(served: Served, shop: Shop):
    rules = [{"name": "all", "when": "AT_ONCE"}]
    await served.mutate("saveAllocationRules", rules=rules)
    channel = {"code": "AUTO", "name": "Auto", "releasesByItself": True}
    await served.mutate("saveChannels", channels=[channel])
    order = await shop.order((await shop.sku(leeds=5), 2), allocate=False, channel="AUTO")

    async with asyncio.timeout(20):
        while "Released the order." not in await words(served, order):  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.05)

    told = {one["words"]: one["actor"] for one in (await timeline(served, order))["nodes"]}
    assert told["Released the order."] == "dibs"
    assert told["Placed the order."] == told["Everything is set aside: a run."] != "dibs"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_pages_of_any_size_have_every_entry_once_and_in_order(served: Served, shop: Shop, size: int):
    order = await shop.order((await shop.sku(leeds=5), 2), payments=[])
    for number in range(4):
        await served.mutate("editOrder", order={"id": order}, priority=number + 1)
        await served.mutate("holdOrders", orders=[{"id": order}], reason="OTHER")
        await served.mutate("releaseHolds", orders=[{"id": order}])
    (one,) = await shop.released(order)
    await shop.pick(one)
    everything = await timeline(served, order)

    found: list[str] = []
    after = None
    while True:
        page = await timeline(served, order, first=size, after=after)
        assert len(page["edges"]) <= size
        found += [edge["cursor"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert found == [edge["cursor"] for edge in everything["edges"]]
    assert len(set(found)) == len(found) >= 16


async def test_new_entries_come_behind_a_cursor_that_was_at_the_end(served: Served, shop: Shop):
    order = await shop.order((await shop.sku(leeds=5), 2))
    end = (await timeline(served, order))["pageInfo"]["endCursor"]
    assert (await timeline(served, order, after=end))["nodes"] == []

    await served.mutate("editOrder", order={"id": order}, priority=5)

    assert [one["words"] for one in (await timeline(served, order, after=end))["nodes"]] == ["Edited the order."]


async def test_after_the_log_was_cut_the_timeline_says_before_when_something_is_missing(served: Served, shop: Shop):
    old, new = await shop.order((await shop.sku(leeds=5), 2)), None
    whole = await timeline(served, old)
    position = await end_of(served)
    await cut_after(served, position)
    await served.mutate("editOrder", order={"id": old}, priority=5)
    new = await shop.order((await shop.sku(leeds=5), 2))

    left, fresh = await timeline(served, old), await timeline(served, new)

    assert whole["forgottenBefore"] is None
    assert [one["words"] for one in left["nodes"]] == ["Edited the order."]
    assert whole["nodes"][-1]["occurredAt"] < left["forgottenBefore"] <= left["nodes"][0]["occurredAt"]
    assert fresh["forgottenBefore"] is None
    gone = whole["edges"][0]["cursor"]
    assert await served.code(TIMELINE, id=old, after=gone) == "CURSOR_EXPIRED"


async def end_of(served: Served) -> int:
    await all_numbered(served.database)
    async with served.database.engine.connect() as connection:
        return int((await connection.execute(text("SELECT position FROM log_end"))).scalar_one())


async def test_events_from_before_actors_were_kept_are_told_without_one(served: Served, shop: Shop):
    order = await shop.order((await shop.sku(leeds=5), 2))
    async with served.database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE events SET payload = payload - 'actors' - 'actor' - 'holds_placed' - 'holds_ended'")
        )

    told = (await timeline(served, order))["nodes"]

    assert [(one["words"], one["actor"]) for one in told] == [
        ("Placed the order.", None),
        ("Everything is set aside: a run.", None),
    ]


@pytest.mark.parametrize(("fields", "code"), [({"first": 0}, "BAD_USER_INPUT"), ({"after": "x"}, "BAD_USER_INPUT")])
async def test_a_page_that_makes_no_sense_is_refused(served: Served, shop: Shop, fields: dict[str, Any], code: str):
    order = await shop.order((await shop.sku(leeds=5), 2))

    assert await served.code(TIMELINE, id=order, **fields) == code


async def test_a_supply_that_slips_stands_in_the_timeline_of_those_who_wait(served: Served, shop: Shop):
    sku = await shop.sku()
    await served.mutate(
        "expectSupply",
        reference="PO-1",
        location="LEEDS",
        expectedAt="2030-01-05T00:00:00Z",
        lines=[{"sku": sku, "quantity": 5}],
    )
    order = await shop.order((sku, 2))
    buying = await as_somebody(served, "buying")
    await buying.mutate("rescheduleSupply", supply={"reference": "PO-1"}, expectedAt="2030-02-05T00:00:00Z")

    last = (await timeline(served, order))["nodes"][-1]

    assert (last["kind"], last["actor"]) == ("EXPECTATION", "buying")
    assert "2030-02-05" in last["words"]
