"""Tracking links, and the one small query behind them: what a customer may see, and nothing else is read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import OrderId
from domain.journey_facts import Goods, JourneyFacts, JourneyParcel, JourneyPart, Scan
from domain.kinds import AllocationStatus, FulfillmentState, OrderStatus, TrackingStatus
from persistence.driver import Driver, statement
from persistence.sql import BIGINTS, BYTE_STRINGS

TOKENS = statement("SELECT order_id, token FROM tracking_links WHERE order_id = ANY(:orders)", orders=BIGINTS)
# Whoever comes second waits for the first one, and then reads that one's.
ADD_TOKENS = statement(
    """
    INSERT INTO tracking_links (order_id, token)
    SELECT n.order_id, n.token FROM unnest(:orders, :tokens) AS n(order_id, token) JOIN orders o ON o.id = n.order_id
    ORDER BY n.order_id ON CONFLICT (order_id) DO NOTHING
    """,
    orders=BIGINTS,
    tokens=BYTE_STRINGS,
)
JOURNEYS = statement(
    """
    SELECT n.digest, o.number, o.status, o.allocation_status, o.placed_at, o.promised_delivery_at, clock_timestamp(),
        o.ship_to ->> 'city', o.ship_to ->> 'country_code', coalesce(m.name, ''),
        EXISTS (SELECT FROM order_holds h WHERE h.order_id = o.id AND h.released_at IS NULL),
        o.split_from IS NOT NULL, EXISTS (SELECT FROM orders p WHERE p.split_from = o.id AND p.status <> 'VOID'),
        units.wanted, units.aside,
        (SELECT max(a.allocated_at) FROM order_lines l, LATERAL (
            SELECT allocated_at FROM allocations WHERE line_id = l.id
            UNION ALL SELECT allocated_at FROM ended_allocations WHERE line_id = l.id AND reason = 'SHIPPED') AS a
            WHERE l.order_id = o.id),
        (SELECT jsonb_agg(jsonb_build_array(g.title, g.quantity) ORDER BY g.at) FROM (
            SELECT min(l.position) AS at, max(coalesce(sold.name, i.name)) AS title,
                min(CASE WHEN l.bundle_id IS NULL THEN l.quantity - l.canceled
                    ELSE (l.quantity - l.canceled) / l.bundle_units END) AS quantity
            FROM order_lines l JOIN items i ON i.id = l.item_id
            LEFT JOIN order_bundles b ON b.id = l.bundle_id LEFT JOIN items sold ON sold.id = b.item_id
            WHERE l.order_id = o.id GROUP BY l.bundle_id, CASE WHEN l.bundle_id IS NULL THEN l.id END
        ) AS g WHERE g.quantity > 0),
        (SELECT jsonb_agg(jsonb_build_object(
            'state', f.state, 'released_at', f.created_at, 'shipped_at', f.shipped_at, 'delivered_at', f.delivered_at,
            'estimated_ship_at', f.estimated_ship_at, 'estimated_delivery_at', f.estimated_delivery_at,
            'carrier', f.carrier, 'tracking_number', f.tracking_number, 'tracking_url', f.tracking_url,
            'lines', (
                SELECT jsonb_agg(jsonb_build_array(l.id, i.name, l.quantity) ORDER BY l.id)
                FROM fulfillment_lines l JOIN items i ON i.id = l.item_id
                WHERE l.fulfillment_id = f.id AND l.quantity > 0),
            'scans', (
                SELECT jsonb_agg(jsonb_build_array(t.status, t.occurred_at, t.message, t.place)
                    ORDER BY t.occurred_at DESC, t.id DESC)
                FROM tracking_events t WHERE t.fulfillment_id = f.id AND t.parcel_id IS NULL),
            'parcels', (
                SELECT jsonb_agg(jsonb_build_array(p.tracking_number, p.contents, p.delivered_at, (
                    SELECT jsonb_agg(jsonb_build_array(t.status, t.occurred_at, t.message, t.place)
                        ORDER BY t.occurred_at DESC, t.id DESC)
                    FROM tracking_events t WHERE t.parcel_id = p.id)) ORDER BY p.number)
                FROM parcels p WHERE p.fulfillment_id = f.id)
            ) ORDER BY f.id) FROM fulfillments f WHERE f.order_id = o.id AND f.state <> 'CANCELED')
    FROM unnest(:digests) AS n(digest)
    JOIN tracking_links t ON sha256(t.token) = n.digest
    JOIN orders o ON o.id = t.order_id
    LEFT JOIN merchant m ON true,
    LATERAL (
        SELECT sum(l.quantity - l.canceled) AS wanted,
            sum(l.shipped + l.dropshipped + l.allocated - l.overallocated) AS aside
        FROM order_lines l WHERE l.order_id = o.id) AS units
    WHERE o.status <> 'DRAFT'
    """,
    digests=BYTE_STRINGS,
)


class PostgresJourneys:
    """Implements `services.ports.journeys.Journeys`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def tokens(self, orders: Sequence[OrderId]) -> dict[OrderId, bytes]:
        return dict(await Driver(self._connection).rows(TOKENS, {"orders": list(orders)}))

    async def add_tokens(self, tokens: Mapping[OrderId, bytes]) -> None:
        """For orders that have none yet."""
        named = {"orders": list(tokens), "tokens": list(tokens.values())}
        await Driver(self._connection).rows(ADD_TOKENS, named)

    async def journeys(self, digests: Sequence[bytes]) -> dict[bytes, JourneyFacts]:
        """What customers are told of, by the SHA-256 of the tokens. Nobody is told of a draft."""
        rows = await Driver(self._connection).rows(JOURNEYS, {"digests": list(digests)})
        return {row[0]: _facts(row) for row in rows}


