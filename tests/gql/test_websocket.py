"""The door for subscriptions: the protocol graphql-transport-ws, spoken by a client of another library."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from gql import line, websocket
from gql.schema.events import log_cursor
from services.credentials import create_key
from tests.builders import a_catalog, placed
from tests.gql.proxy import proxied
from tests.gql.serving import KNOWN, PROTOCOL, Served, serving, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS = "subscription ($after: String) { orderChanged(after: $after) { cursor orderNumber } }"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nobody_is_left(api: Served) -> AsyncIterator[None]:
    """After every test the feed has no subscriber."""
    yield
    await until(lambda: api.hub.subscribers == 0)


# ---------------------------------------------------------------- the protocol


async def test_a_client_that_introduces_itself_is_acknowledged(api: Served):
    for name in ("authorization", "Authorization"):
        async with api.socket(init={name: f"Bearer {api.key}"}) as client:
            assert client.connection.subprotocol == PROTOCOL


@pytest.mark.parametrize("offered", [(), ("graphql-ws",), ("GRAPHQL-TRANSPORT-WS",), ("mqtt", "soap")])
async def test_another_subprotocol_is_not_acceptable(api: Served, offered: tuple[str, ...]):
    async with api.socket(init=None, subprotocols=offered) as client:
        assert await client.closed() == (4406, "Subprotocol not acceptable")


async def test_the_protocol_is_found_among_others(api: Served):
    async with api.socket(subprotocols=("graphql-ws", PROTOCOL)) as client:
        assert client.connection.subprotocol == PROTOCOL


@pytest.mark.parametrize(
    "frame",
    [
        "rubbish",
        "",
        "null",
        "5",
        "[]",
        '"ping"',
        "{}",
        '{"type": null}',
        '{"type": 5}',
        '{"type": "nonsense"}',
        '{"type": "next", "id": "1"}',
        '{"type": "connection_ack"}',
        '{"type": "ping", "payload": 5}',
        '{"type": "pong", "payload": []}',
        '{"type": "ping", "payload": {"a": "\\ud800"}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": ""}',
        '{"type": "subscribe", "id": 5}',
        '{"type": "complete"}',
        '{"type": "ping"} {"type": "ping"}',
        "[" * 60_000,
        '{"type": "ping", "payload": ' + '{"a": ' * 900 + "1" + "}" * 901,
        b'{"type": "ping"}',
        b"\x00\xff",
    ],
    ids=lambda frame: repr(frame[:30]),
)
async def test_a_malformed_frame_costs_one_clean_close(
    api: Served, frame: str | bytes, caplog: pytest.LogCaptureFixture
):
    async with api.socket() as client:
        await client.connection.send(frame)

        code, reason = await client.closed()

    assert code == 4400
    assert reason
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


async def test_a_frame_that_is_no_text_at_all_is_closed(api: Served, caplog: pytest.LogCaptureFixture):
    async with api.socket() as client:
        await client.connection.send(b"\xff\xfe", text=True)

        assert (await client.closed())[0] == 1007
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("payload", [5, [], "Bearer x", True])
async def test_an_introduction_that_is_no_object_is_malformed(api: Served, payload: Any):
    async with api.socket(init=None) as client:
        await client.send(type="connection_init", payload=payload)
        assert (await client.closed())[0] == 4400


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"authorization": None}, {"authorization": "Bearer wrong"}, {"authorization": 5}, {"key": "x"}],
)
async def test_a_client_without_a_valid_key_is_forbidden(api: Served, payload: Any):
    async with api.socket(init=None) as client:
        await client.send(type="connection_init", payload=payload)
        assert await client.closed() == (4403, "Forbidden")


async def test_a_client_that_does_not_introduce_itself_is_closed_in_time(api: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line, "INIT_SECONDS_MAX", 0.1)
    async with api.socket(init=None) as client:
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_a_client_that_introduced_itself_may_take_its_time(api: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line, "INIT_SECONDS_MAX", 0.1)
    async with api.socket() as client:
        await asyncio.sleep(0.15)
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}


async def test_nothing_is_executed_before_the_introduction(api: Served):
    async with api.socket(init=None) as client:
        await client.subscribe("1", "{ eventCursor }")
        assert await client.closed() == (4401, "Unauthorized")


async def test_a_second_introduction_is_one_too_many(api: Served):
    async with api.socket() as client:
        await client.send(type="connection_init")
        assert await client.closed() == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("operation", ["1", "💥" * 100])
async def test_two_operations_of_one_id_close_the_socket(api: Served, operation: str):
    async with api.socket() as client:
        await client.subscribe(operation, ORDERS)
        await client.subscribe(operation, ORDERS)

        code, reason = await client.closed()

    assert code == 4409
    assert f"Subscriber for {operation[:20]}" in reason


async def test_an_id_may_be_used_again_once_its_operation_is_over(api: Served):
    async with api.socket() as client:
        for _ in range(3):
            await client.subscribe("1", "{ eventCursor }")
            await client.next("1")
            assert await client.receive() == {"type": "complete", "id": "1"}
        await client.subscribe("1", ORDERS)
        await client.send(type="complete", id="1")
        await client.subscribe("1", "{ eventCursor }")
        await client.next("1")


async def test_pings_are_answered_before_and_after_the_introduction(api: Served):
    async with api.socket(init=None) as client:
        await client.send(type="ping", payload={"a": 1})
        assert await client.receive() == {"type": "pong", "payload": {"a": 1}}
        await client.send(type="connection_init", payload={"authorization": f"Bearer {api.key}"})
        assert await client.receive() == {"type": "connection_ack"}
        await client.send(type="pong")
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}


async def test_a_frame_may_have_64_kilobytes_and_no_more(api: Served):
    async with api.socket() as client:
        frame = json.dumps({"type": "ping", "payload": {"a": "x" * 63_900}})
        await client.connection.send(frame)
        assert (await client.receive())["type"] == "pong"
        await client.connection.send(frame.replace("x", "x" * 2))
        assert (await client.closed())[0] == 1009


async def test_messages_that_come_in_fragments_are_put_together(api: Served):
    async with api.socket() as client:
        await client.connection.send(['{"type":', ' "ping"', "}"])
        assert await client.receive() == {"type": "pong"}


# ---------------------------------------------------------------- operations


async def test_queries_and_mutations_work_over_the_socket(api: Served):
    async with api.socket() as client:
        await client.subscribe("q", "{ channels { code } }")
        assert await client.next("q") == {"channels": []}
        assert await client.receive() == {"type": "complete", "id": "q"}

        await client.subscribe(
            "m",
            """mutation ($input: SaveItemsInput!) {
              saveItems(input: $input) { ... on SaveItemsSuccess { items { sku } } }
            }""",
            input={"items": [{"sku": "LAMP", "name": "Lamp"}]},
        )
        assert await client.next("m") == {"saveItems": {"items": [{"sku": "LAMP"}]}}
        assert await client.receive() == {"type": "complete", "id": "m"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "BAD_USER_INPUT"),
        (5, "BAD_USER_INPUT"),
        ({}, "BAD_USER_INPUT"),
        ({"query": "{ eventCursor }", "variables": []}, "BAD_USER_INPUT"),
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nonsense }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { eventCursor } query B { eventCursor }"}, "BAD_USER_INPUT"),
        ({"query": "subscription { orderChanged { id } stockLevelChanged { id } }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": 'subscription { orderChanged(after: "x") { id } }'}, "BAD_USER_INPUT"),
        ({"query": 'subscription { orderChanged(filter: {skus: ["\\u0000"]}) { id } }'}, "BAD_USER_INPUT"),
        ({"query": ORDERS, "variables": {"after": 5}}, "BAD_USER_INPUT"),
        ({"query": ORDERS, "variables": {"after": log_cursor(10**9)}}, "BAD_USER_INPUT"),
        ({"query": ORDERS, "variables": {"after": log_cursor(2**63 - 1)}}, "BAD_USER_INPUT"),
    ],
)
async def test_a_bad_operation_ends_itself_and_not_the_socket(api: Served, payload: Any, code: str):
    async with api.socket() as client:
        await client.send(type="subscribe", id="bad", payload=payload)
        message = await client.receive()

        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert message["id"] == "bad"
        assert errors[0]["extensions"]["code"] == code

        if message["type"] == "next":
            assert await client.receive() == {"type": "complete", "id": "bad"}
        await client.subscribe("good", "{ eventCursor }")
        assert await client.next("good")


async def test_a_mistake_of_ours_ends_the_operation_masked(
    api: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def broken(*_: object) -> None:
        raise RuntimeError("not for you")

    monkeypatch.setattr(api.feed, "refuse_unknown", broken)
    async with api.socket() as client:
        await client.subscribe("1", ORDERS, after=log_cursor(0))
        error = await client.error("1")

        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "not for you" not in str(error)
        assert error["extensions"]["correlationId"] in caplog.text
        await client.subscribe("2", "{ eventCursor }")
        assert await client.next("2")


async def test_a_socket_runs_twenty_operations_at_once(api: Served):
    async with api.socket() as client:
        for number in range(websocket.OPERATIONS_MAX):
            await client.subscribe(str(number), ORDERS)
        await until(lambda: api.hub.subscribers == websocket.OPERATIONS_MAX)

        await client.subscribe("more", ORDERS)
        assert (await client.error("more"))["extensions"]["code"] == "BAD_USER_INPUT"

        await client.send(type="complete", id="3")
        await until(lambda: api.hub.subscribers == websocket.OPERATIONS_MAX - 1)
        await client.subscribe("more", "{ eventCursor }")
        assert await client.next("more")


async def test_a_completed_subscription_leaves_nothing_behind(api: Served):
    async with api.socket() as client:
        for operation in "abc":
            await client.subscribe(operation, ORDERS)
        await until(lambda: api.hub.subscribers == 3)

        await client.send(type="complete", id="b")
        await until(lambda: api.hub.subscribers == 2)
        await a_catalog(api.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        await placed(api.database, KNOWN, {"CHAIR": 1})
        assert {(await client.receive())["id"] for _ in range(2)} == {"a", "c"}

        await client.send(type="complete", id="a")
        await client.send(type="complete", id="c")
        await client.send(type="complete", id="never was")
        await until(lambda: api.hub.subscribers == 0)


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_vanishes_leaves_nothing_behind(api: Served, politely: bool):
    tasks = len(asyncio.all_tasks())
    async with api.socket() as client:
        for operation in range(5):
            await client.subscribe(str(operation), ORDERS)
        await until(lambda: api.hub.subscribers == 5)

        if politely:
            await client.connection.close()
        else:
            client.connection.transport.abort()
        await until(lambda: api.hub.subscribers == 0)

    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: not api.server.server_state.tasks)


@pytest.mark.asyncio(loop_scope="function")
async def test_the_server_says_goodbye_when_it_stops(database_url: str):
    async with serving(database_url) as served, served.socket() as client:
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 1)
        await served.server.shutdown()

        assert (await client.closed())[0] == 1012


@pytest.mark.asyncio(loop_scope="function")
async def test_a_socket_without_its_database_is_asked_to_try_again(database_url: str):
    async with proxied(database_url) as (proxy, url), serving(url) as served, served.socket(init=None) as client:
        await proxy.cut()

        await client.send(type="connection_init", payload={"authorization": f"Bearer {served.key}"})

        assert await client.closed() == (1013, "Try again later")


# ---------------------------------------------------------------- clients that are gone, and keys that are


async def test_a_client_that_is_silent_is_asked_and_one_that_answers_stays(
    api: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(line, "SILENCE_SECONDS_MAX", 0.05)
    async with api.socket() as client:
        for _ in range(line.PINGS_MAX + 2):
            assert await client.receive() == {"type": "ping"}
            await client.send(type="pong")


async def test_a_client_that_answers_no_ping_is_closed(api: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line, "SILENCE_SECONDS_MAX", 0.05)
    async with api.socket() as client:
        await client.subscribe("1", ORDERS)
        for _ in range(line.PINGS_MAX):
            assert await client.receive() == {"type": "ping"}
        assert await client.closed() == (1008, "No answer to pings")


async def test_a_socket_whose_key_is_replaced_is_closed_and_told_nothing_more(api: Served):
    """I19. Other keys are left alone, and one query looks after all of them."""
    name = "somebody with a key"
    _, old = await create_key(api.database, name)
    async with api.socket(init={"authorization": f"Bearer {old}"}) as client, api.socket() as other:
        await client.subscribe("1", ORDERS)
        await other.subscribe("1", ORDERS)
        await until(lambda: api.hub.subscribers == 2)
        _, new = await create_key(api.database, name)

        assert await client.closed() == (4403, "Forbidden")
        await a_catalog(api.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        await placed(api.database, KNOWN, {"CHAIR": 1}, number=api.unique("after"))
        assert await other.next("1")
        with pytest.raises(ConnectionClosed):
            await client.receive()
    async with api.socket(init={"authorization": f"Bearer {new}"}):
        pass


@pytest.mark.asyncio(loop_scope="function")
async def test_what_a_stopping_server_did_not_deliver_is_there_after_the_cursor(database_url: str):
    """1012 asks the client to come back; it goes on behind the last event that it saw."""
    async with serving(database_url) as served, served.socket() as client:
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 1)
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="1")
        seen = (await client.next("1"))["orderChanged"]
        await served.server.shutdown()
        assert (await client.closed())[0] == 1012
    async with serving(database_url) as served:
        for number in "23":
            await placed(served.database, KNOWN, {"CHAIR": 1}, number=number)
        async with served.socket() as client:
            await client.subscribe("1", ORDERS, after=seen["cursor"])
            assert [(await client.next("1"))["orderChanged"]["orderNumber"] for _ in "23"] == ["2", "3"]
