"""Idempotency keys and API keys."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import KeyId
from persistence.sql import BYTES, INT, TEXT, sql
from persistence.tables import api_keys, idempotency_keys

CLAIM = sql(
    """
    INSERT INTO idempotency_keys AS k (owner_id, mutation, key, fingerprint)
    VALUES (:owner, :mutation, :key, :fingerprint)
    ON CONFLICT (owner_id, mutation, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, outcome = NULL, created_at = now()
        WHERE k.created_at < now() - interval '30 days'
    RETURNING key
    """,
    owner=INT,
    mutation=TEXT,
    key=TEXT,
    fingerprint=BYTES,
)


class PostgresIdempotencyKeys:
    """Outcomes by key. The insert comes first: a concurrent twin waits there until this transaction ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, owner: KeyId, mutation: str, key: str, fingerprint: bytes) -> tuple[bytes, Any] | None:
        """Take the key; what is stored under it already: fingerprint and outcome."""
        parameters = {"owner": owner, "mutation": mutation, "key": key, "fingerprint": fingerprint}
        if (await self._connection.execute(CLAIM, parameters)).first():
            return None
        columns = select(idempotency_keys.c.fingerprint, idempotency_keys.c.outcome)
        row = (await self._connection.execute(columns.where(*_is(owner, mutation, key)))).one()
        return row.fingerprint, row.outcome

    async def keep(self, owner: KeyId, mutation: str, key: str, outcome: Any) -> None:
        """Remember the outcome; it commits with the effect."""
        await self._connection.execute(
            update(idempotency_keys).where(*_is(owner, mutation, key)).values(outcome=outcome)
        )


def _is(owner: KeyId, mutation: str, key: str) -> tuple[Any, ...]:
    table = idempotency_keys.c
    return table.owner_id == owner, table.mutation == mutation, table.key == key


class PostgresCredentials:
    """API keys, known by the hash of their secret."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secret_sha256: bytes) -> tuple[KeyId, str] | None:
        statement = select(api_keys.c.id, api_keys.c.name).where(api_keys.c.secret_sha256 == secret_sha256)
        row = (await self._connection.execute(statement)).first()
        return (row.id, row.name) if row else None

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
