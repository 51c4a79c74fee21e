"""What nothing may lose or double on a cluster, whichever it is."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from pathlib import Path

import httpx

from jupyter_training.points import OF_CLUSTERS, VARIABLE
from tests.conftest import Api, Home, python
from tests.patience import PATIENCE_S


def appends(runs: Path) -> str:
    """A script that tells that it ran."""
    told = "os.environ['JUPYTER_TRAINING_JOB_ID'] + ' ' + os.environ['JUPYTER_TRAINING_ATTEMPT']"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return f"import os; os.write(os.open({str(runs)!r}, {flags}), ({told} + '\\n').encode())"


def runs_of(runs: Path) -> dict[str, int]:
    """How many attempts of each job ran, none of which ran twice."""
    lines = runs.read_text().splitlines()
    assert len(lines) == len(set(lines)), "an attempt ran twice"
    return Counter(line.split()[0] for line in lines)


def submit_to_servers_that_die(home: Home, executor: str, runs: Path) -> None:
    """Have a server die at each point of a submission; each job is to run once.

    Parameters
    ----------
    runs
        The file that the jobs append to.
    """
    points = sorted(point.value for point in OF_CLUSTERS)

    def ask_for(api: Api, key: str) -> str:
        spec = {"name": key, "command": python(appends(runs)), "cpu_cores": 1, "memory_gb": 1}
        spec |= {"gpu_count": 0, "executor": executor}
        answer = api.post("api/training-jobs", json=spec, headers={"Idempotency-Key": key})
        return str(answer.json()["job_id"])

    for point in points:
        home.variables[VARIABLE] = point
        server = home.start(wait=False)
        # It may die of an earlier job, and before it has taken or answered this one.
        while not server.answers and server.process.poll() is None:
            time.sleep(0.05)  # one that may die before it is ready has no event for us
        with contextlib.suppress(httpx.TransportError):
            ask_for(server.api, point)
        assert server.process.wait(PATIENCE_S) == -9, point
    del home.variables[VARIABLE]
    api = home.start().api
    jobs = [ask_for(api, point) for point in points]
    for job in jobs:
        told = api.ended(job)
        assert (told["status"], told["retry_count"]) == ("completed", 0), told["reason"]
    assert len(api.get("api/training-jobs").json()) == len(jobs)
    assert runs_of(runs) == dict.fromkeys(jobs, 1)
