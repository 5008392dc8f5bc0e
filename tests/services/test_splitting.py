"""Splitting an order: by lines, by quantities, or by what is allocated; claims stay set aside throughout."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from domain.automation import AllocationRule
from domain.errors import InvalidInput, NotFound, OrderAlreadyPlaced, OrderNotInState, OrderVersionConflict
from domain.events import AllocationStatusChanged, OrderChanged, StockLevelChanged
from domain.ids import LineId, OrderId, Sku
from domain.kinds import AllocateWhen, AllocationCause, AllocationStatus, OrderChange, OrderStatus, ShippingPolicy
from domain.money import Money
from domain.orders import Address, Customer, NewLine, NewOrder, OrderTerms
from persistence.tables import ended_allocations
from persistence.tables import orders as orders_table
from services import runs
from services.automation import save_allocation_rules
from services.desk import Desk
from services.orders import place_order
from services.splitting import OrderSplit, SplitLine, SplitOrder, split_order
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    counted,
    edited,
    events_now,
    everything,
    level_now,
    lines_now,
    order_now,
    placed,
    quantities_now,
    received,
    status_now,
    statuses_now,
    voided,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


async def split(
    database,
    caller,
    order: OrderId,
    quantities: dict[LineId, int] | None = None,
    *,
    key: str | None = None,
    **more: object,
) -> OrderSplit:
    """By these quantities; without any, by what is allocated."""
    lines = None if quantities is None else tuple(SplitLine(line=line, quantity=n) for line, n in quantities.items())
    command = SplitOrder(order=by_id(order), lines=lines, allocated=True if lines is None else None, **more)
    return await split_order(Desk(database), caller, command, key or a_key())


async def units(database, order: OrderId) -> list[tuple[str, int, int, int]]:
    """SKU, quantity, canceled and allocated of each line."""
    return [(line.sku, line.quantity, line.canceled, line.allocated) for line in await lines_now(database, order)]


async def held(database, order: OrderId) -> list[tuple[int, int, int]]:
    """Id, quantity and overallocated of each claim."""
    return [(claim.id, claim.quantity, claim.overallocated) for claim in await claims_now(database, order)]


# ---------------------------------------------------------------- what goes and what stays


async def test_no_run_has_looked_at_a_line_that_grew_because_a_claim_was_divided(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 5})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)
    await edited(database, caller, order, quantities={line.id: 6})
    done = await split(database, caller, order, {line.id: 1})
    lines = [*await lines_now(database, done.order), *await lines_now(database, done.split)]
    assert [line.looked_at for line in lines] == [False, False]


async def test_o21_what_is_allocated_becomes_an_order_that_is_ready_to_ship_and_the_rest_waits(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("TABLE", "LEEDS"): 1, ("LAMP", "LEEDS"): 0})
    order = await placed(database, caller, {"CHAIR": 5, "TABLE": 1, "LAMP": 2}, number="1000")
    await allocated(database, caller, order)
    before, levels = await held(database, order), await events_now(engine, StockLevelChanged)

    done = await split(database, caller, order)

    assert await units(database, done.split) == [("CHAIR", 3, 0, 3), ("TABLE", 1, 0, 1)]
    assert await units(database, order) == [("CHAIR", 2, 0, 0), ("TABLE", 1, 1, 0), ("LAMP", 2, 0, 0)]
    assert await statuses_now(database, order, done.split) == [COULD_NOT, ALLOCATED]
    assert await held(database, done.split) == before
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 0)
    assert await events_now(engine, StockLevelChanged) == levels  # the stock has not noticed
    async with engine.connect() as connection:
        assert (await connection.execute(select(ended_allocations))).all() == []


async def test_the_new_order_has_everything_of_the_old_one_but_its_number(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    line = NewLine(
        sku=Sku("CHAIR"), quantity=5, unit_price=Money(amount=Decimal("9.50"), currency_code="GBP"), reference="row 7"
    )
    terms = OrderTerms(
        shipping_policy=ShippingPolicy.SHIP_COMPLETE,
        priority=4,
        tags=("gift",),
        customer=Customer(name="Ann"),
        ship_to=Address(city="York", country_code="GB"),
    )
    order = (
        await place_order(
            Desk(database), caller, NewOrder(channel="SHOP", number="1000", lines=(line,), terms=terms), a_key()
        )
    ).order
    (row,) = await lines_now(database, order)

    done = await split(database, caller, order, {row.id: 2})

    old, new = await order_now(database, order), await order_now(database, done.split)
    assert (new.number, new.channel, new.status) == ("1000-1", "SHOP", OrderStatus.FINALIZED)
    assert (new.terms, new.placed_at, new.split_from) == (old.terms, old.placed_at, order)
    assert (old.version, new.version, old.split_from) == (2, 1, None)
    (part,) = await lines_now(database, done.split)
    assert (part.quantity, part.price, part.reference) == (2, row.price, "row 7")
    assert [event.changes for event in await events_now(engine, OrderChanged)][1:] == [
        (OrderChange.SPLIT,),
        (OrderChange.PLACED,),
    ]


async def test_a_part_takes_along_what_is_set_aside_the_oldest_first(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 3})
    order = await placed(database, caller, {"CHAIR": 7})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)
    (leeds, _, _), (york, _, _) = await held(database, order)

    done = await split(database, caller, order, {line.id: 4})

    assert await held(database, done.split) == [(leeds, 2, 0), (york, 2, 0)]
    assert [quantity for _, quantity, _ in await held(database, order)] == [1]
    assert await units(database, order) == [("CHAIR", 3, 0, 1)]
    assert await statuses_now(database, order, done.split) == [PARTIALLY, ALLOCATED]
    changes = {event.order_id: event.changes for event in await events_now(engine, OrderChanged)}
    assert changes[done.split] == (OrderChange.PLACED, OrderChange.ALLOCATIONS_CHANGED)
    assert changes[order] == (OrderChange.ALLOCATIONS_CHANGED, OrderChange.SPLIT)
    (last,) = (event for event in await events_now(engine, AllocationStatusChanged) if event.order_id == done.split)
    assert (last.before, last.after, last.cause) == (UNALLOCATED, ALLOCATED, AllocationCause.SPLIT)


async def test_what_has_no_stock_behind_it_stays_behind_where_the_rest_is_split_off(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("TABLE", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 5, "TABLE": 1})
    await allocated(database, caller, order)
    await counted(database, caller, {"CHAIR": 3, "TABLE": 0})
    assert await status_now(database, order) is OVERALLOCATED

    done = await split(database, caller, order)

    assert await units(database, done.split) == [("CHAIR", 3, 0, 3)]
    assert [overallocated for *_, overallocated in await held(database, order)] == [1, 2]
    assert await statuses_now(database, order, done.split) == [OVERALLOCATED, ALLOCATED]
    assert (await level_now(database, "CHAIR")).overallocated == 2


async def test_units_with_stock_behind_them_go_before_older_ones_without(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 3})
    order = await placed(database, caller, {"CHAIR": 5})
    await allocated(database, caller, order)
    await counted(database, caller, {"CHAIR": 0})
    (line,) = await lines_now(database, order)

    two = await split(database, caller, order, {line.id: 2})
    ready = await split(database, caller, order)

    assert await statuses_now(database, order, two.split, ready.split) == [OVERALLOCATED, ALLOCATED, ALLOCATED]
    assert [[units[1:] for units in await held(database, one.split)] for one in (two, ready)] == [[(2, 0)], [(1, 0)]]


async def test_a_split_makes_no_claim_younger(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 8})
    old, young = [await placed(database, caller, {"CHAIR": 4}) for _ in range(2)]
    await allocated(database, caller, old, young)
    (line,) = await lines_now(database, old)
    done = await split(database, caller, old, {line.id: 1})

    await counted(database, caller, {"CHAIR": 4})
    assert await statuses_now(database, old, done.split, young) == [ALLOCATED, ALLOCATED, OVERALLOCATED]

    await counted(database, caller, {"CHAIR": 3})
    assert await statuses_now(database, old, done.split, young) == [OVERALLOCATED, ALLOCATED, OVERALLOCATED]


async def test_what_waits_in_the_old_order_is_served_when_stock_arrives(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 5})
    await allocated(database, caller, order)
    done = await split(database, caller, order)
    await received(database, caller, {"CHAIR": 3})

    assert await runs.run_waiting_orders(database, caller) == 1

    assert await statuses_now(database, order, done.split) == [ALLOCATED, ALLOCATED]


async def test_a_draft_is_split_into_drafts(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    draft = await placed(database, caller, {"CHAIR": 5}, status=OrderStatus.DRAFT)
    (line,) = await lines_now(database, draft)

    done = await split(database, caller, draft, {line.id: 2})

    assert (await order_now(database, done.split)).status is OrderStatus.DRAFT


async def test_both_parts_keep_the_schedule_and_no_rule_looks_at_the_new_one(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    later = AllocationRule(name="later", when=AllocateWhen.ON_SCHEDULE, every_minutes=60)
    await save_allocation_rules(database, [later])
    order = await placed(database, caller, {"CHAIR": 5})
    await save_allocation_rules(database, [AllocationRule(name="all", when=AllocateWhen.AT_ONCE)])
    (line,) = await lines_now(database, order)

    done = await split(database, caller, order, {line.id: 2})

    assert await statuses_now(database, order, done.split) == [UNALLOCATED, UNALLOCATED]
    async with engine.connect() as connection:
        times = (await connection.execute(select(orders_table.c.allocate_after))).scalars().all()
    assert times[0] is not None
    assert times[0] == times[1]


# ---------------------------------------------------------------- numbers


async def test_the_new_order_has_the_first_suffix_that_is_free_or_the_number_that_was_given(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 9}, number="A%_")
    for number in ("A%_-2", "A%_-x", "A%_", "Axx-1"):
        await placed(database, caller, {"CHAIR": 1}, number=number, channel="WEB" if number == "A%_" else "SHOP")
    (line,) = await lines_now(database, order)

    found = [(await split(database, caller, order, {line.id: 1})).split for _ in range(2)]
    named = (await split(database, caller, order, {line.id: 1}, number=" B ")).split

    assert [(await order_now(database, one)).number for one in (*found, named)] == ["A%_-1", "A%_-3", "B"]
    with pytest.raises(OrderAlreadyPlaced) as refused:
        await split(database, caller, order, {line.id: 1}, number="A%_-2")
    assert (await order_now(database, refused.value.order)).number == "A%_-2"
    assert (await order_now(database, found[0])).split_from == order


async def test_a_number_that_is_too_long_for_a_suffix_has_to_be_given(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 9}, number="N" * 99)
    (line,) = await lines_now(database, order)

    with pytest.raises(InvalidInput) as refused:
        await split(database, caller, order, {line.id: 1})

    assert [problem.path for problem in refused.value.problems] == [("input", "number")]


async def test_splits_of_one_order_that_come_at_once_get_a_number_each(database, caller, databases):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 20})
    order = await placed(database, caller, {"CHAIR": 20}, number="1")
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    done = await asyncio.gather(*(split(databases(), caller, order, {line.id: 1}) for _ in range(8)))

    numbers = [(await order_now(database, one.split)).number for one in done]
    assert sorted(numbers) == [f"1-{number}" for number in range(1, 9)]
    assert await units(database, order) == [("CHAIR", 12, 0, 12)]
    assert await quantities_now(database, "CHAIR") == (20, 20, 0, 0)


# ---------------------------------------------------------------- refusals


async def test_nothing_and_everything_and_more_than_is_open_cannot_be_split_off(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("TABLE", "LEEDS"): 0})
    order, whole = [await placed(database, caller, {"CHAIR": 2, "TABLE": 1}) for _ in range(2)]
    chair, table = await lines_now(database, order)
    before = await everything(engine)
    told: list[str] = []

    async def problems(*arguments):
        with pytest.raises(InvalidInput) as refused:
            await split(database, caller, *arguments)
        told.extend(problem.message for problem in refused.value.problems)
        return [(".".join(problem.path[1:]), problem.code) for problem in refused.value.problems]

    assert await problems(order) == [("by.allocated", "NOTHING_TO_SPLIT")]
    assert await problems(order, {}) == [("by.lines", "REQUIRED")]
    assert await problems(order, {chair.id: 2, table.id: 1}) == [("by", "NOTHING_LEFT")]
    assert await problems(order, {chair.id: 1, table.id: 2}) == [("by.lines.1.quantity", "OUT_OF_RANGE")]
    assert told[-1] == "1 unit of this line is open."
    assert await problems(order, {chair.id: 0}) == [("by.lines.0.quantity", "OUT_OF_RANGE")]
    assert await everything(engine) == before
    await received(database, caller, {"TABLE": 1})
    await allocated(database, caller, whole)
    assert await problems(whole) == [("by", "NOTHING_LEFT")]


async def test_lines_of_other_orders_wrong_states_and_older_versions_are_refused(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order, other, void = [await placed(database, caller, {"CHAIR": 2}) for _ in range(3)]
    (line,), (stranger,) = await lines_now(database, order), await lines_now(database, other)
    await voided(database, caller, void)
    before = await everything(engine)
    del before["idempotency_keys"]  # what a caller need not correct is remembered

    with pytest.raises(NotFound) as unknown:
        await split(database, caller, order, {line.id: 1, stranger.id: 1})
    with pytest.raises(NotFound):
        await split(database, caller, OrderId(987_654), {line.id: 1})
    with pytest.raises(OrderNotInState) as over:
        await split(database, caller, void)
    with pytest.raises(OrderVersionConflict):
        await split(database, caller, order, {line.id: 1}, expected_version=2)

    assert unknown.value.references == (stranger.id,)
    assert over.value.allowed == (OrderStatus.DRAFT, OrderStatus.FINALIZED)
    now = await everything(engine)
    assert {table: now[table] for table in before} == before


async def test_i7_the_same_key_splits_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 3})
    (line,) = await lines_now(database, order)

    done = await asyncio.gather(*(split(database, caller, order, {line.id: 1}, key="a key") for _ in range(10)))

    assert done == [done[0]] * 10
    assert await units(database, order) == [("CHAIR", 2, 0, 0)]


@pytest.mark.breaks_invariants
async def test_what_was_shipped_stays_where_it_is(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 5})
    (line,) = await lines_now(database, order)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE order_lines SET shipped = 2"))

    done = await split(database, caller, order, {line.id: 2})

    (kept,), (part,) = await lines_now(database, order), await lines_now(database, done.split)
    assert (kept.quantity, kept.shipped, kept.open) == (3, 2, 1)
    assert (part.quantity, part.shipped) == (2, 0)
