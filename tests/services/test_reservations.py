"""Stock reservations: a cart holds units, and either becomes an order without letting go of them, or ends."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from domain.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidInput,
    NotFound,
    OrderAlreadyPlaced,
    ReservationEnded,
)
from domain.events import AllocationStatusChanged, StockLevelChanged
from domain.ids import ReservationId, Sku
from domain.kinds import AllocationCause, AllocationSequence, AllocationStatus, OrderStatus, ReservationState
from domain.orders import NewLine, NewOrder
from persistence.database import PostgresDatabase, connect
from services.catalog import save_channels
from services.desk import Desk
from services.orders import place_order
from services.ports.orders import OrderFilter
from services.ports.reservations import ReservationReference
from services.reservations import (
    ReservedUnits,
    ReserveStock,
    expire_reservations,
    release_reservation,
    reserve_stock,
)
from services.runs import run_waiting_orders
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    cart_by_id,
    cart_now,
    cart_states,
    counted,
    events_now,
    everything,
    lines_now,
    order_now,
    placed,
    quantities_now,
    received,
    released,
    reserved,
    run_out,
    status_now,
    statuses_now,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
ACTIVE, RELEASED, EXPIRED, TAKEN_OVER = ReservationState


async def claims_of(engine) -> list[tuple]:
    """Every claim: id, whether an order has it, units, overallocated, since when."""
    async with engine.connect() as connection:
        columns = "id, line_id IS NOT NULL, quantity, overallocated, allocated_at"
        return [tuple(row) for row in await connection.execute(text(f"SELECT {columns} FROM allocations ORDER BY id"))]  # noqa: S608


async def ended(engine) -> list[tuple[int, str]]:
    """Units of carts that ended, and why."""
    async with engine.connect() as connection:
        rows = "SELECT quantity, reason FROM ended_allocations WHERE reserved_line_id IS NOT NULL ORDER BY id"
        return [tuple(row) for row in await connection.execute(text(rows))]


async def replenished(engine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(text("SELECT count(*) FROM replenished_items"))).scalar_one()


# ---------------------------------------------------------------- reserving


async def test_what_a_cart_reserves_is_committed_and_nobody_else_can_have_it(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})

    cart = await reserved(database, caller, {"CHAIR": 2})

    assert await quantities_now(database, "CHAIR") == (3, 2, 1, 0)
    view, (line,) = await cart_now(database, cart)
    assert (view.state_now, view.order, view.expires_at > view.created_at) == (ACTIVE, None, True)
    assert (line.sku, line.quantity, [units for _, units in line.held]) == ("CHAIR", 2, [2])
    order = await placed(database, caller, {"CHAIR": 2})
    await allocated(database, caller, order)
    assert await status_now(database, order) is PARTIALLY


async def test_a_cart_that_cannot_be_had_in_full_reserves_nothing_and_hears_of_every_shortage(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 1, ("LAMP", "LEEDS"): 9})
    await a_catalog(database, caller, {("TABLE", "LEEDS"): 0})
    await reserved(database, caller, {"CHAIR": 1})
    before = await everything(engine)

    with pytest.raises(InsufficientStock) as refused:
        await reserved(database, caller, {"LAMP": 1, "CHAIR": 4, "TABLE": 1})

    assert [(one.sku, one.location, one.requested, one.on_hand, one.available) for one in refused.value.shortages] == [
        ("CHAIR", None, 4, 3, 2),
        ("TABLE", None, 1, 0, 0),
    ]
    after = await everything(engine)
    assert {name for name in after if after[name] != before[name]} == {"idempotency_keys"}


async def test_locations_are_tried_by_rank_and_only_those_that_are_named(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 5})

    await reserved(database, caller, {"CHAIR": 3})
    assert (await quantities_now(database, "CHAIR", "LEEDS"))[1] == 2
    assert (await quantities_now(database, "CHAIR", "YORK"))[1] == 1

    await reserved(database, caller, {"CHAIR": 2}, locations=("YORK",))
    assert (await quantities_now(database, "CHAIR", "YORK"))[1] == 3
    with pytest.raises(InsufficientStock) as refused:
        await reserved(database, caller, {"CHAIR": 1}, locations=("LEEDS",))
    assert [one.available for one in refused.value.shortages] == [0]


async def test_a_cart_is_served_as_orders_from_its_channel_are(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 3})
    await save_channels(
        database,
        [{"code": "web", "name": "Web", "locations": ["YORK"]}, {"code": "till", "name": "Till", "split_lines": False}],
    )

    await reserved(database, caller, {"CHAIR": 1}, channel="web")
    assert (await quantities_now(database, "CHAIR", "YORK"))[1] == 1

    for channel, short in (("web", (3, 2)), ("till", (5, 2))):
        with pytest.raises(InsufficientStock) as refused:
            await reserved(database, caller, {"CHAIR": 3}, channel=channel)
        assert [(one.on_hand, one.available) for one in refused.value.shortages] == [short]
    await reserved(database, caller, {"CHAIR": 2}, channel="nobody knows it")


async def test_i13_a_repeated_sku_counts_as_its_sum(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    twice = ReserveStock(
        lines=(ReservedUnits(sku=Sku("CHAIR"), quantity=2), ReservedUnits(sku=Sku(" CHAIR"), quantity=3))
    )

    cart = (await reserve_stock(Desk(database), caller, twice, a_key())).reservation

    _, lines = await cart_now(database, cart)
    assert [(line.sku, line.quantity) for line in lines] == [("CHAIR", 5)]
    with pytest.raises(InsufficientStock):
        await reserve_stock(Desk(database), caller, twice, a_key())


async def test_everything_that_is_wrong_with_the_input_is_said_at_once(database, caller):
    bad = ReserveStock(lines=(ReservedUnits(sku=Sku(""), quantity=0),), locations=("",), expires_in_seconds=86_401)

    with pytest.raises(InvalidInput) as refused:
        await reserve_stock(Desk(database), caller, bad, a_key())

    assert [(".".join(one.path), one.code) for one in refused.value.problems] == [
        ("input.lines.0.sku", "REQUIRED"),
        ("input.lines.0.quantity", "OUT_OF_RANGE"),
        ("input.locations.0", "REQUIRED"),
        ("input.expiresInSeconds", "OUT_OF_RANGE"),
    ]


async def test_unknown_names_are_refused(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    with pytest.raises(NotFound) as refused:
        await reserved(database, caller, {"CHAIR": 1, "SOFA": 1})
    assert refused.value.references == ("SOFA",)
    with pytest.raises(InvalidInput):
        await reserved(database, caller, {"CHAIR": 1}, locations=("NOWHERE",))
    with pytest.raises(NotFound):
        await released(database, caller, ReservationId(77))
    with pytest.raises(NotFound) as refused:
        await placed(database, caller, {"SOFA": 1}, reservation=ReservationId(77))
    assert refused.value.references == ("SOFA", "StockReservation:77")


async def test_i7_the_same_key_reserves_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    carts = await asyncio.gather(*(reserved(database, caller, {"CHAIR": 2}, key="once") for _ in range(20)))

    assert len(set(carts)) == 1
    assert (await quantities_now(database, "CHAIR"))[1] == 2
    with pytest.raises(IdempotencyKeyReused):
        await reserved(database, caller, {"CHAIR": 1}, key="once")


# ---------------------------------------------------------------- releasing


async def test_what_is_released_is_available_again_and_offered_to_who_waits(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    waiting = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, waiting)
    assert await status_now(database, waiting) is COULD_NOT
    await run_waiting_orders(database, caller)

    await released(database, caller, cart)

    view, (line,) = await cart_now(database, cart)
    assert (view.state_now, line.quantity, line.held) == (RELEASED, 2, ())
    assert await ended(engine) == [(2, "RELEASED")]
    assert await run_waiting_orders(database, caller) == 1
    assert await status_now(database, waiting) is ALLOCATED


async def test_a_reservation_is_released_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    await released(database, caller, cart, key="r")

    await released(database, caller, cart, key="r")
    with pytest.raises(ReservationEnded) as refused:
        await released(database, caller, cart)

    assert (refused.value.reservation, refused.value.state) == (cart, RELEASED)
    assert await quantities_now(database, "CHAIR") == (2, 0, 2, 0)


# ---------------------------------------------------------------- becoming an order


async def test_a_cart_that_becomes_an_order_does_not_let_go_of_its_units(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 2, ("LAMP", "YORK"): 1})
    cart = await reserved(database, caller, {"CHAIR": 3, "LAMP": 1})
    held, levels = await claims_of(engine), len(await events_now(engine, StockLevelChanged))

    order = await placed(database, caller, {"LAMP": 1, "CHAIR": 3}, reservation=cart)

    assert await claims_of(engine) == [(number, True, *rest) for number, _, *rest in held]
    assert len(await events_now(engine, StockLevelChanged)) == levels
    assert [(line.sku, line.allocated, line.looked_at) for line in await lines_now(database, order)] == [
        ("LAMP", 1, True),
        ("CHAIR", 3, True),
    ]
    view, lines = await cart_now(database, cart)
    assert (view.state_now, view.order, [line.held for line in lines]) == (TAKEN_OVER, order, [(), ()])
    (moved,) = await events_now(engine, AllocationStatusChanged)
    assert (moved.before, moved.after, moved.locations) == (UNALLOCATED, ALLOCATED, ("LEEDS", "YORK"))
    assert moved.cause is AllocationCause.STOCK_RESERVATION
    assert (await order_now(database, order)).version == 1


async def test_what_the_order_does_not_want_is_given_back_and_what_it_wants_beyond_waits(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("LAMP", "LEEDS"): 9, ("TABLE", "LEEDS"): 9})
    cart = await reserved(database, caller, {"CHAIR": 5, "LAMP": 2, "TABLE": 2})

    order = await placed(database, caller, [("CHAIR", 1), ("TABLE", 4), ("CHAIR", 2)], reservation=cart)

    assert [(line.sku, line.allocated, line.looked_at) for line in await lines_now(database, order)] == [
        ("CHAIR", 1, True),
        ("TABLE", 2, True),
        ("CHAIR", 2, True),
    ]
    assert await status_now(database, order) is PARTIALLY
    assert sorted(await ended(engine)) == [(2, "RELEASED"), (2, "RELEASED")]
    assert (await quantities_now(database, "CHAIR"))[1] == 3
    assert (await quantities_now(database, "LAMP"))[1] == 0
    assert await replenished(engine) >= 2


async def test_a_claim_keeps_its_age_when_the_cart_becomes_an_order(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    cart = await reserved(database, caller, {"CHAIR": 2})
    later = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, later)
    order = await placed(database, caller, [("CHAIR", 1), ("CHAIR", 1)], reservation=cart)

    await counted(database, caller, {"CHAIR": 2})

    assert await statuses_now(database, order, later) == [ALLOCATED, OVERALLOCATED]


async def test_an_order_gives_its_priority_to_the_units_of_the_cart(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    first = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, first)
    cart = await reserved(database, caller, {"CHAIR": 1})
    await counted(database, caller, {"CHAIR": 1})
    assert [row[3] for row in await claims_of(engine)] == [0, 1]
    assert await status_now(database, first) is ALLOCATED

    urgent = await placed(database, caller, {"CHAIR": 1}, priority=5, reservation=cart)

    assert await statuses_now(database, first, urgent) == [OVERALLOCATED, ALLOCATED]
    (*_, weaker) = [one for one in await events_now(engine, AllocationStatusChanged) if one.order_id == first]
    assert weaker.cause is AllocationCause.STOCK_RESERVATION


async def test_a_cart_that_lost_its_stock_becomes_an_overallocated_order(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    await counted(database, caller, {"CHAIR": 1})

    order = await placed(database, caller, {"CHAIR": 2}, reservation=cart)

    assert await status_now(database, order) is OVERALLOCATED
    assert await quantities_now(database, "CHAIR") == (1, 2, 0, 1)


async def test_i11_a_cart_becomes_one_order(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 1})
    order = await placed(database, caller, {"CHAIR": 1}, number="1", reservation=cart, key="p")

    assert await placed(database, caller, {"CHAIR": 1}, number="1", reservation=cart, key="p") == order
    with pytest.raises(ReservationEnded) as refused:
        await placed(database, caller, {"CHAIR": 1}, number="2", reservation=cart)
    with pytest.raises(OrderAlreadyPlaced):
        await placed(database, caller, {"CHAIR": 1}, number="1", reservation=cart)
    with pytest.raises(ReservationEnded):
        await released(database, caller, cart)

    assert refused.value.state is TAKEN_OVER
    assert refused.value.message == "The stock reservation has become an order already, and its units went there."
    oldest = OrderFilter(), AllocationSequence.PLACED_AT_ASC
    assert await database.read(lambda uow: uow.orders.in_sequence(*oldest, 9, None)) == []
    assert await quantities_now(database, "CHAIR") == (2, 1, 1, 0)


async def test_an_order_that_is_refused_leaves_the_cart_as_it_was(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    await placed(database, caller, {"CHAIR": 1}, number="1")

    with pytest.raises(OrderAlreadyPlaced):
        await placed(database, caller, {"CHAIR": 1}, number="1", reservation=cart)
    with pytest.raises(InvalidInput) as refused:
        await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT, reservation=cart)

    assert [one.path for one in refused.value.problems] == [("input", "reservation")]
    assert await cart_states(database, cart) == [ACTIVE]


# ---------------------------------------------------------------- expiring


async def test_an_expired_cart_is_nobodys_also_before_it_is_swept(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    await run_out(database, cart)

    view, (line,) = await cart_now(database, cart)
    assert (view.state_now, line.held) == (EXPIRED, ())
    for end in (
        placed(database, caller, {"CHAIR": 2}, number="1", reservation=cart),
        released(database, caller, cart),
    ):
        with pytest.raises(ReservationEnded) as refused:
            await end
        assert refused.value.state is EXPIRED
    assert (await quantities_now(database, "CHAIR"))[1] == 2

    assert await expire_reservations(database)

    assert await cart_states(database, cart) == [EXPIRED]
    assert await quantities_now(database, "CHAIR") == (2, 0, 2, 0)
    assert await ended(engine) == [(2, "EXPIRED")]
    assert not await expire_reservations(database)


async def test_what_expires_is_offered_to_who_waits(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    cart = await reserved(database, caller, {"CHAIR": 2})
    waiting = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, waiting)
    await run_waiting_orders(database, caller)
    await run_out(database, cart)

    await expire_reservations(database)

    assert await run_waiting_orders(database, caller) == 1
    assert await status_now(database, waiting) is ALLOCATED


async def test_only_carts_whose_time_is_over_are_swept_a_bounded_number_at_a_time(database, caller, monkeypatch):
    monkeypatch.setattr("services.reservations.SWEPT_MAX", 2)
    monkeypatch.setattr("services.reservations.SKUS_MAX", 3)
    await a_catalog(database, caller, {(sku, "LEEDS"): 9 for sku in ("A", "B", "C")})
    carts = [await reserved(database, caller, {"A": 1}) for _ in range(3)]
    large = [await reserved(database, caller, {"A": 1, "B": 1, "C": 1}) for _ in range(2)]
    kept = await reserved(database, caller, {"A": 1})
    for cart in (*carts, *large):
        await run_out(database, cart)

    left = []
    while await expire_reservations(database):
        left.append((await quantities_now(database, "A"))[1])

    assert left == [4, 3, 2, 1]
    assert await cart_states(database, *carts, *large, kept) == [EXPIRED] * 5 + [ACTIVE]
    assert (await quantities_now(database, "A"))[1] == 1


@pytest.mark.breaks_invariants  # times of two clocks are compared with each other
async def test_expiry_is_judged_by_the_clock_of_the_database_alone(database_url, database, caller):
    """The database's clock is a day ahead of ours, and then a quarter of an hour more."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await database_clock(database, "1 day")
    engine = connect(database_url)
    there = PostgresDatabase(engine)
    try:
        first, second = [await reserved(there, caller, {"CHAIR": 1}, seconds=60) for _ in range(2)]
        assert await cart_states(there, first, second) == [ACTIVE, ACTIVE]
        assert not await expire_reservations(there)
        order = await placed(there, caller, {"CHAIR": 1}, reservation=first)
        assert await status_now(there, order) is ALLOCATED

        await database_clock(database, "1 day 1 minute")

        assert await cart_states(there, second) == [EXPIRED]
        with pytest.raises(ReservationEnded):
            await placed(there, caller, {"CHAIR": 1}, reservation=second)
        assert await expire_reservations(there)
    finally:
        await engine.dispose()


