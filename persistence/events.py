"""The event log. Writers append without a position; the relay gives committed events dense positions."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import orjson
from sqlalchemy import ARRAY, ColumnElement, Text, exists, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import CATALOGUE, Event, LoggedEvent
from domain.ids import OrderId, RunId
from persistence.driver import Driver, Write, statement
from persistence.locks import RELAY_KEY
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, INT, TEXTS, columns, sql
from persistence.tables import events, log_gaps, log_start
from services.ports.events import CursorExpired, EventFilter

TRY_LOCK = statement("SELECT pg_try_advisory_xact_lock(:key)", key=BIGINT)
NUMBER = statement(
    """
    WITH waiting AS (
        SELECT id, row_number() OVER (ORDER BY id) AS ahead
        FROM (SELECT id FROM events WHERE position IS NULL ORDER BY id LIMIT :most) AS oldest
    ), last AS (
        UPDATE log_end SET position = position + (SELECT count(*) FROM waiting)
        WHERE EXISTS (SELECT FROM waiting) RETURNING position - (SELECT count(*) FROM waiting) AS position
    )
    UPDATE events e SET position = last.position + waiting.ahead FROM waiting, last WHERE e.id = waiting.id
    """,
    most=INT,
)

END = statement("SELECT position FROM log_end")
HAS_WAITING = statement("SELECT EXISTS (SELECT FROM events WHERE position IS NULL)")
HOLD = sql("SELECT position FROM log_start FOR SHARE")
LOCK_START = sql("SELECT position FROM log_start FOR NO KEY UPDATE")
FORGET = sql(
    """
    WITH oldest AS (
        SELECT position, occurred_at < clock_timestamp() - make_interval(days => :days) AS is_old
        FROM events WHERE position > :start ORDER BY position LIMIT :most
    ), until AS (
        SELECT least(
            coalesce(min(position) FILTER (WHERE NOT is_old) - 1, max(position)),
            (SELECT min(position) FROM webhook_endpoints WHERE enabled),
            (SELECT min(position) FROM log_readers)) AS position
        FROM oldest
    ), moved AS (
        UPDATE log_start s SET position = u.position FROM until u WHERE u.position > s.position RETURNING s.position
    )
    DELETE FROM events WHERE position <= coalesce((SELECT position FROM moved), :start) AND id <> ALL (ARRAY(
        SELECT event_id FROM webhook_deliveries WHERE state = 'PENDING' AND event_id IS NOT NULL))
    """,
    days=INT,
    start=BIGINT,
    most=INT,
)

OF_A_RUN = sql("type = 'AllocationRunProgressed' AND CAST(payload ->> 'run_id' AS bigint) = :run", run=BIGINT)
"""As `events_of_runs_idx` has it."""

FORGOTTEN_BEFORE = sql(
    """
    SELECT CASE WHEN NOT EXISTS (
        SELECT FROM events e WHERE e.order_id = :order AND e.type = 'OrderChanged'
            AND e.payload -> 'order_version' = '1' AND (e.position IS NULL OR e.position > s.position))
        THEN coalesce(
            (SELECT occurred_at FROM events WHERE position > s.position ORDER BY position LIMIT 1), clock_timestamp()
        ) END
    FROM log_start s
    """,
    order=BIGINT,
)
INSERT_EVENTS = statement(
    """
    INSERT INTO events (type, order_id, payload)
    SELECT n.type, n.order_id, CAST(n.payload AS jsonb)
    FROM unnest(:types, :orders, :payloads) WITH ORDINALITY AS n(type, order_id, payload, at) ORDER BY n.at
    """,
    types=TEXTS,
    orders=BIGINTS,
    payloads=TEXTS,
)


def appended(events: Sequence[Event]) -> Iterator[Write]:
    """Writes events in the transaction of their change; they have no position yet."""
    if events:
        yield Write(INSERT_EVENTS, columns(map(_event, events), ("types", "orders", "payloads")))


async def append(connection: AsyncConnection, events: Sequence[Event]) -> None:
    await Driver(connection).write_all(appended(events))


class PostgresEventLog:
    """Reads the log; the relay numbers it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def end(self) -> int:
        """The position of the last event that has one; 0 where there is none."""
        return int((await Driver(self._connection).row(END, {}))[0])

    async def number(self, most: int) -> int | None:
        """Give positions to committed events, oldest id first; how many.

        None: another relay holds the lock just now. Nobody may conclude that it will finish: look again.
        """
        driver = Driver(self._connection)
        if not (await driver.row(TRY_LOCK, {"key": RELAY_KEY}))[0]:
            return None
        return await driver.write(Write(NUMBER, {"most": most}))

    async def has_waiting(self) -> bool:
        """Whether committed events have no position yet."""
        return bool((await Driver(self._connection).row(HAS_WAITING, {}))[0])

    async def hold(self) -> int:
        """The position behind which everything is kept, and stays kept until the transaction ends."""
        return int((await self._connection.execute(HOLD)).scalar_one())

    async def page(
        self, condition: EventFilter, first: int, after: int | None, until: int | None = None
    ) -> list[LoggedEvent]:
        """Events that match, in order, with positions after `after` and not past `until`; None: from the first.

        One statement also says where the log begins, so that both are of one moment. Raises CursorExpired.
        """
        start = select(log_start.c.position).scalar_subquery()
        query = select(events).where(events.c.position > (start if after is None else after))
        if until is not None:
            query = query.where(events.c.position <= until)
        found = query.where(*_conditions(condition)).order_by(events.c.position).limit(first).subquery()
        undone = exists().where(log_gaps.c.behind < (after or 0), log_gaps.c.until > (after or 0))
        both = select(log_start.c.position.label("start"), undone.label("undone"), found)
        both = both.select_from(log_start.outerjoin(found, true())).order_by(found.c.position)
        rows = (await self._connection.execute(both)).all()
        if after is not None and (rows[0].start > max(after, 0) or rows[0].undone):
            raise CursorExpired(await self.end())
        return [_logged(row) for row in rows if row.id is not None]

    async def last_of(self, run: RunId) -> LoggedEvent | None:
        """What was written of a run last. Its position is 0 while it has none; None: the log no longer has it."""
        newest = select(events).where(OF_A_RUN).order_by(events.c.id.desc()).limit(1)
        row = (await self._connection.execute(newest, {"run": run})).one_or_none()
        return _logged(row) if row else None

    async def forgotten_before(self, order: OrderId) -> datetime | None:
        """Before when the log no longer has what happened to the order; None: it has everything since it was placed."""
        return (await self._connection.execute(FORGOTTEN_BEFORE, {"order": order})).scalar_one()  # type: ignore[no-any-return]

    async def forget(self, days: int, most: int) -> int:
        """Remove old events. Where the log begins is locked first, so that nobody can go back to what is going."""
        start = (await self._connection.execute(LOCK_START)).scalar_one()
        return (await self._connection.execute(FORGET, {"days": days, "start": start, "most": most})).rowcount


