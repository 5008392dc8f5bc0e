"""Returns: what can come back, every move of the table and every other one, and what becomes of each unit."""

from datetime import UTC, datetime
from itertools import count, product

import pytest

from domain import fulfilling, ordering, packing, picking, releasing, returning, shipping
from domain.actions import ReturnAction, return_actions
from domain.batch import Batch
from domain.errors import (
    DomainError,
    InvalidInput,
    NothingDelivered,
    QuantityAlreadyShipped,
    QuantityNotReturnable,
    ReturnNotInState,
)
from domain.events import FulfillmentChanged, OrderChanged, PickTasksChanged, ReturnChanged
from domain.fulfillments import Shipping
from domain.ids import LineId, OrderId
from domain.kinds import (
    AllocationCause,
    AllocationStatus,
    FollowUpOutcome,
    FulfillmentState,
    InspectionOutcome,
    MovementCause,
    OrderChange,
    OrderStatus,
    ReturnReason,
    ReturnState,
    StockQuantity,
)
from domain.picking import Pick
from domain.returning import Judged, WantedBack
from domain.returns import TRANSITIONS, came_back, returnable, state_of, states_that_allow
from domain.stocking import StockChange, apply
from tests.builders import CHAIR, LEEDS, YORK, warehouse
from tests.domain.refused import unchanged

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FIRST, LINE = OrderId(1), LineId(1)
RESELL, QUARANTINE, DISCARD = InspectionOutcome
State = ReturnState
IDS = count(2_000)


def shipped(units=3, *, on_hand=5, deliver=True, **more):
    """A chair shop whose first order has got its units, or (with `deliver` False) will get them soon."""
    batch = committed(send(warehouse((1, LEEDS, units), on_hand={LEEDS: on_hand}, **more)))
    if deliver:
        shipping.deliver(batch, batch.floor.of(FIRST)[0].id, None)
    return committed(batch)


def send(batch):
    """The first order leaves."""
    (made,) = releasing.release(batch, FIRST, NOW)
    for task in list(batch.floor.tasks.values()):
        picking.record_pick(batch, Pick(task=task.id, quantity=task.missing), NOW)
    packing.pack(batch, made, [packing.NewParcel()])
    shipping.ship(batch, made, Shipping(), {}, None)
    return batch


def committed(batch):
    """The next transaction's working copy."""
    batch.settle()
    following = Batch(batch.facts(), actor="Ann", request="a test")
    following.floor.ids = IDS
    return following


def ask(batch, units=2, reason=ReturnReason.UNWANTED, *, at=LEEDS):
    return returning.request(batch, FIRST, at, [WantedBack(line=LINE, quantity=units, reason=reason)])


def line_of(batch, one):
    return batch.returns[one].lines[0].id


def receive(batch, one, units=None):
    returning.receive(batch, one, None if units is None else {line_of(batch, one): units})


def inspect(batch, one, units, outcome=RESELL, at=None):
    returning.inspect(batch, one, [Judged(line=line_of(batch, one), quantity=units, outcome=outcome, location=at)])
    batch.settle()


def level(batch, at=LEEDS):
    return batch.levels[CHAIR, at]


# ---------------------------------------------------------------- what can come back


def test_l11_what_has_left_can_come_back_once_and_not_a_unit_more():
    batch = shipped(3)
    ask(batch, 2)

    refused = unchanged(batch, QuantityNotReturnable, lambda: ask(batch, 2))

    (told,) = refused.lines
    assert (told.line, told.requested, told.returnable) == (LINE, 2, 1)
    ask(batch, 1)
    assert returnable(batch.floor.of(FIRST), batch.returns_of(FIRST)) == {}


def test_l11_the_same_line_for_two_reasons_counts_as_its_sum():
    batch = shipped(3)
    wanted = [
        WantedBack(line=LINE, quantity=2, reason=ReturnReason.DAMAGED),
        WantedBack(line=LINE, quantity=2, reason=ReturnReason.UNWANTED),
    ]

    refused = unchanged(batch, QuantityNotReturnable, lambda: returning.request(batch, FIRST, LEEDS, wanted))

    assert [(one.requested, one.returnable) for one in refused.lines] == [(4, 3)]


def test_l11_what_has_not_left_cannot_come_back_and_what_is_on_its_way_can():
    packed = warehouse((1, LEEDS, 3), on_hand={LEEDS: 5})
    releasing.release(packed, FIRST, NOW)
    assert unchanged(packed, QuantityNotReturnable, lambda: ask(packed, 1)).lines[0].returnable == 0

    under_way = shipped(3, deliver=False)
    assert under_way.returns[ask(under_way, 3)].state is State.REQUESTED


