"""Execute once, send many: who asks for the same is told the same bytes, and nobody else is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gql import execution
from gql.context import Context
from gql.execution import Executor, Operation
from gql.schema.events import log_cursor
from gql.streams import Wanted
from gql.watching import Shape, shape
from services.callers import Visibility
from tests.builders import a_catalog, placed
from tests.gql.serving import KNOWN, PROTOCOL, Served, Socket, serving, until

ORDERS = """
    subscription ($filter: EventFilter, $after: String) {
      orderChanged(filter: $filter, after: $after) { cursor orderNumber order { number } }
    }"""


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as served:
        await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
        yield served
        await until(lambda: served.hub.streams == 0)


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every execution of a subscription for an event."""
    found: list[object] = []
    execute = execution.execute_subscription_event

    def counted(executor: Any) -> Any:
        found.append(executor)
        return execute(executor)

    monkeypatch.setattr(execution, "execute_subscription_event", counted)
    return found


# ---------------------------------------------------------------- over the wire


async def test_one_event_is_executed_once_for_all_who_ask_the_same_and_each_is_told_under_its_own_id(
    served: Served, executions: list[object]
):
    async with served.socket() as one, served.socket() as other:
        for client, operation in ((one, "1"), (one, "a second"), (other, "1"), (other, '"\\ 💥')):
            await client.subscribe(operation, ORDERS, filter={"channels": ["SHOP"]}, after=None)
        await until(lambda: served.hub.subscribers == 4)
        assert served.hub.streams == 1
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="A1")

        seen = [await client.receive() for client in (one, one, other, other)]

    assert sorted(message["id"] for message in seen) == sorted(["1", "a second", "1", '"\\ 💥'])
    payloads = [message["payload"] for message in seen]
    assert payloads[0]["data"]["orderChanged"]["order"] == {"number": "A1"}
    assert payloads == [payloads[0]] * 4
    assert len(executions) == 1


async def test_other_variables_and_other_selections_are_executed_for_themselves(
    served: Served, executions: list[object]
):
    async with served.socket() as client:
        await client.subscribe("1", ORDERS, filter={"channels": ["SHOP"]})
        await client.subscribe("2", ORDERS, filter={"channels": ["SHOP", "WEB"]})
        await client.subscribe("3", ORDERS)
        await client.subscribe("4", "subscription { orderChanged { orderNumber } }")
        await until(lambda: served.hub.subscribers == 4)
        assert served.hub.streams == 4
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="A1")

        seen = {message["id"]: message["payload"]["data"] for message in [await client.receive() for _ in range(4)]}

    assert seen["4"] == {"orderChanged": {"orderNumber": "A1"}}
    assert len(seen) == len(executions) == 4


async def test_where_a_subscription_began_does_not_matter_once_it_is_live(served: Served, executions: list[object]):
    """However it was said: by a variable, or in the document."""
    for number in ("1", "2"):
        await placed(served.database, KNOWN, {"CHAIR": 1}, number=number)
    await until(lambda: served.feed.position == 2)
    literal = 'subscription { orderChanged(after: "%s") { orderNumber } }'
    variable = "subscription ($after: String) { orderChanged(after: $after) { orderNumber } }"

    async def numbers(client: Socket, operation: str, count: int) -> list[str]:
        return [(await client.next(operation))["orderChanged"]["orderNumber"] for _ in range(count)]

    async with served.socket() as client:
        await client.subscribe("all", literal % log_cursor(0))
        assert await numbers(client, "all", 2) == ["1", "2"]
        await client.subscribe("last", literal % log_cursor(1))
        assert await numbers(client, "last", 1) == ["2"]
        await client.subscribe("var", variable, after=log_cursor(1))
        assert await numbers(client, "var", 1) == ["2"]
        await client.subscribe("now", variable)
        await until(lambda: served.hub.subscribers == 4)
        assert served.hub.streams == 1
        executions.clear()
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="3")

        seen = [await client.receive() for _ in range(4)]

    assert {message["id"] for message in seen} == {"all", "last", "var", "now"}
    assert len(executions) == 1


async def test_an_event_reads_the_same_from_the_log_and_on_its_way(served: Served):
    """Byte for byte, but for the id of the operation."""
    url = served.address.replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], compression=None) as connection:
        client = Socket(connection)
        await client.send(type="connection_init", payload={"authorization": f"Bearer {served.key}"})
        await client.receive()
        await client.subscribe("live", ORDERS)
        await until(lambda: served.hub.subscribers == 1)
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="A1")
        live = await asyncio.wait_for(connection.recv(), 20)
        await client.subscribe("past", ORDERS, after=log_cursor(0))
        past = await asyncio.wait_for(connection.recv(), 20)

    assert isinstance(live, str)
    assert isinstance(past, str)
    assert live.startswith('{"type":"next","id":"live","payload":{"data":{"orderChanged":{"cursor":')
    assert live.replace('"live"', '"past"', 1) == past


