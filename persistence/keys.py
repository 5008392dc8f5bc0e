"""Idempotency keys and API keys."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from domain.ids import KeyId
from persistence.sql import BYTE_STRINGS, INT, INTS, TEXTS, columns, sql
from persistence.tables import api_keys
from services.ports import IdempotencyKey

CLAIM = sql(
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
STORED = sql(f"SELECT k.* FROM {NAMED} JOIN idempotency_keys k ON {SAME}", **KEY_TYPES)  # noqa: S608
FORGET = sql(f"DELETE FROM idempotency_keys k USING {NAMED} WHERE {SAME}", **KEY_TYPES)  # noqa: S608
FORGET_EXPIRED = sql(
    """
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '30 days'
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """,
    most=INT,
)
KEEP = sql(
    """
    UPDATE idempotency_keys k SET outcome = CAST(n.outcome AS jsonb)
    FROM unnest(:owners, :mutations, :keys, :outcomes) AS n(owner_id, mutation, key, outcome)
    WHERE k.owner_id = n.owner_id AND k.mutation = n.mutation AND k.key = n.key
    """,
    **KEY_TYPES,
    outcomes=TEXTS,
)
KNOWN = sql("SELECT secret_sha256, id, name FROM api_keys WHERE secret_sha256 = ANY(:secrets)", secrets=BYTE_STRINGS)


class PostgresIdempotencyKeys:
    """Outcomes by key. The insert comes first: a concurrent twin waits there until this transaction ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, keys: Sequence[tuple[IdempotencyKey, bytes]]) -> dict[IdempotencyKey, tuple[bytes, Any]]:
        """Take the keys, in one order for everybody; what is stored already: fingerprint and outcome."""
        rows = sorted((*key, fingerprint) for key, fingerprint in keys)
        taken = await self._connection.execute(CLAIM, columns(rows, (*KEY_TYPES, "fingerprints")))
        known = {key for key, _ in keys} - {tuple(row) for row in taken}
        if not known:
            return {}
        stored = await self._connection.execute(STORED, columns(known, tuple(KEY_TYPES)))
        return {(row.owner_id, row.mutation, row.key): (row.fingerprint, row.outcome) for row in stored}

    async def keep(self, outcomes: Sequence[tuple[IdempotencyKey, Any]]) -> None:
        """Remember the outcomes; they commit with the effect."""
        rows = [(*key, orjson.dumps(outcome).decode()) for key, outcome in outcomes]
        await self._connection.execute(KEEP, columns(rows, (*KEY_TYPES, "outcomes")))

    async def forget(self, keys: Sequence[IdempotencyKey]) -> None:
        """Give keys back that were taken in this transaction."""
        await self._connection.execute(FORGET, columns(keys, tuple(KEY_TYPES)))

    async def forget_expired(self, most: int) -> int:
        """Remove keys that are kept no longer, the oldest first, at most so many; how many."""
        return (await self._connection.execute(FORGET_EXPIRED, {"most": most})).rowcount


class PostgresCredentials:
    """API keys, known by the hash of their secret."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secrets_sha256: Sequence[bytes]) -> dict[bytes, tuple[KeyId, str]]:
        """The keys and names of those secrets that are known."""
        rows = await self._connection.execute(KNOWN, {"secrets": secrets_sha256})
        return {row.secret_sha256: (row.id, row.name) for row in rows}

    async def save(self, name: str, secret_sha256: bytes) -> KeyId:
        """Create the key, or give the one of this name a new secret."""
        statement = insert(api_keys).values(name=name, secret_sha256=secret_sha256)
        statement = statement.on_conflict_do_update(
            index_elements=[api_keys.c.name], set_={"secret_sha256": secret_sha256}
        )
        return KeyId((await self._connection.execute(statement.returning(api_keys.c.id))).scalar_one())

    async def exists(self, name: str) -> bool:
        return (
            await self._connection.execute(select(api_keys.c.id).where(api_keys.c.name == name))
        ).first() is not None
