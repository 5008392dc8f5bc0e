"""Any sequence of operations, in memory: after every one of them, what must always be true is true."""

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import ordering, reserving, splitting, stocking
from domain.allocating import OrderToAllocate, Terms, allocate, deallocate
from domain.allocation import CartClaim, Claim, age
from domain.errors import DomainError, InsufficientStock, ReservationEnded
from domain.events import AllocationStatusChanged, OrderChanged, StockLevelChanged
from domain.ids import OrderId
from domain.kinds import (
    AllocationCause,
    AllocationEnd,
    AllocationStatus,
    MovementCause,
    OrderStatus,
    ReservationState,
    ShippingPolicy,
    StockQuantity,
)
from domain.ordering import Edit
from domain.orders import EDITABLE, NewLine, NewOrder, OrderTerms, allocation_status
from domain.splitting import Part
from domain.stock import FIELD
from domain.stocking import StockChange
from tests.builders import CHAIR, LEEDS, LOCATIONS, RANKS, SKUS, TABLE, YORK
from tests.fakes import Memory
from tests.reference import unbacked
from tests.sizes import FULL

ITEMS = {sku: item for item, sku in SKUS.items()}
AN_ITEM, A_PLACE = st.sampled_from((CHAIR, TABLE)), st.sampled_from((LEEDS, YORK))
UNITS, PRIORITY, POLICY = st.integers(1, 5), st.integers(-1, 1), st.sampled_from(ShippingPolicy)
NEW_LINES = st.lists(st.tuples(AN_ITEM, UNITS), min_size=1, max_size=3)
SOME = st.lists(st.integers(0, 50), min_size=1, max_size=4)
"""Picks orders by position, modulo how many there are."""


