"""Webhooks as the workers see them: what is to be sent, who holds it just now, and what came of it.

Any number of workers share the rows. An endpoint's row is locked while the log is taken up for it, so its deliveries
come to be in the log's order; a delivery is leased for as long as it is being sent, so a worker that dies keeps
nothing. Lock order: endpoints before deliveries.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import LoggedEvent, WebhookEndpointDisabled
from domain.ids import DeliveryId, EndpointId
from domain.kinds import WebhookDeliveryState
from domain.webhooks import Claimed, Health, Sent
from persistence.events import append, event_from
from persistence.sql import BIGINTS, INT, INTS, NUMERICS, TEXT, TEXTS, columns, sql
from persistence.webhooks import RETRY_NOW

PENDING_MAX = 1_000
"""An endpoint that has more is not given more: what is behind waits in the log."""
PLAN_ROWS_MAX = 500
"""For one endpoint at a time."""
SCAN_ROWS_MAX = 20_000
"""Of the log, for one endpoint at a time, however few of them it wants."""

SUBJECT = """
    CASE WHEN l.order_id IS NOT NULL THEN 'order ' || l.order_id
         WHEN l.type = 'StockLevelChanged'
            THEN concat_ws(' ', 'level', l.payload ->> 'sku', l.payload ->> 'location_code')
         WHEN l.type = 'AllocationRunProgressed' THEN 'run ' || (l.payload ->> 'run_id')
         WHEN l.type = 'SupplyChanged' THEN 'supply ' || (l.payload ->> 'supply_id')
         WHEN l.type IN ('AlertRaised', 'AlertResolved') THEN 'alert ' || (l.payload ->> 'alert_id')
         ELSE l.type END
    """
"""Events about the same thing are delivered one after the other. Of a kind that is not named here: all of them."""

LOCK_BEHIND = sql(
    """
    SELECT e.id FROM webhook_endpoints e CROSS JOIN log_end l
    WHERE e.enabled AND e.position < l.position AND :pending_max > (
        SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'PENDING')
    FOR NO KEY UPDATE OF e SKIP LOCKED
    """,
    pending_max=INT,
)
PLAN = sql(
    f"""
    WITH behind AS (
        SELECT e.id, e.name, e.types, e.channels, e.position AS start,
            least(l.position, e.position + :scan_max) AS until
        FROM webhook_endpoints e CROSS JOIN log_end l WHERE e.id = ANY (:endpoints)
    ), found AS (
        SELECT b.id AS endpoint_id, f.* FROM behind b CROSS JOIN LATERAL (
            SELECT l.id AS event_id, l.position, l.type, {SUBJECT} AS subject FROM events l
            WHERE l.position > b.start AND l.position <= b.until AND (b.types IS NULL OR l.type = ANY (b.types))
                AND (b.channels IS NULL OR l.payload ->> 'channel_code' = ANY (b.channels))
                AND (l.payload -> 'endpoints' IS NULL OR l.payload -> 'endpoints' IN ('[]', 'null')
                    OR jsonb_exists(l.payload -> 'endpoints', b.name))
            ORDER BY l.position LIMIT :rows_max
        ) AS f
    ), planned AS (
        INSERT INTO webhook_deliveries (endpoint_id, event_id, position, type, subject)
        SELECT endpoint_id, event_id, position, type, subject FROM found ORDER BY position
    ), reached AS (
        SELECT b.id, CASE WHEN count(f.position) < :rows_max THEN b.until ELSE max(f.position) END AS position
        FROM behind b LEFT JOIN found f ON f.endpoint_id = b.id GROUP BY b.id, b.until
    )
    UPDATE webhook_endpoints e SET position = r.position FROM reached r CROSS JOIN log_end l WHERE e.id = r.id
    RETURNING r.position < l.position AS is_behind
    """,  # noqa: S608
    endpoints=INTS,
    scan_max=INT,
    rows_max=INT,
)

CLAIM = sql(
    """
    WITH due AS (
        SELECT d.id
        FROM webhook_endpoints e
        LEFT JOIN unnest(:busy, :sending) AS b(endpoint_id, sending) ON b.endpoint_id = e.id
        CROSS JOIN LATERAL (
            SELECT d.id FROM webhook_deliveries d
            WHERE d.endpoint_id = e.id AND d.state = 'PENDING' AND d.due_at <= clock_timestamp()
                AND (d.event_id IS NULL OR (
                    e.enabled AND coalesce(e.paused_until <= clock_timestamp(), true) AND NOT EXISTS (
                        SELECT FROM webhook_deliveries b
                        WHERE b.endpoint_id = d.endpoint_id AND b.subject = d.subject AND b.state = 'PENDING'
                            AND b.position < d.position)))
            ORDER BY d.position NULLS FIRST, d.id
            LIMIT greatest(0, CASE WHEN e.paused_until IS NULL THEN :most ELSE 1 END - coalesce(b.sending, 0))
            FOR UPDATE SKIP LOCKED
        ) AS d
    )
    UPDATE webhook_deliveries d SET leased_by = :lease, due_at = clock_timestamp() + make_interval(secs => :seconds)
    FROM due WHERE d.id = due.id
    RETURNING d.id
    """,
    busy=INTS,
    sending=INTS,
    most=INT,
    lease=TEXT,
    seconds=INT,
)
CLAIMED = sql(
    """
    SELECT d.id, d.endpoint_id, d.attempts, d.event_id, d.created_at, e.name, e.url,
        l.position, l.occurred_at, l.type, l.payload,
        ARRAY(SELECT s.secret FROM webhook_secrets s WHERE s.endpoint_id = e.id
              AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp()) ORDER BY s.id DESC) AS secrets
    FROM webhook_deliveries d
    JOIN webhook_endpoints e ON e.id = d.endpoint_id
    LEFT JOIN events l ON l.id = d.event_id
    WHERE d.id = ANY (:ids) ORDER BY d.position NULLS FIRST, d.id
    """,
    ids=BIGINTS,
)
RELEASE = sql(
    """
    UPDATE webhook_deliveries SET leased_by = NULL, due_at = clock_timestamp()
    WHERE id = ANY (:ids) AND leased_by = ANY (:leases) AND state = 'PENDING'
    """,
    ids=BIGINTS,
    leases=TEXTS,
)

END = sql(
    """
    UPDATE webhook_deliveries d SET leased_by = NULL, attempts = d.attempts + 1, state = n.state,
        due_at = clock_timestamp() + make_interval(secs => CAST(n.wait AS double precision)),
        ended_at = CASE WHEN n.state <> 'PENDING' THEN clock_timestamp() END
    FROM unnest(:ids, :leases, :states, :waits) AS n(id, lease, state, wait)
    WHERE d.id = n.id AND d.leased_by = n.lease
    RETURNING d.id
    """,
    ids=BIGINTS,
    leases=TEXTS,
    states=TEXTS,
    waits=NUMERICS,
)
ADD_ATTEMPTS = sql(
    """
    INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, status, error)
    SELECT d.id, d.attempts, clock_timestamp() - make_interval(secs => n.ms / 1000.0), n.ms, n.status, n.error
    FROM unnest(:ids, :durations, :statuses, :errors) AS n(id, ms, status, error)
    JOIN webhook_deliveries d ON d.id = n.id
    """,
    ids=BIGINTS,
    durations=INTS,
    statuses=INTS,
    errors=TEXTS,
)

LOCK_HEALTH = sql(
    """
    SELECT id, name, enabled, failures,
        CAST(coalesce(extract(epoch FROM clock_timestamp() - failing_since), 0) AS double precision) AS failing_seconds
    FROM webhook_endpoints WHERE id = ANY (:ids) ORDER BY id FOR NO KEY UPDATE
    """,
    ids=INTS,
)
SAVE_HEALTH = sql(
    """
    UPDATE webhook_endpoints e SET failures = n.failures,
        failing_since = CASE WHEN n.failures > 0 THEN coalesce(e.failing_since, clock_timestamp()) END,
        paused_until = clock_timestamp() + make_interval(secs => CAST(n.pause AS double precision)),
        enabled = e.enabled AND n.reason IS NULL,
        disabled_reason = CASE WHEN e.enabled THEN n.reason ELSE e.disabled_reason END
    FROM unnest(:ids, :failures, :pauses, :reasons) AS n(id, failures, pause, reason)
    WHERE e.id = n.id
    """,
    ids=INTS,
    failures=INTS,
    pauses=NUMERICS,
    reasons=TEXTS,
)
FORGET_ENDED = sql(
    """
    DELETE FROM webhook_deliveries WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM webhook_deliveries
        WHERE ended_at < now() - interval '7 days' AND (state <> 'DEAD' OR ended_at < now() - interval '30 days')
        ORDER BY ended_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """,
    most=INT,
)


class PostgresDeliveries:
    """Takes the log up into deliveries, leases them, and writes down what came of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.has_new_events = False

    async def plan(self) -> bool:
        """Take up what the log has behind the endpoints' positions, as far as there is room; whether more is left."""
        behind = await self._connection.execute(LOCK_BEHIND, {"pending_max": PENDING_MAX})
        endpoints = list(behind.scalars())
        if not endpoints:
            return False
        given = {"endpoints": endpoints, "scan_max": SCAN_ROWS_MAX, "rows_max": PLAN_ROWS_MAX}
        return any((await self._connection.execute(PLAN, given)).scalars())

    async def claim(self, sending: Mapping[EndpointId, int], most: int, lease: str, seconds: float) -> list[Claimed]:
        """Lease what is due: of each endpoint at most so many, less those that the worker is sending.

        Of an endpoint that rests from failing: one. Of one subject: the first that has not ended.
        """
        given = {"busy": list(sending), "sending": list(sending.values()), "most": most, "lease": lease}
        ids = list((await self._connection.execute(CLAIM, given | {"seconds": seconds})).scalars())
        if not ids:
            return []
        return [_claimed(row, lease) for row in await self._connection.execute(CLAIMED, {"ids": ids})]

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back what was not sent."""
        ids, leases = [one.id for one in claimed], [one.lease for one in claimed]
        await self._connection.execute(RELEASE, {"ids": ids, "leases": leases})

    async def lock_health(self, endpoints: Sequence[EndpointId]) -> dict[EndpointId, tuple[str, bool, int, float]]:
        """Name, whether it is enabled, failures in a row, and for how many seconds; locked."""
        rows = await self._connection.execute(LOCK_HEALTH, {"ids": list(endpoints)})
        return {row.id: (row.name, row.enabled, row.failures, row.failing_seconds) for row in rows}

    async def end(self, results: Sequence[tuple[Sent, WebhookDeliveryState, float]]) -> list[Sent]:
        """Write down what came of requests, with the wait until the next; those whose lease still held."""
        rows = [(sent.claimed.id, sent.claimed.lease, state, wait) for sent, state, wait in results]
        ended = await self._connection.execute(END, columns(rows, ("ids", "leases", "states", "waits")))
        held: set[DeliveryId] = set(ended.scalars())
        kept = [sent for sent, _, _ in results if sent.claimed.id in held]
        attempts = [(one.claimed.id, one.duration_ms, one.status, one.error) for one in kept]
        names = ("ids", "durations", "statuses", "errors")
        await self._connection.execute(ADD_ATTEMPTS, columns(attempts, names))
        return kept

    async def save_health(self, health: Mapping[EndpointId, Health]) -> None:
        rows = [(endpoint, one.failures, one.pause_seconds, one.disabled) for endpoint, one in health.items()]
        await self._connection.execute(SAVE_HEALTH, columns(rows, ("ids", "failures", "pauses", "reasons")))
        recovered = [endpoint for endpoint, one in health.items() if one.recovered]
        if recovered:
            await self._connection.execute(RETRY_NOW, {"endpoints": recovered})

    async def tell(self, events: Sequence[WebhookEndpointDisabled]) -> None:
        self.has_new_events = self.has_new_events or bool(events)
        await append(self._connection, events)

    async def forget_ended(self, most: int) -> int:
        """Remove deliveries that are kept no longer, at most so many; how many."""
        return (await self._connection.execute(FORGET_ENDED, {"most": most})).rowcount


def _claimed(row: Any, lease: str) -> Claimed:
    event = None
    if row.payload is not None:
        event = LoggedEvent(
            id=row.event_id,
            position=row.position,
            occurred_at=row.occurred_at,
            event=event_from(row.type, row.payload),
        )
    return Claimed(
        id=row.id,
        endpoint=row.endpoint_id,
        name=row.name,
        url=row.url,
        secrets=tuple(map(bytes, row.secrets)),
        lease=lease,
        attempts=row.attempts,
        event=event,
        expired=event is None and row.event_id is not None,
        created_at=row.created_at,
    )
