"""A CSV file as rows of text under our own names of the columns, whatever the file calls them."""

import csv
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from dibs.importing.files import ROW_LINES_MAX, Lines, open_lines
from dibs.importing.refusals import ImportRefused, shown

HEADINGS_SHOWN_MAX = 30
ROWS_BETWEEN_PROGRESS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRow:
    """A row whose cells cannot be told apart or read.

    `guesses` are what it may have said, the likeliest first: its cells counted from the left, and where there are too
    many also from the right. They are good for naming the order that has to be left out, and for nothing else.
    """

    message: str
    guesses: tuple[dict[str, str], ...]


Row = dict[str, str] | BrokenRow
Places = Sequence[tuple[str, int]]


def parse_map(values: Iterable[str], names: Collection[str]) -> dict[str, str]:
    """`["order=InvoiceNo", …]` as a mapping from our name of a column to the file's heading."""
    columns: dict[str, str] = {}
    for value in values:
        name, equals, heading = (part.strip() for part in value.partition("="))
        if not (name and equals and heading):
            raise ImportRefused(f"--map {shown(value)} is not understood: write NAME=HEADING, as in order=InvoiceNo.")
        if name not in names:
            raise ImportRefused(f"--map knows no column {shown(name)}: the columns are {', '.join(names)}.")
        if name in columns:
            raise ImportRefused(f"--map names the column {name} twice: {shown(columns[name])} and {shown(heading)}.")
        columns[name] = heading
    return columns


def read_rows(
    path: str | PathLike[str],
    *,
    columns: Mapping[str, str],
    required: Collection[str],
    optional: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, Row]]:
    """Each row's line number (the physical line it starts on, from 1) and its cells by our names, as they stand.

    `columns` says which heading each name has in the file; a name that it leaves out is its own heading. Optional names
    that the file lacks are absent from the rows. `progress` is told the bytes read so far and the bytes in all, as they
    lie on disk. Raises ImportRefused: at the first row for a file that cannot be used, and later on if it turns out to
    be damaged, so write nothing for good before the last row.
    """
    file = Path(path)
    with open_lines(file) as (lines, bytes_done, bytes_total):
        headings = _headings(file, lines)
        cells_of = _positions(file, headings, columns, required, optional)
        for count, numbered in enumerate(_rows(lines, len(headings), cells_of)):
            if progress and count % ROWS_BETWEEN_PROGRESS == 0:
                progress(bytes_done(), bytes_total)
            yield numbered
        if progress:
            progress(bytes_total, bytes_total)


def _rows(lines: Lines, width: int, positions: Mapping[str, int]) -> Iterator[tuple[int, Row]]:
    reader = csv.reader(lines.pull(), strict=True)
    places = tuple(positions.items())
    while True:
        line_number = lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line_number, BrokenRow(message=_why(error), guesses=_guesses_at(lines.held[0], width, places))
        else:
            if len(cells) == width and not lines.flaw():
                yield line_number, {name: cells[place] for name, place in places}
                continue
            if not lines.held[0].strip():  # a blank line
                continue
            message = lines.flaw() or f"the row has {len(cells)} cells where the headings are {width}"
            yield line_number, BrokenRow(message=message, guesses=_guesses(cells, width, places))
            if len(cells) == width and not lines.too_long():  # only its text is bad, it ends where it seems to end
                continue
        # A stray quotation mark may have swallowed the rows that follow: they get a reading of their own.
        lines.rewind()
        reader = csv.reader(lines.pull(), strict=True)


def _guesses(cells: Sequence[str], width: int, places: Places) -> tuple[dict[str, str], ...]:
    from_the_left = {name: cells[place] for name, place in places if place < len(cells)}
    if len(cells) <= width:
        return (from_the_left,)
    return (from_the_left, {name: cells[place - width] for name, place in places})


def _guesses_at(line: str, width: int, places: Places) -> tuple[dict[str, str], ...]:
    """What a line may say whose quotation marks are wrong: once with them, once without."""
    guesses: tuple[dict[str, str], ...] = ()
    for text in (line, line.replace('"', "")):
        with suppress(csv.Error):
            guesses += _guesses(next(csv.reader([text]), []), width, places)
    return guesses


def _why(error: csv.Error) -> str:
    reason = str(error)
    if "field limit" in reason:
        return f"a cell has more than {csv.field_size_limit():,} characters: is a quotation mark left open?"
    if "end of data" in reason:
        return f"a quotation mark is opened and not closed within {ROW_LINES_MAX} lines"
    if "expected after" in reason:
        return "text follows a closing quotation mark: a quotation mark within a cell is written twice"
    return f"the row is not CSV ({reason})"


def _headings(path: Path, lines: Lines) -> list[str]:
    """The first row that is not blank; leaves the lines after it to be read."""
    reader = csv.reader(lines.pull(), strict=True)
    cells: list[str] = []
    while not any(map(str.strip, cells)):
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            raise ImportRefused(f"{path.name!r} has no headings: its first line must name the columns.") from None
        except csv.Error as error:
            raise ImportRefused(f"The headings of {path.name!r} cannot be read: {_why(error)}.") from error
        if flaw := lines.flaw():
            raise ImportRefused(f"{path.name!r} does not look like a CSV file: in its headings {flaw}.")
    return cells


def _positions(
    path: Path,
    headings: Sequence[str],
    columns: Mapping[str, str],
    required: Collection[str],
    optional: Collection[str],
) -> dict[str, int]:
    """Where in a row each name is found; refuses what cannot be found, or is found twice."""
    assert not set(columns) - {*required, *optional}
    wanted = {name: _plain(columns.get(name, name)) for name in (*required, *optional)}
    plain = [_plain(heading) for heading in headings]
    missing = [
        name for name, heading in wanted.items() if heading not in plain and (name in columns or name in required)
    ]
    if missing:
        raise ImportRefused(_what_is_missing(path, headings, columns, missing))
    times = Counter(plain)
    for name, heading in wanted.items():
        if times[heading] > 1:
            raise ImportRefused(
                f"{path.name!r} has {times[heading]} columns headed {shown(heading)}, so {name} could be either: rename"
                " one, or choose another with --map."
            )
    return {name: plain.index(heading) for name, heading in wanted.items() if heading in times}


def _what_is_missing(path: Path, headings: Sequence[str], columns: Mapping[str, str], missing: Sequence[str]) -> str:
    found = ", ".join(map(shown, headings[:HEADINGS_SHOWN_MAX])) + (", …" if len(headings) > HEADINGS_SHOWN_MAX else "")
    wanted = ", ".join(f"{name} ({shown(columns[name])})" if name in columns else name for name in missing)
    if len(headings) == 1 and (separator := next((mark for mark in ";\t|" if mark in headings[0]), None)):
        return f"{path.name!r} separates its columns by {separator!r}: save it with commas. Its headings are {found}."
    maps = " ".join(f"--map {name}=HEADING" for name in missing)
    return f"{path.name!r} has no column for {wanted}. Its headings are {found}. Say which is which: {maps}."


def _plain(heading: str) -> str:
    return unicodedata.normalize("NFC", heading.strip()).casefold()
