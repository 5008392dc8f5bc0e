"""One path for one request and for hundreds: commands gather into a batch, the batch is one transaction.

A command says what it needs to know, and then decides on the working copy. `execute` asks for everything that all
commands of a batch need in a fixed number of statements, lets them decide one after the other, and writes what they
decided at once. Each command has its own outcome: a refusal of one never touches another, because a command decides
before it moves.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from domain.automation import AllocationRule
from domain.batch import Batch, Changes, Facts
from domain.checks import Problems
from domain.errors import DomainError, IdempotencyKeyReused, InvalidInput
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
from domain.making import quickly_made
from domain.orders import OrderTerms
from domain.stock import Component, LedgerSince
from domain.supplying import Queue
from services.callers import Caller
from services.outcomes import from_json, to_text
from services.ports import (
    SKUS_MAX,
    BatchTooLarge,
    Buyer,
    Database,
    IdempotencyKey,
    LineView,
    NewOrderRules,
    OrderReference,
    OrderView,
    SupplyReference,
    TaskItem,
    UnitOfWork,
)
from services.recording import account, settle
from services.sight import cut, in_sight

T = TypeVar("T")
K = TypeVar("K")
T_co = TypeVar("T_co", covariant=True)

NEW_MAX = 300
"""Parcels, lines and parts of one fulfillment that one command may make."""

Rules = Sequence[AllocationRule]
NO_RULES = NewOrderRules()
Bundles = Mapping[Sku, tuple[Component, ...]]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a command needs to know before it can decide.

    - `orders` and `reservations` are locked and loaded whole; `terms` and `views`: also the orders' terms, and the
      orders as they are shown, with their lines.
    - `standings`: also what the orders, and those of the fulfillments, owe and are held for. Where there are hold
      rules, `rules` asks for that, too, and for whether the `buyer`, or else the customers of the orders that are
      shown, have ordered before.
    - `numbers` are only looked up. `beside`: the orders in the channel of the command's only order that have this
      number; with "", those whose number is that order's with a suffix.
    - `skus` are looked up, and locked with their levels where `locks_skus`, or where `locks_skus_under` holds of the
      allocation rules, which are read where `rules`, together with the hold rules.
    - `supplies` are loaded, under the locks of all their SKUs; `queue`: also who waits for these SKUs, and what else is
      expected of them. `since`: what the ledger knows of the SKUs since then.
    - A SKU that is a bundle stands for its components wherever it is locked.
    - `new_orders`, and lines of the SKUs `new_lines` and `new_reserved_lines`: ids are reserved for them, and for a
      line of each component in place of a bundle; `copies_lines`: also for as many as the orders have.
    - `fulfillments` and `tasks`: their orders are loaded, too. `floor`: it works on the warehouse floor, with the
      fulfillments of its orders, the bins and open pick tasks of its SKUs, what time it is and numbers for what is new;
      `bins`: the bins and tasks alone.
    - `returns`: their orders are loaded, too. Then, and `with_returns`, all returns of the batch's orders are known.
    - `new_rows`: on the floor it may make so many rows beside those that a step of one fulfillment makes.
    - `alone`: it shares its transaction with no other command.
    - `path`: what is too long in the input where too many SKUs come together.
    """

    orders: tuple[OrderReference, ...] = ()
    reservations: tuple[ReservationId, ...] = ()
    numbers: tuple[OrderReference, ...] = ()
    skus: tuple[Sku, ...] = ()
    locks_skus: bool = False
    supplies: tuple[SupplyReference, ...] = ()
    since: datetime | None = None
    queue: bool = False
    new_orders: int = 0
    new_lines: tuple[Sku, ...] = ()
    new_reservations: int = 0
    new_reserved_lines: tuple[Sku, ...] = ()
    new_supply: bool = False
    terms: bool = False
    standings: bool = False
    buyer: Buyer | None = None
    rules: bool = False
    locks_skus_under: Callable[[Rules], bool] | None = None
    views: bool = False
    copies_lines: bool = False
    beside: str | None = None
    fulfillments: tuple[FulfillmentId, ...] = ()
    tasks: tuple[PickTaskId, ...] = ()
    floor: bool = False
    bins: bool = False
    returns: tuple[ReturnId, ...] = ()
    with_returns: bool = False
    new_rows: int = 0
    alone: bool = False
    path: tuple[str, ...] = ("input",)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answers to `Needs`: None for what does not exist; an unknown SKU is missing from `items`.

    `bundles`: what the SKUs that are bundles are made of; the components are in `items`, too. `has_ordered`: whether
    another order of the command's customer is known; it is asked for only where a hold rule does. `reservations`,
    `fulfillments`, `tasks` and `returns`: those that exist; of a task, what its item is known by.
    """

    orders: tuple[OrderId | None, ...] = ()
    numbers: tuple[OrderId | None, ...] = ()
    items: Mapping[Sku, ItemId] = field(default_factory=dict)
    bundles: Bundles = field(default_factory=dict)
    supplies: tuple[SupplyId | None, ...] = ()
    ledger: LedgerSince | None = None
    queue: Queue | None = None
    order_ids: tuple[OrderId, ...] = ()
    line_ids: tuple[LineId, ...] = ()
    bundle_ids: tuple[BundleId, ...] = ()
    reservation_ids: tuple[ReservationId, ...] = ()
    reserved_line_ids: tuple[ReservedLineId, ...] = ()
    reservations: frozenset[ReservationId] = frozenset()
    supply_id: SupplyId | None = None
    terms: Mapping[OrderId, OrderTerms] = field(default_factory=dict)
    rules: Rules = ()
    hold_rules: Sequence[HoldRule] = ()
    has_ordered: bool = False
    views: Mapping[OrderId, OrderView] = field(default_factory=dict)
    lines: Mapping[LineId, LineView] = field(default_factory=dict)
    beside: Mapping[str, OrderId] = field(default_factory=dict)
    fulfillments: Mapping[FulfillmentId, OrderId] = field(default_factory=dict)
    tasks: Mapping[PickTaskId, TaskItem] = field(default_factory=dict)
    returns: Mapping[ReturnId, OrderId] = field(default_factory=dict)
    now: datetime | None = None


class Performer(Protocol):
    """Whoever gets commands done; see `services.desk`."""

    async def perform(self, caller: Caller, command: "Command[T]", key: str | None) -> T: ...


class Command(Protocol[T_co]):
    """One thing that a caller asks for. Its fields are the input: the same key with other fields is refused."""

    mutation: ClassVar[str]
    outcome_type: ClassVar[Any]

    def needs(self) -> Needs: ...

    def decide(self, batch: Batch, known: Known) -> Any:
        """Move the working copy, or refuse before the first move; what `conclude` needs to know of it."""

    def conclude(self, outcome: Any, changes: Changes) -> T_co:
        """The outcome, once everything is decided and the flags are settled."""


class Asked:
    """A command with who asked for it, and under which idempotency key (None: it is looked at by nobody twice).

    What can be known of it before its turn comes is worked out when it is asked.
    """

    __slots__ = ("caller", "command", "fingerprint", "identity", "key", "needs")

    def __init__(self, caller: Caller, command: Command[Any], key: str | None) -> None:
        self.caller = caller
        self.command = command
        self.key = key
        self.needs = command.needs()
        # A command that writes down what came of an input has that input as `asked`.
        self.fingerprint = b"" if key is None else fingerprint(getattr(command, "asked", command))
        self.identity: IdempotencyKey | None = None if key is None else (caller.key, command.mutation, key)
        """The key's owner, the mutation and the key; requests of the same identity are twins."""


