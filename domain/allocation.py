"""Who gets the stock. Pure: facts in, decisions out; no clock, no database.

`plan` promises stock to orders in the sequence given. `flags` says which claims are no longer backed when stock falls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.ids import AllocationId, ItemId, LevelKey, LineId, LocationId, OrderId
from domain.stock import StockLevel


class Ask(NamedTuple):
    """Units that a line still wants."""

    line: LineId
    item: ItemId
    quantity: int


class Take(NamedTuple):
    """Units of one SKU at one location, set aside for one line."""

    line: LineId
    item: ItemId
    location: LocationId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """What one order wants.

    `gives_back`: claims that it returns when its turn comes (an overallocated order is deallocated and allocated).
    `all_or_nothing`: nothing is set aside unless everything that is open can be. `not_asked_for`: open units that are
    neither set aside nor asked for now; they keep an all-or-nothing order from being served.
    """

    order: OrderId
    asks: tuple[Ask, ...]
    gives_back: tuple[Take, ...] = ()
    all_or_nothing: bool = False
    not_asked_for: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlan:
    """The decision for one order: what is taken, and how many units of which line are short."""

    order: OrderId
    takes: tuple[Take, ...]
    short: Mapping[LineId, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions of a batch, in its sequence."""

    orders: tuple[OrderPlan, ...]


class StockView:
    """The stock that a plan may draw on: per SKU, its locations in the order in which they are tried.

    Locations come by rank, then by id. A level's `available` is all that can be taken from it.
    """

    def __init__(self, levels: Iterable[StockLevel], ranks: Mapping[LocationId, int]) -> None:
        """`ranks`: the locations that may be used, each with its rank (lower is tried first)."""
        self.supply: dict[LevelKey, int] = {}
        self.committed: dict[LevelKey, int] = {}
        self.locations: dict[ItemId, list[LocationId]] = {}
        for level in levels:
            if level.location in ranks:
                self.supply[level.key] = level.supply
                self.committed[level.key] = level.committed
                self.locations.setdefault(level.item, []).append(level.location)
        for codes in self.locations.values():
            codes.sort(key=lambda location: (ranks[location], location))


def plan(orders: Sequence[OpenOrder], stock: StockView) -> Plan:
    """Promise stock to the orders in the sequence given; account for every unit that is short.

    The same SKU on several lines draws on one stock, so demand is summed. The same input gives the same plan.
    """
    committed = dict(stock.committed)
    return Plan(tuple(_serve(order, stock, committed) for order in orders))


def _serve(order: OpenOrder, stock: StockView, committed: dict[LevelKey, int]) -> OrderPlan:
    for claim in order.gives_back:
        if (claim.item, claim.location) in committed:
            committed[claim.item, claim.location] -= claim.quantity
    takes: list[Take] = []
    short: dict[LineId, int] = {}
    for ask in order.asks:
        missing = _take(ask, stock, committed, takes)
        if missing:
            short[ask.line] = missing
    if order.all_or_nothing and (short or order.not_asked_for):
        for take in takes:
            committed[take.item, take.location] -= take.quantity
        return OrderPlan(order=order.order, takes=(), short={ask.line: ask.quantity for ask in order.asks})
    return OrderPlan(order=order.order, takes=tuple(takes), short=short)


def _take(ask: Ask, stock: StockView, committed: dict[LevelKey, int], takes: list[Take]) -> int:
    """Take what there is for one line, location by location; the units that are missing."""
    line, item, missing = ask
    for location in stock.locations.get(item, ()):
        key = (item, location)
        quantity = min(missing, stock.supply[key] - committed[key])
        if quantity > 0:
            committed[key] += quantity
            takes.append(Take(line, item, location, quantity))
            missing -= quantity
            if not missing:
                break
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Units of one SKU at one location that are set aside for one line; `overallocated` of them have no stock behind.

    Ids rise in the order in which claims on a SKU were committed, and within a batch in its sequence.
    """

    id: AllocationId
    order: OrderId
    line: LineId
    item: ItemId
    location: LocationId
    quantity: int
    overallocated: int = 0
    priority: int = 0

    @property
    def level(self) -> LevelKey:
        return self.item, self.location


def weakest_first(claim: Claim) -> tuple[int, int]:
    """The sort key of claims on one level: lowest priority, then latest allocation."""
    return claim.priority, -claim.id


def flags(claims: Iterable[Claim], overallocated: int) -> dict[AllocationId, int]:
    """Units of each claim that have no stock behind them: the weakest claims carry the shortage, and only they.

    The answer depends on the claims and the shortage alone: a flag that is lifted is lifted from the strongest first.
    """
    answer: dict[AllocationId, int] = {}
    for claim in sorted(claims, key=weakest_first):
        if not overallocated:
            break
        answer[claim.id] = min(claim.quantity, overallocated)
        overallocated -= answer[claim.id]
    return answer
