"""Webhooks: where events are posted to, and what became of each."""

import base64
from datetime import datetime

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import kinds, webhooks
from gql.schema.events import log_cursor
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo


@strawberry.type(description="Where events are posted to, signed as Standard Webhooks has it.")
class WebhookEndpoint(Node):
    """An endpoint."""

    name: str = strawberry.field(description="Unique, given by the merchant.")
    url: str = strawberry.field(description="Where events are posted.")
    types: list[str] | None = strawberry.field(description="The types of events that it wants; null: all.")
    channels: list[str] | None = strawberry.field(
        description="The channels whose orders it wants to hear about, by code; null: everything."
    )
    enabled: bool = strawberry.field(description="Whether events are sent.")
    disabled_reason: str | None = strawberry.field(description="Why Dibs has given it up; null where it has not.")
    cursor: str = strawberry.field(description="How far into the log its deliveries have been made up.")
    pending: int = strawberry.field(description="Deliveries that have not ended.")
    failures: int = strawberry.field(description="Attempts that failed since anything last got through.")
    failing_since: datetime | None = strawberry.field(description="The first of these failures; null where none did.")
    created_at: datetime = strawberry.field(description="When it was created.")

    @classmethod
    def of(cls, endpoint: webhooks.Endpoint) -> "WebhookEndpoint":
        return cls(
            id=global_id("WebhookEndpoint", endpoint.id),
            name=endpoint.name,
            url=endpoint.url,
            types=None if endpoint.types is None else list(endpoint.types),
            channels=None if endpoint.channels is None else list(endpoint.channels),
            enabled=endpoint.enabled,
            disabled_reason=endpoint.disabled_reason,
            cursor=log_cursor(endpoint.position),
            pending=endpoint.pending,
            failures=endpoint.failures,
            failing_since=endpoint.failing_since,
            created_at=endpoint.created_at,
        )


@strawberry.type(description="What signs the webhooks of an endpoint.")
class WebhookEndpointSecret:
    """A secret, shown once."""

    endpoint: str = strawberry.field(description="The endpoint's name.")
    secret: str = strawberry.field(description="whsec_ and base64, as the libraries of Standard Webhooks take it.")


def written(secret: bytes) -> str:
    """A secret as receivers configure it."""
    return "whsec_" + base64.b64encode(secret).decode()


@strawberry.type(description="One request to an endpoint.")
class WebhookAttempt:
    """An attempt."""

    number: int = strawberry.field(description="1 for the first.")
    at: datetime = strawberry.field(description="When it began.")
    duration_ms: int = strawberry.field(description="How long it took, in milliseconds.")
    status: int | None = strawberry.field(description="The HTTP status of the answer; null where there was none.")
    error: str | None = strawberry.field(description="Why it counts as failed, for people; null where it does not.")


@strawberry.type(description="One event for one endpoint, or a test. Kept for 7 days once it has ended, 30 if dead.")
class WebhookDelivery(Node):
    """A delivery."""

    endpoint: WebhookEndpoint = strawberry.field(description="Where it goes.")
    event_type: str = strawberry.field(description="The type of the event; WebhookTest for a test.")
    event_id: strawberry.ID | None = strawberry.field(description="The event; null for a test.")
    event_cursor: str | None = strawberry.field(description="The event's place in the log; null for a test.")
    state: kinds.WebhookDeliveryState = strawberry.field(description="What has become of it.")
    attempts: list[WebhookAttempt] = strawberry.field(description="Every request that was made, the first one first.")
    created_at: datetime = strawberry.field(description="When it was made up from the log.")
    due_at: datetime | None = strawberry.field(
        description="When it may be tried next; null where it is on its way or has ended."
    )
    ended_at: datetime | None = strawberry.field(description="When it was delivered or given up.")

    @classmethod
    def of(cls, delivery: webhooks.Delivery) -> "WebhookDelivery":
        return cls(
            id=global_id("WebhookDelivery", delivery.id),
            endpoint=WebhookEndpoint.of(delivery.endpoint),
            event_type=delivery.type,
            event_id=None if delivery.event is None else global_id("Event", delivery.event),
            event_cursor=None if delivery.position is None else log_cursor(delivery.position),
            state=delivery.state,
            attempts=[
                WebhookAttempt(
                    number=one.number, at=one.at, duration_ms=one.duration_ms, status=one.status, error=one.error
                )
                for one in delivery.attempts
            ],
            created_at=delivery.created_at,
            due_at=delivery.due_at,
            ended_at=delivery.ended_at,
        )


@strawberry.type(description="A delivery and its place in the list.")
class WebhookDeliveryEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this delivery.")
    node: WebhookDelivery = strawberry.field(description="The delivery.")


@strawberry.type(description="A page of deliveries, the newest first.")
class WebhookDeliveryConnection:
    """A page."""

    edges: list[WebhookDeliveryEdge] = strawberry.field(description="The deliveries with their cursors.")
    nodes: list[WebhookDelivery] = strawberry.field(description="The deliveries alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
