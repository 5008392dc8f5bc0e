"""What happens when the database says no: what is done again, what is told, and that nothing is done twice."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.database import PostgresDatabase, Timeouts, connect
from persistence.locks import LocksWereTooFew
from persistence.unit_of_work import PostgresUnitOfWork
from services.desk import Desk
from services.ports.database import Busy, OutcomeUnknown
from services.stock import ReceivedLine, ReceiveStock, receive_stock
from tests.builders import a_catalog, level_now, placed
from tests.gql.proxy import proxied

Work = Callable[[PostgresUnitOfWork], Awaitable[int]]
TERMINATE_MYSELF = "SELECT pg_terminate_backend(pg_backend_pid())"
CUT = """
    CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
    """
CUT_AT_COMMIT = """
    CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON channels DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION cut()
    """


async def execute(uow: PostgresUnitOfWork, statement: str) -> None:
    await uow._connection.execute(text(statement))


async def add_channel(uow: PostgresUnitOfWork, code: str) -> None:
    await execute(uow, f"INSERT INTO channels (code, name) VALUES ('{code}', '{code}')")  # noqa: S608


async def channels_now(database: PostgresDatabase) -> list[str]:
    return [channel.code for channel in await database.read(lambda uow: uow.catalog.channels())]


def raising(sqlstate: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"


class Script:
    """Work that adds a channel and then does one statement a try; the last one over and over."""

    def __init__(self, *statements: str) -> None:
        self.statements = statements
        self.tries = 0

    async def __call__(self, uow: PostgresUnitOfWork) -> int:
        self.tries += 1
        await add_channel(uow, f"try {self.tries}")
        await execute(uow, self.statements[min(self.tries, len(self.statements)) - 1])
        return self.tries


# ---------------------------------------------------------------- what is done again


@pytest.mark.parametrize(
    "sqlstate",
    ["40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25P03", "58030", "53100", "53200", "53300"],
)
async def test_what_may_pass_is_done_again_as_a_whole_and_leaves_one_effect(database, sqlstate):
    script = Script(raising(sqlstate), raising(sqlstate), "SELECT 1")

    assert await database.run(script) == 3

    assert await channels_now(database) == ["try 3"]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "53100", "53300"])
async def test_what_does_not_pass_in_three_tries_is_busy_with_nothing_written(database, sqlstate):
    script = Script(raising(sqlstate))

    with pytest.raises(Busy):
        await database.run(script)

    assert script.tries == 3
    assert await channels_now(database) == []


@pytest.mark.parametrize("sqlstate", ["22012", "23502", "23514", "42P01"])
async def test_a_mistake_is_raised_at_once(database, sqlstate):
    script = Script(raising(sqlstate))

    with pytest.raises(DBAPIError):
        await database.run(script)

    assert script.tries == 1
    assert await channels_now(database) == []


async def test_a_real_deadlock_is_resolved_by_doing_one_transaction_again(database):
    waiting = asyncio.Barrier(2)
    tries = 0

    async def lock(uow: PostgresUnitOfWork, first: int, second: int) -> None:
        nonlocal tries
        tries += 1
        await execute(uow, f"SELECT pg_advisory_xact_lock({first})")
        if tries <= 2:
            await waiting.wait()
        await execute(uow, f"SELECT pg_advisory_xact_lock({second})")

    await asyncio.gather(database.run(lambda uow: lock(uow, 1, 2)), database.run(lambda uow: lock(uow, 2, 1)))

    assert tries == 3


async def test_a_backend_that_is_terminated_in_the_middle_is_replaced_and_the_work_done_again(database):
    script = Script(TERMINATE_MYSELF, "SELECT 1")

    assert await database.run(script) == 2

    assert await channels_now(database) == ["try 2"]


async def test_reading_goes_on_after_its_backend_was_terminated(database):
    script = Script(TERMINATE_MYSELF, "SELECT 1")

    assert await database.read(script) == 2


async def test_connections_that_died_in_the_pool_are_not_handed_out(database, database_url):
    async def together(uow: PostgresUnitOfWork) -> None:
        await barrier.wait()
        await execute(uow, "SELECT 1")

    barrier = asyncio.Barrier(5)
    await asyncio.gather(*(database.run(together) for _ in range(5)))
    other = await asyncpg.connect(database_url)
    pooled = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dibs'"
    terminated = await other.fetch(f"SELECT pg_terminate_backend(pid) {pooled}")
    assert len(terminated) == 5
    while await other.fetchval(f"SELECT EXISTS (SELECT {pooled})"):
        pass
    await other.close()
    script = Script("SELECT 1")

    await asyncio.gather(*(database.run(lambda uow: execute(uow, "SELECT 1")) for _ in range(5)))
    await database.run(script)

    assert script.tries == 1


async def test_connections_that_lead_nowhere_are_doubted_once_something_was_not_answered(database_url, monkeypatch):
    """One transaction waits for its deadline; the others are not made to find out for themselves."""
    monkeypatch.setattr("persistence.database.PROOF_SECONDS_MAX", 0.2)
    barrier, tries = asyncio.Barrier(5), 0

    async def together(uow: PostgresUnitOfWork) -> None:
        nonlocal tries
        tries += 1
        await barrier.wait()
        await execute(uow, "SELECT 1")

    async with proxied(database_url) as (road, url):
        engine = connect(url, pool_size=5)
        hasty, patient = PostgresDatabase(engine, deadline_seconds=0.3), PostgresDatabase(engine)
        await asyncio.gather(*(patient.run(together) for _ in range(5)))
        assert road.swallow() == 5
        with pytest.raises(OutcomeUnknown):
            await hasty.run(Script("SELECT 1"))
        await asyncio.gather(*(patient.run(together) for _ in range(5)))
        await engine.dispose()

    assert road.lost
    assert tries == 10


async def test_those_who_create_the_same_channel_at_once_all_succeed(database, caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})

    orders = await asyncio.gather(*(placed(database, caller, {"CHAIR": 1}, channel="NEW") for _ in range(8)))

    assert len(set(orders)) == 8
    assert await channels_now(database) == ["NEW"]


async def test_another_unique_violation_is_a_mistake(database):
    async def twice(uow: PostgresUnitOfWork) -> None:
        await execute(uow, "INSERT INTO log_end (position) VALUES (7)")

    with pytest.raises(DBAPIError):
        await database.run(twice)


async def test_locks_that_were_too_few_are_taken_anew_three_times_at_most(database):
    tries = 0

    async def enough_at(uow: PostgresUnitOfWork, enough: int) -> int:
        nonlocal tries
        tries += 1
        if tries < enough:
            raise LocksWereTooFew
        return tries

    assert await database.run(lambda uow: enough_at(uow, 3)) == 3
    tries = 0
    with pytest.raises(Busy):
        await database.run(lambda uow: enough_at(uow, 4))


async def test_what_the_work_raises_is_raised_and_rolled_back(database):
    class Refused(Exception):
        pass

    async def work(uow: PostgresUnitOfWork) -> None:
        await add_channel(uow, "SHOP")
        raise Refused

    with pytest.raises(Refused):
        await database.run(work)

    assert await channels_now(database) == []


# ---------------------------------------------------------------- every wait has an end


async def test_a_statement_that_takes_too_long_is_busy_and_not_tried_again(databases):
    database = databases(timeouts=Timeouts(statement_seconds=0.05))
    script = Script("SELECT pg_sleep(10)")

    with pytest.raises(Busy):
        await database.run(script)

    assert script.tries == 1
    assert await channels_now(database) == []


async def test_a_lock_that_is_not_given_is_busy_after_three_tries(database, databases):
    impatient = databases(timeouts=Timeouts(lock_seconds=0.02))
    script = Script("SELECT pg_advisory_xact_lock(1)")

    async def hold(uow: PostgresUnitOfWork) -> None:
        await execute(uow, "SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(Busy):
            await impatient.run(script)

    await database.run(hold)

    assert script.tries == 3


async def test_a_pool_that_is_empty_is_busy(databases):
    database = databases(pool_size=1, timeouts=Timeouts(pool_seconds=0.05))

    async def ask_again(uow: PostgresUnitOfWork) -> None:
        await execute(uow, "SELECT 1")
        with pytest.raises(Busy):
            await database.run(lambda other: execute(other, "SELECT 1"))
        with pytest.raises(Busy):
            await database.read(lambda other: execute(other, "SELECT 1"))

    await database.run(ask_again)


async def test_a_server_that_is_not_there_is_busy():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        engine = connect(f"postgresql://dibs@127.0.0.1:{taken.getsockname()[1]}/dibs")
        with pytest.raises(Busy):
            await PostgresDatabase(engine).run(Script("SELECT 1"))
        await engine.dispose()


async def test_after_the_deadline_nobody_knows_and_nothing_was_written(database, databases):
    hasty = databases(pool_size=1, deadline_seconds=0.1)

    async def work(uow: PostgresUnitOfWork) -> None:
        await add_channel(uow, "SHOP")
        await execute(uow, "SELECT pg_sleep(10)")

    with pytest.raises(OutcomeUnknown):
        await hasty.run(work)

    assert await channels_now(database) == []


async def test_the_deadline_covers_the_tries_together(databases):
    database = databases(deadline_seconds=0.3, timeouts=Timeouts(lock_seconds=0.2))

    async def hold(uow: PostgresUnitOfWork) -> None:
        await execute(uow, "SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(OutcomeUnknown):
            await database.run(Script("SELECT pg_advisory_xact_lock(1)"))

    await databases().run(hold)


async def test_work_that_is_canceled_is_rolled_back_and_gives_its_connection_back(databases):
    database = databases(pool_size=1, timeouts=Timeouts(pool_seconds=1))
    written = asyncio.Event()

    async def work(uow: PostgresUnitOfWork) -> None:
        await add_channel(uow, "SHOP")
        written.set()
        await execute(uow, "SELECT pg_sleep(10)")

    task = asyncio.create_task(database.run(work))
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await channels_now(database) == []


async def test_every_session_has_its_timeouts(databases):
    timeouts = Timeouts(lock_seconds=1.5, statement_seconds=2.5, idle_in_transaction_seconds=3.5)
    database = databases(timeouts=timeouts)

    async def settings(uow: PostgresUnitOfWork) -> list[str]:
        names = (
            "lock_timeout",
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "client_connection_check_interval",
            "timezone",
            "transaction_isolation",
            "synchronous_commit",
        )
        shown = [await uow._connection.execute(text(f"SHOW {name}")) for name in names]
        return [one.scalar_one() for one in shown]

    assert await database.run(settings) == ["1500ms", "2500ms", "3500ms", "5s", "UTC", "read committed", "on"]


# ---------------------------------------------------------------- unknown is an outcome


@pytest.fixture
def answer_of_commit_is_lost(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """From now on the first COMMITs of this process lose their answer, `after` or before they are done."""

    def lose(times: int = 1, *, after: bool) -> list[str]:
        lost: list[str] = []
        commit = AsyncConnection.commit

        async def lossy(self: AsyncConnection) -> None:
            if len(lost) >= times:
                return await commit(self)
            lost.append("COMMIT")
            if after:
                await commit(self)
            raise ConnectionResetError
            return None

        monkeypatch.setattr(AsyncConnection, "commit", lossy)
        return lost

    return lose


@pytest.mark.parametrize("after", [False, True])
async def test_a_commit_without_an_answer_is_an_unknown_outcome_and_not_done_again(
    database, answer_of_commit_is_lost, after
):
    answer_of_commit_is_lost(after=after)
    script = Script("SELECT 1")

    with pytest.raises(OutcomeUnknown):
        await database.run(script)

    assert script.tries == 1
    assert await channels_now(database) == (["try 1"] if after else [])


async def test_a_commit_that_the_server_cuts_is_an_unknown_outcome(database):
    async with database.engine.begin() as connection:
        for statement in (CUT, CUT_AT_COMMIT):
            await connection.execute(text(statement))
    script = Script("SELECT 1")

    with pytest.raises(OutcomeUnknown):
        await database.run(script)

    assert script.tries == 1
    assert await channels_now(database) == []


@pytest.mark.parametrize("after", [False, True])
async def test_i7_with_a_key_a_commit_without_an_answer_is_resolved_and_has_one_effect(
    database, caller, answer_of_commit_is_lost, after
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    lost = answer_of_commit_is_lost(after=after)
    command = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku="CHAIR", quantity=2),))

    outcome = await receive_stock(Desk(database), caller, command, "a key")

    assert lost == ["COMMIT"]
    assert (await level_now(database, "CHAIR")).on_hand == 2
    assert await receive_stock(Desk(database), caller, command, "a key") == outcome
    assert (await level_now(database, "CHAIR")).on_hand == 2


async def test_with_a_key_a_commit_that_never_answers_is_an_unknown_outcome_that_the_key_resolves_later(
    database, caller, answer_of_commit_is_lost
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    answer_of_commit_is_lost(times=3, after=True)
    command = ReceiveStock(location="LEEDS", lines=(ReceivedLine(sku="CHAIR", quantity=2),))

    with pytest.raises(OutcomeUnknown):
        await receive_stock(Desk(database), caller, command, "a key")

    await receive_stock(Desk(database), caller, command, "a key")
    assert (await level_now(database, "CHAIR")).on_hand == 2


@pytest.mark.parametrize("after", [False, True])
async def test_what_may_have_been_committed_is_not_called_busy_because_it_could_not_be_done_again(
    database, answer_of_commit_is_lost, after
):
    answer_of_commit_is_lost(after=after)
    script = Script("SELECT 1", raising("55P03"))

    with pytest.raises(OutcomeUnknown):
        await database.run(script, repeatable=True)

    assert script.tries == 3
    assert await channels_now(database) == (["try 1"] if after else [])


async def test_new_events_are_announced_once_they_are_committed_and_reading_and_refusals_announce_nothing(
    database, caller
):
    announced = 0

    def announce() -> None:
        nonlocal announced
        announced += 1

    database.on_new_events = announce
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    assert announced == 0

    await placed(database, caller, {"CHAIR": 1}, key="a key", number="N1")
    assert announced == 1
    await placed(database, caller, {"CHAIR": 1}, key="a key", number="N1")
    await channels_now(database)
    assert announced == 1
