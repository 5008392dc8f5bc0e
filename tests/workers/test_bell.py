"""The bell: it rings for everybody, it comes back when it is lost, and nobody who rings it is ever held up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from broadcaster import Broadcast

from persistence import bell as bells
from persistence.bell import BroadcastBell
from persistence.bell_backends import backend_for
from tests.gql.proxy import proxied
from tests.gql.serving import SECONDS_MAX, until
from tests.redis_server import RedisServer
from workers.loop import running


@asynccontextmanager
async def ringing(url: str) -> AsyncIterator[BroadcastBell]:
    """A bell that is connected."""
    bell = BroadcastBell(url)
    async with running(bell.run):
        await until(lambda: bell.connected)
        yield bell


@pytest.fixture(params=["memory", "postgres", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """An address of each kind."""
    return address_of(request, request.param)


@pytest.fixture(params=["postgres", "redis"])
def far_url(request: pytest.FixtureRequest) -> str:
    """An address of each kind that several processes can share."""
    return address_of(request, request.param)


def address_of(request: pytest.FixtureRequest, kind: str) -> str:
    if kind == "memory":
        return "memory://"
    if kind == "redis":
        redis: RedisServer = request.getfixturevalue("redis")
        return redis.url
    found: str = request.getfixturevalue("database_url")
    return found


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


async def hears(bell: BroadcastBell, seconds: float = 5) -> bool:
    """Whether it rings before the time is over."""
    before = bell._rings
    return await bell.wait(seconds, before) > before


async def settled(bell: BroadcastBell) -> None:
    """Wait until no ring is on its way any more."""
    while await hears(bell, 0.1):
        pass


async def carried(one: BroadcastBell, other: BroadcastBell) -> bool:
    """Whether a ring of the one is heard at the other."""
    await settled(one)
    await settled(other)
    waiting = asyncio.create_task(hears(other, SECONDS_MAX))
    await asyncio.sleep(0)
    one.ring()
    return await waiting


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


async def test_a_ring_is_heard_on_other_nodes(far_url: str):
    async with ringing(far_url) as one, ringing(far_url) as other:
        assert await carried(one, other)
        assert await carried(other, one)


async def test_fifty_who_come_at_once_are_all_served(url: str):
    """Broadcaster forgets some of those who subscribe at the same moment."""
    async with ringing(url) as bell:
        await settled(bell)
        waiting = [asyncio.create_task(hears(bell, SECONDS_MAX)) for _ in range(50)]
        await asyncio.sleep(0)

        bell.ring()

        assert all(await asyncio.gather(*waiting))


async def test_fifty_nodes_that_come_at_once_are_all_served(far_url: str):
    bells = [BroadcastBell(far_url) for _ in range(50)]
    async with running(*(bell.run for bell in bells)):
        await until(lambda: all(bell.connected for bell in bells))
        await asyncio.gather(*(settled(bell) for bell in bells))
        waiting = [asyncio.create_task(hears(bell, SECONDS_MAX)) for bell in bells]
        await asyncio.sleep(0)

        bells[0].ring()

        assert all(await asyncio.gather(*waiting))


async def test_whoever_is_busy_while_it_rings_hears_of_it_afterwards(url: str):
    """Several wait in one process, and none of them takes the others' rings away."""
    async with ringing(url) as bell:
        await settled(bell)
        heard = bell._rings
        bell.ring()
        await hears(bell, 0.2)

        async with asyncio.timeout(1):
            assert await bell.wait(60, heard) > heard


async def test_publishing_fifty_times_at_once_never_raises(url: str):
    """Asyncpg takes one statement at a time, and Redis one command a connection."""
    backend = backend_for(url)
    async with Broadcast(backend=backend) as broadcast, broadcast.subscribe("tests") as subscriber:
        await asyncio.gather(*(broadcast.publish("tests", "") for _ in range(50)))

        async with asyncio.timeout(SECONDS_MAX):
            await subscriber.get()


async def test_rings_that_nobody_takes_do_not_pile_up(url: str):
    backend = backend_for(url)
    await backend.connect()
    await backend.subscribe("tests")
    for _ in range(200):
        await backend.publish("tests", "")
    async with asyncio.timeout(SECONDS_MAX):
        await backend.next_published()
    await asyncio.sleep(0.3)
    held = 0
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.3):
                await backend.next_published()
            held += 1
    await backend.disconnect()

    assert held <= 1


