"""One path for one request and for hundreds: commands gather into a batch, the batch is one transaction.

A command says what it needs to know, and then decides on the working copy. `execute` asks for everything that all
commands of a batch need in a fixed number of statements, lets them decide one after the other, and writes what they
decided at once. Each command has its own outcome: a refusal of one never touches another, because a command decides
before it moves.
"""

from collections.abc import Sequence
from typing import TypeVar

from domain.changes import Changes
from domain.errors import DomainError
from services.callers import Caller
from services.commands import Asked, Command
from services.keys import Answer, remembered
from services.outcomes import to_text
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork
from services.preparing import prepare
from services.recording import settle

T = TypeVar("T")


async def perform_all(database: Database, asked: Sequence[Asked]) -> list[Answer]:
    """Do commands in one transaction; each one's outcome or refusal, in sequence."""

    async def work(uow: UnitOfWork) -> list[Answer]:
        return await execute(uow, asked)

    return await database.run(work, repeatable=all(one.key is not None for one in asked))


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


async def _recall(uow: UnitOfWork, asked: Sequence[Asked]) -> tuple[dict[int, Answer], list[int]]:
    """Answers that are stored already, by position; and the positions of what is new."""
    claims = [(identity, one.fingerprint) for one in asked if (identity := one.identity)]
    stored = await uow.keys.claim(claims) if claims else {}
    answers: dict[int, Answer] = {}
    for index, one in enumerate(asked):
        if one.identity and one.identity in stored:
            answers[index] = remembered(one.command.outcome_type, one.fingerprint, *stored[one.identity])
    return answers, [index for index in range(len(asked)) if index not in answers]


async def _record(uow: UnitOfWork, changes: Changes, answered: Sequence[tuple[Asked, Answer]]) -> None:
    """Outcomes are kept with the effect; a refusal that the caller must correct first is judged anew next time."""
    named = [(one.identity, answer) for one, answer in answered if one.identity]
    await uow.batches.record(changes, ((key, to_text(answer)) for key, answer in named if _is_kept(answer)))
    forgotten = [key for key, answer in named if not _is_kept(answer)]
    if forgotten:
        await uow.keys.forget(forgotten)


def _is_kept(answer: Answer) -> bool:
    return answer.kept if isinstance(answer, DomainError) else True
