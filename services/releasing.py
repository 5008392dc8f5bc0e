"""What keeps an order from being released, beside its stock."""

from collections.abc import Iterator

from domain.errors import Obstacle
from services.ports import OrderView


def obstacles(order: OrderView) -> tuple[Obstacle, ...]:
    """Every reason, each with what to do."""
    return tuple(_obstacles(order))


def _obstacles(order: OrderView) -> Iterator[Obstacle]:
    yield from ()
