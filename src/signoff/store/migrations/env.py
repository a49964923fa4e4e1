"""How Alembic connects: to the connection that `store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from signoff.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table="signoff_migrations")
with context.begin_transaction():
    context.run_migrations()
