"""What a trial of a search costs beyond itself: ``python -m benchmarks.searches``.

A study of trials that do nothing but say a value, two at a time, in a real server on SQLite, from
the submit to the end, by the number of trials. Next to it, in the same run, the same study with the
same sampler by Optuna's own `optimize` in two processes of a pool, that share a database of the
same kind: once with a function that does nothing, and once with one that runs the same program in a
process, as each of our trials is one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import optuna

from tests.conftest import Home

AT_A_TIME = 2
SAYS = 'echo "{\\"step\\": 1, \\"metrics\\": {\\"loss\\": {x}}}" >>"$JUPYTER_TRAINING_METRICS_FILE"'


def ours(trials: int, sampler: str) -> float:
    """Seconds for a study of our own."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name))
        try:
            api = home.start(cpu_cores=AT_A_TIME).api
            search = {"metric": "loss", "parallel": AT_A_TIME, "sampler": sampler, "seed": 1}
            for count in (2, trials):  # the first one loads what is loaded once
                began = time.monotonic()
                space = {"x": "uniform:0:1", "y": "uniform:0:1"}
                spec = {
                    "name": "benchmark",
                    "command": ["/bin/sh", "-c", SAYS],
                    "cpu_cores": 1,
                    "memory_gb": 1,
                    "search": {**search, "trials": count, "space": space},
                }
                # Without the checks of the tests, which would take their share of the machine.
                told = api.http.post("api/training-jobs", json=spec).json()
                while told["completed_at"] is None:
                    told = api.http.get(f"api/training-jobs/{told['job_id']}?wait=30").json()
                assert told["search"]["states"]["complete"] == count, told["reason"]
            return time.monotonic() - began
        finally:
            home.close()


def by_optuna(trials: int, sampler: str, *, process: bool) -> float:
    """Seconds for the same study by Optuna itself."""
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/study.db"
        study = optuna.create_study(study_name="study", storage=url)
        assert study.study_name == "study"
        with ProcessPoolExecutor(AT_A_TIME, get_context("spawn")) as pool:
            list(pool.map(_work, [(url, sampler, 1, process)] * AT_A_TIME))
            began = time.monotonic()
            shares = [(url, sampler, trials // AT_A_TIME, process)] * AT_A_TIME
            list(pool.map(_work, shares, chunksize=1))
            return time.monotonic() - began


def _work(told: tuple[str, str, int, bool]) -> None:
    url, name, trials, process = told
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler() if name == "random" else optuna.samplers.TPESampler()
    study = optuna.load_study(study_name="study", storage=url, sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_float("y", 0, 1)
        trial.report(x, 1)
        if process:
            env = {**os.environ, "JUPYTER_TRAINING_METRICS_FILE": os.devnull}
            subprocess.run(["/bin/sh", "-c", SAYS.replace("{x}", str(x))], env=env, check=True)
        return x

    study.optimize(objective, n_trials=trials)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measure what a trial costs.")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe")
    options = parser.parse_args()
    count, sampler = options.trials, options.sampler
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    per_trial = {
        "ours": 1000 * ours(count, sampler) / count,
        "optimize": 1000 * by_optuna(count, sampler, process=False) / count,
        "optimize, each in a process": 1000 * by_optuna(count, sampler, process=True) / count,
    }
    for name, cost in per_trial.items():
        share = per_trial["ours"] / cost
        print(
            f"{name}: {cost:.1f} ms a trial" + ("" if name == "ours" else f" (ours {share:.2f} x)")
        )
    load = os.getloadavg()[0]
    print(f"{count} trials, {AT_A_TIME} at a time, {sampler}; load average at the end {load:.1f}")


if __name__ == "__main__":
    main()
