"""What has changed, for those who look on: every change once, numbered in the order of the commits.

A transaction *notes* what it changes, and writes it when everything else is done. On PostgreSQL two
transactions that take their numbers at the same time may be committed in either order, and whoever
has read up to the higher number would never see the lower one. So they are taken under a lock that
is held until the commit, and asked for last of all locks: nobody waits for another one with it.
SQLite has one writer anyway.

The table is a window: what is older than a day is in the jobs' own histories.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    String,
    bindparam,
    case,
    delete,
    event,
    func,
    insert,
    select,
    text,
)

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.store import outbox
from jupyter_training.store.records import Change, Job
from jupyter_training.store.tables import (
    UtcDateTime,
    Words,
    customers,
    training_changes,
    training_jobs,
)

KEPT = timedelta(days=1)
"""How long a change can be read here."""

PROGRESS, WAITS = "progress", "waits"
DELETED = "deleted"
NOTIFIED, NOT_NOTIFIED = "notified", "not_notified"
"""Kinds of events: somebody was told of the job, or could not be."""

_WORDS = {
    Status.SCHEDULED: "scheduled",
    Status.RUNNING: "started",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.RETRYING: "retrying",
    Status.CANCELLED: "cancelled",
}
_UNTOLD = frozenset({"adopted", "stale", NOTIFIED, NOT_NOTIFIED})
"""Of the kinds of events, those that change nothing that a person sees of a job."""

_LOCK_NUMBER = 0x6A7473
_LOCK = text("SELECT pg_advisory_xact_lock(:number)")
_NOTED, _MARKS = "jupyter_training.noted", "jupyter_training.marks"

# What is None was not noted, and is as it stands in the job's row.
_jobs = training_jobs.c
_MOVED = bindparam("to_status", type_=String(32))
_TELL = insert(training_changes).from_select(
    [
        *("job_id", "uuid", "customer_id", "name", "change", "status", "cause", "reason"),
        *("attempt", "progress", "at"),
    ],
    select(
        _jobs.id,
        _jobs.uuid,
        _jobs.customer_id,
        _jobs.name,
        bindparam("word", type_=String(32)),
        func.coalesce(_MOVED, _jobs.status),
        case(
            (_MOVED.is_(None), _jobs.cause),
            else_=bindparam("why", type_=String(32)),
        ),
        func.coalesce(bindparam("sentence", type_=Words), _jobs.reason),
        func.coalesce(bindparam("of_attempt", type_=Integer), _jobs.attempt),
        _jobs.progress,
        bindparam("moment", type_=UtcDateTime),
    ).where(_jobs.id == bindparam("number")),
)
_TELL_DELETED = insert(training_changes)
_RECEIVERS = (
    select(
        _jobs.receivers,
        _jobs.cancel_requested_by,
        _jobs.progress,
        _jobs.attempt,
        customers.c.username,
    )
    .select_from(training_jobs.join(customers))
    .where(_jobs.id == bindparam("number"))
)


@dataclass(frozen=True)
class _Noted:
    """A change that is not written yet; what is None is as it stands in the job's row."""

    job: int
    change: str
    at: datetime
    status: str | None = None
    cause: str | None = None
    reason: str | None = None
    attempt: int | None = None
    last: dict[str, Any] | None = None
    """The row of the change, if the job is gone."""

    def values(self) -> dict[str, Any]:
        """For `_TELL`."""
        return {
            "number": self.job,
            "word": self.change,
            "to_status": self.status,
            "why": self.cause,
            "sentence": self.reason,
            "of_attempt": self.attempt,
            "moment": self.at,
        }


def word(kind: str, before: Status | None, after: Status | None) -> str | None:
    """The word for an event of a job's history; None if nobody has to be told.

    Parameters
    ----------
    kind, before, after
        As in `transitions.record`.
    """
    if kind in _UNTOLD:
        return None
    if kind == "cancel":
        return "cancel_requested"
    if kind != "status" or after is None:
        return kind
    if after is Status.PENDING:
        return "submitted" if before is None else "resubmitted"
    return _WORDS[after]


def note(
    connection: Connection,
    job: int,
    change: str,
    *,
    now: datetime,
    status: Status | None = None,
    cause: Cause | None = None,
    reason: str | None = None,
    of_attempt: int | None = None,
) -> None:
    """Remember a change until the end of this transaction.

    Parameters
    ----------
    status, cause, reason, of_attempt
        If they are not those of the job at the end of the transaction.
    """
    _noted(connection).append(
        _Noted(
            job,
            change,
            now,
            status.value if status else None,
            cause.value if cause else None,
            reason,
            of_attempt,
        )
    )


