"""What the customer of an order is told: how far it is, when it comes, and in which words. Nothing of it is internal.

Facts in, a journey out. The words are decided here, so that every combination can be tried without a page.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.fulfillments import GONE, UNDER_WAY
from domain.journey_facts import Goods, JourneyFacts, JourneyParcel, JourneyPart, Scan
from domain.kinds import (
    AllocationStatus,
    FulfillmentState,
    JourneyStage,
    OrderStatus,
    Punctuality,
    StageProgress,
    TrackingStatus,
)

# ---------------------------------------------------------------- what is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage. `at`: when something last came through it."""

    name: JourneyStage
    progress: StageProgress
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelTold:
    """A parcel, or goods that are in none yet. `stage`: the last that it came through. `scans`: the latest first."""

    stage: JourneyStage
    words: str
    contents: tuple[Goods, ...]
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    estimated_ship_at: datetime | None
    estimated_delivery_at: datetime | None
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """An order as its customer sees it. `remarks`: what else must be said, each a sentence or two."""

    number: str
    merchant: str
    headline: str
    remarks: tuple[str, ...]
    is_canceled: bool
    punctuality: Punctuality
    placed_at: datetime
    promised_delivery_at: datetime | None
    estimated_ship_at: datetime | None
    estimated_delivery_at: datetime | None
    delivered_at: datetime | None
    city: str | None
    country_code: str | None
    ordered: tuple[Goods, ...]
    stages: tuple[Stage, ...]
    parcels: tuple[ParcelTold, ...]


def journey(facts: JourneyFacts) -> Journey:
    """What the customer is told."""
    far = _how_far(facts)
    canceled = facts.status is OrderStatus.VOID or not facts.wanted
    judged = Punctuality.NO_DATE if canceled else _punctuality(facts, far)
    coming = [part for part in facts.parts if part.state in UNDER_WAY]
    return Journey(
        number=facts.number,
        merchant=facts.merchant,
        headline=headline(facts, far),
        remarks=() if canceled else tuple(_remarks(facts, far, judged)),
        is_canceled=canceled,
        punctuality=judged,
        placed_at=facts.placed_at,
        promised_delivery_at=None if canceled else facts.promised_delivery_at,
        estimated_ship_at=_latest(part.estimated_ship_at for part in coming) if far.sent >= far.wanted else None,
        estimated_delivery_at=None if canceled else _expected(facts, far),
        delivered_at=_delivered_at(facts, far),
        city=facts.city,
        country_code=facts.country_code,
        ordered=facts.ordered,
        stages=tuple(_stages(facts, far, canceled=canceled)),
        parcels=tuple(_parcels(facts.parts)),
    )


# ---------------------------------------------------------------- how far it is


@dataclass(frozen=True, slots=True, kw_only=True)
class HowFar:
    """Units that came through each stage; each number is at most the one before.

    `packed`: all that is here still. `scanned`: what carriers say of everything that is on its way, if it is the same.
    """

    wanted: int
    aside: int
    sent: int
    gone: int
    delivered: int
    packed: bool = False
    scanned: TrackingStatus | None = None


def _how_far(facts: JourneyFacts) -> HowFar:
    here = [part for part in facts.parts if part.state in UNDER_WAY]
    delivered = sum(map(_arrived, facts.parts))
    gone = _units(part for part in facts.parts if part.state in GONE)
    sent = gone + _units(here)
    return HowFar(
        wanted=facts.wanted,
        aside=max(facts.aside, sent),
        sent=sent,
        gone=gone,
        delivered=delivered,
        packed=bool(here) and all(part.state is FulfillmentState.PACKED for part in here),
        scanned=_scanned(part for part in facts.parts if part.state is FulfillmentState.SHIPPED),
    )


def _scanned(parts: Iterable[JourneyPart]) -> TrackingStatus | None:
    told = [_told(part, parcel) for part in parts for parcel in part.parcels or (_whole(part),)]
    last = {one.scans[0].status if one.scans else None for one in told if one.stage is JourneyStage.SHIPPED}
    return last.pop() if len(last) == 1 else None


def _arrived(part: JourneyPart) -> int:
    """Units that the customer has; of goods on their way, those in parcels that their carrier has delivered."""
    if part.state is FulfillmentState.DELIVERED:
        return part.units
    arrived = [parcel for parcel in part.parcels if parcel.delivered_at] if part.state in GONE else []
    return sum(goods.quantity for parcel in arrived for goods in parcel.contents)


