"""What carriers say of parcels: late, twice, in any sequence. Once all has arrived, the fulfillment is delivered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain import shipping
from domain.batch import Batch
from domain.changes import NewTrackingEvent
from domain.errors import InputProblem, InvalidInput
from domain.fulfillments import Fulfillment, Parcel, TrackingEvent
from domain.ids import FulfillmentId, ParcelId
from domain.kinds import FulfillmentState, TrackingStatus

RANK = {status: rank for rank, status in enumerate(TrackingStatus)}
"""Of two events of the same moment, the one that is further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What an event is about: a fulfillment, or these parcels of one order; none: all that the fulfillment has."""

    fulfillment: FulfillmentId
    parcels: tuple[ParcelId, ...] = ()


def record(batch: Batch, about: Tracked, event: TrackingEvent, now: datetime) -> tuple[FulfillmentId, ...]:
    """Write down what a carrier says; the fulfillments that it is about, as parcels may have moved to another one.

    Raises InvalidInput.
    """
    if event.occurred_at > now:
        told = f"This is in the future: it is {now:%Y-%m-%dT%H:%M:%SZ}."
        raise InvalidInput(problems=(InputProblem(path=("occurredAt",), code="OUT_OF_RANGE", message=told),))
    floor = batch.floor
    parcels = [floor.parcels[one] for one in about.parcels if one in floor.parcels]
    parcels = parcels or floor.parcels_of(about.fulfillment)
    for parcel in parcels:
        floor.put_parcel(_told(parcel, event))
        _note(batch, parcel.fulfillment, parcel.id, event)
    if not parcels:
        _note(batch, about.fulfillment, None, event)
    touched = tuple(dict.fromkeys(parcel.fulfillment for parcel in parcels)) or (about.fulfillment,)
    for one in touched:
        known = floor.fulfillments[one]
        if _is_news(known.tracking_status, known.tracked_at, event):
            floor.change(replace(known, tracking_status=event.status, tracked_at=event.occurred_at))
        arrive(batch, one)
    return touched


def _note(batch: Batch, fulfillment: FulfillmentId, parcel: ParcelId | None, event: TrackingEvent) -> None:
    made = NewTrackingEvent(
        fulfillment=fulfillment, parcel=parcel, event=event, actor=batch.actor, request=batch.request
    )
    batch.track(made)


def _told(parcel: Parcel, event: TrackingEvent) -> Parcel:
    if event.status is TrackingStatus.DELIVERED and parcel.delivered_at is None:
        parcel = replace(parcel, delivered_at=event.occurred_at)
    if _is_news(parcel.tracking_status, parcel.tracked_at, event):
        parcel = replace(parcel, tracking_status=event.status, tracked_at=event.occurred_at)
    return parcel


def _is_news(status: TrackingStatus | None, at: datetime | None, event: TrackingEvent) -> bool:
    """Whether it is later than what is known, by the carrier's clock; or further, at the same moment."""
    if status is None or at is None:
        return True
    return (event.occurred_at, RANK[event.status]) > (at, RANK[status])


def arrive(batch: Batch, fulfillment: FulfillmentId) -> None:
    """What has been shipped and has arrived in all its parcels is delivered. What has not been shipped here, waits."""
    one = batch.floor.fulfillments[fulfillment]
    at = _arrived_at(one, batch.floor.parcels_of(fulfillment))
    if at is not None and one.state is FulfillmentState.SHIPPED:
        shipping.deliver(batch, fulfillment, at)


def _arrived_at(one: Fulfillment, parcels: Sequence[Parcel]) -> datetime | None:
    if not parcels:
        return one.tracked_at if one.tracking_status is TrackingStatus.DELIVERED else None
    times = [parcel.delivered_at for parcel in parcels]
    return None if None in times else max(time for time in times if time is not None)
