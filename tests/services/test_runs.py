"""Background runs, and the runs that set themselves off."""

from dataclasses import replace

import pytest

from domain.kinds import AllocationSequence, AllocationStatus, RunState, StockQuantity
from persistence.orders import PostgresOrders
from services.desk import Desk
from services.ports.events import EventFilter
from services.ports.orders import OrderFilter
from services.run_plans import token_of_run
from services.runs import (
    RunStarted,
    StartRun,
    advance_a_run,
    cancel_allocation_run,
    run_waiting_orders,
    start_allocation_run,
)
from services.stock import ReceivedLine, ReceiveStock, receive_stock
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    canceled,
    clock,
    counted,
    counted_then,
    deallocated,
    edited,
    lines_now,
    order_now,
    placed,
    received_of,
    sent,
    voided,
)

SAFETY = StockQuantity.SAFETY_STOCK
ALLOCATED, COULD_NOT = AllocationStatus.ALLOCATED, AllocationStatus.COULD_NOT_ALLOCATE
EVERYTHING = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PLACED_AT_ASC, dry_run=False)


async def finished(database, started: RunStarted):
    while await database.run(advance_a_run):
        pass
    (run,) = await database.read(lambda uow: uow.runs.by_ids([started.run]))
    return run


async def received(database, caller, sku, quantity):
    lines = (ReceivedLine(sku=sku, quantity=quantity),)
    await receive_stock(Desk(database), caller, ReceiveStock(location="LEEDS", lines=lines), a_key())


async def statuses(database, *orders):
    return [(await order_now(database, order)).allocation_status for order in orders]


async def test_o16_a_run_allocates_every_order_that_matches_oldest_first(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(3)]

    run = await finished(database, await start_allocation_run(database, caller, EVERYTHING, a_key()))

    assert (run.state, run.processed, run.total) == (RunState.SUCCEEDED, 3, 3)
    assert dict(run.outcomes) == {"ALLOCATED": 1, "PARTIALLY_ALLOCATED": 1, "COULD_NOT_ALLOCATE": 1}
    assert await statuses(database, *orders) == [
        AllocationStatus.ALLOCATED,
        AllocationStatus.PARTIALLY_ALLOCATED,
        AllocationStatus.COULD_NOT_ALLOCATE,
    ]


async def test_a_dry_run_tells_the_same_and_leaves_the_orders_alone(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(3)]
    dry = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PLACED_AT_ASC, dry_run=True)

    run = await finished(database, await start_allocation_run(database, caller, dry, a_key()))

    assert dict(run.outcomes) == {"ALLOCATED": 1, "PARTIALLY_ALLOCATED": 1, "COULD_NOT_ALLOCATE": 1}
    assert await statuses(database, *orders) == [AllocationStatus.UNALLOCATED] * 3


async def test_the_highest_priority_goes_first_where_the_run_says_so(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    low = await placed(database, caller, {"CHAIR": 1})
    high = await placed(database, caller, {"CHAIR": 1}, priority=5)
    run = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PRIORITY_DESC, dry_run=False)

    await finished(database, await start_allocation_run(database, caller, run, a_key()))

    assert await statuses(database, low, high) == [AllocationStatus.COULD_NOT_ALLOCATE, AllocationStatus.ALLOCATED]


async def test_i7_the_same_key_starts_one_run(database, caller):
    first = await start_allocation_run(database, caller, EVERYTHING, "a key")

    assert await start_allocation_run(database, caller, EVERYTHING, "a key") == first


async def test_a_canceled_run_goes_no_further(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 1})
    started = await start_allocation_run(database, caller, EVERYTHING, a_key())

    await cancel_allocation_run(database, caller, started.run, "the run")
    run = await finished(database, started)

    assert (run.state, run.processed) == (RunState.CANCELED, 0)
    assert await statuses(database, order) == [AllocationStatus.UNALLOCATED]


