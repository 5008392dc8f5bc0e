"""What must always be true, as SQL over today's tables: each statement returns the rows that break its invariant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.kinds import (
    AllocateWhen,
    AllocationEnd,
    AllocationStatus,
    MovementCause,
    OrderStatus,
    ReservationState,
    RunState,
    ShippingPolicy,
    StockQuantity,
    WebhookDeliveryState,
)
from domain.runs import ENDED as ENDED_RUNS
from domain.stock import FIELD
from persistence.verify_floor import FLOOR
from persistence.verify_log import CUT, LOG, broken_versions
from persistence.verify_notices import ALERTS_ARE_TOLD, LOG_IS_READ, MAILS
from persistence.verify_payments import CURRENCIES, HOLD_RULES, HOLDS, MOVED_MONEY, PAYMENT_STATUS, PAYMENTS
from persistence.verify_returns import RETURNS
from persistence.verify_supplies import (
    IN_TRANSIT,
    SUPPLIES,
    SUPPLIES_BY_LEDGER,
    SUPPLY_EVENTS_SHOW_THE_SUPPLY,
    SUPPLY_VERSIONS,
)

SORT_MEMORY = "64MB"
"""For one sort or hash of one statement: a year of orders is sorted in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A sentence that must be true, and the rows for which it is not."""

    id: str
    statement: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An invariant that does not hold, and some of the rows that show it."""

    invariant: Invariant
    rows: tuple[dict[str, Any], ...]


async def verify(target: AsyncEngine | AsyncConnection, most_rows: int = 20) -> list[Broken]:
    """Check every invariant against one snapshot, so that a server that runs cannot make it look broken.

    A connection must not be in a transaction.
    """
    if isinstance(target, AsyncEngine):
        async with target.connect() as connection:
            return await verify(connection, most_rows)
    await target.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    async with target.begin():
        await target.execute(text(f"SET LOCAL work_mem = '{SORT_MEMORY}'"))
        found = [Broken(invariant=one, rows=await _rows(target, one, most_rows)) for one in INVARIANTS]
    return [broken for broken in found if broken.rows]


async def _rows(connection: AsyncConnection, invariant: Invariant, most: int) -> tuple[dict[str, Any], ...]:
    limited = text(f"SELECT * FROM ({invariant.sql}) AS broken LIMIT :most")  # noqa: S608
    return tuple(dict(row) for row in (await connection.execute(limited, {"most": most})).mappings())


def _one_of(kind: Iterable[StrEnum]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in kind) + ")"


# ---------------------------------------------------------------- stock

_BACKING = "greatest(0, s.on_hand - s.damaged - s.quality_control - s.safety_stock)"

COMMITTED = """
    SELECT item_id, location_id, s.committed, a.units AS allocated
    FROM stock_levels s
    FULL JOIN (SELECT item_id, location_id, sum(quantity) AS units FROM allocations GROUP BY 1, 2) AS a
        USING (item_id, location_id)
    WHERE coalesce(s.committed, 0) <> coalesce(a.units, 0)
    """

FLAGGED = f"""
    SELECT item_id, location_id, s.on_hand, s.committed, s.flagged, a.units AS overallocated
    FROM stock_levels s
    FULL JOIN (SELECT item_id, location_id, sum(overallocated) AS units FROM allocations GROUP BY 1, 2) AS a
        USING (item_id, location_id)
    WHERE coalesce(a.units, 0) <> coalesce(s.flagged, 0)
        OR s.flagged <> greatest(0, s.committed - {_BACKING})
    """  # noqa: S608

