"""Stock reservations: the units of carts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import LocationId, ReservationId, Sku
from domain.reservations import Reservation, ReservedLine


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationView(Reservation):
    """A stock reservation as it is shown."""

    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedLineView(ReservedLine):
    """A line of a stock reservation as it is shown; `held`: where how many of its units are set aside now."""

    sku: Sku
    held: tuple[tuple[LocationId, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationReference:
    """A stock reservation by its id. `given`: the name as the caller wrote it."""

    id: ReservationId
    given: str = ""

    def __str__(self) -> str:
        return self.given or f"StockReservation:{self.id}"


class Reservations(Protocol):
    async def by_ids(self, ids: Sequence[ReservationId]) -> list[ReservationView]: ...
    async def lines_of(self, reservations: Sequence[ReservationId]) -> list[ReservedLineView]: ...
    async def due(self, most: int, lines: int) -> list[ReservationId]:
        """Reservations whose time is over by the database's clock and whose units have not been given back; the oldest
        first, as many as have no more than so many lines together.
        """
