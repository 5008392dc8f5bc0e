"""What happened. The same events, in the same order, in subscriptions and in `events`."""

from datetime import datetime
from typing import Any

import strawberry

from domain import events, kinds
from domain.ids import FulfillmentId, OrderId, PickTaskId, ReturnId, SupplyId
from gql.context import Info
from gql.schema.allocation import AllocationRun
from gql.schema.fulfillments import Fulfillment, PickTask
from gql.schema.ids import cursor, global_id
from gql.schema.nodes import PageInfo
from gql.schema.orders import Order
from gql.schema.returns import Return
from gql.schema.supplies import Supply


@strawberry.interface(description="Something that happened, with its place in the log.")
class Event:
    """Something that happened."""

    id: strawberry.ID = strawberry.field(description="Unique among events; the same wherever the event is told.")
    cursor: str = strawberry.field(description="Give it as `after` to continue behind this event.")
    occurred_at: datetime = strawberry.field(description="When it happened, by the database's clock.")


@strawberry.type(description="An order's allocation status changed, and why.")
class AllocationStatusChanged(Event):
    """An allocation status moved."""

    order_row: strawberry.Private[OrderId]
    order_id: strawberry.ID = strawberry.field(description="The order's id.")
    order_number: str = strawberry.field(description="The order's number, unique within its channel.")
    channel_code: str = strawberry.field(description="Where the order came from.")
    order_version: int = strawberry.field(description="The order's version that this made.")
    before: kinds.AllocationStatus | None = strawberry.field(description="The status before.")
    after: kinds.AllocationStatus | None = strawberry.field(description="The status after.")
    cause: kinds.AllocationCause = strawberry.field(description="Why it changed.")
    actor: str | None = strawberry.field(description="Who did what moved it; null in events from before that was kept.")

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order | None:
        return await Order.find(info, self.order_row)


@strawberry.type(description="Every version of an order has exactly one of these.")
class OrderChanged(Event):
    """An order changed."""

    order_row: strawberry.Private[OrderId]
    order_id: strawberry.ID = strawberry.field(description="The order's id.")
    order_number: str = strawberry.field(description="The order's number, unique within its channel.")
    channel_code: str = strawberry.field(description="Where the order came from.")
    order_version: int = strawberry.field(description="The order's version that this made.")
    changes: list[kinds.OrderChange] = strawberry.field(description="What happened in this version.")
    actors: list[str] = strawberry.field(
        description="Who made each of the changes, in their sequence; empty in events from before that was kept."
    )
    holds_placed: list[kinds.HoldReason] = strawberry.field(description="For which reasons it is held since then.")
    holds_ended: list[kinds.HoldReason] = strawberry.field(description="For which it is no longer.")

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order | None:
        return await Order.find(info, self.order_row)


@strawberry.type(description="A stock level changed; its quantities after the change.")
class StockLevelChanged(Event):
    """A stock level changed."""

    sku: str = strawberry.field(description="Of the item.")
    location_code: str = strawberry.field(description="Where it is kept.")
    version: int = strawberry.field(description="The level's version that this made.")
    on_hand: int = strawberry.field(description="Units that are physically there.")
    committed: int = strawberry.field(description="Units that are set aside for orders.")
    unavailable: int = strawberry.field(description="Units not for sale.")
    available: int = strawberry.field(description="max(0, onHand - unavailable - committed).")
    overallocated: int = strawberry.field(description="max(0, committed - max(0, onHand - unavailable)).")


@strawberry.type(description="A background run began, went on or ended.")
class AllocationRunProgressed(Event):
    """A background run moved."""

    run: AllocationRun = strawberry.field(description="How far the run was then.")


