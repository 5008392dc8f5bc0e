"""Draw docs/life-cycles.md from the domain: `.venv/bin/python docs/make_life_cycles.py`.

The life cycle of `status` is a table in the code. That of the allocation status is not: it is computed from quantities.
So its moves are found by trying: one operation after another, on two small orders that want the same SKU.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations, product
from pathlib import Path
from typing import TypeAlias

from domain.allocating import OrderToAllocate, allocate, deallocate
from domain.allocation import CartClaim, Claim, flags
from domain.batch import Batch
from domain.changes import Facts
from domain.errors import DomainError
from domain.events import AllocationStatusChanged
from domain.fulfillments import TRANSITIONS as SENDING
from domain.holding import expire
from domain.ids import (
    AllocationId,
    ItemId,
    LineId,
    LocationId,
    OrderId,
    ReservationId,
    ReservedLineId,
    Sku,
)
from domain.kinds import (
    AllocationCause,
    AllocationStatus,
    FulfillmentState,
    MovementCause,
    OrderStatus,
    PaymentStatus,
    ReservationState,
    ReturnState,
    ShippingPolicy,
    SupplyState,
)
from domain.ordering import Edit, edit, finalize, void
from domain.orders import (
    ALLOCATABLE,
    EDITABLE,
    TRANSITIONS,
    NewLine,
    NewOrder,
    Order,
    OrderLine,
    OrderTerms,
    allocation_status,
    states_that_allow,
)
from domain.payments import TRANSITIONS as PAYMENT_TRANSITIONS
from domain.reservations import TRANSITIONS as ENDINGS
from domain.reservations import Reservation
from domain.reserving import release, take_over
from domain.returns import TRANSITIONS as COMING_BACK
from domain.splitting import Part, split
from domain.stock import Location, StockLevel
from domain.stocking import StockChange, apply, receive
from domain.supply import TRANSITIONS as SUPPLY_TRANSITIONS

PAGE = Path(__file__).with_name("life-cycles.md")
STEPS_MAX = 3
"""Operations in a row. A fourth finds nothing that three have not found."""

Status: TypeAlias = AllocationStatus | None
Edges: TypeAlias = Mapping[tuple[Status, Status], list[AllocationCause]]
Operation: TypeAlias = Callable[[Batch], object]

SKU, CHAIR, LEEDS = Sku("CHAIR"), ItemId(1), LocationId(1)
MINE, YOURS, PART, CART = OrderId(1), OrderId(2), OrderId(3), ReservationId(1)
QUANTITIES = range(3)
"""Of a line: none, one, and more than one."""
ON_HAND = range(4)


# ---------------------------------------------------------------- finding the edges


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Two orders, the stock they compete for, and what is set aside; the claims stand oldest first."""

    orders: tuple[Order, ...]
    lines: tuple[OrderLine, ...]
    claims: tuple[Claim, ...]
    level: StockLevel

    def batch(self) -> Batch:
        return Batch(
            Facts(
                locations={LEEDS: Location(id=LEEDS, code="LEEDS", name="Leeds")},
                skus={CHAIR: SKU},
                levels=[self.level],
                orders=self.orders,
                lines=self.lines,
                claims=self.claims,
            )
        )


def allocation_edges(steps: int = STEPS_MAX) -> Edges:
    """From which allocation status to which, and the causes that the events give."""
    found: defaultdict[tuple[Status, Status], set[AllocationCause]] = defaultdict(set)
    frontier = set(_beginnings())
    seen = set(frontier)
    for _ in range(steps):
        reached: set[World] = set()
        for world in frontier:
            for operation in _operations(world):
                after, events = _do(world, operation)
                for event in events:
                    found[event.before, event.after].add(event.cause)
                if after:
                    reached.add(after)
        frontier = reached - seen
        seen |= frontier
    for event in (*_events_of_carts(), *_events_of_splits(seen)):
        found[event.before, event.after].add(event.cause)
    return {edge: [cause for cause in AllocationCause if cause in found[edge]] for edge in _in_order(found)}


def _in_order(edges: Mapping[tuple[Status, Status], object]) -> list[tuple[Status, Status]]:
    rank = [*AllocationStatus, None]
    return sorted(edges, key=lambda edge: (rank.index(edge[0]), rank.index(edge[1])))


