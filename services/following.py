"""Does an event match a filter? The same answer as the log's SQL gives, for events that are on their way."""

from collections.abc import Iterable

from domain.events import AllocationStatusChanged, LoggedEvent, OrderEvent, StockLevelChanged
from services.ports import EventFilter


def matches(condition: EventFilter, logged: LoggedEvent) -> bool:
    """Whether every condition that is given holds; an empty tuple matches nothing."""
    event = logged.event
    return (
        _one_of(condition.types, (event.type,))
        and (
            _matches_level(condition, event)
            if isinstance(event, StockLevelChanged)
            else _matches_order(condition, event)
        )
        and (condition.occurred_from is None or logged.occurred_at >= condition.occurred_from)
        and (condition.occurred_before is None or logged.occurred_at < condition.occurred_before)
    )


def _matches_order(condition: EventFilter, event: OrderEvent) -> bool:
    return (
        _one_of(condition.orders, (event.order_id,))
        and _one_of(condition.channels, (event.channel_code,))
        and _one_of(condition.statuses, (event.after,) if isinstance(event, AllocationStatusChanged) else ())
        and _one_of(condition.skus, event.skus)
        and _one_of(condition.locations, event.locations)
        and condition.overallocated is None
    )


def _matches_level(condition: EventFilter, event: StockLevelChanged) -> bool:
    return (
        condition.orders is None
        and condition.channels is None
        and condition.statuses is None
        and _one_of(condition.skus, (event.sku,))
        and _one_of(condition.locations, (event.location_code,))
        and (condition.overallocated is None or (event.overallocated > 0) == condition.overallocated)
    )


def _one_of(wanted: tuple[object, ...] | None, values: Iterable[object]) -> bool:
    return wanted is None or any(value in wanted for value in values)
