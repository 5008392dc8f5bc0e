"""What goes over HTTP: single allocations on a hot SKU, new orders, and a flash sale.

Servers are processes of their own; the process that measures only sends and waits.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import asyncpg
import orjson

from bench.client import Answers, request, send_all
from bench.report import Report
from bench.results import Measured, Result, median_ratio, percentile
from bench.servers import Processes, Server
from bench.shop import CHANNEL, open_shop, skus
from dibs.opening import opened
from services.credentials import create_key

SHOP, RUN = "dibs_bench", "dibs_bench_dibs"
WARM_UP = 200
EARLIER = 5_000
"""Orders that the shop has before anyone measures: for a table that was empty when its statistics were made,
PostgreSQL plans to look at every row, and goes on doing so when there are many.
"""

ALLOCATE = """mutation($input: AllocateOrdersInput!) { allocateOrders(input: $input) { __typename
  ... on AllocateOrdersSuccess { results { after refusal { message } } } ... on UserError { message } } }"""
PLACE = """mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename
  ... on PlaceOrderSuccess { order { number allocationStatus } } ... on UserError { message } } }"""
SAVE_RULES = """mutation($input: SaveAllocationRulesInput!) { saveAllocationRules(input: $input) { __typename } }"""
AT_ONCE = {"rules": [{"name": "Everything", "when": "AT_ONCE"}]}
"""Every new order is allocated in the transaction that places it."""
TWO_REQUESTS = (
    "saveAllocationRules is not there yet: each order is placed by one request and allocated by a second one, and both "
    "are counted as one order."
)


@dataclass(slots=True)
class Serving:
    """Servers that run, and an API key. `told`: what they said when they had ended."""

    ports: list[int]
    key: str
    processes: Processes
    pids: list[int]
    told: list[dict[str, Any]] = field(default_factory=list)

    def allocate(self, number: object) -> bytes:
        order = {"order": {"number": {"channel": CHANNEL, "number": str(number)}}}
        return request(self.key, ALLOCATE, input={"orders": [order], "idempotencyKey": f"allocate-{number}"})

    def place(self, number: object, sku: str) -> bytes:
        new = {"channel": CHANNEL, "number": str(number), "lines": [{"sku": sku, "quantity": 1}]}
        return request(self.key, PLACE, input=new | {"idempotencyKey": f"place-{number}"})


async def http(server: Server, report: Report, *, repeats: int) -> Result:
    """One order a request, all of one SKU, 64 connections, one server process; with coalescing and without."""
    result = Result(title="allocateOrders over HTTP, hot SKU, 64 connections", unit="orders")
    count = 4_000
    await open_shop(server, SHOP, {"HOT": count + WARM_UP}, [[("HOT", 1)]] * (count + WARM_UP))
    with_desk, without = [], []
    for repeat in range(1, repeats + 1):
        for name, batch_max, runs in (("coalescing", 200, with_desk), ("one by one", 1, without)):
            runs.append(await _allocations(server, report, result, f"{name} {repeat}", count, batch_max))
    result.runs = [run for pair in zip(with_desk, without, strict=True) for run in pair]
    result.at_least("speed without coalescing", median_ratio(with_desk, without), 1.3)
    return result


async def watched(server: Server, report: Report, *, repeats: int) -> Result:
    """The same as `http`, with a line in the log for each request and with figures, and without either."""
    result = Result(title="allocateOrders over HTTP, hot SKU, 64 connections, observed and not", unit="orders")
    count = 4_000
    await open_shop(server, SHOP, {"HOT": count + WARM_UP}, [[("HOT", 1)]] * (count + WARM_UP))
    observed, alone = [], []
    for repeat in range(1, repeats + 1):
        for name, is_observed, runs in (("observed", True, observed), ("alone", False, alone)):
            runs.append(await _allocations(server, report, result, f"{name} {repeat}", count, 200, is_observed))
    result.runs = [run for pair in zip(observed, alone, strict=True) for run in pair]
    result.at_least("speed when nobody observes", median_ratio(observed, alone), 0.9)
    costs = [
        one.server / other.server for one, other in zip(observed, alone, strict=True) if one.server and other.server
    ]
    if costs:
        result.at_most("CPU of the server, to that when nobody observes", median(costs), 1.1, "times")
    return result


async def _allocations(
    server: Server, report: Report, result: Result, name: str, count: int, batch_max: int, observed: bool = False
) -> Measured:
    await server.create(RUN, SHOP)
    async with serving(server, batch_max=batch_max, observed=observed) as served:
        await send_all(served.ports, 64, [[served.allocate(number)] for number in range(count, count + WARM_UP)])
        jobs = [[served.allocate(number)] for number in range(count)]
        with report.progress(name, count) as advance:
            measured, answers = await _measure(server, served, name, 64, jobs, advance)
    _all_allocated(answers)
    told = served.told[0]
    measured.note = f"{told['requests'] / told['batches']:.1f} a batch"
    result.notes.append(f"{name}: {_shares(measured, told['shares'])}")
    return measured


def _shares(measured: Measured, shares: dict[str, float]) -> str:
    """In milliseconds of CPU an order, so that they can be added up."""
    assert measured.server is not None
    each = measured.server * 1000 / measured.done
    parts = [f"{kind} {share * each:.2f} ({share:.0%})" for kind, share in shares.items()]
    database = "" if measured.postgres is None else f"; PostgreSQL {measured.postgres * 1000 / measured.done:.2f}"
    return f"ms of the server's CPU an order: {', '.join(parts)}{database}"


async def place(server: Server, report: Report, *, repeats: int) -> Result:
    """New orders, allocated at once, 32 clients, 1,000 SKUs, two server processes."""
    result = Result(title="placeOrder, allocated at once, 32 clients, two servers", unit="orders")
    count, names, first = 3_000, skus(1_000), EARLIER + WARM_UP
    await open_shop(
        server, SHOP, dict.fromkeys(names, 1_000), [[(name, 1)] for name in names] * (EARLIER // len(names))
    )
    for repeat in range(1, repeats + 1):
        await server.create(RUN, SHOP)
        async with serving(server, processes=2) as served:
            at_once = await _has_rules(served)
            await send_all(served.ports, 32, _buyers(served, range(EARLIER, first), names, at_once))
            jobs = _buyers(served, range(first, first + count), names, at_once)
            with report.progress(f"Dibs {repeat}", count) as advance:
                measured, answers = await _measure(server, served, f"Dibs {repeat}", 32, jobs, advance)
        _all_allocated(answers)
        measured.note = (
            f"p50 {percentile(answers.seconds, 50) * 1000:.0f} ms, p99 {percentile(answers.seconds, 99) * 1000:.0f} ms"
        )
        result.runs.append(measured)
        result.notes.append(f"{measured.name}: {_shares(measured, _mean_shares(served.told))}")
    for repeat in range(1, repeats + 1):
        result.runs.append(await _bare_pairs(server, report, f"floor {repeat}", count))
    if not at_once:
        result.notes.append(TWO_REQUESTS)
    result.notes.append("The floor is one update of a level and one insert of a claim, in a transaction of its own.")
    costs = [run.cpu_ms for run in result.runs if run.name.startswith("Dibs") and run.cpu_ms is not None]
    if costs:
        cost = median(costs)
        result.at_most("CPU of servers and database an order", cost, 5, "ms")
        result.at_most("the same, where it should arrive", cost, 1, "ms")
    return result


async def flash(server: Server, report: Report, *, repeats: int) -> Result:
    """500 units, 5,000 buyers, 200 at a time, one server process."""
    result = Result(title="Flash sale, 500 units, 5,000 buyers, 200 at a time", unit="buyers")
    await open_shop(server, SHOP, {"FLASH": 500, "OTHER": 0}, [[("OTHER", 1)]] * EARLIER)
    won, slowest, failed = [], [], 0
    for repeat in range(1, repeats + 1):
        await server.create(RUN, SHOP)
        async with serving(server) as served:
            at_once = await _has_rules(served)
            jobs = _buyers(served, range(EARLIER, EARLIER + 5_000), ["FLASH"], at_once)
            with report.progress(f"Dibs {repeat}", len(jobs)) as advance:
                measured, answers = await _measure(server, served, f"Dibs {repeat}", 200, jobs, advance)
        won.append(sum(b'"ALLOCATED"' in body for body in answers.bodies))
        assert won[-1] == await _fetch(server, "SELECT sum(committed) FROM stock_levels")
        slowest.append(percentile(answers.seconds, 99))
        failed += answers.server_errors
        measured.note = f"p50 {percentile(answers.seconds, 50) * 1000:.0f} ms, p99 {slowest[-1] * 1000:.0f} ms"
        result.runs.append(measured)
    if not at_once:
        result.notes.append(TWO_REQUESTS)
    result.exactly("buyers who win, in the worst run", max(won, key=lambda units: abs(units - 500)), 500)
    result.exactly("answers 5xx", failed, 0)
    result.at_most("p99 of a buyer, in the worst run", max(slowest), 1, "s")
    return result


def _buyers(served: Serving, numbers: Sequence[int], names: Sequence[str], at_once: bool) -> list[list[bytes]]:
    return [
        [served.place(number, names[number % len(names)]), *([] if at_once else [served.allocate(number)])]
        for number in numbers
    ]


async def _has_rules(served: Serving) -> bool:
    """Have new orders allocated at once, if this release can."""
    answers = await send_all(served.ports[:1], 1, [[request(served.key, SAVE_RULES, input=AT_ONCE)]])
    told = orjson.loads(answers.bodies[0])
    if "errors" not in told:
        kind = told["data"]["saveAllocationRules"]["__typename"]
        assert kind == "SaveAllocationRulesSuccess", told
        return True
    assert told["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", told
    assert "Success" not in str(told), told
    return False


async def _bare_pairs(server: Server, report: Report, name: str, count: int) -> Measured:
    """What an order can not do without: one update and one insert in a transaction of its own, by 32 clients."""
    await server.create(RUN, SHOP)
    statement = """
        WITH taken AS (UPDATE stock_levels SET committed = committed + 1, version = version + 1
                       WHERE item_id = $1 AND committed + 1 <= on_hand RETURNING item_id, location_id)
        INSERT INTO bench_claims (item_id, location_id, quantity) SELECT item_id, location_id, 1 FROM taken
        """
    postgres = await server.processes()
    async with asyncpg.create_pool(server.url(RUN), min_size=32, max_size=32) as pool:
        await pool.execute(
            "CREATE TABLE bench_claims (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id int NOT NULL, "
            "location_id int NOT NULL, quantity int NOT NULL)"
        )
        queue = iter(range(count))
        before, python, start = postgres.cpu_seconds(), time.process_time(), time.perf_counter()
        with report.progress(name, count) as advance:

            async def client() -> None:
                for number in queue:
                    await pool.execute(statement, number % 1_000 + 1)
                    advance(1)

            async with asyncio.TaskGroup() as group:
                for _ in range(32):
                    group.create_task(client())
        seconds, after = time.perf_counter() - start, postgres.cpu_seconds()
    return Measured(
        name=name,
        done=count,
        seconds=seconds,
        server=time.process_time() - python,
        postgres=None if before is None or after is None else after - before,
        note="asyncpg",
    )


async def _measure(
    server: Server, served: Serving, name: str, clients: int, jobs: Sequence[Sequence[bytes]], advance: Any
) -> tuple[Measured, Answers]:
    postgres = await server.processes()
    for pid in served.pids:
        os.kill(pid, signal.SIGUSR1)
    await asyncio.sleep(0.2)
    before = served.processes.cpu_seconds(), postgres.cpu_seconds()
    python, start = time.process_time(), time.perf_counter()
    answers = await send_all(served.ports, clients, jobs, advance)
    seconds = time.perf_counter() - start
    load = time.process_time() - python
    after = served.processes.cpu_seconds(), postgres.cpu_seconds()
    of_server, of_postgres = (
        None if one is None or other is None else other - one for one, other in zip(before, after, strict=True)
    )
    return Measured(
        name=name, done=len(jobs), seconds=seconds, load=load, server=of_server, postgres=of_postgres
    ), answers


def _all_allocated(answers: Answers) -> None:
    assert set(answers.statuses) == {200}, set(answers.statuses)
    other = [body for body in answers.bodies if b'"ALLOCATED"' not in body]
    assert not other, (len(other), other[0])


def _mean_shares(told: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {kind: sum(one["shares"][kind] for one in told) / len(told) for kind in told[0]["shares"]}


async def _fetch(server: Server, statement: str) -> Any:
    connection = await asyncpg.connect(server.url(RUN))
    found = await connection.fetchval(statement)
    await connection.close()
    return found


@asynccontextmanager
async def serving(
    server: Server, *, processes: int = 1, batch_max: int = 200, observed: bool = False
) -> AsyncIterator[Serving]:
    """Serve the database until the block ends. `observed`: with a line for each request, and figures."""
    url = server.url(RUN)
    async with opened(url) as database:
        _, key = await create_key(database, "bench")
    started = [_start(url, batch_max, observed) for _ in range(processes)]
    pids = [one.pid for one in started]
    try:
        ports = [int(await asyncio.to_thread(one.stdout.readline)) for one in started if one.stdout]
        served = Serving(ports, key, Processes(pids), pids)
        yield served
        served.told = [json.loads((await asyncio.to_thread(one.communicate, None, 30))[0]) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


def _start(url: str, batch_max: int, observed: bool) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.serve", str(batch_max), *(["observed"] if observed else [])]
    errors = subprocess.DEVNULL if observed else None  # that is where the lines go
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert started.stdin
    started.stdin.write(url + "\n")
    started.stdin.flush()
    return started
