"""Reading through the API, on real rows."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event

from gql.schema.ids import cursor
from tests.gql.serving import Served, all_numbered

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBERS = """
    query Numbers($filter: OrderFilter, $sort: OrderSort! = PLACED_AT_ASC, $first: Int! = 50, $after: String) {
      orders(filter: $filter, sort: $sort, first: $first, after: $after) {
        nodes { number } edges { cursor node { number } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def catalog(api: Served) -> None:
    """Two items at two locations, and one without stock."""
    await api.mutate(
        "saveItems",
        items=[
            {"sku": "CHAIR", "name": "Oak chair", "barcode": "5012345"},
            {"sku": "CHAIR-XL", "name": "Large oak chair"},
            {"sku": "LAMP_1", "name": "Brass lamp, 100% brass"},
        ],
    )
    await api.mutate(
        "saveLocations",
        locations=[{"code": "YORK", "name": "York", "rank": 2}, {"code": "LEEDS", "name": "Leeds", "rank": 1}],
    )
    for location in ("LEEDS", "YORK"):
        lines = [{"sku": "CHAIR", "quantity": 1_000}, {"sku": "LAMP_1", "quantity": 5}]
        await api.mutate("receiveStock", location=location, lines=lines)


async def place(api: Served, channel: str, number: str, **more: Any) -> str:
    """The new order's id."""
    fields = {"lines": [{"sku": "CHAIR", "quantity": 1}]} | more
    selection = "... on PlaceOrderSuccess { order { id } }"
    told = await api.mutate("placeOrder", selection, channel=channel, number=number, **fields)
    return str(told["order"]["id"])


async def numbers(api: Served, sort: str = "PLACED_AT_ASC", **condition: Any) -> list[str]:
    """The numbers of the orders that match, in order."""
    page = (await api(NUMBERS, filter=condition, sort=sort, first=100))["orders"]
    assert not page["pageInfo"]["hasNextPage"]
    return [order["number"] for order in page["nodes"]]


# ---------------------------------------------------------------- one object


async def test_an_order_shows_everything_that_was_said_about_it(api: Served):
    said = {
        "channel": "WEB",
        "number": "A-1",
        "placedAt": "2026-11-23T10:30:00.25+02:00",
        "priority": 7,
        "tags": ["gift", "express", "gift"],
        "shippingPolicy": "SHIP_COMPLETE",
        "customer": {"name": " Zoe\u0301 ", "email": "zoe@example.org", "reference": "c-9"},
        "shipTo": {"line1": "1 High St", "city": "Leeds", "countryCode": "gb", "latitude": 53.8, "longitude": -1.5},
        "lines": [
            {"sku": "CHAIR", "quantity": 3, "unitPrice": {"amount": "12.50", "currencyCode": "gbp"}, "reference": "L1"},
            {"sku": "LAMP_1", "quantity": 1},
        ],
    }
    placed = await api.mutate("placeOrder", "... on PlaceOrderSuccess { order { id } }", **said)
    order = (
        await api(
            """query ($by: OrderBy!) { order(by: $by) {
              id number channel { code name } status allocationStatus shippingPolicy priority tags placedAt version
              customer { name email reference }
              shipTo { name line1 line2 city region postalCode countryCode latitude longitude }
              lines {
                reference sku item { sku name } unitPrice { amount currencyCode } quantity open allocated shipped
                canceled dropshipped allocationStatus allocations { id }
              }
            } }""",
            by={"id": placed["order"]["id"]},
        )
    )["order"]

    line = {"open": 3, "allocated": 0, "shipped": 0, "canceled": 0, "dropshipped": 0, "allocationStatus": "UNALLOCATED"}
    assert order == {
        "id": placed["order"]["id"],
        "number": "A-1",
        "channel": {"code": "WEB", "name": "WEB"},
        "status": "FINALIZED",
        "allocationStatus": "UNALLOCATED",
        "shippingPolicy": "SHIP_COMPLETE",
        "priority": 7,
        "tags": ["gift", "express"],
        "placedAt": "2026-11-23T08:30:00.250000Z",
        "version": 1,
        "customer": {"name": "Zo\u00e9", "email": "zoe@example.org", "reference": "c-9"},
        "shipTo": {
            "name": None,
            "line1": "1 High St",
            "line2": None,
            "city": "Leeds",
            "region": None,
            "postalCode": None,
            "countryCode": "GB",
            "latitude": 53.8,
            "longitude": -1.5,
        },
        "lines": [
            {
                "reference": "L1",
                "sku": "CHAIR",
                "item": {"sku": "CHAIR", "name": "Oak chair"},
                "unitPrice": {"amount": "12.50", "currencyCode": "GBP"},
                "quantity": 3,
                "allocations": [],
            }
            | line,
            {
                "reference": None,
                "sku": "LAMP_1",
                "item": {"sku": "LAMP_1", "name": "Brass lamp, 100% brass"},
                "unitPrice": None,
                "quantity": 1,
                "allocations": [],
            }
            | line
            | {"open": 1},
        ],
    }


async def test_c15_l3_orders_of_all_channels_are_in_one_list_and_each_has_its_number_there(api: Served):
    shop, market = api.unique("CH"), api.unique("CH")
    for channel in (shop, market):
        await place(api, channel, "7")
    question = "query ($filter: OrderFilter) { orders(filter: $filter) { nodes { number channel { code } } } }"

    nodes = (await api(question, filter={"channels": [shop, market]}))["orders"]["nodes"]

    assert [(one["number"], one["channel"]["code"]) for one in nodes] == [("7", shop), ("7", market)]


async def test_o19_o24_o25_which_orders_are_ready_to_ship_is_told_wherever_they_are_listed(api: Served):
    """There is a lamp for either, so looking at the shelf would call both ready."""
    channel, sku = api.unique("CH"), api.unique("SKU")
    await api.mutate("saveItems", items=[{"sku": sku, "name": "Lamp"}])
    await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": sku, "quantity": 1}])
    ids = [await place(api, channel, number, lines=[{"sku": sku, "quantity": 1}]) for number in ("1", "2", "3")]
    await api.mutate("allocateOrders", orders=[{"order": {"id": one}} for one in ids[:2]])
    question = "query ($filter: OrderFilter) { orders(filter: $filter) { nodes { number allocationStatus } } }"

    nodes = (await api(question, filter={"channels": [channel]}))["orders"]["nodes"]

    assert {one["number"]: one["allocationStatus"] for one in nodes} == {
        "1": "ALLOCATED",
        "2": "COULD_NOT_ALLOCATE",
        "3": "UNALLOCATED",
    }
    assert await numbers(api, channels=[channel], allocationStatuses=["ALLOCATED"]) == ["1"]


async def test_an_order_is_found_by_its_number_within_its_channel(api: Served):
    channel, other = api.unique("CH"), api.unique("CH")
    await place(api, channel, "7")
    question = "query ($by: OrderBy!) { order(by: $by) { number channel { code } } }"

    async def find(channel: str, number: str) -> Any:
        return (await api(question, by={"number": {"channel": channel, "number": number}}))["order"]

    assert await find(channel, "7") == {"number": "7", "channel": {"code": channel}}
    assert await find(other, "7") is None
    assert await find(channel, "8") is None


async def test_items_and_locations_are_found_by_each_of_their_names(api: Served):
    by_sku = (await api('{ item(by: {sku: "CHAIR"}) { id sku barcode } }'))["item"]
    leeds = (await api('{ location(by: {code: "LEEDS"}) { id code } }'))["location"]

    assert (await api('{ item(by: {barcode: "5012345"}) { id sku barcode } }'))["item"] == by_sku
    assert (await api("query ($i: ID!) { item(by: {id: $i}) { id sku barcode } }", i=by_sku["id"]))["item"] == by_sku
    assert (await api("query ($i: ID!) { location(by: {id: $i}) { id code } }", i=leeds["id"]))["location"] == leeds
    assert await api('{ item(by: {sku: "chair"}) { id } location(by: {code: "leeds"}) { id } }') == {
        "item": None,
        "location": None,
    }


async def test_an_empty_name_finds_nothing_that_has_no_name(api: Served):
    """An item without a barcode is not what an empty id or barcode names."""
    found = await api(
        '{ a: item(by: {id: ""}) { sku } b: item(by: {barcode: ""}) { sku } c: order(by: {id: ""}) { id } }'
    )

    assert found == {"a": None, "b": None, "c": None}


async def test_every_kind_of_object_is_fetched_again_by_its_id(api: Served):
    await place(api, "WEB", api.unique("N"))
    found = await api(
        """{
          orders(first: 1) { nodes { id __typename } } items { nodes { id __typename } }
          stockLevels(first: 1) { nodes { id __typename } } locations { id __typename } channels { id __typename }
        }"""
    )
    lists = [value if isinstance(value, list) else value["nodes"] for value in found.values()]

    assert {one[0]["__typename"] for one in lists} == {"Order", "Item", "StockLevel", "Location", "Channel"}
    for one in lists:
        assert await api("query ($id: ID!) { node(id: $id) { id __typename } }", id=one[0]["id"]) == {"node": one[0]}


async def test_ids_are_unique_among_all_objects(api: Served):
    data = await api("{ items { nodes { id } } stockLevels { nodes { id } } locations { id } channels { id } }")
    ids = [one["id"] for value in data.values() for one in (value if isinstance(value, list) else value["nodes"])]

    assert len(ids) == len(set(ids))


async def test_an_id_of_another_kind_is_no_id_of_this_kind(api: Served):
    location = (await api('{ location(by: {code: "LEEDS"}) { id } }'))["location"]["id"]

    data = await api(
        "query ($id: ID!) { order(by: {id: $id}) { id } item(by: {id: $id}) { id } location(by: {id: $id}) { code } }",
        id=location,
    )

    assert data == {"order": None, "item": None, "location": {"code": "LEEDS"}}


async def test_locations_come_in_the_order_in_which_they_are_tried(api: Served):
    assert [one["code"] for one in (await api("{ locations { code } }"))["locations"]][:2] == ["LEEDS", "YORK"]


async def test_channels_come_by_code(api: Served):
    for _ in range(3):
        await place(api, api.unique("CH"), "1")
    codes = [one["code"] for one in (await api("{ channels { code } }"))["channels"]]

    assert codes == sorted(codes)


# ---------------------------------------------------------------- pages


async def a_list_of_orders(api: Served, count: int = 23) -> str:
    """The channel of so many orders, several of the same moment or priority; numbers tell what they were placed as."""
    channel = api.unique("CH")
    chance = random.Random(count)  # noqa: S311
    for number in range(count):
        placed_at = NOON + timedelta(hours=chance.randrange(4))
        await place(api, channel, f"{number:02}", placedAt=placed_at.isoformat(), priority=chance.randrange(3))
    return channel


SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "PLACED_AT_ASC": lambda order: order["placedAt"],
    "PLACED_AT_DESC": lambda order: order["placedAt"],
    "PRIORITY_DESC": lambda order: -order["priority"],
}


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_put_together_are_the_whole_list_in_order(api: Served, sort: str):
    channel = await a_list_of_orders(api)
    question = NUMBERS.replace("nodes { number }", "nodes { number placedAt priority }")
    pages, after, more = [], None, True
    while more:
        page = (await api(question, filter={"channels": [channel]}, sort=sort, first=5, after=after))["orders"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        assert [edge["node"]["number"] for edge in page["edges"]] == [node["number"] for node in page["nodes"]]
        pages.append(page["nodes"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    found = [order for page in pages for order in page]
    descends = sort == "PLACED_AT_DESC"
    expected = sorted(found, key=lambda order: order["number"], reverse=descends)  # ids rise with numbers
    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert [order["number"] for order in found] == [
        order["number"] for order in sorted(expected, key=SORTS[sort], reverse=descends)
    ]
    assert len({order["number"] for order in found}) == 23


@pytest.mark.parametrize("sort", SORTS)
async def test_no_order_is_skipped_or_repeated_while_others_are_placed(api: Served, sort: str):
    channel = await a_list_of_orders(api)
    before = set(await numbers(api, channels=[channel]))
    seen: list[str] = []
    after, more, added = None, True, 0
    while more:
        page = (await api(NUMBERS, filter={"channels": [channel]}, sort=sort, first=3, after=after))["orders"]
        seen += [order["number"] for order in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        for moment, priority in ((NOON - timedelta(days=1), 9), (NOON + timedelta(hours=1), 1)):
            added += 1
            if added < 12:
                await place(api, channel, f"new-{added}", placedAt=moment.isoformat(), priority=priority)

    assert len(seen) == len(set(seen))
    assert before <= set(seen)


@pytest.mark.parametrize(("field", "name"), [("items", "sku"), ("stockLevels", "id"), ("events", "id")])
async def test_every_list_pages_without_gap_or_repetition(api: Served, field: str, name: str):
    await api.mutate("saveItems", items=[{"sku": f"P-{number}", "name": "P"} for number in range(7)])
    await api.mutate("receiveStock", location="YORK", lines=[{"sku": f"P-{n}", "quantity": 1} for n in range(7)])
    await all_numbered(api.database)
    question = f"""query ($first: Int! = 100, $after: String) {{
        {field}(first: $first, after: $after) {{ nodes {{ {name} }} pageInfo {{ hasNextPage endCursor }} }}
      }}"""
    whole = await all_pages(api, question, field, name, first=100)

    assert await all_pages(api, question, field, name, first=3) == whole
    assert len(set(whole)) == len(whole) >= 7
    if field == "items":
        assert whole == sorted(whole)


async def all_pages(api: Served, question: str, field: str, name: str, **variables: Any) -> list[str]:
    found, after, more = [], None, True
    while more:
        page = (await api(question, **variables, after=after))[field]
        found += [node[name] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found


async def test_an_empty_page_has_no_cursors(api: Served):
    page = (await api(NUMBERS, filter={"channels": ["nowhere"]}))["orders"]

    assert page == {
        "nodes": [],
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


@pytest.mark.parametrize("field", ["orders", "items", "stockLevels", "supplies", "events"])
@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1, 2**31, -(2**31)])
async def test_a_page_has_1_to_100_entries(api: Served, field: str, first: int):
    assert (
        await api.code(f"query ($n: Int!) {{ {field}(first: $n) {{ nodes {{ id }} }} }}", n=first) == "BAD_USER_INPUT"
    )


@pytest.mark.parametrize("field", ["orders", "items", "stockLevels", "supplies", "events"])
@pytest.mark.parametrize("first", [1, 100])
async def test_pages_of_1_and_of_100_are_served(api: Served, field: str, first: int):
    data = await api(f"query ($n: Int!) {{ {field}(first: $n) {{ nodes {{ id }} }} }}", n=first)
    assert len(data[field]["nodes"]) <= first


async def test_a_cursor_continues_its_own_list_only(api: Served):
    channel = api.unique("CH")
    await place(api, channel, "1")
    sorts = [f"orders(sort: {sort}, " for sort in SORTS]
    lists = [
        *sorts,
        "items(",
        "stockLevels(",
        "events(",
        "supplies(",
        'stockMovements(sku: "CHAIR", location: "LEEDS", ',
    ]
    line = {"sku": "CHAIR", "quantity": 1}
    supply = {"reference": channel, "location": "LEEDS", "expectedAt": NOON.isoformat(), "lines": [line]}
    await api.mutate("expectSupply", **supply)
    own = {}
    for field in lists:
        (page,) = (await api(f"{{ {field} first: 1) {{ pageInfo {{ endCursor }} }} }}")).values()
        own[field] = page["pageInfo"]["endCursor"]
    for field in lists:
        question = f"query ($after: String) {{ {field} after: $after) {{ nodes {{ id }} }} }}"
        for other, place_in in own.items():
            answer = await api.answer(question, after=place_in)
            if other == field:
                assert "errors" not in answer
            else:
                assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", (field, other)


async def test_the_log_may_be_read_from_any_place(api: Served):
    """Before its beginning there is nothing to skip, and behind its end there is nothing yet."""
    question = "query ($after: String) { events(after: $after, first: 1) { nodes { id } } }"
    first = await api(question, after=None)

    assert await api(question, after=cursor("log", [0])) == first
    assert await api(question, after=cursor("log", [-(2**63) + 1])) == first
    assert await api(question, after=cursor("log", [2**63 - 1])) == {"events": {"nodes": []}}


# ---------------------------------------------------------------- filters


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(api: Served) -> str:
    """The tag of four orders that differ in everything; number 1 is allocated at LEEDS, 2 is a draft, 3 is void."""
    tag = api.unique("shop")
    await place(
        api,
        "F-WEB",
        "100%",
        tags=[tag, "red"],
        placedAt="2026-01-01T00:00:00Z",
        customer={"name": "Ann O'Neil", "email": "ann@example.org", "reference": "K_1"},
        shipTo={"countryCode": "DE"},
    )
    await place(
        api,
        "F-WEB",
        "100_b",
        tags=[tag, "blue"],
        draft=True,
        placedAt="2026-01-02T00:00:00Z",
        lines=[{"sku": "LAMP_1", "quantity": 1}],
        customer={"name": "Bob"},
    )
    await place(api, "F-TILL", "x1", tags=[tag, "blue", "red"], placedAt="2026-01-03T00:00:00Z", priority=5)
    await place(
        api,
        "F-TILL",
        "X2",
        tags=[tag],
        placedAt="2026-01-04T00:00:00Z",
        lines=[{"sku": "CHAIR-XL", "quantity": 1}],
        shipTo={"countryCode": "FR", "city": "Paris"},
    )
    number = {"number": {"channel": "F-WEB", "number": "100%"}}
    void = {"number": {"channel": "F-TILL", "number": "x1"}}
    short = {"number": {"channel": "F-TILL", "number": "X2"}}
    await api.mutate("allocateOrders", orders=[{"order": number}, {"order": short}])
    await api.mutate("voidOrder", order=void, reason="a test")
    return tag


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, ["100%", "100_b", "x1", "X2"]),
        ({"statuses": ["DRAFT"]}, ["100_b"]),
        ({"statuses": ["FINALIZED", "VOID"]}, ["100%", "x1", "X2"]),
        ({"statuses": ["FULFILLED"]}, []),
        ({"allocationStatuses": ["ALLOCATED"]}, ["100%"]),
        ({"allocationStatuses": ["UNALLOCATED", "COULD_NOT_ALLOCATE"]}, ["100_b", "X2"]),
        ({"channels": ["F-TILL"]}, ["x1", "X2"]),
        ({"channels": ["F-TILL", "F-WEB", "nowhere"]}, ["100%", "100_b", "x1", "X2"]),
        ({"channels": ["f-till"]}, []),
        ({"skus": ["LAMP_1"]}, ["100_b"]),
        ({"skus": ["CHAIR"]}, ["100%", "x1"]),
        ({"skus": ["CHAIR", "LAMP_1"]}, ["100%", "100_b", "x1"]),
        ({"locations": ["LEEDS"]}, ["100%"]),
        ({"locations": ["YORK"]}, []),
        ({"countryCodes": ["DE", "FR"]}, ["100%", "X2"]),
        ({"countryCodes": ["GB"]}, []),
        ({"tags": ["red"]}, ["100%", "x1"]),
        ({"tags": ["blue", "red"]}, ["100%", "100_b", "x1"]),
        ({"tags": ["green"]}, []),
        ({"search": "100"}, ["100%", "100_b"]),
        ({"search": "100%"}, ["100%"]),
        ({"search": "100_"}, ["100_b"]),
        ({"search": "x"}, ["x1", "X2"]),
        ({"search": "ann"}, ["100%"]),
        ({"search": "ANN@EXAMPLE"}, ["100%"]),
        ({"search": "k_"}, ["100%"]),
        ({"search": "o'neil"}, []),
        ({"search": "%"}, []),
        ({"search": "  "}, ["100%", "100_b", "x1", "X2"]),
        ({"placedFrom": "2026-01-02T00:00:00Z"}, ["100_b", "x1", "X2"]),
        ({"placedBefore": "2026-01-02T00:00:00Z"}, ["100%"]),
        ({"placedFrom": "2026-01-02T00:00:00", "placedBefore": "2026-01-03T01:00:00+01:00"}, ["100_b"]),
        ({"updatedFrom": "2000-01-01T00:00:00Z"}, ["100%", "100_b", "x1", "X2"]),
        ({"updatedFrom": "2200-01-01T00:00:00Z"}, []),
        ({"channels": ["F-WEB"], "statuses": ["FINALIZED"], "skus": ["CHAIR"]}, ["100%"]),
        ({"channels": ["F-WEB"], "statuses": ["VOID"]}, []),
    ],
    ids=str,
)
async def test_an_order_filter_finds_what_meets_every_condition(
    api: Served, shop: str, condition: dict[str, Any], expected: list[str]
):
    among = set(await numbers(api, tags=[shop]))

    found = await all_pages(api, NUMBERS, "orders", "number", filter=condition, first=100)
    counts = (await api("query ($f: OrderFilter) { orderCounts(filter: $f) { total } }", f=condition))["orderCounts"]

    assert [number for number in found if number in among] == expected
    assert counts["total"] == len(found)


ORDER_LISTS = ["statuses", "allocationStatuses", "channels", "skus", "locations", "countryCodes", "tags"]
FILTERS = {
    "orders": ("OrderFilter", ORDER_LISTS, ["search", "placedFrom", "placedBefore", "updatedFrom"]),
    "items": ("ItemFilter", ["skus"], ["search"]),
    "stockLevels": ("StockLevelFilter", ["skus", "locations"], ["overallocated"]),
    "events": ("EventFilter", ["types", "orders", "channels", "skus", "locations"], ["occurredFrom", "occurredBefore"]),
}


@pytest.mark.parametrize("field", FILTERS)
async def test_an_absent_or_null_condition_is_none_and_an_empty_list_matches_nothing(
    api: Served, shop: str, field: str
):
    kind, lists, others = FILTERS[field]
    question = f"query ($filter: {kind}) {{ {field}(filter: $filter, first: 100) {{ nodes {{ id }} }} }}"
    await all_numbered(api.database)
    everything = await api(question)

    assert shop
    assert everything[field]["nodes"] != []
    assert await api(question, filter=None) == everything
    assert await api(question, filter={}) == everything
    for name in lists + others:
        assert await api(question, filter={name: None}) == everything, name
    for name in lists:
        assert await api(question, filter={name: []}) == {field: {"nodes": []}}, name


async def test_orders_are_counted_in_every_state(api: Served, shop: str):
    counts = (
        await api(
            """query ($filter: OrderFilter) { orderCounts(filter: $filter) {
              total byStatus { status count } byAllocationStatus { status count } } }""",
            filter={"tags": [shop]},
        )
    )["orderCounts"]

    assert counts["total"] == 4
    assert {one["status"]: one["count"] for one in counts["byStatus"]} == {
        "DRAFT": 1,
        "FINALIZED": 2,
        "FULFILLED": 0,
        "VOID": 1,
    }
    assert {one["status"]: one["count"] for one in counts["byAllocationStatus"]} == {
        "UNALLOCATED": 1,
        "ALLOCATED": 1,
        "PARTIALLY_ALLOCATED": 0,
        "COULD_NOT_ALLOCATE": 1,
        "OVERALLOCATED": 0,
    }


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"search": "CHAIR"}, ["CHAIR", "CHAIR-XL"]),
        ({"search": "chair"}, ["CHAIR", "CHAIR-XL"]),
        ({"search": "5012345"}, ["CHAIR"]),
        ({"search": "501"}, []),
        ({"search": "oak large"}, ["CHAIR-XL"]),
        ({"search": "100%"}, ["LAMP_1"]),
        ({"search": "lamp_"}, ["LAMP_1"]),
        ({"search": "_"}, []),
        ({"skus": ["CHAIR", "nothing"]}, ["CHAIR"]),
        ({"skus": ["CHAIR", "LAMP_1"], "search": "brass"}, ["LAMP_1"]),
    ],
    ids=str,
)
async def test_an_item_filter_finds_by_sku_barcode_and_words_of_the_name(
    api: Served, condition: dict[str, Any], expected: list[str]
):
    data = await api("query ($f: ItemFilter) { items(filter: $f) { nodes { sku } } }", f=condition)

    assert [item["sku"] for item in data["items"]["nodes"]] == expected


