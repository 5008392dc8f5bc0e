"""What API keys may do and know of, until when, and how they are turned and revoked. A key from before may do all."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("mark", sa.Text(collation="C"), nullable=True),
        sa.Column("previous_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), server_default=sa.text("'{admin}'"), nullable=False),
        sa.Column("channels", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("locations", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in columns():
        op.add_column("api_keys", column)
    op.create_unique_constraint(op.f("api_keys_mark_key"), "api_keys", ["mark"])
    op.create_unique_constraint(op.f("api_keys_previous_sha256_key"), "api_keys", ["previous_sha256"])
    op.create_check_constraint(
        op.f("an_administrator_has_no_limits"),
        "api_keys",
        "'admin' <> ALL(scopes) OR channels IS NULL AND locations IS NULL",
    )
    op.create_check_constraint(
        op.f("a_previous_secret_opens_until_a_time"),
        "api_keys",
        "(previous_sha256 IS NULL) = (previous_until IS NULL)",
    )
    op.create_table_comment(
        "api_keys",
        "What opens the API. Of secrets only the SHA-256 is kept. `channels`, `locations`: null is no limit.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table_comment("api_keys")
    op.drop_constraint(op.f("a_previous_secret_opens_until_a_time"), "api_keys")
    op.drop_constraint(op.f("an_administrator_has_no_limits"), "api_keys")
    for column in reversed(columns()):
        op.drop_column("api_keys", column.name)
