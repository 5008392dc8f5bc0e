"""Customers follow their orders: the link, the page and the facts behind it, without a key."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.ids import OrderId
from gql.schema.ids import row_id
from services import journeys
from services.journeys import tracking_tokens
from tests.gql.serving import Served, serving
from tests.gql.test_fulfillments import HOME, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "https://orders.shop.example/shop"
LINK = "query ($id: ID!) { order(by: {id: $id}) { number trackingUrl noTrackingUrl } }"
SECRET = {
    "customer": {"name": "Ada King", "email": "ada@secret.example", "phone": "+442079460000", "reference": "C-77"},
    "note": "leave it with the neighbour",
    "tags": ["vip-internal"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_database_url: str) -> AsyncIterator[Served]:
    async with serving(shared_database_url, public_url=PUBLIC + "/") as served:
        places = [{"code": "LEEDS", "name": "Leeds depot 7"}]
        places.append({"code": "SUPPLIER", "name": "Supplier", "kind": "DROPSHIP", "rank": 900})  # type: ignore[dict-item]
        await served.mutate("saveLocations", locations=places)
        await served.mutate("saveMerchant", name="Ada & Sons <Chairs>")
        yield served


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


async def link(api: Served, order: str) -> str:
    found = (await api(LINK, id=order))["order"]["trackingUrl"]
    assert found.startswith(f"{PUBLIC}/track/")
    return str(found).removeprefix(PUBLIC)


async def asked(api: Served, path: str, method: str = "GET") -> httpx.Response:
    """As a browser of a stranger asks: no key, nothing."""
    return await api.client.request(method, path)


async def facts(api: Served, order: str) -> Any:
    answer = await asked(api, await link(api, order) + ".json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def progress(told: Any) -> list[str]:
    return [stage["progress"] for stage in told["stages"]]


class Tags(HTMLParser):
    """What stands in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


# ---------------------------------------------------------------- the journey


async def test_a4_r12_l1_a_customer_follows_an_order_from_placement_to_delivery(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 2), allocate=False)
    told = await facts(api, order)
    assert (told["headline"], told["merchant"]) == ("We have your order.", "Ada & Sons <Chairs>")
    assert told["ordered"] == [{"title": "Thing", "quantity": 2}]
    assert told["goesTo"] == {"city": "London", "countryCode": "GB"}
    assert progress(told) == ["DONE", "TO_COME", "TO_COME", "TO_COME", "TO_COME"]

    await api.mutate("allocateOrders", orders=[{"order": {"id": order}}])
    told = await facts(api, order)
    assert told["headline"] == "Everything you ordered is reserved for you."
    assert [stage["at"] is not None for stage in told["stages"]] == [True, True, False, False, False]

    (one,) = await shop.released(order)
    told = await facts(api, order)
    assert told["headline"] == "Your order is being prepared."
    assert told["estimatedShipAt"] < told["estimatedDeliveryAt"]
    assert [parcel["stage"] for parcel in told["parcels"]] == ["RELEASED"]

    await shop.pick(one)
    await shop.move("packFulfillment", one, parcels=[{}])
    assert (await facts(api, order))["headline"] == "Your order is packed and about to leave."

    shipping = {"carrier": "Royal Mail", "trackingNumber": "RM-1", "trackingUrl": "https://carrier.example/?n=RM-1"}
    await shop.move("shipFulfillment", one, **shipping)
    told = await facts(api, order)
    assert told["headline"] == "Your order is on its way."
    (parcel,) = told["parcels"]
    assert (parcel["carrier"], parcel["trackingNumber"]) == ("Royal Mail", "RM-1")
    assert parcel["trackingUrl"] == "https://carrier.example/?n=RM-1"
    assert parcel["contents"] == [{"title": "Thing", "quantity": 2}]

    await shop.move("deliverFulfillment", one)
    told = await facts(api, order)
    assert (told["headline"], told["punctuality"]) == ("Your order has been delivered.", "CAME_IN_TIME")
    assert progress(told) == ["DONE"] * 5
    assert told["parcels"][0]["deliveredAt"] == told["deliveredAt"]


