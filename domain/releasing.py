"""Release: what is set aside for an order becomes fulfillments, one for each location, and tasks for pickers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.allocation import Claim
from domain.batch import Batch
from domain.errors import Obstacle, OrderNotInState, OrderNotReleasable
from domain.fulfillments import Fulfillment, FulfillmentLine, PickTask
from domain.ids import FulfillmentId, FulfillmentLineId, LineId, LocationId, OrderId, PickListId, PickTaskId
from domain.kinds import AllocationStatus, OrderChange, ReleaseObstacle, ShippingPolicy
from domain.orders import ALLOCATABLE

STOCK_OBSTACLES: Mapping[AllocationStatus | None, Obstacle] = {
    None: Obstacle(code=ReleaseObstacle.NOT_ALLOCATED, message="Nothing of it is open any more."),
    AllocationStatus.UNALLOCATED: Obstacle(
        code=ReleaseObstacle.NOT_ALLOCATED, message="Nothing is set aside for it: allocate it first."
    ),
    AllocationStatus.COULD_NOT_ALLOCATE: Obstacle(
        code=ReleaseObstacle.NOT_ALLOCATED, message="A run found no stock for it: wait for more, or edit the order."
    ),
    AllocationStatus.OVERALLOCATED: Obstacle(
        code=ReleaseObstacle.OVERALLOCATED, message="Stock that was set aside is gone: allocate it again."
    ),
}


# ---------------------------------------------------------------- release


def release(
    batch: Batch, order_id: OrderId, now: datetime, found: Sequence[Obstacle] = (), *, partial: bool = False
) -> list[FulfillmentId]:
    """Send what is set aside for the order to the warehouses, a fulfillment for each location.

    `found`: what else keeps it from being released. `partial`: what is there goes, though some is short.

    Raises OrderNotInState, and OrderNotReleasable with every reason.
    """
    order = batch.orders[order_id]
    if order.status not in ALLOCATABLE:
        raise OrderNotInState(order=order_id, allowed=ALLOCATABLE)
    waiting = [claim for claim in batch.claims_of(order_id) if claim.fulfillment_line is None]
    status, policy = batch.status_of(order_id), order.shipping_policy
    obstacles = (*found, *stock_obstacles(status, policy, waits=bool(waiting), partial=partial))
    if obstacles:
        raise OrderNotReleasable(order=order_id, obstacles=obstacles)
    made = send_out(batch, waiting, now)
    if made:
        whole = status is AllocationStatus.ALLOCATED
        batch.note(order_id, OrderChange.RELEASED if whole else OrderChange.RELEASED_IN_PART)
    return made


def stock_obstacles(
    status: AllocationStatus | None, policy: ShippingPolicy, *, waits: bool, partial: bool
) -> Iterable[Obstacle]:
    """What of its stock keeps an order from being released. `waits`: something is set aside that was not yet."""
    if status in STOCK_OBSTACLES:
        yield STOCK_OBSTACLES[status]
    elif status is AllocationStatus.PARTIALLY_ALLOCATED:
        complete = policy is ShippingPolicy.SHIP_COMPLETE
        if complete or not partial:
            told = "it ships complete" if complete else "release it partially, split it"
            message = f"Some of it is short: {told}, or wait for stock."
            yield Obstacle(code=ReleaseObstacle.PARTIALLY_ALLOCATED, message=message)
        elif not waits:
            message = "What is set aside is released already, and the rest is short."
            yield Obstacle(code=ReleaseObstacle.NOT_ALLOCATED, message=message)


def send_out(
    batch: Batch, claims: Sequence[Claim], now: datetime, into: Fulfillment | None = None, on: PickListId | None = None
) -> list[FulfillmentId]:
    """Send claims of one order out: a fulfillment for each location, and tasks for its pickers.

    `into`: a fulfillment that takes what is at its location. `on`: the pick list that its new tasks go on.
    """
    made: list[FulfillmentId] = []
    at: defaultdict[LocationId, list[Claim]] = defaultdict(list)
    for claim in claims:
        at[claim.location].append(claim)
    for location, here in at.items():
        if into is not None and into.location == location:
            _add(batch, batch.floor.fulfillments[into.id], here, on)
        else:
            made.append(_new(batch, location, here, now))
    return made


def _new(batch: Batch, location: LocationId, claims: Sequence[Claim], now: datetime) -> FulfillmentId:
    place = batch.locations[location]
    ship_at = now + timedelta(hours=place.handling_hours)
    fulfillment = Fulfillment(
        id=FulfillmentId(next(batch.floor.ids)),
        order=claims[0].order,
        location=location,
        estimated_ship_at=ship_at,
        estimated_delivery_at=ship_at + timedelta(hours=place.transit_hours),
    )
    batch.floor.add(fulfillment)
    _add(batch, fulfillment, claims, None)
    return fulfillment.id


def _add(batch: Batch, fulfillment: Fulfillment, claims: Sequence[Claim], on: PickListId | None) -> None:
    floor = batch.floor
    lines = {line.line: line for line in fulfillment.lines}
    added: dict[LineId, int] = defaultdict(int)
    for claim in claims:
        added[claim.line] += claim.quantity
        if claim.line not in lines:
            fresh = FulfillmentLineId(next(floor.ids))
            lines[claim.line] = FulfillmentLine(id=fresh, line=claim.line, item=claim.item, quantity=0)
        batch.send(claim, lines[claim.line].id)
    grown = {line: replace(known, quantity=known.quantity + added.get(line, 0)) for line, known in lines.items()}
    floor.change(replace(fulfillment, lines=tuple(grown.values())))
    for line, units in added.items():
        _ask_for(batch, fulfillment, grown[line], units, on)
    floor.settle(fulfillment.id)


def _ask_for(batch: Batch, fulfillment: Fulfillment, line: FulfillmentLine, units: int, on: PickListId | None) -> None:
    for code, here in batch.floor.where_to_pick(line.item, fulfillment.location, units):
        batch.floor.change_task(
            PickTask(
                id=PickTaskId(next(batch.floor.ids)),
                fulfillment=fulfillment.id,
                fulfillment_line=line.id,
                item=line.item,
                location=fulfillment.location,
                bin=code,
                quantity=here,
                list=on,
            )
        )
