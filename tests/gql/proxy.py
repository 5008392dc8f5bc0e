"""A road to PostgreSQL that can be closed."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from sqlalchemy import make_url

COMMIT = b"COMMIT;\x00"
"""As the driver sends it, in a packet of its own."""


RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what is closed is reset."""


class Proxy:
    """Carries bytes between its clients and a server, until it is cut.

    `delay_seconds`: every piece takes so long each way. `is_black_hole`: whoever comes is let in, and nothing arrives.
    `lost`, `delayed`: pieces to which that happened.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.delay_seconds = 0.0
        self.is_black_hole = False
        self.lost = self.delayed = 0

    def lead_to(self, port: int) -> None:
        """Whoever comes from now on is led there."""
        self._target = self._target[0], port

    @property
    def connections(self) -> int:
        return len(self._tasks)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and take no new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow(self) -> int:
        """From now on nothing arrives on the connections that there are, and nobody is told; how many there are."""
        self._swallowed |= self._writers
        return len(self._writers) // 2

    def reset(self) -> int:
        """Reset the connections that there are, at both ends; how many. New ones may come at once."""
        resetting = len(self._writers) // 2
        for writer in list(self._writers):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        return resetting

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it was accepted while the road was being closed
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            both = {writer, far_writer}
            self._writers |= both
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._carry(reader, far_writer, writer))
                    ways.create_task(self._carry(far_reader, writer, far_writer))
            finally:
                far_writer.transport.abort()
                self._writers -= both
                self._swallowed -= both
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while (data := await reader.read(65_536)) and await self._pass(data, writer, back):
                pass
        writer.close()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, _back: asyncio.StreamWriter) -> bool:
        """Write what was read; whether to go on. `_back` leads to where it came from."""
        if writer in self._swallowed or self.is_black_hole:
            self.lost += 1
            return True
        if self.delay_seconds:
            self.delayed += 1
            await asyncio.sleep(self.delay_seconds)
        writer.write(data)
        await writer.drain()
        return True


class Shears(Proxy):
    """Cuts connections exactly at COMMIT: some before it arrives, some when it was done and before its answer."""

    def __init__(self, host: str, port: int, chance: random.Random, share: float) -> None:
        super().__init__(host, port)
        self._chance = chance
        self.share = share
        self.cuts: Counter[str] = Counter()
        self._awaits_its_end: set[asyncio.StreamWriter] = set()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, back: asyncio.StreamWriter) -> bool:
        if writer in self._awaits_its_end:
            self.cuts["after"] += 1
            return False
        if COMMIT in data and self._chance.random() < self.share:
            if self._chance.random() < 0.5:
                self.cuts["before"] += 1
                return False
            self._awaits_its_end.add(back)
        return await super()._pass(data, writer, back)


class Ambush(Proxy):
    """Closes the road for good at the first COMMIT of a transaction that has taken an idempotency key.

    `tells`: the answer of the COMMIT still arrives; otherwise it was done, and nobody is told.
    """

    def __init__(self, host: str, port: int, *, tells: bool) -> None:
        super().__init__(host, port)
        self._tells = tells
        self._marked: set[asyncio.StreamWriter] = set()
        self._awaits_its_end: set[asyncio.StreamWriter] = set()
        self._cutting: asyncio.Task[None] | None = None
        self.sprung = False

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, back: asyncio.StreamWriter) -> bool:
        if writer in self._awaits_its_end and not self.sprung:
            self.sprung = True
            if self._tells:
                await super()._pass(data, writer, back)
            self._cutting = asyncio.create_task(self.cut())
            return False
        if b"INSERT INTO idempotency_keys" in data:
            self._marked.add(writer)
        if COMMIT in data and writer in self._marked:
            self._awaits_its_end.add(back)
        return await super()._pass(data, writer, back)


ProxyT = TypeVar("ProxyT", bound=Proxy)


@asynccontextmanager
async def proxied(
    url: str,
    make: Callable[[str, int], ProxyT] = Proxy,  # type: ignore[assignment]
) -> AsyncIterator[tuple[ProxyT, str]]:
    """A proxy to the server of the URL, and the URL that leads through it."""
    parts = make_url(url)
    assert parts.host
    assert parts.port
    proxy = make(parts.host, parts.port)
    await proxy.open()
    try:
        yield proxy, parts.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    finally:
        await proxy.cut()
