"""What the database does, in dictionaries: reads facts for a batch, and applies the changes that it decided."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from domain.allocation import CartClaim, Claim, Held, age, weakest_first
from domain.batch import Batch
from domain.changes import Changes, EndedClaim, Facts
from domain.events import Event
from domain.floor import FloorChanges, FloorFacts
from domain.fulfillments import UNDER_WAY, Fulfillment, Parcel, PickTask
from domain.ids import (
    AllocationId,
    BinKey,
    FulfillmentId,
    ItemId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    ParcelId,
    PickTaskId,
    ReservationId,
    ReservedLineId,
    Sku,
)
from domain.kinds import FulfillmentKind, FulfillmentStatus, PickTaskState, ReservationState
from domain.orders import Order, OrderLine
from domain.reservations import Reservation, ReservedLine
from domain.stock import Location, Movement, StockLevel


class Memory:
    """Everything that is written. Each write asserts what the database's guards and constraints would."""

    def __init__(self, skus: Mapping[ItemId, Sku], locations: Mapping[LocationId, Location]) -> None:
        self.skus, self.locations = skus, locations
        self.levels: dict[LevelKey, StockLevel] = {}
        self.orders: dict[OrderId, Order] = {}
        self.lines: dict[LineId, OrderLine] = {}
        self.claims: dict[AllocationId, Held] = {}
        self.reservations: dict[ReservationId, Reservation] = {}
        self.reserved_lines: dict[ReservedLineId, ReservedLine] = {}
        self.ended: list[EndedClaim] = []
        self.movements: list[Movement] = []
        self.events: list[Event] = []
        self.fulfillments: dict[FulfillmentId, Fulfillment] = {}
        self.tasks: dict[PickTaskId, PickTask] = {}
        self.parcels: dict[ParcelId, Parcel] = {}
        self.bins: dict[BinKey, int] = {}
        self.fulfillment_statuses: dict[OrderId, FulfillmentStatus] = {}
        self._floor_ids = count(1)
        self._last_order, self._last_line, self._last_claim, self._last_cart, self._last_cart_line = 0, 0, 0, 0, 0

    # ------------------------------------------------------------ reading

    def load(
        self,
        *,
        orders: Iterable[OrderId] = (),
        items: Iterable[ItemId] = (),
        reservations: Iterable[ReservationId] = (),
        floor: bool = False,
        bins: bool = False,
    ) -> Batch:
        """A working copy of the orders and reservations, and of every level of their SKUs and of the items.

        Like the database, it reads what is sent of the orders where there is any, and with `floor` in any case.
        """
        whole, carts = self._whole(orders), set(reservations)
        reserved = {line.item for line in self.reserved_lines.values() if line.reservation in carts}
        locked = {line.item for line in whole.lines} | set(items) | reserved
        held = [one for one in self.claims.values() if isinstance(one, CartClaim) and one.reservation in carts]
        sent = {one.order for one in whole.claims if isinstance(one, Claim) and one.fulfillment_line is not None}
        sent |= {line.order for line in whole.lines if line.shipped or line.dropshipped}
        batch = Batch(
            replace(
                whole,
                floor=self._floor({order.id for order in whole.orders} if floor else sent, locked, bins=floor or bins),
                skus=self.skus,
                locations=self.locations,
                levels=[level for level in self.levels.values() if level.item in locked],
                reservations=[self.reservations[cart] for cart in carts],
                claims=[*whole.claims, *held],
            )
        )
        if floor:
            batch.floor.ids = self._floor_ids
        return batch

    def _floor(self, orders: Iterable[OrderId], items: Iterable[ItemId], *, bins: bool) -> FloorFacts:
        fulfillments = {key: one for key, one in self.fulfillments.items() if one.order in set(orders)}
        return FloorFacts(
            fulfillments=list(fulfillments.values()),
            tasks=[
                task
                for task in self.tasks.values()
                if task.fulfillment in fulfillments
                or (bins and task.item in set(items) and task.state is PickTaskState.OPEN)
            ],
            parcels=[parcel for parcel in self.parcels.values() if parcel.fulfillment in fulfillments],
            bins={key: units for key, units in self.bins.items() if bins and key[0] in set(items)},
        )

    def reserve_cart_ids(self, lines: int) -> tuple[ReservationId, list[ReservedLineId]]:
        first, self._last_cart = self._last_cart_line + 1, self._last_cart + 1
        self._last_cart_line += lines
        return (
            ReservationId(self._last_cart),
            [ReservedLineId(number) for number in range(first, self._last_cart_line + 1)],
        )

    def reserve_ids(self, orders: int, lines: int) -> tuple[list[OrderId], list[LineId]]:
        first_order, first_line = self._last_order + 1, self._last_line + 1
        self._last_order += orders
        self._last_line += lines
        return (
            [OrderId(number) for number in range(first_order, self._last_order + 1)],
            [LineId(number) for number in range(first_line, self._last_line + 1)],
        )

    def settle(self, batch: Batch) -> None:
        """Set the flags with no more claims than the batch asks for."""
        unsettled = batch.unsettled()
        if unsettled:
            batch.learn(self._contenders(unsettled))
        batch.settle()

    def record(self, batch: Batch) -> Changes:
        """Settle the flags, and write everything."""
        self.settle(batch)
        changes = batch.changes()
        self._apply(changes)
        return changes

    def expect_nothing(self, batch: Batch) -> None:
        """The batch has moved nothing at all."""
        self.settle(batch)
        changes = batch.changes()
        floor = changes.floor or FloorChanges()
        assert floor == FloorChanges(), floor
        assert replace(changes, floor=None) == Changes(), changes

    def is_with_a_warehouse(self, order: OrderId) -> bool:
        """Whether anything of the order is to be fetched, or has been and not left yet."""
        ours = (one for one in self.fulfillments.values() if one.kind is FulfillmentKind.STOCK)
        return any(one.order == order and one.state in UNDER_WAY for one in ours)

    def _whole(self, orders: Iterable[OrderId]) -> Facts:
        wanted = set(orders)
        return Facts(
            orders=[self.orders[order] for order in sorted(wanted)],
            lines=[line for line in self.lines.values() if line.order in wanted],
            claims=[
                claim
                for claim in sorted(self.claims.values(), key=age)
                if isinstance(claim, Claim) and claim.order in wanted
            ],
        )

    def _contenders(self, levels: Mapping[LevelKey, int]) -> Facts:
        wanted: set[OrderId] = set()
        carts: list[Held] = []
        for key, units in levels.items():
            weaker = 0
            for claim in sorted((one for one in self.claims.values() if one.level == key), key=weakest_first):
                if weaker < units or claim.overallocated:
                    if isinstance(claim, Claim):
                        wanted.add(claim.order)
                    else:
                        carts.append(claim)
                weaker += claim.quantity - claim.picked
        whole = self._whole(wanted)
        return replace(whole, claims=[*whole.claims, *carts])

    # ------------------------------------------------------------ writing

    def _apply(self, changes: Changes) -> None:
        for order, _ in changes.placed:
            assert order.id not in self.orders
            self.orders[order.id] = order
        for placed in changes.placed_lines:
            assert placed.line.id not in self.lines
            self.lines[placed.line.id] = placed.line
        for level in changes.new_levels:
            assert (level.key in self.levels, level.version) == (False, 1)
            self.levels[level.key] = level
        for level in changes.changed_levels:
            assert self.levels[level.key].version == level.version - 1
            self.levels[level.key] = level
        for new in changes.new_reservations:
            assert new.reservation.id not in self.reservations
            self.reservations[new.reservation.id] = new.reservation
            self.reserved_lines.update((line.id, line) for line in new.lines)
        for ended in changes.ended_reservations:
            assert self.reservations[ended.id].state is ReservationState.ACTIVE
            self.reservations[ended.id] = ended
        self.movements.extend(changes.movements)
        self.ended.extend(changes.ended_claims)
        for divided in changes.divided_claims:
            assert divided.allocation in self.claims
            self._add(divided.claim)
        for gone in changes.gone_claims:
            del self.claims[gone]
        for claim in changes.changed_claims:
            assert claim.id in self.claims
            self.claims[claim.id] = claim
        for claim in changes.new_claims:
            assert claim.seniority is None
            self._add(claim)
        for line in changes.lines:
            assert line.id in self.lines
            self.lines[line.id] = line
        for order in changes.orders:
            assert self.orders[order.id].version == order.version - 1
            self.orders[order.id] = order
        for claim in self.claims.values():  # a claim's priority is its order's
            priority = self.orders[claim.order].priority if isinstance(claim, Claim) else 0
            self.claims[claim.id] = replace(claim, priority=priority)
        if changes.floor:
            self._apply_floor(changes.floor)
        self.fulfillment_statuses |= changes.fulfillment_statuses
        self.events.extend(changes.events)

    def _apply_floor(self, floor: FloorChanges) -> None:
        for one in floor.new_fulfillments:
            assert (one.id in self.fulfillments, one.version) == (False, 1)
            assert len({line.line for line in one.lines}) == len(one.lines)
            self.fulfillments[one.id] = replace(one, changed_at=None)
        for _, one in floor.fulfillments:
            assert self.fulfillments[one.id].version == one.version - 1
            self.fulfillments[one.id] = replace(one, changed_at=None)
        for task in floor.new_tasks:
            assert (task.id in self.tasks, task.version) == (False, 1)
            self.tasks[task.id] = task
        for task in floor.tasks:
            assert self.tasks[task.id].version == task.version - 1
            self.tasks[task.id] = task
        self.parcels.update((parcel.id, parcel) for parcel in (*floor.new_parcels, *floor.parcels))
        self.bins |= floor.bins

    def _add(self, claim: Held) -> None:
        self._last_claim += 1
        self.claims[AllocationId(self._last_claim)] = replace(claim, id=AllocationId(self._last_claim))
