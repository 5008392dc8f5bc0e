"""Fulfillments and pick tasks, their life cycle, and the one function that computes how far an order's goods are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import (
    BinKey,
    FulfillmentId,
    FulfillmentLineId,
    ItemId,
    LineId,
    LocationId,
    OrderId,
    ParcelId,
    PickListId,
    PickTaskId,
)
from domain.kinds import FulfillmentKind, FulfillmentState, FulfillmentStatus, PickTaskState, TrackingStatus
from domain.money import Money
from domain.orders import OrderLine

State = FulfillmentState

TRANSITIONS: Mapping[State, Mapping[str, State]] = {
    State.RELEASED: {
        "recordPicks": State.PICKING,
        "shipFulfillment": State.SHIPPED,
        "cancelFulfillment": State.CANCELED,
    },
    State.PICKING: {"recordPicks": State.PICKED, "cancelFulfillment": State.CANCELED},
    State.PICKED: {
        "checkFulfillment": State.CHECKED,
        "packFulfillment": State.PACKED,
        "cancelFulfillment": State.CANCELED,
    },
    State.CHECKED: {"packFulfillment": State.PACKED, "cancelFulfillment": State.CANCELED},
    State.PACKED: {"shipFulfillment": State.SHIPPED, "cancelFulfillment": State.CANCELED},
    State.SHIPPED: {"deliverFulfillment": State.DELIVERED},
    State.DELIVERED: {},
    State.CANCELED: {},
}
"""From where, by which operation, to where. Nothing else happens, but for these:

only what a supplier sends is shipped without being picked and packed; what fails a quality check is picked again; and
where a location asks for the check, nothing is packed without it.
"""

UNDER_WAY = (State.RELEASED, State.PICKING, State.PICKED, State.CHECKED, State.PACKED)
"""The goods have not left yet."""
GONE = (State.SHIPPED, State.DELIVERED)
PICKABLE = (State.RELEASED, State.PICKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentLine:
    """Units of one order line in one fulfillment; `picked` of them have been fetched."""

    id: FulfillmentLineId
    line: LineId
    item: ItemId
    quantity: int
    picked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """By whom goods travel. `postage`: what that costs the merchant, where a carrier said so."""

    carrier: str | None = None
    service: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    postage: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfillment:
    """What one location, or one supplier, sends for one order.

    `estimated_ship_at` and `estimated_delivery_at` were told at release. `divided_from`: the fulfillment whose first
    part was shipped without this one. `changed_at`: when it came into its state, where somebody said so.
    `tracking_status` and `tracked_at`: the last that a carrier said of any of it, by the carrier's clock.
    """

    id: FulfillmentId
    order: OrderId
    location: LocationId
    kind: FulfillmentKind = FulfillmentKind.STOCK
    state: FulfillmentState = FulfillmentState.RELEASED
    lines: tuple[FulfillmentLine, ...] = ()
    version: int = 0
    estimated_ship_at: datetime | None = None
    estimated_delivery_at: datetime | None = None
    shipping: Shipping = Shipping()
    divided_from: FulfillmentId | None = None
    changed_at: datetime | None = None
    tracking_status: TrackingStatus | None = None
    tracked_at: datetime | None = None

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTask:
    """Units to be fetched from one bin for one fulfillment; `bin` None: wherever the SKU lies.

    `quantity` falls where units are wanted no longer. `short`: units that were looked for and not found. `list`: the
    pick list that it is on, which `picker` has taken until the lease is over; None: nobody has.
    """

    id: PickTaskId
    fulfillment: FulfillmentId
    fulfillment_line: FulfillmentLineId
    item: ItemId
    location: LocationId
    bin: str | None
    quantity: int
    picked: int = 0
    short: int = 0
    state: PickTaskState = PickTaskState.OPEN
    version: int = 0
    list: PickListId | None = None
    picker: str | None = None

    @property
    def missing(self) -> int:
        return self.quantity - self.picked - self.short if self.state is PickTaskState.OPEN else 0

    @property
    def key(self) -> BinKey | None:
        return None if self.bin is None else (self.item, self.location, self.bin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is packed together: `number` of its fulfillment, from 1. Weight in grams, dimensions in millimetres.

    `sscc`: the 18 digits by which carriers know a parcel; None where the merchant has no GS1 company prefix.
    `label_url`: where the carrier's own label is. `tracking_status` and `tracked_at`: the last that the carrier said,
    and when by its clock; `delivered_at`: when the customer had it, as it said first.
    """

    id: ParcelId
    fulfillment: FulfillmentId
    number: int
    contents: tuple[tuple[FulfillmentLineId, int], ...]
    weight_grams: int | None = None
    length_mm: int | None = None
    width_mm: int | None = None
    height_mm: int | None = None
    sscc: str | None = None
    tracking_number: str | None = None
    label_url: str | None = None
    tracking_status: TrackingStatus | None = None
    tracked_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEvent:
    """What a carrier said, and when it happened by its clock. `message` and `place`: in its own words."""

    status: TrackingStatus
    occurred_at: datetime
    message: str | None = None
    place: str | None = None


def states_that_allow(operation: str) -> tuple[FulfillmentState, ...]:
    return tuple(state for state, edges in TRANSITIONS.items() if operation in edges)


def fulfillment_status(lines: Iterable[OrderLine], fulfillments: Sequence[Fulfillment]) -> FulfillmentStatus:
    """How far an order's goods are, over all that was not canceled."""
    wanted = sum(line.quantity - line.canceled for line in lines)
    gone = sum(one.units for one in fulfillments if one.state in GONE)
    delivered = sum(one.units for one in fulfillments if one.state is State.DELIVERED)
    states = {one.state for one in fulfillments if one.state in UNDER_WAY}
    if wanted and delivered >= wanted:
        return FulfillmentStatus.DELIVERED
    if wanted and gone >= wanted:
        return FulfillmentStatus.SHIPPED
    if gone:
        return FulfillmentStatus.PARTIALLY_SHIPPED
    if not states:
        return FulfillmentStatus.NOT_RELEASED
    if states == {State.PACKED}:
        return FulfillmentStatus.PACKED
    if states == {State.RELEASED}:
        return FulfillmentStatus.RELEASED
    return FulfillmentStatus.PICKING
