"""Watching: from now, or from behind a cursor without a gap. A resolver says what is wanted; the hub does the rest."""

from collections.abc import AsyncIterable
from typing import Annotated

import strawberry

from domain import events as told
from domain.ids import RunId
from domain.runs import ENDED
from gql.context import Info
from gql.errors import bad_input
from gql.resolvers import inputs as parsed
from gql.schema import filters
from gql.schema.events import (
    AllocationRunProgressed,
    AllocationStatusChanged,
    Event,
    ExpectedAtChanged,
    FulfillmentChanged,
    OrderChanged,
    PickTasksChanged,
    ReturnChanged,
    StockLevelChanged,
    SupplyChanged,
)
from gql.schema.ids import row_id
from gql.watching import Watch
from services.ports.events import EventFilter

After = Annotated[str | None, strawberry.argument(description="Begin behind this cursor; now, when absent.")]
Changes = Annotated[filters.EventFilter | None, strawberry.argument(description="Which changes; all when absent.")]


async def events(
    filter: Annotated[
        filters.EventFilter | None, strawberry.argument(description="Which events; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncIterable[Event]:
    return Watch(parsed.event_filter(filter), after)


async def allocation_status_changed(
    filter: Annotated[
        filters.AllocationStatusChangedFilter | None, strawberry.argument(description="Which changes; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncIterable[AllocationStatusChanged]:
    return Watch(parsed.status_filter(filter), after)


async def order_changed(filter: Changes = None, after: After = None) -> AsyncIterable[OrderChanged]:
    return Watch(parsed.event_filter(filter, ("OrderChanged",)), after)


async def fulfillment_changed(filter: Changes = None, after: After = None) -> AsyncIterable[FulfillmentChanged]:
    return Watch(parsed.event_filter(filter, ("FulfillmentChanged",)), after)


async def pick_tasks_changed(
    location: Annotated[str, strawberry.argument(description="Where, by code.")], after: After = None
) -> AsyncIterable[PickTasksChanged]:
    return Watch(EventFilter(types=("PickTasksChanged",), locations=(parsed.searchable(location),)), after)


async def return_changed(filter: Changes = None, after: After = None) -> AsyncIterable[ReturnChanged]:
    return Watch(parsed.event_filter(filter, ("ReturnChanged",)), after)


async def stock_level_changed(
    filter: Annotated[
        filters.StockLevelFilter | None, strawberry.argument(description="Which levels; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncIterable[StockLevelChanged]:
    return Watch(parsed.level_event_filter(filter), after)


async def supply_changed(filter: Changes = None, after: After = None) -> AsyncIterable[SupplyChanged]:
    return Watch(parsed.event_filter(filter, ("SupplyChanged",)), after)


async def expected_at_changed(
    filter: Annotated[
        filters.EventFilter | None, strawberry.argument(description="Which orders; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncIterable[ExpectedAtChanged]:
    return Watch(parsed.event_filter(filter, ("ExpectedAtChanged",)), after)


async def allocation_run_progressed(
    info: Info,
    run: Annotated[strawberry.ID, strawberry.argument(description="Which run.")],
    after: After = None,
) -> AsyncIterable[AllocationRunProgressed]:
    row = row_id("AllocationRun", run)
    found = None if row is None else await info.context.read(lambda uow: uow.runs.by_ids([RunId(row)]))
    if not found:
        raise bad_input("`run` is not the id of a run.")
    watched = found[0]

    async def ended() -> list[told.LoggedEvent] | None:
        last = await info.context.read(lambda uow: uow.events.last_of(watched.id))
        if last is None:
            return [] if watched.has_ended else None
        return [last] if last.position and _ends_the_run(last.event) else None

    condition = EventFilter(types=("AllocationRunProgressed",), runs=(watched.id,))
    return Watch(condition, after, _ends_the_run, ended)


def _ends_the_run(event: told.Event) -> bool:
    return isinstance(event, told.AllocationRunProgressed) and event.state in ENDED