WEAKEST = """
    SELECT id AS allocation_id, item_id, location_id, quantity, overallocated, expected
    FROM (
        SELECT a.*,
               greatest(0, least(a.quantity - a.picked,
                                 s.flagged - (sum(a.quantity - a.picked) OVER weaker - (a.quantity - a.picked))))
               + greatest(0, least(a.picked, s.flagged - (s.committed - s.picked)
                                             - (sum(a.picked) OVER weaker - a.picked))) AS expected
        FROM stock_levels s
        JOIN allocations a ON a.item_id = s.item_id AND a.location_id = s.location_id
        LEFT JOIN order_lines l ON l.id = a.line_id LEFT JOIN orders o ON o.id = l.order_id
        WHERE s.flagged > 0
        WINDOW weaker AS (PARTITION BY a.item_id, a.location_id
                          ORDER BY coalesce(o.priority, 0), coalesce(a.seniority, a.id) DESC, a.id DESC)
    ) AS ranked
    WHERE overallocated <> expected
    """

_LEDGER_SUMS = ", ".join(
    f"sum(change) FILTER (WHERE quantity = '{quantity}') AS {FIELD[quantity]}" for quantity in StockQuantity
)
_LEDGER_DIFFERS = " OR ".join(
    f"coalesce(s.{FIELD[quantity]}, 0) <> coalesce(m.{FIELD[quantity]}, 0)" for quantity in StockQuantity
)
_LEDGER_SHOWN = ", ".join(
    f"s.{FIELD[quantity]}, m.{FIELD[quantity]} AS {FIELD[quantity]}_by_ledger" for quantity in StockQuantity
)
LEDGER = f"""
    SELECT item_id, location_id, {_LEDGER_SHOWN}
    FROM stock_levels s
    FULL JOIN (SELECT item_id, location_id, {_LEDGER_SUMS} FROM stock_movements GROUP BY 1, 2) AS m
        USING (item_id, location_id)
    WHERE {_LEDGER_DIFFERS}
    """  # noqa: S608

UNEXPLAINED_MOVEMENTS = f"""
    SELECT * FROM stock_movements WHERE '' IN (actor, request) OR cause NOT IN {_one_of(MovementCause)}
    """  # noqa: S608

BALANCES = """
    SELECT id, item_id, location_id, quantity, change, balance, expected
    FROM (
        SELECT m.*, sum(change) OVER (PARTITION BY item_id, location_id, quantity ORDER BY id) AS expected
        FROM stock_movements m
    ) AS summed
    WHERE balance <> expected
    """

COUNTS = """
    SELECT m.id, m.item_id, m.location_id, m.cause, m.counted_at
    FROM stock_movements m
    LEFT JOIN stock_counts c ON c.item_id = m.item_id AND c.location_id = m.location_id AND c.counted_at = m.counted_at
    WHERE m.counted_at IS NOT NULL
        AND (c.id IS NULL OR m.counted_at > m.occurred_at OR (m.cause, m.quantity) <> ('COUNT', 'ON_HAND'))
    """

NEGATIVE_STOCK = """
    SELECT item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged
    FROM stock_levels s
    WHERE least(on_hand, committed, damaged, quality_control, safety_stock, flagged) < 0
        OR damaged + quality_control > on_hand
    """

_LEVEL_EVENTS = f"""
    SELECT payload ->> 'sku' AS sku, payload ->> 'location_code' AS location_code,
           CAST(payload ->> 'version' AS bigint) AS version, payload
    FROM {LOG} WHERE type = 'StockLevelChanged'
    """  # noqa: S608

LEVEL_VERSIONS = f"""
    SELECT sku, location_code, s.version, e.events, e.versions, e.first, e.last
    FROM (
        SELECT i.sku, p.code AS location_code, s.version
        FROM stock_levels s JOIN items i ON i.id = s.item_id JOIN locations p ON p.id = s.location_id
    ) AS s
    FULL JOIN (
        SELECT sku, location_code, count(*) AS events, count(DISTINCT version) AS versions, min(version) AS first,
               max(version) AS last
        FROM ({_LEVEL_EVENTS}) AS e GROUP BY 1, 2
    ) AS e USING (sku, location_code)
    WHERE {broken_versions("s")}
    """  # noqa: S608

