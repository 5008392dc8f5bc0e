"""Mails: what they tell of, the templates that they are made from, and how often a mail is tried."""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.events import (
    AlertEvent,
    AlertRaised,
    AlertResolved,
    AllocationStatusChanged,
    Event,
    FulfillmentChanged,
    OrderChanged,
)
from domain.ids import AlertId, EventId, MailId, OrderId
from domain.kinds import (
    AllocationStatus,
    FulfillmentState,
    MailAudience,
    MailState,
    MailTopic,
    OrderChange,
    OrderStatus,
)
from domain.texts import one_line
from domain.webhooks import spread

SUBJECT_LENGTH_MAX = 200
BODY_LENGTH_MAX = 10_000
VALUE_LENGTH_MAX = 300
"""Of one thing that stands in the place of a placeholder."""
LINES_NAMED_MAX = 50

# ---------------------------------------------------------------- what mails tell of


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A topic: who reads of it, which events tell of it, and what its template may speak of.

    `once`: an order's customer is told of it once, however many events say so.
    """

    audience: MailAudience
    told_by: Callable[[Event], bool]
    placeholders: tuple[str, ...]
    once: bool = False


ORDER_PLACEHOLDERS = (
    *("order.number", "order.channel", "order.placedAt", "order.lines", "order.trackingUrl"),
    "customer.name",
)
SHIPPING_PLACEHOLDERS = (
    "shipping.carrier",
    "shipping.trackingNumber",
    "shipping.estimatedShipAt",
    "shipping.estimatedDeliveryAt",
)
ALERT_PLACEHOLDERS = ("alert.rule", "alert.kind", "alert.subject", "alert.available", "alert.at")


def _has(*changes: OrderChange) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, OrderChanged) and not set(changes).isdisjoint(event.changes)


def _becomes(status: AllocationStatus) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, AllocationStatusChanged) and event.after is status


def _comes(state: FulfillmentState) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, FulfillmentChanged) and event.after is state is not event.before


CUSTOMER, TEAM = MailAudience
TOPICS: Mapping[MailTopic, Telling] = {
    MailTopic.ORDER_PLACED: Telling(
        audience=CUSTOMER,
        told_by=_has(OrderChange.PLACED, OrderChange.FINALIZED),
        placeholders=ORDER_PLACEHOLDERS,
        once=True,
    ),
    MailTopic.ORDER_ALLOCATED: Telling(
        audience=CUSTOMER, told_by=_becomes(AllocationStatus.ALLOCATED), placeholders=ORDER_PLACEHOLDERS, once=True
    ),
    MailTopic.ORDER_CANCELED: Telling(
        audience=CUSTOMER, told_by=_has(OrderChange.VOIDED), placeholders=ORDER_PLACEHOLDERS, once=True
    ),
    MailTopic.ORDER_RELEASED: Telling(
        audience=CUSTOMER,
        told_by=_comes(FulfillmentState.RELEASED),
        placeholders=ORDER_PLACEHOLDERS + SHIPPING_PLACEHOLDERS,
        once=True,
    ),
    MailTopic.ORDER_SHIPPED: Telling(
        audience=CUSTOMER,
        told_by=_comes(FulfillmentState.SHIPPED),
        placeholders=ORDER_PLACEHOLDERS + SHIPPING_PLACEHOLDERS,
    ),
    MailTopic.ORDER_DELIVERED: Telling(
        audience=CUSTOMER,
        told_by=_comes(FulfillmentState.DELIVERED),
        placeholders=ORDER_PLACEHOLDERS + SHIPPING_PLACEHOLDERS,
    ),
    MailTopic.ALERT_RAISED: Telling(
        audience=TEAM, told_by=lambda event: isinstance(event, AlertRaised), placeholders=ALERT_PLACEHOLDERS
    ),
    MailTopic.ALERT_RESOLVED: Telling(
        audience=TEAM, told_by=lambda event: isinstance(event, AlertResolved), placeholders=ALERT_PLACEHOLDERS
    ),
}


NOTICED = (
    "OrderChanged",
    "AllocationStatusChanged",
    "StockLevelChanged",
    "FulfillmentChanged",
    "AlertRaised",
    "AlertResolved",
)
"""The types of events that alerts and mails are made of."""


def topics_of(event: Event) -> list[MailTopic]:
    return [topic for topic, telling in TOPICS.items() if telling.told_by(event)]


# ---------------------------------------------------------------- templates


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTemplate:
    """Subject and body, with placeholders such as {{ order.number }}.

    `channels`: of a customer's mail, the codes of the channels for which it is on; a team's mail has none.
    """

    topic: MailTopic
    audience: MailAudience
    subject: str
    body: str
    channels: tuple[str, ...] = ()


FOLLOW = "\n\nFollow your order here: {{ order.trackingUrl }}"
DEFAULTS: Mapping[MailTopic, MailTemplate] = {
    one.topic: one
    for one in (
        MailTemplate(
            topic=MailTopic.ORDER_PLACED,
            audience=CUSTOMER,
            subject="We have your order {{ order.number }}",
            body="Hello {{ customer.name }},\n\nthank you for your order {{ order.number }} of {{ order.placedAt }}:"
            "\n\n{{ order.lines }}\n\nWe will write to you as soon as there is something new." + FOLLOW,
        ),
        MailTemplate(
            topic=MailTopic.ORDER_ALLOCATED,
            audience=CUSTOMER,
            subject="Your order {{ order.number }} is reserved for you",
            body="Hello {{ customer.name }},\n\neverything in your order {{ order.number }} has been set aside for you:"
            "\n\n{{ order.lines }}\n\nNext it will be prepared for shipping." + FOLLOW,
        ),
        MailTemplate(
            topic=MailTopic.ORDER_CANCELED,
            audience=CUSTOMER,
            subject="Your order {{ order.number }} has been canceled",
            body="Hello {{ customer.name }},\n\nyour order {{ order.number }} has been canceled. Nothing will be "
            "shipped.",
        ),
        MailTemplate(
            topic=MailTopic.ORDER_RELEASED,
            audience=CUSTOMER,
            subject="Your order {{ order.number }} is being prepared",
            body="Hello {{ customer.name }},\n\nour warehouse is preparing your order {{ order.number }}:"
            "\n\n{{ order.lines }}\n\nIt should leave by {{ shipping.estimatedShipAt }} and be with you by "
            "{{ shipping.estimatedDeliveryAt }}." + FOLLOW,
        ),
        MailTemplate(
            topic=MailTopic.ORDER_SHIPPED,
            audience=CUSTOMER,
            subject="Your order {{ order.number }} is on its way",
            body="Hello {{ customer.name }},\n\ngoods of your order {{ order.number }} have left our house.\n\n"
            "Carrier: {{ shipping.carrier }}\nTracking number: {{ shipping.trackingNumber }}\n\n"
            "They should be with you by {{ shipping.estimatedDeliveryAt }}." + FOLLOW,
        ),
        MailTemplate(
            topic=MailTopic.ORDER_DELIVERED,
            audience=CUSTOMER,
            subject="Your order {{ order.number }} has arrived",
            body="Hello {{ customer.name }},\n\ngoods of your order {{ order.number }} have been delivered. We hope "
            "you like them." + FOLLOW,
        ),
        MailTemplate(
            topic=MailTopic.ALERT_RAISED,
            audience=TEAM,
            subject="{{ alert.rule }}: {{ alert.subject }}",
            body="{{ alert.kind }}: {{ alert.subject }}\n\nSeen {{ alert.at }} by the rule {{ alert.rule }}.\n\n"
            "Available: {{ alert.available }}",
        ),
        MailTemplate(
            topic=MailTopic.ALERT_RESOLVED,
            audience=TEAM,
            subject="Over: {{ alert.rule }}: {{ alert.subject }}",
            body="{{ alert.kind }}: {{ alert.subject }}\n\nThis is over since {{ alert.at }}.",
        ),
    )
}
PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def template_problem(text: str, topic: MailTopic) -> str | None:
    """What is wrong with the placeholders of a text."""
    known = TOPICS[topic].placeholders
    unknown = [name for name in PLACEHOLDER.findall(text) if name not in known]
    if unknown or "{{" in PLACEHOLDER.sub("", text) or "}}" in PLACEHOLDER.sub("", text):
        wrong = f"{{{{ {one_line(unknown[0], 50)} }}}} is unknown. " if unknown else ""
        return f"{wrong}Here may stand: {', '.join(f'{{{{ {name} }}}}' for name in known)}."
    return None


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder replaced; what was put in is not looked at again."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def _without_empty_lines(text: str, values: Mapping[str, str]) -> str:
    """Without the lines that speak of something that there is not, such as a link where no address is known."""

    def is_empty(name: str) -> bool:
        return values.get(name) == ""

    return "\n".join(line for line in text.split("\n") if not any(map(is_empty, PLACEHOLDER.findall(line))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a mail says."""

    subject: str
    text: str
    html: str


