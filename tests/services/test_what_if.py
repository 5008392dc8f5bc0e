"""Dry runs: who would get less, and a token that commits exactly what was said."""

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from domain.errors import IdempotencyKeyReused, InvalidInput, PlanChanged
from domain.kinds import AllocationSequence, AllocationStatus
from services import plan_tokens, runs, what_if
from services.allocation import AllocateOrder, AllocateOrders, allocate_orders
from services.catalog import save_locations
from services.desk import Desk
from services.ports.orders import OrderFilter, OrderReference
from services.runs import StartRun, advance_a_run, start_allocation_run
from services.what_if import foresee_orders, losers_of_run
from tests.builders import (
    a_catalog,
    a_key,
    allocated,
    by_id,
    counted,
    edited,
    everything,
    level_now,
    order_now,
    placed,
    received,
    statuses_now,
)

UNALLOCATED, ALLOCATED, PARTIALLY, COULD_NOT, OVERALLOCATED = AllocationStatus


def command(*orders, **more):
    return AllocateOrders(orders=tuple(AllocateOrder(order=by_id(order)) for order in orders), **more)


async def foreseen(database, caller, *orders, **more):
    return await foresee_orders(database, caller, command(*orders, **more))


async def committed(database, caller, token, *orders, key=None, **more):
    return await allocate_orders(Desk(database), caller, command(*orders, token=token, **more), key or a_key())


async def waiting_orders(database, caller, *quantities, **more):
    """Orders that a run left short of chairs."""
    orders = [await placed(database, caller, {"CHAIR": units}, **more) for units in quantities]
    await allocated(database, caller, *orders)
    return orders


# ---------------------------------------------------------------- who gets less


async def test_a_dry_run_names_the_waiting_orders_that_would_get_less(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0, ("TABLE", "LEEDS"): 1})
    first, second, third = await waiting_orders(database, caller, 2, 2, 5)
    urgent = await placed(database, caller, {"CHAIR": 3, "TABLE": 1})
    await received(database, caller, {"CHAIR": 5})
    before = await everything(engine)

    said = await foreseen(database, caller, urgent)

    assert await everything(engine) == before
    losing = [(one.order, one.units_without, one.units_with) for one in said.losers.orders]
    assert losing == [(second, 2, 0), (third, 1, 0)]
    assert said.losers.all_seen
    await committed(database, caller, said.token, urgent)
    await allocated(database, caller, first, second, third)
    assert await statuses_now(database, urgent, first, second, third) == [ALLOCATED, ALLOCATED, COULD_NOT, COULD_NOT]


async def test_whoever_takes_nothing_from_those_that_wait_makes_nobody_lose(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0, ("TABLE", "LEEDS"): 1})
    await waiting_orders(database, caller, 2)
    other = await placed(database, caller, {"TABLE": 1})
    await received(database, caller, {"CHAIR": 2})

    assert (await foreseen(database, caller, other)).losers == what_if.Losers(orders=[], all_seen=True)


async def test_orders_of_the_run_are_no_losers_and_what_was_not_looked_at_is_said(database, caller, monkeypatch):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    first, second, third = await waiting_orders(database, caller, 1, 1, 1)
    await received(database, caller, {"CHAIR": 2})
    monkeypatch.setattr(what_if, "WAITING_ORDERS_MAX", 1)

    said = await foreseen(database, caller, third)

    assert (said.losers.orders, said.losers.all_seen) == ([], False)
    monkeypatch.setattr(what_if, "WAITING_ORDERS_MAX", 2)
    said = await foreseen(database, caller, third)
    assert ([one.order for one in said.losers.orders], said.losers.all_seen) == ([second], True)
    assert first


async def dry_run(database, caller, **condition):
    """A background run that writes nothing; what it says of those beside it."""
    condition = OrderFilter(**condition)
    command = StartRun(filter=condition, sequence=AllocationSequence.PLACED_AT_ASC, dry_run=True)
    run = (await start_allocation_run(database, caller, command, a_key())).run
    assert await losers_of_run(database, run) is None
    while await database.run(advance_a_run):
        pass
    return await losers_of_run(database, run)


