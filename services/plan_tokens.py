"""A token that commits exactly what a dry run said: what it was made from, what it rests on, and what came out.

It is no secret and no promise: whoever holds it may do no more than without it, and the plan is made anew under the
locks. So nothing is stored and nothing expires; docs/adr/0022 says why. What a dry run in the background said is too
much for a token: it stands in the database for a while, and the token says which it is; docs/adr/0033.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from domain.batch import Batch
from domain.checks import Problems
from domain.errors import InvalidInput, PlanChanged
from domain.ids import ItemId, LocationId, OrderId, RunId
from domain.runs import Basis, Moved
from services.outcomes import to_text

VERSION = 1
DIGEST_BYTES = 16
TOKEN_LENGTH_MAX = 100_000
BASIS_BYTES_MAX = 1_000_000
MOVED_MAX = 100
"""Levels, and orders, that a refusal names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`asked`: the digest of the input. `planned`: the digest of the outcome."""

    asked: bytes
    planned: bytes
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class RunToken:
    """Of a dry run in the background. `planned`: the digest of all that it said."""

    run: RunId
    planned: bytes


def basis_of(batch: Batch, orders: Sequence[OrderId | None], locations: Sequence[str] | None) -> Basis:
    """`locations`: codes of those that may be used; None: all. To be asked before anything moves."""
    usable = {one.id for one in batch.locations.values() if locations is None or one.code in locations}
    return Basis(
        orders={order: batch.orders[order].version for order in orders if order is not None},
        levels={key: level.version for key, level in batch.levels.items() if level.location in usable},
    )


def digest(planned: object) -> bytes:
    """The same for the same plan, and for no other."""
    return hashlib.sha256(to_text(planned).encode()).digest()[:DIGEST_BYTES]


def digest_of_all(chunks: Iterable[bytes]) -> bytes:
    """Of what a run said, chunk by chunk."""
    return hashlib.sha256(b"".join(chunks)).digest()[:DIGEST_BYTES]


def write_token(token: Token) -> str:
    """Columns of numbers, compressed: about five characters a level."""
    orders, levels = sorted(token.basis.orders.items()), sorted(token.basis.levels.items())
    content = [
        VERSION,
        token.asked.hex(),
        token.planned.hex(),
        [order for order, _ in orders],
        [version for _, version in orders],
        [item for (item, _), _ in levels],
        [location for (_, location), _ in levels],
        [version for _, version in levels],
    ]
    return _packed(content)


def write_run_token(token: RunToken) -> str:
    return _packed([VERSION, token.run, token.planned.hex()])


def read_token(text: str) -> Token:
    """Raises InvalidInput where this is no token of ours, or one that somebody changed."""
    try:
        return _read(text)
    except (ValueError, TypeError, zlib.error):
        refuse_token()


def read_run_token(text: str) -> RunToken:
    """Raises InvalidInput where this is no token of a dry run in the background, or one that somebody changed."""
    try:
        version, run, planned = _unpacked(text)
        _check_numbers([run], 2**63)
        if version != VERSION:
            raise ValueError("another version")
        return RunToken(run=RunId(run), planned=bytes.fromhex(planned))
    except (ValueError, TypeError, zlib.error):
        refuse_token()


def refuse_token() -> NoReturn:
    """Raises InvalidInput."""
    _refuse("NOT_A_TOKEN", "This is no token of a dry run. Run it dry again, and take that.")


def refuse_other_input() -> NoReturn:
    """Raises InvalidInput."""
    _refuse("OTHER_INPUT", "The dry run that gave this token had another input.")


def _refuse(code: str, told: str) -> NoReturn:
    problems = Problems()
    problems.add(("input", "token"), code, told)
    raise InvalidInput(problems=problems.all()) from None


def refuse_where_moved(token: Token, now: Basis) -> None:
    """Raise PlanChanged where a level or an order is not as it was."""
    found = moved(token.basis, now)
    if found is not None:
        raise PlanChanged(levels=found.levels, orders=found.orders)


def moved(then: Basis, now: Basis) -> Moved | None:
    """What is not as it was; None where all of it is."""
    levels = [key for key, _ in sorted(then.levels.items() ^ now.levels.items())]
    orders = [order for order, _ in sorted(then.orders.items() ^ now.orders.items())]
    if not levels and not orders:
        return None
    return Moved(levels=tuple(dict.fromkeys(levels))[:MOVED_MAX], orders=tuple(dict.fromkeys(orders))[:MOVED_MAX])


def _packed(content: list[Any]) -> str:
    packed = zlib.compress(orjson.dumps(content), 9)
    return base64.urlsafe_b64encode(_checksum(packed) + packed).rstrip(b"=").decode()


def _unpacked(text: str) -> Any:
    if len(text) > TOKEN_LENGTH_MAX:
        raise ValueError("too long")
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if raw[:4] != _checksum(raw[4:]):
        raise ValueError("another checksum")
    return orjson.loads(zlib.decompressobj().decompress(raw[4:], BASIS_BYTES_MAX))


def _read(text: str) -> Token:
    content = _unpacked(text)
    version, asked, planned, orders, order_versions, items, locations, level_versions = content
    if version != VERSION:
        raise ValueError("another version")
    for column in (items, locations):
        _check_numbers(column, 2**31)
    for column in (orders, order_versions, level_versions):
        _check_numbers(column, 2**63)
    keys = [(ItemId(item), LocationId(location)) for item, location in zip(items, locations, strict=True)]
    return Token(
        asked=bytes.fromhex(asked),
        planned=bytes.fromhex(planned),
        basis=Basis(
            orders=dict(zip(map(OrderId, orders), order_versions, strict=True)),
            levels=dict(zip(keys, level_versions, strict=True)),
        ),
    )


def _check_numbers(column: Sequence[int], most: int) -> None:
    """A checksum is no signature: what is looked up later must be possible at least."""
    if not all(type(one) is int and 0 <= one < most for one in column):
        raise ValueError("not a column of numbers")


def _checksum(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:4]
