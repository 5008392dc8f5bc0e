"""The foreman: looks for everybody at once whether there is anything to do, and calls those who have it to do.

A look is one statement, outside of any transaction; a dozen chores that each looked for themselves would keep an idle
server busy. Whoever is not called looks by itself after REST_SECONDS_MAX: a look only saves time.
"""

import asyncio
from collections import defaultdict

from services.ports.chores import Chore
from services.ports.database import Database
from workers.loop import repeated

LOOK_SECONDS = 0.5
"""How long what came by the clock, or from other processes, waits at most to be looked for."""
REST_SECONDS_MAX = 30.0
"""How long a chore rests that nobody calls."""


async def due_chores(database: Database) -> frozenset[Chore]:
    """All that may have to be done now; one statement."""
    return await database.read(lambda uow: uow.chores.due())


class Foreman:
    """Looks until cancelled. Any number of processes may have one."""

    def __init__(self, database: Database, seconds: float | None = None) -> None:
        """`seconds`: how often it looks at least."""
        self._database = database
        self._seconds = LOOK_SECONDS if seconds is None else seconds
        self._calls: defaultdict[Chore, list[asyncio.Event]] = defaultdict(list)

    def called(self, *chores: Chore) -> asyncio.Event:
        """Is set, from now on, whenever one of the chores is due."""
        called = asyncio.Event()
        for chore in chores:
            self._calls[chore].append(called)
        return called

    async def run(self) -> None:
        await repeated("the foreman", self._look, self._seconds)

    async def _look(self) -> bool:
        for chore in await due_chores(self._database):
            for called in self._calls[chore]:
                called.set()
        return False
