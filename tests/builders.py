"""Builders that supply what does not matter to a test.

The first half makes facts for the pure domain, with small whole numbers for ids; the second half uses the services, and
calls things by their natural keys.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.allocating import OrderOutcome
from domain.allocation import Ask, CartClaim, Claim, Held, OpenOrder, Plan, StockView, Take
from domain.batch import Batch
from domain.changes import Facts
from domain.events import Event
from domain.floor import FloorFacts
from domain.ids import AllocationId, ItemId, LineId, LocationId, OrderId, ReservationId, ReservedLineId, Sku, SupplyId
from domain.kinds import (
    AdjustmentReason,
    AllocationStatus,
    LocationKind,
    OrderStatus,
    ReservationState,
    ShippingPolicy,
    StockQuantity,
)
from domain.orders import Address, NewLine, NewOrder, Order, OrderLine, OrderTerms, allocation_status
from domain.reservations import Reservation
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Location, StockLevel
from domain.stocking import StockOutcome
from persistence.database import PostgresDatabase
from persistence.events import event_from
from persistence.tables import metadata
from services.allocation import AllocateOrder, AllocateOrders, DeallocateOrders, allocate_orders, deallocate_orders
from services.bundles import LineQuantity
from services.callers import Caller
from services.catalog import save_items, save_locations
from services.desk import Desk
from services.orders import EditOrder, edit_order, finalize_order, place_order, void_order
from services.ports.orders import AllocationView, LineView, OrderReference, OrderView
from services.ports.reservations import ReservationReference, ReservationView, ReservedLineView
from services.ports.stock import LevelView
from services.ports.supplies import SupplyReference, SupplyView
from services.reservations import ReservedUnits, ReserveStock, release_reservation, reserve_stock
from services.stock import (
    AdjustedLine,
    AdjustStock,
    CountedLine,
    CountStock,
    ReceivedLine,
    ReceiveStock,
    adjust_stock,
    count_stock,
    receive_stock,
)
from services.supplies import (
    CancelSupply,
    CloseSupply,
    ExpectSupply,
    ReceiveSupply,
    RescheduleSupply,
    StartTransfer,
    cancel_supply,
    close_supply,
    expect_supply,
    receive_supply,
    reschedule_supply,
    start_transfer,
)

# ---------------------------------------------------------------- facts

CHAIR, TABLE, LAMP = ItemId(1), ItemId(2), ItemId(3)
LEEDS, YORK, HULL = LocationId(1), LocationId(2), LocationId(3)
SKUS = {CHAIR: Sku("CHAIR"), TABLE: Sku("TABLE"), LAMP: Sku("LAMP")}
LOCATIONS = {
    place: Location(id=place, code=code, name=code.title(), kind=LocationKind.WAREHOUSE, rank=rank)
    for place, code, rank in ((LEEDS, "LEEDS", 10), (YORK, "YORK", 20), (HULL, "HULL", 30))
}
RANKS = {place: location.rank for place, location in LOCATIONS.items()}


def level(item: ItemId = CHAIR, location: LocationId = LEEDS, *, on_hand: int = 0, **quantities: int) -> StockLevel:
    """A level whose flags are as they have to be."""
    made = StockLevel(item=item, location=location, on_hand=on_hand, **({"version": 1} | quantities))
    return made.with_quantity("flagged", made.overallocated)


def order(
    number: int = 1,
    *,
    status: OrderStatus = OrderStatus.FINALIZED,
    allocation_status: AllocationStatus | None = AllocationStatus.UNALLOCATED,
    policy: ShippingPolicy = ShippingPolicy.SHIP_AVAILABLE,
    priority: int = 0,
    version: int = 1,
) -> Order:
    return Order(
        id=OrderId(number),
        number=str(number),
        channel="SHOP",
        status=status,
        allocation_status=allocation_status,
        shipping_policy=policy,
        priority=priority,
        version=version,
    )


def line(item: ItemId = CHAIR, quantity: int = 1, *, number: int = 1, order: int = 1, **more: Any) -> OrderLine:
    return OrderLine(id=LineId(number), order=OrderId(order), item=item, sku=SKUS[item], quantity=quantity, **more)


def claim(
    number: int = 1,
    quantity: int = 1,
    *,
    item: ItemId = CHAIR,
    location: LocationId = LEEDS,
    order: int = 1,
    line: int = 1,
    overallocated: int = 0,
    priority: int = 0,
    seniority: int | None = None,
) -> Claim:
    return Claim(
        id=AllocationId(number),
        order=OrderId(order),
        line=LineId(line),
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
        priority=priority,
        seniority=seniority,
    )


def cart(number: int = 1, *, state: ReservationState = ReservationState.ACTIVE, is_due: bool = False) -> Reservation:
    return Reservation(id=ReservationId(number), state=state, is_due=is_due)


def cart_claim(
    number: int = 1,
    quantity: int = 1,
    *,
    item: ItemId = CHAIR,
    location: LocationId = LEEDS,
    cart: int = 1,
    line: int = 1,
    overallocated: int = 0,
) -> CartClaim:
    return CartClaim(
        id=AllocationId(number),
        reservation=ReservationId(cart),
        reserved_line=ReservedLineId(line),
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
    )


def batch(
    levels: Iterable[StockLevel] = (),
    orders: Iterable[Order] = (),
    lines: Iterable[OrderLine] = (),
    claims: Iterable[Held] = (),
    reservations: Iterable[Reservation] = (),
    *,
    floor: FloorFacts | None = None,
    locations: Mapping[LocationId, Location] = LOCATIONS,
) -> Batch:
    """A working copy; the orders' allocation statuses are those of their lines."""
    lines = list(lines)
    return Batch(
        Facts(
            locations=locations,
            floor=floor,
            skus=SKUS,
            levels=list(levels),
            orders=[with_status(one, lines) for one in orders],
            lines=lines,
            claims=list(claims),
            reservations=list(reservations),
        )
    )


