"""Which orders to complete, so that as many as possible are: a 0/1 program that somebody else solves.

The program is a little kinder than the world: it adds up what all locations have that may serve an order, and lets
everything that overallocated orders give back be there from the start. So whatever it proves nobody to beat, nobody
beats. What it chooses is walked by the ordinary allocator, and used only where that is better than oldest first: see
`services.planning`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.batch import Batch
from domain.ids import ItemId, LevelKey, LocationId, OrderId
from domain.kinds import AllocationSequence, AllocationStatus

SOLVED = (AllocationSequence.MAX_COMPLETE_ORDERS, AllocationSequence.MAX_COMPLETE_VALUE)
"""Policies for which orders are chosen before the sequence is made."""

LOCATION_SETS_MAX = 8
"""Channels may be served from different locations. So many of those sets are told apart, the commonest ones."""

Row = tuple[ItemId, int]
"""One SKU at one set of locations: a condition of the program."""
Needs = Mapping[Row, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Choose orders so that `needs` fit `supply` in every row and the sum of `weights` is as large as can be.

    Of choices of the same sum, the one whose orders come earlier. `orders`: those that compete for stock, the oldest
    first. `free`: orders that take nothing from anybody. `start`: positions in `orders` of a choice that fits.
    """

    orders: tuple[OrderId, ...]
    needs: tuple[Needs, ...]
    weights: tuple[float, ...]
    supply: Needs
    free: frozenset[OrderId] = frozenset()
    free_weight: float = 0.0
    start: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Positions of the chosen orders. No choice has a larger sum than `bound`; `optimal`: nor than this one."""

    chosen: frozenset[int]
    bound: float
    optimal: bool


def program_of(
    batch: Batch, orders: Sequence[OrderId], weights: Mapping[OrderId, float], start: Collection[OrderId] = ()
) -> Program:
    """`orders`: all that may be chosen, the oldest first. `start`: some that can all be completed."""
    places = _location_sets(batch, orders)
    supply = _supply(batch, orders, places)
    needs = {order: _needs(batch, order, places) for order in orders}
    possible = [order for order in orders if all(supply[row] >= units for row, units in needs[order].items())]
    wanted: Counter[Row] = Counter()
    for order in possible:
        wanted.update(needs[order])
    scarce = {row for row, units in wanted.items() if units > supply[row]}
    contested = [order for order in possible if not scarce.isdisjoint(needs[order])]
    free = frozenset(possible) - frozenset(contested)
    return Program(
        orders=tuple(contested),
        needs=tuple({row: units for row, units in needs[order].items() if row in scarce} for order in contested),
        weights=tuple(weights[order] for order in contested),
        supply={row: supply[row] for row in scarce},
        free=free,
        free_weight=sum(weights[order] for order in free),
        start=frozenset(at for at, order in enumerate(contested) if order in start),
    )


def chosen_orders(program: Program, solution: Solution) -> frozenset[OrderId]:
    """The orders to complete: the chosen ones, and whichever others still fit beside them, the oldest first.

    Solvers count with fractions: what does not fit by the unit is left out.
    """
    left = dict(program.supply)
    taken = [*_that_fit(program, sorted(solution.chosen), left)]
    taken += _that_fit(program, [at for at in range(len(program.orders)) if at not in solution.chosen], left)
    return program.free | {program.orders[at] for at in taken}


def completed(batch: Batch, orders: Iterable[OrderId]) -> frozenset[OrderId]:
    """Those of the orders for which everything that is open is set aside."""
    return frozenset(order for order in orders if batch.status_of(order) is AllocationStatus.ALLOCATED)


def _that_fit(program: Program, positions: Iterable[int], left: dict[Row, int]) -> list[int]:
    fitting = []
    for at in positions:
        needs = program.needs[at]
        if all(left[row] >= units for row, units in needs.items()):
            fitting.append(at)
            for row, units in needs.items():
                left[row] -= units
    return fitting


def _location_sets(batch: Batch, orders: Iterable[OrderId]) -> list[frozenset[LocationId]]:
    """The sets of locations that orders may be served from, all of them first, then the commonest."""
    counted = Counter(_usable(batch, order) for order in orders)
    everywhere = frozenset[LocationId]().union(*counted)
    return [everywhere, *(one for one, _ in counted.most_common(LOCATION_SETS_MAX) if one != everywhere)]


def _usable(batch: Batch, order: OrderId) -> frozenset[LocationId]:
    enabled = batch.sourcing_of(batch.orders[order].channel).locations
    return frozenset(batch.locations if enabled is None else enabled)


def _needs(batch: Batch, order: OrderId, places: Sequence[frozenset[LocationId]]) -> Needs:
    """Units that the order misses to be complete; what it holds already counts, unless it starts over.

    They are missing in every set of locations that has all of those which may serve the order.
    """
    missing: Counter[ItemId] = Counter()
    starts_over = _starts_over(batch, order)
    for line in batch.lines_of(order):
        missing[line.item] += line.open if starts_over else line.open - line.allocated
    usable = _usable(batch, order)
    sets = [at for at, place in enumerate(places) if usable <= place]
    return {(item, at): units for item, units in missing.items() if units for at in sets}


def _starts_over(batch: Batch, order: OrderId) -> bool:
    return batch.status_of(order) is AllocationStatus.OVERALLOCATED


def _supply(batch: Batch, orders: Iterable[OrderId], places: Sequence[frozenset[LocationId]]) -> Counter[Row]:
    """Units in each row, with what overallocated orders give back when their turn comes."""
    given_back: Counter[LevelKey] = Counter()
    for order in orders:
        if _starts_over(batch, order):
            for claim in batch.claims_of(order):
                given_back[claim.level] += claim.quantity
    supply: Counter[Row] = Counter()
    for level in batch.levels.values():
        units = max(0, level.backing - max(0, level.committed - given_back[level.key]))
        for at, place in enumerate(places):
            if level.location in place:
                supply[level.item, at] += units
    return supply


def weights_of(
    policy: AllocationSequence, orders: Iterable[OrderId], values: Mapping[OrderId, Mapping[str, Decimal]]
) -> dict[OrderId, float]:
    """What completing each order counts. `values`: what its open units are worth, by currency.

    Nobody knows exchange rates here: where there are several currencies, each order counts in mean orders of its own.
    """
    if policy is AllocationSequence.MAX_COMPLETE_ORDERS:
        return dict.fromkeys(orders, 1.0)
    totals: defaultdict[str, list[Decimal]] = defaultdict(list)
    for amounts in values.values():
        for currency, amount in amounts.items():
            totals[currency].append(amount)
    several = len(totals) > 1
    units = {currency: float(sum(one)) / len(one) if several else 1.0 for currency, one in totals.items()}
    return {
        order: sum(float(amount) / units[currency] for currency, amount in values.get(order, {}).items() if amount)
        for order in orders
    }
