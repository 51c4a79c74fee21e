"""Studies in the database: what is suggested, what is told, and that it may be done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState as State

from jupyter_training.engine.metrics.follower import Follower
from jupyter_training.engine.studies import Studies, Suggested
from jupyter_training.engine.workspace import METRICS
from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import Trial, TrialState
from jupyter_training.store.database import Database
from tests.jobs.test_trials import trial
from tests.studies import opened

SPACE = {"lr": "loguniform:1e-5:1e-1", "n": "int:1:9:3", "kind": "choice:a,b,3"}


class Lab:
    """Studies, and trials that have measured something."""

    def __init__(self, url: str, place: Path) -> None:
        self.url, self._place = url, place
        self._servers: list[tuple[Studies, Database]] = []
        self.studies = self.new_server()

    def new_server(self) -> Studies:
        database = Database(self.url)
        made = Studies(database, lambda job, attempt: self._place / job / str(attempt))
        self._servers.append((made, database))
        return made

    def close(self) -> None:
        for studies, database in self._servers:
            studies.close()
            database.close()

    def measured(self, number: int, what: str, *losses: float) -> Trial:
        """A trial that has reported these, one at each step from 1 on."""
        one = replace(trial(number, what, told=False), job_id=f"job-{number}")
        place = self._place / one.job_id / "1"
        place.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"step": step, "metrics": {"loss": loss}})
            for step, loss in enumerate(losses, 1)
        ]
        (place / METRICS).write_text("".join(f"{line}\n" for line in lines))
        Follower(place).drain()
        return one


@pytest.fixture
def lab(database_url: str, tmp_path: Path) -> Iterator[Lab]:
    database = Database(database_url)
    database.migrate()
    database.close()
    made = Lab(database_url, tmp_path)
    yield made
    made.close()


def search(**fields: Any) -> Search:
    return Search.model_validate(
        {"metric": "loss", "trials": 20, "seed": 7, "space": SPACE, **fields}
    )


def values(suggested: Any) -> list[Any]:
    return [(one.number, dict(one.parameters)) for one in suggested]


def test_what_became_no_job_is_suggested_again_and_all_may_be_told_twice(lab: Lab) -> None:
    it = search()
    first = lab.studies.go_on("job-s", it, [], ask=2)
    assert [one.number for one in first.suggested] == [0, 1]
    # The server died before that was written, and another one goes on.
    other = lab.new_server()
    assert values(other.go_on("job-s", it, [], ask=2).suggested) == values(first.suggested)
    several = [lab.measured(0, "complete", 3.0, 2.0), lab.measured(1, "failed", 5.0)]
    for studies in (other, lab.studies, lab.new_server()):
        told = studies.go_on("job-s", it, several).told
        assert [(one.number, one.state, one.value, one.step) for one in told] == [
            (0, TrialState.COMPLETE, 2.0, 2),
            (1, TrialState.FAILED, 5.0, 1),
        ]
    with opened(lab.url, "job-s") as study:
        assert [one.state for one in study.trials] == [State.COMPLETE, State.FAIL]
        assert study.trials[0].intermediate_values == {1: 3.0, 2: 2.0}
        # Only the name of a parameter was written when the next server died.
        study.ask({"lr": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)})
    (third,) = lab.studies.go_on("job-s", it, several, ask=1).suggested
    assert (third.number, set(third.parameters)) == (2, set(SPACE))
    assert lab.studies.go_on("job-s", it, several, close=True).is_closed
    with opened(lab.url, "job-s") as study:
        assert study.trials[2].state == State.FAIL


def test_what_a_trial_has_measured_instead_of_the_metric_is_told_in_the_end(lab: Lab) -> None:
    it = search(metric="los")
    lab.studies.go_on("job-t", it, [], ask=1)
    (told,) = lab.studies.go_on("job-t", it, [one := lab.measured(0, "complete", 3.0)]).told
    assert (told.state, told.value) == (TrialState.FAILED, None)
    news = lab.studies.go_on("job-t", it, [replace(one, told=told.state)], close=True)
    assert (news.is_closed, news.measured) == (True, ["loss"])


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "grid"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_seed_and_the_same_results_suggest_the_same(lab: Lab, sampler: str) -> None:
    space = {**SPACE, **({"lr": "choice:1,2"} if sampler == "grid" else {})}
    it = search(sampler=sampler, space=space)
    runs: list[list[Any]] = []
    for name in ("job-a", "job-b"):
        several: list[Trial] = []
        asked: list[Suggested] = []
        studies = lab.new_server()
        for number in range(12):
            if name == "job-b" and number == 11:  # another server goes on
                studies = lab.new_server()
            (new,) = studies.go_on(name, it, several, ask=1).suggested
            asked.append(new)
            several = [replace(one, told=TrialState.COMPLETE) for one in several]
            several.append(lab.measured(number, "complete", float(new.parameters["n"])))
        runs.append(values(asked))
        assert all(set(one.parameters) == set(SPACE) for one in asked)
        assert all(one.parameters["n"] in (1, 4, 7) for one in asked)
    assert runs[0] == runs[1]
    points = {tuple(one.items()) for _, one in runs[0]}
    assert len(points) == 12
    other = lab.studies.go_on("job-c", it.model_copy(update={"seed": 8}), [], ask=3).suggested
    assert values(other) != runs[0][:3]


def test_a_pruner_stops_what_is_worse_and_hears_of_those_that_ended_before_it_looked(
    lab: Lab,
) -> None:
    it = search(pruner="asha", min_steps=2)
    lab.studies.go_on("job-s", it, [], ask=3)
    done = lab.measured(0, "complete", 9.0, 1.0, 0.5)
    begun = lab.measured(1, "running", 0.1)
    assert list(lab.studies.go_on("job-s", it, [done, begun]).pruned) == []
    worse = lab.measured(1, "running", 0.1, 2.0, 3.0)
    (pruned,) = lab.studies.go_on("job-s", it, [done, worse]).pruned
    assert (pruned.number, pruned.value, pruned.step) == (1, 2.0, 2)
    # Nobody heard of it, and it goes on: the next server finds the same.
    (again,) = lab.new_server().go_on("job-s", it, [done, worse]).pruned
    assert (again.number, again.value, again.step) == (1, 2.0, 2)
    ended = replace(
        lab.measured(1, "cancelled", 0.1, 2.0, 3.0, 0.01),
        status=Status.CANCELLED,
        cause=Cause.PRUNED,
    )
    told = lab.studies.go_on("job-s", it, [done, ended]).told
    assert [(one.state, one.value, one.step) for one in told][1] == (TrialState.PRUNED, 2.0, 2)
    bad = lab.measured(2, "running", float("nan"), float("nan"))
    (pruned,) = lab.studies.go_on("job-s", it, [done, ended, bad]).pruned
    assert pruned.value != pruned.value


def test_what_has_no_value_has_failed_and_of_many_points_some_are_told(lab: Lab) -> None:
    it = search()
    lab.studies.go_on("job-s", it, [], ask=3)
    several = [
        lab.measured(0, "complete"),
        lab.measured(1, "complete", 1.0, float("nan")),
        lab.measured(2, "complete", *(1 / step for step in range(1, 1001))),
    ]
    told = lab.studies.go_on("job-s", it, several).told
    assert [one.state.value for one in told] == ["failed", "failed", "complete"]
    assert (told[2].value, told[2].step) == (0.001, 1000)
    with opened(lab.url, "job-s") as study:
        kept = study.trials[2].intermediate_values
        assert len(kept) == 30
        assert {1, 1000} <= set(kept)


def test_several_servers_may_be_the_first_that_needs_a_study(lab: Lab) -> None:
    servers = [lab.new_server() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        names = [f"job-{number}" for number in range(4)]
        several = threads.map(
            lambda one, name: one.go_on(name, search(), [], ask=1), servers, names
        )
    assert [(one.trouble, len(one.suggested)) for one in several] == [(None, 1)] * 4


def test_a_study_that_cannot_be_used_is_told_and_a_removed_one_is_gone(lab: Lab) -> None:
    it = search()
    lab.studies.go_on("job-s", it, [], ask=1)
    wrong = it.model_copy(update={"goal": "nonsense"})
    told = lab.studies.go_on("job-other", wrong, [])
    assert told.trouble is not None
    lab.studies.remove(["job-s", "job-none"])
    with pytest.raises(KeyError), opened(lab.url, "job-s"):
        pass
