"""Allocation rules, schedules, and orders that were split off another."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

SCHEDULED = "orders_scheduled_idx"
SCHEDULE_ENDS = "a_schedule_ends_when_a_run_looks_at_the_order"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "allocation_rules",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("allocate_when", sa.Text(collation="C"), nullable=False),
        sa.Column("every_minutes", sa.Integer(), nullable=True),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("country_codes", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("value_from", sa.Numeric(), nullable=True),
        sa.Column("value_below", sa.Numeric(), nullable=True),
        sa.Column("currency_code", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint(
            "(allocate_when = 'ON_SCHEDULE') = (every_minutes IS NOT NULL)", name=op.f("only_a_schedule_has_minutes")
        ),
        sa.CheckConstraint("every_minutes BETWEEN 1 AND 1440", name=op.f("a_schedule_comes_at_least_once_a_day")),
        sa.CheckConstraint(
            "(coalesce(value_from, value_below) IS NULL) = (currency_code IS NULL)",
            name=op.f("a_value_has_a_currency"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("allocation_rules_pkey")),
        sa.UniqueConstraint("name", name=op.f("allocation_rules_name_key")),
        sa.UniqueConstraint("position", name=op.f("allocation_rules_position_key")),
        comment="When new orders are allocated: the first rule that matches decides.",
    )
    op.add_column("orders", sa.Column("allocate_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column("orders", sa.Column("split_from", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("orders_split_from_fkey"), "orders", "orders", ["split_from"], ["id"])
    op.create_check_constraint(
        op.f(SCHEDULE_ENDS),
        "orders",
        "allocate_after IS NULL OR (status = 'FINALIZED' AND allocation_status IS NOT DISTINCT FROM 'UNALLOCATED')",
    )
    op.create_index(SCHEDULED, "orders", ["allocate_after"], postgresql_where=sa.text("allocate_after IS NOT NULL"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(SCHEDULED, table_name="orders", postgresql_where=sa.text("allocate_after IS NOT NULL"))
    op.drop_constraint(op.f(SCHEDULE_ENDS), "orders", type_="check")
    op.drop_constraint(op.f("orders_split_from_fkey"), "orders", type_="foreignkey")
    op.drop_column("orders", "split_from")
    op.drop_column("orders", "allocate_after")
    op.drop_table("allocation_rules")