def test_l11_c17_what_a_supplier_has_sent_can_come_back_to_us():
    batch = warehouse(on_hand={LEEDS: 0}, quantities={1: 2})
    made = fulfilling.dropship(batch, FIRST, YORK, {LINE: 2})
    assert unchanged(batch, QuantityNotReturnable, lambda: ask(batch, 1)).lines[0].returnable == 0
    shipping.ship(batch, made, Shipping(), {}, None)
    shipping.deliver(batch, made, None)

    one = ask(batch, 2)
    receive(batch, one)
    inspect(batch, one, 2)

    assert level(batch).on_hand == 2


def test_what_is_not_expected_any_more_can_be_asked_back_anew():
    batch = shipped(3)
    one = ask(batch, 3)
    receive(batch, one, 1)

    returning.cancel(batch, one, "kept the rest")

    assert returnable(batch.floor.of(FIRST), batch.returns_of(FIRST)) == {LINE: 2}
    assert came_back(batch.returns_of(FIRST)) == {LINE: 1}
    assert batch.returns[one].cancel_reason == "kept the rest"


def test_an_order_that_has_left_is_returned_and_never_voided_whatever_comes_back():
    batch = shipped(3, deliver=False)
    one = ask(batch, 3)
    receive(batch, one)
    inspect(batch, one, 3)

    with pytest.raises(QuantityAlreadyShipped):
        ordering.void(batch, FIRST, "all of it came back")


def test_c5_an_order_of_which_all_was_delivered_stays_fulfilled_when_it_comes_back():
    batch = shipped(3)
    one = ask(batch, 3)
    receive(batch, one)
    inspect(batch, one, 3)

    assert batch.orders[FIRST].status is OrderStatus.FULFILLED


def test_l9_what_is_asked_back_on_its_way_can_still_be_delivered():
    batch = shipped(3, deliver=False)
    ask(batch, 3)
    (sent,) = batch.floor.of(FIRST)

    shipping.deliver(batch, sent.id, None)
    batch.settle()

    assert batch.floor.of(FIRST)[0].state is FulfillmentState.DELIVERED
    assert batch.orders[FIRST].status is OrderStatus.FULFILLED


# ---------------------------------------------------------------- the table


def in_state(state):
    """A return of two units in this state."""
    batch = shipped(3)
    one = ask(batch, 2)
    if state in (State.RECEIVED, State.INSPECTED):
        receive(batch, one, 1 if state is State.RECEIVED else 2)
    if state is State.INSPECTED:
        inspect(batch, one, 2)
    if state is State.CANCELED:
        returning.cancel(batch, one)
    assert batch.returns[one].state is state
    return batch, one


MOVES = {
    "receiveReturn": lambda batch, one: receive(batch, one),
    "inspectReturn": lambda batch, one: inspect(
        batch, one, batch.returns[one].lines[0].to_inspect or 1, outcome=DISCARD
    ),
    "cancelReturn": lambda batch, one: returning.cancel(batch, one),
}


def test_the_table_has_a_row_for_every_state_and_an_operation_for_every_move():
    assert set(TRANSITIONS) == set(State)
    assert {operation for edges in TRANSITIONS.values() for operation in edges} == set(MOVES)


@pytest.mark.parametrize(("state", "operation"), list(product(State, MOVES)))
def test_i15_a_return_moves_along_the_table_and_is_refused_everything_else(state, operation):
    batch, one = in_state(state)
    before = batch.returns[one]

    if operation not in TRANSITIONS[state]:
        refused = unchanged(batch, ReturnNotInState, lambda: MOVES[operation](batch, one))
        assert (refused.return_id, refused.allowed) == (one, states_that_allow(operation))
        return
    MOVES[operation](batch, one)

    after = batch.returns[one]
    assert after != before
    # One unit has come and is not inspected, or one is inspected and the other is still to come.
    stays = state is State.RECEIVED and operation in ("inspectReturn", "cancelReturn")
    assert after.state is (State.RECEIVED if stays else TRANSITIONS[state][operation])


def test_i15_a_return_is_inspected_once_nothing_is_to_come_and_nothing_to_look_at_whatever_is_said_last():
    last_receipt, last_look, last_word = (in_state(State.RECEIVED) for _ in range(3))

    receive(*last_receipt)
    assert state_of(last_receipt[0].returns[last_receipt[1]].lines) is State.RECEIVED
    inspect(*last_receipt, 2, DISCARD)
    inspect(*last_look, 1, DISCARD)
    receive(*last_look)
    inspect(*last_look, 1, DISCARD)
    inspect(*last_word, 1, DISCARD)
    returning.cancel(*last_word)

    assert {batch.returns[one].state for batch, one in (last_receipt, last_look, last_word)} == {State.INSPECTED}


