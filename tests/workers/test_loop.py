"""Chores are repeated whatever becomes of them."""

import asyncio
import logging
from functools import partial

import pytest

from services.ports.database import Busy, OutcomeUnknown
from tests.gql.serving import until
from workers.loop import repeated, running
from workers.runs import FAILURES_MAX, Runner


async def test_a_chore_is_done_again_at_once_while_there_is_more_and_outlives_its_failures(caplog):
    caplog.set_level(logging.WARNING, "dibs.jobs")
    outcomes = iter([True, RuntimeError("a mistake"), True, Busy(), OutcomeUnknown(), True, False])
    done = []

    async def chore():
        outcome = next(outcomes, None)
        done.append(outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    async with running(partial(repeated, "the cleaner", chore, 0.0)):
        await until(lambda: len(done) >= 8)

    assert "the cleaner failed" in caplog.text
    assert "RuntimeError: a mistake" in caplog.text
    assert caplog.text.count("the cleaner waits for the database") == 2
    assert caplog.text.count("Traceback") == 1


async def test_a_run_is_not_given_up_because_the_database_does_not_answer():
    class Silent:
        async def run(self, *_, **__):
            raise OutcomeUnknown

        read = run

    runner = Runner(Silent(), run_waiting=False, called=asyncio.Event())
    for _ in range(FAILURES_MAX + 1):
        with pytest.raises(OutcomeUnknown):
            await runner._work()


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
