"""What becomes of a job that other jobs decide about. Pure: statuses in, a decision out.

There are two relations. A job can *depend* on others: it begins when all of them have completed,
and never if one of them ends in another way. And a job can be a *parent*: it runs nothing itself,
and where it stands follows from where its children stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from jupyter_training.jobs.lifecycle import ENDED, Cause, Status, sentence


@dataclass(frozen=True)
class Upstream:
    """A job that another one depends on.

    Attributes
    ----------
    name
        What the other one calls it.
    status
        None if it was deleted.
    culprit
        Which job is to blame if it was not run itself: the first one on the way that was, and did
        not complete; None if it was run.
    """

    name: str
    status: Status | None
    culprit: str | None = None


class Turnout(Enum):
    """Whether a job may begin."""

    WAITS = "waits"
    BEGINS = "begins"
    NEVER = "never"


def after_upstreams(upstreams: Sequence[Upstream]) -> tuple[Turnout, str]:
    """Whether a job may begin, from those that it depends on.

    Returns
    -------
    turnout
        `NEVER` as soon as one of them has ended without being completed, whatever the others do.
    names
        If it waits, whom for; if it never begins, because of whom.
    """
    lost = [
        one.culprit or one.name
        for one in upstreams
        if one.status is None or one.status in ENDED - {Status.COMPLETED}
    ]
    if lost:
        return Turnout.NEVER, _listed(dict.fromkeys(lost))
    waits = [one.name for one in upstreams if one.status is not Status.COMPLETED]
    return (Turnout.WAITS, _listed(waits)) if waits else (Turnout.BEGINS, "")


@dataclass(frozen=True)
class Child:
    """A job that does a part of a parent's work.

    Attributes
    ----------
    name
        What a person calls it within the parent.
    progress
        In percent.
    weight
        Its share of the parent's work, in any unit that is the same for all of its children.
    """

    name: str
    status: Status
    cause: Cause | None = None
    reason: str | None = None
    progress: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class Standing:
    """Where a parent stands.

    Attributes
    ----------
    progress
        In percent.
    """

    status: Status
    progress: int
    cause: Cause | None = None
    reason: str | None = None


def standing(children: Sequence[Child], cancelled_by: str | None = None) -> Standing:
    """Where the parent of these children stands, if they are all that it will have.

    It has begun when one of them has. When all have ended it has completed if they have, and
    otherwise failed, as the first of them that failed; if none failed it is cancelled.

    Parameters
    ----------
    children
        In the order in which they are shown; at least one.
    cancelled_by
        Who wanted the parent to be cancelled. That is then what became of it, unless all of its
        children had completed by then.
    """
    progress = min(weighted_progress(children), 99)
    if not all(child.status in ENDED for child in children):
        return Standing(_begun(children), progress)
    if all(child.status is Status.COMPLETED for child in children):
        return Standing(Status.COMPLETED, 100, Cause.SUCCESS, sentence(Cause.SUCCESS))
    if cancelled_by is not None:
        told = sentence(Cause.CANCELLED_BY_USER, cancelled_by)
        return Standing(Status.CANCELLED, progress, Cause.CANCELLED_BY_USER, told)
    for status in (Status.FAILED, Status.CANCELLED):
        guilty = [one for one in children if one.status is status]
        # Those that were not run for the sake of another one are not to blame.
        guilty = [one for one in guilty if one.cause is not Cause.UPSTREAM_FAILED] or guilty
        if guilty:
            first, others = guilty[0], len(guilty) - 1
            told = f"{first.name} {status.value}: {first.reason or 'nobody knows why'}"
            if others:
                told += f" (and {others} more {status.value})"
            return Standing(status, progress, first.cause, told)
    raise AssertionError("all have ended, and not all have completed")


def _begun(children: Sequence[Child]) -> Status:
    statuses = {child.status for child in children}
    if statuses & {Status.RUNNING, Status.RETRYING, Status.COMPLETED, Status.FAILED}:
        return Status.RUNNING
    return Status.SCHEDULED if Status.SCHEDULED in statuses else Status.PENDING


def weighted_progress(children: Sequence[Child]) -> int:
    """How much of the work is done, in percent, rounded down; of children that completed all."""
    total = sum(child.weight for child in children)
    if total <= 0:
        return 0
    done = sum(
        child.weight * (100 if child.status is Status.COMPLETED else child.progress)
        for child in children
    )
    # What is whole in theory may be a hair less in floating point.
    return int(done / total + 1e-9)


def weights(durations_s: Sequence[float | None], limits_s: Sequence[float | None]) -> list[float]:
    """How much of the work each of several jobs is.

    Parameters
    ----------
    durations_s
        How long each is expected to run (s), where that is known.
    limits_s
        The time limit of each (s), where it has one.

    Returns
    -------
    list of float
        The expected durations. A job of which nothing is known counts as the mean of the others; if
        of none is, their time limits tell, in the same way, and without those all are equal.
    """
    for known in (durations_s, limits_s):
        found = [max(one, 1e-3) for one in known if one is not None]
        if found:
            mean = sum(found) / len(found)
            return [mean if one is None else max(one, 1e-3) for one in known]
    return [1.0] * len(durations_s)


def way(before: Status, after: Status) -> tuple[Status, ...]:
    """The statuses that a parent passes on its way; empty if it is there, or does not go back.

    It follows the arrows of `lifecycle.TRANSITIONS`: a pipeline of which a stage completes without
    being run has been scheduled and running, if only for an instant.
    """
    if before in ENDED or before is after:
        return ()
    forward = (Status.PENDING, Status.SCHEDULED, Status.RUNNING)
    here = forward.index(before)
    if after in forward:
        return forward[here + 1 : forward.index(after) + 1]
    if after is Status.CANCELLED:
        return (after,)
    begun = {Status.FAILED: Status.SCHEDULED, Status.COMPLETED: Status.RUNNING}[after]
    return (*forward[here + 1 : forward.index(begun) + 1], after)


def _listed(names: Sequence[str] | dict[str, None]) -> str:
    *several, last = names
    return f"{', '.join(several)} and {last}" if several else last
