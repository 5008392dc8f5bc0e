"""One advisory transaction lock per SKU: it covers every location of the SKU, and ends with the transaction.

Lock order: SKUs (by key) before order rows (by id); see docs/adr. A lock is always a statement of its own: a
statement's snapshot is taken when it starts, so one that waits for a lock and reads would read what was true before.
"""

import secrets
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.driver import Driver, statement
from persistence.sql import BIGINT, INT, INTS, sql

SKU_CLASS = 0xD1B5
"""The first half of the key of every SKU lock; the second is the item's id."""
RELAY_KEY = 0xD1B5_0000_0001
"""The 64-bit key of the relay's lock."""
COMPONENTS_KEY = 0xD1B5_0000_0002
"""The 64-bit key of whoever says what bundles are made of."""
NOTICES_KEY = 0xD1B5_0000_0003
"""The 64-bit key of whoever makes alerts and mails of the log, or says what is watched for."""

LOCK = statement(
    "SELECT count(pg_advisory_xact_lock(:class, item)) FROM unnest(:items) AS item", items=INTS, **{"class": INT}
)
LOCK_COMPONENTS = sql("SELECT pg_advisory_xact_lock(:key)", key=BIGINT)


PROOF_CLASS = 0xD1B6
"""The first half of the keys with which a starting node tries whether locks lock; the second is random."""
TRY_LOCK = sql("SELECT pg_try_advisory_xact_lock(:class, :key)", key=INT, **{"class": INT})


async def locks_lock(engine: AsyncEngine) -> bool:
    """Whether what one connection has locked is locked to another, and free again when its transaction ends.

    There are servers that speak PostgreSQL's language and let everybody through, and poolers that divide transactions.
    """
    tried = {"class": PROOF_CLASS, "key": secrets.randbelow(2**31)}
    async with engine.connect() as one, engine.connect() as other:
        taken = (await one.execute(TRY_LOCK, tried)).scalar_one()
        taken_twice = (await other.execute(TRY_LOCK, tried)).scalar_one()
        await one.rollback()
        free_again = (await other.execute(TRY_LOCK, tried)).scalar_one()
        await other.rollback()
    return taken and not taken_twice and free_again is True


class LocksWereTooFew(Exception):
    """An order gained a SKU before its locks were held: start over with the SKUs that it has now."""


async def lock_skus(driver: Driver, items: Iterable[int]) -> None:
    """Hold the SKUs' locks until the transaction ends; taken by rising key, so that nobody waits in a circle."""
    await driver.rows(LOCK, {"class": SKU_CLASS, "items": sorted(set(items))})


async def lock_components(connection: AsyncConnection) -> None:
    """Nobody else says what bundles are made of until the transaction ends. Before any row or SKU is locked."""
    await connection.execute(LOCK_COMPONENTS, {"key": COMPONENTS_KEY})
