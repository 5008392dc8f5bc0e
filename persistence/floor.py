"""The database's half of `domain.floor`: what is read under the locks, and what a batch writes of it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from domain.changes import Changes, NewTrackingEvent
from domain.floor import FloorFacts
from domain.fulfillments import Fulfillment, FulfillmentLine, Parcel, PickTask, Shipping
from domain.ids import ItemId, OrderId
from domain.kinds import FulfillmentKind, FulfillmentState, PickTaskState, TrackingStatus
from domain.money import Money
from persistence.driver import Driver, Write, statement
from persistence.sql import BIGINTS, INT, INTS, JSON

# ---------------------------------------------------------------- reading

FULFILLMENTS = statement(
    """
    SELECT f.id, f.order_id, f.location_id, f.kind, f.state, f.version, f.estimated_ship_at, f.estimated_delivery_at,
           f.carrier, f.service, f.tracking_number, f.tracking_url, f.postage, f.postage_currency, f.divided_from,
           f.tracking_status, f.tracked_at,
           ARRAY(SELECT ARRAY[l.id, l.line_id, l.item_id, l.quantity, l.picked] FROM fulfillment_lines l
                 WHERE l.fulfillment_id = f.id ORDER BY l.id) AS lines
    FROM fulfillments f WHERE f.order_id = ANY(:orders) ORDER BY f.id
    """,
    orders=BIGINTS,
)
_TASKS = """
    SELECT t.id, t.fulfillment_id, t.fulfillment_line_id, t.item_id, t.location_id, t.bin, t.quantity, t.picked,
           t.short, t.state, t.version, t.list_id,
           CASE WHEN p.leased_until > clock_timestamp() THEN p.picker END AS picker
    FROM pick_tasks t LEFT JOIN pick_lists p ON p.id = t.list_id
    """
TASKS = statement(_TASKS + " WHERE t.fulfillment_id = ANY(:fulfillments) ORDER BY t.id", fulfillments=BIGINTS)
OPEN_TASKS = statement(
    _TASKS + " WHERE t.state = 'OPEN' AND t.item_id = ANY(:items) ORDER BY t.id",
    items=INTS,
)
PARCEL_COLUMNS = (
    "id, fulfillment_id, number, contents, weight_grams, length_mm, width_mm, height_mm, sscc, tracking_number, "
    "label_url, tracking_status, tracked_at, delivered_at"
)
PARCELS = statement(
    f"SELECT {PARCEL_COLUMNS} FROM parcels WHERE fulfillment_id = ANY(:fulfillments) ORDER BY id",  # noqa: S608
    fulfillments=BIGINTS,
)
BINS = statement(
    "SELECT item_id, location_id, bin, on_hand FROM bin_levels WHERE item_id = ANY(:items)",
    items=INTS,
)
IDS = statement(
    "SELECT ARRAY(SELECT nextval('fulfillment_ids') FROM generate_series(1, :most)), clock_timestamp()", most=INT
)


async def read_floor(driver: Driver, orders: Sequence[OrderId], bins_of: Iterable[ItemId] | None) -> FloorFacts:
    """The fulfillments of the orders; with `bins_of`, also the bins and the open tasks of these SKUs."""
    found = (
        [Fulfillment(**fulfillment_fields(_named(row))) for row in await driver.rows(FULFILLMENTS, {"orders": orders})]
        if orders
        else []
    )
    named = {"fulfillments": [one.id for one in found]}
    tasks = [PickTask(**task_fields(_named(row))) for row in await driver.rows(TASKS, named)] if found else []
    parcels = [parcel_of(*row) for row in await driver.rows(PARCELS, named)] if found else []
    bins = {}
    if bins_of is not None:
        items = {"items": list(bins_of)}
        bins = {(item, location, code): units for item, location, code, units in await driver.rows(BINS, items)}
        tasks += [PickTask(**task_fields(_named(row))) for row in await driver.rows(OPEN_TASKS, items)]
    return FloorFacts(fulfillments=found, tasks=tasks, parcels=parcels, bins=bins)


async def fresh_ids(driver: Driver, most: int) -> tuple[Iterator[int], datetime]:
    numbers, now = await driver.row(IDS, {"most": most})
    return iter(numbers), now


class _Named(dict[str, Any]):
    """A row whose columns are attributes, as SQLAlchemy's are."""

    __getattr__ = dict.__getitem__


def _named(row: Any) -> _Named:
    return _Named(row.items())


