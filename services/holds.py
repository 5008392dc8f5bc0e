"""Holds: place and release them, and the rules that place them by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from domain import checks, holding
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Path, Problems
from domain.holding import HeldOrder, HoldOutcome, HoldRule
from domain.ids import LineId, OrderId
from domain.kinds import HoldReason
from domain.money import Money
from domain.orders import NewOrder
from services.allocation import check_references, each_once
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.ports.database import Database
from services.ports.orders import OrderReference
from services.ports.unit_of_work import UnitOfWork
from services.references import checked_reference

RULES_MAX = 100
TAGS_MAX = 100
PERCENT_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsDone:
    """What became of each order, in the sequence given."""

    results: tuple[HoldOutcome, ...]


class _HoldCommand:
    outcome_type: ClassVar[Any] = HoldsDone
    orders: tuple[OrderReference, ...]

    def needs(self) -> Needs:
        return Needs(orders=self.orders, standings=True, path=("input", "orders"))

    def named(self, known: Known) -> list[tuple[str, OrderId | None]]:
        each_once(known.orders, ("input", "orders"))
        return list(zip(map(str, self.orders), known.orders, strict=True))

    def conclude(self, outcome: HoldsDone, _: Changes) -> HoldsDone:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOrders(_HoldCommand):
    """Hold orders for a reason; one that is held for it already stays as it is."""

    mutation: ClassVar[str] = "holdOrders"
    orders: tuple[OrderReference, ...]
    reason: HoldReason
    note: str | None = None

    def decide(self, batch: Batch, known: Known) -> HoldsDone:
        return HoldsDone(results=holding.hold(batch, self.named(known), self.reason, self.note))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHolds(_HoldCommand):
    """End the holds of these reasons; None: all of them."""

    mutation: ClassVar[str] = "releaseHolds"
    orders: tuple[OrderReference, ...]
    reasons: tuple[HoldReason, ...] | None = None

    def decide(self, batch: Batch, known: Known) -> HoldsDone:
        reasons = tuple(HoldReason) if self.reasons is None else self.reasons
        return HoldsDone(results=holding.release(batch, self.named(known), reasons))


async def hold_orders(performer: Performer, caller: Caller, command: HoldOrders, key: str) -> HoldsDone:
    """Hold in one transaction; each order has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    problems = Problems()
    orders = _references(problems, command.orders)
    note = problems.optional_text(command.note, ("input", "note"), checks.NOTE_LENGTH_MAX)
    problems.refuse()
    return await performer.perform(caller, replace(command, orders=orders, note=note), key)


async def release_holds(performer: Performer, caller: Caller, command: ReleaseHolds, key: str) -> HoldsDone:
    """Release in one transaction; each order has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    problems = Problems()
    orders = _references(problems, command.orders)
    if command.reasons is not None:
        problems.size(len(command.reasons), ("input", "reasons"), len(HoldReason))
        problems.distinct(command.reasons, ("input", "reasons"), "Each reason may stand here once.")
    problems.refuse()
    return await performer.perform(caller, replace(command, orders=orders), key)


def _references(problems: Problems, orders: Sequence[OrderReference]) -> tuple[OrderReference, ...]:
    checked = tuple(
        checked_reference(problems, one, ("input", "orders", str(index))) for index, one in enumerate(orders)
    )
    check_references(problems, checked)
    return checked


# ---------------------------------------------------------------- rules


async def save_hold_rules(database: Database, rules: Sequence[HoldRule]) -> list[HoldRule]:
    """Make these the rules, instead of all that there were; what they are now. Raises InvalidInput."""
    checked = _checked(rules)

    async def work(uow: UnitOfWork) -> list[HoldRule]:
        await uow.automation.replace_hold_rules(checked)
        return await uow.automation.hold_rules()

    return await database.run(work, repeatable=True)


def held_as_placed(batch: Batch, known: Known, order: OrderId, new: NewOrder) -> HeldOrder:
    """A new order, as hold rules see it."""
    return HeldOrder(
        totals=batch.totals_of(order),
        tags=new.terms.tags,
        customized=any(line.customization_note for line in new.lines),
        is_first=not known.has_ordered,
    )


def held_as_it_is(batch: Batch, known: Known, order: OrderId) -> HeldOrder:
    """An order that was there before, as the batch has left it so far."""
    return HeldOrder(
        totals=batch.totals_of(order),
        tags=(batch.terms_of(order) or known.views[order].terms).tags,
        customized=any(_note(batch, known, line.id) for line in batch.lines_of(order) if line.open),
        is_first=not known.has_ordered,
    )


def _note(batch: Batch, known: Known, line: LineId) -> str | None:
    new = batch.new_line(line)
    return new.customization_note if new else known.lines[line].customization_note


def _checked(rules: Sequence[HoldRule]) -> list[HoldRule]:
    problems, path = Problems(), ("input", "rules")
    problems.size(len(rules), path, RULES_MAX, least=0)
    checked = [_rule(problems, rule, (*path, str(index))) for index, rule in enumerate(rules)]
    problems.distinct((rule.name for rule in checked), path, "Each name may stand here once.")
    problems.refuse()
    return checked


def _rule(problems: Problems, rule: HoldRule, path: Path) -> HoldRule:
    checked = replace(
        rule,
        name=problems.code(rule.name, (*path, "name")),
        note=problems.optional_text(rule.note, (*path, "note"), checks.NOTE_LENGTH_MAX),
        discount_from=problems.money(rule.discount_from, (*path, "discountFrom")),
        discount_percent_from=_percent(problems, rule.discount_percent_from, (*path, "discountPercentFrom")),
        tags=_tags(problems, rule.tags, (*path, "tags")),
        first_order_from=problems.money(rule.first_order_from, (*path, "firstOrderFrom")),
    )
    _check_currencies(problems, checked.discount_from, checked.first_order_from, path)
    return checked


def _percent(problems: Problems, value: Decimal | None, path: Path) -> Decimal | None:
    if value is not None and not (value.is_finite() and 0 < value <= PERCENT_MAX):
        problems.add(path, "OUT_OF_RANGE", "This is a percentage: more than 0, at most 100.")
    elif value is not None and len(value.as_tuple().digits) > checks.AMOUNT_DIGITS_MAX:
        problems.add(path, "TOO_LONG", f"This may have at most {checks.AMOUNT_DIGITS_MAX} digits.")
    return value


def _tags(problems: Problems, tags: tuple[str, ...] | None, path: Path) -> tuple[str, ...] | None:
    """An empty list would match nothing, which nobody means."""
    if tags is None:
        return None
    problems.size(len(tags), path, TAGS_MAX)
    return tuple(problems.code(tag, (*path, str(index))) for index, tag in enumerate(tags))


def _check_currencies(problems: Problems, one: Money | None, other: Money | None, path: Path) -> None:
    if one and other and one.currency_code != other.currency_code:
        at = (*path, "firstOrderFrom", "currencyCode")
        problems.add(at, "NOT_ALLOWED", "Both amounts are of one currency; make a rule for each.")
