"""What callers send of items, locations and channels. An absent field leaves the value, and null clears it."""

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import LocationKind, SourcingRule
from gql.schema.inputs import AddressInput, _


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
