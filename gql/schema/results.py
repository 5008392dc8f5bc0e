"""What mutations answer: a success, or one of the refusals that the mutation knows."""

from typing import Annotated

import strawberry

from gql.schema.alerts import AlertRule
from gql.schema.allocation import AllocationRun, OrderAllocation
from gql.schema.automation import AllocationRule
from gql.schema.catalog import Channel, Item, Location, StockLevel
from gql.schema.mails import MailTemplate
from gql.schema.orders import ClaimSummary, Order
from gql.schema.plans import LosingOrders
from gql.schema.refusals import (
    CurrencyMismatch,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidInput,
    NotFound,
    OrderAlreadyPlaced,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderVersionConflict,
    PlanChanged,
    QuantityAlreadyShipped,
    ReservationEnded,
    StockLevelConflict,
    SupplyAlreadyExpected,
    SupplyNotInState,
)
from gql.schema.reservations import StockReservation
from gql.schema.supplies import Supply
from gql.schema.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEndpointSecret

ORDER = "The order as it is now."
RESERVATION = "The reservation as it is now."
SUPPLY = "The supply as it is now."
LEVELS = "The levels as they are now, in the order of the input."
OVERALLOCATED = "Orders that this change made overallocated."


@strawberry.type(description="The items were saved.")
class SaveItemsSuccess:
    items: list[Item] = strawberry.field(description="The items, in the order of the input.")


@strawberry.type(description="The locations were saved.")
class SaveLocationsSuccess:
    locations: list[Location] = strawberry.field(description="The locations, in the order of the input.")


@strawberry.type(description="The channels were saved.")
class SaveChannelsSuccess:
    channels: list[Channel] = strawberry.field(description="The channels, in the order of the input.")


@strawberry.type(description="Stock was changed.")
class StockSuccess:
    levels: list[StockLevel] = strawberry.field(description=LEVELS)
    overallocated: ClaimSummary = strawberry.field(description=OVERALLOCATED)
    received_supply: Supply | None = strawberry.field(
        description="The supply that was received; null where none was named."
    )


@strawberry.type(description="The count is in the ledger.")
class CountStockSuccess:
    levels: list[StockLevel] = strawberry.field(description=LEVELS)
    overallocated: ClaimSummary = strawberry.field(description=OVERALLOCATED)
    superseded: list[str] = strawberry.field(
        description="SKUs that somebody has counted at a later moment: their levels stay as they are."
    )


@strawberry.type(description="The supply is expected.")
class ExpectSupplySuccess:
    supply: Supply = strawberry.field(description=SUPPLY)


@strawberry.type(description="The goods are in transit.")
class StartTransferSuccess:
    supply: Supply = strawberry.field(description=SUPPLY)
    levels: list[StockLevel] = strawberry.field(description="The levels that they left, in the order of the input.")
    overallocated: ClaimSummary = strawberry.field(description=OVERALLOCATED)


@strawberry.type(description="The supply is expected at another time.")
class RescheduleSupplySuccess:
    supply: Supply = strawberry.field(description=SUPPLY)


@strawberry.type(description="Nothing more comes of the supply.")
class CancelSupplySuccess:
    supply: Supply = strawberry.field(description=SUPPLY)


@strawberry.type(description="Nothing more is waited for.")
class CloseSupplySuccess:
    supply: Supply = strawberry.field(description=SUPPLY)


@strawberry.type(description="The order was placed.")
class PlaceOrderSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="The order was edited.")
class EditOrderSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="The draft was confirmed.")
class FinalizeOrderSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="The order was canceled.")
class VoidOrderSuccess:
    order: Order = strawberry.field(description=ORDER)


@strawberry.type(description="The units are set aside.")
class ReserveStockSuccess:
    reservation: StockReservation = strawberry.field(description=RESERVATION)


@strawberry.type(description="The units were given back.")
class ReleaseReservationSuccess:
    reservation: StockReservation = strawberry.field(description=RESERVATION)


