"""Supplies: how they are found, read and written."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.changes import Changes
from domain.ids import ItemId, LevelKey, SupplyId
from domain.kinds import SupplyKind, SupplyState
from domain.supply import OpenSupplyLine, Supply, SupplyLine
from persistence.driver import Write, statement
from persistence.searching import any_of
from persistence.sql import BIGINTS, INTS, TEXTS, TIMES, columns, sql
from persistence.tables import items, locations, supplies, supply_lines
from persistence.writes import arrays, attributes, guarded
from services.ports.paging import Seek
from services.ports.supplies import SupplyFilter, SupplyReference, SupplyView

RESERVE = "SELECT nextval(pg_get_serial_sequence('supplies', 'id'))"

OPEN_LINES = """
    SELECT s.id AS supply_id, l.item_id, s.location_id, l.quantity - l.received AS open, s.expected_at
    FROM supply_lines l JOIN supplies s ON s.id = l.supply_id
    WHERE l.received + l.canceled + l.lost < l.quantity
    """
"""What was canceled or lost is all that was open, so a line that is open has neither."""
OPEN_LINES_OF = sql(OPEN_LINES + " AND l.item_id = ANY(:items) ORDER BY s.expected_at, s.id, l.position", items=INTS)
INCOMING = sql(
    f"""
    SELECT n.item_id, n.location_id, sum(o.open) AS units
    FROM unnest(:items, :locations) AS n(item_id, location_id)
    JOIN ({OPEN_LINES} AND l.item_id = ANY(:items)) AS o USING (item_id, location_id) GROUP BY 1, 2
    """,  # noqa: S608
    items=INTS,
    locations=INTS,
)


class PostgresSupplies:
    """Reads supplies."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def resolve(self, references: Sequence[SupplyReference]) -> list[SupplyId | None]:
        """Which supplies are meant; None for one that does not exist."""
        ids = [one.id for one in references if one.id is not None]
        names = [one.reference for one in references if one.id is None]
        statement = select(supplies.c.id, supplies.c.reference)
        named = any_of(supplies.c.id, ids) | any_of(supplies.c.reference, names)
        rows = (await self._connection.execute(statement.where(named))).all()
        found, by_name = {row.id for row in rows}, {row.reference: row.id for row in rows}
        return [by_name.get(one.reference) if one.id is None else one.id if one.id in found else None
                for one in references]  # fmt: skip

    async def items_of(self, ids: Sequence[SupplyId]) -> set[ItemId]:
        """The SKUs of their lines, which never change."""
        rows = await self._connection.execute(
            select(supply_lines.c.item_id).where(any_of(supply_lines.c.supply_id, ids))
        )
        return set(rows.scalars())

    async def reserve_id(self) -> SupplyId:
        """The id of a supply that is not written yet."""
        return SupplyId((await self._connection.execute(sql(RESERVE))).scalar_one())

    async def by_ids(self, ids: Sequence[SupplyId]) -> list[SupplyView]:
        return await self._supplies(select(supplies).where(any_of(supplies.c.id, ids)))

    async def page(self, condition: SupplyFilter, first: int, after: Seek | None) -> list[SupplyView]:
        """By when they are expected, then by id; `after` is (expected_at, id)."""
        place = supplies.c.expected_at, supplies.c.id
        statement = select(supplies).order_by(*place).limit(first)
        if condition.skus is not None:
            wanted = select(items.c.id).where(any_of(items.c.sku, condition.skus))
            of = (supply_lines.c.supply_id == supplies.c.id) & supply_lines.c.item_id.in_(wanted)
            statement = statement.where(exists().where(of))
        if condition.locations is not None:
            there = select(locations.c.id).where(any_of(locations.c.code, condition.locations))
            statement = statement.where(supplies.c.location_id.in_(there))
        if condition.states is not None:
            statement = statement.where(any_of(supplies.c.state, condition.states))
        if condition.expected_before is not None:
            statement = statement.where(supplies.c.expected_at < condition.expected_before)
        if after is not None:
            statement = statement.where(tuple_(*place) > after)
        return await self._supplies(statement)

    async def open_lines(self, of: Sequence[ItemId]) -> list[OpenSupplyLine]:
        """Units of these SKUs that are still to come, the earliest first."""
        rows = await self._connection.execute(OPEN_LINES_OF, {"items": of})
        return [
            OpenSupplyLine(
                supply=row.supply_id,
                item=row.item_id,
                location=row.location_id,
                open=row.open,
                expected_at=row.expected_at,
            )
            for row in rows
        ]

    async def incoming(self, keys: Sequence[LevelKey]) -> dict[LevelKey, int]:
        """How many units are still to come to each level; levels that expect nothing are left out."""
        rows = await self._connection.execute(INCOMING, columns(keys, ("items", "locations")))
        return {(row.item_id, row.location_id): int(row.units) for row in rows}

    async def _supplies(self, statement: Select[Any]) -> list[SupplyView]:
        rows = (await self._connection.execute(statement)).all()
        lines: defaultdict[SupplyId, list[SupplyLine]] = defaultdict(list)
        if rows:
            wanted = select(supply_lines).where(any_of(supply_lines.c.supply_id, [row.id for row in rows]))
            for row in await self._connection.execute(wanted.order_by(supply_lines.c.position)):
                lines[row.supply_id].append(_line(row))
        return [_supply(row, lines[row.id]) for row in rows]


