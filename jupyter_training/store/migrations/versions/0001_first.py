"""The first schema: customers, jobs, attempts, history, nodes and leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "customers",
        sa.Column("id", Id, nullable=False),
        sa.Column("username", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=256), nullable=False),
        sa.Column("host", sa.String(length=256), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pid_started", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "nodes",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("cpu_cores", sa.Integer(), nullable=False),
        sa.Column("memory_gb", sa.Integer(), nullable=False),
        sa.Column("gpus", Json, nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "training_jobs",
        sa.Column("id", Id, nullable=False),
        sa.Column("uuid", sa.String(length=64), nullable=False),
        sa.Column("customer_id", Id, nullable=False),
        sa.Column("workspace_id", sa.BigInteger()),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("job_type", sa.String(length=32), nullable=False),
        sa.Column("cpu_cores", sa.Integer(), nullable=False),
        sa.Column("memory_gb", sa.Integer(), nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
        sa.Column("gpu_type", sa.String(length=64)),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("time_limit_s", sa.Float()),
        sa.Column("executor", sa.String(length=32), nullable=False),
        sa.Column("image", sa.String(length=256)),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("working_dir", sa.String(length=512)),
        sa.Column("env_vars", Json, nullable=False),
        sa.Column("dataset_ids", Json, nullable=False),
        sa.Column("output_path", sa.String(length=512)),
        sa.Column("spec", Json, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=32)),
        sa.Column("reason", sa.Text()),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime()),
        sa.Column("cancel_requested_at", sa.DateTime()),
        sa.Column("cancel_requested_by", sa.String(length=256)),
        sa.Column("submitted_at", sa.DateTime(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime()),
        sa.Column("started_at", sa.DateTime()),
        sa.Column("completed_at", sa.DateTime()),
        sa.Column("idempotency_key", sa.String(length=256)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_id", "idempotency_key", name="one_job_per_idempotency_key"),
        sa.UniqueConstraint("uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("training_jobs_of_customer", "training_jobs", ["customer_id", "id"])
    op.create_index("training_jobs_queue", "training_jobs", ["status", "priority", "id"])
    op.create_table(
        "training_attempts",
        sa.Column("id", Id, nullable=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=256), nullable=False),
        sa.Column("cpu_cores", sa.Integer(), nullable=False),
        sa.Column("memory_gb", sa.Integer(), nullable=False),
        sa.Column("gpus", Json, nullable=False),
        sa.Column("executor", sa.String(length=32), nullable=False),
        sa.Column("handle", Json),
        sa.Column("scheduled_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime()),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("signal", sa.Integer()),
        sa.Column("cause", sa.String(length=32)),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["job_id"], ["training_jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "number", name="one_attempt_per_number"),
        sa.UniqueConstraint("token"),
    )
    op.create_index("training_attempts_open", "training_attempts", ["ended_at"])
    op.create_table(
        "training_events",
        sa.Column("id", Id, nullable=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("from_status", sa.String(length=32)),
        sa.Column("to_status", sa.String(length=32)),
        sa.Column("attempt", sa.Integer()),
        sa.Column("cause", sa.String(length=32)),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["job_id"], ["training_jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("training_events_of_job", "training_events", ["job_id", "id"])


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "training_events",
        "training_attempts",
        "training_jobs",
        "nodes",
        "leases",
        "customers",
    ):
        op.drop_table(table)
