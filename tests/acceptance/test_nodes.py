"""Many nodes on one database: some serve, some work, any of them may die (I5, I6, I8)."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from persistence.database import PostgresDatabase
from tests.acceptance.conftest import Command
from tests.acceptance.crashing import watch
from tests.acceptance.processes import KEY, SECONDS_MAX, dibs, has_traceback, serving, working
from tests.builders import a_key
from tests.gql.serving import PROTOCOL, Socket, until
from tests.persistence.test_pooler import lying
from tests.pooler import pooled

PLACE = """mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }"""
SET_UP = """mutation ($stock: ReceiveStockInput!) {
  saveItems(input: {items: [{sku: "CHAIR", name: "Chair"}]}) { __typename }
  saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
  receiveStock(input: $stock) { __typename }
}"""
STOCK = {"location": "LEEDS", "lines": [{"sku": "CHAIR", "quantity": 500}]}


async def place(address: str, numbers: range) -> None:
    """One after the other; each under a key, so that what was not answered is asked again."""
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=SECONDS_MAX) as http:
        for number in numbers:
            lines = [{"sku": "CHAIR", "quantity": 1}]
            order = {"channel": "SHOP", "number": str(number), "lines": lines, "idempotencyKey": a_key()}
            answer = (await http.post(address, json={"query": PLACE, "variables": {"input": order}})).json()
            assert answer.get("data") == {"placeOrder": {"__typename": "PlaceOrderSuccess"}}, answer


async def positions(database: PostgresDatabase) -> list[int | None]:
    async with database.engine.connect() as connection:
        return list((await connection.execute(text("SELECT position FROM events ORDER BY position"))).scalars())


def logs(*folders: Path) -> str:
    return "".join(log.read_text() for folder in folders for log in folder.rglob("*.log"))


def folders(parent: Path, *names: str) -> list[Path]:
    found = [parent / name for name in names]
    for folder in found:
        folder.mkdir()
    return found


@pytest.mark.chaos
async def test_nodes_that_die_take_nothing_with_them(database: PostgresDatabase, database_url: str, tmp_path: Path):
    """Two that serve and two that work; one of each is killed while orders are placed and watched at the others."""
    settings = {"DIBS_DATABASE_URL": database_url, "DIBS_ADMIN_KEY": KEY}
    one, two, three, four = folders(tmp_path, "one", "two", "three", "four")
    seen: list[dict[str, Any]] = []
    with (
        serving(one, "--no-workers", **settings) as serves,
        serving(two, "--no-workers", **settings) as dies,
        working(three, **settings) as works,
        working(four, **settings) as worked,
    ):
        stock = STOCK | {"idempotencyKey": a_key()}
        assert "errors" not in serves.ask(SET_UP, stock=stock).json()
        start = serves.ask("{ eventCursor }").json()["data"]["eventCursor"]
        watching = asyncio.create_task(watch(serves.address, start, seen))
        doomed = asyncio.create_task(place(dies.address, range(1_000, 9_000)))
        placing = asyncio.create_task(place(serves.address, range(40)))
        await until(lambda: len(seen) >= 20)
        os.kill(worked.pid, signal.SIGKILL)
        os.kill(dies.process.pid, signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            await doomed
        await placing
        await place(serves.address, range(100, 110))

        await until(lambda: {str(number) for number in range(100, 110)} <= {event["orderNumber"] for event in seen})
        watching.cancel()
        works.send_signal(signal.SIGTERM)
        assert works.wait(SECONDS_MAX) == 0
        serves.process.send_signal(signal.SIGTERM)
        assert serves.process.wait(SECONDS_MAX) == 0

    found = await positions(database)
    assert found == list(range(1, len(found) + 1))
    assert len({event["cursor"] for event in seen}) == len(seen)
    async with database.engine.connect() as connection:
        placed = set((await connection.execute(text("SELECT number FROM orders"))).scalars())
    assert {event["orderNumber"] for event in seen} == placed
    assert dibs("verify", **settings).code == 0
    assert "Traceback" not in logs(tmp_path)


async def test_nodes_work_through_a_pooler(database: PostgresDatabase, database_url: str, tmp_path: Path):
    """The commands, the bell and migrations take the direct address."""
    (one, two, pooler) = folders(tmp_path, "one", "two", "pooler")
    seen: list[dict[str, Any]] = []
    with pooled(database_url, pooler) as url:
        settings = {
            "DIBS_DATABASE_URL": url,
            "DIBS_LISTEN_URL": database_url,
            "DIBS_BEHIND_POOLER": "true",
            "DIBS_ADMIN_KEY": KEY,
        }
        assert dibs("migrate", **settings).out == "The schema is current.\n"
        with serving(one, "--no-workers", **settings) as serves, working(two, **settings):
            stock = STOCK | {"idempotencyKey": a_key()}
            assert "errors" not in serves.ask(SET_UP, stock=stock).json()
            start = serves.ask("{ eventCursor }").json()["data"]["eventCursor"]
            watching = asyncio.create_task(watch(serves.address, start, seen))
            await asyncio.gather(*(place(serves.address, range(at * 10, at * 10 + 5)) for at in range(8)))
            await until(lambda: len(seen) >= 40)
            watching.cancel()
    assert "Traceback" not in logs(one, two)
    assert len(await positions(database)) >= 40


CREATE = """mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeySuccess { secret apiKey { id } }
}}"""
REVOKE = """mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename } }"""


async def test_i19_what_is_revoked_at_one_node_is_cut_off_at_all_others(database_url: str, tmp_path: Path):
    settings = {"DIBS_DATABASE_URL": database_url, "DIBS_ADMIN_KEY": KEY}
    one, two = folders(tmp_path, "one", "two")
    with serving(one, **settings) as here, serving(two, "--no-workers", **settings) as there:
        fields = {"name": "picker", "scopes": ["events:read"], "idempotencyKey": a_key()}
        made = here.ask(CREATE, input=fields).json()["data"]["createApiKey"]
        async with (
            connect(there.address.replace("http", "ws", 1), subprotocols=[Subprotocol(PROTOCOL)]) as socket,
            httpx.AsyncClient(headers={"authorization": f"Bearer {made['secret']}"}, timeout=SECONDS_MAX) as http,
            http.stream(
                "POST",
                there.address,
                json={"query": "subscription { events { id } }"},
                headers={"accept": "text/event-stream"},
            ) as stream,
        ):
            client = Socket(socket)
            await client.send(type="connection_init", payload={"authorization": f"Bearer {made['secret']}"})
            assert await client.receive() == {"type": "connection_ack"}
            await client.subscribe("1", "subscription { events { id } }")

            here.ask(REVOKE, input={"key": made["apiKey"]["id"], "idempotencyKey": a_key()})

            assert await client.closed() == (4403, "Forbidden")
            async with asyncio.timeout(SECONDS_MAX):
                assert b"event: complete" not in b"".join([part async for part in stream.aiter_bytes()])
            assert there.ask("{ eventCursor }", made["secret"]).status_code == 401


async def test_a_server_whose_locks_do_not_lock_is_not_served(database: PostgresDatabase, database_url: str):
    await lying(database.engine)

    for arguments in (("serve", "--port", "0"), ("work",)):
        ended = dibs(*arguments, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY)
        assert ended.code == 1
        assert "Two connections to this database were given the same lock" in ended.told
        assert not has_traceback(ended.err)


def test_a_pooler_without_a_way_round_it_is_refused(command: Command):
    ended = command("serve", DIBS_DATABASE_URL="postgresql://a@127.0.0.1:6432/a", DIBS_BEHIND_POOLER="true")

    assert ended.code == 2
    assert "DIBS_BEHIND_POOLER: needs DIBS_LISTEN_URL" in ended.told
