"""Many open orders allocated in batches, against plain SQL that writes the same rows; and how the time grows."""

from dataclasses import replace
from statistics import median

from bench.pairs import DIBS, FLOOR, agree, run_dibs, run_floor, take_turns
from bench.report import Report, Run
from bench.results import Measured, Result
from bench.servers import Server
from bench.shop import demand, open_shop, random_orders, skus

SHOP = "dibs_bench"
SKUS, LINES = 2_000, 3
SIZES = (1_000, 10_000, 100_000)
PERCENT_OF_DEMAND = 90


async def batch(server: Server, report: Report, *, repeats: int) -> Result:
    """10,000 open orders with three lines each over 2,000 SKUs."""
    result = Result(title="10,000 open orders of 3 lines, 2,000 SKUs", unit="orders")
    await _open(server, report, 10_000)
    pairs, same = await take_turns(server, SHOP, repeats, report)
    for dibs, floor in pairs:
        result.runs += [_measured(dibs), _measured(floor)]
    report.phases([dibs for dibs, _ in pairs])
    result.at_most("seconds, the fastest run", min(dibs.seconds for dibs, _ in pairs), 5, "s")
    result.at_least("speed of the floor", median(dibs.speed / floor.speed for dibs, floor in pairs), 0.5)
    costs = [(dibs.cpu_seconds, floor.cpu_seconds) for dibs, floor in pairs]
    shares = [floor / dibs for dibs, floor in costs if dibs and floor]
    if shares:
        result.notes.append(f"By CPU time, which other work disturbs less: {median(shares):.2f} of the floor.")
    result.exactly("rows that differ from the floor's, or break an invariant", int(not same), 0)
    return result


async def growth(server: Server, report: Report, *, repeats: int) -> Result:
    """The same with 1,000 to 100,000 orders: the time may grow as they do, and no faster."""
    result = Result(title="1,000 to 100,000 open orders of 3 lines, 2,000 SKUs", unit="orders")
    each: list[float] = []
    for size in SIZES:
        await _open(server, report, size)
        await server.create(DIBS, SHOP)
        dibs, writes = await run_dibs(server, f"Dibs, {size:,}", report)
        await server.create(FLOOR, SHOP)
        floor = await run_floor(server, f"floor, {size:,}", replace(dibs, name=f"{size}"), writes, report)
        assert await agree(server, report)
        del writes
        result.runs += [_measured(dibs), _measured(floor)]
        cost = dibs.cpu_seconds
        each.append((dibs.seconds if cost is None else cost) / size * 1000)
        result.notes.append(
            f"{size:,} orders: {each[-1]:.3f} ms of CPU an order, {dibs.speed / floor.speed:.2f} of the floor."
        )
    result.at_most("CPU an order with 100,000, against with 10,000", each[2] / each[1], 1.15, "times")
    return result


async def _open(server: Server, report: Report, size: int) -> None:
    orders = random_orders(size, skus(SKUS), LINES)
    wanted = demand(orders)
    stock = {sku: wanted[sku] * PERCENT_OF_DEMAND // 100 for sku in skus(SKUS)}
    with report.progress(f"Placing {size:,} orders", size) as advance:
        await open_shop(server, SHOP, stock, orders, advance)


def _measured(run: Run) -> Measured:
    return Measured(
        name=run.name,
        done=sum(orders for orders, _ in run.batches),
        seconds=run.seconds,
        server=run.python_seconds,
        postgres=run.postgres_seconds,
        note=f"{run.speed:,.0f} lines/s in {len(run.batches)} batches",
    )
