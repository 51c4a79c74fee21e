"""Distributed jobs: how many nodes they want, and what the nodes of an attempt hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the columns. What there is are jobs of one node."""
    for column in (
        sa.Column("nodes", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("min_nodes", sa.Integer()),
        sa.Column("procs_per_node", sa.Integer()),
        sa.Column("launcher", sa.String(32)),
    ):
        op.add_column("training_jobs", column)
    op.add_column("training_attempts", sa.Column("parts", Json))
