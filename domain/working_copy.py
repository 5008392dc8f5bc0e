"""The rows that one transaction works on: as they were read under the locks, and as they stand now."""

from collections import defaultdict
from collections.abc import Iterable

from domain.allocation import CartClaim, Claim, Held, age
from domain.bundles import Bundle
from domain.changes import Changes, Facts
from domain.floor import Floor
from domain.fulfillments import fulfillment_status
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
    ReturnId,
)
from domain.kinds import AllocationCause, AllocationStatus, FulfillmentStatus, OrderChange
from domain.orders import NewLine, Order, OrderLine, OrderTerms, allocation_status
from domain.reservations import Reservation
from domain.returns import Return
from domain.sourcing import BY_RANK, Sourcing
from domain.stock import Location, StockLevel


class WorkingCopy:
    """The rows as they stand, and as they were. `noted`: what happened to each order in this commit, and by whom."""

    def __init__(self, facts: Facts, *, actor: str = "", request: str = "") -> None:
        """`actor` and `request` stand in the stock ledger; they change with the command that is at work."""
        self.floor = Floor()
        self.actor = actor
        self.request = request
        self.places_in_sight: frozenset[str] | None = None
        """The codes of the locations of which whoever is at it may know; None: all."""
        self.locations = dict(facts.locations)
        self.ranks = {location.id: location.rank for location in facts.locations.values()}
        self.sourcing = dict(facts.sourcing)
        self.skus = dict(facts.skus)
        self.paid_on_arrival = facts.paid_on_arrival
        self.releases_by_itself = facts.releases_by_itself
        self.bundles = facts.bundles
        self.levels = {level.key: level for level in facts.levels}
        self._levels_of: defaultdict[ItemId, list[LevelKey]] = defaultdict(list)
        for key in self.levels:
            self._levels_of[key[0]].append(key)
        self.orders: dict[OrderId, Order] = {}
        self.lines: dict[LineId, OrderLine] = {}
        self.reservations: dict[ReservationId, Reservation] = {}
        self.claims: dict[AllocationId, Held] = {}
        self.supplies = {supply.id: supply for supply in facts.supplies}
        self.levels_before = dict(self.levels)
        self.supplies_before = dict(self.supplies)
        self.orders_before: dict[OrderId, Order] = {}
        self.lines_before: dict[LineId, OrderLine] = {}
        self.claims_before: dict[AllocationId, Held] = {}
        self._lines_of: defaultdict[OrderId, list[LineId]] = defaultdict(list)
        self._claims_of: defaultdict[OrderId, list[AllocationId]] = defaultdict(list)
        self._claims_of_carts: defaultdict[ReservationId, list[AllocationId]] = defaultdict(list)
        self._claims_at: defaultdict[LevelKey, list[AllocationId]] = defaultdict(list)
        self.locations_before: defaultdict[OrderId, set[LocationId]] = defaultdict(set)
        self.noted: defaultdict[OrderId, dict[OrderChange, str]] = defaultdict(dict)
        self._unsorted: set[OrderId] = set()
        self.divided: dict[AllocationId, AllocationId] = {}
        self.order_causes: dict[OrderId, AllocationCause] = {}
        self.order_actors: dict[OrderId, str] = {}
        self.level_causes: dict[LevelKey, AllocationCause] = {}
        self._numbers: dict[tuple[str, str], OrderId] = {}
        self._new_lines: dict[LineId, NewLine] = {}
        self._new_bundles: dict[BundleId, Bundle] = {}
        self.made = Changes()
        self.returns: dict[ReturnId, Return] = {}
        self.returns_before: dict[ReturnId, Return] = {}
        self.fulfilling_before: dict[OrderId, FulfillmentStatus] = {}
        self.learn(facts)

    @property
    def actor(self) -> str:
        return self._actor

    @actor.setter
    def actor(self, actor: str) -> None:
        self._actor = self.floor.actor = actor

    def learn(self, facts: Facts) -> None:
        """Add orders with their lines and claims, and reservations; what is known already stays as it is."""
        for order in facts.orders:
            if order.id not in self.orders_before:
                self.orders[order.id] = self.orders_before[order.id] = order
        for line in facts.lines:
            if line.id not in self.lines_before:
                self.lines[line.id] = self.lines_before[line.id] = line
                self._lines_of[line.order].append(line.id)
        for reservation in facts.reservations:
            self.reservations.setdefault(reservation.id, reservation)
        for claim in facts.claims:
            if claim.id not in self.claims_before:
                self.claims_before[claim.id] = claim
                if isinstance(claim, Claim):
                    self.locations_before[claim.order].add(claim.location)
                self._add_claim(claim)
        for one in facts.returns:
            if one.id not in self.returns_before:
                self.returns[one.id] = self.returns_before[one.id] = one
        if facts.floor:
            self.floor.learn(facts.floor)
            for fulfillment in facts.floor.fulfillments:
                self.fulfilling_before.setdefault(fulfillment.order, self.fulfillment_status_of(fulfillment.order))

    def _add_claim(self, claim: Held) -> None:
        self.claims[claim.id] = claim
        if isinstance(claim, Claim):
            self._claims_of[claim.order].append(claim.id)
        elif isinstance(claim, CartClaim):
            self._claims_of_carts[claim.reservation].append(claim.id)
        self._claims_at[claim.level].append(claim.id)

    # ------------------------------------------------------------------ reading

    def facts(self) -> Facts:
        """Everything as it stands, for another working copy whose moves leave this one alone."""
        return Facts(
            locations=self.locations,
            sourcing=self.sourcing,
            skus=self.skus,
            levels=list(self.levels.values()),
            orders=list(self.orders.values()),
            lines=list(self.lines.values()),
            reservations=list(self.reservations.values()),
            claims=list(self.claims.values()),
            supplies=list(self.supplies.values()),
            floor=self.floor.facts(),
            returns=list(self.returns.values()),
        )

    def order_of_number(self, channel: str, number: str) -> OrderId | None:
        """The order of this number, if it was placed in this batch."""
        return self._numbers.get((channel, number))

    def location_of(self, code: str) -> Location | None:
        """The location, if there is one and whoever is at it may know of it."""
        if self.places_in_sight is not None and code not in self.places_in_sight:
            return None
        return next((location for location in self.locations.values() if location.code == code), None)

    def terms_of(self, order: OrderId) -> OrderTerms | None:
        """The order's terms, if this batch has made or changed them."""
        return self.made.terms.get(order)

    def levels_of(self, items: Iterable[ItemId]) -> list[StockLevel]:
        """The levels of these SKUs, as they are now."""
        return [self.levels[key] for item in items for key in self._levels_of.get(item, ())]

    def sourcing_of(self, channel: str | None) -> Sourcing:
        return BY_RANK if channel is None else self.sourcing.get(channel, BY_RANK)

    def new_line(self, line: LineId) -> NewLine | None:
        """The line as it was asked for, if that was in this batch."""
        return self._new_lines.get(line)

    def new_bundle(self, bundle: BundleId) -> Bundle | None:
        """The bundle as it was asked for, if that was in this batch."""
        return self._new_bundles.get(bundle)

    def lines_of(self, order: OrderId) -> list[OrderLine]:
        return [self.lines[line] for line in self._lines_of[order]]

    def claims_of(self, order: OrderId) -> list[Claim]:
        """The order's claims, the oldest first."""
        found = (self.claims.get(claim) for claim in self._claims_of[order])
        claims = [claim for claim in found if isinstance(claim, Claim) and claim.order == order]
        if order in self._unsorted:
            claims.sort(key=age)
        return claims

    def claims_of_reservation(self, reservation: ReservationId) -> list[CartClaim]:
        """What a cart holds, the oldest first."""
        claims = (self.claims.get(claim) for claim in self._claims_of_carts[reservation])
        return [claim for claim in claims if isinstance(claim, CartClaim)]

    def has_moved(self, order: OrderId) -> bool:
        """Whether this batch has changed the order already: its next version is under way."""
        lines = self._lines_of[order]
        return order in self.noted or any(self.lines[line] is not self.lines_before.get(line) for line in lines)

    def status_of(self, order: OrderId) -> AllocationStatus | None:
        return allocation_status(self.orders[order].status, self.lines_of(order))

    def claims_at(self, line: FulfillmentLineId) -> list[Claim]:
        """What is sent with a line of a fulfillment, the oldest first."""
        claims = self.claims_of(self.floor.of_line(line).order)
        return [claim for claim in claims if claim.fulfillment_line == line]

    def returns_of(self, order: OrderId) -> list[Return]:
        """The order's returns, the oldest first; they must have been asked for."""
        return [one for one in self.returns.values() if one.order == order]

    def fulfillment_status_of(self, order: OrderId) -> FulfillmentStatus:
        return fulfillment_status(self.lines_of(order), self.floor.of(order))

    # ------------------------------------------------------------------ what happened

    def note(self, order: OrderId, change: OrderChange, actor: str | None = None) -> None:
        """This happened to the order in this commit, by whoever is at work, or by this one."""
        self.noted[order][change] = self.actor if actor is None else actor

    def who_moved_goods(self, order: OrderId) -> str:
        """The last who moved a fulfillment of the order in this batch, or else changed the order."""
        changes = self.noted.get(order, {})
        return self.floor.who_moved_last(order) or next(reversed(changes.values()), self.actor)
