"""How fast import and allocation of a real year of orders are, and how far from what PostgreSQL could do at best.

    python bench/allocate.py online_retail.csv.xz

Imports the orders with stock that is made up for them, and allocates them all, oldest first, in one process. Beside it
the floor: plain SQL that knows beforehand which rows to write. README.md says how this is fair.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
from floor import Writes, fingerprints, last_event, read_back, write
from report import Report, Run
from sqlalchemy import make_url, text
from stock import made_up_stock
from stopwatch import cpu_seconds_of, phases_of_dibs

from dibs.importing.loading_orders import load_orders
from dibs.importing.loading_stock import load_stock
from dibs.importing.orders import OrdersRead, read_orders
from dibs.memory import spare_collector
from domain.ids import KeyId
from persistence.database import PostgresDatabase, connect
from persistence.embedded import embedded_server
from persistence.migrating import migrate
from persistence.verify import verify
from services.allocation import allocate_waiting
from services.callers import Caller

COLUMNS = {
    "order": "InvoiceNo",
    "sku": "StockCode",
    "quantity": "Quantity",
    "placed_at": "InvoiceDate",
    "unit_price": "UnitPrice",
    "customer": "CustomerID",
    "country": "Country",
}
CALLER = Caller(key=KeyId(1), actor="bench", request="bench/allocate.py")
IMPORTED, DIBS, FLOOR = "dibs_bench", "dibs_bench_dibs", "dibs_bench_floor"
RESULT = """
    SELECT count(*), count(*) FILTER (WHERE allocated = quantity) FROM order_lines
    """


class Server:
    """Makes, copies and drops the benchmark's own databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")

    def url(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._url.render_as_string(hide_password=False))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def create(self, database: str, template: str = "template0") -> None:
        await self.drop(database)
        await self.execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY FILE_COPY")

    async def drop(self, *databases: str) -> None:
        await self.execute(*(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)" for database in databases))


async def bench(server: Server, read: OrdersRead, read_seconds: float, repeats: int, report: Report) -> bool:
    """Whether everything agreed in the end."""
    await server.create(IMPORTED)
    await load(server, read, read_seconds, report)
    read.orders.clear()
    runs: list[tuple[Run, Run]] = []
    same = True
    for repeat in range(1, repeats + 1):
        await server.create(DIBS, IMPORTED)
        dibs, writes = await run_dibs(server, f"Dibs {repeat}", report)
        await server.create(FLOOR, IMPORTED)
        floor = await run_floor(server, f"floor {repeat}", replace(dibs, name=""), writes, report)
        del writes  # the next run of Dibs starts with as little in memory as the first
        runs.append((dibs, floor))
        same = await agree(server, report) and same
    await say_result(server, report)
    report.allocation(runs)
    report.phases([dibs for dibs, _ in runs])
    return same


async def load(server: Server, read: OrdersRead, read_seconds: float, report: Report) -> None:
    engine = connect(server.url(IMPORTED))
    await migrate(engine)
    database = PostgresDatabase(engine)
    async with engine.connect() as connection:
        report.machine(str((await connection.execute(text("SHOW server_version"))).scalar_one()))
    start = time.perf_counter()
    stock = list(made_up_stock(read.orders))
    with report.progress("Importing stock (made up)", len(stock)) as advance:
        await load_stock(database, CALLER, stock, progress=_steps(advance))
    stock_seconds = time.perf_counter() - start
    start = time.perf_counter()
    with report.progress("Importing orders", len(read.orders)) as advance:
        loaded = await load_orders(database, CALLER, read, progress=_steps(advance))
    seconds = time.perf_counter() - start
    await engine.dispose()
    connection = await asyncpg.connect(server.url(IMPORTED))
    await connection.execute("VACUUM (ANALYZE, FREEZE)")
    await connection.close()
    report.imports(
        [
            ("stock", "made up: no one knows what the shop had", len(stock), stock_seconds),
            ("orders", f"{loaded.placed:,} real ones; reading the file", loaded.lines, read_seconds),
            ("", "checking and writing", loaded.lines, seconds),
            ("", "both", loaded.lines, read_seconds + seconds),
        ]
    )


async def run_dibs(server: Server, name: str, report: Report) -> tuple[Run, Writes]:
    """Allocate everything; and what was written."""
    connection = await asyncpg.connect(server.url(DIBS))
    lines, waiting = await connection.fetchrow("SELECT (SELECT count(*) FROM order_lines), count(*) FROM orders")
    before = await last_event(connection)
    await server.execute("CHECKPOINT")
    engine = connect(server.url(DIBS), pool_size=1)
    async with engine.connect() as one:
        backend = (await one.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    batches: list[tuple[int, float]] = []
    with report.progress(name, waiting) as advance, phases_of_dibs() as phases:
        clock = Clock(backend, batches, advance)
        await allocate_waiting(PostgresDatabase(engine), CALLER, progress=_steps(clock.lap))
        run = clock.stop(name, lines)
    run.phases = phases
    await engine.dispose()
    writes = await read_back(connection, before)
    await connection.close()
    return run, writes


async def run_floor(server: Server, name: str, dibs: Run, writes: Writes, report: Report) -> Run:
    connection = await asyncpg.connect(server.url(FLOOR))
    await server.execute("CHECKPOINT")
    batches: list[tuple[int, float]] = []
    with report.progress(name, sum(orders for orders, _ in dibs.batches)) as advance:
        clock = Clock(connection.get_server_pid(), batches, advance)
        await write(connection, writes, clock.lap)
        run = clock.stop(name, dibs.lines)
    await connection.close()
    return run


class Clock:
    """Wall time by batch, and the CPU time of this process and of one backend of PostgreSQL."""

    def __init__(self, backend: int, batches: list[tuple[int, float]], advance: Callable[[int], None]) -> None:
        spare_collector()
        self._backend, self._batches, self._advance = backend, batches, advance
        self._postgres = cpu_seconds_of([backend])
        self._python = time.process_time()
        self._start = self._lap = time.perf_counter()

    def lap(self, orders: int) -> None:
        now = time.perf_counter()
        self._batches.append((orders, now - self._lap))
        self._lap = now
        self._advance(orders)

    def stop(self, name: str, lines: int) -> Run:
        postgres = cpu_seconds_of([self._backend])
        return Run(
            name=name,
            lines=lines,
            seconds=time.perf_counter() - self._start,
            batches=self._batches,
            python_seconds=time.process_time() - self._python,
            postgres_seconds=None if None in (postgres, self._postgres) else postgres - self._postgres,
        )


async def agree(server: Server, report: Report) -> bool:
    """Whether both databases say the same, and what Dibs wrote keeps every invariant."""
    found = []
    for name in (DIBS, FLOOR):
        connection = await asyncpg.connect(server.url(name))
        found.append(await fingerprints(connection))
        await connection.close()
    differing = [table for table in found[0] if found[0][table] != found[1][table]]
    engine = connect(server.url(DIBS))
    broken = await verify(engine)
    await engine.dispose()
    for one in broken:
        report.say(f"[red]{one.invariant.id} is broken:[/red] {one.invariant.statement} {one.rows[:3]}")
    if differing:
        report.say(f"[red]Dibs and the floor differ in {', '.join(differing)}.[/red]")
    else:
        rows = ", ".join(f"{count:,} {table}" for table, (count, _) in found[0].items())
        report.say(f"Dibs and the floor hold the same rows: {rows}.")
    return not differing and not broken


async def say_result(server: Server, report: Report) -> None:
    connection = await asyncpg.connect(server.url(DIBS))
    lines, served = await connection.fetchrow(RESULT)
    counts = await connection.fetch("SELECT allocation_status, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC")
    await connection.close()
    report.statuses(dict(counts), served, lines)


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turns how much is done into how much was done since."""
    before = 0

    def progress(done: int, _: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return progress


def _oldest(read: OrdersRead, most: int | None) -> None:
    if most:
        read.orders[:] = sorted(read.orders, key=lambda order: (order.placed_at, order.number))[:most]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="orders with the headings of the data set Online Retail")
    parser.add_argument("--orders", type=int, metavar="N", help="take only the N oldest orders")
    parser.add_argument("--repeat", type=int, default=2, metavar="N", help="measure Dibs and the floor N times (2)")
    parser.add_argument("--database-url", help="a server to use; otherwise an embedded one is started")
    options = parser.parse_args()
    report = Report()
    start = time.perf_counter()
    read = read_orders(options.file, columns=COLUMNS, default_channel="SHOP", default_currency="GBP")
    seconds = time.perf_counter() - start
    _oldest(read, options.orders)
    with ExitStack() as cleanup:
        if options.database_url is None:
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dibs-bench-"))
            url = cleanup.enter_context(embedded_server(Path(folder) / "data", say=lambda _: None)).url
        else:
            url = options.database_url
        server = Server(url)
        try:
            return 0 if asyncio.run(bench(server, read, seconds, options.repeat, report)) else 1
        finally:
            asyncio.run(server.drop(IMPORTED, DIBS, FLOOR))


if __name__ == "__main__":
    sys.exit(main())
