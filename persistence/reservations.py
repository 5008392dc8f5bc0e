"""Stock reservations as they are shown, and those whose time is over. The database's clock decides, and no other."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ReservationId
from domain.kinds import ReservationState
from persistence.sql import BIGINTS, INT, sql
from services.ports.reservations import ReservationView, ReservedLineView

BY_IDS = sql(
    """
    SELECT id, state, expires_at, expires_at <= clock_timestamp() AS is_due, created_at, order_id
    FROM stock_reservations WHERE id = ANY(:ids)
    """,
    ids=BIGINTS,
)

# Units of a reservation that is over are nobody's, also while they have not been given back yet.
LINES = sql(
    """
    SELECT l.id, l.reservation_id, l.item_id, i.sku, l.quantity, ARRAY(
               SELECT ARRAY[a.location_id, CAST(sum(a.quantity) AS int)] FROM allocations a
               WHERE a.reserved_line_id = l.id AND r.expires_at > clock_timestamp()
               GROUP BY a.location_id ORDER BY min(a.id)) AS held
    FROM reserved_lines l JOIN stock_reservations r ON r.id = l.reservation_id JOIN items i ON i.id = l.item_id
    WHERE l.reservation_id = ANY(:ids) ORDER BY l.id
    """,
    ids=BIGINTS,
)

# The oldest first, as many as have no more than so many lines together.
DUE = sql(
    """
    SELECT id
    FROM (
        SELECT id, expires_at, sum(lines) OVER (ORDER BY expires_at, id) AS lines
        FROM (
            SELECT r.id, r.expires_at,
                   (SELECT count(*) FROM reserved_lines l WHERE l.reservation_id = r.id) AS lines
            FROM stock_reservations r WHERE r.state = 'ACTIVE' AND r.expires_at <= clock_timestamp()
            ORDER BY r.expires_at, r.id LIMIT :most
        ) AS due
    ) AS counted
    WHERE lines <= :lines ORDER BY expires_at, id
    """,
    most=INT,
    lines=INT,
)


class PostgresReservations:
    """Reads reservations; they are written with the batch that they belong to."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def by_ids(self, ids: Sequence[ReservationId]) -> list[ReservationView]:
        return [_view(row) for row in await self._connection.execute(BY_IDS, {"ids": ids})]

    async def lines_of(self, reservations: Sequence[ReservationId]) -> list[ReservedLineView]:
        return [_line(row) for row in await self._connection.execute(LINES, {"ids": reservations})]

    async def due(self, most: int, lines: int) -> list[ReservationId]:
        """Reservations whose time is over and whose units have not been given back."""
        return list((await self._connection.execute(DUE, {"most": most, "lines": lines})).scalars())


def _view(row: Any) -> ReservationView:
    return ReservationView(
        id=row.id,
        state=ReservationState(row.state),
        is_due=row.is_due,
        order=row.order_id,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )


def _line(row: Any) -> ReservedLineView:
    return ReservedLineView(
        id=row.id,
        reservation=row.reservation_id,
        item=row.item_id,
        quantity=row.quantity,
        sku=row.sku,
        held=tuple((location, units) for location, units in row.held),
    )
