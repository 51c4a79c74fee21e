"""How a job comes to be: a row, its first event, and whose it is."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from jupyter_training.jobs.digests import definition
from jupyter_training.jobs.gangs import Launcher
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import jobs
from jupyter_training.store import upstreams as edges
from jupyter_training.store.records import Job
from jupyter_training.store.tables import Hold, customers, training_jobs
from jupyter_training.store.transitions import record

# Statements that every submit needs are built once.
_CUSTOMER = select(customers.c.id).where(customers.c.username == bindparam("username"))
_NEW_JOB = insert(training_jobs)
_BY_KEY = jobs.JOBS.where(
    training_jobs.c.customer_id == bindparam("customer"),
    training_jobs.c.idempotency_key == bindparam("key"),
)


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
    return jobs.get(connection, number), True


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


def _new_id(made: CursorResult[Any]) -> int:
    key = made.inserted_primary_key
    assert key is not None  # every table here has one
    return int(key[0])
