"""Chores are repeated whatever becomes of them."""

import asyncio
import logging
from functools import partial

from services.ports import Busy
from tests.gql.serving import until
from workers.loop import repeated, running


async def test_a_chore_is_done_again_at_once_while_there_is_more_and_outlives_its_failures(caplog):
    caplog.set_level(logging.WARNING, "dibs.jobs")
    outcomes = iter([True, RuntimeError("a mistake"), True, Busy(), True, False])
    done = []

    async def chore():
        outcome = next(outcomes, None)
        done.append(outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    async with running(partial(repeated, "the cleaner", chore, 0.0)):
        await until(lambda: len(done) >= 7)

    assert "the cleaner failed" in caplog.text
    assert "RuntimeError: a mistake" in caplog.text
    assert "the cleaner waits for the database" in caplog.text


async def test_a_chore_with_nothing_left_to_do_rests():
    done = []

    async def chore():
        done.append(1)
        return False

    async with running(partial(repeated, "the cleaner", chore, 60.0)):
        await until(lambda: done)
        for _ in range(10):
            await asyncio.sleep(0)

    assert len(done) == 1
