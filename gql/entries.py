"""What the log and the figures have of a request: nothing that was sent but a name, and that only in its bounds."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from time import perf_counter
from typing import Any

from graphql import FieldNode, OperationDefinitionNode

from gql.execution import Operation, Refused
from services.callers import Caller

ENTRY = "dibs.entry"
"""Where the entry of a request is in its ASGI scope."""
NAME_LENGTH_MAX = 64
SEVERAL = "(several)"
"""In place of a field, where an operation begins with more than one, or with a fragment."""


@dataclass(slots=True)
class Entry:
    """One operation, or one request that never became one.

    - `way`: http, stream or socket.
    - `kind`: query, mutation or subscription.
    - `operation`: its name in the document, which the client chose; GraphQL's names have letters, digits and _ only.
    - `field`: with what it begins, as the schema names it.
    - `code`: of the first top-level error.
    """

    way: str
    kind: str = ""
    operation: str = ""
    field: str = ""
    actor: str = ""
    code: str = ""
    status: int = 0
    began: float = dataclass_field(default_factory=perf_counter)

    def is_from(self, caller: Caller) -> None:
        self.actor = caller.actor

    def asks(self, prepared: Operation | Refused) -> None:
        if isinstance(prepared, Refused):
            self.code = _code(prepared.errors)
            return
        self.kind = prepared.type.value
        self.operation = (prepared.name or "")[:NAME_LENGTH_MAX]
        self.field = _field(prepared.document.operations[prepared.name or ""])

    def is_answered(self, answer: dict[str, Any]) -> None:
        if errors := answer.get("errors"):
            self.code = _code(errors)


def _code(errors: list[dict[str, Any]]) -> str:
    return str(errors[0].get("extensions", {}).get("code", ""))


def _field(operation: OperationDefinitionNode) -> str:
    selections = operation.selection_set.selections
    if len(selections) == 1 and isinstance(selections[0], FieldNode):
        return selections[0].name.value
    return SEVERAL
