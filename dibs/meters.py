"""Figures of one process, as Prometheus reads them.

Nothing else knows of them: they hang on what the parts of the process tell anyhow, and are made only where somebody
wants them. Every label has its values from the schema or from a list here, however hostile a client is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import isawaitable
from time import perf_counter
from typing import Any

from graphql import GraphQLSchema
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from dibs.access import CONNECTION
from dibs.gauges import Gauges
from domain.events import LoggedEvent
from domain.webhooks import Claimed, Sent
from gql.entries import Entry
from gql.errors import CODES
from gql.feed import Feed
from gql.fields import Resolver, wrap_resolvers
from gql.hub import Hub
from persistence.database import DATABASE_ERRORS, PostgresDatabase
from persistence.figures import figures
from services.desk import Desk
from workers.relay import Relay

log = logging.getLogger("dibs.meters")

REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RESOLVER = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10)
DATABASE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30)
DELAY = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
BATCH = (1, 2, 5, 10, 20, 50, 100, 200)
FIGURES_SECONDS_MAX = 2.0
"""For the database to say what waits; a scrape does without it then."""
FIGURES_AGE_MAX = 1.0
LOOP_SECONDS = 0.25

Send = Callable[[Claimed], Awaitable[Sent]]
HELD = "dibs_held_since"


class Meters:
    """Made once for the process, then hung on its parts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("dibs", "The release that runs.", registry=registry).info({"version": version("dibs")})
        self._requests = Counter(
            "dibs_requests",
            "Requests and operations that are over, by how they came, what they are and what came of them.",
            ("way", "kind", "code"),
            registry=registry,
        )
        self._request = Histogram(
            "dibs_request_duration_seconds",
            "How long they took; streams, sockets and subscriptions last as long as their clients wish.",
            ("way", "kind"),
            buckets=REQUEST,
            registry=registry,
        )
        self._resolver = Histogram(
            "dibs_resolver_duration_seconds",
            "How long fields took that wait for something.",
            ("field",),
            buckets=RESOLVER,
            registry=registry,
        )
        self._batch = Histogram(
            "dibs_batch_requests",
            "Requests in one transaction of the desk; the sum over the count is how well they coalesce.",
            buckets=BATCH,
            registry=registry,
        )
        self._batch_duration = Histogram(
            "dibs_batch_duration_seconds", "How long such a transaction took.", buckets=DATABASE, registry=registry
        )
        self._lock = Histogram(
            "dibs_lock_wait_seconds", "How long a batch waited for its SKUs.", buckets=DATABASE, registry=registry
        )
        self._hold = Histogram(
            "dibs_connection_hold_seconds",
            "How long a connection was held at a time.",
            buckets=DATABASE,
            registry=registry,
        )
        self._delay = Histogram(
            "dibs_event_delay_seconds",
            "From an event's change to its being told to who watches: the oldest of what was read at once.",
            buckets=DELAY,
            registry=registry,
        )
        self._attempts = Counter(
            "dibs_webhook_attempts", "Requests to webhook endpoints.", ("outcome",), registry=registry
        )
        self._attempt = Histogram(
            "dibs_webhook_duration_seconds", "How long they took.", buckets=DELAY, registry=registry
        )
        lines = Counter("dibs_log_lines", "Lines of the log that tell of trouble.", ("level",), registry=registry)
        self._trouble = Trouble({level: lines.labels(level) for level in ("warning", "error", "critical")})
        self._gauges = Gauges()
        registry.register(self._gauges)
        self._figures_at = -FIGURES_AGE_MAX

    # ------------------------------------------------------------ to be hung on

    @contextmanager
    def watched_log(self) -> Iterator[None]:
        """Count its troubles until the block ends."""
        root = logging.getLogger()
        root.addHandler(self._trouble)
        try:
            yield
        finally:
            root.removeHandler(self._trouble)

    def watch_database(self, database: PostgresDatabase) -> None:
        database.on_locked = self._lock.observe
        engine = database.engine
        observe = self._hold.observe

        @event.listens_for(engine.sync_engine, "checkout")
        def begin(_: Any, record: Any, __: Any) -> None:
            record.info[HELD] = perf_counter()

        @event.listens_for(engine.sync_engine, "checkin")
        def end(_: Any, record: Any) -> None:
            if began := record.info.pop(HELD, None):
                observe(perf_counter() - began)

        self._gauges.engine = engine

    def watch_desk(self, desk: Desk) -> None:
        desk.on_batch = self._performed
        self._gauges.desk = desk

    def watch_feed(self, feed: Feed) -> None:
        feed.listen(self._heard)
        self._gauges.feed = feed

    def watch_hub(self, hub: Hub) -> None:
        self._gauges.hub = hub

    def watch_relay(self, relay: Relay) -> None:
        self._gauges.relay = relay

    def watch_schema(self, schema: GraphQLSchema) -> None:
        """Time every field that has a resolver of its own, and waits."""
        wrap_resolvers(schema, lambda resolve, field: _timed(resolve, self._resolver.labels(field).observe))

    def sending(self, send: Send) -> Send:
        """The same, with its attempts counted."""
        taken, failed = self._attempts.labels("taken"), self._attempts.labels("failed")

        async def counted(claimed: Claimed) -> Sent:
            began = perf_counter()
            sent = await send(claimed)
            self._attempt.observe(perf_counter() - began)
            (failed if sent.error else taken).inc()
            return sent

        return counted

    def ended(self, entry: Entry) -> None:
        """A request is over."""
        self._requests.labels(entry.way, entry.kind, _code(entry)).inc()
        self._request.labels(entry.way, entry.kind).observe(perf_counter() - entry.began)

    async def watch_loop(self) -> None:
        """For ever: how late the event loop comes to what is due."""
        while True:
            began = perf_counter()
            await asyncio.sleep(LOOP_SECONDS)
            self._gauges.was_late(perf_counter() - began - LOOP_SECONDS)

    def _performed(self, requests: int, seconds: float) -> None:
        self._batch.observe(requests)
        self._batch_duration.observe(seconds)

    def _heard(self, events: Sequence[LoggedEvent]) -> None:
        if events:  # somebody watches
            self._delay.observe(max(0, (datetime.now(UTC) - events[0].occurred_at).total_seconds()))

    # ------------------------------------------------------------ to be read

    async def read(self) -> bytes:
        """Everything, in Prometheus' own form of text."""
        await self._look()
        found = self._gauges.look()
        return await asyncio.to_thread(self._render, found)

    def _render(self, found: list[Metric]) -> bytes:
        self._gauges.found = found
        return generate_latest(self.registry)

    async def _look(self) -> None:
        engine = self._gauges.engine
        if engine is None or perf_counter() - self._figures_at < FIGURES_AGE_MAX:
            return
        try:
            async with asyncio.timeout(FIGURES_SECONDS_MAX):
                self._gauges.figures = await figures(engine)
        except (SQLAlchemyError, *DATABASE_ERRORS, TimeoutError) as error:  # everything else is told all the same
            log.warning("the database does not say what waits in it: %s", type(error).__name__)
            self._gauges.figures = None
        self._figures_at = perf_counter()


class Trouble(logging.Handler):
    """Counts lines of the log by how bad they are."""

    def __init__(self, counters: Mapping[str, Counter]) -> None:
        super().__init__(logging.WARNING)
        self._counters = counters

    def emit(self, record: logging.LogRecord) -> None:
        if counter := self._counters.get(record.levelname.lower()):
            counter.inc()


def _timed(resolve: Resolver, observe: Callable[[float], None]) -> Resolver:
    def resolved(*arguments: Any, **named: Any) -> Any:
        began = perf_counter()
        found = resolve(*arguments, **named)
        return awaited(found, began) if isawaitable(found) else found

    async def awaited(found: Awaitable[Any], began: float) -> Any:
        try:
            return await found
        finally:
            observe(perf_counter() - began)

    return resolved


def _code(entry: Entry) -> str:
    if entry.code in CODES:
        return entry.code
    return "OK" if entry.kind or entry.way == CONNECTION else str(entry.status)
