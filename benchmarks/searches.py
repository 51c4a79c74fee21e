"""What a trial of a search costs beyond itself: ``python -m benchmarks.searches``.

A study of trials that do nothing but say a value, two at a time, in a real server on SQLite, from
the submit to the end, by the number of trials. Next to it, in the same run, the same study with the
same sampler by Optuna's own `optimize` in two processes of a pool, that share a database of the
same kind: once with a function that does nothing, and once with one that runs the same program in a
process, as each of our trials is one; and the bare program, two at a time.

*Scheduler time* is what is left of the time for a trial without its program: of ours and of
`optimize` with a process what is more than the bare program takes, of `optimize` with a function
all of it. Ours has a job behind it, with its directories, its supervisor, its log, its metrics and
its history; the others have none of that.

All are taken in turns, as often as is said, and the fastest of each counts: what else a machine
does makes it slower and never faster. *CPU* is the mean of what a trial costs the server, and what
it costs the processes of `optimize`, where waiting for the disk and for other programs counts for
nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import optuna

from benchmarks.figures import Figure, table
from tests.conftest import Home

AT_A_TIME = 2
SAYS = 'echo "{\\"step\\": 1, \\"metrics\\": {\\"loss\\": {x}}}" >>"$JUPYTER_TRAINING_METRICS_FILE"'


@dataclass(frozen=True)
class Cost:
    """Of a trial: the time (ms), and the CPU time of what runs trials (ms)."""

    ms: float
    cpu_ms: float


def ours(trials: int, sampler: str) -> Cost:
    """A study of our own."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name))
        try:
            server = home.start(cpu_cores=AT_A_TIME)
            api = server.api
            search = {"metric": "loss", "parallel": AT_A_TIME, "sampler": sampler, "seed": 1}
            for count in (2, trials):  # the first one loads what is loaded once
                began, before = time.monotonic(), _cpu_s_of(server.process.pid)
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
            took_s, cpu_s = time.monotonic() - began, _cpu_s_of(server.process.pid) - before
            return Cost(1000 * took_s / trials, 1000 * cpu_s / trials)
        finally:
            home.close()


def _cpu_s_of(pid: int) -> float:
    """The CPU time of a process and of those that it has waited for (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def bare(trials: int) -> Cost:
    """The program of a trial, and nothing else."""

    def run(_: int) -> None:
        _run_program(0.5)

    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(run, range(trials)))
    return Cost(1000 * (time.monotonic() - began) / trials, 0.0)


def _run_program(x: float) -> None:
    env = {**os.environ, "JUPYTER_TRAINING_METRICS_FILE": os.devnull}
    subprocess.run(["/bin/sh", "-c", SAYS.replace("{x}", str(x))], env=env, check=True)


def by_optuna(trials: int, sampler: str, *, process: bool) -> Cost:
    """The same study by Optuna itself."""
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/study.db"
        study = optuna.create_study(study_name="study", storage=url)
        assert study.study_name == "study"
        with ProcessPoolExecutor(AT_A_TIME, get_context("spawn")) as pool:
            list(pool.map(_work, [(url, sampler, 1, process)] * AT_A_TIME))
            began = time.monotonic()
            shares = [(url, sampler, trials // AT_A_TIME, process)] * AT_A_TIME
            cpu_s = sum(pool.map(_work, shares, chunksize=1))
            return Cost(1000 * (time.monotonic() - began) / trials, 1000 * cpu_s / trials)


def _work(told: tuple[str, str, int, bool]) -> float:
    """A worker's share; how much CPU time it took itself (s)."""
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
            _run_program(x)
        return x

    before = time.process_time()
    study.optimize(objective, n_trials=trials)
    return time.process_time() - before


def figures(trials: int, sampler: str, rounds: int) -> list[Figure]:
    """All of it, in turns."""
    measured: dict[str, Callable[[], Cost]] = {
        "ours": lambda: ours(trials, sampler),
        "function": lambda: by_optuna(trials, sampler, process=False),
        "process": lambda: by_optuna(trials, sampler, process=True),
        "bare": lambda: bare(trials),
    }
    all_of: dict[str, list[Cost]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            all_of[name].append(measure())
    best = {name: min(one.ms for one in several) for name, several in all_of.items()}
    cpu = {name: sum(one.cpu_ms for one in all_of[name]) / rounds for name in all_of}
    mine, program = best["ours"], best["bare"]
    own = mine - program

    def figure(name: str, ours: float, other: float, aim: float | None = None) -> Figure:
        ratio = ours / other
        told = "" if aim is None else f"at most {aim:g}"
        return Figure(name, ours, other, ratio, "x", told, None if aim is None else ratio <= aim)

    return [
        figure("scheduler, function", own, best["function"], 2),
        figure("scheduler, process", own, best["process"] - program, 2),
        figure("trial, function", mine, best["function"]),
        figure("trial, process", mine, best["process"]),
        figure("trial, bare program", mine, program),
        figure("CPU, function", cpu["ours"], cpu["function"]),
        figure("CPU, process", cpu["ours"], cpu["process"]),
    ]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measure what a trial costs.")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe")
    parser.add_argument("--rounds", type=int, default=2, help="the fastest of so many counts")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    before = os.getloadavg()[0]
    print(table(figures(options.trials, options.sampler, options.rounds)))
    busy = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    print(
        f"ms of a trial; {options.trials} trials, {AT_A_TIME} at a time, {options.sampler}; {busy}"
    )


if __name__ == "__main__":
    main()
