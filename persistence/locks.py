"""One advisory transaction lock per SKU: it covers every location of the SKU, and ends with the transaction.

Lock order: SKUs (by key) before order rows (by id); see docs/adr. A lock is always a statement of its own: a
statement's snapshot is taken when it starts, so one that waits for a lock and reads would read what was true before.
"""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.sql import BIGINT, INT, INTS, sql

SKU_CLASS = 0xD1B5
"""The first half of the key of every SKU lock; the second is the item's id."""
RELAY_KEY = 0xD1B5_0000_0001
"""The 64-bit key of the relay's lock."""
COMPONENTS_KEY = 0xD1B5_0000_0002
"""The 64-bit key of whoever says what bundles are made of."""

LOCK = sql(
    "SELECT count(pg_advisory_xact_lock(:class, item)) FROM unnest(:items) AS item", items=INTS, **{"class": INT}
)
LOCK_COMPONENTS = sql("SELECT pg_advisory_xact_lock(:key)", key=BIGINT)


class LocksWereTooFew(Exception):
    """An order gained a SKU before its locks were held: start over with the SKUs that it has now."""


async def lock_skus(connection: AsyncConnection, items: Iterable[int]) -> None:
    """Hold the SKUs' locks until the transaction ends; taken by rising key, so that nobody waits in a circle."""
    await connection.execute(LOCK, {"class": SKU_CLASS, "items": sorted(set(items))})


async def lock_components(connection: AsyncConnection) -> None:
    """Nobody else says what bundles are made of until the transaction ends. Before any row or SKU is locked."""
    await connection.execute(LOCK_COMPONENTS, {"key": COMPONENTS_KEY})