async def test_a_dry_run_in_the_background_names_who_waits_beside_it_and_would_get_less(
    database, caller, engine, monkeypatch
):
    monkeypatch.setattr(runs, "CHUNK_ORDERS_MAX", 1)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0, ("TABLE", "LEEDS"): 9})
    first, second = await waiting_orders(database, caller, 2, 2)
    await waiting_orders(database, caller, 2, 1, channel="TILL")
    await allocated(database, caller, await placed(database, caller, {"TABLE": 10}))
    await received(database, caller, {"CHAIR": 6, "TABLE": 1})
    before = await everything(engine)

    said = await dry_run(database, caller, channels=("TILL",))

    assert [(one.order, one.units_without, one.units_with) for one in said.orders] == [(second, 2, 1)]
    assert said.all_seen
    assert {name for name, rows in (await everything(engine)).items() if rows != before[name]} <= {
        *("allocation_runs", "events", "foreseen_chunks", "idempotency_keys"),
    }
    assert (await dry_run(database, caller)).orders == []
    monkeypatch.setattr(what_if, "WAITING_ORDERS_MAX", 1)
    assert not (await dry_run(database, caller, channels=("TILL",))).all_seen
    assert first


async def test_a_run_that_is_no_dry_run_has_no_losers_to_tell_of(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    await waiting_orders(database, caller, 2)
    await received(database, caller, {"CHAIR": 1})
    command = StartRun(filter=OrderFilter(), sequence=AllocationSequence.PLACED_AT_ASC, dry_run=False)
    run = (await start_allocation_run(database, caller, command, a_key())).run
    while await database.run(advance_a_run):
        pass

    assert await losers_of_run(database, run) is None


# ---------------------------------------------------------------- the token


async def test_the_token_of_a_dry_run_commits_exactly_what_it_said(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 1})
    orders = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    said = await foreseen(database, caller, *orders)

    done = await committed(database, caller, said.token, *orders, key="a key")

    assert done.results == said.results
    assert await statuses_now(database, *orders) == [ALLOCATED, PARTIALLY]
    assert await committed(database, caller, said.token, *orders, key="a key") == done
    with pytest.raises(IdempotencyKeyReused):
        await allocate_orders(Desk(database), caller, command(*orders), "a key")


async def test_where_a_level_moved_nothing_is_done_and_the_level_is_named(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("TABLE", "LEEDS"): 9, ("CHAIR", "YORK"): 1})
    order = await placed(database, caller, {"CHAIR": 2, "TABLE": 1})
    said = await foreseen(database, caller, order)
    await received(database, caller, {"CHAIR": 1}, location="YORK")
    before = await everything(engine)

    with pytest.raises(PlanChanged) as refused:
        await committed(database, caller, said.token, order)

    york = await level_now(database, "CHAIR", "YORK")
    assert (refused.value.levels, refused.value.orders) == ((york.key,), ())
    assert await statuses_now(database, order) == [UNALLOCATED]
    after = await everything(engine)
    assert {name for name in after if after[name] != before[name]} == {"idempotency_keys"}


async def test_a_level_that_is_new_or_was_taken_from_has_moved_and_one_that_may_not_be_used_has_not(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("TABLE", "YORK"): 1})
    order, other = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    anywhere = await foreseen(database, caller, order)
    in_leeds = await foreseen(database, caller, order, locations=("LEEDS",))

    await received(database, caller, {"CHAIR": 1}, location="YORK")
    with pytest.raises(PlanChanged) as refused:
        await committed(database, caller, anywhere.token, order)
    york = await level_now(database, "CHAIR", "YORK")
    assert refused.value.levels == (york.key,)

    await allocated(database, caller, other)
    with pytest.raises(PlanChanged) as refused:
        await committed(database, caller, in_leeds.token, order, locations=("LEEDS",))
    leeds = await level_now(database, "CHAIR", "LEEDS")
    assert refused.value.levels == (leeds.key,)

    in_leeds = await foreseen(database, caller, order, locations=("LEEDS",))
    await received(database, caller, {"CHAIR": 1}, location="YORK")
    await committed(database, caller, in_leeds.token, order, locations=("LEEDS",))
    assert await statuses_now(database, order) == [ALLOCATED]


async def test_where_an_order_moved_it_is_named(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(2)]
    said = await foreseen(database, caller, *orders)
    await edited(database, caller, orders[1], priority=7)

    with pytest.raises(PlanChanged) as refused:
        await committed(database, caller, said.token, *orders)

    assert (refused.value.levels, refused.value.orders) == ((), (orders[1],))


