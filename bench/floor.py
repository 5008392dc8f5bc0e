"""The floor: the rows that Dibs wrote, written once more by plain SQL, in the same transactions and without planning.

It knows beforehand what to write: everything lies in memory as arrays before the clock starts. Each table takes one
statement a batch and only the columns that change.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

INSERT_CLAIMS = """
    INSERT INTO allocations (line_id, item_id, location_id, quantity)
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[])
    """
UPDATE_LEVELS = """
    UPDATE stock_levels s SET committed = n.committed, version = n.version
    FROM unnest($1::int[], $2::int[], $3::int[], $4::bigint[]) AS n(item_id, location_id, committed, version)
    WHERE s.item_id = n.item_id AND s.location_id = n.location_id
    """
UPDATE_LINES = """
    UPDATE order_lines l SET allocated = n.allocated, looked_at = true
    FROM unnest($1::bigint[], $2::int[]) AS n(id, allocated) WHERE l.id = n.id
    """
UPDATE_ORDERS = """
    UPDATE orders o SET allocation_status = n.allocation_status, version = n.version, updated_at = now()
    FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n(id, allocation_status, version) WHERE o.id = n.id
    """
INSERT_EVENTS = """
    INSERT INTO events (type, order_id, payload)
    SELECT n.type, n.order_id, n.payload::jsonb
    FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n(type, order_id, payload)
    """
WRITES = (INSERT_CLAIMS, UPDATE_LEVELS, UPDATE_LINES, UPDATE_ORDERS, INSERT_EVENTS)

# What Dibs wrote, with the transaction that wrote it: every row was written once.
WRITTEN = (
    "SELECT xmin::text::bigint, line_id, item_id, location_id, quantity FROM allocations ORDER BY id",
    """
    SELECT e.xmin::text::bigint, i.id, l.id, (payload ->> 'committed')::int, (payload ->> 'version')::bigint
    FROM events e JOIN items i ON i.sku = payload ->> 'sku' JOIN locations l ON l.code = payload ->> 'location_code'
    WHERE e.id > $1 AND e.type = 'StockLevelChanged' ORDER BY e.id
    """,
    "SELECT xmin::text::bigint, id, allocated FROM order_lines WHERE looked_at ORDER BY id",
    """
    SELECT xmin::text::bigint, id, allocation_status, version FROM orders
    WHERE allocation_status <> 'UNALLOCATED' ORDER BY id
    """,
    "SELECT xmin::text::bigint, type, order_id, payload::text FROM events WHERE id > $1 ORDER BY id",
)

ROWS = {
    "allocations": "id, line_id, item_id, location_id, quantity, overallocated",
    "order_lines": "id, quantity, allocated, overallocated, shipped, canceled, dropshipped, looked_at",
    "stock_levels": "item_id, location_id, on_hand, committed, flagged, version",
    "orders": "id, status, allocation_status, version",
    "events": "id, type, order_id, payload",
}


@dataclass(slots=True)
class Writes:
    """Columns of arrays for each of WRITES, one set a transaction."""

    batches: list[list[list[list[Any]]]] = field(default_factory=list)

    def rows(self, table: int) -> int:
        return sum(len(batch[table][0]) for batch in self.batches if batch[table])


async def last_event(connection: asyncpg.Connection) -> int:
    """The id of the newest event."""
    return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM events"))


async def read_back(connection: asyncpg.Connection, after_event: int) -> Writes:
    """What was written since that event, transaction by transaction."""
    found: defaultdict[int, list[list[list[Any]]]] = defaultdict(lambda: [[] for _ in WRITES])
    for table, statement in enumerate(WRITTEN):
        rows = await connection.fetch(statement, *([after_event] if "$1" in statement else []))
        for transaction, *values in rows:
            columns = found[transaction][table]
            if not columns:
                columns.extend([] for _ in values)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
    return Writes([found[transaction] for transaction in sorted(found)])


async def write(connection: asyncpg.Connection, writes: Writes, done: Callable[[int], None]) -> None:
    """Write it all again; `done` is told the number of orders of each batch."""
    for batch in writes.batches:
        async with connection.transaction():
            for statement, columns in zip(WRITES, batch, strict=True):
                if columns:
                    await connection.execute(statement, *columns)
        done(len(batch[3][0]))


async def fingerprints(connection: asyncpg.Connection) -> dict[str, tuple[int, int]]:
    """For each table the number of its rows, and a checksum of all that they say but the times."""
    return {
        table: tuple(
            await connection.fetchrow(
                f"SELECT count(*), coalesce(sum(hashtextextended(({columns})::text, 0)::numeric), 0) FROM {table}"  # noqa: S608
            )
        )
        for table, columns in ROWS.items()
    }
