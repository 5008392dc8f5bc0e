"""What a batch writes: for each kind of row one statement, with the rows as arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from domain.batch import Changes, PlacedLine
from domain.bundles import Bundle
from domain.ids import OrderId
from domain.orders import Address, Discount, NewOrder, Order, OrderTerms
from domain.reservations import NewReservation
from persistence.driver import Statement, Write, statement
from persistence.events import appended
from persistence.floor import floor_writes
from persistence.keys import kept
from persistence.payment_writes import standing_writes
from persistence.returns import return_writes
from persistence.sql import BIGINTS, FLAGS, INTS, JSON, NUMERICS, TEXTS, TIMES, columns
from persistence.supplies import (
    INSERT_SUPPLIES,
    INSERT_SUPPLY_LINES,
    SUPPLY_COLUMNS,
    SUPPLY_UPDATE_COLUMNS,
    UPDATE_SUPPLIES,
    UPDATE_SUPPLY_LINES,
    changed_supply_lines,
    new_supply_lines,
)
from services.ports import IdempotencyKey


def writes(changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]]) -> Iterator[Write]:
    """Each is made when the one before is under way."""
    yield from _placing(changes)
    yield from _guarded(UPDATE_LEVELS, attributes(changes.changed_levels, LEVEL_COLUMNS))
    yield from _arrays(INSERT_LEVELS, attributes(changes.new_levels, LEVEL_COLUMNS))
    yield from _supplying(changes)
    yield from _arrays(INSERT_MOVEMENTS, attributes(changes.movements, MOVEMENT_COLUMNS))
    yield from _arrays(INSERT_COUNTS, attributes(changes.counts, COUNT_COLUMNS))
    yield from _claiming(changes)
    yield from _serving(changes)
    yield from floor_writes(changes)
    yield from return_writes(changes)
    yield from standing_writes(changes)
    yield from appended(changes.events)
    yield from kept(outcomes)


def _placing(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_CHANNELS, {"codes": sorted({order.channel for order, _ in changes.placed})})
    yield from _rows(INSERT_ORDERS, [_placed(changes, *one) for one in changes.placed])
    yield from _arrays(INSERT_BUNDLES, columns(map(_new_bundle, changes.new_bundles), BUNDLE_COLUMNS))
    yield from _arrays(INSERT_LINES, columns(map(_new_line, changes.placed_lines), LINE_COLUMNS))
    yield from _arrays(INSERT_RESERVATIONS, columns(map(_new_cart, changes.new_reservations), CART_COLUMNS))
    reserved = [line for new in changes.new_reservations for line in new.lines]
    yield from _arrays(INSERT_RESERVED_LINES, attributes(reserved, RESERVED_LINE_COLUMNS))


def _supplying(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_SUPPLIES, attributes(changes.new_supplies, SUPPLY_COLUMNS))
    yield from _arrays(INSERT_SUPPLY_LINES, new_supply_lines(changes.new_supplies))
    yield from _guarded(UPDATE_SUPPLIES, attributes(changes.changed_supplies, SUPPLY_UPDATE_COLUMNS))
    yield from _guarded(UPDATE_SUPPLY_LINES, changed_supply_lines(changes.changed_supply_lines))


def _claiming(changes: Changes) -> Iterator[Write]:
    yield from _arrays(END_CLAIMS, attributes(changes.ended_claims, END_COLUMNS))
    # Before the rows that they come from may go.
    yield from _guarded(DIVIDE_CLAIMS, attributes(changes.divided_claims, DIVIDED_CLAIM_COLUMNS))
    yield from _guarded(END_RESERVATIONS, attributes(changes.ended_reservations, ENDED_CART_COLUMNS))
    yield from _guarded(DELETE_CLAIMS, {"ids": changes.gone_claims})
    yield from _guarded(UPDATE_CLAIMS, attributes(changes.changed_claims, CLAIM_UPDATE_COLUMNS))
    yield from _arrays(INSERT_CLAIMS, attributes(changes.new_claims, CLAIM_COLUMNS))


def _serving(changes: Changes) -> Iterator[Write]:
    served = [line for line in changes.lines if line.id not in changes.resized_lines]
    resized = [line for line in changes.lines if line.id in changes.resized_lines]
    yield from _guarded(UPDATE_SERVED_LINES, attributes(served, SERVED_LINE_COLUMNS))
    yield from _guarded(UPDATE_LINES, attributes(resized, LINE_UPDATE_COLUMNS))
    minutes = {"minutes": [changes.schedules.get(order.id) for order in changes.orders]}
    yield from _guarded(UPDATE_ORDERS, attributes(changes.orders, ORDER_COLUMNS) | minutes)
    yield from _rows(UPDATE_TERMS, [_changed_terms(changes, *one) for one in changes.terms.items()])
    yield from _arrays(REPLENISH, {"items": sorted(changes.replenished)})
    yield from _rows(ASK_AT, [{"id": order, "at": at} for order, at in changes.asked_at.items()])
    yield from _arrays(SAVE_VOID_REASONS, columns(changes.void_reasons.items(), ("ids", "reasons")))


def _rows(statement: Statement, rows: list[dict[str, Any]]) -> Iterator[Write]:
    if rows:
        yield Write(statement, {"rows": rows})


def _arrays(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    if any(arrays.values()):
        yield Write(statement, arrays)


def _guarded(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    """Every row must still be as it was read."""
    rows = len(next(iter(arrays.values())))
    if rows:
        yield Write(statement, arrays, rows)


def attributes(rows: Sequence[object], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """One list a column, to be sent as an array: of each row the attribute that the column is named for."""
    return {column: list(map(attrgetter(name), rows)) for column, name in names.items()}


# ---------------------------------------------------------------- statements

INSERT_CHANNELS = statement(
    """
    INSERT INTO channels (code, name) SELECT code, code FROM unnest(:codes) AS code
    WHERE NOT EXISTS (SELECT FROM channels c WHERE c.code = code.code) ON CONFLICT DO NOTHING
    """,
    codes=TEXTS,
)

NEXT_TURN = """
    date_bin(make_interval(mins => n.minutes), now(), to_timestamp(0)) + make_interval(mins => n.minutes)
    """
"""The next multiple of so many minutes, by the database's clock; null where there are none."""

