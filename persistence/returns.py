"""Returns and follow-ups: what is read under the locks, what a batch writes of them, and how they are shown."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.changes import Changes
from domain.ids import OrderId, ReturnId, ReturnLineId
from domain.kinds import FollowUpOutcome, InspectionOutcome, ReturnReason
from domain.returns import Inspection, NewFollowUp, Return, ReturnLine
from persistence.driver import Driver, Write, statement
from persistence.searching import any_of
from persistence.sql import BIGINTS, INTS, JSON, TEXTS, columns
from persistence.tables import follow_ups, locations, return_inspections, return_lines, returns
from services.ports.returns import FollowUpView, InspectionView, ReturnFilter, ReturnView

# ---------------------------------------------------------------- under the locks

LINES = """
    (SELECT jsonb_agg(jsonb_build_array(l.id, l.line_id, l.item_id, l.quantity, l.reason, l.note, l.received,
                                        l.canceled, l.resold, l.quarantined, l.discarded) ORDER BY l.id)
     FROM return_lines l WHERE l.return_id = returns.id)
    """
RETURNS = statement(
    f"""
    SELECT id, order_id, location_id, version, cancel_reason, {LINES} AS lines
    FROM returns WHERE order_id = ANY(:orders) ORDER BY id
    """,  # noqa: S608
    orders=BIGINTS,
)


async def read_returns(driver: Driver, orders: Sequence[OrderId]) -> list[Return]:
    """All returns of the orders, the oldest first."""
    return [
        Return(
            id=row["id"],
            order=row["order_id"],
            location=row["location_id"],
            version=row["version"],
            cancel_reason=row["cancel_reason"],
            lines=_lines(row["lines"]),
        )
        for row in await driver.rows(RETURNS, {"orders": orders})
    ]


def _lines(rows: Any) -> tuple[ReturnLine, ...]:
    return tuple(
        ReturnLine(
            id=line,
            line=of,
            item=item,
            quantity=quantity,
            reason=ReturnReason(reason),
            note=note,
            received=received,
            canceled=canceled,
            resold=resold,
            quarantined=quarantined,
            discarded=discarded,
        )
        for line, of, item, quantity, reason, note, received, canceled, resold, quarantined, discarded in rows
    )


# ---------------------------------------------------------------- writing

# It may come, and be inspected, in the transaction that asks for it.
INSERT_RETURNS = statement(
    """
    INSERT INTO returns (id, order_id, location_id, state, version, cancel_reason, requested_by, received_at,
                         inspected_at, canceled_at)
    SELECT n.id, n.order_id, n.location_id, n.state, n.version, n.cancel_reason, n.actor,
           CASE WHEN n.state IN ('RECEIVED', 'INSPECTED') THEN clock_timestamp() END,
           CASE WHEN n.state = 'INSPECTED' THEN clock_timestamp() END,
           CASE WHEN n.gave_up THEN clock_timestamp() END
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, order_id bigint, location_id int, state text, version bigint, cancel_reason text, actor text,
        gave_up boolean)
    """,
    rows=JSON,
)
UPDATE_RETURNS = statement(
    """
    UPDATE returns r SET location_id = n.location_id, state = n.state, version = n.version,
        cancel_reason = n.cancel_reason,
        received_at = CASE WHEN n.state IN ('RECEIVED', 'INSPECTED')
                      THEN coalesce(r.received_at, clock_timestamp()) END,
        inspected_at = CASE WHEN n.state = 'INSPECTED' THEN clock_timestamp() END,
        canceled_at = CASE WHEN n.gave_up THEN coalesce(r.canceled_at, clock_timestamp()) END
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, location_id int, state text, version bigint, cancel_reason text, gave_up boolean)
    WHERE r.id = n.id AND r.version = n.version - 1
    """,
    rows=JSON,
)
SAVE_LINES = statement(
    """
    INSERT INTO return_lines (id, return_id, line_id, item_id, quantity, reason, note, received, canceled, resold,
                              quarantined, discarded)
    SELECT n.id, n.return_id, n.line_id, n.item_id, n.quantity, n.reason, n.note, n.received, n.canceled, n.resold,
           n.quarantined, n.discarded
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, return_id bigint, line_id bigint, item_id int, quantity int, reason text, note text, received int,
        canceled int, resold int, quarantined int, discarded int)
    ON CONFLICT (id) DO UPDATE SET received = excluded.received, canceled = excluded.canceled,
        resold = excluded.resold, quarantined = excluded.quarantined, discarded = excluded.discarded
    """,
    rows=JSON,
)
INSPECTION_COLUMNS = ("lines", "outcomes", "quantities", "locations", "notes", "actors", "requests")
INSERT_INSPECTIONS = statement(
    """
    INSERT INTO return_inspections (return_line_id, outcome, quantity, location_id, note, actor, request)
    SELECT n.line_id, n.outcome, n.quantity, n.location_id, n.note, n.actor, n.request
    FROM unnest(:lines, :outcomes, :quantities, :locations, :notes, :actors, :requests)
        WITH ORDINALITY AS n(line_id, outcome, quantity, location_id, note, actor, request, at)
    ORDER BY n.at
    """,
    lines=BIGINTS,
    outcomes=TEXTS,
    quantities=INTS,
    locations=INTS,
    notes=TEXTS,
    actors=TEXTS,
    requests=TEXTS,
)
FOLLOW_UP_COLUMNS = ("orders", "outcomes", "notes", "actors", "requests")
INSERT_FOLLOW_UPS = statement(
    """
    INSERT INTO follow_ups (order_id, outcome, note, actor, request)
    SELECT n.order_id, n.outcome, n.note, n.actor, n.request
    FROM unnest(:orders, :outcomes, :notes, :actors, :requests)
        WITH ORDINALITY AS n(order_id, outcome, note, actor, request, at)
    ORDER BY n.at
    """,
    orders=BIGINTS,
    outcomes=TEXTS,
    notes=TEXTS,
    actors=TEXTS,
    requests=TEXTS,
)


def return_writes(changes: Changes) -> Iterator[Write]:
    """Orders and lines are written before; what refers to a new row comes after it."""
    if changes.new_returns:
        yield Write(INSERT_RETURNS, {"rows": [_row(changes, one) for one in changes.new_returns]})
    if changes.changed_returns:
        changed = [_row(changes, one) for one in changes.changed_returns]
        yield Write(UPDATE_RETURNS, {"rows": changed}, len(changed))
    lines = [_line_row(one, line) for one in (*changes.new_returns, *changes.changed_returns) for line in one.lines]
    if lines:
        yield Write(SAVE_LINES, {"rows": lines})
    if changes.inspections:
        yield Write(INSERT_INSPECTIONS, columns(map(_inspection, changes.inspections), INSPECTION_COLUMNS))
    if changes.follow_ups:
        yield Write(INSERT_FOLLOW_UPS, columns(map(_follow_up, changes.follow_ups), FOLLOW_UP_COLUMNS))


def _row(changes: Changes, one: Return) -> dict[str, Any]:
    return {
        "id": one.id,
        "order_id": one.order,
        "location_id": one.location,
        "state": one.state,
        "version": one.version,
        "cancel_reason": one.cancel_reason,
        "actor": changes.return_actors[one.id],
        "gave_up": any(line.canceled for line in one.lines),
    }


def _line_row(one: Return, line: ReturnLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "return_id": one.id,
        "line_id": line.line,
        "item_id": line.item,
        "quantity": line.quantity,
        "reason": line.reason,
        "note": line.note,
        "received": line.received,
        "canceled": line.canceled,
        "resold": line.resold,
        "quarantined": line.quarantined,
        "discarded": line.discarded,
    }


def _inspection(one: Inspection) -> tuple[Any, ...]:
    return one.line, one.outcome, one.quantity, one.location, one.note, one.actor, one.request


def _follow_up(one: NewFollowUp) -> tuple[Any, ...]:
    return one.order, one.outcome, one.note, one.actor, one.request


# ---------------------------------------------------------------- as they are shown

WITH_LINES = select(returns, text(f"{LINES} AS lines"))


class PostgresReturns:
    """Implements `services.ports.returns.Returns`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def orders_of(self, ids: Sequence[ReturnId]) -> dict[ReturnId, OrderId]:
        """Their orders, which never change."""
        statement = select(returns.c.id, returns.c.order_id).where(any_of(returns.c.id, ids))
        return {ReturnId(one): OrderId(order) for one, order in await self._connection.execute(statement)}

    async def by_ids(self, ids: Sequence[ReturnId]) -> list[ReturnView]:
        return await self._returns(WITH_LINES.where(any_of(returns.c.id, ids)))

    async def of_orders(self, orders: Sequence[OrderId]) -> list[ReturnView]:
        """The oldest first."""
        return await self._returns(WITH_LINES.where(any_of(returns.c.order_id, orders)).order_by(returns.c.id))

    async def page(self, condition: ReturnFilter, first: int, after: int | None) -> list[ReturnView]:
        """The oldest first."""
        statement = WITH_LINES.order_by(returns.c.id).limit(first)
        if condition.orders is not None:
            statement = statement.where(any_of(returns.c.order_id, condition.orders))
        if condition.states is not None:
            statement = statement.where(any_of(returns.c.state, condition.states))
        if condition.locations is not None:
            known = select(locations.c.id).where(any_of(locations.c.code, condition.locations))
            statement = statement.where(returns.c.location_id.in_(known))
        if condition.reasons is not None:
            of_reason = select(return_lines.c.return_id).where(any_of(return_lines.c.reason, condition.reasons))
            statement = statement.where(returns.c.id.in_(of_reason))
        if after is not None:
            statement = statement.where(returns.c.id > after)
        return await self._returns(statement)

    async def inspections_of(self, lines: Sequence[ReturnLineId]) -> list[InspectionView]:
        """The oldest first."""
        table = return_inspections
        statement = select(table).where(any_of(table.c.return_line_id, lines)).order_by(table.c.id)
        return [
            InspectionView(
                line=row.return_line_id,
                outcome=InspectionOutcome(row.outcome),
                quantity=row.quantity,
                location=row.location_id,
                note=row.note,
                inspected_by=row.actor,
                inspected_at=row.inspected_at,
            )
            for row in await self._connection.execute(statement)
        ]

    async def follow_ups_of(self, orders: Sequence[OrderId]) -> list[FollowUpView]:
        """The oldest first."""
        statement = select(follow_ups).where(any_of(follow_ups.c.order_id, orders)).order_by(follow_ups.c.id)
        return [
            FollowUpView(
                id=row.id,
                order=row.order_id,
                outcome=FollowUpOutcome(row.outcome),
                note=row.note,
                recorded_by=row.actor,
                recorded_at=row.recorded_at,
            )
            for row in await self._connection.execute(statement)
        ]

    async def _returns(self, statement: Select[Any]) -> list[ReturnView]:
        return [
            ReturnView(
                id=row.id,
                order=row.order_id,
                location=row.location_id,
                version=row.version,
                cancel_reason=row.cancel_reason,
                lines=_lines(row.lines),
                requested_at=row.requested_at,
                requested_by=row.requested_by,
                received_at=row.received_at,
                inspected_at=row.inspected_at,
                canceled_at=row.canceled_at,
            )
            for row in await self._connection.execute(statement)
        ]
