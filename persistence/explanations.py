"""What explanations rest on: who holds a SKU, and the queue of lines that wait for it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ItemId
from domain.pegging import WaitingLine
from persistence.sql import INTS, sql
from services.ports.explanations import Holding

HOLDINGS = sql(
    """
    SELECT a.item_id, l.order_id, o.priority, a.location_id, sum(a.quantity)::int AS units
    FROM allocations a JOIN order_lines l ON l.id = a.line_id JOIN orders o ON o.id = l.order_id
    WHERE a.item_id = ANY(:items)
    GROUP BY a.item_id, l.order_id, o.priority, a.location_id
    ORDER BY o.priority DESC, min(coalesce(a.seniority, a.id))
    """,
    items=INTS,
)
QUEUE = sql(
    """
    SELECT l.order_id, l.id, l.item_id, l.quantity - l.allocated - l.shipped - l.canceled - l.dropshipped, o.number,
           c.code, c.location_ids
    FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN channels c ON c.id = o.channel_id
    WHERE l.item_id = ANY(:items) AND l.looked_at AND o.status = 'FINALIZED'
      AND l.quantity > l.allocated + l.shipped + l.canceled + l.dropshipped
    ORDER BY o.priority DESC, o.placed_at, o.id, l.position
    """,
    items=INTS,
)


class PostgresExplanations:
    """Reads; nothing is locked."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def holdings(self, items: Sequence[ItemId]) -> list[Holding]:
        """What orders hold of these SKUs, the strongest claim first."""
        rows = await self._connection.execute(HOLDINGS, {"items": items})
        return [
            Holding(item=item, order=order, priority=priority, location=location, units=units)
            for item, order, priority, location, units in rows
        ]

    async def queue(self, items: Sequence[ItemId]) -> list[WaitingLine]:
        """Lines of which a run left units short, in the sequence in which waiting orders are run."""
        rows = await self._connection.execute(QUEUE, {"items": items})
        return [
            WaitingLine(
                order=order,
                line=line,
                item=item,
                units=units,
                number=number,
                channel=channel,
                locations=None if locations is None else frozenset(locations),
            )
            for order, line, item, units, number, channel, locations in rows
        ]
