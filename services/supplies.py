"""Expect supplies, send transfers, receive them, and change one's mind about them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from domain import supplying
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Path, Problems
from domain.errors import NotFound, SupplyAlreadyExpected
from domain.ids import LevelKey, LocationId, SupplyId
from domain.kinds import SupplyKind
from domain.stock import QUANTITY_MAX
from domain.stocking import StockOutcome, summed
from domain.stocking import outcome as told
from domain.supply import Supply, SupplyLine
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.ports.supplies import SupplyReference
from services.stock import ReceivedLine, check_names, check_quantities, located, require_known, sku_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyDone:
    """The supply that a mutation was about."""

    supply: SupplyId


# ---------------------------------------------------------------- the commands, of input that was checked


class _SupplyCommand:
    outcome_type: ClassVar[Any] = SupplyDone

    def conclude(self, outcome: SupplyDone, _: Changes) -> SupplyDone:
        return outcome


class _ChangeOfSupply(_SupplyCommand):
    """About a supply that is there already."""

    supply: SupplyReference

    def needs(self) -> Needs:
        return Needs(supplies=(self.supply,), queue=True, alone=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSupply(_SupplyCommand):
    """A purchase order. A repeated SKU counts as its sum."""

    mutation: ClassVar[str] = "expectSupply"
    reference: str
    location: str
    expected_at: datetime
    lines: tuple[ReceivedLine, ...]

    def needs(self) -> Needs:
        return _needs_of_new(self.reference, self.lines)

    def decide(self, batch: Batch, known: Known) -> SupplyDone:
        location = located(batch, known, self.location, self.lines)
        supply = _new(known, self.reference, location, self.expected_at, self.lines)
        supplying.expect(batch, supply)
        return SupplyDone(supply=supply.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTransfer:
    """Send units from one location to another. A repeated SKU counts as its sum."""

    mutation: ClassVar[str] = "startTransfer"
    outcome_type: ClassVar[Any] = StockOutcome
    reference: str
    from_location: str
    to_location: str
    expected_at: datetime
    lines: tuple[ReceivedLine, ...]

    def needs(self) -> Needs:
        return _needs_of_new(self.reference, self.lines)

    def decide(self, batch: Batch, known: Known) -> tuple[SupplyId, tuple[LevelKey, ...]]:
        ends = self.from_location, self.to_location
        origin, destination = require_known(batch, known, ends, self.lines)
        supply = _new(known, self.reference, destination, self.expected_at, self.lines)
        supply = replace(supply, kind=SupplyKind.TRANSFER, from_location=origin)
        return supply.id, supplying.start_transfer(batch, supply)

    def conclude(self, outcome: tuple[SupplyId, tuple[LevelKey, ...]], changes: Changes) -> StockOutcome:
        return _moved(outcome, changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSupply:
    """Add units that arrived to on hand, and count them against the supply. A repeated SKU counts as its sum."""

    mutation: ClassVar[str] = "receiveStock"
    outcome_type: ClassVar[Any] = StockOutcome
    supply: SupplyReference
    location: str
    lines: tuple[ReceivedLine, ...]
    reference: str | None = None

    def needs(self) -> Needs:
        skus = tuple(sku_of(line.sku) for line in self.lines)
        return Needs(supplies=(self.supply,), skus=skus, locks_skus=True, alone=True)

    def decide(self, batch: Batch, known: Known) -> tuple[SupplyId, tuple[LevelKey, ...]]:
        supply = self._found(batch, known)
        self._require_expected(batch, known, supply)
        units = summed((known.items[sku_of(line.sku)], line.quantity) for line in self.lines)
        return supply.id, supplying.receive(batch, supply.id, units, self.reference)

    def conclude(self, outcome: tuple[SupplyId, tuple[LevelKey, ...]], changes: Changes) -> StockOutcome:
        return _moved(outcome, changes)

    def _found(self, batch: Batch, known: Known) -> Supply:
        """Raises NotFound that names everything unknown, the supply first."""
        (supply,) = known.supplies
        require_known(batch, known, (self.location,), self.lines, [] if supply else [str(self.supply)])
        assert supply is not None
        return batch.supplies[supply]

    def _require_expected(self, batch: Batch, known: Known, supply: Supply) -> None:
        """Raises InvalidInput for what is not of the supply."""
        problems, expected = Problems(), {line.item for line in supply.lines}
        place = batch.locations[supply.location]
        if place.code != sku_of(self.location):
            problems.add(("input", "location"), "NOT_EXPECTED", f"This supply is expected at {place.code}.")
        for index, line in enumerate(self.lines):
            if known.items[sku_of(line.sku)] not in expected:
                message = "This supply has no line of it: receive it without naming a supply."
                problems.add(("input", "lines", str(index), "sku"), "NOT_EXPECTED", message)
        problems.refuse()


@dataclass(frozen=True, slots=True, kw_only=True)
class RescheduleSupply(_ChangeOfSupply):
    """It comes at another time."""

    mutation: ClassVar[str] = "rescheduleSupply"
    supply: SupplyReference
    expected_at: datetime

    def decide(self, batch: Batch, known: Known) -> SupplyDone:
        supply = _found(self.supply, known)
        supplying.reschedule(batch, supply, self.expected_at, _queue(known))
        return SupplyDone(supply=supply)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSupply(_ChangeOfSupply):
    """What has not come will not come; what is in transit is back where it was sent from."""

    mutation: ClassVar[str] = "cancelSupply"
    supply: SupplyReference
    reason: str

    def decide(self, batch: Batch, known: Known) -> SupplyDone:
        supply = _found(self.supply, known)
        supplying.cancel(batch, supply, self.reason, _queue(known))
        return SupplyDone(supply=supply)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSupply(_ChangeOfSupply):
    """Nothing more is waited for; what is in transit is lost."""

    mutation: ClassVar[str] = "closeSupply"
    supply: SupplyReference
    reason: str

    def decide(self, batch: Batch, known: Known) -> SupplyDone:
        supply = _found(self.supply, known)
        supplying.close(batch, supply, self.reason, _queue(known))
        return SupplyDone(supply=supply)


def _needs_of_new(reference: str, lines: Iterable[ReceivedLine]) -> Needs:
    skus = tuple(sku_of(line.sku) for line in lines)
    same = SupplyReference(reference=reference)
    return Needs(supplies=(same,), skus=skus, locks_skus=True, new_supply=True, bins=True, alone=True)


def _new(
    known: Known, reference: str, location: LocationId, expected_at: datetime, lines: Iterable[ReceivedLine]
) -> Supply:
    """Raises SupplyAlreadyExpected."""
    (before,) = known.supplies
    if before is not None:
        raise SupplyAlreadyExpected(supply=before)
    assert known.supply_id is not None
    quantities = summed((known.items[sku_of(line.sku)], line.quantity) for line in lines)
    return Supply(
        id=known.supply_id,
        reference=reference,
        location=location,
        expected_at=expected_at,
        lines=tuple(SupplyLine(item=item, quantity=units) for item, units in quantities.items()),
    )


def _found(reference: SupplyReference, known: Known) -> SupplyId:
    (supply,) = known.supplies
    if supply is None:
        raise NotFound(references=(str(reference),))
    return supply


def _queue(known: Known) -> supplying.Queue:
    assert known.queue is not None, "asked for in needs()"
    return known.queue


def _moved(outcome: tuple[SupplyId, tuple[LevelKey, ...]], changes: Changes) -> StockOutcome:
    supply, levels = outcome
    return replace(told(levels, changes), supply=supply)


# ---------------------------------------------------------------- what a caller may ask for


async def expect_supply(performer: Performer, caller: Caller, command: ExpectSupply, key: str) -> SupplyDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyAlreadyExpected."""
    problems = Problems()
    problems.code(command.location, ("input", "location"))
    reference = problems.code(command.reference, ("input", "reference"))
    expected_at = _checked_time(problems, command.expected_at)
    _check_lines(problems, command.lines)
    problems.refuse()
    return await performer.perform(caller, replace(command, reference=reference, expected_at=expected_at), key)


