"""Several processes at once on a real PostgreSQL: nothing is sold twice, nobody waits in a circle, nothing breaks."""

import asyncio
from collections import Counter
from itertools import combinations

import asyncpg
from sqlalchemy import text

import persistence.batches
from domain.automation import AllocationRule
from domain.errors import OrderNotInState
from domain.ids import ItemId
from domain.kinds import AllocateWhen, AllocationStatus, ReservationState
from persistence.driver import Driver, begin
from persistence.locks import lock_skus
from persistence.verify import verify
from services.automation import save_allocation_rules
from services.catalog import save_items
from services.desk import Desk
from services.splitting import OrderSplit, SplitLine, SplitOrder, split_order
from tests.builders import (
    a_bundle,
    a_catalog,
    a_key,
    allocated,
    by_id,
    cart_states,
    counted,
    deallocated,
    edited,
    level_now,
    lines_now,
    placed,
    quantities_now,
    received,
    reserved,
    run_out,
    status_now,
    statuses_now,
    voided,
)
from tests.conftest import Server
from tests.persistence.racing import (
    DEEDS,
    PROCESSES,
    buy,
    buy_bundles,
    check_out,
    end,
    order_at_once,
    pay_out,
    reserve,
    reserve_and_release,
    together,
    trade,
)
from tests.statements import statements

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
TASKS = 25


def shared(orders: list) -> list[list]:
    """The orders in one share for each process, and in pairs for its tasks."""
    pairs = [tuple(orders[at : at + 2]) for at in range(0, len(orders), 2)]
    return [pairs[process::PROCESSES] for process in range(PROCESSES)]


async def item_now(database, sku: str) -> ItemId:
    return (await database.read(lambda uow: uow.catalog.items_by_sku([sku])))[sku]


async def deadlocks(engine) -> int:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
        return int(found.scalar_one())


