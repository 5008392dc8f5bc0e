"""The hub: execute once, send many.

Subscribers who ask for the same and may see the same are one stream: each connection only passes bytes on. A subscriber
registers first, then reads the log up to where the hub is, then goes live: what comes in between is held for it, so
nothing is missed and nothing told twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Sequence

from domain.events import LoggedEvent
from domain.ids import OrderId
from gql.feed import Feed
from gql.outbox import Outbox
from gql.streams import EVENTS_AT_ONCE_MAX, Certain, Frame, Stream, Subscriber, Tally, Wanted, at_once
from services.ports.events import EventFilter

CATCHING_UP_MAX = 4
"""Who catch up at the same moment; others have their turn. Or else a herd that comes back keeps everybody waiting."""


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
        self._turns = asyncio.Semaphore(CATCHING_UP_MAX)
        self.tally = Tally()
        feed.listen(self._hand, lambda: bool(self._streams))
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
        with stream.catching_up() as since:
            while True:
                subscriber.held.clear()
                subscriber.has_missed = False
                live_from = max(self._feed.position, until)
                await self._read_log(subscriber, stream, condition, live_from, since)
                if subscriber.has_ended:
                    return
                subscriber.seen = max(subscriber.seen, live_from)
                while subscriber.held and not subscriber.has_missed:
                    held, subscriber.held = subscriber.held, []
                    await subscriber.put(held)
                if not subscriber.has_missed:
                    return

    async def _read_log(
        self, subscriber: Subscriber, stream: Stream, condition: EventFilter, until: int, since: int
    ) -> None:
        async for page in self._feed.pages(condition, subscriber.seen, until, self._turns):
            found = stream.of(page)
            for start in range(0, len(found), EVENTS_AT_ONCE_MAX):
                async with self._turns:
                    told = await stream.tell_late(found[start : start + EVENTS_AT_ONCE_MAX], since)
                await subscriber.put(told)
                self.tally.messages += len(told)
                if subscriber.has_ended:
                    return

    @staticmethod
    async def _tell_again(subscriber: Subscriber, stream: Stream, ended: Sequence[LoggedEvent]) -> None:
        """It is over, and the subscriber began behind the last event: they are told it all the same, and it ends."""
        if not subscriber.has_ended:
            await subscriber.put_again(await stream.tell(stream.of(ended)))
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
