"""What the orders of a batch cost, what was paid, and what holds them: the part of the working copy that is no stock.

It is loaded only where it matters: an order that is merely allocated has no standing here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, localcontext

from domain.bundles import ComponentLine
from domain.ids import LineId, OrderId
from domain.kinds import HoldReason, PaymentKind, PaymentStatus
from domain.money import EXACT, ZERO, Money
from domain.orders import NewLine, NewOrder, OrderLine, OrderTerms, Payment
from domain.payments import NOTHING_OWED, EndedHold, LineMoney, NewHold, NewPayment, Standing, Totals, totals

INTO = (PaymentKind.PAYMENT, PaymentKind.MOVED_IN)
"""What is paid in."""


class Books:
    """Standings by order, and what is to be written of them."""

    def __init__(self) -> None:
        self._standings: dict[OrderId, Standing] = {}
        self._money_of_lines: dict[LineId, LineMoney] = {}
        self.payments: list[NewPayment] = []
        self.new_holds: list[NewHold] = []
        self.ended_holds: list[EndedHold] = []
        self.repriced: dict[LineId, LineMoney] = {}
        self.currencies: dict[OrderId, str] = {}

    def learn(self, standings: Mapping[OrderId, Standing]) -> None:
        """What is known already stays as it is."""
        for order, standing in standings.items():
            self._standings.setdefault(order, standing)

    def __contains__(self, order: OrderId) -> bool:
        return order in self._standings

    def of(self, order: OrderId) -> Standing:
        """Where the order stands. It must have been learnt, or placed here."""
        return self._standings[order]

    def totals(self, order: OrderId, lines: Iterable[OrderLine]) -> Totals:
        """What the order comes to, with what the batch has changed so far."""
        standing, here = self._standings[order], self._money_of_lines
        lines = list(lines)
        money = {**standing.lines, **{line.id: here[line.id] for line in lines if line.id in here}}
        return totals(replace(standing, lines=money), lines)

    def money_of(self, order: OrderId, line: LineId) -> LineMoney | None:
        return self._money_of_lines.get(line) or self._standings[order].lines.get(line)

    # ------------------------------------------------------------ moves

    def open(self, order: OrderId, new: NewOrder) -> bool:
        """Begin the books of a new order; whether anything of it has a price."""
        currency = new.currency_code
        if currency is None:
            self._standings[order] = NOTHING_OWED
            return False
        self._standings[order] = _agreed(Standing(currency_code=currency), new.terms)
        self.currencies[order] = currency
        return True

    def price(self, line: LineId, new: NewLine) -> None:
        """A new line costs something."""
        price, per = new.unit_price, 1
        if isinstance(new, ComponentLine):
            price, per = new.bundle_price, new.bundle_units
        if price or new.discount or new.tax:
            self._money_of_lines[line] = LineMoney(
                price=_amount(price), per=per, discount=_amount(new.discount), tax=_amount(new.tax)
            )

    def agree(self, order: OrderId, terms: OrderTerms) -> None:
        """The order's own amounts are these from now on."""
        self._standings[order] = _agreed(self._standings[order], terms)

    def take_currency(self, order: OrderId, currency_code: str) -> None:
        """The first amount of an order that had none says what its currency is."""
        standing = self._standings[order]
        if standing.currency_code is None:
            self._standings[order] = replace(standing, currency_code=currency_code)
            self.currencies[order] = currency_code

    def reprice(self, line: LineId, money: LineMoney) -> None:
        """Discount and tax of a line that was there before are these from now on."""
        self._money_of_lines[line] = self.repriced[line] = money

    def pay(self, order: OrderId, kind: PaymentKind, payment: Payment, actor: str, request: str) -> None:
        self.take_currency(order, payment.amount.currency_code)
        standing, amount = self._standings[order], payment.amount.amount
        with localcontext(EXACT):
            if kind is PaymentKind.REFUND:
                standing = replace(standing, refunded=standing.refunded + amount)
            else:
                standing = replace(standing, paid=standing.paid + (amount if kind in INTO else -amount))
        self._standings[order] = standing
        self.payments.append(NewPayment(order=order, kind=kind, payment=payment, actor=actor, request=request))

    def hold(self, hold: NewHold) -> bool:
        """Whether the order was not held for this already."""
        standing = self._standings[hold.order]
        if hold.reason in standing.holds:
            return False
        self._standings[hold.order] = replace(standing, holds=standing.holds | {hold.reason})
        self.new_holds.append(hold)
        return True

    def lift(self, order: OrderId, reason: HoldReason, released_by: str) -> bool:
        """Whether there was such a hold."""
        standing = self._standings[order]
        if reason not in standing.holds:
            return False
        self._standings[order] = replace(standing, holds=standing.holds - {reason})
        for at, new in enumerate(self.new_holds):
            if (new.order, new.reason, new.released_by) == (order, reason, None):
                self.new_holds[at] = replace(new, released_by=released_by)
                return True
        self.ended_holds.append(EndedHold(order=order, reason=reason, released_by=released_by))
        return True

    def resize(self, before: OrderLine, now: OrderLine) -> None:
        """Discount and tax of a line grow and shrink with its quantity, unless somebody has said what they are."""
        currency = self._standings[now.order].currency_code
        money = self.money_of(now.order, now.id)
        if currency and money and before.quantity != now.quantity and now.id not in self.repriced:
            part = money.part(now.quantity, before.quantity, currency)
            if part != money:
                self.reprice(now.id, part)

    def settle(self, order: OrderId, lines: Iterable[OrderLine]) -> tuple[PaymentStatus, PaymentStatus]:
        """The order's payment status as it was, and as it is."""
        before, now = self._standings[order].status, self.totals(order, lines).status
        self._standings[order] = replace(self._standings[order], status=now)
        return before, now


def _agreed(standing: Standing, terms: OrderTerms) -> Standing:
    with localcontext(EXACT):
        discounts = sum((discount.amount.amount for discount in terms.discounts), ZERO)
    return replace(standing, discounts=discounts, shipping=_amount(terms.shipping_price), tax=_amount(terms.tax))


def _amount(money: Money | None) -> Decimal:
    return money.amount if money else ZERO
