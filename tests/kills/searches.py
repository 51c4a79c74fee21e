"""Searches for hyperparameters for the kill matrix, and a look at what became of them."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState as State
from sqlalchemy import Connection, select

from jupyter_training.engine.samplers import SeededSampler, distributions
from jupyter_training.jobs.lifecycle import Cause, Status, may_follow
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import TrialState
from jupyter_training.store import lists, trials
from jupyter_training.store.database import Database
from jupyter_training.store.records import Job
from jupyter_training.store.tables import training_attempts
from tests.studies import opened

TRIALS = 3
METRIC = "line"

# Each trial has a record of its own, and says by its name which one it is.
BEGIN = r"""
RECORD="$RECORD.$JUPYTER_TRAINING_JOB_ID"
"""


@dataclass(frozen=True)
class TestSearch:
    """The search with this number."""

    __test__ = False

    number: int

    def record(self, place: Path, job_id: str) -> Path:
        """What a trial writes down."""
        return place / "records" / f"{self.number}.{job_id}"

    def spec(self, place: Path, script: str, env: dict[str, str]) -> dict[str, Any]:
        """What is asked for.

        Parameters
        ----------
        script
            That of a single job.
        """
        return {
            "command": ["/bin/sh", "-c", BEGIN + script, "x={x}"],
            "env_vars": {
                **env,
                "RECORD": str(place / "records" / str(self.number)),
                "KIND": "succeeds",
            },
            "cpu_cores": 1,
            "memory_gb": 1,
            "gpu_count": self.number % 2,
            "max_retries": 1,
            "search": {
                "metric": METRIC,
                "trials": TRIALS,
                "parallel": 2,
                "sampler": "random",
                "seed": 1,
                "space": {"x": "uniform:0:1"},
            },
        }


@functools.cache
def suggested() -> list[float]:
    """What such a search suggests: another study with the same seed, which nobody kills."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = Search.model_validate(TestSearch(0).spec(Path("/"), "", {})["search"])
    study = optuna.create_study(sampler=SeededSampler(search))
    return [study.ask(distributions(search)).params["x"] for _ in range(TRIALS)]


def look(
    connection: Connection, database: Database, place: Path, job: Job, number: int
) -> tuple[list[str], int]:
    """Find what should not be.

    Returns
    -------
    wrong
        In words.
    attempts
        How many its trials have had.
    """
    wanted, wrong, attempts = TestSearch(number), list[str](), 0
    several = trials.of_search(connection, job.id)
    if [one.number for one in several] != list(range(TRIALS)):
        wrong.append(f"{wanted} has the trials {[one.number for one in several]}")
    expected = suggested()
    if [one.parameters["x"] for one in several] != expected[: len(several)]:
        wrong.append(f"{wanted} has tried {[one.parameters for one in several]}")
    url = database.url.render_as_string(hide_password=False)
    with opened(url, job.job_id) as study:
        known = [(one.number, one.state, one.value) for one in study.trials]
    if known != [(one.number, State.COMPLETE, one.value) for one in several]:
        wrong.append(f"the study of {wanted} has {known}")
    for one in several:
        called = f"trial {one.number} of {wanted}"
        if (one.status, one.told) != (Status.COMPLETED, TrialState.COMPLETE):
            wrong.append(f"{called} has {one.status}: {one.reason}")
        walked = [Status(e.to_status) for e in lists.history(connection, one.id) if e.to_status]
        if not all(may_follow(here, there) for here, there in itertools.pairwise(walked)):
            wrong.append(f"{called} went {walked}")
        query = select(training_attempts).where(training_attempts.c.job_id == one.id)
        runs = connection.execute(query).all()
        attempts += len(runs)
        if any(run.cause == Cause.USER_ERROR.value for run in runs):
            wrong.append(f"{called} has failed")
        wrong += [f"{called} {told}" for told in look_at_record(wanted.record(place, one.job_id))]
    return wrong, attempts


def look_at_record(path: Path) -> list[str]:
    """What a trial itself has written that should not be."""
    lines = path.read_text().splitlines() if path.exists() else []
    begins = Counter(line for line in lines if line.startswith("begin"))
    if any(line.startswith("twice") for line in lines):
        return [f"ran twice at once: {lines}"]
    if begins and max(begins.values()) > 1:
        return [f"had an attempt that ran twice: {lines}"]
    return [] if begins else ["never ran"]
