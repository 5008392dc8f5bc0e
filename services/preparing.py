"""What the commands of a batch need to know: asked for in a fixed number of statements, under the locks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from domain.batch import Batch
from domain.changes import Facts
from domain.checks import Problems
from domain.errors import InvalidInput
from domain.holding import HoldRule
from domain.ids import (
    BundleId,
    FulfillmentId,
    ItemId,
    LineId,
    OrderId,
    PickTaskId,
    ReservationId,
    ReservedLineId,
    ReturnId,
    Sku,
    SupplyId,
)
from domain.orders import OrderTerms
from domain.stock import LedgerSince
from domain.supplying import Queue
from services.callers import Caller
from services.commands import Asked, Bundles, Known, Needs, Rules
from services.ports.automation import NewOrderRules
from services.ports.batches import SKUS_MAX, BatchTooLarge
from services.ports.fulfillments import TaskItem
from services.ports.orders import Buyer, LineView, OrderReference, OrderView
from services.ports.unit_of_work import UnitOfWork
from services.recording import account
from services.sight import cut, in_sight

T = TypeVar("T")
K = TypeVar("K")

NEW_MAX = 300
"""Parcels, lines and parts of one fulfillment that one command may make."""

NO_RULES = NewOrderRules()


async def prepare(uow: UnitOfWork, asked: Sequence[Asked]) -> tuple[list[Known], Batch]:
    """Answer what every command needs to know, and load the working copy under the locks."""
    needs = [one.needs for one in asked]
    resolved = await _resolve(uow, asked)
    items, bundles = await _resolve_skus(uow, needs)
    ruling = await uow.automation.new_order_rules() if any(one.rules for one in needs) else NO_RULES
    locked = _to_lock(needs, ruling.allocation, items, bundles)
    floors = await _resolve_floor(uow, asked)
    supplies = [await _resolve_supplies(uow, one, locked) for one in asked]
    named = [_Named(*ids, floor, theirs) for ids, floor, theirs in zip(resolved, floors, supplies, strict=True)]
    batch = await _working_copy(uow, needs, named, locked)
    named = [one._replace(orders=[order if order in batch.orders else None for order in one.orders]) for one in named]
    now = await _number_the_new(uow, batch, needs)
    fresh = await _reserve(uow, needs, named, batch, bundles)
    terms = await _terms(uow, _orders_of(needs, named, lambda one: one.terms))
    views, lines = await _views(uow, _orders_of(needs, named, lambda one: one.views))
    standing = _orders_of(needs, named, lambda one: one.standings or (one.rules and bool(ruling.holds)))
    for one, found in zip(needs, named, strict=True):
        standing += found.floor.orders if one.standings else ()
    await account(uow, batch, standing)
    buyers = [_buyer(one, found.orders, views) for one, found in zip(needs, named, strict=True)]
    returning = await _returning(uow, buyers, ruling.holds)
    knowns = [
        Known(
            orders=tuple(found.orders),
            numbers=tuple(found.numbers),
            items=items,
            bundles=bundles,
            supplies=tuple(found.supplies),
            ledger=await _since(uow, one, items),
            queue=await _queue(uow, batch, found.supplies) if one.queue else None,
            supply_id=await uow.supplies.reserve_id() if one.new_supply else None,
            order_ids=new.orders,
            line_ids=new.lines,
            bundle_ids=new.bundles,
            reservation_ids=new.reservations,
            reserved_line_ids=new.reserved_lines,
            reservations=await _carts(uow, ask, batch),
            terms=terms,
            rules=ruling.allocation,
            hold_rules=ruling.holds,
            has_ordered=at in returning,
            views=views,
            lines=lines,
            beside=await _beside(uow, one, found.orders),
            fulfillments=found.floor.fulfillments,
            tasks=found.floor.tasks,
            returns=found.floor.returns,
            now=now,
        )
        for at, (ask, one, found, new) in enumerate(zip(asked, needs, named, fresh, strict=True))
    ]
    return knowns, batch


async def _resolve(uow: UnitOfWork, asked: Sequence[Asked]) -> list[tuple[list[OrderId | None], list[OrderId | None]]]:
    """The orders that each command names, and the numbers that it asks for.

    An order's id is taken as it is: whether it is one, is seen when the orders are loaded.
    """
    named = [one for ask in asked for one in (*ask.needs.orders, *ask.needs.numbers) if one.id is None]
    found = iter(await uow.orders.resolve(named) if named else ())

    def ids(references: Iterable[OrderReference]) -> list[OrderId | None]:
        return [next(found) if one.id is None else one.id for one in references]

    resolved = [(ids(ask.needs.orders), ids(ask.needs.numbers)) for ask in asked]
    return [await _in_sight(uow, one.caller, *theirs) for one, theirs in zip(asked, resolved, strict=True)]


async def _resolve_skus(uow: UnitOfWork, needs: Iterable[Needs]) -> tuple[dict[Sku, ItemId], Bundles]:
    """Items with the components of bundles among them, and what the bundles are made of."""
    skus = {sku for one in needs for sku in one.skus}
    if not skus:
        return {}, {}
    items, bundles = await uow.catalog.items_and_components(list(skus))
    return items | {one.sku: one.item for components in bundles.values() for one in components}, bundles


def _to_lock(needs: Iterable[Needs], rules: Rules, items: Mapping[Sku, ItemId], bundles: Bundles) -> set[ItemId]:
    return {
        items[sku]
        for one in needs
        if _locks(one, rules)
        for named in one.skus
        for sku in (named, *(part.sku for part in bundles.get(named, ())))
        if sku in items
    }


async def _in_sight(
    uow: UnitOfWork, caller: Caller, orders: list[OrderId | None], numbers: list[OrderId | None]
) -> tuple[list[OrderId | None], list[OrderId | None]]:
    """The orders that the caller may know of; the others are not there."""
    if not caller.visibility.is_limited:
        return orders, numbers
    seen = await in_sight(uow, caller.visibility, "orders", [one for one in (*orders, *numbers) if one is not None])
    return [one if one in seen else None for one in orders], [one if one in seen else None for one in numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Floor:
    """What one command names on the warehouse floor, as far as it is there and its caller may know of it."""

    fulfillments: Mapping[FulfillmentId, OrderId]
    tasks: Mapping[PickTaskId, TaskItem]
    returns: Mapping[ReturnId, OrderId]

    @property
    def orders(self) -> Iterator[OrderId]:
        yield from self.fulfillments.values()
        yield from (task.order for task in self.tasks.values())
        yield from self.returns.values()


NO_FLOOR = _Floor(fulfillments={}, tasks={}, returns={})


class _Named(NamedTuple):
    """What one command names, as far as it is there and its caller may know of it."""

    orders: list[OrderId | None]
    numbers: list[OrderId | None]
    floor: _Floor
    supplies: list[SupplyId | None]


class _Fresh(NamedTuple):
    """Ids for what one command may make."""

    orders: tuple[OrderId, ...]
    lines: tuple[LineId, ...]
    bundles: tuple[BundleId, ...]
    reservations: tuple[ReservationId, ...]
    reserved_lines: tuple[ReservedLineId, ...]


async def _working_copy(
    uow: UnitOfWork, needs: Sequence[Needs], named: Sequence[_Named], items: Iterable[ItemId]
) -> Batch:
    """What all of them name, with these SKUs: locked, then read."""
    orders = [order for one in named for order in one.orders if order is not None]
    orders = list(dict.fromkeys((*orders, *(order for one in named for order in one.floor.orders))))
    facts = await _load(uow, orders, items, needs)
    return Batch(await _with_supplies(uow, facts, [supply for one in named for supply in one.supplies]))


async def _resolve_floor(uow: UnitOfWork, asked: Sequence[Asked]) -> list[_Floor]:
    """Of each command; what all of them name is looked for together."""
    fulfillments = [one for ask in asked for one in ask.needs.fulfillments]
    tasks = [task for ask in asked for task in ask.needs.tasks]
    returns = [one for ask in asked for one in ask.needs.returns]
    found = _Floor(
        fulfillments=await uow.fulfillments.orders_of(fulfillments) if fulfillments else {},
        tasks=await uow.fulfillments.items_of_tasks(tasks) if tasks else {},
        returns=await uow.returns.orders_of(returns) if returns else {},
    )
    return [await _own_floor(uow, ask, found) for ask in asked]


async def _own_floor(uow: UnitOfWork, ask: Asked, found: _Floor) -> _Floor:
    needs, sight = ask.needs, ask.caller.visibility
    if not (needs.fulfillments or needs.tasks or needs.returns):
        return NO_FLOOR
    return _Floor(
        fulfillments=await cut(uow, sight, "fulfillments", _of(needs.fulfillments, found.fulfillments)),
        tasks=await cut(uow, sight, "pick_tasks", _of(needs.tasks, found.tasks)),
        returns=await cut(uow, sight, "returns", _of(needs.returns, found.returns)),
    )


def _of(wanted: Iterable[K], found: Mapping[K, T]) -> dict[K, T]:
    return {one: found[one] for one in wanted if one in found}


async def _number_the_new(uow: UnitOfWork, batch: Batch, needs: Sequence[Needs]) -> datetime | None:
    """Each claim may need a line and a task, each level a fulfillment, each bin a task; and each command some more."""
    commands = sum(one.floor for one in needs)
    if not commands:
        return None
    most = 3 * len(batch.claims) + 3 * len(batch.lines) + 3 * len(batch.levels) + len(batch.floor.bins)
    most += commands * NEW_MAX + sum(one.new_rows for one in needs)
    batch.floor.ids, now = await uow.batches.fresh_ids(most)
    return now


async def _resolve_supplies(uow: UnitOfWork, ask: Asked, locked: set[ItemId]) -> list[SupplyId | None]:
    """The supplies that are meant; their SKUs, which never change, are added to those that will be locked."""
    if not ask.needs.supplies:
        return []
    found = await uow.supplies.resolve(ask.needs.supplies)
    seen = await in_sight(uow, ask.caller.visibility, "supplies", [one for one in found if one is not None])
    locked |= await uow.supplies.items_of(list(seen))
    return [one if one in seen else None for one in found]


async def _with_supplies(uow: UnitOfWork, facts: Facts, found: Iterable[SupplyId | None]) -> Facts:
    ids = [supply for supply in found if supply is not None]
    return replace(facts, supplies=await uow.supplies.by_ids(ids)) if ids else facts


async def _queue(uow: UnitOfWork, batch: Batch, supplies: Iterable[SupplyId | None]) -> Queue:
    items = list({line.item for supply in supplies if supply is not None for line in batch.supplies[supply].lines})
    return Queue(waiting=await uow.explanations.queue(items), supplies=await uow.supplies.open_lines(items))


async def _since(uow: UnitOfWork, needs: Needs, items: Mapping[Sku, ItemId]) -> LedgerSince | None:
    if needs.since is None:
        return None
    return await uow.stock.since([items[sku] for sku in needs.skus if sku in items], needs.since)


async def _load(uow: UnitOfWork, orders: Sequence[OrderId], items: Iterable[ItemId], needs: Sequence[Needs]) -> Facts:
    """Raises BatchTooLarge, or InvalidInput where a single command is too large."""
    reservations = list(dict.fromkeys(reservation for one in needs for reservation in one.reservations))
    try:
        facts = await uow.batches.load(
            orders=orders,
            items=items,
            reservations=reservations,
            floor=any(one.floor for one in needs),
            bins=any(one.floor or one.bins for one in needs),
            returns=any(one.returns or one.with_returns for one in needs),
        )
        if len(facts.skus) > SKUS_MAX:  # a snapshot would take them, and a dry run shall say what a run says
            raise BatchTooLarge(len(facts.skus), SKUS_MAX)
        return facts
    except BatchTooLarge as error:
        if len(needs) > 1:
            raise
        problem = f"This concerns {error.skus:,} SKUs; one call takes at most {error.most:,}."
        problems = Problems()
        problems.add(needs[0].path, "TOO_MANY", f"{problem} Send less at a time, or use startAllocationRun.")
        raise InvalidInput(problems=problems.all()) from error


def _new_lines(needs: Needs, orders: Sequence[OrderId | None], batch: Batch, bundles: Bundles) -> int:
    copied = sum(len(batch.lines_of(order)) for order in orders if order) if needs.copies_lines else 0
    return sum(len(bundles[sku]) if sku in bundles else 1 for sku in needs.new_lines) + copied


def _reserved_lines(needs: Needs, bundles: Bundles) -> int:
    """A component that several bundles share is one line."""
    wanted = needs.new_reserved_lines
    return len({sku for named in wanted for sku in ([part.sku for part in bundles.get(named, ())] or [named])})


async def _reserve(
    uow: UnitOfWork, needs: Sequence[Needs], named: Sequence[_Named], batch: Batch, bundles: Bundles
) -> list[_Fresh]:
    """Ids for every command, reserved together."""
    lines = [_new_lines(one, found.orders, batch, bundles) for one, found in zip(needs, named, strict=True)]
    parts = [sum(sku in bundles for sku in one.new_lines) for one in needs]
    reserved = [_reserved_lines(one, bundles) for one in needs]
    orders, order_lines, order_bundles = await _reserve_orders(
        uow, sum(one.new_orders for one in needs), sum(lines), sum(parts)
    )
    carts, cart_lines = await _reserve_carts(uow, needs, sum(reserved))
    return [
        _Fresh(
            _next(orders, one.new_orders),
            _next(order_lines, of_lines),
            _next(order_bundles, of_bundles),
            _next(carts, one.new_reservations),
            _next(cart_lines, of_carts),
        )
        for one, of_lines, of_bundles, of_carts in zip(needs, lines, parts, reserved, strict=True)
    ]


def _next(ids: Iterator[T], count: int) -> tuple[T, ...]:
    return tuple([next(ids) for _ in range(count)])


async def _reserve_orders(
    uow: UnitOfWork, orders: int, lines: int, bundles: int
) -> tuple[Iterator[OrderId], Iterator[LineId], Iterator[BundleId]]:
    if not orders and not lines:
        return iter(()), iter(()), iter(())
    order_ids, line_ids, bundle_ids = await uow.batches.reserve_ids(orders, lines, bundles)
    return iter(order_ids), iter(line_ids), iter(bundle_ids)


async def _reserve_carts(
    uow: UnitOfWork, needs: Iterable[Needs], lines: int
) -> tuple[Iterator[ReservationId], Iterator[ReservedLineId]]:
    reservations = sum(one.new_reservations for one in needs)
    if not reservations:
        return iter(()), iter(())
    ids, line_ids = await uow.batches.reserve_cart_ids(reservations, lines)
    return iter(ids), iter(line_ids)


async def _carts(uow: UnitOfWork, ask: Asked, batch: Batch) -> frozenset[ReservationId]:
    """The carts that are meant, as far as they exist and the caller may know of them."""
    named = [one for one in ask.needs.reservations if one in batch.reservations]
    return frozenset(await in_sight(uow, ask.caller.visibility, "stock_reservations", named))


async def _beside(uow: UnitOfWork, needs: Needs, orders: Sequence[OrderId | None]) -> Mapping[str, OrderId]:
    """One statement for a command that asks for it; such a command is alone."""
    if needs.beside is None or orders[0] is None:
        return {}
    assert needs.alone
    return await uow.orders.beside(orders[0], needs.beside)


def _locks(needs: Needs, rules: Rules) -> bool:
    ruled = needs.rules and needs.locks_skus_under is not None and needs.locks_skus_under(rules)
    return needs.locks_skus or ruled


def _orders_of(needs: Sequence[Needs], named: Sequence[_Named], wanted: Callable[[Needs], bool]) -> list[OrderId]:
    return [order for one, found in zip(needs, named, strict=True) if wanted(one) for order in found.orders if order]


def _buyer(needs: Needs, orders: Sequence[OrderId | None], views: Mapping[OrderId, OrderView]) -> Buyer | None:
    """Whose earlier orders matter to a hold rule."""
    if not needs.rules or needs.buyer is not None:
        return needs.buyer
    shown = next((views[order] for order in orders if order is not None and order in views), None)
    return None if shown is None else Buyer.of(shown.channel, shown.customer, shown.id)


async def _returning(uow: UnitOfWork, buyers: Sequence[Buyer | None], rules: Iterable[HoldRule]) -> set[int]:
    """The positions of those who have ordered before; it is only asked where a rule does."""
    asked = {at: buyer for at, buyer in enumerate(buyers) if buyer is not None}
    if not asked or all(rule.first_order_from is None for rule in rules):
        return set()
    found = await uow.orders.returning(list(asked.values()))
    return {at for at, has_ordered in zip(asked, found, strict=True) if has_ordered}


async def _terms(uow: UnitOfWork, orders: Sequence[OrderId]) -> Mapping[OrderId, OrderTerms]:
    return await uow.orders.terms(orders) if orders else {}


async def _views(
    uow: UnitOfWork, orders: Sequence[OrderId]
) -> tuple[Mapping[OrderId, OrderView], Mapping[LineId, LineView]]:
    if not orders:
        return {}, {}
    views = {view.id: view for view in await uow.orders.by_ids(orders)}
    return views, {line.id: line for line in await uow.orders.lines_of(orders)}
