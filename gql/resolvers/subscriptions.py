"""Watching: from now, or from behind a cursor without a gap."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import strawberry

from domain.ids import RunId
from domain.runs import ENDED
from gql.context import Info
from gql.errors import bad_input
from gql.pagination import seek
from gql.resolvers import inputs as parsed
from gql.schema import inputs
from gql.schema.events import (
    AllocationRunProgressed,
    AllocationStatusChanged,
    ExpectedAtChanged,
    OrderChanged,
    StockLevelChanged,
    SupplyChanged,
    event_of,
)
from gql.schema.ids import row_id
from services.ports import EventFilter

After = Annotated[str | None, strawberry.argument(description="Begin behind this cursor; now, when absent.")]


async def allocation_status_changed(
    info: Info,
    filter: Annotated[
        inputs.AllocationStatusChangedFilter | None, strawberry.argument(description="Which changes; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncGenerator[AllocationStatusChanged, None]:
    async with aclosing(_follow(info, parsed.status_filter(filter), after)) as events:
        async for event in events:
            yield event


async def order_changed(
    info: Info,
    filter: Annotated[
        inputs.EventFilter | None, strawberry.argument(description="Which changes; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncGenerator[OrderChanged, None]:
    async with aclosing(_follow(info, parsed.event_filter(filter, ("OrderChanged",)), after)) as events:
        async for event in events:
            yield event


async def stock_level_changed(
    info: Info,
    filter: Annotated[
        inputs.StockLevelFilter | None, strawberry.argument(description="Which levels; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncGenerator[StockLevelChanged, None]:
    async with aclosing(_follow(info, parsed.level_event_filter(filter), after)) as events:
        async for event in events:
            yield event


async def supply_changed(
    info: Info,
    filter: Annotated[
        inputs.EventFilter | None, strawberry.argument(description="Which changes; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncGenerator[SupplyChanged, None]:
    async with aclosing(_follow(info, parsed.event_filter(filter, ("SupplyChanged",)), after)) as events:
        async for event in events:
            yield event


async def expected_at_changed(
    info: Info,
    filter: Annotated[
        inputs.EventFilter | None, strawberry.argument(description="Which orders; all when absent.")
    ] = None,
    after: After = None,
) -> AsyncGenerator[ExpectedAtChanged, None]:
    async with aclosing(_follow(info, parsed.event_filter(filter, ("ExpectedAtChanged",)), after)) as events:
        async for event in events:
            yield event


async def allocation_run_progressed(
    info: Info,
    run: Annotated[strawberry.ID, strawberry.argument(description="Which run.")],
    after: After = None,
) -> AsyncGenerator[AllocationRunProgressed, None]:
    row = row_id("AllocationRun", run)
    found = None if row is None else await info.context.read(lambda uow: uow.runs.by_ids([RunId(row)]))
    if not found:
        raise bad_input("`run` is not the id of a run.")
    if after is None and found[0].has_ended:
        return
    condition = EventFilter(types=("AllocationRunProgressed",), runs=(found[0].id,))
    async with aclosing(_follow(info, condition, after)) as events:
        async for event in events:
            yield event
            if event.run.state in ENDED:
                return


async def _follow(info: Info, condition: EventFilter, after: str | None) -> AsyncGenerator[Any, None]:
    """Events as the API tells them; each is executed with nothing loaded before it."""
    behind = seek("log", after, (int,))
    async with aclosing(info.context.feed.follow(condition, behind[0] if behind else None)) as events:
        async for logged in events:
            info.context.forget()
            yield event_of(logged)
