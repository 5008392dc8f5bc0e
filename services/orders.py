"""Place, edit, finalize and void orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from domain import automation, checks, ordering, reserving
from domain.batch import Batch, Changes
from domain.checks import Problems
from domain.errors import NotFound, OrderAlreadyPlaced
from domain.ids import LineId, OrderId
from domain.ordering import Edit
from domain.orders import ALLOCATABLE, NewLine, NewOrder, OrderTerms
from services.automation import as_it_is, as_placed
from services.callers import Caller
from services.order_input import changed_terms, check_new_order, checked_line, checked_terms, merged_terms, wire_name
from services.performing import Asked, Known, Needs, Performer, execute
from services.ports import OrderReference, ReservationReference, UnitOfWork
from services.references import checked_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDone:
    """The order that a mutation was about."""

    order: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuantity:
    """The new quantity of a line; 0 cancels it."""

    line: LineId
    quantity: int


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
        return Needs(
            numbers=(OrderReference(channel=new.channel, number=new.number),),
            skus=tuple(line.sku for line in new.lines),
            reservations=() if self.reservation is None else (self.reservation.id,),
            new_orders=1,
            new_lines=len(new.lines),
            rules=new.status in ALLOCATABLE,
            locks_skus_under=lambda rules: automation.allocates_at_once(rules, as_placed(new)),
        )

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        new = self.order
        cart = self.reservation
        unknown: list[str] = list(dict.fromkeys(line.sku for line in new.lines if line.sku not in known.items))
        if cart and cart.id not in batch.reservations:
            unknown.append(str(cart))
        if unknown:
            raise NotFound(references=tuple(unknown))
        before = known.numbers[0] or batch.order_of_number(new.channel, new.number)
        if before is not None:
            raise OrderAlreadyPlaced(order=before)
        if cart:
            reserving.require_active(batch, cart.id)
        (order,) = known.order_ids
        ordering.place(batch, order, known.line_ids, known.items, new)
        if cart:
            reserving.take_over(batch, cart.id, order)
        automation.automate(batch, order, known.rules, as_placed(new))
        return OrderDone(order=order)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrder(_OrderCommand):
    """What shall be different. In `terms`, what is absent stays; None clears; customer and shipTo are merged."""

    mutation: ClassVar[str] = "editOrder"
    order: OrderReference
    expected_version: int | None = None
    lines: tuple[LineQuantity | NewLine, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def added(self) -> tuple[NewLine, ...]:
        return tuple(line for line in self.lines if isinstance(line, NewLine))

    def needs(self) -> Needs:
        added = self.added
        return Needs(
            orders=(self.order,),
            skus=tuple(line.sku for line in added),
            locks_skus=True,
            new_lines=len(added),
            terms=bool(self.terms),
            path=("input", "lines"),
        )

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        order = _found(self.order, known)
        unknown = dict.fromkeys(line.sku for line in self.added if line.sku not in known.items)
        if unknown:
            raise NotFound(references=tuple(unknown))
        _require_room(batch, order, len(self.added))
        ordering.expect_version(batch, order, self.expected_version)
        quantities = tuple((line.line, line.quantity) for line in self.lines if isinstance(line, LineQuantity))
        terms = merged_terms(batch.terms_of(order) or known.terms[order], self.terms) if self.terms else None
        edit = Edit(quantities=quantities, added=self.added, terms=terms)
        ordering.edit(batch, order, edit, known.line_ids, known.items)
        return OrderDone(order=order)


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


def _require_room(batch: Batch, order: OrderId, added: int) -> None:
    if len(batch.lines_of(order)) + added > checks.ORDER_LINES_MAX:
        problems = Problems()
        problems.add(("input", "lines"), "TOO_MANY", f"An order has at most {checks.ORDER_LINES_MAX:,} lines.")
        problems.refuse()


# ---------------------------------------------------------------- what a caller may ask for


async def place_order(
    performer: Performer, caller: Caller, new: NewOrder, key: str, *, reservation: ReservationReference | None = None
) -> OrderDone:
    """Place one order, which takes the reservation over if there is one.

    Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderAlreadyPlaced, ReservationEnded.
    """
    command = Place(order=check_new_order(new, ("input",)), reservation=reservation)
    if reservation is not None and new.status not in ALLOCATABLE:
        problems = Problems()
        told = "A draft holds no stock: place it without a reservation, or not as a draft."
        problems.add(("input", "reservation"), "NOT_ALLOWED", told)
        problems.refuse()
    return await performer.perform(caller, command, key)


async def place_orders(
    uow: UnitOfWork, caller: Caller, orders: Sequence[NewOrder]
) -> list[OrderDone | NotFound | OrderAlreadyPlaced]:
    """Place orders that were checked, each with its own outcome, within a transaction that the caller keeps."""
    return await execute(uow, [Asked(caller, Place(order=new), None) for new in orders])


async def edit_order(performer: Performer, caller: Caller, command: EditOrder, key: str) -> OrderDone:
    """Edit lines and terms. Raises InvalidInput, IdempotencyKeyReused, NotFound and the refusals of `ordering.edit`."""
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
    named = [line.line if isinstance(line, LineQuantity) else None for line in command.lines]
    problems.distinct(named, path, "Each line may stand here once.")
    lines: list[LineQuantity | NewLine] = []
    for index, line in enumerate(command.lines):
        at = (*path, str(index))
        if isinstance(line, NewLine):
            lines.append(checked_line(problems, line, (*at, "add")))
        else:
            problems.whole(line.quantity, (*at, "change", "quantity"), 0, checks.ORDER_QUANTITY_MAX)
            lines.append(line)
    for name in ("priority", "shipping_policy"):
        if name in command.terms and command.terms[name] is None:
            problems.add(("input", wire_name(name)), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
    if not problems.found:
        checked_terms(problems, changed_terms(OrderTerms(), command.terms), ("input",))
    problems.refuse()
    return replace(command, order=order, lines=tuple(lines))
