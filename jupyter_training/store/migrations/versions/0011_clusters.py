"""What clusters tell of their machines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"

Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "cluster_nodes",
        sa.Column("executor", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("cpu_cores", sa.Integer, nullable=False),
        sa.Column("memory_gb", sa.Integer, nullable=False),
        sa.Column("gpus", Json, nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("cpu_cores_free", sa.Integer, nullable=False),
        sa.Column("memory_gb_free", sa.Integer, nullable=False),
        sa.Column("gpus_held", Json, nullable=False),
        sa.Column("seen_at", sa.DateTime, nullable=False),
    )
