"""One client's WebSocket as a line of JSON messages: it is listened to, asked when it is silent, and closed once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gql.outbox import ClientGone, Outbox, cannot_write

log = logging.getLogger("dibs.websocket")

INIT_SECONDS_MAX = 5
CLOSE_SECONDS_MAX = 10
SILENCE_SECONDS_MAX = 50
"""After so long without a message a client is sent a ping: before proxies close what is silent for a minute."""
PINGS_MAX = 2
"""That it may leave unanswered."""
REASON_BYTES_MAX = 123
"""What a close frame has room for."""
PING = b'{"type":"ping"}'


class CloseSocket(Exception):
    """End the connection with a code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Line:
    """The messages of one client. While nobody says anything no task wakes up: a timer looks, and asks."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        write = socket.scope["extensions"].get("dibs.websocket.write", cannot_write)
        self.outbox = Outbox(write, self._send_text, self._give_up)
        self._patience = asyncio.timeout(INIT_SECONDS_MAX)
        self._closing: CloseSocket | None = None
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._pings = 0
        self._timer = self._loop.call_later(SILENCE_SECONDS_MAX, self._look)

    async def listen(self, handle: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Handle what comes. Raises CloseSocket, WebSocketDisconnect or ClientGone, or what `handle` does."""
        try:
            async with self._patience:
                while True:
                    await handle(await self._receive())
        except TimeoutError:
            raise self._closing or CloseSocket(4408, "Connection initialisation timeout") from None
        except ClientGone:
            if self._closing:  # nothing can be sent because we say so
                raise self._closing from None
            raise
        finally:
            self._timer.cancel()

    def is_known(self) -> None:
        """Who it is has been said; there is no hurry any more."""
        self._patience.reschedule(None)

    def close_soon(self, code: int, reason: str) -> None:
        """End the connection, whatever it is waiting for."""
        self.outbox.drop()
        self._closing = CloseSocket(code, reason)
        with suppress(RuntimeError):  # where the connection ends already
            self._patience.reschedule(0)

    async def send(self, message: dict[str, Any]) -> None:
        await self.outbox.put(orjson.dumps(message))

    async def close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS_MAX):
                    await self._socket.close(code, reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore"))

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        self._heard_at, self._pings = self._loop.time(), 0
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        try:
            frame = orjson.loads(text) if text is not None else None
        except orjson.JSONDecodeError:
            frame = None
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            raise CloseSocket(4400, "A message is a JSON object with a type")
        return frame

    def _look(self) -> None:
        """A client that is silent is asked whether it is there; one that does not answer is given up."""
        wait = self._heard_at + SILENCE_SECONDS_MAX - self._loop.time()
        if wait <= 0:
            if self._pings == PINGS_MAX:
                self.close_soon(1008, "No answer to pings")
                return
            self._pings, self._heard_at, wait = self._pings + 1, self._loop.time(), SILENCE_SECONDS_MAX
            self.outbox.offer(PING)  # where there is no room for it, the client is given up for that
        self._timer = self._loop.call_later(wait, self._look)

    async def _send_text(self, text: bytes) -> None:
        try:
            if self._socket.application_state is not WebSocketState.CONNECTED:
                raise ClientGone
            await self._socket.send_text(text.decode())
        except (WebSocketDisconnect, RuntimeError):
            raise ClientGone from None

    def _give_up(self, too_slow: bool) -> None:
        """One that takes nothing for so long is gone or too slow."""
        if too_slow:
            self.close_soon(1008, "Too slow")
