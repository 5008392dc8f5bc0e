"""The closed lists of Dibs: every status, cause and policy by its name on the wire."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """What the merchant has decided about the order."""

    DRAFT = "DRAFT"
    FINALIZED = "FINALIZED"
    FULFILLED = "FULFILLED"
    VOID = "VOID"


class AllocationStatus(StrEnum):
    """What allocation has done for the quantities that are still open."""

    UNALLOCATED = "UNALLOCATED"
    ALLOCATED = "ALLOCATED"
    PARTIALLY_ALLOCATED = "PARTIALLY_ALLOCATED"
    COULD_NOT_ALLOCATE = "COULD_NOT_ALLOCATE"
    OVERALLOCATED = "OVERALLOCATED"


class ShippingPolicy(StrEnum):
    """What may be set aside when not everything is there."""

    SHIP_AVAILABLE = "SHIP_AVAILABLE"
    SHIP_COMPLETE = "SHIP_COMPLETE"


class SourcingRule(StrEnum):
    """What makes one location better than another for an order; of several rules the first that is no tie decides."""

    LOCATION_RANK = "LOCATION_RANK"
    NEAREST = "NEAREST"
    FEWEST_SPLITS = "FEWEST_SPLITS"
    MOST_STOCK = "MOST_STOCK"


class NotTakenReason(StrEnum):
    """Why a location gave nothing, or not more."""

    NOT_NEEDED = "NOT_NEEDED"
    INSUFFICIENT_AVAILABLE = "INSUFFICIENT_AVAILABLE"
    LOCATION_NOT_IN_CHANNEL = "LOCATION_NOT_IN_CHANNEL"
    LOCATION_NOT_ASKED_FOR = "LOCATION_NOT_ASKED_FOR"
    SAFETY_STOCK = "SAFETY_STOCK"
    SHIP_COMPLETE_POLICY = "SHIP_COMPLETE_POLICY"
    SPLIT_NOT_ALLOWED = "SPLIT_NOT_ALLOWED"
    BUNDLE_INCOMPLETE = "BUNDLE_INCOMPLETE"
    HELD_BY_STRONGER_CLAIM = "HELD_BY_STRONGER_CLAIM"


class LocationKind(StrEnum):
    """What sort of place keeps the stock."""

    WAREHOUSE = "WAREHOUSE"
    STORE = "STORE"
    THIRD_PARTY = "THIRD_PARTY"
    DROPSHIP = "DROPSHIP"


class StockQuantity(StrEnum):
    """Which quantity of a stock level is meant."""

    ON_HAND = "ON_HAND"
    DAMAGED = "DAMAGED"
    QUALITY_CONTROL = "QUALITY_CONTROL"
    SAFETY_STOCK = "SAFETY_STOCK"


class AdjustmentReason(StrEnum):
    """Why a person corrects a quantity."""

    COUNT = "COUNT"
    DAMAGE = "DAMAGE"
    LOSS = "LOSS"
    FOUND = "FOUND"
    CORRECTION = "CORRECTION"
    OTHER = "OTHER"


class MovementCause(StrEnum):
    """What wrote a row of the stock ledger."""

    RECEIVED = "RECEIVED"
    COUNT = "COUNT"
    DAMAGE = "DAMAGE"
    LOSS = "LOSS"
    FOUND = "FOUND"
    CORRECTION = "CORRECTION"
    OTHER = "OTHER"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_CANCELED = "TRANSFER_CANCELED"
    SHIPPED = "SHIPPED"
    PICKED_SHORT = "PICKED_SHORT"
    QUALITY_CHECK_FAILED = "QUALITY_CHECK_FAILED"
    RETURNED = "RETURNED"
    RETURN_INSPECTED = "RETURN_INSPECTED"


class SupplyKind(StrEnum):
    """Where a supply comes from."""

    PURCHASE_ORDER = "PURCHASE_ORDER"
    TRANSFER = "TRANSFER"


class SupplyState(StrEnum):
    """Whether a supply is still on its way."""

    EXPECTED = "EXPECTED"
    RECEIVED = "RECEIVED"
    CANCELED = "CANCELED"


class AllocationCause(StrEnum):
    """What moved an order's allocation status."""

    RUN = "RUN"
    EDITED = "EDITED"
    STOCK_RECEIVED = "STOCK_RECEIVED"
    STOCK_ADJUSTED = "STOCK_ADJUSTED"
    STOCK_TRANSFERRED = "STOCK_TRANSFERRED"
    DEALLOCATED = "DEALLOCATED"
    SHIPPED = "SHIPPED"
    CANCELED = "CANCELED"
    DROPSHIPPED = "DROPSHIPPED"
    PICKED = "PICKED"
    PICKED_SHORT = "PICKED_SHORT"
    QUALITY_CHECK_FAILED = "QUALITY_CHECK_FAILED"
    RETURNED = "RETURNED"
    STOCK_RESERVATION = "STOCK_RESERVATION"
    SPLIT = "SPLIT"
    UNPAID = "UNPAID"
    OTHER = "OTHER"


