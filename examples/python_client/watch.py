"""Watch allocation statuses over a line that breaks, and miss nothing: go on after the last cursor that was seen.

    pip install websockets
    DIBS_KEY=dibs_… python watch.py --until 30

It cuts its own line every few events. At the end it compares what it saw with the log.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

WATCH = """subscription ($after: String) {
  allocationStatusChanged(after: $after) { cursor orderNumber before after cause }
}"""
LOG = """query ($after: String) {
  events(filter: {types: ["AllocationStatusChanged"]}, after: $after, first: 100) {
    edges { cursor } pageInfo { hasNextPage endCursor }
  }
}"""
RETRY_SECONDS = 0.5
EVENTS_BETWEEN_CUTS_MAX = 10
REFUSED = range(4400, 4500)
"""Codes with which a server closes that would close the next connection too."""


class Refused(Exception):
    """Trying again would not help."""


class Dibs:
    """The API, over WebSockets with the protocol graphql-transport-ws."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    async def ask(self, query: str, **variables: object) -> dict:
        """The data that answers a query."""
        async with self._socket() as socket, aclosing(self._run(socket, query, variables)) as answers:
            async for data in answers:
                return data
        raise Refused("no answer")

    async def follow(self, query: str, after: str) -> AsyncIterator[tuple[dict, ClientConnection]]:
        """Events after the cursor, over as many connections as it takes; each with the one that it came by."""
        while True:
            try:
                async with self._socket() as socket, aclosing(self._run(socket, query, {"after": after})) as answers:
                    async for data in answers:
                        (event,) = data.values()
                        after = event["cursor"]
                        yield event, socket
            except (OSError, InvalidHandshake) as error:
                print(f"  no connection: {error}")
            except ConnectionClosed as closed:
                if closed.rcvd and closed.rcvd.code in REFUSED:
                    raise Refused(f"{closed.rcvd.code} {closed.rcvd.reason}") from None
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        async with connect(self._url, subprotocols=["graphql-transport-ws"]) as socket:
            await send(socket, type="connection_init", payload={"authorization": f"Bearer {self._key}"})
            await socket.recv()  # connection_ack, or else it is closed
            yield socket

    async def _run(self, socket: ClientConnection, query: str, variables: dict) -> AsyncIterator[dict]:
        """What one operation answers, until it is complete or the line is gone."""
        await send(socket, type="subscribe", id="1", payload={"query": query, "variables": variables})
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "ping":
                await send(socket, type="pong")
            elif message["type"] == "complete":
                return
            elif message["type"] == "error" and code_of(message["payload"]) == "TOO_SLOW":
                return  # we did not keep up; the next connection goes on where this one stopped
            elif message["type"] == "error" or "errors" in message.get("payload", {}):
                raise Refused(json.dumps(message["payload"]))
            elif message["type"] == "next":
                yield message["payload"]["data"]


def code_of(errors: list[dict]) -> str | None:
    return errors[0].get("extensions", {}).get("code")


async def send(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def log(dibs: Dibs, after: str) -> list[str]:
    """The cursors of every such event in the log, oldest first."""
    found: list[str] = []
    more = True
    while more:
        page = (await dibs.ask(LOG, after=after))["events"]
        found += [edge["cursor"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found


async def watch(dibs: Dibs, until: int | None) -> bool:
    """Whether nothing was missed."""
    start = (await dibs.ask("{ eventCursor }"))["eventCursor"]
    print(f"watching from {start}", flush=True)
    seen: list[str] = []
    cuts, next_cut = 0, random.randint(1, EVENTS_BETWEEN_CUTS_MAX)
    async with aclosing(dibs.follow(WATCH, start)) as events:
        async for event, socket in events:
            seen.append(event["cursor"])
            print(f"  {event['orderNumber']}  {event['before']} → {event['after']} ({event['cause']})", flush=True)
            if len(seen) == until:
                break
            if len(seen) == next_cut:
                cuts, next_cut = cuts + 1, next_cut + random.randint(1, EVENTS_BETWEEN_CUTS_MAX)
                print("  ✂ the line is cut", flush=True)
                socket.transport.abort()
    logged = (await log(dibs, start))[: len(seen)]
    print(f"{len(seen)} events over {cuts + 1} connections, {len(logged)} in the log:", end=" ")
    print("nothing missing, nothing twice." if seen == logged else "NOT THE SAME.")
    return seen == logged


def main() -> None:
    parser = argparse.ArgumentParser(description="Watch allocation statuses over a line that breaks.")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/graphql")
    parser.add_argument("--key", default=os.environ.get("DIBS_KEY"), help="an API key; DIBS_KEY when absent")
    parser.add_argument("--until", type=int, help="how many events to watch; for ever when absent")
    given = parser.parse_args()
    try:
        whole = asyncio.run(watch(Dibs(given.url, given.key or ""), given.until))
    except (Refused, WebSocketException, OSError) as error:
        sys.exit(f"Dibs does not answer: {error}")
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
