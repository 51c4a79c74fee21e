"""Searches for hyperparameters over REST, with real trials in real processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState as State
from sklearn.datasets import load_digits

from tests.conftest import NAP, Api, Home, Server, python
from tests.studies import opened

# Reports a value that is the better the nearer `x` is to 0.3, and says how its parameters came.
CELL = """
import json, os
from pathlib import Path
from jupyter_training import parameters, report

x, kind = 10.0, "none"
found = parameters(other=1)
told = {"cell": [x, kind], "found": found, "word": __import__("sys").argv[1:]}
told["env"] = os.environ["JUPYTER_TRAINING_PARAM_X"]
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "told.json").write_text(json.dumps(told))
report(step=1, loss=9.0)
report(step=2, loss=(x - 0.3) ** 2)
"""

SPACE = {"x": "uniform:0:1", "kind": {"type": "choice", "values": ["a", "b"]}}

# Softmax regression on the digits of scikit-learn, an epoch at a time.
DIGITS = """
import sys, time
import numpy as np
from jupyter_training import report

rate, decay, batch = 1e-4, 1.0, 256
data = np.load(sys.argv[1])
chance = np.random.default_rng(0)
weights = np.zeros((65, 10))
for epoch in range(27):
    for rows in np.array_split(chance.permutation(len(data["x"])), len(data["x"]) // batch):
        x, y = data["x"][rows], data["y"][rows]
        guess = np.exp(x @ weights - (x @ weights).max(1, keepdims=True))
        guess /= guess.sum(1, keepdims=True)
        guess[np.arange(len(y)), y] -= 1
        weights -= rate * (x.T @ guess / len(y) + decay * weights)
    wrong = (np.argmax(data["x_test"] @ weights, 1) != data["y_test"]).mean()
    report(step=epoch + 1, error=wrong, progress=(epoch + 1) / 27)
    time.sleep(0.25)  # so that it can be stopped early, also by a server that has much to do
"""


def submit(api: Api, command: Any = "", search: Any = None, **fields: Any) -> dict[str, Any]:
    """Submit a search with small trials."""
    wanted = {"metric": "loss", "trials": 4, "parallel": 2, "seed": 1, "space": SPACE}
    spec = {
        "name": "tune",
        "command": command or [sys.executable, "{script}", "--x={x}", "{kind}"],
        **({} if command else {"script": {"name": "cell.py", "text": CELL}}),
        "cpu_cores": 1,
        "memory_gb": 1,
        "max_retries": 0,
        "search": {**wanted, **(search or {})},
        **fields,
    }
    answer = api.post("api/training-jobs", json=spec)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def found(api: Api, job_id: str) -> dict[str, Any]:
    told: dict[str, Any] = api.get(f"api/training-jobs/{job_id}/trials").json()
    return told


def done(api: Api, job_id: str, count: int) -> dict[str, Any]:
    """The search as soon as so many of its trials have ended."""
    return api.until(job_id, lambda told: told["search"]["done"] >= count)


def test_a_search_finds_the_best_and_has_its_results(api: Api, server: Server) -> None:
    job = submit(api)
    assert (job["job_type"], job["status"]) == ("hyperparameter", "pending")
    assert job["search"]["states"] == dict.fromkeys(job["search"]["states"], 0)
    told = api.ended(job["job_id"])
    assert (told["status"], told["cause"], told["progress"]) == ("completed", "success", 100)
    assert api.history(job["job_id"]) == ["pending", "scheduled", "running", "completed"]
    it = found(api, job["job_id"])
    trials = it["trials"]
    assert [one["number"] for one in trials] == [0, 1, 2, 3]
    assert {one["state"] for one in trials} == {"complete"}
    for one in trials:
        said = json.loads(Path(one["output_dir"], "told.json").read_text())
        x, kind = one["params"]["x"], one["params"]["kind"]
        assert said["cell"] == [x, kind]
        assert said["found"] == {"other": 1, **one["params"]}
        assert said["word"] == [f"--x={x}", kind]
        assert said["env"] == str(x)
        assert (one["value"], one["step"]) == (pytest.approx((x - 0.3) ** 2), 2)
    best = min(trials, key=lambda one: one["value"])
    assert it["best"] == best
    assert told["output_dir"] == best["output_dir"]
    assert told["metrics"] == {"loss": best["value"]}
    assert told["reason"].startswith(f"best loss {best['value']:.6g} in trial {best['number']}")
    entries = api.get(f"api/training-jobs/{job['job_id']}/outputs").json()["entries"]
    assert [one["name"] for one in entries] == ["told.json"]
    assert [one["best"] for one in it["history"]] == sorted(
        (one["best"] for one in it["history"]), reverse=True
    )
    assert set(it["importance"]) == {"x", "kind"}
    assert sum(it["importance"].values()) == pytest.approx(1)
    quick = api.get(f"api/training-jobs/{job['job_id']}/trials?importance=false").json()
    assert quick == {**it, "importance": None}
    children = api.get(f"api/training-jobs/{job['job_id']}/children").json()
    assert [one["name"] for one in children] == [f"tune/{number}" for number in range(4)]
    assert [one["parameters"] for one in children] == [one["params"] for one in trials]
    x, kind = trials[2]["params"]["x"], trials[2]["params"]["kind"]
    assert children[2]["command"].endswith(f"--x={x} {kind}")
    # The same again has the same tag, and who waits for something new hears that there is none.
    answer = api.get(f"api/training-jobs/{job['job_id']}/trials")
    same = api.get(
        f"api/training-jobs/{job['job_id']}/trials?wait=1",
        headers={"If-None-Match": answer.headers["ETag"]},
    )
    assert same.status_code == 304


def test_the_study_is_in_the_database_and_optuna_opens_it(home: Home, database_url: str) -> None:
    api = home.start(database_url=database_url).api
    job_id = submit(api)["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    trials = found(api, job_id)["trials"]
    with opened(database_url, job_id) as study:
        assert [one.state for one in study.trials] == [State.COMPLETE] * 4
        assert [one.params for one in study.trials] == [one["params"] for one in trials]
        assert [one.value for one in study.trials] == [one["value"] for one in trials]
        assert study.trials[0].intermediate_values[1] == 9.0

    # It goes on with as many again, in the same study.
    again = api.post(f"api/training-jobs/{job_id}/retry").json()
    assert (again["status"], again["search"]["trials"]) == ("pending", 8)
    assert api.ended(job_id)["status"] == "completed"
    after = found(api, job_id)["trials"]
    assert len(after) == 8
    assert after[:4] == trials
    one = api.post(f"api/training-jobs/{trials[0]['job_id']}/retry")
    assert (one.status_code, "run the search again" in one.json()["message"]) == (409, True)

    # Who has the same seed is suggested the same, as long as it depends on nothing else.
    same = submit(api, search={"trials": 2, "sampler": "random"})["job_id"]
    assert api.ended(same)["status"] == "completed"
    more = submit(api, search={"trials": 2, "sampler": "random", "parallel": 1})["job_id"]
    assert api.ended(more)["status"] == "completed"
    first, second = (found(api, one)["trials"] for one in (same, more))
    assert [one["params"] for one in first] == [one["params"] for one in second]

    assert api.ask("DELETE", f"api/training-jobs/{job_id}").status_code == 204
    with pytest.raises(KeyError), opened(database_url, job_id):
        pass


def test_thirty_trials_beat_the_default_while_the_server_is_killed_twice(
    home: Home, tmp_path: Path
) -> None:
    x, y = load_digits(return_X_y=True)
    x = np.hstack([x / 16, np.ones((len(x), 1))])
    data = tmp_path / "digits.npz"
    np.savez(data, x=x[:1200], y=y[:1200], x_test=x[1200:], y_test=y[1200:])
    script = {"name": "digits.py", "text": DIGITS}
    command = [sys.executable, "{script}", str(data)]
    server = home.start(cpu_cores=4)
    default = server.api.submit(command, script=script)["job_id"]
    search = {
        "metric": "error",
        "trials": 30,
        "parallel": 4,
        "pruner": "asha",
        "min_steps": 2,
        "space": {
            "rate": "loguniform:1e-5:2",
            "decay": "loguniform:1e-6:1",
            "batch": "choice:16,64,256",
        },
    }
    job_id = submit(server.api, command, search, script=script)["job_id"]
    for count in (6, 16):
        done(server.api, job_id, count)
        server.kill()
        server = home.start(cpu_cores=4)
    api = server.api
    assert api.until(job_id, lambda told: told["completed_at"] is not None)["status"] == (
        "completed"
    )
    it = found(api, job_id)
    assert [one["number"] for one in it["trials"]] == list(range(30))
    assert it["states"]["pruned"] >= 10
    assert it["states"]["complete"] + it["states"]["pruned"] == 30
    pruned = next(one for one in it["trials"] if one["state"] == "pruned")
    assert (pruned["status"], pruned["cause"]) == ("cancelled", "pruned")
    assert "stopped early by the search: error " in pruned["reason"]
    assert pruned["pruned_at_step"] < 27
    ended = api.ended(default)
    assert ended["status"] == "completed"
    assert it["best"]["value"] < ended["metrics"]["error"]
    states = {"complete": State.COMPLETE, "pruned": State.PRUNED}
    with opened(f"sqlite:///{home.data_dir / 'training.db'}", job_id) as study:
        assert [one.state for one in study.trials] == [states[one["state"]] for one in it["trials"]]


NEVER_ENDS_WHEN_BAD = """
import time
from jupyter_training import report
report(step=1, loss={x})
time.sleep(600 if {x} > 1 else 0)
"""


def test_a_pruned_trial_frees_its_gpu_at_once_for_the_next_one(home: Home) -> None:
    home.configure("c.TrainingApp.gpus = ['GPU-a=A100']")
    api = home.start(gpus=None).api
    # With this seed the grid is shuffled so that the bad one is in the middle.
    search = {
        "sampler": "grid",
        "seed": 1,
        "trials": None,
        "pruner": "asha",
        "min_steps": 1,
        "space": {"x": "choice:0.1,0.2,9"},
    }
    command = [sys.executable, "-c", NEVER_ENDS_WHEN_BAD]
    job_id = submit(api, command, search, gpu_count=1)["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    good, bad, other = found(api, job_id)["trials"]
    assert (good["state"], bad["state"], bad["params"]["x"]) == ("complete", "pruned", 9)
    assert (bad["value"], bad["pruned_at_step"]) == (9, 1)
    assert (good["progress_known"], bad["progress_known"]) == (True, False)
    assert bad["reason"] == "stopped early by the search: loss 9 at step 1 is not among the best"
    assert api.job(other["job_id"])["gpus"] == api.job(bad["job_id"])["gpus"] == ["GPU-a"]
    assert other["started_at"] >= bad["completed_at"]


def test_a_search_ends_with_its_budget_and_stops_what_runs(home: Home) -> None:
    home.configure("c.TrainingApp.gpus = ['GPU-a=A100', 'GPU-b=A100']")
    api = home.start(gpus=None).api
    for budget in ({"budget_hours": 1 / 3600}, {"gpu_hours": 2 / 3600}):
        naps = python(
            "import time; from jupyter_training import report; report(loss={x}); time.sleep(600)"
        )
        search = {"trials": None, **budget}
        job_id = submit(api, naps, search, gpu_count=1)["job_id"]
        told = api.ended(job_id)
        (name, _), it = next(iter(budget.items())), found(api, job_id)
        assert (told["status"], told["cause"]) == ("failed", "timed_out")
        assert told["reason"].startswith("its budget of ")
        assert it["states"]["pruned"] == 2
        assert it["trials"][0]["reason"].startswith("stopped early by the search: its budget")
        used = it["used_hours"] if name == "budget_hours" else it["used_gpu_hours"]
        # The naps alone would have taken six hundred times as much.
        assert budget[name] <= used < 600 * budget[name]


def test_it_gives_up_when_trial_after_trial_fails_and_goes_on_when_that_is_cured(
    api: Api, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    code = (
        f"import os, sys; from jupyter_training import report; "
        f"report(loss={{x}}) if os.path.exists({str(there)!r}) else sys.exit(3)"
    )
    job_id = submit(api, python(code), {"trials": 20, "parallel": 1})["job_id"]
    told = api.ended(job_id)
    assert (told["status"], told["cause"]) == ("failed", "user_error")
    assert (
        "its last 5 trials failed: trial 4 failed: the script ended with exit code 3"
        in told["reason"]
    )
    assert told["search"]["states"]["failed"] == 5
    there.touch()
    again = api.post(f"api/training-jobs/{job_id}/retry").json()
    assert again["search"]["trials"] == 25
    done(api, job_id, 7)
    cancelled = api.cancel(job_id)
    assert cancelled["status"] == "cancelled"
    states = cancelled["search"]["states"]
    assert states["complete"] >= 2
    assert states["waiting"] + states["running"] == 0


def test_a_cancelled_search_leaves_nothing_running(api: Api) -> None:
    job_id = submit(api, NAP)["job_id"]
    api.until(job_id, lambda told: told["search"]["states"]["running"] == 2)
    told = api.cancel(job_id)
    assert told["status"] == "cancelled"
    children = api.get(f"api/training-jobs/{job_id}/children").json()
    assert {(one["status"], one["cause"]) for one in children} == {
        ("cancelled", "cancelled_by_user")
    }
    assert api.get("api/training-resources").json()["free"]["cpu_cores"] == 2
    none = api.get(f"api/training-jobs/{children[0]['job_id']}/trials")
    assert (none.status_code, none.json()["reason"]) == (404, "no_search")


def test_what_goes_after_a_search_finds_what_its_best_trial_has_left(api: Api) -> None:
    search = {"metric": "loss", "trials": 2, "space": {"x": "uniform:0:1"}, "seed": 3}
    leaves = (
        "import os; from pathlib import Path; from jupyter_training import report; "
        "Path(os.environ['JUPYTER_TRAINING_OUTPUT_DIR'], 'x').write_text('{x}'); report(loss={x})"
    )
    reads = (
        "import os; from pathlib import Path; "
        "print(Path(os.environ['JUPYTER_TRAINING_INPUTS'], 'tune', 'x').read_text())"
    )
    small = {"cpu_cores": 1, "memory_gb": 1, "max_retries": 0}
    stages = [
        {"name": "tune", "command": python(leaves), "search": search, **small},
        {"name": "test", "command": python(reads), "depends_on": ["tune"], **small},
    ]
    answer = api.post("api/training-jobs", json={"name": "p", "stages": stages})
    assert answer.status_code == 201, answer.text
    assert api.ended(answer.json()["job_id"])["status"] == "completed"
    path = f"api/training-jobs/{answer.json()['job_id']}/children"
    tune, test = api.get(path).json()
    best = found(api, tune["job_id"])["best"]
    assert api.log(test["job_id"]) == [str(best["params"]["x"])]


def test_a_dry_run_tells_where_a_trial_would_run(api: Api) -> None:
    spec = {
        "name": "tune",
        "command": "true {x}",
        "cpu_cores": 2,
        "search": {"metric": "loss", "trials": 3, "space": {"x": "uniform:0:1"}},
    }
    told = api.post("api/training-jobs?dry_run=true", json=spec).json()
    assert (told["cpu_cores"], told["node"] is not None) == (2, True)
    assert told["reason"] == "tune/0 would be started at once"
    told = api.post("api/training-jobs?dry_run=true", json={**spec, "cpu_cores": 99}).json()
    assert told["reason"].startswith("can never start here: asks for 99 CPU cores")
    spec["search"] = {**spec["search"], "space": {"x": "uniform:1:0"}}  # type: ignore[dict-item]
    wrong = api.post("api/training-jobs", json=spec)
    assert wrong.status_code == 400
    assert wrong.json()["errors"] == [
        {"field": "search.space.x", "message": "low should be less than high, not 1 and 0"}
    ]


def test_gpu_hours_alone_end_no_search_that_holds_no_gpu(api: Api) -> None:
    search = {"metric": "loss", "gpu_hours": 1.0, "space": {"x": "uniform:0:1"}}
    spec = {"name": "tune", "command": "true {x}", "cpu_cores": 1, "search": search}
    (error,) = api.post("api/training-jobs?dry_run=true", json=spec).json()["errors"]
    assert error["field"] == "search.gpu_hours"
    assert error["message"].startswith("its trials hold no GPU, so nothing would end it")
    for more in ({"trials": 3}, {"budget_hours": 1.0}):
        told = api.post(
            "api/training-jobs?dry_run=true", json={**spec, "search": {**search, **more}}
        )
        assert told.status_code == 200, told.text


def test_a_trial_that_has_measured_nothing_says_what_it_lacks(api: Api) -> None:
    job_id = submit(api, "true {x}", {"trials": 1})["job_id"]
    assert api.ended(job_id)["cause"] == "user_error"
    (trial,) = found(api, job_id)["trials"]
    assert (trial["state"], trial["reason"]) == ("failed", "ended without a value of loss")
