"""I17: nothing crosses a caller's channels and locations. What is asked is made from the schema, so what is added to
it is tried here without anybody's thinking of it.

Each key has every scope but admin, and a limit. It asks every operation that is open to it for everything that it can
answer, with every id there is and with names, and is told nothing of what is out of its sight: no id, no text, no
count. A name of what it may not know of is answered as a name of nothing is.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from domain.access import Scope, Visibility, denied
from gql.schema.events import log_cursor
from gql.schema.ids import global_id, parse_id
from gql.scopes import need_of
from persistence.sight import RULES
from persistence.tables import metadata
from tests.gql.asking import DEEP, FRESH, SCHEMA, SHALLOW, Operation, Path, operations
from tests.gql.serving import Served, Socket, all_numbered, serving, until
from tests.gql.sight_world import (
    BUSINESS,
    CART,
    HERE,
    OURS,
    PERSONAL,
    PRICE,
    QUADRANTS,
    SHARED,
    TABLES,
    THEIRS,
    UNRELEASED,
    YONDER,
    World,
    a_world,
    api_sku,
    sent_and_returned,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCOPES = frozenset(Scope) - {Scope.ADMIN}
NEVER = 9_999_999
"""The number of no row."""
QUIET_SECONDS = 2
"""After the whole log is handed out, so long nothing comes before a subscription counts as told everything."""
NEW = 2
"""How far in an input it is that something new is named; further in, it is something that exists."""
GARBAGE = ("", "\x00", "T3JkZXI6MQ==")
A_RUN = "query ($id: ID!) { allocationRun(id: $id) { id } }"
A_CART = "query ($id: ID!) { stockReservation(id: $id) { lines { from { quantity location { code } } } } }"
NOT_YET = [(*quadrant, UNRELEASED) for quadrant in QUADRANTS]


@dataclass(frozen=True)
class Limited:
    """A key's limits, whose objects are out of its sight, and which words stand in those alone."""

    name: str
    channels: tuple[str, ...] | None
    locations: tuple[str, ...] | None
    hidden: tuple[Any, ...]
    words: tuple[str, ...]

    @property
    def visibility(self) -> Visibility:
        limits = (None if one is None else frozenset(one) for one in (self.channels, self.locations))
        return Visibility(**dict(zip(("channels", "locations"), limits, strict=True)))

    @property
    def operations(self) -> list[Operation]:
        return [
            one
            for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
            for one in operations(root)
            if denied(need_of(one.root.name, one.name), SCOPES, self.visibility) is None
        ]


def of_channel(channel: str) -> list[Any]:
    return [channel, *(one for one in (*QUADRANTS, *NOT_YET) if one[0] == channel)]


def at_place(place: str) -> list[Any]:
    return [place, *(one for one in (*QUADRANTS, *NOT_YET) if one[1] == place)]


