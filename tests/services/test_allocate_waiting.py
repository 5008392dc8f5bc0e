"""All orders that wait, in batches: the oldest first, and a dry run that tells the truth."""

import random

import pytest

import persistence.batches
from domain.kinds import AllocationStatus, OrderStatus, ShippingPolicy
from services import allocation
from services.allocation import allocate_waiting
from tests.builders import (
    a_catalog,
    allocated,
    counted,
    everything,
    order_now,
    placed,
    statuses_now,
    voided,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(allocation, "ORDERS_MAX", 2)


async def run(database, caller, **options):
    """What became of the orders, and how many were done after each batch."""
    seen = []
    after = await allocate_waiting(database, caller, progress=lambda done, total: seen.append((done, total)), **options)
    return dict(after), seen


@pytest.mark.usefixtures("small_batches")
async def test_the_oldest_orders_are_served_first_over_all_batches(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 7})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(5)]

    after, seen = await run(database, caller)

    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT]
    assert after == {ALLOCATED: 3, PARTIALLY: 1, COULD_NOT: 1}
    assert seen == [(2, 5), (4, 5), (5, 5)]


async def test_orders_that_do_not_wait_are_left_alone(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    served = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, served)
    draft = await placed(database, caller, {"CHAIR": 2}, status=OrderStatus.DRAFT)
    void = await placed(database, caller, {"CHAIR": 2})
    await voided(database, caller, void)
    before = [await order_now(database, order) for order in (served, draft, void)]

    assert await run(database, caller) == ({}, [])
    assert [await order_now(database, order) for order in (served, draft, void)] == before


@pytest.mark.usefixtures("small_batches")
async def test_a_second_run_only_looks_again_at_what_still_waits(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(3)]
    await run(database, caller)
    await counted(database, caller, {"CHAIR": 4})

    after, _ = await run(database, caller)

    assert after == {ALLOCATED: 1, COULD_NOT: 1}
    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED, COULD_NOT]


@pytest.mark.usefixtures("small_batches")
async def test_what_is_done_stays_done_when_a_run_stops(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(4)]

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await allocate_waiting(database, caller, progress=stop)

    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED, UNALLOCATED, UNALLOCATED]
    assert (await run(database, caller))[0] == {ALLOCATED: 2}


async def test_a_batch_has_no_more_skus_than_it_may_lock_and_divides_no_order(database, caller, monkeypatch):
    await a_catalog(database, caller, {(sku, "LEEDS"): 9 for sku in "ABCDE"})
    monkeypatch.setattr(allocation, "SKUS_MAX", 3)
    monkeypatch.setattr(persistence.batches, "SKUS_MAX", 3)
    for skus in ("AB", "BC", "DE", "D", "ABC", "A"):
        await placed(database, caller, dict.fromkeys(skus, 1))

    after, seen = await run(database, caller)

    assert after == {ALLOCATED: 6}
    assert seen == [(2, 6), (4, 6), (6, 6)]


async def test_a_batch_whose_orders_grew_is_done_in_halves_and_an_order_too_large_is_not_done(
    database, caller, monkeypatch
):
    await a_catalog(database, caller, {(sku, "LEEDS"): 1 for sku in "ABCD"})
    orders = [await placed(database, caller, dict.fromkeys(skus, 1)) for skus in ("AB", "A", "BCD", "C", "CD")]
    monkeypatch.setattr(persistence.batches, "SKUS_MAX", 2)  # less than what the batches were packed for

    after, seen = await run(database, caller)

    assert await statuses_now(database, *orders) == [ALLOCATED, COULD_NOT, UNALLOCATED, ALLOCATED, PARTIALLY]
    assert after == {ALLOCATED: 2, COULD_NOT: 1, PARTIALLY: 1}
    assert seen == [(5, 5)]


async def test_an_order_that_can_not_be_allocated_any_more_when_its_turn_comes_is_not_counted(
    database, caller, monkeypatch
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    work = allocation.allocate_batch

    async def late(uow, caller, batch):
        await voided(database, caller, orders[0])
        return await work(uow, caller, batch)

    monkeypatch.setattr(allocation, "allocate_batch", late)

    assert await run(database, caller) == ({ALLOCATED: 1}, [(2, 2)])


# ---------------------------------------------------------------- dry runs


@pytest.mark.usefixtures("small_batches")
async def test_a_dry_run_over_several_batches_writes_nothing_and_foresees_what_each_leaves_to_the_next(
    database, engine, caller
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4, ("CHAIR", "YORK"): 3})
    for _ in range(5):
        await placed(database, caller, {"CHAIR": 2})
    before = await everything(engine)

    foreseen = await run(database, caller, dry_run=True)

    assert await everything(engine) == before
    assert foreseen == ({ALLOCATED: 3, PARTIALLY: 1, COULD_NOT: 1}, [(2, 5), (4, 5), (5, 5)])
    assert await run(database, caller) == foreseen


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", [0, 9, 11, 22, 24, 30])  # chosen: with these it matters what is remembered
async def test_a_dry_run_foresees_what_becomes_of_orders_that_lost_their_stock(database, caller, seed):
    chance = random.Random(seed)  # noqa: S311
    levels = {(sku, place): chance.randint(0, 9) for sku in "ABC" for place in ("LEEDS", "YORK")}
    await a_catalog(database, caller, levels)
    orders = [
        await placed(
            database,
            caller,
            {sku: chance.randint(1, 4) for sku in chance.sample("ABC", 2)},
            policy=chance.choice(list(ShippingPolicy)),
            priority=chance.randint(0, 2),
        )
        for _ in range(9)
    ]
    for order in chance.sample(orders, 7):
        await allocated(database, caller, order)
    for place in ("LEEDS", "YORK"):
        known = [sku for sku in "ABC" if levels[sku, place]]
        await counted(database, caller, {sku: chance.randint(0, 7) for sku in known}, location=place)

    foreseen, _ = await run(database, caller, dry_run=True)

    assert (await run(database, caller))[0] == foreseen
