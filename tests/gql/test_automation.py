"""Rules for new orders, and splitting orders, over the API."""

import asyncio
from typing import Any

from sqlalchemy import text

from tests.builders import a_key
from tests.gql.serving import SECONDS_MAX, Served

RULE = (
    "name when everyMinutes channels countryCodes regions tags valueFrom { amount currencyCode } valueBelow { amount }"
)
SAVED = f"... on SaveAllocationRulesSuccess {{ rules {{ {RULE} }} }}"
ORDER = "id number version allocationStatus lines { id quantity canceled allocated allocations { id quantity } }"
PLACED = f"... on PlaceOrderSuccess {{ order {{ {ORDER} }} }}"
SPLIT = f"... on SplitOrderSuccess {{ order {{ {ORDER} }} split {{ {ORDER} splitFrom {{ number }} }} }}"


async def a_shop(api: Served, **on_hand: int) -> None:
    await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await api.mutate("saveItems", items=[{"sku": sku, "name": sku} for sku in on_hand])
    lines = [{"sku": sku, "quantity": units} for sku, units in on_hand.items() if units]
    await api.mutate("receiveStock", location="LEEDS", lines=lines)


async def place(api: Served, number: str, quantity: int = 1, **more: Any) -> Any:
    fields: dict[str, Any] = {"channel": "web", "lines": [{"sku": "CHAIR", "quantity": quantity}]} | more
    return (await api.mutate("placeOrder", PLACED, number=number, **fields))["order"]


def named(number: str) -> dict[str, Any]:
    return {"number": {"channel": "web", "number": number}}


async def allocate(api: Served, number: str) -> None:
    await api.mutate("allocateOrders", orders=[{"order": named(number)}])


# ---------------------------------------------------------------- rules


async def test_o23_rules_are_saved_as_a_list_and_read_back(served: Served):
    wanted: list[dict[str, Any]] = [
        {
            "name": "small and domestic",
            "when": "ON_SCHEDULE",
            "everyMinutes": 15,
            "channels": ["web"],
            "countryCodes": ["gb"],
            "regions": ["Yorkshire"],
            "tags": ["gift"],
            "valueFrom": {"amount": "1.50", "currencyCode": "gbp"},
            "valueBelow": {"amount": "20", "currencyCode": "GBP"},
        },
        {"name": "the rest", "when": "AT_ONCE"},
    ]

    saved = await served.mutate("saveAllocationRules", SAVED, rules=wanted)

    assert saved["__typename"] == "SaveAllocationRulesSuccess", saved
    first, second = saved["rules"]
    assert first == wanted[0] | {
        "countryCodes": ["GB"],
        "valueFrom": {"amount": "1.50", "currencyCode": "GBP"},
        "valueBelow": {"amount": "20"},
    }
    assert (second["name"], second["when"], second["everyMinutes"], second["channels"]) == (
        "the rest",
        "AT_ONCE",
        None,
        None,
    )
    assert (await served(f"{{ allocationRules {{ {RULE} }} }}"))["allocationRules"] == saved["rules"]
    await served.mutate("saveAllocationRules", rules=[])
    assert (await served("{ allocationRules { name } }"))["allocationRules"] == []


async def test_rules_that_make_no_sense_are_refused_as_a_whole(served: Served):
    rules = [{"name": "a", "when": "NEVER"}, {"name": "a", "when": "ON_SCHEDULE", "everyMinutes": 0, "tags": []}]

    told = await served.mutate("saveAllocationRules", rules=rules)

    assert told["__typename"] == "InvalidInput"
    assert [(problem["path"], problem["code"]) for problem in told["problems"]] == [
        (["input", "rules", "1", "everyMinutes"], "OUT_OF_RANGE"),
        (["input", "rules", "1", "tags"], "REQUIRED"),
        (["input", "rules", "1"], "DUPLICATE"),
    ]
    assert (await served("{ allocationRules { name } }"))["allocationRules"] == []


async def test_o23_an_order_is_answered_with_what_a_rule_has_set_aside_for_it_at_once(served: Served):
    await a_shop(served, CHAIR=3)
    await served.mutate("saveAllocationRules", SAVED, rules=[{"name": "all", "when": "AT_ONCE", "channels": ["web"]}])

    first, second, till = (
        await place(served, "1", 2),
        await place(served, "2", 2),
        await place(served, "3", channel="till"),
    )

    assert [order["allocationStatus"] for order in (first, second, till)] == [
        "ALLOCATED",
        "PARTIALLY_ALLOCATED",
        "UNALLOCATED",
    ]
    assert [order["version"] for order in (first, second)] == [1, 1]
    draft = await place(served, "4", draft=True)
    confirmed = await served.mutate(
        "finalizeOrder", f"... on FinalizeOrderSuccess {{ order {{ {ORDER} }} }}", order={"id": draft["id"]}
    )
    assert draft["allocationStatus"] == "UNALLOCATED"
    assert confirmed["order"]["allocationStatus"] == "COULD_NOT_ALLOCATE"


async def test_two_hundred_buyers_at_once_are_sold_exactly_the_stock(served: Served):
    await a_shop(served, CHAIR=70)
    await served.mutate("saveAllocationRules", rules=[{"name": "all", "when": "AT_ONCE"}])

    orders = await asyncio.gather(*(place(served, str(number)) for number in range(200)))

    statuses = [order["allocationStatus"] for order in orders]
    assert (statuses.count("ALLOCATED"), statuses.count("COULD_NOT_ALLOCATE")) == (70, 130)


async def test_o23_an_order_on_a_schedule_is_allocated_by_a_worker_when_its_time_comes(served: Served):
    await a_shop(served, CHAIR=3)
    await served.mutate("saveAllocationRules", rules=[{"name": "daily", "when": "ON_SCHEDULE", "everyMinutes": 1440}])
    order = await place(served, "1")
    assert order["allocationStatus"] == "UNALLOCATED"

    async with served.database.engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET allocate_after = now()"))

    async with asyncio.timeout(SECONDS_MAX):
        while order["allocationStatus"] != "ALLOCATED":
            await asyncio.sleep(0.05)
            order = (await served(f"query ($by: OrderBy!) {{ order(by: $by) {{ {ORDER} }} }}", by=named("1")))["order"]
    assert order["version"] == 2


# ---------------------------------------------------------------- edits and splits


async def test_o7_what_an_edit_adds_to_an_allocated_order_is_set_aside_with_it(served: Served):
    await a_shop(served, CHAIR=5, TABLE=0)
    order = await place(served, "1", 2)
    await allocate(served, "1")
    change = {"change": {"line": order["lines"][0]["id"], "quantity": 4}}
    selection = f"... on EditOrderSuccess {{ order {{ {ORDER} }} }}"

    grown = (await served.mutate("editOrder", selection, order=named("1"), lines=[change]))["order"]
    more = [{"add": {"sku": "TABLE", "quantity": 1}}]
    short = (await served.mutate("editOrder", selection, order=named("1"), lines=more))["order"]

    assert (grown["allocationStatus"], grown["version"], grown["lines"][0]["allocated"]) == ("ALLOCATED", 3, 4)
    assert (short["allocationStatus"], [line["allocated"] for line in short["lines"]]) == (
        "PARTIALLY_ALLOCATED",
        [4, 0],
    )


async def test_o21_an_order_is_split_by_what_is_allocated(served: Served):
    await a_shop(served, CHAIR=3)
    await place(served, "1000", 5)
    await allocate(served, "1000")
    query = f"query ($by: OrderBy!) {{ order(by: $by) {{ {ORDER} splitFrom {{ id }} }} }}"
    before = (await served(query, by=named("1000")))["order"]

    done = await served.mutate("splitOrder", SPLIT, order=named("1000"), by={"allocated": True}, expectedVersion=2)

    assert done["__typename"] == "SplitOrderSuccess", done
    old, new = done["order"], done["split"]
    assert (new["number"], new["splitFrom"]["number"], new["version"]) == ("1000-1", "1000", 1)
    assert (old["allocationStatus"], new["allocationStatus"]) == ("COULD_NOT_ALLOCATE", "ALLOCATED")
    assert new["lines"][0]["allocations"] == before["lines"][0]["allocations"]
    assert (old["version"], old["lines"][0]["quantity"], new["lines"][0]["quantity"]) == (3, 2, 3)
    assert before["splitFrom"] is None


async def test_o21_an_order_is_split_by_lines_and_quantities_once_a_key(served: Served):
    await a_shop(served, CHAIR=9, TABLE=9)
    lines = [{"sku": "CHAIR", "quantity": 3}, {"sku": "TABLE", "quantity": 2}]
    order = await place(served, "1", lines=lines)
    chair, table = (line["id"] for line in order["lines"])
    fields = {
        "order": {"id": order["id"]},
        "number": "1-B",
        "by": {"lines": [{"line": table, "quantity": 2}, {"line": chair, "quantity": 1}]},
        "idempotencyKey": a_key(),
    }

    done = await served.mutate("splitOrder", SPLIT, **fields)

    assert await served.mutate("splitOrder", SPLIT, **fields) == done
    assert [(line["quantity"], line["canceled"]) for line in done["order"]["lines"]] == [(2, 0), (2, 2)]
    assert (done["split"]["number"], [line["quantity"] for line in done["split"]["lines"]]) == ("1-B", [2, 1])


async def test_a_split_that_cannot_be_is_refused_with_its_reason(served: Served):
    await a_shop(served, CHAIR=9)
    order, _ = await place(served, "1", 2), await place(served, "2")
    line = order["lines"][0]["id"]
    half = {"lines": [{"line": line, "quantity": 1}]}

    async def refused(**fields: Any) -> Any:
        selection = """... on NotFound { references } ... on OrderAlreadyPlaced { order { number } }
            ... on OrderNotInState { allowed } ... on OrderVersionConflict { order { version } }"""
        return await served.mutate("splitOrder", selection, **({"order": named("1"), "by": half} | fields))

    taken, older = await refused(number="2"), await refused(expectedVersion=7)
    unknown, garbage = await refused(order=named("3")), await refused(by={"lines": [{"line": "x", "quantity": 1}]})
    whole, nothing = await refused(by={"lines": [{"line": line, "quantity": 2}]}), await refused(by={"allocated": True})
    false = await refused(by={"allocated": False})
    await served.mutate("voidOrder", order=named("1"), reason="a test")
    void = await refused()

    assert (taken["__typename"], taken["order"]["number"]) == ("OrderAlreadyPlaced", "2")
    assert (older["__typename"], older["order"]["version"]) == ("OrderVersionConflict", 1)
    assert (unknown["__typename"], unknown["references"]) == ("NotFound", ["web/3"])
    assert [one["problems"][0]["code"] for one in (garbage, whole, nothing, false)] == [
        "NOT_AN_ID",
        "NOTHING_LEFT",
        "NOTHING_TO_SPLIT",
        "OUT_OF_RANGE",
    ]
    assert (void["__typename"], void["allowed"]) == ("OrderNotInState", ["DRAFT", "FINALIZED"])
