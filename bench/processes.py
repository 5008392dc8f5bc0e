"""Reservations of a hot SKU in several processes at once, against as many callers in one.

    python -m bench.processes CALLERS < address of the database, ids of the orders, and a line when it begins

Processes share nothing but the database, so the SKU's lock is all that orders them: two of them may not sell a unit
twice, and must not be slower than one. Each is a process of its own, also where there is only one.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

import uvloop

from bench.direct import DIBS, SHOP, agree, measure, reserve, shop
from bench.report import Report
from bench.results import Measured, Result, median_ratio
from bench.servers import Processes, Server
from domain.ids import OrderId
from persistence.database import PostgresDatabase, connect
from services.desk import Desk

CALLERS, ORDERS, SEVERAL = 200, 8_000, 2


async def processes(server: Server, report: Report, *, repeats: int) -> Result:
    """One and two take turns on copies of one shop, with the same callers and orders in all."""
    result = Result(title="Hot SKU, 200 callers, two processes against one", unit="reservations")
    ids = await shop(server, report, sku_count=1, orders=ORDERS)
    postgres = await server.processes()
    of_one, of_several = [], []
    for repeat in range(1, repeats + 1):
        for count, runs in ((1, of_one), (SEVERAL, of_several)):
            await server.create(DIBS, SHOP)
            name = f"{count} process{'es' if count > 1 else ''} {repeat}"
            runs.append(await _run(name, server.url(DIBS), ids, count, postgres))
            await agree(server, DIBS, len(ids), len(ids), result)
        result.runs += [of_one[-1], of_several[-1]]
    result.at_least("speed of one process", median_ratio(of_several, of_one), 1)
    return result


async def _run(name: str, url: str, orders: Sequence[OrderId], count: int, postgres: Processes) -> Measured:
    """From the word to begin until the last of them is done, by the clock that processes of one machine share."""
    started = [_start(url, orders[at::count], CALLERS // count) for at in range(count)]
    for one in started:
        assert one.stdout is not None
        assert await asyncio.to_thread(one.stdout.readline) == "ready\n"
    before, start = postgres.cpu_seconds(), time.perf_counter()
    answers = await asyncio.gather(*(asyncio.to_thread(one.communicate, "begin\n") for one in started))
    after = postgres.cpu_seconds()
    assert [one.returncode for one in started] == [0] * count
    told = [json.loads(answer) for answer, _ in answers]
    return Measured(
        name=name,
        done=len(orders),
        seconds=max(one["end"] for one in told) - start,
        server=sum(one["cpu"] for one in told),
        postgres=None if before is None or after is None else after - before,
        note=f"{sum(one['requests'] for one in told) / sum(one['batches'] for one in told):.0f} a batch",
    )


def _start(url: str, orders: Sequence[OrderId], callers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.processes", str(callers)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdin is not None
    started.stdin.write(f"{url}\n{json.dumps(list(orders))}\n")
    started.stdin.flush()
    return started


async def _serve(callers: int, url: str, orders: Sequence[OrderId]) -> dict[str, float]:
    engine = connect(url)
    async with engine.connect():
        pass  # whoever begins has been connected before
    desk = Desk(PostgresDatabase(engine))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    measured = await measure("", orders, callers, partial(reserve, desk), Processes([]))
    end = time.perf_counter()
    await engine.dispose()
    assert measured.server is not None
    return {"end": end, "cpu": measured.server, "requests": desk.requests, "batches": desk.batches}


def main() -> None:
    url, orders = sys.stdin.readline().strip(), [OrderId(one) for one in json.loads(sys.stdin.readline())]
    told = uvloop.run(_serve(int(sys.argv[1]), url, orders))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
