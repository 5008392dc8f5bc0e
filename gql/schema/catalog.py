"""Items, locations, channels and stock levels."""

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import kinds, stock
from domain.ids import ChannelId, ItemId, LocationId
from domain.sourcing import Sourcing
from gql.context import Info
from gql.schema.addresses import Address
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo
from gql.schema.scalars import int32
from services.ports import catalog
from services.ports.stock import LevelView


@strawberry.type(description="A place that keeps stock.")
class Location(Node):
    """A place that keeps stock."""

    code: str = strawberry.field(description="The location's short name, unique, given by the merchant.")
    name: str = strawberry.field(description="What people call it.")
    kind: kinds.LocationKind = strawberry.field(description="What sort of place it is.")
    country_code: str | None = strawberry.field(description="Two letters of ISO 3166.")
    region: str | None = strawberry.field(description="State, province or county, written as addresses write it.")
    latitude: float | None = strawberry.field(description="Degrees north.")
    longitude: float | None = strawberry.field(description="Degrees east.")
    rank: int = strawberry.field(description="Lower is tried first.")
    handling_hours: int = strawberry.field(description="Hours from release until goods leave.")
    transit_hours: int = strawberry.field(description="Hours from there to the customer.")
    requires_quality_check: bool = strawberry.field(description="Whether nothing is packed without a quality check.")
    address: Address | None = strawberry.field(description="The sender's, on labels and slips.")

    @classmethod
    def of(cls, location: stock.Location) -> "Location":
        return cls(
            id=global_id("Location", location.id),
            code=location.code,
            name=location.name,
            kind=location.kind,
            country_code=location.country_code,
            region=location.region,
            latitude=location.latitude,
            longitude=location.longitude,
            rank=location.rank,
            handling_hours=location.handling_hours,
            transit_hours=location.transit_hours,
            requires_quality_check=location.checks_quality,
            address=Address.of(location.address) if location.address else None,
        )

    @classmethod
    async def find(cls, info: Info, location: LocationId) -> "Location | None":
        found = await info.context.loaders.locations.load(location)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, location: LocationId) -> "Location":
        found = await cls.find(info, location)
        assert found is not None
        return found


@strawberry.type(description="Where orders come from: a shop, a marketplace, a till.")
class Channel(Node):
    """A sales channel."""

    how: strawberry.Private[Sourcing]
    code: str = strawberry.field(description="The channel's short name, unique, given by the merchant.")
    name: str = strawberry.field(description="What people call it.")
    sourcing: list[kinds.SourcingRule] = strawberry.field(
        description="Which location serves an order: the first of these rules that is not a tie decides."
    )
    split_lines: bool = strawberry.field(description="Whether one line may be served from several locations.")
    releases_by_itself: bool = strawberry.field(
        description="Whether its orders are released without anyone asking, once nothing is in the way."
    )
    paid_on_arrival: bool = strawberry.field(
        description="Whether an order that comes confirmed from here has been paid in full."
    )
    unpaid_orders_expire_after_minutes: int | None = strawberry.field(
        description="How long a confirmed order may stay unpaid before its stock is given back and it is held; null: "
        "for ever."
    )

    @strawberry.field(description="The locations that serve it, in the order of their ranks; null: all.")
    async def locations(self, info: Info) -> list[Location] | None:
        if self.how.locations is None:
            return None
        found = await info.context.loaders.locations.load_many(list(self.how.locations))
        return [Location.of(one) for one in sorted((one for one in found if one), key=lambda one: (one.rank, one.id))]

    @classmethod
    def of(cls, channel: catalog.Channel) -> "Channel":
        return cls(
            id=global_id("Channel", channel.id),
            how=channel.sourcing,
            code=channel.code,
            name=channel.name,
            sourcing=list(channel.sourcing.rules),
            split_lines=channel.sourcing.split_lines,
            releases_by_itself=channel.releases_by_itself,
            paid_on_arrival=channel.paid_on_arrival,
            unpaid_orders_expire_after_minutes=channel.unpaid_orders_expire_after_minutes,
        )

    @classmethod
    async def load(cls, info: Info, channel: ChannelId) -> "Channel":
        found = await info.context.loaders.channels.load(channel)
        assert found is not None
        return cls.of(found)


@strawberry.type(description="Units at a location.")
class LocationQuantity:
    """Units at a location."""

    location: Location = strawberry.field(description="Where.")
    quantity: int = strawberry.field(description="How many units.")


@strawberry.type(description="A part of a bundle.")
class BundleComponent:
    """A part of a bundle."""

    component: strawberry.Private[stock.Component]
    units: int = strawberry.field(description="How many units of it are in one bundle.")

    @strawberry.field(description="What it is.")
    async def item(self, info: Info) -> "Item":
        return await Item.load(info, self.component.item)


