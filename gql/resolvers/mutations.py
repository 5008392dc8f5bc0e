"""Writing: input, service, result. Refusals that services raise are answered by `gql.errors`."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from domain.allocating import LineOutcome, OrderOutcome
from domain.allocation import Policy
from domain.ids import RunId, Sku
from domain.stocking import StockOutcome
from gql.context import Info
from gql.errors import refusal_of
from gql.resolvers import inputs as parsed
from gql.schema import allocation_inputs, catalog_inputs, order_inputs, results, stock_inputs
from gql.schema.allocation import AllocationRun, LineAllocation, OrderAllocation
from gql.schema.automation import AllocationRule
from gql.schema.catalog import Channel, Item, Location, LocationQuantity, StockLevel
from gql.schema.ids import row_id
from gql.schema.order_lines import OrderLine
from gql.schema.orders import ClaimSummary, Order
from gql.schema.plans import LosingOrders
from gql.schema.reservations import StockReservation
from gql.schema.supplies import Supply
from services import allocation, automation, catalog, orders, reservations, runs, splitting, stock, supplies, what_if

CHANNEL_FIELDS = (
    "code", "name", "sourcing", "locations", "split_lines", "paid_on_arrival", "unpaid_orders_expire_after_minutes",
    "releases_by_itself",
)  # fmt: skip
CLAIMS_MAX = 100


# ---------------------------------------------------------------- catalog and stock


async def save_items(
    info: Info, input: Annotated[catalog_inputs.SaveItemsInput, strawberry.argument(description="What to save.")]
) -> results.SaveItemsResult:
    ids = await catalog.save_items(info.context.database, [parsed.saved_item(item) for item in input.items])
    info.context.forget()
    return results.SaveItemsSuccess(items=[await Item.load(info, item) for item in ids])


async def save_locations(
    info: Info, input: Annotated[catalog_inputs.SaveLocationsInput, strawberry.argument(description="What to save.")]
) -> results.SaveLocationsResult:
    rows = [parsed.saved_location(location) for location in input.locations]
    ids = await catalog.save_locations(info.context.database, rows)
    info.context.forget()
    return results.SaveLocationsSuccess(locations=[await Location.load(info, location) for location in ids])


async def save_channels(
    info: Info, input: Annotated[catalog_inputs.SaveChannelsInput, strawberry.argument(description="What to save.")]
) -> results.SaveChannelsResult:
    rows = [parsed.present(channel, CHANNEL_FIELDS) for channel in input.channels]
    ids = await catalog.save_channels(info.context.database, rows)
    info.context.forget()
    return results.SaveChannelsSuccess(channels=[await Channel.load(info, channel) for channel in ids])


async def receive_stock(
    info: Info, input: Annotated[stock_inputs.ReceiveStockInput, strawberry.argument(description="What arrived.")]
) -> results.StockResult:
    context, key, supply = info.context, input.idempotency_key, parsed.given(input.supply)
    lines = parsed.received_lines(input.lines)
    place, reference = input.location, parsed.given(input.reference)
    if supply is None:
        command = stock.ReceiveStock(location=place, lines=lines, reference=reference)
        return await _stock(info, await stock.receive_stock(context.performer, context.caller, command, key))
    of_supply = supplies.ReceiveSupply(
        supply=parsed.supply_reference(supply), location=place, lines=lines, reference=reference
    )
    return await _stock(info, await supplies.receive_supply(context.performer, context.caller, of_supply, key))


async def adjust_stock(
    info: Info, input: Annotated[stock_inputs.AdjustStockInput, strawberry.argument(description="What is corrected.")]
) -> results.StockResult:
    command = stock.AdjustStock(
        location=input.location,
        lines=tuple(
            stock.AdjustedLine(
                sku=line.sku,
                delta=parsed.given(line.change.delta),
                counted=parsed.given(line.change.counted),
                expected_on_hand=parsed.given(line.expected_on_hand),
            )
            for line in input.lines
        ),
        reason=input.reason,
        quantity=input.quantity,
        reference=parsed.given(input.reference),
    )
    context = info.context
    outcome = await stock.adjust_stock(context.performer, context.caller, command, input.idempotency_key)
    return await _stock(info, outcome)


async def _stock(info: Info, outcome: StockOutcome) -> results.StockSuccess:
    info.context.forget()
    return results.StockSuccess(
        levels=await levels_now(info, outcome),
        overallocated=await claims(info, outcome),
        received_supply=None if outcome.supply is None else await Supply.load(info, outcome.supply),
    )


async def levels_now(info: Info, outcome: StockOutcome) -> list[StockLevel]:
    levels = await info.context.loaders.levels_at.load_many(outcome.levels)
    return [StockLevel.of(level) for level in levels if level is not None]


async def claims(info: Info, outcome: StockOutcome) -> ClaimSummary:
    """The orders that lost their stock, as they are now, and as far as the caller may know of them."""
    lost = await info.context.in_sight(outcome.overallocated)
    shown = [await Order.load(info, order) for order in lost[:CLAIMS_MAX]]
    return ClaimSummary(orders=shown, total=len(lost))


# ---------------------------------------------------------------- orders


async def place_order(
    info: Info, input: Annotated[order_inputs.PlaceOrderInput, strawberry.argument(description="The order.")]
) -> results.PlaceOrderResult:
    context, reservation = info.context, parsed.given(input.reservation)
    done = await orders.place_order(
        context.performer,
        context.caller,
        parsed.new_order(input),
        input.idempotency_key,
        reservation=None if reservation is None else parsed.reservation_reference(reservation),
    )
    return results.PlaceOrderSuccess(order=await _order(info, done))


async def edit_order(
    info: Info,
    input: Annotated[order_inputs.EditOrderInput, strawberry.argument(description="What shall be different.")],
) -> results.EditOrderResult:
    command = orders.EditOrder(
        order=parsed.order_reference(input.order),
        expected_version=parsed.given(input.expected_version),
        lines=parsed.line_changes(parsed.given(input.lines) or []),
        terms=parsed.changed_terms(input),
    )
    context = info.context
    done = await orders.edit_order(context.performer, context.caller, command, input.idempotency_key)
    return results.EditOrderSuccess(order=await _order(info, done))


async def split_order(
    info: Info, input: Annotated[order_inputs.SplitOrderInput, strawberry.argument(description="Which order, and how.")]
) -> results.SplitOrderResult:
    context = info.context
    command = splitting.SplitOrder(
        order=parsed.order_reference(input.order),
        expected_version=parsed.given(input.expected_version),
        number=parsed.given(input.number),
        lines=parsed.split_lines(input.by.lines),
        allocated=parsed.given(input.by.allocated),
    )
    done = await splitting.split_order(context.performer, context.caller, command, input.idempotency_key)
    context.forget()
    return results.SplitOrderSuccess(order=await Order.load(info, done.order), split=await Order.load(info, done.split))


async def finalize_order(
    info: Info, input: Annotated[order_inputs.FinalizeOrderInput, strawberry.argument(description="Which draft.")]
) -> results.FinalizeOrderResult:
    context, reference = info.context, parsed.order_reference(input.order)
    done = await orders.finalize_order(context.performer, context.caller, reference, input.idempotency_key)
    return results.FinalizeOrderSuccess(order=await _order(info, done))


async def void_order(
    info: Info, input: Annotated[order_inputs.VoidOrderInput, strawberry.argument(description="Which order, and why.")]
) -> results.VoidOrderResult:
    context, reference = info.context, parsed.order_reference(input.order)
    done = await orders.void_order(context.performer, context.caller, reference, input.reason, input.idempotency_key)
    return results.VoidOrderSuccess(order=await _order(info, done))


async def _order(info: Info, done: orders.OrderDone) -> Order:
    info.context.forget()
    return await Order.load(info, done.order)


# ---------------------------------------------------------------- stock reservations


async def reserve_stock(
    info: Info, input: Annotated[stock_inputs.ReserveStockInput, strawberry.argument(description="What a cart wants.")]
) -> results.ReserveStockResult:
    locations = parsed.given(input.locations)
    command = reservations.ReserveStock(
        lines=tuple(reservations.ReservedUnits(sku=Sku(line.sku), quantity=line.quantity) for line in input.lines),
        locations=None if locations is None else tuple(locations),
        channel=parsed.given(input.channel),
        expires_in_seconds=input.expires_in_seconds,
    )
    context = info.context
    done = await reservations.reserve_stock(context.performer, context.caller, command, input.idempotency_key)
    return results.ReserveStockSuccess(reservation=await _reservation(info, done))


async def release_reservation(
    info: Info, input: Annotated[stock_inputs.ReleaseReservationInput, strawberry.argument(description="Which one.")]
) -> results.ReleaseReservationResult:
    context, reference = info.context, parsed.reservation_reference(input.reservation)
    done = await reservations.release_reservation(context.performer, context.caller, reference, input.idempotency_key)
    return results.ReleaseReservationSuccess(reservation=await _reservation(info, done))


async def _reservation(info: Info, done: reservations.ReservationDone) -> StockReservation:
    info.context.forget()
    return await StockReservation.load(info, done.reservation)


# ---------------------------------------------------------------- allocation


async def allocate_orders(
    info: Info,
    input: Annotated[allocation_inputs.AllocateOrdersInput, strawberry.argument(description="Which, in sequence.")],
) -> results.AllocateOrdersResult:
    context, command = info.context, _run(input)
    if input.dry_run:
        return await _foreseen(info, await what_if.foresee_orders(context.database, context.caller, command))
    outcome = await allocation.allocate_orders(context.performer, context.caller, command, input.idempotency_key)
    return results.AllocateOrdersSuccess(results=await _outcomes(info, outcome.results), losers=None, token=None)


async def _foreseen(info: Info, outcome: what_if.Foreseen) -> results.AllocateOrdersSuccess:
    told = await _outcomes(info, outcome.results)
    losers = await LosingOrders.of(info, outcome.losers)
    return results.AllocateOrdersSuccess(results=told, losers=losers, token=outcome.token)


async def deallocate_orders(
    info: Info,
    input: Annotated[allocation_inputs.DeallocateOrdersInput, strawberry.argument(description="Which orders.")],
) -> results.DeallocateOrdersResult:
    context = info.context
    command = allocation.DeallocateOrders(orders=tuple(parsed.order_reference(by) for by in input.orders))
    outcome = await allocation.deallocate_orders(context.performer, context.caller, command, input.idempotency_key)
    return results.DeallocateOrdersSuccess(results=await _outcomes(info, outcome.results))


def _run(input: allocation_inputs.AllocateOrdersInput) -> allocation.AllocateOrders:
    wanted = [parsed.given(one.lines) for one in input.orders]
    ids = iter(
        parsed.line_ids(
            (("input", "orders", str(at), "lines", str(index), "line"), line.line)
            for at, lines in enumerate(wanted)
            for index, line in enumerate(lines or ())
        )
    )
    locations = parsed.given(input.locations)
    return allocation.AllocateOrders(
        orders=tuple(
            allocation.AllocateOrder(
                order=parsed.order_reference(one.order),
                lines=None
                if lines is None
                else tuple(
                    allocation.LineToAllocate(line=next(ids), quantity=parsed.given(line.quantity)) for line in lines
                ),
            )
            for one, lines in zip(input.orders, wanted, strict=True)
        ),
        locations=None if locations is None else tuple(locations),
        policy=_policy(input),
        token=parsed.given(input.token),
    )


def _policy(input: allocation_inputs.AllocateOrdersInput | allocation_inputs.StartAllocationRunInput) -> Policy:
    return Policy(smaller_may_pass=input.smaller_may_pass, shipping_policy=parsed.given(input.shipping_policy))


async def _outcomes(info: Info, outcomes: Sequence[OrderOutcome]) -> list[OrderAllocation]:
    info.context.forget()
    await _preload(info, outcomes)
    return [await _outcome(info, one) for one in outcomes]


async def _preload(info: Info, outcomes: Sequence[OrderOutcome]) -> None:
    """Everything that the results show, in one query a kind."""
    loaders = info.context.loaders
    await loaders.orders.load_many([one.order for one in outcomes if one.order is not None])
    await loaders.lines.load_many([line.line for one in outcomes for line in one.lines])


async def _outcome(info: Info, outcome: OrderOutcome) -> OrderAllocation:
    return OrderAllocation(
        index=outcome.index,
        order=None if outcome.order is None else await Order.find(info, outcome.order),
        before=outcome.before,
        after=outcome.after,
        lines=[await _line(info, line) for line in outcome.lines],
        sourcing_capped=outcome.sourcing_capped,
        refusal=None if outcome.refusal is None else await refusal_of(info, outcome.refusal),
    )


async def _line(info: Info, outcome: LineOutcome) -> LineAllocation:
    line = await OrderLine.load(info, outcome.line)
    return LineAllocation(
        line=line,
        sku=line.sku,
        quantity=outcome.quantity,
        allocated=outcome.allocated,
        short=outcome.short,
        from_=[
            LocationQuantity(location=await Location.load(info, location), quantity=quantity)
            for location, quantity in outcome.locations
        ],
    )


# ---------------------------------------------------------------- rules and runs


async def save_allocation_rules(
    info: Info,
    input: Annotated[allocation_inputs.SaveAllocationRulesInput, strawberry.argument(description="All the rules.")],
) -> results.SaveAllocationRulesResult:
    wanted = [parsed.allocation_rule(rule) for rule in input.rules]
    rules = await automation.save_allocation_rules(info.context.database, wanted)
    return results.SaveAllocationRulesSuccess(rules=[AllocationRule.of(rule) for rule in rules])


async def start_allocation_run(
    info: Info,
    input: Annotated[allocation_inputs.StartAllocationRunInput, strawberry.argument(description="Which orders.")],
) -> results.StartAllocationRunResult:
    context = info.context
    keep = parsed.given(input.keep_sequence_for)
    command = runs.StartRun(
        filter=parsed.order_filter(parsed.given(input.filter)),
        sequence=input.sequence,
        dry_run=input.dry_run,
        policy=_policy(input),
        keep=None if keep is None else parsed.order_filter(keep),
        token=parsed.given(input.token),
    )
    started = await runs.start_allocation_run(context.database, context.caller, command, input.idempotency_key)
    return results.StartAllocationRunSuccess(run=await _run_now(info, started.run))


async def cancel_allocation_run(
    info: Info,
    input: Annotated[allocation_inputs.CancelAllocationRunInput, strawberry.argument(description="Which run.")],
) -> results.CancelAllocationRunResult:
    row = row_id("AllocationRun", input.run)
    run = None if row is None else RunId(row)
    canceled = await runs.cancel_allocation_run(info.context.database, info.context.caller, run, input.run)
    return results.CancelAllocationRunSuccess(run=await _run_now(info, canceled))


async def _run_now(info: Info, run: RunId) -> AllocationRun:
    (found,) = await info.context.read(lambda uow: uow.runs.by_ids([run]))
    return AllocationRun.of(found)
