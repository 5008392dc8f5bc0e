"""What is read to explain why an order has no stock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.ids import ItemId, LocationId, OrderId
from domain.pegging import WaitingLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Units of a SKU at a location that an order holds."""

    item: ItemId
    order: OrderId
    priority: int
    location: LocationId
    units: int


class Explanations(Protocol):
    async def holdings(self, items: Sequence[ItemId]) -> list[Holding]:
        """What orders hold of these SKUs, the strongest claim first."""

    async def queue(self, items: Sequence[ItemId]) -> list[WaitingLine]:
        """Lines of which a run left units short, in the sequence in which waiting orders are run."""
