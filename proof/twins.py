"""Does the suite notice? Each naive twin of `proof/naive.py` goes into a copy of the tree, and its tests must turn red.

    python -m proof.twins [WORD …] [--root PATH] [--database-url URL]

Words choose the twins whose name has one of them. First the tests run on the untouched copy, and must pass. Exit status
1: a twin survived, or its change fits nowhere any more, or is badly made.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from proof import ground
from proof.naive import TWINS, Twin

ROOT = Path(__file__).parents[1]
LEFT_OUT = (".git", ".venv", ".dibs", "node_modules", "__pycache__", ".*_cache", ".hypothesis")
SECONDS_MAX = 300
"""A twin that makes its tests hang is caught as well, later."""
PASSED, FAILED = 0, 1
SLIPS = ("NameError", "SyntaxError", "ImportError", "ModuleNotFoundError", "PostgresSyntaxError", "UndefinedColumn")
"""What a change that was badly made raises: it proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How pytest ended, and the first failure in one line."""

    code: int | None
    seconds: float
    failure: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a twin."""

    twin: Twin
    caught: bool
    said: str
    by: str = ""
    seconds: float = 0


class NoFit(Exception):
    """The old text of an edit does not stand in its file exactly once."""


def main() -> int:
    """Exit status: 0 where every twin that was run is caught."""
    arguments = _arguments()
    console = ground.console()
    chosen = [twin for twin in TWINS if _is_chosen(twin, arguments.words)]
    with ground.server(arguments.database_url) as url, _copy_of(arguments.root) as tree:
        healthy = _run(tree, url, sorted({test for twin in chosen for test in twin.tests}), stop_at_first=False)
        if healthy.code != PASSED:
            console.print(healthy.output, markup=False)
            console.print("Without any change these tests do not pass: they can prove nothing.")
            return 1
        console.print(f"Untouched, the tests pass ({healthy.seconds:.0f} s).")
        verdicts = list(_told(console, chosen, tree, url))
    if console.is_terminal:
        console.print(_table(verdicts))
    survived = [verdict for verdict in verdicts if not verdict.caught and not verdict.twin.waits_for]
    run = len([verdict for verdict in verdicts if not verdict.twin.waits_for])
    console.print(f"{run - len(survived)} of {run} naive twins are caught.")
    return 1 if survived else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only the twins whose name has one of these words")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to copy")
    parser.add_argument("--database-url", default=os.environ.get("DIBS_TEST_DATABASE_URL"), help="a server to use")
    return parser.parse_args()


def _is_chosen(twin: Twin, words: Sequence[str]) -> bool:
    return not words or any(re.search(rf"\b{re.escape(word)}", twin.name) for word in words)


@contextmanager
def _copy_of(root: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dibs-twin-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(root, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield tree


# ---------------------------------------------------------------- one twin


def _told(console: Console, twins: Sequence[Twin], tree: Path, url: str) -> Iterator[Verdict]:
    """Verdicts as they come: a bar on a terminal, a line each elsewhere."""
    columns = (TextColumn("{task.description:60.60}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(twins))
        for twin in twins:
            progress.update(task, description=twin.name)
            verdict = _judge(twin, tree, url)
            progress.advance(task)
            if not console.is_terminal:
                print(_line(verdict), flush=True)
            yield verdict


def _judge(twin: Twin, tree: Path, url: str) -> Verdict:
    if twin.waits_for:
        return Verdict(twin=twin, caught=False, said=f"not there yet: {twin.waits_for}")
    try:
        with _changed(twin, tree):
            run = _run(tree, url, twin.tests)
    except NoFit as error:
        return Verdict(twin=twin, caught=False, said=f"FITS NOWHERE: {error}")
    if run.code is None:
        return Verdict(twin=twin, caught=True, said="caught: hangs", by=_names(twin.tests), seconds=run.seconds)
    if run.code == PASSED:
        return Verdict(twin=twin, caught=False, said="SURVIVED", by=_names(twin.tests), seconds=run.seconds)
    test, _, reason = run.failure.partition(" - ")
    if run.code != FAILED or not test or any(slip in reason for slip in SLIPS):
        tail = run.failure or run.output[-500:]
        return Verdict(twin=twin, caught=False, said=f"BADLY MADE: {tail}", seconds=run.seconds)
    return Verdict(twin=twin, caught=True, said=f"caught: {reason}", by=_names([test]), seconds=run.seconds)


@contextmanager
def _changed(twin: Twin, tree: Path) -> Iterator[None]:
    before: dict[Path, str] = {}
    try:
        for edit in twin.edits:
            file = tree / edit.file
            text = file.read_text()
            before.setdefault(file, text)
            if text.count(edit.old) != 1:
                raise NoFit(f"{text.count(edit.old)} times in {edit.file}: {edit.old.strip()!r}")
            file.write_text(text.replace(edit.old, edit.new))
        yield
    finally:
        for file, text in before.items():
            file.write_text(text)


def _run(tree: Path, url: str, tests: Iterable[str], *, stop_at_first: bool = True) -> Run:
    options = ["-q", "-rfE", "--tb=short", "-p", "no:cacheprovider", *(["-x"] if stop_at_first else [])]
    # Bytecode is told from its source by second and size: a change within both would be missed.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIBS_")} | {
        "DIBS_TEST_DATABASE_URL": url,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree),
        "COLUMNS": "300",
    }
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return Run(code=None, seconds=time.monotonic() - started)
    output = done.stdout + done.stderr
    failures = re.findall(r"^(?:FAILED|ERROR) (tests/.+)$", output, re.MULTILINE)
    return Run(
        code=done.returncode,
        seconds=time.monotonic() - started,
        failure=failures[0] if failures else "",
        output=output,
    )


# ---------------------------------------------------------------- what is told


def _names(tests: Iterable[str]) -> str:
    return ", ".join(test.rpartition("::")[2] for test in tests)


def _line(verdict: Verdict) -> str:
    head = "     " if verdict.twin.waits_for else "ok   " if verdict.caught else "FAIL "
    by = f" -> {verdict.by}" if verdict.by else ""
    return f"{head}{verdict.twin.name}{by} -> {verdict.said[:160]} ({verdict.seconds:.1f} s)"


def _table(verdicts: Iterable[Verdict]) -> Table:
    table = Table("Naive twin", "Test", "Verdict", "Seconds", title="Does the suite notice?")
    for verdict in verdicts:
        style = "dim" if verdict.twin.waits_for else "green" if verdict.caught else "bold red"
        said = verdict.said if not verdict.caught else verdict.said[:60]
        table.add_row(verdict.twin.name, verdict.by, f"[{style}]{escape(said)}", f"{verdict.seconds:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
