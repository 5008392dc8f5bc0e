"""A node fails, and the others go on: it is frozen and thawed, told to end, out of descriptors, or has another time."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from dibs.serving import DRAIN_SECONDS_MAX
from tests.acceptance.enduring import BUYERS, Buyers, buyers_of, folder_for, served, tracebacks
from tests.acceptance.processes import DIBS, KEY, Serving
from tests.builders import a_key
from tests.gql.serving import until

FROZEN_SECONDS = 40
"""Longer than a transaction may be idle, with locks in its hands."""
LOCKED_SECONDS = 35
"""How long others may have to wait for what a frozen node has locked."""
MOMENT_SECONDS = 10
UNNUMBERED = "SELECT count(*) FROM events WHERE position IS NULL"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
DESCRIPTORS, SOCKETS = 256, 300


def settings(database_url: str, **more: str) -> dict[str, str]:
    return {"DIBS_DATABASE_URL": database_url, "DIBS_ADMIN_KEY": KEY} | more


async def test_i8_a_node_that_is_frozen_holds_nobody_up_for_long_and_does_nothing_twice(
    database_url: str, tmp_path: Path
):
    ours = settings(database_url)
    async with (
        served(folder_for(tmp_path, "one"), **ours) as one,
        served(folder_for(tmp_path, "other"), **ours) as other,
        buyers_of(one.address, name="one") as of_one,
        buyers_of(other.address, name="other") as of_other,
    ):
        await of_one.set_up()
        for buyers in (of_one, of_other):
            buyers.start()
            await buyers.get(2 * BUYERS)
        frozen = psutil.Process(one.process.pid)
        for seconds in (0.5, 1, 2, FROZEN_SECONDS):
            frozen.suspend()
            await until(lambda: frozen.status() == psutil.STATUS_STOPPED)
            thaws = time.monotonic() + seconds
            if seconds == FROZEN_SECONDS:
                await of_other.are_served_again(LOCKED_SECONDS)
                await all_numbered(database_url)
            await asyncio.sleep(max(0, thaws - time.monotonic()))
            frozen.resume()
            await of_one.get(BUYERS)
        for buyers in (of_one, of_other):
            await buyers.are_served_again(MOMENT_SECONDS)
        await of_one.stop()
        await of_other.stop()
        await of_one.judge(database_url, of_other)
        for node in (one, other):
            assert not (found := tracebacks(node.log)), found


async def all_numbered(url: str) -> None:
    """The others number events, while their relay cannot."""
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(LOCKED_SECONDS):
        while await connection.fetchval(UNNUMBERED):  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.01)
    await connection.close()


async def test_i8_a_node_that_is_told_to_end_under_load_loses_nothing(database_url: str, tmp_path: Path):
    ours = settings(database_url)
    async with buyers_of(may_be_cut_off=True) as buyers:
        for round_number in range(3):
            async with served(folder_for(tmp_path, f"node {round_number}"), **ours) as node:
                buyers.addresses[:] = [node.address]
                if round_number == 0:
                    await buyers.set_up()
                    buyers.start()
                await buyers.get(3 * BUYERS)
                if round_number < 2:
                    await ends(node)
                    assert buyers.told["cut off"]
                else:
                    await buyers.are_served_again(MOMENT_SECONDS)
                    await buyers.stop()
                    await buyers.judge(database_url)
                assert not (found := tracebacks(node.log)), found


async def ends(node: Serving) -> None:
    """By itself, with what it had begun."""
    started = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(node.process.wait, 60)
    assert code == 0
    assert time.monotonic() - started < DRAIN_SECONDS_MAX + MOMENT_SECONDS


# ---------------------------------------------------------------- clocks


RESERVE = """mutation ($input: ReserveStockInput!) { reserveStock(input: $input) {
    ... on ReserveStockSuccess { reservation { id state expiresAt } } } }"""
RESERVATION = "query ($id: ID!) { node(id: $id) { ... on StockReservation { state } } }"


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not there")
async def test_nodes_whose_clocks_are_hours_off_agree_on_what_has_expired(database_url: str, tmp_path: Path):
    """The time that counts is the database's."""
    async with AsyncExitStack() as stack:
        nodes = []
        for name, off in (("late", "-3h"), ("early", "+3h")):
            clock = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            node = served(folder_for(tmp_path, name), **settings(database_url, **clock))
            nodes.append(await stack.enter_async_context(node))
        buyers = await stack.enter_async_context(buyers_of(*[node.address for node in nodes]))
        for node, hours in zip(nodes, (-3, 3), strict=True):
            assert abs(await clock_of(node, buyers) - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=5)
        await buyers.set_up()
        buyers.start()
        short = [await reserved(buyers, node, 1) for node in nodes]
        long = [await reserved(buyers, node, 600) for node in nodes]
        await buyers.get(8 * BUYERS)
        await buyers.until(lambda: time.monotonic() > short[-1][1] + 3)
        for node in nodes:
            assert [await state_of(buyers, node, row) for row, _ in short] == ["EXPIRED"] * 2
            assert [await state_of(buyers, node, row) for row, _ in long] == ["ACTIVE"] * 2
        assert not buyers.troubles
        await buyers.stop()
        await buyers.judge(database_url)
        for node in nodes:
            assert not (found := tracebacks(node.log)), found


