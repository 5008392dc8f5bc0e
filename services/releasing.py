"""What keeps an order from being released, beside its stock."""

from collections.abc import Iterable, Iterator, Sequence

from domain.actions import OrderNow
from domain.errors import Obstacle
from domain.fulfillments import UNDER_WAY
from domain.kinds import FulfillmentKind, HoldReason, PaymentStatus, ReleaseObstacle
from domain.orders import Address
from domain.payments import Totals
from domain.releasing import stock_obstacles
from services.addresses import address_problems
from services.ports.fulfillments import FulfillmentView
from services.ports.orders import LineView, OrderView
from services.ports.returns import ReturnView


def obstacles(paid: PaymentStatus, holds: Iterable[HoldReason], ship_to: Address | None) -> tuple[Obstacle, ...]:
    """Every reason, each with what to do."""
    return tuple(_obstacles(paid, holds, ship_to))


def _obstacles(paid: PaymentStatus, holds: Iterable[HoldReason], ship_to: Address | None) -> Iterator[Obstacle]:
    yield from held(holds)
    if paid is not PaymentStatus.PAID:
        told = f"It is {paid}, and not paid in full: record what was paid with recordPayment."
        yield Obstacle(code=ReleaseObstacle.PAYMENT_NOT_VERIFIED, message=told)
    for problem in address_problems(ship_to):
        where = ".".join(("shipTo", *problem.path))
        yield Obstacle(code=ReleaseObstacle.ADDRESS_INCOMPLETE, message=f"{where}: {problem.message}")


def held(holds: Iterable[HoldReason]) -> Iterator[Obstacle]:
    """What is held goes to nobody, whoever would send it."""
    for reason in sorted(holds):
        told = f"It is on hold ({reason}): look at it, then end the hold with releaseHolds."
        yield Obstacle(code=ReleaseObstacle.ON_HOLD, message=told)


def order_now(
    order: OrderView,
    lines: Sequence[LineView],
    fulfillments: Sequence[FulfillmentView],
    returns: Sequence[ReturnView],
    totals: Totals,
    holds: frozenset[HoldReason],
    invoiced: int,
) -> OrderNow:
    """The order as a person sees it, to say what can be done with it. A release is asked about as a partial one."""
    ours = (one for one in fulfillments if one.kind is FulfillmentKind.STOCK and one.state in UNDER_WAY)
    waits = sum(line.allocated for line in lines) > sum(one.units for one in ours)
    of_stock = stock_obstacles(order.allocation_status, order.shipping_policy, waits=waits, partial=True)
    return OrderNow(
        status=order.status,
        allocation_status=order.allocation_status,
        lines=lines,
        fulfillments=fulfillments,
        returns=returns,
        obstacles=(*obstacles(totals.status, holds, order.ship_to), *of_stock),
        holds=holds,
        kept=totals.kept > 0,
        waits=waits,
        uninvoiced=sum(line.quantity - line.canceled for line in lines) - invoiced,
    )
