"""A shop to measure on: items, stock and open orders, made through the services, the same at every run."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import asyncpg

from bench.servers import Server
from domain.ids import KeyId, OrderId, Sku
from domain.orders import NewLine, NewOrder
from persistence.database import PostgresDatabase, connect
from persistence.migrating import migrate
from services.callers import Caller
from services.catalog import save_items, save_locations
from services.commands import Asked
from services.orders import OrderDone, place_orders
from services.performing import perform_all
from services.ports.unit_of_work import UnitOfWork
from services.stock import ReceivedLine, ReceiveStock

T = TypeVar("T")

CALLER = Caller(key=KeyId(1), actor="bench", request="bench")
CHANNEL, LOCATION = "SHOP", "LEEDS"
AT_A_TIME = 1_000

Lines = Sequence[tuple[str, int]]


def skus(count: int) -> list[str]:
    return [f"SKU-{number:05}" for number in range(count)]


def random_orders(count: int, names: Sequence[str], lines: int = 3) -> list[Lines]:
    """Orders of so many different SKUs, one to three units of each; the same ones at every run."""
    chance = random.Random(7)  # noqa: S311
    return [[(sku, chance.randint(1, 3)) for sku in chance.sample(names, lines)] for _ in range(count)]


async def open_shop(
    server: Server,
    database: str,
    stock: dict[str, int],
    orders: Sequence[Lines] = (),
    advance: Callable[[int], None] = lambda _: None,
) -> list[OrderId]:
    """A new database with this stock in one location, and these orders, open; their ids."""
    await server.create(database)
    engine = connect(server.url(database))
    await migrate(engine)
    shop = PostgresDatabase(engine)
    await save_locations(shop, [{"code": LOCATION, "name": "Leeds"}])
    for names in _chunks(list(stock), AT_A_TIME):
        await save_items(shop, [{"sku": name, "name": name} for name in names])
        received = tuple(ReceivedLine(sku=name, quantity=stock[name]) for name in names if stock[name])
        if received:
            await perform_all(shop, [Asked(CALLER, ReceiveStock(location=LOCATION, lines=received), None)])
    placed: list[OrderId] = []
    for chunk in _chunks(list(enumerate(orders)), AT_A_TIME):
        placed += await shop.run(partial(_place, orders=[new_order(number, lines) for number, lines in chunk]))
        advance(len(chunk))
    await engine.dispose()
    connection = await asyncpg.connect(server.url(database))
    await connection.execute("VACUUM (ANALYZE, FREEZE)")
    await connection.close()
    return placed


def new_order(number: int, lines: Lines) -> NewOrder:
    new = tuple(NewLine(sku=Sku(sku), quantity=units) for sku, units in lines)
    return NewOrder(channel=CHANNEL, number=str(number), lines=new)


def demand(orders: Iterable[Lines]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for lines in orders:
        for sku, units in lines:
            wanted[sku] += units
    return wanted


async def _place(uow: UnitOfWork, orders: Sequence[NewOrder]) -> list[OrderId]:
    return [done.order for done in await place_orders(uow, CALLER, orders) if isinstance(done, OrderDone)]


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
