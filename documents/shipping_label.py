"""The shipping label as a PDF of 4 by 6 inches."""

from dataclasses import dataclass

from documents.addresses import address_lines, is_name
from documents.bars import DOT, Symbol, code_128, module, sscc_in_words, sscc_symbol
from documents.figures import NONE, day, weight
from documents.sheet import LABEL, Sheet, Type
from domain.documents import ShippingLabel

CARRIER = Type(size=18, bold=True)
SERVICE = Type(size=11)
TO_NAME = Type(size=15, bold=True)
TO = Type(size=13)
FROM = Type(size=8)
FIGURE = Type(size=10, bold=True)
NUMBER = Type(size=11, bold=True)
CAPTION = Type(size=6.5)
TRACKING_HEIGHT = 22.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A caption and what it is about, for the band in the middle."""

    caption: str
    words: str


def shipping_label_pdf(label: ShippingLabel) -> bytes:
    sheet = Sheet(LABEL, f"Shipping label {label.reference}", label.made_at)
    sheet.add_page()
    _from_and_carrier(sheet, label)
    _to(sheet, label)
    _figures(sheet, label)
    _tracking(sheet, label)
    _sscc(sheet, label)
    return sheet.content()


def figures(label: ShippingLabel) -> list[Figure]:
    """What the label says beside addresses and numbers."""
    return [
        Figure("REFERENCE", label.reference),
        Figure("DATE", day(label.made_at)),
        Figure("WEIGHT", NONE if label.weight_grams is None else weight(label.weight_grams)),
        Figure("PARCEL", f"{label.parcel} of {label.parcels}"),
    ]


def _from_and_carrier(sheet: Sheet, label: ShippingLabel) -> None:
    left, right = LABEL.left, LABEL.right_edge
    sheet.text(left, 7.2, "FROM", CAPTION)
    sheet.boxed(left, 8.4, [(line, FROM) for line in address_lines(label.ship_from)], 46, 23.5)
    sheet.upright(54, 4, 28)
    sheet.text(57, 7.2, "CARRIER", CAPTION)
    sheet.boxed(57, 8.4, [(label.carrier or NONE, CARRIER), (label.service or "", SERVICE)], right - 57, 23.5)
    sheet.rule(left, 33, LABEL.room, 0.5)


def _to(sheet: Sheet, label: ShippingLabel) -> None:
    sheet.text(LABEL.left, 37, "SHIP TO", CAPTION)
    to = label.ship_to
    lines = [(line, TO_NAME if is_name(line, to) else TO) for line in address_lines(to)]
    sheet.boxed(LABEL.left + 3, 38.2, lines, LABEL.room - 3, 41.8)
    sheet.rule(LABEL.left, 81, LABEL.room, 0.5)


def _figures(sheet: Sheet, label: ShippingLabel) -> None:
    x = LABEL.left
    for figure, room in zip(figures(label), (33.0, 24.0, 19.0, 15.6), strict=True):
        sheet.text(x, 84.5, figure.caption, CAPTION)
        sheet.fitted(x, 89, figure.words, room - 1.5, FIGURE, 4.5)
        x += room
    sheet.rule(LABEL.left, 91.5, LABEL.room, 0.5)


def _tracking(sheet: Sheet, label: ShippingLabel) -> None:
    """With nothing below it, it has room to be higher."""
    number = label.tracking_number or ""
    high = TRACKING_HEIGHT if label.sscc else TRACKING_HEIGHT + 25
    sheet.text(LABEL.left, 95, "TRACKING", CAPTION)
    _centred_bars(sheet, 96.3, code_128(number), 3, high)
    sheet.fitted_centred(LABEL.width / 2, 96.3 + high + 4.2, number or NONE, LABEL.room, NUMBER, 5)


def _sscc(sheet: Sheet, label: ShippingLabel) -> None:
    symbol = sscc_symbol(label.sscc)
    if symbol is None or label.sscc is None:
        return
    sheet.rule(LABEL.left, 124, LABEL.room, 0.5)
    sheet.text(LABEL.left, 127.2, "SSCC", CAPTION)
    _centred_bars(sheet, 128.2, symbol, 4, 152.4 - 128.2 - 7.5)
    sheet.fitted_centred(LABEL.width / 2, 149.4, sscc_in_words(label.sscc), LABEL.room, NUMBER, 5)


def _centred_bars(sheet: Sheet, y: float, symbol: Symbol | None, most_dots: int, high: float) -> None:
    wide = symbol and module(symbol.width, LABEL.width - 2 * DOT, most_dots)
    if symbol and wide:
        sheet.bars((LABEL.width - symbol.width * wide) / 2, y, symbol, wide, high)
