"""Supplies: what may happen to them, and what that does to the stock."""

from dataclasses import replace
from itertools import product

import pytest

from domain import supply as rules
from domain import supplying
from domain.errors import InsufficientStock, InvalidInput, SupplyNotInState
from domain.events import AllocationStatusChanged, SupplyChanged
from domain.ids import SupplyId
from domain.kinds import AllocationCause, MovementCause, SupplyKind, SupplyState
from domain.stock import QUANTITY_MAX
from domain.supply import TRANSITIONS, Supply, SupplyLine
from tests.builders import CHAIR, LEEDS, LOCATIONS, NOON, SKUS, TABLE, YORK, batch, claim, level, line, order

LATER = NOON.replace(hour=18)
PO = Supply(
    id=SupplyId(1),
    reference="PO 7",
    location=LEEDS,
    expected_at=NOON,
    lines=(SupplyLine(item=CHAIR, quantity=5), SupplyLine(item=TABLE, quantity=2)),
    version=1,
)
TRANSFER = replace(
    PO,
    reference="T 1",
    kind=SupplyKind.TRANSFER,
    location=YORK,
    from_location=LEEDS,
    lines=(SupplyLine(item=CHAIR, quantity=5),),
)
MOVES = {
    "rescheduleSupply": lambda supply: rules.reschedule(supply, LATER),
    "receiveStock": lambda supply: rules.receive(supply, {line.item: line.quantity for line in supply.lines}),
    "closeSupply": lambda supply: rules.close(supply, "enough"),
    "cancelSupply": lambda supply: rules.cancel(supply, "no"),
}
FIELDS = ("quantity", "received", "canceled", "lost", "open")


def counts(supply):
    """Announced, received, canceled, lost and open units of each line."""
    return [tuple(getattr(one, name) for name in FIELDS) for one in supply.lines]


def knowing(supply, *levels, **more):
    """A working copy that has the supply."""
    working_copy = batch(levels, **more)
    working_copy.supplies[supply.id] = working_copy.supplies_before[supply.id] = supply
    return working_copy


def ledger(changes):
    return [(SKUS[one.item], LOCATIONS[one.location].code, one.change, one.balance, one.cause) for one in changes]


# ---------------------------------------------------------------- the rules


def test_the_table_has_a_row_for_every_state_and_an_operation_for_every_move():
    assert set(TRANSITIONS) == set(SupplyState)
    assert {operation for moves in TRANSITIONS.values() for operation in moves} == set(MOVES)


@pytest.mark.parametrize(("state", "operation"), list(product(SupplyState, MOVES)))
def test_a_supply_moves_along_the_table_and_is_refused_everything_else(state, operation):
    supply = replace(PO, state=state)
    target = TRANSITIONS[state].get(operation)

    if target is not None:
        assert MOVES[operation](supply).state is target
    else:
        with pytest.raises(SupplyNotInState) as refused:
            MOVES[operation](supply)
        assert (refused.value.supply, refused.value.allowed) == (PO.id, (SupplyState.EXPECTED,))


def test_a_supply_is_expected_until_nothing_of_it_is_open():
    some = rules.receive(PO, {CHAIR: 5})
    all_of_it = rules.receive(some, {TABLE: 2})

    assert (some.state, some.open) == (SupplyState.EXPECTED, {TABLE: 2})
    assert (all_of_it.state, all_of_it.open) == (SupplyState.RECEIVED, {})


def test_more_may_arrive_than_was_announced_and_fills_no_other_line():
    more = rules.receive(PO, {CHAIR: 9})

    assert counts(more) == [(5, 9, 0, 0, 0), (2, 0, 0, 0, 2)]
    assert more.state is SupplyState.EXPECTED


def test_a_line_counts_no_more_than_a_quantity_can_hold():
    with pytest.raises(InvalidInput):
        rules.receive(rules.receive(PO, {CHAIR: QUANTITY_MAX}), {CHAIR: 1})


def test_what_has_not_come_of_a_supply_that_is_canceled_is_canceled():
    assert counts(rules.cancel(rules.receive(PO, {CHAIR: 2}), "no")) == [(5, 2, 3, 0, 0), (2, 0, 2, 0, 0)]


def test_what_is_missing_when_a_supply_is_closed_was_never_ours_or_is_lost():
    assert counts(rules.close(rules.receive(PO, {CHAIR: 6}), "no")) == [(5, 6, 0, 0, 0), (2, 0, 2, 0, 0)]
    assert counts(rules.close(rules.receive(TRANSFER, {CHAIR: 2}), "no")) == [(5, 2, 0, 3, 0)]


def test_the_same_date_again_changes_nothing():
    assert rules.reschedule(PO, NOON) is PO


# ---------------------------------------------------------------- on the working copy


def test_every_level_that_a_supply_will_fill_is_there_from_the_announcement_on():
    working_copy = batch([level(CHAIR, on_hand=1)])

    supplying.expect(working_copy, replace(PO, version=0))
    changes = working_copy.changes()

    assert [(one.item, one.on_hand) for one in changes.new_levels] == [(TABLE, 0)]
    assert changes.changed_levels == changes.movements == []
    assert [(one.reference, one.version) for one in changes.new_supplies] == [("PO 7", 1)]
    (event,) = [one for one in changes.events if isinstance(one, SupplyChanged)]
    assert (event.state, event.expected_at, event.expected_at_before) == (SupplyState.EXPECTED, NOON, None)
    assert (event.skus, event.location_code, event.locations) == (("CHAIR", "TABLE"), "LEEDS", ("LEEDS",))