AT_HERE = (*at_place(YONDER), *NOT_YET, CART, BUSINESS)
PARTNER = Limited("a partner", (OURS,), None, (*of_channel(THEIRS), CART, BUSINESS), (THEIRS, BUSINESS))
WAREHOUSE = Limited("a 3PL", None, (HERE,), AT_HERE, (YONDER, PERSONAL, PRICE, BUSINESS))
BOTH = Limited(
    "a partner's 3PL",
    (OURS,),
    (HERE,),
    tuple(dict.fromkeys((*of_channel(THEIRS), *AT_HERE))),
    (THEIRS, YONDER, PERSONAL, PRICE, BUSINESS),
)
NOBODY = Limited(
    "a key for nothing",
    (),
    (),
    (*QUADRANTS, *NOT_YET, OURS, THEIRS, HERE, YONDER, CART, BUSINESS),
    (OURS, THEIRS, HERE, YONDER, PERSONAL, PRICE, BUSINESS),
)
LIMITED = [PARTNER, WAREHOUSE, BOTH, NOBODY]
named = partial(pytest.mark.parametrize, "limited", ids=lambda one: one.name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_database_url: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("gql.execution.TOKENS_MAX", "gql.execution.COST_MAX", "gql.execution.KEPT_DOCUMENT_LENGTH_MAX"):
            patch.setattr(name, 10**9)
        for name in ("DEPTH_MAX", "ALIASES_MAX", "REPEATS_MAX"):
            patch.setattr(f"gql.limits.{name}", 10**9)
        patch.setattr("gql.http.BODY_BYTES_MAX", 10**9)
        patch.setattr("gql.http.REQUEST_SECONDS_MAX", 600)
        async with serving(shared_database_url, cost_budget=0, webhook_allow_loopback=True) as served:
            yield await a_world(served)


class Asker:
    """Asks with a limited key, and looks at what is answered."""

    def __init__(self, world: World, limited: Limited, key: Served) -> None:
        self.world = world
        self.limited = limited
        self.key = key
        self.hidden = {one for ids in world.ids(*limited.hidden).values() for one in ids}
        self.words = re.compile("|".join(map(re.escape, limited.words)))
        self.said: set[str] = set()
        """What it has written itself, such as the name of a bin."""
        mine = world.ids((OURS, HERE))
        self.own = {
            "id": mine["Order"][-1],
            "line": mine["OrderLine"][-1],
            "fulfillment": mine["Fulfillment"][-1],
            "task": mine["PickTask"][-1],
            "list": mine["PickList"][-1],
            "return": mine["Return"][-1],
            "parcel": mine["Parcel"][-1],
            "run": world.ids(OURS)["AllocationRun"][-1],
            "reservation": world.ids((OURS, HERE, UNRELEASED))["StockReservation"][-1],
        }
        self.known = {"channel": OURS, "location": HERE, "sku": api_sku(OURS, HERE), "picker": "me"}

    @classmethod
    async def of(cls, world: World, limited: Limited) -> "Asker":
        key = await world.api.key_of(*SCOPES, channels=limited.channels, locations=limited.locations)
        return cls(world, limited, key)

    async def ask(self, operation: Operation, variables: dict[str, Any], given: str = "") -> Any:
        """The whole answer; it says nothing of what is out of sight, but for what was given."""
        document = operation.document(SCOPES, SHALLOW if given else DEEP)
        if operation.root is SCHEMA.mutation_type:
            self.said.add(given)
        answer = await self.key.answer(document, **variables)
        self.look_at(answer, given, operation.called)
        return answer

    def look_at(self, answer: Any, given: str, about: str) -> None:
        for place, text in texts(answer, (about,)):
            if (given and given in text) or text in self.said:
                continue
            assert text not in self.hidden, f"{place} is the id {text} of what is out of sight, given {given!r}"
            assert not self.words.search(text), f"{place} is {text!r}, which is out of sight, given {given!r}"
        for error in answer.get("errors", ()):
            assert given, (about, error)
            assert error["extensions"]["code"] == "BAD_USER_INPUT", (about, error)

    def candidates(self, kind: str) -> Iterator[str]:
        """What could be named and is out of sight."""
        if kind == "ID":
            for ids in self.world.ids(*self.limited.hidden).values():
                yield from ids[-1:]
            return
        channel, place = next(one for one in QUADRANTS if one in self.limited.hidden)
        yield from (one for one in (channel, place) if one in self.limited.hidden)
        yield from (f"no {channel} {place}-1", f"po {place} {channel}", f"tracking {channel} {place}")


def of_nothing(given: str, kind: str) -> str:
    """A name that nothing has, and that looks like the one given: of the same kind, and as long."""
    if kind == "ID":
        named = parse_id(given)
        return global_id(named[0] if named else "Order", NEVER)
    return "".join(chr(ord(one) + 1) if one.isalnum() else one for one in given)


def texts(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every text and number in an answer, with where it stands."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from texts(one, (*place, name))
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, place)
    elif value is not None and not isinstance(value, bool):
        yield ".".join(place), str(value)


def outline(answer: Any, given: str) -> Any:
    """What an answer comes to, whatever was given, and without times."""
    if isinstance(answer, dict):
        return {name: outline(one, given) for name, one in answer.items() if not name.endswith("At")}
    if isinstance(answer, list):
        return [outline(one, given) for one in answer]
    return "(given)" if isinstance(answer, str) and given and given in answer else answer


REFUSING = (
    "__typename",
    "message",
    "references",
    "problems",
    "code",
    "path",
    "refusal",
    "results",
    "outcome",
    "reasons",
)


def refusals(answer: Any, given: str) -> Any:
    """What a mutation says of what it does, or does not do; of objects only what they are."""
    if isinstance(answer, dict):
        said = {name: one for name, one in answer.items() if name.rpartition("_")[2] in REFUSING or name[0].islower()}
        return {name: refusals(one, given) for name, one in said.items()}
    if isinstance(answer, list):
        return [refusals(one, given) for one in answer]
    return outline(answer, given)


# ---------------------------------------------------------------- the world is whole


async def test_every_table_says_who_sees_its_rows():
    """A table of which nothing is said is empty for whoever is limited; say it all the same, in `persistence.sight`."""
    assert set(RULES) == {table.name for table in metadata.sorted_tables}


async def test_the_world_has_something_of_every_kind_that_somebody_may_not_see(world: World):
    """A kind of object that is new stands in `TABLES` of the world, which makes some of it."""
    nodes = {
        kind.name for kind in SCHEMA.type_map.values() if "Node" in [x.name for x in getattr(kind, "interfaces", ())]
    }
    hidden = {kind for one in LIMITED for kind, ids in world.ids(*one.hidden).items() if ids}

    assert nodes <= set(TABLES) | SHARED
    assert hidden == set(TABLES)


# ---------------------------------------------------------------- asking


@named(LIMITED)
async def test_i17_whatever_is_asked_without_naming_anything_is_of_ones_own(world: World, limited: Limited):
    asker = await Asker.of(world, limited)
    for operation in limited.operations:
        if operation.root is SCHEMA.query_type:
            await asker.ask(operation, operation.variables(asker.known))


@named([PARTNER, WAREHOUSE, BOTH])
async def test_what_is_ones_own_is_seen_with_everything_that_hangs_on_it(world: World, limited: Limited):
    """Or else nothing would be proven by what is not seen."""
    asker = await Asker.of(world, limited)
    told = set()
    for operation in limited.operations:
        if operation.root is SCHEMA.query_type:
            told |= {text for _, text in texts(await asker.ask(operation, operation.variables(asker.known)))}
    mine = world.ids((OURS, HERE))
    for kind in ("Order", "OrderLine", "Fulfillment", "FulfillmentLine", "Parcel", "PickTask", "Return", "ReturnLine"):
        assert told.issuperset(mine[kind]), kind
    if limited is PARTNER:
        for kind in ("Invoice", "Payment", "FollowUp"):
            assert told.issuperset(mine[kind]), kind
        assert told.issuperset(world.ids((OURS, HERE, UNRELEASED))["Order"])
        for run in world.ids(OURS)["AllocationRun"]:
            assert (await asker.key.answer(A_RUN, id=run))["data"]["allocationRun"] is not None
        (cart,) = world.ids((OURS, HERE, UNRELEASED))["StockReservation"]
        found = (await asker.key.answer(A_CART, id=cart))["data"]["stockReservation"]
        assert found["lines"] == [{"from": [{"quantity": 1, "location": {"code": HERE}}]}]
        assert {f"{PERSONAL} {OURS} {HERE}", PRICE} <= told
    if limited is WAREHOUSE:
        for kind in ("StockLevel", "StockMovement", "Supply", "PickList"):
            assert told.issuperset(mine[kind]), kind
        assert told.issuperset(world.ids((THEIRS, HERE))["Fulfillment"])


@named([PARTNER, WAREHOUSE])
async def test_i17_every_argument_that_names_something_is_tried_with_what_is_out_of_sight(
    world: World, limited: Limited
):
    """In queries: the answer is that to a name of nothing."""
    asker = await Asker.of(world, limited)
    for operation in limited.operations:
        if operation.root is SCHEMA.query_type:
            for path, kind in operation.leaves():
                if path != ("after",):
                    await tried(asker, operation, path, kind, outline)


# ---------------------------------------------------------------- watching


@named(LIMITED)
async def test_i17_no_subscription_tells_of_what_is_out_of_sight(world: World, limited: Limited):
    """From the beginning of the log, and live; each of them, with and without a filter that names what is hidden."""
    asker = await Asker.of(world, limited)
    wanted = [one for one in limited.operations if one.root is SCHEMA.subscription_type]
    last: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        watching = [
            asyncio.create_task(watched(asker, await stack.enter_async_context(asker.key.socket()), one, last))
            for one in wanted
        ]
        await until(lambda: world.api.hub.subscribers >= len(wanted))
        for quadrant in QUADRANTS[::-1]:  # our own comes last
            await world.building(quadrant, sent_and_returned(world, *quadrant))
        last |= await end_of_the_log(world)
        told = await asyncio.gather(*watching)
    if limited is not NOBODY:
        assert all(told), [one.called for one, events in zip(wanted, told, strict=True) if not events]


async def end_of_the_log(world: World) -> dict[str, Any]:
    await all_numbered(world.api.database)
    end = await world.api.database.read(lambda uow: uow.events.end())
    await until(lambda: world.api.feed.position >= end)
    return {"position": end}


async def watched(asker: Asker, client: Socket, operation: Operation, last: dict[str, Any]) -> int:
    """How many events it was told, until the log is told to its end."""
    variables = operation.variables(asker.known, ("after",), log_cursor(0))
    await client.subscribe("1", operation.document(SCOPES, SHALLOW), **variables)
    told = 0
    while True:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                message = await client.receive()
        except TimeoutError:
            if last:
                return told
            continue
        if message["type"] == "ping":
            await client.send(type="pong")
            continue
        assert message["type"] == "next", message
        asker.look_at(message["payload"], "", operation.called)
        told += 1


# ---------------------------------------------------------------- documents


@named(LIMITED)
async def test_i17_the_documents_of_others_are_not_found(world: World, limited: Limited):
    asker = await Asker.of(world, limited)
    for quadrant in QUADRANTS:
        for document in world.documents[quadrant]:
            answer = await asker.key.client.get(
                f"/documents/{document}", headers={"authorization": f"Bearer {asker.key.key}"}
            )
            kind = document.partition("/")[0]
            not_theirs = (kind == "pick-list" and limited.channels) or (kind == "invoice" and limited.locations)
            if quadrant in limited.hidden or not_theirs:
                assert answer.status_code == 404, (limited.name, document)
                assert answer.json()["errors"][0]["message"] == "There is no such document."
            else:
                assert answer.status_code == 200, (limited.name, document)


# ---------------------------------------------------------------- writing


@named([PARTNER, WAREHOUSE, BOTH])
async def test_i17_no_mutation_reaches_what_is_out_of_sight(world: World, limited: Limited):
    """However it is named: it is refused in the words in which what does not exist is, and nothing has changed."""
    asker = await Asker.of(world, limited)
    before = await world.all_of(world.ids(*limited.hidden))
    for operation in limited.operations:
        if operation.root is SCHEMA.mutation_type:
            for path, kind in operation.leaves():
                if path[-1] not in FRESH or len(path) > NEW:
                    await tried(asker, operation, path, kind, refusals)
    assert await world.all_of(world.ids(*limited.hidden)) == before


async def tried(asker: Asker, operation: Operation, path: Path, kind: str, told: Callable[[Any, str], Any]) -> None:
    """With everything that is out of sight, with nothing, and with garbage, in this place of the arguments.

    Beside a foreign id stand one's own: a line of another's order is tried in an order of one's own.
    """
    known = asker.known | (asker.own if kind == "ID" else {})

    async def told_of(given: str) -> Any:
        return told(await asker.ask(operation, operation.variables(known, path, given), given or " "), given)

    of_no_object = await told_of(of_nothing("", kind))
    for given in asker.candidates(kind):
        answer = await told_of(given)
        if kind != "ID" or answer != of_no_object:  # most places take ids of one kind, and treat all others alike
            assert answer == await told_of(of_nothing(given, kind)), (operation.called, path, given)
    for garbage in GARBAGE if kind == "ID" else ():
        await told_of(garbage)
