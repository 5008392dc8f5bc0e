"""Allocation rules, and the orders whose schedule has come."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.automation import AllocationRule
from domain.holding import HoldRule
from domain.ids import OrderId
from domain.kinds import AllocateWhen, HoldReason
from domain.money import Money
from persistence.driver import Driver, statement
from persistence.searching import any_of
from persistence.tables import allocation_rules, hold_rules, orders
from services.ports.automation import NewOrderRules

LOCK_RULES = text("LOCK TABLE allocation_rules IN SHARE ROW EXCLUSIVE MODE")
"""Two who replace all the rules do it one after the other; who reads them does not wait."""
LOCK_HOLD_RULES = text("LOCK TABLE hold_rules IN SHARE ROW EXCLUSIVE MODE")

ALL_RULES = statement(
    """
    SELECT true AS allocates, position, name, allocate_when, every_minutes, channels, country_codes, regions, tags,
           value_from, value_below, currency_code, NULL AS note, NULL::numeric AS percent, NULL::boolean AS customized
    FROM allocation_rules
    UNION ALL
    SELECT false, position, name, reason, NULL, NULL, NULL, NULL, tags, discount_from, first_order_from, currency_code,
           note, discount_percent_from, customized
    FROM hold_rules
    ORDER BY allocates, position
    """
)
"""Every new order asks for both kinds: one statement."""


class PostgresAutomation:
    """Keeps the rules."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rules(self) -> list[AllocationRule]:
        """In the order in which they are asked."""
        return list((await self.new_order_rules()).allocation)

    async def new_order_rules(self) -> NewOrderRules:
        """All rules for new orders, each kind in the order in which they are asked."""
        rows = await Driver(self._connection).rows(ALL_RULES, {})
        return NewOrderRules(
            allocation=tuple(_allocation_rule(*row) for is_allocation, _, *row in rows if is_allocation),
            holds=tuple(_hold_rule(*row) for is_allocation, _, *row in rows if not is_allocation),
        )

    async def hold_rules(self) -> list[HoldRule]:
        """In the order in which they are asked."""
        return list((await self.new_order_rules()).holds)

    async def replace_rules(self, rules: Sequence[AllocationRule]) -> None:
        """These rules instead of all that there were."""
        await self._connection.execute(LOCK_RULES)
        await self._replace(allocation_rules, [_row(position, rule) for position, rule in enumerate(rules)])

    async def replace_hold_rules(self, rules: Sequence[HoldRule]) -> None:
        """These rules instead of all that there were."""
        await self._connection.execute(LOCK_HOLD_RULES)
        await self._replace(hold_rules, [_hold_row(position, rule) for position, rule in enumerate(rules)])

    async def _replace(self, table: Table, rows: list[dict[str, Any]]) -> None:
        await self._connection.execute(delete(table))
        if rows:
            await self._connection.execute(insert(table).values(rows))

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


def _hold_row(position: int, rule: HoldRule) -> dict[str, Any]:
    bounds = [bound for bound in (rule.discount_from, rule.first_order_from) if bound]
    return {
        "position": position,
        "name": rule.name,
        "reason": rule.reason,
        "note": rule.note,
        "discount_from": rule.discount_from and rule.discount_from.amount,
        "discount_percent_from": rule.discount_percent_from,
        "tags": _list(rule.tags),
        "customized": rule.customized,
        "first_order_from": rule.first_order_from and rule.first_order_from.amount,
        "currency_code": bounds[0].currency_code if bounds else None,
    }


def _allocation_rule(
    name: str,
    when: str,
    every_minutes: int | None,
    channels: list[str] | None,
    country_codes: list[str] | None,
    regions: list[str] | None,
    tags: list[str] | None,
    value_from: Decimal | None,
    value_below: Decimal | None,
    currency_code: str | None,
    *_: Any,
) -> AllocationRule:
    return AllocationRule(
        name=name,
        when=AllocateWhen(when),
        every_minutes=every_minutes,
        channels=_tuple(channels),
        country_codes=_tuple(country_codes),
        regions=_tuple(regions),
        tags=_tuple(tags),
        value_from=_money(value_from, currency_code),
        value_below=_money(value_below, currency_code),
    )


def _hold_rule(
    name: str,
    reason: str,
    _minutes: None,
    _channels: None,
    _country_codes: None,
    _regions: None,
    tags: list[str] | None,
    discount_from: Decimal | None,
    first_order_from: Decimal | None,
    currency_code: str | None,
    note: str | None,
    percent: Decimal | None,
    customized: bool | None,
) -> HoldRule:
    return HoldRule(
        name=name,
        reason=HoldReason(reason),
        note=note,
        discount_from=_money(discount_from, currency_code),
        discount_percent_from=percent,
        tags=_tuple(tags),
        customized=customized,
        first_order_from=_money(first_order_from, currency_code),
    )


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _money(amount: Decimal | None, currency_code: str | None) -> Money | None:
    if amount is None or currency_code is None:
        return None
    return Money(amount=amount, currency_code=currency_code)
