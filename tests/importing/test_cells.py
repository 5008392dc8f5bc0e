from datetime import datetime
from decimal import Decimal

import pytest

from tests.importing.files import orders_of


def moment_of(folder, text: str) -> datetime | None:
    read = orders_of(folder, f'A1,CHAIR,1,"{text}"', headings="order,sku,quantity,placed_at")
    assert not read.issues, read.issues
    return read.orders[0].placed_at


def complaint(folder, row: str, headings: str = "order,sku,quantity") -> str:
    read = orders_of(folder, row, headings=headings)
    assert not read.orders
    (issue,) = read.issues
    assert issue.line_number == 2
    return issue.message


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        ("", "quantity is empty"),
        ("-6", "quantity '-6' is negative"),
        ("1.5", "not a whole number"),
        ("6.0", "not a whole number"),
        ("1e3", "not a whole number"),
        ("1_000", "not a whole number"),
        ("+1", "not a whole number"),
        ("\uff11", "not a whole number"),
        ("\u0661", "not a whole number"),
        ("1000001", "quantity '1000001' is more than 1,000,000"),
        ("9" * 5000, "is more than 1,000,000"),
    ],
)
def test_a_quantity_is_a_whole_number_in_plain_digits(tmp_path, quantity, message):
    assert message in complaint(tmp_path, f"A,CHAIR,{quantity}")


def test_a_quantity_may_be_a_million(tmp_path):
    assert orders_of(tmp_path, "A,CHAIR,1000000").orders[0].lines[0].quantity == 1_000_000


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",CHAIR,1", "order is empty"),
        (f"{'A' * 101},CHAIR,1", "has more than 100 characters"),
        ("A, ,1", "sku is empty"),
        (f"A,{'C' * 101},1", "has more than 100 characters"),
        ('A,"CH\nAIR",1', "sku 'CH\\nAIR' contains a line break"),
    ],
)
def test_an_order_and_a_sku_have_1_to_100_characters(tmp_path, row, message):
    assert message in complaint(tmp_path, row)


def test_a_sku_is_composed_and_trimmed_and_keeps_its_case(tmp_path):
    read = orders_of(tmp_path, "A,\u00a0Cafe\u0301 ,1", "A,Caf\u00e9,1", "A,CAF\u00c9,1")

    assert [line.sku for line in read.orders[0].lines] == ["Caf\u00e9", "Caf\u00e9", "CAF\u00c9"]


@pytest.mark.parametrize(
    ("text", "price"),
    [("", None), ("0", 0), ("0.0", 0), ("-0.00", 0), ("2.55", "2.55"), (".5", "0.5"), ("3.", 3), ("9" * 20, "9" * 20)],
)
def test_a_price_is_zero_or_more_or_unknown(tmp_path, text, price):
    read = orders_of(tmp_path, f"A,CHAIR,1,{text}", headings="order,sku,quantity,unit_price")

    assert read.orders[0].lines[0].unit_price == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    "text", ["-1", "-0.01", "NaN", "Infinity", "1e3", '"2,55"', "£2", "2.5.5", ".", "1_0", "\uff11", "9" * 21]
)
def test_any_other_price_leaves_the_order_out(tmp_path, text):
    assert "unit_price" in complaint(tmp_path, f"A,CHAIR,1,{text}", "order,sku,quantity,unit_price")


@pytest.mark.parametrize("text", ["EURO", "E", "12A", "€€€", "ÄÖÜ"])
def test_a_currency_has_three_letters(tmp_path, text):
    assert "three letters" in complaint(tmp_path, f"A,CHAIR,1,{text}", "order,sku,quantity,currency")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2011-12-05T08:38", "2011-12-05T08:38:00"),
        ("2011-12-05 08:38:09", "2011-12-05T08:38:09"),
        ("2011-12-05T08:38:09.5Z", "2011-12-05T08:38:09.500000"),
        ("2011-12-05T08:38:09,123456789+01:00", "2011-12-05T07:38:09.123456"),
        ("2011-12-05 00:30:00 +0100", "2011-12-04T23:30:00"),
        ("2011-12-05T08:38-05", "2011-12-05T13:38:00"),
        ("2011-12-05 08:38:00 UTC", "2011-12-05T08:38:00"),
        (" 2011-12-05t08:38z ", "2011-12-05T08:38:00"),
        ("2011-12-05", "2011-12-05T00:00:00"),
    ],
)
def test_a_time_is_iso_8601_and_without_an_offset_in_utc(tmp_path, text, utc):
    assert moment_of(tmp_path, text) == datetime.fromisoformat(f"{utc}+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "12/5/2011 8:38",
        "05.12.2011",
        "2011-13-05",
        "2011-02-29T00:00",
        "2011-12-05T24:01",
        "2011-12-05T08:38+25:00",
        "1899-12-31",
        "2201-01-01",
        "0001-01-01T00:00+14:00",
        "1323074280",
        "now",
        "2011-W49-1",
        "\uff12011-12-05",
    ],
)
def test_any_other_time_leaves_the_order_out_and_the_message_shows_a_good_one(tmp_path, text):
    message = complaint(tmp_path, f"A,CHAIR,1,{text}", "order,sku,quantity,placed_at")

    assert "such as 2011-12-05T08:38" in message or "calendar day" in message or "between the years" in message
