"""The runner: works on background runs, chunk by chunk, and runs the orders that wait for what has just arrived."""

import asyncio
import logging
import secrets
from collections import Counter

from domain.ids import KeyId, RunId
from services.automation import run_scheduled_orders
from services.callers import Caller
from services.planning import Planner
from services.ports.database import OUT_OF_REACH, Database
from services.runs import advance_a_run, fail_run, run_waiting_orders
from workers.foreman import REST_SECONDS_MAX
from workers.loop import repeated

log = logging.getLogger("dibs.runs")

FAILURES_MAX = 5
"""A run whose next chunk fails this often in one process is given up."""


class Runner:
    """Any number of runners may work; each run is worked on by one of them at a time."""

    def __init__(self, database: Database, *, run_waiting: bool = True, called: asyncio.Event) -> None:
        """`run_waiting`: whether arrivals set off a run of the orders that wait for them.

        `called`: there may be something to do.
        """
        self._database = database
        self._called = called
        self._run_waiting = run_waiting
        self._failures = _Failures(database)

    async def run(self) -> None:
        await repeated("the runner", self._work, REST_SECONDS_MAX, self._called)

    async def _work(self) -> bool:
        """Whether there was anything to do."""
        waiting = 0
        if self._run_waiting:
            waiting = await run_waiting_orders(self._database, _caller())
        return await self._advance() or bool(waiting)

    async def _advance(self) -> bool:
        try:
            return await self._database.run(advance_a_run, repeatable=True) is not None
        except OUT_OF_REACH:
            raise
        except Exception:
            log.exception("a chunk of a run failed")
            await self._failures.count(await self._database.read(lambda uow: uow.runs.oldest_unfinished()))
            return False


class PlanMaker:
    """Makes the plans of runs that need one before their first chunk. It may take its time: the runner goes on."""

    def __init__(self, database: Database, planner: Planner, *, called: asyncio.Event) -> None:
        self._database = database
        self._called = called
        self._planner = planner
        self._failures = _Failures(database)

    async def run(self) -> None:
        await repeated("the plan maker", self._work, REST_SECONDS_MAX, self._called)

    async def _work(self) -> bool:
        try:
            return await self._planner.plan_a_run() is not None
        except OUT_OF_REACH:
            raise
        except Exception:
            log.exception("a run could not be planned")
            run = await self._database.read(lambda uow: uow.runs.next_to_plan())
            await self._failures.count(run.id if run else None)
            return False


class _Failures:
    """Counts how often each run could not go on, and gives one up that fails too often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of: Counter[RunId] = Counter()

    async def count(self, run: RunId | None) -> None:
        if run is None:
            return
        self._of[run] += 1
        if self._of[run] >= FAILURES_MAX:
            await self._database.run(lambda uow: fail_run(uow, run), repeatable=True)


async def run_schedules(database: Database) -> bool:
    """Allocate the orders whose schedule has come; whether there were any. A chore, beside runs that take long."""
    return await run_scheduled_orders(database, _caller()) > 0


def _caller() -> Caller:
    return Caller(key=KeyId(0), actor="dibs", request=secrets.token_hex(8))
