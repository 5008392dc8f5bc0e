"""Dry runs: what allocating would do, who would get less for it, and a token that commits exactly that."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.allocating import OrderOutcome
from domain.changes import Changes, Facts
from domain.checks import Problems
from domain.foresight import Foresight
from domain.ids import OrderId, RunId
from domain.kinds import RunState
from domain.what_if import Loser, losers, served
from services.allocation import AllocateOrders, RunOutcome, asked_for, checked
from services.callers import Caller
from services.commands import Asked
from services.outcomes import from_json
from services.plan_tokens import Token, basis_of, digest, write_token
from services.ports.database import Database
from services.ports.orders import OrderFilter
from services.ports.unit_of_work import UnitOfWork
from services.preparing import prepare
from services.recording import settle

WAITING_ORDERS_MAX = 2_000
"""Of those that wait for the same SKUs, so many are looked at: the highest priority first, then the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Losers:
    """Waiting orders that would get less, in the sequence in which they wait. `all_seen`: none was left out."""

    orders: Sequence[Loser]
    all_seen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a run would do to each order, in the sequence given, and to those that wait; and the token that does it."""

    results: tuple[OrderOutcome, ...]
    losers: Losers
    token: str


async def foresee_orders(database: Database, caller: Caller, command: AllocateOrders) -> Foreseen:
    """The same code as `allocate_orders`, over one moment; nothing is locked or written. Raises InvalidInput."""
    command = checked(command)
    if command.token is not None:
        problems = Problems()
        problems.add(("input", "token"), "NOT_APPLICABLE", "A dry run gives a token, and takes none.")
        problems.refuse()

    async def work(uow: UnitOfWork) -> tuple[RunOutcome, Token, Changes, Facts, list[OrderId], bool]:
        (known,), batch = await prepare(uow, [Asked(caller, command, None)])
        basis = basis_of(batch, known.orders, command.locations)
        outcome = command.decide(batch, known)
        await settle(uow, batch)
        token = Token(asked=asked_for(command), planned=digest(outcome.results), basis=basis)
        changes = batch.changes()
        waiting = await _waiting(uow, changes, known.orders)
        seen = waiting[:WAITING_ORDERS_MAX]
        facts = await uow.batches.load(orders=seen)
        return outcome, token, changes, facts, seen, len(waiting) <= WAITING_ORDERS_MAX

    outcome, token, changes, facts, waiting, all_seen = await database.snapshot(work)
    found = await asyncio.to_thread(_losers, changes, facts, waiting) if waiting else []
    return Foreseen(results=outcome.results, losers=Losers(orders=found, all_seen=all_seen), token=write_token(token))


async def losers_of_run(database: Database, run: RunId) -> Losers | None:
    """Who waits beside a background dry run and would get less if it happened; None where it is none, or not over.

    As they wait now: nothing is written by a dry run, so it is worked out when somebody asks.
    """

    async def work(uow: UnitOfWork) -> tuple[Foresight, Facts, list[OrderId], bool] | None:
        (found,) = await uow.runs.by_ids([run])
        if not found.dry_run or found.state is not RunState.SUCCEEDED:
            return None
        foresight, condition = Foresight(found.foreseen), from_json(OrderFilter, dict(found.filter))
        places = await uow.orders.waiting_for(foresight.items, WAITING_ORDERS_MAX + 1, None, but=condition)
        seen = [one.order for one in places[:WAITING_ORDERS_MAX]]
        return foresight, await uow.batches.load(orders=seen), seen, len(places) <= WAITING_ORDERS_MAX

    found = await database.snapshot(work)
    if found is None:
        return None
    foresight, facts, waiting, all_seen = found
    orders = await asyncio.to_thread(_losing, foresight, facts, waiting) if waiting else []
    return Losers(orders=orders, all_seen=all_seen)


async def _waiting(uow: UnitOfWork, changes: Changes, served_now: Collection[OrderId | None]) -> list[OrderId]:
    """Other orders that wait for what the run takes; one more than is looked at where there are."""
    items = sorted({claim.item for claim in changes.new_claims})
    if not items:
        return []
    found = await uow.orders.waiting_for(items, WAITING_ORDERS_MAX + len(served_now) + 1, None)
    return [one.order for one in found if one.order not in served_now][: WAITING_ORDERS_MAX + 1]


def _losers(changes: Changes, facts: Facts, waiting: Sequence[OrderId]) -> list[Loser]:
    foresight = Foresight()
    foresight.add(changes)
    return _losing(foresight, facts, waiting)


def _losing(foresight: Foresight, facts: Facts, waiting: Sequence[OrderId]) -> list[Loser]:
    return losers(served(facts, waiting), served(foresight.over(facts), waiting), waiting)
