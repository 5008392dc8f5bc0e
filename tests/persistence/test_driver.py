"""Statements that go straight to the driver are part of the transaction that SQLAlchemy keeps."""

import asyncio

import pytest
from asyncpg.exceptions import UniqueViolationError
from sqlalchemy import text

from persistence.driver import Driver, GuardFailed, Write, begin, statement
from persistence.sql import INT, INTS, JSON, TEXT
from tests.builders import a_catalog

LOCATIONS = text("SELECT code FROM locations ORDER BY code")
ADD = statement("INSERT INTO locations (code, name, kind) VALUES (:code, :code, 'STORE')", code=TEXT)
RANK = statement("UPDATE locations SET rank = :rank WHERE code = ANY(ARRAY['LEEDS'])", rank=INT)


async def codes(engine):
    async with engine.connect() as connection:
        return list((await connection.execute(LOCATIONS)).scalars())


async def test_what_the_driver_writes_is_there_when_sqlalchemy_commits_and_not_before(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    async with engine.connect() as connection:
        await begin(connection)
        await Driver(connection).write(Write(ADD, {"code": "YORK"}))
        assert list((await connection.execute(LOCATIONS)).scalars()) == ["LEEDS", "YORK"]
        assert await codes(engine) == ["LEEDS"]
        await connection.commit()

    assert await codes(engine) == ["LEEDS", "YORK"]


async def test_what_the_driver_writes_is_gone_when_the_transaction_ends_otherwise(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    async with engine.connect() as connection:
        await begin(connection)
        await Driver(connection).write(Write(ADD, {"code": "YORK"}))

    assert await codes(engine) == ["LEEDS"]


async def test_parameters_have_the_types_that_they_are_given(engine):
    asked = statement("SELECT :numbers, CAST(:facts ->> 'one' AS int), :name", numbers=INTS, facts=JSON, name=TEXT)

    async with engine.connect() as connection:
        (row,) = await Driver(connection).rows(asked, {"name": "a", "facts": {"one": 1}, "numbers": [3, None]})

    assert tuple(row) == ([3, None], 1, "a")


async def test_a_guarded_write_that_finds_other_rows_than_it_should_is_refused(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    async with engine.connect() as connection:
        await begin(connection)
        assert await Driver(connection).write(Write(RANK, {"rank": 5}, 1)) == 1
        with pytest.raises(GuardFailed):
            await Driver(connection).write(Write(RANK, {"rank": 5}, 2))


async def test_the_next_write_is_made_ready_while_one_is_under_way(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    seen = []

    def writes(driver):
        yield Write(ADD, {"code": "YORK"})
        seen.append(len(asyncio.all_tasks()))
        yield Write(ADD, {"code": "BATH"})

    async with engine.connect() as connection:
        await begin(connection)
        before = len(asyncio.all_tasks())
        driver = Driver(connection)
        await driver.write_all(writes(driver))
        await connection.commit()

    assert seen == [before + 1]
    assert await codes(engine) == ["BATH", "LEEDS", "YORK"]


async def test_a_write_that_fails_ends_the_others_and_leaves_the_connection_usable(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    made = []

    def writes():
        for code in ("YORK", "LEEDS", "BATH"):
            made.append(code)
            yield Write(ADD, {"code": code})

    async with engine.connect() as connection:
        await begin(connection)
        with pytest.raises(UniqueViolationError):
            await Driver(connection).write_all(writes())
        await connection.rollback()
        assert list((await connection.execute(LOCATIONS)).scalars()) == ["LEEDS"]
    assert made == ["YORK", "LEEDS", "BATH"]


async def test_a_write_that_cannot_be_made_ends_the_one_that_is_under_way(engine, database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    def writes():
        yield Write(ADD, {"code": "YORK"})
        raise RuntimeError("a bug")

    async with engine.connect() as connection:
        await begin(connection)
        with pytest.raises(RuntimeError, match="a bug"):
            await Driver(connection).write_all(writes())
        await connection.rollback()
        assert list((await connection.execute(LOCATIONS)).scalars()) == ["LEEDS"]
