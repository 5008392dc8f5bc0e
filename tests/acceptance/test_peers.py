"""What breaks others, over HTTP and with two servers on one database: nothing is sold or given back twice.

`make hammer` runs these at full size (DIBS_PROOF=full).
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.acceptance.clients import LEVELS, Client, at_once, connected
from tests.acceptance.processes import KEY, Serving, has_traceback, serving
from tests.conftest import PREFIX, Server
from tests.persistence.verified import verified
from tests.sizes import FULL

SET_UP = """mutation ($items: [ItemInput!]!, $stock: ReceiveStockInput!) {
    saveItems(input: {items: $items}) { __typename }
    saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
    receiveStock(input: $stock) { __typename ... on UserError { message } }
}"""


class Shop:
    """Two servers, a client that goes to either in turn, and the database that they share."""

    def __init__(self, url: str, servers: list[Serving]) -> None:
        self.url = url
        self.servers = servers
        self.client = Client([server.address for server in servers])

    async def stock(self, http: Any, units: dict[str, int]) -> None:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
        stock = {"location": "LEEDS", "lines": lines, "idempotencyKey": f"first {sorted(units)}"}
        items = [{"sku": sku, "name": sku} for sku in units]
        assert (await self.client.ask(http, SET_UP, items=items, stock=stock))["receiveStock"]["__typename"]

    async def level(self, http: Any, sku: str) -> tuple[int, int, int, int]:
        """On hand, committed, available and overallocated."""
        (level,) = (await self.client.ask(http, LEVELS, condition={"skus": [sku]}))["stockLevels"]["nodes"]
        return level["onHand"], level["committed"], level["available"], level["overallocated"]


async def deadlocks(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(found)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def shop(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Afterwards: nothing in the log that should not be there, and no deadlock since the database was made."""
    name = f"{PREFIX}_peers"
    url = server.create(name, template)
    with ExitStack() as stack:
        stack.callback(server.drop, name)
        folders = [tmp_path_factory.mktemp("server") for _ in range(2)]
        with ExitStack() as both:
            started = [_serve(both, folder, url) for folder in folders]
            yield Shop(url, started)
        assert not [text for one in started if has_traceback(text := one.log.read_text())]
        assert server.left_behind(name) == []
        assert asyncio.run(deadlocks(url)) == 0  # sessions report their statistics when they end


def _serve(stack: ExitStack, folder: Path, url: str) -> Serving:
    return stack.enter_context(serving(folder, DIBS_DATABASE_URL=url, DIBS_ADMIN_KEY=KEY))


async def test_a_hundred_units_are_sold_to_exactly_a_hundred_of_four_hundred_buyers(shop: Shop):
    units = 100 if FULL else 25
    async with connected() as http:
        await shop.stock(http, {"HOT": units})

        async def buy(buyer: int) -> str:
            return await shop.client.allocate(http, await shop.client.place(http, f"buyer {buyer}", [("HOT", 1)]))

        statuses = await at_once(buy, range(units * 4), most=64)

        assert Counter(statuses) == {"ALLOCATED": units, "COULD_NOT_ALLOCATE": units * 3}
        assert await shop.level(http, "HOT") == (units, units, 0, 0)
    assert await verified(shop.url) == []


async def test_an_order_that_two_cancel_at_once_gives_its_units_back_once(shop: Shop):
    orders = 100 if FULL else 25
    async with connected() as http:
        await shop.stock(http, {"TWICE": orders * 2})

        async def buy(number: int) -> dict[str, Any]:
            order = await shop.client.place(http, f"twice {number}", [("TWICE", 2)])
            assert await shop.client.allocate(http, order) == "ALLOCATED"
            return order

        async def cancel(order: dict[str, Any]) -> str:
            return str((await shop.client.do(http, "voidOrder", order=order, reason="twice"))["__typename"])

        bought = await at_once(buy, range(orders), most=32)
        assert await shop.level(http, "TWICE") == (orders * 2, orders * 2, 0, 0)

        answers = await at_once(cancel, [order for order in bought for _ in range(2)], most=32)

        each = [sorted(answers[at : at + 2]) for at in range(0, len(answers), 2)]
        assert each == [["OrderNotInState", "VoidOrderSuccess"]] * orders
        assert await shop.level(http, "TWICE") == (orders * 2, 0, orders * 2, 0)
    assert await verified(shop.url) == []


async def test_five_line_orders_in_any_line_order_by_sixteen_clients_neither_deadlock_nor_fail(shop: Shop):
    rounds = 20 if FULL else 4
    chance = random.Random(3)  # noqa: S311
    skus = [f"MIX-{number}" for number in range(10)]
    baskets = [chance.sample(skus, 5) for _ in range(16 * rounds)]
    wanted = Counter(sku for basket in baskets for sku in basket)
    scarce = {sku: units - 3 if sku in skus[::2] else units for sku, units in wanted.items()}
    async with connected() as http:
        await shop.stock(http, scarce)

        async def buy(number: int) -> str:
            order = await shop.client.place(http, f"mix {number}", [(sku, 1) for sku in baskets[number]])
            return await shop.client.allocate(http, order)

        statuses = await at_once(buy, range(len(baskets)), most=16)

        assert set(statuses) <= {"ALLOCATED", "PARTIALLY_ALLOCATED", "COULD_NOT_ALLOCATE"}
        for sku, units in scarce.items():
            assert await shop.level(http, sku) == (units, units, 0, 0)
    assert await verified(shop.url) == []


async def test_reserving_and_canceling_five_units_in_a_loop_blocks_none_and_sells_none_twice(shop: Shop):
    rounds = 25 if FULL else 6
    async with connected() as http:
        await shop.stock(http, {"FIVE": 5})
        mine = [await shop.client.place(http, f"mine {number}", [("FIVE", 1)]) for number in range(8)]
        held: list[int] = []

        async def allocate_and_deallocate(number: int) -> None:
            for _ in range(rounds):
                await shop.client.allocate(http, mine[number])
                await shop.client.do(http, "deallocateOrders", orders=[mine[number]])

        async def buy_and_cancel(number: int) -> None:
            for turn in range(rounds):
                order = await shop.client.place(http, f"five {number} {turn}", [("FIVE", 1)])
                await shop.client.allocate(http, order)
                await shop.client.do(http, "voidOrder", order=order, reason="changed their mind")

        async def look(_: int) -> None:
            for _ in range(rounds):
                on_hand, committed, available, overallocated = await shop.level(http, "FIVE")
                assert (on_hand, committed + available, overallocated) == (5, 5, 0)
                held.append(committed)

        await asyncio.gather(
            at_once(allocate_and_deallocate, range(8), most=8),
            at_once(buy_and_cancel, range(8), most=8),
            look(0),
        )

        assert max(held) > 0
        assert await shop.level(http, "FIVE") == (5, 0, 5, 0)
    assert await verified(shop.url) == []
