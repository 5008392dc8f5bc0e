"""Moves of claims, and of the levels that they are on: whatever is set aside, line, level and claim keep in step."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from domain.allocation import CartClaim, Claim, Held, Take, age, flags
from domain.changes import EndedClaim, Facts
from domain.ids import AllocationId, FulfillmentLineId, LevelKey, LineId, ReservedLineId
from domain.kinds import AllocationCause, AllocationEnd, MovementCause, StockQuantity
from domain.orders import OrderLine
from domain.reservations import NewReservation, Reservation
from domain.stock import Movement, StockCount, StockLevel, with_committed
from domain.working_copy import WorkingCopy

NEW_CLAIM = 1 << 62
"""Claims that are not written yet count from here: later than every claim that is."""


class ClaimMoves(WorkingCopy):
    """A working copy in which units are set aside, given back, picked, shipped and handed on."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        super().__init__(facts, actor=actor, request=request)
        self._level_actors: dict[LevelKey, str] = {}
        self._stale_levels: set[LevelKey] = set()

    # ------------------------------------------------------------------ levels

    def change_level(self, level: StockLevel, cause: AllocationCause) -> None:
        """Replace a level; its flags follow in `changes`."""
        if level.key not in self.levels:
            self._levels_of[level.item].append(level.key)
        self.levels[level.key] = level
        self._stale_levels.add(level.key)
        self._blame(level.key, cause)

    def move(self, movement: Movement) -> None:
        """Add a row to the stock ledger."""
        self.made.movements.append(movement)

    def note_count(self, count: StockCount) -> None:
        """Somebody knows what is on hand; a count moves nothing by itself."""
        self.made.counts.append(count)

    def _blame(self, level: LevelKey, cause: AllocationCause, *, first: bool = True) -> None:
        """If flags move at the level, this is why, and by whom. Not `first`: unless something else is to blame."""
        if first or level not in self.level_causes:
            self.level_causes[level] = cause
            self._level_actors[level] = self.actor

    # ------------------------------------------------------------------ claims

    def take(self, takes: Iterable[Take]) -> None:
        """Set the units aside, in a run: each line and each level is replaced once, whatever the number of takes."""
        per_line: defaultdict[LineId, int] = defaultdict(int)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        new_claims = self.made.new_claims
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
        self._commit(per_level)

    def reserve(self, new: NewReservation, takes: Iterable[Take]) -> None:
        """Add a reservation that was not there before; the lines of the takes are those of the reservation."""
        self.reservations[new.reservation.id] = new.reservation
        self.made.new_reservations.append(new)
        per_level: defaultdict[LevelKey, int] = defaultdict(int)
        for line, item, location, units in takes:
            per_level[item, location] += units
            claim = CartClaim(
                id=AllocationId(NEW_CLAIM + len(self.made.new_claims)),
                reservation=new.reservation.id,
                reserved_line=ReservedLineId(line),
                item=item,
                location=location,
                quantity=units,
            )
            self.made.new_claims.append(claim)
            self._add_claim(claim)
        self._commit(per_level)

    def end_reservation(self, reservation: Reservation) -> None:
        """The reservation has ended as its state says. Nothing may be set aside for it any more."""
        assert not self.claims_of_reservation(reservation.id), "units of a cart that has ended"
        self.reservations[reservation.id] = reservation
        self.made.ended_reservations.append(reservation)

    def _commit(self, per_level: Mapping[LevelKey, int]) -> None:
        """So many units more are set aside at the levels."""
        for key, units in per_level.items():
            level = self.levels[key]
            self.levels[key] = with_committed(level, level.committed + units, level.version)

    def give_back(self, claim: Held, quantity: int, reason: AllocationEnd, cause: AllocationCause) -> None:
        """End `quantity` units of a claim: those without stock behind them first, and those that are picked last."""
        unbacked = min(claim.overallocated, quantity)
        put_back = max(0, quantity - (claim.quantity - claim.picked))
        self._end(claim, quantity, unbacked, put_back, reason)
        self._take_from_line(claim, quantity, unbacked)
        level = self.levels[claim.level]
        level = replace(
            level,
            committed=level.committed - quantity,
            flagged=level.flagged - unbacked,
            picked=level.picked - put_back,
        )
        self.change_level(level, cause)
        if isinstance(claim, Claim) and claim.fulfillment_line is not None:
            self.floor.shrink(claim.fulfillment_line, quantity, put_back)

    def _end(self, claim: Held, quantity: int, unbacked: int, picked: int, reason: AllocationEnd) -> None:
        remaining = replace(
            claim,
            quantity=claim.quantity - quantity,
            overallocated=claim.overallocated - unbacked,
            picked=claim.picked - picked,
        )
        if remaining.quantity:
            self.claims[claim.id] = remaining
        else:
            del self.claims[claim.id]
        ended = EndedClaim(allocation=self._row_of(claim), claim=claim, quantity=quantity, reason=reason)
        self.made.ended_claims.append(ended)

    def send(self, claim: Claim, line: FulfillmentLineId | None) -> None:
        """The claim's units are sent with this line of a fulfillment, or (None) wait to be released again."""
        self.claims[claim.id] = replace(claim, fulfillment_line=line)

    def pick(self, claim: Claim, units: int) -> Claim:
        """So many units of the claim have been fetched; with a negative number: put back. Others may be weaker now."""
        claim = replace(claim, picked=claim.picked + units)
        self.claims[claim.id] = claim
        level = self.levels[claim.level]
        self.levels[level.key] = replace(level, picked=level.picked + units)
        if level.overallocated:
            self._stale_levels.add(level.key)
            self._blame(level.key, AllocationCause.PICKED, first=False)
        return claim

    def ship(self, claim: Claim, reference: str) -> None:
        """The claim's units have left: it is consumed, and they are on hand no longer."""
        assert claim.picked == claim.quantity, "shipped without being picked"
        self._end(claim, claim.quantity, claim.overallocated, claim.picked, AllocationEnd.SHIPPED)
        self._take_from_line(claim, claim.quantity, claim.overallocated)
        line = self.lines[claim.line]
        self.lines[line.id] = replace(line, shipped=line.shipped + claim.quantity)
        level = self.levels[claim.level]
        level = replace(
            level,
            on_hand=level.on_hand - claim.quantity,
            committed=level.committed - claim.quantity,
            flagged=level.flagged - claim.overallocated,
            picked=level.picked - claim.quantity,
        )
        self.change_level(level, AllocationCause.SHIPPED)
        self.move(
            Movement(
                item=claim.item,
                location=claim.location,
                quantity=StockQuantity.ON_HAND,
                change=-claim.quantity,
                balance=level.on_hand,
                cause=MovementCause.SHIPPED,
                reference=reference,
                actor=self.actor,
                request=self.request,
            )
        )

    def divide_sent(self, claim: Claim, quantity: int, line: FulfillmentLineId) -> None:
        """So many units of a claim, all of it picked, are sent with another line."""
        if quantity == claim.quantity:
            self.send(claim, line)
            return
        unbacked = min(claim.overallocated, quantity)
        part = replace(claim, quantity=quantity, overallocated=unbacked, picked=quantity, fulfillment_line=line)
        self._add_claim(self._divide(claim, part))
        self._unsorted.add(claim.order)
        if claim.overallocated:  # the part is the weaker one, also than parts that came off before
            self._stale_levels.add(claim.level)
            self._blame(claim.level, AllocationCause.PICKED, first=False)

    def hand_over(
        self, claim: Held, to_line: LineId, quantity: int, cause: AllocationCause = AllocationCause.EDITED
    ) -> None:
        """Give `quantity` units of a claim, an order's or a cart's, to a line of an order: they stay set aside.

        A claim that goes whole stays the row that it is; otherwise it is divided, and both parts are as old as it was.
        The units without stock behind them go first, as the new part is the weaker of the two. `cause`: why flags move
        where the two orders differ in priority.
        """
        to = self.lines[to_line]
        assert to.item == claim.item, "units of another SKU"
        assert not claim.picked, "units that are picked"
        assert 0 < quantity <= claim.quantity, "more units than the claim has"
        unbacked = min(claim.overallocated, quantity)
        moved = Claim(
            id=claim.id,
            order=to.order,
            line=to_line,
            item=claim.item,
            location=claim.location,
            quantity=quantity,
            overallocated=unbacked,
            priority=self.orders[to.order].priority,
            seniority=claim.seniority,
        )
        if quantity < claim.quantity:
            moved = self._divide(claim, moved)
            self._add_claim(moved)
        else:
            self.claims[claim.id] = moved
            self._claims_of[to.order].append(claim.id)
        self._unsorted.add(to.order)
        self._take_from_line(claim, quantity, unbacked)
        to = self.lines[to_line]
        self.lines[to_line] = replace(
            to, allocated=to.allocated + quantity, overallocated=to.overallocated + unbacked, looked_at=True
        )
        self._stale_levels.add(claim.level)
        self._blame(claim.level, cause, first=False)

    def _take_from_line(self, claim: Held, quantity: int, unbacked: int) -> None:
        """The claim's line has so many units less, where it is a line of an order."""
        if isinstance(claim, Claim):
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(
                line, allocated=line.allocated - quantity, overallocated=line.overallocated - unbacked
            )

    def _divide(self, claim: Held, part: Claim) -> Claim:
        """The part under an id of its own; the claim keeps the rest."""
        self.claims[claim.id] = replace(
            claim,
            quantity=claim.quantity - part.quantity,
            overallocated=claim.overallocated - part.overallocated,
            picked=claim.picked - part.picked,
        )
        part = replace(part, id=AllocationId(NEW_CLAIM + len(self.made.new_claims)), seniority=age(claim)[0])
        self.made.new_claims.append(part)
        row = self._row_of(claim)
        if row in self.claims_before:
            self.divided[part.id] = row
        return part

    def _row_of(self, claim: Held) -> AllocationId:
        """The row in which the units were before this batch."""
        return self.divided.get(claim.id, claim.id)

    # ------------------------------------------------------------------ flags

    def unsettled(self) -> dict[LevelKey, int]:
        """Levels whose flags must be set anew, each with how many units of its weakest claims must be known for it.

        The claims of the batch's own orders are known, and may have moved among the weakest: their units come on top.
        """
        if not self._stale_levels:
            return {}
        needed: Counter[LevelKey] = Counter()
        for key in self._stale_levels:
            before, level = self.levels_before.get(key), self.levels[key]
            needed[key] = max(before.flagged if before else 0, level.flagged, level.overallocated)
        needed = +needed
        if needed:
            for claim in self.claims_before.values():
                if claim.level in needed:
                    needed[claim.level] += claim.quantity
        return dict(needed)

    def _settle_flags(self) -> None:
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

    def _flag(self, claim: Held, overallocated: int) -> None:
        change = overallocated - claim.overallocated
        if change:
            self.claims[claim.id] = replace(claim, overallocated=overallocated)
        if change and isinstance(claim, Claim):
            line = self.lines[claim.line]
            self.lines[claim.line] = replace(line, overallocated=line.overallocated + change)
            if claim.order not in self.order_causes:
                self.order_causes[claim.order] = self.level_causes.get(claim.level, AllocationCause.OTHER)
                self.order_actors[claim.order] = self._level_actors.get(claim.level, self.actor)


def _served(line: OrderLine, units: int) -> OrderLine:
    """The line with so many units more set aside in a run: made for every line, and `replace` takes twice as long."""
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
        bundle=line.bundle,
        bundle_units=line.bundle_units,
    )