def _line(row: Any) -> SupplyLine:
    return SupplyLine(
        item=row.item_id, quantity=row.quantity, received=row.received, canceled=row.canceled, lost=row.lost
    )


def _supply(row: Any, lines: Sequence[SupplyLine]) -> SupplyView:
    return SupplyView(
        id=row.id,
        reference=row.reference,
        kind=SupplyKind(row.kind),
        state=SupplyState(row.state),
        location=row.location_id,
        from_location=row.from_location_id,
        expected_at=row.expected_at,
        lines=tuple(lines),
        reason=row.reason,
        version=row.version,
        created_at=row.created_at,
    )


# ---------------------------------------------------------------- writing; see `PostgresBatches.record`

SUPPLY_COLUMNS = {
    "ids": "id",
    "references": "reference",
    "kinds": "kind",
    "states": "state",
    "locations": "location",
    "from_locations": "from_location",
    "times": "expected_at",
    "versions": "version",
}
INSERT_SUPPLIES = statement(
    """
    INSERT INTO supplies (id, reference, kind, state, location_id, from_location_id, expected_at, version)
    SELECT * FROM unnest(:ids, :references, :kinds, :states, :locations, :from_locations, :times, :versions)
    """,
    ids=BIGINTS,
    references=TEXTS,
    kinds=TEXTS,
    states=TEXTS,
    locations=INTS,
    from_locations=INTS,
    times=TIMES,
    versions=BIGINTS,
)
SUPPLY_UPDATE_COLUMNS = {
    "ids": "id", "states": "state", "times": "expected_at", "reasons": "reason", "versions": "version",
}  # fmt: skip
UPDATE_SUPPLIES = statement(
    """
    UPDATE supplies s SET state = n.state, expected_at = n.expected_at, reason = n.reason, version = n.version
    FROM unnest(:ids, :states, :times, :reasons, :versions) AS n(id, state, expected_at, reason, version)
    WHERE s.id = n.id AND s.version = n.version - 1
    """,
    ids=BIGINTS,
    states=TEXTS,
    times=TIMES,
    reasons=TEXTS,
    versions=BIGINTS,
)
INSERT_SUPPLY_LINES = statement(
    """
    INSERT INTO supply_lines (supply_id, position, item_id, quantity)
    SELECT * FROM unnest(:supplies, :positions, :items, :quantities)
    """,
    supplies=BIGINTS,
    positions=INTS,
    items=INTS,
    quantities=INTS,
)
UPDATE_SUPPLY_LINES = statement(
    """
    UPDATE supply_lines l SET received = n.received, canceled = n.canceled, lost = n.lost
    FROM unnest(:supplies, :items, :received, :canceled, :lost) AS n(supply_id, item_id, received, canceled, lost)
    WHERE l.supply_id = n.supply_id AND l.item_id = n.item_id
    """,
    supplies=BIGINTS,
    items=INTS,
    received=INTS,
    canceled=INTS,
    lost=INTS,
)


def new_supply_lines(made: Sequence[Supply]) -> dict[str, list[Any]]:
    """The lines of new supplies, as columns."""
    rows = [
        (supply.id, position, line.item, line.quantity) for supply in made for position, line in enumerate(supply.lines)
    ]
    return columns(rows, ("supplies", "positions", "items", "quantities"))


def changed_supply_lines(changed: Sequence[tuple[SupplyId, SupplyLine]]) -> dict[str, list[Any]]:
    """What became of lines, as columns."""
    rows = [(supply, line.item, line.received, line.canceled, line.lost) for supply, line in changed]
    return columns(rows, ("supplies", "items", "received", "canceled", "lost"))


def supply_writes(changes: Changes) -> Iterator[Write]:
    yield from arrays(INSERT_SUPPLIES, attributes(changes.new_supplies, SUPPLY_COLUMNS))
    yield from arrays(INSERT_SUPPLY_LINES, new_supply_lines(changes.new_supplies))
    yield from guarded(UPDATE_SUPPLIES, attributes(changes.changed_supplies, SUPPLY_UPDATE_COLUMNS))
    yield from guarded(UPDATE_SUPPLY_LINES, changed_supply_lines(changes.changed_supply_lines))
