"""Many clients of graphql-transport-ws in a process of their own that does next to nothing: it counts frames by their
headers, and decodes only some of them to look at what they say.

    python -m bench.watchers

Its first line of input is a `Plan`; it says {"connected": …} when everybody has subscribed. Then for each line:
`tell`: what was counted since the last `reset`; `kept`: the events that were decoded.
"""

import asyncio
import base64
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import uvloop

AT_ONCE = 100
"""Connections that are being made at a time."""
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
NEXT = b'"next"'
NEXT_WITHIN = 64
"""So near its beginning a frame says of which type it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be watched. `variables`: one a client. `seconds`: over so long they come, one after the other."""

    port: int
    query: str
    variables: Sequence[dict[str, Any]]
    key: str = ""
    decode_every: int = 97
    seconds: float = 0

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def frame(opcode: int, payload: bytes) -> bytes:
    """As a client sends it; the mask is of zeros, which changes nothing."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + b"\0\0\0\0" + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big") + b"\0\0\0\0" + payload


def text(**message: Any) -> bytes:
    return frame(TEXT, orjson.dumps(message))


class Counts:
    """What all clients have received."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.frames = [0] * len(plan.variables)
        self.bytes = self.seen = 0
        self.kept: list[tuple[int, float, dict[str, Any]]] = []
        self.wrong: list[str] = []

    def reset(self) -> None:
        self.frames[:] = [0] * len(self.frames)
        self.bytes = self.seen = 0
        self.kept.clear()

    def arrived(self, number: int, payload: memoryview | bytes) -> None:
        self.frames[number] += 1
        self.bytes += len(payload)
        self.seen += 1
        if self.seen % self.plan.decode_every == 0:
            message = orjson.loads(payload)
            answer = message["payload"]
            if message["id"] != "1" or "errors" in answer:
                self.wrong.append(str(message))
            self.kept.append((number, time.time(), next(iter(answer["data"].values()))))

    def told(self) -> dict[str, Any]:
        return {
            "frames": self.seen,
            "least": min(self.frames),
            "most": max(self.frames),
            "bytes": self.bytes,
            "cpu": time.process_time(),
            "checked": len(self.kept),
            "sample": self.kept[-1][2] if self.kept else None,
            "wrong": self.wrong[:5],
        }


class Watcher(asyncio.Protocol):
    """One client."""

    def __init__(self, number: int, counts: Counts) -> None:
        self.number = number
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._counts = counts
        self._rest = b""
        self._is_upgraded = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        key = base64.b64encode(self.number.to_bytes(16, "big")).decode()
        self._transport.write((
            "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode())  # fmt: skip

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts.wrong.append(f"client {self.number} lost its connection: {exc}")
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(f"client {self.number} was not let in"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at = 0
        if not self._is_upgraded:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            assert data.startswith(b"HTTP/1.1 101"), data
            self._is_upgraded = True
            key = f"Bearer {self._counts.plan.key}"
            self._transport.write(text(type="connection_init", payload={"authorization": key}))
        have = len(data)
        while have - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            end = start + size
            if end > have or start > have:
                break
            if data[at] == 0x80 | TEXT and data.find(NEXT, start, min(end, start + NEXT_WITHIN)) >= 0:
                self._counts.arrived(self.number, data[start:end])
            else:
                self._rare(data[at] & 15, data[start:end])
            at = end
        self._rest = data[at:]

    def _rare(self, opcode: int, payload: bytes) -> None:
        """Everything but the next event."""
        if opcode == PING:
            self._transport.write(frame(PONG, payload))
            return
        message = orjson.loads(payload) if opcode == TEXT else {"type": f"opcode {opcode} {payload!r}"}
        if message["type"] == "connection_ack":
            plan = self._counts.plan
            wanted = {"query": plan.query, "variables": plan.variables[self.number]}
            self._transport.write(text(type="subscribe", id="1", payload=wanted))
            self.subscribed.set_result(None)
        elif message["type"] == "ping":
            self._transport.write(text(type="pong"))
        else:
            self._counts.wrong.append(str(message))


async def connect_all(plan: Plan, counts: Counts) -> None:
    """Everybody has asked to subscribe when it returns."""
    loop, turnstile = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
    start, pause = loop.time(), plan.seconds / len(plan.variables)

    async def come(number: int) -> None:
        await asyncio.sleep(start + number * pause - loop.time())
        async with turnstile:
            _, watcher = await loop.create_connection(lambda: Watcher(number, counts), "127.0.0.1", plan.port)
            await watcher.subscribed

    async with asyncio.TaskGroup() as group:
        for number in range(len(plan.variables)):
            group.create_task(come(number))


async def main() -> None:
    counts = Counts(Plan(**json.loads(await asyncio.to_thread(sys.stdin.readline))))
    await connect_all(counts.plan, counts)
    print(json.dumps({"connected": time.time()}), flush=True)
    while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if command == "reset":
            counts.reset()
        answer = {"kept": counts.kept} if command == "kept" else counts.told()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(main())
