"""What it costs to tell many subscribers of one change, beside a stock server on Node and a stock server of Strawberry;
how soon they hear of it, what idle ones hold, and what happens when all of them come back at once.

Servers and clients are processes of their own, each on a core of its own where there are two.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import asyncpg
import psutil

from bench.client import Connection
from bench.over_http import RUN, SHOP, Serving, serving
from bench.report import Report
from bench.results import Measured, Result, percentile
from bench.servers import Processes, Server
from bench.shop import CALLER, open_shop
from bench.watchers import Plan
from bench.watching import PEERS, SERVER_CORE, Publish, Watching, node_is_there, on_core, peer, watching
from domain.ids import OrderId
from gql.schema.events import log_cursor
from gql.schema.ids import global_id
from persistence.database import PostgresDatabase, connect
from services.allocation import AllocateOrder, AllocateOrders, DeallocateOrders, allocate_orders, deallocate_orders
from services.desk import Desk
from services.ports.orders import OrderReference

SUBSCRIBERS = 1_000
BATCH, BATCHES, SPARE = 25, 12, 60
"""Events that are published at a time, how often, and events to warm up with."""
BATCHES_OF_STRAWBERRY = 2
WATCH_ALL = "subscription { allocationStatusChanged { cursor orderNumber before after cause } }"
WATCH_MINE = """subscription($orders: [ID!], $after: String) {
  allocationStatusChanged(filter: {orders: $orders}, after: $after) { cursor orderNumber after occurredAt } }"""
NODE_MISSING = (
    "[yellow]Node or its packages are not there (`npm ci` in bench/peers): Dibs is not held against it.[/yellow]"
)


@dataclass(slots=True)
class Shop:
    """Somebody in a process of their own (this one) who allocates the orders of the shop that is served."""

    desk: Desk
    waiting: list[OrderId]
    key: int = 0

    async def allocate(self, count: int) -> None:
        """So many orders that were not allocated yet, in one transaction: so many events."""
        orders, self.waiting = self.waiting[:count], self.waiting[count:]
        assert len(orders) == count
        await self.allocate_these(orders)

    async def allocate_these(self, orders: Sequence[OrderId]) -> None:
        command = AllocateOrders(orders=tuple(AllocateOrder(order=OrderReference(id=order)) for order in orders))
        outcome = await allocate_orders(self.desk, CALLER, command, self._key())
        assert all(one.after == "ALLOCATED" for one in outcome.results), outcome

    async def deallocate_these(self, orders: Sequence[OrderId]) -> None:
        command = DeallocateOrders(orders=tuple(OrderReference(id=order) for order in orders))
        await deallocate_orders(self.desk, CALLER, command, self._key())

    def _key(self) -> str:
        self.key += 1
        return f"shop-{self.key}"


@asynccontextmanager
async def _shop_of(server: Server, orders: Sequence[OrderId]) -> AsyncIterator[tuple[Serving, Shop]]:
    """A copy of the shop, served on a core of its own."""
    await server.create(RUN, SHOP)
    served = serving(server)
    with on_core(SERVER_CORE):
        running = await served.__aenter__()
    engine = connect(server.url(RUN))
    try:
        yield running, Shop(Desk(PostgresDatabase(engine)), list(orders))
    finally:
        await engine.dispose()
        await served.__aexit__(*sys.exc_info())


async def _open_shop(server: Server, orders: int) -> list[OrderId]:
    return await open_shop(server, SHOP, {"HOT": orders}, [[("HOT", 1)]] * orders)


# ---------------------------------------------------------------- fanout


async def fanout(server: Server, report: Report, *, repeats: int) -> Result:
    """CPU of the server for each event that one subscriber of 1,000 is told of."""
    result = Result(title=f"{SUBSCRIBERS:,} subscribers of one stream", unit="deliveries")
    orders = await _open_shop(server, BATCH * (BATCHES + 1) + SPARE)
    dibs: list[Measured] = []
    nodes: list[Measured] = []
    has_node = node_is_there()
    event: dict[str, Any] = {}
    for repeat in range(1, repeats + 1):
        async with _shop_of(server, orders) as (served, shop):
            plan = Plan(port=served.ports[0], key=served.key, query=WATCH_ALL, variables=[{}] * SUBSCRIBERS)
            async with watching(plan) as clients:
                name, postgres = f"Dibs {repeat}", await server.processes()
                one = await _deliver(name, clients, shop.allocate, BATCHES, served.processes, report, postgres)
                event = (await clients.ask())["sample"]
        dibs.append(one)
        if has_node:
            node = ("node", "node.mjs", json.dumps(event))
            nodes.append(await _of_peer(f"graphql-ws on Node {repeat}", node, BATCHES, report))
    stock = (sys.executable, "-m", "bench.peers.strawberry_stock", json.dumps(event))
    strawberry = await _of_peer("Strawberry's handler", stock, BATCHES_OF_STRAWBERRY, report)
    result.runs = [*dibs, *nodes, strawberry]
    if nodes:
        pairs = [_server_ms(one) / _server_ms(other) for one, other in zip(dibs, nodes, strict=True)]
        result.at_most("CPU of the server a delivery, against Node's", median(pairs), 0.67, "of it")
    else:
        result.notes.append(NODE_MISSING)
    cheaper = _server_ms(strawberry) / median(map(_server_ms, dibs))
    result.at_least("cheaper than Strawberry's own handler", cheaper, 10)
    result.notes.append(
        "Dibs: each batch is allocated in one transaction by another process; the server's relay numbers it and its "
        "hub reads it. The others are told of as many events in memory. Clients count every frame and decode one of 97."
    )
    return result


async def _of_peer(name: str, command: Sequence[str], batches: int, report: Report) -> Measured:
    cwd = PEERS if command[0] == "node" else None
    async with peer(command, cwd) as (process, port):

        async def publish(count: int) -> None:
            process.say(f"{count}\n")

        plan = Plan(port=port, query=WATCH_ALL, variables=[{}] * SUBSCRIBERS)
        async with watching(plan) as clients:
            return await _deliver(name, clients, publish, batches, Processes([process.pid]), report)


async def _deliver(
    name: str,
    clients: Watching,
    publish: Publish,
    batches: int,
    processes: Processes,
    report: Report,
    postgres: Processes | None = None,
) -> Measured:
    """Publish batch after batch, each when everybody has the one before."""
    await clients.warm_up(publish, BATCH)
    of_postgres = postgres or Processes([])
    load = (await clients.ask("reset"))["cpu"]
    before, start = (processes.cpu_seconds(), of_postgres.cpu_seconds()), time.perf_counter()
    with report.progress(name, batches * BATCH * SUBSCRIBERS) as advance:
        for number in range(1, batches + 1):
            await publish(BATCH)
            await clients.have(number * BATCH)
            advance(BATCH * SUBSCRIBERS)
    seconds, after = time.perf_counter() - start, (processes.cpu_seconds(), of_postgres.cpu_seconds())
    await clients.quiet()
    told = await clients.ask()
    assert (told["least"], told["most"], told["wrong"]) == (batches * BATCH, batches * BATCH, []), told
    cost = [None if one is None or other is None else other - one for one, other in zip(before, after, strict=True)]
    return Measured(
        name=name,
        done=told["frames"],
        seconds=seconds,
        load=told["cpu"] - load,
        server=cost[0],
        postgres=cost[1],
        note=f"{told['bytes'] / told['frames']:.0f} bytes each; the clients' core {(told['cpu'] - load) / seconds:.0%} "
        f"busy, the server's {(cost[0] or 0) / seconds:.0%}",
    )


def _server_ms(run: Measured) -> float:
    assert run.server is not None
    return run.server * 1000 / run.done


# ---------------------------------------------------------------- latency


CHANGES_A_SECOND, CHANGES = 100, 2_000


async def latency(server: Server, report: Report, *, repeats: int) -> Result:
    """From the event's own time, just before its COMMIT, to its frame at the client."""
    result = Result(
        title=f"{CHANGES_A_SECOND} changes a second, {SUBSCRIBERS:,} subscribers of their own orders", unit="changes"
    )
    orders = await _open_shop(server, CHANGES + 20)
    worst: list[tuple[float, float]] = []
    missing = 0
    for repeat in range(1, repeats + 1):
        async with _shop_of(server, orders) as (served, shop):
            watched = [{"orders": _ids(orders[at:CHANGES:SUBSCRIBERS])} for at in range(SUBSCRIBERS)]
            for one in watched:
                one["orders"] += _ids(orders[CHANGES:])
            plan = Plan(port=served.ports[0], key=served.key, query=WATCH_MINE, variables=watched, decode_every=1)
            async with watching(plan) as clients:
                shop.waiting = list(orders[CHANGES:])
                await clients.warm_up(shop.allocate, 5)
                with report.progress(f"Dibs {repeat}", CHANGES) as advance:
                    measured = await _changes(served, f"Dibs {repeat}", server, advance)
                told = await _settled(clients, CHANGES)
                kept = (await clients.ask("kept"))["kept"]
        seen = [event["orderNumber"] for _, _, event in kept]
        missing += CHANGES - len(set(seen)) + len(seen) - len(set(seen)) + len(told["wrong"])
        late = [(at - datetime.fromisoformat(event["occurredAt"]).timestamp()) * 1000 for _, at, event in kept]
        worst.append((percentile(late, 50), percentile(late, 99)))
        measured.note = f"p50 {worst[-1][0]:.1f} ms, p99 {worst[-1][1]:.1f} ms, latest {max(late):.1f} ms"
        result.runs.append(measured)
    result.at_most("p50, in the worst run", max(one for one, _ in worst), 30, "ms")
    result.at_most("p99, in the worst run", max(one for _, one in worst), 150, "ms")
    result.exactly("changes that are missing, double or wrong", missing, 0)
    return result


