"""One PostgreSQL server a session, a fresh database for each test, and a look at what each test leaves behind.

DIBS_TEST_DATABASE_URL names a server to use (15 or newer, a user who may create databases); without it an embedded one
runs for the session.
"""

import asyncio
import os
import secrets
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from itertools import count
from threading import Thread
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.ids import KeyId
from persistence.database import PostgresDatabase, connect
from persistence.embedded import embedded_server
from persistence.migrating import migrate
from persistence.tables import metadata
from services.callers import Caller
from tests.persistence.verified import HOLDS, verified
from tests.sizes import FULL

pytest.register_assert_rewrite("tests.acceptance.enduring")

PREFIX = f"dibs_test_{secrets.token_hex(4)}"
_numbers = count(1)
SETTLE_SECONDS_MAX = 5
HOLDS_SECONDS_MAX = 2
HOUSEHOLD = {"application_name": "dibs tests", "jit": "off"}

T = TypeVar("T")

LEFT_BEHIND = """
    SELECT 'advisory lock' AS what, l.classid || '/' || l.objid AS which
    FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = $1
    UNION ALL
    SELECT 'session', concat_ws(' ', application_name, state, query) FROM pg_stat_activity
    WHERE datname = $1 AND pid <> pg_backend_pid()
    """

WIPED_BYTES_MAX = 32_000_000
SIZE = "SELECT pg_database_size(current_database())"
SHAPE = """
    SELECT ARRAY(SELECT CAST(oid AS bigint) FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT CAST(oid AS bigint) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT CAST(oid AS bigint) FROM pg_trigger WHERE oid >= 16384
        UNION ALL SELECT CAST(oid AS bigint) FROM pg_constraint WHERE oid >= 16384 ORDER BY 1)
    """
"""The schema's objects; a copy has those of its template."""
WIPE = "".join(
    (
        *(f"DELETE FROM {table.name};" for table in reversed(metadata.sorted_tables)),  # noqa: S608
        "INSERT INTO log_end (position) VALUES (0);",
        "INSERT INTO log_start (position) VALUES (0);",
        "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence;",
    )
)


# The quick suite tries the same examples every time, so that it says something about a change; `make deep` and
# `make hammer` look where nobody has looked before.
# How long an example takes says nothing on a machine that does something else as well.
settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("full", max_examples=5_000, deadline=None)
settings.load_profile("full" if FULL else "quick")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "breaks_invariants: the test breaks one on purpose; verify is not asked after it"
    )
    config.addinivalue_line("markers", "chaos: takes minutes; `make chaos` runs it")


class Server:
    """Makes, copies and drops databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    @property
    def url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    def url_for(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def create(self, name: str, template: str = "template0") -> str:
        """A database that is a copy of the template; its address."""
        asyncio.run(self.copy(name, template))
        return self.url_for(name)

    def drop(self, name: str) -> None:
        asyncio.run(self.execute(f'DROP DATABASE "{name}" WITH (FORCE)'))

    def left_behind(self, name: str) -> list[tuple[str, str]]:
        """Advisory locks and sessions in the database; a session that is ending has a moment to be gone."""
        return asyncio.run(self._left_behind(name))

    async def copy(self, name: str, template: str) -> None:
        # WAL_LOG, the default, copies our few megabytes in 20 ms; FILE_COPY needs two checkpoints: 60 ms.
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _left_behind(self, name: str) -> list[tuple[str, str]]:
        connection = await asyncpg.connect(self.url)
        try:
            return await settled(connection, name)
        finally:
            await connection.close()


async def settled(connection: asyncpg.Connection, name: str) -> list[tuple[str, str]]:
    """What is in the database beside this connection, as soon as that is nothing, or else after a while."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while found := await connection.fetch(LEFT_BEHIND, name):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        pass
    return [tuple(row) for row in found]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if url := os.environ.get("DIBS_TEST_DATABASE_URL"):
        yield Server(url)
        return
    data = tmp_path_factory.mktemp("server") / ".dibs"
    with embedded_server(data, say=lambda _: None) as embedded:
        yield Server(embedded.url)
    shutil.rmtree(data)


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a database with today's schema, for `Server.create`."""
    name = f"{PREFIX}_template"

    async def prepare(url: str) -> None:
        engine = connect(url)
        await migrate(engine)
        await engine.dispose()

    asyncio.run(prepare(server.create(name)))
    yield name
    server.drop(name)


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """A database without any table."""
    name = f"{PREFIX}_{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


