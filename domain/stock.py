"""Stock: three quantities that move for different reasons, and the ledger that explains them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from domain.ids import ItemId, LevelKey, LocationId, Sku, SupplyId
from domain.kinds import LocationKind, MovementCause, StockQuantity
from domain.making import quickly_made
from domain.orders import Address

QUANTITY_MAX = 1_000_000_000
"""The most units that any one quantity may hold."""


class Component(NamedTuple):
    """`units` of a SKU in one bundle."""

    item: ItemId
    sku: Sku
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that is sold, known by its SKU. One with components is a bundle, and has no stock of its own."""

    id: ItemId
    sku: Sku
    name: str
    barcode: str | None = None
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place that keeps stock. Lower `rank` is tried first; latitude and longitude in degrees.

    `handling_hours`: from release until goods leave. `transit_hours`: from there to the customer. `checks_quality`:
    nothing is packed here without a quality check. `address`: the sender's, on labels and slips.
    """

    id: LocationId
    code: str
    name: str
    kind: LocationKind = LocationKind.WAREHOUSE
    country_code: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    rank: int = 100
    handling_hours: int = 24
    transit_hours: int = 72
    checks_quality: bool = False
    address: Address | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """One SKU at one location, in units.

    Allocation moves `committed`; receiving, adjusting and shipping move `on_hand`. `flagged` is what the claims here
    carry as overallocated; it always equals `overallocated`, which the database holds to as well. `picked`: committed
    units that have been fetched and not yet shipped; they are on hand, and no longer where they lay.
    """

    item: ItemId
    location: LocationId
    on_hand: int = 0
    committed: int = 0
    damaged: int = 0
    quality_control: int = 0
    safety_stock: int = 0
    flagged: int = 0
    version: int = 0
    picked: int = 0

    @property
    def key(self) -> LevelKey:
        return self.item, self.location

    def with_quantity(self, name: str, units: int) -> "StockLevel":
        changed: dict[str, Any] = {name: units}
        return replace(self, **changed)

    @property
    def set_apart(self) -> int:
        """What is on hand and lies apart: nobody can pick it (again)."""
        return self.damaged + self.quality_control + self.picked

    @property
    def unavailable(self) -> int:
        return self.damaged + self.quality_control + self.safety_stock

    @property
    def backing(self) -> int:
        """What can back claims at all."""
        return max(0, self.on_hand - self.unavailable)

    @property
    def available(self) -> int:
        return max(0, self.backing - self.committed)

    @property
    def overallocated(self) -> int:
        return max(0, self.committed - self.backing)


def with_committed(level: StockLevel, committed: int, version: int) -> StockLevel:
    """The level with another `committed` or version: made for every level, and `replace` takes twice as long."""
    return StockLevel(
        item=level.item,
        location=level.location,
        on_hand=level.on_hand,
        committed=committed,
        damaged=level.damaged,
        quality_control=level.quality_control,
        safety_stock=level.safety_stock,
        flagged=level.flagged,
        version=version,
        picked=level.picked,
    )


FIELD: dict[StockQuantity, str] = {
    StockQuantity.ON_HAND: "on_hand",
    StockQuantity.DAMAGED: "damaged",
    StockQuantity.QUALITY_CONTROL: "quality_control",
    StockQuantity.SAFETY_STOCK: "safety_stock",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A row of the stock ledger: `change` units of one quantity, never zero, after which it is `balance`.

    `supply`: what the units belong to. `counted_at`: when they were counted, where the change is what a count of then
    makes of today's quantity; such a change tells of that moment and not of the one at which it was written.
    """

    item: ItemId
    location: LocationId
    quantity: StockQuantity
    change: int
    balance: int
    cause: MovementCause
    reference: str | None = None
    supply: SupplyId | None = None
    counted_at: datetime | None = None
    actor: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCount:
    """Somebody knows what was on hand at a moment: now, where `counted_at` is None."""

    item: ItemId
    location: LocationId
    counted: int
    counted_at: datetime | None = None
    reference: str | None = None
    actor: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSince:
    """What the ledger knows of some levels since a moment, by the database's clock, which says that it is `now`.

    `moved`: the sum of what on hand changed by after the moment. `counted`: the newest moment that was counted.
    """

    now: datetime
    moved: Mapping[LevelKey, int] = field(default_factory=dict)
    counted: Mapping[LevelKey, datetime] = field(default_factory=dict)
