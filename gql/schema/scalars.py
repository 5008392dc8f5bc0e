"""DateTime and Decimal as the contract has them."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)


INT_MAX = 2**31 - 1
"""The most that a GraphQL Int holds."""


def int32(number: int) -> int:
    """A sum may be more than an Int holds; then it is told as the most that one holds."""
    return min(number, INT_MAX)


def _parse_time(value: object) -> datetime:
    """ISO 8601; a time without an offset is UTC."""
    if isinstance(value, str) and len(value) <= 40 and "T" in value.upper():
        try:
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError('A DateTime is text in ISO 8601 with date and time, such as "2026-11-23T09:30:00Z".')


def _parse_date(value: object) -> date:
    if isinstance(value, str) and len(value) == len("2026-11-23"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise GraphQLError('A Date is a day in ISO 8601, such as "2026-11-23".')


def _parse_decimal(value: object) -> Decimal:
    if isinstance(value, str) and len(value) <= 50 and NUMBER.fullmatch(value):
        return Decimal(value)
    raise GraphQLError('A Decimal is a number as text, such as "12.50".')


def format_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_decimal(value: Decimal) -> str:
    return format(value, "f")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment in ISO 8601, answered in UTC; a time without an offset is UTC.",
        serialize=format_time,
        parse_value=_parse_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description='A day in ISO 8601, such as "2026-11-23".',
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='A decimal number as a string, such as "12.50".',
        serialize=format_decimal,
        parse_value=_parse_decimal,
    ),
}
