"""May an event be seen, and does it match a filter? The same answers as SQL gives, for events that are on their way."""

from collections.abc import Iterable, Mapping

from domain.events import (
    OF_A_CHANNEL,
    OF_A_LOCATION,
    AlertEvent,
    AllocationRunProgressed,
    AllocationStatusChanged,
    Event,
    ExpectedAtChanged,
    LoggedEvent,
    PickTasksChanged,
    StockLevelChanged,
    SupplyChanged,
    WebhookEndpointDisabled,
)
from services.callers import Visibility
from services.ports.events import EventFilter

ABOUT = ("types", "orders", "runs", "channels", "statuses", "skus", "locations")
"""The conditions that compare what an event is about with a list."""


def visible(visibility: Visibility, event: Event) -> bool:
    """Whether somebody who is limited like this may know of the event.

    Under a limit, what is about no channel (or no location) at all is hidden: it tells of those of others.
    """
    return _within(visibility.channels, OF_A_CHANNEL, event, "channel_code") and _within(
        visibility.locations, OF_A_LOCATION, event, "location_code"
    )


def _within(codes: frozenset[str] | None, types: frozenset[str], event: Event, field: str) -> bool:
    return codes is None or (event.type in types and getattr(event, field) in codes)


def matches(condition: EventFilter, logged: LoggedEvent) -> bool:
    """Whether every condition that is given holds; an empty tuple matches nothing."""
    event = logged.event
    about = _about(event)
    return (
        all(_one_of(getattr(condition, name), about.get(name, ())) for name in ABOUT)
        and (condition.overallocated is None or condition.overallocated is _is_overallocated(event))
        and (condition.occurred_from is None or logged.occurred_at >= condition.occurred_from)
        and (condition.occurred_before is None or logged.occurred_at < condition.occurred_before)
    )


def _about(event: Event) -> Mapping[str, tuple[object, ...]]:
    kind = {"types": (event.type,)}
    if isinstance(event, StockLevelChanged):
        return kind | {"skus": (event.sku,), "locations": (event.location_code,)}
    if isinstance(event, AllocationRunProgressed):
        return kind | {"runs": (event.run_id,)}
    if isinstance(event, SupplyChanged):
        return kind | {"skus": event.skus, "locations": event.locations}
    if isinstance(event, WebhookEndpointDisabled):
        return kind
    if isinstance(event, PickTasksChanged):
        return kind | {"skus": event.skus, "locations": event.locations}
    if isinstance(event, AlertEvent):
        return kind | _about_alert(event)
    order = kind | {"orders": (event.order_id,), "channels": (event.channel_code,), "skus": event.skus}
    if isinstance(event, ExpectedAtChanged):
        return order
    order |= {"locations": event.locations}
    return order | {"statuses": (event.after,)} if isinstance(event, AllocationStatusChanged) else order


def _about_alert(event: AlertEvent) -> dict[str, tuple[object, ...]]:
    about = {
        "orders": event.order_id,
        "channels": event.channel_code,
        "skus": event.sku,
        "locations": event.location_code,
    }
    return {name: (value,) for name, value in about.items() if value is not None}


def _is_overallocated(event: Event) -> bool | None:
    return event.overallocated > 0 if isinstance(event, StockLevelChanged) else None


def _one_of(wanted: tuple[object, ...] | None, values: Iterable[object]) -> bool:
    return wanted is None or any(value in wanted for value in values)
