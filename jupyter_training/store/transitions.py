"""Change the status of a job: one update, guarded by the status before, and one event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from jupyter_training.jobs.lifecycle import Cause, Status, may_follow
from jupyter_training.store import changes
from jupyter_training.store.tables import training_events, training_jobs

_MOVE = update(training_jobs).where(
    training_jobs.c.id == bindparam("the_job"), training_jobs.c.status == bindparam("before")
)
_EVENT = insert(training_events)


class StaleWrite(RuntimeError):
    """The job is no longer where the writer believed it to be, so nothing was written."""


def move(
    connection: Connection,
    job_id: int,
    before: Status,
    after: Status,
    *,
    now: datetime,
    actor: str,
    of_attempt: int | None = None,
    cause: Cause | None = None,
    reason: str | None = None,
    **columns: Any,
) -> None:
    """Take a job from one status to the next and append that to its history.

    Parameters
    ----------
    actor
        Who or what caused it.
    of_attempt
        The number of the attempt that the event is about.
    columns
        What else changes in the job's row.

    Raises
    ------
    StaleWrite
        If the job has another status by now, or there is no such transition.
    """
    if not may_follow(before, after):
        raise StaleWrite(f"there is no transition from {before.value} to {after.value}")
    changed = connection.execute(
        _MOVE,
        {
            "the_job": job_id,
            "before": before.value,
            "status": after.value,
            "cause": cause.value if cause else None,
            "reason": reason,
            **columns,
        },
    )
    if changed.rowcount != 1:
        raise StaleWrite(f"job {job_id} is no longer {before.value}")
    record(
        connection,
        job_id,
        "status",
        now=now,
        actor=actor,
        before=before,
        after=after,
        of_attempt=of_attempt,
        cause=cause,
        reason=reason,
    )


def record(
    connection: Connection,
    job_id: int | None,
    kind: str,
    *,
    now: datetime,
    actor: str,
    before: Status | None = None,
    after: Status | None = None,
    of_attempt: int | None = None,
    cause: Cause | None = None,
    reason: str | None = None,
) -> None:
    """Append one event to a job's history, or to that of the servers; the former is told, too."""
    connection.execute(
        _EVENT,
        {
            "job_id": job_id,
            "at": now,
            "actor": actor,
            "kind": kind,
            "from_status": before.value if before else None,
            "to_status": after.value if after else None,
            "attempt": of_attempt,
            "cause": cause.value if cause else None,
            "reason": reason,
        },
    )
    told = changes.word(kind, before, after)
    if job_id is not None and told is not None:
        changes.note(
            connection,
            job_id,
            told,
            now=now,
            status=after,
            of_attempt=of_attempt,
            cause=cause,
            reason=reason,
        )
