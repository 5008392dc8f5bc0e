"""Events reach every subscriber that asked for them: no gap, nothing twice, whatever happens to its connection."""

import asyncio
import gc
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from graphql.execution.collect_fields import CollectedFields
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from domain.ids import OrderId
from gql import limits, outbox, websocket
from gql.schema.events import log_cursor
from gql.schema.ids import global_id
from tests.builders import a_catalog, allocated, placed, received
from tests.gql.serving import KNOWN, PROTOCOL, SECONDS_MAX, Served, Socket, all_numbered, cut_after, serving, until

ORDERS = "subscription ($after: String) { orderChanged(after: $after) { cursor orderNumber orderVersion changes } }"
STATUSES = """
    subscription ($filter: AllocationStatusChangedFilter, $after: String) {
      allocationStatusChanged(filter: $filter, after: $after) { cursor orderNumber before after cause }
    }"""
LEVELS = """
    subscription ($filter: StockLevelFilter, $after: String) {
      stockLevelChanged(filter: $filter, after: $after) { cursor sku onHand version }
    }"""


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """An API with one item at one location."""
    async with serving(database_url) as served:
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        yield served
        await until(lambda: served.hub.subscribers == 0)


async def place(served: Served, number: str, **more: Any) -> OrderId:
    return await placed(served.database, KNOWN, {"CHAIR": 1}, number=number, **more)


async def the_log(served: Served, *types: str) -> list[dict[str, Any]]:
    """Every event of these types, read through the API page by page, once the relay has numbered everything."""
    found: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        page = (
            await served(
                """query ($types: [String!], $after: String) {
                  events(filter: {types: $types}, first: 100, after: $after) {
                    nodes {
                      __typename cursor
                      ... on OrderChanged { orderNumber orderVersion }
                      ... on StockLevelChanged { sku version }
                    }
                    pageInfo { hasNextPage endCursor }
                  }
                }""",
                types=types or None,
                after=after,
            )
        )["events"]
        found += page["nodes"]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found


async def numbered(served: Served) -> str:
    """The end of the log, once everything that is committed is in it."""
    await all_numbered(served.database)
    cursor: str = (await served("{ eventCursor }"))["eventCursor"]
    return cursor


async def test_an_event_arrives_while_the_client_watches(served: Served):
    async with served.socket() as client:
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 1)

        await place(served, "A1")
        event = (await client.next("1"))["orderChanged"]

    assert (event["orderNumber"], event["orderVersion"], event["changes"]) == ("A1", 1, ["PLACED"])


async def test_c3_o6_what_is_on_hand_and_set_aside_moves_before_the_eyes_of_whoever_watches(served: Served):
    order = await place(served, "A1")
    async with served.socket() as client:
        await client.subscribe("1", "subscription { stockLevelChanged { onHand committed available } }")
        await until(lambda: served.hub.subscribers == 1)
        await received(served.database, KNOWN, {"CHAIR": 5})
        first = (await client.next("1"))["stockLevelChanged"]
        await allocated(served.database, KNOWN, order)
        second = (await client.next("1"))["stockLevelChanged"]

    assert first == {"onHand": 5, "committed": 0, "available": 5}
    assert second == {"onHand": 5, "committed": 1, "available": 4}


async def test_an_event_shows_the_order_as_it_is_when_it_is_told(served: Served):
    order = await place(served, "A1")
    await numbered(served)
    await received(served.database, KNOWN, {"CHAIR": 5})
    await allocated(served.database, KNOWN, order)
    await numbered(served)
    async with served.socket() as client:
        await client.subscribe(
            "1",
            """subscription ($after: String) {
              orderChanged(after: $after) { orderVersion order { version allocationStatus lines { allocated } } }
            }""",
            after=log_cursor(0),
        )
        first = (await client.next("1"))["orderChanged"]

    assert first == {
        "orderVersion": 1,
        "order": {"version": 2, "allocationStatus": "ALLOCATED", "lines": [{"allocated": 1}]},
    }


async def test_a_subscription_begins_now_unless_it_is_told_where(served: Served):
    await place(served, "before")
    await numbered(served)
    async with served.socket() as client:
        await client.subscribe("now", ORDERS)
        await client.subscribe("all", ORDERS, after=log_cursor(0))
        await until(lambda: served.hub.subscribers == 2)
        await place(served, "after")

        seen: dict[str, list[str]] = {"now": [], "all": []}
        for _ in range(3):
            message = await client.receive()
            seen[message["id"]].append(message["payload"]["data"]["orderChanged"]["orderNumber"])

    assert seen == {"now": ["after"], "all": ["before", "after"]}


