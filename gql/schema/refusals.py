"""Every refusal a mutation can answer with. Its __typename is its code."""

import strawberry

from domain import errors, kinds
from gql.context import Info
from gql.schema.catalog import Location, StockLevel
from gql.schema.fulfillments import Fulfillment, PickList, PickTask
from gql.schema.order_lines import OrderLine
from gql.schema.orders import Order
from gql.schema.reservations import StockReservation
from gql.schema.returns import Return
from gql.schema.supplies import Supply


@strawberry.interface(description="Every refusal a mutation can answer with; its __typename is the code.")
class UserError:
    """A refusal."""

    message: str = strawberry.field(description="What is wrong and what to do, for people.")


@strawberry.type(description="One thing that is wrong with an input.")
class InputProblem:
    """One problem."""

    path: list[str] = strawberry.field(description="Where: the names and list positions that lead to it.")
    code: str = strawberry.field(description="What kind of problem, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do, for people.")


@strawberry.type(description="The input is malformed; every problem is listed at once.")
class InvalidInput(UserError):
    """Malformed input."""

    problems: list[InputProblem] = strawberry.field(description="Everything that is wrong.")


@strawberry.type(description="The idempotency key was already used with different input.")
class IdempotencyKeyReused(UserError):
    """A key of another request."""


@strawberry.type(description="Some named things do not exist, or are not yours to see.")
class NotFound(UserError):
    """Unknown names."""

    references: list[str] = strawberry.field(description="What was not found, as the caller named it.")


@strawberry.type(description="The order is in another currency.")
class CurrencyMismatch(UserError):
    """Another currency."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(description="More would go back than was paid and is still kept.")
class RefundExceedsPayments(UserError):
    """Too much would go back."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(description="The order is in a state that does not allow this.")
class OrderNotInState(UserError):
    """A wrong state."""

    order: Order = strawberry.field(description="The order as it is now.")
    allowed: list[kinds.OrderStatus] = strawberry.field(description="The states that allow it.")


@strawberry.type(description="The order has changed since the version the caller expected.")
class OrderVersionConflict(UserError):
    """Another version."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(
    description="What the dry run said is not what would happen now; nothing of what is refused was written."
)
class PlanChanged(UserError):
    """Something moved."""

    levels: list[StockLevel] = strawberry.field(
        description="Stock levels that changed since the dry run, as they are now; at most 100."
    )
    orders: list[Order] = strawberry.field(
        description="Orders that changed since the dry run, as they are now; at most 100."
    )

    @classmethod
    async def of(cls, info: Info, refusal: errors.PlanChanged) -> "PlanChanged":
        levels = await info.context.loaders.levels_at.load_many(refusal.levels)
        orders = await info.context.loaders.orders.load_many(refusal.orders)
        return cls(
            message=refusal.message,
            levels=[StockLevel.of(level) for level in levels if level is not None],
            orders=[Order.of(order) for order in orders if order is not None],
        )


@strawberry.type(description="Some of the order is on its way out of the warehouse: cancel its fulfillments first.")
class OrderAlreadyReleased(UserError):
    """Released already."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(description="Nothing of the order has been delivered yet, so there is nothing to follow up.")
