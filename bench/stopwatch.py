"""Where the time goes: seconds by phase of Dibs, and CPU seconds of this process and of PostgreSQL."""

import inspect
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import persistence.batches
import persistence.database
import services.allocation
from domain.batch import Batch
from persistence.batches import PostgresBatches

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PHASES = ("lock", "read", "plan", "write", "commit")


class Stopwatch:
    """Seconds by phase. A phase that runs within another one is taken out of it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        outer, self._inner = self._inner, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[name] += took - self._inner
            self._inner = outer + took

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted as this phase."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def wait(*arguments: Any, **options: Any) -> Any:
                with self.phase(name):
                    return await function(*arguments, **options)

            return wait

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            with self.phase(name):
                return function(*arguments, **options)

        return call


@contextmanager
def phases_of_dibs() -> Iterator[Counter[str]]:
    """Seconds by phase of every batch that Dibs allocates meanwhile, in this process and one after the other."""
    watch = Stopwatch()
    places: list[tuple[Any, str, str]] = [
        (persistence.batches, "lock_skus", "lock"),
        (PostgresBatches, "load", "read"),
        (PostgresBatches, "contenders", "read"),
        (Batch, "__init__", "plan"),
        (services.allocation, "allocate", "plan"),
        (Batch, "changes", "plan"),
        (PostgresBatches, "record", "write"),
        (persistence.database, "_commit", "commit"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, phase in places:
        setattr(owner, name, watch.timed(phase, getattr(owner, name)))
    try:
        yield watch.seconds
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def cpu_seconds_of(pids: Iterable[int]) -> float | None:
    """CPU seconds that these processes have used so far; None where they run on another machine."""
    try:
        return sum(map(_cpu_seconds, pids))
    except OSError:
        return None


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS_PER_SECOND
