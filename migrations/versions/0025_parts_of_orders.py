"""Which orders were split off from one: an index, for what their customers are told."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "orders_split_from_idx",
        "orders",
        ["split_from"],
        unique=False,
        postgresql_where=sa.text("split_from IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("orders_split_from_idx", table_name="orders", postgresql_where=sa.text("split_from IS NOT NULL"))
