"""How many orders there are in each state."""

import strawberry

from domain import kinds
from services.ports.orders import OrderTally


@strawberry.type(description="How many orders have a status.")
class OrderStatusCount:
    """A count."""

    status: kinds.OrderStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many orders have it.")


@strawberry.type(description="How many orders have an allocation status.")
class AllocationStatusCount:
    """A count."""

    status: kinds.AllocationStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many orders have it.")


@strawberry.type(description="How many orders have a payment status.")
class PaymentStatusCount:
    """A count."""

    status: kinds.PaymentStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many orders have it.")


@strawberry.type(description="How many orders have a fulfillment status.")
class FulfillmentStatusCount:
    """A count."""

    status: kinds.FulfillmentStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many orders have it.")


@strawberry.type(description="For how many orders the warehouse has this to do.")
class OrderNeedCount:
    """A count."""

    need: kinds.OrderNeed = strawberry.field(description="What is to be done.")
    count: int = strawberry.field(description="For how many orders.")


@strawberry.type(description="How many orders are held for a reason now.")
class HoldReasonCount:
    """A count."""

    reason: kinds.HoldReason = strawberry.field(description="The reason.")
    count: int = strawberry.field(description="How many orders are held for it; one may be held for several.")


@strawberry.type(description="How many orders there are in each state: the dashboard in one call, of one moment.")
class OrderCounts:
    """Counts by state."""

    total: int = strawberry.field(description="All orders that match.")
    by_status: list[OrderStatusCount] = strawberry.field(description="One entry a status, also where it is 0.")
    by_allocation_status: list[AllocationStatusCount] = strawberry.field(
        description="One entry a status, also where it is 0; orders with nothing open are in none of them."
    )
    by_payment_status: list[PaymentStatusCount] = strawberry.field(
        description="One entry a status, also where it is 0."
    )
    by_fulfillment_status: list[FulfillmentStatusCount] = strawberry.field(
        description="One entry a status, also where it is 0."
    )
    by_need: list[OrderNeedCount] = strawberry.field(
        description="One entry a need, also where it is 0: paid and ready to pick and pack, or only needing shipping."
    )
    by_hold_reason: list[HoldReasonCount] = strawberry.field(description="One entry a reason, also where it is 0.")
    on_hold: int = strawberry.field(description="Orders that something holds now.")
    late: int = strawberry.field(description="Orders that are late, or came late, by what was promised.")
    delivered_on_time: int = strawberry.field(description="Orders that were delivered when promised, or before.")
    delivered_late: int = strawberry.field(description="Orders that were delivered later than promised.")

    @classmethod
    def of(cls, tally: OrderTally) -> "OrderCounts":
        return cls(
            total=tally.total,
            by_status=[OrderStatusCount(status=one, count=tally.by_status.get(one, 0)) for one in kinds.OrderStatus],
            by_allocation_status=[
                AllocationStatusCount(status=one, count=tally.by_allocation_status.get(one, 0))
                for one in kinds.AllocationStatus
            ],
            by_payment_status=[
                PaymentStatusCount(status=one, count=tally.by_payment_status.get(one, 0)) for one in kinds.PaymentStatus
            ],
            by_fulfillment_status=[
                FulfillmentStatusCount(status=one, count=tally.by_fulfillment_status.get(one, 0))
                for one in kinds.FulfillmentStatus
            ],
            by_need=[OrderNeedCount(need=one, count=tally.by_need.get(one, 0)) for one in kinds.OrderNeed],
            by_hold_reason=[
                HoldReasonCount(reason=one, count=tally.by_hold_reason.get(one, 0)) for one in kinds.HoldReason
            ],
            on_hold=tally.on_hold,
            late=tally.late,
            delivered_on_time=tally.delivered_on_time,
            delivered_late=tally.delivered_late,
        )
