"""Run by alembic inside the transaction that `rtpick.archive.schema.migrate` hands over."""

from alembic import context

from rtpick.archive.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
