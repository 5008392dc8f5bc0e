"""Label, ship and deliver: parcels leave, and with them what was set aside and on hand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from domain.batch import Batch
from domain.errors import FulfillmentNotInState
from domain.fulfilling import moved
from domain.fulfillments import Fulfillment, Shipping
from domain.ids import FulfillmentId, LineId, ParcelId
from domain.kinds import AllocationCause, FulfillmentKind, FulfillmentState, OrderChange
from domain.packing import divide


def label(
    batch: Batch, fulfillment_id: FulfillmentId, shipping: Shipping, labels: Mapping[ParcelId, tuple[str, str | None]]
) -> None:
    """A carrier will take the parcels: each has a tracking number now, and where the carrier's label is."""
    require_packed(batch, fulfillment_id)
    for parcel in batch.floor.parcels_of(fulfillment_id):
        if parcel.id in labels:
            number, url = labels[parcel.id]
            batch.floor.put_parcel(replace(parcel, tracking_number=number, label_url=url))
    batch.floor.change(replace(batch.floor.fulfillments[fulfillment_id], shipping=shipping))


def require_packed(batch: Batch, fulfillment_id: FulfillmentId) -> None:
    """Raises FulfillmentNotInState."""
    if batch.floor.fulfillments[fulfillment_id].state is not FulfillmentState.PACKED:
        raise FulfillmentNotInState(fulfillment=fulfillment_id, allowed=(FulfillmentState.PACKED,))


def ship(
    batch: Batch,
    fulfillment_id: FulfillmentId,
    shipping: Shipping,
    parcels: Mapping[ParcelId, str | None],
    at: datetime | None,
) -> FulfillmentId | None:
    """The parcels leave, and with them what was set aside and on hand. `parcels`: those that leave now, with their
    tracking numbers; none named: all of them. What stays is a fulfillment of its own, which is answered.
    """
    one = moved(batch, fulfillment_id, "shipFulfillment")
    before = batch.floor.fulfillments[fulfillment_id]
    if one.kind is FulfillmentKind.STOCK and before.state is FulfillmentState.RELEASED:
        raise FulfillmentNotInState(fulfillment=one.id, allowed=(FulfillmentState.PACKED,))
    rest = _leave_behind(batch, before, parcels)
    left = batch.floor.fulfillments[one.id]
    for parcel in batch.floor.parcels_of(one.id):
        number = parcels.get(parcel.id) or parcel.tracking_number or shipping.tracking_number
        batch.floor.put_parcel(replace(parcel, tracking_number=number))
    batch.floor.change(replace(left, state=one.state, shipping=_given(shipping, left.shipping), changed_at=at))
    for line in left.lines:
        for claim in batch.claims_at(line.id):
            batch.ship(claim, f"Fulfillment {one.id}")
    batch.note(one.order, OrderChange.SHIPPED)
    batch.explain(one.order, AllocationCause.SHIPPED)
    return rest


def _given(shipping: Shipping, known: Shipping) -> Shipping:
    """What is said now, and for the rest what was known."""
    return Shipping(
        carrier=shipping.carrier or known.carrier,
        service=shipping.service or known.service,
        tracking_number=shipping.tracking_number or known.tracking_number,
        tracking_url=shipping.tracking_url or known.tracking_url,
        postage=shipping.postage or known.postage,
    )


def _leave_behind(batch: Batch, one: Fulfillment, leaving: Mapping[ParcelId, str | None]) -> FulfillmentId | None:
    if not leaving:
        return None
    staying = [parcel for parcel in batch.floor.parcels_of(one.id) if parcel.id not in leaving]
    lines = {line.id: line.line for line in one.lines}
    rest: defaultdict[LineId, int] = defaultdict(int)
    for parcel in staying:
        for line, units in parcel.contents:
            rest[lines[line]] += units
    part = divide(batch, one, rest)
    if part is not None:
        fresh = {line.line: line.id for line in batch.floor.fulfillments[part].lines}
        for number, parcel in enumerate(staying, 1):
            contents = tuple((fresh[lines[line]], units) for line, units in parcel.contents)
            batch.floor.put_parcel(replace(parcel, fulfillment=part, number=number, contents=contents))
    return part


def deliver(batch: Batch, fulfillment_id: FulfillmentId, at: datetime | None) -> None:
    """The customer has it. The order is fulfilled once that is true of everything that was not canceled."""
    one = moved(batch, fulfillment_id, "deliverFulfillment")
    batch.floor.change(replace(one, changed_at=at))
    batch.note(one.order, OrderChange.DELIVERED)
