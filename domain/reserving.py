"""Reserve, release, expire and take over: what becomes of a cart's units."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from domain.allocation import Ask, OpenOrder, StockView, plan
from domain.batch import Batch
from domain.errors import InsufficientStock, ReservationEnded, Shortage
from domain.ids import AllocationId, ItemId, LineId, LocationId, OrderId, ReservationId, ReservedLineId
from domain.kinds import AllocationCause, AllocationEnd, ReservationState
from domain.orders import OrderLine
from domain.reservations import NewReservation, Reservation, ReservedLine
from domain.sourcing import Sourcing

CAUSE = AllocationCause.STOCK_RESERVATION


def reserve(
    batch: Batch,
    reservation: ReservationId,
    ids: Iterable[ReservedLineId],
    wanted: Mapping[ItemId, int],
    expires_in_seconds: int,
    ranks: Mapping[LocationId, int],
    channel: str | None = None,
) -> None:
    """Set the units of a cart aside, all of them or none.

    `ranks`: the locations that may be used. `channel`: the cart is its, and is served as its orders are; None: by rank.

    Raises InsufficientStock that names every SKU of which there is too little.
    """
    lines = tuple(
        ReservedLine(id=line, reservation=reservation, item=item, quantity=quantity)
        for line, (item, quantity) in zip(ids, wanted.items(), strict=True)
    )
    sourcing = batch.sourcing_of(channel)
    # A plan is for orders; to it, a cart is one more.
    asks = tuple(Ask(LineId(line.id), line.item, line.quantity) for line in lines)
    demand = OpenOrder(order=OrderId(reservation), asks=asks, sourcing=sourcing)
    (decision,) = plan([demand], StockView(batch.levels_of(wanted), ranks, batch.locations)).orders
    if decision.short:
        raise InsufficientStock(
            shortages=_shortages(batch, [line for line in lines if LineId(line.id) in decision.short], ranks, sourcing)
        )
    made = Reservation(id=reservation, state=ReservationState.ACTIVE)
    new = NewReservation(reservation=made, lines=lines, expires_in_seconds=expires_in_seconds, channel=channel)
    batch.reserve(new, decision.takes)


def release(batch: Batch, reservation: ReservationId) -> None:
    """Give a cart's units back. Raises ReservationEnded."""
    _end(batch, require_active(batch, reservation), ReservationState.RELEASED, AllocationEnd.RELEASED)


def expire(batch: Batch, reservations: Iterable[ReservationId]) -> int:
    """Give back the units of those whose time is over; how many were. One that has ended otherwise stays as it is."""
    due = [
        reservation
        for one in reservations
        if (reservation := batch.reservations[one]).state is ReservationState.ACTIVE and reservation.is_due
    ]
    for reservation in due:
        _end(batch, reservation, ReservationState.EXPIRED, AllocationEnd.EXPIRED)
    return len(due)


def take_over(batch: Batch, reservation: ReservationId, order: OrderId) -> None:
    """A cart becomes an order: its units go to the order's lines as far as these want them, the rest is given back.

    What the order wants beyond them is not looked for; its lines count as looked at. Raises ReservationEnded.
    """
    ended = require_active(batch, reservation)
    held: defaultdict[ItemId, deque[AllocationId]] = defaultdict(deque)
    for claim in batch.claims_of_reservation(reservation):
        held[claim.item].append(claim.id)
    for line in batch.lines_of(order):
        batch.change_line(replace(line, looked_at=True))
        _serve(batch, line, held[line.item])
    batch.explain(order, CAUSE)
    _end(batch, replace(ended, order=order), ReservationState.TAKEN_OVER, AllocationEnd.RELEASED)


def require_active(batch: Batch, reservation: ReservationId) -> Reservation:
    """The reservation, if its units can still be given to somebody. Raises ReservationEnded."""
    found = batch.reservations[reservation]
    if found.state_now is not ReservationState.ACTIVE:
        raise ReservationEnded(reservation=reservation, state=found.state_now)
    return found


def _serve(batch: Batch, line: OrderLine, held: deque[AllocationId]) -> None:
    """Hand the oldest of what is held over to the line, until it wants no more."""
    wanted = line.open - line.allocated
    while wanted and held:
        claim = batch.claims[held[0]]
        units = min(wanted, claim.quantity)
        batch.hand_over(claim, line.id, units, CAUSE)
        wanted -= units
        if units == claim.quantity:
            held.popleft()


def _end(batch: Batch, reservation: Reservation, state: ReservationState, reason: AllocationEnd) -> None:
    for claim in batch.claims_of_reservation(reservation.id):
        batch.give_back(claim, claim.quantity, reason, CAUSE)
    batch.end_reservation(replace(reservation, state=state))


def _shortages(
    batch: Batch, short: Sequence[ReservedLine], ranks: Mapping[LocationId, int], sourcing: Sourcing
) -> tuple[Shortage, ...]:
    """What there is of each SKU: over all the locations that may be used, or at one where a line is not split."""
    return tuple(_shortage(batch, line, ranks, sourcing) for line in short)


def _shortage(batch: Batch, line: ReservedLine, ranks: Mapping[LocationId, int], sourcing: Sourcing) -> Shortage:
    usable = ranks.keys() if sourcing.locations is None else ranks.keys() & sourcing.locations
    levels = [level for level in batch.levels_of([line.item]) if level.location in usable]
    available = [level.available for level in levels]
    return Shortage(
        sku=batch.skus[line.item],
        location=None,
        requested=line.quantity,
        on_hand=sum(level.on_hand for level in levels),
        available=sum(available) if sourcing.split_lines else max(available, default=0),
    )
