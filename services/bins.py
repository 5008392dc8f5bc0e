"""Say where units lie within a location."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Problems
from domain.errors import InsufficientStock, Shortage
from domain.ids import LevelKey
from domain.stock import QUANTITY_MAX
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.stock import ReceivedLine, located, sku_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedLine(ReceivedLine):
    """Units that lie in bin `to` and no longer in bin `origin`; None: anywhere at the location."""

    origin: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BinsMoved:
    """The levels that were named, each once."""

    levels: tuple[LevelKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStock:
    """Units lie in other bins now; on hand stays as it is."""

    mutation: ClassVar[str] = "moveStock"
    outcome_type: ClassVar[Any] = BinsMoved
    location: str
    lines: tuple[MovedLine, ...]

    def needs(self) -> Needs:
        return Needs(skus=tuple(sku_of(line.sku) for line in self.lines), locks_skus=True, bins=True, alone=True)

    def decide(self, batch: Batch, known: Known) -> BinsMoved:
        location = located(batch, known, self.location, self.lines)
        there = {key: units for key, units in batch.floor.bins.items() if key[1] == location}
        shortages, levels = [], []
        for line in self.lines:
            item = known.items[sku_of(line.sku)]
            key = (item, location)
            level = batch.levels.get(key)
            levels.append(key)
            on_hand = level.on_hand - level.set_apart if level else 0
            loose = on_hand - sum(units for one, units in there.items() if one[:2] == key)
            here = loose if line.origin is None else there.get((*key, line.origin), 0)
            if here < line.quantity:
                shortages.append(
                    Shortage(
                        sku=batch.skus[item],
                        location=location,
                        requested=line.quantity,
                        on_hand=level.on_hand if level else 0,
                        available=max(0, here),
                    )
                )
            if line.origin is not None:
                there[*key, line.origin] = here - line.quantity
            if line.to is not None:
                there[*key, line.to] = there.get((*key, line.to), 0) + line.quantity
        if shortages:
            raise InsufficientStock(shortages=tuple(shortages))
        for bin_key, units in there.items():
            if units != batch.floor.bins.get(bin_key):
                batch.floor.set_bin(bin_key, units)
        return BinsMoved(levels=tuple(dict.fromkeys(levels)))

    def conclude(self, outcome: BinsMoved, _: Changes) -> BinsMoved:
        return outcome


async def move_stock(performer: Performer, caller: Caller, command: MoveStock, key: str) -> BinsMoved:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, InsufficientStock."""
    problems, path = Problems(), ("input", "lines")
    problems.code(command.location, ("input", "location"))
    problems.size(len(command.lines), path)
    lines = []
    for index, line in enumerate(command.lines):
        at = (*path, str(index))
        problems.code(line.sku, (*at, "sku"))
        problems.whole(line.quantity, (*at, "quantity"), 1, QUANTITY_MAX)
        origin = problems.optional_code(line.origin, (*at, "from"))
        to = problems.optional_code(line.to, (*at, "to"))
        if origin == to:
            problems.add((*at, "to"), "SAME_BIN", "The units lie there already: name another bin.")
        lines.append(replace(line, origin=origin, to=to))
    problems.refuse()
    return await performer.perform(caller, replace(command, lines=tuple(lines)), key)
