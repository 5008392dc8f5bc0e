"""Why orders are short, and when they can have what they miss."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from domain.access import EVERYTHING, Visibility
from domain.explaining import Circumstances, LineExplanation, Rivals, explain
from domain.ids import ItemId, LineId, LocationId, OrderId
from domain.kinds import OrderStatus
from domain.orders import OrderLine
from domain.pegging import Pegs, peg
from domain.stock import StockLevel
from services.ports.explanations import Holding
from services.ports.orders import OrderView
from services.ports.unit_of_work import UnitOfWork

RIVALS_MAX = 100
"""Stronger orders that are named; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExplanation:
    """Of every line of the order that has open units."""

    order: OrderId
    lines: tuple[LineExplanation, ...]


async def explanations(
    uow: UnitOfWork, ids: Sequence[OrderId], visibility: Visibility = EVERYTHING
) -> list[OrderExplanation]:
    """Of these orders; only those that a run has looked at have one. Orders that are out of sight hold no stock in it;
    and at a location, which knows of no other, there is none.
    """
    if visibility.locations is not None:
        return []
    orders = {order.id: order for order in await uow.orders.by_ids(ids) if order.status is OrderStatus.FINALIZED}
    lines: defaultdict[OrderId, list[OrderLine]] = defaultdict(list)
    for line in await uow.orders.lines_of(list(orders)):
        lines[line.order].append(line)
    looked_at = [orders[order] for order, of in lines.items() if any(line.looked_at and line.open for line in of)]
    if not looked_at:
        return []
    told = await _circumstances(uow, looked_at, [line for order in looked_at for line in lines[order.id]], visibility)
    return [OrderExplanation(order=order.id, lines=explain(order, lines[order.id], told)) for order in looked_at]


async def _circumstances(
    uow: UnitOfWork, orders: Iterable[OrderView], lines: Sequence[OrderLine], visibility: Visibility
) -> Circumstances:
    priorities = {order.id: order.priority for order in orders}
    levels = {level.key: level for level in await uow.stock.levels_of(list({line.item for line in lines}))}
    return Circumstances(
        places={place.id: place for place in await uow.catalog.locations()},
        sourcing={channel.code: channel.sourcing for channel in await uow.catalog.channels()},
        levels=levels,
        held=await _held(uow, lines),
        rivals=await _rivals(uow, lines, priorities, visibility),
        pegs=await _pegs(uow, lines, levels.values()),
    )


async def _held(uow: UnitOfWork, lines: Iterable[OrderLine]) -> Mapping[LineId, Mapping[LocationId, int]]:
    held: defaultdict[LineId, defaultdict[LocationId, int]] = defaultdict(lambda: defaultdict(int))
    for claim in await uow.orders.allocations_of([line.id for line in lines if line.allocated]):
        held[claim.line][claim.location] += claim.quantity
    return held


async def _rivals(
    uow: UnitOfWork, lines: Iterable[OrderLine], priorities: Mapping[OrderId, int], visibility: Visibility
) -> Mapping[tuple[OrderId, ItemId], Rivals]:
    short = {(line.order, line.item) for line in lines if _is_short(line)}
    holdings: defaultdict[ItemId, list[Holding]] = defaultdict(list)
    found = await uow.explanations.holdings(list({item for _, item in short})) if short else []
    if visibility.is_limited:
        seen = await uow.sight.seen(visibility, "orders", [holding.order for holding in found])
        found = [holding for holding in found if holding.order in seen]
    for holding in found:
        holdings[holding.item].append(holding)
    return {(order, item): _stronger(order, priorities[order], holdings[item]) for order, item in short}


def _stronger(order: OrderId, priority: int, holdings: Iterable[Holding]) -> Rivals:
    """Every claim that is there is older than a new one would be: those of the same priority are stronger, too."""
    units: Counter[LocationId] = Counter()
    orders: dict[OrderId, None] = {}
    for holding in takewhile(lambda holding: holding.priority >= priority, holdings):
        if holding.order != order:
            orders[holding.order] = None
            units[holding.location] += holding.units
    return Rivals(orders=tuple(islice(orders, RIVALS_MAX)), total=len(orders), units=units)


async def _pegs(uow: UnitOfWork, lines: Iterable[OrderLine], levels: Iterable[StockLevel]) -> Pegs:
    """On what every line rests that waits for a SKU which one of these lines is short of."""
    items = list({line.item for line in lines if _is_short(line)})
    supplies = await uow.supplies.open_lines(items) if items else []
    wanted = [level for level in levels if level.item in items]
    if not supplies and not any(level.available for level in wanted):
        return {}
    return peg(await uow.explanations.queue(items), wanted, supplies)


def _is_short(line: OrderLine) -> bool:
    return line.open > line.allocated
