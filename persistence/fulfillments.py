"""Fulfillments, pick tasks and pick lists as they are shown; and pick lists, which are made beside batches."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.fulfillments import Parcel
from domain.ids import FulfillmentId, LevelKey, LocationId, OrderId, PickListId, PickTaskId, Sku
from domain.kinds import AllocationStatus, OrderStatus, PickMode, TrackingStatus
from domain.tracking import Tracked
from persistence.driver import Driver
from persistence.floor import PARCELS, fulfillment_fields, parcel_of, task_fields
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, INT, INTS, TEXT, TEXTS, columns, sql
from persistence.tables import allocations, channels, fulfillments, items, locations, order_lines, orders, pick_tasks
from services.ports.fulfillments import (
    FulfillmentFilter,
    FulfillmentView,
    PickListView,
    PickTaskFilter,
    PickTaskView,
    R,
    TaskItem,
    TrackingEventView,
)
from services.ports.paging import Seek

WITH_LINES = select(
    fulfillments,
    text(
        "ARRAY(SELECT ARRAY[l.id, l.line_id, l.item_id, l.quantity, l.picked] FROM fulfillment_lines l "
        "WHERE l.fulfillment_id = fulfillments.id ORDER BY l.id) AS lines"
    ),
)
PICKER = text(
    "(SELECT p.picker FROM pick_lists p WHERE p.id = pick_tasks.list_id AND p.leased_until > clock_timestamp()) "
    "AS picker"
)
TASKS = (
    select(pick_tasks, items.c.sku, fulfillments.c.order_id, orders.c.priority, PICKER)
    .join(items, items.c.id == pick_tasks.c.item_id)
    .join(fulfillments, fulfillments.c.id == pick_tasks.c.fulfillment_id)
    .join(orders, orders.c.id == fulfillments.c.order_id)
)
BY_BIN = (func.coalesce(pick_tasks.c.bin, ""), pick_tasks.c.id)

ITEMS_OF_TASKS = sql(
    """
    SELECT t.id, f.order_id, i.sku, i.barcode FROM pick_tasks t JOIN fulfillments f ON f.id = t.fulfillment_id
    JOIN items i ON i.id = t.item_id WHERE t.id = ANY(:ids)
    """,
    ids=BIGINTS,
)
BINS_OF = sql(
    """
    SELECT b.item_id, b.location_id, b.bin, b.on_hand
    FROM unnest(:items, :locations) AS n(item_id, location_id)
    JOIN bin_levels b ON b.item_id = n.item_id AND b.location_id = n.location_id
    WHERE b.on_hand > 0 ORDER BY b.bin
    """,
    items=INTS,
    locations=INTS,
)

# Whoever comes second passes by the tasks that the first one is about to take.
FREE_TASKS = """
    SELECT t.id, t.fulfillment_id FROM pick_tasks t
    WHERE t.location_id = :location AND t.state = 'OPEN' AND t.list_id IS NULL
    """
FREE_OF = sql(FREE_TASKS + " AND t.fulfillment_id = ANY(:ids) FOR UPDATE SKIP LOCKED", location=INT, ids=BIGINTS)
MOST_URGENT = sql(
    """
    SELECT f.id FROM fulfillments f JOIN orders o ON o.id = f.order_id
    WHERE f.location_id = :location AND f.state IN ('RELEASED', 'PICKING') AND EXISTS (
        SELECT FROM pick_tasks t WHERE t.fulfillment_id = f.id AND t.state = 'OPEN' AND t.list_id IS NULL)
    ORDER BY o.priority DESC, f.estimated_ship_at, f.id LIMIT :most FOR UPDATE OF f SKIP LOCKED
    """,
    location=INT,
    most=INT,
)
INSERT_LIST = sql(
    """
    INSERT INTO pick_lists (location_id, mode, picker, leased_until)
    VALUES (:location, :mode, :picker,
            CASE WHEN CAST(:picker AS text) IS NOT NULL THEN clock_timestamp() + make_interval(secs => :seconds) END)
    RETURNING id
    """,
    location=INT,
    mode=TEXT,
    picker=TEXT,
    seconds=INT,
)
PUT_ON_LIST = sql("UPDATE pick_tasks SET list_id = :list WHERE id = ANY(:tasks)", list=BIGINT, tasks=BIGINTS)
TAKE_LIST = sql(
    """
    UPDATE pick_lists SET picker = :picker, leased_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE id = :list AND (picker IS NULL OR picker = :picker OR leased_until <= clock_timestamp())
    """,
    list=BIGINT,
    picker=TEXT,
    seconds=INT,
)
GIVE_LIST_BACK = sql(
    "UPDATE pick_lists SET picker = NULL, leased_until = NULL WHERE id = :list AND picker = :picker",
    list=BIGINT,
    picker=TEXT,
)
LISTS = sql(
    """
    SELECT id, location_id, mode, CASE WHEN leased_until > clock_timestamp() THEN picker END AS picker,
           CASE WHEN leased_until > clock_timestamp() THEN leased_until END AS leased_until, created_at
    FROM pick_lists WHERE id = ANY(:ids)
    """,
    ids=BIGINTS,
)
REFUSED = sql(
    "UPDATE orders SET release_refused_at_version = version WHERE id = ANY(:orders)",
    orders=BIGINTS,
)


TRACKED = sql(
    """
    SELECT n.at, found.id, found.parcels
    FROM unnest(:parcels, :fulfillments, :numbers) WITH ORDINALITY AS n(parcel, fulfillment, number, at),
    LATERAL (
        SELECT p.fulfillment_id AS id, ARRAY[p.id] AS parcels FROM parcels p WHERE p.id = n.parcel
        UNION ALL
        SELECT f.id, CAST('{}' AS bigint[]) FROM fulfillments f WHERE f.id = n.fulfillment
        UNION ALL
        (SELECT f.id, ARRAY(SELECT p.id FROM parcels p WHERE p.fulfillment_id = f.id AND p.tracking_number = n.number
            ORDER BY p.id)
        FROM fulfillments f
        WHERE f.state <> 'CANCELED' AND n.number <> '' AND f.id IN (
            SELECT p.fulfillment_id FROM parcels p WHERE p.tracking_number = n.number
            UNION SELECT o.id FROM fulfillments o WHERE o.tracking_number = n.number)
        ORDER BY f.id DESC LIMIT 1)
    ) AS found
    """,
    parcels=BIGINTS,
    fulfillments=BIGINTS,
    numbers=TEXTS,
)
TRACKING = sql(
    """
    SELECT t.id, n.id AS fulfillment_id, t.parcel_id, t.status, t.occurred_at, t.message, t.place, t.recorded_at,
        t.actor
    FROM unnest(:fulfillments) AS n(id), LATERAL (
        SELECT * FROM tracking_events WHERE parcel_id IN (SELECT p.id FROM parcels p WHERE p.fulfillment_id = n.id)
        UNION ALL SELECT * FROM tracking_events WHERE fulfillment_id = n.id AND parcel_id IS NULL) AS t
    ORDER BY t.occurred_at DESC, t.id DESC
    """,
    fulfillments=BIGINTS,
)


class PostgresFulfillments:
    """Implements `services.ports.fulfillments.Fulfillments`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def orders_of(self, ids: Sequence[FulfillmentId]) -> dict[FulfillmentId, OrderId]:
        """Their orders, which never change."""
        statement = select(fulfillments.c.id, fulfillments.c.order_id).where(any_of(fulfillments.c.id, ids))
        return {FulfillmentId(one): OrderId(order) for one, order in await self._connection.execute(statement)}

    async def items_of_tasks(self, ids: Sequence[PickTaskId]) -> dict[PickTaskId, TaskItem]:
        rows = await self._connection.execute(ITEMS_OF_TASKS, {"ids": list(ids)})
        return {row.id: TaskItem(order=row.order_id, sku=Sku(row.sku), barcode=row.barcode) for row in rows}

    async def by_ids(self, ids: Sequence[FulfillmentId]) -> list[FulfillmentView]:
        return await self._fulfillments(WITH_LINES.where(any_of(fulfillments.c.id, ids)))

    async def of_orders(self, orders: Sequence[OrderId]) -> list[FulfillmentView]:
        """The oldest first."""
        statement = WITH_LINES.where(any_of(fulfillments.c.order_id, orders))
        return await self._fulfillments(statement.order_by(fulfillments.c.id))

    async def page(self, condition: FulfillmentFilter, first: int, after: int | None) -> list[FulfillmentView]:
        """The oldest first."""
        statement = WITH_LINES.order_by(fulfillments.c.id).limit(first)
        if condition.orders is not None:
            statement = statement.where(any_of(fulfillments.c.order_id, condition.orders))
        if condition.states is not None:
            statement = statement.where(any_of(fulfillments.c.state, condition.states))
        if condition.locations is not None:
            known = select(locations.c.id).where(any_of(locations.c.code, condition.locations))
            statement = statement.where(fulfillments.c.location_id.in_(known))
        if condition.tracking_number is not None:
            statement = statement.where(fulfillments.c.tracking_number == condition.tracking_number)
        if condition.tracking_statuses is not None:
            statement = statement.where(any_of(fulfillments.c.tracking_status, condition.tracking_statuses))
        if after is not None:
            statement = statement.where(fulfillments.c.id > after)
        return await self._fulfillments(statement)

    async def parcels_of(self, fulfillments: Sequence[FulfillmentId]) -> list[Parcel]:
        rows = await Driver(self._connection).rows(PARCELS, {"fulfillments": list(fulfillments)})
        return [parcel_of(*row) for row in rows]

    async def tracked(self, references: Sequence[R]) -> dict[R, Tracked]:
        rows = [(one.parcel, one.fulfillment, one.number) for one in references]
        found = await self._connection.execute(TRACKED, columns(rows, ("parcels", "fulfillments", "numbers")))
        return {
            references[row.at - 1]: Tracked(fulfillment=FulfillmentId(row.id), parcels=tuple(row.parcels))
            for row in found
        }

    async def tracking_of(self, fulfillments: Sequence[FulfillmentId]) -> list[TrackingEventView]:
        """What carriers said of them, the latest first by their clocks."""
        return [
            TrackingEventView(
                id=row.id,
                fulfillment=row.fulfillment_id,
                parcel=row.parcel_id,
                status=TrackingStatus(row.status),
                occurred_at=row.occurred_at,
                message=row.message,
                place=row.place,
                recorded_at=row.recorded_at,
                recorded_by=row.actor,
            )
            for row in await self._connection.execute(TRACKING, {"fulfillments": list(fulfillments)})
        ]

    async def tasks(self, ids: Sequence[PickTaskId]) -> list[PickTaskView]:
        return await self._tasks(TASKS.where(any_of(pick_tasks.c.id, ids)))

    async def tasks_of(self, fulfillments: Sequence[FulfillmentId]) -> list[PickTaskView]:
        return await self._tasks(TASKS.where(any_of(pick_tasks.c.fulfillment_id, fulfillments)).order_by(*BY_BIN))

    async def tasks_on(self, lists: Sequence[PickListId]) -> list[PickTaskView]:
        """By bin."""
        return await self._tasks(TASKS.where(any_of(pick_tasks.c.list_id, lists)).order_by(*BY_BIN))

    async def task_page(self, condition: PickTaskFilter, first: int, after: Seek | None) -> list[PickTaskView]:
        """By bin; `after`: bin ("" for none) and id."""
        known = select(locations.c.id).where(locations.c.code == condition.location)
        statement = TASKS.where(pick_tasks.c.location_id.in_(known)).order_by(*BY_BIN).limit(first)
        if condition.states is not None:
            statement = statement.where(any_of(pick_tasks.c.state, condition.states))
        if condition.fulfillments is not None:
            statement = statement.where(any_of(pick_tasks.c.fulfillment_id, condition.fulfillments))
        if condition.on_list is not None:
            on_none = pick_tasks.c.list_id.is_(None)
            statement = statement.where(~on_none if condition.on_list else on_none)
        if after is not None:
            statement = statement.where(tuple_(*BY_BIN) > tuple_(literal(after[0]), literal(after[1])))
        return await self._tasks(statement)

    async def bins_of(self, keys: Sequence[LevelKey]) -> dict[LevelKey, list[tuple[str, int]]]:
        """How many units lie in which bin, by bin."""
        found: defaultdict[LevelKey, list[tuple[str, int]]] = defaultdict(list)
        for row in await self._connection.execute(BINS_OF, columns(keys, ("items", "locations"))):
            found[row.item_id, row.location_id].append((row.bin, row.on_hand))
        return dict(found)

    async def lists(self, ids: Sequence[PickListId]) -> list[PickListView]:
        return [
            PickListView(
                id=row.id,
                location=row.location_id,
                mode=PickMode(row.mode),
                picker=row.picker,
                leased_until=row.leased_until,
                created_at=row.created_at,
            )
            for row in await self._connection.execute(LISTS, {"ids": list(ids)})
        ]

    async def make_list(
        self,
        location: LocationId,
        mode: PickMode,
        fulfillments: Sequence[FulfillmentId] | None,
        most: int,
        picker: str | None,
        seconds: int,
    ) -> PickListId | None:
        """Put open tasks that are on no list on a new one."""
        if fulfillments is None:
            urgent = await self._connection.execute(MOST_URGENT, {"location": location, "most": most})
            fulfillments = list(urgent.scalars())
        free = await self._connection.execute(FREE_OF, {"location": location, "ids": list(fulfillments)})
        tasks = [row.id for row in free]
        if not tasks:
            return None
        values = {"location": location, "mode": mode, "picker": picker, "seconds": seconds}
        made = (await self._connection.execute(INSERT_LIST, values)).scalar_one()
        await self._connection.execute(PUT_ON_LIST, {"list": made, "tasks": tasks})
        return PickListId(made)

    async def take_list(self, pick_list: PickListId, picker: str, seconds: int) -> bool:
        """Let the picker have the list for so long, from now on. False: somebody else has it."""
        values = {"list": pick_list, "picker": picker, "seconds": seconds}
        return (await self._connection.execute(TAKE_LIST, values)).rowcount == 1

    async def give_list_back(self, pick_list: PickListId, picker: str) -> bool:
        values = {"list": pick_list, "picker": picker}
        return (await self._connection.execute(GIVE_LIST_BACK, values)).rowcount == 1

    async def ready(self, most: int) -> list[OrderId]:
        """Orders that their channel releases by itself and that look as if they could be, the most urgent first."""
        waits = exists().where(
            allocations.c.line_id == order_lines.c.id,
            order_lines.c.order_id == orders.c.id,
            allocations.c.fulfillment_line_id.is_(None),
        )
        statement = (
            select(orders.c.id)
            .join(channels, channels.c.id == orders.c.channel_id)
            .where(channels.c.releases_by_itself, orders.c.status == OrderStatus.FINALIZED)
            .where(orders.c.allocation_status == AllocationStatus.ALLOCATED, waits)
            .where(orders.c.release_refused_at_version.is_distinct_from(orders.c.version))
            .order_by(orders.c.priority.desc(), orders.c.placed_at, orders.c.id)
            .limit(most)
        )
        return list((await self._connection.execute(statement)).scalars())

    async def refused(self, orders: Sequence[OrderId]) -> None:
        """Do not try to release these orders again before something about them changes."""
        await self._connection.execute(REFUSED, {"orders": list(orders)})

    async def _fulfillments(self, statement: Select[Any]) -> list[FulfillmentView]:
        return [
            FulfillmentView(
                **fulfillment_fields(row),
                created_at=row.created_at,
                picked_at=row.picked_at,
                checked_at=row.checked_at,
                packed_at=row.packed_at,
                shipped_at=row.shipped_at,
                delivered_at=row.delivered_at,
                canceled_at=row.canceled_at,
            )
            for row in await self._connection.execute(statement)
        ]

    async def _tasks(self, statement: Select[Any]) -> list[PickTaskView]:
        return [
            PickTaskView(**task_fields(row), order=row.order_id, sku=Sku(row.sku), priority=row.priority)
            for row in await self._connection.execute(statement)
        ]