async def test_stock_levels_are_found_by_sku_location_and_being_overallocated(api: Served):
    sku, channel = api.unique("SKU"), api.unique("CH")
    await api.mutate("saveItems", items=[{"sku": sku, "name": "Short"}])
    for location in ("LEEDS", "YORK"):
        await api.mutate("receiveStock", location=location, lines=[{"sku": sku, "quantity": 1}])
    await place(api, channel, "1", lines=[{"sku": sku, "quantity": 1}])
    await api.mutate("allocateOrders", orders=[{"order": {"number": {"channel": channel, "number": "1"}}}])
    lines = [{"sku": sku, "change": {"counted": 0}}]
    await api.mutate("adjustStock", location="LEEDS", lines=lines, reason="COUNT")

    async def found(**condition: Any) -> list[tuple[str, int]]:
        data = await api(
            "query ($f: StockLevelFilter) { stockLevels(filter: $f) { nodes { location { code } overallocated } } }",
            f={"skus": [sku]} | condition,
        )
        return [(level["location"]["code"], level["overallocated"]) for level in data["stockLevels"]["nodes"]]

    assert await found() == [("LEEDS", 1), ("YORK", 0)]
    assert await found(overallocated=True) == [("LEEDS", 1)]
    assert await found(overallocated=False) == [("YORK", 0)]
    assert await found(locations=["YORK"]) == [("YORK", 0)]
    assert await found(locations=["YORK"], overallocated=True) == []


