"""The promise behind the locks: what is written over rows that changed since they were read is refused, all of it."""

from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import persistence.batches
from domain.batch import Batch
from domain.ids import Sku
from domain.kinds import AllocationCause, AllocationStatus
from domain.orders import NewLine, NewOrder
from persistence.driver import GuardFailed
from persistence.verify import verify
from services.allocation import allocate_batch
from services.orders import place_orders
from services.ports.batches import BatchTooLarge
from services.recording import settle
from tests.builders import (
    a_catalog,
    allocated,
    counted,
    deallocated,
    edited,
    everything,
    level_now,
    lines_now,
    placed,
    status_now,
    statuses_now,
    voided,
)

ALLOCATED = AllocationStatus.ALLOCATED


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(persistence.batches, "lock_skus", nothing)


async def record_after(database, caller, deed, *, orders=(), items=(), move):
    """Read a batch, let somebody else do their deed, then move and write it."""

    async def work(uow):
        batch = Batch(await uow.batches.load(orders=orders, items=items))
        await deed()
        before.append(await everything(database.engine))
        move(batch)
        await settle(uow, batch)
        await uow.batches.record(batch.changes())

    before = []
    with pytest.raises((GuardFailed, IntegrityError)) as refused:
        await database.run(work)
    assert await everything(database.engine) == before[0]
    return refused.type


def one_more(batch):
    (level,) = batch.levels.values()
    batch.change_level(level.with_quantity("safety_stock", level.safety_stock + 1), AllocationCause.STOCK_ADJUSTED)


async def test_a_level_that_changed_since_it_was_read_is_not_written_over(database, caller, without_locks):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    items = await database.read(lambda uow: uow.catalog.items_by_sku(["CHAIR"]))

    refused = await record_after(
        database, caller, lambda: counted(database, caller, {"CHAIR": 2}), items=items.values(), move=one_more
    )

    assert refused is GuardFailed
    assert (await level_now(database, "CHAIR")).on_hand == 2


async def test_an_order_that_changed_since_it_was_read_is_not_written_over(database, caller, without_locks):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 1})

    def move(batch):
        batch.change_order(batch.orders[order], "EDITED")

    for deed in (
        lambda: edited(database, caller, order, priority=1),
        lambda: allocated(database, caller, order),
        lambda: deallocated(database, caller, order),
        lambda: voided(database, caller, order),
    ):
        assert await record_after(database, caller, deed, orders=[order], move=move) is GuardFailed


async def test_a_claim_that_ended_since_it_was_read_does_not_end_twice(database, caller, without_locks):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    order = await placed(database, caller, {"CHAIR": 1})
    await allocated(database, caller, order)

    def move(batch):
        (claim,) = batch.claims_of(order)
        batch.give_back(claim, 1, "CANCELED", AllocationCause.CANCELED)

    await record_after(database, caller, lambda: deallocated(database, caller, order), orders=[order], move=move)

    assert await status_now(database, order) is AllocationStatus.UNALLOCATED


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE stock_levels SET on_hand = 0", "what_is_committed_beyond_stock_is_flagged"),
        ("UPDATE stock_levels SET committed = 4", "what_is_committed_beyond_stock_is_flagged"),
        ("UPDATE stock_levels SET flagged = 1", "what_is_committed_beyond_stock_is_flagged"),
        ("UPDATE stock_levels SET on_hand = -1, flagged = 2", "no_stock_quantity_is_negative"),
        ("UPDATE stock_levels SET safety_stock = -1", "no_stock_quantity_is_negative"),
        ("UPDATE stock_levels SET damaged = 4, flagged = 2", "what_is_set_apart_is_on_hand"),
        ("UPDATE order_lines SET allocated = 3", "a_line_is_not_served_beyond_its_quantity"),
        ("UPDATE order_lines SET shipped = 1", "a_line_is_not_served_beyond_its_quantity"),
        ("UPDATE order_lines SET canceled = -1", "no_line_quantity_is_negative"),
        ("UPDATE order_lines SET overallocated = 3", "only_allocated_units_are_overallocated"),
        ("UPDATE order_lines SET unit_price = 1", "a_price_has_a_currency"),
        ("UPDATE order_lines SET quantity = 0, allocated = 0", "a_line_has_a_quantity"),
        ("UPDATE allocations SET quantity = 0", "an_allocation_has_a_quantity"),
        ("UPDATE allocations SET overallocated = 3", "an_allocation_is_overallocated_at_most_in_full"),
        ("UPDATE orders SET status = 'VOID'", "a_void_order_has_no_allocation_status"),
        ("UPDATE stock_movements SET change = 0", "a_movement_moves"),
    ],
)
async def test_i4_a_constraint_stands_behind_every_rule(database, caller, engine, statement, constraint):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    await allocated(database, caller, await placed(database, caller, {"CHAIR": 2}))

    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        async with engine.begin() as connection:
            await connection.execute(text(statement))


