"""`dibs demo`: a real trading day, allocated through the public API while a real subscription watches."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect

from dibs import log
from dibs.app import create_app
from dibs.importing.loading_orders import load_orders
from dibs.importing.loading_stock import load_stock
from dibs.importing.orders import read_orders
from dibs.importing.stock import read_stock
from dibs.opening import command_line, database_url, opened, run
from dibs.serving import PortTaken, listen, serve
from dibs.settings import Settings
from dibs.showing import console, errors, progress, remark, table
from persistence.database import PostgresDatabase
from persistence.migrating import migrate
from services.credentials import create_key
from services.ports.orders import OrderFilter

EXAMPLES = Path(__file__).parent.parent / "examples"
DAY = EXAMPLES / "online_retail_2011-12-05.csv"
STOCK = EXAMPLES / "demo_stock.csv"
CHANNEL = "online-retail"
HEADINGS = {
    "order": "InvoiceNo",
    "sku": "StockCode",
    "quantity": "Quantity",
    "placed_at": "InvoiceDate",
    "unit_price": "UnitPrice",
    "customer": "CustomerID",
    "country": "Country",
}
ORDERS_A_BATCH = 10
PAUSE_SECONDS = 0.15
"""Between two batches, so that the statuses can be seen to change."""
WATCH_SECONDS_MAX = 60
STYLES = {
    "ALLOCATED": "green",
    "PARTIALLY_ALLOCATED": "yellow",
    "COULD_NOT_ALLOCATE": "red",
    "OVERALLOCATED": "magenta",
    "UNALLOCATED": "dim",
}


def demo(settings: Settings, *, port_was_given: bool, once: bool) -> None:
    """Load the day, serve it, allocate it, and keep serving until Ctrl-C unless `once`."""
    log.configure(as_json=bool(settings.log_json), level=logging.WARNING, secrets=settings.secrets)
    if not DAY.exists():
        errors.print(f"The demo needs {DAY.name} in examples/: run it from a checkout of the repository.", style="red")
        raise SystemExit(1)
    with database_url(settings, remark, any_schema=True) as url:
        key = run(_prepare(url))
        with _listener(settings, port_was_given) as listener:
            port = listener.getsockname()[1]
            here = f"http://127.0.0.1:{port}"
            settings = settings.model_copy(update={"public_url": settings.public_url or here})
            serve(create_app(settings, url), listener, partial(_watch_the_day, f"{here}/graphql", key, once))


def _listener(settings: Settings, port_was_given: bool) -> Any:
    try:
        return listen(settings.host, settings.port)
    except PortTaken:
        if port_was_given:
            raise
        return listen(settings.host, 0)


async def _prepare(url: str) -> str:
    """Load what is not loaded yet; a new API key for the demo."""
    async with opened(url) as database:
        await migrate(database.engine)
        await _refuse_foreign_orders(database)
        caller = command_line("demo")
        with progress("Loading made-up stock") as tell:
            await load_stock(database, caller, read_stock(STOCK), reference="made-up stock of the demo", progress=tell)
        read = read_orders(DAY, columns=HEADINGS, default_channel=CHANNEL, default_currency="GBP")
        with progress("Loading a real day of orders") as tell:
            loaded = await load_orders(database, caller, read, progress=tell)
        console.print(
            f"{loaded.placed + loaded.already_there} orders of 5 December 2011 from a real online retailer "
            f"({read.service_rows_skipped} service rows skipped, {len(read.issues)} rows of cancellations and "
            "corrections left out); their stock at three locations is made up."
        )
        return (await create_key(database, "demo"))[1]


async def _refuse_foreign_orders(database: PostgresDatabase) -> None:
    everything, ours = OrderFilter(), OrderFilter(channels=(CHANNEL,))
    orders = await database.read(lambda uow: uow.orders.counts(everything))
    if orders.total != (await database.read(lambda uow: uow.orders.counts(ours))).total:
        errors.print(
            "This database holds other orders than the demo's. Give the demo a directory of its own: --data.",
            style="red",
        )
        raise SystemExit(1)


# ---------------------------------------------------------------- a client of the public API


class Api:
    """A client as anybody could write it."""

    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self._client = client
        self._address = address

    async def __call__(self, document: str, **variables: Any) -> Any:
        response = await self._client.post(self._address, json={"query": document, "variables": variables})
        answer = response.json()
        if answer.get("errors"):
            raise RuntimeError(answer["errors"][0]["message"])
        return answer["data"]


ORDERS = """
query Orders($after: String, $statuses: [AllocationStatus!]) {
  orders(first: 100, after: $after, filter: {allocationStatuses: $statuses, statuses: [FINALIZED]}) {
    nodes { id number allocationStatus }
    pageInfo { hasNextPage endCursor }
  }
}"""
ALLOCATE = """
mutation Allocate($orders: [AllocateOrderInput!]!, $key: String!) {
  allocateOrders(input: {orders: $orders, idempotencyKey: $key}) {
    ... on UserError { __typename message }
    ... on AllocateOrdersSuccess { results { after refusal { message } } }
  }
}"""
DEALLOCATE = """
mutation Deallocate($orders: [OrderBy!]!, $key: String!) {
  deallocateOrders(input: {orders: $orders, idempotencyKey: $key}) { ... on UserError { __typename message } }
}"""
WATCH = """
subscription Watch($after: String) {
  allocationStatusChanged(after: $after) { orderNumber before after cause }
}"""
COUNTS = "{ orderCounts { byAllocationStatus { status count } } }"
LINK = "query Link($by: OrderBy!) { order(by: $by) { trackingUrl } }"
SHORT = """
query Short($by: OrderBy!) {
  order(by: $by) {
    number allocationStatus
    lines { sku open allocated item { name levels { location { name } onHand committed available } } }
  }
}"""


async def _orders(api: Api, *statuses: str) -> list[dict[str, Any]]:
    """Oldest first, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await api(ORDERS, after=after, statuses=statuses or None))["orders"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


@asynccontextmanager
async def _subscribed(address: str, key: str, after: str) -> AsyncIterator[ClientConnection]:
    """A socket on which every change of an allocation status after the cursor arrives."""
    url = address.replace("http", "ws", 1)
    async with connect(url, subprotocols=["graphql-transport-ws"], compression=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": WATCH, "variables": {"after": after}}
        await socket.send(json.dumps({"type": "subscribe", "id": "watch", "payload": payload}))
        yield socket


async def _watch_the_day(address: str, key: str, once: bool) -> bool:
    """Whether the server shall keep serving."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        api = Api(client, address)
        await _start_over(api)
        orders = await _orders(api)
        after = (await api("{ eventCursor }"))["eventCursor"]
        console.print(f"\nAllocating {len(orders)} orders, oldest first; watched over a subscription:", style="bold")
        async with _subscribed(address, key, after) as socket:
            seeing = asyncio.create_task(_see(socket, sum(order["allocationStatus"] is not None for order in orders)))
            await _allocate(api, orders)
            await asyncio.wait_for(seeing, WATCH_SECONDS_MAX)
        await _show_outcome(api)
        await _show_link(api)
    if once:
        return False
    console.print(f"\nExplorer  {address}#key={quote(key, safe='')}", markup=False)
    console.print(f"API       {address}", markup=False)
    console.print(f"API key   {key}", markup=False)
    console.print("\nServing until Ctrl-C.", style="dim")
    await asyncio.Event().wait()
    return True


async def _start_over(api: Api) -> None:
    """Give back what an earlier demo allocated, so that this one can be watched as well."""
    everything = await _orders(api)
    touched = [{"id": order["id"]} for order in everything if order["allocationStatus"] not in (None, "UNALLOCATED")]
    if touched:
        await api(DEALLOCATE, orders=touched, key=secrets.token_hex(16))


async def _allocate(api: Api, orders: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(orders), ORDERS_A_BATCH):
        batch = [{"order": {"id": order["id"]}} for order in orders[start : start + ORDERS_A_BATCH]]
        await api(ALLOCATE, orders=batch, key=secrets.token_hex(16))
        await asyncio.sleep(PAUSE_SECONDS)


async def _see(socket: ClientConnection, expected: int) -> None:
    """Print the changes as they arrive."""
    for _ in range(expected):
        message = json.loads(await socket.recv())
        while message["type"] == "ping":
            await socket.send(json.dumps({"type": "pong"}))
            message = json.loads(await socket.recv())
        assert message["type"] == "next", message
        event = message["payload"]["data"]["allocationStatusChanged"]
        style = STYLES[event["after"]]
        console.print(
            f"  {event['orderNumber']:<8} {event['before']} → [{style}]{event['after']}[/] ({event['cause']})"
        )


async def _show_outcome(api: Api) -> None:
    counts = (await api(COUNTS))["orderCounts"]["byAllocationStatus"]
    meaning = {
        "ALLOCATED": "everything is set aside: ready to ship",
        "PARTIALLY_ALLOCATED": "some of it is set aside: split the order, or wait",
        "COULD_NOT_ALLOCATE": "nothing could be set aside: restock, or change the order",
        "OVERALLOCATED": "stock that was set aside is gone: a person must look",
        "UNALLOCATED": "no run has looked at it",
    }
    console.print()
    rows = [(one["status"], one["count"], meaning[one["status"]]) for one in counts if one["count"]]
    table("The day, allocated", ("allocation status", "orders", "what it means"), rows)
    for status in ("COULD_NOT_ALLOCATE", "PARTIALLY_ALLOCATED"):
        for order in (await _orders(api, status))[:2]:
            await _show_short((await api(SHORT, by={"id": order["id"]}))["order"])


async def _show_link(api: Api) -> None:
    """What the customer of an order that is allocated sees; or whoever has the link."""
    order = (await _orders(api, "ALLOCATED"))[0]
    link = (await api(LINK, by={"id": order["id"]}))["order"]["trackingUrl"]
    console.print(f"\nOrder {order['number']}, as its customer follows it:", style="bold")
    console.print(f"  {link}", markup=False, soft_wrap=True)


async def _show_short(order: dict[str, Any]) -> None:
    console.print(f"\nWhy order {order['number']} is {order['allocationStatus']}:", style="bold")
    short = [line for line in order["lines"] if line["allocated"] < line["open"]]
    for line in short[:3]:
        levels = line["item"]["levels"]
        where = ", ".join(
            f"{level['location']['name']} {level['onHand']} on hand, {level['committed']} set aside" for level in levels
        )
        missing = line["open"] - line["allocated"]
        console.print(
            f"  {missing} of {line['open']} short: {line['item']['name']} ({line['sku']}): {where}", markup=False
        )
    if len(short) > 3:
        console.print(f"  … and {len(short) - 3} more lines")
