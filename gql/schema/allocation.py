"""What a run did."""

from datetime import datetime

import strawberry

from domain import errors, events, kinds, runs
from domain.ids import RunId
from gql.context import Info
from gql.schema.catalog import LocationQuantity
from gql.schema.ids import global_id
from gql.schema.nodes import Node
from gql.schema.order_counts import AllocationStatusCount
from gql.schema.order_lines import OrderLine
from gql.schema.orders import Order
from gql.schema.plans import LosingOrders, PlanReport
from gql.schema.refusals import PlanChanged, UserError
from services.run_plans import token_of_run
from services.what_if import losers_of_run


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


@strawberry.type(description="A run in the background: a filter, a sequence, and how far it is.")
class AllocationRun(Node):
    """A run in the background."""

    state: kinds.RunState = strawberry.field(description="Whether it waits, works or has ended.")
    dry_run: bool = strawberry.field(description="Whether it only says what would happen.")
    processed: int = strawberry.field(description="Orders looked at so far, of total.")
    total: int = strawberry.field(description="Orders that matched when it began.")
    outcomes: list[AllocationStatusCount] = strawberry.field(
        description="How many of the orders had which allocation status after it; one entry a status."
    )
    started_at: datetime | None = strawberry.field(description="When the work began.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    row: strawberry.Private[RunId]

    @strawberry.field(
        description="In a dry run that is over: what `startAllocationRun` takes to do exactly what it said. It is good "
        "for a day, and only while nothing that the plan rests on has changed; null in every other run."
    )
    async def token(self, info: Info) -> str | None:
        if not self.dry_run or self.state is not kinds.RunState.SUCCEEDED:
            return None
        return await token_of_run(info.context.database, self.row)

    @strawberry.field(
        description="In a run that was to do exactly what a dry run said, and has FAILED: what was no longer so when "
        "it came to the orders behind those that it has processed. Those stay done; of the others nothing is."
    )
    async def plan_changed(self, info: Info) -> PlanChanged | None:
        found = await info.context.read(lambda uow: uow.runs.by_ids([self.row]))
        moved = found[0].moved if found else None
        return await PlanChanged.of(info, errors.PlanChanged(moved.levels, moved.orders)) if moved else None

    @strawberry.field(
        description="How good its plan is, once it is made; null where the sequence does not choose which orders to "
        "complete."
    )
    async def plan(self, info: Info) -> PlanReport | None:
        found = await info.context.read(lambda uow: uow.runs.by_ids([self.row]))
        return PlanReport.of(found[0].plan) if found and found[0].plan else None

    @strawberry.field(
        description="In a dry run that is over: the orders that wait beside it, as they do now, and would get less if "
        "it happened; null in every other run."
    )
    async def losers(self, info: Info) -> LosingOrders | None:
        if not self.dry_run or self.state is not kinds.RunState.SUCCEEDED:
            return None
        found = await losers_of_run(info.context.database, self.row)
        return await LosingOrders.of(info, found) if found else None

    @classmethod
    def of(cls, run: runs.Run | events.AllocationRunProgressed) -> "AllocationRun":
        row = run.id if isinstance(run, runs.Run) else run.run_id
        return cls(
            id=global_id("AllocationRun", row),
            row=row,
            state=run.state,
            dry_run=run.dry_run,
            processed=run.processed,
            total=run.total,
            outcomes=[
                AllocationStatusCount(status=one, count=run.outcomes.get(one, 0)) for one in kinds.AllocationStatus
            ],
            started_at=run.started_at,
            finished_at=run.finished_at,
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
    sourcing_capped: bool = strawberry.field(
        description="Whether FEWEST_SPLITS had more sets of locations to compare than it looks at; the best that it "
        "looked at was used.",
        default=False,
    )
