"""Load what a batch needs under its locks, and write what it decided: a fixed number of statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.allocation import Claim
from domain.changes import Changes, Facts
from domain.ids import (
    BundleId,
    ItemId,
    LevelKey,
    LineId,
    OrderId,
    ReservationId,
    ReservedLineId,
    Sku,
)
from domain.orders import OrderLine
from domain.stock import StockLevel
from persistence.batch_rows import cart_claim_of, claim_of, level_of, line_of, order_of, reservation_of
from persistence.batch_writes import writes
from persistence.catalog import IS_SOURCED, read_places
from persistence.driver import Driver, Statement, statement
from persistence.floor import fresh_ids, read_floor
from persistence.locks import LocksWereTooFew, lock_skus
from persistence.returns import read_returns
from persistence.sql import BIGINTS, INT, INTS, columns
from services.ports.batches import SKUS_MAX, BatchTooLarge
from services.ports.keys import IdempotencyKey

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
           s.quality_control, s.safety_stock, s.flagged, s.version, s.picked
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
    SELECT a.id, l.order_id, a.line_id, a.item_id, a.location_id, a.quantity, a.overallocated, o.priority, a.seniority,
           a.picked, a.fulfillment_line_id
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
               sum(a.quantity - a.picked) OVER (PARTITION BY a.item_id, a.location_id
                                     ORDER BY coalesce(o.priority, 0), coalesce(a.seniority, a.id) DESC, a.id DESC)
                   - (a.quantity - a.picked) AS weaker
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


def _on_the_floor(facts: Facts) -> list[OrderId]:
    """The orders of which something is, or was, sent."""
    held = {claim.order for claim in facts.claims if isinstance(claim, Claim) and claim.fulfillment_line is not None}
    return sorted(held | {line.order for line in facts.lines if line.shipped or line.dropshipped})


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
        self._channels: frozenset[str] = frozenset()
        """Codes of those that are there: a channel is never removed."""
        self.has_new_events = False
        self.lock_seconds: float | None = None
        """How long the SKUs' locks were waited for; None: none were taken."""

    async def items_of(self, orders: Sequence[OrderId]) -> dict[OrderId, list[ItemId]]:
        """The SKUs of each order, each once."""
        return dict(await self._driver.rows(ITEMS_OF_EACH, {"orders": orders}))

    async def load(
        self,
        *,
        orders: Sequence[OrderId] = (),
        items: Iterable[ItemId] = (),
        reservations: Sequence[ReservationId] = (),
        floor: bool = False,
        bins: bool = False,
        returns: bool = False,
    ) -> Facts:
        """Lock the SKUs of the orders, the reservations and the items, then read: `services.ports.batches.Batches`."""
        locked = set(items)
        if orders:
            locked.update(item for (item,) in await self._driver.rows(ITEMS_OF, {"orders": orders}))
        if reservations:
            found = await self._driver.rows(RESERVED_ITEMS, {"reservations": reservations})
            locked.update(item for (item,) in found)
        if self._locks:
            if len(locked) > SKUS_MAX:
                raise BatchTooLarge(len(locked), SKUS_MAX)
            began = perf_counter()
            try:
                await lock_skus(self._driver, locked)
            finally:
                self.lock_seconds = perf_counter() - began
        skus, bundles, levels = await self._levels(locked)
        rows = await self._rows_of(READ_ORDERS, orders)
        if any(line[LINE_ITEM] not in locked for line in rows.lines):
            raise LocksWereTooFew
        places = await read_places(self._driver)
        self._channels = places.channels
        facts = await self._whole(rows, skus)
        has_any = [order for order in orders if floor] or _on_the_floor(facts)
        if has_any or bins:
            facts = replace(facts, floor=await read_floor(self._driver, has_any, locked if bins else None))
        if returns:
            facts = replace(facts, returns=await read_returns(self._driver, orders))
        if reservations:
            facts = await self._with_reservations(facts, reservations)
        return replace(
            facts,
            locations=places.locations,
            sourcing=places.sourcing,
            paid_on_arrival=places.paid_on_arrival,
            releases_by_itself=places.releases_by_itself,
            skus=skus,
            bundles=bundles,
            levels=levels,
        )

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
        return replace(whole, claims=[*whole.claims, *(cart_claim_of(*row) for row in found)])

    async def fresh_ids(self, most: int) -> tuple[Iterator[int], datetime]:
        """Numbers for fulfillments, their lines, tasks and parcels that are not written yet, and what time it is."""
        return await fresh_ids(self._driver, most)

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
        carts = [reservation_of(*row) for row in await self._driver.rows(RESERVATIONS, named)]
        claims = [cart_claim_of(*row) for row in await self._driver.rows(CLAIMS_OF_RESERVATIONS, named)]
        return replace(facts, reservations=carts, claims=[*facts.claims, *claims])

    async def _levels(self, items: Iterable[ItemId]) -> tuple[dict[ItemId, Sku], frozenset[ItemId], list[StockLevel]]:
        rows = await self._driver.rows(LEVELS, {"items": list(items)})
        skus = {item: sku for item, sku, *_ in rows}
        bundles = frozenset(item for item, _, is_bundle, *_ in rows if is_bundle)
        return skus, bundles, [level_of(item, *level) for item, _, _, *level in rows if level[0] is not None]

    async def _rows_of(self, statement: Statement, ids: Sequence[OrderId]) -> _Rows:
        if not ids:
            return _Rows((), ())
        orders = await self._driver.rows(statement, {"orders": ids})
        return _Rows(orders, await self._driver.rows(LINES, {"orders": ids}))

    async def _whole(self, rows: _Rows, skus: Mapping[ItemId, Sku]) -> Facts:
        """Orders with all their lines and claims."""
        lines = [line_of(skus, *row) for row in rows.lines]
        return Facts(orders=[order_of(*row) for row in rows.orders], lines=lines, claims=await self._claims(lines))

    async def _claims(self, lines: Iterable[OrderLine]) -> list[Claim]:
        """The claims of the lines, the oldest first."""
        allocated = [line.id for line in lines if line.allocated]
        if not allocated:
            return []
        return [claim_of(*row) for row in await self._driver.rows(CLAIMS, {"lines": allocated})]

    # ------------------------------------------------------------ writing

    async def record(self, changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]] = ()) -> None:
        """Write everything, and under their keys the outcomes; each kind of row is one statement."""
        self.has_new_events = self.has_new_events or bool(changes.events)
        await self._driver.write_all(writes(changes, outcomes, self._channels))
