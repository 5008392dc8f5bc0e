"""Bundles: a SKU that is made of components, which are ordered, set aside and given back with it."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select

from domain.automation import AllocationRule
from domain.errors import InsufficientStock, InvalidInput, NotFound
from domain.ids import BundleId, OrderId, Sku
from domain.kinds import AllocateWhen, AllocationStatus, NotTakenReason, OrderStatus, ShippingPolicy
from domain.money import Money
from domain.orders import NewLine, NewOrder
from domain.stock import Component
from persistence.tables import order_bundles
from services.allocation import AllocateOrder, AllocateOrders, LineToAllocate, allocate_orders
from services.automation import save_allocation_rules
from services.bundles import BundleQuantity, LineQuantity
from services.catalog import save_items
from services.desk import Desk
from services.explaining import explanations
from services.orders import EditOrder, edit_order, place_order, place_orders
from services.ports.orders import OrderFilter, OrderSort
from services.splitting import SplitLine, SplitOrder, split_order
from tests.builders import (
    a_bundle,
    a_catalog,
    a_key,
    allocated,
    by_id,
    cart_now,
    clock,
    counted,
    counted_then,
    deallocated,
    everything,
    expected,
    finalized,
    lines_now,
    placed,
    quantities_now,
    received,
    reserved,
    sent,
    status_now,
    statuses_now,
    voided,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


@pytest.fixture
async def shop(database, caller):
    """A dining set is four chairs and a table; there are chairs for two, and tables for three."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("TABLE", "LEEDS"): 2, ("TABLE", "YORK"): 1})
    await a_bundle(database, "SET", {"CHAIR": 4, "TABLE": 1})


async def units(database, order):
    """SKU, quantity and allocated of every line."""
    return [(line.sku, line.quantity, line.allocated) for line in await lines_now(database, order)]


async def bundle_of(database, order) -> BundleId:
    (bundle,) = {line.bundle for line in await lines_now(database, order)} - {None}
    return bundle


async def edit(database, caller, order, *lines):
    await edit_order(Desk(database), caller, EditOrder(order=by_id(order), lines=lines), a_key())


async def problems(awaited):
    with pytest.raises(InvalidInput) as refused:
        await awaited
    return [(".".join(problem.path), problem.code) for problem in refused.value.problems]


# ---------------------------------------------------------------- what a bundle is made of


async def item(database, sku):
    ids = await database.read(lambda uow: uow.catalog.items_by_sku([sku]))
    (found,) = await database.read(lambda uow: uow.catalog.items([ids[sku]]))
    return found


async def test_an_item_is_made_of_components_until_they_are_cleared(database, shop):
    ids = await database.read(lambda uow: uow.catalog.items_by_sku(["CHAIR", "TABLE"]))

    made_of = (Component(ids["CHAIR"], "CHAIR", 4), Component(ids["TABLE"], "TABLE", 1))
    assert (await item(database, "SET")).components == made_of
    await save_items(database, [{"sku": "SET", "name": "Dining set"}])
    assert (await item(database, "SET")).components == made_of
    await save_items(database, [{"sku": "SET", "components": None}])
    assert (await item(database, "SET")).components == ()


async def test_components_may_be_created_in_the_same_call(database):
    rows = [
        {"sku": "SET", "name": "Set", "components": [("CUP", 6), ("POT", 1)]},
        {"sku": "CUP", "name": "Cup"},
        {"sku": "POT", "name": "Pot"},
    ]

    await save_items(database, rows)

    assert [(one.sku, one.units) for one in (await item(database, "SET")).components] == [("CUP", 6), ("POT", 1)]


