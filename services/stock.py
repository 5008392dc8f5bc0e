"""Receive, adjust and count stock."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Path, Problems, normal
from domain.errors import NotFound
from domain.ids import ItemId, LevelKey, LocationId, Sku
from domain.kinds import AdjustmentReason, AllocationCause, MovementCause, StockQuantity
from domain.stock import QUANTITY_MAX
from domain.stocking import StockChange, StockOutcome, apply, count, receive, summed
from domain.stocking import outcome as told
from services.bundles import refuse_bundles
from services.callers import Caller
from services.commands import Known, Needs, Performer

COUNT_AGE_MAX = timedelta(days=30)
"""An older count would be replayed over more of the ledger than anybody can vouch for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedLine:
    """Units that were counted."""

    sku: str
    counted: int


class _StockCommand:
    outcome_type: ClassVar[Any] = StockOutcome
    location: str
    lines: tuple[Any, ...]

    def needs(self) -> Needs:
        return Needs(skus=tuple(sku_of(line.sku) for line in self.lines), locks_skus=True, bins=True, alone=True)

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
        location = located(batch, known, self.location, self.lines)
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
        location = located(batch, known, self.location, self.lines)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CountStock:
    """On hand is what was counted at a moment, and what has moved since then."""

    mutation: ClassVar[str] = "countStock"
    outcome_type: ClassVar[Any] = StockOutcome
    location: str
    counted_at: datetime
    lines: tuple[CountedLine, ...]
    reference: str | None = None

    def needs(self) -> Needs:
        skus = tuple(sku_of(line.sku) for line in self.lines)
        return Needs(skus=skus, locks_skus=True, since=self.counted_at, bins=True, alone=True)

    def decide(self, batch: Batch, known: Known) -> tuple[tuple[LevelKey, ...], tuple[Sku, ...]]:
        assert known.ledger is not None
        _require_recent(self.counted_at, known.ledger.now)
        location = located(batch, known, self.location, self.lines)
        counted = {known.items[sku_of(line.sku)]: line.counted for line in self.lines}
        return count(batch, location, counted, self.counted_at, known.ledger, self.reference)

    def conclude(self, outcome: tuple[tuple[LevelKey, ...], tuple[Sku, ...]], changes: Changes) -> StockOutcome:
        levels, superseded = outcome
        return replace(told(levels, changes), superseded=superseded)


def _require_recent(counted_at: datetime, now: datetime) -> None:
    problems, path = Problems(), ("input", "countedAt")
    if counted_at > now:
        problems.add(path, "OUT_OF_RANGE", f"This is in the future: it is {now:%Y-%m-%dT%H:%M:%SZ} now.")
    if counted_at < now - COUNT_AGE_MAX:
        problems.add(path, "OUT_OF_RANGE", f"A count may be {COUNT_AGE_MAX.days} days old at most: count again.")
    problems.refuse()


# ---------------------------------------------------------------- what a caller may ask for


async def receive_stock(performer: Performer, caller: Caller, command: ReceiveStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    check_quantities(problems, command.lines)
    reference = check_names(problems, command.location, command.reference)
    return await performer.perform(caller, replace(command, reference=reference), key)


async def count_stock(performer: Performer, caller: Caller, command: CountStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, InsufficientStock."""
    problems, lines = Problems(), ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        problems.code(line.sku, (*lines, str(index), "sku"))
        problems.whole(line.counted, (*lines, str(index), "counted"), 0, QUANTITY_MAX)
    problems.distinct((sku_of(line.sku) for line in command.lines), lines, "A SKU that is counted may stand here once.")
    counted_at = problems.time(command.counted_at, ("input", "countedAt"))
    reference = check_names(problems, command.location, command.reference)
    assert counted_at is not None
    return await performer.perform(
        caller, replace(command, reference=reference, counted_at=counted_at.astimezone(UTC)), key
    )


async def adjust_stock(performer: Performer, caller: Caller, command: AdjustStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, StockLevelConflict, InsufficientStock."""
    problems = Problems()
    lines = ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        _check_adjustment(problems, line, (*lines, str(index)))
    _check_repeated(problems, command, lines)
    reference = check_names(problems, command.location, command.reference)
    return await performer.perform(caller, replace(command, reference=reference), key)


def check_quantities(problems: Problems, lines: Sequence[ReceivedLine]) -> None:
    """1 to 1,000 lines, each of some units."""
    path = ("input", "lines")
    problems.size(len(lines), path)
    for index, line in enumerate(lines):
        problems.code(line.sku, (*path, str(index), "sku"))
        problems.whole(line.quantity, (*path, str(index), "quantity"), 1, QUANTITY_MAX)


def check_names(problems: Problems, location: str, reference: str | None) -> str | None:
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


def located(
    batch: Batch, known: Known, code: str, lines: Sequence[ReceivedLine | AdjustedLine | CountedLine]
) -> LocationId:
    """The location. Raises NotFound that names everything unknown, and InvalidInput for bundles."""
    (location,) = require_known(batch, known, (code,), lines)
    return location


def require_known(
    batch: Batch,
    known: Known,
    codes: Sequence[str],
    lines: Sequence[ReceivedLine | AdjustedLine | CountedLine],
    unknown: Sequence[str] = (),
) -> list[LocationId]:
    """The locations.

    Raises NotFound that names everything unknown, after what the caller knows to be so; and InvalidInput for bundles.
    """
    codes = [sku_of(code) for code in codes]
    locations = [place.id for code in codes if (place := batch.location_of(code))]
    skus = dict.fromkeys(sku_of(line.sku) for line in lines)
    missing = [
        *unknown,
        *(code for code in codes if not batch.location_of(code)),
        *(sku for sku in skus if sku not in known.items),
    ]
    if missing:
        raise NotFound(references=tuple(missing))
    refuse_bundles(batch, known, [sku_of(line.sku) for line in lines])
    return locations
