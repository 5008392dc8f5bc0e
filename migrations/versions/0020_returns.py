"""Returns, with their inspections, and follow-ups: what becomes of an order after delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "returns",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column(
            "requested_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('RECEIVED', 'INSPECTED')) = (received_at IS NOT NULL)",
            name=op.f("what_came_back_came_at_some_time"),
        ),
        sa.CheckConstraint(
            "(state = 'INSPECTED') = (inspected_at IS NOT NULL)",
            name=op.f("a_return_is_inspected_at_some_time_or_not_at_all"),
        ),
        sa.CheckConstraint(
            "state <> 'CANCELED' OR canceled_at IS NOT NULL", name=op.f("a_return_was_canceled_at_some_time")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("returns_location_id_fkey")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("returns_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("returns_pkey")),
        comment="Goods of one order that come back to one location.",
    )
    op.create_index(
        "returns_open_idx",
        "returns",
        ["location_id", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('REQUESTED', 'RECEIVED')"),
    )
    op.create_index(op.f("returns_order_id_idx"), "returns", ["order_id"], unique=False)
    op.create_table(
        "return_lines",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("received", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("canceled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("resold", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("quarantined", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("discarded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("a_return_line_has_a_quantity")),
        sa.CheckConstraint(
            "received >= 0 AND canceled >= 0 AND resold >= 0 AND quarantined >= 0 AND discarded >= 0",
            name=op.f("no_returned_quantity_is_negative"),
        ),
        sa.CheckConstraint("received + canceled <= quantity", name=op.f("no_more_comes_back_than_was_asked_for")),
        sa.CheckConstraint(
            "resold + quarantined + discarded <= received", name=op.f("no_more_is_inspected_than_came_back")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("return_lines_item_id_fkey")),
        sa.ForeignKeyConstraint(["line_id"], ["order_lines.id"], name=op.f("return_lines_line_id_fkey")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("return_lines_return_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("return_lines_pkey")),
    )
    op.create_index(op.f("return_lines_line_id_idx"), "return_lines", ["line_id"], unique=False)
    op.create_index(op.f("return_lines_return_id_idx"), "return_lines", ["return_id"], unique=False)
    op.create_table(
        "return_inspections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("return_line_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(collation="C"), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "inspected_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("an_inspection_is_of_some_units")),
        sa.CheckConstraint(
            "(outcome = 'DISCARD') = (location_id IS NULL)", name=op.f("only_what_is_kept_is_put_somewhere")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("return_inspections_location_id_fkey")),
        sa.ForeignKeyConstraint(
            ["return_line_id"], ["return_lines.id"], name=op.f("return_inspections_return_line_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("return_inspections_pkey")),
        comment="What somebody saw in units that came back, and where they put them.",
    )
    op.create_index(
        op.f("return_inspections_return_line_id_idx"), "return_inspections", ["return_line_id"], unique=False
    )
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(collation="C"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("follow_ups_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("follow_ups_pkey")),
        comment="What was heard of customers after delivery.",
    )
    op.create_index(op.f("follow_ups_order_id_idx"), "follow_ups", ["order_id"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("follow_ups")
    op.drop_table("return_inspections")
    op.drop_table("return_lines")
    op.drop_table("returns")
