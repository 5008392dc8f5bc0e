"""Writing through the API, on real rows: every mutation, what it refuses, and what happens when it is sent again."""

import asyncio
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from gql.schema.ids import global_id
from services.credentials import create_key
from tests.builders import a_key, everything
from tests.gql.serving import Served, all_read, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = """
    order {
      id number status allocationStatus version priority shippingPolicy tags
      customer { name email reference } shipTo { line1 city countryCode }
      lines { id sku quantity open allocated canceled allocationStatus }
    }"""
RESULTS = """
    results {
      index before after order { number version }
      lines { sku quantity allocated short from { location { code } quantity } }
      refusal { __typename message ... on NotFound { references } ... on OrderNotInState { allowed } }
    }"""
LEVELS = "... on StockSuccess { levels { sku location { code } onHand committed available overallocated unavailable } "
LEVELS += "overallocated { total orders { number } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def locations(api: Served) -> None:
    await api.mutate(
        "saveLocations",
        locations=[{"code": "LEEDS", "name": "Leeds", "rank": 1}, {"code": "YORK", "name": "York", "rank": 2}],
    )


class Shop:
    """One test's own item and channel."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.sku = api.unique("SKU")
        self.channel = api.unique("CH")

    async def item(self, on_hand: int = 0, location: str = "LEEDS") -> "Shop":
        await self.api.mutate("saveItems", items=[{"sku": self.sku, "name": "Thing"}])
        if on_hand:
            await self.receive(on_hand, location)
        return self

    async def receive(self, units: int, location: str = "LEEDS") -> Any:
        lines = [{"sku": self.sku, "quantity": units}]
        return await self.api.mutate("receiveStock", LEVELS, location=location, lines=lines)

    async def count(self, units: int, **more: Any) -> Any:
        lines = [{"sku": self.sku, "change": {"counted": units}}]
        return await self.api.mutate("adjustStock", LEVELS, location="LEEDS", lines=lines, reason="COUNT", **more)

    async def place(self, number: str = "1", quantity: int = 1, **more: Any) -> Any:
        fields = {"lines": [{"sku": self.sku, "quantity": quantity}]} | more
        selection = f"... on PlaceOrderSuccess {{ {ORDER} }} ... on OrderAlreadyPlaced {{ order {{ id number }} }}"
        return await self.api.mutate("placeOrder", selection, channel=self.channel, number=number, **fields)

    async def order(self, number: str = "1", quantity: int = 1, **more: Any) -> Any:
        """An order that is placed."""
        told = await self.place(number, quantity, **more)
        assert told["__typename"] == "PlaceOrderSuccess", told
        return told["order"]

    def named(self, number: str = "1") -> dict[str, Any]:
        return {"number": {"channel": self.channel, "number": number}}

    async def edit(self, number: str = "1", **fields: Any) -> Any:
        selection = (
            f"... on EditOrderSuccess {{ {ORDER} }} ... on OrderNotInState {{ allowed order {{ status }} }} "
            "... on OrderVersionConflict { order { version } } ... on QuantityAlreadyShipped { lines { id shipped } }"
        )
        return await self.api.mutate("editOrder", selection, order=self.named(number), **fields)

    async def allocate(self, *numbers: str, **more: Any) -> Any:
        orders = [{"order": self.named(number)} for number in numbers or ("1",)]
        told = await self.api.mutate(
            "allocateOrders", f"... on AllocateOrdersSuccess {{ {RESULTS} }}", **({"orders": orders} | more)
        )
        return told.get("results", told)

    async def deallocate(self, *numbers: str, **more: Any) -> Any:
        orders = [self.named(number) for number in numbers or ("1",)]
        told = await self.api.mutate(
            "deallocateOrders", f"... on DeallocateOrdersSuccess {{ {RESULTS} }}", **({"orders": orders} | more)
        )
        return told.get("results", told)

    async def now(self, number: str = "1") -> Any:
        data = await self.api(f"query ($by: OrderBy!) {{ order(by: $by) {{ __typename }} {ORDER.replace('order {', 'found: order(by: $by) {', 1)} }}", by=self.named(number))  # fmt: skip  # noqa: E501
        return data["found"]

    async def status(self, *numbers: str) -> list[str | None]:
        return [(await self.now(number))["allocationStatus"] for number in numbers or ("1",)]

    async def levels(self) -> dict[str, tuple[int, int, int, int]]:
        """On hand, committed, available and overallocated by location."""
        data = await self.api(
            """query ($sku: String!) { item(by: {sku: $sku}) { levels {
              location { code } onHand committed available overallocated } } }""",
            sku=self.sku,
        )
        return {
            level["location"]["code"]: (
                level["onHand"], level["committed"], level["available"], level["overallocated"],
            )
            for level in data["item"]["levels"]
        }  # fmt: skip


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


def problems(told: Any) -> list[tuple[str, str]]:
    """Path and code of everything that is wrong."""
    assert told["__typename"] == "InvalidInput", told
    assert all(one["message"] for one in told["problems"])
    return [(".".join(one["path"]), one["code"]) for one in told["problems"]]


# ---------------------------------------------------------------- items and locations


async def test_an_absent_field_of_an_item_stays_and_null_clears_it(api: Served):
    sku, barcode = api.unique("SKU"), api.unique("BAR")
    select = "... on SaveItemsSuccess { items { sku name barcode } }"

    async def save(**fields: Any) -> Any:
        told = await api.mutate("saveItems", select, items=[{"sku": sku} | fields])
        return told["items"][0] if "items" in told else told

    assert await save(name="A", barcode=barcode) == {"sku": sku, "name": "A", "barcode": barcode}
    assert await save() == {"sku": sku, "name": "A", "barcode": barcode}
    assert await save(name="B") == {"sku": sku, "name": "B", "barcode": barcode}
    assert await save(barcode=None) == {"sku": sku, "name": "B", "barcode": None}
    assert problems(await save(name=None)) == [("input.items.0.name", "REQUIRED")]
    assert await save() == {"sku": sku, "name": "B", "barcode": None}


async def test_items_are_answered_in_the_order_of_the_input(api: Served):
    skus = [api.unique("SKU") for _ in range(5)][::-1]
    select = "... on SaveItemsSuccess { items { sku } }"

    told = await api.mutate("saveItems", select, items=[{"sku": f" {sku} ", "name": "x"} for sku in skus])

    assert [item["sku"] for item in told["items"]] == skus


async def test_what_is_wrong_with_items_is_told_at_once(api: Served):
    sku, taken = api.unique("SKU"), api.unique("BAR")
    await api.mutate("saveItems", items=[{"sku": sku, "name": "x", "barcode": taken}])

    assert problems(await api.mutate("saveItems", items=[])) == [("input.items", "REQUIRED")]
    assert problems(await api.mutate("saveItems", items=[{"sku": api.unique("SKU")}])) == [
        ("input.items.0.name", "REQUIRED")
    ]
    assert problems(
        await api.mutate(
            "saveItems",
            items=[{"sku": " ", "name": ""}, {"sku": "x" * 101, "name": "x"}],
        )
    ) == [
        ("input.items.0.sku", "REQUIRED"),
        ("input.items.0.name", "REQUIRED"),
        ("input.items.1.sku", "TOO_LONG"),
    ]
    assert problems(await api.mutate("saveItems", items=[{"sku": "D", "name": "x"}] * 2)) == [
        ("input.items.1", "DUPLICATE")
    ]
    assert problems(
        await api.mutate("saveItems", items=[{"sku": api.unique("SKU"), "name": "x", "barcode": taken}])
    ) == [("input.items.0.barcode", "DUPLICATE")]
    assert problems(
        await api.mutate("saveItems", items=[{"sku": f"many-{number}", "name": "x"} for number in range(1_001)])
    ) == [("input.items", "TOO_MANY")]


async def test_a_location_has_defaults_and_keeps_what_is_not_said(api: Served):
    code = api.unique("LOC")
    select = "... on SaveLocationsSuccess { locations { code name kind countryCode latitude longitude rank } }"

    async def save(**fields: Any) -> Any:
        told = await api.mutate("saveLocations", select, locations=[{"code": code} | fields])
        return told["locations"][0] if "locations" in told else told

    new = {"code": code, "name": "Hull", "kind": "WAREHOUSE", "countryCode": None, "latitude": None}
    new |= {"longitude": None, "rank": 100}
    assert await save(name="Hull") == new
    changed = new | {"kind": "STORE", "countryCode": "GB", "latitude": 53.7, "longitude": -0.3, "rank": -5}
    assert await save(kind="STORE", countryCode="gb", latitude=53.7, longitude=-0.3, rank=-5) == changed
    assert await save() == changed
    assert await save(countryCode=None, latitude=None) == changed | {"countryCode": None, "latitude": None}
    assert problems(await save(kind=None, rank=None, name=None)) == [
        ("input.locations.0.name", "REQUIRED"),
        ("input.locations.0.kind", "REQUIRED"),
        ("input.locations.0.rank", "REQUIRED"),
    ]
    assert problems(await save(latitude=90.1, longitude=-181, rank=2_000_000, countryCode="GBR")) == [
        ("input.locations.0.rank", "OUT_OF_RANGE"),
        ("input.locations.0.countryCode", "NOT_A_COUNTRY_CODE"),
        ("input.locations.0.latitude", "OUT_OF_RANGE"),
        ("input.locations.0.longitude", "OUT_OF_RANGE"),
    ]


# ---------------------------------------------------------------- stock


async def test_received_goods_are_on_hand_and_a_repeated_sku_counts_as_its_sum(api: Served, shop: Shop):
    await shop.item()
    lines = [{"sku": shop.sku, "quantity": 2}, {"sku": f" {shop.sku}", "quantity": 3}]

    told = await api.mutate("receiveStock", LEVELS, location="YORK", lines=lines, reference="delivery 9")

    assert told["levels"] == [
        {
            "sku": shop.sku, "location": {"code": "YORK"}, "onHand": 5, "committed": 0, "available": 5,
            "overallocated": 0, "unavailable": 0,
        }
    ]  # fmt: skip
    assert told["overallocated"] == {"total": 0, "orders": []}


async def test_what_is_not_there_is_named(api: Served, shop: Shop):
    await shop.item()
    lines = [{"sku": sku, "quantity": 1} for sku in ("NO-1", shop.sku, "NO-2", "NO-1")]

    received = await api.mutate("receiveStock", location="MOON", lines=lines)
    changes = [{"sku": line["sku"], "change": {"delta": 1}} for line in lines]
    adjusted = await api.mutate("adjustStock", location="MOON", lines=changes, reason="FOUND")
    placed = await shop.place(lines=lines)

    assert (received["__typename"], received["references"]) == ("NotFound", ["MOON", "NO-1", "NO-2"])
    assert (adjusted["__typename"], adjusted["references"]) == ("NotFound", ["MOON", "NO-1", "NO-2"])
    assert (placed["__typename"], placed["references"]) == ("NotFound", ["NO-1", "NO-2"])


async def test_stock_is_corrected_by_a_difference_or_to_a_count(api: Served, shop: Shop):
    await shop.item(5)

    async def adjust(change: Any, **more: Any) -> Any:
        lines = [{"sku": shop.sku, "change": change}]
        return await api.mutate(
            "adjustStock", LEVELS, **({"location": "LEEDS", "lines": lines, "reason": "LOSS"} | more)
        )

    assert (await adjust({"delta": -2}))["levels"][0]["onHand"] == 3
    assert (await adjust({"counted": 7}))["levels"][0]["onHand"] == 7
    assert (await adjust({"delta": 1}, quantity="DAMAGED"))["levels"][0]["unavailable"] == 1
    assert (await adjust({"counted": 10}, quantity="SAFETY_STOCK"))["levels"][0]["available"] == 0
    assert await shop.levels() == {"LEEDS": (7, 0, 0, 0)}


async def test_stock_that_is_not_there_cannot_be_taken_away(api: Served, shop: Shop):
    await shop.item(3)
    select = "... on InsufficientStock { shortages { sku location { code } requested onHand available } }"

    told = await api.mutate(
        "adjustStock", select, location="LEEDS", reason="LOSS", lines=[{"sku": shop.sku, "change": {"delta": -4}}]
    )

    assert told["__typename"] == "InsufficientStock"
    assert told["shortages"] == [
        {"sku": shop.sku, "location": {"code": "LEEDS"}, "requested": 4, "onHand": 3, "available": 3}
    ]
    assert await shop.levels() == {"LEEDS": (3, 0, 3, 0)}


async def test_differences_whose_sum_is_out_of_all_bounds_are_refused_in_words(api: Served, shop: Shop):
    await shop.item(3)
    select = "... on InsufficientStock { shortages { requested } }"
    away = [{"sku": shop.sku, "change": {"delta": -1_000_000_000}}] * 5
    lots = [{"sku": shop.sku, "quantity": 1_000_000_000}] * 5

    taken = await api.mutate("adjustStock", select, location="LEEDS", reason="LOSS", lines=away)
    received = await api.mutate("receiveStock", location="LEEDS", lines=lots)

    assert problems(taken)[0] == ("input.lines.1.change.delta", "OUT_OF_RANGE")
    assert received["__typename"] == "InvalidInput"


async def test_a_count_of_stock_that_has_moved_meanwhile_is_refused(api: Served, shop: Shop):
    await shop.item(3)
    select = "... on StockLevelConflict { levels { sku onHand } }"
    lines = [{"sku": shop.sku, "change": {"counted": 9}, "expectedOnHand": 4}]

    told = await api.mutate("adjustStock", select, location="LEEDS", reason="COUNT", lines=lines)

    assert (told["__typename"], told["levels"]) == ("StockLevelConflict", [{"sku": shop.sku, "onHand": 3}])
    lines[0]["expectedOnHand"] = 3
    again = await api.mutate("adjustStock", select, location="LEEDS", reason="COUNT", lines=lines)
    assert again["__typename"] == "StockSuccess"


# ---------------------------------------------------------------- orders


async def test_an_order_is_placed_with_the_defaults_of_the_contract(shop: Shop):
    await shop.item()

    order = await shop.order()

    assert order | {"id": "", "lines": []} == {
        "id": "",
        "number": "1",
        "status": "FINALIZED",
        "allocationStatus": "UNALLOCATED",
        "version": 1,
        "priority": 0,
        "shippingPolicy": "SHIP_AVAILABLE",
        "tags": [],
        "customer": None,
        "shipTo": None,
        "lines": [],
    }


async def test_null_stands_for_absent_in_a_new_order(shop: Shop):
    await shop.item()
    nothing = dict.fromkeys(("tags", "placedAt", "customer", "shipTo"))
    lines = [{"sku": shop.sku, "quantity": 1, "unitPrice": None, "reference": None}]

    order = await shop.order(**nothing, lines=lines)

    assert (order["tags"], order["customer"], order["shipTo"]) == ([], None, None)


async def test_an_order_of_blank_details_has_none(shop: Shop):
    await shop.item()

    order = await shop.order(customer={"name": " ", "email": ""}, shipTo={})

    assert order["customer"] is None


async def test_a_number_may_be_used_once_within_its_channel(shop: Shop):
    await shop.item()
    first = await shop.order("1")

    again = await shop.place("1")
    trimmed = await shop.place(" 1 ")

    assert again["__typename"] == trimmed["__typename"] == "OrderAlreadyPlaced"
    assert again["order"] == trimmed["order"] == {"id": first["id"], "number": "1"}
    shop.channel = shop.api.unique("CH")
    assert (await shop.place("1"))["__typename"] == "PlaceOrderSuccess"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lines": []}, [("input.lines", "REQUIRED")]),
        ({"lines": [{"sku": "A", "quantity": 0}]}, [("input.lines.0.quantity", "OUT_OF_RANGE")]),
        ({"lines": [{"sku": "A", "quantity": -1}]}, [("input.lines.0.quantity", "OUT_OF_RANGE")]),
        ({"lines": [{"sku": "A", "quantity": 1_000_001}]}, [("input.lines.0.quantity", "OUT_OF_RANGE")]),
        ({"lines": [{"sku": "", "quantity": 1}]}, [("input.lines.0.sku", "REQUIRED")]),
        ({"number": "x" * 101}, [("input.number", "TOO_LONG")]),
        ({"number": "\x00"}, [("input.number", "INVALID_CHARACTER")]),
        ({"channel": " "}, [("input.channel", "REQUIRED")]),
        ({"priority": 2_000_000}, [("input.priority", "OUT_OF_RANGE")]),
        ({"tags": [""]}, [("input.tags.0", "REQUIRED")]),
        ({"tags": ["t"] * 101}, [("input.tags", "TOO_MANY")]),
        ({"placedAt": "1899-12-31T00:00:00Z"}, [("input.placedAt", "OUT_OF_RANGE")]),
        ({"customer": {"name": "x" * 501}}, [("input.customer.name", "TOO_LONG")]),
        ({"shipTo": {"postalCode": "\x00", "countryCode": "England"}}, [
            ("input.shipTo.postalCode", "INVALID_CHARACTER"), ("input.shipTo.countryCode", "NOT_A_COUNTRY_CODE"),
        ]),
        ({"lines": [{"sku": "A", "quantity": 1, "unitPrice": {"amount": "-0.01", "currencyCode": "GBP"}}]}, [
            ("input.lines.0.unitPrice.amount", "OUT_OF_RANGE"),
        ]),
        ({"lines": [{"sku": "A", "quantity": 1, "unitPrice": {"amount": "1e30", "currencyCode": "pounds"}}]}, [
            ("input.lines.0.unitPrice.amount", "TOO_LONG"),
            ("input.lines.0.unitPrice.currencyCode", "NOT_A_CURRENCY_CODE"),
        ]),
        ({"lines": [{"sku": "A", "quantity": 1}] * 2_001}, [("input.lines", "TOO_MANY")]),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
async def test_a_malformed_order_is_refused_with_everything_that_is_wrong(
    shop: Shop, fields: dict[str, Any], expected: list[tuple[str, str]]
):
    order = {"channel": shop.channel, "number": "1", "lines": [{"sku": "A", "quantity": 1}]} | fields

    assert problems(await shop.api.mutate("placeOrder", **order)) == expected


@pytest.mark.parametrize("quantity", [1.5, "1", True, None, 2**31, -(2**31) - 1, 10**30, [1, 2], {}])
async def test_a_quantity_that_is_no_int_is_bad_user_input(shop: Shop, quantity: Any):
    document = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }"
    lines = [{"sku": "A", "quantity": quantity}]

    code = await shop.api.code(document, input={"channel": "A", "number": "1", "lines": lines, "idempotencyKey": "x"})

    assert code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "by",
    [
        {},
        {"id": "x", "number": {"channel": "A", "number": "1"}},
        {"id": "x", "number": None},
        {"id": None},
        {"number": {"channel": "A"}},
        {"name": "x"},
    ],
    ids=str,
)
async def test_an_order_is_named_in_exactly_one_way(shop: Shop, by: Any):
    document = "mutation ($input: FinalizeOrderInput!) { finalizeOrder(input: $input) { __typename } }"

    answer = await shop.api.answer(document, input={"order": by, "idempotencyKey": "x"})

    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


async def test_an_id_of_another_type_names_no_order(shop: Shop):
    item = (await shop.item()) and (await shop.api("{ items(first: 1) { nodes { id } } }"))["items"]["nodes"][0]["id"]

    for mutation, more in (("finalizeOrder", {}), ("voidOrder", {"reason": "x"}), ("editOrder", {"priority": 1})):
        told = await shop.api.mutate(mutation, order={"id": item}, **more)
        assert (told["__typename"], told["references"]) == ("NotFound", [item])


async def test_an_edit_changes_what_is_said_and_null_clears(shop: Shop):
    await shop.item()
    await shop.order(
        tags=["a"],
        priority=3,
        customer={"name": "Ann", "email": "ann@example.org"},
        shipTo={"line1": "1 High St", "city": "Leeds", "countryCode": "GB"},
    )

    same = (await shop.edit())["order"]
    assert (same["tags"], same["priority"], same["customer"]["name"]) == (["a"], 3, "Ann")

    merged = (await shop.edit(customer={"email": None, "reference": "c1"}, shipTo={"city": "York"}))["order"]
    assert merged["customer"] == {"name": "Ann", "email": None, "reference": "c1"}
    assert merged["shipTo"] == {"line1": "1 High St", "city": "York", "countryCode": "GB"}

    cleared = (await shop.edit(tags=None, customer=None, shipTo=None, lines=None))["order"]
    assert (cleared["tags"], cleared["customer"], cleared["shipTo"]) == ([], None, None)
    assert cleared["priority"] == 3

    assert problems(await shop.edit(priority=None, shippingPolicy=None)) == [
        ("input.priority", "REQUIRED"),
        ("input.shippingPolicy", "REQUIRED"),
    ]


async def test_lines_are_changed_added_and_canceled(shop: Shop):
    await shop.item(5)
    order = await shop.order(lines=[{"sku": shop.sku, "quantity": 2}, {"sku": shop.sku, "quantity": 3}])
    first, second = (line["id"] for line in order["lines"])
    await shop.allocate()

    told = await shop.edit(
        lines=[
            {"change": {"line": first, "quantity": 1}},
            {"add": {"sku": shop.sku, "quantity": 4}},
            {"change": {"line": second, "quantity": 0}},
        ]
    )

    assert [
        (line["quantity"], line["open"], line["allocated"], line["canceled"]) for line in told["order"]["lines"]
    ] == [(1, 1, 1, 0), (3, 0, 0, 3), (4, 4, 4, 0)]
    assert await shop.levels() == {"LEEDS": (5, 5, 0, 0)}


async def test_an_edit_of_somebody_elses_line_names_it(shop: Shop):
    await shop.item()
    await shop.order("1")
    stranger = (await shop.order("2"))["lines"][0]["id"]

    told = await shop.edit("1", lines=[{"change": {"line": stranger, "quantity": 1}}])

    assert (told["__typename"], told["references"]) == ("NotFound", [stranger])


async def test_an_edit_of_a_line_that_is_no_line_is_invalid(shop: Shop):
    order = (await shop.item()) and await shop.order()
    lines = [{"change": {"line": "x", "quantity": 1}}, {"change": {"line": order["id"], "quantity": 1}}]

    assert problems(await shop.edit(lines=lines)) == [
        ("input.lines.0.change.line", "NOT_AN_ID"),
        ("input.lines.1.change.line", "NOT_AN_ID"),
    ]


async def test_an_edit_of_another_version_than_expected_is_refused(shop: Shop):
    await shop.item()
    await shop.order()
    await shop.edit(priority=1)

    told = await shop.edit(priority=2, expectedVersion=1)

    assert (told["__typename"], told["order"]) == ("OrderVersionConflict", {"version": 2})
    assert (await shop.edit(priority=2, expectedVersion=2))["order"]["version"] == 3


@pytest.mark.breaks_invariants
@pytest.mark.asyncio(loop_scope="function")
async def test_a_line_cannot_fall_below_what_was_shipped(database_url: str):
    async with serving(database_url) as served:
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        shop = await Shop(served).item(5)
        order = await shop.order(quantity=3)
        connection = await asyncpg.connect(database_url)
        await connection.execute("UPDATE order_lines SET shipped = 2")
        await connection.close()
        line = order["lines"][0]["id"]

        told = await shop.edit(lines=[{"change": {"line": line, "quantity": 1}}])

        assert told["__typename"] == "QuantityAlreadyShipped"
        assert told["lines"] == [{"id": line, "shipped": 2}]


async def test_a_draft_is_confirmed_before_it_is_allocated(shop: Shop):
    await shop.item(1)
    await shop.order(draft=True)
    select = "... on FinalizeOrderSuccess { order { status version } } ... on OrderNotInState { allowed }"

    (refused,) = await shop.allocate()
    done = await shop.api.mutate("finalizeOrder", select, order=shop.named())
    again = await shop.api.mutate("finalizeOrder", select, order=shop.named())
    (allocated,) = await shop.allocate()

    assert refused["refusal"]["__typename"] == "OrderNotInState"
    assert refused["refusal"]["allowed"] == ["FINALIZED"]
    assert done["order"] == {"status": "FINALIZED", "version": 2}
    assert (again["__typename"], again["allowed"]) == ("OrderNotInState", ["DRAFT"])
    assert allocated["after"] == "ALLOCATED"


async def test_a_void_order_gives_everything_back_and_is_void_for_good(shop: Shop):
    await shop.item(2)
    await shop.order(quantity=2)
    await shop.allocate()
    select = f"... on VoidOrderSuccess {{ {ORDER} }} ... on OrderNotInState {{ allowed order {{ status }} }}"

    done = await shop.api.mutate("voidOrder", select, order=shop.named(), reason="changed their mind")
    again = await shop.api.mutate("voidOrder", select, order=shop.named(), reason="really")

    assert (done["order"]["status"], done["order"]["allocationStatus"]) == ("VOID", None)
    assert done["order"]["lines"][0]["open"] == 0
    assert await shop.levels() == {"LEEDS": (2, 0, 2, 0)}
    assert (again["__typename"], again["order"], again["allowed"]) == (
        "OrderNotInState",
        {"status": "VOID"},
        ["DRAFT", "FINALIZED"],
    )
    assert (await shop.edit(priority=1))["__typename"] == "OrderNotInState"
    assert (await shop.allocate())[0]["refusal"]["__typename"] == "OrderNotInState"
    assert (await shop.deallocate())[0]["refusal"]["__typename"] == "OrderNotInState"
    assert problems(await shop.api.mutate("voidOrder", order=shop.named(), reason=" ")) == [
        ("input.reason", "REQUIRED")
    ]


# ---------------------------------------------------------------- allocation


async def test_orders_are_served_in_exactly_the_sequence_given(shop: Shop):
    await shop.item(3)
    for number in "123":
        await shop.order(number, quantity=2)

    results = await shop.allocate("3", "1", "2")

    assert [(one["index"], one["order"]["number"], one["before"], one["after"]) for one in results] == [
        (0, "3", "UNALLOCATED", "ALLOCATED"),
        (1, "1", "UNALLOCATED", "PARTIALLY_ALLOCATED"),
        (2, "2", "UNALLOCATED", "COULD_NOT_ALLOCATE"),
    ]
    assert results[1]["lines"] == [
        {
            "sku": shop.sku, "quantity": 2, "allocated": 1, "short": 1,
            "from": [{"location": {"code": "LEEDS"}, "quantity": 1}],
        }
    ]  # fmt: skip
    assert await shop.levels() == {"LEEDS": (3, 3, 0, 0)}


async def test_stock_is_taken_from_the_location_that_is_tried_first(shop: Shop):
    await shop.item(2, "YORK")
    await shop.receive(1, "LEEDS")
    await shop.order(quantity=3)

    (result,) = await shop.allocate()

    assert result["lines"][0]["from"] == [
        {"location": {"code": "LEEDS"}, "quantity": 1},
        {"location": {"code": "YORK"}, "quantity": 2},
    ]


async def test_only_the_locations_that_are_named_are_used(shop: Shop):
    await shop.item(2, "YORK")
    await shop.receive(1, "LEEDS")
    await shop.order(quantity=3)

    (result,) = await shop.allocate(locations=["YORK"])

    assert result["after"] == "PARTIALLY_ALLOCATED"
    assert result["lines"][0]["from"] == [{"location": {"code": "YORK"}, "quantity": 2}]
    assert problems(await shop.allocate(locations=["MOON"])) == [("input.locations.0", "UNKNOWN")]
    assert problems(await shop.allocate(locations=[])) == [("input.locations", "REQUIRED")]


async def test_lines_and_quantities_may_be_named(shop: Shop):
    await shop.item(9)
    order = await shop.order(lines=[{"sku": shop.sku, "quantity": 3}, {"sku": shop.sku, "quantity": 3}])
    first, second = (line["id"] for line in order["lines"])

    await shop.allocate(orders=[{"order": shop.named(), "lines": [{"line": first, "quantity": 2}]}])
    assert [line["allocated"] for line in (await shop.now())["lines"]] == [2, 0]

    await shop.allocate(orders=[{"order": shop.named(), "lines": [{"line": second}]}])
    assert [line["allocated"] for line in (await shop.now())["lines"]] == [2, 3]
    assert await shop.status() == ["PARTIALLY_ALLOCATED"]


async def test_all_or_nothing_takes_nothing_when_not_all_is_there(shop: Shop):
    await shop.item(2)
    await shop.order(quantity=3, shippingPolicy="SHIP_COMPLETE")

    (result,) = await shop.allocate()

    assert (result["after"], result["lines"][0]["allocated"]) == ("COULD_NOT_ALLOCATE", 0)
    assert await shop.levels() == {"LEEDS": (2, 0, 2, 0)}


async def test_the_demand_of_two_lines_of_one_sku_is_summed(shop: Shop):
    await shop.item(3)
    lines = [{"sku": shop.sku, "quantity": 2}, {"sku": shop.sku, "quantity": 2}]
    await shop.order("1", lines=lines, shippingPolicy="SHIP_COMPLETE")
    await shop.order("2", lines=lines)

    results = await shop.allocate("1", "2")

    assert [one["after"] for one in results] == ["COULD_NOT_ALLOCATE", "PARTIALLY_ALLOCATED"]
    assert sum(line["allocated"] for line in results[1]["lines"]) == 3


async def test_one_orders_refusal_does_not_touch_the_others(shop: Shop):
    await shop.item(5)
    for number in "12":
        await shop.order(number)
    await shop.api.mutate("voidOrder", order=shop.named("2"), reason="x")
    missing, garbage = shop.named("none"), {"id": "garbage"}

    results = await shop.allocate(
        orders=[{"order": missing}, {"order": shop.named("2")}, {"order": garbage}, {"order": shop.named("1")}]
    )

    assert [(one["index"], one["refusal"] and one["refusal"]["__typename"]) for one in results] == [
        (0, "NotFound"),
        (1, "OrderNotInState"),
        (2, "NotFound"),
        (3, None),
    ]
    assert results[0]["refusal"]["references"] == [f"{shop.channel}/none"]
    assert results[2]["refusal"]["references"] == ["garbage"]
    assert results[3]["after"] == "ALLOCATED"


async def test_each_order_and_each_line_stands_once_in_a_run(shop: Shop):
    order = (await shop.item()) and await shop.order()
    line = order["lines"][0]["id"]
    twice = [{"order": shop.named()}] * 2
    by_both_names = [{"order": {"id": order["id"]}}, {"order": shop.named()}]
    lines = [{"order": shop.named(), "lines": [{"line": line}, {"line": line}]}]

    assert problems(await shop.allocate(orders=twice)) == [("input.orders.1", "DUPLICATE")]
    assert problems(await shop.allocate(orders=by_both_names)) == [("input.orders.1", "DUPLICATE")]
    assert problems(await shop.allocate(orders=lines)) == [("input.orders.0.lines.1", "DUPLICATE")]
    assert problems(await shop.allocate(orders=[])) == [("input.orders", "REQUIRED")]
    assert problems(await shop.deallocate(orders=[shop.named()] * 2)) == [("input.orders.1", "DUPLICATE")]
    assert problems(await shop.deallocate(orders=[])) == [("input.orders", "REQUIRED")]
    many = [{"order": {"id": global_id("Order", number)}} for number in range(1, 1_002)]
    assert problems(await shop.allocate(orders=many)) == [("input.orders", "TOO_MANY")]
    assert problems(
        await shop.allocate(orders=[{"order": shop.named(), "lines": [{"line": line, "quantity": 0}]}])
    ) == [("input.orders.0.lines.0.quantity", "OUT_OF_RANGE")]


async def test_deallocating_gives_everything_back_and_says_where(shop: Shop):
    await shop.item(3)
    await shop.order(quantity=2)
    await shop.allocate()

    (result,) = await shop.deallocate()

    assert (result["before"], result["after"]) == ("ALLOCATED", "UNALLOCATED")
    assert result["lines"] == [
        {
            "sku": shop.sku, "quantity": 2, "allocated": 0, "short": 2,
            "from": [{"location": {"code": "LEEDS"}, "quantity": 2}],
        }
    ]  # fmt: skip
    assert await shop.levels() == {"LEEDS": (3, 0, 3, 0)}


async def test_a_dry_run_tells_what_would_happen_and_writes_nothing(shop: Shop):
    await shop.item(3)
    for number in "12":
        await shop.order(number, quantity=2)
    key = a_key()
    await all_read(shop.api.database)
    before = await everything(shop.api.running.engine)

    foreseen = await shop.allocate("1", "2", dryRun=True, idempotencyKey=key)

    assert await everything(shop.api.running.engine) == before
    assert [one["after"] for one in foreseen] == ["ALLOCATED", "PARTIALLY_ALLOCATED"]
    done = await shop.allocate("1", "2", idempotencyKey=key)
    assert [one["lines"] for one in done] == [one["lines"] for one in foreseen]
    assert [one["order"]["version"] for one in foreseen] == [1, 1]


# ---------------------------------------------------------------- the worked examples


async def test_an_allocated_order_whose_stock_falls_to_nothing_is_overallocated(shop: Shop):
    """O14, and O15: the problem is visible at once, in the answer to what caused it."""
    await shop.item(1)
    await shop.order()
    await shop.allocate()

    told = await shop.count(0)

    assert told["overallocated"] == {"total": 1, "orders": [{"number": "1"}]}
    assert await shop.status() == ["OVERALLOCATED"]
    assert await shop.levels() == {"LEEDS": (0, 1, 0, 1)}


async def test_of_three_that_hold_one_each_the_weakest_is_overallocated_when_two_are_left(shop: Shop):
    await shop.item(3)
    for number, priority in (("1", 0), ("2", 5), ("3", 0)):
        await shop.order(number, priority=priority)
        await shop.allocate(number)

    told = await shop.count(2)

    assert told["overallocated"]["orders"] == [{"number": "3"}]
    assert await shop.status("1", "2", "3") == ["ALLOCATED", "ALLOCATED", "OVERALLOCATED"]
    await shop.count(1)
    assert await shop.status("1", "2", "3") == ["OVERALLOCATED", "ALLOCATED", "OVERALLOCATED"]
    await shop.receive(1)
    assert await shop.status("1", "2", "3") == ["ALLOCATED", "ALLOCATED", "OVERALLOCATED"]


async def test_deallocate_correct_allocate_heals_an_overallocated_order(shop: Shop):
    """O18."""
    await shop.item(1)
    await shop.order()
    await shop.allocate()
    await shop.count(0)

    await shop.deallocate()
    assert await shop.status() == ["UNALLOCATED"]
    await shop.count(1)
    (healed,) = await shop.allocate()

    assert (healed["before"], healed["after"]) == ("UNALLOCATED", "ALLOCATED")


async def test_a_short_order_is_allocated_when_goods_arrive_and_the_run_is_repeated(shop: Shop):
    """O8, O20: allocation is a command that can be given at any time."""
    await shop.item()
    await shop.order(quantity=2)

    assert (await shop.allocate())[0]["after"] == "COULD_NOT_ALLOCATE"
    await shop.receive(1)
    assert (await shop.allocate())[0]["after"] == "PARTIALLY_ALLOCATED"
    await shop.receive(5)
    (result,) = await shop.allocate()

    assert (result["after"], result["lines"][0]["quantity"], result["lines"][0]["allocated"]) == ("ALLOCATED", 1, 1)
    assert await shop.levels() == {"LEEDS": (6, 2, 4, 0)}


async def test_an_edit_that_grows_an_allocated_order_asks_for_what_it_adds(shop: Shop):
    """O7."""
    await shop.item(5)
    line = (await shop.order())["lines"][0]["id"]
    await shop.allocate()

    grown = await shop.edit(lines=[{"change": {"line": line, "quantity": 3}}])
    too_large = await shop.edit(lines=[{"change": {"line": line, "quantity": 7}}])

    assert grown["order"]["allocationStatus"] == "ALLOCATED"
    assert too_large["order"]["allocationStatus"] == "PARTIALLY_ALLOCATED"


# ---------------------------------------------------------------- sent again


async def test_the_same_request_under_the_same_key_is_answered_alike_and_done_once(shop: Shop):
    await shop.item(5)
    key = a_key()
    lines = [{"sku": shop.sku, "quantity": 3}]
    mutations = [
        ("receiveStock", "... on StockSuccess { levels { id } }", {"location": "LEEDS", "lines": lines}),
        (
            "adjustStock",
            "... on StockSuccess { levels { id } }",
            {"location": "LEEDS", "lines": [{"sku": shop.sku, "change": {"delta": -1}}], "reason": "LOSS"},
        ),
        (
            "placeOrder",
            "... on PlaceOrderSuccess { order { id } }",
            {"channel": shop.channel, "number": "1", "lines": lines},
        ),
        ("allocateOrders", f"... on AllocateOrdersSuccess {{ {RESULTS} }}", {"orders": [{"order": shop.named()}]}),
        (
            "editOrder",
            "... on EditOrderSuccess { order { id } }",
            {"order": shop.named(), "lines": [{"add": {"sku": shop.sku, "quantity": 1}}]},
        ),
        ("deallocateOrders", f"... on DeallocateOrdersSuccess {{ {RESULTS} }}", {"orders": [shop.named()]}),
        ("voidOrder", "... on VoidOrderSuccess { order { id } }", {"order": shop.named(), "reason": "x"}),
    ]  # fmt: skip
    for mutation, select, fields in mutations:
        first = await shop.api.mutate(mutation, select, **fields, idempotencyKey=key)
        before = await everything(shop.api.running.engine)
        second = await shop.api.mutate(mutation, select, **fields, idempotencyKey=key)
        for told in (first, second):
            for result in told.get("results", ()):
                result.pop("order")  # objects are read live
        assert second == first, mutation
        unnumbered = {"events", "log_end", "log_readers", "replenished_items"}  # workers may be at it
        after = await everything(shop.api.running.engine)
        assert {name: rows for name, rows in after.items() if name not in unnumbered} == {
            name: rows for name, rows in before.items() if name not in unnumbered
        }


async def test_objects_in_a_repeated_answer_are_read_live(shop: Shop):
    await shop.item(5)
    key = a_key()
    assert (await shop.order(idempotencyKey=key))["version"] == 1
    await shop.edit(priority=9)

    again = await shop.order(idempotencyKey=key)

    assert (again["version"], again["priority"]) == (2, 9)


async def test_the_same_key_with_other_input_is_refused(shop: Shop):
    await shop.item(5)
    key = a_key()
    await shop.order("1", idempotencyKey=key)

    told = await shop.place("2", idempotencyKey=key)

    assert told["__typename"] == "IdempotencyKeyReused"
    assert (await shop.receive(1))["__typename"] == "StockSuccess"


async def test_a_key_belongs_to_its_mutation_and_its_owner(shop: Shop):
    await shop.item(5)
    key = a_key()
    await shop.order("1", idempotencyKey=key)
    other = (await create_key(shop.api.database, "partner"))[1]

    same_key_elsewhere = await shop.api.mutate("deallocateOrders", orders=[shop.named()], idempotencyKey=key)
    body = {
        "query": "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }",
        "variables": {
            "input": {
                "channel": shop.channel,
                "number": "2",
                "lines": [{"sku": shop.sku, "quantity": 1}],
                "idempotencyKey": key,
            }
        },
    }
    by_another = (await shop.api.post(body, authorization=f"Bearer {other}")).json()

    assert same_key_elsewhere["__typename"] == "DeallocateOrdersSuccess"
    assert by_another["data"]["placeOrder"]["__typename"] == "PlaceOrderSuccess"


async def test_what_the_caller_must_correct_first_does_not_use_up_the_key(shop: Shop):
    """InvalidInput and NotFound are judged anew; a wrong state is kept."""
    key = a_key()
    assert (await shop.place(lines=[], idempotencyKey=key))["__typename"] == "InvalidInput"
    assert (await shop.place(idempotencyKey=key))["__typename"] == "NotFound"
    await shop.item()
    assert (await shop.place(idempotencyKey=key))["__typename"] == "PlaceOrderSuccess"

    second = a_key()
    assert (await shop.place(idempotencyKey=second))["__typename"] == "OrderAlreadyPlaced"
    assert (await shop.place(idempotencyKey=second))["__typename"] == "OrderAlreadyPlaced"


async def test_fifty_twins_at_once_have_one_effect_and_one_answer(shop: Shop):
    """I7, through the front door."""
    await shop.item(5)
    key = a_key()

    answers = await asyncio.gather(*(shop.order(idempotencyKey=key) for _ in range(50)))

    assert all(answer == answers[0] for answer in answers)
    async with shop.api.running.engine.connect() as connection:
        statement = text("SELECT count(*) FROM orders o JOIN channels c ON c.id = o.channel_id WHERE c.code = :code")
        count = (await connection.execute(statement, {"code": shop.channel})).scalar_one()
    assert count == 1


async def test_o1_a1_a2_fifty_who_want_the_last_ten_get_ten(shop: Shop):
    """What is set aside for one is nobody else's, through the front door."""
    await shop.item(10)
    numbers = [str(number) for number in range(50)]
    await asyncio.gather(*(shop.order(number) for number in numbers))

    results = await asyncio.gather(*(shop.allocate(number) for number in numbers))

    assert sorted(result["after"] for (result,) in results) == ["ALLOCATED"] * 10 + ["COULD_NOT_ALLOCATE"] * 40
    assert await shop.levels() == {"LEEDS": (10, 10, 0, 0)}


