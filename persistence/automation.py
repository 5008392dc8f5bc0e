"""Allocation rules, and the orders whose schedule has come."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.automation import AllocationRule
from domain.ids import OrderId
from domain.kinds import AllocateWhen
from domain.orders import Money
from persistence.searching import any_of
from persistence.tables import allocation_rules, orders

LOCK_RULES = text("LOCK TABLE allocation_rules IN SHARE ROW EXCLUSIVE MODE")
"""Two who replace all the rules do it one after the other; who reads them does not wait."""


class PostgresAutomation:
    """Keeps the rules."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rules(self) -> list[AllocationRule]:
        """In the order in which they are asked."""
        rows = await self._connection.execute(select(allocation_rules).order_by(allocation_rules.c.position))
        return [_rule(row) for row in rows]

    async def replace_rules(self, rules: Sequence[AllocationRule]) -> None:
        """These rules instead of all that there were."""
        await self._connection.execute(LOCK_RULES)
        await self._connection.execute(delete(allocation_rules))
        if rules:
            rows = [_row(position, rule) for position, rule in enumerate(rules)]
            await self._connection.execute(insert(allocation_rules).values(rows))

    async def due(self, first: int) -> list[OrderId]:
        """Orders whose schedule has come, highest priority first, then oldest."""
        statement = select(orders.c.id).where(orders.c.allocate_after <= func.now())
        sequence = orders.c.priority.desc(), orders.c.placed_at, orders.c.id
        return list((await self._connection.execute(statement.order_by(*sequence).limit(first))).scalars())

    async def scheduled(self, of: Sequence[OrderId]) -> set[OrderId]:
        """Those of the orders that wait for a schedule now."""
        statement = select(orders.c.id).where(any_of(orders.c.id, of), orders.c.allocate_after.is_not(None))
        return set((await self._connection.execute(statement)).scalars())


def _row(position: int, rule: AllocationRule) -> dict[str, Any]:
    bounds = [bound for bound in (rule.value_from, rule.value_below) if bound]
    return {
        "position": position,
        "name": rule.name,
        "allocate_when": rule.when,
        "every_minutes": rule.every_minutes,
        "channels": _list(rule.channels),
        "country_codes": _list(rule.country_codes),
        "regions": _list(rule.regions),
        "tags": _list(rule.tags),
        "value_from": rule.value_from and rule.value_from.amount,
        "value_below": rule.value_below and rule.value_below.amount,
        "currency_code": bounds[0].currency_code if bounds else None,
    }


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _rule(row: Any) -> AllocationRule:
    return AllocationRule(
        name=row.name,
        when=AllocateWhen(row.allocate_when),
        every_minutes=row.every_minutes,
        channels=_tuple(row.channels),
        country_codes=_tuple(row.country_codes),
        regions=_tuple(row.regions),
        tags=_tuple(row.tags),
        value_from=_money(row.value_from, row.currency_code),
        value_below=_money(row.value_below, row.currency_code),
    )


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _money(amount: Decimal | None, currency_code: str | None) -> Money | None:
    if amount is None or currency_code is None:
        return None
    return Money(amount=amount, currency_code=currency_code)
