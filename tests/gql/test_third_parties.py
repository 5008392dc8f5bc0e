"""Others who do a part of the work: what they may do with it, and that they know of nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gql.serving import Served, serving
from tests.gql.test_fulfillments import Shop
from tests.gql.test_runs import ended, statuses

STATES = "{ fulfillments(first: 50) { nodes { id state location { code } order { number } } } }"
TASKS = "query ($at: String!) { pickTasks(location: $at) { nodes { sku } } }"
COUNTS = "{ orderCounts { total byStatus { count } } orders(first: 50) { nodes { number } } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename } }"
LEVELS = "{ stockLevels(first: 50) { nodes { location { code } } } }"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as served:
        await served.mutate("saveLocations", locations=[{"code": one, "name": one} for one in ("LEEDS", "YORK")])
        yield served


async def released_at(shop: Shop, location: str) -> Any:
    """The fulfillment of an order that only this location can serve."""
    sku = await shop.sku(**{location.lower(): 2})
    (fulfillment,) = await shop.released(await shop.order((sku, 2)))
    assert fulfillment["location"]["code"] == location
    return fulfillment


async def test_l15_a_3pl_works_the_fulfillments_of_its_own_centre_and_knows_of_no_other(served: Served):
    ours = Shop(served)
    here, elsewhere = await released_at(ours, "YORK"), await released_at(ours, "LEEDS")
    key = await served.key_of("fulfillment:write", "inventory:read", locations=["YORK"])
    theirs = Shop(key)

    seen = (await key(STATES))["fulfillments"]["nodes"]
    assert [(one["id"], one["location"]["code"]) for one in seen] == [(here["id"], "YORK")]
    assert await key(NODE, id=elsewhere["id"]) == {"node": None}
    assert {one["location"]["code"] for one in (await key(LEVELS))["stockLevels"]["nodes"]} == {"YORK"}
    refused = await theirs.move("packFulfillment", elsewhere, parcels=[{}])
    assert refused["__typename"] == "NotFound"
    (told,) = await theirs.record({"task": elsewhere["pickTasks"][0]["id"], "quantity": 2})
    assert (told["outcome"], told["refusal"]["__typename"]) == ("CONFLICT", "NotFound")
    assert await key.code("{ orders(first: 1) { nodes { number } } }") == "FORBIDDEN"
    question = "mutation ($input: VoidOrderInput!) { voidOrder(input: $input) { __typename } }"
    assert await key.code(question, input={"order": {"id": "x"}, "reason": "x", "idempotencyKey": "x"}) == "FORBIDDEN"

    await theirs.pick(here)
    packed = await theirs.move("packFulfillment", here, parcels=[{"weightGrams": 900}])
    assert packed["fulfillment"]["state"] == "PACKED"
    shipped = await theirs.move("shipFulfillment", here, carrier="Royal Mail", trackingNumber="RM1")
    assert shipped["fulfillment"]["state"] == "SHIPPED"
    delivered = await theirs.move("deliverFulfillment", here)
    assert delivered["fulfillment"]["state"] == "DELIVERED"

    states = {one["id"]: one["state"] for one in (await served(STATES))["fulfillments"]["nodes"]}
    assert states == {here["id"]: "DELIVERED", elsewhere["id"]: "RELEASED"}


async def test_a_phone_can_do_nothing_but_pick_at_its_location(served: Served):
    ours = Shop(served)
    here, elsewhere = await released_at(ours, "YORK"), await released_at(ours, "LEEDS")
    phone = await served.key_of("fulfillment:pick", locations=["YORK"])

    assert len((await phone(TASKS, at="YORK"))["pickTasks"]["nodes"]) == 1
    assert (await phone(TASKS, at="LEEDS"))["pickTasks"]["nodes"] == []
    for name in ("packFulfillment", "shipFulfillment"):
        kind = name[0].upper() + name[1:]
        document = f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{ __typename }} }}"
        assert await phone.code(document, input={"fulfillment": here["id"], "idempotencyKey": "1"}) == "FORBIDDEN"
    await Shop(phone).pick(here)
    (told,) = await Shop(phone).record({"task": elsewhere["pickTasks"][0]["id"], "quantity": 2})
    assert (told["outcome"], told["refusal"]["__typename"]) == ("CONFLICT", "NotFound")


async def test_i17_a_partner_counts_its_own_orders_and_no_others(served: Served):
    shop = Shop(served)
    sku = await shop.sku(leeds=5)
    for channel, number in (("WEB", "1"), ("TILL", "2"), ("TILL", "3")):
        wanted = {"channel": channel, "number": number, "lines": [{"sku": sku, "quantity": 1}]}
        await served.mutate("placeOrder", **wanted)
    partner = await served.key_of("orders:read", channels=["WEB"])

    told = await partner(COUNTS)

    assert [one["number"] for one in told["orders"]["nodes"]] == ["1"]
    assert told["orderCounts"]["total"] == 1
    assert sum(one["count"] for one in told["orderCounts"]["byStatus"]) == 1


CART = "query ($id: ID!) { stockReservation(id: $id) { state } }"
RESERVED = "... on ReserveStockSuccess { reservation { id lines { from { quantity } } } }"
PLACED = "... on PlaceOrderSuccess { order { allocationStatus } }"


async def test_a_partner_reserves_for_carts_of_its_own_and_knows_of_no_other(served: Served):
    sku = await Shop(served).sku(leeds=9)
    lines = [{"sku": sku, "quantity": 2}]
    strangers = [
        (await served.mutate("reserveStock", RESERVED, lines=lines, **whose))["reservation"]["id"]
        for whose in ({"channel": "theirs"}, {})
    ]
    key = await served.key_of("orders:write", channels=["ours"])

    ours = (await key.mutate("reserveStock", RESERVED, lines=lines))["reservation"]
    assert ours["lines"] == [{"from": [{"quantity": 2}]}]
    assert (await key.mutate("reserveStock", lines=lines, channel="theirs"))["__typename"] == "NotFound"
    for cart in strangers:
        assert await key(CART, id=cart) == {"stockReservation": None}
        assert (await key.mutate("releaseReservation", reservation=cart))["__typename"] == "NotFound"
        taken = await key.mutate("placeOrder", channel="ours", number="1", lines=lines, reservation=cart)
        assert taken["__typename"] == "NotFound"
        assert await served(CART, id=cart) == {"stockReservation": {"state": "ACTIVE"}}

    placed = await key.mutate("placeOrder", PLACED, channel="ours", number="1", lines=lines, reservation=ours["id"])
    assert placed["order"] == {"allocationStatus": "ALLOCATED"}
    assert await key(CART, id=ours["id"]) == {"stockReservation": {"state": "TAKEN_OVER"}}


async def test_a_partner_of_several_channels_says_whose_cart_it_is(served: Served):
    lines = [{"sku": await Shop(served).sku(leeds=9), "quantity": 2}]
    key = await served.key_of("orders:write", channels=["one", "other"])

    refused = await key.mutate("reserveStock", lines=lines)
    reserved = await key.mutate("reserveStock", RESERVED, lines=lines, channel="other")
    cart = reserved["reservation"]["id"]
    released = await key.mutate("releaseReservation", reservation=cart)

    assert [(one["path"], one["code"]) for one in refused["problems"]] == [(["input", "channel"], "REQUIRED")]
    assert released["__typename"] == "ReleaseReservationSuccess"
    assert await key(CART, id=cart) == {"stockReservation": {"state": "RELEASED"}}


STARTED = "... on StartAllocationRunSuccess { run { id } }"
RUN = "query ($id: ID!) { allocationRun(id: $id) { state total losers { total } } }"


async def test_a_partner_runs_its_own_orders_in_the_background_and_knows_of_no_other_run(served: Served):
    lines = [{"sku": await Shop(served).sku(leeds=9), "quantity": 2}]
    for channel in ("ours", "theirs"):
        await served.mutate("placeOrder", channel=channel, number="1", lines=lines)
    everything = (await served.mutate("startAllocationRun", STARTED, dryRun=True))["run"]["id"]
    key = await served.key_of("allocation:write", channels=["ours"])

    run = (await key.mutate("startAllocationRun", STARTED))["run"]["id"]
    refused = await key.mutate("startAllocationRun", STARTED, filter={"channels": ["ours", "theirs"]})
    cancel = "mutation ($run: ID!) { cancelAllocationRun(input: {run: $run}) { __typename } }"
    unknown = (await key(cancel, run=everything))["cancelAllocationRun"]

    assert [(one["path"], one["code"]) for one in refused["problems"]] == [
        (["input", "filter", "channels", "1"], "UNKNOWN")
    ]
    assert unknown["__typename"] == "NotFound"
    assert await key(RUN, id=everything) == {"allocationRun": None}
    await ended(served, run)
    assert await key(RUN, id=run) == {"allocationRun": {"state": "SUCCEEDED", "total": 1, "losers": None}}
    assert sorted(await statuses(served)) == ["ALLOCATED", "UNALLOCATED"]
