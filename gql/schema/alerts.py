"""Alerts: what is watched for, and what has been seen."""

from datetime import datetime

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import alerts, kinds
from domain.ids import OrderId
from gql.context import Info
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo
from gql.schema.orders import Order


@strawberry.type(description="What is watched for, and who is told. Null is no criterion.")
class AlertRule:
    """A rule."""

    name: str = strawberry.field(description="What people call it, unique.")
    kind: kinds.AlertKind = strawberry.field(description="What is watched for.")
    channels: list[str] | None = strawberry.field(description="Orders from one of these channels, by code.")
    skus: list[str] | None = strawberry.field(description="One of these SKUs.")
    locations: list[str] | None = strawberry.field(
        description="At each of these locations, by code; null: over all locations together."
    )
    units: int | None = strawberry.field(description="For STOCK_RUNNING_OUT: at so many or fewer available.")
    hours: int | None = strawberry.field(
        description="For ORDER_NOT_ALLOCATED and ORDER_NOT_SHIPPED: after so many hours."
    )
    emails: list[str] = strawberry.field(description="Who gets a mail when an alert is raised or resolved.")
    endpoints: list[str] = strawberry.field(
        description="The webhook endpoints that are told, by name, if they want such events; empty: all that do."
    )

    @classmethod
    def of(cls, rule: alerts.AlertRule) -> "AlertRule":
        return cls(
            name=rule.name,
            kind=rule.kind,
            channels=_list(rule.channels),
            skus=_list(rule.skus),
            locations=_list(rule.locations),
            units=rule.units,
            hours=rule.hours,
            emails=list(rule.emails),
            endpoints=list(rule.endpoints),
        )


@strawberry.type(description="A situation that a rule watches for. Kept for 90 days once it is over.")
class Alert(Node):
    """An alert."""

    order_row: strawberry.Private[OrderId | None]
    rule: str = strawberry.field(description="The name of the rule that raised it.")
    kind: kinds.AlertKind = strawberry.field(description="What has come up.")
    sku: str | None = strawberry.field(description="The SKU that it is about; null where it is about an order.")
    location_code: str | None = strawberry.field(
        description="Where; null where it is about an order, or about all locations together."
    )
    available: int | None = strawberry.field(description="Units that were available then; null for an order.")
    raised_at: datetime = strawberry.field(description="When it was seen.")
    resolved_at: datetime | None = strawberry.field(
        description="When it was seen to be over, or its rule was gone; null while it is open."
    )

    @strawberry.field(description="The order that it is about, as it is now; null where it is about a SKU.")
    async def order(self, info: Info) -> Order | None:
        return None if self.order_row is None else await Order.find(info, self.order_row)

    @classmethod
    def of(cls, alert: alerts.Alert) -> "Alert":
        return cls(
            id=global_id("Alert", alert.id),
            order_row=alert.subject.order,
            rule=alert.rule,
            kind=alert.kind,
            sku=alert.subject.sku,
            location_code=alert.subject.location,
            available=alert.available,
            raised_at=alert.raised_at,
            resolved_at=alert.resolved_at,
        )


@strawberry.type(description="An alert and its place in the list.")
class AlertEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this alert.")
    node: Alert = strawberry.field(description="The alert.")


@strawberry.type(description="A page of alerts, the newest first.")
class AlertConnection:
    """A page."""

    edges: list[AlertEdge] = strawberry.field(description="The alerts with their cursors.")
    nodes: list[Alert] = strawberry.field(description="The alerts alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