def _conditions(condition: EventFilter) -> list[ColumnElement[bool]]:
    payload = events.c.payload
    found: list[ColumnElement[bool]] = []
    if condition.types is not None:
        found.append(any_of(events.c.type, condition.types))
    if condition.orders is not None:
        found.append(any_of(events.c.order_id, condition.orders))
    if condition.runs is not None:
        found.append(any_of(payload["run_id"].as_integer(), condition.runs))
    if condition.channels is not None:
        found.append(any_of(payload["channel_code"].astext, condition.channels))
    if condition.statuses is not None:
        found.append(any_of(payload["after"].astext, condition.statuses))
    if condition.skus is not None:
        found.append(or_(any_of(payload["sku"].astext, condition.skus), _has_any(payload["skus"], condition.skus)))
    if condition.locations is not None:
        at = any_of(payload["location_code"].astext, condition.locations)
        found.append(or_(at, _has_any(payload["locations"], condition.locations)))
    if condition.overallocated is not None:
        found.append((payload["overallocated"].as_integer() > 0) == condition.overallocated)
    if condition.occurred_from is not None:
        found.append(events.c.occurred_at >= condition.occurred_from)
    if condition.occurred_before is not None:
        found.append(events.c.occurred_at < condition.occurred_before)
    return found


def _has_any(column: Any, values: tuple[str, ...]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.has_any(literal(list(values), ARRAY(Text)))
    return found


def _logged(row: Any) -> LoggedEvent:
    return LoggedEvent(
        id=row.id, position=row.position or 0, occurred_at=row.occurred_at, event=event_from(row.type, row.payload)
    )


def event_from(kind: str, payload: dict[str, Any]) -> Event:
    """The event that a row of the log holds; without fields that came later than it."""
    event = CATALOGUE[kind]
    readers, later = _readers(kind), _later(kind)
    return event(
        **{name: read(payload[name]) for name, read in readers.items() if name in payload or name not in later}
    )


@cache
def _readers(kind: str) -> dict[str, Any]:
    event = CATALOGUE[kind]
    hints = get_type_hints(event)
    return {one.name: _reader(hints[one.name]) for one in fields(event)}


@cache
def _later(kind: str) -> frozenset[str]:
    """Fields that have a default: rows of an older release do without."""
    return frozenset(one.name for one in fields(CATALOGUE[kind]) if one.default is not MISSING)


def _reader(hint: Any) -> Any:
    """How a value of this type comes back from JSON."""
    if get_origin(hint) is tuple:
        inner = _reader(get_args(hint)[0])
        return lambda values: tuple(inner(value) for value in values)
    if datetime in (hint, *get_args(hint)):
        return lambda value: None if value is None else datetime.fromisoformat(value)
    enum = next((kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, Enum)), None)
    if enum:
        return lambda value: None if value is None else enum(value)
    return lambda value: value


def _event(event: Event) -> tuple[str, OrderId | None, str]:
    return event.type, getattr(event, "order_id", None), orjson.dumps(event).decode()
