"""Background runs: a filter, a sequence, and how far it is. A run outlives the process that works on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.allocation import FREE_FOR_ALL, Policy
from domain.ids import ItemId, LevelKey, OrderId, RunId
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
    """Where a run is: the last order that it looked at, with what the sequence sorts by.

    `position`: its place in the run's plan; None where it stands in none.
    """

    placed_at: datetime
    order: OrderId
    priority: int
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan rests on: the versions of its orders, and of the levels that it could draw on."""

    orders: Mapping[OrderId, int]
    levels: Mapping[LevelKey, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What is not as a plan rests on. Both empty: what decides is another, such as the ranks of locations."""

    levels: tuple[LevelKey, ...] = ()
    orders: tuple[OrderId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeseenChunk:
    """What a dry run said of the orders that come after `position` others: a digest of the plan, and its basis."""

    position: int
    orders: tuple[OrderId, ...]
    basis: Basis
    planned: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """How good a run's plan is. `objective`: orders, or value, that it completes; nothing completes more than `bound`.

    `orders`: how many stand in the plan. `optimal`: it is proven that nothing is better. `fifo_…`: the same run oldest
    first.
    """

    orders: int
    complete_orders: int
    fifo_complete_orders: int
    objective: float
    fifo_objective: float
    bound: float
    optimal: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One background run. `seek`: the last order that it looked at; `filter` and `keep` as `OrderFilter` has them.

    `keep`: orders that go first, oldest first, before it is chosen which of the others to complete. `plan`: set when
    the sequence of a run that needs one has been made. `foreseen`: what a dry run remembers from chunk to chunk.
    `closed`: SKUs that no later order may have.

    `commits`: the dry run that this one does exactly; then `foreseen` has the versions that it has made itself, and
    `moved` says why it went no further.
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
    policy: Policy = FREE_FOR_ALL
    closed: frozenset[ItemId] = frozenset()
    foreseen: Mapping[str, Any] = field(default_factory=dict)
    keep: Mapping[str, Any] | None = None
    plan: PlanReport | None = None
    commits: RunId | None = None
    moved: Moved | None = None
    version: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED
