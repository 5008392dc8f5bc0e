"""Rules that hold new orders, orders that are not paid in time, and counts: what holds of all orders of a database."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from tests.gql.paying import MONEY, ORDER, Shop, amounts, pounds, problems
from tests.gql.serving import SECONDS_MAX, Served


@pytest.fixture
async def alone(served: Served) -> Shop:
    return await Shop(served).opened()


async def test_c7_orders_are_found_and_counted_by_payment_status(alone: Shop):
    await alone.order("unpaid")
    await alone.order("part", payments=[{"amount": pounds("1"), "method": "cash"}])
    await alone.order("paid", payments=[{"amount": pounds("20"), "method": "cash"}])
    await alone.order("free", lines=[alone.line(1, None)])
    await alone.pay("1.00", "part")
    await alone.refund("1.00", "paid")

    counts = await alone.api("{ orderCounts { total byPaymentStatus { status count } } }")

    assert {one["status"]: one["count"] for one in counts["orderCounts"]["byPaymentStatus"]} == {
        "UNPAID": 1,
        "PARTIALLY_PAID": 1,
        "PAID": 1,
        "PARTIALLY_REFUNDED": 1,
        "REFUNDED": 0,
    }
    assert await alone.found(paymentStatuses=["UNPAID", "PARTIALLY_PAID"]) == ["unpaid", "part"]
    assert await alone.found(paymentStatuses=[]) == []
    assert await alone.found(paymentStatuses=None) == ["unpaid", "part", "paid", "free"]


RULES: list[dict[str, Any]] = [
    {"name": "large discounts", "reason": "MANUAL_REVIEW", "note": "who gave it?", "discountFrom": pounds("5")},
    {"name": "a third off", "reason": "MANUAL_REVIEW", "discountPercentFrom": "33.3"},
    {"name": "promotions", "reason": "OTHER", "tags": ["promo"]},
    {"name": "made to measure", "reason": "CUSTOMIZATION", "customized": True},
    {"name": "strangers", "reason": "SUSPECTED_FRAUD", "firstOrderFrom": pounds("100")},
]
SAVED = f"""... on SaveHoldRulesSuccess {{ rules {{
    name reason note discountPercentFrom tags customized
    discountFrom {{ {MONEY} }} firstOrderFrom {{ {MONEY} }} }} }}"""


async def test_r4_rules_hold_new_orders_by_themselves_each_for_its_own_reason(alone: Shop):
    saved = await alone.api.mutate("saveHoldRules", SAVED, rules=RULES)
    known = {"customer": {"email": "ann@example.com"}}

    plain = await alone.order("1", **known)
    discounted = await alone.order("2", discounts=[{"amount": pounds("5")}], **known)
    line_discount = await alone.order("3", lines=[alone.line(1, "9.00", discount=pounds("3.00"))], **known)
    many = await alone.order(
        "4",
        tags=["promo"],
        lines=[alone.line(1, "9.00", customizationNote="blue")],
        customer={"email": "ANN@example.com"},
    )
    large = await alone.order("5", lines=[alone.line(10, "10.00")], **known)
    stranger = await alone.order("6", lines=[alone.line(10, "10.00")], customer={"email": "eve@example.com"})
    nameless = await alone.order("7", lines=[alone.line(10, "10.00")])

    assert saved["rules"][0] == {
        "name": "large discounts",
        "reason": "MANUAL_REVIEW",
        "note": "who gave it?",
        "discountFrom": pounds("5"),
        "discountPercentFrom": None,
        "tags": None,
        "customized": None,
        "firstOrderFrom": None,
    }
    orders = (plain, discounted, line_discount, many, large, stranger, nameless)
    assert [[(hold["reason"], hold["rule"]) for hold in order["holds"]] for order in orders] == [
        [],
        [("MANUAL_REVIEW", "large discounts")],
        [("MANUAL_REVIEW", "a third off")],
        [("OTHER", "promotions"), ("CUSTOMIZATION", "made to measure")],
        [],
        [("SUSPECTED_FRAUD", "strangers")],
        [("SUSPECTED_FRAUD", "strangers")],
    ]
    assert discounted["holds"][0]["note"] == "who gave it?"
    assert [order["version"] for order in orders] == [1] * 7
    assert await alone.changes("4") == [["PLACED", "HELD"]]


async def test_r4_a_draft_is_looked_at_when_it_is_confirmed_and_allocated_all_the_same(alone: Shop):
    await alone.api.mutate("saveHoldRules", SAVED, rules=RULES)
    await alone.api.mutate("saveAllocationRules", rules=[{"name": "all", "when": "AT_ONCE"}])
    eve = {"customer": {"reference": "c1"}}
    draft = await alone.order("1", draft=True, lines=[alone.line(5, "30.00", customizationNote="x")], **eve)
    other_channel = await alone.api.mutate(
        "placeOrder", channel="other", number="1", lines=[alone.line(1)], customer={"reference": "c1"}
    )
    finalize = f"... on FinalizeOrderSuccess {{ order {{ {ORDER} }} }}"

    done = (await alone.api.mutate("finalizeOrder", finalize, order=alone.named("1")))["order"]
    second = await alone.order("2", lines=[alone.line(5, "30.00")], **eve)

    assert other_channel["__typename"] == "PlaceOrderSuccess"
    assert draft["holds"] == []
    assert [hold["reason"] for hold in done["holds"]] == ["CUSTOMIZATION", "SUSPECTED_FRAUD"]
    assert (done["allocationStatus"], done["version"]) == ("ALLOCATED", 2)
    assert second["holds"] == []


async def test_rules_are_replaced_as_a_whole_and_rubbish_is_refused_as_a_whole(alone: Shop):
    await alone.api.mutate("saveHoldRules", SAVED, rules=RULES)
    wrong = [
        {"name": "a", "reason": "OTHER", "tags": []},
        {"name": "a", "reason": "OTHER", "discountPercentFrom": "0"},
        {"name": " ", "reason": "OTHER", "discountPercentFrom": "100.01", "note": "\x00"},
        {"name": "d", "reason": "OTHER", "discountFrom": pounds("1"), "firstOrderFrom": pounds("1", "EUR")},
        {"name": "e", "reason": "OTHER", "discountFrom": pounds("1", "QQQ")},
        {"name": "f", "reason": "OTHER", "discountPercentFrom": "1." + "1" * 40},
    ]

    told = await alone.api.mutate("saveHoldRules", SAVED, rules=wrong)
    names = [rule["name"] for rule in (await alone.api("{ holdRules { name } }"))["holdRules"]]
    replaced = await alone.api.mutate("saveHoldRules", SAVED, rules=RULES[1:2])
    await alone.api.mutate("saveHoldRules", SAVED, rules=[])

    assert problems(told) == [
        ("rules.0.tags", "REQUIRED"),
        ("rules.1.discountPercentFrom", "OUT_OF_RANGE"),
        ("rules.2.name", "REQUIRED"),
        ("rules.2.note", "INVALID_CHARACTER"),
        ("rules.2.discountPercentFrom", "OUT_OF_RANGE"),
        ("rules.3.firstOrderFrom.currencyCode", "NOT_ALLOWED"),
        ("rules.4.discountFrom.currencyCode", "NOT_A_CURRENCY_CODE"),
        ("rules.5.discountPercentFrom", "TOO_LONG"),
        ("rules.1", "DUPLICATE"),
    ]
    assert names == [rule["name"] for rule in RULES]
    assert [rule["name"] for rule in replaced["rules"]] == ["a third off"]
    assert (await alone.order(discounts=[{"amount": pounds("20")}]))["holds"] == []


async def test_an_order_that_is_not_paid_in_time_is_given_up_by_the_worker_and_taken_up_by_its_payment(alone: Shop):
    await alone.serve(unpaidOrdersExpireAfterMinutes=30)
    await alone.order(lines=[alone.line(10)])
    await alone.api.mutate("allocateOrders", orders=[{"order": alone.named()}])
    async with alone.api.database.engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET finalized_at = now() - interval '30 minutes'"))

    order = await alone.now()
    async with asyncio.timeout(SECONDS_MAX):
        while not order["holds"]:
            await asyncio.sleep(0.05)
            order = await alone.now()
    order = await alone.now()  # an order and its holds are not read at one moment

    assert (order["status"], order["allocationStatus"]) == ("FINALIZED", "UNALLOCATED")
    assert [(hold["reason"], hold["placedBy"]) for hold in order["holds"]] == [("AWAITING_PAYMENT", "dibs")]
    assert (await alone.changes())[-1] == ["ALLOCATIONS_CHANGED", "HELD"]
    assert (await alone.pay("99.99"))["holds"] != []
    paid = await alone.pay("0.01")
    assert (paid["paymentStatus"], paid["holds"]) == ("PAID", [])
    assert (await alone.changes())[-1] == ["PAYMENT_RECORDED", "HOLD_RELEASED"]
    assert amounts(paid)["due"] == "0.00"
