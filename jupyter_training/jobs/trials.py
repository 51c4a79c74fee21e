"""What a search for hyperparameters is to do next, from where its trials stand. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from jupyter_training.jobs.families import Standing
from jupyter_training.jobs.lifecycle import ACTIVE, ENDED, Cause, Status, sentence
from jupyter_training.jobs.search_terms import Goal
from jupyter_training.jobs.searches import Search

IN_A_ROW = 5
"""A search gives up when so many of its trials have failed one after the other, or as many as run
at a time, if those are more."""

_NAMED = 8
"""So many metrics are named where another one was expected."""


class TrialState(str, Enum):
    """What a trial is doing, in the words of the field."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """A trial, and the job that it is.

    Attributes
    ----------
    number
        What the study calls it.
    id, job_id
        The number and the public name of its job.
    attempt
        How many attempts its job has had.
    told
        The end of it that the study was told; None before that.
    value, step
        Its value, and the step at which that was measured: of one that was pruned the last that it
        had. None if there is none, or if the study was not told yet.
    stopping
        Whether its job is being stopped.
    """

    number: int
    id: int
    job_id: str
    attempt: int
    status: Status
    cause: Cause | None
    reason: str | None
    progress: int
    parameters: Mapping[str, Any]
    told: TrialState | None
    value: float | None
    step: float | None
    stopping: bool
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether its job has."""
        return self.status in ENDED

    @property
    def state(self) -> TrialState:
        """What a person is told that it does."""
        if self.told is not None:
            return self.told
        if self.has_ended:
            return self.end
        begun = self.status in ACTIVE or self.started_at is not None
        return TrialState.RUNNING if begun else TrialState.WAITING

    @property
    def end(self) -> TrialState:
        """What its job's end means, if it has ended and has measured what it should."""
        if self.status is Status.COMPLETED:
            return TrialState.COMPLETE
        return TrialState.PRUNED if self.cause is Cause.PRUNED else TrialState.FAILED


@dataclass(frozen=True)
class Budget:
    """What is left of a search.

    Attributes
    ----------
    hours, gpu_hours
        How long it has gone on, and for how many GPU-hours its trials have held GPUs.
    gpus
        How many GPUs they hold now.
    """

    hours: float = 0.0
    gpu_hours: float = 0.0
    gpus: int = 0

    def used_up(self, search: Search) -> str | None:
        """Which budget is used up, in words; None if none is."""
        for used, given, unit in (
            (self.hours, search.budget_hours, "hours"),
            (self.gpu_hours, search.gpu_hours, "GPU-hours"),
        ):
            # What is left for the clock to be a hair too early.
            if given is not None and used >= given * (1 - 1e-9) - 1e-7:
                return f"its budget of {given:g} {unit} is used up"
        return None

    def ends_in(self, search: Search) -> timedelta | None:
        """In how long a budget is used up if nothing changes; None for never."""
        left = []
        if search.budget_hours is not None:
            left.append(search.budget_hours - self.hours)
        if search.gpu_hours is not None and self.gpus:
            left.append((search.gpu_hours - self.gpu_hours) / self.gpus)
        return timedelta(hours=max(min(left), 0.0)) if left else None

    def share(self, search: Search) -> float:
        """How much of the budgets is used, from 0 to 1."""
        pairs = ((self.hours, search.budget_hours), (self.gpu_hours, search.gpu_hours))
        return max((min(used / given, 1.0) for used, given in pairs if given), default=0.0)


@dataclass(frozen=True)
class Plan:
    """What a search is to do.

    Attributes
    ----------
    ask
        How many new trials to ask the study for.
    to_tell
        The trials whose end the study is to be told.
    stop
        Why all that still runs is to be stopped; None if it is not.
    is_over
        Whether it asks for no more trials, as things stand.
    end
        What becomes of it, when the study has been told everything; None while it goes on.
    """

    ask: int
    to_tell: Sequence[Trial]
    stop: str | None
    is_over: bool
    end: Standing | None