def fulfillment_fields(row: Any) -> dict[str, Any]:
    """The fields of a `Fulfillment`, of a row with these names."""
    return {
        "id": row.id,
        "order": row.order_id,
        "location": row.location_id,
        "kind": FulfillmentKind(row.kind),
        "state": FulfillmentState(row.state),
        "version": row.version,
        "estimated_ship_at": row.estimated_ship_at,
        "estimated_delivery_at": row.estimated_delivery_at,
        "shipping": Shipping(
            carrier=row.carrier,
            service=row.service,
            tracking_number=row.tracking_number,
            tracking_url=row.tracking_url,
            postage=None if row.postage is None else Money(amount=row.postage, currency_code=row.postage_currency),
        ),
        "divided_from": row.divided_from,
        "tracking_status": _tracking(row.tracking_status),
        "tracked_at": row.tracked_at,
        "lines": tuple(
            FulfillmentLine(id=line, line=of, item=item, quantity=quantity, picked=picked)
            for line, of, item, quantity, picked in row.lines
        ),
    }


def task_fields(row: Any) -> dict[str, Any]:
    """The fields of a `PickTask`, of a row with these names."""
    return {
        "id": row.id,
        "fulfillment": row.fulfillment_id,
        "fulfillment_line": row.fulfillment_line_id,
        "item": row.item_id,
        "location": row.location_id,
        "bin": row.bin,
        "quantity": row.quantity,
        "picked": row.picked,
        "short": row.short,
        "state": PickTaskState(row.state),
        "version": row.version,
        "list": row.list_id,
        "picker": row.picker,
    }


def parcel_of(*row: Any) -> Parcel:
    parcel, one, number, contents, weight, length, width, height, sscc, tracking_number, label_url, *told = row
    status, tracked_at, delivered_at = told
    return Parcel(
        id=parcel,
        fulfillment=one,
        number=number,
        contents=tuple((line, units) for line, units in contents),
        weight_grams=weight,
        length_mm=length,
        width_mm=width,
        height_mm=height,
        sscc=sscc,
        tracking_number=tracking_number,
        label_url=label_url,
        tracking_status=_tracking(status),
        tracked_at=tracked_at,
        delivered_at=delivered_at,
    )


def _tracking(status: str | None) -> TrackingStatus | None:
    return None if status is None else TrackingStatus(status)


# ---------------------------------------------------------------- writing

