"""Migrations make the tables that the code knows, by whoever and however often they are run."""

import ast
import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.database import connect
from persistence.migrating import configuration, migrate, schema_is_current
from persistence.tables import metadata

REVISIONS = [revision.revision for revision in ScriptDirectory.from_config(configuration()).walk_revisions()][::-1]

SCHEMA = """
    SELECT 'column', c.table_name, c.column_name,
           concat_ws(' ', c.data_type, c.udt_name, c.is_nullable, c.column_default, c.collation_name, c.is_identity,
                     c.identity_generation)
    FROM information_schema.columns c WHERE c.table_schema = 'public'
    UNION ALL
    SELECT 'constraint', CAST(conrelid AS regclass)::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'table', relname, '', concat_ws(' ', reloptions::text, obj_description(oid, 'pg_class'))
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    """.replace("::", r"\:\:")


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = connect(empty_database_url)
    yield engine
    await engine.dispose()


async def schema_of(engine: AsyncEngine) -> set[tuple[str, str, str, str]]:
    async with engine.connect() as connection:
        rows = await connection.execute(text(SCHEMA))
        return {tuple(row) for row in rows if row[1] != "alembic_version"}


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), revision))


async def test_alembic_finds_no_difference_between_the_migrated_schema_and_the_tables(engine):
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": True, "compare_server_default": True}), metadata
            )
        )

    assert differences == []


async def test_the_migrated_schema_is_what_the_tables_create_down_to_every_constraint(engine, empty):
    async with empty.begin() as connection:
        await connection.run_sync(metadata.create_all)

    created, migrated = await schema_of(empty), await schema_of(engine)

    assert len(created) > 100
    assert created - migrated == set()
    assert migrated - created == set()


async def test_migrating_twice_is_migrating_once(empty):
    assert not await schema_is_current(empty)
    assert await migrate(empty) == REVISIONS
    assert await schema_is_current(empty)

    before = await schema_of(empty)
    assert await migrate(empty) == []

    assert await schema_of(empty) == before


async def test_of_concurrent_migrators_one_migrates_and_the_others_find_nothing_to_do(empty_database_url):
    engines = [connect(empty_database_url, pool_size=1) for _ in range(4)]

    applied = await asyncio.gather(*map(migrate, engines))

    assert sorted(applied) == [[], [], [], REVISIONS]
    await asyncio.gather(*(engine.dispose() for engine in engines))


async def test_a_migration_that_fails_leaves_nothing_behind(empty):
    async with empty.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (id int)"))
    before = await schema_of(empty)

    with pytest.raises(DBAPIError):
        await migrate(empty)

    assert await schema_of(empty) == before
    assert not await schema_is_current(empty)


async def test_up_down_and_up_again_is_up(empty):
    await migrate(empty)
    before = await schema_of(empty)

    for revision in [*reversed(REVISIONS[:-1]), "base"]:
        await downgrade(empty, revision)
    assert await schema_of(empty) == set()

    assert await migrate(empty) == REVISIONS
    assert await schema_of(empty) == before


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_starts_with_a_lock_timeout(revision, direction):
    script = ScriptDirectory.from_config(configuration()).get_revision(revision)
    assert script is not None
    (function,) = ast.parse(inspect.getsource(getattr(script.module, direction))).body
    assert isinstance(function, ast.FunctionDef)

    assert ast.unparse(function.body[0]).startswith("op.execute(\"SET LOCAL lock_timeout = '")


async def test_the_ledger_of_the_release_before_gets_its_balances(empty):
    await migrate(empty)
    await downgrade(empty, "0003")
    async with empty.begin() as connection:
        for statement in (
            "INSERT INTO items (sku, name) VALUES ('CHAIR', 'Chair')",
            "INSERT INTO locations (code, name, kind) VALUES ('LEEDS', 'Leeds', 'WAREHOUSE')",
            "INSERT INTO stock_levels (item_id, location_id, on_hand, damaged) VALUES (1, 1, 6, 1)",
            """INSERT INTO stock_movements (item_id, location_id, quantity, change, cause, actor, request)
               SELECT 1, 1, quantity, change, 'OTHER', 'somebody', 'a request'
               FROM (VALUES (1, 'ON_HAND', 10), (2, 'DAMAGED', 1), (3, 'ON_HAND', -4)) AS n(at, quantity, change)
               ORDER BY at""",
        ):
            await connection.execute(text(statement))

    await migrate(empty)

    async with empty.connect() as connection:
        rows = await connection.execute(text("SELECT change, balance FROM stock_movements ORDER BY id"))
        assert [tuple(row) for row in rows] == [(10, 10), (1, 1), (-4, 6)]
