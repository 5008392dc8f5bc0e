"""The hub: one reader of the log a process, any number of subscribers.

The log is the truth and the bell only a hint. A subscriber registers first, then reads the log up to the hub's
position, then goes live: what comes in between waits in its queue, so nothing is missed and nothing told twice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from domain.events import LoggedEvent
from gql.errors import ApiError, bad_input
from gql.schema.events import log_cursor
from services.following import matches
from services.ports import Bell, Busy, Database, EventFilter, UnitOfWork

log = logging.getLogger("dibs.feed")

WAIT_SECONDS_MAX = 1.0
"""A lost bell costs this long at most."""
READ_ROWS_MAX = 500
QUEUE_EVENTS_MAX = 2_000
"""A subscriber that is further behind than this is told its last cursor and closed."""


@dataclass(eq=False, slots=True)
class Subscriber:
    """What waits for one subscriber. `overrun`: it did not keep up, and its queue is gone."""

    condition: EventFilter
    queue: deque[LoggedEvent] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    overrun: bool = False

    def offer(self, event: LoggedEvent) -> None:
        if self.overrun or not matches(self.condition, event):
            return
        if len(self.queue) >= QUEUE_EVENTS_MAX:
            self.overrun = True
            self.queue.clear()
        else:
            self.queue.append(event)
        self.arrived.set()


class Feed:
    """Hands every event of the log to every subscriber that asked for it, in the log's order."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._subscribers: set[Subscriber] = set()
        self._started = asyncio.Event()
        self.position = 0
        self.on_events: Callable[[], None] = lambda: None
        """Called when the log has grown; it must neither wait nor fail."""

    async def run(self) -> None:
        """Read the log until cancelled; what the database refuses is tried again."""
        heard = None
        while True:
            try:
                if not self._started.is_set():
                    self.position = await self._end()
                    self._started.set()
                if not await self._hand_out():
                    heard = await self._bell.wait(WAIT_SECONDS_MAX, heard)
            except Busy as error:
                log.warning("the feed waits for the database: %r", error.__cause__)
                await asyncio.sleep(WAIT_SECONDS_MAX)
            except Exception:
                log.exception("the feed could not read the log; trying again")
                await asyncio.sleep(WAIT_SECONDS_MAX)

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    async def follow(self, condition: EventFilter, after: int | None) -> AsyncGenerator[LoggedEvent, None]:
        """Events that match, from behind `after`, or from now; ends only with an error."""
        await self._started.wait()
        subscriber = Subscriber(condition)
        self._subscribers.add(subscriber)
        try:
            seen = live_from = self.position
            if after is not None:
                await self._refuse_unknown_position(after)
                seen = after
                async for event in self._catch_up(condition, after, live_from):
                    yield event
                    seen = event.position
            async with aclosing(self._live(subscriber, seen)) as events:
                async for event in events:
                    yield event
        finally:
            self._subscribers.discard(subscriber)

    async def _live(self, subscriber: Subscriber, seen: int) -> AsyncGenerator[LoggedEvent, None]:
        while True:
            await subscriber.arrived.wait()
            subscriber.arrived.clear()
            while subscriber.queue:
                event = subscriber.queue.popleft()
                if event.position > seen:
                    seen = event.position
                    yield event
            if subscriber.overrun:
                message = "You did not keep up with the events: subscribe again after this cursor."
                raise ApiError("TOO_SLOW", message, cursor=log_cursor(seen))

    async def _catch_up(self, condition: EventFilter, after: int, until: int) -> AsyncIterator[LoggedEvent]:
        while True:
            found = await self._page(condition, after, until)
            for event in found:
                yield event
            if len(found) < READ_ROWS_MAX:
                return
            after = found[-1].position

    async def _hand_out(self) -> bool:
        """Whether there was anything to hand out."""
        found = await self._page(EventFilter(), self.position, None)
        for event in found:
            self.position = event.position
            for subscriber in self._subscribers:
                subscriber.offer(event)
        if found:
            self.on_events()
        return bool(found)

    async def _refuse_unknown_position(self, after: int) -> None:
        if after > self.position and after > await self._end():
            raise bad_input("`after` lies beyond the end of the log.")

    async def _page(self, condition: EventFilter, after: int, until: int | None) -> list[LoggedEvent]:
        async def work(uow: UnitOfWork) -> list[LoggedEvent]:
            return await uow.events.page(condition, READ_ROWS_MAX, after, until)

        return await self._database.read(work)

    async def _end(self) -> int:
        async def work(uow: UnitOfWork) -> int:
            return await uow.events.end()

        return await self._database.read(work)
