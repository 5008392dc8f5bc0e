"""Receive and adjust: the operations that change what is physically there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.batch import Batch, Changes
from domain.errors import DomainError, InputProblem, InsufficientStock, InvalidInput, Shortage, StockLevelConflict
from domain.events import AllocationStatusChanged
from domain.ids import ItemId, LevelKey, LocationId, OrderId
from domain.kinds import AllocationCause, AllocationStatus, MovementCause, StockQuantity
from domain.stock import FIELD, QUANTITY_MAX, Movement, StockLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChange:
    """A change of one quantity of a level: by `delta` units, or to `counted` units; exactly one of them is set.

    `expected_on_hand`: refuse unless on hand is this now.
    """

    item: ItemId
    location: LocationId
    quantity: StockQuantity = StockQuantity.ON_HAND
    delta: int | None = None
    counted: int | None = None
    expected_on_hand: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOutcome:
    """The levels that were named, in the order of the input, and the orders that this made overallocated."""

    levels: tuple[LevelKey, ...]
    overallocated: tuple[OrderId, ...] = ()


def receive(
    batch: Batch, location: LocationId, quantities: Mapping[ItemId, int], reference: str | None
) -> tuple[LevelKey, ...]:
    """Add received units to on hand."""
    changes = [StockChange(item=item, location=location, delta=units) for item, units in quantities.items()]
    return apply(batch, changes, MovementCause.RECEIVED, AllocationCause.STOCK_RECEIVED, reference)


def apply(
    batch: Batch,
    changes: Sequence[StockChange],
    movement: MovementCause,
    cause: AllocationCause,
    reference: str | None,
) -> tuple[LevelKey, ...]:
    """Change levels and write the ledger, all or nothing. What is then committed beyond stock becomes overallocated."""
    levels = [batch.levels.get((one.item, one.location)) for one in changes]
    known = [
        level or StockLevel(item=one.item, location=one.location) for one, level in zip(changes, levels, strict=True)
    ]
    moved = [_moved(level, one) for level, one in zip(known, changes, strict=True)]
    _refuse(batch, known, changes, moved)
    for level, after, one in zip(known, moved, changes, strict=True):
        difference = getattr(after, FIELD[one.quantity]) - getattr(level, FIELD[one.quantity])
        if difference or level.key not in batch.levels:
            batch.change_level(after, cause)
        if difference:
            batch.move(
                Movement(
                    item=one.item,
                    location=one.location,
                    quantity=one.quantity,
                    change=difference,
                    cause=movement,
                    reference=reference,
                    actor=batch.actor,
                    request=batch.request,
                )
            )
    return tuple(level.key for level in known)


def outcome(levels: tuple[LevelKey, ...], changes: Changes) -> StockOutcome:
    """What the caller is told once the flags are settled."""
    return StockOutcome(
        levels=levels,
        overallocated=tuple(
            event.order_id
            for event in changes.events
            if isinstance(event, AllocationStatusChanged) and event.after is AllocationStatus.OVERALLOCATED
        ),
    )


def summed(quantities: Iterable[tuple[ItemId, int]]) -> dict[ItemId, int]:
    """A repeated SKU counts as its sum."""
    total: defaultdict[ItemId, int] = defaultdict(int)
    for item, units in quantities:
        total[item] += units
    return dict(total)


def _moved(level: StockLevel, change: StockChange) -> StockLevel:
    name = FIELD[change.quantity]
    if change.counted is not None:
        return level.with_quantity(name, change.counted)
    assert change.delta is not None
    return level.with_quantity(name, getattr(level, name) + change.delta)


def _refuse(
    batch: Batch, levels: Sequence[StockLevel], changes: Sequence[StockChange], moved: Sequence[StockLevel]
) -> None:
    refusal = _conflict(levels, changes) or _shortage(batch, levels, changes, moved) or _too_much(moved, changes)
    if refusal:
        raise refusal


def _conflict(levels: Sequence[StockLevel], changes: Sequence[StockChange]) -> DomainError | None:
    surprising = [
        level.key
        for level, one in zip(levels, changes, strict=True)
        if one.expected_on_hand is not None and one.expected_on_hand != level.on_hand
    ]
    return StockLevelConflict(levels=tuple(surprising)) if surprising else None


def _shortage(
    batch: Batch, levels: Sequence[StockLevel], changes: Sequence[StockChange], moved: Sequence[StockLevel]
) -> DomainError | None:
    """No quantity falls below zero, and damaged and in quality control together never exceed on hand."""
    shortages = [
        Shortage(
            sku=batch.skus[level.item],
            location=level.location,
            requested=abs(getattr(after, FIELD[one.quantity]) - getattr(level, FIELD[one.quantity])),
            on_hand=level.on_hand,
            available=level.available,
        )
        for level, after, one in zip(levels, moved, changes, strict=True)
        if getattr(after, FIELD[one.quantity]) < 0 or after.damaged + after.quality_control > after.on_hand
    ]
    return InsufficientStock(shortages=tuple(shortages)) if shortages else None


def _too_much(moved: Sequence[StockLevel], changes: Sequence[StockChange]) -> DomainError | None:
    problems = [
        InputProblem(
            path=("input", "lines"),
            code="OUT_OF_RANGE",
            message=f"A stock level holds at most {QUANTITY_MAX:,} units of any quantity.",
        )
        for level, one in zip(moved, changes, strict=True)
        if getattr(level, FIELD[one.quantity]) > QUANTITY_MAX
    ]
    return InvalidInput(problems=tuple(problems)) if problems else None