def warehouse(
    *wanted: tuple[int, LocationId, int],
    on_hand: Mapping[LocationId, int],
    quantities: Mapping[int, int] | None = None,
    bins: Mapping[str, int] | None = None,
    checks: bool = False,
    policy: ShippingPolicy = ShippingPolicy.SHIP_AVAILABLE,
    **unavailable: int,
) -> Batch:
    """Orders of one line of chairs each, with claims (order, location, units), the oldest first.

    `quantities`: of those that want more than they have. `bins`: in Leeds. `checks`: whether each location checks the
    quality. Lines and orders have the same numbers; claims are numbered from 1.
    """
    held: Counter[int] = Counter()
    committed: Counter[LocationId] = Counter()
    for number, place, units in wanted:
        held[number] += units
        committed[place] += units
    numbers = {**held, **(quantities or {})}
    levels = [level(CHAIR, at, on_hand=units, committed=committed[at], **unavailable) for at, units in on_hand.items()]
    made = batch(
        levels,
        [order(number, policy=policy) for number in numbers],
        [line(CHAIR, units, number=at, order=at, allocated=held[at]) for at, units in numbers.items()],
        [claim(at, n, location=to, order=of, line=of) for at, (of, to, n) in enumerate(wanted, 1)],
        floor=FloorFacts(bins={(CHAIR, LEEDS, code): units for code, units in (bins or {}).items()}),
        locations={at: replace(place, checks_quality=checks) for at, place in LOCATIONS.items()},
    )
    made.floor.ids = count(1_000)
    assert all(one.flagged == 0 for one in levels), "begin with what is backed"
    return made


def with_status(one: Order, lines: Iterable[OrderLine]) -> Order:
    status = allocation_status(one.status, [line for line in lines if line.order == one.id])
    return order(
        one.id,
        status=one.status,
        allocation_status=status,
        policy=one.shipping_policy,
        priority=one.priority,
        version=one.version,
    )


def wants(
    order: int,
    *wanted: tuple[ItemId, int],
    gives_back: Sequence[Take] = (),
    whole: bool = False,
    not_asked_for: int = 0,
    sourcing: Sourcing = BY_RANK,
    asks: tuple[Ask, ...] = (),
) -> OpenOrder:
    """An order that asks for (item, quantity); its lines are numbered from order * 10."""
    return OpenOrder(
        order=OrderId(order),
        asks=asks or tuple(Ask(LineId(order * 10 + at), item, quantity) for at, (item, quantity) in enumerate(wanted)),
        sourcing=sourcing,
        gives_back=tuple(gives_back),
        all_or_nothing=whole,
        not_asked_for=not_asked_for,
    )


def stock(*levels: StockLevel, ranks: Mapping[LocationId, int] = RANKS) -> StockView:
    return StockView(levels, ranks, LOCATIONS)


def taken(decision: Plan) -> list[tuple[int, str, str, int]]:
    """Order, SKU, location and units of every take, in sequence."""
    return [
        (order.order, SKUS[take.item], LOCATIONS[take.location].code, take.quantity)
        for order in decision.orders
        for take in order.takes
    ]


# ---------------------------------------------------------------- through the services

_numbers = count(1)


def a_key() -> str:
    """An idempotency key that nobody has used."""
    return uuid4().hex


async def a_catalog(database: PostgresDatabase, caller: Caller, stock: Mapping[tuple[str, str], int]) -> None:
    """Items, locations and stock by (SKU, location); locations are tried in the order in which they appear."""
    skus = dict.fromkeys(sku for sku, _ in stock)
    places = dict.fromkeys(place for _, place in stock)
    await save_items(database, [{"sku": sku, "name": sku.title()} for sku in skus])
    ranked = enumerate(places)
    await save_locations(database, [{"code": code, "name": code.title(), "rank": rank} for rank, code in ranked])
    for place in places:
        units = {sku: units for (sku, at), units in stock.items() if at == place and units}
        if units:
            await received(database, caller, units, location=place)


async def a_bundle(database: PostgresDatabase, sku: str, units: Mapping[str, int]) -> None:
    """An item that is made of so many units of others."""
    await save_items(database, [{"sku": sku, "name": sku.title(), "components": list(units.items())}])


HOME = Address(line1="12 St James's Square", city="London", postal_code="SW1Y 4JH", country_code="GB")
"""Where a courier finds somebody."""


async def placed(
    database: PostgresDatabase,
    caller: Caller,
    lines: Mapping[str, int] | Sequence[tuple[str, int]],
    *,
    number: str | None = None,
    channel: str = "SHOP",
    key: str | None = None,
    status: OrderStatus = OrderStatus.FINALIZED,
    policy: ShippingPolicy = ShippingPolicy.SHIP_AVAILABLE,
    priority: int = 0,
    ship_to: Address | None = None,
    reservation: ReservationId | None = None,
) -> OrderId:
    """An order of {sku: quantity}, or of (sku, quantity) where a SKU repeats. `reservation`: the cart it was."""
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    new = NewOrder(
        channel=channel,
        number=number or f"T-{next(_numbers)}",
        lines=tuple(NewLine(sku=Sku(sku), quantity=quantity) for sku, quantity in pairs),
        status=status,
        terms=OrderTerms(shipping_policy=policy, priority=priority, ship_to=ship_to),
    )
    by = None if reservation is None else cart_by_id(reservation)
    return (await place_order(Desk(database), caller, new, key or a_key(), reservation=by)).order


async def reserved(
    database: PostgresDatabase,
    caller: Caller,
    units: Mapping[str, int],
    *,
    seconds: int = 900,
    locations: tuple[str, ...] | None = None,
    channel: str | None = None,
    key: str | None = None,
) -> ReservationId:
    """A cart that holds these units."""
    lines = tuple(ReservedUnits(sku=Sku(sku), quantity=quantity) for sku, quantity in units.items())
    command = ReserveStock(lines=lines, locations=locations, channel=channel, expires_in_seconds=seconds)
    return (await reserve_stock(Desk(database), caller, command, key or a_key())).reservation


async def released(
    database: PostgresDatabase, caller: Caller, reservation: ReservationId, *, key: str | None = None
) -> None:
    await release_reservation(Desk(database), caller, cart_by_id(reservation), key or a_key())


async def run_out(database: PostgresDatabase, *reservations: ReservationId) -> None:
    """The time of these carts is over by the database's clock."""
    over = "UPDATE stock_reservations SET expires_at = clock_timestamp() WHERE id = ANY(:ids)"
    async with database.engine.begin() as connection:
        await connection.execute(text(over), {"ids": list(reservations)})


async def allocated(
    database: PostgresDatabase,
    caller: Caller,
    *orders: OrderId,
    key: str | None = None,
    locations: tuple[str, ...] | None = None,
) -> tuple[OrderOutcome, ...]:
    """Run allocation over the orders in this sequence."""
    command = AllocateOrders(orders=tuple(AllocateOrder(order=by_id(order)) for order in orders), locations=locations)
    return (await allocate_orders(Desk(database), caller, command, key or a_key())).results


