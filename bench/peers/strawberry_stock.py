"""Strawberry as its documentation has it: its own ASGI application, an async generator a subscriber, and a broadcast in
memory. Numbers on its input: so many events.

    python -m bench.peers.strawberry_stock '{"cursor": "…", …}'
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator

import strawberry
import uvicorn
from strawberry.asgi import GraphQL

TEMPLATE = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
SUBSCRIBERS: "set[asyncio.Queue[AllocationStatusChanged]]" = set()


@strawberry.type
class AllocationStatusChanged:
    """What Dibs is asked for in the same run."""

    cursor: str
    order_number: str
    before: str | None
    after: str | None
    cause: str


@strawberry.type
class Query:
    """There must be one."""

    none: str | None = None


@strawberry.type
class Subscription:
    """One stream for everybody."""

    @strawberry.subscription
    async def allocation_status_changed(self) -> AsyncGenerator[AllocationStatusChanged, None]:
        queue: asyncio.Queue[AllocationStatusChanged] = asyncio.Queue()
        SUBSCRIBERS.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            SUBSCRIBERS.discard(queue)


def publish(count: int, last: int) -> None:
    for number in range(last, last + count):
        event = AllocationStatusChanged(
            cursor=str(number).zfill(len(TEMPLATE["cursor"])),
            order_number=TEMPLATE["orderNumber"],
            before=TEMPLATE["before"],
            after=TEMPLATE["after"],
            cause=TEMPLATE["cause"],
        )
        for queue in SUBSCRIBERS:
            queue.put_nowait(event)


async def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110  (uvicorn tells it in no other way)
        await asyncio.sleep(0.01)
    print(listener.getsockname()[1], flush=True)
    last = 1
    while line := await asyncio.to_thread(sys.stdin.readline):
        publish(int(line), last)
        last += int(line)
    server.should_exit = True
    await serving


def main() -> None:
    app = GraphQL[None, None](strawberry.Schema(Query, subscription=Subscription))
    config = uvicorn.Config(app, log_level="error", lifespan="off")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=2048) as listener,
        asyncio.Runner(loop_factory=config.get_loop_factory()) as runner,
    ):
        runner.run(serve(uvicorn.Server(config), listener))


if __name__ == "__main__":
    main()
