"""The working copy: whatever moves, flags, statuses, versions and events follow."""

import pytest

from domain.allocating import OrderToAllocate, allocate, deallocate
from domain.allocation import Take
from domain.changes import Facts
from domain.events import AllocationStatusChanged, OrderChanged, StockLevelChanged
from domain.ids import AllocationId, LineId, OrderId
from domain.kinds import AllocationCause, AllocationEnd, AllocationStatus, OrderChange
from tests.builders import CHAIR, LAMP, LEEDS, TABLE, YORK, batch, claim, level, line, order

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
ADJUSTED = AllocationCause.STOCK_ADJUSTED


def two_orders(*, on_hand=3, flagged=0):
    """Two orders hold three chairs in Leeds: the first two, the second one; the second is the weaker."""
    return batch(
        [level(CHAIR, LEEDS, on_hand=on_hand, committed=3)],
        [order(1), order(2)],
        [
            line(CHAIR, 2, number=1, order=1, allocated=2),
            line(CHAIR, 1, number=2, order=2, allocated=1, overallocated=flagged),
        ],
        [claim(1, 2, order=1, line=1), claim(2, 1, order=2, line=2, overallocated=flagged)],
    )


def run(working_copy, *orders):
    return allocate(working_copy, [OrderToAllocate(reference=str(one), order=OrderId(one)) for one in orders])


def test_a_batch_that_moves_nothing_changes_nothing():
    changes = two_orders().changes()

    assert (changes.orders, changes.lines, changes.changed_levels, changes.changed_claims) == ([], [], [], [])
    assert changes.events == []


def test_a_take_sets_units_aside_on_line_level_and_claim():
    working_copy = batch([level(on_hand=5), level(CHAIR, YORK, on_hand=5)], [order()], [line(CHAIR, 4, looked_at=True)])

    working_copy.take([Take(LineId(1), CHAIR, LEEDS, 1), Take(LineId(1), CHAIR, YORK, 2)])
    changes = working_copy.changes()

    assert [(one.location, one.quantity) for one in changes.new_claims] == [(LEEDS, 1), (YORK, 2)]
    assert [(one.committed, one.version) for one in changes.changed_levels] == [(1, 2), (2, 2)]
    assert [one.allocated for one in changes.lines] == [3]
    assert [(one.allocation_status, one.version) for one in changes.orders] == [(PARTIALLY, 2)]


def test_what_is_given_back_first_is_what_has_no_stock_behind_it():
    working_copy = two_orders(on_hand=2, flagged=1)
    held = working_copy.claims[AllocationId(2)]

    working_copy.give_back(held, 1, AllocationEnd.DEALLOCATED, AllocationCause.DEALLOCATED)

    assert AllocationId(2) not in working_copy.claims
    assert working_copy.lines[LineId(2)].overallocated == 0
    assert (working_copy.levels[CHAIR, LEEDS].committed, working_copy.levels[CHAIR, LEEDS].flagged) == (2, 0)


def test_the_order_of_the_claim_that_lost_its_stock_gets_its_status_its_version_and_its_events():
    working_copy = two_orders()

    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 2), ADJUSTED)
    changes = working_copy.changes()

    assert [(one.id, one.allocation_status, one.version) for one in changes.orders] == [(2, OVERALLOCATED, 2)]
    changed, moved, stock = changes.events
    assert isinstance(changed, OrderChanged)
    assert (changed.order_id, changed.order_version, changed.changes) == (2, 2, (OrderChange.ALLOCATIONS_CHANGED,))
    assert isinstance(moved, AllocationStatusChanged)
    assert (moved.before, moved.after, moved.cause) == (ALLOCATED, OVERALLOCATED, ADJUSTED)
    assert isinstance(stock, StockLevelChanged)
    assert (stock.version, stock.on_hand, stock.committed, stock.overallocated) == (2, 2, 3, 1)


def test_a_shortage_that_grows_reaches_the_stronger_claim():
    working_copy = two_orders(on_hand=2, flagged=1)

    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 1), ADJUSTED)
    changes = working_copy.changes()

    assert [(one.id, one.overallocated) for one in changes.changed_claims] == [(1, 1)]
    assert [one.id for one in changes.orders] == [1]


