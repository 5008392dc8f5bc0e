"""What must always be true of stock and of carts, as SQL; see `persistence.verify`."""

from domain.kinds import MovementCause, ReservationState, StockQuantity
from domain.stock import FIELD
from persistence.sql import one_of
from persistence.verify_log import LOG, broken_versions

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
    SELECT * FROM stock_movements WHERE '' IN (actor, request) OR cause NOT IN {one_of(MovementCause)}
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
    WHERE r.state NOT IN {one_of(ReservationState)} OR l.id IS NULL OR CASE r.state
        WHEN 'ACTIVE' THEN l.held <> l.quantity OR l.ended > 0
        WHEN 'TAKEN_OVER' THEN l.held > 0 OR l.ended > l.quantity OR l.reasons <> ARRAY['RELEASED']
        ELSE l.held > 0 OR l.ended <> l.quantity OR l.reasons <> ARRAY[r.state] END
    """  # noqa: S608

RESERVATIONS_END_ONCE = """
    SELECT id AS reservation_id, state, ended_at, order_id FROM stock_reservations
    WHERE (state = 'ACTIVE') <> (ended_at IS NULL) OR (state = 'TAKEN_OVER') <> (order_id IS NOT NULL)
        OR ended_at < created_at
    """
