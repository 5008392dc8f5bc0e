"""Goods on their way out, and whoever else moves them at the same moment: one wins, and the other is told.

Each race is run in both sequences, by letting both wait for the lock of the SKU, and then many times at once, on
databases of their own. That each fails on naive code is shown by the twins of `proof/naive.py` whose names begin with
20: with what is sent read before the lock, a step that looks at no state, a release that does not look at the stock
again, and the like.
"""

from collections import Counter

import pytest

from domain.errors import (
    FulfillmentNotInState,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderNotReleasable,
    PickConflict,
    QuantityAlreadyShipped,
)
from domain.events import AllocationStatusChanged, OrderChanged
from domain.kinds import (
    AllocationStatus,
    FulfillmentState,
    FulfillmentStatus,
    OrderChange,
    OrderStatus,
    PickObstacle,
)
from persistence.verify import verify
from tests.builders import (
    a_catalog,
    counted,
    edited,
    events_now,
    level_now,
    lines_now,
    order_now,
    status_now,
    voided,
)
from tests.persistence.racing import PROCESSES, fetch, together
from tests.persistence.turns import BOTH_WAYS, in_either_turn, in_turn, is_refused, told
from tests.warehousing import (
    bought,
    canceled_one,
    delivered,
    fetched,
    fulfillment_status_now,
    fulfillments_now,
    open_tasks,
    packed,
    picked,
    shipped,
    to_warehouse,
)

State = FulfillmentState
MANY = 12
"""Orders, each with a race of its own, all at once."""


@pytest.fixture
async def rivals(databases):
    """Two who know nothing of each other."""
    return databases(), databases()


@pytest.fixture(autouse=True)
async def sound(engine):
    """Whoever won, everything that must be true is true."""
    yield
    assert await verify(engine) == []


async def ready_to_ship(database, caller, units=2):
    """An order in a parcel, and its fulfillment."""
    order = await bought(database, caller, {"CHAIR": units})
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    await picked(database, caller, order)
    await packed(database, caller, one)
    return order, one


async def released(database, caller, units=3):
    """An order that is with the warehouse, its fulfillment and the task."""
    order = await bought(database, caller, {"CHAIR": units})
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    (task,) = await open_tasks(database, order)
    return order, one, task.id


# ---------------------------------------------------------------- cancel against ship


@BOTH_WAYS
async def test_i14_i10_of_who_voids_an_order_and_who_ships_it_the_first_one_wins(
    database, caller, engine, rivals, reverse
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one = await ready_to_ship(database, caller)

    void, ship = await in_either_turn(
        engine, database, voided(rivals[0], caller, order), shipped(rivals[1], caller, one), reverse=reverse
    )

    level = await level_now(database, "CHAIR")
    if reverse:
        assert (is_refused(ship), type(void)) == (False, QuantityAlreadyShipped)
        assert (level.on_hand, level.committed) == (3, 0)
        assert (await order_now(database, order)).status is OrderStatus.FINALIZED
    else:
        assert (is_refused(void), type(ship)) == (False, FulfillmentNotInState)
        assert (level.on_hand, level.committed) == (5, 0)
        assert (await order_now(database, order)).status is OrderStatus.VOID


async def test_i14_i10_of_many_who_void_and_many_who_ship_one_wins_each_order(database, caller, rivals):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2 * MANY})
    orders = [await ready_to_ship(database, caller) for _ in range(MANY)]

    deeds = []
    for at, (order, one) in enumerate(orders):
        pair = [voided(rivals[0], caller, order), shipped(rivals[1], caller, one)]
        deeds += pair if at % 2 else pair[::-1]
    answers = await told(*deeds)

    won = [not is_refused(answer) for answer in answers]
    assert [won[at] + won[at + 1] for at in range(0, 2 * MANY, 2)] == [1] * MANY
    states = [(await fulfillments_now(database, order))[0].state for order, _ in orders]
    assert Counter(states).keys() <= {State.SHIPPED, State.CANCELED}
    assert (await level_now(database, "CHAIR")).on_hand == 2 * states.count(State.CANCELED)


# ---------------------------------------------------------------- cancel against pick


