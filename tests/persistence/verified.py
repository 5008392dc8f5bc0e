"""Everything that `dibs verify` knows, asked by a test."""

import asyncio

from persistence.database import connect
from persistence.verify import verify


async def verified(url: str) -> list[object]:
    """What is broken: nothing, it is hoped."""
    engine = connect(url, pool_size=1)
    try:
        return list(await verify(engine))
    finally:
        await engine.dispose()


def assert_verified(url: str) -> None:
    assert asyncio.run(verified(url)) == []
