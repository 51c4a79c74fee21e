"""Parents and children: who belongs to whom, and what is done to a whole family at once.

What a person does to a parent is done to all of its children in the same transaction, between two
turns of the scheduler: neither sees half of what the other one writes, nor do they wait for each
other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, or_, select, update

from jupyter_training.jobs.families import Child, Standing, Turnout, way
from jupyter_training.jobs.lifecycle import ENDED, Cause, Status, sentence
from jupyter_training.jobs.spec import PARENTS
from jupyter_training.store import changes, jobs, leases, trials, upstreams, usage
from jupyter_training.store.records import Job
from jupyter_training.store.tables import Hold, has_status, training_jobs, training_upstreams
from jupyter_training.store.transitions import StaleWrite, move

ACTOR = "family"
"""Who moves a job because of others."""

_jobs = training_jobs.c
_UNENDED = has_status(frozenset(Status) - ENDED)
_IS_PARENT = or_(*(_jobs.job_type == one.value for one in sorted(PARENTS)))
_SEVERAL: BindParameter[int] = bindparam("several", expanding=True)
_THEIR_PARENTS = select(_jobs.parent_id).where(_jobs.id.in_(_SEVERAL), _jobs.parent_id.is_not(None))
_PARENTS_AMONG = (
    select(_jobs.id)
    .where(_jobs.id.in_(_SEVERAL) | _jobs.id.in_(_THEIR_PARENTS), _UNENDED, _IS_PARENT)
    .order_by(_jobs.id)
)
_PENDING_PARENTS = (
    select(_jobs.id)
    .where(_jobs.id.in_(_THEIR_PARENTS), _jobs.status == Status.PENDING.value)
    .order_by(_jobs.id)
)
_CHILDREN = (
    select(
        _jobs.id,
        _jobs.child_key,
        _jobs.status,
        _jobs.cause,
        _jobs.reason,
        _jobs.progress,
        _jobs.weight,
        _jobs.job_type,
    )
    .where(_jobs.parent_id == bindparam("parent"))
    .order_by(_jobs.id)
)
_PROGRESS = update(training_jobs).where(
    _jobs.id == bindparam("the_job"),
    _jobs.status == Status.RUNNING.value,
    _jobs.progress != bindparam("percent"),
)
_BEGIN = update(training_jobs).where(
    _jobs.id == bindparam("the_job"),
    _jobs.status == Status.PENDING.value,
    _jobs.hold == Hold.UPSTREAM.value,
)


def parents_among(connection: Connection, numbers: Iterable[int]) -> list[int]:
    """The parents that have not ended of these jobs, and among them."""
    several = list(numbers)
    return list(connection.scalars(_PARENTS_AMONG, {"several": several})) if several else []


def pending_parents(connection: Connection, numbers: Iterable[int]) -> list[int]:
    """The parents of these jobs that have not begun."""
    several = list(numbers)
    return list(connection.scalars(_PENDING_PARENTS, {"several": several})) if several else []


def open_parents(connection: Connection) -> list[int]:
    """All parents that have not ended."""
    query = select(_jobs.id).where(_UNENDED, _jobs.hold.is_not(None), _IS_PARENT)
    return list(connection.scalars(query.order_by(_jobs.id)))


def children(connection: Connection, parent: int) -> list[Child]:
    """The children of a parent, in the order in which they were made."""
    return [
        Child(
            row.child_key,
            Status(row.status),
            Cause(row.cause) if row.cause else None,
            row.reason,
            row.progress,
            1.0 if row.weight is None else row.weight,
        )
        for row in connection.execute(_CHILDREN, {"parent": parent})
    ]


def counts(connection: Connection, parents: Sequence[int]) -> dict[int, dict[str, int]]:
    """By the number of each parent, how many children it has of each status."""
    found: dict[int, dict[str, int]] = {number: {} for number in parents}
    if parents:
        query = (
            select(_jobs.parent_id, _jobs.status, func.count())
            .where(_jobs.parent_id.in_(parents))
            .group_by(_jobs.parent_id, _jobs.status)
        )
        for parent, status, count in connection.execute(query):
            found[parent][status] = count
    return found


def begin(connection: Connection, number: int, is_parent: bool) -> bool:
    """Let a job begin that was held back: it enters the queue, or its children may begin.

    Returns
    -------
    bool
        Whether it was held back.
    """
    hold = Hold.CHILDREN.value if is_parent else None
    changed = connection.execute(_BEGIN, {"the_job": number, "hold": hold, "reason": None})
    return changed.rowcount == 1


def give_up(connection: Connection, number: int, names: str, now: datetime) -> None:
    """End a job that was held back and can never begin, with the names of whom it is because."""
    move(
        connection,
        number,
        Status.PENDING,
        Status.CANCELLED,
        now=now,
        actor=ACTOR,
        cause=Cause.UPSTREAM_FAILED,
        reason=sentence(Cause.UPSTREAM_FAILED, names),
        completed_at=now,
    )


def reused(connection: Connection, number: int, origin: str, now: datetime) -> bool:
    """Complete a job that was held back with the results of another run.

    Returns
    -------
    bool
        Whether it could be: that run has to be the last one of its job, and completed.
    """
    job_id, _, attempt = origin.partition("#")
    source = connection.execute(
        select(_jobs.status, _jobs.attempt).where(_jobs.uuid == job_id)
    ).one_or_none()
    # It was copied before this look, and nothing writes to it before it is run again.
    if source is None or (source.status, str(source.attempt)) != ("completed", attempt):
        return False
    before, reason = Status.PENDING, f"reused from {job_id}"
    for after in way(before, Status.COMPLETED):
        ends = after is Status.COMPLETED
        columns: dict[str, Any] = {"completed_at": now, "progress": 100} if ends else {}
        cause = Cause.SUCCESS if ends else None
        move(
            connection,
            number,
            before,
            after,
            now=now,
            actor=ACTOR,
            cause=cause,
            reason=reason,
            origin=origin,
            **columns,
        )
        before = after
    return True


def did_the_same(connection: Connection, job: Job, limit: int = 5) -> list[Job]:
    """The last jobs of the same user that completed and are described alike, newest first."""
    query = (
        select(_jobs.id)
        .where(
            _jobs.digest == job.digest,
            _jobs.customer_id == job.customer_id,
            _jobs.status == Status.COMPLETED.value,
            _jobs.origin.is_(None),
            _jobs.id != job.id,
        )
        .order_by(_jobs.id.desc())
        .limit(limit)
    )
    return jobs.several(connection, list(connection.scalars(query)))[::-1]


def stand(connection: Connection, parent: Job, now: datetime, it: Standing) -> bool:
    """Let a parent be where it stands.

    Returns
    -------
    bool
        Whether its status has changed.
    """
    before = parent.status
    path = way(before, it.status)
    for after in path:
        columns: dict[str, Any] = {"progress": it.progress}
        if after is Status.SCHEDULED:
            columns["scheduled_at"] = now
        elif after is Status.RUNNING:
            columns["started_at"] = now
        elif after in ENDED:
            columns["completed_at"] = now
        there = after is it.status
        move(
            connection,
            parent.id,
            before,
            after,
            now=now,
            actor=ACTOR,
            cause=it.cause if there else None,
            reason=it.reason if there else None,
            **columns,
        )
        before = after
    if not path and parent.progress != it.progress:
        values = {"the_job": parent.id, "percent": it.progress, "progress": it.progress}
        if connection.execute(_PROGRESS, values).rowcount:
            changes.note(connection, parent.id, changes.PROGRESS, now=now)
    return bool(path)


def has_results_of(connection: Connection, parent: Job, origin: str, now: datetime) -> None:
    """Let the results of a parent be those of one run of a job, as ``job id#attempt``."""
    changed = connection.execute(
        update(training_jobs)
        .where(_jobs.id == parent.id, or_(_jobs.origin.is_(None), _jobs.origin != origin))
        .values(origin=origin)
    )
    if changed.rowcount:
        changes.note(connection, parent.id, changes.PROGRESS, now=now)


