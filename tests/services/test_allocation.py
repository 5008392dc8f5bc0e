"""Allocation as a merchant sees it, row by row of the behaviours, on a real PostgreSQL."""

import pytest
from sqlalchemy import select

from domain.errors import InvalidInput, NotFound, OrderNotInState
from domain.events import AllocationStatusChanged, OrderChanged, StockLevelChanged
from domain.ids import LineId, OrderId
from domain.kinds import AllocationCause, AllocationStatus, OrderChange, OrderStatus, ShippingPolicy, StockQuantity
from persistence.tables import ended_allocations
from services.allocation import AllocateOrder, AllocateOrders, LineToAllocate, allocate_orders
from services.desk import Desk
from services.ports.orders import OrderFilter, OrderReference
from services.what_if import foresee_orders
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    counted,
    deallocated,
    edited,
    events_now,
    everything,
    finalized,
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


async def ended_now(engine):
    """Units and reason of every claim that ended, the oldest first."""
    async with engine.connect() as connection:
        columns = select(ended_allocations.c.quantity, ended_allocations.c.reason).order_by(ended_allocations.c.id)
        return [tuple(row) for row in await connection.execute(columns)]


# ---------------------------------------------------------------- the statuses


async def test_o1_o6_allocation_sets_units_aside_and_leaves_on_hand_as_it_is(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2})

    (outcome,) = await allocated(database, caller, order)

    assert (outcome.before, outcome.after, outcome.refusal) == (UNALLOCATED, ALLOCATED, None)
    assert [(line.quantity, line.allocated, line.short) for line in outcome.lines] == [(2, 2, 0)]
    assert await quantities_now(database, "CHAIR") == (3, 2, 1, 0)
    assert [(claim.quantity, claim.overallocated) for claim in await claims_now(database, order)] == [(2, 0)]


async def test_o1_the_same_units_are_never_used_twice(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]

    await allocated(database, caller, orders[0])
    await allocated(database, caller, orders[1])

    assert await statuses_now(database, *orders) == [ALLOCATED, PARTIALLY]
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 0)


@pytest.mark.parametrize("ending", ["draft", "void"])
async def test_o2_only_finalized_orders_are_allocated_and_the_others_of_the_run_are_not_touched_by_it(
    database, caller, ending
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    refused = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)
    if ending == "void":
        await voided(database, caller, refused)
    served = await placed(database, caller, {"CHAIR": 1})

    outcomes = await allocated(database, caller, refused, served)

    assert isinstance(outcomes[0].refusal, OrderNotInState)
    assert (outcomes[0].refusal.order, outcomes[0].refusal.allowed) == (refused, (OrderStatus.FINALIZED,))
    assert (outcomes[1].refusal, outcomes[1].after) == (None, ALLOCATED)
    assert await claims_now(database, refused) == []


async def test_an_order_that_nobody_knows_is_not_found_and_the_others_are_allocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    served = await placed(database, caller, {"CHAIR": 1})
    command = AllocateOrders(
        orders=(
            AllocateOrder(order=OrderReference(channel="SHOP", number="NOBODY")),
            AllocateOrder(order=by_id(served)),
            AllocateOrder(order=by_id(OrderId(999_999))),
        )
    )

    results = (await allocate_orders(Desk(database), caller, command, a_key())).results

    assert [result.index for result in results] == [0, 1, 2]
    assert results[1].after is ALLOCATED
    for result, name in ((results[0], "SHOP/NOBODY"), (results[2], "Order:999999")):
        assert isinstance(result.refusal, NotFound)
        assert result.refusal.references == (name,)


