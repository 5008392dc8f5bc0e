"""Serves the API within the test's own event loop, and is a client of it."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dibs.app import Running, create_app
from dibs.opening import opened
from dibs.serving import Server, configuration, listen
from dibs.settings import Settings
from domain.access import Scope, Visibility
from domain.ids import KeyId
from gql.api import create_schema
from gql.feed import Feed
from gql.hub import Hub
from persistence.database import PostgresDatabase
from services.callers import Caller
from services.cleaning import forget_old_events
from services.credentials import create_key
from tests.builders import a_key

PROTOCOL = "graphql-transport-ws"
MADE_ONCE = cache(create_schema)
"""Making it takes longer than most tests. Figures and traces wrap its resolvers, and so need one of their own."""
SECONDS_MAX = 20
"""For anything that a test waits for."""
KNOWN = Caller(key=KeyId(1), actor="tester", request="a test")
NOT_FOUND = "... on NotFound { references }"
FINDING = {
    *("reserveStock", "releaseReservation"),
    *("receiveStock", "adjustStock", "countStock", "placeOrder", "editOrder", "finalizeOrder", "voidOrder"),
    *("expectSupply", "startTransfer", "rescheduleSupply", "cancelSupply", "closeSupply"),
}
"""Mutations that are refused as a whole where something is not found."""


@dataclass
class Served:
    """A running API, and its administrator's key."""

    app: Starlette
    server: uvicorn.Server
    running: Running
    port: int
    key: str
    client: httpx.AsyncClient
    database_url: str
    _numbers: Any = field(default_factory=lambda: count(1))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def feed(self) -> Feed:
        return self.running.feed

    @property
    def hub(self) -> Hub:
        return self.running.hub

    @property
    def database(self) -> PostgresDatabase:
        """The one that the API itself uses, so that the relay hears at once of what is written."""
        assert isinstance(self.feed._database, PostgresDatabase)
        return self.feed._database

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """POST the body: bytes as they are, everything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/graphql", content=content, headers=given)

    async def answer(self, query: str, **variables: Any) -> Any:
        """The whole answer."""
        response = await self.post({"query": query, "variables": variables})
        return response.json()

    async def __call__(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def code(self, query: str, **variables: Any) -> str:
        """The code of the answer's only error."""
        answer = await self.answer(query, **variables)
        (error,) = answer["errors"]
        return str(error["extensions"]["code"])

    async def mutate(self, name: str, selection: str = "", /, **fields: Any) -> Any:
        """One mutation of one input; an idempotency key is made up where the mutation takes one and none is given."""
        kind = name[0].upper() + name[1:]
        if not name.startswith("save"):
            fields.setdefault("idempotencyKey", a_key())
        document = f"""
            mutation Test($input: {kind}Input!) {{
              {name}(input: $input) {{
                __typename
                ... on UserError {{ message }}
                ... on InvalidInput {{ problems {{ path code message }} }}
                {selection} {NOT_FOUND if name in FINDING else ""}
              }}
            }}"""
        return (await self(document, input=fields))[name]

    async def key_of(
        self, *scopes: Scope | str, channels: Collection[str] | None = None, locations: Collection[str] | None = None
    ) -> "Served":
        """The same API, asked with a key of these scopes and limits."""
        limits = [None if codes is None else frozenset(codes) for codes in (channels, locations)]
        visibility = Visibility(channels=limits[0], locations=limits[1])
        powers = [Scope(scope) for scope in scopes]
        _, secret = await create_key(self.database, f"test {secrets.token_hex(4)}", powers, visibility)
        return replace(self, key=secret)

    def unique(self, name: str) -> str:
        """A name that no other test uses."""
        return f"{name}-{next(self._numbers)}"

    @asynccontextmanager
    async def socket(self, *, init: Any = ..., subprotocols: tuple[str, ...] = (PROTOCOL,)) -> AsyncIterator["Socket"]:
        """A WebSocket, initialised with the key; `init` None: not initialised."""
        offered = [Subprotocol(one) for one in subprotocols]
        url = self.address.replace("http", "ws", 1)
        async with connect(url, subprotocols=offered or None, compression=None, ping_interval=None) as connection:
            socket = Socket(connection)
            if init is ...:
                init = {"authorization": f"Bearer {self.key}"}
            if init is not None:
                await socket.send(type="connection_init", payload=init)
                assert await socket.receive() == {"type": "connection_ack"}
            yield socket


