"""Why a line is short: every location that was considered, and why it gave nothing, or not more. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import ItemId, LevelKey, LineId, LocationId, OrderId
from domain.kinds import NotTakenReason, ShippingPolicy
from domain.orders import Order, OrderLine
from domain.pegging import Peg
from domain.sourcing import BY_RANK, Sourcing, arrange
from domain.stock import Location, StockLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A location, what is still available there, what the line holds there, and why not more. For people: `message`."""

    location: LocationId
    available: int
    taken: int
    reason: NotTakenReason | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """Orders whose claims on a SKU are stronger than a new one would be: the strongest first, and how many in all.

    `units`: what they hold, by location.
    """

    orders: tuple[OrderId, ...] = ()
    total: int = 0
    units: Mapping[LocationId, int] | None = None


NO_RIVALS = Rivals()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineExplanation:
    """Of a line with open units: how many are short, why, and what they rest on."""

    line: LineId
    needed: int
    allocated: int
    candidates: tuple[Candidate, ...]
    rivals: Rivals
    pegs: tuple[Peg, ...]
    together: "Together"

    @property
    def short(self) -> int:
        return self.needed - self.allocated

    def expected_at(self, now: datetime) -> datetime | None:
        """When the last of the missing units can be had; None where something is missing that nobody expects.

        A line that is only had together with others can be had when they can. A supply that is overdue is expected at
        its own date, which has passed.
        """
        if not self.short or sum(peg.units for peg in self.together.pegs) < self.together.short:
            return None
        return max(peg.expected_at or now for peg in self.together.pegs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Lines that are had together or not at all: how many units they are short of, and what these rest on."""

    short: int
    pegs: tuple[Peg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What was read for an explanation. `held`: what each line holds, by location."""

    places: Mapping[LocationId, Location]
    sourcing: Mapping[str, Sourcing]
    levels: Mapping[LevelKey, StockLevel]
    held: Mapping[LineId, Mapping[LocationId, int]]
    rivals: Mapping[tuple[OrderId, ItemId], Rivals]
    pegs: Mapping[LineId, tuple[Peg, ...]]


def explain(order: Order, lines: Sequence[OrderLine], told: Circumstances) -> tuple[LineExplanation, ...]:
    """Every line that has open units, in the order given."""
    wanted = [line for line in lines if line.open]
    considered = _considered(order, wanted, told)
    together = _together(order, wanted, told)
    return tuple(
        LineExplanation(
            line=line.id,
            needed=line.open,
            allocated=line.allocated,
            candidates=_candidates(order, line, told, considered),
            rivals=told.rivals.get((order.id, line.item), NO_RIVALS) if line.open > line.allocated else NO_RIVALS,
            pegs=_pegs(line, told),
            together=together[line.id],
        )
        for line in wanted
    )


def _pegs(line: OrderLine, told: Circumstances) -> tuple[Peg, ...]:
    return told.pegs.get(line.id, ()) if line.open > line.allocated else ()


def _together(order: Order, lines: Sequence[OrderLine], told: Circumstances) -> dict[LineId, Together]:
    """An order that is shipped complete is had as a whole, a bundle as a whole, and any other line by itself."""
    groups: defaultdict[object, list[OrderLine]] = defaultdict(list)
    for line in lines:
        as_a_whole = order.shipping_policy is ShippingPolicy.SHIP_COMPLETE
        groups["order" if as_a_whole else ("bundle", line.bundle) if line.bundle else line.id].append(line)
    found: dict[LineId, Together] = {}
    for group in groups.values():
        pegs = tuple(peg for line in group for peg in _pegs(line, told))
        one = Together(short=sum(line.open - line.allocated for line in group), pegs=pegs)
        found.update((line.id, one) for line in group)
    return found


def _considered(order: Order, lines: Sequence[OrderLine], told: Circumstances) -> list[Location]:
    """The locations in the order in which they are tried for this order; those of other channels last."""
    sourcing = told.sourcing.get(order.channel, BY_RANK)
    demand: Counter[ItemId] = Counter()
    own: Counter[LevelKey] = Counter()
    for line in lines:
        demand[line.item] += line.open
        for location, units in told.held.get(line.id, {}).items():
            own[line.item, location] += units

    def available(item: ItemId, location: LocationId) -> int:
        level = told.levels.get((item, location))
        return (level.available if level else 0) + own[item, location]

    enabled = [place for place in told.places.values() if sourcing.allows(place.id)]
    others = [place for place in told.places.values() if not sourcing.allows(place.id)]
    arranged = arrange(demand, enabled, sourcing.rules, order.ship_to, available)
    return [told.places[location] for location in arranged.locations] + others


def _candidates(
    order: Order, line: OrderLine, told: Circumstances, considered: Sequence[Location]
) -> tuple[Candidate, ...]:
    found = []
    for place in considered:
        level = told.levels.get((line.item, place.id))
        if level is not None:
            taken = told.held.get(line.id, {}).get(place.id, 0)
            reason, message = _judge(order, line, level, place, told)
            found.append(
                Candidate(location=place.id, available=level.available, taken=taken, reason=reason, message=message)
            )
    return tuple(found)


Verdict = tuple[NotTakenReason | None, str]


def _judge(order: Order, line: OrderLine, level: StockLevel, place: Location, told: Circumstances) -> Verdict:
    short = line.open - line.allocated
    taken = told.held.get(line.id, {}).get(place.id, 0)
    if not told.sourcing.get(order.channel, BY_RANK).allows(place.id):
        return NotTakenReason.LOCATION_NOT_IN_CHANNEL, f"{place.code} does not serve the channel {order.channel}."
    if order.asked_at is not None and place.id not in order.asked_at:
        return NotTakenReason.LOCATION_NOT_ASKED_FOR, f"The last run was not to use {place.code}."
    if not short:
        return (None, f"{_units(taken)} set aside.") if taken else (NotTakenReason.NOT_NEEDED, "Nothing was missing.")
    if level.available:
        return _not_offered(order, line, level, told)
    return _empty(order, line, level, told)


def _not_offered(order: Order, line: OrderLine, level: StockLevel, told: Circumstances) -> Verdict:
    """Units are there, and this line does not have them."""
    there = f"{_units(level.available)} available"
    if order.shipping_policy is ShippingPolicy.SHIP_COMPLETE:
        return (
            NotTakenReason.SHIP_COMPLETE_POLICY,
            f"{there}, and the order is set aside as a whole or not at all.",
        )
    if not told.sourcing.get(order.channel, BY_RANK).split_lines:
        return NotTakenReason.SPLIT_NOT_ALLOWED, f"{there}, and one line must not come from several locations."
    if line.bundle is not None:
        return NotTakenReason.BUNDLE_INCOMPLETE, f"{there}, and of a bundle only whole ones are set aside."
    return None, f"{there} since the last run: allocate the order again."


def _empty(order: Order, line: OrderLine, level: StockLevel, told: Circumstances) -> Verdict:
    """Nothing is available, or nothing more."""
    taken = told.held.get(line.id, {}).get(level.location, 0)
    got = f" {_units(taken)} set aside." if taken else ""
    kept_back = min(level.safety_stock, level.on_hand - level.damaged - level.quality_control - level.committed)
    if kept_back > 0:
        return NotTakenReason.SAFETY_STOCK, f"{_units(kept_back)} kept back as safety stock.{got}"
    rivals = told.rivals.get((order.id, line.item), NO_RIVALS)
    theirs = (rivals.units or {}).get(level.location, 0)
    if theirs:
        message = f"{_units(theirs)} of {level.on_hand} on hand set aside for stronger claims.{got}"
        return NotTakenReason.HELD_BY_STRONGER_CLAIM, message
    others = level.committed - taken
    weaker = f", {_units(others)} set aside for weaker claims and carts" if others else ""
    message = f"{level.on_hand} on hand{weaker}, {level.unavailable} not for sale.{got}"
    return NotTakenReason.INSUFFICIENT_AVAILABLE, message


def _units(number: int) -> str:
    return "1 unit" if number == 1 else f"{number:,} units"
