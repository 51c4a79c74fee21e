"""Who is to be told of a job, and what is still to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the receivers of jobs, and the outbox."""
    op.add_column("training_jobs", sa.Column("receivers", Json))
    op.create_table(
        "training_notifications",
        sa.Column("id", Id, primary_key=True),
        sa.Column(
            "job_id", Id, sa.ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("occasion", sa.String(32), nullable=False),
        sa.Column("receiver", Json, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.Column("claim", sa.String(32)),
        sa.Column("holder", sa.String(256)),
        sa.Column("host", sa.String(256)),
        sa.Column("pid", sa.Integer()),
        sa.Column("pid_started", sa.Float()),
        sqlite_autoincrement=True,
    )
    op.create_index("training_notifications_due", "training_notifications", ["next_at"])
    op.create_index("training_notifications_of_job", "training_notifications", ["job_id"])
