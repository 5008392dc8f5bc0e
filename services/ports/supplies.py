"""Supplies: stock that is still to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import ItemId, LevelKey, SupplyId
from domain.kinds import SupplyState
from domain.supply import OpenSupplyLine, Supply
from services.ports.paging import Seek


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyView(Supply):
    """A supply as it is shown."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyReference:
    """One way to name a supply: by id, or by its reference. `given`: the id as the caller wrote it."""

    id: SupplyId | None = None
    reference: str = ""
    given: str = ""

    def __str__(self) -> str:
        return self.given or self.reference or f"Supply:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: where a supply is expected."""

    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[SupplyState, ...] | None = None
    expected_before: datetime | None = None


class Supplies(Protocol):
    async def resolve(self, references: Sequence[SupplyReference]) -> list[SupplyId | None]: ...
    async def items_of(self, ids: Sequence[SupplyId]) -> set[ItemId]:
        """The SKUs of their lines, which never change."""

    async def reserve_id(self) -> SupplyId: ...
    async def by_ids(self, ids: Sequence[SupplyId]) -> list[SupplyView]: ...
    async def page(self, condition: SupplyFilter, first: int, after: Seek | None) -> list[SupplyView]: ...
    async def open_lines(self, of: Sequence[ItemId]) -> list[OpenSupplyLine]:
        """Units of these SKUs that are still to come, the earliest first.

        Whoever changes a supply holds the locks of all its SKUs: under the lock of a SKU this is how things stand.
        """

    async def incoming(self, keys: Sequence[LevelKey]) -> dict[LevelKey, int]:
        """How many units are still to come to each level; levels that expect nothing are left out."""