async def test_of_two_hundred_buyers_in_four_processes_exactly_one_gets_the_last_unit(
    database, caller, database_url, pool
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    orders = await asyncio.gather(*(placed(database, caller, {"CHAIR": 1}) for _ in range(PROCESSES * TASKS * 2)))

    answers = together(pool, buy, database_url, *shared(orders))

    assert Counter(after for one in answers for after in one) == {"ALLOCATED": 1, "COULD_NOT_ALLOCATE": 199}
    assert Counter(await statuses_now(database, *orders)) == {ALLOCATED: 1, COULD_NOT: 199}
    assert await quantities_now(database, "CHAIR") == (1, 1, 0, 0)


async def test_of_two_hundred_orders_that_a_rule_allocates_at_once_in_four_processes_exactly_the_stock_is_sold(
    database, caller, database_url, pool
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 40, ("CHAIR", "YORK"): 33})
    await save_allocation_rules(database, [AllocationRule(name="all", when=AllocateWhen.AT_ONCE)])

    placed_by = together(pool, order_at_once, database_url, *((process, 50) for process in range(PROCESSES)))

    orders = [order for mine in placed_by for order in mine]
    assert Counter(await statuses_now(database, *orders)) == {ALLOCATED: 73, COULD_NOT: 127}
    assert await quantities_now(database, "CHAIR", "LEEDS") == (40, 40, 0, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (33, 33, 0, 0)


async def test_of_bundles_that_share_a_component_four_processes_sell_whole_ones_and_every_unit_that_makes_one(
    database, caller, database_url, pool
):
    stock = {("CHAIR", "LEEDS"): 30, ("CHAIR", "YORK"): 7, ("TABLE", "LEEDS"): 9, ("LAMP", "LEEDS"): 99}
    await a_catalog(database, caller, stock)
    await a_bundle(database, "DINING", {"CHAIR": 4, "TABLE": 1})
    await a_bundle(database, "READING", {"LAMP": 1, "CHAIR": 1})

    placed_by = together(pool, buy_bundles, database_url, *((sku, 10) for sku in ("DINING", "READING") * 2))

    bundles = Counter()
    for order in (order for mine in placed_by for order in mine):
        first, second = await lines_now(database, order)
        assert first.allocated * second.bundle_units == second.allocated * first.bundle_units, "half a bundle"
        bundles[first.sold_as.sku] += first.allocated // first.bundle_units
    chairs, tables = 4 * bundles["DINING"] + bundles["READING"], bundles["DINING"]
    # Forty reading corners are wanted: as long as one is missing, no chair is left.
    assert chairs == 37 if bundles["READING"] < 40 else chairs > 33
    assert sum([(await quantities_now(database, "CHAIR", at))[1] for at in ("LEEDS", "YORK")]) == chairs
    assert await quantities_now(database, "TABLE") == (9, tables, 9 - tables, 0)
    assert (await quantities_now(database, "LAMP"))[1] == bundles["READING"]


async def test_an_item_becomes_a_bundle_or_is_given_stock_and_never_both(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await save_items(database, [{"sku": "SET", "name": "Set"}])
    async with engine.connect() as connection:
        await begin(connection)
        await lock_skus(Driver(connection), [await item_now(database, "SET")])
        becoming = asyncio.create_task(a_bundle(database, "SET", {"CHAIR": 1}))
        await asyncio.wait({becoming}, timeout=0.5)
        receiving = asyncio.create_task(received(database, caller, {"SET": 1}))
        await asyncio.wait({becoming, receiving}, timeout=0.5)
        assert not becoming.done()
        assert not receiving.done()
        await connection.rollback()

    answers = await asyncio.gather(becoming, receiving, return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["InvalidInput", "NoneType"]


async def test_only_orders_that_a_rule_allocates_at_once_wait_for_who_works_on_their_skus(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await save_allocation_rules(database, [AllocationRule(name="web", when=AllocateWhen.AT_ONCE, channels=("WEB",))])
    async with engine.connect() as connection:
        await begin(connection)
        await lock_skus(Driver(connection), [await item_now(database, "CHAIR")])
        shop = await placed(database, caller, {"CHAIR": 1}, channel="SHOP")
        waiting = asyncio.create_task(placed(database, caller, {"CHAIR": 1}, channel="WEB"))
        await asyncio.wait({waiting}, timeout=0.5)
        assert not waiting.done()
        await connection.rollback()

    assert await statuses_now(database, shop, await waiting) == [UNALLOCATED, ALLOCATED]


async def test_a_hundred_buyers_of_two_units_each_share_what_is_there_to_the_last_unit(
    database, caller, database_url, pool
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 31, ("CHAIR", "YORK"): 30})
    orders = await asyncio.gather(*(placed(database, caller, {"CHAIR": 2}) for _ in range(100)))

    answers = together(pool, buy, database_url, *shared(orders))

    assert Counter(after for one in answers for after in one) == {
        "ALLOCATED": 30,
        "PARTIALLY_ALLOCATED": 1,
        "COULD_NOT_ALLOCATE": 69,
    }
    assert await quantities_now(database, "CHAIR", "LEEDS") == (31, 31, 0, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (30, 30, 0, 0)


async def test_units_that_are_taken_off_at_once_in_four_processes_are_all_counted(database, caller, database_url, pool):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 70})

    taken = together(pool, pay_out, database_url, *[("CHAIR", TASKS)] * PROCESSES)

    assert sum(taken) == 70
    assert (await level_now(database, "CHAIR")).on_hand == 0


async def test_orders_that_want_the_same_skus_in_opposite_sequence_never_deadlock(
    database, caller, engine, database_url, pool
):
    skus = [f"S{number:02}" for number in range(16)]
    await a_catalog(database, caller, {(sku, "LEEDS"): 1_000 for sku in skus})
    wanted = [*combinations(skus[::3], 2), *combinations(skus[::3], 5)] * 4  # sets of 2 and 5 iterate differently
    orders = [
        await placed(database, caller, dict.fromkeys(pair[:: 1 if turn % 2 else -1], 1))
        for turn, pair in enumerate(wanted)
    ]
    orders = orders[: len(orders) // 8 * 8]
    deadlocks_before = await deadlocks(engine)

    answers = together(pool, buy, database_url, *shared(orders))

    assert {after for one in answers for after in one} == {"ALLOCATED"}
    await engine.dispose()  # sessions report their statistics when they end
    assert await deadlocks(engine) == deadlocks_before


async def test_locks_are_taken_by_rising_key_each_once_in_a_statement_of_their_own(engine):
    with statements(engine) as sent:
        async with engine.connect() as connection:
            await begin(connection)
            await lock_skus(Driver(connection), [ItemId(number) for number in (16, 1, 8, 33, 1, 2)])

    ((statement, parameters),) = sent
    assert "{1, 2, 8, 16, 33}" in parameters
    assert "FROM unnest" in statement
    assert "stock_levels" not in statement


async def test_everything_at_once_for_a_while_breaks_no_invariant_and_deadlocks_nobody(
    database, caller, engine, database_url, pool
):
    skus = [f"S{number:02}" for number in range(7)]
    await a_catalog(database, caller, {(sku, place): 6 for sku in skus for place in ("LEEDS", "YORK")})
    for number in range(10):
        await placed(database, caller, {skus[number % 7]: 2, skus[(number * 3 + 1) % 7]: 1}, number=f"first {number}")

    await save_allocation_rules(database, [AllocationRule(name="web", when=AllocateWhen.AT_ONCE, channels=("WEB",))])
    deadlocks_before = await deadlocks(engine)

    done = sum(together(pool, trade, database_url, *[(seed, 4.0, skus) for seed in range(PROCESSES)]), Counter())

    assert await verify(engine) == []
    assert min(done[deed.__name__] for deed in DEEDS) > 0
    await engine.dispose()
    assert await deadlocks(engine) == deadlocks_before


async def test_a_run_takes_the_sku_that_an_edit_adds_before_it_has_the_locks(database, caller, databases, monkeypatch):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("TABLE", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 1})
    taken = []

    async def edit_first(connection, items):
        items = set(items)
        taken.append(len(items))
        if len(taken) == 1:
            await edited(databases(), caller, order, added={"TABLE": 1})
        await lock_skus(connection, items)

    monkeypatch.setattr(persistence.batches, "lock_skus", edit_first)
    (outcome,) = await allocated(database, caller, order)

    assert taken == [1, 2, 2]  # the run, the edit in between, the run again
    assert [(line.quantity, line.allocated) for line in outcome.lines] == [(1, 1), (1, 1)]
    assert await status_now(database, order) is ALLOCATED


async def test_whatever_a_split_races_with_every_claim_has_one_holder_and_no_unit_is_lost(database, caller, databases):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 60})
    orders = [await placed(database, caller, {"CHAIR": 6}) for _ in range(16)]
    await allocated(database, caller, *orders)

    async def split(order, line):
        command = SplitOrder(order=by_id(order), lines=(SplitLine(line=line, quantity=4),))
        return await split_order(Desk(databases()), caller, command, a_key())

    lines = [(await lines_now(database, order))[0].id for order in orders]
    rivals = [
        deed(databases(), caller, order)
        for deed, order in zip([voided, allocated, deallocated] * 6, orders, strict=False)
    ]
    rivals += [counted(databases(), caller, {"CHAIR": units}) for units in (20, 55, 3, 60)]

    done = await asyncio.gather(*map(split, orders, lines), *rivals, return_exceptions=True)

    refused = [one for one in done if isinstance(one, Exception)]
    assert {type(one) for one in refused} <= {OrderNotInState}
    splits = {one.order: one.split for one in done if isinstance(one, OrderSplit)}
    assert len(splits) == 16 - len(refused)
    for order, part in splits.items():
        kept, moved = await lines_now(database, order), await lines_now(database, part)
        assert sum(line.quantity for line in (*kept, *moved)) == 6
    on_hand, committed, available, _ = await quantities_now(database, "CHAIR")
    assert available == max(0, on_hand - committed)


