"""Carriers' events: what they say of parcels, by the parcel, the fulfillment or the tracking number."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain import tracking
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import NOTE_LENGTH_MAX, Path, Problems
from domain.errors import DomainError, InvalidInput, NotFound
from domain.fulfillments import TrackingEvent
from domain.ids import FulfillmentId, ParcelId, RowName
from domain.tracking import Tracked
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.ports.database import Database

EVENTS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelReference:
    """One way to name what a carrier speaks of: a parcel, a fulfillment, or a tracking number. `given`: the id as the
    caller wrote it.
    """

    parcel: ParcelId | None = None
    fulfillment: FulfillmentId | None = None
    number: str = ""
    given: str = ""

    @property
    def unknown(self) -> NotFound:
        """There is no such thing."""
        return NotFound(references=(self.given or self.number,))


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierSays:
    """One event, and what it is about."""

    about: ParcelReference
    event: TrackingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingRecorded:
    """It was written down, by this request; who tells the same again learns that it was then."""

    fulfillments: tuple[FulfillmentId, ...]
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingAnswer:
    """What became of one event: `recorded` (now, or `already`) or the refusal."""

    fulfillments: tuple[FulfillmentId, ...] = ()
    already: bool = False
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTracking:
    """What a carrier says of parcels that were found."""

    mutation: ClassVar[str] = "recordTrackingEvents"
    outcome_type: ClassVar[Any] = TrackingRecorded
    about: Tracked
    event: TrackingEvent

    def needs(self) -> Needs:
        return Needs(fulfillments=(self.about.fulfillment,), floor=True)

    def decide(self, batch: Batch, known: Known) -> TrackingRecorded:
        assert known.now is not None
        if self.about.fulfillment not in known.fulfillments:
            raise NotFound(references=(RowName("Fulfillment", self.about.fulfillment),))
        made = tracking.record(batch, self.about, self.event, known.now)
        return TrackingRecorded(fulfillments=made, request=batch.request)

    def conclude(self, outcome: TrackingRecorded, _: Changes) -> TrackingRecorded:
        return outcome


async def record_tracking_events(
    performer: Performer, database: Database, caller: Caller, events: Sequence[CarrierSays]
) -> list[TrackingAnswer]:
    """Write down what carriers say, each with its own answer. The same event is written down once, however often and by
    whomever it is told; in whatever sequence they come, the latest by the carrier's clock counts. Raises InvalidInput.
    """
    problems, path = Problems(), ("input", "events")
    problems.size(len(events), path, EVENTS_MAX)
    checked = [_checked(problems, one, (*path, str(at))) for at, one in enumerate(events)]
    problems.refuse()
    references = list(dict.fromkeys(one.about for one in checked))
    found = await database.seen_by(caller.visibility).read(lambda uow: uow.fulfillments.tracked(references))
    # Asked for one after the other, they stand so in the queue, and become one transaction.
    tasks = [
        asyncio.ensure_future(_record(performer, caller, one, found.get(one.about), (*path, str(at))))
        for at, one in enumerate(checked)
    ]
    return list(await asyncio.gather(*tasks))


async def _record(
    performer: Performer, caller: Caller, says: CarrierSays, about: Tracked | None, path: Path
) -> TrackingAnswer:
    if about is None:
        return TrackingAnswer(refusal=says.about.unknown)
    try:
        done = await performer.perform(caller, RecordTracking(about=about, event=says.event), _key(about, says.event))
    except InvalidInput as refusal:
        problems = tuple(replace(one, path=(*path, *one.path)) for one in refusal.problems)
        return TrackingAnswer(refusal=InvalidInput(problems=problems))
    except DomainError as refusal:
        return TrackingAnswer(refusal=refusal)
    return TrackingAnswer(fulfillments=done.fulfillments, already=done.request != caller.request)


def _key(about: Tracked, event: TrackingEvent) -> str:
    """The event is its own idempotency key: nobody who passes it on has to make one up, and keep it."""
    return hashlib.sha256(repr((about, event)).encode()).hexdigest()


def _checked(problems: Problems, says: CarrierSays, path: Path) -> CarrierSays:
    event, number = says.event, says.about.number
    if says.about.parcel is None and says.about.fulfillment is None:
        number = problems.text(number, (*path, "about", "trackingNumber"))
    at = problems.time(event.occurred_at, (*path, "occurredAt")) or event.occurred_at
    message = problems.optional_text(event.message, (*path, "message"), NOTE_LENGTH_MAX)
    place = problems.optional_text(event.place, (*path, "place"))
    return CarrierSays(
        about=replace(says.about, number=number),
        event=replace(event, occurred_at=at, message=message, place=place),
    )
