"""What a request costs is told, and what a key may ask for is one budget over HTTP and sockets."""

import asyncio

import pytest

from gql import http, loaders
from tests.gql.serving import Served, serving

CURSOR = {"query": "{ eventCursor }"}
LARGE = {"query": "{ items(first: 100) { nodes { levels { onHand } } } }"}
"""100 items of a page with ten levels each, and the page."""


async def test_the_cost_stands_in_every_answer(served: Served):
    assert (await served.post(CURSOR)).json()["extensions"] == {"cost": 1}
    large = (await served.post(LARGE)).json()["extensions"]["cost"]
    assert large > 1_000
    async with served.socket() as socket:
        await socket.subscribe("large", LARGE["query"])
        assert (await socket.receive())["payload"]["extensions"] == {"cost": large}


async def test_what_is_sent_is_in_the_cost(served: Served):
    query = "mutation ($items: [ItemInput!]!) { saveItems(input: {items: $items}) { __typename } }"

    def saving(items: int) -> dict:
        return {"query": query, "variables": {"items": [{"sku": f"SKU-{at}", "name": "x"} for at in range(items)]}}

    one, many = [(await served.post(saving(items))).json()["extensions"]["cost"] for items in (1, 101)]

    assert many - one == 100


async def test_http_and_sockets_spend_from_one_budget(database_url: str):
    async with serving(database_url, cost_budget=2_000) as served, served.socket() as socket:
        await socket.subscribe("1", LARGE["query"])
        assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]
        assert (await served.post(LARGE)).status_code == 200

        refused = await served.post(CURSOR)
        (error,) = refused.json()["errors"]
        wait = error["extensions"]["retryAfterMs"]
        assert (refused.status_code, error["extensions"]["code"]) == (429, "RATE_LIMITED")
        assert 0 < wait <= 60_000
        assert 0 <= int(refused.headers["retry-after"]) * 1000 - wait < 1000

        for number, query in enumerate([CURSOR["query"], "subscription { orderChanged { cursor } }", "rubbish"]):
            await socket.subscribe(f"again {number}", query)
            assert (await socket.error(f"again {number}"))["extensions"]["code"] == "RATE_LIMITED"


async def test_a_key_that_waited_is_answered_again(database_url: str):
    async with serving(database_url, cost_budget=60_000) as served:  # one object each millisecond
        for _ in range(60):
            refused = await served.post(LARGE)
            if refused.status_code == 429:
                break
        (error,) = refused.json()["errors"]
        await asyncio.sleep(error["extensions"]["retryAfterMs"] / 1000 + 0.01)

        assert (await served.post(CURSOR)).status_code == 200


async def test_what_is_refused_costs_too(database_url: str):
    async with serving(database_url, cost_budget=1_000) as served:
        codes = [await served.code("{ nonsense }")]
        while codes[-1] == "GRAPHQL_VALIDATION_FAILED" and len(codes) < 500:  # meanwhile the budget fills
            codes.append(await served.code("{ nonsense }"))

    assert len(codes) > 10
    assert codes[-1] == "RATE_LIMITED"


async def test_a_key_that_has_to_wait_is_told_so_before_its_body_is_looked_at(database_url: str):
    async with serving(database_url, cost_budget=100) as served:
        assert [(await served.post(body)).status_code for body in (LARGE, CURSOR)] == [200, 429]
        assert (await served.post(b"[" * 100_000)).status_code == 429


async def test_no_budget_is_no_limit(database_url: str):
    async with serving(database_url, cost_budget=0) as served:
        assert {(await served.post(LARGE)).status_code for _ in range(20)} == {200}


@pytest.mark.parametrize("over", ["http", "socket"])
async def test_a_request_has_a_deadline(served: Served, monkeypatch: pytest.MonkeyPatch, over: str):
    async def never(*_: object) -> None:
        await asyncio.sleep(1)

    monkeypatch.setattr(http, "REQUEST_SECONDS_MAX", 0.1)
    monkeypatch.setattr(loaders.Reading, "_read", never)
    query = '{ item(by: {id: "SXRlbTox"}) { id } }'
    if over == "http":
        answer = await served.post({"query": query})
        (error,) = answer.json()["errors"]
        assert answer.status_code == 503
    else:
        async with served.socket() as socket:
            await socket.subscribe("slow", query)
            error = await socket.error("slow")

    assert error["extensions"]["code"] == "OUTCOME_UNKNOWN"