async def test_rings_at_once_never_raise_and_are_pooled(url: str, caplog: pytest.LogCaptureFixture):
    """Asyncpg takes one statement at a time: two publishers at once would break the connection."""
    caplog.set_level(logging.WARNING)
    async with ringing(url) as bell:
        heard = bell._rings
        for _ in range(50):
            for _ in range(200):
                bell.ring()
            await asyncio.sleep(0)
        assert await bell.wait(5, heard) > heard
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


async def test_a_bell_stops_when_it_is_told_to_whatever_it_is_doing(far_url: str):
    """Also while it connects, listens or rings: broadcaster turns some cancellations into errors of its own."""
    for moment in range(40):
        pause = moment * 0.0005
        bell = BroadcastBell(far_url)
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
    far_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As behind a firewall that forgets: nothing is refused, and nothing arrives."""
    monkeypatch.setattr(bells, "ECHO_SECONDS_MAX", 0.3)
    async with proxied(far_url) as (proxy, url), ringing(url) as bell:
        await settled(bell)
        proxy.swallow()
        bell.ring()
        await until(lambda: "the bell is silent" in caplog.text)
        await until(lambda: bell.connected)


async def test_whoever_rings_is_heard_at_home_although_the_bell_is_not_connected():
    bell = BroadcastBell("postgres://nobody@127.0.0.1:1/nowhere")
    waiting = asyncio.create_task(hears(bell))
    await asyncio.sleep(0)
    bell.ring()

    assert await waiting


async def terminate_listeners(url: str) -> int:
    """Kill the backends of the bells in this database, as an administrator may do."""
    connection = await asyncpg.connect(url)
    try:
        return len(
            await connection.fetch(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND application_name NOT IN ('dibs', 'dibs tests')"""
            )
        )
    finally:
        await connection.close()


async def test_a_bell_whose_backend_is_killed_comes_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """At once, although nobody rings: broadcaster alone would not notice it."""
    monkeypatch.setattr(bells, "HEARTBEAT_SECONDS", 600)
    async with ringing(database_url) as one, ringing(database_url) as other:
        assert await terminate_listeners(database_url) == 2
        await until(lambda: caplog.text.count("the bell is silent") >= 2)
        await until(lambda: one.connected and other.connected)

        assert await carried(one, other)


async def test_a_bell_whose_redis_is_killed_rings_at_home_meanwhile_and_everywhere_once_it_is_back(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(bells, "HEARTBEAT_SECONDS", 600)
    async with ringing(redis.url) as one, ringing(redis.url) as other:
        redis.kill()
        await until(lambda: caplog.text.count("the bell is silent") >= 2)
        assert not one.connected
        assert not other.connected
        assert await carried(one, one)

        redis.start()
        await until(lambda: one.connected and other.connected)

        assert await carried(one, other)
        assert await carried(other, one)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_silent_loss_is_noticed_by_the_heartbeat(
    far_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Even when nobody rings and the system reports nothing."""
    monkeypatch.setattr(bells, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(bells, "ECHO_SECONDS_MAX", 0.5)
    async with proxied(far_url) as (proxy, url), ringing(url) as bell:
        proxy.swallow()

        await until(lambda: "the bell is silent" in caplog.text)
        await until(lambda: bell.connected)


async def test_the_longer_a_bell_is_silent_the_less_often_it_tries(monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    bell = BroadcastBell("redis://127.0.0.1:1/0")
    with monkeypatch.context() as patch:
        patch.setattr("persistence.bell.asyncio.sleep", note)
        async with running(bell.run):
            while len(pauses) < 8:
                await sleep(0.01)

    for pause, most in zip(pauses, bells.BACKOFF_SECONDS, strict=False):
        assert most / 2 <= pause <= most
    assert pauses[7] <= bells.BACKOFF_SECONDS[-1]


async def test_a_bell_that_cannot_connect_tries_on_and_rings_when_it_can(
    far_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(bells, "BACKOFF_SECONDS", (0.05,))
    async with proxied(far_url) as (proxy, url):
        await proxy.cut()
        bell = BroadcastBell(url)
        async with running(bell.run):
            await until(lambda: caplog.text.count("the bell is silent") >= 3)
            assert not bell.connected
            await proxy.open()
            await until(lambda: bell.connected)

    assert [record for record in caplog.records if record.exc_info] == []
