"""The example clients, as a user runs them, while the shop is at work: they cut their own lines and miss nothing."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import KEY, ROOT, Serving, environment
from tests.builders import a_key
from tests.clients import node
from tests.clients.node import SECONDS_MAX

EXAMPLES = ROOT / "examples"
ORDERS = 24
PLACE = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }"
ALLOCATE = "mutation ($input: AllocateOrdersInput!) { allocateOrders(input: $input) { __typename } }"


@pytest.fixture(scope="session")
def typescript(program: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TypeScript example, built as its first lines say."""
    example = EXAMPLES / "typescript_client"
    folder = node.workspace(example, node.installed(example, cache), tmp_path_factory.mktemp("example"))
    node.said([program, "node_modules/typescript/bin/tsc"], folder)
    return folder


@contextmanager
def running(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings) as process:
        try:
            yield process
        finally:
            process.kill()


def work(shop: Serving, channel: str, orders: int = ORDERS) -> None:
    """Some orders, each allocated before the next one is placed."""
    with httpx.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=SECONDS_MAX) as http:

        def do(mutation: str, **fields: Any) -> None:
            variables = {"input": fields | {"idempotencyKey": a_key()}}
            answer = http.post(shop.address, json={"query": mutation, "variables": variables}).json()
            assert "errors" not in answer, answer

        for number in map(str, range(orders)):
            do(PLACE, channel=channel, number=number, lines=[{"sku": "CHAIR", "quantity": 1}])
            do(ALLOCATE, orders=[{"order": {"number": {"channel": channel, "number": number}}}])


def watched(shop: Serving, channel: str, command: list[str], **settings: Any) -> None:
    """Run the example until it has seen all; it says that nothing is missing, and that its line was cut."""
    with running([*command, "--until", str(ORDERS)], env=environment(DIBS_KEY=KEY), **settings) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("watching from ")
        work(shop, channel)
        said, _ = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, said
    assert "nothing missing, nothing twice." in said, said
    seen = re.findall(r"^  (\d+)  UNALLOCATED → ALLOCATED \(RUN\)$", said, re.MULTILINE)
    assert seen == [str(number) for number in range(ORDERS)]
    assert said.count("the line is cut") >= 2


def socket_of(shop: Serving) -> str:
    return shop.address.replace("http", "ws", 1)


def test_the_python_example_misses_nothing_while_it_cuts_its_line(shop: Serving, channel: str):
    watched(shop, channel, [sys.executable, str(EXAMPLES / "python_client" / "watch.py"), "--url", socket_of(shop)])


def test_the_typescript_example_misses_nothing_while_it_cuts_its_line(
    program: str, typescript: Path, shop: Serving, channel: str
):
    watched(shop, channel, [program, "dist/watch.js", "--url", socket_of(shop)], cwd=typescript)


def test_the_python_example_says_in_a_sentence_that_its_key_is_none(shop: Serving):
    refused([sys.executable, str(EXAMPLES / "python_client" / "watch.py"), "--url", socket_of(shop), "--key", "x"])


def test_the_typescript_example_says_in_a_sentence_that_its_key_is_none(program: str, typescript: Path, shop: Serving):
    refused([program, "dist/watch.js", "--url", socket_of(shop), "--key", "x"], cwd=typescript)


def refused(command: list[str], **settings: Any) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, **settings)

    assert ended.returncode == 1
    assert ended.stderr.startswith("Dibs does not answer: ")
    assert "Forbidden" in ended.stderr
    assert ended.stderr.count("\n") == 1
