"""Malformed input: every problem is found, each is a typed refusal, and nothing is written."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.errors import DomainError, InvalidInput, NotFound
from domain.ids import LineId, OrderId, Sku
from domain.kinds import AdjustmentReason
from domain.money import Money
from domain.orders import Address, Customer, NewLine, NewOrder, OrderTerms
from services.allocation import (
    AllocateOrder,
    AllocateOrders,
    DeallocateOrders,
    LineToAllocate,
    allocate_orders,
    deallocate_orders,
)
from services.bundles import LineQuantity
from services.catalog import save_items, save_locations
from services.desk import Desk
from services.orders import EditOrder, edit_order, finalize_order, place_order, void_order
from services.ports.orders import OrderReference
from services.stock import AdjustedLine, AdjustStock, ReceivedLine, ReceiveStock, adjust_stock, receive_stock
from services.what_if import foresee_orders
from tests.builders import a_catalog, a_key, by_id, everything, lines_now, placed

NUL, SURROGATE = "a\x00b", "a\ud800b"
BAD_CODES = [
    (NUL, "INVALID_CHARACTER"),
    (SURROGATE, "INVALID_CHARACTER"),
    ("", "REQUIRED"),
    (" \t\n", "REQUIRED"),
    ("x" * 101, "TOO_LONG"),
]
BAD_TEXTS = [*BAD_CODES[:2], ("x" * 501, "TOO_LONG")]
BAD_QUANTITIES = [0, -1, 1_000_001, 2**31, 2**63, 2**64, 10**40, -(10**40)]

CHAIR = NewLine(sku=Sku("CHAIR"), quantity=1)
ORDER = NewOrder(channel="SHOP", number="N1", lines=(CHAIR,))


@pytest.fixture
async def order(database, caller):
    """There are chairs, and an order of one."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    return await placed(database, caller, {"CHAIR": 1})


async def problems_of(attempt):
    with pytest.raises(InvalidInput) as refused:
        await attempt
    return [(".".join(problem.path), problem.code) for problem in refused.value.problems]


def bad_orders():
    for code, problem in BAD_CODES:
        yield replace(ORDER, channel=code), ("input.channel", problem)
        yield replace(ORDER, number=code), ("input.number", problem)
        yield replace(ORDER, lines=(CHAIR, replace(CHAIR, sku=code))), ("input.lines.1.sku", problem)
        yield replace(ORDER, terms=OrderTerms(tags=("a", code))), ("input.tags.1", problem)
    for quantity in BAD_QUANTITIES:
        yield replace(ORDER, lines=(replace(CHAIR, quantity=quantity),)), ("input.lines.0.quantity", "OUT_OF_RANGE")
    yield replace(ORDER, lines=()), ("input.lines", "REQUIRED")
    yield replace(ORDER, lines=(CHAIR,) * 2001), ("input.lines", "TOO_MANY")
    yield replace(ORDER, terms=OrderTerms(tags=("a",) * 101)), ("input.tags", "TOO_MANY")
    for priority in (1_000_001, -1_000_001, 2**70):
        yield replace(ORDER, terms=OrderTerms(priority=priority)), ("input.priority", "OUT_OF_RANGE")
    for text, problem in BAD_TEXTS:
        yield replace(ORDER, terms=OrderTerms(customer=Customer(name=text))), ("input.customer.name", problem)
        yield replace(ORDER, terms=OrderTerms(ship_to=Address(postal_code=text))), ("input.shipTo.postalCode", problem)
    for country in ("GBR", "G1", "Ä1", "G"):
        yield (
            replace(ORDER, terms=OrderTerms(ship_to=Address(country_code=country))),
            ("input.shipTo.countryCode", "NOT_A_COUNTRY_CODE"),
        )
    for latitude in (90.1, -91.0, float("nan"), float("inf")):
        yield (
            replace(ORDER, terms=OrderTerms(ship_to=Address(latitude=latitude))),
            ("input.shipTo.latitude", "OUT_OF_RANGE"),
        )
    for year in (1899, 2201):
        yield replace(ORDER, placed_at=datetime(year, 1, 1, tzinfo=UTC)), ("input.placedAt", "OUT_OF_RANGE")
    for amount, problem in (
        (Decimal(-1), "OUT_OF_RANGE"),
        (Decimal("NaN"), "OUT_OF_RANGE"),
        (Decimal("Infinity"), "OUT_OF_RANGE"),
        (Decimal("0." + "1" * 21), "TOO_LONG"),
        (Decimal("1e400000"), "TOO_LONG"),
        (Decimal("1e-400000"), "TOO_LONG"),
    ):
        price = Money(amount=amount, currency_code="GBP")
        yield replace(ORDER, lines=(replace(CHAIR, unit_price=price),)), ("input.lines.0.unitPrice.amount", problem)
    for currency in ("", "GB", "POUND", "G8P", NUL, "\ud800BP"):
        price = Money(amount=Decimal(1), currency_code=currency)
        yield (
            replace(ORDER, lines=(replace(CHAIR, unit_price=price),)),
            ("input.lines.0.unitPrice.currencyCode", "NOT_A_CURRENCY_CODE"),
        )


