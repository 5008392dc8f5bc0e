"""Pick lists and picks: what pickers are to fetch, and what they say they fetched."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain import picking
from domain.barcodes import same_barcode
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import ORDER_QUANTITY_MAX, Path, Problems
from domain.errors import DomainError, NotFound, PickListTaken
from domain.ids import FulfillmentId, PickListId, PickTaskId, RowName
from domain.kinds import PickMode
from domain.picking import Pick
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.keys import checked_key, once
from services.ports.database import Database
from services.ports.fulfillments import PickListView, TaskItem
from services.ports.unit_of_work import UnitOfWork
from services.sight import cut, in_sight

COMMANDS_MAX = 200
LIST_FULFILLMENTS_MAX = 200
LEASE_SECONDS_MAX = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PickRecorded:
    """A pick was written down, by this request: who asks again under the same key learns that it was then.

    `fulfillments`: new ones, at locations that send what was missing here.
    """

    task: PickTaskId
    request: str
    fulfillments: tuple[FulfillmentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PickAnswer:
    """What became of one command: `recorded` (now, or `already`) or the refusal."""

    command: str
    task: PickTaskId
    recorded: PickRecorded | None = None
    already: bool = False
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPick:
    """One thing that a picker did. `barcode`: what was scanned, to be compared with the item's."""

    mutation: ClassVar[str] = "recordPicks"
    outcome_type: ClassVar[Any] = PickRecorded
    pick: Pick
    barcode: str | None = None

    def needs(self) -> Needs:
        return Needs(tasks=(self.pick.task,), floor=True)

    def decide(self, batch: Batch, known: Known) -> PickRecorded:
        item = known.tasks.get(self.pick.task)
        if item is None:
            raise NotFound(references=(RowName("PickTask", self.pick.task),))
        assert known.now is not None
        right = self.barcode is None or is_right(self.barcode, item)
        made = picking.record_pick(batch, self.pick, known.now, is_right_item=right)
        return PickRecorded(task=self.pick.task, request=batch.request, fulfillments=made)

    def conclude(self, outcome: PickRecorded, _: Changes) -> PickRecorded:
        return outcome


def is_right(scanned: str, item: TaskItem) -> bool:
    """Whether this is the item's barcode; of an item without one, its SKU."""
    return same_barcode(scanned, item.barcode) if item.barcode else scanned == item.sku


async def record_picks(
    performer: Performer, caller: Caller, commands: Sequence[tuple[str, RecordPick]]
) -> list[PickAnswer]:
    """Write down what a picker did, in this sequence: each command under the id that the client made for it, each with
    its own answer. What was recorded before is not done again. Raises InvalidInput.
    """
    problems, path = Problems(), ("input", "commands")
    problems.size(len(commands), path, COMMANDS_MAX)
    checked = [_checked(problems, one, key, (*path, str(at))) for at, (key, one) in enumerate(commands)]
    problems.refuse()
    # Asked for one after the other, they stand so in the queue, and become one transaction.
    tasks = [asyncio.ensure_future(_record(performer, caller, key, one)) for key, one in checked]
    return list(await asyncio.gather(*tasks))


async def _record(performer: Performer, caller: Caller, key: str, command: RecordPick) -> PickAnswer:
    try:
        done = await performer.perform(caller, command, key)
    except DomainError as refusal:
        return PickAnswer(command=key, task=command.pick.task, refusal=refusal)
    return PickAnswer(command=key, task=done.task, recorded=done, already=done.request != caller.request)


def _checked(problems: Problems, command: RecordPick, key: str, path: Path) -> tuple[str, RecordPick]:
    pick = command.pick
    key = problems.code(key, (*path, "commandId"))
    problems.whole(pick.quantity, (*path, "quantity"), 0, ORDER_QUANTITY_MAX)
    if not pick.quantity and pick.short is None:
        problems.add((*path, "quantity"), "OUT_OF_RANGE", "Nothing was picked: say that it is short, or leave it out.")
    if pick.short is not None and pick.short.left is not None:
        problems.whole(pick.short.left, (*path, "short", "left"), 0, ORDER_QUANTITY_MAX)
    picker = problems.optional_text(pick.picker, (*path, "picker"))
    barcode = problems.optional_text(command.barcode, (*path, "barcode"))
    return key, replace(command, pick=replace(pick, picker=picker), barcode=barcode)