# Both sides are made first: else, right after an import, when PostgreSQL knows nothing of the tables' sizes, it joins
# the events with the locations alone.
LEVEL_EVENTS_SHOW_THE_LEVEL = f"""
    WITH s AS MATERIALIZED (
        SELECT s.*, i.sku, p.code AS location_code
        FROM stock_levels s JOIN items i ON i.id = s.item_id JOIN locations p ON p.id = s.location_id
    ), e AS MATERIALIZED ({_LEVEL_EVENTS})
    SELECT s.item_id, s.location_id, s.on_hand, s.committed, s.flagged, e.payload
    FROM s JOIN e USING (sku, location_code, version)
    WHERE NOT e.payload @> jsonb_build_object(
        'on_hand', s.on_hand, 'committed', s.committed, 'overallocated', s.flagged,
        'unavailable', s.damaged + s.quality_control + s.safety_stock,
        'available', greatest(0, {_BACKING} - s.committed))
    """  # noqa: S608

# ---------------------------------------------------------------- orders

LINE_COUNTERS = """
    SELECT l.id AS line_id, l.order_id, l.allocated, l.overallocated, a.quantity AS by_allocations,
           a.overallocated AS overallocated_by_allocations
    FROM order_lines l
    LEFT JOIN (
        SELECT line_id, sum(quantity) AS quantity, sum(overallocated) AS overallocated FROM allocations GROUP BY 1
    ) AS a ON a.line_id = l.id
    WHERE l.allocated <> coalesce(a.quantity, 0) OR l.overallocated <> coalesce(a.overallocated, 0)
    """

LINE_LIMITS = """
    SELECT id AS line_id, order_id, quantity, allocated, overallocated, shipped, canceled, dropshipped
    FROM order_lines
    WHERE allocated + shipped + canceled + dropshipped > quantity
        OR least(allocated, overallocated, shipped, canceled, dropshipped) < 0 OR overallocated > allocated
    """

CLAIMS_ARE_OF_THEIR_LINE = """
    SELECT a.id AS allocation_id, a.line_id, a.reserved_line_id, a.item_id, a.quantity, a.overallocated,
           coalesce(l.item_id, r.item_id) AS item_of_the_line
    FROM allocations a
    LEFT JOIN order_lines l ON l.id = a.line_id LEFT JOIN reserved_lines r ON r.id = a.reserved_line_id
    WHERE (l.id IS NULL) = (r.id IS NULL) OR a.item_id <> coalesce(l.item_id, r.item_id)
        OR a.quantity <= 0 OR a.overallocated NOT BETWEEN 0 AND a.quantity
    """

CLAIMS_ARE_OF_FINALIZED_ORDERS = """
    SELECT o.id AS order_id, o.status, l.id AS line_id, l.allocated
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE l.allocated > 0 AND o.status <> 'FINALIZED'
    """

VOID_ORDERS_ARE_CLOSED = """
    SELECT o.id AS order_id, l.id AS line_id, l.quantity, l.shipped, l.canceled, l.dropshipped
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.status = 'VOID' AND l.quantity > l.shipped + l.canceled + l.dropshipped
    """

STATUS = """
    SELECT order_id, status, allocation_status, recomputed
    FROM (
        SELECT o.id AS order_id, o.status, o.allocation_status, CASE
            WHEN o.status = 'VOID' OR l.open IS NULL THEN NULL
            WHEN l.overallocated > 0 THEN 'OVERALLOCATED'
            WHEN l.allocated = l.open THEN 'ALLOCATED'
            WHEN l.allocated > 0 THEN 'PARTIALLY_ALLOCATED'
            WHEN l.looked_at THEN 'COULD_NOT_ALLOCATE'
            ELSE 'UNALLOCATED' END AS recomputed
        FROM orders o
        LEFT JOIN (
            SELECT order_id, sum(quantity - shipped - canceled - dropshipped) AS open, sum(allocated) AS allocated,
                   sum(overallocated) AS overallocated, bool_or(looked_at) AS looked_at
            FROM order_lines WHERE quantity > shipped + canceled + dropshipped GROUP BY 1
        ) AS l ON l.order_id = o.id
    ) AS both_ways
    WHERE allocation_status IS DISTINCT FROM recomputed
    """