async def test_a_malformed_order_is_not_placed(database, caller, engine, order):
    before = await everything(engine)

    for new, problem in bad_orders():
        assert await problems_of(place_order(Desk(database), caller, new, a_key())) == [problem], new

    assert await everything(engine) == before


async def test_every_problem_of_an_order_is_found_at_once(database, caller, order):
    lines = (replace(CHAIR, sku=Sku(NUL)), CHAIR, replace(CHAIR, quantity=0))
    new = NewOrder(channel="", number="N1", lines=lines, terms=OrderTerms(priority=10**9))

    assert await problems_of(place_order(Desk(database), caller, new, a_key())) == [
        ("input.channel", "REQUIRED"),
        ("input.lines.0.sku", "INVALID_CHARACTER"),
        ("input.lines.2.quantity", "OUT_OF_RANGE"),
        ("input.priority", "OUT_OF_RANGE"),
    ]


def bad_edits(line):
    for quantity in [quantity for quantity in BAD_QUANTITIES if quantity]:
        yield (
            {"lines": (LineQuantity(line=line, quantity=quantity),)},
            ("input.lines.0.change.quantity", "OUT_OF_RANGE"),
        )
    for quantity in BAD_QUANTITIES:
        yield {"lines": (replace(CHAIR, quantity=quantity),)}, ("input.lines.0.add.quantity", "OUT_OF_RANGE")
    for code, problem in BAD_CODES:
        yield {"lines": (replace(CHAIR, sku=code),)}, ("input.lines.0.add.sku", problem)
        yield {"terms": {"tags": ("a", code)}}, ("input.tags.1", problem)
    twice = (LineQuantity(line=line, quantity=1), LineQuantity(line=line, quantity=2))
    yield {"lines": twice}, ("input.lines.1", "DUPLICATE")
    yield {"lines": (CHAIR,) * 2001}, ("input.lines", "TOO_MANY")
    yield {"terms": {"priority": None}}, ("input.priority", "REQUIRED")
    yield {"terms": {"shipping_policy": None}}, ("input.shippingPolicy", "REQUIRED")
    yield {"terms": {"priority": 2**40}}, ("input.priority", "OUT_OF_RANGE")
    for text, problem in BAD_TEXTS:
        yield {"terms": {"customer": {"email": text}}}, ("input.customer.email", problem)
        yield {"terms": {"ship_to": {"line1": text}}}, ("input.shipTo.line1", problem)
    yield {"terms": {"ship_to": {"country_code": "GBR"}}}, ("input.shipTo.countryCode", "NOT_A_COUNTRY_CODE")
    yield {"terms": {"ship_to": {"longitude": 181.0}}}, ("input.shipTo.longitude", "OUT_OF_RANGE")


async def test_a_malformed_edit_changes_nothing(database, caller, engine, order):
    (line,) = await lines_now(database, order)
    before = await everything(engine)

    for changes, problem in bad_edits(line.id):
        command = EditOrder(order=by_id(order), **changes)
        assert await problems_of(edit_order(Desk(database), caller, command, a_key())) == [problem], changes

    assert await everything(engine) == before


async def test_a_malformed_reference_to_an_order_is_refused_by_every_mutation(database, caller, engine, order):
    before = await everything(engine)

    for code, problem in BAD_CODES:
        reference = OrderReference(channel="SHOP", number=code)
        at = [("input.order.number.number", problem)]
        assert await problems_of(finalize_order(Desk(database), caller, reference, a_key())) == at
        assert await problems_of(void_order(Desk(database), caller, reference, "no", a_key())) == at
        assert await problems_of(edit_order(Desk(database), caller, EditOrder(order=reference), a_key())) == at
        reference = OrderReference(channel=code, number="N1")
        run = AllocateOrders(orders=(AllocateOrder(order=reference),))
        at = [("input.orders.0.order.number.channel", problem)]
        assert await problems_of(allocate_orders(Desk(database), caller, run, a_key())) == at
        assert await problems_of(foresee_orders(database, caller, run)) == at
        back = DeallocateOrders(orders=(by_id(order), reference))
        at = [("input.orders.1.number.channel", problem)]
        assert await problems_of(deallocate_orders(Desk(database), caller, back, a_key())) == at

    assert await everything(engine) == before


