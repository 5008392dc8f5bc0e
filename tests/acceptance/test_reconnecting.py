"""I6: a subscriber that reconnects any number of times has seen every event, per order in order, none missing."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from persistence.database import PostgresDatabase
from tests.acceptance.clients import connected
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving, serving
from tests.acceptance.reconnecting import WANTED, Fate, Patient, Visitor
from tests.conftest import Server
from tests.gql.proxy import Proxy
from tests.gql.serving import all_numbered, until
from tests.sizes import FULL

VISITORS, WRITERS, ROUNDS, RELAYS = (50, 30, 10, 5) if FULL else (8, 4, 5, 0)
"""`RELAYS`: more than so many are killed."""
SECONDS_BETWEEN_CUTS = VISITORS / 16
PATIENCE_SECONDS = 120 if FULL else SECONDS_MAX
NEVER_RINGS = "memory://"
"""Each process hears only itself, and the relay is in another one than the clients."""


@asynccontextmanager
async def a_long_transaction_next_door(server: Server) -> AsyncIterator[None]:
    """It has an id and a snapshot from before everything, in another database of the same server."""
    connection = await asyncpg.connect(server.url)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.fetchval("SELECT pg_current_xact_id()")
            yield
    finally:
        await connection.close()


async def roads_to(address: str, count: int, stack: AsyncExitStack) -> list[Proxy]:
    parts = make_url(address)
    roads = [Proxy(str(parts.host), parts.port or 0) for _ in range(count)]
    for road in roads:
        await road.open()
        stack.push_async_callback(road.cut)
    return roads


async def everything_happens(
    node: Serving, fate: Fate, database: PostgresDatabase, database_url: str
) -> tuple[list[Visitor], list[dict[str, Any]]]:
    """Visitors that have been told all, and the log."""
    writer = Patient([node.address])
    async with AsyncExitStack() as stack, connected() as http:
        start = await writer.set_up(http)
        roads = await roads_to(node.address, VISITORS, stack)
        visitors = [Visitor(WANTED[at % len(WANTED)], road, start) for at, road in enumerate(roads)]
        watching = [asyncio.create_task(visitor.watch()) for visitor in visitors]
        strikes = [fate.cut(road) for road in roads] + [fate.terminate_backends(database_url)]
        striking = [asyncio.create_task(strike) for strike in strikes]
        chances = [random.Random(number) for number in range(WRITERS)]  # noqa: S311
        await asyncio.gather(
            *(writer.write(http, f"W{number}", ROUNDS, chance) for number, chance in enumerate(chances))
        )
        await until(lambda: fate.strikes.get("relays", 0) > RELAYS)
        fate.over.set()
        await asyncio.gather(*striking)
        await all_numbered(database)
        log = await writer.the_log(http, start)
        await all_are_told(visitors, watching, log)
    return visitors, log


async def all_are_told(
    visitors: list[Visitor], watching: list["asyncio.Task[None]"], log: list[dict[str, Any]]
) -> None:
    """Wait until everybody has the last of what they want, or has failed; what they have seen is judged elsewhere."""
    last = [visitor.wants.found_in(log)[-1:] for visitor in visitors]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(visitor.seen[-1:] != end for visitor, end in zip(visitors, last, strict=True)):
                assert not [task.result() for task in watching if task.done()]
                await asyncio.sleep(0.01)
    except TimeoutError:
        pass
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


def versions(log: list[dict[str, Any]]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for event in log:
        if event["__typename"] == "OrderChanged":
            found[event["orderNumber"]].append(event["orderVersion"])
    return found


@pytest.mark.parametrize("bell", ["rings", pytest.param("never rings", marks=pytest.mark.chaos)])
async def test_i6_whoever_reconnects_after_its_last_cursor_has_seen_the_log(
    bell: str,
    server: Server,
    database: PostgresDatabase,
    database_url: str,
    tmp_path: Path,
):
    """While connections are cut, relays die and are started again, backends are terminated, and somebody else on the
    server leaves a transaction open.
    """
    settings = {"DIBS_DATABASE_URL": database_url, "DIBS_ADMIN_KEY": KEY}
    if bell == "never rings":
        settings["DIBS_BELL_URL"] = NEVER_RINGS
    works, serves = tmp_path / "work", tmp_path / "serve"
    works.mkdir()
    serves.mkdir()
    fate = Fate(random.Random(20111205), SECONDS_BETWEEN_CUTS)  # noqa: S311
    async with a_long_transaction_next_door(server), fate.killing_relays(works, **settings):
        with serving(serves, "--no-workers", **settings) as node:
            visitors, log = await everything_happens(node, fate, database, database_url)

    for visitor in visitors:
        assert visitor.seen == visitor.wants.found_in(log), (visitor.wants, len(visitor.seen))
    assert all(found == list(range(1, len(found) + 1)) for found in versions(log).values())
    assert len(versions(log)) == WRITERS * ROUNDS
    assert {wants.type for wants in WANTED} <= {event["__typename"] for event in log}
    assert sum(visitor.thrown_out for visitor in visitors) >= VISITORS
    assert min(fate.strikes[what] for what in ("cuts", "backends", "relays")) > 0, fate.strikes
