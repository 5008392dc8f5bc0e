"""Paper to draw on: text, rules and bars at places in mm, and what every document of several pages has.

Sizes of text are in points, everything else is in mm; y of a text is its baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from fpdf import FPDF
from fpdf.enums import TextMode

from documents.bars import Symbol
from documents.typefaces import BOLD, Typeface
from documents.writing import MM_PER_POINT, PARTS_MOST, clean, clipped, clipped_lines, runs, width, wrapped

LEADING = 1.36
"""From one baseline to the next, in sizes of the text."""
LETTER_COUNTRIES = frozenset({"US", "CA"})


class Tone(Enum):
    """How dark something is printed."""

    INK = 20
    QUIET = 105
    HAIR = 190


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """`left`, `right`, `top` and `bottom` are the margins."""

    width: float
    height: float
    left: float = 22
    right: float = 18
    top: float = 16
    bottom: float = 18

    @property
    def right_edge(self) -> float:
        return self.width - self.right

    @property
    def room(self) -> float:
        return self.width - self.left - self.right

    @property
    def floor(self) -> float:
        return self.height - self.bottom


A4 = Paper(width=210, height=297)
LETTER = Paper(width=215.9, height=279.4)
LABEL = Paper(width=101.6, height=152.4, left=5, right=5, top=4, bottom=4)


def paper_for(*country_codes: str | None, side: float | None = None) -> Paper:
    """What printers hold in the first country that is known; A4 for all but North America."""
    known = next((code for code in country_codes if code), None)
    paper = LETTER if known in LETTER_COUNTRIES else A4
    return paper if side is None else replace(paper, left=side, right=side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """How a text looks."""

    size: float = 9
    bold: bool = False
    tone: Tone = Tone.INK

    @property
    def line(self) -> float:
        """Height of a line in mm."""
        return self.size * MM_PER_POINT * LEADING


PLAIN = Type()
STRONG = Type(bold=True)
SMALL = Type(size=7.5)
QUIET = Type(size=7.5, tone=Tone.QUIET)
"""For the captions of things."""


class Sheet:
    """Pages of one document. `made_at`: the document's own time, so that the same facts give the same bytes."""

    def __init__(self, paper: Paper, title: str, made_at: datetime) -> None:
        self.paper = paper
        self._pdf = FPDF(unit="mm", format=(paper.width, paper.height))
        self._pdf.set_margin(0)
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_creation_date(made_at)
        self._pdf.set_title(clean(title))
        self._pdf.set_creator("Dibs")
        self._known: set[Typeface] = set()

    @property
    def pages(self) -> int:
        return len(self._pdf.pages)

    def add_page(self) -> None:
        self._pdf.add_page()

    def turn_to(self, page: int) -> None:
        """Go on drawing on a page that is there already."""
        self._pdf.page = page
        self._pdf.current_font_is_set_on_page = False

    def text(self, x: float, y: float, text: str, type_: Type = PLAIN) -> None:
        """One line from x on. Any text may be given."""
        for face, run in runs(clean(text), bold=type_.bold):
            self._use(face, type_)
            if type_.bold and face.name != BOLD:
                with self._pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=type_.size * 0.011):
                    self._pdf.text(x, y, run)
            else:
                self._pdf.text(x, y, run)
            x += sum(face.advances[character] for character in run) * type_.size * MM_PER_POINT

    def text_right(self, x: float, y: float, text: str, type_: Type = PLAIN) -> None:
        """One line that ends at x."""
        self.text(x - width(clean(text), type_.size, bold=type_.bold), y, text, type_)

    def text_centred(self, x: float, y: float, text: str, type_: Type = PLAIN) -> None:
        self.text(x - width(clean(text), type_.size, bold=type_.bold) / 2, y, text, type_)

    def fitted(self, x: float, y: float, text: str, most: float, type_: Type, least: float) -> None:
        """One line that grows smaller down to so many points, and is then cut off, to be no wider than `most`."""
        self.text(x, y, *_fitted(text, most, type_, least))

    def fitted_centred(self, x: float, y: float, text: str, most: float, type_: Type, least: float) -> None:
        self.text_centred(x, y, *_fitted(text, most, type_, least))

    def block(self, x: float, y: float, lines: Sequence[tuple[str, Type]], most: float) -> float:
        """Lines below each other, broken where they are too wide; where the next would stand."""
        for text, type_ in lines:
            for line in wrapped(clean(text), most, type_.size, bold=type_.bold):
                self.text(x, y, line, type_)
                y += type_.line
        return y

    def boxed(self, x: float, y: float, lines: Sequence[tuple[str, Type]], wide: float, high: float) -> None:
        """Lines below each other from the upper edge y on, all smaller or broken as the box asks for.

        What does not fit even so is left out.
        """
        for percent in (100, 92, 84, 76, 68, 60, 54, 48, 42):
            found = [
                (line, replace(type_, size=size))
                for text, type_ in lines
                for size in [type_.size * percent / 100]
                for line in clipped_lines(clean(text), wide, size, PARTS_MOST, bold=type_.bold)
            ]
            if sum(type_.line for _, type_ in found) <= high:
                break
        for line, type_ in found:
            if (high := high - type_.line) < 0:
                break
            self.text(x, y + type_.line * 0.75, line, type_)
            y += type_.line

    def rule(self, x: float, y: float, length: float, weight: float = 0.2, tone: Tone = Tone.INK) -> None:
        self._pdf.set_fill_color(tone.value)
        self._pdf.rect(x, y - weight / 2, length, weight, style="F")

    def upright(self, x: float, y: float, length: float, weight: float = 0.2) -> None:
        self._pdf.set_fill_color(Tone.INK.value)
        self._pdf.rect(x - weight / 2, y, weight, length, style="F")

    def frame(self, x: float, y: float, wide: float, high: float, weight: float = 0.25) -> None:
        self._pdf.set_draw_color(Tone.INK.value)
        self._pdf.set_line_width(weight)
        self._pdf.rect(x, y, wide, high)

    def bars(self, x: float, y: float, symbol: Symbol, module: float, high: float) -> None:
        """Quite black: scanners see red light."""
        self._pdf.set_fill_color(0)
        for bar in symbol.bars:
            self._pdf.rect(x + bar.start * module, y, bar.width * module, high, style="F")

    def content(self) -> bytes:
        return bytes(self._pdf.output())

    def _use(self, face: Typeface, type_: Type) -> None:
        if face not in self._known:
            self._pdf.add_font(face.name, fname=face.file)
            self._known.add(face)
        self._pdf.set_font(face.name, size=type_.size)
        self._pdf.set_text_color(type_.tone.value)


def _fitted(text: str, most: float, type_: Type, least: float) -> tuple[str, Type]:
    text = clean(text)
    wide = width(text, type_.size, bold=type_.bold)
    size = max(least, min(type_.size, type_.size * most / wide)) if wide else type_.size
    return clipped(text, most + 0.01, size, bold=type_.bold), replace(type_, size=size)
