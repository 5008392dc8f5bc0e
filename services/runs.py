"""Background runs: start one, cancel one, and the next chunk of whichever is next.

A chunk is one transaction: what it allocates, how far the run is and the event that tells it are committed together, so
a run that loses its process goes on where it stopped, and does nothing twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from domain.allocating import OrderOutcome, Terms
from domain.allocation import FREE_FOR_ALL, Policy
from domain.batch import Batch
from domain.best_plan import SOLVED
from domain.checks import Problems
from domain.errors import NotFound
from domain.foresight import Foresight
from domain.ids import ItemId, KeyId, OrderId, RunId
from domain.kinds import AllocationSequence, AllocationStatus, RunState
from domain.orders import WAITING
from domain.runs import Run, RunSeek
from services.allocation import allocate_batch, allocate_loaded, foresee_loaded
from services.callers import Caller
from services.keys import checked_key, once
from services.outcomes import from_json, to_json
from services.plan_tokens import refuse_other_input
from services.ports.batches import SKUS_MAX
from services.ports.database import Database
from services.ports.orders import OrderFilter
from services.ports.unit_of_work import UnitOfWork
from services.run_plans import (
    basis_of_facts,
    commit_chunk,
    dry_run_of,
    keep_chunk,
    refuse_where_any_moved,
)
from services.sight import in_sight

CHUNK_ORDERS_MAX = 250
"""Small enough to hold its locks for a moment only, and to show progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Allocate every order that matches, in the background.

    `keep`: orders that go first, oldest first, before it is chosen which of the others to complete. `token`: do exactly
    what the dry run said that gave it.
    """

    filter: OrderFilter
    sequence: AllocationSequence
    dry_run: bool
    policy: Policy = FREE_FOR_ALL
    keep: OrderFilter | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run that was started."""

    run: RunId


async def start_allocation_run(database: Database, caller: Caller, command: StartRun, key: str) -> RunStarted:
    """Queue a run; over all of their channels for a caller who is limited to some and names none.

    Raises InvalidInput, IdempotencyKeyReused and, where a token is given, PlanChanged.
    """
    command = _within_limits(caller, command)
    _refuse_what_has_no_meaning(command)

    async def effect(uow: UnitOfWork) -> RunStarted:
        dry = await _dry_run(uow, command)
        run = await uow.runs.add(
            dry_run=command.dry_run,
            sequence=command.sequence,
            condition=to_json(command.filter),
            policy=to_json(command.policy),
            keep=to_json(command.keep),
            actor=caller.actor,
            request=caller.request,
            commits=dry,
        )
        return RunStarted(run=run)

    identity = (caller.key, "startAllocationRun", checked_key(key))
    return await once(database, identity, command, RunStarted, effect)


async def _dry_run(uow: UnitOfWork, command: StartRun) -> Run | None:
    """The dry run that is to be done exactly, if there is one. Raises InvalidInput, PlanChanged."""
    if command.token is None:
        return None
    dry = await dry_run_of(uow, command.token)
    if _input_of(dry) != replace(command, token=None):
        refuse_other_input()
    await refuse_where_any_moved(uow, dry)
    return dry


def _within_limits(caller: Caller, command: StartRun) -> StartRun:
    """A run is known to whoever is limited to channels by those of its filter, so it always names them."""
    own = caller.visibility.channels
    if own is None:
        return command
    problems = Problems()
    given = command.filter.channels
    for at, channel in enumerate(given or ()):
        if channel not in own:
            path = ("input", "filter", "channels", str(at))
            problems.add(path, "UNKNOWN", "There is no channel of this code.")
    if given == ():
        problems.add(("input", "filter", "channels"), "REQUIRED", "This key is limited to channels: name one at least.")
    problems.refuse()
    return replace(command, filter=replace(command.filter, channels=tuple(sorted(own)) if given is None else given))


def _refuse_what_has_no_meaning(command: StartRun) -> None:
    problems = Problems()
    if command.keep is not None and command.sequence not in SOLVED:
        message = "Only MAX_COMPLETE_ORDERS and MAX_COMPLETE_VALUE change a sequence that could be kept for some."
        problems.add(("input", "keepSequenceFor"), "NOT_APPLICABLE", message)
    if command.token is not None and command.dry_run:
        problems.add(("input", "token"), "NOT_APPLICABLE", "A dry run gives a token, and takes none.")
    problems.refuse()


def _input_of(dry: Run) -> StartRun:
    """The input of the run that does what this dry run said."""
    return StartRun(
        filter=from_json(OrderFilter, dict(dry.filter)),
        sequence=dry.sequence,
        dry_run=False,
        policy=dry.policy,
        keep=from_json(OrderFilter, None if dry.keep is None else dict(dry.keep)),
    )


