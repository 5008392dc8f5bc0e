"""One transaction's working copy: facts that were read under the locks go in, operations move them, changes come out.

Operations (`domain.allocating`, `domain.ordering`, `domain.stocking`) use the moves of `Batch`. Whatever they do,
`changes` recomputes the flags of every level and the status of every order that was touched, and makes one version and
its events for each (`domain.deriving`): so a status can not change without its event, and a claim can not lose its
stock unnoticed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from domain.books import Books
from domain.bundles import Bundle
from domain.changes import Changes, Facts, NewTrackingEvent, PlacedLine
from domain.claim_moves import ClaimMoves
from domain.deriving import (
    note_claims,
    note_lines,
    version_floor,
    version_levels,
    version_orders,
    version_returns,
    version_supplies,
)
from domain.events import Event
from domain.ids import LineId, LocationId, OrderId
from domain.kinds import (
    AllocationCause,
    FulfillmentStatus,
    HoldReason,
    OrderChange,
    OrderStatus,
    PaymentKind,
    PaymentStatus,
)
from domain.orders import NewOrder, Order, OrderLine, OrderTerms, Payment
from domain.payments import LineMoney, NewHold, Standing, Totals
from domain.returns import Inspection, NewFollowUp, Return
from domain.supply import Supply


class Batch(ClaimMoves):
    """The working copy with all its moves, those of orders, their money and their holds among them."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        super().__init__(facts, actor=actor, request=request)
        self._books = Books()
        self._repriced: dict[OrderId, str] = {}

    # ------------------------------------------------------------------ payments and holds

    def unaccounted(self) -> list[OrderId]:
        """Orders that may owe another amount now, and whose standing is not known yet."""
        return [order for order in self._repriced if order not in self._books] if self._repriced else []

    def account(self, standings: Mapping[OrderId, Standing]) -> None:
        """Learn where orders stand, as it was before this batch."""
        self._books.learn(standings)
        for order in standings:
            terms = self.made.terms.get(order)
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
        self.made.schedules.pop(order, None)
        self.made.unscheduled.append(order)

    # ------------------------------------------------------------------ moves

    def place(self, order: Order, new: NewOrder, lines: Iterable[PlacedLine]) -> None:
        """Add an order that was not there before."""
        self.orders[order.id] = order
        self._numbers[order.channel, order.number] = order.id
        self.made.placed.append((order, new))
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
        if line.order in self.orders_before:
            self._repriced[line.order] = self.actor
        self.made.placed_lines.append(placed)

    def add_bundle(self, bundle: Bundle) -> None:
        """What is bought as one; the lines of its components are added by themselves."""
        self._new_bundles[bundle.id] = bundle
        self.made.new_bundles.append(bundle)

    def change_order(
        self, order: Order, change: OrderChange, terms: OrderTerms | None = None, actor: str | None = None
    ) -> None:
        before = self.orders[order.id]
        self.orders[order.id] = order
        if terms is not None:
            self.made.terms[order.id] = terms
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
            self.made.asked_at[order] = locations

    def split_off(self, order: OrderId, part: OrderId) -> None:
        """The part is an order that was placed in this batch; what went to it has been moved."""
        self.made.split_from[part] = order
        self.note(order, OrderChange.SPLIT)
        self.explain(order, AllocationCause.SPLIT)
        self.explain(part, AllocationCause.SPLIT)

    def void(self, order: Order, reason: str) -> None:
        self.made.void_reasons[order.id] = reason
        self._repriced[order.id] = self.actor
        self.change_order(order, OrderChange.VOIDED)

    def schedule(self, order: OrderId, minutes: int) -> None:
        """Let the order be allocated at the next multiple of so many minutes, unless a run looks at it before."""
        self.made.schedules[order] = minutes

    def explain(self, order: OrderId, cause: AllocationCause) -> None:
        """If the order's allocation status moves in this commit, this is why."""
        self.order_causes[order] = cause
        self.order_actors[order] = self.actor

    def change_line(self, line: OrderLine) -> None:
        before = self.lines[line.id]
        if (before.quantity, before.canceled) != (line.quantity, line.canceled):
            self._repriced[line.order] = self.actor
        self.lines[line.id] = line

    def finalize(self, order: Order) -> None:
        """The draft is confirmed."""
        self.made.finalized.append(order.id)
        self.change_order(order, OrderChange.FINALIZED)

    def track(self, event: NewTrackingEvent) -> None:
        """A carrier has said something; what follows from it, follows."""
        self.made.tracking.append(event)

    def tell(self, event: Event) -> None:
        """Something happened that is no change of a row of ours."""
        self.made.events.append(event)

    def change_supply(self, supply: Supply) -> None:
        """Add or replace a supply. It is the caller who moves the stock."""
        self.supplies[supply.id] = supply

    def change_return(self, one: Return) -> None:
        """Add or replace a return. It is the caller who moves the stock."""
        self.returns[one.id] = one
        self.made.return_actors[one.id] = self.actor

    def note_inspection(self, inspection: Inspection) -> None:
        """Somebody has said what becomes of units that came back."""
        self.made.inspections.append(inspection)

    def note_follow_up(self, follow_up: NewFollowUp) -> None:
        """Something was heard of a customer."""
        self.made.follow_ups.append(follow_up)

    # ------------------------------------------------------------------ settling

    def settle(self) -> None:
        """Set the flags of these levels anew. The contenders of `unsettled` must have been learnt."""
        self._settle_flags()
        self._fulfill()
        self._hold_nothing_that_is_void()

    def _fulfill(self) -> None:
        """An order of which everything was delivered is fulfilled."""
        for order_id in self.fulfilling_before:
            order, status = self.orders[order_id], self.fulfillment_status_of(order_id)
            if order.status is OrderStatus.FINALIZED and status is FulfillmentStatus.DELIVERED:
                fulfilled = replace(order, status=OrderStatus.FULFILLED)
                self.change_order(fulfilled, OrderChange.FULFILLED, actor=self.who_moved_goods(order_id))

    def _hold_nothing_that_is_void(self) -> None:
        """Whoever comes next in this batch finds no hold of an order that has been voided."""
        for order_id in self.made.void_reasons:
            for reason in sorted(self._books.of(order_id).holds) if order_id in self._books else ():
                self._lift(order_id, reason, self._repriced[order_id])

    def _balance(self) -> None:
        """Compute anew whether the orders whose amounts may have moved are paid, and what follows from that."""
        made, books = self.made, self._books
        for order_id, actor in self._repriced.items():
            if order_id not in books:
                continue  # nobody who writes leaves one unaccounted; see `services.recording`
            lines = self.lines_of(order_id)
            for line in lines:
                before = self.lines_before.get(line.id)
                if before:
                    books.resize(before, line)
            before_status, status = books.settle(order_id, lines)
            if status is not before_status:
                made.payment_statuses[order_id] = status
                if status is PaymentStatus.PAID:
                    self._lift(order_id, HoldReason.AWAITING_PAYMENT, actor)
        made.payments, made.currencies, made.repriced_lines = books.payments, books.currencies, books.repriced
        made.new_holds, made.ended_holds = books.new_holds, books.ended_holds

    # ------------------------------------------------------------------ changes

    def changes(self) -> Changes:
        """What the transaction writes. Call it once, after the contenders of `unsettled` were learnt."""
        self.settle()
        note_claims(self)
        note_lines(self)
        version_floor(self)
        version_returns(self)
        self._balance()
        version_orders(self)
        version_levels(self)
        version_supplies(self)
        return self.made