@strawberry.type(description="The order was divided in two.")
class SplitOrderSuccess:
    order: Order = strawberry.field(description="The old order as it is now.")
    split: Order = strawberry.field(description="The new order.")


@strawberry.type(description="The run is over.")
class AllocateOrdersSuccess:
    results: list[OrderAllocation] = strawberry.field(description="One per order, in the sequence given.")
    losers: LosingOrders | None = strawberry.field(
        description="In a dry run: the waiting orders that would get less if this run happened."
    )
    token: str | None = strawberry.field(
        description="In a dry run: send the same input with this token to commit exactly this plan, or nothing."
    )


@strawberry.type(description="Everything that was set aside for the orders was given back.")
class DeallocateOrdersSuccess:
    results: list[OrderAllocation] = strawberry.field(description="One per order, in the sequence given.")


@strawberry.type(description="The run waits for its turn.")
class StartAllocationRunSuccess:
    run: AllocationRun = strawberry.field(description="The run as it is now.")


@strawberry.type(description="The run goes no further.")
class CancelAllocationRunSuccess:
    run: AllocationRun = strawberry.field(description="The run as it is now.")


@strawberry.type(description="The rules were saved.")
class SaveAllocationRulesSuccess:
    rules: list[AllocationRule] = strawberry.field(description="All the rules, in the order in which they are asked.")


@strawberry.type(description="The endpoints were saved.")
class SaveWebhookEndpointsSuccess:
    endpoints: list[WebhookEndpoint] = strawberry.field(description="The endpoints, in the order of the input.")
    secrets: list[WebhookEndpointSecret] = strawberry.field(
        description="The secrets of the endpoints that are new, shown this once."
    )


@strawberry.type(description="The endpoint has a new secret.")
class RotateWebhookSecretSuccess:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint as it is now.")
    secret: str | None = strawberry.field(
        description="The new secret, shown to this idempotency key only; null where it has been replaced since."
    )


@strawberry.type(description="The endpoint goes on behind the cursor.")
class ReplayWebhookEventsSuccess:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint as it is now.")


@strawberry.type(description="The test is on its way.")
class SendTestWebhookSuccess:
    delivery: WebhookDelivery | None = strawberry.field(
        description="The test as it is now: ask again for what came of it; null where it is kept no longer."
    )


@strawberry.type(description="The rules of alerts were saved.")
class SaveAlertRulesSuccess:
    rules: list[AlertRule] = strawberry.field(description="All the rules, in the sequence given.")


@strawberry.type(description="The templates were changed.")
class SaveMailTemplatesSuccess:
    templates: list[MailTemplate] = strawberry.field(description="The templates, in the order of the input.")


def result(name: str) -> object:
    return strawberry.union(name, description="The success, or why not.")