def _beginnings() -> Iterator[World]:
    """Placed just now; and where it can be, allocated, either order first."""
    for status, priority, units in product((OrderStatus.DRAFT, OrderStatus.FINALIZED), (0, 1), ON_HAND):
        placed = World(
            orders=(_order(MINE, status, priority), _order(YOURS, OrderStatus.FINALIZED, 0)),
            lines=(_line(1, MINE, 1), _line(2, MINE, 1), _line(3, YOURS, 2)),
            claims=(),
            level=StockLevel(item=CHAIR, location=LEEDS, on_hand=units, version=1),
        )
        yield placed
        for sequence in permutations((MINE, YOURS)):
            run = [OrderToAllocate(reference="", order=order) for order in sequence]
            allocated, _ = _do(placed, partial(allocate, wanted=run))
            if allocated:
                yield allocated


def _order(order: OrderId, status: OrderStatus, priority: int) -> Order:
    return Order(
        id=order,
        number=str(order),
        channel="SHOP",
        status=status,
        allocation_status=AllocationStatus.UNALLOCATED,
        shipping_policy=ShippingPolicy.SHIP_AVAILABLE,
        priority=priority,
        version=1,
    )


def _line(line: int, order: OrderId, quantity: int) -> OrderLine:
    return OrderLine(id=LineId(line), order=order, item=CHAIR, sku=SKU, quantity=quantity)


def _operations(world: World) -> Iterator[Operation]:
    """What can be asked for; what is refused leads nowhere."""
    for order in world.orders:
        yield partial(allocate, wanted=[OrderToAllocate(reference="", order=order.id)])
        yield partial(deallocate, orders=[("", order.id)])
        yield partial(void, order_id=order.id, reason="")
        other_priority = OrderTerms(priority=1 - order.priority)
        yield partial(edit, order_id=order.id, edit=Edit(terms=other_priority), lines=[], items={})
        for line, units in product((line.id for line in world.lines if line.order == order.id), QUANTITIES):
            yield partial(edit, order_id=order.id, edit=Edit(quantities=((line, units),)), lines=[], items={})
    for order in world.orders:
        if order.status in ALLOCATABLE:
            yield partial(expire, order=order.id)
    yield partial(finalize, order_id=MINE)
    yield partial(receive, location=LEEDS, quantities={CHAIR: 1}, reference=None)
    for units in ON_HAND:
        change = StockChange(item=CHAIR, location=LEEDS, counted=units)
        yield partial(
            apply, changes=[change], movement=MovementCause.COUNT, cause=AllocationCause.STOCK_ADJUSTED, reference=None
        )
    back = [StockChange(item=CHAIR, location=LEEDS, delta=1)]
    yield partial(apply, changes=back, movement=MovementCause.RETURNED, cause=AllocationCause.RETURNED, reference=None)
    for units, movement in ((-1, MovementCause.TRANSFER_OUT), (1, MovementCause.TRANSFER_CANCELED)):
        change = StockChange(item=CHAIR, location=LEEDS, delta=units)
        cause = AllocationCause.STOCK_TRANSFERRED
        yield partial(apply, changes=[change], movement=movement, cause=cause, reference=None)


def _do(world: World, operation: Operation) -> tuple[World | None, list[AllocationStatusChanged]]:
    """The world after one commit, and what its events say; None where it grew beyond what is tried."""
    batch = world.batch()
    try:
        events = _events(batch, operation)
    except DomainError:
        return None, []
    level = replace(batch.levels[CHAIR, LEEDS], version=1)
    claims = sorted(batch.claims.values(), key=lambda claim: claim.id)
    after = World(
        orders=tuple(replace(order, version=1) for order in batch.orders.values()),
        lines=tuple(batch.lines.values()),
        claims=tuple(replace(claim, id=AllocationId(number)) for number, claim in enumerate(claims, start=1)),
        level=level,
    )
    return (after if level.on_hand in ON_HAND else None), events


def _events_of_splits(worlds: Iterable[World]) -> Iterator[AllocationStatusChanged]:
    """A unit of a line becomes an order of its own."""
    new = NewOrder(channel="SHOP", number="1-1", lines=(NewLine(sku=SKU, quantity=1),))
    for world, order in ((one, order) for one in worlds for order in one.orders if order.status in EDITABLE):
        lines = [line for line in world.lines if line.order == order.id and line.open]
        if sum(line.open for line in lines) > 1:
            for line in lines:
                part = Part(line=line.id, quantity=1, to=LineId(4))
                operation = partial(split, order=order.id, to=PART, new=replace(new, status=order.status), parts=[part])
                yield from _events(world.batch(), operation)


