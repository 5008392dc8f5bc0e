"""Items, locations and channels: what stock and orders refer to by name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ids import ChannelId, ItemId, LocationId, Sku
from domain.kinds import LocationKind, SourcingRule
from domain.orders import Address
from domain.sourcing import Sourcing
from domain.stock import Component, Item, Location
from persistence.driver import Driver, statement
from persistence.locks import lock_components, lock_skus
from persistence.searching import any_of, starts_with, words
from persistence.sql import INTS, JSON, TEXTS, sql
from persistence.tables import channels, items, locations
from services.ports.catalog import BundleConflict, Channel, ItemFilter
from services.ports.paging import Seek

ITEMS_BY_SKU = statement("SELECT sku, id, components FROM items WHERE sku = ANY(:skus)", skus=TEXTS)

SAVE_COMPONENTS = sql(
    """
    UPDATE items i SET components = nullif(n.components, 'null')
    FROM jsonb_to_recordset(:rows) AS n(item int, components jsonb) WHERE i.id = n.item
    """,
    rows=JSON,
)
BUNDLE_CONFLICTS = sql(
    """
    SELECT i.id, c.conflict
    FROM items i CROSS JOIN LATERAL (
        SELECT 'HAS_STOCK' AS conflict
        WHERE EXISTS (SELECT FROM stock_levels s WHERE s.item_id = i.id) OR EXISTS (
            SELECT FROM supply_lines l WHERE l.item_id = i.id AND l.received + l.canceled + l.lost < l.quantity)
        UNION ALL
        SELECT 'IS_COMPONENT' WHERE EXISTS (
            SELECT FROM items b WHERE b.components @> jsonb_build_array(jsonb_build_object('item', i.id)))
        UNION ALL
        SELECT 'HAS_BUNDLE' WHERE EXISTS (
            SELECT FROM jsonb_array_elements(i.components) AS c JOIN items p ON p.id = CAST(c ->> 'item' AS int)
            WHERE p.components IS NOT NULL)
    ) AS c
    WHERE i.id = ANY(:items) ORDER BY i.id
    """,
    items=INTS,
)


class PostgresCatalog:
    """Reads and saves by natural key."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    # ------------------------------------------------------------ items

    async def save_items(self, rows: Sequence[Mapping[str, Any]]) -> list[ItemId]:
        """Create or update by SKU. A field that is absent from a row keeps its value."""
        saved: dict[str, ItemId] = {}
        for named, group in _same_fields(rows, "sku"):
            statement = upsert(items).values(group)
            fields = _updated(items, statement, named, "sku")
            statement = statement.on_conflict_do_update(index_elements=[items.c.sku], set_=fields)
            for row in await self._connection.execute(statement.returning(items.c.sku, items.c.id)):
                saved[row.sku] = row.id
        return [saved[row["sku"]] for row in rows]

    async def items_by_sku(self, skus: Sequence[str]) -> dict[Sku, ItemId]:
        return (await self.items_and_components(skus))[0]

    async def items_and_components(
        self, skus: Sequence[str]
    ) -> tuple[dict[Sku, ItemId], dict[Sku, tuple[Component, ...]]]:
        """The items, and what those that are bundles are made of."""
        rows = await Driver(self._connection).rows(ITEMS_BY_SKU, {"skus": list(skus)})
        return {sku: item for sku, item, _ in rows}, {sku: _components(parts) for sku, _, parts in rows if parts}

    async def lock_components(self) -> None:
        await lock_components(self._connection)

    async def save_components(
        self, components: Mapping[ItemId, Sequence[Component]]
    ) -> list[tuple[ItemId, BundleConflict]]:
        """What each item is made of from now on; nothing: it is no bundle. What is wrong with that as things stand.

        The SKUs of the bundles are locked, so that none of them is given stock meanwhile.
        """
        bundles = [item for item, parts in components.items() if parts]
        await lock_skus(Driver(self._connection), bundles)
        rows = [
            {"item": item, "components": [part._asdict() for part in parts] or None}
            for item, parts in components.items()
        ]
        await self._connection.execute(SAVE_COMPONENTS, {"rows": rows})
        found = await self._connection.execute(BUNDLE_CONFLICTS, {"items": bundles})
        return [(row.id, BundleConflict(row.conflict)) for row in found]

    async def items(self, ids: Sequence[ItemId]) -> list[Item]:
        return await self._items(select(items).where(any_of(items.c.id, ids)))

    async def item_id(self, *, sku: str | None = None, barcode: str | None = None) -> ItemId | None:
        condition = items.c.sku == sku if sku is not None else items.c.barcode == barcode
        return (await self._connection.execute(select(items.c.id).where(condition))).scalar()

    async def skus_with_barcodes(self, barcodes: Sequence[str]) -> dict[str, Sku]:
        statement = select(items.c.barcode, items.c.sku).where(any_of(items.c.barcode, barcodes))
        return {row.barcode: row.sku for row in await self._connection.execute(statement)}

    async def item_page(self, condition: ItemFilter, first: int, after: Seek | None) -> list[Item]:
        """By SKU; `after` is (sku,)."""
        statement = select(items).order_by(items.c.sku).limit(first)
        if condition.skus is not None:
            statement = statement.where(any_of(items.c.sku, condition.skus))
        if condition.search is not None:
            found = starts_with(items.c.sku, condition.search), items.c.barcode == condition.search
            statement = statement.where(found[0] | found[1] | and_(*words(items.c.name, condition.search)))
        if after is not None:
            statement = statement.where(items.c.sku > after[0])
        return await self._items(statement)

    async def _items(self, statement: Select[Any]) -> list[Item]:
        rows = await self._connection.execute(statement)
        return [
            Item(
                id=row.id,
                sku=row.sku,
                name=row.name,
                barcode=row.barcode,
                components=_components(row.components or ()),
            )
            for row in rows
        ]

    # ------------------------------------------------------------ locations

    async def save_locations(self, rows: Sequence[Mapping[str, Any]]) -> list[LocationId]:
        """Create or update by code. A field that is absent from a row keeps its value."""
        saved: dict[str, LocationId] = {}
        for named, group in _same_fields(rows, "code"):
            statement = upsert(locations).values([{"kind": LocationKind.WAREHOUSE, **row} for row in group])
            fields = _updated(locations, statement, named, "code")
            statement = statement.on_conflict_do_update(index_elements=[locations.c.code], set_=fields)
            for row in await self._connection.execute(statement.returning(locations.c.code, locations.c.id)):
                saved[row.code] = row.id
        return [saved[row["code"]] for row in rows]

    async def locations(self) -> list[Location]:
        return await read_locations(self._connection)

    # ------------------------------------------------------------ channels

    async def save_channels(self, rows: Sequence[Mapping[str, Any]]) -> list[ChannelId]:
        """Create or update by code. A field that is absent from a row keeps its value."""
        saved: dict[str, ChannelId] = {}
        for named, group in _same_fields(rows, "code"):
            statement = upsert(channels).values(group)
            fields = _updated(channels, statement, named, "code")
            statement = statement.on_conflict_do_update(index_elements=[channels.c.code], set_=fields)
            for row in await self._connection.execute(statement.returning(channels.c.code, channels.c.id)):
                saved[row.code] = row.id
        return [saved[row["code"]] for row in rows]

    async def channels(self) -> list[Channel]:
        rows = await self._connection.execute(select(channels).order_by(channels.c.code))
        return [
            Channel(
                id=ChannelId(row.id),
                code=row.code,
                name=row.name,
                sourcing=_sourcing(row.sourcing, row.location_ids, row.split_lines),
                releases_by_itself=row.releases_by_itself,
                paid_on_arrival=row.paid_on_arrival,
                unpaid_orders_expire_after_minutes=row.unpaid_orders_expire_after_minutes,
            )
            for row in rows
        ]


