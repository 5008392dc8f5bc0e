"""Everything at once: several processes do whatever moves stock, at random, on hot and cold SKUs.

    python -m proof.hammer [--operations 100000] [--processes 4] [--seconds 1800] [--database-url URL]

Afterwards: nothing is sold twice and on hand is what was acknowledged, to the unit; the database has seen no deadlock;
no lock and no transaction is left; every invariant of `dibs verify` holds. Exit status 1 where one of these is not so.
"""

import argparse
import asyncio
import multiprocessing
import os
import queue
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from domain.errors import DomainError
from domain.ids import KeyId
from persistence.database import PostgresDatabase, connect
from persistence.verify import verify
from proof import ground
from proof.deeds import COLD, DEEDS, FIRST_UNITS, HOT, PLACES, Hand, Moved
from services.callers import Caller
from services.desk import Desk
from services.ports.chores import Chore
from services.ports.database import Busy
from tests.builders import a_catalog
from workers.foreman import Foreman
from workers.loop import running
from workers.relay import number_events
from workers.runs import Runner

TASKS = 24
"""In each process, at once: they share its desk, so their requests gather."""

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
LEFT = """
    SELECT 'advisory lock' AS what, count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND d.datname = current_database()
    UNION ALL SELECT 'transaction', count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
    """
ON_HAND = """
    SELECT i.sku, l.code, s.on_hand FROM stock_levels s JOIN items i ON i.id = s.item_id
    JOIN locations l ON l.id = s.location_id
    """

FOUND = """
    SELECT i.sku, l.code, sum(m.change) FROM stock_movements m JOIN items i ON i.id = m.item_id
    JOIN locations l ON l.id = m.location_id WHERE m.cause = 'COUNT' GROUP BY 1, 2
    """
"""By how much a count was another number than the ledger had, only the ledger knows."""

# ---------------------------------------------------------------- one process


@dataclass(frozen=True)
class Share:
    """What one process is given: its number, how many operations, and when to stop (monotonic seconds)."""

    number: int
    operations: int
    until: float


def hammer(url: str, share: Share, done: Any, told: Any, leave: Any) -> None:
    """Work, tell what was done and moved, and stay until everybody was looked at."""
    asyncio.run(_hammer(url, share, done, told, leave))


async def _hammer(url: str, share: Share, done: Any, told: Any, leave: Any) -> None:
    engine = connect(url)
    database = PostgresDatabase(engine)
    desk = Desk(database)
    counts: Counter[str] = Counter()
    try:
        async with running(*_jobs(database, share.number)):
            hands = [_hand(desk, database, share.number * TASKS + task) for task in range(TASKS)]
            await asyncio.gather(*(_work(hand, share, counts, done) for hand in hands))
            await desk.close()
        moved: Moved = Counter()
        for hand in hands:
            moved.update(hand.moved)
        counts["batches"], counts["requests"] = desk.batches, desk.requests
        told.put((counts, moved))
        await asyncio.to_thread(leave.wait)
    finally:
        await engine.dispose()


def _hand(desk: Desk, database: PostgresDatabase, seed: int) -> Hand:
    caller = Caller(key=KeyId(1), actor="hammer", request=f"hammer {seed}")
    return Hand(desk, database, caller, random.Random(seed))  # noqa: S311


def _jobs(database: PostgresDatabase, number: int) -> Iterator[Callable[[], Awaitable[None]]]:
    """Events get their positions, and arrivals set off runs, as beside a server; two processes of all do so."""

    async def relay() -> None:
        while True:
            with suppress(Busy):
                await number_events(database)
            await asyncio.sleep(0.1)

    if number < 2:
        foreman = Foreman(database)
        yield relay
        yield foreman.run
        yield Runner(database, called=foreman.called(Chore.RUNS, Chore.WAITING_ORDERS)).run


async def _work(hand: Hand, share: Share, counts: Counter[str], done: Any) -> None:
    deeds, weights = list(DEEDS), list(DEEDS.values())
    while counts["operations"] < share.operations and time.monotonic() < share.until:
        counts["operations"] += 1
        deed = hand.chance.choices(deeds, weights)[0]
        try:
            await deed(hand)
            counts[deed.__name__] += 1
        except (DomainError, Busy) as refusal:
            counts[f"{deed.__name__}: {type(refusal).__name__}"] += 1
        with done.get_lock():
            done.value += 1


# ---------------------------------------------------------------- all of them


