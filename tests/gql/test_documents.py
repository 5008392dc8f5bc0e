"""Labels, slips, pick lists and invoices: asked for over the API, opened, and read back."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pypdfium2
import pytest
import pytest_asyncio
import zxingcpp

from domain.barcodes import is_sscc
from tests.gql.serving import Served
from tests.gql.test_fulfillments import HOME, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVOICE = """
    id number partial issuedOn totals { currencyCode goods discount tax total }
    lines { sku name quantity unitPrice { amount } discount { amount } tax { amount } } document { path contentType }
    """
MADE = f"... on CreateInvoiceSuccess {{ invoice {{ {INVOICE} }} }} ... on NothingToInvoice {{ order {{ number }} }}"
PARCELS = """
    query ($id: ID!) { order(by: {id: $id}) { number fulfillments { id parcels {
      id number sscc label { path contentType } labelZpl { path } packingSlip { path } } } } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def merchant(api: Served) -> None:
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds", "address": {**HOME, "name": None}}])
    saved = await api.mutate(
        "saveMerchant",
        "... on SaveMerchantSuccess { merchant { name gs1CompanyPrefix } }",
        name="Chairs & Co",
        address=HOME | {"name": None},
        taxId="GB123456789",
        gs1CompanyPrefix="4012345",
    )
    assert saved["merchant"] == {"name": "Chairs & Co", "gs1CompanyPrefix": "4012345"}


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


async def file(api: Served, path: str, **headers: str) -> httpx.Response:
    return await api.client.get(path, headers={"authorization": f"Bearer {api.key}"} | headers)


async def text_of(api: Served, path: str) -> str:
    answer = await file(api, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    with pypdfium2.PdfDocument(answer.content) as pdf:
        return "\n".join(page.get_textpage().get_text_bounded() for page in pdf)


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "GBP"}


async def packed(shop: Shop, sku: str, quantity: int) -> tuple[str, Any]:
    order = await shop.order((sku, quantity))
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    await shop.move("packFulfillment", fulfillment, parcels=[{"weightGrams": 1200}])
    return order, fulfillment


async def test_c8_l7_a_label_carries_the_number_of_its_parcel_and_where_it_goes(shop: Shop):
    sku = await shop.sku(leeds=2)
    order, fulfillment = await packed(shop, sku, 2)
    await shop.move("shipFulfillment", fulfillment, carrier="Royal Mail", trackingNumber="QM000000001GB")
    (sent,) = (await shop.api(PARCELS, id=order))["order"]["fulfillments"]
    (parcel,) = sent["parcels"]
    assert is_sscc(parcel["sscc"])

    words = await text_of(shop.api, parcel["label"]["path"])
    answer = await file(shop.api, parcel["label"]["path"])
    with pypdfium2.PdfDocument(answer.content) as pdf:
        picture = pdf[0].render(scale=3).to_pil()
    numbers = {found.text for found in zxingcpp.read_barcodes(picture)}
    zpl = await file(shop.api, parcel["labelZpl"]["path"])

    assert "Ada King" in words
    assert "SW1Y 4JH" in words
    assert "QM000000001GB" in numbers
    assert any(parcel["sscc"] in number for number in numbers)
    assert zpl.text.startswith("^XA")


async def test_l5_l6_a_pick_list_says_what_lies_where_and_for_whom(shop: Shop):
    sku = await shop.sku(leeds=5)
    moved = [{"sku": sku, "quantity": 5, "to": "A-3"}]
    await shop.api.mutate("moveStock", "... on MoveStockSuccess { levels { sku } }", location="LEEDS", lines=moved)
    (fulfillment,) = await shop.released(await shop.order((sku, 3)))
    listed = "... on CreatePickListSuccess { list { id document { path } } }"
    made = await shop.api.mutate("createPickList", listed, location="LEEDS", fulfillments=[fulfillment["id"]])

    words = await text_of(shop.api, made["list"]["document"]["path"])

    assert sku in words
    assert "A-3" in words


async def test_a_packing_slip_says_what_is_inside_and_what_is_still_to_come(shop: Shop):
    sku = await shop.sku(leeds=3)
    order = await shop.order((sku, 3))
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    line = fulfillment["lines"][0]["line"]["id"]
    await shop.move("packFulfillment", fulfillment, parcels=[{"contents": [{"line": line, "quantity": 2}]}])
    first = (await shop.api(PARCELS, id=order))["order"]["fulfillments"][0]["parcels"][0]

    words = await text_of(shop.api, first["packingSlip"]["path"])
    told = " ".join(words.split())

    assert f"{sku}" in told
    assert "3 2 1" in told  # ordered, in this parcel, to come


async def priced(shop: Shop, sku: str, quantity: int) -> str:
    placed = await shop.api.mutate(
        "placeOrder",
        "... on PlaceOrderSuccess { order { id } }",
        channel="WEB",
        number=shop.api.unique("N"),
        shipTo=HOME,
        lines=[
            {
                "sku": sku,
                "quantity": quantity,
                "unitPrice": money("10.00"),
                "discount": money("1.00"),
                "tax": money("5.00"),
            }
        ],
        shippingPrice=money("4.00"),
        payments=[{"amount": money("38.00"), "method": "card"}],
    )
    order = str(placed["order"]["id"])
    allocated = "... on AllocateOrdersSuccess { __typename }"
    await shop.api.mutate("allocateOrders", allocated, orders=[{"order": {"id": order}}])
    return order


async def invoiced(shop: Shop, order: str, **more: Any) -> Any:
    return await shop.api.mutate("createInvoice", MADE, order={"id": order}, **more)


async def test_c9_c11_what_was_shipped_is_invoiced_and_all_invoices_together_are_the_order(shop: Shop):
    sku = await shop.sku(leeds=3)
    order = await priced(shop, sku, 3)
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    line = fulfillment["lines"][0]["line"]["id"]
    nothing = await invoiced(shop, order, series="A")
    assert nothing["__typename"] == "NothingToInvoice"
    packed = await shop.move("packFulfillment", fulfillment, parcels=[{"contents": [{"line": line, "quantity": 1}]}])
    await shop.move("shipFulfillment", fulfillment)

    first = (await invoiced(shop, order, series="A"))["invoice"]
    again = await invoiced(shop, order, series="A")
    await shop.move("packFulfillment", packed["rest"], parcels=[{}])
    await shop.move("shipFulfillment", packed["rest"])
    second = (await invoiced(shop, order, series="A"))["invoice"]

    assert (first["number"], first["partial"]) == ("A-000001", True)
    assert again["__typename"] == "NothingToInvoice"
    assert (second["number"], second["partial"]) == ("A-000002", False)
    sums = [Decimal(one["totals"][0]["total"]) for one in (first, second)]
    # 3 x 10.00 - 1.00 + 5.00, and 4.00 for shipping on the first one
    assert sum(sums) == Decimal("38.00")
    assert [one["lines"][0]["discount"]["amount"] for one in (first, second)] == ["0.33", "0.67"]
    words = await text_of(shop.api, second["document"]["path"])
    assert "A-000002" in words
    assert "A-000001" in words  # what came before
    assert "GB123456789" in words


async def test_numbers_have_no_gap_and_no_unit_is_invoiced_twice_however_many_ask_at_once(shop: Shop):
    skus = [await shop.sku(leeds=1) for _ in range(4)]
    orders = [await priced(shop, sku, 1) for sku in skus]

    answers = await asyncio.gather(
        *(invoiced(shop, order, scope="ORDERED", series="RACE") for order in orders for _ in range(5))
    )

    made = sorted(one["invoice"]["number"] for one in answers if "invoice" in one)
    assert made == [f"RACE-{number:06}" for number in range(1, 5)]


async def test_documents_are_for_those_who_may_in_and_what_is_none_is_not_found(shop: Shop):
    sku = await shop.sku(leeds=1)
    order, _ = await packed(shop, sku, 1)
    parcel = (await shop.api(PARCELS, id=order))["order"]["fulfillments"][0]["parcels"][0]
    path = parcel["label"]["path"]

    assert (await file(shop.api, path, authorization="Bearer nobody")).status_code == 401
    assert (await shop.api.client.get(path)).status_code == 401
    for wrong in (
        path.replace(".pdf", ".zip"),
        path.replace("label", "invoice"),
        path.replace("label", "packing-slip").replace(".pdf", ".zpl"),
        "/documents/label/x.pdf",
        "/documents/label/..%2F..%2Fetc%2Fpasswd.pdf",
        "/documents/nothing/" + path.rpartition("/")[2],
    ):
        answer = await file(shop.api, wrong)
        assert answer.status_code == 404, wrong
