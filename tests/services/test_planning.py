"""Runs that choose which orders to complete, and policies side by side, on a real database."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from dibs.solving import Highs
from domain.errors import InvalidInput
from domain.kinds import AllocationSequence, AllocationStatus, RunState
from domain.money import Money
from domain.orders import NewLine, NewOrder, OrderTerms
from services import planning, runs
from services.desk import Desk
from services.orders import place_order
from services.planning import Planner, TooManyOrders
from services.ports.database import Busy
from services.ports.orders import OrderFilter
from services.runs import StartRun, advance_a_run, cancel_allocation_run, start_allocation_run
from tests.builders import a_catalog, a_key, allocated, counted, everything, placed, statuses_now, voided

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
ORDERS, VALUE = AllocationSequence.MAX_COMPLETE_ORDERS, AllocationSequence.MAX_COMPLETE_VALUE
FIFO = AllocationSequence.PLACED_AT_ASC
MOST = StartRun(filter=OrderFilter(), sequence=ORDERS, dry_run=False)


@pytest.fixture
def planner(database) -> Planner:
    return Planner(database, Highs())


async def finished(database, planner: Planner, run, *, chunk: Callable[[], None] = lambda: None):
    while await planner.plan_a_run():
        pass
    while await database.run(advance_a_run):
        chunk()
    (found,) = await database.read(lambda uow: uow.runs.by_ids([run.run]))
    return found


async def old_large_and_small_orders(database, caller):
    """Three chairs for orders of 3, 1 and 2 in this sequence."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    return [await placed(database, caller, {"CHAIR": units}) for units in (3, 1, 2)]


async def test_a_run_completes_as_many_orders_as_can_be_and_says_how_good_that_is(database, caller, planner):
    orders = await old_large_and_small_orders(database, caller)

    run = await finished(database, planner, await start_allocation_run(database, caller, MOST, a_key()))

    assert await statuses_now(database, *orders) == [COULD_NOT, ALLOCATED, ALLOCATED]
    assert (run.state, run.processed, dict(run.outcomes)) == (RunState.SUCCEEDED, 3, {ALLOCATED: 2, COULD_NOT: 1})
    report = run.plan
    assert (report.orders, report.complete_orders, report.fifo_complete_orders) == (3, 2, 1)
    assert (report.objective, report.bound, report.optimal) == (2.0, 2.0, True)


async def test_a_run_by_value_completes_what_is_worth_most(database, caller, planner):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = []
    for units, price in ((1, "5"), (2, "5"), (3, "7.5")):
        lines = (NewLine(sku="CHAIR", quantity=units, unit_price=Money(amount=Decimal(price), currency_code="GBP")),)
        new = NewOrder(channel="SHOP", number=a_key(), lines=lines, terms=OrderTerms())
        orders.append((await place_order(Desk(database), caller, new, a_key())).order)

    started = await start_allocation_run(database, caller, replace(MOST, sequence=VALUE), a_key())
    run = await finished(database, planner, started)

    assert await statuses_now(database, *orders) == [COULD_NOT, COULD_NOT, ALLOCATED]
    assert (run.plan.objective, run.plan.fifo_objective, run.plan.bound) == (22.5, 15.0, 22.5)


async def test_the_oldest_first_rule_is_kept_for_chosen_orders(database, caller, planner):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4})
    large = await placed(database, caller, {"CHAIR": 3}, channel="VIP")
    small = [await placed(database, caller, {"CHAIR": units}) for units in (2, 1)]

    kept = replace(MOST, keep=OrderFilter(channels=("VIP",)))
    run = await finished(database, planner, await start_allocation_run(database, caller, kept, a_key()))

    assert await statuses_now(database, large, *small) == [ALLOCATED, COULD_NOT, ALLOCATED]
    assert (run.plan.complete_orders, run.plan.fifo_complete_orders, run.plan.bound) == (2, 1, 2.0)


async def test_what_shall_be_kept_is_refused_where_nothing_is_chosen(database, caller, engine):
    before = await everything(engine)

    command = replace(MOST, sequence=FIFO, keep=OrderFilter(tags=("vip",)))

    with pytest.raises(InvalidInput) as refused:
        await start_allocation_run(database, caller, command, a_key())

    assert [(one.path, one.code) for one in refused.value.problems] == [
        (("input", "keepSequenceFor"), "NOT_APPLICABLE")
    ]
    assert await everything(engine) == before


async def test_a_run_waits_for_its_plan_and_other_runs_do_not_wait_for_it(database, caller, planner):
    orders = await old_large_and_small_orders(database, caller)
    await start_allocation_run(database, caller, MOST, a_key())
    later = await start_allocation_run(database, caller, replace(MOST, sequence=FIFO, dry_run=True), a_key())

    while await database.run(advance_a_run):
        pass

    (found,) = await database.read(lambda uow: uow.runs.by_ids([later.run]))
    assert found.state is RunState.SUCCEEDED
    assert await statuses_now(database, *orders) == [UNALLOCATED] * 3


