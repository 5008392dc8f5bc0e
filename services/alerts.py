"""Alert rules: say what is watched for, and who is told."""

from collections.abc import Sequence
from dataclasses import replace

from domain.alerts import LASTS, Alert, AlertRule, Judged, WatchingRule, settle
from domain.checks import Path, Problems
from domain.kinds import AlertKind
from domain.mail_addresses import address_problem
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

RULES_MAX = 100
CRITERION_MAX = 100
"""The most values of one criterion."""
RECIPIENTS_MAX = 20
UNITS_MAX = 1_000_000_000
HOURS_MAX = 24 * 90


async def save_alert_rules(database: Database, rules: Sequence[AlertRule]) -> list[AlertRule]:
    """Make these the rules, instead of all that there were; what they are now. Raises InvalidInput.

    A new rule takes up what happens from now on, and what runs out or waits already. Alerts of rules that are gone, or
    watch for something else, are resolved.
    """
    checked = _checked(rules)

    async def work(uow: UnitOfWork) -> list[AlertRule]:
        await uow.alerts.lock()
        await _refuse_unknown_endpoints(uow, checked)
        before = {one.rule.name: one for one in await uow.alerts.rules()}
        end, kept = await uow.events.end(), {}
        for rule in checked:
            known = before.get(rule.name)
            same = known if known and rule.watches_as(known.rule) else WatchingRule(rule=rule, since=end)
            kept[rule.name] = replace(same, rule=rule)
        gone = [name for name, one in before.items() if name not in kept or not one.rule.watches_as(kept[name].rule)]
        await _resolve(uow, gone, before)
        await uow.alerts.replace_rules(list(kept.values()))
        await uow.alerts.begin()
        return [one.rule for one in await uow.alerts.rules()]

    return await database.run(work, repeatable=True)


async def _resolve(uow: UnitOfWork, gone: Sequence[str], before: dict[str, WatchingRule]) -> None:
    """Nobody watches for these any more."""
    still = await uow.alerts.open_of_rules(gone) if gone else []
    over = [Judged(rule=_as_raised(before[one.rule].rule, one), subject=one.subject, holds=False) for one in still]
    open_alerts = {(one.rule, one.subject.key): one.id for one in still}
    await uow.alerts.record(settle(over, open_alerts, ()))


def _as_raised(rule: AlertRule, alert: Alert) -> AlertRule:
    return replace(rule, emails=alert.emails, endpoints=alert.endpoints)


# ---------------------------------------------------------------- are the rules well formed?


def _checked(rules: Sequence[AlertRule]) -> list[AlertRule]:
    problems, path = Problems(), ("input", "rules")
    problems.size(len(rules), path, RULES_MAX, least=0)
    checked = [_rule(problems, rule, (*path, str(index))) for index, rule in enumerate(rules)]
    problems.distinct((rule.name for rule in checked), path, "Each name may stand here once.")
    problems.refuse()
    return checked


def _rule(problems: Problems, rule: AlertRule, path: Path) -> AlertRule:
    is_stock = rule.kind is AlertKind.STOCK_RUNNING_OUT
    _bound(problems, rule.units, (*path, "units"), UNITS_MAX, wanted=is_stock, kinds=(AlertKind.STOCK_RUNNING_OUT,))
    _bound(problems, rule.hours, (*path, "hours"), HOURS_MAX, wanted=rule.kind in LASTS, kinds=tuple(LASTS), least=1)
    for name in ("channels",) if is_stock else ("skus", "locations"):
        if getattr(rule, name) is not None:
            problems.add((*path, name), "NOT_ALLOWED", f"A rule of {rule.kind} has no {name}: leave them out.")
    return replace(
        rule,
        name=problems.code(rule.name, (*path, "name")),
        channels=_values(problems, rule.channels, (*path, "channels")),
        skus=_values(problems, rule.skus, (*path, "skus")),
        locations=_values(problems, rule.locations, (*path, "locations")),
        emails=checked_addresses(problems, rule.emails, (*path, "emails")),
        endpoints=_distinct(problems, rule.endpoints, (*path, "endpoints"), RECIPIENTS_MAX),
    )


def _bound(
    problems: Problems,
    value: int | None,
    path: Path,
    most: int,
    *,
    wanted: bool,
    kinds: tuple[AlertKind, ...],
    least: int = 0,
) -> None:
    if wanted and value is None:
        problems.add(path, "REQUIRED", "A rule of this kind needs to know how many.")
    elif value is not None and not wanted:
        problems.add(path, "NOT_ALLOWED", f"Only {', '.join(kinds)} has this: leave it out.")
    elif value is not None:
        problems.whole(value, path, least, most)


def _values(problems: Problems, values: tuple[str, ...] | None, path: Path) -> tuple[str, ...] | None:
    """An empty list would match nothing, which nobody means."""
    return None if values is None else _distinct(problems, values, path, CRITERION_MAX, least=1)


def _distinct(problems: Problems, values: tuple[str, ...], path: Path, most: int, least: int = 0) -> tuple[str, ...]:
    problems.size(len(values), path, most, least=least)
    found = tuple(problems.code(value, (*path, str(at))) for at, value in enumerate(values[:most]))
    problems.distinct(found, path, "Each may stand here once.")
    return found


def checked_addresses(problems: Problems, values: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """Mail addresses as Dibs keeps them."""
    problems.size(len(values), path, RECIPIENTS_MAX, least=0)
    found = []
    for at, value in enumerate(values[:RECIPIENTS_MAX]):
        where = (*path, str(at))
        address = problems.text(value, where)
        problem = address_problem(address) if address else None
        if problem:
            problems.add(where, "NOT_A_MAIL_ADDRESS", problem)
        found.append(address)
    problems.distinct(found, path, "Each may stand here once.")
    return tuple(found)


async def _refuse_unknown_endpoints(uow: UnitOfWork, rules: Sequence[AlertRule]) -> None:
    named = {name for rule in rules for name in rule.endpoints}
    known = {one.name for one in await uow.webhooks.endpoints()} if named else set()
    problems = Problems()
    for index, rule in enumerate(rules):
        for at, name in enumerate(rule.endpoints):
            if name not in known:
                path = ("input", "rules", str(index), "endpoints", str(at))
                problems.add(path, "UNKNOWN", "There is no webhook endpoint of this name: save it first.")
    problems.refuse()
