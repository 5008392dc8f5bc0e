"""Lines of orders, the bundles that they are parts of, and what is set aside for them."""

from datetime import datetime

import strawberry

from domain import kinds, orders
from domain.ids import LineId
from domain.returns import came_back, returnable
from gql.context import Info
from gql.schema.catalog import Item, Location
from gql.schema.ids import global_id
from gql.schema.money import Money
from services.ports.orders import AllocationView, BundleView, LineView


@strawberry.type(description="Stock of one SKU at one location, set aside for one order line.")
class Allocation:
    """Units that are set aside."""

    allocation: strawberry.Private[AllocationView]
    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    quantity: int = strawberry.field(description="Units that are set aside.")
    overallocated: int = strawberry.field(description="How much of it is no longer backed by stock.")
    allocated_at: datetime = strawberry.field(description="When the units were set aside.")

    @strawberry.field(description="Where the units are.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.allocation.location)

    @classmethod
    def of(cls, allocation: AllocationView) -> "Allocation":
        return cls(
            allocation=allocation,
            id=global_id("Allocation", allocation.id),
            quantity=allocation.quantity,
            overallocated=allocation.overallocated,
            allocated_at=allocation.allocated_at,
        )


@strawberry.type(description="What was bought as one: its components are lines of the order.")
class OrderBundle:
    """What was bought as one."""

    view: strawberry.Private[BundleView]
    id: strawberry.ID = strawberry.field(
        description="Opaque and unique; the same on all lines of the bundle, also where a split has divided them."
    )
    sku: str = strawberry.field(description="What was ordered.")
    reference: str | None = strawberry.field(description="The partner's own id of what was ordered.")
    unit_price: Money | None = strawberry.field(description="What one bundle costs.")

    @strawberry.field(description="What was ordered, as the catalog has it.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.view.item)

    @classmethod
    def of(cls, bundle: BundleView) -> "OrderBundle":
        return cls(
            view=bundle,
            id=global_id("OrderBundle", bundle.id),
            sku=bundle.sku,
            reference=bundle.reference,
            unit_price=Money.of(bundle.unit_price) if bundle.unit_price else None,
        )


@strawberry.type(description="One SKU on an order.")
class OrderLine:
    """One SKU on an order, in units."""

    view: strawberry.Private[LineView]
    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    reference: str | None = strawberry.field(description="The partner's own id of the line.")
    sku: str = strawberry.field(description="What was ordered.")
    unit_price: Money | None = strawberry.field(description="What one unit costs; null for a part of a bundle.")
    bundle: OrderBundle | None = strawberry.field(
        description="The bundle that it is a part of; null where it is of none."
    )
    bundle_quantity: int | None = strawberry.field(
        description="How many of the bundle this line is for; null for other lines."
    )
    quantity: int = strawberry.field(description="Units ordered.")
    open: int = strawberry.field(description="quantity - shipped - canceled - dropshipped.")
    allocated: int = strawberry.field(description="Set aside for this line and not yet shipped.")
    shipped: int = strawberry.field(description="Units that left.")
    canceled: int = strawberry.field(
        description="Units that nobody wants any more here. Of a line that was split off as a whole, all that went: "
        "they are open in the new order."
    )
    dropshipped: int = strawberry.field(description="Units that a supplier ships.")
    allocation_status: kinds.AllocationStatus | None = strawberry.field(
        description="As for the order, over this line alone; null once nothing of it is open."
    )
    discount: Money | None = strawberry.field(
        description="What is off its whole quantity; that of a bundle stands on the line of its first component."
    )
    tax: Money | None = strawberry.field(
        description="On its whole quantity; that of a bundle stands on the line of its first component."
    )
    customization_note: str | None = strawberry.field(
        description="What is to be made of it; null for what is sold as it is."
    )

    @strawberry.field(description="What was ordered, as the catalog has it.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.view.item)

    @strawberry.field(description="Units that came back, whatever became of them.")
    async def returned(self, info: Info) -> int:
        return came_back(await info.context.loaders.returns_of.load(self.view.order))[self.view.id]

    @strawberry.field(description="Units that have left, and that no return asks for yet.")
    async def returnable(self, info: Info) -> int:
        loaders, order = info.context.loaders, self.view.order
        sent, back = await loaders.fulfillments_of.load(order), await loaders.returns_of.load(order)
        return returnable(sent, back)[self.view.id]

    @strawberry.field(description="What is set aside for it, the oldest first.")
    async def allocations(self, info: Info) -> list[Allocation]:
        return [Allocation.of(one) for one in await info.context.loaders.allocations_of.load(self.view.id)]

    @classmethod
    def of(cls, line: LineView) -> "OrderLine":
        return cls(
            view=line,
            id=global_id("OrderLine", line.id),
            reference=line.reference,
            sku=line.sku,
            unit_price=Money.of(line.price) if line.price else None,
            bundle=OrderBundle.of(line.sold_as) if line.sold_as else None,
            bundle_quantity=line.quantity // line.bundle_units if line.sold_as else None,
            quantity=line.quantity,
            open=line.open,
            allocated=line.allocated,
            shipped=line.shipped,
            canceled=line.canceled,
            dropshipped=line.dropshipped,
            allocation_status=orders.line_allocation_status(line.order_status, line),
            discount=Money.maybe(line.discount),
            tax=Money.maybe(line.tax),
            customization_note=line.customization_note,
        )

    @classmethod
    async def load(cls, info: Info, line: LineId) -> "OrderLine":
        found = await info.context.loaders.lines.load(line)
        assert found is not None
        return cls.of(found)
