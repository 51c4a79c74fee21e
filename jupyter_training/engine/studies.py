"""The studies of searches for hyperparameters, which Optuna keeps in the same database.

A study has the id of its job for a name, so Optuna's own tools can open it::

    optuna.load_study(study_name="job-…", storage="sqlite:////…/training.db")

Optuna writes in transactions of its own. So all of this is done between turns, in a thread, and
bears to be done again: what the study was told stays told, and a trial that it has suggested and
that became no job, as the server died in between, is the next one that it suggests.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import threading
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from jupyter_training.engine.metrics.index import DIRECTORY, read_index, read_points
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.jobs.search_terms import Pruner
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import Trial, TrialState
from jupyter_training.points import Point, reach
from jupyter_training.store.database import Database

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from jupyter_training.engine.read_once import ReadOnce

_log = logging.getLogger(__name__)

NOT_INSTALLED = (
    "a search needs Optuna where the server runs, which is not installed there: "
    "pip install 'jupyter-training[search]'"
)

_MOST_POINTS = 30
"""So many of the points that came since the last look are told the study, at most."""

_PRUNED_AT = "pruned_at_step"
"""An attribute of a trial in its study: that it is to be stopped, and at which step."""

LEAST_FOR_IMPORTANCE = 4
"""With fewer complete trials nothing is said about what matters."""


@dataclass(frozen=True)
class Told:
    """The end of a trial, as the study has it.

    Attributes
    ----------
    value, step
        Its value and the step at which that was measured; None if there is none.
    """

    number: int
    state: TrialState
    value: float | None
    step: float | None


@dataclass(frozen=True)
class Pruned:
    """A trial that is to be stopped early, and what it had measured at which step."""

    number: int
    value: float
    step: int


@dataclass(frozen=True)
class Suggested:
    """A trial that is to become a job."""

    number: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class News:
    """What was done with a study.

    Attributes
    ----------
    is_closed
        Whether nothing is left in it that is not told.
    measured
        When it is closed, the names of the metrics of a trial that has none of the value that is
        searched for.
    trouble
        Why it cannot be used at all, in words.
    """

    told: Sequence[Told] = ()
    pruned: Sequence[Pruned] = ()
    suggested: Sequence[Suggested] = ()
    is_closed: bool = False
    measured: Sequence[str] = ()
    trouble: str | None = None


def is_there() -> bool:
    """Whether Optuna is installed."""
    return importlib.util.find_spec("optuna") is not None


def lacks(search: Search) -> str | None:
    """What has to be installed for a search; None if all is there."""
    if not is_there() or (search.sampler == "cmaes" and not importlib.util.find_spec("cmaes")):
        return NOT_INSTALLED
    return None


class Studies:
    """The studies in a database. All of it blocks, so it is called in threads.

    Parameters
    ----------
    directory
        Of an attempt, by the id of its job and its number.
    """

    def __init__(self, database: Database, directory: Callable[[str, int], Path]) -> None:
        self._database, self._directory = database, directory
        self._lock = threading.Lock()
        self._storage: BaseStorage | None = None

    def go_on(
        self,
        name: str,
        search: Search,
        trials: Sequence[Trial],
        *,
        ask: int = 0,
        close: bool = False,
    ) -> News:
        """Tell a study what its trials have measured and how they ended, and ask for new ones.

        Parameters
        ----------
        name
            The id of the search.
        trials
            All of its trials.
        ask
            How many new ones are wanted.
        close
            Whether what it has suggested and is no job is to be given up.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the database cannot be used at the moment.
        """
        try:
            return self._go_on(name, search, trials, ask, close=close)
        except ImportError as error:  # it was there when the search was submitted
            _log.error("The study of %s cannot be used: %s", name, error)
            return News(trouble=NOT_INSTALLED)
        except Exception as error:
            why: BaseException | None = error
            while why is not None:  # Optuna has errors of its own for those of the database
                if isinstance(why, SQLAlchemyError):
                    raise
                why = why.__cause__
            _log.exception("The study of %s cannot be used", name)
            return News(trouble=f"{type(error).__name__}: {error}")

    def importance(self, name: str, search: Search) -> dict[str, float] | None:
        """How much each parameter matters, from 0 to 1, the most first; None if nobody knows."""
        from optuna.importance import get_param_importances

        if len(search.space) == 1:
            return dict.fromkeys(search.space, 1.0)
        try:
            study, _ = self._read(name, search)
            found = get_param_importances(study, params=list(search.space))
        except (ValueError, RuntimeError, KeyError, ZeroDivisionError) as error:
            _log.debug("Nothing can be said about what matters in %s: %s", name, error)
            return None
        shares = {key: float(value) for key, value in found.items()}
        if not all(math.isfinite(value) for value in shares.values()):
            return None
        return dict(sorted(shares.items(), key=lambda one: -one[1]))

    def remove(self, names: Iterable[str]) -> None:
        """Delete studies, as far as they are there."""
        if not is_there():
            return
        from optuna import delete_study

        storage = self._opened()
        for name in names:
            with suppress(KeyError), self._database.alone():
                delete_study(study_name=name, storage=storage)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            storage, self._storage = self._storage, None
        if storage is not None:
            storage._backend.engine.dispose()  # type: ignore[attr-defined]

    def latest(self, trial: Trial, metric: str) -> tuple[tuple[float, float] | None, bool]:
        """The last step and value of a metric of a trial, and whether its progress is known.

        The former is None if it was not measured.
        """
        if not trial.attempt:
            return None, False
        index = read_index(self._directory(trial.job_id, trial.attempt) / DIRECTORY)
        known = bool(index.history)
        for series in index.shown():
            if series.name == metric:
                return (series.latest[0], series.latest[2]), known
        return None, known

    def _opened(self) -> BaseStorage:
        with self._lock:
            if self._storage is None:
                self._storage = _open(self._database)
            return self._storage

    def _read(self, name: str, search: Search) -> tuple[Study, ReadOnce]:
        """A study as it stands, with what was read of it; it is made if it has just begun."""
        from optuna import create_study, load_study

        from jupyter_training.engine.read_once import ReadOnce
        from jupyter_training.engine.samplers import SeededSampler, pruner

        storage, writing = self._opened(), self._database.alone
        try:
            number = storage.get_study_id_from_name(name)
        except KeyError:
            with writing():
                made = create_study(
                    study_name=name,
                    storage=storage,
                    direction=search.goal.value,
                    load_if_exists=True,
                )
            number = made._study_id
        read = ReadOnce(storage, number, writing)
        study = load_study(
            study_name=name, storage=read, sampler=SeededSampler(search), pruner=pruner(search)
        )
        return study, read

    def _go_on(
        self, name: str, search: Search, trials: Sequence[Trial], ask: int, *, close: bool
    ) -> News:
        from optuna.trial import TrialState as State

        study, read = self._read(name, search)
        there = {one.number: one for one in study.get_trials(deepcopy=False)}
        told, pruned = [], []
        for one in trials:
            if one.told is not None:
                continue
            if one.has_ended:
                told.append(self._tell(study, search, one, there.get(one.number)))
                reach(Point.STUDY_TOLD)
            elif search.pruner is not Pruner.NONE and not one.stopping and one.number in there:
                found = self._look(study, search, one, there[one.number])
                pruned += [found] if found is not None else []
        known = {one.number for one in trials}
        others = (one for number, one in there.items() if number not in known)
        left = [one for one in others if one.state == State.RUNNING]
        if close:
            for orphan in left:
                study.tell(orphan.number, state=State.FAIL, skip_if_finished=True)
            return News(told, pruned, (), is_closed=True, measured=self._instead(trials))
        suggested = [_completed(study, search, one) for one in left[:ask]]
        for _ in range(ask - len(suggested)):
            new = _asked(study, read, search)
            if new is None:
                break  # by the next look it is known which trials there are
            suggested.append(new)
            reach(Point.STUDY_ASKED)
        return News(told, pruned, suggested)

    def _instead(self, trials: Sequence[Trial]) -> list[str]:
        """What the last trial has measured that ran to its end and has no value."""
        for one in reversed(trials):
            if one.status is Status.COMPLETED and one.told is TrialState.FAILED and one.attempt:
                index = read_index(self._directory(one.job_id, one.attempt) / DIRECTORY)
                return [series.name for series in index.shown()]
        return []

    def _tell(self, study: Study, search: Search, trial: Trial, before: FrozenTrial | None) -> Told:
        """Tell the study how a trial has ended; what it was told before stays."""
        from optuna.trial import TrialState as State

        points = self._points(trial, search.metric)
        step, value = points[-1] if points else (None, None)
        state: TrialState = trial.end
        if state is TrialState.COMPLETE and (value is None or value != value):
            state = TrialState.FAILED
        if before is None:  # somebody has deleted it
            return Told(trial.number, state, value, step)
        # One that was pruned has the points up to where that was decided, and no later ones.
        decided = state is TrialState.PRUNED and before.last_step is not None
        if before.state == State.RUNNING and not decided:
            # The pruner sees each step, also of one that it comes too late for: others are held
            # against what that one had reached by then.
            for at, reached in _new(before, points):
                _is_bad(study, before, at, reached)
        found = study.tell(
            trial.number,
            value if state is TrialState.COMPLETE else None,
            state=State[_STATES[state]],
            skip_if_finished=True,
        )
        names = {name: mine for mine, name in _STATES.items()}
        state = names.get(found.state.name, TrialState.FAILED)
        if state is TrialState.PRUNED and found.last_step is not None:
            return Told(trial.number, state, found.value, found.last_step)
        if state is TrialState.COMPLETE:
            value = found.value
        return Told(trial.number, state, value, step)

    def _look(
        self, study: Study, search: Search, trial: Trial, known: FrozenTrial
    ) -> Pruned | None:
        """Tell the study what a trial has measured, and ask after each step whether it goes on."""
        decided = known.user_attrs.get(_PRUNED_AT)
        if decided is not None:  # and the server has died before anybody heard of it
            return Pruned(trial.number, known.intermediate_values[decided], decided)
        for step, value in _new(known, self._points(trial, search.metric)):
            if _is_bad(study, known, step, value):
                # A pruner that is asked again about the same step may have changed its mind.
                study._storage.set_trial_user_attr(known._trial_id, _PRUNED_AT, step)
                return Pruned(trial.number, value, step)
        return None

    def _points(self, trial: Trial, metric: str) -> list[tuple[float, float]]:
        """The steps and the values of a metric of the latest attempt of a trial, in order."""
        if not trial.attempt:
            return []
        place = self._directory(trial.job_id, trial.attempt) / DIRECTORY
        index = read_index(place)
        for series in index.shown():
            if series.name == metric:
                number = next(n for n, one in enumerate(index.series) if one is series)
                points = _doubles(read_points(place, number, series))
                return list(zip(points[::3], points[2::3], strict=True))
        return []


_STATES = {
    TrialState.COMPLETE: "COMPLETE",
    TrialState.PRUNED: "PRUNED",
    TrialState.FAILED: "FAIL",
}
"""What Optuna calls the ends of a trial."""


def _open(database: Database) -> BaseStorage:
    import optuna
    from optuna.storages import RDBStorage, get_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = database.url.render_as_string(hide_password=False)
    with database.making_tables():
        storage = RDBStorage(url, engine_kwargs=database.engine_kwargs)
    # It knows what has ended, so that not all of a study is read for each trial.
    return get_storage(storage)


def _asked(study: Study, read: ReadOnce, search: Search) -> Suggested | None:
    """A new trial; None if another server is asking for trials of this study, too."""
    from jupyter_training.engine.read_once import Overtaken
    from jupyter_training.engine.samplers import distributions

    try:
        kept = read.keep(study.ask(distributions(search))._trial_id)
    except Overtaken as overtaken:
        _log.warning("A trial of %s is given up: %s", study.study_name, overtaken)
        return None
    return Suggested(kept.number, kept.params)


def _completed(study: Study, search: Search, known: FrozenTrial) -> Suggested:
    """A trial that was asked for before; perhaps not all of its parameters were chosen."""
    from optuna import Trial as OptunaTrial

    from jupyter_training.engine.samplers import distributions

    wanted = distributions(search)
    if wanted.keys() - known.params.keys():
        trial = OptunaTrial(study, known._trial_id)
        for name, one in wanted.items():
            trial._suggest(name, one)
        return Suggested(trial.number, trial.params)
    return Suggested(known.number, known.params)


def _is_bad(study: Study, known: FrozenTrial, step: int, value: float) -> bool:
    """Tell a study what a trial has reached at a step, and ask whether it is to be stopped."""
    study._storage.set_trial_intermediate_value(known._trial_id, step, value)
    return study.pruner.prune(study, study._storage.get_trial(known._trial_id))


def _new(known: FrozenTrial, points: Sequence[tuple[float, float]]) -> list[tuple[int, float]]:
    """The points that a study has not been told, by whole steps; of many only some."""
    last = known.last_step if known.last_step is not None else -1
    steps: dict[int, float] = {}
    for step, value in points:
        if math.isfinite(step) and step >= 0 and int(step) > last:
            steps[int(step)] = value
    several = sorted(steps.items())
    if len(several) <= _MOST_POINTS:
        return several
    stride = (len(several) - 1) / (_MOST_POINTS - 1)
    return [several[round(place * stride)] for place in range(_MOST_POINTS)]


def _doubles(content: bytes) -> array[float]:
    points = array("d")
    points.frombytes(content)
    if array("H", [1]).tobytes() != b"\1\0":
        points.byteswap()
    return points
