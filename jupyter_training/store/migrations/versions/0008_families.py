"""Jobs with children, and jobs that depend on others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what a job is a part of, what holds it back, and what it depends on."""
    # In one statement, as SQLite can do it: to make the table anew would delete what refers to it.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE training_jobs ADD COLUMN parent_id {kind} REFERENCES training_jobs (id)"
    )
    op.add_column("training_jobs", sa.Column("child_key", sa.String(64)))
    op.add_column("training_jobs", sa.Column("weight", sa.Float()))
    op.add_column("training_jobs", sa.Column("digest", sa.String(64)))
    op.add_column("training_jobs", sa.Column("origin", sa.String(96)))
    op.add_column("training_jobs", sa.Column("hold", sa.String(16)))
    op.create_index("training_jobs_digest", "training_jobs", ["digest"])
    op.drop_index("training_jobs_queue", "training_jobs")
    op.create_index("training_jobs_queue", "training_jobs", ["status", "hold", "priority", "id"])
    op.create_index(
        "training_jobs_of_parent", "training_jobs", ["parent_id", "child_key"], unique=True
    )
    op.create_table(
        "training_upstreams",
        sa.Column("job_id", Id, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("upstream_id", Id),
        sa.ForeignKeyConstraint(["job_id"], ["training_jobs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["upstream_id"], ["training_jobs.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("job_id", "name"),
    )
    op.create_index("training_upstreams_of", "training_upstreams", ["upstream_id"])
