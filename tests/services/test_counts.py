"""Counts of a moment, on a real PostgreSQL: what has moved since then stays moved, and the newest count decides."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import func, select

from domain.errors import IdempotencyKeyReused, InsufficientStock, InvalidInput, NotFound
from domain.kinds import AdjustmentReason, AllocationStatus, StockQuantity
from persistence.tables import stock_counts, stock_movements
from services.desk import Desk
from services.stock import AdjustedLine, AdjustStock, CountedLine, CountStock, adjust_stock, count_stock
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    canceled,
    clock,
    counted,
    counted_then,
    everything,
    level_now,
    placed,
    quantities_now,
    received,
    received_of,
    sent,
    status_now,
)

CHAIRS = {("CHAIR", "LEEDS"): 10, ("CHAIR", "YORK"): 0}


@pytest.fixture
async def chairs(database, caller):
    await a_catalog(database, caller, CHAIRS)


async def on_hand(database, sku="CHAIR", location="LEEDS"):
    return (await level_now(database, sku, location)).on_hand


async def adjusted(
    database,
    caller,
    delta,
    *,
    sku="CHAIR",
    quantity=StockQuantity.ON_HAND,
    reason=AdjustmentReason.LOSS,
):
    line = AdjustedLine(sku=sku, delta=delta)
    command = AdjustStock(location="LEEDS", lines=(line,), reason=reason, quantity=quantity)
    await adjust_stock(Desk(database), caller, command, a_key())


async def test_a_slow_sync_does_not_erase_what_was_sold_since_the_count(database, caller, engine, chairs):
    at = await clock(database)
    await adjusted(database, caller, -3)
    await received(database, caller, {"CHAIR": 5})

    outcome = await counted_then(database, caller, at, {"CHAIR": 8})

    assert await on_hand(database) == 10
    assert (outcome.levels, outcome.superseded) == (((await level_now(database, "CHAIR")).key,), ())
    async with engine.connect() as connection:
        newest = select(stock_movements).order_by(stock_movements.c.id.desc()).limit(1)
        row = (await connection.execute(newest)).one()
        assert (row.change, row.balance, row.cause, row.counted_at) == (-2, 10, "COUNT", at)
        (count,) = (await connection.execute(select(stock_counts))).all()
        assert (count.counted, count.counted_at, count.actor, count.request) == (8, at, "tester", "a test")


async def test_transfers_move_stock_as_sales_do(database, caller, chairs):
    at = await clock(database)
    await sent(database, caller, {"CHAIR": 4})
    await received_of(database, caller, "T", {"CHAIR": 1}, location="YORK")
    await counted_then(database, caller, at, {"CHAIR": 9})
    assert await on_hand(database) == 5

    await canceled(database, caller, "T")
    await counted_then(database, caller, at, {"CHAIR": 10})

    assert await on_hand(database) == 9
    await counted_then(database, caller, at, {"CHAIR": 2}, location="YORK")
    assert await on_hand(database, location="YORK") == 3


async def test_what_moves_within_the_stock_is_not_replayed(database, caller, chairs):
    at = await clock(database)
    await adjusted(database, caller, 4, quantity=StockQuantity.SAFETY_STOCK, reason=AdjustmentReason.OTHER)

    await counted_then(database, caller, at, {"CHAIR": 9})

    assert await quantities_now(database, "CHAIR") == (9, 0, 5, 0)


async def test_counts_end_the_same_in_whatever_sequence_they_are_told(database, caller):
    told = {"first": 40, "second": 47, "third": 30}
    sequences = [*permutations(told), *permutations(("first", "second")), ("second",), ("first", "first", "second")]
    skus = [f"S{number:02}" for number in range(len(sequences))]
    await a_catalog(database, caller, {(sku, "LEEDS"): 50 for sku in skus})
    moments: dict[str, datetime] = {}
    for name, units in (("first", 5), ("second", -2), ("third", 1)):
        moments[name] = await clock(database)
        for sku in skus:
            await adjusted(database, caller, units, sku=sku)

    for sku, sequence in zip(skus, sequences, strict=True):
        for name in sequence:
            await counted_then(database, caller, moments[name], {sku: told[name]})

    after = {sequence: await on_hand(database, sku) for sku, sequence in zip(skus, sequences, strict=True)}
    assert after == {sequence: 31 if "third" in sequence else 46 for sequence in sequences}


async def test_a_count_that_found_no_difference_is_newer_knowledge_all_the_same(database, caller, engine, chairs):
    first = await clock(database)
    second = await clock(database)
    await counted_then(database, caller, second, {"CHAIR": 10})

    outcome = await counted_then(database, caller, first, {"CHAIR": 3})

    assert outcome.superseded == ("CHAIR",)
    assert await on_hand(database) == 10
    async with engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(stock_counts))).scalar_one() == 2


@pytest.mark.parametrize("units", [7, 10])
async def test_an_adjustment_to_a_count_is_a_count_of_now(database, caller, chairs, units):
    before = await clock(database)
    await counted(database, caller, {"CHAIR": units})
    after = await clock(database)
    await adjusted(database, caller, -1)

    assert (await counted_then(database, caller, before, {"CHAIR": 3})).superseded == ("CHAIR",)
    assert await on_hand(database) == units - 1
    assert (await counted_then(database, caller, after, {"CHAIR": 5})).superseded == ()
    assert await on_hand(database) == 4


async def test_a_count_of_the_same_moment_corrects_the_one_before(database, caller, chairs):
    at = await clock(database)
    await adjusted(database, caller, -1)

    for units in (5, 8, 6):
        await counted_then(database, caller, at, {"CHAIR": units})

    assert await on_hand(database) == 5


async def test_some_skus_of_a_count_may_be_superseded_and_others_not(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 10, ("TABLE", "LEEDS"): 10})
    first = await clock(database)
    await counted(database, caller, {"TABLE": 9})

    outcome = await counted_then(database, caller, first, {"TABLE": 1, "CHAIR": 2})

    assert outcome.superseded == ("TABLE",)
    assert outcome.levels == ((await level_now(database, "TABLE")).key, (await level_now(database, "CHAIR")).key)
    assert (await on_hand(database, "TABLE"), await on_hand(database, "CHAIR")) == (9, 2)


async def test_a_count_that_takes_stock_from_under_a_claim_names_the_order(database, caller, chairs):
    order = await placed(database, caller, {"CHAIR": 10})
    await allocated(database, caller, order)

    outcome = await counted_then(database, caller, await clock(database), {"CHAIR": 9})

    assert outcome.overallocated == (order,)
    assert await status_now(database, order) is AllocationStatus.OVERALLOCATED


async def test_a_count_of_less_than_has_left_since_is_refused_and_nothing_is_clamped(database, caller, engine, chairs):
    at = await clock(database)
    await adjusted(database, caller, -3)
    before = await everything(engine)
    command = CountStock(location="LEEDS", counted_at=at, lines=(CountedLine(sku="CHAIR", counted=2),))

    with pytest.raises(InsufficientStock) as refused:
        await count_stock(Desk(database), caller, command, "a key")

    assert [(one.sku, one.on_hand) for one in refused.value.shortages] == [("CHAIR", 7)]
    after = await everything(engine)
    assert {name for name in after if after[name] != before[name]} == {"idempotency_keys"}


async def test_a_count_is_of_the_last_thirty_days_by_the_databases_clock(database, caller, engine, chairs):
    now = await clock(database)
    before = await everything(engine)

    for at in (now + timedelta(minutes=1), now - timedelta(days=30, minutes=1)):
        with pytest.raises(InvalidInput) as refused:
            await counted_then(database, caller, at, {"CHAIR": 1, "UNKNOWN": 1})
        assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "countedAt"), "OUT_OF_RANGE")]

    assert await everything(engine) == before
    await counted_then(database, caller, now - timedelta(days=29), {"CHAIR": 1})
    assert await on_hand(database) == 11


async def test_a_count_is_told_once_under_its_key(database, caller, engine, chairs):
    at = await clock(database)
    command = CountStock(location="LEEDS", counted_at=at, lines=(CountedLine(sku="CHAIR", counted=8),))
    first = await count_stock(Desk(database), caller, command, "a key")
    before = await everything(engine)

    assert await count_stock(Desk(database), caller, command, "a key") == first
    assert await everything(engine) == before
    with pytest.raises(IdempotencyKeyReused):
        await count_stock(Desk(database), caller, replace(command, reference="x"), "a key")


LINE = CountedLine(sku="CHAIR", counted=1)
BAD = [
    ((), "LEEDS", [("input.lines", "REQUIRED")]),
    ((LINE, CountedLine(sku=" CHAIR ", counted=2)), "LEEDS", [("input.lines.1", "DUPLICATE")]),
    ((CountedLine(sku="", counted=-1),), "", [
        ("input.lines.0.sku", "REQUIRED"), ("input.lines.0.counted", "OUT_OF_RANGE"), ("input.location", "REQUIRED"),
    ]),
    ((CountedLine(sku="CHAIR", counted=2**31),), "LEEDS", [("input.lines.0.counted", "OUT_OF_RANGE")]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "location", "problems"), BAD)
async def test_every_problem_of_a_count_is_told(database, caller, lines, location, problems):
    command = CountStock(location=location, counted_at=await clock(database), lines=lines)

    with pytest.raises(InvalidInput) as refused:
        await count_stock(Desk(database), caller, command, a_key())

    assert [(".".join(one.path), one.code) for one in refused.value.problems] == problems


async def test_everything_unknown_in_a_count_is_named(database, caller, chairs):
    with pytest.raises(NotFound) as refused:
        await counted_then(database, caller, await clock(database), {"X": 1, "CHAIR": 1}, location="NOWHERE")

    assert refused.value.references == ("NOWHERE", "X")
