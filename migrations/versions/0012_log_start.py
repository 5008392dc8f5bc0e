"""Where the log begins, since old events are no longer kept for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "log_start",
        sa.Column("singleton", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("a_log_begins_once")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("log_start_pkey")),
        comment="The position behind which every event is still there.",
    )
    op.execute("INSERT INTO log_start (position) VALUES (0)")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("log_start")
