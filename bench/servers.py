"""Databases to measure on, and how much CPU time their server takes."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
from sqlalchemy import make_url

from persistence.embedded import embedded_server

ENVIRONMENT = "DIBS_BENCH_DATABASE_URL"


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

    async def describe(self) -> str:
        """Its version, and whether what it acknowledges is durable."""
        connection = await asyncpg.connect(self._url.render_as_string(hide_password=False))
        version, *durable = await connection.fetchrow(
            "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
        )
        await connection.close()
        return f"PostgreSQL {version} (fsync {durable[0]}, synchronous_commit {durable[1]})"

    async def processes(self) -> "Processes":
        """All processes of the server: backends and those in the background."""
        connection = await asyncpg.connect(self._url.render_as_string(hide_password=False))
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        try:
            postmaster = psutil.Process(backend).parent()
            is_here = "postgres" in psutil.Process(backend).name() and postmaster is not None
        except psutil.Error:
            is_here, postmaster = False, None
        await connection.close()
        return Processes([postmaster.pid] if is_here and postmaster else [])


class Processes:
    """The CPU time of processes and all their children, those that ended included."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)

    def cpu_seconds(self) -> float | None:
        """None where they run on another machine."""
        return sum(map(_cpu_seconds_of_family, self._pids)) if self._pids else None


def _cpu_seconds_of_family(pid: int) -> float:
    parent = psutil.Process(pid)
    ended = parent.cpu_times()
    total = ended.user + ended.system + ended.children_user + ended.children_system
    for child in parent.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it is among the parent's ended children by now, or will be
        total += times.user + times.system
    return total


@contextmanager
def a_server(url: str | None = None) -> Iterator[Server]:
    """The server that was named, or an embedded one in a temporary folder."""
    url = url or os.environ.get(ENVIRONMENT)
    if url:
        yield Server(url)
        return
    with (
        tempfile.TemporaryDirectory(prefix="dibs-bench-") as folder,
        embedded_server(Path(folder) / "data", say=lambda _: None) as embedded,
    ):
        yield Server(embedded.url)
