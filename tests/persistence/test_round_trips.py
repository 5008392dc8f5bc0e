"""The number of statements of a batch does not depend on its size."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from domain.automation import AllocationRule
from domain.holding import HoldRule
from domain.ids import Sku
from domain.kinds import AllocateWhen, HoldReason
from domain.money import Money
from domain.orders import Customer, Discount, NewLine, NewOrder, OrderTerms
from services.automation import save_allocation_rules
from services.catalog import save_channels
from services.holds import save_hold_rules
from services.orders import place_orders
from services.payments import expire_unpaid_orders
from services.reservations import expire_reservations
from tests.builders import (
    a_bundle,
    a_catalog,
    allocated,
    counted,
    deallocated,
    edited,
    lines_now,
    placed,
    received,
    released,
    reserved,
    run_out,
    statuses_now,
    voided,
)
from tests.statements import statements

SKUS = [f"S{number:02}" for number in range(20)]
MANY = 50


def said(sent):
    return [statement for statement, _ in sent]


@pytest.fixture
async def stocked(database, caller):
    await a_catalog(database, caller, {(sku, place): 1_000 for sku in SKUS for place in ("LEEDS", "YORK")})
    await placed(database, caller, {SKUS[0]: 1})  # the channel is there


def some_orders(count, lines, prefix):
    new = tuple(NewLine(sku=Sku(sku), quantity=3) for sku in SKUS[:lines])
    return [NewOrder(channel="SHOP", number=f"{prefix}{number}", lines=new) for number in range(count)]


async def place(database, caller, count, lines, prefix):
    done = await database.run(lambda uow: place_orders(uow, caller, some_orders(count, lines, prefix)))
    return [one.order for one in done]


async def test_placing_fifty_orders_of_twenty_lines_takes_as_many_statements_as_one_of_one(
    engine, database, caller, stocked
):
    with statements(engine) as for_one:
        await place(database, caller, 1, 1, "A")
    with statements(engine) as for_many:
        await place(database, caller, MANY, len(SKUS), "B")

    assert said(for_many) == said(for_one)
    assert 5 <= len(for_one) <= 10


async def test_placing_and_allocating_fifty_orders_at_once_takes_as_many_statements_as_one_of_one(
    engine, database, caller, stocked
):
    await save_allocation_rules(database, [AllocationRule(name="all", when=AllocateWhen.AT_ONCE)])
    with statements(engine) as for_one:
        await place(database, caller, 1, 1, "A")
    with statements(engine) as for_many:
        orders = await place(database, caller, MANY, len(SKUS), "B")

    assert set(await statuses_now(database, *orders)) == {"ALLOCATED"}
    assert said(for_many) == said(for_one)
    assert len(for_one) <= 12


async def test_a_run_over_fifty_orders_of_twenty_lines_takes_as_many_statements_as_one_of_one(
    engine, database, caller, stocked
):
    (one,), many = await place(database, caller, 1, 1, "A"), await place(database, caller, MANY, len(SKUS), "B")

    with statements(engine) as for_one:
        await allocated(database, caller, one)
    with statements(engine) as for_many:
        outcomes = await allocated(database, caller, *many)

    assert {outcome.after for outcome in outcomes} == {"ALLOCATED"}
    assert said(for_many) == said(for_one)
    assert len(for_one) <= 13
    with statements(engine) as for_one:
        await deallocated(database, caller, one)
    with statements(engine) as for_many:
        await deallocated(database, caller, *many)
    assert said(for_many) == said(for_one)
    assert len(for_one) <= 15


async def test_a_shortage_of_one_claim_takes_as_many_statements_as_one_of_hundreds(engine, database, caller, stocked):
    (one,), many = await place(database, caller, 1, 1, "A"), await place(database, caller, MANY, len(SKUS), "B")
    await allocated(database, caller, *many[:25])
    await allocated(database, caller, one)
    await allocated(database, caller, *many[25:])

    with statements(engine) as for_many:
        await counted(database, caller, dict.fromkeys(SKUS, 0))
    await received(database, caller, dict.fromkeys(SKUS, 1_000))
    await deallocated(database, caller, *many)
    with statements(engine) as for_one:
        await counted(database, caller, {SKUS[0]: 0})

    assert said(for_many) == said(for_one)
    assert len(for_one) <= 20


async def test_voiding_and_editing_an_order_of_twenty_lines_takes_as_many_statements_as_one_of_one(
    engine, database, caller, stocked
):
    small, large = await placed(database, caller, {SKUS[0]: 2}), await placed(database, caller, dict.fromkeys(SKUS, 2))
    await allocated(database, caller, small, large)
    counts = []

    for order in (small, large):
        quantities = {line.id: 1 for line in await lines_now(database, order)}
        with statements(engine) as edit:
            await edited(database, caller, order, quantities=quantities)
        with statements(engine) as void:
            await voided(database, caller, order)
        counts.append((said(edit), said(void)))

    assert counts[0] == counts[1]


async def test_a_cart_of_twenty_skus_takes_as_many_statements_as_one_of_one_until_it_is_an_order(
    engine, database, caller, stocked
):
    counts = []
    for units in ({SKUS[0]: 3}, dict.fromkeys(SKUS, 3)):
        with statements(engine) as reserve:
            cart = await reserved(database, caller, units)
        with statements(engine) as take_over:
            await placed(database, caller, dict.fromkeys(units, 2), reservation=cart)
        other = await reserved(database, caller, units)
        with statements(engine) as release:
            await released(database, caller, other)
        counts.append((said(reserve), said(take_over), said(release)))

    assert counts[0] == counts[1]
    assert max(map(len, counts[0])) <= 21


async def test_sweeping_fifty_carts_takes_as_many_statements_as_one(engine, database, caller, stocked):
    counts = []
    for count in (1, MANY):
        await run_out(database, *[await reserved(database, caller, {SKUS[0]: 1, SKUS[1]: 1}) for _ in range(count)])
        with statements(engine) as sweep:
            assert await expire_reservations(database)
        counts.append(said(sweep))

    assert counts[0] == counts[1]
    assert not await expire_reservations(database)


async def test_placing_a_bundle_of_twenty_components_takes_one_statement_more_than_placing_an_item(
    engine, database, caller, stocked
):
    await a_bundle(database, "SET", dict.fromkeys(SKUS, 2))
    with statements(engine) as for_an_item:
        await placed(database, caller, {SKUS[0]: 1})
    with statements(engine) as for_a_bundle:
        order = await placed(database, caller, {"SET": 1})
    with statements(engine) as for_many:
        await placed(database, caller, [("SET", 1)] * MANY)

    assert len(await lines_now(database, order)) == len(SKUS)
    assert said(for_many) == said(for_a_bundle)
    assert [one for one in said(for_a_bundle) if "order_bundles (" not in one] == said(for_an_item)
    assert len(for_a_bundle) == len(for_an_item) + 1


async def test_a_run_that_may_use_every_location_writes_nothing_about_locations(engine, database, caller, stocked):
    order = await placed(database, caller, {SKUS[0]: 1})

    with statements(engine) as sent:
        await allocated(database, caller, order)

    assert not [statement for statement in said(sent) if "SET asked_at" in statement]


def priced_orders(count, lines, prefix):
    """With all that a channel says of money, and notes."""
    pounds = Money(amount=Decimal("1.50"), currency_code="GBP")
    new = tuple(
        NewLine(sku=Sku(sku), quantity=3, unit_price=pounds, discount=pounds, tax=pounds, customization_note="blue")
        for sku in SKUS[:lines]
    )
    terms = OrderTerms(
        customer=Customer(email="ann@example.com"),
        shipping_price=pounds,
        tax=pounds,
        discounts=(Discount(amount=pounds),),
    )
    return [NewOrder(channel="SHOP", number=f"{prefix}{number}", lines=new, terms=terms) for number in range(count)]


async def test_an_order_with_prices_and_notes_takes_as_many_statements_as_one_without(
    engine, database, caller, stocked
):
    with statements(engine) as for_plain:
        await place(database, caller, 1, 1, "A")
    with statements(engine) as for_priced:
        await database.run(lambda uow: place_orders(uow, caller, priced_orders(MANY, len(SKUS), "B")))

    assert said(for_priced) == said(for_plain)


async def test_hold_rules_and_payments_take_as_many_statements_for_fifty_orders_as_for_one(
    engine, database, caller, stocked
):
    first_order = Money(amount=Decimal(1), currency_code="GBP")
    rules = [
        HoldRule(name="custom", reason=HoldReason.CUSTOMIZATION, customized=True),
        HoldRule(name="strangers", reason=HoldReason.SUSPECTED_FRAUD, first_order_from=first_order),
    ]
    await save_channels(database, [{"code": "SHOP", "paid_on_arrival": True}])
    with statements(engine) as without_rules:
        await database.run(lambda uow: place_orders(uow, caller, priced_orders(1, 1, "A")))
    await save_hold_rules(database, rules)
    with statements(engine) as for_one:
        await database.run(lambda uow: place_orders(uow, caller, priced_orders(1, 1, "B")))
    with statements(engine) as for_many:
        done = await database.run(lambda uow: place_orders(uow, caller, priced_orders(MANY, len(SKUS), "C")))

    assert said(for_many) == said(for_one)
    assert len(for_one) == len(without_rules) + 2  # who has ordered before, and the holds
    orders = [one.order for one in done]
    held = await database.read(lambda uow: uow.payments.holds_of(orders))
    assert {hold.order for hold in held} == set(orders)


async def test_expiring_fifty_orders_takes_as_many_statements_as_one(engine, database, caller, stocked):
    await save_channels(database, [{"code": "SHOP", "unpaid_orders_expire_after_minutes": 1}])
    counts = []
    for count in (1, MANY):
        done = await database.run(
            lambda uow, count=count: place_orders(uow, caller, priced_orders(count, 3, f"{count}-"))
        )
        await allocated(database, caller, *[one.order for one in done])
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE orders SET finalized_at = now() - interval '1 hour'"))
        with statements(engine) as sweep:
            assert await expire_unpaid_orders(database)
        counts.append(said(sweep))

    assert counts[0] == counts[1]
    assert not await expire_unpaid_orders(database)


async def test_what_a_run_says_tells_nothing_of_payments_and_holds(engine, database, caller, stocked):
    done = await database.run(lambda uow: place_orders(uow, caller, priced_orders(2, 2, "A")))

    with statements(engine) as sent:
        await allocated(database, caller, *[one.order for one in done])

    words = ("payment", "order_holds", "hold_rules", "discount")
    assert [statement for statement in said(sent) if any(word in statement for word in words)] == []
