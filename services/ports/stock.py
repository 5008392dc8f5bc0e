"""Stock levels and the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import ItemId, LevelKey, LocationId, Sku, SupplyId
from domain.kinds import MovementCause, StockQuantity
from domain.stock import LedgerSince, StockLevel
from services.ports.paging import Seek


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelView(StockLevel):
    """A stock level as it is shown."""

    id: int
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementView:
    """A row of the stock ledger as it is shown. `balance` is None where the first release wrote it."""

    id: int
    item: ItemId
    location: LocationId
    quantity: StockQuantity
    change: int
    balance: int | None
    cause: MovementCause
    reference: str | None
    supply: SupplyId | None
    counted_at: datetime | None
    actor: str
    request: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevelFilter:
    """None is no condition; an empty tuple matches nothing."""

    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    overallocated: bool | None = None


class Stock(Protocol):
    async def levels_of(self, items: Sequence[ItemId]) -> list[LevelView]: ...
    async def levels(self, ids: Sequence[int]) -> list[LevelView]: ...
    async def levels_at(self, keys: Sequence[LevelKey]) -> list[LevelView]: ...
    async def page(self, condition: StockLevelFilter, first: int, after: Seek | None) -> list[LevelView]: ...
    async def movements(self, sku: str, location: str, first: int, after: Seek | None) -> list[MovementView]: ...
    async def since(self, of: Sequence[ItemId], moment: datetime) -> LedgerSince:
        """What the ledger knows of these SKUs since a moment. Their locks must be held, or it is old news."""
