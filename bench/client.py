"""An HTTP client that does next to nothing, so that it is the server that is measured: one request at a time on each
connection, bodies made beforehand, answers of a known length.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

SECONDS_MAX = 60
"""For one answer."""


class Connection(asyncio.Protocol):
    """One connection that is kept open."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._body_from = self._length = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._length:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            self._body_from = end + 4
            self._length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self._received) >= self._body_from + self._length:
            status, body = int(self._received[9:12]), bytes(self._received[self._body_from :])
            self._received.clear()
            self._length = 0
            assert self._answer
            self._answer.set_result((status, body))

    async def post(self, request: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport
        self._transport.write(request)
        async with asyncio.timeout(SECONDS_MAX):
            return await self._answer

    def close(self) -> None:
        if self._transport:
            self._transport.close()


def request(key: str, document: str, **variables: Any) -> bytes:
    """A whole request, ready to be sent."""
    body = orjson.dumps({"query": document, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Answers:
    """What became of the requests: seconds each, statuses, and of each client's requests the last answer."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def server_errors(self) -> int:
        return sum(status >= 500 for status in self.statuses)


async def send_all(
    ports: Sequence[int],
    clients: int,
    jobs: Sequence[Sequence[bytes]],
    advance: Callable[[int], None] = lambda _: None,
) -> Answers:
    """So many clients, spread over the servers, do the jobs. A job: requests of one client, one after the other."""
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(Connection, "127.0.0.1", ports[number % len(ports)]))[1]
        for number in range(clients)
    ]
    answers, queue = Answers(), iter(jobs)
    try:
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(_do(connection, queue, answers, advance))
    finally:
        for connection in connections:
            connection.close()
    return answers


async def _do(
    connection: Connection, queue: Iterator[Sequence[bytes]], answers: Answers, advance: Callable[[int], None]
) -> None:
    for job in queue:
        start = time.perf_counter()
        body = b""
        for one in job:
            status, body = await connection.post(one)
            answers.statuses.append(status)
        answers.seconds.append(time.perf_counter() - start)
        answers.bodies.append(body)
        advance(1)
