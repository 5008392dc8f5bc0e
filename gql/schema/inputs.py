"""What inputs share: how things are named, addresses, and money."""

from decimal import Decimal
from typing import Any

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)


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
