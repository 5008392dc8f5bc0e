"""Place, edit, finalize and void, on a working copy."""

import pytest

from domain.errors import NotFound, OrderNotInState, OrderVersionConflict, QuantityAlreadyShipped
from domain.ids import ItemId, LineId, OrderId, Sku
from domain.kinds import AllocationEnd, AllocationStatus, OrderChange, OrderStatus, ShippingPolicy
from domain.ordering import Edit, edit, expect_version, finalize, place, void
from domain.orders import NewLine, NewOrder, OrderTerms
from tests.builders import CHAIR, LEEDS, TABLE, YORK, batch, claim, level, line, order

ORDER = OrderId(1)
ITEMS: dict[Sku, ItemId] = {Sku("CHAIR"): CHAIR, Sku("TABLE"): TABLE}


def allocated_order(*, quantity=4, shipped=0, canceled=0, **more):
    """An order of chairs: two units are set aside in Leeds, then one in York."""
    return batch(
        [level(CHAIR, LEEDS, on_hand=2, committed=2), level(CHAIR, YORK, on_hand=9, committed=1)],
        [order(1, **more)],
        [line(CHAIR, quantity, allocated=3, shipped=shipped, canceled=canceled, looked_at=True)],
        [claim(1, 2), claim(2, 1, location=YORK)],
    )


def set_quantity(working_copy, quantity):
    edit(working_copy, ORDER, Edit(quantities=((LineId(1), quantity),)), [], ITEMS)
    return working_copy.changes()


def test_a_placed_order_starts_at_version_one_unallocated_with_its_lines_in_their_sequence():
    working_copy = batch()
    new = NewOrder(
        channel="SHOP",
        number="N1",
        lines=(NewLine(sku=Sku("TABLE"), quantity=2), NewLine(sku=Sku("CHAIR"), quantity=1)),
        terms=OrderTerms(shipping_policy=ShippingPolicy.SHIP_COMPLETE, priority=3),
    )

    place(working_copy, ORDER, [LineId(7), LineId(8)], ITEMS, new)
    changes = working_copy.changes()

    ((placed, _),) = changes.placed
    assert (placed.version, placed.allocation_status, placed.priority) == (1, AllocationStatus.UNALLOCATED, 3)
    assert placed.shipping_policy is ShippingPolicy.SHIP_COMPLETE
    lines = [(one.position, one.line.id, one.line.item, one.line.quantity) for one in changes.placed_lines]
    assert lines == [(0, 7, TABLE, 2), (1, 8, CHAIR, 1)]
    (event,) = changes.events
    assert (event.order_version, event.changes, event.skus) == (1, (OrderChange.PLACED,), ("TABLE", "CHAIR"))
    assert changes.orders == []


def test_a_line_that_shrinks_gives_back_its_latest_claims_first():
    changes = set_quantity(allocated_order(), 1)

    assert [(one.claim.id, one.quantity, one.reason) for one in changes.ended_claims] == [
        (2, 1, AllocationEnd.EDITED),
        (1, 1, AllocationEnd.EDITED),
    ]
    assert changes.gone_claims == [2]
    assert [(one.id, one.quantity) for one in changes.changed_claims] == [(1, 1)]
    assert [(one.location, one.committed) for one in changes.changed_levels] == [(LEEDS, 1), (YORK, 0)]
    assert [one.allocation_status for one in changes.orders] == [AllocationStatus.ALLOCATED]


def test_a_line_that_shrinks_to_what_it_holds_gives_nothing_back():
    changes = set_quantity(allocated_order(), 3)

    assert (changes.ended_claims, changes.changed_levels) == ([], [])
    assert [one.allocation_status for one in changes.orders] == [AllocationStatus.ALLOCATED]


def test_quantity_zero_cancels_what_is_open_and_leaves_the_quantity():
    changes = set_quantity(allocated_order(quantity=5, canceled=1), 0)

    (line,) = changes.lines
    assert (line.quantity, line.canceled, line.allocated, line.open) == (5, 5, 0, 0)
    assert [one.allocation_status for one in changes.orders] == [None]


