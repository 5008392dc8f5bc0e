"""Place, edit, finalize and void: the operations that a merchant decides on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.allocating import OrderToAllocate, Terms, allocate
from domain.allocation import Claim
from domain.batch import Batch
from domain.bundles import Bundle, ComponentLine
from domain.changes import PlacedLine
from domain.errors import (
    NotFound,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderVersionConflict,
    QuantityAlreadyShipped,
)
from domain.fulfilling import cancel_all
from domain.fulfillments import GONE, FulfillmentLine
from domain.ids import ItemId, LineId, OrderId, Sku
from domain.kinds import AllocationCause, AllocationEnd, AllocationStatus, FulfillmentState, OrderChange
from domain.orders import (
    EDITABLE,
    TRANSITIONS,
    NewLine,
    NewOrder,
    Order,
    OrderLine,
    OrderTerms,
    states_that_allow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What shall be different about an order. `quantities`: the new quantity of existing lines; 0 cancels the line.

    `bundles`: what the components among the added lines are bought as.
    """

    quantities: tuple[tuple[LineId, int], ...] = ()
    added: tuple[NewLine, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    terms: OrderTerms | None = None


def place(
    batch: Batch,
    order: OrderId,
    lines: Iterable[LineId],
    items: Mapping[Sku, ItemId],
    new: NewOrder,
    bundles: Iterable[Bundle] = (),
) -> None:
    """Place a new order with the ids that were reserved for it and its lines.

    `bundles`: what the components among the lines are bought as, where nobody has bought it yet.
    """
    for bundle in bundles:
        batch.add_bundle(bundle)
    placed = Order(
        id=order,
        number=new.number,
        channel=new.channel,
        status=new.status,
        allocation_status=AllocationStatus.UNALLOCATED,
        shipping_policy=new.terms.shipping_policy,
        priority=new.terms.priority,
        version=0,
        ship_to=new.terms.ship_to,
    )
    batch.place(placed, new, _placed_lines(order, 0, lines, items, new.lines))


def edit(batch: Batch, order_id: OrderId, edit: Edit, lines: Iterable[LineId], items: Mapping[Sku, ItemId]) -> None:
    """Change lines and terms. What is then allocated beyond a line's open quantity is given back, the latest first.

    For an order that had everything, what is added is asked for at once. What it holds, it keeps, also where it is to
    be shipped complete and the addition is not all there: then nothing of the addition is taken, and all of it waits.
    """
    order = batch.orders[order_id]
    if order.status not in EDITABLE:
        raise OrderNotInState(order=order_id, allowed=EDITABLE)
    had_everything = batch.status_of(order_id) is AllocationStatus.ALLOCATED
    existing = {line.id: line for line in batch.lines_of(order_id)}
    _refuse_lines(order_id, existing, edit.quantities)
    _refuse_packed(batch, order_id, edit.quantities)
    for line_id, quantity in edit.quantities:
        _set_quantity(batch, existing[line_id], quantity)
    for bundle in edit.bundles:
        batch.add_bundle(bundle)
    for placed in _placed_lines(order_id, len(existing), lines, items, edit.added):
        batch.add_line(placed)
    if edit.terms:
        terms = edit.terms
        order = replace(order, priority=terms.priority, shipping_policy=terms.shipping_policy, ship_to=terms.ship_to)
    batch.change_order(order, OrderChange.EDITED, edit.terms)
    if had_everything and batch.status_of(order_id) not in (AllocationStatus.ALLOCATED, None):
        allocate(batch, [OrderToAllocate(reference=f"Order:{order_id}", order=order_id)], Terms(each_line=False))
    batch.explain(order_id, AllocationCause.EDITED)


def finalize(batch: Batch, order_id: OrderId) -> None:
    """Confirm a draft: from now on it can be allocated."""
    batch.finalize(_move(batch.orders[order_id], "finalizeOrder"))


def void(batch: Batch, order_id: OrderId, reason: str) -> None:
    """Cancel what is open, and give back everything that was set aside; what has not left, stays.

    Raises OrderNotInState, and QuantityAlreadyShipped: what has left is returned, not canceled.
    """
    order = _move(batch.orders[order_id], "voidOrder")
    gone = [one for one in batch.floor.of(order_id) if one.state in GONE]
    if gone:
        lines = tuple(dict.fromkeys(line.line for one in gone for line in one.lines))
        raise QuantityAlreadyShipped(order=order_id, lines=lines)
    cancel_all(batch, order_id)
    for claim in batch.claims_of(order_id):
        batch.give_back(claim, claim.quantity, AllocationEnd.CANCELED, AllocationCause.CANCELED)
    for line in batch.lines_of(order_id):
        batch.change_line(replace(line, canceled=line.canceled + line.open))
    batch.void(order, reason)
    batch.explain(order_id, AllocationCause.CANCELED)


def expect_version(batch: Batch, order_id: OrderId, version: int | None) -> None:
    if version is not None and (batch.orders[order_id].version != version or batch.has_moved(order_id)):
        raise OrderVersionConflict(order=order_id)


def _move(order: Order, operation: str) -> Order:
    target = TRANSITIONS[order.status].get(operation)
    if target is None:
        raise OrderNotInState(order=order.id, allowed=states_that_allow(operation))
    return replace(order, status=target)


def _refuse_lines(order: OrderId, existing: dict[LineId, OrderLine], quantities: Sequence[tuple[LineId, int]]) -> None:
    strangers = [line for line, _ in quantities if line not in existing]
    if strangers:
        raise NotFound(references=tuple(strangers))
    gone = [line for line, units in quantities if units < existing[line].shipped + existing[line].dropshipped]
    if gone:
        raise QuantityAlreadyShipped(order=order, lines=tuple(gone))


def _refuse_packed(batch: Batch, order: OrderId, quantities: Sequence[tuple[LineId, int]]) -> None:
    """What is in a parcel is not edited away."""
    packed: Counter[LineId] = Counter()
    for line in _packed(batch, order):
        packed[line.line] += line.quantity
    for line_id, quantity in quantities:
        known = batch.lines[line_id]
        if packed[line_id] and quantity < known.shipped + known.dropshipped + packed[line_id]:
            raise OrderAlreadyReleased(order=order)


def _packed(batch: Batch, order: OrderId) -> list[FulfillmentLine]:
    return [line for one in batch.floor.of(order) if one.state is FulfillmentState.PACKED for line in one.lines]


def _set_quantity(batch: Batch, line: OrderLine, quantity: int) -> None:
    """0 cancels what is open and leaves the quantity readable; any other quantity replaces it."""
    if quantity:
        edited = replace(line, quantity=quantity, canceled=0)
    else:
        edited = replace(line, canceled=line.canceled + line.open)
    if edited.open > line.open:
        edited = replace(edited, looked_at=False)
    if edited != line:
        batch.change_line(edited)
    surplus = edited.allocated - edited.open
    claims = [claim for claim in batch.claims_of(line.order) if claim.line == line.id][::-1]
    for claim in _least_far_first(batch, claims) if batch.floor.of(line.order) else claims:
        units = min(surplus, claim.quantity)
        if units > 0:
            batch.give_back(claim, units, AllocationEnd.EDITED, AllocationCause.EDITED)
            surplus -= units


def _least_far_first(batch: Batch, claims: Sequence[Claim]) -> list[Claim]:
    """What nobody has begun to fetch is given back first, and what is in a parcel never has to be."""
    packed = {line.id for line in _packed(batch, claims[0].order)} if claims else set()

    def how_far(claim: Claim) -> tuple[bool, bool, bool]:
        return claim.fulfillment_line is not None, claim.picked > 0, claim.fulfillment_line in packed

    return sorted(claims, key=how_far)


def _placed_lines(
    order: OrderId, position: int, ids: Iterable[LineId], items: Mapping[Sku, ItemId], new: Sequence[NewLine]
) -> list[PlacedLine]:
    return [
        PlacedLine(line=_placed_line(line_id, order, items[line.sku], line), position=at, new=line)
        for at, (line_id, line) in enumerate(zip(ids, new, strict=True), start=position)
    ]


def _placed_line(line: LineId, order: OrderId, item: ItemId, new: NewLine) -> OrderLine:
    placed = OrderLine(id=line, order=order, item=item, sku=new.sku, quantity=new.quantity)
    if isinstance(new, ComponentLine):
        return replace(placed, bundle=new.bundle, bundle_units=new.bundle_units)
    return placed
