"""Background runs, and the SKUs whose waiting orders are to be run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.allocation import Policy
from domain.best_plan import SOLVED
from domain.events import AllocationRunProgressed
from domain.ids import ItemId, OrderId, RunId
from domain.kinds import AllocationSequence, RunState, ShippingPolicy
from domain.runs import ENDED, PlanReport, Run, RunSeek
from persistence.events import append
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, sql
from persistence.tables import allocation_runs, planned_orders, replenished_items

UNFINISHED = (RunState.QUEUED, RunState.RUNNING)
WAITS_FOR_A_PLAN = any_of(allocation_runs.c.sequence, SOLVED) & allocation_runs.c.plan.is_(None)
PLAN_ORDERS = sql(
    """
    INSERT INTO planned_orders (run_id, position, order_id)
    SELECT :run, at - 1, order_id FROM unnest(:orders) WITH ORDINALITY AS planned(order_id, at)
    """,
    run=BIGINT,
    orders=BIGINTS,
)


class PostgresRuns:
    """Keeps runs. Whoever works on one holds its row until the chunk is committed."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.has_new_events = False

    async def add(
        self,
        *,
        dry_run: bool,
        sequence: AllocationSequence,
        condition: Mapping[str, Any],
        policy: Mapping[str, Any],
        keep: Mapping[str, Any] | None,
        actor: str,
        request: str,
    ) -> RunId:
        """A queued run."""
        row = {
            "state": RunState.QUEUED,
            "dry_run": dry_run,
            "sequence": sequence,
            "filter": condition,
            "policy": policy,
            "keep": keep,
            "actor": actor,
            "request": request,
        }
        statement = insert(allocation_runs).values(row).returning(allocation_runs)
        run = _run((await self._connection.execute(statement)).one())
        await self._tell(run)
        return run.id

    async def by_ids(self, ids: Sequence[RunId]) -> list[Run]:
        return await self._runs(select(allocation_runs).where(any_of(allocation_runs.c.id, ids)))

    async def lock(self, run: RunId) -> Run | None:
        """The run, for as long as the transaction lasts; waits for whoever works on it."""
        found = await self._runs(select(allocation_runs).where(allocation_runs.c.id == run).with_for_update())
        return found[0] if found else None

    async def lock_next(self) -> Run | None:
        """The oldest unfinished run that nobody works on and that waits for no plan."""
        unfinished = select(allocation_runs).where(any_of(allocation_runs.c.state, UNFINISHED), ~WAITS_FOR_A_PLAN)
        oldest = unfinished.order_by(allocation_runs.c.id).limit(1).with_for_update(skip_locked=True)
        found = await self._runs(oldest)
        return found[0] if found else None

    async def next_to_plan(self) -> Run | None:
        """The oldest unfinished run that waits for a plan."""
        waiting = select(allocation_runs).where(any_of(allocation_runs.c.state, UNFINISHED), WAITS_FOR_A_PLAN)
        found = await self._runs(waiting.order_by(allocation_runs.c.id).limit(1))
        return found[0] if found else None

    async def keep_plan(self, run: Run, orders: Sequence[OrderId]) -> None:
        """Write the plan of a run that is locked: its report, and its orders in sequence."""
        change = update(allocation_runs).where(allocation_runs.c.id == run.id).values(plan=run.plan)
        await self._connection.execute(change)
        await self._connection.execute(PLAN_ORDERS, {"run": run.id, "orders": orders})

    async def oldest_unfinished(self) -> RunId | None:
        unfinished = select(allocation_runs.c.id).where(any_of(allocation_runs.c.state, UNFINISHED), ~WAITS_FOR_A_PLAN)
        return (await self._connection.execute(unfinished.order_by(allocation_runs.c.id).limit(1))).scalar()

    async def save(self, run: Run) -> None:
        """Write how far the run is, with its event."""
        values: dict[str, Any] = {
            "state": run.state,
            "processed": run.processed,
            "total": run.total,
            "outcomes": run.outcomes,
            "seek": run.seek,
            "foreseen": run.foreseen,
            "closed": sorted(run.closed),
            "version": run.version + 1,
        }
        if run.started_at is None and run.state is not RunState.QUEUED:
            values["started_at"] = func.now()
        if run.state in ENDED:
            values["finished_at"] = func.now()
            await self._connection.execute(delete(planned_orders).where(planned_orders.c.run_id == run.id))
        statement = update(allocation_runs).where(allocation_runs.c.id == run.id).values(values)
        await self._tell(_run((await self._connection.execute(statement.returning(allocation_runs))).one()))

    # ------------------------------------------------------------ replenished SKUs

    async def replenished(self, most: int) -> list[tuple[ItemId, datetime]]:
        """SKUs that became available, the oldest first, each with when it last did."""
        statement = select(replenished_items).order_by(replenished_items.c.since).limit(most)
        return [(row.item_id, row.since) for row in await self._connection.execute(statement)]

    async def forget_replenished(self, items: Sequence[tuple[ItemId, datetime]]) -> None:
        """Their waiting orders have been run; one that became available again since then stays."""
        row = tuple_(replenished_items.c.item_id, replenished_items.c.since)
        # One that somebody holds is becoming available again just now, or is forgotten by another runner.
        free = select(replenished_items.c.item_id).where(row.in_(items)).with_for_update(skip_locked=True)
        await self._connection.execute(
            delete(replenished_items).where(replenished_items.c.item_id.in_(free.scalar_subquery()))
        )

    async def _runs(self, statement: Select[Any]) -> list[Run]:
        return [_run(row) for row in await self._connection.execute(statement)]

    async def _tell(self, run: Run) -> None:
        self.has_new_events = True
        event = AllocationRunProgressed(
            run_id=run.id,
            run_version=run.version,
            state=run.state,
            dry_run=run.dry_run,
            processed=run.processed,
            total=run.total,
            outcomes=run.outcomes,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )
        await append(self._connection, [event])


def _seek(placed_at: str, order: OrderId, priority: int, position: int | None = None) -> RunSeek:
    return RunSeek(placed_at=datetime.fromisoformat(placed_at), order=order, priority=priority, position=position)


def _policy(smaller_may_pass: bool = True, shipping_policy: str | None = None) -> Policy:
    policy = None if shipping_policy is None else ShippingPolicy(shipping_policy)
    return Policy(smaller_may_pass=smaller_may_pass, shipping_policy=policy)


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        state=RunState(row.state),
        dry_run=row.dry_run,
        sequence=AllocationSequence(row.sequence),
        filter=row.filter,
        actor=row.actor,
        request=row.request,
        processed=row.processed,
        total=row.total,
        outcomes=row.outcomes,
        seek=None if row.seek is None else _seek(**row.seek),
        policy=_policy(**row.policy),
        closed=frozenset(row.closed),
        foreseen=row.foreseen,
        keep=row.keep,
        plan=None if row.plan is None else PlanReport(**row.plan),
        version=row.version,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
