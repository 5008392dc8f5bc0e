"""Allocation runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from domain.ids import ItemId, OrderId, RunId
from domain.kinds import AllocationSequence
from domain.runs import Run


class Runs(Protocol):
    async def add(
        self,
        *,
        dry_run: bool,
        sequence: AllocationSequence,
        condition: Mapping[str, Any],
        policy: Mapping[str, Any],
        keep: Mapping[str, Any] | None,
        actor: str,
        request: str,
    ) -> RunId: ...
    async def by_ids(self, ids: Sequence[RunId]) -> list[Run]: ...
    async def lock(self, run: RunId) -> Run | None:
        """The run, for as long as the transaction lasts; waits for whoever works on it."""

    async def lock_next(self) -> Run | None:
        """The oldest unfinished run that nobody works on and that waits for no plan."""

    async def next_to_plan(self) -> Run | None:
        """The oldest unfinished run that waits for a plan."""

    async def keep_plan(self, run: Run, orders: Sequence[OrderId]) -> None:
        """Write the plan of a run that is locked: its report, and its orders in sequence."""

    async def oldest_unfinished(self) -> RunId | None:
        """The oldest run that somebody may work on."""

    async def save(self, run: Run) -> None:
        """Write how far the run is, with its event."""

    async def replenished(self, most: int) -> list[tuple[ItemId, datetime]]:
        """SKUs that became available, the oldest first, each with when it last did."""

    async def forget_replenished(self, items: Sequence[tuple[ItemId, datetime]]) -> None:
        """Their waiting orders have been run; one that became available again since then stays."""
