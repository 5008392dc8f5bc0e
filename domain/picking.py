"""Record what pickers fetched, and close the loop where they found too little."""

from dataclasses import dataclass, replace
from datetime import datetime

from domain.batch import Batch
from domain.errors import PickConflict
from domain.fulfilling import replace_units
from domain.fulfillments import PickTask
from domain.ids import FulfillmentId, PickTaskId
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    FulfillmentState,
    MovementCause,
    PickObstacle,
    PickTaskState,
    ShortReason,
    StockQuantity,
)
from domain.stocking import StockChange, apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """There was too little. `left`: units that are still in the bin (None: a named bin is empty, and of what lies
    anywhere only the missing units are gone).
    """

    reason: ShortReason = ShortReason.NOT_FOUND
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a picker did: `quantity` units were fetched for the task; with `short`, there were no more."""

    task: PickTaskId
    quantity: int
    short: Short | None = None
    expected_version: int | None = None
    picker: str | None = None


def record_pick(batch: Batch, pick: Pick, now: datetime, *, is_right_item: bool = True) -> tuple[FulfillmentId, ...]:
    """Write down a pick. What is missing is corrected in the ledger, and set aside again from elsewhere; fulfillments
    that this made at other locations are answered. Raises PickConflict.
    """
    task = batch.floor.tasks[pick.task]
    obstacle = _obstacle(batch, task, pick, is_right_item=is_right_item)
    if obstacle:
        raise PickConflict(task=task.id, obstacle=obstacle)
    _start(batch, task)
    if pick.quantity:
        _fetch(batch, task, pick.quantity)
    made: tuple[FulfillmentId, ...] = ()
    if pick.short:
        made = _close_the_loop(batch, batch.floor.tasks[task.id], pick.short, now)
    batch.floor.settle(task.fulfillment)
    return made


def _obstacle(batch: Batch, task: PickTask, pick: Pick, *, is_right_item: bool) -> PickObstacle | None:
    if task.state is not PickTaskState.OPEN:
        return PickObstacle.TASK_ENDED
    if task.picker is not None and pick.picker != task.picker:
        return PickObstacle.CLAIMED_BY_ANOTHER
    if pick.expected_version is not None and (pick.expected_version != task.version or batch.floor.has_moved(task.id)):
        return PickObstacle.VERSION_CHANGED
    if not is_right_item:
        return PickObstacle.WRONG_BARCODE
    if pick.quantity > task.missing:
        return PickObstacle.MORE_THAN_ASKED_FOR
    level = batch.levels[task.item, task.location]
    if level.set_apart + pick.quantity > level.on_hand:
        return PickObstacle.NOT_ON_HAND
    return None


def _start(batch: Batch, task: PickTask) -> None:
    one = batch.floor.fulfillments[task.fulfillment]
    if one.state is FulfillmentState.RELEASED:
        batch.floor.change(replace(one, state=FulfillmentState.PICKING))


def _fetch(batch: Batch, task: PickTask, units: int) -> None:
    floor = batch.floor
    state = PickTaskState.DONE if units == task.missing else PickTaskState.OPEN
    floor.change_task(replace(task, picked=task.picked + units, state=state))
    line = floor.line(task.fulfillment_line)
    floor.change_line(replace(line, picked=line.picked + units))
    if task.key is not None:
        floor.set_bin(task.key, max(0, floor.bins.get(task.key, 0) - units))
    left = units
    for claim in batch.claims_at(line.id):
        here = min(left, claim.quantity - claim.picked)
        if here:
            batch.pick(claim, here)
            left -= here
    assert not left, "more was picked than is set aside"
    level = batch.levels[task.item, task.location]
    floor.trim_bins(level.key, level.on_hand - level.set_apart)


def _close_the_loop(batch: Batch, task: PickTask, short: Short, now: datetime) -> tuple[FulfillmentId, ...]:
    missing = task.missing
    one = batch.floor.fulfillments[task.fulfillment]
    line = batch.floor.line(task.fulfillment_line)
    batch.floor.change_task(replace(task, short=task.short + missing, state=PickTaskState.DONE))
    _correct(batch, task, short, missing)
    if not missing:
        return ()
    left = missing
    for claim in reversed(batch.claims_at(line.id)):
        here = min(left, claim.quantity - claim.picked)
        if here:
            batch.give_back(claim, here, AllocationEnd.PICKED_SHORT, AllocationCause.PICKED_SHORT)
            left -= here
    return tuple(replace_units(batch, one, {line.line: missing}, now, task.list))


def _correct(batch: Batch, task: PickTask, short: Short, missing: int) -> None:
    """What the picker saw is true: the bin, the ledger and the level follow."""
    level = batch.levels[task.item, task.location]
    recorded = level.on_hand - level.set_apart - batch.floor.in_bins(level.key)
    if task.key is not None:
        recorded = batch.floor.bins.get(task.key, 0)
    damaged = min(missing, recorded) if short.reason is ShortReason.DAMAGED else 0
    there = recorded - damaged
    gone = there if task.key is not None else missing - damaged
    left = max(0, there - gone) if short.left is None else short.left
    lost = max(0, there - left)
    if task.key is not None:
        batch.floor.set_bin(task.key, min(left, there))
    changes = [
        StockChange(item=task.item, location=task.location, quantity=quantity, delta=delta)
        for quantity, delta in ((StockQuantity.ON_HAND, -lost), (StockQuantity.DAMAGED, damaged))
        if delta
    ]
    cause = AllocationCause.PICKED_SHORT
    apply(batch, changes, MovementCause.PICKED_SHORT, cause, f"Pick task {task.id}")
