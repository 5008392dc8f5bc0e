"""A backup of a database that is being written to is whole, and a restore to an earlier moment deceives nobody."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from persistence.embedded_cluster import program
from persistence.restoring import AHEAD
from tests.acceptance.processes import ROOT, dibs
from tests.conftest import PREFIX, Server
from tests.gql.serving import Served, all_numbered, serving
from tests.persistence.verified import verified

CALLERS = 8
WRITES_BEFORE, WRITES_AFTER = 40, 40


def run(name: str, *arguments: object) -> str:
    """A program of PostgreSQL."""
    done = subprocess.run([program(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def elsewhere(server: Server) -> Iterator[str]:
    """An empty database to restore into."""
    name = f"{PREFIX}_elsewhere"
    yield server.create(name)
    server.drop(name)


class Shop:
    """Callers who buy on and on."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.bought: list[str] = []
        self._going = True

    @classmethod
    async def opened(cls, api: Served) -> "Shop":
        await api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await api.mutate("saveItems", items=[{"sku": "MUG", "name": "Mug"}])
        await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": "MUG", "quantity": 10_000}])
        return cls(api)

    async def buy(self, number: str) -> None:
        placed = await self.api.mutate(
            "placeOrder", "... on PlaceOrderSuccess { order { id } }", channel="web", number=number,
            lines=[{"sku": "MUG", "quantity": 1}],
        )  # fmt: skip
        order = {"order": {"id": placed["order"]["id"]}}
        await self.api.mutate("allocateOrders", orders=[order])
        self.bought.append(number)

    async def buy_until_stopped(self, caller: int) -> None:
        number = 0
        while self._going:
            number += 1
            await self.buy(f"{caller}-{number}")

    def stop(self) -> None:
        self._going = False

    async def has_bought(self, more: int) -> None:
        enough = len(self.bought) + more
        async with asyncio.timeout(60):
            while len(self.bought) < enough:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_dump_that_is_made_under_writes_is_one_moment_that_keeps_every_invariant(
    database_url: str, elsewhere: str, tmp_path: Path
):
    dump = tmp_path / "dibs.dump"
    async with serving(database_url) as api:
        shop = await Shop.opened(api)
        buying = [asyncio.create_task(shop.buy_until_stopped(number)) for number in range(CALLERS)]
        await shop.has_bought(WRITES_BEFORE)
        before = list(shop.bought)
        await asyncio.to_thread(run, "pg_dump", "-Fc", database_url, "-f", dump)
        await shop.has_bought(WRITES_AFTER)
        shop.stop()
        await asyncio.gather(*buying)

    await asyncio.to_thread(run, "pg_restore", "--no-owner", "--exit-on-error", "-d", elsewhere, dump)
    restored = await orders_in(elsewhere)

    assert await verified(elsewhere) == []
    assert set(before) <= restored < set(shop.bought) | restored
    assert len(restored) < len(shop.bought)


async def orders_in(url: str) -> set[str]:
    return {row["number"] for row in await fetch(url, "SELECT number FROM orders")}


