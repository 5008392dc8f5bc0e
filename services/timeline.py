"""An order's timeline, page by page, from the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import OrderId
from domain.timeline import TYPES, Entry, entries
from services.ports.events import EventFilter
from services.ports.unit_of_work import UnitOfWork

Place = tuple[int, int]
"""Of an entry: the position of its event in the log, and which part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """Entries, the oldest first. `forgotten_before`: what was before is no longer kept; None: all of it is there."""

    entries: Sequence[Entry]
    forgotten_before: datetime | None


async def timeline(uow: UnitOfWork, order: OrderId, first: int, behind: Place | None) -> TimelinePage:
    """So many entries at most, behind this place. Raises CursorExpired."""
    condition = EventFilter(orders=(order,), types=TYPES)
    found: list[Entry] = []
    after = None if behind is None else behind[0] - 1  # of that event there may be more
    while len(found) < first:
        events = await uow.events.page(condition, first + 2, after)
        more = len(events) == first + 2
        known = entries(events)
        end = events[-1].position if events else 0
        # The last one may be about a commit of which there is more: it comes again.
        found += [one for one in known if place(one) > (behind or (0, 0)) and not (more and one.logged.position == end)]
        if not more:
            break
        after = events[-2].position
    # Afterwards: what is forgotten meanwhile is rather told twice than not at all.
    return TimelinePage(entries=found[:first], forgotten_before=await uow.events.forgotten_before(order))


def place(entry: Entry) -> Place:
    return entry.logged.position, entry.part
