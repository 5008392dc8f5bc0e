"""The same key and the same input give the same outcome, whoever asks how often.

The key is taken first, in the transaction of the effect; a concurrent twin waits there. What is kept is the outcome
(ids, numbers), or the refusal; objects are read live.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from domain.checks import Problems
from domain.errors import REFUSALS, DomainError, IdempotencyKeyReused
from services.callers import Caller
from services.ports import Database, UnitOfWork

T = TypeVar("T")
KIND = "$refusal"
"""Says in JSON which refusal it is; no field has this name."""
KINDS: dict[str, type[DomainError]] = {refusal.__name__: refusal for refusal in REFUSALS}


async def once(
    database: Database,
    caller: Caller,
    mutation: str,
    key: str,
    command: object,
    outcome_type: Any,
    effect: Callable[[UnitOfWork], Awaitable[T]],
) -> T:
    """Run `effect` in a transaction, or answer with what it answered when this key was first used.

    `command` is the whole input: another command under the same key is refused. A refusal that is kept is committed
    with the key, so the effect must decide before it writes.
    """
    problems = Problems()
    key = problems.code(key, ("input", "idempotencyKey"))
    problems.refuse()
    fingerprint = hashlib.sha256(orjson.dumps(command, default=str)).digest()

    async def attempt(uow: UnitOfWork) -> T | DomainError:
        stored = await uow.keys.claim(caller.key, mutation, key, fingerprint)
        if stored is not None:
            known: T | DomainError = _recall(stored, fingerprint, outcome_type)
            return known
        outcome: T | DomainError
        try:
            outcome = await effect(uow)
        except DomainError as refusal:
            if not refusal.kept:
                raise
            outcome = refusal
        await uow.keys.keep(caller.key, mutation, key, to_json(outcome))
        return outcome

    outcome = await database.run(attempt, repeatable=True)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _recall(stored: tuple[bytes, Any], fingerprint: bytes, outcome_type: Any) -> Any:
    if stored[0] != fingerprint:
        raise IdempotencyKeyReused
    assert stored[1] is not None, "a key is committed with its outcome or not at all"
    return from_json(outcome_type | DomainError, stored[1])


# ---------------------------------------------------------------- outcomes as JSON


def to_json(value: Any) -> Any:
    """Dataclasses as objects; a refusal says which one it is."""
    if isinstance(value, DomainError):
        return {KIND: type(value).__name__} | {one.name: to_json(getattr(value, one.name)) for one in _data(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: to_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(one) for one in value]
    return value


def from_json(kind: Any, value: Any) -> Any:
    """The value of this type that `to_json` made the JSON from."""
    kind = getattr(kind, "__supertype__", kind)
    if value is None:
        return None
    if isinstance(value, dict) and KIND in value:
        refusal = KINDS[value[KIND]]
        return refusal(**{name: from_json(hint, value[name]) for name, hint in _hints(refusal)})
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one not in (type(None), DomainError))
        return from_json(kind, value)
    if get_origin(kind) is tuple:
        of = get_args(kind)
        kinds = [of[0]] * len(value) if of[-1] is Ellipsis else of
        return tuple(from_json(one, item) for one, item in zip(kinds, value, strict=True))
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: from_json(hint, value[name]) for name, hint in _hints(kind)})
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value


def _data(refusal: DomainError) -> tuple[Any, ...]:
    return fields(refusal) if is_dataclass(refusal) else ()


@cache
def _hints_of(kind: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [(one.name, hints[one.name]) for one in fields(kind)]


_hints: Callable[[Any], list[tuple[str, Any]]] = _hints_of
