"""Clients of `dibs serve`: what they meant is written down before it is sent, so that it can be sent again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import httpx

from tests.acceptance.processes import KEY, SECONDS_MAX
from tests.builders import a_key

T = TypeVar("T")

MUTATIONS = {
    "receiveStock": "... on StockSuccess { levels { id } }",
    "adjustStock": "... on StockSuccess { levels { id } }",
    "placeOrder": "... on PlaceOrderSuccess { order { id } } ... on OrderAlreadyPlaced { order { id } }",
    "allocateOrders": "... on AllocateOrdersSuccess { results { index before after lines { sku allocated } } }",
    "deallocateOrders": "... on DeallocateOrdersSuccess { results { index before after lines { sku quantity } } }",
    "startAllocationRun": "... on StartAllocationRunSuccess { run { id } }",
    "voidOrder": "... on VoidOrderSuccess { order { id } } ... on OrderNotInState { order { id } }",
}
"""What is asked of each answer: nothing in it may change when the same key is sent again."""
LEVELS = """query ($condition: StockLevelFilter!) { stockLevels(filter: $condition, first: 100) {
    nodes { item { sku } onHand committed available overallocated } } }"""


@dataclass
class Request:
    """What a client meant, written down before it was sent, and what it was told."""

    mutation: str
    input: dict[str, Any]
    answer: Any = None


@dataclass
class Client:
    """Sends mutations to its addresses in turn; whatever it is told, or not told, is on its list."""

    addresses: Sequence[str]
    requests: list[Request] = field(default_factory=list)
    _turn: Any = field(default_factory=count)

    async def ask(self, http: httpx.AsyncClient, document: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        address = self.addresses[next(self._turn) % len(self.addresses)]
        response = await http.post(address, json={"query": document, "variables": variables})
        answer = response.json()
        assert (response.status_code, "errors" in answer) == (200, False), (response.status_code, answer)
        return answer["data"]

    async def send(self, http: httpx.AsyncClient, request: Request) -> Any:
        kind = request.mutation[0].upper() + request.mutation[1:]
        document = f"""mutation ($input: {kind}Input!) {{
            {request.mutation}(input: $input) {{ __typename {MUTATIONS[request.mutation]} }} }}"""
        return (await self.ask(http, document, input=request.input))[request.mutation]

    async def do(self, http: httpx.AsyncClient, mutation: str, **fields: Any) -> Any:
        request = Request(mutation, fields | {"idempotencyKey": a_key()})
        self.requests.append(request)
        request.answer = await self.send(http, request)
        return request.answer

    async def place(self, http: httpx.AsyncClient, number: str, lines: Iterable[tuple[str, int]]) -> dict[str, Any]:
        """Place an order of (sku, quantity); its name."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        placed = await self.do(http, "placeOrder", channel="SHOP", number=number, lines=wanted)
        assert placed["__typename"] == "PlaceOrderSuccess", placed
        return named(number)

    async def allocate(self, http: httpx.AsyncClient, order: dict[str, Any]) -> str:
        """The order's allocation status after the run."""
        done = await self.do(http, "allocateOrders", orders=[{"order": order}])
        return str(done["results"][0]["after"])


def named(number: object) -> dict[str, Any]:
    return {"number": {"channel": "SHOP", "number": str(number)}}


@asynccontextmanager
async def connected(connections: int = 100) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=SECONDS_MAX, limits=limits) as http:
        yield http


async def at_once(act: Callable[[T], Awaitable[Any]], whom: Iterable[T], *, most: int) -> list[Any]:
    """`act` for each, so many at a time; the answers in sequence."""
    turnstile = asyncio.Semaphore(most)

    async def one(who: T) -> Any:
        async with turnstile:
            return await act(who)

    return await asyncio.gather(*map(one, whom))
