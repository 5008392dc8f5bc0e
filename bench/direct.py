"""Single reservations in one process, at the level of the services: a hot SKU, different SKUs, and how long a
connection is held.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bench import reserving
from bench.report import Report
from bench.results import Measured, Result, median_ratio, percentile
from bench.servers import Processes, Server
from bench.shop import CALLER, open_shop, skus
from dibs.memory import spare_collector
from domain.ids import OrderId
from persistence.database import PostgresDatabase, connect
from persistence.verify import verify
from services.allocation import AllocateOrder, AllocateOrders, allocate_orders
from services.desk import Desk
from services.ports.orders import OrderReference

SHOP, DIBS, FLOOR = "dibs_bench", "dibs_bench_dibs", "dibs_bench_floor"
FLOOR_CONNECTIONS = 32
"""As many as serve the floor best: more of them only wait for the row."""
Call = Callable[[OrderId], Awaitable[Any]]


async def hot(server: Server, report: Report, *, repeats: int) -> Result:
    result = Result(title="Hot SKU, 200 callers, one process", unit="reservations")
    speed = await _compare(server, report, result, callers=200, sku_count=1, orders=(8_000, 2_000), repeats=repeats)
    result.at_least("speed of the floor", speed, 15)
    return result


async def different(server: Server, report: Report, *, repeats: int) -> Result:
    result = Result(title="Different SKUs, 32 callers, one process", unit="reservations")
    speed = await _compare(server, report, result, callers=32, sku_count=1_000, orders=(6_000, 4_000), repeats=repeats)
    result.at_least("speed of the floor", speed, 3)
    return result


async def hold(server: Server, report: Report, *, repeats: int) -> Result:
    """How long a connection is out of the pool for an allocation."""
    result = Result(title="Connection hold time, 32 callers", unit="reservations")
    orders = await shop(server, report, sku_count=1_000, orders=4_000)
    held: list[float] = []
    postgres = await server.processes()
    for repeat in range(1, repeats + 1):
        await server.create(DIBS, SHOP)
        engine = connect(server.url(DIBS))
        watch_connections(engine, held)
        result.runs.append(await _dibs(engine, f"Dibs {repeat}", orders, 32, postgres, report))
        await engine.dispose()
    milliseconds = [seconds * 1000 for seconds in held]
    result.notes.append(
        f"{len(held):,} times held, each for a batch: p50 {percentile(milliseconds, 50):.1f} ms, "
        f"p99 {percentile(milliseconds, 99):.1f} ms, longest {max(milliseconds):.1f} ms."
    )
    result.at_most("p99 of the time a connection is held", percentile(milliseconds, 99), 25, "ms")
    return result


def watch_connections(engine: AsyncEngine, held: list[float]) -> None:
    """Notes, in seconds, for how long each connection was out of the pool."""
    out: dict[int, float] = {}

    @event.listens_for(engine.sync_engine, "checkout")
    def taken(_: Any, record: Any, __: Any) -> None:
        out[id(record)] = time.perf_counter()

    @event.listens_for(engine.sync_engine, "checkin")
    def returned(_: Any, record: Any) -> None:
        if id(record) in out:
            held.append(time.perf_counter() - out.pop(id(record)))


async def _compare(
    server: Server,
    report: Report,
    result: Result,
    *,
    callers: int,
    sku_count: int,
    orders: tuple[int, int],
    repeats: int,
) -> float:
    """Dibs and the floor take turns on copies of one shop; how many times as fast Dibs is. `orders`: of each."""
    ids = await shop(server, report, sku_count=sku_count, orders=max(orders))
    postgres = await server.processes()
    of_dibs, of_floor = [], []
    for repeat in range(1, repeats + 1):
        await server.create(DIBS, SHOP)
        engine = connect(server.url(DIBS))
        of_dibs.append(await _dibs(engine, f"Dibs {repeat}", ids[: orders[0]], callers, postgres, report))
        await agree(server, DIBS, orders[0], len(ids), result, engine)
        await engine.dispose()
        await server.create(FLOOR, SHOP)
        of_floor.append(await _floor(server, f"floor {repeat}", ids[: orders[1]], callers, postgres, report))
        await agree(server, FLOOR, orders[1], len(ids), result)
        result.runs += [of_dibs[-1], of_floor[-1]]
    overhead = await _callers_alone(ids[: orders[0]], callers)
    result.notes.append(
        f"The callers themselves, calling nothing, take {overhead * 1e6:.0f} µs of CPU a reservation; they run in the "
        "process that is measured, for Dibs as for the floor."
    )
    return median_ratio(of_dibs, of_floor)


async def shop(server: Server, report: Report, *, sku_count: int, orders: int) -> list[OrderId]:
    names = skus(sku_count)
    with report.progress("Placing orders", orders) as advance:
        return await open_shop(
            server,
            SHOP,
            dict.fromkeys(names, orders),
            [[(names[number % sku_count], 1)] for number in range(orders)],
            advance,
        )


async def _dibs(
    engine: AsyncEngine, name: str, orders: Sequence[OrderId], callers: int, postgres: Processes, report: Report
) -> Measured:
    desk = Desk(PostgresDatabase(engine))
    with report.progress(name, len(orders)) as advance:
        measured = await measure(name, orders, callers, partial(reserve, desk), postgres, advance)
    measured.note = f"{desk.requests / desk.batches:.0f} a batch"
    return measured


async def reserve(desk: Desk, order: OrderId) -> None:
    """All that the order wants must be there."""
    command = AllocateOrders(orders=(AllocateOrder(order=OrderReference(id=order)),))
    outcome = await allocate_orders(desk, CALLER, command, f"key-{order}")
    assert outcome.results[0].after == "ALLOCATED", outcome


async def _floor(
    server: Server, name: str, orders: Sequence[OrderId], callers: int, postgres: Processes, report: Report
) -> Measured:
    await reserving.prepare(server, FLOOR)
    size = min(callers, FLOOR_CONNECTIONS)
    async with asyncpg.create_pool(server.url(FLOOR), min_size=size, max_size=size) as pool:

        async def call(order: OrderId) -> None:
            fingerprint = hashlib.sha256(str(order).encode()).digest()
            await pool.execute(reserving.CALL, int(CALLER.key), f"key-{order}", fingerprint, order)

        with report.progress(name, len(orders)) as advance:
            measured = await measure(name, orders, callers, call, postgres, advance)
    measured.note = f"{size} connections"
    return measured


async def measure(
    name: str,
    orders: Sequence[OrderId],
    callers: int,
    call: Call,
    postgres: Processes,
    advance: Callable[[int], None] = lambda _: None,
) -> Measured:
    """So many callers, each with one call at a time, until every order has had its turn."""
    spare_collector()
    before = postgres.cpu_seconds()
    python, start = time.process_time(), time.perf_counter()
    await _call_all(orders, callers, call, advance)
    seconds = time.perf_counter() - start
    after = postgres.cpu_seconds()
    return Measured(
        name=name,
        done=len(orders),
        seconds=seconds,
        server=time.process_time() - python,
        postgres=None if before is None or after is None else after - before,
    )


async def _call_all(orders: Iterable[OrderId], callers: int, call: Call, advance: Callable[[int], None]) -> None:
    queue = iter(orders)

    async def caller() -> None:
        for order in queue:
            await call(order)
            advance(1)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())


async def _callers_alone(orders: Sequence[OrderId], callers: int) -> float:
    """CPU seconds a call."""

    async def call(_: OrderId) -> None:
        await asyncio.sleep(0)

    start = time.process_time()
    await _call_all(orders, callers, call, lambda _: None)
    return (time.process_time() - start) / len(orders)


async def agree(
    server: Server, database: str, done: int, placed: int, result: Result, engine: AsyncEngine | None = None
) -> None:
    """Raises AssertionError where what was written is not what was asked for."""
    found = await reserving.rows(server, database)
    expected = dict.fromkeys(("claims", "units", "lines", "orders", "keys"), done)
    expected["events_of_orders"] = placed + 2 * done
    assert found == expected, (found, expected)
    own = engine or connect(server.url(database))
    broken = await verify(own)
    if engine is None:
        await own.dispose()
    assert not broken, broken
