"""What an order comes to, what was paid of it, and the one function that computes every payment status. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from domain.ids import LineId, OrderId
from domain.kinds import HoldReason, PaymentKind, PaymentStatus
from domain.money import EXACT, ZERO, rounded
from domain.orders import OrderLine, Payment

UNPAID, PARTIALLY_PAID, PAID, PARTIALLY_REFUNDED, REFUNDED = PaymentStatus

TRANSITIONS: Mapping[PaymentStatus, Mapping[str, tuple[PaymentStatus, ...]]] = {
    UNPAID: {"recordPayment": (PARTIALLY_PAID, PAID)},
    PARTIALLY_PAID: {
        "recordPayment": (PARTIALLY_PAID, PAID),
        "recordRefund": (PARTIALLY_REFUNDED, REFUNDED),
    },
    PAID: {
        "recordPayment": (PAID,),
        "recordRefund": (PAID, PARTIALLY_REFUNDED, REFUNDED),
    },
    PARTIALLY_REFUNDED: {
        "recordPayment": (PAID, PARTIALLY_REFUNDED),
        "recordRefund": (PARTIALLY_REFUNDED, REFUNDED),
    },
    REFUNDED: {"recordPayment": (PAID, PARTIALLY_REFUNDED)},
}
"""`payment_status`: from where, by which operation, to where; the amounts decide between the targets.

An order that owes nothing is PAID without a payment, and has nothing to refund either. What changes the total
(`editOrder`, `voidOrder`, `splitOrder`) has the status computed anew.
"""

EXPIRING = (UNPAID, PARTIALLY_PAID)
"""Not paid in full, and nothing went back: these expire."""


def payment_status(total: Decimal, paid: Decimal, refunded: Decimal) -> PaymentStatus:
    """The payment status of an order that comes to `total`, of which so much was paid, and so much of that went back.

    What went back from what was paid too much leaves the order PAID, as long as there is something to pay for.
    """
    kept = paid - refunded
    if refunded and not kept:
        return REFUNDED
    if refunded and not kept >= total > 0:
        return PARTIALLY_REFUNDED
    if kept >= total:
        return PAID
    return PARTIALLY_PAID if kept else UNPAID


# ---------------------------------------------------------------- what an order comes to


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMoney:
    """`per` units of the line cost `price`; discount and tax are those of its whole quantity."""

    price: Decimal = ZERO
    per: int = 1
    discount: Decimal = ZERO
    tax: Decimal = ZERO

    def part(self, units: int, quantity: int, currency_code: str) -> "LineMoney":
        """The money of so many units of the line's quantity, to what can be paid."""
        return LineMoney(
            price=self.price,
            per=self.per,
            discount=_share(self.discount, units, quantity, currency_code),
            tax=_share(self.tax, units, quantity, currency_code),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an order stands: what it costs, what was paid, and why it may not be released.

    `lines`: those that cost something. `discounts`, `shipping` and `tax`: those of the order itself. `status`: as it is
    stored. `currency_code` None: it owes nothing, since nothing of it has a price; or it is from before payments were
    known, and has prices in the currency `priced_in` that do not count until a payment is recorded.
    """

    currency_code: str | None = None
    priced_in: str | None = None
    lines: Mapping[LineId, LineMoney] = field(default_factory=dict)
    discounts: Decimal = ZERO
    shipping: Decimal = ZERO
    tax: Decimal = ZERO
    paid: Decimal = ZERO
    refunded: Decimal = ZERO
    status: PaymentStatus = PAID
    holds: frozenset[HoldReason] = frozenset()


NOTHING_OWED = Standing()
"""An order that has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What an order comes to, in its currency; canceled units cost nothing."""

    currency_code: str | None
    lines: Decimal = ZERO
    discounts: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal = ZERO
    paid: Decimal = ZERO
    refunded: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """What is to be paid in all; never less than nothing."""
        with localcontext(EXACT):
            return max(ZERO, self.lines - self.discounts + self.tax + self.shipping)

    @property
    def kept(self) -> Decimal:
        """What was paid and did not go back."""
        with localcontext(EXACT):
            return self.paid - self.refunded

    @property
    def due(self) -> Decimal:
        """What is still to be paid."""
        with localcontext(EXACT):
            return max(ZERO, self.total - self.kept)

    @property
    def status(self) -> PaymentStatus:
        return payment_status(self.total, self.paid, self.refunded)


def totals(standing: Standing, lines: Iterable[OrderLine]) -> Totals:
    """What the order of these lines comes to. What is the order's own is due for as long as any unit is."""
    currency = standing.currency_code
    if currency is None:
        return Totals(currency_code=None, paid=standing.paid, refunded=standing.refunded)
    value = discounts = tax = ZERO
    anything = False
    with localcontext(EXACT):
        for line in lines:
            units = line.quantity - line.canceled
            anything = anything or units > 0
            money = standing.lines.get(line.id)
            if money and units:
                value += rounded(money.price * units / money.per, currency)
                discounts += _share(money.discount, units, line.quantity, currency)
                tax += _share(money.tax, units, line.quantity, currency)
        own = standing if anything else NOTHING_OWED
        return Totals(
            currency_code=currency,
            lines=value,
            discounts=discounts + own.discounts,
            tax=tax + own.tax,
            shipping=own.shipping,
            paid=standing.paid,
            refunded=standing.refunded,
        )


def _share(amount: Decimal, units: int, quantity: int, currency_code: str) -> Decimal:
    if not amount or units == quantity:
        return amount
    with localcontext(EXACT):
        return rounded(amount * units / quantity, currency_code)


# ---------------------------------------------------------------- what a batch writes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment that has no id yet, with who says so."""

    order: OrderId
    kind: PaymentKind
    payment: Payment
    actor: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """A hold that has no id yet. `released_by`: who lifted it, if that was in the same commit."""

    order: OrderId
    reason: HoldReason
    note: str | None
    placed_by: str
    rule: str | None = None
    released_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedHold:
    """A hold that was there before and is lifted."""

    order: OrderId
    reason: HoldReason
    released_by: str
