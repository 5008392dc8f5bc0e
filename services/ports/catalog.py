"""Items, bundles, locations and channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from domain.ids import ChannelId, ItemId, LocationId, Sku
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Component, Item, Location
from services.ports.paging import Seek


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where orders come from, how they are served, and how they are paid."""

    id: ChannelId
    code: str
    name: str
    sourcing: Sourcing = BY_RANK
    releases_by_itself: bool = False
    paid_on_arrival: bool = False
    unpaid_orders_expire_after_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """None is no condition; an empty tuple matches nothing."""

    skus: tuple[str, ...] | None = None
    search: str | None = None


class BundleConflict(StrEnum):
    """Why an item cannot be a bundle of these components."""

    HAS_STOCK = "HAS_STOCK"
    IS_COMPONENT = "IS_COMPONENT"
    HAS_BUNDLE = "HAS_BUNDLE"


class Catalog(Protocol):
    async def save_items(self, items: Sequence[Mapping[str, Any]]) -> list[ItemId]: ...
    async def save_channels(self, channels: Sequence[Mapping[str, Any]]) -> list[ChannelId]: ...
    async def save_locations(self, locations: Sequence[Mapping[str, Any]]) -> list[LocationId]: ...
    async def items_by_sku(self, skus: Sequence[str]) -> dict[Sku, ItemId]: ...
    async def items_and_components(
        self, skus: Sequence[str]
    ) -> tuple[dict[Sku, ItemId], dict[Sku, tuple[Component, ...]]]:
        """The items, and what those that are bundles are made of."""

    async def lock_components(self) -> None:
        """Nobody else says what bundles are made of until the transaction ends. Before anything else is locked."""

    async def save_components(
        self, components: Mapping[ItemId, Sequence[Component]]
    ) -> list[tuple[ItemId, BundleConflict]]:
        """What each item is made of from now on; nothing: it is no bundle. What is wrong with that as things stand.

        The SKUs of the bundles are locked, so that none of them is given stock meanwhile.
        """

    async def items(self, ids: Sequence[ItemId]) -> list[Item]: ...
    async def item_id(self, *, sku: str | None = None, barcode: str | None = None) -> ItemId | None: ...
    async def item_page(self, condition: ItemFilter, first: int, after: Seek | None) -> list[Item]: ...
    async def skus_with_barcodes(self, barcodes: Sequence[str]) -> dict[str, Sku]: ...
    async def locations(self) -> list[Location]: ...
    async def channels(self) -> list[Channel]: ...
