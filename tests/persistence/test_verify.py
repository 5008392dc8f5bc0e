"""Every invariant reports a row that breaks it."""
# ruff: noqa: S608  (the statements are ours)

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dibs.solving import Highs
from domain.automation import AllocationRule
from domain.holding import HoldRule
from domain.ids import KeyId, OrderId, Sku
from domain.kinds import (
    AllocateWhen,
    AllocationSequence,
    AllocationStatus,
    FollowUpOutcome,
    HoldReason,
    InspectionOutcome,
    OrderStatus,
    ReservationState,
    ReturnReason,
    ReturnState,
)
from domain.money import Money
from domain.orders import NewLine, NewOrder, Payment
from domain.packing import NewParcel
from domain.picking import Pick
from domain.returning import WantedBack
from persistence.database import PostgresDatabase, connect
from persistence.verify import INVARIANTS, verify
from services.automation import save_allocation_rules
from services.bins import MovedLine, MoveStock, move_stock
from services.callers import Caller
from services.catalog import save_items
from services.desk import Desk
from services.fulfillments import (
    DeliverFulfillment,
    PackFulfillment,
    ReleaseOrders,
    ShipFulfillment,
    deliver_fulfillment,
    pack_fulfillment,
    release_orders,
    ship_fulfillment,
)
from services.holds import HoldOrders, ReleaseHolds, hold_orders, release_holds, save_hold_rules
from services.orders import place_order
from services.payments import RecordPayment, record_payment
from services.picking import RecordPick, record_picks
from services.planning import Planner
from services.ports.orders import OrderFilter
from services.reservations import expire_reservations
from services.returns import (
    CancelReturn,
    InspectedUnits,
    InspectReturn,
    ReceiveReturn,
    RecordFollowUp,
    RequestReturn,
    cancel_return,
    inspect_return,
    receive_return,
    record_follow_up,
    request_return,
)
from services.runs import StartRun, advance_a_run, start_allocation_run
from services.splitting import SplitLine, SplitOrder, split_order
from tests.builders import (
    HOME,
    NOON,
    a_bundle,
    a_catalog,
    a_key,
    allocated,
    by_id,
    canceled,
    cart_states,
    clock,
    closed,
    counted,
    counted_then,
    deallocated,
    edited,
    expected,
    lines_now,
    placed,
    received,
    received_of,
    released,
    rescheduled,
    reserved,
    run_out,
    sent,
    statuses_now,
    voided,
)
from tests.conftest import PREFIX, Server

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus

A_DRY_RUN = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PLACED_AT_ASC, dry_run=True)
A_PLANNED_RUN = replace(A_DRY_RUN, sequence=AllocationSequence.MAX_COMPLETE_ORDERS)

STRONG = "(SELECT min(id) FROM orders)"
CHAIRS_IN_LEEDS = "item_id = 1 AND location_id = 1"
TABLES_IN_LEEDS = "item_id = 2 AND location_id = 1"


async def make_a_world(url: str) -> None:
    """Orders in every allocation status, claims that ended, and a log that is numbered up to its last few events."""
    engine = connect(url)
    database, caller = PostgresDatabase(engine), Caller(key=KeyId(1), actor="tester", request="a test")
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4, ("TABLE", "LEEDS"): 9, ("TABLE", "YORK"): 2})
    await make_supplies(database, caller)
    strong, weak = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    partial = await placed(database, caller, {"TABLE": 13})
    short = await placed(database, caller, {"CHAIR": 1})
    draft = await placed(database, caller, {"TABLE": 1}, status=OrderStatus.DRAFT)
    void = await placed(database, caller, {"TABLE": 1})
    given_back = await placed(database, caller, {"TABLE": 1})
    await allocated(database, caller, void, given_back, strong, weak, partial, short)
    await voided(database, caller, void)
    await deallocated(database, caller, given_back)
    (line,) = await lines_now(database, partial)
    await edited(database, caller, partial, quantities={line.id: 8})
    await edited(database, caller, partial, quantities={line.id: 12})
    await counted(database, caller, {"CHAIR": 3})
    await some_carts(database, caller)
    await a_bundle(database, "SET", {"CHAIR": 1, "TABLE": 2})
    await placed(database, caller, {"SET": 1}, status=OrderStatus.DRAFT)
    later = AllocationRule(name="later", when=AllocateWhen.ON_SCHEDULE, every_minutes=5, channels=("NOBODY",))
    await save_allocation_rules(database, [AllocationRule(name="never", when=AllocateWhen.NEVER), later])
    await a_floor(database, caller)
    await some_returns(database, caller)
    await start_allocation_run(database, caller, A_DRY_RUN, a_key())
    while await database.run(advance_a_run):
        pass
    await start_allocation_run(database, caller, A_PLANNED_RUN, a_key())
    await Planner(database, Highs()).plan_a_run()
    await database.run(lambda uow: uow.events.number(10_000))
    await received(database, caller, {"TABLE": 1})
    await some_payments(database, caller)
    orders = strong, weak, partial, short, draft, void, given_back
    assert await statuses_now(database, *orders) == [
        ALLOCATED,
        OVERALLOCATED,
        PARTIALLY,
        COULD_NOT,
        UNALLOCATED,
        None,
        UNALLOCATED,
    ]
    assert await verify(engine) == []
    await engine.dispose()


async def some_carts(database: PostgresDatabase, caller: Caller) -> None:
    """One in every state; that which became an order wanted more than the order. No order is left short of lamps."""
    await a_catalog(database, caller, {("LAMP", "LEEDS"): 9})
    active, released_one, expired, taken = [await reserved(database, caller, {"LAMP": 2}) for _ in range(4)]
    await released(database, caller, released_one)
    await placed(database, caller, {"LAMP": 1}, reservation=taken)
    await run_out(database, expired)
    assert await expire_reservations(database)
    assert await cart_states(database, active, released_one, expired, taken) == list(ReservationState)


async def a_floor(database: PostgresDatabase, caller: Caller) -> None:
    """A fulfillment that is being picked from a bin, one that is packed and one that has left."""
    await a_catalog(database, caller, {("DESK", "LEEDS"): 9})
    desk = Desk(database)
    moved = MoveStock(location="LEEDS", lines=(MovedLine(sku="DESK", quantity=5, to="A-1"),))
    await move_stock(desk, caller, moved, a_key())
    orders = [await placed(database, caller, {"DESK": 2}, ship_to=HOME) for _ in range(3)]
    await allocated(database, caller, *orders)
    release = ReleaseOrders(orders=tuple(map(by_id, orders)))
    out = [one.fulfillments[0] for one in (await release_orders(desk, caller, release, a_key())).results]
    tasks = await database.read(lambda uow: uow.fulfillments.tasks_of(out))
    for task in tasks:
        units = 1 if task.fulfillment == out[0] and task.id == min(one.id for one in tasks) else task.quantity
        if task.fulfillment != out[0] or units < task.quantity:
            pick = RecordPick(pick=Pick(task=task.id, quantity=units))
            await record_picks(desk, caller, [(a_key(), pick)])
    for one in out[1:]:
        packed = PackFulfillment(fulfillment=one, parcels=(NewParcel(),))
        await pack_fulfillment(desk, caller, packed, a_key())
    await ship_fulfillment(desk, caller, ShipFulfillment(fulfillment=out[2]), a_key())


async def some_returns(database: PostgresDatabase, caller: Caller) -> None:
    """A return in every state, of an order that was delivered and followed up."""
    await a_catalog(database, caller, {("SHELF", "LEEDS"): 9})
    desk = Desk(database)
    order = await placed(database, caller, {"SHELF": 6}, ship_to=HOME)
    await allocated(database, caller, order)
    release = ReleaseOrders(orders=(by_id(order),))
    (one,) = (await release_orders(desk, caller, release, a_key())).results[0].fulfillments
    for task in await database.read(lambda uow: uow.fulfillments.tasks_of([one])):
        await record_picks(desk, caller, [(a_key(), RecordPick(pick=Pick(task=task.id, quantity=task.quantity)))])
    packed = PackFulfillment(fulfillment=one, parcels=(NewParcel(),))
    await pack_fulfillment(desk, caller, packed, a_key())
    await ship_fulfillment(desk, caller, ShipFulfillment(fulfillment=one), a_key())
    await deliver_fulfillment(desk, caller, DeliverFulfillment(fulfillment=one), a_key())
    said = RecordFollowUp(order=by_id(order), outcome=FollowUpOutcome.ISSUE_FOUND, note="A screw is missing.")
    await record_follow_up(desk, caller, said, a_key())
    (line,) = await lines_now(database, order)
    made = []
    for units in (1, 1, 3, 1):
        wanted = WantedBack(line=line.id, quantity=units, reason=ReturnReason.DEFECTIVE)
        asked = RequestReturn(order=by_id(order), location="LEEDS", lines=(wanted,))
        made.append((await request_return(desk, caller, asked, a_key())).returned)
    canceled_one, received_one, inspected = made[1:]
    await cancel_return(desk, caller, CancelReturn(returned=canceled_one), a_key())
    for back in (received_one, inspected):
        (view,) = await database.read(lambda uow, back=back: uow.returns.by_ids([back]))
        await receive_return(desk, caller, ReceiveReturn(returned=back), a_key())
        outcomes = list(InspectionOutcome)[: 2 if back == received_one else 1]
        seen = tuple(InspectedUnits(line=view.lines[0].id, quantity=1, outcome=outcome) for outcome in outcomes)
        await inspect_return(desk, caller, InspectReturn(returned=back, lines=seen), a_key())
    states = [view.state for view in await database.read(lambda uow: uow.returns.by_ids(made))]
    assert sorted(states) == sorted(ReturnState)


async def some_payments(database: PostgresDatabase, caller: Caller) -> None:
    """An order that is paid in part, one that was split, holds that hold and that ended, and two rules."""

    async def pay(order: OrderId, amount: int) -> None:
        payment = Payment(amount=Money(amount=Decimal(amount), currency_code="GBP"), method="bank")
        await record_payment(Desk(database), caller, RecordPayment(order=by_id(order), payment=payment), a_key())

    price = Money(amount=Decimal("9.99"), currency_code="GBP")
    discount, tax = (Money(amount=Decimal(amount), currency_code="GBP") for amount in ("1.00", "0.50"))
    line = NewLine(sku=Sku("TABLE"), quantity=3, unit_price=price, discount=discount, tax=tax)
    part, whole = [
        (
            await place_order(Desk(database), caller, NewOrder(channel="SHOP", number=number, lines=(line,)), a_key())
        ).order
        for number in ("PART", "WHOLE")
    ]
    await pay(part, 5)
    await pay(whole, 30)
    (row,) = await lines_now(database, whole)
    split = SplitOrder(order=by_id(whole), lines=(SplitLine(line=row.id, quantity=1),))
    await split_order(Desk(database), caller, split, a_key())
    for reason in (HoldReason.OTHER, HoldReason.MANUAL_REVIEW):
        await hold_orders(Desk(database), caller, HoldOrders(orders=(by_id(part),), reason=reason), a_key())
    ended = ReleaseHolds(orders=(by_id(part),), reasons=(HoldReason.OTHER,))
    await release_holds(Desk(database), caller, ended, a_key())
    rules = [HoldRule(name=name, reason=HoldReason.OTHER, tags=("nobody",)) for name in ("one", "two")]
    await save_hold_rules(database, rules)


async def make_supplies(database: PostgresDatabase, caller: Caller) -> None:
    """Purchase orders and transfers in every state, and counts of a moment."""
    await save_items(database, [{"sku": "LAMP", "name": "Lamp"}])
    await received(database, caller, {"LAMP": 30})
    await expected(database, caller, {"LAMP": 5}, reference="PO")
    await received_of(database, caller, "PO", {"LAMP": 2})
    await rescheduled(database, caller, "PO", NOON + timedelta(days=1))
    await sent(database, caller, {"LAMP": 4}, reference="LOST")
    await received_of(database, caller, "LOST", {"LAMP": 3}, location="YORK")
    await closed(database, caller, "LOST")
    await sent(database, caller, {"LAMP": 2}, reference="BACK")
    await canceled(database, caller, "BACK")
    await sent(database, caller, {"LAMP": 2}, reference="MORE")
    await received_of(database, caller, "MORE", {"LAMP": 3}, location="YORK")
    await sent(database, caller, {"LAMP": 6}, reference="TRANSIT")
    now = await clock(database)
    await received(database, caller, {"LAMP": 1})
    await counted_then(database, caller, now, {"LAMP": 19})


