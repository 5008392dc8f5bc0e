"""Supply that is expected, transfers, and counts of a moment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "supplies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reference", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("from_location_id", sa.Integer(), nullable=True),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'TRANSFER') = (from_location_id IS NOT NULL)", name=op.f("a_transfer_comes_from_somewhere")
        ),
        sa.CheckConstraint("from_location_id <> location_id", name=op.f("a_transfer_goes_somewhere_else")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name=op.f("supplies_location_id_fkey")),
        sa.ForeignKeyConstraint(["from_location_id"], ["locations.id"], name=op.f("supplies_from_location_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("supplies_pkey")),
        sa.UniqueConstraint("reference", name=op.f("supplies_reference_key")),
    )
    op.create_index(op.f("supplies_expected_at_id_idx"), "supplies", ["expected_at", "id"], unique=False)
    op.create_index(op.f("supplies_state_expected_at_id_idx"), "supplies", ["state", "expected_at", "id"], unique=False)
    op.create_table(
        "supply_lines",
        sa.Column("supply_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("canceled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("a_supply_line_has_a_quantity")),
        sa.CheckConstraint(
            "received >= 0 AND canceled >= 0 AND lost >= 0", name=op.f("no_supply_quantity_is_negative")
        ),
        sa.CheckConstraint(
            "canceled + lost <= greatest(0, quantity - received)",
            name=op.f("only_units_that_did_not_come_are_given_up"),
        ),
        sa.ForeignKeyConstraint(["supply_id"], ["supplies.id"], name=op.f("supply_lines_supply_id_fkey")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("supply_lines_item_id_fkey")),
        sa.PrimaryKeyConstraint("supply_id", "item_id", name=op.f("supply_lines_pkey")),
    )
    op.create_index("supply_lines_item_id_idx", "supply_lines", ["item_id"], unique=False)
    op.create_index(
        "supply_lines_open_idx",
        "supply_lines",
        ["item_id"],
        unique=False,
        postgresql_where=sa.text("received + canceled + lost < quantity"),
    )
    op.create_table(
        "stock_counts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("counted >= 0", name=op.f("nobody_counts_less_than_nothing")),
        sa.CheckConstraint("counted_at <= recorded_at", name=op.f("nobody_counts_in_the_future")),
        sa.ForeignKeyConstraint(
            ["item_id", "location_id"],
            ["stock_levels.item_id", "stock_levels.location_id"],
            name="stock_counts_level_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stock_counts_pkey")),
        comment="What somebody knew to be on hand at a moment: the newest decides, whenever it was told.",
    )
    op.create_index(
        op.f("stock_counts_item_id_location_id_counted_at_idx"),
        "stock_counts",
        ["item_id", "location_id", "counted_at"],
        unique=False,
    )
    op.add_column("stock_movements", sa.Column("balance", sa.Integer(), nullable=True))
    op.add_column("stock_movements", sa.Column("supply_id", sa.BigInteger(), nullable=True))
    op.add_column("stock_movements", sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("stock_movements_supply_id_fkey"), "stock_movements", "supplies", ["supply_id"], ["id"])
    op.create_index(
        op.f("stock_movements_item_id_location_id_occurred_at_idx"),
        "stock_movements",
        ["item_id", "location_id", "occurred_at"],
        unique=False,
    )
    op.create_index(
        "stock_movements_supply_id_idx",
        "stock_movements",
        ["supply_id"],
        unique=False,
        postgresql_where=sa.text("supply_id IS NOT NULL"),
    )
    # The previous release writes no balance, so the column stays nullable: what it writes meanwhile has none.
    op.execute(
        """
        UPDATE stock_movements m SET balance = s.balance
        FROM (
            SELECT id, sum(change) OVER (PARTITION BY item_id, location_id, quantity ORDER BY id) AS balance
            FROM stock_movements
        ) AS s
        WHERE m.id = s.id
        """
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("stock_movements_supply_id_idx", table_name="stock_movements")
    op.drop_index(op.f("stock_movements_item_id_location_id_occurred_at_idx"), table_name="stock_movements")
    op.drop_constraint(op.f("stock_movements_supply_id_fkey"), "stock_movements", type_="foreignkey")
    op.drop_column("stock_movements", "counted_at")
    op.drop_column("stock_movements", "supply_id")
    op.drop_column("stock_movements", "balance")
    op.drop_table("stock_counts")
    op.drop_table("supply_lines")
    op.drop_table("supplies")
