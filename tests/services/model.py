"""A merchant's shop in dictionaries: what Dibs must say and hold after each request, without a database or a batch.

It knows orders by number and lines by position, and serves one request after the other: also those that reached Dibs
together. Who gets which unit is the business of the reference allocator; what becomes of the goods, of
`tests.services.floor_model`; and on their way back, of `tests.services.returns_model`. A new operation is a method that
moves the dictionaries and returns what the caller must be told (`tests/services/test_state_machine.py` says in which
form). What holds an order stands in `tests.services.holds_model`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests import reference
from tests.services.returns_model import Returns

Key = tuple[str, str]
"""SKU and location."""
ON_HAND, SET_APART = "ON_HAND", ("DAMAGED", "QUALITY_CONTROL", "SAFETY_STOCK")
EDITABLE = ("DRAFT", "FINALIZED")
Told = Any


BUNDLES: Mapping[str, Mapping[str, int]] = {"SET": {"CHAIR": 2, "LAMP": 1}}
"""What is bought as one, and the units of each component in it."""


@dataclass
class Line:
    """One line of an order. `bundle`: what it was bought as a part of, by number; `units_each`: its units in one."""

    sku: str
    quantity: int
    canceled: int = 0
    looked_at: bool = False
    shipped: int = 0
    dropshipped: int = 0
    bundle: int | None = None
    units_each: int = 0

    @property
    def gone(self) -> int:
        """What is not to be served any more, by whoever sends it."""
        return self.shipped + self.dropshipped

    @property
    def open(self) -> int:
        return self.quantity - self.canceled - self.gone


@dataclass
class Order:
    """An order; its lines keep their position."""

    status: str
    policy: str
    priority: int
    lines: list[Line]


@dataclass
class Cart:
    """A stock reservation. `over`: its time is, whether or not anybody has swept it. `order`: what took it over."""

    lines: list[Line]
    state: str = "ACTIVE"
    over: bool = False
    order: str | None = None


@dataclass
class Transfer:
    """Units between two locations: what was sent, and what became of it, by SKU."""

    origin: str
    destination: str
    sent: Counter[str]
    state: str = "EXPECTED"
    received: Counter[str] = field(default_factory=Counter)
    canceled: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> Counter[str]:
        """In transit."""
        return self.sent - self.received - self.canceled - self.lost


@dataclass
class Claim:
    """Units that are set aside. The list of claims is in the order in which they were made.

    `order`: or the cart. `age`: the number of the claim that it was part of: it is as old. `sent`: with which
    fulfillment; `picked`: units of it that have been fetched.
    """

    number: int
    order: str
    line: int
    place: str
    units: int
    age: int = 0
    sent: int | None = None
    picked: int = 0


@dataclass
class Model(Returns):
    """`places` in the sequence in which they are tried.

    Moments are 1, 2, 3; `now` is between two of them. `moved`: when on hand changed, the moment that the change is
    about, where, and by how much. `counted`: the latest moment that somebody counted.
    """

    places: Sequence[str]
    stock: dict[Key, Counter[str]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    carts: dict[str, Cart] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    now: float = 0.5
    moved: list[tuple[float, float, Key, int]] = field(default_factory=list)
    counted: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(float))
    claims: list[Claim] = field(default_factory=list)
    made: int = 0
    bundles: int = 0

    # ------------------------------------------------------------ readings

    def supply(self, key: Key) -> int:
        here = self.stock[key]
        return max(0, here[ON_HAND] - sum(here[name] for name in SET_APART))

    def committed(self, key: Key) -> int:
        return sum(claim.units for claim in self.claims if self.key_of(claim) == key)

    def key_of(self, claim: Claim) -> Key:
        holder = self.carts.get(claim.order) or self.orders[claim.order]
        return holder.lines[claim.line].sku, claim.place

    def claims_of(self, order: str, line: int | None = None) -> list[Claim]:
        """The oldest first."""
        found = [claim for claim in self.claims if claim.order == order and line in (None, claim.line)]
        return sorted(found, key=lambda claim: (claim.age, claim.number))

    def unbacked(self) -> Mapping[int, int]:
        """Units of each claim that have no stock behind them."""
        at: defaultdict[Key, list[tuple[int, int, int, int]]] = defaultdict(list)
        for claim in self.claims:
            priority = 0 if claim.order in self.carts else self.orders[claim.order].priority
            at[self.key_of(claim)].append((claim.number, claim.age, priority, claim.units))
        picked = {claim.number: claim.picked for claim in self.claims}
        lost: dict[int, int] = {}
        for key, claims in at.items():
            missing = max(0, sum(units for *_, units in claims) - self.supply(key))
            lost |= reference.unbacked(claims, missing, picked)
        return lost

    def statuses(self) -> dict[str, str | None]:
        lost = self.unbacked()
        return {number: self.status(number, lost) for number in self.orders}

    def status(self, number: str, lost: Mapping[int, int] | None = None) -> str | None:
        order, claims = self.orders[number], self.claims_of(number)
        lost = self.unbacked() if lost is None else lost
        wanted, held = sum(line.open for line in order.lines), sum(claim.units for claim in claims)
        if order.status == "VOID" or not wanted:
            return None
        if any(claim.number in lost for claim in claims):
            return "OVERALLOCATED"
        if held:
            return "ALLOCATED" if held == wanted else "PARTIALLY_ALLOCATED"
        looked_at = any(line.looked_at and line.open for line in order.lines)
        return "COULD_NOT_ALLOCATE" if looked_at else "UNALLOCATED"

    # ------------------------------------------------------------ stock

    def receive(self, place: str, lines: Sequence[tuple[str, int]]) -> Told:
        return self._change(place, ON_HAND, lines)

    def correct(self, place: str, quantity: str, lines: Sequence[tuple[str, int]]) -> Told:
        return self._change(place, quantity, lines)

    def count(self, place: str, quantity: str, sku: str, units: int) -> Told:
        told = self._change(place, quantity, [(sku, units - self.stock.get((sku, place), Counter())[quantity])])
        if quantity == ON_HAND and told != "InsufficientStock":
            self.counted[sku, place] = self.now
        return told

    def count_then(self, place: str, moment: int, counted: Mapping[str, int]) -> Told:
        """On hand is what was counted, and what has moved since; of two counts, that of the later moment holds."""
        superseded = [sku for sku in counted if self.counted[sku, place] > moment]
        changes = [
            (sku, units + self._moved_since(moment, (sku, place)) - self.stock.get((sku, place), Counter())[ON_HAND])
            for sku, units in counted.items()
            if sku not in superseded
        ]
        told = self._change(place, ON_HAND, changes, moment)
        if told == "InsufficientStock":
            return told
        for sku in counted:
            self.counted[sku, place] = max(moment, self.counted[sku, place])
        return [(sku, place) for sku in counted], told[1], superseded

    def _moved_since(self, moment: int, where: Key) -> int:
        return sum(units for at, about, key, units in self.moved if key == where and min(at, about) > moment)

    def _change(self, place: str, quantity: str, lines: Sequence[tuple[str, int]], about: float | None = None) -> Told:
        """Every line or none; what it makes overallocated is told. `about`: the moment of a count."""
        before = self.statuses()
        after = {(sku, place): Counter(self.stock.get((sku, place), Counter())) for sku, _ in lines}
        for sku, units in lines:
            after[sku, place][quantity] += units
        for key, level in after.items():
            if level[quantity] < 0 or self.set_apart(key, level) > level[ON_HAND]:
                return "InsufficientStock"
        self.stock |= after
        if quantity == ON_HAND:
            self.moved += [(self.now, about or self.now, (sku, place), units) for sku, units in lines]
        now = self.statuses()
        fallen = {number for number in now if now[number] == "OVERALLOCATED" != before[number]}
        return list(after), fallen, []

    def send(self, name: str, origin: str, destination: str, lines: Sequence[tuple[str, int]]) -> Told:
        if name in self.transfers:
            return "SupplyAlreadyExpected"
        told = self._change(origin, ON_HAND, [(sku, -units) for sku, units in lines])
        if told != "InsufficientStock":
            self.transfers[name] = Transfer(origin, destination, _summed(lines))
            for sku, _ in lines:
                self.stock.setdefault((sku, destination), Counter())
        return told

    def arrive(self, name: str, lines: Sequence[tuple[str, int]]) -> Told:
        """More than was sent may arrive."""
        transfer = self.transfers[name]
        if any(sku not in transfer.sent for sku, _ in lines):
            return "InvalidInput"
        if transfer.state != "EXPECTED":
            return "SupplyNotInState"
        transfer.received += _summed(lines)
        if not transfer.open:
            transfer.state = "RECEIVED"
        return self._change(transfer.destination, ON_HAND, lines)

    def cancel(self, name: str) -> Told:
        """What is in transit is back."""
        transfer = self.transfers[name]
        if transfer.state != "EXPECTED":
            return "SupplyNotInState"
        transfer.state, transfer.canceled = "CANCELED", transfer.open
        self._change(transfer.origin, ON_HAND, list(transfer.canceled.items()))
        return "done"

    def close(self, name: str) -> Told:
        """What is in transit is lost."""
        transfer = self.transfers[name]
        if transfer.state != "EXPECTED":
            return "SupplyNotInState"
        transfer.state, transfer.lost = "RECEIVED", transfer.open
        return "done"

    # ------------------------------------------------------------ orders

    def lines_of(self, asked: Sequence[tuple[str, int]]) -> list[Line]:
        """A bundle is a line for each component."""
        lines: list[Line] = []
        for sku, units in asked:
            if sku in BUNDLES:
                self.bundles += 1
                lines += (
                    Line(part, units * each, bundle=self.bundles, units_each=each)
                    for part, each in BUNDLES[sku].items()
                )
            else:
                lines.append(Line(sku, units))
        return lines

    def bundles_of_lines(self) -> dict[tuple[str, int], int]:
        return {
            (number, at): line.bundle
            for number, order in self.orders.items()
            for at, line in enumerate(order.lines)
            if line.bundle
        }

    def place(self, number: str, order: Order, cart: str | None = None) -> Told:
        if cart and order.status == "DRAFT":
            return "InvalidInput"
        if number in self.orders:
            return "OrderAlreadyPlaced"
        if cart and not self._is_active(cart):
            return "ReservationEnded"
        self.orders[number] = order
        if cart:
            self._take_over(cart, number)
        return "done"

    def finalize(self, number: str) -> Told:
        if self.orders[number].status != "DRAFT":
            return "OrderNotInState"
        self.orders[number].status = "FINALIZED"
        return "done"

    def void(self, number: str) -> Told:
        order = self.orders[number]
        if order.status not in EDITABLE:
            return "OrderNotInState"
        if self.has_sent(number):
            return "QuantityAlreadyShipped"
        self.cancel_all(number)
        order.status = "VOID"
        self._end(self.claims_of(number))
        self.lift([number], None)
        for line in order.lines:
            line.canceled = line.quantity
        return "done"

    def edit(
        self,
        number: str,
        quantities: Mapping[int, int],
        added: Sequence[tuple[str, int]],
        terms: Mapping[str, Any],
        bundles: Mapping[int, int] | None = None,
    ) -> Told:
        """`bundles`: how many there shall be of what these lines are parts of; a part is not changed alone."""
        order = self.orders[number]
        if any(order.lines[at].bundle for at in quantities):
            return "InvalidInput"
        wanted = {order.lines[at].bundle: units for at, units in (bundles or {}).items()}
        quantities = dict(quantities) | {
            at: wanted[line.bundle] * line.units_each
            for at, line in enumerate(order.lines)
            if line.bundle and line.bundle in wanted
        }
        if order.status not in EDITABLE:
            return "OrderNotInState"
        if any(units < order.lines[at].gone for at, units in quantities.items()):
            return "QuantityAlreadyShipped"
        packed = self.packed(number)
        if any(packed[at] and units < order.lines[at].gone + packed[at] for at, units in quantities.items()):
            return "OrderAlreadyReleased"
        had_everything = self.statuses()[number] == "ALLOCATED"
        for at, units in quantities.items():
            self._set_quantity(number, at, units)
        order.lines += self.lines_of(added)
        order.priority = terms.get("priority", order.priority)
        order.policy = terms.get("shipping_policy", order.policy)
        if had_everything and sum(line.open for line in order.lines) > sum(one.units for one in self.claims_of(number)):
            self.allocate([number], None, starts_over=False)
        self.fulfill(number)
        return "done"

    def _set_quantity(self, number: str, at: int, units: int) -> None:
        line = self.orders[number].lines[at]
        before = line.open
        if units:
            line.quantity, line.canceled = units, 0
        else:
            line.canceled += line.open
        line.looked_at = line.looked_at and line.open <= before
        while sum(claim.units for claim in self.claims_of(number, at)) > line.open:
            self.give_back(self.least_far(number, at), 1)

    def split(self, number: str, to: str | None, quantities: Mapping[int, int] | None) -> Told:
        """`quantities`: open units by line; None: what is set aside and has stock behind it."""
        order, lost = self.orders[number], self.unbacked()
        if order.status not in EDITABLE:
            return "OrderNotInState"
        if self.is_with_a_warehouse(number):
            return "OrderAlreadyReleased"
        to = to or next(f"{number}-{at}" for at in count(1) if f"{number}-{at}" not in self.orders)
        if to in self.orders:
            return "OrderAlreadyPlaced"
        if quantities is None:
            ready = self._ready(number, lost)
            quantities = {at: ready[at] for at in sorted(ready) if ready[at]}
        open_units = [line.open for line in order.lines]
        if not 0 < sum(quantities.values()) < sum(open_units):
            return "InvalidInput"
        if any(units > open_units[at] for at, units in quantities.items()):
            return "InvalidInput"
        self.orders[to], made = Order(order.status, order.policy, order.priority, []), self.made
        for at, units in quantities.items():
            self._move(number, at, to, units, lost)
        self._by_age(made)
        self.hold_as_well(number, to)
        self.fulfill(number)
        return "done"

    def _ready(self, number: str, lost: Mapping[int, int]) -> Counter[int]:
        """Units by line with stock behind them; of bundles, as many as are ready in whole."""
        ready, lines = Counter[int](), self.orders[number].lines
        for claim in self.claims_of(number):
            ready[claim.line] += claim.units - lost.get(claim.number, 0)
        for bundle in {line.bundle for line in lines if line.bundle}:
            parts = [at for at, line in enumerate(lines) if line.bundle == bundle]
            short = [at for at in parts if ready[at] < lines[at].open]
            for at in parts if short else ():
                ready[at] = min(
                    ready[at], min(ready[one] // lines[one].units_each for one in short) * lines[at].units_each
                )
        return ready

    def _move(self, number: str, at: int, to: str, units: int, lost: Mapping[int, int]) -> None:
        """Units of a line become a line of another order, unit by unit: those with stock first, and the oldest."""
        line, part = self.orders[number].lines[at], len(self.orders[to].lines)
        self.orders[to].lines.append(
            Line(line.sku, units, looked_at=line.looked_at, bundle=line.bundle, units_each=line.units_each)
        )
        claims = self.claims_of(number, at)
        backed = [claim for claim in claims for _ in range(claim.units - lost.get(claim.number, 0))]
        others = [claim for claim in claims for _ in range(lost.get(claim.number, 0))]
        gone = Counter(claim.number for claim in [*backed, *others][:units])
        for claim in claims:
            if gone[claim.number]:
                left, claim.units = claim.units - gone[claim.number], gone[claim.number]
                claim.order, claim.line = to, part
                if left:
                    self._make(number, at, claim.place, left, claim.age)
        if line.quantity > units:
            line.quantity -= units
        else:
            line.canceled += units

    def _by_age(self, made: int) -> None:
        """Parts that came off in one transaction are numbered by their age. `made`: how many claims there were."""
        new = sorted((claim for claim in self.claims if claim.number > made), key=lambda one: (one.age, one.number))
        for number, claim in enumerate(new, made + 1):
            claim.number = number
        self.claims = [*(claim for claim in self.claims if claim not in new), *new]

    def _make(self, order: str, line: int, place: str, units: int, age: int = 0) -> Claim:
        self.made += 1
        made = Claim(self.made, order, line, place, units, age or self.made)
        self.claims.append(made)
        return made

    # ------------------------------------------------------------ carts

    def reserve(self, lines: Sequence[tuple[str, int]], places: Iterable[str] | None) -> Told:
        """All or nothing; a repeated SKU counts as its sum."""
        wanted = _summed([(line.sku, line.quantity) for line in self.lines_of(lines)])
        asks = [(at, sku, units) for at, (sku, units) in enumerate(wanted.items())]
        (answer,) = self._decide([reference.Wish(asks, everything_or_nothing=True)], places)
        if answer.missing:
            return "InsufficientStock"
        name = f"cart {len(self.carts) + 1}"
        self.carts[name] = Cart([Line(sku, units) for sku, units in wanted.items()])
        for (at, place), units in answer.taken.items():
            self._make(name, at, place, units)
        return name

    def release(self, name: str) -> Told:
        if not self._is_active(name):
            return "ReservationEnded"
        self._end_cart(name, "RELEASED")
        return name

    def sweep(self) -> None:
        for name, cart in self.carts.items():
            if cart.state == "ACTIVE" and cart.over:
                self._end_cart(name, "EXPIRED")

    def _is_active(self, name: str) -> bool:
        return self.carts[name].state == "ACTIVE" and not self.carts[name].over

    def _take_over(self, name: str, number: str) -> None:
        """Each line gets of the oldest units first, until it has what it wants."""
        made = self.made
        for at, line in enumerate(self.orders[number].lines):
            line.looked_at, missing = True, line.open
            for claim in self.claims_of(name):
                if missing and self.key_of(claim)[0] == line.sku:
                    units = min(missing, claim.units)
                    missing -= units
                    if units == claim.units:
                        claim.order, claim.line = number, at
                    else:
                        claim.units -= units
                        self._make(number, at, claim.place, units, claim.age)
        self.carts[name].order = number
        self._end_cart(name, "TAKEN_OVER")
        self._by_age(made)

    def _end_cart(self, name: str, state: str) -> None:
        self._end(self.claims_of(name))
        self.carts[name].state = state

    # ------------------------------------------------------------ allocation

    def allocate(
        self,
        numbers: Sequence[str],
        places: Iterable[str] | None,
        units: Mapping[int, int | None] | None = None,
        *,
        nobody_passes: bool = False,
        policy: str | None = None,
        starts_over: bool = True,
    ) -> Told:
        """`places`: those that may be used. `units`: of one order, the units of each line that shall be set aside.

        `policy`: for all orders of the run, whatever their own. `starts_over`: whether an overallocated order is
        deallocated first.
        """
        before = self.statuses()
        served = [number for number in numbers if self.orders[number].status == "FINALIZED"]
        returned = {number: self.returned(number) for number in served}
        wishes = {
            number: self._wish(number, starts_over and before[number] == "OVERALLOCATED", units, policy)
            for number in served
        }
        decided = self._decide(list(wishes.values()), places, nobody_passes=nobody_passes)
        answers = dict(zip(served, decided, strict=True))
        for number in served:
            if starts_over and before[number] == "OVERALLOCATED":
                for claim, quantity in returned[number]:
                    self.give_back(claim, quantity)
        for number, answer in answers.items():
            for (at, place), quantity in sorted(answer.taken.items(), key=lambda one: one[0][0]):
                self._make(number, at, place, quantity)
            for at, _, _ in wishes[number].asks:
                self.orders[number].lines[at].looked_at = True
        after = self.statuses()
        return [
            (before[number], after[number], self._lines_told(wishes[number], answers[number]))
            if number in answers
            else "OrderNotInState"
            for number in numbers
        ]

    def _decide(
        self, wishes: Sequence[reference.Wish], places: Iterable[str] | None, *, nobody_passes: bool = False
    ) -> list[reference.Answer]:
        usable = [place for place in self.places if places is None or place in places]
        free = {key: self.supply(key) - self.committed(key) for key in self.stock if key[1] in usable}
        return reference.allocate(wishes, usable, free, nobody_passes=nobody_passes)

    def _wish(
        self, number: str, starts_over: bool, units: Mapping[int, int | None] | None, policy: str | None
    ) -> reference.Wish:
        order = self.orders[number]
        returned = Counter[int]()
        for claim, quantity in self.returned(number) if starts_over else ():
            returned[claim.line] += quantity
        asks: list[tuple[int, str, int]] = []
        bundles: dict[int, tuple[int, int, int]] = {}
        left_out = False
        for at, line in enumerate(order.lines):
            held = sum(claim.units for claim in self.claims_of(number, at))
            kept = held - returned[at]
            wanted: int | None
            if units is None:
                wanted = line.open
            elif at in units:
                wanted = line.open if units[at] is None else min(units[at] or 0, line.open)
            else:
                wanted = held if starts_over and held else None
            if line.open and wanted is not None:
                asks.append((at, line.sku, max(0, wanted - kept)))
                if line.bundle and units is None:
                    bundles[at] = line.bundle, line.units_each, kept
            left_out = left_out or max(wanted or 0, kept) < line.open
        back = [(*self.key_of(claim), n) for claim, n in self.returned(number)] if starts_over else []
        complete = (policy or order.policy) == "SHIP_COMPLETE"
        return reference.Wish(asks, back, complete, left_out, bundles=bundles)

    @staticmethod
    def _lines_told(wish: reference.Wish, answer: reference.Answer) -> dict[int, tuple[int, int, dict[str, int]]]:
        told = {}
        for at, _, wanted in wish.asks:
            taken = {place: units for (line, place), units in answer.taken.items() if line == at}
            told[at] = wanted, wanted - answer.missing.get(at, 0), taken
        return told

    def deallocate(self, numbers: Sequence[str]) -> Told:
        before = self.statuses()
        return [self._deallocate(number, before[number]) for number in numbers]

    def _deallocate(self, number: str, before: str | None) -> Told:
        order = self.orders[number]
        if order.status != "FINALIZED":
            return "OrderNotInState"
        if any(claim.sent is not None for claim in self.claims_of(number)):
            return "OrderAlreadyReleased"
        given_back: dict[int, Counter[str]] = {}
        for claim in self.claims_of(number):
            given_back.setdefault(claim.line, Counter())[claim.place] += claim.units
        self._end(self.claims_of(number))
        for line in order.lines:
            line.looked_at = False
        lines = {at: (sum(places.values()), 0, dict(places)) for at, places in given_back.items()}
        return before, self.status(number), lines

    def _end(self, claims: Sequence[Claim]) -> None:
        gone = {claim.number for claim in claims}
        self.claims = [claim for claim in self.claims if claim.number not in gone]


def _summed(lines: Sequence[tuple[str, int]]) -> Counter[str]:
    units: Counter[str] = Counter()
    for sku, quantity in lines:
        units[sku] += quantity
    return units