def plan(
    search: Search,
    allowed: int | None,
    trials: Sequence[Trial],
    budget: Budget,
    cancelled_by: str | None = None,
    first: int = 0,
    measured: Collection[str] = (),
) -> Plan:
    """What a search is to do next.

    Parameters
    ----------
    allowed
        How many trials it may have in all; None if only a budget ends it.
    trials
        By their numbers.
    cancelled_by
        Who wants it to be cancelled.
    first
        The number of the first trial since it was submitted, or run again: what failed before that
        says nothing.
    measured
        The names of the metrics of a trial that has none of the value that is searched for.
    """
    open_ones = [one for one in trials if not one.has_ended]
    to_tell = [one for one in trials if one.has_ended and one.told is None]
    used_up = budget.used_up(search)
    recent = [one for one in trials if one.number >= first]
    fails = fails_in_a_row(recent, search.parallel)
    # What has just ended may go on with the row: none is begun before the study has said so.
    may_fail = fails_in_a_row([one for one in recent if one not in to_tell], search.parallel)
    is_full = allowed is not None and len(trials) >= allowed
    is_over = cancelled_by is not None or used_up is not None or fails or is_full
    ask = 0
    if not is_over and not may_fail:
        ask = max(search.parallel - len(open_ones), 0)
        if allowed is not None:
            ask = min(ask, allowed - len(trials))
    end = None
    if is_over and not open_ones and not to_tell:
        share = min(progress(search, allowed, trials, budget), 99)
        end = _end(search, trials, cancelled_by, used_up, measured, share, fails=fails)
    return Plan(ask, to_tell, used_up, is_over, end)


def fails_in_a_row(trials: Sequence[Trial], parallel: int) -> bool:
    """Whether so many of the trials that have ended last have failed that more will, too.

    What a person has cancelled says nothing about the others.
    """
    ended = [one for one in trials if one.has_ended and one.cause is not Cause.CANCELLED_BY_USER]
    ended.sort(key=lambda one: (one.completed_at is None, one.completed_at, one.number))
    row = 0
    for one in reversed(ended):
        if one.state is not TrialState.FAILED:
            break
        row += 1
    return row >= max(IN_A_ROW, parallel)


def best_of(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """The best of the trials that are complete; of several that are alike the first."""
    best: Trial | None = None
    for one in trials:
        if one.told is not TrialState.COMPLETE or one.value is None:
            continue
        if best is None or best.value is None or goal.better(one.value, best.value):
            best = one
    return best


def states(trials: Sequence[Trial]) -> dict[str, int]:
    """How many trials do what; each state is there."""
    found = {state.value: 0 for state in TrialState}
    for one in trials:
        found[one.state.value] += 1
    return found


def stands(
    search: Search, allowed: int | None, trials: Sequence[Trial], budget: Budget
) -> Standing:
    """Where a search stands that goes on."""
    statuses, status = {one.status for one in trials}, Status.PENDING
    if statuses & {Status.RUNNING, Status.RETRYING, *ENDED}:
        status = Status.RUNNING
    elif Status.SCHEDULED in statuses:
        status = Status.SCHEDULED
    return Standing(status, min(progress(search, allowed, trials, budget), 99))


def progress(search: Search, allowed: int | None, trials: Sequence[Trial], budget: Budget) -> int:
    """How far a search is, in percent: by the trials or the budget, whatever is used more."""
    share = budget.share(search)
    if allowed:
        done = sum(1.0 if one.has_ended else one.progress / 100 for one in trials)
        share = max(share, done / allowed)
    return int(min(share, 1.0) * 100 + 1e-9)


def in_words(
    search: Search, allowed: int | None, counts: Mapping[str, int], best: tuple[int, float] | None
) -> str:
    """Where a search is, for a person.

    Parameters
    ----------
    counts
        How many trials do what.
    best
        The number and the value of the best trial.
    """
    ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)
    done = sum(counts.get(state.value, 0) for state in ended)
    others = [
        f"{counts[state.value]} {state.value}"
        for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.PRUNED, TrialState.FAILED)
        if counts.get(state.value)
    ]
    of = f" of {allowed}" if allowed is not None else ""
    told = f"{done}{of} trials done" + (f" ({', '.join(others)})" if others else "")
    if best is None:
        return told
    return f"{told}; best {search.metric} {best[1]:.6g} in trial {best[0]}"


