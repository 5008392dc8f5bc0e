"""The part of the model that is about holds: which orders are held, and for what."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

Told = Any
OVER = ("FULFILLED", "VOID")
AWAITING_PAYMENT = "AWAITING_PAYMENT"


@dataclass
class Holds:
    """A part of `Model`. `holds`: why an order is held now; `lifted`: how many holds of it have ended.

    A hold refuses what sends goods: a release, and a dropshipment. No order of the model has a price, so all are paid.
    """

    holds: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set), kw_only=True)
    lifted: Counter[str] = field(default_factory=Counter, kw_only=True)

    def hold(self, numbers: Sequence[str], reason: str) -> Told:
        """Told: of each order, whether it was not held for this already."""
        return [self._hold(number, reason) for number in numbers]

    def _hold(self, number: str, reason: str) -> Told:
        if self.orders[number].status in OVER:
            return "OrderNotInState"
        is_new = reason not in self.holds[number]
        self.holds[number].add(reason)
        return is_new

    def lift(self, numbers: Sequence[str], reasons: Collection[str] | None) -> Told:
        """None: for whatever they are held. Told: of each order, whether there was such a hold."""
        return [self._lift(number, reasons) for number in numbers]

    def _lift(self, number: str, reasons: Collection[str] | None = None) -> bool:
        ended = {one for one in self.holds[number] if reasons is None or one in reasons}
        self.holds[number] -= ended
        self.lifted[number] += len(ended)
        return bool(ended)

    def hold_as_well(self, number: str, part: str) -> None:
        """What was split off is held for the same; it is paid, so for its payment it does not wait."""
        self.holds[part] |= self.holds[number] - {AWAITING_PAYMENT}
