"""What is not kept for ever."""

from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

KEYS_AT_ONCE_MAX = 2_000
EVENTS_AT_ONCE_MAX = 2_000
CHUNKS_AT_ONCE_MAX = 200
"""Few enough that nobody waits for the deletion."""


async def forget_expired_keys(database: Database) -> bool:
    """Remove idempotency keys that are older than their 30 days, some at a time; whether there may be more."""

    async def work(uow: UnitOfWork) -> int:
        return await uow.keys.forget_expired(KEYS_AT_ONCE_MAX)

    return await database.run(work, repeatable=True) == KEYS_AT_ONCE_MAX


async def forget_old_plans(database: Database) -> bool:
    """Remove what dry runs said a day after they ended, some at a time; whether there may be more."""

    async def work(uow: UnitOfWork) -> int:
        return await uow.runs.forget_chunks(CHUNKS_AT_ONCE_MAX)

    return await database.run(work, repeatable=True) == CHUNKS_AT_ONCE_MAX


async def forget_old_events(database: Database, days: int) -> bool:
    """Remove events that are older than so many days, some at a time; whether there may be more.

    Where the log begins from then on is written in the same transaction, so a cursor that is too old is known.
    """

    async def work(uow: UnitOfWork) -> int:
        return await uow.events.forget(days, EVENTS_AT_ONCE_MAX)

    return await database.run(work, repeatable=True) >= EVENTS_AT_ONCE_MAX
