"""The rows of an order file gathered into orders; what was left out is listed or counted."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from os import PathLike

from dibs.importing import cells
from dibs.importing.countries import country_code
from dibs.importing.reading import BrokenRow, read_rows
from dibs.importing.refusals import BadCell, RowIssue

REQUIRED_COLUMNS = ("order", "sku", "quantity")
OPTIONAL_COLUMNS = ("channel", "placed_at", "unit_price", "currency", "customer", "country")
ORDER_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS
QUANTITY_MAX = 1_000_000
SERVICE_CODES = "POST,DOT,M,C2,D,S,B,BANK CHARGES,AMAZONFEE,CRUK,PADS,gift_*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLine:
    """One row of goods: `quantity` is 1 to 1,000,000, `unit_price` zero or more."""

    line_number: int
    sku: str
    quantity: int
    unit_price: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedOrder:
    """An order with all of its lines, in the sequence of the file; `placed_at` is in UTC."""

    channel: str
    number: str
    placed_at: datetime | None
    customer: str | None
    country_code: str | None
    lines: tuple[ImportedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCountry:
    """A country name that has no code, and how many of the orders carry it."""

    name: str
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersRead:
    """All that the file said: `rows` is the sum of the orders' lines, the issues, and the three counts of rows."""

    orders: list[ImportedOrder]
    issues: list[RowIssue]
    notes: list[UnknownCountry]
    rows: int
    service_rows_skipped: int
    zero_quantity_rows_skipped: int
    rows_left_out_with_their_order: int
    orders_left_out: int
    orders_without_goods: int


class ServiceCodes:
    """Codes that are no goods, such as postage: `POST,gift_*` in any case, a star for any ending."""

    def __init__(self, codes: str) -> None:
        wanted = filter(None, (_folded(code) for code in codes.split(",")))
        patterns = (re.escape(code).replace(r"\*", ".*") for code in wanted)
        self._pattern = re.compile("|".join(patterns) or r"(?!)", re.DOTALL)

    def match(self, sku: str) -> bool:
        """Whether this is no goods."""
        return self._pattern.fullmatch(_folded(sku)) is not None


Key = tuple[str, str]  # channel, number


@dataclass(slots=True)
class _Gathered:
    placed_at: datetime | None = None
    customer: str | None = None
    country: str | None = None
    lines: list[ImportedLine] = field(default_factory=list)


