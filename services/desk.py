"""The desk: while one batch is in flight, new requests gather, and become the next batch.

There is no timer: a request that finds the desk idle is served at once, and under load batches grow by themselves. That
is what makes a hot SKU faster when more callers want it: they share one lock, one plan and one commit.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from domain.errors import DomainError
from services.callers import Caller
from services.commands import Asked, Command
from services.keys import checked_key
from services.performing import perform_all
from services.ports.batches import BatchTooLarge
from services.ports.database import Busy, Database, OutcomeUnknown

log = logging.getLogger("dibs.desk")

T = TypeVar("T")

QUEUE_MAX = 1_000
"""Requests that wait at most; the next one is told to come again."""
BATCH_MAX = 200
"""Requests in one batch at most."""
RETRY_AFTER_MS = 200


@dataclass(slots=True)
class Ticket:
    """A request that waits, and its answer to be."""

    asked: Asked
    answer: "asyncio.Future[Any]"
    context: Context


class Desk:
    """Performs commands in batches, one at a time."""

    def __init__(self, database: Database, *, queue_max: int = QUEUE_MAX, batch_max: int = BATCH_MAX) -> None:
        """`batch_max` 1: every request is a transaction of its own."""
        self._database = database
        self._queue: deque[Ticket] = deque()
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._serving: asyncio.Task[None] | None = None
        self.on_batch: Callable[[int, float], None] = lambda _, __: None
        """Is told how many requests a transaction had, and how many seconds it took; it must neither wait nor fail."""
        self.around: Callable[[Sequence[Context]], AbstractContextManager[None]] = lambda _: nullcontext()
        """Entered around a transaction, with the contexts of those who ask for it; it must neither wait nor fail."""
        self.batches = 0
        self.requests = 0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def perform(self, caller: Caller, command: Command[T], key: str | None) -> T:
        """The command's outcome. Raises its refusal, and Busy, with nothing written, where too many wait.

        Whoever stops waiting disturbs nobody: the command is done all the same, and its key tells the outcome.
        """
        key = None if key is None else checked_key(key)
        if len(self._queue) >= self._queue_max:
            raise Busy(RETRY_AFTER_MS)
        ticket = Ticket(Asked(caller, command, key), asyncio.get_running_loop().create_future(), copy_context())
        self._queue.append(ticket)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(), context=Context())  # it is nobody's request
        answer: T = await ticket.answer
        return answer

    async def close(self) -> None:
        """Wait until everything that was asked for is done."""
        while self._serving:
            await asyncio.wait({self._serving})

    async def _serve(self) -> None:
        try:
            while self._queue:
                await self._perform(self._next_batch())
        finally:
            self._serving = None

    def _next_batch(self) -> list[Ticket]:
        """The oldest requests; a batch ends before a twin, which is to find what the first one has stored."""
        batch: list[Ticket] = []
        ends = False
        identities: set[object] = set()
        while self._queue and len(batch) < self._batch_max:
            asked = self._queue[0].asked
            if batch and (asked.identity in identities or asked.needs.alone or (ends and not asked.needs.last)):
                break
            batch.append(self._queue.popleft())
            ends = ends or asked.needs.last
            if asked.identity:
                identities.add(asked.identity)
            if asked.needs.alone:
                break
        return batch

    async def _perform(self, batch: list[Ticket], *, may_be_done: bool = False) -> None:
        """A batch that fails is done again request by request, so that one poisoned request fails alone.

        `may_be_done`: nobody knows what became of the first time.
        """
        self.batches += 1
        self.requests += len(batch)
        began = perf_counter()
        try:
            with self.around([ticket.context for ticket in batch]):
                answers = await perform_all(self._database, [ticket.asked for ticket in batch])
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], OutcomeUnknown() if may_be_done and isinstance(error, Busy) else error)
                return
            if not isinstance(error, BatchTooLarge):
                log.warning("a batch of %d failed (%r); doing its requests one by one", len(batch), error)
            unknown = isinstance(error, OutcomeUnknown)
            for ticket in batch:
                if unknown and ticket.asked.key is None:
                    _fail(ticket, error)  # doing it again might be doing it twice
                else:
                    await self._perform([ticket], may_be_done=unknown)
        else:
            self.on_batch(len(batch), perf_counter() - began)
            for ticket, answer in zip(batch, answers, strict=True):
                _answer(ticket, answer)


def _answer(ticket: Ticket, answer: Any) -> None:
    if ticket.answer.done():
        return
    if isinstance(answer, DomainError):
        ticket.answer.set_exception(answer)
    else:
        ticket.answer.set_result(answer)


def _fail(ticket: Ticket, error: Exception) -> None:
    if not ticket.answer.done():
        ticket.answer.set_exception(error)
