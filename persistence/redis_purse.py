"""The budgets of keys in Redis, for all nodes together. What a key may spend does not depend on where it asks."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import KeyId

log = logging.getLogger("dibs.budgets")

SECONDS_MAX = 1.0
"""For Redis to answer; a request does not wait for it any longer."""
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, cost, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(kept[1]) or most
local at = tonumber(kept[2]) or now
level = math.min(most, level + math.max(0, now - at) * most / window)
local wait = 0
if level < 1 then wait = math.ceil((1 - level) * window / most) else level = level - cost end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil((most - level) * window / most) + 1000)
return wait
"""
"""One step, by Redis's own clock: the same bucket as in memory. It is forgotten once it would be full."""


class Purse(Protocol):
    """Where the buckets are while Redis cannot be asked."""

    async def take(self, key: KeyId, cost: int) -> int: ...


class RedisPurse:
    """Without Redis each node counts for itself: nobody is refused because of it, and nobody is let in without end."""

    def __init__(self, url: str, objects_per_minute: int, meanwhile: Purse) -> None:
        self._redis = Redis.from_url(url, socket_timeout=SECONDS_MAX, socket_connect_timeout=SECONDS_MAX)
        self._take: Callable[..., Awaitable[Any]] = self._redis.register_script(TAKE)
        self._most = objects_per_minute
        self._meanwhile = meanwhile
        self._is_lost = False

    async def take(self, key: KeyId, cost: int) -> int:
        try:
            wait = int(await self._take(keys=[f"dibs:budget:{key}"], args=[self._most, cost, 60_000]))
        except (RedisError, OSError, TimeoutError) as error:
            if not self._is_lost:
                log.warning("budgets are counted by each node: Redis cannot be asked (%s)", type(error).__name__)
            self._is_lost = True
            return await self._meanwhile.take(key, cost)
        self._is_lost = False
        return wait

    async def close(self) -> None:
        await self._redis.aclose()
