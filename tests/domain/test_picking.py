"""What pickers say they did, and how the loop is closed where they found too little."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import picking, releasing
from domain.errors import PickConflict
from domain.ids import OrderId, PickListId
from domain.kinds import (
    AllocationCause,
    FulfillmentState,
    MovementCause,
    PickObstacle,
    PickTaskState,
    ShortReason,
    StockQuantity,
)
from domain.picking import Pick, Short
from domain.stock import StockLevel
from domain.stocking import StockChange, apply
from tests.builders import CHAIR, LEEDS, YORK, warehouse

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HERE = (CHAIR, LEEDS)
DAMAGED = ShortReason.DAMAGED


def released(*wanted, **more):
    """The working copy, and its first task, of which the database knows."""
    batch = warehouse(*wanted, **more)
    for order in batch.orders:
        releasing.release(batch, order, NOW)
    batch.floor.learn(batch.floor.facts())
    return batch, min(batch.floor.tasks.values(), key=lambda task: task.id)


def record(batch, task, quantity, **how):
    return picking.record_pick(batch, Pick(task=task.id, quantity=quantity, **how), NOW)


def obstacle(batch, task, quantity, *, is_right_item=True, **how):
    """Why it is refused; nothing has moved then."""
    before = batch.facts()
    with pytest.raises(PickConflict) as refused:
        picking.record_pick(batch, Pick(task=task.id, quantity=quantity, **how), NOW, is_right_item=is_right_item)
    assert batch.facts() == before
    return refused.value.obstacle


# ---------------------------------------------------------------- what is picked


def test_l5_what_is_picked_is_on_hand_and_committed_and_no_longer_where_it_lay():
    batch, task = released((1, LEEDS, 3), on_hand={LEEDS: 5}, bins={"A-1": 4})

    record(batch, task, 2)

    level = batch.levels[HERE]
    assert (level.on_hand, level.committed, level.picked, batch.floor.bins) == (5, 3, 2, {(*HERE, "A-1"): 2})
    one = batch.floor.fulfillments[task.fulfillment]
    assert (one.state, one.lines[0].picked) == (FulfillmentState.PICKING, 2)
    record(batch, task, 1)
    assert batch.floor.fulfillments[task.fulfillment].state is FulfillmentState.PICKED
    assert batch.floor.tasks[task.id].state is PickTaskState.DONE


def test_every_obstacle_is_told_and_nothing_moves():
    batch, task = released((1, LEEDS, 3), on_hand={LEEDS: 3})
    other = replace(task, list=PickListId(7), picker="Ann")

    assert obstacle(batch, task, 4) is PickObstacle.MORE_THAN_ASKED_FOR
    assert obstacle(batch, task, 1, is_right_item=False) is PickObstacle.WRONG_BARCODE
    assert obstacle(batch, task, 1, expected_version=task.version + 1) is PickObstacle.VERSION_CHANGED
    batch.levels[HERE] = replace(batch.levels[HERE], on_hand=1)
    assert obstacle(batch, task, 2) is PickObstacle.NOT_ON_HAND
    batch.floor.change_task(other)
    assert obstacle(batch, task, 1) is PickObstacle.CLAIMED_BY_ANOTHER
    assert obstacle(batch, task, 1, picker="Bob") is PickObstacle.CLAIMED_BY_ANOTHER
    record(batch, task, 1, picker="Ann")
    record(batch, task, 0, picker="Ann", short=Short())
    assert obstacle(batch, task, 1, picker="Ann") is PickObstacle.TASK_ENDED


def test_i12_of_two_who_expect_the_same_version_in_one_transaction_the_second_is_told():
    """As it is where they come one after the other."""
    batch, task = released((1, LEEDS, 3), on_hand={LEEDS: 3})

    record(batch, task, 1, expected_version=task.version)

    assert obstacle(batch, task, 1, expected_version=task.version) is PickObstacle.VERSION_CHANGED


def test_what_is_picked_from_anywhere_was_in_a_bin_where_nothing_lies_elsewhere():
    batch, task = released((1, LEEDS, 2), on_hand={LEEDS: 3})
    batch.floor.set_bin((*HERE, "A-1"), 3)  # put away, after the task was made

    record(batch, task, 2)

    assert batch.floor.bins == {(*HERE, "A-1"): 1}


def test_r8_who_has_fetched_units_loses_stock_last_and_as_few_as_possible():
    batch, first = released((1, LEEDS, 2), (2, LEEDS, 3), on_hand={LEEDS: 5})
    second = max(batch.floor.tasks.values(), key=lambda task: task.id)
    record(batch, second, 2)

    for lost, flags in ((1, (0, 1)), (1, (1, 1)), (1, (2, 1))):
        change = StockChange(item=CHAIR, location=LEEDS, delta=-lost)
        apply(batch, [change], MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, None)
        batch.settle()
        assert tuple(batch.lines[line].overallocated for line in (1, 2)) == flags
    batch.levels[HERE] = replace(batch.levels[HERE], safety_stock=1)
    batch.change_level(batch.levels[HERE], AllocationCause.STOCK_ADJUSTED)
    batch.settle()
    assert tuple(batch.lines[line].overallocated for line in (1, 2)) == (2, 2)
    assert first.fulfillment != second.fulfillment


# ---------------------------------------------------------------- what is not there


def test_l5_a_bin_that_is_found_empty_is_empty_and_the_units_come_from_another():
    batch, task = released((1, LEEDS, 3), on_hand={LEEDS: 9}, bins={"A-1": 4, "B-2": 3})

    made = record(batch, task, 1, short=Short())

    assert made == ()
    assert batch.floor.bins == {(*HERE, "A-1"): 0, (*HERE, "B-2"): 3}
    assert batch.levels[HERE].on_hand == 9 - 3
    open_tasks = [one for one in batch.floor.tasks.values() if one.missing]
    assert [(one.bin, one.missing, one.fulfillment) for one in open_tasks] == [("B-2", 2, task.fulfillment)]


def test_what_replaces_units_goes_on_the_list_that_they_were_on():
    batch, task = released((1, LEEDS, 2), on_hand={LEEDS: 9}, bins={"A-1": 2})
    batch.floor.change_task(replace(task, list=PickListId(7)))

    record(batch, task, 0, short=Short())

    (fresh,) = [one for one in batch.floor.tasks.values() if one.missing]
    assert fresh.list == 7


def test_a_task_that_counted_on_a_bin_looks_in_one_that_has_all_of_it():
    batch, first = released((1, LEEDS, 1), (2, LEEDS, 3), on_hand={LEEDS: 9}, bins={"A-1": 4})
    batch.floor.set_bin((*HERE, "B-2"), 1)
    batch.floor.set_bin((*HERE, "C-3"), 3)

    record(batch, first, 0, short=Short())

    second = next(one for one in batch.floor.tasks.values() if one.id > first.id and one.missing == 3)
    assert second.bin == "C-3"


def test_damaged_units_are_on_hand_and_apart():
    batch, task = released((1, LEEDS, 2), on_hand={LEEDS: 5}, bins={"A-1": 5})

    record(batch, task, 0, short=Short(reason=DAMAGED, left=3))

    level = batch.levels[HERE]
    assert (level.on_hand, level.damaged, level.committed) == (5, 2, 2)
    assert batch.floor.bins == {(*HERE, "A-1"): 3}


def test_an_order_that_counted_on_what_is_gone_is_overallocated():
    batch, task = released((1, LEEDS, 2), (2, LEEDS, 2), on_hand={LEEDS: 4}, bins={"A-1": 4})

    record(batch, task, 0, short=Short())
    batch.settle()

    assert batch.levels[HERE].on_hand == 0
    assert batch.lines[2].overallocated == 2
    assert [one.missing for one in batch.floor.tasks.values() if one.fulfillment != task.fulfillment] == [2]


@st.composite
def short_picks(draw):
    in_bin = draw(st.none() | st.integers(1, 5))
    loose = draw(st.integers(0 if in_bin else 1, 5))
    there = loose if in_bin is None else in_bin
    wanted = draw(st.integers(1, min(there, loose + (in_bin or 0))))
    apart = draw(st.integers(0, 2))
    short = draw(st.builds(Short, reason=st.sampled_from(ShortReason), left=st.none() | st.integers(0, 6)))
    return in_bin, loose, apart, wanted, draw(st.integers(0, wanted)), short


@given(short_picks())
def test_what_the_picker_saw_is_what_is_there_and_the_ledger_says_why(drawn):
    """Whatever is picked and left: no unit is lost twice, and none is made up."""
    in_bin, loose, apart, wanted, picked, short = drawn
    on_hand = loose + (in_bin or 0) + apart
    bins = {"A-1": in_bin} if in_bin else {}
    batch, task = released((1, LEEDS, wanted), on_hand={LEEDS: on_hand, YORK: 9}, bins=bins, damaged=apart)
    assert (task.bin, task.quantity) == ("A-1" if in_bin else None, wanted)

    record(batch, task, picked, short=short)
    after: StockLevel = batch.levels[HERE]

    there, missing = (in_bin or loose) - picked, wanted - picked
    damaged = min(missing, there) if short.reason is DAMAGED else 0
    found = there - damaged
    gone = found if in_bin else min(found, missing - damaged)
    left = found - gone if short.left is None else min(found, short.left)
    assert after.damaged - apart == damaged
    assert on_hand - after.on_hand == found - left
    assert batch.floor.in_bins(HERE) == (left if in_bin else 0)
    made = batch.changes().movements
    assert sum(one.change for one in made if one.quantity is StockQuantity.ON_HAND) == after.on_hand - on_hand
    assert batch.lines[1].allocated == wanted, "York has enough"
    assert sum(one.units for one in batch.floor.of(OrderId(1))) == wanted
