"""The warehouse half of the model: what is sent for which order, and how far it is.

It does not know which task fetches how much from which bin: whoever records a pick says what the task asks for and what
is recorded where it looks, as the database has it; that tasks and bins are sound is the business of `dibs verify`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests import reference
from tests.services.holds_model import Holds

if TYPE_CHECKING:
    from tests.services.model import Claim, Order

Key = tuple[str, str]
Told = Any
PICKABLE = ("RELEASED", "PICKING")
UNDER_WAY = (*PICKABLE, "PICKED", "CHECKED", "PACKED")
GONE = ("SHIPPED", "DELIVERED")


@dataclass
class Fulfillment:
    """What one place sends for one order: units by line, and how many of them are picked. `parcels`: the same of each.

    `number`: its position among all fulfillments, from 0.
    """

    number: int
    order: str
    place: str
    kind: str = "STOCK"
    state: str = "RELEASED"
    units: Counter[int] = field(default_factory=Counter)
    picked: Counter[int] = field(default_factory=Counter)
    parcels: list[Mapping[int, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.units.total()

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


@dataclass(frozen=True)
class Seen:
    """A task as the database has it: what it asks for, whether it looks into a bin, and how many units are there."""

    fulfillment: int
    line: int
    missing: int
    in_bin: bool
    recorded: int


@dataclass
class Floor(Holds):
    """A part of `Model`. `checking`: places that pack nothing without a quality check."""

    fulfillments: list[Fulfillment] = field(default_factory=list, kw_only=True)
    checking: Sequence[str] = field(default=(), kw_only=True)

    # ------------------------------------------------------------ readings

    def of(self, number: str) -> list[Fulfillment]:
        return [one for one in self.fulfillments if one.order == number]

    def picked_at(self, key: Key) -> int:
        return sum(claim.picked for claim in self.claims if self.key_of(claim) == key)

    def set_apart(self, key: Key, level: Mapping[str, int]) -> int:
        """What lies apart at a level, so that nobody can pick it, or correct it away."""
        return level["DAMAGED"] + level["QUALITY_CONTROL"] + self.picked_at(key)

    def has_sent(self, number: str) -> bool:
        return any(one.state in GONE for one in self.of(number))

    def is_with_a_warehouse(self, number: str) -> bool:
        return any(one.kind == "STOCK" and one.is_under_way for one in self.of(number))

    def packed(self, number: str) -> Counter[int]:
        """Units by line that are in parcels which have not left."""
        return sum((one.units for one in self.of(number) if one.state == "PACKED"), Counter())

    def fulfillment_status(self, number: str) -> str:
        wanted = sum(line.quantity - line.canceled for line in self.orders[number].lines)
        gone = sum(one.total for one in self.of(number) if one.state in GONE)
        states = {one.state for one in self.of(number) if one.is_under_way}
        if wanted and sum(one.total for one in self.of(number) if one.state == "DELIVERED") >= wanted:
            return "DELIVERED"
        if gone:
            return "SHIPPED" if wanted and gone >= wanted else "PARTIALLY_SHIPPED"
        return {(): "NOT_RELEASED", ("PACKED",): "PACKED", ("RELEASED",): "RELEASED"}.get(tuple(states), "PICKING")

    def sent_with(self, one: Fulfillment, at: int) -> "list[Claim]":
        """The oldest first."""
        return [claim for claim in self.claims_of(one.order, at) if claim.sent == one.number]

    def returned(self, number: str) -> "list[tuple[Claim, int]]":
        """What an order that has lost stock gives back before it is served anew: of what is released, only what is
        lost and not picked.
        """
        lost = self.unbacked()
        units = [
            (one, one.units if one.sent is None else min(lost.get(one.number, 0), one.units - one.picked))
            for one in self.claims_of(number)
        ]
        return [(claim, quantity) for claim, quantity in units if quantity]

    def least_far(self, number: str, at: int) -> "Claim":
        """Whose units an edit takes first: what waits, then what nobody has fetched, then the latest."""

        def how_far(claim: "Claim") -> tuple[bool, bool, bool, int, int]:
            packed = claim.sent is not None and self.fulfillments[claim.sent].state == "PACKED"
            return claim.sent is not None, claim.picked > 0, packed, -claim.age, -claim.number

        return min(self.claims_of(number, at), key=how_far)

    # ------------------------------------------------------------ moves

    def give_back(self, claim: "Claim", units: int) -> None:
        """Those that are picked go last."""
        put_back = max(0, units - (claim.units - claim.picked))
        claim.units -= units
        claim.picked -= put_back
        if claim.sent is not None:
            one = self.fulfillments[claim.sent]
            one.units[claim.line] -= units
            one.picked[claim.line] -= put_back
            self.settle(one)
        if not claim.units:
            self._end([claim])

    def settle(self, one: Fulfillment) -> None:
        complete = one.picked.total() == one.total
        if not one.total:
            one.state = "CANCELED"
        elif complete and one.state in PICKABLE:
            one.state = "PICKED"
        elif not complete and one.state not in PICKABLE:
            one.state = "PICKING"

    def fulfill(self, number: str) -> None:
        order: Order = self.orders[number]
        if order.status == "FINALIZED" and self.fulfillment_status(number) == "DELIVERED":
            order.status = "FULFILLED"

    def _start(self, number: str, place: str, **more: Any) -> Fulfillment:
        self.fulfillments.append(Fulfillment(len(self.fulfillments), number, place, **more))
        return self.fulfillments[-1]

    def _send_out(self, number: str, claims: "Sequence[Claim]", into: Fulfillment | None = None) -> None:
        for place in dict.fromkeys(claim.place for claim in claims):
            one = into if into and into.place == place else self._start(number, place)
            for claim in claims:
                if claim.place == place:
                    claim.sent = one.number
                    one.units[claim.line] += claim.units
            self.settle(one)

    def _replace(self, one: Fulfillment, missing: Mapping[int, int]) -> None:
        """Set so many other units aside, and send them out too: from here with the rest, wherever that has got to."""
        order: Order = self.orders[one.order]
        held = Counter[int]()
        for claim in self.claims_of(one.order):
            held[claim.line] += claim.units
        asks = [(at, line.sku, missing[at]) for at, line in enumerate(order.lines) if missing.get(at)]
        left_out = any(line.open > held[at] + missing.get(at, 0) for at, line in enumerate(order.lines))
        (answer,) = self._decide([reference.Wish(asks, [], order.policy == "SHIP_COMPLETE", left_out)], None)
        fresh = [self._make(one.order, at, place, units) for (at, place), units in answer.taken.items()]
        for at, _, _ in asks:
            order.lines[at].looked_at = True
        if one.state == "CANCELED" and any(claim.place == one.place for claim in fresh):
            one.state = "PICKING"
        self._send_out(one.order, fresh, one)

    def _divide(self, one: Fulfillment, leaving: Mapping[int, int]) -> Fulfillment | None:
        """So many units of each line, all of them picked, become a fulfillment of their own: the latest."""
        if not sum(leaving.values()):
            return None
        part, made = self._start(one.order, one.place, state=one.state), self.made
        for at, units in leaving.items():
            one.units[at] -= units
            one.picked[at] -= units
            part.units[at] = part.picked[at] = units
            for claim in self.sent_with(one, at)[::-1]:
                here = min(units, claim.units)
                units -= here
                if here == claim.units:
                    claim.sent = part.number
                elif here:
                    claim.units -= here
                    claim.picked -= here
                    apart = self._make(claim.order, claim.line, claim.place, here, claim.age)
                    apart.sent, apart.picked = part.number, here
        self._by_age(made)
        return part

    # ------------------------------------------------------------ what may be asked for

    def release_orders(self, numbers: Sequence[str], *, partial: bool) -> Told:
        """In this sequence. Told: of each order, how many fulfillments it has now."""
        return [self._release(number, partial=partial) for number in numbers]

    def _release(self, number: str, *, partial: bool) -> Told:
        order: Order = self.orders[number]
        if order.status != "FINALIZED":
            return "OrderNotInState"
        waiting = [claim for claim in self.claims_of(number) if claim.sent is None]
        status = self.statuses()[number]
        may_be_partial = partial and order.policy == "SHIP_AVAILABLE" and waiting
        is_ready = status == "ALLOCATED" or (status == "PARTIALLY_ALLOCATED" and may_be_partial)
        if self.holds[number] or not is_ready:
            return "OrderNotReleasable"
        before = len(self.fulfillments)
        self._send_out(number, waiting)
        return len(self.fulfillments) - before

    def cancel_fulfillment(self, which: int) -> Told:
        one = self.fulfillments[which]
        if not one.is_under_way:
            return "FulfillmentNotInState"
        one.state = "CANCELED"
        for at, units in one.units.items():
            if one.kind == "DROPSHIP":
                line = self.orders[one.order].lines[at]
                line.dropshipped -= units
                line.looked_at = False
            for claim in self.sent_with(one, at):
                claim.sent, claim.picked = None, 0
        return "done"

    def cancel_all(self, number: str) -> None:
        for one in self.of(number):
            self.cancel_fulfillment(one.number)

    def record_pick(self, seen: Seen, units: int, short: tuple[bool, int | None] | None) -> Told:
        """`short`: whether units were damaged rather than not found, and how many are left there."""
        one = self.fulfillments[seen.fulfillment]
        key = self.orders[one.order].lines[seen.line].sku, one.place
        if one.state not in PICKABLE or units > seen.missing:
            return "PickConflict"
        if self.set_apart(key, self.stock[key]) + units > self.stock[key]["ON_HAND"]:
            return "PickConflict"
        one.state = "PICKING"
        left = units
        for claim in self.sent_with(one, seen.line):
            here = min(left, claim.units - claim.picked)
            claim.picked += here
            left -= here
        one.picked[seen.line] += units
        if short:
            self._close_the_loop(one, seen, key, units, *short)
        self.settle(one)
        return "done"

    def _close_the_loop(
        self, one: Fulfillment, seen: Seen, key: Key, units: int, damaged: bool, left: int | None
    ) -> None:
        """Where nothing is said, a bin is empty, and of what lies anywhere only what is missing is gone."""
        there, missing = max(0, seen.recorded - units), seen.missing - units
        broken = min(missing, there) if damaged else 0
        there -= broken
        gone = there if seen.in_bin else min(there, missing - broken)
        lost = gone if left is None else max(0, there - left)
        self._move_stock(key, -lost)
        self.stock[key]["DAMAGED"] += broken
        if missing:
            for claim in self.sent_with(one, seen.line)[::-1]:
                here = min(missing, claim.units - claim.picked)
                missing -= here
                if here:
                    self.give_back(claim, here)
            self._replace(one, {seen.line: seen.missing - units})

    def _move_stock(self, key: Key, units: int) -> None:
        """On hand has changed now."""
        self.stock[key]["ON_HAND"] += units
        if units:
            self.moved.append((self.now, self.now, key, units))

    def check(self, which: int, failed: Sequence[tuple[int, int]]) -> Told:
        one = self.fulfillments[which]
        if one.state != "PICKED":
            return "FulfillmentNotInState"
        total = Counter[int]()
        for at, units in failed:
            total[at] += units
        if any(units > one.units[at] for at, units in total.items()):
            return "InvalidInput"
        one.state = "CHECKED"
        for at, units in failed:
            missing = units
            for claim in self.sent_with(one, at)[::-1]:
                here = min(missing, claim.units)
                missing -= here
                if here:
                    self.give_back(claim, here)
            self.stock[self.orders[one.order].lines[at].sku, one.place]["QUALITY_CONTROL"] += units
        if failed:
            self._replace(one, total)
        return "done"

    def pack(self, which: int, parcels: Sequence[Mapping[int, int]] | None) -> Told:
        """None: everything in one."""
        one = self.fulfillments[which]
        if one.state not in ("PICKED", "CHECKED") or (one.place in self.checking and one.state != "CHECKED"):
            return "FulfillmentNotInState"
        inside = [dict(one.units)] if parcels is None else parcels
        rest = Counter(one.units)
        rest.subtract(sum((Counter(parcel) for parcel in inside), Counter()))
        if min(rest.values()) < 0:
            return "InvalidInput"
        self._divide(one, {at: units for at, units in rest.items() if units})
        one.state, one.parcels = "PACKED", list(inside)
        return "done"

    def ship(self, which: int, some: Sequence[int] | None) -> Told:
        """`some`: parcels by position; None: whatever there is."""
        one = self.fulfillments[which]
        if one.state != ("PACKED" if one.kind == "STOCK" else "RELEASED"):
            return "FulfillmentNotInState"
        if some is not None:
            staying = [parcel for at, parcel in enumerate(one.parcels) if at not in some]
            part = self._divide(one, sum((Counter(parcel) for parcel in staying), Counter()))
            if part:
                part.parcels = staying
                one.parcels = [parcel for at, parcel in enumerate(one.parcels) if at in some]
        one.state = "SHIPPED"
        for at, units in one.units.items() if one.kind == "STOCK" else ():
            line = self.orders[one.order].lines[at]
            self._move_stock((line.sku, one.place), -units)
            line.shipped += units
            self._end(self.sent_with(one, at))
        return "done"

    def deliver(self, which: int) -> Told:
        one = self.fulfillments[which]
        if one.state != "SHIPPED":
            return "FulfillmentNotInState"
        one.state = "DELIVERED"
        self.fulfill(one.order)
        return "done"

    def dropship(self, number: str, supplier: str, quantities: Mapping[int, int] | None) -> Told:
        order: Order = self.orders[number]
        if quantities is None:
            quantities = {at: line.open for at, line in enumerate(order.lines) if line.open}
        if order.status != "FINALIZED":
            return "OrderNotInState"
        if self.is_with_a_warehouse(number):
            return "OrderAlreadyReleased"
        if not quantities or any(not 0 < units <= order.lines[at].open for at, units in quantities.items()):
            return "InvalidInput"
        if self.holds[number]:
            return "OrderNotReleasable"
        for at, units in quantities.items():
            line, claims = order.lines[at], self.claims_of(number, at)
            surplus = sum(claim.units for claim in claims) - (line.open - units)
            for claim in claims[::-1]:
                here = max(0, min(surplus, claim.units))
                surplus -= here
                if here:
                    self.give_back(claim, here)
            line.dropshipped += units
        self._start(number, supplier, kind="DROPSHIP", units=Counter(quantities))
        return "done"