async def test_events_are_found_by_type_order_channel_sku_location_and_time(api: Served):
    sku, channel = api.unique("SKU"), api.unique("CH")
    await api.mutate("saveItems", items=[{"sku": sku, "name": "Logged"}])
    start = (await api("{ eventCursor }"))["eventCursor"]
    await api.mutate("receiveStock", location="YORK", lines=[{"sku": sku, "quantity": 2}])
    order = await place(api, channel, "1", lines=[{"sku": sku, "quantity": 1}])
    await api.mutate("allocateOrders", orders=[{"order": {"id": order}}])
    await all_numbered(api.database)

    async def found(**condition: Any) -> list[str]:
        data = await api(
            """query ($f: EventFilter, $after: String) { events(filter: $f, after: $after) { nodes {
              __typename id cursor occurredAt ... on OrderChanged { orderId channelCode orderNumber changes } } } }""",
            f=condition,
            after=start,
        )
        return [one["__typename"] for one in data["events"]["nodes"]]

    everything = [
        "StockLevelChanged",
        "OrderChanged",
        *sorted(["StockLevelChanged", "OrderChanged", "AllocationStatusChanged"]),
    ]
    assert sorted(await found(skus=[sku])) == sorted(everything)
    assert await found(skus=[sku], types=["OrderChanged"]) == ["OrderChanged"] * 2
    assert await found(types=["Nothing"]) == []
    assert set(await found(orders=[order])) == {"OrderChanged", "AllocationStatusChanged"}
    assert set(await found(channels=[channel])) == {"OrderChanged", "AllocationStatusChanged"}
    assert (await found(skus=[sku], locations=["YORK"])).count("StockLevelChanged") == 2
    assert await found(skus=[sku], locations=["LEEDS"]) == []
    assert await found(skus=[sku], occurredBefore="2020-01-01T00:00:00Z") == []
    assert len(await found(skus=[sku], occurredFrom="2020-01-01T00:00:00Z")) == 5


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("2026-11-23T09:30:00Z", "2026-11-23T09:30:00Z"),
        ("2026-11-23T09:30:00", "2026-11-23T09:30:00Z"),
        ("2026-11-23T09:30:00.123456", "2026-11-23T09:30:00.123456Z"),
        ("2026-11-23T09:30:00+05:30", "2026-11-23T04:00:00Z"),
        ("2026-11-23t09:30:00-00:00", "2026-11-23T09:30:00Z"),
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"),
    ],
)
async def test_a_time_without_an_offset_is_utc(api: Served, sent: str, understood: str):
    number = api.unique("T")
    await place(api, "TIMES", number, placedAt=sent)

    data = await api(
        "query ($by: OrderBy!) { order(by: $by) { placedAt } }", by={"number": {"channel": "TIMES", "number": number}}
    )

    assert data["order"]["placedAt"] == understood


