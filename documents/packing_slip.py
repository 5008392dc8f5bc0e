"""The packing slip as a PDF: what lies in the parcel, without prices."""

from collections.abc import Iterator, Sequence

from documents.bars import code_128, module
from documents.figures import NONE, day
from documents.letter import letterhead, next_page, number_pages, paragraph
from documents.sheet import PLAIN, QUIET, STRONG, Sheet, Type, paper_for
from documents.table import Cell, Column, Flow, Table
from documents.writing import paragraphs
from domain.documents import PackedLine, PackingSlip

HERE = Type(size=10.5, bold=True)
BARS_HEIGHT = 9.0


def packing_slip_pdf(slip: PackingSlip) -> bytes:
    title = f"Packing slip {slip.order_number}"
    paper = paper_for(slip.ship_to.country_code, slip.ship_from.country_code)
    sheet = Sheet(paper, title, slip.made_at)
    y = letterhead(sheet, "Packing slip", slip.ship_from, slip.ship_to, _facts(slip))
    _order_bars(sheet, slip.order_number)
    flow = Flow(sheet, y, lambda: next_page(sheet, title), paper.floor)
    Table(flow, _columns(paper.room)).draw(map(_row, slip.lines), "Nothing is in this parcel.")
    _sums(flow, slip)
    paragraph(flow, "GIFT MESSAGE", paragraphs(slip.gift_message or ""))
    paragraph(flow, "NOTE", paragraphs(slip.note or ""))
    number_pages(sheet, f"{title} · {slip.channel}")
    return sheet.content()


def _facts(slip: PackingSlip) -> Iterator[tuple[str, str | None]]:
    yield "Order", slip.order_number
    yield "Channel", slip.channel
    yield "Placed", day(slip.placed_at)
    yield "Shipped", day(slip.shipped_at) if slip.shipped_at else None
    yield "Parcel", f"{slip.parcel} of {slip.parcels}"
    yield "Carrier", slip.carrier
    yield "Tracking", slip.tracking_number


def _order_bars(sheet: Sheet, number: str) -> None:
    """The order's number below the title, for whoever has a scanner."""
    symbol = code_128(number)
    wide = symbol and module(symbol.width, 90, most_dots=2)
    if symbol and wide:
        sheet.bars(sheet.paper.left, 29, symbol, wide, BARS_HEIGHT)


def _columns(room: float) -> list[Column]:
    return [
        Column(title="SKU", width=40),
        Column(title="Item", width=room + 3 - 40 - 3 * 22),
        Column(title="Ordered", width=22, right=True),
        Column(title="In this parcel", width=22, right=True),
        Column(title="Still to come", width=22, right=True),
    ]


def _row(line: PackedLine) -> Sequence[Cell]:
    item = [(line.name, PLAIN)]
    if line.reference:
        item.append((line.reference, QUIET))
    item += [(text, STRONG) for text in paragraphs(line.note or "")]
    return [
        [(line.sku, PLAIN)],
        item,
        [(str(line.ordered), PLAIN)],
        [(str(line.in_parcel), HERE)],
        [(str(line.to_come) if line.to_come else NONE, PLAIN)],
    ]


def _sums(flow: Flow, slip: PackingSlip) -> None:
    here, to_come = sum(line.in_parcel for line in slip.lines), sum(line.to_come for line in slip.lines)
    words = f"{here} {'unit' if here == 1 else 'units'} in this parcel"
    if to_come:
        words += f", {to_come} still to come"
    flow.need(10)
    flow.y += 6
    flow.sheet.text_right(flow.sheet.paper.right_edge, flow.y, words, STRONG)
