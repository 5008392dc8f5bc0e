"""What a key may ask for: so many objects a minute, however and wherever it asks.

A bucket that fills steadily up to a minute's worth. Who asks while there is an object in it is served, and pays; what
one request takes too much is a debt, and the next one waits until it is paid. So nothing that may be asked for at all
is refused for ever, and the average holds.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from domain.ids import KeyId

SECONDS = 60
BUCKETS_MAX = 10_000
"""Kept at once; those that are full again are forgotten first."""


class Purse(Protocol):
    """Where the buckets are."""

    async def take(self, key: KeyId, cost: int) -> int:
        """0 where the key has paid; else the milliseconds until it can, and nothing was taken."""
        ...

    async def close(self) -> None:
        """Whoever is here uses it no more."""
        ...


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class MemoryPurse:
    """The buckets of one process."""

    def __init__(self, objects_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = objects_per_minute
        self._clock = clock
        self._buckets: dict[KeyId, _Bucket] = {}

    async def take(self, key: KeyId, cost: int) -> int:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_full(now)
            bucket = self._buckets[key] = _Bucket(self._most, now)
        bucket.level, bucket.at = self._level(bucket, now), now
        if bucket.level < 1:
            return wait_ms(bucket.level, self._most)
        bucket.level -= cost
        return 0

    async def close(self) -> None:
        """Nothing is open."""

    def _level(self, bucket: _Bucket, now: float) -> float:
        return min(self._most, bucket.level + (now - bucket.at) * self._most / SECONDS)

    def _forget_full(self, now: float) -> None:
        if len(self._buckets) >= BUCKETS_MAX:
            self._buckets = {key: one for key, one in self._buckets.items() if self._level(one, now) < self._most}


def wait_ms(level: float, objects_per_minute: int) -> int:
    """Until there is an object in a bucket that has none."""
    return math.ceil((1 - level) * SECONDS * 1000 / objects_per_minute)


class Budget:
    """Of every key. A key that cannot pay is known until it can: it is refused without anything being looked at."""

    def __init__(self, purse: Purse | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`purse` None: everybody may ask for everything."""
        self._purse = purse
        self._clock = clock
        self._broke_until: dict[KeyId, float] = {}

    def wait_ms(self, key: KeyId) -> int:
        """How long a key that could not pay has to wait yet; 0: as far as is known it can."""
        until = self._broke_until.get(key)
        if until is None:
            return 0
        left = until - self._clock()
        if left > 0:
            return math.ceil(left * 1000)
        del self._broke_until[key]
        return 0

    async def spend(self, key: KeyId, cost: int) -> int:
        """0 where it is paid; else the milliseconds to wait."""
        if self._purse is None:
            return 0
        wait = await self._purse.take(key, cost)
        if wait:
            self._broke_until[key] = self._clock() + wait / 1000
        return wait

    async def close(self) -> None:
        if self._purse:
            await self._purse.close()
