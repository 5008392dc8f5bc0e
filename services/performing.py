"""One path for one request and for hundreds: commands gather into a batch, the batch is one transaction.

A command says what it needs to know, and then decides on the working copy. `execute` asks for everything that all
commands of a batch need in a fixed number of statements, lets them decide one after the other, and writes what they
decided at once. Each command has its own outcome: a refusal of one never touches another, because a command decides
before it moves.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from domain.batch import Batch, Changes, Facts
from domain.checks import Problems
from domain.errors import DomainError, IdempotencyKeyReused, InvalidInput
from domain.ids import ItemId, LineId, OrderId, Sku
from domain.orders import OrderTerms
from services.callers import Caller
from services.outcomes import from_json, to_json
from services.ports import BatchTooLarge, Database, IdempotencyKey, OrderReference, UnitOfWork
from services.recording import settle

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a command needs to know before it can decide.

    `orders` are locked and loaded whole; `numbers` are only looked up; `skus` are looked up, and locked with their
    levels where `locks_skus`; ids are reserved for new rows. `alone`: it shares its transaction with no other command.
    `path`: what is too long in the input where too many SKUs come together.
    """

    orders: tuple[OrderReference, ...] = ()
    numbers: tuple[OrderReference, ...] = ()
    skus: tuple[Sku, ...] = ()
    locks_skus: bool = False
    new_orders: int = 0
    new_lines: int = 0
    terms: bool = False
    alone: bool = False
    path: tuple[str, ...] = ("input",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answers to `Needs`: None for an order that does not exist; an unknown SKU is missing from `items`."""

    orders: tuple[OrderId | None, ...] = ()
    numbers: tuple[OrderId | None, ...] = ()
    items: Mapping[Sku, ItemId] = field(default_factory=dict)
    order_ids: tuple[OrderId, ...] = ()
    line_ids: tuple[LineId, ...] = ()
    terms: Mapping[OrderId, OrderTerms] = field(default_factory=dict)


class Performer(Protocol):
    """Whoever gets commands done; see `services.desk`."""

    async def perform(self, caller: Caller, command: "Command[T]", key: str | None) -> T: ...
    async def foresee(self, caller: Caller, command: "Command[T]") -> T: ...


class Command(Protocol[T_co]):
    """One thing that a caller asks for. Its fields are the input: the same key with other fields is refused."""

    mutation: ClassVar[str]
    outcome_type: ClassVar[Any]

    def needs(self) -> Needs: ...

    def decide(self, batch: Batch, known: Known) -> Any:
        """Move the working copy, or refuse before the first move; what `conclude` needs to know of it."""

    def conclude(self, outcome: Any, changes: Changes) -> T_co:
        """The outcome, once everything is decided and the flags are settled."""


@dataclass(frozen=True)
class Asked:
    """A command with who asked for it, and under which idempotency key (None: it is looked at by nobody twice)."""

    caller: Caller
    command: Command[Any]
    key: str | None

    @cached_property
    def needs(self) -> Needs:
        return self.command.needs()

    @cached_property
    def fingerprint(self) -> bytes:
        return fingerprint(self.command)

    @cached_property
    def identity(self) -> IdempotencyKey | None:
        """The key's owner, the mutation and the key; requests of the same identity are twins."""
        return None if self.key is None else (self.caller.key, self.command.mutation, self.key)


Answer = Any
"""An outcome, or the DomainError that refuses it."""


async def perform_all(database: Database, asked: Sequence[Asked]) -> list[Answer]:
    """Do commands in one transaction; each one's outcome or refusal, in sequence."""

    async def work(uow: UnitOfWork) -> list[Answer]:
        return await execute(uow, asked)

    return await database.run(work, repeatable=all(one.key is not None for one in asked))


async def foresee(database: Database, command: Command[T], caller: Caller) -> T:
    """What the command would do: the same code, and nothing is written."""

    async def work(uow: UnitOfWork) -> T:
        asked = [Asked(caller, command, None)]
        (known,), batch = await _prepare(uow, asked)
        decided = command.decide(batch, known)
        await settle(uow, batch)
        return command.conclude(decided, batch.changes())

    return await database.run(work, repeatable=True)


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
        await uow.keys.keep([(identity, to_json(outcome))])
        return outcome

    answer = await database.run(work, repeatable=True)
    if isinstance(answer, DomainError):
        raise answer
    done: T = answer
    return done


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
        await _keep(uow, [(asked[index], answers[index]) for index in fresh])
    return [answers[index] for index in range(len(asked))]


async def _decide(uow: UnitOfWork, asked: Sequence[Asked]) -> list[Answer]:
    knowns, batch = await _prepare(uow, asked)
    answers: list[Answer] = []
    for one, known in zip(asked, knowns, strict=True):
        try:
            batch.actor, batch.request = one.caller.actor, one.caller.request
            answers.append(one.command.decide(batch, known))
        except DomainError as refusal:
            answers.append(refusal)
        await settle(uow, batch)  # the next command sees the flags as this one leaves them
    changes = batch.changes()
    await uow.batches.record(changes)
    return [
        answer if isinstance(answer, DomainError) else one.command.conclude(answer, changes)
        for one, answer in zip(asked, answers, strict=True)
    ]


# ---------------------------------------------------------------- what the commands need


async def _prepare(uow: UnitOfWork, asked: Sequence[Asked]) -> tuple[list[Known], Batch]:
    """Answer what every command needs to know, and load the working copy under the locks."""
    needs = [one.needs for one in asked]
    references = [reference for one in needs for reference in (*one.orders, *one.numbers)]
    ids = iter(await uow.orders.resolve(references) if references else [])
    resolved = [([next(ids) for _ in one.orders], [next(ids) for _ in one.numbers]) for one in needs]
    skus = {sku for one in needs for sku in one.skus}
    items = await uow.catalog.items_by_sku(list(skus)) if skus else {}
    locked = {items[sku] for one in needs if one.locks_skus for sku in one.skus if sku in items}
    orders = list(dict.fromkeys(order for found, _ in resolved for order in found if order is not None))
    batch = Batch(await _load(uow, orders, locked, needs))
    order_ids, line_ids = await _reserve(uow, needs)
    terms = await _terms(uow, needs, resolved)
    knowns = [
        Known(
            orders=tuple(found),
            numbers=tuple(numbers),
            items=items,
            order_ids=tuple(next(order_ids) for _ in range(one.new_orders)),
            line_ids=tuple(next(line_ids) for _ in range(one.new_lines)),
            terms=terms,
        )
        for one, (found, numbers) in zip(needs, resolved, strict=True)
    ]
    return knowns, batch


async def _load(uow: UnitOfWork, orders: Sequence[OrderId], items: Iterable[ItemId], needs: Sequence[Needs]) -> Facts:
    """Raises BatchTooLarge, or InvalidInput where a single command is too large."""
    try:
        return await uow.batches.load(orders=orders, items=items)
    except BatchTooLarge as error:
        if len(needs) > 1:
            raise
        problem = f"This concerns {error.skus:,} SKUs; one call takes at most {error.most:,}."
        problems = Problems()
        problems.add(needs[0].path, "TOO_MANY", f"{problem} Send less at a time, or use startAllocationRun.")
        raise InvalidInput(problems=problems.all()) from error


async def _reserve(uow: UnitOfWork, needs: Iterable[Needs]) -> tuple[Iterator[OrderId], Iterator[LineId]]:
    orders, lines = sum(one.new_orders for one in needs), sum(one.new_lines for one in needs)
    if not orders and not lines:
        return iter(()), iter(())
    order_ids, line_ids = await uow.batches.reserve_ids(orders, lines)
    return iter(order_ids), iter(line_ids)


async def _terms(
    uow: UnitOfWork, needs: Sequence[Needs], resolved: Sequence[tuple[list[OrderId | None], Any]]
) -> Mapping[OrderId, OrderTerms]:
    wanted = [order for one, (found, _) in zip(needs, resolved, strict=True) if one.terms for order in found if order]
    return await uow.orders.terms(wanted) if wanted else {}


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


async def _keep(uow: UnitOfWork, answered: Iterable[tuple[Asked, Answer]]) -> None:
    """Outcomes are kept with the effect; a refusal that the caller must correct first is judged anew next time."""
    kept, forgotten = [], []
    for one, answer in answered:
        if one.identity is None:
            continue
        if isinstance(answer, DomainError) and not answer.kept:
            forgotten.append(one.identity)
        else:
            kept.append((one.identity, to_json(answer)))
    if kept:
        await uow.keys.keep(kept)
    if forgotten:
        await uow.keys.forget(forgotten)
