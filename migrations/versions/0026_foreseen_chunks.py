"""What dry runs in the background said, and the runs that commit it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("allocation_runs", sa.Column("commits", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("allocation_runs_commits_fkey"), "allocation_runs", "allocation_runs", ["commits"], ["id"]
    )
    op.add_column("allocation_runs", sa.Column("moved", postgresql.JSONB(), nullable=True))
    op.create_table(
        "foreseen_chunks",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("order_versions", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("item_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("location_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("level_versions", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("planned", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("position >= 0", name="position_from_0"),
        sa.ForeignKeyConstraint(["run_id"], ["allocation_runs.id"], name=op.f("foreseen_chunks_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("foreseen_chunks_pkey")),
        comment="What dry runs said of so many orders, as a digest, and what that rests on. It is kept for a day.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("foreseen_chunks")
    op.drop_column("allocation_runs", "moved")
    op.drop_column("allocation_runs", "commits")
