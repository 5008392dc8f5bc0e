"""Carts in memory: what they hold, what becomes of it, and that they end once."""

from itertools import product

import pytest

from domain import reserving
from domain.errors import InsufficientStock, ReservationEnded
from domain.events import AllocationStatusChanged, StockLevelChanged
from domain.ids import AllocationId, LineId, OrderId, ReservationId, ReservedLineId
from domain.kinds import AllocationCause, AllocationEnd, AllocationStatus, ReservationState
from domain.reservations import TRANSITIONS
from domain.sourcing import Sourcing
from tests.builders import CHAIR, LAMP, LEEDS, RANKS, TABLE, YORK, batch, cart, cart_claim, claim, level, line, order

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
CART, ORDER = ReservationId(1), OrderId(1)


def reserve(working_copy, wanted, ranks=RANKS, sourcing=None):
    ids = [ReservedLineId(number) for number in range(1, len(wanted) + 1)]
    working_copy.sourcing = {} if sourcing is None else {"web": sourcing}
    reserving.reserve(working_copy, CART, ids, wanted, 60, ranks, "web")


def a_cart(*, on_hand=5, state=ReservationState.ACTIVE, is_due=False, wanted=3, **more):
    """A cart with two chairs in Leeds and two in York; an order, just placed, that wants chairs."""
    return batch(
        [level(CHAIR, LEEDS, on_hand=on_hand, committed=2), level(CHAIR, YORK, on_hand=2, committed=2)],
        [order(**more)],
        [line(CHAIR, wanted)],
        [cart_claim(7, 2), cart_claim(8, 2, location=YORK)],
        [cart(state=state, is_due=is_due)],
    )


def test_a_cart_is_served_like_an_order_and_counts_in_committed():
    working_copy = batch([level(CHAIR, LEEDS, on_hand=2), level(CHAIR, YORK, on_hand=5), level(LAMP, on_hand=1)])

    reserve(working_copy, {CHAIR: 3, LAMP: 1})
    changes = working_copy.changes()

    assert [(one.item, one.location, one.quantity) for one in changes.new_claims] == [
        (CHAIR, LEEDS, 2),
        (CHAIR, YORK, 1),
        (LAMP, LEEDS, 1),
    ]
    assert [(one.committed, one.version) for one in changes.changed_levels] == [(2, 2), (1, 2), (1, 2)]
    assert [type(event) for event in changes.events] == [StockLevelChanged] * 3
    ((new),) = changes.new_reservations
    assert [(one.item, one.quantity) for one in new.lines] == [(CHAIR, 3), (LAMP, 1)]


def test_what_is_short_is_named_over_the_locations_that_may_be_used():
    working_copy = batch(
        [level(CHAIR, LEEDS, on_hand=3, committed=1), level(CHAIR, YORK, on_hand=2), level(LAMP, on_hand=1)]
    )

    for places, sourcing, found in (
        (RANKS, None, (5, 4)),
        ({YORK: 1}, None, (2, 2)),
        (RANKS, Sourcing(locations=frozenset([LEEDS])), (3, 2)),
        (RANKS, Sourcing(split_lines=False), (5, 2)),
    ):
        with pytest.raises(InsufficientStock) as refused:
            reserve(working_copy, {LAMP: 1, CHAIR: 5, TABLE: 1}, places, sourcing)
        told = {one.sku: (one.on_hand, one.available) for one in refused.value.shortages}
        assert (told["CHAIR"], told["TABLE"]) == (found, (0, 0))
    assert working_copy.changes().events == []


def test_a_cart_that_is_taken_over_moves_no_level():
    working_copy = a_cart(wanted=4)

    reserving.take_over(working_copy, CART, ORDER)
    changes = working_copy.changes()

    assert changes.changed_levels == []
    assert [(one.id, one.line, one.quantity) for one in changes.changed_claims] == [(7, 1, 2), (8, 1, 2)]
    assert [(one.state, one.order) for one in changes.ended_reservations] == [(ReservationState.TAKEN_OVER, ORDER)]
    assert working_copy.status_of(ORDER) is ALLOCATED
    (moved,) = [event for event in changes.events if isinstance(event, AllocationStatusChanged)]
    assert (moved.cause, moved.locations) == (AllocationCause.STOCK_RESERVATION, ("LEEDS", "YORK"))


def test_what_the_order_does_not_want_is_given_back_from_the_youngest_claim():
    working_copy = a_cart(wanted=3)

    reserving.take_over(working_copy, CART, ORDER)
    changes = working_copy.changes()

    assert [(one.allocation, one.claim.quantity) for one in changes.divided_claims] == [(8, 1)]
    assert [(one.allocation, one.claim.reserved_line, one.quantity, one.reason) for one in changes.ended_claims] == [
        (8, 1, 1, AllocationEnd.RELEASED)
    ]
    assert changes.gone_claims == [AllocationId(8)]
    assert [(one.location, one.committed) for one in changes.changed_levels] == [(YORK, 1)]
    assert changes.replenished == {CHAIR}


