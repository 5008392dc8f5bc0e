"""One transaction's working copy: facts that were read under the locks go in, operations move them, changes come out.

Operations (`domain.allocating`, `domain.ordering`, `domain.stocking`) use the moves of `Batch`. Whatever they do,
`changes` recomputes the flags of every level and the status of every order that was touched, and makes one version and
its events for each: so a status can not change without its event, and a claim can not lose its stock unnoticed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.allocation import Claim, Take, flags
from domain.events import AllocationStatusChanged, Event, OrderChanged, StockLevelChanged
from domain.ids import AllocationId, ItemId, LevelKey, LineId, LocationId, OrderId, Sku
from domain.kinds import AllocationCause, AllocationEnd, AllocationStatus, OrderChange
from domain.orders import NewLine, NewOrder, Order, OrderLine, OrderTerms, allocation_status
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Location, Movement, StockLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read under the locks: the orders with all their lines and claims, and the levels of every locked SKU.

    `sourcing` by the channel's code, where it is not by rank.
    """

    locations: Mapping[LocationId, Location] = field(default_factory=dict)
    sourcing: Mapping[str, Sourcing] = field(default_factory=dict)
    skus: Mapping[ItemId, Sku] = field(default_factory=dict)
    levels: Sequence[StockLevel] = ()
    orders: Sequence[Order] = ()
    lines: Sequence[OrderLine] = ()
    claims: Sequence[Claim] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLine:
    """A new line with its id and its position in the order, from 0."""

    line: OrderLine
    position: int
    new: NewLine


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedClaim:
    """`quantity` units of a claim that are set aside no longer, and why."""

    claim: Claim
    quantity: int
    reason: AllocationEnd


