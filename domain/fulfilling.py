"""Release, cancel, check, pack, ship and deliver: what becomes of the goods of an order that is allocated."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.allocating import OrderToAllocate, Terms, allocate
from domain.allocation import Claim
from domain.barcodes import serials, sscc
from domain.batch import Batch
from domain.errors import (
    FulfillmentNotInState,
    InputProblem,
    InvalidInput,
    Obstacle,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderNotReleasable,
)
from domain.fulfillments import (
    TRANSITIONS,
    UNDER_WAY,
    Fulfillment,
    FulfillmentLine,
    Parcel,
    PickTask,
    Shipping,
    states_that_allow,
)
from domain.ids import (
    FulfillmentId,
    FulfillmentLineId,
    LineId,
    LocationId,
    OrderId,
    ParcelId,
    PickListId,
    PickTaskId,
)
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    AllocationStatus,
    CheckFailure,
    FulfillmentKind,
    FulfillmentState,
    MovementCause,
    OrderChange,
    ReleaseObstacle,
    ShippingPolicy,
    StockQuantity,
)
from domain.orders import ALLOCATABLE
from domain.stocking import StockChange, apply

STOCK_OBSTACLES: Mapping[AllocationStatus | None, Obstacle] = {
    None: Obstacle(code=ReleaseObstacle.NOT_ALLOCATED, message="Nothing of it is open any more."),
    AllocationStatus.UNALLOCATED: Obstacle(
        code=ReleaseObstacle.NOT_ALLOCATED, message="Nothing is set aside for it: allocate it first."
    ),
    AllocationStatus.COULD_NOT_ALLOCATE: Obstacle(
        code=ReleaseObstacle.NOT_ALLOCATED, message="A run found no stock for it: wait for more, or edit the order."
    ),
    AllocationStatus.OVERALLOCATED: Obstacle(
        code=ReleaseObstacle.OVERALLOCATED, message="Stock that was set aside is gone: allocate it again."
    ),
}


# ---------------------------------------------------------------- release


def release(
    batch: Batch, order_id: OrderId, now: datetime, found: Sequence[Obstacle] = (), *, partial: bool = False
) -> list[FulfillmentId]:
    """Send what is set aside for the order to the warehouses, a fulfillment for each location.

    `found`: what else keeps it from being released. `partial`: what is there goes, though some is short.

    Raises OrderNotInState, and OrderNotReleasable with every reason.
    """
    order = batch.orders[order_id]
    if order.status not in ALLOCATABLE:
        raise OrderNotInState(order=order_id, allowed=ALLOCATABLE)
    waiting = [claim for claim in batch.claims_of(order_id) if claim.fulfillment_line is None]
    status, policy = batch.status_of(order_id), order.shipping_policy
    obstacles = (*found, *stock_obstacles(status, policy, waits=bool(waiting), partial=partial))
    if obstacles:
        raise OrderNotReleasable(order=order_id, obstacles=obstacles)
    made = send_out(batch, waiting, now)
    if made:
        whole = status is AllocationStatus.ALLOCATED
        batch.note(order_id, OrderChange.RELEASED if whole else OrderChange.RELEASED_IN_PART)
    return made


def stock_obstacles(
    status: AllocationStatus | None, policy: ShippingPolicy, *, waits: bool, partial: bool
) -> Iterable[Obstacle]:
    """What of its stock keeps an order from being released. `waits`: something is set aside that was not yet."""
    if status in STOCK_OBSTACLES:
        yield STOCK_OBSTACLES[status]
    elif status is AllocationStatus.PARTIALLY_ALLOCATED:
        complete = policy is ShippingPolicy.SHIP_COMPLETE
        if complete or not partial:
            told = "it ships complete" if complete else "release it partially, split it"
            message = f"Some of it is short: {told}, or wait for stock."
            yield Obstacle(code=ReleaseObstacle.PARTIALLY_ALLOCATED, message=message)
        elif not waits:
            message = "What is set aside is released already, and the rest is short."
            yield Obstacle(code=ReleaseObstacle.NOT_ALLOCATED, message=message)


def send_out(
    batch: Batch, claims: Sequence[Claim], now: datetime, into: Fulfillment | None = None, on: PickListId | None = None
) -> list[FulfillmentId]:
    """Send claims of one order out: a fulfillment for each location, and tasks for its pickers.

    `into`: a fulfillment that takes what is at its location. `on`: the pick list that its new tasks go on.
    """
    made: list[FulfillmentId] = []
    at: defaultdict[LocationId, list[Claim]] = defaultdict(list)
    for claim in claims:
        at[claim.location].append(claim)
    for location, here in at.items():
        if into is not None and into.location == location:
            _add(batch, batch.floor.fulfillments[into.id], here, on)
        else:
            made.append(_new(batch, location, here, now))
    return made


def _new(batch: Batch, location: LocationId, claims: Sequence[Claim], now: datetime) -> FulfillmentId:
    place = batch.locations[location]
    ship_at = now + timedelta(hours=place.handling_hours)
    fulfillment = Fulfillment(
        id=FulfillmentId(next(batch.floor.ids)),
        order=claims[0].order,
        location=location,
        estimated_ship_at=ship_at,
        estimated_delivery_at=ship_at + timedelta(hours=place.transit_hours),
    )
    batch.floor.add(fulfillment)
    _add(batch, fulfillment, claims, None)
    return fulfillment.id


def _add(batch: Batch, fulfillment: Fulfillment, claims: Sequence[Claim], on: PickListId | None) -> None:
    floor = batch.floor
    lines = {line.line: line for line in fulfillment.lines}
    added: dict[LineId, int] = defaultdict(int)
    for claim in claims:
        added[claim.line] += claim.quantity
        if claim.line not in lines:
            fresh = FulfillmentLineId(next(floor.ids))
            lines[claim.line] = FulfillmentLine(id=fresh, line=claim.line, item=claim.item, quantity=0)
        batch.send(claim, lines[claim.line].id)
    grown = {line: replace(known, quantity=known.quantity + added.get(line, 0)) for line, known in lines.items()}
    floor.change(replace(fulfillment, lines=tuple(grown.values())))
    for line, units in added.items():
        _ask_for(batch, fulfillment, grown[line], units, on)
    floor.settle(fulfillment.id)


def _ask_for(batch: Batch, fulfillment: Fulfillment, line: FulfillmentLine, units: int, on: PickListId | None) -> None:
    for code, here in batch.floor.where_to_pick(line.item, fulfillment.location, units):
        batch.floor.change_task(
            PickTask(
                id=PickTaskId(next(batch.floor.ids)),
                fulfillment=fulfillment.id,
                fulfillment_line=line.id,
                item=line.item,
                location=fulfillment.location,
                bin=code,
                quantity=here,
                list=on,
            )
        )


# ---------------------------------------------------------------- cancel


def cancel(batch: Batch, fulfillment_id: FulfillmentId) -> None:
    """Send it no longer. What is set aside stays so, and what was picked is put back; a supplier's units are open."""
    one = moved(batch, fulfillment_id, "cancelFulfillment")
    batch.floor.change(one)
    batch.floor.end_tasks(one.id)
    for line in one.lines:
        for claim in batch.claims_at(line.id):
            batch.send(batch.pick(claim, -claim.picked), None)
        if one.kind is FulfillmentKind.DROPSHIP:
            known = batch.lines[line.line]
            batch.change_line(replace(known, dropshipped=known.dropshipped - line.quantity, looked_at=False))
            batch.explain(one.order, AllocationCause.EDITED)


