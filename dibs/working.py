"""What works by itself on the database, in a server or in a node of its own. Importing it opens nothing."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from dibs.meters import Meters
from dibs.opening import engine_for, watching_engine_for
from dibs.partners import smtp_sender
from dibs.readiness import Readiness
from dibs.settings import Settings
from dibs.side_door import side_door
from dibs.solving import Highs
from gql.feed import Feed
from gql.webhook_payload import webhook_message
from persistence.bell import BroadcastBell
from persistence.database import PostgresDatabase
from services.cleaning import forget_expired_keys, forget_old_events, forget_old_plans
from services.delivering import forget_ended_deliveries
from services.fulfillments import release_what_is_ready
from services.notices import check_alerts, forget_old_notices, take_up_log
from services.payments import expire_unpaid_orders
from services.planning import Planner
from services.ports.chores import Chore
from services.reservations import expire_reservations
from workers.deliveries import Deliverer
from workers.foreman import REST_SECONDS_MAX, Foreman
from workers.loop import Job, repeated, running
from workers.mailing import Mailer
from workers.relay import Relay
from workers.runs import PlanMaker, Runner, run_schedules
from workers.webhook_http import WebhookSender

CLEANING_SECONDS = 600.0

WATCHING_SECONDS = 30.0
"""How late an alert may be that comes by the clock."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything else stands on: the database, the bell that tells of what is new in it, and who watches both."""

    database: PostgresDatabase
    bell: BroadcastBell
    readiness: Readiness
    meters: Meters | None


@asynccontextmanager
async def ground(settings: Settings, direct_url: str, side: socket.socket | None = None) -> AsyncIterator[Ground]:
    """The database and the bell, until the block ends. `side`: where figures and health are told, if they are."""
    engine = engine_for(settings, direct_url)
    bell = BroadcastBell(settings.bell_url.get_secret_value() if settings.bell_url else direct_url)
    database = PostgresDatabase(engine, behind_pooler=settings.behind_pooler)
    watching = watching_engine_for(settings, direct_url)
    readiness = Readiness(watching, allow_not_durable=settings.allow_not_durable)
    try:
        async with metered(database, readiness, side) as meters:
            yield Ground(database, bell, readiness, meters)
    finally:
        await readiness.close()
        await engine.dispose()


@asynccontextmanager
async def metered(
    database: PostgresDatabase, readiness: Readiness, side: socket.socket | None
) -> AsyncIterator[Meters | None]:
    """Figures of this process, told on the side door; without one nothing is measured."""
    if side is None:
        yield None
        return
    meters = Meters()
    meters.watch_database(database)
    with meters.watched_log():
        async with side_door(side, meters, readiness), running(meters.watch_loop):
            yield meters


@asynccontextmanager
async def working(settings: Settings, on: Ground, feed: Feed | None = None) -> AsyncIterator[None]:
    """Everything that works on the database by itself, until the block ends. Any number of processes may have it.

    `feed`: it hears of new events at once; without one, webhooks wait until the foreman looks.
    """
    meters = on.meters
    relay, foreman = Relay(on.database, on.bell), Foreman(on.database)
    on.database.on_new_events = relay.nudge
    sender = WebhookSender(webhook_message, allow_loopback=settings.webhook_allow_loopback)
    called = foreman.called(Chore.WEBHOOKS)
    deliverer = Deliverer(on.database, meters.sending(sender) if meters else sender, called=called)
    if meters:
        meters.watch_relay(relay)
    if feed:
        feed.listen(lambda _: deliverer.nudge())
    others = *_called(settings, on.database, foreman), *_by_the_clock(settings, on.database)
    async with aclosing(sender), running(relay.run, foreman.run, deliverer.run, *others):
        yield


def _called(settings: Settings, database: PostgresDatabase, foreman: Foreman) -> Iterator[Job]:
    """Those who rest until the foreman calls them."""
    called = foreman.called
    some_run = called(Chore.RUNS, Chore.WAITING_ORDERS)
    yield Runner(database, run_waiting=settings.run_waiting, called=some_run).run
    yield PlanMaker(database, Planner(database, Highs()), called=called(Chore.RUNS)).run
    smtp = smtp_sender(settings)
    if smtp:
        yield Mailer(database, smtp, called=called(Chore.MAILS)).run
    notices = partial(take_up_log, writes_mails=smtp is not None, public_url=settings.public_url)
    for name, chore, due in (
        ("the sweeper", expire_reservations, Chore.CARTS),
        ("the dunner", expire_unpaid_orders, Chore.UNPAID_ORDERS),
        ("the notifier", notices, Chore.NOTICES),
        ("the schedule", run_schedules, Chore.SCHEDULES),
        ("the dispatcher", release_what_is_ready, Chore.RELEASES),
    ):
        yield partial(repeated, name, partial(chore, database), REST_SECONDS_MAX, called(due))


def _by_the_clock(settings: Settings, database: PostgresDatabase) -> Iterator[Job]:
    """Those who come every so often."""
    for name, chore, seconds in (
        ("the cleaner", forget_expired_keys, CLEANING_SECONDS),
        ("the cleaner of plans", forget_old_plans, CLEANING_SECONDS),
        ("the archivist", partial(forget_old_events, days=settings.event_retention_days), CLEANING_SECONDS),
        ("the tidier", forget_ended_deliveries, CLEANING_SECONDS),
        ("the archivist of mails", forget_old_notices, CLEANING_SECONDS),
        ("the watchman", check_alerts, WATCHING_SECONDS),
    ):
        yield partial(repeated, name, partial(chore, database), seconds)


async def work(
    settings: Settings,
    direct_url: str,
    side: socket.socket | None,
    begin_to_end: Callable[[], None],
    has_begun: Callable[[], None],
) -> None:
    """Be a node that works and serves nothing, until a signal; both are told once, when it is so."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        begin_to_end()
        stop.set()

    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, end)
    async with ground(settings, direct_url, side) as on, running(on.bell.run), working(settings, on):
        has_begun()
        await stop.wait()
        on.readiness.stop()
