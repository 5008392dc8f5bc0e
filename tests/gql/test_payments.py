"""Intake, payments and holds over the API."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.kinds import PaymentStatus
from domain.payments import TRANSITIONS
from tests.builders import a_key
from tests.gql.paying import LEEDS, Shop, amounts, kept, pounds, problems
from tests.gql.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def shop(api: Served) -> Shop:
    return await Shop(api).opened()


# ---------------------------------------------------------------- intake


async def test_c2_an_order_arrives_finalized_with_everything_that_its_channel_says(shop: Shop):
    address = {"name": "Ann", "region": "Yorkshire", "line2": "", "phone": "0113 496 0000"} | LEEDS
    placed = await shop.order(
        customer={"name": "Ann", "email": "ann@example.com", "reference": "c7", "phone": "(0113) 496-0001"},
        shipTo=address,
        billTo={"name": "Ann Ltd", "line1": "2 Park Row", "countryCode": "fr", "phone": "01 42 68 53 00"},
        lines=[
            shop.line(3, "9.99", discount=pounds("2.00"), tax=pounds("4.59"), customizationNote=" engrave: ANN "),
            {"sku": shop.table, "quantity": 1},
        ],
        discounts=[{"code": "SPRING", "amount": pounds("5")}, {"description": "for you", "amount": pounds("0.50")}],
        shippingPrice=pounds("4.95"),
        tax=pounds("0.99", "gbp"),
        note="ring twice",
    )

    order = await shop.now()

    assert order == placed
    assert (order["status"], order["version"], order["note"]) == ("FINALIZED", 1, "ring twice")
    assert order["customer"] == {
        "name": "Ann",
        "email": "ann@example.com",
        "reference": "c7",
        "phone": "+441134960001",
    }
    assert (order["shipTo"]["phone"], order["billTo"]["phone"]) == ("+441134960000", "+33142685300")
    assert (order["billTo"]["line1"], order["billTo"]["countryCode"]) == ("2 Park Row", "FR")
    chair, table = order["lines"]
    assert (chair["discount"], chair["tax"]) == (pounds("2.00"), pounds("4.59"))
    assert (chair["customizationNote"], table["customizationNote"], table["discount"]) == ("engrave: ANN", None, None)
    assert order["discounts"] == [
        {"code": "SPRING", "description": None, "amount": pounds("5")},
        {"code": None, "description": "for you", "amount": pounds("0.50")},
    ]
    assert (order["shippingPrice"], order["tax"]) == (pounds("4.95"), pounds("0.99"))
    assert order["totals"]["lines"] == pounds("29.97")
    assert amounts(order) == {
        "lines": "29.97",
        "discounts": "7.50",
        "tax": "5.58",
        "shipping": "4.95",
        "total": "33.00",
        "paid": "0.00",
        "refunded": "0.00",
        "due": "33.00",
    }
    assert (order["paymentStatus"], order["addressProblems"], order["holds"]) == ("UNPAID", [], [])


async def test_c13_c14_a_draft_by_hand_with_a_new_customer_is_finalized_by_hand(shop: Shop):
    customer = {"name": "Bob", "phone": "+1 212 555 0100"}
    draft = await shop.order(draft=True, customer=customer, payments=[{"amount": pounds("5"), "method": "cash"}])

    refused = await shop.api.mutate(
        "allocateOrders",
        "... on AllocateOrdersSuccess { results { refusal { __typename } } }",
        orders=[{"order": shop.named()}],
    )
    done = await shop.api.mutate(
        "finalizeOrder", "... on FinalizeOrderSuccess { order { status paymentStatus version } }", order=shop.named()
    )

    assert (draft["status"], draft["customer"]["phone"], draft["paymentStatus"]) == (
        "DRAFT",
        "+12125550100",
        "PARTIALLY_PAID",
    )
    assert refused["results"] == [{"refusal": {"__typename": "OrderNotInState"}}]
    assert done["order"] == {"status": "FINALIZED", "paymentStatus": "PARTIALLY_PAID", "version": 2}
    assert await shop.changes() == [["PLACED", "PAYMENT_RECORDED"], ["FINALIZED"]]


async def test_an_order_without_a_price_owes_nothing_and_is_paid(shop: Shop):
    order = await shop.order(lines=[shop.line(2, None)])

    assert (order["paymentStatus"], order["totals"], order["payments"]) == ("PAID", None, [])
    free = await shop.order("2", lines=[shop.line(2, "0.00")])
    assert (free["paymentStatus"], free["totals"]["due"]["amount"]) == ("PAID", "0.00")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"shippingPrice": pounds("4.955")}, [("shippingPrice.amount", "TOO_MANY_DECIMALS")]),
        ({"tax": pounds("1.5", "JPY")}, [("tax.amount", "TOO_MANY_DECIMALS"), ("tax.currencyCode", "NOT_ALLOWED")]),
        ({"tax": pounds("-1")}, [("tax.amount", "OUT_OF_RANGE")]),
        ({"discounts": [{"amount": pounds("1", "ABC")}]}, [
            ("discounts.0.amount.currencyCode", "NOT_A_CURRENCY_CODE"),
            ("discounts.0.amount.currencyCode", "NOT_ALLOWED"),
        ]),
        ({"discounts": [{"amount": pounds("1"), "code": "x" * 101, "description": "\x00"}]}, [
            ("discounts.0.code", "TOO_LONG"), ("discounts.0.description", "INVALID_CHARACTER"),
        ]),
        ({"discounts": [{"amount": pounds("1")}] * 101}, [("discounts", "TOO_MANY")]),
        ({"shippingPrice": pounds("1", "EUR")}, [("shippingPrice.currencyCode", "NOT_ALLOWED")]),
        ({"payments": [{"amount": pounds("1", "EUR"), "method": "x"}]}, [
            ("payments.0.amount.currencyCode", "NOT_ALLOWED"),
        ]),
        ({"payments": [{"amount": pounds("0"), "method": " "}]}, [
            ("payments.0.amount.amount", "OUT_OF_RANGE"), ("payments.0.method", "REQUIRED"),
        ]),
        ({"payments": [{"amount": pounds("1"), "method": "card 4111 1111 1111 1111"}]}, [
            ("payments.0.method", "CARD_DATA"),
        ]),
        ({"payments": [{"amount": pounds("1"), "method": "x"}] * 101}, [("payments", "TOO_MANY")]),
        ({"note": "x" * 2_001}, [("note", "TOO_LONG")]),
        ({"billTo": {"countryCode": "England", "city": "\x00"}}, [
            ("billTo.city", "INVALID_CHARACTER"), ("billTo.countryCode", "NOT_A_COUNTRY_CODE"),
        ]),
        ({"customer": {"phone": "nobody"}}, [("customer.phone", "NOT_A_PHONE_NUMBER")]),
        ({"customer": {"phone": "0113 496 0000"}}, [("customer.phone", "NOT_A_PHONE_NUMBER")]),
        ({"shipTo": {"countryCode": "GB", "phone": "12"}}, [("shipTo.phone", "NOT_A_PHONE_NUMBER")]),
        ({"shipTo": {"countryCode": "GB", "phone": "+" + "4" * 200}}, [("shipTo.phone", "TOO_LONG"),
                                                                      ("shipTo.phone", "NOT_A_PHONE_NUMBER")]),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
async def test_rubbish_in_an_order_is_refused_with_everything_that_is_wrong(
    shop: Shop, fields: dict[str, Any], expected: list[tuple[str, str]]
):
    assert problems(await shop.place(**fields)) == expected
    assert await shop.now() is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"discount": pounds("0.001")}, [("lines.0.discount.amount", "TOO_MANY_DECIMALS")]),
        ({"tax": pounds("1e30")}, [("lines.0.tax.amount", "TOO_LONG")]),
        ({"tax": pounds("1", "USD")}, [("lines.0.tax.currencyCode", "NOT_ALLOWED")]),
        ({"customizationNote": "x" * 2_001}, [("lines.0.customizationNote", "TOO_LONG")]),
    ],
)
async def test_rubbish_in_a_line_is_refused(shop: Shop, line: dict[str, Any], expected: list[tuple[str, str]]):
    assert problems(await shop.place(lines=[shop.line(**line)])) == expected


async def test_an_order_with_a_bad_address_is_an_order_and_its_problems_are_listed_until_they_are_corrected(shop: Shop):
    nowhere = await shop.order("1")
    wrong = await shop.order(
        "2", shipTo={"countryCode": "US", "city": "Austin", "region": "Texas", "postalCode": "99999"}
    )
    unknown = await shop.order("3", shipTo={"countryCode": "XX", "city": "x"})
    silent = await shop.order("4", shipTo={"city": "Leeds"})

    told = [
        [(one["field"], one["code"]) for one in order["addressProblems"]] for order in (nowhere, wrong, unknown, silent)
    ]

    assert told == [
        [(None, "REQUIRED")],
        [("postalCode", "INVALID"), ("line1", "REQUIRED")],
        [("countryCode", "UNKNOWN")],
        [("countryCode", "REQUIRED")],
    ]
    assert "Texas" in wrong["addressProblems"][0]["message"]
    corrected = await shop.edit("2", shipTo={"postalCode": "73301", "line1": "1 Main St"})
    assert corrected["addressProblems"] == []


async def test_an_edit_changes_what_is_agreed_and_the_totals_and_the_payment_status_follow(shop: Shop):
    await shop.order(shipTo=LEEDS)
    paid = await shop.pay("20.00")
    assert paid["paymentStatus"] == "PAID"

    more = await shop.edit(
        shippingPrice=pounds("3.00"),
        discounts=[{"code": "A", "amount": pounds("1.00")}],
        tax=pounds("0.40", "gbp"),
        note="later",
        billTo={"city": "York"},
        customer={"phone": "+44 113 496 0000"},
        lines=[{"add": {"sku": shop.table, "quantity": 1, "unitPrice": pounds("5"), "tax": pounds("1.00")}}],
    )
    less = await shop.edit(shippingPrice=None, discounts=[], tax=None, note=None, billTo=None)

    assert (more["paymentStatus"], amounts(more)["total"], amounts(more)["due"]) == ("PARTIALLY_PAID", "28.40", "8.40")
    assert (more["note"], more["billTo"]["city"], more["customer"]["phone"]) == ("later", "York", "+441134960000")
    assert more["shipTo"]["city"] == "Leeds"
    assert (less["shippingPrice"], less["discounts"], less["tax"], less["note"], less["billTo"]) == (
        None,
        [],
        None,
        None,
        None,
    )
    assert (amounts(less)["total"], less["paymentStatus"]) == ("26.00", "PARTIALLY_PAID")
    chair = less["lines"][0]["id"]
    canceled = await shop.edit(lines=[{"change": {"line": chair, "quantity": 0}}])
    assert (amounts(canceled)["total"], canceled["paymentStatus"]) == ("6.00", "PAID")


async def test_discount_and_tax_of_a_line_grow_and_shrink_with_its_quantity(shop: Shop):
    order = await shop.order(lines=[shop.line(4, "10.00", discount=pounds("2.00"), tax=pounds("7.00"))])
    line = order["lines"][0]["id"]

    less = await shop.edit(lines=[{"change": {"line": line, "quantity": 3}}])

    assert (less["lines"][0]["discount"], less["lines"][0]["tax"]) == (pounds("1.50"), pounds("5.25"))
    assert amounts(less)["total"] == "33.75"
    gone = await shop.edit(lines=[{"change": {"line": line, "quantity": 0}}])
    assert (amounts(gone)["total"], gone["paymentStatus"]) == ("0.00", "PAID")


async def test_an_order_keeps_its_one_currency(shop: Shop):
    await shop.order("1")
    bare = await shop.order("2", lines=[shop.line(1, None)])

    euros = {"sku": shop.table, "quantity": 1, "unitPrice": pounds("5", "EUR")}
    refused = await shop.edit("1", lines=[{"add": euros}])
    mixed = await shop.edit("2", lines=[{"add": euros}], shippingPrice=pounds("1"))
    first = await shop.edit("2", shippingPrice=pounds("1", "EUR"))
    second = await shop.edit("2", tax=pounds("1"))

    assert (refused["__typename"], refused["order"]["number"]) == ("CurrencyMismatch", "1")
    assert problems(mixed) == [("shippingPrice.currencyCode", "NOT_ALLOWED")]
    assert (bare["totals"], first["totals"]["lines"]["currencyCode"], first["paymentStatus"]) == (None, "EUR", "UNPAID")
    assert second["__typename"] == "CurrencyMismatch"


# ---------------------------------------------------------------- payments


async def test_r2_an_order_is_paid_in_parts_and_refunded_in_parts_each_in_one_version(shop: Shop):
    await shop.order()

    part = await shop.pay("5.00", reference="pi_3Nk", occurredAt="2026-01-02T03:04:05Z")
    rest = await shop.pay("15.00")
    back = await shop.refund("4.00", method="bank transfer")
    again = await shop.pay("4.00")
    all_back = await shop.refund("20.00")

    statuses = [order["paymentStatus"] for order in (part, rest, back, again, all_back)]
    assert statuses == ["PARTIALLY_PAID", "PAID", "PARTIALLY_REFUNDED", "PAID", "REFUNDED"]
    assert [order["version"] for order in (part, rest, back, again, all_back)] == [2, 3, 4, 5, 6]
    assert await shop.changes() == [
        ["PLACED"],
        ["PAYMENT_RECORDED"],
        ["PAYMENT_RECORDED"],
        ["REFUND_RECORDED"],
        ["PAYMENT_RECORDED"],
        ["REFUND_RECORDED"],
    ]
    first, *_, last = all_back["payments"]
    assert (first["kind"], first["reference"], first["occurredAt"]) == ("PAYMENT", "pi_3Nk", "2026-01-02T03:04:05Z")
    assert (first["amount"], first["method"]) == (pounds("5.00"), "bank")
    assert first["recordedBy"]
    assert (last["kind"], last["amount"]) == ("REFUND", pounds("20.00"))
    assert amounts(all_back) | {"paid": "24.00", "refunded": "24.00", "due": "20.00"} == amounts(all_back)


async def test_more_than_is_due_may_come_and_what_is_too_much_may_go_back(shop: Shop):
    await shop.order()

    over = await shop.pay("25.00")
    right = await shop.refund("5.00")

    assert (over["paymentStatus"], amounts(over)["due"]) == ("PAID", "0.00")
    assert (right["paymentStatus"], amounts(right)["due"]) == ("PAID", "0.00")


async def test_what_cannot_be_recorded_is_refused_with_its_reason(shop: Shop):
    await shop.order()
    await shop.pay("5.00")
    before = await shop.now()

    euros = await shop.record("recordPayment", "5.00", currency="EUR")
    back_in_euros = await shop.record("recordRefund", "5.00", currency="EUR")
    too_much = await shop.record("recordRefund", "5.01")
    unknown = await shop.record("recordPayment", "5.00", "77")
    garbage = await shop.record("recordPayment", "5.00", order={"id": "x"})
    rubbish = await shop.record("recordPayment", "0.001", currency="gBp", method="\x00", reference="x" * 501)
    nothing = await shop.record("recordRefund", "0.00")
    long_ago = await shop.record("recordPayment", "1.00", occurredAt="1850-01-01T00:00:00Z")

    assert (euros["__typename"], back_in_euros["__typename"]) == ("CurrencyMismatch", "CurrencyMismatch")
    assert (too_much["__typename"], too_much["order"]["totals"]) == (
        "RefundExceedsPayments",
        {"paid": {"amount": "5.00"}},
    )
    assert (unknown["__typename"], unknown["references"]) == ("NotFound", [f"{shop.channel}/77"])
    assert (garbage["__typename"], garbage["references"]) == ("NotFound", ["x"])
    assert problems(rubbish) == [
        ("amount.amount", "TOO_MANY_DECIMALS"),
        ("method", "INVALID_CHARACTER"),
        ("reference", "TOO_LONG"),
    ]
    assert problems(nothing) == [("amount.amount", "OUT_OF_RANGE")]
    assert problems(long_ago) == [("occurredAt", "OUT_OF_RANGE")]
    assert await shop.now() == before


@pytest.mark.parametrize("what", ["recordPayment", "recordRefund"])
@pytest.mark.parametrize("field", ["method", "reference"])
async def test_the_number_of_a_card_is_never_kept(shop: Shop, what: str, field: str):
    await shop.order()
    key = a_key()

    told = await shop.record(what, "1.00", idempotencyKey=key, **{field: "visa 4111-1111-1111-1111 exp 12/29"})

    assert problems(told) == [(field, "CARD_DATA")]
    assert "4111" not in repr(told)
    async with shop.api.database.engine.connect() as connection:
        kept = await connection.execute(text("SELECT count(*) FROM idempotency_keys WHERE key = :key"), {"key": key})
        assert kept.scalar_one() == 0


async def test_i7_fifty_twins_of_one_payment_record_one(shop: Shop):
    await shop.order()
    key = a_key()

    told = await asyncio.gather(*(shop.record("recordPayment", "5.00", idempotencyKey=key) for _ in range(50)))
    other = await shop.record("recordPayment", "6.00", idempotencyKey=key)

    assert {one["__typename"] for one in told} == {"RecordPaymentSuccess"}
    assert other["__typename"] == "IdempotencyKeyReused"
    order = await shop.now()
    assert (kept(order), order["version"]) == ([("PAYMENT", "5.00")], 2)


async def test_fifty_refunds_at_once_give_back_no_more_than_was_paid(shop: Shop):
    await shop.order()
    await shop.pay("20.00")

    told = await asyncio.gather(*(shop.record("recordRefund", "3.00") for _ in range(50)))

    assert sum(one["__typename"] == "RecordRefundSuccess" for one in told) == 6
    assert {one["__typename"] for one in told} == {"RecordRefundSuccess", "RefundExceedsPayments"}
    assert amounts(await shop.now())["refunded"] == "18.00"


WAYS: dict[PaymentStatus, list[tuple[str, str]]] = {
    PaymentStatus.UNPAID: [],
    PaymentStatus.PARTIALLY_PAID: [("recordPayment", "10.00")],
    PaymentStatus.PAID: [("recordPayment", "20.00")],
    PaymentStatus.PARTIALLY_REFUNDED: [("recordPayment", "20.00"), ("recordRefund", "1.00")],
    PaymentStatus.REFUNDED: [("recordPayment", "20.00"), ("recordRefund", "20.00")],
}


@pytest.mark.parametrize("operation", ["recordPayment", "recordRefund"])
@pytest.mark.parametrize("status", WAYS)
async def test_i15_every_pair_of_the_table_is_tried_and_the_forbidden_ones_are_refused(
    shop: Shop, status: PaymentStatus, operation: str
):
    await shop.order()
    for what, amount in WAYS[status]:
        await shop.record(what, amount)
    assert (await shop.now())["paymentStatus"] == status

    told = await shop.record(operation, "0.01")

    targets = TRANSITIONS[status].get(operation, ())
    if targets:
        assert told["order"]["paymentStatus"] in targets
    else:
        assert told["__typename"] == "RefundExceedsPayments"
        assert (await shop.now())["paymentStatus"] == status


async def test_a_void_order_owes_nothing_and_its_payment_can_go_back(shop: Shop):
    await shop.order("1")
    await shop.order("2", shippingPrice=pounds("5"))
    await shop.pay("20.00", "1")

    for number in ("1", "2"):
        await shop.api.mutate("voidOrder", order=shop.named(number), reason="changed their mind")
    one, two = await shop.now("1"), await shop.now("2")

    assert (one["paymentStatus"], amounts(one)["due"], two["paymentStatus"], amounts(two)["total"]) == (
        "PAID",
        "0.00",
        "PAID",
        "0.00",
    )
    assert (await shop.refund("20.00", "1"))["paymentStatus"] == "REFUNDED"


async def test_c2_what_arrives_from_a_channel_that_has_been_paid_is_paid_in_full(shop: Shop):
    saved = await shop.serve(paidOnArrival=True)
    order = await shop.order("1", shippingPrice=pounds("2.50"))
    part = await shop.order("2", payments=[{"amount": pounds("5"), "method": "voucher", "reference": "V1"}])
    draft = await shop.order("3", draft=True)
    free = await shop.order("4", lines=[shop.line(1, None)])
    await shop.serve(paidOnArrival=False)
    later = await shop.order("5")

    assert saved["channels"] == [{"paidOnArrival": True, "unpaidOrdersExpireAfterMinutes": None}]
    assert (order["paymentStatus"], kept(order), order["version"]) == ("PAID", [("PAYMENT", "22.50")], 1)
    assert order["payments"][0]["method"] == "channel"
    assert kept(part) == [("PAYMENT", "5"), ("PAYMENT", "15.00")]
    assert (draft["paymentStatus"], kept(draft), kept(free), later["paymentStatus"]) == ("UNPAID", [], [], "UNPAID")
    assert await shop.changes("1") == [["PLACED", "PAYMENT_RECORDED"]]
    told = await shop.serve(paidOnArrival=None, unpaidOrdersExpireAfterMinutes=0)
    assert problems(told) == [
        ("channels.0.paidOnArrival", "REQUIRED"),
        ("channels.0.unpaidOrdersExpireAfterMinutes", "OUT_OF_RANGE"),
    ]


async def test_an_order_that_is_placed_again_under_its_key_is_paid_once(shop: Shop):
    await shop.serve(paidOnArrival=True)
    key = a_key()

    first = await shop.order(idempotencyKey=key)
    again = await shop.order(idempotencyKey=key)

    assert again == first
    assert kept(first) == [("PAYMENT", "20.00")]


async def test_a_split_divides_the_money_and_what_was_paid_goes_along_with_what_it_paid_for(shop: Shop):
    line = shop.line(3, "10.00", discount=pounds("1.00"), tax=pounds("2.00"), customizationNote="blue")
    order = await shop.order(lines=[line], shippingPrice=pounds("5.00"), discounts=[{"amount": pounds("2.00")}])
    assert amounts(order)["total"] == "34.00"
    await shop.pay("34.00")

    await shop.api.mutate(
        "splitOrder", order=shop.named(), by={"lines": [{"line": order["lines"][0]["id"], "quantity": 1}]}
    )
    old, new = await shop.now(), await shop.now("1-1")

    assert (amounts(old)["total"], amounts(new)["total"]) == ("23.66", "10.34")
    assert (old["paymentStatus"], new["paymentStatus"]) == ("PAID", "PAID")
    assert (kept(old), kept(new)) == ([("PAYMENT", "34.00"), ("MOVED_OUT", "10.34")], [("MOVED_IN", "10.34")])
    assert (new["lines"][0]["discount"], new["lines"][0]["tax"]) == (pounds("0.33"), pounds("0.67"))
    assert (old["lines"][0]["discount"], old["lines"][0]["tax"]) == (pounds("0.67"), pounds("1.33"))
    assert (new["lines"][0]["customizationNote"], new["shippingPrice"], new["discounts"]) == ("blue", None, [])
    assert [one["__typename"] for one in [await shop.record("recordRefund", "10.35", "1-1")]] == [
        "RefundExceedsPayments"
    ]


async def test_what_was_paid_stays_with_the_old_order_first(shop: Shop):
    lines = [shop.line(1, "10.00"), {"sku": shop.table, "quantity": 1, "unitPrice": pounds("7.00")}]
    order = await shop.order(lines=lines)
    await shop.pay("12.00")

    await shop.api.mutate(
        "splitOrder", order=shop.named(), by={"lines": [{"line": order["lines"][1]["id"], "quantity": 1}]}
    )
    old, new = await shop.now(), await shop.now("1-1")

    assert (old["paymentStatus"], amounts(old)["paid"]) == ("PAID", "10.00")
    assert (new["paymentStatus"], amounts(new)["due"]) == ("PARTIALLY_PAID", "5.00")


async def test_a_bundle_is_due_at_its_own_price_and_its_money_goes_with_its_first_component(shop: Shop):
    bundle = shop.api.unique("SET")
    parts = [{"sku": shop.chair, "units": 2}, {"sku": shop.table, "units": 1}]
    await shop.api.mutate("saveItems", items=[{"sku": bundle, "name": "Set", "components": parts}])
    line = {"sku": bundle, "quantity": 2, "unitPrice": pounds("50.00"), "discount": pounds("10.00")}

    order = await shop.order(
        lines=[line | {"customizationNote": "red"}], payments=[{"amount": pounds("90"), "method": "x"}]
    )
    chair, table = order["lines"]
    split = {"lines": [{"line": chair["id"], "quantity": 2}, {"line": table["id"], "quantity": 1}]}
    await shop.api.mutate("splitOrder", order=shop.named(), by=split)
    old, new = await shop.now(), await shop.now("1-1")

    assert (amounts(order)["lines"], amounts(order)["total"], order["paymentStatus"]) == ("100.00", "90.00", "PAID")
    assert (chair["discount"], table["discount"]) == (pounds("10.00"), None)
    assert (chair["customizationNote"], table["customizationNote"]) == ("red", "red")
    assert (amounts(old)["total"], amounts(new)["total"]) == ("45.00", "45.00")
    assert (old["paymentStatus"], new["paymentStatus"], kept(new)) == ("PAID", "PAID", [("MOVED_IN", "45.00")])


async def test_what_one_unit_costs_may_be_finer_than_what_is_paid(shop: Shop):
    order = await shop.order(lines=[shop.line(7, "0.0375")])

    assert order["lines"][0]["unitPrice"] == {"amount": "0.0375"}
    assert amounts(order)["lines"] == "0.26"
    assert (await shop.pay("0.26"))["paymentStatus"] == "PAID"


# ---------------------------------------------------------------- holds


async def test_r4_orders_are_held_for_several_reasons_at_once_and_each_ends_once(shop: Shop):
    for number in ("1", "2"):
        await shop.order(number)

    held = await shop.holding("holdOrders", "1", "2", "77", reason="SUSPECTED_FRAUD", note="new card")
    more = await shop.holding("holdOrders", "2", "1", reason="CUSTOMIZATION")
    again = await shop.holding("holdOrders", "1", reason="CUSTOMIZATION", note="once more")

    assert [(one["index"], one["changed"], one["order"] and one["order"]["version"]) for one in held] == [
        (0, True, 2),
        (1, True, 2),
        (2, False, None),
    ]
    assert [one["refusal"] and one["refusal"]["__typename"] for one in held] == [None, None, "NotFound"]
    assert [one["changed"] for one in more] == [True, True]
    assert (again[0]["changed"], again[0]["order"]["version"], again[0]["refusal"]) == (False, 3, None)
    one = await shop.now("1")
    assert [(hold["reason"], hold["note"], hold["rule"]) for hold in one["holds"]] == [
        ("SUSPECTED_FRAUD", "new card", None),
        ("CUSTOMIZATION", None, None),
    ]
    released = await shop.holding("releaseHolds", "1", reasons=["CUSTOMIZATION", "OTHER"])
    twice = await shop.holding("releaseHolds", "1", reasons=["CUSTOMIZATION"])
    rest = await shop.holding("releaseHolds", "1", "2", "77")
    one = await shop.now("1")
    assert [result["changed"] for result in (*released, *twice, *rest)] == [True, False, True, True, False]
    assert rest[2]["refusal"]["__typename"] == "NotFound"
    assert one["holds"] == []
    assert [(hold["reason"], bool(hold["releasedAt"]), bool(hold["releasedBy"])) for hold in one["holdHistory"]] == [
        ("SUSPECTED_FRAUD", True, True),
        ("CUSTOMIZATION", True, True),
    ]
    assert await shop.changes("1") == [["PLACED"], ["HELD"], ["HELD"], ["HOLD_RELEASED"], ["HOLD_RELEASED"]]


async def test_orders_are_found_by_what_holds_them(shop: Shop):
    for number in ("1", "2", "3"):
        await shop.order(number)
    await shop.holding("holdOrders", "1", "2", reason="MANUAL_REVIEW")
    await shop.holding("holdOrders", "2", reason="OTHER")
    await shop.holding("releaseHolds", "1")

    assert await shop.found(onHold=True) == ["2"]
    assert await shop.found(onHold=False) == ["1", "3"]
    assert await shop.found(holdReasons=["OTHER", "SUSPECTED_FRAUD"]) == ["2"]
    assert await shop.found(holdReasons=["SUSPECTED_FRAUD"]) == []
    assert await shop.found(holdReasons=[]) == []


async def test_holds_never_stop_allocation(shop: Shop):
    order = await shop.order()
    await shop.holding("holdOrders", reason="MANUAL_REVIEW")

    await shop.api.mutate("allocateOrders", orders=[{"order": shop.named()}])

    now = await shop.now()
    assert order["allocationStatus"] == "UNALLOCATED"
    assert (now["allocationStatus"], [hold["reason"] for hold in now["holds"]]) == ("ALLOCATED", ["MANUAL_REVIEW"])


async def test_an_order_that_is_over_is_not_held_and_voiding_ends_its_holds(shop: Shop):
    await shop.order()
    await shop.holding("holdOrders", reason="MANUAL_REVIEW")
    await shop.api.mutate("voidOrder", order=shop.named(), reason="fraud")

    (refused,) = await shop.holding("holdOrders", reason="OTHER")

    assert (refused["refusal"]["__typename"], refused["changed"]) == ("OrderNotInState", False)
    order = await shop.now()
    assert (order["holds"], len(order["holdHistory"])) == ([], 1)
    assert (await shop.changes())[-1] == ["VOIDED", "HOLD_RELEASED"]


async def test_rubbish_about_holds_is_refused_as_a_whole(shop: Shop):
    await shop.order()

    twice = await shop.holding("holdOrders", "1", "1", reason="OTHER")
    empty = await shop.holding("holdOrders", reason="OTHER", orders=[], note="x" * 2_001)
    many = await shop.holding("releaseHolds", orders=[shop.named()] * 1_001, reasons=[])
    order = await shop.now()
    hidden = await shop.holding("releaseHolds", orders=[shop.named(), {"id": order["id"]}])
    garbage = await shop.holding("holdOrders", orders=[{"id": "\x00"}], reason="OTHER")

    assert problems(twice) == [("orders.1", "DUPLICATE")]
    assert problems(empty) == [("orders", "REQUIRED"), ("note", "TOO_LONG")]
    assert ("reasons", "REQUIRED") in problems(many)
    assert ("orders", "TOO_MANY") in problems(many)
    assert problems(hidden) == [("orders.1", "DUPLICATE")]
    assert [one["refusal"]["__typename"] for one in garbage] == ["NotFound"]
    code = await shop.api.code(
        'mutation { holdOrders(input: {orders: [{id: "x"}], reason: WHATEVER, idempotencyKey: "1"}) { __typename } }'
    )
    assert code in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


async def test_i7_twins_that_hold_an_order_hold_it_once(shop: Shop):
    await shop.order()
    key = a_key()

    twins = await asyncio.gather(
        *(shop.holding("holdOrders", reason="OTHER", idempotencyKey=key) for _ in range(20)),
        *(shop.holding("holdOrders", reason="OTHER") for _ in range(20)),
    )

    order = await shop.now()
    assert (order["version"], len(order["holdHistory"])) == (2, 1)
    assert len(twins) == 40