@strawberry.type(description="A supply is expected, comes at another time, came, or does not come.")
class SupplyChanged(Event):
    """A supply changed."""

    supply_row: strawberry.Private[SupplyId]
    supply_id: strawberry.ID = strawberry.field(description="The supply's id.")
    supply_version: int = strawberry.field(description="The supply's version that this made.")
    reference: str = strawberry.field(description="The supply's reference.")
    kind: kinds.SupplyKind = strawberry.field(description="Where it comes from.")
    state: kinds.SupplyState = strawberry.field(description="Its state after the change.")
    location_code: str = strawberry.field(description="Where it is expected.")
    skus: list[str] = strawberry.field(description="What it brings.")
    expected_at: datetime = strawberry.field(description="When it is expected after the change.")
    expected_at_before: datetime | None = strawberry.field(
        description="When it was expected before the change; null where it is new."
    )

    @strawberry.field(description="The supply as it is now.")
    async def supply(self, info: Info) -> Supply | None:
        return await Supply.find(info, self.supply_row)


@strawberry.type(
    description="A supply slipped or was called off, and with it the date when a waiting order can be had. The order "
    "itself did not change."
)
class ExpectedAtChanged(Event):
    """An order's date moved."""

    order_row: strawberry.Private[OrderId]
    order_id: strawberry.ID = strawberry.field(description="The order's id.")
    order_number: str = strawberry.field(description="The order's number.")
    channel_code: str = strawberry.field(description="The order's channel.")
    skus: list[str] = strawberry.field(description="What the supply brings and the order waits for.")
    supply_id: strawberry.ID = strawberry.field(description="The supply's id.")
    supply_reference: str = strawberry.field(description="The supply's reference.")
    before: datetime | None = strawberry.field(
        description="When the last of these units could be had before; null: not all of them were expected."
    )
    after: datetime | None = strawberry.field(
        description="When the last of these units can be had now; null: not all of them are expected."
    )
    actor: str | None = strawberry.field(description="Who moved the supply; null in events from before that was kept.")

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order | None:
        return await Order.find(info, self.order_row)


@strawberry.type(description="Dibs has given an endpoint of webhooks up; save it with `enabled: true` to go on.")
class WebhookEndpointDisabled(Event):
    """An endpoint was given up."""

    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint's id.")
    endpoint_name: str = strawberry.field(description="The endpoint's name.")
    reason: str = strawberry.field(description="Why, for people.")
    failures: int = strawberry.field(description="Attempts that failed since anything last got through.")


@strawberry.type(description="Goods of an order went a step further, or back.")
class FulfillmentChanged(Event):
    """A fulfillment changed."""

    order_row: strawberry.Private[OrderId]
    fulfillment_row: strawberry.Private[FulfillmentId]
    order_id: strawberry.ID = strawberry.field(description="The order's id.")
    order_number: str = strawberry.field(description="The order's number, unique within its channel.")
    channel_code: str = strawberry.field(description="Where the order came from.")
    fulfillment_id: strawberry.ID = strawberry.field(description="The fulfillment's id.")
    fulfillment_version: int = strawberry.field(description="The fulfillment's version that this made.")
    location_code: str = strawberry.field(description="Where it is sent from.")
    before: kinds.FulfillmentState | None = strawberry.field(description="The state before; null where it is new.")
    after: kinds.FulfillmentState = strawberry.field(description="The state after.")
    skus: list[str] = strawberry.field(description="What it is of.")
    carrier: str | None = strawberry.field(description="Who carries it.")
    tracking_number: str | None = strawberry.field(description="By which the carrier knows it.")
    estimated_ship_at: datetime | None = strawberry.field(description="When it should leave.")
    estimated_delivery_at: datetime | None = strawberry.field(description="When the customer should have it.")
    actor: str | None = strawberry.field(
        description="Who did it: the last, where it was several at once; null in events from before that was kept."
    )
    tracking_status: kinds.TrackingStatus | None = strawberry.field(
        description="What the carrier had said last of any of its parcels; null: nothing."
    )

    @strawberry.field(description="The fulfillment as it is now.")
    async def fulfillment(self, info: Info) -> Fulfillment | None:
        return await Fulfillment.find(info, self.fulfillment_row)

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order | None:
        return await Order.find(info, self.order_row)