async def test_each_subscriber_sees_what_its_filter_asks_for(served: Served):
    await a_catalog(served.database, KNOWN, {("LAMP", "LEEDS"): 1, ("LAMP", "YORK"): 1, ("DESK", "YORK"): 0})
    start = await numbered(served)
    mine = await placed(served.database, KNOWN, {"LAMP": 1}, number="1", channel="WEB")
    other = await placed(served.database, KNOWN, {"LAMP": 2}, number="2", channel="TILL")
    await allocated(served.database, KNOWN, mine, other)
    await received(served.database, KNOWN, {"DESK": 1}, location="YORK")
    end = await numbered(served)

    assert end != start

    async def seen(query: str, **condition: Any) -> list[str]:
        """Numbers or SKUs of everything that arrives."""
        field = query.partition("{")[2].split("(")[0].strip()
        name = "sku" if field == "stockLevelChanged" else "orderNumber"
        found: list[str] = []
        async with served.socket() as client:
            await client.subscribe("1", query, filter=condition, after=start)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while True:
                        found.append((await client.next("1"))[field][name])
        return found

    found = await asyncio.gather(
        seen(STATUSES),
        seen(STATUSES, channels=["WEB"]),
        seen(STATUSES, channels=[]),
        seen(STATUSES, orders=[global_id("Order", other), "rubbish"]),
        seen(STATUSES, orders=["rubbish"]),
        seen(STATUSES, statuses=["PARTIALLY_ALLOCATED"]),
        seen(STATUSES, statuses=["ALLOCATED"], channels=["TILL"]),
        seen(STATUSES, skus=["CHAIR", "LAMP"]),
        seen(STATUSES, skus=["CHAIR"]),
        seen(STATUSES, locations=["LEEDS"]),
        seen(STATUSES, locations=["YORK", "HULL"]),
        seen(LEVELS, skus=["DESK"]),
        seen(LEVELS, locations=["YORK"]),
        seen(LEVELS, overallocated=True),
    )

    assert found == [
        ["1", "2"],
        ["1"],
        [],
        ["2"],
        [],
        ["2"],
        [],
        ["1", "2"],
        [],
        ["1"],
        ["2"],
        ["DESK"],
        ["LAMP", "DESK"],
        [],
    ]  # fmt: skip


async def test_one_subscription_tells_every_event_that_the_query_answers(served: Served):
    start = await numbered(served)
    order = await place(served, "A1")
    await received(served.database, KNOWN, {"CHAIR": 1})
    await allocated(served.database, KNOWN, order)
    await numbered(served)
    selection = "__typename id cursor occurredAt ... on OrderChanged { changes } ... on StockLevelChanged { onHand }"
    query = "query ($filter: EventFilter, $after: String) { events(filter: $filter, after: $after) { nodes { %s } } }"
    watch = "subscription ($filter: EventFilter, $after: String) { events(filter: $filter, after: $after) { %s } }"

    for condition in ({}, {"statuses": ["ALLOCATED"]}, {"orders": [global_id("Order", order)]}, {"skus": ["CHAIR"]}):
        found = (await served(query % selection, filter=condition, after=start))["events"]["nodes"]
        async with served.socket() as client:
            await client.subscribe("1", watch % selection, filter=condition, after=start)
            assert [(await client.next("1"))["events"] for _ in found] == found
        assert len(found) == {"statuses": 1}.get("".join(condition), len(found)) > 0


async def test_a_cursor_from_the_queries_continues_a_subscription(served: Served):
    for number in range(5):
        await place(served, str(number))
    await numbered(served)
    log = await the_log(served, "OrderChanged")

    async with served.socket() as client:
        await client.subscribe("1", ORDERS, after=log[2]["cursor"])
        seen = [(await client.next("1"))["orderChanged"]["orderNumber"] for _ in range(2)]

    assert seen == ["3", "4"]


