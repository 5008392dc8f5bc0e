"""What mutations of fulfillments, pick lists and bins answer."""

from typing import Annotated

import strawberry

from gql.schema.catalog import StockLevel
from gql.schema.fulfillments import Fulfillment, OrderRelease, PickList, PickResult, TrackingResult
from gql.schema.refusals import (
    FulfillmentNotInState,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidInput,
    NotFound,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderNotReleasable,
    PickListTaken,
    ShippingRefused,
)
from gql.schema.results import result

NOW = "The fulfillment as it is now."
REST = "What was left behind, as a fulfillment of its own; null where nothing was."


@strawberry.type(description="Each order was looked at.")
class ReleaseOrdersSuccess:
    results: list[OrderRelease] = strawberry.field(description="One an order, in the sequence of the input.")


@strawberry.type(description="The fulfillment moved on.")
class FulfillmentSuccess:
    fulfillment: Fulfillment = strawberry.field(description=NOW)
    rest: Fulfillment | None = strawberry.field(description=REST)


@strawberry.type(description="There is a pick list, if there was anything to pick.")
class CreatePickListSuccess:
    list: PickList | None = strawberry.field(description="The list; null: no task was free.")


@strawberry.type(description="The pick list is theirs, or nobody's.")
class PickListSuccess:
    list: PickList = strawberry.field(description="The list as it is now.")


@strawberry.type(description="Each command was looked at.")
class RecordPicksSuccess:
    results: list[PickResult] = strawberry.field(description="One a command, in the sequence of the input.")


@strawberry.type(description="Each event was looked at.")
class RecordTrackingEventsSuccess:
    results: list[TrackingResult] = strawberry.field(description="One an event, in the sequence of the input.")


@strawberry.type(description="The units lie where you said.")
class MoveStockSuccess:
    levels: list[StockLevel] = strawberry.field(description="The levels; on hand has not changed.")


ReleaseOrdersResult = Annotated[
    ReleaseOrdersSuccess | InvalidInput | IdempotencyKeyReused, result("ReleaseOrdersResult")
]
FulfillmentResult = Annotated[
    FulfillmentSuccess | InvalidInput | IdempotencyKeyReused | NotFound | FulfillmentNotInState,
    result("FulfillmentResult"),
]
BuyShippingLabelResult = Annotated[
    FulfillmentSuccess | InvalidInput | IdempotencyKeyReused | NotFound | FulfillmentNotInState | ShippingRefused,
    result("BuyShippingLabelResult"),
]
DropshipOrderResult = Annotated[
    FulfillmentSuccess
    | InvalidInput
    | IdempotencyKeyReused
    | NotFound
    | OrderNotInState
    | OrderAlreadyReleased
    | OrderNotReleasable,
    result("DropshipOrderResult"),
]
CreatePickListResult = Annotated[
    CreatePickListSuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("CreatePickListResult")
]
PickListResult = Annotated[PickListSuccess | InvalidInput | NotFound | PickListTaken, result("PickListResult")]
RecordPicksResult = Annotated[RecordPicksSuccess | InvalidInput, result("RecordPicksResult")]
RecordTrackingEventsResult = Annotated[RecordTrackingEventsSuccess | InvalidInput, result("RecordTrackingEventsResult")]
MoveStockResult = Annotated[
    MoveStockSuccess | InvalidInput | IdempotencyKeyReused | NotFound | InsufficientStock,
    result("MoveStockResult"),
]
