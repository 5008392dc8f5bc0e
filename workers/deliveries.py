"""Webhooks: events of the log go to the endpoints that want them, in order by subject, once or more.

Any number of processes may do this. One loop a process asks the database and writes to it; requests run beside it, a
few for each endpoint, so a slow endpoint delays nobody but itself.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from domain.ids import EndpointId
from domain.webhooks import PATIENCE, Claimed, Patience, Sent
from services.delivering import claim_deliveries, plan_deliveries, record_deliveries, release_deliveries
from services.ports.chores import Chore
from services.ports.database import OUT_OF_REACH, Database
from workers.foreman import REST_SECONDS_MAX, due_chores
from workers.loop import rest

log = logging.getLogger("dibs.webhooks")

RETRY_SECONDS = 1.0
"""After the database could not do it."""
REQUESTS_MAX = 8
"""On their way at the same time, to one endpoint, from one process."""
LEASE_SECONDS = 30.0
"""Longer than a request may take by far; what a dead process was sending is sent again after this."""
GOODBYE_SECONDS_MAX = 2.0


class Deliverer:
    """Delivers until cancelled. `send` makes one request; it does not fail, and does not take for ever."""

    def __init__(
        self,
        database: Database,
        send: Callable[[Claimed], Awaitable[Sent]],
        *,
        patience: Patience = PATIENCE,
        lease_seconds: float = LEASE_SECONDS,
        called: asyncio.Event,
    ) -> None:
        """`called`: there may be something to take up or to send."""
        self._database = database
        self._send = send
        self._patience = patience
        self._lease_seconds = lease_seconds
        self._called = called
        self._requests: dict[asyncio.Task[None], Claimed] = {}
        self._sending: Counter[EndpointId] = Counter()
        self._results: list[Sent] = []

    def nudge(self) -> None:
        """The log has grown, or a request has ended: look at once."""
        self._called.set()

    async def run(self) -> None:
        try:
            while True:
                if not await self._look():
                    await rest(REST_SECONDS_MAX, self._called)
        finally:
            await self._stop()

    async def _look(self) -> bool:
        """Whether there is more to do at once. What the database refuses is tried again."""
        try:
            return await self._turn()
        except OUT_OF_REACH as error:
            log.warning("webhooks wait for the database: %r", error.__cause__)
        except Exception:
            log.exception("webhooks could not go on; trying again")
        await asyncio.sleep(RETRY_SECONDS)
        return False

    async def _turn(self) -> bool:
        self._called.clear()
        await self._record()
        if Chore.WEBHOOKS not in await due_chores(self._database):
            return False
        more = await plan_deliveries(self._database)
        for claimed in await claim_deliveries(self._database, +self._sending, REQUESTS_MAX, self._lease_seconds):
            self._sending[claimed.endpoint] += 1
            task = asyncio.create_task(self._deliver(claimed))
            self._requests[task] = claimed
            task.add_done_callback(self._ended)
        return more

    async def _record(self) -> None:
        results = list(self._results)
        if results:
            await record_deliveries(self._database, results, self._patience)
            del self._results[: len(results)]

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            sent = await self._send(claimed)
        except Exception:
            log.exception("a webhook could not be sent to %s", claimed.name)
            sent = Sent(claimed=claimed, duration_ms=0, error="A mistake of ours; the log has it.")
        self._results.append(sent)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._requests.pop(task)
        self._sending[claimed.endpoint] -= 1
        self.nudge()

    async def _stop(self) -> None:
        """Write down what has ended and give the rest back, so that others need not wait for the leases to end."""
        unsent = list(self._requests.values())
        tasks = list(self._requests)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):
            async with asyncio.timeout(GOODBYE_SECONDS_MAX):
                await self._record()
                if unsent:
                    await release_deliveries(self._database, unsent)
