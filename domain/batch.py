"""One transaction's working copy: facts that were read under the locks go in, operations move them, changes come out.

Operations (`domain.allocating`, `domain.ordering`, `domain.stocking`) use the moves of `Batch`. Whatever they do,
`changes` recomputes the flags of every level and the status of every order that was touched, and makes one version and
its events for each: so a status can not change without its event, and a claim can not lose its stock unnoticed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.allocation import CartClaim, Claim, Held, Take, age, flags
from domain.books import Books
from domain.bundles import Bundle
from domain.events import (
    AllocationStatusChanged,
    Event,
    FulfillmentChanged,
    OrderChanged,
    PickTasksChanged,
    ReturnChanged,
    StockLevelChanged,
    SupplyChanged,
)
from domain.floor import Floor, FloorChanges, FloorFacts
from domain.fulfillments import Fulfillment, PickTask, TrackingEvent, fulfillment_status
from domain.ids import (
    AllocationId,
    BundleId,
    FulfillmentId,
    FulfillmentLineId,
    ItemId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    ParcelId,
    ReservationId,
    ReservedLineId,
    ReturnId,
    Sku,
    SupplyId,
)
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    AllocationStatus,
    FulfillmentStatus,
    HoldReason,
    MovementCause,
    OrderChange,
    OrderStatus,
    PaymentKind,
    PaymentStatus,
    StockQuantity,
)
from domain.making import quickly_made
from domain.orders import (
    ALLOCATABLE,
    NewLine,
    NewOrder,
    Order,
    OrderLine,
    OrderTerms,
    Payment,
    allocation_status,
)
from domain.payments import EndedHold, LineMoney, NewHold, NewPayment, Standing, Totals
from domain.reservations import NewReservation, Reservation
from domain.returns import Inspection, NewFollowUp, Return
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Location, Movement, StockCount, StockLevel
from domain.supply import Supply, SupplyLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read under the locks: the orders with all their lines and claims, the stock reservations with their
    claims, and the levels of every locked SKU.

    `sourcing` by the channel's code, where it is not by rank. `bundles`: the locked SKUs that are bundles.
    `paid_on_arrival`: codes of the channels whose orders have been paid when they come; `releases_by_itself`: of those
    that release what is ready. `floor`: the fulfillments of those orders that have any. `returns`: of all of its
    orders, where the batch asks for them.
    """

    locations: Mapping[LocationId, Location] = field(default_factory=dict)
    sourcing: Mapping[str, Sourcing] = field(default_factory=dict)
    skus: Mapping[ItemId, Sku] = field(default_factory=dict)
    paid_on_arrival: frozenset[str] = frozenset()
    releases_by_itself: frozenset[str] = frozenset()
    bundles: frozenset[ItemId] = frozenset()
    levels: Sequence[StockLevel] = ()
    orders: Sequence[Order] = ()
    lines: Sequence[OrderLine] = ()
    reservations: Sequence[Reservation] = ()
    claims: Sequence[Held] = ()
    supplies: Sequence[Supply] = ()
    floor: FloorFacts | None = None
    returns: Sequence[Return] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLine:
    """A new line with its id and its position in the order, from 0."""

    line: OrderLine
    position: int
    new: NewLine


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class EndedClaim:
    """`quantity` units of a claim that are set aside no longer, and why. `allocation`: the row that they were in."""

    allocation: AllocationId
    claim: Held
    quantity: int
    reason: AllocationEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class DividedClaim:
    """A new claim that was part of an older one; `allocation`: the row that it comes from."""

    allocation: AllocationId
    claim: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrackingEvent:
    """What a carrier said of a parcel, or of a fulfillment that has none. The same is written down once."""

    fulfillment: FulfillmentId
    parcel: ParcelId | None
    event: TrackingEvent
    actor: str
    request: str


