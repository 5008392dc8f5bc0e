"""A process that is told to stop answers what it has begun, says goodbye to sockets, and ends within ten seconds."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from dibs import app, ending, serving
from tests.acceptance.processes import KEY, Serving, working
from tests.acceptance.processes import serving as serving_dibs
from tests.gql.proxy import proxied
from workers import deliveries, loop

T = TypeVar("T")

STOP_SECONDS_MAX = 10
CALLERS = 20
HEADERS = {"authorization": f"Bearer {KEY}"}
RESERVE = """mutation ($input: ReserveStockInput!) { reserveStock(input: $input) { __typename
  ... on ReserveStockSuccess { reservation { id } } } }"""


def goods(server: Serving) -> None:
    for mutation, given in (
        ("saveLocations", {"locations": [{"code": "LEEDS", "name": "Leeds"}]}),
        ("saveItems", {"items": [{"sku": "MUG", "name": "Mug"}]}),
        (
            "receiveStock",
            {"location": "LEEDS", "lines": [{"sku": "MUG", "quantity": 100_000}], "idempotencyKey": "much"},
        ),
    ):
        kind = mutation[0].upper() + mutation[1:]
        answer = server.ask(
            f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ __typename }} }}", input=given
        )
        assert "Success" in answer.text, answer.text


class Callers:
    """Clients who ask on and on, and write down what became of each request."""

    def __init__(self, server: Serving) -> None:
        self._address = server.address
        self.answered: list[str] = []
        self.cut_off: list[str] = []
        self.refused = 0
        self.unknown: list[str] = []

    async def ask(self, caller: int) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            for number in range(100_000):
                key = f"{caller}-{number}"
                given = {"lines": [{"sku": "MUG", "quantity": 1}], "expiresInSeconds": 600, "idempotencyKey": key}
                body = {"query": RESERVE, "variables": {"input": given}}
                try:
                    answer = await client.post(self._address, json=body, headers=HEADERS)
                except httpx.ConnectError:
                    self.refused += 1
                    return
                except httpx.TransportError:
                    self.cut_off.append(key)
                    return
                if answer.status_code == 503:
                    assert answer.json()["errors"][0]["extensions"]["code"] in {"OUTCOME_UNKNOWN", "BUSY"}
                    self.unknown.append(key)
                    return
                assert answer.json()["data"]["reserveStock"]["__typename"] == "ReserveStockSuccess", answer.text
                self.answered.append(key)


async def watch(server: Serving, watching: asyncio.Event) -> tuple[int, int]:
    """Events that were told, and the code with which it was closed."""
    told = 0
    url = server.address.replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {KEY}"}}))
        await socket.recv()
        query = {"query": "subscription { stockLevelChanged { cursor } }"}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
        watching.set()
        try:
            while True:
                told += json.loads(await socket.recv())["type"] == "next"
        except ConnectionClosed:
            return told, socket.close_code or 0


async def stopped(server: Serving) -> float:
    """Seconds until it had ended."""
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(server.process.wait, 30)
    return time.monotonic() - began


async def reserved(database_url: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("SELECT key FROM idempotency_keys WHERE mutation = 'reserveStock'")
    await connection.close()
    return {row["key"] for row in rows}


async def test_under_load_what_was_begun_is_answered_and_sockets_are_told_to_come_again(
    database_url: str, tmp_path: Any
):
    with serving_dibs(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY) as server:
        goods(server)
        callers, watching = Callers(server), asyncio.Event()
        watcher = asyncio.create_task(watch(server, watching))
        await watching.wait()
        asking = [asyncio.create_task(callers.ask(number)) for number in range(CALLERS)]
        async with asyncio.timeout(60):
            while len(callers.answered) < 5 * CALLERS:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        seconds = await stopped(server)
        await asyncio.gather(*asking)
        told, code = await watcher

    assert seconds < STOP_SECONDS_MAX
    assert code == 1012
    assert told > 0
    written = await reserved(database_url)
    assert callers.unknown == []
    assert set(callers.answered) <= written, "what was acknowledged is there"
    assert set(callers.cut_off) & written == set(), "what was begun was answered: a cut connection had nothing on it"
    assert written - set(callers.answered) == set()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.chaos
async def test_a_database_that_says_nothing_any_more_does_not_keep_a_process_from_ending(
    database_url: str, tmp_path: Any
):
    async with (
        proxied(database_url) as (proxy, url),
        apart(serving_dibs(tmp_path, DIBS_DATABASE_URL=url, DIBS_ADMIN_KEY=KEY)) as server,
    ):
        await asyncio.to_thread(goods, server)
        proxy.swallow()
        callers = Callers(server)
        asking = [asyncio.create_task(callers.ask(number)) for number in range(CALLERS)]
        async with asyncio.timeout(30):
            while len(accepted(server)) < CALLERS:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)

        seconds = await stopped(server)
        await asyncio.gather(*asking, return_exceptions=True)

    assert seconds < STOP_SECONDS_MAX
    assert callers.answered == []
    assert callers.unknown, "those whose requests had arrived are told that nobody knows"
    assert len(callers.unknown) + len(callers.cut_off) + callers.refused == CALLERS


def accepted(server: Serving) -> list[object]:
    """Connections that the server has taken from its clients."""
    port = int(server.address.rpartition(":")[2].partition("/")[0])
    held = psutil.Process(server.process.pid).net_connections("tcp")
    return [one for one in held if one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED]


@asynccontextmanager
async def apart(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Entered and left beside this event loop, on which its road to the database is."""
    entered = await asyncio.to_thread(manager.__enter__)
    try:
        yield entered
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def test_a_worker_ends_in_time_whether_its_database_answers_or_not(database_url: str, tmp_path: Any):
    async with proxied(database_url) as (proxy, url):
        for silent in (False, True):
            async with apart(working(tmp_path, DIBS_DATABASE_URL=url)) as process:
                if silent:
                    proxy.swallow()
                    await asyncio.sleep(0.5)
                began = time.monotonic()
                process.terminate()
                await asyncio.to_thread(process.wait, 30)
                assert time.monotonic() - began < STOP_SECONDS_MAX, silent


def test_all_that_ending_may_take_is_less_than_ten_seconds():
    assert serving.DRAIN_SECONDS_MAX + app.GOODBYE_SECONDS_MAX + loop.GOODBYE_SECONDS_MAX <= STOP_SECONDS_MAX - 1
    assert ending.END_SECONDS_MAX < STOP_SECONDS_MAX
    assert deliveries.GOODBYE_SECONDS_MAX < loop.GOODBYE_SECONDS_MAX
