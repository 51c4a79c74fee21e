"""Which contents the jobs refer to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from jupyter_training.store.tables import customers, training_jobs

_REFERENCES = (
    select(
        customers.c.username,
        training_jobs.c.snapshot,
        training_jobs.c.environment,
        training_jobs.c.variables,
    )
    .distinct()
    .select_from(training_jobs.join(customers))
)


@dataclass
class References:
    """What the jobs of a user refer to, by SHA-256.

    Attributes
    ----------
    snapshots
        Manifests, which refer to other contents in their turn.
    """

    snapshots: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)


def references(connection: Connection) -> dict[str, References]:
    """What there are jobs for, by user name."""
    found: dict[str, References] = defaultdict(References)
    for row in connection.execute(_REFERENCES):
        mine = found[row.username]
        if row.snapshot is not None:
            mine.snapshots.add(row.snapshot)
        if row.environment is not None:
            mine.others.add(row.environment)
        mine.others.update(row.variables.values())
    return found
