"""What plans come to: that of a run, policies side by side, and who gets less."""

import strawberry

from domain import kinds, runs, what_if
from gql.context import Info
from gql.schema.money import Money
from gql.schema.orders import Order
from gql.schema.scalars import int32
from services import planning
from services.what_if import Losers

NAMED_MAX = 100


@strawberry.type(description="How good a plan is that chose which orders to complete.")
class PlanReport:
    """How good a plan is."""

    planned_orders: int = strawberry.field(description="Orders that stand in the plan.")
    complete_orders: int = strawberry.field(description="Orders that the plan completes.")
    fifo_complete_orders: int = strawberry.field(description="Orders that the same run would complete oldest first.")
    objective: float = strawberry.field(
        description="What the plan completes: orders, or their value. Where orders are in several currencies, each "
        "counts in mean orders of its own."
    )
    fifo_objective: float = strawberry.field(description="What the same run would complete oldest first.")
    bound: float = strawberry.field(description="Proven: no sequence completes more than this.")
    optimal: bool = strawberry.field(description="Whether the plan reaches the bound, so that nothing is better.")
    seconds: float = strawberry.field(description="How long it took to make the plan.")

    @classmethod
    def of(cls, report: runs.PlanReport) -> "PlanReport":
        return cls(
            planned_orders=report.orders,
            complete_orders=report.complete_orders,
            fifo_complete_orders=report.fifo_complete_orders,
            objective=report.objective,
            fifo_objective=report.fifo_objective,
            bound=report.bound,
            optimal=report.optimal,
            seconds=report.seconds,
        )


@strawberry.type(description="How an order stands when a run is over.")
class OrderStanding:
    """How an order stands."""

    allocation_status: kinds.AllocationStatus | None = strawberry.field(description="Its allocation status.")
    allocated: int = strawberry.field(description="Units that are set aside for it.")

    @classmethod
    def of(cls, standing: what_if.Standing) -> "OrderStanding":
        return cls(allocation_status=standing.status, allocated=standing.units)


@strawberry.type(description="An order that stands otherwise under this policy than under the first one named.")
class ChangedOrder:
    """An order that changes."""

    order: Order = strawberry.field(description="The order as it is now.")
    first: OrderStanding = strawberry.field(description="How it stands under the first policy.")
    here: OrderStanding = strawberry.field(description="How it stands under this one.")


@strawberry.type(description="Some orders that change, and how many there are.")
class ChangedOrders:
    """Some orders, and how many there are."""

    orders: list[ChangedOrder] = strawberry.field(description="At most 100, the oldest first.")
    total: int = strawberry.field(description="How many there are.")


@strawberry.type(description="What a run in a policy's sequence would come to, over all orders that match.")
class PolicyOutcome:
    """What a policy comes to."""

    policy: kinds.AllocationSequence = strawberry.field(description="Which policy.")
    complete_orders: int = strawberry.field(description="Orders for which everything open would be set aside.")
    partial_orders: int = strawberry.field(description="Orders for which some of it would be.")
    units: int = strawberry.field(description="Units that would be set aside in all, with those that are already.")
    parcels: int = strawberry.field(description="Pairs of an order and a location that would send it something.")
    complete_value: list[Money] = strawberry.field(
        description="What the open units of the complete orders are worth, one entry a currency; lines without a price "
        "are worth nothing."
    )
    plan: PlanReport | None = strawberry.field(description="Set where the policy chooses which orders to complete.")
    changed: ChangedOrders = strawberry.field(
        description="Orders that stand otherwise than under the first policy named."
    )

    @classmethod
    async def of(cls, info: Info, outcome: planning.PolicyOutcome) -> "PolicyOutcome":
        named = outcome.changed[:NAMED_MAX]
        await info.context.loaders.orders.load_many([one.order for one in named])
        return cls(
            policy=outcome.policy,
            complete_orders=outcome.complete_orders,
            partial_orders=outcome.partial_orders,
            units=int32(outcome.units),
            parcels=outcome.parcels,
            complete_value=[
                Money(amount=amount, currency_code=currency)
                for currency, amount in sorted(outcome.complete_value.items())
            ],
            plan=PlanReport.of(outcome.report) if outcome.report else None,
            changed=ChangedOrders(
                orders=[
                    ChangedOrder(
                        order=await Order.load(info, one.order),
                        first=OrderStanding.of(one.first),
                        here=OrderStanding.of(one.here),
                    )
                    for one in named
                ],
                total=len(outcome.changed),
            ),
        )


@strawberry.type(description="A waiting order that would get less if the run happened than if it did not.")
class LosingOrder:
    """An order that would get less."""

    order: Order = strawberry.field(description="The order as it is now.")
    without_run: int = strawberry.field(description="Units that would be set aside for it if the run did not happen.")
    with_run: int = strawberry.field(description="Units that would be set aside for it if the run happened.")


@strawberry.type(description="Waiting orders that would get less, and how many there are.")
class LosingOrders:
    """Some orders, and how many there are."""

    orders: list[LosingOrder] = strawberry.field(description="At most 100, highest priority first, then oldest.")
    total: int = strawberry.field(description="How many there are among those that were looked at.")
    all_seen: bool = strawberry.field(
        description="Whether every order that waits for the same SKUs was looked at; at most 2,000 are."
    )

    @classmethod
    async def of(cls, info: Info, losers: Losers) -> "LosingOrders":
        in_sight = set(await info.context.in_sight([one.order for one in losers.orders]))
        seen = [one for one in losers.orders if one.order in in_sight]
        named = seen[:NAMED_MAX]
        await info.context.loaders.orders.load_many([one.order for one in named])
        orders = [
            LosingOrder(order=await Order.load(info, one.order), without_run=one.units_without, with_run=one.units_with)
            for one in named
        ]
        return cls(orders=orders, total=len(seen), all_seen=losers.all_seen)
