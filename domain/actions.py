"""What can be done with an order, or a fulfillment, as it is now; and why the rest cannot.

It reads the same tables as the operations themselves. What it says is what was true when it was read: the operation
decides again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain import orders, returns
from domain.errors import Obstacle
from domain.fulfillments import GONE, UNDER_WAY, Fulfillment, states_that_allow
from domain.kinds import (
    AllocationStatus,
    FulfillmentKind,
    FulfillmentState,
    HoldReason,
    OrderStatus,
    ReleaseObstacle,
)
from domain.orders import ALLOCATABLE, EDITABLE, OrderLine
from domain.returns import Return, is_delivered, returnable


class OrderAction(StrEnum):
    """What a person may want to do with an order: each is a mutation."""

    FINALIZE = "FINALIZE"
    EDIT = "EDIT"
    VOID = "VOID"
    ALLOCATE = "ALLOCATE"
    DEALLOCATE = "DEALLOCATE"
    SPLIT = "SPLIT"
    HOLD = "HOLD"
    RELEASE_HOLDS = "RELEASE_HOLDS"
    RELEASE = "RELEASE"
    DROPSHIP = "DROPSHIP"
    CREATE_INVOICE = "CREATE_INVOICE"
    RECORD_PAYMENT = "RECORD_PAYMENT"
    RECORD_REFUND = "RECORD_REFUND"
    REQUEST_RETURN = "REQUEST_RETURN"
    RECORD_FOLLOW_UP = "RECORD_FOLLOW_UP"


class FulfillmentAction(StrEnum):
    """What a person may want to do with a fulfillment: each is a mutation."""

    PICK = "PICK"
    CHECK = "CHECK"
    PACK = "PACK"
    SHIP = "SHIP"
    DELIVER = "DELIVER"
    CANCEL = "CANCEL"


class ReturnAction(StrEnum):
    """What a person may want to do with a return: each is a mutation."""

    RECEIVE = "RECEIVE"
    INSPECT = "INSPECT"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """An action, and what is in its way; nothing is: it can be done now."""

    action: OrderAction | FulfillmentAction | ReturnAction
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNow:
    """An order as it is now. `obstacles`: what keeps it from being released. `kept`: whether money of it is kept.

    `waits`: something is set aside that is not released. `uninvoiced`: units that have left, or are open, and are on no
    invoice.
    """

    status: OrderStatus
    allocation_status: AllocationStatus | None
    lines: Sequence[OrderLine]
    fulfillments: Sequence[Fulfillment]
    returns: Sequence[Return]
    obstacles: Sequence[Obstacle]
    holds: frozenset[HoldReason]
    kept: bool
    waits: bool
    uninvoiced: int


def order_actions(now: OrderNow) -> tuple[Supported, ...]:
    """Every action, in the sequence of a life."""
    return tuple(Supported(action=action, reasons=tuple(_order_reasons(action, now))) for action in OrderAction)


def _order_reasons(action: OrderAction, now: OrderNow) -> Iterator[str]:
    yield from _wrong_state(now.status, _allowed(action))
    if now.status not in _allowed(action):
        return
    open_units = sum(line.open for line in now.lines)
    allocated = sum(line.allocated for line in now.lines)
    match action:
        case OrderAction.VOID if any(one.state in GONE for one in now.fulfillments):
            yield "Some of it has left: it is returned, not canceled."
        case OrderAction.ALLOCATE if not open_units:
            yield "Nothing of it is open."
        case OrderAction.ALLOCATE if now.allocation_status is AllocationStatus.ALLOCATED:
            yield "All that is open is set aside."
        case OrderAction.DEALLOCATE if not allocated:
            yield "Nothing is set aside for it."
        case OrderAction.SPLIT if open_units < 2:
            yield "There are not two units that could be parted."
        case OrderAction.RELEASE:
            yield from (obstacle.message for obstacle in now.obstacles)
            if not now.obstacles and not now.waits:
                yield "All that is set aside is released."
        case OrderAction.DROPSHIP:
            if not open_units:
                yield "Nothing of it is open."
            yield from (one.message for one in now.obstacles if one.code is ReleaseObstacle.ON_HOLD)
        case OrderAction.RELEASE_HOLDS if not now.holds:
            yield "It is not on hold."
        case OrderAction.CREATE_INVOICE if not now.uninvoiced:
            yield "All of it is on an invoice."
        case OrderAction.RECORD_REFUND if not now.kept:
            yield "No money of it is kept."
        case OrderAction.REQUEST_RETURN if not any(one.state in GONE for one in now.fulfillments):
            yield "Nothing of it has left."
        case OrderAction.REQUEST_RETURN if not returnable(now.fulfillments, now.returns):
            yield "All that has left comes back already."
        case OrderAction.RECORD_FOLLOW_UP if not is_delivered(now.fulfillments):
            yield "Nothing of it has been delivered yet."
    if action in (OrderAction.DEALLOCATE, OrderAction.SPLIT, OrderAction.DROPSHIP) and _is_in_hands(now):
        yield "Some of it is on its way out of the warehouse: cancel its fulfillments first."


def _allowed(action: OrderAction) -> tuple[OrderStatus, ...]:
    match action:
        case OrderAction.FINALIZE:
            return orders.states_that_allow("finalizeOrder")
        case OrderAction.VOID:
            return orders.states_that_allow("voidOrder")
        case OrderAction.EDIT | OrderAction.SPLIT | OrderAction.HOLD:
            return EDITABLE
        case OrderAction.ALLOCATE | OrderAction.DEALLOCATE | OrderAction.RELEASE | OrderAction.DROPSHIP:
            return ALLOCATABLE
        case _:
            return tuple(OrderStatus)


def _wrong_state(status: OrderStatus, allowed: Iterable[OrderStatus]) -> Iterator[str]:
    allowed = list(allowed)
    if status not in allowed:
        yield f"It is {status}, and would have to be {' or '.join(allowed)}."


def _is_in_hands(now: OrderNow) -> bool:
    return any(one.state in UNDER_WAY and one.kind is FulfillmentKind.STOCK for one in now.fulfillments)


OPERATIONS = {
    FulfillmentAction.PICK: "recordPicks",
    FulfillmentAction.CHECK: "checkFulfillment",
    FulfillmentAction.PACK: "packFulfillment",
    FulfillmentAction.SHIP: "shipFulfillment",
    FulfillmentAction.DELIVER: "deliverFulfillment",
    FulfillmentAction.CANCEL: "cancelFulfillment",
}


def fulfillment_actions(one: Fulfillment, *, checks_quality: bool) -> tuple[Supported, ...]:
    """Every action. `checks_quality`: its location packs nothing without a quality check."""
    return tuple(
        Supported(action=action, reasons=tuple(_fulfillment_reasons(action, one, checks_quality)))
        for action in FulfillmentAction
    )


def _fulfillment_reasons(action: FulfillmentAction, one: Fulfillment, checks_quality: bool) -> Iterator[str]:
    allowed = list(states_that_allow(OPERATIONS[action]))
    if action is FulfillmentAction.PACK and checks_quality:
        allowed = [FulfillmentState.CHECKED]
    if action is FulfillmentAction.SHIP and one.kind is FulfillmentKind.STOCK:
        allowed = [FulfillmentState.PACKED]
    if action is FulfillmentAction.PICK and one.kind is FulfillmentKind.DROPSHIP:
        yield "A supplier sends it: nothing is picked here."
    elif one.state not in allowed:
        yield f"It is {one.state}, and would have to be {' or '.join(allowed)}."


RETURN_OPERATIONS = {
    ReturnAction.RECEIVE: "receiveReturn",
    ReturnAction.INSPECT: "inspectReturn",
    ReturnAction.CANCEL: "cancelReturn",
}


def return_actions(one: Return) -> tuple[Supported, ...]:
    """Every action."""
    return tuple(Supported(action=action, reasons=tuple(_return_reasons(action, one))) for action in ReturnAction)


def _return_reasons(action: ReturnAction, one: Return) -> Iterator[str]:
    allowed = returns.states_that_allow(RETURN_OPERATIONS[action])
    if one.state not in allowed:
        yield f"It is {one.state}, and would have to be {' or '.join(allowed)}."
    elif action is ReturnAction.INSPECT and not any(line.to_inspect for line in one.lines):
        yield "All that came has been inspected, and the rest is still to come."
    elif action is not ReturnAction.INSPECT and not any(line.expected for line in one.lines):
        yield "Nothing of it is still to come."
