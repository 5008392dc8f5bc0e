"""Rules allocate new orders: at once, on a schedule, or not."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from domain.automation import AllocationRule
from domain.errors import InvalidInput
from domain.events import AllocationStatusChanged, OrderChanged
from domain.ids import Sku
from domain.kinds import AllocateWhen, AllocationCause, AllocationStatus, OrderChange, OrderStatus, ShippingPolicy
from domain.money import Money
from domain.orders import Address, NewLine, NewOrder, OrderTerms
from persistence import batches
from persistence.locks import lock_skus
from persistence.tables import orders as orders_table
from services import allocation, runs
from services.automation import run_scheduled_orders, save_allocation_rules
from services.desk import Desk
from services.orders import EditOrder, edit_order, finalize_order, place_order, place_orders
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    deallocated,
    edited,
    events_now,
    finalized,
    order_now,
    placed,
    quantities_now,
    received,
    reserved,
    status_now,
    statuses_now,
    voided,
)

AT_ONCE, ON_SCHEDULE, NEVER = AllocateWhen
UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
EVERYTHING = AllocationRule(name="everything", when=AT_ONCE)
LATER = AllocationRule(name="later", when=ON_SCHEDULE, every_minutes=15)


async def scheduled_for(engine) -> dict[int, datetime | None]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(orders_table.c.id, orders_table.c.allocate_after))
        return {row.id: row.allocate_after for row in rows}


async def the_time_comes(engine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET allocate_after = now() WHERE allocate_after IS NOT NULL"))


# ---------------------------------------------------------------- the rules themselves


async def test_rules_are_read_as_they_were_saved_and_replaced_as_a_whole(database):
    full = AllocationRule(
        name="full",
        when=ON_SCHEDULE,
        every_minutes=1440,
        channels=("SHOP", "WEB"),
        country_codes=("GB",),
        regions=("Yorkshire",),
        tags=("rush",),
        value_from=Money(amount=Decimal("0.10"), currency_code="GBP"),
        value_below=Money(amount=Decimal("99.999"), currency_code="GBP"),
    )
    open_ended = AllocationRule(name="open", when=NEVER, value_below=Money(amount=Decimal(5), currency_code="EUR"))

    assert await save_allocation_rules(database, [full, EVERYTHING, open_ended]) == [full, EVERYTHING, open_ended]
    assert await save_allocation_rules(database, [open_ended, full]) == [open_ended, full]
    assert await database.read(lambda uow: uow.automation.rules()) == [open_ended, full]
    assert await save_allocation_rules(database, []) == []


async def test_of_lists_that_are_saved_at_the_same_time_one_is_there_as_a_whole(database):
    lists = [[AllocationRule(name=f"{number} {at}", when=NEVER) for at in range(number)] for number in range(1, 9)]

    await asyncio.gather(*(save_allocation_rules(database, rules) for rules in lists))

    assert await database.read(lambda uow: uow.automation.rules()) in lists


async def test_what_is_wrong_with_rules_is_told_all_at_once(database):
    gbp, eur = (Money(amount=Decimal(5), currency_code=code) for code in ("GBP", "EUR"))
    wrong = [
        AllocationRule(name="a", when=AT_ONCE, every_minutes=5, channels=()),
        AllocationRule(name="a", when=ON_SCHEDULE, country_codes=("GBR",)),
        AllocationRule(name=" ", when=ON_SCHEDULE, every_minutes=1441, value_from=gbp, value_below=eur),
        AllocationRule(name="d", when=NEVER, value_from=gbp, value_below=gbp),
    ]

    with pytest.raises(InvalidInput) as refused:
        await save_allocation_rules(database, wrong)

    assert [(".".join(problem.path[2:]), problem.code) for problem in refused.value.problems] == [
        ("0.everyMinutes", "NOT_ALLOWED"),
        ("0.channels", "REQUIRED"),
        ("1.everyMinutes", "REQUIRED"),
        ("1.countryCodes.0", "NOT_A_COUNTRY_CODE"),
        ("2.everyMinutes", "OUT_OF_RANGE"),
        ("2.name", "REQUIRED"),
        ("2.valueBelow.currencyCode", "NOT_ALLOWED"),
        ("3.valueBelow.amount", "OUT_OF_RANGE"),
        ("1", "DUPLICATE"),
    ]
    with pytest.raises(InvalidInput):
        await save_allocation_rules(database, [EVERYTHING] * 101)


# ---------------------------------------------------------------- at once


async def test_o23_an_order_that_a_rule_allocates_at_once_is_placed_and_allocated_in_one_version(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("TABLE", "LEEDS"): 0})
    await save_allocation_rules(database, [EVERYTHING])

    order = await placed(database, caller, {"CHAIR": 2, "TABLE": 1})

    assert await status_now(database, order) is PARTIALLY
    assert [claim.quantity for claim in await claims_now(database, order)] == [2]
    assert await quantities_now(database, "CHAIR") == (3, 2, 1, 0)
    (changed,), (moved,) = await events_now(engine, OrderChanged), await events_now(engine, AllocationStatusChanged)
    assert (changed.order_version, changed.changes) == (1, (OrderChange.PLACED, OrderChange.ALLOCATIONS_CHANGED))
    assert (changed.locations, changed.skus) == (("LEEDS",), ("CHAIR", "TABLE"))
    assert (moved.order_version, moved.before, moved.after) == (1, UNALLOCATED, PARTIALLY)
    assert moved.cause is AllocationCause.RUN


async def test_an_order_for_which_nothing_is_there_could_not_be_allocated_and_waits(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    await save_allocation_rules(database, [EVERYTHING])
    short = await placed(database, caller, {"CHAIR": 2})
    whole = await placed(database, caller, {"CHAIR": 2}, policy=ShippingPolicy.SHIP_COMPLETE)
    assert await statuses_now(database, short, whole) == [COULD_NOT, COULD_NOT]
    await received(database, caller, {"CHAIR": 3})

    assert await runs.run_waiting_orders(database, caller) == 2

    assert await statuses_now(database, short, whole) == [ALLOCATED, COULD_NOT]


async def test_without_a_rule_that_matches_a_new_order_is_not_allocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    web = AllocationRule(name="web", when=AT_ONCE, channels=("WEB",))
    await save_allocation_rules(database, [AllocationRule(name="no tills", when=NEVER, channels=("TILL",)), web])

    orders = [await placed(database, caller, {"CHAIR": 1}, channel=channel) for channel in ("SHOP", "TILL", "WEB")]

    assert await statuses_now(database, *orders) == [UNALLOCATED, UNALLOCATED, ALLOCATED]


async def test_a_draft_is_allocated_when_it_is_confirmed(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await save_allocation_rules(database, [EVERYTHING])
    draft = await placed(database, caller, {"CHAIR": 2}, status=OrderStatus.DRAFT)
    assert await status_now(database, draft) is UNALLOCATED

    await finalized(database, caller, draft)

    assert await status_now(database, draft) is ALLOCATED
    last = (await events_now(engine, OrderChanged))[-1]
    assert (last.order_version, last.changes) == (2, (OrderChange.FINALIZED, OrderChange.ALLOCATIONS_CHANGED))


async def test_a_draft_is_judged_as_it_is_when_it_is_confirmed_also_where_it_was_edited_in_the_same_batch(
    database, caller
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    rich = AllocationRule(
        name="rich",
        when=AT_ONCE,
        tags=("gift",),
        regions=("yorkshire",),
        value_from=Money(amount=Decimal(10), currency_code="GBP"),
    )
    await save_allocation_rules(database, [rich])
    priced = NewLine(sku=Sku("CHAIR"), quantity=1, unit_price=Money(amount=Decimal("5.00"), currency_code="GBP"))
    terms = OrderTerms(ship_to=Address(region="Yorkshire"), tags=("gift",))
    desk = Desk(database)

    async def a_draft(number: str) -> object:
        new = NewOrder(channel="SHOP", number=number, lines=(priced,), status=OrderStatus.DRAFT, terms=terms)
        return (await place_order(desk, caller, new, a_key())).order

    poor, grown, untagged = await a_draft("1"), await a_draft("2"), await a_draft("3")
    more = EditOrder(order=by_id(grown), lines=(priced,))
    other = EditOrder(order=by_id(untagged), lines=(priced,), terms={"tags": ()})
    before = desk.batches
    await asyncio.gather(
        edit_order(desk, caller, more, a_key()),
        edit_order(desk, caller, other, a_key()),
        *(finalize_order(desk, caller, by_id(order), a_key()) for order in (poor, grown, untagged)),
    )

    assert desk.batches == before + 1
    assert await statuses_now(database, poor, grown, untagged) == [UNALLOCATED, ALLOCATED, UNALLOCATED]


async def test_orders_that_are_placed_together_get_the_stock_in_the_sequence_in_which_they_came(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 100})
    await save_allocation_rules(database, [EVERYTHING])
    desk = Desk(database)
    news = [
        NewOrder(channel="SHOP", number=str(number), lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))
        for number in range(150)
    ]

    done = await asyncio.gather(*(place_order(desk, caller, new, a_key()) for new in news))

    assert desk.batches == 1
    assert await statuses_now(database, *(one.order for one in done)) == [ALLOCATED] * 100 + [COULD_NOT] * 50
    assert await quantities_now(database, "CHAIR") == (100, 100, 0, 0)


async def test_an_order_that_takes_a_cart_over_is_allocated_the_rest_at_once_and_keeps_what_the_cart_held(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await save_allocation_rules(database, [EVERYTHING, LATER])
    carts = [await reserved(database, caller, {"CHAIR": 1}) for _ in range(2)]

    whole = await placed(database, caller, {"CHAIR": 3}, reservation=carts[0])
    short = await placed(database, caller, {"CHAIR": 3}, reservation=carts[1], policy=ShippingPolicy.SHIP_COMPLETE)

    assert await statuses_now(database, whole, short) == [ALLOCATED, PARTIALLY]
    assert await quantities_now(database, "CHAIR") == (5, 4, 1, 0)
    assert {(await order_now(database, order)).version for order in (whole, short)} == {1}


async def test_a_schedule_is_not_for_an_order_that_a_cart_has_given_units(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await save_allocation_rules(database, [LATER])
    cart = await reserved(database, caller, {"CHAIR": 1})

    order = await placed(database, caller, {"CHAIR": 3}, reservation=cart)

    assert await status_now(database, order) is PARTIALLY
    assert await scheduled_for(engine) == {order: None}


async def test_a_refused_order_takes_nothing_from_the_others_of_its_batch(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await save_allocation_rules(database, [EVERYTHING])
    known, unknown = (NewLine(sku=Sku(sku), quantity=1) for sku in ("CHAIR", "NOTHING"))
    news = [
        NewOrder(channel="SHOP", number=str(at), lines=lines) for at, lines in enumerate([(known, unknown), (known,)])
    ]

    refused, done = await database.run(lambda uow: place_orders(uow, caller, news))

    assert refused.references == ("NOTHING",)
    assert await status_now(database, done.order) is ALLOCATED


# ---------------------------------------------------------------- on a schedule


async def test_o23_an_order_on_a_schedule_is_allocated_when_its_time_comes(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await save_allocation_rules(database, [LATER])
    before = datetime.now(UTC)
    order = await placed(database, caller, {"CHAIR": 2})
    at = (await scheduled_for(engine))[order]
    assert before < at <= datetime.now(UTC) + timedelta(minutes=15)
    assert at.timestamp() % (15 * 60) == 0
    assert await run_scheduled_orders(database, caller) == 0
    assert await status_now(database, order) is UNALLOCATED

    await the_time_comes(engine)

    assert await run_scheduled_orders(database, caller) == 1
    assert await status_now(database, order) is ALLOCATED
    assert await scheduled_for(engine) == {order: None}
    assert await run_scheduled_orders(database, caller) == 0


async def test_a_draft_is_scheduled_when_it_is_confirmed(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await save_allocation_rules(database, [LATER])
    draft = await placed(database, caller, {"CHAIR": 2}, status=OrderStatus.DRAFT)
    assert await scheduled_for(engine) == {draft: None}

    await finalized(database, caller, draft)

    assert (await scheduled_for(engine))[draft] is not None


async def test_what_becomes_of_an_order_before_its_time_ends_its_schedule_except_an_edit(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    await save_allocation_rules(database, [LATER])
    by_hand, given_back, void, changed = [await placed(database, caller, {"CHAIR": 1}) for _ in range(4)]
    await allocated(database, caller, by_hand, given_back)
    await deallocated(database, caller, given_back)
    await voided(database, caller, void)
    await edited(database, caller, changed, priority=3)
    assert [order for order, at in (await scheduled_for(engine)).items() if at] == [changed]
    await the_time_comes(engine)

    assert await run_scheduled_orders(database, caller) == 1

    assert await statuses_now(database, by_hand, given_back, void, changed) == [ALLOCATED, UNALLOCATED, None, ALLOCATED]


async def test_the_highest_priority_is_served_first_then_the_oldest_also_over_several_chunks(
    database, caller, engine, monkeypatch
):
    monkeypatch.setattr("services.automation.CHUNK_ORDERS_MAX", 2)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await save_allocation_rules(database, [LATER])
    orders = [await placed(database, caller, {"CHAIR": 1}, priority=priority) for priority in (0, 0, 5, 1, 0)]
    await the_time_comes(engine)

    assert await run_scheduled_orders(database, caller) == 5

    assert await statuses_now(database, *orders) == [ALLOCATED, COULD_NOT, ALLOCATED, ALLOCATED, COULD_NOT]


async def test_a_worker_that_dies_leaves_whole_chunks_and_the_next_one_does_the_rest(
    database, caller, engine, monkeypatch
):
    monkeypatch.setattr("services.automation.CHUNK_ORDERS_MAX", 2)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    await save_allocation_rules(database, [LATER])
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(5)]
    await the_time_comes(engine)
    serve = allocation.allocate_loaded

    async def dies_in_the_second_chunk(*arguments, **more):
        done = await serve(*arguments, **more)
        if (await statuses_now(database, orders[0])) == [ALLOCATED]:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr("services.automation.allocate_loaded", dies_in_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        await run_scheduled_orders(database, caller)
    assert await statuses_now(database, *orders) == [ALLOCATED] * 2 + [UNALLOCATED] * 3
    monkeypatch.undo()

    assert await run_scheduled_orders(database, caller) == 3
    assert {(await order_now(database, order)).version for order in orders} == {2}


async def test_an_order_that_somebody_gives_back_before_the_worker_has_the_locks_is_left_alone(
    database, caller, engine, databases, monkeypatch
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    await save_allocation_rules(database, [LATER])
    order, other = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await the_time_comes(engine)
    before = []

    async def others_first(connection, items):
        if not before:
            before.append(items)
            await allocated(databases(), caller, order)
            await deallocated(databases(), caller, order)
        await lock_skus(connection, items)

    monkeypatch.setattr(batches, "lock_skus", others_first)

    assert await run_scheduled_orders(database, caller) == 2

    assert await statuses_now(database, order, other) == [UNALLOCATED, ALLOCATED]


async def test_several_workers_at_once_allocate_each_order_once(database, caller, engine, databases, monkeypatch):
    monkeypatch.setattr("services.automation.CHUNK_ORDERS_MAX", 7)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 40})
    await save_allocation_rules(database, [LATER])
    orders = await asyncio.gather(*(placed(database, caller, {"CHAIR": 1}) for _ in range(50)))
    await the_time_comes(engine)

    await asyncio.gather(*(run_scheduled_orders(databases(), caller) for _ in range(4)))

    assert sorted(await statuses_now(database, *orders)) == [ALLOCATED] * 40 + [COULD_NOT] * 10
    assert len(await events_now(engine, AllocationStatusChanged)) == 50