async def test_what_cannot_be_a_bundle_is_refused_and_nothing_is_saved(database, caller, engine, shop):
    await save_items(database, [{"sku": sku, "name": sku} for sku in ("A", "B", "LATER")])
    await expected(database, caller, {"LATER": 1})
    before = await everything(engine)

    async def refused(sku, *components):
        rows = [{"sku": "NEW", "name": "New"}, {"sku": sku, "name": sku, "components": list(components)}]
        return await problems(save_items(database, rows))

    at = "input.items.1.components"
    assert await refused("A", ("NOTHING", 1)) == [(f"{at}.0.sku", "UNKNOWN")]
    assert await refused("A", ("A", 1)) == [(f"{at}.0.sku", "NOT_ALLOWED")]
    assert await refused("A", ("B", 1), (" B ", 1)) == [(f"{at}.1", "DUPLICATE")]
    assert await refused("A", ("B", 0)) == [(f"{at}.0.units", "OUT_OF_RANGE")]
    assert await refused("A", ("B", 10_001)) == [(f"{at}.0.units", "OUT_OF_RANGE")]
    assert await refused("A", *((f"C{number}", 1) for number in range(101))) == [(at, "TOO_MANY")]
    assert await refused("A", ("SET", 1)) == [(at, "NOT_ALLOWED")]
    assert await refused("CHAIR", ("B", 1)) == [(at, "HAS_STOCK"), (at, "NOT_ALLOWED")]
    assert await refused("LATER", ("B", 1)) == [(at, "HAS_STOCK")]
    rows = [{"sku": "A", "components": [("B", 1)]}, {"sku": "B", "components": [("TABLE", 1)]}]
    assert await problems(save_items(database, rows)) == [
        ("input.items.0.components", "NOT_ALLOWED"),
        ("input.items.1.components", "NOT_ALLOWED"),
    ]
    assert await everything(engine) == before


async def test_of_two_calls_that_would_put_a_bundle_into_a_bundle_one_is_refused(database):
    pairs = [(f"OUTER{number}", f"INNER{number}") for number in range(8)]
    names = [sku for pair in pairs for sku in pair]
    await save_items(database, [{"sku": sku, "name": sku} for sku in (*names, "SCREW")])

    async def both(outer, inner):
        calls = a_bundle(database, outer, {inner: 1}), a_bundle(database, inner, {"SCREW": 1})
        return await asyncio.gather(*calls, return_exceptions=True)

    for answers in await asyncio.gather(*(both(*pair) for pair in pairs)):
        assert sorted(type(answer).__name__ for answer in answers) == ["InvalidInput", "NoneType"]


async def test_a_bundle_has_no_stock_of_its_own(database, caller, engine, shop):
    before = await everything(engine)
    refused = [("input.lines.0.sku", "BUNDLE")]

    assert await problems(received(database, caller, {"SET": 1})) == refused
    assert await problems(counted(database, caller, {"SET": 1})) == refused
    assert await problems(counted_then(database, caller, await clock(database), {"SET": 1})) == refused
    assert await problems(expected(database, caller, {"SET": 1})) == refused
    assert await problems(sent(database, caller, {"SET": 1})) == refused
    assert await everything(engine) == before


# ---------------------------------------------------------------- ordered


async def test_a_bundle_becomes_a_line_for_each_component_and_keeps_its_price_and_reference(database, caller, shop):
    price = Money(amount=Decimal("99.50"), currency_code="GBP")
    lines = (
        NewLine(sku=Sku("SET"), quantity=2, unit_price=price, reference="row 1"),
        NewLine(sku=Sku("CHAIR"), quantity=1, unit_price=price),
        NewLine(sku=Sku("SET"), quantity=1),
    )
    new = NewOrder(channel="SHOP", number="1", lines=lines)

    order = (await place_order(Desk(database), caller, new, a_key())).order

    first, table, alone, *second = await lines_now(database, order)
    assert await units(database, order) == [
        ("CHAIR", 8, 0),
        ("TABLE", 2, 0),
        ("CHAIR", 1, 0),
        ("CHAIR", 4, 0),
        ("TABLE", 1, 0),
    ]
    assert (first.price, first.reference, first.bundle_units, table.bundle_units) == (None, None, 4, 1)
    assert first.sold_as == table.sold_as
    assert (first.sold_as.sku, first.sold_as.unit_price, first.sold_as.reference) == ("SET", price, "row 1")
    assert (alone.sold_as, alone.bundle, alone.bundle_units, alone.price) == (None, None, 0, price)
    assert {line.bundle for line in second} - {first.bundle} == {second[0].sold_as.id}
    assert second[0].sold_as.unit_price is None


async def test_orders_stay_as_they_were_placed_whatever_becomes_of_the_bundle(database, caller, shop):
    before, plain = [await placed(database, caller, {"SET": 1}) for _ in range(2)]

    await save_items(database, [{"sku": "SET", "components": [("TABLE", 2)]}])
    after = await placed(database, caller, {"SET": 1})
    await save_items(database, [{"sku": "SET", "components": []}])
    await received(database, caller, {"SET": 1})
    plain = await placed(database, caller, {"SET": 1})

    assert await units(database, before) == [("CHAIR", 4, 0), ("TABLE", 1, 0)]
    assert await units(database, after) == [("TABLE", 2, 0)]
    assert await units(database, plain) == [("SET", 1, 0)]


