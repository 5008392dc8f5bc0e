"""What must always be true of events and of those who read them, runs and keys, as SQL; see `persistence.verify`."""

from domain.kinds import RunState, WebhookDeliveryState
from domain.runs import ENDED as ENDED_RUNS
from persistence.sql import one_of
from persistence.verify_log import CUT, LOG, broken_versions

_ORDER_EVENTS = f"""
    SELECT id, position, order_id, CAST(payload ->> 'order_version' AS bigint) AS version,
           payload ->> 'before' AS before, payload ->> 'after' AS after
    FROM {LOG} WHERE type = """  # noqa: S608

ORDER_VERSIONS = f"""
    SELECT order_id, o.version, e.events, e.versions, e.first, e.last
    FROM (SELECT id AS order_id, version FROM orders) AS o
    FULL JOIN (
        SELECT order_id, count(*) AS events, count(DISTINCT version) AS versions, min(version) AS first,
               max(version) AS last
        FROM ({_ORDER_EVENTS} 'OrderChanged') AS e GROUP BY 1
    ) AS e USING (order_id)
    WHERE {broken_versions("o")}
    """  # noqa: S608

CHAIN = f"""
    SELECT order_id, version, before, after, expected
    FROM (
        SELECT e.*, CASE WHEN row_number() OVER log > 1 THEN lag(after) OVER log
                         WHEN {CUT} THEN before ELSE 'UNALLOCATED' END AS expected
        FROM ({_ORDER_EVENTS} 'AllocationStatusChanged') AS e
        WINDOW log AS (PARTITION BY order_id ORDER BY version, id)
    ) AS chained
    WHERE before IS DISTINCT FROM expected OR before IS NOT DISTINCT FROM after
    """  # noqa: S608

LAST_STATUS = f"""
    SELECT o.id AS order_id, o.allocation_status, e.after
    FROM orders o
    LEFT JOIN (
        SELECT DISTINCT ON (order_id) order_id, version, after
        FROM ({_ORDER_EVENTS} 'AllocationStatusChanged') AS e ORDER BY order_id, version DESC, id DESC
    ) AS e ON e.order_id = o.id
    WHERE o.allocation_status IS DISTINCT FROM CASE WHEN e.order_id IS NOT NULL THEN e.after
                                                    WHEN {CUT} THEN o.allocation_status ELSE 'UNALLOCATED' END
    """  # noqa: S608

STATUS_EVENTS_HAVE_A_VERSION = f"""
    SELECT s.order_id, s.version, count(*) AS events
    FROM ({_ORDER_EVENTS} 'AllocationStatusChanged') AS s
    LEFT JOIN ({_ORDER_EVENTS} 'OrderChanged') AS c ON c.order_id = s.order_id AND c.version = s.version
    GROUP BY 1, 2 HAVING count(*) > 1 OR (count(c.id) = 0 AND (NOT {CUT} OR EXISTS (
        SELECT FROM ({_ORDER_EVENTS} 'OrderChanged') AS b WHERE b.order_id = s.order_id AND b.version < s.version)))
    """  # noqa: S608

EVENTS_IN_ORDER = f"""
    SELECT order_id, id, position, version, version_before
    FROM (
        SELECT e.*, lag(version) OVER log AS version_before, lag(position) OVER log AS position_before,
               row_number() OVER log AS nth
        FROM ({_ORDER_EVENTS} 'OrderChanged') AS e WINDOW log AS (PARTITION BY order_id ORDER BY id)
    ) AS e
    WHERE version <= version_before OR (nth > 1 AND position IS NOT NULL AND (position > position_before) IS NOT TRUE)
    """  # noqa: S608

RUN_VERSIONS = f"""
    SELECT run_id, r.version, e.events, e.versions, e.first, e.last
    FROM (SELECT id AS run_id, version FROM allocation_runs) AS r
    FULL JOIN (
        SELECT run_id, count(*) AS events, count(DISTINCT version) AS versions, min(version) AS first,
               max(version) AS last
        FROM (
            SELECT CAST(payload ->> 'run_id' AS bigint) AS run_id, CAST(payload ->> 'run_version' AS bigint) AS version
            FROM {LOG} WHERE type = 'AllocationRunProgressed'
        ) AS e GROUP BY 1
    ) AS e USING (run_id)
    WHERE {broken_versions("r")}
    """  # noqa: S608

