"""What happened, in the past tense. One catalogue for subscriptions, webhooks and `events(after:)`.

`type_version` rises when a reader of the version before would misread the event; a field more is no reason. All are
at 1 so far, so the log does not store it: whoever makes a 2 stores it with the event, and reads a row without as 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from domain.ids import AlertId, EndpointId, FulfillmentId, OrderId, PickTaskId, ReturnId, RunId, SupplyId
from domain.kinds import (
    AlertKind,
    AllocationCause,
    AllocationStatus,
    FulfillmentState,
    HoldReason,
    OrderChange,
    ReturnState,
    RunState,
    SupplyKind,
    SupplyState,
    TrackingStatus,
)
from domain.making import quickly_made


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """Something happened to an order; one version of it is one commit.

    `skus`: those that the change concerns. `locations`: those where the order held or holds a claim.
    """

    order_id: OrderId
    order_number: str
    channel_code: str
    order_version: int
    skus: tuple[str, ...]
    locations: tuple[str, ...]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged(OrderEvent):
    """Every version of an order has exactly one of these.

    `actors`: who made each of the changes, in their sequence; empty in events from before that was written down.
    `holds_placed` and `holds_ended`: for which reasons.
    """

    type: ClassVar[str] = "OrderChanged"
    type_version: ClassVar[int] = 1
    changes: tuple[OrderChange, ...]
    actors: tuple[str, ...] = ()
    holds_placed: tuple[HoldReason, ...] = ()
    holds_ended: tuple[HoldReason, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationStatusChanged(OrderEvent):
    """An order's allocation status changed, and why. `actor`: who did what moved it; None in older events."""

    type: ClassVar[str] = "AllocationStatusChanged"
    type_version: ClassVar[int] = 1
    before: AllocationStatus | None
    after: AllocationStatus | None
    cause: AllocationCause
    actor: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevelChanged:
    """A stock level changed; its quantities after the change."""

    type: ClassVar[str] = "StockLevelChanged"
    type_version: ClassVar[int] = 1
    sku: str
    location_code: str
    version: int
    on_hand: int
    committed: int
    unavailable: int
    available: int
    overallocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRunProgressed:
    """A background run began, went on or ended; how far it was then. One a commit of the run."""

    type: ClassVar[str] = "AllocationRunProgressed"
    type_version: ClassVar[int] = 1
    run_id: RunId
    run_version: int
    state: RunState
    dry_run: bool
    processed: int
    total: int
    outcomes: Mapping[str, int]
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyChanged:
    """A supply is expected, comes at another time, or came, or does not come; one version of it is one commit.

    `locations`: where it is expected, and where it was sent from. `expected_at_before`: None where it is new.
    """

    type: ClassVar[str] = "SupplyChanged"
    type_version: ClassVar[int] = 1
    supply_id: SupplyId
    supply_version: int
    reference: str
    kind: SupplyKind
    state: SupplyState
    location_code: str
    skus: tuple[str, ...]
    locations: tuple[str, ...]
    expected_at: datetime
    expected_at_before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAtChanged:
    """A supply slipped or was called off, and with it the date when a waiting order can be had. No change of the order.

    `skus`: those of the supply that the order waits for. `before` and `after` None: not all of it is expected.
    `actor`: who moved the supply; None in older events.
    """

    type: ClassVar[str] = "ExpectedAtChanged"
    type_version: ClassVar[int] = 1
    order_id: OrderId
    order_number: str
    channel_code: str
    skus: tuple[str, ...]
    supply_id: SupplyId
    supply_reference: str
    before: datetime | None
    after: datetime | None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpointDisabled:
    """Dibs has given a webhook's endpoint up: nothing got through for too long, or it is gone."""

    type: ClassVar[str] = "WebhookEndpointDisabled"
    type_version: ClassVar[int] = 1
    endpoint_id: EndpointId
    endpoint_name: str
    reason: str
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentChanged:
    """Goods of an order went a step further, or back; one version of the fulfillment is one commit.

    `before`: None where the fulfillment is new. `actor`: who moved it, the last where it was several at once; None in
    events from before that was written down.
    """

    type: ClassVar[str] = "FulfillmentChanged"
    type_version: ClassVar[int] = 1
    order_id: OrderId
    order_number: str
    channel_code: str
    fulfillment_id: FulfillmentId
    fulfillment_version: int
    location_code: str
    before: FulfillmentState | None
    after: FulfillmentState
    skus: tuple[str, ...]
    locations: tuple[str, ...]
    carrier: str | None
    tracking_number: str | None
    estimated_ship_at: datetime | None
    estimated_delivery_at: datetime | None
    actor: str | None = None
    tracking_status: TrackingStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTasksChanged:
    """What is to be picked at a location is different: tasks are new, moved to another bin, done or canceled.

    One for everybody who did so in a commit. `actor`: None in events from before that was written down.
    """

    type: ClassVar[str] = "PickTasksChanged"
    type_version: ClassVar[int] = 1
    location_code: str
    task_ids: tuple[PickTaskId, ...]
    skus: tuple[str, ...]
    locations: tuple[str, ...]
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnChanged:
    """Goods of an order shall come back, came back, were inspected or do not come; one version of it is one commit.

    `before`: None where the return is new. The units are of all its lines together: what was asked for and is not
    canceled, what of it came, and what became of that. `actor`: who did it, the last where it was several at once.
    """

    type: ClassVar[str] = "ReturnChanged"
    type_version: ClassVar[int] = 1
    order_id: OrderId
    order_number: str
    channel_code: str
    return_id: ReturnId
    return_version: int
    location_code: str
    before: ReturnState | None
    after: ReturnState
    skus: tuple[str, ...]
    locations: tuple[str, ...]
    requested: int
    received: int
    resold: int
    quarantined: int
    discarded: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """About an alert, and what it is about: an order, or a SKU, at one location or over all.

    `available`: units at the time; None where it is about an order. `endpoints`: the webhook endpoints that are told,
    by name; empty: all that want events of this type.
    """

    alert_id: AlertId
    rule: str
    kind: AlertKind
    order_id: OrderId | None
    order_number: str | None
    channel_code: str | None
    sku: str | None
    location_code: str | None
    available: int | None
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised(AlertEvent):
    """A situation has come up that a rule watches for; once, until it is over."""

    type: ClassVar[str] = "AlertRaised"
    type_version: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved(AlertEvent):
    """The situation is over, or no rule watches for it any more."""

    type: ClassVar[str] = "AlertResolved"
    type_version: ClassVar[int] = 1


