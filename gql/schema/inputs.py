"""What callers send. In filters an absent or null field is no condition, and an empty list matches nothing.

In save and edit inputs an absent field leaves the value, and null clears it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import (
    AdjustmentReason,
    AllocateWhen,
    AllocationSequence,
    AllocationStatus,
    FulfillmentStatus,
    HoldReason,
    LocationKind,
    OrderNeed,
    OrderStatus,
    PaymentStatus,
    ShippingPolicy,
    SourcingRule,
    StockQuantity,
    WebhookDeliveryState,
)


def _(description: str, **more: Any) -> Any:
    """A field with its sentence; optional ones are absent unless sent."""
    return strawberry.field(description=description, **more)


KEY = "Yours, unique for this mutation: sending the same request again under the same key does nothing twice."


# ---------------------------------------------------------------- naming things


@strawberry.input(description="An order's number within its channel.")
class OrderNumberInput:
    channel: str = _("The channel's code.")
    number: str = _("The order's number.")


@strawberry.input(one_of=True, description="One way to name an order.")
class OrderBy:
    id: strawberry.ID | None = _("By its id.", default=UNSET)
    number: OrderNumberInput | None = _("By channel and number.", default=UNSET)


@strawberry.input(one_of=True, description="One way to name an item.")
class ItemBy:
    id: strawberry.ID | None = _("By its id.", default=UNSET)
    sku: str | None = _("By its SKU.", default=UNSET)
    barcode: str | None = _("By its barcode.", default=UNSET)


@strawberry.input(one_of=True, description="One way to name a location.")
class LocationBy:
    id: strawberry.ID | None = _("By its id.", default=UNSET)
    code: str | None = _("By its code.", default=UNSET)


@strawberry.input(one_of=True, description="One way to name a supply.")
class SupplyBy:
    id: strawberry.ID | None = _("By its id.", default=UNSET)
    reference: str | None = _("By its reference.", default=UNSET)


# ---------------------------------------------------------------- filters


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


# ---------------------------------------------------------------- catalog and stock


@strawberry.input(description="A part of a bundle.")
class BundleComponentInput:
    sku: str = _("What it is; the item may be created in the same call, and cannot be a bundle.")
    units: int = _("How many units of it are in one bundle, 1 to 10,000.")


@strawberry.input(description="An item to create or update, by SKU.")
class ItemInput:
    sku: str = _("Which item.")
    name: str | None = _("What people call it; required for a new item.", default=UNSET)
    barcode: str | None = _("What a scanner reads on it.", default=UNSET)
    components: list[BundleComponentInput] | None = _(
        "What it is made of, which makes it a bundle without stock of its own: 1 to 100, each SKU once; none or null: "
        "it is no bundle. Orders that were placed stay as they are.",
        default=UNSET,
    )


@strawberry.input(description="Items to create or update.")
class SaveItemsInput:
    items: list[ItemInput] = _("1 to 1,000 items, each SKU once.")


@strawberry.input(description="A location to create or update, by code.")
class LocationInput:
    code: str = _("Which location.")
    name: str | None = _("What people call it; required for a new location.", default=UNSET)
    kind: LocationKind | None = _("What sort of place it is; WAREHOUSE when new.", default=UNSET)
    country_code: str | None = _("Two letters of ISO 3166.", default=UNSET)
    region: str | None = _("State, province or county, written as addresses write it.", default=UNSET)
    latitude: float | None = _("Degrees north.", default=UNSET)
    longitude: float | None = _("Degrees east.", default=UNSET)
    rank: int | None = _("Lower is tried first; 100 when new.", default=UNSET)
    handling_hours: int | None = _("Hours from release until goods leave; 24 when new.", default=UNSET)
    transit_hours: int | None = _("Hours from there to the customer; 72 when new.", default=UNSET)
    requires_quality_check: bool | None = _(
        "Whether nothing is packed without a quality check; false when new.", default=UNSET
    )
    address: "AddressInput | None" = _("The sender's, on labels and slips; it replaces the one before.", default=UNSET)


@strawberry.input(description="Locations to create or update.")
class SaveLocationsInput:
    locations: list[LocationInput] = _("1 to 1,000 locations, each code once.")


@strawberry.input(description="A channel to create or update. An absent field keeps its value.")
class ChannelInput:
    code: str = _("Which channel.")
    name: str | None = _("What people call it; required for a new channel.", default=UNSET)
    sourcing: list[SourcingRule] | None = _(
        "Which location serves an order: the first of these rules that is not a tie decides; LOCATION_RANK when new, "
        "and where it is cleared.",
        default=UNSET,
    )
    locations: list[str] | None = _("Codes of the locations that serve it; null: all, also later ones.", default=UNSET)
    split_lines: bool | None = _("Whether one line may be served from several locations; true when new.", default=UNSET)
    releases_by_itself: bool | None = _(
        "Whether its orders are released without anyone asking, once nothing is in the way; false when new.",
        default=UNSET,
    )
    paid_on_arrival: bool | None = _(
        "Whether what comes confirmed from here has been paid: it is recorded as paid in full. False when new.",
        default=UNSET,
    )
    unpaid_orders_expire_after_minutes: int | None = _(
        "How long a confirmed order may stay unpaid, 1 to 527,040 minutes: then its stock is given back, and it is "
        "held; it is never voided. Null: for ever.",
        default=UNSET,
    )


@strawberry.input(description="Channels to create or update.")
class SaveChannelsInput:
    channels: list[ChannelInput] = _("1 to 1,000 channels, each code once.")


@strawberry.input(description="Units of a SKU that arrived.")
class ReceiveLineInput:
    sku: str = _("What arrived.")
    quantity: int = _("How many units; a SKU that is repeated counts as its sum.")


@strawberry.input(description="Goods that arrived at a location.")
class ReceiveStockInput:
    location: str = _("Where, by code.")
    lines: list[ReceiveLineInput] = _("1 to 1,000 lines.")
    supply: SupplyBy | None = _(
        "What the goods belong to: they are counted against its lines, and more may arrive than was announced.",
        default=UNSET,
    )
    reference: str | None = _("Your own note for the stock ledger, such as a delivery's number.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(one_of=True, description="A correction: by a difference, or to a count.")
class StockChangeInput:
    delta: int | None = _("Units to add, or to take away where negative.", default=UNSET)
    counted: int | None = _("Units that were counted.", default=UNSET)


@strawberry.input(description="A correction of one SKU.")
class AdjustLineInput:
    sku: str = _("What is corrected.")
    change: StockChangeInput = _("How.")
    expected_on_hand: int | None = _("Refuse unless on hand is this now.", default=UNSET)


@strawberry.input(description="Corrections of one quantity at a location.")
class AdjustStockInput:
    location: str = _("Where, by code.")
    quantity: StockQuantity = _("Which quantity is corrected.", default=StockQuantity.ON_HAND)
    lines: list[AdjustLineInput] = _("1 to 1,000 lines.")
    reason: AdjustmentReason = _("Why.")
    reference: str | None = _("Your own note for the stock ledger.", default=UNSET)
    idempotency_key: str = _(KEY)


# ---------------------------------------------------------------- orders


@strawberry.input(description="Who buys.")
class CustomerInput:
    name: str | None = _("Their name.", default=UNSET)
    email: str | None = _("Where to write to them.", default=UNSET)
    reference: str | None = _("The channel's own id of them.", default=UNSET)
    phone: str | None = _(
        "In any writing of the address's country, or with + and the country code; kept in E.164.", default=UNSET
    )


@strawberry.input(
    description="Where goods go, or a bill. What is missing for its country is no reason to refuse an order: see "
    "`Order.addressProblems`."
)
class AddressInput:
    name: str | None = _("Who receives them.", default=UNSET)
    line1: str | None = _("Street and number.", default=UNSET)
    line2: str | None = _("Anything else a courier needs.", default=UNSET)
    city: str | None = _("Town or city.", default=UNSET)
    region: str | None = _("State, province or county.", default=UNSET)
    postal_code: str | None = _("Postal code.", default=UNSET)
    country_code: str | None = _("Two letters of ISO 3166.", default=UNSET)
    latitude: float | None = _("Degrees north.", default=UNSET)
    longitude: float | None = _("Degrees east.", default=UNSET)
    phone: str | None = _(
        "In any writing of the country, or with + and the country code; kept in E.164.", default=UNSET
    )


@strawberry.input(description="An exact amount of money.")
class MoneyInput:
    amount: Decimal = _("In units of the currency, not in cents; zero or more.")
    currency_code: str = _("Three letters of ISO 4217.")


@strawberry.input(description="One SKU that is ordered.")
class OrderLineInput:
    sku: str = _("What is ordered; a bundle becomes a line for each of its components.")
    quantity: int = _("How many units, 1 to 1,000,000.")
    unit_price: MoneyInput | None = _("What one unit costs.", default=UNSET)
    reference: str | None = _("Your own id of the line.", default=UNSET)
    discount: MoneyInput | None = _("What is off its whole quantity.", default=UNSET)
    tax: MoneyInput | None = _("On its whole quantity.", default=UNSET)
    customization_note: str | None = _("What is to be made of it, at most 2,000 characters.", default=UNSET)


@strawberry.input(description="Something off the whole order.")
class OrderDiscountInput:
    amount: MoneyInput = _("How much is off.")
    code: str | None = _("The code that the customer used.", default=UNSET)
    description: str | None = _("What it is for.", default=UNSET)


@strawberry.input(description="Money that somebody has verified. Never the data of a card.")
class PaymentInput:
    amount: MoneyInput = _("How much: more than zero, in the order's currency.")
    method: str = _('How, in your words, such as "card" or "bank transfer".')
    reference: str | None = _("The processor's own id, or another.", default=UNSET)
    occurred_at: datetime | None = _("When it happened; now, when absent.", default=UNSET)


@strawberry.input(description="An order to place. All its amounts are of one currency.")
class PlaceOrderInput:
    channel: str = _("Where it comes from, by code; an unknown channel is created.")
    number: str = _("Unique within the channel.")
    draft: bool = _("Keep the order out of allocation until finalizeOrder.", default=False)
    shipping_policy: ShippingPolicy = _(
        "What may be set aside when it is not all there.", default=ShippingPolicy.SHIP_AVAILABLE
    )
    priority: int = _("Higher goes first.", default=0)
    tags: list[str] | None = _("Words to sort by.", default=UNSET)
    placed_at: datetime | None = _("When the customer placed it; now, when absent.", default=UNSET)
    customer: CustomerInput | None = _("Who buys.", default=UNSET)
    ship_to: AddressInput | None = _("Where the goods go.", default=UNSET)
    bill_to: AddressInput | None = _("Where the bill goes; where the goods go, when absent.", default=UNSET)
    discounts: list[OrderDiscountInput] | None = _("What is off the whole order, beside its lines.", default=UNSET)
    shipping_price: MoneyInput | None = _("What shipping costs the customer.", default=UNSET)
    tax: MoneyInput | None = _("On the order itself, beside its lines.", default=UNSET)
    note: str | None = _("What the customer or the channel says, at most 2,000 characters.", default=UNSET)
    promised_delivery_at: datetime | None = _("When the customer was told to have all of it.", default=UNSET)
    payments: list[PaymentInput] | None = _("What has been paid already, 0 to 100 payments.", default=UNSET)
    lines: list[OrderLineInput] = _("1 to 2,000 lines, components of bundles counted; a SKU may stand on several.")
    reservation: strawberry.ID | None = _(
        "The cart's stock reservation: what it holds becomes the order's as far as the order wants it, and the rest is "
        "given back.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="A new quantity for a line.")
class ChangeOrderLineInput:
    line: strawberry.ID = _("Which line.")
    quantity: int = _("The new quantity; 0 cancels the line.")


@strawberry.input(description="A new quantity for a bundle: for all of its components in the order.")
class ChangeOrderBundleInput:
    bundle: strawberry.ID = _("Which bundle, by the id of a line's `bundle`.")
    quantity: int = _("How many bundles; 0 cancels it.")


@strawberry.input(one_of=True, description="A change of a line or a bundle, or a new line.")
class EditOrderLineInput:
    change: ChangeOrderLineInput | None = _(
        "Change a line's quantity; not of a line that is part of a bundle.", default=UNSET
    )
    change_bundle: ChangeOrderBundleInput | None = _("Change a bundle's quantity.", default=UNSET)
    add: OrderLineInput | None = _("Add a line.", default=UNSET)


@strawberry.input(
    description="What shall be different. Lines that are not named stay. What is then allocated beyond a line's "
    "quantity is given back."
)
class EditOrderInput:
    order: OrderBy = _("Which order.")
    expected_version: int | None = _("Refuse unless the order's version is this now.", default=UNSET)
    lines: list[EditOrderLineInput] | None = _("Changes of lines, and new lines.", default=UNSET)
    priority: int | None = _("Higher goes first.", default=UNSET)
    shipping_policy: ShippingPolicy | None = _("What may be set aside when it is not all there.", default=UNSET)
    tags: list[str] | None = _("Words to sort by, all of them.", default=UNSET)
    customer: CustomerInput | None = _("Who buys; fields that are absent stay.", default=UNSET)
    ship_to: AddressInput | None = _("Where the goods go; fields that are absent stay.", default=UNSET)
    bill_to: AddressInput | None = _("Where the bill goes; fields that are absent stay.", default=UNSET)
    discounts: list[OrderDiscountInput] | None = _(
        "What is off the whole order, beside its lines, all of it.", default=UNSET
    )
    shipping_price: MoneyInput | None = _("What shipping costs the customer.", default=UNSET)
    tax: MoneyInput | None = _("On the order itself, beside its lines.", default=UNSET)
    note: str | None = _("What the customer or the channel says, at most 2,000 characters.", default=UNSET)
    promised_delivery_at: datetime | None = _(
        "When the customer was told to have all of it; null: nothing is promised.", default=UNSET
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="Open units of a line that go to the new order.")
class SplitOrderLineInput:
    line: strawberry.ID = _("Which line.")
    quantity: int = _("How many of its open units; what is set aside for the line goes with them first.")


@strawberry.input(one_of=True, description="What goes to the new order.")
class SplitOrderBy:
    lines: list[SplitOrderLineInput] | None = _("These units, each line once.", default=UNSET)
    allocated: bool | None = _(
        "True: all that is set aside and backed by stock, so that it can be shipped; the rest waits in the old order.",
        default=UNSET,
    )


@strawberry.input(description="An order to divide in two.")
class SplitOrderInput:
    order: OrderBy = _("Which order.")
    expected_version: int | None = _("Refuse unless the order's version is this now.", default=UNSET)
    number: str | None = _(
        "The new order's number, unique within the channel; the order's own with -1, -2 and so on, the first that is "
        "free, when absent.",
        default=UNSET,
    )
    by: SplitOrderBy = _("What goes to the new order; something that is open must stay.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A draft to confirm.")
class FinalizeOrderInput:
    order: OrderBy = _("Which order.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="An order to cancel.")
class VoidOrderInput:
    order: OrderBy = _("Which order.")
    reason: str = _("Why, for people.")
    idempotency_key: str = _(KEY)


# ---------------------------------------------------------------- stock reservations


@strawberry.input(description="Units of a SKU that a cart wants.")
class ReserveLineInput:
    sku: str = _("What is wanted.")
    quantity: int = _("How many units, 1 to 1,000,000; a SKU that is repeated counts as its sum.")


@strawberry.input(description="Units to set aside for a cart, all of them or none.")
class ReserveStockInput:
    lines: list[ReserveLineInput] = _("1 to 1,000 lines.")
    locations: list[str] | None = _("Codes of the locations that may be used; all when absent.", default=UNSET)
    channel: str | None = _(
        "Whose cart it is, by code: it is served as orders from this channel are; by rank when absent. An unknown one "
        "is not refused, as orders make channels; it is served by rank. A key that is limited to one channel need not "
        "say.",
        default=UNSET,
    )
    expires_in_seconds: int = _("How long the units are kept, 1 to 86,400 seconds.", default=900)
    idempotency_key: str = _(KEY)


@strawberry.input(description="A stock reservation to give back.")
class ReleaseReservationInput:
    reservation: strawberry.ID = _("Which reservation.")
    idempotency_key: str = _(KEY)


# ---------------------------------------------------------------- allocation


@strawberry.input(description="A line that the run shall look at.")
class AllocateLineInput:
    line: strawberry.ID = _("Which line.")
    quantity: int | None = _(
        "Units that shall be set aside in all when the run is over; all that is open when absent.", default=UNSET
    )


@strawberry.input(description="An order that the run shall serve.")
class AllocateOrderInput:
    order: OrderBy = _("Which order.")
    lines: list[AllocateLineInput] | None = _("Which lines; every open line when absent.", default=UNSET)


@strawberry.input(description="Orders to allocate, in exactly this sequence.")
class AllocateOrdersInput:
    orders: list[AllocateOrderInput] = _("1 to 1,000 orders, each once.")
    locations: list[str] | None = _("Codes of the locations that may be used; all when absent.", default=UNSET)
    smaller_may_pass: bool = _(
        "Where an order does not get all it wants of a SKU: whether a later order may have what is left of it.",
        default=True,
    )
    shipping_policy: ShippingPolicy | None = _(
        "For every order of the run; each order's own when absent.", default=UNSET
    )
    dry_run: bool = _("Say what would happen, and write nothing.", default=False)
    token: str | None = _(
        "What the dry run of this same input gave: do exactly what it said, or be refused with PlanChanged.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY + " Ignored in a dry run.")


@strawberry.input(description="A run over every order that matches.")
class StartAllocationRunInput:
    filter: OrderFilter | None = _(
        "Which orders; all when absent. A key that is limited to channels names some of its own, or means all of them.",
        default=UNSET,
    )
    sequence: AllocationSequence = _("Who is served first.", default=AllocationSequence.PLACED_AT_ASC)
    keep_sequence_for: OrderFilter | None = _(
        "Orders that go first, oldest first, whatever MAX_COMPLETE_ORDERS or MAX_COMPLETE_VALUE choose among the rest.",
        default=UNSET,
    )
    smaller_may_pass: bool = _(
        "Where an order does not get all it wants of a SKU: whether a later order may have what is left of it.",
        default=True,
    )
    shipping_policy: ShippingPolicy | None = _(
        "For every order of the run; each order's own when absent.", default=UNSET
    )
    dry_run: bool = _("Say what would happen, and write nothing but the run itself.", default=False)
    token: str | None = _(
        "What the dry run of this same input gave when it was over (`AllocationRun.token`): do exactly what it said, "
        "or be refused with PlanChanged. Where something moves while the run is at work, it goes no further; see "
        "`AllocationRun.planChanged`.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="A run to stop.")
class CancelAllocationRunInput:
    run: strawberry.ID = _("Which run.")


@strawberry.input(description="A rule for new orders; every criterion that is given must hold.")
class AllocationRuleInput:
    name: str = _("What people call it; each name once.")
    when: AllocateWhen = _("When the orders that match are allocated.")
    every_minutes: int | None = _(
        "For ON_SCHEDULE, and only there: 1 to 1,440; the turns are its multiples, counted from 1970-01-01 00:00 UTC.",
        default=UNSET,
    )
    channels: list[str] | None = _(
        "From one of these channels, by code. An unknown one is not refused, as orders make channels; it matches "
        "nothing until an order comes from it.",
        default=UNSET,
    )
    country_codes: list[str] | None = _("Shipping to one of these countries, of ISO 3166.", default=UNSET)
    regions: list[str] | None = _("Shipping to one of these regions, in any case.", default=UNSET)
    tags: list[str] | None = _("With at least one of these tags.", default=UNSET)
    value_from: MoneyInput | None = _(
        "Worth this or more; an order with a line without a price, or one in another currency, does not match.",
        default=UNSET,
    )
    value_below: MoneyInput | None = _("Worth less than this, in the same currency.", default=UNSET)


@strawberry.input(description="All the rules, in the order in which they are asked: the first that matches decides.")
class SaveAllocationRulesInput:
    rules: list[AllocationRuleInput] = _("0 to 100 rules; they replace all that there were.")


@strawberry.input(description="Orders whose allocation is given back.")
class DeallocateOrdersInput:
    orders: list[OrderBy] = _("1 to 1,000 orders, each once.")
    idempotency_key: str = _(KEY)


# ---------------------------------------------------------------- webhooks


@strawberry.input(description="An endpoint to create or update, by name. An absent field keeps its value.")
class WebhookEndpointInput:
    name: str = _("Which endpoint; yours to choose.")
    url: str | None = _("Where events are posted, https only; required for a new endpoint.", default=UNSET)
    types: list[str] | None = _("Only events of these types, such as OrderChanged; null: all.", default=UNSET)
    channels: list[str] | None = _(
        "Only events about orders from these channels, by code; null: all, also those about no order. An unknown one "
        "is not refused, as orders make channels; nothing matches it until an order comes from it.",
        default=UNSET,
    )
    enabled: bool | None = _("Whether events are sent; true when new. What happens meanwhile waits.", default=UNSET)


@strawberry.input(description="Endpoints to create or update. Saving one also ends its rest after failures.")
class SaveWebhookEndpointsInput:
    endpoints: list[WebhookEndpointInput] = _("1 to 100 endpoints, each name once.")


@strawberry.input(description="An endpoint that gets a new secret.")
class RotateWebhookSecretInput:
    endpoint: str = _("Which endpoint, by name.")
    keep_previous_seconds: int = _(
        "How long the secrets before go on signing beside the new one, 0 to 604,800; a day when absent.", default=86_400
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="An endpoint that goes on elsewhere in the log.")
class ReplayWebhookEventsInput:
    endpoint: str = _("Which endpoint, by name.")
    after: str = _("Every event behind this cursor of the log is delivered, again or for the first time.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="An endpoint to test.")
class SendTestWebhookInput:
    endpoint: str = _("Which endpoint, by name; it may be disabled.")
    idempotency_key: str = _(KEY)
