"""Which contents a job refers to: its code, its environment, its values."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the references."""
    op.add_column("training_jobs", sa.Column("snapshot", sa.String(64)))
    op.add_column("training_jobs", sa.Column("environment", sa.String(64)))
    op.add_column(
        "training_jobs", sa.Column("variables", Json, nullable=False, server_default="{}")
    )