@dataclass(slots=True, kw_only=True)
class Changes:
    """Everything one transaction writes. `resized_lines`: those of `lines` that changed in more than their claims.

    `schedules`: orders that wait for a schedule, each with the minutes between its turns; `unscheduled`: those that
    wait no more. `split_from`: new orders, each with the one that it was part of. `payment_statuses`: of the orders for
    which it is another one than it was, or than PAID where they are new. `currencies`: of orders that had none.
    `return_actors`: who moved a return last.
    """

    placed: list[tuple[Order, NewOrder]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    terms: dict[OrderId, OrderTerms] = field(default_factory=dict)
    void_reasons: dict[OrderId, str] = field(default_factory=dict)
    asked_at: dict[OrderId, tuple[LocationId, ...] | None] = field(default_factory=dict)
    new_bundles: list[Bundle] = field(default_factory=list)
    placed_lines: list[PlacedLine] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    resized_lines: set[LineId] = field(default_factory=set)
    new_reservations: list[NewReservation] = field(default_factory=list)
    ended_reservations: list[Reservation] = field(default_factory=list)
    new_claims: list[Held] = field(default_factory=list)
    divided_claims: list[DividedClaim] = field(default_factory=list)
    changed_claims: list[Held] = field(default_factory=list)
    ended_claims: list[EndedClaim] = field(default_factory=list)
    gone_claims: list[AllocationId] = field(default_factory=list)
    new_levels: list[StockLevel] = field(default_factory=list)
    changed_levels: list[StockLevel] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    counts: list[StockCount] = field(default_factory=list)
    new_supplies: list[Supply] = field(default_factory=list)
    changed_supplies: list[Supply] = field(default_factory=list)
    changed_supply_lines: list[tuple[SupplyId, SupplyLine]] = field(default_factory=list)
    replenished: set[ItemId] = field(default_factory=set)
    schedules: dict[OrderId, int] = field(default_factory=dict)
    unscheduled: list[OrderId] = field(default_factory=list)
    split_from: dict[OrderId, OrderId] = field(default_factory=dict)
    floor: FloorChanges | None = None
    new_returns: list[Return] = field(default_factory=list)
    changed_returns: list[Return] = field(default_factory=list)
    return_actors: dict[ReturnId, str] = field(default_factory=dict)
    inspections: list[Inspection] = field(default_factory=list)
    follow_ups: list[NewFollowUp] = field(default_factory=list)
    tracking: list[NewTrackingEvent] = field(default_factory=list)
    fulfillment_statuses: dict[OrderId, FulfillmentStatus] = field(default_factory=dict)
    finalized: list[OrderId] = field(default_factory=list)
    payments: list[NewPayment] = field(default_factory=list)
    payment_statuses: dict[OrderId, PaymentStatus] = field(default_factory=dict)
    currencies: dict[OrderId, str] = field(default_factory=dict)
    repriced_lines: dict[LineId, LineMoney] = field(default_factory=dict)
    new_holds: list[NewHold] = field(default_factory=list)
    ended_holds: list[EndedHold] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


REPLENISHING = {
    AllocationCause.STOCK_RECEIVED,
    AllocationCause.STOCK_ADJUSTED,
    AllocationCause.STOCK_TRANSFERRED,
    AllocationCause.CANCELED,
    AllocationCause.EDITED,
    AllocationCause.DROPSHIPPED,
    AllocationCause.RETURNED,
    AllocationCause.STOCK_RESERVATION,
    AllocationCause.UNPAID,
}
"""What sets off a run of the orders that wait for the stock. Deallocating does not: a person has more to do."""

CHANGES = tuple(OrderChange)
"""A tuple, since the enumeration itself is slow to walk through for every order."""

NEW_CLAIM = 1 << 62
"""Claims that are not written yet count from here: later than every claim that is."""


class Batch:
    """The working copy. Every move keeps lines, claims and levels in step."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        """`actor` and `request` stand in the stock ledger; they change with the command that is at work."""
        self.floor = Floor()
        self.actor = actor
        self.request = request
        self.places_in_sight: frozenset[str] | None = None
        """The codes of the locations of which whoever is at it may know; None: all."""
        self.locations = dict(facts.locations)
        self.ranks = {location.id: location.rank for location in facts.locations.values()}
        self.sourcing = dict(facts.sourcing)
        self.skus = dict(facts.skus)
        self.paid_on_arrival = facts.paid_on_arrival
        self.releases_by_itself = facts.releases_by_itself
        self.bundles = facts.bundles
        self.levels = {level.key: level for level in facts.levels}
        self._levels_of: defaultdict[ItemId, list[LevelKey]] = defaultdict(list)
        for key in self.levels:
            self._levels_of[key[0]].append(key)
        self.orders: dict[OrderId, Order] = {}
        self.lines: dict[LineId, OrderLine] = {}
        self.reservations: dict[ReservationId, Reservation] = {}
        self.claims: dict[AllocationId, Held] = {}
        self.supplies = {supply.id: supply for supply in facts.supplies}
        self._levels_before = dict(self.levels)
        self._supplies_before = dict(self.supplies)
        self._orders_before: dict[OrderId, Order] = {}
        self._lines_before: dict[LineId, OrderLine] = {}
        self._claims_before: dict[AllocationId, Held] = {}
        self._lines_of: defaultdict[OrderId, list[LineId]] = defaultdict(list)
        self._claims_of: defaultdict[OrderId, list[AllocationId]] = defaultdict(list)
        self._claims_of_carts: defaultdict[ReservationId, list[AllocationId]] = defaultdict(list)
        self._claims_at: defaultdict[LevelKey, list[AllocationId]] = defaultdict(list)
        self._locations_before: defaultdict[OrderId, set[LocationId]] = defaultdict(set)
        self._changes_of: defaultdict[OrderId, dict[OrderChange, str]] = defaultdict(dict)
        self._unsorted: set[OrderId] = set()
        self._divided: dict[AllocationId, AllocationId] = {}
        self._order_causes: dict[OrderId, AllocationCause] = {}
        self._order_actors: dict[OrderId, str] = {}
        self._level_causes: dict[LevelKey, AllocationCause] = {}
        self._level_actors: dict[LevelKey, str] = {}
        self._stale_levels: set[LevelKey] = set()
        self._numbers: dict[tuple[str, str], OrderId] = {}
        self._new_lines: dict[LineId, NewLine] = {}
        self._new_bundles: dict[BundleId, Bundle] = {}
        self._books = Books()
        self._repriced: dict[OrderId, str] = {}
        self._made = Changes()
        self.returns: dict[ReturnId, Return] = {}
        self._returns_before: dict[ReturnId, Return] = {}
        self._fulfilling: dict[OrderId, FulfillmentStatus] = {}
        self.learn(facts)

    @property
    def actor(self) -> str:
        return self._actor

    @actor.setter
    def actor(self, actor: str) -> None:
        self._actor = self.floor.actor = actor

    def learn(self, facts: Facts) -> None:
        """Add orders with their lines and claims, and reservations; what is known already stays as it is."""
        for order in facts.orders:
            if order.id not in self._orders_before:
                self.orders[order.id] = self._orders_before[order.id] = order
        for line in facts.lines:
            if line.id not in self._lines_before:
                self.lines[line.id] = self._lines_before[line.id] = line
                self._lines_of[line.order].append(line.id)
        for reservation in facts.reservations:
            self.reservations.setdefault(reservation.id, reservation)
        for claim in facts.claims:
            if claim.id not in self._claims_before:
                self._claims_before[claim.id] = claim
                if isinstance(claim, Claim):
                    self._locations_before[claim.order].add(claim.location)
                self._add_claim(claim)
        for one in facts.returns:
            if one.id not in self._returns_before:
                self.returns[one.id] = self._returns_before[one.id] = one
        if facts.floor:
            self.floor.learn(facts.floor)
            for fulfillment in facts.floor.fulfillments:
                self._fulfilling.setdefault(fulfillment.order, self.fulfillment_status_of(fulfillment.order))

    # ------------------------------------------------------------------ reading

    def facts(self) -> Facts:
        """Everything as it stands, for another working copy whose moves leave this one alone."""
        return Facts(
            locations=self.locations,
            sourcing=self.sourcing,
            skus=self.skus,
            levels=list(self.levels.values()),
            orders=list(self.orders.values()),
            lines=list(self.lines.values()),
            reservations=list(self.reservations.values()),
            claims=list(self.claims.values()),
            supplies=list(self.supplies.values()),
            floor=self.floor.facts(),
            returns=list(self.returns.values()),
        )

    def order_of_number(self, channel: str, number: str) -> OrderId | None:
        """The order of this number, if it was placed in this batch."""
        return self._numbers.get((channel, number))

    def location_of(self, code: str) -> Location | None:
        """The location, if there is one and whoever is at it may know of it."""
        if self.places_in_sight is not None and code not in self.places_in_sight:
            return None
        return next((location for location in self.locations.values() if location.code == code), None)

    def terms_of(self, order: OrderId) -> OrderTerms | None:
        """The order's terms, if this batch has made or changed them."""
        return self._made.terms.get(order)

    def levels_of(self, items: Iterable[ItemId]) -> list[StockLevel]:
        """The levels of these SKUs, as they are now."""
        return [self.levels[key] for item in items for key in self._levels_of.get(item, ())]

    def sourcing_of(self, channel: str | None) -> Sourcing:
        return BY_RANK if channel is None else self.sourcing.get(channel, BY_RANK)

    def new_line(self, line: LineId) -> NewLine | None:
        """The line as it was asked for, if that was in this batch."""
        return self._new_lines.get(line)

    def new_bundle(self, bundle: BundleId) -> Bundle | None:
        """The bundle as it was asked for, if that was in this batch."""
        return self._new_bundles.get(bundle)

    def lines_of(self, order: OrderId) -> list[OrderLine]:
        return [self.lines[line] for line in self._lines_of[order]]

    def claims_of(self, order: OrderId) -> list[Claim]:
        """The order's claims, the oldest first."""
        found = (self.claims.get(claim) for claim in self._claims_of[order])
        claims = [claim for claim in found if isinstance(claim, Claim) and claim.order == order]
        if order in self._unsorted:
            claims.sort(key=age)
        return claims

    def claims_of_reservation(self, reservation: ReservationId) -> list[CartClaim]:
        """What a cart holds, the oldest first."""
        claims = (self.claims.get(claim) for claim in self._claims_of_carts[reservation])
        return [claim for claim in claims if isinstance(claim, CartClaim)]

    def has_moved(self, order: OrderId) -> bool:
        """Whether this batch has changed the order already: its next version is under way."""
        lines = self._lines_of[order]
        return order in self._changes_of or any(self.lines[line] is not self._lines_before.get(line) for line in lines)

    def status_of(self, order: OrderId) -> AllocationStatus | None:
        return allocation_status(self.orders[order].status, self.lines_of(order))

    def claims_at(self, line: FulfillmentLineId) -> list[Claim]:
        """What is sent with a line of a fulfillment, the oldest first."""
        claims = self.claims_of(self.floor.of_line(line).order)
        return [claim for claim in claims if claim.fulfillment_line == line]

    def returns_of(self, order: OrderId) -> list[Return]:
        """The order's returns, the oldest first; they must have been asked for."""
        return [one for one in self.returns.values() if one.order == order]

    def fulfillment_status_of(self, order: OrderId) -> FulfillmentStatus:
        return fulfillment_status(self.lines_of(order), self.floor.of(order))

    # ------------------------------------------------------------------ payments and holds

    def unaccounted(self) -> list[OrderId]:
        """Orders that may owe another amount now, and whose standing is not known yet."""
        return [order for order in self._repriced if order not in self._books] if self._repriced else []

    def account(self, standings: Mapping[OrderId, Standing]) -> None:
        """Learn where orders stand, as it was before this batch."""
        self._books.learn(standings)
        for order in standings:
            terms = self._made.terms.get(order)
            if terms is not None:
                self._books.agree(order, terms)

    def is_accounted(self, order: OrderId) -> bool:
        """Whether the order's standing is known."""
        return order in self._books

    def standing_of(self, order: OrderId) -> Standing:
        """Where the order stands; it was learnt, or the order was placed in this batch."""
        return self._books.of(order)

    def money_of(self, line: LineId) -> LineMoney | None:
        """What the line costs. The standing of its order must be known."""
        return self._books.money_of(self.lines[line].order, line)

    def totals_of(self, order: OrderId) -> Totals:
        """What the order comes to now. Its standing must be known."""
        return self._books.totals(order, self.lines_of(order))

    def pay(self, order: OrderId, kind: PaymentKind, payment: Payment) -> None:
        """Write down money that came or went. The order's standing must be known."""
        self._books.pay(order, kind, payment, self.actor, self.request)
        self._repriced[order] = self.actor
        if kind is PaymentKind.PAYMENT:
            self.note(order, OrderChange.PAYMENT_RECORDED)
        elif kind is PaymentKind.REFUND:
            self.note(order, OrderChange.REFUND_RECORDED)

    def take_currency(self, order: OrderId, currency_code: str) -> None:
        self._books.take_currency(order, currency_code)

    def reprice(self, line: LineId, money: LineMoney) -> None:
        """Discount and tax of a line are these from now on. The standing of its order must be known."""
        self._books.reprice(line, money)

    def hold(self, order: OrderId, reason: HoldReason, note: str | None = None, rule: str | None = None) -> bool:
        """Hold the order, unless it is held for this already; whether it was not. Its standing must be known."""
        hold = NewHold(order=order, reason=reason, note=note, placed_by=self.actor, rule=rule)
        placed = self._books.hold(hold)
        if placed:
            self.note(order, OrderChange.HELD)
        return placed

    def lift(self, order: OrderId, reason: HoldReason) -> bool:
        """End a hold, if there is one; whether there was. The order's standing must be known."""
        return self._lift(order, reason, self.actor)

    def _lift(self, order: OrderId, reason: HoldReason, actor: str) -> bool:
        lifted = self._books.lift(order, reason, actor)
        if lifted:
            self.note(order, OrderChange.HOLD_RELEASED, actor)
        return lifted

    def unschedule(self, order: OrderId) -> None:
        """No schedule waits for the order any more."""
        self._made.schedules.pop(order, None)
        self._made.unscheduled.append(order)

    # ------------------------------------------------------------------ moves

    def place(self, order: Order, new: NewOrder, lines: Iterable[PlacedLine]) -> None:
        """Add an order that was not there before."""
        self.orders[order.id] = order
        self._numbers[order.channel, order.number] = order.id
        self._made.placed.append((order, new))
        if self._books.open(order.id, new):
            self._repriced[order.id] = self.actor
        for line in lines:
            self.add_line(line)
        self.note(order.id, OrderChange.PLACED)
        for payment in new.payments:
            self.pay(order.id, PaymentKind.PAYMENT, payment)

    def add_line(self, placed: PlacedLine) -> None:
        line = placed.line
        self.lines[line.id] = line
        self._lines_of[line.order].append(line.id)
        self._new_lines[line.id] = placed.new
        self._books.price(line.id, placed.new)
        if line.order in self._orders_before:
            self._repriced[line.order] = self.actor
        self._made.placed_lines.append(placed)

    def add_bundle(self, bundle: Bundle) -> None:
        """What is bought as one; the lines of its components are added by themselves."""
        self._new_bundles[bundle.id] = bundle
        self._made.new_bundles.append(bundle)

    def change_order(
        self, order: Order, change: OrderChange, terms: OrderTerms | None = None, actor: str | None = None
    ) -> None:
        before = self.orders[order.id]
        self.orders[order.id] = order
        if terms is not None:
            self._made.terms[order.id] = terms
            self._repriced[order.id] = self.actor
            if order.id in self._books:
                self._books.agree(order.id, terms)
        if order.priority != before.priority:
            for claim in self.claims_of(order.id):
                self.claims[claim.id] = replace(claim, priority=order.priority)
                self._stale_levels.add(claim.level)
                self._blame(claim.level, AllocationCause.EDITED)
        self.note(order.id, change, actor)

    def ask_at(self, order: OrderId, locations: tuple[LocationId, ...] | None) -> None:
        """A run looked for the order's units at these locations only; None: everywhere. It is no change of an order."""
        if self.orders[order].asked_at != locations:
            self.orders[order] = replace(self.orders[order], asked_at=locations)
            self._made.asked_at[order] = locations

    def split_off(self, order: OrderId, part: OrderId) -> None:
        """The part is an order that was placed in this batch; what went to it has been moved."""
        self._made.split_from[part] = order
        self.note(order, OrderChange.SPLIT)
        self.explain(order, AllocationCause.SPLIT)
        self.explain(part, AllocationCause.SPLIT)

    def void(self, order: Order, reason: str) -> None:
        self._made.void_reasons[order.id] = reason
        self._repriced[order.id] = self.actor
        self.change_order(order, OrderChange.VOIDED)

    def note(self, order: OrderId, change: OrderChange, actor: str | None = None) -> None:
        """This happened to the order in this commit, by whoever is at work, or by this one."""
        self._changes_of[order][change] = self.actor if actor is None else actor

    def schedule(self, order: OrderId, minutes: int) -> None:
        """Let the order be allocated at the next multiple of so many minutes, unless a run looks at it before."""
        self._made.schedules[order] = minutes

    def explain(self, order: OrderId, cause: AllocationCause) -> None:
        """If the order's allocation status moves in this commit, this is why."""
        self._order_causes[order] = cause
        self._order_actors[order] = self.actor

    def _blame(self, level: LevelKey, cause: AllocationCause, *, first: bool = True) -> None:
        """If flags move at the level, this is why, and by whom. Not `first`: unless something else is to blame."""
        if first or level not in self._level_causes:
            self._level_causes[level] = cause
            self._level_actors[level] = self.actor

    def change_line(self, line: OrderLine) -> None:
        before = self.lines[line.id]
        if (before.quantity, before.canceled) != (line.quantity, line.canceled):
            self._repriced[line.order] = self.actor
        self.lines[line.id] = line

    def finalize(self, order: Order) -> None:
        """The draft is confirmed."""
        self._made.finalized.append(order.id)
        self.change_order(order, OrderChange.FINALIZED)

    def change_level(self, level: StockLevel, cause: AllocationCause) -> None:
        """Replace a level; its flags follow in `changes`."""
        if level.key not in self.levels:
            self._levels_of[level.item].append(level.key)
        self.levels[level.key] = level
        self._stale_levels.add(level.key)
        self._blame(level.key, cause)

    def move(self, movement: Movement) -> None:
        """Add a row to the stock ledger."""
        self._made.movements.append(movement)

    def note_count(self, count: StockCount) -> None:
        """Somebody knows what is on hand; a count moves nothing by itself."""
        self._made.counts.append(count)

    def track(self, event: NewTrackingEvent) -> None:
        """A carrier has said something; what follows from it, follows."""
        self._made.tracking.append(event)

    def tell(self, event: Event) -> None:
        """Something happened that is no change of a row of ours."""
        self._made.events.append(event)

    def change_supply(self, supply: Supply) -> None:
        """Add or replace a supply. It is the caller who moves the stock."""
        self.supplies[supply.id] = supply

    def change_return(self, one: Return) -> None:
        """Add or replace a return. It is the caller who moves the stock."""
        self.returns[one.id] = one
        self._made.return_actors[one.id] = self.actor

    def note_inspection(self, inspection: Inspection) -> None:
        """Somebody has said what becomes of units that came back."""
        self._made.inspections.append(inspection)

    def note_follow_up(self, follow_up: NewFollowUp) -> None:
        """Something was heard of a customer."""
        self._made.follow_ups.append(follow_up)

    def take(self, takes: Iterable[Take]) -> None:
        """Set the units aside, in a run: each line and each level is replaced once, whatever the number of takes."""
        per_line: defaultdict[LineId, int] = defaultdict(int)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        new_claims = self._made.new_claims
        for line_id, item, location, units in takes:
            order = self.orders[self.lines[line_id].order]
            per_line[line_id] += units
            per_level[item, location] += units
            claim = Claim(
                id=AllocationId(NEW_CLAIM + len(new_claims)),
                order=order.id,
                line=line_id,
                item=item,
                location=location,
                quantity=units,
                priority=order.priority,
            )
            new_claims.append(claim)
            self._add_claim(claim)
        for line_id, units in per_line.items():
            line = self.lines[line_id]
            self.lines[line_id] = _served(line, units)
        self._commit(per_level)

    def reserve(self, new: NewReservation, takes: Iterable[Take]) -> None:
        """Add a reservation that was not there before; the lines of the takes are those of the reservation."""
        self.reservations[new.reservation.id] = new.reservation
        self._made.new_reservations.append(new)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        for line, item, location, units in takes:
            per_level[item, location] += units
            claim = CartClaim(
                id=AllocationId(NEW_CLAIM + len(self._made.new_claims)),
                reservation=new.reservation.id,
                reserved_line=ReservedLineId(line),
                item=item,
                location=location,
                quantity=units,
            )
            self._made.new_claims.append(claim)
            self._add_claim(claim)
        self._commit(per_level)

    def end_reservation(self, reservation: Reservation) -> None:
        """The reservation has ended as its state says. Nothing may be set aside for it any more."""
        assert not self.claims_of_reservation(reservation.id), "units of a cart that has ended"
        self.reservations[reservation.id] = reservation
        self._made.ended_reservations.append(reservation)

    def _commit(self, per_level: Mapping[LevelKey, int]) -> None:
        """So many units more are set aside at the levels."""
        for key, units in per_level.items():
            level = self.levels[key]
            self.levels[key] = _moved(level, level.committed + units, level.version)

    def give_back(self, claim: Held, quantity: int, reason: AllocationEnd, cause: AllocationCause) -> None:
        """End `quantity` units of a claim: those without stock behind them first, and those that are picked last."""
        unbacked = min(claim.overallocated, quantity)
        put_back = max(0, quantity - (claim.quantity - claim.picked))
        self._end(claim, quantity, unbacked, put_back, reason)
        self._take_from_line(claim, quantity, unbacked)
        level = self.levels[claim.level]
        level = replace(
            level,
            committed=level.committed - quantity,
            flagged=level.flagged - unbacked,
            picked=level.picked - put_back,
        )
        self.change_level(level, cause)
        if isinstance(claim, Claim) and claim.fulfillment_line is not None:
            self.floor.shrink(claim.fulfillment_line, quantity, put_back)

    def _end(self, claim: Held, quantity: int, unbacked: int, picked: int, reason: AllocationEnd) -> None:
        remaining = replace(
            claim,
            quantity=claim.quantity - quantity,
            overallocated=claim.overallocated - unbacked,
            picked=claim.picked - picked,
        )
        if remaining.quantity:
            self.claims[claim.id] = remaining
        else:
            del self.claims[claim.id]
        ended = EndedClaim(allocation=self._row_of(claim), claim=claim, quantity=quantity, reason=reason)
        self._made.ended_claims.append(ended)

    def send(self, claim: Claim, line: FulfillmentLineId | None) -> None:
        """The claim's units are sent with this line of a fulfillment, or (None) wait to be released again."""
        self.claims[claim.id] = replace(claim, fulfillment_line=line)

    def pick(self, claim: Claim, units: int) -> Claim:
        """So many units of the claim have been fetched; with a negative number: put back. Others may be weaker now."""
        claim = replace(claim, picked=claim.picked + units)
        self.claims[claim.id] = claim
        level = self.levels[claim.level]
        self.levels[level.key] = replace(level, picked=level.picked + units)
        if level.overallocated:
            self._stale_levels.add(level.key)
            self._blame(level.key, AllocationCause.PICKED, first=False)
        return claim

    def ship(self, claim: Claim, reference: str) -> None:
        """The claim's units have left: it is consumed, and they are on hand no longer."""
        assert claim.picked == claim.quantity, "shipped without being picked"
        self._end(claim, claim.quantity, claim.overallocated, claim.picked, AllocationEnd.SHIPPED)
        self._take_from_line(claim, claim.quantity, claim.overallocated)
        line = self.lines[claim.line]
        self.lines[line.id] = replace(line, shipped=line.shipped + claim.quantity)
        level = self.levels[claim.level]
        level = replace(
            level,
            on_hand=level.on_hand - claim.quantity,
            committed=level.committed - claim.quantity,
            flagged=level.flagged - claim.overallocated,
            picked=level.picked - claim.quantity,
        )
        self.change_level(level, AllocationCause.SHIPPED)
        self.move(
            Movement(
                item=claim.item,
                location=claim.location,
                quantity=StockQuantity.ON_HAND,
                change=-claim.quantity,
                balance=level.on_hand,
                cause=MovementCause.SHIPPED,
                reference=reference,
                actor=self.actor,
                request=self.request,
            )
        )

    def divide_sent(self, claim: Claim, quantity: int, line: FulfillmentLineId) -> None:
        """So many units of a claim, all of it picked, are sent with another line."""
        if quantity == claim.quantity:
            self.send(claim, line)
            return
        unbacked = min(claim.overallocated, quantity)
        part = replace(claim, quantity=quantity, overallocated=unbacked, picked=quantity, fulfillment_line=line)
        self._add_claim(self._divide(claim, part))
        self._unsorted.add(claim.order)
        if claim.overallocated:  # the part is the weaker one, also than parts that came off before
            self._stale_levels.add(claim.level)
            self._blame(claim.level, AllocationCause.PICKED, first=False)

    def hand_over(
        self, claim: Held, to_line: LineId, quantity: int, cause: AllocationCause = AllocationCause.EDITED
    ) -> None:
        """Give `quantity` units of a claim, an order's or a cart's, to a line of an order: they stay set aside.

        A claim that goes whole stays the row that it is; otherwise it is divided, and both parts are as old as it was.
        The units without stock behind them go first, as the new part is the weaker of the two. `cause`: why flags move
        where the two orders differ in priority.
        """
        to = self.lines[to_line]
        assert to.item == claim.item, "units of another SKU"
        assert not claim.picked, "units that are picked"
        assert 0 < quantity <= claim.quantity, "more units than the claim has"
        unbacked = min(claim.overallocated, quantity)
        moved = Claim(
            id=claim.id,
            order=to.order,
            line=to_line,
            item=claim.item,
            location=claim.location,
            quantity=quantity,
            overallocated=unbacked,
            priority=self.orders[to.order].priority,
            seniority=claim.seniority,
        )
        if quantity < claim.quantity:
            moved = self._divide(claim, moved)
            self._add_claim(moved)
        else:
            self.claims[claim.id] = moved
            self._claims_of[to.order].append(claim.id)
        self._unsorted.add(to.order)
        self._take_from_line(claim, quantity, unbacked)
        to = self.lines[to_line]
        self.lines[to_line] = replace(
            to, allocated=to.allocated + quantity, overallocated=to.overallocated + unbacked, looked_at=True
        )
        self._stale_levels.add(claim.level)
        self._blame(claim.level, cause, first=False)

    def _take_from_line(self, claim: Held, quantity: int, unbacked: int) -> None:
        """The claim's line has so many units less, where it is a line of an order."""
        if isinstance(claim, Claim):
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(
                line, allocated=line.allocated - quantity, overallocated=line.overallocated - unbacked
            )

    def _divide(self, claim: Held, part: Claim) -> Claim:
        """The part under an id of its own; the claim keeps the rest."""
        self.claims[claim.id] = replace(
            claim,
            quantity=claim.quantity - part.quantity,
            overallocated=claim.overallocated - part.overallocated,
            picked=claim.picked - part.picked,
        )
        part = replace(part, id=AllocationId(NEW_CLAIM + len(self._made.new_claims)), seniority=age(claim)[0])
        self._made.new_claims.append(part)
        row = self._row_of(claim)
        if row in self._claims_before:
            self._divided[part.id] = row
        return part

    def _row_of(self, claim: Held) -> AllocationId:
        """The row in which the units were before this batch."""
        return self._divided.get(claim.id, claim.id)

    def _add_claim(self, claim: Held) -> None:
        self.claims[claim.id] = claim
        if isinstance(claim, Claim):
            self._claims_of[claim.order].append(claim.id)
        elif isinstance(claim, CartClaim):
            self._claims_of_carts[claim.reservation].append(claim.id)
        self._claims_at[claim.level].append(claim.id)

    # ------------------------------------------------------------------ settling

    def unsettled(self) -> dict[LevelKey, int]:
        """Levels whose flags must be set anew, each with how many units of its weakest claims must be known for it.

        The claims of the batch's own orders are known, and may have moved among the weakest: their units come on top.
        """
        if not self._stale_levels:
            return {}
        needed: Counter[LevelKey] = Counter()
        for key in self._stale_levels:
            before, level = self._levels_before.get(key), self.levels[key]
            needed[key] = max(before.flagged if before else 0, level.flagged, level.overallocated)
        needed = +needed
        if needed:
            for claim in self._claims_before.values():
                if claim.level in needed:
                    needed[claim.level] += claim.quantity
        return dict(needed)

    def settle(self) -> None:
        """Set the flags of these levels anew. The contenders of `unsettled` must have been learnt."""
        for key in self.unsettled():
            level = self.levels[key]
            claims = [self.claims[claim] for claim in self._claims_at[key] if claim in self.claims]
            flagged = flags(claims, level.overallocated)
            assert sum(flagged.values()) == level.overallocated, "the weakest claims were not loaded"
            for claim in claims:
                self._flag(claim, flagged.get(claim.id, 0))
            self.levels[key] = replace(level, flagged=level.overallocated)
        self._stale_levels.clear()
        self._fulfill()

    def _fulfill(self) -> None:
        """An order of which everything was delivered is fulfilled."""
        for order_id in self._fulfilling:
            order, status = self.orders[order_id], self.fulfillment_status_of(order_id)
            if order.status is OrderStatus.FINALIZED and status is FulfillmentStatus.DELIVERED:
                fulfilled = replace(order, status=OrderStatus.FULFILLED)
                self.change_order(fulfilled, OrderChange.FULFILLED, actor=self._who_moved_goods(order_id))

    def _who_moved_goods(self, order: OrderId) -> str:
        """The last who moved a fulfillment of the order in this batch, or else changed the order."""
        changes = self._changes_of.get(order, {})
        return self.floor.who_moved_last(order) or next(reversed(changes.values()), self.actor)

    def _flag(self, claim: Held, overallocated: int) -> None:
        change = overallocated - claim.overallocated
        if change:
            self.claims[claim.id] = replace(claim, overallocated=overallocated)
        if change and isinstance(claim, Claim):
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(line, overallocated=line.overallocated + change)
            if claim.order not in self._order_causes:
                self._order_causes[claim.order] = self._level_causes.get(claim.level, AllocationCause.OTHER)
                self._order_actors[claim.order] = self._level_actors.get(claim.level, self.actor)

    # ------------------------------------------------------------------ changes

    def changes(self) -> Changes:
        """What the transaction writes. Call it once, after the contenders of `unsettled` were learnt."""
        self.settle()
        made = self._made
        self._number_new_claims()
        made.changed_claims = [
            self.claims[claim.id]
            for claim in self._claims_before.values()
            if claim.id in self.claims and self._differs(claim)
        ]
        made.ended_claims = [ended for ended in made.ended_claims if ended.allocation in self._claims_before]
        made.gone_claims = [claim for claim in self._claims_before if claim not in self.claims]
        made.placed_lines = [replace(placed, line=self.lines[placed.line.id]) for placed in made.placed_lines]
        for line in self._lines_before.values():
            now = self.lines[line.id]
            if now is not line:
                made.lines.append(now)
                if _is_resized(line, now):
                    made.resized_lines.add(line.id)
        self._version_floor()
        self._version_returns()
        self._balance()
        self._version_orders()
        self._version_levels()
        self._version_supplies()
        return made

    def _differs(self, before: Held) -> bool:
        """A claim's priority is its order's, and is not written with it."""
        now = self.claims[before.id]
        return now is not before and replace(now, priority=before.priority) != before

    def _number_new_claims(self) -> None:
        """New claims get their ids in the sequence of their age: so a part of a new claim comes right after it."""
        made = self._made
        new = sorted((self.claims[claim.id] for claim in made.new_claims if claim.id in self.claims), key=age)
        made.new_claims = [
            claim if claim.seniority is None else replace(claim, seniority=None)
            for claim in new
            if claim.id not in self._divided
        ]
        made.divided_claims = [
            DividedClaim(allocation=self._divided[claim.id], claim=claim) for claim in new if claim.id in self._divided
        ]

    def _balance(self) -> None:
        """Compute anew whether the orders whose amounts may have moved are paid, and what follows from that."""
        made, books = self._made, self._books
        for order_id, actor in self._repriced.items():
            if order_id not in books:
                continue  # nobody who writes leaves one unaccounted; see `services.recording`
            lines = self.lines_of(order_id)
            for line in lines:
                before = self._lines_before.get(line.id)
                if before:
                    books.resize(before, line)
            before_status, status = books.settle(order_id, lines)
            if status is not before_status:
                made.payment_statuses[order_id] = status
                if status is PaymentStatus.PAID:
                    self._lift(order_id, HoldReason.AWAITING_PAYMENT, actor)
            if self.orders[order_id].status is OrderStatus.VOID:
                for reason in sorted(books.of(order_id).holds):
                    self._lift(order_id, reason, actor)
        made.payments, made.currencies, made.repriced_lines = books.payments, books.currencies, books.repriced
        made.new_holds, made.ended_holds = books.new_holds, books.ended_holds

    def _version_orders(self) -> None:
        made = self._made
        holds = _holds_by_order(made)
        touched: defaultdict[OrderId, list[OrderLine]] = defaultdict(list)
        for line in made.lines:
            touched[line.order].append(line)
        for placed in made.placed_lines:
            touched[placed.line.order].append(placed.line)
        for order_id in dict.fromkeys((*touched, *self._changes_of)):
            before = self._orders_before.get(order_id)
            status = self.status_of(order_id)
            order = _versioned(self.orders[order_id], status, before.version + 1 if before else 1)
            self.orders[order_id] = order
            if before:
                made.orders.append(order)
            lines = touched[order_id] or self.lines_of(order_id)
            made.events.extend(self._order_events(order, before, lines, *holds.get(order_id, NO_HOLDS)))
        made.placed = [(self.orders[order.id], new) for order, new in made.placed]
        made.schedules = {
            order: every for order, every in made.schedules.items() if can_be_scheduled(self.orders[order])
        }

    def _order_events(
        self,
        order: Order,
        before: Order | None,
        lines: Sequence[OrderLine],
        holds_placed: Sequence[HoldReason],
        holds_ended: Sequence[HoldReason],
    ) -> Iterator[Event]:
        held = self._locations_before[order.id] | {claim.location for claim in self.claims_of(order.id)}
        locations = tuple(sorted(self.locations[location].code for location in held))
        skus = tuple(dict.fromkeys(line.sku for line in lines))
        changes = self._changes_of[order.id]
        allocated_by = self._order_actors.get(order.id) or next(reversed(changes.values()), self.actor)
        was = before.allocation_status if before else AllocationStatus.UNALLOCATED
        if not changes or any(self._allocation_moved(line) for line in lines):
            changes[OrderChange.ALLOCATIONS_CHANGED] = allocated_by
        sequence = tuple(change for change in CHANGES if change in changes)
        yield OrderChanged(
            order_id=order.id,
            order_number=order.number,
            channel_code=order.channel,
            order_version=order.version,
            skus=skus,
            locations=locations,
            changes=sequence,
            actors=tuple(changes[change] for change in sequence),
            holds_placed=tuple(holds_placed),
            holds_ended=tuple(holds_ended),
        )
        if was is not order.allocation_status:
            yield AllocationStatusChanged(
                order_id=order.id,
                order_number=order.number,
                channel_code=order.channel,
                order_version=order.version,
                skus=skus,
                locations=locations,
                before=was,
                after=order.allocation_status,
                cause=self._order_causes.get(order.id, AllocationCause.OTHER),
                actor=allocated_by,
            )

    def _allocation_moved(self, line: OrderLine) -> bool:
        """Whether what is set aside for the line changed, or a run looked at it."""
        before = self._lines_before.get(line.id)
        if before is None:
            return line.allocated > 0 or line.looked_at
        moved = (before.allocated, before.overallocated) != (line.allocated, line.overallocated)
        return moved or (line.looked_at and not before.looked_at)

    def _version_levels(self) -> None:
        for key, level in self.levels.items():
            before = self._levels_before.get(key)
            if level is before or level == before:
                continue
            level = _moved(level, level.committed, before.version + 1 if before else 1)
            (self._made.changed_levels if before else self._made.new_levels).append(level)
            if level.available > (before.available if before else 0) and self._level_causes.get(key) in REPLENISHING:
                self._made.replenished.add(level.item)
            self._made.events.append(
                StockLevelChanged(
                    sku=self.skus[level.item],
                    location_code=self.locations[level.location].code,
                    version=level.version,
                    on_hand=level.on_hand,
                    committed=level.committed,
                    unavailable=level.unavailable,
                    available=level.available,
                    overallocated=level.overallocated,
                )
            )

    def _version_floor(self) -> None:
        """Every change of a fulfillment is a change of its order."""
        made = self._made
        floor = self.floor.changes()
        if not self.floor.fulfillments and not floor.bins:
            return
        made.floor = floor
        changed = [*floor.fulfillments, *((None, one) for one in floor.new_fulfillments)]
        for before, fulfillment in changed:
            self.note(fulfillment.order, OrderChange.FULFILLMENT_CHANGED, self.floor.who_moved(fulfillment.id))
            made.events.append(self._fulfillment_event(fulfillment, before))
        for order in {fulfillment.order for fulfillment in self.floor.fulfillments.values()}:
            status = self.fulfillment_status_of(order)
            if status is not self._fulfilling.get(order, FulfillmentStatus.NOT_RELEASED):
                made.fulfillment_statuses[order] = status
                self.note(order, OrderChange.FULFILLMENT_CHANGED, self._who_moved_goods(order))
        tasks: defaultdict[tuple[LocationId, str], list[PickTask]] = defaultdict(list)
        for task in (*floor.new_tasks, *floor.tasks):
            tasks[task.location, self.floor.who_moved_task(task.id)].append(task)
        made.events += [self._tasks_event(location, actor, theirs) for (location, actor), theirs in tasks.items()]

    def _fulfillment_event(self, fulfillment: Fulfillment, before: Fulfillment | None) -> FulfillmentChanged:
        order, code = self.orders[fulfillment.order], self.locations[fulfillment.location].code
        return FulfillmentChanged(
            order_id=order.id,
            order_number=order.number,
            channel_code=order.channel,
            fulfillment_id=fulfillment.id,
            fulfillment_version=fulfillment.version,
            location_code=code,
            before=before.state if before else None,
            after=fulfillment.state,
            skus=tuple(dict.fromkeys(self.lines[line.line].sku for line in fulfillment.lines)),
            locations=(code,),
            carrier=fulfillment.shipping.carrier,
            tracking_number=fulfillment.shipping.tracking_number,
            estimated_ship_at=fulfillment.estimated_ship_at,
            estimated_delivery_at=fulfillment.estimated_delivery_at,
            actor=self.floor.who_moved(fulfillment.id),
            tracking_status=fulfillment.tracking_status,
        )

    def _tasks_event(self, location: LocationId, actor: str, tasks: Sequence[PickTask]) -> PickTasksChanged:
        code = self.locations[location].code
        return PickTasksChanged(
            location_code=code,
            task_ids=tuple(task.id for task in tasks),
            skus=tuple(dict.fromkeys(self.skus[task.item] for task in tasks)),
            locations=(code,),
            actor=actor,
        )

    def _version_returns(self) -> None:
        """Every change of a return is a change of its order."""
        made = self._made
        for one in list(self.returns.values()):
            before = self._returns_before.get(one.id)
            if one == before:
                continue
            self.returns[one.id] = one = replace(one, version=before.version + 1 if before else 1)
            (made.changed_returns if before else made.new_returns).append(one)
            self.note(one.order, OrderChange.RETURN_CHANGED, made.return_actors.get(one.id))
            made.events.append(self._return_event(one, before))

    def _return_event(self, one: Return, before: Return | None) -> ReturnChanged:
        order, code = self.orders[one.order], self.locations[one.location].code
        places = {place: self.locations[place].code for place in (one.location, before and before.location) if place}
        return ReturnChanged(
            order_id=order.id,
            order_number=order.number,
            channel_code=order.channel,
            return_id=one.id,
            return_version=one.version,
            location_code=code,
            before=before.state if before else None,
            after=one.state,
            skus=tuple(dict.fromkeys(self.lines[line.line].sku for line in one.lines)),
            locations=tuple(dict.fromkeys(places.values())),
            requested=sum(line.quantity - line.canceled for line in one.lines),
            received=sum(line.received for line in one.lines),
            resold=sum(line.resold for line in one.lines),
            quarantined=sum(line.quarantined for line in one.lines),
            discarded=sum(line.discarded for line in one.lines),
            actor=self._made.return_actors[one.id],
        )

    def _version_supplies(self) -> None:
        made = self._made
        for supply in list(self.supplies.values()):
            before = self._supplies_before.get(supply.id)
            if supply is before:
                continue
            supply = replace(supply, version=before.version + 1 if before else 1)
            (made.changed_supplies if before else made.new_supplies).append(supply)
            if before:
                pairs = zip(before.lines, supply.lines, strict=True)
                made.changed_supply_lines += [(supply.id, line) for was, line in pairs if line != was]
            made.events.append(self._supply_event(supply, before))

    def _supply_event(self, supply: Supply, before: Supply | None) -> SupplyChanged:
        places = [place for place in (supply.location, supply.from_location) if place is not None]
        return SupplyChanged(
            supply_id=supply.id,
            supply_version=supply.version,
            reference=supply.reference,
            kind=supply.kind,
            state=supply.state,
            location_code=self.locations[supply.location].code,
            skus=tuple(self.skus[line.item] for line in supply.lines),
            locations=tuple(self.locations[place].code for place in places),
            expected_at=supply.expected_at,
            expected_at_before=before.expected_at if before else None,
        )


NO_HOLDS: tuple[tuple[HoldReason, ...], tuple[HoldReason, ...]] = ((), ())


def _holds_by_order(made: Changes) -> dict[OrderId, tuple[list[HoldReason], list[HoldReason]]]:
    """For which reasons orders are held since this commit, and no longer."""
    found: defaultdict[OrderId, tuple[list[HoldReason], list[HoldReason]]] = defaultdict(lambda: ([], []))
    for placed in made.new_holds:
        found[placed.order][0].append(placed.reason)
        if placed.released_by is not None:
            found[placed.order][1].append(placed.reason)
    for ended in made.ended_holds:
        found[ended.order][1].append(ended.reason)
    return dict(found)


def can_be_scheduled(order: Order) -> bool:
    """Whether a schedule may still be waiting for the order: nobody has looked at it."""
    return order.status in ALLOCATABLE and order.allocation_status is AllocationStatus.UNALLOCATED


def _is_resized(before: OrderLine, now: OrderLine) -> bool:
    return (
        before.quantity != now.quantity
        or before.shipped != now.shipped
        or before.canceled != now.canceled
        or before.dropshipped != now.dropshipped
    )


# These are made for every order, line and level of a batch, and `replace` takes twice as long.


def _versioned(order: Order, status: AllocationStatus | None, version: int) -> Order:
    """The order with this allocation status and version."""
    return Order(
        id=order.id,
        number=order.number,
        channel=order.channel,
        status=order.status,
        allocation_status=status,
        shipping_policy=order.shipping_policy,
        priority=order.priority,
        version=version,
    )


def _served(line: OrderLine, units: int) -> OrderLine:
    """The line with so many units more set aside in a run."""
    return OrderLine(
        id=line.id,
        order=line.order,
        item=line.item,
        sku=line.sku,
        quantity=line.quantity,
        allocated=line.allocated + units,
        overallocated=line.overallocated,
        shipped=line.shipped,
        canceled=line.canceled,
        dropshipped=line.dropshipped,
        looked_at=True,
        bundle=line.bundle,
        bundle_units=line.bundle_units,
    )


def _moved(level: StockLevel, committed: int, version: int) -> StockLevel:
    """The level with another `committed` or version."""
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