async def test_a_client_that_reconnects_at_random_misses_nothing_and_sees_nothing_twice(served: Served):
    """I6, with writers that write all the while: what it has seen in the end is the log."""
    await received(served.database, KNOWN, {"CHAIR": 1_000})
    start = await numbered(served)
    chance = random.Random(20111205)  # noqa: S311

    async def write(name: str) -> None:
        for number in range(12):
            order = await place(served, f"{name}-{number}")
            await allocated(served.database, KNOWN, order)

    async def watch() -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []
        after = start
        while ("last", 1) not in seen:
            async with served.socket() as client:
                await client.subscribe("1", ORDERS, after=after)
                for _ in range(chance.randrange(1, 8)):
                    event = (await client.next("1"))["orderChanged"]
                    seen.append((event["orderNumber"], event["orderVersion"]))
                    after = event["cursor"]
                    if ("last", 1) in seen:
                        break
                if chance.random() < 0.5:
                    client.connection.transport.abort()
        return seen

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(write(name) for name in "abcd"))
    await place(served, "last")
    seen = await asyncio.wait_for(watching, SECONDS_MAX)

    log = [(event["orderNumber"], event["orderVersion"]) for event in await the_log(served, "OrderChanged")]
    assert seen == log
    assert len(log) == 4 * 12 * 2 + 1


async def test_cursor_then_query_then_subscription_misses_nothing(served: Served):
    """Orders that are placed while a client starts are in its query, or in its events, or in both."""
    everything: set[str] = set()
    stop = asyncio.Event()

    async def write(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await place(served, f"{name}-{number}")
            everything.add(f"{name}-{number}")

    async def numbers() -> set[str]:
        found: set[str] = set()
        after, more = None, True
        while more:
            page = (
                await served(
                    """query ($after: String) {
                      orders(first: 10, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } }
                    }""",
                    after=after,
                )
            )["orders"]
            found |= {order["number"] for order in page["nodes"]}
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        return found

    writers = [asyncio.create_task(write(name)) for name in "abc"]
    for _ in range(5):
        cursor = (await served("{ eventCursor }"))["eventCursor"]
        known = await numbers()
        async with served.socket() as client:
            await client.subscribe("1", ORDERS, after=cursor)
            marker = await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
            assert marker["__typename"] == "SaveItemsSuccess"
            placed_by_now = set(everything)
            while not placed_by_now <= known:
                known.add((await client.next("1"))["orderChanged"]["orderNumber"])
    stop.set()
    await asyncio.gather(*writers)


# ---------------------------------------------------------------- a cursor that is too old


async def test_a_cursor_that_is_too_old_ends_the_subscription_with_the_newest_one(served: Served):
    for number in "12345":
        await place(served, number)
    newest = await numbered(served)
    await cut_after(served, 3)
    async with served.socket() as client:
        await client.subscribe("old", ORDERS, after=log_cursor(2))
        error = await client.error("old")
        assert error["extensions"] == {"code": "CURSOR_EXPIRED", "cursor": newest}

        await client.subscribe("kept", ORDERS, after=log_cursor(3))
        assert [(await client.next("kept"))["orderChanged"]["orderNumber"] for _ in "45"] == ["4", "5"]
        await client.subscribe("newest", ORDERS, after=error["extensions"]["cursor"])
        await until(lambda: served.hub.subscribers == 2)


async def test_a_cursor_that_is_too_old_for_the_query_is_told_so_and_without_one_it_begins_where_the_log_does(
    served: Served,
):
    for number in "12345":
        await place(served, number)
    newest = await numbered(served)
    await cut_after(served, 3)
    query = "query ($after: String) { events(first: 2, after: $after) { nodes { cursor } pageInfo { endCursor } } }"

    answer = await served.answer(query, after=log_cursor(2))
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "CURSOR_EXPIRED", "cursor": newest}
    for after in (None, log_cursor(3)):
        assert (await served(query, after=after))["events"]["nodes"] == [{"cursor": log_cursor(n)} for n in (4, 5)]


async def test_a_feed_that_stood_still_for_longer_than_events_are_kept_tells_its_subscribers(served: Served):
    """Such as one whose database was away for so long. Nobody is left waiting for what is gone."""
    await place(served, "1")
    newest = await numbered(served)
    await until(lambda: served.feed.position == 1)
    async with served.socket() as client:
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 1)
        await cut_after(served, 1)
        served.feed.position = 0
        error = await client.error("1")
        assert error["extensions"] == {"code": "CURSOR_EXPIRED", "cursor": newest}

        await client.subscribe("2", ORDERS, after=error["extensions"]["cursor"])
        await until(lambda: served.hub.subscribers == 1)
        await place(served, "2")
        assert (await client.next("2"))["orderChanged"]["orderNumber"] == "2"


# ---------------------------------------------------------------- those who do not keep up


MANY_FIELDS = " ".join(f"level_{number}: sku" for number in range(250))
WIDE = f"subscription ($after: String) {{ stockLevelChanged(after: $after) {{ cursor {MANY_FIELDS} }} }}"