def test_a_slipped_date_is_told_with_the_date_before():
    working_copy = knowing(PO)

    supplying.reschedule(working_copy, PO.id, LATER)
    changes = working_copy.changes()

    assert [(one.expected_at, one.version) for one in changes.changed_supplies] == [(LATER, 2)]
    assert changes.changed_supply_lines == []
    (event,) = changes.events
    assert (event.supply_version, event.expected_at_before, event.expected_at) == (2, NOON, LATER)


def test_a_date_that_stays_is_no_event():
    working_copy = knowing(PO)

    supplying.reschedule(working_copy, PO.id, NOON)

    assert working_copy.changes().events == []


def test_received_units_are_on_hand_and_counted_against_the_supply_which_the_ledger_names():
    working_copy = knowing(PO, level(CHAIR, on_hand=1))

    keys = supplying.receive(working_copy, PO.id, {TABLE: 3, CHAIR: 2}, None)
    changes = working_copy.changes()

    assert keys == ((TABLE, LEEDS), (CHAIR, LEEDS))
    assert ledger(changes.movements) == [
        ("TABLE", "LEEDS", 3, 3, MovementCause.RECEIVED),
        ("CHAIR", "LEEDS", 2, 3, MovementCause.RECEIVED),
    ]
    assert {(one.supply, one.reference) for one in changes.movements} == {(PO.id, "PO 7")}
    assert counts(changes.changed_supplies[0]) == [(5, 2, 0, 0, 3), (2, 3, 0, 0, 0)]


def test_a_transfer_takes_units_off_where_they_are_and_puts_none_where_they_go():
    working_copy = batch([level(CHAIR, on_hand=8)])

    keys = supplying.start_transfer(working_copy, replace(TRANSFER, version=0))
    changes = working_copy.changes()

    assert keys == ((CHAIR, LEEDS),)
    assert ledger(changes.movements) == [("CHAIR", "LEEDS", -5, 3, MovementCause.TRANSFER_OUT)]
    assert [(one.location, one.on_hand) for one in changes.new_levels] == [(YORK, 0)]


@pytest.mark.parametrize("set_apart", ["damaged", "quality_control"])
def test_only_units_that_are_fit_are_sent(set_apart):
    working_copy = batch([level(CHAIR, on_hand=8, **{set_apart: 4})])

    with pytest.raises(InsufficientStock) as refused:
        supplying.start_transfer(working_copy, replace(TRANSFER, version=0))

    (shortage,) = refused.value.shortages
    assert (shortage.requested, shortage.on_hand) == (5, 8)
    assert working_copy.changes().events == []


def test_a_transfer_that_takes_stock_from_under_a_claim_makes_it_overallocated_and_says_why():
    working_copy = batch(
        [level(CHAIR, on_hand=8, committed=6)], [order()], [line(CHAIR, 6, allocated=6)], [claim(quantity=6)]
    )

    supplying.start_transfer(working_copy, replace(TRANSFER, version=0))

    (event,) = [one for one in working_copy.changes().events if isinstance(one, AllocationStatusChanged)]
    assert (event.after, event.cause) == ("OVERALLOCATED", AllocationCause.STOCK_TRANSFERRED)


def test_what_arrives_of_a_transfer_beyond_what_was_sent_was_found():
    working_copy = knowing(rules.receive(TRANSFER, {CHAIR: 3}), level(CHAIR, YORK, on_hand=3))

    keys = supplying.receive(working_copy, TRANSFER.id, {CHAIR: 4}, "gate 2")
    changes = working_copy.changes()

    assert keys == ((CHAIR, YORK),)
    assert ledger(changes.movements) == [
        ("CHAIR", "YORK", 2, 5, MovementCause.TRANSFER_IN),
        ("CHAIR", "YORK", 2, 7, MovementCause.FOUND),
    ]
    assert [one.on_hand for one in changes.changed_levels] == [7]
    assert {one.reference for one in changes.movements} == {"gate 2"}


def test_what_is_in_transit_of_a_canceled_transfer_is_back_where_it_was():
    working_copy = knowing(rules.receive(TRANSFER, {CHAIR: 2}), level(CHAIR, LEEDS), level(CHAIR, YORK, on_hand=2))

    supplying.cancel(working_copy, TRANSFER.id, "the road is closed")
    changes = working_copy.changes()

    assert ledger(changes.movements) == [("CHAIR", "LEEDS", 3, 3, MovementCause.TRANSFER_CANCELED)]
    assert changes.replenished == {CHAIR}
    assert counts(changes.changed_supplies[0]) == [(5, 2, 3, 0, 0)]


def test_what_is_missing_of_a_closed_transfer_is_in_the_ledger_as_arrived_and_lost():
    working_copy = knowing(TRANSFER, level(CHAIR, YORK, on_hand=2))

    supplying.close(working_copy, TRANSFER.id, "the lorry burnt down")
    changes = working_copy.changes()

    assert ledger(changes.movements) == [
        ("CHAIR", "YORK", 5, 7, MovementCause.TRANSFER_IN),
        ("CHAIR", "YORK", -5, 2, MovementCause.LOSS),
    ]
    assert changes.changed_levels == []
    assert [type(one) for one in changes.events] == [SupplyChanged]


@pytest.mark.parametrize("end", [supplying.cancel, supplying.close])
def test_a_purchase_order_that_ends_moves_no_stock(end):
    working_copy = knowing(PO, level(CHAIR, on_hand=2))

    end(working_copy, PO.id, "enough")

    changes = working_copy.changes()
    assert changes.movements == changes.changed_levels == []
    assert changes.changed_supplies[0].reason == "enough"
