"""What somebody sends who means harm: each costs little, is told what is wrong with it, and leaves no trace.

The server is a process of its own, so its time and its memory can be told from ours.
"""

import base64
import json
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from gql.errors import CODES
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving, has_traceback, serving
from tests.conftest import PREFIX, Server
from tests.sizes import FULL

CPU_SECONDS_MAX = 0.1
TIMES = 5
"""That each is sent: the system tells a process's time in hundredths of a second."""
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
GREETING = {"type": "connection_init", "payload": {"authorization": f"Bearer {KEY}"}}


@pytest.fixture(scope="module")
def target(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """`dibs serve` that has answered already. Whatever is done to it, its log has no traceback afterwards."""
    name = f"{PREFIX}_hostile"
    url = server.create(name, template)
    with serving(tmp_path_factory.mktemp("target"), DIBS_DATABASE_URL=url, DIBS_ADMIN_KEY=KEY) as target:
        for query in ["{ eventCursor }", "{ __schema { types { name } } }", "{ nonsense }", "{"] * 20:
            target.ask(query)
        yield target
        alive = target.ask("{ eventCursor }")
        assert alive.status_code == 200
        assert not has_traceback(target.log.read_text()), target.log.read_text()[-5_000:]
    server.drop(name)


def cpu_seconds(target: Serving) -> float:
    times = psutil.Process(target.process.pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def cheap(target: Serving, times: int = 1) -> Iterator[None]:
    """What is done in the block costs the server little, each time."""
    before = cpu_seconds(target)
    yield
    spent = (cpu_seconds(target) - before) / times
    assert spent < CPU_SECONDS_MAX, f"{spent * 1000:.0f} ms"


# ---------------------------------------------------------------- documents


def spread(*names: object) -> str:
    return " ".join(f"...F{name}" for name in names)


def fragments(count: int, body: Any, on: str = "Query") -> str:
    return " ".join(f"fragment F{number} on {on} {{ {body(number)} }}" for number in range(count))


DOCUMENTS = {
    "nested fragments": "{ ...F0 } fragment F40 on Query { eventCursor } "
    + fragments(40, lambda number: spread(number + 1, number + 1)),
    "fragments that fan out": "{ ...F0 } fragment F20 on Query { eventCursor } "
    + fragments(20, lambda number: f"a: eventCursor {spread(*range(number + 1, 21))}"),
    "nested fields of fragments": '{ item(by: {sku: "A"}) { ...F0 } } fragment F25 on Item { id } '
    + fragments(25, lambda n: f"levels {{ item {{ {spread(n + 1)} }} item {{ {spread(n + 1)} }} }}", "Item"),
    "a fragment within itself": "{ ...F0 } " + fragments(1, lambda _: spread(0, 0, 0)),
    "a circle of fragments": "{ ...F0 } " + fragments(45, lambda number: spread((number + 1) % 45)),
    "circles of fragments": "{ ...F0 } " + fragments(18, lambda _: spread(*range(18))),
    "more fragments than are taken": "{ ...F0 } " + fragments(90, lambda number: spread((number + 1) % 90)),
    "fragments that conflict": "{ " + spread(*range(40)) + " } "
    + fragments(40, lambda number: f"items(first: {number + 1}) {{ nodes {{ id }} }}"),
    "fragments that repeat": "{ " + spread(*range(49)) + " } " + fragments(49, lambda _: "items { nodes { id sku } }"),
    "5,000 unknown directives": "{ eventCursor " + "@nonsense " * 5_000 + "}",
    "450 unknown directives": "{ eventCursor " + " ".join(f"@d{number}" for number in range(450)) + " }",
    "40 unknown directives": "{ eventCursor " + "@nonsense " * 40 + "}",
    "600 kB of comments": "# nothing\n" * 60_000 + "{ eventCursor }",
    "250 kB of comments": "#" * 250_000 + "\n{ nonsense }",
    "250 kB of commas": "{ eventCursor " + "," * 250_000 + " nonsense }",
    "the same field": "{ " + "eventCursor " * 900 + "}",
    "the same field, with fields": "{ " + "items { nodes { id } } " * 120 + "}",
    "the same field, at every level": "{ " + "items { nodes { levels { item { id } } } } " * 30 + "}",
    "the same field, inline": "{ " + "... on Query { items { nodes { id } } } " * 70 + "}",
    "unknown fields": "{ " + " ".join(f"x{number}" for number in range(900)) + " }",
    "unknown arguments": "{ items(" + " ".join(f"x{number}: 1" for number in range(300)) + ") { nodes { id } } }",
    "unused variables": "query (" + " ".join(f"$v{number}: Int" for number in range(240)) + ") { eventCursor }",
    "deep lists": "{ items(filter: {skus: " + "[" * 400 + "]" * 400 + "}) { nodes { id } } }",
    "deeper lists": "{ items(filter: {skus: " + "[" * 50_000 + "}) { nodes { id } } }",
    "deep objects": "{ items(filter: " + "{skus: " * 240 + "1" + "}" * 240 + ") { nodes { id } } }",
    "deep fields": "{ items { nodes " + "{ levels { item " * 90 + "{ id }" + " } }" * 90 + " } }",
    "deep inline fragments": "{ " + "... on Query { " * 160 + "eventCursor" + " }" * 160 + " nonsense }",
    "a huge number": "{ items(first: " + "9" * 200_000 + ") { nodes { id } } }",
    "a huge fraction": "{ items(first: 1." + "9" * 200_000 + ") { nodes { id } } }",
    "a huge exponent": "{ items(first: 1e999999999) { nodes { id } } }",
    "a number of 90 digits": "{ items(first: " + "9" * 90 + ") { nodes { id } } }",
    "a long name": "{ " + "a" * 200_000 + " }",
    "a long text": '{ item(by: {sku: "' + "a" * 200_000 + '", id: "x"}) { id } }',
    "a block of lines": '{ item(by: {sku: """' + " \n" * 100_000 + '""", id: "x"}) { id } }',
    "many operations": " ".join(f"query Q{number} {{ eventCursor }}" for number in range(190)),
    "introspection, twice": "{ __schema { types { name } } b: __schema { types { name } } }",
    "introspection, deep": "{ __schema { types { " + "fields { type { " * 5 + "name" + " } }" * 5 + " } } }",
    "too many objects": "{ orders(first: 100) { nodes { lines { item { levels { item { levels { id } } } } } } } }",
    "a subscription": "subscription { orderChanged { cursor } }",
    "two subscriptions": "subscription { orderChanged { cursor } b: orderChanged { cursor } }",
}  # fmt: skip


def codes(answer: Any) -> set[str]:
    """Of the errors of an answer: few, each with a code that is documented; none where it is harmless after all."""
    errors = answer.get("errors", [])
    assert len(errors) <= 10
    assert errors or answer["data"]
    found = {str(error["extensions"]["code"]) for error in errors}
    assert found <= set(CODES) - {"INTERNAL_SERVER_ERROR"}, errors
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_is_cheap_and_told_what_is_wrong_with_it(target: Serving, name: str):
    body = json.dumps({"query": DOCUMENTS[name]})

    with httpx.Client(headers=HEADERS, timeout=SECONDS_MAX) as client, cheap(target, TIMES):
        answers = [client.post(target.address, content=body) for _ in range(TIMES)]

    for answer in answers:
        assert answer.status_code in {200, 400, 413}
        codes(answer.json())
        assert len(answer.content) < 10_000


@pytest.mark.parametrize("name", [name for name, document in DOCUMENTS.items() if len(document) < 60_000])
def test_a_socket_is_no_way_around(target: Serving, name: str):
    if name == "a subscription":
        pytest.skip("a socket is where it belongs")
    subscribe = text({"type": "subscribe", "id": "1", "payload": {"query": DOCUMENTS[name]}})
    with cheap(target, TIMES):
        for _ in range(TIMES):
            with websocket(target) as peer:
                peer.sendall(text(GREETING) + subscribe)
                told = until(peer, b'"id":"1"')

    assert b'"type":"error"' in told or b'"type":"next"' in told
    assert b"INTERNAL" not in told


HUGE = {
    "a huge whole": "9" * 5_000,
    "a huge fraction": "1." + "9" * 100_000,
    "a huge exponent": "1e999999",
    "a deep list": "[" * 900 + "]" * 900,
    "too deep a list": "[" * 100_000,
    "a deep object": '{"a":' * 900 + "1" + "}" * 900,
    "a long list": "[" + "1," * 100_000 + "1]",
    "half a pair": '"\\ud800"',
}


@pytest.mark.parametrize("kind", ["Int!", "[String!]", "ItemFilter"])
@pytest.mark.parametrize("name", HUGE)
def test_a_hostile_variable_is_cheap_and_told_what_is_wrong_with_it(target: Serving, name: str, kind: str):
    asking = {"Int!": "first: $v", "[String!]": "filter: {skus: $v}", "ItemFilter": "filter: $v"}[kind]
    query = f"query ($v: {kind}) {{ items({asking}) {{ nodes {{ id }} }} }}"
    body = f'{{"query": {json.dumps(query)}, "variables": {{"v": {HUGE[name]}}}}}'

    with cheap(target, TIMES):
        answers = [httpx.post(target.address, content=body, headers=HEADERS) for _ in range(TIMES)]

    for answer in answers:
        assert answer.status_code in {200, 400}
        codes(answer.json())
        assert len(answer.content) < 300_000


def test_ten_thousand_requests_with_unknown_fields_leave_nothing_in_memory(target: Serving):
    """`make deep` sends all of them; a tenth of them shows what grows with each."""
    process, count = psutil.Process(target.process.pid), 10_000 if FULL else 1_000
    with httpx.Client(headers=HEADERS, timeout=SECONDS_MAX) as client:

        def ask() -> None:
            fields = " ".join(f"x{secrets.token_hex(4)}" for _ in range(120))
            assert client.post(target.address, json={"query": f"{{ {fields} }}"}).status_code == 200

        for _ in range(300):
            ask()
        before = process.memory_info().rss
        for _ in range(count):
            ask()
        grown = process.memory_info().rss - before

    assert grown < 10_000_000 * count / 10_000 + 2_000_000, f"{grown:,}"


# ---------------------------------------------------------------- bytes


def connected(target: Serving) -> socket.socket:
    parts = urlsplit(target.address)
    return socket.create_connection((parts.hostname, parts.port), SECONDS_MAX)


def until(peer: socket.socket, words: bytes) -> bytes:
    """What the server says until these words, or until it closes."""
    said = b""
    with suppress(ConnectionError):
        while words not in said and (more := peer.recv(65_536)):
            said += more
    return said


HEAD = f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"


def test_slow_heads_and_bodies_are_cheap_and_keep_nobody_waiting(target: Serving):
    beginnings = [b"P", HEAD.encode(), f"{HEAD}content-length: 1000\r\n\r\n{{".encode()]
    peers = [connected(target) for _ in range(100)]
    with cheap(target, len(peers)):
        for number, peer in enumerate(peers):
            peer.sendall(beginnings[number % 3])
        for _ in range(10):
            for peer in peers:
                with suppress(ConnectionError):
                    peer.sendall(b"x")
            started = time.monotonic()
            assert target.ask("{ eventCursor }").status_code == 200
            assert time.monotonic() - started < 2
            time.sleep(0.1)
    for peer in peers:
        peer.close()


def test_a_body_without_an_end_is_cut_off(target: Serving):
    sent = 0
    with cheap(target), connected(target) as peer:
        peer.sendall(f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
        peer.settimeout(0.05)
        with suppress(ConnectionError):
            for _ in range(3_000):
                try:
                    peer.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
                except TimeoutError:
                    break  # it takes no more
                sent += 10_000
                if sent > 256_000 and _has_answered(peer):
                    break
        peer.settimeout(SECONDS_MAX)
        told = until(peer, b"\r\n")

    assert told.startswith(b"HTTP/1.1 413 ") or told == b""
    assert sent < 20_000_000


def _has_answered(peer: socket.socket) -> bool:
    try:
        return bool(peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


UPGRADE = "GET /graphql HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
PROTOCOL = "sec-websocket-protocol: graphql-transport-ws\r\n"
NONCE = f"sec-websocket-key: {base64.b64encode(b'x' * 16).decode()}\r\n"
VERSION = "sec-websocket-version: 13\r\n"
RUBBISH = {
    "noise": bytes(range(256)) * 20,
    "zeros": b"\x00" * 10_000,
    "TLS": bytes.fromhex("1603010200010001fc0303") + b"\x07" * 500,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 50,
    "no key": f"{UPGRADE}{PROTOCOL}{VERSION}\r\n".encode(),
    "a short key": f"{UPGRADE}{PROTOCOL}{VERSION}sec-websocket-key: eA==\r\n\r\n".encode(),
    "a key that is none": f"{UPGRADE}{PROTOCOL}{VERSION}sec-websocket-key: \xff\xfe\r\n\r\n".encode("latin-1"),
    "two keys": f"{UPGRADE}{PROTOCOL}{VERSION}{NONCE}{NONCE}\r\n".encode(),
    "no version": f"{UPGRADE}{PROTOCOL}{NONCE}\r\n".encode(),
    "another version": f"{UPGRADE}{PROTOCOL}{NONCE}sec-websocket-version: 8\r\n\r\n".encode(),
    "no protocol": f"{UPGRADE}{NONCE}{VERSION}\r\n".encode(),
    "a thousand protocols": f"{UPGRADE}{NONCE}{VERSION}sec-websocket-protocol: {'a, ' * 1_000}b\r\n\r\n".encode(),
    "protocols that are none": f"{UPGRADE}{NONCE}{VERSION}sec-websocket-protocol: (,;)\r\n\r\n".encode(),
    "extensions that are none": f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}sec-websocket-extensions: ;;=\r\n\r\n".encode(),
    "an origin that is none": f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}origin: http://[\xff\r\n\r\n".encode("latin-1"),
    "by POST": f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}\r\n".replace("GET", "POST").encode(),
    "with a body": f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}content-length: 5\r\n\r\n12345".encode(),
    "an old HTTP": f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}\r\n".replace("1.1", "1.0").encode(),
    "two lengths": b"POST /graphql HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345",
    "a length below nothing": b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
    "a length and chunks": b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": f"{HEAD}transfer-encoding: chunked\r\n\r\nxyz\r\n".encode(),
    "a chunk of all sizes": f"{HEAD}transfer-encoding: chunked\r\n\r\n{'f' * 40}\r\n".encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", RUBBISH)
