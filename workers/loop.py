"""Everything that runs beside the API, for as long as the process does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from services.ports.database import OUT_OF_REACH

log = logging.getLogger("dibs.jobs")

GOODBYE_SECONDS_MAX = 2.5
"""For jobs to end; what they were doing, another process does again."""


Job = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running(*jobs: Job) -> AsyncIterator[None]:
    """Run the jobs in the background; they are cancelled, and waited for, on the way out.

    A job never ends by itself: each one outlives its own failures. One that does is in the log.
    """
    tasks = [asyncio.ensure_future(job()) for job in jobs]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GOODBYE_SECONDS_MAX)
            if late:
                log.error("%d jobs did not end in %.0f s, and are left", len(late), GOODBYE_SECONDS_MAX)


async def rest(seconds: float, called: asyncio.Event) -> None:
    """For so long, or until called."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await called.wait()


async def repeated(
    name: str, chore: Callable[[], Awaitable[bool]], seconds: float, called: asyncio.Event | None = None
) -> None:
    """Do a chore for ever: at once while it says that there is more to do, and otherwise every so many seconds.

    `called`: do it before they are over. It outlives its failures: what could not be done is in the log, and done the
    next time.
    """
    called = called or asyncio.Event()
    while True:
        called.clear()
        more = False
        try:
            more = await chore()
        except OUT_OF_REACH as error:
            log.warning("%s waits for the database: %r", name, error.__cause__)
        except Exception:
            log.exception("%s failed; trying again", name)
        if not more:
            await rest(seconds, called)


def _report(task: asyncio.Future[None]) -> None:
    """A job that ended although it never should."""
    if not task.cancelled() and task.exception():
        log.error("a job of this process has ended", exc_info=task.exception())
