"""Importing opens nothing, the layers hold, and nothing is left when the application has stopped."""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

from tests.acceptance.processes import ROOT, environment
from tests.gql.serving import serving, until

PACKAGES = ("carriers", "dibs", "domain", "gql", "migrations", "persistence", "services", "workers")
IMPORT_EVERYTHING = """
import asyncio, importlib, os, sys, threading, warnings
warnings.simplefilter("error")
def descriptors():
    return {os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")}
before = descriptors()
names = sys.argv[1:]
for name in reversed(names):
    importlib.import_module(name)
importlib.import_module("gql.api").create_schema()  # whatever was imported first
assert descriptors() <= before, descriptors() - before
assert threading.enumerate() == [threading.main_thread()]
assert "pytest" not in sys.modules
print(len(names))
"""  # noqa: E501


def modules() -> list[str]:
    """Every module of the packages, but for Alembic's own scripts, which only Alembic can run."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return sorted(name for name in names if not name.startswith(("migrations.env", "migrations.versions")))


def test_importing_every_module_opens_nothing():
    names = modules()

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, *names],
        env=environment(DIBS_DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:1/nowhere"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(names) > 80


def test_commands_that_do_not_serve_do_without_the_api():
    """Importing it takes longer than most commands."""
    asked = "import dibs.cli, sys; print([one for one in ('dibs.app', 'gql.api', 'strawberry') if one in sys.modules])"

    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_layers_hold():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


async def test_nothing_is_left_when_the_application_has_stopped(database_url: str):
    """I18: tasks, threads and descriptors are what they were; the fixture looks at the database's side."""
    await once(database_url)  # what is loaded on first use is there now
    tasks, threads, descriptors = asyncio.all_tasks(), threading.active_count(), open_descriptors()

    await once(database_url)

    assert asyncio.all_tasks() == tasks
    await until(lambda: threading.active_count() <= threads)  # a fixture may be at work in a thread of its own
    await until(lambda: open_descriptors() <= descriptors)


async def once(database_url: str) -> None:
    """Serve, be asked, be watched and be left by a client that does not say goodbye; then stop."""
    async with serving(database_url) as served, served.socket() as client:
        assert await served("{ eventCursor channels { code } }")
        await client.subscribe("1", "subscription { orderChanged { cursor } }")
        await client.subscribe("2", "{ eventCursor }")
        await client.next("2")
        client.connection.transport.abort()
    gc.collect()
    await asyncio.sleep(0.1)  # transports that were closed are closing


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
