"""What a search does next, from where its trials stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.search_terms import Goal
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import (
    Budget,
    Plan,
    Trial,
    TrialState,
    best_of,
    in_words,
    plan,
    stands,
    states,
)

T0 = datetime(2026, 1, 26, 10, tzinfo=timezone.utc)
ENDS = {
    "complete": (Status.COMPLETED, Cause.SUCCESS, TrialState.COMPLETE),
    "pruned": (Status.CANCELLED, Cause.PRUNED, TrialState.PRUNED),
    "failed": (Status.FAILED, Cause.USER_ERROR, TrialState.FAILED),
    "cancelled": (Status.CANCELLED, Cause.CANCELLED_BY_USER, TrialState.FAILED),
}


def search(**fields: Any) -> Search:
    given = {"metric": "loss", "trials": 10, "parallel": 2, "space": {"lr": "uniform:0:1"}}
    return Search.model_validate({**given, **fields})


def trial(number: int, what: str, value: float | None = None, *, told: bool = True) -> Trial:
    has_ended = what in ENDS
    status, cause, state = ENDS[what] if has_ended else (Status(what), None, None)
    return Trial(
        number=number,
        id=100 + number,
        job_id=f"job-{number}",
        attempt=1,
        status=status,
        cause=cause,
        reason=f"why {number}",
        progress=50,
        parameters={"lr": 0.5},
        told=state if told else None,
        value=value,
        step=None,
        stopping=False,
        started_at=T0,
        completed_at=T0 + timedelta(minutes=number) if has_ended else None,
    )


def trials(*whats: str) -> list[Trial]:
    return [trial(number, what, float(number)) for number, what in enumerate(whats)]


def next_of(several: list[Trial], allowed: int | None = 10, **more: Any) -> Plan:
    budget, cancelled_by = more.pop("budget", Budget()), more.pop("cancelled_by", None)
    first, measured = more.pop("first", 0), more.pop("measured", ())
    return plan(search(**more), allowed, several, budget, cancelled_by, first, measured)


@pytest.mark.parametrize(
    ("whats", "allowed", "asks"),
    [
        ((), 10, 2),
        (("running",), 10, 1),
        (("running", "pending"), 10, 0),
        (("complete", "running", "retrying"), 10, 0),
        (("complete", "pruned", "running"), 4, 1),
        (("complete", "pruned", "running"), 3, 0),
        ((), 1, 1),
        (("complete",), None, 2),
    ],
)
def test_so_many_are_asked_for_that_they_run_in_parallel_and_no_more(
    whats: tuple[str, ...], allowed: int | None, asks: int
) -> None:
    assert next_of(trials(*whats), allowed).ask == asks


def test_it_ends_when_all_have_ended_and_the_study_knows() -> None:
    several = trials("complete", "pruned", "failed")
    end = next_of(several, 3).end
    assert end is not None
    assert (end.status, end.cause, end.progress) == (Status.COMPLETED, Cause.SUCCESS, 100)
    assert end.reason == "best loss 0 in trial 0 of 3 (1 pruned, 1 failed)"
    untold = [*several[:2], trial(2, "failed", told=False)]
    assert next_of(untold, 3).end is None
    assert [one.number for one in next_of(untold, 3).to_tell] == [2]
    assert next_of([*several[:2], trial(2, "running")], 3).end is None


def test_some_failures_are_none_of_the_search_and_too_many_in_a_row_are_its_end() -> None:
    several = trials("complete", "failed", "failed", "failed", "failed")
    assert next_of(several).ask == 2
    several = trials("complete", "failed", "failed", "cancelled", "failed", "failed", "failed")
    ends = next_of(several)
    assert ends.ask == 0
    assert ends.end is not None
    assert (ends.end.status, ends.end.cause) == (Status.FAILED, Cause.USER_ERROR)
    assert ends.end.reason == (
        "its last 5 trials failed: trial 6 failed: why 6; best loss 0 in trial 0"
    )
    # What still runs may break the row, and with many at a time more have to fail.
    assert next_of([*several, trial(7, "running")]).end is None
    assert next_of([*several, trial(7, "complete", 1.0)]).ask == 2
    assert next_of(several, parallel=7).ask == 3
    # Whether what has just ended has a value is not known before the study was told.
    not_told = [*several, trial(7, "complete", told=False)]
    assert (next_of(not_told).ask, next_of(not_told).end) == (0, None)
    # What failed before it was run again says nothing.
    assert next_of(several, first=7).ask == 2


def test_what_it_failed_of_is_no_success_and_nothing_that_a_person_did() -> None:
    silent = [replace(trial(number, "complete"), told=TrialState.FAILED) for number in range(1, 6)]
    first, last = trial(0, "cancelled"), trial(6, "cancelled")
    for several, limit in ((silent, None), ([*silent, last], None), ([first, *silent[:2]], 3)):
        end = next_of(several, limit).end
        assert end is not None
        assert (end.status, end.cause) == (Status.FAILED, Cause.USER_ERROR)
        assert "ended without a value; report(loss=…) tells it" in (end.reason or "")


def test_without_a_value_it_has_failed() -> None:
    end = next_of(trials("failed", "failed"), 2).end
    assert end is not None
    assert (end.status, end.cause) == (Status.FAILED, Cause.USER_ERROR)
    assert end.reason == "no trial has completed with a value of loss: trial 0 failed: why 0"
    silent = [trial(0, "complete"), trial(1, "complete")]
    silent = [Trial(**{**vars(one), "told": TrialState.FAILED}) for one in silent]
    end = next_of(silent, 2).end
    assert end is not None
    assert (end.status, end.cause) == (Status.FAILED, Cause.USER_ERROR)
    assert "trial 0 ended without a value; report(loss=…) tells it" in (end.reason or "")
    end = next_of(silent, 2, measured=["val_loss", "acc"]).end
    assert end is not None
    told = "trial 0 ended without a value; it has measured acc, val_loss and no loss"
    assert told in (end.reason or "")
    end = next_of(silent, 2, measured=["loss"]).end
    assert end is not None
    assert "trial 0 ended without a value; its last loss is not a number" in (end.reason or "")


def test_a_budget_ends_it_and_what_runs_is_stopped() -> None:
    several = trials("complete", "running")
    used = next_of(several, None, trials=None, budget_hours=2, budget=Budget(hours=2))
    assert (used.ask, used.stop, used.end) == (0, "its budget of 2 hours is used up", None)
    used = next_of(several[:1], 10, gpu_hours=0.5, budget=Budget(gpu_hours=0.6))
    assert used.end is not None
    assert used.end.status is Status.COMPLETED
    assert "its budget of 0.5 GPU-hours is used up" in (used.end.reason or "")
    end = next_of(trials("pruned"), 10, gpu_hours=0.5, budget=Budget(gpu_hours=0.6)).end
    assert end is not None
    assert (end.status, end.cause) == (Status.FAILED, Cause.TIMED_OUT)
    left = Budget(hours=1, gpu_hours=1, gpus=4)
    assert left.ends_in(search(budget_hours=3, gpu_hours=3)) == timedelta(hours=0.5)
    assert left.ends_in(search()) is None


def test_a_cancelled_one_asks_for_no_more_and_ends_when_all_have() -> None:
    assert next_of(trials("running"), cancelled_by="ada").ask == 0
    assert next_of(trials("running"), cancelled_by="ada").end is None
    for several, share in (([], 0), (trials("complete", "cancelled"), 20)):
        end = next_of(several, cancelled_by="ada").end
        assert end is not None
        assert (end.status, end.cause) == (Status.CANCELLED, Cause.CANCELLED_BY_USER)
        assert end.progress == share


def test_where_it_stands_follows_from_its_trials_and_its_budget() -> None:
    def at(*whats: str, budget: Budget | None = None, **more: Any) -> tuple[Status, int]:
        it = stands(search(**more), 10, trials(*whats), budget or Budget())
        return it.status, it.progress

    assert at() == (Status.PENDING, 0)
    assert at("scheduled") == (Status.SCHEDULED, 5)
    assert at("complete", "pruned", "running") == (Status.RUNNING, 25)
    assert at("pending", budget=Budget(hours=1), budget_hours=2)[1] == 50
    assert at(*["complete"] * 10) == (Status.RUNNING, 99)


def test_the_best_is_a_complete_one_by_the_goal() -> None:
    several = [
        trial(0, "complete", 3.0),
        trial(1, "complete", 1.0),
        trial(2, "complete", 1.0),
        trial(3, "pruned", 0.0),
        trial(4, "complete", 5.0),
    ]
    best, worst = best_of(several, Goal.MINIMIZE), best_of(several, Goal.MAXIMIZE)
    assert best is not None
    assert worst is not None
    assert (best.number, worst.number) == (1, 4)
    assert best_of(several[3:4], Goal.MINIMIZE) is None


def test_a_person_reads_how_far_it_is() -> None:
    counts = states(trials("complete", "running", "pruned", "pending"))
    # One that has been run before and waits again is under way.
    assert counts == {"waiting": 0, "running": 2, "complete": 1, "pruned": 1, "failed": 0}
    told = in_words(search(), 10, counts, (3, 0.125))
    assert told == "2 of 10 trials done (2 running, 1 pruned); best loss 0.125 in trial 3"
