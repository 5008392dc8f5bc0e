"""Alembic's entry point. `persistence.migrating` hands over a connection; nothing is read from files."""

from alembic import context

from persistence.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