INSERT_ORDERS = statement(
    f"""
    INSERT INTO orders (id, channel_id, number, status, allocation_status, shipping_policy, priority, tags, placed_at,
                        customer_name, customer_email, customer_reference, customer_phone, ship_to, ship_to_phone,
                        bill_to, discounts, shipping_price, tax, note, promised_delivery_at, currency_code,
                        payment_status, finalized_at, allocate_after, split_from, version)
    SELECT n.id, c.id, n.number, n.status, n.allocation_status, n.shipping_policy, n.priority, n.tags,
           coalesce(n.placed_at, now()), n.customer_name, n.customer_email, n.customer_reference, n.customer_phone,
           nullif(n.ship_to, 'null'), n.ship_to_phone, n.bill_to, n.discounts, n.shipping_price, n.tax, n.note,
           n.promised_delivery_at, n.currency_code, coalesce(n.payment_status, 'PAID'),
           CASE WHEN n.status = 'FINALIZED'
                THEN coalesce((SELECT o.finalized_at FROM orders o WHERE o.id = n.split_from), now()) END,
           coalesce({NEXT_TURN}, (SELECT o.allocate_after FROM orders o WHERE o.id = n.split_from)), n.split_from,
           n.version
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, channel text, number text, status text, allocation_status text, shipping_policy text, priority int,
        tags text[], placed_at timestamptz, customer_name text, customer_email text, customer_reference text,
        customer_phone text, ship_to jsonb, ship_to_phone text, bill_to jsonb, discounts jsonb, shipping_price numeric,
        tax numeric, note text, promised_delivery_at timestamptz, currency_code text, payment_status text, minutes int,
        split_from bigint, version bigint)
    JOIN channels c ON c.code = n.channel
    """,  # noqa: S608
    rows=JSON,
)

