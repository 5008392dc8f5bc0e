"""Two who want the same SKU, in either sequence: all come to wait for its lock, and then get it in turn."""

import asyncio

import pytest
from sqlalchemy import text

from domain.errors import DomainError
from persistence.driver import Driver, begin
from persistence.locks import lock_skus

BOTH_WAYS = pytest.mark.parametrize("reverse", [False, True], ids=["one way", "the other way"])


async def in_turn(engine, database, *deeds):
    """All come to wait for the lock of the chairs, and get it in this sequence; what they are told."""
    items = await database.read(lambda uow: uow.catalog.items_by_sku(["CHAIR"]))
    async with engine.connect() as holder, engine.connect() as watcher:
        await begin(holder)
        await lock_skus(Driver(holder), items.values())
        waiting = []
        for deed in deeds:
            waiting.append(asyncio.ensure_future(deed))
            await _until_they_wait(watcher, len(waiting))
        await holder.rollback()
        return await told(*waiting)


async def _until_they_wait(watcher, many):
    statement = """
        SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted
        """
    async with asyncio.timeout(20):
        while (await watcher.execute(text(statement))).scalar_one() < many:  # noqa: ASYNC110  (the server gives no signal)
            await asyncio.sleep(0.01)


async def told(*deeds):
    """What they answer, or the refusal."""
    answers = await asyncio.gather(*deeds, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
            raise answer
    return answers


async def in_either_turn(engine, database, one, other, *, reverse):
    """Both in turn, the other first where it says so; what the one and the other are told, in this sequence."""
    deeds = (other, one) if reverse else (one, other)
    answers = await in_turn(engine, database, *deeds)
    return answers[::-1] if reverse else answers


def is_refused(answer):
    return isinstance(answer, DomainError)
