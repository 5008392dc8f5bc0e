"""The hub: filters mean the same in SQL and on the way; catching up ends where live delivery begins."""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from domain.events import (
    CATALOGUE,
    OF_A_CHANNEL,
    OF_A_LOCATION,
    FulfillmentChanged,
    LoggedEvent,
    OrderChanged,
    WebhookEndpointDisabled,
)
from domain.ids import EndpointId, FulfillmentId, OrderId
from domain.kinds import AllocationStatus, FulfillmentState, StockQuantity
from gql import feed, outbox, streams
from gql.errors import ApiError
from gql.schema.events import log_cursor
from persistence.database import PostgresDatabase
from services.callers import EVERYTHING, Visibility
from services.following import matches, visible
from services.ports.events import EventFilter
from tests.builders import a_catalog, allocated, counted, deallocated, edited, placed, voided
from tests.gql.following import following
from tests.gql.serving import KNOWN, SECONDS_MAX, Served, Silence, all_numbered, until
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

    async with following(served.hub, EventFilter(), 0) as follower:
        assert await follower.taken(len(log)) == log
    async with following(served.hub, EventFilter(types=("OrderChanged",)), log[9].position) as follower:
        expected = [event for event in log[10:] if event.event.type == "OrderChanged"]
        assert await follower.taken(3) == expected[:3]


async def test_events_between_the_snapshot_and_the_subscription_are_told_once(served: Served):
    """A subscriber that is catching up while others write sees everything once, in order."""
    await a_busy_day(served.database)
    end = (await everything(served.database))[-1].position
    await until(lambda: served.feed.position == end)

    async with following(served.hub, EventFilter(), 0) as follower:
        follower.takes.clear()
        await until(lambda: follower.outbox.waiting[0] >= 1)
        await a_busy_day_more(served.database)
        log = await everything(served.database)
        await until(lambda: served.feed.position == log[-1].position)
        follower.takes.set()
        seen = await follower.taken(len(log))

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

    async with following(served.hub, EventFilter(), end) as follower:
        await until(lambda: served.hub.subscribers == 1)
        await a_busy_day_more(served.database)

        assert (await follower.next()).position == end + 1


async def test_whether_what_is_watched_has_ended_is_asked_once_nothing_can_be_missed(served: Served):
    """What happens while it is asked is told."""
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})

    async def ended() -> None:
        await placed(served.database, KNOWN, {"CHAIR": 1})
        await all_numbered(served.database)
        end = await served.database.read(lambda uow: uow.events.end())
        await until(lambda: served.feed.position >= end)

    async with following(served.hub, EventFilter(types=("OrderChanged",)), ended=ended) as follower:
        assert isinstance((await follower.next()).event, OrderChanged)


async def test_an_end_that_the_hub_has_not_come_to_yet_is_told_behind_what_was_before_it(served: Served):
    await a_busy_day(served.database)
    log = await everything(served.database)
    await until(lambda: served.feed.position == log[-1].position)

    async def ended() -> list[LoggedEvent]:
        return log[-1:]

    served.feed.position = 3
    async with following(served.hub, EventFilter(), ended=ended) as follower:
        assert await follower.taken(len(log) - 3) == log[3:]
        await follower.ended()


async def test_a_cursor_beyond_the_end_of_the_log_is_refused(served: Served):
    end = await served.database.read(lambda uow: uow.events.end())

    async with following(served.hub, EventFilter(), end + 1) as follower:
        with pytest.raises(ApiError, match="beyond the end"):
            await follower.next()

    assert served.hub.subscribers == 0


async def test_a_subscriber_that_does_not_keep_up_is_told_its_last_cursor_and_others_are_not_held_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MESSAGES_MAX", 5)
    condition, key = EventFilter(types=("OrderChanged",)), object()
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    async with (
        following(served.hub, condition, key=key) as quick,
        following(served.hub, condition, key=key) as slow,
    ):
        await until(lambda: served.hub.subscribers == 2)
        slow.known = quick.known
        slow.takes.clear()
        for _ in range(7):
            await placed(served.database, KNOWN, {"CHAIR": 1})

        seen = await quick.taken(7)
        with pytest.raises(ApiError) as told:
            await slow.ended()
        assert slow.outbox.waiting[0] == 5
        slow.takes.set()
        assert await slow.taken(5) == seen[:5]

    assert told.value.code == "TOO_SLOW"
    assert told.value.extensions == {"cursor": log_cursor(seen[4].position)}
    async with following(served.hub, condition, seen[4].position) as again:
        assert await again.taken(2) == seen[5:]


