"""Stock reservations of carts: reserve, release, and end those whose time is over."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from domain import checks, reserving
from domain.batch import Batch
from domain.changes import Changes
from domain.checks import Problems
from domain.errors import NotFound
from domain.ids import KeyId, ReservationId, Sku
from domain.reservations import EXPIRES_IN_SECONDS_DEFAULT, EXPIRES_IN_SECONDS_MAX
from services.bundles import units_of_items
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.performing import execute_one
from services.ports.batches import SKUS_MAX
from services.ports.database import Database
from services.ports.reservations import ReservationReference
from services.ports.unit_of_work import UnitOfWork
from services.references import location_ranks

SWEEPER = Caller(key=KeyId(0), actor="dibs", request="sweep")
SWEPT_MAX = 100
"""Reservations that are ended in one transaction at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationDone:
    """The reservation that a mutation was about."""

    reservation: ReservationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedUnits:
    """Units of a SKU that a cart wants."""

    sku: Sku
    quantity: int


class _ReservationCommand:
    outcome_type: ClassVar[Any] = ReservationDone

    def conclude(self, outcome: ReservationDone, _: Changes) -> ReservationDone:
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveStock(_ReservationCommand):
    """Set units aside for a cart, all or none. `locations`: codes of those that may be used; None: all.

    `channel`: the cart is this channel's, and is served as its orders are; None: it is nobody's, and served by rank.
    """

    mutation: ClassVar[str] = "reserveStock"
    lines: tuple[ReservedUnits, ...]
    locations: tuple[str, ...] | None = None
    channel: str | None = None
    expires_in_seconds: int = EXPIRES_IN_SECONDS_DEFAULT

    @property
    def wanted(self) -> Counter[Sku]:
        """A repeated SKU counts as its sum."""
        units: Counter[Sku] = Counter()
        for line in self.lines:
            units[line.sku] += line.quantity
        return units

    def needs(self) -> Needs:
        wanted = tuple(self.wanted)
        return Needs(
            skus=wanted, locks_skus=True, new_reservations=1, new_reserved_lines=wanted, path=("input", "lines")
        )

    def decide(self, batch: Batch, known: Known) -> ReservationDone:
        wanted = self.wanted
        unknown = tuple(sku for sku in wanted if sku not in known.items)
        if unknown:
            raise NotFound(references=unknown)
        (reservation,) = known.reservation_ids
        reserving.reserve(
            batch,
            reservation,
            known.reserved_line_ids,
            units_of_items(known, wanted, ("input", "lines")),
            self.expires_in_seconds,
            location_ranks(batch, self.locations),
            self.channel,
        )
        return ReservationDone(reservation=reservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReservation(_ReservationCommand):
    """Give back what is set aside for a cart."""

    mutation: ClassVar[str] = "releaseReservation"
    reservation: ReservationReference

    def needs(self) -> Needs:
        return Needs(reservations=(self.reservation.id,))

    def decide(self, batch: Batch, known: Known) -> ReservationDone:
        if self.reservation.id not in known.reservations:
            raise NotFound(references=(str(self.reservation),))
        reserving.release(batch, self.reservation.id)
        return ReservationDone(reservation=self.reservation.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireReservations:
    """Give back what is set aside for carts whose time is over."""

    mutation: ClassVar[str] = "expireReservations"
    outcome_type: ClassVar[Any] = int
    reservations: tuple[ReservationId, ...]

    def needs(self) -> Needs:
        return Needs(reservations=self.reservations)

    def decide(self, batch: Batch, _: Known) -> int:
        return reserving.expire(batch, self.reservations)

    def conclude(self, outcome: int, _: Changes) -> int:
        return outcome


# ---------------------------------------------------------------- what a caller may ask for


async def reserve_stock(performer: Performer, caller: Caller, command: ReserveStock, key: str) -> ReservationDone:
    """A caller who is limited to one channel need not name it. Raises InvalidInput, IdempotencyKeyReused, NotFound,
    InsufficientStock.
    """
    problems = Problems()
    path = ("input", "lines")
    problems.size(len(command.lines), path)
    lines = tuple(
        ReservedUnits(
            sku=Sku(problems.code(line.sku, (*path, str(index), "sku"))),
            quantity=problems.whole(line.quantity, (*path, str(index), "quantity"), 1, checks.ORDER_QUANTITY_MAX),
        )
        for index, line in enumerate(command.lines)
    )
    locations = command.locations
    if locations is not None:
        problems.size(len(locations), ("input", "locations"))
        locations = tuple(
            problems.code(code, ("input", "locations", str(index))) for index, code in enumerate(locations)
        )
    channel = problems.optional_code(_channel(caller, command), ("input", "channel"))
    if channel is None and caller.visibility.channels is not None:
        problems.add(("input", "channel"), "REQUIRED", "This key is limited to channels: say whose cart it is.")
    problems.whole(command.expires_in_seconds, ("input", "expiresInSeconds"), 1, EXPIRES_IN_SECONDS_MAX)
    problems.refuse()
    if channel is not None and not caller.visibility.sees_channel(channel):
        raise NotFound(references=(channel,))
    return await performer.perform(caller, replace(command, lines=lines, locations=locations, channel=channel), key)


def _channel(caller: Caller, command: ReserveStock) -> str | None:
    own = caller.visibility.channels
    return next(iter(own)) if command.channel is None and own is not None and len(own) == 1 else command.channel


async def release_reservation(
    performer: Performer, caller: Caller, reservation: ReservationReference, key: str
) -> ReservationDone:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, ReservationEnded."""
    return await performer.perform(caller, ReleaseReservation(reservation=reservation), key)


async def expire_reservations(database: Database) -> bool:
    """End reservations whose time is over, as many as one transaction takes; whether there were any."""

    async def work(uow: UnitOfWork) -> bool:
        due = await uow.reservations.due(SWEPT_MAX, SKUS_MAX)
        if due:
            await execute_one(uow, SWEEPER, ExpireReservations(reservations=tuple(due)))
        return bool(due)

    return await database.run(work, repeatable=True)
