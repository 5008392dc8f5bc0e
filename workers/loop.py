"""Everything that runs beside the API, for as long as the process does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

log = logging.getLogger("dibs.jobs")


@asynccontextmanager
async def running(*jobs: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
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
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Future[None]) -> None:
    """A job that ended although it never should."""
    if not task.cancelled() and task.exception():
        log.error("a job of this process has ended", exc_info=task.exception())
