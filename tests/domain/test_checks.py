"""Is the input well formed? What Dibs keeps, and what it says about the rest."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.checks import Problems, is_storable, normal
from domain.errors import InvalidInput

AT = ("input", "it")


def checked(check, *arguments):
    """What the check answers, and the codes of the problems that it found."""
    problems = Problems()
    answer = getattr(problems, check)(*arguments)
    assert {problem.path for problem in problems.all()} <= {AT}
    return answer, [problem.code for problem in problems.all()]


@pytest.mark.parametrize(
    ("text", "kept", "found"),
    [
        (" a b ", "a b", []),
        ("Cafe\u0301", "Caf\u00e9", []),
        ("a" * 100, "a" * 100, []),
        ("e\u0301" * 100, "\u00e9" * 100, []),
        ("a" * 101, "a" * 101, ["TOO_LONG"]),
        ("", "", ["REQUIRED"]),
        ("\u00a0\t", "", ["REQUIRED"]),
        ("\x00", "", ["INVALID_CHARACTER"]),
        ("\udfff", "", ["INVALID_CHARACTER"]),
        ("\x01\U0001f600", "\x01\U0001f600", []),
    ],
)
def test_a_code_is_short_text_that_has_to_be_there(text, kept, found):
    assert checked("code", text, AT) == (kept, found)


@pytest.mark.parametrize(("text", "kept"), [(None, None), ("", None), (" ", None), (" x ", "x")])
def test_text_that_may_be_absent_is_absent_when_it_is_blank(text, kept):
    assert checked("optional_text", text, AT) == (kept, [])


def test_text_that_may_be_absent_is_checked_when_it_is_there():
    assert checked("optional_text", "\x00", AT)[1] == ["INVALID_CHARACTER"]
    assert checked("optional_text", "x" * 501, AT)[1] == ["TOO_LONG"]


@pytest.mark.parametrize(("value", "found"), [(1, []), (3, []), (0, ["OUT_OF_RANGE"]), (4, ["OUT_OF_RANGE"])])
def test_a_whole_number_lies_between_its_bounds(value, found):
    assert checked("whole", value, AT, 1, 3) == (value, found)


@pytest.mark.parametrize(
    ("country", "kept", "found"),
    [
        ("gb", "GB", []),
        (" De ", "DE", []),
        (None, None, []),
        ("", None, []),
        ("GBR", None, ["NOT_A_COUNTRY_CODE"]),
        ("ÄÖ", None, ["NOT_A_COUNTRY_CODE"]),
        ("g1", None, ["NOT_A_COUNTRY_CODE"]),
    ],
)
def test_a_country_is_two_letters(country, kept, found):
    assert checked("country", country, AT) == (kept, found)


@pytest.mark.parametrize(
    ("currency", "found"),
    [
        ("gbp", []),
        ("EUR", []),
        ("E1R", ["NOT_A_CURRENCY_CODE"]),
        ("", ["NOT_A_CURRENCY_CODE"]),
        ("EURO", ["NOT_A_CURRENCY_CODE"]),
    ],
)
def test_a_currency_is_three_letters(currency, found):
    assert checked("currency", currency, AT) == (currency.upper(), found)


@pytest.mark.parametrize(
    ("amount", "found"),
    [
        ("0", []),
        ("9.90", []),
        ("99999999999999999999", []),
        ("0.00000000000000000001", []),
        ("-0.01", ["OUT_OF_RANGE"]),
        ("NaN", ["OUT_OF_RANGE"]),
        ("-Infinity", ["OUT_OF_RANGE"]),
        ("999999999999999999999", ["TOO_LONG"]),
        ("1e21", ["TOO_LONG"]),
        ("1e-21", ["TOO_LONG"]),
    ],
)
def test_an_amount_is_exact_and_has_at_most_twenty_digits(amount, found):
    assert checked("amount", Decimal(amount), AT)[1] == found


@pytest.mark.parametrize(
    ("degrees", "found"),
    [
        (None, []),
        (90.0, []),
        (-90.0, []),
        (90.01, ["OUT_OF_RANGE"]),
        (float("nan"), ["OUT_OF_RANGE"]),
    ],
)
def test_degrees_go_from_minus_to_plus_their_most(degrees, found):
    assert checked("coordinate", degrees, AT, 90)[1] == found


def test_a_time_without_an_offset_is_utc_and_one_with_an_offset_keeps_it():
    east = timezone(timedelta(hours=2))

    assert checked("time", datetime(2011, 12, 5), AT) == (datetime(2011, 12, 5, tzinfo=UTC), [])  # noqa: DTZ001
    assert checked("time", datetime(2011, 12, 5, tzinfo=east), AT) == (datetime(2011, 12, 5, tzinfo=east), [])
    assert checked("time", datetime(1899, 12, 31, tzinfo=UTC), AT)[1] == ["OUT_OF_RANGE"]
    assert checked("time", None, AT) == (None, [])


@pytest.mark.parametrize(("count", "found"), [(0, ["REQUIRED"]), (1, []), (5, []), (6, ["TOO_MANY"])])
def test_a_list_has_a_least_and_a_most(count, found):
    assert checked("size", count, AT, 5)[1] == found


def test_a_value_that_stands_twice_is_found_once_where_it_comes_again_and_none_may_come_often():
    problems = Problems()

    problems.distinct(["a", None, "b", "a", None, "a", "b"], AT, "Once.")

    assert [problem.path for problem in problems.all()] == [(*AT, "3"), (*AT, "6")]


def test_every_problem_is_refused_at_once_and_none_is_no_refusal():
    problems = Problems()
    problems.refuse()
    problems.code("", ("a",))
    problems.whole(0, ("b",), 1, 2)

    with pytest.raises(InvalidInput) as refused:
        problems.refuse()

    assert [problem.path for problem in refused.value.problems] == [("a",), ("b",)]


@given(st.text(st.characters(codec=None), max_size=20))
def test_text_that_is_storable_can_be_encoded_and_its_normal_form_is_normal(text):
    if is_storable(text):
        assert "\x00" not in text.encode().decode()
        assert normal(normal(text)) == normal(text)
    else:
        assert "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text)
