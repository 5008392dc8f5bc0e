"""Streams: those who are told the same, and what they have been told.

An event is matched, executed and encoded once for all subscribers of a stream. Those who come back after a cursor at
the same time share what is executed for them, too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from domain.events import Event, LoggedEvent
from gql.errors import ApiError
from gql.outbox import Outbox
from gql.schema.events import log_cursor
from services.callers import Visibility
from services.following import matches, visible
from services.ports.events import EventFilter

log = logging.getLogger("dibs.hub")

QUEUE_EVENTS_MAX = 2_000
"""What may wait to be executed for a stream, and what is held for a subscriber that catches up."""
EVENTS_AT_ONCE_MAX = 50
"""Executed together, so that what they load is loaded together."""
DELIVERIES_AT_ONCE_MAX = 5_000
"""Between two turns of everybody else."""
SENT_BYTES_MAX = 100_000
"""At once, to one who catches up; a single event may be larger."""
KEPT_EVENTS_MAX = 500
"""Of what was executed for those who catch up, while somebody does."""


Ended = Callable[[], Awaitable[Sequence[LoggedEvent] | None]]
"""Whether what is watched has ended: None, or the last event, or nothing where the log no longer has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a subscriber asks for. Equal keys promise equal conditions, visibilities and answers."""

    key: Hashable
    condition: EventFilter
    visibility: Visibility
    after: int | None
    is_last: Callable[[Event], bool]
    ended: Ended
    tell: Callable[[Sequence[LoggedEvent]], Awaitable[list[bytes]]]
    """Executes and encodes; never fails for a single event."""


@dataclass(eq=False, slots=True)
class Told:
    """One event as it is told to everybody in a stream."""

    position: int
    payload: bytes
    is_last: bool
    messages: dict[str, bytes] = field(default_factory=dict)
    """The payload within a protocol's message, by what the message says beside it: most clients say the same."""

    @property
    def cursor(self) -> str:
        return log_cursor(self.position)


Frame = Callable[[Told], bytes]
"""Puts an event into a message of the client's protocol."""