class OrderChange(StrEnum):
    """What happened to an order in one commit."""

    PLACED = "PLACED"
    EDITED = "EDITED"
    FINALIZED = "FINALIZED"
    VOIDED = "VOIDED"
    ALLOCATIONS_CHANGED = "ALLOCATIONS_CHANGED"
    FULFILLED = "FULFILLED"
    SPLIT = "SPLIT"
    RELEASED = "RELEASED"
    RELEASED_IN_PART = "RELEASED_IN_PART"
    FULFILLMENT_CHANGED = "FULFILLMENT_CHANGED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    DROPSHIPPED = "DROPSHIPPED"
    RETURN_CHANGED = "RETURN_CHANGED"
    FOLLOWED_UP = "FOLLOWED_UP"
    PAYMENT_RECORDED = "PAYMENT_RECORDED"
    REFUND_RECORDED = "REFUND_RECORDED"
    HELD = "HELD"
    HOLD_RELEASED = "HOLD_RELEASED"


class PaymentStatus(StrEnum):
    """Whether what an order comes to has been paid."""

    UNPAID = "UNPAID"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


class PaymentKind(StrEnum):
    """Which way the money of a payment went."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    MOVED_IN = "MOVED_IN"
    MOVED_OUT = "MOVED_OUT"


class HoldReason(StrEnum):
    """Why an order may not be released."""

    MANUAL_REVIEW = "MANUAL_REVIEW"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    INCORRECT_ADDRESS = "INCORRECT_ADDRESS"
    CUSTOMIZATION = "CUSTOMIZATION"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    CUSTOMER_REQUEST = "CUSTOMER_REQUEST"
    FULFILLMENT_CANCELED = "FULFILLMENT_CANCELED"
    OTHER = "OTHER"


class RunState(StrEnum):
    """How far a background run is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class AllocationSequence(StrEnum):
    """The sequence in which a run serves orders. Ties: placedAt, then id."""

    PLACED_AT_ASC = "PLACED_AT_ASC"
    PRIORITY_DESC = "PRIORITY_DESC"
    MAX_COMPLETE_ORDERS = "MAX_COMPLETE_ORDERS"
    MAX_COMPLETE_VALUE = "MAX_COMPLETE_VALUE"


class ReservationState(StrEnum):
    """Whether a cart's units are still set aside, and if not, what became of them."""

    ACTIVE = "ACTIVE"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    TAKEN_OVER = "TAKEN_OVER"


class AllocateWhen(StrEnum):
    """When an allocation rule allocates the new orders that it matches."""

    AT_ONCE = "AT_ONCE"
    ON_SCHEDULE = "ON_SCHEDULE"
    NEVER = "NEVER"


