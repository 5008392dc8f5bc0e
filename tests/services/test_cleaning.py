"""What is not kept for ever goes; what is kept stays."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.errors import InvalidInput
from domain.ids import OrderId
from domain.kinds import AllocationSequence
from persistence.verify import verify
from services.cleaning import forget_expired_keys, forget_old_events, forget_old_plans
from services.desk import Desk
from services.orders import place_order
from services.ports.events import CursorExpired, EventFilter
from services.ports.orders import OrderFilter
from services.run_plans import token_of_run
from services.runs import StartRun, advance_a_run, start_allocation_run
from tests.builders import a_catalog, placed
from tests.gql.serving import SECONDS_MAX
from tests.services.test_idempotency import order_of_one

OLDER = text(
    "UPDATE idempotency_keys SET created_at = created_at - make_interval(mins => :minutes) WHERE key = ANY(:keys)"
)
KEYS = text("SELECT array_agg(key ORDER BY key) FROM idempotency_keys")


async def test_keys_are_forgotten_after_thirty_days_and_not_before(engine, database, caller, monkeypatch):
    monkeypatch.setattr("services.cleaning.KEYS_AT_ONCE_MAX", 2)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    for key in "abcde":
        await place_order(Desk(database), caller, order_of_one(key), key)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys WHERE length(key) > 1"))
        await connection.execute(OLDER, {"minutes": 30 * 1440 + 1, "keys": ["a", "b", "c"]})
        await connection.execute(OLDER, {"minutes": 30 * 1440 - 60, "keys": ["d"]})

    assert await forget_expired_keys(database), "there is more"
    assert not await forget_expired_keys(database)

    async with engine.connect() as connection:
        assert (await connection.execute(KEYS)).scalar() == ["d", "e"]


async def test_what_a_dry_run_said_is_kept_for_a_day(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await placed(database, caller, {"CHAIR": 1})
    dry = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PLACED_AT_ASC, dry_run=True)
    run = (await start_allocation_run(database, caller, dry, "a")).run
    while await database.run(advance_a_run):
        pass

    await forget_old_plans(database)
    token = await token_of_run(database, run)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE allocation_runs SET finished_at = now() - interval '25 hours'"))
    await forget_old_plans(database)

    assert token is not None
    assert await token_of_run(database, run) is None
    with pytest.raises(InvalidInput):
        await start_allocation_run(database, caller, replace(dry, dry_run=False, token=token), "b")


# ---------------------------------------------------------------- events


AGED = text("UPDATE events SET occurred_at = occurred_at - make_interval(days => :days) WHERE position <= :until")
POSITIONS = text("SELECT coalesce(array_agg(position ORDER BY position), '{}') FROM events")
START = text("SELECT position FROM log_start")


async def a_log(engine, database, caller, events: int, *, old: int) -> list[OrderId]:
    """So many events, of which the first are 90 days old."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(events)]
    await database.run(lambda uow: uow.events.number(1_000))
    async with engine.begin() as connection:
        await connection.execute(AGED, {"days": 90, "until": old})
    return orders


async def kept(engine) -> tuple[list[int], int]:
    """The positions of the events there are, and where the log begins."""
    async with engine.connect() as connection:
        return (await connection.execute(POSITIONS)).scalar_one(), (await connection.execute(START)).scalar_one()


async def page(database, after, first=100):
    found = await database.read(lambda uow: uow.events.page(EventFilter(), first, after))
    return [event.position for event in found]


async def test_events_are_forgotten_after_their_time_in_batches_and_the_log_knows_where_it_begins(
    engine, database, caller, monkeypatch
):
    monkeypatch.setattr("services.cleaning.EVENTS_AT_ONCE_MAX", 2)
    await a_log(engine, database, caller, 7, old=5)

    assert not await forget_old_events(database, 91)
    assert await kept(engine) == ([1, 2, 3, 4, 5, 6, 7], 0)

    assert await forget_old_events(database, 90), "there is more"
    assert await kept(engine) == ([3, 4, 5, 6, 7], 2)
    assert await forget_old_events(database, 90)
    assert not await forget_old_events(database, 90)
    assert await kept(engine) == ([6, 7], 5)
    assert not await forget_old_events(database, 90)
    assert await verify(engine) == []


async def test_a_log_of_which_everything_is_old_is_empty_and_goes_on_counting(engine, database, caller):
    await a_log(engine, database, caller, 3, old=3)

    assert not await forget_old_events(database, 90)
    assert await kept(engine) == ([], 3)
    assert await verify(engine) == []
    await placed(database, caller, {"CHAIR": 1})
    assert await database.run(lambda uow: uow.events.number(10)) == 1

    assert await page(database, 3) == [4]
    assert await verify(engine) == []