async def test_a_malformed_run_allocates_nothing(database, caller, engine, order):
    (line,) = await lines_now(database, order)
    before = await everything(engine)
    one = AllocateOrder(order=by_id(order))

    async def problems(*orders, **more):
        command = AllocateOrders(orders=tuple(orders), **more)
        return await problems_of(allocate_orders(Desk(database), caller, command, a_key()))

    assert await problems() == [("input.orders", "REQUIRED")]
    many = [AllocateOrder(order=by_id(OrderId(number))) for number in range(1001)]
    assert await problems(*many) == [("input.orders", "TOO_MANY")]
    assert await problems(one, locations=()) == [("input.locations", "REQUIRED")]
    for code, problem in BAD_CODES:
        assert await problems(one, locations=("LEEDS", code)) == [("input.locations.1", problem)]
    assert await problems(replace(one, lines=())) == [("input.orders.0.lines", "REQUIRED")]
    for quantity in (0, -1, 2**31, 2**70):
        lines = (LineToAllocate(line=line.id, quantity=quantity),)
        assert await problems(replace(one, lines=lines)) == [("input.orders.0.lines.0.quantity", "OUT_OF_RANGE")]
    lines = (LineToAllocate(line=line.id), LineToAllocate(line=line.id, quantity=1))
    assert await problems(replace(one, lines=lines)) == [("input.orders.0.lines.1", "DUPLICATE")]
    nobody = DeallocateOrders(orders=())
    assert await problems_of(deallocate_orders(Desk(database), caller, nobody, a_key())) == [
        ("input.orders", "REQUIRED")
    ]
    assert await everything(engine) == before


async def test_a_malformed_receipt_receives_nothing(database, caller, engine, order):
    before = await everything(engine)

    async def problems(location="LEEDS", sku="CHAIR", quantity=1, reference=None, times=1):
        lines = (ReceivedLine(sku=sku, quantity=quantity),) * times
        command = ReceiveStock(location=location, lines=lines, reference=reference)
        return await problems_of(receive_stock(Desk(database), caller, command, a_key()))

    for code, problem in BAD_CODES:
        assert await problems(location=code) == [("input.location", problem)]
        assert await problems(sku=code) == [("input.lines.0.sku", problem)]
    for text, problem in BAD_TEXTS:
        assert await problems(reference=text) == [("input.reference", problem)]
    for quantity in (0, -1, 1_000_000_001, 2**31, 2**64, 10**40):
        assert await problems(quantity=quantity) == [("input.lines.0.quantity", "OUT_OF_RANGE")]
    assert await problems(times=0) == [("input.lines", "REQUIRED")]
    assert await problems(times=1001) == [("input.lines", "TOO_MANY")]
    assert await problems(quantity=1_000_000_000, times=1000) == [("input.lines", "OUT_OF_RANGE")]
    assert await everything(engine) == before


async def test_a_malformed_adjustment_adjusts_nothing(database, caller, engine, order):
    before = await everything(engine)

    async def problems(location="LEEDS", times=1, **line):
        lines = (AdjustedLine(**{"sku": "CHAIR"} | line),) * times
        command = AdjustStock(location=location, lines=lines, reason=AdjustmentReason.COUNT)
        return await problems_of(adjust_stock(Desk(database), caller, command, a_key()))

    for code, problem in BAD_CODES:
        assert await problems(location=code, delta=1) == [("input.location", problem)]
        assert await problems(sku=code, delta=1) == [("input.lines.0.sku", problem)]
    for quantity in (-1, 1_000_000_001, 2**64):
        assert await problems(counted=quantity) == [("input.lines.0.change.counted", "OUT_OF_RANGE")]
        assert await problems(delta=1, expected_on_hand=quantity) == [("input.lines.0.expectedOnHand", "OUT_OF_RANGE")]
    for quantity in (1_000_000_001, -1_000_000_001, 2**64):
        assert await problems(delta=quantity) == [("input.lines.0.change.delta", "OUT_OF_RANGE")]
    assert await problems(delta=1, times=0) == [("input.lines", "REQUIRED")]
    assert await problems(delta=1, times=1001) == [("input.lines", "TOO_MANY")]
    assert await problems(delta=1_000_000_000, times=2) == [("input.lines", "OUT_OF_RANGE")]
    assert await everything(engine) == before


