"""Since when an attempt hangs, and which of its ranks did first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("training_attempts", sa.Column("hung_since", sa.DateTime()))
    op.add_column("training_attempts", sa.Column("hung_first", sa.Text()))
