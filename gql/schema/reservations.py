"""Stock reservations: units that are set aside for a cart."""

from datetime import datetime

import strawberry

from domain import kinds
from domain.ids import ReservationId
from gql.context import Info
from gql.schema.catalog import Item, Location, LocationQuantity
from gql.schema.ids import global_id
from gql.schema.nodes import Node
from gql.schema.orders import Order
from services.ports.reservations import ReservationView, ReservedLineView


@strawberry.type(description="One SKU of a stock reservation.")
class ReservedLine:
    """One SKU of a stock reservation."""

    view: strawberry.Private[ReservedLineView]
    sku: str = strawberry.field(description="What is reserved.")
    quantity: int = strawberry.field(description="Units that were reserved.")

    @strawberry.field(description="What is reserved, as the catalog has it.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.view.item)

    @strawberry.field(
        name="from", description="Where the units are set aside now; empty once the reservation has ended."
    )
    async def from_(self, info: Info) -> list[LocationQuantity]:
        return [
            LocationQuantity(location=await Location.load(info, location), quantity=quantity)
            for location, quantity in self.view.held
        ]

    @classmethod
    def of(cls, line: ReservedLineView) -> "ReservedLine":
        return cls(view=line, sku=line.sku, quantity=line.quantity)


@strawberry.type(description="Units that are set aside for a cart, without an order, until it ends.")
class StockReservation(Node):
    """Units that are set aside for a cart."""

    view: strawberry.Private[ReservationView]
    state: kinds.ReservationState = strawberry.field(description="Whether the units are set aside, or why not.")
    expires_at: datetime = strawberry.field(description="From then on nobody can take it over.")
    created_at: datetime = strawberry.field(description="When the units were set aside.")

    @strawberry.field(description="What is reserved, each SKU once.")
    async def lines(self, info: Info) -> list[ReservedLine]:
        return [ReservedLine.of(line) for line in await info.context.loaders.reserved_lines_of.load(self.view.id)]

    @strawberry.field(description="The order that took it over; null unless one did.")
    async def order(self, info: Info) -> Order | None:
        return None if self.view.order is None else await Order.load(info, self.view.order)

    @classmethod
    def of(cls, reservation: ReservationView) -> "StockReservation":
        return cls(
            id=global_id("StockReservation", reservation.id),
            view=reservation,
            state=reservation.state_now,
            expires_at=reservation.expires_at,
            created_at=reservation.created_at,
        )

    @classmethod
    async def find(cls, info: Info, reservation: ReservationId) -> "StockReservation | None":
        found = await info.context.loaders.reservations.load(reservation)
        return cls.of(found) if found else None

    @classmethod
    async def load(cls, info: Info, reservation: ReservationId) -> "StockReservation":
        found = await cls.find(info, reservation)
        assert found is not None
        return found
