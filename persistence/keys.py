"""Idempotency keys."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from persistence.driver import Driver, Write, statement
from persistence.sql import BYTE_STRINGS, INT, INTS, TEXTS, columns, sql
from services.ports.keys import IdempotencyKey

CLAIM = statement(
    """
    INSERT INTO idempotency_keys AS k (owner_id, mutation, key, fingerprint)
    SELECT * FROM unnest(:owners, :mutations, :keys, :fingerprints)
    ON CONFLICT (owner_id, mutation, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, outcome = NULL, created_at = now()
        WHERE k.created_at < now() - interval '30 days'
    RETURNING owner_id, mutation, key
    """,
    owners=INTS,
    mutations=TEXTS,
    keys=TEXTS,
    fingerprints=BYTE_STRINGS,
)
NAMED = "unnest(:owners, :mutations, :keys) AS n(owner_id, mutation, key)"
SAME = "k.owner_id = n.owner_id AND k.mutation = n.mutation AND k.key = n.key"
KEY_TYPES: dict[str, TypeEngine[Any]] = {"owners": INTS, "mutations": TEXTS, "keys": TEXTS}
STORED = statement(
    f"SELECT k.owner_id, k.mutation, k.key, k.fingerprint, k.outcome FROM {NAMED} JOIN idempotency_keys k ON {SAME}",  # noqa: S608
    **KEY_TYPES,
)
FORGET = statement(f"DELETE FROM idempotency_keys k USING {NAMED} WHERE {SAME}", **KEY_TYPES)  # noqa: S608
FORGET_EXPIRED = sql(
    """
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '30 days'
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """,
    most=INT,
)
KEEP = statement(
    """
    UPDATE idempotency_keys k SET outcome = CAST(n.outcome AS jsonb)
    FROM unnest(:owners, :mutations, :keys, :outcomes) AS n(owner_id, mutation, key, outcome)
    WHERE k.owner_id = n.owner_id AND k.mutation = n.mutation AND k.key = n.key
    """,
    **KEY_TYPES,
    outcomes=TEXTS,
)


def kept(outcomes: Iterable[tuple[IdempotencyKey, str]]) -> Iterator[Write]:
    """Writes what keys remember; it commits with the effect."""
    rows = [(*key, outcome) for key, outcome in outcomes]
    if rows:
        yield Write(KEEP, columns(rows, (*KEY_TYPES, "outcomes")), len(rows))


class PostgresIdempotencyKeys:
    """Outcomes by key. The insert comes first: a concurrent twin waits there until this transaction ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._driver = Driver(connection)

    async def claim(self, keys: Sequence[tuple[IdempotencyKey, bytes]]) -> dict[IdempotencyKey, tuple[bytes, Any]]:
        """Take the keys, in one order for everybody; what is stored already: fingerprint and outcome."""
        rows = sorted((*key, fingerprint) for key, fingerprint in keys)
        taken = await self._driver.rows(CLAIM, columns(rows, (*KEY_TYPES, "fingerprints")))
        if len(taken) == len(rows):
            return {}
        known = {key for key, _ in keys} - {tuple(row) for row in taken}
        stored = await self._driver.rows(STORED, columns(known, tuple(KEY_TYPES)))
        return {(owner, mutation, key): (fingerprint, outcome) for owner, mutation, key, fingerprint, outcome in stored}

    async def keep(self, outcomes: Sequence[tuple[IdempotencyKey, str]]) -> None:
        """Remember the outcomes; they commit with the effect."""
        await self._driver.write_all(kept(outcomes))

    async def forget(self, keys: Sequence[IdempotencyKey]) -> None:
        """Give keys back that were taken in this transaction."""
        await self._driver.write(Write(FORGET, columns(keys, tuple(KEY_TYPES))))

    async def forget_expired(self, most: int) -> int:
        """Remove keys that are kept no longer, the oldest first, at most so many; how many."""
        return (await self._connection.execute(FORGET_EXPIRED, {"most": most})).rowcount