class AllocationEnd(StrEnum):
    """Why units that were set aside no longer are: shipped means consumed, everything else means given back."""

    SHIPPED = "SHIPPED"
    DEALLOCATED = "DEALLOCATED"
    EDITED = "EDITED"
    CANCELED = "CANCELED"
    DROPSHIPPED = "DROPSHIPPED"
    PICKED_SHORT = "PICKED_SHORT"
    QUALITY_CHECK_FAILED = "QUALITY_CHECK_FAILED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    UNPAID = "UNPAID"


class WebhookDeliveryState(StrEnum):
    """What has become of one event for one endpoint."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class FulfillmentStatus(StrEnum):
    """How far an order's goods are: derived from its fulfillments."""

    NOT_RELEASED = "NOT_RELEASED"
    RELEASED = "RELEASED"
    PICKING = "PICKING"
    PACKED = "PACKED"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"


class FulfillmentState(StrEnum):
    """How far the goods of one fulfillment are."""

    RELEASED = "RELEASED"
    PICKING = "PICKING"
    PICKED = "PICKED"
    CHECKED = "CHECKED"
    PACKED = "PACKED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELED = "CANCELED"


class FulfillmentKind(StrEnum):
    """Who sends the goods: a location of ours from its stock, or a supplier from theirs."""

    STOCK = "STOCK"
    DROPSHIP = "DROPSHIP"


class PickTaskState(StrEnum):
    """Whether a task is still to be done."""

    OPEN = "OPEN"
    DONE = "DONE"
    CANCELED = "CANCELED"


class PickMode(StrEnum):
    """How pickers walk: for one fulfillment, for several at once, or for all that shall leave together."""

    SINGLE = "SINGLE"
    BATCH = "BATCH"
    WAVE = "WAVE"


class ShortReason(StrEnum):
    """Why a picker could not pick all."""

    NOT_FOUND = "NOT_FOUND"
    DAMAGED = "DAMAGED"


class CheckFailure(StrEnum):
    """What is wrong with units that failed the quality check."""

    DAMAGED = "DAMAGED"
    DEFECTIVE = "DEFECTIVE"
    WRONG_ITEM = "WRONG_ITEM"
    INCOMPLETE = "INCOMPLETE"
    OTHER = "OTHER"


class ReturnState(StrEnum):
    """How far goods that come back are."""

    REQUESTED = "REQUESTED"
    RECEIVED = "RECEIVED"
    INSPECTED = "INSPECTED"
    CANCELED = "CANCELED"


class ReturnReason(StrEnum):
    """Why goods come back, as the customer says."""

    DAMAGED = "DAMAGED"
    DEFECTIVE = "DEFECTIVE"
    WRONG_ITEM = "WRONG_ITEM"
    NOT_AS_DESCRIBED = "NOT_AS_DESCRIBED"
    UNWANTED = "UNWANTED"
    ARRIVED_LATE = "ARRIVED_LATE"
    UNDELIVERABLE = "UNDELIVERABLE"
    OTHER = "OTHER"


class InspectionOutcome(StrEnum):
    """What becomes of units that came back."""

    RESELL = "RESELL"
    QUARANTINE = "QUARANTINE"
    DISCARD = "DISCARD"


class FollowUpOutcome(StrEnum):
    """What was heard of a customer after delivery."""

    SATISFIED = "SATISFIED"
    ISSUE_FOUND = "ISSUE_FOUND"
    NOT_REACHED = "NOT_REACHED"
    OTHER = "OTHER"


class ReleaseObstacle(StrEnum):
    """What keeps an order from being released."""

    ON_HOLD = "ON_HOLD"
    PAYMENT_NOT_VERIFIED = "PAYMENT_NOT_VERIFIED"
    ADDRESS_INCOMPLETE = "ADDRESS_INCOMPLETE"
    NOT_ALLOCATED = "NOT_ALLOCATED"
    PARTIALLY_ALLOCATED = "PARTIALLY_ALLOCATED"
    OVERALLOCATED = "OVERALLOCATED"


