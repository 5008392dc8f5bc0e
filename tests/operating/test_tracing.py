"""Traces: from HTTP through the desk and its transaction to every statement, told to a real collector."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from dibs.settings import Settings
from tests.acceptance.processes import ROOT
from tests.gql.serving import Served, serving


class Collector:
    """Takes OTLP over HTTP, as collectors do."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def take(self, request: Any) -> None:
        for resource in request.resource_spans:
            self.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: Any) -> Any:
        (found,) = [one for one in self.spans if one.span_id == span.parent_span_id]
        return found

    def ancestors(self, span: Any) -> list[str]:
        names: list[str] = []
        while span.parent_span_id and any(one.span_id == span.parent_span_id for one in self.spans):
            span = self.parent(span)
            names.append(span.name)
        return names


def attributes(told: Any) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in told.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
async def traced(database_url: str, collector: Collector) -> AsyncIterator[Served]:
    async with serving(database_url, traces_url=collector.url) as served:
        yield served


ITEM = [{"sku": "MUG", "name": "Mug"}]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_mutation_is_one_trace_from_its_client_through_http_and_the_desk_to_its_statements(
    database_url: str, collector: Collector
):
    secret = "nobody-may-read-this"  # noqa: S105
    async with serving(database_url, traces_url=collector.url) as served:
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await served.mutate("saveItems", items=ITEM)
        query = """mutation Receive($input: ReceiveStockInput!) { receiveStock(input: $input) { __typename } }"""
        lines = [{"sku": "MUG", "quantity": 1}]
        given = {"location": "LEEDS", "lines": lines, "idempotencyKey": secret, "reference": secret}
        answer = await served.post({"query": query, "variables": {"input": given}}, traceparent=PARENT)
        request = answer.headers["x-request-id"]

    (http,) = collector.named("mutation receiveStock")
    told = attributes(http)
    assert http.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert http.parent_span_id.hex() == "00f067aa0ba902b7"
    assert told["graphql.operation.name"] == "Receive"
    assert told["http.response.status_code"] == "200"
    assert told["dibs.request"] == request
    (field,) = collector.named("Mutation.receiveStock")
    assert collector.ancestors(field) == ["mutation receiveStock"]
    (batch,) = [one for one in collector.named("batch") if one.trace_id == http.trace_id]
    assert collector.ancestors(batch) == ["Mutation.receiveStock", "mutation receiveStock"]
    statements = [one for one in collector.spans if one.parent_span_id == batch.span_id]
    names = [one.name for one in sorted(statements, key=lambda one: one.end_time_unix_nano)]
    assert names[0] == "BEGIN"
    assert names[-1] == "COMMIT"
    assert {"INSERT", "SELECT", "UPDATE"} & set(names)
    assert any("pg_advisory_xact_lock" in attributes(one)["db.query.text"] for one in statements)
    assert secret not in str(collector.spans)
    assert all(one.end_time_unix_nano >= one.start_time_unix_nano for one in collector.spans)
    assert collector.resources[0]["service.name"] == "dibs"


async def test_those_who_share_a_transaction_are_linked_to_it(database_url: str, collector: Collector):
    async with serving(database_url, traces_url=collector.url) as served:
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await served.mutate("saveItems", items=ITEM)
        lines = [{"sku": "MUG", "quantity": 1}]
        placing = (served.mutate("placeOrder", channel="web", number=str(at), lines=lines) for at in range(20))
        await asyncio.gather(*placing)

    batches = collector.named("batch")
    fields = {one.span_id for one in collector.named("Mutation.placeOrder")}
    held = {one.parent_span_id for one in batches} | {link.span_id for one in batches for link in one.links}
    assert len(fields) == 20
    assert len(batches) < 20
    assert fields == held
    assert sum(int(attributes(one)["dibs.requests"]) for one in batches) == 20


async def test_what_is_asked_over_a_socket_is_traced_and_what_is_done_for_nobody_is_not(
    database_url: str, collector: Collector
):
    async with serving(database_url, traces_url=collector.url) as served:
        async with served.socket() as socket:
            await socket.subscribe("1", "query Now { eventCursor }")
            await socket.next("1")
            await socket.receive()
        await served.client.get("/healthz")
        await served.client.get("/readyz")
        await asyncio.sleep(0.3)  # the relay and its like look meanwhile

    (asked,) = collector.named("query eventCursor")
    assert attributes(asked)["dibs.way"] == "socket"
    roots = {one.name for one in collector.spans if not one.parent_span_id}
    assert roots == {"query eventCursor"}


async def test_a_statement_that_fails_and_a_request_that_does_are_errors(
    database_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    async with serving(database_url, traces_url=collector.url) as served:
        with monkeypatch.context() as patch:
            patch.setattr("gql.resolvers.queries.seek", lambda *_: ("a\x00b",))
            await served.answer("{ items { nodes { id } } }")

    (asked,) = collector.named("query items")
    assert asked.status.code == 2
    assert attributes(asked)["dibs.code"] == "INTERNAL_SERVER_ERROR"
    assert any(one.status.code == 2 and "db.query.text" in attributes(one) for one in collector.spans)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 5)])
async def test_a_share_of_requests_is_traced_whatever_clients_say(
    database_url: str, collector: Collector, share: float, expected: int
):
    async with serving(database_url, traces_url=collector.url, traces_share=share) as served:
        for _ in range(5):
            await served.post({"query": "{ eventCursor }"}, traceparent=PARENT)
            await served.post({"query": "{ nothing }"}, traceparent="garbage\x1b[2J")

    assert len(collector.named("query eventCursor")) == expected


async def test_a_collector_that_is_not_there_disturbs_nobody(database_url: str):
    async with serving(database_url, traces_url="http://127.0.0.1:9/v1/traces") as served:
        for _ in range(20):
            assert await served("{ eventCursor }")


def test_without_the_setting_nothing_that_traces_is_even_imported():
    code = "import sys, dibs.app, dibs.cli; assert 'dibs.tracing' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_where_it_is_not_installed_the_setting_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dibs.settings.find_spec", lambda _: None)

    with pytest.raises(ValidationError, match=r"requirements/tracing\.txt"):
        Settings(traces_url="http://collector:4318/v1/traces")
    with pytest.raises(ValidationError, match="http://"):
        Settings(traces_url="collector:4318")
