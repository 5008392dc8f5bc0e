"""Returns and follow-ups: reading and writing."""

from collections.abc import Iterable
from typing import Annotated

import strawberry

from domain.errors import NotFound
from domain.ids import ReturnId, ReturnLineId
from domain.returning import WantedBack
from gql.context import Info
from gql.pagination import connection, page_size, seek
from gql.resolvers import inputs as parsed
from gql.resolvers.queries import After, First, Id
from gql.schema import return_inputs as inputs
from gql.schema import return_results as results
from gql.schema.ids import cursor, row_id
from gql.schema.orders import Order
from gql.schema.returns import FollowUp, Return, ReturnConnection, ReturnEdge
from services import returns
from services.ports.returns import ReturnFilter

# ---------------------------------------------------------------- reading


async def find_return(info: Info, id: Id) -> Return | None:
    row = row_id("Return", id)
    return None if row is None else await Return.find(info, ReturnId(row))


async def find_returns(
    info: Info,
    filter: Annotated[
        inputs.ReturnFilter | None, strawberry.argument(description="Which returns; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> ReturnConnection:
    condition, size = _condition(filter), page_size(first)
    behind = seek("returns", after, (int,))
    rows = await info.context.read(
        lambda uow: uow.returns.page(condition, size + 1, None if behind is None else behind[0])
    )
    edges = [ReturnEdge(cursor=cursor("returns", [row.id]), node=Return.of(row)) for row in rows[:size]]
    return connection(ReturnConnection, edges, len(rows), size, after)


def _condition(filter: inputs.ReturnFilter | None) -> ReturnFilter:
    if filter is None:
        return ReturnFilter()
    return ReturnFilter(
        orders=parsed.orders_named(filter.orders),
        locations=parsed.texts(filter.locations),
        states=parsed.many(filter.states),
        reasons=parsed.many(filter.reasons),
    )


# ---------------------------------------------------------------- writing


async def request_return(
    info: Info, input: Annotated[inputs.RequestReturnInput, strawberry.argument(description="What shall come back.")]
) -> results.RequestReturnResult:
    rows = parsed.line_ids((("input", "lines", str(at), "line"), one.line) for at, one in enumerate(input.lines))
    command = returns.RequestReturn(
        order=parsed.order_reference(input.order),
        location=input.location,
        lines=tuple(
            WantedBack(line=row, quantity=one.quantity, reason=one.reason, note=parsed.given(one.note))
            for row, one in zip(rows, input.lines, strict=True)
        ),
    )
    context = info.context
    done = await returns.request_return(context.performer, context.caller, command, input.idempotency_key)
    return await _done(info, done)


async def receive_return(
    info: Info, input: Annotated[inputs.ReceiveReturnInput, strawberry.argument(description="What came.")]
) -> results.ReturnResult:
    came = parsed.given(input.lines)
    rows = _lines(one.line for one in came or ())
    command = returns.ReceiveReturn(
        returned=_return(input.return_),
        lines=None
        if came is None
        else tuple(returns.ReceivedUnits(line=row, quantity=one.quantity) for row, one in zip(rows, came, strict=True)),
        location=parsed.given(input.location),
    )
    context = info.context
    done = await returns.receive_return(context.performer, context.caller, command, input.idempotency_key)
    return await _done(info, done)


async def inspect_return(
    info: Info, input: Annotated[inputs.InspectReturnInput, strawberry.argument(description="What was seen.")]
) -> results.ReturnResult:
    rows = _lines(one.line for one in input.lines)
    command = returns.InspectReturn(
        returned=_return(input.return_),
        lines=tuple(
            returns.InspectedUnits(
                line=row,
                quantity=one.quantity,
                outcome=one.outcome,
                location=parsed.given(one.location),
                note=parsed.given(one.note),
            )
            for row, one in zip(rows, input.lines, strict=True)
        ),
    )
    context = info.context
    done = await returns.inspect_return(context.performer, context.caller, command, input.idempotency_key)
    return await _done(info, done)


async def cancel_return(
    info: Info, input: Annotated[inputs.CancelReturnInput, strawberry.argument(description="Which one, and why.")]
) -> results.CancelReturnResult:
    context = info.context
    command = returns.CancelReturn(returned=_return(input.return_), reason=parsed.given(input.reason))
    done = await returns.cancel_return(context.performer, context.caller, command, input.idempotency_key)
    return await _done(info, done)


async def record_follow_up(
    info: Info, input: Annotated[inputs.RecordFollowUpInput, strawberry.argument(description="What was heard.")]
) -> results.RecordFollowUpResult:
    context = info.context
    command = returns.RecordFollowUp(
        order=parsed.order_reference(input.order), outcome=input.outcome, note=parsed.given(input.note)
    )
    done = await returns.record_follow_up(context.performer, context.caller, command, input.idempotency_key)
    context.forget()
    heard = await context.loaders.follow_ups_of.load(done.order)
    return results.RecordFollowUpSuccess(
        order=await Order.load(info, done.order), follow_ups=[FollowUp.of(one) for one in heard]
    )


async def _done(info: Info, done: returns.ReturnDone) -> results.ReturnSuccess:
    info.context.forget()
    return results.ReturnSuccess(returned=await Return.load(info, done.returned))


def _return(value: str) -> ReturnId:
    """Raises NotFound for what is the id of no return."""
    row = row_id("Return", value)
    if row is None:
        raise NotFound(references=(parsed.keepable(value or '""'),))
    return ReturnId(row)


def _lines(values: Iterable[str]) -> list[ReturnLineId]:
    """Raises NotFound that names what is the id of no line of a return."""
    named = [(value, row_id("ReturnLine", value)) for value in values]
    strangers = tuple(parsed.keepable(value or '""') for value, row in named if row is None)
    if strangers:
        raise NotFound(references=strangers)
    return [ReturnLineId(row) for _, row in named if row is not None]