class NothingDelivered(UserError):
    """Too early."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(description="Everything that this invoice could be for is on an invoice, or has not been shipped.")
class NothingToInvoice(UserError):
    """Nothing new."""

    order: Order = strawberry.field(description="The order as it is now.")


@strawberry.type(description="One thing that keeps an order from being released.")
class Obstacle:
    """One reason."""

    code: kinds.ReleaseObstacle = strawberry.field(description="What kind of reason, for programs.")
    message: str = strawberry.field(description="What is in the way and what to do, for people.")


@strawberry.type(description="The order cannot be released yet; every reason is listed.")
class OrderNotReleasable(UserError):
    """Not ready."""

    order: Order = strawberry.field(description="The order as it is now.")
    obstacles: list[Obstacle] = strawberry.field(description="Everything that is in the way.")


@strawberry.type(description="The fulfillment is in a state that does not allow this.")
class FulfillmentNotInState(UserError):
    """A wrong state."""

    fulfillment: Fulfillment = strawberry.field(description="The fulfillment as it is now.")
    allowed: list[kinds.FulfillmentState] = strawberry.field(description="The states that allow it.")


@strawberry.type(description="The pick was not recorded: what the picker knew is not true any more.")
class PickConflict(UserError):
    """Something moved."""

    obstacle: kinds.PickObstacle = strawberry.field(description="What has changed, or does not match.")
    task: PickTask = strawberry.field(description="The task as it is now.")


@strawberry.type(description="The carrier will not take it as it is; nothing was bought.")
class ShippingRefused(UserError):
    """The carrier says no."""

    words: str = strawberry.field(description="What the carrier says, for people.")


@strawberry.type(description="Another picker has this pick list.")
class PickListTaken(UserError):
    """Somebody else's."""

    list: PickList = strawberry.field(description="The list as it is now.")


@strawberry.type(description="Lines would fall below what has already been shipped.")
class QuantityAlreadyShipped(UserError):
    """Too little to take away."""

    lines: list[OrderLine] = strawberry.field(description="The lines as they are now.")


@strawberry.type(description="Units of an order line that were asked for, and how many there are.")
class ReturnedQuantity:
    """Too many units."""

    line: OrderLine = strawberry.field(description="The order line as it is now.")
    requested: int = strawberry.field(description="Units asked for.")
    returnable: int = strawberry.field(
        description="Units there are: that can come back, are still to come, or wait to be inspected."
    )


@strawberry.type(
    description="More units than there are: of those that can come back, are still to come, or wait to be inspected."
)
class QuantityNotReturnable(UserError):
    """Too many units."""

    order: Order = strawberry.field(description="The order as it is now.")
    lines: list[ReturnedQuantity] = strawberry.field(description="Which lines, and how many units.")


@strawberry.type(description="The return is in a state that does not allow this.")
class ReturnNotInState(UserError):
    """A wrong state."""

    returned: Return = strawberry.field(description="The return as it is now.", name="return")
    allowed: list[kinds.ReturnState] = strawberry.field(description="The states that allow it.")


@strawberry.type(description="The channel already has an order of this number.")
class OrderAlreadyPlaced(UserError):
    """A number that is taken."""

    order: Order = strawberry.field(description="The order that has the number.")


@strawberry.type(description="The stock reservation was released, has expired or became another order.")
class ReservationEnded(UserError):
    """A reservation that is over."""

    reservation: StockReservation = strawberry.field(description="The reservation as it is now.")


@strawberry.type(description="On hand is not what the caller expected it to be.")
class StockLevelConflict(UserError):
    """Another count."""

    levels: list[StockLevel] = strawberry.field(description="The levels as they are now.")


@strawberry.type(description="There is a supply of this reference already.")
class SupplyAlreadyExpected(UserError):
    """A reference that is taken."""

    supply: Supply = strawberry.field(description="The supply that has the reference.")


@strawberry.type(description="The supply is in a state that does not allow this.")
class SupplyNotInState(UserError):
    """A wrong state."""

    supply: Supply = strawberry.field(description="The supply as it is now.")
    allowed: list[kinds.SupplyState] = strawberry.field(description="The states that allow it.")


@strawberry.type(description="Units that were asked for and are not there.")
class Shortage:
    """Missing units."""

    sku: str = strawberry.field(description="What is short.")
    location: Location | None = strawberry.field(description="Where it is short; null where it is everywhere.")
    requested: int = strawberry.field(description="Units asked for.")
    on_hand: int = strawberry.field(description="Units that are physically there.")
    available: int = strawberry.field(description="Units that nobody has a claim on.")


@strawberry.type(description="Less stock than asked for.")
class InsufficientStock(UserError):
    """Too little stock."""

    shortages: list[Shortage] = strawberry.field(description="What is missing where.")