def note_deleted(connection: Connection, job: Job, *, now: datetime) -> None:
    """Remember that a job is gone."""
    last = {
        "job_id": job.id,
        "uuid": job.job_id,
        "customer_id": job.customer_id,
        "name": job.name,
        "change": DELETED,
        "status": job.status.value,
        "cause": job.cause.value if job.cause else None,
        "reason": job.reason,
        "attempt": job.attempt,
        "progress": job.progress,
        "at": now,
    }
    _noted(connection).append(_Noted(job.id, DELETED, now, last=last))


def write_noted(connection: Connection) -> bool:
    """Write what this transaction has noted, as the last thing before its commit.

    Whoever wants to be told of it outside of Jupyter is so noted with it.

    Returns
    -------
    bool
        Whether there was anything.
    """
    noted = list(_noted(connection))
    forget_noted(connection)
    if not noted:
        return False
    for one in noted:
        _put_in_outbox(connection, one)
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"number": _LOCK_NUMBER})
    if there := [one.values() for one in noted if one.last is None]:
        connection.execute(_TELL, there)
    if gone := [one.last for one in noted if one.last is not None]:
        connection.execute(_TELL_DELETED, gone)
    return True


def _put_in_outbox(connection: Connection, noted: _Noted) -> None:
    """Note who wants to be told of a change."""
    if noted.change not in outbox.OCCASIONS:
        return
    row = connection.execute(_RECEIVERS, {"number": noted.job}).one_or_none()
    if row is None or not row.receivers:
        return
    outbox.put(
        connection,
        noted.job,
        noted.change,
        receivers=row.receivers,
        owner=row.username,
        cancelled_by=row.cancel_requested_by,
        attempt=row.attempt if noted.attempt is None else noted.attempt,
        cause=noted.cause,
        reason=noted.reason,
        progress=row.progress,
        at=noted.at,
    )


def forget_noted(connection: Connection) -> None:
    """Begin anew."""
    connection.info[_NOTED], connection.info[_MARKS] = [], {}


def follow_savepoints(engine: Engine) -> None:
    """Forget what was noted within a savepoint, if it is rolled back."""

    @event.listens_for(engine, "savepoint")
    def _begun(connection: Connection, name: str) -> None:
        connection.info.setdefault(_MARKS, {})[name] = len(_noted(connection))

    @event.listens_for(engine, "rollback_savepoint")
    def _rolled_back(connection: Connection, name: str, _context: None) -> None:
        del _noted(connection)[connection.info.get(_MARKS, {}).get(name, 0) :]


def _noted(connection: Connection) -> list[_Noted]:
    noted: list[_Noted] = connection.info.setdefault(_NOTED, [])
    return noted


def end(connection: Connection) -> int:
    """The number of the latest change; 0 if there was none yet."""
    return int(connection.execute(select(func.max(training_changes.c.sequence))).scalar_one() or 0)


def is_complete_since(connection: Connection, sequence: int) -> bool:
    """Whether everything after this number can still be read."""
    first = connection.execute(select(func.min(training_changes.c.sequence))).scalar_one()
    return first is None or first <= sequence + 1


def since(connection: Connection, sequence: int, *, owner: str | None, limit: int) -> list[Change]:
    """The changes after this number, in their order.

    Parameters
    ----------
    owner
        Whose jobs; None for everybody's.
    limit
        How many at most.
    """
    query = (
        select(training_changes, customers.c.username, _jobs.parent_id)
        .select_from(
            training_changes.join(
                customers, customers.c.id == training_changes.c.customer_id
            ).outerjoin(training_jobs, _jobs.id == training_changes.c.job_id)
        )
        .where(training_changes.c.sequence > sequence)
        .order_by(training_changes.c.sequence)
        .limit(limit)
    )
    if owner is not None:
        query = query.where(customers.c.username == owner)
    return [
        Change(
            row.sequence,
            row.uuid,
            row.username,
            row.name,
            row.change,
            row.status,
            row.cause,
            row.reason,
            row.attempt,
            row.progress,
            row.at,
            row.parent_id,
        )
        for row in connection.execute(query)
    ]


def prune(connection: Connection, now: datetime) -> None:
    """Forget what is too old; the latest one stays, whose number tells how far they have come."""
    connection.execute(
        delete(training_changes).where(
            training_changes.c.at < now - KEPT,
            training_changes.c.sequence
            < select(func.max(training_changes.c.sequence)).scalar_subquery(),
        )
    )
