"""SQL text with typed parameters. A Python list becomes one array parameter, whatever its length."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    TextClause,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

BIGINTS, INTS, TEXTS, FLAGS = ARRAY(BigInteger), ARRAY(Integer), ARRAY(Text), ARRAY(Boolean)
NUMERICS, BYTE_STRINGS, TIMES = ARRAY(Numeric), ARRAY(LargeBinary), ARRAY(DateTime(timezone=True))
BIGINT, INT, TEXT, JSON, TIME = BigInteger(), Integer(), Text(), JSONB(), DateTime(timezone=True)


def sql(statement: str, **types: TypeEngine[Any]) -> TextClause:
    """A statement whose `:name` parameters have these types."""
    return text(statement).bindparams(*(bindparam(name, type_=kind) for name, kind in types.items()))


def columns(rows: Iterable[Sequence[Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Rows turned into one list a column, to be sent as arrays."""
    turned = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, turned, strict=True)}


def one_of(kind: Iterable[str]) -> str:
    """These names, and no other, as SQL has it behind IN."""
    return "(" + ", ".join(f"'{name}'" for name in kind) + ")"