async def test_o4_voiding_gives_back_what_was_set_aside_and_its_history_stays_readable(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, order)

    await voided(database, caller, order)

    assert await quantities_now(database, "CHAIR") == (3, 0, 3, 0)
    now = await order_now(database, order)
    assert (now.status, now.allocation_status) == (OrderStatus.VOID, None)
    assert await claims_now(database, order) == []
    assert await ended_now(engine) == [(2, "CANCELED")]
    last = (await events_now(engine, AllocationStatusChanged))[-1]
    assert (last.before, last.after, last.cause) == (ALLOCATED, None, AllocationCause.CANCELED)


async def test_o7_what_an_edit_adds_to_an_allocated_order_is_asked_for_in_the_same_transaction(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("TABLE", "LEEDS"): 5})
    order = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    await edited(database, caller, order, quantities={line.id: 4}, added={"TABLE": 1})

    assert await status_now(database, order) is ALLOCATED
    assert [line.allocated for line in await lines_now(database, order)] == [4, 1]
    assert await quantities_now(database, "CHAIR") == (5, 4, 1, 0)
    assert len(await events_now(engine, AllocationStatusChanged)) == 1
    last = (await events_now(engine, OrderChanged))[-1]
    assert (last.order_version, last.changes) == (3, (OrderChange.EDITED, OrderChange.ALLOCATIONS_CHANGED))


async def test_o7_what_an_edit_adds_and_is_not_there_makes_an_allocated_order_partially_allocated(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    await edited(database, caller, order, quantities={line.id: 4})

    assert await status_now(database, order) is PARTIALLY
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 0)
    last = (await events_now(engine, AllocationStatusChanged))[-1]
    assert (last.before, last.after, last.cause) == (ALLOCATED, PARTIALLY, AllocationCause.EDITED)


async def test_o7_an_order_that_ships_complete_keeps_what_it_has_where_the_addition_is_not_all_there(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2}, policy=ShippingPolicy.SHIP_COMPLETE)
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    await edited(database, caller, order, quantities={line.id: 4})

    assert await status_now(database, order) is PARTIALLY
    assert await quantities_now(database, "CHAIR") == (3, 2, 1, 0)


async def test_o7_an_edit_asks_for_nothing_where_the_order_did_not_have_everything(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    untouched, short = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    await allocated(database, caller, short)
    await received(database, caller, {"CHAIR": 9})

    for order in (untouched, short):
        (line,) = await lines_now(database, order)
        await edited(database, caller, order, quantities={line.id: 3})

    assert await statuses_now(database, untouched, short) == [UNALLOCATED, PARTIALLY]
    assert await quantities_now(database, "CHAIR") == (10, 1, 9, 0)


async def test_o8_received_stock_makes_a_new_run_meaningful(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)
    assert await status_now(database, order) is COULD_NOT

    await received(database, caller, {"CHAIR": 1})

    assert await status_now(database, order) is COULD_NOT
    await allocated(database, caller, order)
    assert await status_now(database, order) is ALLOCATED


async def test_o9_an_order_that_no_run_has_looked_at_is_unallocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})

    order = await placed(database, caller, {"CHAIR": 1})

    assert await status_now(database, order) is UNALLOCATED


async def test_o10_o11_o12_what_a_run_finds_decides_between_allocated_partially_and_could_not_allocate(
    database, caller
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("TABLE", "LEEDS"): 0})
    all_there = await placed(database, caller, {"CHAIR": 1})
    some_there = await placed(database, caller, {"CHAIR": 1, "TABLE": 1})
    fewer_units = await placed(database, caller, {"CHAIR": 2})
    nothing_there = await placed(database, caller, {"TABLE": 1})

    await allocated(database, caller, all_there, some_there, fewer_units, nothing_there)

    statuses = await statuses_now(database, all_there, some_there, fewer_units, nothing_there)
    assert statuses == [ALLOCATED, PARTIALLY, PARTIALLY, COULD_NOT]


async def test_o13_a_partially_allocated_order_that_loses_stock_is_overallocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 5})
    await allocated(database, caller, order)
    assert await status_now(database, order) is PARTIALLY

    await counted(database, caller, {"CHAIR": 2})

    assert await status_now(database, order) is OVERALLOCATED


