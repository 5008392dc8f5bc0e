"""Any sequence of operations in a shop with a warehouse, in memory: from release to the door, and back again."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from domain import fulfilling, packing, picking, releasing, shipping
from domain.allocation import Claim
from domain.errors import DomainError, PickConflict
from domain.events import FulfillmentChanged
from domain.fulfilling import FailedUnits
from domain.fulfillments import GONE, PICKABLE, TRANSITIONS, UNDER_WAY, Shipping, fulfillment_status
from domain.ids import OrderId
from domain.kinds import (
    AllocationEnd,
    AllocationStatus,
    CheckFailure,
    FulfillmentKind,
    FulfillmentState,
    FulfillmentStatus,
    OrderStatus,
    PickObstacle,
    PickTaskState,
    ShortReason,
)
from domain.orders import ALLOCATABLE
from domain.packing import NewParcel
from domain.picking import Pick, Short
from tests.builders import CHAIR, HULL, LEEDS
from tests.domain.test_batch_machine import A_PLACE, AN_ITEM, SOME, UNITS
from tests.domain.test_batch_machine import Shop as ShopWithoutWarehouse
from tests.sizes import FULL

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
BINS = ("A-1", "B-2", "C-3")
A_BIN, PART = st.none() | st.sampled_from(BINS), st.integers(0, 4)
WHICH = st.integers(0, 50)
"""Picks by position, modulo how many there are."""
FEW = st.sampled_from((0, 1, 2, 3, 99))
"""Units; 99 are all that there can be."""
SHORT = st.none() | st.builds(Short, reason=st.sampled_from(ShortReason), left=st.none() | st.integers(0, 3))

FAR = ("pick", "check", "pack", "ship", "deliver")


class Warehouse(ShopWithoutWarehouse):
    """A merchant who sends what is sold. HULL is a supplier of theirs."""

    more_ends = (
        AllocationEnd.SHIPPED,
        AllocationEnd.PICKED_SHORT,
        AllocationEnd.QUALITY_CHECK_FAILED,
        AllocationEnd.DROPSHIPPED,
    )

    @initialize(
        quantities=st.lists(UNITS, min_size=2, max_size=4),
        chairs=st.integers(2, 9),
        tables=st.integers(0, 4),
        bins=st.dictionaries(st.sampled_from(BINS), UNITS, max_size=2),
    )
    def open(self, quantities, chairs, tables, bins):
        """Some of the stock lies in bins, and all that can be is with the warehouses."""
        super().open(quantities, chairs, tables)
        for code, units in bins.items():
            self.put(CHAIR, LEEDS, {code: units})
        self.release(list(range(len(quantities))), partial=True)

    # ------------------------------------------------------------ what is done

    @rule(some=SOME, partial=st.booleans())
    def release(self, some, partial):
        for order in self.pick(some):
            before = self.memory.orders[order]
            self.on_the_floor(order, lambda batch, one: releasing.release(batch, one, NOW, partial=partial))
            if before.status in ALLOCATABLE and before.allocation_status is AllocationStatus.ALLOCATED:
                assert all(claim.fulfillment_line is not None for claim in self.claims_of(order)), "I9"

    @precondition(lambda self: self.open_tasks())
    @rule(which=WHICH, units=FEW, short=SHORT, exactly=st.booleans())
    def record_pick(self, which, units, short, exactly):
        """`exactly`: what is asked for, where it is on hand; otherwise so many, also too many."""
        tasks = self.open_tasks()
        if not tasks:
            return
        task = tasks[which % len(tasks)]
        wanted = task.missing if exactly else task.missing + 1 if units == 99 else units
        pick = Pick(task=task.id, quantity=wanted, short=short)
        order = self.memory.fulfillments[task.fulfillment].order
        level = self.memory.levels[task.item, task.location]
        told = self.on_the_floor(order, lambda batch, _: picking.record_pick(batch, pick, NOW))
        if isinstance(told, DomainError):
            assert isinstance(told, PickConflict)
            too_many = wanted > task.missing
            assert told.obstacle is (PickObstacle.MORE_THAN_ASKED_FOR if too_many else PickObstacle.NOT_ON_HAND)
            assert too_many or level.set_apart + wanted > level.on_hand
            return
        now = self.memory.tasks[task.id]
        assert now.picked == task.picked + wanted
        assert now.state is (PickTaskState.DONE if short or wanted == task.missing else PickTaskState.OPEN)

    @rule(item=AN_ITEM, place=A_PLACE, units=st.dictionaries(st.sampled_from(BINS), PART, min_size=1))
    def put(self, item, place, units):
        """So many units lie in these bins, if there are so many."""
        batch = self.memory.load(items=[item], bins=True)
        key = (item, place)
        if key in batch.levels:
            level = batch.levels[key]
            others = sum(n for (*of, code), n in self.memory.bins.items() if tuple(of) == key and code not in units)
            if others + sum(units.values()) <= level.on_hand - level.set_apart:
                for code, quantity in units.items():
                    batch.floor.set_bin((*key, code), quantity)
                self.memory.record(batch)

    @rule(which=WHICH, units=st.lists(FEW, max_size=3))
    def check(self, which, units):
        def operation(batch, one):
            failed = [
                FailedUnits(line=line.line, quantity=min(n, line.quantity), reason=CheckFailure.DAMAGED)
                for line, n in zip(one.lines, units, strict=False)
                if min(n, line.quantity)
            ]
            fulfilling.check(batch, one.id, failed, NOW)

        self.step("checkFulfillment", which, operation)

    @rule(which=WHICH, parcels=st.none() | st.lists(st.lists(PART, min_size=1, max_size=3), min_size=1, max_size=3))
    def pack(self, which, parcels):
        """None: all of it in one parcel."""

        def operation(batch, one):
            left = {line.line: line.quantity for line in one.lines}
            made = []
            for units in parcels or ():
                contents = []
                for line, wanted in zip(one.lines, units, strict=False):
                    inside = min(wanted, left[line.line])
                    left[line.line] -= inside
                    if inside:
                        contents.append((line.line, inside))
                if contents:
                    made.append(NewParcel(contents=tuple(contents)))
            packing.pack(batch, one.id, made or [NewParcel()], None)

        self.step("packFulfillment", which, operation)

    @rule(which=WHICH, some=st.none() | WHICH)
    def ship(self, which, some):
        """Of several parcels, one leaves where `some` says so."""

        def operation(batch, one):
            parcels = [parcel.id for parcel in batch.floor.parcels_of(one.id)]
            leaving = {} if some is None or not parcels else {parcels[some % len(parcels)]: "T1"}
            shipping.ship(batch, one.id, Shipping(carrier="Ann"), leaving, None)

        self.step("shipFulfillment", which, operation)

    @rule(which=WHICH)
    def deliver(self, which):
        self.step("deliverFulfillment", which, lambda batch, one: shipping.deliver(batch, one.id, None))

    @rule(which=WHICH)
    def cancel(self, which):
        """What is set aside stays so."""
        before = {line.id: line.allocated for line in self.memory.lines.values()}
        self.step("cancelFulfillment", which, lambda batch, one: fulfilling.cancel(batch, one.id))
        assert {line.id: line.allocated for line in self.memory.lines.values()} == before

    @rule(some=SOME, units=st.lists(st.integers(0, 4), min_size=1, max_size=3))
    def dropship(self, some, units):
        (number, *_) = self.pick(some)

        def operation(batch, order):
            wanted = {
                line.id: min(n, line.open)
                for line, n in zip(batch.lines_of(order), units, strict=False)
                if min(n, line.open)
            }
            fulfilling.require_not_released(batch, order)
            if wanted and batch.orders[order].status in ALLOCATABLE:
                fulfilling.dropship(batch, order, HULL, wanted)

        self.on_the_floor(number, operation)

    @precondition(lambda self: self.memory.fulfillments)
    @rule(which=WHICH, far=st.sampled_from(FAR))
    def go_on(self, which, far):
        """One after the other, so that goods get far."""
        for deed in FAR[: FAR.index(far) + 1]:
            match deed:
                case "pick":
                    for at, _ in enumerate(self.open_tasks()):
                        self.record_pick(which - at, 0, None, exactly=True)
                case "check":
                    self.check(which, [])
                case "pack":
                    self.pack(which, None)
                case "ship":
                    self.ship(which, None)
                case "deliver":
                    self.deliver(which)

    # ------------------------------------------------------------ how

    def step(self, name, which, operation):
        """The step for one of those that can be, or for any of the others, which is refused."""
        found = list(self.memory.fulfillments.values())
        ready = [one for one in found if name in TRANSITIONS[one.state]]
        if not found:
            return None
        one = ready[which % len(ready)] if ready and which % 8 else found[which % len(found)]
        told = self.on_the_floor(one.order, lambda batch, _: operation(batch, one))
        if name not in TRANSITIONS[one.state]:
            assert isinstance(told, DomainError), "I15"
        return None if isinstance(told, DomainError) else one

    def on_the_floor(self, order: OrderId, operation):
        """What it answers, or the refusal, which has moved nothing."""
        batch = self.memory.load(orders=[order], floor=True)
        try:
            answer = operation(batch, order)
        except DomainError as refusal:
            self.memory.expect_nothing(batch)
            return refusal
        self.memory.record(batch)
        return answer

    def open_tasks(self):
        return [task for task in self.memory.tasks.values() if task.state is PickTaskState.OPEN]

    def lines(self):
        """Every line that is sent, with its fulfillment."""
        return [(line, one) for one in self.memory.fulfillments.values() for line in one.lines]

    # ------------------------------------------------------------ what is always true

    @invariant()
    def i1_what_is_picked_of_a_level_is_what_its_claims_say_and_on_hand(self):
        picked = Counter()
        for claim in self.memory.claims.values():
            picked[claim.level] += claim.picked
            assert 0 <= claim.picked <= claim.quantity
        for key, level in self.memory.levels.items():
            assert level.picked == picked[key]
            assert level.set_apart <= level.on_hand

    @invariant()
    def i2_what_is_under_way_is_set_aside_and_picked_as_it_says_and_what_has_left_is_not(self):
        units, picked = Counter(), Counter()
        places = {line.id: one.location for line, one in self.lines()}
        for claim in self.memory.claims.values():
            if isinstance(claim, Claim) and claim.fulfillment_line is not None:
                units[claim.fulfillment_line] += claim.quantity
                picked[claim.fulfillment_line] += claim.picked
                assert places[claim.fulfillment_line] == claim.location
            else:
                assert not claim.picked
        for line, one in self.lines():
            if one.kind is FulfillmentKind.STOCK and one.state in UNDER_WAY:
                assert (line.quantity, line.picked) == (units[line.id], picked[line.id])
            else:
                assert not units[line.id]

    @invariant()
    def i2_open_tasks_ask_for_exactly_what_is_missing(self):
        missing = Counter()
        for task in self.memory.tasks.values():
            one = self.memory.fulfillments[task.fulfillment]
            assert task.fulfillment_line in {line.id for line in one.lines}
            assert task.picked + task.short <= task.quantity
            if task.state is PickTaskState.OPEN:
                assert one.state in PICKABLE
                assert task.missing > 0
                missing[task.fulfillment_line] += task.missing
            elif task.state is PickTaskState.DONE:
                assert task.picked + task.short == task.quantity
        for line, one in self.lines():
            if one.kind is FulfillmentKind.STOCK and one.state in UNDER_WAY:
                assert line.quantity - line.picked == missing[line.id]

    @invariant()
    def i2_no_more_lies_in_bins_than_is_there_and_nobody_asks_a_bin_for_more_than_it_has(self):
        in_bins, asked = Counter(), Counter()
        for (item, place, _), units in self.memory.bins.items():
            assert units >= 0
            in_bins[item, place] += units
        for task in self.open_tasks():
            asked[task.key] += task.missing
        for key, units in in_bins.items():
            assert units <= self.memory.levels[key].on_hand - self.memory.levels[key].set_apart
        for bin_key, units in asked.items():
            assert bin_key is None or units <= self.memory.bins.get(bin_key, 0)

    @invariant()
    def i2_what_is_packed_is_in_parcels(self):
        inside = Counter()
        for parcel in self.memory.parcels.values():
            for line, units in parcel.contents:
                inside[parcel.fulfillment, line] += units
        for line, one in self.lines():
            if one.kind is FulfillmentKind.STOCK and one.state in (FulfillmentState.PACKED, *GONE):
                assert line.quantity == inside[one.id, line.id], "what is in a parcel is what is sent"
                assert line.quantity == line.picked

    @invariant()
    def i10_what_was_shipped_is_what_left_on_hand(self):
        shipped, dropshipped, left = Counter(), Counter(), Counter()
        for line, one in self.lines():
            if one.kind is FulfillmentKind.STOCK and one.state in GONE:
                shipped[line.line] += line.quantity
                left[line.item, one.location] += line.quantity
            elif one.kind is FulfillmentKind.DROPSHIP and one.state is not FulfillmentState.CANCELED:
                dropshipped[line.line] += line.quantity
        for line in self.memory.lines.values():
            assert (line.shipped, line.dropshipped) == (shipped[line.id], dropshipped[line.id])
            assert line.open >= 0
        moved = Counter()
        for movement in self.memory.movements:
            if movement.cause == "SHIPPED":
                moved[movement.item, movement.location] -= movement.change
        assert moved == left

    @invariant()
    def i15_the_state_of_a_fulfillment_follows_from_what_is_picked(self):
        for one in self.memory.fulfillments.values():
            if one.kind is FulfillmentKind.STOCK and one.state in UNDER_WAY:
                assert one.units, "nothing is sent"
                complete = sum(line.picked for line in one.lines) == one.units
                assert complete == (one.state not in PICKABLE)
                if one.state is FulfillmentState.RELEASED:
                    assert not any(line.picked for line in one.lines)

    @invariant()
    def i15_how_far_an_orders_goods_are_follows_from_its_fulfillments(self):
        lines = defaultdict(list)
        for line in self.memory.lines.values():
            lines[line.order].append(line)
        sent = defaultdict(list)
        for one in self.memory.fulfillments.values():
            sent[one.order].append(one)
        for order in self.memory.orders.values():
            status = fulfillment_status(lines[order.id], sent[order.id])
            assert self.memory.fulfillment_statuses.get(order.id, FulfillmentStatus.NOT_RELEASED) is status
            assert (order.status is OrderStatus.FULFILLED) == (status is FulfillmentStatus.DELIVERED)

    @invariant()
    def i5_every_version_of_a_fulfillment_has_one_event_and_only_what_may_follow_follows(self):
        events = defaultdict(list)
        for event in self.memory.events:
            if isinstance(event, FulfillmentChanged):
                events[event.fulfillment_id].append(event)
        for one in self.memory.fulfillments.values():
            mine = events[one.id]
            assert [event.fulfillment_version for event in mine] == list(range(1, one.version + 1))
            assert mine[-1].after is one.state
            before = None
            for event in mine:
                assert event.before is before
                before = event.after


TestWarehouse = Warehouse.TestCase
TestWarehouse.settings = settings(max_examples=3_000 if FULL else 60, stateful_step_count=40, deadline=None)
