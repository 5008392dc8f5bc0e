"""Goods on their way back, and whoever else moves them at the same moment: each unit comes back once, or not at all.

Each race is run in both sequences, by letting both wait for the lock of the SKU, and then many times at once, on
databases of their own. That each fails on naive code is shown by the twins of `proof/naive.py` whose names begin with
29.
"""

from collections import Counter

import pytest

from domain.errors import OrderNotInState, QuantityAlreadyShipped, QuantityNotReturnable, ReturnNotInState
from domain.events import OrderChanged, ReturnChanged
from domain.kinds import AllocationStatus, InspectionOutcome, OrderChange, OrderStatus, ReturnState
from persistence.verify import verify
from services.runs import run_waiting_orders
from tests.builders import a_catalog, allocated, counted, events_now, level_now, order_now, status_now, voided
from tests.persistence.racing import PATIENT, PROCESSES, send_back, together
from tests.persistence.turns import BOTH_WAYS, in_either_turn, in_turn, is_refused, told
from tests.warehousing import (
    asked_back,
    bought,
    called_off,
    came_back,
    delivered,
    fulfillments_now,
    left,
    looked_at,
    packed,
    picked,
    return_now,
    returns_now,
    shipped,
    to_warehouse,
)

State = ReturnState
MANY = 8
"""Returns, each with a race of its own, all at once."""


@pytest.fixture
async def rivals(databases):
    """Two who know nothing of each other, and who have the time that a busy machine takes."""
    return [databases(deadline_seconds=PATIENT.deadline_seconds, timeouts=PATIENT) for _ in range(2)]


@pytest.fixture(autouse=True)
async def sound(engine):
    """Whoever won, everything that must be true is true."""
    yield
    assert await verify(engine) == []


@pytest.fixture
async def chairs(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("CHAIR", "YORK"): 0})


# ---------------------------------------------------------------- asking goods back


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_l9_l11_goods_may_be_asked_back_while_they_are_delivered_and_both_happen(
    database, caller, engine, rivals, reverse
):
    order, line = await left(database, caller, 2)
    (sent,) = await fulfillments_now(database, order)

    deliver, ask = await in_either_turn(
        engine,
        database,
        delivered(rivals[0], caller, sent.id),
        asked_back(rivals[1], caller, order, line, 2),
        reverse=reverse,
    )

    assert not is_refused(deliver)
    assert (await order_now(database, order)).status is OrderStatus.FULFILLED
    assert (await return_now(database, ask)).state is State.REQUESTED
    changes = [event.changes for event in await events_now(engine, OrderChanged)]
    delivering = next(at for at, one in enumerate(changes) if OrderChange.DELIVERED in one)
    asking = next(at for at, one in enumerate(changes) if OrderChange.RETURN_CHANGED in one)
    assert (asking < delivering) is reverse


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_l11_what_is_asked_back_while_it_leaves_has_left_or_cannot_come_back(
    database, caller, engine, rivals, reverse
):
    order = await bought(database, caller, {"CHAIR": 2})
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    await picked(database, caller, order)
    await packed(database, caller, one)
    (sent,) = await fulfillments_now(database, order)

    ship, ask = await in_either_turn(
        engine,
        database,
        shipped(rivals[0], caller, one),
        asked_back(rivals[1], caller, order, sent.lines[0].line, 1),
        reverse=reverse,
    )

    assert not is_refused(ship)
    assert isinstance(ask, QuantityNotReturnable) is reverse
    assert len(await returns_now(database, order)) == (0 if reverse else 1)


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_i14_an_order_is_voided_or_comes_back_and_never_both(database, caller, engine, rivals, reverse):
    order, line = await left(database, caller, 1)
    kept = await bought(database, caller, {"CHAIR": 1})
    (other,) = (await database.read(lambda uow: uow.orders.lines_of([kept])))[:1]

    void, ask = await in_either_turn(
        engine, database, voided(rivals[0], caller, order), asked_back(rivals[1], caller, order, line, 1),
        reverse=reverse,
    )  # fmt: skip
    gone, nothing = await in_either_turn(
        engine, database, voided(rivals[0], caller, kept), asked_back(rivals[1], caller, kept, other.id, 1),
        reverse=reverse,
    )  # fmt: skip

    assert (type(void), is_refused(ask)) == (QuantityAlreadyShipped, False)
    assert (is_refused(gone), type(nothing)) == (False, QuantityNotReturnable)
    assert (await order_now(database, kept)).status is OrderStatus.VOID


@pytest.mark.usefixtures("chairs")
async def test_l11_of_two_who_ask_for_the_same_units_the_second_is_told_how_many_are_left(
    database, caller, engine, rivals
):
    order, line = await left(database, caller, 3)

    first, second = await in_turn(engine, database, *(asked_back(one, caller, order, line, 2) for one in rivals))

    assert not is_refused(first)
    assert isinstance(second, QuantityNotReturnable)
    assert [(one.requested, one.returnable) for one in second.lines] == [(2, 1)]


