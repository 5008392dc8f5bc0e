"""`kill -9` anywhere leaves before or after, and nothing between (I6, I7, I8)."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.acceptance.clients import Client
from tests.acceptance.crashing import SKUS, afterwards, set_up, until_it_is_gone
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving, dibs, has_traceback, serving
from tests.builders import a_key

ANSWERS_BEFORE_THE_KILL = 60


def kill(server: Serving, client: Client) -> None:
    """While requests are on their way."""
    if sum(request.answer is not None for request in client.requests) >= ANSWERS_BEFORE_THE_KILL:
        os.kill(server.process.pid, signal.SIGKILL)


def test_a_server_that_is_killed_in_the_middle_of_its_work_loses_and_doubles_nothing(tmp_path: Path):
    data = tmp_path / ".dibs"
    client, seen = Client([]), []
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        client.addresses = [server.address]
        start = set_up(server)
        asyncio.run(until_it_is_gone(server, client, seen, start, lambda: kill(server, client)))

    assert any(request.answer is None for request in client.requests)
    assert seen
    verified = dibs("verify", "--data", data)
    assert verified.code == 0, verified
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        asyncio.run(afterwards(server, client, seen, start))
        verified = dibs("verify", "--data", data)
        server.process.send_signal(signal.SIGTERM)
        with suppress(Exception):
            server.process.wait(SECONDS_MAX)
    assert verified.code == 0, verified
    assert not has_traceback(server.log.read_text())


# ---------------------------------------------------------------- a schedule


SCHEDULED = 700
STATUSES = "{ orderCounts { byAllocationStatus { status count } } }"


def allocated(server: Serving) -> int:
    counts = server.ask(STATUSES).json()["data"]["orderCounts"]["byAllocationStatus"]
    return next(one["count"] for one in counts if one["status"] == "ALLOCATED")


async def the_time_comes(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE orders SET allocate_after = now()")
    await connection.close()


async def place_all(server: Serving) -> None:
    place = """mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }"""
    limits = httpx.Limits(max_connections=50)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=SECONDS_MAX, limits=limits) as http:

        async def one(number: int) -> None:
            lines = [{"sku": SKUS[number % 12], "quantity": 1}]
            order = {"channel": "SHOP", "number": str(number), "lines": lines, "idempotencyKey": a_key()}
            answer = (await http.post(server.address, json={"query": place, "variables": {"input": order}})).json()
            assert answer["data"]["placeOrder"]["__typename"] == "PlaceOrderSuccess", answer

        await asyncio.gather(*map(one, range(SCHEDULED)))


@pytest.mark.chaos
def test_a_schedule_whose_server_is_killed_goes_on_where_it_stopped(tmp_path: Path, empty_database_url: str):
    settings = {"DIBS_ADMIN_KEY": KEY, "DIBS_DATABASE_URL": empty_database_url}
    assert dibs("migrate", **settings).code == 0
    with serving(tmp_path, **settings) as server:
        set_up = """mutation ($items: [ItemInput!]!, $stock: ReceiveStockInput!) {
          saveItems(input: {items: $items}) { __typename }
          saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
          receiveStock(input: $stock) { __typename }
          saveAllocationRules(input: {rules: [{name: "daily", when: ON_SCHEDULE, everyMinutes: 1440}]}) { __typename }
        }"""
        stock = {"location": "LEEDS", "lines": [{"sku": sku, "quantity": 100} for sku in SKUS], "idempotencyKey": "1"}
        items = [{"sku": sku, "name": sku} for sku in SKUS]
        assert "errors" not in server.ask(set_up, items=items, stock=stock).json()
        asyncio.run(place_all(server))
        asyncio.run(the_time_comes(empty_database_url))
        deadline = time.monotonic() + SECONDS_MAX
        while not allocated(server):
            assert time.monotonic() < deadline
        os.kill(server.process.pid, signal.SIGKILL)

    with serving(tmp_path, **settings) as server:
        deadline = time.monotonic() + SECONDS_MAX
        while allocated(server) < SCHEDULED:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        versions = server.ask("{ orders(first: 100) { nodes { version } } }").json()["data"]["orders"]["nodes"]
        verified = dibs("verify", **settings)

    assert {order["version"] for order in versions} == {2}
    assert verified.code == 0, verified


# ---------------------------------------------------------------- a plan


START = """mutation { startAllocationRun(input: {sequence: MAX_COMPLETE_ORDERS, idempotencyKey: "a"}) {
  ... on StartAllocationRunSuccess { run { id } } } }"""
RUN = """query ($id: ID!) { allocationRun(id: $id) {
  state processed total outcomes { status count } plan { completeOrders fifoCompleteOrders bound } } }"""


def a_shop_with_large_old_orders(folder: Path, data: Path, orders: int) -> None:
    """Of three SKUs there is half of what is wanted; the oldest orders want most."""
    stock, wanted = folder / "stock.csv", folder / "orders.csv"
    quantities = [1 + 9 * (orders - number) // orders for number in range(orders)]
    on_hand = sum(quantities) // 6
    stock.write_text("sku,location,on_hand,name\n" + "".join(f"S{at},LEEDS,{on_hand},S{at}\n" for at in range(3)))
    rows = (f"N{number},S{number % 3},{units}\n" for number, units in enumerate(quantities))
    wanted.write_text("order,sku,quantity\n" + "".join(rows))
    for kind, file, more in (("stock", stock, ()), ("orders", wanted, ("--channel", "web"))):
        done = dibs("import", kind, file, "--data", data, *more)
        assert done.code == 0, done


def progress(server: Serving, run: str, enough: int) -> dict[str, Any]:
    """How far the run is, once it has looked at so many orders or has ended."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.ask(RUN, id=run).json()["data"]["allocationRun"]
        if found["processed"] >= enough or found["state"] == "SUCCEEDED":
            return found
    raise AssertionError("the run does not go on")


@pytest.mark.chaos
def test_a_run_whose_server_is_killed_goes_on_in_its_plan(tmp_path: Path):
    data, orders = tmp_path / ".dibs", 3_000
    a_shop_with_large_old_orders(tmp_path, data, orders)
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        run = server.ask(START).json()["data"]["startAllocationRun"]["run"]["id"]
        before = progress(server, run, 1)
        os.kill(server.process.pid, signal.SIGKILL)

    assert 0 < before["processed"] < orders
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        after = progress(server, run, orders + 1)
        verified = dibs("verify", "--data", data)

    assert (after["state"], after["processed"], after["total"]) == ("SUCCEEDED", orders, orders)
    assert after["plan"] == before["plan"]
    allocated = next(one["count"] for one in after["outcomes"] if one["status"] == "ALLOCATED")
    assert allocated == after["plan"]["completeOrders"] > after["plan"]["fifoCompleteOrders"]
    assert verified.code == 0, verified
