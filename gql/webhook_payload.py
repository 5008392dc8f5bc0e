"""What a webhook says: the fields of the event as GraphQL answers them, without those that are read live."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from strawberry.schema.config import StrawberryConfig

from domain.webhooks import Claimed
from gql.schema.events import event_of
from gql.schema.ids import global_id
from gql.schema.scalars import format_decimal, format_time

NAMES = StrawberryConfig().name_converter
TEST, TEST_VERSION = "WebhookTest", 1


def webhook_message(claimed: Claimed) -> tuple[str, str]:
    """The id and the body. The same at every attempt, so that a receiver knows what it has already."""
    if claimed.event is None:
        test = global_id("WebhookDelivery", claimed.id)
        return test, _body(TEST, TEST_VERSION, claimed.created_at, {"id": test, "endpointName": claimed.name})
    told, event = event_of(claimed.event), claimed.event.event
    return told.id, _body(event.type, event.type_version, told.occurred_at, plain(told))


def _body(kind: str, version: int, time: datetime, data: dict[str, Any]) -> str:
    body = {"type": kind, "typeVersion": version, "timestamp": format_time(time), "data": data}
    return orjson.dumps(body).decode()


def plain(value: Any) -> Any:
    """The value as an answer has it."""
    definition = getattr(value, "__strawberry_definition__", None)
    if isinstance(value, Enum):
        return value.name
    if definition is not None:
        stored = (field for field in definition.fields if field.base_resolver is None)
        return {NAMES.get_graphql_name(field): plain(getattr(value, field.python_name)) for field in stored}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return format_time(value)
    return format_decimal(value) if isinstance(value, Decimal) else value
