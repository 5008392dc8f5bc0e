"""Where the proofs run: a server for as long as they take, and a database with today's schema."""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from persistence.database import connect
from persistence.embedded import embedded_server
from persistence.migrating import migrate
from tests.conftest import Server


def console() -> Console:
    """Rich on a terminal; elsewhere plain lines that nobody breaks."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """The server of this address, or an embedded one in a temporary folder."""
    if url:
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="dibs-proof-") as folder,
        embedded_server(Path(folder) / ".dibs", say=lambda _: None) as embedded,
    ):
        yield embedded.url


@contextmanager
def database(url: str) -> Iterator[str]:
    """A database of its own on the server, dropped in the end."""
    owner, name = Server(url), f"dibs_proof_{secrets.token_hex(4)}"
    made = owner.create(name)
    try:
        asyncio.run(_migrate(made))
        yield made
    finally:
        owner.drop(name)


async def _migrate(url: str) -> None:
    engine = connect(url, pool_size=2)
    try:
        await migrate(engine)
    finally:
        await engine.dispose()
