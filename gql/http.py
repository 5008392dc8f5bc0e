"""GraphQL over HTTP: POST of application/json, answered as JSON or as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gql.accept import EVENT_STREAM, JSON, RESPONSE_JSON, preferred
from gql.entries import ENTRY, Entry
from gql.errors import ApiError, error_body, told
from gql.event_stream import EventStream, all_at_once
from gql.execution import Answer, Operation, Refused
from gql.parts import Parts
from gql.streams import Wanted
from services.callers import Caller
from services.ports.database import Busy, OutcomeUnknown

log = logging.getLogger("dibs.http")

BODY_BYTES_MAX = 256_000
BODY_SECONDS_MAX = 30
"""For a client to send a body."""
REQUEST_SECONDS_MAX = 60


class Unacceptable(Exception):
    """A request that never becomes an operation."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The body of a GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    document_id: str | None = None
    """Of a registered document; then `query` may be empty."""


class HttpEndpoint:
    """Answers POST /graphql."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.stopping = asyncio.Event()
        """Ends what would otherwise never end."""

    async def __call__(self, request: Request) -> Response:
        entry: Entry = request.scope[ENTRY]
        try:
            _check_content(request)
            caller = await self._parts.authenticate(bearer(request.headers.get("authorization")) or "")
            if caller is None:
                raise Unacceptable(401, "UNAUTHENTICATED", UNAUTHENTICATED)
            entry.is_from(caller)
            self._parts.spending.check(caller)
            return await self._answer(request, caller, parse_body(await _body(request)), entry)
        except Unacceptable as refusal:
            headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
            return _response(request, error_body(refusal.code, str(refusal)), refusal.status, headers)
        except ApiError as error:  # the key has to wait
            wait = {"Retry-After": str(-(-error.extensions["retryAfterMs"] // 1000))}
            return _response(request, told(error), 429, wait)
        except ClientDisconnect:
            return Response(status_code=499)
        except asyncio.CancelledError:
            if not self.stopping.is_set():
                raise
            return _response(request, told(OutcomeUnknown()), 503)  # the process ends, and cannot wait for it
        except (Busy, OutcomeUnknown) as error:
            return _response(request, told(error), 503)
        except Exception as error:
            return _response(request, told(error), 500)

    async def _answer(self, request: Request, caller: Caller, body: HttpRequest, entry: Entry) -> Response:
        operation = self._parts.executor.prepare(body.query, body.operation_name, body.variables, body.document_id)
        entry.asks(operation)
        await self._parts.spending.pay(caller, operation)
        if isinstance(operation, Refused):
            return _refused(request, operation)
        if operation.type is OperationType.SUBSCRIPTION:
            entry.way = "stream"
            return await self._stream(request, caller, operation)
        try:
            async with in_time():
                answer = await self._parts.executor.execute(operation, self._parts.make_context(caller))
        except ApiError as error:
            raise Unacceptable(503, error.code, str(error)) from None
        if isinstance(answer, Refused):
            return _refused(request, answer)
        return _outcome(request, answer, refused="data" in answer and answer["data"] is None)

    async def _stream(self, request: Request, caller: Caller, operation: Operation) -> Response:
        """However little the client likes a stream: a subscription cannot be answered otherwise."""
        if preferred(_accept(request), (EVENT_STREAM,)) is None:
            raise Unacceptable(400, "BAD_USER_INPUT", NO_STREAM)
        context, seen = self._parts.make_context(caller), request.headers.get("last-event-id") or None
        try:
            found = await self._parts.executor.watch(operation, context, seen)
        except ApiError as error:
            return all_at_once(told(error))
        if isinstance(found, Refused):
            return all_at_once({"errors": found.errors})
        if isinstance(found, Wanted):
            return EventStream(self._parts, caller, found, self.stopping)
        return all_at_once(found)


NO_STREAM = (
    "Subscriptions go over a WebSocket to this address (graphql-transport-ws), or as server-sent events "
    "(`Accept: text/event-stream`)."
)
UNAUTHENTICATED = "Send a valid API key as `Authorization: Bearer <key>`."


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """A query or a mutation, over HTTP or a socket, ends. Raises ApiError."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS_MAX):
            yield
    except TimeoutError:
        message = "This took too long. What it changed, if anything, its idempotency key will tell."
        raise ApiError("OUTCOME_UNKNOWN", message) from None


