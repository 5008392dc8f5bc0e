"""The explorer is complete by itself: what the page names is served, and nothing comes from another host."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gql.explorer_page import FILES, explorer_routes


@pytest.fixture
def client() -> Iterator[TestClient]:
    async def post(_: Request) -> PlainTextResponse:
        return PlainTextResponse("answer")

    with TestClient(Starlette(routes=[*explorer_routes(), Route("/graphql", post, methods=["POST"])])) as client:
        yield client


def named_by(page: str) -> list[str]:
    return re.findall(r"""\b(?:src|href)=["']([^"']+)""", page)


def test_the_page_is_served_with_headers_that_keep_it_to_its_own_host(client: TestClient):
    page = client.get("/graphql")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "<title>Dibs explorer</title>" in page.text


def test_the_content_security_policy_allows_scripts_and_connections_of_the_own_host_alone(client: TestClient):
    policy = client.get("/graphql").headers["content-security-policy"]
    allowed = dict(directive.split(" ", 1) for directive in policy.split("; "))

    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["connect-src"] == "'self'"
    assert allowed["frame-ancestors"] == "'none'"
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("root", ["/graphql", "/shop/graphql"])
def test_everything_that_the_page_names_is_served(client: TestClient, root: str):
    named = named_by((FILES / "index.html").read_text())

    assert {Path(name).suffix for name in named} == {".js", ".css", ".svg"}
    for name in named:
        path = urljoin(root, name).removeprefix("/shop")  # as a proxy that serves Dibs under a prefix would do
        asset = client.get(path)
        assert asset.status_code == 200, path
        assert asset.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "kind"), [("explorer.js", "javascript"), ("explorer.css", "text/css"), ("icon.svg", "image/svg+xml")]
)
def test_the_files_say_what_they_are(client: TestClient, name: str, kind: str):
    assert kind in client.get(f"/graphql/explorer/{name}").headers["content-type"]


def test_a_file_that_the_browser_has_already_is_not_sent_again(client: TestClient):
    first = client.get("/graphql/explorer/explorer.js")

    again = client.get("/graphql/explorer/explorer.js", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


def test_operations_may_be_posted_to_the_address_of_the_page(client: TestClient):
    assert client.post("/graphql").text == "answer"


def test_the_page_and_the_style_sheet_load_nothing_from_another_host():
    page = (FILES / "index.html").read_text()
    styles = (FILES / "explorer.css").read_text()

    loaded = named_by(page) + re.findall(r"url\(\s*[\"']?([^\"')]+)", styles)

    assert [address for address in loaded if re.match(r"(?:[a-z]+:)?//", address)] == []
    assert "@import" not in styles


def test_the_script_loads_no_code_at_run_time():
    script = (FILES / "explorer.js").read_text()

    found = re.findall(r"\b(?:importScripts|import|eval|new Function|new Worker)\s*\(", script)

    assert found == []
    assert not re.search(r"cdn\.|unpkg|jsdelivr|esm\.sh|fonts\.g", script)


@pytest.mark.parametrize(
    "path",
    ["../explorer_page.py", "%2e%2e/explorer_page.py", "..%2fexplorer_page.py", "%2fetc/passwd", "", "missing.js"],
)
def test_nothing_outside_the_folder_is_served(client: TestClient, path: str):
    assert client.get(f"/graphql/explorer/{path}").status_code == 404


def test_the_licences_of_what_is_bundled_are_shipped(client: TestClient):
    licences = client.get("/graphql/explorer/LICENSES.txt").text

    for package in ("graphiql", "react-dom", "graphql", "graphql-ws", "codemirror"):
        assert re.search(rf"^{package} \d", licences, re.MULTILINE), package
