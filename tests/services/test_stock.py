"""Receive and adjust, on a real PostgreSQL."""

import pytest
from sqlalchemy import select

from domain.errors import InsufficientStock, InvalidInput, NotFound, StockLevelConflict
from domain.events import StockLevelChanged
from domain.ids import LevelKey
from domain.kinds import AdjustmentReason, AllocationStatus, StockQuantity
from persistence.tables import stock_movements
from services.desk import Desk
from services.stock import AdjustedLine, AdjustStock, ReceivedLine, ReceiveStock, adjust_stock, receive_stock
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    counted,
    events_now,
    everything,
    level_now,
    placed,
    quantities_now,
    received,
    status_now,
)

NOTHING_YET = {("CHAIR", "LEEDS"): 0, ("TABLE", "LEEDS"): 0}


def adjustment(*lines, reason=AdjustmentReason.CORRECTION, **more):
    return AdjustStock(location="LEEDS", lines=tuple(AdjustedLine(**line) for line in lines), reason=reason, **more)


async def ledger(engine):
    async with engine.connect() as connection:
        table = stock_movements.c
        columns = select(table.quantity, table.change, table.cause, table.reference, table.actor, table.request)
        return [tuple(row) for row in await connection.execute(columns.order_by(table.id))]


async def key_of(database, sku, location="LEEDS") -> LevelKey:
    return (await level_now(database, sku, location)).key


# ---------------------------------------------------------------- receive


async def test_i3_received_units_are_on_hand_and_the_ledger_says_why_and_who(database, caller, engine):
    await a_catalog(database, caller, NOTHING_YET)
    command = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku="CHAIR", quantity=3),), reference=" PO 7 ")

    outcome = await receive_stock(Desk(database), caller, command, a_key())

    assert outcome.levels == (await key_of(database, "CHAIR"),)
    assert await quantities_now(database, "CHAIR") == (3, 0, 3, 0)
    assert await ledger(engine) == [("ON_HAND", 3, "RECEIVED", "PO 7", "tester", "a test")]
    (event,) = await events_now(engine, StockLevelChanged)
    assert (event.sku, event.location_code, event.version, event.on_hand, event.available) == (
        "CHAIR",
        "LEEDS",
        1,
        3,
        3,
    )


async def test_i13_a_sku_that_is_repeated_in_a_receipt_counts_as_its_sum(database, caller, engine):
    await a_catalog(database, caller, NOTHING_YET)
    lines = tuple(ReceivedLine(sku=sku, quantity=units) for sku, units in (("CHAIR", 1), ("TABLE", 5), (" CHAIR ", 2)))

    outcome = await receive_stock(Desk(database), caller, ReceiveStock(location="LEEDS", lines=lines), a_key())

    assert outcome.levels == (await key_of(database, "CHAIR"), await key_of(database, "TABLE"))
    assert (await level_now(database, "CHAIR")).on_hand == 3
    assert [change for _, change, *_ in await ledger(engine)] == [3, 5]


async def test_everything_unknown_in_a_receipt_is_named(database, caller, engine):
    await a_catalog(database, caller, NOTHING_YET)
    before = await everything(engine)
    lines = tuple(ReceivedLine(sku=sku, quantity=1) for sku in ("X", "CHAIR", "Y", "X"))

    with pytest.raises(NotFound) as refused:
        await receive_stock(Desk(database), caller, ReceiveStock(location="NOWHERE", lines=lines), a_key())

    assert refused.value.references == ("NOWHERE", "X", "Y")
    assert await everything(engine) == before


async def test_a_level_does_not_overflow(database, caller, engine):
    await a_catalog(database, caller, NOTHING_YET)
    await received(database, caller, {"CHAIR": 999_999_999})
    before = await everything(engine)

    with pytest.raises(InvalidInput):
        await received(database, caller, {"TABLE": 1, "CHAIR": 2})

    assert await everything(engine) == before
    await received(database, caller, {"CHAIR": 1})
    assert (await level_now(database, "CHAIR")).on_hand == 1_000_000_000


# ---------------------------------------------------------------- adjust


async def test_i3_a_count_and_a_difference_are_written_to_the_ledger_as_differences(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("TABLE", "LEEDS"): 5})

    counted_three = adjustment({"sku": "CHAIR", "counted": 3}, {"sku": "TABLE", "counted": 5}, reference="aisle 4")
    await adjust_stock(Desk(database), caller, counted_three, a_key())
    await adjust_stock(
        Desk(database), caller, adjustment({"sku": "TABLE", "delta": 2}, reason=AdjustmentReason.FOUND), a_key()
    )

    assert await ledger(engine) == [
        ("ON_HAND", 5, "RECEIVED", None, "tester", "a test"),
        ("ON_HAND", 5, "RECEIVED", None, "tester", "a test"),
        ("ON_HAND", -2, "CORRECTION", "aisle 4", "tester", "a test"),
        ("ON_HAND", 2, "FOUND", None, "tester", "a test"),
    ]
    assert (await level_now(database, "CHAIR")).on_hand == 3
    assert (await level_now(database, "TABLE")).on_hand == 7


