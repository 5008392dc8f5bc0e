"""Reading: each field opens its own short unit of work."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated

import strawberry

from domain.ids import (
    ChannelId,
    FulfillmentId,
    InvoiceId,
    ItemId,
    LocationId,
    OrderId,
    PickListId,
    PickTaskId,
    ReservationId,
    ReturnId,
    RunId,
    SupplyId,
)
from domain.kinds import AllocationSequence
from gql.context import Info
from gql.errors import bad_input
from gql.pagination import connection, page_size, seek
from gql.resolvers import api_keys, notices, webhooks
from gql.resolvers import inputs as parsed
from gql.schema import filters, inputs
from gql.schema.allocation import AllocationRun
from gql.schema.automation import AllocationRule
from gql.schema.catalog import (
    Channel,
    Item,
    ItemConnection,
    ItemEdge,
    Location,
    StockLevel,
    StockLevelConnection,
    StockLevelEdge,
)
from gql.schema.documents import Invoice
from gql.schema.events import EventConnection, EventEdge, event_of, log_cursor
from gql.schema.fulfillments import Fulfillment, PickList, PickTask
from gql.schema.ids import Int32, cursor, parse_id, row_id
from gql.schema.nodes import Node
from gql.schema.order_counts import OrderCounts
from gql.schema.orders import Order, OrderConnection, OrderEdge
from gql.schema.plans import PolicyOutcome
from gql.schema.reservations import StockReservation
from gql.schema.returns import Return
from gql.schema.supplies import Supply
from gql.scopes import opens
from services.planning import TooManyOrders
from services.ports.orders import OrderSort

First = Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")]
Id = Annotated[strawberry.ID, strawberry.argument(description="The object's id.")]
OrderCondition = Annotated[
    filters.OrderFilter | None, strawberry.argument(description="Which orders; all when absent.", name="filter")
]

SORT_KEYS: Mapping[OrderSort, tuple[str, type]] = {
    OrderSort.PLACED_AT_ASC: ("placed_at", datetime),
    OrderSort.PLACED_AT_DESC: ("placed_at", datetime),
    OrderSort.PRIORITY_DESC: ("priority", Int32),
}
"""What each sort sorts by, before the id."""


# ---------------------------------------------------------------- one object


async def _order_node(info: Info, row: int) -> Node | None:
    return await Order.find(info, OrderId(row))


async def _item_node(info: Info, row: int) -> Node | None:
    found = await info.context.loaders.items.load(ItemId(row))
    return None if found is None else Item.of(found)


async def _location_node(info: Info, row: int) -> Node | None:
    found = await info.context.loaders.locations.load(LocationId(row))
    return None if found is None else Location.of(found)


async def _channel_node(info: Info, row: int) -> Node | None:
    found = await info.context.loaders.channels.load(ChannelId(row))
    return None if found is None else Channel.of(found)


async def _level_node(info: Info, row: int) -> Node | None:
    found = await info.context.loaders.levels.load(row)
    return None if found is None else StockLevel.of(found)


async def _run_node(info: Info, row: int) -> Node | None:
    found = await info.context.read(lambda uow: uow.runs.by_ids([RunId(row)]))
    return AllocationRun.of(found[0]) if found else None


async def _reservation_node(info: Info, row: int) -> Node | None:
    return await StockReservation.find(info, ReservationId(row))


async def _supply_node(info: Info, row: int) -> Node | None:
    return await Supply.find(info, SupplyId(row))


async def _fulfillment_node(info: Info, row: int) -> Node | None:
    return await Fulfillment.find(info, FulfillmentId(row))


async def _return_node(info: Info, row: int) -> Node | None:
    return await Return.find(info, ReturnId(row))


async def _task_node(info: Info, row: int) -> Node | None:
    return await PickTask.find(info, PickTaskId(row))


async def _invoice_node(info: Info, row: int) -> Node | None:
    return await Invoice.find(info, InvoiceId(row))


async def _list_node(info: Info, row: int) -> Node | None:
    return await PickList.find(info, PickListId(row))


NODES: Mapping[str, Callable[[Info, int], Awaitable[Node | None]]] = {
    "Order": _order_node,
    "Item": _item_node,
    "Location": _location_node,
    "Channel": _channel_node,
    "StockLevel": _level_node,
    "AllocationRun": _run_node,
    "StockReservation": _reservation_node,
    "Return": _return_node,
    "Supply": _supply_node,
    "Fulfillment": _fulfillment_node,
    "PickTask": _task_node,
    "PickList": _list_node,
    "Invoice": _invoice_node,
    "WebhookEndpoint": webhooks.endpoint_node,
    "WebhookDelivery": webhooks.delivery_node,
    "Alert": notices.alert_node,
    "Mail": notices.mail_node,
    "ApiKey": api_keys.key_node,
}


async def node(info: Info, id: Id) -> Node | None:
    named = parse_id(id)
    if named is None:
        return None
    kind, row = named
    find = NODES.get(kind) if opens(info.context.caller.scopes, kind) else None
    return None if find is None else await find(info, row)


async def order(
    info: Info, by: Annotated[inputs.OrderBy, strawberry.argument(description="Which order.")]
) -> Order | None:
    reference = parsed.order_reference(by)
    parsed.searchable(reference.channel + reference.number)
    (found,) = await info.context.read(lambda uow: uow.orders.resolve([reference]))
    return None if found is None else await Order.find(info, found)


async def item(info: Info, by: Annotated[inputs.ItemBy, strawberry.argument(description="Which item.")]) -> Item | None:
    identity = parsed.given(by.id)
    if identity is not None:
        row = row_id("Item", identity)
    else:
        names = {"sku": parsed.given(by.sku), "barcode": parsed.given(by.barcode)}
        for name in names.values():
            parsed.searchable(name or "")
        row = await info.context.read(lambda uow: uow.catalog.item_id(**names))
    found = None if row is None else await info.context.loaders.items.load(ItemId(row))
    return None if found is None else Item.of(found)


async def location(
    info: Info, by: Annotated[inputs.LocationBy, strawberry.argument(description="Which location.")]
) -> Location | None:
    wanted = row_id("Location", by.id) if by.id else None
    for found in await info.context.read(lambda uow: uow.catalog.locations()):
        if found.id == wanted or found.code == by.code:
            return Location.of(found)
    return None


async def locations(info: Info) -> list[Location]:
    return [Location.of(found) for found in await info.context.read(lambda uow: uow.catalog.locations())]


async def channels(info: Info) -> list[Channel]:
    return [Channel.of(found) for found in await info.context.read(lambda uow: uow.catalog.channels())]


async def compare_allocation_policies(
    info: Info,
    policies: Annotated[
        list[AllocationSequence], strawberry.argument(description="Which, each once; the first is what others change.")
    ],
    filter: Annotated[
        filters.OrderFilter | None,
        strawberry.argument(description="Orders that the run would serve; all that it could, when absent."),
    ] = None,
) -> list[PolicyOutcome]:
    if not policies or len(set(policies)) != len(policies):
        raise bad_input("`policies` names at least one, each once.")
    try:
        outcomes = await info.context.planner.compare(parsed.order_filter(filter), policies)
    except TooManyOrders as error:
        raise bad_input(str(error)) from error
    return [await PolicyOutcome.of(info, outcome) for outcome in outcomes]


async def allocation_run(info: Info, id: Id) -> AllocationRun | None:
    row = row_id("AllocationRun", id)
    found = await _run_node(info, row) if row is not None else None
    return found if isinstance(found, AllocationRun) else None


async def stock_reservation(info: Info, id: Id) -> StockReservation | None:
    row = row_id("StockReservation", id)
    return None if row is None else await StockReservation.find(info, ReservationId(row))


async def allocation_rules(info: Info) -> list[AllocationRule]:
    return [AllocationRule.of(rule) for rule in await info.context.read(lambda uow: uow.automation.rules())]


# ---------------------------------------------------------------- lists


async def orders(
    info: Info,
    filter: OrderCondition = None,
    sort: Annotated[
        OrderSort, strawberry.argument(description="In which order; ties are broken by id.")
    ] = OrderSort.PLACED_AT_ASC,
    first: First = 50,
    after: After = None,
) -> OrderConnection:
    key, kind = SORT_KEYS[sort]
    condition, size = parsed.order_filter(filter), page_size(first)
    behind = seek(sort, after, (kind, int))
    rows = await info.context.read(lambda uow: uow.orders.page(condition, sort, size + 1, behind))
    edges = [OrderEdge(cursor=cursor(sort, [getattr(row, key), row.id]), node=Order.of(row)) for row in rows[:size]]
    return connection(OrderConnection, edges, len(rows), size, after)


async def order_counts(info: Info, filter: OrderCondition = None) -> OrderCounts:
    condition = parsed.order_filter(filter)
    return OrderCounts.of(await info.context.read(lambda uow: uow.orders.counts(condition)))


async def items(
    info: Info,
    filter: Annotated[
        filters.ItemFilter | None, strawberry.argument(description="Which items; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> ItemConnection:
    condition, size, behind = parsed.item_filter(filter), page_size(first), seek("sku", after, (str,))
    rows = await info.context.read(lambda uow: uow.catalog.item_page(condition, size + 1, behind))
    edges = [ItemEdge(cursor=cursor("sku", [row.sku]), node=Item.of(row)) for row in rows[:size]]
    return connection(ItemConnection, edges, len(rows), size, after)


async def stock_levels(
    info: Info,
    filter: Annotated[
        filters.StockLevelFilter | None, strawberry.argument(description="Which levels; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> StockLevelConnection:
    condition, size, behind = parsed.level_filter(filter), page_size(first), seek("level", after, (int,))
    rows = await info.context.read(lambda uow: uow.stock.page(condition, size + 1, behind))
    edges = [StockLevelEdge(cursor=cursor("level", [row.id]), node=StockLevel.of(row)) for row in rows[:size]]
    return connection(StockLevelConnection, edges, len(rows), size, after)


# ---------------------------------------------------------------- the log


async def events(
    info: Info,
    filter: Annotated[
        filters.EventFilter | None, strawberry.argument(description="Which events; all when absent.")
    ] = None,
    first: First = 50,
    after: After = None,
) -> EventConnection:
    condition, size, behind = parsed.event_filter(filter), page_size(first), seek("log", after, (int,))
    start = behind[0] if behind else None
    rows = await info.context.read(lambda uow: uow.events.page(condition, size + 1, start))
    edges = [EventEdge(cursor=log_cursor(row.position), node=event_of(row)) for row in rows[:size]]
    return connection(EventConnection, edges, len(rows), size, after)


async def event_cursor(info: Info) -> str:
    return log_cursor(await info.context.read(lambda uow: uow.events.end()))
