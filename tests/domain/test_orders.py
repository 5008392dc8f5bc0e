"""The one function that computes every allocation status."""

import pytest

from domain.kinds import AllocationStatus, OrderStatus
from domain.orders import (
    ALLOCATABLE,
    EDITABLE,
    TRANSITIONS,
    allocation_status,
    line_allocation_status,
    states_that_allow,
)
from tests.builders import TABLE, line

DRAFT, FINALIZED, FULFILLED, VOID = OrderStatus
UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


def of(quantity, allocated=0, overallocated=0, **more):
    return line(TABLE, quantity, allocated=allocated, overallocated=overallocated, **more)


CASES = {
    "no run has looked at it": ([of(2)], UNALLOCATED),
    "a run has looked at it and found nothing": ([of(2, looked_at=True)], COULD_NOT),
    "a run has looked at one of two lines": ([of(2), of(1, looked_at=True)], COULD_NOT),
    "some units of a line": ([of(2, 1, looked_at=True)], PARTIALLY),
    "one of two lines": ([of(2, 2), of(1)], PARTIALLY),
    "all units": ([of(2, 2, looked_at=True)], ALLOCATED),
    "all units of all lines": ([of(2, 2), of(1, 1)], ALLOCATED),
    "all units, one without stock behind it": ([of(2, 2, 1)], OVERALLOCATED),
    "some units, one without stock behind it": ([of(2, 1, 1), of(1)], OVERALLOCATED),
    "one line is fine and the other overallocated": ([of(2, 2), of(1, 1, 1)], OVERALLOCATED),
    "nothing is open": ([of(2, canceled=2)], None),
    "everything has shipped": ([of(2, shipped=2), of(1, dropshipped=1)], None),
    "there is no line": ([], None),
    "what is open is set aside and the rest has shipped": ([of(5, 2, shipped=3)], ALLOCATED),
    "what is open waits and the rest is canceled": ([of(5, canceled=3)], UNALLOCATED),
    "a run has looked at a line that is no longer open": ([of(2), of(1, canceled=1, looked_at=True)], UNALLOCATED),
    "a line that is open is set aside beside one that is not open": ([of(2, 2), of(1, shipped=1)], ALLOCATED),
}


@pytest.mark.parametrize(("lines", "expected"), CASES.values(), ids=CASES)
def test_the_allocation_status_is_read_from_what_is_open(lines, expected):
    assert allocation_status(FINALIZED, lines) is expected
    assert allocation_status(FINALIZED, lines[::-1]) is expected


@pytest.mark.parametrize("status", [FINALIZED, FULFILLED, DRAFT])
def test_the_state_of_an_order_does_not_change_what_its_lines_say(status):
    assert allocation_status(status, [of(2, 2)]) is ALLOCATED
    assert allocation_status(status, [of(2)]) is UNALLOCATED


@pytest.mark.parametrize(("lines", "_"), CASES.values(), ids=CASES)
def test_a_void_order_has_no_allocation_status(lines, _):
    assert allocation_status(VOID, lines) is None


def test_a_line_has_the_status_of_an_order_of_this_line():
    assert line_allocation_status(FINALIZED, of(2, 1)) is PARTIALLY
    assert line_allocation_status(FINALIZED, of(2, shipped=2)) is None


def test_what_is_open_is_neither_shipped_nor_canceled_nor_dropshipped():
    assert of(9, shipped=1, canceled=2, dropshipped=3).open == 3


def test_an_operation_is_allowed_in_the_states_that_its_edges_leave():
    assert states_that_allow("finalizeOrder") == (DRAFT,)
    assert states_that_allow("voidOrder") == (DRAFT, FINALIZED)
    assert states_that_allow("nothing") == ()


def test_o2_only_finalized_orders_are_allocated_and_only_undecided_ones_are_edited():
    assert ALLOCATABLE == (FINALIZED,)
    assert EDITABLE == (DRAFT, FINALIZED)


def test_i15_every_state_has_a_row_and_the_last_ones_have_no_way_out():
    assert set(TRANSITIONS) == set(OrderStatus)
    assert (TRANSITIONS[FULFILLED], TRANSITIONS[VOID]) == ({}, {})
