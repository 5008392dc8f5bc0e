"""Is the input well formed? Every problem is found, each with its path as the caller wrote it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from domain.errors import InputProblem, InvalidInput
from domain.money import MINOR_UNITS, Money, can_be_paid

ORDER_QUANTITY_MAX = 1_000_000
"""The most units of one order line."""
PRIORITY_MAX = 1_000_000
CODE_LENGTH_MAX = 100
"""Of SKUs, order numbers, codes, references and idempotency keys."""
TEXT_LENGTH_MAX = 500
NOTE_LENGTH_MAX = 2_000
AMOUNT_DIGITS_MAX = 20
ORDER_LINES_MAX = 2_000
LIST_MAX = 1_000

Path = tuple[str, ...]


def normal(text: str) -> str:
    """As Dibs keeps text: NFC, trimmed."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no lone surrogates."""
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


CARD_DIGITS = range(13, 20)
"""How many digits the number of a payment card has."""
_digit_groups = re.compile(r"\d+(?:[ .\-]\d+)*")


def has_card_number(text: str) -> bool:
    """Whether groups of digits that follow each other make what may be the number of a payment card."""
    return any(_is_card_like(found[0]) for found in _digit_groups.finditer(text))


def _is_card_like(run: str) -> bool:
    groups = re.split(r"\D", run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) >= CARD_DIGITS.stop:
                break
            if len(digits) in CARD_DIGITS and passes_luhn(digits):
                return True
    return False


def passes_luhn(digits: str) -> bool:
    """The check digit that every payment card has."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


class Problems:
    """Collects what is wrong; each check answers with the value as Dibs keeps it."""

    def __init__(self) -> None:
        self._found: list[InputProblem] = []

    def add(self, path: Path, code: str, message: str) -> None:
        self._found.append(InputProblem(path=path, code=code, message=message))

    @property
    def found(self) -> bool:
        return bool(self._found)

    def refuse(self) -> None:
        """Raise InvalidInput if anything was found."""
        if self._found:
            raise InvalidInput(problems=self.all())

    def all(self) -> tuple[InputProblem, ...]:
        return tuple(self._found)

    def text(self, value: str, path: Path, longest: int = TEXT_LENGTH_MAX) -> str:
        """Text that has to be there."""
        if not is_storable(value):
            self.add(path, "INVALID_CHARACTER", "Text may not contain NUL or lone surrogates.")
            return ""
        value = normal(value)
        if not value:
            self.add(path, "REQUIRED", "This may not be empty.")
        elif len(value) > longest:
            self.add(path, "TOO_LONG", f"This may have at most {longest} characters.")
        return value

    def optional_text(self, value: str | None, path: Path, longest: int = TEXT_LENGTH_MAX) -> str | None:
        """Text that may be absent; blank text is absent."""
        if value is None or (is_storable(value) and not normal(value)):
            return None
        return self.text(value, path, longest)

    def code(self, value: str, path: Path) -> str:
        """A SKU, a number, a code: short text that has to be there."""
        return self.text(value, path, CODE_LENGTH_MAX)

    def optional_code(self, value: str | None, path: Path) -> str | None:
        """A code that may be absent; one that is blank is not absent."""
        return None if value is None else self.code(value, path)

    def whole(self, value: int, path: Path, least: int, most: int) -> int:
        if not least <= value <= most:
            self.add(path, "OUT_OF_RANGE", f"This must be a whole number from {least:,} to {most:,}.")
        return value

    def country(self, value: str | None, path: Path) -> str | None:
        value = self.optional_text(value, path)
        if value is not None and not (len(value) == 2 and value.isascii() and value.isalpha()):
            self.add(path, "NOT_A_COUNTRY_CODE", 'A country is a two-letter code of ISO 3166, such as "GB".')
            return None
        return value.upper() if value else None

    def currency(self, value: str, path: Path) -> str:
        code = value.upper() if value.isascii() else value
        if code not in MINOR_UNITS:
            self.add(path, "NOT_A_CURRENCY_CODE", 'A currency is a three-letter code of ISO 4217, such as "GBP".')
        return code

    def money(self, value: Money | None, path: Path) -> Money | None:
        """What one unit costs, or a bound: it may be finer than what can be paid."""
        return value and Money(
            amount=self.amount(value.amount, (*path, "amount")),
            currency_code=self.currency(value.currency_code, (*path, "currencyCode")),
        )

    def payable(self, value: Money | None, path: Path, *, zero: bool = True) -> Money | None:
        """An amount that is paid: no finer than its currency."""
        before = len(self._found)
        checked = self.money(value, path)
        if checked is None or len(self._found) > before:
            return checked
        if not can_be_paid(checked.amount, checked.currency_code):
            decimals = MINOR_UNITS[checked.currency_code]
            told = f"{checked.currency_code} has {decimals} decimals: round the amount to them."
            self.add((*path, "amount"), "TOO_MANY_DECIMALS", told)
        elif not zero and not checked.amount:
            self.add((*path, "amount"), "OUT_OF_RANGE", "This must be more than zero.")
        return checked

    def no_card(self, value: str | None, path: Path) -> str | None:
        """Text that must not hold the number of a payment card."""
        if value is not None and has_card_number(value):
            told = "This looks like the number of a payment card, which is never kept: send the processor's own id."
            self.add(path, "CARD_DATA", told)
        return value

    def amount(self, value: Decimal, path: Path) -> Decimal:
        if not value.is_finite() or value < 0:
            self.add(path, "OUT_OF_RANGE", "An amount is zero or more.")
        elif len(value.as_tuple().digits) > AMOUNT_DIGITS_MAX or abs(value.adjusted()) > AMOUNT_DIGITS_MAX:
            self.add(path, "TOO_LONG", f"An amount may have at most {AMOUNT_DIGITS_MAX} digits.")
        return value

    def coordinate(self, value: float | None, path: Path, most: int) -> float | None:
        if value is not None and not -most <= value <= most:
            self.add(path, "OUT_OF_RANGE", f"Degrees go from -{most} to {most}.")
        return value

    def time(self, value: datetime | None, path: Path) -> datetime | None:
        """A time without an offset is UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        if not 1900 <= value.year <= 2200:
            self.add(path, "OUT_OF_RANGE", "A time lies between the years 1900 and 2200.")
        return value

    def size(self, count: int, path: Path, most: int = LIST_MAX, least: int = 1) -> None:
        if count < least:
            self.add(path, "REQUIRED", "This list may not be empty.")
        elif count > most:
            self.add(path, "TOO_MANY", f"This list may have at most {most:,} entries.")

    def distinct(self, values: Iterable[Hashable], path: Path, message: str) -> None:
        values = list(values)
        if len(set(values)) == len(values):
            return
        counts: Counter[Hashable] = Counter()
        for index, value in enumerate(values):
            counts[value] += 1
            if counts[value] == 2 and value is not None:
                self.add((*path, str(index)), "DUPLICATE", message)