@pytest.mark.parametrize("operation", ["receiveReturn", "cancelReturn"])
def test_i15_where_all_has_come_nothing_more_is_received_or_given_up(operation):
    batch, one = in_state(State.REQUESTED)
    receive(batch, one)

    refused = unchanged(batch, ReturnNotInState, lambda: MOVES[operation](batch, one))

    assert refused.allowed == (State.REQUESTED,)


@pytest.mark.parametrize("state", State)
def test_what_a_person_is_offered_is_what_the_return_allows(state):
    batch, one = in_state(state)
    offered = {told.action for told in return_actions(batch.returns[one]) if not told.reasons}

    done = set()
    for action, operation in zip(ReturnAction, ("receiveReturn", "inspectReturn", "cancelReturn"), strict=True):
        batch, one = in_state(state)
        try:
            MOVES[operation](batch, one)
            done.add(action)
        except DomainError:
            pass
    assert offered == done


# ---------------------------------------------------------------- receiving and inspecting


def test_no_more_is_received_than_is_still_to_come_nor_inspected_than_has_come():
    batch = shipped(3)
    one = ask(batch, 3)
    receive(batch, one, 2)

    too_many = unchanged(batch, QuantityNotReturnable, lambda: receive(batch, one, 2))
    assert [(told.requested, told.returnable) for told in too_many.lines] == [(2, 1)]
    line = line_of(batch, one)
    twice = [Judged(line=line, quantity=2, outcome=RESELL), Judged(line=line, quantity=1, outcome=DISCARD)]
    too_many = unchanged(batch, QuantityNotReturnable, lambda: returning.inspect(batch, one, twice))
    assert [(told.requested, told.returnable) for told in too_many.lines] == [(3, 2)]


def test_l11_what_came_back_is_no_stock_before_somebody_has_looked_at_it():
    batch = shipped(3)
    one = ask(batch, 2)

    receive(batch, one)

    assert (level(batch).on_hand, level(batch).available) == (2, 2)


def test_l11_i3_each_unit_is_resold_kept_apart_or_discarded_and_the_ledger_says_why():
    batch = shipped(3)
    one = ask(batch, 3)
    receive(batch, one)
    line = line_of(batch, one)

    returning.inspect(
        batch,
        one,
        [
            Judged(line=line, quantity=1, outcome=RESELL),
            Judged(line=line, quantity=1, outcome=QUARANTINE, note="a scratch"),
            Judged(line=line, quantity=1, outcome=DISCARD),
        ],
    )

    now = level(batch)
    assert (now.on_hand, now.quality_control, now.available) == (4, 1, 3)
    (inspected,) = batch.returns[one].lines
    assert (inspected.resold, inspected.quarantined, inspected.discarded) == (1, 1, 1)
    changes = batch.changes()
    told = [(row.quantity, row.change, row.balance, row.cause) for row in changes.movements]
    assert told == [
        (StockQuantity.ON_HAND, 1, 3, MovementCause.RETURNED),
        (StockQuantity.ON_HAND, 1, 4, MovementCause.RETURNED),
        (StockQuantity.QUALITY_CONTROL, 1, 1, MovementCause.RETURN_INSPECTED),
    ]
    assert {(row.reference, row.actor, row.request) for row in changes.movements} == {
        (f"Return {one}", "Ann", "a test")
    }
    assert [(one.outcome, one.location, one.note, one.actor) for one in changes.inspections] == [
        (RESELL, LEEDS, None, "Ann"),
        (QUARANTINE, LEEDS, "a scratch", "Ann"),
        (DISCARD, None, None, "Ann"),
    ]


def test_l11_units_are_put_at_the_location_that_is_named_also_where_the_sku_never_lay():
    batch = shipped(3)
    one = ask(batch, 2)
    receive(batch, one)

    inspect(batch, one, 1, at=YORK)

    assert (level(batch, YORK).on_hand, level(batch).on_hand) == (1, 2)


def test_l11_a_return_that_comes_elsewhere_is_there():
    batch = shipped(3)
    one = ask(batch, 1)

    returning.receive(batch, one, None, YORK)
    inspect(batch, one, 1)

    assert batch.returns[one].location == YORK
    assert level(batch, YORK).on_hand == 1
    (event,) = (event for event in batch.changes().events if isinstance(event, ReturnChanged))
    assert event.location_code == "YORK"


