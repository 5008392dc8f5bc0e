"""Receive and adjust, on a working copy."""

import pytest

from domain.errors import InsufficientStock, InvalidInput, StockLevelConflict
from domain.events import StockLevelChanged
from domain.kinds import AllocationCause, AllocationStatus, MovementCause, StockQuantity
from domain.stock import LedgerSince
from domain.stocking import StockChange, apply, count, receive, summed
from tests.builders import CHAIR, LAMP, LEEDS, NOON, TABLE, YORK, batch, claim, level, line, order


def adjust(working_copy, *changes):
    return apply(working_copy, changes, MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, "a reference")


def to(item, counted, quantity=StockQuantity.ON_HAND, **more):
    return StockChange(item=item, location=LEEDS, quantity=quantity, counted=counted, **more)


def by(item, delta, quantity=StockQuantity.ON_HAND):
    return StockChange(item=item, location=LEEDS, quantity=quantity, delta=delta)


def test_received_units_are_added_and_a_level_that_was_not_there_is_made():
    working_copy = batch([level(CHAIR, on_hand=2)])

    keys = receive(working_copy, LEEDS, {CHAIR: 3, TABLE: 1}, "PO 7")
    changes = working_copy.changes()

    assert keys == ((CHAIR, LEEDS), (TABLE, LEEDS))
    assert [(one.on_hand, one.version) for one in changes.changed_levels] == [(5, 2)]
    assert [(one.on_hand, one.version) for one in changes.new_levels] == [(1, 1)]
    assert [(one.item, one.change, one.cause, one.reference) for one in changes.movements] == [
        (CHAIR, 3, MovementCause.RECEIVED, "PO 7"),
        (TABLE, 1, MovementCause.RECEIVED, "PO 7"),
    ]


@pytest.mark.parametrize("quantity", list(StockQuantity))
def test_each_quantity_is_moved_by_a_difference_or_to_a_count(quantity):
    working_copy = batch([level(CHAIR, on_hand=9), level(TABLE, on_hand=9)])
    name = quantity.lower()
    before = 9 if quantity is StockQuantity.ON_HAND else 0

    adjust(working_copy, to(CHAIR, 4, quantity), by(TABLE, 2, quantity))

    changes = working_copy.changes()
    assert [getattr(one, name) for one in changes.changed_levels] == [4, before + 2]
    assert [(one.quantity, one.change) for one in changes.movements] == [(quantity, 4 - before), (quantity, 2)]
    assert [event.unavailable for event in changes.events] == ([0, 0] if before else [4, 2])


def test_a_count_of_what_is_there_moves_nothing():
    working_copy = batch([level(CHAIR, on_hand=2)])

    assert adjust(working_copy, to(CHAIR, 2)) == ((CHAIR, LEEDS),)

    changes = working_copy.changes()
    assert (changes.changed_levels, changes.movements, changes.events) == ([], [], [])


def test_a_count_of_nothing_makes_a_level_and_no_movement():
    working_copy = batch()

    adjust(working_copy, to(CHAIR, 0))

    changes = working_copy.changes()
    assert [(one.on_hand, one.version) for one in changes.new_levels] == [(0, 1)]
    assert changes.movements == []
    assert [type(event) for event in changes.events] == [StockLevelChanged]


def test_a_refused_change_leaves_the_working_copy_as_it_is():
    working_copy = batch([level(CHAIR, on_hand=2)])

    with pytest.raises(InsufficientStock) as refused:
        adjust(working_copy, by(TABLE, 5), by(CHAIR, -3))

    (shortage,) = refused.value.shortages
    assert (shortage.sku, shortage.location, shortage.requested, shortage.on_hand) == ("CHAIR", LEEDS, 3, 2)
    assert working_copy.changes().new_levels == []


def test_what_is_damaged_or_in_quality_control_has_to_be_on_hand_and_safety_stock_has_not():
    with pytest.raises(InsufficientStock):
        adjust(batch([level(CHAIR, on_hand=2, damaged=1)]), to(CHAIR, 2, StockQuantity.QUALITY_CONTROL))
    with pytest.raises(InsufficientStock):
        adjust(batch([level(CHAIR, on_hand=2, damaged=2)]), to(CHAIR, 1))
    adjust(batch([level(CHAIR, on_hand=2)]), to(CHAIR, 9, StockQuantity.SAFETY_STOCK))


def test_a_level_that_is_not_as_expected_is_a_conflict_before_it_is_a_shortage():
    working_copy = batch([level(CHAIR, on_hand=2)])

    with pytest.raises(StockLevelConflict) as refused:
        adjust(working_copy, by(TABLE, -1), to(CHAIR, 1, expected_on_hand=3))

    assert refused.value.levels == ((CHAIR, LEEDS),)
    adjust(working_copy, to(CHAIR, 1, expected_on_hand=2), to(LAMP, 1, expected_on_hand=0))


def test_a_level_holds_a_billion_units_and_not_one_more():
    adjust(batch([level(CHAIR, on_hand=1)]), by(CHAIR, 999_999_999))
    with pytest.raises(InvalidInput):
        adjust(batch([level(CHAIR, on_hand=1)]), by(CHAIR, 1_000_000_000))