async def test_an_outbox_holds_few_bytes_however_few_messages_they_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "BYTES_MAX", 1_000)
    blocked = asyncio.Event()

    async def send(_: bytes) -> None:
        await blocked.wait()

    box = outbox.Outbox(lambda _: False, send, lambda _: None)
    taken = [box.offer(b"x" * 300) for _ in range(10)]

    assert taken == [True] * 3 + [False] * 7
    assert box.waiting == (3, 900)
    await box.close()
    assert box.waiting == (0, 0)


async def at_the_end(served: Served) -> None:
    """Wait for the feed to have told everything that is committed."""
    await all_numbered(served.database)
    end = await served.database.read(lambda uow: uow.events.end())
    await until(lambda: served.feed.position == end)


async def test_what_is_held_for_a_subscriber_that_catches_up_is_bounded_and_nothing_is_lost(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    """What does not fit is read from the log."""
    monkeypatch.setattr(streams, "QUEUE_EVENTS_MAX", 3)
    condition = EventFilter(types=("OrderChanged",))
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    await placed(served.database, KNOWN, {"CHAIR": 1})
    await at_the_end(served)
    async with following(served.hub, condition, 0) as follower:
        follower.takes.clear()
        await until(lambda: follower.outbox.waiting[0] >= 1)
        for _ in range(8):
            await placed(served.database, KNOWN, {"CHAIR": 1})
            await at_the_end(served)
        (stream,) = served.hub._streams.values()
        (subscriber,) = stream.subscribers
        await until(lambda: subscriber.has_missed)
        assert len(subscriber.held) == 3
        follower.takes.set()

        assert await follower.taken(9) == await everything(served.database, condition)


async def test_events_that_nobody_watches_are_not_read(served: Served, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    page = served.feed._page

    def noted(condition: EventFilter, after: int, until: int | None) -> Awaitable[list[LoggedEvent]]:
        read.append(after)
        return page(condition, after, until)

    monkeypatch.setattr(served.feed, "_page", noted)

    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    await at_the_end(served)

    assert read == []


async def test_whoever_comes_while_the_feed_only_looks_how_far_the_log_goes_misses_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    await all_numbered(served.database)
    looked, may_go_on, end = asyncio.Event(), asyncio.Event(), served.feed._end

    async def slowly() -> int:
        found = await end()
        if found > before:
            looked.set()
            await may_go_on.wait()
        return found

    before = await end()
    await until(lambda: served.feed.position == before)
    monkeypatch.setattr(served.feed, "_end", slowly)
    await placed(served.database, KNOWN, {"CHAIR": 1})
    async with asyncio.timeout(SECONDS_MAX):
        await looked.wait()
    condition = EventFilter(types=("OrderChanged",))
    async with following(served.hub, condition) as follower:
        await until(lambda: served.hub.subscribers == 1)
        may_go_on.set()

        assert await follower.taken(1) == await everything(served.database, condition)


# ---------------------------------------------------------------- execute once, send many


async def test_subscribers_of_one_stream_cost_one_match_one_execution_and_one_encoding(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    looked: list[object] = []
    monkeypatch.setattr(streams, "matches", lambda condition, event: looked.append(event) or matches(condition, event))
    condition, key = EventFilter(types=("OrderChanged",)), object()
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    await all_numbered(served.database)
    async with AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(following(served.hub, condition, key=key)) for _ in range(20)]
        await until(lambda: served.hub.subscribers == 20)
        looked.clear()
        for other in followers[1:]:
            other.known = followers[0].known
        await placed(served.database, KNOWN, {"CHAIR": 1})
        seen = [await follower.next() for follower in followers]

    assert served.hub.streams == 0
    assert {event.position for event in seen} == {followers[0].executed[0]}
    assert [len(follower.executed) for follower in followers] == [1] + [0] * 19
    assert len(looked) == len(set(map(id, looked)))


SENT = FulfillmentChanged(
    order_id=OrderId(1),
    order_number="1",
    channel_code="WEB",
    fulfillment_id=FulfillmentId(1),
    fulfillment_version=1,
    location_code="LEEDS",
    before=None,
    after=FulfillmentState.RELEASED,
    skus=("CHAIR",),
    locations=("LEEDS",),
    carrier=None,
    tracking_number=None,
    estimated_ship_at=None,
    estimated_delivery_at=None,
)
CHAIR_ORDER = OrderChanged(
    order_id=OrderId(1),
    order_number="1",
    channel_code="WEB",
    order_version=1,
    skus=("CHAIR",),
    locations=("LEEDS",),
    changes=(),
)


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        (Visibility(), True),
        (Visibility(channels=frozenset({"WEB", "TILL"})), True),
        (Visibility(channels=frozenset({"TILL"})), False),
        (Visibility(channels=frozenset()), False),
        (Visibility(locations=frozenset({"LEEDS"})), False),
        (Visibility(channels=frozenset({"WEB"}), locations=frozenset({"LEEDS"})), False),
    ],
)
def test_an_event_of_an_order_is_visible_within_the_limits_of_channels(visibility: Visibility, expected: bool):
    assert visible(visibility, CHAIR_ORDER) is expected


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        (Visibility(), True),
        (Visibility(channels=frozenset({"WEB"})), True),
        (Visibility(channels=frozenset({"TILL"})), False),
        (Visibility(locations=frozenset({"LEEDS"})), True),
        (Visibility(locations=frozenset({"YORK"})), False),
        (Visibility(channels=frozenset({"WEB"}), locations=frozenset({"LEEDS"})), True),
        (Visibility(channels=frozenset({"WEB"}), locations=frozenset({"YORK"})), False),
        (Visibility(channels=frozenset({"TILL"}), locations=frozenset({"LEEDS"})), False),
    ],
)
def test_what_is_sent_is_visible_within_the_limits_of_both(visibility: Visibility, expected: bool):
    assert visible(visibility, SENT) is expected