# ---------------------------------------------------------------- receive against cancel


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_i14_of_who_receives_a_return_and_who_cancels_it_the_first_one_wins(
    database, caller, engine, rivals, reverse
):
    one = await asked_back(database, caller, *await left(database, caller, 2), 2)

    receive, cancel = await in_either_turn(
        engine, database, came_back(rivals[0], caller, one), called_off(rivals[1], caller, one), reverse=reverse
    )

    loser = receive if reverse else cancel
    assert isinstance(loser, ReturnNotInState)
    assert is_refused(receive) is reverse
    now = await return_now(database, one)
    assert (now.state, now.lines[0].received) == ((State.CANCELED, 0) if reverse else (State.RECEIVED, 2))


@pytest.mark.usefixtures("chairs")
async def test_l11_of_two_who_receive_the_same_units_the_second_is_told(database, caller, engine, rivals):
    one = await asked_back(database, caller, *await left(database, caller, 3), 3)

    first, second = await in_turn(engine, database, *(came_back(rival, caller, one, 2) for rival in rivals))

    assert not is_refused(first)
    assert isinstance(second, QuantityNotReturnable)
    assert (await return_now(database, one)).lines[0].received == 2


# ---------------------------------------------------------------- two who look at the same units


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_i10_of_two_who_inspect_the_same_units_one_does_and_they_become_stock_once(
    database, caller, engine, rivals, reverse
):
    one = await asked_back(database, caller, *await left(database, caller, 2), 2)
    await came_back(database, caller, one)

    resell, discard = await in_either_turn(
        engine,
        database,
        looked_at(rivals[0], caller, one, 2),
        looked_at(rivals[1], caller, one, 1, InspectionOutcome.DISCARD),
        reverse=reverse,
    )

    assert (is_refused(resell), is_refused(discard)) == (reverse, not reverse)
    assert (await level_now(database, "CHAIR")).on_hand == (3 if reverse else 5)
    (line,) = (await return_now(database, one)).lines
    assert (line.resold, line.discarded) == ((0, 1) if reverse else (2, 0))


async def test_i10_in_four_processes_each_unit_that_comes_back_becomes_stock_once(
    database, caller, database_url, engine, pool
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 25})
    one = await asked_back(database, caller, *await left(database, caller, 20), 20)

    done = sum(together(pool, send_back, database_url, *[(one, 12)] * PROCESSES), Counter())

    assert (done["received"], done["inspected"]) == (20, 20)
    assert (await level_now(database, "CHAIR")).on_hand == 25
    now = await return_now(database, one)
    assert (now.state, now.lines[0].received, now.lines[0].resold) == (State.INSPECTED, 20, 20)
    versions = [event.return_version for event in await events_now(engine, ReturnChanged)]
    assert versions == list(range(1, now.version + 1))


# ---------------------------------------------------------------- stock that comes back while somebody wants it


@pytest.mark.usefixtures("chairs")
@BOTH_WAYS
async def test_o8_who_wants_what_comes_back_gets_it_at_once_or_in_the_turn_of_who_waits(
    database, caller, engine, rivals, reverse
):
    one = await asked_back(database, caller, *await left(database, caller, 5), 2)
    await came_back(database, caller, one)
    waiting = await bought(database, caller, {"CHAIR": 2})
    await run_waiting_orders(database, caller)
    assert await status_now(database, waiting) is AllocationStatus.COULD_NOT_ALLOCATE

    inspect, run = await in_either_turn(
        engine, database, looked_at(rivals[0], caller, one, 2), allocated(rivals[1], caller, waiting), reverse=reverse
    )

    assert not is_refused(inspect)
    assert run[0].after is (AllocationStatus.COULD_NOT_ALLOCATE if reverse else AllocationStatus.ALLOCATED)
    await run_waiting_orders(database, caller)
    assert await status_now(database, waiting) is AllocationStatus.ALLOCATED


async def test_everything_at_once_to_one_return_leaves_it_in_one_piece(database, caller, rivals):
    """Whatever comes first: each is done as a whole or refused."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 6 * MANY, ("CHAIR", "YORK"): 0})
    deeds = []
    for at in range(MANY):
        order, line = await left(database, caller, 4)
        one = await asked_back(database, caller, order, line, 3)
        (sent,) = await fulfillments_now(database, order)
        of_this = [
            came_back(rivals[0], caller, one, 2),
            came_back(rivals[1], caller, one),
            looked_at(rivals[0], caller, one, 1),
            looked_at(rivals[1], caller, one, 2, InspectionOutcome.QUARANTINE, "YORK"),
            called_off(rivals[0], caller, one),
            delivered(rivals[1], caller, sent.id),
            asked_back(rivals[0], caller, order, line, 2),
            voided(rivals[1], caller, order),
        ]
        deeds += of_this[at % 8 :] + of_this[: at % 8]
    deeds.append(counted(rivals[0], caller, {"CHAIR": MANY}))

    answers = await told(*deeds)

    refused = {type(one) for one in answers if is_refused(one)}
    assert refused <= {QuantityNotReturnable, ReturnNotInState, QuantityAlreadyShipped, OrderNotInState}
