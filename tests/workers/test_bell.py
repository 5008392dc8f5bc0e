"""The bell: it rings for everybody, it comes back when it is lost, and nobody who rings it is ever held up."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from persistence import bell as bells
from persistence.bell import BroadcastBell
from tests.gql.proxy import proxied
from tests.gql.serving import until
from workers.loop import running


@asynccontextmanager
async def ringing(url: str) -> AsyncIterator[BroadcastBell]:
    """A bell that is connected."""
    bell = BroadcastBell(url)
    async with running(bell.run):
        await until(lambda: bell.connected)
        yield bell


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An address of each kind."""
    if request.param == "memory":
        return "memory://"
    found: str = request.getfixturevalue("database_url")
    return found


async def hears(bell: BroadcastBell, seconds: float = 5) -> bool:
    """Whether it rings before the time is over."""
    started = time.monotonic()
    await bell.wait(seconds)
    return time.monotonic() - started < seconds


async def settled(bell: BroadcastBell) -> None:
    """Wait until no ring is on its way any more."""
    while await hears(bell, 0.1):
        pass


async def test_a_ring_wakes_who_waits(url: str):
    async with ringing(url) as bell:
        await settled(bell)
        waiting = asyncio.create_task(hears(bell))
        await asyncio.sleep(0)

        bell.ring()

        assert await waiting


async def test_a_wait_ends_by_itself(url: str):
    async with ringing(url) as bell:
        await settled(bell)
        async with asyncio.timeout(2):
            assert not await hears(bell, 0.05)


async def test_a_ring_is_heard_on_other_nodes(database_url: str):
    async with ringing(database_url) as one, ringing(database_url) as other:
        await settled(one)
        await settled(other)
        waiting = asyncio.create_task(hears(other))
        await asyncio.sleep(0)

        one.ring()

        assert await waiting


async def test_rings_at_once_never_raise_and_are_pooled(url: str, caplog: pytest.LogCaptureFixture):
    """Asyncpg takes one statement at a time: two publishers at once would break the connection."""
    caplog.set_level(logging.WARNING)
    async with ringing(url) as bell:
        for _ in range(50):
            for _ in range(200):
                bell.ring()
            await asyncio.sleep(0)
        assert await hears(bell)
        await settled(bell)
        assert bell.connected

    assert caplog.messages == []


async def test_a_bell_that_is_rung_before_it_is_connected_connects_without_a_complaint(
    url: str, caplog: pytest.LogCaptureFixture
):
    bell = BroadcastBell(url)
    bell.ring()
    async with running(bell.run):
        await until(lambda: bell.connected)
        bell.ring()
        await asyncio.sleep(0.1)

    assert caplog.messages == []


async def test_a_bell_stops_when_it_is_told_to_whatever_it_is_doing(database_url: str):
    """Also while it connects, listens or rings: broadcaster turns some cancellations into errors of its own."""
    for moment in range(40):
        pause = moment * 0.0005
        bell = BroadcastBell(database_url)
        running_bell = asyncio.create_task(bell.run())
        for _ in range(3):
            bell.ring()
            await asyncio.sleep(pause)
        bell.ring()
        await asyncio.sleep(0)
        running_bell.cancel()
        await asyncio.wait({running_bell}, timeout=8)
        assert running_bell.cancelled()


async def test_a_connection_that_is_silent_is_left_and_made_anew(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As behind a firewall that forgets: nothing is refused, and nothing arrives."""
    monkeypatch.setattr(bells, "ECHO_SECONDS_MAX", 0.3)
    async with proxied(database_url) as (proxy, url), ringing(url) as bell:
        await settled(bell)
        proxy.swallow()
        bell.ring()
        await until(lambda: "the bell is silent" in caplog.text)
        await until(lambda: bell.connected)


async def test_whoever_rings_is_heard_at_home_although_the_bell_is_not_connected():
    bell = BroadcastBell("postgres://nobody@127.0.0.1:1/nowhere")
    bell.ring()

    assert await hears(bell, 1)


async def terminate_listeners(url: str) -> int:
    """Kill the backends of the bells in this database, as an administrator may do."""
    connection = await asyncpg.connect(url)
    try:
        return len(
            await connection.fetch(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'dibs'"""
            )
        )
    finally:
        await connection.close()


async def test_a_bell_whose_backend_is_killed_comes_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Broadcaster does not notice it; the ring that does not come back does."""
    monkeypatch.setattr(bells, "ECHO_SECONDS_MAX", 0.5)
    async with ringing(database_url) as one, ringing(database_url) as other:
        assert await terminate_listeners(database_url) == 2
        one.ring()
        other.ring()
        await until(lambda: caplog.text.count("the bell is silent") >= 2)
        await until(lambda: one.connected and other.connected)
        await settled(one)
        await settled(other)

        waiting = asyncio.create_task(hears(other))
        await asyncio.sleep(0)
        one.ring()

        assert await waiting


async def test_a_silent_loss_is_noticed_by_the_heartbeat(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Even when nobody rings."""
    monkeypatch.setattr(bells, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(bells, "ECHO_SECONDS_MAX", 0.5)
    async with ringing(database_url) as bell:
        await terminate_listeners(database_url)

        await until(lambda: "the bell is silent" in caplog.text)
        await until(lambda: bell.connected)


async def test_a_bell_that_cannot_connect_tries_on_and_rings_when_it_can(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(bells, "BACKOFF_SECONDS", (0.05,))
    async with proxied(database_url) as (proxy, url):
        await proxy.cut()
        bell = BroadcastBell(url)
        async with running(bell.run):
            await until(lambda: caplog.text.count("the bell is silent") >= 3)
            assert not bell.connected
            await proxy.open()
            await until(lambda: bell.connected)

    assert [record for record in caplog.records if record.exc_info] == []
