"""Background runs: a filter, a sequence, and how far it is. A run outlives the process that works on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.allocation import FREE_FOR_ALL, Policy
from domain.ids import ItemId, OrderId, RunId
from domain.kinds import AllocationSequence, RunState

TRANSITIONS: Mapping[RunState, tuple[RunState, ...]] = {
    RunState.QUEUED: (RunState.RUNNING, RunState.CANCELED),
    RunState.RUNNING: (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED),
    RunState.SUCCEEDED: (),
    RunState.FAILED: (),
    RunState.CANCELED: (),
}
ENDED = tuple(state for state, targets in TRANSITIONS.items() if not targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeek:
    """Where a run is: the last order that it looked at, with what the sequence sorts by."""

    placed_at: datetime
    order: OrderId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One background run. `seek`: the last order that it looked at; `filter` as `OrderFilter` has it.

    `moved`: what a dry run would have committed so far, by level. `closed`: SKUs that no later order may have.
    """

    id: RunId
    state: RunState
    dry_run: bool
    sequence: AllocationSequence
    filter: Mapping[str, Any] = field(default_factory=dict)
    actor: str
    request: str
    processed: int = 0
    total: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    seek: RunSeek | None = None
    moved: tuple[tuple[int, int, int], ...] = ()
    policy: Policy = FREE_FOR_ALL
    closed: frozenset[ItemId] = frozenset()
    version: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED
