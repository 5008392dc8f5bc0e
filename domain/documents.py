"""What stands in the documents that go with goods: labels, slips, pick lists, invoices. Facts only; nothing is drawn.

Each document carries the time or date that is its own, so that the same facts always give the same document.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import TypeAlias

from domain.money import Money
from domain.orders import Address

EXACT = Context(prec=100)
"""More digits than any sum of amounts has: nothing is ever rounded."""

ZERO = Decimal(0)


class DocumentForm(StrEnum):
    """How a document is written down."""

    PDF = "PDF"
    ZPL = "ZPL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A document as it is handed out."""

    content: bytes
    content_type: str
    file_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingLabel:
    """What is stuck on parcel `parcel` of `parcels`. `reference`: the sender's own, such as the order's number."""

    reference: str
    made_at: datetime
    ship_from: Address
    ship_to: Address
    carrier: str | None = None
    service: str | None = None
    tracking_number: str | None = None
    sscc: str | None = None
    weight_grams: int | None = None
    parcel: int = 1
    parcels: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLine:
    """A line of the order, in units. `to_come`: neither in this parcel nor in one before. `note`: customisation."""

    sku: str
    name: str
    ordered: int
    in_parcel: int
    to_come: int = 0
    reference: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingSlip:
    """What lies in the parcel for whoever opens it; no prices."""

    order_number: str
    channel: str
    placed_at: datetime
    ship_from: Address
    ship_to: Address
    lines: tuple[PackedLine, ...]
    shipped_at: datetime | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    parcel: int = 1
    parcels: int = 1
    gift_message: str | None = None
    note: str | None = None

    @property
    def made_at(self) -> datetime:
        return self.shipped_at or self.placed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PickShare:
    """Units of a pick that go to one order or fulfillment."""

    reference: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PickLine:
    """Units of a SKU to be taken from one bin, and where they go."""

    sku: str
    name: str
    quantity: int
    bin: str | None = None
    barcode: str | None = None
    goes_to: tuple[PickShare, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PickList:
    """What a picker collects on one walk. Draw `lines` as they stand: `by_bin` arranges them."""

    reference: str
    mode: str
    made_at: datetime
    location_code: str
    location_name: str
    lines: tuple[PickLine, ...]
    country_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """So many units at a price. `discount` and `tax` are of the whole line, as the channel gave them."""

    sku: str
    name: str
    quantity: int
    unit_price: Money | None = None
    discount: Money | None = None
    tax: Money | None = None
    reference: str | None = None

    @property
    def amount(self) -> Money | None:
        """Price times quantity less discount, without what tax adds; None where no price is known."""
        if self.unit_price is None:
            return None
        currency = self.unit_price.currency_code
        goods = EXACT.multiply(self.unit_price.amount, Decimal(self.quantity))
        off = self.discount.amount if self.discount and self.discount.currency_code == currency else ZERO
        return Money(amount=EXACT.subtract(goods, off), currency_code=currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTotal:
    """All lines in one currency. `total` = goods - discount, and + tax unless the prices include it."""

    currency_code: str
    goods: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierInvoice:
    """An invoice of the same order that came before."""

    number: str
    issued_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """`number`: gapless in its `series`. `tax_included`: the prices have the tax in them.

    `partial`: it is for what was shipped, and more of the order may follow.
    """

    series: str
    number: int
    issued_on: date
    seller: Address
    order_number: str
    channel: str
    lines: tuple[InvoiceLine, ...]
    seller_tax_id: str | None = None
    seller_contact: str | None = None
    bill_to: Address | None = None
    ship_to: Address | None = None
    placed_at: datetime | None = None
    shipped_at: datetime | None = None
    tax_included: bool = False
    partial: bool = False
    earlier: tuple[EarlierInvoice, ...] = ()
    note: str | None = None

    @property
    def full_number(self) -> str:
        return invoice_number(self.series, self.number)

    @property
    def totals(self) -> tuple[InvoiceTotal, ...]:
        """Exact, one for each currency, in the sequence in which the lines bring them up."""
        sums: dict[str, _Sum] = {}
        for line in self.lines:
            if line.unit_price:
                units = EXACT.multiply(line.unit_price.amount, Decimal(line.quantity))
                _sum(sums, line.unit_price).goods.append(units)
            if line.discount:
                _sum(sums, line.discount).discounts.append(line.discount.amount)
            if line.tax:
                _sum(sums, line.tax).taxes.append(line.tax.amount)
        return tuple(found.total(currency, tax_included=self.tax_included) for currency, found in sums.items())


Document: TypeAlias = ShippingLabel | PackingSlip | PickList | Invoice


def invoice_number(series: str, number: int) -> str:
    """As it is printed and asked for: `INV-000042`."""
    return f"{series}-{number:06}"


def by_bin(lines: Iterable[PickLine]) -> tuple[PickLine, ...]:
    """As a picker walks: A-2 before A-10, what has no bin last, and in one bin by SKU."""
    return tuple(sorted(lines, key=lambda line: (line.bin is None, _natural(line.bin or ""), line.sku)))


def _natural(text: str) -> Sequence[tuple[int, int, str]]:
    """Numbers in it compare as numbers, and come before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


class _Sum:
    """What the lines add up to in one currency."""

    def __init__(self) -> None:
        self.goods: list[Decimal] = []
        self.discounts: list[Decimal] = []
        self.taxes: list[Decimal] = []

    def total(self, currency: str, *, tax_included: bool) -> InvoiceTotal:
        goods, discount, tax = _added(self.goods), _added(self.discounts), _added(self.taxes)
        total = EXACT.subtract(goods, discount)
        return InvoiceTotal(
            currency_code=currency,
            goods=goods,
            discount=discount,
            tax=tax,
            total=total if tax_included else EXACT.add(total, tax),
        )


def _sum(sums: dict[str, _Sum], money: Money) -> _Sum:
    return sums.setdefault(money.currency_code, _Sum())


def _added(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
