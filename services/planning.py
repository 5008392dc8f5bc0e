"""Plans that are made ahead: the sequence of a run that chooses which orders to complete, and policies side by side.

Everything is read at one moment, without a lock, and then thought about in a thread: nobody waits for it but who asked.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import partial
from math import floor
from time import monotonic
from typing import Any

from domain.allocating import Terms
from domain.allocation import FREE_FOR_ALL, POLICIES, Policy
from domain.batch import Batch
from domain.best_plan import SOLVED, Program, Solution, chosen_orders, completed, program_of, weights_of
from domain.changes import Facts
from domain.floor import FloorFacts
from domain.ids import OrderId, RunId
from domain.kinds import AllocationSequence, AllocationStatus
from domain.runs import PlanReport, Run, RunSeek
from domain.what_if import Standing, Tally, serve, served, tally
from services.outcomes import from_json
from services.ports.database import Busy, Database
from services.ports.orders import OrderFilter
from services.ports.solver import Solver
from services.ports.unit_of_work import UnitOfWork

PLANNED_ORDERS_MAX = 50_000
"""In one plan: some 8 kB and half a millisecond an order. A run serves what is beyond oldest first, behind the plan."""
COMPARED_ORDERS_MAX = 10_000
COMPARISONS_MAX = 4
"""At work or waiting in one process; whoever else asks is told to come again."""
PAGE_ORDERS_MAX = 1_000
RUN_SECONDS = 10.0
COMPARISON_SECONDS = 2.0
"""What the solver may take, for one plan."""
TOLERANCE = 1e-6


class TooManyOrders(Exception):
    """More orders match than can be compared at once."""

    def __init__(self) -> None:
        super().__init__(
            f"More than {COMPARED_ORDERS_MAX:,} orders match that a run could serve; at most so many can be compared. "
            "Narrow the filter."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was there at one moment: the orders that a run could serve, the oldest first, and all that counts for them.

    `kept`: those that go first, whatever is chosen. `values`: what open units are worth, by currency.
    `policy`: the run's.
    """

    places: Sequence[RunSeek]
    facts: Facts
    kept: frozenset[OrderId]
    values: Mapping[OrderId, Mapping[str, Decimal]]
    policy: Policy = FREE_FOR_ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A sequence, and what a run in this sequence comes to; `report` where orders were chosen."""

    sequence: Sequence[OrderId]
    tally: Tally
    report: PlanReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedOrder:
    """An order that stands otherwise under this policy than under the first one."""

    order: OrderId
    first: Standing
    here: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOutcome:
    """What a run in a policy's sequence would come to, over all orders that match."""

    policy: AllocationSequence
    complete_orders: int
    partial_orders: int
    units: int
    parcels: int
    complete_value: Mapping[str, Decimal]
    report: PlanReport | None
    changed: Sequence[ChangedOrder]


