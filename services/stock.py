"""Receive and adjust stock."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from domain.batch import Batch
from domain.checks import Path, Problems
from domain.errors import NotFound
from domain.ids import ItemId, LocationId, Sku
from domain.kinds import AdjustmentReason, AllocationCause, MovementCause, StockQuantity
from domain.stock import QUANTITY_MAX
from domain.stocking import StockChange, StockOutcome, apply, outcome, receive, summed
from services.callers import Caller
from services.idempotency import once
from services.ports import Database, UnitOfWork
from services.recording import record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLine:
    """Units that arrived."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStock:
    """Add received goods to on hand. A repeated SKU counts as its sum."""

    location: str
    lines: tuple[ReceivedLine, ...]
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedLine:
    """A correction by `delta`, or to `counted`; exactly one of them is set."""

    sku: str
    delta: int | None = None
    counted: int | None = None
    expected_on_hand: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustStock:
    """Correct one quantity of some SKUs at a location. Repeated differences of a SKU count as their sum."""

    location: str
    lines: tuple[AdjustedLine, ...]
    reason: AdjustmentReason
    quantity: StockQuantity = StockQuantity.ON_HAND
    reference: str | None = None


async def receive_stock(database: Database, caller: Caller, command: ReceiveStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    lines = ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        problems.code(line.sku, (*lines, str(index), "sku"))
        problems.whole(line.quantity, (*lines, str(index), "quantity"), 1, QUANTITY_MAX)
    reference = _check_names(problems, command.location, command.reference)

    async def effect(uow: UnitOfWork) -> StockOutcome:
        location, items = await _resolve(uow, command.location, [line.sku for line in command.lines])
        quantities = summed((items[sku_of(line.sku)], line.quantity) for line in command.lines)
        batch = Batch(await uow.batches.load(items=quantities))
        levels = receive(batch, location, quantities, reference)
        return outcome(levels, await record(uow, batch, caller))

    return await once(database, caller, "receiveStock", key, command, StockOutcome, effect)


async def adjust_stock(database: Database, caller: Caller, command: AdjustStock, key: str) -> StockOutcome:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, StockLevelConflict, InsufficientStock."""
    problems = Problems()
    lines = ("input", "lines")
    problems.size(len(command.lines), lines)
    for index, line in enumerate(command.lines):
        _check_adjustment(problems, line, (*lines, str(index)))
    _check_repeated(problems, command, lines)
    reference = _check_names(problems, command.location, command.reference)

    async def effect(uow: UnitOfWork) -> StockOutcome:
        return await adjust_levels(uow, caller, command, reference)

    return await once(database, caller, "adjustStock", key, command, StockOutcome, effect)


async def adjust_levels(
    uow: UnitOfWork, caller: Caller, command: AdjustStock, reference: str | None = None
) -> StockOutcome:
    """Adjust with input that was checked, within a transaction that the caller keeps."""
    location, items = await _resolve(uow, command.location, [line.sku for line in command.lines])
    changes = _changes(command, location, items)
    batch = Batch(await uow.batches.load(items=items.values()))
    levels = apply(batch, changes, MovementCause(command.reason), AllocationCause.STOCK_ADJUSTED, reference)
    return outcome(levels, await record(uow, batch, caller))


def sku_of(text: str) -> Sku:
    """A SKU as Dibs keeps it, of text that was checked."""
    return Sku(Problems().code(text, ()))


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


def _changes(command: AdjustStock, location: LocationId, items: Mapping[Sku, ItemId]) -> list[StockChange]:
    merged: dict[ItemId, StockChange] = {}
    for line in command.lines:
        item = items[sku_of(line.sku)]
        before = merged.get(item)
        merged[item] = StockChange(
            item=item,
            location=location,
            quantity=command.quantity,
            delta=None if line.delta is None else line.delta + ((before and before.delta) or 0),
            counted=line.counted,
            expected_on_hand=before.expected_on_hand if before else line.expected_on_hand,
        )
    return list(merged.values())


async def _resolve(uow: UnitOfWork, location: str, skus: list[str]) -> tuple[LocationId, dict[Sku, ItemId]]:
    """Raises NotFound that names everything unknown."""
    wanted = list(dict.fromkeys(sku_of(sku) for sku in skus))
    items = await uow.catalog.items_by_sku(wanted)
    code = sku_of(location)
    places = {one.code: one.id for one in await uow.catalog.locations()}
    unknown = [*([] if code in places else [code]), *(sku for sku in wanted if sku not in items)]
    if unknown:
        raise NotFound(references=tuple(unknown))
    return places[code], items
