"""Ask goods back, receive them, say what becomes of each unit; and follow up on what was delivered."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.batch import Batch
from domain.errors import (
    InputProblem,
    InvalidInput,
    NothingDelivered,
    QuantityNotReturnable,
    ReturnedQuantity,
)
from domain.ids import LineId, LocationId, OrderId, ReturnId, ReturnLineId
from domain.kinds import (
    AllocationCause,
    FollowUpOutcome,
    InspectionOutcome,
    MovementCause,
    OrderChange,
    ReturnReason,
    StockQuantity,
)
from domain.returns import Inspection, NewFollowUp, Return, ReturnLine, is_delivered, require, returnable
from domain.stocking import StockChange, apply

KEPT = (InspectionOutcome.RESELL, InspectionOutcome.QUARANTINE)
"""What becomes stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBack:
    """Units of an order line that shall come back."""

    line: LineId
    quantity: int
    reason: ReturnReason
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What becomes of units that came back. `location`: where they are put, unless they are discarded."""

    line: ReturnLineId
    quantity: int
    outcome: InspectionOutcome
    location: LocationId | None = None
    note: str | None = None


def request(batch: Batch, order: OrderId, location: LocationId, wanted: Sequence[WantedBack]) -> ReturnId:
    """Units that have left shall come back to the location. Raises QuantityNotReturnable."""
    free = returnable(batch.floor.of(order), batch.returns_of(order))
    total: Counter[LineId] = Counter()
    for one in wanted:
        total[one.line] += one.quantity
    _refuse(order, ((line, units, free[line]) for line, units in total.items()))
    ids = batch.floor.ids
    made = Return(
        id=ReturnId(next(ids)),
        order=order,
        location=location,
        lines=tuple(
            ReturnLine(
                id=ReturnLineId(next(ids)),
                line=one.line,
                item=batch.lines[one.line].item,
                quantity=one.quantity,
                reason=one.reason,
                note=one.note,
            )
            for one in wanted
        ),
    )
    batch.change_return(made)
    return made.id


def receive(
    batch: Batch, return_id: ReturnId, units: Mapping[ReturnLineId, int] | None, location: LocationId | None = None
) -> None:
    """Units of it came; None: all that was still to come. They are no stock before somebody has looked at them.

    `location`: where they came, if not where they were expected. Raises ReturnNotInState, QuantityNotReturnable.
    """
    one = batch.returns[return_id]
    require(one, "receiveReturn")
    lines = {line.id: line for line in one.lines}
    if units is None:
        units = {line.id: line.expected for line in one.lines}
    _refuse(one.order, ((lines[line].line, count, lines[line].expected) for line, count in units.items()))
    one = one.with_lines({line: lines[line].came(count) for line, count in units.items()})
    batch.change_return(replace(one, location=one.location if location is None else location))


def inspect(batch: Batch, return_id: ReturnId, judged: Sequence[Judged]) -> None:
    """Say what becomes of units that came: what can be sold again is on hand from now on, what needs another look is
    on hand in quality control, and what is discarded never is.

    Raises ReturnNotInState, QuantityNotReturnable, and InvalidInput for what has no stock of its own any more.
    """
    one = batch.returns[return_id]
    require(one, "inspectReturn")
    lines = {line.id: line for line in one.lines}
    total: Counter[ReturnLineId] = Counter()
    for units in judged:
        total[units.line] += units.quantity
    _refuse(one.order, ((lines[line].line, count, lines[line].to_inspect) for line, count in total.items()))
    _refuse_bundles(batch, lines, judged)
    places = [units.location or one.location for units in judged]
    _restock(batch, one, lines, judged, places)
    for units, place in zip(judged, places, strict=True):
        lines[units.line] = lines[units.line].judged(units.outcome, units.quantity)
        batch.note_inspection(
            Inspection(
                line=units.line,
                outcome=units.outcome,
                quantity=units.quantity,
                location=place if units.outcome in KEPT else None,
                note=units.note,
                actor=batch.actor,
                request=batch.request,
            )
        )
    batch.change_return(one.with_lines(lines))


def _restock(
    batch: Batch,
    one: Return,
    lines: Mapping[ReturnLineId, ReturnLine],
    judged: Sequence[Judged],
    places: Sequence[LocationId],
) -> None:
    changes: list[StockChange] = []
    for units, place in zip(judged, places, strict=True):
        if units.outcome in KEPT:
            item = lines[units.line].item
            changes.append(StockChange(item=item, location=place, delta=units.quantity))
            if units.outcome is InspectionOutcome.QUARANTINE:
                apart = StockQuantity.QUALITY_CONTROL
                cause = MovementCause.RETURN_INSPECTED
                changes.append(
                    StockChange(item=item, location=place, quantity=apart, delta=units.quantity, cause=cause)
                )
    apply(batch, changes, MovementCause.RETURNED, AllocationCause.RETURNED, reference_of(one.id))


def reference_of(one: ReturnId) -> str:
    """Under which the stock ledger knows it."""
    return f"Return {one}"


def cancel(batch: Batch, return_id: ReturnId, reason: str | None = None) -> None:
    """What has not come is not expected any more, and can be asked back anew. Raises ReturnNotInState."""
    one = batch.returns[return_id]
    require(one, "cancelReturn")
    lines = tuple(line.given_up() for line in one.lines)
    batch.change_return(replace(one, lines=lines, cancel_reason=reason or one.cancel_reason))


def follow_up(batch: Batch, order: OrderId, outcome: FollowUpOutcome, note: str | None) -> None:
    """Write down what was heard of the customer. Raises NothingDelivered."""
    if not is_delivered(batch.floor.of(order)):
        raise NothingDelivered(order=order)
    batch.note_follow_up(NewFollowUp(order=order, outcome=outcome, note=note, actor=batch.actor, request=batch.request))
    batch.note(order, OrderChange.FOLLOWED_UP)


def _refuse(order: OrderId, asked: Iterable[tuple[LineId, int, int]]) -> None:
    """Of each order line: how many units are asked for, and how many there are."""
    too_many = tuple(
        ReturnedQuantity(line=line, requested=units, returnable=there) for line, units, there in asked if units > there
    )
    if too_many:
        raise QuantityNotReturnable(order=order, lines=too_many)


def _refuse_bundles(batch: Batch, lines: Mapping[ReturnLineId, ReturnLine], judged: Sequence[Judged]) -> None:
    """An item that was sold by itself, and became a bundle since, has no stock to come back to."""
    told = "This is a bundle by now and has no stock of its own: discard the units here, and receive its components."
    problems = tuple(
        InputProblem(path=("input", "lines", str(at), "outcome"), code="BUNDLE", message=told)
        for at, units in enumerate(judged)
        if units.outcome in KEPT and lines[units.line].item in batch.bundles
    )
    if problems:
        raise InvalidInput(problems=problems)
