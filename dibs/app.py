"""The application: every part made and plugged together in one place. Importing it opens nothing."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dibs.settings import Settings
from dibs.solving import Highs
from gql.api import create_schema
from gql.context import Context
from gql.execution import Executor
from gql.explorer_page import explorer_routes
from gql.feed import Feed
from gql.http import HttpEndpoint
from gql.loaders import Reading
from gql.webhook_payload import webhook_message
from gql.websocket import WebSocketEndpoint
from persistence.bell import BroadcastBell
from persistence.database import PostgresDatabase, connect
from persistence.migrating import schema_is_current
from services.callers import Caller
from services.cleaning import forget_expired_keys
from services.credentials import Doorkeeper
from services.delivering import forget_ended_deliveries
from services.desk import Desk
from services.planning import Planner
from services.reservations import expire_reservations
from workers.deliveries import Deliverer
from workers.loop import repeated, running
from workers.relay import Relay
from workers.runs import POLL_SECONDS, PlanMaker, Runner, run_schedules
from workers.webhook_http import WebhookSender

CLEANING_SECONDS = 600.0
SWEEPING_SECONDS = 1.0
"""Nothing depends on its coming in time: a cart whose time is over is nobody's, swept or not."""


@dataclass(frozen=True, slots=True)
class Running:
    """The parts that live as long as the process serves."""

    engine: AsyncEngine
    feed: Feed
    http: HttpEndpoint
    websocket: WebSocketEndpoint


class State(TypedDict):
    """What requests find in `request.state`."""

    running: Running


def create_app(settings: Settings, database_url: str) -> Starlette:
    """The API with its workers, on a database with a current schema."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        engine = connect(database_url, pool_size=settings.pool_size)
        bell = BroadcastBell(settings.bell_url.get_secret_value() if settings.bell_url else database_url)
        database = PostgresDatabase(engine)
        desk, feed, relay = Desk(database), Feed(database, bell), Relay(database, bell)
        reading, doorkeeper = Reading(database), Doorkeeper(database)
        database.on_new_events = relay.nudge
        try:
            runner = Runner(database, run_waiting=settings.run_waiting)
            sender = WebhookSender(webhook_message, allow_loopback=settings.webhook_allow_loopback)
            deliverer = Deliverer(database, sender)
            feed.on_events = deliverer.nudge
            cleaning = partial(repeated, "the cleaner", partial(forget_expired_keys, database), CLEANING_SECONDS)
            sweeping = partial(repeated, "the sweeper", partial(expire_reservations, database), SWEEPING_SECONDS)
            schedules = partial(repeated, "the schedule", partial(run_schedules, database), POLL_SECONDS)
            planner = Planner(database, Highs())
            plans = PlanMaker(database, planner)
            tidying = partial(repeated, "the tidier", partial(forget_ended_deliveries, database), CLEANING_SECONDS)
            jobs = (bell.run, relay.run, feed.run, runner.run, plans.run, deliverer.run)
            async with aclosing(sender), running(*jobs, schedules, cleaning, sweeping, tidying):
                yield {"running": _plug(settings, engine, database, reading, doorkeeper, desk, planner, feed)}
                await desk.close()
                await reading.close()
                await doorkeeper.close()
        finally:
            await engine.dispose()

    routes = [
        Route("/graphql", _graphql, methods=["POST"]),
        WebSocketRoute("/graphql", _graphql_socket),
        Route("/healthz", _healthz),
        Route("/readyz", _readyz),
        *(explorer_routes() if settings.explorer else []),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _plug(
    settings: Settings,
    engine: AsyncEngine,
    database: PostgresDatabase,
    reading: Reading,
    doorkeeper: Doorkeeper,
    desk: Desk,
    planner: Planner,
    feed: Feed,
) -> Running:
    executor = Executor(create_schema(), suggestions=settings.suggestions or settings.explorer)

    async def who(secret: str) -> Caller | None:
        return await doorkeeper.authenticate(secret, secrets.token_hex(8)) if secret else None

    def context(caller: Caller) -> Context:
        return Context(caller, database, reading, desk, planner, feed, settings.webhook_allow_loopback)

    return Running(engine, feed, HttpEndpoint(executor, who, context), WebSocketEndpoint(executor, who, context))


async def _graphql(request: Request) -> Response:
    endpoint: HttpEndpoint = request.state.running.http
    return await endpoint(request)


async def _graphql_socket(socket: WebSocket) -> None:
    endpoint: WebSocketEndpoint = socket.state.running.websocket
    await endpoint(socket)


async def _healthz(_: Request) -> Response:
    """The process is alive."""
    return JSONResponse({"status": "alive"})


async def _readyz(request: Request) -> Response:
    """The database can be reached and has the schema of this release."""
    engine: AsyncEngine = request.state.running.engine
    try:
        current = await schema_is_current(engine)
    except (SQLAlchemyError, OSError, TimeoutError):
        return JSONResponse({"status": "not ready", "reason": "the database cannot be reached"}, 503)
    if not current:
        return JSONResponse({"status": "not ready", "reason": "the schema is not current: run `dibs migrate`"}, 503)
    return JSONResponse({"status": "ready"})
