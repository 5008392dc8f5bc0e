"""The log: writers append, one relay numbers, readers see every event once and in order."""

import asyncio
from datetime import timedelta

import pytest
from asyncpg.exceptions import CheckViolationError
from sqlalchemy import select, text

from docs.make_events import EXAMPLES
from domain.events import AllocationStatusChanged, OrderChanged, StockLevelChanged
from domain.ids import Sku
from domain.kinds import AllocationStatus
from domain.orders import NewLine, NewOrder
from persistence.driver import begin
from persistence.events import PostgresEventLog, append
from persistence.tables import events
from services import following
from services.orders import place_orders
from services.ports.events import EventFilter
from tests.builders import a_catalog, allocated, counted, events_now, everything, placed, received

EVERYTHING = EventFilter()
LATE = NewOrder(channel="SHOP", number="LATE", lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))


async def number(database, most=1_000):
    return await database.run(lambda uow: uow.events.number(most))


async def log(database, condition=EVERYTHING, first=1_000, after=0, until=None):
    return await database.read(lambda uow: uow.events.page(condition, first, after, until))


async def end(database):
    return await database.read(lambda uow: uow.events.end())


@pytest.fixture
async def story(database, caller):
    """Five events of a level, and seven of two orders."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("TABLE", "YORK"): 0})
    orders = [await placed(database, caller, {"CHAIR": 1}, channel=channel) for channel in ("SHOP", "EBAY")]
    await allocated(database, caller, *orders)
    await counted(database, caller, {"CHAIR": 1})
    return orders


async def test_events_have_no_position_until_they_are_numbered_and_then_dense_ones_in_the_order_of_writing(
    database, engine, story
):
    written = await events_now(engine)
    assert (await log(database), await end(database)) == ([], 0)

    assert await number(database) == len(written)

    logged = await log(database)
    assert [one.position for one in logged] == list(range(1, len(written) + 1))
    assert [one.event for one in logged] == written
    assert await end(database) == len(written)
    assert await number(database) == 0
    assert await end(database) == len(written)


async def test_numbering_takes_so_many_events_at_most_and_goes_on_where_it_stopped(database, engine, story):
    total = len(await events_now(engine))

    assert await number(database, most=3) == 3
    assert (await end(database), len(await log(database))) == (3, 3)
    assert await number(database, most=1_000) == total - 3

    assert [one.position for one in await log(database)] == list(range(1, total + 1))


async def test_an_event_that_commits_late_is_numbered_later_and_never_passed_over(database, caller, story):
    await number(database)
    before = await end(database)
    written, go_on = asyncio.Event(), asyncio.Event()

    async def write_slowly(uow):
        await place_orders(uow, caller, [LATE])
        written.set()
        await go_on.wait()

    slow = asyncio.create_task(database.run(write_slowly))
    await written.wait()
    await placed(database, caller, {"CHAIR": 1}, number="EARLY")

    assert await number(database) == 1
    go_on.set()
    await slow
    assert await number(database) == 1

    assert [one.event.order_number for one in await log(database, after=before)] == ["EARLY", "LATE"]
    assert [one.position for one in await log(database, after=before)] == [before + 1, before + 2]


async def test_a_reader_who_goes_on_after_its_cursor_misses_nothing_that_commits_late(database, caller, story):
    await number(database)
    cursor = await end(database)
    written, go_on = asyncio.Event(), asyncio.Event()

    async def write_slowly(uow):
        await place_orders(uow, caller, [LATE])
        written.set()
        await go_on.wait()

    async def read_on(after):
        await number(database)
        return await log(database, after=after)

    slow = asyncio.create_task(database.run(write_slowly))
    await written.wait()
    await placed(database, caller, {"CHAIR": 1}, number="EARLY")
    first = await read_on(cursor)
    go_on.set()
    await slow
    then = await read_on(first[-1].position)

    assert [one.event.order_number for one in first + then] == ["EARLY", "LATE"]


async def test_a_change_whose_event_cannot_be_written_is_not_there(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 1})
    before = await everything(engine)
    await execute(engine, "ALTER TABLE events ADD CONSTRAINT none CHECK (type <> 'AllocationStatusChanged') NOT VALID")

    with pytest.raises(CheckViolationError):
        await allocated(database, caller, order)

    assert await everything(engine) == before
    await execute(engine, "ALTER TABLE events DROP CONSTRAINT none")
    assert await allocated(database, caller, order)


async def execute(engine, statement):
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def test_while_one_relay_numbers_another_does_not(database, story):
    async def number_twice(uow):
        mine = await uow.events.number(2)
        return mine, await number(database)

    assert await database.run(number_twice) == (2, None)
    assert await number(database, most=1) == 1


async def test_a_relay_that_fails_takes_its_positions_back(database, story):
    class Lost(Exception):
        pass

    async def number_and_fail(uow):
        await uow.events.number(2)
        raise Lost

    with pytest.raises(Lost):
        await database.run(number_and_fail)

    assert (await log(database), await end(database)) == ([], 0)


async def test_many_relays_and_many_writers_make_one_dense_log_in_which_every_order_is_in_order(
    database, caller, engine, story
):
    still_writing = True

    async def relay():
        while still_writing:
            await number(database, most=7)

    async def write(name):
        order = await placed(database, caller, {"CHAIR": 1, "TABLE": 1}, number=name)
        for _ in range(4):
            await allocated(database, caller, order)
            await received(database, caller, {"CHAIR": 1, "TABLE": 1}, location="YORK")

    relays = [asyncio.create_task(relay()) for _ in range(3)]
    await asyncio.gather(*(write(f"W{number}") for number in range(8)))
    still_writing = False
    await asyncio.gather(*relays)
    while await number(database):
        pass

    logged = await log(database)
    assert [one.position for one in logged] == list(range(1, len(logged) + 1))
    assert len(logged) == len(await events_now(engine))
    versions = {}
    for one in logged:
        if isinstance(one.event, OrderChanged):
            versions.setdefault(one.event.order_id, []).append(one.event.order_version)
        elif isinstance(one.event, StockLevelChanged):
            versions.setdefault((one.event.sku, one.event.location_code), []).append(one.event.version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


async def test_a_page_starts_after_a_position_and_ends_with_another(database, story):
    await number(database)

    assert [one.position for one in await log(database, after=2, until=5)] == [3, 4, 5]
    assert [one.position for one in await log(database, after=2, first=2)] == [3, 4]
    assert await log(database, after=await end(database)) == []


async def test_the_log_is_filtered_by_what_an_event_is_about(database, engine, story):
    shop, ebay = story
    await number(database)

    async def found(**conditions):
        return [one.event for one in await log(database, EventFilter(**conditions))]

    everything = await found()
    about_orders = [event for event in everything if not isinstance(event, StockLevelChanged)]
    about_levels = [event for event in everything if isinstance(event, StockLevelChanged)]
    changes = [event for event in everything if isinstance(event, AllocationStatusChanged)]
    assert (len(about_orders), len(about_levels), len(changes)) == (8, 3, 3)
    assert await found(types=("AllocationStatusChanged",)) == changes
    assert await found(orders=(ebay,)) == [event for event in about_orders if event.order_id == ebay]
    assert await found(channels=("SHOP",)) == [event for event in about_orders if event.order_id == shop]
    assert await found(skus=("CHAIR",)) == everything
    assert await found(skus=("TABLE",)) == []
    assert await found(statuses=(AllocationStatus.OVERALLOCATED,)) == changes[-1:]
    assert await found(locations=("LEEDS",)) == [
        event for event in everything if not (isinstance(event, OrderChanged) and event.order_version == 1)
    ]
    assert await found(overallocated=True) == about_levels[-1:]
    assert await found(overallocated=False) == about_levels[:-1]
    for name in ("types", "orders", "channels", "skus", "locations", "statuses"):
        assert await found(**{name: ()}) == []


async def test_the_log_is_filtered_by_when_it_happened(database, engine, story):
    await number(database)
    logged = await log(database)
    moment = logged[4].occurred_at

    after = await log(database, EventFilter(occurred_from=moment))
    before = await log(database, EventFilter(occurred_before=moment))

    assert before + after == logged
    assert {one.occurred_at < moment for one in before} == {True}
    assert await log(database, EventFilter(occurred_from=logged[-1].occurred_at + timedelta(microseconds=1))) == []
    async with engine.connect() as connection:
        stored = (await connection.execute(select(events.c.occurred_at).order_by(events.c.id))).scalars().all()
    assert [one.occurred_at for one in logged] == stored


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda event: event.type)
async def test_the_log_finds_an_event_by_everything_that_the_hub_knows_it_by(engine, example):
    """One filter for what is read and what is on its way; a new type of event is tried by itself."""
    about = following._about(example)
    async with engine.connect() as connection:  # nothing of it is committed
        await begin(connection)
        await append(connection, [example])
        written = PostgresEventLog(connection)
        await written.number(1)
        for name in following.ABOUT:
            for value in about.get(name, ()):
                (found,) = await written.page(EventFilter(**{name: (value,)}), 9, 0)
                assert found.event == example
                assert following.matches(EventFilter(**{name: (value,)}), found)
        await connection.rollback()
