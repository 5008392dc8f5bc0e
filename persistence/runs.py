"""Background runs, and the SKUs whose waiting orders are to be run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.allocation import Policy
from domain.best_plan import SOLVED
from domain.events import AllocationRunProgressed
from domain.ids import ItemId, LevelKey, LocationId, OrderId, RunId
from domain.kinds import AllocationSequence, RunState, ShippingPolicy
from domain.runs import ENDED, Basis, ForeseenChunk, Moved, PlanReport, Run, RunSeek
from persistence.events import append
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, INT, sql
from persistence.tables import allocation_runs, foreseen_chunks, planned_orders, replenished_items

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

MOVED_ORDERS = sql(
    """
    SELECT DISTINCT c.order_id
    FROM foreseen_chunks f CROSS JOIN unnest(f.order_ids, f.order_versions) AS c(order_id, version)
    LEFT JOIN orders o ON o.id = c.order_id
    WHERE f.run_id = :run AND o.version IS DISTINCT FROM c.version ORDER BY 1 LIMIT :most
    """,
    run=BIGINT,
    most=INT,
)
# Also levels that were not there.
MOVED_LEVELS = sql(
    """
    WITH known AS (
        SELECT c.item_id, c.location_id, c.version
        FROM foreseen_chunks f
        CROSS JOIN unnest(f.item_ids, f.location_ids, f.level_versions) AS c(item_id, location_id, version)
        WHERE f.run_id = :run
    )
    SELECT DISTINCT item_id, location_id
    FROM (
        SELECT k.item_id, k.location_id
        FROM known k LEFT JOIN stock_levels l ON l.item_id = k.item_id AND l.location_id = k.location_id
        WHERE l.version IS DISTINCT FROM k.version
        UNION ALL
        SELECT l.item_id, l.location_id
        FROM stock_levels l
        WHERE l.item_id IN (SELECT item_id FROM known)
            AND (l.item_id, l.location_id) NOT IN (SELECT item_id, location_id FROM known)
    ) AS moved
    ORDER BY 1, 2 LIMIT :most
    """,
    run=BIGINT,
    most=INT,
)
FORGET_CHUNKS = sql(
    """
    DELETE FROM foreseen_chunks WHERE (run_id, position) IN (
        SELECT f.run_id, f.position
        FROM foreseen_chunks f JOIN allocation_runs r ON r.id = f.run_id
        WHERE r.finished_at < now() - interval '1 day'
            AND NOT EXISTS (SELECT FROM allocation_runs c WHERE c.commits = r.id AND c.finished_at IS NULL)
        LIMIT :most
    )
    """,
    most=INT,
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
        commits: Run | None = None,
    ) -> RunId:
        """A queued run."""
        row: dict[str, Any] = {
            "state": RunState.QUEUED,
            "dry_run": dry_run,
            "sequence": sequence,
            "filter": condition,
            "policy": policy,
            "keep": keep,
            "actor": actor,
            "request": request,
        }
        if commits is not None:
            row |= {"commits": commits.id, "total": commits.processed}
            row |= {"plan": commits.plan} if commits.plan else {}
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
            "moved": run.moved,
            "version": run.version + 1,
        }
        if run.started_at is None and run.state is not RunState.QUEUED:
            values["started_at"] = func.now()
        if run.state in ENDED:
            values["finished_at"] = func.now()
            await self._connection.execute(delete(planned_orders).where(planned_orders.c.run_id == run.id))
        statement = update(allocation_runs).where(allocation_runs.c.id == run.id).values(values)
        await self._tell(_run((await self._connection.execute(statement.returning(allocation_runs))).one()))

    # ------------------------------------------------------------ what dry runs said

    async def keep_chunk(self, run: RunId, chunk: ForeseenChunk) -> None:
        """Write down what a dry run says of some of its orders."""
        levels = sorted(chunk.basis.levels.items())
        row = {
            "run_id": run,
            "position": chunk.position,
            "order_ids": list(chunk.orders),
            "order_versions": [chunk.basis.orders[order] for order in chunk.orders],
            "item_ids": [item for (item, _), _ in levels],
            "location_ids": [location for (_, location), _ in levels],
            "level_versions": [version for _, version in levels],
            "planned": chunk.planned,
        }
        await self._connection.execute(insert(foreseen_chunks).values(row))

    async def foreseen_chunk(self, run: RunId, position: int) -> ForeseenChunk | None:
        """What a dry run said of the orders that come after so many others; None: there are no more."""
        found = select(foreseen_chunks).where(foreseen_chunks.c.run_id == run, foreseen_chunks.c.position == position)
        row = (await self._connection.execute(found)).one_or_none()
        return None if row is None else _chunk(row)

    async def said(self, run: RunId) -> list[bytes]:
        """The digests of all that a dry run said, in sequence; empty where it is not kept."""
        found = select(foreseen_chunks.c.planned).where(foreseen_chunks.c.run_id == run)
        return list((await self._connection.execute(found.order_by(foreseen_chunks.c.position))).scalars())

    async def moved(self, run: RunId, most: int) -> Moved:
        """Orders and levels that are not as a dry run found them first; so many of each at most."""
        named = {"run": run, "most": most}
        levels = [_level_key(*row) for row in await self._connection.execute(MOVED_LEVELS, named)]
        orders = list((await self._connection.execute(MOVED_ORDERS, named)).scalars())
        return Moved(levels=tuple(levels), orders=tuple(orders))

    async def forget_chunks(self, most: int) -> int:
        """Remove what dry runs said that ended more than a day ago, unless it is being committed; how much of it."""
        return (await self._connection.execute(FORGET_CHUNKS, {"most": most})).rowcount

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


def _chunk(row: Any) -> ForeseenChunk:
    levels = map(_level_key, row.item_ids, row.location_ids)
    return ForeseenChunk(
        position=row.position,
        orders=tuple(row.order_ids),
        basis=Basis(
            orders=dict(zip(row.order_ids, row.order_versions, strict=True)),
            levels=dict(zip(levels, row.level_versions, strict=True)),
        ),
        planned=row.planned,
    )


def _level_key(item: int, location: int) -> LevelKey:
    return ItemId(item), LocationId(location)


def _moved(levels: Sequence[Sequence[int]], orders: Sequence[int]) -> Moved:
    return Moved(levels=tuple(_level_key(*key) for key in levels), orders=tuple(map(OrderId, orders)))


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
        commits=row.commits,
        moved=None if row.moved is None else _moved(**row.moved),
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
