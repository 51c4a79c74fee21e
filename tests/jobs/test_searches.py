"""What a search may be, and what is said about one that may not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jupyter_training.jobs.children import parse, trial_spec
from jupyter_training.jobs.search_terms import Goal, Pruner, Sampler, of_text
from jupyter_training.jobs.searches import Dimension
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType

SEARCH = {"metric": "loss", "trials": 5, "space": {"lr": "loguniform:1e-5:1e-1"}}


def spec(search: Any = None, **fields: Any) -> JobSpec:
    wanted = {**SEARCH, **(search or {})}
    return parse({"name": "s", "command": "python a.py --lr {lr}", "search": wanted, **fields})


def wrong(search: Any = None, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidJob) as raised:
        spec(search, **fields)
    return {error.field: error.message for error in raised.value.errors}


def test_what_says_how_to_search_is_a_search_with_sane_defaults() -> None:
    it = spec()
    assert it.job_type is JobType.HYPERPARAMETER
    assert it.is_parent
    assert it.search is not None
    said = it.search
    assert (said.goal, said.sampler, said.pruner) == (Goal.MINIMIZE, Sampler.TPE, Pruner.NONE)
    assert (said.parallel, said.seed, said.limit) == (1, None, 5)
    assert JobSpec.model_validate(it.model_dump(mode="json")) == it


def test_dimensions_are_written_as_people_write_them() -> None:
    assert of_text("loguniform:1e-5:1e-1") == {"type": "loguniform", "low": 1e-5, "high": 0.1}
    assert of_text("int:1:9:2") == {"type": "int", "low": 1, "high": 9, "step": 2}
    assert of_text("logint:1:1e3") == {"type": "logint", "low": 1, "high": 1000}
    assert of_text("choice:16, 0.5,adam,true,none") == {
        "type": "choice",
        "values": [16, 0.5, "adam", True, None],
    }
    assert of_text('choice:["a,b", "1"]') == {"type": "choice", "values": ["a,b", "1"]}
    assert of_text('choice:"a,b",c') == {"type": "choice", "values": ["a,b", "c"]}


def test_a_grid_has_the_points_of_its_dimensions() -> None:
    points = {
        "int:1:6:2": [1, 3, 5],
        "uniform:0:1:0.25": [0, 0.25, 0.5, 0.75, 1],
        "choice:a,b": ["a", "b"],
        "uniform:0:1": None,
    }
    for text, expected in points.items():
        one = Dimension.model_validate(text)
        assert one.points() == expected
        assert one.count == (math.inf if expected is None else len(expected))
    it = spec({"sampler": "grid", "trials": None, "space": {"lr": "choice:1,2", "n": "int:1:3"}})
    assert it.search is not None
    assert (it.search.points, it.search.limit) == (6, 6)
    assert len(Dimension.model_validate("uniform:0:1:0.1").points() or ()) == 11


@pytest.mark.parametrize(
    ("space", "field", "words"),
    [
        ({}, "search.space", "at least one"),
        ({"lr": "normal:0:1"}, "search.space.lr", "'normal' is none of uniform, loguniform"),
        ({"lr": {"type": "normal"}}, "search.space.lr.type", "'uniform', 'loguniform'"),
        ({"lr": "uniform:3:1"}, "search.space.lr", "low should be less than high, not 3 and 1"),
        ({"lr": "uniform:1:1"}, "search.space.lr", "low should be less than high"),
        ({"lr": "uniform:1"}, "search.space.lr", "should be uniform:LOW:HIGH"),
        ({"lr": "uniform:a:b"}, "search.space.lr", "'a' in 'uniform:a:b' is not a number"),
        ({"lr": "int:1:2.5"}, "search.space.lr", "high should be a whole number"),
        ({"lr": "loguniform:0:1"}, "search.space.lr", "low should be above 0"),
        ({"lr": "logint:1:9:2"}, "search.space.lr", "logint has no step"),
        ({"lr": "uniform:0:1:2"}, "search.space.lr", "step should be above 0 and fit"),
        ({"lr": {"type": "uniform", "low": 1}}, "search.space.lr", "uniform needs high"),
        ({"lr": {"type": "int", "low": True, "high": 2}}, "search.space.lr.low", "a number"),
        ({"lr": "choice:"}, "search.space.lr", "at least one value"),
        ({"lr": "choice:1,1"}, "search.space.lr", "each value once"),
        ({"lr": {"type": "choice", "values": [[1]]}}, "search.space.lr", "a list is neither"),
        ({"lr": {"type": "choice", "values": [1], "low": 1}}, "search.space.lr", "is for numbers"),
        ({"lr": {"type": "uniform", "values": [1]}}, "search.space.lr", "are for a choice"),
        ({"lr": "uniform:0:1", "2x": "int:1:2"}, "search.space", "'2x' is not the name"),
        ({"lr": "uniform:0:1", "for": "int:1:2"}, "search.space", "'for' is not the name"),
        ({"lr": "uniform:0:1", "LR": "int:1:2"}, "search.space", "JUPYTER_TRAINING_PARAM_LR"),
        ({"script": "uniform:0:1"}, "search.space", "choose another name"),
        ({"x": "uniform:0:1"}, "command", "{lr} is not in the space of the search, which has x"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(space: Any, field: str, words: str) -> None:
    told = wrong({"space": space})
    assert set(told) == {field}
    assert words in told[field]


@pytest.mark.parametrize(
    ("search", "field", "words"),
    [
        ({"trials": None}, "search.trials", "or else budget_hours or gpu_hours"),
        ({"metric": ""}, "search.metric", "empty"),
        ({"goal": "min"}, "search.goal", "'minimize' or 'maximize', not 'min'"),
        ({"sampler": "grid"}, "search.space", "lr has infinitely many values"),
        (
            {"sampler": "grid", "space": {"lr": "int:1:1000", "b": "int:1:1000"}},
            "search.space",
            "this grid has 1000000 points",
        ),
        ({"sampler": "cmaes", "space": {"lr": "choice:1,2"}}, "search.space", "cmaes is for num"),
        ({"min_steps": 3}, "search.min_steps", "is for a pruner"),
        ({"seed": -1}, "search.seed", "greater than or equal to 0"),
        ({"gpu_hours": 0}, "search.gpu_hours", "greater than 0"),
        ({"trails": 3}, "search.trails", "no such field"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: Any, field: str, words: str) -> None:
    told = wrong(search)
    assert set(told) == {field}
    assert words in told[field]


def test_a_budget_may_be_instead_of_a_number_of_trials() -> None:
    it = spec({"trials": None, "budget_hours": 0.5})
    assert it.search is not None
    assert it.search.limit is None


def test_what_a_search_cannot_have_is_refused() -> None:
    assert "in JUPYTER_TRAINING_OUTPUT_DIR" in wrong(output_path="out")["output_path"]
    assert "runs something itself" in wrong(parameters={"a": 1})["parameters"]
    assert "of the type hyperparameter" in wrong(job_type="single")["search"]
    with pytest.raises(InvalidJob, match="search: is required"):
        parse({"name": "s", "command": "a", "job_type": "hyperparameter"})
    stage = {"name": "tune", "command": "a {x}", "search": SEARCH}
    with pytest.raises(InvalidJob, match=r"stages.0.command: stage tune: \{x\} is not in the spa"):
        parse({"name": "p", "stages": [stage]})


def test_a_trial_is_a_job_with_its_parameters_in_its_command_and_its_script() -> None:
    script = {"name": "cell.py", "text": "lr = 1\nprint(lr)\n"}
    command = ["python", "{script}", "--lr={lr}", "{{lr}}"]
    it = spec(command=command, script=script, depends_on=["job-1"], cpu_cores=3, max_retries=0)
    trial = trial_spec(it, 7, {"lr": 0.25})
    assert (trial.name, trial.job_type, trial.search) == ("s/7", JobType.SINGLE, None)
    assert (trial.cpu_cores, trial.max_retries, trial.depends_on) == (3, 0, [])
    assert trial.argv("cell.py") == ["python", "cell.py", "--lr=0.25", "{lr}"]
    assert trial.text == "lr = 0.25\nprint(lr)\n"
    assert trial_spec(spec(nodes=2), 0, {"lr": 1.0}).job_type is JobType.DISTRIBUTED


def test_any_job_may_have_parameters() -> None:
    it = parse({"name": "s", "command": "a {lr} {x}", "parameters": {"lr": 0.5}})
    assert it.argv(None) == ["a", "0.5", "{x}"]
    for given, words in (({"a b": 1}, "'a b' is not the name"), ({"a": [1]}, "a: a list is")):
        with pytest.raises(InvalidJob, match=f"parameters: {words}"):
            parse({"name": "s", "command": "a", "parameters": given})
