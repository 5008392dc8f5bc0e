"""What the benchmark says while it runs and when it is done: in colour on a terminal, plain elsewhere."""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean, median

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.results import Result

SECONDS_BETWEEN_PLAIN_LINES = 5


@dataclass(slots=True, kw_only=True)
class Run:
    """One measured run over the same `lines`. `batches`: orders and seconds of each transaction."""

    name: str
    lines: int
    seconds: float
    batches: list[tuple[int, float]]
    python_seconds: float
    postgres_seconds: float | None
    phases: Counter[str] = field(default_factory=Counter)

    @property
    def speed(self) -> float:
        return self.lines / self.seconds

    @property
    def cpu_seconds(self) -> float | None:
        return None if self.postgres_seconds is None else self.python_seconds + self.postgres_seconds


class Report:
    """Prints."""

    def __init__(self) -> None:
        terminal = Console()
        self._console = terminal if terminal.is_terminal else Console(width=120, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(text)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Tells how much is done; the function is called with what was done since it was last called."""
        if self._console.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
            with Progress(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task(what, total=total)
                yield lambda more: bar.advance(task, more)
            return
        done, said = 0, time.monotonic()

        def advance(more: int) -> None:
            nonlocal done, said
            done += more
            if time.monotonic() - said > SECONDS_BETWEEN_PLAIN_LINES:
                said = time.monotonic()
                self.say(f"{what}: {done:,} of {total:,}")

        yield advance

    def imports(self, rows: Sequence[tuple[str, str, int, float]]) -> None:
        table = self._table("Import", "what", "", "lines", "seconds", "lines/s")
        for what, note, lines, seconds in rows:
            table.add_row(what, note, f"{lines:,}", f"{seconds:.1f}", f"{lines / seconds:,.0f}")
        self._console.print(table)

    def allocation(self, runs: Sequence[tuple[Run, Run]]) -> None:
        table = self._table(
            "Allocation", "run", "", "lines", "batches", "seconds", "lines/s", "CPU s Python", "CPU s PostgreSQL"
        )
        for pair in runs:
            for run in pair:
                table.add_row(
                    run.name,
                    "" if run.phases else "the same rows, no planning",
                    f"{run.lines:,}",
                    f"{len(run.batches):,}",
                    f"{run.seconds:.1f}",
                    f"{run.speed:,.0f}",
                    f"{run.python_seconds:.1f}",
                    "?" if run.postgres_seconds is None else f"{run.postgres_seconds:.1f}",
                )
        self._console.print(table)
        ratios = [dibs.speed / floor.speed for dibs, floor in runs]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        self.say(f"[bold]Dibs allocates at {mean(ratios):.2f} of the floor's speed[/bold] (pair by pair: {each}).")
        costs = [(dibs.cpu_seconds, floor.cpu_seconds) for dibs, floor in runs]
        shares = [floor / dibs for dibs, floor in costs if dibs and floor]
        if shares:
            self.say(f"By processor time, which other work on the machine disturbs less: {mean(shares):.2f}.")

    def phases(self, runs: Sequence[Run]) -> None:
        table = self._table("Where Dibs spends the time, in seconds", "phase", "", *(run.name for run in runs))
        for phase, meaning in PHASES.items():
            table.add_row(phase, meaning, *(f"{run.phases[phase]:.2f}" for run in runs))
        table.add_row("other", "finding the orders that wait, and everything else", *(_other(run) for run in runs))
        self._console.print(table)
        sizes, times = zip(*runs[0].batches, strict=True)
        self.say(
            f"{len(sizes):,} batches of {min(sizes):,} to {max(sizes):,} orders (median {median(sizes):,.0f}), each in "
            f"{min(times):.2f} to {max(times):.2f} s (median {median(times):.2f} s)."
        )

    def machine(self, server: str) -> None:
        """`server`: the database's, with its version."""
        busy = f"load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
        self.say(
            f"{os.cpu_count()} CPUs ({busy}), {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}, {server}."
        )

    def measured(self, result: Result) -> None:
        """One measure, run by run; CPU in milliseconds for each thing that was done."""
        cpu = ("ms CPU load", "ms CPU Dibs", "ms CPU PostgreSQL")
        table = self._table(result.title, "run", "", result.unit, "seconds", "a second", *cpu)
        for run in result.runs:
            costs = (_each(seconds, run.done) for seconds in (run.load, run.server, run.postgres))
            table.add_row(run.name, run.note, f"{run.done:,}", f"{run.seconds:.2f}", f"{run.speed:,.0f}", *costs)
        self._console.print(table)
        for note in result.notes:
            self.say(note)

    def verdicts(self, results: Sequence[Result]) -> None:
        """Every aim, and whether it was met."""
        table = self._table("Aims", "measure", "what", "aim", "reached", "met")
        for result in results:
            for one in result.verdicts:
                met = "[green]yes[/green]" if one.met else "[red]no[/red]"
                table.add_row(one.measure, one.what, one.aim, one.reached, met)
        self._console.print(table)

    def statuses(self, counts: Mapping[str, int], served: int, lines: int) -> None:
        orders = ", ".join(f"{count:,} {status}" for status, count in counts.items())
        self.say(f"Orders: {orders}. Of {lines:,} lines, {served:,} ({served / lines:.0%}) were served in full.")

    @staticmethod
    def _table(title: str, what: str, note: str, *numbers: str) -> Table:
        table = Table(what, note, title=title, title_justify="left", box=box.SIMPLE)
        for number in numbers:
            table.add_column(number, justify="right")
        return table


PHASES = {
    "lock": "the advisory locks of the SKUs",
    "read": "SKUs of the orders, levels, orders, lines, claims; rows made into facts",
    "plan": "deciding: the pure domain",
    "write": "changes made into arrays, and the statements that write them",
    "commit": "COMMIT",
}


def _each(seconds: float | None, done: int) -> str:
    return "" if seconds is None else f"{seconds * 1000 / done:.3f}"


def _other(run: Run) -> str:
    return f"{run.seconds - run.phases.total():.2f}"
