"""A shop that serves for real, and the packages that its clients are made of."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import KEY, Serving, has_traceback, serving
from tests.builders import a_key
from tests.clients import node
from tests.conftest import PREFIX, Server
from tests.persistence.verified import verified

HERE = Path(__file__).parent
SET_UP = """mutation ($stock: ReceiveStockInput!) {
  saveItems(input: {items: [{sku: "CHAIR", name: "Chair"}]}) { __typename }
  saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename }
  receiveStock(input: $stock) { __typename }
}"""
ORIGINS = "null,https://shop.example"
"""Whose pages may ask: those that are opened from the disk, and one other."""
STOCK = {"location": "LEEDS", "lines": [{"sku": "CHAIR", "quantity": 500}]}


@pytest.fixture(scope="session")
def shop(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """`dibs serve` with chairs to sell. Afterwards: a quiet database, whole invariants, and no traceback."""
    name = f"{PREFIX}_clients"
    url = server.create(name, template)
    with serving(
        tmp_path_factory.mktemp("shop"),
        DIBS_DATABASE_URL=url,
        DIBS_ADMIN_KEY=KEY,
        DIBS_CORS_ORIGINS=ORIGINS,
        DIBS_PUBLIC_URL="http://127.0.0.1",
    ) as shop:
        assert "errors" not in shop.ask(SET_UP, stock=STOCK | {"idempotencyKey": a_key()}).json()
        yield shop
    assert not has_traceback(shop.log.read_text())
    assert server.left_behind(name) == []
    assert asyncio.run(verified(url)) == []
    server.drop(name)


@pytest.fixture
def channel() -> str:
    """A channel of the test's own."""
    return f"SHOP-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where packages stay from one session to the next, unless pytest is to keep nothing."""
    kept = getattr(pytestconfig, "cache", None)
    return Path(kept.mkdir("node")) if kept else tmp_path_factory.mktemp("node")


@pytest.fixture(scope="session")
def program() -> str:
    return node.node()


@pytest.fixture(scope="session")
def scripts(program: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios, with the clients installed beside them."""
    return node.workspace(HERE / "scripts", node.installed(HERE, cache), tmp_path_factory.mktemp("clients"))
