"""Background runs: start one, cancel one, and the next chunk of whichever is next.

A chunk is one transaction: what it allocates, how far the run is and the event that tells it are committed together, so
a run that loses its process goes on where it stopped, and does nothing twice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from domain.allocating import OrderOutcome, Terms
from domain.allocation import FREE_FOR_ALL, Policy
from domain.errors import NotFound
from domain.ids import ItemId, KeyId, LevelKey, LocationId, OrderId, RunId
from domain.kinds import AllocationSequence, AllocationStatus, RunState
from domain.orders import ALLOCATABLE
from domain.runs import Run, RunSeek
from services.allocation import allocate_batch, foresee_batch
from services.callers import Caller
from services.outcomes import from_json, to_json
from services.performing import checked_key, once
from services.ports import SKUS_MAX, Database, OrderFilter, UnitOfWork

K = TypeVar("K")

CHUNK_ORDERS_MAX = 250
"""Small enough to hold its locks for a moment only, and to show progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Allocate every order that matches, in the background."""

    filter: OrderFilter
    sequence: AllocationSequence
    dry_run: bool
    policy: Policy = FREE_FOR_ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run that was started."""

    run: RunId


async def start_allocation_run(database: Database, caller: Caller, command: StartRun, key: str) -> RunStarted:
    """Queue a run. Raises InvalidInput, IdempotencyKeyReused."""

    async def effect(uow: UnitOfWork) -> RunStarted:
        run = await uow.runs.add(
            dry_run=command.dry_run,
            sequence=command.sequence,
            condition=to_json(command.filter),
            policy=to_json(command.policy),
            actor=caller.actor,
            request=caller.request,
        )
        return RunStarted(run=run)

    identity = (caller.key, "startAllocationRun", checked_key(key))
    return await once(database, identity, command, RunStarted, effect)


async def cancel_allocation_run(database: Database, run: RunId | None, reference: str) -> RunId:
    """Stop a run behind the chunk that is at work; one that has ended stays as it is. Raises NotFound."""

    async def work(uow: UnitOfWork) -> RunId | None:
        found = await uow.runs.lock(run) if run is not None else None
        if found is not None and not found.has_ended:
            await uow.runs.save(replace(found, state=RunState.CANCELED))
        return found.id if found else None

    canceled = await database.run(work, repeatable=True)
    if canceled is None:
        raise NotFound(references=(reference,))
    return canceled


async def advance_a_run(uow: UnitOfWork) -> RunId | None:
    """Do one chunk of the oldest run that nobody works on; which run it was."""
    run = await uow.runs.lock_next()
    if run is None:
        return None
    condition: OrderFilter = from_json(OrderFilter, dict(run.filter))
    if run.state is RunState.QUEUED:
        run = replace(run, state=RunState.RUNNING, total=await _count(uow, condition))
    chunk = await _chunk(uow, run, condition)
    await uow.runs.save(await _serve(uow, run, chunk) if chunk else replace(run, state=RunState.SUCCEEDED))
    return run.id


async def fail_run(uow: UnitOfWork, run: RunId) -> None:
    """Give a run up that cannot go on."""
    found = await uow.runs.lock(run)
    if found is not None and not found.has_ended:
        await uow.runs.save(replace(found, state=RunState.FAILED))


async def _serve(uow: UnitOfWork, run: Run, chunk: Sequence[RunSeek]) -> Run:
    orders = [place.order for place in chunk]
    moved: Mapping[LevelKey, int] = {(ItemId(item), LocationId(location)): units for item, location, units in run.moved}
    outcomes: Sequence[OrderOutcome]
    terms = Terms(policy=run.policy, each_line=False, closed=set(run.closed))
    if run.dry_run:
        outcomes, moves = await foresee_batch(uow, orders, moved, terms)
        moved = _added(moved, moves)
    else:
        outcomes = await allocate_batch(uow, _caller(run), orders, terms)
    after = _added(run.outcomes, Counter(str(outcome.after) for outcome in outcomes if outcome.after))
    processed = run.processed + len(chunk)
    return replace(
        run,
        processed=processed,
        total=max(run.total, processed),
        outcomes=dict(after),
        seek=chunk[-1],
        moved=tuple((item, location, units) for (item, location), units in moved.items()),
        closed=frozenset(terms.closed),
    )


async def _chunk(uow: UnitOfWork, run: Run, condition: OrderFilter) -> list[RunSeek]:
    return await _places_within_bounds(
        uow, await uow.orders.in_sequence(condition, run.sequence, CHUNK_ORDERS_MAX, run.seek)
    )


async def _places_within_bounds(uow: UnitOfWork, places: list[RunSeek]) -> list[RunSeek]:
    return places[: len(await within_bounds(uow, [place.order for place in places]))]


async def within_bounds(uow: UnitOfWork, orders: list[OrderId]) -> list[OrderId]:
    """As many of the orders as one transaction takes, and at least one."""
    items = await uow.batches.items_of(orders)
    skus: set[ItemId] = set()
    for at, order in enumerate(orders):
        skus.update(items.get(order, ()))
        if at and len(skus) > SKUS_MAX:
            return orders[:at]
    return orders


async def _count(uow: UnitOfWork, condition: OrderFilter) -> int:
    counts = await uow.orders.counts(condition)
    done = (None, AllocationStatus.ALLOCATED)
    return sum(count for status, allocation, count in counts if status in ALLOCATABLE and allocation not in done)


def _added(counts: Mapping[K, int], more: Mapping[K, int]) -> Counter[K]:
    """Sums that may be negative, unlike those of `Counter + Counter`."""
    total: Counter[K] = Counter()
    total.update(counts)
    total.update(more)
    return total


def _caller(run: Run) -> Caller:
    return Caller(key=KeyId(0), actor=run.actor, request=run.request)


# ---------------------------------------------------------------- waiting orders


REPLENISHED_ITEMS_MAX = 500


async def run_waiting_orders(database: Database, caller: Caller) -> int:
    """Run the orders that wait for SKUs which became available, highest priority first; how many orders."""
    items = await database.read(lambda uow: uow.runs.replenished(REPLENISHED_ITEMS_MAX))
    if not items:
        return 0
    served = 0
    seek: RunSeek | None = None
    wanted = [item for item, _ in items]
    while chunk := await database.run(
        partial(_serve_waiting, caller=caller, items=wanted, after=seek), repeatable=True
    ):
        served += len(chunk)
        seek = chunk[-1]
    await database.run(lambda uow: uow.runs.forget_replenished(items), repeatable=True)
    return served


async def _serve_waiting(
    uow: UnitOfWork, *, caller: Caller, items: Sequence[ItemId], after: RunSeek | None
) -> list[RunSeek]:
    chunk = await _places_within_bounds(uow, await uow.orders.waiting_for(items, CHUNK_ORDERS_MAX, after))
    if chunk:
        await allocate_batch(uow, caller, [place.order for place in chunk])
    return chunk
