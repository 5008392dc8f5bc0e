"""What one document may ask for: how deep, under how many names, and how many objects in all.

Tokens are limited when the document is parsed, and introspection by graphql-core's own rule. Everything here is judged
before anything is executed, in a time that grows with the document and not with what it asks for.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_list_type,
    visit,
)

from gql.pagination import PAGE_MAX

DEPTH_MAX = 10
ALIASES_MAX = 15
COST_MAX = 50_000
"""Objects that one operation may ask for, as far as they can be counted before they are there."""
LIST_LENGTH = 10
"""What a list that has no pages is counted as: the lines of an order, the levels of an item."""


class Limits:
    """Measures one document that fits the schema."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def excess(self) -> str | None:
        """Why the document is too much, whatever its variables are."""
        aliases = _Aliases()
        visit(self._document, aliases)
        if aliases.count > ALIASES_MAX:
            return f"The document has {aliases.count} aliases; at most {ALIASES_MAX} are taken."
        depths: dict[str, int] = {}
        for one in self._document.definitions:
            if isinstance(one, OperationDefinitionNode) and self._depth(one.selection_set, depths) > DEPTH_MAX:
                return f"The document is nested deeper than {DEPTH_MAX} fields."
        return None

    def cost(self, name: str, variables: Mapping[str, Any]) -> int:
        """About how many objects the operation asks for. `name`: empty for the one without a name."""
        (operation,) = (
            one
            for one in self._document.definitions
            if isinstance(one, OperationDefinitionNode) and (one.name.value if one.name else "") == name
        )
        root = self._schema.get_root_type(operation.operation)
        return self._cost(operation.selection_set, root, variables, {})

    def _depth(self, selections: SelectionSetNode | None, known: dict[str, int]) -> int:
        deepest = 0
        for one in selections.selections if selections else ():
            if isinstance(one, FieldNode):
                depth = 0 if one.name.value.startswith("__") else 1 + self._depth(one.selection_set, known)
            elif isinstance(one, InlineFragmentNode):
                depth = self._depth(one.selection_set, known)
            else:
                assert isinstance(one, FragmentSpreadNode)
                name = one.name.value
                if name not in known:
                    known[name] = self._depth(self._fragments[name].selection_set, known)
                depth = known[name]
            deepest = max(deepest, depth)
        return deepest

    def _cost(
        self,
        selections: SelectionSetNode,
        parent: GraphQLNamedType | None,
        variables: Mapping[str, Any],
        known: dict[str, int],
    ) -> int:
        total = 0
        for one in selections.selections:
            if isinstance(one, FieldNode):
                total += self._field_cost(one, parent, variables, known)
            elif isinstance(one, InlineFragmentNode):
                on = self._schema.get_type(one.type_condition.name.value) if one.type_condition else parent
                total += self._cost(one.selection_set, on, variables, known)
            else:
                assert isinstance(one, FragmentSpreadNode)
                name = one.name.value
                if name not in known:
                    fragment = self._fragments[name]
                    on = self._schema.get_type(fragment.type_condition.name.value)
                    known[name] = self._cost(fragment.selection_set, on, variables, known)
                total += known[name]
        return total

    def _field_cost(
        self, node: FieldNode, parent: GraphQLNamedType | None, variables: Mapping[str, Any], known: dict[str, int]
    ) -> int:
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        field = fields.get(node.name.value)
        if field is None or node.selection_set is None:
            return 0
        inner = self._cost(node.selection_set, get_named_type(field.type), variables, known)
        return _length(node, field, parent, variables) * (1 + inner)


def _length(node: FieldNode, field: GraphQLField, parent: GraphQLNamedType | None, variables: Mapping[str, Any]) -> int:
    """How many objects stand behind the field: a page's are counted where the page is asked for."""
    if "first" in field.args:
        return _page_size(node, field, variables)
    in_a_page = parent is not None and parent.name.endswith("Connection")
    return LIST_LENGTH if is_list_type(get_nullable_type(field.type)) and not in_a_page else 1


def _page_size(node: FieldNode, field: GraphQLField, variables: Mapping[str, Any]) -> int:
    """`first` as far as it can be known here; nonsense is refused elsewhere."""
    value: Any = field.args["first"].default_value
    for argument in node.arguments or ():
        if argument.name.value == "first":
            if isinstance(argument.value, IntValueNode):
                value = int(argument.value.value[:6])
            elif isinstance(argument.value, VariableNode):
                value = variables.get(argument.value.name.value, PAGE_MAX)
    return min(value, PAGE_MAX) if isinstance(value, int) and value > 0 else 1


class _Aliases(Visitor):
    """Counts them."""

    count = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.count += node.alias is not None
