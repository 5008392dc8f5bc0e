"""Documents that go with goods, drawn when they are asked for: labels, packing slips, pick lists, invoices."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from domain.access import EVERYTHING, Visibility
from domain.documents import (
    Document,
    DocumentForm,
    PackedLine,
    PackingSlip,
    PickLine,
    PickList,
    PickShare,
    Rendered,
    ShippingLabel,
    by_bin,
)
from domain.fulfillments import Parcel
from domain.ids import InvoiceId, LineId, LocationId, ParcelId, PickListId
from domain.kinds import PickTaskState
from domain.orders import Address
from services.ports.database import Database
from services.ports.documents import Renderer
from services.ports.fulfillments import FulfillmentView, PickTaskView
from services.ports.orders import OrderView
from services.ports.unit_of_work import UnitOfWork

DRAWING_MAX = 2
"""Documents that are drawn at the same time: each takes a thread, and a core while it lasts."""


class DocumentKind(StrEnum):
    """What can be drawn, as its address has it."""

    LABEL = "label"
    PACKING_SLIP = "packing-slip"
    PICK_LIST = "pick-list"
    INVOICE = "invoice"


class Drawer:
    """Draws documents beside everything else that the process does."""

    def __init__(self, database: Database, renderer: Renderer) -> None:
        self._database = database
        self._renderer = renderer
        self._turns = asyncio.Semaphore(DRAWING_MAX)

    async def draw(
        self, kind: DocumentKind, row: int, form: DocumentForm, visibility: Visibility = EVERYTHING
    ) -> Rendered | None:
        """The document of the row; None where there is none, none of this form, or none that is in sight."""
        if form is DocumentForm.ZPL and kind is not DocumentKind.LABEL:
            return None
        document = await self._database.seen_by(visibility).read(lambda uow: document_of(uow, kind, row))
        if document is None:
            return None
        async with self._turns:
            return await asyncio.to_thread(self._renderer.render, document, form)


async def document_of(uow: UnitOfWork, kind: DocumentKind, row: int) -> Document | None:
    """What stands in it; None where there is no such row."""
    match kind:
        case DocumentKind.LABEL:
            return await _label(uow, ParcelId(row))
        case DocumentKind.PACKING_SLIP:
            return await _packing_slip(uow, ParcelId(row))
        case DocumentKind.PICK_LIST:
            return await _pick_list(uow, PickListId(row))
        case DocumentKind.INVOICE:
            found = await uow.documents.invoices([InvoiceId(row)])
            return found[0].invoice if found else None


class _Sent:
    """A parcel with everything around it."""

    def __init__(
        self,
        parcel: Parcel,
        siblings: list[Parcel],
        fulfillment: FulfillmentView,
        order: OrderView,
        sender: Address,
    ) -> None:
        self.parcel = parcel
        self.siblings = siblings
        self.fulfillment = fulfillment
        self.order = order
        self.sender = sender

    @property
    def tracking_number(self) -> str | None:
        return self.parcel.tracking_number or self.fulfillment.shipping.tracking_number


async def _sent(uow: UnitOfWork, row: ParcelId) -> _Sent | None:
    found = await uow.documents.parcels([row])
    if not found:
        return None
    parcel = found[0]
    (fulfillment,) = await uow.fulfillments.by_ids([parcel.fulfillment])
    (order,) = await uow.orders.by_ids([fulfillment.order])
    siblings = await uow.fulfillments.parcels_of([fulfillment.id])
    return _Sent(parcel, siblings, fulfillment, order, await sender_of(uow, fulfillment.location))


async def sender_of(uow: UnitOfWork, location: LocationId) -> Address:
    """The place that sends, under the merchant's name."""
    (place,) = [place for place in await uow.catalog.locations() if place.id == location]
    merchant = await uow.documents.merchant()
    address = place.address or merchant.address or Address(country_code=place.country_code, region=place.region)
    return replace(address, name=merchant.name or address.name or place.name)


