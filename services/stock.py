"""Receive and adjust stock."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain.batch import Batch, Changes
from domain.checks import Path, Problems, normal
from domain.errors import NotFound
from domain.ids import ItemId, LevelKey, LocationId, Sku
from domain.kinds import AdjustmentReason, AllocationCause, MovementCause, StockQuantity
from domain.stock import QUANTITY_MAX
from domain.stocking import StockChange, StockOutcome, apply, receive, summed
from domain.stocking import outcome as told
from services.callers import Caller
from services.performing import Known, Needs, Performer


def sku_of(text: str) -> Sku:
    """A SKU as Dibs keeps it, of text that was checked."""
    return Sku(normal(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLine:
    """Units that arrived."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedLine:
    """A correction by `delta`, or to `counted`; exactly one of them is set."""

    sku: str
    delta: int | None = None
    counted: int | None = None
    expected_on_hand: int | None = None


class _StockCommand:
    outcome_type: ClassVar[Any] = StockOutcome
    location: str
    lines: tuple[Any, ...]

    def needs(self) -> Needs:
        return Needs(skus=tuple(sku_of(line.sku) for line in self.lines), locks_skus=True, alone=True)

    def conclude(self, outcome: tuple[LevelKey, ...], changes: Changes) -> StockOutcome:
        return told(outcome, changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStock(_StockCommand):
    """Add received goods to on hand. A repeated SKU counts as its sum."""

    mutation: ClassVar[str] = "receiveStock"
    location: str
    lines: tuple[ReceivedLine, ...]
    reference: str | None = None

    def decide(self, batch: Batch, known: Known) -> tuple[LevelKey, ...]:
        location = _located(batch, known, self.location, self.lines)
        quantities = summed((known.items[sku_of(line.sku)], line.quantity) for line in self.lines)
        return receive(batch, location, quantities, self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustStock(_StockCommand):
    """Correct one quantity of some SKUs at a location. Repeated differences of a SKU count as their sum."""

    mutation: ClassVar[str] = "adjustStock"
    location: str
    lines: tuple[AdjustedLine, ...]
    reason: AdjustmentReason
    quantity: StockQuantity = StockQuantity.ON_HAND
    reference: str | None = None

    def decide(self, batch: Batch, known: Known) -> tuple[LevelKey, ...]:
        location = _located(batch, known, self.location, self.lines)
        changes = self._changes(location, known.items)
        cause = AllocationCause.STOCK_ADJUSTED
        return apply(batch, changes, MovementCause(self.reason), cause, self.reference)

    def _changes(self, location: LocationId, items: Mapping[Sku, ItemId]) -> list[StockChange]:
        merged: dict[ItemId, StockChange] = {}
        for line in self.lines:
            item = items[sku_of(line.sku)]
            before = merged.get(item)
            merged[item] = StockChange(
                item=item,
                location=location,
                quantity=self.quantity,
                delta=None if line.delta is None else line.delta + ((before and before.delta) or 0),
                counted=line.counted,
                expected_on_hand=before.expected_on_hand if before else line.expected_on_hand,
            )
        return list(merged.values())


# ---------------------------------------------------------------- what a caller may ask for


async def receive_stock(performer: Performer, caller: Caller, command: ReceiveStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    lines = ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        problems.code(line.sku, (*lines, str(index), "sku"))
        problems.whole(line.quantity, (*lines, str(index), "quantity"), 1, QUANTITY_MAX)
    reference = _check_names(problems, command.location, command.reference)
    return await performer.perform(caller, replace(command, reference=reference), key)


async def adjust_stock(performer: Performer, caller: Caller, command: AdjustStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, StockLevelConflict, InsufficientStock."""
    problems = Problems()
    lines = ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        _check_adjustment(problems, line, (*lines, str(index)))
    _check_repeated(problems, command, lines)
    reference = _check_names(problems, command.location, command.reference)
    return await performer.perform(caller, replace(command, reference=reference), key)


def _check_names(problems: Problems, location: str, reference: str | None) -> str | None:
    problems.code(location, ("input", "location"))
    reference = problems.optional_text(reference, ("input", "reference"))
    problems.refuse()
    return reference


def _check_adjustment(problems: Problems, line: AdjustedLine, path: Path) -> None:
    problems.code(line.sku, (*path, "sku"))
    if line.counted is not None:
        problems.whole(line.counted, (*path, "change", "counted"), 0, QUANTITY_MAX)
    else:
        assert line.delta is not None
        problems.whole(line.delta, (*path, "change", "delta"), -QUANTITY_MAX, QUANTITY_MAX)
    if line.expected_on_hand is not None:
        problems.whole(line.expected_on_hand, (*path, "expectedOnHand"), 0, QUANTITY_MAX)


def _check_repeated(problems: Problems, command: AdjustStock, path: Path) -> None:
    """Two counts of one SKU contradict each other, and so does a count beside a difference."""
    first: dict[str, AdjustedLine] = {}
    total: Counter[str] = Counter()
    for index, line in enumerate(command.lines):
        other = first.setdefault(sku_of(line.sku), line)
        total[other.sku] += line.delta or 0
        if other is not line and abs(total[other.sku]) > QUANTITY_MAX:
            problems.add((*path, str(index), "change", "delta"), "OUT_OF_RANGE", "Together this is too much.")
        if other is not line and (line.counted is not None or other.counted is not None):
            problems.add((*path, str(index)), "DUPLICATE", "A SKU that is counted may stand here once.")
        if other is not line and line.expected_on_hand not in (None, other.expected_on_hand):
            problems.add((*path, str(index), "expectedOnHand"), "DUPLICATE", "Another line expects something else.")


def _located(batch: Batch, known: Known, code: str, lines: Sequence[ReceivedLine | AdjustedLine]) -> LocationId:
    """The location. Raises NotFound that names everything unknown."""
    code = sku_of(code)
    location = batch.location_of(code)
    skus = dict.fromkeys(sku_of(line.sku) for line in lines)
    unknown = [*([] if location else [code]), *(sku for sku in skus if sku not in known.items)]
    if location is None or unknown:
        raise NotFound(references=tuple(unknown))
    return location.id
