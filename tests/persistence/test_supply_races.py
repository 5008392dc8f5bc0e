"""Counts, transfers and supplies among others that move the same stock, each on a connection of its own."""

import asyncio
from collections import Counter

import pytest

from domain.errors import DomainError, SupplyAlreadyExpected, SupplyNotInState
from domain.kinds import AdjustmentReason, AllocationStatus, SupplyState
from services.desk import Desk
from services.stock import AdjustedLine, AdjustStock, adjust_stock
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    canceled,
    clock,
    counted_then,
    expected,
    level_now,
    placed,
    quantities_now,
    received,
    received_of,
    sent,
    statuses_now,
    supply_now,
)


async def sold(database, caller):
    command = AdjustStock(location="LEEDS", lines=(AdjustedLine(sku="CHAIR", delta=-1),), reason=AdjustmentReason.LOSS)
    await adjust_stock(Desk(database), caller, command, a_key())


async def all_of(*attempts):
    """What they answer, or the refusal's type."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
            raise answer
    return [type(answer) if isinstance(answer, DomainError) else answer for answer in answers]


async def test_a_count_among_sales_and_receipts_erases_none_of_them(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 50})
    at = await clock(database)

    await asyncio.gather(
        *(sold(database, caller) for _ in range(20)),
        *(received(database, caller, {"CHAIR": 3}) for _ in range(10)),
        *(counted_then(database, caller, at, {"CHAIR": 100}) for _ in range(5)),
    )

    assert (await level_now(database, "CHAIR")).on_hand == 100 - 20 + 30


async def test_counts_of_different_moments_among_sales_end_as_the_newest_says(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 50})
    moments = []
    for _ in range(4):
        moments.append(await clock(database))
        await sold(database, caller)

    await asyncio.gather(
        *(counted_then(database, caller, at, {"CHAIR": 100 * rank}) for rank, at in enumerate(moments, start=1)),
        *(sold(database, caller) for _ in range(10)),
    )

    assert (await level_now(database, "CHAIR")).on_hand == 400 - 1 - 10


async def test_units_that_are_sent_away_while_orders_take_them_are_promised_to_nobody(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 10, ("CHAIR", "YORK"): 0})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(10)]

    await asyncio.gather(
        *(allocated(database, caller, order) for order in orders[:5]),
        sent(database, caller, {"CHAIR": 6}),
        *(allocated(database, caller, order) for order in orders[5:]),
    )

    assert (await quantities_now(database, "CHAIR"))[0] == 4
    assert Counter(await statuses_now(database, *orders))[AllocationStatus.ALLOCATED] == 4


async def test_transfers_of_the_same_units_send_them_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 10, ("CHAIR", "YORK"): 0})

    answers = await all_of(*(sent(database, caller, {"CHAIR": 3}, reference=f"T{number}") for number in range(6)))

    assert sum(not isinstance(answer, type) for answer in answers) == 3
    assert (await level_now(database, "CHAIR")).on_hand == 1


async def test_two_deliveries_count_twice_and_one_that_is_told_twice_counts_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    await expected(database, caller, {"CHAIR": 10})

    await asyncio.gather(
        received_of(database, caller, "PO", {"CHAIR": 3}),
        received_of(database, caller, "PO", {"CHAIR": 3}),
        *(received_of(database, caller, "PO", {"CHAIR": 2}, key="told again and again") for _ in range(10)),
    )

    supply = await supply_now(database, "PO")
    assert ([line.received for line in supply.lines], supply.version) == ([8], 4)
    assert (await level_now(database, "CHAIR")).on_hand == 8


async def test_what_completes_a_supply_is_received_once(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    await expected(database, caller, {"CHAIR": 5})

    answers = await all_of(*(received_of(database, caller, "PO", {"CHAIR": 5}) for _ in range(6)))

    assert answers.count(SupplyNotInState) == 5
    assert (await level_now(database, "CHAIR")).on_hand == 5


@pytest.mark.parametrize("is_transfer", [False, True])
async def test_of_canceling_and_receiving_a_supply_exactly_one_wins(database, caller, is_transfer):
    skus = [f"S{number}" for number in range(3)]
    on_hand = 30 if is_transfer else 0
    await a_catalog(database, caller, {(sku, place): on_hand for place in ("LEEDS", "YORK") for sku in skus})
    units = dict.fromkeys(skus, 1)
    references = [f"R{number}" for number in range(10)]
    for reference in references:
        announce = sent if is_transfer else expected
        await announce(database, caller, units, reference=reference)
    place = "YORK" if is_transfer else "LEEDS"

    async def race(reference: str, turn: int) -> str:
        receiving = received_of(database, caller, reference, dict.fromkeys(skus[::-1], 1), location=place)
        attempts = [receiving, canceled(database, caller, reference)][:: 1 if turn % 2 else -1]
        first, second = await all_of(*attempts)
        assert [first, second].count(SupplyNotInState) == 1
        return (await supply_now(database, reference)).state

    ended = Counter(await asyncio.gather(*(race(reference, turn) for turn, reference in enumerate(references))))

    won = ended[SupplyState.RECEIVED]
    assert won + ended[SupplyState.CANCELED] == 10
    if is_transfer:
        assert (await level_now(database, "S0", "LEEDS")).on_hand == 30 - won
    assert (await level_now(database, "S0", place)).on_hand == on_hand + won


async def test_of_two_who_give_the_same_reference_to_other_skus_the_second_is_told(database, caller):
    skus = [f"S{number}" for number in range(8)]
    await a_catalog(database, caller, {(sku, "LEEDS"): 0 for sku in skus})

    answers = await all_of(*(expected(database, caller, {sku: 1}) for sku in skus))

    assert answers.count(SupplyAlreadyExpected) == 7
