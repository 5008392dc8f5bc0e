"""What a batch writes of orders, their lines and their bundles: the statements, and the rows that are sent."""

from collections.abc import Collection, Iterator
from dataclasses import fields
from typing import Any

from domain.bundles import Bundle
from domain.changes import Changes, PlacedLine
from domain.ids import OrderId
from domain.orders import Address, Discount, NewOrder, Order, OrderTerms
from persistence.driver import Write, statement
from persistence.sql import BIGINTS, FLAGS, INTS, JSON, NUMERICS, TEXTS, columns
from persistence.writes import arrays, attributes, guarded, records

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


def _terms_row(changes: Changes, order: OrderId, terms: OrderTerms) -> dict[str, Any]:
    """The first amount of an order brings the currency with it."""
    return _terms(order, terms) | {"currency_code": changes.currencies.get(order)}


def _order_row(changes: Changes, order: Order, new: NewOrder) -> dict[str, Any]:
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


def _line_row(placed: PlacedLine) -> tuple[Any, ...]:
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


def _bundle_row(bundle: Bundle) -> tuple[Any, ...]:
    price = bundle.unit_price
    return bundle.id, bundle.item, bundle.reference, price and price.amount, price and price.currency_code


def new_order_writes(changes: Changes, channels: Collection[str]) -> Iterator[Write]:
    """An order brings its channel with it, unless that is one of these, which are there."""
    new_channels = {order.channel for order, _ in changes.placed}.difference(channels)
    yield from arrays(INSERT_CHANNELS, {"codes": sorted(new_channels)})
    yield from records(INSERT_ORDERS, [_order_row(changes, *one) for one in changes.placed])
    yield from arrays(INSERT_BUNDLES, columns(map(_bundle_row, changes.new_bundles), BUNDLE_COLUMNS))
    yield from arrays(INSERT_LINES, columns(map(_line_row, changes.placed_lines), LINE_COLUMNS))


def order_writes(changes: Changes) -> Iterator[Write]:
    """What became of orders and lines that were there; and who waits for their stock may be served."""
    served = [line for line in changes.lines if line.id not in changes.resized_lines]
    resized = [line for line in changes.lines if line.id in changes.resized_lines]
    yield from guarded(UPDATE_SERVED_LINES, attributes(served, SERVED_LINE_COLUMNS))
    yield from guarded(UPDATE_LINES, attributes(resized, LINE_UPDATE_COLUMNS))
    minutes = {"minutes": [changes.schedules.get(order.id) for order in changes.orders]}
    yield from guarded(UPDATE_ORDERS, attributes(changes.orders, ORDER_COLUMNS) | minutes)
    yield from records(UPDATE_TERMS, [_terms_row(changes, *one) for one in changes.terms.items()])
    yield from arrays(REPLENISH, {"items": sorted(changes.replenished)})
    yield from records(ASK_AT, [{"id": order, "at": at} for order, at in changes.asked_at.items()])
    yield from arrays(SAVE_VOID_REASONS, columns(changes.void_reasons.items(), ("ids", "reasons")))
