"""What a run did."""

import strawberry

from domain import kinds
from gql.schema.catalog import Location
from gql.schema.orders import Order, OrderLine
from gql.schema.refusals import UserError


@strawberry.type(description="Units at a location.")
class LocationQuantity:
    """Units at a location."""

    location: Location = strawberry.field(description="Where.")
    quantity: int = strawberry.field(description="How many units.")


@strawberry.type(
    description="What a run did to one line: of the units it looked for, how many it set aside, and where."
)
class LineAllocation:
    """What a run did to one line."""

    line: OrderLine = strawberry.field(description="The line as it is now.")
    sku: str = strawberry.field(description="What was ordered.")
    quantity: int = strawberry.field(description="Units looked for; when deallocating, units that were set aside.")
    allocated: int = strawberry.field(description="Units that were set aside now.")
    short: int = strawberry.field(description="quantity - allocated.")
    from_: list[LocationQuantity] = strawberry.field(
        name="from", description="Where the units were set aside; when deallocating, where they were given back."
    )


@strawberry.type(description="What the run did to (or, in a dry run, would do to) one order.")
class OrderAllocation:
    """What a run did to one order."""

    index: int = strawberry.field(description="Position in the input, from 0.")
    order: Order | None = strawberry.field(description="The order as it is now; null where it was not found.")
    before: kinds.AllocationStatus | None = strawberry.field(description="Its allocation status before the run.")
    after: kinds.AllocationStatus | None = strawberry.field(description="Its allocation status after the run.")
    lines: list[LineAllocation] = strawberry.field(description="What happened to the lines that were looked at.")
    refusal: UserError | None = strawberry.field(
        description="Set where the order was refused; the other orders are not affected."
    )
