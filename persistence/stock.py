"""Stock levels as they are shown."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ItemId, LevelKey
from persistence.searching import any_of
from persistence.tables import items, locations, stock_levels
from services.ports import LevelView, Seek, StockLevelFilter

LEVELS = (
    select(stock_levels, items.c.sku)
    .join(items, items.c.id == stock_levels.c.item_id)
    .join(locations, locations.c.id == stock_levels.c.location_id)
)


class PostgresStock:
    """Reads stock levels."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def levels_of(self, of: Sequence[ItemId]) -> list[LevelView]:
        """All levels of the items, in the order in which locations are tried."""
        statement = LEVELS.where(any_of(stock_levels.c.item_id, of))
        return await self._levels(statement.order_by(locations.c.rank, locations.c.id))

    async def levels(self, ids: Sequence[int]) -> list[LevelView]:
        return await self._levels(LEVELS.where(any_of(stock_levels.c.id, ids)))

    async def levels_at(self, keys: Sequence[LevelKey]) -> list[LevelView]:
        wanted = (
            func.unnest(
                literal([item for item, _ in keys], ARRAY(Integer)),
                literal([location for _, location in keys], ARRAY(Integer)),
            )
            .table_valued("item_id", "location_id", name="wanted")
            .render_derived()
        )
        pairs = select(wanted.c.item_id, wanted.c.location_id)
        return await self._levels(LEVELS.where(tuple_(stock_levels.c.item_id, stock_levels.c.location_id).in_(pairs)))

    async def page(self, condition: StockLevelFilter, first: int, after: Seek | None) -> list[LevelView]:
        """By id; `after` is (id,)."""
        statement = LEVELS.order_by(stock_levels.c.id).limit(first)
        if condition.skus is not None:
            statement = statement.where(any_of(items.c.sku, condition.skus))
        if condition.locations is not None:
            statement = statement.where(any_of(locations.c.code, condition.locations))
        if condition.overallocated is not None:
            flagged = stock_levels.c.flagged > 0
            statement = statement.where(flagged if condition.overallocated else ~flagged)
        if after is not None:
            statement = statement.where(stock_levels.c.id > after[0])
        return await self._levels(statement)

    async def _levels(self, statement: Select[Any]) -> list[LevelView]:
        return [
            LevelView(
                id=row.id,
                item=row.item_id,
                location=row.location_id,
                sku=row.sku,
                on_hand=row.on_hand,
                committed=row.committed,
                damaged=row.damaged,
                quality_control=row.quality_control,
                safety_stock=row.safety_stock,
                flagged=row.flagged,
                version=row.version,
            )
            for row in await self._connection.execute(statement)
        ]
