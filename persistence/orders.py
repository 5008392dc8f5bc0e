"""Orders, lines and allocations as they are shown."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.fulfillments import UNDER_WAY
from domain.ids import BundleId, ItemId, LineId, OrderId, RunId
from domain.kinds import (
    AllocationSequence,
    AllocationStatus,
    FulfillmentKind,
    FulfillmentState,
    FulfillmentStatus,
    OrderNeed,
    OrderStatus,
    PaymentStatus,
    ShippingPolicy,
)
from domain.money import Money
from domain.orders import WAITING, Address, Customer, Discount, OrderTerms
from domain.promises import PROMISED_IN, is_late
from domain.runs import RunSeek
from persistence.driver import Driver, statement
from persistence.searching import any_of, starts_with
from persistence.sql import BIGINT, BIGINTS, TEXT, TEXTS, columns, sql
from persistence.tables import (
    allocations,
    channels,
    fulfillments,
    items,
    locations,
    order_bundles,
    order_holds,
    order_lines,
    orders,
    planned_orders,
)
from persistence.tallies import AXES, tallied, tally
from services.ports.orders import (
    AllocationView,
    BundleView,
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

DELIVERED_AT = case(
    (
        orders.c.fulfillment_status == FulfillmentStatus.DELIVERED,
        select(func.max(fulfillments.c.delivered_at)).where(fulfillments.c.order_id == orders.c.id).scalar_subquery(),
    )
)
PROMISED = and_(orders.c.promised_delivery_at.is_not(None), orders.c.status.in_(PROMISED_IN))
# `domain.promises.is_late`, for lists.
IS_LATE = case(
    (PROMISED, func.coalesce(DELIVERED_AT, func.clock_timestamp()) > orders.c.promised_delivery_at), else_=false()
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
        statement = ORDERS.where(*_conditions(condition)).limit(first)
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
        matching = RUN_KEYS.with_only_columns(func.count()).where(*_conditions(condition), *COULD_BE_SERVED)
        return int((await self._connection.execute(matching)).scalar_one())

    async def counts(self, condition: OrderFilter) -> OrderTally:
        """How many orders there are, by every axis; one statement, so that the numbers are of one moment."""
        matching = (
            select(
                orders.c.id,
                *(orders.c[name] for name in AXES[:-1]),
                _need().label("need"),
                _is_held().label("held"),
                # Each is looked up once, and judged below.
                case((PROMISED, orders.c.promised_delivery_at)).label("promised"),
                case((PROMISED, DELIVERED_AT)).label("delivered"),
            )
            .join(channels, channels.c.id == orders.c.channel_id)
            .where(*_conditions(condition))
            .cte("matching")
        )
        return tally([tuple(row) for row in await self._connection.execute(tallied(matching))])

    async def in_sequence(
        self, condition: OrderFilter, sequence: AllocationSequence, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        """Orders that match and that a run could serve, in the run's sequence; oldest first where that is planned."""
        statement = RUN_KEYS.where(*_conditions(condition), *COULD_BE_SERVED)
        return await self._run_keys(statement, sequence, first, after)

    async def in_plan(self, run: RunId, condition: OrderFilter, start: int, stop: int) -> list[RunSeek]:
        """Orders at positions from `start` up to before `stop` of the run's plan, if they still could be served."""
        statement = (
            RUN_KEYS.add_columns(planned_orders.c.position)
            .join(planned_orders, planned_orders.c.order_id == orders.c.id)
            .where(planned_orders.c.run_id == run)
            .where(planned_orders.c.position >= start, planned_orders.c.position < stop)
            .where(*_conditions(condition), *COULD_BE_SERVED)
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
        statement = RUN_KEYS.where(*_conditions(condition), *COULD_BE_SERVED, ~planned)
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
            statement = statement.where(~func.coalesce(and_(true(), *_conditions(but)), false()))
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
        return [_order(row) for row in await self._connection.execute(statement)]

    async def _lines(self, statement: Select[Any]) -> list[LineView]:
        return [_line(row) for row in await self._connection.execute(statement)]


def _beyond(keys: Sequence[tuple[str, bool]], after: Seek) -> ColumnElement[bool]:
    """Rows that come after this one in the sort."""
    if len({down for _, down in keys}) == 1:
        row = tuple_(*(orders.c[name] for name, _ in keys))
        last = tuple_(*(literal(value, orders.c[name].type) for (name, _), value in zip(keys, after, strict=True)))
        return row < last if keys[0][1] else row > last
    ((first, _), (second, _)) = keys
    column = orders.c[first]
    return and_(column <= after[0], or_(column < after[0], orders.c[second] > after[1]))


def _conditions(condition: OrderFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, values in (
        (orders.c.status, condition.statuses),
        (orders.c.allocation_status, condition.allocation_statuses),
        (orders.c.fulfillment_status, condition.fulfillment_statuses),
        (orders.c.payment_status, condition.payment_statuses),
        (channels.c.code, condition.channels),
        (orders.c.ship_to["country_code"].astext, condition.country_codes),
    ):
        if values is not None:
            found.append(any_of(column, values))
    if condition.skus is not None:
        found.append(_has_line(condition.skus))
    if condition.locations is not None:
        found.append(_holds_at(condition.locations))
    if condition.tags is not None:
        found.append(orders.c.tags.bool_op("&&")(literal(list(condition.tags), orders.c.tags.type)))
    if condition.on_hold is not None:
        held = _is_held()
        found.append(held if condition.on_hold else ~held)
    if condition.hold_reasons is not None:
        found.append(_is_held(any_of(order_holds.c.reason, condition.hold_reasons)))
    if condition.late is not None:
        found.append(IS_LATE if condition.late else ~IS_LATE)
    if condition.needs is not None:
        found.append(any_of(_need(), condition.needs))
    if condition.search is not None:
        found.append(_search(condition.search))
    found.extend(_times(condition))
    return found


def _times(condition: OrderFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if condition.placed_from is not None:
        found.append(orders.c.placed_at >= condition.placed_from)
    if condition.placed_before is not None:
        found.append(orders.c.placed_at < condition.placed_before)
    if condition.updated_from is not None:
        found.append(orders.c.updated_at >= condition.updated_from)
    return found


def _has_line(skus: Sequence[str]) -> ColumnElement[bool]:
    """A line of one of these, or one that is part of it. Two roads, so that each has an index to go by."""
    lines = select(order_lines.c.order_id).join(items, items.c.id == order_lines.c.item_id)
    parts = (
        select(order_lines.c.order_id)
        .join(order_bundles, order_bundles.c.id == order_lines.c.bundle_id)
        .join(items, items.c.id == order_bundles.c.item_id)
    )
    found = (one.where(any_of(items.c.sku, skus)) for one in (lines, parts))
    return orders.c.id.in_(union_all(*found))


def _holds_at(codes: Sequence[str]) -> ColumnElement[bool]:
    claims = (
        select(allocations.c.id)
        .join(order_lines, order_lines.c.id == allocations.c.line_id)
        .join(locations, locations.c.id == allocations.c.location_id)
    )
    return exists(claims.where(order_lines.c.order_id == orders.c.id, any_of(locations.c.code, codes)))


def _is_held(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(order_holds.c.order_id == orders.c.id, order_holds.c.released_at.is_(None), *conditions)


def _search(text: str) -> ColumnElement[bool]:
    names = ("number", "customer_name", "customer_email", "customer_reference")
    return or_(*(starts_with(orders.c[name], text) for name in names))


def _need() -> ColumnElement[str | None]:
    """`domain.promises.need_of`, for lists."""

    def here(*states: FulfillmentState) -> ColumnElement[bool]:
        ours = exists().where(fulfillments.c.order_id == orders.c.id, fulfillments.c.kind == FulfillmentKind.STOCK)
        return and_(orders.c.fulfillment_status.not_in(NOTHING_HERE), ours.where(fulfillments.c.state.in_(states)))

    to_pack = tuple(state for state in UNDER_WAY if state is not FulfillmentState.PACKED)
    ready = and_(
        orders.c.allocation_status == AllocationStatus.ALLOCATED,
        orders.c.payment_status == PaymentStatus.PAID,
        ~_is_held(),
    )
    pick = literal(OrderNeed.PICK_AND_PACK.value, Text)
    return case(
        (orders.c.status != OrderStatus.FINALIZED, cast(null(), Text)),
        (here(*to_pack), pick),
        (here(FulfillmentState.PACKED), literal(OrderNeed.SHIP.value, Text)),
        (ready, pick),
    )


NOTHING_HERE = (FulfillmentStatus.NOT_RELEASED, FulfillmentStatus.SHIPPED, FulfillmentStatus.DELIVERED)


def _status(value: str | None) -> AllocationStatus | None:
    return AllocationStatus(value) if value else None


def _order(row: Any) -> OrderView:
    buyer = (row.customer_name, row.customer_email, row.customer_reference, row.customer_phone)
    return OrderView(
        id=row.id,
        number=row.number,
        channel=row.channel,
        channel_id=row.channel_id,
        status=OrderStatus(row.status),
        allocation_status=_status(row.allocation_status),
        shipping_policy=ShippingPolicy(row.shipping_policy),
        priority=row.priority,
        version=row.version,
        tags=tuple(row.tags),
        placed_at=row.placed_at,
        updated_at=row.updated_at,
        customer=Customer(name=buyer[0], email=buyer[1], reference=buyer[2], phone=buyer[3]) if any(buyer) else None,
        ship_to=Address(**row.ship_to, phone=row.ship_to_phone) if row.ship_to else None,
        asked_at=None if row.asked_at is None else tuple(row.asked_at),
        split_from=row.split_from,
        fulfillment_status=FulfillmentStatus(row.fulfillment_status),
        promised_delivery_at=row.promised_delivery_at,
        payment_status=PaymentStatus(row.payment_status),
        currency_code=row.currency_code,
        bill_to=Address(**row.bill_to) if row.bill_to else None,
        discounts=tuple(_discount(one, row.currency_code) for one in row.discounts or ()),
        shipping_price=_money(row.shipping_price, row.currency_code),
        tax=_money(row.tax, row.currency_code),
        note=row.note,
        delivered_at=row.delivered_at,
        is_late=is_late(OrderStatus(row.status), row.promised_delivery_at, row.delivered_at, row.now),
    )


def _discount(kept: Mapping[str, str | None], currency_code: str) -> Discount:
    amount = Money(amount=Decimal(kept["amount"] or 0), currency_code=currency_code)
    return Discount(amount=amount, code=kept["code"], description=kept["description"])


def _money(amount: Decimal | None, currency_code: str | None) -> Money | None:
    return None if amount is None or currency_code is None else Money(amount=amount, currency_code=currency_code)


def _line(row: Any) -> LineView:
    return LineView(
        id=row.id,
        order=row.order_id,
        item=row.item_id,
        sku=row.sku,
        quantity=row.quantity,
        allocated=row.allocated,
        overallocated=row.overallocated,
        shipped=row.shipped,
        canceled=row.canceled,
        dropshipped=row.dropshipped,
        looked_at=row.looked_at,
        reference=row.reference,
        unit_price=row.unit_price,
        currency_code=row.currency_code,
        order_status=OrderStatus(row.status),
        bundle=row.bundle_id,
        bundle_units=row.bundle_units or 0,
        sold_as=_bundle(row) if row.bundle_id else None,
        discount=_money(row.discount, row.order_currency),
        tax=_money(row.tax, row.order_currency),
        customization_note=row.customization_note,
    )


def _bundle(row: Any) -> BundleView:
    price = row.bundle_price
    return BundleView(
        id=BundleId(row.bundle_id),
        item=row.bundle_item,
        sku=row.bundle_sku,
        reference=row.bundle_reference,
        unit_price=None if price is None else Money(amount=price, currency_code=row.bundle_currency),
    )
