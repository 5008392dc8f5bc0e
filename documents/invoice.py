"""The invoice, whole or partial, as a PDF."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time

from documents.addresses import address_lines
from documents.figures import NONE, amount, day
from documents.letter import captioned, letterhead, next_page, number_pages, paragraph
from documents.sheet import PLAIN, QUIET, SMALL, Sheet, Type, paper_for
from documents.table import GUTTER, Cell, Column, Flow, Table
from documents.writing import clean, paragraphs, width
from domain.documents import Invoice, InvoiceLine, InvoiceTotal
from domain.money import Money

TOTAL = Type(size=11, bold=True)
NUMBER_MOST = 32.0
"""The widest a column of amounts grows, in mm; longer ones are broken."""


def invoice_pdf(invoice: Invoice) -> bytes:
    to = invoice.bill_to or invoice.ship_to
    title = f"{'Partial invoice' if invoice.partial else 'Invoice'} {invoice.full_number}"
    paper = paper_for(invoice.seller.country_code, to.country_code if to else None)
    sheet = Sheet(paper, title, datetime.combine(invoice.issued_on, time(), UTC))
    y = letterhead(sheet, title, invoice.seller, to, _facts(invoice))
    flow = Flow(sheet, _above(sheet, invoice, y), lambda: next_page(sheet, title), paper.floor)
    one = _one_currency(invoice)
    rows = [_row(line, one) for line in invoice.lines]
    Table(flow, _columns(paper.room, one, rows)).draw(rows, "No lines are on this invoice.")
    for total in invoice.totals:
        _total(flow, total, tax_included=invoice.tax_included)
    paragraph(flow, "NOTE", paragraphs(invoice.note or ""))
    number_pages(sheet, " · ".join(_foot(invoice, title)))
    return sheet.content()


def _one_currency(invoice: Invoice) -> str | None:
    """Of every amount; None if they differ."""
    codes = {
        money.currency_code for line in invoice.lines for money in (line.unit_price, line.discount, line.tax) if money
    }
    return codes.pop() if len(codes) == 1 else None


def _facts(invoice: Invoice) -> Iterator[tuple[str, str | None]]:
    yield "Invoice", invoice.full_number
    yield "Issued", day(invoice.issued_on)
    yield "Order", invoice.order_number
    yield "Channel", invoice.channel
    yield "Placed", day(invoice.placed_at) if invoice.placed_at else None
    yield "Shipped", day(invoice.shipped_at) if invoice.shipped_at else None
    yield "Seller's tax id", invoice.seller_tax_id
    yield "Contact", invoice.seller_contact


def _foot(invoice: Invoice, title: str) -> Iterator[str]:
    yield title
    if invoice.seller.name:
        yield invoice.seller.name
    if invoice.seller_tax_id:
        yield invoice.seller_tax_id


def _above(sheet: Sheet, invoice: Invoice, y: float) -> float:
    """What stands between the address and the lines; where the lines begin."""
    left, end = sheet.paper.left, y
    if invoice.ship_to and invoice.bill_to and invoice.ship_to != invoice.bill_to:
        end = captioned(sheet, left, y, 85, "SHIPPED TO", address_lines(invoice.ship_to)[:10])
    words = list(_about_parts(invoice))
    if words:
        right = left + 100
        end = max(end, captioned(sheet, right, y, sheet.paper.right_edge - right, "THIS ORDER'S INVOICES", words))
    return end + (3 if end > y else 0)


def _about_parts(invoice: Invoice) -> Iterator[str]:
    if invoice.partial:
        yield "This invoice is for a part of the order."
    shown = invoice.earlier[-12:]
    if len(shown) < len(invoice.earlier):
        yield f"{len(invoice.earlier) - len(shown)} more came before these:"
    for before in shown:
        yield f"Before: {before.number} of {day(before.issued_on)}"


def _columns(room: float, currency: str | None, rows: Sequence[Sequence[Cell]]) -> list[Column]:
    """The items get what the amounts leave. `currency`: of every amount; None if they differ, and each has its own."""
    unit = f", {currency}" if currency else ""
    titles = ["Units", *(f"{title}{unit}" for title in ("Unit price", "Discount", "Tax", "Amount"))]
    columns = [
        Column(title=title, width=_needed(title, [row[index] for row in rows]), right=True)
        for index, title in enumerate(titles, 1)
    ]
    return [Column(title="Item", width=room + GUTTER - sum(column.width for column in columns)), *columns]


def _needed(title: str, cells: Sequence[Cell]) -> float:
    texts = [(title, QUIET), *(text for cell in cells for text in cell)]
    widest = max(width(clean(text), type_.size, bold=type_.bold) for text, type_ in texts)
    return min(NUMBER_MOST, widest + GUTTER + 3)


def _row(line: InvoiceLine, currency: str | None) -> Sequence[Cell]:
    item = [(line.name, PLAIN), (line.sku, QUIET)]
    if line.reference:
        item.append((line.reference, QUIET))
    return [
        item,
        [(str(line.quantity), PLAIN)],
        _figure(line.unit_price, currency),
        _figure(line.discount, currency, sign="-"),
        _figure(line.tax, currency),
        _figure(line.amount, currency),
    ]


def _figure(value: Money | None, currency: str | None, sign: str = "") -> Cell:
    if value is None:
        return [(NONE, PLAIN)]
    words = sign * bool(value.amount) + amount(value.amount, value.currency_code)
    return [(words, PLAIN)] if currency else [(f"{value.currency_code} {words}", SMALL)]


def _total(flow: Flow, total: InvoiceTotal, *, tax_included: bool) -> None:
    """Price, discount, tax and the sum, below the column of amounts."""
    rows: list[tuple[str, str, Type]] = []
    code = total.currency_code
    if total.discount or total.tax:
        rows.append(("Goods", amount(total.goods, code), PLAIN))
    if total.discount:
        rows.append(("Discount", f"-{amount(total.discount, code)}", PLAIN))
    if total.tax and not tax_included:
        rows.append(("Tax", amount(total.tax, code), PLAIN))
    rows.append((f"Total {code}", amount(total.total, code), TOTAL))
    if total.tax and tax_included:
        rows.append(("Tax that is included", amount(total.tax, code), QUIET))
    flow.need(sum(type_.line for _, _, type_ in rows) + 8)
    _draw_total(flow, rows)


def _draw_total(flow: Flow, rows: Sequence[tuple[str, str, Type]]) -> None:
    sheet = flow.sheet
    left, right = sheet.paper.right_edge - 82, sheet.paper.right_edge
    flow.y += 3
    for caption, words, type_ in rows:
        if type_ is TOTAL:
            flow.y += 1
            sheet.rule(left, flow.y, right - left, 0.35)
            flow.y += 0.8
        flow.y += type_.line
        sheet.text(left, flow.y - type_.line * 0.2, caption, type_)
        sheet.text_right(right, flow.y - type_.line * 0.2, words, type_)