def write(template: MailTemplate, values: Mapping[str, str], link: str | None = None) -> Written:
    """The HTML is made of the text: nothing in it is markup of others. `link`: ours, which can be clicked on."""
    text = filled(_without_empty_lines(template.body, values), values).strip()
    return Written(
        subject=one_line(filled(template.subject, values), SUBJECT_LENGTH_MAX), text=text, html=html_of(text, link)
    )


def html_of(text: str, link: str | None = None) -> str:
    paragraphs = (part.strip("\n") for part in re.split(r"\n[ \t]*\n", text))
    shown = "\n".join(
        f'<p dir="auto">{html.escape(part).replace(chr(10), "<br>" + chr(10))}</p>' for part in paragraphs if part
    )
    if link:
        address = html.escape(link)
        shown = shown.replace(address, f'<a href="{address}">{address}</a>')
    return f'<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n{shown}\n</body></html>\n'


# ---------------------------------------------------------------- what templates speak of


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderToTell:
    """An order as its customer is told of it. `lines`: units and name. `was_known`: the customer may know of it."""

    id: OrderId
    number: str
    channel: str
    status: OrderStatus
    placed_at: datetime
    customer_name: str | None
    customer_email: str | None
    lines: tuple[tuple[int, str], ...]
    was_known: bool


