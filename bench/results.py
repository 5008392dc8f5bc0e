"""What was measured: each run with its CPU time, each aim with whether it was met."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles


@dataclass(slots=True, kw_only=True)
class Measured:
    """One run. CPU seconds by who took them; None: on another machine, or not told apart."""

    name: str
    done: int
    seconds: float
    load: float | None = None
    server: float | None = None
    postgres: float | None = None
    note: str = ""

    @property
    def speed(self) -> float:
        return self.done / self.seconds

    @property
    def cpu_ms(self) -> float | None:
        """Milliseconds of server and database for each thing that was done."""
        if self.server is None or self.postgres is None:
            return None
        return (self.server + self.postgres) * 1000 / self.done


@dataclass(slots=True, kw_only=True)
class Verdict:
    """One aim, what was reached, and whether that meets it."""

    measure: str
    what: str
    aim: str
    reached: str
    met: bool


@dataclass(slots=True, kw_only=True)
class Result:
    """One row of the table of aims, with the runs behind it."""

    title: str
    unit: str
    runs: list[Measured] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def at_least(self, what: str, value: float, aim: float, unit: str = " times") -> None:
        self.verdicts.append(Verdict(
            measure=self.title, what=what, aim=f"≥ {aim:g}{unit}", reached=f"{value:.2f}{unit}", met=value >= aim
        ))  # fmt: skip

    def at_most(self, what: str, value: float, aim: float, unit: str) -> None:
        self.verdicts.append(Verdict(
            measure=self.title, what=what, aim=f"≤ {aim:g} {unit}", reached=f"{value:.2f} {unit}", met=value <= aim
        ))  # fmt: skip

    def exactly(self, what: str, value: int, aim: int) -> None:
        self.verdicts.append(Verdict(
            measure=self.title, what=what, aim=f"{aim:,}", reached=f"{value:,}", met=value == aim
        ))  # fmt: skip


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def median_ratio(runs: Sequence[Measured], floors: Sequence[Measured]) -> float:
    """How many times as fast as the floor: the runs took turns, and the median of the pairs counts."""
    return median(run.speed / floor.speed for run, floor in zip(runs, floors, strict=True))