UPDATE_TERMS = statement(
    """
    UPDATE orders o SET tags = n.tags, customer_name = n.customer_name, customer_email = n.customer_email,
        customer_reference = n.customer_reference, customer_phone = n.customer_phone,
        ship_to = nullif(n.ship_to, 'null'), ship_to_phone = n.ship_to_phone, bill_to = n.bill_to,
        discounts = n.discounts, shipping_price = n.shipping_price, tax = n.tax, note = n.note,
        promised_delivery_at = n.promised_delivery_at,
        currency_code = coalesce(n.currency_code, o.currency_code)
    FROM jsonb_to_recordset(:rows) AS n(
        id bigint, tags text[], customer_name text, customer_email text, customer_reference text, customer_phone text,
        ship_to jsonb, ship_to_phone text, bill_to jsonb, discounts jsonb, shipping_price numeric, tax numeric,
        note text, promised_delivery_at timestamptz, currency_code text)
    WHERE o.id = n.id
    """,
    rows=JSON,
)

REPLENISH = statement(
    """
    INSERT INTO replenished_items (item_id, since) SELECT item, clock_timestamp() FROM unnest(:items) AS item
    ON CONFLICT (item_id) DO UPDATE SET since = excluded.since
    """,
    items=INTS,
)

ASK_AT = statement(
    """
    UPDATE orders o SET asked_at = n.at FROM jsonb_to_recordset(:rows) AS n(id bigint, at int[]) WHERE o.id = n.id
    """,
    rows=JSON,
)

SAVE_VOID_REASONS = statement(
    """
    UPDATE orders o SET void_reason = n.reason FROM unnest(:ids, :reasons) AS n(id, reason) WHERE o.id = n.id
    """,
    ids=BIGINTS,
    reasons=TEXTS,
)

BUNDLE_COLUMNS = ("ids", "items", "references", "prices", "currencies")
INSERT_BUNDLES = statement(
    """
    INSERT INTO order_bundles (id, item_id, reference, unit_price, currency_code)
    SELECT * FROM unnest(:ids, :items, :references, :prices, :currencies)
    """,
    ids=BIGINTS,
    items=INTS,
    references=TEXTS,
    prices=NUMERICS,
    currencies=TEXTS,
)

LINE_COLUMNS = (
    "ids", "orders", "positions", "references", "items", "quantities", "allocated", "overallocated", "canceled",
    "dropshipped", "looked", "prices", "currencies", "bundles", "bundle_units", "discounts", "taxes", "notes",
)  # fmt: skip
INSERT_LINES = statement(
    """
    INSERT INTO order_lines (id, order_id, position, reference, item_id, quantity, allocated, overallocated, canceled,
                             dropshipped, looked_at, unit_price, currency_code, bundle_id, bundle_units, discount, tax,
                             customization_note)
    SELECT * FROM unnest(:ids, :orders, :positions, :references, :items, :quantities, :allocated, :overallocated,
                         :canceled, :dropshipped, :looked, :prices, :currencies, :bundles, :bundle_units, :discounts,
                         :taxes, :notes)
    """,
    ids=BIGINTS,
    orders=BIGINTS,
    positions=INTS,
    references=TEXTS,
    items=INTS,
    quantities=INTS,
    allocated=INTS,
    overallocated=INTS,
    canceled=INTS,
    dropshipped=INTS,
    looked=FLAGS,
    prices=NUMERICS,
    currencies=TEXTS,
    bundles=BIGINTS,
    bundle_units=INTS,
    discounts=NUMERICS,
    taxes=NUMERICS,
    notes=TEXTS,
)

LINE_UPDATE_COLUMNS = {
    "ids": "id",
    "quantities": "quantity",
    "allocated": "allocated",
    "overallocated": "overallocated",
    "shipped": "shipped",
    "canceled": "canceled",
    "dropshipped": "dropshipped",
    "looked": "looked_at",
}
UPDATE_LINES = statement(
    """
    UPDATE order_lines l SET quantity = n.quantity, allocated = n.allocated, overallocated = n.overallocated,
        shipped = n.shipped, canceled = n.canceled, dropshipped = n.dropshipped, looked_at = n.looked_at
    FROM unnest(:ids, :quantities, :allocated, :overallocated, :shipped, :canceled, :dropshipped, :looked)
        AS n(id, quantity, allocated, overallocated, shipped, canceled, dropshipped, looked_at)
    WHERE l.id = n.id
    """,
    ids=BIGINTS,
    quantities=INTS,
    allocated=INTS,
    overallocated=INTS,
    shipped=INTS,
    canceled=INTS,
    dropshipped=INTS,
    looked=FLAGS,
)

