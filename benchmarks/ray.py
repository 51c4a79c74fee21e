"""How much jupyter-training adds to Ray: jobs through a server, next to Ray's own client.

The cluster has three nodes on this machine; see `benchmarks.clusters`. Ray starts an interpreter
with all of itself for each job, which costs it about two seconds of a core.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.clusters import compared
from benchmarks.figures import Figure
from tests.conftest import Home
from tests.ray_cluster import running

PROGRAM = ["true"]


def of_ray(jobs: int) -> list[Figure]:
    """The time that so many jobs take, and that of their submission (s)."""
    with tempfile.TemporaryDirectory() as place, running() as cluster:
        home = Home(Path(place))
        home.configure(
            f'c.TrainingApp.executors = ["local", "ray"]\nc.Ray.address = "{cluster.url}"'
        )
        try:
            api = home.start().api
            return compared(api, "Ray", PROGRAM, jobs, lambda count: _bare(cluster.url, count))
        finally:
            home.close()


def _bare(url: str, jobs: int) -> tuple[float, float]:
    from ray.job_submission import JobSubmissionClient

    client, began = JobSubmissionClient(url), time.monotonic()
    command, gb = " ".join(PROGRAM), 1 << 30
    left = {
        client.submit_job(entrypoint=command, entrypoint_num_cpus=1, entrypoint_memory=gb)
        for _ in range(jobs)
    }
    submitted = time.monotonic() - began
    while left:
        time.sleep(0.2)
        ended = {one.submission_id for one in client.list_jobs() if one.status.is_terminal()}
        left -= ended
    return time.monotonic() - began, submitted
