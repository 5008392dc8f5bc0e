"""Workers that make alerts and mails and send them, as a process that a test may kill.

`python -m tests.workers.noticing DATABASE-URL MAIL-URL`
"""

import asyncio
import sys

from persistence.database import PostgresDatabase, connect
from services import notices
from tests.workers.notices import noticing


async def main(url: str, mail_url: str) -> None:
    notices.EVENTS_AT_ONCE_MAX = 3
    engine = connect(url, pool_size=2)
    async with noticing(PostgresDatabase(engine), mail_url=mail_url):
        print("noticing", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