def test_o13_what_comes_back_for_sale_lifts_a_flag_and_what_is_kept_apart_does_not():
    batch = committed(send(warehouse((1, LEEDS, 2), (2, LEEDS, 2), on_hand={LEEDS: 4})))
    one = ask(batch, 2)
    receive(batch, one)
    gone = StockChange(item=CHAIR, location=LEEDS, counted=0)
    apply(batch, [gone], MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, None)
    batch.settle()
    assert batch.status_of(OrderId(2)) is AllocationStatus.OVERALLOCATED

    inspect(batch, one, 1, QUARANTINE)
    assert level(batch).overallocated == 2
    inspect(batch, one, 1, RESELL)
    assert level(batch).overallocated == 1


def test_an_item_that_became_a_bundle_has_no_stock_to_come_back_to():
    batch = shipped(3)
    one = ask(batch, 2)
    receive(batch, one)
    batch.bundles = frozenset({CHAIR})

    refused = unchanged(batch, InvalidInput, lambda: inspect(batch, one, 1))

    assert [problem.code for problem in refused.problems] == ["BUNDLE"]
    inspect(batch, one, 2, DISCARD)
    assert batch.returns[one].state is State.INSPECTED


# ---------------------------------------------------------------- what is told


def test_i5_every_commit_of_a_return_is_one_version_of_it_and_of_its_order_and_names_who_did_it():
    batch = shipped(3)
    version = batch.orders[FIRST].version
    one = ask(batch, 3)
    receive(batch, one, 2)
    batch.actor = "Cy"
    inspect(batch, one, 1, QUARANTINE)

    changes = batch.changes()

    (event,) = (event for event in changes.events if isinstance(event, ReturnChanged))
    assert (event.return_id, event.return_version, event.before, event.after) == (one, 1, None, State.RECEIVED)
    units = (event.requested, event.received, event.resold, event.quarantined, event.discarded)
    assert units == (3, 2, 0, 1, 0)
    assert (event.actor, event.skus, event.locations) == ("Cy", ("CHAIR",), ("LEEDS",))
    (order,) = (event for event in changes.events if isinstance(event, OrderChanged) and event.order_id == FIRST)
    assert (order.order_version, order.changes) == (version + 1, (OrderChange.RETURN_CHANGED,))
    assert changes.replenished == set()


def test_o8_only_what_is_for_sale_again_sets_off_a_run_of_who_waits():
    for outcome, replenished in ((RESELL, {CHAIR}), (QUARANTINE, set()), (DISCARD, set())):
        batch = shipped(3)
        one = ask(batch, 1)
        receive(batch, one)
        batch = committed(batch)
        inspect(batch, one, 1, outcome)
        assert batch.changes().replenished == replenished


def test_every_event_about_goods_names_its_actor_each_its_own():
    batch = warehouse((1, LEEDS, 1), (2, LEEDS, 1), on_hand={LEEDS: 2})
    batch.actor = "Ann"
    releasing.release(batch, FIRST, NOW)
    batch.actor = "Bea"
    releasing.release(batch, OrderId(2), NOW)

    events = batch.changes().events

    sent = {event.order_id: event.actor for event in events if isinstance(event, FulfillmentChanged)}
    assert sent == {1: "Ann", 2: "Bea"}
    tasks = [event for event in events if isinstance(event, PickTasksChanged)]
    assert [(event.actor, len(event.task_ids)) for event in tasks] == [("Ann", 1), ("Bea", 1)]


# ---------------------------------------------------------------- follow-ups


def test_l10_what_is_heard_after_delivery_is_written_down_and_the_order_tells_of_it():
    batch = shipped(1)

    returning.follow_up(batch, FIRST, FollowUpOutcome.ISSUE_FOUND, "A leg is loose.")

    changes = batch.changes()
    (told,) = changes.follow_ups
    assert (told.order, told.outcome, told.note) == (FIRST, FollowUpOutcome.ISSUE_FOUND, "A leg is loose.")
    assert (told.actor, told.request) == ("Ann", "a test")
    (event,) = (event for event in changes.events if isinstance(event, OrderChanged))
    assert event.changes == (OrderChange.FOLLOWED_UP,)


def test_l10_there_is_nothing_to_follow_up_before_anything_is_delivered():
    batch = shipped(1, deliver=False)

    refused = unchanged(
        batch, NothingDelivered, lambda: returning.follow_up(batch, FIRST, FollowUpOutcome.SATISFIED, None)
    )

    assert refused.order == FIRST


def test_a_line_of_a_return_never_counts_a_unit_twice():
    batch, one = in_state(State.RECEIVED)
    (line,) = batch.returns[one].lines

    assert (line.quantity, line.received, line.expected, line.to_inspect) == (2, 1, 1, 1)
    assert (line.given_up().expected, line.judged(DISCARD, 1).to_inspect) == (0, 0)
