"""What the scheduler reads and writes: the queue, what is held, and the course of each attempt.

An attempt that has not ended holds its resources; the open attempts *are* the ledger. An attempt is
written before its process is started and ended after its process is known to be dead, so that what
is held in the database is never less than what is held in the world.

Each of these functions is called by the scheduling server in a transaction that holds its lease.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, insert, or_, select, update

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
from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import Start, plan
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources
from jupyter_training.store import changes, datasets, upstreams
from jupyter_training.store.records import Attempt, parts_as_json, parts_of_json
from jupyter_training.store.tables import (
    SEQUENCE,
    customers,
    has_status,
    nodes,
    training_attempts,
    training_jobs,
    training_upstreams,
)
from jupyter_training.store.transitions import move, record

QUEUE_DEPTH = 100
"""How far down the queue one pass looks; the default of Slurm's ``default_queue_depth``."""

_FIRST_LOOK = 8
"""How far it looks at first: most often that is enough to fill what is free."""

SCHEDULER = "scheduler"
MONITOR = "monitor"

# The statements of a job's course are built here, once: that costs more than to run them.
_jobs, _attempts = training_jobs.c, training_attempts.c
_OPEN = _attempts.ended_at.is_(None)
_OF_TOKEN = _attempts.token == bindparam("the_token")

