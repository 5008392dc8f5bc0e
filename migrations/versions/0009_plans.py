"""Plans of runs that choose which orders to complete, and what dry runs remember from chunk to chunk."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "planned_orders",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("position_from_0")),
        sa.ForeignKeyConstraint(["run_id"], ["allocation_runs.id"], name=op.f("planned_orders_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("planned_orders_pkey")),
        sa.UniqueConstraint("run_id", "order_id", name=op.f("planned_orders_run_id_order_id_key")),
        comment="The sequence of an unfinished run whose policy chooses which orders to complete.",
    )
    op.add_column("allocation_runs", sa.Column("keep", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("allocation_runs", sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column(
        "allocation_runs",
        sa.Column("foreseen", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.drop_column("allocation_runs", "moved")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "allocation_runs",
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    )
    op.drop_column("allocation_runs", "foreseen")
    op.drop_column("allocation_runs", "plan")
    op.drop_column("allocation_runs", "keep")
    op.drop_table("planned_orders")