@strawberry.type(description="Something that is sold, known by its SKU.")
class Item(Node):
    """Something that is sold."""

    row: strawberry.Private[ItemId]
    sku: str = strawberry.field(description="Stock keeping unit: unique, trimmed, case-sensitive, never changes.")
    name: str = strawberry.field(description="What people call it.")
    barcode: str | None = strawberry.field(description="What a scanner reads on it.")
    components: list[BundleComponent] = strawberry.field(
        description="What a bundle is made of, in the sequence given; empty for an item that is no bundle."
    )

    @strawberry.field(description="Its stock at every location that ever kept some, in the order they are tried.")
    async def levels(self, info: Info) -> list["StockLevel"]:
        return [StockLevel.of(level) for level in await info.context.loaders.levels_of.load(self.row)]

    @classmethod
    def of(cls, item: stock.Item) -> "Item":
        return cls(
            id=global_id("Item", item.id),
            row=item.id,
            sku=item.sku,
            name=item.name,
            barcode=item.barcode,
            components=[BundleComponent(component=one, units=one.units) for one in item.components],
        )

    @classmethod
    async def load(cls, info: Info, item: ItemId) -> "Item":
        found = await info.context.loaders.items.load(item)
        assert found is not None
        return cls.of(found)


@strawberry.type(description="Units of a SKU in one bin.")
class BinLevel:
    """What lies in a bin."""

    bin: str = strawberry.field(description="The bin's code, unique within its location.")
    on_hand: int = strawberry.field(description="Units that lie there.")


@strawberry.type(description="One SKU at one location. Allocation moves `committed` and `available`, never `onHand`.")
class StockLevel(Node):
    """One SKU at one location, in units."""

    level: strawberry.Private[LevelView]
    sku: str = strawberry.field(description="Of the item.")
    on_hand: int = strawberry.field(description="Units that are physically there.")
    committed: int = strawberry.field(description="Units that are set aside for orders.")
    damaged: int = strawberry.field(description="Units on hand that are not fit for sale.")
    quality_control: int = strawberry.field(description="Units on hand that are still to be checked.")
    safety_stock: int = strawberry.field(description="Units that are kept back on purpose.")
    picked: int = strawberry.field(description="Committed units that were fetched and have not left yet.")
    unavailable: int = strawberry.field(description="Units not for sale: damaged, in quality control, safety stock.")
    available: int = strawberry.field(description="max(0, onHand - unavailable - committed).")
    overallocated: int = strawberry.field(description="max(0, committed - max(0, onHand - unavailable)).")
    version: int = strawberry.field(description="Rises by one with every commit that changes the level.")

    @strawberry.field(description="Units that supplies are still to bring here; 2,147,483,647 where it is more.")
    async def incoming(self, info: Info) -> int:
        return int32(await info.context.loaders.incoming.load(self.level.key) or 0)

    @strawberry.field(description="What lies in which bin; the rest of what is on hand lies anywhere, or is picked.")
    async def bins(self, info: Info) -> list[BinLevel]:
        found = await info.context.loaders.bins.load(self.level.key) or []
        return [BinLevel(bin=code, on_hand=units) for code, units in found]

    @strawberry.field(description="What is kept here.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.level.item)

    @strawberry.field(description="Where it is kept.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.level.location)

    @classmethod
    def of(cls, level: LevelView) -> "StockLevel":
        return cls(
            id=global_id("StockLevel", level.id),
            level=level,
            sku=level.sku,
            on_hand=level.on_hand,
            committed=level.committed,
            damaged=level.damaged,
            quality_control=level.quality_control,
            safety_stock=level.safety_stock,
            picked=level.picked,
            unavailable=level.unavailable,
            available=level.available,
            overallocated=level.overallocated,
            version=level.version,
        )


@strawberry.type(description="An item and its place in the list.")
class ItemEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this item.")
    node: Item = strawberry.field(description="The item.")


@strawberry.type(description="A page of items, by SKU.")
class ItemConnection:
    """A page."""

    edges: list[ItemEdge] = strawberry.field(description="The items with their cursors.")
    nodes: list[Item] = strawberry.field(description="The items alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


@strawberry.type(description="A stock level and its place in the list.")
class StockLevelEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this level.")
    node: StockLevel = strawberry.field(description="The stock level.")


@strawberry.type(description="A page of stock levels, in the order in which they came to be.")
class StockLevelConnection:
    """A page."""

    edges: list[StockLevelEdge] = strawberry.field(description="The levels with their cursors.")
    nodes: list[StockLevel] = strawberry.field(description="The levels alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
