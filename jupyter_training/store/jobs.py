"""Jobs as people see them: find, cancel, run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from jupyter_training.jobs.lifecycle import ACTIVE, CAUSES, ENDED, WAITING, Cause, Status, sentence
from jupyter_training.jobs.spec import JobSpec, Script
from jupyter_training.store.records import Job
from jupyter_training.store.tables import customers, training_attempts, training_jobs
from jupyter_training.store.transitions import StaleWrite, move, record

JOBS: Select[Any] = select(
    # The whole specification may hold a script of megabytes, and only a launch needs it.
    *(column for column in training_jobs.c if column.name != "spec"),
    customers.c.username,
    training_attempts.c.node,
    training_attempts.c.gpus,
    training_attempts.c.parts,
    training_attempts.c.exit_code,
    training_attempts.c.signal,
    training_attempts.c.cpu_seconds,
    training_attempts.c.peak_memory_bytes,
    training_attempts.c.peak_gpu_memory_bytes,
    training_attempts.c.gpu_utilization_percent,
    training_attempts.c.started_at.label("attempt_started_at"),
    training_attempts.c.usage_until,
    training_attempts.c.idle_since,
    training_attempts.c.hung_since,
    training_attempts.c.hung_first,
).select_from(
    training_jobs.join(customers).outerjoin(
        training_attempts,
        and_(
            training_attempts.c.job_id == training_jobs.c.id,
            training_attempts.c.number == training_jobs.c.attempt,
        ),
    )
)
"""All that `Job.from_row` reads."""


# Statements that every look needs are built once.
_BY_NUMBER = JOBS.where(training_jobs.c.id == bindparam("number"))
_BY_NAME = JOBS.where(training_jobs.c.uuid == bindparam("name"))
_LOCK = (
    select(training_jobs.c.id).where(training_jobs.c.id == bindparam("number")).with_for_update()
)
_IS_OF = customers.c.username == bindparam("username")
_OWN_BY_NUMBER, _OWN_BY_NAME = _BY_NUMBER.where(_IS_OF), _BY_NAME.where(_IS_OF)


def get(connection: Connection, number: int) -> Job:
    """A job by its number.

    Raises
    ------
    sqlalchemy.exc.NoResultFound
        If there is none.
    """
    row = connection.execute(_BY_NUMBER, {"number": number}).mappings().one()
    return Job.from_row(row)


def spec_of(connection: Connection, number: int) -> JobSpec:
    """What a job was asked to be, but for who is told of it."""
    query = select(training_jobs.c.spec).where(training_jobs.c.id == number)
    return JobSpec.model_validate(_readable(connection.execute(query).scalar_one()))


def _readable(kept: dict[str, Any]) -> dict[str, Any]:
    """A request as it can be checked again.

    Earlier versions kept of stages also what nobody had said, such as a priority, which none may
    have.
    """
    stages = [_readable(stage) for stage in kept.get("stages", ())]
    if any("priority" in stage for stage in stages):
        silent = {
            name: field.get_default(call_default_factory=True)
            for name, field in JobSpec.model_fields.items()
        }
        stages = [
            {name: value for name, value in stage.items() if value != silent[name]}
            for stage in stages
        ]
    return {**kept, "stages": stages} if stages else kept


def several(connection: Connection, numbers: Sequence[int]) -> list[Job]:
    """The jobs of these numbers, by their number."""
    if not numbers:
        return []
    query = JOBS.where(training_jobs.c.id.in_(numbers)).order_by(training_jobs.c.id)
    return [Job.from_row(row) for row in connection.execute(query).mappings()]


def find(connection: Connection, reference: str, username: str | None) -> Job | None:
    """A job by what a person calls it.

    Parameters
    ----------
    reference
        Its `job_id`, or its number in digits.
    username
        Whose job it has to be; None for anybody's.
    """
    if "\0" in reference:  # no name has that, and not every database can be asked for it
        return None
    values: dict[str, Any] = {} if username is None else {"username": username}
    # More digits than any number in the database has are no number of a job.
    if reference.isascii() and reference.isdigit() and len(reference) < 19:
        query = _BY_NUMBER if username is None else _OWN_BY_NUMBER
        values["number"] = int(reference)
    else:
        query = _BY_NAME if username is None else _OWN_BY_NAME
        values["name"] = reference
    row = connection.execute(query, values).mappings().one_or_none()
    return None if row is None else Job.from_row(row)


def script(connection: Connection, number: int) -> Script | None:
    """The script that is stored with a job, with its parameters in it."""
    spec = spec_of(connection, number)
    text = spec.text
    if spec.script is None or text is None:
        return None
    return spec.script.model_copy(update={"text": text})


def request_cancel(connection: Connection, job: Job, *, by: str, now: datetime) -> Job:
    """Cancel a job that waits, or write down that one which runs has to be stopped.

    It is idempotent: a job that has ended, or is being stopped, stays as it is.
    """
    # Or it could be claimed, or end, between the look and what follows from it.
    connection.execute(_LOCK, {"number": job.id})
    job = get(connection, job.id)
    if job.status in WAITING:
        move(
            connection,
            job.id,
            job.status,
            Status.CANCELLED,
            now=now,
            actor=by,
            of_attempt=job.attempt or None,
            cause=Cause.CANCELLED_BY_USER,
            reason=sentence(Cause.CANCELLED_BY_USER, by),
            completed_at=now,
            not_before=None,
            cancel_requested_at=now,
            cancel_requested_by=by,
        )
    elif job.status in ACTIVE and job.cancel_requested_at is None:
        ask_to_cancel(connection, job, by=by, now=now)
    return get(connection, job.id)


def ask_to_cancel(connection: Connection, job: Job, *, by: str, now: datetime) -> None:
    """Write down that somebody wants a job to be stopped that is under way."""
    connection.execute(
        update(training_jobs)
        .where(training_jobs.c.id == job.id)
        .values(cancel_requested_at=now, cancel_requested_by=by)
    )
    record(
        connection,
        job.id,
        "cancel",
        now=now,
        actor=by,
        of_attempt=job.attempt or None,
        reason=f"{by} asked for it to be cancelled",
    )


def request_stop(
    connection: Connection, number: int, cause: Cause, detail: str, *, by: str, now: datetime
) -> bool:
    """Have a job stopped that runs, or end one that waits, for a cause that is nobody's wish.

    Returns
    -------
    bool
        Whether anything was written: not if it has ended, or is being stopped already.
    """
    connection.execute(_LOCK, {"number": number})
    job = get(connection, number)
    if job.cancel_requested_at is not None:
        return False
    told: dict[str, Any] = {
        "cancel_requested_at": now,
        "cancel_requested_by": by,
        "stop_cause": cause.value,
        "stop_detail": detail,
    }
    reason = sentence(cause, detail)
    if job.status in WAITING:
        move(
            connection,
            number,
            job.status,
            CAUSES[cause].final,
            now=now,
            actor=by,
            of_attempt=job.attempt or None,
            cause=cause,
            reason=reason,
            completed_at=now,
            not_before=None,
            **told,
        )
    elif job.status in ACTIVE:
        connection.execute(update(training_jobs).where(training_jobs.c.id == number).values(**told))
        record(
            connection, number, "cancel", now=now, actor=by, of_attempt=job.attempt, reason=reason
        )
    else:
        return False
    return True


def run_again(
    connection: Connection,
    job: Job,
    *,
    by: str,
    now: datetime,
    reason: str | None = None,
    hold: str | None = None,
) -> Job:
    """Put an ended job back into the queue, with all its retries.

    Parameters
    ----------
    hold
        The value of a `Hold` if it is not to be in the queue.

    Raises
    ------
    StaleWrite
        If it has not ended.
    """
    if job.status not in ENDED:
        raise StaleWrite(f"{job.job_id} is {job.status.value}; only an ended job can be run again")
    move(
        connection,
        job.id,
        job.status,
        Status.PENDING,
        now=now,
        actor=by,
        reason=reason or f"run again by {by}",
        hold=hold,
        origin=None,
        progress=0,
        retry_count=0,
        not_before=None,
        cancel_requested_at=None,
        cancel_requested_by=None,
        stop_cause=None,
        stop_detail=None,
        scheduled_at=None,
        started_at=None,
        completed_at=None,
    )
    return get(connection, job.id)
