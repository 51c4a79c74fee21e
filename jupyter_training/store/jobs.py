"""Jobs as people see them: submit, find, cancel, run again, delete."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    CursorResult,
    Select,
    and_,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from jupyter_training.jobs.digests import definition
from jupyter_training.jobs.gangs import Launcher
from jupyter_training.jobs.lifecycle import ACTIVE, CAUSES, ENDED, WAITING, Cause, Status, sentence
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.spec import JobSpec, Script
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import upstreams as edges
from jupyter_training.store.records import Job
from jupyter_training.store.tables import (
    Hold,
    customers,
    training_attempts,
    training_jobs,
)
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


# Statements that every submit or look needs are built once.
_CUSTOMER = select(customers.c.id).where(customers.c.username == bindparam("username"))
_NEW_JOB = insert(training_jobs)
_BY_NUMBER = JOBS.where(training_jobs.c.id == bindparam("number"))
_BY_NAME = JOBS.where(training_jobs.c.uuid == bindparam("name"))
_BY_KEY = JOBS.where(
    training_jobs.c.customer_id == bindparam("customer"),
    training_jobs.c.idempotency_key == bindparam("key"),
)
_LOCK = (
    select(training_jobs.c.id).where(training_jobs.c.id == bindparam("number")).with_for_update()
)
_IS_OF = customers.c.username == bindparam("username")
_OWN_BY_NUMBER, _OWN_BY_NAME = _BY_NUMBER.where(_IS_OF), _BY_NAME.where(_IS_OF)


def customer_id(connection: Connection, username: str, now: datetime) -> int:
    """The customer of a user name, made on the first visit."""
    found = connection.execute(_CUSTOMER, {"username": username}).scalar_one_or_none()
    if found is not None:
        return int(found)
    try:
        with connection.begin_nested():
            made = connection.execute(insert(customers).values(username=username, created_at=now))
            return _new_id(made)
    except IntegrityError:  # another server was faster
        return int(connection.execute(_CUSTOMER, {"username": username}).scalar_one())


@dataclass(frozen=True)
class Within:
    """What a job is a part of.

    Attributes
    ----------
    key
        Its name within the parent.
    weight
        Its share of the parent's work, in any unit that is the same for all of its children.
    """

    parent: Job
    key: str
    weight: float = 1.0


def submit(
    connection: Connection,
    spec: JobSpec,
    resources: Resources,
    *,
    job_id: str,
    username: str,
    executor: str,
    idempotency_key: str | None,
    now: datetime,
    receivers: Sequence[Receiver] = (),
    within: Within | None = None,
    upstreams: Mapping[str, int] | None = None,
) -> tuple[Job, bool]:
    """Put a job into the queue, or, if it is a parent or depends on others, next to it.

    Parameters
    ----------
    within
        What it is a part of, if it is.
    upstreams
        The numbers of the jobs that it depends on, by what it calls them.
    receivers
        Who is told of it.

    Returns
    -------
    job
        The new job, or the earlier one of the same customer and idempotency key.
    created
        Whether it is new.
    """
    customer = customer_id(connection, username, now)
    earlier = _by_key(connection, customer, idempotency_key)
    if earlier is not None:
        return earlier, False
    values = {
        **_as_asked(spec),
        "uuid": job_id,
        "customer_id": customer,
        "cpu_cores": resources.cpu_cores,
        "memory_gb": resources.memory_gb,
        "gpu_count": resources.gpu_count,
        "gpu_type": resources.gpu_type,
        "executor": executor,
        "receivers": [receiver.to_json() for receiver in receivers],
        "status": Status.PENDING.value,
        "progress": 0,
        "attempt": 0,
        "retry_count": 0,
        "submitted_at": now,
        "idempotency_key": idempotency_key,
        "hold": _hold(spec, within, upstreams),
        "parent_id": within.parent.id if within else None,
        "child_key": within.key if within else None,
        "weight": within.weight if within else None,
        "digest": definition(spec) if within else None,
    }
    try:
        with connection.begin_nested():
            made = connection.execute(_NEW_JOB, values)
    except IntegrityError:  # the same key came to another server at the same time
        earlier = _by_key(connection, customer, idempotency_key)
        if earlier is None:
            raise
        return earlier, False
    number = _new_id(made)
    edges.add(connection, number, upstreams or {})
    record(
        connection,
        number,
        "status",
        now=now,
        actor=username,
        after=Status.PENDING,
        reason=f"submitted by {username}",
    )
    return get(connection, number), True


def _as_asked(spec: JobSpec) -> dict[str, Any]:
    """What a job asks for, as columns; its resources are given."""
    return {
        "name": spec.name,
        "description": spec.description,
        "job_type": spec.job_type.value,
        "nodes": spec.nodes,
        "min_nodes": spec.min_nodes,
        "procs_per_node": spec.procs_per_node,
        "launcher": _launcher(spec),
        "priority": spec.priority,
        "time_limit_s": spec.time_limit_s,
        "image": spec.image,
        "command": shlex.join(spec.argv(None)),
        "working_dir": spec.working_dir,
        "env_vars": spec.env_vars,
        "dataset_ids": spec.dataset_ids,
        "output_path": spec.output_path,
        "spec": _as_said(spec),
        "snapshot": spec.snapshot,
        "environment": spec.environment,
        "variables": spec.variables,
        "parameters": spec.parameters,
        "max_retries": spec.max_retries,
    }


def _as_said(spec: JobSpec) -> dict[str, Any]:
    """A request to be kept, without what it does not say: stages have that from their pipeline."""
    said = spec.model_dump(mode="json", exclude_unset=True)
    pending = [said]
    while pending:
        one = pending.pop()
        # The URLs of receivers are secrets, and nobody who runs the job needs them.
        one.pop("notify", None)
        pending += one.get("stages", ())
    return said


def _launcher(spec: JobSpec) -> str | None:
    return (spec.launcher or Launcher.BUILTIN).value if spec.is_gang else None


def _hold(spec: JobSpec, within: Within | None, upstreams: Mapping[str, int] | None) -> str | None:
    """Who decides that a new job goes on."""
    # One that may be reused is held back until it is known whether it has to be run.
    if upstreams or (within and (within.parent.hold is Hold.UPSTREAM or spec.cache)):
        return Hold.UPSTREAM.value
    return Hold.CHILDREN.value if spec.is_parent else None


def _by_key(connection: Connection, customer: int, key: str | None) -> Job | None:
    if key is None:
        return None
    found = connection.execute(_BY_KEY, {"customer": customer, "key": key}).mappings()
    row = found.one_or_none()
    return None if row is None else Job.from_row(row)


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


def _new_id(made: CursorResult[Any]) -> int:
    key = made.inserted_primary_key
    assert key is not None  # every table here has one
    return int(key[0])


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