async def test_two_stock_changes_that_flag_one_order_at_once_make_two_versions_of_it(database, caller):
    skus = [f"S{number}" for number in range(8)]
    await a_catalog(database, caller, {(sku, "LEEDS"): 1 for sku in skus})
    order = await placed(database, caller, dict.fromkeys(skus, 1))
    await allocated(database, caller, order)

    await asyncio.gather(*(counted(database, caller, {sku: 0}) for sku in skus))

    assert [line.overallocated for line in await lines_now(database, order)] == [1] * 8
    assert await status_now(database, order) is OVERALLOCATED
    versions = await database.read(lambda uow: uow.orders.by_ids([order]))
    assert versions[0].version == 2 + 8


def test_the_server_of_the_tests_is_durable(server: Server):
    """I20: these races mean nothing on a server that may forget."""

    async def settings() -> list[str]:
        connection = await asyncpg.connect(server.url)
        try:
            return [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
        finally:
            await connection.close()

    assert asyncio.run(settings()) == ["on", "on"]


# ---------------------------------------------------------------- stock reservations


async def test_of_two_hundred_carts_in_four_processes_exactly_as_many_as_there_are_units_get_one(
    database, caller, database_url, pool
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4, ("CHAIR", "YORK"): 3})

    got = together(pool, reserve, database_url, *[TASKS] * PROCESSES)

    assert sum(got) == 7
    assert await quantities_now(database, "CHAIR", "LEEDS") == (4, 4, 0, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (3, 3, 0, 0)


async def test_no_unit_is_lost_where_many_reserve_and_release_the_same_five(database, caller, database_url, pool):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    done = sum(together(pool, reserve_and_release, database_url, *[(8, 10)] * PROCESSES), Counter())

    assert done["released"] + done["short"] == PROCESSES * 8 * 10
    assert done["released"] > 0
    assert await quantities_now(database, "CHAIR") == (5, 0, 5, 0)
    assert await reserved(database, caller, {"CHAIR": 5})


async def test_nobody_takes_the_units_of_a_cart_while_it_becomes_an_order(database, caller, database_url, pool):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 20})
    carts = [await reserved(database, caller, {"CHAIR": 1}) for _ in range(20)]
    waiting = [await placed(database, caller, {"CHAIR": 1}, priority=9) for _ in range(10)]

    done = sum(
        together(
            pool,
            check_out,
            database_url,
            ("check out", carts[:10]),
            ("hammer", waiting),
            ("check out", carts[10:]),
            ("hammer", waiting),
        ),
        Counter(),
    )

    assert done == {"customer ALLOCATED": 20, "hammerer COULD_NOT_ALLOCATE": 100}


async def test_i11_of_those_who_end_a_cart_at_once_exactly_one_does(database, caller, database_url, pool):
    """Of every third cart the time is over: neither a customer nor who releases it may win then."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 90})
    carts = [await reserved(database, caller, {"CHAIR": 2}) for _ in range(45)]
    over = carts[::3]
    await run_out(database, *over)

    shares = [("take over", carts), ("release", carts), ("take over", carts[::-1]), ("sweep", carts)]
    ended = [one for answer in together(pool, end, database_url, *shares) for one in answer]

    assert sorted(cart for cart, _ in ended) == sorted(set(carts) - set(over))
    states = dict(zip(carts, await cart_states(database, *carts), strict=True))
    ways = {"take over": ReservationState.TAKEN_OVER, "release": ReservationState.RELEASED}
    assert states == dict.fromkeys(over, ReservationState.EXPIRED) | {cart: ways[deed] for cart, deed in ended}
    taken = sum(deed == "take over" for _, deed in ended)
    assert await quantities_now(database, "CHAIR") == (90, taken, 90 - taken, 0)
