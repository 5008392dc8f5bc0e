"""What waits to be sent to one client. It is little, and it does not wait for long: or else the client is given up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

MESSAGES_MAX = 2_000
BYTES_MAX = 1_000_000
"""What may wait at once; a single message may be larger."""
SEND_SECONDS_MAX = 10
"""How long a client may take nothing at all."""


class ClientGone(Exception):
    """Nothing can be sent any more."""


def cannot_write(*_: bytes) -> bool:
    """Where there is only ASGI's way of sending: over HTTP, and on servers that know no other."""
    return False


class Outbox:
    """Sends messages in order. While the client takes them, nothing is kept and no task runs.

    `write` sends any number at once, or says that it cannot just now; `send` waits until it can send one.
    `given_up` is called once, when nothing can be sent any more; its argument: whether the client was too slow.
    """

    def __init__(
        self,
        write: Callable[..., bool],
        send: Callable[[bytes], Awaitable[None]],
        given_up: Callable[[bool], None],
    ) -> None:
        self._write = write
        self._send = send
        self._given_up = given_up
        self._waiting: list[bytes] = []  # a list, an event when it is needed: thousands of clients have an outbox each
        self._bytes = 0
        self._empty: asyncio.Event | None = None
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    def offer(self, *messages: bytes) -> bool:
        """Send them, now or soon; False: there is no room for all, and none is sent."""
        if not self._waiting:
            if self._closed:
                return True  # nobody is there to miss it
            if self._write(*messages):
                return True
        if not self._has_room(messages):
            return False
        for message in messages:
            self._append(message)
        return True

    def _has_room(self, messages: Sequence[bytes]) -> bool:
        if not self._waiting and len(messages) == 1:
            return True
        size = self._bytes + sum(map(len, messages))
        return len(self._waiting) + len(messages) <= MESSAGES_MAX and size <= BYTES_MAX

    async def put(self, *messages: bytes) -> None:
        """Send, and wait until nothing is kept: whoever produces on and on has to wait. Raises ClientGone."""
        if not self._closed and (self._waiting or not self._write(*messages)):
            for message in messages:
                self._append(message)
        if self._waiting:
            self._empty = self._empty or asyncio.Event()
            await self._empty.wait()
        if self._closed:
            raise ClientGone

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages, and their bytes."""
        return len(self._waiting), self._bytes

    def drop(self) -> None:
        """Send nothing more, and forget what waits."""
        self._end()
        if self._sender:
            self._sender.cancel()

    async def close(self) -> None:
        """Send nothing more, and wait until nothing is being sent."""
        self._end()
        sender = self._sender
        if sender:
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender

    def _append(self, message: bytes) -> None:
        self._waiting.append(message)
        self._bytes += len(message)
        if self._sender is None:
            self._sender = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await self._send(self._waiting[0])
                self._sent()
                while self._waiting and self._write(self._waiting[0]):
                    self._sent()
            self._is_empty()
        except TimeoutError:
            self._end()
            self._given_up(True)
        except ClientGone:
            self._end()
            self._given_up(False)
        finally:
            self._sender = None

    def _sent(self) -> None:
        self._bytes -= len(self._waiting.pop(0))

    def _end(self) -> None:
        self._closed = True
        self._waiting.clear()
        self._bytes = 0
        self._is_empty()

    def _is_empty(self) -> None:
        if self._empty:
            self._empty.set()
            self._empty = None
