"""Where orders stand: what they cost, what was paid, and what holds them. Written with the batch; see there."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import OrderId
from domain.kinds import HoldReason, PaymentKind, PaymentStatus
from domain.money import ZERO, Money
from domain.payments import LineMoney, Standing
from persistence.driver import Driver, statement
from persistence.searching import any_of
from persistence.sql import BIGINTS, INT
from persistence.tables import order_holds, payments
from services.ports.payments import HoldView, PaymentView

STANDINGS = statement(
    """
    SELECT o.id, o.currency_code, o.shipping_price, o.tax, o.payment_status,
           ARRAY(SELECT CAST(d ->> 'amount' AS numeric) FROM jsonb_array_elements(o.discounts) AS d) AS discounts,
           p.paid, p.refunded,
           ARRAY(SELECT h.reason FROM order_holds h WHERE h.order_id = o.id AND h.released_at IS NULL) AS holds
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(CASE kind WHEN 'MOVED_OUT' THEN - amount ELSE amount END)
                            FILTER (WHERE kind <> 'REFUND'), 0) AS paid,
               coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunded
        FROM payments WHERE order_id = o.id
    ) AS p
    WHERE o.id = ANY(:orders)
    """,
    orders=BIGINTS,
)

# The first part of a bundle bears its money: it is of the item of the oldest line.
LINE_MONEY = statement(
    """
    SELECT l.order_id, l.id, coalesce(l.unit_price, b.unit_price) AS price, coalesce(l.bundle_units, 1) AS per,
           l.discount, l.tax, coalesce(l.currency_code, b.currency_code) AS currency_code
    FROM order_lines l
    LEFT JOIN order_bundles b ON b.id = l.bundle_id AND l.item_id = (
        SELECT f.item_id FROM order_lines f WHERE f.bundle_id = b.id ORDER BY f.id LIMIT 1)
    WHERE l.order_id = ANY(:orders) AND (
        l.unit_price IS NOT NULL OR b.unit_price IS NOT NULL OR l.discount IS NOT NULL OR l.tax IS NOT NULL)
    """,
    orders=BIGINTS,
)

# A hold for it that was lifted by a person is a decision, and by a payment, a payment.
UNPAID_IN_TIME = statement(
    """
    SELECT o.id
    FROM orders o JOIN channels c ON c.id = o.channel_id
    WHERE o.status = 'FINALIZED' AND o.payment_status IN ('UNPAID', 'PARTIALLY_PAID')
        AND o.finalized_at <= clock_timestamp() - make_interval(mins => c.unpaid_orders_expire_after_minutes)
        AND NOT EXISTS (SELECT FROM order_holds h WHERE h.order_id = o.id AND h.reason = 'AWAITING_PAYMENT')
    ORDER BY o.finalized_at, o.id LIMIT :most
    """,
    most=INT,
)


class PostgresPayments:
    """Reads payments and holds."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._driver = Driver(connection)

    async def standings(self, orders: Sequence[OrderId]) -> dict[OrderId, Standing]:
        """Where the orders stand, in two statements."""
        named = {"orders": list(orders)}
        rows = await self._driver.rows(STANDINGS, named)
        lines: dict[OrderId, dict[Any, LineMoney]] = {row[0]: {} for row in rows}
        priced_in: dict[OrderId, str] = {}
        for order, line, price, per, discount, tax, currency in await self._driver.rows(LINE_MONEY, named):
            lines[order][line] = LineMoney(price=price or ZERO, per=per, discount=discount or ZERO, tax=tax or ZERO)
            if currency is not None:
                priced_in.setdefault(order, currency)
        return {
            order: Standing(
                currency_code=currency,
                priced_in=priced_in.get(order),
                lines=lines[order],
                discounts=sum(discounts, ZERO),
                shipping=shipping or ZERO,
                tax=tax or ZERO,
                paid=paid,
                refunded=refunded,
                status=PaymentStatus(status),
                holds=frozenset(map(HoldReason, holds)),
            )
            for order, currency, shipping, tax, status, discounts, paid, refunded, holds in rows
        }

    async def payments_of(self, orders: Sequence[OrderId]) -> list[PaymentView]:
        """The oldest first."""
        found = select(payments).where(any_of(payments.c.order_id, orders)).order_by(payments.c.id)
        return [_payment(row) for row in await self._connection.execute(found)]

    async def holds_of(self, orders: Sequence[OrderId]) -> list[HoldView]:
        """Also those that have ended; the oldest first."""
        found = select(order_holds).where(any_of(order_holds.c.order_id, orders)).order_by(order_holds.c.id)
        return [_hold(row) for row in await self._connection.execute(found)]

    async def unpaid_in_time(self, first: int) -> list[OrderId]:
        """Orders whose channel waits no longer for their payment, the oldest first."""
        return [order for (order,) in await self._driver.rows(UNPAID_IN_TIME, {"most": first})]


def _payment(row: Any) -> PaymentView:
    amount: Decimal = row.amount
    return PaymentView(
        id=row.id,
        order=row.order_id,
        kind=PaymentKind(row.kind),
        amount=Money(amount=amount, currency_code=row.currency_code),
        method=row.method,
        reference=row.reference,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        recorded_by=row.actor,
    )


def _hold(row: Any) -> HoldView:
    return HoldView(
        id=row.id,
        order=row.order_id,
        reason=HoldReason(row.reason),
        note=row.note,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        released_by=row.released_by,
        released_at=row.released_at,
        rule=row.rule,
    )
