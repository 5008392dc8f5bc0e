"""The application: every part made and plugged together in one place. Importing it opens nothing."""

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from carriers.easypost import EasyPost
from dibs.access import Access, log_entry
from dibs.log import REQUEST
from dibs.meters import Meters
from dibs.opening import engine_for, watching_engine_for
from dibs.partners import easypost, openid_issuer, smtp_sender
from dibs.readiness import Readiness
from dibs.settings import Settings
from dibs.side_door import healthz, readyz, side_door
from dibs.solving import Highs
from documents.rendering import Documents
from documents.tracking_page import STYLE_SHA256, tracking_page, trouble_page
from gql.api import create_schema
from gql.context import Context
from gql.documents import DocumentEndpoint
from gql.entries import Entry
from gql.execution import Executor
from gql.explorer_page import explorer_routes
from gql.feed import Feed
from gql.http import HttpEndpoint
from gql.hub import Hub
from gql.loaders import Readings
from gql.parts import Parts
from gql.spending import Spending
from gql.tracking import Pages, TrackingEndpoint
from gql.trusted import trusted_documents
from gql.webhook_payload import webhook_message
from gql.websocket import WebSocketEndpoint
from persistence.bell import BroadcastBell
from persistence.bell_backends import REDIS
from persistence.database import PostgresDatabase
from persistence.redis_purse import RedisPurse
from services.budgets import Budget, MemoryPurse, Purse
from services.callers import Caller
from services.cleaning import forget_expired_keys, forget_old_events, forget_old_plans
from services.credentials import Doorkeeper
from services.delivering import forget_ended_deliveries
from services.desk import Desk
from services.documents import Drawer
from services.fulfillments import release_what_is_ready
from services.journeys import Tracker
from services.notices import check_alerts, forget_old_notices, take_up_log
from services.payments import expire_unpaid_orders
from services.people import People
from services.planning import Planner
from services.ports import Chore
from services.reservations import expire_reservations
from workers.deliveries import Deliverer
from workers.foreman import REST_SECONDS_MAX, Foreman
from workers.loop import Job, repeated, running
from workers.mailing import Mailer
from workers.relay import Relay
from workers.runs import PlanMaker, Runner, run_schedules
from workers.webhook_http import WebhookSender

if TYPE_CHECKING:
    from dibs.tracing import Traces

log = logging.getLogger("dibs.app")

CLEANING_SECONDS = 600.0
RECHECK_SECONDS = 0.5
"""How often those who are connected are looked after: a connection outlives its key by two seconds at most."""
USE_SECONDS = 30.0
"""How often it is written down which keys were used."""
WATCHING_SECONDS = 30.0
"""How late an alert may be that comes by the clock."""
GOODBYE_SECONDS_MAX = 1.5
"""For what is under way when the process ends; see also DRAIN_SECONDS_MAX in dibs/serving.py."""


@dataclass(frozen=True, slots=True)
class Running:
    """The parts that live as long as the process serves."""

    engine: AsyncEngine
    readiness: Readiness
    feed: Feed
    hub: Hub
    http: HttpEndpoint
    websocket: WebSocketEndpoint
    documents: DocumentEndpoint
    tracking: TrackingEndpoint


