"""The rules that new orders are asked by, and what waits for a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.automation import AllocationRule
from domain.holding import HoldRule
from domain.ids import OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrderRules:
    """What is asked of every new order: the rules that allocate it, and those that hold it."""

    allocation: tuple[AllocationRule, ...] = ()
    holds: tuple[HoldRule, ...] = ()


class Automation(Protocol):
    async def new_order_rules(self) -> NewOrderRules:
        """All rules for new orders, in one statement, each kind in the order in which they are asked."""

    async def hold_rules(self) -> list[HoldRule]: ...
    async def replace_hold_rules(self, rules: Sequence[HoldRule]) -> None:
        """These rules instead of all that there were."""

    async def rules(self) -> list[AllocationRule]:
        """The allocation rules, in the order in which they are asked."""

    async def replace_rules(self, rules: Sequence[AllocationRule]) -> None:
        """These rules instead of all that there were."""

    async def due(self, first: int) -> list[OrderId]:
        """Orders whose schedule has come, highest priority first, then oldest."""

    async def scheduled(self, orders: Sequence[OrderId]) -> set[OrderId]:
        """Those of the orders that wait for a schedule now."""
