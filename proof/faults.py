"""`dibs` with a weak spot: it kills itself (SIGKILL) at a named point, the n-th time that it comes there.

    PROOF_FAULT="before COMMIT:12" python -m proof.faults serve …

Calls count from SIGUSR1 on, so that a test chooses when it begins. The product knows nothing of this: the points are
functions that are wrapped here before it starts. A new point is a row.
"""

import asyncio
import functools
import importlib
import os
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, NamedTuple

VARIABLE = "PROOF_FAULT"
CHUNK_ORDERS = 7
"""Few, so that a run of a small test has many chunks and can die between them."""
BEFORE, DURING, AFTER = "before", "during", "after"
Function = Callable[..., Awaitable[Any]]


class Point(NamedTuple):
    """Where a function is looked up by those who call it, and when it is the end."""

    module: str
    name: str
    when: str
    times: int
    """A call at which plenty is under way."""
    writing: str = ""
    """Of `Driver.write`: only calls whose statement begins so count."""


POINTS = {
    "before the keys are taken": Point("persistence.keys", "PostgresIdempotencyKeys.claim", BEFORE, 20),
    "after the keys are taken": Point("persistence.keys", "PostgresIdempotencyKeys.claim", AFTER, 20),
    "after the locks are taken": Point("persistence.batches", "lock_skus", AFTER, 20),
    "in the middle of the writing": Point("persistence.driver", "Driver.write", AFTER, 217),
    "before the events are written": Point("persistence.driver", "Driver.write", BEFORE, 20, "INSERT INTO events"),
    "after everything is written": Point("persistence.batches", "PostgresBatches.record", AFTER, 20),
    "after the outcomes are kept": Point("persistence.keys", "PostgresIdempotencyKeys.keep", AFTER, 20),
    "before COMMIT": Point("persistence.database", "_commit", BEFORE, 40),
    "during COMMIT": Point("persistence.database", "_commit", DURING, 40),
    "after COMMIT, before the answer": Point("persistence.database", "_commit", AFTER, 40),
    "before positions are committed": Point("persistence.events", "PostgresEventLog.number", AFTER, 10),
    "before the bell rings": Point("workers.relay", "number_events", AFTER, 10),
    "before a run's progress is saved": Point("persistence.runs", "PostgresRuns.save", BEFORE, 3),
    "after a run's progress is saved": Point("persistence.runs", "PostgresRuns.save", AFTER, 3),
    "after waiting orders are served": Point("services.runs", "_serve_waiting", AFTER, 4),
    "before what arrived is forgotten": Point("persistence.runs", "PostgresRuns.forget_replenished", BEFORE, 2),
}


def main() -> None:
    """Run `dibs` with the point that the environment names."""
    name, _, times = os.environ[VARIABLE].rpartition(":")
    break_at(POINTS[name], int(times))
    runs: Any = importlib.import_module("services.runs")
    runs.CHUNK_ORDERS_MAX = CHUNK_ORDERS
    cli = importlib.import_module("dibs.cli")
    cli.main()


def break_at(point: Point, times: int) -> None:
    """From SIGUSR1 on, die at the point's n-th call."""
    left, armed = times, False

    def arm(_signal: int, _frame: FrameType | None) -> None:
        nonlocal armed
        armed = True

    def is_the_one() -> bool:
        nonlocal left
        left -= armed
        return armed and left == 0

    signal.signal(signal.SIGUSR1, arm)
    owner: Any = importlib.import_module(point.module)
    *path, name = point.name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, name, _breaking(getattr(owner, name), point, is_the_one))


def _breaking(function: Function, point: Point, is_the_one: Callable[[], bool]) -> Function:
    when = point.when

    @functools.wraps(function)
    async def broken(*arguments: Any, **options: Any) -> Any:
        counts = not point.writing or arguments[1].statement.text.lstrip().startswith(point.writing)
        this_time = counts and is_the_one()
        if this_time and when == BEFORE:
            _die()
        if this_time and when == DURING:
            asyncio.get_running_loop().call_later(0.001, _die)
        answer = await function(*arguments, **options)
        if this_time:
            _die()
        return answer

    return broken


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