def test_a_shortage_that_shrinks_lifts_the_flag():
    working_copy = two_orders(on_hand=2, flagged=1)

    working_copy.change_level(
        working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 3), AllocationCause.STOCK_RECEIVED
    )
    changes = working_copy.changes()

    assert [(one.id, one.overallocated) for one in changes.changed_claims] == [(2, 0)]
    moved = [event for event in changes.events if isinstance(event, AllocationStatusChanged)]
    assert [(event.before, event.after, event.cause) for event in moved] == [
        (OVERALLOCATED, ALLOCATED, AllocationCause.STOCK_RECEIVED)
    ]


def test_a_level_asks_for_its_claims_only_where_flags_can_move():
    working_copy = two_orders()
    assert working_copy.unsettled() == {}

    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 9), ADJUSTED)
    assert working_copy.unsettled() == {}

    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 1), ADJUSTED)
    assert working_copy.unsettled() == {(CHAIR, LEEDS): 2 + 3}


def test_a_level_whose_weakest_claims_were_not_loaded_is_a_mistake():
    working_copy = batch([level(on_hand=1, committed=1)])
    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 0), ADJUSTED)

    with pytest.raises(AssertionError):
        working_copy.changes()


def test_what_is_learnt_later_leaves_what_has_moved_as_it_is():
    working_copy = two_orders()
    fresh = two_orders()
    working_copy.give_back(
        working_copy.claims[AllocationId(1)], 2, AllocationEnd.DEALLOCATED, AllocationCause.DEALLOCATED
    )

    working_copy.learn(
        Facts(orders=list(fresh.orders.values()), lines=list(fresh.lines.values()), claims=list(fresh.claims.values()))
    )

    assert AllocationId(1) not in working_copy.claims
    assert working_copy.lines[LineId(1)].allocated == 0


def test_an_order_with_a_flag_on_each_of_two_levels_keeps_its_status_until_both_are_lifted():
    working_copy = batch(
        [level(CHAIR, on_hand=0, committed=1), level(TABLE, on_hand=0, committed=1)],
        [order()],
        [
            line(CHAIR, 1, number=1, allocated=1, overallocated=1),
            line(TABLE, 1, number=2, allocated=1, overallocated=1),
        ],
        [claim(1, line=1, overallocated=1), claim(2, line=2, item=TABLE, overallocated=1)],
    )

    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 1), ADJUSTED)
    changes = working_copy.changes()

    assert [(one.allocation_status, one.version) for one in changes.orders] == [(OVERALLOCATED, 2)]
    assert [type(event) for event in changes.events] == [OrderChanged, StockLevelChanged]


def test_events_name_the_locations_where_the_order_held_or_holds_a_claim():
    working_copy = batch(
        [level(CHAIR, LEEDS, on_hand=0, committed=1), level(CHAIR, YORK, on_hand=1)],
        [order()],
        [line(CHAIR, 1, allocated=1, overallocated=1, looked_at=True)],
        [claim(1, overallocated=1)],
    )

    run(working_copy, 1)
    changes = working_copy.changes()

    assert [event.locations for event in changes.events if isinstance(event, OrderChanged)] == [("LEEDS", "YORK")]
    assert [one.allocation_status for one in changes.orders] == [ALLOCATED]


# ---------------------------------------------------------------- handing over


def a_claim_and_a_line_that_wants_it(*, on_hand=3, flagged=0, wanted=3, priority=0):
    """Order 1 holds three chairs in Leeds (claim 5); order 2 wants some."""
    return batch(
        [level(CHAIR, LEEDS, on_hand=on_hand, committed=3)],
        [order(1), order(2, priority=priority)],
        [
            line(CHAIR, 3, number=1, order=1, allocated=3, overallocated=flagged, looked_at=True),
            line(CHAIR, wanted, number=2, order=2),
        ],
        [claim(5, 3, overallocated=flagged)],
    )


def test_a_claim_that_is_handed_over_whole_stays_the_row_that_it_is():
    working_copy = a_claim_and_a_line_that_wants_it()

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 3)
    changes = working_copy.changes()

    assert [(one.id, one.order, one.line, one.quantity) for one in changes.changed_claims] == [(5, 2, 2, 3)]
    assert (changes.new_claims, changes.divided_claims, changes.ended_claims, changes.gone_claims) == ([], [], [], [])
    assert changes.changed_levels == []
    assert [(one.id, one.allocated, one.looked_at) for one in changes.lines] == [(1, 0, True), (2, 3, True)]
    assert {one.id: one.allocation_status for one in changes.orders} == {1: COULD_NOT, 2: ALLOCATED}
    assert working_copy.claims_of(OrderId(1)) == []
    assert [one.id for one in working_copy.claims_of(OrderId(2))] == [5]


