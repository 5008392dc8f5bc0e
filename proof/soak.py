"""A long day at half of what a server can do, with a terminated backend each minute, and `dibs verify` each minute.

    python -m proof.soak [--minutes 20] [--share 0.5] [--database-url URL]

First it is measured how much the server can do. Then buyers ask at a steady pace, and watchers follow what happens. A
row a minute says what was answered and how fast, and what the server has of memory, connections, tasks and
descriptors. Exit status 1 where one of these grows, an invariant is broken, a buyer was not told the truth, or a
watcher missed something. It ends by itself.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from rich.console import Console
from rich.markup import escape

from proof import ground
from proof.watched import VARIABLE
from tests.acceptance.clients import Request
from tests.acceptance.enduring import Buyers, buyers_of, tracebacks
from tests.acceptance.processes import KEY, ROOT, Serving, serving
from tests.acceptance.reconnecting import Visitor, Wanted
from tests.gql.proxy import proxied
from tests.persistence.verified import verified

BUYERS, WATCHERS = 24, 4
MEASURED_SECONDS, WARM_SECONDS = 30.0, 15.0
REST_SECONDS = 1.0
"""Before it is looked at what the server has, so that it is not what is under way just then."""
SETTLING_MINUTES = 4
"""Caches fill and pools open; what grows behind these is counted."""
RESTOCK = 4, 6
"""Units with each order of about four: nobody waits for long, and a run of those who wait stays small."""
JUDGED_MAX = 2_000
"""Answers that are asked for once more in the end."""
GROWTH = {"memory_mb": 15.0, "connections": 2, "tasks": 10, "descriptors": 10}
"""What the last third may have more than the one after settling, by its medians: noise."""
EVERYTHING = Wanted(type="OrderChanged", filter={}, means=lambda _: True)
VICTIM = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'dibs' AND backend_type = 'client backend'
    ORDER BY random() LIMIT 1
    """
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """
CHANGES = "SELECT count(*) FROM events WHERE type = 'OrderChanged'"
UNNUMBERED = "SELECT count(*) FROM events WHERE position IS NULL"
HEADINGS = ("min", "asked/s", "p50 ms", "p99 ms", "told again", "memory MB", "connections", "tasks", "descriptors")
READS = (
    "{ orders(first: 10) { nodes { number status allocationStatus lines { quantity allocated item { sku } } } } }",
    "{ stockLevels(first: 20) { nodes { onHand committed available item { sku } location { code } } } }",
    "{ orderCounts { total byAllocationStatus { status count } } }",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One row."""

    number: int
    per_second: float
    p50_ms: float
    p99_ms: float
    told_again: int
    memory_mb: float
    connections: int
    tasks: int
    descriptors: int

    def cells(self) -> list[str]:
        return [
            str(self.number), f"{self.per_second:.0f}", f"{self.p50_ms:.0f}", f"{self.p99_ms:.0f}",
            str(self.told_again), f"{self.memory_mb:.0f}",
            str(self.connections), str(self.tasks), str(self.descriptors),
        ]  # fmt: skip


@dataclass
class Pace:
    """A steady pace for everybody together; `per_second` None: as fast as it goes. Nobody asks while it `rests`."""

    per_second: float | None = None
    _goes: asyncio.Event = field(default_factory=asyncio.Event)
    _next: float = 0.0

    def __post_init__(self) -> None:
        self._goes.set()

    @contextmanager
    def rests(self) -> Iterator[None]:
        self._goes.clear()
        try:
            yield
        finally:
            self._goes.set()

    async def __call__(self) -> None:
        await self._goes.wait()
        if self.per_second is None:
            return
        now = time.monotonic()
        self._next = max(self._next, now - 1) + 1 / self.per_second  # a second that was missed is made up for
        await asyncio.sleep(max(0, self._next - now))


