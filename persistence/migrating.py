"""Bring a database to the schema of this release."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

import migrations
from persistence import sight
from persistence.sql import BIGINT, sql

MIGRATION_KEY = 0xD1B5_0000_0002
"""The 64-bit key of the lock under which schemas change: a second migrator waits, and then finds nothing to do."""
LOCK = sql("SELECT pg_advisory_xact_lock(:key)", key=BIGINT)


async def migrate(engine: AsyncEngine) -> list[str]:
    """Apply what is missing, all of it or nothing; the revisions that were applied."""
    async with engine.begin() as connection:
        await connection.execute(LOCK, {"key": MIGRATION_KEY})
        return await connection.run_sync(_upgrade)


async def schema_is_current(engine: AsyncEngine) -> bool:
    """Whether the database has exactly the newest revision of this release, and its views."""
    async with engine.connect() as connection:
        return await connection.run_sync(_is_current)


def configuration(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> list[str]:
    if _is_current(connection):
        return []
    before = _revision(connection)
    command.upgrade(configuration(connection), "head")
    applied = _scripts().iterate_revisions("head", before or "base")
    return [revision.revision for revision in reversed(list(applied))]


def _is_current(connection: Connection) -> bool:
    return _revision(connection) == _scripts().get_current_head() and sight.is_made(connection)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())
