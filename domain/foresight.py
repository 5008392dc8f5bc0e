"""What a dry run of several batches has to remember, because none of them writes what the next one ought to read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.allocation import Claim
from domain.changes import Changes, Facts
from domain.ids import AllocationId, ItemId, LevelKey, LineId, LocationId
from domain.stock import StockLevel


class Foresight:
    """Lays what earlier batches would have changed over the facts of later ones.

    As long as nobody else writes, the facts are those that a real run would read. Where somebody does, that counts
    from then on, and of what earlier batches would have taken at a level only as much as there is.
    """

    def __init__(self, remembered: Mapping[str, Sequence[Sequence[int]]] | None = None) -> None:
        """`remembered`: what `memory` of another one told."""
        known = {"taken": (), "given_back": (), "flagged": (), "gone": ()} | dict(remembered or {})
        self._taken = _counts(known["taken"])
        self._given_back = _counts(known["given_back"])
        self._overallocated = {AllocationId(claim): units for claim, units in known["flagged"]}
        self._gone = {AllocationId(claim) for (claim,) in known["gone"]}

    @property
    def items(self) -> list[ItemId]:
        """What would have been taken."""
        return sorted({item for item, _ in self._taken})

    def memory(self) -> dict[str, list[tuple[int, ...]]]:
        """All that is remembered, as numbers. It grows with the levels and the flags that are touched."""
        return {
            "taken": [(*key, units) for key, units in self._taken.items()],
            "given_back": [(*key, units) for key, units in self._given_back.items()],
            "flagged": list(self._overallocated.items()),
            "gone": [(claim,) for claim in self._gone],
        }

    def add(self, changes: Changes) -> None:
        """Remember what a batch of a dry run would have written."""
        for claim in changes.new_claims:
            self._taken[claim.level] += claim.quantity
        for ended in changes.ended_claims:
            self._given_back[ended.claim.level] += ended.quantity
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


def _counts(rows: Sequence[Sequence[int]]) -> Counter[LevelKey]:
    return Counter({(ItemId(item), LocationId(location)): units for item, location, units in rows})