def main() -> int:
    """Exit status: 0 where everything held."""
    arguments = _arguments()
    console = ground.console()
    with ground.server(arguments.database_url) as server, ground.database(server) as url:
        asyncio.run(_set_up(url))
        problems = _hammer_together(console, url, arguments)
        problems += asyncio.run(_look(url))
    for problem in problems:
        console.print(f"NOT SO: {problem}", markup=False)
    if not problems:
        console.print("No unit sold twice, no deadlock, no lock or transaction left, every invariant holds.")
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1_800, help="stop after this long, done or not")
    parser.add_argument("--database-url", default=os.environ.get("DIBS_TEST_DATABASE_URL"), help="a server to use")
    return parser.parse_args()


async def _set_up(url: str) -> None:
    engine = connect(url, pool_size=2)
    try:
        caller = Caller(key=KeyId(1), actor="hammer", request="set up")
        stock = {(sku, place): _first_units(sku) for place in PLACES for sku in (*HOT, *COLD)}
        await a_catalog(PostgresDatabase(engine), caller, stock)
    finally:
        await engine.dispose()


def _first_units(sku: str) -> int:
    return FIRST_UNITS[sku.partition("-")[0]]


def _hammer_together(console: Console, url: str, arguments: argparse.Namespace) -> list[str]:
    context = multiprocessing.get_context("spawn")
    done, told, leave = context.Value("q", 0), context.Queue(), context.Event()
    until = time.monotonic() + arguments.seconds
    each = arguments.operations // arguments.processes
    workers = [
        context.Process(target=hammer, args=(url, Share(number, each, until), done, told, leave))
        for number in range(arguments.processes)
    ]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    try:
        answers = list(_answers(console, workers, told, partial(_value, done), each * len(workers)))
        seconds = time.monotonic() - started
        problems = asyncio.run(_after(url, answers)) if len(answers) == len(workers) else ["a process has died"]
    finally:
        leave.set()
        for worker in workers:
            worker.join(60)
    counts = sum((counts for counts, _ in answers), Counter())
    _report(console, counts, seconds)
    return problems


def _value(shared: Any) -> int:
    return int(shared.value)


def _answers(
    console: Console, workers: Sequence[BaseProcess], told: Any, done: Callable[[], int], total: int
) -> Iterator[tuple[Counter[str], Moved]]:
    """What each process tells at its end; progress meanwhile: a bar on a terminal, a line now and then elsewhere."""
    columns = (TextColumn("hammering"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        heard, said = 0, time.monotonic()
        while heard < len(workers):
            try:
                yield told.get(timeout=0.5)
                heard += 1
            except queue.Empty:
                if any(worker.exitcode is not None for worker in workers):
                    return
            progress.update(task, completed=done())
            if not console.is_terminal and time.monotonic() - said > 10:
                said = time.monotonic()
                console.print(f"{done():,} of {total:,} operations")


def _report(console: Console, counts: Counter[str], seconds: float) -> None:
    operations, batches, requests = (counts.pop(name, 0) for name in ("operations", "batches", "requests"))
    console.print(f"{operations:,} operations in {seconds:.0f} s: {operations / seconds:,.0f} a second;")
    console.print(f"{requests:,} requests in {batches:,} batches. Done, or refused and why:")
    for name, count in sorted(counts.items()):
        console.print(f"  {name:32}{count:>8,}")


# ---------------------------------------------------------------- afterwards


async def _after(url: str, answers: Sequence[tuple[Counter[str], Moved]]) -> list[str]:
    """While the processes are still there, with their pools open and nothing to do."""
    connection = await asyncpg.connect(url)
    try:
        left = [f"{count} {what}s are left" for what, count in await connection.fetch(LEFT) if count]
        now = {(sku, place): units for sku, place, units in await connection.fetch(ON_HAND)}
        found = Counter({(sku, place): units for sku, place, units in await connection.fetch(FOUND)})
    finally:
        await connection.close()
    expected = {key: _first_units(key[0]) + found[key] + sum(moved[key] for _, moved in answers) for key in now}
    wrong = [key for key in now if now[key] != expected[key]]
    return left + [f"{key}: {now[key]} on hand, {expected[key]} acknowledged" for key in wrong]


async def _look(url: str) -> list[str]:
    """When everybody has left: sessions report their statistics when they end."""
    connection = await asyncpg.connect(url)
    try:
        deadlocks = await connection.fetchval(DEADLOCKS)
    finally:
        await connection.close()
    engine = connect(url, pool_size=1)
    try:
        broken = await verify(engine)
    finally:
        await engine.dispose()
    problems = [f"{one.invariant.id} {one.invariant.statement} {one.rows[:3]}" for one in broken]
    return problems + ([f"{deadlocks} deadlocks"] if deadlocks else [])


if __name__ == "__main__":
    sys.exit(main())
