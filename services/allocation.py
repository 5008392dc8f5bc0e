"""Allocate and deallocate: the main job."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from domain.allocating import OrderOutcome, OrderToAllocate, Terms, allocate, deallocate
from domain.allocation import FREE_FOR_ALL, Policy
from domain.batch import Batch
from domain.changes import Changes, Facts
from domain.checks import LIST_MAX, Path, Problems
from domain.errors import PlanChanged
from domain.foresight import Foresight
from domain.ids import ItemId, LineId, OrderId
from domain.kinds import AllocationSequence, AllocationStatus
from domain.making import quickly_made
from domain.runs import RunSeek
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.keys import fingerprint
from services.plan_tokens import (
    DIGEST_BYTES,
    basis_of,
    digest,
    read_token,
    refuse_other_input,
    refuse_where_moved,
)
from services.ports.batches import SKUS_MAX, BatchTooLarge
from services.ports.database import Database
from services.ports.orders import OrderFilter, OrderReference
from services.ports.unit_of_work import UnitOfWork
from services.recording import settle
from services.references import checked_reference, location_ranks

ORDERS_MAX = 1_000


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run did to each order, in the sequence given."""

    results: tuple[OrderOutcome, ...]


class _RunCommand:
    outcome_type: ClassVar[Any] = RunOutcome

    def conclude(self, outcome: RunOutcome, _: Changes) -> RunOutcome:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LineToAllocate:
    """`quantity` units of the line shall be set aside in all; None: all that is open."""

    line: LineId
    quantity: int | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrder:
    """One order of a run; `lines` None: every open line."""

    order: OrderReference
    lines: tuple[LineToAllocate, ...] | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrders(_RunCommand):
    """Allocate the orders in exactly this sequence. `locations`: codes of those that may be used; None: all.

    `token`: do exactly what the dry run said that gave it, or nothing.
    """

    mutation: ClassVar[str] = "allocateOrders"
    orders: tuple[AllocateOrder, ...]
    locations: tuple[str, ...] | None = None
    policy: Policy = FREE_FOR_ALL
    token: str | None = None

    def needs(self) -> Needs:
        references = tuple(one.order for one in self.orders)
        # What others of the batch have moved has its old version still: who relies on versions comes alone.
        return Needs(orders=references, path=("input", "orders"), alone=self.token is not None)

    def decide(self, batch: Batch, known: Known) -> RunOutcome:
        each_once(known.orders, ("input", "orders"))
        if self.token is not None:
            self._refuse_unless_as_foreseen(self.token, batch, known)
        return RunOutcome(results=self._allocate(batch, known))

    def _refuse_unless_as_foreseen(self, text: str, batch: Batch, known: Known) -> None:
        """The plan is made on a copy first, because whoever is refused may have moved nothing."""
        token = read_token(text)
        if token.asked != asked_for(self):
            refuse_other_input()
        refuse_where_moved(token, basis_of(batch, known.orders, self.locations))
        if digest(self._allocate(Batch(batch.facts()), known)) != token.planned:
            raise PlanChanged(levels=(), orders=())

    def _allocate(self, batch: Batch, known: Known) -> tuple[OrderOutcome, ...]:
        wanted = [
            OrderToAllocate(
                reference=str(one.order),
                order=order,
                lines=None if one.lines is None else {line.line: line.quantity for line in one.lines},
            )
            for one, order in zip(self.orders, known.orders, strict=True)
        ]
        locations = None if self.locations is None else location_ranks(batch, self.locations)
        return allocate(batch, wanted, Terms(policy=self.policy, locations=locations))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeallocateOrders(_RunCommand):
    """Give back everything that is set aside for the orders."""

    mutation: ClassVar[str] = "deallocateOrders"
    orders: tuple[OrderReference, ...]

    def needs(self) -> Needs:
        return Needs(orders=self.orders, path=("input", "orders"))

    def decide(self, batch: Batch, known: Known) -> RunOutcome:
        each_once(known.orders, ("input", "orders"))
        return RunOutcome(results=deallocate(batch, list(zip(map(str, self.orders), known.orders, strict=True))))


