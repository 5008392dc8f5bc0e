"""Returns, what was seen in them, and what was heard of their customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import LocationId, OrderId, ReturnId, ReturnLineId
from domain.kinds import FollowUpOutcome, InspectionOutcome, ReturnReason, ReturnState
from domain.returns import Return


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnView(Return):
    """A return as it is shown, with when it came into its states."""

    requested_at: datetime
    requested_by: str
    received_at: datetime | None
    inspected_at: datetime | None
    canceled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionView:
    """What somebody saw in units of a return line. `location`: where they were put; None: they were discarded."""

    line: ReturnLineId
    outcome: InspectionOutcome
    quantity: int
    location: LocationId | None
    note: str | None
    inspected_by: str
    inspected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """What was heard of a customer, as it is shown."""

    id: int
    order: OrderId
    outcome: FollowUpOutcome
    note: str | None
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: codes. `reasons`: of any of its lines."""

    orders: tuple[OrderId, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[ReturnState, ...] | None = None
    reasons: tuple[ReturnReason, ...] | None = None


class Returns(Protocol):
    async def orders_of(self, ids: Sequence[ReturnId]) -> dict[ReturnId, OrderId]:
        """Their orders, which never change."""

    async def by_ids(self, ids: Sequence[ReturnId]) -> list[ReturnView]: ...
    async def of_orders(self, orders: Sequence[OrderId]) -> list[ReturnView]:
        """The oldest first."""

    async def page(self, condition: ReturnFilter, first: int, after: int | None) -> list[ReturnView]:
        """The oldest first; `after`: an id."""

    async def inspections_of(self, lines: Sequence[ReturnLineId]) -> list[InspectionView]:
        """The oldest first."""

    async def follow_ups_of(self, orders: Sequence[OrderId]) -> list[FollowUpView]:
        """The oldest first."""
