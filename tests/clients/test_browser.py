"""The example page in a real browser: what happens while its line is cut comes after, and the page can prove it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.acceptance.processes import KEY, ROOT, Serving
from tests.clients.browser import Tab, browsing
from tests.clients.test_examples import socket_of, work

PAGE = ROOT / "examples" / "browser" / "index.html"


def number(tab: Tab, name: str) -> int:
    return int(tab.run(f"document.getElementById('{name}').textContent"))


def press(tab: Tab, name: str) -> None:
    tab.run(f"document.getElementById('{name}').click()")


def watch(tab: Tab, address: str, key: str) -> None:
    tab.run(f"part('url').value = {json.dumps(address)}; part('key').value = {json.dumps(key)};")
    tab.run("document.querySelector('form button').click()")


def test_the_page_shows_what_happened_while_its_line_was_cut(shop: Serving, channel: str, tmp_path: Path):
    with browsing(PAGE, tmp_path) as tab:
        watch(tab, socket_of(shop), KEY)
        tab.until("current.start && current.state === 'online'")
        work(shop, channel, 3)
        tab.until("current.seen.length === 3")
        press(tab, "cut")
        work(shop, f"{channel}-2", 4)
        tab.until("current.logged.length === 7")
        cut = [number(tab, name) for name in ("logged", "seen", "missing", "twice")]
        press(tab, "mend")
        tab.until("current.seen.length === 7")
        press(tab, "change")
        tab.until("current.logged.length >= 8 && current.seen.length >= 8")
        whole = [number(tab, name) for name in ("missing", "twice", "cuts")]
        late = tab.run("document.querySelectorAll('tr.late').length")
        verdict = tab.run("part('verdict').dataset.is")
        problems = tab.problems

    assert cut == [7, 3, 4, 0]
    assert whole == [0, 0, 1]
    assert late == 4
    assert verdict == "good"
    assert problems == []


def test_the_page_says_that_its_key_is_none(shop: Serving, tmp_path: Path):
    with browsing(PAGE, tmp_path) as tab:
        watch(tab, socket_of(shop), "nobody's")
        tab.until("current.state === 'refused'")

        assert "does not know this key" in tab.run("part('verdict').textContent")


@pytest.mark.parametrize("origin", ["null", "https://shop.example", "its own"])
def test_a_page_that_is_listed_may_open_the_socket_and_only_its_key_lets_it_in(shop: Serving, origin: str):
    if origin == "its own":
        origin = shop.address.removesuffix("/graphql")
    with opened(shop, origin, KEY) as socket:
        assert json.loads(socket.recv()) == {"type": "connection_ack"}
    with opened(shop, origin, "nobody's") as socket, pytest.raises(ConnectionClosedError):
        socket.recv()
    assert socket.close_code == 4403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:9", "file://", "https://shop.example.evil.example", "", "[", "*"])
def test_a_page_that_is_not_listed_opens_no_socket(shop: Serving, origin: str):
    handshake = {
        "origin": origin,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "eHh4eHh4eHh4eHh4eHh4eA==",
        "sec-websocket-protocol": "graphql-transport-ws",
    }

    assert httpx.get(shop.address, headers=handshake).status_code == 403


@contextmanager
def opened(shop: Serving, origin: str, key: str) -> Iterator[ClientConnection]:
    protocols = [Subprotocol("graphql-transport-ws")]
    with connect(socket_of(shop), subprotocols=protocols, origin=Origin(origin)) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        yield socket