def _facts(row: Sequence[Any]) -> JourneyFacts:
    (_, number, status, allocation, placed_at, promised, now, city, country, merchant, held, *rest) = row
    is_part, has_parts, wanted, aside, allocated_at, ordered, parts = rest
    return JourneyFacts(
        number=number,
        merchant=merchant,
        status=OrderStatus(status),
        allocation_status=AllocationStatus(allocation) if allocation else None,
        placed_at=placed_at,
        now=now,
        promised_delivery_at=promised,
        city=city,
        country_code=country,
        held=held,
        is_part=is_part,
        has_parts=has_parts,
        wanted=int(wanted or 0),
        aside=int(aside or 0),
        allocated_at=allocated_at,
        ordered=tuple(Goods(title=title, quantity=quantity) for title, quantity in _json(ordered)),
        parts=tuple(map(_part, _json(parts))),
    )


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value or []


def _part(found: Mapping[str, Any]) -> JourneyPart:
    lines = {line: (title, quantity) for line, title, quantity in found["lines"] or ()}
    contents = tuple(Goods(title=title, quantity=quantity) for title, quantity in lines.values())
    return JourneyPart(
        state=FulfillmentState(found["state"]),
        units=sum(one.quantity for one in contents),
        released_at=datetime.fromisoformat(found["released_at"]),
        shipped_at=_moment(found["shipped_at"]),
        delivered_at=_moment(found["delivered_at"]),
        estimated_ship_at=_moment(found["estimated_ship_at"]),
        estimated_delivery_at=_moment(found["estimated_delivery_at"]),
        carrier=found["carrier"],
        tracking_number=found["tracking_number"],
        tracking_url=found["tracking_url"],
        contents=contents,
        parcels=tuple(
            JourneyParcel(
                tracking_number=number,
                contents=tuple(Goods(title=lines[line][0], quantity=units) for line, units in inside if line in lines),
                delivered_at=_moment(delivered_at),
                scans=_scans(scans),
            )
            for number, inside, delivered_at, scans in found["parcels"] or ()
        ),
        scans=_scans(found["scans"]),
    )


def _scans(rows: Sequence[Any] | None) -> tuple[Scan, ...]:
    return tuple(
        Scan(status=TrackingStatus(status), at=datetime.fromisoformat(at), message=message, place=place)
        for status, at, message, place in rows or ()
    )


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
