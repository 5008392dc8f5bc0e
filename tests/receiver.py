"""A receiver of webhooks: a real HTTP server on loopback that answers as a test wants it to."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answering(status: int, headers: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status} Test\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    request_line: str
    headers: dict[str, str]
    body: str
    server_name: str | None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came in, taken or not. `answer` decides what is answered; what it lets through counts as `taken`."""

    port: int = 0
    tls: bool = False
    received: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Awaitable[bytes]] | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?x=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read(reader, writer)
            self.received.append(request)
            answer = OK if self.answer is None else await self.answer(request)
            if answer.startswith(b"HTTP/1.1 2"):
                self.taken.append(request)
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.arrived.set()
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        tls = writer.get_extra_info("ssl_object")
        return Received(first, headers, body.decode(), getattr(tls, "asked_for", None))


@asynccontextmanager
async def receiving(trust: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that takes everything until the test says otherwise."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=trust)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and a server's certificate for one name."""

    root: Path
    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)

        def note(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
            connection.asked_for = name

        context.sni_callback = note
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.root))
