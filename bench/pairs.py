"""Dibs and the floor of plain SQL allocate the same orders in turns, on copies of one database."""

import time
from collections.abc import Callable
from dataclasses import replace

import asyncpg
from sqlalchemy import text

from bench.floor import Writes, fingerprints, last_event, read_back, write
from bench.report import Report, Run
from bench.servers import Server
from bench.shop import CALLER
from bench.stopwatch import cpu_seconds_of, phases_of_dibs
from dibs.memory import spare_collector
from persistence.database import PostgresDatabase, connect
from persistence.verify import verify
from services.allocation import allocate_waiting

DIBS, FLOOR = "dibs_bench_dibs", "dibs_bench_floor"


async def take_turns(server: Server, template: str, repeats: int, report: Report) -> tuple[list[tuple[Run, Run]], bool]:
    """The runs, pair by pair; and whether both wrote the same each time, and kept every invariant."""
    runs: list[tuple[Run, Run]] = []
    same = True
    for repeat in range(1, repeats + 1):
        await server.create(DIBS, template)
        dibs, writes = await run_dibs(server, f"Dibs {repeat}", report)
        await server.create(FLOOR, template)
        floor = await run_floor(server, f"floor {repeat}", replace(dibs, name=""), writes, report)
        del writes  # the next run of Dibs starts with as little in memory as the first
        runs.append((dibs, floor))
        same = await agree(server, report) and same
    return runs, same


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
        await allocate_waiting(PostgresDatabase(engine), CALLER, progress=steps(clock.lap))
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


def steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turns how much is done into how much was done since."""
    before = 0

    def progress(done: int, _: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return progress
