"""Trusted documents: what is registered runs, by its hash or as it is, and nothing else does."""

import json
from pathlib import Path
from typing import Any

import pytest

from dibs.settings import Settings
from gql.trusted import BadFolder, sha256, trusted_documents
from tests.gql.serving import Served, serving

CURSOR = "query Cursor { eventCursor }"
ITEMS = "query Items($first: Int!) { items(first: $first) { nodes { sku } } }\n"
WATCH = "subscription Watch { orderChanged { cursor } }"
UNKNOWN = "{ eventCursor }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One document by its hash, one by a name, and one in a manifest."""
    (tmp_path / f"{sha256(CURSOR)}.graphql").write_text(CURSOR)
    (tmp_path / "items.graphql").write_text(ITEMS)
    (tmp_path / "manifest.json").write_text(json.dumps({sha256(WATCH): WATCH}))
    return tmp_path


def asked(document: str) -> list[dict[str, Any]]:
    """The ways in which clients name a registered document."""
    hashed = sha256(document)
    return [
        {"query": document},
        {"documentId": hashed},
        {"documentId": f"sha256:{hashed}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hashed}}},
        {"query": document, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": hashed}}},
    ]


def code(answer: Any) -> str:
    (error,) = answer.json()["errors"]
    return str(error["extensions"]["code"])


async def test_registered_documents_run_however_they_are_named(database_url: str, folder: Path):
    async with serving(database_url, trusted_documents=folder) as served:
        for body in asked(CURSOR):
            assert set((await served.post(body)).json()["data"]) == {"eventCursor"}, body
        for body in asked(ITEMS):
            answer = await served.post(body | {"variables": {"first": 5}})
            assert answer.json()["data"] == {"items": {"nodes": []}}


async def test_nothing_else_runs(database_url: str, folder: Path):
    async with serving(database_url, trusted_documents=folder) as served:
        for body in [*asked(UNKNOWN), *asked("rubbish"), *asked(CURSOR + " "), {"documentId": "../items"}]:
            assert code(await served.post(body)) == "DOCUMENT_NOT_TRUSTED", body
        assert await served.code("{ __schema { types { name } } }") == "DOCUMENT_NOT_TRUSTED"


async def test_sockets_keep_to_the_same_documents(database_url: str, folder: Path):
    async with serving(database_url, trusted_documents=folder) as served, served.socket() as socket:
        await socket.send(type="subscribe", id="known", payload={"documentId": sha256(CURSOR)})
        assert set(await socket.next("known")) == {"eventCursor"}
        assert (await socket.receive())["type"] == "complete"
        await socket.send(type="subscribe", id="watch", payload={"documentId": sha256(WATCH)})
        await socket.subscribe("unknown", "subscription { orderChanged { cursor } }")
        assert (await socket.error("unknown"))["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


async def test_a_hash_of_another_document_is_a_mistake(served: Served):
    body = {"query": UNKNOWN, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(CURSOR)}}}

    assert code(await served.post(body)) == "BAD_USER_INPUT"


async def test_a_server_without_registered_documents_says_so(served: Served):
    """Apollo's client then sends the document itself."""
    named, whole = asked(CURSOR)[3:]

    assert code(await served.post(named)) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert (await served.post(whole)).status_code == 200


@pytest.mark.parametrize("given", [5, [], {}, True])
async def test_an_id_that_is_no_text_is_refused(served: Served, given: Any):
    answer = await served.post({"documentId": given})

    assert (answer.status_code, code(answer)) == (400, "BAD_USER_INPUT")


def test_apollos_manifest_is_read(tmp_path: Path):
    operations = [{"id": sha256(CURSOR), "name": "Cursor", "type": "query", "body": CURSOR}]
    (tmp_path / "persisted.json").write_text(json.dumps({"format": "x", "version": 1, "operations": operations}))

    assert trusted_documents(tmp_path) == {sha256(CURSOR): CURSOR}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{'0' * 64}.graphql", CURSOR.encode()),
        ("a.json", json.dumps({"0" * 64: CURSOR}).encode()),
        ("a.json", b"[]"),
        ("a.json", b"{"),
        ("a.json", b'{"operations": [{"id": 1}]}'),
        ("a.json", b'{"a": 5}'),
        ("a.graphql", b"\xff"),
        ("a.txt", CURSOR.encode()),
    ],
)
def test_a_folder_that_is_not_what_it_says_stops_the_start(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(BadFolder):
        trusted_documents(tmp_path)
    with pytest.raises(ValueError, match="trusted_documents"):
        Settings(trusted_documents=tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        Settings(trusted_documents=tmp_path / "nowhere")