async def allocate_orders(performer: Performer, caller: Caller, command: AllocateOrders, key: str) -> RunOutcome:
    """Allocate in one transaction; each order has its own outcome.

    Raises InvalidInput, IdempotencyKeyReused and, where a token is given, PlanChanged.
    """
    command = checked(command)
    if command.token is not None:
        read_token(command.token)
    return await performer.perform(caller, command, key)


async def deallocate_orders(performer: Performer, caller: Caller, command: DeallocateOrders, key: str) -> RunOutcome:
    """Give back in one transaction; each order has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    problems = Problems()
    orders = [
        checked_reference(problems, one, ("input", "orders", str(index))) for index, one in enumerate(command.orders)
    ]
    check_references(problems, orders)
    problems.refuse()
    return await performer.perform(caller, replace(command, orders=tuple(orders)), key)


async def allocate_batch(
    uow: UnitOfWork, caller: Caller, orders: Sequence[OrderId], terms: Terms | None = None
) -> tuple[OrderOutcome, ...]:
    """Allocate orders that are known by id, in this sequence, within a transaction that the caller keeps.

    The outcomes tell of each line only where `terms` ask for it.
    """
    batch = Batch(await uow.batches.load(orders=orders), actor=caller.actor, request=caller.request)
    return await allocate_loaded(uow, batch, orders, terms)


async def allocate_loaded(
    uow: UnitOfWork, batch: Batch, orders: Sequence[OrderId], terms: Terms | None = None
) -> tuple[OrderOutcome, ...]:
    """Allocate orders of a batch that nothing else is done with, and write it."""
    outcomes = allocate(batch, whole_orders(orders), terms or Terms(each_line=False))
    await settle(uow, batch)
    await uow.batches.record(batch.changes())
    return outcomes


async def allocate_waiting(
    database: Database, caller: Caller, *, progress: Callable[[int, int], None] | None = None, dry_run: bool = False
) -> Counter[AllocationStatus]:
    """Allocate every order that waits for stock, the oldest first; how many are in which allocation status after it.

    Each batch is a transaction of its own, so what is done stays done whatever happens to the rest. Not counted is an
    order that waits no more when its turn comes, or that has more SKUs than a batch takes.

    A dry run writes nothing and holds the locks of one batch at a time; what its batches would have written, it
    remembers for the next ones.
    """
    total = await database.read(lambda uow: uow.orders.to_serve(OrderFilter()))
    foresight = Foresight()
    after: Counter[AllocationStatus] = Counter()
    work = partial(foresee_batch, foresight=foresight) if dry_run else partial(_allocate_for_good, caller=caller)
    done = 0
    async for orders in _waiting(database):
        async for outcomes, unwritten in _divided_if_too_large(database, work, orders):
            foresight.add(unwritten)
            after.update(one.after for one in outcomes if one.after and one.before is not AllocationStatus.ALLOCATED)
        done += len(orders)
        if progress:
            progress(done, max(done, total))
    return after


Done = tuple[tuple[OrderOutcome, ...], Changes]
"""What became of the orders; and what was decided and not written, in a dry run."""


async def _waiting(database: Database) -> AsyncIterator[list[OrderId]]:
    """All orders that wait, the oldest first, in batches as large as one transaction takes."""
    batch: list[OrderId] = []
    skus: set[ItemId] = set()
    seek: RunSeek | None = None
    while page := await database.read(partial(_page_of_waiting, after=seek)):
        for place, items in page:
            if batch and (len(batch) == ORDERS_MAX or len(skus) + len(items - skus) > SKUS_MAX):
                yield batch
                batch, skus = [], set()
            batch.append(place.order)
            skus |= items
        seek = page[-1][0]
    if batch:
        yield batch


async def _page_of_waiting(uow: UnitOfWork, *, after: RunSeek | None) -> list[tuple[RunSeek, set[ItemId]]]:
    places = await uow.orders.in_sequence(OrderFilter(), AllocationSequence.PLACED_AT_ASC, ORDERS_MAX, after)
    items = await uow.batches.items_of([place.order for place in places])
    return [(place, set(items.get(place.order, ()))) for place in places]


async def _divided_if_too_large(
    database: Database, work: Callable[..., Awaitable[Done]], orders: list[OrderId]
) -> AsyncIterator[Done]:
    """Orders may have gained SKUs since they were counted: then the batch is done in halves."""
    try:
        yield await database.run(partial(work, orders=orders), repeatable=True)
    except BatchTooLarge:
        middle = len(orders) // 2
        for half in (orders[:middle], orders[middle:]) if middle else ():
            async for done in _divided_if_too_large(database, work, half):
                yield done


async def _allocate_for_good(uow: UnitOfWork, *, caller: Caller, orders: Sequence[OrderId]) -> Done:
    return await allocate_batch(uow, caller, orders), Changes()


async def foresee_batch(
    uow: UnitOfWork, orders: Sequence[OrderId], foresight: Foresight, terms: Terms | None = None
) -> Done:
    """What allocating would do after all that is foreseen had been written."""
    return await foresee_loaded(uow, await uow.batches.load(orders=orders), orders, foresight, terms)


async def foresee_loaded(
    uow: UnitOfWork, facts: Facts, orders: Sequence[OrderId], foresight: Foresight, terms: Terms | None = None
) -> Done:
    """The same for orders of which the facts are known."""
    batch = Batch(foresight.over(facts))
    outcomes = allocate(batch, whole_orders(orders), terms or Terms(each_line=False))
    unsettled = batch.unsettled()
    if unsettled:
        batch.learn(foresight.over(await uow.batches.contenders(unsettled)))
    return outcomes, batch.changes()


def whole_orders(orders: Sequence[OrderId]) -> list[OrderToAllocate]:
    return [OrderToAllocate(reference=f"Order:{order}", order=order) for order in orders]


def asked_for(command: AllocateOrders) -> bytes:
    """A digest of the input without its token."""
    return fingerprint(replace(command, token=None))[:DIGEST_BYTES]


def checked(command: AllocateOrders) -> AllocateOrders:
    """The command with its names as Dibs keeps them. Raises InvalidInput."""
    problems = Problems()
    paths = [("input", "orders", str(index)) for index in range(len(command.orders))]
    references = [
        checked_reference(problems, one.order, (*path, "order"))
        for path, one in zip(paths, command.orders, strict=True)
    ]
    check_references(problems, references)
    for path, one in zip(paths, command.orders, strict=True):
        _check_lines(problems, one, (*path, "lines"))
    if command.locations is not None:
        problems.size(len(command.locations), ("input", "locations"), LIST_MAX)
        for index, code in enumerate(command.locations):
            problems.code(code, ("input", "locations", str(index)))
    problems.refuse()
    if all(one.order is order for one, order in zip(command.orders, references, strict=True)):
        return command
    orders = (replace(one, order=order) for one, order in zip(command.orders, references, strict=True))
    return replace(command, orders=tuple(orders))


def check_references(problems: Problems, references: Sequence[OrderReference]) -> None:
    """1 to 1,000 orders, each once."""
    problems.size(len(references), ("input", "orders"), ORDERS_MAX)
    problems.distinct(map(str, references), ("input", "orders"), "Each order may stand here once.")


def _check_lines(problems: Problems, order: AllocateOrder, path: Path) -> None:
    if order.lines is None:
        return
    problems.size(len(order.lines), path)
    problems.distinct((line.line for line in order.lines), path, "Each line may stand here once.")
    for index, line in enumerate(order.lines):
        if line.quantity is not None:
            problems.whole(line.quantity, (*path, str(index), "quantity"), 1, 2**31 - 1)


def each_once(ids: Sequence[OrderId | None], path: Path) -> None:
    """The same order may hide behind an id and a number."""
    problems = Problems()
    problems.distinct(ids, path, "Each order may stand here once.")
    problems.refuse()