class Planner:
    """Makes plans, with somebody who solves what is hard."""

    def __init__(self, database: Database, solver: Solver) -> None:
        self._database = database
        self._solver = solver
        self._comparing = asyncio.Semaphore(1)
        self._comparisons = 0

    async def compare(self, condition: OrderFilter, policies: Sequence[AllocationSequence]) -> list[PolicyOutcome]:
        """What each policy comes to, from one and the same moment. Raises TooManyOrders, and Busy."""
        if self._comparisons >= COMPARISONS_MAX:
            raise Busy
        self._comparisons += 1
        try:
            async with self._comparing:
                return await self._compare(condition, policies)
        finally:
            self._comparisons -= 1

    async def plan_a_run(self) -> RunId | None:
        """Make the plan of the oldest run that waits for one; which run it was."""
        run = await self._database.read(lambda uow: uow.runs.next_to_plan())
        if run is None:
            return None
        condition: OrderFilter = from_json(OrderFilter, dict(run.filter))
        keep = None if run.keep is None else from_json(OrderFilter, dict(run.keep))
        seen = await self._database.snapshot(partial(_see, condition=condition, keep=keep, most=PLANNED_ORDERS_MAX))
        made = await self._make(replace(seen, policy=run.policy), run.sequence, RUN_SECONDS)
        await self._database.run(partial(_keep, run=run, made=made), repeatable=True)
        return run.id

    async def _compare(self, condition: OrderFilter, policies: Sequence[AllocationSequence]) -> list[PolicyOutcome]:
        see = partial(_see, condition=condition, keep=None, most=COMPARED_ORDERS_MAX + 1)
        seen = await self._database.snapshot(see)
        if len(seen.places) > COMPARED_ORDERS_MAX:
            raise TooManyOrders
        made = [await self._make(seen, policy, COMPARISON_SECONDS) for policy in policies]
        return [_outcome(policy, one, made[0], seen) for policy, one in zip(policies, made, strict=True)]

    async def _make(self, seen: Seen, policy: AllocationSequence, seconds: float) -> Made:
        if policy in SOLVED:
            return await self._best(seen, policy, seconds)
        sequence = [one.order for one in POLICIES[policy](seen.places, ())]
        return Made(sequence=sequence, tally=await asyncio.to_thread(_walk, seen, sequence))

    async def _best(self, seen: Seen, policy: AllocationSequence, seconds: float) -> Made:
        """The choice of the solver where it is better than oldest first, and oldest first where it is not."""
        began = monotonic()
        weights = weights_of(policy, [one.order for one in seen.places], seen.values)
        program, fifo = await asyncio.to_thread(_prepare, seen, weights)
        solution = await self._solver.solve(program, seconds)
        best = await asyncio.to_thread(_choose, seen, policy, program, solution)
        before, after = (_objective(one.tally, weights) for one in (fifo, best))
        used, reached = (best, after) if after > before + TOLERANCE else (fifo, before)
        bound = solution.bound + program.free_weight + _objective(fifo.tally, weights, seen.kept)
        if policy is AllocationSequence.MAX_COMPLETE_ORDERS:
            bound = float(floor(bound + TOLERANCE))
        report = PlanReport(
            orders=len(seen.places),
            complete_orders=len(used.tally.having(AllocationStatus.ALLOCATED)),
            fifo_complete_orders=len(fifo.tally.having(AllocationStatus.ALLOCATED)),
            objective=reached,
            fifo_objective=before,
            bound=max(bound, reached),
            optimal=reached >= bound - TOLERANCE * max(1.0, bound),
            seconds=round(monotonic() - began, 3),
        )
        return replace(used, report=report)


# ---------------------------------------------------------------- reading


async def _see(uow: UnitOfWork, *, condition: OrderFilter, keep: OrderFilter | None, most: int) -> Seen:
    """Page by page, so that others have their turn in between."""
    places = await _places(uow, condition, most)
    pages = list(_pages([one.order for one in places]))
    values: dict[OrderId, dict[str, Decimal]] = {}
    for page in pages:
        values |= await uow.orders.values(page)
    return Seen(
        places=places,
        facts=together([await uow.batches.load(orders=page) for page in pages]),
        kept=await _kept(uow, keep, places),
        values=values,
    )


async def _places(uow: UnitOfWork, condition: OrderFilter, most: int, until: RunSeek | None = None) -> list[RunSeek]:
    """The oldest orders that match and that a run could serve; none that is younger than `until`."""
    found: list[RunSeek] = []
    while len(found) < most:
        size = min(PAGE_ORDERS_MAX, most - len(found))
        after = found[-1] if found else None
        page = await uow.orders.in_sequence(condition, AllocationSequence.PLACED_AT_ASC, size, after)
        found += page
        if len(page) < size or (until is not None and _age(page[-1]) >= _age(until)):
            break
    return found


async def _kept(uow: UnitOfWork, keep: OrderFilter | None, places: Sequence[RunSeek]) -> frozenset[OrderId]:
    if keep is None or not places:
        return frozenset()
    found = await _places(uow, keep, 10 * PLANNED_ORDERS_MAX, until=places[-1])
    return frozenset(one.order for one in found) & {one.order for one in places}


def _age(place: RunSeek) -> tuple[Any, OrderId]:
    return place.placed_at, place.order


def _pages(orders: Sequence[OrderId]) -> Iterator[Sequence[OrderId]]:
    for start in range(0, len(orders), PAGE_ORDERS_MAX):
        yield orders[start : start + PAGE_ORDERS_MAX]


