"""The hub: execute once, send many.

Subscribers who ask for the same and may see the same are one stream: an event is matched, executed and encoded once
for all of them, and each connection only passes the bytes on. A subscriber registers first, then reads the log up to
where the hub is, then goes live: what comes in between is held for it, so nothing is missed and nothing told twice.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field

from domain.events import Event, LoggedEvent
from domain.ids import OrderId
from gql.errors import ApiError
from gql.feed import Feed
from gql.outbox import Outbox
from gql.schema.events import log_cursor
from services.callers import Visibility
from services.following import matches, visible
from services.ports import EventFilter

log = logging.getLogger("dibs.hub")

QUEUE_EVENTS_MAX = 2_000
"""What may wait to be executed for a stream, and what is held for a subscriber that catches up."""
EVENTS_AT_ONCE_MAX = 50
"""Executed together, so that what they load is loaded together."""
DELIVERIES_AT_ONCE_MAX = 5_000
"""Between two turns of everybody else."""


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

    async def put(self, told: Told) -> None:
        """Tell it, and wait until it can be told more."""
        if told.position > self.seen and not self.has_ended:
            await self._outbox.put(self._frame(told))
            self._has_seen(told)

    async def put_again(self, told: Told) -> None:
        """Tell it, whether or not it was told before."""
        await self._outbox.put(self._frame(told))

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


def too_slow(seen: int) -> ApiError:
    message = "You did not keep up with the events: subscribe again after this cursor."
    return ApiError("TOO_SLOW", message, cursor=log_cursor(seen))


@dataclass(slots=True)
class Tally:
    """What the hub has done: events that were executed for a stream, and messages that they became."""

    executions: int = 0
    messages: int = 0


class Stream:
    """Those who are told the same."""

    def __init__(self, wanted: Wanted, tally: Tally, certain: Certain) -> None:
        self._wanted = wanted
        self._tally = tally
        self._certain = certain
        self._queue: list[LoggedEvent] = []
        self._telling: asyncio.Task[None] | None = None
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
        payloads = await self._wanted.tell(events)
        self._tally.executions += len(events)
        await self._certain()
        return [
            Told(one.position, payload, self._wanted.is_last(one.event))
            for one, payload in zip(events, payloads, strict=True)
        ]

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


class Hub:
    """Hands every event to every stream that asked for it."""

    def __init__(self, feed: Feed, certain: Certain = at_once) -> None:
        """`certain`: waits until whoever may be told nothing any more is told nothing any more."""
        self._feed = feed
        self._certain = certain
        self._streams: dict[Hashable, Stream] = {}
        self._of_orders: defaultdict[OrderId, set[Stream]] = defaultdict(set)
        """Streams of chosen orders: a thousand pickers who each watch theirs cost an event one look, not a thousand."""
        self._of_all: set[Stream] = set()
        self.tally = Tally()
        feed.listeners.append(self._hand)
        feed.on_gap = self._end

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def subscribers(self) -> int:
        return sum(len(stream.subscribers) for stream in self._streams.values())

    async def follow(self, wanted: Wanted, outbox: Outbox, frame: Frame) -> None:
        """Tell the client what it asks for until its last event. Raises what ends it before, and ClientGone."""
        await self._feed.started()
        stream = self._streams.get(wanted.key) or self._begin(wanted)
        subscriber = Subscriber(outbox, frame, self._feed.position)
        stream.subscribers.add(subscriber)
        try:
            ended = await wanted.ended()
            until = ended[-1].position if ended else 0
            if wanted.after is not None:
                await self._feed.refuse_unknown(wanted.after)
                subscriber.seen = wanted.after
            if wanted.after is not None or ended or subscriber.held or subscriber.has_missed:
                await self._catch_up(subscriber, stream, wanted.condition, until)
            if ended is not None:
                await self._tell_again(subscriber, stream, ended)
            subscriber.is_live = True
            await subscriber.ended
            if subscriber.failure:
                raise subscriber.failure
        finally:
            stream.subscribers.discard(subscriber)
            if not stream.subscribers:
                stream.stop()
                if self._streams.get(wanted.key) is stream:
                    self._forget(wanted, stream)

    async def _catch_up(self, subscriber: Subscriber, stream: Stream, condition: EventFilter, until: int) -> None:
        """Read the log up to where the hub is, then what was held meanwhile; again, if that was too much.

        `until`: or up to there, where the hub has not come yet.
        """
        while True:
            subscriber.held.clear()
            subscriber.has_missed = False
            live_from = max(self._feed.position, until)
            async for page in self._feed.pages(condition, subscriber.seen, live_from):
                found = stream.of(page)
                for start in range(0, len(found), EVENTS_AT_ONCE_MAX):
                    for told in await stream.tell(found[start : start + EVENTS_AT_ONCE_MAX]):
                        await subscriber.put(told)
                        self.tally.messages += 1
                    if subscriber.has_ended:
                        return
            subscriber.seen = max(subscriber.seen, live_from)
            while subscriber.held and not subscriber.has_missed:
                await subscriber.put(subscriber.held.pop(0))
            if not subscriber.has_missed:
                return

    @staticmethod
    async def _tell_again(subscriber: Subscriber, stream: Stream, ended: Sequence[LoggedEvent]) -> None:
        """It is over, and the subscriber began behind the last event: they are told it all the same, and it ends."""
        for told in await stream.tell([] if subscriber.has_ended else stream.of(ended)):
            await subscriber.put_again(told)
        subscriber.end()

    def _begin(self, wanted: Wanted) -> Stream:
        stream = self._streams[wanted.key] = Stream(wanted, self.tally, self._certain)
        if wanted.condition.orders is None:
            self._of_all.add(stream)
        for order in wanted.condition.orders or ():
            self._of_orders[order].add(stream)
        return stream

    def _forget(self, wanted: Wanted, stream: Stream) -> None:
        del self._streams[wanted.key]
        self._of_all.discard(stream)
        for order in wanted.condition.orders or ():
            self._of_orders[order].discard(stream)
            if not self._of_orders[order]:
                del self._of_orders[order]

    def _hand(self, events: Sequence[LoggedEvent]) -> None:
        for stream in self._of_all:
            stream.hand(events)
        chosen: defaultdict[Stream, list[LoggedEvent]] = defaultdict(list)
        for one in events:
            for stream in self._of_orders.get(getattr(one.event, "order_id", OrderId(0)), ()):
                chosen[stream].append(one)
        for stream, theirs in chosen.items():
            stream.hand(theirs)

    def _end(self, failure: Exception) -> None:
        for stream in self._streams.values():
            stream.end(failure)
