"""Supply: goods that are on their way to a location, from a supplier or from another location of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from domain.errors import InputProblem, InvalidInput, SupplyNotInState
from domain.ids import ItemId, LocationId, SupplyId
from domain.kinds import SupplyKind, SupplyState
from domain.stock import QUANTITY_MAX

TRANSITIONS: Mapping[SupplyState, Mapping[str, SupplyState]] = {
    SupplyState.EXPECTED: {
        "rescheduleSupply": SupplyState.EXPECTED,
        "receiveStock": SupplyState.RECEIVED,
        "closeSupply": SupplyState.RECEIVED,
        "cancelSupply": SupplyState.CANCELED,
    },
    SupplyState.RECEIVED: {},
    SupplyState.CANCELED: {},
}
"""Receiving moves a supply only once nothing of it is open; until then it stays EXPECTED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyLine:
    """Units of one SKU that were announced, and what became of them; more may be received than were announced.

    `canceled`: they will not come; those of a transfer are back where they were sent from. `lost`: sent, and given up.
    """

    item: ItemId
    quantity: int
    received: int = 0
    canceled: int = 0
    lost: int = 0

    @property
    def open(self) -> int:
        """Units that are still to come; those of a transfer are in transit."""
        return max(0, self.quantity - self.received - self.canceled - self.lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Lines of distinct SKUs that are expected at `location`. `from_location`: where a transfer was sent from.

    `reason`: why it was canceled or closed before everything had come.
    """

    id: SupplyId
    reference: str
    kind: SupplyKind = SupplyKind.PURCHASE_ORDER
    state: SupplyState = SupplyState.EXPECTED
    location: LocationId
    from_location: LocationId | None = None
    expected_at: datetime
    lines: tuple[SupplyLine, ...]
    reason: str | None = None
    version: int = 0

    @property
    def open(self) -> dict[ItemId, int]:
        """Units that are still to come, by SKU."""
        return {line.item: line.open for line in self.lines if line.open}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSupplyLine:
    """Units of a SKU that are still to come to a location, and when."""

    supply: SupplyId
    item: ItemId
    location: LocationId
    open: int
    expected_at: datetime


def receive(supply: Supply, units: Mapping[ItemId, int]) -> Supply:
    """Count units that arrived, which are of its lines. Raises SupplyNotInState, InvalidInput."""
    done = _after(supply, "receiveStock")
    lines = [replace(line, received=line.received + units.get(line.item, 0)) for line in supply.lines]
    if any(line.received > QUANTITY_MAX for line in lines):
        message = f"A line of a supply counts at most {QUANTITY_MAX:,} units."
        raise InvalidInput(problems=(InputProblem(path=("input", "lines"), code="OUT_OF_RANGE", message=message),))
    left = replace(supply, lines=tuple(lines))
    return left if left.open else replace(left, state=done)


def cancel(supply: Supply, reason: str) -> Supply:
    """What has not come yet will not come. Raises SupplyNotInState."""
    return replace(supply, state=_after(supply, "cancelSupply"), reason=reason, lines=_canceled(supply))


def close(supply: Supply, reason: str) -> Supply:
    """Nothing more is waited for: what is missing of a transfer is lost. Raises SupplyNotInState."""
    is_ours = supply.kind is SupplyKind.TRANSFER
    lines = tuple(replace(line, lost=line.open) for line in supply.lines) if is_ours else _canceled(supply)
    return replace(supply, state=_after(supply, "closeSupply"), reason=reason, lines=lines)


def reschedule(supply: Supply, expected_at: datetime) -> Supply:
    """It comes at another time. Raises SupplyNotInState."""
    state = _after(supply, "rescheduleSupply")
    return supply if supply.expected_at == expected_at else replace(supply, state=state, expected_at=expected_at)


def _canceled(supply: Supply) -> tuple[SupplyLine, ...]:
    return tuple(replace(line, canceled=line.open) for line in supply.lines)


def _after(supply: Supply, operation: str) -> SupplyState:
    """The state that the operation leads to. Raises SupplyNotInState."""
    if operation not in TRANSITIONS[supply.state]:
        allowed = tuple(state for state, moves in TRANSITIONS.items() if operation in moves)
        raise SupplyNotInState(supply=supply.id, allowed=allowed)
    return TRANSITIONS[supply.state][operation]
