"""What a plan comes to, without writing anything: totals to compare policies by, and who gets less because of a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.allocating import OrderToAllocate, Terms, allocate
from domain.allocation import FREE_FOR_ALL, Policy
from domain.batch import Batch
from domain.changes import Facts
from domain.ids import OrderId
from domain.kinds import AllocationStatus


class Standing(NamedTuple):
    """How an order stands: its allocation status, and the units that are set aside for it."""

    status: AllocationStatus | None
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How orders stand when a run over them is over. `parcels`: pairs of an order and a location that it holds at."""

    orders: Mapping[OrderId, Standing]
    parcels: int

    @property
    def units(self) -> int:
        return sum(one.units for one in self.orders.values())

    def having(self, status: AllocationStatus) -> list[OrderId]:
        return [order for order, one in self.orders.items() if one.status is status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loser:
    """A waiting order that would get `units_with` units if a run happened, and more, `units_without`, if it did not."""

    order: OrderId
    units_without: int
    units_with: int


def served(facts: Facts, orders: Sequence[OrderId], policy: Policy = FREE_FOR_ALL) -> Batch:
    """The working copy after a run over the orders in this sequence, with whatever it finds."""
    batch = Batch(facts)
    serve(batch, orders, Terms(policy=policy, each_line=False))
    return batch


def serve(batch: Batch, orders: Sequence[OrderId], terms: Terms) -> None:
    """One part of a run after the other, if they have the same terms."""
    allocate(batch, [OrderToAllocate(reference=str(order), order=order) for order in orders], terms)


def tally(batch: Batch, orders: Sequence[OrderId]) -> Tally:
    return Tally(
        orders={order: Standing(batch.status_of(order), _units(batch, order)) for order in orders},
        parcels=sum(len({claim.location for claim in batch.claims_of(order)}) for order in orders),
    )


def losers(without: Batch, after: Batch, orders: Iterable[OrderId]) -> list[Loser]:
    """Who of the orders gets less `after` a run than `without` it, in their sequence."""
    compared = (
        Loser(order=order, units_without=_units(without, order), units_with=_units(after, order)) for order in orders
    )
    return [one for one in compared if one.units_with < one.units_without]


def _units(batch: Batch, order: OrderId) -> int:
    return sum(line.allocated for line in batch.lines_of(order))
