"""Orders, lines and allocations as they are shown."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, literal, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ItemId, LineId, OrderId, RunId
from domain.kinds import AllocationSequence, AllocationStatus, OrderStatus
from domain.orders import WAITING, OrderTerms
from domain.runs import RunSeek
from persistence.driver import Driver, statement
from persistence.order_conditions import DELIVERED_AT, PROMISED, is_held, meant_by, need
from persistence.order_rows import line_view, order_view
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, TEXT, TEXTS, columns, sql
from persistence.tables import allocations, channels, items, order_bundles, order_lines, orders, planned_orders
from persistence.tallies import AXES, tallied, tally
from services.ports.orders import (
    AllocationView,
    Buyer,
    LineView,
    OrderFilter,
    OrderReference,
    OrderSort,
    OrderTally,
    OrderView,
)
from services.ports.paging import Seek

SORTS: Mapping[OrderSort, tuple[tuple[str, bool], ...]] = {
    OrderSort.PLACED_AT_ASC: (("placed_at", False), ("id", False)),
    OrderSort.PLACED_AT_DESC: (("placed_at", True), ("id", True)),
    OrderSort.PRIORITY_DESC: (("priority", True), ("id", False)),
}
"""The columns of each sort, and whether they descend."""

RESOLVE = statement(
    """
    SELECT n.at, o.id
    FROM unnest(:ids, :channels, :numbers) WITH ORDINALITY AS n(id, channel, number, at)
    LEFT JOIN channels c ON c.code = n.channel
    JOIN orders o ON o.id = n.id OR (n.id IS NULL AND o.channel_id = c.id AND o.number = n.number)
    """,
    ids=BIGINTS,
    channels=TEXTS,
    numbers=TEXTS,
)

WITH_NUMBER = sql(
    """
    SELECT o.number, o.id FROM orders own JOIN orders o ON o.channel_id = own.channel_id
    WHERE own.id = :order AND o.number = :number
    """,
    order=BIGINT,
    number=TEXT,
)

# "." comes right after "-": between the two, in the index, are the numbers that begin with the order's own and "-".
WITH_SUFFIX = sql(
    """
    SELECT o.number, o.id FROM orders own JOIN orders o ON o.channel_id = own.channel_id
    WHERE own.id = :order AND o.number > own.number || '-' AND o.number < own.number || '.'
        AND substr(o.number, length(own.number) + 2) ~ '^[0-9]+$'
    """,
    order=BIGINT,
)

VALUES = sql(
    """
    SELECT order_id, currency_code, sum(value) AS value
    FROM (
        SELECT order_id, currency_code, unit_price * (quantity - shipped - canceled - dropshipped) AS value
        FROM order_lines WHERE order_id = ANY(:orders) AND unit_price IS NOT NULL
        UNION ALL
        SELECT l.order_id, b.currency_code,
               b.unit_price * min((l.quantity - l.shipped - l.canceled - l.dropshipped) / l.bundle_units)
        FROM order_lines l JOIN order_bundles b ON b.id = l.bundle_id
        WHERE l.order_id = ANY(:orders) AND b.unit_price IS NOT NULL GROUP BY l.order_id, b.id
    ) AS priced
    GROUP BY 1, 2
    """,
    orders=BIGINTS,
)

# A reference is the channel's own; an e-mail is the same person everywhere.
RETURNING = statement(
    """
    SELECT EXISTS (
        SELECT FROM orders o WHERE lower(o.customer_email) = lower(n.email)
            AND o.status NOT IN ('DRAFT', 'VOID') AND o.id IS DISTINCT FROM n.order_id
    ) OR EXISTS (
        SELECT FROM orders o JOIN channels c ON c.id = o.channel_id
        WHERE lower(o.customer_reference) = lower(n.reference) AND c.code = n.channel
            AND o.status NOT IN ('DRAFT', 'VOID') AND o.id IS DISTINCT FROM n.order_id
    )
    FROM unnest(:channels, :emails, :references, :orders)
        WITH ORDINALITY AS n(channel, email, reference, order_id, at)
    ORDER BY n.at
    """,
    channels=TEXTS,
    emails=TEXTS,
    references=TEXTS,
    orders=BIGINTS,
)

COULD_BE_SERVED = (
    orders.c.status == OrderStatus.FINALIZED,
    orders.c.allocation_status.is_not(None),
    orders.c.allocation_status != AllocationStatus.ALLOCATED,
)

RUN_KEYS = select(orders.c.placed_at, orders.c.id, orders.c.priority).join(
    channels, channels.c.id == orders.c.channel_id
)

ORDERS = select(
    orders,
    channels.c.code.label("channel"),
    DELIVERED_AT.label("delivered_at"),
    func.clock_timestamp().label("now"),
).join(channels, channels.c.id == orders.c.channel_id)

SOLD_AS = items.alias("sold_as")

LINES = (
    select(
        order_lines,
        items.c.sku,
        orders.c.status,
        orders.c.currency_code.label("order_currency"),
        SOLD_AS.c.sku.label("bundle_sku"),
        order_bundles.c.item_id.label("bundle_item"),
        order_bundles.c.reference.label("bundle_reference"),
        order_bundles.c.unit_price.label("bundle_price"),
        order_bundles.c.currency_code.label("bundle_currency"),
    )
    .join(items, items.c.id == order_lines.c.item_id)
    .join(orders, orders.c.id == order_lines.c.order_id)
    .outerjoin(order_bundles, order_bundles.c.id == order_lines.c.bundle_id)
    .outerjoin(SOLD_AS, SOLD_AS.c.id == order_bundles.c.item_id)
    .order_by(order_lines.c.order_id, order_lines.c.position)
)


class PostgresOrders:
    """Reads orders."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def resolve(self, references: Sequence[OrderReference]) -> list[OrderId | None]:
        """The id of each order, in the order asked for; None where there is none."""
        rows = [(reference.id, reference.channel, reference.number) for reference in references]
        by_position = dict(await Driver(self._connection).rows(RESOLVE, columns(rows, ("ids", "channels", "numbers"))))
        return [by_position.get(at) for at in range(1, len(references) + 1)]

    async def by_ids(self, ids: Sequence[OrderId]) -> list[OrderView]:
        return await self._orders(ORDERS.where(any_of(orders.c.id, ids)))

    async def beside(self, order: OrderId, number: str) -> Mapping[str, OrderId]:
        """The orders in its channel that have this number, or, with "", its own number with a suffix of digits."""
        statement = WITH_NUMBER if number else WITH_SUFFIX
        parameters = {"order": order, "number": number} if number else {"order": order}
        return {row.number: row.id for row in await self._connection.execute(statement, parameters)}

    async def terms(self, orders: Sequence[OrderId]) -> Mapping[OrderId, OrderTerms]:
        return {view.id: view.terms for view in await self.by_ids(orders)}

    async def page(self, condition: OrderFilter, sort: OrderSort, first: int, after: Seek | None) -> list[OrderView]:
        """`after`: the values of the sort's columns in the last row of the page before."""
        statement = ORDERS.where(*meant_by(condition)).limit(first)
        keys = SORTS[sort]
        statement = statement.order_by(*(orders.c[name].desc() if down else orders.c[name] for name, down in keys))
        if after is not None:
            statement = statement.where(_beyond(keys, after))
        return await self._orders(statement)

    async def returning(self, buyers: Sequence[Buyer]) -> list[bool]:
        """Of each, whether there is another order of theirs that is neither a draft nor void."""
        rows = [(one.channel, one.email, one.reference, one.order) for one in buyers]
        named = columns(rows, ("channels", "emails", "references", "orders"))
        return [found for (found,) in await Driver(self._connection).rows(RETURNING, named)]

    async def to_serve(self, condition: OrderFilter) -> int:
        """How many orders match that a run could serve."""
        matching = RUN_KEYS.with_only_columns(func.count()).where(*meant_by(condition), *COULD_BE_SERVED)
        return int((await self._connection.execute(matching)).scalar_one())

    async def counts(self, condition: OrderFilter) -> OrderTally:
        """How many orders there are, by every axis; one statement, so that the numbers are of one moment."""
        matching = (
            select(
                orders.c.id,
                *(orders.c[name] for name in AXES[:-1]),
                need().label("need"),
                is_held().label("held"),
                # Each is looked up once, and judged below.
                case((PROMISED, orders.c.promised_delivery_at)).label("promised"),
                case((PROMISED, DELIVERED_AT)).label("delivered"),
            )
            .join(channels, channels.c.id == orders.c.channel_id)
            .where(*meant_by(condition))
            .cte("matching")
        )
        return tally([tuple(row) for row in await self._connection.execute(tallied(matching))])

    async def in_sequence(
        self, condition: OrderFilter, sequence: AllocationSequence, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        """Orders that match and that a run could serve, in the run's sequence; oldest first where that is planned."""
        statement = RUN_KEYS.where(*meant_by(condition), *COULD_BE_SERVED)
        return await self._run_keys(statement, sequence, first, after)

    async def in_plan(self, run: RunId, condition: OrderFilter, start: int, stop: int) -> list[RunSeek]:
        """Orders at positions from `start` up to before `stop` of the run's plan, if they still could be served."""
        statement = (
            RUN_KEYS.add_columns(planned_orders.c.position)
            .join(planned_orders, planned_orders.c.order_id == orders.c.id)
            .where(planned_orders.c.run_id == run)
            .where(planned_orders.c.position >= start, planned_orders.c.position < stop)
            .where(*meant_by(condition), *COULD_BE_SERVED)
        )
        rows = await self._connection.execute(statement.order_by(planned_orders.c.position))
        return [
            RunSeek(placed_at=row.placed_at, order=row.id, priority=row.priority, position=row.position) for row in rows
        ]

    async def outside_plan(
        self, run: RunId, condition: OrderFilter, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        """Orders that match and could be served and stand in no plan of the run, oldest first."""
        planned = exists().where(planned_orders.c.run_id == run, planned_orders.c.order_id == orders.c.id)
        statement = RUN_KEYS.where(*meant_by(condition), *COULD_BE_SERVED, ~planned)
        return await self._run_keys(statement, AllocationSequence.PLACED_AT_ASC, first, after)

    async def values(self, of: Sequence[OrderId]) -> dict[OrderId, dict[str, Decimal]]:
        """What the open units of each order are worth, by currency; lines without a price are worth nothing."""
        values: dict[OrderId, dict[str, Decimal]] = {}
        for row in await self._connection.execute(VALUES, {"orders": of}):
            values.setdefault(row.order_id, {})[row.currency_code] = row.value
        return values

    async def waiting_for(
        self, items: Sequence[ItemId], first: int, after: RunSeek | None, but: OrderFilter | None = None
    ) -> list[RunSeek]:
        """Orders that a run left short of one of these SKUs, highest priority first, then oldest."""
        short = order_lines.c.quantity > (
            order_lines.c.allocated + order_lines.c.shipped + order_lines.c.canceled + order_lines.c.dropshipped
        )
        wants = exists().where(order_lines.c.order_id == orders.c.id, any_of(order_lines.c.item_id, items), short)
        statement = RUN_KEYS.where(
            orders.c.status == OrderStatus.FINALIZED, any_of(orders.c.allocation_status, WAITING), wants
        )
        if but is not None:
            statement = statement.where(~func.coalesce(and_(true(), *meant_by(but)), false()))
        return await self._run_keys(statement, AllocationSequence.PRIORITY_DESC, first, after)

    async def _run_keys(
        self, statement: Select[Any], sequence: AllocationSequence, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        by_age = tuple_(orders.c.placed_at, orders.c.id)
        if after is not None:
            older = by_age > tuple_(literal(after.placed_at, orders.c.placed_at.type), literal(after.order))
            if sequence is AllocationSequence.PRIORITY_DESC:
                older = or_(orders.c.priority < after.priority, and_(orders.c.priority == after.priority, older))
            statement = statement.where(older)
        if sequence is AllocationSequence.PRIORITY_DESC:
            statement = statement.order_by(orders.c.priority.desc())
        rows = await self._connection.execute(statement.order_by(orders.c.placed_at, orders.c.id).limit(first))
        return [RunSeek(placed_at=row.placed_at, order=row.id, priority=row.priority) for row in rows]

    async def lines_of(self, of: Sequence[OrderId]) -> list[LineView]:
        return await self._lines(LINES.where(any_of(order_lines.c.order_id, of)))

    async def lines(self, ids: Sequence[LineId]) -> list[LineView]:
        return await self._lines(LINES.where(any_of(order_lines.c.id, ids)))

    async def allocations_of(self, lines: Sequence[LineId]) -> list[AllocationView]:
        """What is set aside for the lines, the oldest first."""
        statement = select(allocations).where(any_of(allocations.c.line_id, lines)).order_by(allocations.c.id)
        return [
            AllocationView(
                id=row.id,
                line=row.line_id,
                location=row.location_id,
                quantity=row.quantity,
                overallocated=row.overallocated,
                allocated_at=row.allocated_at,
            )
            for row in await self._connection.execute(statement)
        ]

    async def _orders(self, statement: Select[Any]) -> list[OrderView]:
        return [order_view(row) for row in await self._connection.execute(statement)]

    async def _lines(self, statement: Select[Any]) -> list[LineView]:
        return [line_view(row) for row in await self._connection.execute(statement)]


def _beyond(keys: Sequence[tuple[str, bool]], after: Seek) -> ColumnElement[bool]:
    """Rows that come after this one in the sort."""
    if len({down for _, down in keys}) == 1:
        row = tuple_(*(orders.c[name] for name, _ in keys))
        last = tuple_(*(literal(value, orders.c[name].type) for (name, _), value in zip(keys, after, strict=True)))
        return row < last if keys[0][1] else row > last
    ((first, _), (second, _)) = keys
    column = orders.c[first]
    return and_(column <= after[0], or_(column < after[0], orders.c[second] > after[1]))
