"""Alerts, their rules, mails and their templates, and how far the log has been read for them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("channels", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("skus", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("locations", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("hours", sa.Integer(), nullable=True),
        sa.Column("emails", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("endpoints", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'STOCK_RUNNING_OUT') = (units IS NOT NULL)", name=op.f("only_stock_runs_out_at_some_units")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("alert_rules_pkey")),
        sa.UniqueConstraint("name", name=op.f("alert_rules_name_key")),
        sa.UniqueConstraint("position", name=op.f("alert_rules_position_key")),
        comment="What is watched for. `since`: it reads the log behind this; `checked_at`: it has looked until then.",
    )
    op.create_table(
        "log_readers",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("log_readers_pkey")),
        comment="How far the log has been read by whoever makes something of it; what is behind is kept for them.",
    )
    op.create_table(
        "mail_templates",
        sa.Column("topic", sa.Text(collation="C"), nullable=False),
        sa.Column("audience", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("channels", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("topic", "audience", name=op.f("mail_templates_pkey")),
        comment="What the merchant says in mails. A customer's is on for these channels.",
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("once", sa.Text(collation="C"), nullable=False),
        sa.Column("about", sa.Text(collation="C"), nullable=False),
        sa.Column("topic", sa.Text(collation="C"), nullable=False),
        sa.Column("audience", sa.Text(collation="C"), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("alert_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(collation="C"), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("leased_by", sa.Text(collation="C"), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state = 'PENDING')", name=op.f("a_mail_that_is_not_pending_has_ended")
        ),
        sa.CheckConstraint("leased_by IS NULL OR state = 'PENDING'", name=op.f("only_a_pending_mail_is_leased")),
        sa.CheckConstraint(
            "subject !~ '[\\r\\n]' AND recipient !~ '[\\r\\n]'", name=op.f("no_header_has_another_in_it")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("mails_pkey")),
        sa.UniqueConstraint("once", name=op.f("mails_once_key")),
        comment="The outbox. `once`: no other mail says it; `about`: of one thing, one after the other.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("mails_dead_idx", "mails", ["id"], unique=False, postgresql_where=sa.text("state = 'DEAD'"))
    op.create_index(
        "mails_ended_at_idx", "mails", ["ended_at"], unique=False, postgresql_where=sa.text("ended_at IS NOT NULL")
    )
    op.create_index(
        "mails_order_id_idx", "mails", ["order_id"], unique=False, postgresql_where=sa.text("order_id IS NOT NULL")
    )
    op.create_index(
        "mails_pending_idx", "mails", ["about", "id"], unique=False, postgresql_where=sa.text("state = 'PENDING'")
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rule", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("sku", sa.Text(collation="C"), nullable=True),
        sa.Column("location_code", sa.Text(collation="C"), nullable=True),
        sa.Column("available", sa.Integer(), nullable=True),
        sa.Column("emails", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("endpoints", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(order_id IS NULL) <> (sku IS NULL)", name=op.f("an_alert_is_about_one_thing")),
        sa.CheckConstraint("location_code IS NULL OR sku IS NOT NULL", name=op.f("only_a_sku_is_at_a_location")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("alerts_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("alerts_pkey")),
        comment="Situations that rules watch for. At most one of a rule is open about one thing.",
    )
    op.create_index("alerts_open_idx", "alerts", ["id"], unique=False, postgresql_where=sa.text("resolved_at IS NULL"))
    op.create_index(
        "alerts_open_key",
        "alerts",
        [
            "rule",
            sa.literal_column("coalesce(order_id, 0)"),
            sa.literal_column("coalesce(sku, '')"),
            sa.literal_column("coalesce(location_code, '')"),
        ],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "alerts_resolved_at_idx",
        "alerts",
        ["resolved_at"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("alerts_resolved_at_idx", table_name="alerts", postgresql_where=sa.text("resolved_at IS NOT NULL"))
    op.drop_index("alerts_open_key", table_name="alerts", postgresql_where=sa.text("resolved_at IS NULL"))
    op.drop_index("alerts_open_idx", table_name="alerts", postgresql_where=sa.text("resolved_at IS NULL"))
    op.drop_table("alerts")
    op.drop_index("mails_pending_idx", table_name="mails", postgresql_where=sa.text("state = 'PENDING'"))
    op.drop_index("mails_order_id_idx", table_name="mails", postgresql_where=sa.text("order_id IS NOT NULL"))
    op.drop_index("mails_ended_at_idx", table_name="mails", postgresql_where=sa.text("ended_at IS NOT NULL"))
    op.drop_index("mails_dead_idx", table_name="mails", postgresql_where=sa.text("state = 'DEAD'"))
    op.drop_table("mails")
    op.drop_table("mail_templates")
    op.drop_table("log_readers")
    op.drop_table("alert_rules")