def _arrivals(part: JourneyPart) -> Iterator[datetime | None]:
    yield part.delivered_at
    yield from (parcel.delivered_at for parcel in part.parcels)


def _units(parts: Iterable[JourneyPart]) -> int:
    return sum(part.units for part in parts)


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


HEADLINES: dict[TrackingStatus | None, str] = {
    TrackingStatus.OUT_FOR_DELIVERY: "Your order is out for delivery.",
    TrackingStatus.AVAILABLE_FOR_PICKUP: "Your order is ready for you to fetch.",
    TrackingStatus.FAILURE: "Your order could not be delivered.",
    TrackingStatus.RETURN_TO_SENDER: "Your order is on its way back to us.",
}
"""Where all of it is on its way, and carriers say the same of all of it."""


def headline(facts: JourneyFacts, far: HowFar) -> str:
    """The sentence that stands above everything else."""
    if facts.status is OrderStatus.VOID or not far.wanted:
        return "This order has been canceled."
    if far.delivered >= far.wanted:
        return "Your order has been delivered."
    if far.gone >= far.wanted:
        some = "Part of your order has been delivered, the rest is on its way."
        return some if far.delivered else HEADLINES.get(far.scanned, "Your order is on its way.")
    if far.gone:
        arrived = far.delivered >= far.gone
        return f"Part of your order {'has been delivered' if arrived else 'is on its way'}, the rest follows."
    if far.sent >= far.wanted:
        return "Your order is packed and about to leave." if far.packed else "Your order is being prepared."
    if far.sent:
        return f"Part of your order is {'packed and about to leave' if far.packed else 'being prepared'}."
    if facts.held:
        return "We are checking your order before we send it."
    if far.aside >= far.wanted:
        return "Everything you ordered is reserved for you."
    if far.aside:
        return "Part of your order is reserved for you, we are waiting for the rest."
    if facts.allocation_status is AllocationStatus.COULD_NOT_ALLOCATE:
        return "We have your order and are waiting for the goods."
    return "We have your order."


def _stages(facts: JourneyFacts, far: HowFar, *, canceled: bool) -> Iterator[Stage]:
    yield Stage(name=JourneyStage.PLACED, progress=StageProgress.DONE, at=facts.placed_at)
    if canceled:
        return
    gone = [part for part in facts.parts if part.state in GONE]
    sent = [part for part in facts.parts if part.state is not FulfillmentState.CANCELED]
    for name, units, at in (
        (JourneyStage.ALLOCATED, far.aside, facts.allocated_at or _latest(part.released_at for part in sent)),
        (JourneyStage.RELEASED, far.sent, _latest(part.released_at for part in sent)),
        (JourneyStage.SHIPPED, far.gone, _latest(part.shipped_at for part in gone)),
        (JourneyStage.DELIVERED, far.delivered, _latest(at for part in gone for at in _arrivals(part))),
    ):
        whole = StageProgress.DONE if units >= far.wanted else StageProgress.PARTLY
        yield Stage(name=name, progress=whole if units else StageProgress.TO_COME, at=at if units else None)


# ---------------------------------------------------------------- when it comes


def _expected(facts: JourneyFacts, far: HowFar) -> datetime | None:
    """When the last of it should come; None where nobody can say, and where all of it is there."""
    if far.sent < far.wanted or far.delivered >= far.wanted:
        return None
    coming = [part for part in facts.parts if part.state in (*UNDER_WAY, FulfillmentState.SHIPPED)]
    times = [part.estimated_delivery_at for part in coming]
    return None if None in times else _latest(times)


def _delivered_at(facts: JourneyFacts, far: HowFar) -> datetime | None:
    """When the last of it came; None until then."""
    return _latest(part.delivered_at for part in facts.parts) if 0 < far.wanted <= far.delivered else None


