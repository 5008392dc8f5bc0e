"""Who sees what is asked for and what comes of it: figures and traces, where somebody wants them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from graphql import GraphQLSchema
from sqlalchemy.ext.asyncio import AsyncEngine

from dibs.access import log_entry
from dibs.meters import Meters
from gql.entries import Entry
from gql.feed import Feed
from gql.hub import Hub
from services.desk import Desk

if TYPE_CHECKING:
    from dibs.tracing import Traces


class Onlookers:
    """What a request meets exists before the application starts, and they come when it does."""

    def __init__(self) -> None:
        self._meters: Meters | None = None
        self._traces: Traces | None = None

    def come(self, meters: Meters | None, traces: "Traces | None") -> None:
        """None: nobody wants them."""
        self._meters, self._traces = meters, traces

    def watch_work(self, desk: Desk, feed: Feed, engine: AsyncEngine) -> None:
        if self._meters:
            self._meters.watch_desk(desk)
            self._meters.watch_feed(feed)
        if self._traces:
            self._traces.watch_desk(desk)
            self._traces.watch_engine(engine)

    def watch_answers(self, hub: Hub, schema: GraphQLSchema) -> None:
        if self._meters:
            self._meters.watch_hub(hub)
            self._meters.watch_schema(schema)
        if self._traces:
            self._traces.watch_schema(schema)

    def around(self, entry: Entry, headers: Sequence[tuple[bytes, bytes]] = ()) -> AbstractContextManager[None]:
        """To be entered around a request, which has headers, or one operation of a socket."""
        return self._traces.request(entry, headers) if self._traces else nullcontext()

    def ended(self, entry: Entry) -> None:
        """A request is over."""
        if self._meters:
            self._meters.ended(entry)

    def ended_on_socket(self, entry: Entry) -> None:
        """One operation of a socket is over."""
        log_entry(entry)
        self.ended(entry)

    async def leave(self) -> None:
        """What was seen is told before the process ends."""
        if self._traces:
            await self._traces.close()
