"""Allocation rules: whether and when a new order is allocated without anyone asking. Pure: the first match wins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.allocating import OrderToAllocate, Terms, allocate
from domain.batch import Batch
from domain.ids import OrderId
from domain.kinds import AllocateWhen
from domain.money import Money
from domain.orders import Address, OrderTerms, can_be_scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRule:
    """Criteria, all of which must hold, and when the orders that match are allocated.

    A criterion that is None is none. `value_from` is included, `value_below` is not; both are of one currency.
    `every_minutes` stands with ON_SCHEDULE alone: the turns are its multiples, counted from 1970-01-01 00:00 UTC.
    """

    name: str
    when: AllocateWhen
    every_minutes: int | None = None
    channels: tuple[str, ...] | None = None
    country_codes: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    value_from: Money | None = None
    value_below: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Units of an order and what each of them costs, if that is known."""

    quantity: int
    unit_price: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOrder:
    """An order as rules see it."""

    channel: str
    terms: OrderTerms
    lines: tuple[Priced, ...]


def first_match(rules: Iterable[AllocationRule], order: RuledOrder) -> AllocationRule | None:
    """The rule that decides on the order. None: nobody allocates it until somebody asks."""
    return next((rule for rule in rules if matches(rule, order)), None)


def allocates_at_once(rules: Iterable[AllocationRule], order: RuledOrder) -> bool:
    rule = first_match(rules, order)
    return rule is not None and rule.when is AllocateWhen.AT_ONCE


def matches(rule: AllocationRule, order: RuledOrder) -> bool:
    ship_to = order.terms.ship_to or Address()
    return (
        _is_one_of(order.channel, rule.channels)
        and _is_one_of(ship_to.country_code, rule.country_codes)
        and _is_one_of(_plain(ship_to.region), rule.regions and tuple(map(_plain, rule.regions)))
        and (rule.tags is None or not set(rule.tags).isdisjoint(order.terms.tags))
        and _costs(rule, order)
    )


def value(lines: Iterable[Priced], currency_code: str) -> Decimal | None:
    """The order's value in the currency. None where a line has no price, or one in another currency."""
    total = Decimal(0)
    for line in lines:
        if line.quantity:
            if line.unit_price is None or line.unit_price.currency_code != currency_code:
                return None
            total += line.quantity * line.unit_price.amount
    return total


def automate(batch: Batch, order: OrderId, rules: Sequence[AllocationRule], seen: RuledOrder) -> None:
    """Do with an order that has just been placed or confirmed what the rules say. Its SKUs must be locked if AT_ONCE.

    A draft is left alone: rules look at it when it is confirmed.
    """
    rule = first_match(rules, seen) if can_be_scheduled(batch.orders[order]) else None
    if rule is None:
        return
    if rule.when is AllocateWhen.AT_ONCE:
        allocate(batch, [OrderToAllocate(reference=f"Order:{order}", order=order)], Terms(each_line=False))
    elif rule.every_minutes is not None:
        batch.schedule(order, rule.every_minutes)


def _is_one_of(value: str | None, wanted: tuple[str, ...] | None) -> bool:
    return wanted is None or value in wanted


def _plain(text: str | None) -> str:
    """Regions are written by people: neither case nor space around them tells two apart."""
    return (text or "").strip().casefold()


def _costs(rule: AllocationRule, order: RuledOrder) -> bool:
    bounds = [bound for bound in (rule.value_from, rule.value_below) if bound]
    if not bounds:
        return True
    worth = value(order.lines, bounds[0].currency_code)
    return (
        worth is not None
        and (rule.value_from is None or worth >= rule.value_from.amount)
        and (rule.value_below is None or worth < rule.value_below.amount)
    )
