"""The enums of the API: the domain's own, with a sentence for each value."""

from enum import Enum

import strawberry

from domain import kinds
from domain.actions import FulfillmentAction, OrderAction, ReturnAction
from services.invoices import InvoiceScope
from services.ports.orders import OrderSort


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
    PICKED="Goods were picked for another order, and can be taken from it no longer.",
    PICKED_SHORT="A picker found fewer units than there should have been.",
    QUALITY_CHECK_FAILED="Picked units did not pass the quality check.",
    RETURNED="A customer sent goods back.",
    STOCK_RESERVATION="A cart's stock reservation became the order, or ended.",
    SPLIT="Some of an order went to an order of its own.",
    UNPAID="The order was not paid in time.",
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
    RELEASED="The warehouses got the go-ahead for all of it.",
    RELEASED_IN_PART="The warehouses got the go-ahead for what is there; somebody wanted that, though some is short.",
    FULFILLMENT_CHANGED="A fulfillment of it moved on, or back.",
    SHIPPED="Some or all of it left.",
    DELIVERED="Some or all of it arrived.",
    DROPSHIPPED="A supplier sends some or all of it.",
    RETURN_CHANGED="Goods come back, came back or were inspected.",
    FOLLOWED_UP="Something was heard of the customer after delivery.",
    PAYMENT_RECORDED="Money came.",
    REFUND_RECORDED="Money went back.",
    HELD="It may not be released, for one more reason.",
    HOLD_RELEASED="A hold ended.",
)
_publish(
    kinds.FulfillmentStatus,
    NOT_RELEASED="No warehouse has the go-ahead.",
    RELEASED="Approved, and ready to pick, pack and ship.",
    PICKING="Somebody has begun to fetch it.",
    PACKED="All of what was released is in parcels.",
    PARTIALLY_SHIPPED="Some of it has left.",
    SHIPPED="All of it has left.",
    DELIVERED="The customer has all of it.",
)
_publish(
    kinds.FulfillmentKind,
    STOCK="A location of ours, from its stock.",
    DROPSHIP="A supplier, from theirs.",
)
_publish(
    kinds.FulfillmentState,
    RELEASED="The go-ahead is given.",
    PICKING="Some of it was fetched.",
    PICKED="All of it was fetched.",
    CHECKED="It passed the quality check.",
    PACKED="It is in parcels.",
    SHIPPED="The carrier has it.",
    DELIVERED="The customer has it.",
    CANCELED="It stays here.",
)
_publish(
    kinds.PickTaskState,
    OPEN="Still to be fetched.",
    DONE="Fetched, or found to be short.",
    CANCELED="Wanted no longer.",
)
_publish(
    kinds.PickMode,
    SINGLE="One fulfillment.",
    BATCH="Several fulfillments in one round.",
    WAVE="All fulfillments that shall leave together.",
)
_publish(
    kinds.ShortReason,
    NOT_FOUND="They are not there: on hand falls.",
    DAMAGED="They are there and not fit for sale: damaged rises.",
)
_publish(
    kinds.CheckFailure,
    DAMAGED="They are damaged.",
    DEFECTIVE="They do not work.",
    WRONG_ITEM="They are something else.",
    INCOMPLETE="Something is missing.",
    OTHER="Anything else.",
)
_publish(
    kinds.ReleaseObstacle,
    ON_HOLD="Somebody, or a rule, has put it on hold.",
    PAYMENT_NOT_VERIFIED="It is not paid in full.",
    ADDRESS_INCOMPLETE="A carrier could not deliver to the address.",
    NOT_ALLOCATED="Nothing is set aside for it.",
    PARTIALLY_ALLOCATED="Some of it is short.",
    OVERALLOCATED="Stock that was set aside is gone.",
)
_publish(
    kinds.PickObstacle,
    VERSION_CHANGED="The task is not what the picker saw.",
    TASK_ENDED="The task is done, or wanted no longer.",
    CLAIMED_BY_ANOTHER="Another picker has its list.",
    MORE_THAN_ASKED_FOR="Fewer units are asked for.",
    WRONG_BARCODE="What was scanned is something else.",
    NOT_ON_HAND="The ledger has fewer units than were picked: count first.",
)
_publish(
    OrderAction,
    FINALIZE="finalizeOrder.",
    EDIT="editOrder.",
    VOID="voidOrder.",
    ALLOCATE="allocateOrders.",
    DEALLOCATE="deallocateOrders.",
    SPLIT="splitOrder.",
    HOLD="holdOrders.",
    RELEASE_HOLDS="releaseHolds.",
    RELEASE="releaseOrders.",
    DROPSHIP="dropshipOrder.",
    CREATE_INVOICE="createInvoice.",
    RECORD_PAYMENT="recordPayment.",
    RECORD_REFUND="recordRefund.",
    REQUEST_RETURN="requestReturn.",
    RECORD_FOLLOW_UP="recordFollowUp.",
)
_publish(
    FulfillmentAction,
    PICK="recordPicks.",
    CHECK="checkFulfillment.",
    PACK="packFulfillment.",
    SHIP="shipFulfillment.",
    DELIVER="deliverFulfillment.",
    CANCEL="cancelFulfillment.",
)
_publish(
    ReturnAction,
    RECEIVE="receiveReturn.",
    INSPECT="inspectReturn.",
    CANCEL="cancelReturn.",
)
_publish(
    InvoiceScope,
    SHIPPED="What has left and is on no invoice yet.",
    ORDERED="All that was ordered and is on no invoice yet.",
)
_publish(
    kinds.PickOutcome,
    APPLIED="It was recorded now.",
    ALREADY_APPLIED="It was recorded before, under the same command id.",
    CONFLICT="It was not recorded: see the refusal.",
)
_publish(
    kinds.PaymentStatus,
    UNPAID="Nothing was paid of what it comes to.",
    PARTIALLY_PAID="Some of it was paid.",
    PAID="All of it was paid, or it owes nothing.",
    PARTIALLY_REFUNDED="Some of what was paid went back, and what is left does not cover what it comes to.",
    REFUNDED="All that was paid went back.",
)
_publish(
    kinds.PaymentKind,
    PAYMENT="It came.",
    REFUND="It went back.",
    MOVED_IN="It came from the order that this one was split off.",
    MOVED_OUT="It went along with what was split off.",
)
_publish(
    kinds.HoldReason,
    MANUAL_REVIEW="Somebody shall look at it.",
    AWAITING_PAYMENT="It is not paid; the hold ends by itself when it is.",
    SUSPECTED_FRAUD="It may be fraud.",
    INCORRECT_ADDRESS="The address is not right.",
    CUSTOMIZATION="Something is to be made of it first.",
    OUT_OF_STOCK="Something is missing.",
    CUSTOMER_REQUEST="The customer has asked for it.",
    FULFILLMENT_CANCELED="Somebody has canceled a fulfillment of it, and its channel would release it again by itself.",
    OTHER="Anything else; see the note.",
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
    SHIPPED="Goods left for a customer.",
    PICKED_SHORT="A picker found fewer than there should have been, or damaged ones.",
    QUALITY_CHECK_FAILED="Picked goods did not pass the quality check.",
    RETURNED="Goods that a customer sent back were looked at, and kept.",
    RETURN_INSPECTED="Goods that came back were looked at, and put into quality control.",
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
    kinds.ReturnState,
    REQUESTED="Asked for; nothing of it has come yet.",
    RECEIVED="Some or all of it came; something is still to come or to be inspected.",
    INSPECTED="All that came has been inspected, and nothing more is expected.",
    CANCELED="Nothing came, and nothing is expected any more.",
)
_publish(
    kinds.ReturnReason,
    DAMAGED="It arrived damaged.",
    DEFECTIVE="It does not work.",
    WRONG_ITEM="Something else was ordered.",
    NOT_AS_DESCRIBED="It is not what was promised.",
    UNWANTED="The customer has thought better of it.",
    ARRIVED_LATE="It came too late to be of use.",
    UNDELIVERABLE="The carrier brings it back: it could not be delivered, or was not accepted.",
    OTHER="Anything else; see the note.",
)
_publish(
    kinds.InspectionOutcome,
    RESELL="As good as new: on hand from now on, and for sale again.",
    QUARANTINE="To be looked at again: on hand from now on, in quality control.",
    DISCARD="Not fit to be kept: counted, and never on hand.",
)
_publish(
    kinds.FollowUpOutcome,
    SATISFIED="All is well.",
    ISSUE_FOUND="Something is wrong; see the note.",
    NOT_REACHED="The customer could not be reached.",
    OTHER="Anything else; see the note.",
)
_publish(
    kinds.AlertKind,
    ORDER_ALLOCATED="An order became ALLOCATED; over when it no longer is.",
    ORDER_OVERALLOCATED="An order became OVERALLOCATED; over when it no longer is.",
    ORDER_NOT_ALLOCATED="An order was placed so many hours ago, and not all of it is set aside.",
    ORDER_NOT_SHIPPED="An order was released so many hours ago, and nothing of it has left.",
    STOCK_RUNNING_OUT="Of a SKU so many units or fewer are available, at a location or over all.",
)
_publish(
    kinds.MailTopic,
    ORDER_PLACED="An order has come in, or a draft was confirmed.",
    ORDER_ALLOCATED="Everything in the order is set aside, for the first time.",
    ORDER_CANCELED="An order that the customer may know of was canceled.",
    ORDER_RELEASED="The warehouse has the go-ahead, for the first time; with the estimated dates.",
    ORDER_SHIPPED="A fulfillment has left; with carrier and tracking number.",
    ORDER_DELIVERED="A fulfillment has arrived.",
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
_publish(
    kinds.NoTrackingUrl,
    PUBLIC_URL_NOT_SET="Nobody has said where customers reach this server: set DIBS_PUBLIC_URL.",
    ORDER_IS_DRAFT="It is a draft, of which its customer knows nothing yet.",
)
_publish(
    kinds.OrderNeed,
    PICK_AND_PACK="It is released and not packed yet, or it could be released: paid, set aside, and held by nothing.",
    SHIP="All that is here is packed, and only waits for the carrier.",
)
_publish(
    kinds.TimelineKind,
    ORDER="The order itself: placed, edited, confirmed, split, released, canceled, fulfilled.",
    PAYMENT="Money that came or went.",
    HOLD="What keeps it from being released, and what no longer does.",
    ALLOCATION="What is set aside for it.",
    FULFILLMENT="Goods on their way.",
    RETURN="Goods that come back.",
    EXPECTATION="When what it waits for can be had.",
)
_publish(
    kinds.TrackingStatus,
    UNKNOWN="It says something else.",
    PRE_TRANSIT="It knows of the parcel and does not have it yet.",
    IN_TRANSIT="It has the parcel.",
    OUT_FOR_DELIVERY="It should come today.",
    AVAILABLE_FOR_PICKUP="The customer can fetch it.",
    FAILURE="It could not be delivered, or is lost or broken.",
    RETURN_TO_SENDER="It comes back.",
    DELIVERED="The customer has it.",
)
_publish(
    kinds.TrackingOutcome,
    RECORDED="It is written down now.",
    ALREADY_RECORDED="It was written down before; nothing is done twice.",
    REFUSED="It is not written down; the refusal says why.",
)
