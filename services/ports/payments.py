"""Payments and holds: where orders stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import OrderId
from domain.kinds import HoldReason, PaymentKind
from domain.money import Money
from domain.payments import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """A payment as it is shown."""

    id: int
    order: OrderId
    kind: PaymentKind
    amount: Money
    method: str
    reference: str | None
    occurred_at: datetime
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """A hold as it is shown. `rule`: the rule that placed it."""

    id: int
    order: OrderId
    reason: HoldReason
    note: str | None
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    rule: str | None


class Payments(Protocol):
    async def standings(self, orders: Sequence[OrderId]) -> dict[OrderId, Standing]:
        """Where the orders stand. Without the locks of their SKUs this is old news."""

    async def payments_of(self, orders: Sequence[OrderId]) -> list[PaymentView]:
        """The oldest first."""

    async def holds_of(self, orders: Sequence[OrderId]) -> list[HoldView]:
        """Also those that have ended; the oldest first."""

    async def unpaid_in_time(self, first: int) -> list[OrderId]:
        """Orders whose channel waits no longer for their payment, by the database's clock; the oldest first.

        One that is held for it, or was once, is left alone: whoever lifted that hold has decided.
        """
