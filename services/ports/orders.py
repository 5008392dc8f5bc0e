"""Orders, their lines, and what is set aside for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from domain.bundles import Bundle
from domain.ids import AllocationId, ChannelId, ItemId, LineId, LocationId, OrderId, RunId, Sku
from domain.kinds import (
    AllocationSequence,
    AllocationStatus,
    FulfillmentStatus,
    HoldReason,
    OrderNeed,
    OrderStatus,
    PaymentStatus,
)
from domain.money import Money
from domain.orders import Address, Customer, Discount, Order, OrderLine, OrderTerms
from domain.runs import RunSeek
from services.ports.paging import Seek


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView(Order):
    """An order as it is shown. `delivered_at`: when the last of it came; None until then. `is_late`: by now."""

    channel_id: ChannelId
    tags: tuple[str, ...]
    placed_at: datetime
    updated_at: datetime
    customer: Customer | None
    split_from: OrderId | None
    fulfillment_status: FulfillmentStatus
    promised_delivery_at: datetime | None
    payment_status: PaymentStatus
    currency_code: str | None
    bill_to: Address | None
    discounts: tuple[Discount, ...]
    shipping_price: Money | None
    tax: Money | None
    note: str | None
    delivered_at: datetime | None
    is_late: bool

    @property
    def terms(self) -> OrderTerms:
        return OrderTerms(
            shipping_policy=self.shipping_policy,
            priority=self.priority,
            tags=self.tags,
            customer=self.customer,
            ship_to=self.ship_to,
            bill_to=self.bill_to,
            discounts=self.discounts,
            shipping_price=self.shipping_price,
            tax=self.tax,
            note=self.note,
            promised_delivery_at=self.promised_delivery_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleView(Bundle):
    """What was bought as one, as it is shown."""

    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView(OrderLine):
    """A line as it is shown. `order_status` is its order's; `sold_as`: the bundle that it is a part of."""

    reference: str | None
    unit_price: Decimal | None
    currency_code: str | None
    order_status: OrderStatus
    sold_as: BundleView | None = None
    discount: Money | None = None
    tax: Money | None = None
    customization_note: str | None = None

    @property
    def price(self) -> Money | None:
        if self.unit_price is None or self.currency_code is None:
            return None
        return Money(amount=self.unit_price, currency_code=self.currency_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationView:
    """Units that are set aside for a line."""

    id: AllocationId
    line: LineId
    location: LocationId
    quantity: int
    overallocated: int
    allocated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who orders, as far as it can be told whether they did before: by e-mail, or by the channel's reference.

    `order`: the one that does not count.
    """

    channel: str
    email: str | None
    reference: str | None
    order: OrderId | None = None

    @classmethod
    def of(cls, channel: str, customer: Customer | None, order: OrderId | None = None) -> "Buyer | None":
        """None where nothing tells who it is."""
        if customer is None or not (customer.email or customer.reference):
            return None
        return cls(channel=channel, email=customer.email, reference=customer.reference, order=order)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReference:
    """One way to name an order: by id, or by channel and number. `given`: the name as the caller wrote it."""

    id: OrderId | None = None
    channel: str = ""
    number: str = ""
    given: str = ""

    def __str__(self) -> str:
        return self.given or (f"Order:{self.id}" if self.id is not None else f"{self.channel}/{self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """None is no condition; an empty tuple matches nothing."""

    statuses: tuple[OrderStatus, ...] | None = None
    allocation_statuses: tuple[AllocationStatus, ...] | None = None
    channels: tuple[str, ...] | None = None
    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    country_codes: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    search: str | None = None
    placed_from: datetime | None = None
    placed_before: datetime | None = None
    updated_from: datetime | None = None
    fulfillment_statuses: tuple[FulfillmentStatus, ...] | None = None
    payment_statuses: tuple[PaymentStatus, ...] | None = None
    on_hold: bool | None = None
    hold_reasons: tuple[HoldReason, ...] | None = None
    late: bool | None = None
    needs: tuple[OrderNeed, ...] | None = None


class OrderSort(StrEnum):
    """How a list of orders is sorted; ties are broken by id."""

    PLACED_AT_ASC = "PLACED_AT_ASC"
    PLACED_AT_DESC = "PLACED_AT_DESC"
    PRIORITY_DESC = "PRIORITY_DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTally:
    """How many orders there are, by each axis; what has none of an axis is counted under None, or not at all."""

    total: int
    by_status: Mapping[OrderStatus, int]
    by_allocation_status: Mapping[AllocationStatus | None, int]
    by_fulfillment_status: Mapping[FulfillmentStatus, int]
    by_payment_status: Mapping[PaymentStatus, int]
    by_need: Mapping[OrderNeed | None, int]
    by_hold_reason: Mapping[HoldReason, int]
    on_hold: int
    late: int
    delivered_on_time: int
    delivered_late: int


class Orders(Protocol):
    async def resolve(self, references: Sequence[OrderReference]) -> list[OrderId | None]: ...
    async def by_ids(self, ids: Sequence[OrderId]) -> list[OrderView]: ...
    async def beside(self, order: OrderId, number: str) -> Mapping[str, OrderId]:
        """The orders in its channel that have this number, by number.

        With "": those whose number is the order's with "-1", "-2" and so on behind it.
        """

    async def terms(self, orders: Sequence[OrderId]) -> Mapping[OrderId, OrderTerms]: ...
    async def in_sequence(
        self, condition: OrderFilter, sequence: AllocationSequence, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        """Orders that match and that a run could serve, in the run's sequence; oldest first where that is planned."""

    async def in_plan(self, run: RunId, condition: OrderFilter, start: int, stop: int) -> list[RunSeek]:
        """Orders at positions from `start` up to before `stop` of the run's plan, if they still could be served."""

    async def outside_plan(
        self, run: RunId, condition: OrderFilter, first: int, after: RunSeek | None
    ) -> list[RunSeek]:
        """Orders that match and could be served and stand in no plan of the run, oldest first."""

    async def values(self, orders: Sequence[OrderId]) -> dict[OrderId, dict[str, Decimal]]:
        """What the open units of each order are worth, by currency; lines without a price are worth nothing."""

    async def waiting_for(
        self, items: Sequence[ItemId], first: int, after: RunSeek | None, but: OrderFilter | None = None
    ) -> list[RunSeek]:
        """Orders that a run left short of one of these SKUs, highest priority first, then oldest.

        `but`: none that match this.
        """

    async def lines_of(self, orders: Sequence[OrderId]) -> list[LineView]: ...
    async def lines(self, ids: Sequence[LineId]) -> list[LineView]: ...
    async def allocations_of(self, lines: Sequence[LineId]) -> list[AllocationView]: ...
    async def page(
        self, condition: OrderFilter, sort: OrderSort, first: int, after: Seek | None
    ) -> list[OrderView]: ...
    async def to_serve(self, condition: OrderFilter) -> int:
        """How many orders match that a run could serve."""

    async def counts(self, condition: OrderFilter) -> OrderTally:
        """How many orders match, by every axis, at one moment."""

    async def returning(self, buyers: Sequence[Buyer]) -> list[bool]:
        """Of each, whether there is another order of theirs that is neither a draft nor void."""