class _Gathering:
    def __init__(self, default_channel: str, default_currency: str | None, service_codes: str) -> None:
        self._defaults = default_channel, default_currency
        self._is_service = lru_cache(maxsize=8192)(ServiceCodes(service_codes).match)
        self._orders: dict[Key, _Gathered] = {}  # by first appearance, those without goods too
        self._bad_keys: set[Key] = set()
        self._bad_numbers: set[str] = set()
        self._issues: list[RowIssue] = []
        self._guesses: dict[int, list[str]] = {}  # by place in the issues: the numbers that a broken row may belong to
        self._rows = self._service_rows = self._zero_rows = 0

    def add(self, line_number: int, row: dict[str, str]) -> None:
        """Take one row, whatever it says."""
        self._rows += 1
        if self._is_service(row["sku"]):
            self._service_rows += 1
            self._skip(row)
        elif _is_zero(row["quantity"]):
            self._zero_rows += 1
            self._skip(row)
        else:
            self._add_goods(line_number, row)

    def add_broken(self, line_number: int, row: BrokenRow) -> None:
        """Take a row of which only the order it may belong to is of use."""
        self._rows += 1
        self._guesses[len(self._issues)] = [guess["order"] for guess in row.guesses if "order" in guess]
        self._issues.append(RowIssue(line_number=line_number, order=None, message=row.message))

    def _add_goods(self, line_number: int, row: dict[str, str]) -> None:
        number: str | None = None
        key: Key | None = None
        try:
            number = _number(row["order"])
            key = self._channel(row), number
            self._put(key, self._line(line_number, row), row)
        except BadCell as bad:
            self._issues.append(RowIssue(line_number=line_number, order=number, message=str(bad)))
            if key:
                self._bad_keys.add(key)
            elif number:  # of some channel that the row cannot name
                self._bad_numbers.add(number)

    def _line(self, line_number: int, row: dict[str, str]) -> ImportedLine:
        return ImportedLine(
            line_number=line_number,
            sku=_sku(row["sku"]),
            quantity=cells.whole_number(row["quantity"], "quantity", QUANTITY_MAX),
            unit_price=cells.price(row.get("unit_price", "")),
            currency=cells.currency(row.get("currency", "")) or self._defaults[1],
        )

    def _put(self, key: Key, line: ImportedLine, row: dict[str, str]) -> None:
        placed_at = cells.moment(row.get("placed_at", ""))
        customer = cells.words(row.get("customer", ""), "customer")
        country = cells.words(row.get("country", ""), "country")
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = _Gathered()
        if placed_at and (order.placed_at is None or placed_at < order.placed_at):
            order.placed_at = placed_at
        order.customer = order.customer or customer
        order.country = order.country or country
        order.lines.append(line)

    def _skip(self, row: dict[str, str]) -> None:
        try:
            self._orders.setdefault((self._channel(row), _number(row["order"])), _Gathered())
        except BadCell:  # the row counts for nothing, so it does not matter either
            return

    def _channel(self, row: dict[str, str]) -> str:
        text = row.get("channel", "")
        return _channel(text) if text.strip() else self._defaults[0]

    def result(self) -> OrdersRead:
        """Everything taken, once and at the end. An order with a bad row is out as a whole."""
        self._settle_broken_rows()
        countries: Counter[str] = Counter()
        orders: list[ImportedOrder] = []
        left_out = set(self._bad_keys)
        rows_left_out = without_goods = 0
        for key, order in self._orders.items():
            if key in self._bad_keys or key[1] in self._bad_numbers:
                left_out.add(key)
                rows_left_out += len(order.lines)
            elif order.lines:
                orders.append(_imported(key, order, countries))
            else:
                without_goods += 1
        return OrdersRead(
            orders=orders,
            issues=self._issues,
            notes=[UnknownCountry(name=name, orders=count) for name, count in countries.items()],
            rows=self._rows,
            service_rows_skipped=self._service_rows,
            zero_quantity_rows_skipped=self._zero_rows,
            rows_left_out_with_their_order=rows_left_out,
            orders_left_out=len(left_out) + len(self._bad_numbers - {number for _, number in left_out}),
            orders_without_goods=without_goods,
        )

    def _settle_broken_rows(self) -> None:
        """A broken row belongs to the first of its guesses that is the number of some order in the file."""
        known = {number for _, number in (*self._orders, *self._bad_keys)} | self._bad_numbers
        for place, guesses in self._guesses.items():
            if number := next(filter(known.__contains__, map(_found_as, guesses)), None):
                self._bad_numbers.add(number)
                self._issues[place] = replace(self._issues[place], order=number)


def read_orders(
    path: str | PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    default_channel: str,
    default_currency: str | None = None,
    service_codes: str = SERVICE_CODES,
    progress: Callable[[int, int], None] | None = None,
) -> OrdersRead:
    """The orders of a CSV file. Raises ImportRefused where the file as a whole cannot be used."""
    gathering = _Gathering(default_channel, default_currency, service_codes)
    rows = read_rows(
        path, columns=columns or {}, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS, progress=progress
    )
    for line_number, row in rows:
        if isinstance(row, BrokenRow):
            gathering.add_broken(line_number, row)
        else:
            gathering.add(line_number, row)
    return gathering.result()


def _imported(key: Key, order: _Gathered, unknown_countries: Counter[str]) -> ImportedOrder:
    code = country_code(order.country) if order.country else None
    if order.country and not code:
        unknown_countries[order.country] += 1
    return ImportedOrder(
        channel=key[0],
        number=key[1],
        placed_at=order.placed_at,
        customer=order.customer,
        country_code=code,
        lines=tuple(order.lines),
    )


@lru_cache(maxsize=4096)
def _number(text: str) -> str:
    return cells.key(text, "order")


@lru_cache(maxsize=8192)
def _sku(text: str) -> str:
    return cells.key(text, "sku")


@lru_cache(maxsize=512)
def _channel(text: str) -> str:
    return cells.key(text, "channel")


@lru_cache(maxsize=4096)
def _is_zero(quantity: str) -> bool:
    return re.fullmatch("-?0+", quantity.strip()) is not None


def _found_as(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _folded(code: str) -> str:
    return unicodedata.normalize("NFC", code.strip()).casefold()
