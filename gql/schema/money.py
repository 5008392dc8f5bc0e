"""Money, and what an order comes to."""

from datetime import datetime
from decimal import Decimal

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import kinds, money, orders, payments
from domain.errors import InputProblem
from domain.holding import HoldRule as Rule
from gql.schema.ids import global_id
from services.ports.payments import HoldView, PaymentView


@strawberry.type(description="An exact amount of money.")
class Money:
    """An exact amount."""

    amount: Decimal = strawberry.field(description="In units of the currency, not in cents.")
    currency_code: str = strawberry.field(description="Three letters of ISO 4217.")

    @classmethod
    def of(cls, money: money.Money) -> "Money":
        return cls(amount=money.amount, currency_code=money.currency_code)

    @classmethod
    def maybe(cls, money: money.Money | None) -> "Money | None":
        return None if money is None else cls.of(money)


@strawberry.type(description="Something off the whole order, as the channel gave it.")
class OrderDiscount:
    """Something off."""

    code: str | None = strawberry.field(description="The code that the customer used.")
    description: str | None = strawberry.field(description="What it is for.")
    amount: Money = strawberry.field(description="How much is off.")

    @classmethod
    def of(cls, discount: orders.Discount) -> "OrderDiscount":
        return cls(code=discount.code, description=discount.description, amount=Money.of(discount.amount))


@strawberry.type(description="What an order comes to, and what was paid of it. Canceled units cost nothing.")
class OrderTotals:
    """What an order comes to."""

    lines: Money = strawberry.field(description="What the lines cost; a bundle counts at its own price.")
    discounts: Money = strawberry.field(description="What is off, on the lines and on the order.")
    tax: Money = strawberry.field(description="On the lines and on the order.")
    shipping: Money = strawberry.field(description="What shipping costs the customer.")
    total: Money = strawberry.field(description="max(0, lines - discounts + tax + shipping).")
    paid: Money = strawberry.field(description="What was paid, also what has gone back since.")
    refunded: Money = strawberry.field(description="What went back.")
    due: Money = strawberry.field(description="max(0, total - paid + refunded).")

    @classmethod
    def of(cls, totals: payments.Totals) -> "OrderTotals | None":
        currency = totals.currency_code
        if currency is None:
            return None
        amounts = {name: getattr(totals, name) for name in cls.__annotations__}
        return cls(
            **{
                name: Money(amount=money.rounded(amount, currency), currency_code=currency)
                for name, amount in amounts.items()
            }
        )


@strawberry.type(description="Money that somebody has verified.")
class Payment:
    """Money that came, went, or moved with a split."""

    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    kind: kinds.PaymentKind = strawberry.field(description="Which way it went.")
    amount: Money = strawberry.field(description="How much.")
    method: str = strawberry.field(description="How, in the words of whoever recorded it.")
    reference: str | None = strawberry.field(description="The processor's own id, or another.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When it was recorded here.")
    recorded_by: str = strawberry.field(description="The name of the API key, or of the worker.")

    @classmethod
    def of(cls, payment: PaymentView) -> "Payment":
        return cls(
            id=global_id("Payment", payment.id),
            kind=payment.kind,
            amount=Money.of(payment.amount),
            method=payment.method,
            reference=payment.reference,
            occurred_at=payment.occurred_at,
            recorded_at=payment.recorded_at,
            recorded_by=payment.recorded_by,
        )


@strawberry.type(description="Why an order may not be released. It never stops allocation.")
class OrderHold:
    """A hold."""

    id: strawberry.ID = strawberry.field(description="Opaque and unique.")
    reason: kinds.HoldReason = strawberry.field(description="Why.")
    note: str | None = strawberry.field(description="More about it, for people.")
    rule: str | None = strawberry.field(description="The name of the rule that placed it; null where somebody did.")
    placed_by: str = strawberry.field(description="The name of the API key, or of the worker.")
    placed_at: datetime = strawberry.field(description="Since when.")
    released_by: str | None = strawberry.field(description="Who ended it; null for as long as it holds.")
    released_at: datetime | None = strawberry.field(description="Until when; null for as long as it holds.")

    @classmethod
    def of(cls, hold: HoldView) -> "OrderHold":
        return cls(
            id=global_id("OrderHold", hold.id),
            reason=hold.reason,
            note=hold.note,
            rule=hold.rule,
            placed_by=hold.placed_by,
            placed_at=hold.placed_at,
            released_by=hold.released_by,
            released_at=hold.released_at,
        )


@strawberry.type(description="Which new orders are held without anyone asking, and why. Null is no criterion.")
class HoldRule:
    """A rule."""

    name: str = strawberry.field(description="What people call it, unique.")
    reason: kinds.HoldReason = strawberry.field(description="The reason of the hold.")
    note: str | None = strawberry.field(description="The note of the hold.")
    discount_from: Money | None = strawberry.field(description="This much is off, or more.")
    discount_percent_from: Decimal | None = strawberry.field(
        description="This much is off, or more, in percent of what the lines cost."
    )
    tags: list[str] | None = strawberry.field(description="With at least one of these tags.")
    customized: bool | None = strawberry.field(description="With a line that is customized, or without.")
    first_order_from: Money | None = strawberry.field(
        description="Coming to this or more, and the first order of its customer."
    )

    @classmethod
    def of(cls, rule: Rule) -> "HoldRule":
        return cls(
            name=rule.name,
            reason=rule.reason,
            note=rule.note,
            discount_from=Money.maybe(rule.discount_from),
            discount_percent_from=rule.discount_percent_from,
            tags=None if rule.tags is None else list(rule.tags),
            customized=rule.customized,
            first_order_from=Money.maybe(rule.first_order_from),
        )


@strawberry.type(description="Something that is missing or wrong in the address that an order ships to.")
class AddressProblem:
    """Something that is missing or wrong."""

    field: str | None = strawberry.field(
        description="Which field of `shipTo`, as it is written there; null: there is no address."
    )
    code: str = strawberry.field(description="What kind of problem, for programs: REQUIRED, INVALID or UNKNOWN.")
    message: str = strawberry.field(description="What is wrong and what to do, for people.")

    @classmethod
    def of(cls, problem: InputProblem) -> "AddressProblem":
        return cls(field=problem.path[0] if problem.path else None, code=problem.code, message=problem.message)