Answer = Any
"""An outcome, or the DomainError that refuses it."""


async def perform_all(database: Database, asked: Sequence[Asked]) -> list[Answer]:
    """Do commands in one transaction; each one's outcome or refusal, in sequence."""

    async def work(uow: UnitOfWork) -> list[Answer]:
        return await execute(uow, asked)

    return await database.run(work, repeatable=all(one.key is not None for one in asked))


async def once(
    database: Database,
    identity: IdempotencyKey,
    command: object,
    outcome_type: Any,
    effect: Callable[[UnitOfWork], Awaitable[T]],
) -> T:
    """An effect that is no batch, under an idempotency key: the same promise as for commands."""
    made_from = fingerprint(command)

    async def work(uow: UnitOfWork) -> Any:
        stored = await uow.keys.claim([(identity, made_from)])
        if stored:
            return _remembered(outcome_type, made_from, *stored[identity])
        outcome = await effect(uow)
        await uow.keys.keep([(identity, to_text(outcome))])
        return outcome

    answer = await database.run(work, repeatable=True)
    if isinstance(answer, DomainError):
        raise answer
    done: T = answer
    return done


async def recalled(database: Database, identity: IdempotencyKey, command: object, outcome_type: Any) -> Any | None:
    """What was done under the key before; None: nothing yet. Raises the refusal that is kept, IdempotencyKeyReused."""
    made_from = fingerprint(command)

    async def work(uow: UnitOfWork) -> Any:
        stored = await uow.keys.claim([(identity, made_from)])
        if stored:
            return _remembered(outcome_type, made_from, *stored[identity])
        await uow.keys.forget([identity])
        return None

    answer = await database.run(work, repeatable=True)
    if isinstance(answer, DomainError):
        raise answer
    return answer


