"""What the workers make of the log: alerts, and mails to customers and to the team.

The position up to which the log has been read is written in the transaction of what was made of it, under a lock that
one worker holds at a time: whatever dies, nothing is made twice and nothing is left out.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain.alerts import LASTS, AlertRule, Found, Judged, OpenKey, WatchingRule, judge_change, settle, subject_of
from domain.events import (
    AlertEvent,
    AllocationStatusChanged,
    Event,
    FulfillmentChanged,
    LoggedEvent,
    OrderEvent,
    StockLevelChanged,
)
from domain.ids import AlertId, EventId, OrderId
from domain.kinds import AlertKind, MailAudience, MailTopic
from domain.mail_addresses import address_problem
from domain.mails import (
    DEFAULTS,
    NOTICED,
    TOPICS,
    MailTemplate,
    NewMail,
    OrderToTell,
    alert_values,
    concerns,
    order_values,
    shipping_values,
    topics_of,
    write,
)
from domain.texts import one_line
from services.journeys import tokens_of, tracking_url
from services.ports.database import Database
from services.ports.events import CursorExpired, EventFilter
from services.ports.unit_of_work import UnitOfWork

EVENTS_AT_ONCE_MAX = 500
SCAN_ROWS_MAX = 20_000
"""Of the log in one transaction, however few of them matter."""
FOUND_AT_ONCE_MAX = 500
"""Situations that one turn of the clock may find for a rule; the rest comes in the next."""
STOCK_FOUND_MAX = 100_000
"""Of the SKUs of one batch of events all must be settled at once."""
FORGOTTEN_AT_ONCE_MAX = 2_000


async def take_up_log(database: Database, *, writes_mails: bool, public_url: str | None = None) -> bool:
    """Make alerts and mails of what the log has behind the position; whether more is left.

    `writes_mails`: there is a server to send them. `public_url`: where customers find us. False also where somebody
    else is at it just now: look again.
    """

    async def work(uow: UnitOfWork) -> bool:
        if not await uow.alerts.try_lock():
            return False
        start, end = await uow.alerts.reached(), await uow.events.end()
        until = min(end, start + SCAN_ROWS_MAX)
        if until <= start:
            return False
        events = await _behind(uow, start, until)
        if events:
            await _raise_alerts(uow, events)
            if writes_mails:
                await _write_mails(uow, events, public_url)
        reached = events[-1].position if len(events) == EVENTS_AT_ONCE_MAX else until
        await uow.alerts.reach(reached)
        return reached < end

    return await database.run(work, repeatable=True)


async def _behind(uow: UnitOfWork, start: int, until: int) -> list[LoggedEvent]:
    condition = EventFilter(types=NOTICED)
    try:
        return await uow.events.page(condition, EVENTS_AT_ONCE_MAX, start, until)
    except CursorExpired:
        return await uow.events.page(condition, EVENTS_AT_ONCE_MAX, None, until)


async def check_alerts(database: Database) -> bool:
    """Look for what comes up by the clock alone, and for what new rules find already; whether more is left."""

    async def work(uow: UnitOfWork) -> bool:
        rules = await uow.alerts.rules()
        due = [one for one in rules if one.rule.kind in LASTS or _is_new_of_stock(one)]
        if not due or not await uow.alerts.try_lock():
            return False
        rules = await uow.alerts.rules()  # as they are under the lock
        more = False
        for watching in rules:
            if watching.rule.kind in LASTS or _is_new_of_stock(watching):
                more = await _look(uow, watching) or more
        return more

    return await database.run(work, repeatable=True)


async def forget_old_notices(database: Database) -> bool:
    """Remove mails and alerts that are kept no longer, some at a time; whether there may be more."""

    async def work(uow: UnitOfWork) -> bool:
        mails = await uow.mails.forget_ended(FORGOTTEN_AT_ONCE_MAX)
        alerts = await uow.alerts.forget(FORGOTTEN_AT_ONCE_MAX)
        return FORGOTTEN_AT_ONCE_MAX in (mails, alerts)

    return await database.run(work, repeatable=True)


# ---------------------------------------------------------------- alerts


def _is_new_of_stock(watching: WatchingRule) -> bool:
    return watching.rule.kind is AlertKind.STOCK_RUNNING_OUT and watching.checked_at is None


async def _look(uow: UnitOfWork, watching: WatchingRule) -> bool:
    """Everything that one rule finds, some at a time; whether there may be more."""
    rule, moment = watching.rule, await uow.alerts.moment()
    if rule.kind is AlertKind.STOCK_RUNNING_OUT:
        found = await uow.alerts.running_out(FOUND_AT_ONCE_MAX, rule=rule.name)
    else:
        found = await uow.alerts.crossed(rule.kind, rule.name, FOUND_AT_ONCE_MAX)
    await _settle(uow, *_judged(found, [watching]))
    more = len(found) == FOUND_AT_ONCE_MAX
    until = _seen_until(watching, found) if more else moment
    if until is not None:
        await uow.alerts.checked([rule.name], until)
    return more


def _seen_until(watching: WatchingRule, found: Sequence[Found]) -> datetime | None:
    """Until when a rule has looked that has not come to the end of what it finds."""
    since = found[-1].since
    return None if since is None else since + timedelta(hours=watching.rule.hours or 0)


async def _raise_alerts(uow: UnitOfWork, events: Sequence[LoggedEvent]) -> None:
    rules = await uow.alerts.rules()
    if not rules:
        return
    judged: list[Judged] = []
    for one in events:
        if isinstance(one.event, AllocationStatusChanged):
            judged += judge_change(rules, one.event, one.position)
    orders = [one.subject.order for one in judged if one.subject.order is not None]
    open_alerts = await uow.alerts.open_of_orders(orders) if orders else {}
    more, more_open = _judged(await _true_now(uow, events, {one.rule.kind for one in rules}), rules)
    await _settle(uow, [*judged, *more], open_alerts | more_open)


async def _true_now(uow: UnitOfWork, events: Sequence[LoggedEvent], kinds: set[AlertKind]) -> list[Found]:
    """What has come up, or is over, of what these events are about."""
    found: list[Found] = []
    orders = list(_orders(events))
    for kind in sorted(kinds & LASTS):
        if orders:
            found += await uow.alerts.waiting(kind, orders)
    skus = sorted({one.event.sku for one in events if isinstance(one.event, StockLevelChanged)})
    if skus and AlertKind.STOCK_RUNNING_OUT in kinds:
        found += await uow.alerts.running_out(STOCK_FOUND_MAX, skus=skus)
    return found


def _orders(events: Iterable[LoggedEvent]) -> dict[OrderId, None]:
    return dict.fromkeys(one.event.order_id for one in events if isinstance(one.event, OrderEvent))


def _judged(found: Iterable[Found], rules: Iterable[WatchingRule]) -> tuple[list[Judged], dict[OpenKey, AlertId]]:
    by_name: dict[str, AlertRule] = {one.rule.name: one.rule for one in rules}
    judged, open_alerts = [], {}
    for one in found:
        judged.append(Judged(rule=by_name[one.rule], subject=one.subject, holds=one.holds, available=one.available))
        if one.alert is not None:
            open_alerts[one.rule, one.subject.key] = one.alert
    return judged, open_alerts


async def _settle(uow: UnitOfWork, judged: Sequence[Judged], open_alerts: dict[OpenKey, AlertId]) -> None:
    if judged:
        ids = await uow.alerts.reserve_ids(sum(one.holds for one in judged))
        await uow.alerts.record(settle(judged, open_alerts, ids))


# ---------------------------------------------------------------- mails


async def _write_mails(uow: UnitOfWork, events: Sequence[LoggedEvent], public_url: str | None) -> None:
    told = [(one, topic) for one in events for topic in topics_of(one.event)]
    if not told:
        return
    saved = {one.topic: one for one in await uow.mails.templates()}
    customers = [one for one in told if TOPICS[one[1]].audience is MailAudience.CUSTOMER]
    mails = await _to_customers(uow, customers, saved, public_url)
    mails += await _to_team(uow, [one for one in told if TOPICS[one[1]].audience is MailAudience.TEAM], saved)
    if mails:
        await uow.mails.add(sorted(mails, key=lambda one: one.event))


OF_ORDERS = (OrderEvent, FulfillmentChanged)
Told = Sequence[tuple[LoggedEvent, MailTopic]]


async def _to_customers(
    uow: UnitOfWork, told: Told, saved: dict[MailTopic, MailTemplate], public_url: str | None
) -> list[NewMail]:
    """Mails of the topics that are switched on for the channel of the order."""
    wanted = []
    for one, topic in told:
        template = saved.get(topic)
        if template and isinstance(one.event, OF_ORDERS) and one.event.channel_code in template.channels:
            wanted.append((one, one.event.order_id, template))
    orders = await uow.mails.orders_to_tell(list(dict.fromkeys(order for _, order, _ in wanted))) if wanted else {}
    links = await _links(uow, orders.values(), public_url)
    found: list[NewMail] = []
    for one, order, template in wanted:
        known = orders.get(order)
        if known and known.customer_email and concerns(template.topic, known, is_told=_told_before(found, order)):
            found.append(_to_customer(one, known, template, known.customer_email, links.get(order)))
    return found


async def _links(uow: UnitOfWork, orders: Iterable[OrderToTell], public_url: str | None) -> dict[OrderId, str]:
    """Where the customers follow these orders, those who can be written to."""
    to = [order.id for order in orders if order.customer_email]
    if public_url is None or not to:
        return {}
    return {order: tracking_url(public_url, token) for order, token in (await tokens_of(uow, to)).items()}


def _told_before(mails: Iterable[NewMail], order: OrderId) -> bool:
    return any(one.order == order for one in mails)


def _to_customer(
    one: LoggedEvent, order: OrderToTell, template: MailTemplate, address: str, link: str | None
) -> NewMail:
    event = "" if TOPICS[template.topic].once else f" event {one.id}"
    return NewMail(
        once=f"{template.topic} order {order.id}{event}",
        about=f"order {order.id}",
        template=template,
        recipient=one_line(address, 500),
        written=write(template, order_values(order, link) | _of_shipping(one.event), link),
        event=EventId(one.id),
        order=order.id,
        error=address_problem(address),
    )


def _of_shipping(event: Event) -> dict[str, str]:
    return shipping_values(event) if isinstance(event, FulfillmentChanged) else {}


async def _to_team(uow: UnitOfWork, told: Told, saved: dict[MailTopic, MailTemplate]) -> list[NewMail]:
    alerts = [(one, one.event, topic) for one, topic in told if isinstance(one.event, AlertEvent)]
    ids = list(dict.fromkeys(event.alert_id for _, event, _ in alerts))
    recipients = await uow.mails.recipients(ids) if ids else {}
    found = []
    for one, event, topic in alerts:
        template = saved.get(topic, DEFAULTS[topic])
        written = write(template, alert_values(event, str(subject_of(event)), one.occurred_at))
        for address in recipients.get(event.alert_id, ()):
            mail = NewMail(
                once=f"{topic} event {one.id} {address}",
                about=f"alert {event.alert_id}",
                template=template,
                recipient=address,
                written=written,
                event=EventId(one.id),
                order=event.order_id,
                alert=event.alert_id,
            )
            found.append(mail)
    return found
