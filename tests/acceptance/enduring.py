"""A shop that is open while something goes wrong: buyers who are told the truth, or ask again until they are.

What they were told is compared with what is there afterwards: an outcome that was acknowledged is durable and the same
for ever, what was answered BUSY has left nothing, and everybody was answered within the stated time.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from gql.http import REQUEST_SECONDS_MAX
from tests.acceptance.clients import MUTATIONS, Request, named
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving, serving
from tests.builders import a_key
from tests.gql.proxy import Proxy, proxied
from tests.persistence.verified import verified

SKUS = [f"SKU-{number}" for number in range(6)]
FIRST_UNITS = 500
BUYERS = 8
ANSWER_SECONDS_MAX = REQUEST_SECONDS_MAX + 5
"""What is stated, and a moment on a busy machine."""
BUSY, UNKNOWN = "BUSY", "OUTCOME_UNKNOWN"
CUT_OFF = "cut off"
"""No answer at all: the server, or the way to it, was gone."""
PAUSE_SECONDS = 0.02
KEPT = "SELECT key FROM idempotency_keys WHERE key = ANY ($1)"
ON_HAND = """SELECT i.sku, s.on_hand FROM stock_levels s JOIN items i ON i.id = s.item_id"""
SET_UP = """mutation ($items: [ItemInput!]!, $stock: ReceiveStockInput!) {
  saveItems(input: {items: $items}) { __typename }
  saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
  receiveStock(input: $stock) { __typename } }"""


@dataclass
class Buyers:
    """Several clients of one or more servers; whom one server does not answer asks the next one."""

    addresses: list[str]
    http: httpx.AsyncClient
    may_be_cut_off: bool = False
    name: str = "order"
    """Of their orders, with a number behind it."""
    restock: tuple[int, int] = 1, 3
    """Units that arrive with each order, at least and at most."""
    requests: list[Request] = field(default_factory=list)
    given_up: list[Request] = field(default_factory=list)
    """Of which they were told that nothing was written, and which they never sent again."""
    told: Counter[str] = field(default_factory=Counter)
    """How often each code, or that they were cut off."""
    longest_seconds: float = 0.0
    _numbers: int = 0
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    # ---------------------------------------------------------------- buying

    def start(self, count: int = BUYERS) -> None:
        for number in range(count):
            self._tasks.append(asyncio.create_task(self._buy(random.Random(number))))  # noqa: S311

    async def stop(self) -> None:
        """Everybody finishes what they are at."""
        tasks, self._tasks = self._tasks, []
        async with asyncio.timeout(3 * ANSWER_SECONDS_MAX):
            await asyncio.gather(*tasks)

    async def go(self) -> None:
        """Whatever they are at: something has failed, or they have stopped already."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def set_up(self) -> None:
        items = [{"sku": sku, "name": sku} for sku in SKUS]
        lines = [{"sku": sku, "quantity": FIRST_UNITS} for sku in SKUS]
        stock = {"location": "LEEDS", "lines": lines, "idempotencyKey": a_key()}
        body = {"query": SET_UP, "variables": {"items": items, "stock": stock}}
        answer = (await self.http.post(self.addresses[0], json=body)).json()
        assert "errors" not in answer, answer

    async def _buy(self, chance: random.Random) -> None:
        me = asyncio.current_task()
        while me in self._tasks:
            self._numbers += 1
            number = f"{self.name} {self._numbers}"
            wanted = [{"sku": sku, "quantity": chance.randint(1, 3)} for sku in chance.sample(SKUS, 2)]
            if await self.do(chance, "placeOrder", channel="SHOP", number=number, lines=wanted):
                await self.do(chance, "allocateOrders", orders=[{"order": named(number)}])
            received = [{"sku": chance.choice(SKUS), "quantity": chance.randint(*self.restock)}]
            await self.do(chance, "receiveStock", location="LEEDS", lines=received)
            if chance.random() < 0.3:
                await self.do(chance, "deallocateOrders", orders=[named(number)])

    async def do(self, chance: random.Random, mutation: str, **fields: Any) -> Any:
        """Ask, always under one key, until there is an answer; some give up where nothing was written."""
        request = Request(mutation, fields | {"idempotencyKey": a_key()})
        self.requests.append(request)
        at = chance.randrange(len(self.addresses))
        nothing_was_written = True
        while True:
            told = await self.ask_once(request, self.addresses[at % len(self.addresses)])
            if isinstance(told, dict):
                request.answer = told
                return told
            nothing_was_written = nothing_was_written and told == BUSY
            if nothing_was_written and chance.random() < 0.2:
                self.given_up.append(request)
                return None
            at += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask_once(self, request: Request, address: str) -> Any:
        """The answer, or the code with which there was none."""
        kind = request.mutation[0].upper() + request.mutation[1:]
        document = f"""mutation ($input: {kind}Input!) {{
            {request.mutation}(input: $input) {{ __typename {MUTATIONS[request.mutation]} }} }}"""
        body = {"query": document, "variables": {"input": request.input}}
        started = time.monotonic()
        try:
            answer = (await self.http.post(address, json=body)).json()
        except httpx.TransportError:
            assert self.may_be_cut_off
            self.told[CUT_OFF] += 1
            return CUT_OFF
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - started)
        if "errors" not in answer:
            self.told["answered"] += 1
            return answer["data"][request.mutation]
        (code,) = {error["extensions"]["code"] for error in answer["errors"]}
        assert code in {BUSY, UNKNOWN}, answer
        self.told[code] += 1
        return code

    # ---------------------------------------------------------------- waiting

    async def until(self, condition: Callable[[], bool], seconds: float = SECONDS_MAX) -> None:
        """Wait; a buyer who fails meanwhile is told of at once."""
        async with asyncio.timeout(seconds):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.01)

    async def get(self, more: int, what: str = "answered", seconds: float = SECONDS_MAX) -> None:
        """Until they were told so often more."""
        enough = self.told[what] + more
        await self.until(lambda: self.told[what] >= enough, seconds)

    async def are_served_again(self, seconds: float) -> None:
        """Within so long, and then as before: nobody is told to come again any more."""
        answers = self.told["answered"]
        await self.until(lambda: self.told["answered"] > answers, seconds)
        await self.get(3 * BUYERS, seconds=SECONDS_MAX + seconds)  # the first may have slipped through before
        troubles = self.troubles
        await self.get(5 * BUYERS)
        assert self.troubles == troubles, self.told

    @property
    def troubles(self) -> int:
        """How often somebody was told anything but an answer."""
        return self.told.total() - self.told["answered"]

    # ---------------------------------------------------------------- judging

    async def judge(self, url: str, *others: "Buyers", again_max: int | None = None) -> None:
        """Whether what they and the others were told was the truth; nobody buys any more. `url`: of the database.

        `again_max`: of the answers that are asked for once more, the latest ones.
        """
        for other in others:
            self.requests += other.requests
            self.given_up += other.given_up
            self.longest_seconds = max(self.longest_seconds, other.longest_seconds)
        answered = [one for one in self.requests if one.answer is not None]
        assert len(answered) + len(self.given_up) == len(self.requests)
        assert {one.answer["__typename"] for one in answered} <= SUCCESSES
        assert self.longest_seconds < ANSWER_SECONDS_MAX
        asked_again = answered if again_max is None else answered[-again_max:]
        again = [await self.ask_once(one, self.addresses[0]) for one in asked_again]
        assert again == [one.answer for one in asked_again]
        keys = [one.input["idempotencyKey"] for one in self.given_up]
        connection = await asyncpg.connect(url)
        try:
            kept = [row["key"] for row in await connection.fetch(KEPT, keys)]
            on_hand = dict(await connection.fetch(ON_HAND))
        finally:
            await connection.close()
        assert kept == [], "they were told that nothing was written"
        assert on_hand == received(answered)
        assert await verified(url) == []


