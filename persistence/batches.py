"""Load what a batch needs under its locks, and write what it decided: a fixed number of statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.allocation import CartClaim, Claim
from domain.batch import Changes, Facts, PlacedLine
from domain.bundles import Bundle
from domain.ids import (
    AllocationId,
    BundleId,
    ItemId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    ReservationId,
    ReservedLineId,
    Sku,
)
from domain.kinds import AllocationStatus, OrderStatus, ReservationState, ShippingPolicy
from domain.orders import Address, NewOrder, Order, OrderLine, OrderTerms
from domain.reservations import NewReservation, Reservation
from domain.stock import StockLevel
from persistence.catalog import IS_SOURCED, read_places
from persistence.driver import Driver, Statement, Write, statement
from persistence.events import appended
from persistence.keys import kept
from persistence.locks import LocksWereTooFew, lock_skus
from persistence.sql import BIGINTS, FLAGS, INT, INTS, JSON, NUMERICS, TEXTS, TIMES, columns
from persistence.supplies import (
    INSERT_SUPPLIES,
    INSERT_SUPPLY_LINES,
    SUPPLY_COLUMNS,
    SUPPLY_UPDATE_COLUMNS,
    UPDATE_SUPPLIES,
    UPDATE_SUPPLY_LINES,
    changed_supply_lines,
    new_supply_lines,
)
from services.ports import SKUS_MAX, BatchTooLarge, IdempotencyKey

# ---------------------------------------------------------------- reading

ITEMS_OF = statement("SELECT DISTINCT item_id FROM order_lines WHERE order_id = ANY(:orders)", orders=BIGINTS)
RESERVED_ITEMS = statement(
    "SELECT DISTINCT item_id FROM reserved_lines WHERE reservation_id = ANY(:reservations)", reservations=BIGINTS
)

ITEMS_OF_EACH = statement(
    "SELECT order_id, array_agg(DISTINCT item_id) AS items FROM order_lines WHERE order_id = ANY(:orders) GROUP BY 1",
    orders=BIGINTS,
)

LEVELS = statement(
    """
    SELECT i.id AS item, i.sku, i.components IS NOT NULL AS is_bundle, s.location_id, s.on_hand, s.committed, s.damaged,
           s.quality_control, s.safety_stock, s.flagged, s.version
    FROM items i LEFT JOIN stock_levels s ON s.item_id = i.id
    WHERE i.id = ANY(:items)
    """,
    items=INTS,
)

ORDERS = f"""
    SELECT o.id, o.number, c.code, o.status, o.allocation_status, o.shipping_policy, o.priority, o.version, o.asked_at,
           CASE WHEN {IS_SOURCED} THEN o.ship_to END AS ship_to
    FROM orders o JOIN channels c ON c.id = o.channel_id
    WHERE o.id = ANY(:orders) ORDER BY o.id
    """  # noqa: S608  (a constant)
READ_ORDERS = statement(ORDERS, orders=BIGINTS)
LOCK_ORDERS = statement(ORDERS + " FOR NO KEY UPDATE OF o", orders=BIGINTS)
LOCK_MORE_ORDERS = statement(ORDERS + " FOR NO KEY UPDATE OF o NOWAIT", orders=BIGINTS)

LINES = statement(
    """
    SELECT id, order_id, item_id, quantity, allocated, overallocated, shipped, canceled, dropshipped, looked_at,
           bundle_id, bundle_units
    FROM order_lines WHERE order_id = ANY(:orders) ORDER BY order_id, position
    """,
    orders=BIGINTS,
)
LINE_ITEM = 2
"""Which column of LINES is the item."""
SKUS = statement("SELECT id, sku FROM items WHERE id = ANY(:items)", items=INTS)

CLAIMS = statement(
    """
    SELECT a.id, l.order_id, a.line_id, a.item_id, a.location_id, a.quantity, a.overallocated, o.priority, a.seniority
    FROM allocations a JOIN order_lines l ON l.id = a.line_id JOIN orders o ON o.id = l.order_id
    WHERE a.line_id = ANY(:lines) ORDER BY coalesce(a.seniority, a.id), a.id
    """,
    lines=BIGINTS,
)

# The clock is looked at after the locks are held: whatever happened before is over by then.
RESERVATIONS = statement(
    """
    SELECT id, state, expires_at <= clock_timestamp() AS is_due, order_id
    FROM stock_reservations WHERE id = ANY(:reservations)
    """,
    reservations=BIGINTS,
)

CART_CLAIMS = """
    SELECT a.id, r.reservation_id, a.reserved_line_id, a.item_id, a.location_id, a.quantity, a.overallocated,
           a.seniority
    FROM allocations a JOIN reserved_lines r ON r.id = a.reserved_line_id
    """
CLAIMS_OF_RESERVATIONS = statement(
    CART_CLAIMS + "WHERE r.reservation_id = ANY(:reservations) ORDER BY a.id", reservations=BIGINTS
)
CART_CLAIMS_BY_ID = statement(CART_CLAIMS + "WHERE a.id = ANY(:claims) ORDER BY a.id", claims=BIGINTS)

# An order is named once; a cart's claim stands for itself.
WEAKEST = statement(
    """
    SELECT DISTINCT order_id, CASE WHEN order_id IS NULL THEN id END AS cart_claim
    FROM (
        SELECT l.order_id, a.id, a.overallocated, n.units,
               sum(a.quantity) OVER (PARTITION BY a.item_id, a.location_id
                                     ORDER BY coalesce(o.priority, 0), coalesce(a.seniority, a.id) DESC, a.id DESC)
                   - a.quantity AS weaker
        FROM unnest(:items, :locations, :units) AS n(item_id, location_id, units)
        JOIN allocations a ON a.item_id = n.item_id AND a.location_id = n.location_id
        LEFT JOIN order_lines l ON l.id = a.line_id LEFT JOIN orders o ON o.id = l.order_id
    ) AS ranked
    WHERE weaker < units OR overallocated > 0
    """,
    items=INTS,
    locations=INTS,
    units=BIGINTS,
)

RESERVE = statement(
    """
    SELECT ARRAY(SELECT nextval(pg_get_serial_sequence('orders', 'id')) FROM generate_series(1, :orders)),
           ARRAY(SELECT nextval(pg_get_serial_sequence('order_lines', 'id')) FROM generate_series(1, :lines)),
           ARRAY(SELECT nextval(pg_get_serial_sequence('order_bundles', 'id')) FROM generate_series(1, :bundles))
    """,
    orders=INT,
    lines=INT,
    bundles=INT,
)


RESERVE_CARTS = statement(
    """
    SELECT ARRAY(SELECT nextval(pg_get_serial_sequence('stock_reservations', 'id'))
                 FROM generate_series(1, :reservations)),
           ARRAY(SELECT nextval(pg_get_serial_sequence('reserved_lines', 'id')) FROM generate_series(1, :lines))
    """,
    reservations=INT,
    lines=INT,
)


class _Rows(NamedTuple):
    """Orders and all their lines, as the database says them."""

    orders: Sequence[Any]
    lines: Sequence[Any]


class PostgresBatches:
    """The database's half of `domain.batch`."""

    def __init__(self, connection: AsyncConnection, *, locks: bool = True) -> None:
        """`locks` False: for a snapshot, which needs none, and in which nothing is written."""
        self._driver = Driver(connection)
        self._locks = locks
        self._has_contenders = False
        self.has_new_events = False

    async def items_of(self, orders: Sequence[OrderId]) -> dict[OrderId, list[ItemId]]:
        """The SKUs of each order, each once."""
        return dict(await self._driver.rows(ITEMS_OF_EACH, {"orders": orders}))

    async def load(
        self,
        *,
        orders: Sequence[OrderId] = (),
        items: Iterable[ItemId] = (),
        reservations: Sequence[ReservationId] = (),
    ) -> Facts:
        """Lock the SKUs of the orders, the reservations and the items, then read: see `services.ports.Batches`."""
        locked = set(items)
        if orders:
            locked.update(item for (item,) in await self._driver.rows(ITEMS_OF, {"orders": orders}))
        if reservations:
            found = await self._driver.rows(RESERVED_ITEMS, {"reservations": reservations})
            locked.update(item for (item,) in found)
        if self._locks:
            if len(locked) > SKUS_MAX:
                raise BatchTooLarge(len(locked), SKUS_MAX)
            await lock_skus(self._driver, locked)
        skus, bundles, levels = await self._levels(locked)
        rows = await self._rows_of(READ_ORDERS, orders)
        if any(line[LINE_ITEM] not in locked for line in rows.lines):
            raise LocksWereTooFew
        locations, sourcing = await read_places(self._driver)
        facts = await self._whole(rows, skus)
        if reservations:
            facts = await self._with_reservations(facts, reservations)
        return replace(facts, locations=locations, sourcing=sourcing, skus=skus, bundles=bundles, levels=levels)

    async def contenders(self, levels: Mapping[LevelKey, int]) -> Facts:
        """Lock and read who holds the weakest claims of each level, up to so many units: orders whole, carts' claims.

        A cart's claim is locked with its SKU, and nothing else of the cart depends on its flag.

        Orders are locked by rising id. Where a batch comes for more of them, it no longer can be, so then it does not
        wait: it starts over rather than waiting in a circle.
        """
        needed = columns([(*key, units) for key, units in levels.items()], ("items", "locations", "units"))
        weakest = await self._driver.rows(WEAKEST, needed)
        wanted = sorted(order for order, _ in weakest if order)
        statement = LOCK_ORDERS
        if not self._locks:
            statement = READ_ORDERS
        elif self._has_contenders:
            statement = LOCK_MORE_ORDERS
        self._has_contenders = self._has_contenders or bool(wanted)
        rows = await self._rows_of(statement, wanted)
        items = {line[LINE_ITEM] for line in rows.lines}
        whole = await self._whole(rows, dict(await self._driver.rows(SKUS, {"items": list(items)})))
        carts = [claim for _, claim in weakest if claim]
        if not carts:
            return whole
        found = await self._driver.rows(CART_CLAIMS_BY_ID, {"claims": carts})
        return replace(whole, claims=[*whole.claims, *(_cart_claim(*row) for row in found)])

    async def reserve_ids(
        self, orders: int, lines: int, bundles: int
    ) -> tuple[list[OrderId], list[LineId], list[BundleId]]:
        """Ids for rows that are not written yet."""
        wanted = {"orders": orders, "lines": lines, "bundles": bundles}
        row = await self._driver.row(RESERVE, wanted)
        return row[0], row[1], row[2]

    async def reserve_cart_ids(self, reservations: int, lines: int) -> tuple[list[ReservationId], list[ReservedLineId]]:
        """Ids for stock reservations that are not written yet."""
        row = await self._driver.row(RESERVE_CARTS, {"reservations": reservations, "lines": lines})
        return row[0], row[1]

    async def _with_reservations(self, facts: Facts, reservations: Sequence[ReservationId]) -> Facts:
        named = {"reservations": reservations}
        carts = [_reservation(*row) for row in await self._driver.rows(RESERVATIONS, named)]
        claims = [_cart_claim(*row) for row in await self._driver.rows(CLAIMS_OF_RESERVATIONS, named)]
        return replace(facts, reservations=carts, claims=[*facts.claims, *claims])

    async def _levels(self, items: Iterable[ItemId]) -> tuple[dict[ItemId, Sku], frozenset[ItemId], list[StockLevel]]:
        rows = await self._driver.rows(LEVELS, {"items": list(items)})
        skus = {item: sku for item, sku, *_ in rows}
        bundles = frozenset(item for item, _, is_bundle, *_ in rows if is_bundle)
        return skus, bundles, [_level(item, *level) for item, _, _, *level in rows if level[0] is not None]

    async def _rows_of(self, statement: Statement, ids: Sequence[OrderId]) -> _Rows:
        if not ids:
            return _Rows((), ())
        orders = await self._driver.rows(statement, {"orders": ids})
        return _Rows(orders, await self._driver.rows(LINES, {"orders": ids}))

    async def _whole(self, rows: _Rows, skus: Mapping[ItemId, Sku]) -> Facts:
        """Orders with all their lines and claims."""
        lines = [_line(skus, *row) for row in rows.lines]
        return Facts(orders=[_order(*row) for row in rows.orders], lines=lines, claims=await self._claims(lines))

    async def _claims(self, lines: Iterable[OrderLine]) -> list[Claim]:
        """The claims of the lines, the oldest first."""
        allocated = [line.id for line in lines if line.allocated]
        if not allocated:
            return []
        return [_claim(*row) for row in await self._driver.rows(CLAIMS, {"lines": allocated})]

    # ------------------------------------------------------------ writing

    async def record(self, changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]] = ()) -> None:
        """Write everything, and under their keys the outcomes; each kind of row is one statement."""
        self.has_new_events = self.has_new_events or bool(changes.events)
        await self._driver.write_all(_writes(changes, outcomes))


