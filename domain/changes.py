"""What a batch begins with, and what it ends with: facts that were read under the locks, and all that is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.allocation import Held
from domain.bundles import Bundle
from domain.events import Event
from domain.floor import FloorChanges, FloorFacts
from domain.fulfillments import TrackingEvent
from domain.ids import (
    AllocationId,
    FulfillmentId,
    ItemId,
    LineId,
    LocationId,
    OrderId,
    ParcelId,
    ReturnId,
    Sku,
    SupplyId,
)
from domain.kinds import AllocationEnd, FulfillmentStatus, PaymentStatus
from domain.making import quickly_made
from domain.orders import NewLine, NewOrder, Order, OrderLine, OrderTerms
from domain.payments import EndedHold, LineMoney, NewHold, NewPayment
from domain.reservations import NewReservation, Reservation
from domain.returns import Inspection, NewFollowUp, Return
from domain.sourcing import Sourcing
from domain.stock import Location, Movement, StockCount, StockLevel
from domain.supply import Supply, SupplyLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read under the locks: the orders with all their lines and claims, the stock reservations with their
    claims, and the levels of every locked SKU.

    `sourcing` by the channel's code, where it is not by rank. `bundles`: the locked SKUs that are bundles.
    `paid_on_arrival`: codes of the channels whose orders have been paid when they come; `releases_by_itself`: of those
    that release what is ready. `floor`: the fulfillments of those orders that have any. `returns`: of all of its
    orders, where the batch asks for them.
    """

    locations: Mapping[LocationId, Location] = field(default_factory=dict)
    sourcing: Mapping[str, Sourcing] = field(default_factory=dict)
    skus: Mapping[ItemId, Sku] = field(default_factory=dict)
    paid_on_arrival: frozenset[str] = frozenset()
    releases_by_itself: frozenset[str] = frozenset()
    bundles: frozenset[ItemId] = frozenset()
    levels: Sequence[StockLevel] = ()
    orders: Sequence[Order] = ()
    lines: Sequence[OrderLine] = ()
    reservations: Sequence[Reservation] = ()
    claims: Sequence[Held] = ()
    supplies: Sequence[Supply] = ()
    floor: FloorFacts | None = None
    returns: Sequence[Return] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLine:
    """A new line with its id and its position in the order, from 0."""

    line: OrderLine
    position: int
    new: NewLine


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class EndedClaim:
    """`quantity` units of a claim that are set aside no longer, and why. `allocation`: the row that they were in."""

    allocation: AllocationId
    claim: Held
    quantity: int
    reason: AllocationEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class DividedClaim:
    """A new claim that was part of an older one; `allocation`: the row that it comes from."""

    allocation: AllocationId
    claim: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrackingEvent:
    """What a carrier said of a parcel, or of a fulfillment that has none. The same is written down once."""

    fulfillment: FulfillmentId
    parcel: ParcelId | None
    event: TrackingEvent
    actor: str
    request: str


@dataclass(slots=True, kw_only=True)
class Changes:
    """Everything one transaction writes. `resized_lines`: those of `lines` that changed in more than their claims.

    `schedules`: orders that wait for a schedule, each with the minutes between its turns; `unscheduled`: those that
    wait no more. `split_from`: new orders, each with the one that it was part of. `payment_statuses`: of the orders for
    which it is another one than it was, or than PAID where they are new. `currencies`: of orders that had none.
    `return_actors`: who moved a return last.
    """

    placed: list[tuple[Order, NewOrder]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    terms: dict[OrderId, OrderTerms] = field(default_factory=dict)
    void_reasons: dict[OrderId, str] = field(default_factory=dict)
    asked_at: dict[OrderId, tuple[LocationId, ...] | None] = field(default_factory=dict)
    new_bundles: list[Bundle] = field(default_factory=list)
    placed_lines: list[PlacedLine] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    resized_lines: set[LineId] = field(default_factory=set)
    new_reservations: list[NewReservation] = field(default_factory=list)
    ended_reservations: list[Reservation] = field(default_factory=list)
    new_claims: list[Held] = field(default_factory=list)
    divided_claims: list[DividedClaim] = field(default_factory=list)
    changed_claims: list[Held] = field(default_factory=list)
    ended_claims: list[EndedClaim] = field(default_factory=list)
    gone_claims: list[AllocationId] = field(default_factory=list)
    new_levels: list[StockLevel] = field(default_factory=list)
    changed_levels: list[StockLevel] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    counts: list[StockCount] = field(default_factory=list)
    new_supplies: list[Supply] = field(default_factory=list)
    changed_supplies: list[Supply] = field(default_factory=list)
    changed_supply_lines: list[tuple[SupplyId, SupplyLine]] = field(default_factory=list)
    replenished: set[ItemId] = field(default_factory=set)
    schedules: dict[OrderId, int] = field(default_factory=dict)
    unscheduled: list[OrderId] = field(default_factory=list)
    split_from: dict[OrderId, OrderId] = field(default_factory=dict)
    floor: FloorChanges | None = None
    new_returns: list[Return] = field(default_factory=list)
    changed_returns: list[Return] = field(default_factory=list)
    return_actors: dict[ReturnId, str] = field(default_factory=dict)
    inspections: list[Inspection] = field(default_factory=list)
    follow_ups: list[NewFollowUp] = field(default_factory=list)
    tracking: list[NewTrackingEvent] = field(default_factory=list)
    fulfillment_statuses: dict[OrderId, FulfillmentStatus] = field(default_factory=dict)
    finalized: list[OrderId] = field(default_factory=list)
    payments: list[NewPayment] = field(default_factory=list)
    payment_statuses: dict[OrderId, PaymentStatus] = field(default_factory=dict)
    currencies: dict[OrderId, str] = field(default_factory=dict)
    repriced_lines: dict[LineId, LineMoney] = field(default_factory=dict)
    new_holds: list[NewHold] = field(default_factory=list)
    ended_holds: list[EndedHold] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
