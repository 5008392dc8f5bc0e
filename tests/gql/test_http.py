"""The door for HTTP: what it lets in, what it refuses, and what it never tells."""

import asyncio
import base64
import contextlib
import gzip
import logging
import socket
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from dibs import door
from dibs.serving import listen
from gql import http, loaders
from gql.errors import CODES
from gql.execution import TOKENS_MAX, Executor
from tests.gql.proxy import proxied
from tests.gql.serving import SECONDS_MAX, Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = {"query": "{ eventCursor }"}
RESPONSE_JSON = "application/graphql-response+json"


def refusal(response: httpx.Response) -> str:
    """The code of the answer's only error; there is no data beside it."""
    answer = response.json()
    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    assert error["extensions"]["code"] in CODES
    return str(error["extensions"]["code"])


def cursor_of(*parts: Any) -> str:
    """A cursor that somebody made up."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def id_of(text: str) -> str:
    """An id that somebody made up."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


# ---------------------------------------------------------------- who asks


async def test_the_right_key_is_answered(api: Served):
    response = await api.post(QUESTION)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert set(response.json()["data"]) == {"eventCursor"}


async def test_the_scheme_of_the_key_is_read_in_any_case(api: Served):
    response = await api.post(QUESTION, authorization=f"bEARER  {api.key}")

    assert response.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer é", "Bearer " + "x" * 10_000],
)
async def test_without_a_valid_key_nothing_is_answered(api: Served, authorization: str):
    headers = {"content-type": "application/json", "authorization": authorization.encode("latin-1")}

    response = await api.client.post("/graphql", content=orjson.dumps(QUESTION), headers=headers)

    assert response.status_code == 401
    assert refusal(response) == "UNAUTHENTICATED"
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_key_is_asked_for_before_the_body_is_looked_at(api: Served):
    response = await api.post(b"[" * 100_000, authorization="Bearer wrong")

    assert response.status_code == 401


async def test_a_key_in_the_address_opens_nothing(api: Served):
    response = await api.client.post(
        f"/graphql?key={api.key}&authorization=Bearer%20{api.key}",
        content=orjson.dumps(QUESTION),
        headers={"content-type": "application/json"},
    )

    assert response.status_code == 401


# ---------------------------------------------------------------- what may be sent


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;Charset=UTF-8"]
)
async def test_json_is_taken(api: Served, kind: str):
    assert (await api.post(QUESTION, content_type=kind)).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
    ],
)
async def test_another_content_type_is_refused(api: Served, kind: str):
    response = await api.post(QUESTION, content_type=kind)

    assert response.status_code == 415
    assert refusal(response) == "BAD_USER_INPUT"


async def test_a_form_is_refused(api: Served):
    headers = {"authorization": f"Bearer {api.key}"}

    form = await api.client.post("/graphql", data={"query": "{ eventCursor }"}, headers=headers)
    parts = await api.client.post("/graphql", files={"operations": b"{}"}, headers=headers)

    assert (form.status_code, parts.status_code) == (415, 415)


async def test_a_compressed_body_is_refused(api: Served):
    response = await api.post(gzip.compress(orjson.dumps(QUESTION)), content_encoding="gzip")

    assert response.status_code == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_only_post_is_taken(api: Served, method: str):
    response = await api.client.request(
        method, "/graphql?query=%7BeventCursor%7D", headers={"authorization": f"Bearer {api.key}"}
    )

    assert response.status_code == 405


async def test_a_batch_is_refused(api: Served):
    response = await api.post([QUESTION, QUESTION])

    assert response.status_code == 400
    assert "batches are not taken" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"5",
        b"[]",
        b'"{ eventCursor }"',
        b"{",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b'{"query": "{ eventCursor }"} {"query": "{ eventCursor }"}',
        b'{"query": "\xff\xfe"}',
        '{"query": "{ eventCursor }"}'.encode("utf-16"),
        b'{"query": "\\ud800"}',
        b'{"query": "{ eventCursor }", "variables": {"a": "\\udfff"}}',
        b'{"query": NaN}',
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "   "}',
        b'{"query": ["{ eventCursor }"]}',
        b'{"query": "{ eventCursor }", "operationName": 5}',
        b'{"query": "{ eventCursor }", "variables": []}',
        b'{"query": "{ eventCursor }", "variables": "{}"}',
        b'{"query": "{ eventCursor }", "extensions": 1}',
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_no_request_costs_one_clean_400(
    api: Served, body: bytes, caplog: pytest.LogCaptureFixture
):
    response = await api.post(body)

    assert response.status_code == 400
    assert refusal(response) == "BAD_USER_INPUT"
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_body_up_to_the_limit_is_read(api: Served):
    padded = orjson.dumps(QUESTION).ljust(http.BODY_BYTES_MAX)

    assert (await api.post(padded)).status_code == 200


