"""Traces from HTTP through SQL, in the words of OpenTelemetry, for whoever collects them.

Imported only where they are wanted: OpenTelemetry is no part of an installation that does without. Like figures they
hang on what the parts tell anyhow. What is done for nobody's request, such as the relay's looking, is no trace. Nothing
that was sent is in a span but the name of an operation: of statements the text, never their values.
"""

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import Context
from importlib.metadata import version
from inspect import isawaitable
from time import time_ns
from typing import Any

from graphql import GraphQLSchema
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from dibs.log import REQUEST
from gql.entries import Entry
from gql.fields import Resolver, wrap_resolvers
from services.desk import Desk

STATEMENT_LENGTH_MAX = 1_000
LINKS_MAX = 100
EXPORT_SECONDS_MAX = 3
FLUSH_SECONDS_MAX = 1
BEGAN = "dibs_trace_began"

PROPAGATOR = TraceContextTextMapPropagator()


class Traces:
    """Made once for the process, then hung on its parts."""

    def __init__(self, url: str, share: float, exporter: SpanExporter | None = None) -> None:
        """`url`: where a collector takes OTLP over HTTP. `share`: of requests that are traced, 0 to 1."""
        sampled = TraceIdRatioBased(share)
        self._provider = TracerProvider(
            # A client that says that it is traced does not decide how much we collect.
            sampler=ParentBased(sampled, remote_parent_sampled=sampled),
            resource=Resource.create({"service.name": "dibs", "service.version": version("dibs")}),
            shutdown_on_exit=False,
        )
        out = exporter or OTLPSpanExporter(url, timeout=EXPORT_SECONDS_MAX)
        self._provider.add_span_processor(BatchSpanProcessor(out, export_timeout_millis=EXPORT_SECONDS_MAX * 1000))
        self._tracer = self._provider.get_tracer("dibs")

    async def close(self) -> None:
        """Send what is there; what a collector does not take in a moment is lost."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=end, daemon=True).start()  # not one that the process waits for
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS_MAX):
                await done.wait()

    # ------------------------------------------------------------ what is traced

    @contextmanager
    def request(self, entry: Entry, headers: Sequence[tuple[bytes, bytes]] = ()) -> Iterator[None]:
        """A request, or one operation of a socket."""
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name == b"traceparent"}
        parent = PROPAGATOR.extract(carried) if carried else None
        with self._tracer.start_as_current_span(entry.way, parent, SpanKind.SERVER) as span:
            try:
                yield
            finally:
                if span.is_recording():
                    _describe(span, entry)

    @contextmanager
    def batch(self, asking: Sequence[Context]) -> Iterator[None]:
        """One transaction of the desk: within the first request's trace, and linked to those of the others."""
        spans = [span for context in asking if (span := context.run(trace.get_current_span)).is_recording()]
        if not spans:
            yield
            return
        links = [Link(span.get_span_context()) for span in spans[1 : LINKS_MAX + 1]]
        within = trace.set_span_in_context(spans[0])
        with self._tracer.start_as_current_span("batch", within, links=links) as span:
            span.set_attribute("dibs.requests", len(asking))
            yield

    def watch_desk(self, desk: Desk) -> None:
        desk.around = self.batch

    def watch_schema(self, schema: GraphQLSchema) -> None:
        """A span for each field that has a resolver of its own, and waits."""
        wrap_resolvers(schema, self._traced)

    def watch_engine(self, engine: AsyncEngine) -> None:
        """Every statement: those of SQLAlchemy by its events, those that go straight to the driver by the driver's."""
        sync = engine.sync_engine

        @event.listens_for(sync, "connect")
        def connected(connection: Any, _: Any) -> None:
            connection.driver_connection.add_query_logger(self._driver_has_said)

        @event.listens_for(sync, "before_cursor_execute")
        def begin(_: Any, __: Any, ___: Any, ____: Any, context: Any, _____: Any) -> None:
            setattr(context, BEGAN, time_ns())

        @event.listens_for(sync, "after_cursor_execute")
        def end(_: Any, __: Any, statement: str, ____: Any, context: Any, _____: Any) -> None:
            self._said(statement, getattr(context, BEGAN))

        @event.listens_for(sync, "handle_error")
        def fail(failure: Any) -> None:
            if failure.statement and hasattr(failure.execution_context, BEGAN):
                self._said(failure.statement, getattr(failure.execution_context, BEGAN), failure.original_exception)

    # ------------------------------------------------------------ how

    def _driver_has_said(self, record: Any) -> None:
        self._said(record.query, time_ns() - int(record.elapsed * 1e9), record.exception)

    def _said(self, statement: str, began: int, error: BaseException | None = None) -> None:
        if not trace.get_current_span().is_recording():
            return
        text = " ".join(statement.split())
        span = self._tracer.start_span(text.partition(" ")[0].strip(";")[:20], kind=SpanKind.CLIENT, start_time=began)
        span.set_attribute("db.system.name", "postgresql")
        span.set_attribute("db.query.text", text[:STATEMENT_LENGTH_MAX])
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.end()

    def _traced(self, resolve: Resolver, name: str) -> Resolver:
        def resolved(*arguments: Any, **named: Any) -> Any:
            if not trace.get_current_span().is_recording():
                return resolve(*arguments, **named)
            span = self._tracer.start_span(name)
            with trace.use_span(span, end_on_exit=False, record_exception=False):
                found = resolve(*arguments, **named)
            if isawaitable(found):
                return awaited(found, span)
            span.end()
            return found

        async def awaited(found: Awaitable[Any], span: Span) -> Any:
            with trace.use_span(span, end_on_exit=True, record_exception=False):
                return await found

        return resolved


def _describe(span: Span, entry: Entry) -> None:
    if entry.field:
        span.update_name(f"{entry.kind} {entry.field}")
    known: dict[str, str | int] = {
        "dibs.way": entry.way,
        "dibs.request": REQUEST.get(),
        "graphql.operation.type": entry.kind,
        "graphql.operation.name": entry.operation,
        "dibs.code": entry.code,
        "http.response.status_code": entry.status if entry.way in ("http", "stream") else 0,
    }
    span.set_attributes({name: value for name, value in known.items() if value})
    if entry.code or entry.status >= 500:
        span.set_status(Status(StatusCode.ERROR, entry.code))
