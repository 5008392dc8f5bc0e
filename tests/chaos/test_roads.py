"""The road to the database fails, in every way that a road can: answers are honest, and the shop opens again by itself.

Each test says that the fault really happened; what the buyers were told is judged by `tests.acceptance.enduring`.
"""

import asyncio
from pathlib import Path

import asyncpg

from persistence.locks import SKU_CLASS
from tests.acceptance.enduring import BUSY, BUYERS, Shop, shop

DEADLINE_SECONDS = 30
"""Of one transaction with its tries: see `persistence.database.Timeouts`."""
MOMENT_SECONDS = 10
"""In which a shop recovers from what it is told of at once, on a busy machine."""
VICTIMS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """


async def test_backends_that_are_terminated(database_url: str, tmp_path: Path):
    async with shop(tmp_path, database_url) as open_shop:
        connection = await asyncpg.connect(database_url)
        for _ in range(8):
            assert await connection.fetchval(VICTIMS) > 1
            await open_shop.buyers.get(BUYERS)
        await connection.close()
        await open_shop.recovers(MOMENT_SECONDS)


async def test_connections_that_are_reset(database_url: str, tmp_path: Path):
    async with shop(tmp_path, database_url) as open_shop:
        for _ in range(8):
            assert open_shop.road.reset() > 1
            await open_shop.buyers.get(BUYERS)
        await open_shop.recovers(MOMENT_SECONDS)


async def test_a_database_that_is_not_there_for_a_while(database_url: str, tmp_path: Path):
    async with shop(tmp_path, database_url) as open_shop:
        await open_shop.road.cut()
        await open_shop.buyers.get(20, BUSY)
        await asyncio.sleep(5)
        await open_shop.road.open()
        await open_shop.recovers(MOMENT_SECONDS)


async def test_connections_that_are_half_open(database_url: str, tmp_path: Path):
    """Nothing arrives on them, and nobody says so; new ones are as good as ever."""
    async with shop(tmp_path, database_url) as open_shop:
        assert open_shop.road.swallow() > 1
        await open_shop.recovers(DEADLINE_SECONDS + MOMENT_SECONDS)
        assert open_shop.road.lost


async def test_a_black_hole(database_url: str, tmp_path: Path):
    """Connections are taken, and nothing arrives; then it is over, and the connections from before stay dead."""
    async with shop(tmp_path, database_url) as open_shop:
        open_shop.road.is_black_hole = True
        open_shop.road.swallow()
        await asyncio.sleep(DEADLINE_SECONDS + 15)
        assert open_shop.road.lost
        assert open_shop.buyers.troubles
        open_shop.road.is_black_hole = False
        await open_shop.recovers(DEADLINE_SECONDS + MOMENT_SECONDS)


async def test_a_road_that_is_long(database_url: str, tmp_path: Path):
    """Everything takes longer, and nobody is told to come again."""
    async with shop(tmp_path, database_url) as open_shop:
        open_shop.road.delay_seconds = 0.03
        await open_shop.buyers.get(4 * BUYERS)
        assert open_shop.road.delayed > 50
        assert not open_shop.buyers.troubles
        assert open_shop.buyers.longest_seconds > 5 * open_shop.road.delay_seconds
        open_shop.road.delay_seconds = 0
        await open_shop.recovers(MOMENT_SECONDS)


async def test_a_pool_that_is_exhausted(database_url: str, tmp_path: Path):
    """A table is locked, so every connection of the node waits, and the others for one of them."""
    async with shop(tmp_path, database_url, DIBS_POOL_SIZE="2") as open_shop:
        readers = []
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            readers = [asyncio.create_task(read(open_shop)) for _ in range(6)]
            told = [await reader for reader in asyncio.as_completed(readers[:4])]
        await connection.close()
        told += await asyncio.gather(*readers)
        assert BUSY in told
        await open_shop.recovers(MOMENT_SECONDS)


async def read(open_shop: Shop) -> str:
    """The code of a query for orders."""
    query = "{ orders(first: 1) { nodes { number } } }"
    answer = (await open_shop.buyers.http.post(open_shop.node.address, json={"query": query})).json()
    return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "answered"


async def test_a_lock_that_somebody_holds(database_url: str, tmp_path: Path):
    """For longer than a transaction may take: who wants it is told so, and is served when it is free."""
    async with shop(tmp_path, database_url) as open_shop:
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            items = await connection.fetch("SELECT pg_advisory_xact_lock($1, id) FROM items", SKU_CLASS)
            assert items
            await asyncio.sleep(DEADLINE_SECONDS + 5)
        await connection.close()
        assert open_shop.buyers.troubles
        await open_shop.recovers(DEADLINE_SECONDS + MOMENT_SECONDS)
