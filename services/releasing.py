"""What keeps an order from being released, beside its stock."""

from collections.abc import Iterable, Iterator

from domain.errors import Obstacle
from domain.kinds import HoldReason, PaymentStatus, ReleaseObstacle
from domain.orders import Address
from services.addresses import address_problems


def obstacles(paid: PaymentStatus, holds: Iterable[HoldReason], ship_to: Address | None) -> tuple[Obstacle, ...]:
    """Every reason, each with what to do."""
    return tuple(_obstacles(paid, holds, ship_to))


def _obstacles(paid: PaymentStatus, holds: Iterable[HoldReason], ship_to: Address | None) -> Iterator[Obstacle]:
    for reason in sorted(holds):
        told = f"It is on hold ({reason}): look at it, then end the hold with releaseHolds."
        yield Obstacle(code=ReleaseObstacle.ON_HOLD, message=told)
    if paid is not PaymentStatus.PAID:
        told = f"It is {paid}, and not paid in full: record what was paid with recordPayment."
        yield Obstacle(code=ReleaseObstacle.PAYMENT_NOT_VERIFIED, message=told)
    for problem in address_problems(ship_to):
        where = ".".join(("shipTo", *problem.path))
        yield Obstacle(code=ReleaseObstacle.ADDRESS_INCOMPLETE, message=f"{where}: {problem.message}")
