"""Idempotency keys: what was done under a key is done once, and whoever asks again is told what came of it."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson

from domain.checks import Problems
from domain.errors import DomainError, IdempotencyKeyReused
from services.outcomes import from_json, to_text
from services.ports.database import Database
from services.ports.keys import IdempotencyKey
from services.ports.unit_of_work import UnitOfWork

T = TypeVar("T")

Answer = Any
"""An outcome, or the DomainError that refuses it."""


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
            return remembered(outcome_type, made_from, *stored[identity])
        outcome = await effect(uow)
        await uow.keys.keep([(identity, to_text(outcome))])
        return outcome

    done: T = await _told(database, work)
    return done


async def recalled(database: Database, identity: IdempotencyKey, command: object, outcome_type: Any) -> Any | None:
    """What was done under the key before; None: nothing yet. Raises the refusal that is kept, IdempotencyKeyReused."""
    made_from = fingerprint(command)

    async def work(uow: UnitOfWork) -> Any:
        stored = await uow.keys.claim([(identity, made_from)])
        if stored:
            return remembered(outcome_type, made_from, *stored[identity])
        await uow.keys.forget([identity])
        return None

    return await _told(database, work)


async def _told(database: Database, work: Callable[[UnitOfWork], Awaitable[Answer]]) -> Any:
    """What comes of it. Raises the refusal that is kept under the key."""
    answer = await database.run(work, repeatable=True)
    if isinstance(answer, DomainError):
        raise answer
    return answer


def checked_key(key: str) -> str:
    """The key as it is kept. Raises InvalidInput."""
    problems = Problems()
    key = problems.code(key, ("input", "idempotencyKey"))
    problems.refuse()
    return key


def fingerprint(command: object) -> bytes:
    """The same for the same input, and for no other."""
    return hashlib.sha256(orjson.dumps(command, default=str)).digest()


def remembered(outcome_type: Any, made_from: bytes, stored: bytes, outcome: Any) -> Answer:
    if stored != made_from:
        return IdempotencyKeyReused()
    assert outcome is not None, "a key is committed with its outcome or not at all"
    return from_json(outcome_type | DomainError, outcome)
