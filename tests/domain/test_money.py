"""Money: a closed list of currencies, exact amounts, and what can be paid."""

from decimal import Decimal

import pytest

from domain.checks import Problems, has_card_number
from domain.money import MINOR_UNITS, Money, can_be_paid, rounded

AT = ("input", "amount")


def payable(amount: str, currency: str, *, zero: bool = True) -> list[tuple[tuple[str, ...], str]]:
    problems = Problems()
    problems.payable(Money(amount=Decimal(amount), currency_code=currency), AT, zero=zero)
    return [(problem.path, problem.code) for problem in problems.all()]


def test_the_currencies_are_a_closed_list_with_the_decimals_of_each():
    assert len(MINOR_UNITS) > 150
    assert {code: MINOR_UNITS[code] for code in ("GBP", "JPY", "KWD", "ISK", "EUR")} == {
        "GBP": 2,
        "JPY": 0,
        "KWD": 3,
        "ISK": 0,
        "EUR": 2,
    }
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in MINOR_UNITS)


@pytest.mark.parametrize(
    ("amount", "currency", "kept"),
    [
        ("1.005", "GBP", "1.01"),
        ("1.004", "GBP", "1.00"),
        ("0.5", "JPY", "1"),
        ("0.0005", "KWD", "0.001"),
        ("99999999999999999999999999.995", "EUR", "100000000000000000000000000.00"),
    ],
)
def test_an_amount_is_rounded_to_what_can_be_paid_and_halves_go_up(amount, currency, kept):
    assert rounded(Decimal(amount), currency) == Decimal(kept)


@pytest.mark.parametrize(
    ("amount", "currency", "possible"),
    [("1.50", "JPY", False), ("1.00", "JPY", True), ("0.001", "KWD", True), ("0.001", "GBP", False)],
)
def test_zeros_at_the_end_make_no_amount_finer(amount, currency, possible):
    assert can_be_paid(Decimal(amount), currency) is possible


def test_what_is_paid_is_no_finer_than_its_currency_and_says_what_to_do():
    assert payable("12.50", "gbp") == []
    assert payable("12.505", "GBP") == [((*AT, "amount"), "TOO_MANY_DECIMALS")]
    assert payable("1.5", "JPY") == [((*AT, "amount"), "TOO_MANY_DECIMALS")]
    assert payable("1", "XXX") == [((*AT, "currencyCode"), "NOT_A_CURRENCY_CODE")]
    assert payable("NaN", "GBP") == [((*AT, "amount"), "OUT_OF_RANGE")]
    assert payable("0", "GBP") == []
    assert payable("0.00", "GBP", zero=False) == [((*AT, "amount"), "OUT_OF_RANGE")]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111 12/27",
        "card 5500 0000 0000 0004, thanks",
        "3782.822463.10005",
        "id 12 4111111111111111",
        "6304000000000000000",
    ],
)
def test_what_may_be_the_number_of_a_card_is_found_however_it_is_written(text):
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "pi_3NkQx2eZvKYlo2C1", "4111111111111112", "411111111111", "41111111111111110000"),
        *("2026-10-05 12:30:00", "x" * 500),
    ],
)
def test_other_numbers_are_no_cards(text):
    assert not has_card_number(text)