@pytest.fixture
def many_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one event be large."""
    monkeypatch.setattr(limits, "ALIASES_MAX", 300)


@asynccontextmanager
async def narrow_socket(served: Served) -> AsyncIterator[Socket]:
    """A client on a connection that holds little, so that it is soon full when nobody reads."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", served.port))
    url, protocol = served.address.replace("http", "ws", 1), Subprotocol(PROTOCOL)
    async with connect(
        url, sock=narrow, subprotocols=[protocol], compression=None, ping_interval=None, max_queue=1, close_timeout=1
    ) as connection:
        for other in served.server.server_state.connections:
            other.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        client = Socket(connection)
        await client.send(type="connection_init", payload={"authorization": f"Bearer {served.key}"})
        assert await client.receive() == {"type": "connection_ack"}
        yield client


async def many_levels(served: Served, count: int) -> None:
    stock = {f"SKU-{number:03}": number + 1 for number in range(count)}
    await a_catalog(served.database, KNOWN, {(sku, "LEEDS"): units for sku, units in stock.items()})


@pytest.mark.usefixtures("many_aliases")
async def test_a_subscriber_that_does_not_keep_up_is_told_where_it_was_and_others_are_not_held_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MESSAGES_MAX", 50)
    start = await numbered(served)
    async with narrow_socket(served) as slow, served.socket() as quick:
        await slow.subscribe("1", WIDE)
        await quick.subscribe("1", LEVELS)
        await until(lambda: served.hub.subscribers == 2)
        skus = []
        for batch in range(8):
            names = [f"SKU-{batch}-{number:02}" for number in range(40)]
            await a_catalog(served.database, KNOWN, {(sku, "LEEDS"): 1 for sku in names})
            skus += [(await quick.next("1"))["stockLevelChanged"]["sku"] for _ in names]
        await until(lambda: served.hub.subscribers == 1)

        seen = []
        while (message := await slow.receive())["type"] == "next":
            seen.append(message["payload"]["data"]["stockLevelChanged"])
        (error,) = message["payload"]
        assert error["extensions"]["code"] == "TOO_SLOW"
        assert error["extensions"]["cursor"] == seen[-1]["cursor"]
        assert 0 < len(seen) < len(skus)

        await slow.subscribe("2", WIDE, after=error["extensions"]["cursor"])
        while len(seen) < len(skus):
            seen.append((await slow.next("2"))["stockLevelChanged"])
    assert [event["level_0"] for event in seen] == skus
    log = [event for event in await the_log(served, "StockLevelChanged") if event["cursor"] > start]
    assert [event["cursor"] for event in seen] == [event["cursor"] for event in log][-len(seen) :]


@pytest.mark.usefixtures("many_aliases")
async def test_a_client_that_takes_nothing_for_too_long_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "SEND_SECONDS_MAX", 0.2)
    async with narrow_socket(served) as client:
        await client.subscribe("1", WIDE)
        await until(lambda: served.hub.subscribers == 1)
        await many_levels(served, 300)

        await until(lambda: served.hub.subscribers == 0)
        await until(lambda: not served.server.server_state.tasks)
        with suppress(ConnectionClosed):
            while True:
                await client.receive()


async def test_a_client_that_asks_on_and_on_has_to_wait(served: Served, monkeypatch: pytest.MonkeyPatch):
    """Refusals are not piled up for somebody who does not read them."""
    monkeypatch.setattr(outbox, "SEND_SECONDS_MAX", 0.3)
    async with narrow_socket(served) as client:
        for number in range(websocket.OPERATIONS_MAX):
            await client.subscribe(str(number), ORDERS)
        before = len(asyncio.all_tasks())
        most = before
        filler = "x" * 1_000
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(5):
                for number in range(3_000):
                    await client.subscribe(f"{filler}{number}", ORDERS)
                    most = max(most, len(asyncio.all_tasks()))
        assert most < before + 30
        client.connection.transport.abort()


async def test_a_stream_keeps_nothing_of_the_events_that_it_has_told(served: Served):
    await received(served.database, KNOWN, {"CHAIR": 1_000})
    start = await numbered(served)

    def noted() -> int:
        gc.collect()
        return sum(isinstance(one, CollectedFields) for one in gc.get_objects())

    async with served.socket() as client:
        await client.subscribe("1", ORDERS, after=start)
        await place(served, "first")
        await client.next("1")
        before = noted()
        for number in range(20):
            await place(served, f"later {number}")
            await client.next("1")

        assert noted() <= before
