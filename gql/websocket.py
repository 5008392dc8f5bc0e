"""GraphQL over WebSocket: the protocol `graphql-transport-ws`.

A malformed frame costs one clean close; a bad operation ends that operation and not the socket.
"""

import asyncio
import logging
from collections.abc import Collection
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson
from graphql import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from gql.context import Context
from gql.entries import Entry
from gql.errors import error_body, masked, told
from gql.execution import Answer, Operation, Refused
from gql.http import Unacceptable, bearer, in_time, parse_request
from gql.line import CloseSocket, Line
from gql.outbox import ClientGone
from gql.parts import Parts
from gql.streams import Frame, Told, Wanted
from services.callers import Caller
from services.ports.database import Busy, OutcomeUnknown

log = logging.getLogger("dibs.websocket")

PROTOCOL = "graphql-transport-ws"
OPERATIONS_MAX = 20
SHARED_IDS_MAX = 16
"""Ids of operations whose messages are kept while one event is told."""


class OperationRefused(Exception):
    """An operation that is not executed; its socket stays open."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors

    @classmethod
    def with_message(cls, message: str) -> "OperationRefused":
        return cls([{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}])


class WebSocketEndpoint:
    """Answers the WebSocket at /graphql."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, socket: WebSocket) -> None:
        if not may_open(socket.headers.get("origin"), socket.headers.get("host"), self._parts.origins):
            await socket.close()  # before it is accepted: the handshake is answered with 403
            return
        if PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(PROTOCOL)
        await Connection(socket, self._parts).run()


def may_open(origin: str | None, host: str | None, origins: Collection[str]) -> bool:
    """Whether a page of this origin may open a socket. Who is no browser sends none."""
    if origin is None or "*" in origins or origin.lower() in origins:
        return True
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # brackets that hold no address
        return False


