"""Orders that are not paid in time, payments that race with that, and orders from before payments were known."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text

from domain.errors import OrderNotReleasable
from domain.events import AllocationStatusChanged, OrderChanged
from domain.ids import LineId, OrderId, Sku
from domain.kinds import (
    AllocationCause,
    AllocationStatus,
    HoldReason,
    OrderChange,
    OrderStatus,
    PaymentStatus,
    ReleaseObstacle,
)
from domain.money import Money
from domain.orders import NewLine, NewOrder, Payment
from services import runs
from services.catalog import save_channels
from services.desk import Desk
from services.holds import HoldOrders, ReleaseHolds, hold_orders, release_holds
from services.orders import EditOrder, edit_order, place_order, void_order
from services.payments import (
    EXPIRER,
    ExpireUnpaidOrders,
    RecordPayment,
    RecordRefund,
    expire_unpaid_orders,
    record_payment,
    record_refund,
    totals_of,
)
from services.performing import execute_one
from services.splitting import SplitLine, SplitOrder, split_order
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    deallocated,
    events_now,
    finalized,
    lines_now,
    order_now,
    placed,
    quantities_now,
    received,
    status_now,
    voided,
)
from tests.warehousing import to_warehouse

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus
AWAITING = HoldReason.AWAITING_PAYMENT


def pounds(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency_code="GBP")


async def priced(database, caller, quantity=1, *, channel="SHOP", status=OrderStatus.FINALIZED) -> OrderId:
    """An order of chairs at ten pounds each."""
    line = NewLine(sku=Sku("CHAIR"), quantity=quantity, unit_price=pounds("10.00"))
    new = NewOrder(channel=channel, number=a_key(), lines=(line,), status=status)
    return (await place_order(Desk(database), caller, new, a_key())).order


async def pay(database, caller, order: OrderId, amount: str = "10.00", *, key: str | None = None) -> None:
    payment = Payment(amount=pounds(amount), method="bank")
    await record_payment(Desk(database), caller, RecordPayment(order=by_id(order), payment=payment), key or a_key())


async def hold(database, caller, order: OrderId, reason: HoldReason) -> None:
    await hold_orders(Desk(database), caller, HoldOrders(orders=(by_id(order),), reason=reason), a_key())


async def holds_now(database, order: OrderId) -> list[HoldReason]:
    found = await database.read(lambda uow: uow.payments.holds_of([order]))
    return [one.reason for one in found if one.released_at is None]


async def paid_now(database, order: OrderId) -> PaymentStatus:
    return (await order_now(database, order)).payment_status


async def a_part(database, caller, order: OrderId, line: LineId) -> OrderId:
    """One unit of the line, in an order of its own."""
    command = SplitOrder(order=by_id(order), lines=(SplitLine(line=line, quantity=1),))
    return (await split_order(Desk(database), caller, command, a_key())).split


async def it_is_late(engine, *orders: OrderId, minutes: int = 30) -> None:
    """So long ago, by the database's clock, the orders were confirmed."""
    statement = "UPDATE orders SET finalized_at = now() - make_interval(mins => :minutes) WHERE id = ANY(:ids)"
    async with engine.begin() as connection:
        await connection.execute(text(statement), {"minutes": minutes, "ids": list(orders)})


@pytest.fixture
async def shop(database, caller):
    """Two chairs, and a channel that waits half an hour for its money."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    waits = {"code": "SHOP", "name": "Shop", "unpaid_orders_expire_after_minutes": 30}
    await save_channels(database, [waits, {"code": "TILL", "name": "Till"}])


# ---------------------------------------------------------------- orders that are not paid in time


async def test_an_unpaid_order_expires_it_gives_its_stock_back_is_held_and_is_not_voided(
    database, caller, engine, shop
):
    order = await priced(database, caller, 2)
    await allocated(database, caller, order)
    await pay(database, caller, order, "19.99")
    await it_is_late(engine, order)

    assert await expire_unpaid_orders(database)

    view = await order_now(database, order)
    assert (view.status, view.allocation_status, view.payment_status) == (
        OrderStatus.FINALIZED,
        UNALLOCATED,
        PaymentStatus.PARTIALLY_PAID,
    )
    assert await claims_now(database, order) == []
    assert await quantities_now(database, "CHAIR") == (2, 0, 2, 0)
    assert await holds_now(database, order) == [AWAITING]
    changed, moved = (
        (await events_now(engine, OrderChanged))[-1],
        (await events_now(engine, AllocationStatusChanged))[-1],
    )
    assert changed.changes == (OrderChange.ALLOCATIONS_CHANGED, OrderChange.HELD)
    assert (moved.before, moved.after, moved.cause) == (ALLOCATED, UNALLOCATED, AllocationCause.UNPAID)
    async with engine.connect() as connection:
        ended = await connection.execute(text("SELECT reason, quantity FROM ended_allocations"))
        assert [tuple(row) for row in ended] == [("UNPAID", 2)]
    assert not await expire_unpaid_orders(database)


async def test_what_an_expired_order_gives_back_goes_to_those_who_wait_and_no_run_of_them_undoes_it(
    database, caller, engine, shop
):
    unpaid, waiting = await priced(database, caller, 2), await priced(database, caller, 1, channel="TILL")
    await allocated(database, caller, unpaid, waiting)
    assert await status_now(database, waiting) is COULD_NOT
    await it_is_late(engine, unpaid)

    await expire_unpaid_orders(database)
    await runs.run_waiting_orders(database, caller)
    await received(database, caller, {"CHAIR": 5})
    await runs.run_waiting_orders(database, caller)

    assert (await status_now(database, unpaid), await status_now(database, waiting)) == (UNALLOCATED, ALLOCATED)


async def test_only_confirmed_unpaid_orders_whose_time_is_over_expire(database, caller, engine, shop):
    young = await priced(database, caller)
    paid, free = await priced(database, caller), await placed(database, caller, {"CHAIR": 1})
    await pay(database, caller, paid)
    draft = await priced(database, caller, status=OrderStatus.DRAFT)
    void, patient = await priced(database, caller), await priced(database, caller, channel="TILL")
    held, lifted = await priced(database, caller), await priced(database, caller)
    await voided(database, caller, void)
    await hold(database, caller, held, AWAITING)
    await hold(database, caller, lifted, AWAITING)
    release = ReleaseHolds(orders=(by_id(lifted),))
    await release_holds(Desk(database), caller, release, a_key())
    refunded = await priced(database, caller)
    await pay(database, caller, refunded)
    payment = Payment(amount=pounds("10.00"), method="bank")
    await record_refund(Desk(database), caller, RecordRefund(order=by_id(refunded), payment=payment), a_key())
    everyone = (paid, free, draft, void, patient, held, lifted, refunded)
    versions = [(await order_now(database, order)).version for order in everyone]
    await it_is_late(engine, *everyone, minutes=10_000)
    await it_is_late(engine, young, minutes=29)

    assert not await expire_unpaid_orders(database)

    assert [(await order_now(database, order)).version for order in everyone] == versions
    await it_is_late(engine, young)
    assert await expire_unpaid_orders(database)
    assert await holds_now(database, young) == [AWAITING]


async def test_a_draft_has_its_time_from_when_it_is_confirmed(database, caller, engine, shop):
    order = await priced(database, caller, status=OrderStatus.DRAFT)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET placed_at = '2020-01-01', created_at = '2020-01-01'"))

    await finalized(database, caller, order)

    assert not await expire_unpaid_orders(database)
    await it_is_late(engine, order)
    assert await expire_unpaid_orders(database)


async def test_paying_in_full_lifts_the_hold_and_no_other(database, caller, engine, shop):
    order = await priced(database, caller)
    await hold(database, caller, order, HoldReason.MANUAL_REVIEW)
    await it_is_late(engine, order)
    await expire_unpaid_orders(database)

    await pay(database, caller, order, "9.99")
    part = await holds_now(database, order)
    await pay(database, caller, order, "0.01")

    assert part == [HoldReason.MANUAL_REVIEW, AWAITING]
    assert await holds_now(database, order) == [HoldReason.MANUAL_REVIEW]


async def test_r4_what_is_split_off_a_held_order_is_held_as_well(database, caller, shop):
    order = await priced(database, caller, 2)
    for reason in (HoldReason.SUSPECTED_FRAUD, AWAITING):
        await hold(database, caller, order, reason)
    (line,) = await lines_now(database, order)

    unpaid = await a_part(database, caller, order, line.id)

    assert await holds_now(database, unpaid) == [AWAITING, HoldReason.SUSPECTED_FRAUD]
    assert await holds_now(database, order) == [HoldReason.SUSPECTED_FRAUD, AWAITING]
    refused = (await to_warehouse(database, caller, unpaid)).refusal
    assert isinstance(refused, OrderNotReleasable)
    assert ReleaseObstacle.ON_HOLD in {obstacle.code for obstacle in refused.obstacles}


async def test_what_is_split_off_and_paid_does_not_wait_for_its_payment(database, caller, shop):
    """What is paid beyond what the order then owes goes along."""
    order = await priced(database, caller, 2)
    await hold(database, caller, order, AWAITING)
    await pay(database, caller, order, "20.00")
    await hold(database, caller, order, AWAITING)  # by hand, whatever was paid
    (line,) = await lines_now(database, order)

    part = await a_part(database, caller, order, line.id)

    assert await paid_now(database, part) is PaymentStatus.PAID
    assert await holds_now(database, part) == []


async def test_i14_a_hold_that_is_lifted_in_its_own_commit_ends_when_it_begins(database, caller, shop):
    order = await priced(database, caller)
    desk = Desk(database)

    await asyncio.gather(
        hold_orders(desk, caller, HoldOrders(orders=(by_id(order),), reason=HoldReason.OTHER), a_key()),
        release_holds(desk, caller, ReleaseHolds(orders=(by_id(order),)), a_key()),
    )

    (hold,) = await database.read(lambda uow: uow.payments.holds_of([order]))
    assert (desk.batches, hold.released_at) == (1, hold.placed_at), "and not a moment before"


async def test_whoever_lifts_the_holds_of_an_order_that_was_voided_beside_it_finds_none(database, caller, shop):
    order = await priced(database, caller)
    await hold(database, caller, order, HoldReason.MANUAL_REVIEW)
    desk = Desk(database)

    _, lifted = await asyncio.gather(
        void_order(desk, caller, by_id(order), "a reason", a_key()),
        release_holds(desk, caller, ReleaseHolds(orders=(by_id(order),)), a_key()),
    )

    assert (desk.batches, desk.requests) == (1, 2), "they shared a transaction"
    assert [one.changed for one in lifted.results] == [False]
    assert await holds_now(database, order) == []


async def test_an_order_on_schedule_that_expires_is_no_longer_scheduled(database, caller, engine, shop):
    order = await priced(database, caller)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET allocate_after = now() + interval '1 hour'"))
    await it_is_late(engine, order)

    await expire_unpaid_orders(database)

    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT allocate_after FROM orders"))
        assert found.scalar_one() is None


async def test_two_workers_at_once_expire_each_order_once(database, databases, caller, engine, shop):
    await received(database, caller, {"CHAIR": 40})
    orders = [await priced(database, caller) for _ in range(40)]
    await allocated(database, caller, *orders)
    await it_is_late(engine, *orders)

    await asyncio.gather(*(expire_unpaid_orders(databases()) for _ in range(4)))

    for order in orders:
        assert await holds_now(database, order) == [AWAITING]
        assert (await order_now(database, order)).version == 3
    assert await quantities_now(database, "CHAIR") == (42, 0, 42, 0)


@pytest.mark.parametrize("turn", range(8))
async def test_of_a_payment_and_the_expiry_that_race_one_is_first_and_the_order_is_not_held(
    database, databases, caller, engine, shop, turn
):
    order = await priced(database, caller)
    await allocated(database, caller, order)
    await it_is_late(engine, order)
    first, second = databases(), databases()

    jobs = [pay(first, caller, order), expire_unpaid_orders(second)]
    await asyncio.gather(*(jobs if turn % 2 else reversed(jobs)))

    assert await paid_now(database, order) is PaymentStatus.PAID
    assert await holds_now(database, order) == []
    history = await database.read(lambda uow: uow.payments.holds_of([order]))
    expired = [one.reason for one in history] == [AWAITING]
    assert await status_now(database, order) is (UNALLOCATED if expired else ALLOCATED)
    assert not await expire_unpaid_orders(database)


async def test_a_payment_that_comes_while_the_expiry_waits_for_the_order_wins(
    database, databases, caller, engine, shop
):
    """The sweep has seen the order unpaid already; under the locks it looks again."""
    order = await priced(database, caller)
    await allocated(database, caller, order)
    await it_is_late(engine, order)
    seen = asyncio.Event()
    there = databases()

    async def sweep() -> bool:
        async def work(uow):
            due = await uow.payments.unpaid_in_time(10)
            seen.set()
            await asyncio.sleep(0.3)
            return due, await execute_one(uow, EXPIRER, ExpireUnpaidOrders(orders=tuple(due)))

        return await there.run(work)

    sweeping = asyncio.create_task(sweep())
    await seen.wait()
    await pay(database, caller, order)

    assert await sweeping == ([order], 0)
    assert (await status_now(database, order), await holds_now(database, order)) == (ALLOCATED, [])


# ---------------------------------------------------------------- at once


async def test_payments_of_many_callers_add_up(database, databases, caller, shop):
    order = await priced(database, caller, 2)
    nodes = [databases() for _ in range(4)]

    await asyncio.gather(*(pay(nodes[at % 4], caller, order, "1.00") for at in range(20)))

    view = await order_now(database, order)
    assert (view.payment_status, view.version) == (PaymentStatus.PAID, 21)
    totals = (await database.read(lambda uow: totals_of(uow, [order])))[order]
    assert (totals.paid, totals.due) == (20, 0)


async def test_a_payment_and_an_edit_at_once_leave_the_status_that_both_make(database, databases, caller, shop):
    orders = [await priced(database, caller) for _ in range(10)]
    one, other = databases(), databases()
    added = (NewLine(sku=Sku("CHAIR"), quantity=1, unit_price=pounds("5.00")),)

    await asyncio.gather(
        *(pay(one, caller, order) for order in orders),
        *(edit_order(Desk(other), caller, EditOrder(order=by_id(order), lines=added), a_key()) for order in orders),
    )

    assert {await paid_now(database, order) for order in orders} == {PaymentStatus.PARTIALLY_PAID}


# ---------------------------------------------------------------- orders from before


async def of_the_release_before(engine, order: OrderId) -> None:
    """As it was before payments were known."""
    statement = "UPDATE orders SET currency_code = NULL, payment_status = DEFAULT, finalized_at = NULL WHERE id = :id"
    async with engine.begin() as connection:
        await connection.execute(text(statement), {"id": order})


async def test_an_order_from_before_counts_as_paid_also_when_it_is_edited_or_split(database, caller, engine, shop):
    order = await priced(database, caller, 2)
    await of_the_release_before(engine, order)
    added = (NewLine(sku=Sku("CHAIR"), quantity=1, unit_price=pounds("5.00")),)

    await edit_order(Desk(database), caller, EditOrder(order=by_id(order), lines=added), a_key())
    await allocated(database, caller, order)
    split = await split_order(Desk(database), caller, SplitOrder(order=by_id(order), allocated=True), a_key())

    assert await paid_now(database, order) is PaymentStatus.PAID
    assert await paid_now(database, split.split) is PaymentStatus.PAID
    await it_is_late(engine, order, split.split)
    assert not await expire_unpaid_orders(database)


async def test_the_first_payment_of_an_order_from_before_makes_its_prices_count(database, caller, engine, shop):
    order = await priced(database, caller, 2)
    await of_the_release_before(engine, order)

    await pay(database, caller, order, "5.00")

    totals = (await database.read(lambda uow: totals_of(uow, [order])))[order]
    assert (totals.total, totals.due) == (20, 15)
    assert await paid_now(database, order) is PaymentStatus.PARTIALLY_PAID
    await deallocated(database, caller, order)
    assert await paid_now(database, order) is PaymentStatus.PARTIALLY_PAID
