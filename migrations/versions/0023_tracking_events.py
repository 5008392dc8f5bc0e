"""What carriers say of parcels."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("fulfillments", sa.Column("tracking_status", sa.Text(collation="C"), nullable=True))
    op.add_column("fulfillments", sa.Column("tracked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("parcels", sa.Column("tracking_status", sa.Text(collation="C"), nullable=True))
    op.add_column("parcels", sa.Column("tracked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("parcels", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "parcels_tracking_number_idx",
        "parcels",
        ["tracking_number"],
        unique=False,
        postgresql_where=sa.text("tracking_number IS NOT NULL"),
    )
    op.create_table(
        "tracking_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("fulfillment_id", sa.BigInteger(), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("request", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"], ["fulfillments.id"], name=op.f("tracking_events_fulfillment_id_fkey")
        ),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("tracking_events_parcel_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("tracking_events_pkey")),
        comment="What carriers said, by their clocks; of one moment a status is said once.",
    )
    op.create_index(
        "tracking_events_of_parcel_key",
        "tracking_events",
        ["parcel_id", "occurred_at", "status"],
        unique=True,
        postgresql_where=sa.text("parcel_id IS NOT NULL"),
    )
    op.create_index(
        "tracking_events_of_fulfillment_key",
        "tracking_events",
        ["fulfillment_id", "occurred_at", "status"],
        unique=True,
        postgresql_where=sa.text("parcel_id IS NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(
        "tracking_events_of_fulfillment_key",
        table_name="tracking_events",
        postgresql_where=sa.text("parcel_id IS NULL"),
    )
    op.drop_index(
        "tracking_events_of_parcel_key",
        table_name="tracking_events",
        postgresql_where=sa.text("parcel_id IS NOT NULL"),
    )
    op.drop_table("tracking_events")
    op.drop_index(
        "parcels_tracking_number_idx", table_name="parcels", postgresql_where=sa.text("tracking_number IS NOT NULL")
    )
    op.drop_column("parcels", "delivered_at")
    op.drop_column("parcels", "tracked_at")
    op.drop_column("parcels", "tracking_status")
    op.drop_column("fulfillments", "tracked_at")
    op.drop_column("fulfillments", "tracking_status")
