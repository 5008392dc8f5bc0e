"""What is known of an order, as far as it concerns its customer."""

from dataclasses import dataclass
from datetime import datetime

from domain.kinds import AllocationStatus, FulfillmentState, OrderStatus, TrackingStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """So many of something, by the name that customers know."""

    title: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a carrier said, and when it happened by its clock."""

    status: TrackingStatus
    at: datetime
    message: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyParcel:
    """What is packed together. `scans`: what its carrier said, the latest first."""

    tracking_number: str | None
    contents: tuple[Goods, ...]
    scans: tuple[Scan, ...] = ()
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyPart:
    """A fulfillment, as far as it concerns the customer. `contents`: all of it, in parcels or not."""

    state: FulfillmentState
    units: int
    released_at: datetime
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    estimated_ship_at: datetime | None = None
    estimated_delivery_at: datetime | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    contents: tuple[Goods, ...] = ()
    parcels: tuple[JourneyParcel, ...] = ()
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyFacts:
    """What is known of an order at a moment, by the database's clock: `now`.

    `ordered`: what was bought, without what was canceled since. `wanted` and `aside`: units that are to be delivered,
    and of those the ones that are set aside, sent, or a supplier's to send. `allocated_at`: when units were last set
    aside for it. `held`: something keeps it from being released; customers are not told what.
    `is_part`: it was split off from another order. `has_parts`: others were split off from it.
    """

    number: str
    merchant: str
    status: OrderStatus
    allocation_status: AllocationStatus | None
    placed_at: datetime
    now: datetime
    promised_delivery_at: datetime | None = None
    city: str | None = None
    country_code: str | None = None
    held: bool = False
    is_part: bool = False
    has_parts: bool = False
    wanted: int = 0
    aside: int = 0
    allocated_at: datetime | None = None
    ordered: tuple[Goods, ...] = ()
    parts: tuple[JourneyPart, ...] = ()