class Copy:
    """A copy of the template, with a connection that stays open from test to test: it knows the schema by then."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self._connection: asyncpg.Connection | None = None
        self._holds: Any = None

    async def look(self, *, verify: bool) -> tuple[list[tuple[str, str]], list[object]]:
        """What a test has left behind, and the invariants that it broke."""
        connection = await self.connected()
        left_behind = await settled(connection, self.name)
        if not verify or await self._all_holds():
            return left_behind, []
        return left_behind, await verified(self.url)

    async def connected(self) -> "asyncpg.Connection":
        if self._connection is None or not await _answers(self._connection):
            self._connection = await asyncpg.connect(self.url, ssl=False, server_settings=HOUSEHOLD)
            self._holds = await self._connection.prepare(f"SELECT {HOLDS}")
        return self._connection

    async def _all_holds(self) -> bool:
        """In no time, or else it is planned anew: it was planned for next to nothing."""
        try:
            return bool(await self._holds.fetchval(timeout=HOLDS_SECONDS_MAX))
        except TimeoutError:
            return False

    async def leave(self) -> None:
        if self._connection is not None:
            await self._connection.close()


async def _answers(connection: asyncpg.Connection) -> bool:
    """Some tests end every connection."""
    try:
        await connection.execute("SELECT")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True


class Copies:
    """Copies of the template, as good as new. One is wiped while the test that follows uses the other.

    Wiping takes a tenth of the time of dropping and copying; a copy that became large or whose schema was changed is
    not worth it.
    """

    def __init__(self, server: Server, template: str) -> None:
        self._server, self._template = server, template
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._shape = self.run(self._shape_of_template())
        self._ready = deque(self._start(self._make()) for _ in range(2))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._start(work).result()

    def take(self) -> Copy:
        return self._ready.popleft().result()

    def give_back(self, copy: Copy, *, wipe: bool) -> None:
        """`wipe`: nobody is in the copy any more."""
        self._ready.append(self._start(self._renew(copy, wipe)))

    def close(self) -> None:
        for ready in self._ready:
            self.run(self._drop(ready.result()))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _make(self) -> Copy:
        name = f"{PREFIX}_{next(_numbers)}"
        await self._server.copy(name, self._template)
        return Copy(name, self._server.url_for(name))

    async def _drop(self, copy: Copy) -> None:
        await copy.leave()
        await self._server.execute(f'DROP DATABASE "{copy.name}" WITH (FORCE)')

    async def _renew(self, copy: Copy, wipe: bool) -> Copy:
        if wipe and await self._wipe(await copy.connected()):
            return copy
        await self._drop(copy)
        return await self._make()

    async def _shape_of_template(self) -> object:
        connection = await asyncpg.connect(self._server.url_for(self._template))
        try:
            return await connection.fetchval(SHAPE)
        finally:
            await connection.close()

    async def _wipe(self, connection: asyncpg.Connection) -> bool:
        if await connection.fetchval(SHAPE) != self._shape or await connection.fetchval(SIZE) > WIPED_BYTES_MAX:
            return False
        await connection.execute(WIPE)
        return True


@pytest.fixture(scope="session")
def copies(server: Server, template: str) -> Iterator[Copies]:
    copies = Copies(server, template)
    yield copies
    copies.close()


@pytest.fixture
def database_url(copies: Copies, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with today's schema and no rows. After the test it must be quiet and keep every invariant."""
    copy = copies.take()
    yield copy.url
    quiet = False
    try:
        breaks = request.node.get_closest_marker("breaks_invariants") is not None
        left_behind, broken = copies.run(copy.look(verify=not breaks))
        quiet = not left_behind
    finally:
        copies.give_back(copy, wipe=quiet)
    assert left_behind == []
    assert broken == []


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = connect(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def database(engine: AsyncEngine) -> PostgresDatabase:
    return PostgresDatabase(engine)


@pytest.fixture
def caller() -> Caller:
    return Caller(key=KeyId(1), actor="tester", request="a test")


@pytest.fixture
def another_caller() -> Caller:
    return Caller(key=KeyId(2), actor="partner", request="another test")


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[Callable[..., PostgresDatabase]]:
    """More databases on the same rows, each with an engine of its own and the options of `connect`."""
    engines: list[AsyncEngine] = []

    def another(*, deadline_seconds: float = 30, **options: object) -> PostgresDatabase:
        engines.append(connect(database_url, **options))  # type: ignore[arg-type]
        return PostgresDatabase(engines[-1], deadline_seconds=deadline_seconds)

    yield another
    for engine in engines:
        await engine.dispose()
