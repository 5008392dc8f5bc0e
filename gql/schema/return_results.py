"""What mutations of returns and follow-ups answer."""

from typing import Annotated

import strawberry

from gql.schema.orders import Order
from gql.schema.refusals import (
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    NothingDelivered,
    QuantityNotReturnable,
    ReturnNotInState,
)
from gql.schema.results import result
from gql.schema.returns import FollowUp, Return


@strawberry.type(description="The return is there, or moved on.")
class ReturnSuccess:
    returned: Return = strawberry.field(description="The return as it is now.", name="return")


@strawberry.type(description="It was written down.")
class RecordFollowUpSuccess:
    order: Order = strawberry.field(description="The order as it is now.")
    follow_ups: list[FollowUp] = strawberry.field(description="All that was heard, the oldest first.")


RequestReturnResult = Annotated[
    ReturnSuccess | InvalidInput | IdempotencyKeyReused | NotFound | QuantityNotReturnable,
    result("RequestReturnResult"),
]
ReturnResult = Annotated[
    ReturnSuccess | InvalidInput | IdempotencyKeyReused | NotFound | ReturnNotInState | QuantityNotReturnable,
    result("ReturnResult"),
]
CancelReturnResult = Annotated[
    ReturnSuccess | InvalidInput | IdempotencyKeyReused | NotFound | ReturnNotInState,
    result("CancelReturnResult"),
]
RecordFollowUpResult = Annotated[
    RecordFollowUpSuccess | InvalidInput | IdempotencyKeyReused | NotFound | NothingDelivered,
    result("RecordFollowUpResult"),
]
