"""Who gets the stock. Pure: facts in, decisions out; no clock, no database.

`plan` promises stock to orders in the sequence given. `flags` says which claims are no longer backed when stock falls.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from domain.bundles import whole
from domain.ids import (
    AllocationId,
    BundleId,
    FulfillmentLineId,
    ItemId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    ReservationId,
    ReservedLineId,
)
from domain.kinds import AllocationSequence, ShippingPolicy
from domain.making import quickly_made
from domain.orders import Address
from domain.sourcing import BY_RANK, Sourcing, arrange
from domain.stock import Location, StockLevel

if TYPE_CHECKING:
    from domain.runs import RunSeek


class Ask(NamedTuple):
    """Units that a line still wants. `held_at`: where it has some already."""

    line: LineId
    item: ItemId
    quantity: int
    held_at: tuple[LocationId, ...] = ()


class Take(NamedTuple):
    """Units of one SKU at one location, set aside for one line."""

    line: LineId
    item: ItemId
    location: LocationId
    quantity: int


class Part(NamedTuple):
    """What a line has to do with its bundle: `units` of it are in one, and `held` units are set aside already."""

    bundle: BundleId
    units: int
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a run decides. `smaller_may_pass`: where an order does not get all it wants, a later one may have the rest.

    `shipping_policy`: holds for every order of the run; None: each order's own.
    """

    smaller_may_pass: bool = True
    shipping_policy: ShippingPolicy | None = None


FREE_FOR_ALL = Policy()
"""What holds where nobody has said anything else."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """What one order wants.

    `gives_back`: claims that it returns when its turn comes (an overallocated order is deallocated and allocated).
    `all_or_nothing`: nothing is set aside unless everything that is open can be. `not_asked_for`: open units that are
    neither set aside nor asked for now; they keep an all-or-nothing order from being served. `parts`: lines that only
    make whole bundles; those of one bundle stand next to each other.
    """

    order: OrderId
    asks: tuple[Ask, ...]
    gives_back: tuple[Take, ...] = ()
    all_or_nothing: bool = False
    not_asked_for: int = 0
    sourcing: Sourcing = BY_RANK
    ship_to: Address | None = None
    parts: Mapping[LineId, Part] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlan:
    """The decision for one order: what is taken, and how many units of which line are short.

    `sourcing_capped`: there were more sets of locations than were looked at.
    """

    order: OrderId
    takes: tuple[Take, ...]
    short: Mapping[LineId, int]
    sourcing_capped: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions of a batch, in its sequence. `closed`: SKUs that no later order of the run may have."""

    orders: tuple[OrderPlan, ...]
    closed: frozenset[ItemId] = frozenset()


class StockView:
    """The stock that a plan may draw on: per SKU, its locations in the order in which they are tried.

    Locations come by rank, then by id, unless an order's sourcing arranges them anew. A level's `available` is all that
    can be taken from it.
    """

    def __init__(
        self,
        levels: Iterable[StockLevel],
        ranks: Mapping[LocationId, int],
        places: Mapping[LocationId, Location] | None = None,
    ) -> None:
        """`ranks`: the locations that may be used, each with its rank (lower is tried first).

        `places` has all of them; only orders with sourcing rules of their own need it.
        """
        self.places = places or {}
        self.backing: dict[LevelKey, int] = {}
        self.committed: dict[LevelKey, int] = {}
        self.locations: dict[ItemId, list[LocationId]] = {}
        for level in levels:
            if level.location in ranks:
                self.backing[level.key] = level.backing
                self.committed[level.key] = level.committed
                self.locations.setdefault(level.item, []).append(level.location)
        for codes in self.locations.values():
            if len(codes) > 1:
                codes.sort(key=lambda location: (ranks[location], location))


def plan(
    orders: Sequence[OpenOrder],
    stock: StockView,
    policy: Policy = FREE_FOR_ALL,
    closed: Collection[ItemId] = (),
) -> Plan:
    """Promise stock to the orders in the sequence given; account for every unit that is short.

    The same SKU on several lines draws on one stock, so demand is summed. The same input gives the same plan.
    `closed`: SKUs that earlier batches of the same run have closed.
    """
    walk = _Walk(stock, policy, closed)
    return Plan(tuple(map(walk.serve, orders)), frozenset(walk.closed))