async def _label(uow: UnitOfWork, row: ParcelId) -> ShippingLabel | None:
    sent = await _sent(uow, row)
    if sent is None:
        return None
    return ShippingLabel(
        reference=sent.order.number,
        made_at=sent.fulfillment.packed_at or sent.fulfillment.created_at,
        ship_from=sent.sender,
        ship_to=sent.order.ship_to or Address(),
        carrier=sent.fulfillment.shipping.carrier,
        service=sent.fulfillment.shipping.service,
        tracking_number=sent.tracking_number,
        sscc=sent.parcel.sscc,
        weight_grams=sent.parcel.weight_grams,
        parcel=sent.parcel.number,
        parcels=len(sent.siblings),
    )


async def _packing_slip(uow: UnitOfWork, row: ParcelId) -> PackingSlip | None:
    sent = await _sent(uow, row)
    if sent is None:
        return None
    lines = await uow.orders.lines_of([sent.order.id])
    names = {item.id: item.name for item in await uow.catalog.items(list({line.item for line in lines}))}
    inside = _units(sent.parcel, sent.fulfillment)
    before = {line.id: line.shipped for line in lines}
    if sent.fulfillment.shipped_at is None:  # what leaves with this parcel, leaves now
        for parcel in sent.siblings:
            for line, units in _units(parcel, sent.fulfillment).items():
                before[line] += units
    return PackingSlip(
        order_number=sent.order.number,
        channel=sent.order.channel,
        placed_at=sent.order.placed_at,
        ship_from=sent.sender,
        ship_to=sent.order.ship_to or Address(),
        shipped_at=sent.fulfillment.shipped_at,
        carrier=sent.fulfillment.shipping.carrier,
        tracking_number=sent.tracking_number,
        parcel=sent.parcel.number,
        parcels=len(sent.siblings),
        lines=tuple(
            PackedLine(
                sku=line.sku,
                name=names[line.item],
                ordered=line.quantity - line.canceled,
                in_parcel=inside.get(line.id, 0),
                to_come=max(0, line.quantity - line.canceled - line.dropshipped - before[line.id]),
                reference=line.reference,
                note=line.customization_note,
            )
            for line in lines
            if line.id in inside or line.open
        ),
        note=sent.order.note,
    )


def _units(parcel: Parcel, fulfillment: FulfillmentView) -> Mapping[LineId, int]:
    """Units of each line of the order that are in the parcel."""
    lines = {line.id: line.line for line in fulfillment.lines}
    return {lines[line]: units for line, units in parcel.contents if line in lines}


async def _pick_list(uow: UnitOfWork, row: PickListId) -> PickList | None:
    found = await uow.fulfillments.lists([row])
    if not found:
        return None
    tasks = await uow.fulfillments.tasks_on([row])
    places = {place.id: place for place in await uow.catalog.locations()}
    place = places[found[0].location]
    items = {item.id: item for item in await uow.catalog.items(list({task.item for task in tasks}))}
    orders = {order.id: order for order in await uow.orders.by_ids(list({task.order for task in tasks}))}
    return PickList(
        reference=str(row),
        mode=found[0].mode,
        made_at=found[0].created_at,
        location_code=place.code,
        location_name=place.name,
        country_code=place.country_code,
        lines=by_bin(
            PickLine(
                sku=items[tasks_here[0].item].sku,
                name=items[tasks_here[0].item].name,
                barcode=items[tasks_here[0].item].barcode,
                bin=tasks_here[0].bin,
                quantity=sum(task.missing for task in tasks_here),
                goes_to=tuple(
                    PickShare(reference=orders[task.order].number, quantity=task.missing) for task in tasks_here
                ),
            )
            for tasks_here in _together(tasks)
        ),
    )


def _together(tasks: list[PickTaskView]) -> list[list[PickTaskView]]:
    """What is still to be fetched of one SKU from one bin."""
    found: defaultdict[tuple[int, str | None], list[PickTaskView]] = defaultdict(list)
    for task in tasks:
        if task.state is PickTaskState.OPEN:
            found[task.item, task.bin].append(task)
    return list(found.values())
