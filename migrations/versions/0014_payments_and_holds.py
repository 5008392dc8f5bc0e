"""Bills, discounts, taxes and notes of orders; payments; holds and the rules that place them.

Orders from before keep no currency: they owe nothing and count as paid, until a payment is recorded for one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

UNPAID = "orders_unpaid_idx"
IS_UNPAID = "status = 'FINALIZED' AND payment_status IN ('UNPAID', 'PARTIALLY_PAID')"
ACTIVE_HOLDS = "order_holds_active_key"
HAVE_TIME = "unpaid_orders_have_some_time"
CLOCK = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _of_channels()
    _of_orders()
    _payments()
    _holds()


def _of_channels() -> None:
    op.add_column(
        "channels", sa.Column("paid_on_arrival", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("channels", sa.Column("unpaid_orders_expire_after_minutes", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f(HAVE_TIME), "channels", "unpaid_orders_expire_after_minutes > 0")


def _of_orders() -> None:
    for name in ("customer_phone", "ship_to_phone", "note"):
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=True))
    for name in ("bill_to", "discounts"):
        op.add_column("orders", sa.Column(name, postgresql.JSONB(), nullable=True))
    for name in ("shipping_price", "tax"):
        op.add_column("orders", sa.Column(name, sa.Numeric(), nullable=True))
    op.add_column("orders", sa.Column("currency_code", sa.Text(collation="C"), nullable=True))
    op.add_column(
        "orders",
        sa.Column("payment_status", sa.Text(collation="C"), server_default=sa.text("'PAID'"), nullable=False),
    )
    op.add_column("orders", sa.Column("finalized_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(UNPAID, "orders", ["finalized_at"], postgresql_where=sa.text(IS_UNPAID))
    for name in ("discount", "tax"):
        op.add_column("order_lines", sa.Column(name, sa.Numeric(), nullable=True))
    op.add_column("order_lines", sa.Column("customization_note", sa.Text(), nullable=True))


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency_code", sa.Text(collation="C"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=CLOCK, nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("a_payment_has_an_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("payments_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_pkey")),
        comment="Money that came, went, or moved with a split. Never the data of a card.",
    )
    op.create_index(op.f("payments_order_id_id_idx"), "payments", ["order_id", "id"])


def _holds() -> None:
    op.create_table(
        "order_holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("placed_by", sa.Text(collation="C"), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=CLOCK, nullable=False),
        sa.Column("released_by", sa.Text(collation="C"), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL)", name=op.f("a_hold_that_ended_was_ended_by_somebody")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("order_holds_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("order_holds_pkey")),
        comment="Why an order may not be released. `rule`: the name of the rule that placed it.",
    )
    op.create_index(
        ACTIVE_HOLDS,
        "order_holds",
        ["order_id", "reason"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_index(op.f("order_holds_order_id_id_idx"), "order_holds", ["order_id", "id"])
    op.create_table(
        "hold_rules",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("discount_from", sa.Numeric(), nullable=True),
        sa.Column("discount_percent_from", sa.Numeric(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("customized", sa.Boolean(), nullable=True),
        sa.Column("first_order_from", sa.Numeric(), nullable=True),
        sa.Column("currency_code", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint(
            "(coalesce(discount_from, first_order_from) IS NULL) = (currency_code IS NULL)",
            name=op.f("a_bound_has_a_currency"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("hold_rules_pkey")),
        sa.UniqueConstraint("name", name=op.f("hold_rules_name_key")),
        sa.UniqueConstraint("position", name=op.f("hold_rules_position_key")),
        comment="Which new orders are held without anyone asking, and why: every rule that matches.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("hold_rules", "order_holds", "payments"):
        op.drop_table(table)
    for name in ("customization_note", "tax", "discount"):
        op.drop_column("order_lines", name)
    op.drop_index(UNPAID, table_name="orders", postgresql_where=sa.text(IS_UNPAID))
    for name in (
        *("finalized_at", "payment_status", "currency_code", "tax", "shipping_price", "discounts", "bill_to", "note"),
        *("ship_to_phone", "customer_phone"),
    ):
        op.drop_column("orders", name)
    op.drop_constraint(op.f(HAVE_TIME), "channels", type_="check")
    op.drop_column("channels", "unpaid_orders_expire_after_minutes")
    op.drop_column("channels", "paid_on_arrival")