class Connection:
    """One client."""

    def __init__(self, socket: WebSocket, parts: Parts) -> None:
        self._line = Line(socket)
        self._parts = parts
        self._caller: Caller | None = None
        self._initialised = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._watching = ExitStack()

    async def run(self) -> None:
        """Serve until either side closes."""
        try:
            with self._watching:
                await self._line.listen(self._handle)
        except CloseSocket as close:
            log.info("closed a socket: %d %s", close.code, close.reason)
            await self._close(close.code, close.reason)
        except (WebSocketDisconnect, ClientGone):
            pass
        except (Busy, OutcomeUnknown):
            await self._close(1013, "Try again later")
        except Exception as error:
            await self._close(1011, masked(error)[0])
        finally:
            await self._end_operations()

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self._initialise(message.get("payload"))
            case "ping":
                await self._pong(_payload(message))
            case "pong":
                _payload(message)
            case "subscribe":
                await self._begin(_id(message), message.get("payload"))
            case "complete":
                await self._end(_id(message))
            case _:
                raise CloseSocket(4400, "Unknown message type")

    async def _initialise(self, payload: object) -> None:
        if self._initialised:
            raise CloseSocket(4429, "Too many initialisation requests")
        self._initialised = True
        if not isinstance(payload, dict | None):
            raise CloseSocket(4400, "The payload of connection_init is an object")
        header = (payload or {}).get("authorization", (payload or {}).get("Authorization"))
        caller = await self._parts.authenticate(bearer(header if isinstance(header, str) else None) or "")
        if caller is None:
            raise CloseSocket(4403, "Forbidden")
        self._caller = caller
        self._watching.enter_context(self._parts.watched(caller, partial(self._line.close_soon, 4403, "Forbidden")))
        self._line.is_known()
        await self._line.send({"type": "connection_ack"})

    async def _pong(self, payload: dict[str, Any] | None) -> None:
        message = {"type": "pong"} | ({} if payload is None else {"payload": payload})
        try:
            orjson.dumps(message)
        except orjson.JSONEncodeError:  # what can be read can be nested deeper than what can be written
            raise CloseSocket(4400, "The payload of a ping or pong is nested too deeply") from None
        await self._line.send(message)

    # ------------------------------------------------------------ operations

    async def _begin(self, operation: str, payload: object) -> None:
        if self._caller is None:
            raise CloseSocket(4401, "Unauthorized")
        if operation in self._operations:
            raise CloseSocket(4409, f"Subscriber for {operation} already exists")
        if len(self._operations) >= OPERATIONS_MAX:  # told here, so that whoever asks on and on has to wait
            refusal = error_body("BAD_USER_INPUT", f"A connection runs at most {OPERATIONS_MAX} operations at once.")
            await self._line.send({"type": "error", "id": operation, "payload": refusal["errors"]})
            return
        task = asyncio.create_task(self._run(operation, payload, self._caller))
        self._operations[operation] = task

    async def _end(self, operation: str) -> None:
        task = self._operations.pop(operation, None)
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, operation: str, payload: object, caller: Caller) -> None:
        """Execute one operation; whatever it raises ends it and nothing else."""
        entry = Entry("socket", actor=caller.actor)
        try:
            with self._parts.around(entry):
                await self._serve(operation, payload, caller, entry)
        except ClientGone:
            pass
        finally:
            self._parts.ended(entry)
            if self._operations.get(operation) is asyncio.current_task():
                del self._operations[operation]

    async def _serve(self, operation: str, payload: object, caller: Caller, entry: Entry) -> None:
        try:
            await self._execute(operation, payload, caller, entry)
            await self._line.send({"type": "complete", "id": operation})
        except OperationRefused as refusal:
            entry.is_answered({"errors": refusal.errors})
            await self._line.send({"type": "error", "id": operation, "payload": refusal.errors})
        except ClientGone:
            raise
        except Exception as error:
            errors = told(error)["errors"]
            entry.is_answered({"errors": errors})
            await self._line.send({"type": "error", "id": operation, "payload": errors})

    async def _execute(self, operation: str, payload: object, caller: Caller, entry: Entry) -> None:
        self._parts.spending.check(caller)
        try:
            request = parse_request(payload)
        except Unacceptable as refusal:
            raise OperationRefused.with_message(str(refusal)) from None
        prepared = self._parts.executor.prepare(
            request.query, request.operation_name, request.variables, request.document_id
        )
        entry.asks(prepared)
        await self._parts.spending.pay(caller, prepared)
        if isinstance(prepared, Refused):
            raise OperationRefused(prepared.errors)
        context = self._parts.make_context(caller)
        if prepared.type is OperationType.SUBSCRIPTION:
            await self._follow(operation, prepared, context)
        else:
            async with in_time():
                answer = await self._parts.executor.execute(prepared, context)
            if isinstance(answer, Refused):
                raise OperationRefused(answer.errors)
            entry.is_answered(answer)
            await self._answer(operation, answer)

    async def _follow(self, operation: str, prepared: Operation, context: Context) -> None:
        found = await self._parts.executor.watch(prepared, context)
        if isinstance(found, Refused):
            raise OperationRefused(found.errors)
        if isinstance(found, Wanted):
            await self._parts.hub.follow(found, self._line.outbox, _frame(operation))
        else:
            await self._answer(operation, found)

    async def _answer(self, operation: str, answer: Answer) -> None:
        await self._line.send({"type": "next", "id": operation, "payload": answer})

    async def _close(self, code: int, reason: str) -> None:
        await self._end_operations()
        await self._line.close(code, reason)

    async def _end_operations(self) -> None:
        """Nothing is sent any more."""
        tasks = list(self._operations.values())
        self._operations.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._line.outbox.close()


def _frame(operation: str) -> Frame:
    """Puts events into `next` messages. Many clients give their operations the same ids: those share the bytes."""
    head = b'{"type":"next","id":' + orjson.dumps(operation) + b',"payload":'

    def framed(told: Told) -> bytes:
        message = told.messages.get(operation)
        if message is None:
            message = head + told.payload + b"}"
            if len(told.messages) < SHARED_IDS_MAX:
                told.messages[operation] = message
        return message

    return framed


def _id(message: dict[str, Any]) -> str:
    value = message.get("id")
    if not isinstance(value, str) or not value:
        raise CloseSocket(4400, "The id of an operation is text that is not empty")
    return value


def _payload(message: dict[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if not isinstance(payload, dict | None):
        raise CloseSocket(4400, "The payload of a ping or pong is an object")
    return payload
