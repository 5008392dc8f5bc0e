"""The same key and the same input give the same outcome and one effect."""

import asyncio
from dataclasses import replace

import orjson
import pytest
from sqlalchemy import text

from domain.allocating import LineOutcome, OrderOutcome
from domain.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidInput,
    NotFound,
    OrderAlreadyPlaced,
    OrderNotInState,
    OrderVersionConflict,
    QuantityAlreadyShipped,
    Shortage,
    StockLevelConflict,
    SupplyAlreadyExpected,
    SupplyNotInState,
)
from domain.ids import ItemId, LineId, LocationId, OrderId, Sku, SupplyId
from domain.kinds import AdjustmentReason, AllocationStatus, OrderStatus, SupplyState
from domain.orders import NewLine, NewOrder
from domain.stocking import StockOutcome
from persistence import batch_writes
from services.allocation import (
    AllocateOrder,
    AllocateOrders,
    DeallocateOrders,
    RunOutcome,
    allocate_orders,
    deallocate_orders,
)
from services.desk import Desk
from services.orders import EditOrder, OrderDone, edit_order, finalize_order, place_order, void_order
from services.outcomes import from_json, to_json, to_text
from services.stock import AdjustedLine, AdjustStock, ReceivedLine, ReceiveStock, adjust_stock, receive_stock
from services.supplies import SupplyDone
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    counted,
    everything,
    level_now,
    order_now,
    placed,
    quantities_now,
    received,
)

TWO_CHAIRS = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku="CHAIR", quantity=2),))


def order_of_one(number="N1"):
    return NewOrder(channel="SHOP", number=number, lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))


@pytest.fixture
async def chairs(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})


async def test_i7_every_mutation_answers_a_second_time_as_the_first_and_does_nothing_more(
    database, caller, engine, chairs
):
    draft = await placed(database, caller, {"CHAIR": 1}, status=OrderStatus.DRAFT)
    order = await placed(database, caller, {"CHAIR": 2})
    run = AllocateOrders(orders=tuple(AllocateOrder(order=by_id(one)) for one in (order, draft, OrderId(77))))
    adjustment = AdjustStock(
        location="LEEDS", lines=(AdjustedLine(sku="CHAIR", delta=-8),), reason=AdjustmentReason.LOSS
    )
    mutations = [
        lambda key: place_order(Desk(database), caller, order_of_one(), key),
        lambda key: finalize_order(Desk(database), caller, by_id(draft), key),
        lambda key: edit_order(Desk(database), caller, EditOrder(order=by_id(order), terms={"priority": 3}), key),
        lambda key: allocate_orders(Desk(database), caller, run, key),
        lambda key: receive_stock(Desk(database), caller, TWO_CHAIRS, key),
        lambda key: adjust_stock(Desk(database), caller, adjustment, key),
        lambda key: deallocate_orders(Desk(database), caller, DeallocateOrders(orders=(by_id(order),)), key),
        lambda key: void_order(Desk(database), caller, by_id(order), "no", key),
    ]

    for mutation in mutations:
        key = a_key()
        first = await mutation(key)
        before = await everything(engine)
        assert to_json(await mutation(key)) == to_json(first)
        assert await everything(engine) == before


async def test_i7_fifty_concurrent_twins_have_one_effect_and_one_answer(database, caller, chairs):
    answers = await asyncio.gather(*(receive_stock(Desk(database), caller, TWO_CHAIRS, "a key") for _ in range(50)))

    assert answers == [answers[0]] * 50
    assert await quantities_now(database, "CHAIR") == (11, 0, 11, 0)


async def test_i7_fifty_concurrent_twins_of_a_run_are_told_the_same(database, caller, chairs):
    order = await placed(database, caller, {"CHAIR": 2})

    answers = await asyncio.gather(*(allocated(database, caller, order, key="a key") for _ in range(50)))

    assert answers == [answers[0]] * 50
    assert answers[0][0].before is AllocationStatus.UNALLOCATED
    assert (await order_now(database, order)).version == 2


async def test_the_same_key_with_other_input_is_refused_and_the_first_answer_stays(database, caller, chairs):
    first = await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")

    with pytest.raises(IdempotencyKeyReused):
        await receive_stock(Desk(database), caller, replace(TWO_CHAIRS, reference="other"), "a key")

    assert await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key") == first
    assert (await level_now(database, "CHAIR")).on_hand == 11


async def test_a_key_belongs_to_its_owner_and_its_mutation(database, caller, another_caller, chairs):
    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")

    await receive_stock(Desk(database), another_caller, TWO_CHAIRS, "a key")
    await place_order(Desk(database), caller, order_of_one(), "a key")

    assert (await level_now(database, "CHAIR")).on_hand == 13


async def test_a_key_is_kept_trimmed_and_composed(database, caller, chairs):
    await receive_stock(Desk(database), caller, TWO_CHAIRS, "Cafe\u0301")

    await receive_stock(Desk(database), caller, TWO_CHAIRS, " Caf\u00e9 ")

    assert (await level_now(database, "CHAIR")).on_hand == 11


async def test_a_refusal_is_kept_although_it_would_not_be_refused_any_more(database, caller, chairs):
    too_many = AdjustStock(
        location="LEEDS", lines=(AdjustedLine(sku="CHAIR", delta=-10),), reason=AdjustmentReason.LOSS
    )
    with pytest.raises(InsufficientStock) as first:
        await adjust_stock(Desk(database), caller, too_many, "a key")
    await received(database, caller, {"CHAIR": 5})

    with pytest.raises(InsufficientStock) as second:
        await adjust_stock(Desk(database), caller, too_many, "a key")

    assert second.value.shortages == first.value.shortages
    assert (await level_now(database, "CHAIR")).on_hand == 14


