"""Allocate and deallocate: the operations on a batch, each order with its own outcome."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.allocation import FREE_FOR_ALL, Ask, Claim, OpenOrder, OrderPlan, Part, Policy, StockView, Take, plan
from domain.batch import Batch
from domain.errors import DomainError, NotFound, OrderAlreadyReleased, OrderNotInState
from domain.ids import ItemId, LineId, LocationId, OrderId
from domain.kinds import AllocationCause, AllocationEnd, AllocationStatus, ShippingPolicy
from domain.making import quickly_made
from domain.orders import ALLOCATABLE, Order, OrderLine


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderToAllocate:
    """An order in a run. `order` None: nobody knows the reference.

    `lines`: for each line the units that shall be set aside in all (None: all that is open); None: every open line.
    """

    reference: str
    order: OrderId | None
    lines: Mapping[LineId, int | None] | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class LineOutcome:
    """What happened to one line: of `quantity` units looked for, `allocated` were set aside at `locations`."""

    line: LineId
    item: ItemId
    quantity: int
    allocated: int
    locations: tuple[tuple[LocationId, int], ...] = ()

    @property
    def short(self) -> int:
        return self.quantity - self.allocated


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcome:
    """What happened to one order of the input, at position `index` from 0; with a refusal, nothing did.

    `lines` is empty where nobody asked for each line. `sourcing_capped`: there were more sets of locations than were
    looked at.
    """

    index: int
    order: OrderId | None
    before: AllocationStatus | None = None
    after: AllocationStatus | None = None
    lines: tuple[LineOutcome, ...] = ()
    refusal: DomainError | None = None
    sourcing_capped: bool = False


@dataclass(slots=True, kw_only=True)
class Terms:
    """What holds for all orders of a run. `locations`: those that may be used, with their ranks; None: all.

    `each_line`: whether the outcomes shall tell of each line. `starts_over`: an overallocated order is deallocated
    first. `closed`: SKUs that no later order may have; it grows.
    """

    policy: Policy = FREE_FOR_ALL
    locations: Mapping[LocationId, int] | None = None
    each_line: bool = True
    starts_over: bool = True
    closed: set[ItemId] = field(default_factory=set)


def allocate(batch: Batch, wanted: Sequence[OrderToAllocate], terms: Terms | None = None) -> tuple[OrderOutcome, ...]:
    """Promise stock to the orders in the sequence given."""
    terms = terms or Terms()
    refused = {index: refusal for index, one in enumerate(wanted) if (refusal := _refuse(batch, one))}
    served = [index for index in range(len(wanted)) if index not in refused]
    before = {index: batch.status_of(_known(wanted[index])) for index in served}
    demands = [
        _open_order(batch, batch.orders[_known(wanted[index])], before[index], wanted[index].lines, terms)
        for index in served
    ]
    decision = plan(demands, _stock(batch, demands, terms), terms.policy, terms.closed)
    terms.closed |= decision.closed
    for demand in demands:
        if demand.gives_back:
            _give_back_all(batch, demand.order, AllocationCause.RUN)
    batch.take(take for order in decision.orders for take in order.takes)
    done = dict(zip(served, zip(demands, decision.orders, strict=True), strict=True))
    for demand in demands:
        _look_at(batch, demand, terms)
    return tuple(
        OrderOutcome(index=index, order=one.order, refusal=refused[index])
        if index in refused
        else _outcome(batch, index, *done[index], before[index], each_line=terms.each_line)
        for index, one in enumerate(wanted)
    )


def _stock(batch: Batch, demands: Iterable[OpenOrder], terms: Terms) -> StockView:
    """Only of what is wanted: a batch may have hundreds of runs, each of one order."""
    items = {ask.item for demand in demands for ask in demand.asks}
    ranks = batch.ranks if terms.locations is None else terms.locations
    return StockView(batch.levels_of(items), ranks, batch.locations)


def deallocate(batch: Batch, orders: Sequence[tuple[str, OrderId | None]]) -> tuple[OrderOutcome, ...]:
    """Give back everything that is set aside for the orders; each is as if no run had looked at it.

    What each was before is what it was before all of them: flags are lifted when the command is over.
    """
    return tuple(_deallocate(batch, index, reference, order) for index, (reference, order) in enumerate(orders))


def _known(wanted: OrderToAllocate) -> OrderId:
    assert wanted.order is not None
    return wanted.order


def _refuse(batch: Batch, wanted: OrderToAllocate) -> DomainError | None:
    if wanted.order is None or wanted.order not in batch.orders:
        return NotFound(references=(wanted.reference,))
    order = batch.orders[wanted.order]
    if wanted.lines:
        strangers = set(wanted.lines) - {line.id for line in batch.lines_of(order.id)}
        if strangers:
            return NotFound(references=tuple(sorted(strangers)))
    if order.status not in ALLOCATABLE:
        return OrderNotInState(order=order.id, allowed=ALLOCATABLE)
    return None


def _open_order(
    batch: Batch,
    order: Order,
    status: AllocationStatus | None,
    wanted: Mapping[LineId, int | None] | None,
    terms: Terms,
) -> OpenOrder:
    """What the order looks for: its open units that are not set aside, or all of them where it is deallocated first."""
    starts_over = terms.starts_over and status is AllocationStatus.OVERALLOCATED
    claims = batch.claims_of(order.id)
    gives_back = _returned(claims) if starts_over else ()
    returned: Counter[LineId] = Counter()
    for take in gives_back:
        returned[take.line] += take.quantity
    sourcing = batch.sourcing_of(order.channel)
    held = _held_at(claims) if claims and not starts_over and not sourcing.split_lines else {}
    asks: list[Ask] = []
    parts: dict[LineId, Part] = {}
    not_asked_for = 0
    for line in batch.lines_of(order.id):
        kept = line.allocated - returned.get(line.id, 0)
        open_units = line.open
        target = _target(line, open_units, wanted, starts_over=starts_over)
        if target is not None:
            asks.append(Ask(line.id, line.item, max(0, target - kept), held.get(line.id, ())))
            if line.bundle is not None and wanted is None:  # who names lines wants them as they are
                parts[line.id] = Part(line.bundle, line.bundle_units, kept)
        not_asked_for += open_units - max(target or 0, kept)
    return OpenOrder(
        order=order.id,
        asks=tuple(asks),
        gives_back=gives_back,
        all_or_nothing=(terms.policy.shipping_policy or order.shipping_policy) is ShippingPolicy.SHIP_COMPLETE,
        not_asked_for=not_asked_for,
        sourcing=sourcing,
        ship_to=order.ship_to,
        parts=parts,
    )


def _returned(claims: Iterable[Claim]) -> tuple[Take, ...]:
    """What an overallocated order gives back before it is served anew."""
    return tuple(Take(one.line, one.item, one.location, units) for one in claims if (units := _given_back(one)))


def _given_back(claim: Claim) -> int:
    """All of it; of what is released, only what has no stock behind it and has not been fetched."""
    if claim.fulfillment_line is None:
        return claim.quantity
    return min(claim.overallocated, claim.quantity - claim.picked)


def _held_at(claims: Iterable[Claim]) -> dict[LineId, tuple[LocationId, ...]]:
    held: defaultdict[LineId, list[LocationId]] = defaultdict(list)
    for claim in claims:
        held[claim.line].append(claim.location)
    return {line: tuple(locations) for line, locations in held.items()}


def _target(
    line: OrderLine, open_units: int, wanted: Mapping[LineId, int | None] | None, *, starts_over: bool
) -> int | None:
    """Units of the line that shall be set aside when the run is over; None where the run does not look at the line."""
    if not open_units:
        return None
    if wanted is None:
        return open_units
    if line.id in wanted:
        units = wanted[line.id]
        return open_units if units is None else min(units, open_units)
    return line.allocated if starts_over and line.allocated else None


def _give_back_all(batch: Batch, order: OrderId, cause: AllocationCause) -> None:
    for claim in batch.claims_of(order):
        units = _given_back(claim)
        if units:
            batch.give_back(claim, units, AllocationEnd.DEALLOCATED, cause)


def _look_at(batch: Batch, demand: OpenOrder, terms: Terms) -> None:
    for ask in demand.asks:
        line = batch.lines[ask.line]
        if not line.looked_at:
            batch.change_line(replace(line, looked_at=True))
    batch.explain(demand.order, AllocationCause.RUN)
    batch.ask_at(demand.order, None if terms.locations is None else tuple(sorted(terms.locations)))


def _outcome(
    batch: Batch,
    index: int,
    demand: OpenOrder,
    decision: OrderPlan,
    before: AllocationStatus | None,
    *,
    each_line: bool,
) -> OrderOutcome:
    return OrderOutcome(
        index=index,
        order=demand.order,
        before=before,
        after=batch.status_of(demand.order),
        lines=_line_outcomes(demand, decision) if each_line else (),
        sourcing_capped=decision.sourcing_capped,
    )


def _line_outcomes(demand: OpenOrder, decision: OrderPlan) -> tuple[LineOutcome, ...]:
    taken: defaultdict[LineId, list[tuple[LocationId, int]]] = defaultdict(list)
    for take in decision.takes:
        taken[take.line].append((take.location, take.quantity))
    return tuple(
        LineOutcome(
            line=ask.line,
            item=ask.item,
            quantity=ask.quantity,
            allocated=ask.quantity - decision.short.get(ask.line, 0),
            locations=tuple(taken.get(ask.line, ())),
        )
        for ask in demand.asks
    )


def _deallocate(batch: Batch, index: int, reference: str, order_id: OrderId | None) -> OrderOutcome:
    if order_id is None or order_id not in batch.orders:
        return OrderOutcome(index=index, order=order_id, refusal=NotFound(references=(reference,)))
    order = batch.orders[order_id]
    if order.status not in ALLOCATABLE:
        return OrderOutcome(index=index, order=order_id, refusal=OrderNotInState(order=order_id, allowed=ALLOCATABLE))
    if any(claim.fulfillment_line is not None for claim in batch.claims_of(order_id)):
        return OrderOutcome(index=index, order=order_id, refusal=OrderAlreadyReleased(order=order_id))
    given_back: defaultdict[LineId, dict[LocationId, int]] = defaultdict(dict)
    for claim in batch.claims_of(order_id):
        locations = given_back[claim.line]
        locations[claim.location] = locations.get(claim.location, 0) + claim.quantity
    before = batch.status_of(order_id)
    _give_back_all(batch, order_id, AllocationCause.DEALLOCATED)
    for line in batch.lines_of(order_id):
        if line.looked_at:
            batch.change_line(replace(line, looked_at=False))
    batch.explain(order_id, AllocationCause.DEALLOCATED)
    return OrderOutcome(
        index=index,
        order=order_id,
        before=before,
        after=batch.status_of(order_id),
        lines=tuple(
            LineOutcome(
                line=line,
                item=batch.lines[line].item,
                quantity=sum(locations.values()),
                allocated=0,
                locations=tuple(locations.items()),
            )
            for line, locations in given_back.items()
        ),
    )
