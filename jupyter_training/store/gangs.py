"""What is written of an attempt of a distributed job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from jupyter_training.jobs.lifecycle import Cause
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import parts_of_json
from jupyter_training.store.tables import training_attempts

_attempts = training_attempts.c


@dataclass(frozen=True)
class GangAttempt:
    """The nodes of an attempt, and how it ended.

    Attributes
    ----------
    nodes
        What each of them was given.
    cause
        Of its end; None while it has not ended.
    """

    nodes: tuple[Placement, ...]
    started_at: datetime | None
    ended_at: datetime | None
    cause: Cause | None


def gang_attempt(connection: Connection, job_id: int, number: int) -> GangAttempt | None:
    """An attempt of a distributed job; None if there is none, or the job is not distributed."""
    row = connection.execute(
        select(_attempts.parts, _attempts.started_at, _attempts.ended_at, _attempts.cause).where(
            _attempts.job_id == job_id, _attempts.number == number
        )
    ).one_or_none()
    if row is None or row.parts is None:
        return None
    cause = None if row.cause is None else Cause(row.cause)
    return GangAttempt(parts_of_json(row.parts), row.started_at, row.ended_at, cause)
