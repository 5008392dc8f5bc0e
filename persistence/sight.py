"""What limited callers can see: for each kind of limit a schema of views that have the names of the tables.

Whoever is limited reads in a transaction whose search path is that schema and nothing else, so a statement that was
written without a thought of limits is cut to them; one that reads a table of which nothing is said here finds it empty.
Views are not part of any revision: they are dropped before tables change, and made anew from this page afterwards.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Column, Connection, Table, Text, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Visibility
from domain.events import OF_A_CHANNEL, OF_A_LOCATION
from persistence.sql import BIGINTS, TEXT, sql
from persistence.tables import metadata

CHANNELS, LOCATIONS, BOTH = "sight_of_channels", "sight_of_locations", "sight_of_both"
DIALECT = dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows `t` of a table are seen under a limit to channels, and to locations; under both, those of both.

    `hidden`: columns that are null under a limit to locations. `{sight}` is the schema that the view is made in.
    """

    channels: str
    locations: str
    hidden: tuple[str, ...] = ()


def both(condition: str, *, hidden: tuple[str, ...] = ()) -> Rule:
    return Rule(condition, condition, hidden)


def of(table: str, column: str, own: str = "id") -> str:
    """Rows that hang on one that is seen."""
    return f"EXISTS (SELECT FROM {{sight}}.{table} o WHERE o.{own} = t.{column})"


def listed(setting: str) -> str:
    return f"ANY(CAST(current_setting('dibs.{setting}') AS text[]))"


def types(names: frozenset[str]) -> str:
    return f"t.type IN ({', '.join(repr(name) for name in sorted(names))})"


NOTHING, ANYTHING = "false", "true"
OURS = "ANY(ARRAY(SELECT id FROM {sight}.channels))"
HERE = "t.location_id = ANY(ARRAY(SELECT id FROM {sight}.locations))"
OF_OUR_ORDERS = f"EXISTS (SELECT FROM orders o WHERE o.id = t.order_id AND o.channel_id = {OURS})"
OF_AN_ORDER = of("orders", "order_id")
CUSTOMERS = ("customer_name", "customer_email", "customer_reference", "customer_phone", "bill_to", "note")
MONEY = ("discounts", "shipping_price", "tax", "currency_code")

RULES: Mapping[str, Rule] = {
    # Everybody's: what there is to sell, who sells it, and where the log begins and ends.
    "items": both(ANYTHING),
    "merchant": both(ANYTHING),
    "log_start": both(ANYTHING),
    "log_end": both(ANYTHING),
    "log_gaps": both(ANYTHING),
    "channels": Rule(f"t.code = {listed('channels')}", ANYTHING),
    "locations": Rule(ANYTHING, f"t.code = {listed('locations')}"),
    # An order is known at a location by what is sent from there, or comes back to there. What it costs, and who pays,
    # is not the location's.
    "fulfillments": Rule(OF_OUR_ORDERS, HERE),
    "returns": Rule(OF_OUR_ORDERS, HERE),
    "orders": Rule(
        f"t.channel_id = {OURS}",
        f"{of('fulfillments', 'id', 'order_id')} OR {of('returns', 'id', 'order_id')}",
        hidden=(*CUSTOMERS, *MONEY),
    ),
    "fulfillment_lines": both(of("fulfillments", "fulfillment_id")),
    "return_lines": both(of("returns", "return_id")),
    "return_inspections": both(of("return_lines", "return_line_id")),
    "order_lines": Rule(
        OF_AN_ORDER,
        f"{of('fulfillment_lines', 'id', 'line_id')} OR {of('return_lines', 'id', 'line_id')}",
        hidden=("unit_price", "discount", "tax", "currency_code"),
    ),
    "order_bundles": both(of("order_lines", "id", "bundle_id"), hidden=("unit_price", "currency_code")),
    # A cart is its channel's, with what is set aside for it.
    "stock_reservations": Rule(f"t.channel_code = {listed('channels')}", NOTHING),
    "reserved_lines": Rule(of("stock_reservations", "reservation_id"), NOTHING),
    # A run is of the channels that its filter names.
    "allocation_runs": Rule(
        "jsonb_typeof(t.filter -> 'channels') = 'array' AND t.filter -> 'channels' <> '[]' "
        "AND t.filter -> 'channels' <@ to_jsonb(CAST(current_setting('dibs.channels') AS text[]))",
        NOTHING,
    ),
    "allocations": Rule(
        f"{of('order_lines', 'line_id')} OR {of('reserved_lines', 'reserved_line_id')}",
        f"{HERE} AND {of('order_lines', 'line_id')}",
    ),
    "ended_allocations": Rule(of("order_lines", "line_id"), f"{HERE} AND {of('order_lines', 'line_id')}"),
    "parcels": both(of("fulfillments", "fulfillment_id")),
    "tracking_events": both(of("fulfillments", "fulfillment_id")),
    "pick_tasks": both(of("fulfillments", "fulfillment_id")),
    "payments": Rule(OF_AN_ORDER, NOTHING),
    "order_holds": Rule(OF_AN_ORDER, NOTHING),
    "follow_ups": Rule(OF_AN_ORDER, NOTHING),
    "tracking_links": Rule(OF_AN_ORDER, NOTHING),
    "invoices": Rule(OF_AN_ORDER, NOTHING),
    "invoice_lines": Rule(of("invoices", "invoice_id"), NOTHING),
    # Stock is of no channel: what moves it are the orders of all.
    "stock_levels": Rule(NOTHING, HERE),
    "bin_levels": Rule(NOTHING, HERE),
    "stock_movements": Rule(NOTHING, HERE),
    "stock_counts": Rule(NOTHING, HERE),
    "supplies": Rule(NOTHING, HERE),
    "supply_lines": Rule(NOTHING, of("supplies", "supply_id")),
    "pick_lists": Rule(NOTHING, HERE),
    "events": Rule(
        f"{types(OF_A_CHANNEL)} AND t.payload ->> 'channel_code' = {listed('channels')}",
        f"{types(OF_A_LOCATION)} AND t.payload ->> 'location_code' = {listed('locations')}",
    ),
    # The business's own.
    **dict.fromkeys(
        (
            *("alert_rules", "alerts", "allocation_rules", "api_keys", "foreseen_chunks", "hold_rules"),
            *("idempotency_keys", "invoice_series", "log_readers", "mail_templates", "mails"),
            *("planned_orders", "replenished_items", "webhook_attempts", "webhook_deliveries", "webhook_endpoints"),
            "webhook_secrets",
        ),
        both(NOTHING),
    ),
}
"""In an order in which they can be made: a rule names views that are above it."""