async def test_not_found_is_judged_anew(database, caller, chairs):
    command = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku="TABLE", quantity=2),))
    with pytest.raises(NotFound):
        await receive_stock(Desk(database), caller, command, "a key")
    await a_catalog(database, caller, {("TABLE", "LEEDS"): 0})

    await receive_stock(Desk(database), caller, command, "a key")

    assert (await level_now(database, "TABLE")).on_hand == 2


async def test_invalid_input_is_judged_anew(database, caller, chairs):
    await received(database, caller, {"CHAIR": 999_999_991})
    with pytest.raises(InvalidInput):
        await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")
    await counted(database, caller, {"CHAIR": 0})

    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")

    assert (await level_now(database, "CHAIR")).on_hand == 2


async def test_a_key_is_free_again_after_thirty_days_and_not_before(database, caller, chairs, engine):
    async def grow_old(days):
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE idempotency_keys SET created_at = now() - make_interval(days => :days)"), {"days": days}
            )

    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")
    await grow_old(29)
    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")
    assert (await level_now(database, "CHAIR")).on_hand == 11

    await grow_old(31)
    await receive_stock(Desk(database), caller, replace(TWO_CHAIRS, reference="other"), "a key")

    assert (await level_now(database, "CHAIR")).on_hand == 13


async def test_a_key_whose_first_request_fails_for_another_reason_is_free(database, caller, chairs):
    class Bug(Exception):
        pass

    async def broken(uow):
        assert await uow.keys.claim([((caller.key, "receiveStock", "a key"), b"fingerprint")]) == {}
        raise Bug

    with pytest.raises(Bug):
        await database.run(broken)

    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")
    assert (await level_now(database, "CHAIR")).on_hand == 11


async def test_an_effect_whose_outcome_cannot_be_kept_is_not_there(database, caller, chairs, engine, monkeypatch):
    class Bug(Exception):
        pass

    def broken(_):
        raise Bug

    before = await everything(engine)
    with monkeypatch.context() as patch:
        patch.setattr(batch_writes, "kept", broken)
        with pytest.raises(Bug):
            await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")
    assert await everything(engine) == before

    await receive_stock(Desk(database), caller, TWO_CHAIRS, "a key")

    assert (await level_now(database, "CHAIR")).on_hand == 11


OUTCOMES = [
    OrderDone(order=OrderId(5)),
    StockOutcome(levels=((ItemId(1), LocationId(2)), (ItemId(3), LocationId(2)))),
    StockOutcome(levels=(), overallocated=(OrderId(4), OrderId(2))),
    StockOutcome(levels=(), supply=SupplyId(7), superseded=(Sku("CHAIR"),)),
    SupplyDone(supply=SupplyId(7)),
    RunOutcome(
        results=(
            OrderOutcome(
                index=0,
                order=OrderId(5),
                before=AllocationStatus.UNALLOCATED,
                after=None,
                lines=(
                    LineOutcome(
                        line=LineId(1), item=ItemId(2), quantity=3, allocated=2, locations=((LocationId(4), 2),)
                    ),
                ),
            ),
            OrderOutcome(index=1, order=None, refusal=NotFound(references=("SHOP/N1", LineId(4)))),
            OrderOutcome(
                index=2,
                order=OrderId(6),
                refusal=OrderNotInState(order=OrderId(6), allowed=(OrderStatus.FINALIZED, OrderStatus.DRAFT)),
            ),
        )
    ),
]
REFUSALS = [
    OrderAlreadyPlaced(order=OrderId(3)),
    OrderNotInState(order=OrderId(3), allowed=(OrderStatus.DRAFT,)),
    OrderVersionConflict(order=OrderId(3)),
    QuantityAlreadyShipped(order=OrderId(3), lines=(LineId(1), LineId(2))),
    StockLevelConflict(levels=((ItemId(1), LocationId(2)),)),
    SupplyAlreadyExpected(supply=SupplyId(7)),
    SupplyNotInState(supply=SupplyId(7), allowed=(SupplyState.EXPECTED,)),
    InsufficientStock(
        shortages=(
            Shortage(sku=Sku("CHAIR"), location=LocationId(1), requested=3, on_hand=2, available=1),
            Shortage(sku=Sku("TABLE"), location=None, requested=3, on_hand=2, available=1),
        )
    ),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_comes_back_from_json_as_it_was(outcome):
    back = from_json(type(outcome), orjson.loads(to_text(outcome)))

    assert type(back) is type(outcome)
    assert to_json(back) == to_json(outcome)
    if not isinstance(outcome, RunOutcome):
        assert back == outcome


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_that_is_kept_comes_back_from_json_as_it_was(refusal):
    back = from_json(OrderDone, to_json(refusal))

    assert type(back) is type(refusal)
    assert vars(back) == vars(refusal)


def test_an_outcome_that_an_older_release_has_kept_is_read_without_what_came_later():
    kept = {"levels": [[1, 2]], "overallocated": [3]}

    assert from_json(StockOutcome, kept) == StockOutcome(
        levels=((ItemId(1), LocationId(2)),), overallocated=(OrderId(3),)
    )
