"""Bundles over the API: what they are made of, and what becomes of an order of one."""

from typing import Any

from tests.gql.serving import Served
from tests.gql.test_mutations import problems

ITEMS = "... on SaveItemsSuccess { items { sku components { units item { sku } } } }"
LINES = """order { lines {
    id sku quantity allocated canceled reference unitPrice { amount }
    bundleQuantity bundle { id sku reference unitPrice { amount currencyCode } item { sku } } } }"""


async def a_shop(api: Served) -> tuple[str, str, str]:
    """A set of two cups and a pot; cups for one set are there, and pots for many."""
    cup, pot, bundle = (api.unique(name) for name in ("CUP", "POT", "SET"))
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    parts = [{"sku": cup, "units": 2}, {"sku": pot, "units": 1}]
    items = [{"sku": bundle, "name": "Set", "components": parts}, *({"sku": sku, "name": sku} for sku in (cup, pot))]
    told = await api.mutate("saveItems", ITEMS, items=items)
    assert told["items"] == [
        {
            "sku": bundle,
            "components": [{"units": 2, "item": {"sku": cup}}, {"units": 1, "item": {"sku": pot}}],
        },
        {"sku": cup, "components": []},
        {"sku": pot, "components": []},
    ]
    lines = [{"sku": cup, "quantity": 3}, {"sku": pot, "quantity": 9}]
    await api.mutate("receiveStock", location="LEEDS", lines=lines)
    return cup, pot, bundle


async def place(api: Served, sku: str, quantity: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    price = {"amount": "25.00", "currencyCode": "GBP"}
    line = {"sku": sku, "quantity": quantity, "unitPrice": price, "reference": "row 1"}
    number = api.unique("B")
    selection = f"... on PlaceOrderSuccess {{ {LINES} }}"
    told = await api.mutate("placeOrder", selection, channel="web", number=number, lines=[line])
    return {"number": {"channel": "web", "number": number}}, told["order"]["lines"]


async def test_an_order_of_a_bundle_shows_its_components_and_what_they_were_bought_as(served: Served):
    cup, pot, bundle = await a_shop(served)

    _, (cups, pots) = await place(served, bundle, 3)

    assert (cups["sku"], cups["quantity"], pots["sku"], pots["quantity"]) == (cup, 6, pot, 3)
    assert (cups["reference"], cups["unitPrice"]) == (None, None)
    assert cups["bundle"] == pots["bundle"]
    assert (cups["bundleQuantity"], pots["bundleQuantity"]) == (3, 3)
    assert {name: value for name, value in cups["bundle"].items() if name != "id"} == {
        "sku": bundle,
        "reference": "row 1",
        "unitPrice": {"amount": "25.00", "currencyCode": "GBP"},
        "item": {"sku": bundle},
    }


async def test_a_bundle_is_edited_and_allocated_as_one(served: Served):
    cup, pot, bundle = await a_shop(served)
    order, (cups, _) = await place(served, bundle, 3)
    change = {"changeBundle": {"bundle": cups["bundle"]["id"], "quantity": 2}}

    told = await served.mutate("editOrder", f"... on EditOrderSuccess {{ {LINES} }}", order=order, lines=[change])

    assert [(line["sku"], line["quantity"]) for line in told["order"]["lines"]] == [(cup, 4), (pot, 2)]
    selection = "... on AllocateOrdersSuccess { results { after lines { sku allocated short } } }"
    (result,) = (await served.mutate("allocateOrders", selection, orders=[{"order": order}]))["results"]
    assert result == {
        "after": "PARTIALLY_ALLOCATED",
        "lines": [{"sku": cup, "allocated": 2, "short": 2}, {"sku": pot, "allocated": 1, "short": 1}],
    }
    cancel = {"changeBundle": {"bundle": cups["bundle"]["id"], "quantity": 0}}
    told = await served.mutate("editOrder", f"... on EditOrderSuccess {{ {LINES} }}", order=order, lines=[cancel])
    assert [(line["canceled"], line["allocated"]) for line in told["order"]["lines"]] == [(4, 0), (2, 0)]
    found = await served(
        "query($skus: [String!]) { orders(first: 9, filter: {skus: $skus}) { nodes { number } } }", skus=[bundle]
    )
    assert found["orders"]["nodes"] == [{"number": order["number"]["number"]}]


async def test_a_bundle_that_a_split_divided_reads_the_same_from_each_of_its_lines(served: Served):
    """Caches keep one object for each id."""
    _, _, bundle = await a_shop(served)
    order, (cups, _) = await place(served, bundle, 3)
    by = {"lines": [{"line": cups["id"], "quantity": 4}]}

    selection = f"... on SplitOrderSuccess {{ {LINES} {LINES.replace('order', 'split', 1)} }}"
    told = await served.mutate("splitOrder", selection, order=order, by=by)

    lines = [*told["order"]["lines"], *told["split"]["lines"]]
    assert [line["bundleQuantity"] for line in lines] == [1, 3, 2]
    assert [line["bundle"] for line in lines] == [cups["bundle"]] * 3


async def test_what_is_done_to_half_a_bundle_or_to_stock_of_one_is_refused(served: Served):
    _, _, bundle = await a_shop(served)
    order, (cups, _) = await place(served, bundle, 1)
    alone = {"change": {"line": cups["id"], "quantity": 5}}

    refused = await served.mutate("editOrder", order=order, lines=[alone])
    assert problems(refused) == [("input.lines.0.change.line", "BUNDLE")]
    received = await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": bundle, "quantity": 1}])
    assert problems(received) == [("input.lines.0.sku", "BUNDLE")]
    for name in (cups["id"], "garbage", "", "\x00"):
        change = {"changeBundle": {"bundle": name, "quantity": 1}}
        assert (await served.mutate("editOrder", order=order, lines=[change]))["__typename"] == "NotFound"
    saved = await served.mutate("saveItems", items=[{"sku": bundle, "components": [{"sku": bundle, "units": 0}]}])
    at = "input.items.0.components.0"
    assert problems(saved) == [(f"{at}.units", "OUT_OF_RANGE"), (f"{at}.sku", "NOT_ALLOWED")]
