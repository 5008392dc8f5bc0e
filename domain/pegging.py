"""On which dated supply each waiting unit rests, and so when it can be had. Pure.

Every unit that waits is pegged to units that are free or on their way, in the sequence in which waiting orders are run:
highest priority first, then oldest. So a date given to one order takes the orders before it into account.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.ids import ItemId, LevelKey, LineId, LocationId, OrderId, SupplyId
from domain.stock import StockLevel
from domain.supply import OpenSupplyLine


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """Units that a line waits for. `number` and `channel` are its order's.

    `locations`: where the units may come from; None: from everywhere.
    """

    order: OrderId
    line: LineId
    item: ItemId
    units: int
    number: str = ""
    channel: str = ""
    locations: frozenset[LocationId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peg:
    """Units that a line will be given. `supply` and `expected_at` None: they are there already."""

    location: LocationId
    units: int
    supply: SupplyId | None = None
    expected_at: datetime | None = None


@dataclass(slots=True)
class _Source:
    location: LocationId
    left: int
    supply: SupplyId | None = None
    expected_at: datetime | None = None


Pegs = Mapping[LineId, tuple[Peg, ...]]


def peg(queue: Iterable[WaitingLine], levels: Iterable[StockLevel], supplies: Iterable[OpenSupplyLine]) -> Pegs:
    """The pegs of each line, the earliest first; a line for which nothing is expected has none.

    What is free now goes first. Of what comes to a location, claims there that have lost their stock come first.
    """
    sources = _sources(levels, supplies)
    pegs: defaultdict[LineId, list[Peg]] = defaultdict(list)
    for waiting in queue:
        missing = waiting.units
        left = sources.get(waiting.item, [])
        for source in left:
            if not missing:
                break
            if waiting.locations is None or source.location in waiting.locations:
                units = min(missing, source.left)
                source.left -= units
                missing -= units
                pegs[waiting.line].append(
                    Peg(location=source.location, units=units, supply=source.supply, expected_at=source.expected_at)
                )
        sources[waiting.item] = [source for source in left if source.left]
    return {line: tuple(found) for line, found in pegs.items()}


def _sources(levels: Iterable[StockLevel], supplies: Iterable[OpenSupplyLine]) -> dict[ItemId, list[_Source]]:
    sources: defaultdict[ItemId, list[_Source]] = defaultdict(list)
    unbacked: dict[LevelKey, int] = {}
    for level in levels:
        unbacked[level.key] = level.overallocated
        if level.available:
            sources[level.item].append(_Source(level.location, level.available))
    for line in sorted(supplies, key=lambda line: (line.expected_at, line.supply, line.location)):
        key = (line.item, line.location)
        lost = min(unbacked.get(key, 0), line.open)
        unbacked[key] = unbacked.get(key, 0) - lost
        if line.open > lost:
            sources[line.item].append(_Source(line.location, line.open - lost, line.supply, line.expected_at))
    return sources


class Expectation(NamedTuple):
    """Whether all that an order waits for is expected, and the latest date; None where all of it is there."""

    is_complete: bool
    at: datetime | None

    @property
    def told(self) -> datetime | None:
        return self.at if self.is_complete else None


def expectations(queue: Iterable[WaitingLine], pegs: Pegs) -> dict[OrderId, Expectation]:
    """What each order of the queue may expect, over the lines that wait."""
    found: dict[OrderId, Expectation] = {}
    for waiting in queue:
        rests_on = pegs.get(waiting.line, ())
        before = found.get(waiting.order, Expectation(True, None))
        dates = [peg.expected_at for peg in rests_on if peg.expected_at] + ([before.at] if before.at else [])
        is_complete = before.is_complete and sum(peg.units for peg in rests_on) == waiting.units
        found[waiting.order] = Expectation(is_complete, max(dates, default=None))
    return found
