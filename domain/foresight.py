"""What a dry run of several batches has to remember, because none of them writes what the next one ought to read."""

from collections import Counter
from dataclasses import replace

from domain.allocation import Claim
from domain.batch import Changes, Facts
from domain.ids import AllocationId, LevelKey, LineId, OrderId
from domain.kinds import AllocationStatus
from domain.stock import StockLevel


class Foresight:
    """Lays what earlier batches would have changed over the facts of later ones.

    As long as nobody else writes, the facts are those that a real run would read. Where somebody does, that counts
    from then on, and of what earlier batches would have taken at a level only as much as there is.
    """

    def __init__(self) -> None:
        self._taken: Counter[LevelKey] = Counter()
        self._given_back: Counter[LevelKey] = Counter()
        self._statuses: dict[OrderId, AllocationStatus | None] = {}
        self._overallocated: dict[AllocationId, int] = {}
        self._gone: set[AllocationId] = set()

    def add(self, changes: Changes) -> None:
        """Remember what a batch of a dry run would have written."""
        for claim in changes.new_claims:
            self._taken[claim.level] += claim.quantity
        for ended in changes.ended_claims:
            self._given_back[ended.claim.level] += ended.quantity
        self._statuses.update((order.id, order.allocation_status) for order in changes.orders)
        self._overallocated.update((claim.id, claim.overallocated) for claim in changes.changed_claims)
        self._gone.update(changes.gone_claims)

    def over(self, facts: Facts) -> Facts:
        """The facts as if all that is remembered had been written. An order that had its turn may not come again."""
        claims = [
            replace(claim, overallocated=self._overallocated[claim.id]) if claim.id in self._overallocated else claim
            for claim in facts.claims
            if claim.id not in self._gone
        ]
        overallocated: Counter[LineId] = Counter()
        for claim in claims:
            if isinstance(claim, Claim):
                overallocated[claim.line] += claim.overallocated
        return replace(
            facts,
            orders=[
                replace(order, allocation_status=self._statuses.get(order.id, order.allocation_status))
                for order in facts.orders
            ],
            claims=claims,
            lines=[
                replace(line, overallocated=overallocated[line.id])
                if line.overallocated != overallocated[line.id]
                else line
                for line in facts.lines
            ],
            levels=[self._level(level) for level in facts.levels],
        )

    def _level(self, level: StockLevel) -> StockLevel:
        left = max(0, level.committed - self._given_back[level.key])
        committed = left + min(self._taken[level.key], max(0, level.backing - left))
        moved = replace(level, committed=committed)
        return replace(moved, flagged=moved.overallocated)
