"""What commands show: progress on a terminal, plain lines elsewhere, and tables."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dibs import log

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

ISSUES_SHOWN_MAX = 50
LEVELS = {"red": logging.ERROR, "yellow": logging.WARNING}


def remark(sentence: str, *, style: str = "dim") -> None:
    """Something beside what a command is asked for; an event where standard error is for programs to read."""
    if log.writes_json():
        logging.getLogger("dibs").log(LEVELS.get(style, logging.INFO), "%s", sentence)
    else:
        errors.print(sentence, style=style, markup=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A callable that is told (done, total): a bar on a terminal, a line every tenth elsewhere."""
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(title: str) -> Callable[[int, int], None]:
    shown = -1

    def tell(done: int, total: int) -> None:
        nonlocal shown
        tenth = done * 10 // total if total else 10
        if tenth > shown:
            shown = tenth
            console.print(f"{title}: {done:,} of {total:,}")

    return tell


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Numbers to the right, words to the left."""
    rows = list(rows)
    shown = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        shown.add_column(heading, justify="right" if numeric else "left")
    for row in rows:
        shown.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    console.print(shown)


def issues(found: Sequence[tuple[int, str | None, str]]) -> None:
    """Row errors with their line numbers; the first ones in full."""
    for line, order, message in found[:ISSUES_SHOWN_MAX]:
        console.print(f"  line {line}{f', order {order}' if order else ''}: {message}", markup=False)
    if len(found) > ISSUES_SHOWN_MAX:
        console.print(f"  … and {len(found) - ISSUES_SHOWN_MAX:,} more")
