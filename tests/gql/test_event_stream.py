"""Server-sent events: graphql-sse on the same address, for clients that have no WebSocket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gql import event_stream, execution, outbox
from gql.accept import EVENT_STREAM, JSON, RESPONSE_JSON, preferred
from gql.schema.events import log_cursor
from services.credentials import create_key
from tests.builders import a_catalog, placed
from tests.gql.serving import KNOWN, SECONDS_MAX, Served, all_numbered, cut_after, serving, until

ORDERS = "subscription ($after: String) { orderChanged(after: $after) { orderNumber } }"
STREAM = {"accept": EVENT_STREAM}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as served:
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        yield served
        await until(lambda: served.hub.subscribers == 0)


@dataclass
class Stream:
    """A client that reads an event stream as it comes."""

    response: httpx.Response
    pieces: AsyncIterator[bytes]
    read: bytes = b""

    async def message(self) -> bytes:
        """The next one, with the blank line behind it; nothing where the stream has ended."""
        async with asyncio.timeout(SECONDS_MAX):
            while b"\n\n" not in self.read:
                piece = await anext(self.pieces, None)
                if piece is None:
                    assert self.read == b""
                    return b""
                self.read += piece
        found, _, self.read = self.read.partition(b"\n\n")
        return found + b"\n\n"

    async def number(self) -> str:
        """The number of the order of the next event."""
        while (message := await self.message()) == event_stream.KEEP_ALIVE:
            pass
        data = message.partition(b"\ndata: ")[2]
        number: str = json.loads(data)["data"]["orderChanged"]["orderNumber"]
        return number

    async def error(self) -> Any:
        """The only error with which the stream ends."""
        kind, _, data = (await self.message()).partition(b"\ndata: ")
        assert kind == b"event: next"
        (error,) = json.loads(data)["errors"]
        assert await self.message() == b"event: complete\ndata:\n\n"
        assert await self.message() == b""
        return error


@asynccontextmanager
async def streaming(
    served: Served, query: str, headers: dict[str, str] | None = None, **variables: Any
) -> AsyncIterator[Stream]:
    given = {"authorization": f"Bearer {served.key}", **STREAM, **(headers or {})}
    body = {"query": query, "variables": variables}
    async with served.client.stream("POST", "/graphql", json=body, headers=given) as response:
        assert response.status_code == 200
        yield Stream(response, response.aiter_raw())


async def place(served: Served, number: str) -> None:
    await placed(served.database, KNOWN, {"CHAIR": 1}, number=number)


async def place_numbered(served: Served, *numbers: str) -> None:
    for number in numbers:
        await place(served, number)
    await all_numbered(served.database)


# ---------------------------------------------------------------- the protocol


async def test_events_are_framed_as_the_protocol_says_to_the_byte(served: Served):
    async with streaming(served, ORDERS) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-cache"
        await until(lambda: served.hub.subscribers == 1)
        await place(served, "A1")
        await place(served, "Ä\n2")

        assert await stream.message() == (
            f"event: next\nid: {log_cursor(1)}\n".encode() + b'data: {"data":{"orderChanged":{"orderNumber":"A1"}}}\n\n'
        )
        assert await stream.message() == (
            f"event: next\nid: {log_cursor(2)}\n".encode()
            + 'data: {"data":{"orderChanged":{"orderNumber":"Ä\\n2"}}}\n\n'.encode()
        )


async def test_a_subscription_that_ends_by_itself_is_complete(served: Served):
    run = (await served.mutate("startAllocationRun", "... on StartAllocationRunSuccess { run { id } }", filter={}))[
        "run"
    ]
    watch = """subscription ($run: ID!, $after: String) {
      allocationRunProgressed(run: $run, after: $after) { run { state } }
    }"""
    async with streaming(served, watch, run=run["id"], after=log_cursor(0)) as stream:
        messages = []
        while message := await stream.message():
            messages.append(message)

    assert messages[-1] == b"event: complete\ndata:\n\n"
    assert b'"state":"SUCCEEDED"' in messages[-2]
    async with streaming(served, watch, run=run["id"]) as stream:
        assert [await stream.message(), await stream.message()] == messages[-2:]
    before_the_last = {"last-event-id": log_cursor(0)}
    async with streaming(served, watch, before_the_last, run=run["id"]) as stream:
        assert [await stream.message() for _ in messages] == messages


@pytest.mark.parametrize("query", ["{ eventCursor }", '{ eventCursor missing: item(by: {sku: "NO"}) { sku } }'])
async def test_a_query_may_be_answered_as_a_stream(served: Served, query: str):
    response = await served.post({"query": query}, **STREAM)
    answer = (await served.post({"query": query})).text

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.text == f"event: next\ndata: {answer}\n\nevent: complete\ndata:\n\n"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ('subscription { orderChanged(after: "rubbish") { id } }', "BAD_USER_INPUT"),
        (f'subscription {{ orderChanged(after: "{log_cursor(10**9)}") {{ id }} }}', "BAD_USER_INPUT"),
        ('subscription { allocationRunProgressed(run: "rubbish") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_a_subscription_that_is_refused_says_so_on_the_stream(served: Served, query: str, code: str):
    async with streaming(served, query) as stream:
        assert (await stream.error())["extensions"]["code"] == code


async def test_a_request_without_a_valid_key_is_refused_before_there_is_a_stream(served: Served):
    response = await served.post({"query": ORDERS}, authorization="Bearer wrong", **STREAM)

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_silent_stream_is_kept_alive(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.05)
    async with streaming(served, ORDERS) as stream:
        assert await stream.message() == b":\n\n"
        assert await stream.message() == b":\n\n"
        await place(served, "A1")
        while (message := await stream.message()) == b":\n\n":
            pass
        assert b"A1" in message


# ---------------------------------------------------------------- what the client prefers


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", None),
        ("text/html", None),
        ("text/event-stream", EVENT_STREAM),
        ("Text/Event-Stream", EVENT_STREAM),
        ("text/event-stream; charset=utf-8", EVENT_STREAM),
        ("application/json, text/event-stream", JSON),
        ("text/event-stream, application/json", EVENT_STREAM),
        ("text/event-stream;q=0.9, application/json", JSON),
        ("text/event-stream;q=0.9, application/json;q=0.8", EVENT_STREAM),
        ("text/event-stream; q=0.5 , application/json ; q=0.5", EVENT_STREAM),
        ("application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.1", RESPONSE_JSON),
        ("application/json;q=0.1, application/graphql-response+json", RESPONSE_JSON),
        ("application/json, application/graphql-response+json", JSON),
        ("text/event-stream;q=0", None),
        ("text/event-stream;q=0, */*;q=0.1", JSON),
        ("application/json;q=0, */*, text/event-stream;q=0.2", EVENT_STREAM),
        ("*/*, text/event-stream", JSON),
        ("text/event-stream;q=nonsense, application/json", EVENT_STREAM),
        ("text/event-stream;q=-1, application/json;q=7", JSON),
        (",,;q=1, text/event-stream", EVENT_STREAM),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str, expected: str | None):
    assert preferred(accept, (JSON, RESPONSE_JSON, EVENT_STREAM)) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", JSON),
        ("application/json, text/event-stream", JSON),
        ("text/event-stream;q=0.1, application/graphql-response+json", RESPONSE_JSON),
        ("text/event-stream, application/json", EVENT_STREAM),
    ],
)
async def test_a_query_is_answered_as_the_client_prefers(served: Served, accept: str, expected: str):
    response = await served.post({"query": "{ eventCursor }"}, accept=accept)

    assert response.headers["content-type"] == f"{expected}; charset=utf-8"


async def test_a_subscription_is_a_stream_for_whoever_takes_one_at_all(served: Served):
    async with streaming(served, ORDERS, {"accept": "application/json, text/event-stream;q=0.1"}) as stream:
        await until(lambda: served.hub.subscribers == 1)
        await place(served, "A1")
        assert await stream.number() == "A1"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream;q=0"])
async def test_a_subscription_is_refused_where_no_stream_is_asked_for(served: Served, accept: str):
    response = await served.post({"query": ORDERS}, accept=accept)

    assert response.status_code == 400
    assert "text/event-stream" in response.json()["errors"][0]["message"]


# ---------------------------------------------------------------- nothing is missed


async def test_a_client_that_comes_back_with_the_id_of_its_last_event_misses_nothing(served: Served):
    await place_numbered(served, "1", "2", "3")
    async with streaming(served, ORDERS, {"last-event-id": log_cursor(1)}) as stream:
        assert [await stream.number(), await stream.number()] == ["2", "3"]
        await place(served, "4")
        assert await stream.number() == "4"


async def test_a_start_that_the_subscription_gives_wins_over_the_header(served: Served):
    await place_numbered(served, "1", "2", "3")
    async with streaming(served, ORDERS, {"last-event-id": log_cursor(0)}, after=log_cursor(2)) as stream:
        assert await stream.number() == "3"


async def test_a_last_event_that_is_none_of_ours_is_refused(served: Served):
    async with streaming(served, ORDERS, {"last-event-id": "42"}) as stream:
        assert (await stream.error())["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_cursor_that_is_too_old_ends_the_stream_with_the_newest_one(served: Served):
    await place_numbered(served, "1", "2", "3")
    await cut_after(served, 2)

    async with streaming(served, ORDERS, after=log_cursor(1)) as stream:
        error = await stream.error()

    assert error["extensions"] == {"code": "CURSOR_EXPIRED", "cursor": log_cursor(3)}


async def test_streams_and_sockets_share_one_execution(served: Served, monkeypatch: pytest.MonkeyPatch):
    executed = []
    execute = execution.execute_subscription_event
    monkeypatch.setattr(
        execution, "execute_subscription_event", lambda executor: executed.append(executor) or execute(executor)
    )
    async with served.socket() as client, streaming(served, ORDERS) as one, streaming(served, ORDERS) as other:
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 3)
        assert served.hub.streams == 1
        await place(served, "A1")

        assert await one.number() == await other.number() == "A1"
        assert (await client.next("1"))["orderChanged"]["orderNumber"] == "A1"
    assert len(executed) == 1


# ---------------------------------------------------------------- how a stream ends


async def test_a_client_that_leaves_leaves_nothing_behind(served: Served):
    tasks = len(asyncio.all_tasks())
    async with streaming(served, ORDERS):
        await until(lambda: served.hub.subscribers == 1)

    await until(lambda: served.hub.subscribers == 0)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_a_server_that_stops_cuts_streams_off_and_the_next_one_goes_on(database_url: str):
    async with serving(database_url) as served:
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        async with streaming(served, ORDERS) as stream:
            await until(lambda: served.hub.subscribers == 1)
            await place(served, "1")
            last = (await stream.message()).partition(b"id: ")[2].partition(b"\n")[0].decode()
            await served.server.shutdown()
            assert await stream.message() == b"", "no `complete`: the client shall come back"
    async with serving(database_url) as served:
        await place(served, "2")
        async with streaming(served, ORDERS, {"last-event-id": last}) as stream:
            assert await stream.number() == "2"


async def test_a_stream_whose_key_is_replaced_is_cut_off_and_told_nothing_more(served: Served):
    name = "somebody"
    _, served.key = await create_key(served.database, name)
    async with streaming(served, ORDERS) as stream:
        await until(lambda: served.hub.subscribers == 1)
        await create_key(served.database, name)

        assert await stream.message() == b""
    await place(served, "after")
    assert served.hub.subscribers == 0


async def test_a_stream_that_is_not_read_is_told_where_it_was_and_nobody_else_waits(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MESSAGES_MAX", 20)
    monkeypatch.setattr("gql.limits.ALIASES_MAX", 300)
    wide = " ".join(f"number_{index}: orderNumber" for index in range(250))
    query = json.dumps({"query": f"subscription {{ orderChanged {{ orderNumber {wide} }} }}"}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(query)}\r\n\r\n"
    )
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(narrow, ("127.0.0.1", served.port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=4_096)
    await until(lambda: bool(served.server.server_state.connections))
    for other in served.server.server_state.connections:
        other.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    writer.write(head.encode() + query)
    async with streaming(served, ORDERS) as quick:
        await until(lambda: served.hub.subscribers == 2)
        numbers = 0
        while served.hub.subscribers == 2:
            numbers += 1
            await place(served, str(numbers))
            assert await quick.number() == str(numbers)
            assert numbers < 300

        seen, error = [], {}
        async with asyncio.timeout(SECONDS_MAX):
            await reader.readuntil(b"\r\n\r\n")
            body = b""
            while b"event: complete" not in body:
                body += await reader.read(4_096)
        writer.close()
        plain = b"".join(body.split(b"\r\n")[1::2])
        for message in plain.split(b"\n\n"):
            kind, _, data = message.partition(b"\ndata: ")
            if kind == b"event: next":
                (error,) = json.loads(data)["errors"]
            elif kind.startswith(b"event: next"):
                seen.append(json.loads(data)["data"]["orderChanged"]["orderNumber"])
        assert seen == [str(number) for number in range(1, len(seen) + 1)]
        assert 20 <= len(seen) < numbers
        assert error["extensions"] == {"code": "TOO_SLOW", "cursor": log_cursor(len(seen))}
