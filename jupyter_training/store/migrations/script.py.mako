"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Bring the schema here from `down_revision`."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Bring the schema back to `down_revision`."""
    ${downgrades if downgrades else "pass"}
