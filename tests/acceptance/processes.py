"""`dibs` as people run it: a process of its own, with nothing but its command line, its environment and its output."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

DIBS = Path(sys.executable).parent / "dibs"
ROOT = Path(__file__).parents[2]
SECONDS_MAX = 60
KEY = "a-key-that-is-long-enough-for-a-test"


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """Everything that it said, in single spaces."""
        return " ".join((self.out + " " + self.err).split())


def environment(**settings: str) -> Mapping[str, str]:
    """Ours, without what is set for Dibs in the developer's shell."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DIBS_")}
    return ours | {"COLUMNS": "200", "NO_COLOR": "1"} | settings


def dibs(*arguments: object, cwd: Path = ROOT, **settings: str) -> Ended:
    """Run one command to its end. `settings`: environment variables."""
    done = subprocess.run(
        [DIBS, *map(str, arguments)],
        env=environment(**settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass
class Serving:
    """A `dibs serve` that runs."""

    process: subprocess.Popen[bytes]
    address: str
    said: str
    log: Path

    def ask(self, query: str, key: str = KEY, **variables: Any) -> httpx.Response:
        body = {"query": query, "variables": variables}
        return httpx.post(self.address, json=body, headers={"authorization": f"Bearer {key}"}, timeout=SECONDS_MAX)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def serving(
    folder: Path, *arguments: object, program: Sequence[object] = (DIBS,), **settings: str
) -> Iterator[Serving]:
    """A server that listens; it is killed at the end where it still runs."""
    log = folder / "stderr.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [*map(str, program), "serve", "--port", "0", *map(str, arguments)],
            env=environment(**settings),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        said = _until_it_says(b"/graphql\n", process, log)
        address = re.search(r"http://\S+", said)
        assert address
        yield Serving(process, address[0], said, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS_MAX)
        if process.stdout:
            process.stdout.close()


@contextmanager
def working(folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `dibs work` that works; it is killed at the end where it still runs."""
    log = folder / "work.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [DIBS, "work"], env=environment(**settings), cwd=folder, stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        _until_it_says(b"Dibs works.\n", process, log)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS_MAX)
        if process.stdout:
            process.stdout.close()


def _until_it_says(words: bytes, process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout
    said = b""
    deadline = time.monotonic() + SECONDS_MAX
    while words not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        more = os.read(process.stdout.fileno(), 65_536) if ready else b""
        assert more, f"it does not get that far: {said!r} {log.read_text()}"
        said += more
    return said.decode()


def has_traceback(text: str) -> bool:
    return "Traceback" in text or "Error:" in text