@strawberry.type(description="What is to be picked at a location is different.")
class PickTasksChanged(Event):
    """Pick tasks changed."""

    task_rows: strawberry.Private[tuple[PickTaskId, ...]]
    location_code: str = strawberry.field(description="Where.")
    skus: list[str] = strawberry.field(description="Which SKUs it concerns.")
    actor: str | None = strawberry.field(description="Who did it; null in events from before that was kept.")

    @strawberry.field(description="The tasks that are new, or changed, as they are now.")
    async def tasks(self, info: Info) -> list[PickTask]:
        found = await info.context.loaders.pick_tasks.load_many(self.task_rows)
        return [PickTask.of(task) for task in found if task is not None]


@strawberry.type(description="Goods of an order shall come back, came back, were inspected, or do not come.")
class ReturnChanged(Event):
    """A return changed."""

    order_row: strawberry.Private[OrderId]
    return_row: strawberry.Private[ReturnId]
    order_id: strawberry.ID = strawberry.field(description="The order's id.")
    order_number: str = strawberry.field(description="The order's number, unique within its channel.")
    channel_code: str = strawberry.field(description="Where the order came from.")
    return_id: strawberry.ID = strawberry.field(description="The return's id.")
    return_version: int = strawberry.field(description="The return's version that this made.")
    location_code: str = strawberry.field(description="Where it comes back to.")
    before: kinds.ReturnState | None = strawberry.field(description="The state before; null where it is new.")
    after: kinds.ReturnState = strawberry.field(description="The state after.")
    skus: list[str] = strawberry.field(description="What it is of.")
    requested: int = strawberry.field(description="Units that were asked for and not given up, of all lines.")
    received: int = strawberry.field(description="Units that came.")
    resold: int = strawberry.field(description="Units that are for sale again.")
    quarantined: int = strawberry.field(description="Units that were put into quality control.")
    discarded: int = strawberry.field(description="Units that were thrown away.")
    actor: str = strawberry.field(description="Who did it: the last, where it was several at once.")

    @strawberry.field(description="The return as it is now.", name="return")
    async def returned(self, info: Info) -> Return | None:
        return await Return.find(info, self.return_row)

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order | None:
        return await Order.find(info, self.order_row)


@strawberry.type(description="What an alert is about: an order, or a SKU.")
class AlertSubject:
    """An order or a SKU."""

    order_id: strawberry.ID | None = strawberry.field(description="The order's id; null where it is about a SKU.")
    order_number: str | None = strawberry.field(description="The order's number; null where it is about a SKU.")
    channel_code: str | None = strawberry.field(description="The order's channel; null where it is about a SKU.")
    sku: str | None = strawberry.field(description="The SKU; null where it is about an order.")
    location_code: str | None = strawberry.field(
        description="Where; null where it is about an order, or about all locations together."
    )
    available: int | None = strawberry.field(description="Units that were available then; null for an order.")


@strawberry.interface(description="Something happened to an alert.")
class AlertEvent(Event):
    """About an alert."""

    alert_id: strawberry.ID = strawberry.field(description="The alert's id.")
    alert_kind: kinds.AlertKind = strawberry.field(description="What is watched for.")
    rule: str = strawberry.field(description="The name of the rule.")
    about: AlertSubject = strawberry.field(description="What the alert is about.")
    endpoints: list[str] = strawberry.field(
        description="The webhook endpoints that are told, by name; empty: all that want events of this type."
    )


@strawberry.type(description="A situation has come up that a rule watches for. Once, until it is over.")
class AlertRaised(AlertEvent):
    """An alert was raised."""


@strawberry.type(description="A situation that a rule watches for is over, or the rule is gone.")
class AlertResolved(AlertEvent):
    """An alert is over."""


@strawberry.type(description="An event and its place in the log.")
class EventEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this event.")
    node: Event = strawberry.field(description="The event.")


@strawberry.type(description="A page of the event log, oldest first.")
class EventConnection:
    """A page."""

    edges: list[EventEdge] = strawberry.field(description="The events with their cursors.")
    nodes: list[Event] = strawberry.field(description="The events alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the log.")


def log_cursor(position: int) -> str:
    return cursor("log", [position])


