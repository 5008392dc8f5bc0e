"""From where a channel's orders are served, and the policy of a run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("locations", sa.Column("region", sa.Text(), nullable=True))
    op.add_column(
        "channels",
        sa.Column("sourcing", sa.ARRAY(sa.Text()), server_default=sa.text("'{LOCATION_RANK}'"), nullable=False),
    )
    op.add_column("channels", sa.Column("location_ids", sa.ARRAY(sa.Integer()), nullable=True))
    op.add_column("channels", sa.Column("split_lines", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    policy = sa.Column(
        "policy", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
    )
    op.add_column("allocation_runs", policy)
    op.add_column(
        "allocation_runs",
        sa.Column("closed", sa.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("allocation_runs", "closed")
    op.drop_column("allocation_runs", "policy")
    op.drop_column("channels", "split_lines")
    op.drop_column("channels", "location_ids")
    op.drop_column("channels", "sourcing")
    op.drop_column("locations", "region")
