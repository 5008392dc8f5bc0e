"""Fulfillments, pick tasks, bins and parcels: what becomes of an order that is allocated."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"

SET_APART = "what_is_set_apart_is_on_hand"
CHECKS = {
    "stock_levels": {
        SET_APART: "damaged + quality_control + picked <= on_hand",
        "only_committed_units_are_picked": "picked BETWEEN 0 AND committed",
    },
    "allocations": {
        "no_more_is_picked_than_is_set_aside": "picked BETWEEN 0 AND quantity",
        "only_what_is_released_is_picked": "picked = 0 OR fulfillment_line_id IS NOT NULL",
    },
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SEQUENCE fulfillment_ids")
    op.create_table(
        "pick_lists",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(collation="C"), nullable=False),
        sa.Column("picker", sa.Text(collation="C"), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(picker IS NULL) = (leased_until IS NULL)", name=op.f("a_lease_has_a_picker_and_an_end")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("pick_lists_location_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pick_lists_pkey")),
        comment="Tasks of one or several fulfillments that one picker does in one round.",
    )
    op.create_index(op.f("pick_lists_location_id_id_idx"), "pick_lists", ["location_id", "id"], unique=False)
    op.create_table(
        "bin_levels",
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("bin", sa.Text(collation="C"), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.CheckConstraint("on_hand >= 0", name=op.f("no_bin_has_less_than_nothing")),
        sa.ForeignKeyConstraint(
            ["item_id", "location_id"],
            ["stock_levels.item_id", "stock_levels.location_id"],
            name="bin_levels_level_fkey",
        ),
        sa.PrimaryKeyConstraint("item_id", "location_id", "bin", name=op.f("bin_levels_pkey")),
        comment="Where units lie. What is on hand and in no bin lies anywhere at the location, or has been picked.",
    )
    op.create_table(
        "fulfillments",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("estimated_ship_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("estimated_delivery_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("tracking_url", sa.Text(), nullable=True),
        sa.Column("divided_from", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("picked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("packed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state <> 'SHIPPED' OR shipped_at IS NOT NULL", name=op.f("what_is_shipped_was_shipped_at_some_time")
        ),
        sa.ForeignKeyConstraint(["divided_from"], ["fulfillments.id"], name=op.f("fulfillments_divided_from_fkey")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("fulfillments_location_id_fkey")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fulfillments_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("fulfillments_pkey")),
        comment="What one location, or one supplier, sends for one order.",
    )
    op.create_index(op.f("fulfillments_order_id_idx"), "fulfillments", ["order_id"], unique=False)
    op.create_index(
        "fulfillments_tracking_number_idx",
        "fulfillments",
        ["tracking_number"],
        unique=False,
        postgresql_where=sa.text("tracking_number IS NOT NULL"),
    )
    op.create_index(
        "fulfillments_under_way_idx",
        "fulfillments",
        ["location_id", "id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('SHIPPED', 'DELIVERED', 'CANCELED')"),
    )
    op.create_table(
        "fulfillment_lines",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fulfillment_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("picked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("picked BETWEEN 0 AND quantity", name=op.f("no_more_is_picked_than_is_sent")),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"], ["fulfillments.id"], name=op.f("fulfillment_lines_fulfillment_id_fkey")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fulfillment_lines_item_id_fkey")),
        sa.ForeignKeyConstraint(["line_id"], ["order_lines.id"], name=op.f("fulfillment_lines_line_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("fulfillment_lines_pkey")),
        sa.UniqueConstraint("fulfillment_id", "line_id", name=op.f("fulfillment_lines_fulfillment_id_line_id_key")),
    )
    op.create_index(op.f("fulfillment_lines_line_id_idx"), "fulfillment_lines", ["line_id"], unique=False)
    op.create_table(
        "parcels",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fulfillment_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("contents", postgresql.JSONB(), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=True),
        sa.Column("length_mm", sa.Integer(), nullable=True),
        sa.Column("width_mm", sa.Integer(), nullable=True),
        sa.Column("height_mm", sa.Integer(), nullable=True),
        sa.Column("sscc", sa.Text(collation="C"), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["fulfillment_id"], ["fulfillments.id"], name=op.f("parcels_fulfillment_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("parcels_pkey")),
        sa.UniqueConstraint("sscc", name=op.f("parcels_sscc_key")),
    )
    op.create_index(op.f("parcels_fulfillment_id_idx"), "parcels", ["fulfillment_id"], unique=False)
    op.create_table(
        "pick_tasks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fulfillment_id", sa.BigInteger(), nullable=False),
        sa.Column("fulfillment_line_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("bin", sa.Text(collation="C"), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("picked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("short", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("list_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "picked >= 0 AND short >= 0 AND picked + short <= quantity", name=op.f("no_task_is_done_beyond_its_end")
        ),
        sa.ForeignKeyConstraint(["fulfillment_id"], ["fulfillments.id"], name=op.f("pick_tasks_fulfillment_id_fkey")),
        sa.ForeignKeyConstraint(
            ["fulfillment_line_id"], ["fulfillment_lines.id"], name=op.f("pick_tasks_fulfillment_line_id_fkey")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("pick_tasks_item_id_fkey")),
        sa.ForeignKeyConstraint(["list_id"], ["pick_lists.id"], name=op.f("pick_tasks_list_id_fkey")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("pick_tasks_location_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pick_tasks_pkey")),
        comment="Units to be fetched from one bin for one fulfillment.",
    )
    op.create_index(op.f("pick_tasks_fulfillment_id_idx"), "pick_tasks", ["fulfillment_id"], unique=False)
    op.create_index(
        "pick_tasks_item_idx",
        "pick_tasks",
        ["item_id", "location_id"],
        unique=False,
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.create_index(
        "pick_tasks_list_id_idx",
        "pick_tasks",
        ["list_id"],
        unique=False,
        postgresql_where=sa.text("list_id IS NOT NULL"),
    )
    op.create_index(
        "pick_tasks_open_idx",
        "pick_tasks",
        ["location_id", "bin", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.add_column("allocations", sa.Column("fulfillment_line_id", sa.BigInteger(), nullable=True))
    op.add_column("allocations", sa.Column("picked", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "channels", sa.Column("releases_by_itself", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("locations", sa.Column("handling_hours", sa.Integer(), server_default=sa.text("24"), nullable=False))
    op.add_column("locations", sa.Column("transit_hours", sa.Integer(), server_default=sa.text("72"), nullable=False))
    op.add_column(
        "locations", sa.Column("checks_quality", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column(
        "orders",
        sa.Column(
            "fulfillment_status", sa.Text(collation="C"), server_default=sa.text("'NOT_RELEASED'"), nullable=False
        ),
    )
    op.add_column("orders", sa.Column("promised_delivery_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("orders", sa.Column("release_refused_at_version", sa.BigInteger(), nullable=True))
    op.add_column("stock_levels", sa.Column("picked", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint(op.f(SET_APART), "stock_levels")
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.create_check_constraint(op.f(name), table, condition)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, checks in CHECKS.items():
        for name in checks:
            op.drop_constraint(op.f(name), table)
    op.create_check_constraint(op.f(SET_APART), "stock_levels", "damaged + quality_control <= on_hand")
    op.drop_column("stock_levels", "picked")
    op.drop_column("orders", "release_refused_at_version")
    op.drop_column("orders", "promised_delivery_at")
    op.drop_column("orders", "fulfillment_status")
    op.drop_column("locations", "checks_quality")
    op.drop_column("locations", "transit_hours")
    op.drop_column("locations", "handling_hours")
    op.drop_column("channels", "releases_by_itself")
    op.drop_column("allocations", "picked")
    op.drop_column("allocations", "fulfillment_line_id")
    op.drop_index("pick_tasks_open_idx", table_name="pick_tasks", postgresql_where=sa.text("state = 'OPEN'"))
    op.drop_index("pick_tasks_list_id_idx", table_name="pick_tasks", postgresql_where=sa.text("list_id IS NOT NULL"))
    op.drop_index("pick_tasks_item_idx", table_name="pick_tasks", postgresql_where=sa.text("state = 'OPEN'"))
    op.drop_index(op.f("pick_tasks_fulfillment_id_idx"), table_name="pick_tasks")
    op.drop_table("pick_tasks")
    op.drop_index(op.f("parcels_fulfillment_id_idx"), table_name="parcels")
    op.drop_table("parcels")
    op.drop_index(op.f("fulfillment_lines_line_id_idx"), table_name="fulfillment_lines")
    op.drop_table("fulfillment_lines")
    op.drop_index(
        "fulfillments_under_way_idx",
        table_name="fulfillments",
        postgresql_where=sa.text("state NOT IN ('SHIPPED', 'DELIVERED', 'CANCELED')"),
    )
    op.drop_index(
        "fulfillments_tracking_number_idx",
        table_name="fulfillments",
        postgresql_where=sa.text("tracking_number IS NOT NULL"),
    )
    op.drop_index(op.f("fulfillments_order_id_idx"), table_name="fulfillments")
    op.drop_table("fulfillments")
    op.drop_table("bin_levels")
    op.drop_index(op.f("pick_lists_location_id_id_idx"), table_name="pick_lists")
    op.drop_table("pick_lists")
    op.execute("DROP SEQUENCE fulfillment_ids")
