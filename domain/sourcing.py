"""From where: in which order the locations are tried for one order. Pure.

Rules come as an ordered list, and the first one that is not a tie decides. Rules that judge one location sort;
FEWEST_SPLITS judges sets of locations, so with it the sets that serve all that can be served are compared as a whole.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from domain.ids import ItemId, LocationId
from domain.kinds import SourcingRule
from domain.orders import Address
from domain.stock import Location

SPLITS_MAX = 3
"""Sets of more locations than this are not searched."""
SETS_MAX = 2_000
"""So many sets are looked at for one order; the answer says when there were more."""
EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourcing:
    """How the orders of a channel are served. `locations` None: from all. `split_lines`: one line from several."""

    rules: tuple[SourcingRule, ...] = (SourcingRule.LOCATION_RANK,)
    locations: frozenset[LocationId] | None = None
    split_lines: bool = True

    def allows(self, location: LocationId) -> bool:
        return self.locations is None or location in self.locations


BY_RANK = Sourcing()
"""What a channel has for which nobody has said anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The locations in the order in which they are tried. `capped`: there were more sets than were looked at."""

    locations: tuple[LocationId, ...]
    capped: bool = False


Available = Callable[[ItemId, LocationId], int]
Score = Callable[[Sequence[Location]], tuple[float, ...]]
Key = Callable[[Sequence[Location]], tuple[object, ...]]


def arrange(
    demand: Mapping[ItemId, int],
    candidates: Sequence[Location],
    rules: Sequence[SourcingRule],
    ship_to: Address | None,
    available: Available,
) -> Arrangement:
    """Arrange the candidates for an order that wants `demand` units of each SKU. Ties are broken by rank, then id."""
    scores = [_scores(rule, demand, ship_to, available) for rule in (*rules, SourcingRule.LOCATION_RANK)]

    def key(locations: Sequence[Location]) -> tuple[object, ...]:
        return (*(score(locations) for score in scores), tuple(location.id for location in locations))

    ordered = sorted(candidates, key=lambda location: key((location,)))
    if SourcingRule.FEWEST_SPLITS not in rules:
        return Arrangement(locations=tuple(location.id for location in ordered))
    splits_decide = rules[0] is SourcingRule.FEWEST_SPLITS
    best, capped = _best_set(demand, ordered, key, available, splits_decide=splits_decide)
    first = [location for location in ordered if location in best]
    rest = [location for location in ordered if location not in best]
    return Arrangement(locations=tuple(location.id for location in (*first, *rest)), capped=capped)


def _best_set(
    demand: Mapping[ItemId, int], ordered: Sequence[Location], key: Key, available: Available, *, splits_decide: bool
) -> tuple[tuple[Location, ...], bool]:
    """The best set that serves all that can be served, of single locations, then pairs, then triples; empty if none.

    `splits_decide`: no larger set can be better than a smaller one.
    """
    stock = {item: {place.id: max(0, available(item, place.id)) for place in ordered} for item in demand}
    servable = {item: min(units, sum(stock[item].values())) for item, units in demand.items()}
    useful = [place for place in ordered if any(stock[item][place.id] for item, units in servable.items() if units)]
    found: list[tuple[Location, ...]] = []
    looked = 0
    for size in range(1, min(SPLITS_MAX, len(useful)) + 1):
        for locations in combinations(useful, size):
            if looked == SETS_MAX:
                return min(found, key=key, default=()), True
            looked += 1
            if all(sum(stock[item][place.id] for place in locations) >= units for item, units in servable.items()):
                found.append(locations)
        if found and splits_decide:
            break
    return min(found, key=key, default=()), False


# ---------------------------------------------------------------- the rules: lower is better


def _scores(rule: SourcingRule, demand: Mapping[ItemId, int], ship_to: Address | None, available: Available) -> Score:
    match rule:
        case SourcingRule.LOCATION_RANK:
            return lambda locations: tuple(sorted(location.rank for location in locations))
        case SourcingRule.NEAREST:
            return lambda locations: tuple(sorted(distance(location, ship_to) for location in locations))
        case SourcingRule.FEWEST_SPLITS:
            return lambda locations: (len(locations),)
        case SourcingRule.MOST_STOCK:
            return lambda locations: (-_stock(demand, locations, available),)


def _stock(demand: Mapping[ItemId, int], locations: Sequence[Location], available: Available) -> int:
    """Units that are there of what the order wants, wanted or not."""
    return sum(max(0, available(item, location.id)) for item in demand for location in locations)


SAME_REGION, SAME_COUNTRY, ELSEWHERE = 20_100.0, 20_200.0, 20_300.0
"""Farther than any two places are apart: without coordinates, places are compared by what they share."""


def distance(location: Location, ship_to: Address | None) -> float:
    """Kilometres along the great circle; without coordinates on both sides, by country, then region."""
    if ship_to is None:
        return ELSEWHERE
    points = (location.latitude, location.longitude, ship_to.latitude, ship_to.longitude)
    if None not in points:
        return great_circle_km(*(point for point in points if point is not None))
    if not location.country_code or location.country_code != ship_to.country_code:
        return ELSEWHERE
    if not location.region or location.region.casefold() != (ship_to.region or "").casefold():
        return SAME_COUNTRY
    return SAME_REGION


def great_circle_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The haversine formula, degrees in, kilometres out."""
    here, there = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    half = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))
