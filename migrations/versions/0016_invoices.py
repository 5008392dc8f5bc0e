"""The merchant, senders' addresses, and invoices with numbers that have no gap."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "invoice_series",
        sa.Column("series", sa.Text(collation="C"), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("last > 0", name=op.f("a_series_begins_with_1")),
        sa.PrimaryKeyConstraint("series", name=op.f("invoice_series_pkey")),
        comment="The last number that was given out in each series.",
    )
    op.create_table(
        "merchant",
        sa.Column("singleton", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("address", postgresql.JSONB(), nullable=True),
        sa.Column("tax_id", sa.Text(), nullable=True),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("gs1_company_prefix", sa.Text(collation="C"), nullable=True),
        sa.Column("tax_included", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("there_is_one_merchant")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("merchant_pkey")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("number > 0", name=op.f("invoices_are_numbered_from_1")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("invoices_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("invoices_pkey")),
        sa.UniqueConstraint("series", "number", name=op.f("invoices_series_number_key")),
        comment="Invoices as they were issued: `content` is everything that stands on one.",
    )
    op.create_index(op.f("invoices_order_id_idx"), "invoices", ["order_id"], unique=False)
    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("an_invoice_line_has_units")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("invoice_lines_invoice_id_fkey")),
        sa.ForeignKeyConstraint(["line_id"], ["order_lines.id"], name=op.f("invoice_lines_line_id_fkey")),
        sa.PrimaryKeyConstraint("invoice_id", "line_id", name=op.f("invoice_lines_pkey")),
    )
    op.create_index(op.f("invoice_lines_line_id_idx"), "invoice_lines", ["line_id"], unique=False)
    op.add_column("locations", sa.Column("address", postgresql.JSONB(), nullable=True))

    op.add_column("fulfillments", sa.Column("postage", sa.Numeric(), nullable=True))
    op.add_column("fulfillments", sa.Column("postage_currency", sa.Text(collation="C"), nullable=True))
    op.create_check_constraint(
        op.f("postage_has_a_currency"), "fulfillments", "(postage IS NULL) = (postage_currency IS NULL)"
    )
    op.add_column("parcels", sa.Column("label_url", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "orders_released_idx",
        "orders",
        ["released_at"],
        postgresql_where=sa.text("fulfillment_status IN ('RELEASED', 'PICKING', 'PACKED')"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("orders_released_idx", table_name="orders")
    op.drop_column("orders", "released_at")
    op.drop_column("parcels", "label_url")
    op.drop_constraint(op.f("postage_has_a_currency"), "fulfillments")
    op.drop_column("fulfillments", "postage_currency")
    op.drop_column("fulfillments", "postage")
    op.drop_column("locations", "address")
    op.drop_index(op.f("invoice_lines_line_id_idx"), table_name="invoice_lines")
    op.drop_table("invoice_lines")
    op.drop_index(op.f("invoices_order_id_idx"), table_name="invoices")
    op.drop_table("invoices")
    op.drop_table("merchant")
    op.drop_table("invoice_series")