async def test_l8_goods_in_two_parcels_have_two_numbers(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 2))
    (one,) = await shop.released(order)
    await shop.pick(one)
    line = one["lines"][0]["line"]["id"]
    half = {"contents": [{"line": line, "quantity": 1}]}
    packed = await shop.move("packFulfillment", one, parcels=[half, half])
    parcels = [parcel["id"] for parcel in packed["fulfillment"]["parcels"]]
    leaving = [{"parcel": parcel, "trackingNumber": f"N-{at}"} for at, parcel in enumerate(parcels)]
    await shop.move("shipFulfillment", one, carrier="DPD", parcels=leaving[:1])

    told = await facts(api, order)

    assert told["headline"] == "Part of your order is on its way, the rest follows."
    assert [(one["stage"], one["trackingNumber"]) for one in told["parcels"]] == [
        ("SHIPPED", "N-0"),
        ("RELEASED", None),
    ]
    assert progress(told) == ["DONE", "DONE", "DONE", "PARTLY", "TO_COME"]


async def test_a_supplier_s_goods_are_followed_as_well(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(), 2), allocate=False)
    sent = await api.mutate(
        "dropshipOrder",
        "... on FulfillmentSuccess { fulfillment { id } }",
        order={"id": order},
        supplier="SUPPLIER",
    )
    await shop.move("shipFulfillment", sent["fulfillment"], carrier="DHL", trackingNumber="D-1")

    told = await facts(api, order)

    assert told["headline"] == "Your order is on its way."
    assert [one["trackingNumber"] for one in told["parcels"]] == ["D-1"]
    assert progress(told)[:4] == ["DONE"] * 4


async def test_l8_r12_what_the_carrier_says_is_on_the_page(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 1))
    (one,) = await shop.released(order)
    await shop.pick(one)
    await shop.move("packFulfillment", one, parcels=[{}])
    number = api.unique("TN")
    await shop.move("shipFulfillment", one, carrier="DPD", trackingNumber=number)
    said = {"message": "With the <b>driver", "place": "Leeds", "occurredAt": "2026-01-02T03:04:05Z"}
    event = {"about": {"trackingNumber": number}, "status": "OUT_FOR_DELIVERY"} | said
    document = """mutation ($input: RecordTrackingEventsInput!) { recordTrackingEvents(input: $input) {
      ... on RecordTrackingEventsSuccess { results { outcome } } } }"""
    recorded = (await api(document, input={"events": [event]}))["recordTrackingEvents"]
    assert recorded["results"] == [{"outcome": "RECORDED"}]

    told = await facts(api, order)
    page = (await asked(api, await link(api, order))).text

    assert told["headline"] == "Your order is out for delivery."
    assert told["parcels"][0]["scans"] == [
        {"status": "OUT_FOR_DELIVERY", "at": "2026-01-02T03:04:05+00:00", "message": said["message"], "place": "Leeds"}
    ]
    assert "With the &lt;b&gt;driver" in page
    assert "2 January 2026, 03:04" in page


async def test_both_parts_of_an_order_that_was_split_tell_of_the_rest(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 3))
    line = (await shop.now(order))["lines"][0]["id"]
    by = {"lines": [{"line": line, "quantity": 1}]}
    split = await api.mutate("splitOrder", "... on SplitOrderSuccess { split { id } }", order={"id": order}, by=by)
    part = split["split"]["id"]

    told = [await facts(api, one) for one in (order, part)]

    assert [one["ordered"][0]["quantity"] for one in told] == [2, 1]
    assert [one["remarks"] for one in told] == [["The rest of what you ordered is sent to you separately."]] * 2
    await api.mutate("voidOrder", order={"id": part}, reason="a test")
    assert (await facts(api, order))["remarks"] == []


async def test_a_bundle_is_told_as_it_was_bought(shop: Shop, api: Served):
    part, bundle = await shop.sku(leeds=9), api.unique("SET")
    await api.mutate("saveItems", items=[{"sku": bundle, "name": "Set", "components": [{"sku": part, "units": 3}]}])
    order = await shop.order((bundle, 2))

    told = await facts(api, order)

    assert told["ordered"] == [{"title": "Set", "quantity": 2}]
    assert told["headline"] == "Everything you ordered is reserved for you."


async def test_a_canceled_order_says_so_and_nothing_is_to_come(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 2))
    path = await link(api, order)
    await api.mutate("voidOrder", order={"id": order}, reason="ran out of money")

    told = (await asked(api, path + ".json")).json()
    page = (await asked(api, path)).text

    assert (told["headline"], told["isCanceled"], progress(told)) == ("This order has been canceled.", True, ["DONE"])
    assert "This order has been canceled." in page
    assert "ran out of money" not in page


async def test_a_held_order_tells_nobody_why(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 2))
    hold = {"reason": "SUSPECTED_FRAUD", "note": "card looks stolen"}
    await api.mutate("holdOrders", orders=[{"id": order}], **hold)

    path = await link(api, order)
    both = (await asked(api, path)).text + (await asked(api, path + ".json")).text

    assert "We are checking your order before we send it." in both
    assert "fraud" not in both.lower()
    assert "stolen" not in both


async def test_nothing_is_told_that_is_not_the_link_holder_s_business(shop: Shop, api: Served):
    sku = await shop.sku(leeds=5)
    order = await shop.order((sku, 2), **SECRET)
    path = await link(api, order)

    both = (await asked(api, path)).text + (await asked(api, path + ".json")).text

    hidden = ("Ada King", "ada@", "7946", "C-77", "neighbour", "vip-internal", "St James", "SW1Y", "Leeds", sku, order)
    assert [word for word in hidden if word in both] == []


# ---------------------------------------------------------------- the page


async def test_the_page_needs_nothing_but_itself_and_tells_nobody_where_it_was(shop: Shop, api: Served):
    answer = await asked(api, await link(api, await shop.order((await shop.sku(leeds=5), 2))))
    page, headers = answer.text, answer.headers
    found = Tags(page)

    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert headers["x-content-type-options"] == "nosniff"
    assert {"script", "img", "link", "iframe", "form"}.isdisjoint(found.names)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "src")]
    assert found.names.count("h1") == 1
    assert ("lang", "en") in found.attributes
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy, "the browser would leave the style out"


async def test_what_others_wrote_is_no_markup_in_the_page(shop: Shop, api: Served):
    nasty = '<script>alert(1)</script>"&'
    sku = api.unique("NASTY")
    await api.mutate("saveItems", items=[{"sku": sku, "name": nasty}])
    await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": sku, "quantity": 5}])
    order = await shop.order((sku, 1), shipTo=HOME | {"city": "<b>City"})
    (one,) = await shop.released(order)
    await shop.pick(one)
    await shop.move("packFulfillment", one, parcels=[{}])
    url = 'https://carrier.example/"onclick="alert(1)'
    await shop.move("shipFulfillment", one, carrier="<i>Mail", trackingNumber="<u>1", trackingUrl=url)

    found = Tags((await asked(api, await link(api, order))).text)

    assert {"script", "b", "i", "u"}.isdisjoint(found.names)
    assert ("href", url) in found.attributes
    assert {nasty, "<i>Mail", "<u>1"} <= set(found.words)


# ---------------------------------------------------------------- the link


async def test_a_link_stays_the_same_and_no_two_are_alike(shop: Shop, api: Served):
    sku = await shop.sku(leeds=5)
    first, second = [await shop.order((sku, 1)) for _ in range(2)]

    links = [await link(api, order) for order in (first, second, first)]

    assert links[0] == links[2] != links[1]
    raw = base64.urlsafe_b64decode(links[0].rpartition("/")[2] + "=")
    assert len(raw) * 8 >= 128


async def test_fifty_who_ask_for_a_new_link_at_a_time_get_the_same(shop: Shop, api: Served):
    order = OrderId(row_id("Order", await shop.order((await shop.sku(leeds=5), 1))) or 0)

    found = await asyncio.gather(*(tracking_tokens(api.database, [order]) for _ in range(50)))

    assert len({told[order] for told in found}) == 1


async def test_a_draft_has_no_link_and_a_server_without_an_address_has_none(shop: Shop, api: Served):
    draft = await shop.order((await shop.sku(leeds=5), 1), allocate=False, draft=True)
    placed = await shop.order((await shop.sku(leeds=5), 1), allocate=False)

    found = (await api(LINK, id=draft))["order"]
    async with serving(api.database_url) as without:
        elsewhere = (await without(LINK, id=placed))["order"]

    assert (found["trackingUrl"], found["noTrackingUrl"]) == (None, "ORDER_IS_DRAFT")
    assert (elsewhere["trackingUrl"], elsewhere["noTrackingUrl"]) == (None, "PUBLIC_URL_NOT_SET")
    assert (await api(LINK, id=placed))["order"]["noTrackingUrl"] is None


async def test_a_draft_is_not_told_of_even_to_who_knows_a_token(shop: Shop, api: Served):
    draft = await shop.order((await shop.sku(leeds=5), 1), allocate=False, draft=True)
    row = OrderId(row_id("Order", draft) or 0)
    token = (await tracking_tokens(api.database, [row]))[row]

    before = await asked(api, f"/track/{token}")
    await api.mutate("finalizeOrder", order={"id": draft})
    after = await asked(api, f"/track/{token}")

    assert (before.status_code, after.status_code) == (404, 200)


