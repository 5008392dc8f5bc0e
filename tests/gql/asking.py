"""Documents made from the schema: everything that an operation can answer, and every argument that it takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    ast_from_value,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
)

from domain.access import Scope
from gql.api import create_schema
from gql.scopes import scopes_of
from tests.builders import a_key

SCHEMA = create_schema()._schema
DEEP, SHALLOW = 5, 2
"""How far an answer is followed; a type that was come through already is not gone through again."""
Path = tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """A field of Query, Mutation or Subscription."""

    root: GraphQLObjectType
    name: str

    @property
    def field(self) -> GraphQLField:
        return self.root.fields[self.name]

    @property
    def called(self) -> str:
        return f"{self.root.name}.{self.name}"

    def document(self, scopes: frozenset[Scope], depth: int) -> str:
        """It asks for everything that somebody with these scopes may ask for."""
        arguments = self.field.args
        defined = ", ".join(f"${name}: {one.type}{_default(one)}" for name, one in arguments.items())
        given = ", ".join(f"{name}: ${name}" for name in arguments)
        answer = selection(get_named_type(self.field.type), scopes, depth, ())
        head = f"({defined})" if defined else ""
        return f"{self.root.name.lower()} Asked{head} {{ {self.name}{f'({given})' if given else ''} {answer} }}"

    def variables(self, known: Mapping[str, Any], put: Path = (), value: object = None) -> dict[str, Any]:
        """The required ones, and what stands at the path."""
        found = {}
        for name, argument in self.field.args.items():
            if is_required_argument(argument) or put[:1] == (name,):
                here = put[:1] == (name,)
                found[name] = _value(argument.type, name, known, put[1:] if here else (), value if here else None)
        return found

    def leaves(self) -> Iterator[tuple[Path, str]]:
        """Every place in the arguments where an id or a text can stand."""
        for name, argument in self.field.args.items():
            yield from _leaves(argument.type, (name,), ())


def _default(argument: GraphQLArgument) -> str:
    value = argument.default_value
    found = ast_from_value(value, argument.type) if value not in (Undefined, None) else None
    return f" = {print_ast(found)}" if found else ""


def operations(root: GraphQLObjectType | None) -> list[Operation]:
    return [Operation(root, name) for name in root.fields] if root else []


@cache
def selection(kind: GraphQLNamedType, scopes: frozenset[Scope], depth: int, through: tuple[str, ...]) -> str:
    if isinstance(kind, GraphQLObjectType):
        return f"{{ __typename {_fields(kind, scopes, depth, through)} }}"
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        possible = SCHEMA.get_possible_types(kind)
        parts = (f"... on {one.name} {{ {_fields(one, scopes, depth, through)} __typename }}" for one in possible)
        return f"{{ __typename {' '.join(parts)} }}"
    return ""


def _fields(kind: GraphQLObjectType, scopes: frozenset[Scope], depth: int, through: tuple[str, ...]) -> str:
    """Each under a name of its own, since members of a union may mean different things by the same one."""
    parts = []
    for name, field in kind.fields.items():
        wanted = scopes_of(kind, name)
        inner = get_named_type(field.type)
        is_leaf = not isinstance(inner, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        if (wanted and not scopes.intersection(wanted)) or any(map(is_required_argument, field.args.values())):
            continue
        if is_leaf:
            parts.append(f"{kind.name}_{name}: {name}")
        elif depth and inner.name not in through:
            answer = selection(inner, scopes, depth - 1, (*through, inner.name))
            parts.append(f"{kind.name}_{name}: {name} {answer}")
    return " ".join(parts)


def _leaves(kind: GraphQLInputType, path: Path, through: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    inner = get_named_type(kind)
    if isinstance(inner, GraphQLInputObjectType):
        for name, field in inner.fields.items():
            if inner.name not in through:
                yield from _leaves(field.type, (*path, name), (*through, inner.name))
    elif inner.name in {"ID", "String"}:
        yield path, inner.name


def _value(kind: GraphQLInputType, name: str, known: Mapping[str, Any], put: Path, value: object) -> Any:
    """`put`: the rest of the path; empty at its end, or where nothing is to be put."""
    if is_non_null_type(kind):
        return _value(kind.of_type, name, known, put, value)
    if is_list_type(kind):
        return [_value(kind.of_type, name, known, put, value)]
    if isinstance(kind, GraphQLInputObjectType):
        return _object(kind, known, put, value)
    if value is not None and not put:
        return value
    return _plain(kind, name, known)


def _object(kind: GraphQLInputObjectType, known: Mapping[str, Any], put: Path, value: object) -> dict[str, Any]:
    wanted = [name for name, field in kind.fields.items() if is_required_input_field(field) or put[:1] == (name,)]
    if kind.is_one_of and not wanted:
        wanted = [next(iter(kind.fields))]
    return {
        name: _value(
            kind.fields[name].type,
            name,
            known,
            put[1:] if put[:1] == (name,) else NOWHERE,
            value if put[:1] == (name,) else None,
        )
        for name in wanted
    }


A_WHILE_AGO = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
NOWHERE: Path = ("",)
FRESH = {"idempotencyKey", "commandId", "number"}
"""Another one each time, so that nothing is refused for having been there before."""


def _plain(kind: object, name: str, known: Mapping[str, Any]) -> Any:
    if name in FRESH:
        return a_key()
    if name in known:
        return known[name]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    plain = {"Int": 1, "Float": 1.0, "Boolean": True, "Decimal": "1.00", "DateTime": A_WHILE_AGO}
    return plain.get(getattr(kind, "name", ""), "x")
