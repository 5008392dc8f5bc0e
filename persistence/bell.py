"""The bell: `broadcaster`, wrapped so that its loss costs a moment and never an event.

It carries no data. Rings are pooled: however many are asked for, at most one is on its way. Our own rings come back to
us on the same way as everybody else's, which is how a dead connection is noticed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from broadcaster import Broadcast

log = logging.getLogger("dibs.bell")

CHANNEL = "dibs_log"
ECHO_SECONDS_MAX = 5.0
"""A ring that has not come back after this long was lost, and the connection with it."""
GOODBYE_SECONDS_MAX = 1.0
HEARTBEAT_SECONDS = 15.0
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class BroadcastBell:
    """Implements `services.ports.Bell` over any backend of broadcaster."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asked = asyncio.Event()
        self._rung = asyncio.Event()
        self._echoed = asyncio.Event()
        self.connected = False

    def ring(self) -> None:
        """Wake everybody who waits here at once, and those on other nodes soon; never waits and never fails."""
        self._rung.set()
        self._asked.set()

    async def wait(self, seconds_max: float) -> None:
        """Until it rings, or so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._rung.wait()
        self._rung.clear()

    async def run(self) -> None:
        """Stay connected until cancelled. Whoever waits meanwhile polls."""
        failures = 0
        while True:
            try:
                await self._serve()
            except Exception as error:
                task = asyncio.current_task()
                if task and task.cancelling():  # broadcaster may turn a cancellation into an error of its own
                    raise asyncio.CancelledError from error
                log.warning("the bell is silent (%s: %s); polling carries on", type(error).__name__, error)
            failures = 0 if self.connected else failures + 1
            self.connected = False
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    async def _serve(self) -> None:
        """Connect, listen and ring; ends only with an error."""
        broadcast = Broadcast(self._url)
        subscription = broadcast.subscribe(CHANNEL)
        goodbyes: list[Callable[[], Awaitable[object]]] = []
        try:
            async with asyncio.timeout(ECHO_SECONDS_MAX):
                await broadcast.connect()
                goodbyes.append(broadcast.disconnect)
                subscriber = await subscription.__aenter__()
                goodbyes.append(partial(subscription.__aexit__, None, None, None))
            self.connected = True
            self._asked.set()
            await _until_one_ends(self._listen(subscriber), self._ring(broadcast))
        finally:
            for goodbye in goodbyes:  # the connection first: over one that is dead nothing can be said
                with suppress(Exception):
                    async with asyncio.timeout(GOODBYE_SECONDS_MAX):
                        await goodbye()

    async def _listen(self, subscriber: Any) -> None:
        async for _ in subscriber:
            self._echoed.set()
            self._rung.set()
        raise ConnectionError("the subscription ended")

    async def _ring(self, broadcast: Broadcast) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._asked.wait()
            self._asked.clear()
            self._echoed.clear()
            async with asyncio.timeout(ECHO_SECONDS_MAX):
                await broadcast.publish(CHANNEL, "")
                await self._echoed.wait()


async def _until_one_ends(*jobs: Coroutine[Any, Any, None]) -> None:
    """Raise what the first one raises, and end the others.

    A task group would turn the failure of a job that is being cancelled into its own, and the cancellation be lost.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