async def test_a_longer_body_is_refused_before_it_is_read_to_its_end(api: Served):
    response = await api.post(orjson.dumps(QUESTION).ljust(http.BODY_BYTES_MAX + 1))

    assert response.status_code == 413
    assert refusal(response) == "BAD_USER_INPUT"


async def test_a_body_without_a_length_has_the_same_limit(api: Served):
    async def chunks():
        yield orjson.dumps(QUESTION)
        for _ in range(30):
            yield b" " * 10_000

    headers = {"content-type": "application/json", "authorization": f"Bearer {api.key}"}
    response = await api.client.post("/graphql", content=chunks(), headers=headers)

    assert response.status_code == 413


async def test_a_body_that_does_not_come_is_given_up(api: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "BODY_SECONDS_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.key}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())

    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)

    assert answer == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_within_its_body_is_forgotten(api: Served, caplog: pytest.LogCaptureFixture):
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.key}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
    await writer.drain()

    writer.close()
    await writer.wait_closed()

    assert (await api.post(QUESTION)).status_code == 200
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


# ---------------------------------------------------------------- heads


HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\n"


async def test_a_head_without_an_end_is_refused(api: Served):
    """Uvicorn alone would keep it all in memory."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    answer = b""
    with contextlib.suppress(ConnectionError):
        writer.write(HEAD + b"cookie: ")
        for _ in range(200):
            writer.write(b"x" * 10_000)
            await writer.drain()
        answer = await asyncio.wait_for(reader.readline(), 5)

    assert answer in {b"HTTP/1.1 400 Bad Request\r\n", b""}  # it may be lost with the connection
    writer.transport.abort()
    assert (await api.post(QUESTION)).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"P", HEAD])
async def test_a_head_that_does_not_come_is_given_up(api: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes):
    monkeypatch.setattr(door, "HEAD_SECONDS_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(sent)

    assert await asyncio.wait_for(reader.read(), 5) == b""

    writer.close()
    await writer.wait_closed()


async def test_a_head_that_comes_in_pieces_is_put_together(api: Served):
    body = orjson.dumps(QUESTION)
    head = HEAD + f"authorization: Bearer {api.key}\r\ncontent-type: application/json\r\n".encode()
    head += f"x-long: {'x' * 20_000}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for _ in range(3):  # one after the other on the same connection: each head is counted for itself
        for at in range(0, len(head), 5_000):
            writer.write(head[at : at + 5_000])
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.write(body)
        answer = await asyncio.wait_for(reader.readuntil(b"}}"), 5)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()


async def test_requests_that_come_all_at_once_are_answered_in_turn(api: Served):
    body = orjson.dumps(QUESTION)
    head = HEAD + f"authorization: Bearer {api.key}\r\ncontent-type: application/json\r\n".encode()
    request = head + f"content-length: {len(body)}\r\n\r\n".encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request * 20)
    for _ in range(20):
        assert (await asyncio.wait_for(reader.readuntil(b"}}"), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot")
async def test_connections_that_take_nothing_are_dropped_by_the_system():
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == door.STALLED_SECONDS_MAX * 1000


# ---------------------------------------------------------------- documents


async def test_what_is_no_document_is_told_so(api: Served):
    assert await api.code("{ eventCursor") == "GRAPHQL_PARSE_FAILED"


async def test_a_document_that_does_not_fit_is_told_where(api: Served):
    answer = await api.answer("{ eventCursor nonsense }")

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["locations"] == [{"line": 1, "column": 15}]


async def test_a_variable_that_does_not_fit_is_bad_user_input(api: Served):
    assert await api.code("query ($n: Int!) { items(first: $n) { nodes { id } } }", n="many") == "BAD_USER_INPUT"


async def test_names_that_exist_are_not_suggested(api: Served):
    answer = await api.answer("{ ordersx { nodes { numbr } } }")

    assert "Did you mean" not in str(answer)
    assert "'orders'" not in str(answer)


@pytest.mark.asyncio(loop_scope="function")
async def test_names_are_suggested_where_it_is_asked_for(database_url: str):
    async with serving(database_url, suggestions=True) as served:
        assert "Did you mean 'orders'" in str(await served.answer("{ ordersx }"))


async def test_a_document_may_have_so_many_tokens_and_no_more(api: Served):
    def document(tokens: int) -> str:
        return "{ items(filter: {skus: [" + '"A" ' * (tokens - 19) + "]}) { nodes { id } } }"

    assert await api(document(TOKENS_MAX)) == {"items": {"nodes": []}}
    assert await api.code(document(TOKENS_MAX + 1)) == "GRAPHQL_PARSE_FAILED"


async def test_the_operation_is_found_by_its_name(api: Served):
    document = "query A { a: eventCursor } query B { b: eventCursor }"

    async def ask(name: Any) -> Any:
        return (await api.post({"query": document, "operationName": name})).json()

    assert set((await ask("B"))["data"]) == {"b"}
    for name in (None, "C", ""):
        answer = await ask(name)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "data" not in answer


async def test_a_document_without_an_operation_is_refused(api: Served):
    assert await api.code("fragment F on Query { eventCursor }") in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


async def test_a_subscription_is_sent_to_the_websocket(api: Served):
    response = await api.post({"query": "subscription { orderChanged { id } }"})

    assert response.status_code == 400
    assert refusal(response) == "BAD_USER_INPUT"
    assert "WebSocket" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "plain", "spoken"),
    [
        ("{ eventCursor }", 200, 200),
        ("{ nonsense }", 200, 400),
        ("{", 200, 400),
        ("{ items(first: 0) { nodes { id } } }", 200, 400),
    ],
)
async def test_the_status_is_the_one_of_the_media_type(api: Served, query: str, plain: int, spoken: int):
    """Clients that speak application/graphql-response+json are told by status; older ones read the body."""
    as_json = await api.post({"query": query})
    as_response = await api.post({"query": query}, accept=RESPONSE_JSON)

    assert (as_json.status_code, as_response.status_code) == (plain, spoken)
    assert as_response.headers["content-type"] == f"{RESPONSE_JSON}; charset=utf-8"
    assert as_json.json() == as_response.json()


# ---------------------------------------------------------------- hostile text


TEXTS = {
    "NUL": "a\x00b",
    "only NUL": "\x00",
    "long": "x" * 10_000,
    "controls": "\x01\x1f\x7f",
    "quotes": "'\"; DROP TABLE orders; --",
    "percent": "%_\\",
    "right to left": "\u202eabc",
    "emoji": "👩‍👩‍👧‍👦" * 20,
    "combining": "e" + "\u0301" * 500,
    "line ends": "a\r\nb",
    "empty": "",
    "format": "{0} %s $1 :name",
}
QUESTIONS = {
    "node": "query ($t: ID!) { node(id: $t) { id } }",
    "order by id": "query ($t: ID!) { order(by: {id: $t}) { id } }",
    "order by number": "query ($t: String!) { order(by: {number: {channel: $t, number: $t}}) { id } }",
    "item by id": "query ($t: ID!) { item(by: {id: $t}) { id } }",
    "item by SKU": "query ($t: String!) { item(by: {sku: $t}) { id } }",
    "item by barcode": "query ($t: String!) { item(by: {barcode: $t}) { id } }",
    "location by id": "query ($t: ID!) { location(by: {id: $t}) { id } }",
    "location by code": "query ($t: String!) { location(by: {code: $t}) { id } }",
    "order filter": """query ($t: String!) {
        orders(filter: {channels: [$t], skus: [$t], locations: [$t], countryCodes: [$t], tags: [$t], search: $t}) {
          nodes { id } } }""",
    "order counts": "query ($t: String!) { orderCounts(filter: {search: $t, tags: [$t]}) { total } }",
    "item filter": "query ($t: String!) { items(filter: {skus: [$t], search: $t}) { nodes { id } } }",
    "level filter": "query ($t: String!) { stockLevels(filter: {skus: [$t], locations: [$t]}) { nodes { id } } }",
    "event filter": """query ($t: String!, $i: ID!) {
        events(filter: {types: [$t], orders: [$i], channels: [$t], skus: [$t], locations: [$t]}) { nodes { id } } }""",
    "cursor of orders": "query ($t: String!) { orders(after: $t) { nodes { id } } }",
    "cursor of items": "query ($t: String!) { items(after: $t) { nodes { id } } }",
    "cursor of levels": "query ($t: String!) { stockLevels(after: $t) { nodes { id } } }",
    "cursor of events": "query ($t: String!) { events(after: $t) { nodes { id } } }",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_text_upsets_a_question(api: Served, question: str, text: str):
    answer = await api.answer(QUESTIONS[question], t=TEXTS[text], i=TEXTS[text])

    for error in answer.get("errors", ()):
        assert error["extensions"]["code"] == "BAD_USER_INPUT", error


MUTATIONS = {
    "saveItems": {"items": [{"sku": "$", "name": "$", "barcode": "$"}]},
    "saveLocations": {"locations": [{"code": "$", "name": "$", "countryCode": "$"}]},
    "receiveStock": {"location": "$", "lines": [{"sku": "$", "quantity": 1}], "reference": "$"},
    "adjustStock": {
        "location": "$", "lines": [{"sku": "$", "change": {"delta": 1}}], "reason": "FOUND", "reference": "$",
    },
    "placeOrder": {
        "channel": "$",
        "number": "$",
        "tags": ["$"],
        "customer": {"name": "$", "email": "$", "reference": "$"},
        "shipTo": {"name": "$", "line1": "$", "city": "$", "postalCode": "$", "countryCode": "$"},
        "lines": [{"sku": "$", "quantity": 1, "reference": "$", "unitPrice": {"amount": "1", "currencyCode": "$"}}],
    },
    "editOrder": {
        "order": {"number": {"channel": "$", "number": "$"}},
        "lines": [{"add": {"sku": "$", "quantity": 1, "reference": "$"}}],
        "tags": ["$"],
        "customer": {"name": "$"},
    },
    "finalizeOrder": {"order": {"id": "$"}},
    "voidOrder": {"order": {"number": {"channel": "$", "number": "$"}}, "reason": "$"},
    "allocateOrders": {"orders": [{"order": {"id": "$"}, "lines": [{"line": "$"}]}], "locations": ["$"]},
    "deallocateOrders": {"orders": [{"id": "$"}]},
}  # fmt: skip


def filled(template: Any, text: str) -> Any:
    """The template with the text at every place."""
    if isinstance(template, dict):
        return {name: filled(value, text) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, text) for value in template]
    return text if template == "$" else template


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_no_text_upsets_a_mutation(api: Served, mutation: str, text: str):
    told = await api.mutate(mutation, **filled(MUTATIONS[mutation], TEXTS[text]))

    assert told["__typename"] in {"InvalidInput", "NotFound", "SaveItemsSuccess", "SaveLocationsSuccess"} or (
        mutation in {"allocateOrders", "deallocateOrders"}
    )


@pytest.mark.parametrize("key", ["", " ", "a\x00", "x" * 101])
async def test_an_idempotency_key_that_cannot_be_kept_is_invalid_input(api: Served, key: str):
    told = await api.mutate("deallocateOrders", orders=[{"id": "x"}], idempotencyKey=key)

    assert told["__typename"] == "InvalidInput"
    assert told["problems"][0]["path"] == ["input", "idempotencyKey"]


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_lone_surrogates_never_reach_a_mutation(api: Served, mutation: str):
    template = filled(MUTATIONS[mutation], "SURROGATE") | {"idempotencyKey": "x"}
    kind = mutation[0].upper() + mutation[1:]
    body = {
        "query": f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ __typename }} }}",
        "variables": {"input": template},
    }

    response = await api.post(orjson.dumps(body).replace(b"SURROGATE", b"\\ud83d"))

    assert response.status_code == 400
    assert refusal(response) == "BAD_USER_INPUT"


async def test_a_lone_surrogate_in_a_document_is_a_syntax_error(api: Served):
    assert await api.code(r'{ item(by: {sku: "\ud800"}) { id } }') == "GRAPHQL_PARSE_FAILED"


CURSORS = {
    "not base64": "$$$",
    "not JSON": base64.urlsafe_b64encode(b"{").decode(),
    "not a list": base64.urlsafe_b64encode(b"5").decode(),
    "deep": base64.urlsafe_b64encode(b"[" * 5_000).decode(),
    "empty list": cursor_of(),
    "another list's": cursor_of("elsewhere", 1),
    "too short": cursor_of("PLACED_AT_ASC"),
    "too long": cursor_of("PLACED_AT_ASC", "2026-01-01T00:00:00+00:00", 1, 1),
    "wrong types": cursor_of("PLACED_AT_ASC", 1, "x"),
    "no offset": cursor_of("PLACED_AT_ASC", "2026-01-01T00:00:00", 1),
    "year 1": cursor_of("PLACED_AT_ASC", "0001-01-01T00:00:00+14:00", 1),
    "year 9999": cursor_of("PLACED_AT_ASC", "9999-12-31T23:59:59-14:00", 1),
    "no date": cursor_of("PLACED_AT_ASC", "yesterday", 1),
    "true": cursor_of("PLACED_AT_ASC", "2026-01-01T00:00:00+00:00", True),
    "huge": cursor_of("PLACED_AT_ASC", "2026-01-01T00:00:00+00:00", 2**63),
    "padded": cursor_of("PLACED_AT_ASC", "2026-01-01T00:00:00+00:00", 1) + "=",
}


@pytest.mark.parametrize("cursor", CURSORS)
async def test_a_cursor_that_somebody_made_up_is_bad_user_input(api: Served, cursor: str):
    assert await api.code("query ($c: String!) { orders(after: $c) { nodes { id } } }", c=CURSORS[cursor]) == (
        "BAD_USER_INPUT"
    )


@pytest.mark.parametrize("priority", [2**31, -(2**31) - 1, 2**62, 1.5, None, "1"])
async def test_a_cursor_beyond_the_numbers_of_its_list_is_bad_user_input(api: Served, priority: Any):
    cursor = cursor_of("PRIORITY_DESC", priority, 1)

    found = await api.code("query ($c: String!) { orders(sort: PRIORITY_DESC, after: $c) { nodes { id } } }", c=cursor)

    assert found == "BAD_USER_INPUT"


IDS = [
    "", "x", "Order:1", "T3JkZXI6MQ==", id_of("Order:"), id_of("Order:0"), id_of("Order:-1"), id_of("Order:01"),
    id_of("Order:1 "), id_of("Order:1.5"), id_of("Order:\u0661"), id_of("Order:\u00b2"),
    id_of("Order:9223372036854775807"),
    id_of("Order:9223372036854775808"), id_of("Order:" + "9" * 5_000), id_of("Item:2147483647"),
    id_of("Item:2147483648"), id_of("Location:9999999999"), id_of("Channel:4294967296"),
    id_of("StockLevel:9223372036854775807"), id_of("OrderLine:1"), id_of("Event:1"), id_of("Allocation:1"),
    id_of("Query:1"), id_of("__Type:1"), id_of(":1"), id_of("1"), "\x00", "💥", "=" * 40,
]  # fmt: skip


@pytest.mark.parametrize("made_up", IDS, ids=lambda one: repr(one[:20]))
async def test_an_id_that_names_nothing_is_null_and_never_an_error(api: Served, made_up: str):
    data = await api(
        """query ($id: ID!) {
          node(id: $id) { id } order(by: {id: $id}) { id } item(by: {id: $id}) { id } location(by: {id: $id}) { id }
        }""",
        id=made_up,
    )

    assert data == {"node": None, "order": None, "item": None, "location": None}


@pytest.mark.parametrize("made_up", IDS, ids=lambda one: repr(one[:20]))
async def test_an_id_that_names_nothing_is_refused_by_mutations(api: Served, made_up: str):
    finalized = await api.mutate("finalizeOrder", order={"id": made_up})
    deallocated = await api.mutate(
        "deallocateOrders",
        "... on DeallocateOrdersSuccess { results { order { id } refusal { __typename } } }",
        orders=[{"id": made_up}],
    )

    assert finalized["__typename"] == "NotFound"
    assert deallocated["results"] == [{"order": None, "refusal": {"__typename": "NotFound"}}]


@pytest.mark.parametrize("number", [1, 1.0, True, {}, [], 10**30])
async def test_ids_of_another_json_type_cost_no_more_than_bad_user_input(api: Served, number: Any):
    answer = await api.answer("query ($id: ID!) { node(id: $id) { id } }", id=number)

    assert answer.get("data") == {"node": None} or answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


# ---------------------------------------------------------------- mistakes of ours


async def test_a_mistake_is_masked_and_the_log_knows_it_by_its_id(
    api: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def broken(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /srv/dibs")

    monkeypatch.setattr(loaders.Reading, "_read", broken)
    answer = await api.answer("query ($id: ID!) { eventCursor node(id: $id) { id } }", id=id_of("Order:1"))

    (error,) = answer["errors"]
    correlation = error["extensions"]["correlationId"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "correlationId": correlation}
    assert error["path"] == ["node"]
    assert correlation in error["message"]
    assert not any(word in str(answer) for word in ("SELECT", "srv", "RuntimeError", "Traceback", ".py"))
    (record,) = [record for record in caplog.records if correlation in record.getMessage()]
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError


async def test_a_mistake_of_the_database_is_masked_too(
    api: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As where a statement does not fit the table: driver, statement and parameters stay here."""
    monkeypatch.setattr("gql.resolvers.queries.seek", lambda *_: ("a\x00b",))

    answer = await api.answer("{ items { nodes { id } } }")

    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert not any(word in str(answer) for word in ("SELECT", "asyncpg", "0x00", "items.sku"))
    assert "invalid byte sequence" in caplog.text