KNOWN_STATUSES = f"""
    SELECT id AS order_id, status, allocation_status, shipping_policy FROM orders
    WHERE status NOT IN {_one_of(OrderStatus)} OR allocation_status NOT IN {_one_of(AllocationStatus)}
        OR shipping_policy NOT IN {_one_of(ShippingPolicy)}
    """  # noqa: S608

ENDED = f"""
    SELECT e.id AS ended_allocation_id, e.allocation_id, e.line_id, e.reserved_line_id, e.item_id, e.location_id,
           e.quantity, e.reason
    FROM ended_allocations e
    LEFT JOIN order_lines l ON l.id = e.line_id LEFT JOIN reserved_lines r ON r.id = e.reserved_line_id
    LEFT JOIN stock_levels s ON s.item_id = e.item_id AND s.location_id = e.location_id
    LEFT JOIN allocations a ON a.id = e.allocation_id
    WHERE (l.id IS NULL) = (r.id IS NULL) OR e.item_id <> coalesce(l.item_id, r.item_id)
        OR s.id IS NULL OR e.quantity <= 0 OR e.reason NOT IN {_one_of(AllocationEnd)}
        OR (e.reason IN {_one_of((AllocationEnd.RELEASED, AllocationEnd.EXPIRED))}) <> (r.id IS NOT NULL)
        OR (a.item_id, a.location_id, a.allocated_at) <> (e.item_id, e.location_id, e.allocated_at)
    """  # noqa: S608

ENDED_PARTS_AGREE = """
    SELECT allocation_id, count(*) AS parts FROM ended_allocations
    GROUP BY 1 HAVING (min(item_id), min(location_id), min(allocated_at))
        <> (max(item_id), max(location_id), max(allocated_at))
    """

SCHEDULED = """
    SELECT id AS order_id, status, allocation_status, allocate_after FROM orders
    WHERE allocate_after IS NOT NULL AND (status, allocation_status) IS DISTINCT FROM ('FINALIZED', 'UNALLOCATED')
    """

# A line that is no part of a bundle may be of an item that became one later.
PARTS_OF_BUNDLES = """
    SELECT l.id AS line_id, l.order_id, l.item_id, l.bundle_id, l.bundle_units, l.unit_price, b.item_id AS bundle_item
    FROM order_lines l LEFT JOIN order_bundles b ON b.id = l.bundle_id
    WHERE (l.bundle_id IS NOT NULL OR l.bundle_units IS NOT NULL)
        AND (b.id IS NULL OR l.bundle_units IS NULL OR l.bundle_units <= 0 OR l.unit_price IS NOT NULL
             OR l.item_id = b.item_id)
    """

BUNDLES_HAVE_NO_STOCK = """
    SELECT i.id AS item_id, i.sku, s.location_id, s.on_hand
    FROM items i JOIN stock_levels s ON s.item_id = i.id WHERE i.components IS NOT NULL
    """

COMPONENTS = """
    SELECT i.id AS item_id, i.sku, c.part
    FROM items i CROSS JOIN LATERAL jsonb_array_elements(i.components) AS c(part)
    LEFT JOIN items p ON p.id = CAST(c.part ->> 'item' AS int)
    WHERE p.id IS NULL OR p.sku <> c.part ->> 'sku' OR p.components IS NOT NULL
        OR (CAST(c.part ->> 'units' AS int) BETWEEN 1 AND 10000) IS NOT TRUE
    """

SPLITS = """
    SELECT o.id AS order_id, o.split_from, o.channel_id, s.channel_id AS channel_of_the_other
    FROM orders o LEFT JOIN orders s ON s.id = o.split_from
    WHERE o.split_from IS NOT NULL AND (s.id < o.id AND s.channel_id = o.channel_id) IS NOT TRUE
    """

