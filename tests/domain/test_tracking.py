"""What carriers say comes late, twice and in any sequence, and ends the same."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import fulfilling, packing, picking, releasing, shipping, tracking
from domain.batch import Batch
from domain.errors import InvalidInput
from domain.events import FulfillmentChanged
from domain.fulfillments import Fulfillment, Shipping, TrackingEvent
from domain.ids import FulfillmentId, LineId, OrderId, ParcelId
from domain.kinds import FulfillmentState, OrderStatus, TrackingStatus
from domain.packing import NewParcel
from domain.picking import Pick
from domain.tracking import Tracked
from tests.builders import LEEDS, YORK, warehouse

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = OrderId(1)
Status, State = TrackingStatus, FulfillmentState


def packed(parcels: int = 2) -> Batch:
    """An order of two chairs that is packed in Leeds."""
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 5})
    releasing.release(batch, FIRST, NOW)
    for task in list(batch.floor.tasks.values()):
        picking.record_pick(batch, Pick(task=task.id, quantity=task.missing), NOW)
    one = NewParcel(contents=((LineId(1), 2 // parcels),))
    packing.pack(batch, the_one(batch).id, [one] * parcels)
    return batch


def the_one(batch: Batch) -> Fulfillment:
    (one,) = batch.floor.of(FIRST)
    return one


def parcels_of(batch: Batch) -> list[ParcelId]:
    return [parcel.id for parcel in batch.floor.parcels_of(the_one(batch).id)]


def ship(batch: Batch) -> None:
    shipping.ship(batch, the_one(batch).id, Shipping(), {}, None)
    tracking.arrive(batch, the_one(batch).id)


def says(status: TrackingStatus, hours: int = 0) -> TrackingEvent:
    return TrackingEvent(status=status, occurred_at=NOW - 100 * HOUR + hours * HOUR)


def told(batch: Batch, status: TrackingStatus, hours: int = 0, *parcels: ParcelId) -> None:
    tracking.record(batch, Tracked(fulfillment=the_one(batch).id, parcels=parcels), says(status, hours), NOW)


def test_l9_what_has_arrived_in_all_its_parcels_is_delivered_when_the_last_one_came():
    batch = packed()
    first, second = parcels_of(batch)
    ship(batch)
    batch = Batch(batch.facts())

    told(batch, Status.DELIVERED, 5, second)
    assert the_one(batch).state is State.SHIPPED
    told(batch, Status.DELIVERED, 3, first)
    batch.settle()

    assert (the_one(batch).state, the_one(batch).changed_at) == (State.DELIVERED, says(Status.DELIVERED, 5).occurred_at)
    assert batch.orders[FIRST].status is OrderStatus.FULFILLED


def test_l8_the_latest_by_the_carriers_clock_counts_in_whatever_sequence_they_come():
    events = [(Status.PRE_TRANSIT, 1), (Status.IN_TRANSIT, 2), (Status.OUT_FOR_DELIVERY, 3), (Status.FAILURE, 4)]
    for sequence in permutations(events):
        batch = packed(1)
        ship(batch)
        for status, hours in sequence:
            told(batch, status, hours)

        (parcel,) = batch.floor.parcels_of(the_one(batch).id)
        assert (parcel.tracking_status, the_one(batch).tracking_status) == (Status.FAILURE, Status.FAILURE)
        assert the_one(batch).state is State.SHIPPED


EVENTS = st.tuples(st.sampled_from(TrackingStatus), st.integers(0, 20), st.sampled_from([0, 1]))


@given(st.lists(EVENTS, max_size=12), st.randoms(use_true_random=False), st.booleans())
def test_any_sequence_with_any_repetition_ends_the_same(events, chance, before_shipping):
    """But for the moment at which a parcel arrived that was said to have arrived twice: the first that was told."""
    ends = set()
    for round_ in range(2):
        sequence = list(events)
        if round_:
            sequence += [chance.choice(events) for _ in events]
            chance.shuffle(sequence)
        batch = packed()
        parcels = parcels_of(batch)
        if not before_shipping:
            ship(batch)
        for status, hours, at in sequence:
            told(batch, status, hours, parcels[at])
        if before_shipping:
            ship(batch)
        batch.settle()
        known = [batch.floor.parcels[one] for one in parcels]
        ends.add(
            (
                the_one(batch).state,
                the_one(batch).tracking_status,
                tuple((one.tracking_status, one.tracked_at, one.delivered_at is None) for one in known),
                batch.orders[FIRST].status,
            )
        )

    assert len(ends) == 1
    ((state, _, parcels_now, _),) = ends
    assert (state is State.DELIVERED) == all(not open_ for *_, open_ in parcels_now)


def test_what_arrived_before_anybody_said_that_it_left_is_delivered_once_it_has_left():
    batch = packed(1)

    told(batch, Status.DELIVERED, 3)
    assert the_one(batch).state is State.PACKED, "nobody has said that it left"
    ship(batch)

    assert the_one(batch).state is State.DELIVERED


def test_goods_without_a_parcel_are_delivered_by_what_is_said_of_their_fulfillment():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 5})
    fulfilling.dropship(batch, FIRST, YORK, {LineId(1): 2})
    told(batch, Status.DELIVERED, 3)
    assert the_one(batch).state is State.RELEASED

    ship(batch)

    assert the_one(batch).state is State.DELIVERED


def test_what_is_told_again_changes_nothing():
    batch = packed(1)
    ship(batch)
    told(batch, Status.OUT_FOR_DELIVERY, 3)
    before = batch.floor.facts()

    told(batch, Status.OUT_FOR_DELIVERY, 3)
    told(batch, Status.IN_TRANSIT, 1)

    assert batch.floor.facts() == before


def test_r11_every_change_of_a_parcel_is_told_also_where_another_one_is_further():
    batch = packed()
    first, second = parcels_of(batch)
    ship(batch)
    told(batch, Status.OUT_FOR_DELIVERY, 5, first)
    batch.changes()
    again = Batch(batch.facts())

    told(again, Status.IN_TRANSIT, 2, second)

    (event,) = [one for one in again.changes().events if isinstance(one, FulfillmentChanged)]
    assert (event.before, event.after, event.tracking_status) == (State.SHIPPED, State.SHIPPED, Status.OUT_FOR_DELIVERY)


def test_an_event_of_the_future_is_refused_and_nothing_moves():
    batch = packed(1)
    before = batch.floor.facts()

    with pytest.raises(InvalidInput) as refused:
        told(batch, Status.DELIVERED, 101)

    assert [(one.path, one.code) for one in refused.value.problems] == [(("occurredAt",), "OUT_OF_RANGE")]
    assert batch.floor.facts() == before


def test_a_parcel_that_has_come_to_be_in_another_fulfillment_is_found_there():
    batch = packed()
    first, second = parcels_of(batch)
    old = the_one(batch).id
    rest = shipping.ship(batch, old, Shipping(), {first: None}, None)
    assert rest is not None

    touched = tracking.record(
        batch, Tracked(fulfillment=FulfillmentId(old), parcels=(second,)), says(Status.PRE_TRANSIT), NOW
    )

    assert touched == (rest,)
