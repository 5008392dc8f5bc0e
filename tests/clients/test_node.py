"""Whether clients are tried at all: in CI, nobody would notice that they are not."""

from pathlib import Path

import pytest

from tests.clients import node
from tests.clients.conftest import HERE

NOWHERE = "http://127.0.0.1:9/"


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_node_clients_are_skipped_and_in_ci_they_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: type[BaseException]
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="Node and npm are not installed"):
        node.node()


def test_without_a_registry_clients_are_skipped_also_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
):
    monkeypatch.setenv("CI", "true")
    for name, value in {"registry": NOWHERE, "cache": str(tmp_path / "npm"), "fetch_retries": "0"}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)

    with pytest.raises(pytest.skip.Exception, match="the npm registry cannot be reached"):
        node.installed(HERE, tmp_path)
