"""Documents in, answers out. Parsed and validated documents are kept: a small request costs little but its fields."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, cast

import orjson
import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    execute,
    execute_subscription_event,
    parse,
    validate,
)
from graphql import Executor as GraphQLExecutor

from domain.events import LoggedEvent
from gql.context import Context
from gql.errors import CODES, formatted, told
from gql.limits import COST_MAX, Limits
from gql.pagination import seek
from gql.schema.events import event_of
from gql.scopes import Asked, asked
from gql.streams import Wanted
from gql.trusted import plain, sha256
from gql.watching import Shape, Watch, shape
from services.callers import Caller

TOKENS_MAX = 1_000
ERRORS_MAX = 10
DOCUMENTS_MAX = 500
"""Documents that are kept, and only those of at most so many characters:"""
KEPT_DOCUMENT_LENGTH_MAX = 20_000

NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A document that fits the schema."""

    node: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    limits: Limits
    shapes: dict[str, Shape] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)

    def shape(self, name: str | None) -> Shape:
        """Of a subscription of this document; found out once."""
        name = name or ""
        if name not in self.shapes:
            self.shapes[name] = shape(self.node, self.operations[name])
        return self.shapes[name]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document, with its variables."""

    document: Document
    type: OperationType
    name: str | None
    variables: dict[str, Any]
    cost: int
    """About how many objects it asks for, and itself."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not executed, and why."""

    errors: list[dict[str, Any]]


class Executor:
    """Executes operations of one schema."""

    def __init__(
        self, schema: strawberry.Schema, *, suggestions: bool = True, trusted: Mapping[str, str] | None = None
    ) -> None:
        """`suggestions`: whether errors may name fields that the client did not (off in production).

        `trusted`: the documents that may be executed, by their hashes; None: all.
        """
        self.schema: GraphQLSchema = schema._schema  # noqa: SLF001  (Strawberry shows it nowhere else; a test watches)
        self._hide = not suggestions
        self._trusted = trusted
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def prepare(
        self, query: str, name: str | None, variables: dict[str, Any], document_id: str | None = None
    ) -> Operation | Refused:
        """Find the operation to execute. `document_id`: of a registered document; then `query` may be empty."""
        text = self._text(query, document_id)
        document = text if isinstance(text, Refused) else self._document(text)
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
        return Operation(document, document.operations[name].operation, name or None, variables, 1 + cost)

    def _text(self, query: str, document_id: str | None) -> str | Refused:
        """The document that is meant. Both may be given; then they have to be of each other."""
        if document_id is not None and query and plain(document_id) != sha256(query):
            return _refused(GraphQLError("The hash is not that of `query`."), code="BAD_USER_INPUT")
        if self._trusted is None:
            return query or _refused(GraphQLError(CODES[NOT_SUPPORTED]), code=NOT_SUPPORTED)
        text = self._trusted.get(sha256(query) if document_id is None else plain(document_id))
        return _refused(GraphQLError(CODES[NOT_TRUSTED]), code=NOT_TRUSTED) if text is None else text

    async def execute(self, operation: Operation, context: Context) -> Answer | Refused:
        """Execute a query or a mutation, if it is the caller's to ask for."""
        refused = self._refusal(operation, context.caller)
        if refused:
            return refused
        result = execute(
            self.schema,
            operation.document.node,
            context_value=context,
            variable_values=operation.variables,
            operation_name=operation.name,
            max_coercion_errors=ERRORS_MAX,
            hide_suggestions=self._hide,
        )
        writes = operation.type is OperationType.MUTATION
        answer = _answer(await result if isawaitable(result) else result, writes=writes)
        return answer | {"extensions": {"cost": operation.cost}}

    async def watch(self, operation: Operation, context: Context, seen: str | None = None) -> Wanted | Answer | Refused:
        """What a subscription asks for; an answer where that fails.

        `seen`: begin behind this cursor, if the subscription itself does not say where.
        """
        refused = self._refusal(operation, context.caller)
        if refused:
            return refused
        built = GraphQLExecutor.build(
            self.schema,
            operation.document.node,
            context_value=context,
            raw_variable_values=operation.variables,
            operation_name=operation.name,
            max_coercion_errors=ERRORS_MAX,
            hide_suggestions=self._hide,
        )
        if isinstance(built, list):
            return _answer(ExecutionResult(None, errors=built))
        found = create_source_event_stream(built)
        watch = cast("ExecutionResult | Watch[Any]", await found if isawaitable(found) else found)
        if isinstance(watch, ExecutionResult):
            return _answer(watch)
        behind = seek("log", seen if watch.after is None else watch.after, (int,))
        return Wanted(
            key=_sharing(operation, context),
            condition=watch.condition,
            visibility=context.caller.visibility,
            after=behind[0] if behind else None,
            is_last=watch.is_last,
            ended=watch.ended,
            tell=Teller(built, context).tell,
        )

    def _refusal(self, operation: Operation, caller: Caller) -> Refused | None:
        """Why the caller may not have this operation, of which nothing has been executed yet."""
        found = self._asked(operation).denied(caller.scopes, caller.visibility)
        if found is None:
            return None
        name, why = found
        if why.scope:
            message = f"`{name}` needs the scope {why.scope}, which this key does not have."
            return Refused([{"message": message, "extensions": {"code": "FORBIDDEN", "scope": why.scope}}])
        message = f"`{name}` is not for keys that are limited to {why.limit}."
        return Refused([{"message": message, "extensions": {"code": "FORBIDDEN", "limit": why.limit}}])

    def _asked(self, operation: Operation) -> Asked:
        document, name = operation.document, operation.name or ""
        if name not in document.asked:
            document.asked[name] = asked(self.schema, document.node, document.operations[name])
        return document.asked[name]

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
        limits = Limits(self.schema, node)
        if excess := limits.excess():  # before validation, whose time may grow with the square of the document
            return _refused(GraphQLError(excess), code="GRAPHQL_VALIDATION_FAILED")
        errors = validate(self.schema, node, max_errors=ERRORS_MAX, hide_suggestions=self._hide)
        if errors:
            return _refused(*errors[:ERRORS_MAX], code="GRAPHQL_VALIDATION_FAILED")
        definitions = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
        return Document(node, {one.name.value if one.name else "": one for one in definitions}, limits)


class Teller:
    """Executes one subscription for events. What it answers may be told to everybody who asks for the same."""

    def __init__(self, executor: GraphQLExecutor[Any], context: Context) -> None:
        self._executor = executor
        self._context = context

    async def tell(self, events: Sequence[LoggedEvent]) -> list[bytes]:
        """The answers, encoded. What they load is loaded for all of them together, and anew each time."""
        self._context.forget()
        found = [self._execute(event) for event in events]
        waiting = [one for one in found if isawaitable(one)]
        results = iter(await asyncio.gather(*waiting))
        return [_encoded(one if isinstance(one, ExecutionResult) else next(results)) for one in found]

    def _execute(self, event: LoggedEvent) -> ExecutionResult | Awaitable[ExecutionResult]:
        executor = self._executor.build_per_event_executor(event_of(event))
        # The copy shares graphql-core's notes on fields: each event adds its own, and nothing is ever taken away.
        executor._relevant_sub_fields = {}  # noqa: SLF001
        return execute_subscription_event(executor)


def _encoded(result: ExecutionResult) -> bytes:
    try:
        return orjson.dumps(_answer(result))
    except orjson.JSONEncodeError as error:
        return orjson.dumps(told(error))


def _sharing(operation: Operation, context: Context) -> Hashable:
    """Equal for those who are told the same, wherever they begin, and may see the same."""
    shape = operation.document.shape(operation.name)
    given = {name: operation.variables[name] for name in shape.variables if name in operation.variables}
    variables = orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()  # the bytes would hold 4 kB
    return (shape.text, operation.name, variables, context.caller.visibility)


def _refused(*errors: GraphQLError, code: str) -> Refused:
    return Refused([formatted(error, code) for error in errors])


def _answer(result: ExecutionResult, *, writes: bool = False) -> Answer:
    if not result.errors:
        return {"data": result.data}
    errors = [formatted(error, writes=writes) for error in result.errors[:ERRORS_MAX]]
    return {"errors": errors, "data": result.data}
