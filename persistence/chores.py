"""What the workers have to do, found out in one statement."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.driver import Driver, statement
from services.ports.chores import Chore

CONDITIONS: Mapping[Chore, str] = {
    Chore.RUNS: "EXISTS (SELECT FROM allocation_runs WHERE state IN ('QUEUED', 'RUNNING'))",
    Chore.WAITING_ORDERS: "EXISTS (SELECT FROM replenished_items)",
    Chore.SCHEDULES: "EXISTS (SELECT FROM orders WHERE allocate_after <= clock_timestamp())",
    Chore.CARTS: """EXISTS (
        SELECT FROM stock_reservations WHERE state = 'ACTIVE' AND expires_at <= clock_timestamp())""",
    Chore.UNPAID_ORDERS: "EXISTS (SELECT FROM channels WHERE unpaid_orders_expire_after_minutes IS NOT NULL)",
    Chore.RELEASES: "EXISTS (SELECT FROM channels WHERE releases_by_itself)",
    Chore.NOTICES: "coalesce((SELECT min(r.position) < max(e.position) FROM log_readers r CROSS JOIN log_end e), true)",
    Chore.MAILS: "EXISTS (SELECT FROM mails WHERE state = 'PENDING' AND due_at <= clock_timestamp())",
    Chore.WEBHOOKS: """EXISTS (
        SELECT FROM webhook_endpoints p CROSS JOIN log_end e WHERE p.enabled AND p.position < e.position
        ) OR EXISTS (SELECT FROM webhook_deliveries WHERE state = 'PENDING' AND due_at <= clock_timestamp())""",
}
"""Each is true whenever there is something to do, and cheap; it may be true where there is nothing."""

DUE = statement("SELECT " + ", ".join(f"({CONDITIONS[chore]})" for chore in Chore))


class PostgresChores:
    """Looks for all of them at once."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def due(self) -> frozenset[Chore]:
        """What there may be to do."""
        found = await Driver(self._connection).row(DUE, {})
        return frozenset(chore for chore, is_due in zip(Chore, found, strict=True) if is_due)
