"""What a batch writes of payments and holds; nothing, for one that only allocates."""

from collections.abc import Iterator
from typing import Any

from domain.changes import Changes
from domain.payments import EndedHold, NewHold, NewPayment
from persistence.driver import Write, statement
from persistence.sql import BIGINTS, NUMERICS, TEXTS, TIMES, columns

PAYMENT_COLUMNS = (
    "orders", "kinds", "amounts", "currencies", "methods", "references", "times", "actors", "requests",
)  # fmt: skip
INSERT_PAYMENTS = statement(
    """
    INSERT INTO payments (order_id, kind, amount, currency_code, method, reference, occurred_at, actor, request)
    SELECT n.order_id, n.kind, n.amount, n.currency_code, n.method, n.reference,
           coalesce(n.occurred_at, clock_timestamp()), n.actor, n.request
    FROM unnest(:orders, :kinds, :amounts, :currencies, :methods, :references, :times, :actors, :requests)
        WITH ORDINALITY AS n(order_id, kind, amount, currency_code, method, reference, occurred_at, actor, request, at)
    ORDER BY n.at
    """,
    orders=BIGINTS,
    kinds=TEXTS,
    amounts=NUMERICS,
    currencies=TEXTS,
    methods=TEXTS,
    references=TEXTS,
    times=TIMES,
    actors=TEXTS,
    requests=TEXTS,
)

UPDATE_STANDINGS = statement(
    """
    UPDATE orders o SET payment_status = coalesce(n.payment_status, o.payment_status),
        currency_code = coalesce(n.currency_code, o.currency_code)
    FROM unnest(:orders, :statuses, :currencies) AS n(order_id, payment_status, currency_code)
    WHERE o.id = n.order_id
    """,
    orders=BIGINTS,
    statuses=TEXTS,
    currencies=TEXTS,
)

REPRICE_LINES = statement(
    """
    UPDATE order_lines l SET discount = nullif(n.discount, 0), tax = nullif(n.tax, 0)
    FROM unnest(:lines, :discounts, :taxes) AS n(line_id, discount, tax) WHERE l.id = n.line_id
    """,
    lines=BIGINTS,
    discounts=NUMERICS,
    taxes=NUMERICS,
)

SET_FINALIZED = statement("UPDATE orders SET finalized_at = now() WHERE id = ANY(:orders)", orders=BIGINTS)
UNSCHEDULE = statement("UPDATE orders SET allocate_after = NULL WHERE id = ANY(:orders)", orders=BIGINTS)

END_HOLDS = statement(
    """
    UPDATE order_holds h SET released_by = n.released_by, released_at = clock_timestamp()
    FROM unnest(:orders, :reasons, :actors) AS n(order_id, reason, released_by)
    WHERE h.order_id = n.order_id AND h.reason = n.reason AND h.released_at IS NULL
    """,
    orders=BIGINTS,
    reasons=TEXTS,
    actors=TEXTS,
)
HOLD_COLUMNS = ("orders", "reasons", "notes", "actors", "rules", "releasers")
INSERT_HOLDS = statement(
    """
    INSERT INTO order_holds (order_id, reason, note, placed_at, placed_by, rule, released_by, released_at)
    SELECT n.order_id, n.reason, n.note, t.now, n.placed_by, n.rule, n.released_by,
           CASE WHEN n.released_by IS NOT NULL THEN t.now END
    FROM unnest(:orders, :reasons, :notes, :actors, :rules, :releasers)
        WITH ORDINALITY AS n(order_id, reason, note, placed_by, rule, released_by, at)
    CROSS JOIN (SELECT clock_timestamp() AS now) AS t
    ORDER BY n.at
    """,
    orders=BIGINTS,
    reasons=TEXTS,
    notes=TEXTS,
    actors=TEXTS,
    rules=TEXTS,
    releasers=TEXTS,
)


def standing_writes(changes: Changes) -> Iterator[Write]:
    """Holds that end before those that begin: an order may be held anew in the same commit."""
    if changes.payments:
        yield Write(INSERT_PAYMENTS, columns(map(_payment, changes.payments), PAYMENT_COLUMNS))
    new = {order.id for order, _ in changes.placed}
    moved = [order for order in {**changes.payment_statuses, **changes.currencies} if order not in new]
    if moved:
        rows = [(order, changes.payment_statuses.get(order), changes.currencies.get(order)) for order in moved]
        yield Write(UPDATE_STANDINGS, columns(rows, ("orders", "statuses", "currencies")), len(rows))
    if changes.repriced_lines:
        repriced = [(line, money.discount, money.tax) for line, money in changes.repriced_lines.items()]
        yield Write(REPRICE_LINES, columns(repriced, ("lines", "discounts", "taxes")), len(repriced))
    for statement_of, orders in ((SET_FINALIZED, changes.finalized), (UNSCHEDULE, changes.unscheduled)):
        if orders:
            yield Write(statement_of, {"orders": orders}, len(orders))
    if changes.ended_holds:
        ended = columns(map(_ended, changes.ended_holds), ("orders", "reasons", "actors"))
        yield Write(END_HOLDS, ended, len(changes.ended_holds))
    if changes.new_holds:
        yield Write(INSERT_HOLDS, columns(map(_hold, changes.new_holds), HOLD_COLUMNS))


def _payment(new: NewPayment) -> tuple[Any, ...]:
    payment = new.payment
    amount = payment.amount
    return (
        new.order,
        new.kind,
        amount.amount,
        amount.currency_code,
        payment.method,
        payment.reference,
        payment.occurred_at,
        new.actor,
        new.request,
    )


def _hold(hold: NewHold) -> tuple[Any, ...]:
    return hold.order, hold.reason, hold.note, hold.placed_by, hold.rule, hold.released_by


def _ended(hold: EndedHold) -> tuple[Any, ...]:
    return hold.order, hold.reason, hold.released_by