def event_of(logged: events.LoggedEvent) -> Event:
    """The event as the API tells it."""
    event = logged.event
    place: dict[str, Any] = {
        "id": global_id("Event", logged.id),
        "cursor": log_cursor(logged.position),
        "occurred_at": logged.occurred_at,
    }
    if isinstance(event, events.StockLevelChanged):
        return StockLevelChanged(**place, **{name: getattr(event, name) for name in StockLevelChanged.__annotations__})
    if isinstance(event, events.AllocationRunProgressed):
        return AllocationRunProgressed(**place, run=AllocationRun.of(event))
    if isinstance(event, events.SupplyChanged):
        return SupplyChanged(
            **place,
            supply_row=event.supply_id,
            supply_id=global_id("Supply", event.supply_id),
            supply_version=event.supply_version,
            reference=event.reference,
            kind=event.kind,
            state=event.state,
            location_code=event.location_code,
            skus=list(event.skus),
            expected_at=event.expected_at,
            expected_at_before=event.expected_at_before,
        )
    if isinstance(event, events.WebhookEndpointDisabled):
        return WebhookEndpointDisabled(
            **place,
            endpoint_id=global_id("WebhookEndpoint", event.endpoint_id),
            endpoint_name=event.endpoint_name,
            reason=event.reason,
            failures=event.failures,
        )
    if isinstance(event, events.PickTasksChanged):
        return PickTasksChanged(
            **place,
            task_rows=event.task_ids,
            location_code=event.location_code,
            skus=list(event.skus),
            actor=event.actor,
        )
    if isinstance(event, events.AlertEvent):
        return _alert_event(event, place)
    order: dict[str, Any] = {
        "order_row": event.order_id,
        "order_id": global_id("Order", event.order_id),
        "order_number": event.order_number,
        "channel_code": event.channel_code,
    }
    if isinstance(event, events.ExpectedAtChanged):
        return ExpectedAtChanged(
            **place,
            **order,
            skus=list(event.skus),
            supply_id=global_id("Supply", event.supply_id),
            supply_reference=event.supply_reference,
            before=event.before,
            after=event.after,
            actor=event.actor,
        )
    if isinstance(event, events.FulfillmentChanged):
        return FulfillmentChanged(
            **place,
            **order,
            fulfillment_row=event.fulfillment_id,
            fulfillment_id=global_id("Fulfillment", event.fulfillment_id),
            fulfillment_version=event.fulfillment_version,
            location_code=event.location_code,
            before=event.before,
            after=event.after,
            skus=list(event.skus),
            carrier=event.carrier,
            tracking_number=event.tracking_number,
            estimated_ship_at=event.estimated_ship_at,
            estimated_delivery_at=event.estimated_delivery_at,
            actor=event.actor,
            tracking_status=event.tracking_status,
        )
    if isinstance(event, events.ReturnChanged):
        return ReturnChanged(
            **place,
            **order,
            return_row=event.return_id,
            return_id=global_id("Return", event.return_id),
            return_version=event.return_version,
            location_code=event.location_code,
            before=event.before,
            after=event.after,
            skus=list(event.skus),
            requested=event.requested,
            received=event.received,
            resold=event.resold,
            quarantined=event.quarantined,
            discarded=event.discarded,
            actor=event.actor,
        )
    order |= {"order_version": event.order_version}
    if isinstance(event, events.OrderChanged):
        return OrderChanged(
            **place,
            **order,
            changes=list(event.changes),
            actors=list(event.actors),
            holds_placed=list(event.holds_placed),
            holds_ended=list(event.holds_ended),
        )
    return AllocationStatusChanged(
        **place, **order, before=event.before, after=event.after, cause=event.cause, actor=event.actor
    )


def _alert_event(
    event: events.AlertRaised | events.AlertResolved, place: dict[str, Any]
) -> AlertRaised | AlertResolved:
    made = AlertRaised if isinstance(event, events.AlertRaised) else AlertResolved
    about = AlertSubject(
        order_id=None if event.order_id is None else global_id("Order", event.order_id),
        order_number=event.order_number,
        channel_code=event.channel_code,
        sku=event.sku,
        location_code=event.location_code,
        available=event.available,
    )
    return made(
        **place,
        alert_id=global_id("Alert", event.alert_id),
        alert_kind=event.kind,
        rule=event.rule,
        about=about,
        endpoints=list(event.endpoints),
    )