def _events_of_carts() -> Iterator[AllocationStatusChanged]:
    """A cart and an order hold units of the SKU; then the cart is released, or becomes an order."""
    for units, reserved, wanted, priority, first in product(ON_HAND, (1, 2), (1, 2, 3), (0, 1), (1, 3)):
        yield from _events(_with_a_cart(units, reserved, first), partial(release, reservation=CART))
        placed = _with_a_cart(units, reserved, first)
        placed.learn(Facts(orders=[_order(MINE, OrderStatus.FINALIZED, priority)], lines=[_line(1, MINE, wanted)]))
        yield from _events(placed, partial(take_over, reservation=CART, order=MINE))


def _with_a_cart(on_hand: int, reserved: int, first: int) -> Batch:
    """`first`: the number of the cart's claim; that of the order is 2."""
    level = StockLevel(item=CHAIR, location=LEEDS, on_hand=on_hand, committed=reserved + 1, version=1)
    level = replace(level, flagged=level.overallocated)
    order = Claim(id=AllocationId(2), order=YOURS, line=LineId(3), item=CHAIR, location=LEEDS, quantity=1)
    cart = CartClaim(
        id=AllocationId(first),
        reservation=CART,
        reserved_line=ReservedLineId(1),
        item=CHAIR,
        location=LEEDS,
        quantity=reserved,
    )
    flagged = flags((order, cart), level.overallocated)
    claims = [replace(claim, overallocated=flagged.get(claim.id, 0)) for claim in (order, cart)]
    line = replace(_line(3, YOURS, 1), allocated=1, overallocated=claims[0].overallocated)
    status = allocation_status(OrderStatus.FINALIZED, [line])
    return Batch(
        Facts(
            locations={LEEDS: Location(id=LEEDS, code="LEEDS", name="Leeds")},
            skus={CHAIR: SKU},
            levels=[level],
            orders=[replace(_order(YOURS, OrderStatus.FINALIZED, 0), allocation_status=status)],
            lines=[line],
            claims=claims,
            reservations=[Reservation(id=CART, state=ReservationState.ACTIVE)],
        )
    )


def _events(batch: Batch, operation: Operation) -> list[AllocationStatusChanged]:
    operation(batch)
    return [event for event in batch.changes().events if isinstance(event, AllocationStatusChanged)]


# ---------------------------------------------------------------- the page


def page() -> str:
    parts = (
        *(_introduction(), _statuses(), _allocation_statuses(), _payment_statuses(), _holds()),
        *(_fulfillments(), _returns(), _reservations(), _supplies()),
    )
    return "\n".join(line for part in parts for line in (*part, ""))


def _introduction() -> list[str]:
    return [
        "# Life cycles",
        "",
        "`docs/make_life_cycles.py` writes this page from the code, and a test holds that the two agree. Change the",
        "code, then run the script; do not edit the page.",
        "",
        "An order has three states that move on their own: its `status`, which the merchant decides, its allocation",
        "status, which follows from what is set aside, and its payment status, which follows from what was paid. Holds",
        "stand beside them. A cart's stock reservation has one.",
    ]


def _statuses() -> list[str]:
    edges = [(before, name, after) for before, moves in TRANSITIONS.items() for name, after in moves.items()]
    reached = {after for _, _, after in edges} | {OrderStatus.DRAFT, OrderStatus.FINALIZED}
    return [
        "## Status",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> DRAFT: placeOrder with draft",
        "    [*] --> FINALIZED: placeOrder",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        *(f"    {status} --> [*]" for status in OrderStatus if status in reached and not TRANSITIONS[status]),
        "```",
        "",
        "The table is `domain.orders.TRANSITIONS`, with `EDITABLE` and `ALLOCATABLE` beside it. What it does not",
        "allow is refused with `OrderNotInState`, which names the states that would.",
        "",
        *_table(
            ["Status", *_by_operation()],
            [[status, *(_cell(status, name) for name in _by_operation())] for status in OrderStatus],
        ),
        "",
        *(f"Nothing leads to `{status}` yet." for status in OrderStatus if status not in reached),
    ]