async def test_a_mistake_outside_of_any_field_is_masked_and_a_500(
    api: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> None:
        raise RuntimeError("not for you")

    monkeypatch.setattr(Executor, "prepare", broken)
    response = await api.post(QUESTION)

    assert response.status_code == 500
    assert refusal(response) == "INTERNAL_SERVER_ERROR"
    assert "not for you" not in response.text
    assert response.json()["errors"][0]["extensions"]["correlationId"] in caplog.text


# ---------------------------------------------------------------- is it alive, is it ready


async def test_an_api_with_its_database_is_alive_and_ready(api: Served):
    alive, ready = await api.client.get("/healthz"), await api.client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["/", "/graphql/", "/graphql/explorer/index.html", "/metrics", "/healthz/", "/%00"])
async def test_nothing_else_is_there(api: Served, path: str):
    assert (await api.client.get(path)).status_code in {404, 405, 307}


@pytest.mark.asyncio(loop_scope="function")
async def test_an_api_on_an_older_schema_is_alive_and_not_ready(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dibs.readiness.FRESH_SECONDS", 0)
    connection = await asyncpg.connect(served.database_url)
    (before,) = await connection.fetch("UPDATE alembic_version SET version_num = version_num RETURNING version_num")
    await connection.execute("UPDATE alembic_version SET version_num = '0000'")

    ready = await served.client.get("/readyz")

    await connection.execute("UPDATE alembic_version SET version_num = $1", before["version_num"])
    await connection.close()

    assert ready.status_code == 503
    assert "dibs migrate" in ready.json()["reason"]
    assert (await served.client.get("/healthz")).status_code == 200


@pytest.mark.asyncio(loop_scope="function")
async def test_an_api_without_its_database_is_alive_and_busy_until_it_is_back(
    database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dibs.readiness.FRESH_SECONDS", 0)
    async with proxied(database_url) as (proxy, url), serving(url) as served:
        assert (await served.client.get("/readyz")).status_code == 200
        await proxy.cut()

        ready = await served.client.get("/readyz")
        asked = await served.post(QUESTION)

        assert (ready.status_code, ready.json()["reason"]) == (503, "the database cannot be reached")
        assert (await served.client.get("/healthz")).status_code == 200
        assert asked.status_code == 503
        assert refusal(asked) == "BUSY"
        assert asked.json()["errors"][0]["extensions"]["retryAfterMs"] > 0
        assert [record.exc_info for record in caplog.records if record.exc_info] == []

        await proxy.open()
        async with asyncio.timeout(SECONDS_MAX):
            while (await served.client.get("/readyz")).status_code != 200:
                pass
        assert (await served.post(QUESTION)).status_code == 200
