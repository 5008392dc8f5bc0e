"""A process is ready if it may be given work, says what keeps it from that, and asks little for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from sqlalchemy import event, make_url, text

from dibs import readiness
from dibs.opening import watching_engine_for
from dibs.readiness import NO_LOCKS, NOT_DURABLE, OTHER_SCHEMA, STOPPING, UNREACHABLE, Readiness
from dibs.settings import Settings
from persistence.embedded import SETTINGS
from tests.acceptance.processes import dibs
from tests.gql.proxy import proxied
from tests.gql.serving import Served, serving

Make = Callable[..., Readiness]


@pytest.fixture
async def watching(database_url: str) -> AsyncIterator[Make]:
    """Watch this database, or the one at another address."""
    made: list[Readiness] = []

    def make(url: str = database_url, **named: bool) -> Readiness:
        made.append(Readiness(watching_engine_for(Settings(), url), **named))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_a_database_that_is_well_is_no_obstacle(watching: Make):
    assert await watching().obstacle() is None


async def test_an_older_schema_is_an_obstacle(watching: Make, database_url: str):
    await execute(database_url, "UPDATE alembic_version SET version_num = '0' || version_num")

    assert await watching().obstacle() is OTHER_SCHEMA

    await execute(database_url, "UPDATE alembic_version SET version_num = substr(version_num, 2)")


async def test_synchronous_commit_off_is_an_obstacle_unless_it_is_allowed(watching: Make, database_url: str):
    name = make_url(database_url).database
    await execute(database_url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')

    assert await watching().obstacle() is NOT_DURABLE
    assert await watching(allow_not_durable=True).obstacle() is None
    refused = await asyncio.to_thread(dibs, "work", DIBS_DATABASE_URL=database_url)

    await execute(database_url, f'ALTER DATABASE "{name}" RESET synchronous_commit')
    assert refused.code == 1
    assert "DIBS_ALLOW_NOT_DURABLE" in refused.told
    assert await watching().obstacle() is None


async def test_fsync_off_is_an_obstacle(watching: Make, monkeypatch: pytest.MonkeyPatch):
    """Only a server of its own could have it; what is asked of this one is made to differ."""
    assert SETTINGS["fsync"] == "on"
    assert "current_setting('fsync')" in str(readiness.is_durable.__globals__["DURABILITY"])
    monkeypatch.setitem(
        readiness.is_durable.__globals__,
        "DURABILITY",
        text("SELECT current_setting('fsync') <> 'on'"),
    )

    assert await watching().obstacle() is NOT_DURABLE


async def test_locks_that_do_not_lock_are_an_obstacle(watching: Make, database_url: str):
    """A function of the same name, found first, that grants everything: as some servers and poolers do."""
    name = make_url(database_url).database
    await execute(
        database_url,
        "CREATE SCHEMA everybody",
        "CREATE FUNCTION everybody.pg_try_advisory_xact_lock(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true'",
        f'ALTER DATABASE "{name}" SET search_path = everybody, pg_catalog, public',
    )

    assert await watching().obstacle() is NO_LOCKS

    await execute(database_url, f'ALTER DATABASE "{name}" RESET search_path', "DROP SCHEMA everybody CASCADE")


async def test_a_database_that_cannot_be_reached_or_does_not_answer_is_an_obstacle(
    watching: Make, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(readiness, "CHECK_SECONDS_MAX", 0.5)
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0)
    async with proxied(database_url) as (proxy, url):
        one = watching(url)
        assert await one.obstacle() is None
        proxy.swallow()
        began = time.monotonic()
        assert await one.obstacle() is UNREACHABLE
        assert time.monotonic() - began < 5
        await proxy.cut()
        assert await one.obstacle() is UNREACHABLE
        await proxy.open()
        assert await one.obstacle() is None


async def test_a_hundred_who_ask_at_once_and_again_cost_one_look(watching: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 60)
    one = watching()
    statements: list[str] = []
    event.listen(one._engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    answers = await asyncio.gather(*(one.obstacle() for _ in range(100)))
    first = len(statements)
    await one.obstacle()

    assert answers == [None] * 100
    assert first < 10
    assert len(statements) == first


async def test_a_process_whose_connections_are_all_at_work_is_ready(database_url: str):
    async with serving(database_url, pool_size=2) as served:
        engine = served.running.engine
        async with engine.connect(), engine.connect():
            assert (await served.client.get("/readyz")).status_code == 200


async def test_what_is_told_names_the_check_and_nothing_within(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0)

    async def broken(*_: object) -> None:
        raise OSError("cannot connect to db.internal:5432 as dibs")

    monkeypatch.setattr(readiness, "schema_is_current", broken)
    answer = await served.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "check": "database", "reason": "the database cannot be reached"}


async def test_a_process_that_stops_is_not_ready(served: Served):
    served.running.readiness.stop()

    assert await served.running.readiness.obstacle() is STOPPING
    assert (await served.client.get("/readyz")).json()["check"] == "stopping"
    assert (await served.client.get("/healthz")).status_code == 200