def _by_operation() -> dict[str, tuple[OrderStatus, ...]]:
    """The operations on an order, each with the statuses that allow it."""
    moves = dict.fromkeys(name for edges in TRANSITIONS.values() for name in edges)
    return {name: states_that_allow(name) for name in moves} | {
        "editOrder": EDITABLE,
        "splitOrder": EDITABLE,
        "allocateOrders": ALLOCATABLE,
        "deallocateOrders": ALLOCATABLE,
    }


def _cell(status: OrderStatus, operation: str) -> str:
    if status not in _by_operation()[operation]:
        return "refused"
    target = TRANSITIONS[status].get(operation)
    return f"→ {target}" if target else "allowed"


PICTURES: Mapping[str, tuple[AllocationCause, ...]] = {
    "Runs, and giving back": (AllocationCause.RUN, AllocationCause.DEALLOCATED, AllocationCause.UNPAID),
    "Carts become orders, or end": (AllocationCause.STOCK_RESERVATION,),
    "Stock moves": (
        AllocationCause.STOCK_RECEIVED,
        AllocationCause.STOCK_ADJUSTED,
        AllocationCause.STOCK_TRANSFERRED,
        AllocationCause.RETURNED,
    ),
    "Orders are split": (AllocationCause.SPLIT,),
    "Orders change": (AllocationCause.EDITED, AllocationCause.CANCELED, AllocationCause.OTHER),
}
"""One picture of all the moves would be a tangle."""


def _allocation_statuses() -> list[str]:
    edges = allocation_edges()
    used = {cause for causes in edges.values() for cause in causes}
    return [
        "## Allocation status",
        "",
        "No table lists these moves. `domain.orders.allocation_status` computes the status from the open lines of",
        "the order, and every commit that touches an order computes it anew. The script finds the moves by trying:",
        f"up to {STEPS_MAX} operations in a row on two small orders that want the same SKU, a split after them, and",
        "the end of a cart that holds it. So a move may come from what is done to the order, to the stock, to the",
        "other order or to the cart.",
        "The label is the `cause` of the event `AllocationStatusChanged`.",
        "",
        "An order is placed as `UNALLOCATED`. `nothing_open` stands for null: every unit is shipped, dropshipped or",
        "canceled, or the order is void.",
        "",
        *(line for title, causes in PICTURES.items() for line in _picture(title, causes, edges)),
        "### All moves",
        "",
        *_table(
            ["Before", "After", "Causes"],
            [[_state(before), _state(after), ", ".join(causes)] for (before, after), causes in edges.items()],
        ),
        "",
        "The script works on no warehouse floor. Causes that only what happens there gives, or nothing:",
        f"{', '.join(cause for cause in AllocationCause if cause not in used)}.",
    ]


def _payment_statuses() -> list[str]:
    edges = [
        (before, name, after)
        for before, moves in PAYMENT_TRANSITIONS.items()
        for name, targets in moves.items()
        for after in targets
    ]
    operations = ("recordPayment", "recordRefund")
    return [
        "## Payment status",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {PaymentStatus.UNPAID}: placeOrder",
        f"    [*] --> {PaymentStatus.PARTIALLY_PAID}: placeOrder with payments",
        f"    [*] --> {PaymentStatus.PAID}: placeOrder with payments, or of nothing that has a price",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        "```",
        "",
        "The table is `domain.payments.TRANSITIONS`; the amounts decide between its targets.",
        "`domain.payments.payment_status` computes the status, in every commit after which an order may come to",
        "another amount: so `editOrder`, `voidOrder` and `splitOrder` move it, too. A refund from an order of which",
        "nothing is kept is refused with `RefundExceedsPayments`.",
        "",
        *_table(
            ["Payment status", *operations],
            [
                [status, *(_targets(PAYMENT_TRANSITIONS[status].get(name, ())) for name in operations)]
                for status in PaymentStatus
            ],
        ),
    ]


def _targets(targets: tuple[PaymentStatus, ...]) -> str:
    return " or ".join(f"→ {target}" for target in targets) or "refused"


def _holds() -> list[str]:
    return [
        "## Holds",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> active: holdOrders, a hold rule",
        "    [*] --> active: not paid in time (AWAITING_PAYMENT)",
        "    [*] --> active: cancelFulfillment in a channel that releases by itself (FULFILLMENT_CANCELED)",
        "    active --> ended: releaseHolds, voidOrder",
        "    active --> ended: paid in full (AWAITING_PAYMENT)",
        "    ended --> [*]",
        "```",
        "",
        "An order has at most one active hold of a reason: holding it for the same again changes nothing. A hold ends",
        "once. Holds never stop allocation.",
    ]


