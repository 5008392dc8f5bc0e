"""The tables, as SQLAlchemy Core knows them. Migrations make them; a test holds that both agree.

A constraint's name is a sentence about what is true. No caller meets one: services refuse first, under the locks.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(constraint_name)s",
    }
)

NOW = text("now()")
CLOCK = text("clock_timestamp()")


def _id(kind: type[BigInteger | Integer] = BigInteger) -> Column[int]:
    return Column("id", kind, Identity(always=False), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    """Text that is compared byte by byte, whatever the database's locale."""
    return Column(name, Text(collation="C"), nullable=nullable)


def _text_key(name: str) -> Column[str]:
    return Column(name, Text(collation="C"), primary_key=True)


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=NOW)


def _units(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


channels = Table(
    "channels",
    metadata,
    _id(Integer),
    _text("code"),
    Column("name", Text, nullable=False),
    Column("sourcing", ARRAY(Text), nullable=False, server_default=text("'{LOCATION_RANK}'")),
    Column("location_ids", ARRAY(Integer)),
    Column("split_lines", Boolean, nullable=False, server_default=text("true")),
    Column("releases_by_itself", Boolean, nullable=False, server_default=text("false")),
    Column("paid_on_arrival", Boolean, nullable=False, server_default=text("false")),
    Column("unpaid_orders_expire_after_minutes", Integer),
    _time("created_at"),
    UniqueConstraint("code"),
    CheckConstraint("unpaid_orders_expire_after_minutes > 0", name="unpaid_orders_have_some_time"),
)

items = Table(
    "items",
    metadata,
    _id(Integer),
    _text("sku"),
    Column("name", Text, nullable=False),
    _text("barcode", nullable=True),
    # Of a bundle, in the sequence given: [{"item": id, "sku": sku, "units": n}]. SKUs never change, and no item goes.
    Column("components", JSONB),
    _time("created_at"),
    UniqueConstraint("sku"),
    UniqueConstraint("barcode"),
    Index(
        "items_components_idx",
        "components",
        postgresql_using="gin",
        postgresql_ops={"components": "jsonb_path_ops"},
        postgresql_where=text("components IS NOT NULL"),
    ),
)

locations = Table(
    "locations",
    metadata,
    _id(Integer),
    _text("code"),
    Column("name", Text, nullable=False),
    _text("kind"),
    _text("country_code", nullable=True),
    Column("region", Text),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("rank", Integer, nullable=False, server_default=text("100")),
    Column("handling_hours", Integer, nullable=False, server_default=text("24")),
    Column("transit_hours", Integer, nullable=False, server_default=text("72")),
    Column("checks_quality", Boolean, nullable=False, server_default=text("false")),
    Column("address", JSONB),
    _time("created_at"),
    UniqueConstraint("code"),
)

stock_levels = Table(
    "stock_levels",
    metadata,
    _id(),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    _units("on_hand"),
    _units("committed"),
    _units("damaged"),
    _units("quality_control"),
    _units("safety_stock"),
    _units("flagged"),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _units("picked"),
    UniqueConstraint("item_id", "location_id"),
    CheckConstraint(
        "on_hand >= 0 AND committed >= 0 AND damaged >= 0 AND quality_control >= 0 AND safety_stock >= 0",
        name="no_stock_quantity_is_negative",
    ),
    CheckConstraint("damaged + quality_control + picked <= on_hand", name="what_is_set_apart_is_on_hand"),
    CheckConstraint("picked BETWEEN 0 AND committed", name="only_committed_units_are_picked"),
    # The promise behind the locks: nobody commits more than there is, and nobody takes stock from under a claim,
    # without flagging exactly the claims that lost it.
    CheckConstraint(
        "flagged = greatest(0, committed - greatest(0, on_hand - damaged - quality_control - safety_stock))",
        name="what_is_committed_beyond_stock_is_flagged",
    ),
    postgresql_with={"fillfactor": 70},
)

supplies = Table(
    "supplies",
    metadata,
    _id(),
    _text("reference"),
    _text("kind"),
    _text("state"),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    Column("from_location_id", Integer, ForeignKey("locations.id")),
    Column("expected_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text),
    Column("version", BigInteger, nullable=False),
    _time("created_at"),
    UniqueConstraint("reference"),
    CheckConstraint("(kind = 'TRANSFER') = (from_location_id IS NOT NULL)", name="a_transfer_comes_from_somewhere"),
    CheckConstraint("from_location_id <> location_id", name="a_transfer_goes_somewhere_else"),
    Index(None, "expected_at", "id"),
    Index(None, "state", "expected_at", "id"),
)

supply_lines = Table(
    "supply_lines",
    metadata,
    Column("supply_id", BigInteger, ForeignKey("supplies.id"), nullable=False),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    _units("received"),
    _units("canceled"),
    _units("lost"),
    PrimaryKeyConstraint("supply_id", "item_id"),
    CheckConstraint("quantity > 0", name="a_supply_line_has_a_quantity"),
    CheckConstraint("received >= 0 AND canceled >= 0 AND lost >= 0", name="no_supply_quantity_is_negative"),
    CheckConstraint(
        "canceled + lost <= greatest(0, quantity - received)", name="only_units_that_did_not_come_are_given_up"
    ),
    Index("supply_lines_item_id_idx", "item_id"),
    Index("supply_lines_open_idx", "item_id", postgresql_where=text("received + canceled + lost < quantity")),
)

stock_movements = Table(
    "stock_movements",
    metadata,
    _id(),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    _text("quantity"),
    Column("change", Integer, nullable=False),
    Column("balance", Integer),
    _text("cause"),
    Column("reference", Text),
    Column("supply_id", BigInteger, ForeignKey("supplies.id")),
    Column("counted_at", DateTime(timezone=True)),
    _text("actor"),
    _text("request"),
    Column("occurred_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    ForeignKeyConstraint(
        ["item_id", "location_id"],
        ["stock_levels.item_id", "stock_levels.location_id"],
        name="stock_movements_level_fkey",
    ),
    CheckConstraint("change <> 0", name="a_movement_moves"),
    Index(None, "item_id", "location_id", "id"),
    Index(None, "item_id", "location_id", "occurred_at"),
    Index("stock_movements_supply_id_idx", "supply_id", postgresql_where=text("supply_id IS NOT NULL")),
)

stock_counts = Table(
    "stock_counts",
    metadata,
    _id(),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("counted_at", DateTime(timezone=True), nullable=False),
    Column("counted", Integer, nullable=False),
    Column("reference", Text),
    _text("actor"),
    _text("request"),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    ForeignKeyConstraint(
        ["item_id", "location_id"],
        ["stock_levels.item_id", "stock_levels.location_id"],
        name="stock_counts_level_fkey",
    ),
    CheckConstraint("counted >= 0", name="nobody_counts_less_than_nothing"),
    CheckConstraint("counted_at <= recorded_at", name="nobody_counts_in_the_future"),
    Index(None, "item_id", "location_id", "counted_at"),
    comment="What somebody knew to be on hand at a moment: the newest decides, whenever it was told.",
)

orders = Table(
    "orders",
    metadata,
    _id(),
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    _text("number"),
    _text("status"),
    _text("allocation_status", nullable=True),
    _text("shipping_policy"),
    Column("priority", Integer, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    _time("created_at"),
    _time("updated_at"),
    Column("customer_name", Text),
    Column("customer_email", Text),
    Column("customer_reference", Text),
    Column("ship_to", JSONB),
    Column("void_reason", Text),
    Column("asked_at", ARRAY(Integer)),
    Column("allocate_after", DateTime(timezone=True)),
    Column("split_from", BigInteger, ForeignKey("orders.id")),
    Column("version", BigInteger, nullable=False),
    Column("fulfillment_status", Text(collation="C"), nullable=False, server_default=text("'NOT_RELEASED'")),
    Column("promised_delivery_at", DateTime(timezone=True)),
    # Since when warehouses have had the go-ahead.
    Column("released_at", DateTime(timezone=True)),
    # The version that a rule could not release: it is not tried again before something changes.
    Column("release_refused_at_version", BigInteger),
    Column("customer_phone", Text),
    # Beside ship_to, since the release before reads every key of that.
    Column("ship_to_phone", Text),
    Column("bill_to", JSONB),
    # [{"amount": text, "code": text, "description": text}]
    Column("discounts", JSONB),
    Column("shipping_price", Numeric),
    Column("tax", Numeric),
    Column("note", Text),
    # Of every amount; without one, the order owes nothing.
    _text("currency_code", nullable=True),
    Column("payment_status", Text(collation="C"), nullable=False, server_default=text("'PAID'")),
    Column("finalized_at", DateTime(timezone=True)),
    UniqueConstraint("channel_id", "number"),
    CheckConstraint("(status = 'VOID') <= (allocation_status IS NULL)", name="a_void_order_has_no_allocation_status"),
    CheckConstraint(
        "allocate_after IS NULL OR (status = 'FINALIZED' AND allocation_status IS NOT DISTINCT FROM 'UNALLOCATED')",
        name="a_schedule_ends_when_a_run_looks_at_the_order",
    ),
    Index(None, "placed_at", "id"),
    Index(None, "priority", "placed_at", "id"),
    Index(
        "orders_released_idx",
        "released_at",
        postgresql_where=text("fulfillment_status IN ('RELEASED', 'PICKING', 'PACKED')"),
    ),
    Index("orders_split_from_idx", "split_from", postgresql_where=text("split_from IS NOT NULL")),
    Index("orders_scheduled_idx", "allocate_after", postgresql_where=text("allocate_after IS NOT NULL")),
    # BRIN, because an update that changes no column of another kind of index touches no index at all (PostgreSQL 16).
    Index(None, "updated_at", postgresql_using="brin"),
    Index("orders_tags_idx", "tags", postgresql_using="gin"),
    Index("orders_country_code_idx", text("(ship_to ->> 'country_code')")),
    Index(
        "orders_unpaid_idx",
        "finalized_at",
        postgresql_where=text("status = 'FINALIZED' AND payment_status IN ('UNPAID', 'PARTIALLY_PAID')"),
    ),
    postgresql_with={"fillfactor": 50},  # a run updates every row of a page; the new rows find room beside the old ones
)

for _name in ("number", "customer_name", "customer_email", "customer_reference"):
    # For the start of a text in any case.
    Index(
        f"orders_{_name}_search_idx",
        func.lower(orders.c[_name]).label("start"),
        postgresql_ops={"start": "text_pattern_ops"},
    )

tracking_links = Table(
    "tracking_links",
    metadata,
    Column("order_id", BigInteger, ForeignKey("orders.id"), primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
    _time("created_at"),
    CheckConstraint("octet_length(token) >= 16", name="nobody_guesses_a_token"),
    # Looked up by its digest, so that how long it takes tells nothing of a token.
    Index("tracking_links_digest_key", text("sha256(token)"), unique=True),
    comment="By which customers follow their orders; made when first asked for. Without its row a link is dead.",
)

order_bundles = Table(
    "order_bundles",
    metadata,
    _id(),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("reference", Text),
    Column("unit_price", Numeric),
    _text("currency_code", nullable=True),
    CheckConstraint("(unit_price IS NULL) = (currency_code IS NULL)", name="a_bundle_price_has_a_currency"),
    Index(None, "item_id"),
    comment="What was bought as one: its components are order lines that refer to it.",
)

order_lines = Table(
    "order_lines",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("reference", Text),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    _units("allocated"),
    _units("overallocated"),
    _units("shipped"),
    _units("canceled"),
    _units("dropshipped"),
    Column("looked_at", Boolean, nullable=False, server_default=text("false")),
    Column("unit_price", Numeric),
    _text("currency_code", nullable=True),
    Column("bundle_id", BigInteger, ForeignKey("order_bundles.id")),
    Column("bundle_units", Integer),
    # In the order's currency; those of a bundle stand on the line of its first component.
    Column("discount", Numeric),
    Column("tax", Numeric),
    Column("customization_note", Text),
    UniqueConstraint("order_id", "position"),
    CheckConstraint(
        "allocated >= 0 AND overallocated >= 0 AND shipped >= 0 AND canceled >= 0 AND dropshipped >= 0",
        name="no_line_quantity_is_negative",
    ),
    CheckConstraint("quantity > 0", name="a_line_has_a_quantity"),
    CheckConstraint(
        "allocated + shipped + canceled + dropshipped <= quantity", name="a_line_is_not_served_beyond_its_quantity"
    ),
    CheckConstraint("overallocated <= allocated", name="only_allocated_units_are_overallocated"),
    CheckConstraint("(unit_price IS NULL) = (currency_code IS NULL)", name="a_price_has_a_currency"),
    CheckConstraint("(bundle_id IS NULL) = (bundle_units IS NULL)", name="only_a_component_has_units_in_a_bundle"),
    CheckConstraint("bundle_units > 0", name="a_bundle_has_some_of_each_component"),
    CheckConstraint("bundle_id IS NULL OR unit_price IS NULL", name="a_component_has_no_price_of_its_own"),
    Index(None, "item_id"),
    Index("order_lines_bundle_id_idx", "bundle_id", postgresql_where=text("bundle_id IS NOT NULL")),
    postgresql_with={"fillfactor": 50},  # a run updates every row of a page; the new rows find room beside the old ones
)

payments = Table(
    "payments",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _text("kind"),
    Column("amount", Numeric, nullable=False),
    _text("currency_code"),
    Column("method", Text, nullable=False),
    Column("reference", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("actor"),
    _text("request"),
    CheckConstraint("amount > 0", name="a_payment_has_an_amount"),
    Index(None, "order_id", "id"),
    comment="Money that came, went, or moved with a split. Never the data of a card.",
)

order_holds = Table(
    "order_holds",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _text("reason"),
    Column("note", Text),
    _text("placed_by"),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("released_by", nullable=True),
    Column("released_at", DateTime(timezone=True)),
    Column("rule", Text),
    CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="a_hold_that_ended_was_ended_by_somebody"),
    Index("order_holds_active_key", "order_id", "reason", unique=True, postgresql_where=text("released_at IS NULL")),
    Index(None, "order_id", "id"),
    comment="Why an order may not be released. `rule`: the name of the rule that placed it.",
)

stock_reservations = Table(
    "stock_reservations",
    metadata,
    _id(),
    _text("state"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    _time("created_at"),
    Column("ended_at", DateTime(timezone=True)),
    Column("order_id", BigInteger, ForeignKey("orders.id")),
    # A code, since a channel is made by its first order.
    _text("channel_code", nullable=True),
    CheckConstraint("(state = 'ACTIVE') = (ended_at IS NULL)", name="a_reservation_ends_once"),
    CheckConstraint(
        "(state = 'TAKEN_OVER') = (order_id IS NOT NULL)", name="a_reservation_that_was_taken_over_has_an_order"
    ),
    Index("stock_reservations_active_idx", "expires_at", postgresql_where=text("state = 'ACTIVE'")),
    comment="Units that are set aside for a cart, without an order, until they are released, taken over or expire.",
)

reserved_lines = Table(
    "reserved_lines",
    metadata,
    _id(),
    Column("reservation_id", BigInteger, ForeignKey("stock_reservations.id"), nullable=False),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    UniqueConstraint("reservation_id", "item_id"),
    CheckConstraint("quantity > 0", name="a_reserved_line_has_a_quantity"),
)

allocations = Table(
    "allocations",
    metadata,
    _id(),
    Column("line_id", BigInteger, ForeignKey("order_lines.id")),
    Column("reserved_line_id", BigInteger, ForeignKey("reserved_lines.id")),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    _units("overallocated"),
    # The id of the older allocation that this one was part of, and whose age it has.
    Column("seniority", BigInteger),
    Column("allocated_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    # Where the units are sent from, once they are released; no foreign key, since every claim would pay for it.
    Column("fulfillment_line_id", BigInteger),
    _units("picked"),
    ForeignKeyConstraint(
        ["item_id", "location_id"],
        ["stock_levels.item_id", "stock_levels.location_id"],
        name="allocations_level_fkey",
    ),
    CheckConstraint("picked BETWEEN 0 AND quantity", name="no_more_is_picked_than_is_set_aside"),
    CheckConstraint("picked = 0 OR fulfillment_line_id IS NOT NULL", name="only_what_is_released_is_picked"),
    CheckConstraint("quantity > 0", name="an_allocation_has_a_quantity"),
    CheckConstraint("overallocated BETWEEN 0 AND quantity", name="an_allocation_is_overallocated_at_most_in_full"),
    CheckConstraint("seniority < id", name="what_an_allocation_was_part_of_is_older"),
    CheckConstraint("(line_id IS NULL) <> (reserved_line_id IS NULL)", name="an_allocation_has_one_holder"),
    Index(None, "line_id"),
    Index(
        "allocations_reserved_line_id_idx", "reserved_line_id", postgresql_where=text("reserved_line_id IS NOT NULL")
    ),
    Index(None, "item_id", "location_id"),
    comment="Units that are set aside now. What ended is in ended_allocations.",
)

ended_allocations = Table(
    "ended_allocations",
    metadata,
    _id(),
    Column("allocation_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, ForeignKey("order_lines.id")),
    Column("reserved_line_id", BigInteger, ForeignKey("reserved_lines.id")),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    _text("reason"),
    Column("allocated_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    CheckConstraint("quantity > 0", name="an_ended_allocation_has_a_quantity"),
    CheckConstraint("(line_id IS NULL) <> (reserved_line_id IS NULL)", name="an_ended_allocation_had_one_holder"),
    Index(None, "line_id"),
)

fulfillment_ids = Sequence("fulfillment_ids", metadata=metadata)
"""Fulfillments, their lines, pick tasks and parcels, returns and their lines are numbered together: how many of each
there will be is known only when it is decided."""

fulfillments = Table(
    "fulfillments",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    _text("kind"),
    _text("state"),
    Column("version", BigInteger, nullable=False),
    Column("estimated_ship_at", DateTime(timezone=True)),
    Column("estimated_delivery_at", DateTime(timezone=True)),
    Column("carrier", Text),
    Column("service", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    Column("postage", Numeric),
    _text("postage_currency", nullable=True),
    Column("divided_from", BigInteger, ForeignKey("fulfillments.id")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Column("picked_at", DateTime(timezone=True)),
    Column("checked_at", DateTime(timezone=True)),
    Column("packed_at", DateTime(timezone=True)),
    Column("shipped_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("canceled_at", DateTime(timezone=True)),
    # The last that a carrier said of any of it, and when that was by the carrier's clock.
    Column("tracking_status", Text(collation="C")),
    Column("tracked_at", DateTime(timezone=True)),
    CheckConstraint("(postage IS NULL) = (postage_currency IS NULL)", name="postage_has_a_currency"),
    CheckConstraint("state <> 'SHIPPED' OR shipped_at IS NOT NULL", name="what_is_shipped_was_shipped_at_some_time"),
    Index(None, "order_id"),
    Index(
        "fulfillments_under_way_idx",
        "location_id",
        "id",
        postgresql_where=text("state NOT IN ('SHIPPED', 'DELIVERED', 'CANCELED')"),
    ),
    Index("fulfillments_tracking_number_idx", "tracking_number", postgresql_where=text("tracking_number IS NOT NULL")),
    comment="What one location, or one supplier, sends for one order.",
)

fulfillment_lines = Table(
    "fulfillment_lines",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("fulfillment_id", BigInteger, ForeignKey("fulfillments.id"), nullable=False),
    Column("line_id", BigInteger, ForeignKey("order_lines.id"), nullable=False),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    _units("picked"),
    UniqueConstraint("fulfillment_id", "line_id"),
    CheckConstraint("picked BETWEEN 0 AND quantity", name="no_more_is_picked_than_is_sent"),
    Index(None, "line_id"),
)

pick_lists = Table(
    "pick_lists",
    metadata,
    _id(),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    _text("mode"),
    _text("picker", nullable=True),
    Column("leased_until", DateTime(timezone=True)),
    _time("created_at"),
    CheckConstraint("(picker IS NULL) = (leased_until IS NULL)", name="a_lease_has_a_picker_and_an_end"),
    Index(None, "location_id", "id"),
    comment="Tasks of one or several fulfillments that one picker does in one round.",
)

pick_tasks = Table(
    "pick_tasks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("fulfillment_id", BigInteger, ForeignKey("fulfillments.id"), nullable=False),
    Column("fulfillment_line_id", BigInteger, ForeignKey("fulfillment_lines.id"), nullable=False),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    _text("bin", nullable=True),
    Column("quantity", Integer, nullable=False),
    _units("picked"),
    _units("short"),
    _text("state"),
    Column("version", BigInteger, nullable=False),
    Column("list_id", BigInteger, ForeignKey("pick_lists.id")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    CheckConstraint("picked >= 0 AND short >= 0 AND picked + short <= quantity", name="no_task_is_done_beyond_its_end"),
    Index(None, "fulfillment_id"),
    Index("pick_tasks_open_idx", "location_id", "bin", "id", postgresql_where=text("state = 'OPEN'")),
    Index("pick_tasks_item_idx", "item_id", "location_id", postgresql_where=text("state = 'OPEN'")),
    Index("pick_tasks_list_id_idx", "list_id", postgresql_where=text("list_id IS NOT NULL")),
    comment="Units to be fetched from one bin for one fulfillment.",
)

bin_levels = Table(
    "bin_levels",
    metadata,
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    _text("bin"),
    Column("on_hand", Integer, nullable=False),
    PrimaryKeyConstraint("item_id", "location_id", "bin"),
    ForeignKeyConstraint(
        ["item_id", "location_id"],
        ["stock_levels.item_id", "stock_levels.location_id"],
        name="bin_levels_level_fkey",
    ),
    CheckConstraint("on_hand >= 0", name="no_bin_has_less_than_nothing"),
    comment="Where units lie. What is on hand and in no bin lies anywhere at the location, or has been picked.",
)

parcels = Table(
    "parcels",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("fulfillment_id", BigInteger, ForeignKey("fulfillments.id"), nullable=False),
    Column("number", Integer, nullable=False),
    # Units by line of the fulfillment: [[line, units], …].
    Column("contents", JSONB, nullable=False),
    Column("weight_grams", Integer),
    Column("length_mm", Integer),
    Column("width_mm", Integer),
    Column("height_mm", Integer),
    _text("sscc", nullable=True),
    Column("tracking_number", Text),
    Column("label_url", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Column("tracking_status", Text(collation="C")),
    Column("tracked_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    UniqueConstraint("sscc"),
    Index(None, "fulfillment_id"),
    Index("parcels_tracking_number_idx", "tracking_number", postgresql_where=text("tracking_number IS NOT NULL")),
)

tracking_events = Table(
    "tracking_events",
    metadata,
    _id(),
    Column("fulfillment_id", BigInteger, ForeignKey("fulfillments.id"), nullable=False),
    Column("parcel_id", BigInteger, ForeignKey("parcels.id")),
    _text("status"),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("message", Text),
    Column("place", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("actor"),
    _text("request"),
    # A parcel may come to be in another fulfillment.
    Index(
        "tracking_events_of_parcel_key",
        "parcel_id",
        "occurred_at",
        "status",
        unique=True,
        postgresql_where=text("parcel_id IS NOT NULL"),
    ),
    Index(
        "tracking_events_of_fulfillment_key",
        "fulfillment_id",
        "occurred_at",
        "status",
        unique=True,
        postgresql_where=text("parcel_id IS NULL"),
    ),
    comment="What carriers said, by their clocks; of one moment a status is said once.",
)

merchant = Table(
    "merchant",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("address", JSONB),
    Column("tax_id", Text),
    Column("contact", Text),
    _text("gs1_company_prefix", nullable=True),
    Column("tax_included", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("singleton", name="there_is_one_merchant"),
)

invoice_series = Table(
    "invoice_series",
    metadata,
    _text_key("series"),
    Column("last", Integer, nullable=False),
    CheckConstraint("last > 0", name="a_series_begins_with_1"),
    comment="The last number that was given out in each series.",
)

invoices = Table(
    "invoices",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _text("series"),
    Column("number", Integer, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("content", JSONB, nullable=False),
    _text("actor"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    UniqueConstraint("series", "number"),
    CheckConstraint("number > 0", name="invoices_are_numbered_from_1"),
    Index(None, "order_id"),
    comment="Invoices as they were issued: `content` is everything that stands on one.",
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice_id", BigInteger, ForeignKey("invoices.id"), nullable=False),
    Column("line_id", BigInteger, ForeignKey("order_lines.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    PrimaryKeyConstraint("invoice_id", "line_id"),
    CheckConstraint("quantity > 0", name="an_invoice_line_has_units"),
    Index(None, "line_id"),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("position", BigInteger),
    _text("type"),
    Column("order_id", BigInteger),
    Column("payload", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Index("events_position_key", "position", unique=True, postgresql_where=text("position IS NOT NULL")),
    Index("events_waiting_for_a_position_idx", "id", postgresql_where=text("position IS NULL")),
    Index("events_order_id_idx", "order_id", "id", postgresql_where=text("order_id IS NOT NULL")),
    Index(
        "events_of_runs_idx",
        text("CAST(payload ->> 'run_id' AS bigint)"),
        "id",
        postgresql_where=text("type = 'AllocationRunProgressed'"),
    ),
    comment="The log. Rows are written in the transaction of their change; the relay gives them dense positions.",
)

log_end = Table(
    "log_end",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("position", BigInteger, nullable=False),
    CheckConstraint("singleton", name="there_is_one_log"),
    comment="The position of the last event that has one.",
)

log_start = Table(
    "log_start",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("position", BigInteger, nullable=False),
    CheckConstraint("singleton", name="a_log_begins_once"),
    comment="The position behind which every event is still there.",
)

log_gaps = Table(
    "log_gaps",
    metadata,
    Column("behind", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    CheckConstraint("behind < until", name="a_gap_is_wide"),
    comment="Positions behind one and up to the other were given in a history that a restore has undone.",
)

allocation_runs = Table(
    "allocation_runs",
    metadata,
    _id(),
    _text("state"),
    Column("dry_run", Boolean, nullable=False),
    _text("sequence"),
    Column("filter", JSONB, nullable=False),
    _text("actor"),
    _text("request"),
    Column("processed", Integer, nullable=False, server_default=text("0")),
    Column("total", Integer, nullable=False, server_default=text("0")),
    Column("outcomes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("seek", JSONB),
    Column("policy", JSONB, nullable=False, server_default=text("'{}'")),
    Column("closed", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("foreseen", JSONB, nullable=False, server_default=text("'{}'")),
    Column("keep", JSONB(none_as_null=True)),
    Column("plan", JSONB),
    Column("commits", BigInteger, ForeignKey("allocation_runs.id")),
    Column("moved", JSONB(none_as_null=True)),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _time("created_at"),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Index("allocation_runs_unfinished_idx", "id", postgresql_where=text("state IN ('QUEUED', 'RUNNING')")),
)

planned_orders = Table(
    "planned_orders",
    metadata,
    Column("run_id", BigInteger, ForeignKey("allocation_runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # No foreign key: writing a plan would lock a hundred thousand orders. Orders are never deleted.
    Column("order_id", BigInteger, nullable=False),
    UniqueConstraint("run_id", "order_id"),
    CheckConstraint("position >= 0", name="position_from_0"),
    comment="The sequence of an unfinished run whose policy chooses which orders to complete.",
)

foreseen_chunks = Table(
    "foreseen_chunks",
    metadata,
    Column("run_id", BigInteger, ForeignKey("allocation_runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("order_ids", ARRAY(BigInteger), nullable=False),
    Column("order_versions", ARRAY(BigInteger), nullable=False),
    Column("item_ids", ARRAY(Integer), nullable=False),
    Column("location_ids", ARRAY(Integer), nullable=False),
    Column("level_versions", ARRAY(BigInteger), nullable=False),
    Column("planned", LargeBinary, nullable=False),
    CheckConstraint("position >= 0", name="position_from_0"),
    comment="What dry runs said of so many orders, as a digest, and what that rests on. It is kept for a day.",
)

replenished_items = Table(
    "replenished_items",
    metadata,
    Column("item_id", Integer, ForeignKey("items.id"), primary_key=True),
    _time("since"),
    comment="SKUs that became available: a worker runs the orders that wait for them, then removes the row.",
)

allocation_rules = Table(
    "allocation_rules",
    metadata,
    _id(Integer),
    Column("position", Integer, nullable=False),
    _text("name"),
    _text("allocate_when"),
    Column("every_minutes", Integer),
    Column("channels", ARRAY(Text)),
    Column("country_codes", ARRAY(Text)),
    Column("regions", ARRAY(Text)),
    Column("tags", ARRAY(Text)),
    Column("value_from", Numeric),
    Column("value_below", Numeric),
    _text("currency_code", nullable=True),
    UniqueConstraint("position"),
    UniqueConstraint("name"),
    CheckConstraint(
        "(allocate_when = 'ON_SCHEDULE') = (every_minutes IS NOT NULL)", name="only_a_schedule_has_minutes"
    ),
    CheckConstraint("every_minutes BETWEEN 1 AND 1440", name="a_schedule_comes_at_least_once_a_day"),
    CheckConstraint(
        "(coalesce(value_from, value_below) IS NULL) = (currency_code IS NULL)", name="a_value_has_a_currency"
    ),
    comment="When new orders are allocated: the first rule that matches decides.",
)

hold_rules = Table(
    "hold_rules",
    metadata,
    _id(Integer),
    Column("position", Integer, nullable=False),
    _text("name"),
    _text("reason"),
    Column("note", Text),
    Column("discount_from", Numeric),
    Column("discount_percent_from", Numeric),
    Column("tags", ARRAY(Text)),
    Column("customized", Boolean),
    Column("first_order_from", Numeric),
    _text("currency_code", nullable=True),
    UniqueConstraint("position"),
    UniqueConstraint("name"),
    CheckConstraint(
        "(coalesce(discount_from, first_order_from) IS NULL) = (currency_code IS NULL)",
        name="a_bound_has_a_currency",
    ),
    comment="Which new orders are held without anyone asking, and why: every rule that matches.",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", Integer, nullable=False),
    _text("mutation"),
    _text("key"),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("outcome", JSONB),
    _time("created_at"),
    PrimaryKeyConstraint("owner_id", "mutation", "key"),
    Index(None, "created_at"),
    postgresql_with={"fillfactor": 30},  # the outcome comes in the same transaction, and is longer than the rest
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(Integer),
    _text("name"),
    Column("secret_sha256", LargeBinary, nullable=False),
    _time("created_at"),
    _text("mark", nullable=True),
    Column("previous_sha256", LargeBinary),
    Column("previous_until", DateTime(timezone=True)),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{admin}'")),
    Column("channels", ARRAY(Text)),
    Column("locations", ARRAY(Text)),
    Column("created_by", Text),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    _text("issuer", nullable=True),
    _text("subject", nullable=True),
    UniqueConstraint("name"),
    UniqueConstraint("mark"),
    UniqueConstraint("secret_sha256"),
    UniqueConstraint("previous_sha256"),
    CheckConstraint(
        "'admin' <> ALL(scopes) OR channels IS NULL AND locations IS NULL", name="an_administrator_has_no_limits"
    ),
    CheckConstraint(
        "(previous_sha256 IS NULL) = (previous_until IS NULL)", name="a_previous_secret_opens_until_a_time"
    ),
    UniqueConstraint("issuer", "subject"),
    CheckConstraint(
        "(issuer IS NULL) = (subject IS NULL) AND (issuer IS NULL OR scopes = '{}')",
        name="a_person_has_an_issuer_and_powers_by_no_key",
    ),
    comment="What opens the API. Of secrets only the SHA-256 is kept. `channels`, `locations`: null is no limit. "
    "A row with an issuer is a person, who comes with tokens: its secret is known to nobody.",
)

returns = Table(
    "returns",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    Column("location_id", Integer, ForeignKey("locations.id"), nullable=False),
    _text("state"),
    Column("version", BigInteger, nullable=False),
    Column("cancel_reason", Text),
    Column("requested_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("requested_by"),
    Column("received_at", DateTime(timezone=True)),
    Column("inspected_at", DateTime(timezone=True)),
    Column("canceled_at", DateTime(timezone=True)),
    CheckConstraint(
        "(state IN ('RECEIVED', 'INSPECTED')) = (received_at IS NOT NULL)",
        name="what_came_back_came_at_some_time",
    ),
    CheckConstraint(
        "(state = 'INSPECTED') = (inspected_at IS NOT NULL)", name="a_return_is_inspected_at_some_time_or_not_at_all"
    ),
    CheckConstraint("state <> 'CANCELED' OR canceled_at IS NOT NULL", name="a_return_was_canceled_at_some_time"),
    Index(None, "order_id"),
    Index(
        "returns_open_idx",
        "location_id",
        "id",
        postgresql_where=text("state IN ('REQUESTED', 'RECEIVED')"),
    ),
    comment="Goods of one order that come back to one location.",
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("return_id", BigInteger, ForeignKey("returns.id"), nullable=False),
    Column("line_id", BigInteger, ForeignKey("order_lines.id"), nullable=False),
    Column("item_id", Integer, ForeignKey("items.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    _text("reason"),
    Column("note", Text),
    _units("received"),
    _units("canceled"),
    _units("resold"),
    _units("quarantined"),
    _units("discarded"),
    CheckConstraint("quantity > 0", name="a_return_line_has_a_quantity"),
    CheckConstraint(
        "received >= 0 AND canceled >= 0 AND resold >= 0 AND quarantined >= 0 AND discarded >= 0",
        name="no_returned_quantity_is_negative",
    ),
    CheckConstraint("received + canceled <= quantity", name="no_more_comes_back_than_was_asked_for"),
    CheckConstraint("resold + quarantined + discarded <= received", name="no_more_is_inspected_than_came_back"),
    Index(None, "return_id"),
    Index(None, "line_id"),
)

return_inspections = Table(
    "return_inspections",
    metadata,
    _id(),
    Column("return_line_id", BigInteger, ForeignKey("return_lines.id"), nullable=False),
    _text("outcome"),
    Column("quantity", Integer, nullable=False),
    Column("location_id", Integer, ForeignKey("locations.id")),
    Column("note", Text),
    _text("actor"),
    _text("request"),
    Column("inspected_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    CheckConstraint("quantity > 0", name="an_inspection_is_of_some_units"),
    CheckConstraint("(outcome = 'DISCARD') = (location_id IS NULL)", name="only_what_is_kept_is_put_somewhere"),
    Index(None, "return_line_id"),
    comment="What somebody saw in units that came back, and where they put them.",
)

follow_ups = Table(
    "follow_ups",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _text("outcome"),
    Column("note", Text),
    _text("actor"),
    _text("request"),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Index(None, "order_id"),
    comment="What was heard of customers after delivery.",
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    _id(Integer),
    _text("name"),
    Column("url", Text, nullable=False),
    Column("types", ARRAY(Text)),
    Column("channels", ARRAY(Text)),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("position", BigInteger, nullable=False),
    _units("failures"),
    Column("failing_since", DateTime(timezone=True)),
    Column("paused_until", DateTime(timezone=True)),
    _time("created_at"),
    UniqueConstraint("name"),
    CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="an_endpoint_that_fails_knows_since_when"),
    CheckConstraint("disabled_reason IS NULL OR NOT enabled", name="an_enabled_endpoint_has_no_reason_not_to_be"),
    postgresql_with={"fillfactor": 50},
    comment="Where events go. `position`: how far the log has been taken up into deliveries.",
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    _id(),
    Column("endpoint_id", Integer, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    _time("created_at"),
    Index(None, "endpoint_id"),
    comment="What signs. Kept readable, since a hash cannot sign.",
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _id(),
    Column("endpoint_id", Integer, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("event_id", BigInteger),
    Column("position", BigInteger),
    _text("type"),
    _text("subject"),
    Column("state", Text(collation="C"), nullable=False, server_default=text("'PENDING'")),
    _units("attempts"),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("leased_by", nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint("(event_id IS NULL) = (position IS NULL)", name="an_event_has_its_place"),
    CheckConstraint("(ended_at IS NULL) = (state = 'PENDING')", name="a_delivery_that_is_not_pending_has_ended"),
    CheckConstraint("leased_by IS NULL OR state = 'PENDING'", name="only_what_is_pending_is_leased"),
    Index(
        "webhook_deliveries_pending_idx",
        "endpoint_id",
        "subject",
        "position",
        postgresql_where=text("state = 'PENDING'"),
    ),
    Index("webhook_deliveries_dead_idx", "id", postgresql_where=text("state = 'DEAD'")),
    Index("webhook_deliveries_ended_at_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    Index(None, "endpoint_id", "id"),
    postgresql_with={"fillfactor": 70},
    comment="One event for one endpoint. `subject`: what it is about; of one subject, one after the other.",
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", BigInteger, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("delivery_id", "number"),
    CheckConstraint("status IS NOT NULL OR error IS NOT NULL", name="an_attempt_has_an_outcome"),
)

log_readers = Table(
    "log_readers",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("position", BigInteger, nullable=False),
    comment="How far the log has been read by whoever makes something of it; what is behind is kept for them.",
)

alert_rules = Table(
    "alert_rules",
    metadata,
    _id(Integer),
    Column("position", Integer, nullable=False),
    _text("name"),
    _text("kind"),
    Column("channels", ARRAY(Text)),
    Column("skus", ARRAY(Text)),
    Column("locations", ARRAY(Text)),
    Column("units", Integer),
    Column("hours", Integer),
    Column("emails", ARRAY(Text), nullable=False),
    Column("endpoints", ARRAY(Text), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("checked_at", DateTime(timezone=True)),
    UniqueConstraint("position"),
    UniqueConstraint("name"),
    CheckConstraint("(kind = 'STOCK_RUNNING_OUT') = (units IS NOT NULL)", name="only_stock_runs_out_at_some_units"),
    comment="What is watched for. `since`: it reads the log behind this; `checked_at`: it has looked until then.",
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    _text("rule"),
    _text("kind"),
    Column("order_id", BigInteger, ForeignKey("orders.id")),
    _text("sku", nullable=True),
    _text("location_code", nullable=True),
    Column("available", Integer),
    Column("emails", ARRAY(Text), nullable=False),
    Column("endpoints", ARRAY(Text), nullable=False),
    Column("raised_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Column("resolved_at", DateTime(timezone=True)),
    CheckConstraint("(order_id IS NULL) <> (sku IS NULL)", name="an_alert_is_about_one_thing"),
    CheckConstraint("location_code IS NULL OR sku IS NOT NULL", name="only_a_sku_is_at_a_location"),
    Index(
        "alerts_open_key",
        "rule",
        text("coalesce(order_id, 0)"),
        text("coalesce(sku, '')"),
        text("coalesce(location_code, '')"),
        unique=True,
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index("alerts_open_idx", "id", postgresql_where=text("resolved_at IS NULL")),
    Index("alerts_resolved_at_idx", "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
    comment="Situations that rules watch for. At most one of a rule is open about one thing.",
)

mail_templates = Table(
    "mail_templates",
    metadata,
    _text("topic"),
    _text("audience"),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("channels", ARRAY(Text), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    PrimaryKeyConstraint("topic", "audience"),
    comment="What the merchant says in mails. A customer's is on for these channels.",
)

mails = Table(
    "mails",
    metadata,
    _id(),
    _text("once"),
    _text("about"),
    _text("topic"),
    _text("audience"),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("order_id", BigInteger),
    Column("alert_id", BigInteger),
    Column("state", Text(collation="C"), nullable=False, server_default=text("'PENDING'")),
    _units("attempts"),
    Column("error", Text),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    _text("leased_by", nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("once"),
    CheckConstraint("(ended_at IS NULL) = (state = 'PENDING')", name="a_mail_that_is_not_pending_has_ended"),
    CheckConstraint("leased_by IS NULL OR state = 'PENDING'", name="only_a_pending_mail_is_leased"),
    CheckConstraint("subject !~ '[\\r\\n]' AND recipient !~ '[\\r\\n]'", name="no_header_has_another_in_it"),
    Index("mails_pending_idx", "about", "id", postgresql_where=text("state = 'PENDING'")),
    Index("mails_dead_idx", "id", postgresql_where=text("state = 'DEAD'")),
    Index("mails_ended_at_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    Index("mails_order_id_idx", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    postgresql_with={"fillfactor": 70},
    comment="The outbox. `once`: no other mail says it; `about`: of one thing, one after the other.",
)
