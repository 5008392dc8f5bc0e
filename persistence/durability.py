"""Whether what the database has acknowledged survives its crash."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

DURABILITY = text("SELECT current_setting('fsync') <> 'off' AND current_setting('synchronous_commit') <> 'off'")


async def is_durable(engine: AsyncEngine) -> bool:
    """As it is for our own transactions: both may be set for a server, a database or a role."""
    async with engine.connect() as connection:
        return bool((await connection.execute(DURABILITY)).scalar_one())