def _components(parts: Iterable[Mapping[str, Any]]) -> tuple[Component, ...]:
    return tuple(Component(**part) for part in parts)


async def read_locations(connection: AsyncConnection) -> list[Location]:
    """All of them, in the order in which they are tried."""
    rows = await connection.execute(select(locations).order_by(locations.c.rank, locations.c.id))
    return [_location(**{name: getattr(row, name) for name in LOCATION_FIELDS}) for row in rows]


LOCATION_FIELDS = (
    "id", "code", "name", "kind", "country_code", "region", "latitude", "longitude", "rank", "handling_hours",
    "transit_hours", "checks_quality", "address",
)  # fmt: skip

IS_SOURCED = "(c.sourcing <> '{LOCATION_RANK}' OR c.location_ids IS NOT NULL OR NOT c.split_lines)"
"""Whether the orders of channel `c` are served in another way than from everywhere by rank."""

PLACES = statement(
    f"""
    SELECT (SELECT jsonb_agg(to_jsonb(l) - 'created_at' - 'address' ORDER BY l.rank, l.id) FROM locations l),
           (SELECT jsonb_object_agg(c.code, jsonb_build_array(c.sourcing, c.location_ids, c.split_lines))
            FROM channels c WHERE {IS_SOURCED}),
           ARRAY(SELECT c.code FROM channels c WHERE c.paid_on_arrival),
           ARRAY(SELECT c.code FROM channels c WHERE c.releases_by_itself),
           ARRAY(SELECT c.code FROM channels c)
    """  # noqa: S608  (a constant)
)


class Places(NamedTuple):
    """All locations in the order in which they are tried; the sourcing of the channels that have one of their own, by
    code; and the codes of the channels whose orders have been paid when they come, of those that release their orders
    by themselves, and of all.
    """

    locations: dict[LocationId, Location]
    sourcing: dict[str, Sourcing]
    paid_on_arrival: frozenset[str]
    releases_by_itself: frozenset[str]
    channels: frozenset[str]


async def read_places(driver: Driver) -> Places:
    places, sourced, *codes = await driver.row(PLACES, {})
    return Places(
        {place["id"]: _location(**place) for place in places or ()},
        {code: _sourcing(*sourcing) for code, sourcing in (sourced or {}).items()},
        *map(frozenset, codes),
    )


def _location(*, kind: str, address: dict[str, Any] | None = None, **fields: Any) -> Location:
    return Location(kind=LocationKind(kind), address=Address(**address) if address else None, **fields)


def _sourcing(rules: Iterable[str], location_ids: Iterable[int] | None, split_lines: bool) -> Sourcing:
    return Sourcing(
        rules=tuple(map(SourcingRule, rules)),
        locations=None if location_ids is None else frozenset(map(LocationId, location_ids)),
        split_lines=split_lines,
    )


def _updated(table: Table, statement: Insert, named: Iterable[str], key: str) -> dict[str, ColumnElement[Any]]:
    """What a conflict sets; never the key, or else it waits for every order that is being placed with the item."""
    return {name: statement.excluded[name] for name in named if name != key} or {"name": table.c.name}


def _same_fields(rows: Sequence[Mapping[str, Any]], key: str) -> Iterator[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """Rows grouped by the fields that they name, each with a name to insert.

    A row without a name is known to exist, so its name is never used. Sorted by key, so that two writers meet in the
    same order.
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: str(row[key])):
        groups.setdefault(tuple(sorted(row)), []).append({"name": row[key], **row})
    yield from groups.items()