async def test_a_count_that_finds_what_was_expected_changes_nothing(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    before = await level_now(database, "CHAIR")

    await counted(database, caller, {"CHAIR": 5})

    assert await level_now(database, "CHAIR") == before
    assert len(await events_now(engine)) == 1


@pytest.mark.parametrize("quantity", [StockQuantity.DAMAGED, StockQuantity.QUALITY_CONTROL, StockQuantity.SAFETY_STOCK])
async def test_what_is_set_apart_is_on_hand_and_not_available(database, caller, engine, quantity):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    await counted(database, caller, {"CHAIR": 2}, quantity=quantity)

    level = await level_now(database, "CHAIR")
    assert (level.on_hand, level.unavailable, level.available) == (5, 2, 3)
    assert (await ledger(engine))[-1][:3] == (quantity, 2, "COUNT")


async def test_i13_differences_of_a_repeated_sku_count_as_their_sum(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    await adjust_stock(
        Desk(database), caller, adjustment({"sku": "CHAIR", "delta": -4}, {"sku": "CHAIR", "delta": 3}), a_key()
    )
    assert (await level_now(database, "CHAIR")).on_hand == 4

    with pytest.raises(InsufficientStock):
        await adjust_stock(
            Desk(database), caller, adjustment({"sku": "CHAIR", "delta": -4}, {"sku": "CHAIR", "delta": -3}), a_key()
        )
    assert (await level_now(database, "CHAIR")).on_hand == 4


async def test_less_than_nothing_is_refused_with_every_shortage_and_nothing_is_written(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("TABLE", "LEEDS"): 9, ("LAMP", "LEEDS"): 0})
    before = await everything(engine)
    command = adjustment({"sku": "TABLE", "delta": -1}, {"sku": "CHAIR", "delta": -6}, {"sku": "LAMP", "delta": -1})

    with pytest.raises(InsufficientStock) as refused:
        await adjust_stock(Desk(database), caller, command, key="a key")

    shortages = [(one.sku, one.requested, one.on_hand, one.available) for one in refused.value.shortages]
    assert shortages == [("CHAIR", 6, 5, 5), ("LAMP", 1, 0, 0)]
    after = await everything(engine)
    assert [row[2] for row in after.pop("idempotency_keys") if row not in before["idempotency_keys"]] == ["a key"]
    assert after == {name: rows for name, rows in before.items() if name != "idempotency_keys"}


async def test_more_damaged_than_on_hand_is_refused(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await counted(database, caller, {"CHAIR": 3}, quantity=StockQuantity.QUALITY_CONTROL)

    with pytest.raises(InsufficientStock):
        await counted(database, caller, {"CHAIR": 3}, quantity=StockQuantity.DAMAGED)
    with pytest.raises(InsufficientStock):
        await counted(database, caller, {"CHAIR": 2})


async def test_on_hand_that_is_not_as_expected_is_a_conflict_that_names_the_levels(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5, ("TABLE", "LEEDS"): 5, ("LAMP", "LEEDS"): 0})
    command = adjustment(
        {"sku": "CHAIR", "counted": 4, "expected_on_hand": 5},
        {"sku": "TABLE", "counted": 4, "expected_on_hand": 6},
        {"sku": "LAMP", "counted": 4, "expected_on_hand": 0},
    )

    with pytest.raises(StockLevelConflict) as refused:
        await adjust_stock(Desk(database), caller, command, a_key())

    assert refused.value.levels == (await key_of(database, "TABLE"),)
    assert (await level_now(database, "CHAIR")).on_hand == 5


async def test_a_conflict_comes_before_a_shortage(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    with pytest.raises(StockLevelConflict):
        await adjust_stock(
            Desk(database), caller, adjustment({"sku": "CHAIR", "delta": -9, "expected_on_hand": 4}), a_key()
        )


@pytest.mark.parametrize(
    "lines",
    [
        ({"sku": "CHAIR", "counted": 4}, {"sku": "CHAIR", "counted": 4}),
        ({"sku": "CHAIR", "counted": 4}, {"sku": " CHAIR", "delta": 1}),
        ({"sku": "CHAIR", "delta": 1}, {"sku": "CHAIR", "counted": 4}),
    ],
)
async def test_a_sku_that_is_counted_stands_in_an_adjustment_once(database, caller, lines):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})

    with pytest.raises(InvalidInput) as refused:
        await adjust_stock(Desk(database), caller, adjustment(*lines), a_key())

    assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "lines", "1"), "DUPLICATE")]


async def test_lines_of_one_sku_expect_the_same(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    first = {"sku": "CHAIR", "delta": 1, "expected_on_hand": 5}

    await adjust_stock(Desk(database), caller, adjustment(first, {"sku": "CHAIR", "delta": 1}), a_key())

    with pytest.raises(InvalidInput):
        await adjust_stock(
            Desk(database),
            caller,
            adjustment(first | {"expected_on_hand": 7}, {"sku": "CHAIR", "delta": 1, "expected_on_hand": 8}),
            a_key(),
        )


async def test_a_stock_change_names_the_orders_that_it_made_overallocated(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(3)]
    await allocated(database, caller, *orders)

    first = await adjust_stock(Desk(database), caller, adjustment({"sku": "CHAIR", "counted": 2}), a_key())
    second = await adjust_stock(Desk(database), caller, adjustment({"sku": "CHAIR", "counted": 0}), a_key())

    assert first.overallocated == (orders[2],)
    assert sorted(second.overallocated) == orders[:2]
    assert await status_now(database, orders[0]) is AllocationStatus.OVERALLOCATED


async def test_stock_of_another_location_keeps_no_claim_from_losing_its_stock(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("CHAIR", "YORK"): 9})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    await counted(database, caller, {"CHAIR": 0})

    assert await status_now(database, order) is AllocationStatus.OVERALLOCATED
    assert await quantities_now(database, "CHAIR", "YORK") == (9, 0, 9, 0)
