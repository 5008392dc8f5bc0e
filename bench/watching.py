"""Processes for measures of what is watched: those who watch, those who are measured, and the cores they run on."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.watchers import Plan

SERVER_CORE, CLIENT_CORE = 0, 1
LOOK_SECONDS = 0.01
QUIET_SECONDS = 0.5
SECONDS_MAX = 120
"""For anything that is waited for."""
PEERS = Path(__file__).parent / "peers"

Publish = Callable[[int], Awaitable[None]]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started meanwhile keeps to this core, where there are two; we do not."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {sorted(before)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Process:
    """Started with pipes; it ends when its input does."""

    def __init__(self, *command: str, core: int, cwd: Path | None = None) -> None:
        with on_core(core):
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd)
        self.pid = self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line)
        self._process.stdin.flush()

    async def hear(self) -> Any:
        """Its next line, which is JSON."""
        assert self._process.stdout
        line = await asyncio.to_thread(self._process.stdout.readline)
        assert line, f"{self._process.args} has ended"
        return json.loads(line)

    def end(self) -> None:
        """By the end of its input, or else by force."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Watching:
    """The clients of one plan."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.connected_at = 0.0

    async def ask(self, command: str = "tell") -> Any:
        self._process.say(command + "\n")
        return await self._process.hear()

    async def have(self, least: int, seconds_max: float = SECONDS_MAX) -> Any:
        """Wait for every client to have had so many events; what was counted."""
        async with asyncio.timeout(seconds_max):
            while (told := await self.ask())["least"] < least:
                if told["wrong"]:
                    raise AssertionError(told["wrong"])
                await asyncio.sleep(LOOK_SECONDS)
        return told

    async def warm_up(self, publish: Publish, batch: int) -> None:
        """Until every client has heard of something, and then once as it will be; nothing of it counts."""
        for _ in range(20):
            await publish(1)
            with suppress(TimeoutError):
                await self.have(1, 2)
                break
        await self.quiet()
        await self.ask("reset")
        await publish(batch)
        await self.have(batch)
        await self.ask("reset")

    async def quiet(self) -> None:
        """Wait until nothing more arrives."""
        before = -1
        while (now := (await self.ask())["frames"]) != before:
            before = now
            await asyncio.sleep(QUIET_SECONDS)


@asynccontextmanager
async def watching(plan: Plan) -> AsyncIterator[Watching]:
    """Clients that have asked for their subscriptions, in a process of their own."""
    process = Process(sys.executable, "-m", "bench.watchers", core=CLIENT_CORE)
    try:
        process.say(plan.line())
        clients = Watching(process)
        clients.connected_at = (await process.hear())["connected"]
        yield clients
    finally:
        process.end()


def node_is_there() -> bool:
    """Node, with the packages of `peers`; they are installed if npm can."""
    if not shutil.which("node"):
        return False
    if not (PEERS / "node_modules").is_dir() and (npm := shutil.which("npm")):
        subprocess.run([npm, "ci", "--silent"], cwd=PEERS, check=False, timeout=120)
    return (PEERS / "node_modules").is_dir()


@asynccontextmanager
async def peer(command: Sequence[str], cwd: Path | None = None) -> AsyncIterator[tuple[Process, int]]:
    """A server that publishes what its input says; its port."""
    process = Process(*command, core=SERVER_CORE, cwd=cwd)
    try:
        yield process, await process.hear()
    finally:
        process.end()
