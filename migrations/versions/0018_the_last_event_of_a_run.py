"""How a run ended is found by the run, however long the log is."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "events_of_runs_idx",
        "events",
        [sa.text("CAST(payload ->> 'run_id' AS bigint)"), "id"],
        postgresql_where=sa.text("type = 'AllocationRunProgressed'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("events_of_runs_idx", "events")
