"""Bundles: items made of components, and what was bought as one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

COMPONENTS = "items_components_idx"
OF_BUNDLES = "order_lines_bundle_id_idx"
LINE_CHECKS = {
    "only_a_component_has_units_in_a_bundle": "(bundle_id IS NULL) = (bundle_units IS NULL)",
    "a_bundle_has_some_of_each_component": "bundle_units > 0",
    "a_component_has_no_price_of_its_own": "bundle_id IS NULL OR unit_price IS NULL",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("items", sa.Column("components", postgresql.JSONB(), nullable=True))
    op.create_index(
        COMPONENTS,
        "items",
        ["components"],
        postgresql_using="gin",
        postgresql_ops={"components": "jsonb_path_ops"},
        postgresql_where=sa.text("components IS NOT NULL"),
    )
    op.create_table(
        "order_bundles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("unit_price", sa.Numeric(), nullable=True),
        sa.Column("currency_code", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint(
            "(unit_price IS NULL) = (currency_code IS NULL)", name=op.f("a_bundle_price_has_a_currency")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("order_bundles_item_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("order_bundles_pkey")),
        comment="What was bought as one: its components are order lines that refer to it.",
    )
    op.create_index(op.f("order_bundles_item_id_idx"), "order_bundles", ["item_id"])
    op.add_column("order_lines", sa.Column("bundle_id", sa.BigInteger(), nullable=True))
    op.add_column("order_lines", sa.Column("bundle_units", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("order_lines_bundle_id_fkey"), "order_lines", "order_bundles", ["bundle_id"], ["id"])
    for name, condition in LINE_CHECKS.items():
        op.create_check_constraint(op.f(name), "order_lines", condition)
    op.create_index(OF_BUNDLES, "order_lines", ["bundle_id"], postgresql_where=sa.text("bundle_id IS NOT NULL"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(OF_BUNDLES, table_name="order_lines", postgresql_where=sa.text("bundle_id IS NOT NULL"))
    for name in LINE_CHECKS:
        op.drop_constraint(op.f(name), "order_lines", type_="check")
    op.drop_constraint(op.f("order_lines_bundle_id_fkey"), "order_lines", type_="foreignkey")
    op.drop_column("order_lines", "bundle_units")
    op.drop_column("order_lines", "bundle_id")
    op.drop_table("order_bundles")
    op.drop_index(COMPONENTS, table_name="items", postgresql_where=sa.text("components IS NOT NULL"))
    op.drop_column("items", "components")
