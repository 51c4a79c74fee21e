"""How much jupyter-training adds to Slurm: jobs through a server, next to bare calls of sbatch.

Both are the same jobs on the same cluster of three nodes on this machine, one after the other in
one run: so many that do nothing, each on one core. The time is from the first submission until all
have ended. Bare ones are submitted one after the other, as a loop in a shell does it, each with a
script that runs the same program.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from tests.conftest import Api, Home
from tests.slurm import Slurm, running, with_slurm

PROGRAM = [sys.executable, "-c", "pass"]


def of_slurm(jobs: int) -> list[Figure]:
    """The time that so many jobs take, and that of their submission (s)."""
    with tempfile.TemporaryDirectory() as place, running() as slurm:
        home = with_slurm(Home(Path(place)), slurm)
        try:
            api = home.start().api
            _through_us(api, 3)
            _bare(slurm, 3)
            bare, bare_submitted = _bare(slurm, jobs)
            ours, submitted = _through_us(api, jobs)
        finally:
            home.close()
    times, share = ours / bare, submitted / bare_submitted
    return [
        Figure(f"{jobs} jobs on Slurm", ours, bare, times, "of bare", "at most 1.5", times <= 1.5),
        Figure("their submission", submitted, bare_submitted, share, "of bare", "", None),
    ]


def _through_us(api: Api, jobs: int) -> tuple[float, float]:
    began = time.monotonic()
    spec = {"name": "benchmark", "command": PROGRAM, "cpu_cores": 1, "memory_gb": 1}
    spec |= {"gpu_count": 0, "executor": "slurm"}
    numbers = [api.http.post("api/training-jobs", json=spec).json()["job_id"] for _ in range(jobs)]
    submitted = time.monotonic() - began
    for number in numbers:
        while True:
            told = api.http.get(f"api/training-jobs/{number}?wait=30").json()
            if told["status"] == "completed":
                break
            assert told["status"] not in ("failed", "cancelled"), told
    return time.monotonic() - began, submitted


def _bare(slurm: Slurm, jobs: int) -> tuple[float, float]:
    began = time.monotonic()
    wanted = ["--ntasks=1", "--cpus-per-task=1", "--mem=1G", "--output=/dev/null", "--chdir=/"]
    for _ in range(jobs):
        slurm.command("sbatch", "--parsable", *wanted, f"--wrap={shlex.join(PROGRAM)}")
    submitted = time.monotonic() - began
    while slurm.command("squeue", "--noheader", "--format=%i").strip():
        time.sleep(0.1)
    return time.monotonic() - began, submitted
