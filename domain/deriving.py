"""From rows as they were and as they stand to what is written and told of them: versions, and events.

Whatever moved a row, what is different in the end gets one version and its events. So a status can not change without
its event.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from domain.allocation import Held, age
from domain.changes import Changes, DividedClaim
from domain.events import (
    AllocationStatusChanged,
    Event,
    FulfillmentChanged,
    OrderChanged,
    PickTasksChanged,
    ReturnChanged,
    StockLevelChanged,
    SupplyChanged,
)
from domain.fulfillments import Fulfillment, PickTask
from domain.ids import LocationId, OrderId
from domain.kinds import AllocationCause, AllocationStatus, FulfillmentStatus, HoldReason, OrderChange
from domain.orders import Order, OrderLine, can_be_scheduled
from domain.returns import Return
from domain.stock import with_committed
from domain.supply import Supply
from domain.working_copy import WorkingCopy

REPLENISHING = {
    AllocationCause.STOCK_RECEIVED,
    AllocationCause.STOCK_ADJUSTED,
    AllocationCause.STOCK_TRANSFERRED,
    AllocationCause.CANCELED,
    AllocationCause.EDITED,
    AllocationCause.DROPSHIPPED,
    AllocationCause.RETURNED,
    AllocationCause.STOCK_RESERVATION,
    AllocationCause.UNPAID,
}
"""What sets off a run of the orders that wait for the stock. Deallocating does not: a person has more to do."""

CHANGES = tuple(OrderChange)
"""A tuple, since the enumeration itself is slow to walk through for every order."""

NO_HOLDS: tuple[tuple[HoldReason, ...], tuple[HoldReason, ...]] = ((), ())


def note_claims(copy: WorkingCopy) -> None:
    """What became of claims that were there, and which are new."""
    made = copy.made
    _number_new_claims(copy)
    made.changed_claims = [
        copy.claims[claim.id]
        for claim in copy.claims_before.values()
        if claim.id in copy.claims and _differs(copy, claim)
    ]
    made.ended_claims = [ended for ended in made.ended_claims if ended.allocation in copy.claims_before]
    made.gone_claims = [claim for claim in copy.claims_before if claim not in copy.claims]


def _number_new_claims(copy: WorkingCopy) -> None:
    """New claims get their ids in the sequence of their age: so a part of a new claim comes right after it."""
    made = copy.made
    new = sorted((copy.claims[claim.id] for claim in made.new_claims if claim.id in copy.claims), key=age)
    made.new_claims = [
        claim if claim.seniority is None else replace(claim, seniority=None)
        for claim in new
        if claim.id not in copy.divided
    ]
    made.divided_claims = [
        DividedClaim(allocation=copy.divided[claim.id], claim=claim) for claim in new if claim.id in copy.divided
    ]


def _differs(copy: WorkingCopy, before: Held) -> bool:
    """A claim's priority is its order's, and is not written with it."""
    now = copy.claims[before.id]
    return now is not before and replace(now, priority=before.priority) != before


def note_lines(copy: WorkingCopy) -> None:
    """Lines as they stand: those that are new, and those that are not as they were."""
    made = copy.made
    made.placed_lines = [replace(placed, line=copy.lines[placed.line.id]) for placed in made.placed_lines]
    for line in copy.lines_before.values():
        now = copy.lines[line.id]
        if now is not line:
            made.lines.append(now)
            if _is_resized(line, now):
                made.resized_lines.add(line.id)


def _is_resized(before: OrderLine, now: OrderLine) -> bool:
    return (
        before.quantity != now.quantity
        or before.shipped != now.shipped
        or before.canceled != now.canceled
        or before.dropshipped != now.dropshipped
    )


def version_orders(copy: WorkingCopy) -> None:
    made = copy.made
    holds = _holds_by_order(made)
    touched: defaultdict[OrderId, list[OrderLine]] = defaultdict(list)
    for line in made.lines:
        touched[line.order].append(line)
    for placed in made.placed_lines:
        touched[placed.line.order].append(placed.line)
    for order_id in dict.fromkeys((*touched, *copy.noted)):
        before = copy.orders_before.get(order_id)
        status = copy.status_of(order_id)
        order = _versioned(copy.orders[order_id], status, before.version + 1 if before else 1)
        copy.orders[order_id] = order
        if before:
            made.orders.append(order)
        lines = touched[order_id] or copy.lines_of(order_id)
        made.events.extend(_order_events(copy, order, before, lines, *holds.get(order_id, NO_HOLDS)))
    made.placed = [(copy.orders[order.id], new) for order, new in made.placed]
    made.schedules = {order: every for order, every in made.schedules.items() if can_be_scheduled(copy.orders[order])}


def _order_events(
    copy: WorkingCopy,
    order: Order,
    before: Order | None,
    lines: Sequence[OrderLine],
    holds_placed: Sequence[HoldReason],
    holds_ended: Sequence[HoldReason],
) -> Iterator[Event]:
    held = copy.locations_before[order.id] | {claim.location for claim in copy.claims_of(order.id)}
    locations = tuple(sorted(copy.locations[location].code for location in held))
    skus = tuple(dict.fromkeys(line.sku for line in lines))
    changes = copy.noted[order.id]
    allocated_by = copy.order_actors.get(order.id) or next(reversed(changes.values()), copy.actor)
    was = before.allocation_status if before else AllocationStatus.UNALLOCATED
    if not changes or any(_allocation_moved(copy, line) for line in lines):
        changes[OrderChange.ALLOCATIONS_CHANGED] = allocated_by
    sequence = tuple(change for change in CHANGES if change in changes)
    yield OrderChanged(
        order_id=order.id,
        order_number=order.number,
        channel_code=order.channel,
        order_version=order.version,
        skus=skus,
        locations=locations,
        changes=sequence,
        actors=tuple(changes[change] for change in sequence),
        holds_placed=tuple(holds_placed),
        holds_ended=tuple(holds_ended),
    )
    if was is not order.allocation_status:
        yield AllocationStatusChanged(
            order_id=order.id,
            order_number=order.number,
            channel_code=order.channel,
            order_version=order.version,
            skus=skus,
            locations=locations,
            before=was,
            after=order.allocation_status,
            cause=copy.order_causes.get(order.id, AllocationCause.OTHER),
            actor=allocated_by,
        )


def _allocation_moved(copy: WorkingCopy, line: OrderLine) -> bool:
    """Whether what is set aside for the line changed, or a run looked at it."""
    before = copy.lines_before.get(line.id)
    if before is None:
        return line.allocated > 0 or line.looked_at
    moved = (before.allocated, before.overallocated) != (line.allocated, line.overallocated)
    return moved or (line.looked_at and not before.looked_at)


def _holds_by_order(made: Changes) -> dict[OrderId, tuple[list[HoldReason], list[HoldReason]]]:
    """For which reasons orders are held since this commit, and no longer."""
    found: defaultdict[OrderId, tuple[list[HoldReason], list[HoldReason]]] = defaultdict(lambda: ([], []))
    for placed in made.new_holds:
        found[placed.order][0].append(placed.reason)
        if placed.released_by is not None:
            found[placed.order][1].append(placed.reason)
    for ended in made.ended_holds:
        found[ended.order][1].append(ended.reason)
    return dict(found)


def _versioned(order: Order, status: AllocationStatus | None, version: int) -> Order:
    """The order with this allocation status and version: made for every order, and `replace` takes twice as long."""
    return Order(
        id=order.id,
        number=order.number,
        channel=order.channel,
        status=order.status,
        allocation_status=status,
        shipping_policy=order.shipping_policy,
        priority=order.priority,
        version=version,
    )


def version_levels(copy: WorkingCopy) -> None:
    for key, level in copy.levels.items():
        before = copy.levels_before.get(key)
        if level is before or level == before:
            continue
        level = with_committed(level, level.committed, before.version + 1 if before else 1)
        (copy.made.changed_levels if before else copy.made.new_levels).append(level)
        if level.available > (before.available if before else 0) and copy.level_causes.get(key) in REPLENISHING:
            copy.made.replenished.add(level.item)
        copy.made.events.append(
            StockLevelChanged(
                sku=copy.skus[level.item],
                location_code=copy.locations[level.location].code,
                version=level.version,
                on_hand=level.on_hand,
                committed=level.committed,
                unavailable=level.unavailable,
                available=level.available,
                overallocated=level.overallocated,
            )
        )


def version_floor(copy: WorkingCopy) -> None:
    """Every change of a fulfillment is a change of its order."""
    made = copy.made
    floor = copy.floor.changes()
    if not copy.floor.fulfillments and not floor.bins:
        return
    made.floor = floor
    changed = [*floor.fulfillments, *((None, one) for one in floor.new_fulfillments)]
    for before, fulfillment in changed:
        copy.note(fulfillment.order, OrderChange.FULFILLMENT_CHANGED, copy.floor.who_moved(fulfillment.id))
        made.events.append(_fulfillment_event(copy, fulfillment, before))
    for order in {fulfillment.order for fulfillment in copy.floor.fulfillments.values()}:
        status = copy.fulfillment_status_of(order)
        if status is not copy.fulfilling_before.get(order, FulfillmentStatus.NOT_RELEASED):
            made.fulfillment_statuses[order] = status
            copy.note(order, OrderChange.FULFILLMENT_CHANGED, copy.who_moved_goods(order))
    tasks: defaultdict[tuple[LocationId, str], list[PickTask]] = defaultdict(list)
    for task in (*floor.new_tasks, *floor.tasks):
        tasks[task.location, copy.floor.who_moved_task(task.id)].append(task)
    made.events += [_tasks_event(copy, location, actor, theirs) for (location, actor), theirs in tasks.items()]


def _fulfillment_event(copy: WorkingCopy, fulfillment: Fulfillment, before: Fulfillment | None) -> FulfillmentChanged:
    order, code = copy.orders[fulfillment.order], copy.locations[fulfillment.location].code
    return FulfillmentChanged(
        order_id=order.id,
        order_number=order.number,
        channel_code=order.channel,
        fulfillment_id=fulfillment.id,
        fulfillment_version=fulfillment.version,
        location_code=code,
        before=before.state if before else None,
        after=fulfillment.state,
        skus=tuple(dict.fromkeys(copy.lines[line.line].sku for line in fulfillment.lines)),
        locations=(code,),
        carrier=fulfillment.shipping.carrier,
        tracking_number=fulfillment.shipping.tracking_number,
        estimated_ship_at=fulfillment.estimated_ship_at,
        estimated_delivery_at=fulfillment.estimated_delivery_at,
        actor=copy.floor.who_moved(fulfillment.id),
        tracking_status=fulfillment.tracking_status,
    )


def _tasks_event(copy: WorkingCopy, location: LocationId, actor: str, tasks: Sequence[PickTask]) -> PickTasksChanged:
    code = copy.locations[location].code
    return PickTasksChanged(
        location_code=code,
        task_ids=tuple(task.id for task in tasks),
        skus=tuple(dict.fromkeys(copy.skus[task.item] for task in tasks)),
        locations=(code,),
        actor=actor,
    )


def version_returns(copy: WorkingCopy) -> None:
    """Every change of a return is a change of its order."""
    made = copy.made
    for one in list(copy.returns.values()):
        before = copy.returns_before.get(one.id)
        if one == before:
            continue
        copy.returns[one.id] = one = replace(one, version=before.version + 1 if before else 1)
        (made.changed_returns if before else made.new_returns).append(one)
        copy.note(one.order, OrderChange.RETURN_CHANGED, made.return_actors.get(one.id))
        made.events.append(_return_event(copy, one, before))


def _return_event(copy: WorkingCopy, one: Return, before: Return | None) -> ReturnChanged:
    order, code = copy.orders[one.order], copy.locations[one.location].code
    places = {place: copy.locations[place].code for place in (one.location, before and before.location) if place}
    return ReturnChanged(
        order_id=order.id,
        order_number=order.number,
        channel_code=order.channel,
        return_id=one.id,
        return_version=one.version,
        location_code=code,
        before=before.state if before else None,
        after=one.state,
        skus=tuple(dict.fromkeys(copy.lines[line.line].sku for line in one.lines)),
        locations=tuple(dict.fromkeys(places.values())),
        requested=sum(line.quantity - line.canceled for line in one.lines),
        received=sum(line.received for line in one.lines),
        resold=sum(line.resold for line in one.lines),
        quarantined=sum(line.quarantined for line in one.lines),
        discarded=sum(line.discarded for line in one.lines),
        actor=copy.made.return_actors[one.id],
    )


def version_supplies(copy: WorkingCopy) -> None:
    made = copy.made
    for supply in list(copy.supplies.values()):
        before = copy.supplies_before.get(supply.id)
        if supply is before:
            continue
        supply = replace(supply, version=before.version + 1 if before else 1)
        (made.changed_supplies if before else made.new_supplies).append(supply)
        if before:
            pairs = zip(before.lines, supply.lines, strict=True)
            made.changed_supply_lines += [(supply.id, line) for was, line in pairs if line != was]
        made.events.append(_supply_event(copy, supply, before))


def _supply_event(copy: WorkingCopy, supply: Supply, before: Supply | None) -> SupplyChanged:
    places = [place for place in (supply.location, supply.from_location) if place is not None]
    return SupplyChanged(
        supply_id=supply.id,
        supply_version=supply.version,
        reference=supply.reference,
        kind=supply.kind,
        state=supply.state,
        location_code=copy.locations[supply.location].code,
        skus=tuple(copy.skus[line.item] for line in supply.lines),
        locations=tuple(copy.locations[place].code for place in places),
        expected_at=supply.expected_at,
        expected_at_before=before.expected_at if before else None,
    )
