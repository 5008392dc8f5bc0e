"""What mutations of payments and holds answer."""

from typing import Annotated

import strawberry

from gql.schema.money import HoldRule
from gql.schema.orders import Order
from gql.schema.refusals import (
    CurrencyMismatch,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    RefundExceedsPayments,
    UserError,
)
from gql.schema.results import ORDER, result


@strawberry.type(description="The payment was recorded.")
class RecordPaymentSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="The refund was recorded.")
class RecordRefundSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="What became of the holds of one order.")
class OrderHoldOutcome:
    index: int = strawberry.field(description="Its place in the input, from 0.")
    order: Order | None = strawberry.field(description="The order as it is now; null where it was not found.")
    changed: bool = strawberry.field(description="Whether anything changed; false where it was so already.")
    refusal: UserError | None = strawberry.field(description="Why nothing was done with it; null where it was.")


@strawberry.type(description="The orders are held.")
class HoldOrdersSuccess:
    results: list[OrderHoldOutcome] = strawberry.field(description="One per order, in the sequence given.")


@strawberry.type(description="The holds ended.")
class ReleaseHoldsSuccess:
    results: list[OrderHoldOutcome] = strawberry.field(description="One per order, in the sequence given.")


@strawberry.type(description="The rules were saved.")
class SaveHoldRulesSuccess:
    rules: list[HoldRule] = strawberry.field(description="All the rules, in the sequence given.")


RecordPaymentResult = Annotated[
    RecordPaymentSuccess | InvalidInput | IdempotencyKeyReused | NotFound | CurrencyMismatch,
    result("RecordPaymentResult"),
]
RecordRefundResult = Annotated[
    RecordRefundSuccess | InvalidInput | IdempotencyKeyReused | NotFound | CurrencyMismatch | RefundExceedsPayments,
    result("RecordRefundResult"),
]
HoldOrdersResult = Annotated[HoldOrdersSuccess | InvalidInput | IdempotencyKeyReused, result("HoldOrdersResult")]
ReleaseHoldsResult = Annotated[ReleaseHoldsSuccess | InvalidInput | IdempotencyKeyReused, result("ReleaseHoldsResult")]
SaveHoldRulesResult = Annotated[SaveHoldRulesSuccess | InvalidInput, result("SaveHoldRulesResult")]
