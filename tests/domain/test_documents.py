"""What an invoice adds up to, and how a picker walks."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.documents import Invoice, InvoiceLine, PickLine, by_bin
from domain.money import Money
from domain.orders import Address

amounts = st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=4)
currencies = st.sampled_from(["EUR", "USD", "JPY"])
money = st.builds(Money, amount=amounts, currency_code=currencies)
lines = st.builds(
    InvoiceLine,
    sku=st.just("CHAIR"),
    name=st.just("Chair"),
    quantity=st.integers(0, 1_000_000),
    unit_price=st.none() | money,
    discount=st.none() | money,
    tax=st.none() | money,
)


def invoice(*lines, **more):
    return Invoice(
        series="INV",
        number=7,
        issued_on=date(2026, 3, 1),
        seller=Address(),
        order_number="N1",
        channel="SHOP",
        lines=lines,
        **more,
    )


def eur(amount):
    return Money(amount=Decimal(amount), currency_code="EUR")


def test_a_total_is_goods_less_discount_and_the_tax_that_the_prices_do_not_include():
    line = InvoiceLine(
        sku="CHAIR", name="Chair", quantity=3, unit_price=eur("19.99"), discount=eur("5.00"), tax=eur("10.44")
    )

    (added,) = invoice(line).totals
    (included,) = invoice(line, tax_included=True).totals

    assert line.amount == eur("54.97")
    assert (added.goods, added.discount, added.tax) == (Decimal("59.97"), Decimal("5.00"), Decimal("10.44"))
    assert added.total == Decimal("65.41")
    assert included.total == Decimal("54.97")


def test_amounts_are_added_without_rounding_however_many_digits_they_have():
    large, small = eur("12345678901234567890"), eur("0.00000000000000000001")
    total = invoice(
        InvoiceLine(sku="A", name="A", quantity=1_000_000, unit_price=large),
        InvoiceLine(sku="B", name="B", quantity=1, unit_price=small),
    ).totals[0]

    assert total.total == Decimal("12345678901234567890000000.00000000000000000001")


def test_each_currency_has_a_total_of_its_own_and_a_line_without_a_price_none():
    yen = Money(amount=Decimal(900), currency_code="JPY")
    totals = invoice(
        InvoiceLine(sku="A", name="A", quantity=2, unit_price=eur("1.50")),
        InvoiceLine(sku="B", name="B", quantity=1, unit_price=yen),
        InvoiceLine(sku="C", name="C", quantity=1),
    ).totals

    assert [(total.currency_code, total.total) for total in totals] == [("EUR", Decimal("3.00")), ("JPY", Decimal(900))]
    assert invoice().totals == ()


@given(st.lists(lines, max_size=20), st.booleans())
def test_totals_agree_with_fractions(lines, tax_included):
    for total in invoice(*lines, tax_included=tax_included).totals:
        code = total.currency_code
        goods = sum(Fraction(x.unit_price.amount) * x.quantity for x in lines if _in(x.unit_price, code))
        off = sum(Fraction(x.discount.amount) for x in lines if _in(x.discount, code))
        tax = sum(Fraction(x.tax.amount) for x in lines if _in(x.tax, code))
        assert Fraction(total.total) == goods - off + (0 if tax_included else tax)


def _in(value, code):
    return value is not None and value.currency_code == code


def test_bins_are_walked_by_their_numbers_and_what_has_no_bin_comes_last():
    bins = ["A-10", None, "A-2", "B-1", "A-2-1", "10", "9", ""]

    walked = by_bin(PickLine(sku="CHAIR", name="Chair", quantity=1, bin=name) for name in bins)

    assert [line.bin for line in walked] == ["", "9", "10", "A-2", "A-2-1", "A-10", "B-1", None]


@given(st.lists(st.none() | st.text(), max_size=10))
def test_any_names_of_bins_can_be_sorted(bins):
    lines = [PickLine(sku=str(index), name="", quantity=1, bin=name) for index, name in enumerate(bins)]

    assert sorted(by_bin(lines), key=lambda line: line.sku) == sorted(lines, key=lambda line: line.sku)
