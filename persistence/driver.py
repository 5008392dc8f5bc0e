"""Statements that go straight to the driver, in the transaction that SQLAlchemy keeps.

A batch is a dozen statements, and SQLAlchemy takes five times as long as the driver for each. So what every batch says
is said directly; everything that is put together from conditions is SQLAlchemy's.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ARRAY, Boolean, Integer
from sqlalchemy.dialects.postgresql import JSONB, dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

DIALECT = dialect()  # type: ignore[no-untyped-call]
PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL as the driver takes it. `parameters`: their names in sequence, each with what makes the argument."""

    text: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [encode(values[name]) if encode else values[name] for name, encode in self.parameters]


def statement(text: str, **types: TypeEngine[Any]) -> Statement:
    """A statement whose `:name` parameters have these types."""
    numbered = {
        name: f"CAST({_sent(number, kind)} AS {kind.compile(dialect=DIALECT)})"
        for number, (name, kind) in enumerate(types.items(), 1)
    }
    parameters = tuple((name, _encoder(kind)) for name, kind in types.items())
    return Statement(PARAMETER.sub(lambda found: numbered[found[1]], text), parameters)


def _sent(number: int, kind: TypeEngine[Any]) -> str:
    return f"CAST(${number} AS text)" if _is_plain(kind) else f"${number}"


def _encoder(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSONB):
        return lambda value: orjson.dumps(value).decode()
    return _as_text if _is_plain(kind) else None


def _is_plain(kind: TypeEngine[Any]) -> bool:
    """An array of numbers or flags: as text it is ready in a quarter of the time that the driver takes for it."""
    return isinstance(kind, ARRAY) and isinstance(kind.item_type, Integer | Boolean)


def _as_text(values: Iterable[Any]) -> str:
    """As PostgreSQL reads arrays: what Python writes for a list, with other brackets and another word for nothing."""
    return "{" + repr(list(values))[1:-1].replace("None", "NULL") + "}"


class Write(NamedTuple):
    """A statement that changes rows; with `guarded`, exactly so many, or the rows were not as they had been read."""

    statement: Statement
    values: Mapping[str, Any]
    guarded: int | None = None


class GuardFailed(AssertionError):
    """A row was not as it was read under the locks: the locks did not hold."""


class Driver:
    """The driver's side of a connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._raw: Any = _adapter(connection).driver_connection

    async def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        """Each to be taken apart like a tuple."""
        found: list[Any] = await self._raw.fetch(statement.text, *statement.arguments(values))
        return found

    async def row(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        (row,) = await self.rows(statement, values)
        return row

    async def write(self, write: Write) -> int:
        """How many rows it was. Raises GuardFailed."""
        statement, values, guarded = write
        status = await self._raw.execute(statement.text, *statement.arguments(values))
        count = int(status.rpartition(" ")[2])
        if guarded is not None and count != guarded:
            raise GuardFailed(statement.text)
        return count

    async def write_all(self, writes: Iterable[Write]) -> None:
        """One after the other. While PostgreSQL is at one of them, the next is made ready: `writes` may be lazy."""
        under_way: asyncio.Task[int] | None = None
        try:
            for write in writes:
                if under_way:
                    await under_way
                under_way = asyncio.create_task(self.write(write))
                await asyncio.sleep(0)  # it is written,
                await asyncio.sleep(0)  # and sent
            if under_way:
                await under_way
        finally:
            if under_way and not under_way.done():
                under_way.cancel()
                with suppress(asyncio.CancelledError):
                    await under_way


async def begin(connection: AsyncConnection) -> None:
    """Start the transaction, on both sides: SQLAlchemy's own only starts with its first statement."""
    await connection.begin()
    adapter = _adapter(connection)
    if adapter._transaction is None:  # noqa: SLF001  (there is no other way; tests/persistence/test_driver.py watches)
        await adapter._start_transaction()  # noqa: SLF001


def _adapter(connection: AsyncConnection) -> Any:
    """What SQLAlchemy has put around the driver's connection."""
    return connection.sync_connection.connection.dbapi_connection  # type: ignore[union-attr]