Event = (
    OrderChanged
    | AllocationStatusChanged
    | StockLevelChanged
    | AllocationRunProgressed
    | SupplyChanged
    | ExpectedAtChanged
    | WebhookEndpointDisabled
    | FulfillmentChanged
    | PickTasksChanged
    | ReturnChanged
    | AlertRaised
    | AlertResolved
)
CATALOGUE: Mapping[str, type[Event]] = {
    event.type: event
    for event in (
        OrderChanged,
        AllocationStatusChanged,
        StockLevelChanged,
        AllocationRunProgressed,
        SupplyChanged,
        ExpectedAtChanged,
        WebhookEndpointDisabled,
        FulfillmentChanged,
        PickTasksChanged,
        ReturnChanged,
        AlertRaised,
        AlertResolved,
    )
}


OF_A_CHANNEL = frozenset({"OrderChanged", "AllocationStatusChanged", "FulfillmentChanged", "ReturnChanged"})
"""Events that are about a channel's own, `channel_code`, and tell of nothing else."""
OF_A_LOCATION = frozenset(
    {"StockLevelChanged", "SupplyChanged", "FulfillmentChanged", "PickTasksChanged", "ReturnChanged"}
)
"""Events that are about a location's own, `location_code`, and tell of nothing else.

Who is limited is told of these and of no other: an order is known at a location by what is sent from there.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event as the log holds it: `position` is public and dense; `id` is unique, not dense."""

    id: int
    position: int
    occurred_at: Any
    event: Event
