"""Supplies and transfers, on a real PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidInput,
    NotFound,
    SupplyAlreadyExpected,
    SupplyNotInState,
)
from domain.events import SupplyChanged
from domain.ids import SupplyId
from domain.kinds import AllocationStatus, SupplyKind, SupplyState
from persistence.tables import stock_movements
from services.desk import Desk
from services.ports.supplies import SupplyFilter, SupplyReference
from services.stock import ReceivedLine
from services.supplies import (
    CancelSupply,
    CloseSupply,
    ExpectSupply,
    ReceiveSupply,
    RescheduleSupply,
    StartTransfer,
    cancel_supply,
    close_supply,
    expect_supply,
    receive_supply,
    reschedule_supply,
    start_transfer,
)
from tests.builders import (
    NOON,
    a_catalog,
    a_key,
    allocated,
    by_reference,
    canceled,
    closed,
    events_now,
    everything,
    expected,
    level_now,
    placed,
    quantities_now,
    received_lines,
    received_of,
    rescheduled,
    sent,
    status_now,
    supply_now,
)

STOCK = {("CHAIR", "LEEDS"): 10, ("TABLE", "LEEDS"): 0, ("CHAIR", "YORK"): 0}
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture(autouse=True)
async def stocked(database, caller):
    await a_catalog(database, caller, STOCK)


async def lines_of(database, reference):
    """Announced, received, canceled, lost and open units of each line."""
    lines = (await supply_now(database, reference)).lines
    return [(line.quantity, line.received, line.canceled, line.lost, line.open) for line in lines]


async def state_of(database, reference):
    return (await supply_now(database, reference)).state


async def ledger(engine):
    """What names a supply."""
    table = stock_movements.c
    columns = select(table.change, table.balance, table.cause, table.reference, table.actor, table.request)
    async with engine.connect() as connection:
        rows = await connection.execute(columns.where(table.supply_id.is_not(None)).order_by(table.id))
        return [tuple(row) for row in rows]


async def items_of(database, *skus):
    return await database.read(lambda uow: uow.catalog.items_by_sku(list(skus)))


async def open_lines(database, *skus):
    """SKU, location, open units, date and supply, the earliest first."""
    items = await items_of(database, *skus)
    names = {item: sku for sku, item in items.items()}
    places = {place.id: place.code for place in await database.read(lambda uow: uow.catalog.locations())}
    found = await database.read(lambda uow: uow.supplies.open_lines(list(items.values())))
    return [(names[one.item], places[one.location], one.open, one.expected_at, one.supply) for one in found]


async def incoming(database, sku, location="LEEDS"):
    key = (await level_now(database, sku, location)).key
    return (await database.read(lambda uow: uow.supplies.incoming([key]))).get(key, 0)


# ---------------------------------------------------------------- purchase orders


async def test_a_purchase_order_is_expected_and_moves_no_stock(database, caller, engine):
    lines = (*received_lines({"CHAIR": 2, "TABLE": 1}), ReceivedLine(sku=" CHAIR ", quantity=3))
    command = ExpectSupply(reference=" PO 7 ", location="LEEDS", expected_at=NOON, lines=lines)

    done = await expect_supply(Desk(database), caller, command, a_key())

    supply = await supply_now(database, "PO 7")
    assert (supply.id, supply.kind, supply.state, supply.version) == (
        done.supply, SupplyKind.PURCHASE_ORDER, SupplyState.EXPECTED, 1,
    )  # fmt: skip
    assert (supply.expected_at, supply.from_location) == (NOON, None)
    assert await lines_of(database, "PO 7") == [(5, 0, 0, 0, 5), (1, 0, 0, 0, 1)]
    assert await quantities_now(database, "CHAIR") == (10, 0, 10, 0)
    assert (await incoming(database, "CHAIR"), await incoming(database, "TABLE")) == (5, 1)
    assert await ledger(engine) == []


async def test_what_arrives_is_counted_until_everything_is_there(database, caller, engine):
    await expected(database, caller, {"CHAIR": 5, "TABLE": 1})

    first = await received_of(database, caller, "PO", {"CHAIR": 3})
    assert await state_of(database, "PO") is SupplyState.EXPECTED
    second = await received_of(database, caller, "PO", {"CHAIR": 4, "TABLE": 1})

    supply = await supply_now(database, "PO")
    assert first.supply == second.supply == supply.id
    assert (supply.state, supply.version) == (SupplyState.RECEIVED, 3)
    assert await lines_of(database, "PO") == [(5, 7, 0, 0, 0), (1, 1, 0, 0, 0)]
    assert await quantities_now(database, "CHAIR") == (17, 0, 17, 0)
    assert await incoming(database, "CHAIR") == 0
    assert await ledger(engine) == [
        (3, 13, "RECEIVED", "PO", "tester", "a test"),
        (4, 17, "RECEIVED", "PO", "tester", "a test"),
        (1, 1, "RECEIVED", "PO", "tester", "a test"),
    ]
    states = [(one.supply_version, one.state) for one in await events_now(engine, SupplyChanged)]
    assert states == [(1, "EXPECTED"), (2, "EXPECTED"), (3, "RECEIVED")]


async def test_a_received_supply_serves_an_order_that_lost_its_stock(database, caller):
    order = await placed(database, caller, {"CHAIR": 10})
    await allocated(database, caller, order)
    await sent(database, caller, {"CHAIR": 4})
    assert await status_now(database, order) is AllocationStatus.OVERALLOCATED
    await expected(database, caller, {"CHAIR": 4})

    await received_of(database, caller, "PO", {"CHAIR": 4})

    assert await status_now(database, order) is AllocationStatus.ALLOCATED


async def test_a_reference_is_given_once(database, caller, engine):
    first = await expected(database, caller, {"CHAIR": 5})
    before = await everything(engine)

    order = expected(database, caller, {"TABLE": 5}, key=a_key())
    transfer = sent(database, caller, {"CHAIR": 1}, reference="PO")
    for again in (order, transfer):
        with pytest.raises(SupplyAlreadyExpected) as refused:
            await again
        assert refused.value.supply == first

    now = await everything(engine)
    assert {name for name in now if now[name] != before[name]} == {"idempotency_keys"}


async def test_a_slipped_date_is_told_and_the_same_date_is_not(database, caller, engine):
    await expected(database, caller, {"CHAIR": 5})

    await rescheduled(database, caller, "PO", TOMORROW)
    await rescheduled(database, caller, "PO", TOMORROW)

    supply = await supply_now(database, "PO")
    assert (supply.expected_at, supply.version) == (TOMORROW, 2)
    _, event = await events_now(engine, SupplyChanged)
    assert (event.expected_at_before, event.expected_at, event.state) == (NOON, TOMORROW, SupplyState.EXPECTED)


async def test_what_is_canceled_or_closed_is_no_longer_expected(database, caller):
    for reference in ("A", "B"):
        await expected(database, caller, {"CHAIR": 5}, reference=reference)
        await received_of(database, caller, reference, {"CHAIR": 2})

    await canceled(database, caller, "A")
    await closed(database, caller, "B")

    assert [await state_of(database, one) for one in "AB"] == [SupplyState.CANCELED, SupplyState.RECEIVED]
    assert [await lines_of(database, one) for one in "AB"] == [[(5, 2, 3, 0, 0)]] * 2
    assert (await supply_now(database, "A")).reason == "the supplier said so"
    assert await incoming(database, "CHAIR") == 0


@pytest.mark.parametrize("end", [canceled, closed])
async def test_nothing_happens_to_a_supply_that_has_ended(database, caller, engine, end):
    supply = await expected(database, caller, {"CHAIR": 5})
    await end(database, caller, "PO")
    before = await supply_now(database, "PO")
    attempts = [
        lambda: received_of(database, caller, "PO", {"CHAIR": 1}),
        lambda: rescheduled(database, caller, "PO", TOMORROW),
        lambda: canceled(database, caller, "PO"),
        lambda: closed(database, caller, "PO"),
    ]

    for attempt in attempts:
        with pytest.raises(SupplyNotInState) as refused:
            await attempt()
        assert (refused.value.supply, refused.value.allowed) == (supply, (SupplyState.EXPECTED,))

    assert await supply_now(database, "PO") == before
    assert await quantities_now(database, "CHAIR") == (10, 0, 10, 0)


async def test_a_receipt_names_what_the_supply_does_not_bring_and_where_it_is_expected(database, caller, engine):
    await expected(database, caller, {"CHAIR": 5})
    before = await everything(engine)

    with pytest.raises(InvalidInput) as refused:
        await received_of(database, caller, "PO", {"CHAIR": 1, "TABLE": 1}, location="YORK")

    found = [(".".join(one.path), one.code) for one in refused.value.problems]
    assert found == [("input.location", "NOT_EXPECTED"), ("input.lines.1.sku", "NOT_EXPECTED")]
    assert await everything(engine) == before


async def test_everything_unknown_is_named(database, caller, engine):
    before = await everything(engine)
    nowhere = ("NOWHERE", "NEVER")
    attempts = [
        (lambda: expected(database, caller, {"X": 1, "CHAIR": 1}, location="NOWHERE"), ("NOWHERE", "X")),
        (lambda: sent(database, caller, {"X": 1, "CHAIR": 1}, ends=nowhere), ("NOWHERE", "NEVER", "X")),
        (lambda: received_of(database, caller, "GONE", {"X": 1}, location="NOWHERE"), ("GONE", "NOWHERE", "X")),
        (lambda: rescheduled(database, caller, "GONE", NOON), ("GONE",)),
        (lambda: canceled(database, caller, "GONE"), ("GONE",)),
        (lambda: closed(database, caller, "GONE"), ("GONE",)),
    ]

    for attempt, references in attempts:
        with pytest.raises(NotFound) as refused:
            await attempt()
        assert refused.value.references == references

    assert await everything(engine) == before


async def test_a_supply_is_named_by_its_id_as_well(database, caller):
    supply = await expected(database, caller, {"CHAIR": 5})

    done = await cancel_supply(
        Desk(database), caller, CancelSupply(supply=SupplyReference(id=supply), reason="no"), a_key()
    )

    assert done.supply == supply
    unknown = SupplyReference(id=SupplyId(77), given="U3VwcGx5Ojc3")
    with pytest.raises(NotFound) as refused:
        await cancel_supply(Desk(database), caller, CancelSupply(supply=unknown, reason="no"), a_key())
    assert refused.value.references == ("U3VwcGx5Ojc3",)


# ---------------------------------------------------------------- transfers


async def test_i10_units_of_a_transfer_are_on_hand_or_in_transit_and_never_both(database, caller, engine):
    outcome = await sent(database, caller, {"CHAIR": 6})

    assert outcome.levels == ((await level_now(database, "CHAIR")).key,)
    assert await quantities_now(database, "CHAIR", "LEEDS") == (4, 0, 4, 0)
    assert await quantities_now(database, "CHAIR", "YORK") == (0, 0, 0, 0)
    assert await incoming(database, "CHAIR", "YORK") == 6
    await received_of(database, caller, "T", {"CHAIR": 2}, location="YORK")
    assert (await quantities_now(database, "CHAIR", "YORK"))[0] == 2
    assert await incoming(database, "CHAIR", "YORK") == 4

    await canceled(database, caller, "T")

    assert (await quantities_now(database, "CHAIR", "LEEDS"))[0] == 8
    assert await incoming(database, "CHAIR", "YORK") == 0
    assert [row[:4] for row in await ledger(engine)] == [
        (-6, 4, "TRANSFER_OUT", "T"),
        (2, 2, "TRANSFER_IN", "T"),
        (4, 8, "TRANSFER_CANCELED", "T"),
    ]


async def test_i10_what_is_lost_on_the_way_is_in_the_ledger(database, caller, engine):
    await sent(database, caller, {"CHAIR": 6})
    await received_of(database, caller, "T", {"CHAIR": 5}, location="YORK")

    await closed(database, caller, "T")

    assert await lines_of(database, "T") == [(6, 5, 0, 1, 0)]
    assert await state_of(database, "T") is SupplyState.RECEIVED
    assert (await quantities_now(database, "CHAIR", "YORK"))[0] == 5
    assert [row[:3] for row in await ledger(engine)][-2:] == [(1, 6, "TRANSFER_IN"), (-1, 5, "LOSS")]


async def test_i10_what_arrives_beyond_what_was_sent_was_found(database, caller, engine):
    await sent(database, caller, {"CHAIR": 6})

    await received_of(database, caller, "T", {"CHAIR": 7}, location="YORK")

    assert await lines_of(database, "T") == [(6, 7, 0, 0, 0)]
    assert [row[:3] for row in await ledger(engine)][-2:] == [(6, 6, "TRANSFER_IN"), (1, 7, "FOUND")]


async def test_more_than_is_on_hand_is_not_sent(database, caller, engine):
    with pytest.raises(InsufficientStock) as refused:
        await sent(database, caller, {"CHAIR": 11, "TABLE": 1})

    assert [(one.sku, one.requested, one.on_hand) for one in refused.value.shortages] == [
        ("CHAIR", 11, 10), ("TABLE", 1, 0),
    ]  # fmt: skip
    assert (await quantities_now(database, "CHAIR"))[0] == 10
    assert await events_now(engine, SupplyChanged) == []


async def test_a_transfer_names_the_orders_that_it_made_overallocated(database, caller):
    orders = [await placed(database, caller, {"CHAIR": 5}) for _ in range(2)]
    await allocated(database, caller, *orders)

    outcome = await sent(database, caller, {"CHAIR": 4})

    assert outcome.overallocated == (orders[1],)


# ---------------------------------------------------------------- reading


async def test_open_lines_of_skus_stand_by_date_with_the_units_that_are_still_to_come(database, caller):
    late = await expected(database, caller, {"CHAIR": 5, "TABLE": 1}, reference="LATE", at=TOMORROW)
    soon = await expected(database, caller, {"CHAIR": 4}, reference="SOON")
    transit = await sent(database, caller, {"CHAIR": 3}, at=NOON)
    await expected(database, caller, {"CHAIR": 9}, reference="NEVER")
    await canceled(database, caller, "NEVER")
    await received_of(database, caller, "SOON", {"CHAIR": 1})

    chairs = [
        ("CHAIR", "LEEDS", 3, NOON, soon),
        ("CHAIR", "YORK", 3, NOON, transit.supply),
        ("CHAIR", "LEEDS", 5, TOMORROW, late),
    ]
    assert await open_lines(database, "CHAIR") == chairs
    assert await open_lines(database, "CHAIR", "TABLE") == [*chairs, ("TABLE", "LEEDS", 1, TOMORROW, late)]
    assert await open_lines(database) == []


async def test_supplies_are_found_by_what_they_bring_where_when_and_how_far_they_are(database, caller):
    await expected(database, caller, {"CHAIR": 5}, reference="A", at=TOMORROW)
    await expected(database, caller, {"TABLE": 5}, reference="B")
    await sent(database, caller, {"CHAIR": 1}, reference="C")
    await expected(database, caller, {"CHAIR": 1, "TABLE": 1}, reference="D")
    await canceled(database, caller, "D")

    async def found(**condition):
        views = await database.read(lambda uow: uow.supplies.page(SupplyFilter(**condition), 10, None))
        return "".join(view.reference for view in views)

    assert await found() == "BCDA"
    assert await found(skus=("CHAIR",)) == "CDA"
    assert await found(skus=("CHAIR", "TABLE")) == "BCDA"
    assert await found(locations=("YORK",)) == "C"
    assert await found(states=(SupplyState.EXPECTED,)) == "BCA"
    assert await found(expected_before=TOMORROW) == "BCD"
    assert await found(skus=("TABLE",), states=(SupplyState.CANCELED,), locations=("LEEDS",)) == "D"
    assert await found(skus=()) == await found(states=()) == await found(locations=()) == ""


# ---------------------------------------------------------------- keys and bad input

LINES = received_lines({"CHAIR": 1})
PO = ExpectSupply(reference="PO", location="LEEDS", expected_at=NOON, lines=LINES)
TRANSFER = StartTransfer(reference="T", from_location="LEEDS", to_location="YORK", expected_at=NOON, lines=LINES)
RECEIPT = ReceiveSupply(supply=by_reference("PO"), location="LEEDS", lines=LINES)
LATER = RescheduleSupply(supply=by_reference("T"), expected_at=TOMORROW)
CANCEL = CancelSupply(supply=by_reference("T"), reason="no")
MUTATIONS = {
    "expectSupply": (expect_supply, PO, replace(PO, reference="OTHER")),
    "receiveStock": (receive_supply, RECEIPT, replace(RECEIPT, reference="other")),
    "startTransfer": (start_transfer, TRANSFER, replace(TRANSFER, reference="OTHER")),
    "rescheduleSupply": (reschedule_supply, LATER, replace(LATER, expected_at=NOON)),
    "cancelSupply": (cancel_supply, CANCEL, replace(CANCEL, reason="other")),
    "closeSupply": (close_supply, CloseSupply(supply=by_reference("LAST"), reason="no"), None),
}


async def test_i7_every_mutation_of_supplies_answers_a_second_time_as_the_first_and_does_nothing_more(
    database, caller, engine
):
    await expected(database, caller, {"CHAIR": 1}, reference="LAST")
    for perform, command, other in MUTATIONS.values():
        key = a_key()
        first = await perform(Desk(database), caller, command, key)
        before = await everything(engine)

        assert await perform(Desk(database), caller, command, key) == first
        assert await everything(engine) == before
        if other:
            with pytest.raises(IdempotencyKeyReused):
                await perform(Desk(database), caller, other, key)


BAD_LINES = [
    ((), ("input.lines", "REQUIRED")),
    (LINES * 1001, ("input.lines", "TOO_MANY")),
    ((ReceivedLine(sku="", quantity=1),), ("input.lines.0.sku", "REQUIRED")),
    ((ReceivedLine(sku="CHAIR", quantity=0),), ("input.lines.0.quantity", "OUT_OF_RANGE")),
    ((*LINES, ReceivedLine(sku="CHAIR", quantity=2**40)), ("input.lines.1.quantity", "OUT_OF_RANGE")),
]
SUMMED = (*LINES, ReceivedLine(sku="CHAIR", quantity=1_000_000_000)), ("input.lines.1.quantity", "OUT_OF_RANGE")
BAD = [
    *((expect_supply, replace(PO, lines=lines), problem) for lines, problem in (*BAD_LINES, SUMMED)),
    *((start_transfer, replace(TRANSFER, lines=lines), problem) for lines, problem in (*BAD_LINES, SUMMED)),
    *((receive_supply, replace(RECEIPT, lines=lines), problem) for lines, problem in BAD_LINES),
    (expect_supply, replace(PO, reference=" "), ("input.reference", "REQUIRED")),
    (expect_supply, replace(PO, reference="x" * 101), ("input.reference", "TOO_LONG")),
    (expect_supply, replace(PO, location="a\x00"), ("input.location", "INVALID_CHARACTER")),
    (expect_supply, replace(PO, expected_at=NOON.replace(year=1800)), ("input.expectedAt", "OUT_OF_RANGE")),
    (start_transfer, replace(TRANSFER, from_location=""), ("input.from", "REQUIRED")),
    (start_transfer, replace(TRANSFER, to_location=""), ("input.to", "REQUIRED")),
    (start_transfer, replace(TRANSFER, to_location=" LEEDS"), ("input.to", "DUPLICATE")),
    (start_transfer, replace(TRANSFER, expected_at=NOON.replace(year=2300)), ("input.expectedAt", "OUT_OF_RANGE")),
    (receive_supply, replace(RECEIPT, supply=by_reference("")), ("input.supply.reference", "REQUIRED")),
    (receive_supply, replace(RECEIPT, location=""), ("input.location", "REQUIRED")),
    (reschedule_supply, replace(LATER, supply=by_reference("")), ("input.supply.reference", "REQUIRED")),
    (reschedule_supply, replace(LATER, expected_at=NOON.replace(year=2300)), ("input.expectedAt", "OUT_OF_RANGE")),
    (cancel_supply, replace(CANCEL, reason=" "), ("input.reason", "REQUIRED")),
    (close_supply, CloseSupply(supply=by_reference("x" * 101), reason="no"), ("input.supply.reference", "TOO_LONG")),
]


@pytest.mark.parametrize(("perform", "command", "problem"), BAD)
async def test_bad_input_about_supplies_is_refused_with_the_path_to_it(database, caller, perform, command, problem):
    with pytest.raises(InvalidInput) as refused:
        await perform(Desk(database), caller, command, a_key())

    assert [(".".join(one.path), one.code) for one in refused.value.problems] == [problem]
