"""API keys, known by the hash of their secrets."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Scope, Visibility, granted
from domain.ids import KeyId
from persistence.searching import any_of
from persistence.sql import BYTE_STRINGS, INT, INTS, TEXT, sql
from persistence.tables import api_keys
from services.ports.credentials import KeyView, Opening

# Two searches, since each has its index.
KNOWN = sql(
    """
    SELECT secret, id, name, scopes, channels, locations,
        CAST(extract(epoch FROM ends_at - clock_timestamp()) AS float8) AS seconds_left
    FROM (
        SELECT k.secret_sha256 AS secret, k.*, k.expires_at AS ends_at
        FROM api_keys k WHERE k.secret_sha256 = ANY(:secrets)
        UNION ALL
        SELECT k.previous_sha256 AS secret, k.*, least(k.expires_at, k.previous_until) AS ends_at
        FROM api_keys k WHERE k.previous_sha256 = ANY(:secrets)
    ) AS known
    WHERE revoked_at IS NULL AND (ends_at IS NULL OR ends_at > clock_timestamp())
    """,
    secrets=BYTE_STRINGS,
)
# The one before the previous one opens nothing from now on.
TURN = sql(
    """
    UPDATE api_keys SET mark = :mark, secret_sha256 = :secret, previous_sha256 = secret_sha256,
        previous_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE id = :key
    """,
    key=INT,
    mark=TEXT,
    seconds=INT,
)
REVOKE = sql("UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = :key AND revoked_at IS NULL", key=INT)
USED = sql(
    """
    UPDATE api_keys SET last_used_at = clock_timestamp()
    WHERE id = ANY(:keys) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
    """,
    keys=INTS,
)


class PostgresCredentials:
    """Reads and writes API keys."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secrets_sha256: Sequence[bytes]) -> dict[bytes, Opening]:
        """What those of the secrets open that open anything now, by the database's clock."""
        rows = await self._connection.execute(KNOWN, {"secrets": secrets_sha256})
        return {
            row.secret: Opening(
                key=row.id,
                name=row.name,
                scopes=granted(_scopes(row)),
                visibility=_visibility(row),
                seconds_left=row.seconds_left,
            )
            for row in rows
        }

    async def save(
        self, name: str, secret_sha256: bytes, scopes: Collection[Scope], visibility: Visibility, mark: str | None
    ) -> KeyId:
        """Create the key of this name, or make it as if it were new: whatever opened it before opens nothing."""
        values = {"secret_sha256": secret_sha256, "mark": mark} | _access(scopes, visibility)
        cleared = dict.fromkeys(("previous_sha256", "previous_until", "expires_at", "revoked_at"))
        statement = insert(api_keys).values(name=name, **values)
        statement = statement.on_conflict_do_update(index_elements=[api_keys.c.name], set_=values | cleared)
        return KeyId((await self._connection.execute(statement.returning(api_keys.c.id))).scalar_one())

    async def add(
        self,
        name: str,
        mark: str,
        secret_sha256: bytes,
        scopes: Collection[Scope],
        visibility: Visibility,
        expires_at: datetime | None,
        actor: str,
    ) -> KeyId | None:
        """A new key; None where there is or was one of this name."""
        values = {"mark": mark, "secret_sha256": secret_sha256, "expires_at": expires_at, "created_by": actor}
        statement = insert(api_keys).values(name=name, **values, **_access(scopes, visibility))
        statement = statement.on_conflict_do_nothing(index_elements=[api_keys.c.name])
        made: KeyId | None = (await self._connection.execute(statement.returning(api_keys.c.id))).scalar_one_or_none()
        return made

    async def person(self, issuer: str, subject: str, name: str, secret_sha256: bytes) -> KeyId:
        """The row of a person; made where there is none yet."""
        values = {"name": name, "secret_sha256": secret_sha256, "scopes": []}
        statement = insert(api_keys).values(issuer=issuer, subject=subject, **values)
        statement = statement.on_conflict_do_nothing(index_elements=[api_keys.c.issuer, api_keys.c.subject])
        await self._connection.execute(statement)
        mine = select(api_keys.c.id).where(api_keys.c.issuer == issuer, api_keys.c.subject == subject)
        return KeyId((await self._connection.execute(mine)).scalar_one())

    async def exists(self, name: str) -> bool:
        return await self.by_name(name) is not None

    async def lock(self, key: KeyId) -> KeyView | None:
        """The key, for as long as the transaction lasts."""
        found = await self._views(select(api_keys).where(api_keys.c.id == key).with_for_update())
        return found[0] if found else None

    async def turn(self, key: KeyId, mark: str, secret_sha256: bytes, keep_seconds: int) -> None:
        """Open with a new secret, and with the one before for so many seconds more; with older ones no longer."""
        parameters = {"key": key, "mark": mark, "secret": secret_sha256, "seconds": keep_seconds}
        await self._connection.execute(TURN, parameters)

    async def revoke(self, key: KeyId) -> None:
        await self._connection.execute(REVOKE, {"key": key})

    async def by_ids(self, ids: Sequence[KeyId]) -> list[KeyView]:
        return await self._views(select(api_keys).where(any_of(api_keys.c.id, ids)))

    async def by_name(self, name: str) -> KeyView | None:
        found = await self._views(select(api_keys).where(api_keys.c.name == name))
        return found[0] if found else None

    async def page(self, first: int, after: int | None, *, ended: bool) -> list[KeyView]:
        """The oldest first; `after`: an id. `ended`: also those that have expired or were revoked."""
        statement = select(api_keys).order_by(api_keys.c.id).limit(first)
        if after is not None:
            statement = statement.where(api_keys.c.id > after)
        if not ended:
            lives = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.clock_timestamp())
            statement = statement.where(api_keys.c.revoked_at.is_(None), lives)
        return await self._views(statement)

    async def used(self, keys: Sequence[KeyId]) -> None:
        """They were used just now; written at most once a minute."""
        await self._connection.execute(USED, {"keys": keys})

    async def moment(self) -> datetime:
        """What time it is, by the database's clock."""
        now: datetime = (await self._connection.execute(select(func.clock_timestamp()))).scalar_one()
        return now

    async def _views(self, statement: Select[Any]) -> list[KeyView]:
        return [_view(row) for row in await self._connection.execute(statement.where(api_keys.c.issuer.is_(None)))]


def _access(scopes: Collection[Scope], visibility: Visibility) -> dict[str, Any]:
    limits = {"channels": visibility.channels, "locations": visibility.locations}
    return {
        "scopes": sorted(scopes),
        **{name: None if codes is None else sorted(codes) for name, codes in limits.items()},
    }


def _view(row: Any) -> KeyView:
    return KeyView(
        id=row.id,
        name=row.name,
        mark=row.mark,
        scopes=frozenset(_scopes(row)),
        visibility=_visibility(row),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        previous_until=row.previous_until,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _scopes(row: Any) -> list[Scope]:
    """A scope that this release does not know gives nothing."""
    known = set(Scope)
    return [Scope(scope) for scope in row.scopes if scope in known]


def _visibility(row: Any) -> Visibility:
    return Visibility(
        channels=None if row.channels is None else frozenset(row.channels),
        locations=None if row.locations is None else frozenset(row.locations),
    )
