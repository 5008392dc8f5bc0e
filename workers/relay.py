"""The relay: gives committed events their public, dense positions, and rings the bell once a batch.

Positions are given after the commit, by one relay at a time, so a reader that continues behind a position misses
nothing: ids are given out when rows are written, and a row with a smaller id may well be committed later.
"""

import asyncio
import logging

from services.ports.bell import Bell
from services.ports.database import OUT_OF_REACH, Database
from services.ports.unit_of_work import UnitOfWork
from workers.loop import rest

log = logging.getLogger("dibs.relay")

POLL_SECONDS = 0.1
"""How long an event that another process committed waits at most to be looked for."""
BATCH_ROWS_MAX = 5_000


class Relay:
    """Numbers events until cancelled. Any number of relays may run; the lock lets one at a time."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._nudged = asyncio.Event()
        self.numbered = 0

    def nudge(self) -> None:
        """This process has just committed something: look at once."""
        self._nudged.set()

    async def run(self) -> None:
        """A look is one statement, so that an idle relay costs little; numbering is a transaction."""
        while True:
            nudged = self._nudged.is_set()
            self._nudged.clear()
            numbered = await self._number(nudged)
            self.numbered += numbered
            if numbered:
                self._bell.ring()
            if numbered < BATCH_ROWS_MAX:
                await rest(POLL_SECONDS, self._nudged)

    async def _number(self, nudged: bool) -> int:
        try:
            if nudged or await self._database.read(lambda uow: uow.events.has_waiting()):
                return await number_events(self._database)
            return 0
        except OUT_OF_REACH as error:
            log.warning("the relay waits for the database: %r", error.__cause__)
        except Exception:
            log.exception("the relay could not number events; trying again")
        await asyncio.sleep(1)
        return 0


async def number_events(database: Database) -> int:
    """Number one batch; how many. None waiting, or another relay at work, is 0."""

    async def work(uow: UnitOfWork) -> int:
        return await uow.events.number(BATCH_ROWS_MAX) or 0

    return await database.run(work, repeatable=True)