def _writes(changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]]) -> Iterator[Write]:
    """Each is made when the one before is under way."""
    yield from _placing(changes)
    yield from _guarded(UPDATE_LEVELS, attributes(changes.changed_levels, LEVEL_COLUMNS))
    yield from _arrays(INSERT_LEVELS, attributes(changes.new_levels, LEVEL_COLUMNS))
    yield from _supplying(changes)
    yield from _arrays(INSERT_MOVEMENTS, attributes(changes.movements, MOVEMENT_COLUMNS))
    yield from _arrays(INSERT_COUNTS, attributes(changes.counts, COUNT_COLUMNS))
    yield from _claiming(changes)
    yield from _serving(changes)
    yield from appended(changes.events)
    yield from kept(outcomes)


def _placing(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_CHANNELS, {"codes": sorted({order.channel for order, _ in changes.placed})})
    yield from _rows(INSERT_ORDERS, [_placed(changes, *one) for one in changes.placed])
    yield from _arrays(INSERT_BUNDLES, columns(map(_new_bundle, changes.new_bundles), BUNDLE_COLUMNS))
    yield from _arrays(INSERT_LINES, columns(map(_new_line, changes.placed_lines), LINE_COLUMNS))
    yield from _arrays(INSERT_RESERVATIONS, columns(map(_new_cart, changes.new_reservations), CART_COLUMNS))
    reserved = [line for new in changes.new_reservations for line in new.lines]
    yield from _arrays(INSERT_RESERVED_LINES, attributes(reserved, RESERVED_LINE_COLUMNS))


