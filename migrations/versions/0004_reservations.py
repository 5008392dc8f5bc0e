"""Stock reservations of carts; claims keep their age when they move."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ONE_HOLDER = "(line_id IS NULL) <> (reserved_line_id IS NULL)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "stock_reservations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'ACTIVE') = (ended_at IS NULL)", name=op.f("a_reservation_ends_once")),
        sa.CheckConstraint(
            "(state = 'TAKEN_OVER') = (order_id IS NOT NULL)",
            name=op.f("a_reservation_that_was_taken_over_has_an_order"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("stock_reservations_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("stock_reservations_pkey")),
        comment="Units that are set aside for a cart, without an order, until they are released, taken over or expire.",
    )
    op.create_index(
        "stock_reservations_active_idx",
        "stock_reservations",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ACTIVE'"),
    )
    op.create_table(
        "reserved_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("a_reserved_line_has_a_quantity")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("reserved_lines_item_id_fkey")),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["stock_reservations.id"], name=op.f("reserved_lines_reservation_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("reserved_lines_pkey")),
        sa.UniqueConstraint("reservation_id", "item_id", name=op.f("reserved_lines_reservation_id_item_id_key")),
    )
    op.alter_column("allocations", "line_id", nullable=True)
    op.add_column("allocations", sa.Column("reserved_line_id", sa.BigInteger(), nullable=True))
    op.add_column("allocations", sa.Column("seniority", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("allocations_reserved_line_id_fkey"), "allocations", "reserved_lines", ["reserved_line_id"], ["id"]
    )
    op.create_check_constraint(op.f("what_an_allocation_was_part_of_is_older"), "allocations", "seniority < id")
    op.create_check_constraint(op.f("an_allocation_has_one_holder"), "allocations", ONE_HOLDER)
    op.create_index(
        "allocations_reserved_line_id_idx",
        "allocations",
        ["reserved_line_id"],
        unique=False,
        postgresql_where=sa.text("reserved_line_id IS NOT NULL"),
    )
    op.alter_column("ended_allocations", "line_id", nullable=True)
    op.add_column("ended_allocations", sa.Column("reserved_line_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("ended_allocations_reserved_line_id_fkey"),
        "ended_allocations",
        "reserved_lines",
        ["reserved_line_id"],
        ["id"],
    )
    op.create_check_constraint(op.f("an_ended_allocation_had_one_holder"), "ended_allocations", ONE_HOLDER)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("ended_allocations", "allocations"):
        op.drop_column(table, "reserved_line_id")
        op.alter_column(table, "line_id", nullable=False)
    op.drop_column("allocations", "seniority")
    op.drop_table("reserved_lines")
    op.drop_table("stock_reservations")