async def test_mutations_of_one_document_are_done_one_after_the_other(shop: Shop):
    await shop.item()
    document = """mutation ($a: ReceiveStockInput!, $b: AdjustStockInput!, $c: ReceiveStockInput!) {
      a: receiveStock(input: $a) { ... on StockSuccess { levels { onHand } } }
      b: adjustStock(input: $b) { ... on StockSuccess { levels { onHand } } }
      c: receiveStock(input: $c) { ... on StockSuccess { levels { onHand } } }
    }"""
    receive = {"location": "LEEDS", "lines": [{"sku": shop.sku, "quantity": 2}]}
    count = {"location": "LEEDS", "lines": [{"sku": shop.sku, "change": {"counted": 7}}], "reason": "COUNT"}

    data = await shop.api(
        document,
        a=receive | {"idempotencyKey": a_key()},
        b=count | {"idempotencyKey": a_key()},
        c=receive | {"idempotencyKey": a_key()},
    )

    assert {name: told["levels"][0]["onHand"] for name, told in data.items()} == {"a": 2, "b": 7, "c": 9}


async def test_an_answer_that_does_not_fit_the_schema_is_a_mistake_of_ours(api: Served, monkeypatch, caplog):
    monkeypatch.setattr("gql.schema.catalog.int32", lambda number: 2**40)
    sku = api.unique("SKU")
    await api.mutate("saveItems", items=[{"sku": sku, "name": sku}])
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": sku, "quantity": 1}])

    answer = await api.answer("query ($sku: String!) { item(by: {sku: $sku}) { levels { incoming } } }", sku=sku)

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["correlationId"] in caplog.text
