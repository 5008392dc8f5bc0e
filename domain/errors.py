"""Refusals: what a caller can be told, in the order in which they are looked for.

    DomainError
    ├── InvalidInput             1  malformed; every problem at once
    ├── IdempotencyKeyReused     2  the key belongs to other input
    ├── NotFound                 3  a named thing does not exist, or is not the caller's to see
    ├── CurrencyMismatch         4  wrong state …
    ├── FulfillmentNotInState    4
    ├── NothingDelivered         4
    ├── NothingToInvoice         4
    ├── OrderAlreadyPlaced       4
    ├── OrderAlreadyReleased     4
    ├── OrderNotInState          4
    ├── OrderNotReleasable       4
    ├── OrderVersionConflict     4
    ├── PickConflict             4
    ├── PickListTaken            4
    ├── PlanChanged              4
    ├── QuantityAlreadyShipped   4
    ├── QuantityNotReturnable    4
    ├── RefundExceedsPayments    4
    ├── ReservationEnded         4
    ├── ReturnNotInState         4
    ├── StockLevelConflict       4
    ├── ShippingRefused          4
    ├── SupplyAlreadyExpected    4
    ├── SupplyNotInState         4
    └── InsufficientStock        5  not enough stock

A refusal's docstring is its message, unless its fields say more. `kept` says whether an idempotency key remembers it:
what the caller must correct first (malformed input, unknown names) is judged anew when it is sent again. A mistake of
ours is an `assert`, never one of these.
"""

from dataclasses import dataclass
from typing import ClassVar

from domain.ids import (
    FulfillmentId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    PickListId,
    PickTaskId,
    ReservationId,
    ReturnId,
    RowName,
    Sku,
    SupplyId,
)
from domain.kinds import (
    FulfillmentState,
    OrderStatus,
    PickObstacle,
    ReleaseObstacle,
    ReservationState,
    ReturnState,
    SupplyState,
)


class DomainError(Exception):
    """Dibs refuses to do this."""

    precedence: ClassVar[int]
    kept: ClassVar[bool] = True

    @property
    def message(self) -> str:
        return " ".join((type(self).__doc__ or "").split())

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, kw_only=True)
class InputProblem:
    """One thing that is wrong with an input: where (names and list positions), what kind, and what to do."""

    path: tuple[str, ...]
    code: str
    message: str


@dataclass(eq=False)
class InvalidInput(DomainError):
    """The input is malformed; every problem is listed."""

    precedence = 1
    kept = False
    problems: tuple[InputProblem, ...]

    def __str__(self) -> str:
        return "; ".join(f"{'.'.join(problem.path)}: {problem.message}" for problem in self.problems)


@dataclass(eq=False)
class IdempotencyKeyReused(DomainError):
    """This idempotency key was already used with different input: send a new key for a new request."""

    precedence = 2
    kept = False


@dataclass(eq=False)
class NotFound(DomainError):
    """Some named things do not exist, or are not yours to see."""

    precedence = 3
    kept = False
    references: tuple[str | LineId | RowName, ...]


@dataclass(eq=False)
class CurrencyMismatch(DomainError):
    """The order is in another currency: all its amounts are of one."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class OrderAlreadyPlaced(DomainError):
    """The channel already has an order of this number."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class NothingDelivered(DomainError):
    """Nothing of the order has been delivered yet, so there is nothing to follow up."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class NothingToInvoice(DomainError):
    """Everything that this invoice could be for is on an invoice already, or has not been shipped."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class OrderAlreadyReleased(DomainError):
    """Some of the order is on its way out of the warehouse: cancel its fulfillments first."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class FulfillmentNotInState(DomainError):
    """The fulfillment is in a state that does not allow this."""

    precedence = 4
    fulfillment: FulfillmentId
    allowed: tuple[FulfillmentState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that keeps an order from being released, and what to do about it."""

    code: ReleaseObstacle
    message: str


@dataclass(eq=False)
class OrderNotReleasable(DomainError):
    """The order cannot be released yet; every reason is listed."""

    precedence = 4
    order: OrderId
    obstacles: tuple[Obstacle, ...]