# ---------------------------------------------------------------- pick lists


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPickList:
    """A list that is asked for: of these fulfillments, or (None) of so many, the most urgent first. With a picker, it
    is theirs for so many seconds.
    """

    location: str
    mode: PickMode
    fulfillments: tuple[FulfillmentId, ...] | None = None
    most: int = 20
    picker: str | None = None
    lease_seconds: int = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class PickListMade:
    """The list; None: there is nothing to pick."""

    list: PickListId | None


async def create_pick_list(database: Database, caller: Caller, new: NewPickList, key: str) -> PickListMade:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    location = problems.code(new.location, ("input", "location"))
    most = 1 if new.mode is PickMode.SINGLE else new.most
    problems.whole(most, ("input", "fulfillmentsMax"), 1, LIST_FULFILLMENTS_MAX)
    if new.fulfillments is not None:
        problems.size(len(new.fulfillments), ("input", "fulfillments"), LIST_FULFILLMENTS_MAX)
        if new.mode is PickMode.SINGLE and len(new.fulfillments) > 1:
            problems.add(("input", "fulfillments"), "TOO_MANY", "A single list is of one fulfillment: use BATCH.")
    picker = problems.optional_text(new.picker, ("input", "picker"))
    problems.whole(new.lease_seconds, ("input", "leaseSeconds"), 1, LEASE_SECONDS_MAX)
    problems.refuse()
    new = replace(new, location=location, most=most, picker=picker)

    async def effect(uow: UnitOfWork) -> PickListMade:
        places = {place.code: place.id for place in await uow.catalog.locations()}
        if new.location not in places or not caller.visibility.sees_location(new.location):
            raise NotFound(references=(new.location,))
        wanted = new.fulfillments
        if wanted is not None:
            there = await cut(uow, caller.visibility, "fulfillments", await uow.fulfillments.orders_of(wanted))
            missing = tuple(RowName("Fulfillment", one) for one in wanted if one not in there)
            if missing:
                raise NotFound(references=missing)
        made = await uow.fulfillments.make_list(
            places[new.location], new.mode, wanted, new.most, new.picker, new.lease_seconds
        )
        return PickListMade(list=made)

    return await once(database, (caller.key, "createPickList", checked_key(key)), new, PickListMade, effect)


async def claim_pick_list(database: Database, caller: Caller, pick_list: PickListId, picker: str, seconds: int) -> None:
    """Let the picker have the list for so long from now; who has it already, has it longer.

    Raises InvalidInput, NotFound, PickListTaken.
    """
    problems = Problems()
    picker = problems.text(picker, ("input", "picker"))
    problems.whole(seconds, ("input", "leaseSeconds"), 1, LEASE_SECONDS_MAX)
    problems.refuse()

    async def work(uow: UnitOfWork) -> None:
        await _list(uow, caller, pick_list)
        if not await uow.fulfillments.take_list(pick_list, picker, seconds):
            raise PickListTaken(list=pick_list)

    await database.run(work, repeatable=True)


async def release_pick_list(database: Database, caller: Caller, pick_list: PickListId, picker: str) -> None:
    """Let others have the list. Raises NotFound, PickListTaken."""

    async def work(uow: UnitOfWork) -> None:
        found = await _list(uow, caller, pick_list)
        if found.picker is not None and not await uow.fulfillments.give_list_back(pick_list, picker):
            raise PickListTaken(list=pick_list)

    await database.run(work, repeatable=True)


async def _list(uow: UnitOfWork, caller: Caller, pick_list: PickListId) -> PickListView:
    """Raises NotFound."""
    found = await uow.fulfillments.lists([pick_list])
    if not found or not await in_sight(uow, caller.visibility, "pick_lists", [pick_list]):
        raise NotFound(references=(RowName("PickList", pick_list),))
    return found[0]
