"""Reads of many requests at once: while one read is in flight, what others want gathers, and is read next, together.

It is the desk's idea for reading. A request that finds nobody reading is served at once; under load each statement
serves many. What is answered was read after it was asked for, so a request sees what it has just written.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

KEYS_MAX = 1_000
"""Of one read, as long as no single request wants more."""


class _Round(Generic[K, V]):
    """One read that is to be: the keys that are wanted, and what will be found."""

    def __init__(self) -> None:
        self.keys: dict[K, None] = {}
        self.found: asyncio.Future[Mapping[K, V]] = asyncio.get_running_loop().create_future()


class Gathering(Generic[K, V]):
    """Reads values by key for everybody who wants them. Values are shared: nobody may change one."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        """`read`: what is not found is missing from its answer."""
        self._read = read
        self._rounds: deque[_Round[K, V]] = deque()
        self._reading: asyncio.Task[None] | None = None

    async def load(self, keys: Sequence[K]) -> Mapping[K, V]:
        """At least the values of these keys, as far as there are any. Raises what the read raises."""
        if not self._rounds or len(self._rounds[-1].keys) + len(keys) > KEYS_MAX:
            self._rounds.append(_Round())
        wanted = self._rounds[-1]
        wanted.keys.update(dict.fromkeys(keys))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), context=Context())  # it is nobody's request
        return await asyncio.shield(wanted.found)  # whoever stops waiting takes it from nobody

    async def close(self) -> None:
        """Wait until nothing is read any more."""
        while self._reading:
            await asyncio.wait({self._reading})

    async def _read_all(self) -> None:
        try:
            while self._rounds:
                await self._serve(self._rounds.popleft())
        finally:
            self._reading = None

    async def _serve(self, wanted: _Round[K, V]) -> None:
        try:
            found = await self._read(list(wanted.keys))
        except Exception as error:
            wanted.found.set_exception(error)
            wanted.found.exception()  # it is seen, even if nobody waits any more
        else:
            wanted.found.set_result(found)
