"""The links by which customers follow their orders."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "tracking_links",
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(token) >= 16", name=op.f("nobody_guesses_a_token")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("tracking_links_order_id_fkey")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("tracking_links_pkey")),
        comment="By which customers follow their orders; made when first asked for. Without its row a link is dead.",
    )
    op.create_index("tracking_links_digest_key", "tracking_links", [sa.text("sha256(token)")], unique=True)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("tracking_links_digest_key", table_name="tracking_links")
    op.drop_table("tracking_links")
