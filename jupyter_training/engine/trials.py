"""What a person can ask about the trials of a search for hyperparameters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection

from jupyter_training.engine import studies
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.finding import job_of
from jupyter_training.jobs.lifecycle import ENDED, Status
from jupyter_training.jobs.trials import Budget, Trial, TrialState, best_of
from jupyter_training.store import trials
from jupyter_training.store.records import Job
from jupyter_training.store.trials import SearchRow


class NoSearch(ValueError):
    """This job has no trials, as it is no search for hyperparameters."""

    def __init__(self, job: Job) -> None:
        super().__init__(
            f"{job.name} ({job.job_id}) is no search for hyperparameters but {job.job_type}."
        )


@dataclass(frozen=True)
class SeenTrial:
    """A trial, and where what it has left is.

    Attributes
    ----------
    progress_known
        Whether its progress is how far it is, or was when it ended. See `views.Seen`.
    """

    trial: Trial
    name: str
    progress_known: bool
    output_dir: Path
    checkpoint_dir: Path


@dataclass(frozen=True)
class Found:
    """What a search has found so far.

    Attributes
    ----------
    over
        Whether nothing more comes.
    best
        The best of the trials that are complete.
    importance
        How much each parameter matters, from 0 to 1; None if nobody can tell.
    """

    row: SearchRow
    over: bool
    budget: Budget
    trials: Sequence[SeenTrial]
    best: SeenTrial | None
    importance: Mapping[str, float] | None

    @property
    def history(self) -> list[tuple[SeenTrial, float]]:
        """The trials that are complete in the order of their ends, each with the best so far."""
        complete = [
            one
            for one in self.trials
            if one.trial.told is TrialState.COMPLETE and one.trial.completed_at is not None
        ]
        complete.sort(key=lambda one: (one.trial.completed_at, one.trial.number))
        best, found = None, list[tuple[SeenTrial, float]]()
        for one in complete:
            value = one.trial.value
            if value is None:
                continue
            if best is None or self.row.search.goal.better(value, best):
                best = value
            found.append((one, best))
        return found


class TrialQueries:
    """The questions about searches."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._importance: dict[str, tuple[int, Mapping[str, float] | None]] = {}

    async def of_search(self, user: str, reference: str, *, importance: bool = True) -> Found:
        """What a search has found so far.

        Parameters
        ----------
        importance
            Whether to find out how much each parameter matters, which takes a while.

        Raises
        ------
        NoSuchJob
            If there is no such job.
        NoSearch
            If it is none.
        """
        job = await job_of(self._engine, user, reference)
        if not job.is_search:
            raise NoSearch(job)
        now = datetime.now(timezone.utc)

        def look(connection: Connection) -> tuple[SearchRow, list[Trial], Budget]:
            row = trials.find(connection, job.id)
            until = job.completed_at or now
            return row, trials.of_search(connection, job.id), trials.budget(connection, row, until)

        row, several, budget = await self._engine.read(look)
        several, known = await asyncio.to_thread(self._with_latest, row, several)
        seen = [self._seen(job, one, one.number in known) for one in several]
        found = best_of(several, row.search.goal)
        best = None if found is None else next(one for one in seen if one.trial is found)
        weights = await self._how_much_matters(job, row, several) if importance else None
        return Found(row, job.status in ENDED, budget, seen, best, weights)

    async def wait_for_change(
        self,
        user: str,
        reference: str,
        wait_s: float,
        changed: Callable[[Found], bool],
        *,
        importance: bool = True,
    ) -> Found:
        """What a search has found, as soon as that has changed, or when time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        number = (await job_of(self._engine, user, reference)).id
        while True:
            change = self._engine.changes.next(number, or_of_others=True)
            try:
                found = await self.of_search(user, str(number), importance=importance)
                if changed(found) or loop.time() >= deadline:
                    return found
                await asyncio.wait([change], timeout=deadline - loop.time())
            finally:
                change.cancel()

    def _seen(self, job: Job, one: Trial, known: bool) -> SeenTrial:
        workspace = self._engine.workspace
        output = workspace.output_dir(one.job_id, job.working_dir, job.output_path, job.image)
        checkpoints = workspace.job(one.job_id) / "checkpoints"
        return SeenTrial(one, f"{job.name}/{one.number}", known, output, checkpoints)

    def _with_latest(self, row: SearchRow, several: list[Trial]) -> tuple[list[Trial], set[int]]:
        """The trials, those that run with the last value that they have measured.

        Returns
        -------
        trials, known
            `known` has the numbers of those of which something tells how far they are.
        """
        found, known = [], set()
        for one in several:
            is_known = one.status is Status.COMPLETED or one.progress > 0
            if one.told is None:
                latest, is_known = self._engine.studies.latest(one, row.search.metric)
                if latest is not None:
                    one = replace(one, step=latest[0], value=latest[1])
            if is_known:
                known.add(one.number)
            found.append(one)
        return found, known

    async def _how_much_matters(
        self, job: Job, row: SearchRow, several: Sequence[Trial]
    ) -> Mapping[str, float] | None:
        count = sum(one.told is TrialState.COMPLETE for one in several)
        if count < studies.LEAST_FOR_IMPORTANCE or not studies.is_there():
            return None
        known = self._importance.get(job.job_id)
        if known is None or known[0] != count:
            told = await asyncio.to_thread(self._engine.studies.importance, job.job_id, row.search)
            if len(self._importance) >= _KEPT:
                self._importance.clear()
            known = self._importance[job.job_id] = (count, told)
        return known[1]


_KEPT = 100
"""Of so many searches it is known what matters, until another trial is complete."""
