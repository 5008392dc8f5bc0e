"""Rows that flow over as many pages as they need, below heads that every page repeats."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from documents.sheet import PLAIN, QUIET, Sheet, Tone, Type
from documents.writing import clean, wrapped

PADDING = 1.5
"""Above and below the text of a row, in mm."""
GUTTER = 3
"""Between columns, in mm."""

Cell = Sequence[tuple[str, Type]]
"""Texts below each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`width` in mm, the gutter to the next with it."""

    title: str
    width: float
    right: bool = False

    @property
    def room(self) -> float:
        return self.width - GUTTER


class Flow:
    """Where on which page the next thing stands."""

    def __init__(self, sheet: Sheet, y: float, next_page: Callable[[], float], floor: float) -> None:
        """`next_page` adds a page with its head, and says where to go on there."""
        self.sheet, self.y = sheet, y
        self._next_page, self.floor = next_page, floor

    @property
    def space(self) -> float:
        return self.floor - self.y

    def turn(self) -> None:
        self.y = self._next_page()

    def need(self, height: float) -> None:
        """Go to the next page unless so much is left on this one."""
        if self.space < height:
            self.turn()

    def text(self, text: str, type_: Type = PLAIN, *, indent: float = 0) -> None:
        """A paragraph over the full width."""
        sheet = self.sheet
        for line in wrapped(clean(text), sheet.paper.room - indent, type_.size, bold=type_.bold):
            self.need(type_.line)
            self.y += type_.line
            sheet.text(sheet.paper.left + indent, self.y - type_.line * 0.25, line, type_)


class Table:
    """Draws rows into a flow."""

    def __init__(self, flow: Flow, columns: Sequence[Column]) -> None:
        assert sum(column.width for column in columns) <= flow.sheet.paper.room + GUTTER + 0.01
        self._flow, self._columns, self._sheet = flow, columns, flow.sheet
        self._length = sum(column.width for column in columns) - GUTTER

    def draw(self, rows: Iterable[Sequence[Cell]], nothing: str) -> None:
        """`nothing`: what stands there if there are no rows."""
        self._head()
        empty = True
        for row in rows:
            empty = False
            self._row(row)
        if empty:
            self._row([[(nothing, Type(size=9, tone=Tone.QUIET))], *([] for _ in self._columns[1:])], wide=True)

    def _head(self) -> None:
        titles = [self._lines([(column.title, QUIET)], column.room) for column in self._columns]
        lines = max(map(len, titles))
        self._flow.need(QUIET.line * lines + 12)
        top = self._flow.y
        for column, x, found in zip(self._columns, self._lefts(), titles, strict=True):
            for index, (text, type_) in enumerate(found):
                self._put(column, x, top + QUIET.line * (lines - len(found) + index + 0.75), text, type_)
        self._flow.y = top + QUIET.line * lines + 1.2
        self._sheet.rule(self._sheet.paper.left, self._flow.y, self._length, 0.35)

    def _row(self, row: Sequence[Cell], *, wide: bool = False) -> None:
        """In one piece if a page can hold it, or else on as many as it takes."""
        rooms = [self._length] * len(row) if wide else [column.room for column in self._columns]
        cells = [self._lines(cell, room) for cell, room in zip(row, rooms, strict=True)]
        height = max(sum(type_.line for _, type_ in cell) for cell in cells) + 1.5
        if height + 2 * PADDING > self._flow.space:
            whole = height < self._flow.floor * 0.6
            if whole or self._flow.space < 15:
                self._turn()
        while any(cells):
            cells = self._slice(cells)
            if any(cells):
                self._turn()

    def _slice(self, cells: Sequence[list[tuple[str, Type]]]) -> list[list[tuple[str, Type]]]:
        """Draw what fits; what is left."""
        flow, bottom, left = self._flow, 0.0, []
        baseline = max((_baseline(cell[0][1]) for cell in cells if cell), default=0.0)
        for column, x, cell in zip(self._columns, self._lefts(), cells, strict=True):
            y, index = flow.y + PADDING, 0
            y += baseline - _baseline(cell[0][1]) if cell else 0  # small type stands on the line of the large
            for text, type_ in cell:
                if y + type_.line > flow.floor - PADDING:
                    break
                self._put(column, x, y + _baseline(type_), text, type_)
                y, index = y + type_.line, index + 1
            bottom = max(bottom, y)
            left.append(cell[index:])
        flow.y = bottom + PADDING
        self._sheet.rule(self._sheet.paper.left, flow.y, self._length, 0.12, Tone.HAIR)
        return left

    def _turn(self) -> None:
        self._flow.turn()
        self._head()

    def _lefts(self) -> list[float]:
        lefts, x = [], self._sheet.paper.left
        for column in self._columns:
            lefts.append(x)
            x += column.width
        return lefts

    def _put(self, column: Column, x: float, y: float, text: str, type_: Type) -> None:
        if column.right:
            self._sheet.text_right(x + column.room, y, text, type_)
        else:
            self._sheet.text(x, y, text, type_)

    def _lines(self, cell: Cell, room: float) -> list[tuple[str, Type]]:
        return [
            (line, type_) for text, type_ in cell for line in wrapped(clean(text), room, type_.size, bold=type_.bold)
        ]


def _baseline(type_: Type) -> float:
    """Below the upper edge of a line."""
    return type_.line * 0.75