class Shop(RuleBasedStateMachine):
    """A shop that does what its merchant happens to do."""

    more_ends: tuple[AllocationEnd, ...] = ()
    """For what reasons units are given back, beside those of a shop without a warehouse."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(SKUS, LOCATIONS)

    def pick(self, some: list[int]) -> list[OrderId]:
        orders = sorted(self.memory.orders)
        return list(dict.fromkeys(orders[one % len(orders)] for one in some))

    # ------------------------------------------------------------ what is done

    @initialize(quantities=st.lists(UNITS, min_size=2, max_size=4), chairs=st.integers(2, 9), tables=st.integers(0, 4))
    def open(self, quantities, chairs, tables):
        """Some stock, and some orders that hold it."""
        self.receive(LEEDS, {CHAIR: chairs})
        self.receive(YORK, {CHAIR: 2, TABLE: tables + 1})
        for quantity in quantities:
            self.place([(CHAIR, quantity), (TABLE, 1)], ShippingPolicy.SHIP_AVAILABLE, 0, draft=False)
        self.allocate(list(range(len(quantities))), None)

    @rule(lines=NEW_LINES, policy=POLICY, priority=PRIORITY, draft=st.sampled_from((False, False, False, True)))
    def place(self, lines, policy, priority, draft):
        (order,), ids = self.memory.reserve_ids(1, len(lines))
        new = NewOrder(
            channel="SHOP",
            number=str(order),
            lines=tuple(NewLine(sku=SKUS[item], quantity=units) for item, units in lines),
            status=OrderStatus.DRAFT if draft else OrderStatus.FINALIZED,
            terms=OrderTerms(shipping_policy=policy, priority=priority),
        )
        batch = self.memory.load()
        ordering.place(batch, order, ids, ITEMS, new)
        self.memory.record(batch)

    @rule(place=A_PLACE, units=st.dictionaries(AN_ITEM, UNITS, min_size=1))
    def receive(self, place, units):
        batch = self.memory.load(items=units)
        stocking.receive(batch, place, units, None)
        self.memory.record(batch)

    @rule(item=AN_ITEM, place=A_PLACE, counted=st.integers(0, 6), quantity=st.sampled_from(StockQuantity))
    def count(self, item, place, counted, quantity):
        self.adjust(StockChange(item=item, location=place, quantity=quantity, counted=counted))

    @precondition(lambda self: any(level.committed for level in self.memory.levels.values()))
    @rule(which=st.integers(0, 50), left=st.integers(0, 50))
    def lose(self, which, left):
        """Stock goes from under claims."""
        levels = [level for level in self.memory.levels.values() if level.committed]
        level = levels[which % len(levels)]
        counted = max(level.damaged + level.quality_control, left % (level.committed + 1))
        self.adjust(StockChange(item=level.item, location=level.location, counted=counted))

    @rule(changes=st.dictionaries(st.tuples(AN_ITEM, A_PLACE), st.integers(-4, 2), min_size=1))
    def correct(self, changes):
        self.adjust(*(StockChange(item=item, location=place, delta=units) for (item, place), units in changes.items()))

    def adjust(self, *changes):
        batch = self.memory.load(items={one.item for one in changes}, bins=True)
        try:
            stocking.apply(batch, changes, MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, None)
        except DomainError:
            return
        self.memory.record(batch)

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME, places=st.none() | st.sets(A_PLACE))
    def allocate(self, some, places):
        orders = self.pick(some)
        self.run([OrderToAllocate(reference=str(order), order=order) for order in orders], places)

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME, take=st.lists(st.none() | st.integers(1, 6), min_size=1, max_size=3))
    def allocate_lines(self, some, take):
        (order, *_) = self.pick(some)
        lines = [line.id for line in self.memory.lines.values() if line.order == order]
        self.run([OrderToAllocate(reference="1", order=order, lines=dict(zip(lines, take, strict=False)))], None)

    def run(self, wanted, places):
        missing = {key: level.overallocated for key, level in self.memory.levels.items()}
        batch = self.memory.load(orders=[one.order for one in wanted])
        ranks = None if places is None else {place: RANKS[place] for place in places}
        outcomes = allocate(batch, wanted, Terms(locations=ranks))
        self.memory.record(batch)
        for outcome in outcomes:
            if outcome.refusal is None:
                assert outcome.after is self.memory.orders[outcome.order].allocation_status
        for key, level in self.memory.levels.items():
            assert level.overallocated <= missing[key], "a run takes only what is there"

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME)
    def deallocate(self, some):
        orders = self.pick(some)
        batch = self.memory.load(orders=orders)
        outcomes = deallocate(batch, [(str(order), order) for order in orders])
        self.memory.record(batch)
        given_back = {outcome.order for outcome in outcomes if outcome.refusal is None}
        assert not any(map(self.claims_of, given_back))

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME)
    def finalize(self, some):
        self.decide(self.pick(some)[0], ordering.finalize)

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME)
    def void(self, some):
        self.decide(self.pick(some)[0], lambda batch, order: ordering.void(batch, order, "a reason"))

    @precondition(lambda self: self.memory.orders)
    @rule(
        some=SOME,
        quantities=st.lists(st.integers(0, 6), max_size=3),
        added=st.lists(st.tuples(AN_ITEM, UNITS), max_size=1),
        terms=st.none() | st.builds(OrderTerms, priority=PRIORITY, shipping_policy=POLICY),
    )
    def edit(self, some, quantities, added, terms):
        (order, *_) = self.pick(some)
        lines = [line.id for line in self.memory.lines.values() if line.order == order]
        wanted = Edit(
            quantities=tuple(zip(lines, quantities, strict=False)),
            added=tuple(NewLine(sku=SKUS[item], quantity=units) for item, units in added),
            terms=terms,
        )
        _, ids = self.memory.reserve_ids(0, len(added))
        items = [item for item, _ in added]
        self.decide(order, lambda batch, order: ordering.edit(batch, order, wanted, ids, ITEMS), items)

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME, priority=PRIORITY)
    def reprioritize(self, some, priority):
        wanted = Edit(terms=OrderTerms(priority=priority))
        self.decide(self.pick(some)[0], lambda batch, order: ordering.edit(batch, order, wanted, [], ITEMS))

    @rule(wanted=st.dictionaries(AN_ITEM, UNITS, min_size=1), places=st.none() | st.sets(A_PLACE))
    def reserve(self, wanted, places):
        batch = self.memory.load(items=wanted)
        cart, lines = self.memory.reserve_cart_ids(len(wanted))
        ranks = RANKS if places is None else {place: RANKS[place] for place in places}
        try:
            reserving.reserve(batch, cart, lines, wanted, 900, ranks)
        except InsufficientStock:
            return
        self.memory.record(batch)

    @precondition(lambda self: self.memory.reservations)
    @rule(which=st.integers(0, 50), ending=st.sampled_from(("release", "expire")), is_due=st.booleans())
    def end_a_cart(self, which, ending, is_due):
        cart = self.pick_cart(which, is_due=is_due)
        self.decide_on(cart, lambda batch: getattr(reserving, ending)(batch, cart if ending == "release" else [cart]))

    @precondition(lambda self: self.memory.reservations)
    @rule(which=st.integers(0, 50), lines=NEW_LINES, priority=PRIORITY, is_due=st.sampled_from((False, False, True)))
    def check_out(self, which, lines, priority, is_due):
        cart = self.pick_cart(which, is_due=is_due)
        (order,), ids = self.memory.reserve_ids(1, len(lines))
        new = NewOrder(
            channel="SHOP",
            number=str(order),
            lines=tuple(NewLine(sku=SKUS[item], quantity=units) for item, units in lines),
            terms=OrderTerms(priority=priority),
        )
        reserved = Counter()
        for line in self.memory.reserved_lines.values():
            if line.reservation == cart:
                reserved[line.item] += line.quantity
        wanted = Counter()
        for item, units in lines:
            wanted[item] += units

        def place(batch):
            reserving.require_active(batch, cart)
            ordering.place(batch, order, ids, ITEMS, new)
            reserving.take_over(batch, cart, order)

        if self.decide_on(cart, place):
            held = Counter()
            for claim in self.memory.claims.values():
                if isinstance(claim, Claim) and claim.order == order:
                    held[claim.item] += claim.quantity
            assert held == reserved & wanted

    def pick_cart(self, which, *, is_due):
        carts = sorted(self.memory.reservations)
        cart = self.memory.reservations[carts[which % len(carts)]]
        self.memory.reservations[cart.id] = replace(cart, is_due=cart.is_due or is_due)
        return cart.id

    def decide_on(self, cart, operation):
        batch = self.memory.load(reservations=[cart])
        try:
            operation(batch)
        except ReservationEnded:
            assert self.memory.reservations[cart].state_now is not ReservationState.ACTIVE
            return False
        self.memory.record(batch)
        return True

    @precondition(lambda self: any(isinstance(claim, Claim) for claim in self.memory.claims.values()))
    @rule(moves=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), UNITS), min_size=1, max_size=3))
    def hand_over(self, moves):
        """Units of claims go to other lines, in one commit, also claims that were divided in it."""
        orders = [order.id for order in self.memory.orders.values() if order.status is OrderStatus.FINALIZED]
        batch = self.memory.load(orders=orders)
        committed = {key: level.committed for key, level in batch.levels.items()}
        for which, target, units in moves:
            claims = [one for one in batch.claims.values() if isinstance(one, Claim) and one.fulfillment_line is None]
            if not claims:
                break
            claim = claims[which % len(claims)]
            lines = [one for one in batch.lines.values() if one.item == claim.item and one.open > one.allocated]
            if lines:
                line = lines[target % len(lines)]
                for order in (claim.order, line.order):
                    batch.explain(order, AllocationCause.EDITED)
                batch.hand_over(claim, line.id, min(units, claim.quantity, line.open - line.allocated))
                self.memory.settle(batch)
        self.memory.record(batch)
        assert {key: self.memory.levels[key].committed for key in committed} == committed

    @precondition(lambda self: self.memory.orders)
    @rule(some=SOME, quantities=st.lists(st.integers(0, 4), min_size=1, max_size=3), ready=st.booleans())
    def split(self, some, quantities, ready):
        (order, *_) = self.pick(some)
        batch = self.memory.load(orders=[order])
        if batch.orders[order].status not in EDITABLE or self.memory.is_with_a_warehouse(order):
            return
        lines = batch.lines_of(order)
        wanted = {line.id: min(units, line.open) for line, units in zip(lines, quantities, strict=False)}
        going = [
            (batch.lines[line], units)
            for line, units in (splitting.ready_to_ship(batch, order) if ready else wanted).items()
            if units
        ]
        if not 0 < sum(units for _, units in going) < sum(line.open for line in lines):
            return
        (to,), ids = self.memory.reserve_ids(1, len(going))
        parts = [Part(line=line.id, quantity=units, to=at) for (line, units), at in zip(going, ids, strict=True)]
        old = batch.orders[order]
        new = NewOrder(
            channel="SHOP",
            number=str(to),
            lines=tuple(NewLine(sku=line.sku, quantity=units) for line, units in going),
            status=old.status,
            terms=OrderTerms(shipping_policy=old.shipping_policy, priority=old.priority),
        )
        open_before, allocated_before = sum(line.open for line in lines), sum(line.allocated for line in lines)
        splitting.split(batch, order, to, new, parts)
        self.memory.record(batch)
        both = [line for line in self.memory.lines.values() if line.order in (order, to)]
        assert sum(line.open for line in both) == open_before
        assert sum(line.allocated for line in both) == allocated_before
        if ready:
            assert self.memory.orders[to].allocation_status is AllocationStatus.ALLOCATED

    def decide(self, order, operation, items=()):
        batch = self.memory.load(orders=[order], items=items)
        try:
            operation(batch, order)
        except DomainError:
            self.memory.expect_nothing(batch)
            return
        self.memory.record(batch)

    # ------------------------------------------------------------ what is always true

    @invariant()
    def i1_committed_and_flags_are_the_sums_of_the_claims_and_the_weakest_carry_the_flags(self):
        claims = defaultdict(list)
        for claim in self.memory.claims.values():
            claims[claim.level].append(claim)
        assert set(claims) <= set(self.memory.levels)
        for key, level in self.memory.levels.items():
            assert level.committed == sum(claim.quantity for claim in claims[key])
            assert level.flagged == level.overallocated == max(0, level.committed - level.backing)
            ranked = [(one.id, age(one)[0], one.priority, one.quantity) for one in claims[key]]
            expected = unbacked(ranked, level.overallocated, {one.id: one.picked for one in claims[key]})
            assert {one.id: one.overallocated for one in claims[key] if one.overallocated} == expected

    @invariant()
    def i2_lines_count_their_claims_and_are_served_within_their_quantity(self):
        allocated, overallocated = Counter(), Counter()
        for claim in self.memory.claims.values():
            assert claim.quantity > 0
            if isinstance(claim, Claim):
                allocated[claim.line] += claim.quantity
                overallocated[claim.line] += claim.overallocated
                assert claim.item == self.memory.lines[claim.line].item
        for line in self.memory.lines.values():
            assert (line.allocated, line.overallocated) == (allocated[line.id], overallocated[line.id])
            assert 0 <= line.allocated <= line.open
            assert min(line.shipped, line.canceled, line.dropshipped) >= 0

    @invariant()
    def i3_i4_stock_is_the_sum_of_its_ledger_and_never_negative(self):
        moved = Counter()
        for movement in self.memory.movements:
            assert movement.change
            moved[movement.item, movement.location, movement.quantity] += movement.change
        for key, level in self.memory.levels.items():
            quantities = {name: getattr(level, FIELD[name]) for name in StockQuantity}
            assert quantities == {name: moved[*key, name] for name in StockQuantity}
            assert min(quantities.values()) >= 0
            assert level.damaged + level.quality_control <= level.on_hand

    @invariant()
    def i5_every_version_of_an_order_has_one_event_and_every_status_change_has_its_own(self):
        versions, statuses = defaultdict(list), defaultdict(list)
        for event in self.memory.events:
            if isinstance(event, OrderChanged):
                versions[event.order_id].append(event.order_version)
                assert event.changes
            elif isinstance(event, AllocationStatusChanged):
                statuses[event.order_id].append(event)
        for order in self.memory.orders.values():
            assert versions[order.id] == list(range(1, order.version + 1))
            before = AllocationStatus.UNALLOCATED
            for event in statuses[order.id]:
                assert event.before is before is not event.after
                assert event.order_version in versions[order.id]
                assert event.cause is not AllocationCause.OTHER
                before = event.after
            assert order.allocation_status is before
            assert len({event.order_version for event in statuses[order.id]}) == len(statuses[order.id])

    @invariant()
    def i5_an_orders_status_is_what_its_lines_make_of_it(self):
        lines = defaultdict(list)
        for line in self.memory.lines.values():
            lines[line.order].append(line)
        for order in self.memory.orders.values():
            assert order.allocation_status is allocation_status(order.status, lines[order.id])

    @invariant()
    def i5_every_version_of_a_level_has_one_event_and_the_last_one_shows_it(self):
        events = defaultdict(list)
        for event in self.memory.events:
            if isinstance(event, StockLevelChanged):
                events[event.sku, event.location_code].append(event)
        for level in self.memory.levels.values():
            mine = events[SKUS[level.item], LOCATIONS[level.location].code]
            assert [event.version for event in mine] == list(range(1, level.version + 1))
            last = mine[-1]
            assert (last.on_hand, last.committed, last.unavailable, last.available, last.overallocated) == (
                level.on_hand,
                level.committed,
                level.unavailable,
                level.available,
                level.overallocated,
            )

    @invariant()
    def i10_what_was_ever_set_aside_is_set_aside_or_has_ended(self):
        for order in self.memory.orders.values():
            if order.status is not OrderStatus.FINALIZED:
                assert not self.claims_of(order.id)
        assert all(ended.quantity > 0 for ended in self.memory.ended)
        assert {ended.reason for ended in self.memory.ended} <= {
            AllocationEnd.DEALLOCATED,
            AllocationEnd.EDITED,
            AllocationEnd.CANCELED,
            AllocationEnd.RELEASED,
            AllocationEnd.EXPIRED,
            *self.more_ends,
        }

    @invariant()
    def i11_an_active_cart_holds_its_units_and_one_that_has_ended_holds_none(self):
        held, given_back = Counter(), Counter()
        for claim in self.memory.claims.values():
            if isinstance(claim, CartClaim):
                held[claim.reserved_line] += claim.quantity
        for ended in self.memory.ended:
            if isinstance(ended.claim, CartClaim):
                given_back[ended.claim.reserved_line] += ended.quantity
        for line in self.memory.reserved_lines.values():
            state = self.memory.reservations[line.reservation].state
            assert held[line.id] == (line.quantity if state is ReservationState.ACTIVE else 0)
            if state is ReservationState.ACTIVE:
                assert not given_back[line.id]
            elif state is not ReservationState.TAKEN_OVER:
                assert given_back[line.id] == line.quantity

    def claims_of(self, order):
        return [one for one in self.memory.claims.values() if isinstance(one, Claim) and one.order == order]


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=3_000 if FULL else 80, stateful_step_count=30, deadline=None)
