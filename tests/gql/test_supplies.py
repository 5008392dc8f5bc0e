"""Supplies, transfers, counts and the stock ledger through the API, on real rows."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event

from tests.builders import clock
from tests.gql.serving import Served, all_numbered, until
from tests.gql.test_mutations import problems

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOON, EVENING = "2026-12-01T12:00:00Z", "2026-12-01T18:00:00Z"
FIELDS = """{
      id reference kind state version expectedAt reason location { code } from { code }
      lines { sku quantity received canceled lost open }
    }"""
SUPPLY = f"supply {FIELDS}"
STATE = "... on SupplyNotInState { allowed supply { state } } "
SUCCESS = {
    "expectSupply": f"... on ExpectSupplySuccess {{ {SUPPLY} }} "
    "... on SupplyAlreadyExpected { supply { reference } }",
    "rescheduleSupply": f"... on RescheduleSupplySuccess {{ {SUPPLY} }} {STATE}",
    "cancelSupply": f"... on CancelSupplySuccess {{ {SUPPLY} }} {STATE}",
    "closeSupply": f"... on CloseSupplySuccess {{ {SUPPLY} }} {STATE}",
}
RECEIVED = f"... on StockSuccess {{ levels {{ sku onHand incoming }} receivedSupply {FIELDS} }} {STATE}"
SENT = f"... on StartTransferSuccess {{ {SUPPLY} levels {{ sku onHand }} "
SENT += "overallocated { total orders { number } } } "
SENT += "... on InsufficientStock { shortages { sku requested onHand location { code } } }"
COUNTED = "... on CountStockSuccess { levels { sku onHand } superseded overallocated { total } } "
COUNTED += "... on InsufficientStock { shortages { sku } }"
MOVEMENTS = """
    query ($sku: String!, $location: String! = "LEEDS", $first: Int! = 50, $after: String) {
      stockMovements(sku: $sku, location: $location, first: $first, after: $after) {
        nodes {
          id quantity change balanceAfter cause reference actor request occurredAt countedAt supply { reference }
        }
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def locations(api: Served) -> None:
    codes = ("LEEDS", "YORK", "HULL")
    await api.mutate("saveLocations", locations=[{"code": code, "name": code.title()} for code in codes])


class Depot:
    """One test's own SKU and references."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.sku = api.unique("SKU")
        self.reference = api.unique("PO")

    async def stocked(self, units: int) -> "Depot":
        await self.api.mutate("saveItems", items=[{"sku": self.sku, "name": "Thing"}])
        await self.api.mutate("receiveStock", location="LEEDS", lines=[self.line(units)])
        return self

    def line(self, quantity: int) -> dict[str, Any]:
        return {"sku": self.sku, "quantity": quantity}

    @property
    def named(self) -> dict[str, str]:
        return {"reference": self.reference}

    async def expect(self, quantity: int, **more: Any) -> Any:
        fields = {"reference": self.reference, "location": "LEEDS", "expectedAt": NOON, "lines": [self.line(quantity)]}
        return await self.api.mutate("expectSupply", SUCCESS["expectSupply"], **(fields | more))

    async def send(self, quantity: int, **more: Any) -> Any:
        fields = {"reference": self.reference, "from": "LEEDS", "to": "YORK", "expectedAt": NOON}
        return await self.api.mutate("startTransfer", SENT, **(fields | {"lines": [self.line(quantity)]} | more))

    async def receive(self, quantity: int, location: str = "LEEDS", **more: Any) -> Any:
        fields = {"location": location, "supply": self.named, "lines": [self.line(quantity)]}
        return await self.api.mutate("receiveStock", RECEIVED, **(fields | more))

    async def change(self, name: str, **fields: Any) -> Any:
        return await self.api.mutate(name, SUCCESS[name], supply=self.named, **fields)

    async def count(self, counted: int, at: datetime, **more: Any) -> Any:
        lines = [{"sku": self.sku, "counted": counted}]
        fields = {"location": "LEEDS", "countedAt": at.isoformat(), "lines": lines} | more
        return await self.api.mutate("countStock", COUNTED, **fields)

    async def levels(self) -> dict[str, tuple[int, int]]:
        """On hand and incoming by location."""
        query = "query ($sku: String!) { item(by: {sku: $sku}) { levels { location { code } onHand incoming } } }"
        found = (await self.api(query, sku=self.sku))["item"]["levels"]
        return {one["location"]["code"]: (one["onHand"], one["incoming"]) for one in found}

    async def ledger(self, location: str = "LEEDS") -> list[tuple[int, int, str]]:
        found = await self.api(MOVEMENTS, sku=self.sku, location=location)
        return [(one["change"], one["balanceAfter"], one["cause"]) for one in found["stockMovements"]["nodes"]]


@pytest_asyncio.fixture(loop_scope="module")
async def depot(api: Served) -> Depot:
    return await Depot(api).stocked(10)


# ---------------------------------------------------------------- purchase orders


async def test_a_purchase_order_from_its_announcement_to_its_last_unit(depot: Depot):
    told = await depot.expect(5)
    assert told["supply"] | {"id": ""} == {
        "id": "",
        "reference": depot.reference,
        "kind": "PURCHASE_ORDER",
        "state": "EXPECTED",
        "version": 1,
        "expectedAt": NOON,
        "reason": None,
        "location": {"code": "LEEDS"},
        "from": None,
        "lines": [{"sku": depot.sku, "quantity": 5, "received": 0, "canceled": 0, "lost": 0, "open": 5}],
    }
    assert await depot.levels() == {"LEEDS": (10, 5)}

    told = await depot.change("rescheduleSupply", expectedAt=EVENING)
    assert (told["supply"]["expectedAt"], told["supply"]["version"]) == (EVENING, 2)

    told = await depot.receive(2)
    assert told["levels"] == [{"sku": depot.sku, "onHand": 12, "incoming": 3}]
    supply = told["receivedSupply"]
    assert (supply["state"], supply["lines"][0]["open"]) == ("EXPECTED", 3)

    supply = (await depot.receive(4))["receivedSupply"]
    assert (supply["state"], supply["lines"][0]["received"]) == ("RECEIVED", 6)
    assert await depot.levels() == {"LEEDS": (16, 0)}


async def test_goods_that_belong_to_no_supply_are_received_as_before(depot: Depot):
    told = await depot.api.mutate("receiveStock", RECEIVED, location="LEEDS", lines=[depot.line(1)], supply=None)

    assert told["receivedSupply"] is None
    assert await depot.levels() == {"LEEDS": (11, 0)}


async def test_a_level_says_what_comes_to_a_place_that_never_kept_the_sku(depot: Depot):
    await depot.expect(5, location="HULL")

    assert await depot.levels() == {"LEEDS": (10, 0), "HULL": (0, 5)}


async def test_what_is_refused_about_supplies_is_told_with_the_supply_as_it_is(depot: Depot):
    assert (await depot.expect(5))["__typename"] == "ExpectSupplySuccess"
    again = await depot.expect(6)
    assert (again["__typename"], again["supply"]) == ("SupplyAlreadyExpected", {"reference": depot.reference})
    elsewhere = await depot.receive(1, "YORK")
    assert problems(elsewhere) == [("input.location", "NOT_EXPECTED")]
    assert "LEEDS" in elsewhere["problems"][0]["message"]

    told = await depot.change("cancelSupply", reason="the supplier is sold out")

    assert (told["supply"]["state"], told["supply"]["reason"]) == ("CANCELED", "the supplier is sold out")
    for refused in (
        await depot.receive(1),
        await depot.change("rescheduleSupply", expectedAt=EVENING),
        await depot.change("closeSupply", reason="again"),
        await depot.change("cancelSupply", reason="again"),
    ):
        assert refused["__typename"] == "SupplyNotInState"
        assert (refused["allowed"], refused["supply"]) == (["EXPECTED"], {"state": "CANCELED"})


async def test_a_supply_that_is_unknown_is_named_as_the_caller_named_it(api: Served, depot: Depot):
    for by, name in (({"reference": " nope "}, "nope"), ({"id": "nope"}, "nope")):
        told = await api.mutate("cancelSupply", supply=by, reason="x")
        assert (told["__typename"], told["references"]) == ("NotFound", [name])
        assert (await api("query ($by: SupplyBy!) { supply(by: $by) { id } }", by=by))["supply"] is None
    told = await api.mutate("cancelSupply", supply={"reference": ""}, reason=" ")
    assert problems(told) == [("input.supply.reference", "REQUIRED"), ("input.reason", "REQUIRED")]
    told = await api.mutate("receiveStock", location="LEEDS", supply={"reference": "nope"}, lines=[depot.line(1)])
    assert told["references"] == ["nope"]


async def test_i7_a_receipt_that_is_sent_twenty_times_counts_once(depot: Depot):
    await depot.expect(50)

    told = await asyncio.gather(*(depot.receive(5, idempotencyKey=depot.reference) for _ in range(20)))

    assert {one["receivedSupply"]["lines"][0]["received"] for one in told} == {5}
    assert await depot.levels() == {"LEEDS": (15, 45)}
    assert (await depot.receive(6, idempotencyKey=depot.reference))["__typename"] == "IdempotencyKeyReused"


# ---------------------------------------------------------------- transfers


async def test_i10_a_transfer_is_here_then_on_its_way_then_there(depot: Depot):
    told = await depot.send(6)
    assert (told["supply"]["kind"], told["supply"]["from"], told["supply"]["location"]) == (
        "TRANSFER", {"code": "LEEDS"}, {"code": "YORK"},
    )  # fmt: skip
    assert told["levels"] == [{"sku": depot.sku, "onHand": 4}]
    assert await depot.levels() == {"LEEDS": (4, 0), "YORK": (0, 6)}

    await depot.receive(4, "YORK")
    assert await depot.levels() == {"LEEDS": (4, 0), "YORK": (4, 2)}
    told = await depot.change("closeSupply", reason="two fell off the lorry")

    assert told["supply"]["lines"] == [
        {"sku": depot.sku, "quantity": 6, "received": 4, "canceled": 0, "lost": 2, "open": 0}
    ]
    assert await depot.levels() == {"LEEDS": (4, 0), "YORK": (4, 0)}
    assert await depot.ledger("YORK") == [(-2, 4, "LOSS"), (2, 6, "TRANSFER_IN"), (4, 4, "TRANSFER_IN")]


async def test_i10_what_is_on_its_way_comes_back_when_the_transfer_is_canceled(depot: Depot):
    await depot.send(6)

    told = await depot.change("cancelSupply", reason="the road is closed")

    assert told["supply"]["lines"][0]["canceled"] == 6
    assert await depot.levels() == {"LEEDS": (10, 0), "YORK": (0, 0)}
    assert await depot.ledger() == [(6, 10, "TRANSFER_CANCELED"), (-6, 4, "TRANSFER_OUT"), (10, 10, "RECEIVED")]


async def test_more_than_is_on_hand_is_not_sent(depot: Depot):
    told = await depot.send(11)

    assert told["shortages"] == [{"sku": depot.sku, "requested": 11, "onHand": 10, "location": {"code": "LEEDS"}}]
    assert (await depot.api("query ($by: SupplyBy!) { supply(by: $by) { id } }", by=depot.named))["supply"] is None


async def test_a_transfer_to_where_the_goods_are_is_no_transfer(depot: Depot):
    assert problems(await depot.send(1, to="LEEDS")) == [("input.to", "DUPLICATE")]


async def test_a_transfer_names_the_orders_that_lost_their_stock(api: Served, depot: Depot):
    channel = api.unique("CH")
    await api.mutate("placeOrder", channel=channel, number="1", lines=[depot.line(9)])
    order = {"number": {"channel": channel, "number": "1"}}
    await api.mutate("allocateOrders", orders=[{"order": order}])

    told = await depot.send(6)

    assert told["overallocated"] == {"total": 1, "orders": [{"number": "1"}]}


# ---------------------------------------------------------------- counts


async def test_a_count_of_a_moment_keeps_what_moved_since(api: Served, depot: Depot):
    at = await clock(api.database)
    await depot.send(4)

    told = await depot.count(9, at)

    assert (told["levels"], told["superseded"]) == ([{"sku": depot.sku, "onHand": 5}], [])
    newest = (await api(MOVEMENTS, sku=depot.sku, first=1))["stockMovements"]["nodes"][0]
    assert (newest["cause"], newest["change"], newest["balanceAfter"]) == ("COUNT", -1, 5)
    assert datetime.fromisoformat(newest["countedAt"]) == at


async def test_an_older_count_that_comes_later_says_that_it_was_superseded(api: Served, depot: Depot):
    first, second = await clock(api.database), await clock(api.database)
    await depot.count(7, second)

    told = await depot.count(3, first)

    assert (told["superseded"], told["levels"]) == ([depot.sku], [{"sku": depot.sku, "onHand": 7}])


async def test_a_count_of_tomorrow_of_last_year_or_of_less_than_left_since_is_refused(api: Served, depot: Depot):
    at = await clock(api.database)
    await depot.send(4)

    assert problems(await depot.count(9, at + timedelta(days=1))) == [("input.countedAt", "OUT_OF_RANGE")]
    assert problems(await depot.count(9, at - timedelta(days=365))) == [("input.countedAt", "OUT_OF_RANGE")]
    assert (await depot.count(3, at))["shortages"] == [{"sku": depot.sku}]
    assert await depot.levels() == {"LEEDS": (6, 0), "YORK": (0, 4)}


# ---------------------------------------------------------------- the ledger


async def test_the_ledger_says_what_why_how_much_was_left_who_and_when_newest_first(api: Served, depot: Depot):
    lines = [{"sku": depot.sku, "change": {"delta": 2}}]
    fields = {"location": "LEEDS", "lines": lines, "reason": "DAMAGE", "reference": "forklift"}
    await api.mutate("adjustStock", quantity="DAMAGED", **fields)
    await depot.expect(5)
    await depot.receive(5)

    page = (await api(MOVEMENTS, sku=depot.sku))["stockMovements"]

    rows = [
        tuple(node[name] for name in ("quantity", "change", "balanceAfter", "cause", "reference", "supply"))
        for node in page["nodes"]
    ]
    assert rows == [
        ("ON_HAND", 5, 15, "RECEIVED", depot.reference, depot.named),
        ("DAMAGED", 2, 2, "DAMAGE", "forklift", None),
        ("ON_HAND", 10, 10, "RECEIVED", None, None),
    ]
    assert all(node["actor"].startswith("test ") and node["request"] for node in page["nodes"])
    times = [datetime.fromisoformat(node["occurredAt"]) for node in page["nodes"]]
    assert times == sorted(times, reverse=True)
    assert times[0] <= datetime.now(UTC) + timedelta(minutes=1)
    assert page["pageInfo"]["hasNextPage"] is False


async def test_pages_of_the_ledger_skip_and_repeat_nothing_while_it_grows(api: Served, depot: Depot):
    for _ in range(6):
        await api.mutate("receiveStock", location="LEEDS", lines=[depot.line(1)])
    found, after, more = [], None, True
    while more:
        page = (await api(MOVEMENTS, sku=depot.sku, first=3, after=after))["stockMovements"]
        found += [node["balanceAfter"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        await api.mutate("receiveStock", location="LEEDS", lines=[depot.line(100)])

    assert found == [16, 15, 14, 13, 12, 11, 10]


async def test_the_ledger_of_what_there_is_not_is_empty(api: Served, depot: Depot):
    for sku, location in ((depot.sku, "NOWHERE"), ("NOTHING", "LEEDS"), (depot.sku, "HULL")):
        found = await api(MOVEMENTS, sku=sku, location=location)
        assert found["stockMovements"]["nodes"] == []
    assert await api.code(MOVEMENTS, sku="a\x00") == "BAD_USER_INPUT"
    assert await api.code(MOVEMENTS, sku=depot.sku, after="x") == "BAD_USER_INPUT"
    assert await api.code(MOVEMENTS, sku=depot.sku, first=0) == "BAD_USER_INPUT"


# ---------------------------------------------------------------- lists, nodes and events

LIST = """
    query ($filter: SupplyFilter, $first: Int! = 50, $after: String) {
      supplies(filter: $filter, first: $first, after: $after) {
        nodes { reference } edges { cursor node { reference } } pageInfo { hasNextPage endCursor }
      }
    }"""


async def test_supplies_are_listed_by_date_and_paged_by_it(api: Served, depot: Depot):
    names = [f"{depot.reference}-{number}" for number in range(5)]
    dates = [EVENING, NOON, "2026-12-01T09:00:00Z", NOON, EVENING]
    for reference, at in zip(names, dates, strict=True):
        await depot.expect(1, reference=reference, expectedAt=at)
    found, after, more = [], None, True
    while more:
        page = (await api(LIST, filter={"skus": [depot.sku]}, first=2, after=after))["supplies"]
        found += [node["reference"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert found == [names[at] for at in (2, 1, 3, 0, 4)]
    before = (await api(LIST, filter={"skus": [depot.sku], "expectedBefore": EVENING}))["supplies"]["nodes"]
    assert [node["reference"] for node in before] == [names[at] for at in (2, 1, 3)]
    none = (await api(LIST, filter={"skus": [depot.sku], "states": ["RECEIVED"]}))["supplies"]["nodes"]
    assert none == []


async def test_a_supply_is_fetched_again_by_its_id_and_by_its_reference(api: Served, depot: Depot):
    supply = (await depot.expect(5))["supply"]
    query = """query ($id: ID!, $reference: String!) {
      node(id: $id) { __typename id ... on Supply { lines { item { sku } } } }
      one: supply(by: {id: $id}) { reference } other: supply(by: {reference: $reference}) { id createdAt }
    }"""

    found = await api(query, id=supply["id"], reference=depot.reference)

    assert found["node"] == {"__typename": "Supply", "id": supply["id"], "lines": [{"item": {"sku": depot.sku}}]}
    assert (found["one"], found["other"]["id"]) == (depot.named, supply["id"])


async def test_whoever_watches_a_sku_or_either_end_of_a_transfer_hears_of_it(api: Served, depot: Depot):
    watch = """subscription ($filter: EventFilter) {
      supplyChanged(filter: $filter) {
        reference state kind locationCode skus expectedAt expectedAtBefore supplyVersion supply { version }
      }
    }"""
    filters = {
        "sku": {"skus": [depot.sku]},
        "from": {"locations": ["LEEDS"], "skus": [depot.sku]},
        "to": {"locations": ["YORK"], "skus": [depot.sku]},
        "elsewhere": {"locations": ["HULL"], "skus": [depot.sku]},
    }
    async with api.socket() as client:
        watching = api.hub.subscribers
        for name, condition in filters.items():
            await client.subscribe(name, watch, filter=condition)
        await until(lambda: api.hub.subscribers == watching + len(filters))
        await depot.send(2)
        heard = [await client.receive() for _ in range(3)]
        assert {one["id"] for one in heard} == {"sku", "from", "to"}
        await depot.change("rescheduleSupply", expectedAt=EVENING)
        slipped = [(await client.receive())["payload"]["data"]["supplyChanged"] for _ in range(3)]

    assert slipped == [slipped[0]] * 3
    assert slipped[0] == {
        "reference": depot.reference,
        "state": "EXPECTED",
        "kind": "TRANSFER",
        "locationCode": "YORK",
        "skus": [depot.sku],
        "expectedAt": EVENING,
        "expectedAtBefore": NOON,
        "supplyVersion": 2,
        "supply": {"version": 2},
    }
    await all_numbered(api.database)
    log = """query ($skus: [String!], $locations: [String!]) {
      events(filter: {types: ["SupplyChanged"], skus: $skus, locations: $locations}) {
        nodes { __typename ... on SupplyChanged { supplyVersion } }
      }
    }"""
    for location, versions in (("LEEDS", [1, 2]), ("YORK", [1, 2]), ("HULL", [])):
        nodes = (await api(log, skus=[depot.sku], locations=[location]))["events"]["nodes"]
        assert [node["supplyVersion"] for node in nodes] == versions


async def test_levels_and_supplies_of_a_page_take_one_statement_a_kind(api: Served, depot: Depot):
    for number in range(5):
        other = await Depot(api).stocked(1)
        lines = [depot.line(1), other.line(1)]
        await depot.expect(1, reference=f"{depot.reference}-{number}", lines=lines)
    engine, sent = api.database.engine.sync_engine, list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    levels = await api("{ stockLevels(first: 100) { nodes { sku incoming } } }")
    for_levels = len([one for one in sent if "supply_lines" in one])
    await api("{ supplies(first: 100) { nodes { location { code } from { code } lines { sku item { name } } } } }")
    event.remove(engine, "before_cursor_execute", note)

    assert {"sku": depot.sku, "incoming": 5} in levels["stockLevels"]["nodes"]
    assert for_levels == 1
    assert len([one for one in sent if "supply_lines" in one]) == 2
    assert len([one for one in sent if "FROM items" in one and "supply_lines" not in one]) <= 2
