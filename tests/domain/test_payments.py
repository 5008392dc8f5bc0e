"""What an order comes to, what was paid of it, and the payment status that follows."""

from collections import defaultdict
from decimal import Decimal
from itertools import product

import pytest

from domain.ids import LineId
from domain.kinds import PaymentStatus
from domain.payments import NOTHING_OWED, TRANSITIONS, LineMoney, Standing, Totals, payment_status, totals
from tests.builders import CHAIR, line

UNPAID, PARTIALLY_PAID, PAID, PARTIALLY_REFUNDED, REFUNDED = PaymentStatus
AMOUNTS = range(5)


def D(amount: str) -> Decimal:  # noqa: N802
    return Decimal(amount)


def status(total: int, paid: int, refunded: int = 0) -> PaymentStatus:
    return payment_status(Decimal(total), Decimal(paid), Decimal(refunded))


def found_by_trying() -> dict[PaymentStatus, dict[str, set[PaymentStatus]]]:
    """Every move of small amounts, by the operation that makes it."""
    found: dict[PaymentStatus, dict[str, set[PaymentStatus]]] = {one: defaultdict(set) for one in PaymentStatus}
    for total, paid in product(AMOUNTS, range(8)):
        for refunded in range(paid + 1):
            before = found[status(total, paid, refunded)]
            for amount in range(1, 8):
                before["recordPayment"].add(status(total, paid + amount, refunded))
            for amount in range(1, paid - refunded + 1):
                before["recordRefund"].add(status(total, paid, refunded + amount))
    return found


def test_i15_the_table_has_exactly_the_moves_that_amounts_can_make():
    found = found_by_trying()

    for before, operation in product(PaymentStatus, ("recordPayment", "recordRefund")):
        assert set(TRANSITIONS[before].get(operation, ())) == found[before][operation], (before, operation)


def test_nothing_can_be_refunded_where_nothing_is_kept():
    for before in (UNPAID, REFUNDED):
        assert "recordRefund" not in TRANSITIONS[before]


@pytest.mark.parametrize(
    ("total", "paid", "refunded", "expected"),
    [
        (10, 0, 0, UNPAID),
        (10, 9, 0, PARTIALLY_PAID),
        (10, 10, 0, PAID),
        (10, 12, 0, PAID),
        (0, 0, 0, PAID),
        (10, 10, 3, PARTIALLY_REFUNDED),
        (10, 10, 10, REFUNDED),
        (10, 13, 3, PAID),
        (0, 10, 4, PARTIALLY_REFUNDED),
        (0, 10, 10, REFUNDED),
        (10, 20, 10, PAID),
        (10, 15, 10, PARTIALLY_REFUNDED),
    ],
)
def test_the_status_is_what_total_and_payments_make_of_it(total, paid, refunded, expected):
    assert status(total, paid, refunded) is expected


def a_standing(**more) -> Standing:
    lines = {
        LineId(1): LineMoney(price=D("10.00"), discount=D("1.00"), tax=D("2.00")),
        LineId(2): LineMoney(price=D("9.99"), per=4),
    }
    own = {"discounts": D("3.00"), "shipping": D("5.00"), "tax": D("0.50")}
    return Standing(**({"currency_code": "GBP", "lines": lines} | own | more))


def test_an_order_comes_to_its_lines_less_what_is_off_and_tax_and_shipping():
    found = totals(a_standing(), [line(CHAIR, 3, number=1), line(CHAIR, 8, number=2)])

    assert (found.lines, found.discounts, found.tax, found.shipping) == (D("49.98"), D("4.00"), D("2.50"), D("5.00"))
    assert (found.total, found.due) == (D("53.48"), D("53.48"))


def test_canceled_units_cost_nothing_and_take_their_share_of_discount_and_tax_along():
    lines = [line(CHAIR, 3, number=1, canceled=2), line(CHAIR, 8, number=2, canceled=8)]

    found = totals(a_standing(), lines)

    assert (found.lines, found.discounts, found.tax) == (D("10.00"), D("3.33"), D("1.17"))
    assert found.shipping == D("5.00")


def test_an_order_of_which_nothing_is_left_owes_nothing_also_not_its_shipping():
    found = totals(a_standing(paid=D("7")), [line(CHAIR, 3, number=1, canceled=3)])

    assert (found.total, found.due, found.kept, found.status) == (0, 0, 7, PAID)


def test_what_is_off_beyond_the_price_makes_no_order_owe_less_than_nothing():
    assert totals(a_standing(discounts=D("1000")), [line(CHAIR, 1, number=1)]).total == 0


def test_shipped_units_stay_due():
    assert totals(a_standing(), [line(CHAIR, 3, number=1, shipped=3)]).lines == D("30.00")


def test_an_order_without_a_currency_owes_nothing_and_is_paid():
    found = totals(NOTHING_OWED, [line(CHAIR, 3, number=1)])

    assert found == Totals(currency_code=None)
    assert found.status is PAID


def test_a_yen_has_no_decimals_also_where_a_line_is_divided():
    standing = Standing(currency_code="JPY", lines={LineId(1): LineMoney(price=D("100"), discount=D("10"))})

    assert totals(standing, [line(CHAIR, 3, number=1, canceled=2)]).discounts == 3


def test_the_largest_order_is_added_up_exactly():
    price = Decimal(99999999999999999999)
    standing = Standing(
        currency_code="GBP", lines={LineId(at): LineMoney(price=price, tax=D("0.01")) for at in range(1, 101)}
    )

    found = totals(standing, [line(CHAIR, 1_000_000, number=at) for at in range(1, 101)])

    assert str(found.lines) == "9999999999999999999900000000.00"
    assert found.total - found.lines == D("1.00")
