"""Cancel, check, dropship: what else becomes of the goods of an order on the warehouse floor."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.allocating import OrderToAllocate, Terms, allocate
from domain.batch import Batch
from domain.errors import FulfillmentNotInState, InputProblem, InvalidInput, OrderAlreadyReleased
from domain.fulfillments import TRANSITIONS, UNDER_WAY, Fulfillment, FulfillmentLine, states_that_allow
from domain.ids import FulfillmentId, FulfillmentLineId, LineId, LocationId, OrderId, PickListId
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    CheckFailure,
    FulfillmentKind,
    FulfillmentState,
    MovementCause,
    OrderChange,
    StockQuantity,
)
from domain.releasing import send_out
from domain.stocking import StockChange, apply

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