@dataclass
class Socket:
    """A client of graphql-transport-ws."""

    connection: ClientConnection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS_MAX):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def subscribe(self, operation: str, query: str, **variables: Any) -> None:
        await self.send(type="subscribe", id=operation, payload={"query": query, "variables": variables})

    async def next(self, operation: str) -> Any:
        """The data of the next event of the operation."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", operation), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def error(self, operation: str) -> Any:
        """The only error with which the operation ends."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("error", operation), message
        (error,) = message["payload"]
        return error

    async def closed(self) -> tuple[int, str]:
        """The code and reason with which the server closes."""
        async with asyncio.timeout(SECONDS_MAX):
            await self.connection.wait_closed()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def serving(database_url: str, side: socket.socket | None = None, **settings: Any) -> AsyncIterator[Served]:
    """Serve the app of these settings until the block ends; then nothing of it is left. `side`: for figures, too."""
    async with opened(database_url) as database:
        _, key = await create_key(database, f"test {secrets.token_hex(4)}")
    # Nothing moves by itself, so that a test can say what is there.
    chosen = {"run_waiting": False} | settings
    app = create_app(Settings(database_url=SecretStr(database_url), **chosen), database_url, side=side)
    config = configuration(app)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            if side is None and "traces_url" not in settings:
                patch.setattr("dibs.app.create_schema", MADE_ONCE)
            await server.startup(sockets=[listener])
        running: Running = server.lifespan.state["running"]
        timeout = httpx.Timeout(SECONDS_MAX)
        try:
            # Nothing here speaks TLS, and to get ready for it takes longer than most requests.
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=timeout, verify=False)  # noqa: S501
            async with client:
                yield Served(app, server, running, port, key, client, database_url)
        finally:
            await server.shutdown(sockets=[listener])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what is about to be true."""
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.005)


async def all_numbered(database: PostgresDatabase) -> None:
    """Wait for a relay to have numbered everything that is committed."""
    async with asyncio.timeout(SECONDS_MAX), database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while (await connection.execute(WAITING)).scalar_one():  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.005)


LEAST_READ = text("SELECT min(position) FROM log_readers")


async def all_read(database: PostgresDatabase) -> None:
    """Wait for everything that is committed to be numbered, and for the notices of it to be made: workers rest."""
    await all_numbered(database)
    await _noticed(database, await database.read(lambda uow: uow.events.end()))


async def _noticed(database: PostgresDatabase, position: int) -> None:
    """Wait for those who make notices of the log to have read it up to there."""
    async with asyncio.timeout(SECONDS_MAX), database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while (await connection.execute(LEAST_READ)).scalar_one() < position:  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.005)


async def cut_after(served: Served, position: int) -> None:
    """Forget the log up to there, once those who make notices of it have read it."""
    await _noticed(served.database, position)
    async with served.database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE events SET occurred_at = now() - interval '2 days' WHERE position <= :until"),
            {"until": position},
        )
    await forget_old_events(served.database, 1)


WAITING = text("SELECT EXISTS (SELECT FROM events WHERE position IS NULL)")


class Silence:
    """A bell that nobody hears: whoever waits, waits to the end."""

    def ring(self) -> None:
        """Rings nothing."""

    async def wait(self, seconds_max: float, _: int | None = None) -> int:
        await asyncio.sleep(seconds_max)
        return 0
