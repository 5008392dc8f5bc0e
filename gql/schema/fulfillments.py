"""Fulfillments: what one location, or one supplier, sends for one order, with its parcels and pick tasks."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import kinds
from domain.actions import fulfillment_actions
from domain.documents import DocumentForm
from domain.fulfillments import FulfillmentLine as Line
from domain.fulfillments import Parcel as PackedParcel
from domain.ids import FulfillmentId, LocationId, PickListId, PickTaskId
from gql.context import Info
from gql.schema.actions import SupportedFulfillmentAction
from gql.schema.catalog import Item, Location
from gql.schema.files import Document
from gql.schema.ids import global_id
from gql.schema.money import Money
from gql.schema.nodes import Node, PageInfo
from gql.schema.order_lines import OrderLine
from gql.schema.orders import Order
from services.documents import DocumentKind
from services.ports.fulfillments import FulfillmentView, PickListView, PickTaskView, TrackingEventView

if TYPE_CHECKING:
    from gql.schema.refusals import UserError


TRACKING_EVENTS_MAX = 100


@strawberry.type(description="Units of one order line in one fulfillment.")
class FulfillmentLine:
    """Units that are sent."""

    row: strawberry.Private[Line]
    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    quantity: int = strawberry.field(description="Units that are sent.")
    picked: int = strawberry.field(description="Units that were fetched, of those.")

    @strawberry.field(description="What they are sent for.")
    async def line(self, info: Info) -> OrderLine:
        return await OrderLine.load(info, self.row.line)

    @strawberry.field(description="What they are.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.row.item)

    @classmethod
    def of(cls, line: Line) -> "FulfillmentLine":
        return cls(row=line, id=global_id("FulfillmentLine", line.id), quantity=line.quantity, picked=line.picked)


@strawberry.type(description="Units of one order line in one parcel.")
class ParcelLine:
    """What is inside."""

    row: strawberry.Private[Line]
    quantity: int = strawberry.field(description="Units in this parcel.")

    @strawberry.field(description="What they are sent for.")
    async def line(self, info: Info) -> OrderLine:
        return await OrderLine.load(info, self.row.line)


@strawberry.type(description="What a carrier said, and when it happened by its clock.")
class TrackingEvent:
    """Something that a carrier said."""

    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    status: kinds.TrackingStatus = strawberry.field(description="What it means.")
    occurred_at: datetime = strawberry.field(description="When it happened, by the carrier's clock.")
    message: str | None = strawberry.field(description="The carrier's own words.")
    place: str | None = strawberry.field(description="Where it happened, in the carrier's words.")
    recorded_at: datetime = strawberry.field(description="When it was written down here.")
    recorded_by: str = strawberry.field(description="Who wrote it down: the name of an API key.")

    @classmethod
    def of(cls, event: TrackingEventView) -> "TrackingEvent":
        return cls(
            id=global_id("TrackingEvent", event.id),
            status=event.status,
            occurred_at=event.occurred_at,
            message=event.message,
            place=event.place,
            recorded_at=event.recorded_at,
            recorded_by=event.recorded_by,
        )


@strawberry.type(description="What is packed together.")
class Parcel:
    """A parcel."""

    row: strawberry.Private[PackedParcel]

    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    number: int = strawberry.field(description="Of its fulfillment's parcels, from 1.")
    contents: list[ParcelLine] = strawberry.field(description="What is inside.")
    weight_grams: int | None = strawberry.field(description="What it weighs, in grams.")
    length_mm: int | None = strawberry.field(description="How long it is, in millimetres.")
    width_mm: int | None = strawberry.field(description="How wide it is, in millimetres.")
    height_mm: int | None = strawberry.field(description="How high it is, in millimetres.")
    sscc: str | None = strawberry.field(
        description="Its Serial Shipping Container Code, 18 digits; null where no GS1 company prefix is set."
    )
    tracking_number: str | None = strawberry.field(description="By which the carrier knows it.")
    carrier_label_url: str | None = strawberry.field(description="Where the carrier's own label is, once bought.")
    label: Document = strawberry.field(description="What is stuck on it, as a PDF of 4 by 6 inches.")
    label_zpl: Document = strawberry.field(description="The same for a label printer, as ZPL.")
    packing_slip: Document = strawberry.field(description="What is put inside for whoever opens it.")
    tracking_status: kinds.TrackingStatus | None = strawberry.field(
        description="What the carrier said last, by its clock; null: it said nothing."
    )
    delivered_at: datetime | None = strawberry.field(description="When the customer had it, as the carrier says.")

    @strawberry.field(description="What the carrier said of it, the latest first by its clock; the last 100.")
    async def tracking_events(self, info: Info) -> list[TrackingEvent]:
        told = await info.context.loaders.tracking_of.load(self.row.fulfillment)
        return [TrackingEvent.of(one) for one in told if one.parcel == self.row.id][:TRACKING_EVENTS_MAX]

    @classmethod
    def of(cls, parcel: PackedParcel, lines: dict[int, Line]) -> "Parcel":
        named = global_id("Parcel", parcel.id)
        return cls(
            row=parcel,
            id=named,
            tracking_status=parcel.tracking_status,
            delivered_at=parcel.delivered_at,
            carrier_label_url=parcel.label_url,
            label=Document.of(DocumentKind.LABEL, named),
            label_zpl=Document.of(DocumentKind.LABEL, named, DocumentForm.ZPL),
            packing_slip=Document.of(DocumentKind.PACKING_SLIP, named),
            number=parcel.number,
            contents=[ParcelLine(row=lines[line], quantity=units) for line, units in parcel.contents],
            weight_grams=parcel.weight_grams,
            length_mm=parcel.length_mm,
            width_mm=parcel.width_mm,
            height_mm=parcel.height_mm,
            sscc=parcel.sscc,
            tracking_number=parcel.tracking_number,
        )


@strawberry.type(description="What one location of ours, or one supplier, sends for one order.")
class Fulfillment(Node):
    """What is sent from one place."""

    view: strawberry.Private[FulfillmentView]
    kind: kinds.FulfillmentKind = strawberry.field(description="Who sends it.")
    state: kinds.FulfillmentState = strawberry.field(description="How far it is.")
    version: int = strawberry.field(description="Rises by one with every commit that changes the fulfillment.")
    lines: list[FulfillmentLine] = strawberry.field(description="What is sent.")
    estimated_ship_at: datetime | None = strawberry.field(
        description="When it should leave, as told at release: after its location's handling time."
    )
    estimated_delivery_at: datetime | None = strawberry.field(
        description="When the customer should have it, as told at release: after its location's transit time."
    )
    carrier: str | None = strawberry.field(description="Who carries it.")
    service: str | None = strawberry.field(description="Which of the carrier's services.")
    tracking_number: str | None = strawberry.field(description="By which the carrier knows it.")
    tracking_url: str | None = strawberry.field(description="Where the carrier tells how far it is.")
    tracking_status: kinds.TrackingStatus | None = strawberry.field(
        description="What the carrier said last of any of its parcels, by its clock; null: it said nothing."
    )
    postage: Money | None = strawberry.field(description="What the carrier takes for it, where it said so.")
    released_at: datetime = strawberry.field(description="When the go-ahead was given.")
    picked_at: datetime | None = strawberry.field(description="When everything had been fetched for the first time.")
    checked_at: datetime | None = strawberry.field(description="When it passed the quality check.")
    packed_at: datetime | None = strawberry.field(description="When it was packed.")
    shipped_at: datetime | None = strawberry.field(description="When it was handed to the carrier.")
    delivered_at: datetime | None = strawberry.field(description="When the customer had it.")
    canceled_at: datetime | None = strawberry.field(description="When it was decided that it stays here.")

    @strawberry.field(description="What it is sent for.")
    async def order(self, info: Info) -> Order:
        return await Order.load(info, self.view.order)

    @strawberry.field(description="Where it is sent from.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.view.location)

    @strawberry.field(description="What it was packed into.")
    async def parcels(self, info: Info) -> list[Parcel]:
        lines: dict[int, Line] = {line.id: line for line in self.view.lines}
        return [Parcel.of(parcel, lines) for parcel in await info.context.loaders.parcels_of.load(self.view.id)]

    @strawberry.field(
        description="What carriers said of it and its parcels, the latest first by their clocks; the last 100."
    )
    async def tracking_events(self, info: Info) -> list[TrackingEvent]:
        told = await info.context.loaders.tracking_of.load(self.view.id)
        return [TrackingEvent.of(one) for one in told[:TRACKING_EVENTS_MAX]]

    @strawberry.field(description="What pickers are asked to fetch for it, by bin.")
    async def pick_tasks(self, info: Info) -> "list[PickTask]":
        return [PickTask.of(task) for task in await info.context.loaders.tasks_of.load(self.view.id)]

    @strawberry.field(
        description="Whether it came when it was promised with the order, or else estimated at release; null until it "
        "is delivered, and where nothing was told."
    )
    async def on_time(self, info: Info) -> bool | None:
        order = await Order.load(info, self.view.order)
        due = order.view.promised_delivery_at or self.view.estimated_delivery_at
        return None if due is None or self.view.delivered_at is None else self.view.delivered_at <= due

    @strawberry.field(description="What can be done with it now, and why the rest cannot: which buttons to show.")
    async def supported_actions(self, info: Info) -> list[SupportedFulfillmentAction]:
        place = await info.context.loaders.locations.load(self.view.location)
        assert place is not None
        told = fulfillment_actions(self.view, checks_quality=place.checks_quality)
        return [SupportedFulfillmentAction.of(one) for one in told]

    @strawberry.field(description="The fulfillment whose first part left without this one.")
    async def divided_from(self, info: Info) -> "Fulfillment | None":
        return None if self.view.divided_from is None else await Fulfillment.find(info, self.view.divided_from)

    @classmethod
    def of(cls, view: FulfillmentView) -> "Fulfillment":
        return cls(
            id=global_id("Fulfillment", view.id),
            view=view,
            kind=view.kind,
            state=view.state,
            version=view.version,
            lines=[FulfillmentLine.of(line) for line in view.lines if line.quantity],
            estimated_ship_at=view.estimated_ship_at,
            estimated_delivery_at=view.estimated_delivery_at,
            carrier=view.shipping.carrier,
            service=view.shipping.service,
            tracking_number=view.shipping.tracking_number,
            tracking_url=view.shipping.tracking_url,
            tracking_status=view.tracking_status,
            postage=Money.maybe(view.shipping.postage),
            released_at=view.created_at,
            picked_at=view.picked_at,
            checked_at=view.checked_at,
            packed_at=view.packed_at,
            shipped_at=view.shipped_at,
            delivered_at=view.delivered_at,
            canceled_at=view.canceled_at,
        )

    @classmethod
    async def find(cls, info: Info, row: FulfillmentId) -> "Fulfillment | None":
        found = await info.context.loaders.fulfillments.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: FulfillmentId) -> "Fulfillment":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="Units to be fetched from one bin for one fulfillment.")
class PickTask(Node):
    """What a picker fetches."""

    view: strawberry.Private[PickTaskView]
    state: kinds.PickTaskState = strawberry.field(description="Whether it is still to be done.")
    version: int = strawberry.field(description="Give it as `expectedVersion` to learn of changes before recording.")
    sku: str = strawberry.field(description="What to fetch.")
    bin: str | None = strawberry.field(description="Where it lies; null: anywhere at the location.")
    quantity: int = strawberry.field(description="Units asked for.")
    picked: int = strawberry.field(description="Units that were fetched.")
    short: int = strawberry.field(description="Units that were looked for and not found.")
    picker: str | None = strawberry.field(description="Who has it just now; null: nobody.")
    priority: int = strawberry.field(description="Its order's; higher goes first.")

    @strawberry.field(description="What to fetch, as the catalog has it.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.view.item)

    @strawberry.field(description="Where.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.view.location)

    @strawberry.field(description="What it is fetched for.")
    async def fulfillment(self, info: Info) -> Fulfillment:
        return await Fulfillment.load(info, self.view.fulfillment)

    @strawberry.field(description="The pick list that it is on.")
    async def list(self, info: Info) -> Annotated["PickList", strawberry.lazy("gql.schema.fulfillments")] | None:
        return None if self.view.list is None else await PickList.find(info, self.view.list)

    @classmethod
    def of(cls, view: PickTaskView) -> "PickTask":
        return cls(
            id=global_id("PickTask", view.id),
            view=view,
            state=view.state,
            version=view.version,
            sku=view.sku,
            bin=view.bin,
            quantity=view.quantity,
            picked=view.picked,
            short=view.short,
            picker=view.picker,
            priority=view.priority,
        )

    @classmethod
    async def find(cls, info: Info, row: PickTaskId) -> "PickTask | None":
        found = await info.context.loaders.pick_tasks.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: PickTaskId) -> "PickTask":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="Tasks that one picker does in one round, sorted by bin.")
class PickList(Node):
    """A round of one picker."""

    row: strawberry.Private[PickListId]
    place: strawberry.Private[LocationId]
    mode: kinds.PickMode = strawberry.field(description="How it was put together.")
    picker: str | None = strawberry.field(description="Who has it just now; null: nobody.")
    leased_until: datetime | None = strawberry.field(description="Until when they have it.")
    created_at: datetime = strawberry.field(description="When it was put together.")
    document: Document = strawberry.field(description="What is still to be fetched, as a PDF.")

    @strawberry.field(description="Where.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.place)

    @strawberry.field(description="What to fetch, in the sequence of the bins.")
    async def tasks(self, info: Info) -> list[PickTask]:
        return [PickTask.of(task) for task in await info.context.loaders.tasks_on.load(self.row)]

    @classmethod
    def of(cls, view: PickListView) -> "PickList":
        named = global_id("PickList", view.id)
        return cls(
            id=named,
            document=Document.of(DocumentKind.PICK_LIST, named),
            row=view.id,
            place=view.location,
            mode=view.mode,
            picker=view.picker,
            leased_until=view.leased_until,
            created_at=view.created_at,
        )

    @classmethod
    async def find(cls, info: Info, row: PickListId) -> "PickList | None":
        found = await info.context.loaders.pick_lists.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: PickListId) -> "PickList":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="What became of one order that was to be released.")
class OrderRelease:
    """One order of a release."""

    index: int = strawberry.field(description="Position in the input, from 0.")
    order: Order | None = strawberry.field(description="The order as it is now; null where there is none.")
    fulfillments: list[Fulfillment] = strawberry.field(
        description="What was sent out, one a location; none where all that is set aside had been released before."
    )
    refusal: Annotated["UserError", strawberry.lazy("gql.schema.refusals")] | None = strawberry.field(
        description="Set where the order was refused; the other orders are not affected."
    )


@strawberry.type(description="What became of one command of a picker.")
class PickResult:
    """One pick."""

    command_id: str = strawberry.field(description="The command's own id.")
    outcome: kinds.PickOutcome = strawberry.field(description="Whether it was applied now, before, or not at all.")
    task: PickTask | None = strawberry.field(description="The task as it is now; null where there is none.")
    fulfillments: list[Fulfillment] = strawberry.field(
        description="New fulfillments at other locations, which send what was missing here."
    )
    refusal: Annotated["UserError", strawberry.lazy("gql.schema.refusals")] | None = strawberry.field(
        description="Why it was not applied."
    )


@strawberry.type(description="What became of one event of a carrier.")
class TrackingResult:
    """One event."""

    index: int = strawberry.field(description="Of the event in the input, from 0.")
    outcome: kinds.TrackingOutcome = strawberry.field(description="Whether it was recorded now, before, or not at all.")
    fulfillments: list[Fulfillment] = strawberry.field(description="What it is about, as it is now.")
    refusal: Annotated["UserError", strawberry.lazy("gql.schema.refusals")] | None = strawberry.field(
        description="Why it was not recorded."
    )


@strawberry.type(description="A fulfillment and its place in the list.")
class FulfillmentEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this fulfillment.")
    node: Fulfillment = strawberry.field(description="The fulfillment.")


@strawberry.type(description="A page of fulfillments, the oldest first.")
class FulfillmentConnection:
    """A page."""

    edges: list[FulfillmentEdge] = strawberry.field(description="The fulfillments with their cursors.")
    nodes: list[Fulfillment] = strawberry.field(description="The fulfillments alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


@strawberry.type(description="A pick task and its place in the list.")
class PickTaskEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this task.")
    node: PickTask = strawberry.field(description="The task.")


@strawberry.type(description="A page of pick tasks, in the sequence of the bins.")
class PickTaskConnection:
    """A page."""

    edges: list[PickTaskEdge] = strawberry.field(description="The tasks with their cursors.")
    nodes: list[PickTask] = strawberry.field(description="The tasks alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
