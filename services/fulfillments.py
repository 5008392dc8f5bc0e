"""Release orders, and take their goods from the shelf to the door: cancel, check, pack, ship, deliver, dropship."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from domain import fulfilling, holding, packing, releasing, tracking
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import ORDER_LINES_MAX, ORDER_QUANTITY_MAX, Path, Problems
from domain.errors import DomainError, NotFound, OrderNotInState, OrderNotReleasable
from domain.fulfilling import FailedUnits
from domain.fulfillments import Shipping
from domain.ids import FulfillmentId, KeyId, LineId, OrderId, ParcelId, RowName
from domain.kinds import LocationKind
from domain.orders import ALLOCATABLE
from domain.packing import NewParcel
from domain.shipping import deliver, ship
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.performing import execute_one
from services.ports.database import Database
from services.ports.orders import OrderReference
from services.ports.unit_of_work import UnitOfWork
from services.references import checked_reference
from services.releasing import held, obstacles
from services.runs import within_bounds

UNKNOWN = Shipping()
RELEASED_MAX = 1_000
PARCELS_MAX = 100
MEASURE_MAX = 10_000_000
"""Grams or millimetres."""
RELEASER = Caller(key=KeyId(0), actor="dibs", request="release")
SWEPT_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReleased:
    """What became of one order of the input, at position `index` from 0; with a refusal, nothing did."""

    index: int
    order: OrderId | None
    fulfillments: tuple[FulfillmentId, ...] = ()
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What became of each order, in the sequence of the input."""

    results: tuple[OrderReleased, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentDone:
    """The fulfillment that a mutation was about, and the one that its rest became."""

    fulfillment: FulfillmentId
    rest: FulfillmentId | None = None


# ---------------------------------------------------------------- the commands, of input that was checked


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrders:
    """Send orders to the warehouses, the most urgent first. `partial`: also those of which some is short."""

    mutation: ClassVar[str] = "releaseOrders"
    outcome_type: ClassVar[Any] = Released
    orders: tuple[OrderReference, ...]
    partial: bool = False

    def needs(self) -> Needs:
        path = ("input", "orders")
        return Needs(orders=self.orders, views=True, standings=True, floor=True, last=True, path=path)

    def decide(self, batch: Batch, known: Known) -> Released:
        assert known.now is not None
        results = {
            index: self._release(batch, known, index) for index in sorted(range(len(self.orders)), key=_urgency(known))
        }
        return Released(results=tuple(results[index] for index in range(len(self.orders))))

    def _release(self, batch: Batch, known: Known, index: int) -> OrderReleased:
        order = known.orders[index]
        if order is None:
            return OrderReleased(index=index, order=None, refusal=NotFound(references=(str(self.orders[index]),)))
        assert known.now is not None
        try:
            terms = batch.terms_of(order) or known.views[order].terms
            found = obstacles(batch.totals_of(order).status, batch.standing_of(order).holds, terms.ship_to)
            made = releasing.release(batch, order, known.now, found, partial=self.partial)
        except DomainError as refusal:
            return OrderReleased(index=index, order=order, refusal=refusal)
        return OrderReleased(index=index, order=order, fulfillments=tuple(made))

    def conclude(self, outcome: Released, _: Changes) -> Released:
        return outcome


def _urgency(known: Known) -> Any:
    def key(index: int) -> tuple[int, datetime, int]:
        order = known.orders[index]
        if order is None:
            return 0, datetime.min.replace(tzinfo=UTC), index
        view = known.views[order]
        return -view.priority, view.placed_at, index

    return key


class _FulfillmentCommand:
    outcome_type: ClassVar[Any] = FulfillmentDone
    fulfillment: FulfillmentId

    def needs(self) -> Needs:
        return Needs(fulfillments=(self.fulfillment,), floor=True)

    def conclude(self, outcome: FulfillmentDone, _: Changes) -> FulfillmentDone:
        return outcome

    def done(self, rest: FulfillmentId | None = None) -> FulfillmentDone:
        return FulfillmentDone(fulfillment=self.fulfillment, rest=rest)

    def require_known(self, batch: Batch, known: Known, lines: Sequence[LineId] = ()) -> None:
        """Raises NotFound that names the fulfillment, or the lines that are not in it."""
        if self.fulfillment not in known.fulfillments:
            raise NotFound(references=(RowName("Fulfillment", self.fulfillment),))
        inside = {line.line for line in batch.floor.fulfillments[self.fulfillment].lines}
        strangers = tuple(line for line in dict.fromkeys(lines) if line not in inside)
        if strangers:
            raise NotFound(references=strangers)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFulfillment(_FulfillmentCommand):
    """Keep the goods here, until somebody says otherwise."""

    mutation: ClassVar[str] = "cancelFulfillment"
    fulfillment: FulfillmentId

    def needs(self) -> Needs:
        return Needs(fulfillments=(self.fulfillment,), floor=True, standings=True)

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        self.require_known(batch, known)
        fulfilling.cancel(batch, self.fulfillment)
        holding.hold_back(batch, batch.floor.fulfillments[self.fulfillment])
        return self.done()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFulfillment(_FulfillmentCommand):
    """Say what the quality check found; nothing failed: it is passed."""

    mutation: ClassVar[str] = "checkFulfillment"
    fulfillment: FulfillmentId
    failed: tuple[FailedUnits, ...] = ()

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        assert known.now is not None
        self.require_known(batch, known, [one.line for one in self.failed])
        fulfilling.check(batch, self.fulfillment, self.failed, known.now)
        return self.done()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFulfillment(_FulfillmentCommand):
    """Put what was picked into parcels. `company_prefix`: of GS1, for the numbers of the parcels."""

    mutation: ClassVar[str] = "packFulfillment"
    fulfillment: FulfillmentId
    parcels: tuple[NewParcel, ...]
    company_prefix: str | None = None

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        self.require_known(batch, known, [line for one in self.parcels for line, _ in one.contents or ()])
        return self.done(packing.pack(batch, self.fulfillment, self.parcels, self.company_prefix))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedParcel:
    """A parcel that leaves now."""

    parcel: ParcelId
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipFulfillment(_FulfillmentCommand):
    """Hand parcels to the carrier; none named: all of them."""

    mutation: ClassVar[str] = "shipFulfillment"
    fulfillment: FulfillmentId
    shipping: Shipping = UNKNOWN
    parcels: tuple[ShippedParcel, ...] = ()
    shipped_at: datetime | None = None

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        self.require_known(batch, known)
        inside = {parcel.id for parcel in batch.floor.parcels_of(self.fulfillment)}
        strangers = tuple(RowName("Parcel", one.parcel) for one in self.parcels if one.parcel not in inside)
        if strangers:
            raise NotFound(references=strangers)
        _refuse_future(self.shipped_at, known, "shippedAt")
        leaving = {one.parcel: one.tracking_number for one in self.parcels}
        rest = ship(batch, self.fulfillment, self.shipping, leaving, self.shipped_at)
        tracking.arrive(batch, self.fulfillment)  # the carrier may have said so before we did
        return self.done(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverFulfillment(_FulfillmentCommand):
    """The customer has it."""

    mutation: ClassVar[str] = "deliverFulfillment"
    fulfillment: FulfillmentId
    delivered_at: datetime | None = None

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        self.require_known(batch, known)
        _refuse_future(self.delivered_at, known, "deliveredAt")
        deliver(batch, self.fulfillment, self.delivered_at)
        return self.done()


def _refuse_future(moment: datetime | None, known: Known, name: str) -> None:
    assert known.now is not None
    if moment is not None and moment > known.now:
        problems = Problems()
        problems.add(("input", name), "OUT_OF_RANGE", f"This is in the future: it is {known.now:%Y-%m-%dT%H:%M:%SZ}.")
        problems.refuse()


@dataclass(frozen=True, slots=True, kw_only=True)
class DropshippedLine:
    """Units of a line that a supplier sends; None: all that is open."""

    line: LineId
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropshipOrder:
    """Let a supplier send an order, or lines of it; no lines named: all that is open."""

    mutation: ClassVar[str] = "dropshipOrder"
    outcome_type: ClassVar[Any] = FulfillmentDone
    order: OrderReference
    supplier: str
    lines: tuple[DropshippedLine, ...] = ()

    def needs(self) -> Needs:
        return Needs(orders=(self.order,), standings=True, floor=True)

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        (order,) = known.orders
        place = batch.location_of(self.supplier)
        unknown: list[str | LineId] = [] if order else [str(self.order)]
        if place is None:
            unknown.append(self.supplier)
        lines = {line.id: line for line in batch.lines_of(order)} if order else {}
        unknown += [one.line for one in self.lines if order and one.line not in lines]
        if unknown or order is None or place is None:
            raise NotFound(references=tuple(unknown))
        self._require_supplier(place.kind)
        wanted = self.lines or tuple(DropshippedLine(line=line.id) for line in lines.values() if line.open)
        quantities = {one.line: lines[one.line].open if one.quantity is None else one.quantity for one in wanted}
        problems = Problems()
        for index, (line, units) in enumerate(quantities.items()):
            path = ("input", "lines", str(index), "quantity") if self.lines else ("input", "order")
            problems.whole(units, path, 1, lines[line].open)
        if not quantities:
            problems.add(("input", "order"), "NOTHING_OPEN", "Nothing of this order is open.")
        if batch.orders[order].status not in ALLOCATABLE:
            raise OrderNotInState(order=order, allowed=ALLOCATABLE)
        fulfilling.require_not_released(batch, order)
        problems.refuse()
        if in_the_way := tuple(held(batch.standing_of(order).holds)):
            raise OrderNotReleasable(order=order, obstacles=in_the_way)
        return FulfillmentDone(fulfillment=fulfilling.dropship(batch, order, place.id, quantities))

    def _require_supplier(self, kind: LocationKind) -> None:
        if kind is not LocationKind.DROPSHIP:
            problems = Problems()
            told = "This location is ours: name one of kind DROPSHIP, as saveLocations keeps them."
            problems.add(("input", "supplier"), "NOT_A_SUPPLIER", told)
            problems.refuse()

    def conclude(self, outcome: FulfillmentDone, _: Changes) -> FulfillmentDone:
        return outcome


# ---------------------------------------------------------------- what a caller may ask for


async def release_orders(performer: Performer, caller: Caller, command: ReleaseOrders, key: str) -> Released:
    """Release orders; each has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    problems, path = Problems(), ("input", "orders")
    problems.size(len(command.orders), path, RELEASED_MAX)
    orders = tuple(checked_reference(problems, one, (*path, str(index))) for index, one in enumerate(command.orders))
    problems.distinct(map(str, orders), path, "Each order may stand here once.")
    problems.refuse()
    return await performer.perform(caller, replace(command, orders=orders), key)


async def cancel_fulfillment(
    performer: Performer, caller: Caller, command: CancelFulfillment, key: str
) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState."""
    return await performer.perform(caller, command, key)


async def check_fulfillment(
    performer: Performer, caller: Caller, command: CheckFulfillment, key: str
) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState."""
    problems, path = Problems(), ("input", "failed")
    problems.size(len(command.failed), path, ORDER_LINES_MAX, least=0)
    for index, one in enumerate(command.failed):
        problems.whole(one.quantity, (*path, str(index), "quantity"), 1, ORDER_QUANTITY_MAX)
    problems.refuse()
    return await performer.perform(caller, command, key)


async def pack_fulfillment(performer: Performer, caller: Caller, command: PackFulfillment, key: str) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState."""
    problems, path = Problems(), ("input", "parcels")
    problems.size(len(command.parcels), path, PARCELS_MAX)
    for index, parcel in enumerate(command.parcels):
        _check_parcel(problems, parcel, (*path, str(index)), alone=len(command.parcels) == 1)
    problems.refuse()
    return await performer.perform(caller, command, key)


def _check_parcel(problems: Problems, parcel: NewParcel, path: Path, *, alone: bool) -> None:
    if parcel.contents is None and not alone:
        problems.add((*path, "contents"), "REQUIRED", "Say what is in each of several parcels.")
    for index, (_, units) in enumerate(parcel.contents or ()):
        problems.whole(units, (*path, "contents", str(index), "quantity"), 1, ORDER_QUANTITY_MAX)
    if parcel.contents is not None:
        problems.size(len(parcel.contents), (*path, "contents"), ORDER_LINES_MAX)
        told = "Each line may stand here once."
        problems.distinct((line for line, _ in parcel.contents), (*path, "contents"), told)
    for name, value in (
        ("weightGrams", parcel.weight_grams),
        ("lengthMm", parcel.length_mm),
        ("widthMm", parcel.width_mm),
        ("heightMm", parcel.height_mm),
    ):
        if value is not None:
            problems.whole(value, (*path, name), 1, MEASURE_MAX)


async def ship_fulfillment(performer: Performer, caller: Caller, command: ShipFulfillment, key: str) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState."""
    problems = Problems()
    shipping = Shipping(
        carrier=problems.optional_text(command.shipping.carrier, ("input", "carrier")),
        service=problems.optional_text(command.shipping.service, ("input", "service")),
        tracking_number=problems.optional_text(command.shipping.tracking_number, ("input", "trackingNumber")),
        tracking_url=_web_address(problems, command.shipping.tracking_url, ("input", "trackingUrl")),
    )
    parcels = tuple(
        replace(
            one,
            tracking_number=problems.optional_text(
                one.tracking_number, ("input", "parcels", str(index), "trackingNumber")
            ),
        )
        for index, one in enumerate(command.parcels)
    )
    problems.distinct((one.parcel for one in parcels), ("input", "parcels"), "Each parcel may stand here once.")
    shipped_at = problems.time(command.shipped_at, ("input", "shippedAt"))
    problems.refuse()
    command = replace(command, shipping=shipping, parcels=parcels, shipped_at=shipped_at)
    return await performer.perform(caller, command, key)


def _web_address(problems: Problems, value: str | None, path: Path) -> str | None:
    """A link that people will click on."""
    url = problems.optional_text(value, path, 2_000)
    if url is not None and not url.startswith("https://"):
        problems.add(path, "NOT_A_LINK", "A link begins with https://.")
    return url


async def deliver_fulfillment(
    performer: Performer, caller: Caller, command: DeliverFulfillment, key: str
) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState."""
    problems = Problems()
    at = problems.time(command.delivered_at, ("input", "deliveredAt"))
    problems.refuse()
    return await performer.perform(caller, replace(command, delivered_at=at), key)


async def dropship_order(performer: Performer, caller: Caller, command: DropshipOrder, key: str) -> FulfillmentDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderNotInState, OrderAlreadyReleased; and
    OrderNotReleasable, while the order is on hold.
    """
    problems = Problems()
    order = checked_reference(problems, command.order, ("input", "order"))
    supplier = problems.code(command.supplier, ("input", "supplier"))
    problems.size(len(command.lines), ("input", "lines"), ORDER_LINES_MAX, least=0)
    problems.distinct((one.line for one in command.lines), ("input", "lines"), "Each line may stand here once.")
    problems.refuse()
    return await performer.perform(caller, replace(command, order=order, supplier=supplier), key)


async def release_what_is_ready(database: Database) -> bool:
    """Release orders of channels that let it happen by itself; whether there were any."""

    async def work(uow: UnitOfWork) -> bool:
        ready = await uow.fulfillments.ready(SWEPT_MAX)
        if not ready:
            return False
        orders = await within_bounds(uow, ready)
        command = ReleaseOrders(orders=tuple(OrderReference(id=order) for order in orders))
        done = await execute_one(uow, RELEASER, command)
        await uow.fulfillments.refused([one.order for one in done.results if one.refusal and one.order])
        return True

    return await database.run(work, repeatable=True)