async def test_a_link_whose_row_is_gone_is_dead_and_a_new_one_is_made(shop: Shop, api: Served):
    order = await shop.order((await shop.sku(leeds=5), 1))
    old = await link(api, order)
    async with api.database.engine.begin() as connection:
        await connection.execute(
            text("DELETE FROM tracking_links WHERE order_id = :id"), {"id": row_id("Order", order)}
        )

    new = await link(api, order)

    assert (await asked(api, old)).status_code == 404
    assert (await asked(api, new)).status_code == 200


GARBAGE = (
    *("x", "A" * 43, "A" * 44, "A" * 10_000, "%00", "%ff%fe", "..%2f..%2fetc", "🪑", "%F0%9F%AA%91", "null", "1"),
    *("'; DROP TABLE orders; --", "{token}", " ", "a b", "=", "Zm9v", "-_-_"),
)


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
async def test_whatever_is_no_link_is_answered_alike(api: Served, token: str):
    unknown = await asked(api, "/track/" + "B" * 42 + "A")

    page, told = await asked(api, f"/track/{token}"), await asked(api, f"/track/{token}.json")

    assert (page.status_code, told.status_code) == (404, 404)
    assert page.content == unknown.content
    assert set(page.headers) == set(unknown.headers)
    assert json.loads(told.content) == {
        "errors": [{"message": "This link leads to no order.", "extensions": {"code": "BAD_USER_INPUT"}}]
    }


async def test_a_link_with_a_letter_more_or_less_or_in_another_spelling_is_none(shop: Shop, api: Served):
    path = await link(api, await shop.order((await shop.sku(leeds=5), 1)))
    last = path[-1]
    twin = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bits = path[:-1] + twin[twin.index(last) ^ 1]  # the last letter of 256 bits has two bits that mean nothing

    for wrong in (path[:-1], path + "A", path + "=", path.upper(), same_bits):
        assert (await asked(api, wrong)).status_code == 404, wrong


async def test_a_token_that_cannot_be_one_is_looked_for_like_any_other(api: Served, monkeypatch: pytest.MonkeyPatch):
    """The same statement for each: how long the answer takes does not tell them apart."""
    digests: list[bytes] = []
    tracker = api.running.tracking._tracker
    read = tracker._journeys._read

    async def counted(wanted: Any) -> Any:
        digests.extend(wanted)
        return await read(wanted)

    monkeypatch.setattr(tracker._journeys, "_read", counted)

    for token in ("x", "A" * 43, "A" * 9_000):
        await asked(api, f"/track/{token}")

    assert [len(one) for one in digests] == [32, 32, 32]


async def test_only_reading_is_answered(shop: Shop, api: Served):
    path = await link(api, await shop.order((await shop.sku(leeds=5), 1)))

    head = await asked(api, path, "HEAD")
    others = [(await asked(api, path, method)).status_code for method in ("POST", "PUT", "DELETE", "PATCH")]

    assert (head.status_code, head.content) == (200, b"")
    assert others == [405] * 4


async def test_a_flood_is_bounded_and_what_is_asked_for_together_is_read_together(
    shop: Shop, api: Served, monkeypatch: pytest.MonkeyPatch
):
    path = await link(api, await shop.order((await shop.sku(leeds=5), 1)))
    tracker = api.running.tracking._tracker
    read, reads, go = tracker._journeys._read, 0, asyncio.Event()

    async def slow(wanted: Any) -> Any:
        nonlocal reads
        reads += 1
        await go.wait()
        return await read(wanted)

    monkeypatch.setattr(tracker._journeys, "_read", slow)
    monkeypatch.setattr(journeys, "WAITING_MAX", 20)
    waiting = [asyncio.create_task(asked(api, path)) for _ in range(20)]
    while tracker._waiting < 20:  # noqa: ASYNC110  (nothing tells it)
        await asyncio.sleep(0.005)

    refused, as_json = await asked(api, path), await asked(api, path + ".json")
    go.set()
    answers = await asyncio.gather(*waiting)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "in a moment" in refused.text
    assert as_json.json()["errors"][0]["extensions"]["code"] == "BUSY"
    assert {answer.status_code for answer in answers} == {200}
    assert reads == 2, "the first who asked, and then all others together"


async def test_a_mistake_of_ours_is_masked(shop: Shop, api: Served, monkeypatch: pytest.MonkeyPatch):
    path = await link(api, await shop.order((await shop.sku(leeds=5), 1)))

    async def broken(_: Any) -> Any:
        raise RuntimeError("secret of /var/lib")

    monkeypatch.setattr(api.running.tracking._tracker._journeys, "_read", broken)

    page, told = await asked(api, path), await asked(api, path + ".json")

    assert (page.status_code, told.status_code) == (500, 500)
    assert "secret" not in page.text + told.text
    assert told.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