async def clock_of(node: Serving, buyers: Buyers) -> datetime:
    answer = await buyers.http.get(node.address.replace("/graphql", "/healthz"))
    return parsedate_to_datetime(answer.headers["date"])


async def ask(buyers: Buyers, node: Serving, query: str, **variables: Any) -> Any:
    answer = (await buyers.http.post(node.address, json={"query": query, "variables": variables})).json()
    assert "errors" not in answer, answer
    return answer["data"]


async def reserved(buyers: Buyers, node: Serving, seconds: int) -> tuple[str, float]:
    """A cart's id, and when it was made."""
    lines = [{"sku": "SKU-0", "quantity": 1}]
    wanted = {"lines": lines, "expiresInSeconds": seconds, "idempotencyKey": a_key()}
    made = (await ask(buyers, node, RESERVE, input=wanted))["reserveStock"]["reservation"]
    return made["id"], time.monotonic()


async def state_of(buyers: Buyers, node: Serving, row: str) -> str:
    return str((await ask(buyers, node, RESERVATION, id=row))["node"]["state"])


# ---------------------------------------------------------------- descriptors


async def test_more_sockets_than_a_node_has_descriptors_keep_it_from_nothing_that_it_has_begun(
    database_url: str, tmp_path: Path
):
    program = ("/bin/sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$0" "$@"', DIBS)
    async with (
        served(folder_for(tmp_path, "node"), program=program, **settings(database_url)) as node,
        buyers_of(node.address, may_be_cut_off=True) as buyers,
    ):
        await buyers.set_up()
        buyers.start()
        await buyers.get(2 * BUYERS)
        async with AsyncExitStack() as stack:
            sockets = await asyncio.gather(*(a_socket(stack, node) for _ in range(SOCKETS)))
            assert psutil.Process(node.process.pid).num_fds() > DESCRIPTORS - 10
            assert 0 < sockets.count(False) < SOCKETS
            await buyers.get(3 * BUYERS)
        await buyers.are_served_again(MOMENT_SECONDS)
        async with AsyncExitStack() as stack:
            assert await a_socket(stack, node)
        await buyers.stop()
        await buyers.judge(database_url)
        assert not (found := tracebacks(node.log)), found
        assert len(node.log.read_bytes()) < 1_000_000


async def a_socket(stack: AsyncExitStack, node: Serving) -> bool:
    """Whether it was let in."""
    url = node.address.replace("http", "ws", 1)
    with suppress(OSError, TimeoutError, WebSocketException):
        await stack.enter_async_context(
            connect(url, subprotocols=["graphql-transport-ws"], open_timeout=20, ping_interval=None)  # type: ignore[list-item]
        )
        return True
    return False