def test_i13_a_repeated_sku_counts_as_its_sum():
    assert summed([(CHAIR, 1), (TABLE, 5), (CHAIR, 2)]) == {CHAIR: 3, TABLE: 5}


def test_stock_that_falls_flags_the_weakest_claim_here_and_no_claim_elsewhere():
    working_copy = batch(
        [level(CHAIR, LEEDS, on_hand=2, committed=2), level(CHAIR, YORK, on_hand=1, committed=1)],
        [order(1), order(2)],
        [line(CHAIR, 1, number=1, order=1, allocated=1), line(CHAIR, 2, number=2, order=2, allocated=2)],
        [claim(1), claim(2, order=2, line=2), claim(3, order=2, line=2, location=YORK)],
    )

    adjust(working_copy, to(CHAIR, 1))
    changes = working_copy.changes()

    assert [(one.id, one.overallocated) for one in changes.changed_claims] == [(2, 1)]
    assert [(one.id, one.overallocated) for one in changes.lines] == [(2, 1)]
    assert [(one.id, one.allocation_status) for one in changes.orders] == [(2, AllocationStatus.OVERALLOCATED)]
    assert [(one.flagged, one.overallocated) for one in changes.changed_levels] == [(1, 1)]


# ---------------------------------------------------------------- counts of a moment

NINE, TEN, ELEVEN = (NOON.replace(hour=hour) for hour in (9, 10, 11))


def told(working_copy, counted, at=TEN, *, moved=0, newest=None):
    """Somebody says what they counted at ten; what the ledger knows of it."""
    key = (CHAIR, LEEDS)
    since = LedgerSince(now=NOON, moved={key: moved} if moved else {}, counted={key: newest} if newest else {})
    return count(working_copy, LEEDS, {CHAIR: counted}, at, since, "aisle 4")


def test_what_has_moved_since_the_moment_of_a_count_stays_moved():
    working_copy = batch([level(CHAIR, on_hand=7)])

    keys, superseded = told(working_copy, 12, moved=-3)
    changes = working_copy.changes()

    assert (keys, superseded) == (((CHAIR, LEEDS),), ())
    assert [one.on_hand for one in changes.changed_levels] == [9]
    (movement,) = changes.movements
    assert (movement.change, movement.balance, movement.cause, movement.counted_at) == (2, 9, MovementCause.COUNT, TEN)
    assert [(one.counted, one.counted_at, one.reference) for one in changes.counts] == [(12, TEN, "aisle 4")]


def test_a_count_that_a_newer_one_has_overtaken_is_kept_and_changes_nothing():
    working_copy = batch([level(CHAIR, on_hand=7)])

    keys, superseded = told(working_copy, 12, newest=ELEVEN)
    changes = working_copy.changes()

    assert (keys, superseded) == (((CHAIR, LEEDS),), ("CHAIR",))
    assert changes.changed_levels == changes.movements == changes.events == []
    assert [one.counted for one in changes.counts] == [12]


@pytest.mark.parametrize("newest", [NINE, TEN])
def test_a_count_overtakes_older_ones_and_corrects_one_of_the_same_moment(newest):
    working_copy = batch([level(CHAIR, on_hand=7)])

    told(working_copy, 12, newest=newest)

    assert working_copy.levels[CHAIR, LEEDS].on_hand == 12


def test_a_count_that_finds_what_is_there_is_kept_without_a_movement():
    working_copy = batch([level(CHAIR, on_hand=7)])

    told(working_copy, 7)
    changes = working_copy.changes()

    assert (changes.movements, len(changes.counts)) == ([], 1)


def test_a_count_of_less_than_has_left_since_is_refused_and_nothing_is_clamped():
    working_copy = batch([level(CHAIR, on_hand=7)])

    with pytest.raises(InsufficientStock) as refused:
        told(working_copy, 2, moved=-3)

    assert [(one.requested, one.on_hand) for one in refused.value.shortages] == [(8, 7)]
    changes = working_copy.changes()
    assert changes.counts == changes.movements == changes.events == []


def test_a_count_of_a_sku_that_was_never_here_makes_the_level():
    working_copy = batch()

    told(working_copy, 0)

    assert [one.on_hand for one in working_copy.changes().new_levels] == [0]


def test_an_adjustment_to_a_count_is_remembered_as_one_and_a_difference_is_not():
    working_copy = batch([level(CHAIR, on_hand=2), level(TABLE, on_hand=2)])

    adjust(working_copy, to(CHAIR, 2), by(TABLE, 1), to(TABLE, 0, StockQuantity.DAMAGED))

    assert [(one.item, one.counted, one.counted_at) for one in working_copy.changes().counts] == [(CHAIR, 2, None)]


def test_changes_of_one_level_follow_each_other_and_the_ledger_says_what_each_left():
    working_copy = batch([level(CHAIR, on_hand=2)])

    adjust(working_copy, by(CHAIR, 3), by(CHAIR, -4))
    changes = working_copy.changes()

    assert [(one.change, one.balance) for one in changes.movements] == [(3, 5), (-4, 1)]
    assert [one.on_hand for one in changes.changed_levels] == [1]
