"""Webhooks as callers see them: endpoints, secrets, and the log of what was delivered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import DeliveryId, EndpointId, EventId
from domain.kinds import WebhookDeliveryState
from domain.webhooks import SECRETS_MAX, Attempt, Delivery, Endpoint
from persistence.sql import BIGINT, BYTE_STRINGS, INT, INTS, TEXTS, sql
from services.ports.webhooks import DeliveryFilter

ENDPOINT = """
    e.id AS endpoint_id, e.name, e.url, e.types, e.channels, e.enabled, e.disabled_reason, e.position AS reached,
    e.failures, e.failing_since, e.created_at AS endpoint_created_at,
    (SELECT count(*) FROM webhook_deliveries p WHERE p.endpoint_id = e.id AND p.state = 'PENDING') AS pending
    """
ALL = sql(f"SELECT {ENDPOINT} FROM webhook_endpoints e ORDER BY e.name")  # noqa: S608
BY_IDS = sql(f"SELECT {ENDPOINT} FROM webhook_endpoints e WHERE e.id = ANY (:ids)", ids=INTS)  # noqa: S608
LOCK = sql(
    f"""
    SELECT {ENDPOINT} FROM webhook_endpoints e WHERE e.name = ANY (:names) ORDER BY e.id FOR NO KEY UPDATE
    """,  # noqa: S608
    names=TEXTS,
)
COUNT = sql("SELECT count(*) FROM webhook_endpoints")

SAVE = sql(
    """
    INSERT INTO webhook_endpoints AS e (name, url, types, channels, enabled, position)
    SELECT n.name, n.url, n.types, n.channels, n.enabled, l.position
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(name text, url text, types text[], channels text[], enabled bool)
    CROSS JOIN log_end l ORDER BY n.name
    ON CONFLICT (name) DO UPDATE SET
        url = excluded.url, types = excluded.types, channels = excluded.channels, enabled = excluded.enabled,
        disabled_reason = CASE WHEN excluded.enabled THEN NULL ELSE e.disabled_reason END,
        failures = 0, failing_since = NULL, paused_until = NULL
    RETURNING id, name
    """
)
"""Whoever saves an endpoint has looked at it: it is asked again at once."""
FIRST_SECRETS = sql(
    """
    INSERT INTO webhook_secrets (endpoint_id, secret)
    SELECT n.endpoint_id, n.secret FROM unnest(:endpoints, :secrets) AS n(endpoint_id, secret)
    WHERE NOT EXISTS (SELECT FROM webhook_secrets s WHERE s.endpoint_id = n.endpoint_id)
    """,
    endpoints=INTS,
    secrets=BYTE_STRINGS,
)
HAVE_SECRETS = sql("SELECT secret FROM webhook_secrets WHERE secret = ANY (:secrets)", secrets=BYTE_STRINGS)
RETRY_NOW = sql(
    """
    UPDATE webhook_deliveries SET due_at = clock_timestamp()
    WHERE endpoint_id = ANY (:endpoints) AND state = 'PENDING' AND leased_by IS NULL AND due_at > clock_timestamp()
    """,
    endpoints=INTS,
)

RETIRE_SECRETS = sql(
    """
    UPDATE webhook_secrets SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => :seconds))
    WHERE endpoint_id = :endpoint
    """,
    endpoint=INT,
    seconds=INT,
)
ADD_SECRET = sql(
    "INSERT INTO webhook_secrets (endpoint_id, secret) VALUES (:endpoint, :secret) RETURNING id", endpoint=INT
)
FORGET_SECRETS = sql(
    """
    DELETE FROM webhook_secrets WHERE endpoint_id = :endpoint AND (expires_at < clock_timestamp() OR id NOT IN (
        SELECT id FROM webhook_secrets WHERE endpoint_id = :endpoint ORDER BY id DESC LIMIT :most))
    """,
    endpoint=INT,
    most=INT,
)
SECRET = sql("SELECT secret FROM webhook_secrets WHERE id = :id", id=BIGINT)

FORGET_AFTER = sql(
    """
    DELETE FROM webhook_deliveries
    WHERE endpoint_id = :endpoint AND state = 'PENDING' AND position > :position
    """,
    endpoint=INT,
    position=BIGINT,
)
GO_ON_AFTER = sql(
    "UPDATE webhook_endpoints SET position = :position WHERE id = :endpoint", endpoint=INT, position=BIGINT
)
ADD_TEST = sql(
    """
    INSERT INTO webhook_deliveries (endpoint_id, type, subject) VALUES (:endpoint, 'WebhookTest', 'test') RETURNING id
    """,
    endpoint=INT,
)

PAGE = f"""
    SELECT d.id, d.event_id, d.position, d.type, d.state, d.created_at, d.ended_at,
        CASE WHEN d.state = 'PENDING' AND d.leased_by IS NULL THEN d.due_at END AS due_at, {ENDPOINT},
        (SELECT jsonb_agg(jsonb_build_array(a.number, a.at, a.duration_ms, a.status, a.error) ORDER BY a.number)
         FROM webhook_attempts a WHERE a.delivery_id = d.id) AS attempts
    FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
    """  # noqa: S608


class PostgresWebhooks:
    """Endpoints by name."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def endpoints(self) -> list[Endpoint]:
        """All, by name."""
        return await self._endpoints(ALL)

    async def by_ids(self, ids: Sequence[EndpointId]) -> list[Endpoint]:
        return await self._endpoints(BY_IDS, ids=list(ids))

    async def lock(self, names: Sequence[str]) -> dict[str, Endpoint]:
        """Those that exist, for as long as the transaction lasts."""
        return {one.name: one for one in await self._endpoints(LOCK, names=list(names))}

    async def count(self) -> int:
        return int((await self._connection.execute(COUNT)).scalar_one())

    async def save(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, EndpointId]:
        """Create or update by name, each row whole. A new one takes up what happens from now on."""
        given = {"rows": orjson.dumps(list(rows)).decode()}
        saved = {row.name: EndpointId(row.id) for row in await self._connection.execute(SAVE, given)}
        await self._connection.execute(RETRY_NOW, {"endpoints": list(saved.values())})
        return saved

    async def give_first_secrets(self, secrets: Mapping[EndpointId, bytes]) -> None:
        """A secret for each endpoint that has none."""
        given = {"endpoints": list(secrets), "secrets": list(secrets.values())}
        await self._connection.execute(FIRST_SECRETS, given)

    async def known_secrets(self, secrets: Sequence[bytes]) -> set[bytes]:
        """Those of them that are in use."""
        rows = await self._connection.execute(HAVE_SECRETS, {"secrets": list(secrets)})
        return {bytes(secret) for secret in rows.scalars()}

    async def turn_secret(self, endpoint: EndpointId, secret: bytes, keep_seconds: int) -> int:
        """Sign with one more secret, and with those before for so many seconds more; the new one's id."""
        await self._connection.execute(RETIRE_SECRETS, {"endpoint": endpoint, "seconds": keep_seconds})
        made = await self._connection.execute(ADD_SECRET, {"endpoint": endpoint, "secret": secret})
        row = int(made.scalar_one())
        await self._connection.execute(FORGET_SECRETS, {"endpoint": endpoint, "most": SECRETS_MAX})
        return row

    async def secret(self, row: int) -> bytes | None:
        found = (await self._connection.execute(SECRET, {"id": row})).scalar()
        return None if found is None else bytes(found)

    async def go_on_after(self, endpoint: EndpointId, position: int) -> None:
        """Take the log up anew from behind this position; what was pending behind it comes again."""
        await self._connection.execute(FORGET_AFTER, {"endpoint": endpoint, "position": position})
        await self._connection.execute(GO_ON_AFTER, {"endpoint": endpoint, "position": position})

    async def add_test(self, endpoint: EndpointId) -> DeliveryId:
        """A delivery without an event."""
        return DeliveryId((await self._connection.execute(ADD_TEST, {"endpoint": endpoint})).scalar_one())

    async def delivery(self, delivery: DeliveryId) -> Delivery | None:
        found = await self._deliveries(sql(f"{PAGE} WHERE d.id = :id", id=BIGINT), id=delivery)
        return found[0] if found else None

    async def page(self, condition: DeliveryFilter, first: int, before: int | None) -> list[Delivery]:
        """The newest first; `before`: an id."""
        given: dict[str, Any] = {"first": first, "before": before, "names": condition.endpoints}
        where = ["(:before IS NULL OR d.id < :before)", "(:names IS NULL OR e.name = ANY (:names))"]
        if condition.states is not None:
            # Written out, so that the index on the dead ones serves.
            states = [f"d.state = '{WebhookDeliveryState(state).value}'" for state in condition.states]
            where.append(f"({' OR '.join(states) or 'false'})")
        statement = f"{PAGE} WHERE {' AND '.join(where)} ORDER BY d.id DESC LIMIT :first"
        given["names"] = None if condition.endpoints is None else list(condition.endpoints)
        return await self._deliveries(sql(statement, before=BIGINT, names=TEXTS, first=INT), **given)

    async def _endpoints(self, statement: TextClause, **given: Any) -> list[Endpoint]:
        return [_endpoint(row) for row in await self._connection.execute(statement, given)]

    async def _deliveries(self, statement: TextClause, **given: Any) -> list[Delivery]:
        return [_delivery(row) for row in await self._connection.execute(statement, given)]


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        id=row.endpoint_id,
        name=row.name,
        url=row.url,
        types=None if row.types is None else tuple(row.types),
        channels=None if row.channels is None else tuple(row.channels),
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        position=row.reached,
        failures=row.failures,
        failing_since=row.failing_since,
        pending=row.pending,
        created_at=row.endpoint_created_at,
    )


def _delivery(row: Any) -> Delivery:
    attempts = orjson.loads(row.attempts) if isinstance(row.attempts, str) else row.attempts or ()
    return Delivery(
        id=row.id,
        endpoint=_endpoint(row),
        type=row.type,
        event=None if row.event_id is None else EventId(row.event_id),
        position=row.position,
        state=WebhookDeliveryState(row.state),
        attempts=tuple(
            Attempt(number=number, at=datetime.fromisoformat(at), duration_ms=ms, status=status, error=error)
            for number, at, ms, status, error in attempts
        ),
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )
