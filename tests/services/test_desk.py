"""The desk: requests that come together become one transaction, and each is answered as if it had come alone."""

import asyncio
import logging
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import IdempotencyKeyReused, InvalidInput, NotFound, OrderNotInState, OrderVersionConflict
from domain.events import OrderChanged
from domain.ids import OrderId, Sku
from domain.kinds import AllocationStatus, LocationKind, OrderChange
from domain.orders import NewLine, NewOrder
from persistence.database import PostgresDatabase, connect
from services.allocation import AllocateOrder, AllocateOrders, DeallocateOrders, allocate_orders, deallocate_orders
from services.bundles import LineQuantity
from services.catalog import save_locations
from services.desk import Desk
from services.fulfillments import DropshipOrder, dropship_order
from services.orders import EditOrder, Place, edit_order, place_order, void_order
from services.ports.database import Busy, OutcomeUnknown
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    claims_now,
    counted,
    events_now,
    everything,
    lines_now,
    order_now,
    placed,
    quantities_now,
    status_now,
    statuses_now,
)
from tests.gql.proxy import Ambush, proxied

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


def a_run(*orders: OrderId) -> AllocateOrders:
    return AllocateOrders(orders=tuple(AllocateOrder(order=by_id(order)) for order in orders))


def new_order(number: str) -> NewOrder:
    return NewOrder(channel="SHOP", number=number, lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))


async def at_once(*requests):
    """Requests that reach the desk before it looks up."""
    return await asyncio.gather(*requests, return_exceptions=True)


@pytest.fixture
async def desk(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    return Desk(database)


async def test_requests_that_come_together_are_one_transaction(database, caller, desk):
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(5)]

    answers = await at_once(*(allocate_orders(desk, caller, a_run(order), a_key()) for order in orders))

    assert (desk.batches, desk.requests) == (1, 5)
    assert [answer.results[0].after for answer in answers] == [ALLOCATED] * 3 + [COULD_NOT] * 2


async def test_requests_that_come_while_a_batch_is_in_flight_are_the_next_one(database, caller, desk):
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(4)]
    run = database.run

    async def held(work, **more):
        database.run = run
        later.extend(asyncio.create_task(allocate_orders(desk, caller, a_run(order), a_key())) for order in orders[1:])
        await asyncio.sleep(0)
        return await run(work, **more)

    later = []
    database.run = held
    await allocate_orders(desk, caller, a_run(orders[0]), a_key())
    await asyncio.gather(*later)

    assert (desk.batches, desk.requests) == (2, 4)
    assert await statuses_now(database, *orders) == [ALLOCATED] * 3 + [COULD_NOT]


async def test_a_refusal_of_one_request_touches_no_other(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 1})
    (line,) = await lines_now(database, order)
    too_much = EditOrder(order=by_id(OrderId(77)), lines=(LineQuantity(line=line.id, quantity=2),))

    refused, done, unknown, placed_now = await at_once(
        edit_order(desk, caller, too_much, a_key()),
        allocate_orders(desk, caller, a_run(order), a_key()),
        place_order(desk, caller, NewOrder(channel="S", number="1", lines=(NewLine(sku=Sku("X"), quantity=1),)), "k"),
        place_order(desk, caller, new_order("N1"), a_key()),
    )

    assert desk.batches == 1
    assert isinstance(refused, NotFound)
    assert isinstance(unknown, NotFound)
    assert done.results[0].after is ALLOCATED
    assert await status_now(database, placed_now.order) is UNALLOCATED


async def test_twins_that_come_together_have_one_effect_and_break_no_batch(database, caller, desk, caplog):
    with caplog.at_level(logging.WARNING, "dibs.desk"):
        answers = await at_once(*(place_order(desk, caller, new_order("N1"), "a key") for _ in range(50)))

    assert caplog.text == ""
    assert answers == [answers[0]] * 50
    assert len(await events_now(database.engine, OrderChanged)) == 1


async def test_a_key_that_comes_again_with_other_input_is_refused_alone(database, caller, desk):
    done, reused, other = await at_once(
        place_order(desk, caller, new_order("N1"), "a key"),
        place_order(desk, caller, new_order("N2"), "a key"),
        place_order(desk, caller, new_order("N3"), "another key"),
    )

    assert isinstance(reused, IdempotencyKeyReused)
    assert done.order != other.order


async def test_of_two_edits_that_expect_the_same_version_one_is_told_that_it_has_changed(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 1})
    edits = [EditOrder(order=by_id(order), expected_version=1, terms={"priority": priority}) for priority in (1, 2)]

    first, second = await at_once(*(edit_order(desk, caller, edit, a_key()) for edit in edits))

    assert first.order == order
    assert isinstance(second, OrderVersionConflict)
    assert (await order_now(database, order)).priority == 1