@pytest.fixture(scope="module")
def world(server: Server, template: str) -> Iterator[str]:
    name = f"{PREFIX}_world"
    url = server.create(name, template)
    asyncio.run(make_a_world(url))
    yield url
    server.drop(name)


@pytest.fixture
async def world_engine(world: str) -> AsyncIterator[AsyncEngine]:
    engine = connect(world)
    yield engine
    await engine.dispose()


async def broken_by(connection: AsyncConnection, *statements: str) -> set[str]:
    """The invariants that do not hold after the statements, which are then undone."""
    for statement in statements:
        await connection.execute(text(statement))
    found = {one.id for one in INVARIANTS if (await connection.execute(text(one.sql))).first()}
    await connection.rollback()
    return found


def without(table: str, *constraints: str) -> tuple[str, ...]:
    """What a constraint forbids is broken behind its back."""
    return tuple(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}" for constraint in constraints)


def last_return_event(name: str, value: str) -> str:
    """The last event of a return tells something else than it did."""
    last = "(SELECT max(id) FROM events WHERE type = 'ReturnChanged')"
    return f"UPDATE events SET payload = jsonb_set(payload, '{{{name}}}', '{value}') WHERE id = {last}"


PO, TRANSIT, MORE = (
    f"(SELECT id FROM supplies WHERE reference = '{reference}')" for reference in ("PO", "TRANSIT", "MORE")
)
AN_ALERT = """INSERT INTO alerts (rule, kind, sku, emails, endpoints)
    VALUES ('few', 'STOCK_RUNNING_OUT', 'CHAIR', '{}', '{}')"""
AN_ENDPOINT = "INSERT INTO webhook_endpoints (name, url, position) VALUES ('partner', 'https://example.com', 3)"
LAST_TABLE_EVENT = """
    (SELECT max(id) FROM events WHERE type = 'StockLevelChanged' AND payload ->> 'sku' = 'TABLE'
        AND payload ->> 'location_code' = 'LEEDS')
    """
FIRST_ORDER_EVENT = "(SELECT min(id) FROM events WHERE type = 'OrderChanged')"
FIRST_STATUS_EVENT = "(SELECT min(id) FROM events WHERE type = 'AllocationStatusChanged')"
ACTIVE_CART = "(SELECT id FROM stock_reservations WHERE state = 'ACTIVE')"
PACKED = "(SELECT id FROM fulfillments WHERE state = 'PACKED')"
BREAKAGES = {
    "more comes back than has left": (
        ("UPDATE return_lines SET quantity = quantity + 2 WHERE received = 0 AND canceled = 0",),
        {"I2-returned", "I5-back"},
    ),
    "more has come than was asked for": (
        (
            *without("return_lines", "no_more_comes_back_than_was_asked_for"),
            "UPDATE return_lines SET received = received + 1 WHERE resold = 1 AND quarantined = 1",
        ),
        {"I2-inspected", "I5-back"},
    ),
    "more was inspected than came": (
        (
            *without("return_lines", "no_more_is_inspected_than_came_back"),
            "UPDATE return_lines SET discarded = discarded + 2 WHERE received = 3",
        ),
        {"I2-inspected", "I10-inspected", "I15-returns", "I5-back"},
    ),
    "something else comes back than was sent": (
        ("UPDATE return_lines SET item_id = 1 WHERE received = 0",),
        {"I2-back"},
    ),
    "goods come back for no known reason": (
        ("UPDATE return_lines SET reason = 'WHIM' WHERE received = 0",),
        {"I2-inspected"},
    ),
    "a return seems to be over that is not": (
        (
            "UPDATE returns SET state = 'INSPECTED', inspected_at = now() WHERE state = 'RECEIVED'",
            last_return_event("after", '"INSPECTED"'),
        ),
        {"I15-returns", "I5-back"},
    ),
    "units came back that nobody saw": (
        ("DELETE FROM return_inspections WHERE outcome = 'RESELL'",),
        {"I10-inspected", "I10-restocked"},
    ),
    "units were put elsewhere than the ledger has them": (
        ("UPDATE return_inspections SET location_id = 2 WHERE outcome = 'QUARANTINE'",),
        {"I10-restocked"},
    ),
    "units are on hand that never came back": (
        ("UPDATE stock_movements SET cause = 'RETURNED' WHERE cause = 'FOUND'",),
        {"I10-restocked", "I10-supplies"},
    ),
    "a return went on without an event": (
        ("UPDATE returns SET version = version + 1",),
        {"I5-returns"},
    ),
    "a return's event tells of units that did not come": (
        (last_return_event("received", "9"),),
        {"I5-back"},
    ),
    "a return's event begins where none ended": (
        (last_return_event("before", '"CANCELED"'),),
        {"I5-back"},
    ),
    "an order was followed up before anything arrived": (
        (f"UPDATE follow_ups SET order_id = {STRONG}",),
        {"I15-follow-ups"},
    ),
    "goods were moved by nobody": (
        (
            """UPDATE events SET payload = jsonb_set(payload, '{actor}', '""')
                WHERE id = (SELECT min(id) FROM events WHERE type = 'PickTasksChanged')""",
        ),
        {"I3-goods"},
    ),
    "a level has more picked than its claims": (
        ("UPDATE stock_levels SET picked = picked + 1 WHERE picked > 0",),
        {"I1-picked"},
    ),
    "a fulfillment sends more than is set aside": (
        (f"UPDATE fulfillment_lines SET quantity = quantity + 1 WHERE fulfillment_id = {PACKED}",),
        {"I2-sent", "I2-tasks", "I2-parcels"},
    ),
    "what is released is sent for another line": (
        (f"UPDATE fulfillment_lines SET line_id = (SELECT min(id) FROM order_lines) WHERE fulfillment_id = {PACKED}",),
        {"I9-where"},
    ),
    "an order was released that was not allocated": (
        (
            """UPDATE events SET payload = jsonb_set(payload, '{changes}', payload -> 'changes' || '["RELEASED"]')
                WHERE type = 'OrderChanged' AND order_id = """
            + STRONG,
        ),
        {"I9-whole"},
    ),
    "more has left than the line says": (
        ("UPDATE order_lines SET shipped = shipped - 1 WHERE shipped > 0",),
        {"I10-shipped", "I5-status"},
    ),
    "an order seems to be further than its goods": (
        ("UPDATE orders SET fulfillment_status = 'DELIVERED' WHERE fulfillment_status = 'PACKED'",),
        {"I15-fulfilled"},
    ),
    "a task is done before its end": (
        ("UPDATE pick_tasks SET state = 'DONE' WHERE state = 'OPEN'",),
        {"I15-tasks", "I2-tasks"},
    ),
    "a bin has more than there is": (
        ("UPDATE bin_levels SET on_hand = on_hand + 100",),
        {"I2-bins"},
    ),
    "a parcel has lost what was in it": (
        ("UPDATE parcels SET contents = '[]' WHERE id = (SELECT min(id) FROM parcels)",),
        {"I2-parcels"},
    ),
    "a parcel has arrived and its fulfillment is still on its way": (
        ("UPDATE parcels SET delivered_at = now()",),
        {"I15-arrived"},
    ),
    "a fulfillment has skipped a version": (
        ("UPDATE fulfillments SET version = version + 1",),
        {"I5-fulfillments"},
    ),
    "a part of a bundle has a price": (
        (
            *without("order_lines", "a_component_has_no_price_of_its_own"),
            "UPDATE order_lines SET unit_price = 1, currency_code = 'GBP' WHERE bundle_id IS NOT NULL",
        ),
        {"I2-bundles"},
    ),
    "nobody knows how many are in a bundle": (
        (
            *without("order_lines", "only_a_component_has_units_in_a_bundle"),
            "UPDATE order_lines SET bundle_units = NULL WHERE bundle_units = 2",
        ),
        {"I2-bundles"},
    ),
    "a bundle is a part of itself": (
        ("UPDATE order_lines SET item_id = (SELECT id FROM items WHERE sku = 'SET') WHERE bundle_units = 2",),
        {"I2-bundles"},
    ),
    "an item with stock becomes a bundle": (
        ("""UPDATE items SET components = '[{"item": 2, "sku": "TABLE", "units": 1}]' WHERE sku = 'LAMP'""",),
        {"I4-bundles"},
    ),
    "a bundle has none of a component": (
        ("UPDATE items SET components = jsonb_set(components, '{0,units}', '0') WHERE sku = 'SET'",),
        {"I15-bundles"},
    ),
    "a bundle is made of nothing that is known": (
        ("UPDATE items SET components = jsonb_set(components, '{0,item}', '999') WHERE sku = 'SET'",),
        {"I15-bundles"},
    ),
    "a claim is older than it was": (
        (
            *without("allocations", "what_an_allocation_was_part_of_is_older"),
            """UPDATE allocations SET seniority = 0
               WHERE item_id = 1 AND id = (SELECT max(id) FROM allocations WHERE item_id = 1)""",
        ),
        {"I1-weakest"},
    ),
    "a level commits what no claim holds": (
        (f"UPDATE stock_levels SET committed = committed + 1 WHERE {TABLES_IN_LEEDS}",),
        {"I1-committed", "I5-shown"},
    ),
    "a claim that no level commits": (
        ("UPDATE allocations SET quantity = quantity - 1 WHERE item_id = 2 AND quantity > 1",),
        {"I1-committed", "I2-counters"},
    ),
    "a flag is lost": (
        ("UPDATE allocations SET overallocated = 0",),
        {"I1-flagged", "I1-weakest", "I2-counters"},
    ),
    "the level does not know that it is overallocated": (
        (
            *without("stock_levels", "what_is_committed_beyond_stock_is_flagged"),
            f"UPDATE stock_levels SET flagged = 0 WHERE {CHAIRS_IN_LEEDS}",
        ),
        {"I1-flagged", "I5-shown"},
    ),
    "stock went without a flag": (
        (
            *without("stock_levels", "what_is_committed_beyond_stock_is_flagged"),
            f"UPDATE stock_levels SET on_hand = 1 WHERE {CHAIRS_IN_LEEDS}",
        ),
        {"I1-flagged", "I3-ledger", "I5-shown"},
    ),
    "the strong claim carries the flag": (
        ("UPDATE allocations SET overallocated = CASE WHEN overallocated = 0 THEN 1 ELSE 0 END WHERE item_id = 1",),
        {"I1-weakest", "I2-counters"},
    ),
    "a claim is the weakest since its priority changed": (
        (f"UPDATE orders SET priority = -1 WHERE id = {STRONG}",),
        {"I1-weakest"},
    ),
    "a line counts more than it holds": (
        (f"UPDATE order_lines SET allocated = allocated - 1 WHERE order_id = {STRONG}",),
        {"I2-counters", "I5-status"},
    ),
    "a line is served beyond its quantity": (
        (
            *without("order_lines", "a_line_is_not_served_beyond_its_quantity"),
            f"UPDATE order_lines SET shipped = 1 WHERE order_id = {STRONG}",
        ),
        {"I2-limits", "I5-status", "I10-shipped"},
    ),
    "a line has less than nothing": (
        (
            *without("order_lines", "no_line_quantity_is_negative"),
            f"UPDATE order_lines SET dropshipped = -1, canceled = 1 WHERE order_id = {STRONG}",
        ),
        {"I2-limits", "I10-shipped"},
    ),
    "a claim of another item": (
        ("UPDATE order_lines SET item_id = 2 WHERE id = (SELECT min(line_id) FROM allocations)",),
        {"I2-item"},
    ),
    "on hand is not what the ledger says": (
        (f"UPDATE stock_levels SET on_hand = on_hand + 1 WHERE {TABLES_IN_LEEDS}",),
        {"I3-ledger", "I5-shown"},
    ),
    "a row of the ledger is lost": (
        ("DELETE FROM stock_movements WHERE id = (SELECT max(id) FROM stock_movements)",),
        {"I3-ledger"},
    ),
    "a row of the ledger names the wrong quantity": (
        ("UPDATE stock_movements SET quantity = 'DAMAGED' WHERE id = (SELECT max(id) FROM stock_movements)",),
        {"I3-ledger", "I3-balance"},
    ),
    "a row of the ledger says another balance": (
        ("UPDATE stock_movements SET balance = balance + 1 WHERE id = (SELECT min(id) FROM stock_movements)",),
        {"I3-balance"},
    ),
    "a movement without a known cause": (
        ("UPDATE stock_movements SET cause = 'MAGIC' WHERE id = (SELECT min(id) FROM stock_movements)",),
        {"I3-explained"},
    ),
    "a count that nobody made": (
        ("DELETE FROM stock_counts",),
        {"I3-counted"},
    ),
    "a count corrected what was not counted": (
        ("UPDATE stock_movements SET cause = 'LOSS' WHERE counted_at IS NOT NULL",),
        {"I3-counted"},
    ),
    "a supply received what the ledger does not have": (
        (f"UPDATE supply_lines SET received = received + 1 WHERE supply_id = {PO}",),
        {"I10-supplies"},
    ),
    "the ledger names a supply that brought nothing": (
        (f"UPDATE stock_movements SET supply_id = {PO} WHERE id = (SELECT min(id) FROM stock_movements)",),
        {"I10-supplies"},
    ),
    "units in transit are lost without a trace": (
        (f"UPDATE supply_lines SET quantity = quantity - 1 WHERE supply_id = {TRANSIT}",),
        {"I10-supplies", "I10-transfers"},
    ),
    "units arrive that were never sent": (
        (f"UPDATE stock_movements SET cause = 'TRANSFER_IN' WHERE supply_id = {MORE} AND cause = 'FOUND'",),
        {"I10-supplies", "I10-transfers"},
    ),
    "a supply that was received is expected": (
        (f"UPDATE supplies SET state = 'EXPECTED' WHERE id = {MORE}",),
        {"I15-supplies", "I5-dates"},
    ),
    "a supply without lines": (
        (
            """INSERT INTO supplies (reference, kind, state, location_id, expected_at, version)
                VALUES ('X', 'PURCHASE_ORDER', 'RECEIVED', 1, now(), 1)""",
        ),
        {"I15-supplies", "I5-supplies"},
    ),
    "a supply changed without an event": (
        (f"UPDATE supplies SET version = version + 1 WHERE id = {PO}",),
        {"I5-supplies"},
    ),
    "a supply comes at a time that no event tells": (
        (f"UPDATE supplies SET expected_at = now() WHERE id = {PO}",),
        {"I5-dates"},
    ),
    "a date slipped from one that was not": (
        (
            """UPDATE events SET payload = payload || jsonb_build_object('expected_at_before', now())
                WHERE type = 'SupplyChanged' AND payload ->> 'reference' = 'PO'
                    AND payload ->> 'supply_version' = '3'""",
        ),
        {"I5-dates"},
    ),
    "a movement by nobody": (
        ("UPDATE stock_movements SET actor = '' WHERE id = (SELECT min(id) FROM stock_movements)",),
        {"I3-explained"},
    ),
    "a quantity is negative": (
        (
            *without("stock_levels", "no_stock_quantity_is_negative"),
            f"UPDATE stock_levels SET safety_stock = -1 WHERE {TABLES_IN_LEEDS}",
        ),
        {"I4", "I3-ledger", "I5-shown"},
    ),
    "more is damaged than there is": (
        (
            *without("stock_levels", "what_is_set_apart_is_on_hand", "what_is_committed_beyond_stock_is_flagged"),
            f"UPDATE stock_levels SET damaged = 90 WHERE {TABLES_IN_LEEDS}",
        ),
        {"I4", "I1-flagged", "I3-ledger", "I5-shown"},
    ),
    "a version without an event": (
        (f"UPDATE orders SET version = version + 1 WHERE id = {STRONG}",),
        {"I5-versions"},
    ),
    "a hole in an order's versions": (
        (f"DELETE FROM events WHERE id = {FIRST_ORDER_EVENT}",),
        {"I5-versions", "I6-dense"},
    ),
    "a version that happened twice": (
        (
            f"""INSERT INTO events (type, order_id, payload)
                SELECT type, order_id, payload FROM events WHERE id = {FIRST_ORDER_EVENT}""",
        ),
        {"I5-versions", "I6-order"},
    ),
    "an event of an order that is not there": (
        (
            """INSERT INTO events (type, order_id, payload)
                VALUES ('OrderChanged', 999, '{"order_version": 1}')""".replace(":", r"\:"),
        ),
        {"I5-versions"},
    ),
    "a status that no event led to": (
        (f"UPDATE orders SET allocation_status = 'UNALLOCATED' WHERE id = {STRONG}",),
        {"I5-last", "I5-status"},
    ),
    "a status change is lost": (
        (f"DELETE FROM events WHERE id = {FIRST_STATUS_EVENT}",),
        {"I5-last", "I6-dense"},
    ),
    "the first of two status changes is lost": (
        (
            """DELETE FROM events WHERE id = (
                SELECT min(id) FROM events WHERE type = 'AllocationStatusChanged' AND order_id = (
                    SELECT order_id FROM order_lines WHERE overallocated > 0))""",
        ),
        {"I5-chain", "I6-dense"},
    ),
    "a status change from a status that was not": (
        (
            f"""UPDATE events SET payload = jsonb_set(payload, '{{before}}', '"ALLOCATED"')
                WHERE id = {FIRST_STATUS_EVENT}""",
        ),
        {"I5-chain"},
    ),
    "a status change at a version that was not": (
        (
            """UPDATE events SET payload = jsonb_set(payload, '{order_version}', '77')
                WHERE id = (SELECT max(id) FROM events WHERE type = 'AllocationStatusChanged')""",
        ),
        {"I5-one"},
    ),
    "two status changes at one version": (
        (
            """INSERT INTO events (type, order_id, payload)
                SELECT type, order_id, payload || jsonb_build_object('before', payload -> 'after', 'after', s)
                FROM events, unnest(ARRAY['ALLOCATED', 'COULD_NOT_ALLOCATE']) AS s
                WHERE id = (SELECT max(id) FROM events WHERE type = 'AllocationStatusChanged')""",
        ),
        {"I5-one", "I5-chain", "I5-last"},
    ),
    "a level's event is lost": (
        (
            """DELETE FROM events WHERE id = (SELECT min(id) FROM events
                WHERE type = 'StockLevelChanged' AND payload ->> 'location_code' = 'YORK')""",
        ),
        {"I5-levels", "I6-dense"},
    ),
    "a level changed without an event": (
        (f"UPDATE stock_levels SET version = version + 1 WHERE {TABLES_IN_LEEDS}",),
        {"I5-levels"},
    ),
    "a level's event says something else": (
        (f"UPDATE events SET payload = jsonb_set(payload, '{{on_hand}}', '0') WHERE id = {LAST_TABLE_EVENT}",),
        {"I5-shown"},
    ),
    "a run looked at a line and the order does not say so": (
        ("UPDATE order_lines SET looked_at = NOT looked_at WHERE allocated = 0 AND canceled = 0",),
        {"I5-status"},
    ),
    "an order's events stand in the wrong sequence": (
        (
            """UPDATE events e SET payload = jsonb_set(payload, '{order_version}', to_jsonb(3 - v.version))
                FROM (SELECT id, CAST(payload ->> 'order_version' AS int) AS version FROM events
                      WHERE type = 'OrderChanged' AND order_id = (SELECT min(id) FROM orders)) AS v
                WHERE e.id = v.id""",
        ),
        {"I6-order"},
    ),
    "an event is numbered before an older one of its order": (
        (
            """UPDATE events SET position = NULL WHERE id = (
                SELECT min(id) FROM events WHERE type = 'OrderChanged' AND order_id = (SELECT min(id) FROM orders))""",
        ),
        {"I6-order", "I6-dense"},
    ),
    "a hole in the log": (
        ("UPDATE events SET position = NULL WHERE position = 3",),
        {"I6-dense"},
    ),
    "the log does not know its end": (
        ("UPDATE log_end SET position = position + 1",),
        {"I6-end"},
    ),
    "the log has no end": (
        ("DELETE FROM log_end",),
        {"I6-end"},
    ),
    "a key without its outcome": (
        ("UPDATE idempotency_keys SET outcome = NULL WHERE mutation = 'voidOrder'",),
        {"I7"},
    ),
    "a key with an empty outcome": (
        ("UPDATE idempotency_keys SET outcome = 'null' WHERE mutation = 'voidOrder'",),
        {"I7"},
    ),
    "a cart holds less than was promised to it": (
        (f"UPDATE reserved_lines SET quantity = 3 WHERE reservation_id = {ACTIVE_CART}",),
        {"I11-units"},
    ),
    "a cart that has ended still holds units": (
        (
            f"""UPDATE stock_reservations SET state = 'RELEASED', ended_at = clock_timestamp()
                WHERE id = {ACTIVE_CART}""",
        ),
        {"I11-units"},
    ),
    "a cart is as if it had never ended": (
        ("UPDATE stock_reservations SET state = 'ACTIVE', ended_at = NULL WHERE state = 'RELEASED'",),
        {"I11-units"},
    ),
    "a cart expired after it became an order": (
        (
            """UPDATE ended_allocations SET reason = 'EXPIRED'
               WHERE reserved_line_id IN (SELECT l.id FROM reserved_lines l JOIN stock_reservations r
                                          ON r.id = l.reservation_id WHERE r.state = 'TAKEN_OVER')""",
        ),
        {"I11-units"},
    ),
    "a cart without anything in it": (
        ("INSERT INTO stock_reservations (state, expires_at) VALUES ('ACTIVE', now())",),
        {"I11-units"},
    ),
    "a cart in a state that nobody knows": (
        ("UPDATE stock_reservations SET state = 'LOST' WHERE state = 'EXPIRED'",),
        {"I11-units"},
    ),
    "a cart became an order and was released": (
        (
            *without("stock_reservations", "a_reservation_that_was_taken_over_has_an_order"),
            "UPDATE stock_reservations SET order_id = (SELECT min(id) FROM orders) WHERE state = 'RELEASED'",
        ),
        {"I11-once"},
    ),
    "a cart's units ended as an order's": (
        ("UPDATE ended_allocations SET reason = 'DEALLOCATED' WHERE reason = 'RELEASED'",),
        {"I10-ended", "I11-units"},
    ),
    "an order's units ended as a cart's": (
        ("UPDATE ended_allocations SET reason = 'RELEASED' WHERE line_id IS NOT NULL",),
        {"I10-ended"},
    ),
    "an allocation that nobody holds": (
        (
            *without("allocations", "an_allocation_has_one_holder"),
            "UPDATE allocations SET reserved_line_id = NULL WHERE reserved_line_id IS NOT NULL",
        ),
        {"I2-item", "I11-units"},
    ),
    "what ended was of another item": (
        ("UPDATE ended_allocations SET item_id = 1",),
        {"I10-ended"},
    ),
    "what ended was nowhere": (
        ("UPDATE ended_allocations SET location_id = 77",),
        {"I10-ended"},
    ),
    "what ended has no known reason": (
        ("UPDATE ended_allocations SET reason = 'EATEN' WHERE line_id IS NOT NULL",),
        {"I10-ended"},
    ),
    "parts of one allocation ended at two places": (
        (
            """INSERT INTO ended_allocations (allocation_id, line_id, item_id, location_id, quantity, reason,
                                              allocated_at)
                SELECT e.allocation_id, e.line_id, 2, 3 - e.location_id, 1, 'EDITED', e.allocated_at
                FROM ended_allocations e WHERE NOT EXISTS (SELECT FROM allocations a WHERE a.id = e.allocation_id)
                LIMIT 1""",
        ),
        {"I10-parts"},
    ),
    "a run's event is lost": (
        ("""DELETE FROM events WHERE id = (SELECT min(id) FROM events WHERE type = 'AllocationRunProgressed')""",),
        {"I5-runs", "I6-dense"},
    ),
    "a run went on without an event": (
        ("UPDATE allocation_runs SET version = version + 1",),
        {"I5-runs"},
    ),
    "a run that has ended does not know when": (
        ("UPDATE allocation_runs SET finished_at = NULL",),
        {"I15-runs"},
    ),
    "a run has served more orders than there are": (
        ("UPDATE allocation_runs SET processed = total + 1",),
        {"I15-runs"},
    ),
    "a plan has lost its last order": (
        ("DELETE FROM planned_orders WHERE position = (SELECT max(position) FROM planned_orders)",),
        {"I8-plans"},
    ),
    "a plan has a hole": (
        ("UPDATE planned_orders SET position = 1000 WHERE position = 0",),
        {"I8-plans"},
    ),
    "a plan names an order that nobody knows": (
        ("UPDATE planned_orders SET order_id = 987654 WHERE position = 0",),
        {"I8-plans"},
    ),
    "a plan outlives its run": (
        (
            """UPDATE allocation_runs SET state = 'CANCELED', started_at = now(), finished_at = now()
               WHERE plan IS NOT NULL""",
        ),
        {"I8-plans"},
    ),
    "a run has a sequence and no report": (
        ("UPDATE allocation_runs SET plan = NULL",),
        {"I8-plans"},
    ),
    "a run counts an order twice": (
        ("""UPDATE allocation_runs SET outcomes = jsonb_build_object('ALLOCATED', processed + 1)""",),
        {"I15-runs"},
    ),
    "a webhook overtook an earlier one": (
        (
            AN_ENDPOINT,
            """INSERT INTO webhook_deliveries
                    (endpoint_id, event_id, position, type, subject, state, ended_at, attempts)
                SELECT id, n, n, 'OrderChanged', 'order 1', CASE n WHEN 1 THEN 'PENDING' ELSE 'DELIVERED' END,
                       CASE n WHEN 1 THEN NULL ELSE now() END, n - 1
                FROM webhook_endpoints, generate_series(1, 2) AS n""",
            "INSERT INTO webhook_attempts SELECT max(id), 1, now(), 1, 200, NULL FROM webhook_deliveries",
        ),
        {"I6-webhooks"},
    ),
    "a webhook is pending that the endpoint has not reached": (
        (
            AN_ENDPOINT,
            """INSERT INTO webhook_deliveries (endpoint_id, event_id, position, type, subject)
                SELECT id, 4, 4, 'OrderChanged', 'order 1' FROM webhook_endpoints""",
        ),
        {"I6-reached"},
    ),
    "an endpoint has reached what is not in the log": (
        (AN_ENDPOINT, "UPDATE webhook_endpoints SET position = 1000000"),
        {"I6-reached"},
    ),
    "an alert was raised without an event": (
        (AN_ALERT,),
        {"I5-alerts"},
    ),
    "an alert was resolved that is open": (
        (
            AN_ALERT,
            """INSERT INTO events (type, payload) SELECT t, jsonb_build_object('alert_id', a.id)
                FROM alerts a, unnest(ARRAY['AlertRaised', 'AlertResolved']) AS t""",
        ),
        {"I5-alerts"},
    ),
    "an alert was raised twice": (
        (
            AN_ALERT,
            """INSERT INTO events (type, payload) SELECT 'AlertRaised', jsonb_build_object('alert_id', a.id)
                FROM alerts a, generate_series(1, 2)""",
        ),
        {"I5-alerts"},
    ),
    "somebody has read what is not in the log": (
        ("INSERT INTO log_readers (name, position) VALUES ('notices', 1000000)",),
        {"I6-read"},
    ),
    "a mail was sent that nobody tried": (
        (
            """INSERT INTO mails
                    (once, about, topic, audience, recipient, subject, text, html, event_id, state, ended_at)
                VALUES ('x', 'x', 'ORDER_PLACED', 'CUSTOMER', 'a@b.example', '', '', '', 1, 'SENT', now())""",
        ),
        {"I15-mails"},
    ),
    "an attempt is not logged": (
        (
            AN_ENDPOINT,
            """INSERT INTO webhook_deliveries (endpoint_id, type, subject, attempts)
                SELECT id, 'WebhookTest', 'test', 1 FROM webhook_endpoints""",
        ),
        {"I8-attempts"},
    ),
    "a webhook is delivered that never got through": (
        (
            AN_ENDPOINT,
            """INSERT INTO webhook_deliveries (endpoint_id, type, subject, state, ended_at)
                SELECT id, 'WebhookTest', 'test', 'DELIVERED', now() FROM webhook_endpoints""",
        ),
        {"I8-attempts"},
    ),
    "an order in a state that there is not": (
        (f"UPDATE orders SET status = 'LOST' WHERE id = {STRONG}",),
        {"I15-known", "I15-allocated"},
    ),
    "a draft holds an allocation": (
        (f"UPDATE orders SET status = 'DRAFT' WHERE id = {STRONG}",),
        {"I15-allocated"},
    ),
    "a schedule waits for an order that a run has looked at": (
        (
            *without("orders", "a_schedule_ends_when_a_run_looks_at_the_order"),
            f"UPDATE orders SET allocate_after = now() WHERE id = {STRONG}",
        ),
        {"I15-scheduled"},
    ),
    "an order was split off a younger one": (
        (f"UPDATE orders SET split_from = (SELECT max(id) FROM orders) WHERE id = {STRONG}",),
        {"I15-split"},
    ),
    "an order was split off one of another channel": (
        (
            "INSERT INTO channels (code, name) VALUES ('OTHER', 'Other')",
            """UPDATE orders SET channel_id = (SELECT max(id) FROM channels), split_from = (SELECT min(id) FROM orders)
                WHERE id = (SELECT max(id) FROM orders WHERE split_from IS NULL)""",
        ),
        {"I15-split"},
    ),
    "rules with a hole in their sequence": (
        ("UPDATE allocation_rules SET position = 7 WHERE position = 1",),
        {"I15-rules"},
    ),
    "a schedule that never comes": (
        (
            *without("allocation_rules", "only_a_schedule_has_minutes"),
            "UPDATE allocation_rules SET every_minutes = NULL",
        ),
        {"I15-rules"},
    ),
    "a rule that does something unknown": (
        (
            *without("allocation_rules", "only_a_schedule_has_minutes"),
            "UPDATE allocation_rules SET allocate_when = 'SOMETIMES' WHERE position = 0",
        ),
        {"I15-rules"},
    ),
    "a rule whose value has no currency": (
        (
            *without("allocation_rules", "a_value_has_a_currency"),
            "UPDATE allocation_rules SET value_from = 1 WHERE position = 0",
        ),
        {"I15-rules"},
    ),
    "a void order has something open": (
        ("UPDATE order_lines SET canceled = 0 WHERE canceled > 0",),
        {"I15-void"},
    ),
}


