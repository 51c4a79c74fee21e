"""Searches from a notebook and a terminal, and what a person sees of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from jupyter_training.notebook.display import View
from jupyter_training.notebook.tables import JobTable, TrialTable
from jupyter_training.notebook.trials import Found, curves, rows
from tests.conftest import Server
from tests.notebook.conftest import Kernel

CELL = """%%train --name tuned --cpus 1 --memory 1 --search x=uniform:0:1 --search n=int:1:3 \
--metric loss --trials 4 --parallel 2 --seed 1 --out twice --wait
from jupyter_training import report

x, n = 5.0, 9
twice = 2 * x
report(step=n, loss=(x - 0.3) ** 2)
"""

FUNCTION = """
from jupyter_training import train

@train(cpus=1, memory=1, search={"metric": "loss", "trials": 1, "space": {"x": "uniform:0:1"}})
def fit(x, times=2):
    from jupyter_training import report

    report(step=1, loss=x)
    return times * x

job = fit.submit(times=3).wait()
"""


def test_a_cell_is_searched_and_gives_back_what_its_best_trial_has_found(
    kernel_of: Callable[[Server], Kernel], server: Server
) -> None:
    kernel = kernel_of(server)
    kernel.run("%load_ext jupyter_training")
    assert "out: twice" in kernel.run(CELL).text
    kernel.run("job = __import__('jupyter_training').get_job('tuned')")
    job_id = kernel.value("job.id")
    told = server.api.get(f"api/training-jobs/{job_id}/trials").json()
    best = told["best"]
    assert kernel.value("(job.best_trial.params, job.best_trial.value)") == (
        best["params"],
        best["value"],
    )
    assert kernel.value("twice") == 2 * best["params"]["x"]
    frame = "job.trials()[['number', 'value', 'params_x', 'params_n', 'state']].values.tolist()"
    assert kernel.value(frame) == [
        [one["number"], one["value"], one["params"]["x"], one["params"]["n"], "complete"]
        for one in told["trials"]
    ]
    shown = kernel.run("%train_trials tuned")
    assert f"{best['number']} (best)" in shown.text
    assert "<svg" in shown.html
    assert "what matters" in shown.html
    assert "4 of 4 trials" in kernel.run("%train_jobs").text
    instead = f"but its trials may have: tuned/0 …, and the best is tuned/{best['number']}"
    assert instead in kernel.run("%train_metrics tuned").text
    wrong = kernel.run("%%train --search x=uniform:1:0 --metric loss --trials 1\nx = 1").error
    assert "--search x: low should be less than high, not 1 and 0" in wrong
    wrong = kernel.run("%train_trials tuned/0").error
    assert "is no search for hyperparameters but single" in wrong

    # A function is given what the search tries, by the names of its arguments.
    kernel.run(FUNCTION)
    assert kernel.value("job.result() == 3 * job.best_trial.params['x']")

    # The same in a terminal.
    words = [sys.executable, "-m", "jupyter_training"]
    env = server.home.env
    listed = subprocess.run(
        [*words, "trials", "tuned", "--json"], env=env, capture_output=True, text=True, check=True
    )
    assert json.loads(listed.stdout) == {
        **told,
        "used_hours": json.loads(listed.stdout)["used_hours"],
    }
    run = [*words, "run", "--cpus", "1", "--memory", "1", "--search", "x=choice:1,2"]
    echo = ["sh", "-c", "echo Epoch 1/1 - loss: {x}"]
    done = subprocess.run(
        [*run, "--metric", "loss", "--sampler", "grid", *echo],
        env=env,
        cwd=server.home.path / "work",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "completed: trial 0 (x " in done.stdout
    assert "completed: sh" in done.stdout


def trial(number: int, state: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "params": {"lr": 0.00123456, "opt": "<b>"},
        "state": state,
        "value": value,
        "step": None if value is None else 3,
        "cause": "success",
        "reason": "finished",
        "progress": 100,
        "job_id": f"job-{number}",
        "started_at": "2026-01-26T10:00:00.000Z",
        "completed_at": "2026-01-26T10:00:02.500Z",
        "output_dir": "/o",
        "checkpoint_dir": "/c",
        **more,
    }


def told(*trials: dict[str, Any], **more: Any) -> dict[str, Any]:
    space = {"lr": {"type": "uniform", "low": 0, "high": 1}, "opt": {"type": "choice"}}
    return {
        "search": {
            "metric": "loss",
            "goal": "minimize",
            "space": space,
            "sampler": "tpe",
            "seed": 7,
        },
        "trials": list(trials),
        "best": None,
        "history": [],
        "importance": None,
        **more,
    }


def test_what_runs_and_the_best_are_shown_first_and_nothing_that_a_person_wrote_is_html() -> None:
    complete = [trial(number, "complete", float(20 - number)) for number in range(15)]
    several = [*complete, trial(15, "running", None), trial(16, "pruned", 0.5)]
    found = Found(told(*several, best=complete[14], importance={"lr": 0.75, "opt": 0.25}))
    order = [one["number"] for one in rows(found.told)]
    assert (order[0], order[1], order[-1]) == (15, 14, 16)
    text = repr(found)
    assert "14 (best)" in text
    assert "and 5 more" in text
    assert "more" not in found.text(most=17)
    assert "what matters: lr 75%, opt 25%\nmethod: tpe, seed 7" in text
    assert "<b>" not in found._repr_html_()
    assert "lr 0.001235, opt <b>" in text
    frame = found.to_pandas()
    assert list(frame.columns[:5]) == ["number", "value", "duration", "params_lr", "params_opt"]
    assert frame["duration"][0].total_seconds() == 2.5
    assert Found(told()).to_pandas().empty


def test_the_course_of_a_search_is_a_chart_of_the_best_and_of_each() -> None:
    history = [
        {"number": 1, "at": "", "value": 3.0, "best": 3.0},
        {"number": 0, "at": "", "value": "Infinity", "best": 3.0},
        {"number": 2, "at": "", "value": 1.0, "best": 1.0},
    ]
    best, each = curves(told(history=history))
    assert (best.name, list(best.x), list(best.y)) == ("best loss", [1, 2, 3], [3, 3, 1])
    assert (each.name, list(each.y)) == ("loss", [3, float("inf"), 1])
    assert "the course of the search: best loss is 1" in Found(told(history=history))._repr_html_()
    assert "<svg" not in Found(told())._repr_html_()


def test_a_monitor_shows_the_trials_of_a_search_and_a_list_how_many_are_done() -> None:
    job = {
        "name": "tune",
        "job_id": "job-1",
        "job_type": "hyperparameter",
        "status": "running",
        "progress": 40,
        "reason": "2 of 5 trials done",
        "metrics": {"loss": 0.5},
        "children": {"completed": 2},
        "search": {"done": 2, "trials": 5},
        "attempt": 0,
        "queue_position": None,
    }
    found = told(trial(0, "complete", 0.5), trial(1, "pruned", 0.9))
    view = View(job, [], children=rows(found))
    assert "0.001235" in view.text()
    assert "pruned" in view.html()
    begun = trial(2, "running", None, progress=0)
    assert "0 %" in repr(TrialTable([begun]))
    assert "0 %" not in repr(TrialTable([{**begun, "progress_known": False}]))
    assert "2 of 5 trials" in repr(JobTable([job]))
    for parts, said in (
        ({"search": {"done": 1, "trials": None}}, "1 trial  "),
        ({"search": None, "children": {"pending": 1}}, "1 stage  "),
    ):
        assert said in repr(JobTable([{**job, **parts}]))