SUCCESSES = {"StockSuccess", "PlaceOrderSuccess", "AllocateOrdersSuccess", "DeallocateOrdersSuccess"}


def received(requests: Sequence[Request]) -> Counter[str]:
    """On hand, as it must be after these."""
    units = Counter(dict.fromkeys(SKUS, FIRST_UNITS))
    for request in requests:
        if request.mutation == "receiveStock":
            for line in request.input["lines"]:
                units[line["sku"]] += line["quantity"]
    return units


# ---------------------------------------------------------------- the shop


@dataclass
class Shop:
    """A server that is reached by buyers, and reaches its database by a road of ours. `url`: past that road."""

    node: Serving
    road: Proxy
    buyers: Buyers
    url: str

    async def recovers(self, seconds: float) -> None:
        """By itself, within so long."""
        await self.buyers.are_served_again(seconds)


def tracebacks(log: Path) -> str:
    """From the first one on."""
    said = log.read_text()
    at = said.find("Traceback")
    return said[max(0, at - 500) : at + 5_000] if at >= 0 else ""


def folder_for(folder: Path, name: str) -> Path:
    """A node's own, where its log is."""
    made = folder / name
    made.mkdir()
    return made


@asynccontextmanager
async def served(folder: Path, *arguments: object, **settings: Any) -> AsyncIterator[Serving]:
    """`serving`, without keeping the roads of this loop waiting."""
    one = serving(folder, *arguments, **settings)
    node = await asyncio.to_thread(one.__enter__)
    try:
        yield node
    finally:
        await asyncio.to_thread(one.__exit__, None, None, None)


@asynccontextmanager
async def buyers_of(*addresses: str, may_be_cut_off: bool = False, name: str = "order") -> AsyncIterator[Buyers]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=ANSWER_SECONDS_MAX + 20, limits=limits) as http:
        buyers = Buyers(list(addresses), http, may_be_cut_off, name)
        try:
            yield buyers
        finally:
            await buyers.go()


@asynccontextmanager
async def shop(folder: Path, url: str, **settings: str) -> AsyncIterator[Shop]:
    """Open while the block runs, and judged in the end."""
    node_folder = folder_for(folder, "node")
    async with proxied(url) as (road, through):
        ours = {"DIBS_DATABASE_URL": through, "DIBS_ADMIN_KEY": KEY} | settings
        async with served(node_folder, **ours) as node, buyers_of(node.address) as buyers:
            await buyers.set_up()
            buyers.start()
            await buyers.get(2 * BUYERS)
            yield Shop(node, road, buyers, url)
            await buyers.stop()
            await buyers.judge(url)
            assert not (found := tracebacks(node.log)), found