RULES = f"""
    SELECT name, position, allocate_when, every_minutes, value_from, value_below, currency_code
    FROM (SELECT *, row_number() OVER (ORDER BY position) - 1 AS expected FROM allocation_rules) AS r
    WHERE position <> expected OR allocate_when NOT IN {_one_of(AllocateWhen)}
        OR (every_minutes BETWEEN 1 AND 1440) IS DISTINCT FROM CASE WHEN allocate_when = 'ON_SCHEDULE' THEN true END
        OR (coalesce(value_from, value_below) IS NULL) <> (currency_code IS NULL) OR value_from >= value_below
    """  # noqa: S608

# ---------------------------------------------------------------- stock reservations

# An active one holds all of its units; one that has ended holds none of them, and they ended as it did. What an order
# took over is an allocation of the order, and may not come back as the cart's.
RESERVATIONS = f"""
    SELECT r.id AS reservation_id, r.state, r.order_id, l.id AS reserved_line_id, l.quantity, l.held, l.ended, l.reasons
    FROM stock_reservations r
    LEFT JOIN (
        SELECT l.id, l.reservation_id, l.quantity, coalesce(a.units, 0) AS held, coalesce(e.units, 0) AS ended,
               e.reasons
        FROM reserved_lines l
        LEFT JOIN (
            SELECT reserved_line_id, sum(quantity) AS units FROM allocations GROUP BY 1
        ) AS a ON a.reserved_line_id = l.id
        LEFT JOIN (
            SELECT reserved_line_id, sum(quantity) AS units, array_agg(DISTINCT reason) AS reasons
            FROM ended_allocations GROUP BY 1
        ) AS e ON e.reserved_line_id = l.id
    ) AS l ON l.reservation_id = r.id
    WHERE r.state NOT IN {_one_of(ReservationState)} OR l.id IS NULL OR CASE r.state
        WHEN 'ACTIVE' THEN l.held <> l.quantity OR l.ended > 0
        WHEN 'TAKEN_OVER' THEN l.held > 0 OR l.ended > l.quantity OR l.reasons <> ARRAY['RELEASED']
        ELSE l.held > 0 OR l.ended <> l.quantity OR l.reasons <> ARRAY[r.state] END
    """  # noqa: S608

RESERVATIONS_END_ONCE = """
    SELECT id AS reservation_id, state, ended_at, order_id FROM stock_reservations
    WHERE (state = 'ACTIVE') <> (ended_at IS NULL) OR (state = 'TAKEN_OVER') <> (order_id IS NOT NULL)
        OR ended_at < created_at
    """