RUNS = f"""
    SELECT r.id AS run_id, r.state, r.processed, r.total, r.outcomes, r.started_at, r.finished_at
    FROM allocation_runs r
    CROSS JOIN LATERAL (SELECT coalesce(sum(CAST(value AS bigint)), 0) AS units FROM jsonb_each_text(r.outcomes)) AS o
    WHERE r.state NOT IN {one_of(RunState)} OR (r.finished_at IS NULL) = (r.state IN {one_of(ENDED_RUNS)})
        OR (r.started_at IS NULL) <> (r.state = 'QUEUED') OR r.processed > r.total OR o.units > r.processed
    """  # noqa: S608

PLANS = f"""
    SELECT r.id AS run, r.state, r.plan, count(p.position) AS orders, max(p.position) AS last, count(o.id) AS known
    FROM allocation_runs r
    LEFT JOIN planned_orders p ON p.run_id = r.id LEFT JOIN orders o ON o.id = p.order_id
    GROUP BY r.id
    HAVING count(p.position) <>
            CASE WHEN r.state IN {one_of(ENDED_RUNS)} THEN 0 ELSE coalesce(CAST(r.plan ->> 'orders' AS int), 0) END
        OR max(p.position) + 1 <> count(p.position) OR count(o.id) <> count(p.position)
    """  # noqa: S608

POSITIONS = """
    SELECT id, position, expected
    FROM (SELECT e.id, e.position, s.position + row_number() OVER (ORDER BY e.position) + coalesce(
              (SELECT sum(g.until - g.behind) FROM log_gaps g WHERE g.behind >= s.position AND g.until < e.position), 0
          ) AS expected
          FROM events e CROSS JOIN log_start s WHERE e.position > s.position) AS e
    WHERE position <> expected
    """

LOG_END = """
    SELECT l.position AS log_end, e.last FROM (SELECT max(position) AS last FROM events) AS e
    LEFT JOIN log_end l ON true LEFT JOIN log_start s ON true
    WHERE l.position IS DISTINCT FROM greatest(e.last, s.position, (SELECT max(until) FROM log_gaps))
        OR s.position IS NULL
    """

OUTCOMES = """
    SELECT owner_id, mutation, key, created_at FROM idempotency_keys
    WHERE outcome IS NULL OR outcome = CAST('null' AS jsonb)
    """

WEBHOOKS_IN_ORDER = """
    SELECT later.endpoint_id, later.subject, earlier.position AS pending, later.position AS attempted
    FROM webhook_deliveries earlier
    JOIN webhook_deliveries later ON later.endpoint_id = earlier.endpoint_id AND later.subject = earlier.subject
        AND later.position > earlier.position AND later.id > earlier.id
    WHERE earlier.state = 'PENDING' AND later.attempts > 0
    """

WEBHOOKS_REACHED = """
    SELECT e.id AS endpoint_id, e.position AS reached, d.position, l.position AS log_end
    FROM webhook_endpoints e CROSS JOIN log_end l
    LEFT JOIN webhook_deliveries d ON d.endpoint_id = e.id AND d.state = 'PENDING' AND d.position > e.position
    WHERE e.position > l.position OR d.id IS NOT NULL
    """

WEBHOOK_ATTEMPTS = f"""
    SELECT d.id AS delivery_id, d.state, d.attempts, count(a.number) AS logged
    FROM webhook_deliveries d LEFT JOIN webhook_attempts a ON a.delivery_id = d.id
    GROUP BY d.id HAVING d.state NOT IN {one_of(WebhookDeliveryState)} OR d.attempts <> count(a.number)
        OR (d.state = 'DELIVERED') <> coalesce(bool_or(a.error IS NULL AND a.number IS NOT NULL), false)
    """  # noqa: S608