async def test_a_batch_takes_two_thousand_skus_and_locks_nothing_where_there_are_more(database, engine):
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO items (sku, name) SELECT CAST(n AS text), 'x' FROM generate_series(1, 2001) AS n")
        )

    async def load(uow, items):
        facts = await uow.batches.load(items=items)
        held = await uow._connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))
        return len(facts.skus), held.scalar_one()

    skus, held = await database.run(lambda uow: load(uow, range(1, 2001)))
    assert skus == 2_000
    assert held >= 2_000
    with pytest.raises(BatchTooLarge):
        await database.run(lambda uow: load(uow, range(1, 2002)))


# ---------------------------------------------------------------- handing over


async def rows_of_allocations(engine):
    async with engine.connect() as connection:
        columns = "id, line_id, quantity, overallocated, seniority, allocated_at"
        rows = await connection.execute(text(f"SELECT {columns} FROM allocations ORDER BY id"))  # noqa: S608
        return [SimpleNamespace(**row) for row in rows.mappings()]


def but(row, **changed):
    return SimpleNamespace(**(vars(row) | changed))


async def handed_over(database, giver, taker, quantity):
    async def work(uow):
        batch = Batch(await uow.batches.load(orders=[giver, taker]))
        (claim,) = batch.claims_of(giver)
        (line,) = batch.lines_of(taker)
        batch.hand_over(claim, line.id, quantity)
        await settle(uow, batch)
        await uow.batches.record(batch.changes())

    await database.run(work)


async def test_a_claim_that_is_handed_over_whole_keeps_its_row_and_its_time(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    giver, taker = [await placed(database, caller, {"CHAIR": 2}) for _ in range(2)]
    await allocated(database, caller, giver)
    (before,) = await rows_of_allocations(engine)

    await handed_over(database, giver, taker, 2)

    (after,) = await rows_of_allocations(engine)
    assert after.line_id != before.line_id
    assert but(after, line_id=before.line_id) == before
    assert await statuses_now(database, giver, taker) == [AllocationStatus.COULD_NOT_ALLOCATE, ALLOCATED]
    assert await verify(engine) == []


async def test_a_claim_that_is_divided_becomes_two_of_one_age_and_time(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 4})
    giver, other, taker = [await placed(database, caller, {"CHAIR": quantity}) for quantity in (3, 1, 2)]
    await allocated(database, caller, giver, other)
    old, between = await rows_of_allocations(engine)

    await handed_over(database, giver, taker, 2)

    rest, _, part = await rows_of_allocations(engine)
    assert rest == but(old, quantity=1)
    assert (part.quantity, part.seniority, part.allocated_at) == (2, old.id, old.allocated_at)
    assert part.id > between.id

    await counted(database, caller, {"CHAIR": 3})
    assert [row.overallocated for row in await rows_of_allocations(engine)] == [0, 1, 0]
    await counted(database, caller, {"CHAIR": 1})
    assert [row.overallocated for row in await rows_of_allocations(engine)] == [0, 1, 2]
    assert await verify(engine) == []


async def test_what_was_handed_over_ends_as_units_of_the_line_that_had_it_last(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3})
    giver, taker = [await placed(database, caller, {"CHAIR": 3}) for _ in range(2)]
    await allocated(database, caller, giver)
    (line,) = await lines_now(database, giver)
    await edited(database, caller, giver, quantities={line.id: 2})

    await handed_over(database, giver, taker, 2)
    await deallocated(database, caller, taker)

    async with engine.connect() as connection:
        ended = await connection.execute(
            text("SELECT line_id, allocation_id, reason FROM ended_allocations ORDER BY 3")
        )
        (first, *_), (last, *_) = rows = ended.all()
    assert [row.reason for row in rows] == ["DEALLOCATED", "EDITED"]
    assert len({row.allocation_id for row in rows}) == 1
    assert (first, last) == ((await lines_now(database, taker))[0].id, line.id)
    assert await verify(engine) == []


async def test_allocating_orders_touches_no_index_of_theirs(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1_000})
    new = [
        NewOrder(channel="SHOP", number=str(number), lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))
        for number in range(200)
    ]
    orders = [done.order for done in await database.run(lambda uow: place_orders(uow, caller, new))]

    async def work(uow):
        await allocate_batch(uow, caller, orders)
        rows = await uow._connection.execute(UPDATES)
        return {row.table: (row.updated, row.hot) for row in rows}, await _version(uow._connection)

    updates, version = await database.run(work)

    assert updates["order_lines"] == (200, 200)
    assert updates["orders"] == (200, 200 if version >= 16 else 0)


async def _version(connection):
    return int((await connection.execute(text("SHOW server_version_num"))).scalar_one()) // 10_000


UPDATES = text(
    """
    SELECT name AS table, pg_stat_get_xact_tuples_updated(CAST(name AS regclass)) AS updated,
           pg_stat_get_xact_tuples_hot_updated(CAST(name AS regclass)) AS hot
    FROM unnest(ARRAY['orders', 'order_lines']) AS name
    """
)
