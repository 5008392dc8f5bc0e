"""What Prometheus is told: that it is true, bounded, away from clients, and costs nothing where nobody asks."""

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from dibs.meters import Meters
from dibs.serving import listen
from gql.api import create_schema
from gql.errors import CODES
from tests.acceptance.processes import KEY, ROOT, working
from tests.gql.proxy import proxied
from tests.gql.serving import Served, serving, until
from tests.receiver import Received, answering, receiving


class Figures(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """One scrape: by name and labels."""

    def of(self, name: str, **labels: str) -> float:
        return self[name, frozenset(labels.items())]

    def names(self) -> set[str]:
        return {name for name, _ in self}

    def labels(self, name: str) -> set[str]:
        return {value for label in ("way", "kind", "code", "field") for value in self.values_of(name, label)}

    def values_of(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for known, labels in self if known == name and label in dict(labels)}


class Metered(Served):
    """An API with its side door."""

    side_port: int

    async def scrape(self) -> Figures:
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{self.side_port}/metrics", timeout=20)
        assert response.status_code == 200
        return figures_in(response.text)


def figures_in(told: str) -> Figures:
    samples = (sample for family in text_string_to_metric_families(told) for sample in family.samples)
    return Figures({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})


@pytest.fixture
async def metered(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Metered]:
    monkeypatch.setattr("dibs.meters.FIGURES_AGE_MAX", 0)
    monkeypatch.setattr("dibs.readiness.FRESH_SECONDS", 0)
    with side_listener() as side:
        async with serving(database_url, side) as served:
            yield as_metered(served, side)


def as_metered(served: Served, side: socket.socket) -> Metered:
    served.__class__ = Metered
    assert isinstance(served, Metered)
    served.side_port = side.getsockname()[1]
    return served


@contextmanager
def side_listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as listener:
        yield listener


async def goods(api: Served) -> None:
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await api.mutate("saveChannels", channels=[{"code": "web", "name": "Web"}])
    await api.mutate("saveItems", items=[{"sku": "MUG", "name": "Mug"}])
    await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": "MUG", "quantity": 100}])


async def place(api: Served, number: str) -> None:
    placed = await api.mutate("placeOrder", channel="web", number=number, lines=[{"sku": "MUG", "quantity": 1}])
    assert placed["__typename"] == "PlaceOrderSuccess", placed


# ---------------------------------------------------------------- what is told


async def test_requests_are_counted_by_how_they_came_and_what_came_of_them(metered: Metered):
    for _ in range(3):
        await metered("query Any { eventCursor }")
    await metered.answer("{ nothing }")
    await metered.post({"query": "{ eventCursor }"}, authorization="Bearer wrong")
    await metered.client.get("/nowhere")

    found = await metered.scrape()

    assert found.of("dibs_requests_total", way="http", kind="query", code="OK") == 3
    assert found.of("dibs_requests_total", way="http", kind="", code="GRAPHQL_VALIDATION_FAILED") == 1
    assert found.of("dibs_requests_total", way="http", kind="", code="UNAUTHENTICATED") == 1
    assert found.of("dibs_requests_total", way="http", kind="", code="404") == 1
    assert found.of("dibs_request_duration_seconds_count", way="http", kind="query") == 3
    assert found.of("dibs_resolver_duration_seconds_count", field="Query.eventCursor") == 3


async def test_a_batch_its_coalescing_its_locks_and_its_connections_are_measured(metered: Metered):
    await goods(metered)
    before = await metered.scrape()
    await asyncio.gather(*(place(metered, str(number)) for number in range(20)))

    found = await metered.scrape()

    def grown(name: str) -> float:
        return found.of(name) - before.of(name)

    batches = grown("dibs_batch_requests_count")
    assert grown("dibs_batch_requests_sum") == 20
    assert 1 <= batches < 20
    assert grown("dibs_batch_duration_seconds_count") == batches
    assert grown("dibs_lock_wait_seconds_count") >= batches
    assert grown("dibs_connection_hold_seconds_count") >= batches
    assert found.of("dibs_resolver_duration_seconds_count", field="Mutation.placeOrder") == 20
    assert found.of("dibs_desk_waiting_requests") == 0
    assert found.of("dibs_pool_connections") == 10


async def test_waiting_for_a_sku_is_lock_wait(metered: Metered):
    await goods(metered)
    async with metered.running.engine.connect() as other:
        await other.execute(text("SELECT pg_advisory_xact_lock(53685, id) FROM items"))
        assert (await other.execute(text("SELECT x'D1B5'::int"))).scalar_one() == 53685
        more = metered.mutate("receiveStock", location="LEEDS", lines=[{"sku": "MUG", "quantity": 1}])
        receiving_more = asyncio.create_task(more)
        await asyncio.sleep(0.3)
        await other.rollback()
    await receiving_more

    assert (await metered.scrape()).of("dibs_lock_wait_seconds_sum") > 0.1


async def test_subscribers_streams_and_their_messages_are_counted(metered: Metered):
    await goods(metered)
    query = "subscription { orderChanged { cursor } }"
    async with metered.socket() as one, metered.socket() as other:
        await one.subscribe("1", query)
        await other.subscribe("1", query)
        await until(lambda: metered.hub.subscribers == 2)
        await place(metered, "1")
        await one.next("1")
        await other.next("1")

        found = await metered.scrape()
        assert found.of("dibs_subscribers") == 2
        assert found.of("dibs_streams") == 1
        assert found.of("dibs_event_executions_total") == 1
        assert found.of("dibs_messages_total") == 2
        assert found.of("dibs_event_delay_seconds_count") >= 1
        assert found.of("dibs_events_numbered_total") >= 1
        assert found.of("dibs_feed_position") == metered.feed.position
    await until(lambda: metered.hub.subscribers == 0)

    after = await metered.scrape()
    assert after.of("dibs_subscribers") == 0
    assert after.of("dibs_requests_total", way="socket", kind="subscription", code="OK") == 2
    assert after.of("dibs_requests_total", way="connection", kind="", code="OK") == 2


async def test_what_no_relay_has_numbered_is_counted_and_has_an_age(database_url: str, monkeypatch):
    monkeypatch.setattr("workers.relay.number_events", nothing)
    with side_listener() as side:
        async with serving(database_url, side) as served:
            metered = as_metered(served, side)
            await goods(metered)
            await asyncio.sleep(0.05)
            found = await metered.scrape()

    assert found.of("dibs_unnumbered_events") > 0
    assert 0.05 <= found.of("dibs_unnumbered_age_seconds") < 60


async def nothing(_: object) -> int:
    return 0


async def test_webhooks_are_attempts_and_those_that_fail_a_backlog(database_url: str, monkeypatch):
    monkeypatch.setattr("dibs.meters.FIGURES_AGE_MAX", 0)
    async with receiving() as receiver:
        with side_listener() as side:
            async with serving(database_url, side, webhook_allow_loopback=True) as served:
                metered = as_metered(served, side)
                await metered.mutate("saveWebhookEndpoints", endpoints=[{"name": "shop", "url": receiver.url}])
                await goods(metered)
                await until(lambda: len(receiver.taken) == 1)
                receiver.answer = refusing
                await place(metered, "1")
                await until(lambda: len(receiver.received) > 1)
                async with asyncio.timeout(20):
                    while not (found := await metered.scrape()).of("dibs_webhook_attempts_total", outcome="failed"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)

    assert found.of("dibs_webhook_attempts_total", outcome="taken") == 1
    assert found.of("dibs_webhooks_pending") >= 1
    assert found.of("dibs_webhooks_dead") == 0
    assert found.of("dibs_webhook_duration_seconds_count") >= 2


async def refusing(_: Received) -> bytes:
    return answering(500)


async def test_lines_of_trouble_are_counted(metered: Metered):
    logging.getLogger("dibs.test").error("something is wrong")
    logging.getLogger("dibs.test").info("all is well")

    assert (await metered.scrape()).of("dibs_log_lines_total", level="error") == 1


async def test_a_database_that_is_away_is_told_and_everything_else_still_is(database_url: str, monkeypatch):
    monkeypatch.setattr("dibs.meters.FIGURES_AGE_MAX", 0)
    async with proxied(database_url) as (proxy, url):
        with side_listener() as side:
            async with serving(url, side) as served:
                served.__class__, served.side_port = Metered, side.getsockname()[1]
                up = await served.scrape()
                await proxy.cut()
                down = await served.scrape()
                await proxy.open()

    assert up.of("dibs_database_up") == 1
    assert down.of("dibs_database_up") == 0
    assert "dibs_unnumbered_events" in up.names()
    assert "dibs_unnumbered_events" not in down.names()
    assert down.of("dibs_subscribers") == 0


# ---------------------------------------------------------------- bounds


async def test_whatever_is_sent_labels_are_names_of_the_schema_and_codes_of_ours(metered: Metered):
    for number in range(20):
        await metered.answer(f"query Hostile{number} {{ a{number}: eventCursor b: eventCursor }}")
        await metered.answer(f"{{ unknown{number} }}")
        await metered.answer("{ __typename }")
        await metered.client.get(f"/path{number}")
        await metered.client.request(f"METHOD{number}", "/graphql")
    async with metered.socket() as socket:
        await socket.subscribe("x" * 1000, "query Hostile { eventCursor }")
        await socket.next("x" * 1000)

    found = await metered.scrape()
    schema = create_schema()._schema
    fields = {f"{kind}.{name}" for kind, has in schema.type_map.items() for name in getattr(has, "fields", ())}
    ways, kinds = {"http", "stream", "socket", "connection"}, {"", "query", "mutation", "subscription"}
    for name in found.names():
        assert found.values_of(name, "way") <= ways
        assert found.values_of(name, "kind") <= kinds
        assert found.values_of(name, "field") <= fields
        assert found.values_of(name, "code") <= {*CODES, "OK", "404", "405"}
    assert "ostile" not in str(found)


def test_fields_that_wait_for_nothing_are_not_measured():
    """A histogram for each of a thousand fields would be more than anybody wants to keep."""
    schema = create_schema()._schema
    plain = {
        (kind.name, name): field.resolve
        for kind in schema.type_map.values()
        for name, field in getattr(kind, "fields", {}).items()
        if hasattr(field, "resolve")
    }
    Meters().watch_schema(schema)

    changed = {
        named for named, resolve in plain.items() if schema.type_map[named[0]].fields[named[1]].resolve != resolve
    }
    assert ("Query", "orders") in changed
    assert ("Order", "number") not in changed
    assert len(changed) < 300


# ---------------------------------------------------------------- where it is told


async def test_clients_of_the_api_cannot_read_figures(metered: Metered):
    assert (await metered.client.get("/metrics")).status_code == 404


async def test_the_side_door_has_figures_and_health_and_nothing_else(metered: Metered):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{metered.side_port}") as client:
        statuses = {
            path: (await client.get(path)).status_code for path in ("/metrics", "/healthz", "/readyz", "/graphql")
        }
        posted = await client.post("/metrics")

    assert statuses == {"/metrics": 200, "/healthz": 200, "/readyz": 200, "/graphql": 404}
    assert posted.status_code == 405


async def test_without_a_side_door_nothing_is_measured(database_url: str, monkeypatch):
    def made(_: object) -> None:
        raise AssertionError("nobody wants figures")

    monkeypatch.setattr("dibs.working.Meters.__init__", made)
    async with serving(database_url) as served:
        await served("{ eventCursor }")


def test_a_worker_has_figures_of_its_own(database_url: str, tmp_path):
    with working(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY, DIBS_METRICS_PORT="0") as process:
        (port,) = {
            one.laddr.port for one in psutil.Process(process.pid).net_connections("tcp") if one.status == "LISTEN"
        }
        found = figures_in(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz")
        process.terminate()
        assert process.wait(10) in {0, 143}

    assert found.of("dibs_database_up") == 1
    assert found.of("dibs_events_numbered_total") == 0
    assert "dibs_subscribers" not in found.names()
    assert "process_resident_memory_bytes" in found.names()
    assert ready.json() == {"status": "ready"}
    assert re.fullmatch(r"[0-9.]+", next(iter(found.values_of("dibs_info", "version")), "0"))


# ---------------------------------------------------------------- the dashboard

NAME = re.compile(r"\b(?:dibs|process)_[a-z_]+")
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())


def queries() -> list[str]:
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return shown + [one["query"] for one in DASHBOARD["templating"]["list"]]


async def test_every_figure_on_the_dashboard_is_told_by_a_server(metered: Metered):
    await metered("{ eventCursor }")
    told = {*(await told_by(metered)), "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}

    assert {name for query in queries() for name in NAME.findall(query)} <= told


async def told_by(metered: Metered) -> set[str]:
    """What has labels is named without a value until it has one."""
    async with httpx.AsyncClient() as client:
        told = (await client.get(f"http://127.0.0.1:{metered.side_port}/metrics")).text
    families = list(text_string_to_metric_families(told))
    kinds = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {f"{family.name}{ending}" for family in families for ending in kinds.get(family.type, ("",))}


async def test_every_label_that_the_dashboard_groups_by_or_chooses_is_there(metered: Metered):
    await metered("{ eventCursor }")
    logging.getLogger("dibs.test").error("something is wrong")
    known = {label for _, labels in await metered.scrape() for label, _ in labels}

    grouped = {label for query in queries() for label in re.findall(r"by \(([a-z_, ]+)\)", query)}
    legends = {
        label
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        for label in re.findall(r"{{([a-z]+)}}", target["legendFormat"])
    }
    assert grouped | legends <= known | {"instance"}


def test_the_dashboard_is_as_it_is_made():
    made = subprocess.run(
        [sys.executable, "-c", "from docs.make_dashboard import text; print(text(), end='')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "deploy" / "grafana-dashboard.json").read_text()


def test_brackets_of_every_query_are_closed():
    for query in queries():
        assert [query.count(one) for one in "({["] == [query.count(one) for one in ")}]"], query
