"""Receive, adjust and count: the operations that change what is physically there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.batch import Batch
from domain.changes import Changes
from domain.errors import DomainError, InputProblem, InsufficientStock, InvalidInput, Shortage, StockLevelConflict
from domain.events import AllocationStatusChanged
from domain.ids import ItemId, LevelKey, LocationId, OrderId, Sku, SupplyId
from domain.kinds import AllocationCause, AllocationStatus, MovementCause, StockQuantity
from domain.stock import FIELD, QUANTITY_MAX, LedgerSince, Movement, StockCount, StockLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChange:
    """A change of one quantity of a level: by `delta` units, or to `counted` units; exactly one of them is set.

    `expected_on_hand`: refuse unless on hand is this now. `cause`: where it is not that of the other changes.
    """

    item: ItemId
    location: LocationId
    quantity: StockQuantity = StockQuantity.ON_HAND
    delta: int | None = None
    counted: int | None = None
    expected_on_hand: int | None = None
    cause: MovementCause | None = None

    @property
    def key(self) -> LevelKey:
        return self.item, self.location


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOutcome:
    """The levels that were named, in the order of the input, and the orders that this made overallocated.

    `supply`: what it was about, if anything. `superseded`: SKUs of which a newer count is known.
    """

    levels: tuple[LevelKey, ...]
    overallocated: tuple[OrderId, ...] = ()
    supply: SupplyId | None = None
    superseded: tuple[Sku, ...] = ()


def receive(
    batch: Batch, location: LocationId, quantities: Mapping[ItemId, int], reference: str | None
) -> tuple[LevelKey, ...]:
    """Add received units to on hand."""
    changes = [StockChange(item=item, location=location, delta=units) for item, units in quantities.items()]
    return apply(batch, changes, MovementCause.RECEIVED, AllocationCause.STOCK_RECEIVED, reference)


def count(
    batch: Batch,
    location: LocationId,
    counted: Mapping[ItemId, int],
    counted_at: datetime,
    since: LedgerSince,
    reference: str | None,
) -> tuple[tuple[LevelKey, ...], tuple[Sku, ...]]:
    """On hand is what was counted, and what has moved since then; the levels, and the SKUs of which more is known.

    Counts may come in any sequence: the one of the latest moment decides, so one that is older than another changes
    nothing. What an older count has corrected is no movement since this one, whenever it was written.
    """
    keys = {(item, location): units for item, units in counted.items()}
    superseded = [key for key in keys if key in since.counted and since.counted[key] > counted_at]
    changes = [
        StockChange(item=key[0], location=location, delta=units + since.moved.get(key, 0) - _on_hand(batch, key))
        for key, units in keys.items()
        if key not in superseded
    ]
    apply(batch, changes, MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, reference, counted_at=counted_at)
    for key, units in keys.items():
        _note_count(batch, key, units, reference, counted_at)
    return tuple(keys), tuple(batch.skus[item] for item, _ in superseded)


def apply(
    batch: Batch,
    changes: Sequence[StockChange],
    movement: MovementCause,
    cause: AllocationCause,
    reference: str | None,
    *,
    supply: SupplyId | None = None,
    counted_at: datetime | None = None,
) -> tuple[LevelKey, ...]:
    """Change levels and write the ledger, all or nothing. What is then committed beyond stock becomes overallocated.

    Changes of one level follow each other. `counted_at`: the moment that the ledger shall name, see `Movement`.
    """
    known, moved = _followed(batch, changes)
    _refuse(batch, known, changes, moved)
    for level, after, one in zip(known, moved, changes, strict=True):
        difference = getattr(after, FIELD[one.quantity]) - getattr(level, FIELD[one.quantity])
        if difference or level.key not in batch.levels:
            batch.change_level(after, cause)
            batch.floor.trim_bins(after.key, after.on_hand - after.set_apart)
        if one.counted is not None and one.quantity is StockQuantity.ON_HAND:
            _note_count(batch, level.key, one.counted, reference)
        if difference:
            batch.move(
                Movement(
                    item=one.item,
                    location=one.location,
                    quantity=one.quantity,
                    change=difference,
                    balance=getattr(after, FIELD[one.quantity]),
                    cause=one.cause or movement,
                    reference=reference,
                    supply=supply,
                    counted_at=counted_at,
                    actor=batch.actor,
                    request=batch.request,
                )
            )
    return tuple(level.key for level in known)


def _on_hand(batch: Batch, key: LevelKey) -> int:
    return batch.levels[key].on_hand if key in batch.levels else 0


def _note_count(
    batch: Batch, key: LevelKey, units: int, reference: str | None, counted_at: datetime | None = None
) -> None:
    """Remember that somebody knew, whether or not it was news."""
    item, location = key
    batch.note_count(
        StockCount(
            item=item,
            location=location,
            counted=units,
            counted_at=counted_at,
            reference=reference,
            actor=batch.actor,
            request=batch.request,
        )
    )


def _followed(batch: Batch, changes: Sequence[StockChange]) -> tuple[list[StockLevel], list[StockLevel]]:
    """The level before and after each change."""
    now: dict[LevelKey, StockLevel] = {}
    known, moved = [], []
    for one in changes:
        level = now.get(one.key) or batch.levels.get(one.key) or StockLevel(item=one.item, location=one.location)
        now[one.key] = after = _moved(level, one)
        known.append(level)
        moved.append(after)
    return known, moved


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
    """No quantity falls below zero, and what is damaged, in quality control or picked never exceeds on hand."""
    shortages = [
        Shortage(
            sku=batch.skus[level.item],
            location=level.location,
            requested=abs(getattr(after, FIELD[one.quantity]) - getattr(level, FIELD[one.quantity])),
            on_hand=level.on_hand,
            available=level.available,
        )
        for level, after, one in zip(levels, moved, changes, strict=True)
        if getattr(after, FIELD[one.quantity]) < 0 or after.set_apart > after.on_hand
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
