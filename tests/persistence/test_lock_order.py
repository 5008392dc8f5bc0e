"""Whoever can not lock in the agreed sequence does not wait: so nobody waits in a circle."""

import asyncio

import pytest
from asyncpg.exceptions import LockNotAvailableError
from sqlalchemy import text

from services.runs import run_waiting_orders
from tests.builders import a_catalog, allocated, placed, received


async def test_a_batch_that_comes_for_more_contenders_starts_over_rather_than_waiting(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("TABLE", "LEEDS"): 1})
    of_chairs, of_tables = [await placed(database, caller, {sku: 1}) for sku in ("CHAIR", "TABLE")]
    await allocated(database, caller, of_chairs, of_tables)

    async def work(uow):
        items = await uow.catalog.items_by_sku(["CHAIR", "TABLE"])
        facts = await uow.batches.load(items=items.values())
        chairs, tables = sorted(facts.levels, key=lambda level: facts.skus[level.item])
        await uow.batches.contenders({tables.key: 1})
        async with asyncio.timeout(10):
            await uow.batches.contenders({chairs.key: 1})

    async with engine.connect() as holder:
        await holder.execute(text("SELECT FROM orders WHERE id = :id FOR NO KEY UPDATE"), {"id": of_chairs})
        async with engine.connect() as connection:
            uow = type(await database.read(_itself))(connection)
            with pytest.raises(LockNotAvailableError, match="could not obtain lock"):
                await work(uow)


async def _itself(uow):
    return uow


async def test_a_runner_leaves_what_becomes_available_just_now_and_does_not_wait_for_it(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0, ("TABLE", "LEEDS"): 0})
    await received(database, caller, {"CHAIR": 1, "TABLE": 1})

    async with engine.connect() as holder:
        await holder.execute(
            text(
                "UPDATE replenished_items SET since = since WHERE item_id = (SELECT id FROM items WHERE sku = 'CHAIR')"
            )
        )
        async with asyncio.timeout(10):
            await run_waiting_orders(database, caller)
        left = await database.read(lambda uow: uow.runs.replenished(10))

    items = await database.read(lambda uow: uow.catalog.items_by_sku(["CHAIR"]))
    assert [item for item, _ in left] == [items["CHAIR"]]
