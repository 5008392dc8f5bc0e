"""The tables, as SQLAlchemy Core knows them. Migrations make them; a test holds that both agree.

A constraint's name is a sentence about what is true. No caller meets one: services refuse first, under the locks.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
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
    _time("created_at"),
    UniqueConstraint("code"),
)

items = Table(
    "items",
    metadata,
    _id(Integer),
    _text("sku"),
    Column("name", Text, nullable=False),
    _text("barcode", nullable=True),
    _time("created_at"),
    UniqueConstraint("sku"),
    UniqueConstraint("barcode"),
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
    UniqueConstraint("item_id", "location_id"),
    CheckConstraint(
        "on_hand >= 0 AND committed >= 0 AND damaged >= 0 AND quality_control >= 0 AND safety_stock >= 0",
        name="no_stock_quantity_is_negative",
    ),
    CheckConstraint("damaged + quality_control <= on_hand", name="what_is_set_apart_is_on_hand"),
    # The promise behind the locks: nobody commits more than there is, and nobody takes stock from under a claim,
    # without flagging exactly the claims that lost it.
    CheckConstraint(
        "flagged = greatest(0, committed - greatest(0, on_hand - damaged - quality_control - safety_stock))",
        name="what_is_committed_beyond_stock_is_flagged",
    ),
    postgresql_with={"fillfactor": 70},
)

stock_movements = Table(
    "stock_movements",
    metadata,
    _id(),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    _text("quantity"),
    Column("change", Integer, nullable=False),
    _text("cause"),
    Column("reference", Text),
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
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("channel_id", "number"),
    CheckConstraint("(status = 'VOID') <= (allocation_status IS NULL)", name="a_void_order_has_no_allocation_status"),
    Index(None, "placed_at", "id"),
    Index(None, "priority", "placed_at", "id"),
    # BRIN, because an update that changes no column of another kind of index touches no index at all (PostgreSQL 16).
    Index(None, "updated_at", postgresql_using="brin"),
    Index("orders_tags_idx", "tags", postgresql_using="gin"),
    Index("orders_country_code_idx", text("(ship_to ->> 'country_code')")),
    postgresql_with={"fillfactor": 50},  # a run updates every row of a page; the new rows find room beside the old ones
)

for _name in ("number", "customer_name", "customer_email", "customer_reference"):
    # For the start of a text in any case.
    Index(
        f"orders_{_name}_search_idx",
        func.lower(orders.c[_name]).label("start"),
        postgresql_ops={"start": "text_pattern_ops"},
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
    Index(None, "item_id"),
    postgresql_with={"fillfactor": 50},  # a run updates every row of a page; the new rows find room beside the old ones
)

allocations = Table(
    "allocations",
    metadata,
    _id(),
    Column("line_id", BigInteger, ForeignKey("order_lines.id"), nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    _units("overallocated"),
    Column("allocated_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    ForeignKeyConstraint(
        ["item_id", "location_id"],
        ["stock_levels.item_id", "stock_levels.location_id"],
        name="allocations_level_fkey",
    ),
    CheckConstraint("quantity > 0", name="an_allocation_has_a_quantity"),
    CheckConstraint("overallocated BETWEEN 0 AND quantity", name="an_allocation_is_overallocated_at_most_in_full"),
    Index(None, "line_id"),
    Index(None, "item_id", "location_id"),
    comment="Units that are set aside now. What ended is in ended_allocations.",
)

ended_allocations = Table(
    "ended_allocations",
    metadata,
    _id(),
    Column("allocation_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, ForeignKey("order_lines.id"), nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    _text("reason"),
    Column("allocated_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=CLOCK),
    CheckConstraint("quantity > 0", name="an_ended_allocation_has_a_quantity"),
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
    Column("moved", JSONB, nullable=False, server_default=text("'[]'")),
    Column("policy", JSONB, nullable=False, server_default=text("'{}'")),
    Column("closed", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _time("created_at"),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Index("allocation_runs_unfinished_idx", "id", postgresql_where=text("state IN ('QUEUED', 'RUNNING')")),
)

replenished_items = Table(
    "replenished_items",
    metadata,
    Column("item_id", Integer, ForeignKey("items.id"), primary_key=True),
    _time("since"),
    comment="SKUs that became available: a worker runs the orders that wait for them, then removes the row.",
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
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(Integer),
    _text("name"),
    Column("secret_sha256", LargeBinary, nullable=False),
    _time("created_at"),
    UniqueConstraint("name"),
    UniqueConstraint("secret_sha256"),
)
