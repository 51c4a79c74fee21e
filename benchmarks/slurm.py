"""How much jupyter-training adds to Slurm: jobs through a server, next to bare calls of sbatch.

The cluster has three nodes on this machine; see `benchmarks.clusters`. Bare jobs are submitted one
after the other, as a loop in a shell does it, each with a script that runs the same program.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clusters import compared
from benchmarks.figures import Figure
from tests.conftest import Home
from tests.slurm import Slurm, running, with_slurm

PROGRAM = [sys.executable, "-c", "pass"]


def of_slurm(jobs: int) -> list[Figure]:
    """The time that so many jobs take, and that of their submission (s)."""
    with tempfile.TemporaryDirectory() as place, running() as slurm:
        home = with_slurm(Home(Path(place)), slurm)
        try:
            api = home.start().api
            return compared(api, "Slurm", PROGRAM, jobs, lambda count: _bare(slurm, count))
        finally:
            home.close()


def _bare(slurm: Slurm, jobs: int) -> tuple[float, float]:
    began = time.monotonic()
    wanted = ["--ntasks=1", "--cpus-per-task=1", "--mem=1G", "--output=/dev/null", "--chdir=/"]
    for _ in range(jobs):
        slurm.command("sbatch", "--parsable", *wanted, f"--wrap={shlex.join(PROGRAM)}")
    submitted = time.monotonic() - began
    while slurm.command("squeue", "--noheader", "--format=%i").strip():
        time.sleep(0.1)
    return time.monotonic() - began, submitted
