"""A mutation whose database goes away: whatever is told, it is not that nothing was written when something was."""

from functools import partial

import pytest

from tests.builders import a_key
from tests.gql.proxy import Ambush, proxied
from tests.gql.serving import Served, serving

PLACE = """mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename
    ... on PlaceOrderSuccess { order { number channel { code } } } } }"""
PLACED = {
    "placeOrder": {"__typename": "PlaceOrderSuccess", "order": {"number": "N1", "channel": {"code": "SHOP"}}},
}


@pytest.mark.parametrize("tells", [False, True])
async def test_i7_what_was_written_and_cannot_be_shown_is_an_unknown_outcome_and_the_key_tells_it(
    database_url: str, tells: bool
):
    order = {"channel": "SHOP", "number": "N1", "lines": [{"sku": "CHAIR", "quantity": 1}], "idempotencyKey": a_key()}
    async with proxied(database_url, partial(Ambush, tells=tells)) as (road, url), serving(url) as served:
        await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])

        assert await code_of(served, order) == "OUTCOME_UNKNOWN"
        assert road.sprung
        assert await code_of(served, order) == "BUSY"
        await road.open()
        assert await served(PLACE, input=order) == PLACED
        assert (await served("{ orderCounts { total } }"))["orderCounts"]["total"] == 1


async def code_of(served: Served, order: object) -> str:
    (error,) = (await served.answer(PLACE, input=order))["errors"]
    return str(error["extensions"]["code"])
