"""Release, cancel, check, pack, ship, deliver and dropship, each by example; any sequence: `test_floor_machine`."""

from datetime import UTC, datetime, timedelta

from domain import fulfilling, ordering, packing, picking, releasing, shipping
from domain.allocating import OrderToAllocate, Terms, allocate
from domain.batch import Batch
from domain.errors import FulfillmentNotInState, InvalidInput, OrderAlreadyReleased, OrderNotReleasable
from domain.fulfilling import FailedUnits
from domain.fulfillments import UNDER_WAY, Shipping
from domain.ids import LineId, OrderId
from domain.kinds import (
    AllocationCause,
    AllocationStatus,
    CheckFailure,
    FulfillmentState,
    FulfillmentStatus,
    MovementCause,
    OrderStatus,
    ReleaseObstacle,
    ShippingPolicy,
    StockQuantity,
)
from domain.ordering import Edit
from domain.packing import NewParcel
from domain.picking import Pick, Short
from domain.stocking import StockChange, apply
from tests.builders import CHAIR, HULL, LEEDS, YORK, warehouse
from tests.domain.refused import unchanged

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FIRST, LINE = OrderId(1), LineId(1)
State = FulfillmentState


def release(batch, number=1, *, partial=False):
    return releasing.release(batch, OrderId(number), NOW, partial=partial)


def pick(batch, *orders):
    """All that is to be fetched, of these orders or of everybody's."""
    for task in list(batch.floor.tasks.values()):
        if task.missing and batch.floor.fulfillments[task.fulfillment].order in (orders or batch.orders):
            picking.record_pick(batch, Pick(task=task.id, quantity=task.missing), NOW)


def edit(batch, quantity, number=1):
    ordering.edit(batch, OrderId(number), Edit(quantities=((LineId(number), quantity),)), [], {})


def change(batch, delta, quantity=StockQuantity.ON_HAND, at=LEEDS):
    one = StockChange(item=CHAIR, location=at, quantity=quantity, delta=delta)
    apply(batch, [one], MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, None)
    batch.settle()


def run(batch, number=1):
    allocate(batch, [OrderToAllocate(reference="1", order=OrderId(number))], Terms())
    batch.settle()


def sent(batch, number=1):
    """Where from, state and units of each fulfillment that is not canceled, and how many of them are picked."""
    return [
        (one.location, one.state, one.units, sum(line.picked for line in one.lines))
        for one in batch.floor.of(OrderId(number))
        if one.state is not State.CANCELED
    ]


def asked_for(batch):
    return [(task.bin, task.missing) for task in batch.floor.tasks.values() if task.missing]


# ---------------------------------------------------------------- release


def test_r5_each_location_sends_its_units_at_a_time_that_is_told_and_its_pickers_know_the_bins():
    batch = warehouse((1, LEEDS, 5), (1, YORK, 2), on_hand={LEEDS: 6, YORK: 2}, bins={"B-2": 3, "A-1": 1})

    made = release(batch)

    assert sent(batch) == [(LEEDS, State.RELEASED, 5, 0), (YORK, State.RELEASED, 2, 0)]
    assert asked_for(batch) == [("A-1", 1), ("B-2", 3), (None, 1), (None, 2)]
    first = batch.floor.fulfillments[made[0]]
    assert first.estimated_ship_at == NOW + timedelta(hours=24)
    assert first.estimated_delivery_at == NOW + timedelta(hours=24 + 72)
    assert batch.fulfillment_status_of(FIRST) is FulfillmentStatus.RELEASED


def test_a_release_asks_no_bin_for_units_that_another_order_asks_it_for():
    batch = warehouse((1, LEEDS, 2), (2, LEEDS, 3), on_hand={LEEDS: 6}, bins={"A-1": 3, "B-2": 1})

    release(batch, 1)
    release(batch, 2)

    assert asked_for(batch) == [("A-1", 2), ("A-1", 1), ("B-2", 1), (None, 1)]


def test_i9_r8_what_is_short_or_has_lost_its_stock_is_not_released_and_nothing_moves():
    def obstacles(batch, **how):
        return [one.code for one in unchanged(batch, OrderNotReleasable, lambda: release(batch, **how)).obstacles]

    short = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2}, quantities={1: 3})
    assert obstacles(short) == [ReleaseObstacle.PARTIALLY_ALLOCATED]
    complete = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2}, quantities={1: 3}, policy=ShippingPolicy.SHIP_COMPLETE)
    assert obstacles(complete, partial=True) == [ReleaseObstacle.PARTIALLY_ALLOCATED]
    nothing = warehouse(on_hand={LEEDS: 2}, quantities={1: 3})
    assert obstacles(nothing, partial=True) == [ReleaseObstacle.NOT_ALLOCATED]
    lost = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2})
    change(lost, -1)
    assert obstacles(lost, partial=True) == [ReleaseObstacle.OVERALLOCATED]