def _reservations() -> list[str]:
    edges = [(before, name, after) for before, moves in ENDINGS.items() for name, after in moves.items()]
    return [
        "## Stock reservation",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> ACTIVE: reserveStock",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        *(f"    {state} --> [*]" for state in ReservationState if not ENDINGS[state]),
        "```",
        "",
        "The table is `domain.reservations.TRANSITIONS`. A reservation ends once; what comes later is refused with",
        "`ReservationEnded`. Its time is over by the database's clock, also before a worker has given its units back.",
    ]


def _supplies() -> list[str]:
    edges = [(before, name, after) for before, moves in SUPPLY_TRANSITIONS.items() for name, after in moves.items()]
    return [
        "## Supplies",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {SupplyState.EXPECTED}: expectSupply, startTransfer",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        *(f"    {state} --> [*]" for state in SupplyState if not SUPPLY_TRANSITIONS[state]),
        "```",
        "",
        "The table is `domain.supply.TRANSITIONS`. `receiveStock` moves a supply once nothing of it is open, and",
        "leaves it until then. What the table does not allow is refused with `SupplyNotInState`.",
    ]


def _fulfillments() -> list[str]:
    edges = [(before, name, after) for before, moves in SENDING.items() for name, after in moves.items()]
    return [
        "## Fulfillment",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {FulfillmentState.RELEASED}: releaseOrders, dropshipOrder, recordPicks",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        *(f"    {state} --> [*]" for state in FulfillmentState if not SENDING[state]),
        "```",
        "",
        "The table is `domain.fulfillments.TRANSITIONS`. What it does not allow is refused with",
        "`FulfillmentNotInState`. Beside the table: `RELEASED` goes straight to `SHIPPED` where a supplier sends the",
        "goods, and only there; units that fail the quality check send a fulfillment back to `PICKING`; it is canceled",
        "when nothing is left to send; and where a location asks for the check, `PICKED` is not packed without it.",
        "",
        "## Fulfillment status",
        "",
        "An order's `fulfillmentStatus` is computed by `domain.fulfillments.fulfillment_status` from its fulfillments",
        "and what of its lines was not canceled: `DELIVERED` or `SHIPPED` once all of it is, `PARTIALLY_SHIPPED` once",
        "any of it is; otherwise what its fulfillments under way have in common, and `PICKING` where they differ.",
        "With `DELIVERED` comes the order's status `FULFILLED`.",
    ]


def _returns() -> list[str]:
    edges = [(before, name, after) for before, moves in COMING_BACK.items() for name, after in moves.items()]
    operations = tuple(dict.fromkeys(name for _, name, _ in edges))
    return [
        "## Return",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {ReturnState.REQUESTED}: requestReturn",
        *(f"    {before} --> {after}: {name}" for before, name, after in edges),
        *(f"    {state} --> [*]" for state in ReturnState if not COMING_BACK[state]),
        "```",
        "",
        "The table is `domain.returns.TRANSITIONS`; `domain.returns.state_of` computes the state from the lines. What",
        "the table does not allow is refused with `ReturnNotInState`. Beside the table: a return of which something is",
        "still to come, or came and has not been inspected, stays `RECEIVED`; and where nothing is still to come, a",
        "`RECEIVED` return is neither received nor canceled again. A return moves no state of its order: what was",
        "delivered stays delivered, and the order `FULFILLED`.",
        "",
        *_table(
            ["State", *operations], [[state, *(_back(state, name) for name in operations)] for state in ReturnState]
        ),
    ]


def _back(state: ReturnState, operation: str) -> str:
    target = COMING_BACK[state].get(operation)
    return f"→ {target}" if target else "refused"


def _picture(title: str, shown: tuple[AllocationCause, ...], edges: Edges) -> Iterator[str]:
    yield from (f"### {title}", "", "```mermaid", "stateDiagram-v2")
    for (before, after), causes in edges.items():
        label = ", ".join(cause for cause in causes if cause in shown)
        if label:
            yield f"    {_state(before)} --> {_state(after)}: {label}"
    yield from ("```", "")


def _state(status: Status) -> str:
    return status.value if status else "nothing_open"


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    return [_row(headings), _row(["---"] * len(headings)), *map(_row, rows)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
