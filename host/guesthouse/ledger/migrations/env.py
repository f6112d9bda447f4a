"""What Alembic runs for the ledger's history; `guesthouse.registry.migrate` hands in the connection."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
