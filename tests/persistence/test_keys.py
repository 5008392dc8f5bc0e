"""Idempotency keys in the database: taken in one order, many at once, with what is stored already."""

import asyncio

from sqlalchemy import text

from tests.statements import statements

KEYS = [(2, "placeOrder", "b"), (1, "voidOrder", "a"), (1, "placeOrder", "z"), (1, "placeOrder", "b")]


def fingerprints(keys):
    return [(key, repr(key).encode()) for key in keys]


async def test_keys_are_taken_in_one_order_so_that_nobody_waits_in_a_circle(engine, database):
    for keys in (KEYS, KEYS[::-1]):

        async def claim(uow, keys=keys):
            await uow.keys.claim(fingerprints(keys))
            await uow.keys.forget(keys)

        with statements(engine) as sent:
            await database.run(claim)
        (_, taken), _ = sent
        assert "{1, 1, 1, 2}" in taken
        assert ["placeOrder", "placeOrder", "voidOrder", "placeOrder"] in taken
        assert ["b", "z", "a", "b"] in taken


async def test_a_claim_takes_the_keys_that_are_free_and_tells_what_is_stored_under_the_others(database):
    async def claim_two(uow):
        assert await uow.keys.claim(fingerprints(KEYS[:2])) == {}
        await uow.keys.keep([(KEYS[0], '{"order": 5}'), (KEYS[1], "[1, 2]")])

    await database.run(claim_two)

    async def claim_all(uow):
        stored = await uow.keys.claim(fingerprints(KEYS))
        assert stored == {
            KEYS[0]: (repr(KEYS[0]).encode(), {"order": 5}),
            KEYS[1]: (repr(KEYS[1]).encode(), [1, 2]),
        }
        await uow.keys.keep([(KEYS[2], '"done"')])
        await uow.keys.forget([KEYS[3]])

    await database.run(claim_all)

    async def claim_the_last_two(uow):
        stored = await uow.keys.claim(fingerprints(KEYS[2:]))
        assert stored == {KEYS[2]: (repr(KEYS[2]).encode(), "done")}
        await uow.keys.keep([(KEYS[3], '"done too"')])

    await database.run(claim_the_last_two)


WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


async def test_a_concurrent_twin_waits_and_is_told_what_the_first_one_stored(engine, database):
    taken, done = asyncio.Event(), asyncio.Event()

    async def first(uow):
        assert await uow.keys.claim(fingerprints(KEYS[:1])) == {}
        taken.set()
        await done.wait()
        await uow.keys.keep([(KEYS[0], '"done"')])

    async def second(uow):
        return await uow.keys.claim(fingerprints(KEYS[:1]))

    async def is_waiting() -> bool:
        async with engine.connect() as connection:
            return bool((await connection.execute(WAITING)).scalar())

    one = asyncio.create_task(database.run(first))
    await taken.wait()
    other = asyncio.create_task(database.run(second))
    async with asyncio.timeout(20):
        while not await is_waiting():  # noqa: ASYNC110  (nobody tells it)
            await asyncio.sleep(0.01)
    done.set()

    await one
    assert await other == {KEYS[0]: (repr(KEYS[0]).encode(), "done")}
