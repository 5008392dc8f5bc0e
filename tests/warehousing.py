"""Builders for what becomes of goods, through the services: an order's fulfillments and tasks by the order."""

from collections.abc import Mapping
from typing import Any

from domain.ids import FulfillmentId, LineId, OrderId, PickTaskId, ReturnId, Sku
from domain.kinds import FulfillmentStatus, InspectionOutcome, PickTaskState, ReturnReason
from domain.orders import Address, NewLine, NewOrder, OrderTerms
from domain.packing import NewParcel
from domain.picking import Pick, Short
from domain.returning import WantedBack
from persistence.database import PostgresDatabase
from services.callers import Caller
from services.desk import Desk
from services.fulfillments import (
    CancelFulfillment,
    DeliverFulfillment,
    FulfillmentDone,
    OrderReleased,
    PackFulfillment,
    ReleaseOrders,
    ShipFulfillment,
    cancel_fulfillment,
    deliver_fulfillment,
    pack_fulfillment,
    release_orders,
    ship_fulfillment,
)
from services.orders import place_order
from services.picking import PickAnswer, RecordPick, record_picks
from services.ports.fulfillments import FulfillmentView, PickTaskView
from services.ports.returns import ReturnView
from services.returns import (
    CancelReturn,
    InspectedUnits,
    InspectReturn,
    ReceivedUnits,
    ReceiveReturn,
    RequestReturn,
    ReturnDone,
    cancel_return,
    inspect_return,
    receive_return,
    request_return,
)
from tests.builders import a_key, allocated, by_id, lines_now, order_now

HOME = Address(name="Ada King", line1="12 St James's Square", city="London", postal_code="SW1Y 4JH", country_code="GB")


async def bought(database: PostgresDatabase, caller: Caller, units: Mapping[str, int]) -> OrderId:
    """An order that is paid, knows where it goes, and is allocated as far as it can be."""
    new = NewOrder(
        channel="SHOP",
        number=a_key(),
        lines=tuple(NewLine(sku=Sku(sku), quantity=quantity) for sku, quantity in units.items()),
        terms=OrderTerms(ship_to=HOME),
    )
    order = (await place_order(Desk(database), caller, new, a_key())).order
    await allocated(database, caller, order)
    return order


async def to_warehouse(database: PostgresDatabase, caller: Caller, order: OrderId) -> OrderReleased:
    """Released; or the refusal is told."""
    (done,) = (await release_orders(Desk(database), caller, ReleaseOrders(orders=(by_id(order),)), a_key())).results
    return done


async def fulfillments_now(database: PostgresDatabase, order: OrderId) -> list[FulfillmentView]:
    """The oldest first."""
    return await database.read(lambda uow: uow.fulfillments.of_orders([order]))


async def open_tasks(database: PostgresDatabase, order: OrderId) -> list[PickTaskView]:
    sent = [one.id for one in await fulfillments_now(database, order)]
    tasks = await database.read(lambda uow: uow.fulfillments.tasks_of(sent))
    return [task for task in tasks if task.state is PickTaskState.OPEN]


async def fulfillment_status_now(database: PostgresDatabase, order: OrderId) -> FulfillmentStatus:
    return (await order_now(database, order)).fulfillment_status


async def fetched(
    database: PostgresDatabase, caller: Caller, task: PickTaskId, quantity: int, short: Short | None = None, **more: Any
) -> PickAnswer:
    """What a picker is told who says so."""
    pick = Pick(task=task, quantity=quantity, short=short, **more)
    (answer,) = await record_picks(Desk(database), caller, [(a_key(), RecordPick(pick=pick))])
    return answer


async def picked(database: PostgresDatabase, caller: Caller, order: OrderId) -> None:
    """All of it."""
    for task in await open_tasks(database, order):
        assert (await fetched(database, caller, task.id, task.quantity)).refusal is None


async def canceled_one(database: PostgresDatabase, caller: Caller, one: FulfillmentId) -> FulfillmentDone:
    return await cancel_fulfillment(Desk(database), caller, CancelFulfillment(fulfillment=one), a_key())


async def packed(database: PostgresDatabase, caller: Caller, one: FulfillmentId) -> FulfillmentDone:
    """In one parcel."""
    command = PackFulfillment(fulfillment=one, parcels=(NewParcel(),))
    return await pack_fulfillment(Desk(database), caller, command, a_key())


async def shipped(database: PostgresDatabase, caller: Caller, one: FulfillmentId) -> FulfillmentDone:
    return await ship_fulfillment(Desk(database), caller, ShipFulfillment(fulfillment=one), a_key())


async def delivered(database: PostgresDatabase, caller: Caller, one: FulfillmentId) -> FulfillmentDone:
    return await deliver_fulfillment(Desk(database), caller, DeliverFulfillment(fulfillment=one), a_key())


# ---------------------------------------------------------------- the way back


async def left(database: PostgresDatabase, caller: Caller, units: int, sku: str = "CHAIR") -> tuple[OrderId, LineId]:
    """An order of one line that is on its way to the customer, and the line."""
    order = await bought(database, caller, {sku: units})
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    await picked(database, caller, order)
    await packed(database, caller, one)
    await shipped(database, caller, one)
    (line,) = await lines_now(database, order)
    return order, line.id


async def asked_back(
    database: PostgresDatabase, caller: Caller, order: OrderId, line: LineId, units: int, location: str = "LEEDS"
) -> ReturnId:
    wanted = WantedBack(line=line, quantity=units, reason=ReturnReason.UNWANTED)
    command = RequestReturn(order=by_id(order), location=location, lines=(wanted,))
    return (await request_return(Desk(database), caller, command, a_key())).returned


async def came_back(database: PostgresDatabase, caller: Caller, one: ReturnId, units: int | None = None) -> ReturnDone:
    """So many units of it; None: all that was still to come."""
    (line,) = (await return_now(database, one)).lines
    lines = None if units is None else (ReceivedUnits(line=line.id, quantity=units),)
    return await receive_return(Desk(database), caller, ReceiveReturn(returned=one, lines=lines), a_key())


async def looked_at(
    database: PostgresDatabase,
    caller: Caller,
    one: ReturnId,
    units: int,
    outcome: InspectionOutcome = InspectionOutcome.RESELL,
    location: str | None = None,
) -> ReturnDone:
    (line,) = (await return_now(database, one)).lines
    seen = InspectedUnits(line=line.id, quantity=units, outcome=outcome, location=location)
    return await inspect_return(Desk(database), caller, InspectReturn(returned=one, lines=(seen,)), a_key())


async def called_off(database: PostgresDatabase, caller: Caller, one: ReturnId) -> ReturnDone:
    return await cancel_return(Desk(database), caller, CancelReturn(returned=one), a_key())


async def return_now(database: PostgresDatabase, one: ReturnId) -> ReturnView:
    (view,) = await database.read(lambda uow: uow.returns.by_ids([one]))
    return view


async def returns_now(database: PostgresDatabase, order: OrderId) -> list[ReturnView]:
    """The oldest first."""
    return await database.read(lambda uow: uow.returns.of_orders([order]))
