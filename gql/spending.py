"""Requests pay for what they ask for, over HTTP and sockets from the same budget."""

from gql.errors import ApiError
from gql.execution import Operation, Refused
from services.budgets import Budget
from services.callers import Caller

REFUSED_COST = 100
"""Of what was read and judged only to be refused: as much work as many objects."""


class Spending:
    """Raises ApiError where a key has to wait."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget(None)

    def check(self, caller: Caller) -> None:
        """Before anything of a request is looked at."""
        _refuse_for(self._budget.wait_ms(caller.key))

    async def pay(self, caller: Caller, prepared: Operation | Refused) -> None:
        """Before anything of it is executed."""
        cost = REFUSED_COST if isinstance(prepared, Refused) else prepared.cost
        _refuse_for(await self._budget.spend(caller.key, cost))


def _refuse_for(wait_ms: int) -> None:
    if wait_ms:
        raise ApiError("RATE_LIMITED", "This key has asked for more than its budget. Wait.", retryAfterMs=wait_ms)
