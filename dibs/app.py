"""The application: every part made and plugged together in one place. Importing it opens nothing."""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, nullcontext
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
from dibs.access import Access
from dibs.log import REQUEST
from dibs.oidc import OpenIdIssuer
from dibs.onlookers import Onlookers
from dibs.partners import easypost, openid_issuer
from dibs.readiness import Readiness
from dibs.settings import Settings
from dibs.side_door import healthz, readyz
from dibs.solving import Highs
from dibs.working import Ground, ground, working
from documents.rendering import Documents
from documents.tracking_page import STYLE_SHA256, tracking_page, trouble_page
from gql.api import create_schema
from gql.context import Context
from gql.documents import DocumentEndpoint
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
from gql.websocket import WebSocketEndpoint
from persistence.bell_backends import REDIS
from persistence.redis_purse import RedisPurse
from services.budgets import Budget, MemoryPurse, Purse
from services.callers import Caller
from services.credentials import Doorkeeper
from services.desk import Desk
from services.documents import Drawer
from services.journeys import Tracker
from services.people import People
from services.planning import Planner
from workers.loop import Job, repeated, running

if TYPE_CHECKING:
    from dibs.tracing import Traces

log = logging.getLogger("dibs.app")

RECHECK_SECONDS = 0.5
"""How often those who are connected are looked after: a connection outlives its key by two seconds at most."""

USE_SECONDS = 30.0
"""How often it is written down which keys were used."""

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
class Staff:
    """Who serves those that come in, on the ground."""

    desk: Desk
    feed: Feed
    readings: Readings
    planner: Planner
    doorkeeper: Doorkeeper
    tracker: Tracker
    budget: Budget
    issuer: OpenIdIssuer | None
    carrier: EasyPost | None

    def jobs(self) -> Iterator[Job]:
        """What of it is to be done all the time."""
        yield self.feed.run
        yield partial(repeated, "the doorkeeper", self.doorkeeper.recheck, RECHECK_SECONDS)
        yield partial(repeated, "the visitors' book", self.doorkeeper.write_down_use, USE_SECONDS)

    async def close(self) -> None:
        ends = (self.desk, self.readings, self.tracker, self.doorkeeper, self.budget)
        await in_time(*(one.close() for one in ends), *([self.issuer.aclose()] if self.issuer else []))


def staff_for(settings: Settings, on: Ground) -> Staff:
    issuer = openid_issuer(settings)
    people = People(on.database, issuer, settings.oidc_roles or {}) if issuer else None
    return Staff(
        Desk(on.database),
        Feed(on.database, on.bell),
        Readings(on.database),
        Planner(on.database, Highs()),
        Doorkeeper(on.database, people),
        Tracker(on.database),
        Budget(purse_for(settings)),
        issuer,
        easypost(settings),
    )


def create_app(
    settings: Settings, direct_url: str, *, with_workers: bool = True, side: socket.socket | None = None
) -> Starlette:
    """The API, on a database with a current schema. `with_workers`: or else other nodes have them.

    `side`: where figures and health are told, if they are.
    """
    onlookers = Onlookers()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with ground(settings, direct_url, side) as on:
            staff = staff_for(settings, on)
            onlookers.come(on.meters, traces_for(settings))
            onlookers.watch_work(staff.desk, staff.feed, on.database.engine)
            beside = working(settings, on, staff.feed) if with_workers else nullcontext()
            closing = aclosing(staff.carrier) if staff.carrier else nullcontext()
            async with running(on.bell.run, *staff.jobs()), beside, closing:
                yield {"running": _plug(settings, on, staff, onlookers)}
                await staff.close()
                await onlookers.leave()

    routes = [
        Route("/graphql", _graphql, methods=["POST"]),
        WebSocketRoute("/graphql", _graphql_socket),
        Route("/documents/{kind}/{name}", _documents, methods=["GET"]),
        Route("/track/{token:path}", _tracking, methods=["GET"]),
        Route("/healthz", healthz),
        Route("/readyz", _readyz),
        *(explorer_routes() if settings.explorer else []),
    ]
    middleware = [Middleware(Access, ended=onlookers.ended, around=onlookers.around), *cross_origin(settings)]
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


def _plug(settings: Settings, on: Ground, staff: Staff, onlookers: Onlookers) -> Running:
    async def who(secret: str) -> Caller | None:
        return await staff.doorkeeper.authenticate(secret, REQUEST.get() or secrets.token_hex(8)) if secret else None

    def context(caller: Caller) -> Context:
        return Context(
            caller,
            on.database,
            staff.readings.of(caller.visibility),
            staff.desk,
            staff.planner,
            webhooks_allow_loopback=settings.webhook_allow_loopback,
            carrier=staff.carrier,
            public_url=settings.public_url,
        )

    trusted = trusted_documents(settings.trusted_documents) if settings.trusted_documents else None
    executor = Executor(create_schema(), suggestions=settings.suggestions or settings.explorer, trusted=trusted)
    parts = Parts(
        executor,
        Hub(staff.feed, staff.doorkeeper.certain),
        who,
        staff.doorkeeper.watched,
        context,
        Spending(staff.budget),
        settings.cors_origins,
        onlookers.ended_on_socket,
        onlookers.around,
    )
    onlookers.watch_answers(parts.hub, executor.schema)
    return Running(
        on.database.engine,
        on.readiness,
        staff.feed,
        parts.hub,
        HttpEndpoint(parts),
        WebSocketEndpoint(parts),
        DocumentEndpoint(parts, Drawer(on.database, Documents())),
        TrackingEndpoint(staff.tracker, Pages(tracking_page, trouble_page(), STYLE_SHA256)),
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
