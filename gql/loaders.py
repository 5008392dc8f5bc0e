"""Lists load in one query a kind, whatever their length: each loader gathers the ids of one turn of the event loop."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader

from domain.ids import ChannelId, ItemId, LevelKey, LineId, LocationId, OrderId, ReservationId, SupplyId
from domain.stock import Item, Location
from services.explaining import OrderExplanation, explanations
from services.ports import (
    AllocationView,
    Channel,
    Database,
    LevelView,
    LineView,
    OrderView,
    ReservationView,
    ReservedLineView,
    SupplyView,
    UnitOfWork,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaders:
    """The loaders of one request. A loaded object stays as it was read until the request forgets it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.orders: DataLoader[OrderId, OrderView | None] = self._each(lambda uow, ids: uow.orders.by_ids(ids), _id)
        self.lines: DataLoader[LineId, LineView | None] = self._each(lambda uow, ids: uow.orders.lines(ids), _id)
        self.lines_of: DataLoader[OrderId, list[LineView]] = self._many(
            lambda uow, ids: uow.orders.lines_of(ids), lambda line: line.order
        )
        self.allocations_of: DataLoader[LineId, list[AllocationView]] = self._many(
            lambda uow, ids: uow.orders.allocations_of(ids), lambda allocation: allocation.line
        )
        self.reservations: DataLoader[ReservationId, ReservationView | None] = self._each(
            lambda uow, ids: uow.reservations.by_ids(ids), _id
        )
        self.reserved_lines_of: DataLoader[ReservationId, list[ReservedLineView]] = self._many(
            lambda uow, ids: uow.reservations.lines_of(ids), lambda line: line.reservation
        )
        self.explanations: DataLoader[OrderId, OrderExplanation | None] = self._each(
            explanations, lambda one: one.order
        )
        self.items: DataLoader[ItemId, Item | None] = self._each(lambda uow, ids: uow.catalog.items(ids), _id)
        self.locations: DataLoader[LocationId, Location | None] = self._each(
            lambda uow, _: uow.catalog.locations(), _id
        )
        self.channels: DataLoader[ChannelId, Channel | None] = self._each(lambda uow, _: uow.catalog.channels(), _id)
        self.levels: DataLoader[int, LevelView | None] = self._each(lambda uow, ids: uow.stock.levels(ids), _id)
        self.levels_at: DataLoader[LevelKey, LevelView | None] = self._each(
            lambda uow, keys: uow.stock.levels_at(keys), lambda level: level.key
        )
        self.levels_of: DataLoader[ItemId, list[LevelView]] = self._many(
            lambda uow, ids: uow.stock.levels_of(ids), lambda level: level.item
        )

        self.supplies: DataLoader[SupplyId, SupplyView | None] = self._each(
            lambda uow, ids: uow.supplies.by_ids(ids), _id
        )
        self.incoming: DataLoader[LevelKey, int] = DataLoader(load_fn=self._incoming, max_batch_size=1_000)

    async def _incoming(self, keys: Sequence[LevelKey]) -> list[int]:
        found = await self._database.read(lambda uow: uow.supplies.incoming(keys))
        return [found.get(key, 0) for key in keys]

    def _each(
        self, load: Callable[[UnitOfWork, list[K]], Awaitable[Iterable[V]]], key: Callable[[V], K]
    ) -> DataLoader[K, V | None]:
        """One value a key."""

        async def batch(keys: Sequence[K]) -> list[V | None]:
            found: Mapping[K, V] = {key(value): value for value in await self._read(load, keys)}
            return [found.get(one) for one in keys]

        return DataLoader(load_fn=batch, max_batch_size=1_000)

    def _many(
        self, load: Callable[[UnitOfWork, list[K]], Awaitable[Iterable[V]]], key: Callable[[V], K]
    ) -> DataLoader[K, list[V]]:
        """All values of a key."""

        async def batch(keys: Sequence[K]) -> list[list[V]]:
            found: defaultdict[K, list[V]] = defaultdict(list)
            for value in await self._read(load, keys):
                found[key(value)].append(value)
            return [found[one] for one in keys]

        return DataLoader(load_fn=batch, max_batch_size=1_000)

    async def _read(
        self, load: Callable[[UnitOfWork, list[K]], Awaitable[Iterable[V]]], keys: Sequence[K]
    ) -> Iterable[V]:
        async def work(uow: UnitOfWork) -> Iterable[V]:
            return await load(uow, list(keys))

        return await self._database.read(work)


def _id(value: Any) -> Any:
    return value.id