async def test_o14_an_order_of_one_becomes_overallocated_when_stock_falls_to_zero(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    await counted(database, caller, {"CHAIR": 0})

    assert await status_now(database, order) is OVERALLOCATED
    assert await quantities_now(database, "CHAIR") == (0, 1, 0, 1)
    assert [(line.allocated, line.overallocated) for line in await lines_now(database, order)] == [(1, 1)]
    last = (await events_now(engine, AllocationStatusChanged))[-1]
    assert last == AllocationStatusChanged(
        order_id=order,
        order_number=(await order_now(database, order)).number,
        channel_code="SHOP",
        order_version=3,
        skus=("CHAIR",),
        locations=("LEEDS",),
        before=ALLOCATED,
        after=OVERALLOCATED,
        cause=AllocationCause.STOCK_ADJUSTED,
        actor="tester",
    )


async def test_o15_a_later_order_cannot_take_what_is_set_aside(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    first, later = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, first)

    await allocated(database, caller, later)

    assert await statuses_now(database, first, later) == [ALLOCATED, COULD_NOT]


async def test_o16_o17_a_selection_is_served_in_exactly_the_sequence_given(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    oldest, middle, newest, not_selected = [await placed(database, caller, {"CHAIR": 2}) for _ in range(4)]

    outcomes = await allocated(database, caller, newest, oldest, middle)

    assert [outcome.order for outcome in outcomes] == [newest, oldest, middle]
    statuses = await statuses_now(database, oldest, middle, newest, not_selected)
    assert statuses == [PARTIALLY, COULD_NOT, ALLOCATED, UNALLOCATED]


async def test_o18_deallocate_correct_allocate_is_the_fix_for_overallocated(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, *orders)
    await counted(database, caller, {"CHAIR": 1})
    assert await statuses_now(database, *orders) == [ALLOCATED, OVERALLOCATED]

    outcomes = await deallocated(database, caller, *orders)

    assert [(outcome.before, outcome.after) for outcome in outcomes] == [
        (ALLOCATED, UNALLOCATED),
        (OVERALLOCATED, UNALLOCATED),
    ]
    assert [[(line.quantity, line.allocated) for line in outcome.lines] for outcome in outcomes] == [[(1, 0)]] * 2
    assert await quantities_now(database, "CHAIR") == (1, 0, 1, 0)
    assert await ended_now(engine) == [(1, "DEALLOCATED")] * 2
    await counted(database, caller, {"CHAIR": 2})
    await allocated(database, caller, *orders)
    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED]


async def test_deallocating_an_order_that_could_not_be_allocated_makes_it_unallocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    (outcome,) = await deallocated(database, caller, order)

    assert (outcome.before, outcome.after) == (COULD_NOT, UNALLOCATED)


async def test_deallocating_what_holds_nothing_changes_nothing(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 1})

    (outcome,) = await deallocated(database, caller, order)

    assert (outcome.before, outcome.after, outcome.lines) == (UNALLOCATED, UNALLOCATED, ())
    assert (await order_now(database, order)).version == 1


async def test_allocating_an_allocated_order_again_changes_nothing(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)
    before = await level_now(database, "CHAIR"), await order_now(database, order), await claims_now(database, order)

    (outcome,) = await allocated(database, caller, order)

    assert [(line.quantity, line.allocated) for line in outcome.lines] == [(0, 0)]
    after = await level_now(database, "CHAIR"), await order_now(database, order), await claims_now(database, order)
    assert after == before