async def deallocated(database: PostgresDatabase, caller: Caller, *orders: OrderId) -> tuple[OrderOutcome, ...]:
    command = DeallocateOrders(orders=tuple(map(by_id, orders)))
    return (await deallocate_orders(Desk(database), caller, command, a_key())).results


async def received(
    database: PostgresDatabase, caller: Caller, units: Mapping[str, int], *, location: str = "LEEDS"
) -> None:
    lines = tuple(ReceivedLine(sku=sku, quantity=quantity) for sku, quantity in units.items())
    await receive_stock(Desk(database), caller, ReceiveStock(location=location, lines=lines), a_key())


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def received_lines(units: Mapping[str, int]) -> tuple[ReceivedLine, ...]:
    return tuple(ReceivedLine(sku=sku, quantity=quantity) for sku, quantity in units.items())


def by_reference(supply: str) -> SupplyReference:
    return SupplyReference(reference=supply)


async def expected(
    database: PostgresDatabase,
    caller: Caller,
    units: Mapping[str, int],
    *,
    reference: str = "PO",
    location: str = "LEEDS",
    at: datetime = NOON,
    key: str | None = None,
) -> SupplyId:
    """A purchase order."""
    command = ExpectSupply(reference=reference, location=location, expected_at=at, lines=received_lines(units))
    return (await expect_supply(Desk(database), caller, command, key or a_key())).supply


async def sent(
    database: PostgresDatabase,
    caller: Caller,
    units: Mapping[str, int],
    *,
    reference: str = "T",
    ends: tuple[str, str] = ("LEEDS", "YORK"),
    at: datetime = NOON,
    key: str | None = None,
) -> StockOutcome:
    """A transfer, in transit."""
    command = StartTransfer(
        reference=reference, from_location=ends[0], to_location=ends[1], expected_at=at, lines=received_lines(units)
    )
    return await start_transfer(Desk(database), caller, command, key or a_key())


async def received_of(
    database: PostgresDatabase,
    caller: Caller,
    supply: str,
    units: Mapping[str, int],
    *,
    location: str = "LEEDS",
    key: str | None = None,
) -> StockOutcome:
    """Units of a supply have arrived."""
    command = ReceiveSupply(supply=by_reference(supply), location=location, lines=received_lines(units))
    return await receive_supply(Desk(database), caller, command, key or a_key())


async def canceled(database: PostgresDatabase, caller: Caller, supply: str, *, key: str | None = None) -> None:
    command = CancelSupply(supply=by_reference(supply), reason="the supplier said so")
    await cancel_supply(Desk(database), caller, command, key or a_key())


async def closed(database: PostgresDatabase, caller: Caller, supply: str) -> None:
    command = CloseSupply(supply=by_reference(supply), reason="the lorry is empty")
    await close_supply(Desk(database), caller, command, a_key())


async def rescheduled(database: PostgresDatabase, caller: Caller, supply: str, at: datetime) -> None:
    command = RescheduleSupply(supply=by_reference(supply), expected_at=at)
    await reschedule_supply(Desk(database), caller, command, a_key())


async def counted_then(
    database: PostgresDatabase, caller: Caller, at: datetime, units: Mapping[str, int], *, location: str = "LEEDS"
) -> StockOutcome:
    """Somebody says what they counted at a moment."""
    lines = tuple(CountedLine(sku=sku, counted=counted) for sku, counted in units.items())
    return await count_stock(Desk(database), caller, CountStock(location=location, counted_at=at, lines=lines), a_key())


async def clock(database: PostgresDatabase) -> datetime:
    """The database's: later than everything before."""
    return (await database.read(lambda uow: uow.stock.since([], NOON))).now


async def supply_now(database: PostgresDatabase, reference: str) -> SupplyView:
    (found,) = await database.read(lambda uow: uow.supplies.resolve([by_reference(reference)]))
    assert found is not None
    (view,) = await database.read(lambda uow: uow.supplies.by_ids([found]))
    return view