async def start_transfer(performer: Performer, caller: Caller, command: StartTransfer, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyAlreadyExpected, InsufficientStock."""
    problems = Problems()
    reference = problems.code(command.reference, ("input", "reference"))
    origin = problems.code(command.from_location, ("input", "from"))
    destination = problems.code(command.to_location, ("input", "to"))
    if origin == destination and not problems.found:
        problems.add(("input", "to"), "DUPLICATE", "A transfer goes to another location than the one it comes from.")
    expected_at = _checked_time(problems, command.expected_at)
    _check_lines(problems, command.lines)
    problems.refuse()
    command = replace(
        command, reference=reference, from_location=origin, to_location=destination, expected_at=expected_at
    )
    return await performer.perform(caller, command, key)


async def receive_supply(performer: Performer, caller: Caller, command: ReceiveSupply, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyNotInState."""
    problems = Problems()
    check_quantities(problems, command.lines)
    supply = _checked(problems, command.supply)
    reference = check_names(problems, command.location, command.reference)
    return await performer.perform(caller, replace(command, supply=supply, reference=reference), key)


async def reschedule_supply(performer: Performer, caller: Caller, command: RescheduleSupply, key: str) -> SupplyDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyNotInState."""
    problems = Problems()
    supply = _checked(problems, command.supply)
    expected_at = _checked_time(problems, command.expected_at)
    problems.refuse()
    return await performer.perform(caller, replace(command, supply=supply, expected_at=expected_at), key)


async def cancel_supply(performer: Performer, caller: Caller, command: CancelSupply, key: str) -> SupplyDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyNotInState."""
    supply, reason = _checked_end(command)
    return await performer.perform(caller, replace(command, supply=supply, reason=reason), key)


async def close_supply(performer: Performer, caller: Caller, command: CloseSupply, key: str) -> SupplyDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, SupplyNotInState."""
    supply, reason = _checked_end(command)
    return await performer.perform(caller, replace(command, supply=supply, reason=reason), key)


def _checked_end(command: CancelSupply | CloseSupply) -> tuple[SupplyReference, str]:
    problems = Problems()
    supply = _checked(problems, command.supply)
    reason = problems.text(command.reason, ("input", "reason"))
    problems.refuse()
    return supply, reason


def _checked(problems: Problems, reference: SupplyReference, path: Path = ("input", "supply")) -> SupplyReference:
    if reference.id is not None:
        return reference
    return replace(reference, reference=problems.code(reference.reference, (*path, "reference")))


def _checked_time(problems: Problems, time: datetime) -> datetime:
    checked = problems.time(time, ("input", "expectedAt"))
    assert checked is not None
    return checked.astimezone(UTC)


def _check_lines(problems: Problems, lines: Sequence[ReceivedLine]) -> None:
    """A SKU that is repeated stays within what a line may hold."""
    check_quantities(problems, lines)
    units: Counter[str] = Counter()
    for index, line in enumerate(lines):
        units[sku_of(line.sku)] += line.quantity
        if line.quantity <= QUANTITY_MAX < units[sku_of(line.sku)]:
            problems.add(("input", "lines", str(index), "quantity"), "OUT_OF_RANGE", "Together this is too much.")
