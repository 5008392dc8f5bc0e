"""The life cycle of an order: only the moves of the table happen, and the page in docs shows them."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeAlias

import pytest

from docs.make_life_cycles import PAGE, PICTURES, allocation_edges, page
from domain import allocating, ordering
from domain.allocating import OrderToAllocate
from domain.batch import Batch
from domain.errors import OrderNotInState
from domain.ids import LineId, OrderId
from domain.kinds import OrderStatus
from domain.orders import ALLOCATABLE, EDITABLE, TRANSITIONS, states_that_allow
from tests.builders import CHAIR, batch, level, line, order

ORDER = OrderId(1)
Do: TypeAlias = Callable[[Batch], Iterable[allocating.OrderOutcome] | None]

MOVES: dict[str, Do] = {
    "finalizeOrder": lambda batch: ordering.finalize(batch, ORDER),
    "voidOrder": lambda batch: ordering.void(batch, ORDER, "changed their mind"),
}
OTHERS: dict[str, tuple[tuple[OrderStatus, ...], Do]] = {
    "editOrder": (
        EDITABLE,
        lambda batch: ordering.edit(batch, ORDER, ordering.Edit(quantities=((LineId(1), 2),)), [], {}),
    ),
    "allocateOrders": (
        ALLOCATABLE,
        lambda batch: allocating.allocate(batch, [OrderToAllocate(reference="1", order=ORDER)]),
    ),
    "deallocateOrders": (ALLOCATABLE, lambda batch: allocating.deallocate(batch, [("1", ORDER)])),
}


def an_order(status: OrderStatus) -> Batch:
    return batch([level(CHAIR, on_hand=5)], [order(status=status)], [line(CHAIR, 1)])


def refusal(do: Do, working_copy: Batch) -> OrderNotInState | None:
    """Raised, or told as the outcome of the order."""
    try:
        outcomes = do(working_copy) or ()
    except OrderNotInState as refused:
        return refused
    return next((one.refusal for one in outcomes if isinstance(one.refusal, OrderNotInState)), None)


def test_the_table_has_a_row_for_every_status_and_an_operation_for_every_move():
    assert set(TRANSITIONS) == set(OrderStatus)
    # Delivering moves a fulfillment, and its order only with the last one: see test_fulfilling.py.
    assert {operation for moves in TRANSITIONS.values() for operation in moves} == {*MOVES, "deliverFulfillment"}


@pytest.mark.parametrize(("status", "operation"), list(product(OrderStatus, MOVES)))
def test_an_order_moves_along_the_table_and_is_refused_everything_else(status: OrderStatus, operation: str):
    working_copy = an_order(status)
    target = TRANSITIONS[status].get(operation)

    refused = refusal(MOVES[operation], working_copy)

    if target is None:
        assert refused is not None
        assert (refused.order, refused.allowed) == (ORDER, states_that_allow(operation))
        assert working_copy.orders[ORDER].status is status
        assert working_copy.changes().events == []
    else:
        assert refused is None
        assert working_copy.orders[ORDER].status is target


@pytest.mark.parametrize(("status", "operation"), list(product(OrderStatus, OTHERS)))
def test_an_operation_that_leaves_the_status_alone_happens_only_where_it_is_allowed(
    status: OrderStatus, operation: str
):
    working_copy = an_order(status)
    allowed, do = OTHERS[operation]

    refused = refusal(do, working_copy)

    assert (refused is None) == (status in allowed)
    assert working_copy.orders[ORDER].status is status
    if refused:
        assert refused.allowed == allowed
        assert working_copy.changes().events == []


def test_every_move_of_the_allocation_status_has_a_cause_that_some_picture_shows():
    shown = {cause for causes in PICTURES.values() for cause in causes}

    assert {cause for causes in allocation_edges(2).values() for cause in causes} <= shown


def test_the_page_about_life_cycles_is_what_the_script_writes():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `.venv/bin/python docs/make_life_cycles.py`"
