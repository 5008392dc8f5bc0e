"""Mails: the templates, what is to be written from the log, and the outbox.

Any number of workers share the outbox: a mail is leased for as long as it is being sent, so a worker that dies keeps
nothing. Mails about one thing go one after the other.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import AlertId, MailId, OrderId
from domain.kinds import MailAudience, MailState, MailTopic, OrderStatus
from domain.mails import ClaimedMail, Mail, MailTemplate, MailTried, NewMail, OrderToTell, Written
from persistence.sql import BIGINT, BIGINTS, INT, NUMERICS, TEXT, TEXTS, columns, sql

TEMPLATES = sql("SELECT topic, audience, subject, body, channels FROM mail_templates ORDER BY topic, audience")
SAVE_TEMPLATES = sql(
    """
    INSERT INTO mail_templates (topic, audience, subject, body, channels)
    SELECT n.topic, n.audience, n.subject, n.body, n.channels
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS n(topic text, audience text, subject text, body text, channels text[])
    ON CONFLICT (topic, audience) DO UPDATE SET
        subject = excluded.subject, body = excluded.body, channels = excluded.channels, changed_at = now()
    """
)

ORDERS = sql(
    """
    SELECT o.id, o.number, c.code AS channel, o.status, o.placed_at, o.customer_name, o.customer_email,
        (SELECT jsonb_agg(jsonb_build_array(n.units, n.name) ORDER BY n.at) FROM (
            SELECT min(l.position) AS at, max(coalesce(sold.name, i.name)) AS name,
                max(CASE WHEN l.bundle_id IS NULL THEN l.quantity ELSE l.quantity / l.bundle_units END) AS units
            FROM order_lines l JOIN items i ON i.id = l.item_id
            LEFT JOIN order_bundles b ON b.id = l.bundle_id LEFT JOIN items sold ON sold.id = b.item_id
            WHERE l.order_id = o.id GROUP BY l.bundle_id, CASE WHEN l.bundle_id IS NULL THEN l.id END) AS n) AS lines,
        EXISTS (SELECT FROM mails m WHERE m.order_id = o.id AND m.audience = 'CUSTOMER')
        OR EXISTS (SELECT FROM events e WHERE e.order_id = o.id AND (
            (e.type = 'OrderChanged' AND jsonb_exists(e.payload -> 'changes', 'FINALIZED'))
            OR (e.type = 'AllocationStatusChanged' AND e.payload ->> 'before' <> 'UNALLOCATED'))) AS was_known
    FROM orders o JOIN channels c ON c.id = o.channel_id WHERE o.id = ANY (:orders)
    """,
    orders=BIGINTS,
)
"""A draft is never finalized in the log, and no run looks at it: its customer may not know of it."""
RECIPIENTS = sql("SELECT id, emails FROM alerts WHERE id = ANY (:ids)", ids=BIGINTS)
ADD = sql(
    """
    INSERT INTO mails (once, about, topic, audience, recipient, subject, text, html, event_id, order_id, alert_id,
        state, error, ended_at)
    SELECT n.once, n.about, n.topic, n.audience, n.recipient, n.subject, n.text, n.html, n.event, n."order", n.alert,
        CASE WHEN n.error IS NULL THEN 'PENDING' ELSE 'DEAD' END, n.error,
        CASE WHEN n.error IS NOT NULL THEN clock_timestamp() END
    FROM unnest(:once, :about, :topics, :audiences, :recipients, :subjects, :texts, :htmls, :events, :orders, :alerts,
        :errors) WITH ORDINALITY AS n(once, about, topic, audience, recipient, subject, text, html, event, "order",
        alert, error, at)
    ORDER BY n.at ON CONFLICT (once) DO NOTHING
    """,
    once=TEXTS,
    about=TEXTS,
    topics=TEXTS,
    audiences=TEXTS,
    recipients=TEXTS,
    subjects=TEXTS,
    texts=TEXTS,
    htmls=TEXTS,
    events=BIGINTS,
    orders=BIGINTS,
    alerts=BIGINTS,
    errors=TEXTS,
)
ADDED = (
    *("once", "about", "topics", "audiences", "recipients", "subjects", "texts", "htmls", "events"),
    *("orders", "alerts", "errors"),
)

CLAIM = sql(
    """
    WITH due AS (
        SELECT m.id FROM mails m
        WHERE m.state = 'PENDING' AND m.due_at <= clock_timestamp() AND NOT EXISTS (
            SELECT FROM mails b WHERE b.about = m.about AND b.recipient = m.recipient AND b.state = 'PENDING'
                AND b.id < m.id)
        ORDER BY m.id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE mails m SET leased_by = :lease, due_at = clock_timestamp() + make_interval(secs => :seconds)
    FROM due WHERE m.id = due.id
    RETURNING m.id, m.recipient, m.subject, m.text, m.html, m.created_at, m.attempts
    """,
    most=INT,
    lease=TEXT,
    seconds=INT,
)
RELEASE = sql(
    """
    UPDATE mails SET leased_by = NULL, due_at = clock_timestamp()
    WHERE id = ANY (:ids) AND leased_by = ANY (:leases) AND state = 'PENDING'
    """,
    ids=BIGINTS,
    leases=TEXTS,
)
END = sql(
    """
    UPDATE mails m SET leased_by = NULL, attempts = m.attempts + 1, state = n.state, error = n.error,
        due_at = clock_timestamp() + make_interval(secs => CAST(n.wait AS double precision)),
        ended_at = CASE WHEN n.state <> 'PENDING' THEN clock_timestamp() END
    FROM unnest(:ids, :leases, :states, :waits, :errors) AS n(id, lease, state, wait, error)
    WHERE m.id = n.id AND m.leased_by = n.lease
    """,
    ids=BIGINTS,
    leases=TEXTS,
    states=TEXTS,
    waits=NUMERICS,
    errors=TEXTS,
)
FORGET = sql(
    """
    DELETE FROM mails WHERE id = ANY (ARRAY(
        SELECT id FROM mails WHERE ended_at < now() - interval '30 days' ORDER BY ended_at LIMIT :most
        FOR UPDATE SKIP LOCKED))
    """,
    most=INT,
)

MAIL = """
    SELECT id, topic, audience, recipient, subject, text, html, state, attempts, error, created_at, due_at, ended_at
    FROM mails
    """
BY_ID = sql(f"{MAIL} WHERE id = :id", id=BIGINT)
PAGES = {
    state: sql(
        f"{MAIL} WHERE (:before IS NULL OR id < :before) {condition} ORDER BY id DESC LIMIT :first",
        before=BIGINT,
        first=INT,
    )
    for state, condition in ((None, ""), *((one, f"AND state = '{one.value}'") for one in MailState))
}


class PostgresMails:
    """Keeps templates and mails."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def templates(self) -> list[MailTemplate]:
        """Those that somebody has saved."""
        return [
            MailTemplate(
                topic=MailTopic(row.topic),
                audience=MailAudience(row.audience),
                subject=row.subject,
                body=row.body,
                channels=tuple(row.channels),
            )
            for row in await self._connection.execute(TEMPLATES)
        ]

    async def save_templates(self, templates: Sequence[MailTemplate]) -> None:
        rows = [
            {
                "topic": one.topic,
                "audience": one.audience,
                "subject": one.subject,
                "body": one.body,
                "channels": list(one.channels),
            }
            for one in templates
        ]
        await self._connection.execute(SAVE_TEMPLATES, {"rows": orjson.dumps(rows).decode()})

    async def orders_to_tell(self, orders: Sequence[OrderId]) -> dict[OrderId, OrderToTell]:
        rows = await self._connection.execute(ORDERS, {"orders": list(orders)})
        return {row.id: _order(row) for row in rows}

    async def recipients(self, alerts: Sequence[AlertId]) -> dict[AlertId, tuple[str, ...]]:
        """Who is told of each alert."""
        rows = await self._connection.execute(RECIPIENTS, {"ids": list(alerts)})
        return {row.id: tuple(row.emails) for row in rows}

    async def add(self, mails: Sequence[NewMail]) -> None:
        """Those that say what no mail says yet."""
        rows = [
            (
                *(one.once, one.about, one.template.topic, one.template.audience, one.recipient),
                *(one.written.subject, one.written.text, one.written.html),
                *(one.event, one.order, one.alert, one.error),
            )
            for one in mails
        ]
        await self._connection.execute(ADD, columns(rows, ADDED))

    async def claim(self, most: int, lease: str, seconds: float) -> list[ClaimedMail]:
        """Lease what is due, the oldest first."""
        rows = await self._connection.execute(CLAIM, {"most": most, "lease": lease, "seconds": seconds})
        found = [
            ClaimedMail(
                id=row.id,
                recipient=row.recipient,
                written=Written(subject=row.subject, text=row.text, html=row.html),
                created_at=row.created_at,
                attempts=row.attempts,
                lease=lease,
            )
            for row in rows
        ]
        return sorted(found, key=lambda one: one.id)

    async def release(self, claimed: Sequence[ClaimedMail]) -> None:
        """Give back what was not sent."""
        ids, leases = [one.id for one in claimed], [one.lease for one in claimed]
        await self._connection.execute(RELEASE, {"ids": ids, "leases": leases})

    async def end(self, results: Sequence[tuple[MailTried, MailState, float]]) -> None:
        """Write down what came of attempts, with the wait until the next, where the lease still holds."""
        rows = [(one.claimed.id, one.claimed.lease, state, wait, one.error) for one, state, wait in results]
        await self._connection.execute(END, columns(rows, ("ids", "leases", "states", "waits", "errors")))

    async def forget_ended(self, most: int) -> int:
        """Remove mails that are kept no longer, at most so many; how many."""
        return (await self._connection.execute(FORGET, {"most": most})).rowcount

    async def mail(self, mail: MailId) -> Mail | None:
        row = (await self._connection.execute(BY_ID, {"id": mail})).one_or_none()
        return None if row is None else _mail(row)

    async def page(self, first: int, before: int | None, state: MailState | None) -> list[Mail]:
        """The newest first; `before`: an id."""
        rows = await self._connection.execute(PAGES[state], {"first": first, "before": before})
        return [_mail(row) for row in rows]


def _order(row: Any) -> OrderToTell:
    lines = orjson.loads(row.lines) if isinstance(row.lines, str) else row.lines or ()
    return OrderToTell(
        id=row.id,
        number=row.number,
        channel=row.channel,
        status=OrderStatus(row.status),
        placed_at=row.placed_at,
        customer_name=row.customer_name,
        customer_email=row.customer_email,
        lines=tuple((int(units), str(name)) for units, name in lines),
        was_known=row.was_known,
    )


def _mail(row: Any) -> Mail:
    return Mail(
        id=row.id,
        topic=MailTopic(row.topic),
        audience=MailAudience(row.audience),
        recipient=row.recipient,
        subject=row.subject,
        text=row.text,
        html=row.html,
        state=MailState(row.state),
        attempts=row.attempts,
        error=row.error,
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )
