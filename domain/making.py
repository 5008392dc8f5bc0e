"""Facts that are made by the thousand."""

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")

FACTORY = object()
"""The default of a field whose default is made anew for each object."""


def quickly_made(cls: type[T]) -> type[T]:
    """The same frozen, slotted, keyword-only dataclass, made in less than half of the time.

    The constructor that Python gives a frozen dataclass looks `object.__setattr__` up and calls it by name for each
    field. This one has the setters of the slots at hand. Nothing else changes: it is as frozen as before.
    """
    known: dict[str, Any] = {"FACTORY": FACTORY}
    parameters, body = [], []
    for field in fields(cls):  # type: ignore[arg-type]
        parameters.append(_parameter(field, known))
        body.append(_statement(field))
        known[f"set_{field.name}"] = getattr(cls, field.name).__set__
    signature = ", ".join(parameters)
    lines = [f"def __init__(self, *, {signature}):", *body] if body else ["def __init__(self): pass"]
    exec("\n".join(lines), known)  # noqa: S102  (as dataclasses does; of names of fields and nothing else)
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = cls.__init__.__annotations__
    type.__setattr__(cls, "__init__", made)
    return cls


def _parameter(field: "Field[Any]", known: dict[str, Any]) -> str:
    if field.default_factory is not MISSING:
        known[f"make_{field.name}"] = field.default_factory
        return f"{field.name}=FACTORY"
    if field.default is not MISSING:
        known[f"default_{field.name}"] = field.default
        return f"{field.name}=default_{field.name}"
    return field.name


def _statement(field: "Field[Any]") -> str:
    if field.default_factory is MISSING:
        return f"    set_{field.name}(self, {field.name})"
    return f"    set_{field.name}(self, make_{field.name}() if {field.name} is FACTORY else {field.name})"