async def test_o22_orders_are_found_by_one_or_more_allocation_statuses(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    ready = await placed(database, caller, {"CHAIR": 2})
    partial = await placed(database, caller, {"CHAIR": 2})
    short = await placed(database, caller, {"CHAIR": 1})
    untouched = await placed(database, caller, {"CHAIR": 1})
    void = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, ready, partial, short)
    await voided(database, caller, void)

    async def found(*statuses):
        condition = OrderFilter(allocation_statuses=statuses)
        page = await database.read(lambda uow: uow.orders.page(condition, "PLACED_AT_ASC", 10, None))
        return [order.id for order in page]

    assert await found(ALLOCATED) == [ready]
    assert await found(PARTIALLY, COULD_NOT) == [partial, short]
    assert await found(UNALLOCATED) == [untouched]
    assert await found() == []


# ---------------------------------------------------------------- the rulings


async def test_when_three_orders_hold_one_each_and_on_hand_drops_to_two_only_the_latest_is_overallocated(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(3)]
    await allocated(database, caller, *orders)

    await counted(database, caller, {"CHAIR": 2})

    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED, OVERALLOCATED]
    assert [order.version for order in [await order_now(database, one) for one in orders]] == [2, 2, 3]
    assert [event.order_id for event in await events_now(engine, AllocationStatusChanged)] == [*orders, orders[2]]


async def test_the_order_of_lowest_priority_loses_its_stock_first_although_it_was_allocated_first(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    low = await placed(database, caller, {"CHAIR": 1}, priority=-1)
    middle = await placed(database, caller, {"CHAIR": 1})
    high = await placed(database, caller, {"CHAIR": 1}, priority=5)
    await allocated(database, caller, low, middle, high)

    await counted(database, caller, {"CHAIR": 2})
    assert await statuses_now(database, low, middle, high) == [OVERALLOCATED, ALLOCATED, ALLOCATED]

    await counted(database, caller, {"CHAIR": 1})
    assert await statuses_now(database, low, middle, high) == [OVERALLOCATED, OVERALLOCATED, ALLOCATED]


async def test_a_top_up_is_a_new_claim_and_weaker_than_what_others_got_in_between(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    first = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, first)
    await received(database, caller, {"CHAIR": 1})
    between = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, between)
    await received(database, caller, {"CHAIR": 1})
    await allocated(database, caller, first)
    assert await statuses_now(database, first, between) == [ALLOCATED, ALLOCATED]

    await counted(database, caller, {"CHAIR": 2})

    assert await statuses_now(database, first, between) == [OVERALLOCATED, ALLOCATED]
    assert [(claim.quantity, claim.overallocated) for claim in await claims_now(database, first)] == [(1, 0), (1, 1)]


async def test_a_flag_is_lifted_from_the_strongest_first_when_stock_rises(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(3)]
    await allocated(database, caller, *orders)
    await counted(database, caller, {"CHAIR": 0})
    assert await statuses_now(database, *orders) == [OVERALLOCATED] * 3

    await received(database, caller, {"CHAIR": 2})

    assert await statuses_now(database, *orders) == [ALLOCATED, ALLOCATED, OVERALLOCATED]
    lifted = (await events_now(engine, AllocationStatusChanged))[-2:]
    assert [(event.order_id, event.before, event.after, event.cause) for event in lifted] == [
        (orders[0], OVERALLOCATED, ALLOCATED, AllocationCause.STOCK_RECEIVED),
        (orders[1], OVERALLOCATED, ALLOCATED, AllocationCause.STOCK_RECEIVED),
    ]


async def test_a_flag_is_lifted_from_the_strongest_when_another_order_gives_its_claim_back(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    strong, weak, weakest = [await placed(database, caller, {"CHAIR": 1}) for _ in range(3)]
    await allocated(database, caller, strong, weak, weakest)
    await counted(database, caller, {"CHAIR": 1})

    await voided(database, caller, strong)

    assert await statuses_now(database, weak, weakest) == [ALLOCATED, OVERALLOCATED]
    events = await events_now(engine, AllocationStatusChanged)
    assert {event.order_id: (event.before, event.after, event.cause) for event in events[-2:]} == {
        strong: (ALLOCATED, None, AllocationCause.CANCELED),
        weak: (OVERALLOCATED, ALLOCATED, AllocationCause.CANCELED),
    }


async def test_damaged_and_safety_stock_take_stock_from_under_a_claim_as_a_count_does(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 3})
    await allocated(database, caller, order)

    await counted(database, caller, {"CHAIR": 1}, quantity=StockQuantity.DAMAGED)
    await counted(database, caller, {"CHAIR": 5}, quantity=StockQuantity.SAFETY_STOCK)

    assert await status_now(database, order) is OVERALLOCATED
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 3)


