"""Where a restore to an earlier moment has undone a part of the log."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "log_gaps",
        sa.Column("behind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("behind < until", name=op.f("a_gap_is_wide")),
        sa.PrimaryKeyConstraint("behind", name=op.f("log_gaps_pkey")),
        comment="Positions behind one and up to the other were given in a history that a restore has undone.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("log_gaps")
