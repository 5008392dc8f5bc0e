"""Expect, send, receive, reschedule, cancel and close supplies, on a working copy.

A transfer is conserved: its units leave on hand where they are sent from, are open lines of the supply while they are
in transit, and end on hand at one of the two locations, or as a loss that the ledger shows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import supply as rules
from domain.batch import Batch
from domain.events import ExpectedAtChanged
from domain.ids import ItemId, LevelKey, LocationId, OrderId, Sku, SupplyId
from domain.kinds import AllocationCause, MovementCause, SupplyKind
from domain.pegging import WaitingLine, expectations, peg
from domain.stock import StockLevel
from domain.stocking import StockChange, apply
from domain.supply import OpenSupplyLine, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who waits for the SKUs of a supply, in the sequence in which they are run; and all that is expected of them."""

    waiting: Sequence[WaitingLine]
    supplies: Sequence[OpenSupplyLine]


NOBODY_WAITS = Queue(waiting=(), supplies=())


def expect(batch: Batch, supply: Supply) -> None:
    """Add a supply that nobody knew of; every level that it will fill is there from now on."""
    batch.change_supply(supply)
    for line in supply.lines:
        key = line.item, supply.location
        if key not in batch.levels:
            level = StockLevel(item=line.item, location=supply.location)
            batch.change_level(level, AllocationCause.OTHER)


def start_transfer(batch: Batch, supply: Supply) -> tuple[LevelKey, ...]:
    """Take the units off on hand where they are sent from: in transit from now on. Raises InsufficientStock."""
    assert supply.from_location is not None
    units = {line.item: -line.quantity for line in supply.lines}
    changes = _changes(supply.from_location, units, MovementCause.TRANSFER_OUT)
    keys = _apply(batch, supply, changes, AllocationCause.STOCK_TRANSFERRED)
    expect(batch, supply)
    return keys


def receive(
    batch: Batch, supply_id: SupplyId, units: Mapping[ItemId, int], reference: str | None
) -> tuple[LevelKey, ...]:
    """Add units that arrived to on hand, and count them. Raises SupplyNotInState, InvalidInput."""
    before = batch.supplies[supply_id]
    after = rules.receive(before, units)
    changes = _changes(before.location, units, MovementCause.RECEIVED)
    if before.kind is SupplyKind.TRANSFER:
        sent = {item: min(quantity, before.open.get(item, 0)) for item, quantity in units.items()}
        more = {item: quantity - sent[item] for item, quantity in units.items()}
        changes = [
            *_changes(before.location, sent, MovementCause.TRANSFER_IN),
            *_changes(before.location, more, MovementCause.FOUND),
        ]
    _apply(batch, before, changes, AllocationCause.STOCK_RECEIVED, reference)
    batch.change_supply(after)
    return tuple((item, before.location) for item in units)


def reschedule(batch: Batch, supply_id: SupplyId, expected_at: datetime, queue: Queue = NOBODY_WAITS) -> None:
    """Orders that rest on it are told. Raises SupplyNotInState."""
    after = rules.reschedule(batch.supplies[supply_id], expected_at)
    batch.change_supply(after)
    _tell(batch, after, queue)


def cancel(batch: Batch, supply_id: SupplyId, reason: str, queue: Queue = NOBODY_WAITS) -> None:
    """What is open of a transfer is back where it was sent from; orders that rest on it are told.

    Raises SupplyNotInState, InvalidInput.
    """
    before = batch.supplies[supply_id]
    levels = batch.levels_of(line.item for line in before.lines)
    after = rules.cancel(before, reason)
    if before.from_location is not None:
        changes = _changes(before.from_location, before.open, MovementCause.TRANSFER_CANCELED)
        _apply(batch, before, changes, AllocationCause.STOCK_TRANSFERRED)
    batch.change_supply(after)
    _tell(batch, after, queue, levels)


def close(batch: Batch, supply_id: SupplyId, reason: str, queue: Queue = NOBODY_WAITS) -> None:
    """What is open of a transfer is written off: the ledger has it as arrived and lost. Who rests on it is told.

    Raises SupplyNotInState.
    """
    before = batch.supplies[supply_id]
    levels = batch.levels_of(line.item for line in before.lines)
    after = rules.close(before, reason)
    if before.kind is SupplyKind.TRANSFER:
        missing = {item: -units for item, units in before.open.items()}
        changes = [
            *_changes(before.location, before.open, MovementCause.TRANSFER_IN),
            *_changes(before.location, missing, MovementCause.LOSS),
        ]
        _apply(batch, before, changes, AllocationCause.STOCK_TRANSFERRED)
    batch.change_supply(after)
    _tell(batch, after, queue, levels)


def _tell(batch: Batch, supply: Supply, queue: Queue, levels: Sequence[StockLevel] | None = None) -> None:
    """Every order whose date moved with the supply. `levels`: as they were before, where they have moved."""
    now = batch.levels_of(line.item for line in supply.lines)
    others = [line for line in queue.supplies if line.supply != supply.id]
    left = [
        OpenSupplyLine(
            supply=supply.id, item=item, location=supply.location, open=units, expected_at=supply.expected_at
        )
        for item, units in supply.open.items()
    ]
    before = expectations(queue.waiting, peg(queue.waiting, now if levels is None else levels, queue.supplies))
    after = expectations(queue.waiting, peg(queue.waiting, now, [*others, *left]))
    skus: defaultdict[OrderId, dict[Sku, None]] = defaultdict(dict)
    for line in queue.waiting:
        skus[line.order][batch.skus[line.item]] = None
    for line in {line.order: line for line in queue.waiting}.values():
        if before[line.order] != after[line.order]:
            batch.tell(
                ExpectedAtChanged(
                    order_id=line.order,
                    order_number=line.number,
                    channel_code=line.channel,
                    skus=tuple(skus[line.order]),
                    supply_id=supply.id,
                    supply_reference=supply.reference,
                    before=before[line.order].told,
                    after=after[line.order].told,
                    actor=batch.actor,
                )
            )


def _changes(location: LocationId, units: Mapping[ItemId, int], cause: MovementCause) -> list[StockChange]:
    return [
        StockChange(item=item, location=location, delta=delta, cause=cause) for item, delta in units.items() if delta
    ]


def _apply(
    batch: Batch,
    supply: Supply,
    changes: Iterable[StockChange],
    cause: AllocationCause,
    reference: str | None = None,
) -> tuple[LevelKey, ...]:
    """The ledger names the supply, and its reference where there is no other."""
    return apply(batch, list(changes), MovementCause.OTHER, cause, reference or supply.reference, supply=supply.id)
