"""What carries the bell: backends for `broadcaster` that notice when their connection is gone, and hold one ring.

Broadcaster's own keep every message in queues without a bound, wait for ever on a connection that is dead, break when
two publish at once, and with today's redis-py deliver nothing.
"""

import asyncio
from typing import Any

import asyncpg
from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_SECONDS_MAX = 5.0
REDIS = ("redis://", "rediss://")
POSTGRES = ("postgres://", "postgresql://")
MEMORY = "memory://"
ADDRESSES = (MEMORY, *POSTGRES, *REDIS)
"""How the address of a bell may begin."""


class RingBackend(BroadcastBackend):
    """A backend for one channel whose messages say nothing: many that arrive at once are one."""

    def __init__(self) -> None:
        self._channel = ""
        self._arrived = asyncio.Event()
        self._gone = asyncio.Event()

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def disconnect(self) -> None:
        """Nothing to leave. It may be said twice."""

    async def subscribe(self, group: str) -> None:
        self._channel = group

    async def unsubscribe(self, group: str) -> None:
        """The connection is closed next."""

    async def publish(self, channel: str, message: Any) -> None:
        raise NotImplementedError

    async def next_published(self) -> Event:
        await self._arrived.wait()
        self._arrived.clear()
        return Event(self._channel, "")

    async def lost(self) -> None:
        """Wait for the connection to be gone, as far as it is told. Raises ConnectionError."""
        await self._gone.wait()
        raise ConnectionError("the connection is gone")


class MemoryBackend(RingBackend):
    """Within this process."""

    async def publish(self, channel: str, message: Any) -> None:
        if channel == self._channel:
            self._arrived.set()


class PostgresBackend(RingBackend):
    """LISTEN and NOTIFY, on one connection that belongs to the bell alone. No pooler may stand between."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._connection: Any = None  # asyncpg has no types
        self._one_at_a_time = asyncio.Lock()

    async def connect(self) -> None:
        connect: Any = asyncpg.connect
        self._connection = await connect(
            self._url,
            timeout=CONNECT_SECONDS_MAX,
            statement_cache_size=0,
            server_settings={"application_name": "dibs bell"},
        )
        self._connection.add_termination_listener(self._on_end)

    async def disconnect(self) -> None:
        if self._connection:
            self._connection.remove_termination_listener(self._on_end)
            self._connection.terminate()  # a polite end would wait for a server that may not answer any more

    async def subscribe(self, group: str) -> None:
        await super().subscribe(group)
        await self._connection.add_listener(group, self._on_message)

    async def publish(self, channel: str, message: Any) -> None:
        async with self._one_at_a_time:
            await self._connection.execute("SELECT pg_notify($1, $2)", channel, message)

    def _on_message(self, *_: object) -> None:
        self._arrived.set()

    def _on_end(self, *_: object) -> None:
        self._gone.set()


class RedisBackend(RingBackend):
    """PUBLISH and SUBSCRIBE: a connection to hear and one to speak. What fails, fails at once; the bell tries again."""

    def __init__(self, url: str) -> None:
        super().__init__()
        never = Retry(NoBackoff(), 0)
        self._speaking = Redis.from_url(
            url, single_connection_client=True, socket_connect_timeout=CONNECT_SECONDS_MAX, retry=never
        )
        self._hearing = Redis.from_url(
            url, socket_timeout=None, socket_connect_timeout=CONNECT_SECONDS_MAX, retry=never
        )
        self._heard: Any = self._hearing.pubsub(ignore_subscribe_messages=True)
        self._reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self._speaking.ping()
        await self._heard.connect()

    async def disconnect(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._heard.aclose()
        await self._hearing.aclose()
        await self._speaking.aclose()

    async def subscribe(self, group: str) -> None:
        await super().subscribe(group)
        await self._heard.subscribe(group)
        self._reading = asyncio.create_task(self._read())

    async def publish(self, channel: str, message: Any) -> None:
        await self._speaking.publish(channel, message)

    async def _read(self) -> None:
        try:
            while True:
                if await self._heard.get_message(timeout=None):
                    self._arrived.set()
        finally:
            self._gone.set()


def backend_for(url: str) -> RingBackend:
    """The backend that an address stands for. Raises ValueError."""
    if url.startswith(POSTGRES):
        return PostgresBackend(url)
    if url.startswith(REDIS):
        return RedisBackend(url)
    if url.startswith(MEMORY):
        return MemoryBackend()
    raise ValueError(f"no bell is known for {url.partition('://')[0]}://")
