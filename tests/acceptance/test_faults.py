"""What happens to a server for a moment, one after the other. At length, and much worse: tests/chaos."""

from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.enduring import BUSY, BUYERS, shop

MOMENT_SECONDS = 20
VICTIMS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """


@pytest.mark.chaos
async def test_i7_i8_while_the_road_to_the_database_fails_for_moments_answers_are_honest(
    database_url: str, tmp_path: Path
):
    connection = await asyncpg.connect(database_url)
    async with shop(tmp_path, database_url) as open_shop:
        road, buyers = open_shop.road, open_shop.buyers
        for _ in range(2):
            assert road.reset() > 1
            await buyers.get(BUYERS)
            assert await connection.fetchval(VICTIMS) > 1
            await buyers.get(BUYERS)
        await road.cut()
        await buyers.get(BUYERS, BUSY)
        await road.open()
        await open_shop.recovers(MOMENT_SECONDS)
        road.delay_seconds = 0.01
        await buyers.get(2)
        assert road.delayed
    await connection.close()
