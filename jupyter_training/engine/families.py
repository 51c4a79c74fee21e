"""What follows for other jobs when a job has changed: for those that wait for it, for its parent.

It is part of a turn: after the reports were written, and in the same transaction, everybody whom a
change concerns is looked at, and everybody whom that concerns in turn. Nothing is remembered but
what is in the database, so a server that dies leaves nothing undone that the next one would not
find when it looks at all families once.

What a parent does with its children depends on its type, and is decided by a `Coordinator`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection

from jupyter_training.jobs.families import Standing, Turnout, standing
from jupyter_training.jobs.lifecycle import ENDED, Cause, Status, sentence
from jupyter_training.jobs.spec import JobSpec, JobType
from jupyter_training.store import datasets, families, jobs, upstreams
from jupyter_training.store.records import DataSet, Job, UpstreamJob
from jupyter_training.store.tables import Hold
from jupyter_training.store.transitions import StaleWrite


@dataclass(frozen=True)
class Step:
    """What a coordinator has done to a family.

    Attributes
    ----------
    changed
        The numbers of the jobs whose status it has changed, or that it has made.
    outside
        What is still to be done before it can decide, if there is something: work on files or in
        transactions of its own, which is no part of a turn. It is called in a thread after the
        commit, and what it returns is told at the next look. As a server may die at any moment it
        may be done several times, and its result may never be told.
    again_at
        When to look again, if nothing happens before; None for no such time.
    look_again
        Whether to look again at once, as there are changes that it has not taken into account.
    """

    changed: frozenset[int] = frozenset()
    outside: Callable[[], Any] | None = None
    again_at: datetime | None = None
    look_again: bool = False


class Coordinator(Protocol):
    """Decides what becomes of the parents of one job type."""

    def advance(
        self, connection: Connection, parent: Job, told: Any, now: datetime, *, measured: bool
    ) -> Step:
        """Look at a family, and write what follows from where its children stand.

        It is called under the lease, whenever one of the children has changed, and now and then
        without a reason. If nothing follows it writes nothing.

        Parameters
        ----------
        parent
            It has not ended, and what it depends on has completed.
        told
            What the work outside returned that the last `Step` asked for; None if it asked for
            none, or if it is not known any more.
        measured
            Whether children have new metrics that nobody has looked at.
        """
        ...


class Pipelines:
    """The coordinator of pipelines, whose stages were all made when they were submitted."""

    def advance(
        self, connection: Connection, parent: Job, told: Any, now: datetime, *, measured: bool
    ) -> Step:
        """Let the pipeline stand where its stages say."""
        children = families.children(connection, parent.id)
        it = standing(children, parent.cancel_requested_by)
        moved = families.stand(connection, parent, now, it)
        return Step(frozenset({parent.id} if moved else ()))


COORDINATORS: Mapping[JobType, Coordinator] = {JobType.PIPELINE: Pipelines()}


Reuse = Callable[
    [Job, JobSpec, Sequence[UpstreamJob], Sequence[DataSet], Sequence[Job]],
    Callable[[], str | None],
]


@dataclass(frozen=True)
class Advance:
    """What one look at families has changed.

    Attributes
    ----------
    changed
        The numbers of all jobs that were moved.
    outside
        By the numbers of jobs, what is to be done outside of the turn before they are looked at
        again.
    again_at
        By the numbers of parents, when to look at them again.
    """

    changed: set[int] = field(default_factory=set)
    outside: dict[int, Callable[[], Any]] = field(default_factory=dict)
    again_at: dict[int, datetime] = field(default_factory=dict)

    def add(self, other: Advance) -> None:
        """Add what a later look has changed."""
        self.changed.update(other.changed)
        self.outside.update(other.outside)
        self.again_at.update(other.again_at)


def advance(
    connection: Connection,
    coordinators: Mapping[JobType, Coordinator],
    changed: Iterable[int],
    told: Mapping[int, Any],
    now: datetime,
    *,
    ran: Collection[int] = (),
    measured: Collection[int] = (),
    reuse: Reuse | None = None,
    look_at_all: bool = False,
) -> Advance:
    """Write what follows from the changes of jobs.

    Parameters
    ----------
    changed
        The jobs that have changed.
    told
        By the numbers of jobs, what the work outside has returned.
    ran
        Jobs that have changed in that their attempts have; so none of them was held back.
    measured
        The jobs that have new metrics.
    reuse
        Makes work outside that looks for an earlier run which did the same as a job with these
        upstreams and data sets, takes over its results, and returns its origin; None if nobody can.
    look_at_all
        Whether others may have changed, too.
    """
    it = Advance()
    changed = set(changed)
    held = upstreams.all_held(connection) if look_at_all else []
    held += upstreams.held_among(connection, (changed | told.keys()) - set(held))
    of_measured = families.parents_among(connection, measured)
    parents = [*(families.open_parents(connection) if look_at_all else ()), *of_measured]
    parents += families.parents_among(connection, told.keys())
    news = _News()
    news.add(changed | set(ran))
    while news or held or parents:
        held += upstreams.dependents(connection, news.all)
        parents += news.parents(connection)
        news = _News()
        for number in dict.fromkeys(held):
            news.add(_let_begin(connection, reuse, number, told, now, it))
        for number in dict.fromkeys(parents):
            look = partial(_look_at, measured=number in of_measured)
            step = look(connection, coordinators, number, told.get(number), now, it)
            news.add(step.changed, None if step.look_again else number)
        it.changed.update(news.all)
        held, parents = [], []
    return it


def begun(
    connection: Connection,
    coordinators: Mapping[JobType, Coordinator],
    claimed: Iterable[int],
    now: datetime,
) -> Advance:
    """Write what follows for others from jobs that are given resources: their parents begin, too.

    A parent that has begun stays where it is, and nobody waits for the begin of a job.
    """
    it = Advance()
    news = set(claimed)
    while parents := families.pending_parents(connection, news):
        news = set()
        for number in parents:
            step = _look_at(connection, coordinators, number, None, now, it, measured=False)
            news.update(step.changed)
        it.changed.update(news)
    return it


class _News:
    """What has changed, by the parents that know of it already, as it is they who did it."""

    def __init__(self) -> None:
        self._known_to: dict[int | None, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._known_to)

    @property
    def all(self) -> set[int]:
        return set().union(*self._known_to.values())

    def add(self, changed: Collection[int], known_to: int | None = None) -> None:
        if changed:
            self._known_to.setdefault(known_to, set()).update(changed)

    def parents(self, connection: Connection) -> list[int]:
        """The parents that are to be looked at because of it."""
        return [
            number
            for known_to, changed in self._known_to.items()
            for number in families.parents_among(connection, changed)
            if number != known_to
        ]


def _let_begin(
    connection: Connection,
    reuse: Reuse | None,
    number: int,
    told: Mapping[int, Any],
    now: datetime,
    it: Advance,
) -> set[int]:
    """Look whether a job that is held back may begin, and then at all that it held back."""
    turnout, names = upstreams.turnout(connection, number)
    if turnout is Turnout.WAITS:
        return set()
    job = jobs.get(connection, number)
    if job.status is not Status.PENDING or job.hold is not Hold.UPSTREAM:
        return set()
    if turnout is Turnout.NEVER:
        with suppress(StaleWrite), connection.begin_nested():  # cancelled in this very moment
            families.give_up(connection, number, names, now)
    else:
        if reuse is not None and job.digest is not None and number not in told:
            work = _look_for_earlier(connection, reuse, job)
            if work is not None:
                it.outside[number] = work
                return set()
        origin = told.get(number)
        if origin is None or not families.reused(connection, number, origin, now):
            families.begin(connection, number, job.is_parent)
    found = {number}
    if job.is_parent:
        for child in upstreams.held_children(connection, number):
            found |= _let_begin(connection, reuse, child, told, now, it)
    return found


def _look_for_earlier(
    connection: Connection, reuse: Reuse, job: Job
) -> Callable[[], str | None] | None:
    """How to find out whether a job need not be run, if there is a chance."""
    spec = jobs.spec_of(connection, job.id)
    if not spec.cache:
        return None
    candidates = families.did_the_same(connection, job)
    if not candidates:
        return None
    used = datasets.of_job(connection, job.dataset_ids)
    return reuse(job, spec, upstreams.of_job(connection, job.id), used, candidates)


def _look_at(
    connection: Connection,
    coordinators: Mapping[JobType, Coordinator],
    number: int,
    told: Any,
    now: datetime,
    it: Advance,
    *,
    measured: bool,
) -> Step:
    """Look at one family."""
    parent = jobs.get(connection, number)
    if not parent.is_parent or parent.status in ENDED:
        return Step()
    if parent.hold is Hold.UPSTREAM:
        # It has not begun, so nobody but its children knows that it was cancelled.
        children = families.children(connection, number)
        if parent.cancel_requested_by is None or any(one.status not in ENDED for one in children):
            return Step()
        told_so = sentence(Cause.CANCELLED_BY_USER, parent.cancel_requested_by)
        end = Standing(Status.CANCELLED, 0, Cause.CANCELLED_BY_USER, told_so)
        moved = families.stand(connection, parent, now, end)
        return Step(frozenset({number} if moved else ()))
    coordinator = coordinators[JobType(parent.job_type)]
    step = coordinator.advance(connection, parent, told, now, measured=measured)
    if step.outside is not None:
        it.outside[number] = step.outside
    if step.again_at is not None:
        it.again_at[number] = step.again_at
    return step
