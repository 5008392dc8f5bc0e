"""Channels that are served in their own way, and the policies of a run, over the API."""

from typing import Any

from tests.gql.serving import Served
from tests.gql.test_mutations import problems
from tests.gql.test_runs import ended

CHANNEL = "... on SaveChannelsSuccess { channels { code name sourcing splitLines locations { code } } }"
TAKEN = """... on AllocateOrdersSuccess {
    results { after sourcingCapped lines { from { quantity location { code } } short } } }"""


async def save_channel(api: Served, **fields: Any) -> Any:
    told = await api.mutate("saveChannels", CHANNEL, channels=[fields])
    return told["channels"][0] if "channels" in told else told


async def a_shop(api: Served, stock: dict[tuple[str, str], int]) -> None:
    places = {"LEEDS": (53.80, -1.55), "YORK": (53.96, -1.08), "HULL": (53.74, -0.33)}
    locations = [
        {"code": code, "name": code.title(), "rank": rank, "latitude": north, "longitude": east}
        for rank, (code, (north, east)) in enumerate(places.items())
    ]
    await api.mutate("saveLocations", locations=locations)
    await api.mutate("saveItems", items=[{"sku": sku, "name": sku} for sku in dict.fromkeys(sku for sku, _ in stock)])
    for (sku, at), units in stock.items():
        await api.mutate("receiveStock", location=at, lines=[{"sku": sku, "quantity": units}])


async def place(api: Served, channel: str, number: str, lines: dict[str, int], **fields: Any) -> dict[str, Any]:
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
    await api.mutate("placeOrder", channel=channel, number=number, lines=wanted, **fields)
    return {"order": {"number": {"channel": channel, "number": number}}}


async def taken(api: Served, *orders: dict[str, Any], **fields: Any) -> list[list[list[tuple[str, int]]]]:
    """Location and units by order and line."""
    told = await api.mutate("allocateOrders", TAKEN, orders=list(orders), **fields)
    return [
        [[(one["location"]["code"], one["quantity"]) for one in line["from"]] for line in result["lines"]]
        for result in told["results"]
    ]


async def test_a_channel_says_how_it_is_served_and_keeps_what_is_not_said(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 1})
    new = {"code": "web", "name": "Web", "sourcing": ["LOCATION_RANK"], "splitLines": True, "locations": None}

    assert await save_channel(served, code="web", name="Web") == new
    changed = new | {"sourcing": ["NEAREST", "MOST_STOCK"], "splitLines": False}
    changed["locations"] = [{"code": "LEEDS"}, {"code": "HULL"}]
    said = {"sourcing": ["NEAREST", "MOST_STOCK"], "splitLines": False, "locations": ["HULL", "LEEDS"]}
    assert await save_channel(served, code="web", **said) == changed
    assert await save_channel(served, code="web") == changed
    assert await save_channel(served, code="web", sourcing=None, locations=None, splitLines=True) == new
    assert await save_channel(served, code="web", locations=[]) | {"locations": []} == new | {"locations": []}


async def test_a_channel_with_mistakes_is_told_all_of_them_and_nothing_is_saved(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 1})

    assert problems(await save_channel(served, code="web", name=None, splitLines=None, sourcing=["NEAREST"] * 2)) == [
        ("input.channels.0.name", "REQUIRED"),
        ("input.channels.0.sourcing.1", "DUPLICATE"),
        ("input.channels.0.splitLines", "REQUIRED"),
    ]
    assert problems(await save_channel(served, code="web", locations=["LEEDS", "NOWHERE"])) == [
        ("input.channels.0.name", "REQUIRED"),
        ("input.channels.0.locations.1", "UNKNOWN"),
    ]
    assert (await served("{ channels { code } }"))["channels"] == []


async def test_l4_a2_the_nearest_location_serves_the_order_of_a_channel_that_wants_that(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 5, ("CHAIR", "HULL"): 2})
    await save_channel(served, code="web", name="Web", sourcing=["NEAREST"])
    near_hull = {"shipTo": {"latitude": 53.7, "longitude": -0.3}}

    orders = [
        await place(served, "web", "1", {"CHAIR": 3}, **near_hull),
        await place(served, "till", "2", {"CHAIR": 1}, **near_hull),
    ]

    assert await taken(served, *orders) == [[[("HULL", 2), ("LEEDS", 1)]], [[("LEEDS", 1)]]]