async def test_an_order_is_as_large_as_its_components(database, caller, engine, shop):
    await save_items(database, [{"sku": f"C{number}", "name": "c"} for number in range(100)])
    await a_bundle(database, "BIG", {f"C{number}": 10_000 for number in range(100)})
    draft = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)
    before = await everything(engine)

    assert await problems(placed(database, caller, [("BIG", 1)] * 21)) == [("input.lines", "TOO_MANY")]
    assert await problems(placed(database, caller, [("TABLE", 1), ("SET", 250_001)])) == [
        ("input.lines.1.quantity", "OUT_OF_RANGE")
    ]
    added = [NewLine(sku=Sku("BIG"), quantity=1)] * 20
    assert await problems(edit(database, caller, draft, *added)) == [("input.lines", "TOO_MANY")]
    assert await problems(edit(database, caller, draft, NewLine(sku=Sku("SET"), quantity=250_001))) == [
        ("input.lines.0.add.quantity", "OUT_OF_RANGE")
    ]
    assert await everything(engine) == before
    assert len(await lines_now(database, await placed(database, caller, [("BIG", 1)] * 20))) == 2_000


async def test_orders_are_found_by_the_bundle_and_by_its_components(database, caller, shop):
    both, chair = await placed(database, caller, {"SET": 1}), await placed(database, caller, {"CHAIR": 1})

    async def found(*skus):
        condition = OrderFilter(skus=skus)
        page = await database.read(lambda uow: uow.orders.page(condition, OrderSort.PLACED_AT_ASC, 9, None))
        return {order.id for order in page}

    assert await found("SET") == {both}
    assert await found("CHAIR") == {both, chair}
    assert await found("SET", "CHAIR") == {both, chair}
    assert await found() == await found("LAMP") == set()


# ---------------------------------------------------------------- edited


async def test_a_bundle_is_added_changed_and_canceled_as_one(database, caller, engine, shop):
    order = await placed(database, caller, {"CHAIR": 1})
    await edit(database, caller, order, NewLine(sku=Sku("SET"), quantity=2))
    await allocated(database, caller, order)
    assert await units(database, order) == [("CHAIR", 1, 1), ("CHAIR", 8, 8), ("TABLE", 2, 2)]
    bundle = await bundle_of(database, order)

    await edit(database, caller, order, BundleQuantity(bundle=bundle, quantity=1))

    assert await units(database, order) == [("CHAIR", 1, 1), ("CHAIR", 4, 4), ("TABLE", 1, 1)]
    assert (await quantities_now(database, "CHAIR"))[1] == 5
    await edit(database, caller, order, BundleQuantity(bundle=bundle, quantity=0))
    assert await units(database, order) == [("CHAIR", 1, 1), ("CHAIR", 4, 0), ("TABLE", 1, 0)]
    assert [line.open for line in await lines_now(database, order)] == [1, 0, 0]
    assert await status_now(database, order) is ALLOCATED
    async with engine.connect() as connection:
        assert len((await connection.execute(select(order_bundles))).all()) == 1


async def test_what_an_edit_adds_of_a_bundle_is_asked_for_as_whole_bundles(database, caller, shop):
    order = await placed(database, caller, {"SET": 1})
    await allocated(database, caller, order)

    await edit(database, caller, order, BundleQuantity(bundle=await bundle_of(database, order), quantity=3))

    assert await units(database, order) == [("CHAIR", 12, 8), ("TABLE", 3, 2)]
    assert await status_now(database, order) is PARTIALLY


async def test_a_component_is_not_changed_alone(database, caller, engine, shop):
    order, other = [await placed(database, caller, {"SET": 1}) for _ in range(2)]
    (line, _), bundle = await lines_now(database, order), await bundle_of(database, other)
    before = await everything(engine)

    alone = LineQuantity(line=line.id, quantity=8)
    assert await problems(edit(database, caller, order, alone)) == [("input.lines.0.change.line", "BUNDLE")]
    own = BundleQuantity(bundle=await bundle_of(database, order), quantity=1)
    assert await problems(edit(database, caller, order, own, own)) == [("input.lines.1", "DUPLICATE")]
    too_many = BundleQuantity(bundle=own.bundle, quantity=250_001)
    at = "input.lines.0.changeBundle.quantity"
    assert await problems(edit(database, caller, order, too_many)) == [(at, "OUT_OF_RANGE")]
    with pytest.raises(NotFound) as refused:
        await edit(database, caller, order, BundleQuantity(bundle=bundle, quantity=1, given="that one"))
    assert refused.value.references == ("that one",)
    assert await everything(engine) == before