_QUEUE = (
    select(
        _jobs.id,
        customers.c.username,
        _jobs.name,
        _jobs.priority,
        _jobs.time_limit_s,
        _jobs.cpu_cores,
        _jobs.memory_gb,
        _jobs.gpu_count,
        _jobs.gpu_type,
        _jobs.nodes,
        _jobs.min_nodes,
        _jobs.executor,
        SEQUENCE.label("sequence"),
    )
    .select_from(training_jobs.join(customers))
    .where(
        has_status(WAITING),
        _jobs.hold.is_(None),
        or_(_jobs.not_before.is_(None), _jobs.not_before <= bindparam("now")),
    )
    .order_by(_jobs.priority.desc(), SEQUENCE, _jobs.id)
    .limit(bindparam("depth"))
)
_ELSEWHERE = _jobs.executor.in_(bindparam("elsewhere", expanding=True))
_QUEUE_HERE, _QUEUE_ELSEWHERE = _QUEUE.where(~_ELSEWHERE), _QUEUE.where(_ELSEWHERE)
_NEXT_RETRY = select(func.min(_jobs.not_before)).where(
    _jobs.status == Status.RETRYING.value, _jobs.not_before > bindparam("now")
)
_HELD = (
    select(training_attempts, _jobs.name, _jobs.time_limit_s, customers.c.username)
    .select_from(training_attempts.join(training_jobs).join(customers))
    .where(_OPEN)
    .order_by(_attempts.id)
)
_HELD_HERE = _HELD.where(
    _attempts.executor.not_in(bindparam("elsewhere", expanding=True)),
)
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
_END = update(training_attempts).where(_OF_TOKEN)
_OPEN_ATTEMPTS = (
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
_PROGRESS = update(training_jobs).where(
    _jobs.id == select(_attempts.job_id).where(_OF_TOKEN, _OPEN).scalar_subquery(),
    _jobs.status == Status.RUNNING.value,
)


def queue(
    connection: Connection,
    now: datetime,
    viewer: str | None = None,
    depth: int = QUEUE_DEPTH,
    elsewhere: Collection[str] = (),
) -> list[Waiting]:
    """The head of the queue: jobs that wait and whose back-off is over.

    Parameters
    ----------
    viewer
        Whose jobs are called by their names; None for everybody's.
    depth
        How many at most, of those for our machines and of those for clusters.
    elsewhere
        Which executors are clusters with schedulers of their own.
    """
    asked: dict[str, Any] = {"now": now, "depth": depth}
    if not elsewhere:
        return _queue(connection.execute(_QUEUE, asked), viewer, elsewhere)
    asked["elsewhere"] = sorted(elsewhere)
    return [
        job
        for query in (_QUEUE_HERE, _QUEUE_ELSEWHERE)
        for job in _queue(connection.execute(query, asked), viewer, elsewhere)
    ]


def _queue(
    rows: Iterable[Row[Any]], viewer: str | None, elsewhere: Collection[str]
) -> list[Waiting]:
    return [
        Waiting(
            row.id,
            _called(row.name, row.username, viewer),
            Resources(row.cpu_cores, row.memory_gb, row.gpu_count, row.gpu_type),
            row.priority,
            row.time_limit_s,
            row.nodes,
            row.min_nodes,
            row.sequence,
            row.executor if row.executor in elsewhere else "",
        )
        for row in rows
    ]


def next_retry_at(connection: Connection, now: datetime) -> datetime | None:
    """When the next back-off ends."""
    found: datetime | None = connection.execute(_NEXT_RETRY, {"now": now}).scalar_one()
    return found


def held(
    connection: Connection, viewer: str | None = None, elsewhere: Collection[str] = ()
) -> list[Running]:
    """What every open attempt holds of our machines, and when it ends at the latest (s since 1970).

    The nodes of a gang are told one by one.

    Parameters
    ----------
    viewer, elsewhere
        As for `queue`. What clusters run holds nothing here.
    """
    if not elsewhere:
        return _held(connection.execute(_HELD), viewer)
    # On a cluster there may be thousands, and each turn asks.
    return _held(connection.execute(_HELD_HERE, {"elsewhere": sorted(elsewhere)}), viewer)


def held_elsewhere(
    connection: Connection, viewer: str | None, elsewhere: Collection[str]
) -> dict[str, list[Running]]:
    """What open attempts that run on clusters have there, by the names of their executors."""
    if not elsewhere:
        return {}
    rows = [row for row in connection.execute(_HELD) if row.started_at is not None]
    return {
        name: _held((row for row in rows if row.executor == name), viewer) for name in elsewhere
    }


def _held(rows: Iterable[Row[Any]], viewer: str | None) -> list[Running]:
    found: list[Running] = []
    for row in rows:
        since = row.started_at or row.scheduled_at
        ends_at = math.inf if row.time_limit_s is None else since.timestamp() + row.time_limit_s
        name = _called(row.name, row.username, viewer)
        found += [Running(row.job_id, name, one, ends_at) for one in _placements(row)]
    return found


def _called(name: str, owner: str, viewer: str | None) -> str:
    return name if viewer in (None, owner) else f"a job of {owner}"


def _placements(attempt: Row[Any]) -> tuple[Placement, ...]:
    if attempt.parts is not None:
        return parts_of_json(attempt.parts)
    gpus = tuple(attempt.gpus)
    return (Placement(attempt.node, attempt.cpu_cores, attempt.memory_gb, gpus),)


def schedule(
    connection: Connection,
    machines: Sequence[Node],
    now: datetime,
    elsewhere: Collection[str] = (),
) -> list[Attempt]:
    """Plan, and claim what the plan starts: one transaction from the look to the ledger.

    Parameters
    ----------
    elsewhere
        Which executors are clusters. At most `QUEUE_DEPTH` jobs are handed over to them at a time.

    Returns
    -------
    list of Attempt
        The new attempts, still to be started.
    """
    holding = held(connection, elsewhere=elsewhere)
    for depth in (_FIRST_LOOK, QUEUE_DEPTH):
        waiting = queue(connection, now, depth=depth, elsewhere=elsewhere)
        decided = plan(waiting, machines, holding, now.timestamp(), explain=False)
        # What is decided about the first jobs does not depend on those behind them.
        there = [job.elsewhere != "" for job in waiting]
        if there.count(True) < depth and (decided.full or there.count(False) < depth):
            break
    claimed = [_claim(connection, start, now) for start in decided.starts]
    return [attempt for attempt in claimed if attempt is not None]


def why_not(
    connection: Connection, now: datetime, viewer: str, elsewhere: Collection[str] = ()
) -> dict[int, str]:
    """Why each job at the head of the queue is not running, from the very plan that decides it."""
    waiting = queue(connection, now, viewer, elsewhere=elsewhere)
    holding = held(connection, viewer, elsewhere)
    decided = plan(waiting, known_nodes(connection), holding, now.timestamp())
    reasons = {wait.job_id: wait.reason for wait in decided.waits}
    return reasons | {start.job_id: "is about to be started" for start in decided.starts}


def _claim(connection: Connection, start: Start, now: datetime) -> Attempt | None:
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
            **_as_row(placements),
            "parts": parts_as_json(placements) if spec.is_gang else None,
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


def _as_row(placements: Sequence[Placement]) -> dict[str, Any]:
    """What an attempt holds as columns."""
    return {
        "node": placements[0].node,
        "cpu_cores": sum(one.cpu_cores for one in placements),
        "memory_gb": sum(one.memory_gb for one in placements),
        "gpus": [uuid for one in placements for uuid in one.gpus],
        "parts": parts_as_json(placements) if len(placements) > 1 else None,
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


def open_attempts(connection: Connection) -> list[Attempt]:
    """Every attempt that has not ended, with what is needed to find it again."""
    return [
        Attempt(
            row.job_id,
            row.uuid,
            row.number,
            row.token,
            row.executor,
            _placements(row),
            row.handle,
            JobSpec.model_validate(row.spec),
            row.cancel_requested_by,
        )
        for row in connection.execute(_OPEN_ATTEMPTS)
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


def attempt_waits(
    connection: Connection, token: str, handle: dict[str, Any], reason: str, now: datetime
) -> None:
    """Write that a cluster has an attempt and lets it wait, and why, as it says it."""
    row = connection.execute(_ATTEMPT, {"the_token": token}).one_or_none()
    if row is None or row.ended_at is not None or row.started_at is not None:
        return
    if row.handle is None:
        connection.execute(_END, {"the_token": token, "handle": handle})
    waits = connection.execute(_WAITS, {"the_job": row.job_id, "reason": reason})
    if waits.rowcount != 1:
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
        changes.note(connection, row.job_id, changes.WAITS, now=now, reason=reason)


def attempt_started(
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
    placements = tuple(given) or _placements(row)
    values: dict[str, Any] = {"the_token": token, "handle": handle, "started_at": started_at}
    if given:
        values |= _as_row(given)
        if row.parts is not None:  # a distributed job may be given one node
            values["parts"] = parts_as_json(given)
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
    row = connection.execute(_TO_END, {"the_token": token}).one_or_none()
    if row is None or row.ended_at is not None:
        return None
    stopped = (Cause(row.stop_cause), row.stop_detail or "") if row.stop_cause else None
    cause, reason = diagnose(exit_, cancelled_by=row.cancel_requested_by, stopped=stopped)
    connection.execute(
        _END,
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


def set_progress(connection: Connection, token: str, percent: int) -> bool:
    """Write how far an open attempt has come; tell whether it is still open."""
    changed = connection.execute(_PROGRESS, {"the_token": token, "progress": percent})
    return changed.rowcount == 1


def put_node(connection: Connection, node: Node, now: datetime) -> None:
    """Write what a machine has, so that every server can tell people what they may ask for."""
    values = {
        "cpu_cores": node.cpu_cores,
        "memory_gb": node.memory_gb,
        "gpus": [[gpu.uuid, gpu.model, gpu.memory_gb, gpu.unavailable] for gpu in node.gpus],
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
