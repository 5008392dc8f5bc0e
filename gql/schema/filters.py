"""What lists are filtered by: an absent or null field is no condition, and an empty list matches nothing."""

from datetime import datetime

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import (
    AllocationStatus,
    FulfillmentStatus,
    HoldReason,
    OrderNeed,
    OrderStatus,
    PaymentStatus,
    WebhookDeliveryState,
)
from gql.schema.inputs import _


@strawberry.input(description="Which orders; every condition that is given must hold.")
class OrderFilter:
    statuses: list[OrderStatus] | None = _("In one of these states.", default=UNSET)
    allocation_statuses: list[AllocationStatus] | None = _("With one of these allocation statuses.", default=UNSET)
    channels: list[str] | None = _("From one of these channels, by code.", default=UNSET)
    skus: list[str] | None = _("With a line of one of these SKUs, or a bundle of one.", default=UNSET)
    locations: list[str] | None = _("Holding an allocation at one of these, by code.", default=UNSET)
    country_codes: list[str] | None = _("Shipping to one of these countries.", default=UNSET)
    tags: list[str] | None = _("With one of these tags.", default=UNSET)
    search: str | None = _("Start of an order number, a customer's name, e-mail or reference.", default=UNSET)
    placed_from: datetime | None = _("Placed at this moment or later.", default=UNSET)
    placed_before: datetime | None = _("Placed before this moment.", default=UNSET)
    fulfillment_statuses: list[FulfillmentStatus] | None = _("Whose goods are this far.", default=UNSET)
    updated_from: datetime | None = _("Changed at this moment or later.", default=UNSET)
    payment_statuses: list[PaymentStatus] | None = _("With one of these payment statuses.", default=UNSET)
    on_hold: bool | None = _("Only orders that something holds, or only those that nothing does.", default=UNSET)
    hold_reasons: list[HoldReason] | None = _("Held for one of these reasons now.", default=UNSET)
    late: bool | None = _(
        "Only orders that are late, or came late, by what was promised; or only those that are not.", default=UNSET
    )
    needs: list[OrderNeed] | None = _("For which the warehouse has one of these to do.", default=UNSET)


@strawberry.input(description="Which items; every condition that is given must hold.")
class ItemFilter:
    skus: list[str] | None = _("With one of these SKUs.", default=UNSET)
    search: str | None = _("Start of a SKU, a barcode, or words of the name.", default=UNSET)


@strawberry.input(description="Which stock levels; every condition that is given must hold.")
class StockLevelFilter:
    skus: list[str] | None = _("Of one of these SKUs.", default=UNSET)
    locations: list[str] | None = _("At one of these locations, by code.", default=UNSET)
    overallocated: bool | None = _("Only levels that are overallocated, or only those that are not.", default=UNSET)


@strawberry.input(description="Which events; every condition that is given must hold.")
class EventFilter:
    types: list[str] | None = _("Of one of these types, such as OrderChanged.", default=UNSET)
    orders: list[strawberry.ID] | None = _("About one of these orders.", default=UNSET)
    channels: list[str] | None = _("About an order from one of these channels, by code.", default=UNSET)
    statuses: list[AllocationStatus] | None = _("That changed an allocation status to one of these.", default=UNSET)
    skus: list[str] | None = _("About one of these SKUs, or an order or a supply with a line of one.", default=UNSET)
    locations: list[str] | None = _(
        "About stock or a supply there, or an order that held or holds a claim there, by code.", default=UNSET
    )
    occurred_from: datetime | None = _("That happened at this moment or later.", default=UNSET)
    occurred_before: datetime | None = _("That happened before this moment.", default=UNSET)


@strawberry.input(description="Which changes of allocation status; every condition that is given must hold.")
class AllocationStatusChangedFilter:
    orders: list[strawberry.ID] | None = _("Of one of these orders.", default=UNSET)
    channels: list[str] | None = _("Of an order from one of these channels, by code.", default=UNSET)
    statuses: list[AllocationStatus] | None = _("To one of these statuses.", default=UNSET)
    skus: list[str] | None = _("Of an order with a line of one of these SKUs.", default=UNSET)
    locations: list[str] | None = _("Of an order that held or holds a claim at one of these, by code.", default=UNSET)


@strawberry.input(description="Which deliveries; every condition that is given must hold.")
class WebhookDeliveryFilter:
    endpoints: list[str] | None = _("To one of these endpoints, by name.", default=UNSET)
    states: list[WebhookDeliveryState] | None = _("In one of these states.", default=UNSET)