Certain = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Nobody is watched."""


class Subscriber:
    """One client's subscription. `seen`: it was told everything up to this position."""

    def __init__(self, outbox: Outbox, frame: Frame, seen: int) -> None:
        self.seen = seen
        self.is_live = False
        self.has_missed = False
        self.has_ended = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Exception | None = None
        self._outbox = outbox
        self._frame = frame
        self.held: list[Told] = []

    def offer(self, told: Sequence[Told]) -> None:
        """Tell them now, or never: whoever has no room for them is told where it was, and is out."""
        if self.has_ended:
            return
        new = [one for one in told if one.position > self.seen]
        last = next((at for at, one in enumerate(new, 1) if one.is_last), len(new))
        if not self.is_live:
            for one in new:
                self._hold(one)
        elif new and self._outbox.offer(*map(self._frame, new[:last])):
            self._has_seen(new[last - 1])
        elif new:
            self.end(too_slow(self.seen))

    async def put(self, told: Sequence[Told]) -> None:
        """Tell them, some at a time, and wait until more can be told."""
        for some in _together([one for one in told if one.position > self.seen]):
            if not self.has_ended:
                await self.put_again(some)
                self._has_seen(some[-1])

    async def put_again(self, told: Sequence[Told]) -> None:
        """Tell them, whether or not they were told before."""
        await self._outbox.put(*map(self._frame, told))

    def end(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.held.clear()
        self.has_ended = True
        if not self.ended.done():
            self.ended.set_result(None)

    def _hold(self, told: Told) -> None:
        if len(self.held) < QUEUE_EVENTS_MAX:
            self.held.append(told)
        else:  # the log has it: it is read from there
            self.has_missed = True

    def _has_seen(self, told: Told) -> None:
        self.seen = told.position
        if told.is_last:
            self.end()


def _together(told: Iterable[Told]) -> Iterator[list[Told]]:
    """What is sent at once: up to so many bytes, and nothing behind the last event."""
    some: list[Told] = []
    size = 0
    for one in told:
        some.append(one)
        size += len(one.payload)
        if one.is_last or size >= SENT_BYTES_MAX:
            yield some
            some, size = [], 0
    if some:
        yield some


def too_slow(seen: int) -> ApiError:
    message = "You did not keep up with the events: subscribe again after this cursor."
    return ApiError("TOO_SLOW", message, cursor=log_cursor(seen))


@dataclass(slots=True)
class Tally:
    """What the hub has done: events that were executed for a stream, and messages that they became."""

    executions: int = 0
    messages: int = 0


@dataclass(eq=False, slots=True)
class Execution:
    """Of some events, for those who catch up. `began`: whoever asked before that may be told what comes of it."""

    began: int
    telling: "asyncio.Task[list[Told]]"


class Stream:
    """Those who are told the same."""

    def __init__(self, wanted: Wanted, tally: Tally, certain: Certain) -> None:
        self._wanted = wanted
        self._tally = tally
        self._certain = certain
        self._queue: list[LoggedEvent] = []
        self._telling: asyncio.Task[None] | None = None
        self._moments = count(1)
        self._executed: dict[int, Execution] = {}
        self._catching_up = 0
        self.subscribers: set[Subscriber] = set()

    def hand(self, events: Sequence[LoggedEvent]) -> None:
        """What the log has grown by; what is not for this stream goes no further."""
        self._queue += self.of(events)
        if len(self._queue) > QUEUE_EVENTS_MAX:
            self.end()
        elif self._queue and self._telling is None:
            self._telling = asyncio.create_task(self._tell_queue())

    def of(self, events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
        """Those that are asked for, and may be seen."""
        visibility, condition = self._wanted.visibility, self._wanted.condition
        return [one for one in events if visible(visibility, one.event) and matches(condition, one)]

    async def tell(self, events: Sequence[LoggedEvent]) -> list[Told]:
        """Execute and encode; once, for everybody who is told. Then those are known who may be told no more."""
        told = await self._told(events)
        await self._certain()
        return told

    async def _told(self, events: Sequence[LoggedEvent]) -> list[Told]:
        payloads = await self._wanted.tell(events)
        self._tally.executions += len(events)
        return [
            Told(one.position, payload, self._wanted.is_last(one.event))
            for one, payload in zip(events, payloads, strict=True)
        ]

    @contextmanager
    def catching_up(self) -> Iterator[int]:
        """While somebody does; the moment from which on what is executed for others is good enough for them."""
        self._catching_up += 1
        try:
            yield next(self._moments)
        finally:
            self._catching_up -= 1
            if not self._catching_up:
                for one in set(self._executed.values()):
                    one.telling.cancel()
                self._executed.clear()

    async def tell_late(self, events: Sequence[LoggedEvent], since: int) -> list[Told]:
        """For one who catches up: as `tell`, but what was executed for others since that moment is taken from them.

        Nobody is told what was read before they asked: whoever comes while the same events are executed waits for the
        next time, together with all who came meanwhile.
        """
        told: dict[int, Told] = {}
        while missing := [one for one in events if one.position not in told]:
            self._execute([one for one in missing if self._is_stale(one.position, since)])
            under_way = {self._executed[one.position] for one in missing}
            await asyncio.wait({one.telling for one in under_way})
            for execution in under_way:
                if execution.began >= since:
                    told |= {one.position: one for one in execution.telling.result()}
        await self._certain()
        return [told[one.position] for one in events]

    def _is_stale(self, position: int, since: int) -> bool:
        """Whether the event has to be executed, and nobody is at it."""
        found = self._executed.get(position)
        return found is None or (found.began < since and found.telling.done())

    def _execute(self, events: Sequence[LoggedEvent]) -> None:
        if not events:
            return
        made = Execution(next(self._moments), asyncio.create_task(self._told(events)))
        for one in events:
            self._executed.pop(one.position, None)  # the latest stand last
            self._executed[one.position] = made
        while len(self._executed) > KEPT_EVENTS_MAX:
            del self._executed[next(iter(self._executed))]

    def end(self, failure: Exception | None = None) -> None:
        """End all subscriptions; without a failure, what they wait for took too long."""
        self._queue.clear()
        for subscriber in self.subscribers:
            subscriber.end(failure or too_slow(subscriber.seen))

    def stop(self) -> None:
        self._queue.clear()
        if self._telling:
            self._telling.cancel()

    async def _tell_queue(self) -> None:
        try:
            while self._queue:
                told = await self.tell(self._next())
                self._tally.messages += len(told) * len(self.subscribers)
                for subscriber in self.subscribers:
                    self._offer(subscriber, told)
                await asyncio.sleep(0)
        except Exception as error:
            log.exception("a stream could not be told an event")
            self.end(error)
        finally:
            self._telling = None

    @staticmethod
    def _offer(subscriber: Subscriber, told: Sequence[Told]) -> None:
        """Whoever cannot be told is out, and nobody else."""
        try:
            subscriber.offer(told)
        except Exception as error:
            log.exception("a subscriber could not be told an event")
            subscriber.end(error)

    def _next(self) -> list[LoggedEvent]:
        most = max(1, min(EVENTS_AT_ONCE_MAX, DELIVERIES_AT_ONCE_MAX // max(1, len(self.subscribers))))
        taken, self._queue[:most] = self._queue[:most], []
        return taken