@pytest.mark.parametrize(
    "sent",
    ["", "now", "2026-11-23", "09:30", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z", 1700000000, True, "T", "T" * 99],
)
async def test_what_is_no_time_is_bad_user_input(api: Served, sent: Any):
    assert await api.code(NUMBERS, filter={"placedFrom": sent}) == "BAD_USER_INPUT"


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"])
async def test_a_time_at_the_edge_of_the_calendar_upsets_nothing(api: Served, sent: str):
    answer = await api.answer(NUMBERS, filter={"placedFrom": sent, "placedBefore": sent, "updatedFrom": sent})

    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("amount", ["12.50", "0", "0.00", "1234567890.123456789", "1E+2", "+3", ".5", "7."])
async def test_an_amount_comes_back_as_it_was_sent(api: Served, amount: str):
    number = api.unique("M")
    price = {"amount": amount, "currencyCode": "EUR"}
    await place(api, "MONEY", number, lines=[{"sku": "CHAIR", "quantity": 1, "unitPrice": price}])

    data = await api(
        "query ($by: OrderBy!) { order(by: $by) { lines { unitPrice { amount } } } }",
        by={"number": {"channel": "MONEY", "number": number}},
    )

    written_out = {"1E+2": "100", "+3": "3", ".5": "0.5", "7.": "7"}
    assert data["order"]["lines"][0]["unitPrice"]["amount"] == written_out.get(amount, amount)


@pytest.mark.parametrize(
    "amount", ["", "x", "1,5", "NaN", "Infinity", "1_000", " 1", "0x1", "\u0661", 12.5, 12, True, "9" * 51]
)
async def test_what_is_no_decimal_is_bad_user_input(api: Served, amount: Any):
    line = {"sku": "CHAIR", "quantity": 1, "unitPrice": {"amount": amount, "currencyCode": "EUR"}}
    question = "mutation ($i: PlaceOrderInput!) { placeOrder(input: $i) { __typename } }"

    code = await api.code(question, i={"channel": "M", "number": "1", "lines": [line], "idempotencyKey": "x"})

    assert code == "BAD_USER_INPUT"


# ---------------------------------------------------------------- what it costs


async def statements(api: Served, work: Callable[[], Awaitable[object]]) -> int:
    """How many statements the work sends to the database."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        if "FROM api_keys" not in arguments[2] and "events" not in arguments[2] and "pg_try" not in arguments[2]:
            sent.append(arguments[2])

    engine = api.running.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(sent)


async def test_a_long_list_costs_no_more_statements_than_a_short_one(api: Served):
    channel = await a_list_of_orders(api, 30)
    question = """query ($first: Int!, $channels: [String!]) {
      orders(first: $first, filter: {channels: $channels}) { nodes {
        number channel { code } lines { sku item { name levels { location { code } available } } allocations { id } }
      } } }"""

    async def ask(first: int) -> int:
        """The least of some tries: workers may be at it at the same time."""
        return min([await statements(api, lambda: api(question, first=first, channels=[channel])) for _ in range(15)])

    assert await ask(30) == await ask(2) <= 8
