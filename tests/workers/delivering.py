"""A worker that delivers webhooks, as a process that a test may kill: `python -m tests.workers.delivering URL`."""

import asyncio
import sys

from persistence.database import PostgresDatabase, connect
from tests.workers.webhooks import STUBBORN, delivering


async def main(url: str) -> None:
    engine = connect(url, pool_size=2)
    async with delivering(PostgresDatabase(engine), patience=STUBBORN, lease_seconds=1):
        print("delivering", flush=True)
        await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