class _Walk:
    """From order to order: what is committed by then, and what is closed."""

    def __init__(self, stock: StockView, policy: Policy, closed: Collection[ItemId]) -> None:
        self.stock = stock
        self.policy = policy
        self.committed = dict(stock.committed)
        self.closed = set(closed)

    def serve(self, order: OpenOrder) -> OrderPlan:
        committed = self.committed
        for claim in order.gives_back:
            if (claim.item, claim.location) in committed:
                committed[claim.item, claim.location] -= claim.quantity
        locations, capped = self._arranged(order)
        takes: list[Take] = []
        short: dict[LineId, int] = {}
        for asks in _in_bundles(order) if order.parts else (order.asks,):
            taken_before = len(takes)
            for ask in asks:
                missing = ask.quantity
                if ask.item not in self.closed:
                    tried = locations.get(ask.item, ())
                    missing = self._take(ask, tried if order.sourcing.split_lines else self._one_of(tried, ask), takes)
                if missing:
                    short[ask.line] = missing
            if order.parts and asks[0].line in order.parts:
                takes[taken_before:] = self._only_whole(asks, order.parts, takes[taken_before:], short)
        if order.all_or_nothing and (short or order.not_asked_for):
            for take in takes:
                committed[take.item, take.location] -= take.quantity
            takes, short = [], {ask.line: ask.quantity for ask in order.asks}
        if short and not self.policy.smaller_may_pass:
            self.closed.update(ask.item for ask in order.asks if ask.line in short)
        return OrderPlan(order=order.order, takes=tuple(takes), short=short, sourcing_capped=capped)

    def _take(self, ask: Ask, locations: Iterable[LocationId], takes: list[Take]) -> int:
        """Take what there is for one line, location by location; the units that are missing."""
        line, item, missing, _ = ask
        for location in locations:
            key = (item, location)
            quantity = min(missing, self.stock.backing[key] - self.committed[key])
            if quantity > 0:
                self.committed[key] += quantity
                takes.append(Take(line, item, location, quantity))
                missing -= quantity
                if not missing:
                    break
        return missing

    def _only_whole(
        self, asks: Sequence[Ask], parts: Mapping[LineId, Part], takes: Iterable[Take], short: dict[LineId, int]
    ) -> list[Take]:
        """Of what was taken for the components of one bundle, what makes whole bundles; the last takes are undone."""
        bundles = whole(
            (parts[ask.line].held + ask.quantity, parts[ask.line].held + ask.quantity - short.get(ask.line, 0), units)
            for ask in asks
            for units in (parts[ask.line].units,)
        )
        if bundles is None:
            return list(takes)
        may_keep = {line: max(0, bundles * units - held) for line, (_, units, held) in parts.items()}
        kept: list[Take] = []
        for take in takes:
            quantity = min(take.quantity, may_keep[take.line])
            may_keep[take.line] -= quantity
            undone = take.quantity - quantity
            if undone:
                self.committed[take.item, take.location] -= undone
                short[take.line] = short.get(take.line, 0) + undone
            if quantity:
                kept.append(take._replace(quantity=quantity))
        return kept

    # ------------------------------------------------------------ which locations

    def _arranged(self, order: OpenOrder) -> tuple[Mapping[ItemId, Sequence[LocationId]], bool]:
        """For each SKU that the order wants, the locations in the order in which they are tried for it."""
        sourcing = order.sourcing
        if sourcing is BY_RANK:
            return self.stock.locations, False
        demand: Counter[ItemId] = Counter()
        for ask in order.asks:
            demand[ask.item] += ask.quantity
        usable = {item: {at for at in self.stock.locations.get(item, ()) if sourcing.allows(at)} for item in demand}
        candidates = [self.stock.places[at] for at in dict.fromkeys(at for some in usable.values() for at in some)]
        arranged = arrange(demand, candidates, sourcing.rules, order.ship_to, self._available)
        tried = {item: [at for at in arranged.locations if at in usable[item]] for item in demand}
        return tried, arranged.capped

    def _available(self, item: ItemId, location: LocationId) -> int:
        key = (item, location)
        return self.stock.backing[key] - self.committed[key] if key in self.stock.backing else 0

    def _one_of(self, locations: Sequence[LocationId], ask: Ask) -> Sequence[LocationId]:
        """A line that must not be split stays where it is, goes where all of it is, or else to where most of it is."""
        if ask.held_at:
            return [location for location in locations if location in ask.held_at]
        most = max((self._available(ask.item, location) for location in locations), default=0)
        enough = min(most, ask.quantity)
        return next(([at] for at in locations if self._available(ask.item, at) >= enough), ())


def _in_bundles(order: OpenOrder) -> Iterable[Sequence[Ask]]:
    """What the order asks for, what is asked for one bundle together."""

    def bundle(ask: Ask) -> BundleId | None:
        part = order.parts.get(ask.line)
        return part.bundle if part else None

    return (tuple(asks) for _, asks in groupby(order.asks, key=bundle))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Units of one SKU at one location that are set aside; `overallocated` of them have no stock behind.

    Ids rise in the order in which claims on a SKU were committed, and within a batch in its sequence. `seniority`: the
    id whose age this claim has, where it was part of an older one; None: its own. `picked`: units that have been
    fetched for it, which nobody takes from it any more.
    """

    id: AllocationId
    item: ItemId
    location: LocationId
    quantity: int
    overallocated: int = 0
    priority: int = 0
    seniority: int | None = None
    picked: int = 0

    @property
    def level(self) -> LevelKey:
        return self.item, self.location


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Held):
    """Units that are set aside for a line of an order; their priority is the order's.

    `fulfillment_line`: where they are sent from; None: they are not released yet.
    """

    order: OrderId
    line: LineId
    fulfillment_line: FulfillmentLineId | None = None

    @property
    def reserved_line(self) -> None:
        """No cart holds them."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class CartClaim(Held):
    """Units that are set aside for a line of a stock reservation; a cart has priority 0."""

    reservation: ReservationId
    reserved_line: ReservedLineId

    @property
    def line(self) -> None:
        """No order holds them."""

    @property
    def fulfillment_line(self) -> None:
        """Nobody sends them anywhere."""


def age(claim: Held) -> tuple[int, int]:
    """The sort key of claims by when they were made, the oldest first; units keep their age wherever they move."""
    return claim.id if claim.seniority is None else claim.seniority, claim.id


def weakest_first(claim: Held) -> tuple[int, int, int]:
    """The sort key of claims on one level: lowest priority, then latest allocation. Units that are picked come last."""
    made, number = age(claim)
    return claim.priority, -made, -number


def flags(claims: Iterable[Held], overallocated: int) -> dict[AllocationId, int]:
    """Units of each claim that have no stock behind them: the weakest claims carry the shortage, and only they.

    The answer depends on the claims and the shortage alone: a flag that is lifted is lifted from the strongest first.
    """
    answer: dict[AllocationId, int] = {}
    weakest = sorted(claims, key=weakest_first)
    for claim in weakest:
        if not overallocated:
            break
        answer[claim.id] = min(claim.quantity - claim.picked, overallocated)
        overallocated -= answer[claim.id]
    for claim in weakest if overallocated else ():
        units = min(claim.picked, overallocated)
        answer[claim.id] += units
        overallocated -= units
    return answer


# ---------------------------------------------------------------- policies: they sort, `plan` walks


def oldest_first(orders: Iterable["RunSeek"], _: Collection[OrderId] = ()) -> list["RunSeek"]:
    """First in, first out."""
    return sorted(orders, key=lambda one: (one.placed_at, one.order))


def highest_priority_first(orders: Iterable["RunSeek"], _: Collection[OrderId] = ()) -> list["RunSeek"]:
    """The highest priority first, then the oldest."""
    return sorted(orders, key=lambda one: (-one.priority, one.placed_at, one.order))


def chosen_first(orders: Iterable["RunSeek"], chosen: Collection[OrderId] = ()) -> list["RunSeek"]:
    """Those that shall be completed first, the oldest first; then the others, the oldest first."""
    return sorted(orders, key=lambda one: (one.order not in chosen, one.placed_at, one.order))


Sort = Callable[[Iterable["RunSeek"], Collection[OrderId]], list["RunSeek"]]
"""Sorts orders, given which of them `domain.best_plan` has chosen to complete (none, where nobody chose)."""

POLICIES: Mapping[AllocationSequence, Sort] = {
    AllocationSequence.PLACED_AT_ASC: oldest_first,
    AllocationSequence.PRIORITY_DESC: highest_priority_first,
    AllocationSequence.MAX_COMPLETE_ORDERS: chosen_first,
    AllocationSequence.MAX_COMPLETE_VALUE: chosen_first,
}
