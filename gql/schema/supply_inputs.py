"""What callers send about supplies and counts."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.kinds import SupplyState
from gql.schema.inputs import KEY, SupplyBy, _


@strawberry.input(description="Which supplies; every condition that is given must hold.")
class SupplyFilter:
    skus: list[str] | None = _("With a line of one of these SKUs.", default=UNSET)
    locations: list[str] | None = _("Expected at one of these locations, by code.", default=UNSET)
    states: list[SupplyState] | None = _("In one of these states.", default=UNSET)
    expected_before: datetime | None = _("Expected before this moment.", default=UNSET)


@strawberry.input(description="Units of a SKU that a supply brings.")
class SupplyLineInput:
    sku: str = _("What comes.")
    quantity: int = _("How many units; a SKU that is repeated counts as its sum.")


@strawberry.input(description="A purchase order that goods are expected of.")
class ExpectSupplyInput:
    reference: str = _("Your own name of it, such as a PO number; unique among supplies.")
    location: str = _("Where it is expected, by code.")
    expected_at: datetime = _("When it is expected.")
    lines: list[SupplyLineInput] = _("1 to 1,000 lines.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="Goods that are sent from one location to another.")
class StartTransferInput:
    reference: str = _("Your own name of it; unique among supplies.")
    from_: str = _("Where the goods are now, by code.", name="from")
    to: str = _("Where they go, by code.")
    expected_at: datetime = _("When they are expected there.")
    lines: list[SupplyLineInput] = _("1 to 1,000 lines.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A new date for a supply.")
class RescheduleSupplyInput:
    supply: SupplyBy = _("Which supply.")
    expected_at: datetime = _("When it is expected now.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A supply of which nothing more comes.")
class CancelSupplyInput:
    supply: SupplyBy = _("Which supply.")
    reason: str = _("Why, for people.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A supply of which nothing more is waited for.")
class CloseSupplyInput:
    supply: SupplyBy = _("Which supply.")
    reason: str = _("Why, for people.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="Units of a SKU that were counted.")
class CountLineInput:
    sku: str = _("What was counted.")
    counted: int = _("How many units were on hand.")


@strawberry.input(description="What was on hand at a location at one moment.")
class CountStockInput:
    location: str = _("Where, by code.")
    counted_at: datetime = _("When, by your clock: not in the future, and 30 days ago at most.")
    lines: list[CountLineInput] = _("1 to 1,000 lines, each SKU once.")
    reference: str | None = _("Your own note for the stock ledger.", default=UNSET)
    idempotency_key: str = _(KEY)
