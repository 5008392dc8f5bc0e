"""The hub: filters mean the same in SQL and on the way; catching up ends where live delivery begins."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from domain.events import CATALOGUE, LoggedEvent
from domain.ids import OrderId
from domain.kinds import AllocationStatus, StockQuantity
from gql import feed
from gql.errors import ApiError
from gql.schema.events import log_cursor
from persistence.database import PostgresDatabase
from services.following import matches
from services.ports import EventFilter
from tests.builders import a_catalog, allocated, counted, deallocated, edited, placed, voided
from tests.gql.serving import KNOWN, Served, Silence, all_numbered, until
from workers.relay import Relay


async def everything(database: PostgresDatabase, condition: EventFilter | None = None) -> list[LoggedEvent]:
    condition = condition or EventFilter()
    return await database.read(lambda uow: uow.events.page(condition, 10_000, 0))


async def a_busy_day(database: PostgresDatabase) -> None:
    """Events of every kind: two channels, three locations, every allocation status, levels with and without stock."""
    stock = {("CHAIR", "LEEDS"): 3, ("CHAIR", "YORK"): 1, ("LAMP", "HULL"): 2, ("DESK", "LEEDS"): 0}
    await a_catalog(database, KNOWN, stock)
    orders = [
        await placed(database, KNOWN, lines, channel=channel)
        for lines in ({"CHAIR": 2}, {"CHAIR": 2, "LAMP": 1}, {"LAMP": 9}, {"DESK": 1}, {"DESK": 1, "CHAIR": 1})
        for channel in ("WEB", "TILL")
    ]
    await allocated(database, KNOWN, *orders)
    await counted(database, KNOWN, {"CHAIR": 0}, location="LEEDS")
    await counted(database, KNOWN, {"LAMP": 1}, location="HULL", quantity=StockQuantity.SAFETY_STOCK)
    await deallocated(database, KNOWN, *orders[:2])
    await voided(database, KNOWN, orders[2])
    await edited(database, KNOWN, orders[3], added={"DESK": 1})
    await all_numbered(database)


def a_filter(chance: random.Random, log: list[LoggedEvent]) -> EventFilter:
    """Any filter, mostly of what there is."""

    def some(*values: Any) -> Any:
        if chance.random() < 0.75:
            return None
        return tuple(chance.sample(values, chance.randrange(len(values) + 1)))

    def moment() -> Any:
        if chance.random() < 0.85:
            return None
        return chance.choice(log).occurred_at + timedelta(microseconds=chance.choice((-1, 0, 1)))

    orders = [event.event.order_id for event in log if hasattr(event.event, "order_id")]
    return EventFilter(
        types=some(*CATALOGUE, "Nothing"),
        orders=some(*chance.sample(sorted(set(orders)), 3), OrderId(-1)),
        channels=some("WEB", "TILL", "web", "%"),
        skus=some("CHAIR", "LAMP", "DESK", "chair", ""),
        locations=some("LEEDS", "YORK", "HULL", "leeds"),
        statuses=some(*AllocationStatus),
        overallocated=chance.choice((None, None, None, True, False)),
        occurred_from=moment(),
        occurred_before=moment(),
    )


async def test_a_filter_means_the_same_in_the_log_and_on_the_way(database: PostgresDatabase):
    numbering = asyncio.create_task(Relay(database, Silence()).run())
    await a_busy_day(database)
    numbering.cancel()
    log = await everything(database)
    chance = random.Random(7)  # noqa: S311
    found = 0
    assert len(log) > 50

    for _ in range(500):
        condition = a_filter(chance, log)
        from_the_log = [event.position for event in await everything(database, condition)]
        on_the_way = [event.position for event in log if matches(condition, event)]
        assert from_the_log == on_the_way, condition
        found += 0 < len(on_the_way) < len(log)

    assert found > 100


@pytest.mark.parametrize("page", [1, 2, 7, 1_000])
async def test_catching_up_tells_what_the_log_has_whatever_the_size_of_a_page(
    served: Served, monkeypatch: pytest.MonkeyPatch, page: int
):
    monkeypatch.setattr(feed, "READ_ROWS_MAX", page)
    await a_busy_day(served.database)
    log = await everything(served.database)
    await until(lambda: served.feed.position == log[-1].position)

    assert await taken(served.feed.follow(EventFilter(), 0), len(log)) == log
    assert (
        await taken(served.feed.follow(EventFilter(types=("OrderChanged",)), log[9].position), 3)
        == [event for event in log[10:] if event.event.type == "OrderChanged"][:3]
    )


async def taken(events: AsyncIterator[LoggedEvent], count: int) -> list[LoggedEvent]:
    """So many events, in time."""
    found: list[LoggedEvent] = []
    async with aclosing(events) as following, asyncio.timeout(10):  # type: ignore[type-var]
        while len(found) < count:
            found.append(await anext(following))
    return found


async def test_events_between_the_snapshot_and_the_subscription_are_told_once(served: Served):
    """A subscriber that is catching up while others write sees everything once, in order."""
    await a_busy_day(served.database)
    end = (await everything(served.database))[-1].position
    await until(lambda: served.feed.position == end)

    async with aclosing(served.feed.follow(EventFilter(), 0)) as events:
        seen = [await anext(events)]
        await a_busy_day_more(served.database)
        log = await everything(served.database)
        await until(lambda: served.feed.position == log[-1].position)
        async with asyncio.timeout(10):
            while len(seen) < len(log):
                seen.append(await anext(events))

    assert seen == log
    assert log[-1].position > end


async def a_busy_day_more(database: PostgresDatabase) -> None:
    order = await placed(database, KNOWN, {"CHAIR": 1})
    await allocated(database, KNOWN, order)
    await all_numbered(database)


async def test_a_cursor_ahead_of_the_hub_is_known_to_the_log(served: Served):
    """A client may have read further than this node's hub has come."""
    await a_busy_day(served.database)
    end = (await everything(served.database))[-1].position
    await until(lambda: served.feed.position == end)
    served.feed.position = 3

    following = asyncio.ensure_future(taken(served.feed.follow(EventFilter(), end), 1))
    await until(lambda: served.feed.subscribers == 1)
    await a_busy_day_more(served.database)

    (event,) = await following
    assert event.position == end + 1


async def test_a_cursor_beyond_the_end_of_the_log_is_refused(served: Served):
    end = await served.database.read(lambda uow: uow.events.end())

    with pytest.raises(ApiError, match="beyond the end"):
        await taken(served.feed.follow(EventFilter(), end + 1), 1)

    assert served.feed.subscribers == 0


async def test_a_subscriber_whose_queue_is_full_is_told_its_last_cursor(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed, "QUEUE_EVENTS_MAX", 5)
    async with aclosing(served.feed.follow(EventFilter(types=("OrderChanged",)), None)) as events:
        first = asyncio.ensure_future(anext(events))
        await until(lambda: served.feed.subscribers == 1)
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
        await placed(served.database, KNOWN, {"CHAIR": 1})
        seen = await first
        for _ in range(7):
            await placed(served.database, KNOWN, {"CHAIR": 1})
        (subscriber,) = served.feed._subscribers
        await until(lambda: subscriber.overrun)

        with pytest.raises(ApiError) as told:
            await anext(events)

    assert told.value.code == "TOO_SLOW"
    assert told.value.extensions == {"cursor": log_cursor(seen.position)}
    assert len(await taken(served.feed.follow(EventFilter(types=("OrderChanged",)), seen.position), 7)) == 7