def concerns(topic: MailTopic, order: OrderToTell, *, is_told: bool) -> bool:
    """Whether the customer is to be told, as the order is by now: nobody hears of a draft. `is_told`: of more."""
    if topic is MailTopic.ORDER_CANCELED:
        return order.was_known or is_told
    return order.status not in (OrderStatus.DRAFT, OrderStatus.VOID)


def order_values(order: OrderToTell, link: str | None = None) -> dict[str, str]:
    """`link`: where its customer follows it."""
    lines = [f"{quantity} x {_value(name)}" for quantity, name in order.lines[:LINES_NAMED_MAX]]
    more = len(order.lines) - len(lines)
    return {
        "order.number": _value(order.number),
        "order.channel": _value(order.channel),
        "order.placedAt": f"{order.placed_at:%Y-%m-%d}",
        "order.lines": "\n".join([*lines, f"… and {more} more"] if more > 0 else lines),
        "order.trackingUrl": link or "",
        "customer.name": _value(order.customer_name or "customer"),
    }


def shipping_values(event: FulfillmentChanged) -> dict[str, str]:
    def day(moment: datetime | None) -> str:
        return "-" if moment is None else f"{moment:%Y-%m-%d}"

    return {
        "shipping.carrier": _value(event.carrier or "-"),
        "shipping.trackingNumber": _value(event.tracking_number or "-"),
        "shipping.estimatedShipAt": day(event.estimated_ship_at),
        "shipping.estimatedDeliveryAt": day(event.estimated_delivery_at),
    }


def alert_values(event: AlertEvent, subject: str, at: datetime) -> dict[str, str]:
    return {
        "alert.rule": _value(event.rule),
        "alert.kind": event.kind.replace("_", " ").capitalize(),
        "alert.subject": _value(subject),
        "alert.available": "-" if event.available is None else f"{event.available:,}",
        "alert.at": f"{at:%Y-%m-%d %H:%M} UTC",
    }


def _value(text: str) -> str:
    return one_line(text, VALUE_LENGTH_MAX)


# ---------------------------------------------------------------- the outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A mail to be written. `once`: no other mail has it. `error`: why it cannot be sent at all.

    `about`: of what is about the same thing, one after the other.
    """

    once: str
    about: str
    template: MailTemplate
    recipient: str
    written: Written
    event: EventId
    order: OrderId | None = None
    alert: AlertId | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail and what has become of it. `error`: what was wrong the last time."""

    id: MailId
    topic: MailTopic
    audience: MailAudience
    recipient: str
    subject: str
    text: str
    html: str
    state: MailState
    attempts: int
    error: str | None
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMail:
    """A mail that one worker holds for a while. `attempts`: those before."""

    id: MailId
    recipient: str
    written: Written
    created_at: datetime
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTried:
    """What came of one attempt. It was taken where there is no error. `is_final`: it would never be."""

    claimed: ClaimedMail
    error: str | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPatience:
    """How long after each failure but the last; then the mail is dead."""

    retry_seconds: tuple[float, ...] = (10, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400)

    def after(self, tried: MailTried, chance: float) -> tuple[MailState, float]:
        """What becomes of the mail, and for how many seconds it rests. `chance`: 0 to 1, for the jitter."""
        if tried.error is None:
            return MailState.SENT, 0
        if tried.is_final or tried.claimed.attempts >= len(self.retry_seconds):
            return MailState.DEAD, 0
        return MailState.PENDING, spread(self.retry_seconds[tried.claimed.attempts], chance)


MAIL_PATIENCE = MailPatience()
