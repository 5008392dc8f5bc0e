"""Connections that break under load: every request has one outcome, and its key tells it (I7, I8).

DIBS_PROOF=full sends many more requests (`make deep`).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg

from domain.errors import DomainError
from domain.ids import OrderId, Sku
from domain.orders import NewLine, NewOrder
from persistence.database import PostgresDatabase, connect
from services.allocation import AllocateOrder, AllocateOrders, DeallocateOrders, allocate_orders, deallocate_orders
from services.callers import Caller
from services.desk import Desk
from services.orders import place_order, void_order
from services.outcomes import to_json
from services.ports.database import Busy, OutcomeUnknown
from services.stock import ReceivedLine, ReceiveStock, receive_stock
from tests.builders import a_catalog, a_key, by_id, level_now
from tests.gql.proxy import Shears, proxied
from tests.sizes import FULL

REQUESTS = 6_000 if FULL else 120
CLIENTS = 12
SKUS = [f"S{number}" for number in range(5)]
FIRST_UNITS = 50
TRIES_MAX = 50
PAUSE_SECONDS = 0.05, 0.15
"""Between two terminations: a transaction on a new connection fits in, mostly."""
VICTIM = """
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
    """


@dataclass
class Request:
    """What somebody asked for under a key; `outcome`: what they were told in the end."""

    send: Callable[[Desk, str], Awaitable[Any]]
    key: str
    received: tuple[str, int] = ("", 0)
    outcome: Any = None
    tries: int = 0


def a_request(caller: Caller, chance: random.Random, orders: int) -> Request:
    """Anything that moves stock. Orders are named by id: some are not there yet."""
    skus = chance.sample(SKUS, 2)
    some = [by_id(OrderId(one)) for one in chance.sample(range(1, orders + 2), min(orders, 3) or 1)]
    lines = tuple(NewLine(sku=Sku(sku), quantity=chance.randint(1, 3)) for sku in skus)
    new = NewOrder(channel="SHOP", number=a_key(), lines=lines)
    receipt = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku=skus[0], quantity=2),))
    run = AllocateOrders(orders=tuple(AllocateOrder(order=one) for one in some))
    back = DeallocateOrders(orders=tuple(some))
    return chance.choice(
        [
            *[Request(lambda desk, key: place_order(desk, caller, new, key), a_key())] * 3,
            *[Request(lambda desk, key: allocate_orders(desk, caller, run, key), a_key())] * 3,
            Request(lambda desk, key: deallocate_orders(desk, caller, back, key), a_key()),
            Request(lambda desk, key: void_order(desk, caller, some[0], "broken", key), a_key()),
            Request(lambda desk, key: receive_stock(desk, caller, receipt, key), a_key(), received=(skus[0], 2)),
        ]
    )  # fmt: skip


async def ask(desk: Desk, request: Request) -> Any:
    """Ask until there is an answer, always under the same key; the answer or the refusal, as it is kept."""
    for _ in range(TRIES_MAX):
        request.tries += 1
        try:
            return to_json(await request.send(desk, request.key))
        except DomainError as refusal:
            return to_json(refusal) if refusal.kept else None
        except (Busy, OutcomeUnknown):
            await asyncio.sleep(0.01)
    raise AssertionError("nobody answers")


async def under_load(desk: Desk, caller: Caller, seed: int) -> list[Request]:
    """Clients that ask for one thing after the other; what they asked for and were told."""
    asked: list[Request] = []

    async def client(number: int) -> None:
        chance = random.Random(seed + number)  # noqa: S311
        for at in range(REQUESTS // CLIENTS):
            asked.append(request := a_request(caller, chance, at * 2))
            request.outcome = await ask(desk, request)

    await asyncio.gather(*map(client, range(CLIENTS)))
    return asked


async def everything_has_one_outcome(database: PostgresDatabase, requests: list[Request]) -> None:
    """Every key answers as it did, and what was received is there once; the fixture asks `verify`."""
    for desk in (Desk(database), Desk(database, batch_max=1)):
        again = [await ask(desk, request) for request in requests if request.outcome is not None]
        assert again == [request.outcome for request in requests if request.outcome is not None]
    for sku in SKUS:
        received = sum(units for named, units in (one.received for one in requests) if named == sku)
        assert (await level_now(database, sku)).on_hand == FIRST_UNITS + received


@asynccontextmanager
async def desk_on(url: str) -> AsyncIterator[Desk]:
    engine = connect(url)
    try:
        yield Desk(PostgresDatabase(engine))
    finally:
        await engine.dispose()


@asynccontextmanager
async def terminating(url: str) -> AsyncIterator[list[int]]:
    """Terminates a backend now and then, which one is left to chance; those that it was."""
    chance, terminated = random.Random(11), []  # noqa: S311
    connection = await asyncpg.connect(url)

    async def terminate() -> None:
        while True:
            terminated.extend(row[0] for row in await connection.fetch(VICTIM))
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))

    terminator = asyncio.create_task(terminate())
    try:
        yield terminated
    finally:
        terminator.cancel()
        await asyncio.gather(terminator, return_exceptions=True)
        await connection.close()


async def test_i7_connections_that_are_cut_exactly_at_commit_leave_one_outcome_for_every_key(
    database, caller, database_url
):
    await a_catalog(database, caller, {(sku, "LEEDS"): FIRST_UNITS for sku in SKUS})

    shears = partial(Shears, chance=random.Random(7), share=0.3)  # noqa: S311
    async with proxied(database_url, shears) as (proxy, url), desk_on(url) as desk:
        requests = await under_load(desk, caller, 100)

    assert proxy.cuts["before"]
    assert proxy.cuts["after"]
    await everything_has_one_outcome(database, requests)


async def test_i8_backends_that_are_terminated_at_random_leave_one_outcome_for_every_key(
    database, caller, database_url
):
    await a_catalog(database, caller, {(sku, "LEEDS"): FIRST_UNITS for sku in SKUS})

    async with terminating(database_url) as terminated, desk_on(database_url) as desk:
        requests = await under_load(desk, caller, 200)

    assert terminated
    await everything_has_one_outcome(database, requests)