def bearer(header: str | None) -> str | None:
    """The key of an Authorization header."""
    scheme, _, key = (header or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def parse_body(raw: bytes) -> HttpRequest:
    """Raises Unacceptable."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Unacceptable(400, "BAD_USER_INPUT", f"The body is not JSON: {error}.") from None
    return parse_request(body)


def parse_request(body: object) -> HttpRequest:
    """A GraphQL request, as HTTP bodies and subscribe messages carry it. Raises Unacceptable."""
    if not isinstance(body, dict):
        raise Unacceptable(400, "BAD_USER_INPUT", "A request is one JSON object with `query`; batches are not taken.")
    query, name, variables = body.get("query"), body.get("operationName"), body.get("variables")
    document_id = _document_id(body)
    if query is None and document_id:
        query = ""
    elif not isinstance(query, str) or not query.strip():
        raise Unacceptable(400, "BAD_USER_INPUT", "`query` must be a GraphQL document.")
    if not isinstance(name, str | None):
        raise Unacceptable(400, "BAD_USER_INPUT", "`operationName` must be text.")
    if not isinstance(variables, dict | None):
        raise Unacceptable(400, "BAD_USER_INPUT", "`variables` must be an object.")
    return HttpRequest(query, name, variables or {}, document_id)


def _document_id(body: dict[str, Any]) -> str | None:
    """The hash of a registered document: `documentId`, or as Apollo's clients send it."""
    extensions = body.get("extensions")
    if not isinstance(extensions, dict | None):
        raise Unacceptable(400, "BAD_USER_INPUT", "`extensions` must be an object.")
    persisted = (extensions or {}).get("persistedQuery")
    hashed = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    found = body.get("documentId", hashed)
    if not isinstance(found, str | None):
        raise Unacceptable(400, "BAD_USER_INPUT", "The id of a document must be text.")
    return found or None


def _check_content(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json":
        raise Unacceptable(415, "BAD_USER_INPUT", "Send the request as application/json.")
    if "charset" in parameters and "utf-8" not in parameters:
        raise Unacceptable(415, "BAD_USER_INPUT", "Send the request in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unacceptable(415, "BAD_USER_INPUT", "Send the request uncompressed.")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise Unacceptable(413, "BAD_USER_INPUT", f"A request has at most {BODY_BYTES_MAX:,} bytes.")
    except TimeoutError:
        raise Unacceptable(408, "BAD_USER_INPUT", "The body of the request did not arrive in time.") from None
    return bytes(body)


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept"))


def _speaks_response_json(request: Request) -> bool:
    return preferred(_accept(request), (JSON, RESPONSE_JSON)) == RESPONSE_JSON


def _refused(request: Request, refused: Refused) -> Response:
    return _outcome(request, {"errors": refused.errors}, refused=True)


def _outcome(request: Request, answer: Answer, *, refused: bool) -> Response:
    """What came of an operation that is no subscription. `refused`: there is no data at all."""
    if preferred(_accept(request), (JSON, RESPONSE_JSON, EVENT_STREAM)) == EVENT_STREAM:
        entry: Entry = request.scope[ENTRY]
        entry.is_answered(answer)
        return all_at_once(answer)
    return _response(request, answer, 400 if refused and _speaks_response_json(request) else 200)


def _response(request: Request, body: Answer, status: int, headers: dict[str, str] | None = None) -> Response:
    entry: Entry = request.scope[ENTRY]
    entry.is_answered(body)
    kind = RESPONSE_JSON if _speaks_response_json(request) else JSON
    return Response(orjson.dumps(body), status, headers, f"{kind}; charset=utf-8")
