"""Which database? The one that was given, or the embedded one, for as long as a command runs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from dibs.memory import spare_collector
from dibs.settings import Settings
from domain.ids import KeyId
from persistence.database import PostgresDatabase, Timeouts, connect
from persistence.durability import is_durable
from persistence.embedded import embedded_server
from persistence.locks import locks_lock
from persistence.migrating import migrate, schema_is_current
from services.callers import Caller

T = TypeVar("T")


class SchemaNotCurrent(Exception):
    """The given database has another schema than this release."""

    def __init__(self) -> None:
        super().__init__("The schema of this database is not that of this release: run `dibs migrate`.")


class LocksDoNotLock(Exception):
    """The given database does not keep its locks: stock could be promised twice."""

    def __init__(self) -> None:
        super().__init__("Two connections to this database were given the same lock: Dibs does not work on it.")


class NotDurable(Exception):
    """The given database may lose what it has acknowledged."""

    def __init__(self) -> None:
        super().__init__(
            "fsync or synchronous_commit is off on this database: what Dibs acknowledges could be lost in a crash. "
            "Switch both on, or set DIBS_ALLOW_NOT_DURABLE=true where that does not matter."
        )


@contextmanager
def database_url(settings: Settings, say: Callable[[str], None], *, any_schema: bool = False) -> Iterator[str]:
    """The direct address of the given database; without one, that of the embedded server, migrated and ready.

    Raises SchemaNotCurrent, unless `any_schema` will do.
    """
    spare_collector()
    if url := settings.direct_url:
        if not any_schema:
            run(_require_current_schema(url))
        yield url
        return
    with embedded_server(settings.data, say=say) as server:
        run(_migrate(server.url))
        yield server.url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    """A database to work with, closed on the way out."""
    engine: AsyncEngine = connect(url)
    try:
        yield PostgresDatabase(engine)
    finally:
        await engine.dispose()


def engine_for(settings: Settings, direct_url: str) -> AsyncEngine:
    """What serves and works: through the pooler, where there is one."""
    url = settings.database_url.get_secret_value() if settings.database_url else direct_url
    return connect(url, pool_size=settings.pool_size, behind_pooler=settings.behind_pooler)


def watching_engine_for(settings: Settings, direct_url: str) -> AsyncEngine:
    """Two connections by the same way, for nothing but to see whether the database is well."""
    url = settings.database_url.get_secret_value() if settings.database_url else direct_url
    timeouts = Timeouts(deadline_seconds=5, lock_seconds=1, statement_seconds=2, pool_seconds=2)
    return connect(url, pool_size=2, timeouts=timeouts, behind_pooler=settings.behind_pooler)


async def require_promises(settings: Settings, direct_url: str) -> None:
    """What Dibs promises stands on what the database promises. Raises LocksDoNotLock, NotDurable."""
    engine = engine_for(settings, direct_url)
    try:
        if not await locks_lock(engine):
            raise LocksDoNotLock
        if not settings.allow_not_durable and not await is_durable(engine):
            raise NotDurable
    finally:
        await engine.dispose()


async def _require_current_schema(url: str) -> None:
    async with opened(url) as database:
        if not await schema_is_current(database.engine):
            raise SchemaNotCurrent


async def _migrate(url: str) -> None:
    engine = connect(url)
    try:
        await migrate(engine)
    finally:
        await engine.dispose()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def command_line(command: str) -> Caller:
    """Who works on the database directly, without a key."""
    return Caller(key=KeyId(0), actor=f"dibs {command}", request=secrets.token_hex(8))
