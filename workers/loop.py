"""Everything that runs beside the API, for as long as the process does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

LOOK_AGAIN_SECONDS = 1.0


async def after(ready: Callable[[], Awaitable[bool]], job: Callable[[], Awaitable[None]]) -> None:
    """Run the job once everything is ready for it; until then look again and again."""
    while not await ready():  # noqa: ASYNC110  (what it waits for is in the database)
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    await job()


@asynccontextmanager
async def running(*jobs: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run the jobs in the background; they are cancelled, and waited for, on the way out.

    A job never ends by itself: each one outlives its own failures.
    """
    tasks = [asyncio.ensure_future(job()) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
