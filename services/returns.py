"""Ask goods back, receive and inspect them; and follow up on what was delivered."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain import returning
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import NOTE_LENGTH_MAX, ORDER_LINES_MAX, ORDER_QUANTITY_MAX, Path, Problems
from domain.errors import NotFound
from domain.ids import LineId, LocationId, OrderId, ReturnId, ReturnLineId, RowName
from domain.kinds import FollowUpOutcome, InspectionOutcome
from domain.returning import Judged, WantedBack
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.ports.orders import OrderReference
from services.references import checked_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDone:
    """The return that a mutation was about."""

    returned: ReturnId


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedUp:
    """The order that was followed up."""

    order: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedUnits:
    """Units of a return line that came."""

    line: ReturnLineId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedUnits:
    """Units of a return line that somebody has looked at. `location`: where they are put, by code."""

    line: ReturnLineId
    quantity: int
    outcome: InspectionOutcome
    location: str | None = None
    note: str | None = None


# ---------------------------------------------------------------- the commands, of input that was checked


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReturn:
    """Ask units of an order back that have left."""

    mutation: ClassVar[str] = "requestReturn"
    outcome_type: ClassVar[Any] = ReturnDone
    order: OrderReference
    location: str
    lines: tuple[WantedBack, ...]

    def needs(self) -> Needs:
        return Needs(orders=(self.order,), floor=True, with_returns=True, new_rows=1 + len(self.lines))

    def decide(self, batch: Batch, known: Known) -> ReturnDone:
        (order,) = known.orders
        place = batch.location_of(self.location)
        inside = {line.id for line in batch.lines_of(order)} if order else set()
        unknown: list[str | LineId] = [] if order else [str(self.order)]
        if place is None:
            unknown.append(self.location)
        if order:
            unknown += dict.fromkeys(one.line for one in self.lines if one.line not in inside)
        if unknown or order is None or place is None:
            raise NotFound(references=tuple(unknown))
        return ReturnDone(returned=returning.request(batch, order, place.id, self.lines))

    def conclude(self, outcome: ReturnDone, _: Changes) -> ReturnDone:
        return outcome


class _ReturnCommand:
    outcome_type: ClassVar[Any] = ReturnDone
    returned: ReturnId

    def needs(self) -> Needs:
        return Needs(returns=(self.returned,), floor=True)

    def conclude(self, outcome: ReturnDone, _: Changes) -> ReturnDone:
        return outcome

    def require_known(
        self, batch: Batch, known: Known, lines: Iterable[ReturnLineId] = (), codes: Iterable[str | None] = ()
    ) -> dict[str, LocationId]:
        """The locations by code. Raises NotFound that names everything unknown."""
        unknown: list[str | RowName] = []
        if self.returned not in known.returns:
            unknown.append(RowName("Return", self.returned))
        else:
            inside = {line.id for line in batch.returns[self.returned].lines}
            unknown += [RowName("ReturnLine", line) for line in dict.fromkeys(lines) if line not in inside]
        places = {code: batch.location_of(code) for code in codes if code is not None}
        unknown += [code for code, place in places.items() if place is None]
        if unknown:
            raise NotFound(references=tuple(unknown))
        return {code: place.id for code, place in places.items() if place}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveReturn(_ReturnCommand):
    """Units came back; `lines` None: all that was still to come. `location`: where, if elsewhere than expected."""

    mutation: ClassVar[str] = "receiveReturn"
    returned: ReturnId
    lines: tuple[ReceivedUnits, ...] | None = None
    location: str | None = None

    def decide(self, batch: Batch, known: Known) -> ReturnDone:
        places = self.require_known(batch, known, (one.line for one in self.lines or ()), (self.location,))
        units = None if self.lines is None else {one.line: one.quantity for one in self.lines}
        returning.receive(batch, self.returned, units, places[self.location] if self.location else None)
        return ReturnDone(returned=self.returned)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectReturn(_ReturnCommand):
    """Say what becomes of units that came back."""

    mutation: ClassVar[str] = "inspectReturn"
    returned: ReturnId
    lines: tuple[InspectedUnits, ...]

    def needs(self) -> Needs:
        return Needs(returns=(self.returned,), floor=True, path=("input", "return"))

    def decide(self, batch: Batch, known: Known) -> ReturnDone:
        places = self.require_known(
            batch, known, (one.line for one in self.lines), (one.location for one in self.lines)
        )
        judged = [
            Judged(
                line=one.line,
                quantity=one.quantity,
                outcome=one.outcome,
                location=places[one.location] if one.location else None,
                note=one.note,
            )
            for one in self.lines
        ]
        returning.inspect(batch, self.returned, judged)
        return ReturnDone(returned=self.returned)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReturn(_ReturnCommand):
    """Expect no more of it."""

    mutation: ClassVar[str] = "cancelReturn"
    returned: ReturnId
    reason: str | None = None

    def decide(self, batch: Batch, known: Known) -> ReturnDone:
        self.require_known(batch, known)
        returning.cancel(batch, self.returned, self.reason)
        return ReturnDone(returned=self.returned)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFollowUp:
    """Write down what was heard of the customer."""

    mutation: ClassVar[str] = "recordFollowUp"
    outcome_type: ClassVar[Any] = FollowedUp
    order: OrderReference
    outcome: FollowUpOutcome
    note: str | None = None

    def needs(self) -> Needs:
        return Needs(orders=(self.order,), floor=True)

    def decide(self, batch: Batch, known: Known) -> FollowedUp:
        (order,) = known.orders
        if order is None:
            raise NotFound(references=(str(self.order),))
        returning.follow_up(batch, order, self.outcome, self.note)
        return FollowedUp(order=order)

    def conclude(self, outcome: FollowedUp, _: Changes) -> FollowedUp:
        return outcome


# ---------------------------------------------------------------- what a caller may ask for


async def request_return(performer: Performer, caller: Caller, command: RequestReturn, key: str) -> ReturnDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, QuantityNotReturnable."""
    problems = Problems()
    order = checked_reference(problems, command.order, ("input", "order"))
    location = problems.code(command.location, ("input", "location"))
    problems.size(len(command.lines), ("input", "lines"), ORDER_LINES_MAX)
    lines = tuple(
        replace(one, note=_checked_units(problems, one.quantity, one.note, ("input", "lines", str(index))))
        for index, one in enumerate(command.lines)
    )
    problems.distinct(((one.line, one.reason) for one in lines), ("input", "lines"), "Each line once for a reason.")
    problems.refuse()
    return await performer.perform(caller, replace(command, order=order, location=location, lines=lines), key)


async def receive_return(performer: Performer, caller: Caller, command: ReceiveReturn, key: str) -> ReturnDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, ReturnNotInState, QuantityNotReturnable."""
    problems, path = Problems(), ("input", "lines")
    if command.lines is not None:
        problems.size(len(command.lines), path, ORDER_LINES_MAX)
        for index, one in enumerate(command.lines):
            problems.whole(one.quantity, (*path, str(index), "quantity"), 1, ORDER_QUANTITY_MAX)
        problems.distinct((one.line for one in command.lines), path, "Each line may stand here once.")
    location = problems.optional_code(command.location, ("input", "location"))
    problems.refuse()
    return await performer.perform(caller, replace(command, location=location), key)


async def inspect_return(performer: Performer, caller: Caller, command: InspectReturn, key: str) -> ReturnDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, ReturnNotInState, QuantityNotReturnable."""
    problems = Problems()
    problems.size(len(command.lines), ("input", "lines"), ORDER_LINES_MAX)
    lines = tuple(
        _checked_inspection(problems, one, ("input", "lines", str(index))) for index, one in enumerate(command.lines)
    )
    problems.refuse()
    return await performer.perform(caller, replace(command, lines=lines), key)


def _checked_inspection(problems: Problems, one: InspectedUnits, path: Path) -> InspectedUnits:
    location = problems.optional_code(one.location, (*path, "location"))
    if location is not None and one.outcome is InspectionOutcome.DISCARD:
        problems.add((*path, "location"), "NOT_APPLICABLE", "What is discarded is put nowhere: leave the location out.")
    return replace(one, location=location, note=_checked_units(problems, one.quantity, one.note, path))


def _checked_units(problems: Problems, quantity: int, note: str | None, path: Path) -> str | None:
    """The note, as Dibs keeps it."""
    problems.whole(quantity, (*path, "quantity"), 1, ORDER_QUANTITY_MAX)
    return problems.optional_text(note, (*path, "note"), NOTE_LENGTH_MAX)


async def cancel_return(performer: Performer, caller: Caller, command: CancelReturn, key: str) -> ReturnDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, ReturnNotInState."""
    problems = Problems()
    reason = problems.optional_text(command.reason, ("input", "reason"))
    problems.refuse()
    return await performer.perform(caller, replace(command, reason=reason), key)


async def record_follow_up(performer: Performer, caller: Caller, command: RecordFollowUp, key: str) -> FollowedUp:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, NothingDelivered."""
    problems = Problems()
    order = checked_reference(problems, command.order, ("input", "order"))
    note = problems.optional_text(command.note, ("input", "note"), NOTE_LENGTH_MAX)
    problems.refuse()
    return await performer.perform(caller, replace(command, order=order, note=note), key)
