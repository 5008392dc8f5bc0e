"""What every object and every list has in common."""

import strawberry


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID = strawberry.field(description="Opaque, unique among all objects, and never given out again.")


@strawberry.type(description="Where a page lies in its list. Connections page forward only.")
class PageInfo:
    """The ends of a page."""

    has_next_page: bool = strawberry.field(description="Whether more follows after `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether the page was asked for with `after`.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first object of the page.")
    end_cursor: str | None = strawberry.field(description="The cursor to give as `after` to get the next page.")