# ---------------------------------------------------------------- allocated


async def test_of_a_bundle_only_whole_ones_are_set_aside_and_the_rest_stays_for_others(database, caller, shop):
    large, small = await placed(database, caller, {"SET": 3}), await placed(database, caller, {"CHAIR": 1})

    large_one, _ = await allocated(database, caller, large, small)

    assert [(line.quantity, line.allocated) for line in large_one.lines] == [(12, 8), (3, 2)]
    assert await units(database, large) == [("CHAIR", 12, 8), ("TABLE", 3, 2)]
    assert await statuses_now(database, large, small) == [PARTIALLY, ALLOCATED]
    assert await quantities_now(database, "CHAIR") == (9, 9, 0, 0)
    await received(database, caller, {"CHAIR": 4})
    await allocated(database, caller, large)
    assert await status_now(database, large) is ALLOCATED


async def test_without_one_component_nothing_of_a_bundle_is_set_aside(database, caller, shop):
    await counted(database, caller, {"TABLE": 0})
    await counted(database, caller, {"TABLE": 0}, location="YORK")
    order = await placed(database, caller, {"SET": 2})

    await allocated(database, caller, order)

    assert await units(database, order) == [("CHAIR", 8, 0), ("TABLE", 2, 0)]
    assert await status_now(database, order) is COULD_NOT
    (told,) = await database.read(lambda uow: explanations(uow, [order]))
    assert told.lines[0].candidates[0].reason is NotTakenReason.BUNDLE_INCOMPLETE


async def test_a_bundle_in_an_order_that_ships_complete_comes_with_everything_or_not_at_all(database, caller, shop):
    order = await placed(database, caller, {"SET": 3}, policy=ShippingPolicy.SHIP_COMPLETE)

    await allocated(database, caller, order)

    assert await units(database, order) == [("CHAIR", 12, 0), ("TABLE", 3, 0)]


async def test_who_names_lines_gets_them_as_they_are(database, caller, shop):
    order = await placed(database, caller, {"SET": 3})
    chairs, _ = await lines_now(database, order)
    lines = (LineToAllocate(line=chairs.id),)
    command = AllocateOrders(orders=(AllocateOrder(order=by_id(order), lines=lines),))

    await allocate_orders(Desk(database), caller, command, a_key())

    assert await units(database, order) == [("CHAIR", 12, 9), ("TABLE", 3, 0)]
    await allocated(database, caller, order)
    assert await units(database, order) == [("CHAIR", 12, 9), ("TABLE", 3, 2)]


async def test_an_overallocated_bundle_starts_over_with_whole_ones(database, caller, shop):
    order = await placed(database, caller, {"SET": 2})
    await allocated(database, caller, order)
    await counted(database, caller, {"CHAIR": 7})
    assert await status_now(database, order) is OVERALLOCATED

    await allocated(database, caller, order)

    assert await units(database, order) == [("CHAIR", 8, 4), ("TABLE", 2, 1)]


async def test_deallocating_and_voiding_give_every_component_back(database, caller, shop):
    orders = [await placed(database, caller, {"SET": 1}) for _ in range(2)]
    await allocated(database, caller, *orders)

    await deallocated(database, caller, orders[0])
    await voided(database, caller, orders[1])

    assert await statuses_now(database, *orders) == [UNALLOCATED, None]
    assert [(await quantities_now(database, sku))[1] for sku in ("CHAIR", "TABLE")] == [0, 0]


# ---------------------------------------------------------------- split


async def test_a_split_leaves_both_orders_with_the_same_bundle(database, caller, shop):
    order = await placed(database, caller, {"SET": 2})
    await allocated(database, caller, order)
    chairs, table = await lines_now(database, order)
    halves = tuple(SplitLine(line=line.id, quantity=line.bundle_units) for line in (chairs, table))

    done = await split_order(Desk(database), caller, SplitOrder(order=by_id(order), lines=halves), a_key())

    assert await units(database, done.order) == await units(database, done.split) == [("CHAIR", 4, 4), ("TABLE", 1, 1)]
    lines = [*await lines_now(database, done.order), *await lines_now(database, done.split)]
    assert {line.bundle for line in lines} == {chairs.bundle}
    assert [line.bundle_units for line in lines] == [4, 1, 4, 1]


