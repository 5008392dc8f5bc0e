"""Room beside each order and line for its next version, and no index that every update has to change."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE orders SET (fillfactor = 50)")
    op.execute("ALTER TABLE order_lines SET (fillfactor = 50)")
    op.drop_index(op.f("orders_updated_at_idx"), table_name="orders")
    op.create_index(op.f("orders_updated_at_idx"), "orders", ["updated_at"], unique=False, postgresql_using="brin")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(op.f("orders_updated_at_idx"), table_name="orders", postgresql_using="brin")
    op.create_index(op.f("orders_updated_at_idx"), "orders", ["updated_at"], unique=False)
    op.execute("ALTER TABLE order_lines SET (fillfactor = 80)")
    op.execute("ALTER TABLE orders SET (fillfactor = 80)")
