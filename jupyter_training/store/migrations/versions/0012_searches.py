"""Searches for hyperparameters, their trials, and why a job is being stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add them."""
    op.add_column(
        "training_jobs", sa.Column("parameters", Json, nullable=False, server_default="{}")
    )
    op.add_column("training_jobs", sa.Column("stop_cause", sa.String(32)))
    op.add_column("training_jobs", sa.Column("stop_detail", sa.Text()))
    op.create_table(
        "training_searches",
        sa.Column("job_id", Id, primary_key=True),
        sa.Column("search", Json, nullable=False),
        sa.Column("allowed", sa.Integer()),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime()),
        sa.ForeignKeyConstraint(["job_id"], ["training_jobs.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "training_trials",
        sa.Column("search_id", Id, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("state", sa.String(16)),
        sa.Column("value", sa.Float()),
        sa.Column("step", sa.Float()),
        sa.ForeignKeyConstraint(["search_id"], ["training_searches.job_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["training_jobs.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("job_id"),
    )