def _supplying(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_SUPPLIES, attributes(changes.new_supplies, SUPPLY_COLUMNS))
    yield from _arrays(INSERT_SUPPLY_LINES, new_supply_lines(changes.new_supplies))
    yield from _guarded(UPDATE_SUPPLIES, attributes(changes.changed_supplies, SUPPLY_UPDATE_COLUMNS))
    yield from _guarded(UPDATE_SUPPLY_LINES, changed_supply_lines(changes.changed_supply_lines))


def _claiming(changes: Changes) -> Iterator[Write]:
    yield from _arrays(END_CLAIMS, attributes(changes.ended_claims, END_COLUMNS))
    # Before the rows that they come from may go.
    yield from _guarded(DIVIDE_CLAIMS, attributes(changes.divided_claims, DIVIDED_CLAIM_COLUMNS))
    yield from _guarded(END_RESERVATIONS, attributes(changes.ended_reservations, ENDED_CART_COLUMNS))
    yield from _guarded(DELETE_CLAIMS, {"ids": changes.gone_claims})
    yield from _guarded(UPDATE_CLAIMS, attributes(changes.changed_claims, CLAIM_UPDATE_COLUMNS))
    yield from _arrays(INSERT_CLAIMS, attributes(changes.new_claims, CLAIM_COLUMNS))


