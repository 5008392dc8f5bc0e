"""The enums of the API: the domain's own, with a sentence for each value."""

from enum import Enum

import strawberry

from domain import kinds
from services.ports import OrderSort


def _publish(kind: type[Enum], **values: str) -> None:
    """Make a domain enum a GraphQL enum; every value has its sentence."""
    strawberry.enum(kind, description=(kind.__doc__ or "").strip())
    for value in kind.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_publish(
    kinds.OrderStatus,
    DRAFT="Entered by hand, not yet confirmed: never allocated.",
    FINALIZED="Confirmed and awaiting fulfillment: the only state in which an order can be allocated.",
    FULFILLED="Every quantity that was not canceled has been delivered.",
    VOID="Canceled.",
)
_publish(
    kinds.AllocationStatus,
    UNALLOCATED="No run has looked at it since it was placed, changed or deallocated.",
    ALLOCATED="Everything open is set aside: ready to ship.",
    PARTIALLY_ALLOCATED="Some of it is set aside.",
    COULD_NOT_ALLOCATE="A run looked and could set nothing aside.",
    OVERALLOCATED="Stock that was set aside is no longer there: a person must look.",
)
_publish(
    kinds.ShippingPolicy,
    SHIP_AVAILABLE="What is there is set aside, the rest waits.",
    SHIP_COMPLETE="Everything that is open is set aside, or nothing.",
)
_publish(
    kinds.SourcingRule,
    LOCATION_RANK="The location of the lowest rank.",
    NEAREST="The location that is nearest to the ship-to address: along the great circle where both have coordinates, "
    "or else in the same country and region.",
    FEWEST_SPLITS="Serve the order from as few locations as possible: one, or else two, or else three.",
    MOST_STOCK="The location that has the most units of what the order wants.",
)
_publish(
    kinds.NotTakenReason,
    NOT_NEEDED="Nothing was missing any more when it was its turn.",
    INSUFFICIENT_AVAILABLE="It has too little that is for sale and not set aside.",
    LOCATION_NOT_IN_CHANNEL="It does not serve the order's channel.",
    LOCATION_NOT_ASKED_FOR="The last run over the order was not to use it.",
    SAFETY_STOCK="What it has is kept back as safety stock.",
    SHIP_COMPLETE_POLICY="The order is set aside as a whole or not at all.",
    SPLIT_NOT_ALLOWED="One line must not come from several locations.",
    BUNDLE_INCOMPLETE="Of a bundle only whole ones are set aside, and another component was missing.",
    HELD_BY_STRONGER_CLAIM="What it has is set aside for orders with a stronger claim.",
)
_publish(
    kinds.LocationKind,
    WAREHOUSE="A warehouse of the merchant.",
    STORE="A shop that keeps stock.",
    THIRD_PARTY="A logistics provider's warehouse.",
    DROPSHIP="A supplier that ships to the customer.",
)
_publish(
    kinds.StockQuantity,
    ON_HAND="Everything that is physically there.",
    DAMAGED="On hand, but not fit for sale.",
    QUALITY_CONTROL="On hand, but still to be checked.",
    SAFETY_STOCK="Kept back on purpose; may exceed what is on hand.",
)
_publish(
    kinds.AdjustmentReason,
    COUNT="Somebody counted.",
    DAMAGE="Goods were damaged.",
    LOSS="Goods are gone.",
    FOUND="Goods turned up.",
    CORRECTION="An earlier entry was wrong.",
    OTHER="Anything else.",
)
_publish(
    kinds.AllocationCause,
    RUN="An allocation run.",
    EDITED="The order was edited.",
    STOCK_RECEIVED="Goods arrived.",
    STOCK_ADJUSTED="A stock quantity was corrected.",
    STOCK_TRANSFERRED="Goods were sent to another location, or came back from the way there.",
    DEALLOCATED="Somebody gave the allocation back.",
    SHIPPED="Goods were shipped.",
    CANCELED="An order was canceled.",
    DROPSHIPPED="Goods were dropshipped.",
    STOCK_RESERVATION="A cart's stock reservation became the order, or ended.",
    SPLIT="Some of an order went to an order of its own.",
    OTHER="Anything else.",
)
_publish(
    kinds.OrderChange,
    PLACED="It was placed.",
    EDITED="Its lines or terms were edited.",
    FINALIZED="The draft was confirmed.",
    VOIDED="It was canceled.",
    ALLOCATIONS_CHANGED="What is set aside for it changed, or a run looked at it.",
    FULFILLED="Everything was delivered.",
    SPLIT="Some of it went to an order of its own.",
)


_publish(
    kinds.ReservationState,
    ACTIVE="The units are set aside.",
    RELEASED="Somebody gave the units back.",
    EXPIRED="Its time is over.",
    TAKEN_OVER="It became an order.",
)
_publish(
    kinds.RunState,
    QUEUED="Nobody works on it yet.",
    RUNNING="Somebody works on it.",
    SUCCEEDED="It has looked at every order.",
    FAILED="It could not go on; what it did stays done.",
    CANCELED="Somebody stopped it; what it did stays done.",
)
_publish(
    kinds.AllocationSequence,
    PLACED_AT_ASC="Oldest first.",
    PRIORITY_DESC="Highest priority first, then oldest.",
    MAX_COMPLETE_ORDERS="Whoever makes as many orders complete as can be; never fewer than oldest first.",
    MAX_COMPLETE_VALUE="Whoever makes orders of as much value complete as can be; never less than oldest first.",
)
_publish(
    kinds.MovementCause,
    RECEIVED="Goods arrived.",
    COUNT="Somebody counted.",
    DAMAGE="Goods were damaged.",
    LOSS="Goods are gone.",
    FOUND="Goods turned up, or more arrived than was sent.",
    CORRECTION="An earlier entry was wrong.",
    OTHER="Anything else.",
    TRANSFER_OUT="Goods were sent to another location.",
    TRANSFER_IN="Goods arrived from another location.",
    TRANSFER_CANCELED="Goods came back from the way to another location.",
)
_publish(
    kinds.SupplyKind,
    PURCHASE_ORDER="From a supplier.",
    TRANSFER="From another location of the merchant.",
)
_publish(
    kinds.SupplyState,
    EXPECTED="On its way: some of it is still to come.",
    RECEIVED="Everything has come, or nothing more is waited for.",
    CANCELED="What had not come will not come.",
)
_publish(
    kinds.AllocateWhen,
    AT_ONCE="In the transaction that places or confirms them.",
    ON_SCHEDULE="By a worker, at the next multiple of everyMinutes.",
    NEVER="When somebody asks for it.",
)
_publish(
    kinds.WebhookDeliveryState,
    PENDING="It waits for its turn or its next attempt, or is on its way.",
    DELIVERED="The endpoint has answered that it has it.",
    DEAD="Every attempt failed: it is not tried again, and later events went on without it.",
)
_publish(
    OrderSort,
    PLACED_AT_ASC="Oldest first.",
    PLACED_AT_DESC="Newest first.",
    PRIORITY_DESC="Highest priority first.",
)
_publish(
    kinds.AlertKind,
    ORDER_ALLOCATED="An order became ALLOCATED; over when it no longer is.",
    ORDER_OVERALLOCATED="An order became OVERALLOCATED; over when it no longer is.",
    ORDER_NOT_ALLOCATED="An order was placed so many hours ago, and not all of it is set aside.",
    STOCK_RUNNING_OUT="Of a SKU so many units or fewer are available, at a location or over all.",
)
_publish(
    kinds.MailTopic,
    ORDER_PLACED="An order has come in, or a draft was confirmed.",
    ORDER_ALLOCATED="Everything in the order is set aside, for the first time.",
    ORDER_CANCELED="An order that the customer may know of was canceled.",
    ALERT_RAISED="A rule of alerts has seen something.",
    ALERT_RESOLVED="What a rule of alerts had seen is over.",
)
_publish(
    kinds.MailAudience,
    CUSTOMER="Whoever ordered.",
    TEAM="The merchant's own people.",
)
_publish(
    kinds.MailState,
    PENDING="Still to be sent, for the first time or again.",
    SENT="The mail server has taken it.",
    DEAD="It cannot be sent, or every attempt failed.",
)