SaveItemsResult = Annotated[SaveItemsSuccess | InvalidInput, result("SaveItemsResult")]
SaveLocationsResult = Annotated[SaveLocationsSuccess | InvalidInput, result("SaveLocationsResult")]
SaveChannelsResult = Annotated[SaveChannelsSuccess | InvalidInput, result("SaveChannelsResult")]
StockResult = Annotated[
    StockSuccess
    | InvalidInput
    | IdempotencyKeyReused
    | NotFound
    | InsufficientStock
    | StockLevelConflict
    | SupplyNotInState,
    result("StockResult"),
]
CountStockResult = Annotated[
    CountStockSuccess | InvalidInput | IdempotencyKeyReused | NotFound | InsufficientStock, result("CountStockResult")
]
ExpectSupplyResult = Annotated[
    ExpectSupplySuccess | InvalidInput | IdempotencyKeyReused | NotFound | SupplyAlreadyExpected,
    result("ExpectSupplyResult"),
]
StartTransferResult = Annotated[
    StartTransferSuccess | InvalidInput | IdempotencyKeyReused | NotFound | SupplyAlreadyExpected | InsufficientStock,
    result("StartTransferResult"),
]
RescheduleSupplyResult = Annotated[
    RescheduleSupplySuccess | InvalidInput | IdempotencyKeyReused | NotFound | SupplyNotInState,
    result("RescheduleSupplyResult"),
]
CancelSupplyResult = Annotated[
    CancelSupplySuccess | InvalidInput | IdempotencyKeyReused | NotFound | SupplyNotInState,
    result("CancelSupplyResult"),
]
CloseSupplyResult = Annotated[
    CloseSupplySuccess | InvalidInput | IdempotencyKeyReused | NotFound | SupplyNotInState,
    result("CloseSupplyResult"),
]
PlaceOrderResult = Annotated[
    PlaceOrderSuccess | InvalidInput | IdempotencyKeyReused | NotFound | OrderAlreadyPlaced | ReservationEnded,
    result("PlaceOrderResult"),
]
EditOrderResult = Annotated[
    EditOrderSuccess
    | InvalidInput
    | IdempotencyKeyReused
    | NotFound
    | OrderAlreadyReleased
    | CurrencyMismatch
    | OrderNotInState
    | OrderVersionConflict
    | QuantityAlreadyShipped,
    result("EditOrderResult"),
]
FinalizeOrderResult = Annotated[
    FinalizeOrderSuccess | InvalidInput | IdempotencyKeyReused | NotFound | OrderNotInState,
    result("FinalizeOrderResult"),
]
VoidOrderResult = Annotated[
    VoidOrderSuccess | InvalidInput | IdempotencyKeyReused | NotFound | OrderNotInState | QuantityAlreadyShipped,
    result("VoidOrderResult"),
]
ReserveStockResult = Annotated[
    ReserveStockSuccess | InvalidInput | IdempotencyKeyReused | NotFound | InsufficientStock,
    result("ReserveStockResult"),
]
ReleaseReservationResult = Annotated[
    ReleaseReservationSuccess | InvalidInput | IdempotencyKeyReused | NotFound | ReservationEnded,
    result("ReleaseReservationResult"),
]
AllocateOrdersResult = Annotated[
    AllocateOrdersSuccess | InvalidInput | IdempotencyKeyReused | PlanChanged, result("AllocateOrdersResult")
]
DeallocateOrdersResult = Annotated[
    DeallocateOrdersSuccess | InvalidInput | IdempotencyKeyReused, result("DeallocateOrdersResult")
]
StartAllocationRunResult = Annotated[
    StartAllocationRunSuccess | InvalidInput | IdempotencyKeyReused | PlanChanged, result("StartAllocationRunResult")
]
CancelAllocationRunResult = Annotated[CancelAllocationRunSuccess | NotFound, result("CancelAllocationRunResult")]
SaveAllocationRulesResult = Annotated[SaveAllocationRulesSuccess | InvalidInput, result("SaveAllocationRulesResult")]
SplitOrderResult = Annotated[
    SplitOrderSuccess
    | InvalidInput
    | IdempotencyKeyReused
    | NotFound
    | OrderAlreadyPlaced
    | OrderAlreadyReleased
    | OrderNotInState
    | OrderVersionConflict,
    result("SplitOrderResult"),
]
SaveWebhookEndpointsResult = Annotated[SaveWebhookEndpointsSuccess | InvalidInput, result("SaveWebhookEndpointsResult")]
RotateWebhookSecretResult = Annotated[
    RotateWebhookSecretSuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("RotateWebhookSecretResult")
]
ReplayWebhookEventsResult = Annotated[
    ReplayWebhookEventsSuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("ReplayWebhookEventsResult")
]
SendTestWebhookResult = Annotated[
    SendTestWebhookSuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("SendTestWebhookResult")
]
SaveAlertRulesResult = Annotated[SaveAlertRulesSuccess | InvalidInput, result("SaveAlertRulesResult")]
SaveMailTemplatesResult = Annotated[SaveMailTemplatesSuccess | InvalidInput, result("SaveMailTemplatesResult")]
