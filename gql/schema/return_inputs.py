"""What callers send about returns and follow-ups."""

import strawberry
from strawberry import UNSET

from domain.kinds import FollowUpOutcome, InspectionOutcome, ReturnReason, ReturnState
from gql.schema.inputs import KEY, OrderBy, _


@strawberry.input(description="Which returns; every condition that is given must hold.")
class ReturnFilter:
    orders: list[strawberry.ID] | None = _("Of one of these orders.", default=UNSET)
    locations: list[str] | None = _("Coming back to one of these locations, by code.", default=UNSET)
    states: list[ReturnState] | None = _("In one of these states.", default=UNSET)
    reasons: list[ReturnReason] | None = _("With a line that comes back for one of these reasons.", default=UNSET)


@strawberry.input(description="Units of an order line that shall come back.")
class RequestReturnLineInput:
    line: strawberry.ID = _("The order line.")
    quantity: int = _("How many units; they must have left, and not come back already.")
    reason: ReturnReason = _("Why. A line may stand here once for each reason.")
    note: str | None = _("What the customer says, at most 2,000 characters.", default=UNSET)


@strawberry.input(description="Goods of an order that shall come back.")
class RequestReturnInput:
    order: OrderBy = _("Which order.")
    location: str = _("Where they come back to, by code.")
    lines: list[RequestReturnLineInput] = _("1 to 2,000 lines.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="Units of a return line that came.")
class ReceiveReturnLineInput:
    line: strawberry.ID = _("The return's line.")
    quantity: int = _("How many units.")


@strawberry.input(description="Goods that came back. They are no stock before they are inspected.")
class ReceiveReturnInput:
    return_: strawberry.ID = _("Which return.", name="return")
    lines: list[ReceiveReturnLineInput] | None = _("What came; all that was still to come, when absent.", default=UNSET)
    location: str | None = _("Where it came, by code; where it was expected, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Units of a return line that somebody has looked at.")
class InspectReturnLineInput:
    line: strawberry.ID = _("The return's line. It may stand here more than once.")
    quantity: int = _("How many units.")
    outcome: InspectionOutcome = _("What becomes of them.")
    location: str | None = _(
        "Where they are put, by code; where the return came, when absent. Not for what is discarded.", default=UNSET
    )
    note: str | None = _("What was seen, at most 2,000 characters.", default=UNSET)


@strawberry.input(description="What was seen in goods that came back: all of them, or some for now.")
class InspectReturnInput:
    return_: strawberry.ID = _("Which return.", name="return")
    lines: list[InspectReturnLineInput] = _("1 to 2,000 lines.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A return of which nothing, or nothing more, is expected.")
class CancelReturnInput:
    return_: strawberry.ID = _("Which return.", name="return")
    reason: str | None = _("Why, for people.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="What was heard of a customer after delivery.")
class RecordFollowUpInput:
    order: OrderBy = _("Which order.")
    outcome: FollowUpOutcome = _("What came of it.")
    note: str | None = _("What the customer said, or what was found, at most 2,000 characters.", default=UNSET)
    idempotency_key: str = _(KEY)