def descendants(connection: Connection, number: int, *, with_trials: bool = True) -> list[Job]:
    """A job and all that belongs to it, parents before their children.

    Parameters
    ----------
    with_trials
        Whether the trials of searches are among them.
    """
    found = [jobs.get(connection, number)]
    level = [number]
    while level:
        if not with_trials:
            level = [one.id for one in found if one.id in level and not one.is_search]
        query = select(_jobs.id).where(_jobs.parent_id.in_(level)).order_by(_jobs.id)
        level = list(connection.scalars(query))
        found += jobs.several(connection, level)
    return found


def request_cancel(connection: Connection, parent: Job, *, by: str, now: datetime) -> Job:
    """Cancel all of a family that waits, and write down that what runs has to be stopped.

    The parent ends when its last child has, in the next turns. It is idempotent.
    """
    leases.between_turns(connection)
    for job in descendants(connection, parent.id):
        if not job.is_parent:
            jobs.request_cancel(connection, job, by=by, now=now)
        elif job.status not in ENDED and job.cancel_requested_at is None:
            jobs.ask_to_cancel(connection, job, by=by, now=now)
    return jobs.get(connection, parent.id)


def run_again(connection: Connection, job: Job, *, by: str, now: datetime) -> Job:
    """Run an ended job of a family again.

    Of a pipeline, all that did not complete is run again, and what did is left as it is; if all of
    it completed, all of it is run again. A search goes on with other trials. Of a stage, also what
    was not run because of it; and its pipeline goes on.

    Raises
    ------
    StaleWrite
        If it has not ended, or cannot begin because of what it depends on.
    """
    leases.between_turns(connection)
    job = jobs.get(connection, job.id)
    if job.status not in ENDED:
        raise StaleWrite(f"{job.job_id} is {job.status.value}; only an ended job can be run again")
    if job.parent_id is not None and jobs.get(connection, job.parent_id).is_search:
        raise StaleWrite(
            f"{job.name} is a trial, and its study has its result; run the search again, which "
            "goes on with others"
        )
    turnout, names = upstreams.turnout(connection, job.id)
    if turnout is Turnout.NEVER:
        raise StaleWrite(
            f"{job.job_id} cannot be run again: {names} did not complete; run that again first"
        )
    _down(connection, job, by, now)
    _up(connection, job, by, now)
    return jobs.get(connection, job.id)