def test_a_claim_that_is_divided_is_two_claims_of_one_age():
    working_copy = a_claim_and_a_line_that_wants_it(wanted=2)

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 2)
    changes = working_copy.changes()

    assert [(one.id, one.line, one.quantity) for one in changes.changed_claims] == [(5, 1, 1)]
    assert [(one.allocation, one.claim.line, one.claim.quantity) for one in changes.divided_claims] == [(5, 2, 2)]
    assert [one.claim.seniority for one in changes.divided_claims] == [5]
    assert changes.changed_levels == []
    assert {one.id: one.allocation_status for one in changes.orders} == {1: PARTIALLY, 2: ALLOCATED}


def test_a_part_of_a_part_is_as_old_as_the_whole_was():
    working_copy = a_claim_and_a_line_that_wants_it()

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 2)
    (part,) = working_copy.claims_of(OrderId(2))
    working_copy.hand_over(part, LineId(1), 1)
    changes = working_copy.changes()

    assert [(one.allocation, one.claim.seniority, one.claim.line) for one in changes.divided_claims] == [
        (5, 5, 2),
        (5, 5, 1),
    ]


def test_a_part_that_ends_in_the_same_commit_ends_as_units_of_the_row_that_it_comes_from():
    working_copy = a_claim_and_a_line_that_wants_it()

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 2)
    (part,) = working_copy.claims_of(OrderId(2))
    working_copy.give_back(part, 2, AllocationEnd.DEALLOCATED, AllocationCause.DEALLOCATED)
    changes = working_copy.changes()

    assert [(one.allocation, one.claim.line, one.quantity) for one in changes.ended_claims] == [(5, 2, 2)]
    assert changes.divided_claims == []


def test_a_part_of_a_claim_of_the_same_commit_is_written_right_after_it():
    working_copy = batch([level(on_hand=5)], [order(1), order(2)], [line(CHAIR, 4), line(CHAIR, 2, number=2, order=2)])
    working_copy.take([Take(LineId(1), CHAIR, LEEDS, 3), Take(LineId(1), CHAIR, LEEDS, 1)])
    (first, _) = working_copy.claims_of(OrderId(1))

    working_copy.hand_over(first, LineId(2), 1)
    changes = working_copy.changes()

    assert [(one.line, one.quantity, one.seniority) for one in changes.new_claims] == [
        (1, 2, None),
        (2, 1, None),
        (1, 1, None),
    ]
    assert changes.divided_claims == []


def test_units_without_stock_behind_them_are_still_counted_once_after_they_were_handed_over():
    working_copy = a_claim_and_a_line_that_wants_it(on_hand=2, flagged=1)

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 2)
    changes = working_copy.changes()

    assert [one.overallocated for one in changes.changed_claims] == [0]
    assert [one.claim.overallocated for one in changes.divided_claims] == [1]
    assert {one.id: one.overallocated for one in changes.lines} == {1: 0, 2: 1}
    assert changes.changed_levels == []


def test_a_claim_takes_the_priority_of_the_order_that_it_goes_to():
    working_copy = a_claim_and_a_line_that_wants_it(on_hand=2, flagged=1, priority=7)

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 2)
    changes = working_copy.changes()

    assert [one.overallocated for one in changes.changed_claims] == [1]
    assert [one.claim.overallocated for one in changes.divided_claims] == [0]
    assert {one.id: one.allocation_status for one in changes.orders} == {1: OVERALLOCATED, 2: PARTIALLY}


def test_what_was_handed_over_is_no_weaker_than_before():
    working_copy = batch(
        [level(CHAIR, LEEDS, on_hand=2, committed=2)],
        [order(1), order(2), order(3)],
        [
            line(CHAIR, 1, number=1, order=1, allocated=1),
            line(CHAIR, 1, number=2, order=2, allocated=1),
            line(CHAIR, 1, number=3, order=3),
        ],
        [claim(9, order=1, line=1, seniority=3), claim(5, order=2, line=2)],
    )

    working_copy.hand_over(working_copy.claims[AllocationId(9)], LineId(3), 1)
    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 1), ADJUSTED)
    changes = working_copy.changes()

    assert [(one.id, one.overallocated) for one in changes.changed_claims] == [(9, 0), (5, 1)]


