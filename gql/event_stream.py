"""Subscriptions over server-sent events: graphql-sse, in its mode of a connection for each operation.

A stream that ends without `complete` has been cut off: who begins anew with the `id` of the last event as
`Last-Event-ID` misses nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gql.accept import EVENT_STREAM
from gql.errors import told
from gql.execution import Answer
from gql.outbox import ClientGone, Outbox, cannot_write
from gql.parts import Parts
from gql.streams import Told, Wanted
from services.callers import Caller

KEEP_ALIVE_SECONDS = 12
KEEP_ALIVE = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


def all_at_once(answer: Answer) -> Response:
    """A whole answer for a client that wants it as a stream."""
    return Response(_next(answer) + COMPLETE, media_type=EVENT_STREAM)


class EventStream(Response):
    """Follows a subscription until it ends, the client leaves, its key opens nothing any more, or the server stops."""

    def __init__(self, parts: Parts, caller: Caller, wanted: Wanted, stopping: asyncio.Event) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(headers=headers, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._parts = parts
        self._caller = caller
        self._wanted = wanted
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        cut_off = asyncio.Event()
        outbox = Outbox(cannot_write, _sender(send), lambda _: cut_off.set())

        def revoked() -> None:
            outbox.drop()
            cut_off.set()

        ways_to_end = (self._serve(outbox), _leaving(receive), cut_off.wait(), self._stopping.wait())
        tasks = [asyncio.ensure_future(one) for one in ways_to_end]
        try:
            with self._parts.watched(self._caller, revoked):
                while not await _any_done(tasks):
                    if outbox.waiting == (0, 0):
                        outbox.offer(KEEP_ALIVE)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await outbox.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(self, outbox: Outbox) -> None:
        try:
            await self._follow(outbox)
            await outbox.put(COMPLETE)
        except ClientGone:
            pass

    async def _follow(self, outbox: Outbox) -> None:
        try:
            await self._parts.hub.follow(self._wanted, outbox, _framed)
        except ClientGone:
            raise
        except Exception as error:
            await outbox.put(_next(told(error)))


def _framed(event: Told) -> bytes:
    message = event.messages.get(EVENT_STREAM)
    if message is None:
        message = b"event: next\nid: " + event.cursor.encode() + b"\ndata: " + event.payload + b"\n\n"
        event.messages[EVENT_STREAM] = message
    return message


def _next(answer: Any) -> bytes:
    return b"event: next\ndata: " + orjson.dumps(answer) + b"\n\n"


def _sender(send: Send) -> Callable[[bytes], Awaitable[None]]:
    async def send_body(body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})

    return send_body


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _any_done(tasks: Iterable[asyncio.Future[Any]]) -> bool:
    done, _ = await asyncio.wait(tasks, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