async def test_orders_deallocated_together_are_told_what_they_were_before_any_of_them_gave_back(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, *orders)
    await counted(database, caller, {"CHAIR": 1})

    outcomes = await deallocated(database, caller, *orders)

    assert [(one.before, one.after) for one in outcomes] == [(ALLOCATED, UNALLOCATED), (OVERALLOCATED, UNALLOCATED)]


async def test_allocating_an_overallocated_order_deallocates_and_allocates_it_in_one_transaction(
    database, caller, engine
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("CHAIR", "YORK"): 0})
    order = await placed(database, caller, {"CHAIR": 3})
    await allocated(database, caller, order)
    await counted(database, caller, {"CHAIR": 1})
    await received(database, caller, {"CHAIR": 1}, location="YORK")

    (outcome,) = await allocated(database, caller, order)

    assert (outcome.before, outcome.after) == (OVERALLOCATED, PARTIALLY)
    assert [(line.quantity, line.allocated, line.short) for line in outcome.lines] == [(3, 2, 1)]
    assert await ended_now(engine) == [(3, "DEALLOCATED")]
    assert await quantities_now(database, "CHAIR") == (1, 1, 0, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (1, 1, 0, 0)
    assert (await order_now(database, order)).version == 4
    last = (await events_now(engine, AllocationStatusChanged))[-1]
    assert (last.before, last.after, last.cause) == (OVERALLOCATED, PARTIALLY, AllocationCause.RUN)
    assert last.locations == ("LEEDS", "YORK")


async def test_an_overallocated_order_that_is_allocated_where_nothing_changed_gives_back_what_it_does_not_have(
    database, caller
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    strong, weak = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, strong, weak)
    await counted(database, caller, {"CHAIR": 1})

    await allocated(database, caller, weak)

    assert await statuses_now(database, strong, weak) == [ALLOCATED, COULD_NOT]
    assert await quantities_now(database, "CHAIR") == (1, 1, 0, 0)


async def test_i13_the_same_sku_on_two_lines_draws_on_one_stock(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order = await placed(database, caller, [("CHAIR", 3), ("CHAIR", 3)])

    (outcome,) = await allocated(database, caller, order)

    assert [(line.quantity, line.allocated) for line in outcome.lines] == [(3, 3), (3, 2)]
    assert await status_now(database, order) is PARTIALLY
    assert await quantities_now(database, "CHAIR") == (5, 5, 0, 0)


async def test_i13_an_order_that_ships_complete_gets_nothing_when_only_its_sum_is_too_much(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    complete = await placed(database, caller, [("CHAIR", 3), ("CHAIR", 3)], policy=ShippingPolicy.SHIP_COMPLETE)
    other = await placed(database, caller, {"CHAIR": 5})

    await allocated(database, caller, complete, other)

    assert await statuses_now(database, complete, other) == [COULD_NOT, ALLOCATED]


async def test_an_order_that_ships_complete_is_allocated_when_everything_is_there(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("CHAIR", "YORK"): 1, ("TABLE", "YORK"): 1})
    order = await placed(database, caller, {"CHAIR": 2, "TABLE": 1}, policy=ShippingPolicy.SHIP_COMPLETE)

    await allocated(database, caller, order)

    assert await status_now(database, order) is ALLOCATED


async def test_o21_an_order_is_served_from_several_locations_by_rank(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("CHAIR", "YORK"): 1, ("CHAIR", "HULL"): 9})
    order = await placed(database, caller, {"CHAIR": 4})

    (outcome,) = await allocated(database, caller, order)

    places = {place.id: place.code for place in await database.read(lambda uow: uow.catalog.locations())}
    assert [(places[place], units) for place, units in outcome.lines[0].locations] == [
        ("LEEDS", 1),
        ("YORK", 1),
        ("HULL", 2),
    ]


async def test_a_run_uses_only_the_locations_it_is_given(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("CHAIR", "YORK"): 1})
    order = await placed(database, caller, {"CHAIR": 2})

    await allocated(database, caller, order, locations=("YORK",))

    assert await status_now(database, order) is PARTIALLY
    assert await quantities_now(database, "CHAIR", "LEEDS") == (3, 0, 3, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (1, 1, 0, 0)


async def test_a_run_over_a_location_that_is_not_known_is_refused(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2})

    with pytest.raises(InvalidInput) as refused:
        await allocated(database, caller, order, locations=("LEEDS", "NOWHERE"))

    assert [problem.path for problem in refused.value.problems] == [("input", "locations", "1")]


