"""Events that are not about a job: who schedules, and after whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Let an event be about no job, and tell a lease given back from one that ran out."""
    given_back = sa.Column("given_back", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("leases", given_back)
    with op.batch_alter_table("training_events") as table:
        table.alter_column("job_id", existing_type=Id, nullable=True)