def cancel_all(batch: Batch, order: OrderId) -> None:
    """Whatever of the order has not left stays here."""
    for one in batch.floor.of(order):
        if "cancelFulfillment" in TRANSITIONS[one.state]:
            cancel(batch, one.id)


# ---------------------------------------------------------------- check


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedUnits:
    """Picked units of an order line that may not leave."""

    line: LineId
    quantity: int
    reason: CheckFailure


def check(batch: Batch, fulfillment_id: FulfillmentId, failed: Sequence[FailedUnits], now: datetime) -> None:
    """Say what the quality check found. What failed is unavailable from now on, and is picked again from elsewhere."""
    one = moved(batch, fulfillment_id, "checkFulfillment")
    lines = {line.line: line for line in one.lines}
    _refuse_failed(lines, failed)
    batch.floor.change(one)
    if not failed:
        return
    for units in failed:
        _set_apart(batch, one, lines[units.line], units)
    if batch.floor.fulfillments[one.id].state is not FulfillmentState.CANCELED:
        batch.floor.settle(one.id)
    missing: defaultdict[LineId, int] = defaultdict(int)
    for units in failed:
        missing[units.line] += units.quantity
    replace_units(batch, one, missing, now)


def _refuse_failed(lines: Mapping[LineId, FulfillmentLine], failed: Sequence[FailedUnits]) -> None:
    total: defaultdict[LineId, int] = defaultdict(int)
    problems = []
    for at, units in enumerate(failed):
        total[units.line] += units.quantity
        there = lines[units.line].quantity if units.line in lines else 0
        if total[units.line] > there:
            path = ("input", "failed", str(at), "quantity")
            message = f"The fulfillment has {there} units of this line: say at most so many."
            problems.append(InputProblem(path=path, code="OUT_OF_RANGE", message=message))
    if problems:
        raise InvalidInput(problems=tuple(problems))


