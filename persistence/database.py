"""Connections, transactions, deadlines and what to do when the database says no."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import orjson
from asyncpg import exceptions as driver_errors
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from domain.access import Visibility
from persistence.driver import begin
from persistence.locks import LocksWereTooFew
from persistence.sight import look
from persistence.unit_of_work import PostgresUnitOfWork
from services.ports.database import Busy, NotRead, OutcomeUnknown, Reader

T = TypeVar("T")

AdapterError = AsyncAdapt_asyncpg_dbapi.Error
TRIES_MAX = 3
LOST = (
    driver_errors.PostgresConnectionError,
    driver_errors.InterfaceError,
    driver_errors.InternalClientError,
    OSError,
)
"""What the driver says where the connection is gone."""
DATABASE_ERRORS = (DBAPIError, AdapterError, driver_errors.PostgresError, *LOST)
"""From SQLAlchemy, from the driver, and from below."""
SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION = "40001", "40P01", "55P03", "23505"
QUERY_CANCELED = "57014"
ADMIN_SHUTDOWN, CRASH_SHUTDOWN, CANNOT_CONNECT_NOW = "57P01", "57P02", "57P03"
IDLE_IN_TRANSACTION, IO_ERROR = "25P03", "58030"
"""The first one is what a process is told that was stopped in the middle of a transaction, and goes on."""
TRY_AGAIN = {
    SERIALIZATION_FAILURE,
    DEADLOCK,
    LOCK_NOT_AVAILABLE,
    ADMIN_SHUTDOWN,
    CRASH_SHUTDOWN,
    CANNOT_CONNECT_NOW,
    IDLE_IN_TRANSACTION,
    IO_ERROR,
}
INSUFFICIENT_RESOURCES = "53"
"""The class of what a server says that has no room on its disks, no memory, or no connections left."""
RACES = {
    "orders_channel_id_number_key",
    "items_sku_key",
    "items_barcode_key",
    "locations_code_key",
    "channels_code_key",
    "supplies_reference_key",
}
"""Unique constraints that two honest callers can meet at: the second one looks again and finds the first one's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Every wait has an end. `deadline` covers one transaction with its retries; the others are the server's."""

    deadline_seconds: float = 30
    lock_seconds: float = 10
    statement_seconds: float = 25
    idle_in_transaction_seconds: float = 30
    pool_seconds: float = 5


TRUSTED_AT = "dibs trusted at"
PROOF_SECONDS_MAX = 2.0
"""For a connection that is doubted to answer."""
_doubted_at: "WeakKeyDictionary[Engine, float]" = WeakKeyDictionary()

APPLICATION = {"application_name": "dibs", "timezone": "UTC"}


def connect(
    url: str, *, pool_size: int = 10, timeouts: Timeouts | None = None, behind_pooler: bool = False
) -> AsyncEngine:
    """An engine for `url` (postgresql://…). Nothing is opened yet.

    `behind_pooler`: a pooler in transaction mode stands between. A transaction is then all that stays on one
    connection of the server: nothing is prepared for later, and every transaction brings its own limits.
    """
    timeouts = timeouts or Timeouts()
    limits = {
        "jit": "off",
        "lock_timeout": _milliseconds(timeouts.lock_seconds),
        "statement_timeout": _milliseconds(timeouts.statement_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(timeouts.idle_in_transaction_seconds),
        "client_connection_check_interval": "5000",
    }
    unprepared = {
        "prepared_statement_cache_size": 0,
        "statement_cache_size": 0,
        "prepared_statement_name_func": lambda: "",
    }
    engine = create_async_engine(
        asyncpg_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeouts.pool_seconds,
        pool_use_lifo=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "server_settings": APPLICATION if behind_pooler else APPLICATION | limits,
            "timeout": 10,
            "command_timeout": timeouts.deadline_seconds,
        }
        | (unprepared if behind_pooler else {}),
    )
    if behind_pooler:
        _limit_each_transaction(engine, limits)

    _refuse_dead_connections(engine)
    return engine


def _refuse_dead_connections(engine: AsyncEngine) -> None:
    """Whoever takes a connection from the pool gets one that is not known to be dead, nor doubted."""

    @event.listens_for(engine.sync_engine, "connect")
    def trust(_: Any, record: Any) -> None:
        record.info[TRUSTED_AT] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse(dbapi_connection: Any, record: Any, _: Any) -> None:
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError
        if record.info[TRUSTED_AT] <= _doubted_at.get(engine.sync_engine, 0):
            dbapi_connection.run_async(_must_answer)
            record.info[TRUSTED_AT] = time.monotonic()


def doubt_connections(engine: AsyncEngine) -> None:
    """Something was not answered in time: the connections that there are may lead nowhere, and nobody says so."""
    _doubted_at[engine.sync_engine] = time.monotonic()


async def _must_answer(connection: Any) -> None:
    try:
        await connection.fetchval("SELECT 1", timeout=PROOF_SECONDS_MAX)
    except DATABASE_ERRORS:
        connection.terminate()  # nothing can be said over it, not even goodbye
        raise DisconnectionError from None


def _limit_each_transaction(engine: AsyncEngine, limits: Mapping[str, str]) -> None:
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())

    @event.listens_for(engine.sync_engine, "begin")
    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {settings}")


def asyncpg_url(url: str) -> str:
    """`postgres://` and `postgresql://` both mean asyncpg here."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+asyncpg{separator}{rest}" if scheme in {"postgres", "postgresql"} else url


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


class PostgresDatabase:
    """Runs work in transactions on an engine."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        deadline_seconds: float = Timeouts().deadline_seconds,
        behind_pooler: bool = False,
    ) -> None:
        """`behind_pooler`: as the engine was made; even reading is then a transaction."""
        self.engine = engine
        self._reading = engine if behind_pooler else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._looking = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._deadline_seconds = deadline_seconds
        self.on_new_events: Callable[[], None] = lambda: None
        """Called after this process has committed events; it must neither wait nor fail."""
        self.on_locked: Callable[[float], None] = lambda _: None
        """Is told how long a transaction waited for its SKUs; it must neither wait nor fail."""

    async def read(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        """Read on one connection, statement by statement."""
        return await self.with_retries(work, self._read_once)

    async def snapshot(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        """Read one moment on one connection; nothing is locked, nothing can be written."""
        return await self.with_retries(work, self._look_once)

    def seen_by(self, visibility: Visibility) -> Reader:
        """The same data, cut to what somebody who is limited like this may know of; see `persistence.sight`."""
        return PostgresReader(self, visibility) if visibility.is_limited else self

    async def run(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Do the work in one transaction; see `services.ports.database.Database`."""
        return await self._with_deadline(self._retry(work, self._run_once, repeatable=repeatable))

    async def with_retries(
        self,
        work: Callable[[PostgresUnitOfWork], Awaitable[T]],
        attempt: Callable[[Callable[[PostgresUnitOfWork], Awaitable[T]]], Awaitable[T]],
    ) -> T:
        """Attempt what only reads, and may be done any number of times."""
        return await self._with_deadline(self._retry(work, attempt, repeatable=True, busy=NotRead))

    async def _with_deadline(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await work
        except TimeoutError as error:
            doubt_connections(self.engine)
            raise OutcomeUnknown from error

    async def _retry(
        self,
        work: Callable[[PostgresUnitOfWork], Awaitable[T]],
        attempt: Callable[[Callable[[PostgresUnitOfWork], Awaitable[T]]], Awaitable[T]],
        *,
        repeatable: bool,
        busy: type[Busy] = Busy,
    ) -> T:
        given_up: type[Busy | OutcomeUnknown] = busy
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                return await attempt(work)
            except CommitFailed as failure:
                given_up = OutcomeUnknown  # whatever becomes of the next try
                if not repeatable or not tries_left:
                    raise given_up from failure
            except PoolTimeout as error:
                raise given_up from error
            except DATABASE_ERRORS as error:
                if not _is_passing(error):
                    raise
                if not tries_left or _state(error) == QUERY_CANCELED:
                    raise given_up from error
            except LocksWereTooFew:
                if not tries_left:
                    raise given_up from None
            await asyncio.sleep(random.uniform(0.005, 0.05) * (TRIES_MAX - tries_left))  # noqa: S311
        raise AssertionError("the last try returns or raises")

    async def _run_once(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        async with self.engine.connect() as connection:
            await begin(connection)
            uow = PostgresUnitOfWork(connection)
            try:
                answer = await work(uow)
            finally:
                if uow.lock_seconds is not None:
                    self.on_locked(uow.lock_seconds)
            await _commit(connection)
        if uow.has_new_events:
            self.on_new_events()
        return answer

    async def _read_once(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        async with self._reading.connect() as connection:
            return await work(PostgresUnitOfWork(connection))

    async def _look_once(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        async with self._looking.connect() as connection:
            await begin(connection)
            return await work(PostgresUnitOfWork(connection, locks=False))


class PostgresReader:
    """Reads what a limited caller may see."""

    def __init__(self, database: PostgresDatabase, visibility: Visibility) -> None:
        self._database = database
        self._visibility = visibility

    async def read(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        """Read on one connection, in one transaction; each statement sees what is committed when it starts."""
        return await self._database.with_retries(work, self._read_once)

    async def _read_once(self, work: Callable[[PostgresUnitOfWork], Awaitable[T]]) -> T:
        async with self._database.engine.connect() as connection:
            await begin(connection)
            await look(connection, self._visibility)
            return await work(PostgresUnitOfWork(connection, locks=False))


class CommitFailed(Exception):
    """COMMIT was sent and its answer did not arrive: the transaction may be there or not."""


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except DATABASE_ERRORS as error:
        if _state(error) in {SERIALIZATION_FAILURE, DEADLOCK}:
            raise
        raise CommitFailed from error


def _state(error: BaseException) -> str | None:
    """The SQLSTATE, where the server gave one."""
    state: str | None = getattr(_cause(error), "sqlstate", None)
    return state


def _cause(error: BaseException) -> BaseException:
    """What the driver said, where SQLAlchemy has wrapped it."""
    if isinstance(error, DBAPIError) and error.orig:
        return _cause(error.orig)
    return error.__cause__ or error if isinstance(error, AdapterError) else error


def _is_passing(error: Exception) -> bool:
    """Whether the transaction surely left nothing behind, and may well succeed when it is done again."""
    state = _state(error)
    if state == UNIQUE_VIOLATION:
        return any(name in str(_cause(error)) for name in RACES)
    is_short = state is not None and state.startswith(INSUFFICIENT_RESOURCES)
    return is_short or _is_lost(error) or state in TRY_AGAIN or state == QUERY_CANCELED


def _is_lost(error: Exception) -> bool:
    """Whether the connection is gone."""
    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    return invalidated or isinstance(_cause(error), LOST)
