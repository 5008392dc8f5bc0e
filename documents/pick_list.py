"""The pick list as a PDF: a walk from bin to bin, and where each unit goes."""

from collections.abc import Sequence

from documents.bars import code_128, module
from documents.figures import moment
from documents.letter import TITLE, next_page, number_pages
from documents.sheet import PLAIN, QUIET, STRONG, Sheet, Type, paper_for
from documents.table import PADDING, Cell, Column, Flow, Table
from documents.writing import clean, clipped, width
from domain.documents import PickLine, PickList

BIN = Type(size=11, bold=True)
UNITS = Type(size=12, bold=True)
TIMES = "\u00d7"
SIDE = 14.0
BARS_ROOM, BARS_HEIGHT = 75.0, 12.0
BOX = 4.2
"""The side of the square that is ticked."""


def pick_list_pdf(picks: PickList) -> bytes:
    title = f"Pick list {picks.reference}"
    sheet = Sheet(paper_for(picks.country_code, side=SIDE), title, picks.made_at)
    flow = Flow(sheet, _head(sheet, picks), lambda: next_page(sheet, title), sheet.paper.floor)
    _TickedTable(flow, _columns(sheet.paper.room)).draw(map(_row, picks.lines), "Nothing is to be picked.")
    number_pages(sheet, f"{title} · {picks.location_code} · {moment(picks.made_at)}")
    return sheet.content()


def _head(sheet: Sheet, picks: PickList) -> float:
    sheet.add_page()
    left, top = sheet.paper.left, sheet.paper.top
    room = sheet.paper.room - BARS_ROOM - 6
    sheet.fitted(left, top + 6, "Pick list", room, TITLE, 12)
    sheet.fitted(left, top + 13, picks.reference, room, Type(size=11, bold=True), 6)
    sheet.fitted(left, top + 19, f"{picks.location_code} · {picks.location_name}", room, PLAIN, 6)
    sheet.text(left, top + 24, clipped(clean(f"{picks.mode} · {moment(picks.made_at)}"), room, QUIET.size), QUIET)
    _bars(sheet, picks.reference)
    _sums(sheet, picks, top + 31)
    return top + 38


def _bars(sheet: Sheet, reference: str) -> None:
    symbol = code_128(reference)
    wide = symbol and module(symbol.width, BARS_ROOM, most_dots=3)
    if symbol and wide:
        sheet.bars(sheet.paper.right_edge - symbol.width * wide, sheet.paper.top + 1, symbol, wide, BARS_HEIGHT)
        sheet.text_right(sheet.paper.right_edge, sheet.paper.top + BARS_HEIGHT + 5, reference, QUIET)


def _sums(sheet: Sheet, picks: PickList, y: float) -> None:
    """How much there is to do, at a glance."""
    orders = {share.reference for line in picks.lines for share in line.goes_to}
    bins = {line.bin for line in picks.lines if line.bin is not None}
    units = sum(line.quantity for line in picks.lines)
    x = sheet.paper.left
    for count, caption in ((len(bins), "bins"), (len(picks.lines), "lines"), (units, "units"), (len(orders), "orders")):
        sheet.text(x, y, str(count), UNITS)
        sheet.text(x + width(str(count), UNITS.size, bold=True) + 1.5, y, caption, QUIET)
        x += 38


def _columns(room: float) -> list[Column]:
    bin_, sku, units, gap, goes_to = 30.0, 38.0, 17.0, 4.0, 40.0
    item = room + 3 - BOX - 3 - bin_ - sku - units - gap - goes_to
    return [
        Column(title="", width=BOX + 3),
        Column(title="Bin", width=bin_),
        Column(title="SKU", width=sku),
        Column(title="Item", width=item),
        Column(title="Units", width=units, right=True),
        Column(title="", width=gap),
        Column(title="Goes to", width=goes_to),
    ]


def _row(line: PickLine) -> Sequence[Cell]:
    item = [(line.name, PLAIN)]
    if line.barcode:
        item.append((line.barcode, QUIET))
    return [
        [],
        [(line.bin or "no bin", BIN if line.bin else QUIET)],
        [(line.sku, STRONG)],
        item,
        [(str(line.quantity), UNITS)],
        [],
        [(f"{share.quantity} {TIMES} {share.reference}", PLAIN) for share in line.goes_to],
    ]


class _TickedTable(Table):
    """With a square before each row."""

    def _slice(self, cells: Sequence[list[tuple[str, Type]]]) -> list[list[tuple[str, Type]]]:
        if cells[1]:  # the bin stands in a row's first piece only
            self._sheet.frame(self._sheet.paper.left + 0.2, self._flow.y + PADDING + 0.6, BOX, BOX)
        return super()._slice(cells)
