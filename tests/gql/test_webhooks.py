"""Webhooks over the API: what callers may say, and that a webhook tells what a query tells."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from dibs.serving import listen
from domain.events import CATALOGUE
from gql.schema.events import log_cursor
from gql.schema.ids import global_id
from tests.acceptance.processes import ROOT, environment
from tests.builders import a_key
from tests.gql.serving import Served, serving
from tests.receiver import receiving
from tests.workers.webhooks import deliveries, eventually, settled

DELIVERIES = """query ($filter: WebhookDeliveryFilter, $first: Int! = 50, $after: String) {
  webhookDeliveries(filter: $filter, first: $first, after: $after) {
    nodes { id eventType eventId eventCursor state endpoint { name } attempts { number at durationMs status error }
            createdAt dueAt endedAt }
    pageInfo { hasNextPage endCursor } } }"""
EVENTS = """{ events(first: 100) { nodes { __typename id cursor occurredAt
  ... on OrderChanged { orderId orderNumber channelCode orderVersion changes actors holdsPlaced holdsEnded }
  ... on AllocationStatusChanged { orderId orderNumber channelCode orderVersion before after cause actor }
  ... on StockLevelChanged {
    sku locationCode version onHand committed unavailable available overallocated }
  ... on AllocationRunProgressed { run {
    id state dryRun processed total outcomes { status count } startedAt finishedAt } } } } }"""
SAVED = """... on SaveWebhookEndpointsSuccess {
  endpoints { id name url types channels enabled } secrets { endpoint secret } }"""


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, webhook_allow_loopback=True) as served:
        yield served


async def an_endpoint(served: Served, url: str = "https://partner.example/", **more: Any) -> Any:
    return await served.mutate("saveWebhookEndpoints", SAVED, endpoints=[{"name": "partner", "url": url} | more])


async def some_events(served: Served) -> None:
    await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
    await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": "CHAIR", "quantity": 1}])
    await served.mutate("placeOrder", channel="SHOP", number="1", lines=[{"sku": "CHAIR", "quantity": 2}])
    order = {"order": {"number": {"channel": "SHOP", "number": "1"}}}
    await served.mutate("allocateOrders", orders=[order])
    await served.mutate("startAllocationRun")


async def test_a_webhook_tells_exactly_what_a_query_of_the_log_tells(served: Served):
    async with receiving() as receiver:
        saved = await an_endpoint(served, receiver.url)
        await some_events(served)

        async def run_has_ended() -> bool:
            nodes = (await served(EVENTS))["events"]["nodes"]
            return any(node.get("run", {}).get("state") == "SUCCEEDED" for node in nodes)

        await eventually(run_has_ended)
        await settled(served.database)
        log = (await served(EVENTS))["events"]["nodes"]

    (secret,) = [one["secret"] for one in saved["secrets"]]
    told = {one.id: Webhook(secret).verify(one.body, one.headers) for one in receiver.taken}
    assert {node["__typename"] for node in log} == {
        "OrderChanged",
        "AllocationStatusChanged",
        "StockLevelChanged",
        "AllocationRunProgressed",
    }
    assert told == {
        node["id"]: {
            "type": node["__typename"],
            "typeVersion": CATALOGUE[node["__typename"]].type_version,
            "timestamp": node["occurredAt"],
            "data": without_typename(node),
        }
        for node in log
    }


def without_typename(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "__typename"}


async def test_the_secret_of_an_endpoint_is_shown_when_it_is_created_and_never_again(served: Served):
    first = await an_endpoint(served)
    again = await an_endpoint(served, channels=["SHOP"])

    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", first["secrets"][0]["secret"])
    assert again["secrets"] == []
    assert again["endpoints"] == [
        {
            "id": first["endpoints"][0]["id"],
            "name": "partner",
            "url": "https://partner.example/",
            "types": None,
            "channels": ["SHOP"],
            "enabled": True,
        }
    ]


async def test_a_rotated_secret_is_shown_to_its_idempotency_key_only(served: Served):
    await an_endpoint(served)
    key = a_key()
    shown = "... on RotateWebhookSecretSuccess { secret endpoint { name } }"

    first = await served.mutate("rotateWebhookSecret", shown, endpoint="partner", idempotencyKey=key)
    again = await served.mutate("rotateWebhookSecret", shown, endpoint="partner", idempotencyKey=key)
    other = await served.mutate("rotateWebhookSecret", shown, endpoint="partner")
    reused = await served.mutate(
        "rotateWebhookSecret", shown, endpoint="partner", keepPreviousSeconds=1, idempotencyKey=key
    )

    assert first == again
    assert other["secret"] != first["secret"]
    assert reused["__typename"] == "IdempotencyKeyReused"


async def test_every_problem_of_an_endpoint_is_listed_at_once(served: Served):
    answer = await served.mutate(
        "saveWebhookEndpoints",
        endpoints=[
            {"name": "a", "url": "https://10.0.0.1/"},
            {"name": "b"},
            {"name": "c", "url": "https://partner.example/", "types": ["Nonsense"], "channels": [], "enabled": None},
            {"name": "a", "url": "http://partner.example/"},
        ],
    )

    assert {(".".join(one["path"]), one["code"]) for one in answer["problems"]} == {
        ("input.endpoints.0.url", "NOT_A_WEBHOOK_URL"),
        ("input.endpoints.2.enabled", "REQUIRED"),
        ("input.endpoints.2.channels", "REQUIRED"),
        ("input.endpoints.2.types.0", "UNKNOWN"),
        ("input.endpoints.3.url", "NOT_A_WEBHOOK_URL"),
        ("input.endpoints.3", "DUPLICATE"),
    }
    missing = await served.mutate("saveWebhookEndpoints", endpoints=[{"name": "b"}])
    assert [one["code"] for one in missing["problems"]] == ["REQUIRED"]
    assert (await served("{ webhookEndpoints { name } }"))["webhookEndpoints"] == []


@pytest.mark.parametrize("mutation", ["rotateWebhookSecret", "replayWebhookEvents", "sendTestWebhook"])
async def test_an_endpoint_that_is_not_there_is_not_found(served: Served, mutation: str):
    after = {"after": (await served("{ eventCursor }"))["eventCursor"]} if mutation == "replayWebhookEvents" else {}

    for name in ("nobody", "x" * 1000):
        answer = await served.mutate(mutation, "... on NotFound { references }", endpoint=name, **after)
        assert (answer["__typename"], answer["references"]) == ("NotFound", [name])


async def test_a_cursor_beyond_the_log_or_of_another_list_is_refused(served: Served):
    await an_endpoint(served)

    answer = await served.mutate("replayWebhookEvents", endpoint="partner", after=log_cursor(99))
    assert [one["code"] for one in answer["problems"]] == ["OUT_OF_RANGE"]
    document = """mutation { replayWebhookEvents(input: {endpoint: "partner", after: "x", idempotencyKey: "1"}) {
      __typename } }"""
    assert await served.code(document) == "BAD_USER_INPUT"


async def test_deliveries_are_listed_page_by_page_and_found_by_endpoint_and_state(served: Served):
    async with receiving() as receiver:
        await an_endpoint(served, receiver.url)
        await served.mutate("saveWebhookEndpoints", endpoints=[{"name": "other", "url": receiver.url}])
        await some_events(served)
        await settled(served.database)
        all_of_them = [global_row(one.id) for one in await deliveries(served.database)]
        seen: list[str] = []
        after = None
        while True:
            page = (await served(DELIVERIES, first=3, after=after))["webhookDeliveries"]
            seen += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        ours = await served(DELIVERIES, filter={"endpoints": ["partner"], "states": ["DELIVERED"]})
        none = await served(DELIVERIES, filter={"states": []})

    assert seen[-len(all_of_them) :] == all_of_them
    nodes = ours["webhookDeliveries"]["nodes"]
    assert {node["endpoint"]["name"] for node in nodes} == {"partner"}
    assert [(one["number"], one["status"], one["error"]) for one in nodes[0]["attempts"]] == [(1, 204, None)]
    assert none["webhookDeliveries"]["nodes"] == []
    found = await served("query ($id: ID!) { node(id: $id) { __typename id } }", id=nodes[0]["id"])
    assert found["node"] == {"__typename": "WebhookDelivery", "id": nodes[0]["id"]}


def global_row(row: int) -> str:
    return global_id("WebhookDelivery", row)


async def test_the_receiver_of_the_examples_takes_what_is_signed_and_nothing_else(served: Served):
    """It runs for real: Dibs posts to it, and it prints."""
    port = free_port()
    saved = await an_endpoint(served, f"http://127.0.0.1:{port}/")
    secret = saved["secrets"][0]["secret"]
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, str(ROOT / "examples" / "webhook_receiver.py"), str(port)],
        env=environment(WEBHOOK_SECRET=secret),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert "listening" in process.stdout.readline()
        forged = await served.client.post(
            f"http://127.0.0.1:{port}/",
            content=b"{}",
            headers={"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,eA=="},
        )
        await served.mutate("sendTestWebhook", endpoint="partner")

        async def has_ended() -> bool:
            return [one.state for one in await deliveries(served.database)] == ["DELIVERED"]

        await eventually(has_ended)
        os.kill(process.pid, signal.SIGTERM)
        printed = process.stdout.read()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

    assert forged.status_code == 401
    assert printed.startswith("WebhookTest")
    assert printed.count("\n") == 1


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        return port