async def counted(
    database: PostgresDatabase,
    caller: Caller,
    units: Mapping[str, int],
    *,
    location: str = "LEEDS",
    quantity: StockQuantity = StockQuantity.ON_HAND,
) -> None:
    """Somebody counted: from now on a quantity of these SKUs is this."""
    lines = tuple(AdjustedLine(sku=sku, counted=units) for sku, units in units.items())
    command = AdjustStock(location=location, lines=lines, reason=AdjustmentReason.COUNT, quantity=quantity)
    await adjust_stock(Desk(database), caller, command, a_key())


async def edited(
    database: PostgresDatabase,
    caller: Caller,
    order: OrderId,
    *,
    quantities: Mapping[LineId, int] | None = None,
    added: Mapping[str, int] | None = None,
    **terms: Any,
) -> None:
    changed = tuple(LineQuantity(line=line, quantity=units) for line, units in (quantities or {}).items())
    new = tuple(NewLine(sku=Sku(sku), quantity=units) for sku, units in (added or {}).items())
    await edit_order(Desk(database), caller, EditOrder(order=by_id(order), lines=changed + new, terms=terms), a_key())


async def finalized(database: PostgresDatabase, caller: Caller, order: OrderId) -> None:
    await finalize_order(Desk(database), caller, by_id(order), a_key())


async def voided(database: PostgresDatabase, caller: Caller, order: OrderId) -> None:
    await void_order(Desk(database), caller, by_id(order), "changed their mind", a_key())


def by_id(order: OrderId) -> OrderReference:
    return OrderReference(id=order)


def cart_by_id(reservation: ReservationId) -> ReservationReference:
    return ReservationReference(id=reservation)


# ---------------------------------------------------------------- what is there now


async def cart_now(
    database: PostgresDatabase, reservation: ReservationId
) -> tuple[ReservationView, list[ReservedLineView]]:
    (view,) = await database.read(lambda uow: uow.reservations.by_ids([reservation]))
    return view, await database.read(lambda uow: uow.reservations.lines_of([reservation]))


async def cart_states(database: PostgresDatabase, *reservations: ReservationId) -> list[ReservationState]:
    views = {view.id: view for view in await database.read(lambda uow: uow.reservations.by_ids(reservations))}
    return [views[reservation].state_now for reservation in reservations]


async def order_now(database: PostgresDatabase, order: OrderId) -> OrderView:
    (view,) = await database.read(lambda uow: uow.orders.by_ids([order]))
    return view


async def status_now(database: PostgresDatabase, order: OrderId) -> AllocationStatus | None:
    return (await order_now(database, order)).allocation_status


async def statuses_now(database: PostgresDatabase, *orders: OrderId) -> list[AllocationStatus | None]:
    views = {view.id: view for view in await database.read(lambda uow: uow.orders.by_ids(orders))}
    return [views[order].allocation_status for order in orders]


async def lines_now(database: PostgresDatabase, order: OrderId) -> list[LineView]:
    return await database.read(lambda uow: uow.orders.lines_of([order]))


async def claims_now(database: PostgresDatabase, order: OrderId) -> list[AllocationView]:
    """What is set aside for the order, the oldest first."""
    lines = [line.id for line in await lines_now(database, order)]
    return await database.read(lambda uow: uow.orders.allocations_of(lines))


async def level_now(database: PostgresDatabase, sku: str, location: str = "LEEDS") -> LevelView:
    items = await database.read(lambda uow: uow.catalog.items_by_sku([sku]))
    places = {place.code: place.id for place in await database.read(lambda uow: uow.catalog.locations())}
    (view,) = await database.read(lambda uow: uow.stock.levels_at([(items[Sku(sku)], places[location])]))
    return view


async def quantities_now(database: PostgresDatabase, sku: str, location: str = "LEEDS") -> tuple[int, int, int, int]:
    """On hand, committed, available and overallocated."""
    view = await level_now(database, sku, location)
    return view.on_hand, view.committed, view.available, view.overallocated


async def events_now(engine: AsyncEngine, kind: Callable[..., Event] | None = None) -> list[Any]:
    """Every event of this kind as it was written, numbered or not."""
    table = metadata.tables["events"]
    async with engine.connect() as connection:
        rows = await connection.execute(select(table.c.type, table.c.payload).order_by(table.c.id))
        found = [event_from(row.type, row.payload) for row in rows]
    return found if kind is None else [event for event in found if type(event) is kind]


async def everything(engine: AsyncEngine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table: two of these are equal when nothing was written in between."""
    async with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }
