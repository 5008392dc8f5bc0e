"""Orders, their lines, and what is set aside for them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import kinds, orders
from domain.actions import order_actions
from domain.ids import OrderId
from domain.promises import came_in_time, need_of
from gql.context import Info
from gql.schema.actions import SupportedOrderAction
from gql.schema.addresses import Address
from gql.schema.catalog import Channel
from gql.schema.explanations import AllocationExplanation, LineExplanation
from gql.schema.ids import global_id
from gql.schema.money import AddressProblem, Money, OrderDiscount, OrderHold, OrderTotals, Payment
from gql.schema.nodes import Node, PageInfo
from gql.schema.order_lines import OrderLine
from services.addresses import address_problems
from services.journeys import tracking_url
from services.ports.orders import OrderView
from services.releasing import order_now

if TYPE_CHECKING:
    from gql.schema.documents import Invoice
    from gql.schema.fulfillments import Fulfillment
    from gql.schema.returns import FollowUp, Return
    from gql.schema.timeline import TimelineConnection


@strawberry.type(description="Who buys.")
class Customer:
    """Who buys."""

    name: str | None = strawberry.field(description="Their name.")
    email: str | None = strawberry.field(description="Where to write to them.")
    reference: str | None = strawberry.field(description="The channel's own id of them.")
    phone: str | None = strawberry.field(description="Where to call them, in E.164.")

    @classmethod
    def of(cls, customer: orders.Customer) -> "Customer":
        return cls(name=customer.name, email=customer.email, reference=customer.reference, phone=customer.phone)


@strawberry.type(description="What a customer wants, from one channel.")
class Order(Node):
    """What a customer wants."""

    view: strawberry.Private[OrderView]
    number: str = strawberry.field(description="Unique within its channel.")
    status: kinds.OrderStatus = strawberry.field(description="What the merchant has decided about it.")
    allocation_status: kinds.AllocationStatus | None = strawberry.field(
        description="Null once nothing is open (all shipped, dropshipped or canceled)."
    )
    shipping_policy: kinds.ShippingPolicy = strawberry.field(
        description="What may be set aside when it is not all there."
    )
    priority: int = strawberry.field(description="Higher goes first.")
    tags: list[str] = strawberry.field(description="Words that the merchant sorts by.")
    placed_at: datetime = strawberry.field(description="When the customer placed it.")
    updated_at: datetime = strawberry.field(description="When it last changed.")
    customer: Customer | None = strawberry.field(description="Who buys.")
    ship_to: Address | None = strawberry.field(description="Where the goods go.")
    fulfillment_status: kinds.FulfillmentStatus = strawberry.field(description="How far its goods are.")
    promised_delivery_at: datetime | None = strawberry.field(description="When the customer was told to have it.")
    delivered_at: datetime | None = strawberry.field(
        description="When the last of it was delivered; null until all of it was."
    )
    delivered_on_time: bool | None = strawberry.field(
        description="Whether it was delivered when promised; null until all of it was, and where nothing was promised."
    )
    late: bool = strawberry.field(
        description="Whether it came later than promised, or should be there by now and is not."
    )
    bill_to: Address | None = strawberry.field(description="Where the bill goes; null: where the goods go.")
    payment_status: kinds.PaymentStatus = strawberry.field(
        description="Whether what it comes to has been paid; PAID where it owes nothing."
    )
    discounts: list[OrderDiscount] = strawberry.field(description="What is off the whole order, beside its lines.")
    shipping_price: Money | None = strawberry.field(description="What shipping costs the customer.")
    tax: Money | None = strawberry.field(description="On the order itself, beside its lines.")
    note: str | None = strawberry.field(description="What the customer or the channel said.")
    version: int = strawberry.field(description="Rises by one with every commit that changes the order.")

    @strawberry.field(description="What is sent for it, from each location and supplier, the oldest first.")
    async def fulfillments(
        self, info: Info
    ) -> list[Annotated["Fulfillment", strawberry.lazy("gql.schema.fulfillments")]]:
        from gql.schema.fulfillments import Fulfillment

        return [Fulfillment.of(one) for one in await info.context.loaders.fulfillments_of.load(self.view.id)]

    @strawberry.field(
        description="What can be done with it now, and why the rest cannot: which buttons to show. Each is a mutation."
    )
    async def supported_actions(self, info: Info) -> list[SupportedOrderAction]:
        loaders, order = info.context.loaders, self.view.id
        lines, sent = await loaders.lines_of.load(order), await loaders.fulfillments_of.load(order)
        totals = await loaders.totals.load(order)
        assert totals is not None
        holds = frozenset(hold.reason for hold in await loaders.holds_of.load(order) if hold.released_at is None)
        back, invoiced = await loaders.returns_of.load(order), await loaders.invoiced_units.load(order) or 0
        now = order_now(self.view, lines, sent, back, totals, holds, invoiced)
        return [SupportedOrderAction.of(one) for one in order_actions(now)]

    @strawberry.field(description="What of it comes back or came back, the oldest first.")
    async def returns(self, info: Info) -> list[Annotated["Return", strawberry.lazy("gql.schema.returns")]]:
        from gql.schema.returns import Return

        return [Return.of(one) for one in await info.context.loaders.returns_of.load(self.view.id)]

    @strawberry.field(description="What was heard of the customer after delivery, the oldest first.")
    async def follow_ups(self, info: Info) -> list[Annotated["FollowUp", strawberry.lazy("gql.schema.returns")]]:
        from gql.schema.returns import FollowUp

        return [FollowUp.of(one) for one in await info.context.loaders.follow_ups_of.load(self.view.id)]

    @strawberry.field(description="Its invoices, the oldest first.")
    async def invoices(self, info: Info) -> list[Annotated["Invoice", strawberry.lazy("gql.schema.documents")]]:
        from gql.schema.documents import Invoice

        return [Invoice.of(one) for one in await info.context.loaders.invoices_of.load(self.view.id)]

    @strawberry.field(description="Where it came from.")
    async def channel(self, info: Info) -> Channel:
        found = await info.context.loaders.channels.load(self.view.channel_id)
        assert found is not None
        return Channel.of(found)

    @strawberry.field(
        description="Why each short line is short, who holds the stock, and when more is expected. Null unless a run "
        "has looked at the order."
    )
    async def allocation_explanation(self, info: Info) -> AllocationExplanation | None:
        told = await info.context.loaders.explanations.load(self.view.id)
        return AllocationExplanation(lines=[LineExplanation.of(line) for line in told.lines]) if told else None

    @strawberry.field(description="What it comes to and what was paid; null where nothing has a price that counts.")
    async def totals(self, info: Info) -> OrderTotals | None:
        found = await info.context.loaders.totals.load(self.view.id)
        return OrderTotals.of(found) if found else None

    @strawberry.field(description="Payments and refunds, the oldest first.")
    async def payments(self, info: Info) -> list[Payment]:
        return [Payment.of(one) for one in await info.context.loaders.payments_of.load(self.view.id)]

    @strawberry.field(description="Why it may not be released now, the oldest first; empty: nothing holds it.")
    async def holds(self, info: Info) -> list[OrderHold]:
        found = await info.context.loaders.holds_of.load(self.view.id)
        return [OrderHold.of(one) for one in found if one.released_at is None]

    @strawberry.field(description="What the warehouse has to do for it now; null where there is nothing.")
    async def need(self, info: Info) -> kinds.OrderNeed | None:
        loaders, view = info.context.loaders, self.view
        sent = await loaders.fulfillments_of.load(view.id)
        ours = [one.state for one in sent if one.kind is kinds.FulfillmentKind.STOCK]
        held = any(hold.released_at is None for hold in await loaders.holds_of.load(view.id))
        return need_of(view.status, view.allocation_status, view.payment_status, ours, held=held)

    @strawberry.field(description="All holds that there are and were, the oldest first.")
    async def hold_history(self, info: Info) -> list[OrderHold]:
        return [OrderHold.of(one) for one in await info.context.loaders.holds_of.load(self.view.id)]

    @strawberry.field(description="What is missing or wrong in `shipTo` for its country; empty: it is complete.")
    def address_problems(self) -> list[AddressProblem]:
        return [AddressProblem.of(one) for one in address_problems(self.view.ship_to)]

    @strawberry.field(description="The order that it was part of; null where it was not split off.")
    async def split_from(self, info: Info) -> "Order | None":
        return None if self.view.split_from is None else await Order.find(info, self.view.split_from)

    @strawberry.field(
        description="Who did what with it and when, the oldest first, as the log has it: a moment after it happened, "
        "and for as long as events are kept."
    )
    async def timeline(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")] = 50,
        after: Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")] = None,
    ) -> Annotated["TimelineConnection", strawberry.lazy("gql.schema.timeline")]:
        from gql.schema.timeline import TimelineConnection

        return await TimelineConnection.page(info, self.view.id, first, after)

    @strawberry.field(
        description="Where its customer follows it without logging in: whoever has the link sees how far the order is, "
        "and neither prices nor the address. It stays the same. Null: `noTrackingUrl` says why."
    )
    async def tracking_url(self, info: Info) -> str | None:
        if self._no_tracking_url(info):
            return None
        token = await info.context.loaders.tracking_tokens.load(self.view.id)
        return tracking_url(info.context.public_url or "", token) if token else None

    @strawberry.field(description="Why it has no tracking link; null where it has one.")
    def no_tracking_url(self, info: Info) -> kinds.NoTrackingUrl | None:
        return self._no_tracking_url(info)

    def _no_tracking_url(self, info: Info) -> kinds.NoTrackingUrl | None:
        if info.context.public_url is None:
            return kinds.NoTrackingUrl.PUBLIC_URL_NOT_SET
        return kinds.NoTrackingUrl.ORDER_IS_DRAFT if self.status is kinds.OrderStatus.DRAFT else None

    @strawberry.field(description="What is ordered, in the order in which it was written down.")
    async def lines(self, info: Info) -> list[OrderLine]:
        return [OrderLine.of(line) for line in await info.context.loaders.lines_of.load(self.view.id)]

    @classmethod
    def of(cls, order: OrderView) -> "Order":
        return cls(
            id=global_id("Order", order.id),
            view=order,
            number=order.number,
            status=order.status,
            allocation_status=order.allocation_status,
            shipping_policy=order.shipping_policy,
            priority=order.priority,
            tags=list(order.tags),
            placed_at=order.placed_at,
            updated_at=order.updated_at,
            customer=Customer.of(order.customer) if order.customer else None,
            ship_to=Address.of(order.ship_to) if order.ship_to else None,
            fulfillment_status=order.fulfillment_status,
            promised_delivery_at=order.promised_delivery_at,
            delivered_at=order.delivered_at,
            delivered_on_time=came_in_time(order.status, order.promised_delivery_at, order.delivered_at),
            late=order.is_late,
            bill_to=Address.of(order.bill_to) if order.bill_to else None,
            payment_status=order.payment_status,
            discounts=[OrderDiscount.of(one) for one in order.discounts],
            shipping_price=Money.maybe(order.shipping_price),
            tax=Money.maybe(order.tax),
            note=order.note,
            version=order.version,
        )

    @classmethod
    async def find(cls, info: Info, order: OrderId) -> "Order | None":
        found = await info.context.loaders.orders.load(order)
        return cls.of(found) if found else None

    @classmethod
    async def load(cls, info: Info, order: OrderId) -> "Order":
        found = await cls.find(info, order)
        assert found is not None
        return found


@strawberry.type(description="An order and its place in the list.")
class OrderEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this order.")
    node: Order = strawberry.field(description="The order.")


@strawberry.type(description="A page of orders.")
class OrderConnection:
    """A page."""

    edges: list[OrderEdge] = strawberry.field(description="The orders with their cursors.")
    nodes: list[Order] = strawberry.field(description="The orders alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


@strawberry.type(description="Some orders with a claim on stock, and how many there are.")
class ClaimSummary:
    """Some orders, and how many there are."""

    orders: list[Order] = strawberry.field(description="At most 100, and only those visible to the caller.")
    total: int = strawberry.field(description="How many there are, visible to the caller.")
