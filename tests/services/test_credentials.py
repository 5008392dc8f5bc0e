"""API keys: who presents a secret, and that nobody can read one back."""

import asyncio
from contextlib import ExitStack
from functools import partial

import pytest
from sqlalchemy import text

from dibs.app import RECHECK_SECONDS
from services.callers import Caller
from services.credentials import ADMIN, CERTAIN_SECONDS_MAX, Doorkeeper, create_admin_key, create_key, preset_key


async def test_a_key_opens_with_its_secret_and_with_nothing_else(database):
    key, secret = await create_key(database, "partner")

    assert await Doorkeeper(database).authenticate(secret, "r1") == Caller(key=key, actor="partner", request="r1")
    for other in ("", secret[:-1], secret + "x", secret.upper(), "\x00", "\ud800", "x" * 100_000):
        assert await Doorkeeper(database).authenticate(other, "r2") is None


async def test_a_new_secret_of_a_key_replaces_the_one_that_it_had(database):
    key, old = await create_key(database, "partner")

    again, new = await create_key(database, "partner")

    assert again == key
    assert await Doorkeeper(database).authenticate(old, "r") is None
    assert await Doorkeeper(database).authenticate(new, "r") == Caller(key=key, actor="partner", request="r")


async def test_a_preset_secret_is_long(database):
    await preset_key(database, ADMIN, "s" * 32)
    assert (await Doorkeeper(database).authenticate("s" * 32, "r")).actor == ADMIN

    with pytest.raises(AssertionError):
        await preset_key(database, ADMIN, "s" * 31)


async def test_the_administrators_key_is_made_once(database):
    await create_key(database, "partner")

    secret = await create_admin_key(database)

    assert secret is not None
    assert (await Doorkeeper(database).authenticate(secret, "r")).actor == ADMIN
    assert await create_admin_key(database) is None


async def test_no_secret_stands_in_the_database(database, engine):
    _, secret = await create_key(database, "partner")

    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT CAST(k AS text) FROM api_keys k"))).scalars().all()

    assert len(rows) == 1
    assert secret not in rows[0]
    assert secret.encode().hex() not in rows[0]


async def test_all_who_are_watched_are_looked_after_with_one_query(database, monkeypatch):
    """And only those whose secret opens nothing any more are told."""
    doorkeeper = Doorkeeper(database)
    reads = []
    read = database.read
    monkeypatch.setattr(database, "read", lambda work: reads.append(work) or read(work))
    told = []
    with ExitStack() as watching:
        for name in ("a", "b", "c"):
            _, secret = await create_key(database, name)
            caller = await doorkeeper.authenticate(secret, "r")
            for number in range(3):
                watching.enter_context(doorkeeper.watched(caller, partial(told.append, f"{name}{number}")))
        reads.clear()
        await doorkeeper.recheck()
        assert (told, len(reads)) == ([], 1)

        await create_key(database, "b")
        await doorkeeper.recheck()
        assert (sorted(told), len(reads)) == (["b0", "b1", "b2"], 2)
    reads.clear()
    await doorkeeper.recheck()
    assert reads == [], "nobody is watched"


async def test_nobody_is_told_anything_before_those_who_are_watched_have_been_looked_after(database, monkeypatch):
    """However long that takes; and with nobody there to be looked after there is nothing to wait for."""
    doorkeeper = Doorkeeper(database)
    await asyncio.wait_for(doorkeeper.certain(), 1)
    _, secret = await create_key(database, "somebody")
    caller = await doorkeeper.authenticate(secret, "r")
    with doorkeeper.watched(caller, lambda: None):
        telling = asyncio.create_task(doorkeeper.certain())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not telling.done()

        await doorkeeper.recheck()

        await asyncio.wait_for(telling, 1)
        await asyncio.wait_for(doorkeeper.certain(), 1)
        monkeypatch.setattr("services.credentials.CERTAIN_SECONDS_MAX", -1)
        telling = asyncio.create_task(doorkeeper.certain())
        await asyncio.sleep(0)
        assert not telling.done(), "it was too long ago"
        telling.cancel()


def test_i19_a_look_and_what_it_is_good_for_come_to_less_than_two_seconds():
    assert RECHECK_SECONDS < CERTAIN_SECONDS_MAX < 2
