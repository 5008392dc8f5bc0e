"""Buy labels: a carrier takes the parcels of a fulfillment, and says under which numbers."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain.batch import Batch
from domain.carriers import Bought, Party, Shipment
from domain.carriers import Parcel as ToBring
from domain.changes import Changes
from domain.checks import Problems
from domain.errors import FulfillmentNotInState, NotFound, ShippingRefused
from domain.fulfillments import Parcel, Shipping
from domain.ids import FulfillmentId, ParcelId, RowName
from domain.kinds import FulfillmentState
from domain.orders import Address
from domain.shipping import label
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.documents import sender_of
from services.fulfillments import FulfillmentDone
from services.keys import checked_key, recalled
from services.ports.carriers import Carrier, CarrierRefused
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

NOT_SET_UP = "No carrier is set up here: give the tracking number by hand when you ship."


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLabels:
    """What a carrier sold. `labels`: of each parcel the tracking number, and where its label is."""

    mutation: ClassVar[str] = "buyShippingLabel"
    outcome_type: ClassVar[Any] = FulfillmentDone
    fulfillment: FulfillmentId
    shipping: Shipping
    labels: tuple[tuple[ParcelId, str, str | None], ...]
    asked: "BuyShippingLabel"

    def needs(self) -> Needs:
        return Needs(fulfillments=(self.fulfillment,), floor=True)

    def decide(self, batch: Batch, known: Known) -> FulfillmentDone:
        labels = {parcel: (number, url) for parcel, number, url in self.labels}
        label(batch, self.fulfillment, self.shipping, labels)
        return FulfillmentDone(fulfillment=self.fulfillment)

    def conclude(self, outcome: FulfillmentDone, _: Changes) -> FulfillmentDone:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyShippingLabel:
    """Which fulfillment shall be taken, by whom and how; carrier and service None: whatever costs least."""

    fulfillment: FulfillmentId
    carrier: str | None = None
    service: str | None = None


async def buy_shipping_label(
    performer: Performer,
    database: Database,
    carrier: Carrier | None,
    caller: Caller,
    command: BuyShippingLabel,
    key: str,
) -> FulfillmentDone:
    """Have a packed fulfillment taken by the carrier. The carrier sells once for a fulfillment, however often it is
    asked, so whoever did not hear the answer asks again.

    Raises InvalidInput, IdempotencyKeyReused, NotFound, FulfillmentNotInState, ShippingRefused; and CarrierUnavailable.
    """
    problems = Problems()
    command = replace(
        command,
        carrier=problems.optional_text(command.carrier, ("input", "carrier")),
        service=problems.optional_text(command.service, ("input", "service")),
    )
    problems.refuse()
    identity = (caller.key, RecordLabels.mutation, checked_key(key))
    before: FulfillmentDone | None = await recalled(database, identity, command, FulfillmentDone)
    if before is not None:
        return before
    if not await database.seen_by(caller.visibility).read(lambda uow: uow.fulfillments.by_ids([command.fulfillment])):
        raise NotFound(references=(RowName("Fulfillment", command.fulfillment),))
    shipment, parcels = await database.read(lambda uow: _shipment(uow, command))
    if carrier is None:
        raise ShippingRefused(words=NOT_SET_UP)
    try:
        bought = await carrier.buy(shipment)
    except CarrierRefused as refusal:
        raise ShippingRefused(words=refusal.words) from refusal
    return await performer.perform(caller, _recorded(command, bought, parcels), key)


async def _shipment(uow: UnitOfWork, command: BuyShippingLabel) -> tuple[Shipment, list[Parcel]]:
    (one,) = await uow.fulfillments.by_ids([command.fulfillment])
    if one.state is not FulfillmentState.PACKED:
        raise FulfillmentNotInState(fulfillment=one.id, allowed=(FulfillmentState.PACKED,))
    (order,) = await uow.orders.by_ids([one.order])
    parcels = await uow.fulfillments.parcels_of([one.id])
    sender = await sender_of(uow, one.location)
    ship_to = order.ship_to or Address()
    email = order.customer.email if order.customer else None
    return Shipment(
        sender=Party(address=sender, phone=sender.phone),
        receiver=Party(address=ship_to, phone=ship_to.phone, email=email),
        parcels=tuple(_to_bring(parcel) for parcel in parcels),
        idempotency_reference=f"fulfillment-{one.id}",
        carrier=command.carrier,
        service=command.service,
        reference=order.number,
    ), parcels


def _to_bring(parcel: Parcel) -> ToBring:
    if parcel.weight_grams is None:
        raise ShippingRefused(words=f"Parcel {parcel.number} has no weight: pack it with one.")
    sizes = (parcel.length_mm, parcel.width_mm, parcel.height_mm)
    known = [size for size in sizes if size is not None]
    size_mm = (known[0], known[1], known[2]) if len(known) == len(sizes) else None
    return ToBring(weight_grams=parcel.weight_grams, size_mm=size_mm)


def _recorded(command: BuyShippingLabel, bought: Bought, parcels: list[Parcel]) -> RecordLabels:
    first = bought.parcels[0]
    return RecordLabels(
        asked=command,
        fulfillment=command.fulfillment,
        shipping=Shipping(
            carrier=bought.carrier,
            service=bought.service,
            tracking_number=first.tracking_number,
            tracking_url=first.tracking_url,
            postage=bought.cost,
        ),
        labels=tuple(
            (parcel.id, sold.tracking_number, sold.label.url if sold.label else None)
            for parcel, sold in zip(parcels, bought.parcels, strict=True)
        ),
    )
