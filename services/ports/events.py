"""The log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.events import LoggedEvent
from domain.ids import OrderId, RunId
from domain.kinds import AllocationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """None is no condition; an empty tuple matches nothing. One filter for the log and for every subscription."""

    types: tuple[str, ...] | None = None
    orders: tuple[OrderId, ...] | None = None
    runs: tuple[RunId, ...] | None = None
    channels: tuple[str, ...] | None = None
    skus: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    statuses: tuple[AllocationStatus, ...] | None = None
    overallocated: bool | None = None
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None


class CursorExpired(Exception):
    """What lies behind this position is no longer all there. `end`: the last position of the log."""

    def __init__(self, end: int) -> None:
        super().__init__("The log is not whole behind this cursor any more: read the data anew, and go on from now.")
        self.end = end


class EventLog(Protocol):
    async def end(self) -> int:
        """The position of the last event that has one; 0 where there is none."""

    async def hold(self) -> int:
        """The position behind which everything is kept, and stays kept until the transaction ends."""

    async def number(self, most: int) -> int | None:
        """Give positions to committed events, at most so many; how many. None: another relay is at it just now."""

    async def page(
        self, condition: EventFilter, first: int, after: int | None, until: int | None = None
    ) -> list[LoggedEvent]:
        """Events that match, with positions after `after` and not past `until`; None: from the first there is.

        Raises CursorExpired rather than leave out what is no longer kept.
        """

    async def has_waiting(self) -> bool:
        """Whether committed events have no position yet."""

    async def last_of(self, run: RunId) -> LoggedEvent | None:
        """What was written of a run last. Its position is 0 while it has none; None: the log no longer has it."""

    async def forgotten_before(self, order: OrderId) -> datetime | None:
        """Before when the log no longer has what happened to the order; None: it has everything since it was placed."""

    async def forget(self, days: int, most: int) -> int:
        """Remove events that are older, the oldest first, at most so many; how many.

        An event stays for as long as a webhook endpoint that is enabled has not come past it, or has yet to deliver it,
        and until alerts and mails have been made of it.
        """