@pytest.mark.parametrize("dry", [False, True])
async def test_a_plan_is_followed_chunk_by_chunk_and_what_it_does_not_know_comes_behind_it(
    database, caller, planner, monkeypatch, dry
):
    """Each chunk is a transaction that finds the plan in the database: whoever takes the run over goes on in it."""
    monkeypatch.setattr(runs, "CHUNK_ORDERS_MAX", 1)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 6})
    orders = [await placed(database, caller, {"CHAIR": units}) for units in (6, 1, 2)]
    started = await start_allocation_run(database, caller, replace(MOST, dry_run=dry), a_key())
    await planner.plan_a_run()
    late = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    await voided(database, caller, orders[1])

    run = await finished(database, planner, started)

    # The old one of 6 comes last in the plan and finds 4; one chair less was asked for than planned.
    outcomes = {ALLOCATED: 1, PARTIALLY: 1, COULD_NOT: 2}
    assert (run.processed, dict(run.outcomes)) == (4, outcomes)
    expected = [PARTIALLY, None, ALLOCATED, COULD_NOT, COULD_NOT]
    assert await statuses_now(database, *orders, *late) == (
        [UNALLOCATED, None, *[UNALLOCATED] * 3] if dry else expected
    )


async def test_nothing_is_left_of_a_plan_when_its_run_has_ended(database, caller, planner, engine):
    await old_large_and_small_orders(database, caller)
    started = await start_allocation_run(database, caller, MOST, a_key())
    await planner.plan_a_run()
    assert len((await everything(engine))["planned_orders"]) == 3

    await cancel_allocation_run(database, caller, started.run, "the run")

    assert (await everything(engine))["planned_orders"] == []


async def test_a_run_that_is_canceled_while_its_plan_is_made_stays_canceled(database, caller, engine):
    await old_large_and_small_orders(database, caller)
    started = await start_allocation_run(database, caller, MOST, a_key())

    class Slow(Highs):
        async def solve(self, program, seconds):
            await cancel_allocation_run(database, caller, started.run, "the run")
            return await super().solve(program, seconds)

    await Planner(database, Slow()).plan_a_run()

    assert (await everything(engine))["planned_orders"] == []
    (found,) = await database.read(lambda uow: uow.runs.by_ids([started.run]))
    assert (found.state, found.plan) == (RunState.CANCELED, None)


async def test_beyond_what_one_plan_takes_a_run_goes_on_oldest_first(database, caller, planner, monkeypatch):
    monkeypatch.setattr(planning, "PLANNED_ORDERS_MAX", 2)
    monkeypatch.setattr(planning, "PAGE_ORDERS_MAX", 1)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": units}) for units in (3, 1, 2)]

    run = await finished(database, planner, await start_allocation_run(database, caller, MOST, a_key()))

    assert (run.plan.orders, run.processed) == (2, 3)
    assert await statuses_now(database, *orders) == [ALLOCATED, COULD_NOT, COULD_NOT]


# ---------------------------------------------------------------- a dry run in the background


async def test_a_dry_run_in_chunks_foresees_whom_given_back_units_cure(database, caller, monkeypatch):
    """Both lost a unit. The first gives back three and can have one again, so that the second has lost nothing."""
    monkeypatch.setattr(runs, "CHUNK_ORDERS_MAX", 1)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4})
    first, second = [await placed(database, caller, {"CHAIR": units}) for units in (3, 1)]
    await allocated(database, caller, first, second)
    await counted(database, caller, {"CHAIR": 2})
    assert await statuses_now(database, first, second) == [OVERALLOCATED, OVERALLOCATED]

    async def run(*, dry):
        started = await start_allocation_run(database, caller, replace(MOST, sequence=FIFO, dry_run=dry), a_key())
        while await database.run(advance_a_run):
            pass
        (found,) = await database.read(lambda uow: uow.runs.by_ids([started.run]))
        return dict(found.outcomes)

    foreseen = await run(dry=True)

    assert foreseen == {PARTIALLY: 1}
    assert await run(dry=False) == foreseen
    assert await statuses_now(database, first, second) == [PARTIALLY, ALLOCATED]


# ---------------------------------------------------------------- policies side by side


async def test_policies_are_compared_and_nothing_is_written(database, caller, planner, engine):
    orders = await old_large_and_small_orders(database, caller)
    before = await everything(engine)

    fifo, most = await planner.compare(OrderFilter(), [FIFO, ORDERS])

    assert await everything(engine) == before
    assert (fifo.complete_orders, fifo.partial_orders, fifo.units, fifo.parcels) == (1, 0, 3, 1)
    assert (most.complete_orders, most.partial_orders, most.units, most.parcels) == (2, 0, 3, 2)
    assert (fifo.report, most.report.bound) == (None, 2.0)
    assert fifo.changed == []
    changed = [(one.order, tuple(one.first), tuple(one.here)) for one in most.changed]
    assert changed == [
        (orders[0], (ALLOCATED, 3), (COULD_NOT, 0)),
        (orders[1], (COULD_NOT, 0), (ALLOCATED, 1)),
        (orders[2], (COULD_NOT, 0), (ALLOCATED, 2)),
    ]


async def test_too_many_orders_are_not_compared(database, caller, planner, monkeypatch):
    monkeypatch.setattr(planning, "COMPARED_ORDERS_MAX", 2)
    await old_large_and_small_orders(database, caller)

    with pytest.raises(TooManyOrders):
        await planner.compare(OrderFilter(), [FIFO])


async def test_whoever_would_have_to_wait_long_for_a_comparison_is_told_to_come_again(planner, monkeypatch):
    monkeypatch.setattr(planning, "COMPARISONS_MAX", 0)

    with pytest.raises(Busy):
        await planner.compare(OrderFilter(), [FIFO])