async def execute_one(uow: UnitOfWork, caller: Caller, command: Command[T]) -> T:
    """One command without a key, within a transaction. Raises its refusal."""
    (answer,) = await execute(uow, [Asked(caller, command, None)])
    if isinstance(answer, DomainError):
        raise answer
    outcome: T = answer
    return outcome


async def execute(uow: UnitOfWork, asked: Sequence[Asked]) -> list[Answer]:
    """One batch, within a transaction: keys first, then the locks, then every command in sequence, then the writing."""
    answers, fresh = await _recall(uow, asked)
    if fresh:
        decided = await _decide(uow, [asked[index] for index in fresh])
        answers.update(zip(fresh, decided, strict=True))
    return [answers[index] for index in range(len(asked))]


async def _decide(uow: UnitOfWork, asked: Sequence[Asked]) -> list[Answer]:
    knowns, batch = await prepare(uow, asked)
    answers: list[Answer] = []
    for one, known in zip(asked, knowns, strict=True):
        try:
            batch.actor, batch.request = one.caller.actor, one.caller.request
            batch.places_in_sight = one.caller.visibility.locations
            answers.append(one.command.decide(batch, known))
        except DomainError as refusal:
            answers.append(refusal)
        await settle(uow, batch)  # the next command sees the flags as this one leaves them
    changes = batch.changes()
    concluded = [
        answer if isinstance(answer, DomainError) else one.command.conclude(answer, changes)
        for one, answer in zip(asked, answers, strict=True)
    ]
    await _record(uow, changes, list(zip(asked, concluded, strict=True)))
    return concluded


# ---------------------------------------------------------------- what the commands need


async def prepare(uow: UnitOfWork, asked: Sequence[Asked]) -> tuple[list[Known], Batch]:
    """Answer what every command needs to know, and load the working copy under the locks."""
    needs = [one.needs for one in asked]
    references = [reference for one in needs for reference in (*one.orders, *one.numbers)]
    ids = iter(await uow.orders.resolve(references) if references else [])
    resolved = [([next(ids) for _ in one.orders], [next(ids) for _ in one.numbers]) for one in needs]
    resolved = [await _in_sight(uow, one.caller, *found) for one, found in zip(asked, resolved, strict=True)]
    skus = {sku for one in needs for sku in one.skus}
    items, bundles = await uow.catalog.items_and_components(list(skus)) if skus else ({}, {})
    items |= {one.sku: one.item for components in bundles.values() for one in components}
    ruling = await uow.automation.new_order_rules() if any(one.rules for one in needs) else NO_RULES
    rules = ruling.allocation
    locked = {
        items[sku]
        for one in needs
        if _locks(one, rules)
        for named in one.skus
        for sku in (named, *(part.sku for part in bundles.get(named, ())))
        if sku in items
    }
    floors = await _resolve_floor(uow, asked)
    named = (order for found, _ in resolved for order in found if order is not None)
    orders = list(dict.fromkeys((*named, *(order for floor in floors for order in floor.orders))))
    supplies = [await _resolve_supplies(uow, one, locked) for one in asked]
    facts = await _load(uow, orders, locked, needs)
    batch = Batch(await _with_supplies(uow, facts, [supply for one in supplies for supply in one]))
    now = await _number_the_new(uow, batch, needs)
    new_lines = [_new_lines(one, found, batch, bundles) for one, (found, _) in zip(needs, resolved, strict=True)]
    new_bundles = [sum(sku in bundles for sku in one.new_lines) for one in needs]
    order_ids, line_ids, bundle_ids = await _reserve(
        uow, sum(one.new_orders for one in needs), sum(new_lines), sum(new_bundles)
    )
    reserved_lines = [_reserved_lines(one, bundles) for one in needs]
    cart_ids, cart_line_ids = await _reserve_carts(uow, needs, sum(reserved_lines))
    terms = await _terms(uow, _orders_of(needs, resolved, lambda one: one.terms))
    views, lines = await _views(uow, _orders_of(needs, resolved, lambda one: one.views))
    standing = _orders_of(needs, resolved, lambda one: one.standings or (one.rules and bool(ruling.holds)))
    standing += [order for one, floor in zip(needs, floors, strict=True) if one.standings for order in floor.orders]
    await account(uow, batch, standing)
    buyers = [_buyer(one, found, views) for one, (found, _) in zip(needs, resolved, strict=True)]
    returning = await _returning(uow, buyers, ruling.holds)
    knowns = [
        Known(
            orders=tuple(found),
            numbers=tuple(numbers),
            items=items,
            bundles=bundles,
            supplies=tuple(found_supplies),
            ledger=await _since(uow, one, items),
            queue=await _queue(uow, batch, found_supplies) if one.queue else None,
            supply_id=await uow.supplies.reserve_id() if one.new_supply else None,
            order_ids=tuple(next(order_ids) for _ in range(one.new_orders)),
            line_ids=tuple(next(line_ids) for _ in range(lines_of_one)),
            bundle_ids=tuple(next(bundle_ids) for _ in range(bundles_of_one)),
            reservation_ids=tuple(next(cart_ids) for _ in range(one.new_reservations)),
            reserved_line_ids=tuple(next(cart_line_ids) for _ in range(reserved_of_one)),
            reservations=await _carts(uow, ask.caller, one, batch),
            terms=terms,
            rules=rules,
            hold_rules=ruling.holds,
            has_ordered=at in returning,
            views=views,
            lines=lines,
            beside=await _beside(uow, one, found),
            fulfillments=floor.fulfillments,
            tasks=floor.tasks,
            returns=floor.returns,
            now=now,
        )
        for at, (
            ask,
            one,
            (found, numbers),
            floor,
            found_supplies,
            lines_of_one,
            bundles_of_one,
            reserved_of_one,
        ) in enumerate(
            zip(asked, needs, resolved, floors, supplies, new_lines, new_bundles, reserved_lines, strict=True)
        )
    ]
    return knowns, batch


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


