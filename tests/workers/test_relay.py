"""The relay: every committed event gets one place in the log, soon, whoever wrote it and however many relays run."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from gql.feed import Feed
from gql.hub import Hub
from persistence import events
from persistence.bell import BroadcastBell
from persistence.database import PostgresDatabase, connect
from services.callers import Caller
from services.ports.events import EventFilter
from tests.builders import a_catalog, allocated, placed
from tests.gql.following import following
from tests.gql.proxy import proxied
from tests.gql.serving import Silence, all_numbered, until
from tests.statements import statements
from workers import relay as relays
from workers.loop import running
from workers.relay import Relay, number_events

Databases = Callable[..., PostgresDatabase]


@asynccontextmanager
async def relaying(*databases: PostgresDatabase) -> AsyncIterator[None]:
    """A relay on each, as if each was a process of its own."""
    async with running(*(Relay(database, Silence()).run for database in databases)):
        yield


async def positions(database: PostgresDatabase) -> list[int | None]:
    """Of every event, in the order in which the events were written."""
    async with database.engine.connect() as connection:
        return list((await connection.execute(text("SELECT position FROM events ORDER BY id"))).scalars())


async def test_events_of_another_process_are_numbered_within_a_poll(
    database: PostgresDatabase, databases: Databases, caller: Caller
):
    """Nobody nudges: the relay looks by itself."""
    async with relaying(databases()):
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
        await all_numbered(database)
        await asyncio.sleep(relays.POLL_SECONDS)  # it rests again

        await placed(database, caller, {"CHAIR": 1})
        started = time.monotonic()
        await all_numbered(database)

    assert time.monotonic() - started < relays.POLL_SECONDS + 0.5


async def test_events_of_its_own_process_are_numbered_at_once(
    database: PostgresDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relays, "POLL_SECONDS", 600)
    relay = Relay(database, Silence())
    database.on_new_events = relay.nudge
    async with running(relay.run):
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
        await placed(database, caller, {"CHAIR": 1})
        await all_numbered(database)

    assert await positions(database) == [1, 2]


async def test_an_idle_relay_looks_ten_times_a_second_and_no_more(database: PostgresDatabase, caller: Caller):
    """Its own commits do not wake it up again, and a nudge is good for one look."""
    relay = Relay(database, Silence())
    database.on_new_events = relay.nudge

    async with running(relay.run):
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
        await placed(database, caller, {"CHAIR": 1})
        await all_numbered(database)
        with statements(database.engine) as sent:
            await asyncio.sleep(0.5)

    assert 1 <= len(sent) <= 7
    assert {statement for statement, _ in sent} == {events.HAS_WAITING.text}


async def test_two_relays_number_every_event_once_without_a_hole(
    database: PostgresDatabase, databases: Databases, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    """They take turns; it does not matter who is quicker, or how small their batches are."""
    monkeypatch.setattr(relays, "BATCH_ROWS_MAX", 3)
    monkeypatch.setattr(relays, "POLL_SECONDS", 0.001)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 100})

    async def write() -> None:
        for _ in range(10):
            await allocated(database, caller, await placed(database, caller, {"CHAIR": 1}))

    async with relaying(databases(), databases()):
        await asyncio.gather(*(write() for _ in range(4)))
        await all_numbered(database)

    found = await positions(database)
    assert sorted(found) == list(range(1, len(found) + 1))  # type: ignore[type-var]
    assert len(found) == 1 + 40 * 4


async def test_a_batch_is_numbered_to_the_last_event_without_a_rest_between(
    database: PostgresDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relays, "BATCH_ROWS_MAX", 2)
    monkeypatch.setattr(relays, "POLL_SECONDS", 600)
    await a_catalog(database, caller, {(f"SKU-{number}", "LEEDS"): 1 for number in range(9)})

    async with relaying(database):
        await all_numbered(database)

    assert await positions(database) == list(range(1, 10))


async def test_nothing_to_number_is_zero(database: PostgresDatabase, caller: Caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    assert await number_events(database) == 1
    assert await number_events(database) == 0


async def test_the_feed_carries_on_when_the_bell_never_rings(
    database: PostgresDatabase, databases: Databases, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    """The bell is a hint: without it an event is later, and not lost."""
    monkeypatch.setattr("gql.feed.WAIT_SECONDS_MAX", 0.05)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    feed = Feed(databases(), Silence())
    hub = Hub(feed)
    async with (
        relaying(databases()),
        running(feed.run),
        following(hub, EventFilter(types=("OrderChanged",))) as follower,
    ):
        await until(lambda: hub.subscribers == 1)
        for number in "123":
            await placed(database, caller, {"CHAIR": 1}, number=number)
        seen = [one.event.order_number for one in await follower.taken(3)]  # type: ignore[union-attr]

    assert seen == ["1", "2", "3"]
    assert hub.subscribers == 0


async def test_relay_and_feed_outlive_the_loss_of_the_database(
    database: PostgresDatabase,
    database_url: str,
    databases: Databases,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
):
    """One line a second in the log, no traceback; then they carry on where they were."""
    async with proxied(database_url) as (proxy, url):
        through = PostgresDatabase(connect(url))
        bell = BroadcastBell("memory://")
        feed = Feed(through, bell)
        async with running(bell.run, Relay(through, bell).run, feed.run):
            await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
            await until(lambda: feed.position == 1)
            await proxy.cut()
            await placed(database, caller, {"CHAIR": 1})
            await until(lambda: "the relay waits for the database" in caplog.text)
            await until(lambda: "the feed waits for the database" in caplog.text)
            await proxy.open()
            await until(lambda: feed.position == 2)

    assert [record for record in caplog.records if record.exc_info] == []
    assert all(record.levelno <= logging.WARNING for record in caplog.records)


async def test_a_job_that_ends_although_it_never_should_is_in_the_log(caplog: pytest.LogCaptureFixture):
    async def job() -> None:
        raise RuntimeError("a mistake")

    async with running(job):
        await until(lambda: "a job of this process has ended" in caplog.text)

    assert "RuntimeError: a mistake" in caplog.text


async def test_jobs_are_cancelled_and_waited_for_on_the_way_out():
    ended = []

    async def job() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async with running(job, job):
        await asyncio.sleep(0)

    assert ended == [True, True]
