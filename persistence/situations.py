"""What alert rules watch for, as SQL: where a situation is there and no alert is open, or the other way round."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import TextClause

from domain.kinds import AlertKind
from persistence.sql import BIGINTS, INT, TEXT, TEXTS, sql


@dataclass(frozen=True, slots=True)
class Lasting:
    """Of an order (alias `o`): since when it waits, and whether it still does. `since` needs an index."""

    since: str
    waits: str


LASTING: Mapping[AlertKind, Lasting] = {
    AlertKind.ORDER_NOT_ALLOCATED: Lasting(
        since="o.placed_at",
        waits="""(o.status = 'FINALIZED'
            AND o.allocation_status IN ('UNALLOCATED', 'COULD_NOT_ALLOCATE', 'PARTIALLY_ALLOCATED'))""",
    ),
    AlertKind.ORDER_NOT_SHIPPED: Lasting(
        since="o.released_at", waits="o.fulfillment_status IN ('RELEASED', 'PICKING', 'PACKED')"
    ),
}
"""Kinds that an order comes to by waiting: one row each, and nothing else."""

BACKLOG_DAYS_MAX = 30
"""A new rule looks back so far: what has been waiting for longer is known, or nobody wants it."""

_ORDER = "o.id AS order_id, o.number AS order_number, c.code AS channel_code, NULL AS sku, NULL AS location_code"


def of_orders(kind: AlertKind) -> TextClause:
    """Of these orders: what has come up, and what is over."""
    lasting = LASTING[kind]
    holds = f"""({lasting.waits} AND {lasting.since} <= clock_timestamp() - make_interval(hours => r.hours)
        AND (r.channels IS NULL OR c.code = ANY (r.channels)))"""
    return sql(
        f"""
        SELECT r.name AS rule, {_ORDER}, coalesce({holds}, false) AS holds, a.id AS alert, NULL AS available,
            {lasting.since} AS since
        FROM alert_rules r JOIN orders o ON o.id = ANY (:orders) JOIN channels c ON c.id = o.channel_id
        LEFT JOIN alerts a ON a.rule = r.name AND a.order_id = o.id AND a.resolved_at IS NULL
        WHERE r.kind = '{kind.value}' AND coalesce({holds}, false) <> (a.id IS NOT NULL) ORDER BY o.id, r.position
        """,  # noqa: S608
        orders=BIGINTS,
    )


def crossed(kind: AlertKind) -> TextClause:
    """What a rule has come to by the clock alone since it looked the last time, the longest waiting first."""
    lasting = LASTING[kind]
    return sql(
        f"""
        SELECT r.name AS rule, {_ORDER}, true AS holds, NULL AS alert, NULL AS available, {lasting.since} AS since
        FROM alert_rules r JOIN orders o ON {lasting.waits}
            AND {lasting.since} <= now() - make_interval(hours => r.hours)
            AND {lasting.since} >= coalesce(r.checked_at, now() - make_interval(days => {BACKLOG_DAYS_MAX}))
                - make_interval(hours => r.hours)
        JOIN channels c ON c.id = o.channel_id AND (r.channels IS NULL OR c.code = ANY (r.channels))
        WHERE r.name = :rule AND NOT EXISTS (
            SELECT FROM alerts a WHERE a.rule = r.name AND a.order_id = o.id AND a.resolved_at IS NULL)
        ORDER BY {lasting.since}, o.id LIMIT :most
        """,  # noqa: S608
        rule=TEXT,
        most=INT,
    )


RUNNING_OUT = sql(
    """
    WITH levels AS (
        SELECT r.name AS rule, r.position, r.units, i.sku, CASE WHEN r.locations IS NOT NULL THEN l.code END AS code,
            sum(greatest(0, s.on_hand - s.damaged - s.quality_control - s.safety_stock - s.committed)) AS available
        FROM alert_rules r
        JOIN items i ON r.skus IS NULL OR i.sku = ANY (r.skus)
        JOIN stock_levels s ON s.item_id = i.id
        JOIN locations l ON l.id = s.location_id AND (r.locations IS NULL OR l.code = ANY (r.locations))
        WHERE r.kind = 'STOCK_RUNNING_OUT' AND (r.name = :rule OR i.sku = ANY (:skus))
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT n.rule, NULL AS order_id, NULL AS order_number, NULL AS channel_code, n.sku, n.code AS location_code,
        n.available <= n.units AS holds, a.id AS alert, least(n.available, 2147483647)::int AS available, NULL AS since
    FROM levels n
    LEFT JOIN alerts a ON a.rule = n.rule AND a.sku = n.sku AND a.location_code IS NOT DISTINCT FROM n.code
        AND a.resolved_at IS NULL
    WHERE (n.available <= n.units) <> (a.id IS NOT NULL) ORDER BY n.sku, n.position, n.code LIMIT :most
    """.replace("::int", r"\:\:int"),
    rule=TEXT,
    skus=TEXTS,
    most=INT,
)
"""Of these SKUs by every rule, or of all SKUs by one."""
