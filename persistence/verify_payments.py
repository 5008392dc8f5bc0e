"""What must always be true of payments and holds, as SQL; see `persistence.verify`."""

from domain.kinds import HoldReason, PaymentKind, PaymentStatus
from domain.money import MINOR_UNITS

_OTHER_THAN_TWO = {code: decimals for code, decimals in MINOR_UNITS.items() if decimals != 2}
_CASES = " ".join(f"WHEN '{code}' THEN {decimals}" for code, decimals in _OTHER_THAN_TWO.items())
_DECIMALS = f"(CASE o.currency_code {_CASES} ELSE 2 END)"


def _one_of(kind: type[HoldReason | PaymentKind | PaymentStatus]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in kind) + ")"


# Canceled units cost nothing; the first part of a bundle bears its money.
_OF_LINES = f"""
    SELECT o.id AS order_id, bool_or(l.quantity > l.canceled) AS anything,
           sum(round(coalesce(l.unit_price, b.unit_price, 0) * (l.quantity - l.canceled)
                     / coalesce(l.bundle_units, 1), {_DECIMALS})
               - round(coalesce(l.discount, 0) * (l.quantity - l.canceled) / l.quantity, {_DECIMALS})
               + round(coalesce(l.tax, 0) * (l.quantity - l.canceled) / l.quantity, {_DECIMALS})) AS value
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    LEFT JOIN order_bundles b ON b.id = l.bundle_id AND l.item_id = (
        SELECT f.item_id FROM order_lines f WHERE f.bundle_id = b.id ORDER BY f.id LIMIT 1)
    WHERE o.currency_code IS NOT NULL GROUP BY o.id
    """  # noqa: S608

_PAID = """
    SELECT order_id, sum(CASE kind WHEN 'REFUND' THEN 0 WHEN 'MOVED_OUT' THEN - amount ELSE amount END) AS paid,
           coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunded
    FROM payments GROUP BY 1
    """

PAYMENT_STATUS = f"""
    SELECT order_id, payment_status, recomputed, total, paid, refunded
    FROM (
        SELECT *, CASE
            WHEN refunded > 0 AND paid = refunded THEN 'REFUNDED'
            WHEN refunded > 0 AND NOT (paid - refunded >= total AND total > 0) THEN 'PARTIALLY_REFUNDED'
            WHEN paid - refunded >= total THEN 'PAID'
            WHEN paid > refunded THEN 'PARTIALLY_PAID'
            ELSE 'UNPAID' END AS recomputed
        FROM (
            SELECT o.id AS order_id, o.payment_status, coalesce(p.paid, 0) AS paid, coalesce(p.refunded, 0) AS refunded,
                   coalesce(greatest(0, l.value + CASE WHEN l.anything THEN coalesce(o.tax, 0)
                       + coalesce(o.shipping_price, 0) - coalesce((SELECT sum(CAST(d ->> 'amount' AS numeric))
                                          FROM jsonb_array_elements(o.discounts) AS d), 0) ELSE 0 END), 0) AS total
            FROM orders o LEFT JOIN ({_OF_LINES}) AS l ON l.order_id = o.id
            LEFT JOIN ({_PAID}) AS p ON p.order_id = o.id
        ) AS summed
    ) AS both_ways
    WHERE payment_status <> recomputed
    """  # noqa: S608

PAYMENTS = f"""
    SELECT p.id AS payment_id, p.order_id, p.kind, p.amount, p.currency_code, o.currency_code AS currency_of_the_order
    FROM payments p LEFT JOIN orders o ON o.id = p.order_id
    WHERE p.kind NOT IN {_one_of(PaymentKind)} OR p.amount <= 0 OR p.currency_code IS DISTINCT FROM o.currency_code
        OR '' IN (p.actor, p.request)
    UNION ALL
    SELECT NULL, order_id, 'REFUND', refunded - paid, NULL, NULL FROM ({_PAID}) AS p WHERE refunded > paid OR paid < 0
    """  # noqa: S608

MOVED_MONEY = """
    SELECT o.id AS order_id, o.split_from, p.currency_code, p.amount
    FROM payments p JOIN orders o ON o.id = p.order_id
    LEFT JOIN payments f ON f.order_id = o.split_from AND f.kind = 'MOVED_OUT' AND f.amount = p.amount
        AND f.currency_code = p.currency_code
    WHERE p.kind = 'MOVED_IN' AND f.id IS NULL
    """

CURRENCIES = f"""
    SELECT o.id AS order_id, o.currency_code, o.payment_status, l.id AS line_id, l.currency_code AS currency_of_the_line
    FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id AND l.currency_code <> o.currency_code
    WHERE l.id IS NOT NULL OR o.payment_status NOT IN {_one_of(PaymentStatus)}
    """  # noqa: S608

HOLDS = f"""
    SELECT h.id AS hold_id, h.order_id, h.reason, h.placed_at, h.released_at, h.released_by
    FROM order_holds h JOIN orders o ON o.id = h.order_id
    WHERE h.reason NOT IN {_one_of(HoldReason)} OR (h.released_at IS NULL) <> (h.released_by IS NULL)
        OR h.released_at < h.placed_at OR '' IN (h.placed_by, h.released_by)
        OR (h.released_at IS NULL AND o.status = 'VOID')
        OR (h.released_at IS NULL AND EXISTS (
            SELECT FROM order_holds t WHERE t.order_id = h.order_id AND t.reason = h.reason AND t.id <> h.id
                AND t.released_at IS NULL))
    """  # noqa: S608

HOLD_RULES = f"""
    SELECT name, position, reason, discount_from, discount_percent_from, first_order_from, currency_code
    FROM (SELECT *, row_number() OVER (ORDER BY position) - 1 AS expected FROM hold_rules) AS r
    WHERE position <> expected OR reason NOT IN {_one_of(HoldReason)}
        OR (coalesce(discount_from, first_order_from) IS NULL) <> (currency_code IS NULL)
        OR (discount_percent_from > 0 AND discount_percent_from <= 100) IS FALSE
    """  # noqa: S608
