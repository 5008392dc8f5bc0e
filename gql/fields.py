"""Fields of the schema, for those who watch what they do."""

from collections.abc import Callable, Iterator
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

Resolver = Callable[..., Any]


def wrap_resolvers(schema: GraphQLSchema, wrap: Callable[[Resolver, str], Resolver]) -> None:
    """Put something around every resolver that is a field's own; the others only read an attribute.

    `wrap` is given the resolver and the field's coordinate, such as `Order.lines`.
    """
    for coordinate, field in _own_resolvers(schema):
        field.resolve = wrap(field.resolve, coordinate)


def _own_resolvers(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                definition = (field.extensions or {}).get("strawberry-definition")
                if field.resolve and definition is not None and definition.base_resolver is not None:
                    yield f"{kind.name}.{name}", field