def test_an_order_that_wants_nothing_of_the_cart_was_looked_at_all_the_same():
    working_copy = batch([level(CHAIR, on_hand=1, committed=1)], [order()], [line(LAMP, 1)], [cart_claim()], [cart()])

    reserving.take_over(working_copy, CART, ORDER)

    assert working_copy.status_of(ORDER) is COULD_NOT
    assert working_copy.levels[CHAIR, LEEDS].committed == 0


def test_a_cart_that_ends_lifts_the_flags_of_others_and_replenishes():
    working_copy = batch(
        [level(CHAIR, on_hand=2, committed=3)],
        [order()],
        [line(CHAIR, 1, allocated=1, overallocated=1)],
        [cart_claim(1, 2), claim(2, overallocated=1)],
        [cart()],
    )

    reserving.release(working_copy, CART)
    changes = working_copy.changes()

    assert [(one.id, one.allocation_status) for one in changes.orders] == [(1, ALLOCATED)]
    assert changes.replenished == {CHAIR}
    assert [one.state for one in changes.ended_reservations] == [ReservationState.RELEASED]


def test_a_shortage_reaches_a_cart_by_its_age_and_orders_by_their_priority_before_it():
    working_copy = batch(
        [level(CHAIR, on_hand=3, committed=3)],
        [order(1, priority=-1), order(2, priority=1)],
        [line(CHAIR, 1, number=1, order=1, allocated=1), line(CHAIR, 1, number=2, order=2, allocated=1)],
        [claim(1, order=1, line=1, priority=-1), claim(2, order=2, line=2, priority=1), cart_claim(3)],
        [cart()],
    )

    for left, flagged in ((2, [1]), (1, [1, 3]), (0, [1, 2, 3])):
        working_copy.change_level(
            working_copy.levels[CHAIR, LEEDS].with_quantity("on_hand", left), AllocationCause.STOCK_ADJUSTED
        )
        working_copy.settle()
        assert sorted(one.id for one in working_copy.claims.values() if one.overallocated) == flagged


def test_only_active_carts_whose_time_is_over_expire():
    working_copy = batch(
        [level(CHAIR, on_hand=5, committed=2)],
        claims=[cart_claim(1, cart=1), cart_claim(2, cart=2, line=2)],
        reservations=[cart(1, is_due=True), cart(2), cart(3, state=ReservationState.RELEASED, is_due=True)],
    )

    assert reserving.expire(working_copy, [ReservationId(number) for number in (1, 2, 3)]) == 1

    assert [(one.id, one.state) for one in working_copy.changes().ended_reservations] == [(1, ReservationState.EXPIRED)]
    assert sorted(working_copy.claims) == [2]


ENDINGS = {
    "placeOrder": lambda working_copy: reserving.take_over(working_copy, CART, ORDER),
    "releaseReservation": lambda working_copy: reserving.release(working_copy, CART),
    "its time is over": lambda working_copy: reserving.expire(working_copy, [CART]),
}


@pytest.mark.parametrize(("state", "ending"), list(product(ReservationState, ENDINGS)))
def test_i11_a_reservation_moves_along_the_table_and_ends_once(state, ending):
    working_copy = a_cart(state=state, is_due=ending == "its time is over")
    if state is not ReservationState.ACTIVE:
        working_copy = batch([], [order()], [line(CHAIR, 1)], [], [cart(state=state)])
    target = TRANSITIONS[state].get(ending)

    if target is None and ending != "its time is over":
        with pytest.raises(ReservationEnded) as refused:
            ENDINGS[ending](working_copy)
        assert refused.value.state is state
    else:
        ENDINGS[ending](working_copy)
    assert [one.state for one in working_copy.changes().ended_reservations] == ([target] if target else [])


@pytest.mark.parametrize("ending", ["placeOrder", "releaseReservation"])
def test_a_cart_whose_time_is_over_has_expired_whoever_has_noticed(ending):
    with pytest.raises(ReservationEnded) as refused:
        ENDINGS[ending](a_cart(is_due=True))

    assert refused.value.state is ReservationState.EXPIRED


def test_a_line_of_an_order_gets_what_it_wants_of_its_own_sku_alone():
    working_copy = batch(
        [level(CHAIR, on_hand=2, committed=2), level(LAMP, on_hand=2, committed=2)],
        [order()],
        [line(LAMP, 1, number=1), line(CHAIR, 1, number=2), line(LAMP, 3, number=3)],
        [cart_claim(1, 2, line=1), cart_claim(2, 2, item=LAMP, line=2)],
        [cart()],
    )

    reserving.take_over(working_copy, CART, ORDER)

    assert [working_copy.lines[LineId(number)].allocated for number in (1, 2, 3)] == [1, 1, 1]
    assert (working_copy.levels[CHAIR, LEEDS].committed, working_copy.levels[LAMP, LEEDS].committed) == (1, 2)
