"""Conditions that several tables share."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, any_, func, literal


def any_of(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """One array parameter, so that the statement is the same for any number of values; empty matches nothing."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def starts_with(column: ColumnElement[Any], start: str) -> ColumnElement[bool]:
    """In any case; an index on lower(column) text_pattern_ops serves it."""
    return func.lower(column).startswith(start.lower(), autoescape=True)


def words(column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
    """Every word of the text is somewhere in the column, in any case."""
    return [column.icontains(word, autoescape=True) for word in text.split()]
