"""Any sequence of requests, also several at once, on a real PostgreSQL: answers and rows are those of a model.

After every step: rows equal the model (I13, I16), and what `tests.services.always` says of them is true (I1 to I5, I9
to I11, I14, I15); a key that comes again is answered as before and changes nothing (I7), undo twice is undo once (I14).
Requests that come together are answered as if they had come one after the other (I12). At the end of each example
everything that `dibs verify` knows holds.

DIBS_PROOF=full looks much deeper. A new operation: a method of `Model`, a rule here that makes it a `Request`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from domain.allocating import OrderOutcome
from domain.allocation import Policy
from domain.errors import DomainError
from domain.ids import BundleId, FulfillmentId, LineId, OrderId, ParcelId, ReservationId, ReturnId, ReturnLineId, Sku
from domain.kinds import AdjustmentReason, OrderStatus, ShippingPolicy, StockQuantity
from domain.orders import NewLine, NewOrder, OrderTerms
from domain.stocking import StockOutcome
from persistence.database import PostgresDatabase, connect
from persistence.verify import verify
from services.allocation import (
    AllocateOrder,
    AllocateOrders,
    DeallocateOrders,
    LineToAllocate,
    RunOutcome,
    allocate_orders,
    deallocate_orders,
)
from services.bundles import BundleQuantity, LineQuantity
from services.desk import Desk
from services.fulfillments import Released
from services.holds import HoldsDone
from services.orders import EditOrder, edit_order, finalize_order, place_order, void_order
from services.reservations import (
    ReservationDone,
    ReservedUnits,
    ReserveStock,
    expire_reservations,
    release_reservation,
    reserve_stock,
)
from services.splitting import SplitLine, SplitOrder, split_order
from services.stock import (
    AdjustedLine,
    AdjustStock,
    CountedLine,
    CountStock,
    ReceivedLine,
    ReceiveStock,
    adjust_stock,
    count_stock,
    receive_stock,
)
from services.supplies import (
    CancelSupply,
    CloseSupply,
    ReceiveSupply,
    StartTransfer,
    cancel_supply,
    close_supply,
    receive_supply,
    start_transfer,
)
from tests.builders import NOON, a_bundle, a_catalog, a_key, by_id, by_reference, cart_by_id, clock, run_out
from tests.conftest import WIPE
from tests.services.always import LEDGER, Always, Rows
from tests.services.counter import BACK, ReturnCounter
from tests.services.model import BUNDLES, Model, Order, Told
from tests.services.reviewer import HOLDS, Reviewer
from tests.services.warehouse import (
    CALLER,
    CHECKING,
    FAR,
    GOODS,
    HOME,
    PLACES,
    SKUS,
    SOME,
    WHICH,
    Warehouse,
    a_warehouse,
)
from tests.sizes import FULL

EXAMPLES, STEPS = (300, 50) if FULL else (12, 20)

A_SKU, A_PLACE, UNITS, PRIORITY = st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(1, 5), st.integers(-1, 1)
POLICY, QUANTITY = st.sampled_from(ShippingPolicy), st.sampled_from(StockQuantity)
LINES = st.lists(st.tuples(A_SKU, UNITS), min_size=1, max_size=4)
BOUGHT = st.one_of(st.tuples(A_SKU, UNITS), st.tuples(st.sampled_from(sorted(BUNDLES)), st.integers(1, 3)))
CART = st.lists(BOUGHT, min_size=1, max_size=4)
OFTEN_FAR = st.sampled_from((*FAR, *FAR[-1:] * 4))
"""There are few steps, and only what has left can come back."""
DEED = st.sampled_from(
    (
        "edit",
        "allocate",
        "deallocate",
        "split",
        "void",
        "finalize",
        "release_orders",
        "dropship",
        "cancel_one",
        "ship_one",
        "hold",
        "lift",
    )
)

LEVELS = """
    SELECT i.sku, l.code, s.on_hand, s.damaged, s.quality_control, s.safety_stock, s.committed, s.flagged, s.picked
    FROM stock_levels s JOIN items i ON i.id = s.item_id JOIN locations l ON l.id = s.location_id
    """
ORDERS = "SELECT number, status, allocation_status, shipping_policy, priority, fulfillment_status FROM orders"
ORDER_LINES = """
    SELECT o.number, l.position, i.sku, l.quantity, l.canceled, l.looked_at, l.shipped, l.dropshipped, l.allocated,
           l.overallocated, l.bundle_id, coalesce(l.bundle_units, 0)
    FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN items i ON i.id = l.item_id
    """
CARTS = """
    SELECT 'cart ' || row_number() OVER (ORDER BY r.id) AS cart, r.id, r.state, o.number
    FROM stock_reservations r LEFT JOIN orders o ON o.id = r.order_id ORDER BY r.id
    """
CART_LINES = f"""
    SELECT c.cart, row_number() OVER (PARTITION BY l.reservation_id ORDER BY l.id) - 1 AS position,
        i.sku, l.quantity, l.id
    FROM reserved_lines l JOIN ({CARTS}) c ON c.id = l.reservation_id JOIN items i ON i.id = l.item_id
    """  # noqa: S608
TRANSFERS = """
    SELECT s.reference, s.state, f.code, t.code FROM supplies s
    JOIN locations f ON f.id = s.from_location_id JOIN locations t ON t.id = s.location_id
    """
TRANSFER_LINES = """
    SELECT s.reference, i.sku, l.quantity, l.received, l.canceled, l.lost
    FROM supply_lines l JOIN supplies s ON s.id = l.supply_id JOIN items i ON i.id = l.item_id
    """
CLAIMS = f"""
    SELECT coalesce(o.number, c.cart), coalesce(l.position, c.position), p.code, a.quantity, a.overallocated, a.picked,
           f.fulfillment_id
    FROM allocations a LEFT JOIN order_lines l ON l.id = a.line_id LEFT JOIN orders o ON o.id = l.order_id
    LEFT JOIN ({CART_LINES}) c ON c.id = a.reserved_line_id
    LEFT JOIN fulfillment_lines f ON f.id = a.fulfillment_line_id
    JOIN locations p ON p.id = a.location_id ORDER BY a.id
    """  # noqa: S608
IDS = (
    "SELECT o.number, o.id, l.id, l.bundle_id FROM orders o JOIN order_lines l ON l.order_id = o.id ORDER BY l.position"
)
STOCK, PROMISED = (LEVELS, ORDERS, ORDER_LINES, CLAIMS, LEDGER), (CARTS, CART_LINES, TRANSFERS, TRANSFER_LINES)
READ = (*STOCK, *PROMISED, *GOODS, *BACK, HOLDS)
"""What `Rows` begins with."""


@dataclass(frozen=True)
class Request:
    """One request: how it is sent under a key, and what the model does and says."""

    send: Callable[[Desk, str], Awaitable[Any]]
    expected: Callable[[Model], Told]


class Shop(Warehouse, ReturnCounter, Reviewer, RuleBasedStateMachine):
    """A merchant who does what happens to come to mind."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model(PLACES, checking=CHECKING)
        self.always = Always()
        self.ids: dict[str, OrderId] = {}
        self.line_ids: dict[str, list[LineId]] = {}
        self.bundle_ids: dict[str, list[BundleId | None]] = {}
        self.carts: dict[str, ReservationId] = {}
        self.sent: list[FulfillmentId] = []
        self.parcels: dict[FulfillmentId, list[ParcelId]] = {}
        self.backs: list[tuple[ReturnId, list[ReturnLineId]]] = []
        self.picked: list[str] = []
        self.moments: list[datetime] = []
        self.waiting: list[Request] = []
        self.asked: list[tuple[Request, str, Told]] = []
        self.numbers = count(1)
        self.is_sound = True
        self.engine = connect(self.url, pool_size=2)
        self.database = PostgresDatabase(self.engine)
        self.runner.run(self._open())

    async def _open(self) -> None:
        async with self.engine.begin() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection
            await raw.driver_connection.execute(WIPE)
        await a_catalog(self.database, CALLER, {(sku, place): 0 for place in PLACES for sku in SKUS})
        for bundle, parts in BUNDLES.items():
            await a_bundle(self.database, bundle, parts)
        await a_warehouse(self.database)
        items, places = await self._read("SELECT id, sku FROM items", "SELECT id, code FROM locations")
        self.sku_of, self.place_of = dict(items), dict(places)

    def teardown(self) -> None:
        """Where a step has failed, it is that step which tells what is wrong."""
        try:
            if self.is_sound:
                self.flush()
                assert self.runner.run(verify(self.engine)) == []
        finally:
            self.runner.run(self.engine.dispose())
            self.runner.close()

    # ------------------------------------------------------------ what is asked for

    @initialize(first=st.lists(CART, min_size=2, max_size=4), units=st.integers(4, 9), which=WHICH, far=OFTEN_FAR)
    def open(self, first, units, which, far):
        """Some stock, and orders that hold it, some of which the warehouses have begun with."""
        self.receive("LEEDS", [("CHAIR", units), ("TABLE", 3)], together=False)
        self.look_at_the_clock()
        self.receive("YORK", [("CHAIR", 2), ("LAMP", units)], together=False)
        for lines in first:
            self.place(lines, ShippingPolicy.SHIP_AVAILABLE, 0, draft=False, again=False, together=False)
        self.allocate(list(range(len(first))), None, together=False)
        self.release_orders(list(range(1, len(first))), together=False)
        if self.model.fulfillments:
            self.go_on(which, far)

    @rule(place=A_PLACE, lines=LINES, together=st.booleans())
    def receive(self, place, lines, together):
        command = ReceiveStock(location=place, lines=tuple(ReceivedLine(sku=sku, quantity=n) for sku, n in lines))
        self.ask(
            lambda desk, key: receive_stock(desk, CALLER, command, key),
            lambda model: model.receive(place, lines),
            together=together,
        )

    @rule(
        place=A_PLACE,
        lines=st.lists(st.tuples(A_SKU, st.integers(-4, 2)), min_size=1, max_size=3),
        quantity=QUANTITY,
        together=st.booleans(),
    )
    def correct(self, place, lines, quantity, together):
        wanted = tuple(AdjustedLine(sku=sku, delta=units) for sku, units in lines)
        self.adjust(place, quantity, wanted, lambda model: model.correct(place, quantity, lines), together=together)

    @rule(place=A_PLACE, sku=A_SKU, units=st.integers(0, 6), quantity=QUANTITY, together=st.booleans())
    def count(self, place, sku, units, quantity, together):
        wanted = (AdjustedLine(sku=sku, counted=units),)
        self.adjust(place, quantity, wanted, lambda model: model.count(place, quantity, sku, units), together=together)

    @rule()
    def look_at_the_clock(self):
        self.flush()
        self.moments.append(self.runner.run(clock(self.database)))
        self.model.now += 1

    @precondition(lambda self: self.moments)
    @rule(
        place=A_PLACE,
        which=st.integers(0, 3),
        units=st.dictionaries(A_SKU, st.integers(0, 9), min_size=1, max_size=2),
        together=st.booleans(),
    )
    def count_then(self, place, which, units, together):
        moment = len(self.moments) - which % len(self.moments)
        lines = tuple(CountedLine(sku=sku, counted=counted) for sku, counted in units.items())
        command = CountStock(location=place, counted_at=self.moments[moment - 1], lines=lines)
        self.ask(
            lambda desk, key: count_stock(desk, CALLER, command, key),
            lambda model: model.count_then(place, moment, units),
            together=together,
        )

    @precondition(lambda self: self.model.claims)
    @rule(which=st.integers(0, 50), units=st.integers(0, 2))
    def lose(self, which, units):
        """Stock goes from under a claim."""
        sku, place = self.model.key_of(self.model.claims[which % len(self.model.claims)])
        self.count(place, sku, units, StockQuantity.ON_HAND, together=False)

    def adjust(self, place, quantity, lines, expected, *, together):
        command = AdjustStock(location=place, lines=lines, reason=AdjustmentReason.COUNT, quantity=quantity)
        self.ask(lambda desk, key: adjust_stock(desk, CALLER, command, key), expected, together=together)

    @rule(
        ends=st.permutations(PLACES), lines=LINES, again=st.sampled_from((False, False, True)), together=st.booleans()
    )
    def send(self, ends, lines, again, together):
        """`again`: under a reference that is taken."""
        name = next(iter(self.model.transfers), "T1") if again else f"T{next(self.numbers)}"
        command = StartTransfer(
            reference=name,
            from_location=ends[0],
            to_location=ends[1],
            expected_at=NOON,
            lines=tuple(ReceivedLine(sku=sku, quantity=units) for sku, units in lines),
        )
        self.ask(
            lambda desk, key: start_transfer(desk, CALLER, command, key),
            lambda model: model.send(name, *ends, lines),
            together=together,
        )

    @precondition(lambda self: self.model.transfers)
    @rule(which=st.integers(0, 3), units=st.lists(st.integers(0, 6), min_size=1, max_size=3), together=st.booleans())
    def arrive(self, which, units, together):
        name = self.transfer(which)
        transfer = self.model.transfers[name]
        lines = [pair for pair in zip(transfer.sent, units, strict=False) if pair[1]] or [("CHAIR", 1)]
        command = ReceiveSupply(
            supply=by_reference(name),
            location=transfer.destination,
            lines=tuple(ReceivedLine(sku=sku, quantity=units) for sku, units in lines),
        )
        self.ask(
            lambda desk, key: receive_supply(desk, CALLER, command, key),
            lambda model: model.arrive(name, lines),
            together=together,
        )

    @precondition(lambda self: self.model.transfers)
    @rule(which=st.integers(0, 3), lost=st.booleans(), together=st.booleans())
    def give_up(self, which, lost, together):
        name = self.transfer(which)
        supply = by_reference(name)
        if lost:
            close = CloseSupply(supply=supply, reason="a reason")
            self.ask(lambda desk, key: close_supply(desk, CALLER, close, key), lambda model: model.close(name))
        else:
            cancel = CancelSupply(supply=supply, reason="a reason")
            self.ask(lambda desk, key: cancel_supply(desk, CALLER, cancel, key), lambda model: model.cancel(name))
        if not together:
            self.flush()

    def transfer(self, which: int) -> str:
        """The latest is 0."""
        return list(self.model.transfers)[-1 - which % len(self.model.transfers)]

    @rule(
        lines=CART,
        policy=POLICY,
        priority=PRIORITY,
        draft=st.sampled_from((False, False, False, True)),
        again=st.sampled_from((False, False, False, True)),
        cart=st.none() | st.integers(0, 3),
        together=st.booleans(),
    )
    def place(self, lines, policy, priority, draft, again, together, cart=None):
        """`again`: under a number that is taken. `cart`: which one it was, the latest is 0."""
        taken = None if cart is None or not self.carts else self.cart(cart)
        status = OrderStatus.DRAFT if draft else OrderStatus.FINALIZED
        number = "1" if again else str(next(self.numbers))
        new = NewOrder(
            channel="SHOP",
            number=number,
            lines=tuple(NewLine(sku=Sku(sku), quantity=units) for sku, units in lines),
            status=status,
            terms=OrderTerms(shipping_policy=policy, priority=priority, ship_to=HOME),
        )
        self.ask(
            lambda desk, key: place_order(
                desk, CALLER, new, key, reservation=cart_by_id(self.carts[taken]) if taken else None
            ),
            lambda model: model.place(number, Order(status, policy, priority, model.lines_of(lines)), taken),
            together=together,
        )

    @rule(lines=CART, places=st.none() | st.sets(A_PLACE, min_size=1), together=st.booleans())
    def reserve(self, lines, places, together):
        command = ReserveStock(
            lines=tuple(ReservedUnits(sku=Sku(sku), quantity=units) for sku, units in lines),
            locations=None if places is None else tuple(sorted(places)),
        )
        self.ask(
            lambda desk, key: reserve_stock(desk, CALLER, command, key),
            lambda model: model.reserve(lines, places),
            together=together,
        )

    @precondition(lambda self: self.carts)
    @rule(which=st.integers(0, 3), together=st.booleans())
    def release(self, which, together):
        name = self.cart(which)
        self.ask(
            lambda desk, key: release_reservation(desk, CALLER, cart_by_id(self.carts[name]), key),
            lambda model: model.release(name),
            together=together,
        )

    @precondition(lambda self: self.carts)
    @rule(which=st.integers(0, 3), swept=st.booleans())
    def be_late(self, which, swept):
        """The time of a cart is over; until it is swept it holds its units, and nobody else may have it."""
        self.flush()
        name = self.cart(which)
        self.runner.run(run_out(self.database, self.carts[name]))
        self.model.carts[name].over = True
        if swept:
            self.runner.run(expire_reservations(self.database))
            self.model.sweep()
        self.look()

    def cart(self, which: int) -> str:
        """The latest is 0."""
        return list(self.carts)[-1 - which % len(self.carts)]

    @precondition(lambda self: self.ids)
    @rule(
        some=SOME,
        places=st.none() | st.sets(A_PLACE, min_size=1),
        passes=st.booleans(),
        policy=st.none() | POLICY,
        together=st.booleans(),
    )
    def allocate(self, some, places, together, passes=True, policy=None):
        numbers = self.pick(some)
        command = AllocateOrders(
            orders=tuple(AllocateOrder(order=by_id(self.ids[number])) for number in numbers),
            locations=None if places is None else tuple(sorted(places)),
            policy=Policy(smaller_may_pass=passes, shipping_policy=policy),
        )
        self.ask(
            lambda desk, key: allocate_orders(desk, CALLER, command, key),
            lambda model: model.allocate(numbers, places, nobody_passes=not passes, policy=policy),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(some=SOME, units=st.lists(st.none() | st.integers(1, 6), min_size=1, max_size=3), together=st.booleans())
    def allocate_some_lines(self, some, units, together):
        (number, *_) = self.pick(some)
        wanted = dict(zip(range(len(self.line_ids[number])), units, strict=False))
        lines = tuple(LineToAllocate(line=self.line_ids[number][at], quantity=n) for at, n in wanted.items())
        command = AllocateOrders(orders=(AllocateOrder(order=by_id(self.ids[number]), lines=lines),))
        self.ask(
            lambda desk, key: allocate_orders(desk, CALLER, command, key),
            lambda model: model.allocate([number], None, wanted),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(some=SOME, together=st.booleans())
    def deallocate(self, some, together):
        numbers = self.pick(some)
        command = DeallocateOrders(orders=tuple(by_id(self.ids[number]) for number in numbers))
        self.ask(
            lambda desk, key: deallocate_orders(desk, CALLER, command, key),
            lambda model: model.deallocate(numbers),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(
        some=SOME,
        quantities=st.lists(st.integers(0, 6), max_size=3),
        added=st.lists(BOUGHT, max_size=1),
        alone=st.sampled_from((False, False, False, True)),
        terms=st.fixed_dictionaries({}, optional={"priority": PRIORITY, "shipping_policy": POLICY}),
        together=st.booleans(),
    )
    def edit(self, some, quantities, added, terms, together, alone=False):
        """`alone`: parts of bundles are changed as if they were lines of their own."""
        (number, *_) = self.pick(some)
        wanted = dict(zip(range(len(self.line_ids[number])), quantities, strict=False))
        of = {at: bundle for at in wanted if (bundle := self.bundle_ids[number][at]) and not alone}
        bundles = {at: wanted[at] // 2 for at, bundle in of.items() if of.get(at - 1) != bundle}
        wanted = {at: units for at, units in wanted.items() if at not in of}
        lines = (
            *(LineQuantity(line=self.line_ids[number][at], quantity=units) for at, units in wanted.items()),
            *(BundleQuantity(bundle=of[at], quantity=units) for at, units in bundles.items()),
            *(NewLine(sku=Sku(sku), quantity=units) for sku, units in added),
        )
        command = EditOrder(order=by_id(self.ids[number]), lines=lines, terms=terms)
        self.ask(
            lambda desk, key: edit_order(desk, CALLER, command, key),
            lambda model: model.edit(number, wanted, added, terms, bundles),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(some=SOME, together=st.booleans())
    def finalize(self, some, together):
        (number, *_) = self.pick(some)
        order = by_id(self.ids[number])
        self.ask(
            lambda desk, key: finalize_order(desk, CALLER, order, key),
            lambda model: model.finalize(number),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(some=SOME, together=st.booleans())
    def void(self, some, together):
        (number, *_) = self.pick(some)
        order = by_id(self.ids[number])
        self.ask(
            lambda desk, key: void_order(desk, CALLER, order, "a reason", key),
            lambda model: model.void(number),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(
        some=SOME,
        quantities=st.none() | st.lists(st.integers(0, 3), min_size=1, max_size=3),
        named=st.sampled_from((None, None, "free", "taken")),
        together=st.booleans(),
    )
    def split(self, some, quantities=None, named=None, *, together):
        """Without quantities: by what is allocated."""
        (number, *_) = self.pick(some)
        to = {"free": f"P{next(self.numbers)}", "taken": "1"}.get(named)
        wanted = quantities and {at: units for at, units in enumerate(quantities) if units}
        wanted = {at: units for at, units in (wanted or {}).items() if at < len(self.line_ids[number])} or None
        lines = wanted and tuple(SplitLine(line=self.line_ids[number][at], quantity=n) for at, n in wanted.items())
        by = {"lines": lines} if lines else {"allocated": True}
        command = SplitOrder(order=by_id(self.ids[number]), number=to, **by)
        self.ask(
            lambda desk, key: split_order(desk, CALLER, command, key),
            lambda model: model.split(number, to, wanted),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50), deeds=st.lists(DEED, min_size=2, max_size=4), lines=CART)
    def meet(self, which, deeds, lines):
        """Requests that come together and are about one order."""
        self.flush()
        for deed in deeds:
            match deed:
                case "edit":
                    quantities = [units for _, units in lines[1:]]
                    self.edit([which], quantities, lines[:1], {}, together=True)
                case "allocate":
                    self.allocate([which], None, together=True)
                case "dropship":
                    self.dropship([which], None, together=True)
                case "cancel_one" | "ship_one" if not self.model.fulfillments:
                    pass
                case "cancel_one":
                    self.cancel_fulfillment(which, together=True)
                case "ship_one":
                    self.ship(which, None, together=True)
                case _:
                    getattr(self, deed)([which], together=True)
            which = 0
        self.flush()

    @precondition(lambda self: self.asked)
    @rule(some=SOME, together=st.booleans())
    def ask_again(self, some, together):
        """Under the same keys: the same answers, and nothing else."""
        for which in some:
            request, key, told = self.asked[-1 - which % len(self.asked)]
            self.ask(lambda desk, _, send=request.send, key=key: send(desk, key), lambda _, told=told: told)
        if not together:
            self.flush()

    # ------------------------------------------------------------ asking and comparing

    def pick(self, some: list[int]) -> list[str]:
        """Those that were picked last come first, so that requests that come together meet at an order."""
        numbers = [*(number for number in self.ids if number not in self.picked), *self.picked][::-1]
        found = list(dict.fromkeys(numbers[one % len(numbers)] for one in some))
        self.picked = [*(number for number in self.picked if number not in found), *found[::-1]]
        return found

    def ask(self, send, expected, *, together=True):
        """`together`: with the requests that follow."""
        self.waiting.append(Request(send, expected))
        if not together or len(self.waiting) == 5:
            self.flush()

    def flush(self) -> None:
        """Send what waits, all at once; compare what is told, and then what is there."""
        requests, self.waiting = self.waiting, []
        if not requests:
            return
        self.is_sound = False
        keys = [a_key() for _ in requests]
        answers = self.runner.run(self._send(requests, keys))
        told = [request.expected(self.model) for request in requests]
        self.look(answers, told)
        answered = zip(requests, keys, told, strict=True)
        self.asked += [one for one in answered if one[-1] != "InvalidInput"]  # It is not kept under its key.

    def look(self, answers: Sequence[Any] = (), told: Sequence[Told] = ()) -> None:
        rows = Rows(*self.runner.run(self._read(*READ, self.always.statement, IDS)))
        self.always.look(rows)
        self._learn(rows.ids)
        self.learn_goods(rows.sent, rows.parcels)
        self.carts = {name: cart for name, cart, *_ in rows.carts}
        assert [self._told(answer) for answer in answers] == list(told)
        self.compare_goods(rows.sent, rows.sent_lines, rows.parcels)
        self.compare_returns(rows.returns, rows.return_lines, rows.follow_ups)
        self.compare_holds(rows.holds)
        self._compare(rows.levels, rows.orders, rows.lines, rows.claims)
        self._compare_carts(rows.carts, rows.cart_lines)
        self._compare_transfers(rows.transfers, rows.transfer_lines)
        self.is_sound = True

    async def _send(self, requests: list[Request], keys: list[str]) -> list[Any]:
        desk = Desk(self.database)
        sending = (request.send(desk, key) for request, key in zip(requests, keys, strict=True))
        answers = await asyncio.gather(*sending, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
                raise answer
        return answers

    async def _read(self, *statements: str) -> list[list[tuple[Any, ...]]]:
        async with self.engine.connect() as connection:
            return [[tuple(row) for row in await connection.execute(text(one))] for one in statements]

    def _learn(self, rows: list[tuple[Any, ...]]) -> None:
        self.line_ids = {number: [] for number, *_ in rows}
        self.bundle_ids = {number: [] for number in self.line_ids}
        for number, order, line, bundle in rows:
            self.ids[number] = order
            self.line_ids[number].append(line)
            self.bundle_ids[number].append(bundle)

    def _told(self, answer: Any) -> Told:
        """An answer in the model's words."""
        if isinstance(answer, DomainError):
            return type(answer).__name__
        if isinstance(answer, RunOutcome):
            return [self._told_of_order(one) for one in answer.results]
        if isinstance(answer, StockOutcome):
            numbers = {order: number for number, order in self.ids.items()}
            levels = [(self.sku_of[item], self.place_of[place]) for item, place in answer.levels]
            return levels, {numbers[order] for order in answer.overallocated}, list(answer.superseded)
        if isinstance(answer, Released):
            return [type(one.refusal).__name__ if one.refusal else len(one.fulfillments) for one in answer.results]
        if isinstance(answer, HoldsDone):
            return [type(one.refusal).__name__ if one.refusal else one.changed for one in answer.results]
        if isinstance(answer, ReservationDone):
            return next(name for name, cart in self.carts.items() if cart == answer.reservation)
        return "done"

    def _told_of_order(self, one: OrderOutcome) -> Told:
        if one.refusal:
            return type(one.refusal).__name__
        at = {line: position for lines in self.line_ids.values() for position, line in enumerate(lines)}
        lines = {
            at[line.line]: (
                line.quantity,
                line.allocated,
                {self.place_of[place]: units for place, units in line.locations},
            )
            for line in one.lines
        }
        return one.before, one.after, lines

    def _compare(self, levels, orders, lines, claims) -> None:
        model, lost = self.model, self.model.unbacked()
        assert {(sku, place): tuple(rest) for sku, place, *rest in levels} == {
            key: (
                *(here[name] for name in ("ON_HAND", "DAMAGED", "QUALITY_CONTROL", "SAFETY_STOCK")),
                model.committed(key),
                max(0, model.committed(key) - model.supply(key)),
                model.picked_at(key),
            )
            for key, here in model.stock.items()
        }
        statuses = model.statuses()
        assert {number: tuple(rest) for number, *rest in orders} == {
            number: (
                order.status,
                statuses[number],
                order.policy,
                order.priority,
                model.fulfillment_status(number),
            )
            for number, order in model.orders.items()
        }
        assert [(*row,) for row in claims] == [
            (
                claim.order,
                claim.line,
                claim.place,
                claim.units,
                lost.get(claim.number, 0),
                claim.picked,
                None if claim.sent is None else self.sent[claim.sent],
            )
            for claim in model.claims
        ]
        bundles = {(number, at): bundle for number, at, *_, bundle, _ in lines if bundle}
        assert together(bundles) == together(model.bundles_of_lines())
        assert {(number, at): (*rest, each) for number, at, *rest, _, each in lines} == {
            (number, at): (
                line.sku,
                line.quantity,
                line.canceled,
                line.looked_at,
                line.shipped,
                line.dropshipped,
                sum(claim.units for claim in model.claims_of(number, at)),
                sum(lost.get(claim.number, 0) for claim in model.claims_of(number, at)),
                line.units_each,
            )
            for number, order in model.orders.items()
            for at, line in enumerate(order.lines)
        }

    def _compare_carts(self, carts, lines) -> None:
        wanted = self.model.carts.items()
        assert {name: (state, order) for name, _, state, order in carts} == {
            name: (cart.state, cart.order) for name, cart in wanted
        }
        assert {(name, at): tuple(rest) for name, at, *rest, _ in lines} == {
            (name, at): (line.sku, line.quantity) for name, cart in wanted for at, line in enumerate(cart.lines)
        }

    def _compare_transfers(self, transfers, lines) -> None:
        wanted = self.model.transfers.items()
        assert {name: tuple(rest) for name, *rest in transfers} == {
            name: (one.state, one.origin, one.destination) for name, one in wanted
        }
        assert {(name, sku): tuple(units) for name, sku, *units in lines} == {
            (name, sku): (units, one.received[sku], one.canceled[sku], one.lost[sku])
            for name, one in wanted
            for sku, units in one.sent.items()
        }


def together(bundles: Mapping[Any, object]) -> set[frozenset[Any]]:
    """Which lines are parts of one bundle, whatever it is called."""
    found: defaultdict[object, set[Any]] = defaultdict(set)
    for line, bundle in bundles.items():
        found[bundle].add(line)
    return {frozenset(lines) for lines in found.values()}


WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Over a database, finding the smallest example takes minutes: `make deep` does it."""


def test_i1_to_i5_i7_i9_to_i16_any_sequence_of_requests_does_what_the_model_does(database_url: str):
    Shop.url = database_url
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=tuple(Phase) if FULL else WITHOUT_SHRINKING,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_i9_i10_i14_one_life_that_meets_what_the_examples_may_miss_does_what_the_model_does(database_url: str):
    """The examples of the quick suite are few, and which they are is chance."""
    Shop.url = database_url
    shop = Shop()
    try:
        holds_in_the_way(shop, goods_that_leave_and_come_back(shop))
        stock_on_its_way(shop)
    finally:
        shop.teardown()


def goods_that_leave_and_come_back(shop: Shop) -> str:
    """The number of the order that stays here, with all it wants."""
    shop.open([[("CHAIR", 2), ("LAMP", 1)]] * 2, 9, 0, "ship")
    (left,) = {one.order for one in shop.model.fulfillments}
    shop.void(at(shop, left), together=False)
    shop.deliver(0, together=False)
    shop.bring_home(3)
    return "1" if left == "2" else "2"


def holds_in_the_way(shop: Shop, number: str) -> None:
    """What is split off is held as well; what is let go is released, and edited in the same breath."""
    part = f"{number}-1"
    shop.hold(at(shop, number), together=False)
    shop.release_orders(at(shop, number), partial=False, together=False)
    shop.split(at(shop, number), [1], together=False)
    shop.release_orders(at(shop, part), partial=False, together=False)
    shop.lift(at(shop, part), together=False)
    shop.lift(at(shop, part), together=False)
    shop.release_orders(at(shop, part), partial=False, together=True)
    shop.edit(at(shop, part), [], [("CHAIR", 40)], {}, together=False)
    shop.release_orders(at(shop, part), partial=False, together=False)
    shop.void(at(shop, number), together=True)
    shop.lift(at(shop, number), together=False)


def stock_on_its_way(shop: Shop) -> None:
    """It is back, it is lost, it arrives."""
    for end in (False, True, None):
        shop.send(("LEEDS", "YORK"), [("TABLE", 1)], again=False, together=False)
        if end is None:
            shop.arrive(0, [1], together=False)
        else:
            shop.give_up(0, lost=end, together=False)


def at(shop: Shop, number: str) -> list[int]:
    """As `Shop.pick` has it."""
    return [[*(one for one in shop.ids if one not in shop.picked), *shop.picked][::-1].index(number)]
