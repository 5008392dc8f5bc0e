"""Forward connections with keyset cursors: a page continues behind a row, so rows that come and go skip nothing."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gql.errors import bad_input
from gql.schema.ids import parse_cursor
from gql.schema.nodes import PageInfo

PAGE_MAX = 100

C = TypeVar("C")


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


def connection(
    kind: Callable[..., C], edges: Sequence[Any], found: int, first: int, after: str | None, **more: Any
) -> C:
    """A page of this kind of connection. `found`: rows that came back when one more than `first` was asked for.

    `more`: what the connection has beside what all of them have.
    """
    info = PageInfo(
        has_next_page=found > first,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return kind(edges=edges, nodes=[edge.node for edge in edges], page_info=info, **more)
