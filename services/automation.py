"""Allocation rules: save them, see orders as they do, and allocate the orders whose schedule has come."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from domain.automation import AllocationRule, Priced, RuledOrder
from domain.batch import Batch
from domain.bundles import still_wanted, together
from domain.checks import Path, Problems
from domain.ids import BundleId, LineId, OrderId
from domain.kinds import AllocateWhen
from domain.money import Money
from domain.orders import NewOrder
from services.allocation import allocate_loaded
from services.callers import Caller
from services.commands import Known
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork
from services.runs import CHUNK_ORDERS_MAX, within_bounds

RULES_MAX = 100
CRITERION_MAX = 100
"""The most values of one criterion."""
MINUTES_MAX = 1_440


async def save_allocation_rules(database: Database, rules: Sequence[AllocationRule]) -> list[AllocationRule]:
    """Make these the rules, instead of all that there were; what they are now. Raises InvalidInput."""
    checked = _checked(rules)

    async def work(uow: UnitOfWork) -> list[AllocationRule]:
        await uow.automation.replace_rules(checked)
        return await uow.automation.rules()

    return await database.run(work, repeatable=True)


async def run_scheduled_orders(database: Database, caller: Caller) -> int:
    """Allocate the orders whose schedule has come, highest priority first; how many it came for.

    Each chunk is a transaction, and what it looked at is scheduled no more: so it resumes where it stopped, and any
    number of workers may do it at once.
    """
    served = 0
    while chunk := await database.run(partial(_serve_scheduled, caller=caller), repeatable=True):
        served += len(chunk)
    return served


async def _serve_scheduled(uow: UnitOfWork, *, caller: Caller) -> list[OrderId]:
    chunk = await within_bounds(uow, await uow.automation.due(CHUNK_ORDERS_MAX))
    if chunk:
        batch = Batch(await uow.batches.load(orders=chunk), actor=caller.actor, request=caller.request)
        # Somebody may have looked at some of them before they were locked.
        still = await uow.automation.scheduled(chunk)
        await allocate_loaded(uow, batch, [order for order in chunk if order in still])
    return chunk


# ---------------------------------------------------------------- orders as rules see them


def as_placed(new: NewOrder) -> RuledOrder:
    """A new order."""
    lines = tuple(Priced(quantity=line.quantity, unit_price=line.unit_price) for line in new.lines)
    return RuledOrder(channel=new.channel, terms=new.terms, lines=lines)


def as_it_is(batch: Batch, known: Known, order: OrderId) -> RuledOrder:
    """An order that was there before, as the batch has left it so far."""
    view = known.views[order]
    priced: list[Priced] = []
    for bundle, lines in together(batch.lines_of(order)):
        if bundle is None:
            priced += (Priced(quantity=line.open, unit_price=_price_of(batch, known, line.id)) for line in lines)
        else:
            price = _price_of_bundle(batch, known, bundle, lines[0].id)
            priced.append(Priced(quantity=still_wanted(lines), unit_price=price))
    return RuledOrder(channel=view.channel, terms=batch.terms_of(order) or view.terms, lines=tuple(priced))


def _price_of_bundle(batch: Batch, known: Known, bundle: BundleId, part: LineId) -> Money | None:
    new = batch.new_bundle(bundle)
    if new:
        return new.unit_price
    sold_as = known.lines[part].sold_as
    return sold_as.unit_price if sold_as else None


def _price_of(batch: Batch, known: Known, line: LineId) -> Money | None:
    new = batch.new_line(line)
    return new.unit_price if new else known.lines[line].price


# ---------------------------------------------------------------- are the rules well formed?


def _checked(rules: Sequence[AllocationRule]) -> list[AllocationRule]:
    problems, path = Problems(), ("input", "rules")
    problems.size(len(rules), path, RULES_MAX, least=0)
    checked = [_rule(problems, rule, (*path, str(index))) for index, rule in enumerate(rules)]
    problems.distinct((rule.name for rule in checked), path, "Each name may stand here once.")
    problems.refuse()
    return checked


def _rule(problems: Problems, rule: AllocationRule, path: Path) -> AllocationRule:
    _check_schedule(problems, rule, path)
    checked = replace(
        rule,
        name=problems.code(rule.name, (*path, "name")),
        channels=_values(problems, rule.channels, (*path, "channels")),
        country_codes=_countries(problems, rule.country_codes, (*path, "countryCodes")),
        regions=_values(problems, rule.regions, (*path, "regions")),
        tags=_values(problems, rule.tags, (*path, "tags")),
        value_from=problems.money(rule.value_from, (*path, "valueFrom")),
        value_below=problems.money(rule.value_below, (*path, "valueBelow")),
    )
    _check_bounds(problems, checked, path)
    return checked


def _check_schedule(problems: Problems, rule: AllocationRule, path: Path) -> None:
    at = (*path, "everyMinutes")
    if rule.when is not AllocateWhen.ON_SCHEDULE:
        if rule.every_minutes is not None:
            problems.add(at, "NOT_ALLOWED", "Only ON_SCHEDULE has minutes: leave them out.")
    elif rule.every_minutes is None:
        problems.add(at, "REQUIRED", "ON_SCHEDULE needs to know how often.")
    else:
        problems.whole(rule.every_minutes, at, 1, MINUTES_MAX)


def _check_bounds(problems: Problems, rule: AllocationRule, path: Path) -> None:
    low, high = rule.value_from, rule.value_below
    if low and high:
        if low.currency_code != high.currency_code:
            at = (*path, "valueBelow", "currencyCode")
            problems.add(at, "NOT_ALLOWED", "Both bounds are of one currency; make a rule for each.")
        elif low.amount >= high.amount:
            problems.add((*path, "valueBelow", "amount"), "OUT_OF_RANGE", "This must be more than valueFrom.")


def _values(problems: Problems, values: tuple[str, ...] | None, path: Path) -> tuple[str, ...] | None:
    if values is None:
        return None
    _check_criterion(problems, values, path)
    return tuple(problems.code(value, (*path, str(index))) for index, value in enumerate(values))


def _countries(problems: Problems, values: tuple[str, ...] | None, path: Path) -> tuple[str, ...] | None:
    if values is None:
        return None
    _check_criterion(problems, values, path)
    found = (problems.country(value, (*path, str(index))) for index, value in enumerate(values))
    return tuple(country for country in found if country)


def _check_criterion(problems: Problems, values: tuple[str, ...], path: Path) -> None:
    """An empty list would match nothing, which nobody means."""
    problems.size(len(values), path, CRITERION_MAX)
