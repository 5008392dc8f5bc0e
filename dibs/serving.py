"""Run the API with uvicorn, tuned for GraphQL: no deflate, small frames, bounded waits."""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from dibs.door import BoundedHttp, SharedWebSocket, drop_stalled_peers, without_tracebacks_for_clients
from dibs.ending import ending_in_time

if TYPE_CHECKING:
    from dibs.app import Running  # commands that do not serve start in half of the time without it

DRAIN_SECONDS_MAX = 5
"""For requests that are under way; with what comes after it, a process ends within 10 s."""
FRAME_BYTES_MAX = 64_000


class PortTaken(Exception):
    """Somebody else listens there."""


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """The socket to serve on; port 0 takes a free one. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        message = f"Cannot listen on {host}:{port} ({error.strerror}). Choose another port with {option}."
        raise PortTaken(message) from None
    drop_stalled_peers(listener)
    return listener


@contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """SIGTERM leaves by the way of exceptions, so that everything that was opened is closed."""

    def stop(signum: int, _: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Server(uvicorn.Server):
    """Stops at SIGINT and SIGTERM, and returns; uvicorn's own would raise the signal again while the loop runs."""

    on_stop: Callable[[], None] = staticmethod(lambda: None)
    """Called when it is told to."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.on_stop()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for one in signals:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in signals:
                loop.remove_signal_handler(one)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """WebSockets are closed with 1012; event streams, which HTTP would wait for, are cut off."""
        running: Running = self.lifespan.state["running"]
        running.readiness.stop()
        running.http.stopping.set()
        await super().shutdown(sockets)


def configuration(app: Starlette) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(without_tracebacks_for_clients)
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=SharedWebSocket,
        ws_per_message_deflate=False,
        ws_max_size=FRAME_BYTES_MAX,
        ws_ping_interval=None,  # gql/websocket.py asks silent clients itself, with the protocol's own ping
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
    )


def serve(app: Starlette, listener: socket.socket, beside: Callable[[], Awaitable[bool]] | None = None) -> None:
    """Serve until a signal. `beside` runs once the server is up; where it answers False, the server stops."""
    config = configuration(app)
    server = Server(config)
    with ending_in_time() as begin_to_end, asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        server.on_stop = begin_to_end
        runner.run(_serve(server, listener, beside))


async def _serve(server: uvicorn.Server, listener: socket.socket, beside: Callable[[], Awaitable[bool]] | None) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    if beside:
        guest = asyncio.create_task(_beside(server, beside))
        await asyncio.wait({serving, guest}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done() and (guest.exception() or not guest.result()):
            server.should_exit = True
        await serving
        guest.cancel()
        await asyncio.wait({guest})
        if not guest.cancelled():
            guest.result()
    else:
        await serving


async def _beside(server: uvicorn.Server, beside: Callable[[], Awaitable[bool]]) -> bool:
    while not server.started:  # noqa: ASYNC110  (uvicorn tells it in no other way)
        await asyncio.sleep(0.01)
    return await beside()