def _serving(changes: Changes) -> Iterator[Write]:
    served = [line for line in changes.lines if line.id not in changes.resized_lines]
    resized = [line for line in changes.lines if line.id in changes.resized_lines]
    yield from _guarded(UPDATE_SERVED_LINES, attributes(served, SERVED_LINE_COLUMNS))
    yield from _guarded(UPDATE_LINES, attributes(resized, LINE_UPDATE_COLUMNS))
    minutes = {"minutes": [changes.schedules.get(order.id) for order in changes.orders]}
    yield from _guarded(UPDATE_ORDERS, attributes(changes.orders, ORDER_COLUMNS) | minutes)
    yield from _rows(UPDATE_TERMS, [_terms(order, terms) for order, terms in changes.terms.items()])
    yield from _arrays(REPLENISH, {"items": sorted(changes.replenished)})
    yield from _rows(ASK_AT, [{"id": order, "at": at} for order, at in changes.asked_at.items()])
    yield from _arrays(SAVE_VOID_REASONS, columns(changes.void_reasons.items(), ("ids", "reasons")))


def _rows(statement: Statement, rows: list[dict[str, Any]]) -> Iterator[Write]:
    if rows:
        yield Write(statement, {"rows": rows})


def _arrays(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    if any(arrays.values()):
        yield Write(statement, arrays)


def _guarded(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    """Every row must still be as it was read."""
    rows = len(next(iter(arrays.values())))
    if rows:
        yield Write(statement, arrays, rows)


def attributes(rows: Sequence[object], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """One list a column, to be sent as an array: of each row the attribute that the column is named for."""
    return {column: list(map(attrgetter(name), rows)) for column, name in names.items()}


def _level(
    item: ItemId,
    location: LocationId,
    on_hand: int,
    committed: int,
    damaged: int,
    quality_control: int,
    safety_stock: int,
    flagged: int,
    version: int,
) -> StockLevel:
    return StockLevel(
        item=item,
        location=location,
        on_hand=on_hand,
        committed=committed,
        damaged=damaged,
        quality_control=quality_control,
        safety_stock=safety_stock,
        flagged=flagged,
        version=version,
    )


STATUSES: Mapping[str | None, AllocationStatus | None] = {None: None} | {one.value: one for one in AllocationStatus}
"""Looked up rather than made: a batch reads hundreds."""
ORDER_STATUSES = {one.value: one for one in OrderStatus}
POLICIES = {one.value: one for one in ShippingPolicy}


def _order(
    order: OrderId,
    number: str,
    channel: str,
    status: str,
    allocation_status: str | None,
    policy: str,
    priority: int,
    version: int,
    asked_at: list[LocationId] | None,
    ship_to: dict[str, Any] | None,
) -> Order:
    return Order(
        id=order,
        number=number,
        channel=channel,
        status=ORDER_STATUSES[status],
        allocation_status=STATUSES[allocation_status],
        shipping_policy=POLICIES[policy],
        priority=priority,
        version=version,
        ship_to=Address(**ship_to) if ship_to else None,
        asked_at=None if asked_at is None else tuple(asked_at),
    )


def _line(
    skus: Mapping[ItemId, Sku],
    line: LineId,
    order: OrderId,
    item: ItemId,
    quantity: int,
    allocated: int,
    overallocated: int,
    shipped: int,
    canceled: int,
    dropshipped: int,
    looked_at: bool,
    bundle: BundleId | None,
    bundle_units: int | None,
) -> OrderLine:
    return OrderLine(
        id=line,
        order=order,
        item=item,
        sku=skus[item],
        quantity=quantity,
        allocated=allocated,
        overallocated=overallocated,
        shipped=shipped,
        canceled=canceled,
        dropshipped=dropshipped,
        looked_at=looked_at,
        bundle=bundle,
        bundle_units=bundle_units or 0,
    )


def _claim(
    claim: AllocationId,
    order: OrderId,
    line: LineId,
    item: ItemId,
    location: LocationId,
    quantity: int,
    overallocated: int,
    priority: int,
    seniority: int | None,
) -> Claim:
    return Claim(
        id=claim,
        order=order,
        line=line,
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
        priority=priority,
        seniority=seniority,
    )


def _cart_claim(
    claim: AllocationId,
    reservation: ReservationId,
    line: ReservedLineId,
    item: ItemId,
    location: LocationId,
    quantity: int,
    overallocated: int,
    seniority: int | None,
) -> CartClaim:
    return CartClaim(
        id=claim,
        reservation=reservation,
        reserved_line=line,
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
        seniority=seniority,
    )


def _reservation(reservation: ReservationId, state: str, is_due: bool, order: OrderId | None) -> Reservation:
    return Reservation(id=reservation, state=ReservationState(state), is_due=is_due, order=order)


# ---------------------------------------------------------------- writing

INSERT_CHANNELS = statement(
    """
    INSERT INTO channels (code, name) SELECT code, code FROM unnest(:codes) AS code
    WHERE NOT EXISTS (SELECT FROM channels c WHERE c.code = code.code) ON CONFLICT DO NOTHING
    """,
    codes=TEXTS,
)

NEXT_TURN = """
    date_bin(make_interval(mins => n.minutes), now(), to_timestamp(0)) + make_interval(mins => n.minutes)
    """
"""The next multiple of so many minutes, by the database's clock; null where there are none."""

INSERT_ORDERS = statement(
    f"""
    INSERT INTO orders (id, channel_id, number, status, allocation_status, shipping_policy, priority, tags, placed_at,
                        customer_name, customer_email, customer_reference, ship_to, allocate_after, split_from,
                        version)
    SELECT n.id, c.id, n.number, n.status, n.allocation_status, n.shipping_policy, n.priority, n.tags,
           coalesce(n.placed_at, now()), n.customer_name, n.customer_email, n.customer_reference,
           nullif(n.ship_to, 'null'),
           coalesce({NEXT_TURN}, (SELECT o.allocate_after FROM orders o WHERE o.id = n.split_from)), n.split_from,
           n.version
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, channel text, number text, status text, allocation_status text, shipping_policy text, priority int,
        tags text[], placed_at timestamptz, customer_name text, customer_email text, customer_reference text,
        ship_to jsonb, minutes int, split_from bigint, version bigint)
    JOIN channels c ON c.code = n.channel
    """,  # noqa: S608
    rows=JSON,
)

UPDATE_TERMS = statement(
    """
    UPDATE orders o SET tags = n.tags, customer_name = n.customer_name, customer_email = n.customer_email,
        customer_reference = n.customer_reference, ship_to = nullif(n.ship_to, 'null')
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, tags text[], customer_name text, customer_email text, customer_reference text, ship_to jsonb)
    WHERE o.id = n.id
    """,
    rows=JSON,
)

REPLENISH = statement(
    """
    INSERT INTO replenished_items (item_id, since) SELECT item, clock_timestamp() FROM unnest(:items) AS item
    ON CONFLICT (item_id) DO UPDATE SET since = excluded.since
    """,
    items=INTS,
)

ASK_AT = statement(
    """
    UPDATE orders o SET asked_at = n.at FROM jsonb_to_recordset(:rows) AS n(id bigint, at int[]) WHERE o.id = n.id
    """,
    rows=JSON,
)

SAVE_VOID_REASONS = statement(
    """
    UPDATE orders o SET void_reason = n.reason FROM unnest(:ids, :reasons) AS n(id, reason) WHERE o.id = n.id
    """,
    ids=BIGINTS,
    reasons=TEXTS,
)

BUNDLE_COLUMNS = ("ids", "items", "references", "prices", "currencies")
INSERT_BUNDLES = statement(
    """
    INSERT INTO order_bundles (id, item_id, reference, unit_price, currency_code)
    SELECT * FROM unnest(:ids, :items, :references, :prices, :currencies)
    """,
    ids=BIGINTS,
    items=INTS,
    references=TEXTS,
    prices=NUMERICS,
    currencies=TEXTS,
)

LINE_COLUMNS = (
    "ids", "orders", "positions", "references", "items", "quantities", "allocated", "overallocated", "canceled",
    "looked", "prices", "currencies", "bundles", "bundle_units",
)  # fmt: skip
INSERT_LINES = statement(
    """
    INSERT INTO order_lines (id, order_id, position, reference, item_id, quantity, allocated, overallocated, canceled,
                             looked_at, unit_price, currency_code, bundle_id, bundle_units)
    SELECT * FROM unnest(:ids, :orders, :positions, :references, :items, :quantities, :allocated, :overallocated,
                         :canceled, :looked, :prices, :currencies, :bundles, :bundle_units)
    """,
    ids=BIGINTS,
    orders=BIGINTS,
    positions=INTS,
    references=TEXTS,
    items=INTS,
    quantities=INTS,
    allocated=INTS,
    overallocated=INTS,
    canceled=INTS,
    looked=FLAGS,
    prices=NUMERICS,
    currencies=TEXTS,
    bundles=BIGINTS,
    bundle_units=INTS,
)

LINE_UPDATE_COLUMNS = {
    "ids": "id",
    "quantities": "quantity",
    "allocated": "allocated",
    "overallocated": "overallocated",
    "shipped": "shipped",
    "canceled": "canceled",
    "dropshipped": "dropshipped",
    "looked": "looked_at",
}
UPDATE_LINES = statement(
    """
    UPDATE order_lines l SET quantity = n.quantity, allocated = n.allocated, overallocated = n.overallocated,
        shipped = n.shipped, canceled = n.canceled, dropshipped = n.dropshipped, looked_at = n.looked_at
    FROM unnest(:ids, :quantities, :allocated, :overallocated, :shipped, :canceled, :dropshipped, :looked)
        AS n(id, quantity, allocated, overallocated, shipped, canceled, dropshipped, looked_at)
    WHERE l.id = n.id
    """,
    ids=BIGINTS,
    quantities=INTS,
    allocated=INTS,
    overallocated=INTS,
    shipped=INTS,
    canceled=INTS,
    dropshipped=INTS,
    looked=FLAGS,
)

SERVED_LINE_COLUMNS = {"ids": "id", "allocated": "allocated", "overallocated": "overallocated", "looked": "looked_at"}
UPDATE_SERVED_LINES = statement(
    """
    UPDATE order_lines l SET allocated = n.allocated, overallocated = n.overallocated, looked_at = n.looked_at
    FROM unnest(:ids, :allocated, :overallocated, :looked) AS n(id, allocated, overallocated, looked_at)
    WHERE l.id = n.id
    """,
    ids=BIGINTS,
    allocated=INTS,
    overallocated=INTS,
    looked=FLAGS,
)

LEVEL_COLUMNS = {
    "items": "item",
    "locations": "location",
    "on_hand": "on_hand",
    "committed": "committed",
    "damaged": "damaged",
    "quality_control": "quality_control",
    "safety_stock": "safety_stock",
    "flagged": "flagged",
    "versions": "version",
}
_LEVEL_TYPES = dict.fromkeys(LEVEL_COLUMNS, INTS) | {"versions": BIGINTS}
UPDATE_LEVELS = statement(
    """
    UPDATE stock_levels s SET on_hand = n.on_hand, committed = n.committed, damaged = n.damaged,
        quality_control = n.quality_control, safety_stock = n.safety_stock, flagged = n.flagged, version = n.version
    FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                :versions)
        AS n(item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged, version)
    WHERE s.item_id = n.item_id AND s.location_id = n.location_id AND s.version = n.version - 1
    """,
    **_LEVEL_TYPES,
)
INSERT_LEVELS = statement(
    """
    INSERT INTO stock_levels (item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged,
                              version)
    SELECT * FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                         :versions)
    """,
    **_LEVEL_TYPES,
)

MOVEMENT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "changes": "change",
    "balances": "balance",
    "causes": "cause",
    "references": "reference",
    "supplies": "supply",
    "times": "counted_at",
    "actors": "actor",
    "requests": "request",
}
INSERT_MOVEMENTS = statement(
    """
    INSERT INTO stock_movements (item_id, location_id, quantity, change, balance, cause, reference, supply_id,
                                 counted_at, actor, request)
    SELECT n.item_id, n.location_id, n.quantity, n.change, n.balance, n.cause, n.reference, n.supply_id, n.counted_at,
           n.actor, n.request
    FROM unnest(:items, :locations, :quantities, :changes, :balances, :causes, :references, :supplies, :times, :actors,
                :requests)
        WITH ORDINALITY AS n(item_id, location_id, quantity, change, balance, cause, reference, supply_id, counted_at,
                             actor, request, at)
    ORDER BY n.at
    """,
    items=INTS,
    locations=INTS,
    quantities=TEXTS,
    changes=INTS,
    balances=INTS,
    causes=TEXTS,
    references=TEXTS,
    supplies=BIGINTS,
    times=TIMES,
    actors=TEXTS,
    requests=TEXTS,
)

COUNT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "times": "counted_at",
    "counted": "counted",
    "references": "reference",
    "actors": "actor",
    "requests": "request",
}
INSERT_COUNTS = statement(
    """
    INSERT INTO stock_counts (item_id, location_id, counted_at, counted, reference, actor, request, recorded_at)
    SELECT n.item_id, n.location_id, coalesce(n.counted_at, clock.now), n.counted, n.reference, n.actor, n.request,
           clock.now
    FROM unnest(:items, :locations, :times, :counted, :references, :actors, :requests)
        AS n(item_id, location_id, counted_at, counted, reference, actor, request),
        (SELECT clock_timestamp() AS now) AS clock
    """,
    items=INTS,
    locations=INTS,
    times=TIMES,
    counted=INTS,
    references=TEXTS,
    actors=TEXTS,
    requests=TEXTS,
)

CART_COLUMNS = ("ids", "states", "seconds")
INSERT_RESERVATIONS = statement(
    """
    INSERT INTO stock_reservations (id, state, expires_at)
    SELECT n.id, n.state, clock_timestamp() + make_interval(secs => n.seconds)
    FROM unnest(:ids, :states, :seconds) AS n(id, state, seconds)
    """,
    ids=BIGINTS,
    states=TEXTS,
    seconds=INTS,
)
RESERVED_LINE_COLUMNS = {"ids": "id", "reservations": "reservation", "items": "item", "quantities": "quantity"}
INSERT_RESERVED_LINES = statement(
    """
    INSERT INTO reserved_lines (id, reservation_id, item_id, quantity)
    SELECT * FROM unnest(:ids, :reservations, :items, :quantities)
    """,
    ids=BIGINTS,
    reservations=BIGINTS,
    items=INTS,
    quantities=INTS,
)
ENDED_CART_COLUMNS = {"ids": "id", "states": "state", "orders": "order"}
END_RESERVATIONS = statement(
    """
    UPDATE stock_reservations r SET state = n.state, order_id = n.order_id, ended_at = clock_timestamp()
    FROM unnest(:ids, :states, :orders) AS n(id, state, order_id) WHERE r.id = n.id AND r.state = 'ACTIVE'
    """,
    ids=BIGINTS,
    states=TEXTS,
    orders=BIGINTS,
)

END_COLUMNS = {
    "ids": "allocation",
    "lines": "claim.line",
    "reserved_lines": "claim.reserved_line",
    "quantities": "quantity",
    "reasons": "reason",
}
END_CLAIMS = statement(
    """
    INSERT INTO ended_allocations (allocation_id, line_id, reserved_line_id, item_id, location_id, quantity, reason,
                                   allocated_at)
    SELECT a.id, n.line_id, n.reserved_line_id, a.item_id, a.location_id, n.quantity, n.reason, a.allocated_at
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :reasons)
        WITH ORDINALITY AS n(id, line_id, reserved_line_id, quantity, reason, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    reasons=TEXTS,
)
DIVIDED_CLAIM_COLUMNS = {
    "allocations": "allocation",
    "seniorities": "claim.seniority",
    "lines": "claim.line",
    "quantities": "claim.quantity",
    "overallocated": "claim.overallocated",
}
DIVIDE_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, item_id, location_id, quantity, overallocated, seniority, allocated_at)
    SELECT n.line_id, a.item_id, a.location_id, n.quantity, n.overallocated, n.seniority, a.allocated_at
    FROM unnest(:allocations, :seniorities, :lines, :quantities, :overallocated)
        WITH ORDINALITY AS n(id, seniority, line_id, quantity, overallocated, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    allocations=BIGINTS,
    seniorities=BIGINTS,
    lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
)
DELETE_CLAIMS = statement("DELETE FROM allocations WHERE id = ANY(:ids)", ids=BIGINTS)
CLAIM_UPDATE_COLUMNS = {
    "ids": "id",
    "lines": "line",
    "reserved_lines": "reserved_line",
    "quantities": "quantity",
    "overallocated": "overallocated",
}
UPDATE_CLAIMS = statement(
    """
    UPDATE allocations a SET line_id = n.line_id, reserved_line_id = n.reserved_line_id, quantity = n.quantity,
        overallocated = n.overallocated
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :overallocated)
        AS n(id, line_id, reserved_line_id, quantity, overallocated)
    WHERE a.id = n.id
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
)
CLAIM_COLUMNS = {
    "lines": "line",
    "reserved_lines": "reserved_line",
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "overallocated": "overallocated",
}
INSERT_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, reserved_line_id, item_id, location_id, quantity, overallocated)
    SELECT n.line_id, n.reserved_line_id, n.item_id, n.location_id, n.quantity, n.overallocated
    FROM unnest(:lines, :reserved_lines, :items, :locations, :quantities, :overallocated)
        WITH ORDINALITY AS n(line_id, reserved_line_id, item_id, location_id, quantity, overallocated, at)
    ORDER BY n.at
    """,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    items=INTS,
    locations=INTS,
    quantities=INTS,
    overallocated=INTS,
)

ORDER_COLUMNS = {
    "ids": "id",
    "statuses": "status",
    "allocation_statuses": "allocation_status",
    "policies": "shipping_policy",
    "priorities": "priority",
    "versions": "version",
}
UPDATE_ORDERS = statement(
    f"""
    UPDATE orders o SET status = n.status, allocation_status = n.allocation_status, priority = n.priority,
        shipping_policy = n.shipping_policy, version = n.version, updated_at = now(),
        allocate_after = CASE WHEN n.allocation_status = 'UNALLOCATED' THEN coalesce({NEXT_TURN}, o.allocate_after) END
    FROM unnest(:ids, :statuses, :allocation_statuses, :policies, :priorities, :minutes, :versions)
        AS n(id, status, allocation_status, shipping_policy, priority, minutes, version)
    WHERE o.id = n.id AND o.version = n.version - 1
    """,  # noqa: S608
    ids=BIGINTS,
    statuses=TEXTS,
    allocation_statuses=TEXTS,
    policies=TEXTS,
    priorities=INTS,
    minutes=INTS,
    versions=BIGINTS,
)


def _terms(order: OrderId, terms: OrderTerms) -> dict[str, Any]:
    customer = terms.customer
    return {
        "id": order,
        "tags": terms.tags,
        "customer_name": customer and customer.name,
        "customer_email": customer and customer.email,
        "customer_reference": customer and customer.reference,
        "ship_to": terms.ship_to,
    }


def _placed(changes: Changes, order: Order, new: NewOrder) -> dict[str, Any]:
    return _terms(order.id, new.terms) | {
        "channel": order.channel,
        "number": order.number,
        "status": order.status,
        "allocation_status": order.allocation_status,
        "shipping_policy": order.shipping_policy,
        "priority": order.priority,
        "placed_at": new.placed_at,
        "minutes": changes.schedules.get(order.id),
        "split_from": changes.split_from.get(order.id),
        "version": order.version,
    }


def _new_line(placed: PlacedLine) -> tuple[Any, ...]:
    line, new = placed.line, placed.new
    price = new.unit_price
    return (
        line.id,
        line.order,
        placed.position,
        new.reference,
        line.item,
        line.quantity,
        line.allocated,
        line.overallocated,
        line.canceled,  # a later request of the same batch may have canceled it already
        line.looked_at,
        price and price.amount,
        price and price.currency_code,
        line.bundle,
        line.bundle_units or None,
    )


def _new_bundle(bundle: Bundle) -> tuple[Any, ...]:
    price = bundle.unit_price
    return bundle.id, bundle.item, bundle.reference, price and price.amount, price and price.currency_code


def _new_cart(new: NewReservation) -> tuple[Any, ...]:
    return new.reservation.id, new.reservation.state, new.expires_in_seconds