async def test_a_field_that_fails_fails_for_everybody_who_shares_it(served: Served, monkeypatch: pytest.MonkeyPatch):
    async def broken(*_: object) -> None:
        raise RuntimeError("not for you")

    monkeypatch.setattr("gql.schema.orders.Order.find", broken)
    async with served.socket() as one, served.socket() as other:
        await one.subscribe("1", ORDERS)
        await other.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 2)
        await placed(served.database, KNOWN, {"CHAIR": 1}, number="A1")
        messages = [await one.receive(), await other.receive()]

    assert messages[0] == messages[1]
    assert messages[0]["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert messages[0]["payload"]["data"]["orderChanged"]["orderNumber"] == "A1"


@pytest.mark.parametrize("length", [1, 125, 126, 65_535, 65_536, 70_000])
async def test_a_message_of_any_length_is_framed_as_the_protocol_wants(served: Served, length: int):
    async with served.socket() as client:
        await until(lambda: served.server.server_state.connections != set())
        writers = [one for one in served.server.server_state.connections if hasattr(one, "write_text")]
        (writer,) = writers
        assert writer.write_text(b"x" * length)

        assert await client.connection.recv() == "x" * length


# ---------------------------------------------------------------- who shares


async def wanted(served: Served, visibility: Visibility, variables: dict[str, Any]) -> Wanted:
    executor: Executor = served.running.websocket._parts.executor
    prepared = executor.prepare(ORDERS, None, variables)
    assert isinstance(prepared, Operation)
    caller = type(KNOWN)(key=KNOWN.key, actor="a", request="r", visibility=visibility)
    context: Context = served.running.websocket._parts.make_context(caller)
    found = await executor.watch(prepared, context)
    assert isinstance(found, Wanted)
    return found


async def test_callers_who_may_see_different_things_never_share(served: Served):
    """I17: what one may see is not told to another, however alike their questions are."""
    everything, web, till = Visibility(), *(Visibility(channels=frozenset({one})) for one in ("WEB", "TILL"))
    asked: dict[str, Any] = {"filter": {"skus": ["CHAIR"]}}

    keys = [(await wanted(served, visibility, asked)).key for visibility in (everything, web, till)]
    again = (await wanted(served, Visibility(channels=frozenset({"WEB"})), asked)).key

    assert len(set(keys)) == 3
    assert again == keys[1]
    assert (await wanted(served, web, asked)).visibility == web


async def test_the_sequence_of_variables_and_those_that_nobody_asked_for_do_not_matter(served: Served):
    some = {"filter": {"skus": ["A"], "channels": ["B"]}, "after": log_cursor(0), "other": 1}
    same = {"filter": {"channels": ["B"], "skus": ["A"]}}

    assert (await wanted(served, Visibility(), some)).key == (await wanted(served, Visibility(), same)).key


def of(document: str) -> Shape:
    node = parse(document)
    (operation,) = (
        one
        for one in node.definitions
        if isinstance(one, OperationDefinitionNode) and one.operation is OperationType.SUBSCRIPTION
    )
    return shape(node, operation)


def test_a_shape_leaves_the_start_out_and_nothing_else():
    expected = of("subscription S($f: EventFilter) { orderChanged(filter: $f) { id } }")

    assert of("subscription S($f: EventFilter, $a: String) { orderChanged(filter: $f, after: $a) { id } }") == expected
    assert of('subscription S($f: EventFilter) { orderChanged(after: "x", filter: $f) { id } }') == expected
    assert expected.variables == ("f",)


def test_a_variable_that_says_more_than_where_to_begin_is_part_of_the_shape():
    found = of("subscription ($a: String) { x: orderChanged(after: $a) { id } } fragment F on Order { y(z: $a) }")

    assert found.variables == ("a",)
    assert "after" not in found.text


def test_a_start_that_stands_in_a_fragment_stays():
    found = of("subscription ($a: String) { ...F } fragment F on Subscription { orderChanged(after: $a) { id } }")

    assert found.variables == ("a",)
    assert "after" in found.text


def test_arguments_of_that_name_deeper_down_stay():
    assert 'after: "x"' in of('subscription { orderChanged(after: "y") { order { lines(after: "x") { id } } } }').text
