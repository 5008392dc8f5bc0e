"""Supplies, and the stock ledger."""

from datetime import datetime

import strawberry

from domain import kinds, supply
from domain.ids import ItemId, LocationId, SupplyId
from gql.context import Info
from gql.schema.catalog import Item, Location
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo
from services.ports.stock import MovementView
from services.ports.supplies import SupplyView


@strawberry.type(description="Units of one SKU that a supply brings, and what became of them.")
class SupplyLine:
    """A line of a supply."""

    row: strawberry.Private[ItemId]
    quantity: int = strawberry.field(description="Units that were announced.")
    received: int = strawberry.field(description="Units that arrived; may be more than were announced.")
    canceled: int = strawberry.field(
        description="Units that will not come; those of a transfer are back where they were sent from."
    )
    lost: int = strawberry.field(description="Units that were sent in a transfer, and given up.")
    open: int = strawberry.field(description="Units that are still to come; those of a transfer are in transit.")

    @strawberry.field(description="Of the item.")
    async def sku(self, info: Info) -> str:
        return (await Item.load(info, self.row)).sku

    @strawberry.field(description="What comes.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.row)

    @classmethod
    def of(cls, line: supply.SupplyLine) -> "SupplyLine":
        return cls(
            row=line.item,
            quantity=line.quantity,
            received=line.received,
            canceled=line.canceled,
            lost=line.lost,
            open=line.open,
        )


@strawberry.type(description="Goods that are on their way to a location: a purchase order, or a transfer in transit.")
class Supply(Node):
    """Goods on their way."""

    place: strawberry.Private[LocationId]
    origin: strawberry.Private[LocationId | None]
    reference: str = strawberry.field(description="The merchant's own name of it, such as a PO number; unique.")
    kind: kinds.SupplyKind = strawberry.field(description="Where it comes from.")
    state: kinds.SupplyState = strawberry.field(description="Whether it is still on its way.")
    expected_at: datetime = strawberry.field(description="When it is expected.")
    lines: list[SupplyLine] = strawberry.field(description="What it brings, each SKU once.")
    reason: str | None = strawberry.field(
        description="Why it was canceled, or closed before everything had come; null otherwise."
    )
    version: int = strawberry.field(description="Rises by one with every commit that changes the supply.")
    created_at: datetime = strawberry.field(description="When Dibs learned of it.")

    @strawberry.field(description="Where it is expected.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.place)

    @strawberry.field(
        name="from",
        description="Where a transfer was sent from; null for a purchase order, and where it is out of your sight.",
    )
    async def from_(self, info: Info) -> Location | None:
        return None if self.origin is None else await Location.find(info, self.origin)

    @classmethod
    def of(cls, found: SupplyView) -> "Supply":
        return cls(
            id=global_id("Supply", found.id),
            place=found.location,
            origin=found.from_location,
            reference=found.reference,
            kind=found.kind,
            state=found.state,
            expected_at=found.expected_at,
            lines=[SupplyLine.of(line) for line in found.lines],
            reason=found.reason,
            version=found.version,
            created_at=found.created_at,
        )

    @classmethod
    async def find(cls, info: Info, row: SupplyId) -> "Supply | None":
        found = await info.context.loaders.supplies.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: SupplyId) -> "Supply":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="A row of the stock ledger: why a quantity of a stock level changed, and by how much.")
class StockMovement:
    """A movement."""

    supply_row: strawberry.Private[SupplyId | None]
    id: strawberry.ID = strawberry.field(description="Unique among movements; later ones do not always sort behind it.")
    quantity: kinds.StockQuantity = strawberry.field(description="Which quantity changed.")
    change: int = strawberry.field(description="Units that were added, or taken away where negative.")
    balance_after: int | None = strawberry.field(
        description="What the quantity was then; null where the first release wrote the row."
    )
    cause: kinds.MovementCause = strawberry.field(description="Why.")
    reference: str | None = strawberry.field(description="The caller's note, or the supply's reference.")
    actor: str = strawberry.field(description="Who did it: the name of an API key, or the command line.")
    request: str = strawberry.field(description="The request that did it, as the server's log has it.")
    occurred_at: datetime = strawberry.field(description="When it was written, by the database's clock.")
    counted_at: datetime | None = strawberry.field(
        description="The moment that was counted, where a count of an earlier moment was told with `countStock`."
    )

    @strawberry.field(description="The supply that the units belong to.")
    async def supply(self, info: Info) -> Supply | None:
        return None if self.supply_row is None else await Supply.find(info, self.supply_row)

    @classmethod
    def of(cls, row: MovementView) -> "StockMovement":
        return cls(
            supply_row=row.supply,
            id=global_id("StockMovement", row.id),
            quantity=row.quantity,
            change=row.change,
            balance_after=row.balance,
            cause=row.cause,
            reference=row.reference,
            actor=row.actor,
            request=row.request,
            occurred_at=row.occurred_at,
            counted_at=row.counted_at,
        )


@strawberry.type(description="A supply and its place in the list.")
class SupplyEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this supply.")
    node: Supply = strawberry.field(description="The supply.")


@strawberry.type(description="A page of supplies, by when they are expected.")
class SupplyConnection:
    """A page."""

    edges: list[SupplyEdge] = strawberry.field(description="The supplies with their cursors.")
    nodes: list[Supply] = strawberry.field(description="The supplies alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


@strawberry.type(description="A movement and its place in the ledger.")
class StockMovementEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue with what was before this movement.")
    node: StockMovement = strawberry.field(description="The movement.")


@strawberry.type(description="A page of a stock level's ledger, the newest first.")
class StockMovementConnection:
    """A page."""

    edges: list[StockMovementEdge] = strawberry.field(description="The movements with their cursors.")
    nodes: list[StockMovement] = strawberry.field(description="The movements alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the ledger.")
