"""The part of the model that is about goods on their way back: what is asked for, what came, and what became of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.services.floor_model import GONE, Floor

Told = Any


@dataclass
class BackLine:
    """Units of one line of the order. `seen`: what became of those that were inspected, by outcome."""

    line: int
    quantity: int
    received: int = 0
    canceled: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def expected(self) -> int:
        return self.quantity - self.received - self.canceled

    @property
    def to_inspect(self) -> int:
        return self.received - self.seen.total()


@dataclass
class Back:
    """A return."""

    order: str
    place: str
    lines: list[BackLine]

    @property
    def state(self) -> str:
        if not any(line.received for line in self.lines):
            return "REQUESTED" if self.is_expected else "CANCELED"
        unseen = any(line.to_inspect for line in self.lines)
        return "RECEIVED" if self.is_expected or unseen else "INSPECTED"

    @property
    def is_expected(self) -> bool:
        return any(line.expected for line in self.lines)


@dataclass
class Returns(Floor):
    """A part of `Model`. `heard`: how often an order was followed up."""

    backs: list[Back] = field(default_factory=list, kw_only=True)
    heard: Counter[str] = field(default_factory=Counter, kw_only=True)

    def returnable(self, number: str) -> Counter[int]:
        gone = sum((one.units for one in self.of(number) if one.state in GONE), Counter())
        for back in self.backs:
            for line in back.lines if back.order == number else ():
                gone[line.line] -= line.quantity - line.canceled
        return gone

    def request_return(self, number: str, place: str, wanted: Sequence[tuple[int, int]]) -> Told:
        total = Counter[int]()
        for at, units in wanted:
            total[at] += units
        free = self.returnable(number)
        if any(units > free[at] for at, units in total.items()):
            return "QuantityNotReturnable"
        self.backs.append(Back(number, place, [BackLine(at, units) for at, units in wanted]))
        return "done"

    def receive_return(self, which: int, came: Mapping[int, int] | None, place: str | None) -> Told:
        """`came`: units by line of the return; None: all that is still to come."""
        back = self.backs[which]
        if back.state not in ("REQUESTED", "RECEIVED") or not back.is_expected:
            return "ReturnNotInState"
        if came is None:
            came = {at: line.expected for at, line in enumerate(back.lines)}
        if any(units > back.lines[at].expected for at, units in came.items()):
            return "QuantityNotReturnable"
        for at, units in came.items():
            back.lines[at].received += units
        back.place = place or back.place
        return "done"

    def inspect_return(self, which: int, judged: Sequence[tuple[int, int, str, str | None]]) -> Told:
        """Line of the return, units, outcome, and where they are put."""
        back = self.backs[which]
        if back.state != "RECEIVED":
            return "ReturnNotInState"
        total = Counter[int]()
        for at, units, _, _ in judged:
            total[at] += units
        if any(units > back.lines[at].to_inspect for at, units in total.items()):
            return "QuantityNotReturnable"
        for at, units, outcome, place in judged:
            line = back.lines[at]
            line.seen[outcome] += units
            if outcome != "DISCARD":
                key = self.orders[back.order].lines[line.line].sku, place or back.place
                self.stock.setdefault(key, Counter())
                self._move_stock(key, units)
                self.stock[key]["QUALITY_CONTROL"] += units if outcome == "QUARANTINE" else 0
        return "done"

    def cancel_return(self, which: int) -> Told:
        back = self.backs[which]
        if back.state not in ("REQUESTED", "RECEIVED") or not back.is_expected:
            return "ReturnNotInState"
        for line in back.lines:
            line.canceled += line.expected
        return "done"

    def hear(self, number: str) -> Told:
        if not any(one.state == "DELIVERED" for one in self.of(number)):
            return "NothingDelivered"
        self.heard[number] += 1
        return "done"
