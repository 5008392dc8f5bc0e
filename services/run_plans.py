"""What a dry run in the background said is kept, chunk by chunk, with what it rests on; a later run may commit it.

That run does a chunk only where it rests on the same and comes out the same. Otherwise it goes no further and says what
has moved: what it has done before stays done, and of the rest it does nothing. docs/adr/0033 says why.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from domain.allocating import OrderOutcome, Terms, allocate
from domain.allocation import Claim
from domain.batch import Batch
from domain.changes import Changes, Facts
from domain.errors import PlanChanged
from domain.ids import ItemId, LevelKey, LocationId, OrderId, RunId
from domain.kinds import RunState
from domain.runs import Basis, ForeseenChunk, Moved, Run
from services.allocation import whole_orders
from services.plan_tokens import (
    MOVED_MAX,
    RunToken,
    digest,
    digest_of_all,
    moved,
    read_run_token,
    refuse_token,
    write_run_token,
)
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork
from services.recording import settle

K = TypeVar("K")


async def token_of_run(database: Database, run: RunId) -> str | None:
    """What commits exactly what a dry run said; None where it is none, not over, or kept no longer."""

    async def work(uow: UnitOfWork) -> str | None:
        found = await _kept(uow, run)
        return write_run_token(RunToken(run=run, planned=found[1])) if found else None

    return await database.snapshot(work)


async def dry_run_of(uow: UnitOfWork, text: str) -> Run:
    """The dry run that a token is of. Raises InvalidInput."""
    token = read_run_token(text)
    found = await _kept(uow, token.run)
    if found is None or found[1] != token.planned:
        refuse_token()
    return found[0]


async def _kept(uow: UnitOfWork, run: RunId) -> tuple[Run, bytes] | None:
    """A dry run that can be committed, and the digest of all that it said."""
    found = next(iter(await uow.runs.by_ids([run])), None)
    if found is None or not found.dry_run or found.state is not RunState.SUCCEEDED:
        return None
    said = await uow.runs.said(run)
    return (found, digest_of_all(said)) if said or not found.processed else None


async def refuse_where_any_moved(uow: UnitOfWork, dry: Run) -> None:
    """Raise PlanChanged where anything that the dry run rests on is not as it was."""
    found = await uow.runs.moved(dry.id, MOVED_MAX)
    if found.levels or found.orders:
        raise PlanChanged(levels=found.levels, orders=found.orders)


# ---------------------------------------------------------------- keeping


def basis_of_facts(facts: Facts) -> Basis:
    """Of whole orders, which may be served from everywhere."""
    return Basis(
        orders={order.id: order.version for order in facts.orders},
        levels={level.key: level.version for level in facts.levels},
    )


async def keep_chunk(uow: UnitOfWork, run: Run, orders: Sequence[OrderId], basis: Basis, unwritten: Changes) -> None:
    """Write down what a dry run says of its next orders."""
    chunk = ForeseenChunk(position=run.processed, orders=tuple(orders), basis=basis, planned=_plan(unwritten))
    await uow.runs.keep_chunk(run.id, chunk)


def _plan(changes: Changes) -> bytes:
    """A digest of what a batch sets aside and gives back: the same for the same plan, and for no other."""
    claims = [one for one in changes.new_claims if isinstance(one, Claim)]
    taken = sorted((one.line, one.item, one.location, one.quantity) for one in claims)
    given_back = sorted((one.allocation, one.quantity) for one in changes.ended_claims)
    return digest([taken, given_back])


# ---------------------------------------------------------------- committing


async def commit_chunk(uow: UnitOfWork, run: Run, chunk: ForeseenChunk) -> tuple[Run, Sequence[OrderOutcome]]:
    """Do exactly what the dry run said of these orders; or nothing, and then the run has failed and says why."""
    facts = await uow.batches.load(orders=chunk.orders)
    own = OwnVersions(run.foreseen)
    has_moved = moved(own.over(chunk.basis), basis_of_facts(facts))
    if has_moved:
        return replace(run, state=RunState.FAILED, moved=has_moved), ()
    batch = Batch(facts, actor=run.actor, request=run.request)
    terms = Terms(policy=run.policy, each_line=False, closed=set(run.closed))
    outcomes = allocate(batch, whole_orders(chunk.orders), terms)
    await settle(uow, batch)
    changes = batch.changes()
    if _plan(changes) != chunk.planned:
        return replace(run, state=RunState.FAILED, moved=Moved()), ()
    await uow.batches.record(changes)
    own.add(changes, done=set(chunk.orders))
    return replace(run, foreseen=own.memory(), closed=frozenset(terms.closed)), outcomes


class OwnVersions:
    """The versions that a run has made itself: of what it has moved it may rest on what it left, and on nothing else.

    Of each row the version before the run's first change, and that after its last one. Where somebody else has changed
    it in between, it stays behind, and is found to have moved.
    """

    def __init__(self, remembered: Mapping[str, Sequence[Sequence[int]]]) -> None:
        """`remembered`: what `memory` told."""
        self._levels: dict[LevelKey, tuple[int, int]] = {
            (ItemId(item), LocationId(location)): (first, last)
            for item, location, first, last in remembered.get("levels", ())
        }
        self._orders = {OrderId(order): (first, last) for order, first, last in remembered.get("orders", ())}

    def memory(self) -> dict[str, list[tuple[int, ...]]]:
        """As numbers. It grows with the levels and the flags that the run has changed."""
        return {
            "levels": [(*key, *versions) for key, versions in self._levels.items()],
            "orders": [(order, *versions) for order, versions in self._orders.items()],
        }

    def add(self, changes: Changes, *, done: Collection[OrderId]) -> None:
        """Remember what a chunk has written. `done`: its own orders, whose turn does not come again."""
        for level in changes.changed_levels:
            _follow(self._levels, level.key, level.version)
        for order in changes.orders:
            if order.id not in done:
                _follow(self._orders, order.id, order.version)

    def over(self, basis: Basis) -> Basis:
        """What has to be found where nobody else has changed anything."""
        return Basis(orders=_now(self._orders, basis.orders), levels=_now(self._levels, basis.levels))


def _follow(known: dict[K, tuple[int, int]], key: K, version: int) -> None:
    """Each commit that changes a row makes the next version of it."""
    first, last = known.get(key, (version - 1, version - 1))
    if last == version - 1:
        known[key] = first, version


def _now(known: Mapping[K, tuple[int, int]], then: Mapping[K, int]) -> dict[K, int]:
    found: dict[K, int] = {}
    for key, version in then.items():
        first, last = known.get(key, (version, version))
        found[key] = last if first == version else version
    return found