@BOTH_WAYS
async def test_i14_of_who_cancels_a_fulfillment_and_who_picks_it_nothing_stays_in_the_pickers_hands(
    database, caller, engine, rivals, reverse
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one, task = await released(database, caller)

    cancel, pick = await in_either_turn(
        engine, database, canceled_one(rivals[0], caller, one), fetched(rivals[1], caller, task, 3), reverse=reverse
    )

    assert not is_refused(cancel)
    assert isinstance(pick.refusal, PickConflict) is not reverse
    assert reverse or pick.refusal.obstacle is PickObstacle.TASK_ENDED
    level = await level_now(database, "CHAIR")
    assert (level.on_hand, level.committed, level.picked) == (5, 3, 0)
    assert await status_now(database, order) is AllocationStatus.ALLOCATED
    assert await fulfillment_status_now(database, order) is FulfillmentStatus.NOT_RELEASED


# ---------------------------------------------------------------- release against an adjustment


async def statuses_when_released(engine, orders):
    """The allocation status of each order in the commit that released it."""
    found = {}
    for order in orders:
        status, version = AllocationStatus.UNALLOCATED, None
        events = [one for one in await events_now(engine) if getattr(one, "order_id", None) == order]
        for event in events:
            if isinstance(event, OrderChanged) and OrderChange.RELEASED in event.changes:
                version = event.order_version
        for event in events:
            if isinstance(event, AllocationStatusChanged) and version and event.order_version <= version:
                status = event.after
        if version:
            found[order] = status
    return found


@BOTH_WAYS
async def test_i9_r8_an_order_whose_stock_is_taken_is_released_before_or_not_at_all(
    database, caller, engine, rivals, reverse
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await bought(database, caller, {"CHAIR": 3})

    release, count = await in_either_turn(
        engine,
        database,
        to_warehouse(rivals[0], caller, order),
        counted(rivals[1], caller, {"CHAIR": 1}),
        reverse=reverse,
    )

    assert not is_refused(count)
    assert await status_now(database, order) is AllocationStatus.OVERALLOCATED
    assert isinstance(release.refusal, OrderNotReleasable) is reverse
    assert await statuses_when_released(engine, [order]) == ({} if reverse else {order: AllocationStatus.ALLOCATED})


async def test_i9_r8_of_many_that_are_released_while_stock_is_lost_each_had_all_of_its_stock(
    database, caller, engine, rivals
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2 * MANY})
    orders = [await bought(database, caller, {"CHAIR": 2}) for _ in range(MANY)]

    deeds = []
    for at, order in enumerate(orders):
        deeds.append(to_warehouse(rivals[0], caller, order))
        deeds.append(counted(rivals[1], caller, {"CHAIR": 2 * (MANY - at) - 1}))
    answers = await told(*deeds)

    done = {one.order: not one.refusal for one in answers[::2]}
    backed = await statuses_when_released(engine, orders)
    assert set(backed) == {order for order, released in done.items() if released}
    assert set(backed.values()) <= {AllocationStatus.ALLOCATED}


# ---------------------------------------------------------------- two pickers


async def test_of_two_who_fetch_all_of_one_task_the_second_is_told(database, caller, engine, rivals):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    _, _, task = await released(database, caller)

    first, second = await in_turn(engine, database, *(fetched(rival, caller, task, 3) for rival in rivals))

    assert first.refusal is None
    assert second.refusal.obstacle is PickObstacle.TASK_ENDED
    assert (await level_now(database, "CHAIR")).picked == 3


async def test_of_two_who_expect_the_same_version_of_a_task_the_second_is_told(database, caller, engine, rivals):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    _, _, task = await released(database, caller)

    deeds = (fetched(rival, caller, task, 1, expected_version=1) for rival in rivals)
    first, second = await in_turn(engine, database, *deeds)

    assert first.refusal is None
    assert second.refusal.obstacle is PickObstacle.VERSION_CHANGED


async def test_in_four_processes_no_more_is_fetched_than_was_asked_for(database, caller, database_url, pool):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 50})
    _, one, task = await released(database, caller, units=25)

    done = sum(together(pool, fetch, database_url, *[(task, 10)] * PROCESSES), Counter())

    assert done == {"applied": 25, PickObstacle.TASK_ENDED: 15}
    level = await level_now(database, "CHAIR")
    assert (level.on_hand, level.committed, level.picked) == (50, 25, 25)
    (now,) = await database.read(lambda uow: uow.fulfillments.by_ids([one]))
    assert (now.state, now.lines[0].picked) == (State.PICKED, 25)


