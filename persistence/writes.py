"""Writes of many rows, as arrays: none where there is nothing to write."""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from persistence.driver import Statement, Write


def records(statement: Statement, rows: list[dict[str, Any]]) -> Iterator[Write]:
    if rows:
        yield Write(statement, {"rows": rows})


def arrays(statement: Statement, columns: Mapping[str, list[Any]]) -> Iterator[Write]:
    if any(columns.values()):
        yield Write(statement, columns)


def guarded(statement: Statement, columns: Mapping[str, list[Any]]) -> Iterator[Write]:
    """Every row must still be as it was read."""
    rows = len(next(iter(columns.values())))
    if rows:
        yield Write(statement, columns, rows)


def attributes(rows: Sequence[object], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """One list a column, to be sent as an array: of each row the attribute that the column is named for."""
    return {column: list(map(attrgetter(name), rows)) for column, name in names.items()}
