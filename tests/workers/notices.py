"""What tests of alerts and mails have in common: workers that make them, and what there is of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import text

from domain.alerts import Alert
from domain.events import AlertEvent
from domain.mails import Mail, MailPatience
from persistence.database import PostgresDatabase
from services.notices import check_alerts, take_up_log
from services.ports.chores import Chore
from services.ports.events import EventFilter
from tests.gql.serving import Silence
from workers.foreman import Foreman
from workers.loop import repeated, running
from workers.mailing import Mailer
from workers.relay import Relay
from workers.smtp import SmtpSender, mail_server, sender_address

STUBBORN = MailPatience(retry_seconds=(0.02,) * 1_000)
POLL_SECONDS = 0.01


@asynccontextmanager
async def noticing(*databases: PostgresDatabase, mail_url: str | None = None) -> AsyncIterator[None]:
    """A relay and the workers of alerts and mails on each database, as if each was a process of its own."""
    jobs = []
    for one in databases:
        jobs += [
            Relay(one, Silence()).run,
            partial(repeated, "the notifier", partial(take_up_log, one, writes_mails=bool(mail_url)), POLL_SECONDS),
            partial(repeated, "the watchman", partial(check_alerts, one), POLL_SECONDS),
        ]
        if mail_url:
            sender = SmtpSender(mail_server(mail_url, allow_loopback=True), sender_address("orders@shop.example"))
            foreman = Foreman(one, POLL_SECONDS)
            mailer = Mailer(one, sender, patience=STUBBORN, lease_seconds=1, called=foreman.called(Chore.MAILS))
            jobs += [foreman.run, mailer.run]
    async with running(*jobs):
        yield


async def alerts_now(database: PostgresDatabase) -> list[Alert]:
    """The newest first."""
    return await database.read(lambda uow: uow.alerts.page(100_000, None, None))


async def mails_now(database: PostgresDatabase) -> list[Mail]:
    """The newest first."""
    return await database.read(lambda uow: uow.mails.page(100_000, None, None))


async def alert_events(database: PostgresDatabase) -> list[AlertEvent]:
    """In the log's order, those that have a place."""
    condition = EventFilter(types=("AlertRaised", "AlertResolved"))
    found = await database.read(lambda uow: uow.events.page(condition, 100_000, None))
    return [one.event for one in found if isinstance(one.event, AlertEvent)]


async def is_all_read(database: PostgresDatabase) -> bool:
    """Whether everything that is committed has been read, and what was made of it too."""
    async with database.engine.connect() as connection:
        found = await connection.execute(
            text(
                """SELECT r.position = l.position AND NOT EXISTS (SELECT FROM events WHERE position IS NULL)
                FROM log_readers r, log_end l"""
            )
        )
        return bool(found.scalar())