def _set_apart(batch: Batch, one: Fulfillment, line: FulfillmentLine, failed: FailedUnits) -> None:
    left = failed.quantity
    for claim in reversed(batch.claims_at(line.id)):
        units = min(left, claim.quantity)
        if units:
            batch.give_back(claim, units, AllocationEnd.QUALITY_CHECK_FAILED, AllocationCause.QUALITY_CHECK_FAILED)
            left -= units
    change = StockChange(
        item=line.item, location=one.location, quantity=StockQuantity.QUALITY_CONTROL, delta=failed.quantity
    )
    cause = AllocationCause.QUALITY_CHECK_FAILED
    apply(batch, [change], MovementCause.QUALITY_CHECK_FAILED, cause, failed.reason)


def replace_units(
    batch: Batch, one: Fulfillment, missing: Mapping[LineId, int], now: datetime, on: PickListId | None = None
) -> list[FulfillmentId]:
    """Set so many other units aside for lines of a released order, and send them out too; the new fulfillments
    elsewhere.

    Nothing else of the order moves: what waits to be released has not been looked at yet, and goes on waiting.
    """
    known = {claim.id for claim in batch.claims_of(one.order)}
    lines = {line: batch.lines[line].allocated + units for line, units in missing.items()}
    wanted = OrderToAllocate(reference=f"Order:{one.order}", order=one.order, lines=lines)
    allocate(batch, [wanted], Terms(each_line=False, starts_over=False))
    fresh = [claim for claim in batch.claims_of(one.order) if claim.id not in known]
    left = batch.floor.fulfillments[one.id]
    if left.state is FulfillmentState.CANCELED and any(claim.location == one.location for claim in fresh):
        batch.floor.change(replace(left, state=FulfillmentState.PICKING))  # all of it was missing, and is replaced
    return send_out(batch, fresh, now, one, on)


# ---------------------------------------------------------------- pack


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParcel:
    """What goes into one parcel, by order line; None: everything. Weight in grams, dimensions in millimetres."""

    contents: tuple[tuple[LineId, int], ...] | None = None
    weight_grams: int | None = None
    length_mm: int | None = None
    width_mm: int | None = None
    height_mm: int | None = None


def pack(
    batch: Batch, fulfillment_id: FulfillmentId, parcels: Sequence[NewParcel], company_prefix: str | None = None
) -> FulfillmentId | None:
    """Put what was picked into parcels. What is in none of them becomes a fulfillment of its own, which is answered."""
    one = moved(batch, fulfillment_id, "packFulfillment")
    before = batch.floor.fulfillments[fulfillment_id]
    if batch.locations[one.location].checks_quality and before.state is not FulfillmentState.CHECKED:
        raise FulfillmentNotInState(fulfillment=one.id, allowed=(FulfillmentState.CHECKED,))
    lines = {line.line: line for line in one.lines}
    everything = tuple((line.line, line.quantity) for line in one.lines if line.quantity)
    contents = [everything if parcel.contents is None else parcel.contents for parcel in parcels]
    packed = _refuse_contents(lines, contents)
    rest = divide(batch, before, {line: known.quantity - packed[line] for line, known in lines.items()})
    batch.floor.change(replace(batch.floor.fulfillments[one.id], state=one.state))
    for number, (parcel, inside) in enumerate(zip(parcels, contents, strict=True), 1):
        fresh = ParcelId(next(batch.floor.ids))
        batch.floor.put_parcel(
            Parcel(
                id=fresh,
                fulfillment=one.id,
                number=number,
                contents=tuple((lines[line].id, units) for line, units in inside),
                weight_grams=parcel.weight_grams,
                length_mm=parcel.length_mm,
                width_mm=parcel.width_mm,
                height_mm=parcel.height_mm,
                sscc=_sscc(company_prefix, fresh),
            )
        )
    return rest


def _sscc(company_prefix: str | None, parcel: ParcelId) -> str | None:
    """Numbered like the parcel, and anew from 0 once all numbers are used: by then, years have gone by."""
    return None if company_prefix is None else sscc(0, company_prefix, parcel % serials(company_prefix))


def _refuse_contents(
    lines: Mapping[LineId, FulfillmentLine], contents: Sequence[Sequence[tuple[LineId, int]]]
) -> Mapping[LineId, int]:
    packed: defaultdict[LineId, int] = defaultdict(int)
    problems = []
    for at, inside in enumerate(contents):
        for index, (line, units) in enumerate(inside):
            packed[line] += units
            there = lines[line].quantity if line in lines else 0
            if packed[line] > there:
                path = ("input", "parcels", str(at), "contents", str(index), "quantity")
                message = f"The fulfillment has {there} units of this line: pack at most so many."
                problems.append(InputProblem(path=path, code="OUT_OF_RANGE", message=message))
    if problems:
        raise InvalidInput(problems=tuple(problems))
    return packed


def divide(batch: Batch, one: Fulfillment, rest: Mapping[LineId, int]) -> FulfillmentId | None:
    """Let so many units of each line become a fulfillment of their own, in the same state; None: there are none."""
    leaving = {line.line: rest.get(line.line, 0) for line in one.lines if rest.get(line.line, 0)}
    if not leaving:
        return None
    floor, by_line = batch.floor, {line.line: line for line in one.lines}
    fresh = {
        line: replace(by_line[line], id=FulfillmentLineId(next(floor.ids)), quantity=units, picked=units)
        if one.kind is FulfillmentKind.STOCK
        else replace(by_line[line], id=FulfillmentLineId(next(floor.ids)), quantity=units)
        for line, units in leaving.items()
    }
    part = replace(
        one,
        id=FulfillmentId(next(floor.ids)),
        lines=tuple(fresh.values()),
        version=0,
        divided_from=one.id,
        shipping=Shipping(),
        tracking_status=None,
        tracked_at=None,
    )
    kept = tuple(_less(line, leaving.get(line.line, 0)) for line in one.lines)
    floor.change(replace(one, lines=kept))
    floor.add(part)
    for line, units in leaving.items():
        _send_with(batch, by_line[line].id, fresh[line].id, units)
    return part.id


def _less(line: FulfillmentLine, units: int) -> FulfillmentLine:
    return replace(line, quantity=line.quantity - units, picked=max(0, line.picked - units))


def _send_with(batch: Batch, old: FulfillmentLineId, new: FulfillmentLineId, units: int) -> None:
    """The youngest claims go with the part."""
    for claim in reversed(batch.claims_at(old)):
        here = min(units, claim.quantity)
        if here:
            batch.divide_sent(claim, here, new)
            units -= here


# ---------------------------------------------------------------- label, ship and deliver


def label(
    batch: Batch, fulfillment_id: FulfillmentId, shipping: Shipping, labels: Mapping[ParcelId, tuple[str, str | None]]
) -> None:
    """A carrier will take the parcels: each has a tracking number now, and where the carrier's label is."""
    require_packed(batch, fulfillment_id)
    for parcel in batch.floor.parcels_of(fulfillment_id):
        if parcel.id in labels:
            number, url = labels[parcel.id]
            batch.floor.put_parcel(replace(parcel, tracking_number=number, label_url=url))
    batch.floor.change(replace(batch.floor.fulfillments[fulfillment_id], shipping=shipping))


def require_packed(batch: Batch, fulfillment_id: FulfillmentId) -> None:
    """Raises FulfillmentNotInState."""
    if batch.floor.fulfillments[fulfillment_id].state is not FulfillmentState.PACKED:
        raise FulfillmentNotInState(fulfillment=fulfillment_id, allowed=(FulfillmentState.PACKED,))


def ship(
    batch: Batch,
    fulfillment_id: FulfillmentId,
    shipping: Shipping,
    parcels: Mapping[ParcelId, str | None],
    at: datetime | None,
) -> FulfillmentId | None:
    """The parcels leave, and with them what was set aside and on hand. `parcels`: those that leave now, with their
    tracking numbers; none named: all of them. What stays is a fulfillment of its own, which is answered.
    """
    one = moved(batch, fulfillment_id, "shipFulfillment")
    before = batch.floor.fulfillments[fulfillment_id]
    if one.kind is FulfillmentKind.STOCK and before.state is FulfillmentState.RELEASED:
        raise FulfillmentNotInState(fulfillment=one.id, allowed=(FulfillmentState.PACKED,))
    rest = _leave_behind(batch, before, parcels)
    left = batch.floor.fulfillments[one.id]
    for parcel in batch.floor.parcels_of(one.id):
        number = parcels.get(parcel.id) or parcel.tracking_number or shipping.tracking_number
        batch.floor.put_parcel(replace(parcel, tracking_number=number))
    batch.floor.change(replace(left, state=one.state, shipping=_given(shipping, left.shipping), changed_at=at))
    for line in left.lines:
        for claim in batch.claims_at(line.id):
            batch.ship(claim, f"Fulfillment {one.id}")
    batch.note(one.order, OrderChange.SHIPPED)
    batch.explain(one.order, AllocationCause.SHIPPED)
    return rest


