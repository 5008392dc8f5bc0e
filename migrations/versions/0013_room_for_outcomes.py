"""Room beside each idempotency key for its outcome, so that writing it touches no index."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE idempotency_keys SET (fillfactor = 30)")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE idempotency_keys RESET (fillfactor)")
