"""The timeline has words for everything that can happen to an order, and says who did it."""

import re
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from domain.events import (
    AllocationStatusChanged,
    Event,
    ExpectedAtChanged,
    FulfillmentChanged,
    LoggedEvent,
    OrderChanged,
    ReturnChanged,
)
from domain.ids import FulfillmentId, OrderId, ReturnId, SupplyId
from domain.kinds import (
    AllocationCause,
    AllocationStatus,
    FulfillmentState,
    HoldReason,
    OrderChange,
    ReturnState,
    TimelineKind,
    TrackingStatus,
)
from domain.timeline import TOLD_BY_OTHERS, TYPES, entries

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ABOUT: dict[str, Any] = {
    "order_id": OrderId(7),
    "order_number": "1001",
    "channel_code": "SHOP",
    "skus": ("CHAIR",),
}
AT: dict[str, Any] = ABOUT | {"locations": ("LEEDS",)}


def changed(
    *changes: OrderChange, version: int = 1, actors: tuple[str, ...] | None = None, **more: Any
) -> OrderChanged:
    who = tuple("ann" for _ in changes) if actors is None else actors
    return OrderChanged(**AT, order_version=version, changes=changes, actors=who, **more)


def status(
    after: AllocationStatus | None = AllocationStatus.ALLOCATED,
    cause: AllocationCause = AllocationCause.RUN,
    version: int = 1,
) -> AllocationStatusChanged:
    return AllocationStatusChanged(**AT, order_version=version, before=None, after=after, cause=cause, actor="ann")


def fulfillment(
    before: FulfillmentState | None,
    after: FulfillmentState,
    carrier: str | None = None,
    number: str | None = None,
    told: TrackingStatus | None = None,
) -> FulfillmentChanged:
    return FulfillmentChanged(
        **AT,
        fulfillment_id=FulfillmentId(1),
        fulfillment_version=1,
        location_code="LEEDS",
        before=before,
        after=after,
        carrier=carrier,
        tracking_number=number,
        estimated_ship_at=None,
        estimated_delivery_at=None,
        actor="ann",
        tracking_status=told,
    )


def a_return(before: ReturnState | None, after: ReturnState) -> ReturnChanged:
    return ReturnChanged(
        **AT,
        return_id=ReturnId(1),
        return_version=1,
        location_code="LEEDS",
        before=before,
        after=after,
        requested=1,
        received=1,
        resold=0,
        quarantined=0,
        discarded=1,
        actor="ann",
    )


def expected(after: datetime | None) -> ExpectedAtChanged:
    return ExpectedAtChanged(
        **ABOUT, supply_id=SupplyId(1), supply_reference="PO-1", before=NOON, after=after, actor="ann"
    )


def told(*events: Event) -> list[tuple[TimelineKind, str, str | None]]:
    logged = [LoggedEvent(id=at, position=at, occurred_at=NOON, event=one) for at, one in enumerate(events, 1)]
    return [(one.kind, one.words, one.actor) for one in entries(logged)]


EVERYTHING: list[Event] = [
    *(changed(one) for one in OrderChange if one not in TOLD_BY_OTHERS),
    *(status(after, cause) for after, cause in product((None, *AllocationStatus), AllocationCause)),
    *(fulfillment(before, after) for before, after in product((None, *FulfillmentState), FulfillmentState)),
    *(fulfillment(FulfillmentState.SHIPPED, FulfillmentState.SHIPPED, told=one) for one in TrackingStatus),
    *(a_return(before, after) for before, after in product((None, *ReturnState), ReturnState)),
    *(expected(after) for after in (None, NOON)),
]


def test_l1_there_is_a_sentence_for_everything_that_can_happen_and_each_says_who_did_it():
    assert {one.type for one in EVERYTHING} == set(TYPES)
    for event in EVERYTHING:
        ((_, words, actor),) = told(event)
        assert re.fullmatch(r"[A-Z][^{}_]*\.", words), words
        assert actor == "ann"


def test_what_an_event_of_its_own_tells_is_not_told_twice():
    shipped = changed(OrderChange.FULFILLMENT_CHANGED, OrderChange.SHIPPED)

    assert told(shipped, fulfillment(FulfillmentState.PACKED, FulfillmentState.SHIPPED, "DPD", "N-1")) == [
        (TimelineKind.FULFILLMENT, "Shipped from LEEDS with DPD, tracking number N-1.", "ann")
    ]


def test_a5_an_allocation_is_told_by_the_status_that_it_moved_or_else_by_itself():
    moved = changed(OrderChange.ALLOCATIONS_CHANGED)

    assert [kind for kind, *_ in told(moved, status())] == [TimelineKind.ALLOCATION]
    assert told(moved, status())[0][1] == "Everything is set aside: a run."
    assert [words for _, words, _ in told(moved, status(version=2))] == [
        "Changed what is set aside for the order.",
        "Everything is set aside: a run.",
    ]


def test_each_change_of_a_commit_has_its_own_actor():
    placed = changed(
        OrderChange.PLACED, OrderChange.PAYMENT_RECORDED, OrderChange.HELD, actors=("shop", "till", "dibs")
    )

    assert [(kind, actor) for kind, _, actor in told(placed)] == [
        (TimelineKind.ORDER, "shop"),
        (TimelineKind.PAYMENT, "till"),
        (TimelineKind.HOLD, "dibs"),
    ]


def test_a_hold_is_told_with_its_reasons():
    held = changed(
        OrderChange.HELD, OrderChange.HOLD_RELEASED, holds_placed=(HoldReason.MANUAL_REVIEW,), holds_ended=()
    )

    assert [words for _, words, _ in told(held)] == ["Held the order: manual review.", "Ended a hold."]


@pytest.mark.parametrize("event", [changed(OrderChange.EDITED, actors=())])
def test_what_happened_before_actors_were_kept_has_none(event: OrderChanged):
    assert told(event) == [(TimelineKind.ORDER, "Edited the order.", None)]