async def allocate_lines(database, caller, order, *lines):
    wanted = tuple(LineToAllocate(line=line, quantity=quantity) for line, quantity in lines)
    command = AllocateOrders(orders=(AllocateOrder(order=by_id(order), lines=wanted),))
    (outcome,) = (await allocate_orders(Desk(database), caller, command, a_key())).results
    return outcome


async def test_a_run_over_some_lines_looks_at_no_other_and_sets_aside_up_to_the_units_named(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("TABLE", "LEEDS"): 9})
    order = await placed(database, caller, {"CHAIR": 5, "TABLE": 5})
    chair, _ = await lines_now(database, order)

    outcome = await allocate_lines(database, caller, order, (chair.id, 2))

    assert [(line.line, line.quantity, line.allocated) for line in outcome.lines] == [(chair.id, 2, 2)]
    again = await allocate_lines(database, caller, order, (chair.id, 3))
    assert [(line.line, line.quantity, line.allocated) for line in again.lines] == [(chair.id, 1, 1)]
    now = await lines_now(database, order)
    assert [(line.allocated, line.looked_at) for line in now] == [(3, True), (0, False)]


async def test_some_lines_of_an_order_that_ships_complete_are_not_allocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("TABLE", "LEEDS"): 9})
    order = await placed(database, caller, {"CHAIR": 5, "TABLE": 5}, policy=ShippingPolicy.SHIP_COMPLETE)
    chair, table = await lines_now(database, order)

    await allocate_lines(database, caller, order, (chair.id, None))
    assert await status_now(database, order) is COULD_NOT

    await allocate_lines(database, caller, order, (chair.id, None), (table.id, None))
    assert await status_now(database, order) is ALLOCATED


async def test_lines_of_another_order_are_not_found(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    order, other = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    (line,) = await lines_now(database, other)

    outcome = await allocate_lines(database, caller, order, (line.id, None), (LineId(987_654), 1))

    assert isinstance(outcome.refusal, NotFound)
    assert outcome.refusal.references == (line.id, 987_654)


async def test_a_dry_run_answers_as_the_run_would_and_writes_nothing(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    command = AllocateOrders(orders=tuple(AllocateOrder(order=by_id(order)) for order in orders))
    before = await everything(engine)

    dry = await foresee_orders(database, caller, command)

    assert await everything(engine) == before
    assert (await allocate_orders(Desk(database), caller, command, "a key")).results == dry.results


async def test_an_order_that_stands_twice_in_a_run_is_refused_by_id_and_number_too(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 2}, number="N1")
    before = await everything(engine)
    by_number = OrderReference(channel="SHOP", number="N1")

    for twice in ((by_id(order), by_id(order)), (by_number, by_number), (by_id(order), by_number)):
        command = AllocateOrders(orders=tuple(AllocateOrder(order=one) for one in twice))
        with pytest.raises(InvalidInput) as refused:
            await allocate_orders(Desk(database), caller, command, a_key())
        assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "orders", "1"), "DUPLICATE")]
    assert await everything(engine) == before


