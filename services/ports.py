"""What the services need from the outside, and nothing about how it is done."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from domain.access import Scope, Visibility
from domain.alerts import Alert, AlertChanges, Found, OpenKey, WatchingRule
from domain.automation import AllocationRule
from domain.batch import Changes, Facts
from domain.best_plan import Program, Solution
from domain.bundles import Bundle
from domain.carriers import Bought, Shipment
from domain.documents import Document, DocumentForm, Invoice, Rendered, invoice_number
from domain.events import LoggedEvent, WebhookEndpointDisabled
from domain.fulfillments import Fulfillment, Parcel, PickTask, TrackingEvent
from domain.holding import HoldRule
from domain.ids import (
    AlertId,
    AllocationId,
    BundleId,
    ChannelId,
    DeliveryId,
    EndpointId,
    FulfillmentId,
    InvoiceId,
    ItemId,
    KeyId,
    LevelKey,
    LineId,
    LocationId,
    MailId,
    OrderId,
    ParcelId,
    PickListId,
    PickTaskId,
    ReservationId,
    ReservedLineId,
    ReturnId,
    ReturnLineId,
    RunId,
    Sku,
    SupplyId,
)
from domain.journey_facts import JourneyFacts
from domain.kinds import (
    AlertKind,
    AllocationSequence,
    AllocationStatus,
    FollowUpOutcome,
    FulfillmentState,
    FulfillmentStatus,
    HoldReason,
    InspectionOutcome,
    MailState,
    MovementCause,
    OrderNeed,
    OrderStatus,
    PaymentKind,
    PaymentStatus,
    PickMode,
    PickTaskState,
    ReturnReason,
    ReturnState,
    StockQuantity,
    SupplyState,
    TrackingStatus,
    WebhookDeliveryState,
)
from domain.mails import ClaimedMail, Mail, MailTemplate, MailTried, NewMail, OrderToTell
from domain.money import Money
from domain.orders import Address, Customer, Discount, Order, OrderLine, OrderTerms
from domain.payments import Standing
from domain.pegging import WaitingLine
from domain.reservations import Reservation, ReservedLine
from domain.returns import Return
from domain.runs import ForeseenChunk, Moved, Run, RunSeek
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Component, Item, LedgerSince, Location, StockLevel
from domain.supply import OpenSupplyLine, Supply
from domain.tracking import Tracked
from domain.webhooks import Claimed, Delivery, Endpoint, Health, Sent
from services.outcomes import from_json

T = TypeVar("T")
R = TypeVar("R", bound="NamesParcels")


class Busy(Exception):
    """Dibs is too busy for this just now; nothing was written. Try again after `retry_after_ms`."""

    def __init__(self, retry_after_ms: int = 1000) -> None:
        super().__init__("Dibs is too busy; nothing was written. Try again in a moment.")
        self.retry_after_ms = retry_after_ms


class NotRead(Busy):
    """Nothing could be read just now. Within a mutation this says nothing about what was written before it."""


class OutcomeUnknown(Exception):
    """The database did not answer in time whether it committed. The same idempotency key finds out."""

    def __init__(self) -> None:
        super().__init__("Nobody knows yet whether this was done. Send it again with the same idempotency key.")


OUT_OF_REACH = (Busy, OutcomeUnknown)
"""What whoever works by themselves is told where the database cannot be had just now: do it again, it will be there."""


SKUS_MAX = 2_000
"""Distinct SKUs in one batch: each is a lock, and the lock table is shared by the whole server."""


class BatchTooLarge(Exception):
    """A batch would lock more SKUs than the server's lock table has room for; nothing was locked."""

    def __init__(self, skus: int, most: int) -> None:
        super().__init__(f"{skus:,} SKUs; a batch takes at most {most:,}")
        self.skus = skus
        self.most = most


# ---------------------------------------------------------------- what is read


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
class PaymentView:
    """A payment as it is shown."""

    id: int
    order: OrderId
    kind: PaymentKind
    amount: Money
    method: str
    reference: str | None
    occurred_at: datetime
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """A hold as it is shown. `rule`: the rule that placed it."""

    id: int
    order: OrderId
    reason: HoldReason
    note: str | None
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    rule: str | None


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
class NewOrderRules:
    """What is asked of every new order: the rules that allocate it, and those that hold it."""

    allocation: tuple[AllocationRule, ...] = ()
    holds: tuple[HoldRule, ...] = ()


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
class LevelView(StockLevel):
    """A stock level as it is shown."""

    id: int
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationView(Reservation):
    """A stock reservation as it is shown."""

    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Units of a SKU at a location that an order holds."""

    item: ItemId
    order: OrderId
    priority: int
    location: LocationId
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementView:
    """A row of the stock ledger as it is shown. `balance` is None where the first release wrote it."""

    id: int
    item: ItemId
    location: LocationId
    quantity: StockQuantity
    change: int
    balance: int | None
    cause: MovementCause
    reference: str | None
    supply: SupplyId | None
    counted_at: datetime | None
    actor: str
    request: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyView(Supply):
    """A supply as it is shown."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedLineView(ReservedLine):
    """A line of a stock reservation as it is shown; `held`: where how many of its units are set aside now."""

    sku: Sku
    held: tuple[tuple[LocationId, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentView(Fulfillment):
    """A fulfillment as it is shown, with when it came into its states."""

    created_at: datetime
    picked_at: datetime | None
    checked_at: datetime | None
    packed_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    canceled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEventView(TrackingEvent):
    """What a carrier said, as it is shown. `parcel` None: of a fulfillment without parcels."""

    id: int
    fulfillment: FulfillmentId
    parcel: ParcelId | None
    recorded_at: datetime
    recorded_by: str


class NamesParcels(Protocol):
    """A parcel, a fulfillment, or a tracking number."""

    @property
    def parcel(self) -> ParcelId | None: ...
    @property
    def fulfillment(self) -> FulfillmentId | None: ...
    @property
    def number(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTaskView(PickTask):
    """A pick task as it is shown. `priority`: its order's."""

    order: OrderId
    sku: Sku
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PickListView:
    """A pick list as it is shown; `picker` has it until `leased_until`."""

    id: PickListId
    location: LocationId
    mode: PickMode
    picker: str | None
    leased_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskItem:
    """What is to be picked for a task, and by what it is known."""

    order: OrderId
    sku: Sku
    barcode: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: codes."""

    orders: tuple[OrderId, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[FulfillmentState, ...] | None = None
    tracking_number: str | None = None
    tracking_statuses: tuple[TrackingStatus, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnView(Return):
    """A return as it is shown, with when it came into its states."""

    requested_at: datetime
    requested_by: str
    received_at: datetime | None
    inspected_at: datetime | None
    canceled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionView:
    """What somebody saw in units of a return line. `location`: where they were put; None: they were discarded."""

    line: ReturnLineId
    outcome: InspectionOutcome
    quantity: int
    location: LocationId | None
    note: str | None
    inspected_by: str
    inspected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """What was heard of a customer, as it is shown."""

    id: int
    order: OrderId
    outcome: FollowUpOutcome
    note: str | None
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: codes. `reasons`: of any of its lines."""

    orders: tuple[OrderId, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[ReturnState, ...] | None = None
    reasons: tuple[ReturnReason, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTaskFilter:
    """None is no condition; an empty tuple matches nothing."""

    location: str
    states: tuple[PickTaskState, ...] | None = (PickTaskState.OPEN,)
    fulfillments: tuple[FulfillmentId, ...] | None = None
    on_list: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyReference:
    """One way to name a supply: by id, or by its reference. `given`: the id as the caller wrote it."""

    id: SupplyId | None = None
    reference: str = ""
    given: str = ""

    def __str__(self) -> str:
        return self.given or self.reference or f"Supply:{self.id}"


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
class ReservationReference:
    """A stock reservation by its id. `given`: the name as the caller wrote it."""

    id: ReservationId
    given: str = ""

    def __str__(self) -> str:
        return self.given or f"StockReservation:{self.id}"


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


class BundleConflict(StrEnum):
    """Why an item cannot be a bundle of these components."""

    HAS_STOCK = "HAS_STOCK"
    IS_COMPONENT = "IS_COMPONENT"
    HAS_BUNDLE = "HAS_BUNDLE"


class OrderSort(StrEnum):
    """How a list of orders is sorted; ties are broken by id."""

    PLACED_AT_ASC = "PLACED_AT_ASC"
    PLACED_AT_DESC = "PLACED_AT_DESC"
    PRIORITY_DESC = "PRIORITY_DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevelFilter:
    """None is no condition; an empty tuple matches nothing."""

    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    overallocated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: where a supply is expected."""

    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[SupplyState, ...] | None = None
    expected_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """None is no condition; an empty tuple matches nothing."""

    skus: tuple[str, ...] | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """None is no condition; an empty tuple matches nothing. One filter for the log and for every subscription."""

    types: tuple[str, ...] | None = None
    orders: tuple[OrderId, ...] | None = None
    runs: tuple[RunId, ...] | None = None
    channels: tuple[str, ...] | None = None
    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    statuses: tuple[AllocationStatus, ...] | None = None
    overallocated: bool | None = None
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """None is no condition; an empty tuple matches nothing. `endpoints`: names."""

    endpoints: tuple[str, ...] | None = None
    states: tuple[WebhookDeliveryState, ...] | None = None


Seek = tuple[Any, ...]
"""The sort key of the last row of the page before."""


# ---------------------------------------------------------------- the unit of work


IdempotencyKey = tuple[KeyId, str, str]
"""The credential that owns the key, the mutation, and the key."""


class IdempotencyKeys(Protocol):
    async def claim(self, keys: Sequence[tuple[IdempotencyKey, bytes]]) -> dict[IdempotencyKey, tuple[bytes, Any]]:
        """Take the keys with the fingerprints of their input, waiting for concurrent twins.

        What is stored already: fingerprint and outcome. No key may come twice.
        """

    async def keep(self, outcomes: Sequence[tuple[IdempotencyKey, str]]) -> None:
        """Remember the outcomes, which are JSON; they commit with the effect."""

    async def forget(self, keys: Sequence[IdempotencyKey]) -> None:
        """Give keys back that were taken in this transaction."""

    async def forget_expired(self, most: int) -> int:
        """Remove keys that are kept no longer, the oldest first, at most so many; how many."""


class Batches(Protocol):
    async def items_of(self, orders: Sequence[OrderId]) -> dict[OrderId, list[ItemId]]:
        """The SKUs of each order, each once. Nothing is locked: they may have changed when `load` comes to them."""

    async def load(
        self,
        *,
        orders: Sequence[OrderId] = (),
        items: Iterable[ItemId] = (),
        reservations: Sequence[ReservationId] = (),
        floor: bool = False,
        bins: bool = False,
        returns: bool = False,
    ) -> Facts:
        """Lock the SKUs of the orders, the reservations and the items, then read: the orders and the reservations
        whole, the levels of every locked SKU.

        Fulfillments are read of orders that hold or have sent something through one, and with `floor` of all; with
        `bins`, also the bins and open pick tasks of every locked SKU; with `returns`, also all returns of the orders.

        Raises BatchTooLarge.
        """

    async def contenders(self, levels: Mapping[LevelKey, int]) -> Facts:
        """Lock and read who holds the weakest claims of each level, up to so many units.

        Orders are read whole; of carts, their claims there.
        """

    async def fresh_ids(self, most: int) -> tuple[Iterator[int], datetime]:
        """Numbers for fulfillments and returns, lines, tasks and parcels that are not written yet, and the time."""

    async def reserve_ids(
        self, orders: int, lines: int, bundles: int
    ) -> tuple[list[OrderId], list[LineId], list[BundleId]]: ...
    async def reserve_cart_ids(
        self, reservations: int, lines: int
    ) -> tuple[list[ReservationId], list[ReservedLineId]]: ...

    async def record(self, changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]] = ()) -> None:
        """Write everything, and what keys shall remember, in a number of statements that does not grow with the batch.

        `outcomes` are JSON, and may be lazy: they are made while the database is at work.
        """


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


class Stock(Protocol):
    async def levels_of(self, items: Sequence[ItemId]) -> list[LevelView]: ...
    async def levels(self, ids: Sequence[int]) -> list[LevelView]: ...
    async def levels_at(self, keys: Sequence[LevelKey]) -> list[LevelView]: ...
    async def page(self, condition: StockLevelFilter, first: int, after: Seek | None) -> list[LevelView]: ...
    async def movements(self, sku: str, location: str, first: int, after: Seek | None) -> list[MovementView]: ...
    async def since(self, of: Sequence[ItemId], moment: datetime) -> LedgerSince:
        """What the ledger knows of these SKUs since a moment. Their locks must be held, or it is old news."""


class Supplies(Protocol):
    async def resolve(self, references: Sequence[SupplyReference]) -> list[SupplyId | None]: ...
    async def items_of(self, ids: Sequence[SupplyId]) -> set[ItemId]:
        """The SKUs of their lines, which never change."""

    async def reserve_id(self) -> SupplyId: ...
    async def by_ids(self, ids: Sequence[SupplyId]) -> list[SupplyView]: ...
    async def page(self, condition: SupplyFilter, first: int, after: Seek | None) -> list[SupplyView]: ...
    async def open_lines(self, of: Sequence[ItemId]) -> list[OpenSupplyLine]:
        """Units of these SKUs that are still to come, the earliest first.

        Whoever changes a supply holds the locks of all its SKUs: under the lock of a SKU this is how things stand.
        """

    async def incoming(self, keys: Sequence[LevelKey]) -> dict[LevelKey, int]:
        """How many units are still to come to each level; levels that expect nothing are left out."""


class Fulfillments(Protocol):
    async def orders_of(self, ids: Sequence[FulfillmentId]) -> dict[FulfillmentId, OrderId]:
        """Their orders, which never change."""

    async def items_of_tasks(self, ids: Sequence[PickTaskId]) -> dict[PickTaskId, TaskItem]: ...
    async def by_ids(self, ids: Sequence[FulfillmentId]) -> list[FulfillmentView]: ...
    async def of_orders(self, orders: Sequence[OrderId]) -> list[FulfillmentView]:
        """The oldest first."""

    async def page(self, condition: FulfillmentFilter, first: int, after: int | None) -> list[FulfillmentView]:
        """The oldest first; `after`: an id."""

    async def parcels_of(self, fulfillments: Sequence[FulfillmentId]) -> list[Parcel]: ...
    async def tracked(self, references: Sequence[R]) -> dict[R, Tracked]:
        """What carriers speak of, of those references that name something. Of several fulfillments with a tracking
        number, which carriers use again, it is the newest that was not canceled.
        """

    async def tracking_of(self, fulfillments: Sequence[FulfillmentId]) -> list[TrackingEventView]:
        """What carriers said of them, the latest first by their clocks."""

    async def tasks(self, ids: Sequence[PickTaskId]) -> list[PickTaskView]: ...
    async def tasks_of(self, fulfillments: Sequence[FulfillmentId]) -> list[PickTaskView]: ...
    async def tasks_on(self, lists: Sequence[PickListId]) -> list[PickTaskView]:
        """By bin: the sequence in which a picker walks."""

    async def task_page(self, condition: PickTaskFilter, first: int, after: Seek | None) -> list[PickTaskView]:
        """By bin; `after`: bin ("" for none) and id."""

    async def bins_of(self, keys: Sequence[LevelKey]) -> dict[LevelKey, list[tuple[str, int]]]:
        """How many units lie in which bin, by bin."""

    async def lists(self, ids: Sequence[PickListId]) -> list[PickListView]: ...
    async def make_list(
        self,
        location: LocationId,
        mode: PickMode,
        fulfillments: Sequence[FulfillmentId] | None,
        most: int,
        picker: str | None,
        seconds: int,
    ) -> PickListId | None:
        """Put open tasks that are on no list on a new one: those of the fulfillments, or (None) of as many fulfillments
        as may be, the most urgent first. None: there are none. Of two who want the same tasks, one gets them.
        """

    async def take_list(self, pick_list: PickListId, picker: str, seconds: int) -> bool:
        """Let the picker have the list for so long, from now on. False: somebody else has it."""

    async def give_list_back(self, pick_list: PickListId, picker: str) -> bool: ...
    async def ready(self, most: int) -> list[OrderId]:
        """Orders that their channel releases by itself and that look as if they could be, the most urgent first."""

    async def refused(self, orders: Sequence[OrderId]) -> None:
        """Do not try to release these orders again before something about them changes."""


class Returns(Protocol):
    async def orders_of(self, ids: Sequence[ReturnId]) -> dict[ReturnId, OrderId]:
        """Their orders, which never change."""

    async def by_ids(self, ids: Sequence[ReturnId]) -> list[ReturnView]: ...
    async def of_orders(self, orders: Sequence[OrderId]) -> list[ReturnView]:
        """The oldest first."""

    async def page(self, condition: ReturnFilter, first: int, after: int | None) -> list[ReturnView]:
        """The oldest first; `after`: an id."""

    async def inspections_of(self, lines: Sequence[ReturnLineId]) -> list[InspectionView]:
        """The oldest first."""

    async def follow_ups_of(self, orders: Sequence[OrderId]) -> list[FollowUpView]:
        """The oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who sends parcels and invoices. `gs1_company_prefix`: 7 to 10 digits, under which parcels are numbered."""

    name: str = ""
    address: Address | None = None
    tax_id: str | None = None
    contact: str | None = None
    gs1_company_prefix: str | None = None
    tax_included: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """An invoice as it was issued, and to which order it belongs."""

    id: InvoiceId
    order: OrderId
    content: Mapping[str, Any]
    issued_on: date
    issued_by: str
    created_at: datetime

    @property
    def invoice(self) -> Invoice:
        """Everything that stands on it."""
        found: Invoice = from_json(Invoice, self.content)
        return found

    @property
    def number(self) -> str:
        return invoice_number(self.content["series"], self.content["number"])


class Documents(Protocol):
    """What documents are made of, and invoices, which are kept as they were issued."""

    async def merchant(self) -> Merchant: ...
    async def save_merchant(self, fields: Mapping[str, Any]) -> None:
        """Those that are given are these from now on."""

    async def lock_order(self, order: OrderId) -> None:
        """Nobody else issues an invoice of it until the transaction ends."""

    async def invoiced(self, order: OrderId) -> dict[LineId, int]:
        """Units of each line that are on invoices."""

    async def invoiced_units(self, orders: Sequence[OrderId]) -> dict[OrderId, int]:
        """Units of all lines that are on invoices; orders without any are left out."""

    async def next_number(self, series: str) -> tuple[int, date]:
        """The next number of a series, and what day it is; the series is locked until the transaction ends, and so has
        no gap.
        """

    async def add_invoice(
        self, order: OrderId, invoice: Invoice, content: Mapping[str, Any], units: Mapping[LineId, int], actor: str
    ) -> InvoiceId:
        """Keep the invoice as it is: `content` is all of it, as JSON."""

    async def invoices_of(self, orders: Sequence[OrderId]) -> list[InvoiceView]:
        """The oldest first."""

    async def invoices(self, ids: Sequence[InvoiceId]) -> list[InvoiceView]: ...
    async def parcels(self, ids: Sequence[ParcelId]) -> list[Parcel]: ...


class Explanations(Protocol):
    async def holdings(self, items: Sequence[ItemId]) -> list[Holding]:
        """What orders hold of these SKUs, the strongest claim first."""

    async def queue(self, items: Sequence[ItemId]) -> list[WaitingLine]:
        """Lines of which a run left units short, in the sequence in which waiting orders are run."""


class CursorExpired(Exception):
    """What lies behind this position is no longer all there. `end`: the last position of the log."""

    def __init__(self, end: int) -> None:
        super().__init__("The log is not whole behind this cursor any more: read the data anew, and go on from now.")
        self.end = end


class EventLog(Protocol):
    async def end(self) -> int:
        """The position of the last event that has one; 0 where there is none."""

    async def hold(self) -> int:
        """The position behind which everything is kept, and stays kept until the transaction ends."""

    async def number(self, most: int) -> int | None:
        """Give positions to committed events, at most so many; how many. None: another relay is at it just now."""

    async def page(
        self, condition: EventFilter, first: int, after: int | None, until: int | None = None
    ) -> list[LoggedEvent]:
        """Events that match, with positions after `after` and not past `until`; None: from the first there is.

        Raises CursorExpired rather than leave out what is no longer kept.
        """

    async def has_waiting(self) -> bool:
        """Whether committed events have no position yet."""

    async def last_of(self, run: RunId) -> LoggedEvent | None:
        """What was written of a run last. Its position is 0 while it has none; None: the log no longer has it."""

    async def forgotten_before(self, order: OrderId) -> datetime | None:
        """Before when the log no longer has what happened to the order; None: it has everything since it was placed."""

    async def forget(self, days: int, most: int) -> int:
        """Remove events that are older, the oldest first, at most so many; how many.

        An event stays for as long as a webhook endpoint that is enabled has not come past it, or has yet to deliver it,
        and until alerts and mails have been made of it.
        """


class Chore(StrEnum):
    """What the workers do when it is due. UNPAID_ORDERS and RELEASES are due wherever a channel asks for them."""

    RUNS = "RUNS"
    WAITING_ORDERS = "WAITING_ORDERS"
    SCHEDULES = "SCHEDULES"
    CARTS = "CARTS"
    UNPAID_ORDERS = "UNPAID_ORDERS"
    RELEASES = "RELEASES"
    NOTICES = "NOTICES"
    MAILS = "MAILS"
    WEBHOOKS = "WEBHOOKS"


class Chores(Protocol):
    async def due(self) -> frozenset[Chore]:
        """All that may have to be done now; some of it may turn out to be nothing, and nothing is left out."""


class Runs(Protocol):
    async def add(
        self,
        *,
        dry_run: bool,
        sequence: AllocationSequence,
        condition: Mapping[str, Any],
        policy: Mapping[str, Any],
        keep: Mapping[str, Any] | None,
        actor: str,
        request: str,
        commits: Run | None = None,
    ) -> RunId:
        """A queued run. `commits`: the dry run that it does exactly, with its plan and as many orders."""

    async def by_ids(self, ids: Sequence[RunId]) -> list[Run]: ...
    async def lock(self, run: RunId) -> Run | None:
        """The run, for as long as the transaction lasts; waits for whoever works on it."""

    async def lock_next(self) -> Run | None:
        """The oldest unfinished run that nobody works on and that waits for no plan."""

    async def next_to_plan(self) -> Run | None:
        """The oldest unfinished run that waits for a plan."""

    async def keep_plan(self, run: Run, orders: Sequence[OrderId]) -> None:
        """Write the plan of a run that is locked: its report, and its orders in sequence."""

    async def oldest_unfinished(self) -> RunId | None:
        """The oldest run that somebody may work on."""

    async def save(self, run: Run) -> None:
        """Write how far the run is, with its event."""

    async def keep_chunk(self, run: RunId, chunk: ForeseenChunk) -> None:
        """Write down what a dry run says of some of its orders."""

    async def foreseen_chunk(self, run: RunId, position: int) -> ForeseenChunk | None:
        """What a dry run said of the orders that come after so many others; None: there are no more."""

    async def said(self, run: RunId) -> list[bytes]:
        """The digests of all that a dry run said, in sequence; empty where it is not kept."""

    async def moved(self, run: RunId, most: int) -> Moved:
        """Orders and levels that are not as a dry run found them first; so many of each at most."""

    async def forget_chunks(self, most: int) -> int:
        """Remove what dry runs said that ended more than a day ago, unless it is being committed; how much of it."""

    async def replenished(self, most: int) -> list[tuple[ItemId, datetime]]:
        """SKUs that became available, the oldest first, each with when it last did."""

    async def forget_replenished(self, items: Sequence[tuple[ItemId, datetime]]) -> None:
        """Their waiting orders have been run; one that became available again since then stays."""


class Reservations(Protocol):
    async def by_ids(self, ids: Sequence[ReservationId]) -> list[ReservationView]: ...
    async def lines_of(self, reservations: Sequence[ReservationId]) -> list[ReservedLineView]: ...
    async def due(self, most: int, lines: int) -> list[ReservationId]:
        """Reservations whose time is over by the database's clock and whose units have not been given back; the oldest
        first, as many as have no more than so many lines together.
        """


class Payments(Protocol):
    async def standings(self, orders: Sequence[OrderId]) -> dict[OrderId, Standing]:
        """Where the orders stand. Without the locks of their SKUs this is old news."""

    async def payments_of(self, orders: Sequence[OrderId]) -> list[PaymentView]:
        """The oldest first."""

    async def holds_of(self, orders: Sequence[OrderId]) -> list[HoldView]:
        """Also those that have ended; the oldest first."""

    async def unpaid_in_time(self, first: int) -> list[OrderId]:
        """Orders whose channel waits no longer for their payment, by the database's clock; the oldest first.

        One that is held for it, or was once, is left alone: whoever lifted that hold has decided.
        """


class Automation(Protocol):
    async def new_order_rules(self) -> NewOrderRules:
        """All rules for new orders, in one statement, each kind in the order in which they are asked."""

    async def hold_rules(self) -> list[HoldRule]: ...
    async def replace_hold_rules(self, rules: Sequence[HoldRule]) -> None:
        """These rules instead of all that there were."""

    async def rules(self) -> list[AllocationRule]:
        """The allocation rules, in the order in which they are asked."""

    async def replace_rules(self, rules: Sequence[AllocationRule]) -> None:
        """These rules instead of all that there were."""

    async def due(self, first: int) -> list[OrderId]:
        """Orders whose schedule has come, highest priority first, then oldest."""

    async def scheduled(self, orders: Sequence[OrderId]) -> set[OrderId]:
        """Those of the orders that wait for a schedule now."""


class Webhooks(Protocol):
    """Endpoints as callers see them."""

    async def endpoints(self) -> list[Endpoint]: ...
    async def by_ids(self, ids: Sequence[EndpointId]) -> list[Endpoint]: ...
    async def lock(self, names: Sequence[str]) -> dict[str, Endpoint]:
        """Those that exist, for as long as the transaction lasts."""

    async def count(self) -> int: ...
    async def save(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, EndpointId]:
        """Create or update by name, each row whole. A new one takes up what happens from now on."""

    async def give_first_secrets(self, secrets: Mapping[EndpointId, bytes]) -> None:
        """A secret for each endpoint that has none."""

    async def known_secrets(self, secrets: Sequence[bytes]) -> set[bytes]:
        """Those of them that are in use."""

    async def turn_secret(self, endpoint: EndpointId, secret: bytes, keep_seconds: int) -> int:
        """Sign with one more secret, and with those before for so many seconds more; the new one's id."""

    async def secret(self, row: int) -> bytes | None: ...
    async def go_on_after(self, endpoint: EndpointId, position: int) -> None:
        """Take the log up anew from behind this position; what was pending behind it comes again."""

    async def add_test(self, endpoint: EndpointId) -> DeliveryId:
        """A delivery without an event."""

    async def delivery(self, delivery: DeliveryId) -> Delivery | None: ...
    async def page(self, condition: DeliveryFilter, first: int, before: int | None) -> list[Delivery]:
        """The newest first; `before`: an id."""


class Deliveries(Protocol):
    """Webhooks as the workers see them."""

    async def plan(self) -> bool:
        """Make deliveries of what the log has behind the endpoints' positions; whether more is left."""

    async def claim(self, sending: Mapping[EndpointId, int], most: int, lease: str, seconds: float) -> list[Claimed]:
        """Lease what is due: of each endpoint at most so many, less those that the worker is sending."""

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back what was not sent."""

    async def lock_health(self, endpoints: Sequence[EndpointId]) -> dict[EndpointId, tuple[str, bool, int, float]]:
        """Name, whether it is enabled, failures in a row, and for how many seconds; locked."""

    async def end(self, results: Sequence[tuple[Sent, WebhookDeliveryState, float]]) -> list[Sent]:
        """Write down what came of requests, with the wait until the next; those whose lease still held."""

    async def save_health(self, health: Mapping[EndpointId, Health]) -> None: ...
    async def tell(self, events: Sequence[WebhookEndpointDisabled]) -> None: ...
    async def forget_ended(self, most: int) -> int:
        """Remove deliveries that are kept no longer, at most so many; how many."""


class Alerts(Protocol):
    """Alert rules, alerts, and how far the log has been read for alerts and mails."""

    async def lock(self) -> None:
        """Nobody else raises alerts or says what is watched for until the transaction ends."""

    async def try_lock(self) -> bool:
        """The same; False: somebody else is at it just now. Nobody may conclude that it will finish."""

    async def begin(self) -> None:
        """From now on the log is read; what was before is not."""

    async def reached(self) -> int:
        """The position up to which alerts and mails have been made of the log."""

    async def reach(self, position: int) -> None: ...
    async def moment(self) -> datetime:
        """When this transaction began, by the database's clock."""

    async def rules(self) -> list[WatchingRule]:
        """In the sequence in which they were given."""

    async def replace_rules(self, rules: Sequence[WatchingRule]) -> None:
        """These rules instead of all that there were; open alerts are told to whom the rules say now."""

    async def checked(self, rules: Sequence[str], until: datetime) -> None:
        """The rules have looked for everything until then."""

    async def running_out(self, most: int, *, skus: Sequence[str] = (), rule: str | None = None) -> list[Found]:
        """Of these SKUs, or of all by one rule: what runs out and is not told, or is told and does not."""

    async def waiting(self, kind: AlertKind, orders: Sequence[OrderId]) -> list[Found]:
        """Of these orders: which have waited too long and are not told, or are told and do not wait."""

    async def crossed(self, kind: AlertKind, rule: str, most: int) -> list[Found]:
        """Orders that have waited too long since the rule looked the last time, the longest waiting first."""

    async def open_of_orders(self, orders: Sequence[OrderId]) -> dict[OpenKey, AlertId]: ...
    async def open_of_rules(self, rules: Sequence[str]) -> list[Alert]: ...
    async def by_ids(self, ids: Sequence[AlertId]) -> list[Alert]: ...
    async def page(self, first: int, before: int | None, is_open: bool | None) -> list[Alert]:
        """The newest first; `before`: an id."""

    async def reserve_ids(self, count: int) -> list[AlertId]: ...
    async def record(self, changes: AlertChanges) -> None:
        """Write the alerts, with their events."""

    async def forget(self, most: int) -> int:
        """Remove alerts that have been over for long, at most so many; how many."""


class Mails(Protocol):
    """Templates, and the outbox."""

    async def templates(self) -> list[MailTemplate]:
        """Those that somebody has saved."""

    async def save_templates(self, templates: Sequence[MailTemplate]) -> None: ...
    async def orders_to_tell(self, orders: Sequence[OrderId]) -> dict[OrderId, OrderToTell]: ...
    async def recipients(self, alerts: Sequence[AlertId]) -> dict[AlertId, tuple[str, ...]]:
        """Who is told of each alert."""

    async def add(self, mails: Sequence[NewMail]) -> None:
        """Those that say what no mail says yet."""

    async def claim(self, most: int, lease: str, seconds: float) -> list[ClaimedMail]:
        """Lease what is due, the oldest first; of what is about the same thing, the first that has not ended."""

    async def release(self, claimed: Sequence[ClaimedMail]) -> None:
        """Give back what was not sent."""

    async def end(self, results: Sequence[tuple[MailTried, MailState, float]]) -> None:
        """Write down what came of attempts, with the wait until the next, where the lease still holds."""

    async def forget_ended(self, most: int) -> int:
        """Remove mails that are kept no longer, at most so many; how many."""

    async def mail(self, mail: MailId) -> Mail | None: ...
    async def page(self, first: int, before: int | None, state: MailState | None) -> list[Mail]:
        """The newest first; `before`: an id."""


class Journeys(Protocol):
    """What customers are told of their orders, and the links by which they ask."""

    async def tokens(self, orders: Sequence[OrderId]) -> dict[OrderId, bytes]:
        """Of those orders that have one."""

    async def add_tokens(self, tokens: Mapping[OrderId, bytes]) -> None:
        """For orders that have none; one that has come to have one meanwhile keeps it."""

    async def journeys(self, digests: Sequence[bytes]) -> dict[bytes, JourneyFacts]:
        """What customers are told of, by the SHA-256 of the tokens. Nobody is told of a draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a secret opens, and for how many seconds more; None: until somebody says otherwise."""

    key: KeyId
    name: str
    scopes: frozenset[Scope]
    visibility: Visibility
    seconds_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """An API key as it is shown. `mark`: what stands in its secrets after `dibs_`; None where it was preset.

    `previous_until`: the secret before the current one still opens until then.
    """

    id: KeyId
    name: str
    mark: str | None
    scopes: frozenset[Scope]
    visibility: Visibility
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    previous_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def has_ended(self, now: datetime) -> bool:
        """Whether none of its secrets opens anything any more."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


class Credentials(Protocol):
    async def find(self, secrets_sha256: Sequence[bytes]) -> Mapping[bytes, Opening]:
        """What those of the secrets open that open anything now, by the database's clock."""

    async def save(
        self, name: str, secret_sha256: bytes, scopes: Collection[Scope], visibility: Visibility, mark: str | None
    ) -> KeyId:
        """Create the key of this name, or make it as if it were new: whatever opened it before opens nothing."""

    async def add(
        self,
        name: str,
        mark: str,
        secret_sha256: bytes,
        scopes: Collection[Scope],
        visibility: Visibility,
        expires_at: datetime | None,
        actor: str,
    ) -> KeyId | None:
        """A new key; None where there is or was one of this name."""

    async def person(self, issuer: str, subject: str, name: str, secret_sha256: bytes) -> KeyId:
        """The row of a person, whom no key stands for; made where there is none yet."""

    async def exists(self, name: str) -> bool: ...
    async def lock(self, key: KeyId) -> KeyView | None:
        """The key, for as long as the transaction lasts."""

    async def turn(self, key: KeyId, mark: str, secret_sha256: bytes, keep_seconds: int) -> None:
        """Open with a new secret, and with the one before for so many seconds more; with older ones no longer."""

    async def revoke(self, key: KeyId) -> None: ...
    async def by_ids(self, ids: Sequence[KeyId]) -> list[KeyView]: ...
    async def by_name(self, name: str) -> KeyView | None: ...
    async def page(self, first: int, after: int | None, *, ended: bool) -> list[KeyView]:
        """The oldest first; `after`: an id. `ended`: also those that have expired or were revoked."""

    async def used(self, keys: Sequence[KeyId]) -> None:
        """They were used just now; written at most once a minute."""

    async def moment(self) -> datetime:
        """What time it is, by the database's clock."""


class Sight(Protocol):
    """What a limited caller sees of what there is."""

    async def seen(self, visibility: Visibility, table: str, ids: Sequence[int]) -> set[int]:
        """Those of the rows that somebody who is limited like this may know of. Only within a transaction."""


class Bell(Protocol):
    """Rings when the log has grown. It carries nothing, and may be lost: every wait also ends by itself."""

    def ring(self) -> None:
        """Tell everybody who waits, here and on other nodes; never waits and never fails."""

    async def wait(self, seconds_max: float, heard: int | None = None) -> int:
        """Until it has rung more often than `heard`, or so long at most; how often it has rung.

        Whoever passes on what the wait before answered misses no ring in between. Any number may wait.
        """


class UnitOfWork(Protocol):
    """One transaction, or one connection for reading."""

    @property
    def keys(self) -> IdempotencyKeys: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def stock(self) -> Stock: ...
    @property
    def explanations(self) -> Explanations: ...
    @property
    def supplies(self) -> Supplies: ...
    @property
    def fulfillments(self) -> Fulfillments: ...
    @property
    def returns(self) -> Returns: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def chores(self) -> Chores: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def reservations(self) -> Reservations: ...
    @property
    def automation(self) -> Automation: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def journeys(self) -> Journeys: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def sight(self) -> Sight: ...


class Reader(Protocol):
    """Reads what its caller may see."""

    async def read(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading on one connection; each statement sees what is committed when it starts."""


class Database(Protocol):
    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Do the work in one transaction, and again as a whole where the database asks for it.

        `repeatable`: doing it twice is doing it once (it looks its own outcome up first), so an unknown outcome of
        COMMIT is resolved by repeating. Raises Busy, with nothing written, and OutcomeUnknown.
        """

    async def read(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading on one connection; each statement sees what is committed when it starts."""

    async def snapshot(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading at one moment, without any lock: all statements see the same. Nothing can be written.

        `batches.load` takes any number of SKUs here.
        """

    def seen_by(self, visibility: Visibility) -> Reader:
        """The same data, cut to what somebody who is limited like this may know of."""


class Solver(Protocol):
    """Whoever solves 0/1 programs."""

    async def solve(self, program: Program, seconds: float) -> Solution:
        """The best choice that is found in about so many seconds, and what is proven about it."""


class Renderer(Protocol):
    """Whoever draws documents. It waits for nothing and takes its time: call it in a thread."""

    def render(self, document: Document, form: DocumentForm) -> Rendered:
        """The document as a file; the same facts give the same bytes. Only a shipping label can be had as ZPL."""


# ---------------------------------------------------------------- carriers


class CarrierRefused(Exception):
    """The carrier will not take it as it is. Nothing was bought; what is wrong must be corrected first.

    `words`: the carrier's own, in one line; `code`: what the carrier calls it.
    """

    def __init__(self, words: str, *, code: str | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class CarrierUnavailable(Exception):
    """The carrier could not be asked, or its answer makes no sense. It may be tried again.

    `may_have_happened`: nobody knows whether this call bought it; the same idempotency reference finds out.
    """

    def __init__(self, words: str, *, may_have_happened: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.may_have_happened = may_have_happened
        self.retry_after_seconds = retry_after_seconds


class Carrier(Protocol):
    """Whoever brings parcels to people."""

    async def buy(self, shipment: Shipment) -> Bought:
        """Have the shipment taken, once for each idempotency reference.

        Raises CarrierRefused and CarrierUnavailable.
        """
