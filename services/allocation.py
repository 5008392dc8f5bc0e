"""Allocate and deallocate: the main job."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.allocating import OrderOutcome, OrderToAllocate, allocate, deallocate
from domain.batch import Batch, Facts
from domain.checks import LIST_MAX, Path, Problems
from domain.errors import InvalidInput
from domain.ids import LineId, LocationId, OrderId
from services.callers import Caller
from services.idempotency import once
from services.ports import BatchTooLarge, Database, OrderReference, UnitOfWork
from services.recording import record

ORDERS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LineToAllocate:
    """`quantity` units of the line shall be set aside in all; None: all that is open."""

    line: LineId
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrder:
    """One order of a run; `lines` None: every open line."""

    order: OrderReference
    lines: tuple[LineToAllocate, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateOrders:
    """Allocate the orders in exactly this sequence. `locations`: codes of those that may be used; None: all."""

    orders: tuple[AllocateOrder, ...]
    locations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeallocateOrders:
    """Give back everything that is set aside for the orders."""

    orders: tuple[OrderReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run did to each order, in the sequence given."""

    results: tuple[OrderOutcome, ...]


async def allocate_orders(
    database: Database, caller: Caller, command: AllocateOrders, key: str, *, dry_run: bool = False
) -> RunOutcome:
    """Allocate in one transaction; each order has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    _check(command)

    async def effect(uow: UnitOfWork) -> RunOutcome:
        return await _allocate(uow, caller, command, dry_run=dry_run)

    if dry_run:
        return await database.run(effect, repeatable=True)
    return await once(database, caller, "allocateOrders", key, command, RunOutcome, effect)


async def deallocate_orders(database: Database, caller: Caller, command: DeallocateOrders, key: str) -> RunOutcome:
    """Give back in one transaction; each order has its own outcome. Raises InvalidInput, IdempotencyKeyReused."""
    problems = Problems()
    problems.size(len(command.orders), ("input", "orders"), ORDERS_MAX)
    problems.distinct(map(str, command.orders), ("input", "orders"), "Each order may stand here once.")
    problems.refuse()

    async def effect(uow: UnitOfWork) -> RunOutcome:
        ids = await uow.orders.resolve(command.orders)
        known = _each_once(ids, ("input", "orders"))
        batch = Batch(await _load(uow, known))
        named = list(zip(map(str, command.orders), ids, strict=True))
        outcome = RunOutcome(results=deallocate(batch, named))
        await record(uow, batch, caller)
        return outcome

    return await once(database, caller, "deallocateOrders", key, command, RunOutcome, effect)


async def allocate_batch(uow: UnitOfWork, caller: Caller, orders: Sequence[OrderId]) -> tuple[OrderOutcome, ...]:
    """Allocate orders that are known by id, in this sequence, within a transaction that the caller keeps."""
    batch = Batch(await uow.batches.load(orders=orders))
    outcomes = allocate(batch, [OrderToAllocate(reference=f"Order:{order}", order=order) for order in orders])
    await record(uow, batch, caller)
    return outcomes


def _check(command: AllocateOrders) -> None:
    problems = Problems()
    orders = ("input", "orders")
    problems.size(len(command.orders), orders, ORDERS_MAX)
    problems.distinct((str(one.order) for one in command.orders), orders, "Each order may stand here once.")
    for index, one in enumerate(command.orders):
        _check_lines(problems, one, (*orders, str(index), "lines"))
    if command.locations is not None:
        problems.size(len(command.locations), ("input", "locations"), LIST_MAX)
    problems.refuse()


def _check_lines(problems: Problems, order: AllocateOrder, path: Path) -> None:
    if order.lines is None:
        return
    problems.size(len(order.lines), path)
    problems.distinct((line.line for line in order.lines), path, "Each line may stand here once.")
    for index, line in enumerate(order.lines):
        if line.quantity is not None:
            problems.whole(line.quantity, (*path, str(index), "quantity"), 1, 2**31 - 1)


async def _allocate(uow: UnitOfWork, caller: Caller, command: AllocateOrders, *, dry_run: bool) -> RunOutcome:
    ids = await uow.orders.resolve([one.order for one in command.orders])
    known = _each_once(ids, ("input", "orders"))
    ranks = await _ranks(uow, command.locations)
    batch = Batch(await _load(uow, known))
    wanted = [
        OrderToAllocate(
            reference=str(one.order),
            order=order,
            lines=None if one.lines is None else {line.line: line.quantity for line in one.lines},
        )
        for one, order in zip(command.orders, ids, strict=True)
    ]
    outcome = RunOutcome(results=allocate(batch, wanted, ranks))
    if not dry_run:
        await record(uow, batch, caller)
    return outcome


async def _ranks(uow: UnitOfWork, codes: tuple[str, ...] | None) -> dict[LocationId, int] | None:
    if codes is None:
        return None
    known = {location.code: location for location in await uow.catalog.locations()}
    problems = Problems()
    for index, code in enumerate(codes):
        if code not in known:
            problems.add(("input", "locations", str(index)), "UNKNOWN", "There is no location of this code.")
    problems.refuse()
    return {known[code].id: known[code].rank for code in codes}


async def _load(uow: UnitOfWork, orders: Sequence[OrderId]) -> Facts:
    try:
        return await uow.batches.load(orders=orders)
    except BatchTooLarge as error:
        problem = f"These orders have {error.skus:,} SKUs; one call takes at most {error.most:,}."
        problems = Problems()
        problems.add(("input", "orders"), "TOO_MANY", f"{problem} Send fewer orders, or use startAllocationRun.")
        raise InvalidInput(problems=problems.all()) from error


def _each_once(ids: Sequence[OrderId | None], path: Path) -> list[OrderId]:
    """The known ids; the same order may hide behind an id and a number."""
    problems = Problems()
    problems.distinct(ids, path, "Each order may stand here once.")
    problems.refuse()
    return [order for order in ids if order is not None]