INSERT_FULFILLMENTS = statement(
    """
    INSERT INTO fulfillments (id, order_id, location_id, kind, state, version, estimated_ship_at,
                              estimated_delivery_at, carrier, service, tracking_number, tracking_url, divided_from,
                              picked_at, checked_at, packed_at, shipped_at)
    SELECT n.id, n.order_id, n.location_id, n.kind, n.state, n.version, n.estimated_ship_at, n.estimated_delivery_at,
           n.carrier, n.service, n.tracking_number, n.tracking_url, n.divided_from,
           f.picked_at, f.checked_at, f.packed_at, CASE WHEN n.state = 'SHIPPED' THEN clock_timestamp() END
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, order_id bigint, location_id int, kind text, state text, version bigint,
        estimated_ship_at timestamptz, estimated_delivery_at timestamptz, carrier text, service text,
        tracking_number text, tracking_url text, divided_from bigint)
    LEFT JOIN fulfillments f ON f.id = n.divided_from
    """,
    rows=JSON,
)
# Several steps may be taken in one transaction: those that were passed through have their times, too.
UPDATE_FULFILLMENTS = statement(
    """
    UPDATE fulfillments f SET state = n.state, version = n.version, carrier = n.carrier, service = n.service,
        tracking_number = n.tracking_number, tracking_url = n.tracking_url, postage = n.postage,
        postage_currency = n.postage_currency, tracking_status = n.tracking_status, tracked_at = n.tracked_at,
        picked_at = CASE WHEN f.kind = 'STOCK' AND n.state IN ('PICKED', 'CHECKED', 'PACKED', 'SHIPPED', 'DELIVERED')
                    THEN coalesce(f.picked_at, clock_timestamp()) ELSE f.picked_at END,
        checked_at = CASE WHEN n.state = 'CHECKED' THEN clock_timestamp() ELSE f.checked_at END,
        packed_at = CASE WHEN f.kind = 'STOCK' AND n.state IN ('PACKED', 'SHIPPED', 'DELIVERED')
                    THEN coalesce(f.packed_at, clock_timestamp()) ELSE f.packed_at END,
        shipped_at = CASE WHEN n.state = 'SHIPPED' THEN coalesce(f.shipped_at, n.at, clock_timestamp())
                     WHEN n.state = 'DELIVERED' THEN coalesce(f.shipped_at, least(n.at, clock_timestamp()))
                     ELSE f.shipped_at END,
        delivered_at = CASE WHEN n.state = 'DELIVERED' THEN coalesce(f.delivered_at, n.at, clock_timestamp()) END,
        canceled_at = CASE WHEN n.state = 'CANCELED' THEN coalesce(f.canceled_at, clock_timestamp()) END
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, state text, version bigint, carrier text, service text, tracking_number text, tracking_url text,
        postage numeric, postage_currency text, tracking_status text, tracked_at timestamptz, at timestamptz)
    WHERE f.id = n.id AND f.version = n.version - 1
    """,
    rows=JSON,
)
SAVE_LINES = statement(
    """
    INSERT INTO fulfillment_lines (id, fulfillment_id, line_id, item_id, quantity, picked)
    SELECT n.id, n.fulfillment_id, n.line_id, n.item_id, n.quantity, n.picked
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, fulfillment_id bigint, line_id bigint, item_id int, quantity int, picked int)
    ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, picked = excluded.picked
    """,
    rows=JSON,
)
INSERT_TASKS = statement(
    """
    INSERT INTO pick_tasks (id, fulfillment_id, fulfillment_line_id, item_id, location_id, bin, quantity, picked, short,
                            state, version, list_id)
    SELECT n.id, n.fulfillment_id, n.fulfillment_line_id, n.item_id, n.location_id, n.bin, n.quantity, n.picked,
           n.short, n.state, n.version, n.list_id
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, fulfillment_id bigint, fulfillment_line_id bigint, item_id int, location_id int, bin text,
        quantity int, picked int, short int, state text, version bigint, list_id bigint)
    """,
    rows=JSON,
)
UPDATE_TASKS = statement(
    """
    UPDATE pick_tasks t SET bin = n.bin, quantity = n.quantity, picked = n.picked, short = n.short, state = n.state,
        version = n.version
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, bin text, quantity int, picked int, short int, state text, version bigint)
    WHERE t.id = n.id AND t.version = n.version - 1
    """,
    rows=JSON,
)
SAVE_PARCELS = statement(
    """
    INSERT INTO parcels (id, fulfillment_id, number, contents, weight_grams, length_mm, width_mm, height_mm, sscc,
                         tracking_number, label_url, tracking_status, tracked_at, delivered_at)
    SELECT n.id, n.fulfillment_id, n.number, n.contents, n.weight_grams, n.length_mm, n.width_mm, n.height_mm, n.sscc,
           n.tracking_number, n.label_url, n.tracking_status, n.tracked_at, n.delivered_at
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, fulfillment_id bigint, number int, contents jsonb, weight_grams int, length_mm int, width_mm int,
        height_mm int, sscc text, tracking_number text, label_url text, tracking_status text, tracked_at timestamptz,
        delivered_at timestamptz)
    ON CONFLICT (id) DO UPDATE SET fulfillment_id = excluded.fulfillment_id, number = excluded.number,
        contents = excluded.contents, tracking_number = excluded.tracking_number, label_url = excluded.label_url,
        tracking_status = excluded.tracking_status, tracked_at = excluded.tracked_at,
        delivered_at = excluded.delivered_at
    """,
    rows=JSON,
)
# The same, told again, is nothing new.
ADD_TRACKING_EVENTS = statement(
    """
    INSERT INTO tracking_events (fulfillment_id, parcel_id, status, occurred_at, message, place, actor, request)
    SELECT n.fulfillment_id, n.parcel_id, n.status, n.occurred_at, n.message, n.place, n.actor, n.request
    FROM jsonb_to_recordset(:rows) AS n(
        fulfillment_id bigint, parcel_id bigint, status text, occurred_at timestamptz, message text, place text,
        actor text, request text)
    ORDER BY n.parcel_id, n.fulfillment_id, n.occurred_at, n.status ON CONFLICT DO NOTHING
    """,
    rows=JSON,
)
SAVE_BINS = statement(
    """
    INSERT INTO bin_levels (item_id, location_id, bin, on_hand)
    SELECT n.item_id, n.location_id, n.bin, n.on_hand
    FROM jsonb_to_recordset(:rows) AS n(item_id int, location_id int, bin text, on_hand int)
    ON CONFLICT (item_id, location_id, bin) DO UPDATE SET on_hand = excluded.on_hand
    """,
    rows=JSON,
)
SAVE_STATUSES = statement(
    """
    UPDATE orders o SET fulfillment_status = n.status,
        released_at = CASE WHEN n.status <> 'NOT_RELEASED' THEN coalesce(o.released_at, clock_timestamp()) END
    FROM jsonb_to_recordset(:rows) AS n(id bigint, status text) WHERE o.id = n.id
    """,
    rows=JSON,
)


