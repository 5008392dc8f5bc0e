"""Returns: goods that come back, line by line; and what was heard of customers after delivery."""

from datetime import datetime

import strawberry

from domain import kinds
from domain.actions import return_actions
from domain.ids import ReturnId
from domain.returns import ReturnLine as Line
from gql.context import Info
from gql.schema.actions import SupportedReturnAction
from gql.schema.catalog import Item, Location
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo
from gql.schema.order_lines import OrderLine
from gql.schema.orders import Order
from services.ports.returns import FollowUpView, InspectionView, ReturnView


@strawberry.type(description="What somebody saw in units that came back.")
class ReturnInspection:
    """An inspection."""

    view: strawberry.Private[InspectionView]
    outcome: kinds.InspectionOutcome = strawberry.field(description="What becomes of them.")
    quantity: int = strawberry.field(description="How many units.")
    note: str | None = strawberry.field(description="What was said about it.")
    inspected_by: str = strawberry.field(description="Who said so.")
    inspected_at: datetime = strawberry.field(description="When.")

    @strawberry.field(description="Where they were put; null: nowhere, as they were discarded.")
    async def location(self, info: Info) -> Location | None:
        return None if self.view.location is None else await Location.find(info, self.view.location)

    @classmethod
    def of(cls, view: InspectionView) -> "ReturnInspection":
        return cls(
            view=view,
            outcome=view.outcome,
            quantity=view.quantity,
            note=view.note,
            inspected_by=view.inspected_by,
            inspected_at=view.inspected_at,
        )


@strawberry.type(description="Units of one order line that come back for one reason.")
class ReturnLine:
    """Units that come back."""

    row: strawberry.Private[Line]
    id: strawberry.ID = strawberry.field(description="Opaque and unique: name it to receive and to inspect.")
    quantity: int = strawberry.field(description="Units that were asked for.")
    reason: kinds.ReturnReason = strawberry.field(description="Why they come back.")
    note: str | None = strawberry.field(description="What the customer says about it.")
    expected: int = strawberry.field(description="Units that are still to come.")
    received: int = strawberry.field(description="Units that came.")
    canceled: int = strawberry.field(description="Units that did not come and are not expected any more.")
    to_inspect: int = strawberry.field(description="Units that came and that nobody has inspected yet.")
    resold: int = strawberry.field(description="Units that are for sale again.")
    quarantined: int = strawberry.field(description="Units that were put into quality control.")
    discarded: int = strawberry.field(description="Units that were thrown away.")

    @strawberry.field(description="What they were sent for.")
    async def line(self, info: Info) -> OrderLine:
        return await OrderLine.load(info, self.row.line)

    @strawberry.field(description="What they are.")
    async def item(self, info: Info) -> Item:
        return await Item.load(info, self.row.item)

    @strawberry.field(description="What was seen in them, the oldest first.")
    async def inspections(self, info: Info) -> list[ReturnInspection]:
        return [ReturnInspection.of(one) for one in await info.context.loaders.inspections_of.load(self.row.id)]

    @classmethod
    def of(cls, line: Line) -> "ReturnLine":
        return cls(
            row=line,
            id=global_id("ReturnLine", line.id),
            quantity=line.quantity,
            reason=line.reason,
            note=line.note,
            expected=line.expected,
            received=line.received,
            canceled=line.canceled,
            to_inspect=line.to_inspect,
            resold=line.resold,
            quarantined=line.quarantined,
            discarded=line.discarded,
        )


@strawberry.type(description="Goods of one order that come back to one location.")
class Return(Node):
    """Goods that come back."""

    view: strawberry.Private[ReturnView]
    state: kinds.ReturnState = strawberry.field(description="How far it is.")
    version: int = strawberry.field(description="Rises by one with every commit that changes the return.")
    lines: list[ReturnLine] = strawberry.field(description="What comes back.")
    cancel_reason: str | None = strawberry.field(description="Why all of it, or the rest, is not expected any more.")
    requested_by: str = strawberry.field(description="Who asked for it.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    received_at: datetime | None = strawberry.field(description="When the first of it came.")
    inspected_at: datetime | None = strawberry.field(
        description="When the last of it was inspected, and nothing more was expected."
    )
    canceled_at: datetime | None = strawberry.field(description="When all of it, or the rest, was given up.")

    @strawberry.field(description="What it was sent for.")
    async def order(self, info: Info) -> Order:
        return await Order.load(info, self.view.order)

    @strawberry.field(description="Where it comes back to.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.view.location)

    @strawberry.field(description="What can be done with it now, and why the rest cannot: which buttons to show.")
    def supported_actions(self) -> list[SupportedReturnAction]:
        return [SupportedReturnAction.of(one) for one in return_actions(self.view)]

    @classmethod
    def of(cls, view: ReturnView) -> "Return":
        return cls(
            id=global_id("Return", view.id),
            view=view,
            state=view.state,
            version=view.version,
            lines=[ReturnLine.of(line) for line in view.lines],
            cancel_reason=view.cancel_reason,
            requested_by=view.requested_by,
            requested_at=view.requested_at,
            received_at=view.received_at,
            inspected_at=view.inspected_at,
            canceled_at=view.canceled_at,
        )

    @classmethod
    async def find(cls, info: Info, row: ReturnId) -> "Return | None":
        found = await info.context.loaders.returns.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: ReturnId) -> "Return":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="A return and its place in the list.")
class ReturnEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this return.")
    node: Return = strawberry.field(description="The return.")


@strawberry.type(description="A page of returns, the oldest first.")
class ReturnConnection:
    """A page."""

    edges: list[ReturnEdge] = strawberry.field(description="The returns with their cursors.")
    nodes: list[Return] = strawberry.field(description="The returns alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


@strawberry.type(description="What was heard of a customer after delivery.")
class FollowUp:
    """A follow-up."""

    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    outcome: kinds.FollowUpOutcome = strawberry.field(description="What came of it.")
    note: str | None = strawberry.field(description="What the customer said, or what was found.")
    recorded_by: str = strawberry.field(description="Who wrote it down.")
    recorded_at: datetime = strawberry.field(description="When.")

    @classmethod
    def of(cls, view: FollowUpView) -> "FollowUp":
        return cls(
            id=global_id("FollowUp", view.id),
            outcome=view.outcome,
            note=view.note,
            recorded_by=view.recorded_by,
            recorded_at=view.recorded_at,
        )