async def fetch(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


EVENTS = "query ($after: String) { events(first: 100, after: $after) { edges { cursor node { id } } } }"


async def history(api: Served, after: str | None = None) -> list[tuple[str, str]]:
    """Cursors and ids of events."""
    await all_numbered(api.database)
    found = await api(EVENTS, after=after)
    return [(edge["cursor"], edge["node"]["id"]) for edge in found["events"]["edges"]]


async def test_after_a_restore_cursors_of_what_was_lost_are_expired_and_others_go_on(
    database_url: str, elsewhere: str, tmp_path: Path
):
    dump = tmp_path / "dibs.dump"
    async with serving(database_url) as api:
        shop = await Shop.opened(api)
        await shop.buy("kept")
        kept = await history(api)
        await asyncio.to_thread(run, "pg_dump", "-Fc", database_url, "-f", dump)
        await shop.buy("lost")
        lost = (await history(api))[len(kept) :]
    await asyncio.to_thread(run, "pg_restore", "--no-owner", "--exit-on-error", "-d", elsewhere, dump)
    told = await asyncio.to_thread(dibs, "restored", DIBS_DATABASE_URL=elsewhere)
    assert told.code == 0, told.err
    assert f"behind position {len(kept)};" in told.out

    async with serving(elsewhere) as api:
        assert await verified(elsewhere) == []
        assert await history(api, kept[-1][0]) == []
        await Shop(api).buy("new")
        new = await history(api, kept[-1][0])

        assert new
        assert {one for _, one in new} & {one for _, one in lost} == set(), (
            "receivers of webhooks know an event by its id"
        )
        assert await history(api, kept[0][0]) == [*kept[1:], *new]
        for cursor, _ in lost:
            assert await api.code(EVENTS, after=cursor) == "CURSOR_EXPIRED"
        async with api.socket() as socket:
            query = "subscription ($after: String) { orderChanged(after: $after) { cursor } }"
            await socket.subscribe("lost", query, after=lost[0][0])
            assert (await socket.error("lost"))["extensions"]["code"] == "CURSOR_EXPIRED"
            await socket.subscribe("kept", query, after=kept[-1][0])
            assert (await socket.next("kept"))["orderChanged"]["cursor"] in {cursor for cursor, _ in new}
        ids = await fetch(elsewhere, "SELECT id FROM orders ORDER BY id")
        assert ids[-1]["id"] - ids[0]["id"] >= AHEAD
    assert await verified(elsewhere) == []


async def test_without_it_a_lost_cursor_skips_what_is_new(database_url: str, elsewhere: str, tmp_path: Path):
    """Why `dibs restored` must not be left out: this is what happens then."""
    dump = tmp_path / "dibs.dump"
    async with serving(database_url) as api:
        shop = await Shop.opened(api)
        await asyncio.to_thread(run, "pg_dump", "-Fc", database_url, "-f", dump)
        await shop.buy("lost")
        lost = await history(api)
    await asyncio.to_thread(run, "pg_restore", "--no-owner", "--exit-on-error", "-d", elsewhere, dump)

    async with serving(elsewhere) as api:
        shop = Shop(api)
        await shop.buy("new")
        await shop.buy("newer")
        assert len(await history(api, lost[-1][0])) < len(await history(api)) - 1
        assert await history(api, lost[-1][0]) != []


@pytest.mark.chaos
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the embedded server runs on Linux and macOS")
async def test_a_base_backup_under_writes_is_opened_as_a_data_directory_of_its_own(
    server: Server, database_url: str, tmp_path: Path
):
    """Of the server that the tests use: all its databases come along, as with any base backup."""
    copy = tmp_path / "copy"
    async with serving(database_url) as api:
        shop = await Shop.opened(api)
        buying = [asyncio.create_task(shop.buy_until_stopped(number)) for number in range(CALLERS)]
        await shop.has_bought(WRITES_BEFORE)
        before = list(shop.bought)
        await asyncio.to_thread(
            run, "pg_basebackup", "-d", server.url, "-D", copy / "postgres", "-X", "stream", "-c", "fast"
        )
        shop.stop()
        await asyncio.gather(*buying)
    found, broken = await opened_copy(copy, server, database_url)

    assert broken == "[]"
    assert set(before) <= found


@pytest.mark.chaos
async def test_a_base_backup_and_the_wal_since_then_go_back_to_a_moment_exactly(
    server: Server, database_url: str, tmp_path: Path
):
    copy, archive = tmp_path / "copy", tmp_path / "archive"
    archive.mkdir()
    async with serving(database_url) as api:
        shop = await Shop.opened(api)
        receiving = subprocess.Popen(  # noqa: ASYNC220  (it starts at once)
            [program("pg_receivewal"), "-d", server.url, "-D", archive], stderr=subprocess.PIPE, text=True
        )
        try:
            base = ("-D", copy / "postgres", "-X", "stream", "-c", "fast")
            await asyncio.to_thread(run, "pg_basebackup", "-d", server.url, *base)
            await shop.buy("before")
            await fetch(server.url, "SELECT pg_create_restore_point('the moment')")
            await shop.buy("after")
            (segment,) = await fetch(server.url, "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name")
            await fetch(server.url, "SELECT pg_switch_wal()")
            async with asyncio.timeout(60):
                while not (archive / segment["name"]).exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            receiving.terminate()
            receiving.wait(30)
            if receiving.stderr:
                receiving.stderr.close()
    with (copy / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {archive}/%f %p'\n")
        settings.write("recovery_target_name = 'the moment'\nrecovery_target_action = 'promote'\n")
    (copy / "postgres" / "recovery.signal").touch()

    found, broken = await opened_copy(copy, server, database_url)

    assert broken == "[]"
    assert found == {"before"}


async def opened_copy(copy: Path, server: Server, database_url: str) -> tuple[set[str], str]:
    """The orders in a copy of this database, once the copy is opened as a data directory; and what is broken in it."""
    (copy / "password").write_text(str(make_url(server.url).password))
    (copy / "password").chmod(0o600)
    command = [sys.executable, "-c", OPEN_COPY, copy, str(make_url(database_url).database)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    broken, orders = done.stdout.splitlines()
    return set(orders.split()), broken


OPEN_COPY = """
import asyncio, sys
from pathlib import Path
from persistence.embedded import embedded_server
from tests.operating.test_restoring import orders_in, verified
with embedded_server(Path(sys.argv[1])) as server:
    url = server.url_for(sys.argv[2])
    print(asyncio.run(verified(url)))
    print(*asyncio.run(orders_in(url)))
"""
