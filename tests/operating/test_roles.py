"""The role with which Dibs serves and works can do all that Dibs does, and change no table."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from persistence.embedded_cluster import program
from persistence.tables import metadata
from tests.acceptance.processes import KEY, ROOT, dibs
from tests.acceptance.processes import serving as serving_dibs
from tests.conftest import PREFIX, Server
from tests.gql.serving import serving, until
from tests.receiver import receiving

OWNER_PASSWORD, APP_PASSWORD = "owner's", 'app"s $1'
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Roles:
    """Addresses of one database."""

    owner: str
    app: str
    superuser: str


def in_roles(url: str) -> None:
    psql = [program("psql"), "-X", "-q", "-d", url, "-v", f"owner_password={OWNER_PASSWORD}"]
    command = [*psql, "-v", f"app_password={APP_PASSWORD}", "-f", ROOT / "deploy" / "roles.sql"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PGOPTIONS": ""})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.fixture
def roles(server: Server) -> Iterator[Roles]:
    """An empty database with both roles; the roles are of the whole server, and are gone with the test."""
    name = f"{PREFIX}_roles"
    url = server.create(name)
    in_roles(url)
    address = make_url(url)
    owner = address.set(username="dibs_owner", password=OWNER_PASSWORD)
    app = address.set(username="dibs_app", password=APP_PASSWORD)
    yield Roles(owner.render_as_string(hide_password=False), app.render_as_string(hide_password=False), url)
    asyncio.run(execute(url, "DROP OWNED BY dibs_app", "DROP OWNED BY dibs_owner CASCADE"))
    server.drop(name)
    asyncio.run(execute(server.url, "DROP ROLE dibs_owner, dibs_app"))


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


DDL = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE orders ADD COLUMN mine int",
    "ALTER TABLE stock_levels DROP CONSTRAINT stock_levels_pkey",
    "DROP TABLE orders",
    "TRUNCATE orders CASCADE",
    "CREATE INDEX ON orders (number)",
    "CREATE RULE mine AS ON INSERT TO orders DO INSTEAD NOTHING",
    "ALTER TABLE orders DISABLE TRIGGER ALL",
    "CREATE EXTENSION hstore",
    "CREATE ROLE mine",
    "ALTER SYSTEM SET fsync = off",
    "COPY orders TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
]


async def test_the_app_serves_and_works_and_can_change_no_table(roles: Roles):
    migrated = await asyncio.to_thread(dibs, "migrate", DIBS_DATABASE_URL=roles.owner)
    assert migrated.code == 0, migrated.err

    async with receiving() as receiver, serving(roles.app, webhook_allow_loopback=True, run_waiting=True) as api:
        await api.mutate("saveWebhookEndpoints", endpoints=[{"name": "shop", "url": receiver.url}])
        await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await api.mutate("saveItems", items=[{"sku": "MUG", "name": "Mug"}])
        await api.mutate("saveAllocationRules", rules=[{"name": "Everything", "when": "AT_ONCE"}])
        placed = await api.mutate(
            "placeOrder",
            "... on PlaceOrderSuccess { order { id allocationStatus } }",
            channel="web",
            number="1",
            lines=[{"sku": "MUG", "quantity": 1}],
        )
        assert placed["order"]["allocationStatus"] == "COULD_NOT_ALLOCATE"
        async with api.socket() as socket:
            await socket.subscribe("1", "subscription { allocationStatusChanged { after } }")
            await until(lambda: api.hub.subscribers == 1)
            await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": "MUG", "quantity": 1}])
            assert (await socket.next("1"))["allocationStatusChanged"]["after"] == "ALLOCATED"
        await until(lambda: len(receiver.taken) > 2)

    for statement in DDL:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await execute(roles.app, statement)
        assert refused.value.sqlstate in {"42501", "0A000"}, (statement, refused.value)
    migrating = await asyncio.to_thread(dibs, "migrate", DIBS_DATABASE_URL=roles.app)
    assert migrating.code in {0, 1}
    assert (await asyncio.to_thread(dibs, "verify", DIBS_DATABASE_URL=roles.app)).code == 0


async def test_every_table_and_sequence_is_open_to_the_app_also_those_of_later_migrations(roles: Roles):
    await asyncio.to_thread(dibs, "migrate", DIBS_DATABASE_URL=roles.owner)
    await execute(roles.owner, "CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY)")

    connection = await asyncpg.connect(roles.app)
    closed = await connection.fetch(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
        AND (c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
            OR c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, 'USAGE'))
        """
    )
    tables = {row["relname"] for row in await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    await connection.close()

    assert closed == []
    assert {"later", *metadata.tables} <= tables


@pytest.mark.chaos
def test_commands_and_workers_run_as_the_app(roles: Roles, tmp_path: Path):
    assert dibs("migrate", DIBS_DATABASE_URL=roles.owner).code == 0
    for command in (
        ("import", "stock", EXAMPLES / "demo_stock.csv"),
        ("allocate",),
        ("status",),
        ("keys", "list"),
        ("verify",),
    ):
        ended = dibs(*command, DIBS_DATABASE_URL=roles.app)
        assert ended.code == 0, (command, ended.err)
    with serving_dibs(tmp_path, DIBS_DATABASE_URL=roles.app, DIBS_ADMIN_KEY=KEY) as server:
        assert server.ask("{ eventCursor }").status_code == 200
    assert "Traceback" not in server.log.read_text()


async def test_a_migration_as_the_app_is_refused_in_a_sentence_and_leaves_nothing(roles: Roles):
    refused = await asyncio.to_thread(dibs, "migrate", DIBS_DATABASE_URL=roles.app)

    assert refused.code == 1
    assert "permission denied" in refused.told
    assert "Traceback" not in refused.err
    connection = await asyncpg.connect(roles.superuser)
    assert await connection.fetch("SELECT FROM pg_class WHERE relname = 'orders'") == []
    await connection.close()


def test_the_file_may_be_run_again(roles: Roles):
    in_roles(roles.superuser)