async def test_every_commit_of_a_run_is_told(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await placed(database, caller, {"CHAIR": 1})
    started = await start_allocation_run(database, caller, EVERYTHING, a_key())
    await finished(database, started)
    await database.run(lambda uow: uow.events.number(1_000))

    told = await database.read(lambda uow: uow.events.page(EventFilter(runs=(started.run,)), 100, 0))

    assert [(one.event.state, one.event.processed) for one in told] == [
        (RunState.QUEUED, 0),
        (RunState.RUNNING, 1),
        (RunState.SUCCEEDED, 1),
    ]
    assert [one.event.run_version for one in told] == [1, 2, 3]


async def foreseen(database, caller, monkeypatch):
    """The token of a dry run of everything, in chunks of one order."""
    monkeypatch.setattr("services.runs.CHUNK_ORDERS_MAX", 1)
    dry = await start_allocation_run(database, caller, replace(EVERYTHING, dry_run=True), a_key())
    await finished(database, dry)
    return await token_of_run(database, dry.run)


async def test_what_a_run_has_moved_itself_has_not_moved(database, caller, monkeypatch):
    """The older of two overallocated orders gives back what it has, and that lifts a flag of the other."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4, ("CHAIR", "YORK"): 0})
    older, younger = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    await allocated(database, caller, older, younger)
    await counted(database, caller, {"CHAIR": 1})
    await counted(database, caller, {"CHAIR": 2}, location="YORK")
    token = await foreseen(database, caller, monkeypatch)
    before = await order_now(database, younger)

    started = await start_allocation_run(database, caller, replace(EVERYTHING, token=token), a_key())
    await database.run(advance_a_run)
    between = await order_now(database, younger)
    run = await finished(database, started)

    assert between.version > before.version
    assert (run.state, run.processed, run.moved) == (RunState.SUCCEEDED, 2, None)
    assert await statuses(database, older, younger) == [ALLOCATED, AllocationStatus.PARTIALLY_ALLOCATED]


async def test_what_somebody_moves_between_two_chunks_stops_the_run_between_them(database, caller, monkeypatch):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    first, second = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    token = await foreseen(database, caller, monkeypatch)

    started = await start_allocation_run(database, caller, replace(EVERYTHING, token=token), a_key())
    await database.run(advance_a_run)
    await received(database, caller, "CHAIR", 1)
    run = await finished(database, started)

    assert (run.state, run.processed, run.total) == (RunState.FAILED, 1, 2)
    assert [len(run.moved.levels), run.moved.orders] == [1, ()]
    assert await statuses(database, first, second) == [ALLOCATED, AllocationStatus.UNALLOCATED]


async def test_o8_arriving_stock_is_given_to_the_orders_that_wait_for_it_highest_priority_first(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    old = await placed(database, caller, {"CHAIR": 1})
    urgent = await placed(database, caller, {"CHAIR": 1}, priority=1)
    untouched = await placed(database, caller, {"CHAIR": 1}, priority=9)
    await allocated(database, caller, old, urgent)
    await received(database, caller, "CHAIR", 1)

    assert await run_waiting_orders(database, caller) == 2

    assert await statuses(database, old, urgent, untouched) == [
        AllocationStatus.COULD_NOT_ALLOCATE,
        AllocationStatus.ALLOCATED,
        AllocationStatus.UNALLOCATED,
    ]
    assert await run_waiting_orders(database, caller) == 0


async def counted_just_now(database, caller, units):
    await counted_then(database, caller, await clock(database), units)


async def fewer(database, caller, order):
    (line,) = await lines_now(database, order)
    await edited(database, caller, order, quantities={line.id: 0}, added={"LAMP": 1})


@pytest.mark.parametrize(
    ("way", "serves"),
    [
        (lambda database, caller, _: received(database, caller, "CHAIR", 1), True),
        (lambda database, caller, _: received_of(database, caller, "T", {"CHAIR": 1}), True),
        (lambda database, caller, _: canceled(database, caller, "T"), True),
        (lambda database, caller, _: counted(database, caller, {"CHAIR": 4}), True),
        (lambda database, caller, _: counted(database, caller, {"CHAIR": 0}, quantity=StockQuantity.DAMAGED), True),
        (
            lambda database, caller, _: counted(database, caller, {"CHAIR": 0}, quantity=StockQuantity.SAFETY_STOCK),
            True,
        ),
        (lambda database, caller, _: counted_just_now(database, caller, {"CHAIR": 9}), True),
        (lambda database, caller, holder: voided(database, caller, holder), True),
        (lambda database, caller, holder: fewer(database, caller, holder), True),
        (lambda database, caller, holder: deallocated(database, caller, holder), False),
    ],
    ids=[
        "a receipt",
        "a transfer arrives",
        "a transfer is canceled",
        "a correction",
        "what was damaged is repaired",
        "less is kept back",
        "a count",
        "an order is voided",
        "an order shrinks",
        "an order is deallocated",
    ],
)
async def test_o8_whatever_brings_units_back_serves_the_one_that_waits_except_deallocating(
    database, caller, way, serves
):
    """Whoever deallocates has more to do, and its units are not given away meanwhile."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("CHAIR", "YORK"): 1, ("LAMP", "LEEDS"): 0})
    for quantity in (StockQuantity.DAMAGED, StockQuantity.SAFETY_STOCK):
        await counted(database, caller, {"CHAIR": 1}, quantity=quantity)
    await sent(database, caller, {"CHAIR": 1}, ends=("YORK", "LEEDS"))
    holder, waiting = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, holder, waiting)
    await run_waiting_orders(database, caller)
    assert await statuses(database, holder, waiting) == [ALLOCATED, COULD_NOT]

    await way(database, caller, holder)

    assert await run_waiting_orders(database, caller) == int(serves)
    assert await statuses(database, waiting) == [ALLOCATED if serves else COULD_NOT]


async def test_o18_an_order_that_is_deallocated_while_waiting_orders_are_run_is_left_alone(
    database, caller, monkeypatch
):
    """It waited when the runner looked for those that wait, and not when its locks were held."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, order)
    await received(database, caller, "CHAIR", 5)
    look = PostgresOrders.waiting_for

    async def look_and_be_late(self, *args):
        found = await look(self, *args)
        if found:
            await deallocated(database, caller, order)
        return found

    monkeypatch.setattr(PostgresOrders, "waiting_for", look_and_be_late)
    await run_waiting_orders(database, caller)

    assert await statuses(database, order) == [AllocationStatus.UNALLOCATED]
