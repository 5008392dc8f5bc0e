"""Clients that are thrown out again and again and come back after their last cursor; and those who throw them out."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.acceptance.clients import Client
from tests.acceptance.processes import KEY, SECONDS_MAX, working
from tests.builders import a_key
from tests.gql.proxy import Proxy

SKUS = [f"SKU-{number}" for number in range(6)]
CHANNELS = ("WEB", "TILL")
COMES_AGAIN = {"BUSY", "OUTCOME_UNKNOWN"}
"""What a client may be told while connections to the database are cut: ask again."""
ANY_BACKEND = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    ORDER BY random() LIMIT 1
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A subscription with its filter, and what the filter means, said once more over what the log tells."""

    type: str
    filter: dict[str, Any]
    means: Callable[[dict[str, Any]], bool]

    @property
    def field(self) -> str:
        return self.type[0].lower() + self.type[1:]

    @property
    def query(self) -> str:
        kind = {"OrderChanged": "EventFilter", "StockLevelChanged": "StockLevelFilter"}.get(
            self.type, f"{self.type}Filter"
        )
        return f"""subscription ($filter: {kind}, $after: String) {{
            {self.field}(filter: $filter, after: $after) {{ cursor }} }}"""

    def found_in(self, log: list[dict[str, Any]]) -> list[str]:
        """The cursors of what it should be told of."""
        return [event["cursor"] for event in log if event["__typename"] == self.type and self.means(event)]


WANTED = (
    Wanted(type="OrderChanged", filter={}, means=lambda _: True),
    Wanted(type="OrderChanged", filter={"channels": ["WEB"]}, means=lambda event: event["channelCode"] == "WEB"),
    Wanted(
        type="AllocationStatusChanged",
        filter={"statuses": ["ALLOCATED"]},
        means=lambda event: event["after"] == "ALLOCATED",
    ),
    Wanted(type="StockLevelChanged", filter={"skus": SKUS[:3]}, means=lambda event: event["sku"] in SKUS[:3]),
)
EVENTS = """query ($after: String) { events(first: 100, after: $after) { nodes { __typename cursor
    ... on OrderChanged { orderNumber orderVersion channelCode }
    ... on AllocationStatusChanged { orderNumber orderVersion after }
    ... on StockLevelChanged { sku version } } } }"""


@dataclass
class Visitor:
    """One client behind a road of its own. `seen`: the cursors that it was told, in sequence."""

    wants: Wanted
    road: Proxy
    start: str
    seen: list[str] = field(default_factory=list)
    thrown_out: int = 0

    async def watch(self) -> None:
        """Come back after the last cursor, however often it is thrown out; until cancelled."""
        while True:
            try:
                await self._visit()
            except (OSError, WebSocketException, TimeoutError):
                self.thrown_out += 1
                await asyncio.sleep(0.01)

    async def _visit(self) -> None:
        url = f"ws://127.0.0.1:{self.road.port}/graphql"
        protocol = Subprotocol("graphql-transport-ws")
        async with connect(
            url, subprotocols=[protocol], compression=None, ping_interval=None, close_timeout=0.1
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {KEY}"}}))
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            after = self.seen[-1] if self.seen else self.start
            payload = {"query": self.wants.query, "variables": {"filter": self.wants.filter, "after": after}}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            while (message := json.loads(await socket.recv()))["type"] in {"next", "ping"}:
                if message["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong"}))
                    continue
                assert "errors" not in message["payload"], message
                self.seen.append(message["payload"]["data"][self.wants.field]["cursor"])
            assert message["type"] == "error", message
            assert message["payload"][0]["extensions"]["code"] in COMES_AGAIN, message
            self.thrown_out += 1


@dataclass
class Patient(Client):
    """A client that asks again, under the same key, until it is answered."""

    asked_again: int = 0

    async def ask(self, http: httpx.AsyncClient, document: str, **variables: Any) -> Any:
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                body = {"query": document, "variables": variables}
                answer = (await http.post(self.addresses[0], json=body)).json()
                if "errors" not in answer:
                    return answer["data"]
                assert {error["extensions"]["code"] for error in answer["errors"]} <= COMES_AGAIN, answer
                self.asked_again += 1
                await asyncio.sleep(0.05)

    async def write(self, http: httpx.AsyncClient, name: str, rounds: int, chance: random.Random) -> None:
        """Orders are placed, allocated and partly deallocated; stock is counted up and down under them."""
        for number in range(rounds):
            channel, skus = chance.choice(CHANNELS), chance.sample(SKUS, 2)
            lines = [{"sku": sku, "quantity": chance.randint(1, 3)} for sku in skus]
            placed = await self.do(http, "placeOrder", channel=channel, number=f"{name}-{number}", lines=lines)
            assert placed["__typename"] == "PlaceOrderSuccess", placed
            order = {"number": {"channel": channel, "number": f"{name}-{number}"}}
            await self.do(http, "allocateOrders", orders=[{"order": order}])
            if chance.random() < 0.3:
                await self.do(http, "deallocateOrders", orders=[order])
            if chance.random() < 0.3:
                counted = [{"sku": skus[0], "change": {"counted": chance.randint(0, 400)}}]
                await self.do(http, "adjustStock", location="LEEDS", reason="COUNT", lines=counted)

    async def the_log(self, http: httpx.AsyncClient, start: str) -> list[dict[str, Any]]:
        """Everything after the cursor, page by page; whoever asks has waited until all of it is numbered."""
        found: list[dict[str, Any]] = []
        while page := (await self.ask(http, EVENTS, after=found[-1]["cursor"] if found else start))["events"]["nodes"]:
            found += page
        return found

    async def set_up(self, http: httpx.AsyncClient) -> str:
        """Something to sell; the cursor from which on events are watched."""
        items = [{"sku": sku, "name": sku} for sku in SKUS]
        received = [{"sku": sku, "quantity": 200} for sku in SKUS]
        document = """mutation ($items: [ItemInput!]!, $stock: ReceiveStockInput!) {
          saveItems(input: {items: $items}) { __typename }
          saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
          receiveStock(input: $stock) { __typename } }"""
        stock = {"location": "LEEDS", "lines": received, "idempotencyKey": a_key()}
        await self.ask(http, document, items=items, stock=stock)
        cursor: str = (await self.ask(http, "{ eventCursor }"))["eventCursor"]
        return cursor


# ---------------------------------------------------------------- those who strike


@dataclass
class Fate:
    """Strikes until it is over, and then lets everything run. `strikes`: how often each kind of blow fell."""

    chance: random.Random
    seconds_between_cuts: float
    """Of one road, on average; not less, or nobody gets on."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    strikes: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.strikes[what] = self.strikes.get(what, 0) + 1

    async def rest(self, least: float, most: float) -> None:
        await asyncio.sleep(self.chance.uniform(least, most))

    async def cut(self, road: Proxy) -> None:
        """Cut a road and open it again; at times nothing arrives any more before it is cut."""
        while not self.over.is_set():
            await self.rest(0, 2 * self.seconds_between_cuts)
            if self.chance.random() < 0.3:
                road.swallow()
                await self.rest(0, 0.2)
            await road.cut()
            self.count("cuts")
            await self.rest(0, 0.1)
            await road.open()

    async def terminate_backends(self, database_url: str) -> None:
        connection = await asyncpg.connect(database_url)
        try:
            while not self.over.is_set():
                await self.rest(0.1, 0.5)
                if await connection.fetchval(ANY_BACKEND):
                    self.count("backends")
        finally:
            await connection.close()

    @asynccontextmanager
    async def killing_relays(self, folder: Path, **settings: str) -> AsyncIterator[None]:
        """A `dibs work` that is killed and started again; in the end one runs."""
        task = asyncio.create_task(self._kill_relays(folder, **settings))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _kill_relays(self, folder: Path, **settings: str) -> None:
        while True:
            node = working(folder, **settings)
            starting = asyncio.create_task(asyncio.to_thread(node.__enter__))
            try:
                process = await asyncio.shield(starting)
                await self.rest(0.1, 1)
                if self.over.is_set():
                    await asyncio.Event().wait()
                process.kill()
                self.count("relays")
            except AssertionError:  # it lost its connection while it was starting, and ended
                self.count("relays that did not start")
            finally:
                await asyncio.wait({starting})
                node.__exit__(None, None, None)