def _given(shipping: Shipping, known: Shipping) -> Shipping:
    """What is said now, and for the rest what was known."""
    return Shipping(
        carrier=shipping.carrier or known.carrier,
        service=shipping.service or known.service,
        tracking_number=shipping.tracking_number or known.tracking_number,
        tracking_url=shipping.tracking_url or known.tracking_url,
        postage=shipping.postage or known.postage,
    )


def _leave_behind(batch: Batch, one: Fulfillment, leaving: Mapping[ParcelId, str | None]) -> FulfillmentId | None:
    if not leaving:
        return None
    staying = [parcel for parcel in batch.floor.parcels_of(one.id) if parcel.id not in leaving]
    lines = {line.id: line.line for line in one.lines}
    rest: defaultdict[LineId, int] = defaultdict(int)
    for parcel in staying:
        for line, units in parcel.contents:
            rest[lines[line]] += units
    part = divide(batch, one, rest)
    if part is not None:
        fresh = {line.line: line.id for line in batch.floor.fulfillments[part].lines}
        for number, parcel in enumerate(staying, 1):
            contents = tuple((fresh[lines[line]], units) for line, units in parcel.contents)
            batch.floor.put_parcel(replace(parcel, fulfillment=part, number=number, contents=contents))
    return part


def deliver(batch: Batch, fulfillment_id: FulfillmentId, at: datetime | None) -> None:
    """The customer has it. The order is fulfilled once that is true of everything that was not canceled."""
    one = moved(batch, fulfillment_id, "deliverFulfillment")
    batch.floor.change(replace(one, changed_at=at))
    batch.note(one.order, OrderChange.DELIVERED)


def moved(batch: Batch, fulfillment: FulfillmentId, operation: str) -> Fulfillment:
    """The fulfillment as it is after the operation. Raises FulfillmentNotInState."""
    one = batch.floor.fulfillments[fulfillment]
    target = TRANSITIONS[one.state].get(operation)
    if target is None:
        raise FulfillmentNotInState(fulfillment=fulfillment, allowed=states_that_allow(operation))
    return replace(one, state=target, changed_at=None)


# ---------------------------------------------------------------- dropship


def require_not_released(batch: Batch, order_id: OrderId) -> None:
    """Raises OrderAlreadyReleased while any of the order is in the hands of a warehouse of ours."""
    ours = (one for one in batch.floor.of(order_id) if one.kind is FulfillmentKind.STOCK)
    if any(one.state in UNDER_WAY for one in ours):
        raise OrderAlreadyReleased(order=order_id)


def dropship(batch: Batch, order_id: OrderId, supplier: LocationId, quantities: Mapping[LineId, int]) -> FulfillmentId:
    """Let a supplier send open units of lines: they are open no longer, and what is set aside for them is free."""
    for line_id, units in quantities.items():
        line = batch.lines[line_id]
        surplus = line.allocated - (line.open - units)
        youngest_first = reversed([claim for claim in batch.claims_of(order_id) if claim.line == line_id])
        for claim in sorted(youngest_first, key=lambda claim: claim.fulfillment_line is not None):
            here = min(surplus, claim.quantity)
            if here > 0:
                batch.give_back(claim, here, AllocationEnd.DROPSHIPPED, AllocationCause.DROPSHIPPED)
                surplus -= here
        line = batch.lines[line_id]
        batch.change_line(replace(line, dropshipped=line.dropshipped + units))
    ids = batch.floor.ids
    lines = tuple(
        FulfillmentLine(id=FulfillmentLineId(next(ids)), line=line, item=batch.lines[line].item, quantity=units)
        for line, units in quantities.items()
    )
    one = Fulfillment(
        id=FulfillmentId(next(ids)), order=order_id, location=supplier, kind=FulfillmentKind.DROPSHIP, lines=lines
    )
    batch.floor.add(one)
    batch.note(order_id, OrderChange.DROPSHIPPED)
    batch.explain(order_id, AllocationCause.DROPSHIPPED)
    return one.id
