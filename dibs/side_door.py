"""The port for those who watch the process: figures and health, away from its clients."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dibs.door import BoundedHttp
from dibs.meters import Meters
from dibs.readiness import Readiness

CONNECTIONS_MAX = 20
GOODBYE_SECONDS_MAX = 1

Answer = Callable[[Request], Awaitable[Response]]


async def healthz(_: Request) -> Response:
    """The process is alive."""
    return JSONResponse({"status": "alive"})


def readyz(readiness: Readiness) -> Answer:
    """Whether the process may be given work, and what keeps it from that."""

    async def answer(_: Request) -> Response:
        found = await readiness.obstacle()
        if found is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "check": found.check, "reason": found.reason}, 503)

    return answer


class SideServer(uvicorn.Server):
    """Ends with the process that it tells of; signals are not for it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def side_door(listener: socket.socket, meters: Meters, readiness: Readiness) -> AsyncIterator[None]:
    """Answer there until the block ends."""

    async def figures(_: Request) -> Response:
        return Response(await meters.read(), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/metrics", figures), Route("/healthz", healthz), Route("/readyz", readyz(readiness))]
    config = uvicorn.Config(
        Starlette(routes=routes),
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=GOODBYE_SECONDS_MAX,
    )
    server = SideServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({serving})
