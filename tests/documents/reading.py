"""PDFs as a reader has them: opened, their text read back, their pages drawn, their barcodes scanned."""

import unicodedata
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import zxingcpp

MM = 25.4 / 72


@dataclass(frozen=True)
class Page:
    """`boxes`: of each character that is seen, in mm from the upper left corner. `barcodes`: of the first page only."""

    text: str
    width: float
    height: float
    barcodes: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...]


def pages(content):
    with pdfium.PdfDocument(content) as document:
        return [_page(page, scan=index == 0) for index, page in enumerate(document)]


def page_count(content):
    with pdfium.PdfDocument(content) as document:
        return len(document)


def text_of(content):
    """All of it, with runs of white space as one space."""
    return " ".join(page.text for page in pages(content))


def _page(page, *, scan):
    text = page.get_textpage()
    width, height = page.get_size()
    return Page(
        text=" ".join(unicodedata.normalize("NFKC", text.get_text_range()).split()),
        width=width * MM,
        height=height * MM,
        barcodes=_barcodes(page) if scan else (),
        boxes=tuple(_boxes(text, height)),
    )


def _barcodes(page):
    image = page.render(scale=4, may_draw_forms=False).to_pil()
    return tuple(found.text for found in zxingcpp.read_barcodes(image))


def _boxes(text, height):
    for index in range(text.count_chars()):
        if chr(pdfium_c.FPDFText_GetUnicode(text, index)).isspace():
            continue
        left, bottom, right, top = text.get_charbox(index)
        yield left * MM, (height - top) * MM, right * MM, (height - bottom) * MM