async def test_what_is_ready_of_a_bundle_are_whole_ones(database, caller, shop):
    order = await placed(database, caller, {"SET": 2})
    await allocated(database, caller, order)
    await counted(database, caller, {"CHAIR": 6})

    done = await split_order(Desk(database), caller, SplitOrder(order=by_id(order), allocated=True), a_key())

    assert await units(database, done.split) == [("CHAIR", 4, 4), ("TABLE", 1, 1)]


async def test_a_component_that_a_split_left_alone_is_still_served(database, caller, shop):
    order = await placed(database, caller, {"SET": 2})
    chairs, _ = await lines_now(database, order)
    lines = (SplitLine(line=chairs.id, quantity=6),)
    done = await split_order(Desk(database), caller, SplitOrder(order=by_id(order), lines=lines), a_key())

    await allocated(database, caller, done.order, done.split)

    assert await units(database, done.order) == [("CHAIR", 2, 2), ("TABLE", 2, 2)]
    assert await units(database, done.split) == [("CHAIR", 6, 6)]


# ---------------------------------------------------------------- carts


async def test_a_cart_reserves_the_components_of_a_bundle_and_an_order_of_it_takes_them_over(database, caller, shop):
    cart = await reserved(database, caller, {"SET": 2, "CHAIR": 1})
    _, lines = await cart_now(database, cart)
    assert [(line.sku, line.quantity) for line in lines] == [("CHAIR", 9), ("TABLE", 2)]

    order = await placed(database, caller, {"SET": 2}, reservation=cart)

    assert await units(database, order) == [("CHAIR", 8, 8), ("TABLE", 2, 2)]
    assert (await quantities_now(database, "CHAIR"))[1] == 8


async def test_a_cart_gets_all_of_a_bundle_or_nothing(database, caller, engine, shop):
    before = await everything(engine)

    with pytest.raises(InsufficientStock) as refused:
        await reserved(database, caller, {"SET": 3})

    assert [(one.sku, one.requested, one.available) for one in refused.value.shortages] == [("CHAIR", 12, 9)]
    await a_bundle(database, "BOX", {"CHAIR": 10_000})
    assert await problems(reserved(database, caller, {"BOX": 1_000_000})) == [("input.lines", "OUT_OF_RANGE")]
    after = await everything(engine)
    assert {name for name in before if after[name] != before[name]} == {"items", "idempotency_keys"}


# ---------------------------------------------------------------- what a bundle is worth


async def test_rules_count_a_bundle_at_its_price(database, caller, shop):
    gbp = Money(amount=Decimal(150), currency_code="GBP")
    rule = AllocationRule(name="rich", when=AllocateWhen.AT_ONCE, value_from=gbp)
    await save_allocation_rules(database, [rule])
    price = Money(amount=Decimal(80), currency_code="GBP")
    desk = Desk(database)

    async def a_set(number, quantity, status) -> OrderId:
        lines = (NewLine(sku=Sku("SET"), quantity=quantity, unit_price=price),)
        new = NewOrder(channel="SHOP", number=number, lines=lines, status=status)
        return (await place_order(desk, caller, new, a_key())).order

    poor, poor_draft = await a_set("1", 1, OrderStatus.FINALIZED), await a_set("2", 1, OrderStatus.DRAFT)
    await finalized(database, caller, poor_draft)
    assert await statuses_now(database, poor, poor_draft) == [UNALLOCATED, UNALLOCATED]
    rich = await a_set("3", 2, OrderStatus.FINALIZED)
    assert await status_now(database, rich) is ALLOCATED
    await voided(database, caller, rich)
    rich_draft = await a_set("4", 1, OrderStatus.DRAFT)
    await edit(database, caller, rich_draft, BundleQuantity(bundle=await bundle_of(database, rich_draft), quantity=2))
    await finalized(database, caller, rich_draft)
    assert await status_now(database, rich_draft) is ALLOCATED
    worth = await database.read(lambda uow: uow.orders.values([poor, rich, rich_draft]))
    assert worth == {poor: {"GBP": 80}, rich: {"GBP": 0}, rich_draft: {"GBP": 160}}


async def test_an_imported_order_that_is_too_large_is_answered_with_what_is_wrong(database, caller, shop):
    lines = (NewLine(sku=Sku("SET"), quantity=1_000_000),)
    new = NewOrder(channel="SHOP", number="1", lines=lines)

    (answer,) = await database.run(lambda uow: place_orders(uow, caller, [new]))

    assert isinstance(answer, InvalidInput)