SERVED_LINE_COLUMNS = {"ids": "id", "allocated": "allocated", "overallocated": "overallocated", "looked": "looked_at"}
UPDATE_SERVED_LINES = statement(
    """
    UPDATE order_lines l SET allocated = n.allocated, overallocated = n.overallocated, looked_at = n.looked_at
    FROM unnest(:ids, :allocated, :overallocated, :looked) AS n(id, allocated, overallocated, looked_at)
    WHERE l.id = n.id
    """,
    ids=BIGINTS,
    allocated=INTS,
    overallocated=INTS,
    looked=FLAGS,
)

LEVEL_COLUMNS = {
    "items": "item",
    "locations": "location",
    "on_hand": "on_hand",
    "committed": "committed",
    "damaged": "damaged",
    "quality_control": "quality_control",
    "safety_stock": "safety_stock",
    "flagged": "flagged",
    "versions": "version",
    "picked": "picked",
}
_LEVEL_TYPES = dict.fromkeys(LEVEL_COLUMNS, INTS) | {"versions": BIGINTS}
UPDATE_LEVELS = statement(
    """
    UPDATE stock_levels s SET on_hand = n.on_hand, committed = n.committed, damaged = n.damaged,
        quality_control = n.quality_control, safety_stock = n.safety_stock, flagged = n.flagged, version = n.version,
        picked = n.picked
    FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                :versions, :picked)
        AS n(item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged, version, picked)
    WHERE s.item_id = n.item_id AND s.location_id = n.location_id AND s.version = n.version - 1
    """,
    **_LEVEL_TYPES,
)
INSERT_LEVELS = statement(
    """
    INSERT INTO stock_levels (item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged,
                              version, picked)
    SELECT * FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                         :versions, :picked)
    """,
    **_LEVEL_TYPES,
)

MOVEMENT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "changes": "change",
    "balances": "balance",
    "causes": "cause",
    "references": "reference",
    "supplies": "supply",
    "times": "counted_at",
    "actors": "actor",
    "requests": "request",
}
INSERT_MOVEMENTS = statement(
    """
    INSERT INTO stock_movements (item_id, location_id, quantity, change, balance, cause, reference, supply_id,
                                 counted_at, actor, request)
    SELECT n.item_id, n.location_id, n.quantity, n.change, n.balance, n.cause, n.reference, n.supply_id, n.counted_at,
           n.actor, n.request
    FROM unnest(:items, :locations, :quantities, :changes, :balances, :causes, :references, :supplies, :times, :actors,
                :requests)
        WITH ORDINALITY AS n(item_id, location_id, quantity, change, balance, cause, reference, supply_id, counted_at,
                             actor, request, at)
    ORDER BY n.at
    """,
    items=INTS,
    locations=INTS,
    quantities=TEXTS,
    changes=INTS,
    balances=INTS,
    causes=TEXTS,
    references=TEXTS,
    supplies=BIGINTS,
    times=TIMES,
    actors=TEXTS,
    requests=TEXTS,
)

COUNT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "times": "counted_at",
    "counted": "counted",
    "references": "reference",
    "actors": "actor",
    "requests": "request",
}
INSERT_COUNTS = statement(
    """
    INSERT INTO stock_counts (item_id, location_id, counted_at, counted, reference, actor, request, recorded_at)
    SELECT n.item_id, n.location_id, coalesce(n.counted_at, clock.now), n.counted, n.reference, n.actor, n.request,
           clock.now
    FROM unnest(:items, :locations, :times, :counted, :references, :actors, :requests)
        AS n(item_id, location_id, counted_at, counted, reference, actor, request),
        (SELECT clock_timestamp() AS now) AS clock
    """,
    items=INTS,
    locations=INTS,
    times=TIMES,
    counted=INTS,
    references=TEXTS,
    actors=TEXTS,
    requests=TEXTS,
)