def _down(connection: Connection, job: Job, by: str, now: datetime) -> None:
    """Run a job again with all below it that did not complete, and all that waited for it."""
    if not job.is_parent:
        _again(connection, job, by, now)
    else:
        family = descendants(connection, job.id, with_trials=False)
        whole = job.status is Status.COMPLETED
        for one in family:
            if one.status in ENDED and (whole or one.status is not Status.COMPLETED):
                _again(connection, one, by, now)
    for number in _not_run_because_of(connection, job.id):
        _down(connection, jobs.get(connection, number), by, now)


def _not_run_because_of(connection: Connection, number: int) -> list[int]:
    """The siblings of a job that were not run because of it."""
    edges = training_upstreams.c
    parent = jobs.get(connection, number).parent_id
    query = select(_jobs.id).where(
        _jobs.parent_id == parent,
        _jobs.status == Status.CANCELLED.value,
        _jobs.cause == Cause.UPSTREAM_FAILED.value,
        _jobs.id.in_(select(edges.job_id).where(edges.upstream_id == number)),
    )
    return list(connection.scalars(query.order_by(_jobs.id)))


def _up(connection: Connection, job: Job, by: str, now: datetime) -> None:
    """Let the parents of a job go on."""
    number = job.parent_id
    while number is not None:
        parent = jobs.get(connection, number)
        if parent.status in ENDED:
            _again(connection, parent, by, now, f"goes on, as {job.name} is run again by {by}")
        elif parent.cancel_requested_at is not None:
            raise StaleWrite(f"{parent.job_id} is being cancelled; wait until it has ended")
        number = parent.parent_id


def _again(
    connection: Connection, job: Job, by: str, now: datetime, reason: str | None = None
) -> None:
    """Put one job back to where it was when it was submitted."""
    if job.is_search:
        trials.go_on(connection, job.id)
    held = bool(upstreams.own(connection, [job.id])) or job.parent_id is not None
    hold = Hold.UPSTREAM if held else Hold.CHILDREN if job.is_parent else None
    jobs.run_again(
        connection, job, by=by, now=now, reason=reason, hold=hold.value if hold else None
    )


def remove(connection: Connection, job: Job, *, now: datetime) -> list[Job]:
    """Delete an ended job and all that belongs to it, with their histories.

    Returns
    -------
    list of Job
        All that was deleted.

    Raises
    ------
    StaleWrite
        If it has not ended, is part of another one, or a job that has not ended needs its results.
    """
    leases.between_turns(connection)
    job = jobs.get(connection, job.id)
    if job.parent_id is not None:
        parent = jobs.get(connection, job.parent_id)
        raise StaleWrite(f"{job.job_id} is part of {parent.job_id}; delete that")
    family = descendants(connection, job.id)
    if any(one.status not in ENDED for one in family):
        raise StaleWrite(f"{job.job_id} has not ended; cancel it before you delete it")
    users = upstreams.count_unended_dependents(connection, [one.id for one in family])
    if users:
        told = "a job that has" if users == 1 else f"{users} jobs that have"
        raise StaleWrite(f"{job.job_id} has results that {told} not ended depends on")
    for one in reversed(family):  # children before their parents
        usage.keep_holdings(connection, one.id)
        connection.execute(delete(training_jobs).where(_jobs.id == one.id))
        changes.note_deleted(connection, one, now=now)
    return family


def expected_s(connection: Connection, customer: int, name: str, sample: int = 3) -> float | None:
    """How long the last jobs of this name ran that this customer completed, in the mean (s)."""
    query = (
        select(_jobs.started_at, _jobs.completed_at)
        .where(
            _jobs.customer_id == customer,
            _jobs.name == name,
            _jobs.status == Status.COMPLETED.value,
            _jobs.started_at.is_not(None),
        )
        .order_by(_jobs.id.desc())
        .limit(sample)
    )
    took = [(end - start).total_seconds() for start, end in connection.execute(query)]
    return sum(took) / len(took) if took else None
