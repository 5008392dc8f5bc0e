"""Stock reservations: units that are set aside for a cart, without an order, for a while."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.ids import ItemId, OrderId, ReservationId, ReservedLineId
from domain.kinds import ReservationState

EXPIRES_IN_SECONDS_MAX = 86_400
EXPIRES_IN_SECONDS_DEFAULT = 900

TRANSITIONS: Mapping[ReservationState, Mapping[str, ReservationState]] = {
    ReservationState.ACTIVE: {
        "placeOrder": ReservationState.TAKEN_OVER,
        "releaseReservation": ReservationState.RELEASED,
        "its time is over": ReservationState.EXPIRED,
    },
    ReservationState.RELEASED: {},
    ReservationState.EXPIRED: {},
    ReservationState.TAKEN_OVER: {},
}
"""From where, by what, to where. A reservation ends once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedLine:
    """Units of one SKU in a reservation; a SKU stands in it once."""

    id: ReservedLineId
    reservation: ReservationId
    item: ItemId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A stock reservation.

    `is_due`: its time is over by the database's clock, though it may be that nobody has given its units back yet.
    `order`: the order that took it over.
    """

    id: ReservationId
    state: ReservationState
    is_due: bool = False
    order: OrderId | None = None

    @property
    def state_now(self) -> ReservationState:
        """What everybody is told: the time decides, not the sweeper."""
        return ReservationState.EXPIRED if self.state is ReservationState.ACTIVE and self.is_due else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReservation:
    """A reservation that is asked for, with its lines; its time begins when it is written.

    `channel`: the code of the channel whose cart it is; None: it is no channel's.
    """

    reservation: Reservation
    lines: tuple[ReservedLine, ...]
    expires_in_seconds: int
    channel: str | None = None
