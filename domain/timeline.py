"""An order's timeline: who did what and when, as the log has it, in words that people read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.events import (
    AllocationStatusChanged,
    ExpectedAtChanged,
    FulfillmentChanged,
    LoggedEvent,
    OrderChanged,
    ReturnChanged,
)
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

TYPES = tuple(
    one.type for one in (OrderChanged, AllocationStatusChanged, FulfillmentChanged, ReturnChanged, ExpectedAtChanged)
)
"""Of the events that a timeline is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody did something. `part`: of what one event tells, from 0. `actor` None: it was not written down then."""

    logged: LoggedEvent
    part: int
    kind: TimelineKind
    words: str
    actor: str | None


CHANGES: Mapping[OrderChange, tuple[TimelineKind, str]] = {
    OrderChange.PLACED: (TimelineKind.ORDER, "Placed the order."),
    OrderChange.EDITED: (TimelineKind.ORDER, "Edited the order."),
    OrderChange.FINALIZED: (TimelineKind.ORDER, "Confirmed the order."),
    OrderChange.VOIDED: (TimelineKind.ORDER, "Canceled the order."),
    OrderChange.SPLIT: (TimelineKind.ORDER, "Split the order."),
    OrderChange.RELEASED: (TimelineKind.ORDER, "Released the order."),
    OrderChange.RELEASED_IN_PART: (TimelineKind.ORDER, "Released what there is of the order."),
    OrderChange.DROPSHIPPED: (TimelineKind.ORDER, "Asked a supplier to send goods of the order."),
    OrderChange.FULFILLED: (TimelineKind.ORDER, "Everything has arrived: the order is fulfilled."),
    OrderChange.FOLLOWED_UP: (TimelineKind.ORDER, "Wrote down what the customer says."),
    OrderChange.PAYMENT_RECORDED: (TimelineKind.PAYMENT, "Recorded a payment."),
    OrderChange.REFUND_RECORDED: (TimelineKind.PAYMENT, "Recorded a refund."),
    OrderChange.HELD: (TimelineKind.HOLD, "Held the order"),
    OrderChange.HOLD_RELEASED: (TimelineKind.HOLD, "Ended a hold"),
    OrderChange.ALLOCATIONS_CHANGED: (TimelineKind.ALLOCATION, "Changed what is set aside for the order."),
}
TOLD_BY_OTHERS = (
    OrderChange.FULFILLMENT_CHANGED,
    OrderChange.SHIPPED,
    OrderChange.DELIVERED,
    OrderChange.RETURN_CHANGED,
)
"""An event of its own says more of these."""

STATUSES: Mapping[AllocationStatus | None, str] = {
    None: "Nothing is open any more",
    AllocationStatus.UNALLOCATED: "Nothing is set aside",
    AllocationStatus.ALLOCATED: "Everything is set aside",
    AllocationStatus.PARTIALLY_ALLOCATED: "Some of it is set aside, the rest is short",
    AllocationStatus.COULD_NOT_ALLOCATE: "Nothing could be set aside",
    AllocationStatus.OVERALLOCATED: "Stock that was set aside is gone",
}
CAUSES: Mapping[AllocationCause, str] = {
    AllocationCause.RUN: "a run",
    AllocationCause.EDITED: "an edit",
    AllocationCause.STOCK_RECEIVED: "stock came in",
    AllocationCause.STOCK_ADJUSTED: "stock was corrected",
    AllocationCause.STOCK_TRANSFERRED: "stock was transferred",
    AllocationCause.DEALLOCATED: "it was deallocated",
    AllocationCause.SHIPPED: "goods were shipped",
    AllocationCause.CANCELED: "the order was canceled",
    AllocationCause.DROPSHIPPED: "a supplier sends it",
    AllocationCause.PICKED: "goods were picked",
    AllocationCause.PICKED_SHORT: "a picker did not find all",
    AllocationCause.QUALITY_CHECK_FAILED: "a quality check failed",
    AllocationCause.RETURNED: "goods came back",
    AllocationCause.STOCK_RESERVATION: "it was reserved in a cart",
    AllocationCause.SPLIT: "the order was split",
    AllocationCause.UNPAID: "it was not paid in time",
    AllocationCause.OTHER: "something else",
}
STATES: Mapping[FulfillmentState, str] = {
    FulfillmentState.RELEASED: "{location} has the go-ahead.",
    FulfillmentState.PICKING: "Goods are being picked at {location}.",
    FulfillmentState.PICKED: "Everything is picked at {location}.",
    FulfillmentState.CHECKED: "The quality check at {location} is passed.",
    FulfillmentState.PACKED: "Packed at {location}.",
    FulfillmentState.SHIPPED: "Shipped from {location}{how}.",
    FulfillmentState.DELIVERED: "Delivered what {location} had sent.",
    FulfillmentState.CANCELED: "What {location} was to send stays there.",
}
RETURNS: Mapping[ReturnState, str] = {
    ReturnState.REQUESTED: "A return was agreed: {units} to {location}.",
    ReturnState.RECEIVED: "Goods came back to {location}: {received} of {units}.",
    ReturnState.INSPECTED: "What came back to {location} was looked at: {resold} for sale, {rest} not.",
    ReturnState.CANCELED: "A return was called off.",
}


def entries(events: Sequence[LoggedEvent]) -> Iterator[Entry]:
    """What the events tell, in their sequence. A change of a status stands right behind that of its order."""
    for at, logged in enumerate(events):
        follower = events[at + 1].event if at + 1 < len(events) else None
        for part, (kind, words, actor) in enumerate(_told(logged, follower)):
            yield Entry(logged=logged, part=part, kind=kind, words=words, actor=actor)


Told = tuple[TimelineKind, str, str | None]


def _told(logged: LoggedEvent, follower: object) -> Iterator[Told]:
    event = logged.event
    if isinstance(event, OrderChanged):
        yield from _order(event, follower)
    elif isinstance(event, AllocationStatusChanged):
        yield TimelineKind.ALLOCATION, f"{STATUSES[event.after]}: {CAUSES[event.cause]}.", event.actor
    elif isinstance(event, FulfillmentChanged):
        yield TimelineKind.FULFILLMENT, _fulfillment(event), event.actor
    elif isinstance(event, ReturnChanged):
        yield TimelineKind.RETURN, _return(event), event.actor
    elif isinstance(event, ExpectedAtChanged):
        yield TimelineKind.EXPECTATION, _expectation(event), event.actor


def _order(event: OrderChanged, follower: object) -> Iterator[Told]:
    status_follows = isinstance(follower, AllocationStatusChanged) and follower.order_version == event.order_version
    for at, change in enumerate(event.changes):
        if change in TOLD_BY_OTHERS or (status_follows and change is OrderChange.ALLOCATIONS_CHANGED):
            continue
        kind, words = CHANGES[change]
        if kind is TimelineKind.HOLD:
            words += _reasons(event.holds_placed if change is OrderChange.HELD else event.holds_ended)
        yield kind, words, event.actors[at] if at < len(event.actors) else None


def _reasons(reasons: Sequence[HoldReason]) -> str:
    named = ", ".join(reason.replace("_", " ").lower() for reason in reasons)
    return f": {named}." if named else "."


TRACKED: Mapping[TrackingStatus, str] = {
    TrackingStatus.UNKNOWN: "{carrier} has said something.",
    TrackingStatus.PRE_TRANSIT: "{carrier} knows of a parcel from {location}.",
    TrackingStatus.IN_TRANSIT: "{carrier} has a parcel from {location}.",
    TrackingStatus.OUT_FOR_DELIVERY: "A parcel from {location} is out for delivery with {carrier}.",
    TrackingStatus.AVAILABLE_FOR_PICKUP: "A parcel from {location} can be fetched at {carrier}.",
    TrackingStatus.FAILURE: "{carrier} could not deliver a parcel from {location}.",
    TrackingStatus.RETURN_TO_SENDER: "A parcel comes back to {location} with {carrier}.",
    TrackingStatus.DELIVERED: "{carrier} has delivered a parcel from {location}.",
}


def _fulfillment(event: FulfillmentChanged) -> str:
    if event.before is event.after and event.tracking_status is not None:
        told = TRACKED[event.tracking_status]
        somebody = "The carrier" if told.startswith("{carrier}") else "the carrier"
        return told.format(carrier=event.carrier or somebody, location=event.location_code)
    if event.before is event.after:
        return f"What {event.location_code} sends has changed."
    by = f" with {event.carrier}" if event.carrier else ""
    number = f", tracking number {event.tracking_number}" if event.tracking_number else ""
    return STATES[event.after].format(location=event.location_code, how=by + number)


def _return(event: ReturnChanged) -> str:
    if event.before is event.after:
        return f"A return to {event.location_code} has changed."
    units = f"{event.requested:,} {'unit' if event.requested == 1 else 'units'}"
    return RETURNS[event.after].format(
        location=event.location_code,
        units=units,
        received=f"{event.received:,}",
        resold=f"{event.resold:,}",
        rest=f"{event.quarantined + event.discarded:,}",
    )


def _expectation(event: ExpectedAtChanged) -> str:
    def day(moment: datetime | None) -> str:
        return "at no known date" if moment is None else f"on {moment:%Y-%m-%d}"

    told = f"What is missing can be had {day(event.after)}, and no longer {day(event.before)}"
    return f"{told} (supply {event.supply_reference})."