def _punctuality(facts: JourneyFacts, far: HowFar) -> Punctuality:
    promised, expected = facts.promised_delivery_at, _expected(facts, far)
    came = _delivered_at(facts, far)
    if came is not None:
        estimated = _latest(part.estimated_delivery_at for part in facts.parts if part.state in GONE)
        due = promised or estimated
        if due is None:
            return Punctuality.NO_DATE
        return Punctuality.CAME_IN_TIME if came <= due else Punctuality.CAME_LATE
    due = promised or expected
    if due is None:
        return Punctuality.NO_DATE
    if facts.now > due:
        return Punctuality.LATE
    return Punctuality.EXPECTED_LATE if expected is not None and expected > due else Punctuality.EXPECTED


MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def day(moment: datetime) -> str:
    """A day as people write it, whatever the locale of the server."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def _remarks(facts: JourneyFacts, far: HowFar, judged: Punctuality) -> Iterator[str]:
    promised, expected = facts.promised_delivery_at, _expected(facts, far)
    if judged is Punctuality.LATE and promised is not None:
        yield f"It was promised for {day(promised)} and is late. We are sorry."
    elif judged is Punctuality.LATE and expected is not None:
        yield f"It was expected by {day(expected)} and is late. We are sorry."
    elif judged is Punctuality.EXPECTED_LATE and promised is not None and expected is not None:
        yield f"It will probably come on {day(expected)}, later than promised ({day(promised)}). We are sorry."
    elif judged is Punctuality.CAME_LATE:
        yield f"It came later than {'promised' if promised else 'expected'}. We are sorry."
    if facts.held and far.sent < far.wanted:
        yield "Something about it has to be checked before we can send it. We write to you if we need anything."
    if facts.is_part or facts.has_parts:
        yield "The rest of what you ordered is sent to you separately."


# ---------------------------------------------------------------- parcels

WORDS = {
    JourneyStage.RELEASED: "Being prepared",
    JourneyStage.SHIPPED: "On its way",
    JourneyStage.DELIVERED: "Delivered",
}
STAGES = {FulfillmentState.SHIPPED: JourneyStage.SHIPPED, FulfillmentState.DELIVERED: JourneyStage.DELIVERED}


SCANNED = {
    TrackingStatus.OUT_FOR_DELIVERY: "Out for delivery",
    TrackingStatus.AVAILABLE_FOR_PICKUP: "Ready for you to fetch",
    TrackingStatus.FAILURE: "Could not be delivered",
    TrackingStatus.RETURN_TO_SENDER: "On its way back to us",
}
"""What is said of a parcel on its way instead, where its carrier says so."""
SCANS_MAX = 20


def _parcels(parts: Sequence[JourneyPart]) -> Iterator[ParcelTold]:
    for part in parts:
        if part.state is FulfillmentState.CANCELED or not part.units:
            continue
        for parcel in part.parcels or (_whole(part),):
            yield _told(part, parcel)


def _whole(part: JourneyPart) -> JourneyParcel:
    """All of a fulfillment that is in no parcel."""
    return JourneyParcel(tracking_number=part.tracking_number, contents=part.contents, scans=part.scans)


def _told(part: JourneyPart, parcel: JourneyParcel) -> ParcelTold:
    is_gone, packed = part.state in GONE, part.state is FulfillmentState.PACKED
    stage = STAGES.get(part.state, JourneyStage.RELEASED)
    delivered_at = (parcel.delivered_at or part.delivered_at) if is_gone else None
    if delivered_at:
        stage = JourneyStage.DELIVERED
    number = parcel.tracking_number or part.tracking_number
    # The link that a carrier or a person gave is one for the whole fulfillment, and leads to the parcel of its number.
    is_its_link = len(part.parcels) < 2 or number == part.tracking_number
    return ParcelTold(
        stage=stage,
        words="Packed and about to leave" if packed else _words(stage, parcel),
        contents=parcel.contents,
        carrier=part.carrier if is_gone else None,
        tracking_number=number if is_gone else None,
        tracking_url=part.tracking_url if is_gone and is_its_link else None,
        shipped_at=part.shipped_at,
        delivered_at=delivered_at,
        estimated_ship_at=None if is_gone else part.estimated_ship_at,
        estimated_delivery_at=None if delivered_at else part.estimated_delivery_at,
        scans=parcel.scans[:SCANS_MAX] if is_gone else (),
    )


def _words(stage: JourneyStage, parcel: JourneyParcel) -> str:
    last = parcel.scans[0].status if parcel.scans and stage is JourneyStage.SHIPPED else None
    return WORDS[stage] if last is None else SCANNED.get(last, WORDS[stage])
