"""Is the input well formed? Every problem is found, each with its path as the caller wrote it."""

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from domain.errors import InputProblem, InvalidInput

ORDER_QUANTITY_MAX = 1_000_000
"""The most units of one order line."""
PRIORITY_MAX = 1_000_000
CODE_LENGTH_MAX = 100
"""Of SKUs, order numbers, codes, references and idempotency keys."""
TEXT_LENGTH_MAX = 500
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
        if not (len(value) == 3 and value.isascii() and value.isalpha()):
            self.add(path, "NOT_A_CURRENCY_CODE", 'A currency is a three-letter code of ISO 4217, such as "GBP".')
        return value.upper()

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
