"""Place, edit, finalize and void orders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from domain import automation, checks, holding, ordering, reserving
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Path, Problems
from domain.errors import CurrencyMismatch, InvalidInput, NotFound, OrderAlreadyPlaced
from domain.ids import OrderId
from domain.kinds import PaymentKind
from domain.money import Money
from domain.ordering import Edit
from domain.orders import ALLOCATABLE, NewLine, NewOrder, OrderTerms, Payment
from services.automation import as_it_is, as_placed
from services.bundles import BundleQuantity, LineChange, LineQuantity, changed_quantities, expanded, unknown_bundles
from services.callers import Caller
from services.commands import Asked, Known, Needs, Performer
from services.holds import held_as_it_is, held_as_placed
from services.order_input import (
    amounts_of_line,
    amounts_of_terms,
    changed_terms,
    check_currency,
    check_new_order,
    checked_line,
    checked_terms,
    merged_terms,
    wire_name,
)
from services.performing import execute
from services.ports.orders import Buyer, OrderReference
from services.ports.reservations import ReservationReference
from services.ports.unit_of_work import UnitOfWork
from services.references import checked_reference

AMOUNTS = ("discounts", "shipping_price", "tax")
"""The terms that are money."""
PAID_ON_ARRIVAL = "channel"
"""The method of a payment that the channel has seen to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDone:
    """The order that a mutation was about."""

    order: OrderId


# ---------------------------------------------------------------- the commands, of input that was checked


