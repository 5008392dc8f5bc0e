"""Outcomes as JSON: what an idempotency key remembers. Dataclasses of ids and numbers; objects are read live."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from domain.errors import REFUSALS, DomainError

KIND = "$refusal"
"""Says in JSON which refusal it is; no field has this name."""
KINDS: dict[str, type[DomainError]] = {refusal.__name__: refusal for refusal in REFUSALS}


def to_json(value: Any) -> Any:
    """Dataclasses as objects; a refusal says which one it is."""
    return orjson.loads(to_text(value))


def to_text(value: Any) -> str:
    """The JSON of `to_json` as text."""
    return orjson.dumps(value, default=_shallow, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()


def _shallow(value: Any) -> Any:
    """A dataclass or a refusal as an object, and what is in it as it is."""
    kind = type(value)
    if kind is Decimal:
        return str(value)
    names = _names(kind)
    if names is None:
        raise TypeError(f"{kind.__name__} is no outcome")
    made = {name: getattr(value, name) for name in names}
    return {KIND: kind.__name__} | made if isinstance(value, DomainError) else made


def from_json(kind: Any, value: Any) -> Any:
    """The value of this type that `to_json` made the JSON from."""
    kind = getattr(kind, "__supertype__", kind)
    if value is None:
        return None
    if isinstance(value, dict) and KIND in value:
        refusal = KINDS[value[KIND]]
        return refusal(**{name: from_json(hint, value[name]) for name, hint in _hints(refusal)})
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one not in (type(None), DomainError))
        return from_json(kind, value)
    if get_origin(kind) is tuple:
        of = get_args(kind)
        kinds = [of[0]] * len(value) if of[-1] is Ellipsis else of
        return tuple(from_json(one, item) for one, item in zip(kinds, value, strict=True))
    if isinstance(kind, type) and is_dataclass(kind):
        # An older release has kept it without the fields that came later.
        return kind(**{name: from_json(hint, value[name]) for name, hint in _hints(kind) if name in value})
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is date:
        return date.fromisoformat(value)
    if kind is Decimal:
        return Decimal(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value


@cache
def _names_of(kind: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass, and of a refusal that carries none; None for everything else."""
    if is_dataclass(kind):
        return tuple(one.name for one in fields(kind))
    return () if issubclass(kind, DomainError) else None


@cache
def _hints_of(kind: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [(one.name, hints[one.name]) for one in fields(kind)]


_names: Callable[[Any], tuple[str, ...] | None] = _names_of
_hints: Callable[[Any], list[tuple[str, Any]]] = _hints_of
