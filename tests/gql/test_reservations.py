"""Stock reservations over the API: a cart holds units, becomes an order, is released, or expires."""

import asyncio

import pytest

from tests.builders import run_out
from tests.gql.serving import SECONDS_MAX, Served

CART = """
    id state expiresAt createdAt order { number }
    lines { sku item { name } quantity from { location { code } quantity } }
    """
RESERVED = f"... on ReserveStockSuccess {{ reservation {{ {CART} }} }}"
RELEASED = f"... on ReleaseReservationSuccess {{ reservation {{ {CART} }} }}"
ENDED = "... on ReservationEnded { reservation { id state } }"
PLACED = f"... on PlaceOrderSuccess {{ order {{ number allocationStatus }} }} {ENDED}"
FOUND = f"query ($id: ID!) {{ stockReservation(id: $id) {{ {CART} }} }}"
LEVEL = '{ stockLevels(filter: {skus: ["CHAIR"]}) { nodes { onHand committed available } } }'


@pytest.fixture
async def shop(served: Served) -> Served:
    await served("""mutation { saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename } }""")
    await served("""mutation { saveItems(input: {items: [{sku: "CHAIR", name: "A chair"}]}) { __typename } }""")
    await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": "CHAIR", "quantity": 3}])
    return served


async def reserve(shop: Served, quantity: int, **more) -> dict:
    return await shop.mutate("reserveStock", RESERVED, lines=[{"sku": "CHAIR", "quantity": quantity}], **more)


async def check_out(shop: Served, number: str, cart: str, quantity: int = 2) -> dict:
    lines = [{"sku": "CHAIR", "quantity": quantity}]
    return await shop.mutate("placeOrder", PLACED, channel="web", number=number, lines=lines, reservation=cart)


async def level(shop: Served) -> tuple[int, int, int]:
    ((on_hand, committed, available),) = [one.values() for one in (await shop(LEVEL))["stockLevels"]["nodes"]]
    return on_hand, committed, available


async def test_a_cart_becomes_an_order(shop: Served):
    cart = (await reserve(shop, 2, expiresInSeconds=60))["reservation"]

    assert cart["state"] == "ACTIVE"
    assert cart["expiresAt"] > cart["createdAt"]
    assert cart["lines"] == [
        {
            "sku": "CHAIR",
            "item": {"name": "A chair"},
            "quantity": 2,
            "from": [{"location": {"code": "LEEDS"}, "quantity": 2}],
        }
    ]
    assert await level(shop) == (3, 2, 1)

    placed = await check_out(shop, "1", cart["id"])
    assert placed["order"] == {"number": "1", "allocationStatus": "ALLOCATED"}

    found = (await shop(FOUND, id=cart["id"]))["stockReservation"]
    assert (found["state"], found["order"], found["lines"][0]["from"]) == ("TAKEN_OVER", {"number": "1"}, [])
    assert await level(shop) == (3, 2, 1)
    again = await check_out(shop, "2", cart["id"])
    assert (again["__typename"], again["reservation"]["state"]) == ("ReservationEnded", "TAKEN_OVER")
    assert (await shop("{ orderCounts { total } }"))["orderCounts"] == {"total": 1}


async def test_too_much_is_refused_with_every_shortage(shop: Served):
    short = "... on InsufficientStock { shortages { sku location { code } requested onHand available } }"
    lines = [{"sku": "CHAIR", "quantity": 2}, {"sku": "CHAIR", "quantity": 2}]

    refused = await shop.mutate("reserveStock", short, lines=lines)

    assert refused["__typename"] == "InsufficientStock"
    assert refused["shortages"] == [{"sku": "CHAIR", "location": None, "requested": 4, "onHand": 3, "available": 3}]
    assert await level(shop) == (3, 0, 3)


async def test_a_cart_is_released_once(shop: Served):
    cart = (await reserve(shop, 3))["reservation"]["id"]

    released = await shop.mutate("releaseReservation", RELEASED, reservation=cart)
    again = await shop.mutate("releaseReservation", ENDED, reservation=cart)

    assert (released["reservation"]["state"], again["reservation"]) == ("RELEASED", {"id": cart, "state": "RELEASED"})
    assert (
        again["message"]
        == "The stock reservation was released or has expired: reserve again if the units are still wanted."
    )
    assert await level(shop) == (3, 0, 3)


async def test_a_worker_gives_back_what_is_set_aside_for_a_cart_whose_time_is_over(shop: Served):
    cart = (await reserve(shop, 3))["reservation"]["id"]
    (row,) = await shop.database.read(lambda uow: uow.reservations.by_ids([1]))
    await run_out(shop.database, row.id)

    assert (await shop(FOUND, id=cart))["stockReservation"]["state"] == "EXPIRED"
    assert (await check_out(shop, "1", cart))["__typename"] == "ReservationEnded"
    async with asyncio.timeout(SECONDS_MAX):
        while await level(shop) != (3, 0, 3):  # noqa: ASYNC110  (a worker does it)
            await asyncio.sleep(0.05)
    assert (await shop(FOUND, id=cart))["stockReservation"]["state"] == "EXPIRED"


async def test_a_draft_cannot_take_a_cart_over(shop: Served):
    cart = (await reserve(shop, 1))["reservation"]["id"]
    lines = [{"sku": "CHAIR", "quantity": 1}]

    refused = await shop.mutate("placeOrder", channel="web", number="1", lines=lines, reservation=cart, draft=True)

    assert [problem["path"] for problem in refused["problems"]] == [["input", "reservation"]]


async def test_carts_that_nobody_knows_are_not_found(shop: Served):
    order = (await check_out(shop, "1", (await reserve(shop, 2))["reservation"]["id"]))["order"]
    assert order["number"] == "1"
    item = (await shop('{ item(by: {sku: "CHAIR"}) { id } }'))["item"]["id"]

    for unknown in ("garbage", "", item):
        assert (await shop(FOUND, id=unknown))["stockReservation"] is None
        assert (await shop.mutate("releaseReservation", reservation=unknown))["__typename"] == "NotFound"
        assert (await check_out(shop, "2", unknown))["__typename"] == "NotFound"


async def test_a_cart_can_be_fetched_again_by_its_id(shop: Served):
    cart = (await reserve(shop, 1))["reservation"]["id"]
    node = "query ($id: ID!) { node(id: $id) { __typename id ... on StockReservation { state } } }"

    assert (await shop(node, id=cart))["node"] == {"__typename": "StockReservation", "id": cart, "state": "ACTIVE"}


async def test_i7_twins_reserve_once(shop: Served):
    answers = await asyncio.gather(*(reserve(shop, 1, idempotencyKey="once") for _ in range(10)))

    assert len({answer["reservation"]["id"] for answer in answers}) == 1
    assert await level(shop) == (3, 1, 2)
    assert (await reserve(shop, 2, idempotencyKey="once"))["__typename"] == "IdempotencyKeyReused"
