"""What slips and invoices have in common: a letterhead with a window for the address, and numbered pages."""

from collections.abc import Iterable, Sequence

from documents.addresses import address_lines, is_name, place
from documents.sheet import PLAIN, QUIET, STRONG, Sheet, Tone, Type
from documents.table import Flow
from documents.writing import clean, clipped, clipped_lines
from domain.orders import Address

TITLE = Type(size=19, bold=True)
HOUSE = Type(size=11, bold=True)
SENDER = Type(size=6.5, tone=Tone.QUIET)
WINDOW_TOP, WINDOW_WIDTH = 47.0, 82.0
"""Of the part that shows in a window of DIN 5008 form B, and in one of a No. 10 envelope."""
WINDOW_HEIGHT = 38.0
FACTS_LEFT = 122.0
BODY_TOP = 97.0
FOOT = 8.0
FACT = Type(size=8.5)
FACT_LINES = 4

Fact = tuple[str, str | None]
"""A caption and what is to be said; None is left out."""


def letterhead(sheet: Sheet, title: str, sender: Address, to: Address | None, facts: Iterable[Fact]) -> float:
    """The head of the first page; where the body begins."""
    sheet.add_page()
    paper = sheet.paper
    sheet.fitted(paper.left, 24, title, 92, TITLE, 10)
    _house(sheet, sender)
    if to:
        _window(sheet, sender, to)
    return max(BODY_TOP, _facts(sheet, facts) + 6)


def next_page(sheet: Sheet, title: str) -> float:
    """A further page; where the body begins."""
    sheet.add_page()
    sheet.fitted(sheet.paper.left, sheet.paper.top + 3, f"{title}, continued", sheet.paper.room, STRONG, 7)
    return sheet.paper.top + 8


def number_pages(sheet: Sheet, words: str) -> None:
    """The foot of every page, now that their number is known."""
    paper, last = sheet.paper, sheet.pages
    for page in range(1, last + 1):
        sheet.turn_to(page)
        y = paper.height - FOOT
        sheet.rule(paper.left, y - 4, paper.room, 0.12, Tone.HAIR)
        sheet.text(paper.left, y, clipped(clean(words), paper.room - 30, QUIET.size), QUIET)
        sheet.text_right(paper.right_edge, y, f"Page {page} of {last}", QUIET)


def captioned(sheet: Sheet, x: float, y: float, most: float, caption: str, lines: Sequence[str]) -> float:
    """A small block with its caption; where the next thing may stand."""
    sheet.text(x, y, caption, QUIET)
    kept = [part for line in lines for part in clipped_lines(clean(line), most, PLAIN.size, 2)]
    return sheet.block(x, y + QUIET.line + 0.6, [(line, PLAIN) for line in kept], most + 0.1)


def paragraph(flow: Flow, caption: str, texts: Sequence[str]) -> None:
    """What somebody has written, below a caption; nothing if they have not."""
    if not texts:
        return
    flow.need(14)
    flow.y += 5
    flow.text(caption, QUIET)
    for text in texts:
        flow.text(text)


def _house(sheet: Sheet, sender: Address) -> None:
    """Who sends it, in the upper right corner."""
    most = sheet.paper.right_edge - FACTS_LEFT
    name, *rest = address_lines(sender) or [""]
    sheet.fitted(FACTS_LEFT, 19.5, name, most, HOUSE, 7)
    lines = [clipped(clean(line), most, QUIET.size) for line in rest][:5]
    sheet.block(FACTS_LEFT, 24, [(line, QUIET) for line in lines], most + 1)


def _window(sheet: Sheet, sender: Address, to: Address) -> None:
    left = sheet.paper.left
    sheet.fitted(left, WINDOW_TOP + 2, place(sender), WINDOW_WIDTH, SENDER, 5.5)
    sheet.rule(left, WINDOW_TOP + 3.2, WINDOW_WIDTH, 0.12, Tone.HAIR)
    lines = [(line, Type(size=10.5, bold=is_name(line, to))) for line in address_lines(to)]
    sheet.boxed(left, WINDOW_TOP + 5, lines, WINDOW_WIDTH, WINDOW_HEIGHT)


def _facts(sheet: Sheet, facts: Iterable[Fact]) -> float:
    """Captions with what they say, at the right of the window; where they end."""
    y, most = WINDOW_TOP + 2, sheet.paper.right_edge - FACTS_LEFT
    for caption, words in facts:
        if words:
            sheet.text(FACTS_LEFT, y, caption, QUIET)
            lines = clipped_lines(clean(words), most - 24, FACT.size, FACT_LINES)
            y = sheet.block(FACTS_LEFT + 24, y, [(line, FACT) for line in lines], most - 23.9) + 0.7
    return y