async def test_a_cursor_from_before_the_log_begins_has_expired_and_no_other(engine, database, caller):
    await a_log(engine, database, caller, 5, old=3)
    await forget_old_events(database, 90)

    assert await page(database, 3) == [4, 5]
    assert await page(database, None) == [4, 5]
    assert await page(database, 5) == []
    for after in (0, 1, 2):
        with pytest.raises(CursorExpired) as told:
            await page(database, after)
        assert told.value.end == 5


async def test_an_event_that_is_not_old_keeps_those_behind_it_however_old_they_say_they_are(engine, database, caller):
    """Positions are given after the commit, so the log is not quite in the sequence of its times."""
    await a_log(engine, database, caller, 4, old=4)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE events SET occurred_at = now() WHERE position = 2"))

    await forget_old_events(database, 90)

    assert await kept(engine) == ([2, 3, 4], 1)


ENDPOINT = text(
    """INSERT INTO webhook_endpoints (name, url, enabled, position)
    VALUES (:name, 'https://example.com', :enabled, :position) RETURNING id"""
)
PENDING = text(
    """INSERT INTO webhook_deliveries (endpoint_id, event_id, position, type, subject)
    SELECT :endpoint, id, position, type, 'order ' || order_id FROM events WHERE position = :position"""
)
ENDED = text("UPDATE webhook_deliveries SET state = 'DEAD', ended_at = now()")


async def test_what_webhooks_have_not_taken_up_or_delivered_is_kept(engine, database, caller):
    await a_log(engine, database, caller, 8, old=8)
    async with engine.begin() as connection:
        behind = (await connection.execute(ENDPOINT, {"name": "behind", "enabled": True, "position": 5})).scalar_one()
        await connection.execute(ENDPOINT, {"name": "given up", "enabled": False, "position": 1})
        await connection.execute(PENDING, {"endpoint": behind, "position": 2})

    await forget_old_events(database, 90)
    assert await kept(engine) == ([2, 6, 7, 8], 5)
    assert await page(database, None) == [6, 7, 8]
    assert await verify(engine) == []

    async with engine.begin() as connection:
        await connection.execute(ENDED)
    await forget_old_events(database, 90)
    assert await kept(engine) == ([6, 7, 8], 5)


WAITS_FOR = text("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE :us = ANY (pg_blocking_pids(pid)))")
"""Others may wait for something else, in any database of the server."""


async def test_nobody_goes_back_to_what_is_being_forgotten(engine, database, caller):
    """A replay holds the beginning of the log; who forgets waits for it, and then sees where it went."""
    await a_log(engine, database, caller, 6, old=6)
    async with engine.begin() as connection:
        endpoint = (await connection.execute(ENDPOINT, {"name": "x", "enabled": True, "position": 6})).scalar_one()
    forgetting = None
    async with engine.begin() as connection:
        await connection.execute(text("SELECT position FROM log_start FOR SHARE"))
        us = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        forgetting = asyncio.create_task(forget_old_events(database, 90))
        async with engine.connect() as other:
            await other.execution_options(isolation_level="AUTOCOMMIT")
            async with asyncio.timeout(SECONDS_MAX):
                while not (await other.execute(WAITS_FOR, {"us": us})).scalar_one():  # noqa: ASYNC110  (nothing tells it)
                    await asyncio.sleep(0.005)
        await connection.execute(text("UPDATE webhook_endpoints SET position = 2 WHERE id = :id"), {"id": endpoint})

    assert not await forgetting
    assert await kept(engine) == ([3, 4, 5, 6], 2)


async def test_readers_are_told_of_what_is_forgotten_beside_them_and_never_skip_it(
    engine, database, databases, caller, monkeypatch
):
    """The page and where the log begins are of one moment."""
    monkeypatch.setattr("services.cleaning.EVENTS_AT_ONCE_MAX", 1)
    await a_log(engine, database, caller, 40, old=40)
    other = databases()

    async def read() -> str:
        after = 0
        while True:
            try:
                found = await page(database, after, first=1)
            except CursorExpired:
                return "told"
            if not found:
                return "read"
            assert found == [after + 1]
            after += 1

    async def forget() -> None:
        while await forget_old_events(other, 90):
            pass

    *readers, _ = await asyncio.gather(*(read() for _ in range(8)), forget())
    assert set(readers) <= {"told", "read"}
