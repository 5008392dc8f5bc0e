"""More than can be done: whoever is too many is told so at once, and no answer is longer than it is of use."""

import asyncio

import asyncpg
import pytest

from persistence.locks import SKU_CLASS
from services.desk import Desk
from tests.builders import a_key
from tests.gql.serving import KNOWN, Served, until

RECEIVE = """mutation ($input: ReceiveStockInput!) { receiveStock(input: $input) { __typename } }"""
KEYS = "SELECT array_agg(key ORDER BY key) FROM idempotency_keys WHERE key = ANY ($1)"


async def test_who_is_too_many_is_told_at_once_and_who_waits_is_served(served: Served):
    desk = served.running.http._parts.make_context(KNOWN).performer
    assert isinstance(desk, Desk)
    desk._queue_max = 3
    await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
    await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])

    connection = await asyncpg.connect(served.database_url)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, id) FROM items", SKU_CLASS)
        first = asyncio.create_task(receive(served))
        await until(lambda: desk.batches == 1)
        others = [asyncio.create_task(receive(served)) for _ in range(10)]
        await until(lambda: sum(one.done() for one in others) == 7)  # while the others still wait for the lock
    told = [await one for one in (first, *others)]

    assert sorted(code for _, code in told) == ["BUSY"] * 7 + ["StockSuccess"] * 4
    kept = await connection.fetchval(KEYS, [key for key, _ in told])
    await connection.close()
    assert kept == sorted(key for key, code in told if code != "BUSY")


async def receive(served: Served) -> tuple[str, str]:
    """The key, and what came of it."""
    key, lines = a_key(), [{"sku": "CHAIR", "quantity": 1}]
    answer = await served.answer(RECEIVE, input={"location": "LEEDS", "lines": lines, "idempotencyKey": key})
    if "errors" not in answer:
        return key, answer["data"]["receiveStock"]["__typename"]
    (error,) = answer["errors"]
    assert error["extensions"]["retryAfterMs"] > 0
    return key, error["extensions"]["code"]


LINES = [{"sku": None, "quantity": "many"}] * 50
PAGES = "{ " + " ".join(f"a{number}: items(first: 0) {{ nodes {{ sku }} }}" for number in range(14)) + " }"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ " + " ".join(f"f{number}" for number in range(50)) + " }", {}),
        (RECEIVE, {"input": {"location": "LEEDS", "lines": LINES, "idempotencyKey": "x"}}),
        (PAGES, {}),
    ],
    ids=["that the schema has not", "that are no variables", "that fail"],
)
async def test_an_answer_has_ten_errors_at_most(served: Served, query: str, variables: dict[str, object]):
    answer = await served.answer(query, **variables)

    assert 1 <= len(answer["errors"]) <= 10
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {
        "BAD_USER_INPUT",
        "GRAPHQL_VALIDATION_FAILED",
    }