async def test_l4_an_order_is_sent_in_one_parcel_where_that_is_possible(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 1, ("TABLE", "YORK"): 1, ("CHAIR", "HULL"): 1, ("TABLE", "HULL"): 1})
    await save_channel(served, code="web", name="Web", sourcing=["FEWEST_SPLITS"])

    orders = [await place(served, "web", number, {"CHAIR": 1, "TABLE": 1}) for number in "12"]

    assert await taken(served, *orders) == [[[("HULL", 1)], [("HULL", 1)]], [[("LEEDS", 1)], [("YORK", 1)]]]


async def test_an_address_that_is_edited_counts_at_once(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 5, ("CHAIR", "HULL"): 5})
    await save_channel(served, code="web", name="Web", sourcing=["NEAREST"])
    order = await place(served, "web", "1", {"CHAIR": 1}, shipTo={"latitude": 53.8, "longitude": -1.5})

    await served.mutate("editOrder", **order, shipTo={"latitude": 53.7, "longitude": -0.3})

    assert await taken(served, order) == [[[("HULL", 1)]]]


async def test_a_channel_without_locations_gets_nothing_and_another_one_does(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 5})
    await save_channel(served, code="web", name="Web", locations=[])

    orders = [await place(served, channel, "1", {"CHAIR": 1}) for channel in ("web", "till")]

    assert await taken(served, *orders) == [[[]], [[("LEEDS", 1)]]]


async def test_a_line_that_must_not_be_split_is_not(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 3})
    await save_channel(served, code="web", name="Web", splitLines=False)
    order = await place(served, "web", "1", {"CHAIR": 4})

    assert await taken(served, order) == [[[("YORK", 3)]]]
    assert await taken(served, order) == [[[]]], "the rest must come from the same place"
    await served.mutate("receiveStock", location="YORK", lines=[{"sku": "CHAIR", "quantity": 9}])
    assert await taken(served, order) == [[[("YORK", 1)]]]


async def test_smaller_orders_pass_unless_the_run_forbids_it(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 3})
    large = await place(served, "web", "1", {"CHAIR": 5}, shippingPolicy="SHIP_COMPLETE")
    small = await place(served, "web", "2", {"CHAIR": 1})

    assert await taken(served, large, small, smallerMayPass=False) == [[[]], [[]]]
    assert await taken(served, large, small) == [[[]], [[("LEEDS", 1)]]]


async def test_a_run_may_want_every_order_complete(served: Served):
    await a_shop(served, {("CHAIR", "LEEDS"): 3})
    order = await place(served, "web", "1", {"CHAIR": 5})

    assert await taken(served, order, shippingPolicy="SHIP_COMPLETE") == [[[]]]
    assert await taken(served, order) == [[[("LEEDS", 3)]]]


async def test_nobody_passes_in_a_later_chunk_of_a_background_run_either(served: Served, monkeypatch):
    monkeypatch.setattr("services.runs.CHUNK_ORDERS_MAX", 1)
    await a_shop(served, {("CHAIR", "LEEDS"): 3})
    await place(served, "web", "1", {"CHAIR": 5}, shippingPolicy="SHIP_COMPLETE")
    await place(served, "web", "2", {"CHAIR": 1})
    select = "... on StartAllocationRunSuccess { run { id } }"

    strict = await served.mutate("startAllocationRun", select, smallerMayPass=False)
    assert await outcomes(served, strict) == {"COULD_NOT_ALLOCATE": 2}

    free = await served.mutate("startAllocationRun", select)
    assert await outcomes(served, free) == {"COULD_NOT_ALLOCATE": 1, "ALLOCATED": 1}


async def outcomes(api: Served, started: Any) -> dict[str, int]:
    run = await ended(api, started["run"]["id"])
    return {one["status"]: one["count"] for one in run["outcomes"] if one["count"]}