def test_a_new_quantity_takes_back_what_was_canceled():
    changes = set_quantity(allocated_order(quantity=5, canceled=1), 4)

    (line,) = changes.lines
    assert (line.quantity, line.canceled, line.allocated) == (4, 0, 3)


def test_a_line_that_grew_has_not_been_looked_at_and_one_that_shrank_has():
    assert [one.looked_at for one in set_quantity(allocated_order(), 5).lines] == [False]
    assert [one.looked_at for one in set_quantity(allocated_order(), 3).lines] == [True]


def test_a_line_does_not_fall_below_what_was_shipped():
    with pytest.raises(QuantityAlreadyShipped) as refused:
        set_quantity(allocated_order(quantity=5, shipped=2), 1)

    assert refused.value.lines == (LineId(1),)
    assert [one.allocated for one in set_quantity(allocated_order(quantity=5, shipped=2), 2).lines] == [0]


def test_lines_that_are_not_the_orders_are_all_named():
    wanted = Edit(quantities=((LineId(5), 1), (LineId(1), 1), (LineId(6), 0)))

    with pytest.raises(NotFound) as refused:
        edit(allocated_order(), ORDER, wanted, [], ITEMS)

    assert refused.value.references == (5, 6)


def test_an_edit_that_changes_nothing_is_a_version_all_the_same():
    changes = set_quantity(allocated_order(), 4)

    assert changes.lines == []
    assert [one.version for one in changes.orders] == [2]
    assert [event.changes for event in changes.events] == [(OrderChange.EDITED,)]


def test_new_terms_reach_the_order_and_its_claims():
    working_copy = allocated_order()
    terms = OrderTerms(priority=9, shipping_policy=ShippingPolicy.SHIP_COMPLETE, tags=("vip",))

    edit(working_copy, ORDER, Edit(terms=terms), [], ITEMS)
    changes = working_copy.changes()

    assert changes.terms == {ORDER: terms}
    (changed,) = changes.orders
    assert (changed.priority, changed.shipping_policy) == (9, ShippingPolicy.SHIP_COMPLETE)
    assert {one.priority for one in working_copy.claims_of(ORDER)} == {9}


def test_a_draft_is_finalized_and_nothing_else_is():
    working_copy = batch([], [order(1, status=OrderStatus.DRAFT)], [line()])
    finalize(working_copy, ORDER)
    assert [one.status for one in working_copy.changes().orders] == [OrderStatus.FINALIZED]

    for status in (OrderStatus.FINALIZED, OrderStatus.FULFILLED, OrderStatus.VOID):
        with pytest.raises(OrderNotInState) as refused:
            finalize(batch([], [order(1, status=status)], [line()]), ORDER)
        assert refused.value.allowed == (OrderStatus.DRAFT,)


def test_a_void_order_holds_nothing_and_has_nothing_open():
    working_copy = allocated_order(quantity=5, shipped=1)

    void(working_copy, ORDER, "changed their mind")
    changes = working_copy.changes()

    (line,) = changes.lines
    assert (line.allocated, line.shipped, line.canceled, line.open) == (0, 1, 4, 0)
    assert [(one.claim.id, one.quantity, one.reason) for one in changes.ended_claims] == [
        (1, 2, AllocationEnd.CANCELED),
        (2, 1, AllocationEnd.CANCELED),
    ]
    assert changes.void_reasons == {ORDER: "changed their mind"}
    assert [(one.status, one.allocation_status) for one in changes.orders] == [(OrderStatus.VOID, None)]


@pytest.mark.parametrize("status", [OrderStatus.FULFILLED, OrderStatus.VOID])
def test_an_order_that_is_over_is_neither_voided_nor_edited(status):
    with pytest.raises(OrderNotInState):
        void(allocated_order(status=status), ORDER, "late")
    with pytest.raises(OrderNotInState):
        set_quantity(allocated_order(status=status), 1)


def test_a_version_that_was_expected_has_to_be_the_orders():
    working_copy = allocated_order(version=4)

    expect_version(working_copy, ORDER, None)
    expect_version(working_copy, ORDER, 4)
    with pytest.raises(OrderVersionConflict):
        expect_version(working_copy, ORDER, 3)