@pytest.mark.parametrize("kind", CATALOGUE)
def test_an_event_that_is_told_under_a_limit_says_of_which_channel_or_location_it_is(kind: str):
    """What is added to the catalogue is told to nobody who is limited, until somebody says of whose it is."""
    fields = {field.name for field in dataclasses.fields(CATALOGUE[kind])}

    assert (kind in OF_A_CHANNEL) <= ("channel_code" in fields)
    assert (kind in OF_A_LOCATION) <= ("location_code" in fields)
    assert set(CATALOGUE) >= OF_A_CHANNEL | OF_A_LOCATION


def test_what_is_about_no_channel_is_hidden_from_those_who_are_limited_to_some():
    disabled = WebhookEndpointDisabled(endpoint_id=EndpointId(1), endpoint_name="x", reason="y", failures=5)

    assert visible(EVERYTHING, disabled)
    assert not visible(Visibility(channels=frozenset({"WEB"})), disabled)
    assert not visible(Visibility(locations=frozenset({"LEEDS"})), disabled)


@pytest.mark.parametrize("after", [None, 0])
async def test_the_hub_tells_nobody_what_it_may_not_see(served: Served, after: int | None):
    """Live, and from the log."""
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 1})
    await all_numbered(served.database)
    web = Visibility(channels=frozenset({"WEB"}))
    async with following(served.hub, EventFilter(), after, visibility=web) as follower:
        await until(lambda: served.hub.subscribers == 1)
        for channel in ("TILL", "WEB", "TILL", "WEB"):
            await placed(served.database, KNOWN, {"CHAIR": 1}, channel=channel)
        seen = [event.event.channel_code for event in await follower.taken(2)]  # type: ignore[union-attr]

    assert seen == ["WEB", "WEB"]