# ---------------------------------------------------------------- events and keys

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
    WHERE r.state NOT IN {_one_of(RunState)} OR (r.finished_at IS NULL) = (r.state IN {_one_of(ENDED_RUNS)})
        OR (r.started_at IS NULL) <> (r.state = 'QUEUED') OR r.processed > r.total OR o.units > r.processed
    """  # noqa: S608

PLANS = f"""
    SELECT r.id AS run, r.state, r.plan, count(p.position) AS orders, max(p.position) AS last, count(o.id) AS known
    FROM allocation_runs r
    LEFT JOIN planned_orders p ON p.run_id = r.id LEFT JOIN orders o ON o.id = p.order_id
    GROUP BY r.id
    HAVING count(p.position) <>
            CASE WHEN r.state IN {_one_of(ENDED_RUNS)} THEN 0 ELSE coalesce(CAST(r.plan ->> 'orders' AS int), 0) END
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
    GROUP BY d.id HAVING d.state NOT IN {_one_of(WebhookDeliveryState)} OR d.attempts <> count(a.number)
        OR (d.state = 'DELIVERED') <> coalesce(bool_or(a.error IS NULL AND a.number IS NOT NULL), false)
    """  # noqa: S608

INVARIANTS: Sequence[Invariant] = (
    Invariant(id="I1-committed", statement="A level's committed is the sum of its allocations.", sql=COMMITTED),
    Invariant(
        id="I1-flagged",
        statement="What is committed beyond stock is flagged, on the level and in sum on its allocations.",
        sql=FLAGGED,
    ),
    Invariant(
        id="I1-weakest",
        statement="The flags are on the weakest claims: lowest priority first, then the latest.",
        sql=WEAKEST,
    ),
    Invariant(id="I2-counters", statement="A line's counters are the sums of its allocations.", sql=LINE_COUNTERS),
    Invariant(id="I2-limits", statement="A line is not served beyond its quantity.", sql=LINE_LIMITS),
    Invariant(id="I2-item", statement="An allocation has one holder, and is of its SKU.", sql=CLAIMS_ARE_OF_THEIR_LINE),
    Invariant(id="I3-ledger", statement="Every stock quantity is the sum of its ledger.", sql=LEDGER),
    Invariant(
        id="I3-explained", statement="Every row of the ledger has cause, actor and request.", sql=UNEXPLAINED_MOVEMENTS
    ),
    Invariant(id="I3-balance", statement="A row of the ledger says what the quantity was then.", sql=BALANCES),
    Invariant(
        id="I3-counted", statement="What a count of a moment corrects is on hand, and the count is kept.", sql=COUNTS
    ),
    Invariant(id="I4", statement="No quantity is negative, and what is set apart is on hand.", sql=NEGATIVE_STOCK),
    Invariant(
        id="I5-versions", statement="An order's OrderChanged versions have no hole and no double.", sql=ORDER_VERSIONS
    ),
    Invariant(id="I5-chain", statement="An order's status changes follow each other, from UNALLOCATED on.", sql=CHAIN),
    Invariant(
        id="I5-last", statement="An order's allocation status is that of its last status change.", sql=LAST_STATUS
    ),
    Invariant(
        id="I5-one",
        statement="A version has at most one status change, and it has its OrderChanged.",
        sql=STATUS_EVENTS_HAVE_A_VERSION,
    ),
    Invariant(
        id="I5-levels", statement="A level's StockLevelChanged versions have no hole and no double.", sql=LEVEL_VERSIONS
    ),
    Invariant(id="I5-shown", statement="A level's last event shows it as it is.", sql=LEVEL_EVENTS_SHOW_THE_LEVEL),
    Invariant(id="I5-status", statement="An order's allocation status is what its lines make of it.", sql=STATUS),
    Invariant(
        id="I5-paid",
        statement="An order's payment status is what its lines, its amounts and its payments make of it.",
        sql=PAYMENT_STATUS,
    ),
    Invariant(
        id="I10-payments",
        statement="A payment is of its order's currency, and no more went back than was paid.",
        sql=PAYMENTS,
    ),
    Invariant(id="I10-moved", statement="Money that came with a split left the order that was split.", sql=MOVED_MONEY),
    Invariant(id="I15-currency", statement="All amounts of an order are of one currency.", sql=CURRENCIES),
    Invariant(
        id="I14-holds", statement="A hold ends once, and an order has one of a reason; a void one none.", sql=HOLDS
    ),
    Invariant(id="I15-hold-rules", statement="Hold rules stand in sequence, each with a known reason.", sql=HOLD_RULES),
    Invariant(id="I6-order", statement="An order's events stand in the log by version.", sql=EVENTS_IN_ORDER),
    Invariant(id="I6-dense", statement="The log's positions count from where it begins without a hole.", sql=POSITIONS),
    Invariant(id="I6-end", statement="The log knows where it begins, and ends at its last position.", sql=LOG_END),
    Invariant(
        id="I6-webhooks",
        statement="Nothing is sent to an endpoint before what came earlier about the same thing has ended.",
        sql=WEBHOOKS_IN_ORDER,
    ),
    Invariant(
        id="I6-reached",
        statement="An endpoint's deliveries lie within what it has reached of the log, and that within the log.",
        sql=WEBHOOKS_REACHED,
    ),
    Invariant(
        id="I8-attempts",
        statement="A delivery's attempts are logged, and it is delivered where one got through.",
        sql=WEBHOOK_ATTEMPTS,
    ),
    Invariant(
        id="I5-alerts",
        statement="An alert is raised once, and resolved once where it is over.",
        sql=ALERTS_ARE_TOLD,
    ),
    Invariant(id="I6-read", statement="Who makes something of the log has read what is there.", sql=LOG_IS_READ),
    Invariant(id="I15-mails", statement="A mail is in a known state, and says why where it is dead.", sql=MAILS),
    Invariant(id="I7", statement="An idempotency key is committed with its outcome.", sql=OUTCOMES),
    Invariant(
        id="I5-supplies",
        statement="A supply's SupplyChanged versions have no hole and no double.",
        sql=SUPPLY_VERSIONS,
    ),
    Invariant(
        id="I5-dates",
        statement="A supply's events follow each other, and the last one shows it as it is.",
        sql=SUPPLY_EVENTS_SHOW_THE_SUPPLY,
    ),
    Invariant(id="I10-supplies", statement="What became of a supply's units is in the ledger.", sql=SUPPLIES_BY_LEDGER),
    Invariant(
        id="I10-transfers",
        statement="What transfers take off on hand is in transit, until they bring it back or it is lost.",
        sql=IN_TRANSIT,
    ),
    Invariant(
        id="I15-supplies", statement="A supply is expected as long as some of it is still to come.", sql=SUPPLIES
    ),
    Invariant(id="I10-ended", statement="What ended was an allocation of its line at a known level.", sql=ENDED),
    Invariant(
        id="I10-parts",
        statement="The parts of an allocation that ended are of one SKU and place, and of one age.",
        sql=ENDED_PARTS_AGREE,
    ),
    Invariant(
        id="I11-units",
        statement="An active reservation holds its units; the units of one that has ended ended once, as it did.",
        sql=RESERVATIONS,
    ),
    Invariant(
        id="I11-once",
        statement="A reservation has ended at one time and in one way, or not at all.",
        sql=RESERVATIONS_END_ONCE,
    ),
    Invariant(id="I15-known", statement="Every status and policy is one of the known.", sql=KNOWN_STATUSES),
    Invariant(
        id="I15-allocated", statement="Only finalized orders hold allocations.", sql=CLAIMS_ARE_OF_FINALIZED_ORDERS
    ),
    Invariant(
        id="I5-runs",
        statement="A run's AllocationRunProgressed versions have no hole and no double.",
        sql=RUN_VERSIONS,
    ),
    Invariant(id="I15-runs", statement="A run is in a known state, and counts no more orders than it has.", sql=RUNS),
    Invariant(
        id="I15-scheduled", statement="Only finalized orders that no run has looked at are scheduled.", sql=SCHEDULED
    ),
    Invariant(id="I15-rules", statement="Rules stand in sequence, each with what it needs to decide.", sql=RULES),
    Invariant(id="I15-split", statement="An order was split off an older one of its channel.", sql=SPLITS),
    Invariant(
        id="I8-plans",
        statement="A run that has not ended has all orders of its plan, in sequence; one that has ended has none.",
        sql=PLANS,
    ),
    Invariant(
        id="I2-bundles",
        statement="A part of a bundle has units in one, no price of its own, and is not the bundle.",
        sql=PARTS_OF_BUNDLES,
    ),
    Invariant(id="I4-bundles", statement="A bundle has no stock of its own.", sql=BUNDLES_HAVE_NO_STOCK),
    Invariant(id="I15-bundles", statement="A bundle is made of some of each of other items.", sql=COMPONENTS),
    Invariant(id="I15-void", statement="A void order has nothing open.", sql=VOID_ORDERS_ARE_CLOSED),
    *(Invariant(id=name, statement=statement, sql=query) for name, statement, query in (*FLOOR, *RETURNS)),
)
