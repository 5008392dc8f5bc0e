"""The door itself: bounds on connections that uvicorn leaves to a proxy in front of it."""

import asyncio
import logging
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

HEAD_BYTES_MAX = 64_000
"""Of a request, beyond what came in its first piece."""
HEAD_SECONDS_MAX = 15
STALLED_SECONDS_MAX = 30
"""How long a peer may take nothing of what is sent to it."""

_TEXT = b"\x81"
"""Begins a frame that is a whole message of text; its length follows, in one of three sizes."""
_SHORT, _LONG = struct.Struct("!BH"), struct.Struct("!BQ")


class BoundedHttp(HttpToolsProtocol):
    """HTTP whose heads are limited in size and in time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        in_head = self._in_head
        super().data_received(data)
        if in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def _begin_head(self) -> None:
        self._end_head()
        self._in_head, self._head_bytes = True, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None


class SharedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that also takes text that is encoded already, if it can be sent at once.

    ASGI's `send` takes text from one task and makes a frame of it, for each connection again; among a thousand
    subscribers of one event that is most of the work. The application finds the method in the scope.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_full = False

    def pause_writing(self) -> None:
        self._is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self._is_full = False
        super().resume_writing()

    async def run_asgi(self) -> None:
        extensions: dict[Any, Any] = self.scope["extensions"]
        extensions["dibs.websocket.write"] = self.write_text
        await super().run_asgi()

    def write_text(self, *texts: bytes) -> bool:
        """Whether they were sent, each as a message; else the peer takes nothing just now, or the connection ends.

        Together they are one call of the system: that costs more than everything else about a message.
        """
        if self._is_full or self.close_sent or self.conn.state is not State.OPEN:
            return False
        if self.transport.is_closing():  # it broke off, and the protocol has yet to be told
            return False
        self.transport.write(b"".join([part for text in texts for part in (_head(len(text)), text)]))
        return True


def _head(length: int) -> bytes:
    if length < 126:
        return _TEXT + bytes((length,))
    return _TEXT + (_SHORT.pack(126, length) if length < 65_536 else _LONG.pack(127, length))


def drop_stalled_peers(listener: socket.socket) -> None:
    """Where the system can: connections whose peer reads nothing are dropped, and not kept until it does."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS_MAX * 1000)


def without_tracebacks_for_clients(record: logging.LogRecord) -> bool:
    """A filter for uvicorn's logger: text that is no UTF-8 is a client's mistake, and costs one line."""
    if str(record.msg).startswith("Invalid UTF-8 sequence"):
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True
