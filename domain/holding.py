"""Holds: why an order may not be released; and the rules that place them on new orders. Pure.

A hold never stops allocation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from domain.batch import Batch
from domain.errors import DomainError, NotFound, OrderNotInState
from domain.fulfillments import GONE, UNDER_WAY, Fulfillment
from domain.ids import OrderId
from domain.kinds import AllocationCause, AllocationEnd, FulfillmentKind, HoldReason, OrderStatus
from domain.money import EXACT, Money
from domain.orders import ALLOCATABLE, EDITABLE
from domain.payments import EXPIRING, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRule:
    """Criteria, all of which must hold, and the reason with which new orders that match are held.

    A criterion that is None is none. `discount_from` and `discount_percent_from` are of all that is off together, the
    latter in percent of what the lines cost; `first_order_from` of what the order comes to, if it is its customer's
    first. All bounds are included, and of one currency.
    """

    name: str
    reason: HoldReason
    note: str | None = None
    discount_from: Money | None = None
    discount_percent_from: Decimal | None = None
    tags: tuple[str, ...] | None = None
    customized: bool | None = None
    first_order_from: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOrder:
    """An order as these rules see it. `customized`: a line has a note. `is_first`: none is known of its customer."""

    totals: Totals
    tags: tuple[str, ...]
    customized: bool
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOutcome:
    """What became of one order, at position `index` from 0. `changed` False: it was so already."""

    index: int
    order: OrderId | None
    changed: bool = False
    refusal: DomainError | None = None


def matches(rule: HoldRule, order: HeldOrder) -> bool:
    return (
        _is_off(rule, order.totals)
        and (rule.tags is None or not set(rule.tags).isdisjoint(order.tags))
        and (rule.customized is None or rule.customized == order.customized)
        and (rule.first_order_from is None or (order.is_first and _reaches(order.totals, rule.first_order_from)))
    )


def hold_by_rules(batch: Batch, order: OrderId, rules: Iterable[HoldRule], seen: HeldOrder) -> None:
    """Place the hold of every rule that matches an order which has just been placed or confirmed. Drafts are left."""
    if batch.orders[order].status in ALLOCATABLE:
        for rule in rules:
            if matches(rule, seen):
                batch.hold(order, rule.reason, rule.note, rule.name)


def hold(
    batch: Batch, orders: Sequence[tuple[str, OrderId | None]], reason: HoldReason, note: str | None
) -> tuple[HoldOutcome, ...]:
    """Hold orders that are not over yet. Their standings must be known."""
    return tuple(_held(batch, index, *one, reason, note) for index, one in enumerate(orders))


def release(
    batch: Batch, orders: Sequence[tuple[str, OrderId | None]], reasons: Sequence[HoldReason]
) -> tuple[HoldOutcome, ...]:
    """End the holds that have one of these reasons. The orders' standings must be known."""
    outcomes = []
    for index, (reference, order) in enumerate(orders):
        if order is None:
            outcomes.append(HoldOutcome(index=index, order=None, refusal=NotFound(references=(reference,))))
        else:
            lifted = [batch.lift(order, reason) for reason in dict.fromkeys(reasons)]
            outcomes.append(HoldOutcome(index=index, order=order, changed=any(lifted)))
    return tuple(outcomes)


def hold_back(batch: Batch, fulfillment: Fulfillment) -> None:
    """Somebody has canceled the fulfillment: where the channel would release its order again by itself, it is held
    until somebody ends that. What a supplier does not send after all is not set aside, and so is released by nobody.

    The order's standing must be known.
    """
    if (
        fulfillment.kind is FulfillmentKind.STOCK
        and batch.orders[fulfillment.order].channel in batch.releases_by_itself
    ):
        batch.hold(fulfillment.order, HoldReason.FULFILLMENT_CANCELED)


def may_expire(batch: Batch, order: OrderId) -> bool:
    """Whether the order is confirmed, not paid in full, and not held for that. Its standing must be known.

    What a warehouse has begun with does not expire: it was paid when it was released, and edited since.
    """
    standing = batch.standing_of(order)
    return (
        batch.orders[order].status is OrderStatus.FINALIZED
        and not any(one.state in UNDER_WAY or one.state in GONE for one in batch.floor.of(order))
        and standing.status in EXPIRING
        and HoldReason.AWAITING_PAYMENT not in standing.holds
    )


def expire(batch: Batch, order: OrderId) -> None:
    """Give back what is set aside for an order that was not paid in time; it is as if no run had looked at it."""
    for claim in batch.claims_of(order):
        batch.give_back(claim, claim.quantity, AllocationEnd.UNPAID, AllocationCause.UNPAID)
    for line in batch.lines_of(order):
        if line.looked_at:
            batch.change_line(replace(line, looked_at=False))
    batch.unschedule(order)
    batch.explain(order, AllocationCause.UNPAID)


def _held(
    batch: Batch, index: int, reference: str, order: OrderId | None, reason: HoldReason, note: str | None
) -> HoldOutcome:
    if order is None:
        return HoldOutcome(index=index, order=None, refusal=NotFound(references=(reference,)))
    if batch.orders[order].status not in EDITABLE:
        return HoldOutcome(index=index, order=order, refusal=OrderNotInState(order=order, allowed=EDITABLE))
    return HoldOutcome(index=index, order=order, changed=batch.hold(order, reason, note))


def _is_off(rule: HoldRule, totals: Totals) -> bool:
    amount, percent = rule.discount_from, rule.discount_percent_from
    if amount is not None and (amount.currency_code != totals.currency_code or totals.discounts < amount.amount):
        return False
    if percent is None:
        return True
    with localcontext(EXACT):
        return totals.lines > 0 and totals.discounts * 100 >= percent * totals.lines


def _reaches(totals: Totals, bound: Money) -> bool:
    return bound.currency_code == totals.currency_code and totals.total >= bound.amount
