"""The bell: `broadcaster`, wrapped so that its loss costs a moment and never an event.

It carries no data. Rings are pooled: however many are asked for, at most one is on its way. Our own rings come back to
us on the same way as everybody else's, which is how a dead connection is noticed.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from broadcaster import Broadcast

from persistence.bell_backends import backend_for

log = logging.getLogger("dibs.bell")

CHANNEL = "dibs_log"
ECHO_SECONDS_MAX = 5.0
"""A ring that has not come back after this long was lost, and the connection with it."""
GOODBYE_SECONDS_MAX = 1.0
HEARTBEAT_SECONDS = 15.0
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0)
"""Before the next try, up to so long, by how many have failed since a ring last came back."""


class BroadcastBell:
    """Implements `services.ports.bell.Bell` over broadcaster, with the backend that the address names."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asked = asyncio.Event()
        self._rung = asyncio.Event()
        self._echoed = asyncio.Event()
        self._rings = 0
        self._failures = 0
        self.connected = False

    def ring(self) -> None:
        """Wake everybody who waits here at once, and those on other nodes soon; never waits and never fails."""
        self._wake()
        self._asked.set()

    async def wait(self, seconds_max: float, heard: int | None = None) -> int:
        """Until it has rung more often than `heard`, or so long at most; how often it has rung.

        Whoever passes on what the wait before answered misses no ring in between. Any number may wait.
        """
        before = self._rings if heard is None else heard
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while self._rings == before:
                    await self._rung.wait()
        return self._rings

    def _wake(self) -> None:
        self._rings += 1
        self._rung.set()
        self._rung.clear()

    async def run(self) -> None:
        """Stay connected until cancelled. Whoever waits meanwhile polls."""
        while True:
            try:
                await self._serve()
            except Exception as error:
                _leave_if_cancelled()
                log.warning("the bell is silent (%s: %s); polling carries on", type(error).__name__, error)
            self.connected = False
            seconds = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
            self._failures += 1
            await asyncio.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311  (so that nodes do not come all at once)

    async def _serve(self) -> None:
        """Connect, listen and ring; ends only with an error."""
        backend = backend_for(self._url)
        broadcast = Broadcast(backend=backend)
        subscription = broadcast.subscribe(CHANNEL)
        goodbyes: list[Callable[[], Awaitable[object]]] = [backend.disconnect]
        try:
            async with asyncio.timeout(ECHO_SECONDS_MAX):
                await broadcast.connect()
                goodbyes.insert(0, broadcast.disconnect)
                subscriber = await subscription.__aenter__()
                goodbyes.append(partial(subscription.__aexit__, None, None, None))
            _leave_if_cancelled()
            self.connected = True
            self._asked.set()
            await _until_one_ends(self._listen(subscriber), self._ring(broadcast), backend.lost())
        finally:
            for goodbye in goodbyes:  # the connection first: over one that is dead nothing can be said
                with suppress(Exception):
                    async with asyncio.timeout(GOODBYE_SECONDS_MAX):
                        await goodbye()

    async def _listen(self, subscriber: Any) -> None:
        async for _ in subscriber:
            self._echoed.set()
            self._wake()
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
                _leave_if_cancelled()
                await self._echoed.wait()
            self._failures = 0


def _leave_if_cancelled() -> None:
    """Broadcaster turns some cancellations into errors of its own, and redis-py swallows some."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


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
