"""Documents in, answers out. Parsed and validated documents are kept: a small request costs little but its fields."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    subscribe,
    validate,
)

from gql.context import Context
from gql.errors import formatted
from gql.limits import COST_MAX, Limits

TOKENS_MAX = 1_000
ERRORS_MAX = 10
DOCUMENTS_MAX = 500
"""Documents that are kept, and only those of at most so many characters:"""
KEPT_DOCUMENT_LENGTH_MAX = 20_000

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A document that fits the schema."""

    node: DocumentNode
    operations: Mapping[str, OperationType]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document, with its variables."""

    document: Document
    type: OperationType
    name: str | None
    variables: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not executed, and why."""

    errors: list[dict[str, Any]]


class Executor:
    """Executes operations of one schema."""

    def __init__(self, schema: strawberry.Schema, *, suggestions: bool = True) -> None:
        """`suggestions`: whether errors may name fields that the client did not (off in production)."""
        self.schema: GraphQLSchema = schema._schema  # noqa: SLF001  (Strawberry shows it nowhere else; a test watches)
        self._hide = not suggestions
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def prepare(self, query: str, name: str | None, variables: dict[str, Any]) -> Operation | Refused:
        """Find the operation to execute."""
        document = self._document(query)
        if isinstance(document, Refused):
            return document
        if name is None and len(document.operations) == 1:
            name = next(iter(document.operations))
        if name is None or name not in document.operations:
            message = "The document has several operations: `operationName` must say which."
            if name is not None:
                message = "The document has no operation of the name that `operationName` gives."
            return _refused(GraphQLError(message), code="BAD_USER_INPUT")
        cost = document.limits.cost(name, variables)
        if cost > COST_MAX:
            message = f"This asks for about {cost:,} objects; at most {COST_MAX:,} are given at once. Ask for fewer."
            return _refused(GraphQLError(message), code="GRAPHQL_VALIDATION_FAILED")
        return Operation(document, document.operations[name], name or None, variables)

    async def execute(self, operation: Operation, context: Context) -> Answer:
        """Execute a query or a mutation."""
        result = execute(
            self.schema,
            operation.document.node,
            context_value=context,
            variable_values=operation.variables,
            operation_name=operation.name,
            max_coercion_errors=ERRORS_MAX,
            hide_suggestions=self._hide,
        )
        return _answer(await result if isawaitable(result) else result)

    async def subscribe(self, operation: Operation, context: Context) -> AsyncGenerator[Answer, None]:
        """Execute a subscription; an answer an event. Raises what its source raises."""
        found = subscribe(
            self.schema,
            operation.document.node,
            context_value=context,
            variable_values=operation.variables,
            operation_name=operation.name,
            max_coercion_errors=ERRORS_MAX,
            hide_suggestions=self._hide,
        )
        results = await found if isawaitable(found) else found
        if isinstance(results, ExecutionResult):
            yield _answer(results)
            return
        async with aclosing(cast("AsyncGenerator[ExecutionResult, None]", results)) as stream:
            async for result in stream:
                yield _answer(result)

    def _document(self, query: str) -> Document | Refused:
        kept = self._kept.get(query)
        if kept is not None:
            self._kept.move_to_end(query)
            return kept
        found = self._parse(query)
        if isinstance(found, Document) and len(query) <= KEPT_DOCUMENT_LENGTH_MAX:
            self._kept[query] = found
            if len(self._kept) > DOCUMENTS_MAX:
                self._kept.popitem(last=False)
        return found

    def _parse(self, query: str) -> Document | Refused:
        try:
            node = parse(query, max_tokens=TOKENS_MAX)
        except GraphQLSyntaxError as error:
            return _refused(error, code="GRAPHQL_PARSE_FAILED")
        errors = validate(self.schema, node, max_errors=ERRORS_MAX, hide_suggestions=self._hide)
        if errors:
            return _refused(*errors[:ERRORS_MAX], code="GRAPHQL_VALIDATION_FAILED")
        limits = Limits(self.schema, node)
        if excess := limits.excess():
            return _refused(GraphQLError(excess), code="GRAPHQL_VALIDATION_FAILED")
        definitions = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
        return Document(node, {one.name.value if one.name else "": one.operation for one in definitions}, limits)


def _refused(*errors: GraphQLError, code: str) -> Refused:
    return Refused([formatted(error, code) for error in errors])


def _answer(result: ExecutionResult) -> Answer:
    if not result.errors:
        return {"data": result.data}
    errors = [formatted(error) for error in result.errors[:ERRORS_MAX]]
    return {"errors": errors, "data": result.data}