def definitions() -> Iterator[str]:
    """The statements that make the views."""
    undeclared = {table.name: both(NOTHING) for table in metadata.sorted_tables if table.name not in RULES}
    for sight in (CHANNELS, LOCATIONS, BOTH):
        yield f"CREATE SCHEMA {sight}"
        for name, rule in {**RULES, **undeclared}.items():
            yield _view(sight, metadata.tables[name], rule)


def _view(sight: str, table: Table, rule: Rule) -> str:
    conditions = {
        CHANNELS: {rule.channels},
        LOCATIONS: {rule.locations},
        BOTH: dict.fromkeys((rule.channels, rule.locations)),
    }[sight]
    hidden = () if sight == CHANNELS else rule.hidden
    columns = ", ".join(_column(column, column.name in hidden) for column in table.columns)
    where = " AND ".join(f"({one.format(sight=sight)})" for one in conditions)
    return f'CREATE VIEW {sight}."{table.name}" AS SELECT {columns} FROM "{table.name}" t WHERE {where}'  # noqa: S608


def _column(column: "Column[object]", hidden: bool) -> str:
    if not hidden:
        return f't."{column.name}"'
    kind = column.type.compile(dialect=DIALECT)
    collation = f' COLLATE "{column.type.collation}"' if isinstance(column.type, Text) and column.type.collation else ""
    return f'CAST(NULL AS {kind.partition(" COLLATE")[0]}){collation} AS "{column.name}"'


@cache
def fingerprint() -> str:
    """Of what the views are made from; it stands in the database beside them."""
    return hashlib.sha256("\n".join(definitions()).encode()).hexdigest()


MADE = text("SELECT obj_description(to_regnamespace(:name), 'pg_namespace')")


def is_made(connection: Connection) -> bool:
    """Whether the views are those of this release."""
    return bool(connection.execute(MADE, {"name": BOTH}).scalar() == fingerprint())


def make(connection: Connection) -> None:
    for statement in definitions():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {BOTH} IS '{fingerprint()}'")


def drop(connection: Connection) -> None:
    """No table that a view looks at can change."""
    for sight in (CHANNELS, LOCATIONS, BOTH):
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {sight} CASCADE")


# ---------------------------------------------------------------- looking


LIMIT = sql(
    "SELECT set_config('dibs.channels', :channels, true), set_config('dibs.locations', :locations, true)",
    channels=TEXT,
    locations=TEXT,
)
LOOK = sql(
    """
    SELECT set_config('dibs.channels', :channels, true), set_config('dibs.locations', :locations, true),
        set_config('search_path', :sight, true), set_config('transaction_read_only', 'on', true)
    """,
    channels=TEXT,
    locations=TEXT,
    sight=TEXT,
)


async def look(connection: AsyncConnection, visibility: Visibility) -> None:
    """Until the transaction ends, read what somebody who is limited like this may see, and write nothing."""
    await connection.execute(LOOK, {"sight": sight_of(visibility), **_limits(visibility)})


def sight_of(visibility: Visibility) -> str:
    """The schema in which they look."""
    if visibility.channels is None:
        return LOCATIONS
    return CHANNELS if visibility.locations is None else BOTH


def _limits(visibility: Visibility) -> dict[str, str]:
    return {"channels": _array(visibility.channels or ()), "locations": _array(visibility.locations or ())}


def _array(codes: Sequence[str] | frozenset[str]) -> str:
    """As PostgreSQL reads arrays."""
    quoted = (code.replace("\\", "\\\\").replace('"', '\\"') for code in sorted(codes))
    return "{" + ",".join(f'"{code}"' for code in quoted) + "}"


class PostgresSight:
    """Tells, within a transaction that sees everything, what a limited caller sees of it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def seen(self, visibility: Visibility, table: str, ids: Sequence[int]) -> set[int]:
        """Those of the rows that somebody who is limited like this may know of."""
        assert visibility.is_limited
        await self._connection.execute(LIMIT, _limits(visibility))
        statement = f"SELECT id FROM {sight_of(visibility)}.{table} WHERE id = ANY(:ids)"  # noqa: S608
        return set((await self._connection.execute(sql(statement, ids=BIGINTS), {"ids": ids})).scalars())