async def database_clock(database, ahead: str) -> None:
    """From now on, connections that are opened anew see another clock."""
    async with database.engine.begin() as connection:
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS another",
            f"""CREATE OR REPLACE FUNCTION another.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
                AS $$ SELECT pg_catalog.clock_timestamp() + interval '{ahead}' $$""",
            f'ALTER DATABASE "{name}" SET search_path = another, public, pg_catalog',
        ):
            await connection.execute(text(statement))


# ---------------------------------------------------------------- stock that falls


async def test_a_carts_claim_is_flagged_like_any_other_and_the_flag_goes_with_it(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    weak = await placed(database, caller, {"CHAIR": 1}, priority=-1)
    await allocated(database, caller, weak)
    cart = await reserved(database, caller, {"CHAIR": 2})

    await counted(database, caller, {"CHAIR": 1})
    assert [row[3] for row in await claims_of(engine)] == [1, 1]
    assert await status_now(database, weak) is OVERALLOCATED

    await counted(database, caller, {"CHAIR": 2})
    assert [row[3] for row in await claims_of(engine)] == [1, 0]

    await released(database, caller, cart)
    assert await status_now(database, weak) is ALLOCATED
    (*_, lifted) = await events_now(engine, AllocationStatusChanged)
    assert (lifted.before, lifted.after, lifted.cause) == (
        OVERALLOCATED,
        ALLOCATED,
        AllocationCause.STOCK_RESERVATION,
    )


async def test_stock_that_rises_lifts_the_flag_of_a_cart(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    await reserved(database, caller, {"CHAIR": 2})
    await counted(database, caller, {"CHAIR": 0})

    await received(database, caller, {"CHAIR": 2})

    assert [row[3] for row in await claims_of(engine)] == [0]


# ---------------------------------------------------------------- at the desk


def new_order(number: str, quantity: int = 1) -> NewOrder:
    return NewOrder(channel="SHOP", number=number, lines=(NewLine(sku=Sku("CHAIR"), quantity=quantity),))


async def test_carts_gather_at_the_desk_and_each_has_its_own_answer(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    desk = Desk(database)
    one = ReserveStock(lines=(ReservedUnits(sku=Sku("CHAIR"), quantity=1),))

    answers = await asyncio.gather(
        *(reserve_stock(desk, caller, one, a_key()) for _ in range(5)), return_exceptions=True
    )

    assert (desk.batches, desk.requests) == (1, 5)
    assert Counter(type(answer).__name__ for answer in answers) == {"ReservationDone": 3, "InsufficientStock": 2}
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 0)


async def test_of_those_who_want_one_cart_in_one_batch_the_first_has_it(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    cart: ReservationReference = cart_by_id(await reserved(database, caller, {"CHAIR": 2}))
    desk = Desk(database)
    one = ReserveStock(lines=(ReservedUnits(sku=Sku("CHAIR"), quantity=2),))

    first, *others, last = await asyncio.gather(
        place_order(desk, caller, new_order("1"), a_key(), reservation=cart),
        place_order(desk, caller, new_order("2"), a_key(), reservation=cart),
        release_reservation(desk, caller, cart, a_key()),
        reserve_stock(desk, caller, one, a_key()),
        return_exceptions=True,
    )

    assert desk.batches == 1
    assert [type(other) for other in others] == [ReservationEnded, ReservationEnded]
    assert await status_now(database, first.order) is ALLOCATED
    assert await cart_states(database, last.reservation) == [ACTIVE]
    assert await quantities_now(database, "CHAIR") == (3, 3, 0, 0)
