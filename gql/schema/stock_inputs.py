"""What callers send of stock, and of what carts reserve of it."""

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import AdjustmentReason, StockQuantity
from gql.schema.inputs import KEY, SupplyBy, _


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