CART_COLUMNS = ("ids", "states", "seconds", "channels")
INSERT_RESERVATIONS = statement(
    """
    INSERT INTO stock_reservations (id, state, expires_at, channel_code)
    SELECT n.id, n.state, clock_timestamp() + make_interval(secs => n.seconds), n.channel
    FROM unnest(:ids, :states, :seconds, :channels) AS n(id, state, seconds, channel)
    """,
    ids=BIGINTS,
    states=TEXTS,
    seconds=INTS,
    channels=TEXTS,
)
RESERVED_LINE_COLUMNS = {"ids": "id", "reservations": "reservation", "items": "item", "quantities": "quantity"}
INSERT_RESERVED_LINES = statement(
    """
    INSERT INTO reserved_lines (id, reservation_id, item_id, quantity)
    SELECT * FROM unnest(:ids, :reservations, :items, :quantities)
    """,
    ids=BIGINTS,
    reservations=BIGINTS,
    items=INTS,
    quantities=INTS,
)
ENDED_CART_COLUMNS = {"ids": "id", "states": "state", "orders": "order"}
END_RESERVATIONS = statement(
    """
    UPDATE stock_reservations r SET state = n.state, order_id = n.order_id, ended_at = clock_timestamp()
    FROM unnest(:ids, :states, :orders) AS n(id, state, order_id) WHERE r.id = n.id AND r.state = 'ACTIVE'
    """,
    ids=BIGINTS,
    states=TEXTS,
    orders=BIGINTS,
)

