"""The feed: one reader of the log a process. The log is the truth and the bell only a hint."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from domain.events import LoggedEvent
from gql.errors import bad_input
from services.ports.bell import Bell
from services.ports.database import OUT_OF_REACH, Database
from services.ports.events import CursorExpired, EventFilter
from services.ports.unit_of_work import UnitOfWork

log = logging.getLogger("dibs.feed")

WAIT_SECONDS_MAX = 1.0
"""A lost bell costs this long at most."""
COUNT_SECONDS = 0.05
"""Between two looks at where the log ends, while nobody wants to know what it says."""
READ_ROWS_MAX = 500

Listener = Callable[[Sequence[LoggedEvent]], None]
"""Is told what the log has grown by; it must neither wait nor fail."""


class Feed:
    """Tells its listeners every event of the log, in the log's order, from now on."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._started = asyncio.Event()
        self.position = 0
        """What has been told to the listeners ends here."""
        self._listeners: list[tuple[Listener, Callable[[], bool]]] = []
        self.on_gap: Callable[[Exception], None] = lambda _: None
        """Is told that listeners cannot be told everything: the feed stood still for longer than events are kept."""

    def listen(self, listener: Listener, wants: Callable[[], bool] = lambda: False) -> None:
        """Tell it what comes. While nobody `wants` to know what, all are told of no events that there are some."""
        self._listeners.append((listener, wants))

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
                elif not self._is_wanted():
                    await asyncio.sleep(COUNT_SECONDS)
            except CursorExpired as error:
                log.warning("the feed stood still for too long, and goes on where the log ends")
                self.position = error.end
                self.on_gap(error)
            except OUT_OF_REACH as error:
                log.warning("the feed waits for the database: %r", error.__cause__)
                await asyncio.sleep(WAIT_SECONDS_MAX)
            except Exception:
                log.exception("the feed could not read the log; trying again")
                await asyncio.sleep(WAIT_SECONDS_MAX)

    async def started(self) -> None:
        """Wait for the feed to know where the log ends."""
        await self._started.wait()

    async def refuse_unknown(self, after: int) -> None:
        """Raises BAD_USER_INPUT for a position that no event has had yet."""
        if after > self.position and after > await self._end():
            raise bad_input("`after` lies beyond the end of the log.")

    async def pages(
        self, condition: EventFilter, after: int, until: int, turns: AbstractAsyncContextManager[object]
    ) -> AsyncIterator[list[LoggedEvent]]:
        """What the log has already, page by page. `turns`: who reads a page has one."""
        while True:
            async with turns:
                found = await self._page(condition, after, until)
            if found:
                yield found
            if len(found) < READ_ROWS_MAX:
                return
            after = found[-1].position

    async def _hand_out(self) -> bool:
        """Whether there was anything to hand out. Reading events that nobody wants would be most of the work."""
        found: list[LoggedEvent] = []
        end = self.position
        if not self._is_wanted():
            end = await self._end()
        if self._is_wanted():  # also by somebody who has come meanwhile
            found = await self._page(EventFilter(), self.position, None)
            end = found[-1].position if found else self.position
        if end <= self.position:
            return False
        self.position = end
        for listener, _ in self._listeners:
            listener(found)
        return True

    def _is_wanted(self) -> bool:
        return any(wants() for _, wants in self._listeners)

    async def _page(self, condition: EventFilter, after: int, until: int | None) -> list[LoggedEvent]:
        async def work(uow: UnitOfWork) -> list[LoggedEvent]:
            return await uow.events.page(condition, READ_ROWS_MAX, after, until)

        return await self._database.read(work)

    async def _end(self) -> int:
        async def work(uow: UnitOfWork) -> int:
            return await uow.events.end()

        return await self._database.read(work)