def together(facts: Sequence[Facts]) -> Facts:
    """Facts of different orders, read at one moment, as one; what several of them have, once."""
    merged: dict[str, Any] = {}
    for one in fields(Facts):
        parts = [getattr(part, one.name) for part in facts]
        if one.name == "floor":
            merged[one.name] = _one_floor([part for part in parts if part is not None])
        elif parts and isinstance(parts[0], Mapping):
            merged[one.name] = {key: value for part in parts for key, value in part.items()}
        elif parts:
            merged[one.name] = [value for part in parts for value in part]
    return Facts(**merged)


def _one_floor(floors: Sequence[FloorFacts]) -> FloorFacts:
    return FloorFacts(
        fulfillments=[one for floor in floors for one in floor.fulfillments],
        tasks=[task for floor in floors for task in floor.tasks],
        parcels=[parcel for floor in floors for parcel in floor.parcels],
        bins={key: units for floor in floors for key, units in floor.bins.items()},
    )


async def _keep(uow: UnitOfWork, *, run: Run, made: Made) -> None:
    """Whoever is first keeps their plan; a run that was canceled meanwhile needs none."""
    found = await uow.runs.lock(run.id)
    if found is not None and not found.has_ended and found.plan is None:
        await uow.runs.keep_plan(replace(found, plan=made.report), made.sequence)


# ---------------------------------------------------------------- thinking


def _walk(seen: Seen, sequence: Sequence[OrderId]) -> Tally:
    return tally(served(seen.facts, sequence, seen.policy), sequence)


def _prepare(seen: Seen, weights: Mapping[OrderId, float]) -> tuple[Program, Made]:
    """What is to be solved, and what oldest first comes to. Whoever is kept has had their turn in both."""
    kept, others = _divided(seen, AllocationSequence.PLACED_AT_ASC, ())
    batch = Batch(seen.facts)
    terms = Terms(policy=seen.policy, each_line=False)
    serve(batch, kept, terms)
    program = program_of(batch, others, weights)
    serve(batch, others, terms)
    done = completed(batch, others)
    start = frozenset(at for at, order in enumerate(program.orders) if order in done)
    sequence = [*kept, *others]
    return replace(program, start=start), Made(sequence=sequence, tally=tally(batch, sequence))


def _choose(seen: Seen, policy: AllocationSequence, program: Program, solution: Solution) -> Made:
    kept, others = _divided(seen, policy, chosen_orders(program, solution))
    sequence = [*kept, *others]
    return Made(sequence=sequence, tally=_walk(seen, sequence))


def _divided(
    seen: Seen, policy: AllocationSequence, chosen: Collection[OrderId]
) -> tuple[list[OrderId], list[OrderId]]:
    """Those that go first, and the others in the sequence of the policy."""
    places = POLICIES[policy](seen.places, chosen)
    first = [one.order for one in POLICIES[AllocationSequence.PLACED_AT_ASC](places, ()) if one.order in seen.kept]
    return first, [one.order for one in places if one.order not in seen.kept]


def _objective(found: Tally, weights: Mapping[OrderId, float], among: Collection[OrderId] | None = None) -> float:
    done = found.having(AllocationStatus.ALLOCATED)
    return sum(weights[order] for order in done if among is None or order in among)


def _outcome(policy: AllocationSequence, made: Made, first: Made, seen: Seen) -> PolicyOutcome:
    done = made.tally.having(AllocationStatus.ALLOCATED)
    value: dict[str, Decimal] = {}
    for order in done:
        for currency, amount in seen.values.get(order, {}).items():
            value[currency] = value.get(currency, Decimal(0)) + amount
    return PolicyOutcome(
        policy=policy,
        complete_orders=len(done),
        partial_orders=len(made.tally.having(AllocationStatus.PARTIALLY_ALLOCATED)),
        units=made.tally.units,
        parcels=made.tally.parcels,
        complete_value=value,
        report=made.report,
        changed=[
            ChangedOrder(order=place.order, first=first.tally.orders[place.order], here=made.tally.orders[place.order])
            for place in seen.places
            if first.tally.orders[place.order] != made.tally.orders[place.order]
        ],
    )
