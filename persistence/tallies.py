"""Orders counted by every axis, in one statement, so that all numbers are of one moment."""

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import CTE, CompoundSelect, func, literal, null, select, tuple_, union_all

from domain.kinds import AllocationStatus, FulfillmentStatus, HoldReason, OrderNeed, OrderStatus, PaymentStatus
from persistence.tables import order_holds
from services.ports.orders import OrderTally

K = TypeVar("K", bound=StrEnum)

AXES = ("status", "allocation_status", "fulfillment_status", "payment_status", "need")
HOLDS = -1
"""In the place of a set of axes: counts by the reason of a hold."""


def tallied(matching: CTE) -> CompoundSelect[Any]:
    """The statement. `matching`: the orders, by id, with every axis, `held`, `promised` and `delivered`."""
    axes = [matching.c[name] for name in AXES]
    by_axis = select(
        func.grouping(*axes).label("axis"),
        func.coalesce(*axes).label("value"),
        func.count().label("orders"),
        func.count().filter(matching.c.held),
        func.count().filter(func.coalesce(matching.c.delivered, func.clock_timestamp()) > matching.c.promised),
        func.count().filter(matching.c.delivered <= matching.c.promised),
        func.count().filter(matching.c.delivered > matching.c.promised),
    ).group_by(func.grouping_sets(tuple_(), *axes))
    by_hold = (
        select(literal(HOLDS), order_holds.c.reason, func.count(), null(), null(), null(), null())
        .join(matching, matching.c.id == order_holds.c.order_id)
        .where(order_holds.c.released_at.is_(None))
        .group_by(order_holds.c.reason)
    )
    return union_all(by_axis, by_hold)


def tally(rows: Sequence[tuple[Any, ...]]) -> OrderTally:
    """`grouping` has a bit for each axis that a row is not about, the first axis the highest."""
    everything = 2 ** len(AXES) - 1
    found: dict[int, dict[Any, int]] = defaultdict(dict)
    for about, value, count, *_ in rows:
        found[about][value] = count
    (total,) = [row for row in rows if row[0] == everything]

    def axis(at: int, kind: type[K]) -> dict[Any, int]:
        one = found[everything - 2 ** (len(AXES) - 1 - at)]
        return {None if value is None else kind(value): count for value, count in one.items()}

    return OrderTally(
        total=total[2],
        by_status=axis(0, OrderStatus),
        by_allocation_status=axis(1, AllocationStatus),
        by_fulfillment_status=axis(2, FulfillmentStatus),
        by_payment_status=axis(3, PaymentStatus),
        by_need=axis(4, OrderNeed),
        by_hold_reason={HoldReason(reason): count for reason, count in found[HOLDS].items()},
        on_hold=total[3],
        late=total[4],
        delivered_on_time=total[5],
        delivered_late=total[6],
    )