class State(TypedDict):
    """What requests find in `request.state`."""

    running: Running


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
        feed.listeners.append(lambda _: deliverer.nudge())
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
    settings: Settings, direct_url: str, side: socket.socket | None, begin_to_end: Callable[[], None]
) -> None:
    """Be a node that works and serves nothing, until a signal."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        begin_to_end()
        stop.set()

    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, end)
    async with ground(settings, direct_url, side) as on, running(on.bell.run), working(settings, on):
        await stop.wait()
        on.readiness.stop()


def create_app(
    settings: Settings, direct_url: str, *, with_workers: bool = True, side: socket.socket | None = None
) -> Starlette:
    """The API, on a database with a current schema. `with_workers`: or else other nodes have them.

    `side`: where figures and health are told, if they are.
    """
    meters: list[Meters] = []
    traces: list[Traces] = []

    def ended(entry: Entry) -> None:
        for one in meters:
            one.ended(entry)

    def around(entry: Entry, headers: Sequence[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
        return traces[0].request(entry, headers) if traces else nullcontext()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with ground(settings, direct_url, side) as on:
            desk, feed = Desk(on.database), Feed(on.database, on.bell)
            tracker, issuer = Tracker(on.database), openid_issuer(settings)
            people = People(on.database, issuer, settings.oidc_roles or {}) if issuer else None
            doorkeeper = Doorkeeper(on.database, people)
            readings, planner = Readings(on.database), Planner(on.database, Highs())
            if on.meters:
                meters[:] = [on.meters]
                on.meters.watch_desk(desk)
                on.meters.watch_feed(feed)
            if tracer := traces_for(settings):
                traces[:] = [tracer]
                tracer.watch_desk(desk)
                tracer.watch_engine(on.database.engine)
            beside = working(settings, on, feed) if with_workers else nullcontext()
            watching = (
                partial(repeated, "the doorkeeper", doorkeeper.recheck, RECHECK_SECONDS),
                partial(repeated, "the visitors' book", doorkeeper.write_down_use, USE_SECONDS),
            )
            carrier = easypost(settings)
            closing, budget = aclosing(carrier) if carrier else nullcontext(), Budget(purse_for(settings))
            async with running(on.bell.run, feed.run, *watching), beside, closing:
                yield {
                    "running": _plug(
                        settings, on, readings, doorkeeper, desk, planner, feed, carrier, budget, tracker, ended, tracer
                    )
                }
                ends = [desk.close(), readings.close(), tracker.close(), doorkeeper.close(), budget.close()]
                await in_time(*ends, *([issuer.aclose()] if issuer else []))
                if tracer:
                    await tracer.close()

    routes = [
        Route("/graphql", _graphql, methods=["POST"]),
        WebSocketRoute("/graphql", _graphql_socket),
        Route("/documents/{kind}/{name}", _documents, methods=["GET"]),
        Route("/track/{token:path}", _tracking, methods=["GET"]),
        Route("/healthz", healthz),
        Route("/readyz", _readyz),
        *(explorer_routes() if settings.explorer else []),
    ]
    middleware = [Middleware(Access, ended=ended, around=around), *cross_origin(settings)]
    return Starlette(routes=routes, lifespan=lifespan, middleware=middleware)


def cross_origin(settings: Settings) -> list[Middleware]:
    """Tells browsers whose pages may ask over HTTP. Sockets, which browsers open for everybody, look for themselves."""
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["Retry-After", "X-Request-Id"],
            max_age=3600,
        )
    ]


def traces_for(settings: Settings) -> "Traces | None":
    """Who traces; it is imported only where somebody wants it."""
    if settings.traces_url is None:
        return None
    from dibs.tracing import Traces

    return Traces(settings.traces_url, settings.traces_share)


def purse_for(settings: Settings) -> Purse | None:
    """Where keys pay from: in Redis where the bell hangs there, so that nodes count together."""
    if not settings.cost_budget:
        return None
    own = MemoryPurse(settings.cost_budget)
    url = settings.bell_url.get_secret_value() if settings.bell_url else ""
    return RedisPurse(url, settings.cost_budget, own) if url.startswith(REDIS) else own


def _plug(
    settings: Settings,
    on: Ground,
    readings: Readings,
    doorkeeper: Doorkeeper,
    desk: Desk,
    planner: Planner,
    feed: Feed,
    carrier: EasyPost | None,
    budget: Budget,
    tracker: Tracker,
    ended: Callable[[Entry], None],
    tracer: "Traces | None",
) -> Running:
    def around_operation(entry: Entry) -> AbstractContextManager[None]:
        return tracer.request(entry) if tracer else nullcontext()

    def ended_on_socket(entry: Entry) -> None:
        log_entry(entry)
        ended(entry)

    async def who(secret: str) -> Caller | None:
        return await doorkeeper.authenticate(secret, REQUEST.get() or secrets.token_hex(8)) if secret else None

    def context(caller: Caller) -> Context:
        return Context(
            caller,
            on.database,
            readings.of(caller.visibility),
            desk,
            planner,
            webhooks_allow_loopback=settings.webhook_allow_loopback,
            carrier=carrier,
            public_url=settings.public_url,
        )

    trusted = trusted_documents(settings.trusted_documents) if settings.trusted_documents else None
    executor = Executor(create_schema(), suggestions=settings.suggestions or settings.explorer, trusted=trusted)
    origins = settings.cors_origins
    hub = Hub(feed, doorkeeper.certain)
    parts = Parts(
        executor, hub, who, doorkeeper.watched, context, Spending(budget), origins, ended_on_socket, around_operation
    )
    if on.meters:
        on.meters.watch_hub(parts.hub)
        on.meters.watch_schema(executor.schema)
    if tracer:
        tracer.watch_schema(executor.schema)
    return Running(
        on.database.engine,
        on.readiness,
        feed,
        parts.hub,
        HttpEndpoint(parts),
        WebSocketEndpoint(parts),
        DocumentEndpoint(parts, Drawer(on.database, Documents())),
        TrackingEndpoint(tracker, Pages(tracking_page, trouble_page(), STYLE_SHA256)),
    )


async def in_time(*ends: Coroutine[Any, Any, None]) -> None:
    """What is under way ends; or else it is left, and idempotency keys tell what came of it."""
    _, late = await asyncio.wait([asyncio.ensure_future(one) for one in ends], timeout=GOODBYE_SECONDS_MAX)
    for one in late:
        log.warning("something was under way for longer than %.1f s, and is given up", GOODBYE_SECONDS_MAX)
        one.cancel()


async def _graphql(request: Request) -> Response:
    endpoint: HttpEndpoint = request.state.running.http
    return await endpoint(request)


async def _graphql_socket(socket: WebSocket) -> None:
    endpoint: WebSocketEndpoint = socket.state.running.websocket
    await endpoint(socket)


async def _documents(request: Request) -> Response:
    endpoint: DocumentEndpoint = request.state.running.documents
    return await endpoint(request)


async def _tracking(request: Request) -> Response:
    endpoint: TrackingEndpoint = request.state.running.tracking
    return await endpoint(request)


async def _readyz(request: Request) -> Response:
    return await readyz(request.state.running.readiness)(request)
