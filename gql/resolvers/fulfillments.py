"""Fulfillments, pick lists and bins: reading and writing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import strawberry

from domain.checks import Path
from domain.errors import NotFound
from domain.fulfilling import FailedUnits
from domain.fulfillments import Shipping, TrackingEvent
from domain.ids import FulfillmentId, LineId, ParcelId, PickListId, PickTaskId
from domain.kinds import PickOutcome, PickTaskState, TrackingOutcome
from domain.packing import NewParcel
from domain.picking import Pick, Short
from gql.context import Info
from gql.errors import refusal_of
from gql.pagination import connection, page_size, seek
from gql.resolvers import inputs as parsed
from gql.resolvers.queries import After, First, Id
from gql.schema import fulfillment_inputs as inputs
from gql.schema import fulfillment_results as results
from gql.schema.catalog import StockLevel
from gql.schema.fulfillments import (
    Fulfillment,
    FulfillmentConnection,
    FulfillmentEdge,
    OrderRelease,
    PickList,
    PickResult,
    PickTask,
    PickTaskConnection,
    PickTaskEdge,
    TrackingResult,
)
from gql.schema.ids import cursor, row_id
from gql.schema.orders import Order
from services import bins, fulfillments, labels, picking, tracking
from services.ports.fulfillments import FulfillmentFilter, PickTaskFilter

NOBODY = 0
"""The id of no row: it is looked for, and not found."""

# ---------------------------------------------------------------- reading


async def fulfillment(info: Info, id: Id) -> Fulfillment | None:
    row = row_id("Fulfillment", id)
    return None if row is None else await Fulfillment.find(info, FulfillmentId(row))


async def find_fulfillments(
    info: Info,
    filter: Annotated[
        inputs.FulfillmentFilter | None, strawberry.argument(description="Which fulfillments; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> FulfillmentConnection:
    condition, size = _condition(filter), page_size(first)
    behind = seek("fulfillments", after, (int,))
    rows = await info.context.read(
        lambda uow: uow.fulfillments.page(condition, size + 1, None if behind is None else behind[0])
    )
    edges = [FulfillmentEdge(cursor=cursor("fulfillments", [row.id]), node=Fulfillment.of(row)) for row in rows[:size]]
    return connection(FulfillmentConnection, edges, len(rows), size, after)


async def pick_tasks(
    info: Info,
    location: Annotated[str, strawberry.argument(description="Where, by code.")],
    filter: Annotated[
        inputs.PickTaskFilter | None, strawberry.argument(description="Which tasks; open ones when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> PickTaskConnection:
    parsed.searchable(location)
    condition, size = _task_condition(location, filter), page_size(first)
    behind = seek("pickTasks", after, (str, int))
    rows = await info.context.read(lambda uow: uow.fulfillments.task_page(condition, size + 1, behind))
    edges = [
        PickTaskEdge(cursor=cursor("pickTasks", [row.bin or "", row.id]), node=PickTask.of(row)) for row in rows[:size]
    ]
    return connection(PickTaskConnection, edges, len(rows), size, after)


async def pick_list(info: Info, id: Id) -> PickList | None:
    row = row_id("PickList", id)
    return None if row is None else await PickList.find(info, PickListId(row))


def _condition(filter: inputs.FulfillmentFilter | None) -> FulfillmentFilter:
    if filter is None:
        return FulfillmentFilter()
    number = parsed.given(filter.tracking_number)
    return FulfillmentFilter(
        orders=parsed.orders_named(filter.orders),
        locations=parsed.texts(filter.locations),
        states=parsed.many(filter.states),
        tracking_number=None if number is None else parsed.searchable(number),
        tracking_statuses=parsed.many(filter.tracking_statuses),
    )


def _task_condition(location: str, filter: inputs.PickTaskFilter | None) -> PickTaskFilter:
    if filter is None:
        return PickTaskFilter(location=location)
    wanted = parsed.given(filter.fulfillments)
    states = parsed.many(filter.states)
    return PickTaskFilter(
        location=location,
        states=(PickTaskState.OPEN,) if states is None else states,
        fulfillments=None
        if wanted is None
        else tuple(FulfillmentId(row_id("Fulfillment", one) or NOBODY) for one in wanted),
        on_list=parsed.given(filter.on_list),
    )


def _row(kind: str, value: str) -> int:
    """Raises NotFound for what is the id of nothing of this kind."""
    row = row_id(kind, value)
    if row is None:
        raise NotFound(references=(parsed.keepable(value or '""'),))
    return row


def _fulfillment_row(value: str) -> FulfillmentId:
    return FulfillmentId(_row("Fulfillment", value))


def _lines(values: Iterable[tuple[Path, str]]) -> Iterator[LineId]:
    return iter(parsed.line_ids(values))


# ---------------------------------------------------------------- writing


async def release_orders(
    info: Info, input: Annotated[inputs.ReleaseOrdersInput, strawberry.argument(description="Which orders.")]
) -> results.ReleaseOrdersResult:
    command = fulfillments.ReleaseOrders(
        orders=tuple(parsed.order_reference(order) for order in input.orders), partial=input.partial
    )
    context = info.context
    done = await fulfillments.release_orders(context.performer, context.caller, command, input.idempotency_key)
    context.forget()
    return results.ReleaseOrdersSuccess(results=[await _release(info, one) for one in done.results])


async def _release(info: Info, one: fulfillments.OrderReleased) -> OrderRelease:
    return OrderRelease(
        index=one.index,
        order=None if one.order is None else await Order.load(info, one.order),
        fulfillments=[await Fulfillment.load(info, made) for made in one.fulfillments],
        refusal=None if one.refusal is None else await refusal_of(info, one.refusal),
    )


async def _done(info: Info, done: fulfillments.FulfillmentDone) -> results.FulfillmentSuccess:
    info.context.forget()
    return results.FulfillmentSuccess(
        fulfillment=await Fulfillment.load(info, done.fulfillment),
        rest=None if done.rest is None else await Fulfillment.load(info, done.rest),
    )


async def cancel_fulfillment(
    info: Info, input: Annotated[inputs.CancelFulfillmentInput, strawberry.argument(description="Which one.")]
) -> results.FulfillmentResult:
    context, command = info.context, fulfillments.CancelFulfillment(fulfillment=_fulfillment_row(input.fulfillment))
    return await _done(
        info,
        await fulfillments.cancel_fulfillment(context.performer, context.caller, command, input.idempotency_key),
    )


async def check_fulfillment(
    info: Info, input: Annotated[inputs.CheckFulfillmentInput, strawberry.argument(description="What was found.")]
) -> results.FulfillmentResult:
    failed = parsed.given(input.failed) or []
    lines = _lines((("input", "failed", str(at), "line"), one.line) for at, one in enumerate(failed))
    command = fulfillments.CheckFulfillment(
        fulfillment=_fulfillment_row(input.fulfillment),
        failed=tuple(FailedUnits(line=next(lines), quantity=one.quantity, reason=one.reason) for one in failed),
    )
    context = info.context
    return await _done(
        info, await fulfillments.check_fulfillment(context.performer, context.caller, command, input.idempotency_key)
    )


async def pack_fulfillment(
    info: Info, input: Annotated[inputs.PackFulfillmentInput, strawberry.argument(description="What goes where.")]
) -> results.FulfillmentResult:
    context = info.context
    command = fulfillments.PackFulfillment(
        fulfillment=_fulfillment_row(input.fulfillment),
        parcels=_parcels(input.parcels),
        company_prefix=(await context.read(lambda uow: uow.documents.merchant())).gs1_company_prefix,
    )
    return await _done(
        info, await fulfillments.pack_fulfillment(context.performer, context.caller, command, input.idempotency_key)
    )


def _parcels(parcels: Sequence[inputs.ParcelInput]) -> tuple[NewParcel, ...]:
    inside = [parsed.given(parcel.contents) for parcel in parcels]
    lines = _lines(
        (("input", "parcels", str(at), "contents", str(index), "line"), one.line)
        for at, contents in enumerate(inside)
        for index, one in enumerate(contents or [])
    )
    return tuple(
        NewParcel(
            contents=None if contents is None else tuple((next(lines), one.quantity) for one in contents),
            weight_grams=parsed.given(parcel.weight_grams),
            length_mm=parsed.given(parcel.length_mm),
            width_mm=parsed.given(parcel.width_mm),
            height_mm=parsed.given(parcel.height_mm),
        )
        for parcel, contents in zip(parcels, inside, strict=True)
    )


async def buy_shipping_label(
    info: Info, input: Annotated[inputs.BuyShippingLabelInput, strawberry.argument(description="What is taken.")]
) -> results.BuyShippingLabelResult:
    context = info.context
    command = labels.BuyShippingLabel(
        fulfillment=_fulfillment_row(input.fulfillment),
        carrier=parsed.given(input.carrier),
        service=parsed.given(input.service),
    )
    done = await labels.buy_shipping_label(
        context.performer, context.database, context.carrier, context.caller, command, input.idempotency_key
    )
    return await _done(info, done)


async def ship_fulfillment(
    info: Info, input: Annotated[inputs.ShipFulfillmentInput, strawberry.argument(description="What leaves.")]
) -> results.FulfillmentResult:
    parcels = parsed.given(input.parcels) or []
    command = fulfillments.ShipFulfillment(
        fulfillment=_fulfillment_row(input.fulfillment),
        shipping=Shipping(
            carrier=parsed.given(input.carrier),
            service=parsed.given(input.service),
            tracking_number=parsed.given(input.tracking_number),
            tracking_url=parsed.given(input.tracking_url),
        ),
        parcels=tuple(
            fulfillments.ShippedParcel(
                parcel=ParcelId(_row("Parcel", one.parcel)),
                tracking_number=parsed.given(one.tracking_number),
            )
            for one in parcels
        ),
        shipped_at=parsed.given(input.shipped_at),
    )
    context = info.context
    return await _done(
        info, await fulfillments.ship_fulfillment(context.performer, context.caller, command, input.idempotency_key)
    )


async def deliver_fulfillment(
    info: Info, input: Annotated[inputs.DeliverFulfillmentInput, strawberry.argument(description="What arrived.")]
) -> results.FulfillmentResult:
    command = fulfillments.DeliverFulfillment(
        fulfillment=_fulfillment_row(input.fulfillment), delivered_at=parsed.given(input.delivered_at)
    )
    context = info.context
    return await _done(
        info,
        await fulfillments.deliver_fulfillment(context.performer, context.caller, command, input.idempotency_key),
    )


async def dropship_order(
    info: Info, input: Annotated[inputs.DropshipOrderInput, strawberry.argument(description="What a supplier sends.")]
) -> results.DropshipOrderResult:
    wanted = parsed.given(input.lines) or []
    lines = _lines((("input", "lines", str(at), "line"), one.line) for at, one in enumerate(wanted))
    command = fulfillments.DropshipOrder(
        order=parsed.order_reference(input.order),
        supplier=input.supplier,
        lines=tuple(
            fulfillments.DropshippedLine(line=next(lines), quantity=parsed.given(one.quantity)) for one in wanted
        ),
    )
    context = info.context
    return await _done(
        info, await fulfillments.dropship_order(context.performer, context.caller, command, input.idempotency_key)
    )


# ---------------------------------------------------------------- pick lists


async def create_pick_list(
    info: Info, input: Annotated[inputs.CreatePickListInput, strawberry.argument(description="What to walk for.")]
) -> results.CreatePickListResult:
    wanted = parsed.given(input.fulfillments)
    new = picking.NewPickList(
        location=input.location,
        mode=input.mode,
        fulfillments=None if wanted is None else tuple(_fulfillment_row(one) for one in wanted),
        most=input.fulfillments_max,
        picker=parsed.given(input.picker),
        lease_seconds=input.lease_seconds,
    )
    context = info.context
    made = await picking.create_pick_list(context.database, context.caller, new, input.idempotency_key)
    context.forget()
    return results.CreatePickListSuccess(list=None if made.list is None else await PickList.load(info, made.list))


async def claim_pick_list(
    info: Info, input: Annotated[inputs.ClaimPickListInput, strawberry.argument(description="Which one, and who.")]
) -> results.PickListResult:
    row = PickListId(_row("PickList", input.list))
    await picking.claim_pick_list(info.context.database, info.context.caller, row, input.picker, input.lease_seconds)
    info.context.forget()
    return results.PickListSuccess(list=await PickList.load(info, row))


async def release_pick_list(
    info: Info, input: Annotated[inputs.ReleasePickListInput, strawberry.argument(description="Which one, and who.")]
) -> results.PickListResult:
    row = PickListId(_row("PickList", input.list))
    await picking.release_pick_list(info.context.database, info.context.caller, row, input.picker)
    info.context.forget()
    return results.PickListSuccess(list=await PickList.load(info, row))


async def record_picks(
    info: Info, input: Annotated[inputs.RecordPicksInput, strawberry.argument(description="What pickers did.")]
) -> results.RecordPicksResult:
    context = info.context
    commands = [(one.command_id, _pick(one)) for one in input.commands]
    answers = await picking.record_picks(context.performer, context.caller, commands)
    context.forget()
    return results.RecordPicksSuccess(results=[await _pick_result(info, answer) for answer in answers])


def _pick(command: inputs.PickCommandInput) -> picking.RecordPick:
    short = parsed.given(command.short)
    return picking.RecordPick(
        pick=Pick(
            task=PickTaskId(row_id("PickTask", command.task) or NOBODY),
            quantity=command.quantity,
            short=None if short is None else Short(reason=short.reason, left=parsed.given(short.left)),
            expected_version=parsed.given(command.expected_version),
            picker=parsed.given(command.picker),
        ),
        barcode=parsed.given(command.barcode),
    )


async def _pick_result(info: Info, answer: picking.PickAnswer) -> PickResult:
    outcome = PickOutcome.CONFLICT
    if answer.recorded is not None:
        outcome = PickOutcome.ALREADY_APPLIED if answer.already else PickOutcome.APPLIED
    made = answer.recorded.fulfillments if answer.recorded else ()
    return PickResult(
        command_id=answer.command,
        outcome=outcome,
        task=await PickTask.find(info, answer.task),
        fulfillments=[one for one in [await Fulfillment.find(info, row) for row in made] if one is not None],
        refusal=None if answer.refusal is None else await refusal_of(info, answer.refusal),
    )


async def record_tracking_events(
    info: Info,
    input: Annotated[inputs.RecordTrackingEventsInput, strawberry.argument(description="What carriers said.")],
) -> results.RecordTrackingEventsResult:
    context = info.context
    events = [_says(one) for one in input.events]
    answers = await tracking.record_tracking_events(context.performer, context.database, context.caller, events)
    context.forget()
    return results.RecordTrackingEventsSuccess(
        results=[await _tracking_result(info, index, answer) for index, answer in enumerate(answers)]
    )


def _says(event: inputs.TrackingEventInput) -> tracking.CarrierSays:
    about = event.about
    parcel, fulfillment = parsed.given(about.parcel), parsed.given(about.fulfillment)
    return tracking.CarrierSays(
        about=tracking.ParcelReference(
            parcel=None if parcel is None else ParcelId(row_id("Parcel", parcel) or NOBODY),
            fulfillment=None if fulfillment is None else FulfillmentId(row_id("Fulfillment", fulfillment) or NOBODY),
            number=parsed.given(about.tracking_number) or "",
            given=parcel or fulfillment or "",
        ),
        event=TrackingEvent(
            status=event.status,
            occurred_at=event.occurred_at,
            message=parsed.given(event.message),
            place=parsed.given(event.place),
        ),
    )


async def _tracking_result(info: Info, index: int, answer: tracking.TrackingAnswer) -> TrackingResult:
    outcome = TrackingOutcome.ALREADY_RECORDED if answer.already else TrackingOutcome.RECORDED
    return TrackingResult(
        index=index,
        outcome=TrackingOutcome.REFUSED if answer.refusal else outcome,
        fulfillments=[await Fulfillment.load(info, one) for one in answer.fulfillments],
        refusal=None if answer.refusal is None else await refusal_of(info, answer.refusal),
    )


async def move_stock(
    info: Info, input: Annotated[inputs.MoveStockInput, strawberry.argument(description="What lies where now.")]
) -> results.MoveStockResult:
    command = bins.MoveStock(
        location=input.location,
        lines=tuple(
            bins.MovedLine(
                sku=line.sku, quantity=line.quantity, origin=parsed.given(line.from_), to=parsed.given(line.to)
            )
            for line in input.lines
        ),
    )
    context = info.context
    done = await bins.move_stock(context.performer, context.caller, command, input.idempotency_key)
    context.forget()
    levels = await context.loaders.levels_at.load_many(done.levels)
    return results.MoveStockSuccess(levels=[StockLevel.of(level) for level in levels if level is not None])