async def test_a_run_of_too_many_skus_is_refused_and_names_the_way_out(database, caller):
    skus = [f"S{number:04}" for number in range(2001)]
    for start in (0, 1000, 2000):
        await a_catalog(database, caller, {(sku, "LEEDS"): 0 for sku in skus[start : start + 1000]})
    orders = [await placed(database, caller, dict.fromkeys(skus[start : start + 1001], 1)) for start in (0, 1000)]

    with pytest.raises(InvalidInput) as refused:
        await allocated(database, caller, *orders)

    (problem,) = refused.value.problems
    assert (problem.path, problem.code) == (("input", "orders"), "TOO_MANY")
    assert "2,001 SKUs" in problem.message
    assert "startAllocationRun" in problem.message


# ---------------------------------------------------------------- the events of a run


async def test_i5_a_run_makes_one_version_of_each_order_and_level_it_changes(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, [("CHAIR", 1), ("CHAIR", 1)]) for _ in range(2)]
    before = len(await events_now(engine))

    await allocated(database, caller, *orders)

    events = (await events_now(engine))[before:]
    assert [type(event) for event in events] == [
        OrderChanged,
        AllocationStatusChanged,
        OrderChanged,
        AllocationStatusChanged,
        StockLevelChanged,
    ]
    assert [event.order_version for event in events[:4]] == [2] * 4
    assert {event.changes for event in events if isinstance(event, OrderChanged)} == {
        (OrderChange.ALLOCATIONS_CHANGED,)
    }
    assert (events[4].version, events[4].committed, events[4].available) == (2, 3, 0)


async def test_a_run_that_only_looks_makes_the_order_could_not_allocate_with_one_event_each(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    order = await placed(database, caller, {"CHAIR": 1})

    await allocated(database, caller, order)
    await allocated(database, caller, order)

    (event,) = await events_now(engine, AllocationStatusChanged)
    assert (event.before, event.after, event.cause) == (UNALLOCATED, COULD_NOT, AllocationCause.RUN)
    assert (await order_now(database, order)).version == 2


async def test_o13_an_order_with_lines_at_two_shortages_is_flagged_by_both_stock_changes(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("TABLE", "LEEDS"): 1})
    order = await placed(database, caller, {"CHAIR": 1, "TABLE": 1})
    await allocated(database, caller, order)

    await counted(database, caller, {"CHAIR": 0})
    await counted(database, caller, {"TABLE": 0})
    assert [line.overallocated for line in await lines_now(database, order)] == [1, 1]

    await received(database, caller, {"CHAIR": 1})
    assert await status_now(database, order) is OVERALLOCATED
    await received(database, caller, {"TABLE": 1})
    assert await status_now(database, order) is ALLOCATED


async def test_a_change_of_priority_moves_the_flag_to_the_claim_that_is_then_the_weakest(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    first, second = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, first, second)
    await counted(database, caller, {"CHAIR": 1})
    assert await statuses_now(database, first, second) == [ALLOCATED, OVERALLOCATED]

    await edited(database, caller, second, priority=7)

    assert await statuses_now(database, first, second) == [OVERALLOCATED, ALLOCATED]
    assert {event.order_id for event in (await events_now(engine, AllocationStatusChanged))[-2:]} == {first, second}


async def test_a_draft_is_unallocated_and_can_be_allocated_once_it_is_finalized(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)
    assert await status_now(database, order) is UNALLOCATED

    await finalized(database, caller, order)
    await allocated(database, caller, order)

    assert await statuses_now(database, order) == [ALLOCATED]
