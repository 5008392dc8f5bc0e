"""Opaque global ids and cursors: URL-safe base64 of what they name. Garbage decodes to None, never to an error."""

import base64
import binascii
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any

import orjson
import strawberry

ROW_ID_MAX = 2**63 - 1
SERIAL_MAX = 2**31 - 1
SERIALS = {"Item", "Location", "Channel", "WebhookEndpoint", "ApiKey"}
"""Types whose rows have 32-bit ids."""


class Int32(int):
    """Says of a cursor's part that it is a whole number of 32 bits."""


def global_id(kind: str, row: int) -> strawberry.ID:
    return strawberry.ID(_encode(f"{kind}:{row}".encode()))


def parse_id(value: str) -> tuple[str, int] | None:
    """The type's name and the row's id; None for anything that no id of ours decodes to."""
    raw = _decode(value)
    kind, separator, row = (raw or b"").decode(errors="replace").partition(":")
    if not separator or not row.isascii() or not row.isdigit() or row != str(int(row[:20])):
        return None
    number = int(row)
    return (kind, number) if 0 < number <= (SERIAL_MAX if kind in SERIALS else ROW_ID_MAX) else None


def row_id(kind: str, value: str) -> int | None:
    """The row's id, where the value names a row of this type."""
    parsed = parse_id(value)
    return parsed[1] if parsed and parsed[0] == kind else None


def cursor(kind: str, values: Sequence[Any]) -> str:
    """A place in a list that is sorted by `kind`: the sort key of its last row."""
    return _encode(orjson.dumps([kind, *values]))


def parse_cursor(kind: str, value: str, types: Sequence[type]) -> tuple[Any, ...] | None:
    """The sort key; None unless the cursor was made for this sort."""
    try:
        found = orjson.loads(_decode(value) or b"")
        if not isinstance(found, list) or len(found) != len(types) + 1 or found[0] != kind:
            return None
        return tuple(_typed(kind_of, part) for kind_of, part in zip(types, found[1:], strict=True))
    except ValueError:
        return None


def _typed(kind: Any, value: Any) -> Any:
    if kind is datetime and isinstance(value, str):
        return _moment(value)
    kind, most = (int, SERIAL_MAX) if kind is Int32 else (kind, ROW_ID_MAX)
    too_large = isinstance(value, int) and abs(value) > most
    if type(value) is not kind or too_large or (isinstance(value, str) and "\x00" in value):
        raise ValueError(value)
    return value


def _moment(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None or not MINYEAR < time.year < MAXYEAR:  # at the edges UTC may be out of range
        raise ValueError(value)
    return time


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(value: str) -> bytes | None:
    """Only the one spelling that `_encode` gives is taken."""
    try:
        raw = base64.urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if _encode(raw) == value else None
