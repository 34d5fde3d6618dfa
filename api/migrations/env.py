"""How Alembic runs here: on a connection that is handed in, over every room's tables, in one transaction."""

from alembic import context

from api.migrations import is_ours
from api.wiring import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=list(METADATA),
    render_as_batch=True,
    compare_type=True,
    include_name=lambda name, kind, _: is_ours(name, kind),
)
with context.begin_transaction():
    context.run_migrations()
