"""Delivered against promised, and what the warehouse has to do for an order."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from domain.kinds import AllocationStatus, FulfillmentState, OrderNeed, OrderStatus, PaymentStatus
from domain.promises import came_in_time, is_late, need_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINALIZED, FULFILLED, DRAFT, VOID = (
    OrderStatus.FINALIZED,
    OrderStatus.FULFILLED,
    OrderStatus.DRAFT,
    OrderStatus.VOID,
)


@pytest.mark.parametrize(
    ("status", "promised", "delivered", "on_time", "late"),
    [
        (FINALIZED, None, None, None, False),
        (FINALIZED, NOON + HOUR, None, None, False),
        (FINALIZED, NOON - HOUR, None, None, True),
        (FULFILLED, NOON - HOUR, NOON - HOUR, True, False),
        (FULFILLED, NOON - HOUR, NOON - 2 * HOUR, True, False),
        (FULFILLED, NOON - HOUR, NOON, False, True),
        (FULFILLED, None, NOON, None, False),
        (DRAFT, NOON - HOUR, None, None, False),
        (VOID, NOON - HOUR, None, None, False),
    ],
)
def test_l9_late_is_what_came_after_the_promise_or_is_not_there_by_then(status, promised, delivered, on_time, late):
    assert came_in_time(status, promised, delivered) is on_time
    assert is_late(status, promised, delivered, NOON) is late


def test_c7_what_is_paid_and_set_aside_is_to_be_picked_and_what_is_packed_to_be_shipped():
    state, paid, done = FulfillmentState, PaymentStatus.PAID, AllocationStatus.ALLOCATED

    assert need_of(FINALIZED, done, paid, [], held=False) is OrderNeed.PICK_AND_PACK
    assert need_of(FINALIZED, done, paid, [], held=True) is None
    assert need_of(FINALIZED, done, PaymentStatus.PARTIALLY_PAID, [], held=False) is None
    assert need_of(FINALIZED, AllocationStatus.PARTIALLY_ALLOCATED, paid, [], held=False) is None
    assert need_of(FINALIZED, done, paid, [state.PACKED], held=False) is OrderNeed.SHIP
    assert need_of(FINALIZED, done, paid, [state.PACKED, state.PICKING], held=False) is OrderNeed.PICK_AND_PACK
    assert need_of(FINALIZED, None, paid, [state.SHIPPED], held=False) is None


def test_c7_nothing_is_to_be_done_for_an_order_that_is_no_longer_or_not_yet_one():
    for status, allocation, payment in product((DRAFT, FULFILLED, VOID), [None, *AllocationStatus], PaymentStatus):
        for states in ([], *([state] for state in FulfillmentState)):
            assert need_of(status, allocation, payment, states, held=False) is None
