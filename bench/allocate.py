"""How fast import and allocation of a real year of orders are, and how far from what PostgreSQL could do at best.

    python -m bench.allocate online_retail.csv.xz

Imports the orders with stock that is made up for them, and allocates them all, oldest first, in one process. Beside it
the floor: plain SQL that knows beforehand which rows to write. README.md says how this is fair.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import asyncpg

from bench.pairs import DIBS, FLOOR, steps, take_turns
from bench.report import Report
from bench.servers import Server, a_server
from bench.stock import made_up_stock
from dibs.importing.loading_orders import load_orders
from dibs.importing.loading_stock import load_stock
from dibs.importing.orders import OrdersRead, read_orders
from domain.ids import KeyId
from persistence.database import PostgresDatabase, connect
from persistence.migrating import migrate
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
IMPORTED = "dibs_bench"
RESULT = """
    SELECT count(*), count(*) FILTER (WHERE allocated = quantity) FROM order_lines
    """


async def bench(server: Server, read: OrdersRead, read_seconds: float, repeats: int, report: Report) -> bool:
    """Whether everything agreed in the end."""
    await server.create(IMPORTED)
    report.machine(await server.describe())
    await load(server, read, read_seconds, report)
    read.orders.clear()
    runs, same = await take_turns(server, IMPORTED, repeats, report)
    await say_result(server, report)
    report.allocation(runs)
    report.phases([dibs for dibs, _ in runs])
    return same


async def load(server: Server, read: OrdersRead, read_seconds: float, report: Report) -> None:
    engine = connect(server.url(IMPORTED))
    await migrate(engine)
    database = PostgresDatabase(engine)
    start = time.perf_counter()
    stock = list(made_up_stock(read.orders))
    with report.progress("Importing stock (made up)", len(stock)) as advance:
        await load_stock(database, CALLER, stock, progress=steps(advance))
    stock_seconds = time.perf_counter() - start
    start = time.perf_counter()
    with report.progress("Importing orders", len(read.orders)) as advance:
        loaded = await load_orders(database, CALLER, read, progress=steps(advance))
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


async def say_result(server: Server, report: Report) -> None:
    connection = await asyncpg.connect(server.url(DIBS))
    lines, served = await connection.fetchrow(RESULT)
    counts = await connection.fetch("SELECT allocation_status, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC")
    await connection.close()
    report.statuses(dict(counts), served, lines)


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
    with a_server(options.database_url) as server:
        try:
            return 0 if asyncio.run(bench(server, read, seconds, options.repeat, report)) else 1
        finally:
            asyncio.run(server.drop(IMPORTED, DIBS, FLOOR))


if __name__ == "__main__":
    sys.exit(main())
