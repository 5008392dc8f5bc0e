"""The warehouse floor in one transaction's working copy: fulfillments, pick tasks, bins and parcels.

`domain.claim_moves` moves what is set aside, and tells the floor where that goes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from domain.fulfillments import PICKABLE, UNDER_WAY, Fulfillment, FulfillmentLine, Parcel, PickTask
from domain.ids import (
    BinKey,
    FulfillmentId,
    FulfillmentLineId,
    ItemId,
    LevelKey,
    LocationId,
    OrderId,
    ParcelId,
    PickTaskId,
)
from domain.kinds import FulfillmentState, PickTaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorFacts:
    """What was read under the locks: fulfillments with their tasks and parcels; with `bins`, also every open task of
    the locked SKUs.
    """

    fulfillments: Iterable[Fulfillment] = ()
    tasks: Iterable[PickTask] = ()
    parcels: Iterable[Parcel] = ()
    bins: Mapping[BinKey, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class FloorChanges:
    """What one transaction writes of it. `bins`: how many units lie in each bin that changed."""

    new_fulfillments: list[Fulfillment] = field(default_factory=list)
    fulfillments: list[tuple[Fulfillment, Fulfillment]] = field(default_factory=list)
    new_tasks: list[PickTask] = field(default_factory=list)
    tasks: list[PickTask] = field(default_factory=list)
    new_parcels: list[Parcel] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    bins: dict[BinKey, int] = field(default_factory=dict)


class Floor:
    """The working copy. It has versions and events made of what is different in the end."""

    def __init__(self) -> None:
        self.fulfillments: dict[FulfillmentId, Fulfillment] = {}
        self.tasks: dict[PickTaskId, PickTask] = {}
        self.parcels: dict[ParcelId, Parcel] = {}
        self.bins: dict[BinKey, int] = {}
        self.ids: Iterator[int] = iter(())
        self.actor = ""
        """Who is at work; it changes with the command."""
        self._actors: dict[FulfillmentId, str] = {}
        self._task_actors: dict[PickTaskId, str] = {}
        self._before: dict[FulfillmentId, Fulfillment] = {}
        self._tasks_before: dict[PickTaskId, PickTask] = {}
        self._parcels_before: dict[ParcelId, Parcel] = {}
        self._bins_before: dict[BinKey, int] = {}
        self._of_order: defaultdict[OrderId, list[FulfillmentId]] = defaultdict(list)
        self._of_line: dict[FulfillmentLineId, FulfillmentId] = {}

    def learn(self, facts: FloorFacts) -> None:
        """What is known already stays as it is."""
        for one in facts.fulfillments:
            if one.id not in self._before:
                self._before[one.id] = one
                self._put(one)
        for task in facts.tasks:
            if task.id not in self._tasks_before:
                self.tasks[task.id] = self._tasks_before[task.id] = task
        for parcel in facts.parcels:
            if parcel.id not in self._parcels_before:
                self.parcels[parcel.id] = self._parcels_before[parcel.id] = parcel
        for key, units in facts.bins.items():
            if key not in self._bins_before:
                self.bins[key] = self._bins_before[key] = units

    def facts(self) -> FloorFacts:
        """Everything as it stands."""
        return FloorFacts(
            fulfillments=list(self.fulfillments.values()),
            tasks=list(self.tasks.values()),
            parcels=list(self.parcels.values()),
            bins=dict(self.bins),
        )

    # ------------------------------------------------------------------ reading

    def of(self, order: OrderId) -> list[Fulfillment]:
        """The order's fulfillments, the oldest first."""
        return [self.fulfillments[one] for one in self._of_order[order]]

    def line(self, line: FulfillmentLineId) -> FulfillmentLine:
        return next(one for one in self.of_line(line).lines if one.id == line)

    def of_line(self, line: FulfillmentLineId) -> Fulfillment:
        return self.fulfillments[self._of_line[line]]

    def parcels_of(self, fulfillment: FulfillmentId) -> list[Parcel]:
        return [parcel for parcel in self.parcels.values() if parcel.fulfillment == fulfillment]

    def has_moved(self, task: PickTaskId) -> bool:
        """Whether this batch has changed the task already: its next version is under way."""
        return self.tasks[task] != self._tasks_before.get(task)

    def in_bins(self, key: LevelKey) -> int:
        """Units of a level that lie in bins."""
        return sum(units for (item, location, _), units in self.bins.items() if (item, location) == key)

    def asked_of(self, key: BinKey) -> int:
        """Units that open tasks will fetch from the bin."""
        return sum(task.missing for task in self.tasks.values() if task.key == key)

    def where_to_pick(self, item: ItemId, location: LocationId, units: int) -> list[tuple[str | None, int]]:
        """Bins that have so many units which no task has asked for, by code; what they do not have lies elsewhere."""
        found: list[tuple[str | None, int]] = []
        for key in sorted(key for key in self.bins if key[:2] == (item, location)):
            here = min(units, self.bins[key] - self.asked_of(key))
            if here > 0:
                found.append((key[2], here))
                units -= here
        return [*found, (None, units)] if units else found

    def who_moved(self, fulfillment: FulfillmentId) -> str:
        """Who changed it last in this batch."""
        return self._actors.get(fulfillment, self.actor)

    def who_moved_last(self, order: OrderId) -> str | None:
        """Who changed a fulfillment of the order last in this batch; None: nobody did."""
        moved = (self._actors[one.id] for one in reversed(self.of(order)) if one.id in self._actors)
        return next(moved, None)

    def who_moved_task(self, task: PickTaskId) -> str:
        """Who changed it last in this batch."""
        return self._task_actors.get(task, self.actor)

    # ------------------------------------------------------------------ moves

    def add(self, fulfillment: Fulfillment) -> None:
        self.change(fulfillment)

    def change(self, fulfillment: Fulfillment) -> None:
        self._put(fulfillment)
        self._actors[fulfillment.id] = self.actor

    def change_line(self, line: FulfillmentLine) -> None:
        one = self.of_line(line.id)
        self.change(replace(one, lines=tuple(line if line.id == old.id else old for old in one.lines)))

    def change_task(self, task: PickTask) -> None:
        self.tasks[task.id] = task
        self._task_actors[task.id] = self.actor

    def put_parcel(self, parcel: Parcel) -> None:
        self.parcels[parcel.id] = parcel
        self._actors[parcel.fulfillment] = self.actor

    def set_bin(self, key: BinKey, units: int) -> None:
        """So many units lie in the bin. Tasks that counted on more of them look elsewhere."""
        assert units >= 0, "less than nothing in a bin"
        self.bins[key] = units
        too_many = self.asked_of(key) - units
        for task in sorted(self.tasks.values(), key=lambda task: -task.id):
            if too_many > 0 and task.key == key and task.missing:
                too_many -= task.missing
                self._look_elsewhere(task)

    def trim_bins(self, key: LevelKey, units: int) -> None:
        """No more than so many units of the level can lie in bins: what is too much is taken from the last bins."""
        surplus = self.in_bins(key) - units
        for bin_key in sorted((one for one in self.bins if one[:2] == key), reverse=True):
            if surplus > 0 and self.bins[bin_key]:
                taken = min(surplus, self.bins[bin_key])
                surplus -= taken
                self.set_bin(bin_key, self.bins[bin_key] - taken)

    def shrink(self, line: FulfillmentLineId, units: int, picked: int = 0) -> None:
        """So many units, of them so many picked ones, are no longer sent; a fulfillment of nothing is canceled."""
        known = self.line(line)
        known = replace(known, quantity=known.quantity - units, picked=known.picked - picked)
        self.change_line(known)
        surplus = sum(task.missing for task in self._tasks_of(line)) - (known.quantity - known.picked)
        for task in sorted(self._tasks_of(line), key=lambda task: -task.id):
            if surplus > 0 and task.missing:
                less = min(surplus, task.missing)
                surplus -= less
                self.change_task(_ended_if_done(replace(task, quantity=task.quantity - less)))
        self.settle(self._of_line[line])

    def settle(self, fulfillment: FulfillmentId) -> None:
        """Nothing left to send: canceled. Everything picked: picked. More to pick again: picking."""
        one = self.fulfillments[fulfillment]
        if one.state not in UNDER_WAY:
            return
        picked = sum(line.picked for line in one.lines)
        if not one.units:
            self.change(replace(one, state=FulfillmentState.CANCELED))
        elif one.state in PICKABLE and picked == one.units:
            self.change(replace(one, state=FulfillmentState.PICKED))
        elif one.state not in PICKABLE and picked < one.units:
            self.change(replace(one, state=FulfillmentState.PICKING))

    def end_tasks(self, fulfillment: FulfillmentId) -> None:
        for task in list(self.tasks.values()):
            if task.fulfillment == fulfillment and task.state is PickTaskState.OPEN:
                self.change_task(replace(task, state=PickTaskState.CANCELED))

    # ------------------------------------------------------------------ changes

    def changes(self) -> FloorChanges:
        """What is different now; with new versions."""
        made = FloorChanges()
        told = {
            parcel.fulfillment
            for parcel in self.parcels.values()
            if parcel is not self._parcels_before.get(parcel.id) and parcel.id in self._parcels_before
        }
        for one in list(self.fulfillments.values()):
            before = self._before.get(one.id)
            if (one is before or one == before) and one.id not in told:
                continue
            one = replace(one, version=before.version + 1 if before else 1)
            self.fulfillments[one.id] = one
            if before:
                made.fulfillments.append((before, one))
            else:
                made.new_fulfillments.append(one)
        for task in list(self.tasks.values()):
            old = self._tasks_before.get(task.id)
            if task is not old and task != old:
                task = replace(task, version=old.version + 1 if old else 1)
                (made.tasks if old else made.new_tasks).append(task)
        for parcel in self.parcels.values():
            if parcel is not self._parcels_before.get(parcel.id):
                (made.parcels if parcel.id in self._parcels_before else made.new_parcels).append(parcel)
        made.bins = {key: units for key, units in self.bins.items() if units != self._bins_before.get(key)}
        return made

    def _put(self, one: Fulfillment) -> None:
        if one.id not in self.fulfillments:
            self._of_order[one.order].append(one.id)
        self.fulfillments[one.id] = one
        for line in one.lines:
            self._of_line[line.id] = one.id

    def _tasks_of(self, line: FulfillmentLineId) -> list[PickTask]:
        return [task for task in self.tasks.values() if task.fulfillment_line == line]

    def _look_elsewhere(self, task: PickTask) -> None:
        """One other bin that has it all, or wherever the SKU lies."""
        self.change_task(replace(task, bin=None))
        others = sorted(key for key in self.bins if key[:2] == (task.item, task.location) and key != task.key)
        enough = (key[2] for key in others if self.bins[key] - self.asked_of(key) >= task.missing)
        self.change_task(replace(task, bin=next(enough, None)))


def _ended_if_done(task: PickTask) -> PickTask:
    if task.quantity > task.picked + task.short:
        return task
    return replace(task, state=PickTaskState.DONE if task.picked else PickTaskState.CANCELED)
