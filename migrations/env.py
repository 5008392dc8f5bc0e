"""Alembic's entry point. `persistence.migrating` hands over a connection; nothing is read from files."""

from alembic import context
from alembic.script import ScriptDirectory

from persistence import sight
from persistence.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    sight.drop(connection)
    context.run_migrations()
    if context.get_context().get_current_revision() == ScriptDirectory.from_config(context.config).get_current_head():
        sight.make(connection)