async def cancel_allocation_run(database: Database, caller: Caller, run: RunId | None, reference: str) -> RunId:
    """Stop a run behind the chunk that is at work; one that has ended stays as it is. Raises NotFound."""

    async def work(uow: UnitOfWork) -> RunId | None:
        named = [] if run is None else [run]
        seen = await in_sight(uow, caller.visibility, "allocation_runs", named)
        found = await uow.runs.lock(run) if run in seen and run is not None else None
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
    if run.commits is not None:
        await uow.runs.save(await _commit(uow, replace(run, state=RunState.RUNNING), run.commits))
        return run.id
    condition: OrderFilter = from_json(OrderFilter, dict(run.filter))
    if run.state is RunState.QUEUED:
        run = replace(run, state=RunState.RUNNING, total=await uow.orders.to_serve(condition))
    chunk = await _chunk(uow, run, condition)
    await uow.runs.save(await _serve(uow, run, chunk) if chunk else replace(run, state=RunState.SUCCEEDED))
    return run.id


async def fail_run(uow: UnitOfWork, run: RunId) -> None:
    """Give a run up that cannot go on."""
    found = await uow.runs.lock(run)
    if found is not None and not found.has_ended:
        await uow.runs.save(replace(found, state=RunState.FAILED))


async def _commit(uow: UnitOfWork, run: Run, dry: RunId) -> Run:
    chunk = await uow.runs.foreseen_chunk(dry, run.processed)
    if chunk is None:
        return replace(run, state=RunState.SUCCEEDED)
    run, outcomes = await commit_chunk(uow, run, chunk)
    return run if run.has_ended else _further(run, len(chunk.orders), outcomes)


async def _serve(uow: UnitOfWork, run: Run, chunk: Sequence[RunSeek]) -> Run:
    orders = [place.order for place in chunk]
    foreseen = run.foreseen
    terms = Terms(policy=run.policy, each_line=False, closed=set(run.closed))
    if run.dry_run:
        foresight = Foresight(foreseen)
        facts = await uow.batches.load(orders=orders)
        outcomes, unwritten = await foresee_loaded(uow, facts, orders, foresight, terms)
        await keep_chunk(uow, run, orders, basis_of_facts(facts), unwritten)
        foresight.add(unwritten)
        foreseen = foresight.memory()
    else:
        outcomes = await allocate_batch(uow, _caller(run), orders, terms)
    run = replace(run, seek=chunk[-1], foreseen=foreseen, closed=frozenset(terms.closed))
    return _further(run, len(chunk), outcomes)


def _further(run: Run, orders: int, outcomes: Sequence[OrderOutcome]) -> Run:
    """The run once so many more orders have had their turn."""
    # In a dry run, an order that an earlier one would have cured still looks as if it waited.
    counted = [one.after for one in outcomes if one.after and one.before is not AllocationStatus.ALLOCATED]
    after = Counter(run.outcomes)
    after.update(map(str, counted))
    processed = run.processed + orders
    return replace(run, processed=processed, total=max(run.total, processed), outcomes=dict(after))


async def _chunk(uow: UnitOfWork, run: Run, condition: OrderFilter) -> list[RunSeek]:
    return await _places_within_bounds(uow, await _next_places(uow, run, condition))


async def _next_places(uow: UnitOfWork, run: Run, condition: OrderFilter) -> list[RunSeek]:
    """A plan is followed to its end; behind it come the orders that it does not know."""
    if run.plan is None:
        return await uow.orders.in_sequence(condition, run.sequence, CHUNK_ORDERS_MAX, run.seek)
    if run.seek is not None and run.seek.position is None:
        return await uow.orders.outside_plan(run.id, condition, CHUNK_ORDERS_MAX, run.seek)
    first = 0 if run.seek is None or run.seek.position is None else run.seek.position + 1
    for start in range(first, run.plan.orders, CHUNK_ORDERS_MAX):
        planned = await uow.orders.in_plan(run.id, condition, start, start + CHUNK_ORDERS_MAX)
        if planned:
            return planned
    return await uow.orders.outside_plan(run.id, condition, CHUNK_ORDERS_MAX, None)


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
        # Whether they wait is judged again once the locks are held: somebody may just have deallocated one.
        batch = Batch(
            await uow.batches.load(orders=[place.order for place in chunk]), actor=caller.actor, request=caller.request
        )
        waiting = [place.order for place in chunk if batch.orders[place.order].allocation_status in WAITING]
        await allocate_loaded(uow, batch, waiting)
    return chunk
