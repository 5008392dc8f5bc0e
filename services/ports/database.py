"""Where units of work come from, and what may be told instead of their outcome."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from domain.access import Visibility
from services.ports.unit_of_work import UnitOfWork

T = TypeVar("T")


class Busy(Exception):
    """Dibs is too busy for this just now; nothing was written. Try again after `retry_after_ms`."""

    def __init__(self, retry_after_ms: int = 1000) -> None:
        super().__init__("Dibs is too busy; nothing was written. Try again in a moment.")
        self.retry_after_ms = retry_after_ms


class NotRead(Busy):
    """Nothing could be read just now. Within a mutation this says nothing about what was written before it."""


class OutcomeUnknown(Exception):
    """The database did not answer in time whether it committed. The same idempotency key finds out."""

    def __init__(self) -> None:
        super().__init__("Nobody knows yet whether this was done. Send it again with the same idempotency key.")


OUT_OF_REACH = (Busy, OutcomeUnknown)
"""What whoever works by themselves is told where the database cannot be had just now: do it again, it will be there."""


class Reader(Protocol):
    """Reads what its caller may see."""

    async def read(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading on one connection; each statement sees what is committed when it starts."""


class Database(Protocol):
    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Do the work in one transaction, and again as a whole where the database asks for it.

        `repeatable`: doing it twice is doing it once (it looks its own outcome up first), so an unknown outcome of
        COMMIT is resolved by repeating. Raises Busy, with nothing written, and OutcomeUnknown.
        """

    async def read(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading on one connection; each statement sees what is committed when it starts."""

    async def snapshot(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do the reading at one moment, without any lock: all statements see the same. Nothing can be written.

        `batches.load` takes any number of SKUs here.
        """

    def seen_by(self, visibility: Visibility) -> Reader:
        """The same data, cut to what somebody who is limited like this may know of."""