async def _carts(uow: UnitOfWork, caller: Caller, needs: Needs, batch: Batch) -> frozenset[ReservationId]:
    """The carts that are meant, as far as they exist and the caller may know of them."""
    named = [one for one in needs.reservations if one in batch.reservations]
    return frozenset(await in_sight(uow, caller.visibility, "stock_reservations", named))


async def _beside(uow: UnitOfWork, needs: Needs, orders: Sequence[OrderId | None]) -> Mapping[str, OrderId]:
    """One statement for a command that asks for it; such a command is alone."""
    if needs.beside is None or orders[0] is None:
        return {}
    assert needs.alone
    return await uow.orders.beside(orders[0], needs.beside)


Resolved = Sequence[tuple[list[OrderId | None], Any]]


def _locks(needs: Needs, rules: Rules) -> bool:
    ruled = needs.rules and needs.locks_skus_under is not None and needs.locks_skus_under(rules)
    return needs.locks_skus or ruled


def _orders_of(needs: Sequence[Needs], resolved: Resolved, wanted: Callable[[Needs], bool]) -> list[OrderId]:
    return [order for one, (found, _) in zip(needs, resolved, strict=True) if wanted(one) for order in found if order]


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


# ---------------------------------------------------------------- idempotency


def checked_key(key: str) -> str:
    """The key as it is kept. Raises InvalidInput."""
    problems = Problems()
    key = problems.code(key, ("input", "idempotencyKey"))
    problems.refuse()
    return key


async def _recall(uow: UnitOfWork, asked: Sequence[Asked]) -> tuple[dict[int, Answer], list[int]]:
    """Answers that are stored already, by position; and the positions of what is new."""
    claims = [(identity, one.fingerprint) for one in asked if (identity := one.identity)]
    stored = await uow.keys.claim(claims) if claims else {}
    answers: dict[int, Answer] = {}
    for index, one in enumerate(asked):
        if one.identity and one.identity in stored:
            answers[index] = _remembered(one.command.outcome_type, one.fingerprint, *stored[one.identity])
    return answers, [index for index in range(len(asked)) if index not in answers]


def fingerprint(command: object) -> bytes:
    """The same for the same input, and for no other."""
    return hashlib.sha256(orjson.dumps(command, default=str)).digest()


def _remembered(outcome_type: Any, made_from: bytes, stored: bytes, outcome: Any) -> Answer:
    if stored != made_from:
        return IdempotencyKeyReused()
    assert outcome is not None, "a key is committed with its outcome or not at all"
    return from_json(outcome_type | DomainError, outcome)


async def _record(uow: UnitOfWork, changes: Changes, answered: Sequence[tuple[Asked, Answer]]) -> None:
    """Outcomes are kept with the effect; a refusal that the caller must correct first is judged anew next time."""
    named = [(one.identity, answer) for one, answer in answered if one.identity]
    await uow.batches.record(changes, ((key, to_text(answer)) for key, answer in named if _is_kept(answer)))
    forgotten = [key for key, answer in named if not _is_kept(answer)]
    if forgotten:
        await uow.keys.forget(forgotten)


def _is_kept(answer: Answer) -> bool:
    return answer.kept if isinstance(answer, DomainError) else True
