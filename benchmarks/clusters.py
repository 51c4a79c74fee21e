"""Jobs through a server on a cluster, next to the same jobs without us.

Both run one after the other on the same cluster: so many that do nothing, each on one core. The
time is from the first submission until all have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.figures import Figure
from tests.conftest import Api


def compared(
    api: Api,
    cluster: str,
    program: list[str],
    jobs: int,
    bare: Callable[[int], tuple[float, float]],
) -> list[Figure]:
    """The time that so many jobs take, and that of their submission (s).

    Parameters
    ----------
    cluster
        What people call it; in small letters, that of the executor.
    bare
        Runs so many of the same without us, and tells both times.
    """
    _through_us(api, cluster.lower(), program, 3)
    bare(3)
    theirs, their_submission = bare(jobs)
    ours, submission = _through_us(api, cluster.lower(), program, jobs)
    times, share = ours / theirs, submission / their_submission
    name = f"{jobs} jobs on {cluster}"
    return [
        Figure(name, ours, theirs, times, "of bare", "at most 1.5", times <= 1.5),
        Figure("their submission", submission, their_submission, share, "of bare", "", None),
    ]


def _through_us(api: Api, executor: str, program: list[str], jobs: int) -> tuple[float, float]:
    began = time.monotonic()
    spec = {"name": "benchmark", "command": program, "cpu_cores": 1, "memory_gb": 1}
    spec |= {"gpu_count": 0, "executor": executor}
    numbers = [api.http.post("api/training-jobs", json=spec).json()["job_id"] for _ in range(jobs)]
    submitted = time.monotonic() - began
    for number in numbers:
        while True:
            told = api.http.get(f"api/training-jobs/{number}?wait=30").json()
            if told["status"] == "completed":
                break
            assert told["status"] not in ("failed", "cancelled"), told
    return time.monotonic() - began, submitted
