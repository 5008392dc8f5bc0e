"""Who asked for what, and how long it took: every request gets an id, and one line in the log when it is over."""

import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dibs.log import REQUEST
from gql.entries import ENTRY, Entry

log = logging.getLogger("dibs.access")

PATHS = {path: path for path in ("/graphql", "/healthz", "/readyz")}
PROBES = {"/healthz", "/readyz"}
CLIENT_LENGTH_MAX = 45
"""As long as an address can be."""


Around = Callable[[Entry, Sequence[tuple[bytes, bytes]]], AbstractContextManager[None]]
"""Given a request and its headers."""


class Access:
    """ASGI middleware. `ended` is told each request when its answer is over, however it ended."""

    def __init__(self, app: ASGIApp, ended: Callable[[Entry], None], around: Around) -> None:
        """`around`: entered around each request that is no probe's."""
        self._app = app
        self._ended = ended
        self._around = around

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = secrets.token_hex(8)
        before = REQUEST.set(request)
        entry = scope[ENTRY] = Entry(CONNECTION if scope["type"] == "websocket" else "http")
        name = (b"x-request-id", request.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                message["headers"] = [*message["headers"], name]
            elif message["type"] == "websocket.close":
                entry.status = message.get("code", 1000)
            await send(message)

        try:
            if scope["type"] == "websocket" or scope["path"] in PROBES:  # what comes over a socket stands for itself
                await self._app(scope, receive, answer)
            else:
                with self._around(entry, scope["headers"]):
                    await self._app(scope, receive, answer)
        finally:
            _log(scope, entry)
            self._ended(entry)
            REQUEST.reset(before)


CONNECTION = "connection"
"""The way of a WebSocket as a whole; what it is used for comes by the way of `socket`."""


def _log(scope: Scope, entry: Entry) -> None:
    path = _path(scope["path"])
    if path in PROBES and entry.status == 200:
        return
    client = scope.get("client")
    log_entry(entry, method=scope.get("method", ""), path=path, client=client[0][:CLIENT_LENGTH_MAX] if client else "")


def log_entry(entry: Entry, **more: str) -> None:
    """One line; what is not known of the request is not in it."""
    if not log.isEnabledFor(logging.INFO):
        return
    told = {
        "way": entry.way,
        **more,
        "kind": entry.kind,
        "operation": entry.operation,
        "field": entry.field,
        "status": entry.status,
        "code": entry.code,
        "actor": entry.actor,
        "ms": round((perf_counter() - entry.began) * 1000, 3),
    }
    log.info("request", extra={name: value for name, value in told.items() if value not in ("", 0)})


def _path(path: str) -> str:
    """Of what anybody may ask for, only what there is."""
    known = (kind for kind in ("/documents", "/track") if path.startswith(f"{kind}/"))  # never what opens a door
    return PATHS.get(path) or next(known, "(other)")
