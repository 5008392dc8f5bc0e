"""What a subscription asks for, and when two ask for the same."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    print_ast,
    visit,
)

from domain.events import Event
from gql.streams import Ended
from services.ports.events import EventFilter

T = TypeVar("T", covariant=True)

START = "after"
"""The argument of a subscription's field that only says where to begin."""


def never(_: Event) -> bool:
    return False


async def going_on() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Watch(Generic[T]):
    """What a field wants to be told of the log. `is_last`: nothing comes behind this event.

    `ended`: whether that has been told already, asked once whatever comes later would be told. None: it goes on; else
    the last event, or nothing where the log no longer has it.

    GraphQL calls it a source stream. It is the hub that reads the log and executes, once for everybody who wants the
    same, so this is never iterated; it only has to look as if it could be.
    """

    condition: EventFilter
    after: str | None = None
    is_last: Callable[[Event], bool] = never
    ended: Ended = going_on

    def __aiter__(self) -> AsyncIterator[T]:
        raise TypeError("the hub reads the log")


@dataclass(frozen=True, slots=True)
class Shape:
    """A subscription but for where it begins: its document, and the variables that matter to what it is told."""

    text: str
    variables: tuple[str, ...]


def shape(document: DocumentNode, operation: OperationDefinitionNode) -> Shape:
    start = _start(operation)
    without = visit(document, _Without(start, ())) if start else document
    used = _used(without)
    dropped = tuple(name for name in _names(start.value) if name not in used) if start else ()
    if dropped:
        without = visit(without, _Without(None, dropped))
    defined = [one.variable.name.value for one in operation.variable_definitions or ()]
    return Shape(print_ast(without), tuple(sorted(name for name in defined if name not in dropped)))


def _start(operation: OperationDefinitionNode) -> ArgumentNode | None:
    """Where the subscription begins, if its field says so itself, and not in a fragment."""
    field = operation.selection_set.selections[0]
    arguments = field.arguments or () if isinstance(field, FieldNode) else ()
    return next((one for one in arguments if one.name.value == START), None)


def _names(value: Any) -> tuple[str, ...]:
    return (value.name.value,) if isinstance(value, VariableNode) else ()


def _used(document: DocumentNode) -> set[str]:
    """The variables that the document uses, beside defining them."""
    found = _Used()
    visit(document, found)
    return found.names


class _Used(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, *_: Any) -> None:
        if not isinstance(parent, VariableDefinitionNode):
            self.names.add(node.name.value)


class _Without(Visitor):
    """Leaves an argument and definitions of variables out."""

    def __init__(self, argument: ArgumentNode | None, variables: tuple[str, ...]) -> None:
        super().__init__()
        self._argument = argument
        self._variables = variables

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        return REMOVE if node is self._argument else None

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
        return REMOVE if node.variable.name.value in self._variables else None