# ---------------------------------------------------------------- the same step twice


async def test_i14_i10_of_two_who_ship_the_same_parcels_one_does_and_the_goods_leave_once(
    database, caller, engine, rivals
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one = await ready_to_ship(database, caller)

    first, second = await in_turn(engine, database, *(shipped(rival, caller, one) for rival in rivals))

    assert not is_refused(first)
    assert isinstance(second, FulfillmentNotInState)
    assert (await level_now(database, "CHAIR")).on_hand == 3
    assert [line.shipped for line in await lines_now(database, order)] == [2]


async def test_i14_c5_an_order_that_two_deliver_is_fulfilled_once(database, caller, engine, rivals):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one = await ready_to_ship(database, caller)
    await shipped(database, caller, one)

    first, second = await in_turn(engine, database, *(delivered(rival, caller, one) for rival in rivals))

    assert not is_refused(first)
    assert isinstance(second, FulfillmentNotInState)
    changes = [change for event in await events_now(engine, OrderChanged) for change in event.changes]
    assert (changes.count(OrderChange.DELIVERED), changes.count(OrderChange.FULFILLED)) == (1, 1)
    assert (await order_now(database, order)).status is OrderStatus.FULFILLED


# ---------------------------------------------------------------- pick, pack and ship against an edit


@BOTH_WAYS
async def test_who_picks_what_an_edit_takes_away_is_told_or_puts_it_back(database, caller, engine, rivals, reverse):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one, task = await released(database, caller)
    (line,) = await lines_now(database, order)

    pick, edit = await in_either_turn(
        engine,
        database,
        fetched(rivals[0], caller, task, 3),
        edited(rivals[1], caller, order, quantities={line.id: 1}),
        reverse=reverse,
    )

    assert not is_refused(edit)
    assert (pick.refusal is None) is not reverse
    assert not reverse or pick.refusal.obstacle is PickObstacle.MORE_THAN_ASKED_FOR
    (now,) = await database.read(lambda uow: uow.fulfillments.by_ids([one]))
    assert (now.units, now.lines[0].picked) == (1, 0 if reverse else 1)
    level = await level_now(database, "CHAIR")
    assert (level.on_hand, level.committed, level.picked) == (5, 1, 0 if reverse else 1)


@BOTH_WAYS
async def test_what_an_edit_takes_away_is_not_packed_and_what_is_packed_is_not_edited_away(
    database, caller, engine, rivals, reverse
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    order, one, _ = await released(database, caller)
    await picked(database, caller, order)
    (line,) = await lines_now(database, order)

    pack, edit = await in_either_turn(
        engine,
        database,
        packed(rivals[0], caller, one),
        edited(rivals[1], caller, order, quantities={line.id: 1}),
        reverse=reverse,
    )

    assert not is_refused(pack)
    assert isinstance(edit, OrderAlreadyReleased) is not reverse
    (now,) = await database.read(lambda uow: uow.fulfillments.by_ids([one]))
    assert (now.state, now.units) == (State.PACKED, 1 if reverse else 3)


async def test_everything_at_once_to_one_order_leaves_it_in_one_piece(database, caller, rivals):
    """Whatever comes first: each is done as a whole or refused."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 6 * MANY, ("CHAIR", "YORK"): MANY})
    orders = [await released(database, caller, units=4) for _ in range(MANY)]
    deeds = []
    for at, (order, one, task) in enumerate(orders):
        (line,) = await lines_now(database, order)
        of_this = [
            fetched(rivals[0], caller, task, 2),
            fetched(rivals[1], caller, task, 2),
            edited(rivals[0], caller, order, quantities={line.id: 3}),
            packed(rivals[1], caller, one),
            shipped(rivals[0], caller, one),
            canceled_one(rivals[1], caller, one) if at % 3 else voided(rivals[1], caller, order),
            to_warehouse(rivals[0], caller, order),
        ]
        deeds += of_this[at % 7 :] + of_this[: at % 7]
    deeds.append(counted(rivals[0], caller, {"CHAIR": 3 * MANY}))

    answers = await told(*deeds)

    refused = {type(one) for one in answers if is_refused(one)}
    assert refused <= {
        FulfillmentNotInState,
        QuantityAlreadyShipped,
        OrderAlreadyReleased,
        OrderNotInState,
    }