def test_what_is_there_is_released_partially_and_the_rest_when_it_has_come():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2}, quantities={1: 3})

    release(batch, partial=True)
    told = unchanged(batch, OrderNotReleasable, lambda: release(batch, partial=True))
    assert [one.code for one in told.obstacles] == [ReleaseObstacle.NOT_ALLOCATED]
    change(batch, 1)
    run(batch)
    release(batch)

    assert sent(batch) == [(LEEDS, State.RELEASED, 2, 0), (LEEDS, State.RELEASED, 1, 0)]


def test_what_is_released_is_not_released_again():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2})

    assert len(release(batch)) == 1
    assert release(batch) == []
    assert sent(batch) == [(LEEDS, State.RELEASED, 2, 0)]


# ---------------------------------------------------------------- what befalls a released order


def test_what_is_canceled_stays_set_aside_and_what_was_picked_is_put_back():
    batch = warehouse((1, LEEDS, 3), on_hand={LEEDS: 3})
    (one,) = release(batch)
    (task,) = batch.floor.tasks.values()
    picking.record_pick(batch, Pick(task=task.id, quantity=2), NOW)

    fulfilling.cancel(batch, one)

    assert (sent(batch), asked_for(batch)) == ([], [])
    assert (batch.status_of(FIRST), batch.levels[CHAIR, LEEDS].picked) == (ALLOCATED, 0)
    assert batch.fulfillment_status_of(FIRST) is FulfillmentStatus.NOT_RELEASED
    assert len(release(batch)) == 1


def test_an_edit_gives_back_first_what_waits_then_what_is_not_picked_and_never_what_is_packed():
    batch = warehouse((1, LEEDS, 2), (1, YORK, 2), on_hand={LEEDS: 9, YORK: 2})
    _, york = release(batch)
    edit(batch, 5)  # one more, which waits
    pick(batch)
    packing.pack(batch, york, [NewParcel()], None)

    edit(batch, 4)
    assert sent(batch) == [(LEEDS, State.PICKED, 2, 2), (YORK, State.PACKED, 2, 2)]
    edit(batch, 3)  # what is in York is younger, but in a parcel
    assert sent(batch) == [(LEEDS, State.PICKED, 1, 1), (YORK, State.PACKED, 2, 2)]
    edit(batch, 2)
    assert sent(batch) == [(YORK, State.PACKED, 2, 2)]
    unchanged(batch, OrderAlreadyReleased, lambda: edit(batch, 1))


def test_what_is_packed_at_two_locations_is_not_edited_away():
    batch = warehouse((1, LEEDS, 2), (1, YORK, 1), on_hand={LEEDS: 2, YORK: 1})
    made = release(batch)
    pick(batch)
    for one in made:
        packing.pack(batch, one, [NewParcel()], None)

    unchanged(batch, OrderAlreadyReleased, lambda: edit(batch, 2))


def test_r8_a_run_takes_nothing_that_is_picked_from_an_order_that_has_lost_its_stock():
    batch = warehouse((1, LEEDS, 3), on_hand={LEEDS: 3, YORK: 9})
    (one,) = release(batch)
    (task,) = batch.floor.tasks.values()
    picking.record_pick(batch, Pick(task=task.id, quantity=2), NOW)
    change(batch, 3, StockQuantity.SAFETY_STOCK)  # keeps back what is in the picker's hands, too
    assert batch.lines[LINE].overallocated == 3

    run(batch)

    assert sent(batch) == [(LEEDS, State.PICKED, 2, 2)]
    assert [(one.location, one.quantity) for one in batch.claims_of(FIRST)] == [(LEEDS, 2), (YORK, 1)]
    assert batch.status_of(FIRST) is OVERALLOCATED
    packing.pack(batch, one, [NewParcel()], None)
    shipping.ship(batch, one, Shipping(), {}, None)
    batch.settle()
    assert batch.status_of(FIRST) is ALLOCATED


def test_a_run_over_an_order_whose_stock_is_gone_asks_its_pickers_for_less():
    batch = warehouse((1, LEEDS, 3), on_hand={LEEDS: 3})
    release(batch)
    change(batch, -1)

    run(batch)

    assert sent(batch) == [(LEEDS, State.RELEASED, 2, 0)]
    assert asked_for(batch) == [(None, 2)]
    assert batch.status_of(FIRST) is PARTIALLY


