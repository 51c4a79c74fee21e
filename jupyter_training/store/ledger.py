"""What the scheduler reads and writes: the queue, what is held, and the course of each attempt.

An attempt that has not ended holds its resources; the open attempts *are* the ledger. An attempt is
written before its process is started and ended after its process is known to be dead, so that what
is held in the database is never less than what is held in the world.

Each of these functions is called by the scheduling server in a transaction that holds its lease.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from jupyter_training.jobs.lifecycle import (
    WAITING,
    Exit,
    RetryPolicy,
    Status,
    after_attempt,
    diagnose,
)
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.policy import Running, Start, Waiting, plan
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources
from jupyter_training.store.records import Attempt
from jupyter_training.store.tables import customers, nodes, training_attempts, training_jobs
from jupyter_training.store.transitions import move

QUEUE_DEPTH = 100
"""How far down the queue one pass looks; the default of Slurm's ``default_queue_depth``."""

SCHEDULER = "scheduler"
MONITOR = "monitor"


def queue(connection: Connection, now: datetime, viewer: str | None = None) -> list[Waiting]:
    """The head of the queue: jobs that wait and whose back-off is over.

    Parameters
    ----------
    viewer
        Whose jobs are called by their names; None for everybody's.
    """
    jobs = training_jobs.c
    query = (
        select(
            jobs.id,
            customers.c.username,
            jobs.name,
            jobs.priority,
            jobs.time_limit_s,
            jobs.cpu_cores,
            jobs.memory_gb,
            jobs.gpu_count,
            jobs.gpu_type,
        )
        .join(customers)
        .where(
            jobs.status.in_([status.value for status in WAITING]),
            or_(jobs.not_before.is_(None), jobs.not_before <= now),
        )
        .order_by(jobs.priority.desc(), jobs.id)
        .limit(QUEUE_DEPTH)
    )
    return [
        Waiting(
            row.id,
            _called(row.name, row.username, viewer),
            Resources(row.cpu_cores, row.memory_gb, row.gpu_count, row.gpu_type),
            row.priority,
            row.time_limit_s,
        )
        for row in connection.execute(query)
    ]


def next_retry_at(connection: Connection, now: datetime) -> datetime | None:
    """When the next back-off ends."""
    jobs = training_jobs.c
    return connection.execute(
        select(jobs.not_before)
        .where(jobs.status == Status.RETRYING.value, jobs.not_before > now)
        .order_by(jobs.not_before)
        .limit(1)
    ).scalar_one_or_none()


def held(connection: Connection, viewer: str | None = None) -> list[Running]:
    """What every open attempt holds, and when it ends at the latest (s since the epoch)."""
    query = (
        select(
            training_attempts,
            training_jobs.c.name,
            training_jobs.c.time_limit_s,
            customers.c.username,
        )
        .select_from(training_attempts.join(training_jobs).join(customers))
        .where(training_attempts.c.ended_at.is_(None))
        .order_by(training_attempts.c.id)
    )
    found = []
    for row in connection.execute(query):
        since = row.started_at or row.scheduled_at
        ends_at = math.inf if row.time_limit_s is None else since.timestamp() + row.time_limit_s
        found.append(
            Running(
                row.job_id,
                _called(row.name, row.username, viewer),
                Placement(row.node, row.cpu_cores, row.memory_gb, tuple(row.gpus)),
                ends_at,
            )
        )
    return found


def _called(name: str, owner: str, viewer: str | None) -> str:
    return name if viewer in (None, owner) else f"a job of {owner}"


def schedule(connection: Connection, machines: Sequence[Node], now: datetime) -> list[Attempt]:
    """Plan, and claim what the plan starts: one transaction from the look to the ledger.

    Returns
    -------
    list of Attempt
        The new attempts, still to be started.
    """
    waiting = queue(connection, now)
    if not waiting:
        return []
    decided = plan(waiting, machines, held(connection), now.timestamp())
    return [_claim(connection, start, now) for start in decided.starts]


def why_not(connection: Connection, now: datetime, viewer: str) -> dict[int, str]:
    """Why each job at the head of the queue is not running, from the very plan that decides it."""
    waiting, holding = queue(connection, now, viewer), held(connection, viewer)
    decided = plan(waiting, known_nodes(connection), holding, now.timestamp())
    reasons = {wait.job_id: wait.reason for wait in decided.waits}
    return reasons | {start.job_id: "is about to be started" for start in decided.starts}


def _claim(connection: Connection, start: Start, now: datetime) -> Attempt:
    jobs = training_jobs.c
    row = connection.execute(
        select(jobs.uuid, jobs.status, jobs.attempt, jobs.executor, jobs.spec).where(
            jobs.id == start.job_id
        )
    ).one()
    number, token, placement = row.attempt + 1, secrets.token_hex(16), start.placement
    connection.execute(
        insert(training_attempts).values(
            job_id=start.job_id,
            number=number,
            token=token,
            node=placement.node,
            cpu_cores=placement.cpu_cores,
            memory_gb=placement.memory_gb,
            gpus=list(placement.gpus),
            executor=row.executor,
            scheduled_at=now,
        )
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
        reason=f"is given {_amount(placement)}",
        scheduled_at=now,
        not_before=None,
    )
    return Attempt(
        start.job_id,
        row.uuid,
        number,
        token,
        row.executor,
        placement,
        None,
        JobSpec.model_validate(row.spec),
        None,
    )


