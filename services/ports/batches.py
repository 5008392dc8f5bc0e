"""What one batch locks, reads and writes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.changes import Changes, Facts
from domain.ids import BundleId, ItemId, LevelKey, LineId, OrderId, ReservationId, ReservedLineId
from services.ports.keys import IdempotencyKey

SKUS_MAX = 2_000
"""Distinct SKUs in one batch: each is a lock, and the lock table is shared by the whole server."""


class BatchTooLarge(Exception):
    """A batch would lock more SKUs than the server's lock table has room for; nothing was locked."""

    def __init__(self, skus: int, most: int) -> None:
        super().__init__(f"{skus:,} SKUs; a batch takes at most {most:,}")
        self.skus = skus
        self.most = most


class Batches(Protocol):
    async def items_of(self, orders: Sequence[OrderId]) -> dict[OrderId, list[ItemId]]:
        """The SKUs of each order, each once. Nothing is locked: they may have changed when `load` comes to them."""

    async def load(
        self,
        *,
        orders: Sequence[OrderId] = (),
        items: Iterable[ItemId] = (),
        reservations: Sequence[ReservationId] = (),
        floor: bool = False,
        bins: bool = False,
        returns: bool = False,
    ) -> Facts:
        """Lock the SKUs of the orders, the reservations and the items, then read: the orders and the reservations
        whole, the levels of every locked SKU.

        Fulfillments are read of orders that hold or have sent something through one, and with `floor` of all; with
        `bins`, also the bins and open pick tasks of every locked SKU; with `returns`, also all returns of the orders.

        Raises BatchTooLarge.
        """

    async def contenders(self, levels: Mapping[LevelKey, int]) -> Facts:
        """Lock and read who holds the weakest claims of each level, up to so many units.

        Orders are read whole; of carts, their claims there.
        """

    async def fresh_ids(self, most: int) -> tuple[Iterator[int], datetime]:
        """Numbers for fulfillments and returns, lines, tasks and parcels that are not written yet, and the time."""

    async def reserve_ids(
        self, orders: int, lines: int, bundles: int
    ) -> tuple[list[OrderId], list[LineId], list[BundleId]]: ...
    async def reserve_cart_ids(
        self, reservations: int, lines: int
    ) -> tuple[list[ReservationId], list[ReservedLineId]]: ...

    async def record(self, changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]] = ()) -> None:
        """Write everything, and what keys shall remember, in a number of statements that does not grow with the batch.

        `outcomes` are JSON, and may be lazy: they are made while the database is at work.
        """
