"""Place, edit, finalize and void, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from domain.errors import (
    InvalidInput,
    NotFound,
    OrderAlreadyPlaced,
    OrderNotInState,
    OrderVersionConflict,
    QuantityAlreadyShipped,
)
from domain.events import AllocationStatusChanged, OrderChanged
from domain.ids import LineId, OrderId, Sku
from domain.kinds import AllocationStatus, OrderChange, OrderStatus, ShippingPolicy
from domain.money import Money
from domain.orders import Address, Customer, NewLine, NewOrder, OrderTerms
from persistence.tables import ended_allocations, order_lines
from services.desk import Desk
from services.orders import EditOrder, OrderDone, edit_order, finalize_order, place_order, place_orders, void_order
from services.ports.orders import OrderReference
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    counted,
    edited,
    events_now,
    everything,
    finalized,
    lines_now,
    order_now,
    placed,
    quantities_now,
    status_now,
    statuses_now,
    voided,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
CHAIRS = {("CHAIR", "LEEDS"): 9, ("TABLE", "LEEDS"): 9}


# ---------------------------------------------------------------- place


async def test_a_placed_order_is_kept_as_it_was_given(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    new = NewOrder(
        channel="EBAY",
        number="A-1",
        lines=(
            NewLine(
                sku=Sku("CHAIR"),
                quantity=2,
                unit_price=Money(amount=Decimal("9.905"), currency_code="GBP"),
                reference="row 1",
            ),
            NewLine(sku=Sku("TABLE"), quantity=1),
        ),
        terms=OrderTerms(
            shipping_policy=ShippingPolicy.SHIP_COMPLETE,
            priority=-3,
            tags=("gift", "vip"),
            customer=Customer(name="Ann", email="ann@example.com"),
            ship_to=Address(city="Leeds", country_code="GB", latitude=53.8),
        ),
        placed_at=datetime(2011, 12, 5, 8, 38, tzinfo=UTC),
    )

    done = await place_order(Desk(database), caller, new, a_key())

    now = await order_now(database, done.order)
    assert (now.channel, now.number, now.status, now.version) == ("EBAY", "A-1", OrderStatus.FINALIZED, 1)
    assert (now.allocation_status, now.shipping_policy, now.priority) == (UNALLOCATED, ShippingPolicy.SHIP_COMPLETE, -3)
    assert (now.tags, now.placed_at) == (new.terms.tags, new.placed_at)
    assert (now.customer, now.ship_to) == (new.terms.customer, new.terms.ship_to)
    lines = await lines_now(database, done.order)
    assert [(line.sku, line.quantity, line.reference) for line in lines] == [("CHAIR", 2, "row 1"), ("TABLE", 1, None)]
    prices = [(line.unit_price, line.currency_code) for line in lines]
    assert prices == [(Decimal("9.905"), "GBP"), (None, None)]
    (event,) = await events_now(engine, OrderChanged)
    assert (event.changes, event.order_version, event.skus) == ((OrderChange.PLACED,), 1, ("CHAIR", "TABLE"))


async def test_text_is_kept_trimmed_and_composed_and_blank_text_is_no_text(database, caller):
    await a_catalog(database, caller, CHAIRS)
    decomposed = "Cafe\u0301"
    new = NewOrder(
        channel=" SHOP ",
        number=f" {decomposed} ",
        lines=(NewLine(sku=Sku(" CHAIR "), quantity=1, reference="  "),),
        terms=OrderTerms(tags=("a", " a "), customer=Customer(name=f" {decomposed}", email=" ")),
    )

    done = await place_order(Desk(database), caller, new, a_key())

    now = await order_now(database, done.order)
    assert (now.channel, now.number, now.tags, now.customer) == (
        "SHOP",
        "Caf\u00e9",
        ("a",),
        Customer(name="Caf\u00e9"),
    )
    assert [line.reference for line in await lines_now(database, done.order)] == [None]
    by_the_decomposed_name = OrderReference(channel="SHOP", number=decomposed)
    voided = await void_order(Desk(database), caller, by_the_decomposed_name, "no", a_key())
    assert voided == done


async def test_an_order_without_a_time_is_placed_now_by_the_databases_clock(database, caller):
    await a_catalog(database, caller, CHAIRS)

    order = await placed(database, caller, {"CHAIR": 1})

    assert abs((await order_now(database, order)).placed_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_number_is_placed_once_per_channel(database, caller):
    await a_catalog(database, caller, CHAIRS)
    first = await placed(database, caller, {"CHAIR": 1}, number="N1")

    with pytest.raises(OrderAlreadyPlaced) as refused:
        await placed(database, caller, {"TABLE": 3}, number="N1")

    assert refused.value.order == first
    assert await placed(database, caller, {"CHAIR": 1}, number="N1", channel="EBAY") != first


async def test_of_many_who_place_one_number_at_once_one_places_it_and_the_others_are_told(database, caller):
    await a_catalog(database, caller, CHAIRS)
    new = NewOrder(channel="SHOP", number="N1", lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))

    answers = await asyncio.gather(
        *(place_order(Desk(database), caller, new, a_key()) for _ in range(20)), return_exceptions=True
    )

    (done,) = [answer for answer in answers if isinstance(answer, OrderDone)]
    refusals = [answer for answer in answers if isinstance(answer, OrderAlreadyPlaced)]
    assert len(refusals) == 19
    assert {refusal.order for refusal in refusals} == {done.order}


async def test_unknown_skus_are_all_named_and_nothing_is_written(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    before = await everything(engine)

    with pytest.raises(NotFound) as refused:
        await placed(database, caller, [("X", 1), ("CHAIR", 1), ("Y", 1), ("X", 2)], channel="NEW")

    assert refused.value.references == ("X", "Y")
    assert await everything(engine) == before


async def test_orders_of_a_batch_have_their_own_outcomes(database, caller):
    await a_catalog(database, caller, CHAIRS)
    before = await placed(database, caller, {"CHAIR": 1}, number="N1")
    batch = [
        NewOrder(channel="SHOP", number=number, lines=(NewLine(sku=Sku(sku), quantity=1),))
        for number, sku in (("N1", "CHAIR"), ("N2", "NOTHING"), ("N3", "TABLE"))
    ]

    known, unknown, done = await database.run(lambda uow: place_orders(uow, caller, batch))

    assert isinstance(known, OrderAlreadyPlaced)
    assert known.order == before
    assert isinstance(unknown, NotFound)
    assert isinstance(done, OrderDone)
    assert [line.sku for line in await lines_now(database, done.order)] == ["TABLE"]


# ---------------------------------------------------------------- finalize and void


async def test_c14_a_draft_is_finalized_by_hand_and_only_once(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)

    await finalized(database, caller, order)

    assert (await order_now(database, order)).status is OrderStatus.FINALIZED
    assert (await events_now(engine, OrderChanged))[-1].changes == (OrderChange.FINALIZED,)
    with pytest.raises(OrderNotInState) as refused:
        await finalized(database, caller, order)
    assert refused.value.allowed == (OrderStatus.DRAFT,)


async def test_c6_a_draft_can_be_voided_and_a_void_order_cannot(database, caller):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)
    await voided(database, caller, order)

    with pytest.raises(OrderNotInState) as refused:
        await voided(database, caller, order)

    assert (refused.value.order, refused.value.allowed) == (order, (OrderStatus.DRAFT, OrderStatus.FINALIZED))
    assert [(line.quantity, line.canceled, line.open) for line in await lines_now(database, order)] == [(1, 1, 0)]


async def test_i14_of_many_who_void_one_order_at_once_exactly_one_does(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 3})
    await allocated(database, caller, order)

    answers = await asyncio.gather(*(voided(database, caller, order) for _ in range(12)), return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["OrderNotInState"] * 11
    async with engine.connect() as connection:
        ended = (await connection.execute(select(ended_allocations.c.quantity))).scalars().all()
    assert ended == [3]
    assert (await order_now(database, order)).version == 3


@pytest.mark.parametrize("operation", [finalize_order, void_order])
async def test_an_order_that_nobody_knows_is_neither_finalized_nor_voided(database, caller, operation):
    more = ("a reason",) if operation is void_order else ()

    for reference in (by_id(OrderId(7)), OrderReference(channel="SHOP", number="N7")):
        with pytest.raises(NotFound) as refused:
            await operation(Desk(database), caller, reference, *more, a_key())
        assert refused.value.references == (str(reference),)


# ---------------------------------------------------------------- edit


async def test_c12_shrinking_a_line_gives_back_the_latest_claims_first(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 5})
    order = await placed(database, caller, {"CHAIR": 4})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    await edited(database, caller, order, quantities={line.id: 1})

    assert await status_now(database, order) is ALLOCATED
    assert [claim.quantity for claim in await claims_now(database, order)] == [1]
    assert await quantities_now(database, "CHAIR", "LEEDS") == (2, 1, 1, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (5, 0, 5, 0)
    async with engine.connect() as connection:
        columns = select(ended_allocations.c.quantity, ended_allocations.c.reason).order_by(ended_allocations.c.id)
        assert [tuple(row) for row in await connection.execute(columns)] == [(2, "EDITED"), (1, "EDITED")]


async def test_quantity_zero_cancels_a_line_and_leaves_its_quantity_readable(database, caller):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 4, "TABLE": 1})
    await allocated(database, caller, order)
    chair, table = await lines_now(database, order)

    await edited(database, caller, order, quantities={chair.id: 0})

    now = await lines_now(database, order)
    assert [(line.quantity, line.canceled, line.allocated) for line in now] == [(4, 4, 0), (1, 0, 1)]
    assert await status_now(database, order) is ALLOCATED
    await edited(database, caller, order, quantities={table.id: 0})
    assert await status_now(database, order) is None
    await edited(database, caller, order, quantities={chair.id: 2})
    assert [(line.quantity, line.canceled) for line in await lines_now(database, order)] == [(2, 0), (1, 1)]
    assert await status_now(database, order) is UNALLOCATED


async def test_a_line_that_grew_waits_for_a_run_to_look_at_it(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)
    assert await status_now(database, order) is COULD_NOT
    (line,) = await lines_now(database, order)

    await edited(database, caller, order, quantities={line.id: 2})
    assert await status_now(database, order) is UNALLOCATED

    await allocated(database, caller, order)
    await edited(database, caller, order, quantities={line.id: 1})
    assert await status_now(database, order) is COULD_NOT


async def test_added_lines_follow_the_others_and_terms_that_are_not_named_stay(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 1}, priority=4)

    await edited(database, caller, order, added={"TABLE": 2}, tags=("new",), customer={"name": "Ann"})
    await edited(database, caller, order, customer={"email": "ann@example.com"})

    now = await order_now(database, order)
    assert (now.priority, now.tags, now.version) == (4, ("new",), 3)
    assert now.customer == Customer(name="Ann", email="ann@example.com")
    async with engine.connect() as connection:
        columns = select(order_lines.c.position, order_lines.c.quantity).order_by(order_lines.c.position)
        assert [tuple(row) for row in await connection.execute(columns)] == [(0, 1), (1, 2)]
    await edited(database, caller, order, customer=None)
    assert (await order_now(database, order)).customer is None
    assert (await events_now(engine, OrderChanged))[-1].changes == (OrderChange.EDITED,)


async def test_an_edit_of_an_older_version_is_refused(database, caller):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    with pytest.raises(OrderVersionConflict) as refused:
        await edit_order(Desk(database), caller, EditOrder(order=by_id(order), expected_version=1), a_key())

    assert refused.value.order == order
    await edit_order(Desk(database), caller, EditOrder(order=by_id(order), expected_version=2), a_key())


async def test_lines_of_other_orders_and_unknown_skus_are_not_found(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    order, other = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    (line,) = await lines_now(database, other)
    before = await everything(engine)

    with pytest.raises(NotFound) as refused:
        await edited(database, caller, order, quantities={line.id: 2, LineId(987_654): 1})
    assert refused.value.references == (line.id, 987_654)
    with pytest.raises(NotFound) as refused:
        await edited(database, caller, order, added={"NOTHING": 2})
    assert refused.value.references == ("NOTHING",)
    assert await everything(engine) == before


async def test_a_void_order_cannot_be_edited(database, caller):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 1})
    await voided(database, caller, order)

    with pytest.raises(OrderNotInState) as refused:
        await edited(database, caller, order, priority=1)

    assert refused.value.allowed == (OrderStatus.DRAFT, OrderStatus.FINALIZED)


@pytest.mark.breaks_invariants
async def test_a_line_does_not_fall_below_what_was_shipped(database, caller, engine):
    await a_catalog(database, caller, CHAIRS)
    order = await placed(database, caller, {"CHAIR": 5})
    async with engine.begin() as connection:  # nothing ships yet
        await connection.execute(order_lines.update().values(shipped=2, dropshipped=1))
    (line,) = await lines_now(database, order)

    with pytest.raises(QuantityAlreadyShipped) as refused:
        await edited(database, caller, order, quantities={line.id: 2})

    assert (refused.value.order, refused.value.lines) == (order, (line.id,))
    await edited(database, caller, order, quantities={line.id: 3})


async def test_editing_an_overallocated_line_down_lifts_its_flag(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    strong, weak = await placed(database, caller, {"CHAIR": 1}), await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, strong, weak)
    await counted(database, caller, {"CHAIR": 2})
    (line,) = await lines_now(database, weak)

    await edited(database, caller, weak, quantities={line.id: 1})

    assert await statuses_now(database, strong, weak) == [ALLOCATED, ALLOCATED]
    assert await quantities_now(database, "CHAIR") == (2, 2, 0, 0)
    assert [event.order_id for event in await events_now(engine, AllocationStatusChanged)] == [strong, weak, weak, weak]


async def test_editing_the_strong_order_down_lifts_the_flag_of_the_weak_one(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    strong, weak = await placed(database, caller, {"CHAIR": 2}), await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, strong, weak)
    await counted(database, caller, {"CHAIR": 2})
    (line,) = await lines_now(database, strong)

    await edited(database, caller, strong, quantities={line.id: 1})

    assert await statuses_now(database, strong, weak) == [ALLOCATED, ALLOCATED]


async def test_an_order_does_not_grow_beyond_two_thousand_lines(database, caller, engine):
    skus = [f"S{number:04}" for number in range(1001)]
    await a_catalog(database, caller, {(sku, "LEEDS"): 0 for sku in skus[:1000]})
    await a_catalog(database, caller, {(sku, "LEEDS"): 0 for sku in skus[1000:]})
    order = await placed(database, caller, [(sku, 1) for sku in [*skus, *skus[:999]]])
    before = await everything(engine)

    with pytest.raises(InvalidInput) as refused:
        await edited(database, caller, order, added={"S0000": 1})

    assert [(problem.path, problem.code) for problem in refused.value.problems] == [(("input", "lines"), "TOO_MANY")]
    assert await everything(engine) == before


async def test_an_order_does_not_grow_beyond_the_skus_of_a_batch(database, caller):
    skus = [f"S{number:04}" for number in range(2001)]
    for start in (0, 1000, 2000):
        await a_catalog(database, caller, {(sku, "LEEDS"): 0 for sku in skus[start : start + 1000]})
    order = await placed(database, caller, dict.fromkeys(skus[:2000], 1))

    with pytest.raises(InvalidInput):
        await edited(database, caller, order, added={"S2000": 1})