def test_what_is_missing_is_replaced_and_what_waits_for_its_release_goes_on_waiting():
    """It was not paid, perhaps: nobody has looked."""
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 3, YORK: 9})
    release(batch)
    edit(batch, 5)
    (task,) = batch.floor.tasks.values()

    made = picking.record_pick(batch, Pick(task=task.id, quantity=1, short=Short()), NOW)

    assert [batch.floor.fulfillments[one].units for one in made] == [1]
    assert sent(batch) == [(LEEDS, State.PICKED, 1, 1), (YORK, State.RELEASED, 1, 0)]
    waiting = [claim for claim in batch.claims_of(FIRST) if claim.fulfillment_line is None]
    assert sum(claim.quantity for claim in waiting) == 3


def test_what_another_run_may_find_is_not_sent_with_what_replaces_units():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2, YORK: 0}, quantities={1: 4})
    release(batch, partial=True)
    change(batch, 9, at=YORK)
    (task,) = batch.floor.tasks.values()

    picking.record_pick(batch, Pick(task=task.id, quantity=0, short=Short()), NOW)

    assert sent(batch) == [(YORK, State.RELEASED, 2, 0)]
    assert batch.lines[LINE].allocated == 2


# ---------------------------------------------------------------- check


def test_r7_what_fails_is_set_apart_and_picked_again_from_where_there_is_more():
    batch = warehouse((1, LEEDS, 3), on_hand={LEEDS: 4, YORK: 5}, checks=True)
    (one,) = release(batch)
    pick(batch)
    unchanged(batch, FulfillmentNotInState, lambda: packing.pack(batch, one, [NewParcel()], None))

    fulfilling.check(batch, one, [FailedUnits(line=LINE, quantity=2, reason=CheckFailure.DAMAGED)], NOW)

    assert sent(batch) == [(LEEDS, State.PICKING, 2, 1), (YORK, State.RELEASED, 1, 0)]
    here = batch.levels[CHAIR, LEEDS]
    assert (here.on_hand, here.quality_control, here.committed, here.picked) == (4, 2, 2, 1)
    assert batch.status_of(FIRST) is ALLOCATED


def test_r7_where_everything_fails_and_nothing_is_left_nothing_is_sent():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2})
    (one,) = release(batch)
    pick(batch)

    fulfilling.check(batch, one, [FailedUnits(line=LINE, quantity=2, reason=CheckFailure.WRONG_ITEM)], NOW)

    assert sent(batch) == []
    assert batch.status_of(FIRST) is COULD_NOT


def test_more_than_there_is_cannot_fail():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2})
    (one,) = release(batch)
    pick(batch)
    failed = [FailedUnits(line=LINE, quantity=units, reason=CheckFailure.DAMAGED) for units in (1, 2)]

    refused = unchanged(batch, InvalidInput, lambda: fulfilling.check(batch, one, failed, NOW))

    assert [problem.path for problem in refused.problems] == [("input", "failed", "1", "quantity")]


# ---------------------------------------------------------------- pack and ship


def two_parcels(batch, one, first, second):
    parcels = [NewParcel(contents=((LINE, units),)) for units in (first, second)]
    return packing.pack(batch, one, parcels, None)


def test_c10_what_is_in_no_parcel_waits_in_a_fulfillment_of_its_own():
    batch = warehouse((1, LEEDS, 5), on_hand={LEEDS: 5})
    (one,) = release(batch)
    pick(batch)

    rest = two_parcels(batch, one, 2, 1)

    assert sent(batch) == [(LEEDS, State.PACKED, 3, 3), (LEEDS, State.PICKED, 2, 2)]
    assert batch.floor.fulfillments[rest].divided_from == one
    assert sorted(claim.quantity for claim in batch.claims_of(FIRST)) == [2, 3]
    assert batch.fulfillment_status_of(FIRST) is FulfillmentStatus.PICKING


def test_more_than_there_is_is_not_packed():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2})
    (one,) = release(batch)
    pick(batch)

    unchanged(batch, InvalidInput, lambda: two_parcels(batch, one, 2, 1))