PART, WHOLE = (f"(SELECT id FROM orders WHERE number = '{number}')" for number in ("PART", "WHOLE"))
BREAKAGES |= {
    "an order is paid that nobody has paid": (
        (f"UPDATE orders SET payment_status = 'PAID' WHERE id = {PART}",),
        {"I5-paid"},
    ),
    "a line costs more than when its payment status was computed": (
        (f"UPDATE order_lines SET unit_price = 10.50 WHERE order_id = {WHOLE}",),
        {"I5-paid"},
    ),
    "a payment is in another currency than its order": (
        (f"UPDATE payments SET currency_code = 'EUR' WHERE order_id = {PART}",),
        {"I10-payments"},
    ),
    "more went back than was paid": (
        (
            f"""INSERT INTO payments (order_id, kind, amount, currency_code, method, occurred_at, actor, request)
                VALUES ({PART}, 'REFUND', 7, 'GBP', 'bank', now(), 'tester', 'a test')""",
            f"UPDATE orders SET payment_status = 'PARTIALLY_REFUNDED' WHERE id = {PART}",
        ),
        {"I10-payments"},
    ),
    "money came from nowhere": (
        ("UPDATE payments SET amount = amount - 0.01 WHERE kind = 'MOVED_OUT'",),
        {"I10-moved"},
    ),
    "a line is in another currency than its order": (
        (f"UPDATE order_lines SET currency_code = 'EUR' WHERE order_id = {PART}",),
        {"I15-currency"},
    ),
    "a payment status that there is not": (
        (f"UPDATE orders SET payment_status = 'MAYBE' WHERE id = {PART}",),
        {"I15-currency", "I5-paid"},
    ),
    "a hold that ended before it began": (
        ("UPDATE order_holds SET released_at = placed_at - interval '1 day' WHERE released_at IS NOT NULL",),
        {"I14-holds"},
    ),
    "a hold that nobody ended": (
        (
            *without("order_holds", "a_hold_that_ended_was_ended_by_somebody"),
            "UPDATE order_holds SET released_by = NULL",
        ),
        {"I14-holds"},
    ),
    "an order is held twice for the same": (
        (
            "DROP INDEX order_holds_active_key",
            f"INSERT INTO order_holds (order_id, reason, placed_by) SELECT {PART}, 'MANUAL_REVIEW', 'tester'",
        ),
        {"I14-holds"},
    ),
    "hold rules with a hole in their sequence": (
        ("UPDATE hold_rules SET position = 7 WHERE position = 1",),
        {"I15-hold-rules"},
    ),
    "a hold rule whose bound has no currency": (
        (
            *without("hold_rules", "a_bound_has_a_currency"),
            "UPDATE hold_rules SET discount_from = 1 WHERE position = 0",
        ),
        {"I15-hold-rules"},
    ),
}


@pytest.mark.parametrize(("statements", "expected"), BREAKAGES.values(), ids=BREAKAGES)
async def test_exactly_the_invariants_that_something_breaks_report_it(world_engine, statements, expected):
    async with world_engine.connect() as connection:
        assert await broken_by(connection, *statements) == expected


def test_every_invariant_about_payments_and_holds_is_broken_by_something():
    broken = set().union(*(expected for _, expected in BREAKAGES.values()))

    assert {one.id for one in INVARIANTS} - broken == set()


FORGOTTEN = (
    """UPDATE log_start SET position = 40""",
    """DELETE FROM events WHERE position <= 40""",
)


async def test_every_invariant_holds_wherever_the_log_is_cut(world_engine):
    async with world_engine.connect() as connection:
        end = (await connection.execute(text("SELECT position FROM log_end"))).scalar_one()
        assert end > 60
        for start in range(1, end + 1):
            cut = (
                f"UPDATE log_start SET position = {start}",
                f"DELETE FROM events WHERE position <= {start}",
            )
            assert await broken_by(connection, *cut) == set(), start


async def test_what_is_kept_for_webhooks_alone_breaks_nothing(world_engine):
    async with world_engine.connect() as connection:
        kept = "DELETE FROM events WHERE position <= 40 AND position % 3 > 0"

        assert await broken_by(connection, "UPDATE log_start SET position = 40", kept) == set()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM events WHERE position = 45", {"I6-dense"}),
        ("UPDATE log_start SET position = 39", {"I6-dense"}),
        ("UPDATE log_start SET position = 10000", {"I6-end"}),
        ("DELETE FROM log_start", {"I6-end"}),
        ("UPDATE orders SET version = version + 1", {"I5-versions"}),
        ("UPDATE stock_levels SET version = version + 1", {"I5-levels"}),
        ("UPDATE allocation_runs SET version = version + 1", {"I5-runs"}),
    ],
)
async def test_a_log_that_was_cut_still_shows_what_is_broken(world_engine, statement, expected):
    async with world_engine.connect() as connection:
        assert expected <= await broken_by(connection, *FORGOTTEN, statement)


def test_every_invariant_is_broken_by_something():
    assert {one.id for one in INVARIANTS} == set().union(*(expected for _, expected in BREAKAGES.values()))


def test_every_invariant_has_an_id_of_its_own_and_a_sentence():
    assert len({one.id for one in INVARIANTS}) == len(INVARIANTS)
    assert all(one.statement.endswith(".") for one in INVARIANTS)


@pytest.mark.breaks_invariants
async def test_verify_names_the_invariant_and_shows_some_of_the_rows(engine):
    async with engine.begin() as connection:
        await connection.execute(
            text(
                """INSERT INTO idempotency_keys (owner_id, mutation, key, fingerprint)
                SELECT 1, 'placeOrder', CAST(n AS text), '' FROM generate_series(10, 40) AS n"""
            )
        )

    (broken,) = await verify(engine, most_rows=5)

    assert broken.invariant.id == "I7"
    assert len(broken.rows) == 5
    assert set(broken.rows[0]) == {"owner_id", "mutation", "key", "created_at"}
    async with engine.connect() as connection:
        assert [len(one.rows) for one in await verify(connection)] == [20]


async def test_verify_looks_at_one_snapshot_and_cannot_write(world_engine, monkeypatch):
    seen = []
    execute = AsyncConnection.execute

    async def spy(self, *args, **more):
        if "INVARIANTS" not in seen:
            shown = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
            seen.extend((await execute(self, text(shown))).one())
            seen.append("INVARIANTS")
        return await execute(self, *args, **more)

    monkeypatch.setattr(AsyncConnection, "execute", spy)

    assert await verify(world_engine) == []
    assert seen == ["repeatable read", "on", "INVARIANTS"]


async def test_a_connection_that_verified_writes_again_afterwards(engine):
    assert await verify(engine) == []

    async with engine.begin() as connection:
        isolation = await connection.execute(text("SHOW transaction_isolation"))
        assert isolation.scalar_one() == "read committed"
        await connection.execute(text("UPDATE log_end SET position = 0"))
