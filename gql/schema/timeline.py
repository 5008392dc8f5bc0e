"""An order's timeline: who did what, and when."""

from datetime import datetime

import strawberry

from domain import kinds
from domain.ids import OrderId
from domain.timeline import Entry
from gql.context import Info
from gql.pagination import connection, page_size, seek
from gql.schema.events import Event, event_of
from gql.schema.ids import cursor
from gql.schema.nodes import PageInfo
from services.timeline import place, timeline


@strawberry.type(description="Somebody did something, or something happened.")
class TimelineEntry:
    """One thing that happened."""

    entry: strawberry.Private[Entry]
    kind: kinds.TimelineKind = strawberry.field(description="What it is about.")
    words: str = strawberry.field(description="What happened, in a sentence for people; it may be worded anew.")
    actor: str | None = strawberry.field(
        description="Who did it: the name of an API key, or of Dibs itself; null where it happened before that was "
        "kept."
    )
    occurred_at: datetime = strawberry.field(description="When.")

    @strawberry.field(description="The event of the log that tells it, with all its data.")
    def event(self) -> Event:
        return event_of(self.entry.logged)

    @classmethod
    def of(cls, entry: Entry) -> "TimelineEntry":
        return cls(
            entry=entry, kind=entry.kind, words=entry.words, actor=entry.actor, occurred_at=entry.logged.occurred_at
        )


@strawberry.type(description="An entry and its place in the timeline.")
class TimelineEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this entry.")
    node: TimelineEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A page of a timeline, the oldest first.")
class TimelineConnection:
    """A page."""

    edges: list[TimelineEdge] = strawberry.field(description="The entries with their cursors.")
    nodes: list[TimelineEntry] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the timeline.")
    forgotten_before: datetime | None = strawberry.field(
        description="What happened to the order before this moment is no longer kept; null: all of it is there."
    )

    @classmethod
    async def page(cls, info: Info, order: OrderId, first: int, after: str | None) -> "TimelineConnection":
        size, behind = page_size(first), seek("timeline", after, (int, int))
        found = await info.context.read(
            lambda uow: timeline(uow, order, size + 1, None if behind is None else (behind[0], behind[1]))
        )
        edges = [
            TimelineEdge(cursor=cursor("timeline", place(one)), node=TimelineEntry.of(one))
            for one in found.entries[:size]
        ]
        return connection(cls, edges, len(found.entries), size, after, forgotten_before=found.forgotten_before)