@dataclass
class Paced(Buyers):
    """Buyers who look as often as they buy, and whose answers are timed."""

    pace: Pace = field(default_factory=Pace)
    seconds: list[float] = field(default_factory=list)
    """Of the answers since they were taken last."""
    on_their_way: int = 0

    async def do(self, chance: random.Random, mutation: str, **fields: Any) -> Any:
        await self.pace()
        await self._read(self.addresses[0])
        return await super().do(chance, mutation, **fields)

    async def ask_once(self, request: Request, address: str) -> Any:
        await self.pace()
        with self._timed():
            return await super().ask_once(request, address)

    async def _read(self, address: str) -> None:
        query = READS[self.told["read"] % len(READS)]
        with self._timed():
            answer = (await self.http.post(address, json={"query": query})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert codes <= {"BUSY"}, answer
        self.told["read"] += not codes
        self.told["read again"] += bool(codes)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.monotonic()
        self.on_their_way += 1
        yield
        self.on_their_way -= 1
        self.seconds.append(time.monotonic() - started)

    @property
    def told_again(self) -> int:
        return self.told["BUSY"] + self.told["OUTCOME_UNKNOWN"] + self.told["read again"]


@dataclass
class Watched:
    """The server as it is seen from outside, and what it tells of itself."""

    node: Serving
    told: Path
    database: asyncpg.Connection

    async def now(self) -> dict[str, Any]:
        process = psutil.Process(self.node.process.pid)
        return {
            "memory_mb": process.memory_info().rss / 1_000_000,
            "connections": await self.database.fetchval(CONNECTIONS) - 1,
            "tasks": await self._tasks(),
            "descriptors": process.num_fds(),
        }

    async def _tasks(self) -> int:
        for _ in range(20):
            lines = self._lines()
            os.kill(self.node.process.pid, signal.SIGUSR1)
            async with asyncio.timeout(10):
                while len(self._lines()) == len(lines):  # noqa: ASYNC110  (nothing tells it)
                    await asyncio.sleep(0.01)
            tasks = json.loads(self._lines()[-1])["tasks"]
            if tasks is not None:
                return int(tasks)
        raise AssertionError("it does not say how many tasks it has")

    def _lines(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []


def main() -> int:
    """Exit status: 0 where nothing grows and everything was true."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.5, help="of what the server can do")
    parser.add_argument("--database-url", default=os.environ.get("DIBS_TEST_DATABASE_URL"), help="a server to use")
    arguments = parser.parse_args()
    console = ground.console()
    with (
        tempfile.TemporaryDirectory(prefix="dibs-soak-") as folder,
        ground.server(arguments.database_url) as server,
        ground.database(server) as url,
    ):
        complaints = asyncio.run(soak(console, Path(folder), url, arguments.minutes, arguments.share))
    for complaint in complaints:
        console.print(escape(complaint), style="red")
    console.print("Nothing grows, and everything was true." if not complaints else "The soak has failed.")
    return 1 if complaints else 0


async def soak(console: Console, folder: Path, url: str, minutes: int, share: float) -> list[str]:
    """What is wrong."""
    told = folder / "told"
    settings = {"DIBS_DATABASE_URL": url, "DIBS_ADMIN_KEY": KEY, "PYTHONPATH": str(ROOT), VARIABLE: str(told)}
    program = (sys.executable, "-m", "proof.watched")
    with serving(folder, program=program, **settings) as node:
        start = node.ask("{ eventCursor }").json()["data"]["eventCursor"]
        async with paced(node.address) as buyers, watchers_of(node.address, start) as watching:
            database = await asyncpg.connect(url)
            await buyers.set_up()
            console.print(f"{BUYERS} buyers, {WATCHERS} watchers. How much can it do?")
            capacity = await measured(buyers)
            buyers.pace.per_second = capacity * share
            console.print(f"{capacity:.0f} requests a second; from now on {share:.0%} of that.")
            console.print("  ".join(f"{heading:>11}" for heading in HEADINGS))
            rows, complaints = await days_work(console, buyers, Watched(node, told, database), url, minutes)
            await buyers.stop()
            complaints += await missed(watching, database)
            complaints += await untrue(buyers, url)
            await database.close()
        if found := tracebacks(node.log):
            complaints.append(found)
    return complaints + list(grown(rows))


@asynccontextmanager
async def paced(address: str) -> AsyncIterator[Paced]:
    async with buyers_of(address) as plain:
        buyers = Paced([address], plain.http, restock=RESTOCK)
        try:
            yield buyers
        finally:
            await buyers.go()


@asynccontextmanager
async def watchers_of(address: str, start: str) -> AsyncIterator[list[Visitor]]:
    """They come back after their last cursor."""
    async with proxied(address) as (road, _):
        watchers = [Visitor(EVERYTHING, road, start) for _ in range(WATCHERS)]
        tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
        yield watchers
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measured(buyers: Paced) -> float:
    """Requests a second, when everybody asks as fast as they are answered."""
    buyers.start(BUYERS)
    await buyers.until(is_later(WARM_SECONDS), 2 * WARM_SECONDS)
    buyers.seconds.clear()
    started = time.monotonic()
    await buyers.until(is_later(MEASURED_SECONDS), 2 * MEASURED_SECONDS)
    return len(buyers.seconds) / (time.monotonic() - started)


def is_later(seconds: float) -> Callable[[], bool]:
    then = time.monotonic() + seconds
    return lambda: time.monotonic() >= then


async def days_work(
    console: Console, buyers: Paced, watched: Watched, url: str, minutes: int
) -> tuple[list[Minute], list[str]]:
    rows: list[Minute] = []
    complaints: list[str] = []
    for number in range(1, minutes + 1):
        before = buyers.told_again
        buyers.seconds.clear()
        started = time.monotonic()
        await buyers.until(is_later(25), 60)
        if not await watched.database.fetchval(VICTIM):
            complaints.append(f"minute {number}: no backend was terminated")
        await buyers.until(is_later(30), 60)
        seconds, elapsed = sorted(buyers.seconds), time.monotonic() - started
        with buyers.pace.rests():
            await buyers.until(lambda: not buyers.on_their_way)
            await asyncio.sleep(REST_SECONDS)
            at_rest = await watched.now()
        rows.append(
            Minute(
                number=number,
                per_second=len(seconds) / elapsed,
                p50_ms=1000 * seconds[len(seconds) // 2],
                p99_ms=1000 * seconds[len(seconds) * 99 // 100],
                told_again=buyers.told_again - before,
                **at_rest,
            )
        )
        complaints += [f"minute {number}: {broken}" for broken in await verified(url)]
        console.print("  ".join(f"{cell:>11}" for cell in rows[-1].cells()), *complaints[-1:])
    return rows, complaints


def grown(rows: Sequence[Minute]) -> Iterator[str]:
    """What the end has more of than the beginning."""
    settled = rows[SETTLING_MINUTES:]
    third = len(settled) // 3
    if not third:
        return
    for what, most in GROWTH.items():
        first, last = (
            statistics.median(getattr(row, what) for row in some) for some in (settled[:third], settled[-third:])
        )
        if last - first > most:
            yield f"{what} grows: {first:.0f} at first, {last:.0f} in the end"


async def missed(watchers: Sequence[Visitor], database: asyncpg.Connection) -> list[str]:
    """Of every change of an order, each watcher was told once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            await all_are_told(watchers, database)
    changes = await database.fetchval(CHANGES)
    told = [Counter(watcher.seen) for watcher in watchers]
    return [f"a watcher was told {len(one)} of {changes}" for one in told if (len(one), one.total()) != (changes,) * 2]


async def all_are_told(watchers: Sequence[Visitor], database: asyncpg.Connection) -> None:
    while await database.fetchval(UNNUMBERED):  # noqa: ASYNC110  (nothing tells it)
        await asyncio.sleep(0.1)
    changes = await database.fetchval(CHANGES)
    while any(len(watcher.seen) < changes for watcher in watchers):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def untrue(buyers: Paced, url: str) -> list[str]:
    buyers.pace.per_second = None
    try:
        await Buyers.judge(buyers, url, again_max=JUDGED_MAX)
    except AssertionError as error:
        return [f"a buyer was not told the truth: {error!r}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