@dataclass(eq=False)
class PickConflict(DomainError):
    """The pick was not recorded: look at the task as it is now, then record what is still true."""

    precedence = 4
    task: PickTaskId
    obstacle: PickObstacle


@dataclass(eq=False)
class PickListTaken(DomainError):
    """Another picker has this pick list: take another, or wait until the lease is over."""

    precedence = 4
    list: PickListId


@dataclass(eq=False)
class OrderNotInState(DomainError):
    """The order is in a state that does not allow this."""

    precedence = 4
    order: OrderId
    allowed: tuple[OrderStatus, ...]


@dataclass(eq=False)
class OrderVersionConflict(DomainError):
    """The order has changed since the version that was expected: read it again, then decide."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class PlanChanged(DomainError):
    """What the dry run said is not what would happen now: run it dry again, then decide."""

    precedence = 4
    levels: tuple[LevelKey, ...]
    orders: tuple[OrderId, ...]


@dataclass(eq=False)
class QuantityAlreadyShipped(DomainError):
    """Lines would fall below what has already been shipped."""

    precedence = 4
    order: OrderId
    lines: tuple[LineId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedQuantity:
    """Units of an order line that were asked for, and how many there are."""

    line: LineId
    requested: int
    returnable: int


@dataclass(eq=False)
class QuantityNotReturnable(DomainError):
    """More units than there are: of those that can come back, are still to come, or wait to be inspected."""

    precedence = 4
    order: OrderId
    lines: tuple[ReturnedQuantity, ...]


@dataclass(eq=False)
class RefundExceedsPayments(DomainError):
    """More would go back than was paid and is still kept."""

    precedence = 4
    order: OrderId


@dataclass(eq=False)
class ReservationEnded(DomainError):
    """The stock reservation was released or has expired: reserve again if the units are still wanted."""

    precedence = 4
    reservation: ReservationId
    state: ReservationState

    @property
    def message(self) -> str:
        if self.state is ReservationState.TAKEN_OVER:
            return "The stock reservation has become an order already, and its units went there."
        return super().message


@dataclass(eq=False)
class ReturnNotInState(DomainError):
    """The return is in a state that does not allow this."""

    precedence = 4
    return_id: ReturnId
    allowed: tuple[ReturnState, ...]


@dataclass(eq=False)
class StockLevelConflict(DomainError):
    """On hand is not what was expected: count again, then decide."""

    precedence = 4
    levels: tuple[LevelKey, ...]


@dataclass(eq=False)
class ShippingRefused(DomainError):
    """The carrier will not take it as it is: correct what it says, then ask again."""

    precedence = 4
    kept = False
    words: str


@dataclass(eq=False)
class SupplyAlreadyExpected(DomainError):
    """There is a supply of this reference already."""

    precedence = 4
    supply: SupplyId


@dataclass(eq=False)
class SupplyNotInState(DomainError):
    """The supply is in a state that does not allow this."""

    precedence = 4
    supply: SupplyId
    allowed: tuple[SupplyState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Units that were asked for and are not there."""

    sku: Sku
    location: LocationId | None
    requested: int
    on_hand: int
    available: int


@dataclass(eq=False)
class InsufficientStock(DomainError):
    """There is less stock than was asked for."""

    precedence = 5
    shortages: tuple[Shortage, ...]


REFUSALS: tuple[type[DomainError], ...] = (
    InvalidInput,
    IdempotencyKeyReused,
    NotFound,
    CurrencyMismatch,
    FulfillmentNotInState,
    NothingDelivered,
    NothingToInvoice,
    OrderAlreadyPlaced,
    OrderAlreadyReleased,
    OrderNotInState,
    OrderNotReleasable,
    OrderVersionConflict,
    PickConflict,
    PickListTaken,
    PlanChanged,
    QuantityAlreadyShipped,
    QuantityNotReturnable,
    RefundExceedsPayments,
    ReservationEnded,
    ReturnNotInState,
    StockLevelConflict,
    ShippingRefused,
    SupplyAlreadyExpected,
    SupplyNotInState,
    InsufficientStock,
)