def test_a_handshake_that_is_rubbish_is_cheap_and_no_mistake_of_ours(target: Serving, name: str):
    with cheap(target, TIMES):
        for _ in range(TIMES):
            with connected(target) as peer, suppress(ConnectionError):
                peer.sendall(RUBBISH[name])
                peer.shutdown(socket.SHUT_WR)
                assert not until(peer, b"\r\n").startswith(b"HTTP/1.1 5")


@contextmanager
def websocket(target: Serving) -> Iterator[socket.socket]:
    """A socket whose handshake is over, for frames made by hand."""
    with connected(target) as peer:
        peer.sendall(f"{UPGRADE}{PROTOCOL}{NONCE}{VERSION}\r\n".encode())
        assert until(peer, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        yield peer


def frame(first: int, payload: bytes, *, masked: bool = True, length: int | None = None) -> bytes:
    """A frame whose mask is zeros. `length`: the one that it says it has."""
    said, bit = len(payload) if length is None else length, 0x80 if masked else 0
    if said < 126:
        size = bytes((bit | said,))
    elif said < 65_536:
        size = struct.pack("!BH", bit | 126, said)
    else:
        size = struct.pack("!BQ", bit | 127, said)
    return bytes((first,)) + size + (b"\x00" * 4 if masked else b"") + payload


CLOSE = b"\x88"
"""Begins a frame that says that this is the end; no text has it."""


def text(message: object) -> bytes:
    return frame(0x81, json.dumps(message).encode())


FRAMES = {
    "no mask": frame(0x81, b"{}", masked=False),
    "an unknown kind": frame(0x83, b"{}"),
    "reserved bits": frame(0xF1, b"{}"),
    "binary": frame(0x82, bytes(range(256))),
    "no UTF-8": frame(0x81, b"\xff\xfe"),
    "all sizes": frame(0x81, b"", length=2**63 - 1),
    "beyond all sizes": frame(0x81, b"", length=2**64 - 1),
    "a megabyte": frame(0x81, b" " * 1_000_000),
    "a long ping": frame(0x89, b"x" * 1_000),
    "half a ping": frame(0x09, b"x"),
    "a continuation of nothing": frame(0x80, b"x"),
    "two beginnings": frame(0x01, b"{") + frame(0x01, b"{"),
    "pieces without an end": frame(0x01, b" ") + frame(0x00, b" " * 60_000) * 4,
    "a close of one byte": frame(0x88, b"x"),
    "a close without a code": frame(0x88, struct.pack("!H", 1005)),
    "100,000 brackets": frame(0x81, b"[" * 60_000),
    "null": frame(0x81, b"null"),
    "many greetings": text({"type": "connection_init"}) * 100,
    "many pings": frame(0x89, b"x") * 500 + frame(0x81, b"5"),
    "many operations": text(GREETING)
    + b"".join(text({"type": "subscribe", "id": f"{n}", "payload": {"query": "{"}}) for n in range(200))
    + frame(0x81, b"5"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_are_rubbish_are_cheap_and_close_their_socket_alone(target: Serving, name: str):
    with cheap(target, TIMES):
        for _ in range(TIMES):
            with websocket(target) as peer, suppress(ConnectionError):
                peer.sendall(FRAMES[name])
                assert CLOSE in until(peer, CLOSE)
