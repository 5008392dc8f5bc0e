"""From refusals to GraphQL types, and from exceptions to top-level errors.

Every top-level error has `extensions.code`. What the client did wrong is said plainly; what went wrong in here is
masked, with a correlation id under which the log tells the rest.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry
from graphql import GraphQLError

from domain import errors as refusals
from domain.ids import LineId, RowName
from gql.context import Info
from gql.schema import refusals as types
from gql.schema.catalog import Location, StockLevel
from gql.schema.events import log_cursor
from gql.schema.fulfillments import Fulfillment, PickList, PickTask
from gql.schema.ids import global_id
from gql.schema.order_lines import OrderLine
from gql.schema.orders import Order
from gql.schema.reservations import StockReservation
from gql.schema.returns import Return
from gql.schema.scalars import int32
from gql.schema.supplies import Supply
from services.ports.carriers import CarrierUnavailable
from services.ports.database import Busy, NotRead, OutcomeUnknown
from services.ports.events import CursorExpired

log = logging.getLogger("dibs.gql")

BAD_USER_INPUT = "BAD_USER_INPUT"
MESSAGE_LENGTH_MAX = 1_000
"""What GraphQL says of a document may repeat all that the client wrote."""
CODES: Mapping[str, str] = {
    "BAD_USER_INPUT": "A variable or an argument is not what the schema wants, or a cursor is malformed.",
    "BUSY": "Too busy just now; nothing was written. Try again after retryAfterMs.",
    "CARRIER_UNAVAILABLE": "The carrier cannot be asked just now. Send the same again: it sells once.",
    "CURSOR_EXPIRED": "The log is not whole behind the cursor any more; `cursor` is where the log ends now.",
    "DOCUMENT_NOT_TRUSTED": "This server runs registered documents only, and this is none of them.",
    "FORBIDDEN": "The key may not do this: `scope` is what it lacks, or `limit` what it is limited to.",
    "GRAPHQL_PARSE_FAILED": "The document is not GraphQL.",
    "GRAPHQL_VALIDATION_FAILED": "The document does not fit the schema.",
    "INTERNAL_SERVER_ERROR": "A mistake of ours; the log has it under correlationId.",
    "OUTCOME_UNKNOWN": "Nobody knows yet whether it was done: send it again with the same idempotency key.",
    "PERSISTED_QUERY_NOT_SUPPORTED": "A hash without a document; this server has no registered documents.",
    "RATE_LIMITED": "The key has asked for more than its budget. Try again after retryAfterMs.",
    "TOO_SLOW": "The subscriber did not keep up: subscribe again after `cursor`.",
    "UNAUTHENTICATED": "No valid API key was given.",
}
"""Every code there is, and what it means."""


class ApiError(Exception):
    """A top-level error that the client is told plainly."""

    def __init__(self, code: str, message: str, **extensions: Any) -> None:
        assert code in CODES
        super().__init__(message)
        self.code = code
        self.extensions = extensions


def bad_input(message: str) -> ApiError:
    return ApiError(BAD_USER_INPUT, message)


# ---------------------------------------------------------------- refusals


async def _invalid_input(_: Info, refusal: refusals.InvalidInput) -> types.InvalidInput:
    problems = [
        types.InputProblem(path=list(problem.path), code=problem.code, message=problem.message)
        for problem in refusal.problems
    ]
    return types.InvalidInput(message=refusal.message, problems=problems)


async def _key_reused(_: Info, refusal: refusals.IdempotencyKeyReused) -> types.IdempotencyKeyReused:
    return types.IdempotencyKeyReused(message=refusal.message)


async def _not_found(_: Info, refusal: refusals.NotFound) -> types.NotFound:
    return types.NotFound(message=refusal.message, references=[_named(name) for name in refusal.references])


def _named(reference: str | LineId | RowName) -> str:
    if isinstance(reference, str):
        return reference
    return global_id(*(("OrderLine", reference) if isinstance(reference, int) else reference))


async def _fulfillment_not_in_state(info: Info, refusal: refusals.FulfillmentNotInState) -> types.FulfillmentNotInState:
    found = await Fulfillment.load(info, refusal.fulfillment)
    return types.FulfillmentNotInState(message=refusal.message, fulfillment=found, allowed=list(refusal.allowed))


async def _nothing_to_invoice(info: Info, refusal: refusals.NothingToInvoice) -> types.NothingToInvoice:
    return types.NothingToInvoice(message=refusal.message, order=await Order.load(info, refusal.order))


async def _nothing_delivered(info: Info, refusal: refusals.NothingDelivered) -> types.NothingDelivered:
    return types.NothingDelivered(message=refusal.message, order=await Order.load(info, refusal.order))


async def _not_returnable(info: Info, refusal: refusals.QuantityNotReturnable) -> types.QuantityNotReturnable:
    lines = [
        types.ReturnedQuantity(
            line=await OrderLine.load(info, one.line), requested=one.requested, returnable=one.returnable
        )
        for one in refusal.lines
    ]
    order = await Order.load(info, refusal.order)
    return types.QuantityNotReturnable(message=refusal.message, order=order, lines=lines)


async def _return_not_in_state(info: Info, refusal: refusals.ReturnNotInState) -> types.ReturnNotInState:
    found = await Return.load(info, refusal.return_id)
    return types.ReturnNotInState(message=refusal.message, returned=found, allowed=list(refusal.allowed))


async def _shipping_refused(_: Info, refusal: refusals.ShippingRefused) -> types.ShippingRefused:
    return types.ShippingRefused(message=refusal.message, words=refusal.words)


async def _already_released(info: Info, refusal: refusals.OrderAlreadyReleased) -> types.OrderAlreadyReleased:
    return types.OrderAlreadyReleased(message=refusal.message, order=await Order.load(info, refusal.order))


async def _not_releasable(info: Info, refusal: refusals.OrderNotReleasable) -> types.OrderNotReleasable:
    return types.OrderNotReleasable(
        message=refusal.message,
        order=await Order.load(info, refusal.order),
        obstacles=[types.Obstacle(code=one.code, message=one.message) for one in refusal.obstacles],
    )


async def _pick_conflict(info: Info, refusal: refusals.PickConflict) -> types.PickConflict:
    task = await PickTask.load(info, refusal.task)
    return types.PickConflict(message=refusal.message, task=task, obstacle=refusal.obstacle)


async def _list_taken(info: Info, refusal: refusals.PickListTaken) -> types.PickListTaken:
    return types.PickListTaken(message=refusal.message, list=await PickList.load(info, refusal.list))


async def _currency_mismatch(info: Info, refusal: refusals.CurrencyMismatch) -> types.CurrencyMismatch:
    return types.CurrencyMismatch(message=refusal.message, order=await Order.load(info, refusal.order))


async def _refund_exceeds(info: Info, refusal: refusals.RefundExceedsPayments) -> types.RefundExceedsPayments:
    return types.RefundExceedsPayments(message=refusal.message, order=await Order.load(info, refusal.order))


async def _already_placed(info: Info, refusal: refusals.OrderAlreadyPlaced) -> types.OrderAlreadyPlaced:
    return types.OrderAlreadyPlaced(message=refusal.message, order=await Order.load(info, refusal.order))


async def _not_in_state(info: Info, refusal: refusals.OrderNotInState) -> types.OrderNotInState:
    order = await Order.load(info, refusal.order)
    return types.OrderNotInState(message=refusal.message, order=order, allowed=list(refusal.allowed))


async def _version_conflict(info: Info, refusal: refusals.OrderVersionConflict) -> types.OrderVersionConflict:
    return types.OrderVersionConflict(message=refusal.message, order=await Order.load(info, refusal.order))


async def _plan_changed(info: Info, refusal: refusals.PlanChanged) -> types.PlanChanged:
    return await types.PlanChanged.of(info, refusal)


async def _already_shipped(info: Info, refusal: refusals.QuantityAlreadyShipped) -> types.QuantityAlreadyShipped:
    lines = [await OrderLine.load(info, line) for line in refusal.lines]
    return types.QuantityAlreadyShipped(message=refusal.message, lines=lines)


async def _reservation_ended(info: Info, refusal: refusals.ReservationEnded) -> types.ReservationEnded:
    reservation = await StockReservation.load(info, refusal.reservation)
    return types.ReservationEnded(message=refusal.message, reservation=reservation)


async def _level_conflict(info: Info, refusal: refusals.StockLevelConflict) -> types.StockLevelConflict:
    levels = await info.context.loaders.levels_at.load_many(refusal.levels)
    return types.StockLevelConflict(
        message=refusal.message, levels=[StockLevel.of(level) for level in levels if level is not None]
    )


async def _already_expected(info: Info, refusal: refusals.SupplyAlreadyExpected) -> types.SupplyAlreadyExpected:
    return types.SupplyAlreadyExpected(message=refusal.message, supply=await Supply.load(info, refusal.supply))


async def _supply_not_in_state(info: Info, refusal: refusals.SupplyNotInState) -> types.SupplyNotInState:
    supply = await Supply.load(info, refusal.supply)
    return types.SupplyNotInState(message=refusal.message, supply=supply, allowed=list(refusal.allowed))


async def _insufficient_stock(info: Info, refusal: refusals.InsufficientStock) -> types.InsufficientStock:
    shortages = [
        types.Shortage(
            sku=shortage.sku,
            location=None if shortage.location is None else await Location.load(info, shortage.location),
            requested=shortage.requested,
            on_hand=int32(shortage.on_hand),
            available=int32(shortage.available),
        )
        for shortage in refusal.shortages
    ]
    return types.InsufficientStock(message=refusal.message, shortages=shortages)


CONVERTERS: Mapping[type[refusals.DomainError], tuple[type[types.UserError], Callable[..., Awaitable[Any]]]] = {
    refusals.InvalidInput: (types.InvalidInput, _invalid_input),
    refusals.IdempotencyKeyReused: (types.IdempotencyKeyReused, _key_reused),
    refusals.NotFound: (types.NotFound, _not_found),
    refusals.FulfillmentNotInState: (types.FulfillmentNotInState, _fulfillment_not_in_state),
    refusals.NothingDelivered: (types.NothingDelivered, _nothing_delivered),
    refusals.NothingToInvoice: (types.NothingToInvoice, _nothing_to_invoice),
    refusals.ShippingRefused: (types.ShippingRefused, _shipping_refused),
    refusals.OrderAlreadyReleased: (types.OrderAlreadyReleased, _already_released),
    refusals.OrderNotReleasable: (types.OrderNotReleasable, _not_releasable),
    refusals.PickConflict: (types.PickConflict, _pick_conflict),
    refusals.PickListTaken: (types.PickListTaken, _list_taken),
    refusals.CurrencyMismatch: (types.CurrencyMismatch, _currency_mismatch),
    refusals.OrderAlreadyPlaced: (types.OrderAlreadyPlaced, _already_placed),
    refusals.OrderNotInState: (types.OrderNotInState, _not_in_state),
    refusals.OrderVersionConflict: (types.OrderVersionConflict, _version_conflict),
    refusals.PlanChanged: (types.PlanChanged, _plan_changed),
    refusals.QuantityAlreadyShipped: (types.QuantityAlreadyShipped, _already_shipped),
    refusals.QuantityNotReturnable: (types.QuantityNotReturnable, _not_returnable),
    refusals.RefundExceedsPayments: (types.RefundExceedsPayments, _refund_exceeds),
    refusals.ReservationEnded: (types.ReservationEnded, _reservation_ended),
    refusals.ReturnNotInState: (types.ReturnNotInState, _return_not_in_state),
    refusals.StockLevelConflict: (types.StockLevelConflict, _level_conflict),
    refusals.SupplyAlreadyExpected: (types.SupplyAlreadyExpected, _already_expected),
    refusals.SupplyNotInState: (types.SupplyNotInState, _supply_not_in_state),
    refusals.InsufficientStock: (types.InsufficientStock, _insufficient_stock),
}


async def refusal_of(info: Info, refusal: refusals.DomainError) -> types.UserError:
    """The GraphQL type that tells this refusal."""
    _, convert = CONVERTERS[type(refusal)]
    answer: types.UserError = await convert(info, refusal)
    return answer


class RefusalHandler(strawberry.ExceptionHandler):  # type: ignore[type-arg]
    """Answers with a refusal that a service raised, on fields whose union has it."""

    def __init__(self, refusal: type[refusals.DomainError]) -> None:
        self.exception_type = refusal
        self.error_type = CONVERTERS[refusal][0]

    def handle(self, exception: refusals.DomainError, *, field: object, info: Info) -> Awaitable[types.UserError]:
        return refusal_of(info, exception)


# ---------------------------------------------------------------- top-level errors


def formatted(error: GraphQLError, code: str = BAD_USER_INPUT, *, writes: bool = False) -> dict[str, Any]:
    """The error as it is sent. `code`: for errors that GraphQL itself found. `writes`: it is a mutation's."""
    cause: Exception | None = error
    found_by = error
    while isinstance(cause, GraphQLError):
        found_by, cause = cause, cause.original_error
    if cause is None and error.path is not None and not found_by.nodes:
        cause = found_by  # what we answered did not fit the schema: the client can do nothing about it
    if writes and isinstance(cause, NotRead):
        cause = OutcomeUnknown()  # it may well be done; what could not be had is what became of it
    message, extensions = _told(error, cause, code)
    answer: dict[str, Any] = {"message": message}
    if error.locations:
        answer["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        answer["path"] = error.path
    return answer | {"extensions": extensions}


def _told(error: GraphQLError, cause: Exception | None, code: str) -> tuple[str, dict[str, Any]]:
    if isinstance(cause, ApiError):
        return str(cause), {"code": cause.code, **cause.extensions}
    if isinstance(cause, Busy):
        return str(cause), {"code": "BUSY", "retryAfterMs": cause.retry_after_ms}
    if isinstance(cause, CursorExpired):
        return str(cause), {"code": "CURSOR_EXPIRED", "cursor": log_cursor(cause.end)}
    if isinstance(cause, CarrierUnavailable):
        wait = {} if cause.retry_after_seconds is None else {"retryAfterMs": int(cause.retry_after_seconds * 1000)}
        return f"{CODES['CARRIER_UNAVAILABLE']} It says: {cause.words}", {"code": "CARRIER_UNAVAILABLE", **wait}
    if isinstance(cause, OutcomeUnknown):
        return str(cause), {"code": "OUTCOME_UNKNOWN"}
    if cause is None:
        return error.message[:MESSAGE_LENGTH_MAX], {"code": code}
    return masked(cause, error.path)


def told(cause: Exception) -> dict[str, Any]:
    """An answer that is nothing but the error of an exception that no field raised."""
    return {"errors": [formatted(GraphQLError("", original_error=cause))]}


def masked(cause: BaseException, path: object = None) -> tuple[str, dict[str, Any]]:
    """A mistake of ours: the client learns an id, the log learns everything."""
    correlation_id = secrets.token_hex(8)
    log.error("unexpected error %s at %s", correlation_id, path, exc_info=cause)
    message = f"Something went wrong on our side. The log has it under {correlation_id}."
    return message, {"code": "INTERNAL_SERVER_ERROR", "correlationId": correlation_id}


def error_body(code: str, message: str, **extensions: Any) -> dict[str, Any]:
    """An answer that is nothing but one error."""
    assert code in CODES
    return {"errors": [{"message": message, "extensions": {"code": code, **extensions}}]}
