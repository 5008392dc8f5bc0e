"""Supplies, counts and the stock ledger: reading and writing."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.ids import SupplyId
from gql.context import Info
from gql.pagination import connection, page_size, seek
from gql.resolvers import inputs as parsed
from gql.resolvers.mutations import claims, levels_now
from gql.resolvers.queries import After, First
from gql.schema import inputs, results, supply_inputs
from gql.schema.ids import cursor
from gql.schema.supplies import (
    StockMovement,
    StockMovementConnection,
    StockMovementEdge,
    Supply,
    SupplyConnection,
    SupplyEdge,
)
from services import stock, supplies

# ---------------------------------------------------------------- reading


async def supply(
    info: Info, by: Annotated[inputs.SupplyBy, strawberry.argument(description="Which supply.")]
) -> Supply | None:
    reference = parsed.supply_reference(by)
    parsed.searchable(reference.reference)
    (found,) = await info.context.read(lambda uow: uow.supplies.resolve([reference]))
    return None if found is None else await Supply.find(info, found)


async def find_supplies(
    info: Info,
    filter: Annotated[
        supply_inputs.SupplyFilter | None, strawberry.argument(description="Which supplies; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> SupplyConnection:
    condition, size = parsed.supply_filter(filter), page_size(first)
    behind = seek("supplies", after, (datetime, int))
    rows = await info.context.read(lambda uow: uow.supplies.page(condition, size + 1, behind))
    edges = [
        SupplyEdge(cursor=cursor("supplies", [row.expected_at, row.id]), node=Supply.of(row)) for row in rows[:size]
    ]
    return connection(SupplyConnection, edges, len(rows), size, after)


async def stock_movements(
    info: Info,
    sku: Annotated[str, strawberry.argument(description="Of the item.")],
    location: Annotated[str, strawberry.argument(description="Where, by code.")],
    first: First = 50,
    after: After = None,
) -> StockMovementConnection:
    parsed.searchable(sku + location)
    size, behind = page_size(first), seek("movements", after, (int,))
    rows = await info.context.read(lambda uow: uow.stock.movements(sku, location, size + 1, behind))
    edges = [StockMovementEdge(cursor=cursor("movements", [row.id]), node=StockMovement.of(row)) for row in rows[:size]]
    return connection(StockMovementConnection, edges, len(rows), size, after)


# ---------------------------------------------------------------- writing


async def expect_supply(
    info: Info, input: Annotated[supply_inputs.ExpectSupplyInput, strawberry.argument(description="What comes.")]
) -> results.ExpectSupplyResult:
    command = supplies.ExpectSupply(
        reference=input.reference,
        location=input.location,
        expected_at=input.expected_at,
        lines=parsed.received_lines(input.lines),
    )
    context = info.context
    done = await supplies.expect_supply(context.performer, context.caller, command, input.idempotency_key)
    return results.ExpectSupplySuccess(supply=await _now(info, done.supply))


async def start_transfer(
    info: Info, input: Annotated[supply_inputs.StartTransferInput, strawberry.argument(description="What is sent.")]
) -> results.StartTransferResult:
    command = supplies.StartTransfer(
        reference=input.reference,
        from_location=input.from_,
        to_location=input.to,
        expected_at=input.expected_at,
        lines=parsed.received_lines(input.lines),
    )
    context = info.context
    outcome = await supplies.start_transfer(context.performer, context.caller, command, input.idempotency_key)
    assert outcome.supply is not None
    return results.StartTransferSuccess(
        supply=await _now(info, outcome.supply),
        levels=await levels_now(info, outcome),
        overallocated=await claims(info, outcome),
    )


async def reschedule_supply(
    info: Info, input: Annotated[supply_inputs.RescheduleSupplyInput, strawberry.argument(description="Until when.")]
) -> results.RescheduleSupplyResult:
    command = supplies.RescheduleSupply(supply=parsed.supply_reference(input.supply), expected_at=input.expected_at)
    context = info.context
    done = await supplies.reschedule_supply(context.performer, context.caller, command, input.idempotency_key)
    return results.RescheduleSupplySuccess(supply=await _now(info, done.supply))


async def cancel_supply(
    info: Info, input: Annotated[supply_inputs.CancelSupplyInput, strawberry.argument(description="Which, and why.")]
) -> results.CancelSupplyResult:
    command = supplies.CancelSupply(supply=parsed.supply_reference(input.supply), reason=input.reason)
    context = info.context
    done = await supplies.cancel_supply(context.performer, context.caller, command, input.idempotency_key)
    return results.CancelSupplySuccess(supply=await _now(info, done.supply))


async def close_supply(
    info: Info, input: Annotated[supply_inputs.CloseSupplyInput, strawberry.argument(description="Which, and why.")]
) -> results.CloseSupplyResult:
    command = supplies.CloseSupply(supply=parsed.supply_reference(input.supply), reason=input.reason)
    context = info.context
    done = await supplies.close_supply(context.performer, context.caller, command, input.idempotency_key)
    return results.CloseSupplySuccess(supply=await _now(info, done.supply))


async def count_stock(
    info: Info, input: Annotated[supply_inputs.CountStockInput, strawberry.argument(description="What was counted.")]
) -> results.CountStockResult:
    command = stock.CountStock(
        location=input.location,
        counted_at=input.counted_at,
        lines=tuple(stock.CountedLine(sku=line.sku, counted=line.counted) for line in input.lines),
        reference=parsed.given(input.reference),
    )
    context = info.context
    outcome = await stock.count_stock(context.performer, context.caller, command, input.idempotency_key)
    context.forget()
    return results.CountStockSuccess(
        levels=await levels_now(info, outcome),
        overallocated=await claims(info, outcome),
        superseded=list(outcome.superseded),
    )


async def _now(info: Info, row: SupplyId) -> Supply:
    info.context.forget()
    return await Supply.load(info, row)
