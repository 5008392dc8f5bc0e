"""What callers send about fulfillments, pick lists and bins."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.kinds import CheckFailure, FulfillmentState, PickMode, PickTaskState, ShortReason, TrackingStatus
from gql.schema.inputs import KEY, OrderBy, _


@strawberry.input(description="Which fulfillments; every condition that is given must hold.")
class FulfillmentFilter:
    orders: list[strawberry.ID] | None = _("Of one of these orders.", default=UNSET)
    locations: list[str] | None = _("Sent from one of these locations, by code.", default=UNSET)
    states: list[FulfillmentState] | None = _("In one of these states.", default=UNSET)
    tracking_number: str | None = _("By which the carrier knows it, exactly.", default=UNSET)
    tracking_statuses: list[TrackingStatus] | None = _("Of which a carrier said one of these last.", default=UNSET)


@strawberry.input(description="Which pick tasks of the location; every condition that is given must hold.")
class PickTaskFilter:
    states: list[PickTaskState] | None = _("In one of these states; open ones, when absent.", default=UNSET)
    fulfillments: list[strawberry.ID] | None = _("For one of these fulfillments.", default=UNSET)
    on_list: bool | None = _("Whether they are on a pick list.", default=UNSET)


@strawberry.input(description="Orders to be released.")
class ReleaseOrdersInput:
    orders: list[OrderBy] = _("1 to 1,000 orders, each once; the most urgent go first, whatever the sequence here.")
    partial: bool = _(
        "Release what is set aside though some of the order is short; not where it ships complete.", default=False
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="A fulfillment that shall stay here.")
class CancelFulfillmentInput:
    fulfillment: strawberry.ID = _("Which one.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="Picked units that may not leave.")
class FailedUnitsInput:
    line: strawberry.ID = _("The order line that they were picked for.")
    quantity: int = _("How many units.")
    reason: CheckFailure = _("What is wrong with them.")


@strawberry.input(description="What a quality check found.")
class CheckFulfillmentInput:
    fulfillment: strawberry.ID = _("What was checked.")
    failed: list[FailedUnitsInput] | None = _(
        "What may not leave: it is unavailable from now on, and is picked again from elsewhere. Absent: all is well.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="Units of an order line in a parcel.")
class ParcelLineInput:
    line: strawberry.ID = _("The order line.")
    quantity: int = _("How many units.")


@strawberry.input(description="What is packed together.")
class ParcelInput:
    contents: list[ParcelLineInput] | None = _(
        "What is inside; absent: everything, which only a single parcel may have.", default=UNSET
    )
    weight_grams: int | None = _("What it weighs, in grams.", default=UNSET)
    length_mm: int | None = _("How long it is, in millimetres.", default=UNSET)
    width_mm: int | None = _("How wide it is, in millimetres.", default=UNSET)
    height_mm: int | None = _("How high it is, in millimetres.", default=UNSET)


@strawberry.input(description="Parcels that a fulfillment is packed into.")
class PackFulfillmentInput:
    fulfillment: strawberry.ID = _("What is packed.")
    parcels: list[ParcelInput] = _("1 to 100 parcels. What is in none of them becomes a fulfillment of its own.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="A packed fulfillment that a carrier shall take.")
class BuyShippingLabelInput:
    fulfillment: strawberry.ID = _("Which one; its parcels need weights.")
    carrier: str | None = _("Which of the account's carriers; whatever costs least, when absent.", default=UNSET)
    service: str | None = _("Which of its services; whatever costs least, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="A parcel that leaves now.")
class ShippedParcelInput:
    parcel: strawberry.ID = _("Which one.")
    tracking_number: str | None = _("By which the carrier knows it.", default=UNSET)


@strawberry.input(description="Goods that are handed to a carrier.")
class ShipFulfillmentInput:
    fulfillment: strawberry.ID = _("What leaves.")
    parcels: list[ShippedParcelInput] | None = _(
        "The parcels that leave; what stays becomes a fulfillment of its own. Absent: all of them.", default=UNSET
    )
    carrier: str | None = _("Who carries it.", default=UNSET)
    service: str | None = _("Which of the carrier's services.", default=UNSET)
    tracking_number: str | None = _("By which the carrier knows it.", default=UNSET)
    tracking_url: str | None = _("Where the carrier tells how far it is; https.", default=UNSET)
    shipped_at: datetime | None = _("When it was handed over; now, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Goods that the customer has.")
class DeliverFulfillmentInput:
    fulfillment: strawberry.ID = _("What arrived.")
    delivered_at: datetime | None = _("When; now, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="Units of a line that a supplier sends.")
class DropshipLineInput:
    line: strawberry.ID = _("The order line.")
    quantity: int | None = _("How many units; all that is open, when absent.", default=UNSET)


@strawberry.input(description="An order, or lines of it, that a supplier sends.")
class DropshipOrderInput:
    order: OrderBy = _("Which order.")
    supplier: str = _("A location of kind DROPSHIP, by code.")
    lines: list[DropshipLineInput] | None = _("Which lines; all that is open, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="What a picker shall walk for.")
class CreatePickListInput:
    location: str = _("Where, by code.")
    mode: PickMode = _("How it is put together.", default=PickMode.BATCH)
    fulfillments: list[strawberry.ID] | None = _(
        "What for; absent: the most urgent that have tasks on no list yet.", default=UNSET
    )
    fulfillments_max: int = _("Of how many fulfillments at most, 1 to 200, where none are named.", default=20)
    picker: str | None = _("Who takes it at once: a name or a device.", default=UNSET)
    lease_seconds: int = _("For how long they have it, 1 second to a day.", default=900)
    idempotency_key: str = _(KEY)


@strawberry.input(description="A pick list that somebody takes.")
class ClaimPickListInput:
    list: strawberry.ID = _("Which one.")
    picker: str = _("Who takes it: a name or a device. Who has it already has it for longer.")
    lease_seconds: int = _("For how long from now, 1 second to a day.", default=900)


@strawberry.input(description="A pick list that somebody gives back.")
class ReleasePickListInput:
    list: strawberry.ID = _("Which one.")
    picker: str = _("Who has it.")


@strawberry.input(description="There were fewer units than asked for.")
class ShortPickInput:
    reason: ShortReason = _("Why.", default=ShortReason.NOT_FOUND)
    left: int | None = _(
        "Units that are left in the bin. Absent: a named bin is empty now; where no bin is named, only the missing "
        "units are gone.",
        default=UNSET,
    )


@strawberry.input(description="One thing that a picker did.")
class PickCommandInput:
    command_id: str = _("Yours, unique: sent again, the same command is not applied twice.")
    task: strawberry.ID = _("Which task.")
    quantity: int = _("Units that were fetched with this command.")
    short: ShortPickInput | None = _(
        "Set where there is no more: the ledger is corrected, and what is missing is set aside again from elsewhere.",
        default=UNSET,
    )
    barcode: str | None = _("What was scanned, to be compared with the item's.", default=UNSET)
    picker: str | None = _("Who fetched it; must be who has the task's list, where anybody has.", default=UNSET)
    expected_version: int | None = _("Refuse where the task has changed since this version.", default=UNSET)


@strawberry.input(description="What pickers did, also while they were offline, in the sequence in which they did it.")
class RecordPicksInput:
    commands: list[PickCommandInput] = _("1 to 200 commands; each has its own answer.")


@strawberry.input(one_of=True, description="One way to name what a carrier speaks of.")
class TrackedInput:
    parcel: strawberry.ID | None = _("A parcel, by its id.", default=UNSET)
    fulfillment: strawberry.ID | None = _(
        "All parcels of a fulfillment, or one that has none, by its id.", default=UNSET
    )
    tracking_number: str | None = _(
        "By which the carrier knows it, exactly; of several fulfillments that had it, the newest.", default=UNSET
    )


@strawberry.input(description="Something that a carrier said.")
class TrackingEventInput:
    about: TrackedInput = _("What it is about.")
    status: TrackingStatus = _("What it means.")
    occurred_at: datetime = _("When it happened, by the carrier's clock.")
    message: str | None = _("The carrier's own words, at most 2,000 characters.", default=UNSET)
    place: str | None = _("Where it happened, in the carrier's words.", default=UNSET)


@strawberry.input(description="What carriers said, in any sequence; the same event may be told any number of times.")
class RecordTrackingEventsInput:
    events: list[TrackingEventInput] = _("1 to 200 events; each has its own answer.")


@strawberry.input(description="Units that lie in another bin now.")
class MoveStockLineInput:
    sku: str = _("What.")
    quantity: int = _("How many units.")
    from_: str | None = _("The bin where they lay; absent: anywhere at the location.", name="from", default=UNSET)
    to: str | None = _("The bin where they lie now; absent: anywhere at the location.", default=UNSET)


@strawberry.input(description="Units that lie elsewhere in a location now.")
class MoveStockInput:
    location: str = _("Where, by code.")
    lines: list[MoveStockLineInput] = _("1 to 1,000 lines.")
    idempotency_key: str = _(KEY)