def test_events_of_both_orders_name_where_the_claim_was_handed_over():
    working_copy = a_claim_and_a_line_that_wants_it()

    working_copy.hand_over(working_copy.claims[AllocationId(5)], LineId(2), 3)
    changes = working_copy.changes()

    told = {event.order_id: event.locations for event in changes.events if isinstance(event, OrderChanged)}
    assert told == {1: ("LEEDS",), 2: ("LEEDS",)}
    assert [type(event) for event in changes.events if isinstance(event, StockLevelChanged)] == []


# ---------------------------------------------------------------- operations on a batch


def test_every_order_of_a_run_has_its_outcome_in_the_sequence_given():
    working_copy = batch(
        [level(on_hand=3)],
        [order(1), order(2)],
        [line(CHAIR, 2, number=1, order=1), line(CHAIR, 2, number=2, order=2)],
    )

    outcomes = run(working_copy, 2, 7, 1)

    assert [(one.index, one.order, one.before, one.after) for one in outcomes] == [
        (0, 2, UNALLOCATED, ALLOCATED),
        (1, 7, None, None),
        (2, 1, UNALLOCATED, PARTIALLY),
    ]
    assert [(one.quantity, one.allocated, one.short) for one in outcomes[2].lines] == [(2, 1, 1)]


def test_what_a_run_says_of_an_order_is_what_is_written():
    working_copy = batch(
        [level(on_hand=2, committed=3), level(TABLE, on_hand=1), level(LAMP)],
        [order(1), order(2), order(3)],
        [
            line(CHAIR, 2, number=1, order=1, allocated=2, looked_at=True),
            line(CHAIR, 1, number=2, order=2, allocated=1, overallocated=1, looked_at=True),
            line(TABLE, 1, number=3, order=2),
            line(LAMP, 1, number=4, order=3),
        ],
        [claim(1, 2), claim(2, 1, order=2, line=2, overallocated=1)],
    )

    outcomes = run(working_copy, 1, 2, 3)

    written = {one.id: one.allocation_status for one in working_copy.changes().orders}
    assert written == {2: PARTIALLY, 3: COULD_NOT}
    assert [(one.before, one.after) for one in outcomes] == [
        (ALLOCATED, ALLOCATED),
        (OVERALLOCATED, PARTIALLY),
        (UNALLOCATED, COULD_NOT),
    ]


def test_deallocating_gives_everything_back_and_lifts_the_flags_of_others():
    working_copy = two_orders(on_hand=2, flagged=1)

    (outcome,) = deallocate(working_copy, [("1", OrderId(1))])
    changes = working_copy.changes()

    assert (outcome.before, outcome.after) == (ALLOCATED, UNALLOCATED)
    assert [(one.line, one.quantity, one.locations) for one in outcome.lines] == [(1, 2, ((LEEDS, 2),))]
    assert {one.id: one.allocation_status for one in changes.orders} == {1: UNALLOCATED, 2: ALLOCATED}
    causes = {event.cause for event in changes.events if isinstance(event, AllocationStatusChanged)}
    assert causes == {AllocationCause.DEALLOCATED}


def test_of_several_who_share_a_batch_each_is_named_for_their_own_change():
    working_copy = two_orders()
    for actor, change in (("ann", OrderChange.EDITED), ("bob", OrderChange.RELEASED)):
        working_copy.actor = actor
        working_copy.note(OrderId(1), change)
    working_copy.actor = "counting"
    working_copy.change_level(working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", 2), ADJUSTED)
    working_copy.actor = "eve"
    working_copy.note(OrderId(1), OrderChange.SPLIT)
    changes = working_copy.changes()

    told = {one.order_id: one for one in changes.events if isinstance(one, OrderChanged)}
    (moved,) = [one for one in changes.events if isinstance(one, AllocationStatusChanged)]

    assert dict(zip(told[OrderId(1)].changes, told[OrderId(1)].actors, strict=True)) == {
        OrderChange.EDITED: "ann",
        OrderChange.RELEASED: "bob",
        OrderChange.SPLIT: "eve",
    }
    assert (told[OrderId(2)].actors, moved.actor) == (("counting",), "counting"), (
        "who took the stock, not who came last"
    )
