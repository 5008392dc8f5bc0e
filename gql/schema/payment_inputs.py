"""What callers send about payments and holds."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import UNSET

from domain.kinds import HoldReason
from gql.schema.inputs import KEY, MoneyInput, OrderBy


def _(description: str, **more: Any) -> Any:
    return strawberry.field(description=description, **more)


@strawberry.input(description="Money that came for an order, verified by whoever sends this. Never the data of a card.")
class RecordPaymentInput:
    order: OrderBy = _("Which order.")
    amount: MoneyInput = _("How much: more than zero, in the order's currency; it may be more than is due.")
    method: str = _('How, in your words, such as "card" or "bank transfer".')
    reference: str | None = _("The processor's own id, or another.", default=UNSET)
    occurred_at: datetime | None = _("When it happened; now, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Money that went back, verified by whoever sends this. Never the data of a card.")
class RecordRefundInput:
    order: OrderBy = _("Which order.")
    amount: MoneyInput = _("How much: more than zero, and at most what was paid and is still kept.")
    method: str = _("How, in your words.")
    reference: str | None = _("The processor's own id, or another.", default=UNSET)
    occurred_at: datetime | None = _("When it happened; now, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Orders that may not be released.")
class HoldOrdersInput:
    orders: list[OrderBy] = _("1 to 1,000 orders, each once.")
    reason: HoldReason = _("Why; an order that is held for this already stays as it is.")
    note: str | None = _("More about it, for people, at most 2,000 characters.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Orders whose holds end.")
class ReleaseHoldsInput:
    orders: list[OrderBy] = _("1 to 1,000 orders, each once.")
    reasons: list[HoldReason] | None = _("Only the holds of these reasons; all holds when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="A rule for new orders; every criterion that is given must hold.")
class HoldRuleInput:
    name: str = _("What people call it; each name once.")
    reason: HoldReason = _("The reason of the hold.")
    note: str | None = _("The note of the hold, at most 2,000 characters.", default=UNSET)
    discount_from: MoneyInput | None = _(
        "This much is off, or more, on the lines and the order together; an order in another currency does not match.",
        default=UNSET,
    )
    discount_percent_from: Decimal | None = _(
        "This much is off, or more, in percent of what the lines cost: more than 0, at most 100.", default=UNSET
    )
    tags: list[str] | None = _("With at least one of these tags.", default=UNSET)
    customized: bool | None = _("True: with a line that has a customizationNote; false: without.", default=UNSET)
    first_order_from: MoneyInput | None = _(
        "Coming to this or more, in the same currency as discountFrom, and the first order of its customer: nobody of "
        "that e-mail has ordered before, and nobody of that reference in its channel. Drafts and void orders do not "
        "count; of an order that names neither, none is known.",
        default=UNSET,
    )


@strawberry.input(description="All the rules: a new order is held by every one that matches.")
class SaveHoldRulesInput:
    rules: list[HoldRuleInput] = _("0 to 100 rules; they replace all that there were.")
