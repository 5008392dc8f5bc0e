"""The clients that people use: what they ask for is answered, and what they watch arrives once, whatever is cut."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import KEY, ROOT, SECONDS_MAX, Serving
from tests.clients.node import answered

OVER_SOCKETS = ("graphql-ws", "apollo", "urql", "browser")
"""The last one is ours, of the example page."""
OVER_SSE = ("graphql-sse", "urql-sse")
DIBS_JS = ROOT / "examples" / "browser" / "dibs.js"
Play = Callable[[str, str], Any]


@pytest.fixture
def play(program: str, scripts: Path, shop: Serving, channel: str) -> Play:
    """Play a scenario with a client; what came of it."""
    settings = {"ADDRESS": shop.address, "KEY": KEY, "CHANNEL": channel, "DIBS_JS": str(DIBS_JS)}

    def run(client: str, scenario: str) -> Any:
        if client in OVER_SSE:
            skip_where_nothing_is_streamed(shop.address)
        return answered([program, "run.mjs", client, scenario], scripts, settings)

    return run


def skip_where_nothing_is_streamed(address: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "accept": "text/event-stream"}
    body = {"query": "subscription { orderChanged { cursor } }"}
    with httpx.stream("POST", address, json=body, headers=headers, timeout=SECONDS_MAX) as answer:
        if answer.status_code in (400, 415):
            pytest.skip("this server does not answer with Server-sent events")


@pytest.mark.parametrize("client", OVER_SOCKETS + OVER_SSE)
def test_a_client_asks_changes_things_and_sees_its_changes_in_order(play: Play, client: str):
    day = play(client, "day")

    assert day["cursor"]
    assert day["placed"] == [str(number) for number in range(10)]
    assert [event["orderNumber"] for event in day["seen"]] == day["placed"]
    assert len({event["cursor"] for event in day["seen"]}) == len(day["placed"])


@pytest.mark.parametrize("client", OVER_SOCKETS + OVER_SSE)
def test_a_client_whose_line_is_cut_goes_on_after_its_last_cursor_and_has_seen_the_whole_log_once(
    play: Play, client: str
):
    cuts = play(client, "cuts")

    assert cuts["cut"] >= 3
    assert len(cuts["log"]) == cuts["placed"] == 21
    assert cuts["seen"] == cuts["log"]


def test_the_reference_client_is_told_that_its_key_is_none(play: Play):
    assert play("graphql-ws", "wrongKey") == {"code": 4403, "reason": "Forbidden"}


def test_a_malformed_operation_is_an_error_for_the_reference_client_and_its_socket_stays(play: Play):
    told = play("graphql-ws", "malformed")

    assert told["errors"] == ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"]
    assert told["cursor"]
    assert told["connected"] == 1
