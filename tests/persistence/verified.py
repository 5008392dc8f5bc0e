"""Everything that `dibs verify` knows, asked by a test."""

import asyncio

import asyncpg

from persistence.database import connect
from persistence.verify import INVARIANTS, verify

HOLDS = " AND ".join(f"NOT EXISTS ({one.sql})" for one in INVARIANTS)
"""All of them in one statement, which takes a third of the time where there is next to nothing to look at."""


async def verified(url: str) -> list[object]:
    """What is broken: nothing, it is hoped."""
    if await _holds(url):
        return []
    engine = connect(url, pool_size=1)
    try:
        return list(await verify(engine))
    finally:
        await engine.dispose()


async def _holds(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(f"SELECT {HOLDS}"))
    finally:
        await connection.close()


def assert_verified(url: str) -> None:
    assert asyncio.run(verified(url)) == []
