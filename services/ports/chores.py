"""What the workers find to do."""

from enum import StrEnum
from typing import Protocol


class Chore(StrEnum):
    """What the workers do when it is due. UNPAID_ORDERS and RELEASES are due wherever a channel asks for them."""

    RUNS = "RUNS"
    WAITING_ORDERS = "WAITING_ORDERS"
    SCHEDULES = "SCHEDULES"
    CARTS = "CARTS"
    UNPAID_ORDERS = "UNPAID_ORDERS"
    RELEASES = "RELEASES"
    NOTICES = "NOTICES"
    MAILS = "MAILS"
    WEBHOOKS = "WEBHOOKS"


class Chores(Protocol):
    async def due(self) -> frozenset[Chore]:
        """All that may have to be done now; some of it may turn out to be nothing, and nothing is left out."""
