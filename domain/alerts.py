"""Alerts: situations that a rule watches for. An alert is open for as long as its situation lasts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.events import AlertEvent, AlertRaised, AlertResolved, AllocationStatusChanged
from domain.ids import AlertId, OrderId
from domain.kinds import AlertKind, AllocationStatus

BECOMES: Mapping[AlertKind, AllocationStatus] = {
    AlertKind.ORDER_ALLOCATED: AllocationStatus.ALLOCATED,
    AlertKind.ORDER_OVERALLOCATED: AllocationStatus.OVERALLOCATED,
}
"""Kinds that every change of an order's allocation status is judged by, also one that is over by now."""

LASTS: frozenset[AlertKind] = frozenset((AlertKind.ORDER_NOT_ALLOCATED, AlertKind.ORDER_NOT_SHIPPED))
"""Kinds that an order comes to by waiting. Their SQL is one row of `persistence.situations.LASTING` each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """What is watched for, and who is told. A criterion that is None is none.

    `units`: STOCK_RUNNING_OUT alone: at so many or fewer available, at each of the `locations` or, where that is None,
    over all. `hours`: the kinds that an order comes to by waiting. `endpoints`: of webhooks, by name.
    """

    name: str
    kind: AlertKind
    channels: tuple[str, ...] | None = None
    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    units: int | None = None
    hours: int | None = None
    emails: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()

    def watches_as(self, other: "AlertRule | None") -> bool:
        """Whether the two watch for the same, whoever is told."""
        return other is not None and replace(self, emails=(), endpoints=()) == replace(other, emails=(), endpoints=())


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchingRule:
    """A rule and what it has seen: it takes the log up behind `since`.

    `checked_at`: until when it has looked for situations that no event tells of; None: not yet.
    """

    rule: AlertRule
    since: int
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alert is about: an order, or a SKU at a location or over all."""

    order: OrderId | None = None
    order_number: str | None = None
    channel: str | None = None
    sku: str | None = None
    location: str | None = None

    @property
    def key(self) -> tuple[OrderId | None, str | None, str | None]:
        return self.order, self.sku, self.location

    def __str__(self) -> str:
        if self.order is not None:
            return f"order {self.order_number} of {self.channel}"
        return f"{self.sku} at {self.location}" if self.location else f"{self.sku}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A situation, from when it was seen until it was seen to be over."""

    id: AlertId
    rule: str
    kind: AlertKind
    subject: Subject
    available: int | None
    emails: tuple[str, ...]
    endpoints: tuple[str, ...]
    raised_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A situation that is there and not open, or is open and not there. `alert`: the one that is open."""

    rule: str
    subject: Subject
    holds: bool
    alert: AlertId | None
    available: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Whether a situation is there, as far as a rule goes. `available`: units, where it is about stock."""

    rule: AlertRule
    subject: Subject
    holds: bool
    available: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An alert to be written. `over`: its situation came and went."""

    id: AlertId
    judged: Judged
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanges:
    """What is to be written: alerts that open, those that close, and the events of both in sequence."""

    opened: tuple[Opened, ...]
    closed: tuple[AlertId, ...]
    events: tuple[AlertRaised | AlertResolved, ...]


OpenKey = tuple[str, tuple[OrderId | None, str | None, str | None]]
"""The name of a rule, and the key of a subject: at most one alert is open for it."""


def judge_change(rules: Iterable[WatchingRule], event: AllocationStatusChanged, position: int) -> list[Judged]:
    """What a change of an order's allocation status means to the rules that take the log up behind it."""
    subject = Subject(order=event.order_id, order_number=event.order_number, channel=event.channel_code)
    found = []
    for watching in rules:
        rule, status = watching.rule, BECOMES.get(watching.rule.kind)
        if status and watching.since < position and (rule.channels is None or event.channel_code in rule.channels):
            found.append(Judged(rule=rule, subject=subject, holds=event.after is status))
    return found


def settle(judged: Sequence[Judged], open_alerts: Mapping[OpenKey, AlertId], ids: Sequence[AlertId]) -> AlertChanges:
    """Raise what holds and is not open, resolve what is open and does not hold. `ids`: one for each that holds."""
    now, fresh = dict(open_alerts), iter(ids)
    opened: dict[AlertId, Opened] = {}
    closed: list[AlertId] = []
    events: list[AlertRaised | AlertResolved] = []
    for one in judged:
        key: OpenKey = (one.rule.name, one.subject.key)
        alert = now.get(key)
        if one.holds and alert is None:
            now[key] = alert = next(fresh)
            opened[alert] = Opened(id=alert, judged=one)
            events.append(AlertRaised(**_told(alert, one)))
        elif alert is not None and not one.holds:
            del now[key]
            events.append(AlertResolved(**_told(alert, one)))
            if alert in opened:
                opened[alert] = replace(opened[alert], over=True)
            else:
                closed.append(alert)
    return AlertChanges(opened=tuple(opened.values()), closed=tuple(closed), events=tuple(events))


def _told(alert: AlertId, judged: Judged) -> dict[str, Any]:
    subject, rule = judged.subject, judged.rule
    return {
        "alert_id": alert,
        "rule": rule.name,
        "kind": rule.kind,
        "order_id": subject.order,
        "order_number": subject.order_number,
        "channel_code": subject.channel,
        "sku": subject.sku,
        "location_code": subject.location,
        "available": judged.available,
        "endpoints": rule.endpoints,
    }


def subject_of(event: AlertEvent) -> Subject:
    return Subject(
        order=event.order_id,
        order_number=event.order_number,
        channel=event.channel_code,
        sku=event.sku,
        location=event.location_code,
    )
