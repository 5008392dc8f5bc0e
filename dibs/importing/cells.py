"""What one cell says: text in, value out, or BadCell with a sentence for the list of issues."""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from dibs.importing.refusals import BadCell, shown

KEY_CHARS_MAX = 100
TEXT_CHARS_MAX = 500
PRICE_DIGITS_MAX = 20
YEARS = range(1900, 2201)

_whole_number = re.compile(r"-?[0-9]+")
_price = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_currency = re.compile(r"[A-Za-z]{3}")
_moment = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([T ](?P<time>[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)"
    r"( ?((?P<utc>Z|UTC)|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?))?)?",
    re.IGNORECASE,
)


def key(text: str, column: str) -> str:
    """A name that things are found by: NFC, trimmed, 1 to 100 characters, case-sensitive, no control characters."""
    value = text.strip()
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if not value:
        raise BadCell(f"{column} is empty")
    if len(value) > KEY_CHARS_MAX:
        raise BadCell(f"{column} {shown(value)} has more than {KEY_CHARS_MAX} characters")
    if _control.search(value):
        raise BadCell(f"{column} {shown(value)} contains a line break or another control character")
    return value


def words(text: str, column: str) -> str | None:
    """Text for people: trimmed, at most 500 characters; None where nothing is said."""
    value = text.strip()
    if len(value) > TEXT_CHARS_MAX:
        raise BadCell(f"{column} {shown(value)} has more than {TEXT_CHARS_MAX} characters")
    return value or None


@lru_cache(maxsize=4096)
def whole_number(text: str, column: str, most: int) -> int:
    """0 to `most`, in ASCII digits and nothing else."""
    value = text.strip()
    if not value:
        raise BadCell(f"{column} is empty")
    if not _whole_number.fullmatch(value):
        raise BadCell(f"{column} {shown(value)} is not a whole number such as 12")
    digits = value.lstrip("-0")
    if value.startswith("-") and digits:
        raise BadCell(f"{column} {shown(value)} is negative")
    if len(digits) > len(str(most)) or int(digits or 0) > most:
        raise BadCell(f"{column} {shown(value)} is more than {most:,}")
    return int(digits or 0)


@lru_cache(maxsize=4096)
def price(text: str) -> Decimal | None:
    """Zero or more, with a decimal point; None where the cell is empty."""
    value = text.strip()
    if not value:
        return None
    if not _price.fullmatch(value):
        raise BadCell(f"unit_price {shown(value)} is not a plain amount such as 2.55")
    if sum(map(str.isdigit, value)) > PRICE_DIGITS_MAX:
        raise BadCell(f"unit_price {shown(value)} has more than {PRICE_DIGITS_MAX} digits")
    if value.startswith("-") and Decimal(value):
        raise BadCell(f"unit_price {shown(value)} is negative")
    return Decimal(value.lstrip("-"))


@lru_cache(maxsize=512)
def currency(text: str) -> str | None:
    """Three letters in upper case; None where the cell is empty."""
    value = text.strip()
    if not value:
        return None
    if not _currency.fullmatch(value):
        raise BadCell(f"currency {shown(value)} is not a code of three letters such as GBP")
    return value.upper()


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime | None:
    """A time in UTC; one without an offset is taken for UTC, a date alone for its midnight. None where empty."""
    value = text.strip()
    if not value:
        return None
    parts = _moment.fullmatch(value)
    if not parts:
        raise BadCell(f"placed_at {shown(value)} is not a time such as 2011-12-05T08:38 (year-month-day, ISO 8601)")
    try:
        given = datetime.fromisoformat(_canonical(parts))
    except ValueError:
        raise BadCell(f"placed_at {shown(value)} is no time of any calendar day") from None
    if given.year not in YEARS:
        raise BadCell(f"placed_at {shown(value)} is not between the years {YEARS[0]} and {YEARS[-1]}")
    return given.astimezone(UTC)


def _canonical(parts: re.Match[str]) -> str:
    time = (parts["time"] or "00:00").replace(",", ".")
    offset = f"{parts['sign']}{parts['hours']}:{parts['minutes'] or '00'}" if parts["sign"] else "+00:00"
    return f"{parts['date']}T{time}{offset}"