class _OrderCommand:
    outcome_type: ClassVar[Any] = OrderDone

    def conclude(self, outcome: OrderDone, _: Changes) -> OrderDone:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(_OrderCommand):
    """Place a new order."""

    mutation: ClassVar[str] = "placeOrder"
    order: NewOrder
    reservation: ReservationReference | None = None

    def needs(self) -> Needs:
        new = self.order
        skus = tuple(line.sku for line in new.lines)
        return Needs(
            numbers=(OrderReference(channel=new.channel, number=new.number),),
            skus=skus,
            reservations=() if self.reservation is None else (self.reservation.id,),
            new_orders=1,
            new_lines=skus,
            buyer=Buyer.of(new.channel, new.terms.customer),
            rules=new.status in ALLOCATABLE,
            locks_skus_under=lambda rules: automation.allocates_at_once(rules, as_placed(new)),
        )

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        new = self.order
        cart = self.reservation
        unknown: list[str] = list(dict.fromkeys(line.sku for line in new.lines if line.sku not in known.items))
        if cart and cart.id not in known.reservations:
            unknown.append(str(cart))
        if unknown:
            raise NotFound(references=tuple(unknown))
        path = ("input", "lines")
        lines, bundles = expanded(known, {(*path, str(at)): line for at, line in enumerate(new.lines)}, path)
        before = known.numbers[0] or batch.order_of_number(new.channel, new.number)
        if before is not None:
            raise OrderAlreadyPlaced(order=before)
        if cart:
            reserving.require_active(batch, cart.id)
        (order,) = known.order_ids
        ordering.place(batch, order, known.line_ids, known.items, replace(new, lines=lines), bundles)
        if cart:
            reserving.take_over(batch, cart.id, order)
        self._pay_on_arrival(batch, order)
        automation.automate(batch, order, known.rules, as_placed(new))
        if known.hold_rules:
            holding.hold_by_rules(batch, order, known.hold_rules, held_as_placed(batch, known, order, new))
        return OrderDone(order=order)

    def _pay_on_arrival(self, batch: Batch, order: OrderId) -> None:
        """What comes confirmed from a channel that has been paid is paid in full."""
        if self.order.channel not in batch.paid_on_arrival or self.order.status not in ALLOCATABLE:
            return
        totals = batch.totals_of(order)
        if totals.due and totals.currency_code:
            amount = Money(amount=totals.due, currency_code=totals.currency_code)
            batch.pay(order, PaymentKind.PAYMENT, Payment(amount=amount, method=PAID_ON_ARRIVAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrder(_OrderCommand):
    """What shall be different. In `terms`, what is absent stays; None clears; customer and shipTo are merged."""

    mutation: ClassVar[str] = "editOrder"
    order: OrderReference
    expected_version: int | None = None
    lines: tuple[LineChange, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def added(self) -> Mapping[Path, NewLine]:
        """The new lines by where they stand in the input."""
        lines = enumerate(self.lines)
        return {("input", "lines", str(at), "add"): line for at, line in lines if isinstance(line, NewLine)}

    def amounts(self) -> Iterator[tuple[Path, Money]]:
        """Every amount that the edit brings, by where it stands in the input."""
        for path, line in self.added.items():
            yield from amounts_of_line(line, path)
        yield from amounts_of_terms(changed_terms(OrderTerms(), self.terms), ("input",))

    def needs(self) -> Needs:
        skus = tuple(line.sku for line in self.added.values())
        return Needs(
            orders=(self.order,),
            skus=skus,
            locks_skus=True,
            new_lines=skus,
            terms=bool(self.terms),
            standings=any(self.amounts()),
            path=("input", "lines"),
        )

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        order = _found(self.order, known)
        added = self.added
        unknown = dict.fromkeys(line.sku for line in added.values() if line.sku not in known.items)
        missing = (*unknown, *unknown_bundles(batch, order, self.lines))
        if missing:
            raise NotFound(references=missing)
        path = ("input", "lines")
        quantities = changed_quantities(batch, order, self.lines, path)
        lines, bundles = expanded(known, added, path, there=len(batch.lines_of(order)))
        ordering.expect_version(batch, order, self.expected_version)
        self._agree_on_currency(batch, order)
        terms = merged_terms(batch.terms_of(order) or known.terms[order], self.terms) if self.terms else None
        edit = Edit(quantities=quantities, added=lines, bundles=bundles, terms=terms)
        ordering.edit(batch, order, edit, known.line_ids, known.items)
        return OrderDone(order=order)

    def _agree_on_currency(self, batch: Batch, order: OrderId) -> None:
        """The first amount of an order that has none says what its currency is. Raises CurrencyMismatch."""
        currency = next((money.currency_code for _, money in self.amounts()), None)
        if currency is None:
            return
        standing = batch.standing_of(order)
        if currency != (standing.currency_code or standing.priced_in or currency):
            raise CurrencyMismatch(order=order)
        if standing.priced_in is None:
            batch.take_currency(order, currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalizeOrder(_OrderCommand):
    """Confirm a draft."""

    mutation: ClassVar[str] = "finalizeOrder"
    order: OrderReference

    def needs(self) -> Needs:
        return Needs(orders=(self.order,), rules=True, views=True)

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        order = _found(self.order, known)
        ordering.finalize(batch, order)
        automation.automate(batch, order, known.rules, as_it_is(batch, known, order))
        if known.hold_rules:
            holding.hold_by_rules(batch, order, known.hold_rules, held_as_it_is(batch, known, order))
        return OrderDone(order=order)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidOrder(_OrderCommand):
    """Cancel an order."""

    mutation: ClassVar[str] = "voidOrder"
    order: OrderReference
    reason: str

    def needs(self) -> Needs:
        return Needs(orders=(self.order,))

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        order = _found(self.order, known)
        ordering.void(batch, order, self.reason)
        return OrderDone(order=order)


def _found(reference: OrderReference, known: Known) -> OrderId:
    (order,) = known.orders
    if order is None:
        raise NotFound(references=(str(reference),))
    return order


# ---------------------------------------------------------------- what a caller may ask for


async def place_order(
    performer: Performer, caller: Caller, new: NewOrder, key: str, *, reservation: ReservationReference | None = None
) -> OrderDone:
    """Place one order, which takes the reservation over if there is one.

    Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderAlreadyPlaced, ReservationEnded.
    """
    command = Place(order=check_new_order(new, ("input",)), reservation=reservation)
    if not caller.visibility.sees_channel(command.order.channel):
        raise NotFound(references=(command.order.channel,))
    if reservation is not None and new.status not in ALLOCATABLE:
        problems = Problems()
        told = "A draft holds no stock: place it without a reservation, or not as a draft."
        problems.add(("input", "reservation"), "NOT_ALLOWED", told)
        problems.refuse()
    return await performer.perform(caller, command, key)


async def place_orders(
    uow: UnitOfWork, caller: Caller, orders: Sequence[NewOrder]
) -> list[OrderDone | InvalidInput | NotFound | OrderAlreadyPlaced]:
    """Place orders that were checked, each with its own outcome, within a transaction that the caller keeps."""
    return await execute(uow, [Asked(caller, Place(order=new), None) for new in orders])


async def edit_order(performer: Performer, caller: Caller, command: EditOrder, key: str) -> OrderDone:
    """Edit lines and terms.

    Raises InvalidInput, IdempotencyKeyReused, NotFound, CurrencyMismatch and the refusals of `ordering.edit`.
    """
    return await performer.perform(caller, _checked_edit(command), key)


async def finalize_order(performer: Performer, caller: Caller, order: OrderReference, key: str) -> OrderDone:
    """Confirm a draft. Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderNotInState."""
    problems = Problems()
    order = checked_reference(problems, order, ("input", "order"))
    problems.refuse()
    return await performer.perform(caller, FinalizeOrder(order=order), key)


async def void_order(performer: Performer, caller: Caller, order: OrderReference, reason: str, key: str) -> OrderDone:
    """Cancel an order. Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderNotInState."""
    problems = Problems()
    reason = problems.text(reason, ("input", "reason"))
    order = checked_reference(problems, order, ("input", "order"))
    problems.refuse()
    return await performer.perform(caller, VoidOrder(order=order, reason=reason), key)


def _checked_edit(command: EditOrder) -> EditOrder:
    problems, path = Problems(), ("input", "lines")
    order = checked_reference(problems, command.order, ("input", "order"))
    problems.size(len(command.lines), path, checks.ORDER_LINES_MAX, least=0)
    problems.distinct((_named(line) for line in command.lines), path, "Each line may stand here once.")
    lines: list[LineChange] = []
    for index, line in enumerate(command.lines):
        at = (*path, str(index))
        if isinstance(line, NewLine):
            lines.append(checked_line(problems, line, (*at, "add")))
        else:
            change = "change" if isinstance(line, LineQuantity) else "changeBundle"
            problems.whole(line.quantity, (*at, change, "quantity"), 0, checks.ORDER_QUANTITY_MAX)
            lines.append(line)
    for name in ("priority", "shipping_policy"):
        if name in command.terms and command.terms[name] is None:
            problems.add(("input", wire_name(name)), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
    terms = dict(command.terms)
    if not problems.found:
        kept = checked_terms(problems, changed_terms(OrderTerms(), terms), ("input",))
        terms |= {name: getattr(kept, name) for name in AMOUNTS if terms.get(name) is not None}
    checked = replace(command, order=order, lines=tuple(lines), terms=terms)
    check_currency(problems, checked.amounts())
    problems.refuse()
    return checked


def _named(change: LineChange) -> tuple[str, int] | None:
    """What is there already and is changed."""
    match change:
        case LineQuantity():
            return "line", change.line
        case BundleQuantity():
            return "bundle", change.bundle
        case _:
            return None
