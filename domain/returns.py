"""Returns: goods that come back. Their life cycle, what of an order can come back, and what is refused."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from domain.errors import ReturnNotInState
from domain.fulfillments import GONE, Fulfillment
from domain.ids import ItemId, LineId, LocationId, OrderId, ReturnId, ReturnLineId
from domain.kinds import FollowUpOutcome, FulfillmentState, InspectionOutcome, ReturnReason, ReturnState

TRANSITIONS: Mapping[ReturnState, Mapping[str, ReturnState]] = {
    ReturnState.REQUESTED: {"receiveReturn": ReturnState.RECEIVED, "cancelReturn": ReturnState.CANCELED},
    ReturnState.RECEIVED: {
        "receiveReturn": ReturnState.RECEIVED,
        "inspectReturn": ReturnState.INSPECTED,
        "cancelReturn": ReturnState.INSPECTED,
    },
    ReturnState.INSPECTED: {},
    ReturnState.CANCELED: {},
}
"""From where, by which operation, to where. Nothing else happens, but for these:

a return of which something is still to come, or came and has not been inspected, stays RECEIVED; and where nothing is
still to come, a RECEIVED return is neither received nor canceled again.
"""

ENDED = (ReturnState.INSPECTED, ReturnState.CANCELED)
COUNTER: Mapping[InspectionOutcome, str] = {
    InspectionOutcome.RESELL: "resold",
    InspectionOutcome.QUARANTINE: "quarantined",
    InspectionOutcome.DISCARD: "discarded",
}
"""The field of a line that counts the units of an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """Units of one order line that come back for one reason.

    Of the `quantity` that was asked for, `received` came and `canceled` are not expected any more. Of those that came,
    `resold`, `quarantined` and `discarded` have been inspected.
    """

    id: ReturnLineId
    line: LineId
    item: ItemId
    quantity: int
    reason: ReturnReason
    note: str | None = None
    received: int = 0
    canceled: int = 0
    resold: int = 0
    quarantined: int = 0
    discarded: int = 0

    @property
    def expected(self) -> int:
        """Still to come."""
        return self.quantity - self.received - self.canceled

    @property
    def inspected(self) -> int:
        return self.resold + self.quarantined + self.discarded

    @property
    def to_inspect(self) -> int:
        """Here, and nobody has said yet what becomes of them."""
        return self.received - self.inspected

    def came(self, units: int) -> "ReturnLine":
        return replace(self, received=self.received + units)

    def given_up(self) -> "ReturnLine":
        """Nothing more of it is expected."""
        return replace(self, canceled=self.canceled + self.expected)

    def judged(self, outcome: InspectionOutcome, units: int) -> "ReturnLine":
        name = COUNTER[outcome]
        changed: dict[str, int] = {name: getattr(self, name) + units}
        return replace(self, **changed)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Goods of one order that come back to one location. Its state follows from its lines.

    `cancel_reason`: why the rest of it, or all of it, is not expected any more.
    """

    id: ReturnId
    order: OrderId
    location: LocationId
    lines: tuple[ReturnLine, ...]
    version: int = 0
    cancel_reason: str | None = None

    @property
    def state(self) -> ReturnState:
        return state_of(self.lines)

    def with_lines(self, changed: Mapping[ReturnLineId, ReturnLine]) -> "Return":
        return replace(self, lines=tuple(changed.get(line.id, line) for line in self.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What somebody saw in units that came back. `location`: where they were put; None: they were discarded."""

    line: ReturnLineId
    outcome: InspectionOutcome
    quantity: int
    location: LocationId | None
    note: str | None
    actor: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFollowUp:
    """What was heard of a customer after delivery."""

    order: OrderId
    outcome: FollowUpOutcome
    note: str | None
    actor: str
    request: str


def state_of(lines: Iterable[ReturnLine]) -> ReturnState:
    """Nothing came yet; something came; all that came has been inspected and nothing more will; nothing comes."""
    received = expected = to_inspect = 0
    for line in lines:
        received += line.received
        expected += line.expected
        to_inspect += line.to_inspect
    if not received:
        return ReturnState.REQUESTED if expected else ReturnState.CANCELED
    return ReturnState.RECEIVED if expected or to_inspect else ReturnState.INSPECTED


def states_that_allow(operation: str) -> tuple[ReturnState, ...]:
    return tuple(state for state, edges in TRANSITIONS.items() if operation in edges)


def require(one: Return, operation: str) -> None:
    """Raises ReturnNotInState."""
    if operation not in TRANSITIONS[one.state]:
        raise ReturnNotInState(return_id=one.id, allowed=states_that_allow(operation))
    over = not any(line.expected for line in one.lines)
    if over and operation != "inspectReturn":
        raise ReturnNotInState(return_id=one.id, allowed=(ReturnState.REQUESTED,))


def returnable(fulfillments: Iterable[Fulfillment], returns: Iterable[Return]) -> Counter[LineId]:
    """How many units of each order line can be asked back: those that have left, whoever sent them, less those that
    come back already. Only lines of which there are some.
    """
    units: Counter[LineId] = Counter()
    for one in fulfillments:
        if one.state in GONE:
            for sent in one.lines:
                units[sent.line] += sent.quantity
    for back in returns:
        for line in back.lines:
            units[line.line] -= line.quantity - line.canceled
    return +units


def came_back(returns: Iterable[Return]) -> Counter[LineId]:
    """How many units of each order line have come back, whatever became of them."""
    units: Counter[LineId] = Counter()
    for one in returns:
        for line in one.lines:
            units[line.line] += line.received
    return +units


def is_delivered(fulfillments: Iterable[Fulfillment]) -> bool:
    """Whether the customer has any of it."""
    return any(one.state is FulfillmentState.DELIVERED for one in fulfillments)
