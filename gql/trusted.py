"""Trusted documents: a folder of what may be asked. Each document is known by the SHA-256 of its text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HASH_LENGTH = 64


class BadFolder(Exception):
    """The folder does not hold what it says."""


def sha256(document: str) -> str:
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()


def trusted_documents(folder: Path) -> Mapping[str, str]:
    """The documents of a folder, by their hashes. Raises BadFolder.

    `*.graphql` holds a document each; where the name is a hash, it has to be that of the text. `*.json` is a manifest:
    an object from hash to document, or Apollo's, with `operations` that have `id` and `body`.
    """
    if not folder.is_dir():
        raise BadFolder(f"{folder} is no folder")
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.graphql")):
        found |= _checked(file, file.stem if _is_hash(file.stem) else None, _text(file))
    for file in sorted(folder.glob("*.json")):
        for name, document in _entries(file):
            found |= _checked(file, name, document)
    if not found:
        raise BadFolder(f"{folder} has no document in it")
    return found


def _entries(file: Path) -> Iterator[tuple[str, str]]:
    try:
        manifest: Any = json.loads(_text(file))
        operations = manifest.get("operations")
        entries = [(one["id"], one["body"]) for one in operations] if operations else list(manifest.items())
    except (ValueError, AttributeError, KeyError, TypeError):
        raise BadFolder(f"{file} is no manifest") from None
    for name, document in entries:
        if not isinstance(name, str) or not isinstance(document, str):
            raise BadFolder(f"{file} is no manifest")
        yield plain(name), document


def _checked(file: Path, name: str | None, document: str) -> dict[str, str]:
    """By its hash; a document that is known by another is somebody's mistake, or worse."""
    hashed = sha256(document)
    if name is not None and name != hashed:
        raise BadFolder(f"{file}: the document of {name[:80]} has the hash {hashed}")
    return {hashed: document}


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        raise BadFolder(f"{file} is not UTF-8") from None


def plain(identifier: str) -> str:
    """A hash as we know it: some clients write its algorithm before it."""
    return identifier.removeprefix("sha256:").lower()


def _is_hash(text: str) -> bool:
    return len(text) == HASH_LENGTH and all(one in "0123456789abcdef" for one in text)
