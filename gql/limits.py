"""What one document may ask for: how deep, under how many names, and how many objects in all.

Tokens are limited when the document is parsed, and introspection's depth by graphql-core's own rule. Everything else is
judged here, before the document is compared with the schema and before anything is executed: in one walk, and each
fragment once, so in a time that grows with the document and not with what it asks for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
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
DIRECTIVES_MAX = 50
FRAGMENTS_MAX = 50
INTROSPECTIONS_MAX = 1
REPEATS_MAX = 500
"""Pairs of fields of one answer name in one selection: validation compares each with each, and all that is in them."""
DIGITS_MAX = 100
COST_MAX = 50_000
"""Objects that one operation may ask for, as far as they can be counted before they are there, and list entries that it
may send."""
INTROSPECTION_COST = 1_000
LIST_LENGTH = 10
"""What a list that has no pages is counted as: the lines of an order, the levels of an item."""


class Limits:
    """Measures one document. Only its cost wants one that fits the schema."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def excess(self) -> str | None:
        """Why the document is too much, whatever its variables are."""
        counts = _Counts()
        visit(self._document, counts)
        for what, limit in _counted().items():
            if counts.of[what] > limit:
                return f"The document has {counts.of[what]:,} {what}; at most {limit:,} are taken."
        depths: dict[str, int] = {}
        for one in self._document.definitions:
            if isinstance(one, OperationDefinitionNode) and self._depth(one.selection_set, depths) > DEPTH_MAX:
                return f"The document is nested deeper than {DEPTH_MAX} fields."
        return None

    def cost(self, name: str, variables: Mapping[str, Any]) -> int:
        """About how many objects the operation asks for, with the entries of lists that are sent.

        `name`: empty for the one without a name.
        """
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
                    known[name] = 0  # what a fragment within itself is worth: validation tells the circle
                    fragment = self._fragments.get(name)
                    known[name] = self._depth(fragment.selection_set, known) if fragment else 0
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
        if node.name.value in INTROSPECTIONS:
            return INTROSPECTION_COST
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        field = fields.get(node.name.value)
        entries = sum(_entries(one.value, variables) for one in node.arguments or ())
        if field is None or node.selection_set is None:
            return entries
        inner = self._cost(node.selection_set, get_named_type(field.type), variables, known)
        return entries + _length(node, field, parent, variables) * (1 + inner)


def _entries(given: ValueNode, variables: Mapping[str, Any]) -> int:
    """Entries of all lists in an argument, whatever they turn out to be: each is one thing to look for, or to do."""
    found = 0
    rest: list[Any] = [given]  # no recursion: what a caller sends may be nested deeper than that goes
    while rest:
        one = rest.pop()
        if isinstance(one, VariableNode):
            rest.append(variables.get(one.name.value))
        elif isinstance(one, ObjectValueNode):
            rest += [field.value for field in one.fields]
        elif isinstance(one, dict):
            rest += one.values()
        elif isinstance(one, ListValueNode | list):
            inside = one if isinstance(one, list) else one.values
            found += len(inside)
            rest += inside
    return found


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


INTROSPECTIONS = ("__schema", "__type")


def _counted() -> Mapping[str, int]:
    """What is counted, and how many of it are taken."""
    return {
        "aliases": ALIASES_MAX,
        "directives": DIRECTIVES_MAX,
        "fragments": FRAGMENTS_MAX,
        "introspections": INTROSPECTIONS_MAX,
        "pairs of repeated fields": REPEATS_MAX,
        "digits in one number": DIGITS_MAX,
    }


class _Counts(Visitor):
    """Counts all of them in one walk."""

    def __init__(self) -> None:
        super().__init__()
        self.of: Counter[str] = Counter()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.of["aliases"] += node.alias is not None
        self.of["introspections"] += node.name.value in INTROSPECTIONS
        self._count_repeats(node.selection_set)

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        self._count_repeats(node.selection_set)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        self.of["fragments"] += 1
        self._count_repeats(node.selection_set)

    def enter_directive(self, *_: Any) -> None:
        self.of["directives"] += 1

    def enter_int_value(self, node: IntValueNode | FloatValueNode, *_: Any) -> None:
        self.of["digits in one number"] = max(self.of["digits in one number"], len(node.value))

    enter_float_value = enter_int_value

    def _count_repeats(self, selections: SelectionSetNode | None) -> None:
        names = Counter(_names(selections))
        self.of["pairs of repeated fields"] += sum(count * (count - 1) // 2 for count in names.values())


def _names(selections: SelectionSetNode | None) -> Iterator[str]:
    """Under which the fields of a selection are answered, with those of its inline fragments."""
    for one in selections.selections if selections else ():
        if isinstance(one, FieldNode):
            yield one.alias.value if one.alias else one.name.value
        elif isinstance(one, InlineFragmentNode):
            yield from _names(one.selection_set)
