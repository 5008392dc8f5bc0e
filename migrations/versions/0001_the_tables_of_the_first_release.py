"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
        sa.UniqueConstraint("name", name=op.f("api_keys_name_key")),
        sa.UniqueConstraint("secret_sha256", name=op.f("api_keys_secret_sha256_key")),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("channels_pkey")),
        sa.UniqueConstraint("code", name=op.f("channels_code_key")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("events_pkey")),
        comment="The log. Rows are written in the transaction of their change; the relay gives them dense positions.",
    )
    op.create_index(
        "events_order_id_idx", "events", ["order_id", "id"], unique=False, postgresql_where=text("order_id IS NOT NULL")
    )
    op.create_index(
        "events_position_key", "events", ["position"], unique=True, postgresql_where=text("position IS NOT NULL")
    )
    op.create_index(
        "events_waiting_for_a_position_idx", "events", ["id"], unique=False, postgresql_where=text("position IS NULL")
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("mutation", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "mutation", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index(op.f("idempotency_keys_created_at_idx"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "items",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("barcode", sa.Text(collation="C"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("items_pkey")),
        sa.UniqueConstraint("barcode", name=op.f("items_barcode_key")),
        sa.UniqueConstraint("sku", name=op.f("items_sku_key")),
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("country_code", sa.Text(collation="C"), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("rank", sa.Integer(), server_default=text("100"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("locations_pkey")),
        sa.UniqueConstraint("code", name=op.f("locations_code_key")),
    )
    op.create_table(
        "log_end",
        sa.Column("singleton", sa.Boolean(), server_default=text("true"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("there_is_one_log")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("log_end_pkey")),
        comment="The position of the last event that has one.",
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("allocation_status", sa.Text(collation="C"), nullable=True),
        sa.Column("shipping_policy", sa.Text(collation="C"), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=True),
        sa.Column("customer_email", sa.Text(), nullable=True),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("ship_to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(status = 'VOID') <= (allocation_status IS NULL)", name=op.f("a_void_order_has_no_allocation_status")
        ),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("orders_channel_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_pkey")),
        sa.UniqueConstraint("channel_id", "number", name=op.f("orders_channel_id_number_key")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "orders_country_code_idx", "orders", [sa.literal_column("(ship_to ->> 'country_code')")], unique=False
    )
    op.create_index(
        "orders_customer_email_search_idx",
        "orders",
        [sa.literal_column("lower(customer_email) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "orders_customer_name_search_idx",
        "orders",
        [sa.literal_column("lower(customer_name) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "orders_customer_reference_search_idx",
        "orders",
        [sa.literal_column("lower(customer_reference) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "orders_number_search_idx", "orders", [sa.literal_column("lower(number) text_pattern_ops")], unique=False
    )
    op.create_index(op.f("orders_placed_at_id_idx"), "orders", ["placed_at", "id"], unique=False)
    op.create_index(op.f("orders_priority_placed_at_id_idx"), "orders", ["priority", "placed_at", "id"], unique=False)
    op.create_index("orders_tags_idx", "orders", ["tags"], unique=False, postgresql_using="gin")
    op.create_index(op.f("orders_updated_at_idx"), "orders", ["updated_at"], unique=False)
    op.create_table(
        "stock_levels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("on_hand", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("committed", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("damaged", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("quality_control", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("safety_stock", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("flagged", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=text("1"), nullable=False),
        sa.CheckConstraint("damaged + quality_control <= on_hand", name=op.f("what_is_set_apart_is_on_hand")),
        sa.CheckConstraint(
            "flagged = greatest(0, committed - greatest(0, on_hand - damaged - quality_control - safety_stock))",
            name=op.f("what_is_committed_beyond_stock_is_flagged"),
        ),
        sa.CheckConstraint(
            "on_hand >= 0 AND committed >= 0 AND damaged >= 0 AND quality_control >= 0 AND safety_stock >= 0",
            name=op.f("no_stock_quantity_is_negative"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("stock_levels_item_id_fkey")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("stock_levels_location_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("stock_levels_pkey")),
        sa.UniqueConstraint("item_id", "location_id", name=op.f("stock_levels_item_id_location_id_key")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "order_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("allocated", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("overallocated", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("shipped", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("canceled", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("dropshipped", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("looked_at", sa.Boolean(), server_default=text("false"), nullable=False),
        sa.Column("unit_price", sa.Numeric(), nullable=True),
        sa.Column("currency_code", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("(unit_price IS NULL) = (currency_code IS NULL)", name=op.f("a_price_has_a_currency")),
        sa.CheckConstraint(
            "allocated + shipped + canceled + dropshipped <= quantity",
            name=op.f("a_line_is_not_served_beyond_its_quantity"),
        ),
        sa.CheckConstraint(
            "allocated >= 0 AND overallocated >= 0 AND shipped >= 0 AND canceled >= 0 AND dropshipped >= 0",
            name=op.f("no_line_quantity_is_negative"),
        ),
        sa.CheckConstraint("overallocated <= allocated", name=op.f("only_allocated_units_are_overallocated")),
        sa.CheckConstraint("quantity > 0", name=op.f("a_line_has_a_quantity")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("order_lines_item_id_fkey")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("order_lines_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("order_lines_pkey")),
        sa.UniqueConstraint("order_id", "position", name=op.f("order_lines_order_id_position_key")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(op.f("order_lines_item_id_idx"), "order_lines", ["item_id"], unique=False)
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Text(collation="C"), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(collation="C"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("change <> 0", name=op.f("a_movement_moves")),
        sa.ForeignKeyConstraint(
            ["item_id", "location_id"],
            ["stock_levels.item_id", "stock_levels.location_id"],
            name="stock_movements_level_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stock_movements_pkey")),
    )
    op.create_index(
        op.f("stock_movements_item_id_location_id_id_idx"),
        "stock_movements",
        ["item_id", "location_id", "id"],
        unique=False,
    )
    op.create_table(
        "allocations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("overallocated", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("allocated_at", sa.DateTime(timezone=True), server_default=text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "overallocated BETWEEN 0 AND quantity", name=op.f("an_allocation_is_overallocated_at_most_in_full")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("an_allocation_has_a_quantity")),
        sa.ForeignKeyConstraint(
            ["item_id", "location_id"],
            ["stock_levels.item_id", "stock_levels.location_id"],
            name="allocations_level_fkey",
        ),
        sa.ForeignKeyConstraint(["line_id"], ["order_lines.id"], name=op.f("allocations_line_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("allocations_pkey")),
        comment="Units that are set aside now. What ended is in ended_allocations.",
    )
    op.create_index(
        op.f("allocations_item_id_location_id_idx"), "allocations", ["item_id", "location_id"], unique=False
    )
    op.create_index(op.f("allocations_line_id_idx"), "allocations", ["line_id"], unique=False)
    op.create_table(
        "ended_allocations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("allocation_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("allocated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("an_ended_allocation_has_a_quantity")),
        sa.ForeignKeyConstraint(["line_id"], ["order_lines.id"], name=op.f("ended_allocations_line_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("ended_allocations_pkey")),
    )
    op.create_index(op.f("ended_allocations_line_id_idx"), "ended_allocations", ["line_id"], unique=False)

    op.execute("INSERT INTO log_end (position) VALUES (0)")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(op.f("ended_allocations_line_id_idx"), table_name="ended_allocations")
    op.drop_table("ended_allocations")
    op.drop_index(op.f("allocations_line_id_idx"), table_name="allocations")
    op.drop_index(op.f("allocations_item_id_location_id_idx"), table_name="allocations")
    op.drop_table("allocations")
    op.drop_index(op.f("stock_movements_item_id_location_id_id_idx"), table_name="stock_movements")
    op.drop_table("stock_movements")
    op.drop_index(op.f("order_lines_item_id_idx"), table_name="order_lines")
    op.drop_table("order_lines")
    op.drop_table("stock_levels")
    op.drop_index(op.f("orders_updated_at_idx"), table_name="orders")
    op.drop_index("orders_tags_idx", table_name="orders", postgresql_using="gin")
    op.drop_index(op.f("orders_priority_placed_at_id_idx"), table_name="orders")
    op.drop_index(op.f("orders_placed_at_id_idx"), table_name="orders")
    op.drop_index("orders_number_search_idx", table_name="orders")
    op.drop_index("orders_customer_reference_search_idx", table_name="orders")
    op.drop_index("orders_customer_name_search_idx", table_name="orders")
    op.drop_index("orders_customer_email_search_idx", table_name="orders")
    op.drop_index("orders_country_code_idx", table_name="orders")
    op.drop_table("orders")
    op.drop_table("log_end")
    op.drop_table("locations")
    op.drop_table("items")
    op.drop_index(op.f("idempotency_keys_created_at_idx"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("events_waiting_for_a_position_idx", table_name="events", postgresql_where=text("position IS NULL"))
    op.drop_index("events_position_key", table_name="events", postgresql_where=text("position IS NOT NULL"))
    op.drop_index("events_order_id_idx", table_name="events", postgresql_where=text("order_id IS NOT NULL"))
    op.drop_table("events")
    op.drop_table("channels")
    op.drop_table("api_keys")
