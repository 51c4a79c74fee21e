"""Searches for hyperparameters and their trials, as far as the scheduler and people ask for them.

What a sampler or a pruner reads is in the study, which is Optuna's: see `engine.studies`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import (
    Budget,
    Trial,
    TrialState,
    best_of,
    in_words,
    states,
)
from jupyter_training.store.tables import (
    training_attempts,
    training_jobs,
    training_searches,
    training_trials,
)

_jobs, _trials = training_jobs.c, training_trials.c
_searches, _attempts = training_searches.c, training_attempts.c

_OF = (
    select(
        training_trials,
        _jobs.uuid,
        _jobs.parameters,
        _jobs.attempt,
        _jobs.status,
        _jobs.cause,
        _jobs.reason,
        _jobs.progress,
        _jobs.cancel_requested_at,
        _jobs.started_at,
        _jobs.completed_at,
    )
    .select_from(training_trials.join(training_jobs, _trials.job_id == _jobs.id))
    .where(_trials.search_id == bindparam("search"))
    .order_by(_trials.number)
)
_OF_OTHERS = _OF.where(or_(_trials.number >= bindparam("first"), _trials.state.is_(None)))
_FIND = select(training_searches).where(_searches.job_id == bindparam("the_job"))
_HELD = (
    select(_attempts.scheduled_at, _attempts.ended_at, _attempts.gpus)
    .select_from(training_attempts.join(training_trials, _attempts.job_id == _trials.job_id))
    .where(_trials.search_id == bindparam("search"))
)
_TELL = update(training_trials).where(
    _trials.search_id == bindparam("the_search"),
    _trials.number == bindparam("the_number"),
    _trials.state.is_(None),
)


@dataclass(frozen=True)
class Best:
    """The best trial of a search."""

    number: int
    job_id: str
    value: float


@dataclass(frozen=True)
class SearchSummary:
    """Where a search is, as far as fits into a list of jobs.

    Attributes
    ----------
    allowed
        How many trials it may have in all; None if only a budget ends it.
    states
        How many trials do what.
    best
        None before one is complete.
    """

    search: Search
    allowed: int | None
    states: Mapping[str, int]
    best: Best | None

    @property
    def done(self) -> int:
        """How many trials have ended."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)
        return sum(self.states[state.value] for state in ended)

    @property
    def in_words(self) -> str:
        """For a person."""
        best = None if self.best is None else (self.best.number, self.best.value)
        return in_words(self.search, self.allowed, self.states, best)


@dataclass(frozen=True)
class SearchRow:
    """A search.

    Attributes
    ----------
    number
        Of its job.
    allowed
        How many trials it may have in all; None if only a budget ends it.
    first
        The number of the first trial since it was submitted, or run again.
    since
        From when its budget counts; None before a trial has begun.
    """

    number: int
    search: Search
    allowed: int | None
    first: int
    since: datetime | None


def add_search(connection: Connection, number: int, search: Search) -> None:
    """Write down that a job is a search."""
    connection.execute(
        insert(training_searches),
        {
            "job_id": number,
            "search": search.model_dump(mode="json"),
            "allowed": search.limit,
            "first": 0,
        },
    )


def find(connection: Connection, number: int) -> SearchRow:
    """The search that a job is.

    Raises
    ------
    sqlalchemy.exc.NoResultFound
        If it is none.
    """
    row = connection.execute(_FIND, {"the_job": number}).one()
    return _row(row)


def several(connection: Connection, numbers: Sequence[int]) -> dict[int, SearchRow]:
    """Those of these jobs that are searches, by their numbers."""
    if not numbers:
        return {}
    query = select(training_searches).where(_searches.job_id.in_(numbers))
    return {row.job_id: _row(row) for row in connection.execute(query)}


def begun(connection: Connection, number: int, now: datetime) -> None:
    """Write from when the budget of a search counts, unless that is written."""
    connection.execute(
        update(training_searches)
        .where(_searches.job_id == number, _searches.since.is_(None))
        .values(since=now)
    )


def go_on(connection: Connection, number: int) -> None:
    """Let a search go on that has ended, with its budget anew.

    Other trials take the place of those that failed or were never tried; if there are none, it may
    have as many again. A grid has no more points than it has.
    """
    row = find(connection, number)
    found, allowed = of_search(connection, number), row.allowed
    if allowed is not None and row.search.points is None:
        asked = row.search.limit or 0
        good = sum(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in found)
        allowed = len(found) + (asked - good if good < asked else asked)
    first = max((one.number for one in found), default=-1) + 1
    connection.execute(
        update(training_searches)
        .where(_searches.job_id == number)
        .values(allowed=allowed, first=first, since=None)
    )


def add(connection: Connection, search: int, number: int, job: int) -> None:
    """Write down that a job is a trial of a search."""
    connection.execute(
        insert(training_trials),
        {"search_id": search, "number": number, "job_id": job},
    )


def of_search(connection: Connection, search: int, known: Sequence[Trial] = ()) -> list[Trial]:
    """The trials of a search, by their numbers.

    Parameters
    ----------
    known
        Some that had been told their end when they were read before. They do not change any more
        and are not read again, unless the database says that they were not told.
    """
    found = {one.number: one for one in known}
    first = next(number for number in count() if number not in found)
    rows = connection.execute(_OF_OTHERS, {"search": search, "first": first})
    found.update((row.number, _trial(row)) for row in rows)
    return [found[number] for number in sorted(found)]


def _trial(row: Row[Any]) -> Trial:
    return Trial(
        row.number,
        row.job_id,
        row.uuid,
        row.attempt,
        Status(row.status),
        Cause(row.cause) if row.cause else None,
        row.reason,
        row.progress,
        row.parameters,
        TrialState(row.state) if row.state else None,
        row.value,
        row.step,
        row.cancel_requested_at is not None,
        row.started_at,
        row.completed_at,
    )


def summaries(connection: Connection, numbers: Sequence[int]) -> dict[int, SearchSummary]:
    """Where those of these jobs are that are searches, by their numbers."""
    found = {}
    for number, row in several(connection, numbers).items():
        trials = of_search(connection, number)
        best = best_of(trials, row.search.goal)
        found[number] = SearchSummary(
            row.search,
            row.allowed,
            states(trials),
            None
            if best is None or best.value is None
            else Best(best.number, best.job_id, best.value),
        )
    return found


def tell(
    connection: Connection,
    search: int,
    number: int,
    state: TrialState,
    value: float | None,
    step: float | None,
) -> bool:
    """Write what the study was told of a trial's end, unless that is written.

    Returns
    -------
    bool
        Whether it was not.
    """
    values = {"state": state.value, "value": value, "step": step}
    changed = connection.execute(_TELL, {"the_search": search, "the_number": number, **values})
    return changed.rowcount == 1


def budget(connection: Connection, it: SearchRow, now: datetime) -> Budget:
    """What a search has used since its budget counts."""
    if it.since is None:
        return Budget()
    seconds, gpus = 0.0, 0
    if it.search.gpu_hours is not None:
        for row in connection.execute(_HELD, {"search": it.number}):
            begin, end = max(row.scheduled_at, it.since), row.ended_at or now
            seconds += max((end - begin).total_seconds(), 0.0) * len(row.gpus)
            gpus += len(row.gpus) if row.ended_at is None else 0
    hours = max((now - it.since).total_seconds(), 0.0) / 3600
    return Budget(hours, seconds / 3600, gpus)


def _row(row: Any) -> SearchRow:
    search = Search.model_validate(row.search)
    return SearchRow(row.job_id, search, row.allowed, row.first, row.since)
