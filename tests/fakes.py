"""What the database does, in dictionaries: reads facts for a batch, and applies the changes that it decided."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from domain.allocation import Claim, age, weakest_first
from domain.batch import Batch, Changes, EndedClaim, Facts
from domain.events import Event
from domain.ids import AllocationId, ItemId, LevelKey, LineId, LocationId, OrderId, Sku
from domain.orders import Order, OrderLine
from domain.stock import Location, Movement, StockLevel


class Memory:
    """Everything that is written. Each write asserts what the database's guards and constraints would."""

    def __init__(self, skus: Mapping[ItemId, Sku], locations: Mapping[LocationId, Location]) -> None:
        self.skus, self.locations = skus, locations
        self.levels: dict[LevelKey, StockLevel] = {}
        self.orders: dict[OrderId, Order] = {}
        self.lines: dict[LineId, OrderLine] = {}
        self.claims: dict[AllocationId, Claim] = {}
        self.ended: list[EndedClaim] = []
        self.movements: list[Movement] = []
        self.events: list[Event] = []
        self._last_order, self._last_line, self._last_claim = 0, 0, 0

    # ------------------------------------------------------------ reading

    def load(self, *, orders: Iterable[OrderId] = (), items: Iterable[ItemId] = ()) -> Batch:
        """A working copy of the orders, and of every level of their SKUs and of the items."""
        whole = self._whole(orders)
        locked = {line.item for line in whole.lines} | set(items)
        levels = [level for level in self.levels.values() if level.item in locked]
        return Batch(replace(whole, skus=self.skus, locations=self.locations, levels=levels))

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

    def _whole(self, orders: Iterable[OrderId]) -> Facts:
        wanted = set(orders)
        return Facts(
            orders=[self.orders[order] for order in sorted(wanted)],
            lines=[line for line in self.lines.values() if line.order in wanted],
            claims=[claim for claim in sorted(self.claims.values(), key=age) if claim.order in wanted],
        )

    def _contenders(self, levels: Mapping[LevelKey, int]) -> Facts:
        wanted: set[OrderId] = set()
        for key, units in levels.items():
            weaker = 0
            for claim in sorted((one for one in self.claims.values() if one.level == key), key=weakest_first):
                if weaker < units or claim.overallocated:
                    wanted.add(claim.order)
                weaker += claim.quantity
        return self._whole(wanted)

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
            self.claims[claim.id] = replace(claim, priority=self.orders[claim.order].priority)
        self.events.extend(changes.events)

    def _add(self, claim: Claim) -> None:
        self._last_claim += 1
        self.claims[AllocationId(self._last_claim)] = replace(claim, id=AllocationId(self._last_claim))
