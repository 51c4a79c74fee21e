"""The coordinator of searches for hyperparameters: what a turn writes of them.

The database says which trials there are and where each stands; the study, which Optuna keeps, has
what samplers and pruners read. A turn never waits for the study. It finds what the study is still
to be told and how many trials are wanted, has that done between turns, and writes what came of it
in the next one: so a server may die anywhere, and the next one finds the same still to be done.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from jupyter_training.engine.families import Step
from jupyter_training.engine.studies import News, Pruned, Studies
from jupyter_training.engine.submission import Checked, Submission, wanted
from jupyter_training.jobs import trials as decisions
from jupyter_training.jobs.children import trial_spec
from jupyter_training.jobs.families import Standing
from jupyter_training.jobs.lifecycle import Cause, Status, sentence
from jupyter_training.jobs.search_terms import Pruner
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.jobs.trials import Trial
from jupyter_training.store import families, jobs, machines, submissions, trials
from jupyter_training.store.records import Job
from jupyter_training.store.trials import SearchRow

ACTOR = "search"
"""Who stops a trial early."""

_KEPT_SPECS = 20
_KEPT_SEARCHES = 100


class Searches:
    """Decides what becomes of searches.

    Parameters
    ----------
    studies
        Their studies.
    """

    def __init__(self, studies: Studies) -> None:
        self._studies = studies
        self._specs: dict[int, JobSpec] = {}
        self._told: dict[str, list[Trial]] = {}

    def advance(
        self,
        connection: Connection,
        parent: Job,
        told: Any,
        now: datetime,
        *,
        measured: bool,
    ) -> Step:
        """Take in what came of the study, and find what is to be done with it next."""
        row = trials.find(connection, parent.id)
        news = told if isinstance(told, News) else News()
        several = self._trials(connection, parent)
        changed = self._take_in(connection, parent, row, several, news, now)
        if changed:
            several = self._trials(connection, parent)
        _note_best(connection, parent, row.search, several, now)
        row = _begun(connection, row, several)
        budget = trials.budget(connection, row, now)
        what = decisions.plan(
            row.search,
            row.allowed,
            several,
            budget,
            parent.cancel_requested_by,
            row.first,
            news.measured,
        )
        stopped = set[int]()
        if what.stop is not None:
            stopped = _stop_all(connection, several, what.stop, now)
        end = what.end
        if news.trouble is not None and all(one.has_ended for one in several):
            cause = Cause.LAUNCH_FAILED
            reason = sentence(cause, f"its study cannot be used ({news.trouble})")
            end = end or Standing(Status.FAILED, 0, cause, reason)
            news = News(is_closed=True)
        if end is not None and news.is_closed:
            self._specs.pop(parent.id, None)
            self._told.pop(parent.job_id, None)
            families.stand(connection, parent, now, end)
            return Step(frozenset(changed | stopped | {parent.id}))
        if end is None:
            stands = decisions.stands(row.search, row.allowed, several, budget)
            if families.stand(connection, parent, now, stands):
                changed.add(parent.id)
        runs = any(not one.has_ended and not one.stopping for one in several)
        looks = measured and runs and row.search.pruner is not Pruner.NONE
        outside = None
        if news.trouble is None and (end is not None or what.to_tell or what.ask or looks):
            outside = partial(
                self._studies.go_on,
                parent.job_id,
                row.search,
                several,
                ask=what.ask,
                close=end is not None,
            )
        ends_in = budget.ends_in(row.search) if runs and row.since is not None else None
        again_at = None if ends_in is None else now + ends_in
        return Step(frozenset(changed | stopped), outside, again_at, look_again=bool(stopped))

    def _trials(self, connection: Connection, parent: Job) -> list[Trial]:
        """The trials of a search; those whose end is written are read once only.

        What a transaction has read that was not committed in the end does no harm: of what is
        remembered, too, all that is not told as the database has it is read again.
        """
        known = self._told.pop(parent.job_id, [])
        several = trials.of_search(connection, parent.id, known)
        if len(self._told) >= _KEPT_SEARCHES:
            self._told.clear()
        self._told[parent.job_id] = [one for one in several if one.told is not None]
        return several

    def _take_in(
        self,
        connection: Connection,
        parent: Job,
        row: SearchRow,
        several: Sequence[Trial],
        news: News,
        now: datetime,
    ) -> set[int]:
        """Write what came of the study.

        Returns
        -------
        set of int
            The numbers of the jobs that have changed; it is empty if all of it was written before.
        """
        if not (news.told or news.pruned or news.suggested):
            return set()
        there = {one.number: one for one in several}
        room = math.inf if row.allowed is None else row.allowed - len(there)
        changed: set[int] = set()
        for one in news.told:
            if trials.tell(connection, parent.id, one.number, one.state, one.value, one.step):
                changed |= {parent.id, there[one.number].id}
        for pruned in news.pruned:
            number, why = there[pruned.number].id, _why(row.search, pruned)
            if jobs.request_stop(connection, number, Cause.PRUNED, why, by=ACTOR, now=now):
                changed.add(number)
        for new in news.suggested:
            if new.number in there or parent.cancel_requested_by is not None or room <= 0:
                continue  # what is not wanted any more is given up when the search ends
            trial = self._make(connection, parent, new.number, new.parameters, now)
            changed |= {parent.id, trial.id}
            room -= 1
        return changed

    def _make(
        self, connection: Connection, parent: Job, number: int, parameters: Any, now: datetime
    ) -> Job:
        """Make the job of a trial."""
        spec = trial_spec(self._spec(connection, parent.id), number, parameters)
        job, _ = submissions.submit(
            connection,
            spec,
            wanted(
                Submission(spec, Checked(parent.executor)),
                machines.known_nodes(connection),
                machines.known_cluster_nodes(connection),
            ),
            job_id=f"job-{secrets.token_hex(6)}",
            username=parent.owner,
            executor=parent.executor,
            idempotency_key=None,
            now=now,
            within=submissions.Within(parent, str(number)),
        )
        trials.add(connection, parent.id, number, job.id)
        return job

    def _spec(self, connection: Connection, number: int) -> JobSpec:
        """What was asked for; it does not change, and may have a long script."""
        if number not in self._specs:
            if len(self._specs) >= _KEPT_SPECS:
                self._specs.clear()
            self._specs[number] = jobs.spec_of(connection, number)
        return self._specs[number]


def _begun(connection: Connection, row: SearchRow, several: list[Trial]) -> SearchRow:
    """The budget counts from when the first of its trials has begun."""
    starts = [one.started_at for one in several if one.told is None and one.started_at is not None]
    if row.since is not None or not starts:
        return row
    trials.begun(connection, row.number, min(starts))
    return trials.find(connection, row.number)


def _stop_all(connection: Connection, several: list[Trial], why: str, now: datetime) -> set[int]:
    return {
        one.id
        for one in several
        if not one.has_ended
        and jobs.request_stop(connection, one.id, Cause.PRUNED, why, by=ACTOR, now=now)
    }


def _note_best(
    connection: Connection, parent: Job, search: Search, several: list[Trial], now: datetime
) -> None:
    """The results of a search are those of its best trial."""
    best = decisions.best_of(several, search.goal)
    if best is not None and parent.origin != f"{best.job_id}#{best.attempt}":
        families.has_results_of(connection, parent, f"{best.job_id}#{best.attempt}", now)


def _why(search: Search, it: Pruned) -> str:
    if it.value != it.value:
        return f"{search.metric} is not a number at step {it.step}"
    return f"{search.metric} {it.value:.6g} at step {it.step} is not among the best"