def floor_writes(changes: Changes) -> Iterator[Write]:
    """Levels and orders are written before; what refers to a new row comes after it."""
    statuses = [{"id": order, "status": status} for order, status in changes.fulfillment_statuses.items()]
    if statuses:
        yield Write(SAVE_STATUSES, {"rows": statuses}, len(statuses))
    floor = changes.floor
    if floor is None:
        return
    if floor.new_fulfillments:
        yield Write(INSERT_FULFILLMENTS, {"rows": [_row(one) for one in floor.new_fulfillments]})
    changed = [one for _, one in floor.fulfillments]
    if changed:
        yield Write(UPDATE_FULFILLMENTS, {"rows": [_row(one) for one in changed]}, len(changed))
    lines = [_line_row(one, line) for one in (*floor.new_fulfillments, *changed) for line in one.lines]
    if lines:
        yield Write(SAVE_LINES, {"rows": lines})
    if floor.new_tasks:
        yield Write(INSERT_TASKS, {"rows": [_task_row(task) for task in floor.new_tasks]})
    if floor.tasks:
        yield Write(UPDATE_TASKS, {"rows": [_task_row(task) for task in floor.tasks]}, len(floor.tasks))
    parcels = [_parcel_row(parcel) for parcel in (*floor.new_parcels, *floor.parcels)]
    if parcels:
        yield Write(SAVE_PARCELS, {"rows": parcels})
    if changes.tracking:
        yield Write(ADD_TRACKING_EVENTS, {"rows": [_tracked_row(made) for made in changes.tracking]})
    bins = [
        {"item_id": item, "location_id": location, "bin": code, "on_hand": units}
        for (item, location, code), units in floor.bins.items()
    ]
    if bins:
        yield Write(SAVE_BINS, {"rows": bins})


def _row(one: Fulfillment) -> dict[str, Any]:
    return {
        "id": one.id,
        "order_id": one.order,
        "location_id": one.location,
        "kind": one.kind,
        "state": one.state,
        "version": one.version,
        "estimated_ship_at": one.estimated_ship_at,
        "estimated_delivery_at": one.estimated_delivery_at,
        "carrier": one.shipping.carrier,
        "service": one.shipping.service,
        "tracking_number": one.shipping.tracking_number,
        "tracking_url": one.shipping.tracking_url,
        "postage": None if one.shipping.postage is None else str(one.shipping.postage.amount),
        "postage_currency": None if one.shipping.postage is None else one.shipping.postage.currency_code,
        "divided_from": one.divided_from,
        "tracking_status": one.tracking_status,
        "tracked_at": one.tracked_at,
        "at": one.changed_at,
    }


def _line_row(one: Fulfillment, line: FulfillmentLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "fulfillment_id": one.id,
        "line_id": line.line,
        "item_id": line.item,
        "quantity": line.quantity,
        "picked": line.picked,
    }


def _task_row(task: PickTask) -> dict[str, Any]:
    return {
        "id": task.id,
        "fulfillment_id": task.fulfillment,
        "fulfillment_line_id": task.fulfillment_line,
        "item_id": task.item,
        "location_id": task.location,
        "bin": task.bin,
        "quantity": task.quantity,
        "picked": task.picked,
        "short": task.short,
        "state": task.state,
        "version": task.version,
        "list_id": task.list,
    }


def _parcel_row(parcel: Parcel) -> dict[str, Any]:
    return {
        "id": parcel.id,
        "fulfillment_id": parcel.fulfillment,
        "number": parcel.number,
        "contents": parcel.contents,
        "weight_grams": parcel.weight_grams,
        "length_mm": parcel.length_mm,
        "width_mm": parcel.width_mm,
        "height_mm": parcel.height_mm,
        "sscc": parcel.sscc,
        "tracking_number": parcel.tracking_number,
        "label_url": parcel.label_url,
        "tracking_status": parcel.tracking_status,
        "tracked_at": parcel.tracked_at,
        "delivered_at": parcel.delivered_at,
    }


def _tracked_row(made: NewTrackingEvent) -> dict[str, Any]:
    return {
        "fulfillment_id": made.fulfillment,
        "parcel_id": made.parcel,
        "status": made.event.status,
        "occurred_at": made.event.occurred_at,
        "message": made.event.message,
        "place": made.event.place,
        "actor": made.actor,
        "request": made.request,
    }
