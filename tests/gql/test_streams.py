"""Streams: those who come back at the same time share what is executed, and nobody is told what is older than they."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from domain.events import LoggedEvent, WebhookEndpointDisabled
from domain.ids import EndpointId
from gql import streams
from gql.streams import Stream, Tally, Told, Wanted, at_once
from gql.watching import going_on, never
from services.callers import EVERYTHING
from services.ports.events import EventFilter

ABOUT_NOTHING = WebhookEndpointDisabled(endpoint_id=EndpointId(1), endpoint_name="a", reason="b", failures=1)
LOG = [LoggedEvent(id=at, position=at, occurred_at=None, event=ABOUT_NOTHING) for at in range(1, 301)]


class World:
    """What a stream tells of: events, and how things are when each of them is executed."""

    def __init__(self) -> None:
        self.state = "before"
        self.is_open = asyncio.Event()
        self.executed: Counter[int] = Counter()
        self.fails = False
        wanted = Wanted(
            key="all",
            condition=EventFilter(),
            visibility=EVERYTHING,
            after=0,
            is_last=never,
            ended=going_on,
            tell=self.tell,
        )
        self.stream = Stream(wanted, Tally(), at_once)

    async def tell(self, events: Sequence[LoggedEvent]) -> list[bytes]:
        self.executed.update(event.position for event in events)
        told = [f"{event.position} {self.state}".encode() for event in events]
        await self.is_open.wait()
        if self.fails:
            raise RuntimeError("a mistake")
        return told

    async def come_back(self, after: int, at_a_time: int = 50) -> list[str]:
        """Everything behind the cursor, chunk by chunk."""
        found: list[Told] = []
        with self.stream.catching_up() as since:
            for start in range(after, len(LOG), at_a_time):
                found += await self.stream.tell_late(LOG[start : start + at_a_time], since)
        return [one.payload.decode() for one in found]


async def all_wait() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_come_back_at_once_share_what_is_executed():
    world = World()
    cursors = [number % 7 for number in range(200)]
    coming = [asyncio.create_task(world.come_back(after)) for after in cursors]
    await all_wait()
    world.is_open.set()

    for after, told in zip(cursors, await asyncio.gather(*coming), strict=True):
        assert told == [f"{event.position} before" for event in LOG[after:]]
    assert max(world.executed.values()) <= 3


async def test_nobody_is_told_what_was_read_before_they_asked():
    world = World()
    early = asyncio.create_task(world.come_back(290))
    await all_wait()
    world.state = "after"
    late = asyncio.create_task(world.come_back(290))
    await all_wait()
    world.is_open.set()

    assert await early == [f"{position} before" for position in range(291, 301)]
    assert await late == [f"{position} after" for position in range(291, 301)]


async def test_whoever_leaves_takes_it_from_nobody():
    world = World()
    first, *others = [asyncio.create_task(world.come_back(250)) for _ in range(5)]
    await all_wait()
    first.cancel()
    await all_wait()
    world.is_open.set()

    assert all(len(told) == 50 for told in await asyncio.gather(*others))


async def test_a_mistake_ends_those_who_wait_for_it_and_nobody_who_comes_later():
    world = World()
    world.is_open.set()
    world.fails = True
    with pytest.raises(RuntimeError):
        await world.come_back(250)
    world.fails = False

    assert len(await world.come_back(250)) == 50


async def test_what_was_executed_is_kept_within_bounds_and_only_while_somebody_catches_up(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(streams, "KEPT_EVENTS_MAX", 60)
    world = World()
    world.is_open.set()
    with world.stream.catching_up():
        await world.come_back(0)
        assert len(world.stream._executed) == 60
    assert not world.stream._executed
    world.is_open.clear()
    before = asyncio.all_tasks()
    leaving = asyncio.create_task(world.come_back(0))
    await all_wait()
    leaving.cancel()
    await all_wait()

    assert asyncio.all_tasks() == before