async def test_a_request_is_told_the_status_that_the_ones_before_it_left(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 1})

    first, second, third = await at_once(
        allocate_orders(desk, caller, a_run(order), a_key()),
        deallocate_orders(desk, caller, DeallocateOrders(orders=(by_id(order),)), a_key()),
        allocate_orders(desk, caller, a_run(order), a_key()),
    )

    assert desk.batches == 1
    assert [(one.results[0].before, one.results[0].after) for one in (first, second, third)] == [
        (UNALLOCATED, ALLOCATED),
        (ALLOCATED, UNALLOCATED),
        (UNALLOCATED, ALLOCATED),
    ]
    assert (await order_now(database, order)).version == 2
    assert await quantities_now(database, "CHAIR") == (3, 1, 2, 0)


async def test_a_request_sees_the_flags_that_the_ones_before_it_lifted(database, caller, desk):
    strong, weak = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    await allocated(database, caller, strong, weak)
    await counted(database, caller, {"CHAIR": 1})
    (claim,) = await claims_now(database, weak)

    _, run = await at_once(
        void_order(desk, caller, by_id(strong), "no", a_key()),
        allocate_orders(desk, caller, a_run(weak), a_key()),
    )

    assert desk.batches == 1
    assert (run.results[0].before, run.results[0].after) == (ALLOCATED, ALLOCATED)
    assert [(one.id, one.overallocated) for one in await claims_now(database, weak)] == [(claim.id, 0)]


async def test_i14_an_order_that_two_void_together_is_voided_once(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    first, second, late = await at_once(
        void_order(desk, caller, by_id(order), "first", a_key()),
        void_order(desk, caller, by_id(order), "second", a_key()),
        allocate_orders(desk, caller, a_run(order), a_key()),
    )

    assert first.order == order
    assert isinstance(second, OrderNotInState)
    assert isinstance(late.results[0].refusal, OrderNotInState)
    assert (await events_now(database.engine, OrderChanged))[-1].changes == (
        OrderChange.VOIDED,
        OrderChange.ALLOCATIONS_CHANGED,
    )


async def test_edits_that_come_together_build_on_each_other(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 3})
    await allocated(database, caller, order)
    (line,) = await lines_now(database, order)

    def edit(quantity, **terms):
        lines = (LineQuantity(line=line.id, quantity=quantity), NewLine(sku=Sku("CHAIR"), quantity=quantity))
        return edit_order(desk, caller, EditOrder(order=by_id(order), lines=lines, terms=terms), a_key())

    await at_once(edit(2, priority=4), edit(1, tags=("a",)))

    now = await order_now(database, order)
    assert (now.priority, now.tags, now.version, now.allocation_status) == (4, ("a",), 3, PARTIALLY)
    lines = await lines_now(database, order)
    assert [(one.quantity, one.allocated) for one in lines] == [(1, 1), (2, 1), (1, 0)]


async def test_a_line_that_is_added_and_voided_in_one_batch_is_canceled(database, caller, desk):
    order = await placed(database, caller, {"CHAIR": 1})
    edit = EditOrder(order=by_id(order), lines=(NewLine(sku=Sku("CHAIR"), quantity=2),))

    await at_once(
        edit_order(desk, caller, edit, a_key()),
        void_order(desk, caller, by_id(order), "no", a_key()),
    )

    assert desk.batches == 1
    assert [(line.quantity, line.canceled) for line in await lines_now(database, order)] == [(1, 1), (2, 2)]


async def test_a_line_that_is_added_and_dropshipped_in_one_batch_is_the_suppliers(database, caller, desk):
    await save_locations(database, [{"code": "DEPOT", "name": "Depot", "kind": LocationKind.DROPSHIP}])
    order = await placed(database, caller, {"CHAIR": 1})
    edit = EditOrder(order=by_id(order), lines=(NewLine(sku=Sku("CHAIR"), quantity=2),))

    await at_once(
        edit_order(desk, caller, edit, a_key()),
        dropship_order(desk, caller, DropshipOrder(order=by_id(order), supplier="DEPOT"), a_key()),
    )

    assert desk.batches == 1
    assert [line.dropshipped for line in await lines_now(database, order)] == [1, 2]


async def test_orders_of_one_number_that_come_together_are_placed_once(database, caller, desk):
    answers = await at_once(*(place_order(desk, caller, new_order("N1"), a_key()) for _ in range(3)))

    assert desk.batches == 1
    assert [type(answer).__name__ for answer in answers] == ["OrderDone", "OrderAlreadyPlaced", "OrderAlreadyPlaced"]
    assert {answer.order for answer in answers} == {answers[0].order}


async def test_a_request_that_breaks_fails_alone(database, caller, desk, monkeypatch, caplog):
    order = await placed(database, caller, {"CHAIR": 1})
    decide = Place.decide

    def broken(self, batch, known):
        if self.order.number == "BAD":
            raise ZeroDivisionError
        return decide(self, batch, known)

    monkeypatch.setattr(Place, "decide", broken)
    with caplog.at_level(logging.WARNING, "dibs.desk"):
        bad, good, run = await at_once(
            place_order(desk, caller, new_order("BAD"), a_key()),
            place_order(desk, caller, new_order("GOOD"), a_key()),
            allocate_orders(desk, caller, a_run(order), a_key()),
        )

    assert isinstance(bad, ZeroDivisionError)
    assert await status_now(database, good.order) is UNALLOCATED
    assert run.results[0].after is ALLOCATED
    assert "one by one" in caplog.text


async def test_too_many_who_wait_are_told_to_come_again_with_nothing_written(database, caller, desk):
    small = Desk(database, queue_max=2)

    answers = await at_once(*(place_order(small, caller, new_order(f"N{one}"), a_key()) for one in range(4)))

    assert [type(answer).__name__ for answer in answers] == ["OrderDone", "OrderDone", "Busy", "Busy"]
    assert len(await events_now(database.engine, OrderChanged)) == 2
    assert isinstance(answers[2], Busy)


async def test_whoever_stops_waiting_disturbs_nobody_and_the_key_tells_the_outcome(database, caller, desk):
    impatient = asyncio.create_task(place_order(desk, caller, new_order("N1"), "a key"))
    patient = asyncio.create_task(place_order(desk, caller, new_order("N2"), a_key()))
    await asyncio.sleep(0)
    impatient.cancel()

    await patient
    await desk.close()

    assert impatient.cancelled()
    assert len(await events_now(database.engine, OrderChanged)) == 2
    assert (await place_order(desk, caller, new_order("N1"), "a key")).order != patient.result().order


async def test_a_malformed_key_is_refused_before_it_is_in_anybodys_way(database, caller, desk):
    before = await everything(database.engine)

    with pytest.raises(InvalidInput):
        await place_order(desk, caller, new_order("N1"), "\x00")

    assert desk.requests == 0
    assert await everything(database.engine) == before


@pytest.mark.parametrize("after", [False, True])
async def test_i7_a_batch_whose_commit_has_no_answer_has_one_effect_each(database, caller, desk, monkeypatch, after):
    commit, lost = AsyncConnection.commit, []

    async def lossy(self):
        if lost:
            return await commit(self)
        lost.append("COMMIT")
        if after:
            await commit(self)
        raise ConnectionResetError

    monkeypatch.setattr(AsyncConnection, "commit", lossy)
    answers = await at_once(*(place_order(desk, caller, new_order(f"N{one}"), a_key()) for one in range(3)))

    assert lost == ["COMMIT"]
    orders = [event.order_id for event in await events_now(database.engine, OrderChanged)]
    assert sorted(answer.order for answer in answers) == sorted(orders)


async def test_what_has_no_key_and_whose_commit_has_no_answer_is_not_done_again(database, caller, desk, monkeypatch):
    commit, lost = AsyncConnection.commit, []

    async def lossy(self):
        await commit(self)
        if not lost:
            lost.append("COMMIT")
            raise ConnectionResetError

    monkeypatch.setattr(AsyncConnection, "commit", lossy)
    answers = await at_once(
        *(desk.perform(caller, Place(order=new_order(f"N{one}")), None) for one in range(2)),
        place_order(desk, caller, new_order("N2"), a_key()),
    )

    assert [type(answer) for answer in answers[:2]] == [OutcomeUnknown] * 2
    assert len(await events_now(database.engine, OrderChanged)) == 3


async def test_a_batch_that_is_committed_is_not_called_busy_because_it_cannot_be_looked_up(
    database, caller, database_url
):
    """It is done, nobody is told, and then the database is out of reach."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    keys = [a_key() for _ in range(3)]

    async with proxied(database_url, partial(Ambush, tells=False)) as (road, url):
        engine = connect(url)
        desk = Desk(PostgresDatabase(engine))
        asking = [place_order(desk, caller, new_order(f"N{one}"), key) for one, key in enumerate(keys)]
        answers = await at_once(*asking)
        await engine.dispose()

    assert road.sprung
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 3
    orders = [event.order_id for event in await events_now(database.engine, OrderChanged)]
    again = [await place_order(Desk(database), caller, new_order(f"N{one}"), key) for one, key in enumerate(keys)]
    assert [answer.order for answer in again] == orders
