"""Forward connections with keyset cursors: a page continues behind a row, so rows that come and go skip nothing."""

from collections.abc import Sequence
from typing import Any

from gql.errors import bad_input
from gql.schema.ids import parse_cursor
from gql.schema.nodes import PageInfo

PAGE_MAX = 100


def page_size(first: int) -> int:
    if not 1 <= first <= PAGE_MAX:
        raise bad_input(f"`first` must lie between 1 and {PAGE_MAX}.")
    return first


def seek(kind: str, after: str | None, types: Sequence[type]) -> tuple[Any, ...] | None:
    """The sort key to continue behind."""
    if after is None:
        return None
    found = parse_cursor(kind, after, types)
    if found is None:
        raise bad_input("`after` is not a cursor of this list.")
    return found


def page_info(cursors: Sequence[str], found: int, first: int, after: str | None) -> PageInfo:
    """`found`: rows that came back when one more than `first` was asked for."""
    return PageInfo(
        has_next_page=found > first,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
