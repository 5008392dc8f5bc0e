"""Whether this process may be given work. Cheap, however often it is asked."""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.database import DATABASE_ERRORS
from persistence.durability import is_durable
from persistence.locks import locks_lock
from persistence.migrating import schema_is_current

log = logging.getLogger("dibs.readiness")

FRESH_SECONDS = 1.0
"""For so long an answer is given again."""
LOCKS_FRESH_SECONDS = 60.0
"""Whether locks lock is seen with two connections, and hardly changes."""
CHECK_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why not: which check failed, and what to do about it."""

    check: str
    reason: str


STOPPING = Obstacle("stopping", "this process is about to end")
UNREACHABLE = Obstacle("database", "the database cannot be reached")
OTHER_SCHEMA = Obstacle("schema", "the schema is not current: run `dibs migrate`")
NOT_DURABLE = Obstacle("durability", "fsync or synchronous_commit is off: what is acknowledged may be lost")
NO_LOCKS = Obstacle("locks", "two connections were given the same lock: stock could be promised twice")


class Readiness:
    """Asks on connections of its own, so that a process whose connections are all at work is still ready."""

    def __init__(self, engine: AsyncEngine, *, allow_not_durable: bool = False) -> None:
        self._engine = engine
        self._allow_not_durable = allow_not_durable
        self._checking: asyncio.Task[Obstacle | None] | None = None
        self._checked_at = 0.0
        self._locks_checked_at: float | None = None
        self._stopping = False

    def stop(self) -> None:
        """From now on it is not."""
        self._stopping = True

    async def obstacle(self) -> Obstacle | None:
        """What keeps this process from being given work; None: nothing."""
        if self._stopping:
            return STOPPING
        if self._checking is None or (self._checking.done() and monotonic() - self._checked_at >= FRESH_SECONDS):
            self._checking = asyncio.create_task(self._check())
        return await asyncio.shield(self._checking)

    async def close(self) -> None:
        if self._checking:
            self._checking.cancel()
            await asyncio.wait({self._checking})
        await self._engine.dispose()

    async def _check(self) -> Obstacle | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS_MAX):
                return await self._look()
        except (SQLAlchemyError, *DATABASE_ERRORS, TimeoutError) as error:
            log.warning("not ready: %s", type(error).__name__)
            return UNREACHABLE
        finally:
            self._checked_at = monotonic()

    async def _look(self) -> Obstacle | None:
        if not await schema_is_current(self._engine):
            return OTHER_SCHEMA
        if not self._allow_not_durable and not await is_durable(self._engine):
            return NOT_DURABLE
        if self._locks_checked_at is None or monotonic() - self._locks_checked_at >= LOCKS_FRESH_SECONDS:
            if not await locks_lock(self._engine):
                return NO_LOCKS
            self._locks_checked_at = monotonic()
        return None
