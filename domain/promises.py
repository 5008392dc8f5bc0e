"""Delivered against promised, and what an order waits for in the warehouse. Each is said in SQL as well, for lists."""

from collections.abc import Collection
from datetime import datetime

from domain.fulfillments import UNDER_WAY
from domain.kinds import AllocationStatus, FulfillmentState, OrderNeed, OrderStatus, PaymentStatus

PROMISED_IN = (OrderStatus.FINALIZED, OrderStatus.FULFILLED)
"""A draft is promised to nobody, and what is void will not come."""


def came_in_time(status: OrderStatus, promised: datetime | None, delivered: datetime | None) -> bool | None:
    """None until all of the order was delivered, and where nothing was promised."""
    if promised is None or delivered is None or status not in PROMISED_IN:
        return None
    return delivered <= promised


def is_late(status: OrderStatus, promised: datetime | None, delivered: datetime | None, now: datetime) -> bool:
    """It came later than promised, or should be there by now and is not all there."""
    if promised is None or status not in PROMISED_IN:
        return False
    return (delivered or now) > promised


def need_of(
    status: OrderStatus,
    allocation_status: AllocationStatus | None,
    payment_status: PaymentStatus,
    ours: Collection[FulfillmentState],
    *,
    held: bool,
) -> OrderNeed | None:
    """What the warehouse has to do for the order now. `ours`: the states of what our own locations send."""
    if status is not OrderStatus.FINALIZED:
        return None
    here = {state for state in ours if state in UNDER_WAY}
    if here - {FulfillmentState.PACKED}:
        return OrderNeed.PICK_AND_PACK
    if here:
        return OrderNeed.SHIP
    ready = allocation_status is AllocationStatus.ALLOCATED and payment_status is PaymentStatus.PAID and not held
    return OrderNeed.PICK_AND_PACK if ready else None
