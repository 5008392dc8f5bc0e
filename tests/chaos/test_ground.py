"""The database itself fails: it is killed, it has no room, it takes nobody in. It is one of our own, to be killed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from persistence.database import connect
from persistence.embedded import EmbeddedServer, embedded_server
from persistence.embedded_cluster import Cluster
from persistence.migrating import migrate
from tests.acceptance.enduring import BUSY, BUYERS, Shop, shop

RESTART_SECONDS = 60
"""For a server to be started again, with its recovery, on a busy machine."""
FILLED_MB = 190
BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND application_name = 'dibs'
    """


@dataclass
class Ground:
    """A server of our own, and what was said about it."""

    server: EmbeddedServer
    data: Path
    said: list[str]

    @property
    def log(self) -> str:
        return (self.data / "postgres.log").read_text(errors="replace")

    @property
    def postmaster(self) -> int:
        found = Cluster(self.data).postmaster()
        assert found
        return found.pid


def on_ground(data: Path) -> Iterator[Ground]:
    said: list[str] = []
    with embedded_server(data, say=said.append) as server:
        asyncio.run(prepare(server.url))
        yield Ground(server, data, said)


async def prepare(url: str) -> None:
    engine = connect(url, pool_size=2)
    await migrate(engine)
    await engine.dispose()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    yield from on_ground(tmp_path / ".dibs")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with little room."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FILLED_MB}m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def small_ground(small_disk: Path) -> Iterator[Ground]:
    yield from on_ground(small_disk / ".dibs")


async def test_i8_a_backend_that_is_killed_takes_all_the_others_with_it(ground: Ground, tmp_path: Path):
    async with shop(tmp_path, ground.server.url) as open_shop:
        for round_number in range(1, 4):
            connection = await asyncpg.connect(ground.server.url)
            victim = await connection.fetchval(BACKENDS + " ORDER BY random() LIMIT 1")
            os.kill(victim, signal.SIGKILL)
            connection.terminate()
            await open_shop.recovers(RESTART_SECONDS)
            assert ground.log.count("was terminated by signal 9") == round_number
    assert ground.said[-1].startswith("PostgreSQL 18 is ready"), "the server itself goes on"


async def test_i8_a_server_that_is_killed_is_started_again_and_nobody_has_to_restart_anything(
    ground: Ground, tmp_path: Path
):
    async with shop(tmp_path, ground.server.url) as open_shop:
        for _ in range(2):
            killed = ground.postmaster
            os.kill(killed, signal.SIGKILL)
            await open_shop.buyers.get(1, BUSY)
            await open_shop.recovers(RESTART_SECONDS)
            assert ground.postmaster != killed
    assert ground.said.count("PostgreSQL is ready again.") == 2


async def test_a_server_that_takes_no_more_connections(ground: Ground, tmp_path: Path):
    """Somebody else has them all; the node has lost those that it had."""
    async with shop(tmp_path, ground.server.url) as open_shop:
        others: list[asyncpg.Connection] = []
        try:
            await take_every_connection(ground, others)
            await open_shop.buyers.get(20, BUSY)
        finally:
            for one in others:
                one.terminate()
        await open_shop.recovers(RESTART_SECONDS)
    assert "sorry, too many clients already" in ground.log


async def take_every_connection(ground: Ground, others: list[asyncpg.Connection]) -> None:
    async with asyncio.timeout(RESTART_SECONDS):
        while True:
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    others.append(await asyncpg.connect(ground.server.url))
            left = await others[0].fetch(BACKENDS)
            if not left:
                return
            await others[0].execute("SELECT pg_terminate_backend($1)", left[0]["pid"])


async def test_i20_a_disk_that_is_full_stops_the_shop_and_costs_nobody_what_was_acknowledged(
    small_ground: Ground, small_disk: Path, tmp_path: Path
):
    """Under the log of PostgreSQL, too: it panics, and does not come up before there is room."""
    async with shop(tmp_path, small_ground.server.url) as open_shop:
        filler = small_disk / "filler"
        fill(filler)
        await until_it_panics(small_ground, open_shop)
        fill(filler)
        await asyncio.sleep(5)
        await open_shop.buyers.get(BUYERS, BUSY)
        await asyncio.to_thread(filler.unlink)
        await open_shop.recovers(RESTART_SECONDS)
    assert "No space left on device" in small_ground.log


def fill(filler: Path) -> None:
    """To the last byte."""
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4_096)


async def until_it_panics(ground: Ground, open_shop: Shop) -> None:
    """Every segment of its log that is there already is used up."""

    async def use_up() -> None:
        connection = await asyncpg.connect(ground.server.url)
        try:
            while True:
                await connection.execute("SELECT pg_switch_wal()")
                await connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 100000))")
        finally:
            connection.terminate()

    async with asyncio.timeout(RESTART_SECONDS):
        while "PANIC" not in ground.log:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await use_up()
            await open_shop.buyers.until(lambda: True)
