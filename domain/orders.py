"""Orders as allocation sees them, their life cycle, and the one function that computes every allocation status."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.ids import BundleId, ItemId, LineId, LocationId, OrderId, Sku
from domain.kinds import AllocationStatus, OrderStatus, ShippingPolicy
from domain.making import quickly_made
from domain.money import Money

TRANSITIONS: Mapping[OrderStatus, Mapping[str, OrderStatus]] = {
    OrderStatus.DRAFT: {"finalizeOrder": OrderStatus.FINALIZED, "voidOrder": OrderStatus.VOID},
    OrderStatus.FINALIZED: {"voidOrder": OrderStatus.VOID, "deliverFulfillment": OrderStatus.FULFILLED},
    OrderStatus.FULFILLED: {},
    OrderStatus.VOID: {},
}
"""`status`: from where, by which operation, to where. Nothing else happens.

Delivering does so once everything that was not canceled has arrived; an edit that cancels the rest does so as well.
"""

EDITABLE = (OrderStatus.DRAFT, OrderStatus.FINALIZED)
ALLOCATABLE = (OrderStatus.FINALIZED,)
WAITING = (AllocationStatus.COULD_NOT_ALLOCATE, AllocationStatus.PARTIALLY_ALLOCATED)
"""Short after a run. Only these are run again without anyone asking; an order that was deallocated is not."""


def states_that_allow(operation: str) -> tuple[OrderStatus, ...]:
    return tuple(status for status, edges in TRANSITIONS.items() if operation in edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where goods go, or a bill. Latitude and longitude in degrees; the phone in E.164."""

    name: str | None = None
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    phone: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """The quantities of one line, in units.

    `looked_at`: a run has looked at it since it was placed, grew or was deallocated. `bundle`: the line is a part of
    what was bought as one, each with `bundle_units` of it.
    """

    id: LineId
    order: OrderId
    item: ItemId
    sku: Sku
    quantity: int
    allocated: int = 0
    overallocated: int = 0
    shipped: int = 0
    canceled: int = 0
    dropshipped: int = 0
    looked_at: bool = False
    bundle: BundleId | None = None
    bundle_units: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.shipped - self.canceled - self.dropshipped


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What allocation needs to know of an order; `ship_to` where its channel's sourcing asks for it.

    `asked_at`: the locations that the last run over it was to use; None: all.
    """

    id: OrderId
    number: str
    channel: str
    status: OrderStatus
    allocation_status: AllocationStatus | None
    shipping_policy: ShippingPolicy
    priority: int
    version: int
    ship_to: Address | None = None
    asked_at: tuple[LocationId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who buys."""

    name: str | None = None
    email: str | None = None
    reference: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Something off the whole order, as the channel gave it; a code, a description, or both."""

    amount: Money
    code: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What is agreed about an order beside its lines. What is off, and tax, are those of the lines' own on top."""

    shipping_policy: ShippingPolicy = ShippingPolicy.SHIP_AVAILABLE
    priority: int = 0
    tags: tuple[str, ...] = ()
    customer: Customer | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    discounts: tuple[Discount, ...] = ()
    shipping_price: Money | None = None
    tax: Money | None = None
    note: str | None = None
    promised_delivery_at: datetime | None = None

    def money(self) -> Iterator[Money]:
        """Every amount."""
        yield from (discount.amount for discount in self.discounts)
        yield from (money for money in (self.shipping_price, self.tax) if money)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A line that is asked for and has no id yet. `discount` and `tax`: of all its units together."""

    sku: Sku
    quantity: int
    unit_price: Money | None = None
    reference: str | None = None
    discount: Money | None = None
    tax: Money | None = None
    customization_note: str | None = None

    def money(self) -> Iterator[Money]:
        """Every amount."""
        yield from (money for money in (self.unit_price, self.discount, self.tax) if money)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that somebody has verified. `method` and `reference`: their words; `occurred_at` None means now."""

    amount: Money
    method: str
    reference: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order that is asked for. `placed_at` None means now, by the database's clock.

    `owes_nothing`: it was part of an order from before payments were known.
    """

    channel: str
    number: str
    lines: tuple[NewLine, ...]
    status: OrderStatus = OrderStatus.FINALIZED
    terms: OrderTerms = OrderTerms()
    placed_at: datetime | None = None
    payments: tuple[Payment, ...] = ()
    owes_nothing: bool = False

    def money(self) -> Iterator[Money]:
        """Every amount; all are of one currency."""
        for line in self.lines:
            yield from line.money()
        yield from self.terms.money()
        yield from (payment.amount for payment in self.payments)

    @property
    def currency_code(self) -> str | None:
        """The order's currency; None where nothing of it has a price that counts."""
        if self.owes_nothing:
            return None
        for line in self.lines:
            if line.unit_price:
                return line.unit_price.currency_code
        return next((money.currency_code for money in self.money()), None)


def line_allocation_status(status: OrderStatus, line: OrderLine) -> AllocationStatus | None:
    """The allocation status of one line."""
    return allocation_status(status, (line,))


def allocation_status(status: OrderStatus, lines: Iterable[OrderLine]) -> AllocationStatus | None:
    """The allocation status of an order's lines, over what is still open.

    None when nothing is open or the order is void; a draft is unallocated. Overallocated wins over every other.
    Could not allocate: nothing is set aside, and a run has looked at a line that is open.
    """
    if status is OrderStatus.VOID:
        return None
    open_units = allocated = overallocated = 0
    looked_at = False
    for line in lines:
        units = line.open
        if units:
            open_units += units
            allocated += line.allocated
            overallocated += line.overallocated
            looked_at = looked_at or line.looked_at
    if not open_units:
        return None
    if overallocated:
        return AllocationStatus.OVERALLOCATED
    if allocated == open_units:
        return AllocationStatus.ALLOCATED
    if allocated:
        return AllocationStatus.PARTIALLY_ALLOCATED
    return AllocationStatus.COULD_NOT_ALLOCATE if looked_at else AllocationStatus.UNALLOCATED


def can_be_scheduled(order: Order) -> bool:
    """Whether a schedule may still be waiting for the order: nobody has looked at it."""
    return order.status in ALLOCATABLE and order.allocation_status is AllocationStatus.UNALLOCATED
