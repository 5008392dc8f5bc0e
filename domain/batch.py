"""One transaction's working copy: facts that were read under the locks go in, operations move them, changes come out.

Operations (`domain.allocating`, `domain.ordering`, `domain.stocking`) use the moves of `Batch`. Whatever they do,
`changes` recomputes the flags of every level and the status of every order that was touched, and makes one version and
its events for each (`domain.deriving`): so a status can not change without its event, and a claim can not lose its
stock unnoticed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from domain.allocation import CartClaim, Claim, Held, Take, age, flags
from domain.books import Books
from domain.bundles import Bundle
from domain.changes import Changes, EndedClaim, Facts, NewTrackingEvent, PlacedLine
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
from domain.ids import AllocationId, FulfillmentLineId, LevelKey, LineId, LocationId, OrderId, ReservedLineId
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    FulfillmentStatus,
    HoldReason,
    MovementCause,
    OrderChange,
    OrderStatus,
    PaymentKind,
    PaymentStatus,
    StockQuantity,
)
from domain.orders import NewOrder, Order, OrderLine, OrderTerms, Payment
from domain.payments import LineMoney, NewHold, Standing, Totals
from domain.reservations import NewReservation, Reservation
from domain.returns import Inspection, NewFollowUp, Return
from domain.stock import Movement, StockCount, StockLevel, with_committed
from domain.supply import Supply
from domain.working_copy import WorkingCopy

NEW_CLAIM = 1 << 62
"""Claims that are not written yet count from here: later than every claim that is."""


class Batch(WorkingCopy):
    """The working copy with its moves, every one of which keeps lines, claims and levels in step."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        super().__init__(facts, actor=actor, request=request)
        self._level_actors: dict[LevelKey, str] = {}
        self._stale_levels: set[LevelKey] = set()
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

    def _blame(self, level: LevelKey, cause: AllocationCause, *, first: bool = True) -> None:
        """If flags move at the level, this is why, and by whom. Not `first`: unless something else is to blame."""
        if first or level not in self.level_causes:
            self.level_causes[level] = cause
            self._level_actors[level] = self.actor

    def change_line(self, line: OrderLine) -> None:
        before = self.lines[line.id]
        if (before.quantity, before.canceled) != (line.quantity, line.canceled):
            self._repriced[line.order] = self.actor
        self.lines[line.id] = line

    def finalize(self, order: Order) -> None:
        """The draft is confirmed."""
        self.made.finalized.append(order.id)
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
        self.made.movements.append(movement)

    def note_count(self, count: StockCount) -> None:
        """Somebody knows what is on hand; a count moves nothing by itself."""
        self.made.counts.append(count)

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

    def take(self, takes: Iterable[Take]) -> None:
        """Set the units aside, in a run: each line and each level is replaced once, whatever the number of takes."""
        per_line: defaultdict[LineId, int] = defaultdict(int)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        new_claims = self.made.new_claims
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
        self.made.new_reservations.append(new)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        for line, item, location, units in takes:
            per_level[item, location] += units
            claim = CartClaim(
                id=AllocationId(NEW_CLAIM + len(self.made.new_claims)),
                reservation=new.reservation.id,
                reserved_line=ReservedLineId(line),
                item=item,
                location=location,
                quantity=units,
            )
            self.made.new_claims.append(claim)
            self._add_claim(claim)
        self._commit(per_level)

    def end_reservation(self, reservation: Reservation) -> None:
        """The reservation has ended as its state says. Nothing may be set aside for it any more."""
        assert not self.claims_of_reservation(reservation.id), "units of a cart that has ended"
        self.reservations[reservation.id] = reservation
        self.made.ended_reservations.append(reservation)

    def _commit(self, per_level: Mapping[LevelKey, int]) -> None:
        """So many units more are set aside at the levels."""
        for key, units in per_level.items():
            level = self.levels[key]
            self.levels[key] = with_committed(level, level.committed + units, level.version)

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
        self.made.ended_claims.append(ended)

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
        part = replace(part, id=AllocationId(NEW_CLAIM + len(self.made.new_claims)), seniority=age(claim)[0])
        self.made.new_claims.append(part)
        row = self._row_of(claim)
        if row in self.claims_before:
            self.divided[part.id] = row
        return part

    def _row_of(self, claim: Held) -> AllocationId:
        """The row in which the units were before this batch."""
        return self.divided.get(claim.id, claim.id)

    # ------------------------------------------------------------------ settling

    def unsettled(self) -> dict[LevelKey, int]:
        """Levels whose flags must be set anew, each with how many units of its weakest claims must be known for it.

        The claims of the batch's own orders are known, and may have moved among the weakest: their units come on top.
        """
        if not self._stale_levels:
            return {}
        needed: Counter[LevelKey] = Counter()
        for key in self._stale_levels:
            before, level = self.levels_before.get(key), self.levels[key]
            needed[key] = max(before.flagged if before else 0, level.flagged, level.overallocated)
        needed = +needed
        if needed:
            for claim in self.claims_before.values():
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
        for order_id in self.fulfilling_before:
            order, status = self.orders[order_id], self.fulfillment_status_of(order_id)
            if order.status is OrderStatus.FINALIZED and status is FulfillmentStatus.DELIVERED:
                fulfilled = replace(order, status=OrderStatus.FULFILLED)
                self.change_order(fulfilled, OrderChange.FULFILLED, actor=self.who_moved_goods(order_id))

    def _flag(self, claim: Held, overallocated: int) -> None:
        change = overallocated - claim.overallocated
        if change:
            self.claims[claim.id] = replace(claim, overallocated=overallocated)
        if change and isinstance(claim, Claim):
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(line, overallocated=line.overallocated + change)
            if claim.order not in self.order_causes:
                self.order_causes[claim.order] = self.level_causes.get(claim.level, AllocationCause.OTHER)
                self.order_actors[claim.order] = self._level_actors.get(claim.level, self.actor)

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
            if self.orders[order_id].status is OrderStatus.VOID:
                for reason in sorted(books.of(order_id).holds):
                    self._lift(order_id, reason, actor)
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


def _served(line: OrderLine, units: int) -> OrderLine:
    """The line with so many units more set aside in a run: made for every line, and `replace` takes twice as long."""
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