async def _changes(served: Serving, name: str, server: Server, advance: Any) -> Measured:
    """One order a request, at a steady pace, whether or not those before were answered."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(32):
        free.put_nowait((await loop.create_connection(Connection, "127.0.0.1", served.ports[0]))[1])
    postgres = await server.processes()
    before = served.processes.cpu_seconds(), postgres.cpu_seconds()

    async def change(number: int) -> None:
        await asyncio.sleep(start + number / CHANGES_A_SECOND - loop.time())
        connection = await free.get()
        status, body = await connection.post(served.allocate(number))
        assert (status, b'"ALLOCATED"' in body) == (200, True), body
        free.put_nowait(connection)
        advance(1)

    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(CHANGES):
            group.create_task(change(number))
    seconds = loop.time() - start
    after = served.processes.cpu_seconds(), postgres.cpu_seconds()
    cost = [None if one is None or other is None else other - one for one, other in zip(before, after, strict=True)]
    while not free.empty():
        free.get_nowait().close()
    return Measured(name=name, done=CHANGES, seconds=seconds, server=cost[0], postgres=cost[1])


async def _settled(clients: Watching, frames: int) -> Any:
    """What was counted, once so many frames are there or nothing more arrives."""
    await clients.quiet()
    told = await clients.ask()
    if told["frames"] < frames:
        await asyncio.sleep(3)
        told = await clients.ask()
    return told


def _ids(orders: Sequence[OrderId]) -> list[str]:
    return [str(global_id("Order", order)) for order in orders]


# ---------------------------------------------------------------- idle


IDLE, IDLE_SECONDS, ALONE_SECONDS = 5_000, 40, 10  # each is sent one ping meanwhile


async def idle(server: Server, report: Report, *, repeats: int) -> Result:
    """What clients hold that watch, each their own order, while nothing happens."""
    result = Result(title=f"{IDLE:,} idle sockets, a subscription each", unit="sockets")
    await _open_shop(server, 1)
    kilobytes, shares = [], []
    _allow_files()
    for repeat in range(1, repeats + 1):
        async with _shop_of(server, []) as (served, _):
            process = psutil.Process(served.pids[0])
            variables = [{"orders": [str(global_id("Order", number))]} for number in range(1, IDLE + 1)]
            first = Plan(port=served.ports[0], key=served.key, query=WATCH_MINE, variables=variables[:100])
            async with watching(first):
                await asyncio.sleep(1)
            before, alone = process.memory_info().rss, served.processes.cpu_seconds()
            await asyncio.sleep(ALONE_SECONDS)
            alone = _less(served.processes.cpu_seconds(), alone) / ALONE_SECONDS
            start = time.perf_counter()
            plan = Plan(port=served.ports[0], key=served.key, query=WATCH_MINE, variables=variables)
            async with watching(plan) as clients:
                came = time.perf_counter() - start
                await asyncio.sleep(3)
                kilobytes.append((process.memory_info().rss - before) / IDLE / 1000)
                cpu = served.processes.cpu_seconds()
                with report.progress(f"Dibs {repeat}", IDLE_SECONDS) as advance:
                    for _ in range(IDLE_SECONDS):
                        await asyncio.sleep(1)
                        advance(1)
                spent = _less(served.processes.cpu_seconds(), cpu)
                told = await clients.ask()
                assert (told["frames"], told["wrong"]) == (0, []), told
        shares.append(spent / IDLE_SECONDS * 100)
        note = (
            f"{kilobytes[-1]:.1f} kB each; they came in {came:.1f} s; CPU {spent / IDLE_SECONDS:.1%} of a core, "
            f"{alone:.1%} before they came"
        )
        result.runs.append(Measured(name=f"Dibs {repeat}", done=IDLE, seconds=IDLE_SECONDS, server=spent, note=note))
    result.at_most("memory of the server a socket", median(kilobytes), 45, "kB")
    result.at_most(f"CPU of the server over {IDLE_SECONDS} s", median(shares), 3, "% of a core")
    return result


def _allow_files() -> None:
    """As many as we may; what we start inherits it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _less(after: float | None, before: float | None) -> float:
    assert after is not None
    assert before is not None
    return after - before


