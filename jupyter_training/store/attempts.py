"""The course of each attempt: claimed, begun, ended.

An attempt is written before its process is started, and ended after its process is known to be
dead, so that what is held in the database is never less than what is held in the world.

Whatever is told of an attempt is told by its token, and changes nothing that it does not follow:
what comes late, or twice, is let go. The scheduling server calls these functions, in transactions
that hold its lease.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, exists, func, insert, select, update

from jupyter_training.jobs.lifecycle import (
    WAITING,
    Cause,
    Exit,
    RetryPolicy,
    Status,
    after_attempt,
    diagnose,
)
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.policy import Start
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store import changes, datasets, upstreams
from jupyter_training.store.records import Attempt, parts_as_json, placements_of
from jupyter_training.store.tables import (
    customers,
    has_status,
    training_attempts,
    training_jobs,
    training_upstreams,
)
from jupyter_training.store.transitions import move, record

SCHEDULER = "scheduler"
MONITOR = "monitor"

# The statements of a job's course are built here, once: that costs more than to run them.
_jobs, _attempts = training_jobs.c, training_attempts.c
_OPEN = _attempts.ended_at.is_(None)
_OF_TOKEN = _attempts.token == bindparam("the_token")

_parents = training_jobs.alias("parents").c
_depends_on_others = exists().where(training_upstreams.c.job_id == _jobs.id)
_parent_depends_on_others = exists().where(training_upstreams.c.job_id == _jobs.parent_id)
_parent_is_a_part = exists().where(_parents.id == _jobs.parent_id, _parents.parent_id.is_not(None))
_TO_CLAIM = (
    select(
        _jobs.uuid,
        _jobs.status,
        _jobs.attempt,
        _jobs.executor,
        _jobs.spec,
        _jobs.dataset_ids,
        _jobs.digest,
        _jobs.parent_id,
        # As most jobs are, and most trials.
        and_(~_depends_on_others, ~_parent_depends_on_others, ~_parent_is_a_part).label("is_alone"),
        customers.c.username,
    )
    .select_from(training_jobs.join(customers))
    .where(_jobs.id == bindparam("the_job"), has_status(WAITING), _jobs.hold.is_(None))
    .with_for_update(of=training_jobs)
)
_CLAIM = insert(training_attempts)
_ATTEMPT = select(training_attempts).where(_OF_TOKEN)
_BEGIN = update(training_attempts).where(_OF_TOKEN, _OPEN, _attempts.started_at.is_(None))
_TO_END = (
    select(
        _attempts.number,
        _attempts.ended_at,
        _jobs.id,
        _jobs.status,
        _jobs.retry_count,
        _jobs.max_retries,
        _jobs.cancel_requested_by,
        _jobs.stop_cause,
        _jobs.stop_detail,
    )
    .select_from(training_attempts.join(training_jobs))
    .where(_OF_TOKEN)
    .with_for_update()
)
_CHANGE = update(training_attempts).where(_OF_TOKEN)
_STILL_OPEN = (
    select(training_attempts, _jobs.uuid, _jobs.spec, _jobs.cancel_requested_by)
    .select_from(training_attempts.join(training_jobs))
    .where(_OPEN)
    .order_by(_attempts.id)
)
_TO_CANCEL = (
    select(_attempts.token)
    .select_from(training_attempts.join(training_jobs))
    .where(_OPEN, _jobs.cancel_requested_at.is_not(None))
)
_GIVEN = select(_attempts.token, _attempts.gpus).where(_OPEN)
_TOKENS = select(_attempts.token, _attempts.job_id).where(_OPEN)
_WAITS = update(training_jobs).where(
    _jobs.id == bindparam("the_job"), _jobs.status == Status.SCHEDULED.value
)
_PROGRESS = (
    update(training_jobs)
    .where(
        _jobs.id == select(_attempts.job_id).where(_OF_TOKEN, _OPEN).scalar_subquery(),
        _jobs.status == Status.RUNNING.value,
    )
    .values(progress=func.coalesce(bindparam("percent", type_=Integer), _jobs.progress))
)


def claim(connection: Connection, start: Start, now: datetime) -> Attempt | None:
    """Write that a job is to run, in a new attempt that holds what the plan gives it.

    Returns
    -------
    Attempt or None
        The attempt, still to be started; None if the job does not wait any more.
    """
    row = connection.execute(_TO_CLAIM, {"the_job": start.job_id}).one_or_none()
    if row is None:
        return None  # cancelled or deleted since the queue was read
    number, token, placements = row.attempt + 1, secrets.token_hex(16), start.placements
    spec = JobSpec.model_validate(row.spec)
    connection.execute(
        _CLAIM,
        {
            "job_id": start.job_id,
            "number": number,
            "token": token,
            **_as_columns(placements, is_gang=spec.is_gang),
            "executor": row.executor,
            "scheduled_at": now,
        },
    )
    move(
        connection,
        start.job_id,
        Status(row.status),
        Status.SCHEDULED,
        now=now,
        actor=SCHEDULER,
        of_attempt=number,
        attempt=number,
        progress=0,
        reason=f"is handed over to {row.executor}"
        if start.is_elsewhere
        else f"is given {_amount(placements, spec.nodes)}",
        scheduled_at=now,
        not_before=None,
    )
    return Attempt(
        start.job_id,
        row.uuid,
        number,
        token,
        row.executor,
        placements,
        None,
        spec,
        None,
        datasets.of_job(connection, row.dataset_ids),
        () if row.is_alone else upstreams.of_job(connection, start.job_id),
        row.digest,
        row.username,
        row.parent_id,
    )


def _as_columns(placements: Sequence[Placement], *, is_gang: bool) -> dict[str, Any]:
    """What an attempt holds: in all, and, if it is distributed, on each of its nodes."""
    return {
        "node": placements[0].node,
        "cpu_cores": sum(one.cpu_cores for one in placements),
        "memory_gb": sum(one.memory_gb for one in placements),
        "gpus": [uuid for one in placements for uuid in one.gpus],
        "parts": parts_as_json(placements) if is_gang else None,
    }


def _amount(placements: Sequence[Placement], wanted: int) -> str:
    if len(placements) == wanted == 1:
        return _amount_of_node(placements[0])
    each = "; ".join(_amount_of_node(one) for one in placements)
    fewer = f" of {wanted}, as there is no room for more" if len(placements) < wanted else ""
    return f"{len(placements)} nodes{fewer}: {each}"


def _amount_of_node(placement: Placement) -> str:
    cores = f"{placement.cpu_cores} CPU core" + "s" * (placement.cpu_cores != 1)
    named = ", ".join(filter(None, placement.gpus)) or str(len(placement.gpus))
    gpus = f", GPU {named}" if placement.gpus else ""
    return f"{cores}, {placement.memory_gb} GB{gpus} on {placement.node}"


def still_open(connection: Connection) -> list[Attempt]:
    """Every attempt that has not ended, with what is needed to find it again."""
    return [
        Attempt(
            row.job_id,
            row.uuid,
            row.number,
            row.token,
            row.executor,
            placements_of(row._mapping),
            row.handle,
            JobSpec.model_validate(row.spec),
            row.cancel_requested_by,
        )
        for row in connection.execute(_STILL_OPEN)
    ]


def given_gpus(connection: Connection) -> dict[str, tuple[str, ...]]:
    """By the token of each open attempt, the UUIDs of the GPUs that it holds."""
    return {row.token: tuple(row.gpus) for row in connection.execute(_GIVEN)}


def jobs_by_token(connection: Connection) -> dict[str, int]:
    """By the token of each open attempt, the number of its job."""
    return {row.token: row.job_id for row in connection.execute(_TOKENS)}


def cancel_requests(connection: Connection) -> list[str]:
    """The tokens of the open attempts that somebody wants to be stopped."""
    return list(connection.scalars(_TO_CANCEL))


def waits(
    connection: Connection, token: str, handle: dict[str, Any], reason: str, now: datetime
) -> None:
    """Write that a cluster has an attempt and lets it wait, and why, as it says it."""
    row = connection.execute(_ATTEMPT, {"the_token": token}).one_or_none()
    if row is None or row.ended_at is not None or row.started_at is not None:
        return
    if row.handle is None:
        connection.execute(_CHANGE, {"the_token": token, "handle": handle})
    told = connection.execute(_WAITS, {"the_job": row.job_id, "reason": reason})
    if told.rowcount != 1:
        return
    if row.handle is None:
        record(
            connection,
            row.job_id,
            "handed_over",
            now=now,
            actor=MONITOR,
            of_attempt=row.number,
            reason=reason,
        )
    else:
        _note_waits(connection, row.job_id, reason, now)


def _note_waits(connection: Connection, job: int, reason: str, now: datetime) -> None:
    note, status = changes.note, Status.SCHEDULED  # also if it has ended in the same transaction
    note(connection, job, changes.WAITS, now=now, status=status, reason=reason)


def prepares(connection: Connection, token: str, reason: str, now: datetime) -> None:
    """Write what is done before an attempt can start."""
    row = connection.execute(_ATTEMPT, {"the_token": token}).one_or_none()
    if row is None or row.ended_at is not None or row.started_at is not None:
        return
    if connection.execute(_WAITS, {"the_job": row.job_id, "reason": reason}).rowcount == 1:
        _note_waits(connection, row.job_id, reason, now)


def started(
    connection: Connection,
    token: str,
    handle: dict[str, Any],
    started_at: datetime,
    given: Sequence[Placement] = (),
) -> None:
    """Write that the process of an attempt runs. What was written before is left as it is.

    Parameters
    ----------
    given
        Where it runs, if a cluster has decided that.
    """
    row = connection.execute(_ATTEMPT, {"the_token": token}).one_or_none()
    if row is None:
        return
    placements = tuple(given) or placements_of(row._mapping)
    values: dict[str, Any] = {"the_token": token, "handle": handle, "started_at": started_at}
    if given:
        # A distributed job may be given one node.
        values |= _as_columns(given, is_gang=row.parts is not None or len(given) > 1)
    changed = connection.execute(_BEGIN, values)
    if changed.rowcount != 1:
        return
    move(
        connection,
        row.job_id,
        Status.SCHEDULED,
        Status.RUNNING,
        now=started_at,
        actor=MONITOR,
        of_attempt=row.number,
        reason=f"runs with {_amount(placements, len(placements))}",
        started_at=started_at,
    )


def ended(
    connection: Connection,
    token: str,
    exit_: Exit,
    *,
    ended_at: datetime,
    now: datetime,
    retries: RetryPolicy,
    spread: float,
) -> Status | None:
    """Write how an attempt ended, give back what it held, and decide what becomes of its job.

    Parameters
    ----------
    ended_at
        When its process ended.
    now
        When this is written; a back-off counts from here.
    spread
        A random number from 0 to 1 for `RetryPolicy.delay_s`.

    Returns
    -------
    Status or None
        The job's new status; None if this attempt had ended already.
    """
    row = connection.execute(_TO_END, {"the_token": token}).one_or_none()
    if row is None or row.ended_at is not None:
        return None
    stopped = (Cause(row.stop_cause), row.stop_detail or "") if row.stop_cause else None
    cause, reason = diagnose(exit_, cancelled_by=row.cancel_requested_by, stopped=stopped)
    connection.execute(
        _CHANGE,
        {
            "the_token": token,
            "ended_at": ended_at,
            "exit_code": exit_.exit_code,
            "signal": exit_.signal,
            "cause": cause.value,
            "reason": reason,
        },
    )
    outcome = after_attempt(cause, retry_count=row.retry_count, max_retries=row.max_retries)
    columns: dict[str, Any] = {}
    if outcome.status is Status.RETRYING:
        # Of those that cost nothing there may be many; they must not come ever faster either.
        failures = row.retry_count + 1 if outcome.counts else row.number
        columns["retry_count"] = row.retry_count + outcome.counts
        wait_s = retries.delay_s(failures, spread)
        columns["not_before"] = now + timedelta(seconds=wait_s)
    else:
        columns["completed_at"] = ended_at
    if outcome.status is Status.COMPLETED:
        columns["progress"] = 100
    move(
        connection,
        row.id,
        Status(row.status),
        outcome.status,
        now=ended_at,
        actor=MONITOR,
        of_attempt=row.number,
        cause=cause,
        reason=reason,
        **columns,
    )
    return outcome.status


def adopted(connection: Connection, attempt: Attempt, by: str, now: datetime) -> None:
    """Write that another server watches an attempt from now on."""
    record(
        connection,
        attempt.job_id,
        "adopted",
        now=now,
        actor=by,
        of_attempt=attempt.number,
        reason=f"{by} watches attempt {attempt.number} from now on",
    )


def came_too_late(connection: Connection, job_id: int, why: str, by: str, now: datetime) -> None:
    """Write that something was reported of an attempt that the job had left behind."""
    record(connection, job_id, "stale", now=now, actor=by, reason=f"nothing was changed: {why}")


def set_progress(connection: Connection, token: str, percent: int | None) -> bool:
    """Write how far an open attempt has come; tell whether it is still open.

    Parameters
    ----------
    percent
        None if that is not known any more; what was told last stays.
    """
    changed = connection.execute(_PROGRESS, {"the_token": token, "percent": percent})
    return changed.rowcount == 1