class PickOutcome(StrEnum):
    """What became of a picker's command."""

    APPLIED = "APPLIED"
    ALREADY_APPLIED = "ALREADY_APPLIED"
    CONFLICT = "CONFLICT"


class PickObstacle(StrEnum):
    """Why a pick was not recorded: what has changed meanwhile, or what does not match."""

    VERSION_CHANGED = "VERSION_CHANGED"
    TASK_ENDED = "TASK_ENDED"
    CLAIMED_BY_ANOTHER = "CLAIMED_BY_ANOTHER"
    MORE_THAN_ASKED_FOR = "MORE_THAN_ASKED_FOR"
    WRONG_BARCODE = "WRONG_BARCODE"
    NOT_ON_HAND = "NOT_ON_HAND"


class AlertKind(StrEnum):
    """What people are alerted to."""

    ORDER_ALLOCATED = "ORDER_ALLOCATED"
    ORDER_OVERALLOCATED = "ORDER_OVERALLOCATED"
    ORDER_NOT_ALLOCATED = "ORDER_NOT_ALLOCATED"
    ORDER_NOT_SHIPPED = "ORDER_NOT_SHIPPED"
    STOCK_RUNNING_OUT = "STOCK_RUNNING_OUT"


class MailTopic(StrEnum):
    """What a mail tells of."""

    ORDER_PLACED = "ORDER_PLACED"
    ORDER_ALLOCATED = "ORDER_ALLOCATED"
    ORDER_CANCELED = "ORDER_CANCELED"
    ORDER_RELEASED = "ORDER_RELEASED"
    ORDER_SHIPPED = "ORDER_SHIPPED"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    ALERT_RAISED = "ALERT_RAISED"
    ALERT_RESOLVED = "ALERT_RESOLVED"


class MailAudience(StrEnum):
    """Who reads a mail."""

    CUSTOMER = "CUSTOMER"
    TEAM = "TEAM"


class MailState(StrEnum):
    """What has become of a mail."""

    PENDING = "PENDING"
    SENT = "SENT"
    DEAD = "DEAD"


class JourneyStage(StrEnum):
    """The stages of an order as its customer sees them."""

    PLACED = "PLACED"
    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"


class StageProgress(StrEnum):
    """How much of an order has come through a stage."""

    TO_COME = "TO_COME"
    PARTLY = "PARTLY"
    DONE = "DONE"


class Punctuality(StrEnum):
    """Whether an order comes when it was promised, or else when it was estimated."""

    NO_DATE = "NO_DATE"
    EXPECTED = "EXPECTED"
    EXPECTED_LATE = "EXPECTED_LATE"
    LATE = "LATE"
    CAME_IN_TIME = "CAME_IN_TIME"
    CAME_LATE = "CAME_LATE"


class OrderNeed(StrEnum):
    """What the warehouse has to do for an order."""

    PICK_AND_PACK = "PICK_AND_PACK"
    SHIP = "SHIP"


class NoTrackingUrl(StrEnum):
    """Why an order has no tracking link."""

    PUBLIC_URL_NOT_SET = "PUBLIC_URL_NOT_SET"
    ORDER_IS_DRAFT = "ORDER_IS_DRAFT"


class TimelineKind(StrEnum):
    """What an entry of an order's timeline is about."""

    ORDER = "ORDER"
    PAYMENT = "PAYMENT"
    HOLD = "HOLD"
    ALLOCATION = "ALLOCATION"
    FULFILLMENT = "FULFILLMENT"
    RETURN = "RETURN"
    EXPECTATION = "EXPECTATION"


class TrackingStatus(StrEnum):
    """What a carrier says of a parcel, in the words that carriers share."""

    UNKNOWN = "UNKNOWN"
    PRE_TRANSIT = "PRE_TRANSIT"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    FAILURE = "FAILURE"
    RETURN_TO_SENDER = "RETURN_TO_SENDER"
    DELIVERED = "DELIVERED"


class TrackingOutcome(StrEnum):
    """What became of a carrier's event."""

    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    REFUSED = "REFUSED"
