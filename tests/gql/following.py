"""A subscriber of the hub without a connection: it takes events themselves instead of answers about them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from domain.events import LoggedEvent
from gql.hub import Hub
from gql.outbox import Outbox
from gql.streams import Ended, Told, Wanted
from gql.watching import going_on, never
from services.callers import EVERYTHING, Visibility
from services.ports.events import EventFilter
from tests.gql.serving import SECONDS_MAX


@dataclass
class Follower:
    """What arrived. `takes`: whether the client takes anything just now."""

    known: dict[int, LoggedEvent] = field(default_factory=dict)
    arrived: asyncio.Queue[LoggedEvent] = field(default_factory=asyncio.Queue)
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    executed: list[int] = field(default_factory=list)
    following: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.takes.set()
        self.outbox = Outbox(self._write, self._send, lambda _: None)

    async def tell(self, events: Sequence[LoggedEvent]) -> list[bytes]:
        self.known |= {event.position: event for event in events}
        self.executed += [event.position for event in events]
        return [b"%d" % event.position for event in events]

    async def next(self) -> LoggedEvent:
        """The next event. Raises what ended the subscription before there was one."""
        assert self.following
        arriving = asyncio.ensure_future(self.arrived.get())
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.wait({arriving, self.following}, return_when=asyncio.FIRST_COMPLETED)
        if arriving.done():
            return arriving.result()
        arriving.cancel()
        await self.following
        raise AssertionError("the subscription has ended")

    async def taken(self, count: int) -> list[LoggedEvent]:
        return [await self.next() for _ in range(count)]

    async def ended(self) -> None:
        """Wait for the end of the subscription. Raises what ended it."""
        assert self.following
        await asyncio.wait_for(asyncio.shield(self.following), SECONDS_MAX)

    def _write(self, *messages: bytes) -> bool:
        if self.takes.is_set():
            for message in messages:
                self.arrived.put_nowait(self.known[int(message)])
        return self.takes.is_set()

    async def _send(self, message: bytes) -> None:
        await self.takes.wait()
        self._write(message)


@asynccontextmanager
async def following(
    hub: Hub,
    condition: EventFilter,
    after: int | None = None,
    *,
    key: object = None,
    visibility: Visibility = EVERYTHING,
    ended: Ended = going_on,
) -> AsyncIterator[Follower]:
    """Follow the hub until the block ends."""
    follower = Follower()
    wanted = Wanted(
        key=key or object(),
        condition=condition,
        visibility=visibility,
        after=after,
        is_last=never,
        ended=ended,
        tell=follower.tell,
    )

    def framed(told: Told) -> bytes:
        return told.payload

    follower.following = asyncio.ensure_future(hub.follow(wanted, follower.outbox, framed))
    try:
        yield follower
    finally:
        follower.following.cancel()
        await asyncio.gather(follower.following, return_exceptions=True)
        await follower.outbox.close()