# ---------------------------------------------------------------- storm


STORM, STORM_SECONDS, MISSED = 2_000, 10, 3
STORM_SECONDS_MAX = 60


async def storm(server: Server, report: Report, *, repeats: int) -> Result:
    """Everybody comes back within ten seconds, with a cursor from before thousands of events."""
    result = Result(title=f"{STORM:,} clients come back within {STORM_SECONDS} s", unit="clients")
    orders = await _open_shop(server, STORM)
    last, missing = [], 0
    for repeat in range(1, repeats + 1):
        async with _shop_of(server, orders) as (served, shop):
            cursor, behind = await _what_they_missed(server, shop, orders)
            variables = [{"orders": _ids([order]), "after": cursor} for order in orders]
            plan = Plan(
                port=served.ports[0], key=served.key, query=WATCH_MINE, variables=variables, decode_every=1,
                seconds=STORM_SECONDS,
            )  # fmt: skip
            postgres = await server.processes()
            before, start = (served.processes.cpu_seconds(), postgres.cpu_seconds()), time.time()
            async with watching(plan) as clients:
                await clients.have(MISSED, STORM_SECONDS_MAX)
                cost = [served.processes.cpu_seconds(), postgres.cpu_seconds()]
                kept = (await clients.ask("kept"))["kept"]
                await shop.deallocate_these(orders[: STORM // 2])
                await shop.deallocate_these(orders[STORM // 2 :])
                told = await clients.have(MISSED + 1)
                seen = (await clients.ask("kept"))["kept"]
        last.append(max(at for _, at, _ in kept) - start - STORM_SECONDS)
        missing += _out_of_order(seen) + told["most"] - told["least"] + len(told["wrong"])
        result.runs.append(Measured(
            name=f"Dibs {repeat}", done=STORM, seconds=STORM_SECONDS + last[-1], load=told["cpu"],
            server=_less(cost[0], before[0]), postgres=None if before[1] is None else _less(cost[1], before[1]),
            note=f"{behind:,} events behind; the last is there {last[-1]:+.1f} s after {STORM_SECONDS} s",
        ))  # fmt: skip
        report.say(f"Dibs {repeat}: all are there {last[-1]:.1f} s after the last has come")
    result.at_most("until everybody has caught up, in the worst run", max(last), 10, "s")
    result.exactly("events that are missing, double or in the wrong order", missing, 0)
    return result


async def _what_they_missed(server: Server, shop: Shop, orders: Sequence[OrderId]) -> tuple[str, int]:
    """Allocate all, give back all, allocate all; the cursor from before, and how far the log has grown since."""
    start = await _end_of_the_log(server)
    for act in (shop.allocate_these, shop.deallocate_these, shop.allocate_these):
        for at in range(0, len(orders), 500):
            await act(orders[at : at + 500])
    return log_cursor(start), await _end_of_the_log(server) - start


async def _end_of_the_log(server: Server) -> int:
    """Once everything is numbered."""
    connection = await asyncpg.connect(server.url(RUN))
    waiting = "SELECT EXISTS (SELECT FROM events WHERE position IS NULL)"
    while await connection.fetchval(waiting):  # noqa: ASYNC110  (nothing tells it)
        await asyncio.sleep(0.05)
    position: int = await connection.fetchval("SELECT position FROM log_end")
    await connection.close()
    return position


def _out_of_order(kept: Sequence[tuple[int, float, dict[str, Any]]]) -> int:
    """Clients whose story is not: allocated, given back, allocated, given back."""
    stories: dict[int, list[str]] = {}
    for number, _, event in kept:
        stories.setdefault(number, []).append(event["after"])
    right = ["ALLOCATED", "UNALLOCATED", "ALLOCATED", "UNALLOCATED"]
    return sum(story != right for story in stories.values()) + STORM - len(stories)