def _amount(placement: Placement) -> str:
    cores = f"{placement.cpu_cores} CPU core" + "s" * (placement.cpu_cores != 1)
    gpus = f", GPU {', '.join(placement.gpus)}" if placement.gpus else ""
    return f"{cores}, {placement.memory_gb} GB{gpus} on {placement.node}"


def open_attempts(connection: Connection) -> list[Attempt]:
    """Every attempt that has not ended, with what is needed to find it again."""
    query = (
        select(
            training_attempts,
            training_jobs.c.uuid,
            training_jobs.c.spec,
            training_jobs.c.cancel_requested_by,
        )
        .join(training_jobs)
        .where(training_attempts.c.ended_at.is_(None))
        .order_by(training_attempts.c.id)
    )
    return [
        Attempt(
            row.job_id,
            row.uuid,
            row.number,
            row.token,
            row.executor,
            Placement(row.node, row.cpu_cores, row.memory_gb, tuple(row.gpus)),
            row.handle,
            JobSpec.model_validate(row.spec),
            row.cancel_requested_by,
        )
        for row in connection.execute(query)
    ]


def cancel_requests(connection: Connection) -> list[str]:
    """The tokens of the open attempts that somebody wants to be stopped."""
    return list(
        connection.scalars(
            select(training_attempts.c.token)
            .join(training_jobs)
            .where(
                training_attempts.c.ended_at.is_(None),
                training_jobs.c.cancel_requested_at.is_not(None),
            )
        )
    )


def attempt_started(
    connection: Connection, token: str, handle: dict[str, Any], started_at: datetime
) -> None:
    """Write that the process of an attempt runs. What was written before is left as it is."""
    changed = connection.execute(
        update(training_attempts)
        .where(
            training_attempts.c.token == token,
            training_attempts.c.ended_at.is_(None),
            training_attempts.c.started_at.is_(None),
        )
        .values(handle=handle, started_at=started_at)
    )
    if changed.rowcount != 1:
        return
    row = connection.execute(
        select(training_attempts).where(training_attempts.c.token == token)
    ).one()
    placement = Placement(row.node, row.cpu_cores, row.memory_gb, tuple(row.gpus))
    move(
        connection,
        row.job_id,
        Status.SCHEDULED,
        Status.RUNNING,
        now=started_at,
        actor=MONITOR,
        of_attempt=row.number,
        reason=f"runs with {_amount(placement)}",
        started_at=started_at,
    )


def attempt_ended(
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
    attempts, jobs = training_attempts.c, training_jobs.c
    row = connection.execute(
        select(
            attempts.number,
            attempts.ended_at,
            jobs.id,
            jobs.status,
            jobs.progress,
            jobs.retry_count,
            jobs.max_retries,
            jobs.cancel_requested_by,
        )
        .join(training_jobs)
        .where(attempts.token == token)
    ).one_or_none()
    if row is None or row.ended_at is not None:
        return None
    cause, reason = diagnose(exit_, cancelled_by=row.cancel_requested_by)
    connection.execute(
        update(training_attempts)
        .where(attempts.token == token)
        .values(
            ended_at=ended_at,
            exit_code=exit_.exit_code,
            signal=exit_.signal,
            cause=cause.value,
            reason=reason,
        )
    )
    outcome = after_attempt(cause, retry_count=row.retry_count, max_retries=row.max_retries)
    columns: dict[str, Any] = {}
    if outcome.status is Status.RETRYING:
        failures = row.retry_count + 1
        columns["retry_count"] = row.retry_count + outcome.counts
        wait_s = retries.delay_s(failures, spread) if outcome.counts else retries.base_s
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


def set_progress(connection: Connection, token: str, percent: int) -> None:
    """Write how far an open attempt has come."""
    job = (
        select(training_attempts.c.job_id)
        .where(training_attempts.c.token == token, training_attempts.c.ended_at.is_(None))
        .scalar_subquery()
    )
    connection.execute(
        update(training_jobs)
        .where(
            training_jobs.c.id == job,
            training_jobs.c.status == Status.RUNNING.value,
            training_jobs.c.progress != percent,
        )
        .values(progress=percent)
    )


def put_node(connection: Connection, node: Node, now: datetime) -> None:
    """Write what a machine has, so that every server can tell people what they may ask for."""
    values = {
        "cpu_cores": node.cpu_cores,
        "memory_gb": node.memory_gb,
        "gpus": [[gpu.uuid, gpu.model, gpu.memory_gb] for gpu in node.gpus],
        "seen_at": now,
    }
    changed = connection.execute(update(nodes).where(nodes.c.name == node.name).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(nodes).values(name=node.name, **values))


def known_nodes(connection: Connection) -> list[Node]:
    """The machines that the scheduling server knows."""
    return [
        Node(row.name, row.cpu_cores, row.memory_gb, tuple(Gpu(*gpu) for gpu in row.gpus))
        for row in connection.execute(select(nodes).order_by(nodes.c.name))
    ]
