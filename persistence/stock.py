"""Stock levels and their ledger, as they are shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ItemId, LevelKey
from domain.kinds import MovementCause, StockQuantity
from domain.stock import LedgerSince
from persistence.searching import any_of
from persistence.sql import INTS, TIME, sql
from persistence.tables import items, locations, stock_levels, stock_movements
from services.ports.paging import Seek
from services.ports.stock import LevelView, MovementView, StockLevelFilter

LEVELS = (
    select(stock_levels, items.c.sku)
    .join(items, items.c.id == stock_levels.c.item_id)
    .join(locations, locations.c.id == stock_levels.c.location_id)
)

CLOCK = sql("SELECT clock_timestamp()")
MOVED_SINCE = sql(
    """
    SELECT item_id, location_id, sum(change) AS units FROM stock_movements
    WHERE item_id = ANY(:items) AND quantity = 'ON_HAND'
        AND occurred_at > :moment AND coalesce(counted_at, occurred_at) > :moment
    GROUP BY 1, 2
    """,
    items=INTS,
    moment=TIME,
)
COUNTED = sql(
    "SELECT item_id, location_id, max(counted_at) AS at FROM stock_counts WHERE item_id = ANY(:items) GROUP BY 1, 2",
    items=INTS,
)


class PostgresStock:
    """Reads stock levels and movements."""

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

    async def movements(self, sku: str, location: str, first: int, after: Seek | None) -> list[MovementView]:
        """Of one level, the newest first; `after` is (id,)."""
        item = select(items.c.id).where(items.c.sku == sku).scalar_subquery()
        place = select(locations.c.id).where(locations.c.code == location).scalar_subquery()
        table = stock_movements.c
        statement = select(stock_movements).where(table.item_id == item, table.location_id == place)
        if after is not None:
            statement = statement.where(table.id < after[0])
        return [
            _movement(row) for row in await self._connection.execute(statement.order_by(table.id.desc()).limit(first))
        ]

    async def since(self, of: Sequence[ItemId], moment: datetime) -> LedgerSince:
        """What the ledger knows of these SKUs since a moment. Their locks must be held, or it is old news."""
        now = (await self._connection.execute(CLOCK)).scalar_one()
        moved = await self._connection.execute(MOVED_SINCE, {"items": of, "moment": moment})
        counted = await self._connection.execute(COUNTED, {"items": of})
        return LedgerSince(
            now=now,
            moved={(row.item_id, row.location_id): int(row.units) for row in moved},
            counted={(row.item_id, row.location_id): row.at for row in counted},
        )

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
                picked=row.picked,
            )
            for row in await self._connection.execute(statement)
        ]


def _movement(row: Any) -> MovementView:
    return MovementView(
        id=row.id,
        item=row.item_id,
        location=row.location_id,
        quantity=StockQuantity(row.quantity),
        change=row.change,
        balance=row.balance,
        cause=MovementCause(row.cause),
        reference=row.reference,
        supply=row.supply_id,
        counted_at=row.counted_at,
        actor=row.actor,
        request=row.request,
        occurred_at=row.occurred_at,
    )
