"""What attempts have used, and what deleted jobs had held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add peaks and sums to attempts, and a place for what is to be known of deleted ones."""
    for column in (
        sa.Column("cpu_seconds", sa.Float()),
        sa.Column("peak_memory_bytes", sa.BigInteger()),
        sa.Column("peak_gpu_memory_bytes", sa.BigInteger()),
        sa.Column("gpu_utilization_percent", sa.Float()),
        sa.Column("usage_until", sa.DateTime()),
        sa.Column("idle_since", sa.DateTime()),
    ):
        op.add_column("training_attempts", column)
    op.create_table(
        "past_holdings",
        sa.Column("id", Id, primary_key=True),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("job_uuid", sa.String(64), nullable=False),
        sa.Column("customer_id", Id, sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("held_since", sa.DateTime(), nullable=False),
        sa.Column("held_until", sa.DateTime(), nullable=False),
        sa.Column("cpu_cores", sa.Integer(), nullable=False),
        sa.Column("memory_gb", sa.Integer(), nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
    )
