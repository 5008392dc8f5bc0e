"""Allocation runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from domain.ids import ItemId, OrderId, RunId
from domain.kinds import AllocationSequence
from domain.runs import ForeseenChunk, Moved, Run


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
        commits: Run | None = None,
    ) -> RunId:
        """A queued run. `commits`: the dry run that it does exactly, with its plan and as many orders."""

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

    async def keep_chunk(self, run: RunId, chunk: ForeseenChunk) -> None:
        """Write down what a dry run says of some of its orders."""

    async def foreseen_chunk(self, run: RunId, position: int) -> ForeseenChunk | None:
        """What a dry run said of the orders that come after so many others; None: there are no more."""

    async def said(self, run: RunId) -> list[bytes]:
        """The digests of all that a dry run said, in sequence; empty where it is not kept."""

    async def moved(self, run: RunId, most: int) -> Moved:
        """Orders and levels that are not as a dry run found them first; so many of each at most."""

    async def forget_chunks(self, most: int) -> int:
        """Remove what dry runs said that ended more than a day ago, unless it is being committed; how much of it."""

    async def replenished(self, most: int) -> list[tuple[ItemId, datetime]]:
        """SKUs that became available, the oldest first, each with when it last did."""

    async def forget_replenished(self, items: Sequence[tuple[ItemId, datetime]]) -> None:
        """Their waiting orders have been run; one that became available again since then stays."""
