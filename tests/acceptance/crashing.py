"""A server that dies in the middle of its work: what its clients do until then, and what they must find afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.acceptance.clients import Client, connected, named
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving

SKUS = [f"SKU-{number:02}" for number in range(12)]
RUN = "query ($id: ID!) { allocationRun(id: $id) { state finishedAt } }"
SET_UP = """mutation ($items: [ItemInput!]!, $stock: ReceiveStockInput!) {
  saveItems(input: {items: $items}) { __typename }
  saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
  receiveStock(input: $stock) { __typename }
}"""


def set_up(server: Serving) -> str:
    """Something to sell; the cursor from which on events are watched."""
    received = [{"sku": sku, "quantity": 30} for sku in SKUS]
    stock = {"location": "LEEDS", "lines": received, "idempotencyKey": "first"}
    items = [{"sku": sku, "name": sku} for sku in SKUS]
    assert "errors" not in server.ask(SET_UP, items=items, stock=stock).json()
    return str(server.ask("{ eventCursor }").json()["data"]["eventCursor"])


async def work(client: Client, start: int) -> None:
    """Place, allocate, deallocate, receive and start runs, until the server is gone."""
    async with connected() as http:
        number = start
        while True:
            number += 4
            if number % 5 == 0:
                await client.do(http, "startAllocationRun", sequence="PRIORITY_DESC")
            lines = [{"sku": SKUS[(number + at) % len(SKUS)], "quantity": 1 + at} for at in range(3)]
            await client.do(http, "placeOrder", channel="SHOP", number=str(number), lines=lines)
            batch = [named(one) for one in range(max(start, number - 12), number + 1, 4)]
            await client.do(http, "allocateOrders", orders=[{"order": one} for one in batch])
            await client.do(http, "receiveStock", location="LEEDS", lines=[{"sku": SKUS[number % 12], "quantity": 2}])
            await client.do(http, "deallocateOrders", orders=[named(number)])


@asynccontextmanager
async def watching(address: str, after: str) -> AsyncIterator[ClientConnection]:
    """A socket on which every change of an order after the cursor arrives."""
    url = address.replace("http", "ws", 1)
    async with connect(url, subprotocols=["graphql-transport-ws"], compression=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {KEY}"}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        query = "subscription ($after: String) { orderChanged(after: $after) { cursor orderNumber orderVersion } }"
        payload = {"query": query, "variables": {"after": after}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield socket


async def watch(address: str, after: str, seen: list[dict[str, Any]], until: str = "") -> None:
    """Append what arrives, until the cursor, or until the server is gone."""
    async with watching(address, after) as socket:
        while after != until:
            message = json.loads(await socket.recv())
            assert message["type"] == "next", message
            seen.append(message["payload"]["data"]["orderChanged"])
            after = seen[-1]["cursor"]


async def until_it_is_gone(
    server: Serving, client: Client, seen: list[dict[str, Any]], start: str, strike: Callable[[], None]
) -> None:
    """Work from four sides and watch; `strike` is called again and again until the server is gone."""
    jobs = [asyncio.create_task(work(client, number)) for number in range(4)]
    jobs.append(asyncio.create_task(watch(server.address, start, seen)))
    async with asyncio.timeout(SECONDS_MAX):
        while server.process.poll() is None:
            await asyncio.sleep(0.001)
            strike()
    for ended in await asyncio.gather(*jobs, return_exceptions=True):
        assert isinstance(ended, httpx.HTTPError | WebSocketException | OSError), ended


async def the_log(http: httpx.AsyncClient, address: str) -> list[dict[str, Any]]:
    """Every OrderChanged, read until nothing more is to come."""
    query = """query ($after: String) { events(filter: {types: ["OrderChanged"]}, first: 100, after: $after) {
        nodes { cursor ... on OrderChanged { orderNumber orderVersion } } } }"""
    found: list[dict[str, Any]] = []
    quiet = 0
    while quiet < 3:
        variables = {"after": found[-1]["cursor"] if found else None}
        answer = (await http.post(address, json={"query": query, "variables": variables})).json()
        found += answer["data"]["events"]["nodes"]
        quiet = 0 if answer["data"]["events"]["nodes"] else quiet + 1
        if quiet:
            await asyncio.sleep(0.15)
    return found


async def afterwards(server: Serving, client: Client, seen: list[dict[str, Any]], start: str) -> None:
    """Every request's outcome is found by its key, and the subscriber has missed nothing."""
    client.addresses = [server.address]
    async with connected() as http:
        told = [await client.send(http, request) for request in client.requests]
        again = [await client.send(http, request) for request in client.requests]
        for run in (answer["run"]["id"] for answer in told if "run" in answer):
            await until_it_has_ended(http, client, run)
        log = await the_log(http, server.address)
        async with asyncio.timeout(SECONDS_MAX):
            await watch(server.address, seen[-1]["cursor"] if seen else start, seen, log[-1]["cursor"])

    assert [request.answer for request in client.requests if request.answer] == [
        answer for request, answer in zip(client.requests, told, strict=True) if request.answer
    ]
    assert again == told
    assert {answer["__typename"] for answer in told} <= {
        "StockSuccess",
        "PlaceOrderSuccess",
        "AllocateOrdersSuccess",
        "DeallocateOrdersSuccess",
        "StartAllocationRunSuccess",
    }
    assert seen == log


async def until_it_has_ended(http: httpx.AsyncClient, client: Client, run: str) -> None:
    """A run goes on where the server that died has left it."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (found := (await client.ask(http, RUN, id=run))["allocationRun"])["finishedAt"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert found["state"] == "SUCCEEDED"
