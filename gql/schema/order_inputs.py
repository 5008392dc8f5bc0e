"""What callers send of orders. An absent field of an edit leaves the value, and null clears it."""

from datetime import datetime

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import ShippingPolicy
from gql.schema.inputs import KEY, AddressInput, MoneyInput, OrderBy, _


@strawberry.input(description="Who buys.")
class CustomerInput:
    name: str | None = _("Their name.", default=UNSET)
    email: str | None = _("Where to write to them.", default=UNSET)
    reference: str | None = _("The channel's own id of them.", default=UNSET)
    phone: str | None = _(
        "In any writing of the address's country, or with + and the country code; kept in E.164.", default=UNSET
    )


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