def test_c10_one_of_two_parcels_leaves_and_takes_its_units_off_the_shelf():
    batch = warehouse((1, LEEDS, 5), on_hand={LEEDS: 6})
    (one,) = release(batch)
    pick(batch)
    two_parcels(batch, one, 2, 3)
    first, second = batch.floor.parcels_of(one)

    rest = shipping.ship(batch, one, Shipping(carrier="Ann"), {second.id: "T2"}, None)

    assert sent(batch) == [(LEEDS, State.SHIPPED, 3, 3), (LEEDS, State.PACKED, 2, 2)]
    (kept,) = batch.floor.parcels_of(rest)
    assert (kept.id, kept.number) == (first.id, 1)
    assert [parcel.tracking_number for parcel in batch.floor.parcels_of(one)] == ["T2"]
    here, ordered = batch.levels[CHAIR, LEEDS], batch.lines[LINE]
    assert (here.on_hand, here.committed, here.picked) == (3, 2, 2)
    assert (ordered.shipped, ordered.allocated, ordered.open) == (3, 2, 2)
    assert batch.fulfillment_status_of(FIRST) is FulfillmentStatus.PARTIALLY_SHIPPED


def test_the_flags_of_units_that_are_packed_apart_go_with_those_that_came_off_last():
    """They are the weakest, also where others came off before."""
    batch = warehouse((1, LEEDS, 6), on_hand={LEEDS: 6})
    (one,) = release(batch)
    pick(batch)
    change(batch, 3, StockQuantity.SAFETY_STOCK)
    two_parcels(batch, one, 4, 1)
    fulfilling.cancel(batch, one)
    (again,) = send_again(batch)
    pick(batch)
    batch.settle()

    two_parcels(batch, again, 1, 1)
    batch.settle()

    assert [(claim.quantity, claim.overallocated) for claim in batch.claims_of(FIRST)] == [(2, 0), (1, 0), (3, 3)]


def send_again(batch):
    """Whether or not it has its stock: a release would refuse it."""
    waiting = [claim for claim in batch.claims_of(FIRST) if claim.fulfillment_line is None]
    return releasing.send_out(batch, waiting, NOW)


# ---------------------------------------------------------------- deliver and dropship


def test_c5_an_order_is_fulfilled_once_all_that_was_not_canceled_is_delivered():
    batch = warehouse((1, LEEDS, 2), on_hand={LEEDS: 2}, quantities={1: 3})
    (one,) = release(batch, partial=True)
    pick(batch)
    packing.pack(batch, one, [NewParcel()], None)
    shipping.ship(batch, one, Shipping(), {}, None)
    shipping.deliver(batch, one, None)
    batch = Batch(batch.facts())  # the next transaction
    assert batch.orders[FIRST].status is OrderStatus.FINALIZED

    edit(batch, 2)
    batch.settle()

    assert batch.orders[FIRST].status is OrderStatus.FULFILLED


def test_i14_what_was_delivered_is_not_delivered_again_and_what_was_shipped_not_canceled():
    batch = warehouse((1, LEEDS, 1), on_hand={LEEDS: 1})
    (one,) = release(batch)
    pick(batch)
    packing.pack(batch, one, [NewParcel()], None)
    shipping.ship(batch, one, Shipping(), {}, None)
    unchanged(batch, FulfillmentNotInState, lambda: fulfilling.cancel(batch, one))
    unchanged(batch, FulfillmentNotInState, lambda: shipping.ship(batch, one, Shipping(), {}, None))
    shipping.deliver(batch, one, None)

    unchanged(batch, FulfillmentNotInState, lambda: shipping.deliver(batch, one, None))


def test_o5_a_supplier_takes_the_youngest_units_and_they_are_open_again_when_it_does_not_send_them():
    batch = warehouse((1, LEEDS, 2), (1, YORK, 2), on_hand={LEEDS: 2, YORK: 2}, quantities={1: 5})

    one = fulfilling.dropship(batch, FIRST, HULL, {LINE: 3})
    assert [(claim.location, claim.quantity) for claim in batch.claims_of(FIRST)] == [(LEEDS, 2)]
    assert (batch.lines[LINE].open, batch.status_of(FIRST)) == (2, ALLOCATED)

    fulfilling.cancel(batch, one)
    assert (batch.lines[LINE].open, batch.lines[LINE].dropshipped, batch.status_of(FIRST)) == (5, 0, PARTIALLY)


def test_what_a_warehouse_has_is_not_given_to_a_supplier_or_to_another_order():
    batch = warehouse((1, LEEDS, 1), on_hand={LEEDS: 1}, quantities={1: 2})
    (one,) = release(batch, partial=True)
    unchanged(batch, OrderAlreadyReleased, lambda: fulfilling.require_not_released(batch, FIRST))

    fulfilling.cancel(batch, one)

    fulfilling.require_not_released(batch, FIRST)
    assert not [one for one in batch.floor.of(FIRST) if one.state in UNDER_WAY]
