"""Behind a pooler in transaction mode, and on servers whose locks do not lock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.database import PostgresDatabase, connect
from persistence.locks import locks_lock
from persistence.unit_of_work import PostgresUnitOfWork
from services.callers import Caller
from tests.builders import a_catalog, allocated, level_now, placed
from tests.pooler import pooled

LIARS = (
    "CREATE SCHEMA liars",
    "CREATE FUNCTION liars.pg_try_advisory_xact_lock(int, int) RETURNS boolean RETURN true",
)


@asynccontextmanager
async def behind(url: str) -> AsyncIterator[tuple[AsyncEngine, PostgresDatabase]]:
    """What a node has that is told of the pooler."""
    engine = connect(url, behind_pooler=True)
    try:
        yield engine, PostgresDatabase(engine, behind_pooler=True)
    finally:
        await engine.dispose()


async def work_at_once(database: PostgresDatabase, caller: Caller) -> None:
    """Twenty orders of two units each, of which there are thirty; reading and writing mixed."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 30})

    async def one() -> None:
        order = await placed(database, caller, {"CHAIR": 2})
        await database.read(lambda uow: uow.orders.by_ids([order]))
        await allocated(database, caller, order)

    await asyncio.gather(*(one() for _ in range(20)))


async def test_everything_works_through_a_pooler_in_transaction_mode(database_url: str, tmp_path: Path, caller: Caller):
    """More clients than connections, so that every transaction may find itself on another one."""
    with pooled(database_url, tmp_path) as url:
        async with behind(url) as (engine, database), behind(url) as (_, other):
            assert await locks_lock(engine)
            await work_at_once(database, caller)
            await asyncio.gather(*(d.read(lambda uow: uow.catalog.locations()) for d in (database, other) * 40))
            level = await level_now(database, "CHAIR", "LEEDS")

    assert level.committed == 30


async def test_whoever_is_told_of_a_pooler_leaves_nothing_on_a_connection(database_url: str, caller: Caller):
    """No prepared statement, no setting: the next transaction on it is somebody else's."""
    async with behind(database_url) as (engine, database):
        await work_at_once(database, caller)
        async with engine.connect() as connection:
            within = (await connection.execute(text("SELECT current_setting('lock_timeout')"))).scalar_one()
            kept = (await connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))).scalar_one()
            await connection.rollback()
        reading = await database.read(lock_timeout)
        async with engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw
            after = await raw.fetchval("SELECT current_setting('lock_timeout')")

    assert (within, reading, after, kept) == ("10s", "10s", "0", 0)


async def lock_timeout(uow: PostgresUnitOfWork) -> str:
    """As it is where reading is done: that too has to be a transaction."""
    return str((await uow._connection.execute(text("SELECT current_setting('lock_timeout')"))).scalar_one())


async def test_locks_lock_here(engine: AsyncEngine):
    assert await locks_lock(engine)


async def test_nodes_that_start_at_once_do_not_take_each_other_for_a_server_without_locks(engine: AsyncEngine):
    assert all(await asyncio.gather(*(locks_lock(engine) for _ in range(5))))


@pytest.mark.parametrize("answer", ["true", "false"])
async def test_a_server_whose_locks_do_not_lock_is_found_out(engine: AsyncEngine, database_url: str, answer: str):
    await lying(engine, answer)
    fresh = connect(database_url)
    try:
        assert not await locks_lock(fresh)
    finally:
        await fresh.dispose()


async def lying(engine: AsyncEngine, answer: str = "true") -> None:
    """From now on this database says the same to everybody who tries to lock."""
    async with engine.begin() as connection:
        for statement in LIARS:
            await connection.execute(text(statement.replace("true", answer)))
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        await connection.execute(text(f'ALTER DATABASE "{name}" SET search_path = liars, pg_catalog, public'))