END_COLUMNS = {
    "ids": "allocation",
    "lines": "claim.line",
    "reserved_lines": "claim.reserved_line",
    "quantities": "quantity",
    "reasons": "reason",
}
END_CLAIMS = statement(
    """
    INSERT INTO ended_allocations (allocation_id, line_id, reserved_line_id, item_id, location_id, quantity, reason,
                                   allocated_at)
    SELECT a.id, n.line_id, n.reserved_line_id, a.item_id, a.location_id, n.quantity, n.reason, a.allocated_at
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :reasons)
        WITH ORDINALITY AS n(id, line_id, reserved_line_id, quantity, reason, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    reasons=TEXTS,
)
DIVIDED_CLAIM_COLUMNS = {
    "allocations": "allocation",
    "seniorities": "claim.seniority",
    "lines": "claim.line",
    "quantities": "claim.quantity",
    "overallocated": "claim.overallocated",
    "sent": "claim.fulfillment_line",
    "picked": "claim.picked",
}
DIVIDE_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, item_id, location_id, quantity, overallocated, seniority, allocated_at,
                             fulfillment_line_id, picked)
    SELECT n.line_id, a.item_id, a.location_id, n.quantity, n.overallocated, n.seniority, a.allocated_at, n.sent,
           n.picked
    FROM unnest(:allocations, :seniorities, :lines, :quantities, :overallocated, :sent, :picked)
        WITH ORDINALITY AS n(id, seniority, line_id, quantity, overallocated, sent, picked, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    allocations=BIGINTS,
    seniorities=BIGINTS,
    lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)
DELETE_CLAIMS = statement("DELETE FROM allocations WHERE id = ANY(:ids)", ids=BIGINTS)
CLAIM_UPDATE_COLUMNS = {
    "ids": "id",
    "lines": "line",
    "reserved_lines": "reserved_line",
    "quantities": "quantity",
    "overallocated": "overallocated",
    "sent": "fulfillment_line",
    "picked": "picked",
}
UPDATE_CLAIMS = statement(
    """
    UPDATE allocations a SET line_id = n.line_id, reserved_line_id = n.reserved_line_id, quantity = n.quantity,
        overallocated = n.overallocated, fulfillment_line_id = n.sent, picked = n.picked
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :overallocated, :sent, :picked)
        AS n(id, line_id, reserved_line_id, quantity, overallocated, sent, picked)
    WHERE a.id = n.id
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)
CLAIM_COLUMNS = {
    "lines": "line",
    "reserved_lines": "reserved_line",
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "overallocated": "overallocated",
    "sent": "fulfillment_line",
    "picked": "picked",
}
INSERT_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, reserved_line_id, item_id, location_id, quantity, overallocated,
                             fulfillment_line_id, picked)
    SELECT n.line_id, n.reserved_line_id, n.item_id, n.location_id, n.quantity, n.overallocated, n.sent, n.picked
    FROM unnest(:lines, :reserved_lines, :items, :locations, :quantities, :overallocated, :sent, :picked)
        WITH ORDINALITY AS n(line_id, reserved_line_id, item_id, location_id, quantity, overallocated, sent, picked, at)
    ORDER BY n.at
    """,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    items=INTS,
    locations=INTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)

ORDER_COLUMNS = {
    "ids": "id",
    "statuses": "status",
    "allocation_statuses": "allocation_status",
    "policies": "shipping_policy",
    "priorities": "priority",
    "versions": "version",
}
UPDATE_ORDERS = statement(
    f"""
    UPDATE orders o SET status = n.status, allocation_status = n.allocation_status, priority = n.priority,
        shipping_policy = n.shipping_policy, version = n.version, updated_at = now(),
        allocate_after = CASE WHEN n.allocation_status = 'UNALLOCATED' THEN coalesce({NEXT_TURN}, o.allocate_after) END
    FROM unnest(:ids, :statuses, :allocation_statuses, :policies, :priorities, :minutes, :versions)
        AS n(id, status, allocation_status, shipping_policy, priority, minutes, version)
    WHERE o.id = n.id AND o.version = n.version - 1
    """,  # noqa: S608
    ids=BIGINTS,
    statuses=TEXTS,
    allocation_statuses=TEXTS,
    policies=TEXTS,
    priorities=INTS,
    minutes=INTS,
    versions=BIGINTS,
)


SHIP_TO_FIELDS = tuple(one.name for one in fields(Address) if one.name != "phone")
"""The release before reads every key, and knows no phone."""


def _terms(order: OrderId, terms: OrderTerms) -> dict[str, Any]:
    """What is absent is null."""
    customer, ship_to = terms.customer, terms.ship_to
    row: dict[str, Any] = {"id": order, "tags": terms.tags}
    if customer:
        row["customer_name"] = customer.name
        row["customer_email"] = customer.email
        row["customer_reference"] = customer.reference
        row["customer_phone"] = customer.phone
    if ship_to:
        row["ship_to"] = {name: getattr(ship_to, name) for name in SHIP_TO_FIELDS}
        row["ship_to_phone"] = ship_to.phone
    if terms.bill_to:
        row["bill_to"] = terms.bill_to
    if terms.discounts:
        row["discounts"] = [_discount(discount) for discount in terms.discounts]
    if terms.shipping_price:
        row["shipping_price"] = str(terms.shipping_price.amount)
    if terms.tax:
        row["tax"] = str(terms.tax.amount)
    if terms.note:
        row["note"] = terms.note
    if terms.promised_delivery_at:
        row["promised_delivery_at"] = terms.promised_delivery_at
    return row


def _discount(discount: Discount) -> dict[str, str | None]:
    return {"amount": str(discount.amount.amount), "code": discount.code, "description": discount.description}


def _changed_terms(changes: Changes, order: OrderId, terms: OrderTerms) -> dict[str, Any]:
    """The first amount of an order brings the currency with it."""
    return _terms(order, terms) | {"currency_code": changes.currencies.get(order)}


def _placed(changes: Changes, order: Order, new: NewOrder) -> dict[str, Any]:
    return _terms(order.id, new.terms) | {
        "channel": order.channel,
        "number": order.number,
        "status": order.status,
        "allocation_status": order.allocation_status,
        "shipping_policy": order.shipping_policy,
        "priority": order.priority,
        "placed_at": new.placed_at,
        "minutes": changes.schedules.get(order.id),
        "split_from": changes.split_from.get(order.id),
        "version": order.version,
        "currency_code": changes.currencies.get(order.id),
        "payment_status": changes.payment_statuses.get(order.id),
    }


def _new_line(placed: PlacedLine) -> tuple[Any, ...]:
    line, new = placed.line, placed.new
    price, discount, tax = new.unit_price, new.discount, new.tax
    return (
        line.id,
        line.order,
        placed.position,
        new.reference,
        line.item,
        line.quantity,
        line.allocated,
        line.overallocated,
        line.canceled,  # a later request of the same batch may have canceled it already
        line.dropshipped,  # or given it to a supplier
        line.looked_at,
        price and price.amount,
        price and price.currency_code,
        line.bundle,
        line.bundle_units or None,
        discount and discount.amount,
        tax and tax.amount,
        new.customization_note,
    )


def _new_bundle(bundle: Bundle) -> tuple[Any, ...]:
    price = bundle.unit_price
    return bundle.id, bundle.item, bundle.reference, price and price.amount, price and price.currency_code


def _new_cart(new: NewReservation) -> tuple[Any, ...]:
    return new.reservation.id, new.reservation.state, new.expires_in_seconds, new.channel
