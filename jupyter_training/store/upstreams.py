"""Who depends on whom, and what follows from that for jobs that are held back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, insert, select

from jupyter_training.jobs.families import Turnout, Upstream, after_upstreams
from jupyter_training.jobs.lifecycle import ENDED, Cause, Status
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobType
from jupyter_training.store.records import UpstreamJob
from jupyter_training.store.tables import (
    Hold,
    customers,
    has_status,
    training_jobs,
    training_upstreams,
)

_jobs, _edges = training_jobs.c, training_upstreams.c

_KNOWN = (
    _jobs.uuid,
    _jobs.job_type,
    _jobs.status,
    _jobs.cause,
    _jobs.attempt,
    _jobs.working_dir,
    _jobs.output_path,
    _jobs.image,
    _jobs.origin,
    _jobs.name.label("title"),
)
_UPSTREAMS: Select[Any] = select(
    _edges.job_id, _edges.name, _edges.upstream_id, *_KNOWN
).select_from(training_upstreams.outerjoin(training_jobs, _edges.upstream_id == training_jobs.c.id))
_IN_ORDER = (_edges.upstream_id, _edges.name)
_OF = _UPSTREAMS.where(_edges.job_id == bindparam("the_job")).order_by(*_IN_ORDER)
_STAGES = (
    select(_jobs.child_key.label("name"), _jobs.id.label("upstream_id"), *_KNOWN)
    .where(_jobs.parent_id == bindparam("parent"))
    .order_by(_jobs.id)
)
_PARENT = select(_jobs.parent_id).where(_jobs.id == bindparam("the_job"))
_HELD = select(_jobs.id).where(
    _jobs.status == Status.PENDING.value, _jobs.hold == Hold.UPSTREAM.value
)

_SEVERAL: BindParameter[int] = bindparam("several", expanding=True)
_DEPENDENTS = _HELD.where(
    _jobs.id.in_(select(_edges.job_id).where(_edges.upstream_id.in_(_SEVERAL)))
).order_by(_jobs.id)
_HELD_AMONG = _HELD.where(_jobs.id.in_(_SEVERAL)).order_by(_jobs.id)


def add(connection: Connection, number: int, upstreams: Mapping[str, int]) -> None:
    """Let a job depend on others, each with what it calls them."""
    rows = [{"job_id": number, "name": name, "upstream_id": one} for name, one in upstreams.items()]
    if rows:
        connection.execute(insert(training_upstreams), rows)


def of_job(connection: Connection, number: int) -> tuple[UpstreamJob, ...]:
    """The jobs whose results a job finds: what it depends on, and what its parents depend on.

    Of two with one name the nearer one is meant. In the place of a pipeline are its stages, as
    ``pipeline/stage``.
    """
    found: dict[str, UpstreamJob] = {}
    member: int | None = number
    while member is not None:
        for row in connection.execute(_OF, {"the_job": member}):
            found.setdefault(row.name, _upstream(row))
        member = connection.execute(_PARENT, {"the_job": member}).scalar_one()
    return tuple(part for one in found.values() for part in _parts(connection, one))


def _parts(connection: Connection, upstream: UpstreamJob) -> list[UpstreamJob]:
    if upstream.job_type != JobType.PIPELINE.value:
        return [upstream]
    parts = [_upstream(row) for row in connection.execute(_STAGES, {"parent": upstream.number})]
    named = [replace(part, name=f"{upstream.name}/{part.name}") for part in parts]
    return [leaf for part in named for leaf in _parts(connection, part)]


def own(connection: Connection, numbers: Sequence[int]) -> dict[int, list[UpstreamJob]]:
    """What each of these jobs itself depends on; those that depend on nothing are left out."""
    found: dict[int, list[UpstreamJob]] = {}
    if numbers:
        query = _UPSTREAMS.where(_edges.job_id.in_(numbers)).order_by(*_IN_ORDER)
        for row in connection.execute(query):
            found.setdefault(row.job_id, []).append(_upstream(row))
    return found


def resolve(
    connection: Connection, references: Sequence[int | str], username: str
) -> dict[str, UpstreamJob]:
    """The jobs that somebody wants a job to depend on, by what it will call them: their ids.

    None of them can be deleted before the transaction ends, if it is one that writes.

    Raises
    ------
    InvalidJob
        If this user has no such job.
    """
    found: dict[str, UpstreamJob] = {}
    for reference in references:
        text = str(reference)
        is_number = text.isascii() and text.isdecimal() and len(text) < 19
        query = (
            select(_jobs.id.label("upstream_id"), _jobs.uuid.label("name"), *_KNOWN)
            .select_from(training_jobs.join(customers))
            .where(
                customers.c.username == username,
                _jobs.id == int(text) if is_number else _jobs.uuid == text,
            )
        )
        if connection.get_execution_options().get("writes"):
            query = query.with_for_update(read=True, of=training_jobs)
        row = connection.execute(query).one_or_none()
        if row is None:
            told = f"there is no job {text}; name one by its id or its number"
            raise InvalidJob([FieldError("depends_on", told)])
        found[row.uuid] = _upstream(row)
    return found


def turnout(connection: Connection, number: int) -> tuple[Turnout, str]:
    """Whether a job may begin, and whom it waits for or because of whom it never will.

    A job that is part of another one begins no earlier than that one.
    """
    several = own(connection, [number]).get(number, [])
    decided = after_upstreams(
        [Upstream(one.called, one.status, _culprit(connection, one)) for one in several]
    )
    if decided[0] is not Turnout.BEGINS:
        return decided
    parent = connection.execute(_PARENT, {"the_job": number}).scalar_one()
    if parent is None:
        return decided
    row = connection.execute(
        select(_jobs.name, _jobs.hold, _jobs.status).where(_jobs.id == parent)
    ).one()
    if row.hold != Hold.UPSTREAM.value:
        return decided
    if Status(row.status) in ENDED:
        return Turnout.NEVER, turnout(connection, parent)[1] or row.name
    return Turnout.WAITS, row.name


def dependents(connection: Connection, numbers: Iterable[int]) -> list[int]:
    """The jobs that are held back and depend on one of these."""
    several = list(numbers)
    return list(connection.scalars(_DEPENDENTS, {"several": several})) if several else []


def all_held(connection: Connection) -> list[int]:
    """The jobs that are held back."""
    return list(connection.scalars(_HELD.order_by(_jobs.id)))


def held_among(connection: Connection, numbers: Iterable[int]) -> list[int]:
    """Those of these jobs that are held back."""
    several = list(numbers)
    return list(connection.scalars(_HELD_AMONG, {"several": several})) if several else []


def held_children(connection: Connection, parent: int) -> list[int]:
    """Those of a parent's children that are held back."""
    return list(connection.scalars(_HELD.where(_jobs.parent_id == parent).order_by(_jobs.id)))


def count_unended_dependents(connection: Connection, numbers: Sequence[int]) -> int:
    """How many other jobs that have not ended need the results of one of these."""
    query = (
        select(_jobs.id)
        .distinct()
        .select_from(training_jobs.join(training_upstreams, _edges.job_id == _jobs.id))
        .where(
            _edges.upstream_id.in_(numbers),
            _jobs.id.not_in(numbers),
            has_status(frozenset(Status) - ENDED),
        )
    )
    return len(connection.execute(query).all())


def _culprit(connection: Connection, upstream: UpstreamJob) -> str | None:
    """Who was to blame that a job was not run."""
    if upstream.cause is not Cause.UPSTREAM_FAILED or upstream.number is None:
        return None
    _, names = turnout(connection, upstream.number)
    return names or None


def _upstream(row: Any) -> UpstreamJob:
    return UpstreamJob(
        row.name,
        row.upstream_id,
        row.uuid,
        row.job_type,
        Status(row.status) if row.status else None,
        Cause(row.cause) if row.cause else None,
        row.attempt or 0,
        row.working_dir,
        row.output_path,
        row.image,
        row.origin or f"{row.uuid}#{row.attempt}",
        row.title,
    )
