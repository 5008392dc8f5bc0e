"""Why each short line is short, who holds the stock, and when more is expected."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import explaining, kinds, pegging
from gql.context import Info
from gql.schema.catalog import Location

if TYPE_CHECKING:
    from gql.schema.order_lines import OrderLine
    from gql.schema.orders import ClaimSummary


@strawberry.type(description="A location that was considered for a line.")
class CandidateLocation:
    """A location that was considered."""

    candidate: strawberry.Private[explaining.Candidate]
    available: int = strawberry.field(description="Units that are for sale there and not set aside, now.")
    taken: int = strawberry.field(description="Units that are set aside there for the line, now.")
    reason: kinds.NotTakenReason | None = strawberry.field(
        description="Why it gave nothing, or not more; null where it gave what was needed, or has more since then."
    )
    message: str = strawberry.field(description="The same with numbers, for people.")

    @strawberry.field(description="Which location.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.candidate.location)

    @classmethod
    def of(cls, candidate: explaining.Candidate) -> "CandidateLocation":
        return cls(
            candidate=candidate,
            available=candidate.available,
            taken=candidate.taken,
            reason=candidate.reason,
            message=candidate.message,
        )


@strawberry.type(description="Units that a line will be given, once the orders before it have theirs.")
class ExpectedUnits:
    """Units that a line will be given."""

    peg: strawberry.Private[pegging.Peg]
    quantity: int = strawberry.field(description="How many units.")
    expected_at: datetime | None = strawberry.field(description="When they are expected; null: they are there already.")

    @strawberry.field(description="Where they are, or come to.")
    async def location(self, info: Info) -> Location:
        return await Location.load(info, self.peg.location)

    @classmethod
    def of(cls, peg: pegging.Peg) -> "ExpectedUnits":
        return cls(peg=peg, quantity=peg.units, expected_at=peg.expected_at)


@strawberry.type(description="Why a line has what it has, and when it can have the rest.")
class LineExplanation:
    """Why a line has what it has."""

    told: strawberry.Private[explaining.LineExplanation]
    needed: int = strawberry.field(description="Open units of the line.")
    allocated: int = strawberry.field(description="Units that are set aside for it.")
    short: int = strawberry.field(description="needed - allocated.")
    candidates: list[CandidateLocation] = strawberry.field(
        description="Every location that was considered, in the order considered."
    )
    expected: list[ExpectedUnits] = strawberry.field(
        description="What the missing units rest on, the earliest first, given the queue before them: waiting orders "
        "are served highest priority first, then oldest."
    )
    expected_at: datetime | None = strawberry.field(
        description="When the last of the missing units can be had, given the queue before them. Null when nothing is "
        "short, or not enough is expected. A date that has passed means that the supply is overdue. Lines of a bundle, "
        "or of an order that ships complete, are had together. It is a forecast: of the orders before this one each "
        "line is taken for itself, also where such an order will leave what it can not use."
    )

    @strawberry.field(description="The line.")
    async def line(self, info: Info) -> Annotated["OrderLine", strawberry.lazy("gql.schema.order_lines")]:
        from gql.schema.order_lines import OrderLine

        return await OrderLine.load(info, self.told.line)

    @strawberry.field(description="Orders with a stronger claim that hold this SKU now, strongest first.")
    async def held_by(self, info: Info) -> Annotated["ClaimSummary", strawberry.lazy("gql.schema.orders")]:
        from gql.schema.orders import ClaimSummary, Order

        orders = [await Order.load(info, order) for order in self.told.rivals.orders]
        return ClaimSummary(orders=orders, total=self.told.rivals.total)

    @classmethod
    def of(cls, told: explaining.LineExplanation) -> "LineExplanation":
        return cls(
            told=told,
            needed=told.needed,
            allocated=told.allocated,
            short=told.short,
            candidates=[CandidateLocation.of(candidate) for candidate in told.candidates],
            expected=[ExpectedUnits.of(peg) for peg in told.pegs],
            expected_at=told.expected_at(datetime.now(UTC)),
        )


@strawberry.type(description="Why each short line is short, who holds the stock, and when more is expected.")
class AllocationExplanation:
    """Why an order has what it has."""

    lines: list[LineExplanation] = strawberry.field(description="Every line that has open units.")