@dataclass(slots=True, kw_only=True)
class Changes:
    """Everything one transaction writes. `resized_lines`: those of `lines` that changed in more than their claims."""

    placed: list[tuple[Order, NewOrder]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    terms: dict[OrderId, OrderTerms] = field(default_factory=dict)
    void_reasons: dict[OrderId, str] = field(default_factory=dict)
    placed_lines: list[PlacedLine] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    resized_lines: set[LineId] = field(default_factory=set)
    new_claims: list[Claim] = field(default_factory=list)
    changed_claims: list[Claim] = field(default_factory=list)
    ended_claims: list[EndedClaim] = field(default_factory=list)
    gone_claims: list[AllocationId] = field(default_factory=list)
    new_levels: list[StockLevel] = field(default_factory=list)
    changed_levels: list[StockLevel] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    replenished: set[ItemId] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


REPLENISHING = {
    AllocationCause.STOCK_RECEIVED,
    AllocationCause.STOCK_ADJUSTED,
    AllocationCause.CANCELED,
    AllocationCause.EDITED,
}
"""What sets off a run of the orders that wait for the stock. Deallocating does not: a person has more to do."""

NEW_CLAIM = 1 << 62
"""Claims that are not written yet count from here: later than every claim that is."""


class Batch:
    """The working copy. Every move keeps lines, claims and levels in step."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        """`actor` and `request` stand in the stock ledger; they change with the command that is at work."""
        self.actor = actor
        self.request = request
        self.locations = dict(facts.locations)
        self.ranks = {location.id: location.rank for location in facts.locations.values()}
        self.sourcing = dict(facts.sourcing)
        self.skus = dict(facts.skus)
        self.levels = {level.key: level for level in facts.levels}
        self._levels_of: defaultdict[ItemId, list[LevelKey]] = defaultdict(list)
        for key in self.levels:
            self._levels_of[key[0]].append(key)
        self.orders: dict[OrderId, Order] = {}
        self.lines: dict[LineId, OrderLine] = {}
        self.claims: dict[AllocationId, Claim] = {}
        self._levels_before = dict(self.levels)
        self._orders_before: dict[OrderId, Order] = {}
        self._lines_before: dict[LineId, OrderLine] = {}
        self._claims_before: dict[AllocationId, Claim] = {}
        self._lines_of: defaultdict[OrderId, list[LineId]] = defaultdict(list)
        self._claims_of: defaultdict[OrderId, list[AllocationId]] = defaultdict(list)
        self._claims_at: defaultdict[LevelKey, list[AllocationId]] = defaultdict(list)
        self._locations_before: defaultdict[OrderId, set[LocationId]] = defaultdict(set)
        self._changes_of: defaultdict[OrderId, set[OrderChange]] = defaultdict(set)
        self._order_causes: dict[OrderId, AllocationCause] = {}
        self._level_causes: dict[LevelKey, AllocationCause] = {}
        self._stale_levels: set[LevelKey] = set()
        self._numbers: dict[tuple[str, str], OrderId] = {}
        self._made = Changes()
        self.learn(facts)

    def learn(self, facts: Facts) -> None:
        """Add orders with their lines and claims; what is known already stays as it is."""
        for order in facts.orders:
            if order.id not in self._orders_before:
                self.orders[order.id] = self._orders_before[order.id] = order
        for line in facts.lines:
            if line.id not in self._lines_before:
                self.lines[line.id] = self._lines_before[line.id] = line
                self._lines_of[line.order].append(line.id)
        for claim in facts.claims:
            if claim.id not in self._claims_before:
                self._claims_before[claim.id] = claim
                self._locations_before[claim.order].add(claim.location)
                self._add_claim(claim)

    # ------------------------------------------------------------------ reading

    def order_of_number(self, channel: str, number: str) -> OrderId | None:
        """The order of this number, if it was placed in this batch."""
        return self._numbers.get((channel, number))

    def location_of(self, code: str) -> Location | None:
        return next((location for location in self.locations.values() if location.code == code), None)

    def terms_of(self, order: OrderId) -> OrderTerms | None:
        """The order's terms, if this batch has made or changed them."""
        return self._made.terms.get(order)

    def levels_of(self, items: Iterable[ItemId]) -> list[StockLevel]:
        """The levels of these SKUs, as they are now."""
        return [self.levels[key] for item in items for key in self._levels_of.get(item, ())]

    def sourcing_of(self, order: Order) -> Sourcing:
        return self.sourcing.get(order.channel, BY_RANK)

    def lines_of(self, order: OrderId) -> list[OrderLine]:
        return [self.lines[line] for line in self._lines_of[order]]

    def claims_of(self, order: OrderId) -> list[Claim]:
        """The order's claims, the oldest first."""
        return [self.claims[claim] for claim in self._claims_of[order] if claim in self.claims]

    def has_moved(self, order: OrderId) -> bool:
        """Whether this batch has changed the order already: its next version is under way."""
        lines = self._lines_of[order]
        return order in self._changes_of or any(self.lines[line] is not self._lines_before.get(line) for line in lines)

    def status_of(self, order: OrderId) -> AllocationStatus | None:
        return allocation_status(self.orders[order].status, self.lines_of(order))

    # ------------------------------------------------------------------ moves

    def place(self, order: Order, new: NewOrder, lines: Iterable[PlacedLine]) -> None:
        """Add an order that was not there before."""
        self.orders[order.id] = order
        self._numbers[order.channel, order.number] = order.id
        self._made.placed.append((order, new))
        for line in lines:
            self.add_line(line)
        self.note(order.id, OrderChange.PLACED)

    def add_line(self, placed: PlacedLine) -> None:
        line = placed.line
        self.lines[line.id] = line
        self._lines_of[line.order].append(line.id)
        self._made.placed_lines.append(placed)

    def change_order(self, order: Order, change: OrderChange, terms: OrderTerms | None = None) -> None:
        before = self.orders[order.id]
        self.orders[order.id] = order
        if terms is not None:
            self._made.terms[order.id] = terms
        if order.priority != before.priority:
            for claim in self.claims_of(order.id):
                self.claims[claim.id] = replace(claim, priority=order.priority)
                self._stale_levels.add(claim.level)
                self._level_causes[claim.level] = AllocationCause.EDITED
        self.note(order.id, change)

    def void(self, order: Order, reason: str) -> None:
        self._made.void_reasons[order.id] = reason
        self.change_order(order, OrderChange.VOIDED)

    def note(self, order: OrderId, change: OrderChange) -> None:
        """This happened to the order in this commit."""
        self._changes_of[order].add(change)

    def explain(self, order: OrderId, cause: AllocationCause) -> None:
        """If the order's allocation status moves in this commit, this is why."""
        self._order_causes[order] = cause

    def change_line(self, line: OrderLine) -> None:
        self.lines[line.id] = line

    def change_level(self, level: StockLevel, cause: AllocationCause) -> None:
        """Replace a level; its flags follow in `changes`."""
        if level.key not in self.levels:
            self._levels_of[level.item].append(level.key)
        self.levels[level.key] = level
        self._stale_levels.add(level.key)
        self._level_causes[level.key] = cause

    def move(self, movement: Movement) -> None:
        """Add a row to the stock ledger."""
        self._made.movements.append(movement)

    def take(self, takes: Iterable[Take]) -> None:
        """Set the units aside, in a run: each line and each level is replaced once, whatever the number of takes."""
        per_line: defaultdict[LineId, int] = defaultdict(int)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        new_claims = self._made.new_claims
        for line_id, item, location, units in takes:
            order = self.orders[self.lines[line_id].order]
            per_line[line_id] += units
            per_level[item, location] += units
            claim = Claim(
                id=AllocationId(NEW_CLAIM + len(new_claims)),
                order=order.id,
                line=line_id,
                item=item,
                location=location,
                quantity=units,
                priority=order.priority,
            )
            new_claims.append(claim)
            self._add_claim(claim)
        for line_id, units in per_line.items():
            line = self.lines[line_id]
            self.lines[line_id] = _served(line, units)
        for key, units in per_level.items():
            level = self.levels[key]
            self.levels[key] = _moved(level, level.committed + units, level.version)

    def give_back(self, claim: Claim, quantity: int, reason: AllocationEnd, cause: AllocationCause) -> None:
        """End `quantity` units of a claim, those without stock behind them first."""
        unbacked = min(claim.overallocated, quantity)
        remaining = replace(claim, quantity=claim.quantity - quantity, overallocated=claim.overallocated - unbacked)
        if remaining.quantity:
            self.claims[claim.id] = remaining
        else:
            del self.claims[claim.id]
        line = self.lines[claim.line]
        self.lines[claim.line] = replace(
            line, allocated=line.allocated - quantity, overallocated=line.overallocated - unbacked
        )
        level = self.levels[claim.level]
        self.change_level(replace(level, committed=level.committed - quantity, flagged=level.flagged - unbacked), cause)
        self._made.ended_claims.append(EndedClaim(claim=claim, quantity=quantity, reason=reason))

    def _add_claim(self, claim: Claim) -> None:
        self.claims[claim.id] = claim
        self._claims_of[claim.order].append(claim.id)
        self._claims_at[claim.level].append(claim.id)

    # ------------------------------------------------------------------ settling

    def unsettled(self) -> dict[LevelKey, int]:
        """Levels whose flags must be set anew, each with how many units of its weakest claims must be known for it.

        The claims of the batch's own orders are known, and may have moved among the weakest: their units come on top.
        """
        if not self._stale_levels:
            return {}
        needed: Counter[LevelKey] = Counter()
        for key in self._stale_levels:
            before, level = self._levels_before.get(key), self.levels[key]
            needed[key] = max(before.flagged if before else 0, level.flagged, level.overallocated)
        needed = +needed
        if needed:
            for claim in self._claims_before.values():
                if claim.level in needed:
                    needed[claim.level] += claim.quantity
        return dict(needed)

    def settle(self) -> None:
        """Set the flags of these levels anew. The contenders of `unsettled` must have been learnt."""
        for key in self.unsettled():
            level = self.levels[key]
            claims = [self.claims[claim] for claim in self._claims_at[key] if claim in self.claims]
            flagged = flags(claims, level.overallocated)
            assert sum(flagged.values()) == level.overallocated, "the weakest claims were not loaded"
            for claim in claims:
                self._flag(claim, flagged.get(claim.id, 0))
            self.levels[key] = replace(level, flagged=level.overallocated)
        self._stale_levels.clear()

    def _flag(self, claim: Claim, overallocated: int) -> None:
        change = overallocated - claim.overallocated
        if change:
            self.claims[claim.id] = replace(claim, overallocated=overallocated)
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(line, overallocated=line.overallocated + change)
            self._order_causes.setdefault(claim.order, self._level_causes.get(claim.level, AllocationCause.OTHER))

    # ------------------------------------------------------------------ changes

    def changes(self) -> Changes:
        """What the transaction writes. Call it once, after the contenders of `unsettled` were learnt."""
        self.settle()
        made = self._made
        made.new_claims = [self.claims[claim.id] for claim in made.new_claims if claim.id in self.claims]
        made.changed_claims = [
            self.claims[claim.id]
            for claim in self._claims_before.values()
            if claim.id in self.claims and self._differs(claim)
        ]
        made.ended_claims = [ended for ended in made.ended_claims if ended.claim.id in self._claims_before]
        made.gone_claims = [claim for claim in self._claims_before if claim not in self.claims]
        made.placed_lines = [replace(placed, line=self.lines[placed.line.id]) for placed in made.placed_lines]
        for line in self._lines_before.values():
            now = self.lines[line.id]
            if now is not line:
                made.lines.append(now)
                if _is_resized(line, now):
                    made.resized_lines.add(line.id)
        self._version_orders()
        self._version_levels()
        return made

    def _differs(self, before: Claim) -> bool:
        now = self.claims[before.id]
        return now is not before and (now.quantity, now.overallocated) != (before.quantity, before.overallocated)

    def _version_orders(self) -> None:
        made = self._made
        touched: defaultdict[OrderId, list[OrderLine]] = defaultdict(list)
        for line in made.lines:
            touched[line.order].append(line)
        for placed in made.placed_lines:
            touched[placed.line.order].append(placed.line)
        for order_id in dict.fromkeys((*touched, *self._changes_of)):
            before = self._orders_before.get(order_id)
            status = self.status_of(order_id)
            order = _versioned(self.orders[order_id], status, before.version + 1 if before else 1)
            self.orders[order_id] = order
            if before:
                made.orders.append(order)
            made.events.extend(self._order_events(order, before, touched[order_id] or self.lines_of(order_id)))
        made.placed = [(self.orders[order.id], new) for order, new in made.placed]

    def _order_events(self, order: Order, before: Order | None, lines: Sequence[OrderLine]) -> Iterator[Event]:
        held = self._locations_before[order.id] | {claim.location for claim in self.claims_of(order.id)}
        locations = tuple(sorted(self.locations[location].code for location in held))
        skus = tuple(dict.fromkeys(line.sku for line in lines))
        changes = set(self._changes_of[order.id])
        was = before.allocation_status if before else AllocationStatus.UNALLOCATED
        if not changes or (before and any(self._allocation_moved(line) for line in lines)):
            changes.add(OrderChange.ALLOCATIONS_CHANGED)
        yield OrderChanged(
            order_id=order.id,
            order_number=order.number,
            channel_code=order.channel,
            order_version=order.version,
            skus=skus,
            locations=locations,
            changes=tuple(change for change in OrderChange if change in changes),
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
                cause=self._order_causes.get(order.id, AllocationCause.OTHER),
            )

    def _allocation_moved(self, line: OrderLine) -> bool:
        before = self._lines_before.get(line.id)
        return before is not None and (before.allocated, before.overallocated) != (line.allocated, line.overallocated)

    def _version_levels(self) -> None:
        for key, level in self.levels.items():
            before = self._levels_before.get(key)
            if level is before or level == before:
                continue
            level = _moved(level, level.committed, before.version + 1 if before else 1)
            (self._made.changed_levels if before else self._made.new_levels).append(level)
            if level.available > (before.available if before else 0) and self._level_causes.get(key) in REPLENISHING:
                self._made.replenished.add(level.item)
            self._made.events.append(
                StockLevelChanged(
                    sku=self.skus[level.item],
                    location_code=self.locations[level.location].code,
                    version=level.version,
                    on_hand=level.on_hand,
                    committed=level.committed,
                    unavailable=level.unavailable,
                    available=level.available,
                    overallocated=level.overallocated,
                )
            )


def _is_resized(before: OrderLine, now: OrderLine) -> bool:
    return (
        before.quantity != now.quantity
        or before.shipped != now.shipped
        or before.canceled != now.canceled
        or before.dropshipped != now.dropshipped
    )


# These are made for every order, line and level of a batch, and `replace` takes twice as long.


def _versioned(order: Order, status: AllocationStatus | None, version: int) -> Order:
    """The order with this allocation status and version."""
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


def _served(line: OrderLine, units: int) -> OrderLine:
    """The line with so many units more set aside in a run."""
    return OrderLine(
        id=line.id,
        order=line.order,
        item=line.item,
        sku=line.sku,
        quantity=line.quantity,
        allocated=line.allocated + units,
        overallocated=line.overallocated,
        shipped=line.shipped,
        canceled=line.canceled,
        dropshipped=line.dropshipped,
        looked_at=True,
    )


def _moved(level: StockLevel, committed: int, version: int) -> StockLevel:
    """The level with another `committed` or version."""
    return StockLevel(
        item=level.item,
        location=level.location,
        on_hand=level.on_hand,
        committed=committed,
        damaged=level.damaged,
        quality_control=level.quality_control,
        safety_stock=level.safety_stock,
        flagged=level.flagged,
        version=version,
    )
