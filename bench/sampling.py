"""Where a process spends its CPU time, by what stands on the stack when its CPU timer rings."""

import signal
from collections import Counter
from types import FrameType

SECONDS_OF_CPU = 0.001
"""Between two looks; the kernel may round this up to a tick of its clock."""

KINDS = {
    "planning": ("domain/",),
    "services": ("services/",),
    "database": ("persistence/", "/sqlalchemy/", "/asyncpg/"),
    "GraphQL": ("gql/schema/", "gql/resolvers/", "gql/execution", "gql/api", "gql/limits", "gql/errors",
                "gql/loaders", "gql/context", "/graphql/", "/strawberry/"),
    "HTTP": ("gql/http", "/uvicorn/", "/starlette/", "dibs/"),
}  # fmt: skip
"""Of the innermost function that belongs to one of these. Everything else is `other`, such as the event loop."""


class Sampler:
    """Counts from `start` on. The collector of garbage and C functions count as the Python function that runs them."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.places: Counter[str] = Counter()

    def start(self) -> None:
        self.kinds.clear()
        self.places.clear()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, SECONDS_OF_CPU, SECONDS_OF_CPU)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def shares(self) -> dict[str, float]:
        """Of each kind, from 0 to 1."""
        total = self.kinds.total() or 1
        return {kind: self.kinds[kind] / total for kind in (*KINDS, "other")}

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.places[f"{frame.f_code.co_filename}:{frame.f_code.co_name}"] += 1
        self.kinds[_kind_of(frame)] += 1


_known: dict[str, str | None] = {}


def _kind_of(frame: FrameType | None) -> str:
    while frame is not None:
        name = frame.f_code.co_filename
        if name not in _known:
            _known[name] = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), None)
        kind = _known[name]
        if kind is not None:
            return kind
        frame = frame.f_back
    return "other"
