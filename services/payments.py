"""Payments and refunds, what orders come to, and orders that were not paid in time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from domain import holding
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Problems
from domain.errors import CurrencyMismatch, NotFound, RefundExceedsPayments
from domain.ids import KeyId, OrderId
from domain.kinds import HoldReason, PaymentKind
from domain.orders import OrderLine, Payment
from domain.payments import Totals, totals
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.order_input import checked_payment
from services.orders import OrderDone
from services.performing import execute_one
from services.ports.database import Database
from services.ports.orders import OrderReference
from services.ports.unit_of_work import UnitOfWork
from services.references import checked_reference
from services.runs import within_bounds

EXPIRER = Caller(key=KeyId(0), actor="dibs", request="unpaid")
EXPIRED_MAX = 100
"""Orders that expire in one transaction at most."""
EXPIRED_NOTE = "It was not paid in time."


class _PaymentCommand:
    outcome_type: ClassVar[type[OrderDone]] = OrderDone
    kind: ClassVar[PaymentKind]
    order: OrderReference
    payment: Payment

    def needs(self) -> Needs:
        return Needs(orders=(self.order,), standings=True)

    def decide(self, batch: Batch, known: Known) -> OrderDone:
        (order,) = known.orders
        if order is None:
            raise NotFound(references=(str(self.order),))
        standing, amount = batch.standing_of(order), self.payment.amount
        if amount.currency_code != (standing.currency_code or standing.priced_in or amount.currency_code):
            raise CurrencyMismatch(order=order)
        if self.kind is PaymentKind.REFUND and amount.amount > standing.paid - standing.refunded:
            raise RefundExceedsPayments(order=order)
        batch.pay(order, self.kind, self.payment)
        return OrderDone(order=order)

    def conclude(self, outcome: OrderDone, _: Changes) -> OrderDone:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPayment(_PaymentCommand):
    """Write down that an order was paid, in whole or in part. More than it owes may come."""

    mutation: ClassVar[str] = "recordPayment"
    kind: ClassVar[PaymentKind] = PaymentKind.PAYMENT
    order: OrderReference
    payment: Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefund(_PaymentCommand):
    """Write down that money went back."""

    mutation: ClassVar[str] = "recordRefund"
    kind: ClassVar[PaymentKind] = PaymentKind.REFUND
    order: OrderReference
    payment: Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireUnpaidOrders:
    """Give back what is set aside for orders that were not paid in time, and hold them; nobody voids them."""

    mutation: ClassVar[str] = "expireUnpaidOrders"
    outcome_type: ClassVar[type[int]] = int
    orders: tuple[OrderId, ...]

    def needs(self) -> Needs:
        return Needs(orders=tuple(OrderReference(id=order) for order in self.orders), standings=True)

    def decide(self, batch: Batch, known: Known) -> int:
        """One that was paid, held or voided before it was locked is left alone."""
        due = [order for order in known.orders if order is not None and holding.may_expire(batch, order)]
        for order in due:
            holding.expire(batch, order)
            batch.hold(order, HoldReason.AWAITING_PAYMENT, EXPIRED_NOTE)
        return len(due)

    def conclude(self, outcome: int, _: Changes) -> int:
        return outcome


# ---------------------------------------------------------------- what a caller may ask for


async def record_payment(performer: Performer, caller: Caller, command: RecordPayment, key: str) -> OrderDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, CurrencyMismatch."""
    order, payment = _checked(command.order, command.payment)
    return await performer.perform(caller, replace(command, order=order, payment=payment), key)


async def record_refund(performer: Performer, caller: Caller, command: RecordRefund, key: str) -> OrderDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, CurrencyMismatch, RefundExceedsPayments."""
    order, payment = _checked(command.order, command.payment)
    return await performer.perform(caller, replace(command, order=order, payment=payment), key)


async def totals_of(uow: UnitOfWork, orders: Sequence[OrderId]) -> dict[OrderId, Totals]:
    """What the orders come to. The two statements may see another moment each, as all reading may."""
    standings = await uow.payments.standings(orders)
    lines: defaultdict[OrderId, list[OrderLine]] = defaultdict(list)
    for line in await uow.orders.lines_of(orders):
        lines[line.order].append(line)
    return {order: totals(standing, lines[order]) for order, standing in standings.items()}


async def expire_unpaid_orders(database: Database) -> bool:
    """Expire orders that were not paid in time, as many as one transaction takes; whether there were any."""

    async def work(uow: UnitOfWork) -> bool:
        due = await uow.payments.unpaid_in_time(EXPIRED_MAX)
        if not due:
            return False
        orders = tuple(await within_bounds(uow, due))
        return await execute_one(uow, EXPIRER, ExpireUnpaidOrders(orders=orders)) > 0

    return await database.run(work, repeatable=True)


def _checked(order: OrderReference, payment: Payment) -> tuple[OrderReference, Payment]:
    problems = Problems()
    order = checked_reference(problems, order, ("input", "order"))
    payment = checked_payment(problems, payment, ("input",))
    problems.refuse()
    return order, payment
