"""What Alembic runs: the migrations, on the connection that `database.migrate` opened."""

from __future__ import annotations

from alembic import context

from jupyter_training.store.database import VERSION_TABLE
from jupyter_training.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