async def test_where_only_ranks_moved_the_plan_is_another_all_the_same(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2, ("CHAIR", "YORK"): 2})
    order = await placed(database, caller, {"CHAIR": 1})
    said = await foreseen(database, caller, order)
    await save_locations(database, [{"code": "YORK", "name": "York", "rank": -5}])

    with pytest.raises(PlanChanged) as refused:
        await committed(database, caller, said.token, order)

    assert (refused.value.levels, refused.value.orders) == ((), ())
    assert await statuses_now(database, order) == [UNALLOCATED]


async def test_of_two_plans_that_rest_on_the_same_level_only_the_first_is_committed(database, caller):
    """They come to one desk together. In one batch no version would have moved yet, so each comes alone."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    orders = [await placed(database, caller, {"CHAIR": 1}) for _ in range(3)]
    tokens = [(await foreseen(database, caller, order)).token for order in orders]
    desk = Desk(database)

    answers = await asyncio.gather(
        *(
            allocate_orders(desk, caller, command(order, token=token), a_key())
            for order, token in zip(orders, tokens, strict=True)
        ),
        return_exceptions=True,
    )

    assert [isinstance(answer, PlanChanged) for answer in answers] == [False, True, True]
    assert (await level_now(database, "CHAIR")).committed == 1


# ---------------------------------------------------------------- what is no token


async def test_the_token_of_another_input_is_refused(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    orders = [await placed(database, caller, {"CHAIR": 1}, number=number) for number in ("N1", "N2")]
    said = await foreseen(database, caller, *orders)
    before = await everything(engine)

    for others in (orders[:1], orders[::-1]):
        with pytest.raises(InvalidInput) as refused:
            await committed(database, caller, said.token, *others)
        assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "token"), "OTHER_INPUT")]
    assert await everything(engine) == before


async def test_what_is_no_token_is_refused(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 1})
    token = (await foreseen(database, caller, order)).token
    before = await everything(engine)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    def sealed(packed: bytes) -> str:
        whole = plan_tokens._checksum(packed) + packed
        return base64.urlsafe_b64encode(whole).rstrip(b"=").decode()

    def packed(content) -> str:
        return sealed(plan_tokens.zlib.compress(json.dumps(content).encode()))

    half = "ab" * 16
    forged = [
        "", "x", "é", "\x00", token[:-1], token + "A", "A" * 200_000,
        base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode(),
        sealed(b"no zlib"), packed([]), packed(5), packed([1, half, half, [], [], [], [], [], []]),
        packed([2, half, half, [], [], [], [], []]),
        packed([1, half, half, ["1"], [1], [], [], []]),
        packed([1, half, half, [1], [], [], [], []]),
        packed([1, half, half, [2**63], [1], [], [], []]),
        packed([1, 5, half, [], [], [], [], []]),
        sealed(plan_tokens.zlib.compress(b" " * 10_000_000)),
    ]  # fmt: skip
    for text in forged:
        with pytest.raises(InvalidInput) as refused:
            await committed(database, caller, text, order)
        assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "token"), "NOT_A_TOKEN")], text
    with pytest.raises(InvalidInput):
        await foreseen(database, caller, order, token=token)
    assert await everything(engine) == before


async def test_a_token_for_a_thousand_orders_is_short_enough_to_be_sent(database, caller):
    """3,000 levels, in less than a fifth of what a request may have."""
    orders = {number: 1 + number % 7 for number in range(1_000_000, 1_001_000)}
    keys = [(item, location) for item in range(5_000, 6_000) for location in (1, 2, 3)]
    levels = {(item, location): 1 + (item * 31 + location * 17) % 400 for item, location in keys}
    basis = plan_tokens.Basis(orders=orders, levels=levels)
    token = plan_tokens.Token(asked=b"a" * 16, planned=b"b" * 16, basis=basis)

    text = plan_tokens.write_token(token)

    assert plan_tokens.read_token(text) == token
    assert len(text) < 50_000


async def test_a_dry_run_of_an_unknown_order_says_so_and_its_token_does_the_same(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 2})
    order = await placed(database, caller, {"CHAIR": 1})
    nobody = AllocateOrder(order=OrderReference(channel="SHOP", number="nobody"))
    both = replace(command(order), orders=(*command(order).orders, nobody))

    said = await foresee_orders(database, caller, both)
    done = await allocate_orders(Desk(database), caller, replace(both, token=said.token), a_key())

    assert [type(one.refusal).__name__ for one in done.results] == ["NoneType", "NotFound"]
    assert (await order_now(database, order)).allocation_status is ALLOCATED
    await counted(database, caller, {"CHAIR": 1})