def without_value(metric: str) -> str:
    """Why a trial has failed whose job has completed."""
    return f"ended without a value of {metric}"


def _end(
    search: Search,
    trials: Sequence[Trial],
    cancelled_by: str | None,
    used_up: str | None,
    measured: Collection[str],
    share: int,
    *,
    fails: bool,
) -> Standing:
    best = best_of(trials, search.goal)
    told_best = ""
    if best is not None:
        told_best = f"best {search.metric} {best.value:.6g} in trial {best.number}"
    if cancelled_by is not None:
        told = sentence(Cause.CANCELLED_BY_USER, cancelled_by)
        told += f"; {told_best}" if told_best else ""
        return Standing(Status.CANCELLED, share, Cause.CANCELLED_BY_USER, told)
    failed = [one for one in trials if one.state is TrialState.FAILED]
    # What a person has cancelled is not to blame if another one has failed.
    guilty = [one for one in failed if one.cause is not Cause.CANCELLED_BY_USER] or failed
    if fails:
        row = f"its last {_count(failed, search)} trials failed"
        said = f"{row}: {_why(guilty[-1])}" + (f"; {told_best}" if told_best else "")
        if guilty[-1].status is Status.COMPLETED and best is None:
            said += _instead(search.metric, measured)
        return Standing(Status.FAILED, share, _cause(guilty[-1]), said)
    if best is not None:
        counts = states(trials)
        others = [f"{counts[name]} {name}" for name in ("pruned", "failed") if counts[name]]
        told = f"{told_best} of {len(trials)}" + (f" ({', '.join(others)})" if others else "")
        told += f"; {used_up}" if used_up else ""
        return Standing(Status.COMPLETED, 100, Cause.SUCCESS, told)
    why = f"{used_up}, and " if used_up else ""
    said = f"{why}no trial has completed with a value of {search.metric}"
    if guilty:
        said += f": {_why(guilty[0])}"
        if guilty[0].status is Status.COMPLETED:
            said += _instead(search.metric, measured)
        cause = _cause(guilty[0])
    else:
        cause = Cause.TIMED_OUT if used_up else Cause.USER_ERROR
    if cause is Cause.CANCELLED_BY_USER:
        return Standing(Status.CANCELLED, share, cause, said)
    return Standing(Status.FAILED, share, cause, said)


def _instead(metric: str, measured: Collection[str]) -> str:
    """What a trial without a value has measured, or what it should."""
    if not measured:
        return f"; report({metric}=…) tells it"
    if metric in measured:
        return f"; its last {metric} is not a number"
    names = sorted(measured)
    more = ", …" if len(names) > _NAMED else ""
    return f"; it has measured {', '.join(names[:_NAMED])}{more} and no {metric}"


def _count(failed: Sequence[Trial], search: Search) -> int:
    return min(len(failed), max(IN_A_ROW, search.parallel))


def _cause(one: Trial) -> Cause:
    """Why a search failed of which this trial did."""
    # One that ran to its end without a value is no success of the search.
    return Cause.USER_ERROR if one.cause in (None, Cause.SUCCESS) else one.cause


def _why(one: Trial) -> str:
    if one.status is Status.COMPLETED:
        return f"trial {one.number} ended without a value"
    return f"trial {one.number} {one.status.value}: {one.reason or 'nobody knows why'}"
