"""Amounts, dates and weights as they are printed: exact, and the same in every locale."""

from datetime import date, datetime
from decimal import Decimal

from domain.money import Money

NONE = "\u2013"
"""What stands where there is no figure: a dash."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NO_MINOR_UNIT = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())  # noqa: SIM905
_THREE_DIGITS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def minor_digits(currency_code: str) -> int:
    """Of ISO 4217: how many digits an amount has at least."""
    if currency_code in _NO_MINOR_UNIT:
        return 0
    return 3 if currency_code in _THREE_DIGITS else 2


def amount(value: Decimal, currency_code: str) -> str:
    """`1,234.50`: never rounded; as many digits as the currency has, or more if the amount does."""
    whole, _, part = f"{value:,f}".partition(".")
    least = minor_digits(currency_code)
    part = part[:least].ljust(least, "0") + part[least:].rstrip("0")
    return f"{whole}.{part}" if part else whole


def money(value: Money) -> str:
    """`EUR 1,234.50`."""
    return f"{value.currency_code} {amount(value.amount, value.currency_code)}"


def day(value: date) -> str:
    """`1 Mar 2026`: the day that it is in the time zone that the time is given in."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """`1 Mar 2026, 14:05 UTC`."""
    zone = value.tzname() or ""
    return f"{day(value)}, {value:%H:%M} {zone}".strip()


def weight(grams: int) -> str:
    """`350 g`, `1.25 kg`."""
    if grams < 1000:
        return f"{grams} g"
    kilograms, rest = divmod(grams, 1000)
    return f"{kilograms}.{rest:03}".rstrip("0").rstrip(".") + " kg"