async def test_a_void_needs_a_reason(database, caller, engine, order):
    before = await everything(engine)

    for text, problem in [*BAD_TEXTS, ("", "REQUIRED"), ("  ", "REQUIRED")]:
        attempt = void_order(Desk(database), caller, by_id(order), text, a_key())
        assert await problems_of(attempt) == [("input.reason", problem)]

    assert await everything(engine) == before


@pytest.mark.parametrize(("key", "problem"), BAD_CODES, ids=["NUL", "surrogate", "empty", "blank", "long"])
async def test_a_malformed_idempotency_key_is_refused(database, caller, engine, order, key, problem):
    before = await everything(engine)

    assert await problems_of(place_order(Desk(database), caller, ORDER, key)) == [("input.idempotencyKey", problem)]

    assert await everything(engine) == before


async def test_malformed_items_and_locations_are_not_saved(database, engine, caller, order):
    before = await everything(engine)

    async def items(*rows):
        return await problems_of(save_items(database, rows))

    async def locations(*rows):
        return await problems_of(save_locations(database, rows))

    good = {"sku": "LAMP", "name": "Lamp"}
    for code, problem in BAD_CODES:
        assert await items(good, {"sku": code, "name": "x"}) == [("input.items.1.sku", problem)]
        assert await locations({"code": code, "name": "x"}) == [("input.locations.0.code", problem)]
    for text, problem in [*BAD_TEXTS, ("", "REQUIRED"), (None, "REQUIRED")]:
        assert await items({"sku": "x", "name": text}) == [("input.items.0.name", problem)]
        assert await locations({"code": "x", "name": text}) == [("input.locations.0.name", problem)]
    assert await items({"sku": "x", "name": "x", "barcode": "1" * 101}) == [("input.items.0.barcode", "TOO_LONG")]
    assert await items(good, {"sku": " LAMP ", "name": "x"}) == [("input.items.1", "DUPLICATE")]
    assert await items(good | {"barcode": "1"}, {"sku": "x", "name": "x", "barcode": "1 "}) == [
        ("input.items.1", "DUPLICATE")
    ]
    assert await items() == [("input.items", "REQUIRED")]
    assert await locations() == [("input.locations", "REQUIRED")]
    place = {"code": "HULL", "name": "Hull"}
    assert await locations(place, place) == [("input.locations.1", "DUPLICATE")]
    assert await locations(place | {"rank": None}) == [("input.locations.0.rank", "REQUIRED")]
    assert await locations(place | {"kind": None}) == [("input.locations.0.kind", "REQUIRED")]
    assert await locations(place | {"rank": 2**40}) == [("input.locations.0.rank", "OUT_OF_RANGE")]
    assert await locations(place | {"country_code": "GBR"}) == [("input.locations.0.countryCode", "NOT_A_COUNTRY_CODE")]
    assert await locations(place | {"longitude": float("nan")}) == [("input.locations.0.longitude", "OUT_OF_RANGE")]
    assert await everything(engine) == before


async def test_the_largest_order_is_placed(database, caller, order):
    text, code = "ü" * 500, "ü" * 100
    line = NewLine(
        sku=Sku("CHAIR"),
        quantity=1_000_000,
        unit_price=Money(amount=Decimal(12345678901234567890), currency_code="gbp"),
        reference=code,
    )
    terms = OrderTerms(
        priority=1_000_000,
        tags=tuple(str(number) for number in range(100)),
        customer=Customer(name=text, email=text, reference=text),
        ship_to=Address(
            **dict.fromkeys(("name", "line1", "line2", "city", "region", "postal_code"), text),
            country_code="gb",
            latitude=-90.0,
            longitude=180.0,
        ),
    )
    new = NewOrder(channel=code, number=code, lines=(line,) * 2000, terms=terms, placed_at=datetime(2200, 1, 1))  # noqa: DTZ001

    done = await place_order(Desk(database), caller, new, code)

    assert len(await lines_now(database, done.order)) == 2000


async def test_an_unknown_line_of_any_id_is_a_typed_refusal(database, caller, order):
    for line in (0, -1, 2**31, 2**63 - 1):
        command = EditOrder(order=by_id(order), lines=(LineQuantity(line=LineId(line), quantity=1),))
        with pytest.raises(NotFound):
            await edit_order(Desk(database), caller, command, a_key())
    for number in (0, -1, 2**63 - 1):
        with pytest.raises(DomainError):
            await finalize_order(Desk(database), caller, by_id(OrderId(number)), a_key())
